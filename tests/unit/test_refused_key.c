#include "db/provider_key.h"

#include "db/attempts.h"
#include "db/catalog.h"
#include "tests/unit/mariadb.h"

#include <check.h>
#include <stdlib.h>

#define PROBE_MS 60000

static struct mariadb server;
static struct db *db;

static void setup(void)
{
    mariadb_fresh(&server);
    db = db_new(server.config);
    mariadb_exec(&server, "INSERT INTO channels (id, name, base_url) VALUES (1, 'c', 'https://x');"
                          "INSERT INTO channel_keys (id, channel_id, secret) VALUES (5, 1, 's')");
}

static void teardown(void)
{
    db_free(db);
}

static const char *state(void)
{
    return mariadb_value(&server,
                         "SELECT CONCAT_WS(' ', status, disabled_reason, disabled_at IS NOT "
                         "NULL, probes, ROUND(TIMESTAMPDIFF(SECOND, UTC_TIMESTAMP(), "
                         "probe_at), -1)) FROM channel_keys WHERE id = 5");
}

static void make_due(void)
{
    mariadb_exec(&server, "UPDATE channel_keys SET probe_at = UTC_TIMESTAMP(3)");
}

START_TEST(a_refused_key_is_disabled_once_and_audited_once)
{
    ck_assert_int_eq(provider_key_disable(db, 5, "answers 401", PROBE_MS), ERR_OK);
    ck_assert_str_eq(state(), "disabled answers 401 1 0 60");
    ck_assert_int_eq(provider_key_disable(db, 5, "answers 402", PROBE_MS), ERR_OK);
    ck_assert_str_eq(state(), "disabled answers 401 1 0 60");
    ck_assert_str_eq(mariadb_value(&server,
                                   "SELECT GROUP_CONCAT(CONCAT_WS('|', actor, action, subject, "
                                   "detail)) FROM audit_log"),
                     "gateway|channel_key.disable|channel_keys 5|answers 401");
    ck_assert_int_eq(provider_key_disable(db, 99, "no such key", PROBE_MS), ERR_OK);
}
END_TEST

START_TEST(a_probe_is_one_processs_and_pauses_double_up_to_a_day)
{
    ck_assert_int_eq(provider_key_claim(db, 5, PROBE_MS), ERR_END);
    ck_assert_int_eq(provider_key_disable(db, 5, "r", PROBE_MS), ERR_OK);
    ck_assert_int_eq(provider_key_claim(db, 5, PROBE_MS), ERR_END);
    make_due();
    ck_assert_int_eq(provider_key_claim(db, 5, PROBE_MS), ERR_OK);
    ck_assert_int_eq(provider_key_claim(db, 5, PROBE_MS), ERR_END);
    ck_assert_str_eq(state(), "disabled r 1 1 120");
    make_due();
    ck_assert_int_eq(provider_key_claim(db, 5, PROBE_MS), ERR_OK);
    ck_assert_str_eq(state(), "disabled r 1 2 240");
    mariadb_exec(&server, "UPDATE channel_keys SET probes = 4000000000");
    make_due();
    ck_assert_int_eq(provider_key_claim(db, 5, PROBE_MS), ERR_OK);
    ck_assert_int_eq(mariadb_number(&server, "SELECT ABS(TIMESTAMPDIFF(SECOND, UTC_TIMESTAMP(), "
                                             "probe_at) - 86400) < 10 FROM channel_keys"),
                     1);
}
END_TEST

START_TEST(a_key_that_works_is_enabled_but_not_one_of_an_admin)
{
    mariadb_exec(&server, "UPDATE channel_keys SET status = 'disabled'");
    ck_assert_int_eq(provider_key_enable(db, 5), ERR_OK);
    ck_assert_int_eq(provider_key_claim(db, 5, PROBE_MS), ERR_END);
    ck_assert_str_eq(state(), "disabled 0 0");
    make_due();
    ck_assert_int_eq(provider_key_enable(db, 5), ERR_OK);
    ck_assert_str_eq(state(), "enabled 0 0");
    ck_assert_int_eq(
        mariadb_number(&server,
                       "SELECT COUNT(*) FROM audit_log WHERE action = 'channel_key.enable'"),
        1);
}
END_TEST

START_TEST(an_admin_who_enables_and_later_disables_a_key_is_heard)
{
    const struct catalog *catalog;
    struct catalog_store *store = catalog_store_new(db, server.config);
    ck_assert_int_eq(provider_key_disable(db, 5, "r", PROBE_MS), ERR_OK);
    mariadb_exec(&server, "UPDATE channel_keys SET status = 'enabled'");
    ck_assert_int_eq(catalog_acquire(store, &catalog), ERR_OK);
    catalog_release(store, catalog);
    catalog_store_free(store);
    mariadb_exec(&server, "UPDATE channel_keys SET status = 'disabled'");
    ck_assert_str_eq(state(), "disabled 0 0");
}
END_TEST

/* ---- request_attempts ---- */

static void attempt_of(const char *day)
{
    /* the first ten characters of a request id are its milliseconds in Crockford's base 32 */
    mariadb_exec(
        &server,
        "INSERT INTO request_attempts (request_id, n, channel_id, error, created_at) SELECT "
        "CONCAT(LPAD((SELECT GROUP_CONCAT(SUBSTR('0123456789ABCDEFGHJKMNPQRSTVWXYZ', 1 + "
        "(TIMESTAMPDIFF(SECOND, '1970-01-01', d.t) * 1000 DIV POW(32, 9 - s.seq)) %% 32, 1) "
        "ORDER BY s.seq SEPARATOR '') FROM seq_0_to_9 s), 10, '0'), '0000000000000000'), 1, "
        "1, 'up_status', d.t FROM (SELECT UTC_TIMESTAMP() - INTERVAL %s AS t) d",
        day);
}

static void run_chores(void)
{
    int failed = -1;
    struct chores *chores = chores_new(server.config);
    struct chores_options o = {.even_early = true};
    ck_assert_int_eq(chores_run(chores, &o, &failed), ERR_OK);
    ck_assert_int_eq(failed, 0);
    chores_free(chores);
}

START_TEST(attempts_go_after_thirty_days)
{
    attempt_of("1 HOUR");
    attempt_of("29 DAY");
    attempt_of("32 DAY");
    attempt_of("400 DAY");
    run_chores();
    ck_assert_int_eq(mariadb_number(&server, "SELECT COUNT(*) FROM request_attempts"), 2);
    ck_assert_str_eq(mariadb_value(&server, "SELECT outcome FROM upkeep WHERE name = 'attempts'"),
                     "2 attempts removed");
}
END_TEST

START_TEST(attempts_go_with_the_months_of_usage)
{
    attempt_of("1 SECOND");
    attempt_of("29 DAY");
    mariadb_exec(&server, "UPDATE settings SET value = '0' WHERE name = 'usage_keep_months'");
    run_chores();
    ck_assert_int_eq(mariadb_number(&server,
                                    "SELECT COUNT(*) FROM request_attempts WHERE created_at < "
                                    "DATE_FORMAT(UTC_DATE() - INTERVAL 3 DAY, '%%Y-%%m-01')"),
                     0);
    ck_assert_int_ge(mariadb_number(&server, "SELECT COUNT(*) FROM request_attempts"), 1);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("refused_key");
    TCase *t = tcase_create("refused_key");
    mariadb_start_own(&server);
    tcase_set_timeout(t, 60);
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, a_refused_key_is_disabled_once_and_audited_once);
    tcase_add_test(t, a_probe_is_one_processs_and_pauses_double_up_to_a_day);
    tcase_add_test(t, a_key_that_works_is_enabled_but_not_one_of_an_admin);
    tcase_add_test(t, an_admin_who_enables_and_later_disables_a_key_is_heard);
    tcase_add_test(t, attempts_go_after_thirty_days);
    tcase_add_test(t, attempts_go_with_the_months_of_usage);
    suite_add_tcase(s, t);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    mariadb_stop(&server);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
