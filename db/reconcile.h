/* reconcile - do the books agree? The checks are the views v_reconcile_... of db/views.sql; here they
 * run by the text of that file, so that it works where views may not be created.
 *
 * Each check is one statement and sees one moment. Blocks, for a minute with many millions of rows:
 * call db_set_read_timeout before. Any thread. */
#ifndef AIPASS_DB_RECONCILE_H
#define AIPASS_DB_RECONCILE_H

#include "base/buf.h"
#include "base/err.h"
#include "db/db.h"

struct reconcile_check {
    const char *name; /* "usage" */
    const char *view; /* "v_reconcile_usage" */
    const char *text; /* what must hold */
};
/* Ends with name NULL. */
extern const struct reconcile_check reconcile_checks[];

/* What does not agree. The texts are valid until the function returns. */
struct reconcile_difference {
    const struct reconcile_check *check;
    int64_t account_id; /* 0: of no account */
    const char *subject;
    const char *expected;
    const char *found;
};
typedef void reconcile_fn(void *arg, const struct reconcile_difference *d);

/* reconcile_run - one check; fn is called for each difference, up to RECONCILE_MAX. *n: how many it
 * was called for. */
#define RECONCILE_MAX 1000
ERR_CHECK enum err reconcile_run(struct db *db, const struct reconcile_check *check,
                                 reconcile_fn *fn, void *arg, int *n);

/* reconcile_count - how many differences a view has, up to RECONCILE_MAX. view: of the table above. */
ERR_CHECK enum err reconcile_count(struct db *db, const char *view, int64_t *n);

/* reconcile_is_dropping - a month of usage_log is being dropped, or that was cut off: its rows are in
 * no sum, and the check usage cannot agree. */
ERR_CHECK enum err reconcile_is_dropping(struct db *db, bool *is_dropping);

/* reconcile_view_sql - appends the SELECT behind a view of db/views.sql, with those of its views
 * inside put in their place. ERR_NOT_FOUND. */
ERR_CHECK enum err reconcile_view_sql(const char *view, struct buf *sql);

#endif
