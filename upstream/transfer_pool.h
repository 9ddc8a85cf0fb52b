/* transfer_pool - the curl handles between exchanges, and what they share: DNS cache, TLS
 * sessions, trusted certificates.
 *
 * An idle handle is in the pool; a taken one belongs to the thread that took it. The pool is for
 * any thread. Public part: transfer.h. */
#ifndef AIPASS_UPSTREAM_TRANSFER_POOL_H
#define AIPASS_UPSTREAM_TRANSFER_POOL_H

#include "upstream/transfer.h"

#include <curl/curl.h>
#include <openssl/x509.h>
#include <sys/queue.h>

struct handle {
    CURL *easy;
    CURLM *multi;
    uint64_t reuse_key;
    uint64_t reach; /* what it was made for */
    bool allow_private;
    bool is_refused;       /* an address was, in the running exchange */
    X509_STORE *own_trust; /* of reach.ca_pem; NULL: the pool's */
    struct transfer_pool *pool;
    bool is_new;     /* the callbacks were not set yet */
    long connect_ms; /* as last set; setting costs time */
    long upload_buffer_bytes, receive_buffer_bytes;
    void *exchange; /* whom the callbacks serve now */
    char error[CURL_ERROR_SIZE];
    int64_t idle_since_ms;
    TAILQ_ENTRY(handle) in_bucket, in_ages; /* while idle */
};

/* handle_take - an idle handle of that key and reach, the one used last; else a new one, or when the
 * pool is full the idlest of another key. NULL: no memory, or reach cannot be had (a proxy or
 * certificates that curl and OpenSSL do not understand; logged). */
struct handle *handle_take(struct transfer_pool *p, uint64_t reuse_key,
                           const struct transfer_reach *reach);
/* handle_shrink - frees buffers of the running exchange that are empty: it may wait for minutes,
 * beside thousands of others. is_sent: the whole request was sent. */
void handle_shrink(struct handle *h, bool is_sent);
/* handle_give - back to the pool; the idlest one is closed when that is too many. */
void handle_give(struct transfer_pool *p, struct handle *h);
/* handle_free - closes it with its connection. NULL is allowed. */
void handle_free(struct handle *h);

#endif
