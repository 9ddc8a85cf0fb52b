/* Roll-ups, partitions and retention: what happens to usage_log as time goes by, and that the books still agree. */
#include "db/rollup.h"

#include "db/calendar.h"
#include "db/partition.h"
#include "db/reconcile.h"
#include "db/retention.h"
#include "tests/unit/mariadb.h"

#include <check.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct mariadb server;
static struct db *db;
static int64_t today;

static void setup(void)
{
    mariadb_fresh(&server);
    mariadb_exec(&server, "INSERT INTO accounts (id, name) VALUES (1, 'a'), (2, 'b')");
    db = db_new(server.config);
    db_set_read_timeout(db, 60000);
    today = calendar_day_of_ms(clock_wall_ms());
}

static void teardown(void)
{
    db_free(db);
}

/* A request at a moment, and its charge. */
static void put_at(int64_t wall_ms, int account, const char *model, const char *cost)
{
    static int n;
    char floor[ULID_FLOOR_SIZE];
    ulid_floor(floor, wall_ms);
    mariadb_exec(&server,
                 "INSERT INTO usage_log (request_id, account_id, api_key_id, group_id, endpoint, "
                 "model, client_format, status, input_tokens, output_tokens, cost,"
                 " price_lines, process_id, created_at) VALUES ('%s%016d', %d, %d, 1, 'x', '%s', "
                 "'x', 'ok', 10, 3, %s,"
                 " '[{\"unit\":\"request\",\"count\":1,\"per\":1,\"amount\":\"%s\"}]', 'p', "
                 "UTC_TIMESTAMP(3));"
                 "INSERT INTO ledger (account_id, kind, amount) VALUES (%d, 'usage', -%s)",
                 floor, ++n, account, account * 10, model, cost, cost, account, cost);
}

static void put(int64_t day, int account, const char *model, const char *cost)
{
    put_at(day * CALENDAR_DAY_MS + 1000, account, model, cost);
}

static void run_all(void)
{
    struct chores *chores = chores_new(server.config);
    struct chores_options options = {.even_early = true};
    int failed = -1;
    ck_assert_int_eq(chores_run(chores, &options, &failed), ERR_OK);
    ck_assert_msg(
        !failed, "%s",
        mariadb_value(&server,
                      "SELECT GROUP_CONCAT(name, ': ', outcome SEPARATOR '; ') FROM upkeep"));
    chores_free(chores);
}

static int64_t differences(void)
{
    int64_t all = 0;
    for (const struct reconcile_check *c = reconcile_checks; c->name; c++) {
        int64_t n = -1;
        ck_assert_int_eq(reconcile_count(db, c->view, &n), ERR_OK);
        all += n;
    }
    return all;
}

static const char *daily(void)
{
    return mariadb_value(
        &server, "SELECT GROUP_CONCAT(DATEDIFF(UTC_DATE(), day), '/', account_id, '/', api_key_id, "
                 "'/', model, '/', is_dropped, '=', requests, '*', cost"
                 " ORDER BY day, account_id, model, is_dropped SEPARATOR ' ') FROM usage_daily");
}

/* ---- days ---- */

START_TEST(a_day_is_summed_by_account_key_and_model_from_its_first_to_its_last_millisecond)
{
    int64_t rows = 0, day = today - 1;
    put_at(day * CALENDAR_DAY_MS - 1, 1, "m", "64");
    put_at(day * CALENDAR_DAY_MS, 1, "m", "1");
    put_at((day + 1) * CALENDAR_DAY_MS - 1, 1, "m", "2");
    put_at((day + 1) * CALENDAR_DAY_MS, 1, "m", "128");
    put(day, 1, "n", "4");
    put(day, 2, "m", "8");
    ck_assert_int_eq(rollup_day(db, day, &rows), ERR_OK);
    ck_assert_int_eq(rows, 4);
    ck_assert_str_eq(daily(),
                     "1/1/10/m/0=2*3.000000000 1/1/10/n/0=1*4.000000000 1/2/20/m/0=1*8.000000000");
    ck_assert_str_eq(mariadb_value(&server, "SELECT CONCAT_WS(' ', input_tokens, output_tokens, "
                                            "failed) FROM usage_daily WHERE requests = 2"),
                     "20 6 0");
    ck_assert_int_eq(differences(), 0);
}
END_TEST

START_TEST(summing_a_day_again_changes_nothing)
{
    int64_t rows = 0;
    put(today - 1, 1, "m", "1");
    put(today - 1, 2, "m", "2");
    ck_assert_int_eq(rollup_day(db, today - 1, &rows), ERR_OK);
    char first[256];
    snprintf(first, sizeof(first), "%s", daily());
    ck_assert_int_eq(rollup_day(db, today - 1, &rows), ERR_OK);
    ck_assert_int_eq(rows, 2);
    ck_assert_str_eq(daily(), first);
}
END_TEST

START_TEST(all_days_that_ended_are_summed_and_today_is_not)
{
    put(today - 400, 1, "m", "1");
    put(today - 3, 1, "m", "2");
    put(today - 2, 1, "m", "3");
    put_at(clock_wall_ms(), 1, "m", "4");
    run_all();
    ck_assert_str_eq(
        daily(), "400/1/10/m/0=1*1.000000000 3/1/10/m/0=1*2.000000000 2/1/10/m/0=1*3.000000000");
    int64_t behind = mariadb_number(
        &server, "SELECT DATEDIFF(UTC_DATE(), mark) FROM upkeep WHERE name = 'rollup'");
    ck_assert(behind == 0 || behind == 1); /* 1: in the first ten minutes of a day */
    ck_assert_int_eq(differences(), 0);
}
END_TEST

START_TEST(a_day_that_gets_late_rows_is_summed_again_and_others_are_left_alone)
{
    put(today - 20, 1, "m", "1");
    put(today - 10, 1, "m", "2");
    run_all();
    mariadb_exec(&server, "UPDATE usage_days SET rolled_at = '2020-01-01'");
    put(today - 20, 1, "m", "5");
    put(today - 15, 2, "m", "7");
    ck_assert_int_eq(differences(), 0); /* late rows are no difference */
    run_all();
    ck_assert_str_eq(
        daily(), "20/1/10/m/0=2*6.000000000 15/2/20/m/0=1*7.000000000 10/1/10/m/0=1*2.000000000");
    ck_assert_int_eq(
        mariadb_number(&server, "SELECT COUNT(*) FROM usage_days WHERE rolled_at = '2020-01-01'"),
        1);
    ck_assert_int_eq(differences(), 0);
}
END_TEST

START_TEST(an_id_that_is_no_ulid_stops_nothing)
{
    put(today - 5, 1, "m", "1");
    mariadb_exec(&server, "UPDATE usage_log SET request_id = 'rows by hand'; DELETE FROM ledger");
    put(today - 3, 1, "m", "2");
    run_all();
    ck_assert_str_eq(daily(), "3/1/10/m/0=1*2.000000000");
}
END_TEST

struct roll_race {
    atomic_bool is_over;
    atomic_int done, failed;
};

static void *roll_main(void *arg)
{
    struct roll_race *r = arg;
    struct db *own = db_new(server.config);
    while (!atomic_load(&r->is_over)) {
        int64_t rows = 0;
        enum err e = rollup_day(own, today - 1, &rows);
        if (!e)
            atomic_fetch_add(&r->done, 1);
        else if (e != ERR_DB_RETRY)
            atomic_fetch_add(&r->failed, 1);
    }
    db_free(own);
    return NULL;
}

START_TEST(two_leaders_who_sum_a_day_while_rows_come_agree_in_the_end)
{
    struct roll_race r = {0};
    pthread_t threads[2];
    int64_t rows = 0;
    for (size_t i = 0; i < 2; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, roll_main, &r), 0);
    for (int i = 0; i < 300; i++)
        put(today - 1, 1 + i % 2, "m", "0.5");
    atomic_store(&r.is_over, true);
    for (size_t i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    ck_assert_int_eq(atomic_load(&r.failed), 0);
    ck_assert_int_gt(atomic_load(&r.done), 2);
    ck_assert_int_eq(rollup_day(db, today - 1, &rows), ERR_OK);
    ck_assert_int_eq(rows, 300);
    ck_assert_str_eq(daily(), "1/1/10/m/0=150*75.000000000 1/2/20/m/0=150*75.000000000");
}
END_TEST

/* ---- months ---- */

static int64_t ms_of(int64_t year, int64_t month, int64_t day)
{
    return (calendar_first_day(year * 12 + month - 1) + day - 1) * CALENDAR_DAY_MS;
}

static const char *partitions(void)
{
    return mariadb_value(&server,
                         "SELECT GROUP_CONCAT(partition_name ORDER BY partition_ordinal_position "
                         "SEPARATOR ' ') FROM information_schema.partitions"
                         " WHERE table_schema = DATABASE() AND table_name = 'usage_log'");
}

START_TEST(months_are_made_three_ahead_over_the_end_of_a_year_and_once)
{
    int made = -1;
    ck_assert_int_eq(partition_ensure(db, ms_of(2026, 11, 30) + CALENDAR_DAY_MS - 1, false, &made),
                     ERR_OK);
    ck_assert_int_eq(made, 4);
    ck_assert_str_eq(partitions(), "p202611 p202612 p202701 p202702 p_max");
    ck_assert_int_eq(partition_ensure(db, ms_of(2026, 11, 30) + CALENDAR_DAY_MS - 1, false, &made),
                     ERR_OK);
    ck_assert_int_eq(made, 0);
    ck_assert_int_eq(partition_ensure(db, ms_of(2026, 12, 1), false, &made), ERR_OK);
    ck_assert_int_eq(made, 1);
    ck_assert_str_eq(partitions(), "p202611 p202612 p202701 p202702 p202703 p_max");
}
END_TEST

static long long rows_in(const char *partition)
{
    return mariadb_number(&server, "SELECT COUNT(*) FROM usage_log PARTITION (%s)", partition);
}

START_TEST(the_last_millisecond_of_a_leap_day_is_in_february_and_the_next_in_march)
{
    int made = 0;
    ck_assert_int_eq(partition_ensure(db, ms_of(2028, 1, 31), false, &made), ERR_OK);
    put_at(ms_of(2028, 2, 29) + CALENDAR_DAY_MS - 1, 1, "m", "1");
    put_at(ms_of(2028, 3, 1), 1, "m", "1");
    put_at(ms_of(2028, 2, 1), 1, "m", "1");
    put_at(ms_of(2028, 2, 1) - 1, 1, "m", "1");
    put_at(ms_of(2028, 5, 1), 1, "m", "1");
    ck_assert_int_eq(rows_in("p202801"), 1);
    ck_assert_int_eq(rows_in("p202802"), 2);
    ck_assert_int_eq(rows_in("p202803"), 1);
    ck_assert_int_eq(rows_in("p_max"), 1);
    ck_assert_int_eq(
        mariadb_number(&server, "SELECT COUNT(*) FROM v_problems WHERE subject = 'p_max'"), 1);
}
END_TEST

START_TEST(rows_that_are_there_already_get_their_months)
{
    int made = 0;
    put_at(ms_of(2026, 9, 15), 1, "m", "1");
    put_at(ms_of(2026, 11, 15), 1, "m", "1");
    ck_assert_int_eq(partition_ensure(db, ms_of(2026, 11, 20), false, &made), ERR_OK);
    ck_assert_str_eq(partitions(), "p202609 p202610 p202611 p202612 p202701 p202702 p_max");
    ck_assert_int_eq(rows_in("p202609"), 1);
    ck_assert_int_eq(rows_in("p202611"), 1);
    ck_assert_int_eq(
        mariadb_number(&server, "SELECT COUNT(*) FROM v_problems WHERE subject = 'p_max'"), 0);
}
END_TEST

START_TEST(an_absurd_clock_makes_no_thousand_partitions)
{
    int made = 0;
    put_at(1000, 1, "m", "1");
    put_at(ms_of(2090, 1, 1), 1, "m", "1");
    ck_assert_int_eq(partition_ensure(db, ms_of(2026, 11, 20), false, &made), ERR_OK);
    ck_assert_int_eq(made, 124);
    ck_assert_int_eq(rows_in("p_max"), 1);
}
END_TEST

START_TEST(many_rows_are_copied_only_when_an_admin_says_so)
{
    int made = 0;
    put_at(ms_of(2026, 11, 15), 1, "m", "1");
    mariadb_exec(
        &server,
        "CREATE TEMPORARY TABLE t AS SELECT * FROM usage_log; ALTER TABLE t DROP COLUMN "
        "request_id; INSERT INTO usage_log SELECT CONCAT('01M', LPAD(s.seq, 23, '0')), t.* "
        "FROM t JOIN seq_1_to_%d s",
        PARTITION_ROWS_MAX);
    ck_assert_int_eq(partition_ensure(db, ms_of(2026, 11, 20), false, &made), ERR_FULL);
    ck_assert_str_eq(partitions(), "p_max");
    ck_assert_int_eq(partition_ensure(db, ms_of(2026, 11, 20), true, &made), ERR_OK);
    ck_assert_int_eq(rows_in("p_max"), 0);
}
END_TEST

START_TEST(somebodys_open_transaction_makes_it_wait_a_second_only)
{
    int made = 0;
    mariadb_exec(&server, "SET autocommit = 0; SELECT COUNT(*) FROM usage_log");
    int64_t start_ms = clock_mono_ms();
    ck_assert_int_eq(partition_ensure(db, ms_of(2026, 11, 20), false, &made), ERR_DB_RETRY);
    ck_assert_int_lt(clock_mono_ms() - start_ms, 5000);
    mariadb_exec(&server, "COMMIT; SET autocommit = 1");
    ck_assert_int_eq(partition_ensure(db, ms_of(2026, 11, 20), false, &made), ERR_OK);
}
END_TEST

START_TEST(partitions_of_an_admin_are_left_alone)
{
    int made = 0;
    mariadb_exec(&server, "ALTER TABLE usage_log REMOVE PARTITIONING");
    ck_assert_int_eq(partition_ensure(db, ms_of(2026, 11, 20), false, &made), ERR_FORMAT);
}
END_TEST

/* ---- retention ---- */

/* Days in the month before this one and in the one before that. */
static int64_t last_month(void)
{
    return calendar_first_day(calendar_month_of_day(today - 3)) - 2;
}
static int64_t month_before(void)
{
    return calendar_first_day(calendar_month_of_day(last_month())) - 2;
}

static void three_months(void)
{
    put(month_before(), 1, "m", "1");
    put(month_before(), 2, "m", "2");
    put(last_month(), 1, "m", "4");
    put_at(clock_wall_ms(), 1, "m", "8");
    mariadb_exec(&server, "INSERT INTO ledger (account_id, kind, amount) VALUES (1, 'recharge', "
                          "100), (2, 'recharge', 100)");
}

static void keep(const char *months)
{
    mariadb_exec(&server, "UPDATE settings SET value = '%s' WHERE name = 'usage_keep_months'",
                 months);
}

static const char *state(void)
{
    return mariadb_value(
        &server, "SELECT CONCAT((SELECT COUNT(*) FROM usage_log), ' rows, ', (SELECT COUNT(*) FROM "
                 "usage_drops), ' drops, ',"
                 " (SELECT COALESCE(SUM(cost), 0) FROM usage_daily WHERE is_dropped), ' dropped, ',"
                 " (SELECT SUM(cost) FROM usage_daily), ' in all, ',"
                 " (SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = DATABASE() "
                 "AND table_name = 'usage_dropping'), ' tables')");
}

START_TEST(without_a_limit_every_month_is_kept)
{
    three_months();
    run_all();
    ck_assert_str_eq(state(), "4 rows, 0 drops, 0.000000000 dropped, 7.000000000 in all, 0 tables");
}
END_TEST

START_TEST(of_a_dropped_month_the_sums_stay_and_the_books_still_agree)
{
    three_months();
    keep("1");
    run_all();
    ck_assert_str_eq(state(), "2 rows, 1 drops, 3.000000000 dropped, 7.000000000 in all, 0 tables");
    ck_assert_int_eq(differences(), 0);
    keep("0");
    run_all();
    ck_assert_str_eq(state(), "1 rows, 2 drops, 7.000000000 dropped, 7.000000000 in all, 0 tables");
    ck_assert_int_eq(differences(), 0);
    run_all();
    ck_assert_str_eq(state(), "1 rows, 2 drops, 7.000000000 dropped, 7.000000000 in all, 0 tables");
    ck_assert_int_eq(differences(), 0);
    ck_assert_str_eq(mariadb_value(&server, "SELECT CONCAT_WS(' ', balance, (SELECT COUNT(*) FROM "
                                            "ledger)) FROM v_account_balance WHERE account_id = 1"),
                     "87.000000000 6");
}
END_TEST

START_TEST(a_row_that_comes_after_its_month_was_dropped_is_counted)
{
    three_months();
    keep("1");
    run_all();
    put(month_before(), 1, "m", "16");
    ck_assert_int_eq(differences(), 0);
    run_all();
    ck_assert_int_eq(differences(), 0);
    ck_assert_str_eq(state(),
                     "3 rows, 1 drops, 3.000000000 dropped, 23.000000000 in all, 0 tables");
    keep("0");
    run_all();
    ck_assert_str_eq(state(),
                     "1 rows, 2 drops, 23.000000000 dropped, 23.000000000 in all, 0 tables");
    ck_assert_int_eq(differences(), 0);
}
END_TEST

START_TEST(a_month_of_books_that_do_not_agree_stays)
{
    three_months();
    keep("0");
    mariadb_exec(&server,
                 "INSERT INTO ledger (account_id, kind, amount) VALUES (2, 'usage', -0.000000001)");
    struct chores *chores = chores_new(server.config);
    struct chores_options options = {.even_early = true};
    int failed = 0;
    ck_assert_int_eq(chores_run(chores, &options, &failed), ERR_OK);
    ck_assert_int_eq(failed, 1);
    chores_free(chores);
    ck_assert_str_eq(mariadb_value(&server, "SELECT outcome FROM upkeep WHERE name = 'retention'"),
                     "refused: 1 differences in v_reconcile_usage");
    ck_assert_str_eq(state(), "4 rows, 0 drops, 0.000000000 dropped, 7.000000000 in all, 0 tables");
}
END_TEST

START_TEST(a_limit_that_is_no_number_drops_nothing)
{
    three_months();
    keep("twelve");
    struct chores *chores = chores_new(server.config);
    struct chores_options options = {.even_early = true};
    int failed = 0;
    ck_assert_int_eq(chores_run(chores, &options, &failed), ERR_OK);
    ck_assert_int_eq(failed, 1);
    chores_free(chores);
    ck_assert_str_eq(state(), "4 rows, 0 drops, 0.000000000 dropped, 7.000000000 in all, 0 tables");
}
END_TEST

/* As a run that died leaves it: the rows are out of usage_log and in no sum yet. */
static void take_out(int64_t day)
{
    char name[CALENDAR_NAME_SIZE];
    mariadb_exec(&server, "ALTER TABLE usage_log CONVERT PARTITION %s TO TABLE usage_dropping",
                 calendar_print_month(name, calendar_month_of_day(day)));
}

START_TEST(a_run_that_died_before_the_sums_is_finished)
{
    bool is_dropping = false;
    three_months();
    run_all();
    take_out(month_before());
    ck_assert_int_eq(reconcile_is_dropping(db, &is_dropping), ERR_OK);
    ck_assert(is_dropping);
    ck_assert_int_gt(differences(), 0);
    run_all();
    ck_assert_str_eq(state(), "2 rows, 1 drops, 3.000000000 dropped, 7.000000000 in all, 0 tables");
    ck_assert_int_eq(differences(), 0);
    ck_assert_int_eq(reconcile_is_dropping(db, &is_dropping), ERR_OK);
    ck_assert(!is_dropping);
}
END_TEST

START_TEST(a_run_that_died_after_the_sums_does_not_count_them_twice)
{
    three_months();
    run_all();
    take_out(month_before());
    mariadb_exec(
        &server,
        "CREATE TABLE again LIKE usage_dropping; INSERT INTO again SELECT * FROM usage_dropping");
    run_all();
    mariadb_exec(&server, "RENAME TABLE again TO usage_dropping");
    run_all();
    ck_assert_str_eq(state(), "2 rows, 1 drops, 3.000000000 dropped, 7.000000000 in all, 0 tables");
    ck_assert_int_eq(differences(), 0);
}
END_TEST

/* ---- what does not agree is found ---- */

/* clang-format off */
static const struct {
    const char *check;
    const char *sql;
} damages[] = {
    {"checkpoints", "UPDATE checkpoints SET balance = balance + 0.000000001 WHERE account_id = 2"},
    {"checkpoints", "UPDATE ledger SET amount = amount + 0.000000001 WHERE kind = 'recharge' AND account_id = 2"},
    {"checkpoints", "UPDATE ledger SET checkpoint_id = (SELECT MAX(id) FROM checkpoints WHERE account_id = 1) WHERE account_id = 2 AND kind = 'recharge'"},
    {"usage", "DELETE FROM usage_log WHERE account_id = 2"},
    {"usage", "UPDATE usage_log SET cost = cost + 0.000000001 WHERE account_id = 2"},
    {"usage", "INSERT INTO ledger (account_id, kind, amount) VALUES (2, 'usage', -1)"},
    {"leases", "INSERT INTO processes (id, host, seen_at) VALUES ('q', 'h', UTC_TIMESTAMP(3) - INTERVAL 2 MINUTE); INSERT INTO leases (process_id, account_id, amount) VALUES ('q', 2, 1)"},
    {"leases", "SET foreign_key_checks = 0; INSERT INTO leases (process_id, account_id, amount) VALUES ('none', 2, 1); SET foreign_key_checks = 1"},
    {"leases", "INSERT INTO processes (id, host) VALUES ('q', 'h'); INSERT INTO leases (process_id, account_id, amount) VALUES ('q', 2, 98.000000001)"},
    {"costs", "UPDATE usage_log SET shortfall = 0.000000001 WHERE account_id = 2"},
    {"costs", "UPDATE usage_log SET price_lines = '[]' WHERE account_id = 2"},
    {"daily", "UPDATE usage_daily SET cost = cost + 0.000000001 WHERE account_id = 2"},
    {"daily", "DELETE FROM usage_daily WHERE account_id = 2"},
    {"daily", "DELETE FROM usage_log WHERE account_id = 2"},
};
/* clang-format on */

static void count_difference(void *arg, const struct reconcile_difference *d)
{
    int *n = arg;
    ck_assert(d->subject[0] && d->expected[0] && d->found[0]);
    ck_assert_str_ne(d->expected, d->found);
    ++*n;
}

START_TEST(each_damage_is_found)
{
    three_months();
    mariadb_exec(&server, "UPDATE ledger SET created_at = '2020-01-01'");
    run_all();
    ck_assert_int_eq(differences(), 0);
    mariadb_exec(&server, "%s", damages[_i].sql);
    for (const struct reconcile_check *c = reconcile_checks; c->name; c++) {
        int n = 0, told = 0;
        ck_assert_int_eq(reconcile_run(db, c, count_difference, &told, &n), ERR_OK);
        ck_assert_int_eq(n, told);
        if (!strcmp(c->name, damages[_i].check))
            ck_assert_int_gt(n, 0);
    }
}
END_TEST

START_TEST(the_checks_need_no_views)
{
    three_months();
    run_all();
    mariadb_exec(&server,
                 "DROP VIEW v_reconcile_checkpoints, v_reconcile_usage, v_reconcile_leases, "
                 "v_reconcile_costs, v_reconcile_daily, v_usage_recomputed");
    ck_assert_int_eq(differences(), 0);
    mariadb_exec(&server, "UPDATE usage_log SET shortfall = 1 WHERE account_id = 2");
    ck_assert_int_eq(differences(), 1);
}
END_TEST

START_TEST(there_is_no_check_of_another_name)
{
    int64_t n = 7;
    ck_assert_int_eq(reconcile_count(db, "v_nothing", &n), ERR_NOT_FOUND);
    ck_assert_int_eq(n, 7);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("rollup");
    TCase *tc = tcase_create("rollup");
    tcase_set_timeout(tc, 60);
    tcase_add_checked_fixture(tc, setup, teardown);
    suite_add_tcase(suite, tc);
    tcase_add_test(tc,
                   a_day_is_summed_by_account_key_and_model_from_its_first_to_its_last_millisecond);
    tcase_add_test(tc, summing_a_day_again_changes_nothing);
    tcase_add_test(tc, all_days_that_ended_are_summed_and_today_is_not);
    tcase_add_test(tc, a_day_that_gets_late_rows_is_summed_again_and_others_are_left_alone);
    tcase_add_test(tc, an_id_that_is_no_ulid_stops_nothing);
    tcase_add_test(tc, two_leaders_who_sum_a_day_while_rows_come_agree_in_the_end);
    tcase_add_test(tc, months_are_made_three_ahead_over_the_end_of_a_year_and_once);
    tcase_add_test(tc, the_last_millisecond_of_a_leap_day_is_in_february_and_the_next_in_march);
    tcase_add_test(tc, rows_that_are_there_already_get_their_months);
    tcase_add_test(tc, an_absurd_clock_makes_no_thousand_partitions);
    tcase_add_test(tc, many_rows_are_copied_only_when_an_admin_says_so);
    tcase_add_test(tc, somebodys_open_transaction_makes_it_wait_a_second_only);
    tcase_add_test(tc, partitions_of_an_admin_are_left_alone);
    tcase_add_test(tc, without_a_limit_every_month_is_kept);
    tcase_add_test(tc, of_a_dropped_month_the_sums_stay_and_the_books_still_agree);
    tcase_add_test(tc, a_row_that_comes_after_its_month_was_dropped_is_counted);
    tcase_add_test(tc, a_month_of_books_that_do_not_agree_stays);
    tcase_add_test(tc, a_limit_that_is_no_number_drops_nothing);
    tcase_add_test(tc, a_run_that_died_before_the_sums_is_finished);
    tcase_add_test(tc, a_run_that_died_after_the_sums_does_not_count_them_twice);
    tcase_add_loop_test(tc, each_damage_is_found, 0, (int)(sizeof(damages) / sizeof(damages[0])));
    tcase_add_test(tc, the_checks_need_no_views);
    tcase_add_test(tc, there_is_no_check_of_another_name);
    SRunner *runner = srunner_create(suite);
    mariadb_start(&server);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    mariadb_stop(&server);
    return failed ? 1 : 0;
}
