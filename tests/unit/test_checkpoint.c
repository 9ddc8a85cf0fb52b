#include "db/checkpoint.h"

#include "base/clock.h"
#include "db/chores.h"
#include "db/money_ops.h"
#include "db/reconcile.h"
#include "tests/unit/invariants.h"
#include "tests/unit/mariadb.h"

#include <check.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define ACCOUNT               1
#define HAMMER_MS             3000
#define HAMMER_AVAILABLE_NUSD INT64_C(900000000000)

static struct mariadb server;
static struct db *db;

static void setup(void)
{
    mariadb_fresh(&server);
    mariadb_exec(&server, "INSERT INTO accounts (id, name) VALUES (1, 'a'), (2, 'b')");
    db = db_new(server.config);
    db_set_read_timeout(db, 30000);
}

static void teardown(void)
{
    db_free(db);
}

static void ledger_rows(int account, int n, const char *amount)
{
    mariadb_exec(&server,
                 "INSERT INTO ledger (account_id, kind, amount) SELECT %d, 'adjustment', %s FROM "
                 "seq_1_to_%d",
                 account, amount, n);
}

/* Until nothing is left to mark. */
static size_t checkpoint_whole(int64_t account)
{
    size_t all = 0, marked = 0;
    do {
        ck_assert_int_eq(checkpoint_account(db, account, &marked), ERR_OK);
        all += marked;
    } while (marked);
    return all;
}

static void assert_sound(void)
{
    int64_t differences = -1;
    const char *broken = invariants_broken(&server, 0);
    ck_assert_msg(!broken, "%s", broken);
    ck_assert_int_eq(reconcile_count(db, "v_reconcile_checkpoints", &differences), ERR_OK);
    ck_assert_int_eq(differences, 0);
}

/* ---- one leader ---- */

START_TEST(a_checkpoint_marks_exactly_the_rows_that_it_adds)
{
    size_t marked = 77;
    ledger_rows(1, 3, "2.000000001");
    ledger_rows(2, 2, "100");
    ck_assert_int_eq(checkpoint_account(db, 1, &marked), ERR_OK);
    ck_assert_uint_eq(marked, 3);
    ck_assert_str_eq(mariadb_value(&server, "SELECT balance FROM checkpoints WHERE account_id = 1"),
                     "6.000000003");
    ck_assert_int_eq(
        mariadb_number(
            &server, "SELECT COUNT(*) FROM ledger WHERE checkpoint_id IS NULL AND account_id = 1"),
        0);
    ck_assert_int_eq(
        mariadb_number(
            &server, "SELECT COUNT(*) FROM ledger WHERE checkpoint_id IS NULL AND account_id = 2"),
        2);
    assert_sound();
}
END_TEST

START_TEST(the_next_one_builds_on_it_and_without_rows_there_is_none)
{
    size_t marked = 77;
    ledger_rows(1, 2, "5");
    ck_assert_uint_eq(checkpoint_whole(1), 2);
    ck_assert_int_eq(checkpoint_account(db, 1, &marked), ERR_OK);
    ck_assert_uint_eq(marked, 0);
    ledger_rows(1, 1, "-9.999999999");
    ck_assert_uint_eq(checkpoint_whole(1), 1);
    ck_assert_str_eq(
        mariadb_value(&server,
                      "SELECT GROUP_CONCAT(balance ORDER BY id SEPARATOR ' ') FROM checkpoints"),
        "10.000000000 0.000000001");
    ck_assert_int_eq(
        mariadb_number(
            &server,
            "SELECT b.previous_id = a.id FROM checkpoints a JOIN checkpoints b ON b.id > a.id"),
        1);
    assert_sound();
}
END_TEST

START_TEST(many_rows_are_marked_in_bounded_steps)
{
    ledger_rows(1, 2 * CHECKPOINT_ROWS + 1, "1");
    ck_assert_uint_eq(checkpoint_whole(1), 2 * CHECKPOINT_ROWS + 1);
    ck_assert_int_eq(mariadb_number(&server, "SELECT COUNT(*) FROM checkpoints"), 3);
    assert_sound();
}
END_TEST

START_TEST(a_row_that_an_admin_has_not_committed_is_neither_waited_for_nor_counted)
{
    size_t marked = 0;
    ledger_rows(1, 2, "1");
    mariadb_exec(&server, "SET autocommit = 0; INSERT INTO ledger (account_id, kind, amount) "
                          "VALUES (1, 'recharge', 50)");
    int64_t start_ms = clock_mono_ms();
    ck_assert_int_eq(checkpoint_account(db, 1, &marked), ERR_OK);
    ck_assert_int_lt(clock_mono_ms() - start_ms, 900);
    ck_assert_uint_eq(marked, 2);
    mariadb_exec(&server, "COMMIT; SET autocommit = 1");
    ck_assert_int_eq(
        mariadb_number(&server, "SELECT COUNT(*) FROM ledger WHERE checkpoint_id IS NULL"), 1);
    assert_sound();
    ck_assert_uint_eq(checkpoint_whole(1), 1);
    assert_sound();
}
END_TEST

START_TEST(two_checkpoints_cannot_follow_the_same_one)
{
    ledger_rows(1, 1, "1");
    ck_assert_uint_eq(checkpoint_whole(1), 1);
    ck_assert_uint_eq(
        mariadb_try(&server,
                    "INSERT INTO checkpoints (account_id, previous_id, balance) VALUES (1, 0, 9)"),
        1062);
}
END_TEST

START_TEST(a_balance_beyond_the_column_is_refused_and_nothing_is_marked)
{
    size_t marked = 5;
    ledger_rows(1, 2, "999999999.999999999");
    ck_assert_int_eq(checkpoint_account(db, 1, &marked), ERR_RANGE);
    ck_assert_uint_eq(marked, 5);
    ck_assert_int_eq(mariadb_number(&server, "SELECT COUNT(*) FROM checkpoints"), 0);
    ck_assert_int_eq(
        mariadb_number(&server, "SELECT COUNT(*) FROM ledger WHERE checkpoint_id IS NULL"), 2);
}
END_TEST

/* Runs what is due now. */
static void run_chores(bool even_early)
{
    struct chores *chores = chores_new(server.config);
    struct chores_options options = {.even_early = even_early};
    int failed = -1;
    ck_assert_ptr_nonnull(chores);
    ck_assert_int_eq(chores_run(chores, &options, &failed), ERR_OK);
    ck_assert_int_eq(failed, 0);
    chores_free(chores);
}

START_TEST(accounts_with_many_rows_or_with_old_ones_get_one_and_others_do_not)
{
    mariadb_exec(&server, "INSERT INTO accounts (id, name) VALUES (3, 'c')");
    ledger_rows(1, CHECKPOINT_ROWS + 1, "1");
    ledger_rows(2, CHECKPOINT_ROWS, "1");
    mariadb_exec(&server, "INSERT INTO ledger (account_id, kind, amount, created_at) VALUES (3, "
                          "'recharge', 4, UTC_TIMESTAMP(3) - INTERVAL 25 HOUR)");
    run_chores(true);
    ck_assert_str_eq(mariadb_value(&server, "SELECT GROUP_CONCAT(account_id, '=', balance ORDER BY "
                                            "id SEPARATOR ' ') FROM checkpoints"),
                     "1=500.000000000 1=501.000000000 3=4.000000000");
    assert_sound();
}
END_TEST

/* ---- against everything that runs beside it ---- */

struct hammer {
    struct config *config;
    atomic_bool is_over;
    atomic_int flushes, takes, marks, admin_rows;
    atomic_int exact;    /* takes that saw what there was */
    atomic_int too_much; /* takes that saw more */
    atomic_int failed;   /* checkpoints */
};

static const char sql_ledger[] =
    "INSERT INTO ledger (account_id, kind, amount) VALUES (1, 'usage', -0.000000001)";
static const char sql_usage[] =
    "INSERT INTO usage_log (request_id, account_id, api_key_id, group_id, endpoint, model, "
    "client_format, status, cost, process_id, created_at)"
    " VALUES (?, 1, 1, 1, 'x', 'x', 'x', 'ok', 0.000000001, 'p', UTC_TIMESTAMP(3))";
static const char sql_lower[] = "UPDATE leases SET amount = GREATEST(amount - 0.000000001, 0), n = "
                                "n + 1 WHERE process_id = 'p' AND account_id = 1";

/* As a segment's flush: usage, ledger and lease in one transaction, so that balance - leases stays as it is. */
static enum err flush_fn(struct db_conn *c, void *arg)
{
    char id[ULID_SIZE];
    ulid_make(id);
    struct db_value v = DB_STRZ(id);
    (void)arg;
    enum err e = db_run(c, sql_usage, &v, 1, NULL);
    if (!e)
        e = db_run(c, sql_ledger, NULL, 0, NULL);
    return e ? e : db_run(c, sql_lower, NULL, 0, NULL);
}

static void *flush_main(void *arg)
{
    struct hammer *h = arg;
    struct db *own = db_new(h->config);
    while (!atomic_load(&h->is_over)) {
        if (!db_transact(own, flush_fn, NULL))
            atomic_fetch_add(&h->flushes, 1);
    }
    db_free(own);
    return NULL;
}

static const char sql_admin[] = "INSERT INTO ledger (account_id, kind, amount) VALUES (1, "
                                "'adjustment', 5), (1, 'adjustment', -5)";

static void *admin_main(void *arg)
{
    struct hammer *h = arg;
    struct db *own = db_new(h->config);
    while (!atomic_load(&h->is_over)) {
        struct db_conn *c = NULL;
        if (db_take(own, &c))
            continue;
        if (!db_run(c, sql_admin, NULL, 0, NULL))
            atomic_fetch_add(&h->admin_rows, 2);
        db_give(own, c);
    }
    db_free(own);
    return NULL;
}

/* Takes that want a little more than there ever is: each is refused, so that nothing changes. What a flush charges while one reads counts twice, hence at most. */
static void *take_main(void *arg)
{
    struct hammer *h = arg;
    struct db *own = db_new(h->config);
    struct money_db_ops ops = money_sql_ops(own);
    const int64_t need_nusd = HAMMER_AVAILABLE_NUSD + 1;
    while (!atomic_load(&h->is_over)) {
        struct lease_take take = {.process = "p",
                                  .account_id = ACCOUNT,
                                  .needs_nusd = &need_nusd,
                                  .needs_n = 1,
                                  .lease_max_nusd = INT64_C(10000000000)};
        enum err e = ops.take(ops.self, &take);
        if (e == ERR_DB_RETRY)
            continue;
        atomic_fetch_add(&h->takes, 1);
        if (e != ERR_NO_FUNDS || take.available_nusd > HAMMER_AVAILABLE_NUSD)
            atomic_fetch_add(&h->too_much, 1);
        if (take.available_nusd == HAMMER_AVAILABLE_NUSD)
            atomic_fetch_add(&h->exact, 1);
    }
    db_free(own);
    return NULL;
}

static void *leader_main(void *arg)
{
    struct hammer *h = arg;
    struct db *own = db_new(h->config);
    while (!atomic_load(&h->is_over)) {
        size_t marked = 0;
        enum err e = checkpoint_account(own, ACCOUNT, &marked);
        if (!e)
            atomic_fetch_add(&h->marks, (int)marked);
        else if (e != ERR_BUSY && e != ERR_DB_RETRY)
            atomic_fetch_add(&h->failed, 1);
    }
    db_free(own);
    return NULL;
}

START_TEST(two_leaders_flushes_admins_and_takes_at_once_never_see_too_much)
{
    static void *(*const mains[])(void *) = {flush_main, flush_main,  admin_main,
                                             take_main,  leader_main, leader_main};
    pthread_t threads[sizeof(mains) / sizeof(mains[0])];
    struct hammer h = {.config = server.config};
    mariadb_exec(&server,
                 "INSERT INTO ledger (account_id, kind, amount) VALUES (1, 'recharge', 1000);"
                 "INSERT INTO processes (id, host) VALUES ('p', 'h');"
                 "INSERT INTO leases (process_id, account_id, amount) VALUES ('p', 1, 100)");
    for (size_t i = 0; i < sizeof(mains) / sizeof(mains[0]); i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, mains[i], &h), 0);
    int64_t end_ms = clock_mono_ms() + HAMMER_MS;
    while (clock_mono_ms() < end_ms)
        assert_sound();
    atomic_store(&h.is_over, true);
    for (size_t i = 0; i < sizeof(mains) / sizeof(mains[0]); i++)
        pthread_join(threads[i], NULL);
    assert_sound();
    ck_assert_int_eq(atomic_load(&h.too_much), 0);
    ck_assert_int_eq(atomic_load(&h.failed), 0);
    ck_assert_int_gt(atomic_load(&h.exact), 0);
    ck_assert_int_gt(atomic_load(&h.flushes), 20);
    ck_assert_int_gt(atomic_load(&h.takes), 20);
    ck_assert_int_gt(atomic_load(&h.admin_rows), 20);
    ck_assert_int_gt(atomic_load(&h.marks), 20);
    ck_assert_int_eq(
        mariadb_number(&server, "SELECT COUNT(*) FROM ledger WHERE checkpoint_id IS NOT NULL"),
        atomic_load(&h.marks));
    checkpoint_whole(1);
    ck_assert_int_eq(mariadb_number(&server, "SELECT COUNT(*) FROM checkpoints a JOIN checkpoints "
                                             "b ON a.previous_id = b.previous_id AND a.id <> b.id"),
                     0);
    assert_sound();
    int64_t differences = -1;
    ck_assert_int_eq(reconcile_count(db, "v_reconcile_usage", &differences), ERR_OK);
    ck_assert_int_eq(differences, 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("checkpoint");
    TCase *tc = tcase_create("checkpoint");
    tcase_set_timeout(tc, 60);
    tcase_add_checked_fixture(tc, setup, teardown);
    suite_add_tcase(suite, tc);
    tcase_add_test(tc, a_checkpoint_marks_exactly_the_rows_that_it_adds);
    tcase_add_test(tc, the_next_one_builds_on_it_and_without_rows_there_is_none);
    tcase_add_test(tc, many_rows_are_marked_in_bounded_steps);
    tcase_add_test(tc, a_row_that_an_admin_has_not_committed_is_neither_waited_for_nor_counted);
    tcase_add_test(tc, two_checkpoints_cannot_follow_the_same_one);
    tcase_add_test(tc, a_balance_beyond_the_column_is_refused_and_nothing_is_marked);
    tcase_add_test(tc, accounts_with_many_rows_or_with_old_ones_get_one_and_others_do_not);
    tcase_add_test(tc, two_leaders_flushes_admins_and_takes_at_once_never_see_too_much);
    SRunner *runner = srunner_create(suite);
    mariadb_start(&server);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    mariadb_stop(&server);
    return failed ? 1 : 0;
}
