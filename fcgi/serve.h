/* serve - one request from its variables to its log line, whatever carries it.
 *
 * Owner: the worker, which keeps a struct serve over its requests and so its memory. One thread. */
#ifndef AIPASS_FCGI_SERVE_H
#define AIPASS_FCGI_SERVE_H

#include "fcgi/body.h"
#include "fcgi/request.h"
#include "fcgi/router.h"
#include "fcgi/transport.h"

struct serve {
    const struct config *config;
    const struct router *router;
    struct arena *arena;
    struct response *response;
    struct body_store body;
};

/* serve_init - ERR_MEMORY: nothing is held. config, router: borrowed. serve_clear - frees. */
ERR_CHECK enum err serve_init(struct serve *s, const struct config *config,
                              const struct router *router);
void serve_clear(struct serve *s);

/* serve_request - reads, routes, answers and logs. Blocks as long as the handler does. */
void serve_request(struct serve *s, struct transport *t);
/* serve_busy - answers 503 at once; the body is not read. */
void serve_busy(struct serve *s, struct transport *t);

#endif
