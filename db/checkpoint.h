/* checkpoint - sums ledger rows up, so that a balance needs few of them.
 *
 * A checkpoint marks exactly the rows that it adds, in one transaction: no margin, no order of ids or
 * times. Takes of leases read last checkpoint and unmarked rows in one statement and see all of it or
 * nothing. Two leaders may do it at once: rows that one has locked the other leaves out, and each
 * checkpoint names the one before it, which no two can (unique). Blocks; any thread. */
#ifndef AIPASS_DB_CHECKPOINT_H
#define AIPASS_DB_CHECKPOINT_H

#include "base/err.h"
#include "db/chores.h"

#define CHECKPOINT_ROWS                                                                            \
    500 /* more unmarked rows than this: a checkpoint is due; so many are marked at once */

/* checkpoint_account - one checkpoint of up to CHECKPOINT_ROWS rows that no open transaction holds.
 * *marked: how many it marks; 0: none was made. ERR_BUSY: another leader was faster; ERR_RANGE: the
 * balance would leave DECIMAL(18,9). */
ERR_CHECK enum err checkpoint_account(struct db *db, int64_t account_id, size_t *marked);

/* The tasks. _busy: accounts that spend now and have many unmarked rows. _all: every account with
 * many, or with one that is a day old. */
ERR_CHECK enum err checkpoint_run_busy(struct chore_run *r);
ERR_CHECK enum err checkpoint_run_all(struct chore_run *r);

#endif
