/* rollup - usage_daily: the sums of usage_log by day, made again whenever a day has more rows than its
 * roll-up has counted.
 *
 * Rows of usage_log never change and never leave but by retention, so their number tells whether a
 * day is as it was. Late rows come from journals that were adopted or replayed. Days before the mark
 * of the task rollup are complete; readers take later ones from usage_log. Two leaders who roll up
 * one day wait for each other at its row of usage_days. Blocks; any thread. */
#ifndef AIPASS_DB_ROLLUP_H
#define AIPASS_DB_ROLLUP_H

#include "base/err.h"
#include "db/chores.h"

/* rollup_day - sums a day up, in one transaction. day: of calendar.h. *rows: of usage_log. */
ERR_CHECK enum err rollup_day(struct db *db, int64_t day, int64_t *rows);

/* rollup_refresh - sums those days of [from, to) up whose rows are not what was counted. *days: how
 * many. r: asked between days; NULL: nobody. */
ERR_CHECK enum err rollup_refresh(struct db *db, struct chore_run *r, int64_t from, int64_t to,
                                  int64_t *days);

/* rollup_next_day - the first day from `day` on that has rows in usage_log. ERR_END: none. */
ERR_CHECK enum err rollup_next_day(struct db_conn *c, int64_t day, int64_t *next);

/* rollup_read_mark - all days before it are in usage_daily; 0: none. */
ERR_CHECK enum err rollup_read_mark(struct db_conn *c, int64_t *day);

/* The tasks. rollup: days that have ended. rollup_fresh, rollup_all: the last days, or every day,
 * again that late rows came for. */
ERR_CHECK enum err rollup_run(struct chore_run *r);
ERR_CHECK enum err rollup_run_fresh(struct chore_run *r);
ERR_CHECK enum err rollup_run_all(struct chore_run *r);

#endif
