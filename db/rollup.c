#include "db/rollup.h"

#include "db/calendar.h"

#define GRACE_MS   INT64_C(600000) /* after midnight: running requests end, journals are flushed */
#define DAYS_FRESH 3               /* days after which late rows are looked for each day only */
#define COUNT(a)   (sizeof(a) / sizeof((a)[0]))

/* What a day's statements take. */
struct bounds {
    char day[CALENDAR_DAY_SIZE];
    char from[ULID_FLOOR_SIZE];
    char to[ULID_FLOOR_SIZE];
};

static void bounds_of(struct bounds *b, int64_t day)
{
    calendar_print_day(b->day, day);
    calendar_floor(b->from, day);
    calendar_floor(b->to, day + 1);
}

static enum err read_i64(struct db_conn *c, const char *sql, const struct db_value *v, size_t n,
                         int64_t *out)
{
    struct db_stmt *s = NULL;
    enum err e = db_run(c, sql, v, n, &s);
    if (!e)
        e = db_next(s);
    if (!e)
        *out = db_col_i64(s, 0);
    return e;
}

/* ---- one day ---- */

/* First: it puts leaders who do the same day in a row. */
static const char sql_begin_day[] =
    "INSERT INTO usage_days (day, rows_n) VALUES (?, 0)"
    " ON DUPLICATE KEY UPDATE rolled_at = UTC_TIMESTAMP(3), rows_n = 0";
static const char sql_delete_day[] = "DELETE FROM usage_daily WHERE day = ? AND NOT is_dropped";
static const char sql_sum_day[] =
    "INSERT INTO usage_daily (day, account_id, api_key_id, model, channel_id, requests, failed,"
    " estimated, input_tokens, cached_input_tokens, cache_write_tokens, cache_write_1h_tokens,"
    " output_tokens, reasoning_tokens, cost, shortfall, channel_cost)"
    " SELECT ?, account_id, api_key_id, model, COALESCE(channel_id, 0) AS channel, COUNT(*),"
    " SUM(status <> 'ok'), SUM(is_estimated), SUM(input_tokens), SUM(cached_input_tokens),"
    " SUM(cache_write_tokens), SUM(cache_write_1h_tokens), SUM(output_tokens),"
    " SUM(reasoning_tokens), SUM(cost), SUM(shortfall),"
    " SUM(channel_cost)"
    " FROM usage_log FORCE INDEX (PRIMARY) WHERE request_id >= ? AND request_id < ?"
    " GROUP BY account_id, api_key_id, model, channel";
static const char sql_end_day[] =
    "UPDATE usage_days SET rows_n = (SELECT COALESCE(SUM(d.requests), 0) FROM usage_daily d"
    " WHERE d.day = ? AND NOT d.is_dropped) WHERE day = ?";
static const char sql_day_rows[] = "SELECT rows_n FROM usage_days WHERE day = ?";

struct roll {
    struct bounds b;
    int64_t rows;
};

static enum err roll_fn(struct db_conn *c, void *arg)
{
    struct roll *roll = arg;
    struct db_value day = DB_STRZ(roll->b.day);
    struct db_value sum[] = {day, DB_STRZ(roll->b.from), DB_STRZ(roll->b.to)};
    struct db_value end[] = {day, day};
    enum err e = db_run(c, sql_begin_day, &day, 1, NULL);
    if (!e)
        e = db_run(c, sql_delete_day, &day, 1, NULL);
    if (!e)
        e = db_run(c, sql_sum_day, sum, COUNT(sum), NULL);
    if (!e)
        e = db_run(c, sql_end_day, end, COUNT(end), NULL);
    return e ? e : read_i64(c, sql_day_rows, &day, 1, &roll->rows);
}

enum err rollup_day(struct db *db, int64_t day, int64_t *rows)
{
    struct roll roll = {.rows = 0};
    bounds_of(&roll.b, day);
    enum err e = db_transact(db, roll_fn, &roll);
    if (!e)
        *rows = roll.rows;
    return e;
}

/* ---- which days ---- */

static const char sql_next[] = "SELECT MIN(request_id) FROM usage_log WHERE request_id >= ?";

enum err rollup_next_day(struct db_conn *c, int64_t day, int64_t *next)
{
    char from[ULID_FLOOR_SIZE];
    struct db_stmt *s = NULL;
    calendar_floor(from, day);
    struct db_value v = DB_STRZ(from);
    enum err e = db_run(c, sql_next, &v, 1, &s);
    if (!e)
        e = db_next(s);
    if (!e && db_col_is_null(s, 0))
        e = ERR_END;
    if (!e)
        *next = calendar_day_of_id(db_col_text(s, 0));
    return e;
}

static const char sql_mark[] = "SELECT mark FROM upkeep WHERE name = 'rollup'";

enum err rollup_read_mark(struct db_conn *c, int64_t *day)
{
    struct db_stmt *s = NULL;
    enum err e = db_run(c, sql_mark, NULL, 0, &s);
    if (!e)
        e = db_next(s);
    if (e && e != ERR_END)
        return e;
    if (e || calendar_parse_day(db_col_text(s, 0), day))
        *day = 0;
    return ERR_OK;
}

static const char sql_move_mark[] = "UPDATE upkeep SET mark = ? WHERE name = 'rollup' AND mark < ?";

static enum err move_mark(struct db *db, int64_t day)
{
    char text[CALENDAR_DAY_SIZE];
    struct db_conn *c = NULL;
    struct db_value v[] = {DB_STRZ(calendar_print_day(text, day)), DB_STRZ(text)};
    enum err e = db_take(db, &c);
    if (!e)
        e = db_run(c, sql_move_mark, v, COUNT(v), NULL);
    db_give(db, c);
    return e;
}

static enum err next_day(struct db *db, int64_t day, int64_t *next)
{
    struct db_conn *c = NULL;
    enum err e = db_take(db, &c);
    if (!e)
        e = rollup_next_day(c, day, next);
    db_give(db, c);
    return e;
}

static const char sql_is_as_counted[] =
    "SELECT COALESCE((SELECT d.rows_n FROM usage_days d WHERE d.day = ?), -1) = COUNT(*)"
    " FROM usage_log FORCE INDEX (PRIMARY) WHERE request_id >= ? AND request_id < ?";

static enum err is_as_counted(struct db *db, int64_t day, bool *is_so)
{
    struct bounds b;
    bounds_of(&b, day);
    struct db_value v[] = {DB_STRZ(b.day), DB_STRZ(b.from), DB_STRZ(b.to)};
    struct db_conn *c = NULL;
    int64_t same = 0;
    enum err e = db_take(db, &c);
    if (!e)
        e = read_i64(c, sql_is_as_counted, v, COUNT(v), &same);
    if (!e)
        *is_so = same != 0;
    db_give(db, c);
    return e;
}

enum err rollup_refresh(struct db *db, struct chore_run *r, int64_t from, int64_t to, int64_t *days)
{
    enum err e = ERR_OK;
    for (int64_t day = from; !e && day < to; day++) {
        bool is_so = false;
        int64_t rows = 0;
        e = next_day(db, day, &day);
        if (e || day >= to)
            break;
        e = r ? chore_go_on(r) : ERR_OK;
        if (!e)
            e = is_as_counted(db, day, &is_so);
        if (!e && !is_so) {
            e = rollup_day(db, day, &rows);
            *days += !e;
        }
    }
    return e == ERR_END ? ERR_OK : e;
}

/* ---- the tasks ---- */

static enum err read_clock(struct db *db, int64_t *mark, int64_t *complete)
{
    struct db_conn *c = NULL;
    int64_t now = 0;
    enum err e = db_take(db, &c);
    if (!e)
        e = leader_now(c, &now);
    if (!e)
        e = rollup_read_mark(c, mark);
    db_give(db, c);
    if (!e)
        *complete = calendar_day_of_ms(now > GRACE_MS ? now - GRACE_MS : 0);
    return e;
}

/* The mark moves with each day, so that a run that ends early has done something. */
static enum err roll_new_days(struct chore_run *r, int64_t mark, int64_t complete, int64_t *days,
                              int64_t *rows)
{
    enum err e = ERR_OK;
    for (int64_t day = mark; !e && day < complete; day++) {
        int64_t rows_of_day = 0;
        e = next_day(r->db, day, &day);
        if (e || day >= complete)
            break;
        e = chore_go_on(r);
        if (!e)
            e = rollup_day(r->db, day, &rows_of_day);
        if (!e)
            e = move_mark(r->db, day + 1);
        *days += !e;
        *rows += rows_of_day;
    }
    if (e && e != ERR_END)
        return e;
    return mark < complete ? move_mark(r->db, complete) : ERR_OK;
}

enum err rollup_run(struct chore_run *r)
{
    int64_t mark = 0, complete = 0, days = 0, rows = 0;
    enum err e = read_clock(r->db, &mark, &complete);
    if (!e)
        e = roll_new_days(r, mark, complete, &days, &rows);
    if (!e && days)
        chore_say(r, "%lld days with %lld rows", (long long)days, (long long)rows);
    return e;
}

/* Days of the last days_n before the mark; below 0: all. */
static enum err run_again(struct chore_run *r, int64_t days_n)
{
    int64_t mark = 0, complete = 0, again = 0;
    enum err e = read_clock(r->db, &mark, &complete);
    int64_t from = days_n < 0 || mark < days_n ? 0 : mark - days_n;
    if (!e)
        e = rollup_refresh(r->db, r, from, mark, &again);
    if (!e && again)
        chore_say(r, "%lld days again", (long long)again);
    return e;
}

enum err rollup_run_fresh(struct chore_run *r)
{
    return run_again(r, DAYS_FRESH);
}

enum err rollup_run_all(struct chore_run *r)
{
    return run_again(r, -1);
}
