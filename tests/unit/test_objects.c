#include "db/objects.h"

#include "tests/unit/mariadb.h"

#include <check.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define RACERS 12

static struct mariadb server;
static struct db *db;
static struct object_place out;
static const struct object_place ann = {1, 10, 100}, bob = {2, 20, 200};

static void setup(void)
{
    mariadb_fresh(&server);
    server.config->db_connections_max = RACERS;
    db = db_new(server.config);
    out = (struct object_place){0};
}

static void teardown(void)
{
    db_free(db);
}

static enum err put(const char *id, const struct object_place *place)
{
    return object_put(db, OBJECT_RESPONSE, slice_of(id), place);
}

static enum err find(const char *id, int64_t account_id)
{
    return object_find(db, OBJECT_RESPONSE, slice_of(id), account_id, &out);
}

START_TEST(an_object_is_found_where_it_was_made_for_thirty_days)
{
    ck_assert_int_eq(put("resp_1", &ann), ERR_OK);
    ck_assert_int_eq(find("resp_1", 1), ERR_OK);
    ck_assert_int_eq(out.account_id, 1);
    ck_assert_int_eq(out.channel_id, 10);
    ck_assert_int_eq(out.channel_key_id, 100);
    ck_assert_int_eq(mariadb_number(&server, "SELECT ABS(TIMESTAMPDIFF(SECOND, UTC_TIMESTAMP(3), "
                                             "expires_at) - 30 * 86400) < 20 AND kind = "
                                             "'response' FROM provider_objects"),
                     1);
    mariadb_exec(&server, "UPDATE provider_objects SET expires_at = UTC_TIMESTAMP(3)");
    ck_assert_int_eq(find("resp_1", 1), ERR_NOT_FOUND);
    ck_assert_int_eq(object_delete(db, OBJECT_RESPONSE, SLICE("resp_1"), 1), ERR_NOT_FOUND);
}
END_TEST

START_TEST(an_object_of_another_account_does_not_exist)
{
    ck_assert_int_eq(put("resp_1", &ann), ERR_OK);
    ck_assert_int_eq(find("resp_1", 2), ERR_NOT_FOUND);
    ck_assert_int_eq(object_delete(db, OBJECT_RESPONSE, SLICE("resp_1"), 2), ERR_NOT_FOUND);
    ck_assert_int_eq(find("resp_1", 1), ERR_OK);
    ck_assert_int_eq(find("RESP_1", 1), ERR_NOT_FOUND);
    ck_assert_int_eq(find("resp_", 1), ERR_NOT_FOUND);
    ck_assert_int_eq(object_delete(db, OBJECT_RESPONSE, SLICE("resp_1"), 1), ERR_OK);
    ck_assert_int_eq(find("resp_1", 1), ERR_NOT_FOUND);
    ck_assert_int_eq(object_delete(db, OBJECT_RESPONSE, SLICE("resp_1"), 1), ERR_NOT_FOUND);
}
END_TEST

START_TEST(the_first_of_a_name_stays)
{
    struct object_place moved = ann;
    moved.channel_id = 11;
    ck_assert_int_eq(put("resp_1", &ann), ERR_OK);
    ck_assert_int_eq(put("resp_1", &ann), ERR_OK);
    ck_assert_int_eq(put("resp_1", &bob), ERR_DB_DUPLICATE);
    ck_assert_int_eq(put("resp_1", &moved), ERR_DB_DUPLICATE);
    ck_assert_int_eq(find("resp_1", 1), ERR_OK);
    ck_assert_int_eq(out.channel_id, 10);
    ck_assert_int_eq(find("resp_1", 2), ERR_NOT_FOUND);
    mariadb_exec(&server, "UPDATE provider_objects SET expires_at = UTC_TIMESTAMP(3)");
    ck_assert_int_eq(put("resp_1", &bob), ERR_OK);
    ck_assert_int_eq(find("resp_1", 2), ERR_OK);
    ck_assert_int_eq(find("resp_1", 1), ERR_NOT_FOUND);
}
END_TEST

START_TEST(names_that_no_provider_gives_are_refused)
{
    char longest[OBJECT_ID_MAX + 1];
    memset(longest, 'x', sizeof(longest));
    static const char *const bad[] = {"", "a b", "a\n", "caf\xc3\xa9", "\x7f"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        ck_assert_int_eq(put(bad[i], &ann), ERR_FORMAT);
        ck_assert_int_eq(find(bad[i], 1), ERR_NOT_FOUND);
        ck_assert_int_eq(object_delete(db, OBJECT_RESPONSE, slice_of(bad[i]), 1), ERR_NOT_FOUND);
    }
    struct slice id = {longest, OBJECT_ID_MAX + 1};
    ck_assert_int_eq(object_put(db, OBJECT_RESPONSE, id, &ann), ERR_FORMAT);
    id.n = OBJECT_ID_MAX;
    ck_assert_int_eq(object_put(db, OBJECT_RESPONSE, id, &ann), ERR_OK);
    ck_assert_int_eq(object_find(db, OBJECT_RESPONSE, id, 1, &out), ERR_OK);
}
END_TEST

static pthread_barrier_t start;

static void *race(void *arg)
{
    struct object_place place = {1 + *(int *)arg, 1, 1};
    pthread_barrier_wait(&start);
    *(int *)arg = (int)put("resp_race", &place);
    return NULL;
}

START_TEST(of_many_accounts_at_once_one_gets_the_name)
{
    pthread_t threads[RACERS];
    int results[RACERS], won = 0;
    pthread_barrier_init(&start, NULL, RACERS);
    for (int i = 0; i < RACERS; i++) {
        results[i] = i;
        pthread_create(&threads[i], NULL, race, &results[i]);
    }
    for (int i = 0; i < RACERS; i++) {
        pthread_join(threads[i], NULL);
        won += results[i] == ERR_OK;
        ck_assert(results[i] == ERR_OK || results[i] == ERR_DB_DUPLICATE);
    }
    pthread_barrier_destroy(&start);
    ck_assert_int_eq(won, 1);
    ck_assert_int_eq(mariadb_number(&server, "SELECT COUNT(*) FROM provider_objects"), 1);
}
END_TEST

START_TEST(the_task_removes_what_has_expired_and_nothing_else)
{
    int failed = -1;
    mariadb_exec(&server, "INSERT INTO provider_objects (kind, id, account_id, channel_id, "
                          "channel_key_id, expires_at) SELECT 'response', CONCAT('old_', seq), 1, "
                          "1, 1, UTC_TIMESTAMP(3) - INTERVAL 1 SECOND FROM seq_1_to_1234;"
                          "INSERT INTO provider_objects (kind, id, account_id, channel_id, "
                          "channel_key_id) SELECT 'response', CONCAT('new_', seq), 1, 1, 1 FROM "
                          "seq_1_to_3");
    struct chores *chores = chores_new(server.config);
    struct chores_options o = {.even_early = true};
    ck_assert_int_eq(chores_run(chores, &o, &failed), ERR_OK);
    ck_assert_int_eq(failed, 0);
    chores_free(chores);
    ck_assert_str_eq(mariadb_value(&server, "SELECT GROUP_CONCAT(id ORDER BY id) FROM "
                                            "provider_objects"),
                     "new_1,new_2,new_3");
    ck_assert_str_eq(mariadb_value(&server, "SELECT outcome FROM upkeep WHERE name = 'objects'"),
                     "1234 objects had expired");
}
END_TEST

START_TEST(without_a_database_nothing_is_found_or_lost)
{
    static char nowhere[] = "/nonexistent/aipass.cnf";
    char *was = server.config->db_option_file;
    server.config->db_option_file = nowhere;
    struct db *none = db_new(server.config);
    ck_assert_int_ne(object_put(none, OBJECT_RESPONSE, SLICE("resp_1"), &ann), ERR_OK);
    enum err e = object_find(none, OBJECT_RESPONSE, SLICE("resp_1"), 1, &out);
    ck_assert(e != ERR_OK && e != ERR_NOT_FOUND);
    db_free(none);
    server.config->db_option_file = was;
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("objects");
    TCase *tc = tcase_create("objects");
    tcase_set_timeout(tc, 60);
    tcase_add_checked_fixture(tc, setup, teardown);
    suite_add_tcase(suite, tc);
    tcase_add_test(tc, an_object_is_found_where_it_was_made_for_thirty_days);
    tcase_add_test(tc, an_object_of_another_account_does_not_exist);
    tcase_add_test(tc, the_first_of_a_name_stays);
    tcase_add_test(tc, names_that_no_provider_gives_are_refused);
    tcase_add_test(tc, of_many_accounts_at_once_one_gets_the_name);
    tcase_add_test(tc, the_task_removes_what_has_expired_and_nothing_else);
    tcase_add_test(tc, without_a_database_nothing_is_found_or_lost);
    SRunner *runner = srunner_create(suite);
    mariadb_start(&server);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    mariadb_stop(&server);
    return failed ? 1 : 0;
}
