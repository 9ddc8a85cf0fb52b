#include "upstream/responses.h"

#include "upstream/usage_read.h"

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
        else if (jscan_key_is(&m, "cache_write_tokens_details"))
            usage_read_member(m.value, "ttl_12h_tokens", &u->written_long);
        else if (jscan_key_is(&m, "reasoning_tokens"))
            usage_read_count(m.value, &u->reasoning);
    }
}

static struct usage_told read_usage(struct jvalue object)
{
    struct usage_told u = {-1, -1, -1, -1, -1, -1, -1};
    struct jmember m;
    struct jscan s;

    if (jscan_object(&s, object))
        return u;
    while (!jscan_next_member(&s, &m)) {
        if (jscan_key_is(&m, "input_tokens"))
            usage_read_count(m.value, &u.input);
        else if (jscan_key_is(&m, "output_tokens"))
            usage_read_count(m.value, &u.output);
        else if (jscan_key_is(&m, "total_tokens"))
            usage_read_count(m.value, &u.total);
        else if (jscan_key_is(&m, "cache_write_tokens_details"))
            usage_read_member(m.value, "ttl_12h_tokens", &u.written_long);
        else if (jscan_key_is(&m, "input_tokens_details") ||
                 jscan_key_is(&m, "output_tokens_details"))
            read_details(m.value, &u);
    }
    return u;
}

bool responses_read_usage(struct jvalue v, struct counts *out)
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

/* The inner members are all required by the schema, and by Codex once their object is there. */
void responses_write_usage(struct jwrite *w, const struct counts *c, const char *cost)
{
    int64_t written = c->in_write + c->in_write_1h;
    int64_t input = c->in_fresh + c->in_read + written;

    jwrite_object(w);
    jwrite_key_i64(w, "input_tokens", input);
    jwrite_key_object(w, "input_tokens_details");
    jwrite_key_i64(w, "cached_tokens", c->in_read);
    jwrite_key_i64(w, "cache_write_tokens", written);
    jwrite_object_end(w);
    jwrite_key_i64(w, "output_tokens", c->out_all);
    jwrite_key_object(w, "output_tokens_details");
    jwrite_key_i64(w, "reasoning_tokens", c->out_think);
    jwrite_object_end(w);
    jwrite_key_i64(w, "total_tokens", input + c->out_all);
    if (cost)
        jwrite_key_raw(w, "cost", slice_of(cost));
    jwrite_object_end(w);
}
