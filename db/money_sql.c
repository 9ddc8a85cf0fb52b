/* The database side of the money core: processes, leases, positions. The flush is in money_sql_flush.c.
 *
 * Order of locks, the same in every transaction: account_state, journal_positions, ledger, leases in ascending account, limit_slots, processes. */
#include "db/money_ops.h"

#include "base/fault.h"
#include "base/log.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define ERRNO_NO_PARENT 1452 /* a lease without its process */
#define LEASES_FIRST    64

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* Runs a statement and returns its only row. ERR_END: there is none. */
static enum err run_row(struct db_conn *c, const char *sql, const struct db_value *params, size_t n,
                        struct db_stmt **row)
{
    struct db_stmt *s = NULL;
    enum err e = db_run(c, sql, params, n, &s);
    if (!e)
        e = db_next(s);
    if (!e)
        *row = s;
    return e;
}

/* One statement outside of a transaction. row: NULL, or what to do with its only row. */
static enum err run_alone(struct db *db, const char *sql, const struct db_value *params, size_t n)
{
    struct db_conn *c = NULL;
    enum err e = db_take(db, &c);
    if (e)
        return e;
    e = db_run(c, sql, params, n, NULL);
    db_give(db, c);
    return e;
}

/* ---- processes ---- */

static const char sql_installation[] = "SELECT value FROM settings WHERE name = 'installation_id'";

static enum err sql_read_installation(void *self, char id[INSTALLATION_ID_SIZE])
{
    struct db_conn *c = NULL;
    struct db_stmt *row = NULL;
    enum err e = db_take(self, &c);
    if (e)
        return e;
    e = run_row(c, sql_installation, NULL, 0, &row);
    if (e == ERR_END || (!e && !slice_copy_z(id, INSTALLATION_ID_SIZE, db_col_text(row, 0))))
        e = ERR_DB;
    db_give(self, c);
    return e;
}

static const char sql_insert_process[] = "INSERT INTO processes (id, host) VALUES (?, ?)\n"
                                         "ON DUPLICATE KEY UPDATE seen_at = UTC_TIMESTAMP(3)";
static const char sql_insert_position[] =
    "INSERT IGNORE INTO journal_positions (process_id) VALUES (?)";

struct begin_arg {
    const char *process;
    const char *host;
};

static enum err begin_fn(struct db_conn *c, void *arg)
{
    const struct begin_arg *b = arg;
    struct db_value v[] = {DB_STRZ(b->process), DB_STRZ(b->host)};
    enum err e = db_run(c, sql_insert_position, v, 1, NULL);
    return e ? e : db_run(c, sql_insert_process, v, 2, NULL);
}

static enum err sql_begin(void *self, const char *process, const char *host)
{
    struct begin_arg b = {process, host};
    return db_transact(self, begin_fn, &b);
}

static const char sql_update_seen[] =
    "UPDATE processes SET seen_at = UTC_TIMESTAMP(3) WHERE id = ?";
static const char sql_select_age[] = "SELECT TIMESTAMPDIFF(MICROSECOND, seen_at, UTC_TIMESTAMP(3)) "
                                     "DIV 1000 FROM processes WHERE id = ?";

static enum err sql_seen(void *self, const char *process)
{
    struct db_conn *c = NULL;
    struct db_stmt *row = NULL;
    struct db_value v[] = {DB_STRZ(process)};
    enum err e = db_take(self, &c);
    if (e)
        return e;
    e = db_run(c, sql_update_seen, v, 1, NULL);
    /* Nothing changed: it is gone, or it was written in this very millisecond. */
    if (!e && !db_changed(c))
        e = run_row(c, sql_select_age, v, 1, &row);
    db_give(self, c);
    return e;
}

static enum err sql_age(void *self, const char *process, int64_t *age_ms)
{
    struct db_conn *c = NULL;
    struct db_stmt *row = NULL;
    struct db_value v[] = {DB_STRZ(process)};
    enum err e = db_take(self, &c);
    if (e)
        return e;
    e = run_row(c, sql_select_age, v, 1, &row);
    if (!e)
        *age_ms = db_col_i64(row, 0);
    db_give(self, c);
    return e;
}

static const char sql_delete_leases[] = "DELETE FROM leases WHERE process_id = ?";
static const char sql_delete_slots[] = "DELETE FROM limit_slots WHERE process_id = ?";
static const char sql_delete_process[] = "DELETE FROM processes WHERE id = ?";

static enum err end_fn(struct db_conn *c, void *arg)
{
    struct db_value v[] = {DB_STRZ((const char *)arg)};
    enum err e = db_run(c, sql_delete_leases, v, 1, NULL);
    if (!e)
        e = db_run(c, sql_delete_slots, v, 1, NULL);
    return e ? e : db_run(c, sql_delete_process, v, 1, NULL);
}

static enum err sql_end(void *self, const char *process)
{
    char id[ULID_SIZE] = "";
    (void)slice_copy_z(id, sizeof(id), slice_of(process));
    return db_transact(self, end_fn, id);
}

static const char sql_delete_position[] = "DELETE FROM journal_positions WHERE process_id = ?";

static enum err sql_forget(void *self, const char *process)
{
    struct db_value v[] = {DB_STRZ(process)};
    return run_alone(self, sql_delete_position, v, 1);
}

static const char sql_select_abandoned[] =
    "SELECT id, host FROM processes WHERE seen_at < UTC_TIMESTAMP(3) - INTERVAL ? SECOND";
static const char sql_delete_abandoned[] =
    "DELETE FROM processes WHERE id = ? AND seen_at < UTC_TIMESTAMP(3) - INTERVAL ? SECOND";

static enum err abandon_one(struct db_conn *c, struct slice id, struct slice host, int64_t after_s,
                            int *removed)
{
    struct db_value v[] = {DB_STR(id), DB_INT(after_s)};
    enum err e = db_run(c, sql_delete_abandoned, v, COUNT(v), NULL);
    if (!e && db_changed(c)) {
        log_warn("process_abandoned", "process=%.*s host=%.*s unseen_s=%lld", SLICE_FMT(id),
                 SLICE_FMT(host), (long long)after_s);
        ++*removed;
    }
    return e;
}

static enum err sql_abandon(void *self, int64_t after_s, int *removed)
{
    struct db_conn *c = NULL;
    struct db_stmt *s = NULL;
    struct db_value v[] = {DB_INT(after_s)};
    enum err e = db_take(self, &c);
    if (e)
        return e;
    e = db_run(c, sql_select_abandoned, v, COUNT(v), &s);
    /* Rows are buffered, so that the other statement may run between them. */
    while (!e && !(e = db_next(s)))
        e = abandon_one(c, db_col_text(s, 0), db_col_text(s, 1), after_s, removed);
    db_give(self, c);
    return e == ERR_END ? ERR_OK : e;
}

/* ---- takes ---- */

static const char sql_count_take[] =
    "INSERT INTO account_state (account_id, n) VALUES (?, 1) ON DUPLICATE KEY UPDATE n = n + 1";

/* All in ONE statement, hence from one moment: a flush between two would lower the balance in one and the lease in the other. */
static const char sql_select_funds[] =
    "SELECT LEAST(GREATEST(\n"
    "         COALESCE((SELECT c.balance FROM checkpoints c WHERE c.account_id = ? ORDER BY c.id "
    "DESC LIMIT 1), 0)\n"
    "         + COALESCE((SELECT SUM(l.amount) FROM ledger l WHERE l.account_id = ? AND "
    "l.checkpoint_id IS NULL), 0),\n"
    "         -999999999.0), 999999999.0) AS balance,\n"
    "       COALESCE((SELECT SUM(o.amount) FROM leases o WHERE o.account_id = ?), 0.0) AS leased,\n"
    "       own.amount, own.n,\n"
    "       COALESCE((SELECT p.last_segment FROM journal_positions p WHERE p.process_id = ?), 0) "
    "AS position,\n"
    "       (SELECT COUNT(*) FROM processes r WHERE r.seen_at > UTC_TIMESTAMP(3) - INTERVAL ? "
    "SECOND) AS live,\n"
    "       EXISTS (SELECT 1 FROM account_state s WHERE s.account_id = ? AND s.wanted_at > "
    "UTC_TIMESTAMP(3) - INTERVAL ? SECOND) AS wanted\n"
    "FROM (SELECT 1) AS one LEFT JOIN leases own ON own.process_id = ? AND own.account_id = ?";

/* n: never less than what memory has, also when the row was deleted or its last changes were lost in a failover. */
static const char sql_raise_lease[] =
    "INSERT INTO leases (process_id, account_id, amount, n) VALUES (?, ?, ?, ? + 1)\n"
    "ON DUPLICATE KEY UPDATE amount = amount + VALUES(amount), n = GREATEST(n + 1, VALUES(n))";

static const char sql_select_lease[] =
    "SELECT l.amount, l.n, COALESCE((SELECT p.last_segment FROM journal_positions p WHERE "
    "p.process_id = l.process_id), 0)\n"
    "FROM leases l WHERE l.process_id = ? AND l.account_id = ?";

/* ERR_END becomes a row that does not exist. */
static enum err read_lease(struct db_conn *c, const char *process, int64_t account_id,
                           struct lease_row *out)
{
    struct db_stmt *row = NULL;
    struct db_value v[] = {DB_STRZ(process), DB_INT(account_id)};
    enum err e = run_row(c, sql_select_lease, v, COUNT(v), &row);
    if (e == ERR_END)
        *out = (struct lease_row){0};
    else if (!e)
        *out = (struct lease_row){.exists = true,
                                  .amount_nusd = db_col_nusd(row, 0),
                                  .n = (uint64_t)db_col_i64(row, 1),
                                  .position = (uint64_t)db_col_i64(row, 2)};
    return e == ERR_END ? ERR_OK : e;
}

/* Fills what is known before the decision. *live, *is_wanted: for lease_plan. */
static enum err read_funds(struct db_conn *c, struct lease_take *t, int64_t *live, bool *is_wanted)
{
    struct db_stmt *row = NULL;
    struct db_value account = DB_INT(t->account_id), process = DB_STRZ(t->process);
    struct db_value v[] = {account, account,          account, process, DB_INT(LIVE_SEEN_S),
                           account, DB_INT(WANTED_S), process, account};
    enum err e = run_row(c, sql_select_funds, v, COUNT(v), &row);
    if (e)
        return e == ERR_END ? ERR_DB : e;
    t->balance_nusd = db_col_nusd(row, 0);
    t->available_nusd = t->balance_nusd - db_col_nusd(row, 1);
    t->granted_nusd = 0;
    t->row = (struct lease_row){.exists = !db_col_is_null(row, 2),
                                .amount_nusd = db_col_nusd(row, 2),
                                .n = (uint64_t)db_col_i64(row, 3),
                                .position = (uint64_t)db_col_i64(row, 4)};
    *live = db_col_i64(row, 5);
    *is_wanted = db_col_i64(row, 6) != 0;
    return ERR_OK;
}

static enum err take_fn(struct db_conn *c, void *arg)
{
    struct lease_take *t = arg;
    struct db_value account = DB_INT(t->account_id);
    int64_t live = 1;
    bool is_wanted = false;
    enum err e = db_run(c, sql_count_take, &account, 1, NULL);
    if (!e)
        e = read_funds(c, t, &live, &is_wanted);
    if (e)
        return e;
    t->granted_nusd = lease_plan(t, t->available_nusd, live, is_wanted);
    if (!t->granted_nusd)
        return ERR_NO_FUNDS;
    assert(t->granted_nusd > 0 && t->granted_nusd <= t->available_nusd);
    struct db_value v[] = {DB_STRZ(t->process), account, DB_NUSD(t->granted_nusd),
                           DB_INT(t->n_floor)};
    e = db_run(c, sql_raise_lease, v, COUNT(v), NULL);
    if (e == ERR_DB && db_last_errno(c) == ERRNO_NO_PARENT)
        return ERR_END;
    return e ? e : read_lease(c, t->process, t->account_id, &t->row);
}

static enum err sql_take(void *self, struct lease_take *take)
{
    return db_transact(self, take_fn, take);
}

/* ---- give-backs ---- */

static const char sql_lower_lease[] =
    "UPDATE leases SET amount = amount - ?, n = GREATEST(n, ?) + 1\n"
    "WHERE process_id = ? AND account_id = ? AND amount >= ?";
static const char sql_delete_lease[] =
    "DELETE FROM leases WHERE process_id = ? AND account_id = ? AND amount = 0";

static enum err lower_lease(struct db_conn *c, const struct lease_give *g, int64_t nusd)
{
    struct db_value v[] = {DB_NUSD(nusd), DB_INT(g->n_floor), DB_STRZ(g->process),
                           DB_INT(g->account_id), DB_NUSD(nusd)};
    return db_run(c, sql_lower_lease, v, COUNT(v), NULL);
}

static enum err give_fn(struct db_conn *c, void *arg)
{
    struct lease_give *g = arg;
    enum err e = lower_lease(c, g, g->amount_nusd);
    /* The row holds less than memory believes, or is gone: lock it and tell what there is. */
    if (!e && !db_changed(c) && g->amount_nusd)
        e = lower_lease(c, g, 0);
    if (!e)
        e = read_lease(c, g->process, g->account_id, &g->row);
    if (!e && g->is_last && g->row.exists && !g->row.amount_nusd) {
        struct db_value v[] = {DB_STRZ(g->process), DB_INT(g->account_id)};
        e = db_run(c, sql_delete_lease, v, COUNT(v), NULL);
        g->row.exists = false;
    }
    if (!e)
        FAULT("k12"); /* the row is lowered, not committed */
    return e;
}

static enum err sql_give(void *self, struct lease_give *give)
{
    return db_transact(self, give_fn, give);
}

/* ---- wanted ---- */

static const char sql_want[] =
    "INSERT INTO account_state (account_id, wanted_at) VALUES (?, UTC_TIMESTAMP(3))\n"
    "ON DUPLICATE KEY UPDATE wanted_at = VALUES(wanted_at)";

static enum err sql_set_wanted(void *self, int64_t account_id)
{
    struct db_value v[] = {DB_INT(account_id)};
    return run_alone(self, sql_want, v, COUNT(v));
}

static const char sql_select_wanted[] =
    "SELECT l.account_id FROM leases l JOIN account_state s ON s.account_id = l.account_id\n"
    "WHERE l.process_id = ? AND s.wanted_at > UTC_TIMESTAMP(3) - INTERVAL ? SECOND";

static enum err sql_wanted(void *self, const char *process, int64_t *ids, size_t max, size_t *n)
{
    struct db_conn *c = NULL;
    struct db_stmt *s = NULL;
    struct db_value v[] = {DB_STRZ(process), DB_INT(WANTED_S)};
    enum err e = db_take(self, &c);
    if (e)
        return e;
    *n = 0;
    e = db_run(c, sql_select_wanted, v, COUNT(v), &s);
    while (!e && *n < max && !(e = db_next(s)))
        ids[(*n)++] = db_col_i64(s, 0);
    db_give(self, c);
    return e == ERR_END ? ERR_OK : e;
}

/* ---- what there is ---- */

static const char sql_select_leases[] =
    "SELECT l.account_id, l.amount, l.n, COALESCE(p.last_segment, 0)\n"
    "FROM (SELECT 1) AS one LEFT JOIN journal_positions p ON p.process_id = ?\n"
    "LEFT JOIN leases l ON l.process_id = ?";

static enum err gather_leases(struct db_stmt *s, struct lease_found **found, size_t *n,
                              uint64_t *position)
{
    struct lease_found *all = NULL;
    size_t used = 0, cap = 0;
    enum err e;
    while (!(e = db_next(s))) {
        *position = (uint64_t)db_col_i64(s, 3);
        if (db_col_is_null(s, 0))
            continue;
        if (used == cap) {
            cap = cap ? 2 * cap : LEASES_FIRST;
            struct lease_found *p = realloc(all, cap * sizeof(*p));
            if (!p) {
                e = ERR_MEMORY;
                break;
            }
            all = p;
        }
        all[used++] = (struct lease_found){
            .account_id = db_col_i64(s, 0),
            .row = {.exists = true,
                    .amount_nusd = db_col_nusd(s, 1),
                    .n = (uint64_t)db_col_i64(s, 2),
                    .position = *position}
        };
    }
    if (e != ERR_END) {
        free(all);
        return e;
    }
    *found = all;
    *n = used;
    return ERR_OK;
}

static enum err sql_leases(void *self, const char *process, struct lease_found **found, size_t *n,
                           uint64_t *position)
{
    struct db_conn *c = NULL;
    struct db_stmt *s = NULL;
    struct db_value v[] = {DB_STRZ(process), DB_STRZ(process)};
    enum err e = db_take(self, &c);
    if (e)
        return e;
    e = db_run(c, sql_select_leases, v, COUNT(v), &s);
    if (!e)
        e = gather_leases(s, found, n, position);
    db_give(self, c);
    return e;
}

static const char sql_select_position[] =
    "SELECT last_segment FROM journal_positions WHERE process_id = ?";

static enum err sql_position(void *self, const char *process, uint64_t *position)
{
    struct db_conn *c = NULL;
    struct db_stmt *row = NULL;
    struct db_value v[] = {DB_STRZ(process)};
    enum err e = db_take(self, &c);
    if (e)
        return e;
    e = run_row(c, sql_select_position, v, 1, &row);
    if (!e || e == ERR_END)
        *position = e ? 0 : (uint64_t)db_col_i64(row, 0);
    db_give(self, c);
    return e == ERR_END ? ERR_OK : e;
}

static const char sql_select_known[] = "SELECT 1 FROM usage_log WHERE request_id = ?";

static enum err sql_known(void *self, const char *const *request_ids, size_t n, bool *known)
{
    struct db_conn *c = NULL;
    enum err e = db_take(self, &c);
    if (e)
        return e;
    for (size_t i = 0; !e && i < n; i++) {
        struct db_stmt *row = NULL;
        struct db_value v[] = {DB_STRZ(request_ids[i])};
        e = run_row(c, sql_select_known, v, 1, &row);
        known[i] = e == ERR_OK;
        if (e == ERR_END)
            e = ERR_OK;
    }
    db_give(self, c);
    return e;
}

static uint64_t sql_generation(void *self)
{
    return db_generation(self);
}

struct money_db_ops money_sql_ops(struct db *db)
{
    return (struct money_db_ops){
        .self = db,
        .installation = sql_read_installation,
        .begin = sql_begin,
        .seen = sql_seen,
        .age = sql_age,
        .end = sql_end,
        .forget = sql_forget,
        .abandon = sql_abandon,
        .take = sql_take,
        .give = sql_give,
        .want = sql_set_wanted,
        .wanted = sql_wanted,
        .leases = sql_leases,
        .flush = money_sql_flush,
        .probe = money_sql_probe,
        .position = sql_position,
        .known = sql_known,
        .generation = sql_generation,
    };
}
