#include "db/chores.h"

#include "db/chores_thread.h"
#include "tests/unit/mariadb.h"

#include <check.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define WAIT_MS 10000

static struct mariadb server;
static struct db *db, *other;
static const char one[] = "01AAAAAAAAAAAAAAAAAAAAAAAA", two[] = "01BBBBBBBBBBBBBBBBBBBBBBBB";

static void setup(void)
{
    mariadb_fresh(&server);
    db = db_new(server.config);
    other = db_new(server.config);
}

static void teardown(void)
{
    db_free(db);
    db_free(other);
}

/* ---- who does it ---- */

START_TEST(of_two_takers_one_has_the_task_until_it_is_done_and_due_again)
{
    struct leader a, b;
    ck_assert_int_eq(leader_take(&a, db, "rollup", one, false), ERR_OK);
    ck_assert_int_eq(leader_take(&b, other, "rollup", two, false), ERR_BUSY);
    ck_assert_int_eq(leader_take(&b, other, "rollup", two, true), ERR_BUSY);
    ck_assert_int_eq(leader_take(&b, other, "partition", two, false), ERR_OK);
    ck_assert_int_eq(leader_done(&a, 3600, true, "fine"), ERR_OK);
    ck_assert_int_eq(leader_take(&b, other, "rollup", two, false), ERR_BUSY);
    ck_assert_int_eq(leader_take(&b, other, "rollup", two, true), ERR_OK);
    ck_assert_str_eq(
        mariadb_value(&server,
                      "SELECT CONCAT_WS(' ', holder, outcome, done_at IS NOT NULL, due_at > "
                      "UTC_TIMESTAMP() + INTERVAL 3500 SECOND) FROM upkeep WHERE name = 'rollup'"),
        "01BBBBBBBBBBBBBBBBBBBBBBBB fine 1 1");
}
END_TEST

START_TEST(a_task_that_was_not_done_stays_due_for_another)
{
    struct leader a, b;
    ck_assert_int_eq(leader_take(&a, db, "rollup", one, false), ERR_OK);
    ck_assert_int_eq(leader_done(&a, -1, false, "not me"), ERR_OK);
    ck_assert_int_eq(leader_take(&b, other, "rollup", two, false), ERR_OK);
    ck_assert_int_eq(
        mariadb_number(&server, "SELECT done_at IS NULL FROM upkeep WHERE name = 'rollup'"), 1);
}
END_TEST

START_TEST(a_dead_takers_term_ends_by_the_databases_clock_and_it_cannot_end_anothers)
{
    struct leader a, b;
    ck_assert_int_eq(leader_take(&a, db, "rollup", one, false), ERR_OK);
    mariadb_exec(
        &server,
        "UPDATE upkeep SET until_at = UTC_TIMESTAMP(3) - INTERVAL 1 SECOND WHERE name = 'rollup'");
    a.renewed_ms -= 60000;
    ck_assert_int_eq(leader_renew(&a), ERR_BUSY);
    ck_assert_int_eq(leader_take(&b, other, "rollup", two, false), ERR_OK);
    ck_assert_int_eq(leader_done(&a, 3600, true, "late"), ERR_BUSY);
    ck_assert_str_eq(
        mariadb_value(&server, "SELECT CONCAT(holder, outcome) FROM upkeep WHERE name = 'rollup'"),
        two);
    b.renewed_ms -= 60000;
    usleep(5000); /* the row must change: its end is written to the millisecond */
    ck_assert_int_eq(leader_renew(&b), ERR_OK);
}
END_TEST

START_TEST(renewing_moves_the_end_by_the_databases_clock_and_is_free_when_it_is_early)
{
    struct leader a;
    ck_assert_int_eq(leader_take(&a, db, "rollup", one, false), ERR_OK);
    mariadb_exec(
        &server,
        "UPDATE upkeep SET until_at = UTC_TIMESTAMP(3) + INTERVAL 5 SECOND WHERE name = 'rollup'");
    ck_assert_int_eq(leader_renew(&a), ERR_OK);
    ck_assert_int_eq(mariadb_number(&server, "SELECT until_at < UTC_TIMESTAMP() + INTERVAL 30 "
                                             "SECOND FROM upkeep WHERE name = 'rollup'"),
                     1);
    a.renewed_ms -= 60000;
    ck_assert_int_eq(leader_renew(&a), ERR_OK);
    ck_assert_int_eq(mariadb_number(&server, "SELECT until_at > UTC_TIMESTAMP() + INTERVAL 30 "
                                             "SECOND FROM upkeep WHERE name = 'rollup'"),
                     1);
}
END_TEST

START_TEST(there_is_no_task_of_another_name)
{
    struct leader a;
    ck_assert_int_eq(leader_take(&a, db, "nonsense", one, true), ERR_BUSY);
}
END_TEST

struct race {
    atomic_int taken;
    atomic_int at_once; /* holders at this moment */
    atomic_int worst;
    atomic_bool is_over;
};

static void *race_main(void *arg)
{
    struct race *r = arg;
    struct db *own = db_new(server.config);
    char id[ULID_SIZE];
    ulid_make(id);
    while (!atomic_load(&r->is_over)) {
        struct leader l;
        if (leader_take(&l, own, "rollup", id, true))
            continue;
        int now = atomic_fetch_add(&r->at_once, 1) + 1;
        if (now > atomic_load(&r->worst))
            atomic_store(&r->worst, now);
        atomic_fetch_add(&r->taken, 1);
        usleep(500);
        atomic_fetch_sub(&r->at_once, 1);
        enum err e = leader_done(&l, 0, true, "");
        (void)e;
    }
    db_free(own);
    return NULL;
}

START_TEST(of_many_that_want_it_never_two_have_it)
{
    struct race r = {0};
    pthread_t threads[4];
    for (size_t i = 0; i < 4; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, race_main, &r), 0);
    usleep(1000000);
    atomic_store(&r.is_over, true);
    for (size_t i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    ck_assert_int_eq(atomic_load(&r.worst), 1);
    ck_assert_int_gt(atomic_load(&r.taken), 10);
}
END_TEST

/* ---- doing it ---- */

static int run(const struct chores_options *o, enum err want)
{
    struct chores *chores = chores_new(server.config);
    int failed = -1;
    ck_assert_int_eq(chores_run(chores, o, &failed), want);
    chores_free(chores);
    return failed;
}

START_TEST(a_run_does_what_is_due_and_the_next_one_nothing)
{
    char *told = NULL;
    size_t n = 0;
    struct chores_options o = {.tell = open_memstream(&told, &n)};
    ck_assert_int_eq(run(&o, ERR_OK), 0);
    fflush(o.tell);
    ck_assert_ptr_nonnull(strstr(told, "partition"));
    ck_assert_ptr_nonnull(strstr(told, "4 partitions made"));
    ck_assert_int_eq(
        mariadb_number(
            &server,
            "SELECT COUNT(*) FROM upkeep WHERE done_at IS NULL OR due_at <= UTC_TIMESTAMP(3)"),
        0);
    size_t before = n;
    ck_assert_int_eq(run(&o, ERR_OK), 0);
    fflush(o.tell);
    ck_assert_uint_eq(n, before);
    fclose(o.tell);
    free(told);
}
END_TEST

START_TEST(a_user_who_may_not_change_tables_leaves_it_to_one_who_may)
{
    struct chores_options o = {0};
    mariadb_use_limited(&server, "SELECT, INSERT, UPDATE, DELETE");
    ck_assert_int_eq(run(&o, ERR_OK), 1);
    ck_assert_str_eq(
        mariadb_value(&server,
                      "SELECT CONCAT_WS(' ', done_at IS NULL, due_at <= UTC_TIMESTAMP(3), until_at "
                      "<= UTC_TIMESTAMP(3), outcome) FROM upkeep WHERE name = 'partition'"),
        "1 1 1 this user may not ALTER usage_log");
    ck_assert_int_eq(mariadb_number(&server, "SELECT COUNT(*) FROM upkeep WHERE done_at IS NULL"),
                     1);
    mariadb_use_limited(&server, "ALL PRIVILEGES");
    ck_assert_int_eq(run(&o, ERR_OK), 0);
    ck_assert_int_eq(mariadb_number(&server, "SELECT COUNT(*) FROM upkeep WHERE done_at IS NULL"),
                     0);
}
END_TEST

START_TEST(without_a_database_nothing_is_asked)
{
    char *was = server.config->db_hosts;
    char nowhere[] = "/nowhere/mysql.sock";
    struct chores_options o = {0};
    server.config->db_hosts = nowhere;
    ck_assert_int_eq(run(&o, ERR_DB_DOWN), 0);
    server.config->db_hosts = was;
}
END_TEST

START_TEST(a_cancelled_run_does_nothing)
{
    struct chores *chores = chores_new(server.config);
    struct chores_options o = {.even_early = true};
    int failed = -1;
    chores_cancel(chores);
    ck_assert_int_eq(chores_run(chores, &o, &failed), ERR_OK);
    ck_assert_int_eq(failed, 0);
    ck_assert_int_eq(mariadb_number(&server, "SELECT COUNT(*) FROM upkeep WHERE holder <> ''"), 0);
    chores_free(chores);
}
END_TEST

static bool is_all_done(void)
{
    return !mariadb_number(&server, "SELECT COUNT(*) FROM upkeep WHERE done_at IS NULL");
}

START_TEST(the_thread_of_a_process_does_it_and_stops_at_once)
{
    struct chores_thread *t = NULL;
    int64_t was = server.config->upkeep_ms;
    server.config->upkeep_ms = 100;
    ck_assert_int_eq(chores_thread_start(server.config, &t), ERR_OK);
    int64_t end_ms = clock_mono_ms() + WAIT_MS;
    while (!is_all_done() && clock_mono_ms() < end_ms)
        usleep(20000);
    ck_assert(is_all_done());
    mariadb_exec(&server, "UPDATE upkeep SET done_at = NULL, due_at = '2020-01-01'");
    usleep(500000);
    ck_assert(!is_all_done()); /* the process is idle */
    chores_thread_poke(t);
    while (!is_all_done() && clock_mono_ms() < end_ms)
        usleep(20000);
    ck_assert(is_all_done());
    int64_t start_ms = clock_mono_ms();
    chores_thread_stop(t);
    ck_assert_int_lt(clock_mono_ms() - start_ms, 2000);
    server.config->upkeep_ms = was;
    chores_thread_poke(NULL);
    chores_thread_stop(NULL);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("chores");
    TCase *tc = tcase_create("chores");
    tcase_set_timeout(tc, 60);
    tcase_add_checked_fixture(tc, setup, teardown);
    suite_add_tcase(suite, tc);
    tcase_add_test(tc, of_two_takers_one_has_the_task_until_it_is_done_and_due_again);
    tcase_add_test(tc, a_task_that_was_not_done_stays_due_for_another);
    tcase_add_test(tc, a_dead_takers_term_ends_by_the_databases_clock_and_it_cannot_end_anothers);
    tcase_add_test(tc, renewing_moves_the_end_by_the_databases_clock_and_is_free_when_it_is_early);
    tcase_add_test(tc, there_is_no_task_of_another_name);
    tcase_add_test(tc, of_many_that_want_it_never_two_have_it);
    tcase_add_test(tc, a_run_does_what_is_due_and_the_next_one_nothing);
    tcase_add_test(tc, a_user_who_may_not_change_tables_leaves_it_to_one_who_may);
    tcase_add_test(tc, without_a_database_nothing_is_asked);
    tcase_add_test(tc, a_cancelled_run_does_nothing);
    tcase_add_test(tc, the_thread_of_a_process_does_it_and_stops_at_once);
    SRunner *runner = srunner_create(suite);
    mariadb_start_own(&server); /* users are made on it */
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    mariadb_stop(&server);
    return failed ? 1 : 0;
}
