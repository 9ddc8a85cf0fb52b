#include "upstream/openai_chat.h"

#include "base/jwrite.h"
#include "upstream/usage_read.h"

/* What counts as cached when prompt_tokens_details does not say; -1: absent. */
struct cached_else {
    int64_t hit;  /* DeepSeek's */
    int64_t flat; /* Moonshot's */
};

static void read_details(struct jvalue details, struct usage_told *u)
{
    struct jmember m;
    struct jscan s;

    if (jscan_object(&s, details))
        return;
    while (!jscan_next_member(&s, &m)) {
        if (jscan_key_is(&m, "cached_tokens"))
            usage_read_count(m.value, &u->cached);
        else if (jscan_key_is(&m, "cache_write_tokens"))
            usage_read_count(m.value, &u->written);
        else if (jscan_key_is(&m, "reasoning_tokens"))
            usage_read_count(m.value, &u->reasoning);
    }
}

static struct usage_told read_usage(struct jvalue object)
{
    struct usage_told u = {-1, -1, -1, -1, -1, -1, -1};
    struct cached_else other = {-1, -1};
    struct jmember m;
    struct jscan s;

    if (jscan_object(&s, object))
        return u;
    while (!jscan_next_member(&s, &m)) {
        if (jscan_key_is(&m, "prompt_tokens"))
            usage_read_count(m.value, &u.input);
        else if (jscan_key_is(&m, "completion_tokens"))
            usage_read_count(m.value, &u.output);
        else if (jscan_key_is(&m, "total_tokens"))
            usage_read_count(m.value, &u.total);
        else if (jscan_key_is(&m, "prompt_cache_hit_tokens"))
            usage_read_count(m.value, &other.hit);
        else if (jscan_key_is(&m, "cached_tokens"))
            usage_read_count(m.value, &other.flat);
        else if (jscan_key_is(&m, "prompt_tokens_details") ||
                 jscan_key_is(&m, "completion_tokens_details"))
            read_details(m.value, &u);
    }
    if (u.cached < 0)
        u.cached = other.hit >= 0 ? other.hit : other.flat;
    return u;
}

bool chat_read_usage(struct jvalue v, struct counts *out)
{
    struct usage_told u;

    if (!v.raw.p || v.kind != JSCAN_OBJECT)
        return false;
    u = read_usage(v);
    if (u.input < 0 && u.output < 0 && u.total < 0)
        return false;
    *out = usage_to_counts(&u);
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
