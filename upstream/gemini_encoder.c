#include "upstream/gemini.h"

#include "base/buf.h"

#define PIECE_MAX ((size_t)1 << 30) /* of one part, which was bounded when it was received */

/* Streamed: each piece of text is a chunk of its own; a call, a picture and a sound are one chunk
 * when they end. Whole: the same parts, text in one piece, go into `parts` until the end. A signature
 * of thoughts waits for the next part that is none. */
struct state {
    struct buf text;  /* arguments, base64, or text of a whole answer: of the open part */
    struct buf parts; /* of a whole answer, with commas */
    enum part_kind kind;
    char mime[65];
    struct slice id, name; /* of the call; in the arena */
    struct slice seal;     /* waits; p NULL: none */
    bool is_broken;        /* the call's arguments are no object; the end tells why */
    bool is_begun;         /* there was a chunk */
    bool was_begun;        /* before those that are in out now */
};

static void clear_state(void *state)
{
    struct state *s = state;

    buf_clear(&s->text);
    buf_clear(&s->parts);
}

enum err gemini_encode_begin(struct encoder *e)
{
    struct state *s = arena_alloc(e->arena, sizeof(*s));

    if (!s)
        return ERR_MEMORY;
    buf_init(&s->text, PIECE_MAX);
    buf_init(&s->parts, PIECE_MAX);
    if (arena_defer(e->arena, clear_state, s))
        return ERR_MEMORY;
    e->state = s;
    return ERR_OK;
}

struct gemini_frame gemini_encoder_frame(const struct encoder *e, bool is_sent)
{
    const struct state *s = e->state;
    bool is_lost = e->out->n && !is_sent;

    return (struct gemini_frame){e->is_array, s && (is_lost ? s->was_begun : s->is_begun)};
}

/* ---- frames ---- */

/* {"candidates":[{"content":{"parts":[: what stands before the parts. */
static enum err open_chunk(struct encoder *e, struct jwrite *w)
{
    struct state *s = e->state;

    if (e->out->n == 0)
        s->was_begun = s->is_begun;
    if (e->is_stream) {
        enum err err = buf_append_slice(e->out, gemini_frame_open(e->is_array, !s->is_begun));

        if (err)
            return err;
    }
    s->is_begun = true;
    jwrite_init(w, e->out);
    jwrite_object(w);
    jwrite_key_array(w, "candidates");
    jwrite_object(w);
    jwrite_key_object(w, "content");
    jwrite_key_array(w, "parts");
    return ERR_OK;
}

static void close_content(struct jwrite *w)
{
    jwrite_array_end(w);
    jwrite_key_z(w, "role", "model");
    jwrite_object_end(w);
}

static enum err close_chunk(struct encoder *e, struct jwrite *w)
{
    enum err err;

    jwrite_key_z(w, "modelVersion", e->model);
    jwrite_key_z(w, "responseId", e->request_id);
    jwrite_object_end(w);
    err = jwrite_end(w);
    return err || !e->is_stream ? err : buf_append_slice(e->out, gemini_frame_shut(e->is_array));
}

/* ---- parts ---- */

static void write_seal(struct state *s, struct jwrite *w)
{
    if (!s->seal.p)
        return;
    jwrite_key_string(w, "thoughtSignature", s->seal);
    s->seal = (struct slice){NULL, 0};
}

/* The object of the call's arguments; raw.p NULL: they are none. */
static struct jvalue args_of(const struct state *s)
{
    struct slice text = slice_trim(buf_slice(&s->text));
    struct jvalue v;

    if (text.n == 0)
        text = SLICE("{}");
    return jscan_validate(text, &v, NULL) || v.kind != JSCAN_OBJECT ? (struct jvalue){0} : v;
}

static void write_call(struct state *s, struct jwrite *w)
{
    struct jvalue args = args_of(s);

    jwrite_object(w);
    jwrite_key_object(w, "functionCall");
    if (s->id.n)
        jwrite_key_string(w, "id", s->id);
    jwrite_key_string(w, "name", s->name);
    jwrite_key(w, "args");
    if (args.raw.p) {
        jwrite_raw(w, args.raw);
    } else {
        jwrite_object(w);
        jwrite_key_string(w, "_raw", buf_slice(&s->text));
        jwrite_object_end(w);
    }
    jwrite_object_end(w);
    write_seal(s, w);
    jwrite_object_end(w);
}

static void write_media(struct state *s, struct jwrite *w)
{
    jwrite_object(w);
    jwrite_key_object(w, "inlineData");
    jwrite_key_z(w, "mimeType",
                 s->mime[0]              ? s->mime
                 : s->kind == PART_AUDIO ? "audio/wav"
                                         : "image/png");
    jwrite_key_string(w, "data", buf_slice(&s->text));
    jwrite_object_end(w);
    write_seal(s, w);
    jwrite_object_end(w);
}

static void write_text(struct state *s, struct slice text, struct jwrite *w)
{
    jwrite_object(w);
    jwrite_key_string(w, "text", text);
    if (s->kind == PART_THINKING)
        jwrite_key_bool(w, "thought", true);
    else
        write_seal(s, w);
    jwrite_object_end(w);
}

static void write_part(struct state *s, struct slice text, struct jwrite *w)
{
    switch (s->kind) {
    case PART_CALL:
        write_call(s, w);
        return;
    case PART_IMAGE:
    case PART_AUDIO:
        write_media(s, w);
        return;
    default:
        write_text(s, text, w);
    }
}

/* One part to the client, or to the parts of the whole answer. */
static enum err put_part(struct encoder *e, struct slice text)
{
    struct state *s = e->state;
    struct jwrite w;
    enum err err;

    if (!e->is_stream) {
        err = s->parts.n ? buf_append(&s->parts, ",", 1) : ERR_OK;
        if (err)
            return err;
        jwrite_init(&w, &s->parts);
        write_part(s, text, &w);
        return jwrite_end(&w);
    }
    err = open_chunk(e, &w);
    if (err)
        return err;
    write_part(s, text, &w);
    close_content(&w);
    jwrite_key_i64(&w, "index", 0);
    jwrite_object_end(&w);
    jwrite_array_end(&w);
    return close_chunk(e, &w);
}

/* ---- events ---- */

/* Thoughts are for clients that asked for them. */
static bool is_hidden(const struct encoder *e, enum part_kind kind)
{
    if (kind == PART_THINKING)
        return !e->request || e->request->think.show != 1;
    return kind == PART_OPAQUE || kind == PART_FILE || kind == PART_RESULT;
}

static bool is_collected(const struct encoder *e, enum part_kind kind)
{
    return !e->is_stream || kind == PART_CALL || kind == PART_IMAGE || kind == PART_AUDIO;
}

static enum err keep(struct encoder *e, struct slice text, struct slice *out)
{
    *out = (struct slice){NULL, 0};
    if (text.n == 0)
        return ERR_OK;
    *out = (struct slice){arena_copy(e->arena, text), text.n};
    return out->p ? ERR_OK : ERR_MEMORY;
}

/* A call whose arguments were no object was not the last: it was not cut, the model wrote it so. */
static enum err flush_broken(struct encoder *e)
{
    struct state *s = e->state;

    if (!s->is_broken)
        return ERR_OK;
    s->is_broken = false;
    return put_part(e, (struct slice){NULL, 0});
}

static enum err begin(struct encoder *e, const struct event *ev)
{
    struct state *s = e->state;
    enum err err = flush_broken(e);

    if (err)
        return err;
    s->kind = ev->part_kind;
    buf_reset(&s->text);
    (void)slice_copy_z(s->mime, sizeof(s->mime), ev->mime);
    if (s->kind != PART_CALL)
        return ERR_OK;
    err = keep(e, ev->id, &s->id);
    if (!err)
        err = keep(e, ev->name, &s->name);
    if (!err && ev->seal.n)
        err = keep(e, ev->seal, &s->seal);
    return err;
}

static enum err delta(struct encoder *e, const struct event *ev)
{
    struct state *s = e->state;

    if (is_hidden(e, s->kind) || ev->text.n == 0)
        return ERR_OK;
    return is_collected(e, s->kind) ? buf_append_slice(&s->text, ev->text) : put_part(e, ev->text);
}

static enum err end(struct encoder *e)
{
    struct state *s = e->state;

    if (is_hidden(e, s->kind) || !is_collected(e, s->kind))
        return ERR_OK;
    if (s->kind == PART_CALL && !args_of(s).raw.p) {
        s->is_broken = true;
        return ERR_OK;
    }
    if (s->kind != PART_CALL && s->text.n == 0)
        return ERR_OK;
    return put_part(e, buf_slice(&s->text));
}

enum err gemini_encode_event(struct encoder *e, const struct event *ev)
{
    struct state *s = e->state;

    switch (ev->kind) {
    case EV_BEGIN:
        return begin(e, ev);
    case EV_DELTA:
        return delta(e, ev);
    case EV_SEAL:
        return keep(e, ev->text, &s->seal);
    case EV_END:
        return end(e);
    default:
        return ERR_OK;
    }
}

/* ---- the end ---- */

static const char *finish_word(enum finish finish)
{
    switch (finish) {
    case FINISH_LENGTH:
    case FINISH_CONTEXT:
        return "MAX_TOKENS";
    case FINISH_REFUSAL:
    case FINISH_FILTER:
        return "SAFETY";
    case FINISH_PAUSE:
        return "CONTINUATION";
    case FINISH_BAD_CALL:
        return "MALFORMED_FUNCTION_CALL";
    case FINISH_OTHER:
        return "OTHER";
    case FINISH_STOP:
    case FINISH_STOP_TEXT:
    case FINISH_TOOL:
    default:
        return "STOP";
    }
}

static bool is_filtered(enum finish finish)
{
    return finish == FINISH_REFUSAL || finish == FINISH_FILTER;
}

/* The parts of the last chunk: an empty text, as Google sends it; of a whole answer: all. */
static void write_last_parts(struct encoder *e, struct jwrite *w)
{
    struct state *s = e->state;

    if (!e->is_stream && s->parts.n) {
        jwrite_raw(w, buf_slice(&s->parts));
        return;
    }
    if (!e->is_stream && !s->seal.p)
        return;
    jwrite_object(w);
    jwrite_key_z(w, "text", "");
    write_seal(s, w);
    jwrite_object_end(w);
}

/* What was cut off in the middle of a call's arguments is no call. */
static enum err settle_call(struct encoder *e)
{
    struct state *s = e->state;

    if (e->finish == FINISH_LENGTH || e->finish == FINISH_CONTEXT)
        s->is_broken = false;
    return flush_broken(e);
}

enum err gemini_encode_end(struct encoder *e)
{
    struct jwrite w;
    enum err err = settle_call(e);

    if (!err)
        err = open_chunk(e, &w);
    if (err)
        return err;
    write_last_parts(e, &w);
    close_content(&w);
    jwrite_key_z(&w, "finishReason", finish_word(e->finish));
    if (is_filtered(e->finish) && e->finish_text.n)
        jwrite_key_string(&w, "finishMessage", e->finish_text);
    jwrite_key_i64(&w, "index", 0);
    jwrite_object_end(&w);
    jwrite_array_end(&w);
    gemini_write_usage(&w, e);
    err = close_chunk(e, &w);
    if (!err && e->is_stream && e->is_array)
        err = buf_append_z(e->out, GEMINI_ARRAY_END);
    return err;
}
