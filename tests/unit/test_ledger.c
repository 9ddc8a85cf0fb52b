#include "db/ledger.h"

#include "base/clock.h"
#include "base/amount.h"
#include "tests/unit/mariadb.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

static struct mariadb server;
static struct db *db;
static struct ledger_summary sum;

static void setup(void)
{
    mariadb_fresh(&server);
    mariadb_exec(&server, "INSERT INTO accounts (id, name) VALUES (1, 'a'), (2, 'b')");
    db = db_new(server.config);
    memset(&sum, 0, sizeof(sum));
}

static void teardown(void)
{
    db_free(db);
}

/* A request accepted at an SQL time, its id made of that time. */
static void insert_usage(int account, int key, const char *at, const char *cost)
{
    static const char digits[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    static int n;
    long long ms =
        mariadb_number(&server, "SELECT CAST(UNIX_TIMESTAMP(%s) * 1000 AS UNSIGNED)", at);
    char id[ULID_SIZE];
    snprintf(id, sizeof(id), "%026d", ++n);
    for (int i = 9; i >= 0; i--, ms >>= 5)
        id[i] = digits[ms & 31];
    mariadb_exec(&server,
                 "INSERT INTO usage_log (request_id, account_id, api_key_id, group_id, endpoint, "
                 "model, client_format, status, input_tokens, cached_input_tokens,"
                 " cache_write_tokens, cache_write_1h_tokens, output_tokens, reasoning_tokens, "
                 "cost, process_id, created_at) VALUES"
                 " ('%s', %d, %d, 1, 'x', 'x', 'x', 'ok', 1, 20, 300, 4000, 7, 3, %s, 'p', %s)",
                 id, account, key, cost, at);
}

START_TEST(an_account_without_rows_has_nothing)
{
    ck_assert_int_eq(ledger_read_summary(db, 1, 5, &sum), ERR_OK);
    ck_assert_int_eq(sum.balance_nusd, 0);
    ck_assert_int_eq(sum.reserved_nusd, 0);
    ck_assert_int_eq(sum.account_month.requests, 0);
}
END_TEST

START_TEST(balance_is_the_last_checkpoint_plus_the_rows_that_none_has_counted)
{
    mariadb_exec(&server, "INSERT INTO checkpoints (id, account_id, balance) VALUES (1, 1, 5), (2, "
                          "1, 7.5), (3, 2, 100);"
                          "INSERT INTO ledger (account_id, kind, amount, checkpoint_id) VALUES (1, "
                          "'recharge', 5, 1), (1, 'recharge', 2.5, 2), (2, 'recharge', 100, 3);"
                          "INSERT INTO ledger (account_id, kind, amount) VALUES (1, 'recharge', "
                          "3), (1, 'usage', -0.000000001), (2, 'usage', -1);"
                          "INSERT INTO processes (id, host) VALUES ('p', 'h'), ('q', 'h');"
                          "INSERT INTO leases (process_id, account_id, amount) VALUES ('p', 1, 1), "
                          "('q', 1, 0.25), ('q', 2, 9)");
    ck_assert_int_eq(ledger_read_summary(db, 1, 5, &sum), ERR_OK);
    ck_assert_int_eq(sum.balance_nusd, INT64_C(10499999999));
    ck_assert_int_eq(sum.reserved_nusd, INT64_C(1250000000));
    ck_assert_int_eq(ledger_read_summary(db, 2, 5, &sum), ERR_OK);
    ck_assert_int_eq(sum.balance_nusd, INT64_C(99000000000));
}
END_TEST

START_TEST(spend_is_of_this_day_and_month_of_the_account_and_of_the_key)
{
    insert_usage(1, 5, "UTC_TIMESTAMP(3)", "1");
    insert_usage(1, 6, "UTC_TIMESTAMP(3)", "2");
    insert_usage(2, 7, "UTC_TIMESTAMP(3)", "4");
    insert_usage(1, 5, "DATE_FORMAT(UTC_TIMESTAMP(3), '%Y-%m-01 00:00:00.000')", "8");
    insert_usage(
        1, 5, "DATE_FORMAT(UTC_TIMESTAMP(3), '%Y-%m-01 00:00:00.000') - INTERVAL 1000 MICROSECOND",
        "16");
    insert_usage(1, 5, "UTC_TIMESTAMP(3) - INTERVAL 40 DAY", "32");
    bool is_first = mariadb_number(&server, "SELECT DAY(UTC_DATE())") ==
                    1; /* then the first of the month is today */
    ck_assert_int_eq(ledger_read_summary(db, 1, 5, &sum), ERR_OK);
    ck_assert_int_eq(sum.account_month.cost_nusd, 11 * MONEY_NUSD_PER_USD);
    ck_assert_int_eq(sum.account_month.requests, 3);
    ck_assert_int_eq(sum.account_month.input_tokens, 3 * 4321);
    ck_assert_int_eq(sum.account_month.output_tokens, 3 * 7);
    ck_assert_int_eq(sum.key_month.cost_nusd, 9 * MONEY_NUSD_PER_USD);
    ck_assert_int_eq(sum.account_today.cost_nusd, (is_first ? 11 : 3) * MONEY_NUSD_PER_USD);
    ck_assert_int_eq(sum.key_today.cost_nusd, (is_first ? 9 : 1) * MONEY_NUSD_PER_USD);
    ck_assert_int_eq(sum.key_today.requests, is_first ? 2 : 1);
}
END_TEST

/* The statement of README.md. */
#define SQL_REFUND                                                                                 \
    "INSERT INTO ledger (account_id, kind, amount, reference, note) SELECT account_id, 'refund', " \
    "cost, CONCAT('refund:', request_id), 'why' FROM usage_log WHERE api_key_id = 5"

START_TEST(a_request_is_refunded_once)
{
    insert_usage(1, 5, "UTC_TIMESTAMP(3)", "1.000000001");
    ck_assert_uint_eq(mariadb_try(&server, "%s", SQL_REFUND), 0);
    ck_assert_uint_eq(mariadb_try(&server, "%s", SQL_REFUND), 1062);
    ck_assert_int_eq(ledger_read_summary(db, 1, 5, &sum), ERR_OK);
    ck_assert_int_eq(sum.balance_nusd, MONEY_NUSD_PER_USD + 1);
}
END_TEST

/* Days before the mark come from their sums, which are given other numbers here to tell. */
START_TEST(days_before_the_mark_are_read_from_their_sums)
{
    bool is_first = mariadb_number(&server, "SELECT DAY(UTC_DATE())") == 1;
    insert_usage(1, 5, "UTC_TIMESTAMP(3)", "1");
    insert_usage(1, 5, "DATE_FORMAT(UTC_TIMESTAMP(3), '%Y-%m-01 00:00:00.000')", "8");
    mariadb_exec(
        &server,
        "INSERT INTO usage_daily (day, account_id, api_key_id, model, is_dropped, requests, "
        "failed, estimated, input_tokens, cached_input_tokens, cache_write_tokens, "
        "cache_write_1h_tokens, output_tokens, reasoning_tokens, cost, shortfall)"
        " SELECT DATE_FORMAT(UTC_DATE(), '%%Y-%%m-01') + INTERVAL d.seq DAY, 1, k.seq, 'm', FALSE, "
        "1, 0, 0, 1, 20, 300, 4000, 70, 0, 100, 0 FROM seq_0_to_1 d JOIN seq_5_to_6 k"
        " UNION ALL SELECT DATE_FORMAT(UTC_DATE(), '%%Y-%%m-01') - INTERVAL 1 DAY, 1, 5, 'm', "
        "FALSE, 1, 0, 0, 1, 1, 1, 1, 1, 0, 5000, 0;"
        "UPDATE upkeep SET mark = DATE_FORMAT(UTC_DATE(), '%%Y-%%m-01') + INTERVAL 1 DAY WHERE "
        "name = 'rollup'");
    ck_assert_int_eq(ledger_read_summary(db, 1, 5, &sum), ERR_OK);
    /* On a month's first day nothing is before today, whatever the mark says. */
    ck_assert_int_eq(sum.account_month.cost_nusd, (is_first ? 9 : 201) * MONEY_NUSD_PER_USD);
    ck_assert_int_eq(sum.account_month.requests, is_first ? 2 : 3);
    ck_assert_int_eq(sum.account_month.input_tokens, (is_first ? 2 : 3) * 4321);
    ck_assert_int_eq(sum.key_month.cost_nusd, (is_first ? 9 : 101) * MONEY_NUSD_PER_USD);
    ck_assert_int_eq(sum.account_today.cost_nusd, (is_first ? 9 : 1) * MONEY_NUSD_PER_USD);
    ck_assert_int_eq(sum.key_today.cost_nusd, (is_first ? 9 : 1) * MONEY_NUSD_PER_USD);
}
END_TEST

START_TEST(a_mark_of_another_month_or_of_tomorrow_is_put_right)
{
    insert_usage(1, 5, "UTC_TIMESTAMP(3)", "1");
    const char *marks[] = {"", "2020-01-01", "nonsense", "2999-01-01"};
    for (size_t i = 0; i < sizeof(marks) / sizeof(marks[0]); i++) {
        mariadb_exec(&server, "UPDATE upkeep SET mark = '%s' WHERE name = 'rollup'", marks[i]);
        ck_assert_int_eq(ledger_read_summary(db, 1, 5, &sum), ERR_OK);
        ck_assert_int_eq(sum.account_today.cost_nusd, MONEY_NUSD_PER_USD);
        ck_assert_int_eq(sum.account_month.cost_nusd, MONEY_NUSD_PER_USD);
    }
    mariadb_exec(&server, "DELETE FROM upkeep");
    ck_assert_int_eq(ledger_read_summary(db, 1, 5, &sum), ERR_OK);
    ck_assert_int_eq(sum.account_month.cost_nusd, MONEY_NUSD_PER_USD);
}
END_TEST

START_TEST(without_a_database_it_is_unavailable)
{
    char *was = server.config->db_hosts;
    char nowhere[] = "/nowhere/mysql.sock";
    server.config->db_hosts = nowhere;
    struct db *none = db_new(server.config);
    sum.balance_nusd = 77;
    ck_assert_int_eq(ledger_read_summary(none, 1, 5, &sum), ERR_UNAVAILABLE);
    ck_assert_int_eq(sum.balance_nusd, 77);
    db_free(none);
    server.config->db_hosts = was;
}
END_TEST

/* What the database takes for the time of users who are not root. */
static void set_clock(struct mariadb *m, const char *at)
{
    mariadb_exec(m, "SET GLOBAL init_connect = \"SET timestamp = UNIX_TIMESTAMP('%s')\"", at);
}

START_TEST(the_day_and_the_month_begin_by_the_clock_of_the_database)
{
    static const struct {
        const char *now;
        int today, month;
    } cases[] = {
        {"2026-02-28 23:59:59.999", 5, 6}, /* a later id, by another clock, is of today */
        {"2026-03-01 00:00:00.000", 4, 4},
        {"2026-03-01 23:59:59.999", 4, 4},
        {"2026-03-02 00:00:00.000", 2, 4},
        {"2026-04-01 00:00:00.000", 0, 0},
    };
    struct mariadb own;
    mariadb_start_own(&own);
    mariadb_fresh(&own);
    mariadb_exec(&own, "SET GLOBAL time_zone = '+00:00'; SET time_zone = '+00:00';"
                       "INSERT INTO accounts (id, name) VALUES (1, 'a')");
    struct mariadb shared = server;
    server = own;
    insert_usage(1, 5, "'2026-02-01 00:00:00.000'", "1");
    insert_usage(1, 5, "'2026-02-28 23:59:59.999'", "1");
    insert_usage(1, 5, "'2026-03-01 00:00:00.000'", "1");
    insert_usage(1, 5, "'2026-03-01 23:59:59.999'", "1");
    insert_usage(1, 5, "'2026-03-02 00:00:00.000'", "1");
    insert_usage(1, 5, "'2026-03-31 23:59:59.999'", "1");
    own = server;
    server = shared;
    mariadb_use_limited(&own, "SELECT");
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        set_clock(&own, cases[i].now);
        struct db *then = db_new(own.config);
        ck_assert_int_eq(ledger_read_summary(then, 1, 5, &sum), ERR_OK);
        ck_assert_msg(sum.account_today.requests == cases[i].today &&
                          sum.account_month.requests == cases[i].month,
                      "%s: %lld, %lld", cases[i].now, (long long)sum.account_today.requests,
                      (long long)sum.account_month.requests);
        db_free(then);
    }
    mariadb_stop(&own);
}
END_TEST

/* One table after the other cannot be read: half a summary is none. */
START_TEST(a_statement_that_fails_makes_it_unavailable)
{
    static const char *const tables[] = {"leases", "checkpoints", "upkeep", "usage_daily",
                                         "usage_log"};
    insert_usage(1, 5, "UTC_TIMESTAMP(3)", "1");
    sum.balance_nusd = 77;
    for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++) {
        mariadb_exec(&server, "RENAME TABLE %s TO away", tables[i]);
        ck_assert_int_eq(ledger_read_summary(db, 1, 5, &sum), ERR_UNAVAILABLE);
        ck_assert_int_eq(sum.balance_nusd, 77);
        mariadb_exec(&server, "RENAME TABLE away TO %s", tables[i]);
    }
    ck_assert_int_eq(ledger_read_summary(db, 1, 5, &sum), ERR_OK);
    ck_assert_int_eq(sum.account_month.requests, 1);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("ledger");
    TCase *tc = tcase_create("ledger");
    tcase_set_timeout(tc, 30);
    tcase_add_checked_fixture(tc, setup, teardown);
    suite_add_tcase(suite, tc);
    tcase_add_test(tc, an_account_without_rows_has_nothing);
    tcase_add_test(tc, balance_is_the_last_checkpoint_plus_the_rows_that_none_has_counted);
    tcase_add_test(tc, spend_is_of_this_day_and_month_of_the_account_and_of_the_key);
    tcase_add_test(tc, a_request_is_refunded_once);
    tcase_add_test(tc, days_before_the_mark_are_read_from_their_sums);
    tcase_add_test(tc, a_mark_of_another_month_or_of_tomorrow_is_put_right);
    tcase_add_test(tc, without_a_database_it_is_unavailable);
    tcase_add_test(tc, the_day_and_the_month_begin_by_the_clock_of_the_database);
    tcase_add_test(tc, a_statement_that_fails_makes_it_unavailable);
    SRunner *runner = srunner_create(suite);
    mariadb_start(&server);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    mariadb_stop(&server);
    return failed ? 1 : 0;
}
