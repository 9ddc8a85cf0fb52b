#include "upstream/gemini.h"

#include "upstream/sse.h"

#include <ctype.h>

#define TEXT_MAX  ((size_t)1 << 30) /* of one event, which was bounded when it was received */
#define DONE      "[DONE]"
#define WORD_SIZE 33
#define TIER_SIZE 25

struct state {
    struct arena *texts; /* what one event's escapes stand for; empty between events */
    char finish[WORD_SIZE];
    char detail[257]; /* finishMessage, or why the prompt was blocked */
    bool is_blocked;
    bool has_call, has_output;
};

static const struct {
    const char *word;
    enum finish finish;
} finishes[] = {
    {"STOP",                     FINISH_STOP    },
    {"MAX_TOKENS",               FINISH_LENGTH  },
    {"SAFETY",                   FINISH_FILTER  },
    {"RECITATION",               FINISH_FILTER  },
    {"BLOCKLIST",                FINISH_FILTER  },
    {"PROHIBITED_CONTENT",       FINISH_FILTER  },
    {"SPII",                     FINISH_FILTER  },
    {"IMAGE_SAFETY",             FINISH_FILTER  },
    {"IMAGE_PROHIBITED_CONTENT", FINISH_FILTER  },
    {"IMAGE_RECITATION",         FINISH_FILTER  },
    {"MALFORMED_FUNCTION_CALL",  FINISH_BAD_CALL},
    {"UNEXPECTED_TOOL_CALL",     FINISH_BAD_CALL},
    {"TOO_MANY_TOOL_CALLS",      FINISH_BAD_CALL},
    {"MALFORMED_RESPONSE",       FINISH_BAD_CALL},
    {"CONTINUATION",             FINISH_PAUSE   },
};

static void free_texts(void *arena)
{
    arena_free(arena);
}

enum err gemini_decode_begin(struct decoder *d)
{
    struct state *s = arena_alloc(d->arena, sizeof(*s));

    if (!s)
        return ERR_MEMORY;
    s->texts = arena_new(TEXT_MAX);
    if (!s->texts)
        return ERR_MEMORY;
    if (arena_defer(d->arena, free_texts, s->texts)) {
        arena_free(s->texts);
        return ERR_MEMORY;
    }
    d->state = s;
    return ERR_OK;
}

/* ---- parts ---- */

struct fields {
    struct jvalue text, thought, signature, data, call;
};

static bool is_thought(const struct fields *f)
{
    return f->thought.raw.p && f->thought.kind == JSCAN_TRUE;
}

/* A text that cannot be decoded (a lone surrogate) is malformed. */
static enum err read_text(struct decoder *d, struct jvalue v, struct slice *out)
{
    struct state *s = d->state;
    enum err e;

    *out = (struct slice){NULL, 0};
    if (!v.raw.p || v.kind != JSCAN_STRING)
        return ERR_OK;
    e = jscan_string(v, s->texts, out);
    return e == ERR_FORMAT ? ERR_UP_MALFORMED : e;
}

static enum err emit_call(struct decoder *d, const struct fields *f, struct slice signature)
{
    struct event begin = {.kind = EV_BEGIN, .part_kind = PART_CALL, .seal = signature};
    struct slice args = SLICE("{}");
    struct jvalue v;
    enum err e = decoder_end_part(d);

    if (!e && !gemini_find(f->call, "id", &v))
        e = read_text(d, v, &begin.id);
    if (!e && !gemini_find(f->call, "name", &v))
        e = read_text(d, v, &begin.name);
    if (!e && begin.name.n == 0)
        return ERR_UP_MALFORMED;
    if (!gemini_find(f->call, "args", &v))
        args = v.raw;
    begin.part = d->gate.parts_n;
    if (!e)
        e = decoder_emit(d, &begin);
    if (!e)
        e = decoder_delta(d, args);
    return e ? e : decoder_end_part(d);
}

/* A picture or a sound: whole in one part. */
static enum err emit_media(struct decoder *d, const struct fields *f)
{
    struct event begin = {.kind = EV_BEGIN, .part_kind = PART_IMAGE};
    struct slice data = {NULL, 0};
    struct jvalue v;
    enum err e = decoder_end_part(d);

    if (!e && !gemini_find(f->data, "mimeType", &v))
        e = read_text(d, v, &begin.mime);
    if (!e && !gemini_find(f->data, "data", &v))
        e = read_text(d, v, &data);
    if (slice_starts_ci(begin.mime, "audio/"))
        begin.part_kind = PART_AUDIO;
    begin.part = d->gate.parts_n;
    if (!e)
        e = decoder_emit(d, &begin);
    if (!e)
        e = decoder_delta(d, data);
    return e ? e : decoder_end_part(d);
}

/* A signature that is not a call's: on the open part, which ends with it, or on the last one; when
 * there is none that can carry it, on a thought without text. */
static enum err emit_seal(struct decoder *d, struct slice signature)
{
    bool has_part = d->gate.is_open || (d->gate.parts_n && d->gate.kind != PART_CALL);
    enum err e = has_part ? ERR_OK : decoder_begin_part(d, PART_THINKING);

    if (!e)
        e = decoder_seal(d, signature, false);
    return e ? e : decoder_end_part(d);
}

static enum err emit_part(struct decoder *d, const struct fields *f)
{
    struct state *s = d->state;
    struct slice signature, text;
    enum err e = read_text(d, f->signature, &signature);

    if (e)
        return e;
    if (f->call.raw.p) {
        s->has_call = s->has_output = true;
        return emit_call(d, f, signature);
    }
    if (f->data.raw.p && !is_thought(f)) { /* a thought's picture is a draft */
        s->has_output = true;
        e = emit_media(d, f);
    }
    if (!e)
        e = read_text(d, f->text, &text);
    if (!e && text.n) {
        s->has_output = true;
        e = decoder_ensure_part(d, is_thought(f) ? PART_THINKING : PART_TEXT);
        if (!e)
            e = decoder_delta(d, text);
    }
    if (!e && signature.n)
        e = emit_seal(d, signature);
    return e;
}

static enum err decode_part(struct decoder *d, struct jvalue part)
{
    static const char *const names[] = {"text", "thought", "thoughtSignature", "inlineData",
                                        "functionCall"};
    struct fields f = {0};
    struct jvalue *places[] = {&f.text, &f.thought, &f.signature, &f.data, &f.call};
    struct jmember m;
    struct jscan s;
    size_t i;

    if (jscan_object(&s, part))
        return ERR_UP_MALFORMED;
    while (!jscan_next_member(&s, &m))
        for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
            if (m.value.kind != JSCAN_NULL && gemini_key_is(&m, names[i]))
                *places[i] = m.value;
    return emit_part(d, &f);
}

/* ---- the answer ---- */

static enum err start(struct decoder *d, const struct gemini_answer *a)
{
    struct event e = {.kind = EV_START};
    enum err err;

    if (d->gate.is_started)
        return ERR_OK;
    err = read_text(d, a->id, &e.id);
    if (!err)
        err = read_text(d, a->model, &e.text);
    return err ? err : decoder_emit(d, &e);
}

static enum err decode_candidate(struct decoder *d, struct jvalue candidate)
{
    struct state *s = d->state;
    struct jvalue parts, part, v;
    struct gemini_list l;
    struct slice text;
    struct jmember m;
    struct jscan scan;
    enum err e = ERR_OK;

    if (jscan_object(&scan, candidate))
        return ERR_UP_MALFORMED;
    while (!e && !jscan_next_member(&scan, &m)) {
        v = m.value;
        if (jscan_key_is(&m, "content") && !gemini_find(v, "parts", &parts)) {
            for (gemini_list_begin(&l, parts); !e && gemini_list_next(&l, &part);)
                e = decode_part(d, part);
        } else if (jscan_key_is(&m, "finishReason") && gemini_word(v).n) {
            (void)slice_copy_z(s->finish, sizeof(s->finish), gemini_word(v));
        } else if (jscan_key_is(&m, "finishMessage")) {
            e = read_text(d, v, &text);
            (void)slice_copy_z(s->detail, sizeof(s->detail), text);
        }
    }
    return e;
}

/* Choices beyond the first are not asked for in a translation. */
static enum err decode_candidates(struct decoder *d, struct jvalue candidates)
{
    struct jvalue candidate;
    struct gemini_list l;

    gemini_list_begin(&l, candidates);
    return gemini_list_next(&l, &candidate) ? decode_candidate(d, candidate) : ERR_OK;
}

/* The first chunks of a stream count the prompt only: should it break off there, what came is
 * estimated. */
static enum err decode_usage(struct decoder *d, struct jvalue usage)
{
    struct state *s = d->state;
    struct slice tier = {NULL, 0};
    struct counts counts;
    struct jvalue v;
    char word[TIER_SIZE];
    bool has_output;
    size_t i;

    if (!gemini_read_usage(usage, &counts, &has_output))
        return ERR_OK;
    counts.is_known = has_output || !s->has_output;
    if (!gemini_find(usage, "serviceTier", &v) && gemini_word(v).n) {
        (void)slice_copy_z(word, sizeof(word), gemini_word(v));
        for (i = 0; word[i]; i++)
            word[i] = (char)tolower((unsigned char)word[i]);
        tier = slice_of(word);
    }
    return decoder_usage(d, &counts, tier);
}

static enum err decode_error(struct decoder *d, struct jvalue v)
{
    struct state *s = d->state;
    struct gemini_error error;

    gemini_parse_error(v, s->texts, &error);
    return decoder_error(d, gemini_error_class(&error, ERR_UP_FAILED), error.text, error.status);
}

static enum err decode_answer(struct decoder *d, const struct gemini_answer *a)
{
    struct slice blocked = gemini_block_reason(a);
    struct state *s = d->state;
    enum err e;

    if (a->error.raw.p)
        return decode_error(d, a->error);
    e = start(d, a);
    if (!e)
        e = decode_candidates(d, a->candidates);
    if (!e && blocked.n) {
        s->is_blocked = true;
        (void)slice_copy_z(s->detail, sizeof(s->detail), blocked);
    }
    if (!e && a->usage.raw.p)
        e = decode_usage(d, a->usage);
    return e;
}

static enum err decode_text(struct decoder *d, struct slice text)
{
    struct state *s = d->state;
    struct gemini_answer a;
    enum err e;

    if (gemini_scan(text, &a))
        return ERR_UP_MALFORMED;
    e = decode_answer(d, &a);
    arena_reset(s->texts);
    return e;
}

enum err gemini_decode_event(struct decoder *d, const struct sse_event *e)
{
    struct slice data = slice_trim(e->data);

    if (data.n == 0 || slice_eq_z(data, DONE) || d->gate.is_failed)
        return ERR_OK;
    return decode_text(d, data);
}

static enum finish finish_of(const struct state *s)
{
    size_t i;

    if (s->is_blocked && s->finish[0] == '\0')
        return FINISH_FILTER;
    for (i = 0; i < sizeof(finishes) / sizeof(finishes[0]); i++)
        if (slice_eq_z(slice_of(s->finish), finishes[i].word)) {
            if (finishes[i].finish == FINISH_STOP && s->has_call)
                return FINISH_TOOL;
            return finishes[i].finish;
        }
    return FINISH_OTHER;
}

enum err gemini_decode_end(struct decoder *d)
{
    struct state *s = d->state;
    enum err e;

    if (d->gate.is_failed)
        return ERR_OK;
    if (!d->gate.is_started || (s->finish[0] == '\0' && !s->is_blocked))
        return ERR_UP_CUT;
    e = decoder_finish(d, finish_of(s), slice_of(s->detail));
    if (!e)
        d->is_ended = true;
    return e;
}

enum err gemini_decode_whole(struct decoder *d, struct slice body)
{
    struct state *s = d->state;
    enum err e = decode_text(d, body);

    if (e || d->gate.is_failed)
        return e;
    if (s->finish[0] == '\0' && !s->is_blocked) {
        if (!s->has_output)
            return ERR_UP_MALFORMED;
        (void)slice_copy_z(s->finish, sizeof(s->finish), SLICE("STOP")); /* left out by some */
    }
    return gemini_decode_end(d);
}
