/* router - finds the row of the route table for a request, enforces the row's preconditions, calls its handler.
 *
 * The table is constant and belongs to handlers/routes.c. Any run of leading v1, v1beta, v1alpha segments was dropped before (clients double
 * them). An `openai` segment behind v1beta is dropped, too: that is the alias of the OpenAI paths. Patterns are literal segments and {name}; a last {name...}
 * matches the rest with its slashes, {name...}:verb what stands before that verb. Any thread. */
#ifndef AIPASS_FCGI_ROUTER_H
#define AIPASS_FCGI_ROUTER_H

#include "fcgi/request.h"

#define ROUTE_NEEDS_KEY (1u << 0) /* router calls authenticate before the handler */
#define ROUTE_STREAMS   (1u << 1) /* may answer as a stream */
#define ROUTE_ROOT      (1u << 2) /* only without version segments: /healthz */

/* write_error - the whole error answer in one client format. req->res is not committed. */
typedef void route_error_fn(struct request *req, enum err e, const char *param, const char *text);
typedef void route_handler_fn(struct request *req);

struct route {
    unsigned methods;    /* METHOD_* bits */
    const char *pattern; /* "/models/{id...}" */
    route_handler_fn *handler;
    route_error_fn *error;
    unsigned flags;       /* ROUTE_* */
    const char *endpoint; /* the word in logs and usage rows: "chat.completions" */
};

struct router {
    const struct route *routes;
    size_t routes_n;
    route_error_fn *fallback_error;                /* errors on paths that no route matches */
    enum err (*authenticate)(struct request *req); /* ERR_OK, or it has answered by request_fail */
    const void *app;                               /* becomes req->app */
};

/* router_normalize - the path of a REQUEST_URI: prefix and query off, leading version segments dropped; sets req->path, query, saw_v1beta. */
void router_normalize(struct request *req, struct slice request_uri, struct slice prefix);

/* router_find - the row for req: ERR_OK with req->route and req->params; ERR_METHOD with req->route at the first row of that path (for
 * its error format) and *allowed the methods that exist; ERR_NOT_FOUND. Also finds the row that serves a HEAD. Answers nothing. */
ERR_CHECK enum err router_find(const struct router *router, struct request *req, unsigned *allowed);
/* router_run - answers after router_find: found and allowed are its results. */
void router_run(const struct router *router, struct request *req, enum err found, unsigned allowed);

/* router_dispatch - router_find and router_run: answers the request: the handler's answer, or 404, 405 (with Allow), HEAD and OPTIONS served cheaply. A HEAD of a path
 * whose only segments are version segments ("/v1") is 200. Never leaves a request unanswered. */
void router_dispatch(const struct router *router, struct request *req);

#endif
