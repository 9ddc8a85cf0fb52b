#include "upstream/responses.h"

#include "upstream/tool_index.h"
#include "upstream/translate.h"

struct tools {
    struct canon *c;
    struct plan *p;
    struct jwrite *w;
    size_t n; /* written so far */
};

static enum err write_name(struct tools *x, struct slice own)
{
    struct slice name = tool_names_safe(&x->p->names, own);

    jwrite_key_string(x->w, "name", name);
    return name.n ? ERR_OK : ERR_MEMORY;
}

static enum err write_function(struct tools *x, const struct tool *t)
{
    struct jwrite *w = x->w;
    enum err e;

    jwrite_object(w);
    jwrite_key_z(w, "type", "function");
    e = write_name(x, t->name);
    if (t->description.p)
        jwrite_key_string(w, "description", t->description);
    if (t->schema.p)
        jwrite_key_raw(w, "parameters", t->schema);
    else
        jwrite_key_null(w, "parameters");
    jwrite_key_bool(w, "strict", t->strict == 1); /* absent would mean: try */
    jwrite_object_end(w);
    return e;
}

/* {syntax, definition}, alone or as Chat has it: inside a member "grammar". */
static void write_grammar(struct jwrite *w, struct slice grammar)
{
    struct jvalue format = {JSCAN_OBJECT, grammar}, inner, v;

    if (!jscan_find(format, "grammar", &inner))
        format = inner;
    jwrite_key_object(w, "format");
    jwrite_key_z(w, "type", "grammar");
    if (!jscan_find(format, "syntax", &v))
        jwrite_key_raw(w, "syntax", v.raw);
    if (!jscan_find(format, "definition", &v))
        jwrite_key_raw(w, "definition", v.raw);
    jwrite_object_end(w);
}

/* A custom tool as a function with one text; the grammar is told in words. */
static enum err write_emulated(struct tools *x, const struct tool *t)
{
    struct jwrite *w = x->w;
    enum err e;

    jwrite_object(w);
    jwrite_key_z(w, "type", "function");
    e = write_name(x, t->name);
    tool_names_mark_custom(&x->p->names, t->name);
    jwrite_key(w, "description");
    jwrite_string_begin(w);
    jwrite_text(w, t->description);
    if (t->grammar.p) {
        jwrite_text(w, SLICE("\n\nThe input must follow this grammar: "));
        jwrite_text(w, t->grammar);
    }
    jwrite_string_end(w);
    jwrite_key_raw(w, "parameters",
                   SLICE("{\"type\":\"object\",\"properties\":{\"input\":{\"type\":\"string\"}},"
                         "\"required\":[\"input\"],\"additionalProperties\":false}"));
    jwrite_key_bool(w, "strict", false);
    jwrite_object_end(w);
    return e;
}

static enum err write_custom(struct tools *x, const struct tool *t)
{
    struct jwrite *w = x->w;
    enum err e;

    if (!responses_sends_custom(x->p))
        return write_emulated(x, t);
    jwrite_object(w);
    jwrite_key_z(w, "type", "custom");
    e = write_name(x, t->name);
    if (t->description.p)
        jwrite_key_string(w, "description", t->description);
    if (t->grammar.p)
        write_grammar(w, t->grammar);
    jwrite_object_end(w);
    return e;
}

/* What another vendor's search was told and this one can be told too. */
static void write_web_search(struct tools *x, const struct tool *t)
{
    struct jvalue raw = {JSCAN_OBJECT, t->raw}, v;
    struct jwrite *w = x->w;

    jwrite_object(w);
    jwrite_key_z(w, "type", "web_search");
    if (t->raw.p && !jscan_find(raw, "allowed_domains", &v) && v.kind == JSCAN_ARRAY) {
        jwrite_key_object(w, "filters");
        jwrite_key_raw(w, "allowed_domains", v.raw);
        jwrite_object_end(w);
    }
    if (t->raw.p && !jscan_find(raw, "user_location", &v) && v.kind == JSCAN_OBJECT)
        jwrite_key_raw(w, "user_location", v.raw);
    jwrite_object_end(w);
}

/* Chat Completions keep a place in an object of its own: {"type":"approximate","approximate":{...}}. */
static enum err write_location(struct tools *x, struct jvalue location)
{
    struct jvalue v;
    const char *flat;

    if (jscan_find(location, "approximate", &v) || v.kind != JSCAN_OBJECT ||
        slice_trim((struct slice){v.raw.p + 1, v.raw.n - 2}).n == 0)
        return ERR_OK;
    flat =
        arena_printf(x->p->arena, "{\"type\":\"approximate\",%.*s", (int)v.raw.n - 1, v.raw.p + 1);
    if (!flat)
        return ERR_MEMORY;
    jwrite_key_raw(x->w, "user_location", slice_of(flat));
    return ERR_OK;
}

/* The web_search_options of Chat Completions, which are no tool there. */
static enum err write_search_options(struct tools *x, const struct tool *t)
{
    struct jvalue raw = {JSCAN_OBJECT, t->raw}, v;
    enum err e = ERR_OK;

    jwrite_object(x->w);
    jwrite_key_z(x->w, "type", "web_search");
    if (!jscan_find(raw, "search_context_size", &v) && v.kind == JSCAN_STRING)
        jwrite_key_raw(x->w, "search_context_size", v.raw);
    if (!jscan_find(raw, "user_location", &v) && v.kind == JSCAN_OBJECT)
        e = write_location(x, v);
    jwrite_object_end(x->w);
    return e;
}

static enum err write_hosted(struct tools *x, const struct tool *t)
{
    enum err e;
    char *name;

    if (t->vendor == VENDOR_OPENAI && slice_eq_z(t->hosted, "web_search_options")) {
        e = write_search_options(x, t);
        if (e)
            return e;
    } else if (t->vendor == VENDOR_OPENAI && t->raw.p) {
        jwrite_raw(x->w, t->raw);
    } else if (t->is_web_search) {
        write_web_search(x, t);
    } else if (t->is_optional) {
        name = arena_copy(x->p->arena, t->hosted);
        if (!name)
            return ERR_MEMORY;
        drop(&x->p->drops, name);
        return ERR_OK;
    } else {
        return plan_fault(x->p, t->at, "the tool %.*s is not available with this model",
                          SLICE_FMT(t->hosted));
    }
    x->n++;
    return ERR_OK;
}

static enum err write_tool(struct tools *x, const struct tool *t)
{
    if (t->cache != CACHE_NONE)
        canon_drop(x->c, &x->p->drops, FIELD_CACHE);
    if (t->kind == TOOL_HOSTED)
        return write_hosted(x, t);
    x->n++;
    return t->kind == TOOL_CUSTOM ? write_custom(x, t) : write_function(x, t);
}

/* ---- tool_choice ---- */

static bool is_custom(const struct tools *x, struct slice own)
{
    const struct tool *t = tool_index_find(x->c, TOOLS_ALL, own);

    return t && t->kind == TOOL_CUSTOM && responses_sends_custom(x->p);
}

/* {type, name}. A search of another vendor is named by its type. */
static enum err write_chosen(struct tools *x, struct slice own)
{
    enum err e = ERR_OK;

    jwrite_object(x->w);
    if (tool_index_find(x->c, TOOLS_SEARCH, own)) {
        jwrite_key_z(x->w, "type", "web_search");
    } else {
        jwrite_key_z(x->w, "type", is_custom(x, own) ? "custom" : "function");
        e = write_name(x, own);
    }
    jwrite_object_end(x->w);
    return e;
}

static enum err write_subset(struct tools *x)
{
    struct jwrite *w = x->w;
    bool is_any = x->c->choice_is_any && x->p->capability->has_forced_tools;
    enum err e = ERR_OK;
    size_t i;

    jwrite_object(w);
    jwrite_key_z(w, "type", "allowed_tools");
    jwrite_key_z(w, "mode", is_any ? "required" : "auto");
    jwrite_key_array(w, "tools");
    for (i = 0; i < x->c->choice_names_n && !e; i++)
        e = write_chosen(x, x->c->choice_names[i]);
    jwrite_array_end(w);
    jwrite_object_end(w);
    return e;
}

static enum err write_choice(struct tools *x)
{
    enum tool_choice choice = x->c->choice;
    bool is_forced = choice == CHOICE_ANY || choice == CHOICE_ONE;

    if (choice == CHOICE_UNSET)
        return ERR_OK;
    if (is_forced && !x->p->capability->has_forced_tools) {
        canon_drop(x->c, &x->p->drops, FIELD_TOOL_CHOICE);
        choice = CHOICE_AUTO;
    }
    jwrite_key(x->w, "tool_choice");
    switch (choice) {
    case CHOICE_NONE:
        jwrite_string(x->w, SLICE("none"));
        return ERR_OK;
    case CHOICE_ANY:
        jwrite_string(x->w, SLICE("required"));
        return ERR_OK;
    case CHOICE_ONE:
        return write_chosen(x, x->c->choice_name);
    case CHOICE_SUBSET:
        return write_subset(x);
    case CHOICE_UNSET:
    case CHOICE_AUTO:
    default:
        jwrite_string(x->w, SLICE("auto"));
        return ERR_OK;
    }
}

static enum err write_list(struct tools *x)
{
    bool makes_images = x->c->modalities & MODALITY_IMAGE; /* check_output let it pass */
    enum err e = ERR_OK;
    size_t i;

    if (x->c->tools_n == 0 && !makes_images)
        return ERR_OK;
    jwrite_key_array(x->w, "tools");
    for (i = 0; i < x->c->tools_n && !e; i++)
        e = write_tool(x, &x->c->tools[i]);
    if (e)
        return e;
    if (makes_images)
        jwrite_raw(x->w, SLICE("{\"type\":\"image_generation\"}"));
    jwrite_array_end(x->w);
    return ERR_OK;
}

enum err responses_encode_tools(struct canon *c, struct plan *p, struct jwrite *w)
{
    struct tools x = {.c = c, .p = p, .w = w};
    enum err e;

    if (c->tools_n > 0 && !p->capability->has_tools)
        return plan_fault(p, canon_field(c, FIELD_TOOLS), "this model takes no tools");
    e = write_list(&x);
    if (e || x.n == 0)
        return e;
    e = write_choice(&x);
    if (!e && c->parallel >= 0)
        jwrite_key_bool(w, "parallel_tool_calls", c->parallel);
    return e;
}
