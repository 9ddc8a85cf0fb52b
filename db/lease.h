/* lease - what this process may spend: money leased from MariaDB per account, and the holds of running requests on it.
 *
 * Laws (ARCHITECTURE.md "Money"): a hold is granted only from money that is leased; balance - sum(leases) is never negative; memory is raised only after a COMMIT and
 * lowered before one. Each change of a lease row is read back with its n, and memory keeps the amount with the highest n.
 *
 *   granted (row) = held by running requests + spent but not yet in the ledger + being given back + free
 *
 * One take at a time per account, for the sum of its waiters. Any thread; hold_open may block for a take and up to lease_wait_ms. */
#ifndef AIPASS_DB_LEASE_H
#define AIPASS_DB_LEASE_H

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

struct money; /* the money core of a process: leases, journal, spool; see money.h */
struct lease_account;

/* A hold: reserved for one request. Plain value owned by the request; settle or cancel exactly once. */
struct hold {
    struct lease_account *account; /* NULL: nothing is held */
    int64_t amount_nusd;
};

/* hold_open - reserve need_nusd (>= 0) on the account. ERR_NO_FUNDS: the balance is below need (*available_nusd tells what could be held, for the text and for clamping);
 * ERR_FUNDS_RESERVED: other requests hold it and did not finish within lease_wait_ms; ERR_UNAVAILABLE: the database is down and the lease does not suffice, or this process
 * may not lease any more. available_nusd may be NULL. */
ERR_CHECK enum err hold_open(struct money *m, int64_t account_id, int64_t need_nusd,
                             struct hold *hold, int64_t *available_nusd);

/* hold_extend - more_nusd on top; same errors, the hold is unchanged then. */
ERR_CHECK enum err hold_extend(struct money *m, struct hold *hold, int64_t more_nusd);

/* hold_settle - cost_nusd (0..hold amount, asserted) becomes spent, the rest free; the close line with the same cost has been journaled before. */
void hold_settle(struct money *m, struct hold *hold, int64_t cost_nusd);

/* hold_cancel - all of it becomes free; for a request that was not admitted to the journal. */
void hold_cancel(struct money *m, struct hold *hold);

#endif
