#include "db/checkpoint.h"

#include "base/log.h"
#include "base/amount.h"

#include <stdlib.h>

#define ACCOUNTS_MAX 10000 /* of one run; the next takes the others */
#define COUNT(a)     (sizeof(a) / sizeof((a)[0]))

struct checkpoint {
    int64_t account_id;
    int64_t ids[CHECKPOINT_ROWS];
    size_t n;
    int64_t sum_nusd;
    int64_t previous_id; /* 0: there is none */
};

/* Locked, so that nobody changes what is summed; but an admin's open transaction is not waited for. */
static const char sql_unmarked[] =
    "SELECT id, amount FROM ledger WHERE account_id = ? AND checkpoint_id IS NULL LIMIT ?"
    " FOR UPDATE SKIP LOCKED";

static enum err read_rows(struct db_conn *c, struct checkpoint *k)
{
    struct db_value v[] = {DB_INT(k->account_id), DB_INT(CHECKPOINT_ROWS)};
    struct db_stmt *s = NULL;
    enum err e = db_run(c, sql_unmarked, v, COUNT(v), &s);
    k->n = 0;
    k->sum_nusd = 0;
    while (!e && !(e = db_next(s))) {
        k->ids[k->n++] = db_col_i64(s, 0);
        if (__builtin_add_overflow(k->sum_nusd, db_col_nusd(s, 1), &k->sum_nusd))
            return ERR_RANGE;
    }
    return e == ERR_END ? ERR_OK : e;
}

static const char sql_last[] =
    "SELECT id, balance FROM checkpoints WHERE account_id = ? ORDER BY id DESC LIMIT 1";

/* Read after the rows are locked: a checkpoint that took others of them is seen by now, or has not
 * been committed and will be in our way. */
static enum err add_last(struct db_conn *c, struct checkpoint *k)
{
    struct db_value v[] = {DB_INT(k->account_id)};
    struct db_stmt *s = NULL;
    k->previous_id = 0;
    enum err e = db_run(c, sql_last, v, COUNT(v), &s);
    if (!e)
        e = db_next(s);
    if (e)
        return e == ERR_END ? ERR_OK : e;
    k->previous_id = db_col_i64(s, 0);
    if (__builtin_add_overflow(k->sum_nusd, db_col_nusd(s, 1), &k->sum_nusd))
        return ERR_RANGE;
    return ERR_OK;
}

static const char sql_insert[] =
    "INSERT INTO checkpoints (account_id, previous_id, balance) VALUES (?, ?, ?)";
static const char sql_inserted[] = "SELECT CAST(LAST_INSERT_ID() AS SIGNED)";
static const char sql_mark[] =
    "UPDATE ledger SET checkpoint_id = ? WHERE id = ? AND checkpoint_id IS NULL";

static enum err mark_rows(struct db_conn *c, const struct checkpoint *k, int64_t id)
{
    struct db_value v[2 * CHECKPOINT_ROWS];
    for (size_t i = 0; i < k->n; i++) {
        v[2 * i] = DB_INT(id);
        v[2 * i + 1] = DB_INT(k->ids[i]);
    }
    enum err e = db_run_bulk(c, sql_mark, v, 2, k->n);
    if (!e && db_changed(c) != k->n) {
        log_error("checkpoint_not_exact", "account=%lld rows=%zu marked=%llu",
                  (long long)k->account_id, k->n, (unsigned long long)db_changed(c));
        e = ERR_DB;
    }
    return e;
}

static enum err insert(struct db_conn *c, const struct checkpoint *k, int64_t *id)
{
    struct db_value v[] = {DB_INT(k->account_id), DB_INT(k->previous_id), DB_NUSD(k->sum_nusd)};
    struct db_stmt *s = NULL;
    enum err e = db_run(c, sql_insert, v, COUNT(v), NULL);
    if (!e)
        e = db_run(c, sql_inserted, NULL, 0, &s);
    if (!e)
        e = db_next(s);
    if (!e)
        *id = db_col_i64(s, 0);
    /* The last one is found by its number. */
    if (!e && *id <= k->previous_id) {
        log_error("checkpoint_order", "account=%lld previous=%lld id=%lld",
                  (long long)k->account_id, (long long)k->previous_id, (long long)*id);
        e = ERR_DB;
    }
    return e == ERR_DB_DUPLICATE ? ERR_BUSY : e;
}

static enum err checkpoint_fn(struct db_conn *c, void *arg)
{
    struct checkpoint *k = arg;
    int64_t id = 0;
    enum err e = read_rows(c, k);
    if (e || !k->n)
        return e;
    e = add_last(c, k);
    if (!e && (k->sum_nusd > MONEY_MAX_NUSD || k->sum_nusd < -MONEY_MAX_NUSD))
        e = ERR_RANGE;
    if (!e)
        e = insert(c, k, &id);
    return e ? e : mark_rows(c, k, id);
}

enum err checkpoint_account(struct db *db, int64_t account_id, size_t *marked)
{
    struct checkpoint k = {.account_id = account_id};
    enum err e = db_transact(db, checkpoint_fn, &k);
    if (!e)
        *marked = k.n;
    return e;
}

/* ---- the tasks ---- */

/* Their rows come fast: the few accounts that spend now, by an index that has all it takes. */
static const char sql_busy[] =
    "SELECT a.account_id FROM (SELECT DISTINCT account_id FROM leases) a"
    " WHERE (SELECT COUNT(*) FROM ledger g WHERE g.account_id = a.account_id AND g.checkpoint_id IS"
    " NULL) > ? ORDER BY a.account_id LIMIT ?";
static const char sql_all[] =
    "SELECT account_id FROM ledger WHERE checkpoint_id IS NULL GROUP BY account_id"
    " HAVING COUNT(*) > ? OR MIN(created_at) < UTC_TIMESTAMP(3) - INTERVAL 1 DAY"
    " ORDER BY account_id LIMIT ?";

static enum err list_accounts(struct db *db, const char *sql, int64_t *ids, size_t *n)
{
    struct db_value v[] = {DB_INT(CHECKPOINT_ROWS), DB_INT(ACCOUNTS_MAX)};
    struct db_conn *c = NULL;
    struct db_stmt *s = NULL;
    *n = 0;
    enum err e = db_take(db, &c);
    if (!e)
        e = db_run(c, sql, v, COUNT(v), &s);
    while (!e && !(e = db_next(s)))
        ids[(*n)++] = db_col_i64(s, 0);
    db_give(db, c);
    return e == ERR_END ? ERR_OK : e;
}

/* Checkpoints until fewer rows are left than one takes. One that fails does not keep the others. */
static enum err finish_account(struct chore_run *r, int64_t account_id, size_t *rows)
{
    size_t marked = CHECKPOINT_ROWS;
    enum err e = ERR_OK;
    while (!e && marked == CHECKPOINT_ROWS) {
        e = chore_go_on(r);
        if (!e)
            e = checkpoint_account(r->db, account_id, &marked);
        if (!e)
            *rows += marked;
    }
    return e;
}

static enum err run(struct chore_run *r, const char *sql)
{
    int64_t *ids = calloc(ACCOUNTS_MAX, sizeof(*ids));
    size_t n = 0, rows = 0, done = 0;
    if (!ids)
        return ERR_MEMORY;
    enum err e = list_accounts(r->db, sql, ids, &n), last = ERR_OK;
    for (size_t i = 0; !e && i < n; i++) {
        e = chore_go_on(r);
        if (e)
            break;
        enum err one = finish_account(r, ids[i], &rows);
        if (one == ERR_DB_DOWN)
            e = one;
        else if (one && one != ERR_BUSY)
            last = one;
        else
            done++;
    }
    free(ids);
    if (rows)
        chore_say(r, "%zu accounts, %zu rows", done, rows);
    return e ? e : last;
}

enum err checkpoint_run_busy(struct chore_run *r)
{
    return run(r, sql_busy);
}

enum err checkpoint_run_all(struct chore_run *r)
{
    return run(r, sql_all);
}
