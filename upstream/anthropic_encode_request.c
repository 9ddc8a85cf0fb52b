#include "upstream/anthropic_encode.h"

#include <stdlib.h>

#define MAX_OUT_DEFAULT 8192 /* tokens, when nobody knows the model's own limit */
#define MARKS_MAX       4
#define TOP_P_THINKING  0.95 /* the least beside thinking */
#define NUMBER_SIZE     48

/* ---- what cannot be carried ---- */

static void drop_hints(struct anthropic_encode *r)
{
    const struct canon *c = r->c;
    const struct {
        bool is_there;
        enum canon_field field;
    } hints[] = {
        {c->seed.p != NULL,      FIELD_SEED     },
        {c->presence.p != NULL,  FIELD_PRESENCE },
        {c->frequency.p != NULL, FIELD_FREQUENCY},
        {c->verbosity.p != NULL, FIELD_VERBOSITY},
        {c->cache_key.p != NULL, FIELD_CACHE_KEY},
        {c->tier == TIER_FLEX,   FIELD_TIER     },
    };
    size_t i;

    for (i = 0; i < sizeof(hints) / sizeof(hints[0]); i++)
        if (hints[i].is_there)
            canon_drop(c, &r->p->drops, hints[i].field);
}

static enum err refuse(struct anthropic_encode *r, enum canon_field field)
{
    return plan_fault(r->p, canon_field(r->c, field), "not supported by this model");
}

static enum err check(struct anthropic_encode *r)
{
    const struct canon *c = r->c;

    if (c->choices > 1)
        return refuse(r, FIELD_CHOICES);
    if (c->wants_logprobs)
        return refuse(r, FIELD_LOGPROBS);
    if (c->top_logprobs > 0)
        return refuse(r, FIELD_TOP_LOGPROBS);
    if (c->logit_bias.p)
        return refuse(r, FIELD_LOGIT_BIAS);
    if (c->modalities & ~MODALITY_TEXT)
        return refuse(r, FIELD_MODALITIES);
    if (c->turns_n == 0)
        return plan_fault(r->p, "messages", "expected at least one message");
    return ERR_OK;
}

static void choose_max_out(struct anthropic_encode *r)
{
    r->is_own_max = r->c->max_out < 0;
    if (!r->is_own_max)
        r->max_out = r->c->max_out;
    else if (r->p->output_max_inject >= 0)
        r->max_out = r->p->output_max_inject;
    else
        r->max_out = r->cap->output_max > 0 ? r->cap->output_max : MAX_OUT_DEFAULT;
    if (r->cap->output_max > 0 && r->max_out > r->cap->output_max)
        r->max_out = r->cap->output_max; /* more is an error there */
}

/* ---- cache marks ---- */

static size_t count_marks(const struct anthropic_encode *r)
{
    const struct canon *c = r->c;
    size_t i, k, n = 0;

    for (i = 0; i < c->tools_n; i++)
        n += r->is_sent[i] && c->tools[i].kind != TOOL_HOSTED && c->tools[i].cache != CACHE_NONE;
    for (i = 0; i < c->turns_n; i++)
        for (k = 0; k < c->turns[i].parts_n; k++) {
            const struct part *p = &c->turns[i].parts[k];
            bool is_text = p->kind == PART_TEXT || p->kind == PART_REFUSAL;

            n += p->cache != CACHE_NONE && p->kind != PART_THINKING && p->kind != PART_OPAQUE &&
                 !(is_text && slice_trim(p->text).n == 0);
        }
    return n;
}

/* ---- parameters ---- */

static double number_of(struct slice raw)
{
    char text[NUMBER_SIZE];

    (void)slice_copy_z(text, sizeof(text), raw);
    return strtod(text, NULL);
}

static bool is_thinking(const struct anthropic_encode *r)
{
    return r->thinking == THINKING_BUDGET || r->thinking == THINKING_ADAPTIVE;
}

/* Thinking wants temperature 1, no top_k and a high top_p; newer models take only one of
 * temperature and top_p, the newest none. */
static void write_sampling(struct anthropic_encode *r)
{
    const struct canon *c = r->c;
    bool has_temperature = c->temperature.p && r->cap->has_sampling &&
                           (!is_thinking(r) || number_of(c->temperature) == 1.0);
    bool has_top_p = c->top_p.p && r->cap->has_sampling && !has_temperature &&
                     (!is_thinking(r) || number_of(c->top_p) >= TOP_P_THINKING);
    bool has_top_k = c->top_k.p && r->cap->has_sampling && !is_thinking(r);

    if (has_temperature)
        jwrite_key_raw(&r->w, "temperature",
                       number_of(c->temperature) > 1.0 ? SLICE("1") : c->temperature);
    else if (c->temperature.p)
        canon_drop(c, &r->p->drops, FIELD_TEMPERATURE);
    if (has_top_p)
        jwrite_key_raw(&r->w, "top_p", c->top_p);
    else if (c->top_p.p)
        canon_drop(c, &r->p->drops, FIELD_TOP_P);
    if (has_top_k)
        jwrite_key_raw(&r->w, "top_k", c->top_k);
    else if (c->top_k.p)
        canon_drop(c, &r->p->drops, FIELD_TOP_K);
}

static void write_stops(struct anthropic_encode *r)
{
    const struct canon *c = r->c;
    size_t i, n = 0;

    for (i = 0; i < c->stops_n; i++) {
        if (slice_trim(c->stops[i]).n == 0) {
            canon_drop(c, &r->p->drops, FIELD_STOP);
            continue;
        }
        if (n++ == 0)
            jwrite_key_array(&r->w, "stop_sequences");
        jwrite_string(&r->w, c->stops[i]);
    }
    if (n)
        jwrite_array_end(&r->w);
}

/* Newer models keep their thinking to themselves unless they are asked for it, and with it the short
 * texts between calls; it costs nothing more. */
static void write_thinking(struct anthropic_encode *r)
{
    if (r->thinking == THINKING_UNSET)
        return;
    jwrite_key_object(&r->w, "thinking");
    if (r->thinking == THINKING_DISABLED) {
        jwrite_key_z(&r->w, "type", r->cap->thinks_between_tools ? "between_tools" : "disabled");
    } else if (r->thinking == THINKING_BUDGET) {
        jwrite_key_z(&r->w, "type", "enabled");
        jwrite_key_i64(&r->w, "budget_tokens", r->budget);
    } else {
        jwrite_key_z(&r->w, "type", "adaptive");
        jwrite_key_z(&r->w, "display", r->c->think.show == 0 ? "omitted" : "summarized");
    }
    jwrite_object_end(&r->w);
}

static void write_output_config(struct anthropic_encode *r)
{
    bool has_schema = r->c->format.kind == OUTPUT_SCHEMA && r->cap->has_schema;

    if (!has_schema && r->effort == EFFORT_UNSET)
        return;
    jwrite_key_object(&r->w, "output_config");
    if (r->effort != EFFORT_UNSET)
        jwrite_key_z(&r->w, "effort", effort_word(r->effort));
    if (has_schema) {
        jwrite_key_object(&r->w, "format");
        jwrite_key_z(&r->w, "type", "json_schema");
        jwrite_key_raw(&r->w, "schema",
                       r->c->format.schema.p ? r->c->format.schema
                                             : SLICE("{\"type\":\"object\"}"));
        jwrite_object_end(&r->w);
    }
    jwrite_object_end(&r->w);
}

static void write_rest(struct anthropic_encode *r)
{
    const struct canon *c = r->c;

    write_thinking(r);
    write_output_config(r);
    write_sampling(r);
    write_stops(r);
    if (c->user.n) {
        jwrite_key_object(&r->w, "metadata");
        jwrite_key_string(&r->w, "user_id", c->user);
        jwrite_object_end(&r->w);
    }
    if (c->tier == TIER_PRIORITY || c->tier == TIER_DEFAULT)
        jwrite_key_z(&r->w, "service_tier", c->tier == TIER_PRIORITY ? "auto" : "standard_only");
    if (c->is_stream)
        jwrite_key_bool(&r->w, "stream", true);
}

/* Tools, system and messages in the order in which the provider's cache reads them. */
static enum err write_body(struct anthropic_encode *r)
{
    enum err e;

    jwrite_object(&r->w);
    jwrite_key_z(&r->w, "model", r->p->model);
    jwrite_key_i64(&r->w, "max_tokens", r->max_out);
    e = anthropic_write_tools(r);
    if (e)
        return e;
    anthropic_write_choice(r);
    e = anthropic_write_system(r);
    if (!e)
        e = anthropic_write_messages(r);
    if (e)
        return e;
    write_rest(r);
    jwrite_object_end(&r->w);
    return jwrite_end(&r->w);
}

enum err anthropic_encode_request(struct canon *c, struct plan *p, struct buf *out)
{
    struct anthropic_encode r = {.c = c, .p = p, .cap = p->capability};
    size_t marks;
    enum err e;

    jwrite_init(&r.w, out);
    e = check(&r);
    if (!e)
        e = canon_alternate(c, p->capability->has_system_turns, &r.system_n);
    if (!e)
        e = anthropic_choose_tools(&r);
    if (e)
        return e;
    choose_max_out(&r);
    e = anthropic_choose(&r);
    if (e)
        return e;
    drop_hints(&r);
    marks = count_marks(&r);
    r.marks_left_out = marks > MARKS_MAX ? marks - MARKS_MAX : 0;
    if (r.marks_left_out)
        canon_drop(c, &p->drops, FIELD_CACHE);
    return write_body(&r);
}
