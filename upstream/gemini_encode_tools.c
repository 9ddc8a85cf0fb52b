#include "upstream/gemini.h"

#include "upstream/tool_index.h"

#include <string.h>

#define INPUT_SCHEMA                                                                               \
    "{\"type\":\"object\",\"properties\":{\"input\":{\"type\":\"string\"}},"                       \
    "\"required\":[\"input\"]}"
#define GRAMMAR_INTRO "The input must have this format: "

/* What of the tools goes out. */
struct tools {
    size_t functions;
    bool has_search;
};

/* ---- declarations ---- */

static enum err write_schema(struct plan *p, struct slice schema, struct jwrite *w)
{
    if (!schema.p || gemini_schema_is_empty(schema))
        return ERR_OK;
    if (p->capability->has_json_schema_tools) {
        jwrite_key_raw(w, "parametersJsonSchema", schema);
        return ERR_OK;
    }
    jwrite_key(w, "parameters");
    return gemini_schema_clean(schema, p->arena, w);
}

/* A grammar that nobody holds the model to is at least told. */
static void write_description(const struct tool *t, struct jwrite *w)
{
    bool has_grammar = t->kind == TOOL_CUSTOM && t->grammar.p;

    if (!t->description.n && !has_grammar)
        return;
    jwrite_key(w, "description");
    jwrite_string_begin(w);
    jwrite_text(w, t->description.n ? t->description : SLICE(""));
    if (has_grammar) {
        jwrite_text(w, t->description.n ? SLICE("\n\n" GRAMMAR_INTRO) : SLICE(GRAMMAR_INTRO));
        jwrite_text(w, t->grammar);
    }
    jwrite_string_end(w);
}

static enum err write_function(struct canon *c, struct plan *p, const struct tool *t,
                               struct jwrite *w)
{
    struct slice name = tool_names_safe(&p->names, t->name);

    if (name.n == 0)
        return ERR_MEMORY;
    if (t->kind == TOOL_CUSTOM)
        tool_names_mark_custom(&p->names, t->name);
    if (t->strict == 1)
        canon_drop(c, &p->drops, FIELD_STRICT);
    jwrite_object(w);
    jwrite_key_string(w, "name", name);
    write_description(t, w);
    if (write_schema(p, t->kind == TOOL_CUSTOM ? SLICE(INPUT_SCHEMA) : t->schema, w))
        return w->e;
    jwrite_object_end(w);
    return w->e;
}

static bool is_function(const struct tool *t)
{
    return t->kind != TOOL_HOSTED;
}

/* What the provider runs itself: a search of the web has its twin here. */
static enum err choose_hosted(struct canon *c, struct plan *p, const struct tool *t,
                              struct tools *out)
{
    bool can_mix = out->functions == 0 || gemini_think_style(p) == THINK_STYLE_LEVEL;
    bool is_chosen = c->choice == CHOICE_ONE && slice_eq(c->choice_name, t->name);
    const char *word;

    if (t->is_web_search && (can_mix ? out->functions == 0 || !t->is_optional : false)) {
        out->has_search = true;
        return ERR_OK;
    }
    if (!t->is_optional || is_chosen)
        return plan_fault(p, t->at, "the tool %.*s is not available with this model%s",
                          SLICE_FMT(t->hosted), t->is_web_search ? " beside functions" : "");
    word = arena_copy(p->arena, t->hosted);
    if (!word)
        return ERR_MEMORY;
    drop(&p->drops, word);
    return ERR_OK;
}

static enum err choose(struct canon *c, struct plan *p, struct tools *out)
{
    enum err e = ERR_OK;
    size_t i;

    *out = (struct tools){0};
    for (i = 0; i < c->tools_n; i++)
        out->functions += is_function(&c->tools[i]);
    for (i = 0; i < c->tools_n && !e; i++)
        if (!is_function(&c->tools[i]))
            e = choose_hosted(c, p, &c->tools[i], out);
    return e;
}

static enum err write_tools(struct canon *c, struct plan *p, const struct tools *t,
                            struct jwrite *w)
{
    enum err e = ERR_OK;
    size_t i;

    jwrite_key_array(w, "tools");
    if (t->functions) {
        jwrite_object(w);
        jwrite_key_array(w, "functionDeclarations");
        for (i = 0; i < c->tools_n && !e; i++)
            if (is_function(&c->tools[i]))
                e = write_function(c, p, &c->tools[i], w);
        if (e)
            return e;
        jwrite_array_end(w);
        jwrite_object_end(w);
    }
    if (t->has_search)
        jwrite_raw(w, SLICE("{\"googleSearch\":{}}"));
    jwrite_array_end(w);
    return w->e;
}

/* ---- the choice ---- */

static const char *mode_of(const struct canon *c)
{
    switch (c->choice) {
    case CHOICE_AUTO:
        return "AUTO";
    case CHOICE_NONE:
        return "NONE";
    case CHOICE_ANY:
    case CHOICE_ONE:
        return "ANY";
    case CHOICE_SUBSET:
        return c->choice_is_any ? "ANY" : "VALIDATED";
    case CHOICE_UNSET:
    default:
        return NULL;
    }
}

static enum err write_allowed(struct canon *c, struct plan *p, struct jwrite *w)
{
    const struct slice *names = c->choice == CHOICE_ONE ? &c->choice_name : c->choice_names;
    size_t n = c->choice == CHOICE_ONE ? 1 : c->choice == CHOICE_SUBSET ? c->choice_names_n : 0;
    size_t i;

    if (n == 0)
        return ERR_OK;
    jwrite_key_array(w, "allowedFunctionNames");
    for (i = 0; i < n; i++) {
        struct slice safe;

        if (!tool_index_find(c, TOOLS_CALLABLE, names[i]))
            return plan_fault(p, canon_field(c, FIELD_TOOL_CHOICE), "there is no tool %.*s",
                              SLICE_FMT(names[i]));
        safe = tool_names_safe(&p->names, names[i]);
        if (safe.n == 0)
            return ERR_MEMORY;
        jwrite_string(w, safe);
    }
    jwrite_array_end(w);
    return ERR_OK;
}

static bool is_forced(const struct canon *c)
{
    return c->choice == CHOICE_ANY || c->choice == CHOICE_ONE ||
           (c->choice == CHOICE_SUBSET && c->choice_is_any);
}

static enum err write_config(struct canon *c, struct plan *p, const struct tools *t,
                             struct jwrite *w)
{
    bool is_mixed = t->functions && t->has_search;
    const char *mode = t->functions ? mode_of(c) : NULL;
    enum err e = ERR_OK;

    if (mode && is_forced(c) && !p->capability->has_forced_tools) {
        canon_drop(c, &p->drops, FIELD_TOOL_CHOICE);
        mode = NULL;
    }
    if (!mode && !is_mixed)
        return ERR_OK;
    jwrite_key_object(w, "toolConfig");
    if (mode) {
        jwrite_key_object(w, "functionCallingConfig");
        jwrite_key_z(w, "mode", mode);
        e = write_allowed(c, p, w);
        if (e)
            return e;
        jwrite_object_end(w);
    }
    if (is_mixed)
        jwrite_key_bool(w, "includeServerSideToolInvocations", true);
    jwrite_object_end(w);
    return w->e;
}

enum err gemini_encode_tools(struct canon *c, struct plan *p, struct jwrite *w)
{
    struct tools t;
    enum err e = choose(c, p, &t);

    if (e || (t.functions == 0 && !t.has_search))
        return e;
    e = write_tools(c, p, &t, w);
    return e ? e : write_config(c, p, &t, w);
}
