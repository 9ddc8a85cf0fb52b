/* spend_hold - limits of spend (rate_limits: in all, each day, each month), exact over all
 * processes: a row in limit_holds for each running request and each such limit that it falls under.
 *
 * Taken under the locks of the limits' rows in limit_spend, after the hold on the balance (so that
 * the process has its row in processes). It needs no release: once the request's usage row is
 * there, its cost counts in the hold's place; a hold without usage row whose process is gone counts
 * as nothing. Both are read in one statement, so that no request counts twice or not at all.
 * Days and months are those of the database's clock, UTC; a request counts in those that it was
 * admitted in. Blocks; any thread. Source: ARCHITECTURE.md "Money". */
#ifndef AIPASS_DB_SPEND_HOLD_H
#define AIPASS_DB_SPEND_HOLD_H

#include "base/err.h"
#include "db/db.h"
#include "db/limit.h"

#include <stddef.h>
#include <stdint.h>

enum spend_period { SPEND_TOTAL, SPEND_DAY, SPEND_MONTH, SPEND_PERIODS };

struct spend_hold {
    int64_t limit_ids[LIMIT_MATCHES_MAX]; /* each once, in any order */
    size_t limits_n;                      /* 0: nothing needs to be held */
    const char *request_id;               /* borrowed */
    const char *process_id;               /* borrowed */
};

/* Which limit leaves the least. */
struct spend_refusal {
    int64_t limit_id;
    enum spend_period period;
    int64_t left_nusd; /* what one more request might cost, once the running ones have ended */
    int64_t wait_s;    /* until all that refuse begin anew; -1: one of them never does */
};

/* spend_hold_open - reserve need_nusd under all of the limits, or under none. Limits that are gone
 * do not count. ERR_SPEND_LIMIT: they leave less, *r is set; ERR_SPEND_RESERVED: they would do,
 * running requests hold it; ERR_UNAVAILABLE: nothing is held; ERR_DB_UNKNOWN: it may be held, and
 * is so until the request has a usage row. */
ERR_CHECK enum err spend_hold_open(struct db *db, const struct spend_hold *h, int64_t need_nusd,
                                   struct spend_refusal *r);

/* spend_hold_extend - more_nusd on top; the same errors, after which at least what was held is. */
ERR_CHECK enum err spend_hold_extend(struct db *db, const struct spend_hold *h, int64_t more_nusd);

/* spend_hold_cancel - the request will not run and have no usage row. When this fails, which is
 * logged, the hold stays until the process ends. */
void spend_hold_cancel(struct db *db, const struct spend_hold *h);

#endif
