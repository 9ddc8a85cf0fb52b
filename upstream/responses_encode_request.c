#include "upstream/responses.h"

#include "base/hash.h"
#include "upstream/thinking.h"
#include "upstream/translate.h"

#include <stdlib.h>

#define ID_CHARS_MAX 64 /* of safety_identifier and prompt_cache_key */
#define SYSTEM_GAP   "\n\n"
#define SCHEMA_NAME  "response" /* of a schema without a name */

/* ---- what cannot be carried ---- */

static const struct {
    enum canon_field field;
    size_t offset; /* in struct canon, of a slice that is p NULL when not said */
} left_out[] = {
    {FIELD_TOP_K,     offsetof(struct canon, top_k)    },
    {FIELD_SEED,      offsetof(struct canon, seed)     },
    {FIELD_PRESENCE,  offsetof(struct canon, presence) },
    {FIELD_FREQUENCY, offsetof(struct canon, frequency)},
};

static enum err refuse(struct canon *c, struct plan *p, enum canon_field f, const char *text)
{
    return plan_fault(p, canon_field(c, f), "%s", text);
}

static enum err check_output(struct canon *c, struct plan *p)
{
    if (c->choices > 1)
        return refuse(c, p, FIELD_CHOICES, "this model gives one answer at a time");
    if (c->wants_logprobs || c->top_logprobs > 0)
        return refuse(c, p, FIELD_LOGPROBS, "not available for this model");
    if (c->logit_bias.p)
        return refuse(c, p, FIELD_LOGIT_BIAS, "not available for this model");
    if (c->modalities & MODALITY_AUDIO)
        return refuse(c, p, FIELD_MODALITIES, "this model does not speak");
    if (c->modalities & MODALITY_IMAGE & ~p->capability->output)
        return refuse(c, p, FIELD_MODALITIES, "this model does not make images");
    if (c->max_out >= 0 && c->max_out < RESPONSES_OUTPUT_MIN)
        return refuse(c, p, FIELD_MAX_OUT, "this model takes no limit below 16");
    if (c->format.kind == OUTPUT_SCHEMA && !p->capability->has_schema)
        return refuse(c, p, FIELD_FORMAT, "this model does not follow a schema");
    return ERR_OK;
}

static enum err check_prefill(struct canon *c, struct plan *p)
{
    const struct turn *last = c->turns_n ? &c->turns[c->turns_n - 1] : NULL;

    if (!last || last->role != CANON_ASSISTANT || last->parts_n == 0 || p->capability->has_prefill)
        return ERR_OK;
    return plan_fault(p, last->at, "assistant prefill is not supported by this model");
}

static void note_left_out(struct canon *c, struct plan *p)
{
    size_t i;

    for (i = 0; i < sizeof(left_out) / sizeof(left_out[0]); i++) {
        const struct slice *s = (const void *)((const char *)c + left_out[i].offset);

        if (s->p)
            canon_drop(c, &p->drops, left_out[i].field);
    }
    p->cuts_stops = c->stops_n > 0; /* there is no member for them */
}

/* ---- the members ---- */

/* The leading system turns are the instructions, when something else follows. */
static size_t count_system(const struct canon *c)
{
    size_t n = 0;

    while (n < c->turns_n && c->turns[n].role == CANON_SYSTEM)
        n++;
    return n == c->turns_n ? 0 : n;
}

static enum err write_instructions(struct canon *c, struct plan *p, struct jwrite *w,
                                   size_t system_n)
{
    bool is_first = true;
    size_t i, k;

    if (system_n == 0)
        return ERR_OK;
    jwrite_key(w, "instructions");
    jwrite_string_begin(w);
    for (i = 0; i < system_n; i++) {
        const struct turn *t = &c->turns[i];

        for (k = 0; k < t->parts_n; k++) {
            const struct part *part = &t->parts[k];

            if (part->kind != PART_TEXT)
                return plan_fault(p, part->at, "expected text in a system message");
            if (part->cache != CACHE_NONE)
                canon_drop(c, &p->drops, FIELD_CACHE);
            if (!is_first)
                jwrite_text(w, SLICE(SYSTEM_GAP));
            is_first = false;
            jwrite_text(w, part->text);
        }
    }
    jwrite_string_end(w);
    return ERR_OK;
}

/* Whether the model is to think, so that its reasoning must come in a form that can be sent back. */
static bool is_thinking(const struct canon *c, const struct plan *p, enum effort effort)
{
    if (p->capability->think == THINK_STYLE_NONE || effort == EFFORT_NONE)
        return false;
    return c->think.mode == THINK_ON || effort != EFFORT_UNSET || p->capability->thinks_always;
}

static void write_reasoning(struct canon *c, struct plan *p, struct jwrite *w)
{
    enum effort effort = thinking_effort(&c->think, p->capability);
    bool is_asked = c->think.mode != THINK_UNSET || c->think.effort != EFFORT_UNSET ||
                    c->think.budget >= 0;

    if (p->capability->think == THINK_STYLE_NONE) {
        if (is_asked && c->think.mode != THINK_OFF)
            canon_drop(c, &p->drops, FIELD_THINK);
        return;
    }
    if (effort != EFFORT_UNSET || c->think.show == 1) {
        jwrite_key_object(w, "reasoning");
        if (effort != EFFORT_UNSET)
            jwrite_key_z(w, "effort", effort_word(effort));
        if (c->think.show == 1 && effort != EFFORT_NONE)
            jwrite_key_z(w, "summary", "auto");
        jwrite_object_end(w);
    }
    if (is_thinking(c, p, effort)) {
        jwrite_key_array(w, "include");
        jwrite_string(w, SLICE("reasoning.encrypted_content"));
        jwrite_array_end(w);
    }
}

static void write_format(const struct output_format *f, struct jwrite *w)
{
    jwrite_key_object(w, "format");
    if (f->kind == OUTPUT_JSON) {
        jwrite_key_z(w, "type", "json_object");
    } else {
        jwrite_key_z(w, "type", "json_schema");
        jwrite_key_string(w, "name", f->name.n ? f->name : SLICE(SCHEMA_NAME));
        jwrite_key_raw(w, "schema", f->schema);
        if (f->strict >= 0)
            jwrite_key_bool(w, "strict", f->strict);
    }
    jwrite_object_end(w);
}

static void write_text_options(const struct canon *c, struct jwrite *w)
{
    if (c->format.kind == OUTPUT_TEXT && !c->verbosity.p)
        return;
    jwrite_key_object(w, "text");
    if (c->format.kind != OUTPUT_TEXT)
        write_format(&c->format, w);
    if (c->verbosity.p)
        jwrite_key_string(w, "verbosity", c->verbosity);
    jwrite_object_end(w);
}

static void write_limits(struct canon *c, struct plan *p, struct jwrite *w)
{
    int64_t max = c->max_out >= 0 ? c->max_out : p->output_max_inject;

    if (p->capability->output_max > 0 && max > p->capability->output_max)
        max = p->capability->output_max;
    if (max >= 0)
        jwrite_key_i64(w, "max_output_tokens", max);
    if (!p->capability->has_sampling) {
        if (c->temperature.p)
            canon_drop(c, &p->drops, FIELD_TEMPERATURE);
        if (c->top_p.p)
            canon_drop(c, &p->drops, FIELD_TOP_P);
        return;
    }
    if (c->temperature.p)
        jwrite_key_raw(w, "temperature", c->temperature);
    if (c->top_p.p)
        jwrite_key_raw(w, "top_p", c->top_p);
}

/* A name of the client's, or what stands for it when it is longer than the provider takes. */
static void write_id(struct jwrite *w, const char *member, struct slice id)
{
    char hex[2 * SHA256_BYTES + 1];
    uint8_t digest[SHA256_BYTES];

    if (id.n == 0)
        return;
    if (id.n > ID_CHARS_MAX) {
        hash_sha256(id, digest);
        hash_hex(hex, digest, sizeof(digest));
        id = slice_of(hex);
    }
    jwrite_key_string(w, member, id);
}

static void write_meta(const struct canon *c, struct jwrite *w)
{
    static const char *const tiers[] = {
        [TIER_UNSET] = NULL,  [TIER_AUTO] = "auto",         [TIER_DEFAULT] = "default",
        [TIER_FLEX] = "flex", [TIER_PRIORITY] = "priority",
    };

    write_id(w, "safety_identifier", c->user);
    write_id(w, "prompt_cache_key", c->cache_key);
    if (tiers[c->tier])
        jwrite_key_z(w, "service_tier", tiers[c->tier]);
    jwrite_key_bool(w, "store", false);
    if (c->is_stream)
        jwrite_key_bool(w, "stream", true);
}

static enum err write_body(struct canon *c, struct plan *p, struct jwrite *w)
{
    size_t system_n = count_system(c);
    enum err e;

    jwrite_object(w);
    jwrite_key_z(w, "model", p->model);
    e = write_instructions(c, p, w, system_n);
    if (e)
        return e;
    jwrite_key_array(w, "input");
    e = responses_encode_items(c, p, w, system_n);
    if (e)
        return e;
    jwrite_array_end(w);
    e = responses_encode_tools(c, p, w);
    if (e)
        return e;
    write_reasoning(c, p, w);
    write_text_options(c, w);
    write_limits(c, p, w);
    write_meta(c, w);
    jwrite_object_end(w);
    return jwrite_end(w);
}

enum err responses_encode_request(struct canon *c, struct plan *p, struct buf *out)
{
    struct jwrite w;
    enum err e = check_output(c, p);

    if (!e)
        e = check_prefill(c, p);
    if (e)
        return e;
    note_left_out(c, p);
    jwrite_init(&w, out);
    return write_body(c, p, &w);
}
