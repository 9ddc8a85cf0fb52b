#include "upstream/anthropic.h"

#include "base/buf.h"
#include "upstream/event.h"

#include <string.h>

#define CONTENT_MAX ((size_t)1 << 30) /* what is collected was bounded when it was received */
/* Of thinking that came without one: clients send blocks back only with a signature, and we take it
 * for nobody's. */
#define NO_SIGNATURE "aip1.none."
#define LEFT_OUT     "[An image or a sound was left out: this format cannot carry it.]"

/* A thinking block stays open after its part's end until the next part begins, since its signature
 * may come late. */
struct state {
    bool is_started;
    bool is_open;   /* a block */
    bool is_sealed; /* its signature was written */
    bool has_delta; /* something of it was */
    enum part_kind kind;
    size_t index;          /* of the open block, or of the next */
    struct buf content;    /* whole: the blocks so far */
    struct buf args;       /* whole: arguments of the open call */
    struct slice id, name; /* whole: of the open call, in the arena */
    struct buf signature;  /* whole: of the open thinking */
};

static void clear_state(void *arg)
{
    struct state *s = arg;

    buf_clear(&s->content);
    buf_clear(&s->args);
    buf_clear(&s->signature);
}

enum err anthropic_encode_begin(struct encoder *e)
{
    struct state *s = arena_alloc(e->arena, sizeof(*s));

    if (!s)
        return ERR_MEMORY;
    buf_init(&s->content, CONTENT_MAX);
    buf_init(&s->args, CONTENT_MAX);
    buf_init(&s->signature, CONTENT_MAX);
    e->state = s;
    return arena_defer(e->arena, clear_state, s);
}

/* ---- the frame of an event ---- */

static void begin_event(struct jwrite *w, struct buf *b, const char *type)
{
    jwrite_init(w, b);
    w->e = buf_printf(b, "event: %s\ndata: ", type);
    jwrite_object(w);
    jwrite_key_z(w, "type", type);
}

static enum err end_event(struct jwrite *w)
{
    enum err e;

    jwrite_object_end(w);
    e = jwrite_end(w);
    return e ? e : buf_append_z(w->b, "\n\n");
}

/* ---- the message ---- */

static const char *stop_reason(const struct encoder *e)
{
    switch (e->finish) {
    case FINISH_STOP_TEXT:
        return "stop_sequence";
    case FINISH_LENGTH:
        return "max_tokens";
    case FINISH_CONTEXT:
        return "model_context_window_exceeded";
    case FINISH_TOOL:
        return "tool_use";
    case FINISH_REFUSAL:
    case FINISH_FILTER:
        return "refusal";
    case FINISH_PAUSE:
        return "pause_turn";
    case FINISH_STOP:
    case FINISH_BAD_CALL:
    case FINISH_OTHER:
    default:
        return e->has_call ? "tool_use" : "end_turn";
    }
}

static void write_stop(struct jwrite *w, const struct encoder *e)
{
    bool is_refusal = e->finish == FINISH_REFUSAL || e->finish == FINISH_FILTER;
    struct slice text = e->finish_text.n ? e->finish_text : (struct slice){NULL, 0};

    jwrite_key_z(w, "stop_reason", stop_reason(e));
    jwrite_key_string(w, "stop_sequence",
                      e->finish == FINISH_STOP_TEXT ? text : (struct slice){NULL, 0});
    jwrite_key(w, "stop_details");
    if (is_refusal) {
        jwrite_object(w);
        jwrite_key_z(w, "type", "refusal");
        jwrite_key_null(w, "category");
        jwrite_key_string(w, "explanation", text);
        jwrite_object_end(w);
    } else {
        jwrite_null(w);
    }
    jwrite_key_null(w, "container");
}

static void write_head(struct jwrite *w, const struct encoder *e)
{
    jwrite_key(w, "id");
    jwrite_string_begin(w);
    jwrite_text(w, SLICE("msg_"));
    jwrite_text(w, slice_of(e->request_id));
    jwrite_string_end(w);
    jwrite_key_z(w, "type", "message");
    jwrite_key_z(w, "role", "assistant");
    jwrite_key_z(w, "model", e->model);
}

/* Most providers tell the input only at the end: it may be 0 here, and message_delta has it. */
static enum err write_start(struct encoder *e)
{
    struct state *s = e->state;
    struct jwrite w;
    enum err err;

    if (s->is_started)
        return ERR_OK;
    s->is_started = true;
    if (!e->is_stream)
        return ERR_OK;
    begin_event(&w, e->out, "message_start");
    jwrite_key_object(&w, "message");
    write_head(&w, e);
    jwrite_key_raw(&w, "content", SLICE("[]"));
    jwrite_key_null(&w, "stop_reason");
    jwrite_key_null(&w, "stop_sequence");
    jwrite_key_null(&w, "stop_details");
    jwrite_key_null(&w, "container");
    jwrite_key(&w, "usage");
    anthropic_write_usage(&w, &e->counts, e->service_tier, NULL);
    jwrite_object_end(&w);
    err = end_event(&w);
    return err ? err : buf_append_slice(e->out, e->format->ping);
}

/* ---- blocks of a stream ---- */

static enum err write_delta(struct encoder *e, const char *type, const char *member,
                            struct slice text)
{
    const struct state *s = e->state;
    struct jwrite w;

    begin_event(&w, e->out, "content_block_delta");
    jwrite_key_i64(&w, "index", (int64_t)s->index);
    jwrite_key_object(&w, "delta");
    jwrite_key_z(&w, "type", type);
    jwrite_key_string(&w, member, text);
    jwrite_object_end(&w);
    return end_event(&w);
}

static enum err stream_begin(struct encoder *e, enum part_kind kind, struct slice id,
                             struct slice name)
{
    const struct state *s = e->state;
    struct jwrite w;

    begin_event(&w, e->out, "content_block_start");
    jwrite_key_i64(&w, "index", (int64_t)s->index);
    jwrite_key_object(&w, "content_block");
    if (kind == PART_CALL) {
        jwrite_key_z(&w, "type", "tool_use");
        jwrite_key_string(&w, "id", id);
        jwrite_key_string(&w, "name", name);
        jwrite_key_raw(&w, "input", SLICE("{}"));
    } else if (kind == PART_THINKING) {
        jwrite_key_z(&w, "type", "thinking");
        jwrite_key_z(&w, "thinking", "");
        jwrite_key_z(&w, "signature", "");
    } else {
        jwrite_key_z(&w, "type", "text");
        jwrite_key_z(&w, "text", "");
    }
    jwrite_object_end(&w);
    return end_event(&w);
}

static enum err stream_end(struct encoder *e)
{
    const struct state *s = e->state;
    struct jwrite w;
    enum err err = ERR_OK;

    if (s->kind == PART_CALL && !s->has_delta)
        err = write_delta(e, "input_json_delta", "partial_json", SLICE("{}"));
    else if (s->kind == PART_THINKING && !s->is_sealed)
        err = write_delta(e, "signature_delta", "signature", SLICE(NO_SIGNATURE));
    if (err)
        return err;
    begin_event(&w, e->out, "content_block_stop");
    jwrite_key_i64(&w, "index", (int64_t)s->index);
    return end_event(&w);
}

static enum err stream_delta(struct encoder *e, struct slice text)
{
    const struct state *s = e->state;

    if (s->kind == PART_CALL)
        return write_delta(e, "input_json_delta", "partial_json", text);
    return s->kind == PART_THINKING ? write_delta(e, "thinking_delta", "thinking", text)
                                    : write_delta(e, "text_delta", "text", text);
}

/* ---- blocks of a whole answer: {"type":"text","text":"...  is open until the end ---- */

static enum err collect_begin(struct encoder *e, enum part_kind kind, struct slice id,
                              struct slice name)
{
    struct state *s = e->state;
    enum err err = s->content.n ? buf_append_z(&s->content, ",") : ERR_OK;

    buf_reset(&s->args);
    buf_reset(&s->signature);
    if (err || kind != PART_CALL)
        return err ? err
                   : buf_append_z(&s->content, kind == PART_THINKING
                                                   ? "{\"type\":\"thinking\",\"thinking\":\""
                                                   : "{\"type\":\"text\",\"text\":\"");
    s->id = (struct slice){arena_copy(e->arena, id), id.n};
    s->name = (struct slice){arena_copy(e->arena, name), name.n};
    return s->id.p && s->name.p ? ERR_OK : ERR_MEMORY;
}

/* Arguments that were cut off are no object: they are kept as a text. */
static enum err collect_call(struct state *s)
{
    struct slice args = slice_trim(buf_slice(&s->args));
    struct jvalue v;
    struct jwrite w;

    jwrite_init(&w, &s->content);
    jwrite_object(&w);
    jwrite_key_z(&w, "type", "tool_use");
    jwrite_key_string(&w, "id", s->id);
    jwrite_key_string(&w, "name", s->name);
    if (args.n == 0) {
        jwrite_key_raw(&w, "input", SLICE("{}"));
    } else if (!jscan_validate(args, &v, NULL) && v.kind == JSCAN_OBJECT) {
        jwrite_key_raw(&w, "input", v.raw);
    } else {
        jwrite_key_object(&w, "input");
        jwrite_key_string(&w, "_raw", args);
        jwrite_object_end(&w);
    }
    jwrite_object_end(&w);
    return jwrite_end(&w);
}

static enum err collect_end(struct encoder *e)
{
    struct state *s = e->state;
    enum err err;

    if (s->kind == PART_CALL)
        return collect_call(s);
    if (s->kind != PART_THINKING)
        return buf_append_z(&s->content, "\"}");
    err = buf_append_z(&s->content, "\",\"signature\":");
    if (!err)
        err = jscan_escape(&s->content,
                           s->signature.n ? buf_slice(&s->signature) : SLICE(NO_SIGNATURE));
    return err ? err : buf_append_z(&s->content, "}");
}

static enum err collect_delta(struct encoder *e, struct slice text)
{
    struct state *s = e->state;

    return s->kind == PART_CALL ? buf_append_slice(&s->args, text)
                                : jscan_escape_inside(&s->content, text);
}

/* ---- both ---- */

static enum err close_block(struct encoder *e)
{
    struct state *s = e->state;
    enum err err;

    if (!s->is_open)
        return ERR_OK;
    err = e->is_stream ? stream_end(e) : collect_end(e);
    s->is_open = false;
    s->index++;
    return err;
}

static enum err open_block(struct encoder *e, enum part_kind kind, struct slice id,
                           struct slice name)
{
    struct state *s = e->state;
    enum err err = write_start(e);

    if (!err)
        err = close_block(e);
    if (err)
        return err;
    s->is_open = true;
    s->is_sealed = s->has_delta = false;
    s->kind = kind;
    return e->is_stream ? stream_begin(e, kind, id, name) : collect_begin(e, kind, id, name);
}

static enum err add_text(struct encoder *e, struct slice text)
{
    struct state *s = e->state;

    if (!s->is_open || text.n == 0)
        return ERR_OK;
    s->has_delta = true;
    return e->is_stream ? stream_delta(e, text) : collect_delta(e, text);
}

/* Only thinking has a place for a signature. */
static enum err add_seal(struct encoder *e, struct slice signature)
{
    struct state *s = e->state;

    if (!s->is_open || s->kind != PART_THINKING || s->is_sealed || signature.n == 0)
        return ERR_OK;
    s->is_sealed = true;
    return e->is_stream ? write_delta(e, "signature_delta", "signature", signature)
                        : buf_append_slice(&s->signature, signature);
}

static enum err begin_part(struct encoder *e, const struct event *ev)
{
    static const struct slice none = {NULL, 0};
    enum err err = ERR_OK;

    switch (ev->part_kind) {
    case PART_CALL:
        /* Its signature goes into a thinking block of its own, which clients send back. */
        if (ev->seal.n) {
            err = open_block(e, PART_THINKING, none, none);
            if (!err)
                err = add_seal(e, ev->seal);
        }
        return err ? err : open_block(e, PART_CALL, ev->id, ev->name);
    case PART_THINKING:
        return open_block(e, PART_THINKING, none, none);
    case PART_TEXT:
    case PART_REFUSAL:
        return open_block(e, PART_TEXT, none, none);
    case PART_IMAGE:
    case PART_AUDIO:
        err = open_block(e, PART_TEXT, none, none);
        if (!err)
            err = add_text(e, SLICE(LEFT_OUT));
        return err ? err : close_block(e);
    case PART_FILE:
    case PART_RESULT:
    case PART_OPAQUE:
    default:
        return close_block(e);
    }
}

static enum err end_part(struct encoder *e)
{
    const struct state *s = e->state;

    return s->is_open && s->kind == PART_THINKING && !s->is_sealed ? ERR_OK : close_block(e);
}

enum err anthropic_encode_event(struct encoder *e, const struct event *ev)
{
    switch (ev->kind) {
    case EV_START:
        return write_start(e);
    case EV_BEGIN:
        return begin_part(e, ev);
    case EV_DELTA:
        return add_text(e, ev->text);
    case EV_SEAL:
        return add_seal(e, ev->text);
    case EV_END:
        return end_part(e);
    case EV_USAGE:
    case EV_FINISH:
    case EV_ERROR:
    default:
        return ERR_OK;
    }
}

static enum err write_whole(struct encoder *e)
{
    const struct state *s = e->state;
    struct jwrite w;

    jwrite_init(&w, e->out);
    jwrite_object(&w);
    write_head(&w, e);
    jwrite_key_array(&w, "content");
    if (s->content.n)
        jwrite_raw(&w, buf_slice(&s->content));
    jwrite_array_end(&w);
    write_stop(&w, e);
    jwrite_key(&w, "usage");
    anthropic_write_usage(&w, &e->counts, e->service_tier, e->cost);
    jwrite_object_end(&w);
    return jwrite_end(&w);
}

enum err anthropic_encode_end(struct encoder *e)
{
    struct jwrite w;
    enum err err = write_start(e);

    if (!err)
        err = close_block(e);
    if (err || !e->is_stream)
        return err ? err : write_whole(e);
    begin_event(&w, e->out, "message_delta");
    jwrite_key_object(&w, "delta");
    write_stop(&w, e);
    jwrite_object_end(&w);
    jwrite_key(&w, "usage");
    anthropic_write_delta_usage(&w, &e->counts, e->cost);
    err = end_event(&w);
    if (err)
        return err;
    begin_event(&w, e->out, "message_stop");
    return end_event(&w);
}
