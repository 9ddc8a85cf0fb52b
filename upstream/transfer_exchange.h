/* transfer_exchange - one running exchange: what transfer.c, which runs it, and transfer_timers.c, which
 * tells when it has to end or to wait no longer, share. Nobody else includes it. One thread. */
#ifndef AIPASS_UPSTREAM_TRANSFER_EXCHANGE_H
#define AIPASS_UPSTREAM_TRANSFER_EXCHANGE_H

#include "upstream/transfer.h"
#include "upstream/transfer_head.h"
#include "upstream/transfer_pool.h"
#include "upstream/upload.h"

#define HEADERS_OWN 2 /* Expect, Content-Type */

/* How often is_stopping is asked, and is_gone of a descriptor with bytes in it. */
#define LOOK_AGAIN_US INT64_C(1000000)

#define EXCHANGE_RECEIVER_ENDED "ended by the receiver"

/* One running exchange, on the stack of transfer_run. Provider time stands still while a callback
 * runs: it is the clock less blocked_us. */
struct exchange {
    const struct transfer_spec *spec;
    struct transfer_result *result;
    struct handle *handle;
    struct head_reader head;
    enum err callback_err; /* what a callback returned, or ours from inside of one */
    int64_t start_us;
    int64_t blocked_us;
    int64_t last_byte_us;   /* provider time of the last body byte */
    int64_t last_sign_us;   /* of the last body byte or ping */
    int64_t next_stop_us;   /* when is_stopping is asked again */
    int64_t look_us;        /* gone_fd is left alone until then */
    int64_t drain_until_us; /* with is_gone */
    bool is_gone;
    bool is_sent; /* the whole request */
    struct upload upload;
    struct curl_slist headers[TRANSFER_HEADERS_MAX + HEADERS_OWN];
};

/* exchange_set_detail - what the result tells of its end. */
void exchange_set_detail(struct exchange *x, const char *text);

/* exchange_check_timers - sends a ping that is due. *now_us: the clock now; *wait_us: how long nothing
 * is due. ERR_UP_TIMEOUT; ERR_CLIENT_GONE: it was drained long enough; ERR_BUSY: the process stops; or
 * what on_ping returned. */
ERR_CHECK enum err exchange_check_timers(struct exchange *x, int64_t *now_us, int64_t *wait_us);

#endif
