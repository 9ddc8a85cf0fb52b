#include "handlers/relay.h"

#include "fcgi/response.h"
#include "handlers/admit.h"
#include "handlers/attempt.h"
#include "handlers/bill.h"
#include "handlers/choice.h"
#include "handlers/errors.h"
#include "handlers/upkeep.h"
#include "upstream/fetch.h"

#include <stddef.h>

#define STREAM_ERROR_MAX 4096

struct relay {
    struct answer answer;
    struct bill bill;
    struct rate rate;
    struct relay_read read;
    struct relay_pin pin;
    struct choice choice;
    bool is_idle; /* it ended while no attempt was running */
};

struct catalog_hold {
    struct catalog_store *store;
    const struct catalog *catalog;
};

static void release_catalog(void *arg)
{
    struct catalog_hold *h = arg;
    catalog_release(h->store, h->catalog);
}

/* The snapshot lives as long as the request. */
static enum err acquire_catalog(struct request *req, const struct catalog **out)
{
    const struct app *app = app_of(req);
    struct catalog_hold *h = arena_alloc(req->arena, sizeof(*h));
    if (h == NULL)
        return ERR_MEMORY;
    h->store = app->catalogs;
    enum err e = catalog_acquire(app->catalogs, &h->catalog);
    if (e != ERR_OK)
        return e;
    e = arena_defer(req->arena, release_catalog, h);
    if (e != ERR_OK) {
        catalog_release(h->store, h->catalog);
        return e;
    }
    *out = h->catalog;
    return ERR_OK;
}

enum err relay_read_catalog(struct request *req, const struct catalog **out)
{
    enum err e = acquire_catalog(req, out);
    return e == ERR_OK ? ERR_OK : request_fail(req, e, NULL, NULL);
}

enum err relay_read_request(struct request *req, const struct format *format,
                            const struct format_call *call, struct relay_read *out)
{
    struct fault fault = {NULL, NULL};
    enum err e = format->read_request(call, req->arena, &out->in, &fault);
    if (e != ERR_OK)
        return request_fail(req, e, fault.param, fault.text != NULL ? "%s" : NULL, fault.text);
    out->in.verb = call->verb;
    e = relay_read_catalog(req, &out->catalog);
    if (e != ERR_OK)
        return e;
    out->model = catalog_find_model(out->catalog, out->in.model);
    if (out->model == NULL)
        return request_fail(req, ERR_NO_MODEL, "model",
                            "The model `%.*s` does not exist or you do not have access to it.",
                            SLICE_FMT(out->in.model));
    if (!key_may_use(admit_key(req), out->model->id))
        return request_fail(req, ERR_FORBIDDEN, "model", "This API key may not use the model `%s`.",
                            out->model->name);
    return ERR_OK;
}

/* No channel will do, and why: a call of one format, or one that goes on from what a provider keeps,
 * is nothing that another channel or a later try could serve. */
static void refuse_unservable(const struct relay *r, enum err e)
{
    struct request *req = r->answer.req;
    const char *name = r->answer.model->name, *verb = r->read.in.verb;
    if (e == ERR_NO_CHANNEL && r->pin.channel_id != 0)
        request_fail(req, ERR_BAD_REQUEST, r->pin.param,
                     "%s: the provider that keeps it does not serve the model `%s`.", r->pin.param,
                     name);
    else if (e == ERR_NO_CHANNEL && verb != NULL)
        request_fail(req, ERR_BAD_REQUEST, "model", "model: `%s` has no provider that knows %s.",
                     name, verb);
    else
        request_fail(req, e, NULL, NULL);
}

/* A provider's refusal is passed on only as what the client's SDK expects: a JSON object. */
static bool is_json_object(struct slice text)
{
    struct jvalue v;
    return jscan_validate(text, &v, NULL) == ERR_OK && v.kind == JSCAN_OBJECT;
}

/* A provider's refusal in another format than the client's: its class decides the status. */
static enum err refusal_class(const struct attempt *a)
{
    if (a->status == 404)
        return ERR_NO_MODEL;
    if (a->status == 413)
        return ERR_TOO_LARGE;
    return a->reader.error_class;
}

/* A refusal before anything was sent, in the client's format. */
static void answer_failure(struct relay *r, const struct attempt *a, enum err e)
{
    struct request *req = r->answer.req;
    if (e == ERR_CLIENT_GONE)
        return;
    if (e == ERR_UP_REJECTED && a->translation == NULL && is_json_object(buf_slice(&a->whole))) {
        response_header_z(req, "x-should-retry", "false");
        enum err sent = response_bytes(req, a->status, "application/json", buf_slice(&a->whole));
        (void)sent; /* a client that is gone does not get it */
        return;
    }
    if (a->retry_after_ms >= 0)
        error_retry_after(req, (a->retry_after_ms + 999) / 1000);
    if (e == ERR_BAD_REQUEST)
        request_fail(req, e, a->fault.param, a->fault.text != NULL ? "%s" : NULL, a->fault.text);
    else if (e == ERR_UP_REJECTED)
        request_fail(req, refusal_class(a), NULL, "%s", a->reader.error_text);
    else
        request_fail(req, e, NULL, NULL);
}

/* The head is out: the stream ends with the format's error event and without its proper end. */
static void end_with_error(struct relay *r, const struct attempt *a, enum err e)
{
    struct request *req = r->answer.req;
    if (e == ERR_CLIENT_GONE)
        return;
    const char *text = e == ERR_UP_FAILED ? a->reader.error_text : NULL;
    struct buf b;
    buf_init(&b, STREAM_ERROR_MAX);
    enum err written = r->answer.format->write_stream_error(&a->reader, &b, e, text, req->id);
    if (written == ERR_OK)
        written = response_write(req, buf_slice(&b));
    if (written == ERR_OK)
        written = response_flush(req);
    (void)written; /* a client that is gone does not get it */
    buf_clear(&b);
}

static enum usage_status status_of(const struct relay *r, enum err e)
{
    if (e == ERR_OK)
        return USAGE_OK;
    if (e == ERR_CLIENT_GONE)
        return USAGE_CLIENT_GONE;
    return r->answer.is_begun ? USAGE_CUT : USAGE_ERROR;
}

/* The single exit of an admitted request: settled first, then the last bytes. */
static void conclude(struct relay *r, struct attempt *a, enum err e, struct slice body)
{
    struct request *req = r->answer.req;
    enum usage_status status = status_of(r, e);
    /* A failure before the first byte costs nothing; a client that left had the prompt read and the answer begun. */
    bool is_charged = status != USAGE_ERROR && !r->is_idle;
    if (e == ERR_OK && !r->answer.in->is_stream)
        r->bill.row.http_status = 200;
    else if (e == ERR_UP_REJECTED)
        r->bill.row.http_status = a->status;
    bill_settle(&r->bill, status, e, is_charged ? &a->reader : NULL);
    if (e == ERR_OK && !r->answer.in->is_stream) {
        enum err sent = response_bytes(req, 200, "application/json", body);
        (void)sent; /* settled already; a client that is gone does not get it */
    } else if (e != ERR_OK && response_is_committed(req)) {
        end_with_error(r, a, e);
    } else if (e != ERR_OK) {
        answer_failure(r, a, e);
    }
}

/* Whether another channel may do better, or this one later. */
static bool may_go_on(const struct answer *answer, const struct attempt *a, enum err e)
{
    if (answer->is_begun || answer->gone_since_ms != 0)
        return false; /* nobody waits for another channel's answer once the client has left */
    if (clock_mono_ms() - answer->req->started_ms >= answer->app->config->total_ms)
        return false;
    /* A model that one channel does not know may be known to another. */
    bool is_unknown = e == ERR_UP_REJECTED && a->status == 404;
    return err_info(e)->try_elsewhere || e == ERR_BAD_REQUEST || is_unknown;
}

/* Nothing was asked: why. */
static enum err why_none(const struct relay *r, enum err e)
{
    return e == ERR_NO_CHANNEL && r->choice.is_limited ? ERR_UP_RATE : e;
}

static void try_channels(struct relay *r)
{
    struct answer *answer = &r->answer;
    struct attempt a = {.retry_after_ms = -1};
    struct slice body = {NULL, 0};
    struct target *target;
    enum err e = ERR_NO_CHANNEL;
    for (int64_t i = 0; i < answer->app->config->attempts_max; i++) {
        enum err taken = choice_take(&r->choice, &target);
        if (taken != ERR_OK) {
            r->is_idle = true;
            e = i == 0 || taken != ERR_NO_CHANNEL ? why_none(r, taken) : e;
            if (a.retry_after_ms < 0)
                a.retry_after_ms = r->choice.retry_ms;
            break;
        }
        attempt_clear(&a);
        a = (struct attempt){.answer = answer, .route = target->route, .key = target->key};
        e = attempt_run(&a, &body);
        choice_give(&r->choice, &a, e);
        if (e == ERR_OK)
            break;
        attempt_note(&a, e);
        if (!may_go_on(answer, &a, e))
            break;
    }
    conclude(r, &a, e, body);
    attempt_clear(&a);
}

static void note_begun(struct answer *answer)
{
    struct relay *r = (struct relay *)(void *)((char *)answer - offsetof(struct relay, answer));
    choice_begun(&r->choice);
}

static void note_answer(struct answer *answer, const struct reader *reader,
                        const struct catalog_route *route, const struct catalog_channel_key *key)
{
    const struct relay_spec *spec = answer->spec;
    if (spec->note != NULL)
        spec->note(answer->req, reader, &(struct relay_pin){route->channel->id, key->id, NULL});
}

/* Only a request with a reference can have something to fetch. */
static enum err make_fetcher(struct relay *r)
{
    const struct config *config = r->answer.app->config;
    struct fetch_rules rules = {.bytes_max = config->fetch_bytes_max,
                                .ms = config->fetch_ms,
                                .count_max = config->fetch_count_max};
    if (!config->fetch_urls || !r->read.in.has_reference)
        return ERR_OK;
    r->answer.fetcher = fetcher_new(r->answer.req->arena, &rules);
    return r->answer.fetcher != NULL ? ERR_OK : ERR_MEMORY;
}

void relay_run(struct request *req, const struct relay_spec *spec)
{
    struct relay *r = arena_alloc(req->arena, sizeof(*r));
    if (r == NULL) {
        request_fail(req, ERR_MEMORY, NULL, NULL);
        return;
    }
    const struct app *app = app_of(req);
    upkeep_wake(app->upkeep);
    if (relay_read_request(req, spec->format, &spec->call, &r->read) != ERR_OK)
        return;
    r->answer = (struct answer){.req = req,
                                .app = app,
                                .spec = spec,
                                .format = spec->format,
                                .in = &r->read.in,
                                .model = r->read.model,
                                .bill = &r->bill,
                                .note = note_answer,
                                .begun = note_begun};
    if (make_fetcher(r) != ERR_OK) {
        request_fail(req, ERR_MEMORY, NULL, NULL);
        return;
    }
    if (spec->pin != NULL && spec->pin(req, &r->read.in, &r->pin) != ERR_OK)
        return;
    enum err e = choice_init(&r->choice, req, &r->read, spec->format, &r->pin);
    if (e != ERR_OK) {
        refuse_unservable(r, e);
        return;
    }
    if (rate_take(&r->rate, req, r->answer.model, spec->format, &r->read.in) != ERR_OK)
        return;
    if (bill_open(&r->bill, req, r->answer.model, spec->format, &r->read.in, &r->rate) != ERR_OK) {
        rate_cancel(&r->rate);
        return;
    }
    try_channels(r);
}
