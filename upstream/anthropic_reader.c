#include "upstream/anthropic.h"

#include "upstream/rewrite.h"
#include "upstream/sse.h"

#define STREAM_END "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n"

/* The members of an event or of an answer that we read; raw.p NULL: absent. */
struct answer {
    struct slice text; /* the object, without the space around it */
    struct jvalue type, model, message, content, block, delta, usage, stop_reason, error;
};

/* ERR_FORMAT when the text is no JSON object. */
static enum err scan(struct slice text, struct answer *a)
{
    static const char *const names[] = {"type",  "model", "message",     "content", "content_block",
                                        "delta", "usage", "stop_reason", "error"};
    struct jvalue *places[] = {&a->type,  &a->model, &a->message,     &a->content, &a->block,
                               &a->delta, &a->usage, &a->stop_reason, &a->error};
    struct jmember m;
    struct jscan s;
    enum err e;
    size_t i;

    *a = (struct answer){.text = slice_trim(text)};
    e = jscan_begin_object(&s, a->text);
    while (!e && !(e = jscan_next_member(&s, &m)))
        for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
            if (m.key.n && (m.key.p[0] == names[i][0] || m.key.p[0] == '\\') &&
                jscan_key_is(&m, names[i])) {
                *places[i] = m.value;
                break;
            }
    return e == ERR_END ? ERR_OK : e;
}

static struct slice inside(struct jvalue v)
{
    if (!v.raw.p || v.kind != JSCAN_STRING)
        return (struct slice){NULL, 0};
    return (struct slice){v.raw.p + 1, v.raw.n - 2};
}

/* The reader's own state; NULL when memory is out. */
static struct anthropic_usage *usage_of(struct reader *r)
{
    if (!r->own) {
        struct anthropic_usage *u = arena_alloc(r->arena, sizeof(*u));

        if (u)
            anthropic_usage_init(u);
        r->own = u;
    }
    return r->own;
}

static void take_usage(struct reader *r, struct anthropic_usage *u, struct jvalue v, bool is_final)
{
    anthropic_usage_merge(u, v, is_final);
    if (u->tier[0])
        (void)slice_copy_z(r->service_tier, sizeof(r->service_tier), slice_of(u->tier));
}

/* ---- what was produced ---- */

static void add_text(struct reader *r, struct jvalue v)
{
    struct slice text = inside(v);

    if (text.n == 0)
        return;
    text_size_add_escaped(&r->output, text);
    r->has_content = true;
}

/* A block, whole or as it begins: text, thinking, a call with its arguments. What a hosted tool
 * found is input and no output. */
static void add_block(struct reader *r, struct jvalue block)
{
    struct jvalue v;
    struct jmember m;
    struct jscan s;

    if (jscan_find(block, "type", &v) || jscan_object(&s, block))
        return;
    if (!slice_eq_z(v.raw, "\"text\"") && !slice_eq_z(v.raw, "\"thinking\""))
        r->has_content = true;
    while (!jscan_next_member(&s, &m)) {
        if (jscan_key_is(&m, "text") || jscan_key_is(&m, "thinking") || jscan_key_is(&m, "data") ||
            jscan_key_is(&m, "name"))
            add_text(r, m.value);
        else if (jscan_key_is(&m, "input") && m.value.kind == JSCAN_OBJECT && m.value.raw.n > 2)
            text_size_add(&r->output, m.value.raw);
    }
}

static void add_delta(struct reader *r, struct jvalue delta)
{
    struct jmember m;
    struct jscan s;

    if (jscan_object(&s, delta))
        return;
    while (!jscan_next_member(&s, &m))
        if (jscan_key_is(&m, "text") || jscan_key_is(&m, "thinking") ||
            jscan_key_is(&m, "partial_json"))
            add_text(r, m.value);
}

/* False when it is no list. */
static bool add_content(struct reader *r, struct jvalue content)
{
    struct jvalue block;
    struct jscan s;

    if (!content.raw.p || jscan_array(&s, content))
        return false;
    while (!jscan_next_element(&s, &block))
        add_block(r, block);
    return true;
}

static void take_finish(struct reader *r, struct jvalue reason)
{
    struct slice word = inside(reason);

    if (word.n)
        (void)slice_copy_z(r->finish_reason, sizeof(r->finish_reason), word);
}

/* ---- errors ---- */

/* error: the object with type and message, or a mere text. The detailed code says more than the
 * type. */
static void copy_error(struct reader *r, struct jvalue error)
{
    struct jvalue details;
    struct slice text;

    if (error.kind == JSCAN_STRING && !jscan_string(error, r->arena, &text) && text.n)
        (void)slice_copy_z(r->error_text, sizeof(r->error_text), text);
    (void)reader_copy_member(r, error, "message", r->error_text, sizeof(r->error_text));
    if (jscan_find(error, "details", &details) ||
        !reader_copy_member(r, details, "error_code", r->error_code, sizeof(r->error_code)))
        (void)reader_copy_member(r, error, "type", r->error_code, sizeof(r->error_code));
    if (anthropic_is_context_error(slice_of(r->error_text)))
        r->error_class = ERR_UP_CONTEXT;
}

static enum event_verdict fail(struct reader *r, const struct answer *a)
{
    reader_default_error(r, ERR_UP_FAILED);
    copy_error(r, a->error.raw.p ? a->error : (struct jvalue){JSCAN_OBJECT, a->text});
    return EVENT_FAIL;
}

void anthropic_read_error(struct reader *r, struct slice body)
{
    struct jvalue v, inner;

    reader_default_error(r, ERR_UP_REJECTED);
    if (jscan_validate(body, &v, NULL))
        return;
    copy_error(r, jscan_find(v, "error", &inner) ? v : inner);
}

/* ---- the readers ---- */

static bool is_type(const struct answer *a, const struct sse_event *e, const char *type)
{
    struct slice word = inside(a->type);

    return slice_eq_z(word.n ? word : e->type, type);
}

/* The first event: the model's name and the input's usage. */
static enum err read_start(struct reader *r, struct anthropic_usage *u, const struct sse_event *e,
                           const struct answer *a)
{
    struct jvalue v;
    struct cut cut;

    if (!jscan_find(a->message, "usage", &v))
        take_usage(r, u, v, false);
    if (!jscan_find(a->message, "content", &v))
        (void)add_content(r, v);
    if (jscan_find(a->message, "model", &v) || !rewrite_renames_model(r, v))
        return ERR_OK;
    cut = (struct cut){v.raw, NULL};
    return rewrite_event(r, e, a->text, &cut, 1);
}

/* The last but one: how it ended, and all of its usage. */
static enum err read_finish(struct reader *r, struct anthropic_usage *u, const struct sse_event *e,
                            const struct answer *a)
{
    char cost[COST_MEMBER_SIZE];
    struct jvalue v;
    struct cut cut;

    if (!jscan_find(a->delta, "stop_reason", &v))
        take_finish(r, v);
    take_usage(r, u, a->usage, true);
    (void)anthropic_usage_counts(u, &r->counts);
    if (!rewrite_cost(r, a->usage, cost, &cut))
        return ERR_OK;
    return rewrite_event(r, e, a->text, &cut, 1);
}

static enum err read_known(struct reader *r, const struct sse_event *e, const struct answer *a)
{
    struct text_size before = r->output;
    struct anthropic_usage *u = usage_of(r);
    enum err err = ERR_OK;

    if (!u)
        return ERR_MEMORY;
    if (is_type(a, e, "content_block_delta"))
        add_delta(r, a->delta);
    else if (is_type(a, e, "content_block_start"))
        add_block(r, a->block);
    else if (is_type(a, e, "message_start"))
        err = read_start(r, u, e, a);
    else if (is_type(a, e, "message_delta"))
        err = read_finish(r, u, e, a);
    r->chunks += r->output.ascii_bytes != before.ascii_bytes ||
                 r->output.other_chars != before.other_chars;
    u->seen = r->output;
    (void)anthropic_usage_counts(u, &r->counts);
    return err;
}

enum event_verdict anthropic_read_event(struct reader *r, const struct sse_event *e)
{
    bool is_error_event = slice_eq_z(e->type, "error");
    struct slice data = slice_trim(e->data);
    struct answer a;

    r->replacement = (struct slice){NULL, 0};
    if (data.n == 0 && !is_error_event)
        return EVENT_FORWARD;
    if (slice_eq_z(data, "[DONE]"))
        return EVENT_WITHHOLD; /* of servers that speak OpenAI's format as well */
    if (scan(data, &a)) {
        if (!is_error_event)
            return EVENT_MALFORMED;
        reader_default_error(r, ERR_UP_FAILED);
        return EVENT_FAIL;
    }
    if (is_error_event || is_type(&a, e, "error"))
        return fail(r, &a);
    if (is_type(&a, e, "message_stop")) {
        r->is_ended = true;
        return EVENT_END;
    }
    return read_known(r, e, &a) ? EVENT_MALFORMED : EVENT_FORWARD;
}

enum event_verdict anthropic_read_end(struct reader *r)
{
    if (r->finish_reason[0] == '\0')
        return EVENT_MALFORMED;
    r->is_ended = true;
    r->replacement = SLICE(STREAM_END);
    return EVENT_END;
}

enum err anthropic_read_whole(struct reader *r, struct slice body, struct slice *out)
{
    struct anthropic_usage *u = usage_of(r);
    char cost[COST_MEMBER_SIZE];
    struct answer a;
    struct cut cuts[2];
    size_t n = 0;
    enum err e;

    r->replacement = (struct slice){NULL, 0};
    if (!u)
        return ERR_MEMORY;
    if (scan(body, &a))
        return ERR_UP_MALFORMED;
    if (slice_eq_z(a.type.raw, "\"error\"") || a.error.kind == JSCAN_OBJECT) {
        (void)fail(r, &a);
        return ERR_UP_FAILED;
    }
    if (!add_content(r, a.content))
        return ERR_UP_MALFORMED;
    take_finish(r, a.stop_reason);
    take_usage(r, u, a.usage, true);
    u->seen = r->output;
    (void)anthropic_usage_counts(u, &r->counts);
    if (rewrite_renames_model(r, a.model))
        cuts[n++] = (struct cut){a.model.raw, NULL};
    n += rewrite_cost(r, a.usage, cost, &cuts[n]);
    e = rewrite_whole(r, body, cuts, n, out);
    r->is_ended = e == ERR_OK;
    return e;
}
