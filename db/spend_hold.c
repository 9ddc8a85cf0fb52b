#include "db/spend_hold.h"

#include "base/clock.h"
#include "base/log.h"

#include <assert.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define FOLD_MIN        32  /* ended holds of a limit before they are added up */
#define FOLD_MAX        256 /* at once */
#define TIME_SIZE       32
#define ERRNO_NO_PARENT 1452

enum {
    COL_LIMIT,
    COL_TIME,
    COL_MAX,
    COL_SPENT = COL_MAX + SPEND_PERIODS,
    COL_ENDED = COL_SPENT + SPEND_PERIODS,
    COL_HELD = COL_ENDED + SPEND_PERIODS,
    COL_REST = COL_HELD + SPEND_PERIODS,
    COL_ENDED_N = COL_REST + SPEND_PERIODS
};

/* One of the limits that are still there. */
struct part {
    int64_t limit_id;
    int64_t ended_n;
};

struct work {
    const struct spend_hold *hold;
    int64_t need_nusd;
    int64_t free_nusd; /* beside what is held as well */
    struct part parts[LIMIT_MATCHES_MAX];
    size_t parts_n;
    struct spend_refusal refusal;
    bool is_new;
    char time[TIME_SIZE]; /* when the hold was or is taken */
};

/* ---- what the limits leave ---- */

#define ANY_OF_7 "(?, ?, ?, ?, ?, ?, ?)"

/* In the order of their numbers, so that no two requests wait for each other. */
static const char sql_lock[] =
    "INSERT INTO limit_spend (limit_id, period, starts, n) SELECT l.id, 'total', '1970-01-01', 1"
    " FROM rate_limits l WHERE l.id IN " ANY_OF_7
    " ORDER BY l.id ON DUPLICATE KEY UPDATE n = limit_spend.n + 1";

/* One statement: between two a usage row could come, or a process go, and its request would count
 * twice or not at all. */
#define IN_DAY   "DATE(h.held_at) = DATE(n.t)"
#define IN_MONTH "DATE_FORMAT(h.held_at, '%Y-%m') = DATE_FORMAT(n.t, '%Y-%m')"
#define ENDED    "COALESCE(SUM(CASE WHEN u.request_id IS NOT NULL AND "
#define HELD     "COALESCE(SUM(CASE WHEN u.request_id IS NULL AND p.id IS NOT NULL AND "
#define SPENT(period, starts)                                                                      \
    " COALESCE((SELECT s.spent FROM limit_spend s WHERE s.limit_id = l.id AND s.period = '" period \
    "' AND s.starts = " starts "), 0),"
static const char sql_sums[] =
    "SELECT l.id, CAST(n.t AS CHAR), l.spend_total, l.spend_day, l.spend_month," //
    SPENT("total", "'1970-01-01'") SPENT("day", "DATE(n.t)")
        SPENT("month", "DATE_FORMAT(n.t, '%Y-%m-01')") //
    ENDED
    "TRUE THEN u.cost END), 0)," ENDED IN_DAY " THEN u.cost END), 0)," ENDED IN_MONTH
    " THEN u.cost END), 0)," //
    HELD "TRUE THEN h.amount END), 0)," HELD IN_DAY " THEN h.amount END), 0)," HELD IN_MONTH
    " THEN h.amount END), 0),"
    " -1, TIMESTAMPDIFF(SECOND, n.t, DATE(n.t) + INTERVAL 1 DAY) + 1,"
    " TIMESTAMPDIFF(SECOND, n.t, LAST_DAY(n.t) + INTERVAL 1 DAY) + 1,"
    " CAST(COUNT(CASE WHEN u.request_id IS NOT NULL OR p.id IS NULL THEN h.request_id END) AS "
    "SIGNED)"
    " FROM (SELECT COALESCE((SELECT MIN(o.held_at) FROM limit_holds o WHERE o.request_id = ?), "
    "UTC_TIMESTAMP(3)) AS t) n"
    " JOIN rate_limits l ON l.id IN " ANY_OF_7 //

    " LEFT JOIN limit_holds h ON h.limit_id = l.id"
    " LEFT JOIN usage_log u ON u.request_id = h.request_id"
    " LEFT JOIN processes p ON p.id = h.process_id"
    " GROUP BY l.id, n.t";

/* Takes one limit in. */
static void look(struct work *w, const struct db_stmt *s)
{
    struct spend_refusal *r = &w->refusal;
    w->parts[w->parts_n++] = (struct part){db_col_i64(s, COL_LIMIT), db_col_i64(s, COL_ENDED_N)};
    slice_copy_z(w->time, sizeof(w->time), db_col_text(s, COL_TIME));
    for (size_t i = 0; i < SPEND_PERIODS; i++) {
        if (db_col_is_null(s, COL_MAX + i))
            continue;
        int64_t left = db_col_nusd(s, COL_MAX + i) - db_col_nusd(s, COL_SPENT + i) -
                       db_col_nusd(s, COL_ENDED + i);
        int64_t free = left - db_col_nusd(s, COL_HELD + i);
        w->free_nusd = free < w->free_nusd ? free : w->free_nusd;
        left = left > 0 ? left : 0;
        if (left < w->need_nusd && r->wait_s >= 0) {
            int64_t rest_s = db_col_i64(s, COL_REST + i);
            r->wait_s = rest_s < 0 || rest_s > r->wait_s ? rest_s : r->wait_s;
        }
        if (left < r->left_nusd) {
            r->left_nusd = left;
            r->limit_id = db_col_i64(s, COL_LIMIT);
            r->period = (enum spend_period)i;
        }
    }
}

static enum err judge(const struct work *w)
{
    if (w->need_nusd <= w->free_nusd)
        return ERR_OK;
    /* An extension asks for more than its own hold, which is among the held. */
    return w->need_nusd > w->refusal.left_nusd || !w->is_new ? ERR_SPEND_LIMIT : ERR_SPEND_RESERVED;
}

static enum err lock_and_read(struct db_conn *c, struct work *w)
{
    struct db_stmt *s = NULL;
    struct db_value which[1 + LIMIT_MATCHES_MAX];
    which[0] = DB_STRZ(w->hold->request_id);
    for (size_t i = 0; i < LIMIT_MATCHES_MAX; i++)
        which[1 + i] = DB_INT(w->hold->limit_ids[i < w->hold->limits_n ? i : 0]);
    w->parts_n = 0;
    w->free_nusd = INT64_MAX;
    w->refusal = (struct spend_refusal){.left_nusd = INT64_MAX};
    enum err e = db_run(c, sql_lock, which + 1, LIMIT_MATCHES_MAX, NULL);
    if (e == ERR_DB && db_last_errno(c) == ERRNO_NO_PARENT)
        e = ERR_DB_RETRY; /* a limit was deleted meanwhile */
    if (!e)
        e = db_run(c, sql_sums, which, 1 + LIMIT_MATCHES_MAX, &s);
    while (!e && !(e = db_next(s)))
        look(w, s);
    return e == ERR_END ? judge(w) : e;
}

/* ---- ended holds into limit_spend ---- */

static const char sql_ended[] =
    "SELECT h.request_id, COALESCE(u.cost, 0) FROM limit_holds h"
    " LEFT JOIN usage_log u ON u.request_id = h.request_id"
    " LEFT JOIN processes p ON p.id = h.process_id"
    " WHERE h.limit_id = ? AND (u.request_id IS NOT NULL OR p.id IS NULL) LIMIT 256";
static const char sql_note_cost[] =
    "UPDATE limit_holds SET cost = ? WHERE request_id = ? AND limit_id = ?";
static const char sql_add_up[] =
    "INSERT INTO limit_spend (limit_id, period, starts, spent)"
    " SELECT h.limit_id, p.period, CASE p.period WHEN 'total' THEN '1970-01-01' WHEN 'day' THEN "
    "DATE(h.held_at) ELSE DATE_FORMAT(h.held_at, '%Y-%m-01') END AS first_day, SUM(h.cost)"
    " FROM limit_holds h"
    " CROSS JOIN (SELECT 'total' AS period UNION ALL SELECT 'day' UNION ALL SELECT 'month') p"
    " WHERE h.limit_id = ? AND h.cost IS NOT NULL GROUP BY h.limit_id, p.period, first_day"
    " ON DUPLICATE KEY UPDATE spent = limit_spend.spent + VALUES(spent)";
static const char sql_drop_ended[] =
    "DELETE FROM limit_holds WHERE limit_id = ? AND cost IS NOT NULL";

/* Which have ended is read once; what follows goes by the cost that was noted then. */
static enum err note_costs(struct db_conn *c, int64_t limit_id)
{
    struct db_stmt *s = NULL;
    struct db_value limit = DB_INT(limit_id);
    struct db_value params[3 * FOLD_MAX];
    char ids[FOLD_MAX][ULID_SIZE];
    size_t n = 0;
    enum err e = db_run(c, sql_ended, &limit, 1, &s);
    while (!e && !(e = db_next(s)) && n < FOLD_MAX) {
        slice_copy_z(ids[n], ULID_SIZE, db_col_text(s, 0));
        params[3 * n] = DB_NUSD(db_col_nusd(s, 1));
        params[3 * n + 1] = DB_STRZ(ids[n]);
        params[3 * n + 2] = limit;
        n++;
    }
    if (e != ERR_END)
        return e;
    return n ? db_run_bulk(c, sql_note_cost, params, 3, n) : ERR_OK;
}

static enum err fold(struct db_conn *c, int64_t limit_id)
{
    struct db_value limit = DB_INT(limit_id);
    enum err e = note_costs(c, limit_id);
    if (!e)
        e = db_run(c, sql_add_up, &limit, 1, NULL);
    return e ? e : db_run(c, sql_drop_ended, &limit, 1, NULL);
}

/* ---- the transaction ---- */

static const char sql_insert_hold[] = "INSERT INTO limit_holds (request_id, limit_id, process_id, "
                                      "amount, held_at) VALUES (?, ?, ?, ?, ?)";
static const char sql_grow_hold[] =
    "UPDATE limit_holds SET amount = amount + ? WHERE request_id = ?";

static enum err write_hold(struct db_conn *c, const struct work *w)
{
    const struct spend_hold *h = w->hold;
    struct db_value rows[5 * LIMIT_MATCHES_MAX];
    if (w->parts_n == 0)
        return ERR_OK;
    if (!w->is_new) {
        struct db_value more[] = {DB_NUSD(w->need_nusd), DB_STRZ(h->request_id)};
        enum err e = db_run(c, sql_grow_hold, more, 2, NULL);
        return e || db_changed(c) > 0 ? e : ERR_UNAVAILABLE; /* it was cancelled */
    }
    for (size_t i = 0; i < w->parts_n; i++) {
        rows[5 * i] = DB_STRZ(h->request_id);
        rows[5 * i + 1] = DB_INT(w->parts[i].limit_id);
        rows[5 * i + 2] = DB_STRZ(h->process_id);
        rows[5 * i + 3] = DB_NUSD(w->need_nusd);
        rows[5 * i + 4] = DB_STRZ(w->time);
    }
    return db_run_bulk(c, sql_insert_hold, rows, 5, w->parts_n);
}

static enum err reserve_fn(struct db_conn *c, void *arg)
{
    struct work *w = arg;
    enum err e = lock_and_read(c, w);
    for (size_t i = 0; !e && i < w->parts_n; i++)
        if (w->parts[i].ended_n >= FOLD_MIN)
            e = fold(c, w->parts[i].limit_id);
    return e ? e : write_hold(c, w);
}

static enum err reserve(struct db *db, struct work *w)
{
    assert(w->hold->limits_n <= LIMIT_MATCHES_MAX);
    if (w->hold->limits_n == 0)
        return ERR_OK;
    enum err e = db_transact(db, reserve_fn, w);
    switch (e) {
    case ERR_OK:
    case ERR_SPEND_LIMIT:
    case ERR_SPEND_RESERVED:
    case ERR_DB_UNKNOWN:
        return e;
    default:
        return ERR_UNAVAILABLE;
    }
}

enum err spend_hold_open(struct db *db, const struct spend_hold *h, int64_t need_nusd,
                         struct spend_refusal *r)
{
    struct work w = {.hold = h, .need_nusd = need_nusd, .is_new = true};
    enum err e = reserve(db, &w);
    if (e == ERR_SPEND_LIMIT)
        *r = w.refusal;
    return e;
}

enum err spend_hold_extend(struct db *db, const struct spend_hold *h, int64_t more_nusd)
{
    struct work w = {.hold = h, .need_nusd = more_nusd};
    return reserve(db, &w);
}

static const char sql_cancel[] = "DELETE FROM limit_holds WHERE request_id = ?";

static enum err cancel_fn(struct db_conn *c, void *arg)
{
    const struct spend_hold *h = arg;
    struct db_value id = DB_STRZ(h->request_id);
    return db_run(c, sql_cancel, &id, 1, NULL);
}

void spend_hold_cancel(struct db *db, const struct spend_hold *h)
{
    struct spend_hold copy = *h;
    if (h->limits_n == 0)
        return;
    enum err e = db_transact(db, cancel_fn, &copy);
    if (e)
        log_warn("spend_hold_not_cancelled", "request=%s error=%s", h->request_id, err_name(e));
}
