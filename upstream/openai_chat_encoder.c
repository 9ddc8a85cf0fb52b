#include "upstream/openai_chat_encoder.h"

#include "upstream/openai_chat.h"
#include "upstream/openai_chat_decode.h"

#define PART_MAX    ((size_t)1 << 30) /* what is kept was bounded when it was received */
#define TAIL        ",\"logprobs\":null,\"finish_reason\":null}]"
#define EXTRA_OPEN  ",\"extra_content\":{\"google\":{\"thought_signature\":"
#define EXTRA_CLOSE "}}"

/* ---- begin ---- */

static void clear(void *state)
{
    struct chat_encoder *s = state;

    buf_clear(&s->seal);
    buf_clear(&s->media);
    buf_clear(&s->text);
    buf_clear(&s->thinking);
    buf_clear(&s->refusal);
    buf_clear(&s->calls);
    buf_clear(&s->images);
}

/* What all chunks begin and end with. */
static enum err make_frame(struct encoder *e, struct chat_encoder *s)
{
    struct jwrite w;
    struct buf b;
    enum err err;

    buf_init(&b, PART_MAX);
    jwrite_init(&w, &b);
    jwrite_object(&w);
    chat_write_top(&w, e, "chat.completion.chunk");
    jwrite_object_end(&w);
    err = jwrite_end(&w);
    if (!err) {
        s->head.p = arena_printf(
            e->arena, "data: %.*s,\"choices\":[{\"index\":0,\"delta\":", (int)b.n - 1, b.p);
        s->head = slice_of(s->head.p);
    }
    buf_clear(&b);
    s->tail = e->wants_usage ? TAIL ",\"usage\":null}\n\n" : TAIL "}\n\n";
    if (err)
        return err;
    return s->head.p ? ERR_OK : ERR_MEMORY;
}

static void init_bufs(struct chat_encoder *s)
{
    struct buf *bufs[] = {&s->seal,    &s->media, &s->text,  &s->thinking,
                          &s->refusal, &s->calls, &s->images};
    size_t i;

    for (i = 0; i < sizeof(bufs) / sizeof(bufs[0]); i++)
        buf_init(bufs[i], PART_MAX);
}

enum err chat_encode_begin(struct encoder *e)
{
    struct chat_encoder *s = arena_alloc(e->arena, sizeof(*s));
    enum err err;

    if (!s)
        return ERR_MEMORY;
    init_bufs(s);
    s->is_legacy = e->request && chat_is_legacy(e->request);
    e->state = s;
    err = arena_defer(e->arena, clear, s);
    return err || !e->is_stream ? err : make_frame(e, s);
}

/* ---- chunks ---- */

static enum err open_delta(const struct encoder *e, struct jwrite *w)
{
    const struct chat_encoder *s = e->state;
    enum err err = buf_append_slice(e->out, s->head);

    jwrite_init(w, e->out);
    jwrite_object(w);
    return err;
}

static enum err close_delta(const struct encoder *e, struct jwrite *w)
{
    const struct chat_encoder *s = e->state;
    enum err err;

    jwrite_object_end(w);
    err = jwrite_end(w);
    return err ? err : buf_append_z(e->out, s->tail);
}

static enum err send_text(const struct encoder *e, const char *member, struct slice text)
{
    struct jwrite w;
    enum err err = open_delta(e, &w);

    jwrite_key_string(&w, member, text);
    return err ? err : close_delta(e, &w);
}

enum err chat_send_role(struct encoder *e)
{
    struct chat_encoder *s = e->state;
    struct jwrite w;
    enum err err;

    if (s->is_started)
        return ERR_OK;
    s->is_started = true;
    err = open_delta(e, &w);
    jwrite_key_z(&w, "role", "assistant");
    jwrite_key_z(&w, "content", "");
    jwrite_key_null(&w, "refusal");
    return err ? err : close_delta(e, &w);
}

static void write_signature(struct jwrite *w, struct slice signature)
{
    jwrite_key_object(w, "extra_content");
    jwrite_key_object(w, "google");
    jwrite_key_string(w, "thought_signature", signature);
    jwrite_object_end(w);
    jwrite_object_end(w);
}

/* {tool_calls: [{index, ...}]} up to the call's further members. */
static enum err open_call(const struct encoder *e, struct jwrite *w)
{
    const struct chat_encoder *s = e->state;
    enum err err = open_delta(e, w);

    jwrite_key_array(w, "tool_calls");
    jwrite_object(w);
    jwrite_key_i64(w, "index", (int64_t)s->calls_n - 1);
    return err;
}

static enum err close_call(const struct encoder *e, struct jwrite *w)
{
    jwrite_object_end(w);
    jwrite_array_end(w);
    return close_delta(e, w);
}

/* ---- calls ---- */

static const char *call_kind(const struct chat_encoder *s)
{
    return s->is_custom ? "custom" : "function";
}

static const char *call_text(const struct chat_encoder *s)
{
    return s->is_custom ? "input" : "arguments";
}

static enum err send_legacy_call(const struct encoder *e, struct slice name, struct slice text)
{
    struct jwrite w;
    enum err err = open_delta(e, &w);

    jwrite_key_object(&w, "function_call");
    if (name.p)
        jwrite_key_string(&w, "name", name);
    jwrite_key_string(&w, "arguments", text);
    jwrite_object_end(&w);
    return err ? err : close_delta(e, &w);
}

static enum err send_call(const struct encoder *e, const struct event *ev, struct slice seal)
{
    const struct chat_encoder *s = e->state;
    struct jwrite w;
    enum err err;

    if (s->is_legacy)
        return send_legacy_call(e, ev->name, SLICE(""));
    err = open_call(e, &w);
    jwrite_key_string(&w, "id", ev->id);
    jwrite_key_z(&w, "type", call_kind(s));
    jwrite_key_object(&w, call_kind(s));
    jwrite_key_string(&w, "name", ev->name);
    jwrite_key_z(&w, call_text(s), "");
    jwrite_object_end(&w);
    if (seal.n)
        write_signature(&w, seal);
    return err ? err : close_call(e, &w);
}

static enum err send_arguments(const struct encoder *e, struct slice text)
{
    const struct chat_encoder *s = e->state;
    struct jwrite w;
    enum err err;

    if (s->is_legacy)
        return send_legacy_call(e, (struct slice){NULL, 0}, text);
    err = open_call(e, &w);
    jwrite_key_object(&w, call_kind(s));
    jwrite_key_string(&w, call_text(s), text);
    jwrite_object_end(&w);
    return err ? err : close_call(e, &w);
}

enum err chat_shut_call(struct chat_encoder *s)
{
    enum err err = ERR_OK;

    if (!s->has_open_call)
        return ERR_OK;
    s->has_open_call = false;
    if (s->seal.n) {
        err = buf_append_z(&s->calls, EXTRA_OPEN);
        if (!err)
            err = jscan_escape(&s->calls, buf_slice(&s->seal));
        if (!err)
            err = buf_append_z(&s->calls, EXTRA_CLOSE);
        buf_reset(&s->seal);
    }
    return err ? err : buf_append_z(&s->calls, "}");
}

/* Whole: up to the first quote of the arguments. */
static enum err keep_call(struct chat_encoder *s, const struct event *ev)
{
    enum err err = s->calls_n > 1 ? buf_append_z(&s->calls, ",") : ERR_OK;

    if (!err && !s->is_legacy) {
        err = buf_append_z(&s->calls, "{\"id\":");
        if (!err)
            err = jscan_escape(&s->calls, ev->id);
        if (!err)
            err = buf_printf(&s->calls, ",\"type\":\"%s\",\"%s\":", call_kind(s), call_kind(s));
    }
    if (!err)
        err = buf_append_z(&s->calls, "{\"name\":");
    if (!err)
        err = jscan_escape(&s->calls, ev->name);
    if (!err)
        err = buf_printf(&s->calls, ",\"%s\":\"", call_text(s));
    return err;
}

static enum err begin_call(struct encoder *e, const struct event *ev)
{
    struct chat_encoder *s = e->state;
    struct slice seal = {NULL, 0};
    enum err err;

    s->is_skipped = s->is_legacy && s->calls_n > 0;
    if (s->is_skipped)
        return ERR_OK;
    s->calls_n++;
    s->is_custom = ev->is_custom && !s->is_legacy;
    seal = ev->seal.n ? ev->seal : buf_slice(&s->seal);
    if (e->is_stream) {
        err = send_call(e, ev, seal);
        buf_reset(&s->seal);
        return err;
    }
    if (ev->seal.n) {
        buf_reset(&s->seal);
        err = buf_append_slice(&s->seal, ev->seal);
        if (err)
            return err;
    }
    return keep_call(s, ev);
}

/* ---- the kinds of parts ---- */

static enum err begin_part(struct encoder *e, const struct event *ev)
{
    struct chat_encoder *s = e->state;
    enum err err;

    err = chat_shut_call(s);
    s->kind = ev->part_kind;
    if (err || s->kind == PART_CALL)
        return err ? err : begin_call(e, ev);
    s->has_refusal |= s->kind == PART_REFUSAL;
    if (s->kind != PART_IMAGE)
        return ERR_OK;
    buf_reset(&s->media);
    s->mime = (struct slice){arena_copy(e->arena, ev->mime), ev->mime.n};
    return s->mime.p ? ERR_OK : ERR_MEMORY;
}

/* Whole: text of a JSON string that is not closed yet. */
static enum err keep_text(struct buf *b, struct slice text)
{
    enum err err = b->n ? ERR_OK : buf_append_z(b, "\"");

    return err ? err : jscan_escape_inside(b, text);
}

static enum err send_audio(struct encoder *e, struct slice base64)
{
    struct chat_encoder *s = e->state;
    struct jwrite w;
    enum err err = open_delta(e, &w);

    jwrite_key_object(&w, "audio");
    if (!s->has_audio) {
        jwrite_key(&w, "id");
        jwrite_string_begin(&w);
        jwrite_text(&w, SLICE("audio_"));
        jwrite_text(&w, slice_of(e->request_id));
        jwrite_string_end(&w);
    }
    s->has_audio = true;
    jwrite_key_string(&w, "data", base64);
    jwrite_object_end(&w);
    return err ? err : close_delta(e, &w);
}

static enum err add_text(struct encoder *e, const struct event *ev)
{
    struct chat_encoder *s = e->state;

    switch (s->kind) {
    case PART_TEXT:
        return e->is_stream ? send_text(e, "content", ev->text) : keep_text(&s->text, ev->text);
    case PART_THINKING:
        return e->is_stream ? send_text(e, "reasoning_content", ev->text)
                            : keep_text(&s->thinking, ev->text);
    case PART_REFUSAL:
        return e->is_stream ? send_text(e, "refusal", ev->text) : keep_text(&s->refusal, ev->text);
    case PART_CALL:
        if (s->is_skipped)
            return ERR_OK;
        return e->is_stream ? send_arguments(e, ev->text)
                            : jscan_escape_inside(&s->calls, ev->text);
    case PART_AUDIO:
        if (e->is_stream)
            return send_audio(e, ev->text);
        s->has_audio = true;
        return buf_append_slice(&s->media, ev->text);
    case PART_IMAGE:
        return buf_append_slice(&s->media, ev->text);
    case PART_FILE:
    case PART_RESULT:
    case PART_OPAQUE:
    default:
        return ERR_OK;
    }
}

/* {type: image_url, image_url: {url: data URL}}: how providers with such models answer. */
static void write_image(struct jwrite *w, const struct chat_encoder *s)
{
    jwrite_object(w);
    jwrite_key_z(w, "type", "image_url");
    jwrite_key_object(w, "image_url");
    jwrite_key(w, "url");
    jwrite_string_begin(w);
    jwrite_text(w, SLICE("data:"));
    jwrite_text(w, s->mime.n ? s->mime : SLICE("image/png"));
    jwrite_text(w, SLICE(";base64,"));
    jwrite_text(w, buf_slice(&s->media));
    jwrite_string_end(w);
    jwrite_object_end(w);
    jwrite_object_end(w);
}

static enum err end_image(struct encoder *e)
{
    struct chat_encoder *s = e->state;
    struct jwrite w;
    enum err err;

    if (e->is_stream) {
        err = open_delta(e, &w);
        jwrite_key_array(&w, "images");
        write_image(&w, s);
        jwrite_array_end(&w);
        if (!err)
            err = close_delta(e, &w);
    } else {
        err = s->images.n ? buf_append_z(&s->images, ",") : ERR_OK;
        jwrite_init(&w, &s->images);
        write_image(&w, s);
        if (!err)
            err = jwrite_end(&w);
    }
    buf_reset(&s->media);
    return err;
}

static enum err end_part(struct encoder *e)
{
    struct chat_encoder *s = e->state;

    if (s->kind == PART_IMAGE)
        return end_image(e);
    if (s->kind != PART_CALL || s->is_skipped || e->is_stream)
        return ERR_OK;
    s->has_open_call = !s->is_legacy;
    return buf_append_z(&s->calls, "\"}");
}

static enum err add_seal(struct encoder *e, const struct event *ev)
{
    struct chat_encoder *s = e->state;
    struct jwrite w;
    enum err err;

    if (s->is_legacy || (s->kind != PART_THINKING && s->kind != PART_CALL))
        return ERR_OK; /* no client sends it back */
    if (e->is_stream && s->kind == PART_CALL) {
        err = open_call(e, &w);
        write_signature(&w, ev->text);
        return err ? err : close_call(e, &w);
    }
    buf_reset(&s->seal);
    return buf_append_slice(&s->seal, ev->text);
}

enum err chat_encode_event(struct encoder *e, const struct event *ev)
{
    switch (ev->kind) {
    case EV_START:
        return e->is_stream ? chat_send_role(e) : ERR_OK;
    case EV_BEGIN:
        return begin_part(e, ev);
    case EV_DELTA:
        return add_text(e, ev);
    case EV_SEAL:
        return add_seal(e, ev);
    case EV_END:
        return end_part(e);
    case EV_USAGE:
    case EV_FINISH:
    case EV_ERROR:
    default:
        return ERR_OK;
    }
}
