#include "upstream/anthropic_encode.h"

#include "upstream/tool_index.h"

#define NO_PARAMETERS "{\"type\":\"object\",\"properties\":{}}"
#define WEB_SEARCH    "{\"type\":\"web_search_20250305\",\"name\":\"web_search\"}"
#define CUSTOM_PARAMETERS                                                                          \
    "{\"type\":\"object\",\"properties\":{\"input\":{\"type\":\"string\"}},"                       \
    "\"required\":[\"input\"]}"
#define ANSWER_DESCRIPTION "Gives the final answer. Call this when you are ready to answer."

/* A tool that a provider runs: its own, a twin of the search, or none. */
static enum err choose_hosted(struct anthropic_encode *r, const struct tool *t, bool *is_sent)
{
    *is_sent = true;
    if (t->vendor == VENDOR_ANTHROPIC)
        return ERR_OK;
    if (t->is_optional) {
        const char *name = arena_copy(r->c->arena, t->hosted);

        if (!name)
            return ERR_MEMORY;
        drop(&r->p->drops, name);
        *is_sent = false;
        return ERR_OK;
    }
    if (t->is_web_search)
        return ERR_OK;
    return plan_fault(r->p, t->at, "the tool %.*s is not supported by this model",
                      SLICE_FMT(t->hosted));
}

enum err anthropic_choose_tools(struct anthropic_encode *r)
{
    struct canon *c = r->c;
    size_t i;

    if (c->tools_n && !r->cap->has_tools)
        return plan_fault(r->p, canon_field(c, FIELD_TOOLS), "not supported by this model");
    r->is_sent = arena_alloc(c->arena, (c->tools_n + 1) * sizeof(*r->is_sent));
    if (!r->is_sent)
        return ERR_MEMORY;
    for (i = 0; i < c->tools_n; i++) {
        const struct tool *t = &c->tools[i];
        enum err e = ERR_OK;

        if (t->kind == TOOL_HOSTED)
            e = choose_hosted(r, t, &r->is_sent[i]);
        else
            r->is_sent[i] = c->choice != CHOICE_SUBSET || tool_index_is_allowed(c, t->name);
        if (e)
            return e;
        r->sent_n += r->is_sent[i];
    }
    return ERR_OK;
}

/* The provider wants a type at the top. */
static void write_schema(struct anthropic_encode *r, struct slice schema)
{
    struct jvalue type, object = {JSCAN_OBJECT, schema};
    struct jmember m;
    struct jscan s;

    if (!schema.p || jscan_object(&s, object) || jscan_next_member(&s, &m)) {
        jwrite_key_raw(&r->w, "input_schema", SLICE(NO_PARAMETERS));
        return;
    }
    if (!jscan_find(object, "type", &type)) {
        jwrite_key_raw(&r->w, "input_schema", schema);
        return;
    }
    jwrite_key_object(&r->w, "input_schema");
    jwrite_key_z(&r->w, "type", "object");
    do
        jwrite_raw(&r->w, m.whole);
    while (!jscan_next_member(&s, &m));
    jwrite_object_end(&r->w);
}

static void write_function(struct anthropic_encode *r, const struct tool *t, struct slice name)
{
    jwrite_object(&r->w);
    jwrite_key_string(&r->w, "name", name);
    if (t->description.n)
        jwrite_key_string(&r->w, "description", t->description);
    write_schema(r, t->schema);
    if (t->strict == 1 && r->cap->has_schema)
        jwrite_key_bool(&r->w, "strict", true);
    else if (t->strict == 1)
        canon_drop(r->c, &r->p->drops, FIELD_STRICT);
    anthropic_write_mark(r, t->cache);
    jwrite_object_end(&r->w);
}

/* {"type":"grammar","grammar":{"syntax","definition"}} or the same without the inner object. */
static enum err read_grammar(struct anthropic_encode *r, struct slice grammar, struct slice *syntax,
                             struct slice *definition)
{
    struct jvalue object = {JSCAN_OBJECT, grammar}, inner, v;
    enum err e = ERR_OK;

    *syntax = *definition = (struct slice){NULL, 0};
    if (!grammar.p)
        return ERR_OK;
    if (!jscan_find(object, "grammar", &inner) && inner.kind == JSCAN_OBJECT)
        object = inner;
    if (!jscan_find(object, "definition", &v))
        e = jscan_string(v, r->c->arena, definition);
    if ((!e || e == ERR_FORMAT) && !jscan_find(object, "syntax", &v))
        e = jscan_string(v, r->c->arena, syntax);
    return e == ERR_FORMAT ? ERR_OK : e;
}

/* A free-form tool as a function of one text; its grammar can only be asked for. */
static enum err write_custom(struct anthropic_encode *r, const struct tool *t, struct slice name)
{
    struct slice syntax, definition;
    enum err e = read_grammar(r, t->grammar, &syntax, &definition);

    if (e)
        return e;
    tool_names_mark_custom(&r->p->names, t->name);
    jwrite_object(&r->w);
    jwrite_key_string(&r->w, "name", name);
    jwrite_key(&r->w, "description");
    jwrite_string_begin(&r->w);
    jwrite_text(&r->w, t->description);
    if (definition.n) {
        jwrite_text(&r->w, t->description.n ? SLICE("\n\n") : SLICE(""));
        jwrite_text(&r->w, SLICE("The input must follow this grammar"));
        if (syntax.n) {
            jwrite_text(&r->w, SLICE(" ("));
            jwrite_text(&r->w, syntax);
            jwrite_text(&r->w, SLICE(")"));
        }
        jwrite_text(&r->w, SLICE(":\n"));
        jwrite_text(&r->w, definition);
    }
    jwrite_string_end(&r->w);
    jwrite_key_raw(&r->w, "input_schema", SLICE(CUSTOM_PARAMETERS));
    anthropic_write_mark(r, t->cache);
    jwrite_object_end(&r->w);
    return ERR_OK;
}

static enum err write_tool(struct anthropic_encode *r, const struct tool *t)
{
    struct slice name;

    if (t->kind == TOOL_HOSTED) {
        jwrite_raw(&r->w, t->vendor == VENDOR_ANTHROPIC ? t->raw : SLICE(WEB_SEARCH));
        return ERR_OK;
    }
    name = tool_names_safe(&r->p->names, t->name);
    if (name.n == 0)
        return ERR_MEMORY;
    if (t->kind == TOOL_CUSTOM)
        return write_custom(r, t, name);
    write_function(r, t, name);
    return ERR_OK;
}

enum err anthropic_write_tools(struct anthropic_encode *r)
{
    enum err e = ERR_OK;
    size_t i;

    if (r->sent_n == 0 && !r->p->answer_tool.p)
        return ERR_OK;
    jwrite_key_array(&r->w, "tools");
    for (i = 0; i < r->c->tools_n && !e; i++)
        if (r->is_sent[i])
            e = write_tool(r, &r->c->tools[i]);
    if (r->p->answer_tool.p) {
        jwrite_object(&r->w);
        jwrite_key_string(&r->w, "name", r->p->answer_tool);
        jwrite_key_z(&r->w, "description", ANSWER_DESCRIPTION);
        write_schema(r, r->c->format.schema);
        jwrite_object_end(&r->w);
    }
    jwrite_array_end(&r->w);
    return e;
}

void anthropic_write_choice(struct anthropic_encode *r)
{
    static const char *const words[] = {[CHOICE_UNSET] = "auto",
                                        [CHOICE_AUTO] = "auto",
                                        [CHOICE_NONE] = "none",
                                        [CHOICE_ANY] = "any",
                                        [CHOICE_ONE] = "tool"};
    bool is_serial = r->is_serial && r->choice != CHOICE_NONE;

    if ((r->sent_n == 0 && !r->p->answer_tool.p) || (r->choice == CHOICE_UNSET && !is_serial))
        return;
    jwrite_key_object(&r->w, "tool_choice");
    jwrite_key_z(&r->w, "type", words[r->choice]);
    if (r->choice == CHOICE_ONE)
        jwrite_key_string(&r->w, "name", r->choice_name);
    if (is_serial)
        jwrite_key_bool(&r->w, "disable_parallel_tool_use", true);
    jwrite_object_end(&r->w);
}
