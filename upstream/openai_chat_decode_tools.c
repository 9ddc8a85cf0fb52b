#include "upstream/openai_chat_decode.h"

#include "upstream/pick.h"
#include "upstream/tool_index.h"

#define LEGACY_PATH "functions["

/* ---- declarations ---- */

/* {name, description, parameters, strict}. at: of the tool; path: where these members stand. */
static enum err add_function(struct chat_decode *d, struct jvalue function, const char *at,
                             const char *path)
{
    static const char *const names[] = {"name", "description", "parameters", "strict"};
    struct jvalue v[4];
    struct tool *t;
    enum err e;

    if (!pick_members(function, names, 4, v))
        return chat_refuse(d, path, NULL, "expected object");
    t = canon_add_tool(d->canon, TOOL_FUNCTION, at);
    if (!t)
        return ERR_MEMORY;
    e = chat_read_name(d, v[0], path, "name", &t->name);
    if (!e)
        e = chat_read_text(d, v[1], path, "description", &t->description);
    if (!e && v[2].raw.p && v[2].kind != JSCAN_OBJECT)
        e = chat_refuse(d, path, "parameters", "expected object");
    if (!e)
        e = chat_read_flag(d, v[3], path, "strict", &t->strict);
    t->schema = v[2].raw;
    return e;
}

static enum err add_custom(struct chat_decode *d, struct jvalue custom, const char *at)
{
    static const char *const names[] = {"name", "description", "format"};
    struct jvalue v[3];
    struct tool *t = canon_add_tool(d->canon, TOOL_CUSTOM, at);
    enum err e;

    if (!t)
        return ERR_MEMORY;
    (void)pick_members(custom, names, 3, v);
    e = chat_read_name(d, v[0], at, "custom.name", &t->name);
    if (!e)
        e = chat_read_text(d, v[1], at, "custom.description", &t->description);
    if (slice_eq_z(pick_string(pick(v[2], "type")), "grammar"))
        t->grammar = v[2].raw;
    return e;
}

static enum err add_hosted(struct chat_decode *d, struct jvalue tool, struct slice type,
                           const char *at)
{
    struct tool *t = canon_add_tool(d->canon, TOOL_HOSTED, at);

    if (!t)
        return ERR_MEMORY;
    t->vendor = VENDOR_OPENAI;
    t->hosted = type;
    t->raw = tool.raw;
    t->is_web_search = slice_starts(type, "web_search");
    return ERR_OK;
}

static enum err add_tool(struct chat_decode *d, struct jvalue tool, const char *at)
{
    static const char *const names[] = {"type", "function", "custom"};
    struct jvalue v[3];
    struct slice type = {NULL, 0};
    const char *path;
    enum err e = ERR_OK;

    if (!pick_members(tool, names, 3, v))
        return chat_refuse(d, at, NULL, "expected object");
    if (!v[0].raw.p && v[1].raw.p)
        type = SLICE("function");
    else
        e = chat_read_name(d, v[0], at, "type", &type);
    if (type.n == 0)
        return e;
    if (slice_eq_z(type, "custom"))
        e = add_custom(d, v[2], at);
    else if (!slice_eq_z(type, "function"))
        e = add_hosted(d, tool, type, at);
    else
        e = (path = arena_printf(d->canon->arena, "%s.function", at)) == NULL
                ? ERR_MEMORY
                : add_function(d, v[1], at, path);
    if (!e)
        d->canon->tools[d->canon->tools_n - 1].cache = chat_cache_mark(tool);
    return e;
}

/* Each element by its path; functions stand for themselves there. */
static enum err add_list(struct chat_decode *d, struct jvalue list, const char *name,
                         bool is_functions)
{
    struct jvalue v;
    struct jscan s;
    size_t i;
    enum err e = ERR_OK;

    if (!list.raw.p)
        return ERR_OK;
    if (jscan_array(&s, list))
        return chat_refuse(d, name, NULL, "expected array");
    for (i = 0; !e && !jscan_next_element(&s, &v); i++) {
        const char *at = arena_printf(d->canon->arena, "%s[%zu]", name, i);

        if (!at)
            return ERR_MEMORY;
        e = is_functions ? add_function(d, v, at, at) : add_tool(d, v, at);
    }
    return e;
}

bool chat_is_legacy(const struct canon *c)
{
    return c->tools_n > 0 && slice_starts(slice_of(c->tools[0].at), LEGACY_PATH);
}

enum err chat_decode_tools(struct chat_decode *d, struct jvalue tools, struct jvalue functions)
{
    enum err e = add_list(d, tools, "tools", false);

    if (!e && d->canon->tools_n == 0) {
        e = add_list(d, functions, "functions", true);
        if (chat_is_legacy(d->canon))
            d->canon->parallel = 0; /* its answer has room for one call */
    }
    return e;
}

enum err chat_decode_web_search(struct chat_decode *d, struct jvalue options)
{
    if (!options.raw.p)
        return ERR_OK;
    if (options.kind != JSCAN_OBJECT)
        return chat_refuse(d, "web_search_options", NULL, "expected object");
    return add_hosted(d, options, SLICE("web_search_options"), "web_search_options");
}

/* ---- the choice ---- */

static bool is_declared(const struct canon *c, struct slice name)
{
    return tool_index_find(c, TOOLS_ALL, name) || tool_index_find(c, TOOLS_HOSTED, name);
}

/* The name of {type: "function", function: {name}}, of {type: "custom", custom: {name}}, of the same
 * without the inner object, or the type of a hosted tool. */
static enum err read_named(struct chat_decode *d, struct jvalue v, const char *at,
                           struct slice *out)
{
    static const char *const names[] = {"type", "function", "custom", "name"};
    struct jvalue m[4], inner;
    enum err e;

    if (!pick_members(v, names, 4, m))
        return chat_refuse(d, at, NULL, "expected object");
    inner = pick(m[1].raw.p ? m[1] : m[2], "name");
    if (!inner.raw.p)
        inner = m[3].raw.p ? m[3] : m[0];
    e = chat_read_name(d, inner, at, "function.name", out);
    if (!e && !is_declared(d->canon, *out))
        e = chat_refuse(d, at, NULL, "no tool of that name is declared");
    return e;
}

static enum err read_subset(struct chat_decode *d, struct jvalue choice)
{
    static const char *const names[] = {"mode", "tools"};
    static const char at[] = "tool_choice.allowed_tools.tools";
    struct jvalue holder = pick(choice, "allowed_tools"), m[2], v;
    struct canon *c = d->canon;
    size_t max = 0;
    struct jscan s;
    enum err e = ERR_OK;

    (void)pick_members(holder.raw.p ? holder : choice, names, 2, m);
    if (!m[1].raw.p || jscan_array(&s, m[1]))
        return chat_refuse(d, at, NULL, "expected array");
    c->choice = CHOICE_SUBSET;
    c->choice_is_any = slice_eq_z(pick_string(m[0]), "required");
    while (!e && !jscan_next_element(&s, &v)) {
        struct slice *grown =
            canon_grow(c->arena, c->choice_names, c->choice_names_n, &max, sizeof(*grown));

        if (!grown)
            return ERR_MEMORY;
        c->choice_names = grown;
        e = read_named(d, v, at, &grown[c->choice_names_n++]);
    }
    if (!e && c->choice_names_n == 0)
        e = chat_refuse(d, at, NULL, "expected at least one tool");
    return e;
}

static enum err read_word(struct chat_decode *d, struct slice word, const char *at)
{
    struct canon *c = d->canon;

    if (slice_eq_z(word, "none"))
        c->choice = CHOICE_NONE;
    else if (slice_eq_z(word, "auto"))
        c->choice = CHOICE_AUTO;
    else if (slice_eq_z(word, "required") || slice_eq_z(word, "any"))
        c->choice = CHOICE_ANY;
    else
        return chat_refuse(d, at, NULL, "expected none, auto, required or an object");
    if (c->tools_n > 0)
        return ERR_OK;
    if (c->choice == CHOICE_ANY)
        return chat_refuse(d, at, NULL, "a tool is required, but none is declared");
    c->choice = CHOICE_UNSET;
    return ERR_OK;
}

enum err chat_decode_choice(struct chat_decode *d, struct jvalue tool_choice,
                            struct jvalue function_call)
{
    bool is_old = !tool_choice.raw.p && function_call.raw.p;
    struct jvalue v = is_old ? function_call : tool_choice;
    const char *at = is_old ? "function_call" : "tool_choice";

    if (!v.raw.p)
        return ERR_OK;
    if (v.kind == JSCAN_STRING)
        return read_word(d, pick_string(v), at);
    if (slice_eq_z(pick_string(pick(v, "type")), "allowed_tools"))
        return read_subset(d, v);
    d->canon->choice = CHOICE_ONE;
    return read_named(d, v, at, &d->canon->choice_name);
}
