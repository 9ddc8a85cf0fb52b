/* key_hold - spend limits of API keys, exact over all processes: a row in key_holds for each
 * running request of a key that has a limit.
 *
 * Taken under the lock of the key's row in key_spend, after the hold on the balance (so that the
 * process has its row in processes). It needs no release: once the request's usage row is there,
 * its cost counts in the hold's place; a hold without usage row whose process is gone counts as
 * nothing. Both are read in one statement, so that no request counts twice or not at all.
 * Windows are days and months of the database's clock, UTC; a request counts in those that it was
 * admitted in. Blocks; any thread. Source: ARCHITECTURE.md "Money". */
#ifndef AIPASS_DB_KEY_HOLD_H
#define AIPASS_DB_KEY_HOLD_H

#include "base/err.h"
#include "db/db.h"

#include <stdint.h>

struct key_hold {
    int64_t api_key_id;
    const char *request_id; /* borrowed */
    const char *process_id; /* borrowed */
};

/* key_hold_open - reserve need_nusd under all limits of the key. ERR_KEY_LIMIT: they leave less,
 * *left_nusd (also on other errors -1); ERR_KEY_RESERVED: they would do, running requests hold
 * it; ERR_UNAVAILABLE: nothing is held; ERR_DB_UNKNOWN: it may be held, and is so until the
 * request has a usage row. */
ERR_CHECK enum err key_hold_open(struct db *db, const struct key_hold *h, int64_t need_nusd,
                                 int64_t *left_nusd);

/* key_hold_extend - more_nusd on top; the same errors, after which at least what was held is. */
ERR_CHECK enum err key_hold_extend(struct db *db, const struct key_hold *h, int64_t more_nusd);

/* key_hold_cancel - the request will not run and have no usage row. When this fails, which is
 * logged, the hold stays until the process ends. */
void key_hold_cancel(struct db *db, const struct key_hold *h);

#endif
