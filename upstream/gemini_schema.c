#include "upstream/gemini.h"

#include <string.h>

#define REF_DEPTH_MAX    5                   /* references inside what references stand for */
#define SCHEMA_DEPTH_MAX 20                  /* deeper levels are {} */
#define SOURCES_MAX      32                  /* schemas that one place is made of */
#define NODES_MAX        2000                /* of one cleaned schema: references may multiply it */
#define STEPS_MAX        ((size_t)1 << 20)   /* names compared in all */
#define SCHEMA_BYTES_MAX ((size_t)256 << 10) /* a larger one is taken for an object of anything */
#define TYPES_MAX        8

/* A place in the schema: the object itself, what it refers to, the parts of its allOf, and the only
 * branch of its anyOf that is no null. The first that has a keyword wins. */
struct view {
    struct jvalue sources[SOURCES_MAX];
    size_t n;
    bool is_nullable;
    struct jvalue branches; /* anyOf or oneOf with several; raw.p NULL: none */
};

struct cleaner {
    struct jvalue root;
    struct arena *arena;
    struct jwrite *w;
    unsigned depth;
    size_t nodes, steps;
};

static void clean(struct cleaner *c, struct jvalue schema, unsigned refs);

/* ---- references ---- */

/* One step of a JSON pointer. */
static bool step(struct cleaner *c, struct jvalue *v, struct slice name)
{
    struct jvalue element = {0};
    struct jscan s;
    int64_t index;
    char *z;

    if (v->kind == JSCAN_ARRAY) {
        if (slice_to_i64(name, &index) || index < 0 || jscan_array(&s, *v))
            return false;
        do {
            if (jscan_next_element(&s, &element))
                return false;
        } while (index-- > 0);
        *v = element;
        return true;
    }
    z = arena_copy(c->arena, name);
    return z && !jscan_find(*v, z, v);
}

/* What "#/$defs/x" stands for. ~0 and ~1 are not decoded: no such name is in use. */
static bool resolve(struct cleaner *c, struct jvalue ref, struct jvalue *out)
{
    struct slice rest = gemini_word(ref);
    struct jvalue v = c->root;

    if (!slice_starts(rest, "#"))
        return false;
    (void)slice_split(&rest, '/');
    while (rest.p)
        if (!step(c, &v, slice_split(&rest, '/')))
            return false;
    *out = v;
    return true;
}

/* ---- views ---- */

static bool is_null_type(struct jvalue schema)
{
    struct jvalue type;

    return !jscan_find(schema, "type", &type) && slice_eq_ci(gemini_word(type), "null");
}

/* The branches without null. Returns how many; *only: the last of them. */
static size_t count_branches(struct view *view, struct jvalue branches, struct jvalue *only)
{
    struct gemini_list l;
    struct jvalue branch;
    size_t n = 0;

    gemini_list_begin(&l, branches);
    while (gemini_list_next(&l, &branch)) {
        if (is_null_type(branch)) {
            view->is_nullable = true;
            continue;
        }
        *only = branch;
        n++;
    }
    return n;
}

static void add_source(struct cleaner *c, struct view *view, struct jvalue schema, unsigned refs)
{
    struct jvalue v, inner;
    struct gemini_list l;

    if (schema.kind != JSCAN_OBJECT || view->n == SOURCES_MAX)
        return;
    view->sources[view->n++] = schema;
    if (!jscan_find(schema, "$ref", &v) && refs < REF_DEPTH_MAX && resolve(c, v, &inner))
        add_source(c, view, inner, refs + 1);
    if (!jscan_find(schema, "allOf", &v))
        for (gemini_list_begin(&l, v); gemini_list_next(&l, &inner);)
            add_source(c, view, inner, refs);
    if (jscan_find(schema, "anyOf", &v) && jscan_find(schema, "oneOf", &v))
        return;
    switch (count_branches(view, v, &inner)) {
    case 0:
        return;
    case 1:
        add_source(c, view, inner, refs);
        return;
    default:
        view->branches = v;
    }
}

static bool view_find(const struct view *view, const char *name, struct jvalue *out)
{
    size_t i;

    for (i = 0; i < view->n; i++)
        if (!jscan_find(view->sources[i], name, out))
            return true;
    return false;
}

/* How deep in references the view is: what stands for a reference counts one more. */
static unsigned refs_of(const struct view *view, unsigned refs)
{
    struct jvalue v;

    return refs + view_find(view, "$ref", &v);
}

/* ---- types ---- */

static const char *type_word(struct slice type)
{
    static const char *const words[][2] = {
        {"string",  "STRING" },
        {"number",  "NUMBER" },
        {"integer", "INTEGER"},
        {"boolean", "BOOLEAN"},
        {"array",   "ARRAY"  },
        {"object",  "OBJECT" },
        {"null",    "NULL"   },
    };
    size_t i;

    for (i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (slice_eq_ci(type, words[i][0]))
            return words[i][1];
    return NULL;
}

/* The types without null; how many. */
static size_t read_types(struct view *view, const char *types[TYPES_MAX])
{
    struct jvalue v, type;
    struct gemini_list l;
    const char *word;
    size_t n = 0;

    if (view_find(view, "type", &v)) {
        gemini_list_begin(&l, v);
        while (n < TYPES_MAX && gemini_list_next(&l, &type)) {
            word = type_word(gemini_word(type));
            if (word && strcmp(word, "NULL") == 0 && v.kind == JSCAN_ARRAY)
                view->is_nullable = true;
            else if (word)
                types[n++] = word;
        }
    }
    if (n == 0 && !view->branches.raw.p) {
        if (view_find(view, "properties", &v))
            types[n++] = "OBJECT";
        else if (view_find(view, "items", &v))
            types[n++] = "ARRAY";
        else if ((view_find(view, "enum", &v) && v.kind == JSCAN_ARRAY) ||
                 (view_find(view, "const", &v) && v.kind == JSCAN_STRING))
            types[n++] = "STRING";
    }
    return n;
}

/* ---- keywords ---- */

static bool is_format(const char *type, struct slice format)
{
    static const char *const formats[][2] = {
        {"STRING",  "enum"     },
        {"STRING",  "date-time"},
        {"INTEGER", "int32"    },
        {"INTEGER", "int64"    },
        {"NUMBER",  "float"    },
        {"NUMBER",  "double"   },
    };
    size_t i;

    for (i = 0; i < sizeof(formats) / sizeof(formats[0]); i++)
        if (strcmp(type, formats[i][0]) == 0 && slice_eq_z(format, formats[i][1]))
            return true;
    return false;
}

/* Keywords that are the same on both sides, of one kind of value. */
static void write_plain(struct cleaner *c, const struct view *view)
{
    static const struct {
        const char *name;
        enum jkind kind;
    } plain[] = {
        {"title",     JSCAN_STRING},
        {"pattern",   JSCAN_STRING},
        {"minItems",  JSCAN_NUMBER},
        {"maxItems",  JSCAN_NUMBER},
        {"minLength", JSCAN_NUMBER},
        {"maxLength", JSCAN_NUMBER},
        {"minimum",   JSCAN_NUMBER},
        {"maximum",   JSCAN_NUMBER},
    };
    struct jvalue v;
    size_t i;

    for (i = 0; i < sizeof(plain) / sizeof(plain[0]); i++)
        if (view_find(view, plain[i].name, &v) && v.kind == plain[i].kind)
            jwrite_key_raw(c->w, plain[i].name, v.raw);
}

/* The texts among the allowed values; others cannot be said. */
static void write_enum(struct cleaner *c, const struct view *view)
{
    struct gemini_list l;
    struct jvalue v, item;
    bool is_open = false;

    if (!view_find(view, "const", &v) && !view_find(view, "enum", &v))
        return;
    gemini_list_begin(&l, v);
    while (gemini_list_next(&l, &item)) {
        if (gemini_word(item).n == 0)
            continue;
        if (!is_open)
            jwrite_key_array(c->w, "enum");
        is_open = true;
        jwrite_raw(c->w, item.raw);
    }
    if (is_open)
        jwrite_array_end(c->w);
}

static void write_items(struct cleaner *c, const struct view *view, unsigned refs)
{
    struct jvalue v = {0};

    jwrite_key(c->w, "items");
    if (!view_find(view, "items", &v) && view_find(view, "prefixItems", &v) &&
        v.kind == JSCAN_ARRAY) {
        struct jscan s;

        if (jscan_array(&s, v) || jscan_next_element(&s, &v))
            v = (struct jvalue){0};
    }
    if (v.raw.p && v.kind == JSCAN_OBJECT && v.raw.n > 2) {
        clean(c, v, refs);
        return;
    }
    jwrite_object(c->w); /* a list of anything cannot be said, and none of its items' type is an
                            error */
    jwrite_key_z(c->w, "type", "STRING");
    jwrite_object_end(c->w);
}

/* One of the first n sources has a property of that name, as it is spelled. */
static bool has_property(struct cleaner *c, const struct view *view, size_t n, struct slice name)
{
    struct jvalue properties;
    struct jmember m;
    struct jscan s;
    size_t i;

    for (i = 0; i < n; i++) {
        if (jscan_find(view->sources[i], "properties", &properties) || jscan_object(&s, properties))
            continue;
        while (c->steps < STEPS_MAX && !jscan_next_member(&s, &m)) {
            c->steps++;
            if (slice_eq(m.key, name))
                return true;
        }
    }
    return false;
}

static void write_key_of(struct cleaner *c, struct slice raw)
{
    char *name = arena_copy(c->arena, raw);

    if (name)
        jwrite_key(c->w, name);
    else
        c->w->e = ERR_MEMORY;
}

static void write_properties(struct cleaner *c, const struct view *view, unsigned refs)
{
    struct jvalue properties;
    bool is_open = false;
    struct jmember m;
    struct jscan s;
    size_t i;

    for (i = 0; i < view->n; i++) {
        if (jscan_find(view->sources[i], "properties", &properties) || jscan_object(&s, properties))
            continue;
        while (!c->w->e && c->nodes < NODES_MAX && !jscan_next_member(&s, &m)) {
            if (has_property(c, view, i, m.key))
                continue;
            if (!is_open)
                jwrite_key_object(c->w, "properties");
            is_open = true;
            write_key_of(c, m.key);
            if (!c->w->e)
                clean(c, m.value, refs);
        }
    }
    if (is_open)
        jwrite_object_end(c->w);
}

/* Those that are properties: another name is an error. */
static void write_required(struct cleaner *c, const struct view *view)
{
    struct jvalue required, name;
    struct gemini_list l;
    bool is_open = false;
    size_t i;

    for (i = 0; i < view->n; i++) {
        if (jscan_find(view->sources[i], "required", &required) || required.kind != JSCAN_ARRAY)
            continue;
        gemini_list_begin(&l, required);
        while (gemini_list_next(&l, &name)) {
            if (!has_property(c, view, view->n, gemini_word(name)))
                continue;
            if (!is_open)
                jwrite_key_array(c->w, "required");
            is_open = true;
            jwrite_raw(c->w, name.raw);
        }
    }
    if (is_open)
        jwrite_array_end(c->w);
}

/* ---- one place ---- */

static void write_typed(struct cleaner *c, const struct view *view, const char *type, unsigned refs)
{
    struct jvalue format;

    jwrite_key_z(c->w, "type", type);
    if (view_find(view, "format", &format) && is_format(type, gemini_word(format)))
        jwrite_key_raw(c->w, "format", format.raw);
    write_plain(c, view);
    if (strcmp(type, "STRING") == 0)
        write_enum(c, view);
    if (strcmp(type, "ARRAY") == 0)
        write_items(c, view, refs);
    if (strcmp(type, "OBJECT") == 0) {
        write_properties(c, view, refs);
        write_required(c, view);
    }
}

static void write_branches(struct cleaner *c, const struct view *view, unsigned refs)
{
    struct gemini_list l;
    struct jvalue branch;

    jwrite_key_array(c->w, "anyOf");
    gemini_list_begin(&l, view->branches);
    while (!c->w->e && gemini_list_next(&l, &branch))
        if (!is_null_type(branch))
            clean(c, branch, refs);
    jwrite_array_end(c->w);
}

/* {"type":["string","number"]} as two branches. */
static void write_types(struct cleaner *c, const struct view *view, const char *const *types,
                        size_t n, unsigned refs)
{
    size_t i;

    jwrite_key_array(c->w, "anyOf");
    for (i = 0; i < n; i++) {
        jwrite_object(c->w);
        write_typed(c, view, types[i], refs);
        jwrite_object_end(c->w);
    }
    jwrite_array_end(c->w);
}

static void clean(struct cleaner *c, struct jvalue schema, unsigned refs)
{
    const char *types[TYPES_MAX];
    struct view view = {.n = 0};
    struct jvalue v;
    size_t types_n;

    jwrite_object(c->w);
    if (++c->nodes <= NODES_MAX && c->depth < SCHEMA_DEPTH_MAX) {
        c->depth++;
        add_source(c, &view, schema, refs);
        refs = refs_of(&view, refs);
        types_n = read_types(&view, types);
        if (view_find(&view, "nullable", &v) && v.kind == JSCAN_TRUE)
            view.is_nullable = true;
        if (view.branches.raw.p)
            write_branches(c, &view, refs);
        else if (types_n > 1)
            write_types(c, &view, types, types_n, refs);
        else if (types_n == 1)
            write_typed(c, &view, types[0], refs);
        if (view_find(&view, "description", &v) && v.kind == JSCAN_STRING)
            jwrite_key_raw(c->w, "description", v.raw);
        if (view.is_nullable)
            jwrite_key_bool(c->w, "nullable", true);
        c->depth--;
    }
    jwrite_object_end(c->w);
}

enum err gemini_schema_clean(struct slice schema, struct arena *a, struct jwrite *w)
{
    struct cleaner c = {.arena = a, .w = w};

    if (schema.n > SCHEMA_BYTES_MAX || jscan_validate(schema, &c.root, NULL))
        c.root = (struct jvalue){JSCAN_OBJECT, SLICE("{\"type\":\"object\"}")};
    clean(&c, c.root, 0);
    return w->e;
}

bool gemini_schema_is_empty(struct slice schema)
{
    static const char *const others[] = {"$ref", "anyOf", "oneOf", "allOf", "items"};
    struct jvalue root, v;
    struct jmember m;
    struct jscan s;
    size_t i;

    if (jscan_validate(schema, &root, NULL) || root.kind != JSCAN_OBJECT)
        return true;
    for (i = 0; i < sizeof(others) / sizeof(others[0]); i++)
        if (!jscan_find(root, others[i], &v))
            return false;
    if (!jscan_find(root, "additionalProperties", &v) && v.kind == JSCAN_OBJECT)
        return false;
    if (jscan_find(root, "properties", &v))
        return true;
    return jscan_object(&s, v) || jscan_next_member(&s, &m);
}
