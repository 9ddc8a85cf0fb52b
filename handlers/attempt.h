/* attempt - one exchange with one channel, and what its bytes become for the client.
 *
 * Used by relay only. The provider's first event commits the answer: from then on failures can only end it. */
#ifndef AIPASS_HANDLERS_ATTEMPT_H
#define AIPASS_HANDLERS_ATTEMPT_H

#include "handlers/bill.h"
#include "upstream/format.h"
#include "upstream/sse.h"
#include "upstream/translate.h"
#include "upstream/transfer.h"

/* What stays the same over the attempts of one request. */
struct relay_spec;
struct answer {
    struct request *req;
    const struct relay_spec *spec;
    const struct app *app;
    const struct format *format; /* the client's */
    const struct format_request *in;
    const struct catalog_model *model;
    struct bill *bill;
    /* note - called once when the answer is complete, before its last bytes leave. */
    void (*note)(struct answer *answer, const struct reader *reader,
                 const struct catalog_route *route, const struct catalog_channel_key *key);
    /* begun - called once, with the first of its bytes that the client gets. */
    void (*begun)(struct answer *answer);
    struct fetcher *fetcher; /* NULL: URLs are not fetched */
    bool is_begun;         /* a provider's byte went to the client: no other channel may be tried */
    int64_t gone_since_ms; /* when the client was seen to have left; 0: it is there */
};

struct attempt {
    struct answer *answer;
    const struct catalog_route *route;
    const struct catalog_channel_key *key;
    const struct format *provider_format;
    struct translation *translation; /* NULL: pass-through */
    struct fault fault;              /* why the request cannot be carried to this channel */
    struct reader reader;            /* valid between attempt_run and attempt_clear */
    struct sse sse;
    struct buf whole; /* a whole answer, or an error body */
    int status;       /* the provider's; 0: no head came */
    bool is_sse;
    int64_t streamed_bytes; /* of an answer that came as events */
    struct slice body;      /* a whole answer for the client, when it is complete */
    bool is_written;        /* something waits for a flush */
    /* events that open an answer and say nothing yet: kept until content comes, or for a second, so
     * that an error right behind them can still move to another channel */
    struct buf opening;
    struct transfer_spec spec;
    int64_t retry_after_ms; /* -1: none */
    int64_t reset_ms;       /* until a used up limit of the provider is whole again; -1: not told */
    int64_t started_wall_ms;
    bool is_asked; /* the provider was: result is filled */
    struct transfer_result result;
};

/* attempt_run - performs the exchange and relays what comes. ERR_OK: the answer is complete; a stream has been sent and settled, a whole answer waits in *body. ERR_UP_REJECTED: the
 * provider's refusal of the request itself waits in whole. ERR_BAD_REQUEST: the request cannot be carried to this channel's format, fault says why; nothing was asked. Other errors: nothing was sent unless answer->is_begun. */
ERR_CHECK enum err attempt_run(struct attempt *a, struct slice *body);
/* attempt_note - an attempt that did not win, for request_attempts: into the usage row. */
void attempt_note(const struct attempt *a, enum err e);
void attempt_clear(struct attempt *a);

#endif
