#include "db/db.h"

#include "base/clock.h"
#include "tests/unit/db_kit.h"

#include <check.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static struct mariadb shared; /* one server for most tests */
static struct mariadb own;    /* for a test that kills or freezes it */
static struct mariadb *server = &shared;

static const char sql_create[] = "CREATE TABLE t (id INT PRIMARY KEY, n BIGINT) ENGINE=InnoDB";

static struct db_conn *take_with_table(struct db *db)
{
    return db_kit_take_with(server, db, sql_create);
}

/* ---- transactions ---- */

START_TEST(given_back_inside_a_transaction_rolls_back)
{
    struct db *db = db_kit_open(server);
    struct db_conn *c = take_with_table(db);
    ck_assert_int_eq(db_begin(c), ERR_OK);
    ck_assert_int_eq(db_run(c, "INSERT INTO t (id) VALUES (1)", NULL, 0, NULL), ERR_OK);
    db_give(db, c);
    c = db_kit_take(db);
    ck_assert_int_eq(db_run(c, "INSERT INTO t (id) VALUES (2)", NULL, 0, NULL), ERR_OK);
    ck_assert_int_eq(mariadb_number(server, "SELECT COUNT(*) FROM t"), 1);
    db_give(db, c);
    db_free(db);
}
END_TEST

START_TEST(a_snapshot_sees_one_moment_and_leaves_the_next_transaction_alone)
{
    static const char sql[] = "SELECT COUNT(*) FROM t";
    struct db *db = db_kit_open(server);
    struct db_conn *c = take_with_table(db);
    struct db_stmt *s = NULL;
    for (int round = 0; round < 2; round++) {
        ck_assert_int_eq(round ? db_begin(c) : db_begin_snapshot(c), ERR_OK);
        ck_assert_int_eq(db_run(c, sql, NULL, 0, &s), ERR_OK);
        ck_assert_int_eq(db_next(s), ERR_OK);
        ck_assert_int_eq(db_col_i64(s, 0), round);
        mariadb_exec(server, "INSERT INTO t (id) VALUES (%d)", round);
        ck_assert_int_eq(db_run(c, sql, NULL, 0, &s), ERR_OK);
        ck_assert_int_eq(db_next(s), ERR_OK);
        ck_assert_int_eq(db_col_i64(s, 0), round ? 2 : 0);
        ck_assert_int_eq(db_commit(c), ERR_OK);
    }
    db_give(db, c);
    db_free(db);
}
END_TEST

START_TEST(a_lock_timeout_rolls_all_back_and_blocks_the_rest_of_the_transaction)
{
    static const char sql_first[] = "INSERT INTO t (id) VALUES (100)";
    static const char sql_locked[] = "UPDATE t SET n = 2 WHERE id = 1";
    struct db *db = db_kit_open(server);
    struct db_conn *c = take_with_table(db);
    mariadb_exec(server, "INSERT INTO t (id, n) VALUES (1, 1)");
    mariadb_exec(server, "BEGIN; UPDATE t SET n = 5 WHERE id = 1");
    ck_assert_int_eq(db_begin(c), ERR_OK);
    ck_assert_int_eq(db_run(c, sql_first, NULL, 0, NULL), ERR_OK);
    ck_assert_int_eq(db_run(c, sql_locked, NULL, 0, NULL), ERR_DB_RETRY);
    ck_assert_uint_eq(db_last_errno(c), 1205);
    mariadb_exec(server, "ROLLBACK");
    /* Whoever goes on regardless writes nothing that would be committed alone. */
    ck_assert_int_eq(db_run(c, sql_locked, NULL, 0, NULL), ERR_DB_RETRY);
    ck_assert_int_eq(db_commit(c), ERR_DB_RETRY);
    ck_assert_int_eq(mariadb_number(server, "SELECT COUNT(*) FROM t"), 1);
    ck_assert_int_eq(mariadb_number(server, "SELECT n FROM t"), 1);
    ck_assert_int_eq(db_begin(c), ERR_OK);
    ck_assert_int_eq(db_run(c, sql_locked, NULL, 0, NULL), ERR_OK);
    ck_assert_int_eq(db_commit(c), ERR_OK);
    ck_assert(!db_is_down(db));
    db_give(db, c);
    db_free(db);
}
END_TEST

/* Two transactions that update two rows in opposite order, in step, so that one of them is a
 * deadlock's victim at its first try. */
struct pair {
    struct db *db;
    pthread_barrier_t *in_step;
    const char *first, *second;
    int tries;
    enum err result;
};

static enum err update_both(struct db_conn *c, void *arg)
{
    struct pair *p = arg;
    enum err e = db_run(c, p->first, NULL, 0, NULL);
    if (p->tries++ == 0)
        pthread_barrier_wait(p->in_step);
    return e ? e : db_run(c, p->second, NULL, 0, NULL);
}

static void *pair_main(void *arg)
{
    struct pair *p = arg;
    p->result = db_transact(p->db, update_both, p);
    return NULL;
}

START_TEST(a_deadlock_is_retried_until_both_are_through)
{
    static const char sql_a[] = "UPDATE t SET n = n + 1 WHERE id = 1";
    static const char sql_b[] = "UPDATE t SET n = n + 1 WHERE id = 2";
    struct db *db = db_kit_open(server);
    pthread_barrier_t in_step;
    pthread_barrier_init(&in_step, NULL, 2);
    db_give(db, take_with_table(db));
    mariadb_exec(server, "INSERT INTO t (id, n) VALUES (1, 0), (2, 0)");
    struct pair a = {.db = db, .in_step = &in_step, .first = sql_a, .second = sql_b};
    struct pair b = {.db = db, .in_step = &in_step, .first = sql_b, .second = sql_a};
    pthread_t ta, tb;
    pthread_create(&ta, NULL, pair_main, &a);
    pthread_create(&tb, NULL, pair_main, &b);
    pthread_join(ta, NULL);
    pthread_join(tb, NULL);
    ck_assert_int_eq(a.result, ERR_OK);
    ck_assert_int_eq(b.result, ERR_OK);
    ck_assert_int_eq(a.tries + b.tries, 3);
    ck_assert_int_eq(mariadb_number(server, "SELECT SUM(n) FROM t"), 4);
    pthread_barrier_destroy(&in_step);
    db_free(db);
}
END_TEST

static enum err retry_always(struct db_conn *c, void *arg)
{
    (void)c;
    ++*(int *)arg;
    return ERR_DB_RETRY;
}

static enum err refuse(struct db_conn *c, void *arg)
{
    (void)arg;
    enum err e = db_run(c, "INSERT INTO t (id) VALUES (1)", NULL, 0, NULL);
    return e ? e : ERR_NO_FUNDS;
}

START_TEST(transact_gives_up_after_five_tries_and_rolls_back_what_fn_refuses)
{
    int tries = 0;
    struct db *db = db_kit_open(server);
    db_give(db, take_with_table(db));
    ck_assert_int_eq(db_transact(db, retry_always, &tries), ERR_DB_RETRY);
    ck_assert_int_eq(tries, 5);
    ck_assert_int_eq(db_transact(db, refuse, NULL), ERR_NO_FUNDS);
    ck_assert_int_eq(mariadb_number(server, "SELECT COUNT(*) FROM t"), 0);
    db_free(db);
}
END_TEST

/* ---- the pool ---- */

START_TEST(more_takers_than_connections_wait_and_the_late_one_is_busy)
{
    struct db *db = db_kit_open(server);
    mariadb_empty(server);
    server->config->db_connections_max = 2;
    server->config->db_timeout_ms = 200;
    struct db_conn *a = db_kit_take(db), *b = db_kit_take(db), *c = NULL;
    int64_t t = clock_mono_ms();
    ck_assert_int_eq(db_take(db, &c), ERR_BUSY);
    t = clock_mono_ms() - t;
    ck_assert_int_ge(t, 190);
    ck_assert_int_le(t, 1500);
    ck_assert(!db_is_down(db));
    db_give(db, a);
    ck_assert_int_eq(db_take(db, &c), ERR_OK);
    ck_assert_ptr_eq(c, a);
    db_give(db, b);
    db_give(db, c);
    db_free(db);
    server->config->db_connections_max = 4;
    server->config->db_timeout_ms = 2000;
}
END_TEST

static void *take_often(void *arg)
{
    struct db *db = arg;
    for (int i = 0; i < 50; i++) {
        struct db_conn *c = NULL;
        if (db_take(db, &c) || db_run(c, "SELECT 1", NULL, 0, NULL))
            abort();
        db_give(db, c);
    }
    return NULL;
}

START_TEST(thirty_threads_share_four_connections)
{
    pthread_t threads[30];
    struct db *db = db_kit_open(server);
    mariadb_empty(server);
    long long before =
        mariadb_number(server, "SELECT VARIABLE_VALUE FROM information_schema.GLOBAL_STATUS WHERE "
                               "VARIABLE_NAME = 'CONNECTIONS'");
    for (int i = 0; i < 30; i++)
        pthread_create(&threads[i], NULL, take_often, db);
    for (int i = 0; i < 30; i++)
        pthread_join(threads[i], NULL);
    long long after =
        mariadb_number(server, "SELECT VARIABLE_VALUE FROM information_schema.GLOBAL_STATUS WHERE "
                               "VARIABLE_NAME = 'CONNECTIONS'");
    ck_assert_int_le(after - before, 4);
    db_free(db);
}
END_TEST

START_TEST(idle_connections_are_closed)
{
    struct db *db = db_kit_open(server);
    mariadb_empty(server);
    server->config->db_idle_ms = 50;
    db_give(db, db_kit_take(db));
    ck_assert(db_tidy(db));
    usleep(80000);
    ck_assert(!db_tidy(db));
    server->config->db_idle_ms = 10000;
    db_free(db);
}
END_TEST

START_TEST(a_killed_idle_connection_is_replaced_unseen_and_counts_as_a_new_generation)
{
    static const char sql[] = "SELECT CONNECTION_ID()";
    struct db *db = db_kit_open(server);
    mariadb_empty(server);
    struct db_conn *c = db_kit_take(db);
    struct db_stmt *s = NULL;
    ck_assert_uint_eq(db_generation(db), 1);
    ck_assert_int_eq(db_run(c, sql, NULL, 0, &s), ERR_OK);
    ck_assert_int_eq(db_next(s), ERR_OK);
    long long id = db_col_i64(s, 0);
    db_give(db, c);
    mariadb_exec(server, "KILL %lld", id);
    usleep(100000);
    c = db_kit_take(db);
    ck_assert_int_eq(db_run(c, sql, NULL, 0, &s), ERR_OK);
    ck_assert_uint_eq(db_generation(db), 2);
    db_give(db, c);
    db_free(db);
}
END_TEST

START_TEST(a_connection_killed_in_use_is_down_for_one_call_only)
{
    static const char sql[] = "SELECT CONNECTION_ID()";
    struct db *db = db_kit_open(server);
    mariadb_empty(server);
    struct db_conn *c = db_kit_take(db);
    struct db_stmt *s = NULL;
    ck_assert_int_eq(db_run(c, sql, NULL, 0, &s), ERR_OK);
    ck_assert_int_eq(db_next(s), ERR_OK);
    mariadb_exec(server, "KILL %lld", (long long)db_col_i64(s, 0));
    ck_assert_int_eq(db_run(c, sql, NULL, 0, &s), ERR_DB_DOWN);
    ck_assert_int_eq(db_run(c, sql, NULL, 0, &s), ERR_DB_DOWN);
    ck_assert_int_eq(db_begin(c), ERR_DB_DOWN);
    ck_assert_int_eq(db_commit(c), ERR_DB_DOWN);
    ck_assert(db_is_down(db));
    db_give(db, c);
    c = db_kit_take(db);
    ck_assert(!db_is_down(db));
    ck_assert_uint_eq(db_generation(db), 2);
    ck_assert_int_eq(db_run(c, sql, NULL, 0, &s), ERR_OK);
    db_give(db, c);
    db_free(db);
}
END_TEST

START_TEST(a_connection_lost_before_commit_is_down_and_nothing_was_written)
{
    static const char sql[] = "INSERT INTO t (id, n) VALUES (1, CONNECTION_ID())";
    struct db *db = db_kit_open(server);
    struct db_conn *c = take_with_table(db);
    ck_assert_int_eq(db_begin(c), ERR_OK);
    ck_assert_int_eq(db_run(c, sql, NULL, 0, NULL), ERR_OK);
    mariadb_exec(server, "SET SESSION TRANSACTION ISOLATION LEVEL READ UNCOMMITTED");
    mariadb_exec(server, "KILL %lld", mariadb_number(server, "SELECT n FROM t"));
    ck_assert_int_eq(db_run(c, sql, NULL, 0, NULL), ERR_DB_DOWN);
    ck_assert_int_eq(db_commit(c), ERR_DB_DOWN);
    db_give(db, c);
    /* The server may still be undoing it. */
    mariadb_exec(server, "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED");
    ck_assert_int_eq(mariadb_number(server, "SELECT COUNT(*) FROM t"), 0);
    db_free(db);
}
END_TEST

START_TEST(hosts_that_do_not_answer_are_passed_over)
{
    char *was = server->config->db_hosts;
    char hosts[512];
    mariadb_empty(server);
    ck_assert_ptr_nonnull(server->socket);
    snprintf(hosts, sizeof(hosts), "/nowhere/a.sock, 127.0.0.1:1 ,%s", server->socket);
    server->config->db_hosts = hosts;
    struct db *db = db_kit_open(server);
    struct db_conn *c = db_kit_take(db);
    ck_assert_int_eq(db_run(c, "SELECT 1", NULL, 0, NULL), ERR_OK);
    db_give(db, c);
    db_free(db);
    server->config->db_hosts = was;
}
END_TEST

START_TEST(among_several_hosts_a_read_only_one_is_not_taken)
{
    char *was = server->config->db_hosts;
    char hosts[512];
    mariadb_empty(server);
    snprintf(hosts, sizeof(hosts), "%s,/nowhere/a.sock", server->socket);
    server->config->db_hosts = hosts;
    struct db *db = db_kit_open(server);
    struct db_conn *c = NULL;
    mariadb_exec(server, "SET GLOBAL read_only = 1");
    ck_assert_int_eq(db_take(db, &c), ERR_DB_DOWN);
    ck_assert(db_is_down(db));
    mariadb_exec(server, "SET GLOBAL read_only = 0");
    usleep(260000);
    db_give(db, db_kit_take(db));
    db_free(db);
    server->config->db_hosts = was;
}
END_TEST

START_TEST(a_script_runs_each_statement_and_tells_which_failed)
{
    char *failed = NULL;
    struct db *db = db_kit_open(server);
    mariadb_empty(server);
    struct db_conn *c = db_kit_take(db);
    ck_assert_int_eq(
        db_exec_script(c,
                       "-- a; comment\nCREATE TABLE a (x VARCHAR(9) COMMENT 'it''s; \\'') ;\n/* ; "
                       "*/ INSERT INTO a VALUES (';'), (\"--\");# end;\n SELECT 1;\n",
                       &failed),
        ERR_OK);
    ck_assert_ptr_null(failed);
    ck_assert_int_eq(mariadb_number(server, "SELECT COUNT(*) FROM a WHERE x IN (';', '--')"), 2);
    ck_assert_int_eq(
        db_exec_script(c, "DELETE FROM a; INSERT INTO b VALUES (1); DROP TABLE a", &failed),
        ERR_DB);
    ck_assert_str_eq(failed, "INSERT INTO b VALUES (1)");
    free(failed);
    ck_assert_int_eq(mariadb_number(server, "SELECT COUNT(*) FROM a"), 0);
    db_give(db, c);
    db_free(db);
}
END_TEST

START_TEST(a_write_on_a_host_that_became_read_only_counts_as_lost)
{
    static const char sql[] = "INSERT INTO t (id) VALUES (1)";
    struct db *db = db_kit_open(server);
    db_give(db, take_with_table(db));
    mariadb_use_limited(server, "SELECT, INSERT");
    struct db *limited = db_kit_open(server);
    struct db_conn *c = db_kit_take(limited);
    mariadb_exec(server, "SET GLOBAL read_only = 1");
    ck_assert_int_eq(db_run(c, sql, NULL, 0, NULL), ERR_DB_DOWN);
    ck_assert_uint_eq(db_last_errno(c), 1290);
    ck_assert(db_is_down(limited));
    mariadb_exec(server, "SET GLOBAL read_only = 0");
    db_give(limited, c);
    c = db_kit_take(limited);
    ck_assert_int_eq(db_run(c, sql, NULL, 0, NULL), ERR_OK);
    db_give(limited, c);
    db_free(limited);
    db_free(db);
}
END_TEST

START_TEST(at_the_servers_limit_of_connections_one_waits_for_ours)
{
    mariadb_empty(server);
    mariadb_use_limited(server, "SELECT");
    mariadb_exec(server, "ALTER USER limited@localhost WITH MAX_USER_CONNECTIONS 2");
    server->config->db_timeout_ms = 300;
    struct db *db = db_kit_open(server);
    struct db_conn *a = db_kit_take(db), *b = db_kit_take(db), *c = NULL;
    ck_assert_int_eq(db_take(db, &c), ERR_BUSY);
    ck_assert(!db_is_down(db));
    db_give(db, a);
    c = db_kit_take(db);
    ck_assert_ptr_eq(c, a);
    struct db *other =
        db_kit_open(server); /* another process, which has none of its own to wait for */
    ck_assert_int_eq(db_take(other, &a), ERR_DB_DOWN);
    db_give(db, b);
    db_give(db, c);
    db_free(other);
    db_free(db);
    server->config->db_timeout_ms = 2000;
}
END_TEST

/* ---- outages ---- */

static void own_server(void)
{
    mariadb_start_own(&own);
    server = &own;
}

static void own_server_ends(void)
{
    mariadb_stop(&own);
}

static enum err timed_take(struct db *db, int64_t *ms)
{
    struct db_conn *c = NULL;
    int64_t t = clock_mono_ms();
    enum err e = db_take(db, &c);
    *ms = clock_mono_ms() - t;
    db_give(db, c);
    return e;
}

/* Asks as a busy process would, until the database is up again. */
static void recovers_within(struct db *db, int64_t ms)
{
    int64_t end = clock_mono_ms() + ms, took = 0;
    while (timed_take(db, &took)) {
        ck_assert_int_lt(clock_mono_ms(), end);
        usleep(10000);
    }
}

START_TEST(a_dead_server_fails_at_once_and_is_found_again)
{
    int64_t ms = 0;
    struct db *db = db_kit_open(server);
    mariadb_empty(server);
    struct db_conn *c = db_kit_take(db);
    mariadb_kill(server);
    ck_assert_int_eq(db_run(c, "SELECT 1", NULL, 0, NULL), ERR_DB_DOWN);
    db_give(db, c);
    for (int i = 0; i < 100; i++) {
        ck_assert_int_eq(timed_take(db, &ms), ERR_DB_DOWN);
        ck_assert_int_lt(ms, 100);
    }
    uint64_t generation = db_generation(db);
    mariadb_restart(server);
    recovers_within(db, 1000);
    ck_assert_uint_eq(db_generation(db), generation + 1);
    db_free(db);
}
END_TEST

struct asker {
    struct db *db;
    int64_t longest_ms;
    int slow; /* calls above 100 ms */
};

static void *ask_for_a_while(void *arg)
{
    struct asker *a = arg;
    int64_t end = clock_mono_ms() + 1500, ms = 0;
    while (clock_mono_ms() < end) {
        if (!timed_take(a->db, &ms))
            abort();
        a->slow += ms > 100;
        a->longest_ms = ms > a->longest_ms ? ms : a->longest_ms;
        usleep(5000);
    }
    return NULL;
}

START_TEST(a_frozen_server_costs_each_connection_one_timeout_and_all_others_nothing)
{
    struct asker askers[8] = {0};
    pthread_t threads[8];
    int64_t ms;
    int slow = 0;
    server->config->db_timeout_ms = 1000;
    struct db *db = db_kit_open(server);
    mariadb_empty(server);
    struct db_conn *c = db_kit_take(db);
    ms = clock_mono_ms();
    mariadb_freeze(server);
    ck_assert_int_eq(db_run(c, "SELECT 1", NULL, 0, NULL), ERR_DB_DOWN);
    ms = clock_mono_ms() - ms;
    ck_assert_int_ge(ms, 900);
    ck_assert_int_le(ms, 1400);
    db_give(db, c);
    for (int i = 0; i < 8; i++) {
        askers[i].db = db;
        pthread_create(&threads[i], NULL, ask_for_a_while, &askers[i]);
    }
    for (int i = 0; i < 8; i++) {
        pthread_join(threads[i], NULL);
        slow += askers[i].slow;
        ck_assert_int_le(askers[i].longest_ms, 1400);
    }
    ck_assert_int_le(slow, 3); /* the probes */
    mariadb_thaw(server);
    recovers_within(db, 2500);
    db_free(db);
    server->config->db_timeout_ms = 2000;
}
END_TEST

static void *freeze_soon(void *arg)
{
    (void)arg;
    usleep(100000);
    mariadb_freeze(server);
    return NULL;
}

START_TEST(a_commit_without_an_answer_is_unknown)
{
    pthread_t t;
    server->config->db_timeout_ms = 1000;
    struct db *db = db_kit_open(server);
    struct db_conn *c = take_with_table(db);
    ck_assert_int_eq(db_begin(c), ERR_OK);
    ck_assert_int_eq(db_run(c, "INSERT INTO t (id) VALUES (1)", NULL, 0, NULL), ERR_OK);
    pthread_create(&t, NULL, freeze_soon, NULL);
    pthread_join(t, NULL);
    ck_assert_int_eq(db_commit(c), ERR_DB_UNKNOWN);
    ck_assert(db_is_down(db));
    ck_assert_int_eq(db_run(c, "SELECT 1", NULL, 0, NULL), ERR_DB_DOWN);
    db_give(db, c);
    mariadb_thaw(server);
    recovers_within(db, 2500);
    ck_assert_int_eq(mariadb_number(server, "SELECT COUNT(*) FROM t"), 1); /* it had arrived */
    db_free(db);
    server->config->db_timeout_ms = 2000;
}
END_TEST

static long long server_of(struct db *db)
{
    struct db_stmt *s = NULL;
    struct db_conn *c = db_kit_take(db);
    ck_assert_int_eq(db_run(c, "SELECT @@server_id", NULL, 0, &s), ERR_OK);
    ck_assert_int_eq(db_next(s), ERR_OK);
    long long id = db_col_i64(s, 0);
    db_give(db, c);
    return id;
}

START_TEST(a_lost_host_is_followed_by_the_next_and_the_first_comes_first_after_an_outage)
{
    char hosts[512];
    int64_t ms = 0;
    char *was = server->config->db_hosts;
    mariadb_exec(server, "SET GLOBAL server_id = 1");
    mariadb_exec(&shared, "SET GLOBAL server_id = 2");
    snprintf(hosts, sizeof(hosts), "%s,%s", server->socket, shared.socket);
    server->config->db_hosts = hosts;
    struct db *db = db_kit_open(server);
    struct db_conn *c = db_kit_take(db);
    mariadb_kill(server);
    ck_assert_int_eq(db_run(c, "SELECT 1", NULL, 0, NULL), ERR_DB_DOWN);
    db_give(db, c);
    ck_assert_int_eq(server_of(db), 2);
    ck_assert_uint_eq(db_generation(db), 2);
    /* What works is kept, though the first host is back... */
    mariadb_restart(server);
    mariadb_exec(server, "SET GLOBAL server_id = 1");
    ck_assert_int_eq(server_of(db), 2);
    /* ... and after an outage of all the first is the first again. */
    mariadb_exec(&shared, "SET GLOBAL read_only = 1");
    mariadb_exec(server, "SET GLOBAL read_only = 1");
    c = db_kit_take(db);
    ck_assert_int_eq(db_run(c, "KILL CONNECTION_ID()", NULL, 0, NULL), ERR_DB_DOWN);
    db_give(db, c);
    ck_assert_int_eq(timed_take(db, &ms), ERR_DB_DOWN);
    mariadb_exec(&shared, "SET GLOBAL read_only = 0");
    mariadb_exec(server, "SET GLOBAL read_only = 0");
    recovers_within(db, 1000);
    ck_assert_int_eq(server_of(db), 1);
    db_free(db);
    server->config->db_hosts = was;
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("db");
    TCase *tc = tcase_create("db");
    tcase_set_timeout(tc, 30);
    suite_add_tcase(suite, tc);
    tcase_add_test(tc, given_back_inside_a_transaction_rolls_back);
    tcase_add_test(tc, a_snapshot_sees_one_moment_and_leaves_the_next_transaction_alone);
    tcase_add_test(tc, a_lock_timeout_rolls_all_back_and_blocks_the_rest_of_the_transaction);
    tcase_add_test(tc, a_deadlock_is_retried_until_both_are_through);
    tcase_add_test(tc, transact_gives_up_after_five_tries_and_rolls_back_what_fn_refuses);
    tcase_add_test(tc, more_takers_than_connections_wait_and_the_late_one_is_busy);
    tcase_add_test(tc, thirty_threads_share_four_connections);
    tcase_add_test(tc, idle_connections_are_closed);
    tcase_add_test(tc, a_killed_idle_connection_is_replaced_unseen_and_counts_as_a_new_generation);
    tcase_add_test(tc, a_connection_killed_in_use_is_down_for_one_call_only);
    tcase_add_test(tc, a_connection_lost_before_commit_is_down_and_nothing_was_written);
    tcase_add_test(tc, hosts_that_do_not_answer_are_passed_over);
    tcase_add_test(tc, among_several_hosts_a_read_only_one_is_not_taken);
    tcase_add_test(tc, a_write_on_a_host_that_became_read_only_counts_as_lost);
    tcase_add_test(tc, at_the_servers_limit_of_connections_one_waits_for_ours);
    tcase_add_test(tc, a_script_runs_each_statement_and_tells_which_failed);
    tc = tcase_create("outages");
    tcase_set_timeout(tc, 30);
    tcase_add_checked_fixture(tc, own_server, own_server_ends);
    suite_add_tcase(suite, tc);
    tcase_add_test(tc, a_dead_server_fails_at_once_and_is_found_again);
    tcase_add_test(tc, a_frozen_server_costs_each_connection_one_timeout_and_all_others_nothing);
    tcase_add_test(tc, a_commit_without_an_answer_is_unknown);
    tcase_add_test(tc,
                   a_lost_host_is_followed_by_the_next_and_the_first_comes_first_after_an_outage);
    SRunner *runner = srunner_create(suite);
    mariadb_start_own(&shared); /* read_only and its counters are global */
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    mariadb_stop(&shared);
    return failed ? 1 : 0;
}
