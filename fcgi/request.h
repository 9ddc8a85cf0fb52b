/* request - one HTTP request as a handler sees it, whatever brought it (FastCGI or CGI).
 *
 * Owner: the worker; valid until the handler returns. Slices borrow the worker's buffers. The body lies outside the arena (memory, or a
 * mapped unlinked file) and can be dropped early by request_drop_body. One thread. */
#ifndef AIPASS_FCGI_REQUEST_H
#define AIPASS_FCGI_REQUEST_H

#include "base/arena.h"
#include "base/clock.h"
#include "base/config.h"
#include "base/err.h"
#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

struct response;
struct route;
struct router;
struct transport;

enum method {
    METHOD_GET = 1 << 0,
    METHOD_HEAD = 1 << 1,
    METHOD_POST = 1 << 2,
    METHOD_DELETE = 1 << 3,
    METHOD_OPTIONS = 1 << 4,
    METHOD_PUT = 1 << 5,
    METHOD_OTHER = 1 << 6
};

#define REQUEST_PARAMS_MAX 4 /* {} segments in one route */

struct request {
    char id[ULID_SIZE];
    int64_t started_ms; /* clock_mono_ms at accept */
    int64_t started_wall_ms;
    enum method method;
    struct slice
        path; /* as sent, without query, prefix and leading version segments: "/models/a%2Fb" */
    struct slice query;     /* as sent, without '?' */
    bool saw_version;       /* any version segment was dropped */
    bool saw_v1beta;        /* v1beta or v1alpha occurred among the dropped segments */
    bool is_cgi;            /* plain CGI: the process ends after this request */
    struct slice body;      /* complete; {NULL, 0} once dropped */
    int64_t content_length; /* -1 when the client sent none */
    struct slice params
        [REQUEST_PARAMS_MAX];  /* what {name} segments matched, percent-decoded, in the arena */
    const struct route *route; /* NULL until routed */
    struct arena *arena;
    struct response *res;
    const struct config *config;
    const void *app; /* the application's context, from struct router */
    void *auth;      /* what the router's authenticate hook left (struct admission of handlers) */
    const char *const *env; /* FCGX_ParamArray or environ */
    const char *
        log_pairs; /* logfmt pairs of the handler for the request's one log line; NULL: none; in the arena */
    const struct router *router;   /* NULL in tests of a handler */
    struct transport *transport;   /* private to fcgi/; NULL in tests of a handler */
    struct body_store *body_store; /* private to request.c */
};

/* request_read_head - method, path, query and content_length from env; the caller has set env and config. Never fails: what is
 * malformed is found by request_read_body (length) or by the router (path). */
void request_read_head(struct request *req);
/* request_read_body - the whole body into req->body, through to the end of the input. ERR_TOO_LARGE (above body_max_bytes; told by
 * the length alone when the client sent one, and then nothing is read), ERR_UPLOAD_CUT (short, or the connection broke),
 * ERR_BAD_REQUEST (content-length is no number), ERR_UNAVAILABLE (spool directory), ERR_MEMORY. On an error there is no body. Blocks. */
ERR_CHECK enum err request_read_body(struct request *req);
/* request_has_encoded_body - Content-Encoding names anything but identity. */
bool request_has_encoded_body(const struct request *req);

/* request_header - a header's value by its HTTP name ("x-api-key"); empty slice with p NULL when absent. */
struct slice request_header(const struct request *req, const char *name);
/* request_query_param - the decoded value of a query member, from the arena; p NULL when absent or malformed. */
struct slice request_query_param(const struct request *req, const char *name);
/* request_remote_addr - REMOTE_ADDR as the web server gives it. */
struct slice request_remote_addr(const struct request *req);

/* request_drop_body - frees the body; call once nothing will read it again. */
void request_drop_body(struct request *req);

/* request_gone_fd - descriptor to poll for the client's leaving; -1 when there is none. request_is_gone - non-blocking check. After
 * request_gone_fd becomes readable, request_is_gone says whether it means that. */
int request_gone_fd(const struct request *req);
bool request_is_gone(const struct request *req);

/* request_is_draining - the process was told to stop. */
bool request_is_draining(const struct request *req);

#endif
