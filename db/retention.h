/* retention - months of usage_log that are old enough go; their sums stay in usage_daily for good.
 *
 * The setting usage_keep_months says how many whole months are kept besides the current one; empty:
 * all. A month goes when each of its days is rolled up and usage agrees with the ledger. Its
 * partition becomes the table usage_dropping in one step, so that a row which comes late is never
 * lost: it is in that table, or it finds the partition gone and goes to the next one. Then that
 * table's sums are added to usage_daily as dropped, in one transaction with a row of usage_drops,
 * and the table is dropped; a run that was cut off is finished by the next. In between usage_log
 * lacks those rows: reconcile says so. Blocks; any thread. */
#ifndef AIPASS_DB_RETENTION_H
#define AIPASS_DB_RETENTION_H

#include "base/err.h"
#include "db/chores.h"

/* retention_drop_before - months that ended before the day (of calendar.h). *dropped: how many.
 * ERR_FORBIDDEN: this user may not. ERR_RANGE: refused, books do not agree. Says why in r's outcome;
 * r may not be NULL. */
ERR_CHECK enum err retention_drop_before(struct chore_run *r, int64_t day, int *dropped);

/* The task. */
ERR_CHECK enum err retention_run(struct chore_run *r);

#endif
