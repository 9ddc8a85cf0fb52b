#include "upstream/openai_chat_decode.h"

#include "upstream/pick.h"

#define DROPPED_NAME_MAX 64

const char *const chat_common_names[CHAT_COMMON_COUNT + 1] = {
    [CHAT_TEMPERATURE] = "temperature",
    [CHAT_TOP_P] = "top_p",
    [CHAT_TOP_K] = "top_k",
    [CHAT_SEED] = "seed",
    [CHAT_PRESENCE] = "presence_penalty",
    [CHAT_FREQUENCY] = "frequency_penalty",
    [CHAT_STOP] = "stop",
    [CHAT_LOGIT_BIAS] = "logit_bias",
    [CHAT_USER] = "user",
    [CHAT_SAFETY] = "safety_identifier",
    [CHAT_CACHE_KEY] = "prompt_cache_key",
    [CHAT_TIER] = "service_tier",
};

/* ---- helpers ---- */

enum err chat_refuse(struct chat_decode *d, const char *at, const char *member, const char *text)
{
    const char *path = member ? arena_printf(d->canon->arena, "%s.%s", at, member) : at;

    return path ? canon_fault(d->canon->arena, d->fault, path, "%s", text) : ERR_MEMORY;
}

enum err chat_read_text(struct chat_decode *d, struct jvalue v, const char *at, const char *member,
                        struct slice *out)
{
    enum err e;

    if (!v.raw.p)
        return ERR_OK;
    e = jscan_string(v, d->canon->arena, out);
    return e == ERR_FORMAT ? chat_refuse(d, at, member, "expected string") : e;
}

enum err chat_read_name(struct chat_decode *d, struct jvalue v, const char *at, const char *member,
                        struct slice *out)
{
    struct slice name = {NULL, 0};
    enum err e = chat_read_text(d, v, at, member, &name);

    if (!e && name.n == 0)
        return chat_refuse(d, at, member, "expected a string that is not empty");
    if (!e)
        *out = name;
    return e;
}

enum err chat_read_flag(struct chat_decode *d, struct jvalue v, const char *at, const char *member,
                        int *out)
{
    if (!v.raw.p)
        return ERR_OK;
    if (v.kind != JSCAN_TRUE && v.kind != JSCAN_FALSE)
        return chat_refuse(d, at, member, "expected boolean");
    *out = v.kind == JSCAN_TRUE;
    return ERR_OK;
}

static bool is_in(const struct jmember *m, const char *const *names)
{
    for (; *names; names++)
        if (jscan_key_is(m, *names))
            return true;
    return false;
}

/* Names go into a header: others than plain words are not told. */
static bool is_word(struct slice name)
{
    size_t i;

    for (i = 0; i < name.n; i++) {
        char c = name.p[i];

        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
              c == '_' || c == '-' || c == '.'))
            return false;
    }
    return name.n > 0 && name.n <= DROPPED_NAME_MAX;
}

enum err chat_drop_unknown(struct chat_decode *d, const struct format_request *in,
                           const char *const *const *lists, size_t lists_n)
{
    const char *name;
    size_t i, k;

    for (i = 0; i < in->members_n; i++) {
        const struct jmember *m = &in->members[i];

        for (k = 0; k < lists_n && !is_in(m, lists[k]); k++)
            ;
        if (k < lists_n || m->value.kind == JSCAN_NULL || !is_word(m->key))
            continue;
        name = arena_copy(d->canon->arena, m->key);
        if (!name)
            return ERR_MEMORY;
        drop(&d->canon->drops, name);
    }
    return ERR_OK;
}

void chat_collect(const struct format_request *in, const char *const *names, size_t n,
                  struct jvalue *values)
{
    size_t i, k;

    for (k = 0; k < n; k++)
        values[k] = (struct jvalue){0};
    for (i = 0; i < in->members_n; i++)
        for (k = 0; k < n; k++)
            if (jscan_key_is(&in->members[i], names[k]))
                values[k] = in->members[i].value.kind == JSCAN_NULL ? (struct jvalue){0}
                                                                    : in->members[i].value;
}

enum cache_mark chat_cache_mark(struct jvalue object)
{
    static const char *const names[] = {"prompt_cache_breakpoint", "cache_control"};
    struct jvalue v[2];
    struct slice ttl;

    (void)pick_members(object, names, 2, v);
    if (v[0].raw.p && v[0].kind == JSCAN_OBJECT)
        return slice_eq_z(pick_string(pick(v[0], "ttl")), "12h") ? CACHE_12H : CACHE_30M;
    if (!v[1].raw.p || v[1].kind != JSCAN_OBJECT)
        return CACHE_NONE;
    ttl = pick_string(pick(v[1], "ttl"));
    return slice_eq_z(ttl, "1h") ? CACHE_1H : CACHE_5M;
}

/* ---- the parameters ---- */

static enum err read_number(struct chat_decode *d, struct jvalue v, enum chat_common k,
                            struct slice *out)
{
    if (!v.raw.p)
        return ERR_OK;
    if (v.kind != JSCAN_NUMBER)
        return chat_refuse(d, chat_common_names[k], NULL, "expected number");
    *out = v.raw;
    return ERR_OK;
}

static enum err read_numbers(struct chat_decode *d, const struct jvalue *values)
{
    struct canon *c = d->canon;
    struct slice *places[] = {
        [CHAT_TEMPERATURE] = &c->temperature,
        [CHAT_TOP_P] = &c->top_p,
        [CHAT_TOP_K] = &c->top_k,
        [CHAT_SEED] = &c->seed,
        [CHAT_PRESENCE] = &c->presence,
        [CHAT_FREQUENCY] = &c->frequency,
    };
    enum err e = ERR_OK;
    int64_t whole;
    size_t k;

    for (k = 0; k < sizeof(places) / sizeof(places[0]) && !e; k++)
        e = read_number(d, values[k], (enum chat_common)k, places[k]);
    if (!e && c->seed.p && jscan_i64(values[CHAT_SEED], &whole) == ERR_FORMAT)
        e = chat_refuse(d, "seed", NULL, "expected integer");
    return e;
}

static enum err add_stop(struct chat_decode *d, struct jvalue v)
{
    struct slice text = {NULL, 0};
    enum err e = chat_read_text(d, v, "stop", NULL, &text);

    if (e || text.n == 0)
        return e;
    if (d->canon->stops_n == CANON_STOPS_MAX)
        return chat_refuse(d, "stop", NULL, "expected at most 16 stop sequences");
    d->canon->stops[d->canon->stops_n++] = text;
    return ERR_OK;
}

static enum err read_stop(struct chat_decode *d, struct jvalue stop)
{
    struct jvalue v;
    struct jscan s;
    enum err e = ERR_OK;

    if (!stop.raw.p || stop.kind == JSCAN_STRING)
        return add_stop(d, stop);
    if (jscan_array(&s, stop))
        return chat_refuse(d, "stop", NULL, "expected string or array of strings");
    while (!e && !jscan_next_element(&s, &v))
        e = add_stop(d, v);
    return e;
}

static enum err read_logit_bias(struct chat_decode *d, struct jvalue v)
{
    struct jmember m;
    struct jscan s;

    if (!v.raw.p)
        return ERR_OK;
    if (jscan_object(&s, v))
        return chat_refuse(d, "logit_bias", NULL, "expected object");
    if (!jscan_next_member(&s, &m))
        d->canon->logit_bias = v.raw;
    return ERR_OK;
}

static void read_tier(struct chat_decode *d, struct jvalue v)
{
    struct slice word = pick_string(v);

    d->canon->tier = slice_eq_z(word, "fast") ? TIER_PRIORITY : tier_parse(word);
    if (word.n && d->canon->tier == TIER_UNSET)
        canon_drop(d->canon, &d->canon->drops, FIELD_TIER);
}

enum err chat_read_common(struct chat_decode *d, const struct jvalue *values)
{
    struct canon *c = d->canon;
    bool is_safety = pick_string(values[CHAT_SAFETY]).n > 0;
    enum err e = read_numbers(d, values);

    if (!e)
        e = read_stop(d, values[CHAT_STOP]);
    if (!e)
        e = read_logit_bias(d, values[CHAT_LOGIT_BIAS]);
    if (!e)
        e = chat_read_text(d, values[is_safety ? CHAT_SAFETY : CHAT_USER],
                           chat_common_names[is_safety ? CHAT_SAFETY : CHAT_USER], NULL, &c->user);
    if (!e)
        e = chat_read_text(d, values[CHAT_CACHE_KEY], "prompt_cache_key", NULL, &c->cache_key);
    if (!e)
        read_tier(d, values[CHAT_TIER]);
    return e;
}
