#include "db/db_impl.h"

#include "base/log.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* REPEATABLE READ would make each SELECT of a transaction see its beginning; leases and takes
 * need to see what is committed now. */
#define SESSION_SQL                                                                                \
    "SET NAMES utf8mb4, time_zone='+00:00',"                                                       \
    " sql_mode='STRICT_TRANS_TABLES,NO_ZERO_DATE,ERROR_FOR_DIVISION_BY_ZERO,"                      \
    "NO_ENGINE_SUBSTITUTION',"                                                                     \
    " tx_isolation='READ-COMMITTED', innodb_lock_wait_timeout=1, autocommit=1"

/* ---- opening ---- */

static unsigned whole_seconds(int64_t ms)
{
    return (unsigned)((ms + 999) / 1000); /* the library knows no shorter unit */
}

static void set_options(MYSQL *my, const struct db *db)
{
    unsigned connect_s = whole_seconds(db->config->db_timeout_ms);
    unsigned read_s = whole_seconds(db->read_timeout_ms);
    mysql_options(my, MYSQL_OPT_CONNECT_TIMEOUT, &connect_s);
    mysql_options(my, MYSQL_OPT_READ_TIMEOUT, &read_s);
    mysql_options(my, MYSQL_OPT_WRITE_TIMEOUT, &connect_s);
    mysql_options(my, MYSQL_SET_CHARSET_NAME, "utf8mb4");
    if (db->config->db_option_file[0])
        mysql_options(my, MYSQL_READ_DEFAULT_FILE, db->config->db_option_file);
    if (db->config->db_option_group[0])
        mysql_options(my, MYSQL_READ_DEFAULT_GROUP, db->config->db_option_group);
}

/* With several hosts the writer is sought: a replica's reads may be old, and keys and money are
 * decided by them. */
static bool is_read_only(MYSQL *my)
{
    if (mysql_query(my, "SELECT @@global.read_only"))
        return true;
    MYSQL_RES *r = mysql_store_result(my);
    MYSQL_ROW row = r ? mysql_fetch_row(r) : NULL;
    bool is = !row || !row[0] || row[0][0] != '0';
    mysql_free_result(r);
    return is;
}

struct db_conn *conn_open(struct db *db, size_t host, unsigned *no, char *text, size_t text_size)
{
    const struct db_host *h = &db->hosts[host];
    const my_bool off = 0;
    struct db_conn *c = calloc(1, sizeof(*c));
    MYSQL *my = mysql_init(NULL);
    if (!c || !my) {
        *no = 2008;
        snprintf(text, text_size, "out of memory");
        goto fail;
    }
    set_options(my, db);
    if (!mysql_real_connect(my, h->name, NULL, NULL, NULL, h->port, h->socket, 0))
        goto fail_my;
    mysql_options(my, MYSQL_OPT_RECONNECT, &off); /* an option file might have said otherwise */
    if (mysql_real_query(my, SESSION_SQL, sizeof(SESSION_SQL) - 1))
        goto fail_my;
    if (db->hosts_n > 1 && is_read_only(my)) {
        *no = 1290;
        snprintf(text, text_size, "the host is read-only");
        goto fail;
    }
    c->db = db;
    c->my = my;
    c->host = host;
    return c;
fail_my:
    *no = mysql_errno(my);
    snprintf(text, text_size, "%s", mysql_error(my));
fail:
    if (my)
        mysql_close(my);
    free(c);
    return NULL;
}

void conn_close(struct db_conn *c)
{
    for (size_t i = 0; i < DB_BUCKETS; i++) {
        while (c->buckets[i]) {
            struct db_stmt *s = c->buckets[i];
            c->buckets[i] = s->next;
            stmt_close(s);
        }
    }
    mysql_close(c->my);
    free(c->bulk);
    free(c);
}

bool conn_is_dead(const struct db_conn *c)
{
    struct pollfd p = {.fd = (int)mysql_get_socket(c->my), .events = POLLRDHUP};
    return poll(&p, 1, 0) > 0;
}

/* ---- what a failure means ---- */

static bool is_retry_errno(unsigned no)
{
    switch (no) {
    case 1020: /* the row has changed since it was read */
    case 1205: /* lock wait timeout: only the statement was rolled back */
    case 1213: /* deadlock: the whole transaction was */
    case 1317: /* somebody said KILL QUERY */
        return true;
    default:
        return false;
    }
}

static bool is_lost_errno(unsigned no)
{
    switch (no) {
    case 1047: /* Galera: this node is not ready */
    case 1053: /* the server shuts down */
    case 1290: /* read-only: the writer is elsewhere */
    case 1836:
    case 1927: /* the connection was killed */
    case 2014: /* out of step with the server; happens after a drop */
    case 2026: /* TLS */
    case 2027: /* malformed packet */
        return true;
    default:
        return no >= 2002 && no <= 2013 && no != 2008;
    }
}

static void conn_lose(struct db_conn *c, unsigned no)
{
    c->is_broken = true;
    c->txn = TXN_NONE;
    pool_lost(c->db, c, no);
}

/* The server has rolled back, at least the statement: the rest goes too, so that nothing of it
 * is committed by what follows. */
static void conn_abort(struct db_conn *c)
{
    if (c->txn != TXN_OPEN)
        return;
    c->txn = TXN_DEAD;
    if (mysql_real_query(c->my, "ROLLBACK", sizeof("ROLLBACK") - 1))
        conn_lose(c, mysql_errno(c->my));
}

enum err conn_fail(struct db_conn *c, unsigned no, const char *text, const char *what)
{
    c->last_errno = no;
    if (is_lost_errno(no)) {
        log_debug("db_down", "errno=%u error=%s sql=%.80s", no, text, what);
        conn_lose(c, no);
        return ERR_DB_DOWN;
    }
    if (is_retry_errno(no)) {
        log_debug("db_retry", "errno=%u sql=%.80s", no, what);
        conn_abort(c);
        return c->is_broken ? ERR_DB_DOWN : ERR_DB_RETRY;
    }
    if (no == 1062 || no == 1586)
        return ERR_DB_DUPLICATE;
    if (!c->is_quiet)
        log_error("db_error", "errno=%u error=%s sql=%.80s", no, text, what);
    return ERR_DB;
}

enum err conn_query(struct db_conn *c, const char *sql, size_t n)
{
    if (c->is_broken)
        return ERR_DB_DOWN;
    if (mysql_real_query(c->my, sql, n))
        return conn_fail(c, mysql_errno(c->my), mysql_error(c->my), sql);
    return ERR_OK;
}

uint64_t db_changed(const struct db_conn *c)
{
    return c->changed;
}

unsigned db_last_errno(const struct db_conn *c)
{
    return c->last_errno;
}

const char *db_last_text(const struct db_conn *c)
{
    return mysql_error(c->my);
}

/* ---- transactions ---- */

enum err db_begin(struct db_conn *c)
{
    static const char sql[] = "START TRANSACTION";
    if (c->txn != TXN_NONE)
        db_rollback(c);
    enum err e = conn_query(c, sql, sizeof(sql) - 1);
    if (!e)
        c->txn = TXN_OPEN;
    return e;
}

enum err db_begin_snapshot(struct db_conn *c)
{
    static const char sql_level[] =
        "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"; /* of the next transaction only */
    static const char sql[] = "START TRANSACTION WITH CONSISTENT SNAPSHOT";
    if (c->txn != TXN_NONE)
        db_rollback(c);
    enum err e = conn_query(c, sql_level, sizeof(sql_level) - 1);
    if (!e)
        e = conn_query(c, sql, sizeof(sql) - 1);
    if (!e)
        c->txn = TXN_OPEN;
    return e;
}

enum err db_commit(struct db_conn *c)
{
    static const char sql[] = "COMMIT";
    if (c->is_broken)
        return ERR_DB_DOWN; /* lost before COMMIT was sent */
    if (c->txn == TXN_DEAD) {
        c->txn = TXN_NONE;
        return ERR_DB_RETRY;
    }
    if (!mysql_real_query(c->my, sql, sizeof(sql) - 1)) {
        c->txn = TXN_NONE;
        return ERR_OK;
    }
    unsigned no = mysql_errno(c->my);
    c->last_errno = no;
    if (no == 1213 || no == 1205 || no == 1020) {
        conn_abort(c);
        c->txn = TXN_NONE;
        return ERR_DB_RETRY;
    }
    /* Sent, and not answered with a plain yes or no. */
    log_warn("db_commit_unknown", "errno=%u error=%s", no, mysql_error(c->my));
    if (is_lost_errno(no))
        conn_lose(c, no);
    c->is_broken = true;
    c->txn = TXN_NONE;
    return ERR_DB_UNKNOWN;
}

void db_rollback(struct db_conn *c)
{
    static const char sql[] = "ROLLBACK";
    bool is_open = c->txn == TXN_OPEN;
    c->txn = TXN_NONE;
    if (!is_open || c->is_broken)
        return;
    if (mysql_real_query(c->my, sql, sizeof(sql) - 1)) {
        unsigned no = mysql_errno(c->my);
        if (is_lost_errno(no))
            conn_lose(c, no);
        c->is_broken = true;
    }
}
