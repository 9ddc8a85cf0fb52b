#include "upstream/gemini.h"

#include "base/buf.h"
#include "upstream/thinking.h"

#include <inttypes.h>
#include <string.h>

#define STOPS_MAX 5
#define JSON_ONLY "Answer with a JSON object only, without any other text."
#define JSON_SCHEMA                                                                                \
    "Answer with JSON only, without any other text, that is valid against this JSON Schema: "

/* ---- thinking ---- */

enum think_style gemini_think_style(const struct plan *p)
{
    enum think_style style = p->capability->think;
    struct slice model = slice_of(p->model);

    if (style != THINK_STYLE_EFFORT && style != THINK_STYLE_ADAPTIVE)
        return style;
    if (slice_starts(model, "models/")) {
        model.p += strlen("models/");
        model.n -= strlen("models/");
    }
    if (slice_starts(model, "gemini-1") || slice_starts(model, "gemini-2.0") ||
        slice_starts(model, "gemma"))
        return THINK_STYLE_NONE;
    return slice_starts(model, "gemini-2.5") ? THINK_STYLE_BUDGET : THINK_STYLE_LEVEL;
}

static const char *level_of(const struct canon *c, const struct plan *p)
{
    const struct capability *cap = p->capability;
    bool has_minimal = cap->efforts == 0 || (cap->efforts & 1U << EFFORT_MINIMAL) != 0;

    switch (thinking_effort(&c->think, cap)) {
    case EFFORT_UNSET:
        return NULL;
    case EFFORT_NONE:
    case EFFORT_MINIMAL:
        return has_minimal ? "MINIMAL" : "LOW";
    case EFFORT_LOW:
        return "LOW";
    case EFFORT_MEDIUM:
        return "MEDIUM";
    case EFFORT_HIGH:
    case EFFORT_XHIGH:
    case EFFORT_MAX:
    default:
        return "HIGH";
    }
}

static bool asks_for_thinking(const struct canon *c)
{
    return c->think.mode == THINK_ON || c->think.effort > EFFORT_NONE || c->think.budget > 0;
}

/* Thoughts cost nothing more to see. Clients of OpenAI's formats show them whenever they come; but
 * a model that cannot think refuses the wish, so that nobody may be asked who is not known. */
static bool shows_thoughts(const struct canon *c, const struct plan *p)
{
    enum think_style style = p->capability->think;
    bool is_known = style == THINK_STYLE_BUDGET || style == THINK_STYLE_LEVEL;

    if (c->think.mode == THINK_OFF || c->think.effort == EFFORT_NONE || c->think.show == 0)
        return false;
    if (c->think.show == 1 || asks_for_thinking(c))
        return true;
    return c->vendor == VENDOR_OPENAI && is_known;
}

static void write_thinking(struct canon *c, struct plan *p, struct jwrite *w)
{
    enum think_style style = gemini_think_style(p);
    const char *level = style == THINK_STYLE_LEVEL ? level_of(c, p) : NULL;
    int64_t budget = style == THINK_STYLE_BUDGET ? thinking_budget(&c->think, p->capability) : -1;
    bool is_shown = shows_thoughts(c, p);

    if (style == THINK_STYLE_NONE) {
        if (asks_for_thinking(c))
            canon_drop(c, &p->drops, FIELD_THINK);
        return;
    }
    if (!level && budget < 0 && !is_shown)
        return;
    jwrite_key_object(w, "thinkingConfig");
    if (is_shown)
        jwrite_key_bool(w, "includeThoughts", true);
    if (level)
        jwrite_key_z(w, "thinkingLevel", level);
    else if (budget >= 0)
        jwrite_key_i64(w, "thinkingBudget", budget);
    jwrite_object_end(w);
}

/* ---- the form of the answer ---- */

bool gemini_asks_in_words(const struct canon *c, const struct plan *p)
{
    size_t i;

    if (c->format.kind == OUTPUT_TEXT || gemini_think_style(p) == THINK_STYLE_LEVEL)
        return false;
    for (i = 0; i < c->tools_n; i++)
        if (c->tools[i].kind != TOOL_HOSTED)
            return true; /* models up to 2.5 refuse a JSON answer beside functions */
    return false;
}

static enum err write_format(struct canon *c, struct plan *p, struct jwrite *w)
{
    if (c->format.kind == OUTPUT_TEXT || gemini_asks_in_words(c, p))
        return ERR_OK;
    jwrite_key_z(w, "responseMimeType", "application/json");
    if (c->format.kind != OUTPUT_SCHEMA)
        return ERR_OK;
    if (!p->capability->has_schema) {
        canon_drop(c, &p->drops, FIELD_FORMAT);
        return ERR_OK;
    }
    if (p->capability->has_json_schema_tools) {
        jwrite_key_raw(w, "responseJsonSchema", c->format.schema);
        return ERR_OK;
    }
    jwrite_key(w, "responseSchema");
    return gemini_schema_clean(c->format.schema, p->arena, w);
}

static enum err write_modalities(struct canon *c, struct plan *p, struct jwrite *w)
{
    static const struct {
        unsigned bit;
        const char *word;
    } words[] = {
        {MODALITY_TEXT,  "TEXT" },
        {MODALITY_IMAGE, "IMAGE"},
        {MODALITY_AUDIO, "AUDIO"},
        {MODALITY_VIDEO, "VIDEO"},
    };
    size_t i;

    if (c->modalities == 0 || c->modalities == MODALITY_TEXT)
        return ERR_OK;
    if (c->modalities & ~p->capability->output)
        return plan_fault(p, canon_field(c, FIELD_MODALITIES),
                          "this model does not give answers of that kind");
    jwrite_key_array(w, "responseModalities");
    for (i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (c->modalities & words[i].bit)
            jwrite_string(w, slice_of(words[i].word));
    jwrite_array_end(w);
    return ERR_OK;
}

/* One word for all media of the request; the higher one wins. */
static void write_resolution(const struct canon *c, struct jwrite *w)
{
    enum media_detail detail = DETAIL_UNSET;
    size_t i, k;

    for (i = 0; i < c->turns_n; i++)
        for (k = 0; k < c->turns[i].parts_n; k++)
            if (c->turns[i].parts[k].kind == PART_IMAGE &&
                c->turns[i].parts[k].media.detail > detail)
                detail = c->turns[i].parts[k].media.detail;
    if (detail != DETAIL_UNSET)
        jwrite_key_z(w, "mediaResolution",
                     detail == DETAIL_LOW ? "MEDIA_RESOLUTION_LOW" : "MEDIA_RESOLUTION_HIGH");
}

/* ---- numbers ---- */

static void write_output_max(const struct canon *c, const struct plan *p, struct jwrite *w)
{
    int64_t max = c->max_out >= 0 ? c->max_out : p->output_max_inject;
    int64_t model_max = p->capability->output_max;

    if (model_max > 0 && max > model_max)
        max = model_max; /* more is an error */
    if (max >= 0)
        jwrite_key_i64(w, "maxOutputTokens", max);
}

static void write_sampling(struct canon *c, struct plan *p, struct jwrite *w)
{
    const struct {
        struct slice value;
        enum canon_field field;
        const char *name;
    } numbers[] = {
        {c->temperature, FIELD_TEMPERATURE, "temperature"},
        {c->top_p,       FIELD_TOP_P,       "topP"       },
        {c->top_k,       FIELD_TOP_K,       "topK"       },
    };
    size_t i;

    for (i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        if (!numbers[i].value.p)
            continue;
        if (p->capability->has_sampling)
            jwrite_key_raw(w, numbers[i].name, numbers[i].value);
        else
            canon_drop(c, &p->drops, numbers[i].field);
    }
    if (c->presence.p)
        jwrite_key_raw(w, "presencePenalty", c->presence);
    if (c->frequency.p)
        jwrite_key_raw(w, "frequencyPenalty", c->frequency);
}

/* 32 bits here, 64 elsewhere. */
static void write_seed(struct canon *c, struct plan *p, struct jwrite *w)
{
    int64_t seed;

    if (!c->seed.p)
        return;
    if (jscan_i64((struct jvalue){JSCAN_NUMBER, c->seed}, &seed) || seed < INT32_MIN ||
        seed > INT32_MAX)
        canon_drop(c, &p->drops, FIELD_SEED);
    else
        jwrite_key_i64(w, "seed", seed);
}

static void write_stops(struct canon *c, struct plan *p, struct jwrite *w)
{
    size_t i;

    if (c->stops_n == 0)
        return;
    jwrite_key_array(w, "stopSequences");
    for (i = 0; i < c->stops_n && i < STOPS_MAX; i++)
        jwrite_string(w, c->stops[i]);
    jwrite_array_end(w);
    if (c->stops_n > STOPS_MAX)
        canon_drop(c, &p->drops, FIELD_STOP);
}

enum err gemini_encode_config(struct canon *c, struct plan *p, struct jwrite *w)
{
    enum err e;

    jwrite_key_object(w, "generationConfig");
    write_output_max(c, p, w);
    write_sampling(c, p, w);
    write_seed(c, p, w);
    write_stops(c, p, w);
    e = write_format(c, p, w);
    if (!e)
        e = write_modalities(c, p, w);
    if (e)
        return e;
    write_resolution(c, w);
    write_thinking(c, p, w);
    jwrite_object_end(w);
    return w->e;
}

/* ---- the whole ---- */

static enum err refuse(struct canon *c, struct plan *p)
{
    if (c->choices > 1)
        return plan_fault(p, canon_field(c, FIELD_CHOICES),
                          "this model gives one answer at a time");
    if (c->wants_logprobs || c->top_logprobs > 0)
        return plan_fault(p, canon_field(c, FIELD_LOGPROBS), "not available with this model");
    if (c->logit_bias.p)
        return plan_fault(p, canon_field(c, FIELD_LOGIT_BIAS), "not available with this model");
    if (c->tools_n && !p->capability->has_tools)
        return plan_fault(p, canon_field(c, FIELD_TOOLS), "this model takes no tools");
    return ERR_OK;
}

static bool has_names(const struct canon *c)
{
    size_t i;

    for (i = 0; i < c->turns_n; i++)
        if (c->turns[i].name.n)
            return true;
    return false;
}

static bool has_cache_marks(const struct canon *c)
{
    size_t i, k;

    for (i = 0; i < c->tools_n; i++)
        if (c->tools[i].cache != CACHE_NONE)
            return true;
    for (i = 0; i < c->turns_n; i++)
        for (k = 0; k < c->turns[i].parts_n; k++)
            if (c->turns[i].parts[k].cache != CACHE_NONE)
                return true;
    return false;
}

static void note_drops(struct canon *c, struct plan *p)
{
    if (c->verbosity.p)
        canon_drop(c, &p->drops, FIELD_VERBOSITY);
    if (c->user.p)
        canon_drop(c, &p->drops, FIELD_USER);
    if (c->cache_key.p)
        canon_drop(c, &p->drops, FIELD_CACHE_KEY);
    if (c->parallel == 0)
        canon_drop(c, &p->drops, FIELD_PARALLEL);
    if (has_names(c))
        canon_drop(c, &p->drops, FIELD_NAME);
    if (has_cache_marks(c))
        canon_drop(c, &p->drops, FIELD_CACHE);
}

static enum err write_system(struct canon *c, struct plan *p, size_t system_n, struct jwrite *w)
{
    bool is_asked = gemini_asks_in_words(c, p), is_first = true;
    size_t i, k;

    if (system_n == 0 && !is_asked)
        return ERR_OK;
    jwrite_key_object(w, "systemInstruction");
    jwrite_key_array(w, "parts");
    jwrite_object(w);
    jwrite_key(w, "text");
    jwrite_string_begin(w);
    for (i = 0; i < system_n; i++)
        for (k = 0; k < c->turns[i].parts_n; k++) {
            const struct part *part = &c->turns[i].parts[k];

            if (part->kind != PART_TEXT && part->kind != PART_REFUSAL)
                return plan_fault(p, part->at, "the system prompt of this model is text only");
            if (!is_first)
                jwrite_text(w, SLICE("\n\n"));
            is_first = false;
            jwrite_text(w, part->text);
        }
    if (is_asked) {
        if (!is_first)
            jwrite_text(w, SLICE("\n\n"));
        jwrite_text(w, c->format.kind == OUTPUT_SCHEMA ? SLICE(JSON_SCHEMA) : SLICE(JSON_ONLY));
        jwrite_text(w, c->format.kind == OUTPUT_SCHEMA ? c->format.schema : SLICE(""));
    }
    jwrite_string_end(w);
    jwrite_object_end(w);
    jwrite_array_end(w);
    jwrite_object_end(w);
    return w->e;
}

static void write_tier(const struct canon *c, struct jwrite *w)
{
    static const char *const words[] = {
        [TIER_UNSET] = NULL,  [TIER_AUTO] = NULL,           [TIER_DEFAULT] = "standard",
        [TIER_FLEX] = "flex", [TIER_PRIORITY] = "priority",
    };

    if (words[c->tier])
        jwrite_key_z(w, "serviceTier", words[c->tier]);
}

static enum err write_all(struct canon *c, struct plan *p, size_t system_n, struct jwrite *w)
{
    enum err e;

    jwrite_object(w);
    e = write_system(c, p, system_n, w);
    if (!e)
        e = gemini_encode_tools(c, p, w);
    if (!e)
        e = gemini_encode_contents(c, p, system_n, w);
    if (!e)
        e = gemini_encode_config(c, p, w);
    if (e)
        return e;
    write_tier(c, w);
    jwrite_object_end(w);
    return jwrite_end(w);
}

enum err gemini_encode_request(struct canon *c, struct plan *p, struct buf *out)
{
    size_t system_n;
    struct jwrite w;
    enum err e = refuse(c, p);

    if (e)
        return e;
    note_drops(c, p);
    e = canon_alternate(c, false, &system_n);
    if (e)
        return e;
    if (c->turns_n && c->turns[c->turns_n - 1].role == CANON_ASSISTANT &&
        !p->capability->has_prefill)
        return plan_fault(p, c->turns[c->turns_n - 1].at,
                          "assistant prefill is not supported by this model");
    jwrite_init(&w, out);
    return write_all(c, p, system_n, &w);
}
