#include "db/leader.h"

#include <string.h>

#define RENEW_EVERY_MS 5000
#define COUNT(a)       (sizeof(a) / sizeof((a)[0]))

static enum err run_changed(struct db *db, const char *sql, const struct db_value *v, size_t n,
                            bool *is_changed)
{
    struct db_conn *c = NULL;
    enum err e = db_take(db, &c);
    if (e)
        return e;
    e = db_run(c, sql, v, n, NULL);
    if (!e)
        *is_changed = db_changed(c) > 0;
    db_give(db, c);
    return e;
}

/* A term that was ended by its holder ends in this very millisecond: hence <=. */
static const char sql_take[] =
    "UPDATE upkeep SET holder = ?, until_at = UTC_TIMESTAMP(3) + INTERVAL ? SECOND"
    " WHERE name = ? AND until_at <= UTC_TIMESTAMP(3) AND (due_at <= UTC_TIMESTAMP(3) OR ?)";

enum err leader_take(struct leader *l, struct db *db, const char *name, const char *holder,
                     bool even_early)
{
    struct db_value v[] = {DB_STRZ(holder), DB_INT(LEADER_TERM_S), DB_STRZ(name),
                           DB_INT(even_early)};
    bool is_mine = false;
    struct leader taken = {.db = db, .renewed_ms = clock_mono_ms()};
    (void)slice_copy_z(taken.name, sizeof(taken.name), slice_of(name));
    (void)slice_copy_z(taken.holder, sizeof(taken.holder), slice_of(holder));
    enum err e = run_changed(db, sql_take, v, COUNT(v), &is_mine);
    if (e)
        return e;
    if (!is_mine)
        return ERR_BUSY;
    *l = taken;
    return ERR_OK;
}

static const char sql_renew[] = "UPDATE upkeep SET until_at = UTC_TIMESTAMP(3) + INTERVAL ? SECOND"
                                " WHERE name = ? AND holder = ? AND until_at > UTC_TIMESTAMP(3)";

enum err leader_renew(struct leader *l)
{
    struct db_value v[] = {DB_INT(LEADER_TERM_S), DB_STRZ(l->name), DB_STRZ(l->holder)};
    int64_t now = clock_mono_ms();
    bool is_mine = false;
    if (now - l->renewed_ms < RENEW_EVERY_MS)
        return ERR_OK;
    enum err e = run_changed(l->db, sql_renew, v, COUNT(v), &is_mine);
    if (e)
        return e;
    l->renewed_ms = now;
    return is_mine ? ERR_OK : ERR_BUSY;
}

static const char sql_done[] =
    "UPDATE upkeep SET until_at = UTC_TIMESTAMP(3),"
    " due_at = IF(? < 0, due_at, UTC_TIMESTAMP(3) + INTERVAL GREATEST(?, 0) SECOND),"
    " done_at = IF(?, UTC_TIMESTAMP(3), done_at), outcome = LEFT(?, 255)"
    " WHERE name = ? AND holder = ? AND until_at > UTC_TIMESTAMP(3)";

enum err leader_done(struct leader *l, int64_t next_s, bool is_done, const char *outcome)
{
    struct db_value v[] = {DB_INT(next_s),   DB_INT(next_s),   DB_INT(is_done),
                           DB_STRZ(outcome), DB_STRZ(l->name), DB_STRZ(l->holder)};
    bool is_mine = false;
    enum err e = run_changed(l->db, sql_done, v, COUNT(v), &is_mine);
    return e || is_mine ? e : ERR_BUSY;
}

static const char sql_any_due[] =
    "SELECT EXISTS (SELECT 1 FROM upkeep"
    " WHERE due_at <= UTC_TIMESTAMP(3) AND until_at <= UTC_TIMESTAMP(3))";

enum err leader_find_due(struct db *db, bool *any)
{
    struct db_conn *c = NULL;
    struct db_stmt *s = NULL;
    enum err e = db_take(db, &c);
    if (e)
        return e;
    e = db_run(c, sql_any_due, NULL, 0, &s);
    if (!e)
        e = db_next(s);
    if (!e)
        *any = db_col_i64(s, 0) != 0;
    db_give(db, c);
    return e;
}

static const char sql_now[] = "SELECT CAST(UNIX_TIMESTAMP(UTC_TIMESTAMP(3)) * 1000 AS SIGNED)";

enum err leader_now(struct db_conn *c, int64_t *wall_ms)
{
    struct db_stmt *s = NULL;
    enum err e = db_run(c, sql_now, NULL, 0, &s);
    if (!e)
        e = db_next(s);
    if (!e)
        *wall_ms = db_col_i64(s, 0);
    return e;
}
