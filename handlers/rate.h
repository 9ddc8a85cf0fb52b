/* rate - the limits of one request: taken before its money is held, told to the client in its own
 * headers, settled with the tokens that it used. Owned by the relay of one request; one thread. */
#ifndef AIPASS_HANDLERS_RATE_H
#define AIPASS_HANDLERS_RATE_H

#include "db/catalog.h"
#include "db/limit.h"
#include "db/usage_row.h"
#include "fcgi/request.h"
#include "upstream/format.h"

struct rate {
    struct limits *limits;
    struct limit_ticket ticket;
};

/* rate_take - ERR_OK: rate_settle or rate_cancel must follow. Otherwise nothing is taken and the
 * request has been answered: 429, or 503 when a limit cannot be decided. May wait for queue_ms. */
ERR_CHECK enum err rate_take(struct rate *r, struct request *req, const struct catalog_model *model,
                             const struct format *format, const struct format_request *in);

/* rate_settle - the exchange has ended; usage: what it used, all 0 when nothing. rate_cancel - it
 * never began. Of both the first call counts. */
void rate_settle(struct rate *r, const struct usage *usage);
void rate_cancel(struct rate *r);

#endif
