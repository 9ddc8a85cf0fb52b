#include "handlers/attempt.h"

#include "base/fault.h"
#include "base/log.h"
#include "base/amount.h"
#include "fcgi/response.h"
#include "handlers/model_capability.h"
#include "handlers/outgoing.h"
#include "handlers/refusal.h"
#include "handlers/upkeep.h"

#include <inttypes.h>
#include <string.h>

#define DROPPED_MAX    ((size_t)1024)     /* of x-aipass-dropped */
#define OPENING_MAX    ((size_t)64 << 10) /* more of it is not held back */
#define OPENING_MS     1000
#define ERROR_BODY_MAX ((size_t)64 << 10) /* more of a provider's error body is not read */

/* The answer comes as events, whatever the client wants. */
static bool is_streaming(const struct attempt *a)
{
    return a->status == 200 && a->is_sse;
}

static struct translation *new_translation(const struct attempt *a)
{
    const struct answer *answer = a->answer;
    const struct capability *capability = capability_of(answer->req->arena, a->route->capability);
    if (capability == NULL)
        return NULL;
    return translation_new(answer->req->arena, answer->format, a->provider_format, answer->in,
                           capability);
}

static enum err attach(struct attempt *a)
{
    const struct request *req = a->answer->req;
    return translation_attach(a->translation, &a->reader, req->id, req->started_wall_ms / 1000);
}

/* A provider may answer whole what was asked as a stream, or the other way round: the client gets what it asked for. */
static enum err reconcile_form(struct attempt *a)
{
    if (a->status != 200 || a->is_sse == a->answer->in->is_stream || a->translation != NULL)
        return ERR_OK;
    a->translation = new_translation(a);
    return a->translation == NULL ? ERR_MEMORY : attach(a);
}

/* The head of a streamed answer: with the provider's first event, or with the first ping. */
static void begin_stream(struct attempt *a)
{
    struct request *req = a->answer->req;
    if (response_is_committed(req))
        return;
    response_status(req, 200);
    response_header_z(req, "content-type", format_stream_type(a->answer->in));
    response_header_z(req, "cache-control", "no-cache");
    response_header_z(req, "x-accel-buffering", "no");
}

/* What was held back goes out now, and nothing is any more. */
static enum err release_opening(struct attempt *a)
{
    enum err e = ERR_OK;
    a->spec.ping_ms = a->answer->app->config->ping_ms;
    if (a->opening.n > 0)
        e = response_write(a->answer->req, buf_slice(&a->opening));
    buf_clear(&a->opening);
    return e;
}

static enum err send(struct attempt *a, struct slice bytes)
{
    struct answer *answer = a->answer;
    if (answer->gone_since_ms != 0 || (bytes.n == 0 && a->opening.n == 0))
        return ERR_OK; /* drained for its usage only */
    begin_stream(a);
    if (!answer->is_begun) {
        answer->is_begun = true;
        answer->begun(answer);
        answer->bill->row.first_byte_ms = clock_mono_ms() - answer->req->started_ms;
        /* An answer below 400 has begun: all of it was sent. A translation reads names from it. */
        if (a->translation == NULL && !answer->format->echoes_request)
            request_drop_body(answer->req);
    }
    a->is_written = true;
    if (a->opening.n > 0) {
        enum err e = release_opening(a);
        if (e != ERR_OK)
            return e;
    }
    return bytes.n > 0 ? response_write(answer->req, bytes) : ERR_OK;
}

/* False: it is for the client now. */
static bool hold_opening(struct attempt *a, struct slice bytes)
{
    if (a->answer->is_begun || a->reader.has_content ||
        buf_append_slice(&a->opening, bytes) != ERR_OK)
        return false;
    if (a->spec.ping_ms > OPENING_MS)
        a->spec.ping_ms = OPENING_MS;
    return true;
}

static enum err on_head(void *ctx, const struct transfer_head *head)
{
    struct attempt *a = ctx;
    struct usage_row *row = &a->answer->bill->row;
    a->status = head->status;
    a->is_sse = slice_starts_ci(head->content_type, "text/event-stream");
    a->retry_after_ms = head->retry_after_ms;
    a->reset_ms = head->reset_ms;
    slice_copy_z(row->upstream_request_id, sizeof(row->upstream_request_id), head->request_id);
    return reconcile_form(a);
}

/* The answer is complete: the close line is written before its last bytes leave. */
static enum err end_stream(struct attempt *a, struct slice last)
{
    struct answer *answer = a->answer;
    bool is_gone = answer->gone_since_ms != 0;
    answer->note(answer, &a->reader, a->route, a->key);
    if (!answer->in->is_stream) {
        a->body = last;
        return ERR_OK;
    }
    bill_settle(answer->bill, is_gone ? USAGE_CLIENT_GONE : USAGE_OK,
                is_gone ? ERR_CLIENT_GONE : ERR_OK, &a->reader);
    return send(a, last);
}

static enum err on_event(void *ctx, const struct sse_event *event)
{
    struct attempt *a = ctx;
    if (a->reader.is_ended)
        return ERR_OK; /* nothing may follow the end */
    if (event->data.p == NULL && !a->answer->is_begun)
        return ERR_OK; /* a comment commits to nothing */
    switch (a->reader.ops->read_event(&a->reader, event)) {
    case EVENT_FORWARD: {
        struct slice out = a->reader.replacement.p != NULL ? a->reader.replacement : event->raw;
        enum err e = hold_opening(a, out) ? ERR_OK : send(a, out);
        return e != ERR_OK ? e : bill_follow(a->answer->bill, &a->reader);
    }
    case EVENT_WITHHOLD:
        return ERR_OK;
    case EVENT_END:
        return end_stream(a, a->reader.replacement.p != NULL ? a->reader.replacement : event->raw);
    case EVENT_FAIL:
        return ERR_UP_FAILED;
    case EVENT_MALFORMED:
    default:
        return ERR_UP_MALFORMED;
    }
}

static enum err flush_written(struct attempt *a)
{
    if (!a->is_written)
        return ERR_OK;
    a->is_written = false;
    return response_flush(a->answer->req);
}

static enum err on_body(void *ctx, struct slice bytes)
{
    struct attempt *a = ctx;
    if (is_streaming(a)) {
        bool was_begun = a->answer->is_begun;
        a->streamed_bytes += (int64_t)bytes.n;
        if (!a->answer->in->is_stream &&
            a->streamed_bytes > a->answer->app->config->answer_max_bytes)
            return ERR_UP_MALFORMED;
        enum err e = sse_feed(&a->sse, bytes, on_event, a);
        if (e == ERR_FULL)
            e = ERR_UP_MALFORMED;
        enum err flushed = flush_written(a);
        FAULT(was_begun ? "k4" : "k3"); /* in mid stream; after the first byte */
        return e != ERR_OK ? e : flushed;
    }
    if (a->status != 200 && a->whole.n + bytes.n > ERROR_BODY_MAX)
        return ERR_OK;
    enum err e = buf_append_slice(&a->whole, bytes);
    return e == ERR_FULL ? ERR_UP_MALFORMED : e;
}

static enum err on_ping(void *ctx)
{
    struct attempt *a = ctx;
    struct request *req = a->answer->req;
    if (a->answer->gone_since_ms != 0 || a->reader.is_ended)
        return ERR_OK;
    if (a->opening.n > 0) { /* it has waited for content long enough */
        enum err sent = send(a, (struct slice){NULL, 0});
        return sent != ERR_OK ? sent : flush_written(a);
    }
    begin_stream(a);
    enum err e = response_write(req, a->answer->format->ping);
    return e != ERR_OK ? e : response_flush(req);
}

/* Asked when the client's descriptor turns readable. Before any content a model may be reasoning unseen: its tokens are waited for, up to gone_drain_ms, so that nobody escapes them. */
static bool is_gone(void *ctx)
{
    struct attempt *a = ctx;
    struct answer *answer = a->answer;
    if (!request_is_gone(answer->req))
        return false;
    int64_t now = clock_mono_ms();
    if (answer->gone_since_ms == 0) {
        answer->gone_since_ms = now;
        if (a->reader.has_content)
            return true;
    }
    return now - answer->gone_since_ms >= answer->app->config->gone_drain_ms;
}

static bool is_stopping(void *ctx)
{
    const struct attempt *a = ctx;
    return a->reader.is_ended || atomic_load(a->answer->app->is_stopping);
}

static const struct transfer_ops ops = {on_head, on_body, on_ping};
static const struct transfer_ops ops_without_pings = {on_head, on_body, NULL};

static enum err fill_edits(const struct attempt *a, struct format_target *target)
{
    static const enum member_action actions[] = {
        [OVERRIDE_SET] = MEMBER_SET,
        [OVERRIDE_DEFAULT] = MEMBER_DEFAULT,
        [OVERRIDE_REMOVE] = MEMBER_REMOVE,
        [OVERRIDE_RENAME] = MEMBER_RENAME,
    };
    const struct catalog_route *route = a->route;
    if (route->overrides_n == 0)
        return ERR_OK;
    struct member_edit *edits =
        arena_alloc(a->answer->req->arena, route->overrides_n * sizeof(*edits));
    if (edits == NULL)
        return ERR_MEMORY;
    for (size_t i = 0; i < route->overrides_n; i++) {
        const struct catalog_override *o = &route->overrides[i];
        edits[i] = (struct member_edit){actions[o->action], o->member, o->value};
    }
    target->edits = edits;
    target->edits_n = route->overrides_n;
    return ERR_OK;
}

/* What could not be carried over, for the client: x-aipass-dropped. */
static enum err tell_drops(struct request *req, const struct drops *drops)
{
    if (drops->n == 0 || response_is_committed(req))
        return ERR_OK;
    struct buf names;
    buf_init(&names, DROPPED_MAX);
    enum err e = ERR_OK;
    for (size_t i = 0; i < drops->n && e == ERR_OK; i++)
        e = buf_printf(&names, "%s%s", i > 0 ? "," : "", drops->names[i]);
    if (e == ERR_OK || e == ERR_FULL) {
        response_header(req, "x-aipass-dropped", buf_slice(&names));
        e = ERR_OK;
    }
    buf_clear(&names);
    return e;
}

static enum err write_body(struct attempt *a, struct splice *body)
{
    const struct answer *answer = a->answer;
    struct format_target target = {.upstream_model = a->route->upstream_name,
                                   .output_max_inject = answer->bill->output_inject};
    enum err e = fill_edits(a, &target);
    if (e != ERR_OK)
        return e;
    if (a->provider_format == answer->format)
        return answer->format->write_request(answer->in, &target, answer->req->arena, body);
    a->translation = new_translation(a);
    if (a->translation == NULL)
        return ERR_MEMORY;
    translation_allow_fetch(a->translation, answer->fetcher);
    e = translate_request(a->translation, &target, body, &a->fault);
    if (e == ERR_OK)
        e = attach(a);
    return e == ERR_OK ? tell_drops(answer->req, translation_drops(a->translation)) : e;
}

static enum err fill_spec(struct attempt *a, struct splice *body)
{
    const struct answer *answer = a->answer;
    struct transfer_spec *spec = &a->spec;
    bool is_stream = answer->in->is_stream;
    enum err e = write_body(a, body);
    if (e != ERR_OK)
        return e;
    struct outgoing o = {
        .req = answer->req,
        .route = a->route,
        .key = a->key,
        .format = a->provider_format,
        .path = a->provider_format->path(answer->req->arena, a->route->upstream_name, answer->in),
        .is_stream = is_stream,
        .forwards = a->provider_format == answer->format,
    };
    e = outgoing_fill(&o, spec);
    spec->body = body;
    /* Whether the client of a whole answer has left cannot be told from every web server: it is finished and billed. */
    if (is_stream)
        spec->gone_fd = request_gone_fd(answer->req);
    spec->is_gone = is_gone;
    spec->is_stopping = is_stopping;
    spec->ops = is_stream ? &ops : &ops_without_pings;
    spec->ctx = a;
    return e;
}

/* The end of the bytes of a stream. A finish reason without the end mark is completed; anything less is no answer. */
static enum err finish_stream(struct attempt *a, enum err e)
{
    if (e == ERR_OK) {
        e = sse_finish(&a->sse, on_event, a);
        enum err flushed = flush_written(a);
        if (e == ERR_OK)
            e = flushed;
    }
    if (a->reader.is_ended)
        return e == ERR_CLIENT_GONE ? e : ERR_OK;
    if (e != ERR_OK)
        return e;
    a->reader.replacement = (struct slice){NULL, 0};
    switch (a->reader.ops->read_end(&a->reader)) {
    case EVENT_END:
        e = end_stream(a, a->reader.replacement);
        return e != ERR_OK ? e : flush_written(a);
    case EVENT_FAIL:
        return ERR_UP_FAILED;
    default:
        return a->answer->is_begun ? ERR_UP_CUT : ERR_UP_MALFORMED;
    }
}

static enum err finish(struct attempt *a, enum err e)
{
    if (is_streaming(a))
        return finish_stream(a, e);
    if (e != ERR_OK)
        return e;
    if (a->status != 200) {
        a->reader.ops->read_error(&a->reader, buf_slice(&a->whole));
        if (a->retry_after_ms < 0)
            a->retry_after_ms = refusal_retry_ms(buf_slice(&a->whole));
        return refusal_error(a->route->channel, a->status, buf_slice(&a->whole));
    }
    e = a->reader.ops->read_whole(&a->reader, buf_slice(&a->whole), &a->body);
    if (e == ERR_OK)
        e = end_stream(a, a->body);
    return e != ERR_OK ? e : flush_written(a);
}

static void note_attempt(struct attempt *a)
{
    struct usage_row *row = &a->answer->bill->row;
    row->attempts++;
    row->channel_id = a->route->channel->id;
    row->channel_key_id = a->key->id;
    row->upstream_request_id[0] = '\0';
    slice_copy_z(row->upstream_model, sizeof(row->upstream_model),
                 slice_of(a->route->upstream_name));
    slice_copy_z(row->provider_format, sizeof(row->provider_format),
                 slice_of(a->route->channel->format));
}

/* USD as the text of a JSON number: exact, without zeros at the end. */
static void write_cost(void *ctx, const struct reader *reader, char dst[READER_COST_SIZE])
{
    const struct attempt *a = ctx;
    _Static_assert(READER_COST_SIZE >= MONEY_TEXT_SIZE, "money fits");
    size_t n = strlen(amount_print(dst, bill_quote(a->answer->bill, reader)));
    while (dst[n - 1] == '0')
        n--;
    n -= dst[n - 1] == '.';
    dst[n] = '\0';
}

static void fill_reader(struct attempt *a)
{
    const struct answer *answer = a->answer;
    a->reader.public_model = answer->model->name;
    a->reader.upstream_model = a->route->upstream_name;
    if (slice_eq_ci(slice_trim(request_header(answer->req, "x-aipass-cost")), "include")) {
        a->reader.cost_text = write_cost;
        a->reader.cost_ctx = a;
    }
}

enum err attempt_run(struct attempt *a, struct slice *body)
{
    struct answer *answer = a->answer;
    const struct config *config = answer->app->config;
    buf_init(&a->whole, (size_t)config->answer_max_bytes);
    buf_init(&a->opening, OPENING_MAX);
    sse_init(&a->sse, (size_t)config->event_max_bytes);
    a->retry_after_ms = -1;
    a->reset_ms = -1;
    a->started_wall_ms = clock_wall_ms();
    a->provider_format = format_find(a->route->channel->format);
    enum err e = reader_init(&a->reader, answer->format, answer->in, answer->req->arena);
    if (e != ERR_OK)
        return e;
    fill_reader(a);
    struct splice splice;
    e = fill_spec(a, &splice);
    if (e != ERR_OK)
        return e;
    note_attempt(a);
    a->is_asked = true;
    e = transfer_run(answer->app->transfers, &a->spec, &a->result);
    e = finish(a, e);
    *body = a->body;
    if (e != ERR_OK)
        log_warn("attempt_failed", "channel=%s error=%s status=%d ms=%" PRId64 " detail=%s",
                 a->route->channel->name, err_name(e), a->status, a->result.total_us / 1000,
                 a->result.detail);
    return e;
}

void attempt_note(const struct attempt *a, enum err e)
{
    const struct transfer_result *r = &a->result;
    struct usage_row *row = &a->answer->bill->row;
    if (a->is_asked)
        usage_row_add_attempt(
            row, &(struct usage_attempt){
                     .n = row->attempts,
                     .channel_id = a->route->channel->id,
                     .channel_key_id = a->key->id,
                     .key_hint = a->key->hint,
                     .status = a->status,
                     .error = err_name(e),
                     .connect_ms = r->connect_us / 1000,
                     .first_byte_ms = r->first_byte_us < 0 ? -1 : r->first_byte_us / 1000,
                     .total_ms = r->total_us / 1000,
                     .bytes = r->body_bytes,
                     .created_wall_ms = a->started_wall_ms,
                 });
}

void attempt_clear(struct attempt *a)
{
    if (a->translation != NULL)
        translation_clear(a->translation);
    reader_clear(&a->reader);
    sse_clear(&a->sse);
    buf_clear(&a->opening);
    buf_clear(&a->whole);
}
