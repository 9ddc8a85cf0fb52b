#include "upstream/openai_chat.h"

#include "upstream/openai_chat_encode.h"
#include "upstream/thinking.h"

#define STOPS_SENT_MAX 4
#define USER_MAX       128
#define FORMAT_NAME    "response"
#define FORMAT_MAX     64
#define ONLY_JSON      SLICE("Answer with JSON only.")

/* ---- what cannot be carried ---- */

static enum err check(struct chat_encode *x)
{
    const struct canon *c = x->canon;

    if (c->choices > 1)
        return plan_fault(x->plan, canon_field(c, FIELD_CHOICES),
                          "more than one answer cannot be carried over from this model");
    if (c->wants_logprobs)
        return plan_fault(x->plan, canon_field(c, FIELD_LOGPROBS),
                          "log probabilities cannot be carried over from this model");
    if ((c->modalities & MODALITY_AUDIO) ||
        (c->modalities & MODALITY_IMAGE & ~x->capability->output))
        return plan_fault(x->plan, canon_field(c, FIELD_MODALITIES),
                          "this model cannot answer in the modality that was asked for");
    return ERR_OK;
}

/* ---- sampling ---- */

static void write_sampling(struct chat_encode *x, const char *name, struct slice number,
                           enum canon_field field)
{
    if (!number.p)
        return;
    if (x->capability->has_sampling)
        jwrite_key_raw(&x->w, name, number);
    else
        canon_drop(x->canon, &x->plan->drops, field);
}

/* Models that reason know no stop sequences, and none takes more than four: the rest is found in
 * the answer's text. */
static void write_stops(struct chat_encode *x)
{
    const struct canon *c = x->canon;
    size_t i, n = c->stops_n < STOPS_SENT_MAX ? c->stops_n : STOPS_SENT_MAX;

    if (x->is_openai && !x->capability->has_sampling)
        n = 0;
    x->plan->cuts_stops = n < c->stops_n;
    if (n == 0)
        return;
    jwrite_key_array(&x->w, "stop");
    for (i = 0; i < n; i++)
        jwrite_string(&x->w, c->stops[i]);
    jwrite_array_end(&x->w);
}

static void write_output_max(struct chat_encode *x)
{
    int64_t max = x->canon->max_out >= 0 ? x->canon->max_out : x->plan->output_max_inject;

    if (max < 0)
        return;
    if (x->capability->output_max > 0 && max > x->capability->output_max)
        max = x->capability->output_max; /* it writes no more in any case */
    jwrite_key_i64(&x->w, x->is_openai ? "max_completion_tokens" : "max_tokens", max);
}

static void write_numbers(struct chat_encode *x)
{
    const struct canon *c = x->canon;

    write_output_max(x);
    write_sampling(x, "temperature", c->temperature, FIELD_TEMPERATURE);
    write_sampling(x, "top_p", c->top_p, FIELD_TOP_P);
    write_sampling(x, "presence_penalty", c->presence, FIELD_PRESENCE);
    write_sampling(x, "frequency_penalty", c->frequency, FIELD_FREQUENCY);
    if (c->top_k.p)
        canon_drop(c, &x->plan->drops, FIELD_TOP_K);
    if (c->seed.p)
        jwrite_key_raw(&x->w, "seed", c->seed);
    if (c->logit_bias.p)
        jwrite_key_raw(&x->w, "logit_bias", c->logit_bias);
    write_stops(x);
}

/* ---- thinking ---- */

/* Providers whose models want their thinking back switch it by `thinking`, all others by the word
 * alone. */
static void write_thinking(struct chat_encode *x)
{
    const struct think *t = &x->canon->think;
    enum effort effort = thinking_effort(t, x->capability);

    if (x->capability->think == THINK_STYLE_NONE) {
        if (t->mode == THINK_ON || effort > EFFORT_NONE)
            canon_drop(x->canon, &x->plan->drops, FIELD_THINK);
        return;
    }
    if (x->capability->wants_reasoning && t->mode != THINK_UNSET) {
        bool is_off = thinking_is_off(t, x->capability);

        jwrite_key_object(&x->w, "thinking");
        jwrite_key_z(&x->w, "type", is_off ? "disabled" : "enabled");
        jwrite_object_end(&x->w);
        if (is_off)
            return;
    }
    if (effort != EFFORT_UNSET)
        jwrite_key_z(&x->w, "reasoning_effort", effort_word(effort));
}

/* ---- structured output ---- */

/* The schema's name, which may hold what tool names may. */
static struct slice format_name(const struct chat_encode *x)
{
    struct slice name = x->canon->format.name;
    size_t i;

    for (i = 0; i < name.n; i++) {
        char c = name.p[i];

        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
              c == '_' || c == '-'))
            return SLICE(FORMAT_NAME);
    }
    return name.n > 0 && name.n <= FORMAT_MAX ? name : SLICE(FORMAT_NAME);
}

static void write_schema(struct chat_encode *x)
{
    const struct output_format *f = &x->canon->format;
    struct jwrite *w = &x->w;

    jwrite_key_object(w, "response_format");
    jwrite_key_z(w, "type", "json_schema");
    jwrite_key_object(w, "json_schema");
    jwrite_key_string(w, "name", format_name(x));
    jwrite_key_raw(w, "schema", f->schema);
    if (f->strict >= 0)
        jwrite_key_bool(w, "strict", f->strict == 1);
    jwrite_object_end(w);
    jwrite_object_end(w);
}

/* Sets the line that stands for what the provider's format cannot say. */
static enum err write_format(struct chat_encode *x)
{
    const struct output_format *f = &x->canon->format;
    const char *line;

    if (f->kind == OUTPUT_TEXT)
        return ERR_OK;
    if (f->kind == OUTPUT_SCHEMA && x->capability->has_schema) {
        write_schema(x);
        return ERR_OK;
    }
    jwrite_key_object(&x->w, "response_format");
    jwrite_key_z(&x->w, "type", "json_object");
    jwrite_object_end(&x->w);
    if (f->kind == OUTPUT_JSON) {
        /* The prompt must speak of JSON; clients of OpenAI's formats know that. */
        if (x->canon->vendor != VENDOR_OPENAI)
            x->first_line = ONLY_JSON;
        return ERR_OK;
    }
    line = arena_printf(x->plan->arena, "Answer with JSON only, matching this JSON schema:\n%.*s",
                        SLICE_FMT(f->schema));
    x->first_line = slice_of(line);
    return line ? ERR_OK : ERR_MEMORY;
}

/* ---- the rest ---- */

static void write_text(struct chat_encode *x, const char *name, struct slice text,
                       enum canon_field field)
{
    if (!text.n)
        return;
    if (x->is_openai)
        jwrite_key_string(&x->w, name, text);
    else
        canon_drop(x->canon, &x->plan->drops, field);
}

static void write_user(struct chat_encode *x)
{
    struct slice user = x->canon->user;

    if (user.n > USER_MAX)
        canon_drop(x->canon, &x->plan->drops, FIELD_USER);
    else if (user.n)
        jwrite_key_string(&x->w, x->is_openai ? "safety_identifier" : "user", user);
}

static void write_tier(struct chat_encode *x)
{
    static const char *const words[] = {
        [TIER_DEFAULT] = "default", [TIER_FLEX] = "flex", [TIER_PRIORITY] = "priority"};
    enum service_tier tier = x->canon->tier;

    if (tier == TIER_UNSET || tier == TIER_AUTO)
        return;
    if (x->is_openai)
        jwrite_key_z(&x->w, "service_tier", words[tier]);
    else
        canon_drop(x->canon, &x->plan->drops, FIELD_TIER);
}

static void write_options(struct chat_encode *x)
{
    const struct canon *c = x->canon;
    struct jwrite *w = &x->w;

    write_text(x, "verbosity", c->verbosity, FIELD_VERBOSITY);
    write_text(x, "prompt_cache_key", c->cache_key, FIELD_CACHE_KEY);
    write_user(x);
    write_tier(x);
    if (c->modalities & MODALITY_IMAGE)
        jwrite_key_raw(w, "modalities", SLICE("[\"image\",\"text\"]"));
    if (!c->is_stream)
        return;
    jwrite_key_bool(w, "stream", true);
    jwrite_key_raw(w, "stream_options", SLICE("{\"include_usage\":true}"));
}

enum err chat_encode_request(struct canon *c, struct plan *p, struct buf *out)
{
    struct chat_encode x = {.canon = c,
                            .plan = p,
                            .capability = p->capability,
                            .is_openai = p->capability->has_max_completion_tokens};
    enum err e = check(&x);

    if (e)
        return e;
    jwrite_init(&x.w, out);
    jwrite_object(&x.w);
    jwrite_key_z(&x.w, "model", p->model);
    write_numbers(&x);
    write_thinking(&x);
    e = write_format(&x);
    if (!e)
        e = chat_encode_tools(&x);
    if (!e)
        e = chat_encode_messages(&x);
    if (e)
        return e;
    write_options(&x);
    jwrite_object_end(&x.w);
    return jwrite_end(&x.w);
}
