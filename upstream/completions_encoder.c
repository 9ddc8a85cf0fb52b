#include "upstream/completions.h"

#include "base/buf.h"
#include "base/jwrite.h"
#include "upstream/openai_chat.h"

#define TEXT_MAX ((size_t)1 << 30) /* what is kept was bounded when it was received */

struct state {
    enum part_kind kind; /* of the open part */
    bool has_refusal;
    struct buf text; /* whole: a JSON string without its last quote */
};

static void clear(void *state)
{
    buf_clear(&((struct state *)state)->text);
}

enum err completions_encode_begin(struct encoder *e)
{
    struct state *s = arena_alloc(e->arena, sizeof(*s));

    if (!s)
        return ERR_MEMORY;
    buf_init(&s->text, TEXT_MAX);
    e->state = s;
    return arena_defer(e->arena, clear, s);
}

/* Up to the choices. */
static void write_top(struct jwrite *w, const struct encoder *e)
{
    jwrite_object(w);
    jwrite_key(w, "id");
    jwrite_string_begin(w);
    jwrite_text(w, SLICE("cmpl-"));
    jwrite_text(w, slice_of(e->request_id));
    jwrite_string_end(w);
    jwrite_key_z(w, "object", "text_completion");
    jwrite_key_i64(w, "created", e->created_s);
    jwrite_key_z(w, "model", e->model);
    jwrite_key_array(w, "choices");
}

/* What follows the text. finish NULL: not yet. */
static void write_choice(struct jwrite *w, const char *finish)
{
    jwrite_key_i64(w, "index", 0);
    jwrite_key_null(w, "logprobs");
    jwrite_key_z(w, "finish_reason", finish);
    jwrite_object_end(w);
    jwrite_array_end(w);
}

static enum err send_text(const struct encoder *e, struct slice text, const char *finish)
{
    struct jwrite w;
    enum err err = buf_append_z(e->out, "data: ");

    jwrite_init(&w, e->out);
    write_top(&w, e);
    jwrite_object(&w);
    jwrite_key_string(&w, "text", text);
    write_choice(&w, finish);
    if (e->wants_usage)
        jwrite_key_null(&w, "usage");
    jwrite_object_end(&w);
    if (!err)
        err = jwrite_end(&w);
    return err ? err : buf_append_z(e->out, "\n\n");
}

/* Text and refusals are what this format can show; the rest of an answer has no place in it. */
enum err completions_encode_event(struct encoder *e, const struct event *ev)
{
    struct state *s = e->state;
    enum err err = ERR_OK;

    if (ev->kind == EV_BEGIN) {
        s->kind = ev->part_kind;
        s->has_refusal |= s->kind == PART_REFUSAL;
    }
    if (ev->kind != EV_DELTA || (s->kind != PART_TEXT && s->kind != PART_REFUSAL))
        return ERR_OK;
    if (e->is_stream)
        return send_text(e, ev->text, NULL);
    if (s->text.n == 0)
        err = buf_append_z(&s->text, "\"");
    return err ? err : jscan_escape_inside(&s->text, ev->text);
}

static enum err send_usage(const struct encoder *e)
{
    struct jwrite w;
    enum err err = buf_append_z(e->out, "data: ");

    jwrite_init(&w, e->out);
    write_top(&w, e);
    jwrite_array_end(&w);
    jwrite_key(&w, "usage");
    chat_write_usage(&w, &e->counts, e->cost);
    jwrite_object_end(&w);
    if (!err)
        err = jwrite_end(&w);
    return err ? err : buf_append_z(e->out, "\n\n");
}

static enum err end_stream(const struct encoder *e, const char *finish)
{
    enum err err = send_text(e, SLICE(""), finish);

    if (!err && e->wants_usage)
        err = send_usage(e);
    return err ? err : buf_append_z(e->out, "data: [DONE]\n\n");
}

static enum err write_whole(struct encoder *e, const char *finish)
{
    struct state *s = e->state;
    struct jwrite w;
    enum err err = buf_append_z(&s->text, s->text.n ? "\"" : "\"\"");

    if (err)
        return err;
    jwrite_init(&w, e->out);
    write_top(&w, e);
    jwrite_object(&w);
    jwrite_key_raw(&w, "text", buf_slice(&s->text));
    write_choice(&w, finish);
    jwrite_key(&w, "usage");
    chat_write_usage(&w, &e->counts, e->cost);
    jwrite_object_end(&w);
    return jwrite_end(&w);
}

enum err completions_encode_end(struct encoder *e)
{
    const struct state *s = e->state;
    const char *finish = chat_finish_word(e->finish, "stop", s->has_refusal);

    return e->is_stream ? end_stream(e, finish) : write_whole(e, finish);
}
