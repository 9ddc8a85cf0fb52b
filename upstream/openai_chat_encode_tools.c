#include "upstream/openai_chat_encode.h"

#include "upstream/capability.h"
#include "upstream/pick.h"
#include "upstream/tool_index.h"

#define NO_HOSTED "the hosted tool `%.*s` is not there for this model"
#define EMULATED_SCHEMA                                                                            \
    "{\"type\":\"object\",\"properties\":{\"input\":{\"type\":\"string\"}},\"required\":["         \
    "\"input\"],\"additionalProperties\":false}"

struct slice chat_encode_name(struct chat_encode *x, struct slice own)
{
    return tool_names_safe(&x->plan->names, own);
}

/* ---- which tools go out ---- */

static bool is_chosen(const struct canon *c, const struct tool *t)
{
    return c->choice == CHOICE_ONE &&
           (slice_eq(c->choice_name, t->name) ||
            (t->kind == TOOL_HOSTED && slice_eq(c->choice_name, t->hosted)));
}

/* A provider that does not know allowed_tools gets the allowed ones only. */
static bool is_sent(const struct chat_encode *x, const struct tool *t)
{
    if (t->kind == TOOL_HOSTED)
        return false;
    return x->canon->choice != CHOICE_SUBSET || x->is_openai ||
           tool_index_is_allowed(x->canon, t->name);
}

/* By its type, as the other formats name it. */
static enum err drop_hosted(struct chat_encode *x, const struct tool *t)
{
    const char *name = arena_copy(x->plan->arena, t->hosted);

    if (!name)
        return ERR_MEMORY;
    drop(&x->plan->drops, name);
    return ERR_OK;
}

static enum err check_tools(struct chat_encode *x, size_t *sent_n)
{
    const struct canon *c = x->canon;
    size_t i;

    *sent_n = 0;
    for (i = 0; i < c->tools_n; i++) {
        const struct tool *t = &c->tools[i];

        if (t->kind == TOOL_HOSTED && (!t->is_optional || is_chosen(c, t)))
            return plan_fault(x->plan, t->at, NO_HOSTED, SLICE_FMT(t->hosted));
        if (t->kind == TOOL_HOSTED && drop_hosted(x, t))
            return ERR_MEMORY;
        if (t->cache != CACHE_NONE)
            canon_drop(c, &x->plan->drops, FIELD_CACHE);
        *sent_n += is_sent(x, t);
    }
    if (*sent_n == 0 || x->capability->has_tools)
        return ERR_OK;
    if (c->choice != CHOICE_NONE)
        return plan_fault(x->plan, canon_field(c, FIELD_TOOLS), "this model cannot use tools");
    *sent_n = 0;
    return ERR_OK;
}

/* ---- declarations ---- */

static void write_function(struct jwrite *w, const struct tool *t, struct slice name)
{
    jwrite_key_z(w, "type", "function");
    jwrite_key_object(w, "function");
    jwrite_key_string(w, "name", name);
    if (t->description.n)
        jwrite_key_string(w, "description", t->description);
    if (t->schema.p)
        jwrite_key_raw(w, "parameters", t->schema);
    if (t->strict == 1)
        jwrite_key_bool(w, "strict", true);
    jwrite_object_end(w);
}

/* The grammar's members, which stand one level deeper in this format than in Responses. */
static void pick_grammar(const struct tool *t, struct jvalue v[2])
{
    static const char *const names[] = {"syntax", "definition"};
    struct jvalue format = {JSCAN_OBJECT, t->grammar}, inner;

    inner = pick(format, "grammar");
    (void)pick_members(inner.raw.p ? inner : format, names, 2, v);
}

static void write_custom(struct jwrite *w, const struct tool *t, struct slice name)
{
    struct jvalue v[2];

    jwrite_key_z(w, "type", "custom");
    jwrite_key_object(w, "custom");
    jwrite_key_string(w, "name", name);
    if (t->description.n)
        jwrite_key_string(w, "description", t->description);
    if (t->grammar.p) {
        pick_grammar(t, v);
        jwrite_key_object(w, "format");
        jwrite_key_z(w, "type", "grammar");
        jwrite_key_object(w, "grammar");
        if (v[1].raw.p)
            jwrite_key_raw(w, "definition", v[1].raw);
        if (v[0].raw.p)
            jwrite_key_raw(w, "syntax", v[0].raw);
        jwrite_object_end(w);
        jwrite_object_end(w);
    }
    jwrite_object_end(w);
}

/* A free-form tool where there is none: a function of one text. */
static enum err write_emulated(struct chat_encode *x, const struct tool *t, struct slice name)
{
    struct slice syntax = {NULL, 0}, definition = {NULL, 0};
    struct jwrite *w = &x->w;
    struct jvalue v[2];
    enum err e;

    tool_names_mark_custom(&x->plan->names, t->name);
    if (t->grammar.p) {
        pick_grammar(t, v);
        e = v[1].raw.p ? jscan_string(v[1], x->plan->arena, &definition) : ERR_OK;
        if (e == ERR_MEMORY)
            return e;
        syntax = pick_string(v[0]);
    }
    jwrite_key_z(w, "type", "function");
    jwrite_key_object(w, "function");
    jwrite_key_string(w, "name", name);
    jwrite_key(w, "description");
    jwrite_string_begin(w);
    jwrite_text(w, t->description);
    if (definition.n) {
        jwrite_text(w, t->description.n ? SLICE("\n\n") : SLICE(""));
        jwrite_text(w, SLICE("The input must match this "));
        jwrite_text(w, syntax);
        jwrite_text(w, SLICE(" grammar:\n"));
        jwrite_text(w, definition);
    }
    jwrite_string_end(w);
    jwrite_key_raw(w, "parameters", SLICE(EMULATED_SCHEMA));
    jwrite_object_end(w);
    return ERR_OK;
}

static enum err write_tool(struct chat_encode *x, const struct tool *t)
{
    struct slice name = chat_encode_name(x, t->name);
    enum err e = ERR_OK;

    if (!name.n)
        return ERR_MEMORY;
    jwrite_object(&x->w);
    if (t->kind == TOOL_FUNCTION)
        write_function(&x->w, t, name);
    else if (x->capability->has_custom_tools)
        write_custom(&x->w, t, name);
    else
        e = write_emulated(x, t, name);
    jwrite_object_end(&x->w);
    return e;
}

/* ---- the choice ---- */

static bool is_custom(const struct chat_encode *x, struct slice own)
{
    return x->capability->has_custom_tools && tool_index_find(x->canon, TOOLS_FREE, own);
}

/* {type: "function", function: {name}} */
static enum err write_named(struct chat_encode *x, struct slice own)
{
    const char *kind = is_custom(x, own) ? "custom" : "function";
    struct slice name = chat_encode_name(x, own);
    struct jwrite *w = &x->w;

    if (!name.n)
        return ERR_MEMORY;
    jwrite_object(w);
    jwrite_key_z(w, "type", kind);
    jwrite_key_object(w, kind);
    jwrite_key_string(w, "name", name);
    jwrite_object_end(w);
    jwrite_object_end(w);
    return ERR_OK;
}

static enum err write_subset(struct chat_encode *x)
{
    const struct canon *c = x->canon;
    struct jwrite *w = &x->w;
    enum err e = ERR_OK;
    size_t i;

    jwrite_object(w);
    jwrite_key_z(w, "type", "allowed_tools");
    jwrite_key_object(w, "allowed_tools");
    jwrite_key_z(w, "mode", c->choice_is_any ? "required" : "auto");
    jwrite_key_array(w, "tools");
    for (i = 0; i < c->tools_n && !e; i++)
        if (c->tools[i].kind != TOOL_HOSTED && tool_index_is_allowed(c, c->tools[i].name))
            e = write_named(x, c->tools[i].name);
    jwrite_array_end(w);
    jwrite_object_end(w);
    jwrite_object_end(w);
    return e;
}

/* Where a call cannot be forced the model is told so by a last line. */
static enum err ask_for_call(struct chat_encode *x)
{
    const struct canon *c = x->canon;
    struct slice name;
    const char *line = "You must call a tool.";

    if (c->choice == CHOICE_ONE) {
        name = chat_encode_name(x, c->choice_name);
        line = name.n
                   ? arena_printf(x->plan->arena, "You must call the tool %.*s.", SLICE_FMT(name))
                   : NULL;
    }
    if (!line)
        return ERR_MEMORY;
    x->last_line = slice_of(line);
    jwrite_key_z(&x->w, "tool_choice", "auto");
    return ERR_OK;
}

static enum err write_choice(struct chat_encode *x)
{
    const struct canon *c = x->canon;
    bool is_forced = c->choice == CHOICE_ANY || c->choice == CHOICE_ONE ||
                     (c->choice == CHOICE_SUBSET && c->choice_is_any);

    if (c->choice == CHOICE_UNSET)
        return ERR_OK;
    if (is_forced && !x->capability->has_forced_tools)
        return ask_for_call(x);
    jwrite_key(&x->w, "tool_choice");
    if (c->choice == CHOICE_ONE)
        return write_named(x, c->choice_name);
    if (c->choice == CHOICE_SUBSET && x->is_openai)
        return write_subset(x);
    jwrite_string(&x->w, c->choice == CHOICE_NONE ? SLICE("none")
                         : is_forced              ? SLICE("required")
                                                  : SLICE("auto"));
    return ERR_OK;
}

enum err chat_encode_tools(struct chat_encode *x)
{
    const struct canon *c = x->canon;
    size_t sent_n, i;
    enum err e = check_tools(x, &sent_n);

    if (e || sent_n == 0)
        return e;
    jwrite_key_array(&x->w, "tools");
    for (i = 0; i < c->tools_n && !e; i++)
        if (is_sent(x, &c->tools[i]))
            e = write_tool(x, &c->tools[i]);
    jwrite_array_end(&x->w);
    if (!e)
        e = write_choice(x);
    if (c->parallel == 0)
        jwrite_key_bool(&x->w, "parallel_tool_calls", false);
    return e;
}
