#include "upstream/responses.h"

#include "base/log.h"

#include <inttypes.h>
#include <string.h>

/* A usage object as it was told; -1: absent. */
struct usage {
    int64_t input, output, total;
    int64_t cached, written, written_long, reasoning;
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

static void read_count_member(struct jvalue object, const char *name, int64_t *out)
{
    struct jvalue v;

    if (!jscan_find(object, name, &v))
        read_count(v, out);
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
        else if (jscan_key_is(&m, "cache_write_tokens_details"))
            read_count_member(m.value, "ttl_12h_tokens", &u->written_long);
        else if (jscan_key_is(&m, "reasoning_tokens"))
            read_count(m.value, &u->reasoning);
    }
}

static struct usage read_usage(struct jvalue object)
{
    struct usage u = {-1, -1, -1, -1, -1, -1, -1};
    struct jmember m;
    struct jscan s;

    if (jscan_object(&s, object))
        return u;
    while (!jscan_next_member(&s, &m)) {
        if (jscan_key_is(&m, "input_tokens"))
            read_count(m.value, &u.input);
        else if (jscan_key_is(&m, "output_tokens"))
            read_count(m.value, &u.output);
        else if (jscan_key_is(&m, "total_tokens"))
            read_count(m.value, &u.total);
        else if (jscan_key_is(&m, "cache_write_tokens_details"))
            read_count_member(m.value, "ttl_12h_tokens", &u.written_long);
        else if (jscan_key_is(&m, "input_tokens_details") ||
                 jscan_key_is(&m, "output_tokens_details"))
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
    if (u->total >= 0 && u->input >= 0 && u->output >= 0 && u->total != u->input + u->output)
        log_warn("usage_total", "input=%" PRId64 " output=%" PRId64 " total=%" PRId64, u->input,
                 u->output, u->total);
}

/* The numbers overlap: cached and written input lie inside input_tokens, reasoning inside
 * output_tokens. What the total has beyond the two is output that was not told apart. */
static struct counts to_counts(struct usage u)
{
    struct counts c = {.is_known = true};

    check_total(&u);
    if (u.input < 0)
        u.input = at_least_0(u.total - at_least_0(u.output));
    u.output = at_least_0(u.output);
    if (u.total > u.input + u.output)
        u.output = u.total - u.input;
    c.in_read = at_least_0(u.cached);
    c.in_write_1h = at_least_0(u.written_long);
    c.in_write = at_least_0(u.written - c.in_write_1h);
    if (c.in_read + c.in_write + c.in_write_1h > u.input)
        log_warn("usage_cache_above_input", "input=%" PRId64 " read=%" PRId64 " write=%" PRId64,
                 u.input, c.in_read, c.in_write + c.in_write_1h);
    c.in_fresh = at_least_0(u.input - c.in_read - c.in_write - c.in_write_1h);
    c.out_all = u.output;
    c.out_think = u.reasoning < u.output ? at_least_0(u.reasoning) : u.output;
    return c;
}

bool responses_read_usage(struct jvalue v, struct counts *out)
{
    struct usage u;

    if (!v.raw.p || v.kind != JSCAN_OBJECT)
        return false;
    u = read_usage(v);
    if (u.input < 0 && u.output < 0 && u.total < 0)
        return false;
    *out = to_counts(u);
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
