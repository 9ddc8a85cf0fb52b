#include "upstream/openai_chat.h"

#include "base/jwrite.h"
#include "base/log.h"

#include <inttypes.h>

/* A usage object as it was told; -1: absent. */
struct usage {
    int64_t prompt, completion, total;
    int64_t cached, cached_hit, cached_flat; /* in prompt_tokens_details; DeepSeek's; Moonshot's */
    int64_t written, reasoning;
};

/* A count of tokens, kept within reason. */
static void read_count(struct jvalue v, int64_t *out)
{
    int64_t n = 0;
    enum err e = jscan_i64(v, &n);

    if (e && e != ERR_RANGE)
        return;
    if (e || n < 0 || n > COUNT_MAX) {
        log_warn("usage_out_of_range", "value=%.*s", SLICE_FMT(v.raw));
        n = v.raw.p[0] == '-' ? 0 : COUNT_MAX;
    }
    *out = n;
}

static void read_details(struct jvalue details, struct usage *u)
{
    struct jmember m;
    struct jscan s;

    if (jscan_object(&s, details))
        return;
    while (!jscan_next_member(&s, &m)) {
        if (jscan_key_is(&m, "cached_tokens"))
            read_count(m.value, &u->cached);
        else if (jscan_key_is(&m, "cache_write_tokens"))
            read_count(m.value, &u->written);
        else if (jscan_key_is(&m, "reasoning_tokens"))
            read_count(m.value, &u->reasoning);
    }
}

static struct usage read_usage(struct jvalue object)
{
    struct usage u = {-1, -1, -1, -1, -1, -1, -1, -1};
    struct jmember m;
    struct jscan s;

    if (jscan_object(&s, object))
        return u;
    while (!jscan_next_member(&s, &m)) {
        if (jscan_key_is(&m, "prompt_tokens"))
            read_count(m.value, &u.prompt);
        else if (jscan_key_is(&m, "completion_tokens"))
            read_count(m.value, &u.completion);
        else if (jscan_key_is(&m, "total_tokens"))
            read_count(m.value, &u.total);
        else if (jscan_key_is(&m, "prompt_cache_hit_tokens"))
            read_count(m.value, &u.cached_hit);
        else if (jscan_key_is(&m, "cached_tokens"))
            read_count(m.value, &u.cached_flat);
        else if (jscan_key_is(&m, "prompt_tokens_details") ||
                 jscan_key_is(&m, "completion_tokens_details"))
            read_details(m.value, &u);
    }
    return u;
}

static int64_t at_least_0(int64_t n)
{
    return n > 0 ? n : 0;
}

/* The parts must be the provider's own total; when not, the larger output counts. */
static void check_total(const struct usage *u)
{
    if (u->total >= 0 && u->prompt >= 0 && u->completion >= 0 &&
        u->total != u->prompt + u->completion)
        log_warn("usage_total", "prompt=%" PRId64 " completion=%" PRId64 " total=%" PRId64,
                 u->prompt, u->completion, u->total);
}

/* OpenAI's numbers overlap: cached and written input lie inside prompt_tokens, reasoning inside
 * completion_tokens. What the total has beyond the two is output that was not told apart. */
static struct counts to_counts(struct usage u)
{
    struct counts c = {.is_known = true};

    check_total(&u);
    if (u.prompt < 0)
        u.prompt = at_least_0(u.total - at_least_0(u.completion));
    u.completion = at_least_0(u.completion);
    if (u.total > u.prompt + u.completion)
        u.completion = u.total - u.prompt;
    c.in_read = at_least_0(u.cached >= 0       ? u.cached
                           : u.cached_hit >= 0 ? u.cached_hit
                                               : u.cached_flat);
    c.in_write = at_least_0(u.written);
    if (c.in_read + c.in_write > u.prompt)
        log_warn("usage_cache_above_prompt", "prompt=%" PRId64 " read=%" PRId64 " write=%" PRId64,
                 u.prompt, c.in_read, c.in_write);
    c.in_fresh = at_least_0(u.prompt - c.in_read - c.in_write);
    c.out_all = u.completion;
    c.out_think = u.reasoning < u.completion ? at_least_0(u.reasoning) : u.completion;
    return c;
}

bool chat_read_usage(struct jvalue v, struct counts *out)
{
    struct usage u;

    if (!v.raw.p || v.kind != JSCAN_OBJECT)
        return false;
    u = read_usage(v);
    if (u.prompt < 0 && u.completion < 0 && u.total < 0)
        return false;
    *out = to_counts(u);
    return true;
}

void chat_write_usage(struct jwrite *w, const struct counts *c, const char *cost)
{
    int64_t written = c->in_write + c->in_write_1h;
    int64_t prompt = c->in_fresh + c->in_read + written;

    jwrite_object(w);
    jwrite_key_i64(w, "prompt_tokens", prompt);
    jwrite_key_i64(w, "completion_tokens", c->out_all);
    jwrite_key_i64(w, "total_tokens", prompt + c->out_all);
    jwrite_key_object(w, "prompt_tokens_details");
    jwrite_key_i64(w, "cached_tokens", c->in_read);
    jwrite_key_i64(w, "cache_write_tokens", written);
    jwrite_object_end(w);
    jwrite_key_object(w, "completion_tokens_details");
    jwrite_key_i64(w, "reasoning_tokens", c->out_think);
    jwrite_object_end(w);
    if (cost)
        jwrite_key_raw(w, "cost", slice_of(cost));
    jwrite_object_end(w);
}
