#include "db/key.h"

#include "base/clock.h"
#include "tests/unit/mariadb.h"

#include <check.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct mariadb shared;
static struct mariadb own; /* for tests that kill or freeze it */
static struct mariadb *server;
static struct db *db;
static struct key_cache *keys;

/* Three accounts, their keys sk-aip-a, sk-aip-b, sk-aip-c; two models. */
static void setup_on(struct mariadb *m)
{
    server = m;
    mariadb_fresh(server);
    mariadb_exec(server,
                 "INSERT INTO account_groups (id, name, price_multiplier) VALUES (2, 'vip', 0.9);"
                 "INSERT INTO accounts (id, name, group_id, price_multiplier) VALUES (1, 'a', 1, "
                 "1), (2, 'b', 2, 0.5), (3, 'c', 1, 1);"
                 "INSERT INTO models (id, name) VALUES (1, 'm1'), (2, 'm2'), (3, 'm3');"
                 "INSERT INTO api_keys (id, name, account_id, key_hash, key_hint) VALUES"
                 " (11, 'first', 1, UNHEX(SHA2('sk-aip-a', 256)), 'sk-aip-...a'), (12, '', 2, "
                 "UNHEX(SHA2('sk-aip-b', 256)), ''),"
                 " (13, '', 3, UNHEX(SHA2('sk-aip-c', 256)), '');"
                 "INSERT INTO api_key_models (api_key_id, model_id) VALUES (12, 3), (12, 1)");
    db = db_new(server->config);
    keys = key_cache_new(db, server->config);
    ck_assert_ptr_nonnull(keys);
}

static void setup(void)
{
    setup_on(&shared);
}

static void setup_own(void)
{
    mariadb_start_own(&own);
    own.config->db_timeout_ms = 1000;
    setup_on(&own);
}

static void teardown(void)
{
    key_cache_free(keys);
    db_free(db);
    if (server == &own)
        mariadb_stop(&own);
}

static enum err try_key(const char *text)
{
    const struct key *key = NULL;
    enum err e = key_acquire(keys, slice_of(text), &key);
    ck_assert((e == ERR_OK) == (key != NULL));
    key_release(key);
    return e;
}

static long long executed(void)
{
    return mariadb_number(server, "SELECT VARIABLE_VALUE FROM information_schema.GLOBAL_STATUS "
                                  "WHERE VARIABLE_NAME = 'COM_STMT_EXECUTE'");
}

/* ---- who is let in ---- */

START_TEST(a_key_brings_its_account_group_and_multipliers)
{
    const struct key *key = NULL;
    ck_assert_int_eq(key_acquire(keys, SLICE("sk-aip-a"), &key), ERR_OK);
    ck_assert_int_eq(key->id, 11);
    ck_assert_int_eq(key->account_id, 1);
    ck_assert_int_eq(key->group_id, 1);
    ck_assert_int_eq(key->group_multiplier_ppm, 1000000);
    ck_assert_str_eq(key->name, "first");
    ck_assert_str_eq(key->hint, "sk-aip-...a");
    ck_assert_ptr_null(key->model_ids);
    ck_assert(key_may_use(key, 2));
    key_release(key);
    ck_assert_int_eq(key_acquire(keys, SLICE("sk-aip-b"), &key), ERR_OK);
    ck_assert_int_eq(key->group_multiplier_ppm, 900000);
    ck_assert_int_eq(key->account_multiplier_ppm, 500000);
    ck_assert(key_may_use(key, 1));
    ck_assert(!key_may_use(key, 2));
    ck_assert(key_may_use(key, 3));
    key_release(key);
}
END_TEST

START_TEST(what_does_not_look_like_a_key_is_refused_without_a_query)
{
    char text[KEY_TEXT_MAX + 2];
    long long before = executed();
    ck_assert_int_eq(try_key(""), ERR_BAD_KEY);
    ck_assert_int_eq(try_key("sk-other"), ERR_BAD_KEY);
    ck_assert_int_eq(try_key("Sk-aip-a"), ERR_BAD_KEY);
    memset(text, 'x', sizeof(text));
    memcpy(text, KEY_PREFIX, strlen(KEY_PREFIX));
    text[sizeof(text) - 1] = '\0';
    ck_assert_int_eq(try_key(text), ERR_BAD_KEY);
    ck_assert_int_eq(executed(), before);
    text[KEY_TEXT_MAX] = '\0';
    ck_assert_int_eq(try_key(text), ERR_BAD_KEY);
    ck_assert_int_gt(executed(), before);
}
END_TEST

START_TEST(disabled_revoked_expired_and_orphaned_keys_are_refused)
{
    mariadb_exec(
        server,
        "UPDATE api_keys SET status = 'revoked' WHERE id = 11; UPDATE api_keys SET expires_at = "
        "UTC_TIMESTAMP(3) - INTERVAL 1 SECOND WHERE id = 12;"
        "UPDATE accounts SET status = 'disabled' WHERE id = 3; INSERT INTO api_keys (account_id, "
        "key_hash, status) VALUES (1, UNHEX(SHA2('sk-aip-d', 256)), 'disabled')");
    ck_assert_int_eq(try_key("sk-aip-a"), ERR_BAD_KEY);
    ck_assert_int_eq(try_key("sk-aip-b"), ERR_BAD_KEY);
    ck_assert_int_eq(try_key("sk-aip-c"), ERR_BAD_KEY);
    ck_assert_int_eq(try_key("sk-aip-d"), ERR_BAD_KEY);
    ck_assert_int_eq(try_key("sk-aip-nobody"), ERR_BAD_KEY);
}
END_TEST

START_TEST(a_key_with_many_models_knows_all_of_them)
{
    const struct key *key = NULL;
    mariadb_exec(
        server,
        "INSERT INTO models (id, name) SELECT 100 + seq, CONCAT('x', seq) FROM seq_1_to_500;"
        "INSERT INTO api_key_models SELECT 11, 100 + seq * 2 FROM seq_1_to_200");
    ck_assert_int_eq(key_acquire(keys, SLICE("sk-aip-a"), &key), ERR_OK);
    ck_assert_uint_eq(key->model_ids_n, 200);
    for (int i = 1; i <= 250; i++)
        ck_assert_int_eq(key_may_use(key, 100 + i), i % 2 == 0 && i <= 400);
    key_release(key);
}
END_TEST

START_TEST(a_model_must_be_in_every_list_that_exists)
{
    const struct key *a = NULL, *b = NULL;
    mariadb_exec(server, "INSERT INTO account_models VALUES (1, 3), (1, 2), (2, 3);"
                         "INSERT INTO group_models VALUES (1, 2), (2, 1), (2, 3)");
    ck_assert_int_eq(key_acquire(keys, SLICE("sk-aip-a"), &a), ERR_OK);
    ck_assert(!key_may_use(a, 1));
    ck_assert(key_may_use(a, 2));
    ck_assert(!key_may_use(a, 3));
    ck_assert_int_eq(key_acquire(keys, SLICE("sk-aip-b"), &b), ERR_OK);
    ck_assert(!key_may_use(b, 1)); /* in the key's list and the group's, not in the account's */
    ck_assert(!key_may_use(b, 2));
    ck_assert(key_may_use(b, 3));
    key_release(a);
    key_release(b);
}
END_TEST

START_TEST(lists_without_a_common_model_allow_none)
{
    const struct key *key = NULL;
    mariadb_exec(server, "INSERT INTO account_models VALUES (1, 3);"
                         "INSERT INTO group_models VALUES (1, 2)");
    ck_assert_int_eq(key_acquire(keys, SLICE("sk-aip-a"), &key), ERR_OK);
    for (int i = 1; i <= 3; i++)
        ck_assert(!key_may_use(key, i));
    key_release(key);
}
END_TEST

START_TEST(a_key_with_addresses_is_for_these_only)
{
    const struct key *key = NULL;
    mariadb_exec(server, "INSERT INTO api_key_addresses (api_key_id, address_range) VALUES "
                         "(11, '203.0.113.0/24'), (11, '2001:db8::/32'), (11, '192.0.2.1')");
    ck_assert_int_eq(key_acquire(keys, SLICE("sk-aip-a"), &key), ERR_OK);
    ck_assert(key_may_come_from(key, SLICE("203.0.113.9")));
    ck_assert(key_may_come_from(key, SLICE("::ffff:192.0.2.1")));
    ck_assert(key_may_come_from(key, SLICE("2001:db8:1::1")));
    ck_assert(!key_may_come_from(key, SLICE("192.0.2.2")));
    ck_assert(!key_may_come_from(key, SLICE("")));
    key_release(key);
    ck_assert_int_eq(key_acquire(keys, SLICE("sk-aip-b"), &key), ERR_OK);
    ck_assert(key_may_come_from(key, SLICE("192.0.2.2")));
    key_release(key);
}
END_TEST

START_TEST(only_ranges_can_be_entered)
{
    static const char *const bad[] = {"here", "1.2.3.4/33", "::/129", "1.2.3.4/", "1.2.3", ""};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        ck_assert_msg(mariadb_try(server,
                                  "INSERT INTO api_key_addresses (api_key_id, address_range) "
                                  "VALUES (11, '%s')",
                                  bad[i]) != 0,
                      "%s", bad[i]);
}
END_TEST

/* ---- the cache ---- */

START_TEST(a_fresh_key_and_a_fresh_unknown_cost_no_query)
{
    ck_assert_int_eq(try_key("sk-aip-a"), ERR_OK);
    ck_assert_int_eq(try_key("sk-aip-nobody"), ERR_BAD_KEY);
    long long before = executed();
    for (int i = 0; i < 50; i++) {
        ck_assert_int_eq(try_key("sk-aip-a"), ERR_OK);
        ck_assert_int_eq(try_key("sk-aip-nobody"), ERR_BAD_KEY);
    }
    ck_assert_int_eq(executed(), before);
}
END_TEST

/* How long the key is still accepted after the change. */
static int64_t accepted_for(const char *text, const char *sql)
{
    ck_assert_int_eq(try_key(text), ERR_OK);
    mariadb_exec(server, "%s", sql);
    int64_t began = clock_mono_ms();
    while (try_key(text) == ERR_OK) {
        ck_assert_int_lt(clock_mono_ms(), began + 5000);
        usleep(5000);
    }
    return clock_mono_ms() - began;
}

START_TEST(revocation_and_deletion_are_seen_within_a_second)
{
    ck_assert_int_le(
        accepted_for("sk-aip-a", "UPDATE api_keys SET status = 'revoked' WHERE id = 11"), 1000);
    ck_assert_int_le(accepted_for("sk-aip-b", "DELETE FROM api_keys WHERE id = 12"), 1000);
    ck_assert_int_eq(try_key("sk-aip-a"), ERR_BAD_KEY);
}
END_TEST

START_TEST(a_batch_sees_every_change_at_once)
{
    const char *texts[] = {"sk-aip-a", "sk-aip-b", "sk-aip-c"};
    const struct key *held = NULL, *key = NULL;
    server->config->key_fresh_ms = 60000; /* only the batch tells */
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(try_key(texts[i]), ERR_OK);
    ck_assert_int_eq(key_acquire(keys, SLICE("sk-aip-b"), &held), ERR_OK);
    mariadb_exec(server,
                 "DELETE FROM api_keys WHERE id = 11; UPDATE account_groups SET price_multiplier = "
                 "2 WHERE id = 2; DELETE FROM api_key_models;"
                 "UPDATE api_keys SET key_hash = UNHEX(SHA2('sk-aip-moved', 256)) WHERE id = 13");
    ck_assert_int_eq(try_key("sk-aip-a"), ERR_OK);
    ck_assert(key_refresh(keys));
    ck_assert_int_eq(try_key("sk-aip-a"), ERR_BAD_KEY);
    ck_assert_int_eq(try_key("sk-aip-c"), ERR_BAD_KEY);
    ck_assert_int_eq(try_key("sk-aip-moved"), ERR_OK);
    ck_assert_int_eq(key_acquire(keys, SLICE("sk-aip-b"), &key), ERR_OK);
    ck_assert_int_eq(key->group_multiplier_ppm, 2000000);
    ck_assert(key_may_use(key, 2));
    ck_assert_int_eq(held->group_multiplier_ppm, 900000); /* what a request holds does not change */
    ck_assert(!key_may_use(held, 2));
    key_release(held);
    key_release(key);
    server->config->key_fresh_ms = 900;
}
END_TEST

START_TEST(a_batch_of_many_keys_takes_few_statements)
{
    char text[40];
    server->config->key_fresh_ms = 60000;
    mariadb_exec(server, "INSERT INTO api_keys (account_id, key_hash) SELECT 1, "
                         "UNHEX(SHA2(CONCAT('sk-aip-n', seq), 256)) FROM seq_1_to_200");
    for (int i = 1; i <= 200; i++) {
        snprintf(text, sizeof(text), "sk-aip-n%d", i);
        ck_assert_int_eq(try_key(text), ERR_OK);
    }
    mariadb_exec(server, "UPDATE api_keys SET status = 'revoked' WHERE key_hash IN "
                         "(UNHEX(SHA2('sk-aip-n7', 256)), UNHEX(SHA2('sk-aip-n199', 256)))");
    long long before = executed();
    ck_assert(key_refresh(keys));
    ck_assert_int_eq(executed() - before, 4);
    for (int i = 1; i <= 200; i++) {
        snprintf(text, sizeof(text), "sk-aip-n%d", i);
        ck_assert_int_eq(try_key(text), i == 7 || i == 199 ? ERR_BAD_KEY : ERR_OK);
    }
    ck_assert_int_eq(executed() - before, 4);
    server->config->key_fresh_ms = 900;
}
END_TEST

START_TEST(an_expiry_counts_to_the_moment_and_a_new_one_at_once)
{
    server->config->key_fresh_ms = 60000;
    mariadb_exec(server, "UPDATE api_keys SET expires_at = UTC_TIMESTAMP(3) + INTERVAL 300000 "
                         "MICROSECOND WHERE id = 11");
    int64_t began = clock_mono_ms();
    ck_assert_int_eq(try_key("sk-aip-a"), ERR_OK);
    while (try_key("sk-aip-a") == ERR_OK)
        usleep(5000);
    int64_t ms = clock_mono_ms() - began;
    ck_assert_int_ge(ms, 200);
    ck_assert_int_le(ms, 500);
    server->config->key_fresh_ms = 900;
}
END_TEST

START_TEST(nothing_in_use_refreshes_nothing)
{
    long long before = executed();
    ck_assert(!key_refresh(keys));
    ck_assert_int_eq(executed(), before);
    ck_assert_int_eq(try_key("sk-aip-nobody"), ERR_BAD_KEY);
    ck_assert(!key_refresh(keys));
}
END_TEST

static void *acquire_one(void *arg)
{
    const struct key *key = NULL;
    enum err e = key_acquire(keys, slice_of(arg), &key);
    key_release(key);
    return e ? arg : NULL;
}

START_TEST(forty_threads_that_need_one_new_key_ask_once)
{
    static char text[] = "sk-aip-a";
    pthread_t threads[40];
    ck_assert_int_eq(try_key("sk-aip-b"), ERR_OK);
    long long before = executed();
    mariadb_exec(server, "LOCK TABLES api_keys WRITE"); /* holds the one who asks */
    for (int i = 0; i < 40; i++)
        pthread_create(&threads[i], NULL, acquire_one, text);
    usleep(100000);
    mariadb_exec(server, "UNLOCK TABLES");
    for (int i = 0; i < 40; i++) {
        void *failed = NULL;
        pthread_join(threads[i], &failed);
        ck_assert_ptr_null(failed);
    }
    ck_assert_int_eq(executed() - before, 1);
}
END_TEST

struct churn {
    int64_t end_ms;
    int answers[ERR_COUNT];
};

static void *acquire_often(void *arg)
{
    static const char *const texts[] = {"sk-aip-a", "sk-aip-b", "sk-aip-c", "sk-aip-nobody"};
    struct churn *churn = arg;
    for (unsigned i = 0; clock_mono_ms() < churn->end_ms; i++) {
        const struct key *key = NULL;
        churn->answers[key_acquire(keys, slice_of(texts[i % 4]), &key)]++;
        key_release(key);
        if (i % 64 == 0)
            key_refresh(keys);
    }
    return NULL;
}

START_TEST(changes_under_load_give_only_yes_or_no)
{
    pthread_t threads[6];
    struct churn churn[6] = {0};
    server->config->key_fresh_ms = 5;
    for (int i = 0; i < 6; i++) {
        churn[i].end_ms = clock_mono_ms() + 500;
        pthread_create(&threads[i], NULL, acquire_often, &churn[i]);
    }
    for (int i = 0; i < 20; i++) {
        mariadb_exec(server, "UPDATE api_keys SET status = IF(status = 'active', 'disabled', "
                             "'active') WHERE id = 11");
        usleep(20000);
    }
    for (int i = 0; i < 6; i++) {
        pthread_join(threads[i], NULL);
        ck_assert_int_gt(churn[i].answers[ERR_OK], 0);
        ck_assert_int_eq(churn[i].answers[ERR_UNAVAILABLE], 0);
    }
    server->config->key_fresh_ms = 900;
}
END_TEST

/* ---- outages ---- */

START_TEST(while_the_database_is_dead_a_cached_key_counts_until_it_is_stale_and_is_never_bad)
{
    int64_t ms = 0;
    server->config->key_fresh_ms = 50;
    server->config->key_stale_ms = 600;
    ck_assert_int_eq(try_key("sk-aip-a"), ERR_OK);
    ck_assert_int_eq(try_key("sk-aip-nobody"), ERR_BAD_KEY);
    int64_t began = clock_mono_ms();
    mariadb_kill(server);
    usleep(60000);
    ck_assert_int_eq(try_key("sk-aip-nobody"), ERR_UNAVAILABLE);
    ck_assert_int_eq(try_key("sk-aip-b"), ERR_UNAVAILABLE);
    enum err e;
    while (!(e = try_key("sk-aip-a"))) {
        key_refresh(keys);
        usleep(5000);
    }
    ms = clock_mono_ms() - began;
    ck_assert_int_eq(e, ERR_UNAVAILABLE);
    ck_assert_int_ge(ms, 500);
    ck_assert_int_le(ms, 900);
    mariadb_restart(server);
    while (try_key("sk-aip-a")) {
        ck_assert_int_lt(clock_mono_ms(), began + 10000);
        usleep(10000);
    }
    ck_assert_int_eq(try_key("sk-aip-nobody"), ERR_BAD_KEY);
}
END_TEST

static void *acquire_timed(void *arg)
{
    int64_t *ms = arg, began = clock_mono_ms();
    if (try_key("sk-aip-a"))
        abort();
    *ms = clock_mono_ms() - began;
    return NULL;
}

START_TEST(while_the_database_is_frozen_one_timeout_is_paid_and_the_key_still_counts)
{
    pthread_t threads[20];
    int64_t ms[20];
    server->config->key_fresh_ms = 50;
    ck_assert_int_eq(try_key("sk-aip-a"), ERR_OK);
    mariadb_freeze(server);
    usleep(60000);
    for (int i = 0; i < 20; i++)
        pthread_create(&threads[i], NULL, acquire_timed, &ms[i]);
    for (int i = 0; i < 20; i++) {
        pthread_join(threads[i], NULL);
        ck_assert_int_le(ms[i], 1600);
    }
    /* The outage is known now: but for one who probes, nobody waits. */
    int64_t began = clock_mono_ms();
    for (int i = 0; i < 50; i++)
        ck_assert_int_eq(try_key("sk-aip-a"), ERR_OK);
    ck_assert_int_le(clock_mono_ms() - began, 1600);
    ck_assert_int_eq(try_key("sk-aip-b"), ERR_UNAVAILABLE);
    mariadb_thaw(server);
    began = clock_mono_ms();
    while (try_key("sk-aip-b")) {
        ck_assert_int_lt(clock_mono_ms(), began + 3000);
        usleep(10000);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("key");
    TCase *tc = tcase_create("key");
    tcase_set_timeout(tc, 60);
    tcase_add_checked_fixture(tc, setup, teardown);
    suite_add_tcase(suite, tc);
    tcase_add_test(tc, a_key_brings_its_account_group_and_multipliers);
    tcase_add_test(tc, what_does_not_look_like_a_key_is_refused_without_a_query);
    tcase_add_test(tc, disabled_revoked_expired_and_orphaned_keys_are_refused);
    tcase_add_test(tc, a_key_with_many_models_knows_all_of_them);
    tcase_add_test(tc, a_model_must_be_in_every_list_that_exists);
    tcase_add_test(tc, lists_without_a_common_model_allow_none);
    tcase_add_test(tc, a_key_with_addresses_is_for_these_only);
    tcase_add_test(tc, only_ranges_can_be_entered);
    tcase_add_test(tc, a_fresh_key_and_a_fresh_unknown_cost_no_query);
    tcase_add_test(tc, revocation_and_deletion_are_seen_within_a_second);
    tcase_add_test(tc, a_batch_sees_every_change_at_once);
    tcase_add_test(tc, a_batch_of_many_keys_takes_few_statements);
    tcase_add_test(tc, an_expiry_counts_to_the_moment_and_a_new_one_at_once);
    tcase_add_test(tc, nothing_in_use_refreshes_nothing);
    tcase_add_test(tc, forty_threads_that_need_one_new_key_ask_once);
    tcase_add_test(tc, changes_under_load_give_only_yes_or_no);
    tc = tcase_create("outages");
    tcase_set_timeout(tc, 60);
    tcase_add_checked_fixture(tc, setup_own, teardown);
    suite_add_tcase(suite, tc);
    tcase_add_test(
        tc, while_the_database_is_dead_a_cached_key_counts_until_it_is_stale_and_is_never_bad);
    tcase_add_test(tc, while_the_database_is_frozen_one_timeout_is_paid_and_the_key_still_counts);
    SRunner *runner = srunner_create(suite);
    mariadb_start_own(&shared); /* its counters are global */
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    mariadb_stop(&shared);
    return failed ? 1 : 0;
}
