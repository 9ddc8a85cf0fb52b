/* transfer - one exchange with a provider on a pooled curl handle, with the client's descriptor, pings and four timers in the same poll loop.
 *
 * A handle (CURL + its CURLM with one kept connection) belongs to one thread while an exchange runs. HTTP/1.1 kept alive, TCP_NODELAY, TLS verified with sessions shared, only http and https, no redirects, no
 * proxy from the environment, NOSIGNAL. The callbacks run on the calling thread, inside transfer_run; time spent in them (a slow client) counts for no provider timer. */
#ifndef AIPASS_UPSTREAM_TRANSFER_H
#define AIPASS_UPSTREAM_TRANSFER_H

#include "base/config.h"
#include "base/err.h"
#include "base/str.h"
#include "upstream/format.h"

#include <stdbool.h>
#include <stdint.h>

struct transfer_pool; /* any thread */

/* curl_global_init must have been called by transfer_pool_new's caller once: transfer_pool_new does it. NULL: no memory. */
struct transfer_pool *transfer_pool_new(const struct config *config);
void transfer_pool_free(struct transfer_pool *p);
/* transfer_pool_upkeep - closes handles that idled above 60 s. */
void transfer_pool_upkeep(struct transfer_pool *p);

#define TRANSFER_HEADERS_MAX 16

/* The head of a provider's answer; slices valid until on_head returns. */
struct transfer_head {
    int status;
    bool is_body_sent;           /* the request body has left: its memory may go */
    struct slice content_type;
    struct slice request_id;     /* x-request-id or request-id */
    struct slice processing_ms;  /* openai-processing-ms */
    int64_t retry_after_ms;      /* from retry-after-ms, Retry-After in seconds or as a date; -1: none */
};

struct transfer_ops {
    /* on_head - the head has come (not for 1xx). Anything but ERR_OK ends the exchange with that error. */
    enum err (*on_head)(void *ctx, const struct transfer_head *head);
    /* on_body - bytes of the body as they come. The same. */
    enum err (*on_body)(void *ctx, struct slice bytes);
    /* on_ping - no body byte came for ping_ms since the last body byte or ping (NULL: no pings). The same. */
    enum err (*on_ping)(void *ctx);
};

struct transfer_spec {
    const char *url;
    const char *headers[TRANSFER_HEADERS_MAX]; /* "Name: value", the auth header among them */
    size_t headers_n;
    const struct splice *body;     /* sent from where it lies, not copied */
    uint64_t reuse_key;            /* exchanges with equal keys share kept connections: the channel */
    int64_t connect_ms, first_byte_ms, between_bytes_ms, total_ms; /* > 0 */
    int64_t ping_ms;               /* 0: none */
    int64_t gone_drain_ms;         /* > 0: after the client left go on this long (callbacks still run) instead of cutting at once; on_gone_drain below tells */
    int gone_fd;                   /* -1: none. Readable: is_gone(ctx) is asked */
    bool (*is_gone)(void *ctx);
    bool (*is_stopping)(void *ctx);/* asked each second: true ends the exchange with ERR_BUSY; NULL: never */
    const struct transfer_ops *ops;
    void *ctx;
};

struct transfer_result {
    int status;             /* 0: no head came */
    int64_t connect_us;     /* 0 on a kept connection */
    int64_t first_byte_us;  /* from the start to the first body byte; -1: none */
    int64_t total_us;
    int64_t body_bytes;
    bool is_reused;         /* the connection was kept from before */
    bool body_is_complete;  /* ended as HTTP says: length reached or last chunk seen */
    char detail[160];       /* for the log: curl's words, which timer */
};

/* transfer_run - performs the exchange. ERR_OK: head and whole body came (whatever the status). ERR_UP_CONNECT; ERR_UP_TIMEOUT; ERR_UP_RESET before the first body byte, ERR_UP_CUT after it; ERR_CLIENT_GONE; ERR_BUSY; or what a
 * callback returned. A request on a kept connection that the provider had closed before reading it is repeated once by curl on a new one. result is filled always. Blocks. */
ERR_CHECK enum err transfer_run(struct transfer_pool *p, const struct transfer_spec *spec, struct transfer_result *result);

#endif
