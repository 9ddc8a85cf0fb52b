#include "upstream/gemini.h"

#include <string.h>

#define ENVELOPE        "aip1."
#define ENVELOPE_BASE64 "YWlwMS5" /* what the base64 of every envelope begins with */

/* The key is name with "_x" for each "X". */
static bool is_snake(struct slice key, const char *name)
{
    size_t i = 0;

    for (; *name; name++) {
        bool is_upper = *name >= 'A' && *name <= 'Z';

        if (is_upper && (i >= key.n || key.p[i++] != '_'))
            return false;
        if (i >= key.n || key.p[i++] != (is_upper ? *name + ('a' - 'A') : *name))
            return false;
    }
    return i == key.n;
}

bool gemini_key_is(const struct jmember *m, const char *name)
{
    /* The first character tells nearly all apart; only an escape may hide it. */
    if (m->key.n && m->key.p[0] != name[0] && m->key.p[0] != '\\')
        return false;
    return jscan_key_is(m, name) || is_snake(m->key, name);
}

enum err gemini_find(struct jvalue object, const char *name, struct jvalue *value)
{
    struct jmember m;
    struct jscan s;

    if (!object.raw.p || jscan_object(&s, object))
        return ERR_END;
    while (!jscan_next_member(&s, &m)) {
        if (gemini_key_is(&m, name) && m.value.kind != JSCAN_NULL) {
            *value = m.value;
            return ERR_OK;
        }
    }
    return ERR_END;
}

enum err gemini_i64(struct jvalue v, int64_t *out)
{
    if (v.kind == JSCAN_STRING)
        return slice_to_i64((struct slice){v.raw.p + 1, v.raw.n - 2}, out);
    return jscan_i64(v, out);
}

void gemini_list_begin(struct gemini_list *l, struct jvalue v)
{
    *l = (struct gemini_list){.scan = {.end = ERR_END}};
    if (!v.raw.p || v.kind == JSCAN_NULL)
        return;
    if (v.kind != JSCAN_ARRAY || jscan_array(&l->scan, v))
        l->one = v;
}

bool gemini_list_next(struct gemini_list *l, struct jvalue *v)
{
    if (!l->one.raw.p)
        return l->scan.end == ERR_OK && !jscan_next_element(&l->scan, v);
    *v = l->one;
    l->one = (struct jvalue){0};
    return true;
}

struct slice gemini_word(struct jvalue v)
{
    if (!v.raw.p || v.kind != JSCAN_STRING)
        return (struct slice){NULL, 0};
    return (struct slice){v.raw.p + 1, v.raw.n - 2};
}

enum err gemini_base64(struct arena *a, struct slice text, struct slice *out)
{
    bool is_url_safe = text.n && (memchr(text.p, '-', text.n) || memchr(text.p, '_', text.n));
    size_t pad = (4 - text.n % 4) % 4, i;
    char *copy;

    if (!is_url_safe && pad == 0) {
        *out = text;
        return ERR_OK;
    }
    copy = arena_alloc(a, text.n + pad + 1);
    if (!copy)
        return ERR_MEMORY;
    for (i = 0; i < text.n; i++)
        copy[i] = text.p[i] == '-' ? '+' : text.p[i] == '_' ? '/' : text.p[i];
    memset(copy + text.n, '=', pad);
    *out = (struct slice){copy, text.n + pad};
    return ERR_OK;
}

bool gemini_is_envelope(struct slice text)
{
    return slice_starts(text, ENVELOPE_BASE64) || slice_starts(text, ENVELOPE);
}

/* ---- answers ---- */

enum err gemini_scan(struct slice text, struct gemini_answer *out)
{
    static const char *const names[] = {"candidates",   "usageMetadata", "promptFeedback",
                                        "modelVersion", "responseId",    "error",
                                        "embedding",    "embeddings"};
    struct gemini_answer a = {.text = slice_trim(text)};
    struct jvalue *places[] = {&a.candidates, &a.usage, &a.feedback,  &a.model,
                               &a.id,         &a.error, &a.embedding, &a.embedding};
    struct jmember m;
    struct jscan s;
    enum err e;
    size_t i;

    e = jscan_begin_object(&s, a.text);
    while (!e && !(e = jscan_next_member(&s, &m)))
        for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
            if (m.key.n && m.key.p[0] == names[i][0] && jscan_key_is(&m, names[i]) &&
                m.value.kind != JSCAN_NULL)
                *places[i] = m.value;
    if (e != ERR_END)
        return e;
    *out = a;
    return ERR_OK;
}

struct slice gemini_block_reason(const struct gemini_answer *a)
{
    struct jvalue reason;

    if (!a->feedback.raw.p || gemini_find(a->feedback, "blockReason", &reason))
        return (struct slice){NULL, 0};
    return gemini_word(reason);
}

struct slice gemini_frame_open(bool is_array, bool is_first)
{
    if (!is_array)
        return SLICE("data: ");
    return is_first ? SLICE("[") : SLICE("\n,\n");
}

struct slice gemini_frame_shut(bool is_array)
{
    return is_array ? SLICE("") : SLICE("\n\n");
}
