#include "upstream/anthropic.h"

#include "upstream/event.h"
#include "upstream/sse.h"

#define SCRATCH_MAX ((size_t)64 << 20) /* one event, decoded */

struct state {
    struct arena *scratch; /* texts of one event, so that long answers do not fill the arena */
    struct anthropic_usage usage;
    enum finish finish;
    char detail[1025]; /* the stop text, or why it refused */
    bool has_finish;
    bool is_skipped;    /* the block that is open is nothing to others */
    bool is_call;       /* it is a call */
    bool has_args;      /* of which something was seen */
    struct slice input; /* which came with the block's start, in the arena; p NULL */
};

static void free_arena(void *arena)
{
    arena_free(arena);
}

enum err anthropic_decode_begin(struct decoder *d)
{
    struct state *s = arena_alloc(d->arena, sizeof(*s));

    if (!s)
        return ERR_MEMORY;
    s->scratch = arena_new(SCRATCH_MAX);
    if (!s->scratch)
        return ERR_MEMORY;
    if (arena_defer(d->arena, free_arena, s->scratch)) {
        arena_free(s->scratch);
        return ERR_MEMORY;
    }
    anthropic_usage_init(&s->usage);
    d->state = s;
    return ERR_OK;
}

/* The text of a string member; empty when there is none. */
static enum err text_of(const struct state *s, struct jvalue object, const char *name,
                        struct slice *out)
{
    struct jvalue v;
    enum err e;

    *out = SLICE("");
    if (jscan_find(object, name, &v) || v.kind != JSCAN_STRING)
        return ERR_OK;
    e = jscan_string(v, s->scratch, out);
    return e == ERR_FORMAT ? ERR_UP_MALFORMED : e;
}

static bool type_is(struct jvalue object, const char *name)
{
    struct jvalue v;

    return !jscan_find(object, "type", &v) && v.kind == JSCAN_STRING &&
           slice_eq_z((struct slice){v.raw.p + 1, v.raw.n - 2}, name);
}

static enum err emit_usage(struct decoder *d)
{
    struct state *s = d->state;
    struct counts c;

    if (!anthropic_usage_counts(&s->usage, &c))
        return ERR_OK;
    return decoder_usage(d, &c,
                         s->usage.tier[0] ? slice_of(s->usage.tier) : (struct slice){NULL, 0});
}

/* ---- blocks ---- */

/* A piece of the open part. Until the end the output's size is what was seen of it. */
static enum err emit_delta(struct decoder *d, struct slice text)
{
    struct state *s = d->state;
    enum err e = decoder_delta(d, text);

    text_size_add(&s->usage.seen, text);
    return e || text.n == 0 || s->usage.is_final ? e : emit_usage(d);
}

static enum err begin_call(struct decoder *d, struct jvalue block)
{
    struct state *s = d->state;
    struct slice id, name;
    struct jvalue input;
    enum err e = text_of(s, block, "id", &id);

    if (!e)
        e = text_of(s, block, "name", &name);
    if (e)
        return e;
    if (name.n == 0)
        return ERR_UP_MALFORMED;
    s->is_call = true;
    s->has_args = false;
    s->input = (struct slice){NULL, 0};
    if (!jscan_find(block, "input", &input) && input.kind == JSCAN_OBJECT &&
        input.raw.n > sizeof("{}") - 1) {
        s->input.p = arena_copy(d->arena, input.raw);
        s->input.n = input.raw.n;
        if (!s->input.p)
            return ERR_MEMORY;
    }
    return decoder_begin_call(d, id, name, false);
}

static enum err begin_thinking(struct decoder *d, struct jvalue block)
{
    struct slice text, signature = {NULL, 0};
    enum err e = text_of(d->state, block, "thinking", &text);

    if (!e)
        e = text_of(d->state, block, "signature", &signature);
    if (!e)
        e = decoder_begin_part(d, PART_THINKING);
    if (!e)
        e = emit_delta(d, text);
    return e || signature.n == 0 ? e : decoder_seal(d, signature, false);
}

static enum err begin_redacted(struct decoder *d, struct jvalue block)
{
    struct slice data;
    enum err e = text_of(d->state, block, "data", &data);

    if (!e)
        e = decoder_begin_part(d, PART_THINKING);
    return e || data.n == 0 ? e : decoder_seal(d, data, true);
}

static enum err begin_text(struct decoder *d, struct jvalue block)
{
    struct slice text;
    enum err e = text_of(d->state, block, "text", &text);

    if (!e)
        e = decoder_begin_part(d, PART_TEXT);
    return e ? e : emit_delta(d, text);
}

/* A call without arguments has an empty object. */
static enum err end_block(struct decoder *d)
{
    struct state *s = d->state;
    enum err e = ERR_OK;

    if (s->is_call && !s->has_args)
        e = emit_delta(d, s->input.p ? s->input : SLICE("{}"));
    s->is_call = false;
    return e ? e : decoder_end_part(d);
}

static enum err begin_block(struct decoder *d, struct jvalue block)
{
    struct state *s = d->state;
    enum err e = end_block(d); /* of servers that forget to */

    if (e)
        return e;
    s->is_skipped = false;
    if (type_is(block, "text"))
        return begin_text(d, block);
    if (type_is(block, "thinking"))
        return begin_thinking(d, block);
    if (type_is(block, "tool_use"))
        return begin_call(d, block);
    if (type_is(block, "redacted_thinking"))
        return begin_redacted(d, block);
    s->is_skipped = true; /* what a hosted tool did, and what is newer than we are */
    return ERR_OK;
}

static enum err read_delta(struct decoder *d, struct jvalue delta)
{
    struct state *s = d->state;
    struct slice text = {NULL, 0};
    enum err e = ERR_OK;

    if (s->is_skipped)
        return ERR_OK;
    if (!d->gate.is_open)
        return ERR_UP_MALFORMED;
    if (type_is(delta, "signature_delta")) {
        e = text_of(s, delta, "signature", &text);
        return e || text.n == 0 ? e : decoder_seal(d, text, false);
    }
    if (type_is(delta, "text_delta"))
        e = text_of(s, delta, "text", &text);
    else if (type_is(delta, "thinking_delta"))
        e = text_of(s, delta, "thinking", &text);
    else if (type_is(delta, "input_json_delta"))
        e = text_of(s, delta, "partial_json", &text);
    if (e || text.n == 0)
        return e;
    s->has_args = true;
    return emit_delta(d, text);
}

/* ---- the end ---- */

static enum finish finish_of(struct slice reason)
{
    static const struct {
        const char *word;
        enum finish finish;
    } words[] = {
        {"end_turn",                      FINISH_STOP     },
        {"stop_sequence",                 FINISH_STOP_TEXT},
        {"max_tokens",                    FINISH_LENGTH   },
        {"model_context_window_exceeded", FINISH_CONTEXT  },
        {"tool_use",                      FINISH_TOOL     },
        {"refusal",                       FINISH_FILTER   },
        {"pause_turn",                    FINISH_PAUSE    },
    };
    size_t i;

    for (i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (slice_eq_z(reason, words[i].word))
            return words[i].finish;
    return FINISH_OTHER;
}

/* stop_reason, stop_sequence and stop_details of a message, or of the delta that ends one. */
static enum err read_stop(struct decoder *d, struct jvalue object)
{
    struct state *s = d->state;
    struct slice reason, detail;
    struct jvalue details;
    enum err e = text_of(s, object, "stop_reason", &reason);

    if (e || reason.n == 0)
        return e;
    s->finish = finish_of(reason);
    s->has_finish = true;
    e = text_of(s, object, "stop_sequence", &detail);
    if (!e && detail.n == 0 && !jscan_find(object, "stop_details", &details)) {
        e = text_of(s, details, "explanation", &detail);
        if (!e && detail.n == 0)
            e = text_of(s, details, "category", &detail);
    }
    if (!e)
        (void)slice_copy_z(s->detail, sizeof(s->detail), detail);
    return e;
}

static enum err finish(struct decoder *d)
{
    struct state *s = d->state;
    enum err e = end_block(d);

    if (!e)
        e = emit_usage(d);
    if (!e)
        e = decoder_finish(d, s->has_finish ? s->finish : FINISH_OTHER,
                           s->detail[0] ? slice_of(s->detail) : (struct slice){NULL, 0});
    if (!e)
        d->is_ended = true;
    return e;
}

/* ---- errors ---- */

static enum err class_of(struct jvalue error, struct slice text)
{
    static const struct {
        const char *type;
        enum err e;
    } types[] = {
        {"rate_limit_error",      ERR_UP_RATE    },
        {"authentication_error",  ERR_UP_AUTH    },
        {"permission_error",      ERR_UP_AUTH    },
        {"billing_error",         ERR_UP_AUTH    },
        {"timeout_error",         ERR_UP_TIMEOUT },
        {"invalid_request_error", ERR_UP_REJECTED},
    };
    size_t i;

    if (anthropic_is_context_error(text))
        return ERR_UP_CONTEXT;
    for (i = 0; i < sizeof(types) / sizeof(types[0]); i++)
        if (type_is(error, types[i].type))
            return types[i].e;
    return ERR_UP_FAILED;
}

static enum err read_error(struct decoder *d, struct jvalue answer)
{
    struct slice text, code;
    struct jvalue error;
    enum err e;

    if (jscan_find(answer, "error", &error))
        error = answer;
    e = text_of(d->state, error, "message", &text);
    if (!e)
        e = text_of(d->state, error, "type", &code);
    return e ? e : decoder_error(d, class_of(error, text), text, code);
}

/* ---- streams ---- */

static enum err read_start(struct decoder *d, struct jvalue message)
{
    struct state *s = d->state;
    struct jvalue usage;
    struct slice id, model;
    enum err e = text_of(s, message, "id", &id);

    if (!e)
        e = text_of(s, message, "model", &model);
    if (!e)
        e = decoder_emit(d, &(struct event){.kind = EV_START, .id = id, .text = model});
    if (e || jscan_find(message, "usage", &usage))
        return e;
    anthropic_usage_merge(&s->usage, usage, false);
    return emit_usage(d);
}

static enum err read_message_delta(struct decoder *d, struct jvalue event)
{
    struct state *s = d->state;
    struct jvalue v;
    enum err e = ERR_OK;

    if (!jscan_find(event, "delta", &v))
        e = read_stop(d, v);
    if (!e && !jscan_find(event, "usage", &v))
        anthropic_usage_merge(&s->usage, v, true);
    return e;
}

static enum err read_event(struct decoder *d, struct jvalue event)
{
    struct jvalue v;

    if (type_is(event, "message_start"))
        return d->gate.is_started || jscan_find(event, "message", &v) ? ERR_UP_MALFORMED
                                                                      : read_start(d, v);
    if (type_is(event, "error"))
        return read_error(d, event);
    if (!d->gate.is_started)
        return type_is(event, "ping") ? ERR_OK : ERR_UP_MALFORMED;
    if (type_is(event, "content_block_delta"))
        return jscan_find(event, "delta", &v) ? ERR_UP_MALFORMED : read_delta(d, v);
    if (type_is(event, "content_block_start"))
        return jscan_find(event, "content_block", &v) ? ERR_UP_MALFORMED : begin_block(d, v);
    if (type_is(event, "content_block_stop"))
        return end_block(d);
    if (type_is(event, "message_delta"))
        return read_message_delta(d, event);
    return type_is(event, "message_stop") ? finish(d) : ERR_OK;
}

enum err anthropic_decode_event(struct decoder *d, const struct sse_event *e)
{
    struct state *s = d->state;
    struct slice data = slice_trim(e->data);
    struct jvalue event;

    if (d->is_ended || d->gate.is_failed || data.n == 0 || slice_eq_z(data, "[DONE]"))
        return ERR_OK;
    arena_reset(s->scratch);
    if (jscan_validate(data, &event, NULL) || event.kind != JSCAN_OBJECT)
        return ERR_UP_MALFORMED;
    if (slice_eq_z(e->type, "error"))
        return read_error(d, event);
    return read_event(d, event);
}

enum err anthropic_decode_end(struct decoder *d)
{
    const struct state *s = d->state;

    if (d->is_ended || d->gate.is_failed)
        return ERR_OK;
    return s->has_finish && d->gate.is_started ? finish(d) : ERR_UP_CUT;
}

/* ---- whole answers ---- */

static enum err read_blocks(struct decoder *d, struct jvalue content)
{
    const struct state *s = d->state;
    struct jvalue block;
    struct jscan scan;
    enum err e = ERR_OK;

    if (jscan_array(&scan, content))
        return ERR_UP_MALFORMED;
    while (!e && !jscan_next_element(&scan, &block)) {
        arena_reset(s->scratch);
        e = begin_block(d, block);
        if (!e)
            e = end_block(d);
    }
    return e;
}

enum err anthropic_decode_whole(struct decoder *d, struct slice body)
{
    struct state *s = d->state;
    struct jvalue message, content, v;
    enum err e;

    if (jscan_validate(body, &message, NULL) || message.kind != JSCAN_OBJECT)
        return ERR_UP_MALFORMED;
    if (type_is(message, "error") || (!jscan_find(message, "error", &v) && v.kind == JSCAN_OBJECT))
        return read_error(d, message);
    if (jscan_find(message, "content", &content))
        return ERR_UP_MALFORMED;
    e = read_start(d, message);
    if (!e)
        e = read_blocks(d, content);
    if (!e)
        e = read_stop(d, message);
    if (e)
        return e;
    if (!jscan_find(message, "usage", &v))
        anthropic_usage_merge(&s->usage, v, true);
    return finish(d);
}
