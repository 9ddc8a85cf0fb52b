#include "fcgi/serve.h"

#include "base/clock.h"
#include "base/log.h"
#include "fcgi/response.h"

#include <inttypes.h>
#include <string.h>

static void begin(struct serve *s, struct transport *t, struct request *req);
static void end(struct serve *s, struct request *req);
static void answer(const struct router *router, struct request *req);

enum err serve_init(struct serve *s, const struct config *config, const struct router *router)
{
    *s = (struct serve){.config = config, .router = router};
    s->arena = arena_new((size_t)config->request_memory_bytes);
    s->response = response_new();
    if (s->arena == NULL || s->response == NULL) {
        serve_clear(s);
        return ERR_MEMORY;
    }
    return ERR_OK;
}

void serve_clear(struct serve *s)
{
    body_drop(&s->body);
    response_free(s->response);
    arena_free(s->arena);
    *s = (struct serve){0};
}

void serve_request(struct serve *s, struct transport *t)
{
    struct request req;

    begin(s, t, &req);
    answer(s->router, &req);
    end(s, &req);
}

void serve_busy(struct serve *s, struct transport *t)
{
    struct request req;
    unsigned allowed = 0;

    begin(s, t, &req);
    /* Only for the row's error format. */
    (void)!router_find(s->router, &req, &allowed);
    request_fail(&req, ERR_BUSY, NULL, NULL);
    end(s, &req);
}

static void begin(struct serve *s, struct transport *t, struct request *req)
{
    *req = (struct request){
        .started_ms = clock_mono_ms(),
        .started_wall_ms = clock_wall_ms(),
        .is_cgi = t->is_cgi,
        .arena = s->arena,
        .res = s->response,
        .config = s->config,
        .app = s->router->app,
        .env = t->env,
        .router = s->router,
        .transport = t,
        .body_store = &s->body,
    };
    ulid_make(req->id);
    log_set_request(req->id);
    request_read_head(req);
    response_begin(req, req->method == METHOD_HEAD);
}

/* The body is read before the handler runs, since a client's leaving is seen only past its end.
 * The row is looked up before that, so that also a refused body is answered in the row's format. */
static void answer(const struct router *router, struct request *req)
{
    unsigned allowed = 0;
    enum err found = router_find(router, req, &allowed);
    enum err e = request_read_body(req);

    if (e == ERR_TOO_LARGE)
        request_fail(req, e, NULL, "The request body is larger than %" PRId64 " bytes.",
                     req->config->body_max_bytes);
    else if (e == ERR_BAD_REQUEST)
        request_fail(req, e, NULL, "content-length: expected a number of bytes");
    else if (e != ERR_OK)
        request_fail(req, e, NULL, NULL);
    else if (request_has_encoded_body(req))
        request_fail(req, ERR_BAD_REQUEST, NULL,
                     "content-encoding: send the body without compression (identity)");
    else
        router_run(router, req, found, allowed);
}

static const char *method_name(const struct request *req)
{
    switch (req->method) {
    case METHOD_GET:
        return "GET";
    case METHOD_HEAD:
        return "HEAD";
    case METHOD_POST:
        return "POST";
    case METHOD_DELETE:
        return "DELETE";
    case METHOD_OPTIONS:
        return "OPTIONS";
    case METHOD_PUT:
        return "PUT";
    case METHOD_OTHER:
    default:
        return "other";
    }
}

static void end(struct serve *s, struct request *req)
{
    response_end(req);
    log_request(
        req->log_pairs,
        "method=%s path=%.*s endpoint=%s status=%d ms=%" PRId64 " bytes=%" PRId64 " error=%s",
        method_name(req), SLICE_FMT(req->path), req->route == NULL ? "" : req->route->endpoint,
        response_status_get(req), clock_mono_ms() - req->started_ms, response_bytes_sent(req),
        response_error(req) == ERR_OK ? "" : err_name(response_error(req)));
    request_drop_body(req);
    arena_reset(s->arena);
    log_set_request(NULL);
}
