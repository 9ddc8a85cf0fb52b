/* transfer - one exchange with a provider on a pooled curl handle, with the client's descriptor,
 * pings and four timers in the same poll loop.
 *
 * A handle (CURL + its CURLM with one kept connection) belongs to one thread while an exchange
 * runs. HTTP/1.1 kept alive, TCP_NODELAY, TLS verified with sessions shared, only http and
 * https, no redirects, no proxy from the environment, NOSIGNAL. The callbacks run on the calling
 * thread, inside transfer_run; time spent in them (a slow client) counts for no provider timer.
 * A handle has three descriptors: its connection, and a pair that libcurl makes for each CURLM. */
#ifndef AIPASS_UPSTREAM_TRANSFER_H
#define AIPASS_UPSTREAM_TRANSFER_H

#include "base/config.h"
#include "base/err.h"
#include "base/str.h"
#include "upstream/format.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct transfer_pool; /* any thread */

/* curl_global_init must have been called by transfer_pool_new's caller once: transfer_pool_new
 * does it. NULL: no memory, or config->tls_ca_file cannot be read (logged). config is not kept.
 * Providers' certificates are verified against OpenSSL's default store and tls_ca_file. */
struct transfer_pool *transfer_pool_new(const struct config *config);
/* transfer_pool_free - no exchange may be running. NULL is allowed. */
void transfer_pool_free(struct transfer_pool *p);
/* transfer_pool_upkeep - closes handles that idled above 60 s. */
void transfer_pool_upkeep(struct transfer_pool *p);

#define TRANSFER_HEADERS_MAX 48

/* The head of a provider's answer; slices valid until on_head returns. A value with control
 * characters is left out, a long one is cut. */
struct transfer_head {
    int status;
    struct slice content_type;
    struct slice request_id;    /* x-request-id or request-id */
    struct slice processing_ms; /* openai-processing-ms */
    int64_t retry_after_ms; /* from retry-after-ms, Retry-After in seconds or as a date; -1: none */
    /* until a used up limit is whole again (x-ratelimit-reset-*, anthropic-ratelimit-*-reset); -1:
     * not told, or none is used up */
    int64_t reset_ms;
};

struct transfer_ops {
    /* on_head - the head has come (not for 1xx). Anything but ERR_OK ends the exchange with that
     * error. */
    enum err (*on_head)(void *ctx, const struct transfer_head *head);
    /* on_body - bytes of the body as they come. The same. */
    enum err (*on_body)(void *ctx, struct slice bytes);
    /* on_ping - no body byte came for ping_ms since the last body byte or ping (NULL: no pings).
     * The same. Not called for a client that is gone. */
    enum err (*on_ping)(void *ctx);
};

/* How a provider is reached. A connection is kept for exchanges that agree in all of it. */
struct transfer_reach {
    const char *proxy_url; /* NULL: none */
    const char *ca_pem;    /* the only certificates trusted; NULL: those of the pool */
    bool allow_private;    /* loopback, private and other addresses that are not public, too */
};

struct transfer_spec {
    const char *url;
    struct transfer_reach reach;
    const char *method; /* NULL: POST with a body, else GET */
    /* "Name: value", the auth header among them; they must outlive the exchange. Without a
     * Content-Type among them the body is sent as application/json. */
    const char *headers[TRANSFER_HEADERS_MAX];
    size_t headers_n;
    /* Sent from where it lies; NULL: GET. It must stay until the first on_body of an answer with a
     * status below 400 (by then all of it was sent), else until transfer_run returns. */
    const struct splice *body;
    uint64_t reuse_key; /* exchanges with equal keys share kept connections: the channel */
    /* All > 0. First byte and total run from the start of the exchange, connecting included. */
    int64_t connect_ms, first_byte_ms, between_bytes_ms, total_ms;
    int64_t ping_ms; /* 0: none, as for whole answers */
    /* > 0: after the client left go on this long instead of cutting at once. The callbacks still
     * run; ctx knows that nobody listens: its is_gone returned true. */
    int64_t gone_drain_ms;
    /* -1: none. Readable: is_gone(ctx) is asked; when it says no, the descriptor is left alone for
     * a second. */
    int gone_fd;
    bool (*is_gone)(void *ctx);
    /* Asked each second: true ends the exchange with ERR_BUSY. NULL: never. */
    bool (*is_stopping)(void *ctx);
    const struct transfer_ops *ops;
    void *ctx;
};

struct transfer_result {
    int status;            /* 0: no head came */
    int64_t connect_us;    /* 0 on a kept connection */
    int64_t first_byte_us; /* from the start to the first body byte; -1: none */
    int64_t total_us;
    int64_t body_bytes;
    bool is_reused; /* the connection was kept from before */
    /* ended as HTTP says: length reached or last chunk seen. False with ERR_OK: the end of the
     * connection was the end of the body */
    bool body_is_complete;
    char detail[160]; /* for the log: curl's words, which timer */
};

/* transfer_run - performs the exchange. ERR_OK: head and whole body came (whatever the status).
 * ERR_UP_CONNECT (also when the connect timer ran out, or the address may not be connected to); ERR_UP_TIMEOUT; ERR_UP_RESET before the
 * first body byte, ERR_UP_CUT after it; ERR_UP_MALFORMED: the answer is no HTTP, its head is
 * above 64 kB, or it began before the request was sent; ERR_CLIENT_GONE, also at the end of a
 * drain; ERR_BUSY; ERR_MEMORY; ERR_INTERNAL: a header with control characters; or what a
 * callback returned. A request on a kept connection that the provider had closed before reading
 * it is repeated once by curl on a new one. result is filled always. Blocks. After anything but
 * a whole answer neither the connection nor the handle is used again. */
ERR_CHECK enum err transfer_run(struct transfer_pool *p, const struct transfer_spec *spec,
                                struct transfer_result *result);

#endif
