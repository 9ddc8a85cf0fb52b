#include "upstream/gemini.h"

#include "base/log.h"
#include "upstream/usage_read.h"

#include <inttypes.h>

/* usageMetadata as it was told; -1: absent. */
struct usage {
    int64_t prompt, cached, candidates, thoughts, tool, total;
};

/* Gemini spells numbers as strings, too. */
static void read_count(struct jvalue v, int64_t *out)
{
    int64_t n = 0;
    enum err e = gemini_i64(v, &n);

    usage_count(e, n, v, out);
}

static struct usage read_members(struct jvalue object)
{
    static const char *const names[] = {"promptTokenCount",     "cachedContentTokenCount",
                                        "candidatesTokenCount", "thoughtsTokenCount",
                                        "responseTokenCount",   "toolUsePromptTokenCount",
                                        "totalTokenCount"};
    struct usage u = {-1, -1, -1, -1, -1, -1};
    int64_t *places[] = {&u.prompt,     &u.cached, &u.candidates, &u.thoughts,
                         &u.candidates, &u.tool,   &u.total};
    struct jmember m;
    struct jscan s;
    size_t i;

    if (jscan_object(&s, object))
        return u;
    while (!jscan_next_member(&s, &m))
        for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
            if (jscan_key_is(&m, names[i]))
                read_count(m.value, places[i]);
    return u;
}

bool gemini_read_usage(struct jvalue v, struct counts *out, bool *has_output)
{
    struct counts c = {.is_known = true};
    int64_t input, rest;
    struct usage u;

    if (!v.raw.p || v.kind != JSCAN_OBJECT)
        return false;
    u = read_members(v);
    if (u.prompt < 0 && u.candidates < 0 && u.total < 0)
        return false;
    *has_output = u.candidates >= 0 || u.thoughts >= 0;
    c.out_think = usage_at_least_0(u.thoughts);
    c.out_all = usage_at_least_0(u.candidates) + c.out_think;
    if (u.prompt < 0)
        u.prompt = usage_at_least_0(u.total - c.out_all - usage_at_least_0(u.tool));
    c.in_read = usage_at_least_0(u.cached);
    if (c.in_read > u.prompt)
        log_warn("usage_cache_above_input", "input=%" PRId64 " read=%" PRId64, u.prompt, c.in_read);
    c.in_fresh = usage_at_least_0(u.prompt - c.in_read) + usage_at_least_0(u.tool);
    /* What the total has beyond its parts is output that was not told apart. */
    input = u.prompt + usage_at_least_0(u.tool);
    rest = u.total - input - c.out_all;
    if (u.total >= 0 && rest != 0)
        log_warn("usage_total", "input=%" PRId64 " output=%" PRId64 " total=%" PRId64, input,
                 c.out_all, u.total);
    if (rest > 0) {
        c.out_all += rest;
        *has_output = true;
    }
    *out = c;
    return true;
}

void gemini_write_usage(struct jwrite *w, const struct encoder *e)
{
    const struct counts *c = &e->counts;
    int64_t prompt = c->in_fresh + c->in_read + c->in_write + c->in_write_1h;
    bool is_standard = slice_eq_z(e->service_tier, "default"); /* OpenAI's word for it */

    jwrite_key_object(w, "usageMetadata");
    jwrite_key_i64(w, "promptTokenCount", prompt);
    jwrite_key_i64(w, "candidatesTokenCount", c->out_all - c->out_think);
    jwrite_key_i64(w, "totalTokenCount", prompt + c->out_all);
    if (c->in_read > 0)
        jwrite_key_i64(w, "cachedContentTokenCount", c->in_read);
    if (c->out_think > 0)
        jwrite_key_i64(w, "thoughtsTokenCount", c->out_think);
    if (e->service_tier.n)
        jwrite_key_string(w, "serviceTier", is_standard ? SLICE("standard") : e->service_tier);
    if (e->cost)
        jwrite_key_raw(w, "cost", slice_of(e->cost));
    jwrite_object_end(w);
}
