#include "db/key_hold.h"

#include "base/clock.h"
#include "base/log.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define FOLD_MIN  32  /* ended holds before they are added up */
#define FOLD_MAX  256 /* at once */
#define TIME_SIZE 32
#define PERIODS   3

enum {
    COL_TIME,
    COL_LIMITS,
    COL_SPENT = COL_LIMITS + PERIODS,
    COL_ENDED = COL_SPENT + PERIODS,
    COL_HELD = COL_ENDED + PERIODS,
    COL_ENDED_N = COL_HELD + PERIODS
};

struct work {
    const struct key_hold *hold;
    int64_t need_nusd;
    int64_t left_nusd;
    int64_t ended_n;
    bool is_new;
    char time[TIME_SIZE]; /* when the hold was or is taken */
};

static const char sql_lock[] = "INSERT INTO key_spend (api_key_id, period, starts, n) VALUES (?, "
                               "'total', '1970-01-01', 1) ON DUPLICATE KEY UPDATE n = n + 1";

/* One statement: between two a usage row could come, or a process go, and its request would count
 * twice or not at all. */
#define IN_DAY   "DATE(h.held_at) = DATE(n.t)"
#define IN_MONTH "DATE_FORMAT(h.held_at, '%Y-%m') = DATE_FORMAT(n.t, '%Y-%m')"
#define ENDED    "COALESCE(SUM(CASE WHEN u.request_id IS NOT NULL AND "
#define HELD     "COALESCE(SUM(CASE WHEN u.request_id IS NULL AND p.id IS NOT NULL AND "
static const char sql_sums[] =
    "SELECT CAST(n.t AS CHAR), k.spend_limit, k.spend_limit_day, k.spend_limit_month,"
    " COALESCE((SELECT s.spent FROM key_spend s WHERE s.api_key_id = k.id AND s.period = 'total' "
    "AND s.starts = '1970-01-01'), 0),"
    " COALESCE((SELECT s.spent FROM key_spend s WHERE s.api_key_id = k.id AND s.period = 'day' AND "
    "s.starts = DATE(n.t)), 0),"
    " COALESCE((SELECT s.spent FROM key_spend s WHERE s.api_key_id = k.id AND s.period = 'month' "
    "AND s.starts = DATE_FORMAT(n.t, '%Y-%m-01')), 0)," //
    ENDED "TRUE THEN u.cost END), 0)," ENDED IN_DAY " THEN u.cost END), 0)," ENDED IN_MONTH
    " THEN u.cost END), 0)," //
    HELD "TRUE THEN h.amount END), 0)," HELD IN_DAY " THEN h.amount END), 0)," HELD IN_MONTH
    " THEN h.amount END), 0),"
    " CAST(COUNT(CASE WHEN u.request_id IS NOT NULL OR p.id IS NULL THEN h.request_id END) AS "
    "SIGNED)"
    " FROM (SELECT COALESCE((SELECT o.held_at FROM key_holds o WHERE o.request_id = ?), "
    "UTC_TIMESTAMP(3)) AS t) n"
    " JOIN api_keys k ON k.id = ?"
    " LEFT JOIN key_holds h ON h.api_key_id = k.id"
    " LEFT JOIN usage_log u ON u.request_id = h.request_id"
    " LEFT JOIN processes p ON p.id = h.process_id"
    " GROUP BY k.id, n.t";

/* What the limits leave beside what was spent, and beside what is held as well. */
static enum err judge(struct work *w, const struct db_stmt *s)
{
    int64_t left = INT64_MAX, free = INT64_MAX;
    for (size_t i = 0; i < PERIODS; i++) {
        if (db_col_is_null(s, COL_LIMITS + i))
            continue;
        int64_t rest = db_col_nusd(s, COL_LIMITS + i) - db_col_nusd(s, COL_SPENT + i) -
                       db_col_nusd(s, COL_ENDED + i);
        left = rest < left ? rest : left;
        rest -= db_col_nusd(s, COL_HELD + i);
        free = rest < free ? rest : free;
    }
    slice_copy_z(w->time, sizeof(w->time), db_col_text(s, COL_TIME));
    w->ended_n = db_col_i64(s, COL_ENDED_N);
    w->left_nusd = left > 0 ? left : 0;
    if (w->need_nusd <= free)
        return ERR_OK;
    /* An extension asks for more than its own hold, which is among the held. */
    return w->need_nusd > left || !w->is_new ? ERR_KEY_LIMIT : ERR_KEY_RESERVED;
}

/* ---- ended holds into key_spend ---- */

static const char sql_ended[] =
    "SELECT h.request_id, COALESCE(u.cost, 0) FROM key_holds h"
    " LEFT JOIN usage_log u ON u.request_id = h.request_id"
    " LEFT JOIN processes p ON p.id = h.process_id"
    " WHERE h.api_key_id = ? AND (u.request_id IS NOT NULL OR p.id IS NULL) LIMIT 256";
static const char sql_note_cost[] = "UPDATE key_holds SET cost = ? WHERE request_id = ?";
static const char sql_add_up[] =
    "INSERT INTO key_spend (api_key_id, period, starts, spent)"
    " SELECT h.api_key_id, p.period, CASE p.period WHEN 'total' THEN '1970-01-01' WHEN 'day' THEN "
    "DATE(h.held_at) ELSE DATE_FORMAT(h.held_at, '%Y-%m-01') END AS first_day, SUM(h.cost)"
    " FROM key_holds h"
    " CROSS JOIN (SELECT 'total' AS period UNION ALL SELECT 'day' UNION ALL SELECT 'month') p"
    " WHERE h.api_key_id = ? AND h.cost IS NOT NULL GROUP BY h.api_key_id, p.period, first_day"
    " ON DUPLICATE KEY UPDATE spent = key_spend.spent + VALUES(spent)";
static const char sql_drop_ended[] =
    "DELETE FROM key_holds WHERE api_key_id = ? AND cost IS NOT NULL";

/* Which have ended is read once; what follows goes by the cost that was noted then. */
static enum err note_costs(struct db_conn *c, const struct db_value *key)
{
    struct db_stmt *s = NULL;
    struct db_value params[2 * FOLD_MAX];
    char ids[FOLD_MAX][ULID_SIZE];
    size_t n = 0;
    enum err e = db_run(c, sql_ended, key, 1, &s);
    while (!e && !(e = db_next(s)) && n < FOLD_MAX) {
        slice_copy_z(ids[n], ULID_SIZE, db_col_text(s, 0));
        params[2 * n] = DB_NUSD(db_col_nusd(s, 1));
        params[2 * n + 1] = DB_STRZ(ids[n]);
        n++;
    }
    if (e != ERR_END)
        return e;
    return n ? db_run_bulk(c, sql_note_cost, params, 2, n) : ERR_OK;
}

static enum err fold(struct db_conn *c, int64_t api_key_id)
{
    struct db_value key = DB_INT(api_key_id);
    enum err e = note_costs(c, &key);
    if (!e)
        e = db_run(c, sql_add_up, &key, 1, NULL);
    return e ? e : db_run(c, sql_drop_ended, &key, 1, NULL);
}

/* ---- the transaction ---- */

static const char sql_insert_hold[] = "INSERT INTO key_holds (request_id, api_key_id, process_id, "
                                      "amount, held_at) VALUES (?, ?, ?, ?, ?)";
static const char sql_grow_hold[] = "UPDATE key_holds SET amount = amount + ? WHERE request_id = ?";

static enum err write_hold(struct db_conn *c, const struct work *w)
{
    const struct key_hold *h = w->hold;
    if (w->is_new) {
        struct db_value row[] = {DB_STRZ(h->request_id), DB_INT(h->api_key_id),
                                 DB_STRZ(h->process_id), DB_NUSD(w->need_nusd), DB_STRZ(w->time)};
        return db_run(c, sql_insert_hold, row, 5, NULL);
    }
    struct db_value more[] = {DB_NUSD(w->need_nusd), DB_STRZ(h->request_id)};
    enum err e = db_run(c, sql_grow_hold, more, 2, NULL);
    return e || db_changed(c) == 1 ? e : ERR_UNAVAILABLE; /* the key was deleted */
}

static enum err reserve_fn(struct db_conn *c, void *arg)
{
    struct work *w = arg;
    struct db_stmt *s = NULL;
    struct db_value key = DB_INT(w->hold->api_key_id);
    struct db_value which[] = {DB_STRZ(w->hold->request_id), key};
    w->left_nusd = -1;
    enum err e = db_run(c, sql_lock, &key, 1, NULL);
    if (!e)
        e = db_run(c, sql_sums, which, 2, &s);
    if (!e)
        e = db_next(s);
    if (!e)
        e = judge(w, s);
    if (!e && w->ended_n >= FOLD_MIN)
        e = fold(c, w->hold->api_key_id);
    return e ? e : write_hold(c, w);
}

static enum err reserve(struct db *db, struct work *w)
{
    enum err e = db_transact(db, reserve_fn, w);
    switch (e) {
    case ERR_OK:
    case ERR_KEY_LIMIT:
    case ERR_KEY_RESERVED:
    case ERR_DB_UNKNOWN:
        return e;
    default:
        return ERR_UNAVAILABLE;
    }
}

enum err key_hold_open(struct db *db, const struct key_hold *h, int64_t need_nusd,
                       int64_t *left_nusd)
{
    struct work w = {.hold = h, .need_nusd = need_nusd, .left_nusd = -1, .is_new = true};
    enum err e = reserve(db, &w);
    *left_nusd = e == ERR_KEY_LIMIT ? w.left_nusd : -1;
    return e;
}

enum err key_hold_extend(struct db *db, const struct key_hold *h, int64_t more_nusd)
{
    struct work w = {.hold = h, .need_nusd = more_nusd, .left_nusd = -1};
    return reserve(db, &w);
}

static const char sql_cancel[] = "DELETE FROM key_holds WHERE request_id = ?";

static enum err cancel_fn(struct db_conn *c, void *arg)
{
    const struct key_hold *h = arg;
    struct db_value id = DB_STRZ(h->request_id);
    return db_run(c, sql_cancel, &id, 1, NULL);
}

void key_hold_cancel(struct db *db, const struct key_hold *h)
{
    struct key_hold copy = *h;
    enum err e = db_transact(db, cancel_fn, &copy);
    if (e)
        log_warn("key_hold_not_cancelled", "request=%s error=%s", h->request_id, err_name(e));
}
