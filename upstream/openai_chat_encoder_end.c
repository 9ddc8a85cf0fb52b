#include "upstream/openai_chat_encoder.h"

#include "upstream/openai_chat.h"

#define AUDIO_LIFE_S 3600 /* nothing is kept, but the member must be there */

const char *chat_finish_word(enum finish finish, const char *tool, bool has_refusal)
{
    switch (finish) {
    case FINISH_LENGTH:
    case FINISH_CONTEXT:
        return "length";
    case FINISH_TOOL:
        return tool;
    case FINISH_FILTER:
        return "content_filter";
    case FINISH_REFUSAL:
        return has_refusal ? "stop" : "content_filter";
    case FINISH_STOP:
    case FINISH_STOP_TEXT:
    case FINISH_PAUSE:
    case FINISH_BAD_CALL:
    case FINISH_OTHER:
    default:
        return "stop";
    }
}

void chat_write_top(struct jwrite *w, const struct encoder *e, const char *object)
{
    jwrite_key(w, "id");
    jwrite_string_begin(w);
    jwrite_text(w, SLICE("chatcmpl-"));
    jwrite_text(w, slice_of(e->request_id));
    jwrite_string_end(w);
    jwrite_key_z(w, "object", object);
    jwrite_key_i64(w, "created", e->created_s);
    jwrite_key_z(w, "model", e->model);
}

/* ---- the end of a stream ---- */

static const char *finish_word(const struct encoder *e)
{
    const struct chat_encoder *s = e->state;

    return chat_finish_word(e->finish, s->is_legacy ? "function_call" : "tool_calls",
                            s->has_refusal);
}

static void write_choice_end(struct jwrite *w, const struct encoder *e)
{
    jwrite_key_null(w, "logprobs");
    jwrite_key_z(w, "finish_reason", finish_word(e));
}

/* The format knows these words only; other formats' providers have their own. */
static void write_tier(struct jwrite *w, const struct encoder *e)
{
    static const char *const words[] = {"auto", "default", "flex", "scale", "priority", "fast"};
    size_t i;

    if (slice_eq_z(e->service_tier, "standard"))
        jwrite_key_z(w, "service_tier", "default");
    for (i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (slice_eq_z(e->service_tier, words[i]))
            jwrite_key_z(w, "service_tier", words[i]);
}

static enum err send_finish(const struct encoder *e)
{
    struct jwrite w;
    enum err err = buf_append_z(e->out, "data: ");

    jwrite_init(&w, e->out);
    jwrite_object(&w);
    chat_write_top(&w, e, "chat.completion.chunk");
    write_tier(&w, e);
    jwrite_key_array(&w, "choices");
    jwrite_object(&w);
    jwrite_key_i64(&w, "index", 0);
    jwrite_key_raw(&w, "delta", SLICE("{}"));
    write_choice_end(&w, e);
    jwrite_object_end(&w);
    jwrite_array_end(&w);
    if (e->wants_usage)
        jwrite_key_null(&w, "usage");
    jwrite_object_end(&w);
    if (!err)
        err = jwrite_end(&w);
    return err ? err : buf_append_z(e->out, "\n\n");
}

static enum err send_usage(const struct encoder *e)
{
    struct jwrite w;
    enum err err = buf_append_z(e->out, "data: ");

    jwrite_init(&w, e->out);
    jwrite_object(&w);
    chat_write_top(&w, e, "chat.completion.chunk");
    write_tier(&w, e);
    jwrite_key_raw(&w, "choices", SLICE("[]"));
    jwrite_key(&w, "usage");
    chat_write_usage(&w, &e->counts, e->cost);
    jwrite_object_end(&w);
    if (!err)
        err = jwrite_end(&w);
    return err ? err : buf_append_z(e->out, "\n\n");
}

static enum err end_stream(struct encoder *e)
{
    enum err err = chat_send_role(e);

    if (!err)
        err = send_finish(e);
    if (!err && e->wants_usage)
        err = send_usage(e);
    return err ? err : buf_append_z(e->out, "data: [DONE]\n\n");
}

/* ---- the whole answer ---- */

/* A text that was kept as a JSON string without its last quote. */
static enum err write_kept(struct jwrite *w, const char *member, struct buf *b)
{
    enum err err = buf_append_z(b, "\"");

    jwrite_key_raw(w, member, buf_slice(b));
    return err;
}

static enum err write_list(struct jwrite *w, const char *member, const struct buf *items)
{
    enum err err;

    jwrite_key_array(w, member);
    if (items->n == 0) {
        jwrite_array_end(w);
        return ERR_OK;
    }
    err = w->e ? w->e : buf_append_slice(w->b, buf_slice(items));
    jwrite_array_end(w);
    return err;
}

static void write_audio(struct jwrite *w, const struct encoder *e)
{
    const struct chat_encoder *s = e->state;

    jwrite_key_object(w, "audio");
    jwrite_key(w, "id");
    jwrite_string_begin(w);
    jwrite_text(w, SLICE("audio_"));
    jwrite_text(w, slice_of(e->request_id));
    jwrite_string_end(w);
    jwrite_key_string(w, "data", buf_slice(&s->media));
    jwrite_key_i64(w, "expires_at", e->created_s + AUDIO_LIFE_S);
    jwrite_key_z(w, "transcript", "");
    jwrite_object_end(w);
}

static enum err write_calls(struct jwrite *w, struct chat_encoder *s)
{
    enum err err = chat_shut_call(s);

    if (err || s->calls_n == 0)
        return err;
    if (!s->is_legacy)
        return write_list(w, "tool_calls", &s->calls);
    jwrite_key_raw(w, "function_call", buf_slice(&s->calls));
    return ERR_OK;
}

static enum err write_message(struct jwrite *w, const struct encoder *e)
{
    struct chat_encoder *s = e->state;
    enum err err = ERR_OK;

    jwrite_key_z(w, "role", "assistant");
    if (s->text.n)
        err = write_kept(w, "content", &s->text);
    else if (s->calls_n || s->refusal.n || s->images.n || s->has_audio)
        jwrite_key_null(w, "content");
    else
        jwrite_key_z(w, "content", "");
    if (s->refusal.n && !err)
        err = write_kept(w, "refusal", &s->refusal);
    else
        jwrite_key_null(w, "refusal");
    if (s->thinking.n && !err)
        err = write_kept(w, "reasoning_content", &s->thinking);
    if (s->images.n && !err)
        err = write_list(w, "images", &s->images);
    if (s->has_audio)
        write_audio(w, e);
    jwrite_key_raw(w, "annotations", SLICE("[]"));
    return err ? err : write_calls(w, s);
}

static enum err write_whole(struct encoder *e)
{
    struct jwrite w;
    enum err err;

    jwrite_init(&w, e->out);
    jwrite_object(&w);
    chat_write_top(&w, e, "chat.completion");
    jwrite_key_array(&w, "choices");
    jwrite_object(&w);
    jwrite_key_i64(&w, "index", 0);
    jwrite_key_object(&w, "message");
    err = write_message(&w, e);
    if (err)
        return err;
    jwrite_object_end(&w);
    write_choice_end(&w, e);
    jwrite_object_end(&w);
    jwrite_array_end(&w);
    jwrite_key(&w, "usage");
    chat_write_usage(&w, &e->counts, e->cost);
    write_tier(&w, e);
    jwrite_object_end(&w);
    return jwrite_end(&w);
}

enum err chat_encode_end(struct encoder *e)
{
    return e->is_stream ? end_stream(e) : write_whole(e);
}
