#include "upstream/anthropic.h"

#include "upstream/usage_read.h"

void anthropic_usage_init(struct anthropic_usage *u)
{
    *u = (struct anthropic_usage){-1, -1, -1, -1, -1, -1, -1, {0}, false, ""};
}

static void copy_word(struct jvalue v, char *dst, size_t size)
{
    if (v.kind == JSCAN_STRING && v.raw.n > 2)
        (void)slice_copy_z(dst, size, (struct slice){v.raw.p + 1, v.raw.n - 2});
}

/* The counts that one usage object, or one of its rounds, tells. The cache's numbers come as a sum
 * and, from newer providers, by the time that the entries live. */
static bool read_counts(struct anthropic_usage *u, struct jvalue object, struct jvalue *rounds)
{
    bool has_output = false;
    struct jmember m;
    struct jscan s;

    if (jscan_object(&s, object))
        return false;
    while (!jscan_next_member(&s, &m)) {
        if (jscan_key_is(&m, "input_tokens")) {
            usage_read_count(m.value, &u->input);
        } else if (jscan_key_is(&m, "cache_read_input_tokens")) {
            usage_read_count(m.value, &u->read);
        } else if (jscan_key_is(&m, "cache_creation_input_tokens")) {
            usage_read_count(m.value, &u->created);
        } else if (jscan_key_is(&m, "cache_creation")) {
            usage_read_member(m.value, "ephemeral_5m_input_tokens", &u->created_5m);
            usage_read_member(m.value, "ephemeral_1h_input_tokens", &u->created_1h);
        } else if (jscan_key_is(&m, "output_tokens")) {
            has_output = m.value.kind == JSCAN_NUMBER;
            usage_read_count(m.value, &u->output);
        } else if (jscan_key_is(&m, "output_tokens_details")) {
            usage_read_member(m.value, "thinking_tokens", &u->think);
        } else if (jscan_key_is(&m, "service_tier")) {
            copy_word(m.value, u->tier, sizeof(u->tier));
        } else if (jscan_key_is(&m, "iterations")) {
            *rounds = m.value;
        }
    }
    return has_output;
}

static int64_t sum(int64_t a, int64_t b)
{
    return usage_at_least_0(a) + usage_at_least_0(b) > COUNT_MAX
               ? COUNT_MAX
               : usage_at_least_0(a) + usage_at_least_0(b);
}

/* With rounds of sampling (compaction, fallbacks) the numbers at the top are only those of the last
 * kind; all are billed. */
static void read_rounds(struct anthropic_usage *u, struct jvalue rounds)
{
    struct anthropic_usage total, one;
    struct jvalue round, inner;
    struct jscan s;
    size_t n = 0;

    if (!rounds.raw.p || jscan_array(&s, rounds))
        return;
    anthropic_usage_init(&total);
    for (; !jscan_next_element(&s, &round); n++) {
        anthropic_usage_init(&one);
        (void)read_counts(&one, round, &inner);
        if (one.created_5m < 0 && one.created_1h < 0)
            one.created_5m = one.created;
        total.input = sum(total.input, one.input);
        total.read = sum(total.read, one.read);
        total.created = sum(total.created, one.created);
        total.created_5m = sum(total.created_5m, one.created_5m);
        total.created_1h = sum(total.created_1h, one.created_1h);
        total.output = sum(total.output, one.output);
        total.think = sum(total.think, one.think);
    }
    if (n == 0 || total.output < usage_at_least_0(u->output))
        return; /* not the rounds that we know */
    u->input = total.input;
    u->read = total.read;
    u->created = total.created;
    u->created_5m = total.created_5m;
    u->created_1h = total.created_1h;
    u->output = total.output;
    u->think = total.think > usage_at_least_0(u->think) ? total.think : u->think;
}

void anthropic_usage_merge(struct anthropic_usage *u, struct jvalue v, bool is_final)
{
    struct jvalue rounds = {0}, speed;

    if (!v.raw.p || v.kind != JSCAN_OBJECT)
        return;
    if (read_counts(u, v, &rounds) && is_final)
        u->is_final = true;
    read_rounds(u, rounds);
    /* Its own prices go with the speed, whatever tier it was. */
    if (!jscan_find(v, "speed", &speed) && slice_eq_z(speed.raw, "\"fast\""))
        copy_word(speed, u->tier, sizeof(u->tier));
}

bool anthropic_usage_counts(const struct anthropic_usage *u, struct counts *out)
{
    struct counts c = {.is_known = true};
    int64_t created = usage_at_least_0(u->created), seen = text_size_tokens(&u->seen);

    c.in_fresh = usage_at_least_0(u->input);
    c.in_read = usage_at_least_0(u->read);
    c.in_write_1h = usage_at_least_0(u->created_1h);
    c.in_write = usage_at_least_0(u->created_5m);
    if (c.in_write + c.in_write_1h < created)
        c.in_write = created - c.in_write_1h; /* not told apart: the shorter time */
    c.out_all = usage_at_least_0(u->output);
    if (!u->is_final) {
        /* Many servers tell 0 at first; an answer that is cut must not be free. */
        if (c.in_fresh + c.in_read + c.in_write + c.in_write_1h == 0)
            return false;
        c.out_all = c.out_all > seen ? c.out_all : seen;
        c.is_estimated = true;
    }
    c.out_think = u->think < c.out_all ? usage_at_least_0(u->think) : c.out_all;
    *out = c;
    return true;
}

/* What stands in the usage of a message and of a message_delta. */
static void open_usage(struct jwrite *w, const struct counts *c)
{
    jwrite_object(w);
    jwrite_key_i64(w, "input_tokens", c->in_fresh);
    jwrite_key_i64(w, "cache_creation_input_tokens", c->in_write + c->in_write_1h);
    jwrite_key_i64(w, "cache_read_input_tokens", c->in_read);
    jwrite_key_i64(w, "output_tokens", c->out_all);
    jwrite_key_object(w, "output_tokens_details");
    jwrite_key_i64(w, "thinking_tokens", c->out_think);
    jwrite_object_end(w);
    jwrite_key_null(w, "server_tool_use");
}

static void close_usage(struct jwrite *w, const char *cost)
{
    if (cost)
        jwrite_key_raw(w, "cost", slice_of(cost));
    jwrite_object_end(w);
}

void anthropic_write_usage(struct jwrite *w, const struct counts *c, struct slice tier,
                           const char *cost)
{
    bool is_known_tier = slice_eq_z(tier, "priority") || slice_eq_z(tier, "batch");

    open_usage(w, c);
    jwrite_key_object(w, "cache_creation");
    jwrite_key_i64(w, "ephemeral_5m_input_tokens", c->in_write);
    jwrite_key_i64(w, "ephemeral_1h_input_tokens", c->in_write_1h);
    jwrite_object_end(w);
    jwrite_key_string(w, "service_tier", is_known_tier ? tier : SLICE("standard"));
    close_usage(w, cost);
}

void anthropic_write_delta_usage(struct jwrite *w, const struct counts *c, const char *cost)
{
    open_usage(w, c);
    close_usage(w, cost);
}
