/* Events as an answer to a Responses client.
 *
 * One output item is open at a time. It ends when the next one begins or with the answer, not with
 * its part: text and refusal that follow each other share a message, a seal may come after its
 * thinking, and only the answer's end tells whether its last item is complete. The JSON of each
 * item that ended is kept, since the last event repeats them all. A whole answer is that last
 * event's object alone. */
#include "upstream/responses_open.h"

#include "base/clock.h"

#include <stdio.h>

#define FAILED_CALL "The model made a tool call that is not valid."

static const size_t buf_max = (size_t)1 << 30; /* what the decoder takes in is bounded before */

static void clear_state(void *arg)
{
    struct responses_open *x = arg;
    size_t i;

    for (i = 0; i < RESPONSES_OPEN_BUFS; i++)
        buf_clear(&x->bufs[i]);
}

enum err responses_encode_begin(struct encoder *e)
{
    struct responses_open *x = arena_alloc(e->arena, sizeof(*x));
    size_t i;
    enum err error;

    if (!x)
        return ERR_MEMORY;
    for (i = 0; i < RESPONSES_OPEN_BUFS; i++)
        buf_init(&x->bufs[i], buf_max);
    error = arena_defer(e->arena, clear_state, x);
    if (error)
        return error;
    (void)snprintf(x->id, sizeof(x->id), "resp_%s", e->request_id);
    x->object = (struct responses_object){
        .id = slice_of(x->id),
        .model = e->model,
        .status = "in_progress",
        .created_s = e->created_s,
    };
    responses_read_echo(&x->object, e->request->body);
    e->state = x;
    return ERR_OK;
}

bool responses_encoder_object(const struct encoder *e, struct responses_object *o,
                              int64_t *sequence)
{
    const struct responses_open *x = e->state;

    if (!x->is_started)
        return false;
    *o = x->object;
    o->output = buf_slice(&x->bufs[BUF_ITEMS]);
    *sequence = x->sequence;
    return true;
}

/* An event that carries the response as it stands. */
static enum err write_response(struct encoder *e, const char *type)
{
    struct responses_open *x = e->state;
    struct jwrite w;

    x->object.tier = e->service_tier;
    if (!responses_event_begin(e, &w, type))
        return ERR_OK;
    jwrite_key(&w, "response");
    responses_write_object(&w, &x->object);
    return responses_event_end(&w);
}

static enum err start(struct encoder *e)
{
    struct responses_open *x = e->state;
    enum err error;

    if (x->is_started)
        return ERR_OK;
    error = write_response(e, "response.created");
    x->is_started = true;
    return error ? error : write_response(e, "response.in_progress");
}

/* A seal that is no thinking part's own: in a reasoning item before what it belongs to. */
static enum err write_seal(struct encoder *e, struct slice seal)
{
    struct responses_open *x = e->state;
    enum err error = responses_open_item(e, OPEN_REASONING);

    if (!error)
        error = buf_append_slice(&x->bufs[BUF_SEAL], seal);
    return error ? error : responses_close_item(e, true);
}

static enum err begin_call(struct encoder *e, const struct event *ev)
{
    enum err error = responses_close_item(e, true);

    if (!error && ev->seal.p)
        error = write_seal(e, ev->seal);
    return error ? error : responses_open_call(e, ev->id, ev->name, ev->is_custom);
}

static enum err begin(struct encoder *e, const struct event *ev)
{
    struct responses_open *x = e->state;
    enum err error;

    buf_reset(&x->bufs[BUF_LATE_SEAL]); /* something follows: it would be taken for its seal */
    if (ev->part_kind == PART_CALL)
        return begin_call(e, ev);
    if (ev->part_kind == PART_TEXT || ev->part_kind == PART_REFUSAL) {
        x->has_refusal |= ev->part_kind == PART_REFUSAL;
        error = x->item == OPEN_MESSAGE ? ERR_OK : responses_close_item(e, true);
        if (!error && x->item != OPEN_MESSAGE)
            error = responses_open_item(e, OPEN_MESSAGE);
        return error ? error : responses_open_part(e, ev->part_kind);
    }
    error = responses_close_item(e, true);
    if (error || (ev->part_kind != PART_THINKING && ev->part_kind != PART_IMAGE))
        return error; /* no item of this format can hold it */
    return responses_open_item(e, ev->part_kind == PART_IMAGE ? OPEN_IMAGE : OPEN_REASONING);
}

static enum err keep_seal(struct encoder *e, struct slice seal)
{
    struct responses_open *x = e->state;
    struct buf *b = &x->bufs[x->item == OPEN_REASONING ? BUF_SEAL : BUF_LATE_SEAL];

    buf_reset(b);
    return buf_append_slice(b, seal);
}

enum err responses_encode_event(struct encoder *e, const struct event *ev)
{
    enum err error = ev->kind == EV_ERROR ? ERR_OK : start(e);

    if (error)
        return error;
    switch (ev->kind) {
    case EV_BEGIN:
        return begin(e, ev);
    case EV_DELTA:
        return responses_write_delta(e, ev->text);
    case EV_SEAL:
        return keep_seal(e, ev->text);
    case EV_END:
        return responses_close_part(e);
    case EV_START:
    case EV_USAGE:
    case EV_FINISH:
    case EV_ERROR: /* write_stream_error tells it */
    default:
        return ERR_OK;
    }
}

/* The last event's type, with the object's status set. */
static const char *end_status(struct encoder *e)
{
    struct responses_open *x = e->state;
    struct responses_object *o = &x->object;
    int64_t now_s = clock_wall_ms() / 1000;

    switch (e->finish) {
    case FINISH_LENGTH:
    case FINISH_CONTEXT:
        o->incomplete = "max_output_tokens";
        break;
    case FINISH_REFUSAL:
        o->incomplete = x->has_refusal ? NULL : "content_filter";
        break;
    case FINISH_FILTER:
        o->incomplete = "content_filter";
        break;
    case FINISH_BAD_CALL:
        o->status = "failed";
        o->error_code = responses_failure_code(ERR_UP_FAILED);
        o->error_text = FAILED_CALL;
        return "response.failed";
    case FINISH_STOP:
    case FINISH_STOP_TEXT:
    case FINISH_TOOL:
    case FINISH_PAUSE:
    case FINISH_OTHER:
    default:
        break;
    }
    if (o->incomplete) {
        o->status = "incomplete";
        return "response.incomplete";
    }
    o->status = "completed";
    o->completed_s = now_s > o->created_s ? now_s : o->created_s;
    return "response.completed";
}

static enum err write_whole(struct encoder *e)
{
    struct responses_open *x = e->state;
    struct jwrite w;

    x->object.tier = e->service_tier;
    jwrite_init(&w, e->out);
    responses_write_object(&w, &x->object);
    return jwrite_end(&w);
}

enum err responses_encode_end(struct encoder *e)
{
    struct responses_open *x = e->state;
    enum err error = start(e);
    const char *type;

    if (error)
        return error;
    type = end_status(e);
    error = responses_close_item(e, !x->object.incomplete);
    if (!error && x->bufs[BUF_LATE_SEAL].n)
        error = write_seal(e, buf_slice(&x->bufs[BUF_LATE_SEAL]));
    if (error)
        return error;
    x->object.output = buf_slice(&x->bufs[BUF_ITEMS]);
    x->object.counts = &e->counts;
    x->object.cost = e->cost;
    return e->is_stream ? write_response(e, type) : write_whole(e);
}
