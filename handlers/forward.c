#include "handlers/forward.h"

#include "base/buf.h"
#include "base/log.h"
#include "fcgi/response.h"
#include "handlers/app.h"
#include "handlers/outgoing.h"

#include <string.h>

#define FORWARD_BODY_MAX ((size_t)64 << 20)

struct forward {
    struct request *req;
    struct buf body;
    int status;
};

static enum err on_head(void *ctx, const struct transfer_head *head)
{
    struct forward *f = ctx;
    f->status = head->status;
    return ERR_OK;
}

static enum err on_body(void *ctx, struct slice bytes)
{
    struct forward *f = ctx;
    enum err e = buf_append_slice(&f->body, bytes);
    return e == ERR_FULL ? ERR_UP_MALFORMED : e;
}

static bool is_gone(void *ctx)
{
    (void)ctx;
    return false;
}

static const struct transfer_ops ops = {on_head, on_body, NULL};

static bool is_wanted(const struct forward_spec *spec, const struct catalog_route *route)
{
    return format_find(route->channel->format) == spec->format &&
           (spec->pin.channel_id != 0 ? route->channel->id == spec->pin.channel_id
                                      : channel_admits(route->channel, spec->group_id));
}

static const struct catalog_channel_key *pick_key(const struct catalog_channel *channel,
                                                  int64_t key_id)
{
    int64_t now_ms = clock_mono_ms();
    for (size_t i = 0; i < channel->keys_n; i++) {
        const struct catalog_channel_key *k = &channel->keys[i];
        if (key_id != 0 ? k->id == key_id : !k->is_disabled && k->ready_ms <= now_ms)
            return k;
    }
    return NULL;
}

bool forward_find(const struct catalog *c, const struct forward_spec *spec,
                  const struct catalog_route **route, const struct catalog_channel_key **key)
{
    for (size_t m = 0; m < c->models_n; m++) {
        const struct catalog_model *model = &c->models[m];
        if (spec->model != NULL && model != spec->model)
            continue;
        for (size_t i = 0; i < model->routes_n; i++) {
            if (!is_wanted(spec, &model->routes[i]))
                continue;
            *key = pick_key(model->routes[i].channel, spec->pin.key_id);
            *route = &model->routes[i];
            if (*key != NULL)
                return true;
        }
    }
    return false;
}

static enum err fill(struct forward *f, const struct forward_spec *spec,
                     const struct catalog_route *route, const struct catalog_channel_key *key,
                     struct transfer_spec *out)
{
    struct outgoing o = {
        .req = f->req, .route = route, .key = key, .format = spec->format, .path = spec->path};
    enum err e = outgoing_fill(&o, out);
    out->method = spec->method;
    out->is_gone = is_gone;
    out->ops = &ops;
    out->ctx = f;
    return e;
}

/* What the provider says of its own credential is not for the client. */
static enum err error_of(const struct forward *f, enum err e)
{
    if (e != ERR_OK)
        return e;
    if (f->status == 401 || f->status == 402 || f->status == 403)
        return ERR_UP_AUTH;
    return f->status >= 500 ? ERR_UP_STATUS : ERR_OK;
}

int forward_run(struct request *req, const struct forward_spec *spec)
{
    const struct catalog *catalog;
    const struct catalog_route *route;
    const struct catalog_channel_key *key;
    struct forward f = {.req = req};
    struct transfer_spec transfer;
    struct transfer_result result;
    struct splice body = {.parts = &spec->body, .parts_n = 1, .bytes = (int64_t)spec->body.n};
    if (relay_read_catalog(req, &catalog) != ERR_OK)
        return response_status_get(req);
    if (!forward_find(catalog, spec, &route, &key)) {
        request_fail(req, ERR_NO_CHANNEL, NULL, NULL);
        return response_status_get(req);
    }
    buf_init(&f.body, FORWARD_BODY_MAX);
    enum err e = fill(&f, spec, route, key, &transfer);
    if (e == ERR_OK) {
        transfer.body = spec->body.p != NULL ? &body : NULL;
        e = transfer_run(app_of(req)->transfers, &transfer, &result);
        if (e != ERR_OK)
            log_warn("forward_failed", "channel=%s error=%s detail=%s", route->channel->name,
                     err_name(e), result.detail);
    }
    e = error_of(&f, e);
    if (e == ERR_OK)
        e = response_bytes(req, f.status, "application/json", buf_slice(&f.body));
    else
        request_fail(req, e, NULL, NULL);
    buf_clear(&f.body);
    return response_status_get(req);
}
