#include "upstream/usage_read.h"

#include "base/log.h"

#include <inttypes.h>

int64_t usage_at_least_0(int64_t n)
{
    return n > 0 ? n : 0;
}

void usage_count(enum err e, int64_t n, struct jvalue v, int64_t *out)
{
    if (e && e != ERR_RANGE)
        return;
    if (e || n < 0 || n > COUNT_MAX) {
        log_warn("usage_out_of_range", "value=%.*s", SLICE_FMT(v.raw));
        n = v.raw.p[0] == '-' ? 0 : COUNT_MAX;
    }
    *out = n;
}

void usage_read_count(struct jvalue v, int64_t *out)
{
    int64_t n = 0;
    enum err e = jscan_i64(v, &n);

    usage_count(e, n, v, out);
}

void usage_read_member(struct jvalue object, const char *name, int64_t *out)
{
    struct jvalue v;

    if (!jscan_find(object, name, &v))
        usage_read_count(v, out);
}

/* The parts must be the provider's own total; when not, the larger output counts. */
static void check_total(const struct usage_told *u)
{
    if (u->total >= 0 && u->input >= 0 && u->output >= 0 && u->total != u->input + u->output)
        log_warn("usage_total", "input=%" PRId64 " output=%" PRId64 " total=%" PRId64, u->input,
                 u->output, u->total);
}

struct counts usage_to_counts(const struct usage_told *told)
{
    struct counts c = {.is_known = true};
    int64_t input = told->input, output = usage_at_least_0(told->output);

    check_total(told);
    if (input < 0)
        input = usage_at_least_0(told->total - output);
    if (told->total > input + output)
        output = told->total - input;
    c.in_read = usage_at_least_0(told->cached);
    c.in_write_1h = usage_at_least_0(told->written_long);
    c.in_write = usage_at_least_0(told->written - c.in_write_1h);
    if (c.in_read + c.in_write + c.in_write_1h > input)
        log_warn("usage_cache_above_input", "input=%" PRId64 " read=%" PRId64 " write=%" PRId64,
                 input, c.in_read, c.in_write + c.in_write_1h);
    c.in_fresh = usage_at_least_0(input - c.in_read - c.in_write - c.in_write_1h);
    c.out_all = output;
    c.out_think = told->reasoning < output ? usage_at_least_0(told->reasoning) : output;
    return c;
}
