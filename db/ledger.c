#include "db/ledger.h"

#include "db/calendar.h"

#include <stdbool.h>

/* One statement: between two a flush could move money from leases to the ledger, and it would be
 * missing or count twice. */
static const char sql_balance[] =
    "SELECT COALESCE((SELECT c.balance FROM checkpoints c WHERE c.account_id = ? ORDER BY c.id "
    "DESC LIMIT 1), 0)"
    " + COALESCE((SELECT SUM(l.amount) FROM ledger l WHERE l.account_id = ? AND l.checkpoint_id IS "
    "NULL), 0),"
    " COALESCE((SELECT SUM(s.amount) FROM leases s WHERE s.account_id = ?), 0)";

static enum err read_balance(struct db_conn *c, int64_t account_id, struct ledger_summary *out)
{
    struct db_value params[] = {DB_INT(account_id), DB_INT(account_id), DB_INT(account_id)};
    struct db_stmt *s = NULL;
    enum err e = db_run(c, sql_balance, params, 3, &s);
    if (!e)
        e = db_next(s);
    if (e)
        return e;
    out->balance_nusd = db_col_nusd(s, 0);
    out->reserved_nusd = db_col_nusd(s, 1);
    return ERR_OK;
}

static const char sql_clock[] =
    "SELECT CAST(UNIX_TIMESTAMP(UTC_TIMESTAMP(3)) * 1000 AS SIGNED), (SELECT u.mark FROM upkeep u"
    " WHERE u.name = 'rollup')";

/* This month by the database's clock, in up to four parts: of today or before, of the key or of
 * others; a request belongs to the day of its id. Days before the mark come from their roll-up, so
 * that an account with very many rows is as fast as any; later ones from usage_log. The time is
 * limited, so that one with very many since then does not look like a database that is down. */
static const char sql_spend[] =
    "SET STATEMENT max_statement_time = 1 FOR"
    " SELECT FALSE AS is_today, api_key_id = ? AS is_key, SUM(requests),"
    " SUM(input_tokens + cached_input_tokens + cache_write_tokens + cache_write_1h_tokens),"
    " SUM(output_tokens), SUM(cost)"
    " FROM usage_daily WHERE account_id = ? AND day >= ? AND day < ? GROUP BY is_key"
    " UNION ALL"
    " SELECT request_id >= ? AS is_today, api_key_id = ? AS is_key, COUNT(*),"
    " SUM(input_tokens + cached_input_tokens + cache_write_tokens + cache_write_1h_tokens), "
    "SUM(output_tokens), SUM(cost)"
    " FROM usage_log WHERE account_id = ? AND request_id >= ?"
    " GROUP BY is_today, is_key";

/* What the two halves of sql_spend begin and end with. */
struct period {
    char month[CALENDAR_DAY_SIZE];   /* its first day */
    char mark[CALENDAR_DAY_SIZE];    /* roll-ups are before it */
    char today_id[ULID_FLOOR_SIZE];  /* where the ids of today begin */
    char logged_id[ULID_FLOOR_SIZE]; /* ... and those that no roll-up has */
};

static enum err read_period(struct db_conn *c, struct period *p)
{
    struct db_stmt *s = NULL;
    int64_t mark = 0;
    enum err e = db_run(c, sql_clock, NULL, 0, &s);
    if (!e)
        e = db_next(s);
    if (e)
        return e;
    int64_t today = calendar_day_of_ms(db_col_i64(s, 0));
    int64_t month = calendar_first_day(calendar_month_of_day(today));
    if (db_col_is_null(s, 1) || calendar_parse_day(db_col_text(s, 1), &mark) || mark < month)
        mark = month;
    if (mark > today)
        mark = today;
    calendar_print_day(p->month, month);
    calendar_print_day(p->mark, mark);
    calendar_floor(p->today_id, today);
    calendar_floor(p->logged_id, mark);
    return ERR_OK;
}

static void add(struct ledger_spend *to, const struct ledger_spend *part)
{
    to->requests += part->requests;
    to->input_tokens += part->input_tokens;
    to->output_tokens += part->output_tokens;
    to->cost_nusd += part->cost_nusd;
}

static enum err read_spend(struct db_conn *c, int64_t account_id, int64_t api_key_id,
                           struct ledger_summary *out)
{
    struct period p;
    struct db_stmt *s = NULL;
    enum err e = read_period(c, &p);
    if (e)
        return e;
    struct db_value key = DB_INT(api_key_id), account = DB_INT(account_id);
    struct db_value params[] = {
        key, account, DB_STRZ(p.month),    DB_STRZ(p.mark), DB_STRZ(p.today_id),
        key, account, DB_STRZ(p.logged_id)};
    e = db_run(c, sql_spend, params, sizeof(params) / sizeof(params[0]), &s);
    while (!e && !(e = db_next(s))) {
        struct ledger_spend part = {db_col_i64(s, 2), db_col_i64(s, 3), db_col_i64(s, 4),
                                    db_col_nusd(s, 5)};
        bool is_today = db_col_i64(s, 0), is_key = db_col_i64(s, 1);
        add(&out->account_month, &part);
        if (is_today)
            add(&out->account_today, &part);
        if (is_key)
            add(&out->key_month, &part);
        if (is_today && is_key)
            add(&out->key_today, &part);
    }
    return e == ERR_END ? ERR_OK : e;
}

enum err ledger_read_summary(struct db *db, int64_t account_id, int64_t api_key_id,
                             struct ledger_summary *out)
{
    struct ledger_summary summary = {0};
    struct db_conn *c = NULL;
    enum err e = db_take(db, &c);
    if (!e)
        e = read_balance(c, account_id, &summary);
    if (!e)
        e = read_spend(c, account_id, api_key_id, &summary);
    db_give(db, c);
    if (e)
        return ERR_UNAVAILABLE;
    *out = summary;
    return ERR_OK;
}
