#include "upstream/gemini.h"

#include "base/buf.h"

#include <string.h>

#define DEPTH_MAX 20 /* deeper levels stay as they are */

struct converter {
    struct arena *arena;
    struct jwrite w;
    unsigned depth;
};

static void convert(struct converter *c, struct jvalue schema);

static void write_lower(struct converter *c, struct slice word)
{
    char text[16];
    size_t i;

    if (word.n >= sizeof(text)) {
        jwrite_string(&c->w, word);
        return;
    }
    for (i = 0; i < word.n; i++)
        text[i] = word.p[i] >= 'A' && word.p[i] <= 'Z' ? (char)(word.p[i] + ('a' - 'A'))
                                                       : word.p[i];
    jwrite_string(&c->w, (struct slice){text, word.n});
}

/* "STRING" as "string", or as ["string","null"]. */
static void write_type(struct converter *c, struct jvalue type, bool is_nullable)
{
    if (type.kind != JSCAN_STRING) { /* a JSON Schema already */
        jwrite_key_raw(&c->w, "type", type.raw);
        return;
    }
    if (slice_eq_ci(gemini_word(type), "TYPE_UNSPECIFIED"))
        return;
    jwrite_key(&c->w, "type");
    if (!is_nullable) {
        write_lower(c, gemini_word(type));
        return;
    }
    jwrite_array(&c->w);
    write_lower(c, gemini_word(type));
    jwrite_string(&c->w, SLICE("null"));
    jwrite_array_end(&c->w);
}

/* Where null is allowed, it must be among the values. */
static void write_enum(struct converter *c, struct jvalue values, bool is_nullable)
{
    struct gemini_list l;
    struct jvalue v;

    jwrite_key_array(&c->w, "enum");
    gemini_list_begin(&l, values);
    while (gemini_list_next(&l, &v))
        jwrite_raw(&c->w, v.raw);
    if (is_nullable)
        jwrite_null(&c->w);
    jwrite_array_end(&c->w);
}

static void write_key(struct converter *c, struct slice raw)
{
    char *name = arena_copy(c->arena, raw);

    if (name)
        jwrite_key(&c->w, name);
    else
        c->w.e = ERR_MEMORY;
}

static void write_properties(struct converter *c, struct jvalue properties)
{
    struct jmember m;
    struct jscan s;

    jwrite_key_object(&c->w, "properties");
    if (!jscan_object(&s, properties))
        while (!c->w.e && !jscan_next_member(&s, &m)) {
            write_key(c, m.key);
            if (!c->w.e)
                convert(c, m.value);
        }
    jwrite_object_end(&c->w);
}

static void write_branches(struct converter *c, struct jvalue branches, bool is_nullable)
{
    struct gemini_list l;
    struct jvalue v;

    jwrite_key_array(&c->w, "anyOf");
    gemini_list_begin(&l, branches);
    while (!c->w.e && gemini_list_next(&l, &v))
        convert(c, v);
    if (is_nullable)
        jwrite_raw(&c->w, SLICE("{\"type\":\"null\"}"));
    jwrite_array_end(&c->w);
}

/* Whole numbers of 64 bits are strings in Google's JSON. */
static bool write_number(struct converter *c, const struct jmember *m)
{
    static const char *const names[] = {"minItems",  "maxItems",      "minLength",
                                        "maxLength", "minProperties", "maxProperties"};
    int64_t n;
    size_t i;

    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (gemini_key_is(m, names[i]) && !gemini_i64(m->value, &n)) {
            jwrite_key_i64(&c->w, names[i], n);
            return true;
        }
    return false;
}

static void write_member(struct converter *c, const struct jmember *m, bool is_nullable)
{
    if (jscan_key_is(m, "type"))
        write_type(c, m->value, is_nullable);
    else if (jscan_key_is(m, "enum"))
        write_enum(c, m->value, is_nullable);
    else if (jscan_key_is(m, "properties"))
        write_properties(c, m->value);
    else if (gemini_key_is(m, "anyOf"))
        write_branches(c, m->value, is_nullable);
    else if (jscan_key_is(m, "items") && m->value.kind == JSCAN_OBJECT) {
        jwrite_key(&c->w, "items");
        convert(c, m->value);
    } else if (jscan_key_is(m, "nullable") || jscan_key_is(m, "example") ||
               gemini_key_is(m, "propertyOrdering") ||
               (jscan_key_is(m, "format") && slice_eq_z(gemini_word(m->value), "enum"))) {
        return;
    } else if (!write_number(c, m)) {
        write_key(c, m->key);
        if (!c->w.e)
            jwrite_raw(&c->w, m->value.raw);
    }
}

static void convert(struct converter *c, struct jvalue schema)
{
    bool is_nullable;
    struct jvalue v;
    struct jmember m;
    struct jscan s;

    if (c->depth == DEPTH_MAX || jscan_object(&s, schema)) {
        jwrite_raw(&c->w, schema.raw);
        return;
    }
    c->depth++;
    is_nullable = !jscan_find(schema, "nullable", &v) && v.kind == JSCAN_TRUE;
    jwrite_object(&c->w);
    while (!c->w.e && !jscan_next_member(&s, &m))
        if (m.value.kind != JSCAN_NULL)
            write_member(c, &m, is_nullable);
    jwrite_object_end(&c->w);
    c->depth--;
}

enum err gemini_schema_to_json(struct slice schema, struct arena *a, struct slice *out)
{
    struct converter c = {.arena = a};
    struct jvalue root;
    struct buf b;
    enum err e;

    if (jscan_validate(schema, &root, NULL)) {
        *out = schema;
        return ERR_OK;
    }
    buf_init(&b, 8 * schema.n + 256); /* a type that allows null is the longest to become longer */
    jwrite_init(&c.w, &b);
    convert(&c, root);
    e = jwrite_end(&c.w);
    if (!e) {
        *out = (struct slice){arena_copy(a, buf_slice(&b)), b.n};
        if (!out->p)
            e = ERR_MEMORY;
    }
    buf_clear(&b);
    return e == ERR_FULL ? ERR_MEMORY : e;
}
