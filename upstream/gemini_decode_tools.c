#include "upstream/gemini.h"

#define CHOICE_PATH "toolConfig.functionCallingConfig"

/* ---- declarations ---- */

static enum err decode_function(struct canon *c, struct jvalue v, const char *at,
                                struct fault *fault)
{
    struct tool *t = canon_add_tool(c, TOOL_FUNCTION, at);
    struct jmember m;
    struct jscan s;
    enum err e = ERR_OK;

    if (!t)
        return ERR_MEMORY;
    if (jscan_object(&s, v))
        return canon_fault(c->arena, fault, at, "expected object");
    t->raw = v.raw;
    while (!e && !jscan_next_member(&s, &m)) {
        if (m.value.kind == JSCAN_NULL)
            continue;
        if (jscan_key_is(&m, "name"))
            e = gemini_decode_string(c, m.value, at, &t->name, fault);
        else if (jscan_key_is(&m, "description"))
            e = gemini_decode_string(c, m.value, at, &t->description, fault);
        else if (gemini_key_is(&m, "parametersJsonSchema") && m.value.kind == JSCAN_OBJECT)
            t->schema = m.value.raw;
        else if (jscan_key_is(&m, "parameters") && m.value.kind == JSCAN_OBJECT && !t->schema.p)
            e = gemini_schema_to_json(m.value.raw, c->arena, &t->schema);
        else if (jscan_key_is(&m, "behavior"))
            drop(&c->drops, "tools.functionDeclarations.behavior");
    }
    if (!e && t->name.n == 0)
        e = canon_fault(c->arena, fault, at, "a function needs a name");
    return e;
}

static enum err decode_functions(struct canon *c, struct jvalue list, size_t index,
                                 struct fault *fault)
{
    struct gemini_list l;
    struct jvalue v;
    const char *at;
    enum err e = ERR_OK;
    size_t i;

    gemini_list_begin(&l, list);
    for (i = 0; !e && gemini_list_next(&l, &v); i++) {
        at = arena_printf(c->arena, "tools[%zu].functionDeclarations[%zu]", index, i);
        e = at ? decode_function(c, v, at, fault) : ERR_MEMORY;
    }
    return e;
}

/* googleSearch, codeExecution...: what Google itself runs. */
static enum err decode_hosted(struct canon *c, const struct jmember *m, size_t index)
{
    const char *at = arena_printf(c->arena, "tools[%zu].%.*s", index, SLICE_FMT(m->key));
    struct tool *t = at ? canon_add_tool(c, TOOL_HOSTED, at) : NULL;

    if (!t)
        return ERR_MEMORY;
    t->vendor = VENDOR_GEMINI;
    t->hosted = m->key;
    t->name = m->key;
    t->raw = m->whole;
    t->is_web_search = gemini_key_is(m, "googleSearch") ||
                       gemini_key_is(m, "googleSearchRetrieval");
    return ERR_OK;
}

enum err gemini_decode_tools(struct canon *c, struct jvalue tools, struct fault *fault)
{
    struct gemini_list l;
    struct jvalue tool;
    struct jmember m;
    struct jscan s;
    enum err e = ERR_OK;
    size_t i;

    gemini_list_begin(&l, tools);
    for (i = 0; !e && gemini_list_next(&l, &tool); i++) {
        if (jscan_object(&s, tool))
            return canon_fault(c->arena, fault, "tools", "expected objects");
        while (!e && !jscan_next_member(&s, &m)) {
            if (m.value.kind == JSCAN_NULL)
                continue;
            e = gemini_key_is(&m, "functionDeclarations") ? decode_functions(c, m.value, i, fault)
                                                          : decode_hosted(c, &m, i);
        }
    }
    return e;
}

/* ---- the choice ---- */

static enum err decode_names(struct canon *c, struct jvalue names, struct fault *fault)
{
    struct gemini_list l;
    struct jvalue v;
    struct slice *grown;
    size_t max = 0;
    enum err e;

    gemini_list_begin(&l, names);
    while (gemini_list_next(&l, &v)) {
        grown = canon_grow(c->arena, c->choice_names, c->choice_names_n, &max, sizeof(*grown));
        if (!grown)
            return ERR_MEMORY;
        c->choice_names = grown;
        e = gemini_decode_string(c, v, CHOICE_PATH ".allowedFunctionNames",
                                 &grown[c->choice_names_n], fault);
        if (e)
            return e;
        c->choice_names_n++;
    }
    return ERR_OK;
}

static enum err decode_mode(struct canon *c, struct slice mode, struct fault *fault)
{
    bool has_names = c->choice_names_n > 0;

    if (slice_eq_ci(mode, "ANY")) {
        c->choice = has_names ? CHOICE_SUBSET : CHOICE_ANY;
        c->choice_is_any = true;
        if (c->choice_names_n == 1) {
            c->choice = CHOICE_ONE;
            c->choice_name = c->choice_names[0];
        }
    } else if (slice_eq_ci(mode, "NONE")) {
        c->choice = CHOICE_NONE;
    } else if (slice_eq_ci(mode, "AUTO") || slice_eq_ci(mode, "VALIDATED")) {
        c->choice = has_names ? CHOICE_SUBSET : CHOICE_AUTO;
    } else if (mode.n && !slice_eq_ci(mode, "MODE_UNSPECIFIED")) {
        return canon_fault(c->arena, fault, CHOICE_PATH ".mode",
                           "expected AUTO, ANY, NONE or VALIDATED");
    }
    return ERR_OK;
}

static enum err decode_calling(struct canon *c, struct jvalue v, struct fault *fault)
{
    struct jvalue mode = {0}, names;
    enum err e = ERR_OK;

    if (v.kind != JSCAN_OBJECT)
        return canon_fault(c->arena, fault, CHOICE_PATH, "expected object");
    if (!gemini_find(v, "allowedFunctionNames", &names))
        e = decode_names(c, names, fault);
    if (!e && !gemini_find(v, "mode", &mode))
        e = decode_mode(c, gemini_word(mode), fault);
    return e;
}

enum err gemini_decode_tool_config(struct canon *c, struct jvalue config, struct fault *fault)
{
    struct jmember m;
    struct jscan s;
    const char *name;
    enum err e = ERR_OK;

    if (jscan_object(&s, config))
        return canon_fault(c->arena, fault, "toolConfig", "expected object");
    while (!e && !jscan_next_member(&s, &m)) {
        if (m.value.kind == JSCAN_NULL)
            continue;
        if (gemini_key_is(&m, "functionCallingConfig")) {
            e = decode_calling(c, m.value, fault);
            continue;
        }
        name = arena_printf(c->arena, "toolConfig.%.*s", SLICE_FMT(m.key));
        if (!name)
            return ERR_MEMORY;
        drop(&c->drops, name);
    }
    return e;
}
