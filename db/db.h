/* db - connections to MariaDB: a pool opened on need, one outage state for the process, and the
 * only place that calls libmariadb.
 *
 * A connection belongs to one thread between db_take and db_give and is never held while a
 * provider is awaited. Every connection sets time_zone '+00:00', strict sql_mode, READ
 * COMMITTED, innodb_lock_wait_timeout=1 and client timeouts; it never reconnects by itself.
 * Statements are prepared once per connection and found by the address of their text: pass
 * static strings only. After a timeout or a lost connection the database counts as down: db_take
 * fails at once with ERR_DB_DOWN until a probe (one thread at a time, every 250 ms, while
 * anybody asks) has succeeded. */
#ifndef AIPASS_DB_DB_H
#define AIPASS_DB_DB_H

#include "base/config.h"
#include "base/err.h"
#include "base/str.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct db;      /* the pool; any thread */
struct db_conn; /* one connection; one thread */
struct db_stmt; /* one prepared statement of a connection, with its current result */

/* db_new - reads nothing and connects to nothing; borrows config until db_free. hosts are tried
 * in order, the writer first. NULL: no memory. */
struct db *db_new(const struct config *config);
/* db_free - closes all; no connection may be out. */
void db_free(struct db *db);

/* db_set_read_timeout - how long one statement may take, instead of db_timeout_ms: for
 * migrations. Before the first db_take. */
void db_set_read_timeout(struct db *db, int64_t ms);

/* db_take - a live connection. ERR_DB_DOWN at once while the database counts as down; ERR_BUSY
 * when none came free within db_timeout_ms. */
ERR_CHECK enum err db_take(struct db *db, struct db_conn **out);
/* db_give - back to the pool; a connection that failed is closed. An open transaction is rolled
 * back. NULL is allowed. */
void db_give(struct db *db, struct db_conn *c);
/* db_tidy - closes connections that have idled for db_idle_ms. Called each second by upkeep;
 * false: none is open. */
bool db_tidy(struct db *db);
/* db_is_down - as the last attempt saw it. db_generation - counts reconnects after an outage or
 * failover: grows when a new connection is made. */
bool db_is_down(const struct db *db);
uint64_t db_generation(const struct db *db);

/* Parameters and columns. Text and blob parameters are borrowed until db_run returns. Money
 * travels as DECIMAL text. */
enum db_type { DB_NULL, DB_I64, DB_TEXT, DB_BLOB, DB_MONEY };
struct db_value {
    enum db_type type;
    int64_t i64;        /* DB_I64; nano-USD for DB_MONEY */
    struct slice bytes; /* DB_TEXT, DB_BLOB */
};
#define DB_INT(v)   ((struct db_value){.type = DB_I64, .i64 = (int64_t)(v)})
#define DB_STR(s)   ((struct db_value){.type = DB_TEXT, .bytes = (s)})
#define DB_STRZ(z)  ((struct db_value){.type = DB_TEXT, .bytes = slice_of(z)})
#define DB_BYTES(s) ((struct db_value){.type = DB_BLOB, .bytes = (s)})
#define DB_NUSD(v)  ((struct db_value){.type = DB_MONEY, .i64 = (v)})
#define DB_NONE     ((struct db_value){.type = DB_NULL})

/* db_run - executes a static SQL text with its parameters. *stmt (may be NULL when no rows are
 * wanted) iterates the rows, which are buffered. Errors: ERR_DB_RETRY (1213, 1205, 1020; the
 * transaction is rolled back), ERR_DB_DOWN (nothing was committed by it: use transactions for
 * writes), ERR_DB_DUPLICATE, ERR_DB (logged with its number; a transaction is still open for
 * constraint errors). Blocks up to db_timeout_ms. */
ERR_CHECK enum err db_run(struct db_conn *c, const char *sql, const struct db_value *params,
                          size_t n, struct db_stmt **stmt);
/* db_run_bulk - one statement for many rows of parameters (rows x n values, row after row) in
 * one round trip. */
ERR_CHECK enum err db_run_bulk(struct db_conn *c, const char *sql, const struct db_value *params,
                               size_t n, size_t rows);
/* db_changed - rows changed by the last db_run of c (matched rows are not counted as changed);
 * for a SELECT, the rows of its result. db_last_errno - MariaDB's number of the last failure. */
uint64_t db_changed(const struct db_conn *c);
unsigned db_last_errno(const struct db_conn *c);

/* db_next - the next row: ERR_OK, ERR_END (the result is closed). The columns stay valid until
 * the next db_next or db_run of that text. */
ERR_CHECK enum err db_next(struct db_stmt *s);
bool db_col_is_null(const struct db_stmt *s, size_t col);
int64_t db_col_i64(const struct db_stmt *s, size_t col);       /* 0 for NULL */
struct slice db_col_text(const struct db_stmt *s, size_t col); /* p NULL for NULL */
int64_t
db_col_nusd(const struct db_stmt *s,
            size_t col); /* DECIMAL to nano-USD, exact; asserts on a value outside DECIMAL(18,9) */

/* db_begin, db_commit, db_rollback - explicit transactions. db_commit: ERR_DB_UNKNOWN when
 * COMMIT was sent and no answer came (the connection is closed by db_give); ERR_DB_RETRY when it
 * was refused and rolled back (Galera certification). db_rollback never fails: it closes what it
 * cannot roll back. */
ERR_CHECK enum err db_begin(struct db_conn *c);
/* db_begin_snapshot - REPEATABLE READ for this one transaction: all its reads see one moment. */
ERR_CHECK enum err db_begin_snapshot(struct db_conn *c);
ERR_CHECK enum err db_commit(struct db_conn *c);
void db_rollback(struct db_conn *c);

/* db_transact - takes a connection, BEGIN, fn, COMMIT; on ERR_DB_RETRY all again, up to 5 times
 * with 5 to 80 ms of jitter. fn returns ERR_OK to commit, anything else rolls back and is
 * returned. ERR_DB_DOWN, ERR_DB_UNKNOWN as above. */
typedef enum err db_fn(struct db_conn *c, void *arg);
ERR_CHECK enum err db_transact(struct db *db, db_fn *fn, void *arg);

/* db_exec_script - runs a whole SQL file (several statements, no DELIMITER): for migrations
 * only. ERR_DB with *failed_at: the statement's text (caller frees); not logged: db_last_text -
 * MariaDB's words, valid until the next call on c. */
const char *db_last_text(const struct db_conn *c);
ERR_CHECK enum err db_exec_script(struct db_conn *c, const char *sql, char **failed_at);

#endif
