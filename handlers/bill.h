/* bill - the money of one request: the worst case held, the slot written, the hold extended as a stream flows, and one settlement on every path.
 *
 * Billing happens here for every route. Owned by the relay of one request; one thread. */
#ifndef AIPASS_HANDLERS_BILL_H
#define AIPASS_HANDLERS_BILL_H

#include "db/catalog.h"
#include "db/journal.h"
#include "db/lease.h"
#include "db/spend_hold.h"
#include "db/usage_row.h"
#include "fcgi/request.h"
#include "handlers/app.h"
#include "handlers/rate.h"
#include "upstream/format.h"

struct bill {
    const struct app *app;
    struct request *req;
    const struct key *key;
    const struct catalog_model *model;
    struct price_choice prices; /* what this customer pays */
    struct price worst;         /* the dearest of them that the request may end up with */
    struct hold hold;
    struct spend_hold spend;      /* under limits of spend */
    int64_t spend_held_nusd;      /* -1: nothing is */
    int64_t spend_refused_ms;     /* when an extension of it was refused last; 0: never */
    struct spend_refusal refusal; /* the last */
    struct rate *rate;            /* limits, settled with the bill */
    struct journal_slot slot;
    struct usage_row row; /* filled as the request goes on */
    int64_t input_max;    /* tokens held for input */
    int64_t output_held;  /* tokens of output that the hold covers, all choices together */
    int64_t output_limit; /* most output that the request may make, all choices together */
    int64_t
        output_inject; /* per choice: to put into the request because the client named no limit; -1: nothing */
    bool is_settled;
};

/* bill_open - holds the worst case and admits the request to the journal. ERR_OK: admitted, bill_settle must follow. Otherwise nothing is held and the request has been answered (429
 * insufficient_quota, 503). rate: taken before; bill_settle settles it, from ERR_OK on. May block for money. */
ERR_CHECK enum err bill_open(struct bill *b, struct request *req, const struct catalog_model *model,
                             const struct format *format, const struct format_request *in,
                             struct rate *rate);

/* bill_follow - so much output was seen: extends the hold when it is nearly used up. ERR_NO_FUNDS, ERR_FUNDS_RESERVED, ERR_SPEND_LIMIT or ERR_UNAVAILABLE: the stream must end now. */
ERR_CHECK enum err bill_follow(struct bill *b, const struct reader *reader);

/* bill_quote - nano-USD that the customer would be charged if the answer ended with what the reader has seen. */
int64_t bill_quote(const struct bill *b, const struct reader *reader);

/* bill_settle - once, at the single exit: usage to cost, close line, hold released. status, error: for the row, with
 * row.http_status when the caller has set it (else what was sent, or the error's own). reader: NULL when nothing is to be charged. Later calls do nothing. */
void bill_settle(struct bill *b, enum usage_status status, enum err error,
                 const struct reader *reader);

#endif
