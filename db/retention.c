#include "db/retention.h"

#include "base/log.h"
#include "db/calendar.h"
#include "db/partition.h"
#include "db/reconcile.h"
#include "db/rollup.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KEEP_MONTHS_MAX 1200
#define LATE_DAYS       3 /* a month is over for this long before it goes */
#define ERRNO_DENIED    1142
#define ERRNO_NO_TABLE  1146 /* another leader was faster */
#define SQL_SIZE        128
#define COUNT(a)        (sizeof(a) / sizeof((a)[0]))

/* ---- the sums of what was taken out ---- */

/* First: it puts this in a row with roll-ups of the same day. */
static const char sql_lock_day[] =
    "INSERT INTO usage_days (day, rows_n) VALUES (?, 0)"
    " ON DUPLICATE KEY UPDATE rolled_at = UTC_TIMESTAMP(3), rows_n = 0";
static const char sql_keep_day[] =
    "INSERT INTO usage_daily (day, account_id, api_key_id, model, channel_id, is_dropped, requests,"
    " failed, estimated, input_tokens, cached_input_tokens, cache_write_tokens,"
    " cache_write_1h_tokens, output_tokens, reasoning_tokens, cost, shortfall,"
    " channel_cost)"
    " SELECT ?, account_id, api_key_id, model, COALESCE(channel_id, 0) AS channel, TRUE, COUNT(*),"
    " SUM(status <> 'ok'), SUM(is_estimated), SUM(input_tokens), SUM(cached_input_tokens),"
    " SUM(cache_write_tokens), SUM(cache_write_1h_tokens), SUM(output_tokens),"
    " SUM(reasoning_tokens), SUM(cost), SUM(shortfall),"
    " SUM(channel_cost)"
    " FROM usage_dropping FORCE INDEX (PRIMARY) WHERE request_id >= ? AND request_id < ?"
    " GROUP BY account_id, api_key_id, model, channel"
    " ON DUPLICATE KEY UPDATE requests = requests + VALUES(requests), failed = failed +"
    " VALUES(failed), estimated = estimated + VALUES(estimated), input_tokens = input_tokens +"
    " VALUES(input_tokens), cached_input_tokens = cached_input_tokens +"
    " VALUES(cached_input_tokens), cache_write_tokens = cache_write_tokens +"
    " VALUES(cache_write_tokens), cache_write_1h_tokens = cache_write_1h_tokens +"
    " VALUES(cache_write_1h_tokens), output_tokens = output_tokens + VALUES(output_tokens),"
    " reasoning_tokens = reasoning_tokens + VALUES(reasoning_tokens), cost = cost + VALUES(cost),"
    " shortfall = shortfall + VALUES(shortfall), channel_cost = COALESCE(channel_cost +"
    " VALUES(channel_cost), channel_cost, VALUES(channel_cost))";
static const char sql_delete_day[] = "DELETE FROM usage_daily WHERE day = ? AND NOT is_dropped";
/* Rows of that day which come later are found by this: it was never rolled up. */
static const char sql_unlock_day[] = "DELETE FROM usage_days WHERE day = ?";

static enum err keep_day(struct db_conn *c, int64_t day)
{
    char text[CALENDAR_DAY_SIZE], from[ULID_FLOOR_SIZE], to[ULID_FLOOR_SIZE];
    calendar_floor(from, day);
    calendar_floor(to, day + 1);
    struct db_value v[] = {DB_STRZ(calendar_print_day(text, day)), DB_STRZ(from), DB_STRZ(to)};
    enum err e = db_run(c, sql_lock_day, v, 1, NULL);
    if (!e)
        e = db_run(c, sql_keep_day, v, COUNT(v), NULL);
    if (!e)
        e = db_run(c, sql_delete_day, v, 1, NULL);
    return e ? e : db_run(c, sql_unlock_day, v, 1, NULL);
}

static const char sql_next[] = "SELECT MIN(request_id) FROM usage_dropping WHERE request_id >= ?";

static enum err next_day(struct db_conn *c, int64_t *day)
{
    char from[ULID_FLOOR_SIZE];
    struct db_stmt *s = NULL;
    calendar_floor(from, *day);
    struct db_value v = DB_STRZ(from);
    enum err e = db_run(c, sql_next, &v, 1, &s);
    if (!e)
        e = db_next(s);
    if (!e && db_col_is_null(s, 0))
        return ERR_END;
    if (!e)
        *day = calendar_day_of_id(db_col_text(s, 0));
    return e;
}

static const char sql_record[] =
    "INSERT INTO usage_drops (first_id, last_id, rows_n, cost)"
    " SELECT MIN(request_id), MAX(request_id), COUNT(*), SUM(cost) FROM usage_dropping"
    " HAVING COUNT(*) > 0";
static const char sql_kept[] =
    "SELECT COALESCE(SUM(requests), 0) FROM usage_daily WHERE is_dropped";
static const char sql_in_table[] = "SELECT COUNT(*) FROM usage_dropping";

static enum err read_i64(struct db_conn *c, const char *sql, int64_t *out)
{
    struct db_stmt *s = NULL;
    enum err e = db_run(c, sql, NULL, 0, &s);
    if (!e)
        e = db_next(s);
    if (!e)
        *out = db_col_i64(s, 0);
    return e;
}

/* ERR_DB_DUPLICATE: it was done before. */
static enum err keep_fn(struct db_conn *c, void *arg)
{
    int64_t before = 0, rows = 0, after = 0;
    (void)arg;
    enum err e = db_run(c, sql_record, NULL, 0, NULL);
    if (!e)
        e = read_i64(c, sql_kept, &before);
    if (!e)
        e = read_i64(c, sql_in_table, &rows);
    for (int64_t day = 0; !e; day++) {
        e = next_day(c, &day);
        if (!e)
            e = keep_day(c, day);
    }
    if (e != ERR_END)
        return e;
    e = read_i64(c, sql_kept, &after);
    if (!e && after - before != rows) {
        log_error("retention_not_exact", "rows=%lld kept=%lld", (long long)rows,
                  (long long)(after - before));
        e = ERR_RANGE;
    }
    return e;
}

/* Looked at and dropped in the server: a leader that stood still since the sums must not drop what
 * another one has taken out meanwhile. */
static const char sql_drop_kept[] =
    "BEGIN NOT ATOMIC"
    " IF NOT EXISTS (SELECT 1 FROM usage_dropping LIMIT 1) OR EXISTS (SELECT 1 FROM usage_drops d"
    " WHERE d.first_id = (SELECT MIN(t.request_id) FROM usage_dropping t))"
    " THEN DROP TABLE usage_dropping; END IF;"
    " END";

static enum err drop_kept(struct db *db)
{
    struct db_conn *c = NULL;
    enum err e = db_take(db, &c);
    if (!e)
        e = db_run(c, sql_drop_kept, NULL, 0, NULL);
    if (e == ERR_DB && db_last_errno(c) == ERRNO_NO_TABLE)
        e = ERR_OK;
    else if (e == ERR_DB && db_last_errno(c) == ERRNO_DENIED)
        e = ERR_FORBIDDEN;
    db_give(db, c);
    return e;
}

static enum err exec(struct db *db, const char *sql)
{
    struct db_conn *c = NULL;
    enum err e = db_take(db, &c);
    if (!e)
        e = partition_exec(c, sql);
    db_give(db, c);
    return e;
}

static enum err finish(struct db *db)
{
    enum err e = db_transact(db, keep_fn, NULL);
    if (e == ERR_DB_DUPLICATE)
        e = ERR_OK;
    return e ? e : drop_kept(db);
}

/* ---- which months ---- */

/* Nothing is dropped while the books do not agree: afterwards nobody could find out why. */
static enum err refuse_wrong_books(struct chore_run *r)
{
    static const char *const views[] = {"v_reconcile_usage", "v_reconcile_daily"};
    for (size_t i = 0; i < COUNT(views); i++) {
        int64_t differences = 0;
        enum err e = reconcile_count(r->db, views[i], &differences);
        if (!e && differences) {
            chore_say(r, "refused: %lld differences in %s", (long long)differences, views[i]);
            e = ERR_RANGE;
        }
        if (e)
            return e;
    }
    return ERR_OK;
}

static enum err drop_one(struct chore_run *r, const struct partition *p, int64_t from, int64_t to)
{
    int64_t days = 0;
    char sql[SQL_SIZE];
    /* Nothing is dropped by it; but who may not drop tables learns it before the long checks. */
    enum err e = exec(r->db, "DROP TABLE IF EXISTS usage_dropping_probe");
    if (!e)
        e = rollup_refresh(r->db, r, from, to, &days);
    if (!e)
        e = refuse_wrong_books(r);
    if (!e)
        e = chore_go_on(r);
    if (e)
        return e;
    (void)snprintf(sql, sizeof(sql),
                   "ALTER TABLE usage_log WAIT 1 CONVERT PARTITION %s TO TABLE usage_dropping",
                   p->name);
    e = exec(r->db, sql);
    if (!e)
        log_info("usage_month_dropped", "partition=%s", p->name);
    return e ? e : finish(r->db);
}

/* Only partitions of ours: their names go into a statement. */
static bool is_month(const struct partition *p, int64_t end_day)
{
    char name[CALENDAR_NAME_SIZE];
    return p->below[0] && end_day > 0 &&
           !strcmp(p->name, calendar_print_month(name, calendar_month_of_day(end_day - 1)));
}

static enum err drop_all(struct chore_run *r, const struct partition *list, size_t n, int64_t day,
                         int *dropped)
{
    int64_t from = 0;
    enum err e = ERR_OK;
    for (size_t i = 0; !e && i + 1 < n; i++) {
        int64_t end_day = calendar_day_of_id(slice_of(list[i].below));
        if (end_day > day || !is_month(&list[i], end_day))
            break;
        e = drop_one(r, &list[i], from, end_day);
        *dropped += !e;
        from = end_day;
    }
    return e;
}

static const char sql_is_dropping[] =
    "SELECT COUNT(*) FROM information_schema.tables WHERE"
    " table_schema = DATABASE() AND table_name = 'usage_dropping'";

static enum err read_state(struct db *db, struct partition *list, size_t *n, int64_t *mark,
                           int64_t *is_dropping)
{
    struct db_conn *c = NULL;
    enum err e = db_take(db, &c);
    if (!e)
        e = read_i64(c, sql_is_dropping, is_dropping);
    if (!e)
        e = partition_list(c, list, n);
    if (!e)
        e = rollup_read_mark(c, mark);
    db_give(db, c);
    return e;
}

enum err retention_drop_before(struct chore_run *r, int64_t day, int *dropped)
{
    struct partition *list = calloc(PARTITIONS_MAX, sizeof(*list));
    int64_t mark = 0, is_dropping = 0;
    size_t n = 0;
    *dropped = 0;
    enum err e = list ? read_state(r->db, list, &n, &mark, &is_dropping) : ERR_MEMORY;
    if (!e && is_dropping)
        e = finish(r->db);
    if (!e)
        e = drop_all(r, list, n, day < mark ? day : mark, dropped);
    free(list);
    return e;
}

/* ---- the task ---- */

static const char sql_keep[] = "SELECT value FROM settings WHERE name = 'usage_keep_months'";

/* *months: -1: all are kept. */
static enum err read_keep(struct db_conn *c, int64_t *months)
{
    struct db_stmt *s = NULL;
    enum err e = db_run(c, sql_keep, NULL, 0, &s);
    if (!e)
        e = db_next(s);
    *months = -1;
    if (e)
        return e == ERR_END ? ERR_OK : e;
    struct slice text = slice_trim(db_col_text(s, 0));
    if (!text.n)
        return ERR_OK;
    if (slice_to_i64(text, months) || *months < 0 || *months > KEEP_MONTHS_MAX)
        return ERR_CONFIG;
    return ERR_OK;
}

static enum err read_first_kept(struct db *db, int64_t *day)
{
    struct db_conn *c = NULL;
    int64_t months = -1, now_ms = 0;
    enum err e = db_take(db, &c);
    if (!e)
        e = read_keep(c, &months);
    if (!e)
        e = leader_now(c, &now_ms);
    db_give(db, c);
    if (e)
        return e;
    int64_t today = calendar_day_of_ms(now_ms);
    int64_t month = calendar_month_of_day(today > LATE_DAYS ? today - LATE_DAYS : 0);
    *day = months < 0 ? 0 : calendar_first_day(month - months);
    return ERR_OK;
}

enum err retention_run(struct chore_run *r)
{
    int64_t day = 0;
    int dropped = 0;
    enum err e = read_first_kept(r->db, &day);
    if (e == ERR_CONFIG)
        chore_say(r, "the setting usage_keep_months is neither empty nor a number up to %d",
                  KEEP_MONTHS_MAX);
    if (!e)
        e = retention_drop_before(r, day > 0 ? day : 0, &dropped);
    if (!e && dropped)
        chore_say(r, "%d months dropped", dropped);
    else if (e == ERR_FORBIDDEN)
        chore_say(r, "this user may not ALTER usage_log");
    return e;
}
