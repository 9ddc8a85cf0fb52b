/* redeem - codes that are worth money, once: made in batches, credited to an account.
 *
 * A code is whatever text was hashed, so that one made in SQL works as well. It is credited by one
 * conditional UPDATE and its ledger row in one transaction: exactly once, however many try at once.
 * Blocks; any thread. */
#ifndef AIPASS_DB_REDEEM_H
#define AIPASS_DB_REDEEM_H

#include "base/err.h"
#include "base/str.h"
#include "db/db.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define REDEEM_CODE_SIZE  34 /* "AIP-" and five groups of five, NUL included */
#define REDEEM_BATCH_MAX  10000
#define REDEEM_CODE_BYTES 128 /* the longest code that is looked up */

struct redeemed {
    int64_t amount_nusd; /* set on ERR_OK and on ERR_CODE_USED when is_own */
    bool is_own;         /* on ERR_CODE_USED: this account has redeemed it */
};

/* redeem_use - credits a code to an account. api_key_id: 0 for an admin. ERR_NOT_FOUND: no such
 * code; ERR_CODE_USED, ERR_CODE_EXPIRED; ERR_UNAVAILABLE: not known whether it was credited: a
 * repeat tells. */
ERR_CHECK enum err redeem_use(struct db *db, struct slice code, int64_t account_id,
                              int64_t api_key_id, struct redeemed *out);

struct redeem_batch {
    const char *name;    /* "" for none */
    const char *expires; /* as SQL takes a DATETIME, UTC; NULL: never */
    int64_t amount_nusd; /* > 0, each */
    size_t n;            /* at most REDEEM_BATCH_MAX */
};

/* redeem_create - n new codes in one transaction, written to codes. They are good only on ERR_OK,
 * and shown nowhere else. ERR_FORMAT: expires is no date; ERR_UNAVAILABLE; ERR_MEMORY. */
ERR_CHECK enum err redeem_create(struct db *db, const struct redeem_batch *batch,
                                 char (*codes)[REDEEM_CODE_SIZE]);

#endif
