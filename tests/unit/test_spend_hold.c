#include "db/spend_hold.h"

#include "base/clock.h"
#include "base/amount.h"
#include "tests/unit/mariadb.h"

#include <check.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define USD     MONEY_NUSD_PER_USD
#define CENT    (USD / 100)
#define RACERS  50
#define POOLS   4
#define FITTING 5
#define WORKERS 8
#define ROUNDS  40

static struct mariadb server;
static struct db *db;
static struct spend_refusal refusal;

static void setup(void)
{
    mariadb_fresh(&server);
    mariadb_exec(&server,
                 "INSERT INTO accounts (id, name) VALUES (1, 'a');"
                 "INSERT INTO api_keys (id, account_id, key_hash) VALUES (5, 1, "
                 "UNHEX(SHA2('five', 256))), (6, 1, UNHEX(SHA2('six', 256)));"
                 "INSERT INTO rate_limits (id, api_key_id, account_id) VALUES (5, 5, NULL), (6, 6, "
                 "NULL), (7, NULL, 1);"
                 "INSERT INTO processes (id, host) VALUES ('%026d', 'h'), ('%026d', 'h')",
                 1, 2);
    server.config->db_connections_max = 16;
    db = db_new(server.config);
    refusal = (struct spend_refusal){.left_nusd = -7};
}

static void teardown(void)
{
    db_free(db);
}

static void set_limits(const char *limits)
{
    mariadb_exec(&server, "UPDATE rate_limits SET %s WHERE id = 5", limits);
}

/* A request under limit 5, of key 5, in process 1 or 2. */
struct kit {
    char request_id[ULID_SIZE], process_id[ULID_SIZE];
    struct spend_hold hold;
};

static struct spend_hold *kit(struct kit *k, int request, int process)
{
    snprintf(k->request_id, ULID_SIZE, "%026d", request);
    snprintf(k->process_id, ULID_SIZE, "%026d", process);
    k->hold = (struct spend_hold){{5}, 1, k->request_id, k->process_id};
    return &k->hold;
}

static enum err open_hold(int request, int64_t need)
{
    struct kit k = {0};
    return spend_hold_open(db, kit(&k, request, 1), need, &refusal);
}

static void end_request(struct mariadb *m, int request, int64_t cost)
{
    char text[MONEY_TEXT_SIZE];
    mariadb_exec(m,
                 "INSERT INTO usage_log (request_id, account_id, api_key_id, group_id, endpoint, "
                 "model, client_format, status, cost, process_id, created_at) VALUES ('%026d', 1, "
                 "5, 1, 'x', 'x', 'x', 'ok', %s, 'p', UTC_TIMESTAMP(3))",
                 request, amount_print(text, cost));
}

START_TEST(holds_are_given_up_to_the_limit_and_no_further)
{
    set_limits("spend_total = 0.10");
    ck_assert_int_eq(open_hold(1, 6 * CENT), ERR_OK);
    ck_assert_int_eq(open_hold(2, 4 * CENT + 1), ERR_SPEND_RESERVED);
    ck_assert_int_eq(open_hold(3, 4 * CENT), ERR_OK);
    ck_assert_int_eq(open_hold(4, 1), ERR_SPEND_RESERVED);
    ck_assert_int_eq(refusal.left_nusd, -7);
    ck_assert_int_eq(open_hold(5, 10 * CENT + 1), ERR_SPEND_LIMIT);
    ck_assert_int_eq(refusal.left_nusd, 10 * CENT);
    ck_assert_int_eq(mariadb_number(&server, "SELECT COUNT(*) FROM limit_holds"), 2);
}
END_TEST

START_TEST(an_ended_request_counts_with_its_cost)
{
    set_limits("spend_total = 0.10");
    ck_assert_int_eq(open_hold(1, 10 * CENT), ERR_OK);
    end_request(&server, 1, 3 * CENT);
    ck_assert_int_eq(open_hold(2, 7 * CENT + 1), ERR_SPEND_LIMIT);
    ck_assert_int_eq(refusal.left_nusd, 7 * CENT);
    ck_assert_int_eq(open_hold(2, 7 * CENT), ERR_OK);
    ck_assert_str_eq(mariadb_value(&server,
                                   "SELECT CONCAT_WS(' ', spent_total, held, spend_left) FROM "
                                   "v_rate_limits WHERE limit_id = 5"),
                     "0.030000000 0.070000000 0.000000000");
}
END_TEST

START_TEST(a_hold_without_usage_whose_process_is_gone_counts_as_nothing)
{
    struct kit k = {0};
    set_limits("spend_total = 0.10");
    ck_assert_int_eq(spend_hold_open(db, kit(&k, 1, 2), 8 * CENT, &refusal), ERR_OK);
    ck_assert_int_eq(spend_hold_open(db, kit(&k, 2, 2), 2 * CENT, &refusal), ERR_OK);
    end_request(&server, 2, CENT);
    ck_assert_int_eq(open_hold(3, 9 * CENT), ERR_SPEND_RESERVED);
    mariadb_exec(&server, "DELETE FROM processes WHERE id = '%026d'", 2);
    ck_assert_int_eq(open_hold(3, 9 * CENT), ERR_OK);
}
END_TEST

START_TEST(each_window_has_its_limit)
{
    static const char *const limits[] = {"spend_total = 0.1, spend_day = 5",
                                         "spend_day = 0.1, spend_month = 5",
                                         "spend_month = 0.1, spend_day = NULL"};
    for (int i = 0; i < 3; i++) {
        mariadb_exec(&server, "DELETE FROM limit_holds; UPDATE rate_limits SET spend_total = NULL, "
                              "spend_day = NULL, spend_month = NULL");
        set_limits(limits[i]);
        ck_assert_int_eq(open_hold(10 * i, 10 * CENT), ERR_OK);
        ck_assert_int_eq(open_hold(10 * i + 1, 1), ERR_SPEND_RESERVED);
    }
    set_limits("spend_month = 0");
    ck_assert_int_eq(open_hold(100, 1), ERR_SPEND_LIMIT);
    ck_assert_int_eq(refusal.left_nusd, 0);
    set_limits("spend_month = NULL");
    ck_assert_int_eq(open_hold(100, USD), ERR_OK);
}
END_TEST

START_TEST(yesterday_and_last_month_do_not_count_today)
{
    set_limits("spend_day = 0.10");
    ck_assert_int_eq(open_hold(1, 10 * CENT), ERR_OK);
    mariadb_exec(&server, "UPDATE limit_holds SET held_at = held_at - INTERVAL 1 DAY");
    ck_assert_int_eq(open_hold(2, 10 * CENT), ERR_OK);
    end_request(&server, 2, 10 * CENT);
    ck_assert_int_eq(open_hold(3, 1), ERR_SPEND_LIMIT);
    mariadb_exec(&server, "UPDATE limit_holds SET held_at = held_at - INTERVAL 1 DAY");
    ck_assert_int_eq(open_hold(3, 10 * CENT), ERR_OK);
    set_limits("spend_day = NULL, spend_month = 0.10");
    mariadb_exec(&server, "UPDATE limit_holds SET held_at = held_at - INTERVAL 40 DAY");
    ck_assert_int_eq(open_hold(4, 10 * CENT), ERR_OK);
    set_limits("spend_total = 0.30");
    ck_assert_int_eq(open_hold(5, 1), ERR_SPEND_RESERVED);
}
END_TEST

START_TEST(ended_holds_are_added_up_and_counted_once)
{
    set_limits("spend_total = 1, spend_day = 1, spend_month = 1");
    for (int i = 1; i <= 100; i++) {
        ck_assert_int_eq(open_hold(i, CENT), ERR_OK);
        if (i % 10)
            end_request(&server, i, CENT);
        else
            mariadb_exec(&server,
                         "UPDATE limit_holds SET process_id = 'gone' WHERE request_id = "
                         "'%026d'",
                         i);
    }
    ck_assert_int_le(mariadb_number(&server, "SELECT COUNT(*) FROM limit_holds"), 33);
    ck_assert_int_eq(mariadb_number(&server,
                                    "SELECT COUNT(*) FROM v_rate_limits WHERE spent_total = 0.9 "
                                    "AND spent_day = 0.9 AND spent_month = 0.9"),
                     1);
    ck_assert_int_gt(
        mariadb_number(&server, "SELECT spent * 100 FROM limit_spend WHERE period = 'day'"), 50);
    ck_assert_int_eq(open_hold(101, 10 * CENT + 1), ERR_SPEND_LIMIT);
    ck_assert_int_eq(refusal.left_nusd, 10 * CENT);
}
END_TEST

START_TEST(an_extension_stays_within_the_limit_and_in_its_own_day)
{
    struct kit k = {0};
    set_limits("spend_day = 0.10");
    ck_assert_int_eq(spend_hold_open(db, kit(&k, 1, 1), 4 * CENT, &refusal), ERR_OK);
    ck_assert_int_eq(spend_hold_extend(db, &k.hold, 6 * CENT), ERR_OK);
    ck_assert_int_eq(spend_hold_extend(db, &k.hold, 1), ERR_SPEND_LIMIT);
    mariadb_exec(&server, "UPDATE limit_holds SET held_at = held_at - INTERVAL 1 DAY");
    ck_assert_int_eq(spend_hold_extend(db, &k.hold, 1), ERR_SPEND_LIMIT);
    ck_assert_int_eq(mariadb_number(&server, "SELECT amount = 0.1 FROM limit_holds"), 1);
    ck_assert_int_eq(spend_hold_extend(db, kit(&k, 2, 1), 1), ERR_UNAVAILABLE);
}
END_TEST

START_TEST(a_cancelled_hold_is_gone_and_other_limits_are_not_concerned)
{
    struct kit k = {0};
    set_limits("spend_total = 0.10");
    ck_assert_int_eq(spend_hold_open(db, kit(&k, 1, 1), 10 * CENT, &refusal), ERR_OK);
    spend_hold_cancel(db, &k.hold);
    ck_assert_int_eq(open_hold(2, 10 * CENT), ERR_OK);
    mariadb_exec(&server, "UPDATE rate_limits SET spend_total = 0.10 WHERE id = 6");
    kit(&k, 3, 1)->limit_ids[0] = 6;
    ck_assert_int_eq(spend_hold_open(db, &k.hold, 10 * CENT, &refusal), ERR_OK);
}
END_TEST

/* ---- several limits ---- */

static long long holds_of(int limit)
{
    return mariadb_number(&server, "SELECT COUNT(*) FROM limit_holds WHERE limit_id = %d", limit);
}

/* Of key 5 in account 1. */
static enum err open_both(int request, int64_t need)
{
    struct kit k = {0};
    kit(&k, request, 1);
    k.hold.limit_ids[0] = 7;
    k.hold.limit_ids[1] = 5;
    k.hold.limits_n = 2;
    return spend_hold_open(db, &k.hold, need, &refusal);
}

START_TEST(a_request_is_held_under_all_of_its_limits_or_under_none)
{
    set_limits("spend_day = 0.30");
    mariadb_exec(&server, "UPDATE rate_limits SET spend_month = 0.10 WHERE id = 7");
    ck_assert_int_eq(open_both(1, 6 * CENT), ERR_OK);
    ck_assert_int_eq(open_both(2, 5 * CENT), ERR_SPEND_RESERVED);
    ck_assert_int_eq(open_both(3, 11 * CENT), ERR_SPEND_LIMIT);
    ck_assert_int_eq(refusal.limit_id, 7);
    ck_assert_int_eq(refusal.period, SPEND_MONTH);
    ck_assert_int_eq(refusal.left_nusd, 10 * CENT);
    ck_assert_int_eq(holds_of(5), 1);
    ck_assert_int_eq(holds_of(7), 1);
    end_request(&server, 1, 2 * CENT);
    ck_assert_int_eq(open_both(4, 8 * CENT), ERR_OK);
    ck_assert_str_eq(mariadb_value(&server, "SELECT GROUP_CONCAT(CONCAT_WS(' ', spent_day, held, "
                                            "spend_left) ORDER BY limit_id SEPARATOR ', ') FROM "
                                            "v_rate_limits WHERE limit_id IN (5, 7)"),
                     "0.020000000 0.080000000 0.200000000, 0.020000000 0.080000000 0.000000000");
}
END_TEST

START_TEST(a_refusal_tells_when_a_day_or_month_begins_anew)
{
    set_limits("spend_day = 0.10");
    ck_assert_int_eq(open_hold(1, 11 * CENT), ERR_SPEND_LIMIT);
    ck_assert_int_eq(refusal.period, SPEND_DAY);
    ck_assert_int_gt(refusal.wait_s, 0);
    ck_assert_int_le(refusal.wait_s, 86400);
    set_limits("spend_month = 0.10");
    ck_assert_int_eq(open_hold(1, 11 * CENT), ERR_SPEND_LIMIT);
    ck_assert_int_le(refusal.wait_s, 31 * 86400);
    ck_assert_int_le(mariadb_number(&server,
                                    "SELECT ABS(TIMESTAMPDIFF(SECOND, UTC_TIMESTAMP(), "
                                    "LAST_DAY(UTC_DATE()) + INTERVAL 1 DAY) - %lld)",
                                    (long long)refusal.wait_s),
                     5);
    set_limits("spend_total = 0.10");
    ck_assert_int_eq(open_hold(1, 11 * CENT), ERR_SPEND_LIMIT);
    ck_assert_int_eq(refusal.wait_s, -1);
}
END_TEST

START_TEST(a_limit_that_was_deleted_holds_nobody_back)
{
    struct kit k = {0};
    set_limits("spend_day = 0.10");
    mariadb_exec(&server, "UPDATE rate_limits SET spend_day = 1 WHERE id = 7");
    ck_assert_int_eq(open_both(1, 6 * CENT), ERR_OK);
    mariadb_exec(&server, "DELETE FROM rate_limits WHERE id = 5");
    ck_assert_int_eq(open_both(2, 80 * CENT), ERR_OK);
    ck_assert_int_eq(holds_of(5), 0);
    ck_assert_int_eq(holds_of(7), 2);
    mariadb_exec(&server, "DELETE FROM rate_limits WHERE id = 7");
    ck_assert_int_eq(open_both(3, 80 * CENT), ERR_OK);
    ck_assert_int_eq(spend_hold_extend(db, kit(&k, 1, 1), CENT), ERR_OK);
    k.hold.limits_n = 0;
    ck_assert_int_eq(spend_hold_open(db, &k.hold, 80 * CENT, &refusal), ERR_OK);
    spend_hold_cancel(db, &k.hold);
    ck_assert_int_eq(mariadb_number(&server, "SELECT COUNT(*) FROM limit_holds"), 0);
}
END_TEST

/* ---- many at once ---- */

static struct db *pools[POOLS]; /* as many processes */
static pthread_barrier_t start;
static enum err results[RACERS];

static void pools_open(unsigned threads)
{
    for (int i = 0; i < POOLS; i++)
        pools[i] = db_new(server.config);
    pthread_barrier_init(&start, NULL, threads);
}

static void pools_close(void)
{
    for (int i = 0; i < POOLS; i++)
        db_free(pools[i]);
    pthread_barrier_destroy(&start);
}

static enum err open_surely(struct db *pool, const struct spend_hold *h, int64_t need)
{
    enum err e;
    struct spend_refusal r;
    do
        e = spend_hold_open(pool, h, need, &r);
    while (e == ERR_UNAVAILABLE);
    return e;
}

static void *race(void *arg)
{
    struct kit k = {0};
    int i = (int)((enum err *)arg - results);
    pthread_barrier_wait(&start);
    kit(&k, i, 1 + i % 2);
    k.hold.limit_ids[i % 2] = 7;
    k.hold.limit_ids[1 - i % 2] = 5;
    k.hold.limits_n = 2;
    results[i] = open_surely(pools[i % POOLS], &k.hold, CENT);
    return NULL;
}

START_TEST(of_50_at_once_exactly_those_that_fit_are_held)
{
    pthread_t threads[RACERS];
    int held = 0, refused = 0;
    set_limits("spend_day = 0.05");
    mariadb_exec(&server, "UPDATE rate_limits SET spend_month = 0.06 WHERE id = 7");
    pools_open(RACERS);
    for (int i = 0; i < RACERS; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, race, &results[i]), 0);
    for (int i = 0; i < RACERS; i++) {
        pthread_join(threads[i], NULL);
        held += results[i] == ERR_OK;
        refused += results[i] == ERR_SPEND_RESERVED;
    }
    pools_close();
    ck_assert_int_eq(held, FITTING);
    ck_assert_int_eq(refused, RACERS - FITTING);
    ck_assert_int_eq(holds_of(5), FITTING);
    ck_assert_int_eq(holds_of(7), FITTING);
}
END_TEST

static const char sql_end[] =
    "INSERT INTO usage_log (request_id, account_id, api_key_id, group_id, endpoint, model, "
    "client_format, status, cost, process_id, created_at) VALUES (?, 1, 5, 1, 'x', 'x', 'x', "
    "'ok', ?, 'p', UTC_TIMESTAMP(3))";

static enum err end_fn(struct db_conn *c, void *arg)
{
    const struct kit *k = arg;
    struct db_value v[] = {DB_STRZ(k->request_id), DB_NUSD(CENT)};
    return db_run(c, sql_end, v, 2, NULL);
}

static void *work(void *arg)
{
    struct kit k = {0};
    int worker = (int)((enum err *)arg - results);
    struct db *pool = pools[worker % POOLS];
    pthread_barrier_wait(&start);
    for (int i = 0; i < ROUNDS; i++) {
        enum err e = open_surely(pool, kit(&k, 1000 * (worker + 1) + i, 1), 2 * CENT);
        if (e == ERR_OK)
            e = db_transact(pool, end_fn, &k);
        if (e)
            results[worker] = e;
    }
    return NULL;
}

START_TEST(while_requests_end_and_are_added_up_nothing_is_lost_or_doubled)
{
    pthread_t threads[WORKERS];
    set_limits("spend_total = 1000");
    memset(results, 0, sizeof(results));
    pools_open(WORKERS);
    for (int i = 0; i < WORKERS; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, work, &results[i]), 0);
    for (int i = 0; i < WORKERS; i++) {
        pthread_join(threads[i], NULL);
        ck_assert_int_eq(results[i], ERR_OK);
    }
    pools_close();
    ck_assert_int_eq(
        mariadb_number(&server,
                       "SELECT v.spent_total = (SELECT SUM(cost) FROM usage_log) AND v.held = 0 "
                       "AND v.spent_day = v.spent_total AND v.spent_total = %d * 0.01 "
                       "FROM v_rate_limits v WHERE v.limit_id = 5",
                       WORKERS * ROUNDS),
        1);
}
END_TEST

START_TEST(without_a_database_nothing_is_held)
{
    char *was = server.config->db_hosts;
    char nowhere[] = "/nowhere/mysql.sock";
    struct kit k = {0};
    server.config->db_hosts = nowhere;
    struct db *none = db_new(server.config);
    ck_assert_int_eq(spend_hold_open(none, kit(&k, 1, 1), CENT, &refusal), ERR_UNAVAILABLE);
    ck_assert_int_eq(refusal.left_nusd, -7);
    ck_assert_int_eq(spend_hold_extend(none, &k.hold, CENT), ERR_UNAVAILABLE);
    spend_hold_cancel(none, &k.hold);
    db_free(none);
    server.config->db_hosts = was;
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("spend_hold");
    TCase *tc = tcase_create("spend_hold");
    tcase_set_timeout(tc, 60);
    tcase_add_checked_fixture(tc, setup, teardown);
    suite_add_tcase(suite, tc);
    tcase_add_test(tc, holds_are_given_up_to_the_limit_and_no_further);
    tcase_add_test(tc, an_ended_request_counts_with_its_cost);
    tcase_add_test(tc, a_hold_without_usage_whose_process_is_gone_counts_as_nothing);
    tcase_add_test(tc, each_window_has_its_limit);
    tcase_add_test(tc, yesterday_and_last_month_do_not_count_today);
    tcase_add_test(tc, ended_holds_are_added_up_and_counted_once);
    tcase_add_test(tc, an_extension_stays_within_the_limit_and_in_its_own_day);
    tcase_add_test(tc, a_cancelled_hold_is_gone_and_other_limits_are_not_concerned);
    tcase_add_test(tc, a_request_is_held_under_all_of_its_limits_or_under_none);
    tcase_add_test(tc, a_refusal_tells_when_a_day_or_month_begins_anew);
    tcase_add_test(tc, a_limit_that_was_deleted_holds_nobody_back);
    tcase_add_test(tc, of_50_at_once_exactly_those_that_fit_are_held);
    tcase_add_test(tc, while_requests_end_and_are_added_up_nothing_is_lost_or_doubled);
    tcase_add_test(tc, without_a_database_nothing_is_held);
    SRunner *runner = srunner_create(suite);
    mariadb_start(&server);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    mariadb_stop(&server);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
