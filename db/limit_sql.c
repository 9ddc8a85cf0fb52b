/* The transactions of limits. Each concerns one limit, whose row in limit_windows is written first:
 * takes queue there, so that what is read after it is the truth. Giving back needs no place in that
 * row: it only lowers. */
#include "db/limit_core.h"

#include "db/money_ops.h"

#include <assert.h>

#define ERRNO_NO_PARENT 1452

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

#define THIS_MINUTE "CAST(DATE_FORMAT(UTC_TIMESTAMP(), '%Y-%m-%d %H:%i:00') AS DATETIME)"
#define LIVE                                                                                       \
    "(SELECT COUNT(*) FROM processes p WHERE p.seen_at > UTC_TIMESTAMP(3) - INTERVAL ? SECOND)"

static const char *const kind_names[] = {"requests", "tokens", "slots"};

static const char sql_lock[] = "INSERT INTO limit_windows (limit_id, kind, n) VALUES (?, ?, 1) ON "
                               "DUPLICATE KEY UPDATE n = n + 1";

/* ERR_END: the limit is gone. */
static enum err lock_row(struct db_conn *c, int64_t id, enum limit_kind kind)
{
    struct db_value v[] = {DB_INT(id), DB_STRZ(kind_names[kind])};
    enum err e = db_run(c, sql_lock, v, COUNT(v), NULL);
    return e == ERR_DB && db_last_errno(c) == ERRNO_NO_PARENT ? ERR_END : e;
}

static int64_t share_of(int64_t left, int64_t live)
{
    return left / (LIMIT_SHARE * (live > 0 ? live : 1));
}

/* ---- requests and tokens ---- */

/* A database whose clock is behind, after a failover, goes on in the minute that it finds. */
#define SELECT_WINDOW(column)                                                                      \
    "SELECT l." column ", IF(w.starts_at >= t.minute, w.used, 0),"                                 \
    " CAST(UNIX_TIMESTAMP(GREATEST(w.starts_at, t.minute)) AS SIGNED),"                            \
    " TIMESTAMPDIFF(MICROSECOND, UTC_TIMESTAMP(3), GREATEST(w.starts_at, t.minute) + INTERVAL 1 "  \
    "MINUTE) DIV 1000, " LIVE " FROM (SELECT " THIS_MINUTE " AS minute) t"                         \
    " JOIN rate_limits l ON l.id = ? JOIN limit_windows w ON w.limit_id = l.id AND w.kind = ?"

static const char sql_requests[] = SELECT_WINDOW("requests_per_minute");
static const char sql_tokens[] = SELECT_WINDOW("tokens_per_minute");
static const char sql_set_window[] = "UPDATE limit_windows SET starts_at = FROM_UNIXTIME(?), used "
                                     "= ? WHERE limit_id = ? AND kind = ?";

static enum err set_window(struct db_conn *c, const struct limit_borrow *b, int64_t used)
{
    struct db_value v[] = {DB_INT(b->starts_s), DB_INT(used), DB_INT(b->id),
                           DB_STRZ(kind_names[b->kind])};
    return db_run(c, sql_set_window, v, COUNT(v), NULL);
}

/* Fills max, starts_s, rest_ms. */
static enum err read_window(struct db_conn *c, struct limit_borrow *b, int64_t *used, int64_t *live)
{
    struct db_stmt *s = NULL;
    struct db_value v[] = {DB_INT(LIVE_SEEN_S), DB_INT(b->id), DB_STRZ(kind_names[b->kind])};
    enum err e = db_run(c, b->kind == LIMIT_REQUESTS ? sql_requests : sql_tokens, v, COUNT(v), &s);
    if (!e)
        e = db_next(s);
    if (!e && db_col_is_null(s, 0))
        e = ERR_END;
    if (e)
        return e;
    b->max = db_col_i64(s, 0);
    *used = db_col_i64(s, 1);
    b->starts_s = db_col_i64(s, 2);
    b->rest_ms = db_col_i64(s, 3);
    *live = db_col_i64(s, 4);
    return ERR_OK;
}

static enum err borrow_fn(struct db_conn *c, void *arg)
{
    struct limit_borrow *b = arg;
    int64_t used = 0, live = 1;
    enum err e = lock_row(c, b->id, b->kind);
    if (!e)
        e = read_window(c, b, &used, &live);
    if (e)
        return e;
    used += b->debt;
    b->granted = 0;
    b->left = b->max - used;
    if (b->left >= b->need) {
        int64_t share = b->is_brief ? 0 : share_of(b->left, live);
        b->granted = share > b->wanted ? share : b->wanted;
        b->granted = b->granted < b->left ? b->granted : b->left;
        b->left -= b->granted;
    }
    if (!b->granted && !b->debt)
        return ERR_RATE;
    return set_window(c, b, used + b->granted);
}

enum err limit_sql_borrow(struct db *db, struct limit_borrow *b)
{
    assert(b->need > 0 && b->wanted >= b->need);
    enum err e = db_transact(db, borrow_fn, b);
    if (e == ERR_OK && !b->granted)
        return ERR_RATE;
    return e == ERR_OK || e == ERR_RATE || e == ERR_END ? e : ERR_UNAVAILABLE;
}

static const char sql_return[] = "UPDATE limit_windows SET used = GREATEST(used - ?, 0) WHERE "
                                 "limit_id = ? AND kind = ? AND starts_at = FROM_UNIXTIME(?)";
/* Assignments are made from left to right. */
static const char sql_charge[] =
    "UPDATE limit_windows SET used = IF(starts_at < " THIS_MINUTE ", 0, used) + ?, starts_at = "
    "GREATEST(starts_at, " THIS_MINUTE ") WHERE limit_id = ? AND kind = ?";

struct change {
    const char *sql;
    const struct db_value *values;
    size_t n;
};

static enum err change_fn(struct db_conn *c, void *arg)
{
    const struct change *change = arg;
    return db_run(c, change->sql, change->values, change->n, NULL);
}

enum err limit_sql_return(struct db *db, int64_t id, enum limit_kind kind, int64_t units,
                          int64_t starts_s)
{
    struct db_value v[] = {DB_INT(units), DB_INT(id), DB_STRZ(kind_names[kind]), DB_INT(starts_s)};
    struct change change = {sql_return, v, COUNT(v)};
    return db_transact(db, change_fn, &change);
}

enum err limit_sql_charge(struct db *db, int64_t id, enum limit_kind kind, int64_t units)
{
    struct db_value v[] = {DB_INT(units), DB_INT(id), DB_STRZ(kind_names[kind])};
    struct change change = {sql_charge, v, COUNT(v)};
    return db_transact(db, change_fn, &change);
}

/* ---- slots ---- */

static const char sql_slots[] =
    "SELECT l.concurrent_requests, (SELECT CAST(COALESCE(SUM(o.slots), 0) AS SIGNED) FROM "
    "limit_slots o WHERE o.limit_id = l.id AND o.process_id <> ?), " LIVE
    " FROM rate_limits l WHERE l.id = ?";
static const char sql_put_slots[] = "INSERT INTO limit_slots (limit_id, process_id, slots) VALUES "
                                    "(?, ?, ?) ON DUPLICATE KEY UPDATE slots = VALUES(slots)";
static const char sql_delete_slots[] =
    "DELETE FROM limit_slots WHERE limit_id = ? AND process_id = ?";

static enum err put_slots(struct db_conn *c, int64_t id, const char *process, int64_t slots)
{
    struct db_value v[] = {DB_INT(id), DB_STRZ(process), DB_INT(slots)};
    return slots ? db_run(c, sql_put_slots, v, 3, NULL) : db_run(c, sql_delete_slots, v, 2, NULL);
}

static enum err take_slots_fn(struct db_conn *c, void *arg)
{
    struct limit_slots_take *t = arg;
    struct db_stmt *s = NULL;
    struct db_value v[] = {DB_STRZ(t->process), DB_INT(LIVE_SEEN_S), DB_INT(t->id)};
    enum err e = lock_row(c, t->id, LIMIT_SLOTS);
    if (!e)
        e = db_run(c, sql_slots, v, COUNT(v), &s);
    if (!e)
        e = db_next(s);
    if (!e && db_col_is_null(s, 0))
        e = ERR_END;
    if (e)
        return e;
    t->max = db_col_i64(s, 0);
    int64_t left = t->max - db_col_i64(s, 1) - t->owned;
    t->granted = 0;
    t->block = t->is_brief || left <= 0 ? 0 : share_of(left, db_col_i64(s, 2));
    t->block = t->block > 1 ? t->block : 0;
    if (left <= 0)
        return ERR_RATE;
    t->granted = t->block > t->wanted ? t->block : t->wanted;
    t->granted = t->granted < left ? t->granted : left;
    e = put_slots(c, t->id, t->process, t->owned + t->granted);
    return e == ERR_DB && db_last_errno(c) == ERRNO_NO_PARENT ? ERR_CONFIG : e;
}

enum err limit_sql_take_slots(struct db *db, struct limit_slots_take *t)
{
    assert(t->wanted > 0);
    enum err e = db_transact(db, take_slots_fn, t);
    switch (e) {
    case ERR_OK:
    case ERR_RATE:
    case ERR_END:
    case ERR_CONFIG:
    case ERR_DB_UNKNOWN:
        return e;
    default:
        return ERR_UNAVAILABLE;
    }
}

struct set_slots {
    int64_t id;
    const char *process;
    int64_t slots;
};

static enum err set_slots_fn(struct db_conn *c, void *arg)
{
    const struct set_slots *set = arg;
    return put_slots(c, set->id, set->process, set->slots);
}

enum err limit_sql_set_slots(struct db *db, int64_t id, const char *process, int64_t slots)
{
    struct set_slots set = {id, process, slots};
    enum err e = db_transact(db, set_slots_fn, &set);
    return e == ERR_OK || e == ERR_DB_UNKNOWN ? e : ERR_UNAVAILABLE;
}
