#include "upstream/responses.h"

#include "upstream/event.h"
#include "upstream/rewrite.h"
#include "upstream/sse.h"

#include <string.h>

#define DONE       "[DONE]" /* some servers end with it, as in Chat */
#define ITEMS_SEEN ((int64_t)(sizeof(((struct responses_seen *)0)->items) * 8))

/* The members of an event that we read; raw.p NULL: absent. */
struct answer {
    struct slice text; /* the object, without the space around it */
    struct jvalue type, sequence, response, delta, item, index, error;
};

/* The members of a response object that we read. */
struct response {
    struct jvalue id, model, status, usage, error, incomplete, output, tier, created, object;
};

struct place {
    const char *name;
    struct jvalue *value;
};

static void keep(const struct place *places, size_t n, const struct jmember *m)
{
    size_t i;

    for (i = 0; i < n; i++) {
        if (m->key.n && m->key.p[0] != places[i].name[0] && m->key.p[0] != '\\')
            continue;
        if (jscan_key_is(m, places[i].name)) {
            *places[i].value = m->value;
            return;
        }
    }
}

#define PLACES(p) (sizeof(p) / sizeof((p)[0]))

/* ERR_FORMAT when the text is no JSON object. */
static enum err scan_event(struct slice text, struct answer *a)
{
    const struct place places[] = {
        {"type",            &a->type    },
        {"sequence_number", &a->sequence},
        {"delta",           &a->delta   },
        {"response",        &a->response},
        {"item",            &a->item    },
        {"output_index",    &a->index   },
        {"error",           &a->error   },
    };
    struct jmember m;
    struct jscan s;
    enum err e;

    *a = (struct answer){.text = slice_trim(text)};
    e = jscan_begin_object(&s, a->text);
    while (!e && !(e = jscan_next_member(&s, &m)))
        keep(places, PLACES(places), &m);
    return e == ERR_END ? ERR_OK : e;
}

static void keep_response(struct response *o, const struct jmember *m)
{
    const struct place places[] = {
        {"id",                 &o->id        },
        {"model",              &o->model     },
        {"status",             &o->status    },
        {"usage",              &o->usage     },
        {"error",              &o->error     },
        {"incomplete_details", &o->incomplete},
        {"output",             &o->output    },
        {"service_tier",       &o->tier      },
        {"created_at",         &o->created   },
        {"object",             &o->object    },
    };

    keep(places, PLACES(places), m);
}

static struct response scan_response(struct jvalue v)
{
    struct response o = {0};
    struct jmember m;
    struct jscan s;

    if (v.raw.p && !jscan_object(&s, v))
        while (!jscan_next_member(&s, &m))
            keep_response(&o, &m);
    return o;
}

/* ---- what was produced ---- */

static struct responses_seen *seen_of(struct reader *r)
{
    if (!r->own)
        r->own = arena_alloc(r->arena, sizeof(struct responses_seen));
    return r->own;
}

static void add_text(struct reader *r, struct jvalue v)
{
    if (v.kind != JSCAN_STRING || v.raw.n <= 2)
        return;
    text_size_add_escaped(&r->output, (struct slice){v.raw.p + 1, v.raw.n - 2});
    r->has_content = true;
}

/* [{"type": ..., "text" or "refusal": ...}] */
static void add_parts(struct reader *r, struct jvalue parts)
{
    struct jvalue part;
    struct jmember m;
    struct jscan s, inner;

    if (jscan_array(&s, parts))
        return;
    while (!jscan_next_element(&s, &part)) {
        if (jscan_object(&inner, part))
            continue;
        while (!jscan_next_member(&inner, &m))
            if (jscan_key_is(&m, "text") || jscan_key_is(&m, "refusal"))
                add_text(r, m.value);
    }
}

/* A whole item. What a hosted tool brought is not output; what the model wrote for it is. */
static void add_item(struct reader *r, struct jvalue item)
{
    struct jmember m;
    struct jscan s;

    if (jscan_object(&s, item))
        return;
    while (!jscan_next_member(&s, &m)) {
        if (jscan_key_is(&m, "content") || jscan_key_is(&m, "summary"))
            add_parts(r, m.value);
        else if (jscan_key_is(&m, "arguments") || jscan_key_is(&m, "input") ||
                 jscan_key_is(&m, "code") || jscan_key_is(&m, "name"))
            add_text(r, m.value);
        else if (jscan_key_is(&m, "encrypted_content") && m.value.raw.n > 2)
            r->has_content |= m.value.kind == JSCAN_STRING;
        else if (jscan_key_is(&m, "result") && m.value.raw.n > 2)
            r->has_content |= m.value.kind == JSCAN_STRING; /* an image */
    }
}

static void add_output(struct reader *r, struct jvalue output)
{
    struct jvalue item;
    struct jscan s;

    if (!output.raw.p || jscan_array(&s, output))
        return;
    while (!jscan_next_element(&s, &item))
        add_item(r, item);
}

/* The bit of an item; NULL when it has none. */
static uint8_t *bit_of(struct responses_seen *seen, struct jvalue index, uint8_t *mask)
{
    int64_t n = 0;

    if (!index.raw.p || jscan_i64(index, &n) || n < 0 || n >= ITEMS_SEEN)
        return NULL;
    *mask = (uint8_t)(1u << (n % 8));
    return &seen->items[n / 8];
}

/* Deltas count as they come; an item that came whole counts when it is done. */
static void add_event(struct reader *r, struct responses_seen *seen, const struct answer *a)
{
    struct text_size before = r->output;
    uint8_t mask = 0, *bits = bit_of(seen, a->index, &mask);

    if (a->delta.raw.p && slice_eq_z(a->type.raw, "\"response.audio.delta\"")) {
        r->has_content = true;
    } else if (a->delta.raw.p) {
        add_text(r, a->delta);
        if (bits)
            *bits |= mask;
    } else if (a->item.raw.p && slice_eq_z(a->type.raw, "\"response.output_item.done\"") &&
               !(bits && *bits & mask)) {
        add_item(r, a->item);
        if (bits)
            *bits |= mask;
    }
    r->chunks += r->output.ascii_bytes != before.ascii_bytes ||
                 r->output.other_chars != before.other_chars;
}

/* ---- the response object ---- */

static void copy_text(char *dst, size_t size, struct jvalue v)
{
    if (v.raw.p && v.kind == JSCAN_STRING && v.raw.n > 2)
        (void)slice_copy_z(dst, size, (struct slice){v.raw.p + 1, v.raw.n - 2});
}

static void take_response(struct reader *r, struct responses_seen *seen, const struct response *o)
{
    int64_t created = 0;

    copy_text(seen->id, sizeof(seen->id), o->id);
    if (o->created.raw.p && !jscan_i64(o->created, &created))
        seen->created_s = created;
    copy_text(r->service_tier, sizeof(r->service_tier), o->tier);
    (void)responses_read_usage(o->usage, &r->counts);
}

/* "completed", or why it is not. */
static void take_finish(struct reader *r, const struct response *o)
{
    struct jvalue reason;

    (void)slice_copy_z(r->finish_reason, sizeof(r->finish_reason), SLICE("completed"));
    copy_text(r->finish_reason, sizeof(r->finish_reason), o->status);
    if (o->incomplete.raw.p && !jscan_find(o->incomplete, "reason", &reason))
        copy_text(r->finish_reason, sizeof(r->finish_reason), reason);
}

/* ---- errors ---- */

static void copy_error(struct reader *r, struct jvalue error)
{
    struct slice text;

    if (error.kind == JSCAN_STRING && !jscan_string(error, r->arena, &text) && text.n)
        (void)slice_copy_z(r->error_text, sizeof(r->error_text), text);
    if (!reader_copy_member(r, error, "message", r->error_text, sizeof(r->error_text)))
        (void)reader_copy_member(r, error, "detail", r->error_text, sizeof(r->error_text));
    if (!reader_copy_member(r, error, "code", r->error_code, sizeof(r->error_code)))
        (void)reader_copy_member(r, error, "type", r->error_code, sizeof(r->error_code));
    r->error_class =
        responses_error_class(slice_of(r->error_code), slice_of(r->error_text), ERR_UP_REJECTED);
    if (r->error_class != ERR_UP_CONTEXT)
        r->error_class = ERR_UP_REJECTED;
}

/* A member that says null, false or "" is none. */
static bool is_error(struct jvalue error)
{
    return error.raw.p && error.kind != JSCAN_NULL && error.kind != JSCAN_FALSE &&
           !slice_eq_z(error.raw, "\"\"");
}

void responses_read_error(struct reader *r, struct slice body)
{
    struct jvalue v, inner;

    reader_default_error(r, ERR_UP_REJECTED);
    if (jscan_validate(body, &v, NULL))
        return;
    copy_error(r, jscan_find(v, "error", &inner) ? v : inner);
}

/* ---- the two readers ---- */

/* Sets r->replacement when the client must not see the event as it is. */
static enum err replace_event(struct reader *r, const struct sse_event *e, const struct answer *a,
                              const struct response *o)
{
    char cost[COST_MEMBER_SIZE];
    struct cut cuts[2];
    size_t n = 0;

    if (rewrite_renames_model(r, o->model))
        cuts[n++] = (struct cut){o->model.raw, NULL};
    n += rewrite_cost(r, o->usage, cost, &cuts[n]);
    return rewrite_event(r, e, a->text, cuts, n);
}

static bool is_type(const struct answer *a, const struct sse_event *e, const char *type)
{
    struct slice quoted = a->type.raw;

    if (!quoted.p)
        return slice_eq_z(e->type, type);
    return quoted.n >= 2 && slice_eq_z((struct slice){quoted.p + 1, quoted.n - 2}, type);
}

static enum event_verdict read_failure(struct reader *r, struct jvalue error)
{
    reader_default_error(r, ERR_UP_FAILED);
    if (error.raw.p)
        copy_error(r, error);
    return EVENT_FAIL;
}

/* An event with a response object, or one of those in between. */
static enum event_verdict read_known(struct reader *r, struct responses_seen *seen,
                                     const struct sse_event *e, const struct answer *a)
{
    bool is_finish = is_type(a, e, "response.completed") || is_type(a, e, "response.incomplete");
    bool is_failure = is_type(a, e, "response.failed");
    struct response o = scan_response(a->response);

    if (a->response.raw.p)
        take_response(r, seen, &o);
    else
        add_event(r, seen, a);
    if (is_finish && !r->has_content)
        add_output(r, o.output);
    if (replace_event(r, e, a, &o))
        return EVENT_MALFORMED;
    if (is_failure)
        return read_failure(r, o.error);
    if (!is_finish)
        return EVENT_FORWARD;
    take_finish(r, &o);
    r->is_ended = true;
    return EVENT_END;
}

static enum event_verdict read_scanned(struct reader *r, struct responses_seen *seen,
                                       const struct sse_event *e, const struct answer *a)
{
    if (is_type(a, e, "error") || slice_eq_z(e->type, "error") ||
        (!a->type.raw.p && is_error(a->error)))
        return read_failure(r,
                            is_error(a->error) ? a->error : (struct jvalue){JSCAN_OBJECT, a->text});
    return read_known(r, seen, e, a);
}

enum event_verdict responses_read_event(struct reader *r, const struct sse_event *e)
{
    struct responses_seen *seen = seen_of(r);
    struct slice data = slice_trim(e->data);
    enum event_verdict verdict;
    int64_t sequence = 0;
    struct answer a;

    r->replacement = (struct slice){NULL, 0};
    if (!seen)
        return EVENT_MALFORMED;
    if (data.n == 0)
        return slice_eq_z(e->type, "error") ? read_failure(r, (struct jvalue){0}) : EVENT_FORWARD;
    if (slice_eq_z(data, DONE))
        return EVENT_WITHHOLD;
    if (scan_event(data, &a)) {
        if (!slice_eq_z(e->type, "error"))
            return EVENT_MALFORMED;
        return read_failure(r, (struct jvalue){0});
    }
    verdict = read_scanned(r, seen, e, &a);
    /* A failure is told in our words, in the place of the provider's. */
    if (a.sequence.raw.p && !jscan_i64(a.sequence, &sequence) && sequence >= 0 &&
        sequence < COUNT_MAX)
        r->sequence = sequence + (verdict == EVENT_FORWARD || verdict == EVENT_END);
    return verdict;
}

static enum err check_whole(struct reader *r, const struct response *o, struct jvalue whole)
{
    bool is_failed = slice_eq_z(o->status.raw, "\"failed\"") ||
                     slice_eq_z(o->status.raw, "\"cancelled\"") ||
                     slice_eq_z(o->object.raw, "\"error\"");

    if (is_failed || is_error(o->error)) {
        (void)read_failure(r, is_error(o->error) ? o->error : whole);
        return ERR_UP_FAILED;
    }
    return o->output.raw.p && o->output.kind == JSCAN_ARRAY ? ERR_OK : ERR_UP_MALFORMED;
}

enum err responses_read_whole(struct reader *r, struct slice body, struct slice *out)
{
    struct responses_seen *seen = seen_of(r);
    char cost[COST_MEMBER_SIZE];
    struct jvalue whole;
    struct response o;
    struct cut cuts[2];
    size_t n = 0;
    enum err e;

    r->replacement = (struct slice){NULL, 0};
    if (!seen || jscan_validate(body, &whole, NULL) || whole.kind != JSCAN_OBJECT)
        return ERR_UP_MALFORMED;
    o = scan_response(whole);
    take_response(r, seen, &o);
    e = check_whole(r, &o, whole);
    if (e)
        return e;
    add_output(r, o.output);
    take_finish(r, &o);
    if (rewrite_renames_model(r, o.model))
        cuts[n++] = (struct cut){o.model.raw, NULL};
    n += rewrite_cost(r, o.usage, cost, &cuts[n]);
    e = rewrite_whole(r, body, cuts, n, out);
    r->is_ended = e == ERR_OK;
    return e;
}

/* There is no answer without its last event. */
enum event_verdict responses_read_end(struct reader *r)
{
    r->replacement = (struct slice){NULL, 0};
    return EVENT_MALFORMED;
}

struct slice responses_answer_id(const struct reader *r)
{
    const struct responses_seen *seen = r->own;
    struct responses_object o;
    int64_t sequence;

    if (r->encoder && r->encoder->state)
        return responses_encoder_object(r->encoder, &o, &sequence) ? o.id : (struct slice){NULL, 0};
    return r->translation || !seen ? (struct slice){NULL, 0} : slice_of(seen->id);
}
