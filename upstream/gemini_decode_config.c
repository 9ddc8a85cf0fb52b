#include "upstream/gemini.h"

#include <ctype.h>
#include <string.h>

#define CONFIG      "generationConfig."
#define THINKING    CONFIG "thinkingConfig"
#define WORD_SIZE   64
#define SCHEMA_WORD "response"

/* word in lower case; cut at WORD_SIZE. */
static struct slice lower(struct slice word, char dst[WORD_SIZE])
{
    size_t i;

    (void)slice_copy_z(dst, WORD_SIZE, word);
    for (i = 0; dst[i]; i++)
        dst[i] = (char)tolower((unsigned char)dst[i]);
    return slice_of(dst);
}

static enum err expected(struct canon *c, struct fault *fault, const char *path, const char *what)
{
    return canon_fault(c->arena, fault, path, "expected %s", what);
}

/* ---- numbers ---- */

/* A number keeps its spelling. False: the member is none of these. */
static bool decode_number(struct canon *c, const struct jmember *m, struct fault *fault,
                          enum err *e)
{
    static const char *const names[] = {
        "temperature", "topP", "topK", "seed", "presencePenalty", "frequencyPenalty"};
    struct slice *places[] = {&c->temperature, &c->top_p,    &c->top_k,
                              &c->seed,        &c->presence, &c->frequency};
    static const char *const paths[] = {CONFIG "temperature",
                                        CONFIG "topP",
                                        CONFIG "topK",
                                        CONFIG "seed",
                                        CONFIG "presencePenalty",
                                        CONFIG "frequencyPenalty"};
    size_t i;

    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (!gemini_key_is(m, names[i]))
            continue;
        if (m->value.kind == JSCAN_NUMBER)
            *places[i] = m->value.raw;
        else
            *e = expected(c, fault, paths[i], "number");
        return true;
    }
    return false;
}

static enum err decode_stops(struct canon *c, struct jvalue v, struct fault *fault)
{
    struct gemini_list l;
    struct jvalue stop;
    enum err e;

    gemini_list_begin(&l, v);
    while (gemini_list_next(&l, &stop)) {
        if (c->stops_n == CANON_STOPS_MAX)
            return canon_fault(c->arena, fault, CONFIG "stopSequences", "expected at most %d",
                               CANON_STOPS_MAX);
        e = gemini_decode_string(c, stop, CONFIG "stopSequences", &c->stops[c->stops_n], fault);
        if (e)
            return e;
        c->stops_n += c->stops[c->stops_n].n > 0;
    }
    return ERR_OK;
}

/* ---- thinking ---- */

static enum err decode_level(struct canon *c, struct jvalue v, struct fault *fault)
{
    char text[WORD_SIZE];
    struct slice word = lower(gemini_word(v), text);

    if (slice_eq_z(word, "thinking_level_unspecified") || word.n == 0)
        return ERR_OK;
    c->think.effort = effort_parse(word);
    if (c->think.effort == EFFORT_UNSET)
        return expected(c, fault, THINKING ".thinkingLevel", "MINIMAL, LOW, MEDIUM or HIGH");
    c->think.mode = c->think.effort == EFFORT_NONE ? THINK_OFF : THINK_ON;
    return ERR_OK;
}

static enum err decode_thinking(struct canon *c, struct jvalue v, struct fault *fault)
{
    int64_t budget = -1;
    struct jmember m;
    struct jscan s;
    enum err e = ERR_OK;

    if (jscan_object(&s, v))
        return expected(c, fault, THINKING, "object");
    while (!e && !jscan_next_member(&s, &m)) {
        if (m.value.kind == JSCAN_NULL)
            continue;
        if (gemini_key_is(&m, "includeThoughts")) {
            c->think.show = m.value.kind == JSCAN_TRUE;
        } else if (gemini_key_is(&m, "thinkingLevel")) {
            e = decode_level(c, m.value, fault);
        } else if (gemini_key_is(&m, "thinkingBudget")) {
            if (gemini_i64(m.value, &budget) || budget < -1)
                e = expected(c, fault, THINKING ".thinkingBudget", "an integer of at least -1");
            if (!e && budget > 0)
                c->think.budget = budget;
            if (!e && budget >= 0)
                c->think.mode = budget == 0 ? THINK_OFF : THINK_ON;
        }
    }
    return e;
}

/* ---- the form of the answer ---- */

static enum err decode_mime(struct canon *c, struct jvalue v, const char *path, struct fault *fault)
{
    struct slice mime = gemini_word(v);

    if (mime.n == 0 || slice_eq_z(mime, "text/plain"))
        return ERR_OK;
    if (!slice_eq_z(mime, "application/json") && !slice_eq_z(mime, "application\\/json"))
        return canon_fault(c->arena, fault, path, "%.*s is not available with this model",
                           SLICE_FMT(mime));
    if (c->format.kind == OUTPUT_TEXT)
        c->format.kind = OUTPUT_JSON;
    return ERR_OK;
}

static enum err decode_schema(struct canon *c, struct jvalue v, bool is_json, const char *path,
                              struct fault *fault)
{
    if (v.kind != JSCAN_OBJECT)
        return expected(c, fault, path, "object");
    c->format.kind = OUTPUT_SCHEMA;
    c->format.name = SLICE(SCHEMA_WORD);
    c->format.schema = v.raw;
    return is_json ? ERR_OK : gemini_schema_to_json(v.raw, c->arena, &c->format.schema);
}

/* The newer form: {text:{mimeType, schema}}; what it says of pictures and sound are hints. */
static enum err decode_response_format(struct canon *c, struct jvalue v, struct fault *fault)
{
    static const char path[] = CONFIG "responseFormat";
    struct jvalue item, text, inner;
    struct gemini_list l;
    enum err e = ERR_OK;

    gemini_list_begin(&l, v);
    while (!e && gemini_list_next(&l, &item)) {
        if (gemini_find(item, "text", &text)) {
            drop(&c->drops, path);
            continue;
        }
        if (!gemini_find(text, "mimeType", &inner))
            e = decode_mime(c, inner, path, fault);
        if (!e && !gemini_find(text, "schema", &inner))
            e = decode_schema(c, inner, true, path, fault);
    }
    return e;
}

static enum err decode_modalities(struct canon *c, struct jvalue v, struct fault *fault)
{
    static const struct {
        const char *word;
        unsigned bit;
    } words[] = {
        {"text",  MODALITY_TEXT },
        {"image", MODALITY_IMAGE},
        {"audio", MODALITY_AUDIO},
        {"video", MODALITY_VIDEO},
    };
    struct gemini_list l;
    struct jvalue item;
    char text[WORD_SIZE];
    size_t i;

    gemini_list_begin(&l, v);
    while (gemini_list_next(&l, &item)) {
        struct slice word = lower(gemini_word(item), text);

        for (i = 0; i < sizeof(words) / sizeof(words[0]); i++)
            if (slice_eq_z(word, words[i].word))
                break;
        if (i == sizeof(words) / sizeof(words[0]))
            return expected(c, fault, CONFIG "responseModalities", "TEXT, IMAGE, AUDIO or VIDEO");
        c->modalities |= words[i].bit;
    }
    return ERR_OK;
}

/* The resolution of all media of the request: that of each picture that does not say its own. */
static void decode_resolution(struct canon *c, struct jvalue v)
{
    enum media_detail detail = DETAIL_UNSET;
    char text[WORD_SIZE];
    struct slice word = lower(gemini_word(v), text);
    size_t i, k;

    if (slice_eq_z(word, "media_resolution_low"))
        detail = DETAIL_LOW;
    else if (slice_eq_z(word, "media_resolution_high"))
        detail = DETAIL_HIGH;
    for (i = 0; i < c->turns_n; i++)
        for (k = 0; k < c->turns[i].parts_n; k++) {
            struct part *p = &c->turns[i].parts[k];

            if (p->kind == PART_IMAGE && p->media.detail == DETAIL_UNSET)
                p->media.detail = detail;
        }
}

/* ---- members ---- */

static enum err decode_form(struct canon *c, const struct jmember *m, struct fault *fault,
                            bool *is_known)
{
    *is_known = true;
    if (gemini_key_is(m, "responseMimeType"))
        return decode_mime(c, m->value, CONFIG "responseMimeType", fault);
    if (gemini_key_is(m, "responseSchema"))
        return decode_schema(c, m->value, false, CONFIG "responseSchema", fault);
    if (gemini_key_is(m, "responseJsonSchema") || gemini_key_is(m, "_responseJsonSchema"))
        return decode_schema(c, m->value, true, CONFIG "responseJsonSchema", fault);
    if (gemini_key_is(m, "responseFormat"))
        return decode_response_format(c, m->value, fault);
    if (gemini_key_is(m, "responseModalities"))
        return decode_modalities(c, m->value, fault);
    *is_known = false;
    return ERR_OK;
}

static enum err decode_logprobs(struct canon *c, struct jvalue v, struct fault *fault)
{
    if (gemini_i64(v, &c->top_logprobs) || c->top_logprobs < 0)
        return expected(c, fault, CONFIG "logprobs", "an integer of at least 0");
    return ERR_OK;
}

/* A member that no other format has. */
static enum err drop_member(struct canon *c, const struct jmember *m)
{
    const char *name = arena_printf(c->arena, CONFIG "%.*s", SLICE_FMT(m->key));

    if (!name)
        return ERR_MEMORY;
    drop(&c->drops, name);
    return ERR_OK;
}

static enum err decode_member(struct canon *c, const struct jmember *m, struct fault *fault)
{
    bool is_known;
    enum err e = ERR_OK;

    if (m->value.kind == JSCAN_NULL || decode_number(c, m, fault, &e))
        return e;
    e = decode_form(c, m, fault, &is_known);
    if (e || is_known)
        return e;
    if (gemini_key_is(m, "maxOutputTokens") || gemini_key_is(m, "candidateCount"))
        return ERR_OK; /* read before */
    if (gemini_key_is(m, "stopSequences"))
        return decode_stops(c, m->value, fault);
    if (gemini_key_is(m, "thinkingConfig"))
        return decode_thinking(c, m->value, fault);
    if (gemini_key_is(m, "logprobs"))
        return decode_logprobs(c, m->value, fault);
    if (gemini_key_is(m, "responseLogprobs"))
        c->wants_logprobs = m->value.kind == JSCAN_TRUE;
    else if (gemini_key_is(m, "mediaResolution"))
        decode_resolution(c, m->value);
    else
        return drop_member(c, m);
    return ERR_OK;
}

enum err gemini_decode_config(struct canon *c, struct jvalue config, struct fault *fault)
{
    struct jmember m;
    struct jscan s;
    enum err e = ERR_OK;

    if (jscan_object(&s, config))
        return expected(c, fault, "generationConfig", "object");
    while (!e && !jscan_next_member(&s, &m))
        e = decode_member(c, &m, fault);
    return e;
}
