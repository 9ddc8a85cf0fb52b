/* adopt - finishes what dead processes left: their segments go to the database, then a row `interrupted` for each request that was running, then their leases are freed.
 *
 * A crash at any point, or another adopter at the same time, is harmless: each part is known in the database by the journal's position or by the request id. Called by upkeep; blocks. */
#ifndef AIPASS_DB_ADOPT_H
#define AIPASS_DB_ADOPT_H

#include "base/err.h"

struct money;

/* adopt_dead - looks through the spool for directories of dead processes and adopts at most max of them. Returns how many. */
int adopt_dead(struct money *m, int max);

#endif
