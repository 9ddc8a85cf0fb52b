/* An answer of a provider as events.
 *
 * One item is open at a time: from its output_item.added (or its first mention) to its
 * output_item.done, which holds the whole item and so fills what no delta brought. An item that is
 * announced while another is open waits: its deltas are passed over, and its done text is kept
 * until the open one ends. */
#include "upstream/responses.h"

#include "upstream/event.h"
#include "upstream/responses_items.h"
#include "upstream/sse.h"

#include <string.h>

#define DONE "[DONE]" /* some servers end with it, as in Chat */

/* ---- the members of an event ---- */

struct message {
    struct jvalue type, response, item, index, content_index, summary_index, delta, error;
};

struct place {
    const char *name;
    struct jvalue *value;
};

static enum err scan(struct slice text, struct jvalue *whole, struct message *m)
{
    const struct place places[] = {
        {"type",          &m->type         },
        {"response",      &m->response     },
        {"item",          &m->item         },
        {"output_index",  &m->index        },
        {"content_index", &m->content_index},
        {"summary_index", &m->summary_index},
        {"delta",         &m->delta        },
        {"error",         &m->error        },
    };
    struct jmember member;
    struct jscan s;
    size_t i;
    enum err e;

    *m = (struct message){0};
    *whole = (struct jvalue){JSCAN_OBJECT, text};
    e = jscan_begin_object(&s, text);
    while (!e && !(e = jscan_next_member(&s, &member))) {
        for (i = 0; i < sizeof(places) / sizeof(places[0]); i++)
            if (jscan_key_is(&member, places[i].name))
                *places[i].value = member.value;
    }
    return e == ERR_END ? ERR_OK : ERR_UP_MALFORMED;
}

static int64_t number_or(struct jvalue v, int64_t otherwise)
{
    int64_t n;

    return v.raw.p && !jscan_i64(v, &n) && n >= 0 ? n : otherwise;
}

/* ---- what can come ---- */

enum kind {
    KIND_BEGUN, /* has a response object */
    KIND_FINISHED,
    KIND_FAILED,
    KIND_ERROR,
    KIND_ADDED,
    KIND_ITEM_DONE,
    KIND_DELTA
};

static const struct {
    const char *type;
    enum kind kind;
    struct piece piece; /* of a delta */
} types[] = {
    {"response.output_text.delta",             KIND_DELTA,     {ITEM_MESSAGE, PART_TEXT, false}      },
    {"response.function_call_arguments.delta", KIND_DELTA,     {ITEM_CALL, PART_CALL, false}         },
    {"response.reasoning_summary_text.delta",  KIND_DELTA,     {ITEM_REASONING, PART_THINKING, true} },
    {"response.reasoning_text.delta",          KIND_DELTA,     {ITEM_REASONING, PART_THINKING, false}},
    {"response.custom_tool_call_input.delta",  KIND_DELTA,     {ITEM_CUSTOM_CALL, PART_CALL, false}  },
    {"response.refusal.delta",                 KIND_DELTA,     {ITEM_MESSAGE, PART_REFUSAL, false}   },
    {"response.output_item.added",             KIND_ADDED,     {0}                                   },
    {"response.output_item.done",              KIND_ITEM_DONE, {0}                                   },
    {"response.created",                       KIND_BEGUN,     {0}                                   },
    {"response.in_progress",                   KIND_BEGUN,     {0}                                   },
    {"response.queued",                        KIND_BEGUN,     {0}                                   },
    {"response.completed",                     KIND_FINISHED,  {0}                                   },
    {"response.incomplete",                    KIND_FINISHED,  {0}                                   },
    {"response.failed",                        KIND_FAILED,    {0}                                   },
    {"error",                                  KIND_ERROR,     {0}                                   },
};

#define TYPES (sizeof(types) / sizeof(types[0]))

/* TYPES: one that says nothing to us. */
static size_t type_of(const struct message *m, const struct sse_event *e)
{
    struct slice type = e->type;
    size_t i;

    if (m->type.kind == JSCAN_STRING && m->type.raw.n >= 2)
        type = (struct slice){m->type.raw.p + 1, m->type.raw.n - 2};
    for (i = 0; i < TYPES && !slice_eq_z(type, types[i].type);)
        i++;
    return i;
}

/* ---- beginning and end ---- */

static struct slice text_of(struct decoder *d, struct jvalue object, const char *name)
{
    struct responses_items *x = d->state;
    struct slice text = {NULL, 0};
    struct jvalue v;

    if (jscan_find(object, name, &v) || jscan_string(v, x->scratch, &text))
        return (struct slice){NULL, 0};
    return text;
}

static enum err start(struct decoder *d, struct jvalue response)
{
    struct event ev = {.kind = EV_START};
    struct jvalue v;

    if (d->gate.is_started)
        return ERR_OK;
    if (response.raw.p) {
        ev.id = text_of(d, response, "id");
        ev.text = text_of(d, response, "model");
        if (!jscan_find(response, "created_at", &v))
            ev.created_s = number_or(v, 0);
    }
    return decoder_emit(d, &ev);
}

static enum err take_usage(struct decoder *d, struct jvalue response)
{
    struct counts counts = {0};
    struct jvalue usage;

    if (jscan_find(response, "usage", &usage) || !responses_read_usage(usage, &counts))
        return ERR_OK;
    return decoder_usage(d, &counts, text_of(d, response, "service_tier"));
}

/* There is no word for calls: whether there were any tells it. */
static enum finish finish_of(struct decoder *d, struct jvalue response)
{
    const struct responses_items *x = d->state;
    struct slice reason = {NULL, 0};
    struct jvalue details;

    if (!jscan_find(response, "incomplete_details", &details))
        reason = text_of(d, details, "reason");
    if (slice_eq_z(reason, "max_output_tokens"))
        return FINISH_LENGTH;
    if (slice_eq_z(reason, "content_filter"))
        return FINISH_FILTER;
    if (slice_eq_z(text_of(d, response, "status"), "incomplete"))
        return FINISH_OTHER;
    if (x->has_call)
        return FINISH_TOOL;
    return x->has_refusal ? FINISH_REFUSAL : FINISH_STOP;
}

static enum err finish(struct decoder *d, struct jvalue response)
{
    struct jvalue output;
    enum err e;

    if (jscan_find(response, "output", &output))
        output = (struct jvalue){0};
    e = responses_items_finish(d, output);
    if (!e)
        e = take_usage(d, response);
    if (!e)
        e = decoder_finish(d, finish_of(d, response), (struct slice){NULL, 0});
    d->is_ended = !e;
    return e;
}

static enum err fail(struct decoder *d, struct jvalue error)
{
    struct slice text = text_of(d, error, "message"), code = text_of(d, error, "code");

    d->is_ended = true;
    return decoder_error(d, responses_error_class(code, text, ERR_UP_FAILED), text, code);
}

static enum err fail_response(struct decoder *d, struct jvalue response)
{
    enum err e = take_usage(d, response);
    struct jvalue error;

    if (jscan_find(response, "error", &error))
        error = (struct jvalue){0};
    return e ? e : fail(d, error);
}

/* ---- the three ways in ---- */

static void clear_state(void *arg)
{
    struct responses_items *x = arg;

    arena_free(x->scratch);
    buf_clear(&x->waiting);
}

enum err responses_decode_begin(struct decoder *d)
{
    struct responses_items *x = arena_alloc(d->arena, sizeof(*x));
    enum err e;

    if (!x)
        return ERR_MEMORY;
    responses_items_init(x);
    e = arena_defer(d->arena, clear_state, x);
    if (e)
        return e;
    x->scratch = arena_new(RESPONSES_SCRATCH_MAX);
    d->state = x;
    return x->scratch ? ERR_OK : ERR_MEMORY;
}

static enum err take_delta(struct decoder *d, const struct message *m, const struct piece *piece)
{
    struct responses_items *x = d->state;
    struct slice text;
    int64_t part;
    enum err e;

    if (m->delta.kind != JSCAN_STRING || !m->delta.raw.p)
        return ERR_OK;
    e = jscan_string(m->delta, x->scratch, &text);
    if (e)
        return e == ERR_FORMAT ? ERR_UP_MALFORMED : e;
    part = number_or(piece->is_summary ? m->summary_index : m->content_index, 0);
    return responses_items_delta(d, number_or(m->index, 0), piece, part, text);
}

static enum err take_message(struct decoder *d, const struct message *m, struct jvalue whole,
                             size_t type)
{
    enum kind kind = types[type].kind;
    enum err e;

    if (kind == KIND_ERROR)
        return fail(d, m->error.kind == JSCAN_OBJECT ? m->error : whole);
    e = start(d, m->response);
    if (e || d->gate.is_finished)
        return e;
    switch (kind) {
    case KIND_FINISHED:
        return finish(d, m->response);
    case KIND_FAILED:
        return fail_response(d, m->response);
    case KIND_ADDED:
        return m->item.raw.p ? responses_items_added(d, number_or(m->index, 0), m->item) : ERR_OK;
    case KIND_ITEM_DONE:
        return m->item.raw.p ? responses_items_done(d, number_or(m->index, 0), m->item) : ERR_OK;
    case KIND_DELTA:
        return take_delta(d, m, &types[type].piece);
    case KIND_BEGUN:
    case KIND_ERROR:
    default:
        return ERR_OK;
    }
}

enum err responses_decode_event(struct decoder *d, const struct sse_event *e)
{
    struct responses_items *x = d->state;
    struct slice data = slice_trim(e->data);
    struct jvalue whole;
    struct message m;
    size_t type;

    if (data.n == 0 || slice_eq_z(data, DONE) || d->gate.is_failed)
        return ERR_OK;
    arena_reset(x->scratch);
    if (scan(data, &whole, &m))
        return ERR_UP_MALFORMED;
    type = type_of(&m, e);
    if (type == TYPES && !m.type.raw.p && m.error.kind == JSCAN_OBJECT)
        return fail(d, m.error); /* Chat's shape of an error */
    return type == TYPES ? ERR_OK : take_message(d, &m, whole, type);
}

enum err responses_decode_end(struct decoder *d)
{
    return d->gate.is_finished || d->gate.is_failed ? ERR_OK : ERR_UP_CUT;
}

enum err responses_decode_whole(struct decoder *d, struct slice body)
{
    struct jvalue whole, error, output;
    struct slice status;
    enum err e;

    if (jscan_validate(body, &whole, NULL) || whole.kind != JSCAN_OBJECT)
        return ERR_UP_MALFORMED;
    status = text_of(d, whole, "status");
    if (!jscan_find(whole, "error", &error) && error.kind == JSCAN_OBJECT)
        return fail(d, error);
    if (slice_eq_z(status, "failed") || slice_eq_z(status, "cancelled"))
        return fail(d, (struct jvalue){0});
    if (jscan_find(whole, "output", &output) || output.kind != JSCAN_ARRAY)
        return ERR_UP_MALFORMED;
    e = start(d, whole);
    return e ? e : finish(d, whole);
}
