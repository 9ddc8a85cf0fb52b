#include "upstream/anthropic_decode.h"

/* What a tool of a client's own may say that is of no use to others, so that it is noted. Where a
 * tool is loaded from (defer_loading) and how its arguments stream makes no difference: others get
 * all tools at once. */
static void drop_extras(struct anthropic_decode *d, struct jvalue tool)
{
    struct jvalue v;

    if (!jscan_find(tool, "input_examples", &v) && v.kind == JSCAN_ARRAY && v.raw.n > 2)
        drop(&d->c->drops, "tools.input_examples");
}

/* Tools that the provider runs. Without those of this list a request still makes sense. */
static bool is_optional(struct slice type)
{
    static const char *const prefixes[] = {"web_search_", "web_fetch_", "code_execution_",
                                           "tool_search_"};
    size_t i;

    for (i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++)
        if (slice_starts(type, prefixes[i]))
            return true;
    return false;
}

static enum err decode_hosted(struct anthropic_decode *d, struct tool *t, struct jvalue raw,
                              struct slice type)
{
    struct jvalue v;

    t->kind = TOOL_HOSTED;
    t->vendor = VENDOR_ANTHROPIC;
    t->hosted = type;
    t->raw = raw.raw;
    t->is_web_search = slice_starts(type, "web_search_");
    t->is_optional = is_optional(type);
    t->name = type;
    if (!jscan_find(raw, "name", &v) && v.kind == JSCAN_STRING)
        return anthropic_decode_text(d, v, t->at, &t->name);
    return ERR_OK;
}

static enum err decode_function(struct anthropic_decode *d, struct tool *t, struct jvalue raw)
{
    struct jvalue v;
    struct jmember m;
    struct jscan s;
    enum err e = ERR_OK;

    if (jscan_find(raw, "name", &v))
        return anthropic_decode_fail(d, decode_path(d, "%s.name", t->at), "required");
    t->raw = raw.raw;
    e = anthropic_decode_text(d, v, decode_path(d, "%s.name", t->at), &t->name);
    if (!e)
        e = jscan_object(&s, raw);
    while (!e && !jscan_next_member(&s, &m)) {
        if (jscan_key_is(&m, "description") && m.value.kind == JSCAN_STRING)
            e = anthropic_decode_text(d, m.value, t->at, &t->description);
        else if (jscan_key_is(&m, "input_schema") && m.value.kind == JSCAN_OBJECT)
            t->schema = m.value.raw;
        else if (jscan_key_is(&m, "strict") && m.value.kind != JSCAN_NULL)
            t->strict = m.value.kind == JSCAN_TRUE;
    }
    drop_extras(d, raw);
    return e;
}

static enum err decode_tool(struct anthropic_decode *d, struct jvalue raw, const char *at)
{
    struct slice type = {NULL, 0};
    struct jvalue v;
    struct tool *t;
    enum err e;

    if (raw.kind != JSCAN_OBJECT)
        return anthropic_decode_fail(d, at, "expected object");
    if (!jscan_find(raw, "type", &v) && v.kind != JSCAN_NULL) {
        e = anthropic_decode_text(d, v, decode_path(d, "%s.type", at), &type);
        if (e)
            return e;
    }
    t = canon_add_tool(d->c, TOOL_FUNCTION, at);
    if (!t)
        return ERR_MEMORY;
    if (!jscan_find(raw, "cache_control", &v))
        t->cache = anthropic_decode_mark(v);
    return type.p && !slice_eq_z(type, "custom") ? decode_hosted(d, t, raw, type)
                                                 : decode_function(d, t, raw);
}

enum err anthropic_decode_tools(struct anthropic_decode *d, struct jvalue tools)
{
    struct jvalue raw;
    struct jscan s;
    size_t i;

    if (jscan_array(&s, tools))
        return anthropic_decode_fail(d, "tools", "expected array");
    for (i = 0; !jscan_next_element(&s, &raw); i++) {
        const char *at = decode_path(d, "tools[%zu]", i);
        enum err e = at ? decode_tool(d, raw, at) : ERR_MEMORY;

        if (e)
            return e;
    }
    return ERR_OK;
}

enum err anthropic_decode_choice(struct anthropic_decode *d, struct jvalue choice)
{
    static const struct {
        const char *word;
        enum tool_choice choice;
    } words[] = {
        {"auto", CHOICE_AUTO},
        {"any",  CHOICE_ANY },
        {"tool", CHOICE_ONE },
        {"none", CHOICE_NONE},
    };
    struct jvalue v;
    struct slice type;
    enum err e;
    size_t i;

    if (jscan_find(choice, "type", &v))
        return anthropic_decode_fail(d, "tool_choice.type", "required");
    e = anthropic_decode_text(d, v, "tool_choice.type", &type);
    if (e)
        return e;
    for (i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (slice_eq_z(type, words[i].word))
            d->c->choice = words[i].choice;
    if (d->c->choice == CHOICE_UNSET)
        return anthropic_decode_fail(d, "tool_choice.type", "expected auto, any, tool or none");
    if (!jscan_find(choice, "disable_parallel_tool_use", &v) && v.kind == JSCAN_TRUE)
        d->c->parallel = 0;
    if (d->c->choice != CHOICE_ONE)
        return ERR_OK;
    if (jscan_find(choice, "name", &v))
        return anthropic_decode_fail(d, "tool_choice.name", "required");
    return anthropic_decode_text(d, v, "tool_choice.name", &d->c->choice_name);
}
