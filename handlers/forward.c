#include "handlers/forward.h"

#include "base/buf.h"
#include "base/jscan.h"
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
    struct outgoing o = {.req = f->req,
                         .route = route,
                         .key = key,
                         .format = spec->format,
                         .path = spec->path,
                         .forwards = true};
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

/* The public name of what this channel's provider calls so, or calls so with a date behind it; NULL. */
static const char *public_name(const struct catalog *c, const struct catalog_channel *channel,
                               struct slice model)
{
    const char *found = NULL;
    size_t found_n = 0;
    for (size_t m = 0; m < c->models_n; m++)
        for (size_t i = 0; i < c->models[m].routes_n; i++) {
            const struct catalog_route *route = &c->models[m].routes[i];
            size_t n = strlen(route->upstream_name);
            if (route->channel == channel && n > found_n &&
                slice_starts(model, route->upstream_name)) {
                found = c->models[m].name;
                found_n = n;
            }
        }
    return found;
}

/* An answer that names its model does so by the client's name for it. */
static enum err rename_model(struct forward *f, const struct catalog *c,
                             const struct catalog_channel *channel, struct buf *out)
{
    struct slice body = buf_slice(&f->body), name;
    struct jvalue v, model;
    if (jscan_validate(body, &v, NULL) != ERR_OK || v.kind != JSCAN_OBJECT ||
        jscan_find(v, "model", &model) != ERR_OK ||
        jscan_string(model, f->req->arena, &name) != ERR_OK)
        return buf_append_slice(out, body);
    const char *public = public_name(c, channel, name);
    if (public == NULL)
        return buf_append_slice(out, body);
    size_t before = (size_t)(model.raw.p - body.p);
    enum err e = buf_append_slice(out, (struct slice){body.p, before});
    if (e == ERR_OK)
        e = jscan_escape(out, slice_of(public));
    before += model.raw.n;
    return e != ERR_OK ? e
                       : buf_append_slice(out, (struct slice){body.p + before, body.n - before});
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
    struct buf answer;
    buf_init(&answer, 2 * FORWARD_BODY_MAX);
    e = error_of(&f, e);
    if (e == ERR_OK)
        e = rename_model(&f, catalog, route->channel, &answer);
    if (e == ERR_OK)
        e = response_bytes(req, f.status, "application/json", buf_slice(&answer));
    else
        request_fail(req, e, NULL, NULL);
    (void)e; /* a client that is gone does not get it */
    buf_clear(&answer);
    buf_clear(&f.body);
    return response_status_get(req);
}
