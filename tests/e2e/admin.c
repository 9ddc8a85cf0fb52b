#include "tests/e2e/admin.h"

#include "tests/e2e/stack.h"

#include <inttypes.h>
#include <mysql.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

enum { RING_TEXTS = 16, RING_SIZE = 8192, QUERY_MAX = 16384, TIMEOUT_S = 5 };

static char db_socket[SPAWN_PATH_MAX];
static char db_user[64];
static char db_name[64];
static MYSQL *connection;
static pid_t connection_owner;

void admin_connect_to(const char *socket, const char *user, const char *database)
{
    snprintf(db_socket, sizeof(db_socket), "%s", socket);
    snprintf(db_user, sizeof(db_user), "%s", user);
    snprintf(db_name, sizeof(db_name), "%s", database);
    connection_owner = 0;
}

static void disconnect(void)
{
    if (connection != NULL && connection_owner == getpid())
        mysql_close(connection);
    connection = NULL;
}

/* The handle of a parent is left alone: closing it would end the parent's session. */
static bool connect_once(void)
{
    unsigned seconds = TIMEOUT_S;
    if (connection != NULL && connection_owner == getpid())
        return true;
    connection = mysql_init(NULL);
    if (connection == NULL)
        return false;
    connection_owner = getpid();
    mysql_options(connection, MYSQL_OPT_CONNECT_TIMEOUT, &seconds);
    mysql_options(connection, MYSQL_OPT_READ_TIMEOUT, &seconds);
    mysql_options(connection, MYSQL_OPT_WRITE_TIMEOUT, &seconds);
    return mysql_real_connect(connection, NULL, db_user, NULL, db_name, 0, db_socket, 0) != NULL;
}

static bool run(const char *query)
{
    if (!connect_once() || mysql_query(connection, query) != 0) {
        unsigned number = connection != NULL ? mysql_errno(connection) : 0;
        if (number < 2000) /* the server's own answer */
            return false;
        disconnect();
        if (!connect_once() || mysql_query(connection, query) != 0)
            return false;
    }
    return true;
}

static const char *fault(void)
{
    return connection != NULL ? mysql_error(connection) : "out of memory";
}

#define FORMAT_QUERY(query, fmt)                                                                   \
    do {                                                                                           \
        va_list args;                                                                              \
        va_start(args, fmt);                                                                       \
        int query_n = vsnprintf(query, sizeof(query), fmt, args);                                  \
        va_end(args);                                                                              \
        if (query_n < 0 || (size_t)query_n >= sizeof(query))                                       \
            stack_fail("a statement is too long: %.80s", fmt);                                     \
    } while (0)

void sql_run(const char *fmt, ...)
{
    static char query[QUERY_MAX];
    FORMAT_QUERY(query, fmt);
    if (!run(query))
        stack_fail("SQL: %s: %s", fault(), query);
    MYSQL_RES *result = mysql_store_result(connection);
    mysql_free_result(result);
}

static const char *ask(const char *query)
{
    static char ring[RING_TEXTS][RING_SIZE];
    static unsigned next;
    char *text = ring[next++ % RING_TEXTS];
    if (!run(query))
        stack_fail("SQL: %s: %s", fault(), query);
    MYSQL_RES *result = mysql_store_result(connection);
    MYSQL_ROW row = result != NULL ? mysql_fetch_row(result) : NULL;
    text[0] = 0;
    if (row != NULL)
        snprintf(text, RING_SIZE, "%s", row[0] != NULL ? row[0] : "NULL");
    mysql_free_result(result);
    return text;
}

int64_t sql_int(const char *fmt, ...)
{
    static char query[QUERY_MAX];
    FORMAT_QUERY(query, fmt);
    return strtoll(ask(query), NULL, 10);
}

const char *sql_text(const char *fmt, ...)
{
    static char query[QUERY_MAX];
    FORMAT_QUERY(query, fmt);
    return ask(query);
}

static int64_t last_id(void)
{
    return (int64_t)mysql_insert_id(connection);
}

int64_t key_new(int64_t account_id, char *key)
{
    uint64_t bits[2];
    if (getrandom(bits, sizeof(bits), 0) != (ssize_t)sizeof(bits))
        stack_fail("getrandom");
    snprintf(key, ADMIN_KEY_SIZE, "sk-aip-e2e-%016" PRIx64 "%016" PRIx64, bits[0], bits[1]);
    sql_run("INSERT INTO api_keys (name, account_id, key_hash, key_hint) VALUES "
            "('e2e', %" PRId64 ", UNHEX(SHA2('%s', 256)), '%.10s...%s')",
            account_id, key, key, key + strlen(key) - 4);
    return last_id();
}

struct customer customer_new(const char *usd)
{
    static unsigned count;
    struct customer c = {0};
    snprintf(c.name, sizeof(c.name), "c-%d-%u", (int)getpid(), ++count);
    sql_run("INSERT INTO accounts (name) VALUES ('%s')", c.name);
    c.account_id = last_id();
    if (usd != NULL && strtod(usd, NULL) > 0)
        sql_run("INSERT INTO ledger (account_id, kind, amount, reference) VALUES "
                "(%" PRId64 ", 'recharge', %s, 'e2e:%s')",
                c.account_id, usd, c.name);
    c.key_id = key_new(c.account_id, c.key);
    return c;
}

int64_t model_new(const char *name, const char *input_usd, const char *output_usd)
{
    sql_run("INSERT INTO models (name) VALUES ('%s')", name);
    int64_t id = last_id();
    sql_run("INSERT INTO prices (model_id, unit, amount) VALUES (%" PRId64 ", 'input_token', %s), "
            "(%" PRId64 ", 'output_token', %s)",
            id, input_usd, id, output_usd);
    return id;
}

int64_t channel_new(const char *name, const char *provider, int port, int priority)
{
    sql_run("INSERT INTO channels (name, provider, base_url, priority, allow_private) VALUES "
            "('%s', '%s', 'http://127.0.0.1:%d/v1', %d, TRUE)",
            name, provider, port, priority);
    int64_t id = last_id();
    sql_run("INSERT INTO channel_keys (channel_id, secret) VALUES (%" PRId64 ", 'provider-key-%s')",
            id, name);
    return id;
}

void channel_serves(int64_t channel_id, int64_t model_id, const char *upstream_name)
{
    if (upstream_name == NULL)
        sql_run("INSERT INTO channel_models (channel_id, model_id) VALUES (%" PRId64 ", %" PRId64
                ")",
                channel_id, model_id);
    else
        sql_run("INSERT INTO channel_models (channel_id, model_id, upstream_name) VALUES "
                "(%" PRId64 ", %" PRId64 ", '%s')",
                channel_id, model_id, upstream_name);
}
