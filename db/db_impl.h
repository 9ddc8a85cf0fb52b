/* db_impl - what db.c (the pool), db_conn.c (one connection), db_stmt.c (statements) and
 * db_script.c share. Nobody else includes it. */
#ifndef AIPASS_DB_DB_IMPL_H
#define AIPASS_DB_DB_IMPL_H

#include "db/db.h"

#include <mysql.h>
#include <pthread.h>
#include <stdatomic.h>

#define DB_PARAMS_MAX 96 /* parameters of one statement */
#define DB_BUCKETS    64 /* power of two; a process has about that many statements */
#define DB_HOSTS_MAX  16
#define DB_MONEY_SIZE 24 /* DECIMAL text of one parameter */

enum txn_state {
    TXN_NONE,
    TXN_OPEN,
    /* Rolled back by the server while the caller believes it open: nothing runs until it ends. */
    TXN_DEAD,
};

struct db_column {
    MYSQL_BIND *bind; /* in db_stmt.binds */
    unsigned long n;  /* bytes of the current value */
    my_bool is_null;
    my_bool is_cut;
    bool is_integer;
    int64_t i64;
    char *p; /* cap bytes; for all but integers */
    size_t cap;
};

struct db_stmt {
    struct db_stmt *next; /* in its bucket */
    struct db_conn *conn;
    const char *sql;
    MYSQL_STMT *st;
    unsigned params_n;
    unsigned columns_n;
    struct db_column *columns;
    MYSQL_BIND *binds;
    bool has_result; /* buffered rows are held */
};

struct db_conn {
    struct db_conn *next_idle;
    struct db *db;
    MYSQL *my;
    uint64_t epoch; /* of the pool when it was opened; an older one is closed instead of reused */
    size_t host;    /* index into db->hosts */
    int64_t idle_since_ms;
    enum txn_state txn;
    bool is_broken; /* lost: every call fails until db_give closes it */
    bool is_quiet;  /* the caller tells of failures himself: a script */
    uint64_t changed;
    unsigned last_errno;
    struct db_stmt *buckets[DB_BUCKETS];
    MYSQL_BIND params[DB_PARAMS_MAX]; /* of the statement that runs now */
    char money[DB_PARAMS_MAX][DB_MONEY_SIZE];
    char *bulk; /* columns of db_run_bulk; grows */
    size_t bulk_cap;
};

struct db_host {
    char *name;   /* NULL: as in the option file */
    char *socket; /* NULL: TCP, or as in the option file */
    unsigned port;
};

struct db {
    const struct config *config;
    struct db_host hosts[DB_HOSTS_MAX];
    size_t hosts_n;
    int64_t read_timeout_ms;
    _Atomic uint64_t generation;
    atomic_bool is_down; /* written under lock */

    pthread_mutex_t lock;
    pthread_cond_t changed; /* a connection came back, or an outage began or ended */
    /* under lock: */
    struct db_conn *idle;  /* last used first */
    int64_t open_n;        /* idle, out and being opened */
    int64_t grow_after_ms; /* the server refused one more connection: none is opened before */
    size_t host_at;        /* where the next connection goes first */
    uint64_t epoch; /* grows when a connection was lost: those opened before are not trusted */
    uint64_t connected_epoch;
    bool is_probing;
    int64_t probe_ms; /* when the last probe began */
    unsigned probes_failed;
};

/* conn_open - connects to one host and sets the session up. NULL with the number in *no (logged
 * by the caller) and its text. */
struct db_conn *conn_open(struct db *db, size_t host, unsigned *no, char *text, size_t text_size);
/* conn_close - closes statements and connection without waiting for the server. */
void conn_close(struct db_conn *c);
/* conn_is_dead - an idle connection whose server has closed it. */
bool conn_is_dead(const struct db_conn *c);
/* conn_fail - what a failed call means: sets last_errno, marks the connection or the pool, logs.
 * what: the SQL, for the log. */
enum err conn_fail(struct db_conn *c, unsigned no, const char *text, const char *what);
/* conn_query - a fixed text without parameters and rows (BEGIN, COMMIT...). */
enum err conn_query(struct db_conn *c, const char *sql, size_t n);

/* stmt_close - frees a statement that is out of its bucket. */
void stmt_close(struct db_stmt *s);

/* pool_lost - c was lost: an outage begins, unless c is older than the last one. */
void pool_lost(struct db *db, const struct db_conn *c, unsigned no);

#endif
