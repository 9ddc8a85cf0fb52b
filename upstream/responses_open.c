#include "upstream/responses_open.h"

#include "upstream/tool_index.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* Deltas and ends of each kind of item. */
static const struct {
    const char *prefix; /* of its id */
    const char *type;
    const char *delta_event, *done_event; /* NULL: none */
    const char *text;                     /* the member that holds the text */
} kinds[] = {
    [OPEN_MESSAGE] = {"msg_", "message",               NULL,                                     NULL, NULL       },
    [OPEN_REASONING] = {"rs_",  "reasoning",             "response.reasoning_summary_text.delta",
                      "response.reasoning_summary_text.done",                                          "text"     },
    [OPEN_CALL] = {"fc_",  "function_call",         "response.function_call_arguments.delta",
                      "response.function_call_arguments.done",                                         "arguments"},
    [OPEN_CUSTOM_CALL] = {"ctc_", "custom_tool_call",      "response.custom_tool_call_input.delta",
                      "response.custom_tool_call_input.done",                                          "input"    },
    [OPEN_IMAGE] = {"ig_",  "image_generation_call", NULL,                                     NULL, "result"   },
};

bool responses_event_begin(struct encoder *e, struct jwrite *w, const char *type)
{
    struct responses_open *x = e->state;

    if (!e->is_stream)
        return false;
    jwrite_init(w, e->out);
    w->e = buf_printf(e->out, "event: %s\ndata: ", type);
    jwrite_object(w);
    jwrite_key_z(w, "type", type);
    jwrite_key_i64(w, "sequence_number", x->sequence++);
    return true;
}

enum err responses_event_end(struct jwrite *w)
{
    enum err e;

    jwrite_object_end(w);
    e = jwrite_end(w);
    return e ? e : buf_append_z(w->b, "\n\n");
}

/* An event about the open item. */
static bool begin_item_event(struct encoder *e, struct jwrite *w, const char *type)
{
    const struct responses_open *x = e->state;

    if (!responses_event_begin(e, w, type))
        return false;
    jwrite_key_z(w, "item_id", x->item_id);
    jwrite_key_i64(w, "output_index", x->index);
    return true;
}

static bool begin_part_event(struct encoder *e, struct jwrite *w, const char *type)
{
    const struct responses_open *x = e->state;

    if (!begin_item_event(e, w, type))
        return false;
    jwrite_key_i64(w, x->item == OPEN_REASONING ? "summary_index" : "content_index", x->content);
    return true;
}

/* A member with the text that was collected, quotes and all. */
static void write_text(struct jwrite *w, const char *member, const struct buf *text)
{
    jwrite_key(w, member);
    jwrite_raw(w, SLICE("\""));
    if (w->e == ERR_OK)
        w->e = buf_append_slice(w->b, buf_slice(text));
    if (w->e == ERR_OK)
        w->e = buf_append_z(w->b, "\"");
}

/* ---- parts ---- */

static void write_part(struct jwrite *w, enum part_kind kind, const struct buf *text)
{
    jwrite_object(w);
    if (kind == PART_THINKING) {
        jwrite_key_z(w, "type", "summary_text");
        write_text(w, "text", text);
    } else if (kind == PART_REFUSAL) {
        jwrite_key_z(w, "type", "refusal");
        write_text(w, "refusal", text);
    } else {
        jwrite_key_z(w, "type", "output_text");
        write_text(w, "text", text);
        jwrite_key_raw(w, "annotations", SLICE("[]"));
        jwrite_key_raw(w, "logprobs", SLICE("[]"));
    }
    jwrite_object_end(w);
}

/* An event with the open part as it stands. */
static enum err tell_part(struct encoder *e, const char *type)
{
    struct responses_open *x = e->state;
    struct jwrite w;

    if (!begin_part_event(e, &w, type))
        return ERR_OK;
    jwrite_key(&w, "part");
    write_part(&w, x->part, &x->bufs[BUF_TEXT]);
    return responses_event_end(&w);
}

enum err responses_open_part(struct encoder *e, enum part_kind part)
{
    struct responses_open *x = e->state;
    enum err error = responses_close_part(e);

    if (error)
        return error;
    x->has_part = true;
    x->part = part;
    buf_reset(&x->bufs[BUF_TEXT]);
    return tell_part(e, x->item == OPEN_REASONING ? "response.reasoning_summary_part.added"
                                                  : "response.content_part.added");
}

static enum err tell_text_done(struct encoder *e)
{
    struct responses_open *x = e->state;
    bool is_refusal = x->part == PART_REFUSAL;
    struct jwrite w;

    if (!begin_part_event(e, &w,
                          x->item == OPEN_REASONING ? "response.reasoning_summary_text.done"
                          : is_refusal              ? "response.refusal.done"
                                                    : "response.output_text.done"))
        return ERR_OK;
    write_text(&w, is_refusal ? "refusal" : "text", &x->bufs[BUF_TEXT]);
    if (x->part == PART_TEXT)
        jwrite_key_raw(&w, "logprobs", SLICE("[]"));
    return responses_event_end(&w);
}

/* Of a message: reasoning goes on until its item ends. */
enum err responses_close_part(struct encoder *e)
{
    struct responses_open *x = e->state;
    struct buf *parts = &x->bufs[BUF_PARTS];
    struct jwrite w;
    enum err error;

    if (!x->has_part || x->item != OPEN_MESSAGE)
        return ERR_OK;
    error = tell_text_done(e);
    if (!error)
        error = tell_part(e, "response.content_part.done");
    if (!error && parts->n)
        error = buf_append_z(parts, ",");
    if (error)
        return error;
    jwrite_init(&w, parts);
    write_part(&w, x->part, &x->bufs[BUF_TEXT]);
    x->has_part = false;
    x->content++;
    return jwrite_end(&w);
}

static enum err close_summary(struct encoder *e)
{
    enum err error = tell_text_done(e);

    return error ? error : tell_part(e, "response.reasoning_summary_part.done");
}

/* ---- items ---- */

static void write_call(struct jwrite *w, const struct responses_open *x)
{
    jwrite_raw(w, buf_slice(&x->bufs[BUF_CALL]));
    write_text(w, kinds[x->item].text, &x->bufs[BUF_TEXT]);
}

static void write_reasoning(struct jwrite *w, const struct responses_open *x)
{
    const struct buf *seal = &x->bufs[BUF_SEAL];

    jwrite_key_array(w, "summary");
    if (x->has_part)
        write_part(w, PART_THINKING, &x->bufs[BUF_TEXT]);
    jwrite_array_end(w);
    if (seal->n)
        jwrite_key_string(w, "encrypted_content", buf_slice(seal));
}

static void write_message(struct jwrite *w, const struct responses_open *x)
{
    jwrite_key_z(w, "role", "assistant");
    jwrite_key_array(w, "content");
    if (x->bufs[BUF_PARTS].n)
        jwrite_raw(w, buf_slice(&x->bufs[BUF_PARTS]));
    jwrite_array_end(w);
}

/* The open item as it stands. status: NULL for kinds that have none. */
static void write_item(struct jwrite *w, const struct responses_open *x, const char *status)
{
    bool has_status = x->item != OPEN_REASONING && x->item != OPEN_CUSTOM_CALL;

    jwrite_object(w);
    jwrite_key_z(w, "id", x->item_id);
    jwrite_key_z(w, "type", kinds[x->item].type);
    if (has_status)
        jwrite_key_z(w, "status", status);
    if (x->item == OPEN_MESSAGE)
        write_message(w, x);
    else if (x->item == OPEN_REASONING)
        write_reasoning(w, x);
    else if (x->item == OPEN_IMAGE && x->bufs[BUF_TEXT].n == 0)
        jwrite_key_null(w, "result");
    else if (x->item == OPEN_IMAGE)
        write_text(w, "result", &x->bufs[BUF_TEXT]);
    else
        write_call(w, x);
    jwrite_object_end(w);
}

enum err responses_open_item(struct encoder *e, enum open_item item)
{
    struct responses_open *x = e->state;
    struct jwrite w;
    enum err error;

    x->item = item;
    x->has_part = false;
    x->content = 0;
    buf_reset(&x->bufs[BUF_TEXT]);
    buf_reset(&x->bufs[BUF_PARTS]);
    buf_reset(&x->bufs[BUF_SEAL]);
    (void)snprintf(x->item_id, sizeof(x->item_id), "%s%s%02" PRId64, kinds[item].prefix,
                   e->request_id, x->index);
    if (!responses_event_begin(e, &w, "response.output_item.added"))
        return ERR_OK;
    jwrite_key_i64(&w, "output_index", x->index);
    jwrite_key(&w, "item");
    write_item(&w, x, "in_progress");
    error = responses_event_end(&w);
    if (error || item != OPEN_IMAGE)
        return error;
    return begin_item_event(e, &w, "response.image_generation_call.in_progress")
               ? responses_event_end(&w)
               : ERR_OK;
}

/* The namespace that the client declared a tool in; p NULL: none. */
static struct slice namespace_of(const struct canon *c, struct slice name)
{
    const struct tool *t = tool_index_find(c, TOOLS_CALLABLE, name);

    return t ? t->space : (struct slice){NULL, 0};
}

enum err responses_open_call(struct encoder *e, struct slice id, struct slice name, bool is_custom)
{
    const size_t mark_n = strlen(RESPONSES_NAMESPACE_MARK);
    struct responses_open *x = e->state;
    struct slice space = namespace_of(e->request, name);
    struct buf *call = &x->bufs[BUF_CALL];
    enum err error;

    buf_reset(call);
    error = buf_append_z(call, "\"call_id\":");
    if (!error)
        error = jscan_escape(call, id);
    if (!error && space.n) {
        name = (struct slice){name.p + space.n + mark_n, name.n - space.n - mark_n};
        error = buf_append_z(call, ",\"namespace\":");
        if (!error)
            error = jscan_escape(call, space);
    }
    if (!error)
        error = buf_append_z(call, ",");
    x->name_at = call->n;
    if (!error)
        error = buf_append_z(call, "\"name\":");
    if (!error)
        error = jscan_escape(call, name);
    return error ? error : responses_open_item(e, is_custom ? OPEN_CUSTOM_CALL : OPEN_CALL);
}

/* What comes before output_item.done. */
static enum err finish_item(struct encoder *e)
{
    struct responses_open *x = e->state;
    const struct buf *call = &x->bufs[BUF_CALL];
    struct jwrite w;

    if (x->item == OPEN_MESSAGE)
        return responses_close_part(e);
    if (x->item == OPEN_REASONING)
        return x->has_part ? close_summary(e) : ERR_OK;
    if (x->item == OPEN_IMAGE)
        return begin_item_event(e, &w, "response.image_generation_call.completed")
                   ? responses_event_end(&w)
                   : ERR_OK;
    if (!begin_item_event(e, &w, kinds[x->item].done_event))
        return ERR_OK;
    if (x->item == OPEN_CALL)
        jwrite_raw(&w, (struct slice){call->p + x->name_at, call->n - x->name_at});
    write_text(&w, kinds[x->item].text, &x->bufs[BUF_TEXT]);
    return responses_event_end(&w);
}

enum err responses_close_item(struct encoder *e, bool is_complete)
{
    struct responses_open *x = e->state;
    struct buf *items = &x->bufs[BUF_ITEMS];
    struct jwrite w;
    size_t at;
    enum err error;

    if (x->item == OPEN_NONE)
        return ERR_OK;
    error = finish_item(e);
    if (!error && items->n)
        error = buf_append_z(items, ",");
    if (error)
        return error;
    at = items->n;
    jwrite_init(&w, items);
    write_item(&w, x, is_complete ? "completed" : x->item == OPEN_IMAGE ? "failed" : "incomplete");
    error = jwrite_end(&w);
    if (!error && responses_event_begin(e, &w, "response.output_item.done")) {
        jwrite_key_i64(&w, "output_index", x->index);
        jwrite_key_raw(&w, "item", (struct slice){items->p + at, items->n - at});
        error = responses_event_end(&w);
    }
    x->item = OPEN_NONE;
    x->has_part = false;
    x->index++;
    return error;
}

/* ---- deltas ---- */

enum err responses_write_delta(struct encoder *e, struct slice text)
{
    struct responses_open *x = e->state;
    bool is_refusal = x->has_part && x->part == PART_REFUSAL;
    struct jwrite w;
    enum err error = ERR_OK;

    if (x->item == OPEN_NONE || (x->item == OPEN_MESSAGE && !x->has_part))
        return ERR_OK;
    if (x->item == OPEN_REASONING && !x->has_part)
        error = responses_open_part(e, PART_THINKING);
    if (!error)
        error = jscan_escape_inside(&x->bufs[BUF_TEXT], text);
    if (error || x->item == OPEN_IMAGE)
        return error;
    if (x->item == OPEN_CALL || x->item == OPEN_CUSTOM_CALL) {
        if (!begin_item_event(e, &w, kinds[x->item].delta_event))
            return ERR_OK;
    } else if (!begin_part_event(e, &w,
                                 x->item == OPEN_REASONING ? kinds[x->item].delta_event
                                 : is_refusal              ? "response.refusal.delta"
                                                           : "response.output_text.delta")) {
        return ERR_OK;
    }
    jwrite_key_string(&w, "delta", text);
    if (x->item == OPEN_MESSAGE && !is_refusal)
        jwrite_key_raw(&w, "logprobs", SLICE("[]"));
    return responses_event_end(&w);
}
