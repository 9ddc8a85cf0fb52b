/* partition - the monthly partitions of usage_log, made three months ahead, so that p_max stays empty.
 *
 * Request ids are ULIDs: a month begins where the ids of its first millisecond do. Partitions are
 * named p202611. Making one of them copies what p_max holds while writes wait, so that a p_max with
 * many rows is split only when an admin asks for it. Blocks; any thread. */
#ifndef AIPASS_DB_PARTITION_H
#define AIPASS_DB_PARTITION_H

#include "base/err.h"
#include "db/calendar.h"
#include "db/chores.h"

#define PARTITIONS_MAX         1024 /* MariaDB allows 8192; a thousand months are 83 years */
#define PARTITION_MONTHS_AHEAD 3
#define PARTITION_ROWS_MAX     10000 /* of p_max that are copied unasked */

struct partition {
    char name[CALENDAR_NAME_SIZE];
    char below[ULID_SIZE]; /* its ids are below this; "" for p_max */
};

/* partition_list - in order. ERR_FULL above PARTITIONS_MAX; ERR_FORMAT when one has a name or a bound
 * that is not ours. */
ERR_CHECK enum err partition_list(struct db_conn *c, struct partition *list, size_t *n);

/* partition_exec - one statement that changes tables. It waits a second at most for its turn, since
 * everybody else waits behind it. ERR_FORBIDDEN: this user may not; ERR_DB_RETRY: not now; ERR_DB
 * with its text logged. */
ERR_CHECK enum err partition_exec(struct db_conn *c, const char *sql);

/* partition_ensure - the months from the first row of p_max, or this month, to three months ahead of
 * now_ms. *made: how many partitions. ERR_FULL: p_max holds too many rows to be copied unasked. */
ERR_CHECK enum err partition_ensure(struct db *db, int64_t now_ms, bool may_reorganize, int *made);

/* The task. */
ERR_CHECK enum err partition_run(struct chore_run *r);

#endif
