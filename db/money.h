/* money - the money core of one process, tied together: its identity (a ULID and a row in processes), spool directory, leases, journal, adoption of the dead, and the
 * table of operations (clock, database, disk) behind which the core runs, so that tests can run it against simulated ones.
 *
 * One per process. money_start starts the journal thread; money_stop drains: all segments flushed, leases given back, process row and spool directory removed. */
#ifndef AIPASS_DB_MONEY_H
#define AIPASS_DB_MONEY_H

#include "base/config.h"
#include "base/err.h"
#include "db/db.h"
#include "db/journal.h"
#include "db/lease.h"

struct money;
struct money_ops; /* money_ops.h */

/* money_new - nothing is opened yet. slots: how many requests run at once at most. NULL: no memory. */
struct money *money_new(struct db *db, const struct config *config, int slots);
/* money_free - ends the thread and frees memory. Without money_stop before, it leaves everything as a crash would: for adoption. */
void money_free(struct money *m);

/* money_open - makes the spool directory (temporary name, lock, rename). ERR_IO with the path in the log: the process cannot admit, but runs. ERR_UNAVAILABLE: the installation's id, which is
 * written into it, could not be read from the database. Called by the first admission when it was not called before; the processes row is written with the first lease. Any thread. */
ERR_CHECK enum err money_open(struct money *m);

/* money_start - starts the journal thread. CGI mode does not call it: money_stop does the work there. ERR_MEMORY. */
ERR_CHECK enum err money_start(struct money *m);

/* money_upkeep - what is due: seen_at every 5 s, wanted accounts each second, idle leases back, adoption of dead neighbours every 5 s, removal of old segment files. Called each second by the
 * upkeep thread. Returns false when nothing is held and nothing waits (the caller may sleep until the next request). */
bool money_upkeep(struct money *m);

/* money_stop - flush and give back within timeout_ms; what does not make it, and what a request still running would need, is left for adoption. Nothing is admitted from here on. */
void money_stop(struct money *m, int64_t timeout_ms);

/* money_process_id - the ULID, for usage rows and logs. */
const char *money_process_id(const struct money *m);
/* money_may_admit - false once the process was expelled (its row was removed) or could not write seen_at for half of abandon_after_s. */
bool money_may_admit(const struct money *m);

/* money_row_begin - our row in processes is there and stays until money_row_done, for other rows
 * that refer to it; makes spool directory and row when needed. ERR_UNAVAILABLE. money_expel - the
 * row turned out to be gone: nothing is admitted any more. Any thread. */
ERR_CHECK enum err money_row_begin(struct money *m);
void money_row_done(struct money *m);
void money_expel(struct money *m);

#endif
