#include "db/attempts.h"

#include "db/calendar.h"

#define BATCH_ROWS  1000
#define BATCHES_MAX 1000

/* The first day that is kept; where months of usage_log are kept for less, theirs. */
static const char sql_floor[] =
    "SELECT GREATEST(TO_DAYS(UTC_DATE()) - TO_DAYS('1970-01-01') - ?,"
    " COALESCE((SELECT IF(s.value REGEXP '^[0-9]+$', TO_DAYS(DATE_FORMAT(UTC_DATE() - INTERVAL 3 "
    "DAY"
    " - INTERVAL LEAST(s.value, 1200) MONTH, '%Y-%m-01')) - TO_DAYS('1970-01-01'), 0)"
    " FROM settings s WHERE s.name = 'usage_keep_months'), 0))";

static enum err read_floor(struct db *db, int64_t *day)
{
    struct db_conn *c = NULL;
    struct db_stmt *s = NULL;
    struct db_value v = DB_INT(ATTEMPTS_KEEP_DAYS);
    enum err e = db_take(db, &c);
    if (!e)
        e = db_run(c, sql_floor, &v, 1, &s);
    if (!e)
        e = db_next(s);
    if (!e)
        *day = db_col_i64(s, 0);
    db_give(db, c);
    return e;
}

struct sweep {
    char floor[ULID_FLOOR_SIZE];
    int64_t gone;
};

static const char sql_sweep[] =
    "DELETE FROM request_attempts WHERE request_id < ? ORDER BY request_id LIMIT ?";

static enum err sweep_fn(struct db_conn *c, void *arg)
{
    struct sweep *s = arg;
    struct db_value v[] = {DB_STRZ(s->floor), DB_INT(BATCH_ROWS)};
    enum err e = db_run(c, sql_sweep, v, 2, NULL);
    s->gone = (int64_t)db_changed(c);
    return e;
}

enum err attempts_run(struct chore_run *r)
{
    struct sweep s = {.gone = BATCH_ROWS};
    int64_t day = 0, all = 0;
    enum err e = read_floor(r->db, &day);
    if (!e)
        calendar_floor(s.floor, day > 0 ? day : 0);
    for (int i = 0; !e && s.gone == BATCH_ROWS && i < BATCHES_MAX; i++) {
        e = i ? chore_go_on(r) : ERR_OK;
        if (!e)
            e = db_transact(r->db, sweep_fn, &s);
        if (!e)
            all += s.gone;
    }
    if (all)
        chore_say(r, "%lld attempts removed", (long long)all);
    return e;
}
