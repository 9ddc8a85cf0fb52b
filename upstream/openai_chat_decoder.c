#include "upstream/openai_chat.h"

#include "base/log.h"
#include "upstream/openai_chat_parts.h"
#include "upstream/pick.h"
#include "upstream/sse.h"

#include <string.h>

#define DONE        "[DONE]"
#define SCRATCH_MAX ((size_t)1 << 30) /* what is decoded was bounded when it was received */
#define TIER_SIZE   25
#define REPLACEMENT SLICE("\xef\xbf\xbd") /* U+FFFD */

struct state {
    struct decoder *decoder;
    struct arena *scratch; /* decoded texts of one event */
    struct chat_parts parts;
    enum finish finish;
    bool has_finish;
    bool has_refusal;
    bool has_failed; /* the finish reason says so */
    struct counts counts;
    char tier[TIER_SIZE];
};

enum top {
    TOP_ID,
    TOP_CREATED,
    TOP_MODEL,
    TOP_CHOICES,
    TOP_USAGE,
    TOP_ERROR,
    TOP_OBJECT,
    TOP_GROQ,
    TOP_TIER,
    TOP_COUNT
};

static const char *const top_names[TOP_COUNT] = {
    "id", "created", "model", "choices", "usage", "error", "object", "x_groq", "service_tier"};

enum delta {
    DELTA_THINKING,
    DELTA_REASONING,
    DELTA_CONTENT,
    DELTA_REFUSAL,
    DELTA_IMAGES,
    DELTA_AUDIO,
    DELTA_CALLS,
    DELTA_FUNCTION,
    DELTA_COUNT
};

static const char *const delta_names[DELTA_COUNT] = {"reasoning_content", "reasoning",    "content",
                                                     "refusal",           "images",       "audio",
                                                     "tool_calls",        "function_call"};

/* ---- texts ---- */

/* The text of a string; n 0 when it is none. What cannot be text (half a character, which some
 * providers cut in two) is not worth the whole answer. */
static enum err text_of(struct state *s, struct jvalue v, struct slice *out)
{
    enum err e;

    *out = (struct slice){NULL, 0};
    if (!v.raw.p || v.kind != JSCAN_STRING)
        return ERR_OK;
    e = jscan_string(v, s->scratch, out);
    if (e != ERR_FORMAT)
        return e;
    log_warn("text_replaced", "bytes=%zu", v.raw.n);
    *out = REPLACEMENT;
    return ERR_OK;
}

static enum err add_text(struct state *s, enum part_kind kind, struct jvalue v)
{
    struct slice text;
    enum err e = text_of(s, v, &text);

    if (kind == PART_REFUSAL && text.n)
        s->has_refusal = true;
    return e ? e : chat_parts_text(&s->parts, kind, text);
}

/* {image_url: {url}}: bytes as an image, an address as Markdown. */
static enum err add_image(struct state *s, struct jvalue part)
{
    struct jvalue holder = pick(part, "image_url"), v = pick(holder, "url");
    struct slice url, mime, base64;
    const char *text;
    enum err e = text_of(s, v.raw.p ? v : holder, &url);

    if (e || url.n == 0)
        return e;
    if (data_url_split(url, &mime, &base64))
        return chat_parts_image(&s->parts, mime, base64);
    text = arena_printf(s->scratch, "![image](%.*s)", SLICE_FMT(url));
    return text ? chat_parts_text(&s->parts, PART_TEXT, slice_of(text)) : ERR_MEMORY;
}

static enum err add_images(struct state *s, struct jvalue images)
{
    struct jvalue image;
    struct jscan scan;
    enum err e = ERR_OK;

    if (!images.raw.p || jscan_array(&scan, images))
        return ERR_OK;
    while (!e && !jscan_next_element(&scan, &image))
        e = add_image(s, image);
    return e;
}

static enum err add_thinking_part(struct state *s, struct jvalue thinking)
{
    struct jvalue part;
    struct jscan scan;
    enum err e = ERR_OK;

    if (!thinking.raw.p || jscan_array(&scan, thinking))
        return add_text(s, PART_THINKING, thinking);
    while (!e && !jscan_next_element(&scan, &part))
        e = add_text(s, PART_THINKING, pick(part, "text"));
    return e;
}

/* Content as a list of parts, as some providers answer. */
static enum err add_content(struct state *s, struct jvalue content)
{
    static const char *const names[] = {"text", "thinking", "refusal", "image_url"};
    struct jvalue part, v[4];
    struct jscan scan;
    enum err e = ERR_OK;

    if (!content.raw.p || jscan_array(&scan, content))
        return add_text(s, PART_TEXT, content);
    while (!e && !jscan_next_element(&scan, &part)) {
        (void)pick_members(part, names, 4, v);
        e = add_thinking_part(s, v[1]);
        if (!e)
            e = add_text(s, PART_TEXT, v[0]);
        if (!e)
            e = add_text(s, PART_REFUSAL, v[2]);
        if (!e && v[3].raw.p)
            e = add_image(s, part);
    }
    return e;
}

static enum err add_audio(struct state *s, struct jvalue audio)
{
    static const char *const names[] = {"transcript", "data"};
    struct jvalue v[2];
    enum err e;

    (void)pick_members(audio, names, 2, v);
    e = add_text(s, PART_TEXT, v[0]);
    return e ? e : add_text(s, PART_AUDIO, v[1]);
}

/* ---- calls ---- */

/* {name, arguments} or {name, input}; some servers send arguments as an object. */
static enum err fill_call(struct state *s, struct jvalue body, struct chat_call *call)
{
    static const char *const names[] = {"name", "arguments", "input"};
    struct jvalue v[3], args;
    enum err e;

    (void)pick_members(body, names, 3, v);
    args = v[1].raw.p ? v[1] : v[2];
    e = text_of(s, v[0], &call->name);
    if (!e)
        e = text_of(s, args, &call->text);
    if (args.raw.p && (args.kind == JSCAN_OBJECT || args.kind == JSCAN_ARRAY))
        call->text = args.raw;
    return e;
}

static enum err add_call(struct state *s, struct jvalue v, bool is_whole)
{
    static const char *const names[] = {"index", "id", "function", "custom", "extra_content"};
    struct chat_call call = {.index = CHAT_NO_INDEX, .is_whole = is_whole};
    struct jvalue m[5];
    enum err e;

    if (!pick_members(v, names, 5, m))
        return ERR_OK;
    if (m[0].raw.p && (jscan_i64(m[0], &call.index) || call.index < 0))
        call.index = CHAT_NO_INDEX;
    call.is_custom = m[3].raw.p && m[3].kind == JSCAN_OBJECT;
    e = text_of(s, m[1], &call.id);
    if (!e)
        e = text_of(s, pick(pick(m[4], "google"), "thought_signature"), &call.seal);
    if (!e)
        e = fill_call(s, call.is_custom ? m[3] : m[2], &call);
    return e ? e : chat_parts_call(&s->parts, &call);
}

static enum err add_calls(struct state *s, const struct jvalue *v, bool is_whole)
{
    struct chat_call legacy = {.index = 0, .is_whole = is_whole};
    struct jvalue call;
    struct jscan scan;
    enum err e = ERR_OK;

    if (v[DELTA_CALLS].raw.p && !jscan_array(&scan, v[DELTA_CALLS]))
        while (!e && !jscan_next_element(&scan, &call))
            e = add_call(s, call, is_whole);
    if (e || !v[DELTA_FUNCTION].raw.p || v[DELTA_FUNCTION].kind != JSCAN_OBJECT)
        return e;
    e = fill_call(s, v[DELTA_FUNCTION], &legacy);
    return e ? e : chat_parts_call(&s->parts, &legacy);
}

/* A delta or a message. */
static enum err add_delta(struct state *s, struct jvalue delta, bool is_whole)
{
    struct jvalue v[DELTA_COUNT];
    enum err e;

    if (!pick_members(delta, delta_names, DELTA_COUNT, v))
        return ERR_OK;
    /* The same text under two names. */
    e = add_text(s, PART_THINKING,
                 pick_string(v[DELTA_THINKING]).n ? v[DELTA_THINKING] : v[DELTA_REASONING]);
    if (!e)
        e = add_content(s, v[DELTA_CONTENT]);
    if (!e)
        e = add_text(s, PART_REFUSAL, v[DELTA_REFUSAL]);
    if (!e)
        e = add_images(s, v[DELTA_IMAGES]);
    if (!e)
        e = add_audio(s, v[DELTA_AUDIO]);
    return e ? e : add_calls(s, v, is_whole);
}

/* ---- finish, usage, error ---- */

static void take_finish(struct state *s, struct slice word)
{
    static const struct {
        const char *word;
        enum finish finish;
    } words[] = {
        {"stop",                          FINISH_STOP   },
        {"length",                        FINISH_LENGTH },
        {"tool_calls",                    FINISH_TOOL   },
        {"function_call",                 FINISH_TOOL   },
        {"content_filter",                FINISH_FILTER },
        {"end_turn",                      FINISH_STOP   },
        {"eos",                           FINISH_STOP   },
        {"max_tokens",                    FINISH_LENGTH },
        {"sensitive",                     FINISH_FILTER },
        {"model_context_window_exceeded", FINISH_CONTEXT},
    };
    static const char *const failures[] = {"error", "network_error",
                                           "insufficient_system_resource"};
    size_t i;

    if (word.n == 0)
        return;
    s->has_finish = true;
    s->finish = FINISH_OTHER;
    for (i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (slice_eq_z(word, words[i].word))
            s->finish = words[i].finish;
    for (i = 0; i < sizeof(failures) / sizeof(failures[0]); i++)
        s->has_failed |= slice_eq_z(word, failures[i]);
}

static bool same(const struct counts *a, const struct counts *b)
{
    return a->in_fresh == b->in_fresh && a->in_read == b->in_read && a->in_write == b->in_write &&
           a->in_write_1h == b->in_write_1h && a->out_all == b->out_all &&
           a->out_think == b->out_think && a->is_known == b->is_known;
}

/* At once, for answers that are cut later; some providers send it with every chunk. */
static enum err take_usage(struct state *s, struct jvalue v)
{
    struct counts counts;

    if (!chat_read_usage(v, &counts) || same(&counts, &s->counts))
        return ERR_OK;
    s->counts = counts;
    return decoder_usage(s->decoder, &counts, slice_of(s->tier));
}

static bool is_error(const struct jvalue *top)
{
    if (top[TOP_ERROR].raw.p)
        return top[TOP_ERROR].kind != JSCAN_FALSE && !slice_eq_z(top[TOP_ERROR].raw, "\"\"");
    return slice_eq_z(pick_string(top[TOP_OBJECT]), "error");
}

static enum err fail(struct state *s, struct jvalue error)
{
    static const char *const names[] = {"message", "code", "type", "detail"};
    struct slice text = {NULL, 0}, code = {NULL, 0};
    enum err class = ERR_UP_FAILED, e;
    struct jvalue v[4];

    (void)pick_members(error, names, 4, v);
    e = text_of(s, v[0].raw.p ? v[0] : v[3].raw.p ? v[3] : error, &text);
    if (!e)
        e = text_of(s, v[1].raw.p && v[1].kind == JSCAN_STRING ? v[1] : v[2], &code);
    if (e)
        return e;
    if (v[1].raw.p && v[1].kind == JSCAN_NUMBER)
        code = v[1].raw;
    if (chat_is_context_error(code, text))
        class = ERR_UP_CONTEXT;
    else if (slice_eq_z(code, "rate_limit_exceeded") || slice_eq_z(code, "429"))
        class = ERR_UP_RATE;
    return decoder_error(s->decoder, class, text, code);
}

/* ---- a chunk, or a whole answer ---- */

static enum err start(struct state *s, const struct jvalue *top)
{
    struct event e = {.kind = EV_START};
    enum err err;

    if (s->decoder->gate.is_started)
        return ERR_OK;
    err = text_of(s, top[TOP_ID], &e.id);
    if (!err)
        err = text_of(s, top[TOP_MODEL], &e.text);
    if (err)
        return err;
    if (top[TOP_CREATED].raw.p && jscan_i64(top[TOP_CREATED], &e.created_s))
        e.created_s = 0;
    return decoder_emit(s->decoder, &e);
}

/* Only the first of several answers can be carried over. */
static enum err read_choice(struct state *s, struct jvalue choice)
{
    static const char *const names[] = {"index", "delta", "message", "finish_reason", "usage"};
    struct jvalue v[5];
    int64_t index = 0;
    enum err e;

    if (!pick_members(choice, names, 5, v))
        return ERR_OK;
    if (v[0].raw.p && !jscan_i64(v[0], &index) && index != 0)
        return ERR_OK;
    e = v[1].raw.p ? add_delta(s, v[1], false) : add_delta(s, v[2], true);
    take_finish(s, pick_string(v[3]));
    return e ? e : take_usage(s, v[4]);
}

static enum err read_choices(struct state *s, struct jvalue choices, size_t *n)
{
    struct jvalue choice;
    struct jscan scan;
    enum err e = ERR_OK;

    *n = 0;
    if (!choices.raw.p || jscan_array(&scan, choices))
        return ERR_OK;
    while (!e && !jscan_next_element(&scan, &choice)) {
        e = read_choice(s, choice);
        ++*n;
    }
    return e;
}

static enum err read_object(struct state *s, const struct jvalue *top, size_t *choices_n)
{
    struct slice tier = pick_string(top[TOP_TIER]);
    enum err e = start(s, top);

    if (tier.n)
        (void)slice_copy_z(s->tier, sizeof(s->tier), tier);
    if (!e)
        e = read_choices(s, top[TOP_CHOICES], choices_n);
    if (!e)
        e = take_usage(s, pick(top[TOP_GROQ], "usage"));
    return e ? e : take_usage(s, top[TOP_USAGE]);
}

/* The answer is complete. */
static enum err complete(struct state *s)
{
    struct decoder *d = s->decoder;
    enum finish finish = s->has_finish ? s->finish : FINISH_STOP;
    enum err e;

    if (s->has_failed)
        return decoder_error(d, ERR_UP_FAILED, (struct slice){NULL, 0}, (struct slice){NULL, 0});
    e = chat_parts_end(&s->parts);
    if (e)
        return e;
    if (s->parts.has_call && (finish == FINISH_STOP || finish == FINISH_OTHER))
        finish = FINISH_TOOL;
    else if (!s->parts.has_call && finish == FINISH_TOOL)
        finish = FINISH_STOP;
    if (s->has_refusal && finish == FINISH_STOP)
        finish = FINISH_REFUSAL;
    d->is_ended = true;
    return decoder_finish(d, finish, (struct slice){NULL, 0});
}

/* ---- the decoder ---- */

static void clear(void *state)
{
    arena_free(((struct state *)state)->scratch);
}

enum err chat_decode_begin(struct decoder *d)
{
    struct state *s = arena_alloc(d->arena, sizeof(*s));
    enum err e;

    if (!s)
        return ERR_MEMORY;
    *s = (struct state){.decoder = d};
    s->scratch = arena_new(SCRATCH_MAX);
    if (!s->scratch)
        return ERR_MEMORY;
    e = arena_defer(d->arena, clear, s);
    if (e) {
        arena_free(s->scratch);
        return e;
    }
    d->state = s;
    return chat_parts_init(&s->parts, d);
}

static enum err end_of_stream(struct state *s)
{
    if (!s->has_finish && s->parts.n == 0 && s->decoder->gate.parts_n == 0)
        return ERR_UP_MALFORMED; /* an empty answer */
    return complete(s);
}

enum err chat_decode_event(struct decoder *d, const struct sse_event *event)
{
    bool is_error_event = slice_eq_z(event->type, "error");
    struct slice data = slice_trim(event->data);
    struct jvalue top[TOP_COUNT];
    struct state *s = d->state;
    size_t choices_n;

    arena_reset(s->scratch);
    if (d->is_ended || d->gate.is_failed || (data.n == 0 && !is_error_event))
        return ERR_OK;
    if (slice_eq_z(data, DONE))
        return end_of_stream(s);
    if (pick_text(data, top_names, TOP_COUNT, top))
        return is_error_event ? fail(s, (struct jvalue){0}) : ERR_UP_MALFORMED;
    if (is_error_event || is_error(top))
        return fail(s, top[TOP_ERROR].raw.p ? top[TOP_ERROR] : (struct jvalue){JSCAN_OBJECT, data});
    return read_object(s, top, &choices_n);
}

enum err chat_decode_end(struct decoder *d)
{
    struct state *s = d->state;

    if (d->is_ended || d->gate.is_failed)
        return ERR_OK;
    return s->has_finish ? complete(s) : ERR_UP_CUT;
}

enum err chat_decode_whole(struct decoder *d, struct slice body)
{
    struct slice text = slice_trim(body);
    struct jvalue top[TOP_COUNT];
    struct state *s = d->state;
    size_t choices_n;
    enum err e;

    if (pick_text(text, top_names, TOP_COUNT, top))
        return ERR_UP_MALFORMED;
    if (is_error(top))
        return fail(s, top[TOP_ERROR].raw.p ? top[TOP_ERROR] : (struct jvalue){JSCAN_OBJECT, text});
    e = read_object(s, top, &choices_n);
    if (!e && choices_n == 0)
        e = ERR_UP_MALFORMED;
    return e ? e : complete(s);
}
