#include "upstream/responses.h"

#include "upstream/tool_index.h"

#include <assert.h>
#include <string.h>

/* Hosted tools that a client declares in case there is something to use them with; all others are
 * what it counts on. */
static const char *const optional_tools[] = {"web_search", "image_generation", "tool_search"};

static const char web_search[] = "web_search"; /* and its dated names */

static enum err fail(struct responses_decode *d, const char *path, const char *text)
{
    return canon_fault(d->c->arena, d->fault, path, "%s", text);
}

struct slice responses_join_name(struct arena *a, struct slice space, struct slice name)
{
    char *joined;

    if (!space.p || space.n == 0)
        return name;
    joined =
        arena_printf(a, "%.*s" RESPONSES_NAMESPACE_MARK "%.*s", SLICE_FMT(space), SLICE_FMT(name));
    return joined ? slice_of(joined) : (struct slice){NULL, 0};
}

/* A tool of the same name stands once: the last declaration counts, as in a conversation that
 * declares its tools again. Two ways to read one joined name cannot both be called back. */
static enum err place_tool(struct responses_decode *d, enum tool_kind kind, const char *at,
                           struct slice space, struct slice name, struct tool **out)
{
    const size_t head = space.n ? space.n + strlen(RESPONSES_NAMESPACE_MARK) : 0;
    struct tool *t = tool_index_find(d->c, TOOLS_CALLABLE, name);

    if (t && t->space.n != space.n)
        return fail(d, at, "another tool has the same name with its namespace before it");
    if (!t)
        t = canon_add_tool(d->c, kind, at);
    if (!t)
        return ERR_MEMORY;
    *t = (struct tool){.kind = kind, .at = at, .strict = -1, .name = name, .space = space};
    if (space.n)
        t->bare = (struct slice){name.p + head, name.n - head};
    *out = t;
    return ERR_OK;
}

static enum err take_function(struct responses_decode *d, struct tool *t, struct jvalue tool)
{
    struct jvalue v;

    if (!jscan_find(tool, "parameters", &v) && v.kind != JSCAN_NULL) {
        if (v.kind != JSCAN_OBJECT)
            return fail(d, t->at, "expected an object as parameters");
        t->schema = v.raw;
    }
    if (!jscan_find(tool, "strict", &v) && v.kind != JSCAN_NULL)
        t->strict = v.kind == JSCAN_TRUE;
    return ERR_OK;
}

static void take_grammar(struct tool *t, struct jvalue tool)
{
    struct jvalue format, type;

    if (!jscan_find(tool, "format", &format) && format.kind == JSCAN_OBJECT &&
        !jscan_find(format, "type", &type) && !slice_eq_z(type.raw, "\"text\""))
        t->grammar = format.raw;
}

/* A function or a custom tool, alone or in a namespace. */
static enum err decode_callable(struct responses_decode *d, struct jvalue tool, enum tool_kind kind,
                                const char *at, struct slice space)
{
    struct slice name, description;
    struct tool *t = NULL;
    enum err e;

    e = responses_member_text(d, tool, "name", at, false, &name);
    if (!e && name.n == 0)
        return fail(d, at, "expected a name");
    if (!e)
        e = responses_member_text(d, tool, "description", at, true, &description);
    if (e)
        return e;
    name = responses_join_name(d->c->arena, space, name);
    if (name.n == 0)
        return ERR_MEMORY;
    e = place_tool(d, kind, at, space, name, &t);
    if (e)
        return e;
    assert(t);
    t->description = description;
    t->raw = tool.raw;
    if (kind == TOOL_FUNCTION)
        return take_function(d, t, tool);
    take_grammar(t, tool);
    return ERR_OK;
}

static enum err decode_hosted(struct responses_decode *d, struct jvalue tool, struct slice type,
                              const char *at)
{
    struct tool *t = canon_add_tool(d->c, TOOL_HOSTED, at);
    size_t i;

    if (!t)
        return ERR_MEMORY;
    t->vendor = VENDOR_OPENAI;
    t->hosted = type;
    t->name = type;
    t->raw = tool.raw;
    t->is_web_search = slice_starts(type, web_search);
    for (i = 0; i < sizeof(optional_tools) / sizeof(optional_tools[0]); i++)
        t->is_optional |= slice_starts(type, optional_tools[i]);
    return ERR_OK;
}

static enum err decode_namespace(struct responses_decode *d, struct jvalue tool, const char *at)
{
    struct arena *a = d->c->arena;
    struct jvalue tools, inner;
    struct slice space, type;
    struct jscan s;
    size_t i;
    enum err e;

    e = responses_member_text(d, tool, "name", at, false, &space);
    if (!e && (jscan_find(tool, "tools", &tools) || jscan_array(&s, tools)))
        return fail(d, at, "expected an array as tools");
    for (i = 0; !e && !jscan_next_element(&s, &inner); i++) {
        const char *path = arena_printf(a, "%s.tools[%zu]", at, i);

        if (!path)
            return ERR_MEMORY;
        if (inner.kind != JSCAN_OBJECT)
            return fail(d, path, "expected object");
        e = responses_member_text(d, inner, "type", path, false, &type);
        if (e)
            break;
        if (slice_eq_z(type, "function"))
            e = decode_callable(d, inner, TOOL_FUNCTION, path, space);
        else if (slice_eq_z(type, "custom"))
            e = decode_callable(d, inner, TOOL_CUSTOM, path, space);
        else
            e = fail(d, path, "expected a function or a custom tool");
    }
    return e;
}

static enum err decode_tool(struct responses_decode *d, struct jvalue tool, const char *at)
{
    struct slice type, none = {NULL, 0};
    enum err e;

    if (tool.kind != JSCAN_OBJECT)
        return fail(d, at, "expected object");
    e = responses_member_text(d, tool, "type", at, false, &type);
    if (e)
        return e;
    if (slice_eq_z(type, "function"))
        return decode_callable(d, tool, TOOL_FUNCTION, at, none);
    if (slice_eq_z(type, "custom"))
        return decode_callable(d, tool, TOOL_CUSTOM, at, none);
    if (slice_eq_z(type, "namespace"))
        return decode_namespace(d, tool, at);
    return decode_hosted(d, tool, type, at);
}

enum err responses_decode_tools(struct responses_decode *d, struct jvalue tools, const char *path)
{
    struct jvalue tool;
    struct jscan s;
    size_t i;
    enum err e = ERR_OK;

    if (jscan_array(&s, tools))
        return fail(d, path, "expected array");
    for (i = 0; !e && !jscan_next_element(&s, &tool); i++) {
        const char *at = arena_printf(d->c->arena, "%s[%zu]", path, i);

        e = at ? decode_tool(d, tool, at) : ERR_MEMORY;
    }
    return e;
}

/* ---- tool_choice ---- */

/* The canon's name of the tool that a choice names: with its namespace, or without when there is
 * one tool of that name in any. */
static enum err choice_name(struct responses_decode *d, struct jvalue object, const char *path,
                            struct slice *out)
{
    const struct tool *t;
    struct slice name, space;
    enum err e;

    e = responses_member_text(d, object, "name", path, false, &name);
    if (!e)
        e = responses_member_text(d, object, "namespace", path, true, &space);
    if (e)
        return e;
    *out = responses_join_name(d->c->arena, space, name);
    if (name.n && out->n == 0)
        return ERR_MEMORY;
    if (tool_index_find(d->c, TOOLS_ALL, *out))
        return ERR_OK;
    t = tool_index_find(d->c, TOOLS_BARE, name);
    if (!t)
        return fail(d, path, "no such tool in tools");
    *out = t->name;
    return ERR_OK;
}

static bool is_callable(struct slice type)
{
    return slice_eq_z(type, "function") || slice_eq_z(type, "custom");
}

/* Hosted tools among the allowed ones are left out: they are optional, or refused with the tools. */
static enum err decode_allowed(struct responses_decode *d, struct jvalue choice)
{
    struct canon *c = d->c;
    struct slice mode, type;
    struct jvalue tools, tool;
    size_t max = 0;
    struct jscan s;
    enum err e;

    e = responses_member_text(d, choice, "mode", "tool_choice", false, &mode);
    if (!e && (jscan_find(choice, "tools", &tools) || jscan_array(&s, tools)))
        return fail(d, "tool_choice.tools", "expected array");
    while (!e && !jscan_next_element(&s, &tool)) {
        struct slice *grown;

        if (tool.kind != JSCAN_OBJECT)
            return fail(d, "tool_choice.tools", "expected objects");
        e = responses_member_text(d, tool, "type", "tool_choice.tools", false, &type);
        if (e || !is_callable(type))
            continue;
        grown = canon_grow(c->arena, c->choice_names, c->choice_names_n, &max, sizeof(*grown));
        if (!grown)
            return ERR_MEMORY;
        c->choice_names = grown;
        e = choice_name(d, tool, "tool_choice.tools", &grown[c->choice_names_n]);
        c->choice_names_n += !e;
    }
    c->choice = c->choice_names_n ? CHOICE_SUBSET : CHOICE_NONE;
    c->choice_is_any = !e && slice_eq_z(mode, "required");
    return e;
}

static enum err decode_choice_word(struct responses_decode *d, struct jvalue choice)
{
    struct canon *c = d->c;

    if (slice_eq_z(choice.raw, "\"auto\""))
        c->choice = CHOICE_AUTO;
    else if (slice_eq_z(choice.raw, "\"none\""))
        c->choice = CHOICE_NONE;
    else if (slice_eq_z(choice.raw, "\"required\""))
        c->choice = CHOICE_ANY;
    else
        return fail(d, "tool_choice", "expected none, auto, required, or an object");
    return ERR_OK;
}

enum err responses_decode_choice(struct responses_decode *d, struct jvalue choice)
{
    struct slice type;
    enum err e;

    if (choice.kind != JSCAN_OBJECT)
        return decode_choice_word(d, choice);
    e = responses_member_text(d, choice, "type", "tool_choice", false, &type);
    if (e)
        return e;
    if (slice_eq_z(type, "allowed_tools"))
        return decode_allowed(d, choice);
    if (!is_callable(type))
        return fail(d, "tool_choice.type", "a hosted tool cannot be forced with this model");
    d->c->choice = CHOICE_ONE;
    return choice_name(d, choice, "tool_choice", &d->c->choice_name);
}
