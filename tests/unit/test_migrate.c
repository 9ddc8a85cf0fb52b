#include "db/migrate.h"

#include "base/clock.h"
#include "tests/unit/mariadb.h"

#include <check.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TABLES_ONLY "SELECT, INSERT, UPDATE, DELETE, CREATE, ALTER, DROP, INDEX, REFERENCES"

static struct mariadb server;
static char said[8192];

static int files(bool with_optional)
{
    int n = 0;
    for (const struct migration *m = migrations; m->sql; m++)
        n += m->version || with_optional;
    return n;
}

/* What it says goes to said. */
static enum err run(enum migrate_mode mode, int *applied)
{
    struct db *db = db_new(server.config);
    FILE *out = fmemopen(said, sizeof(said), "w");
    *applied = -1;
    enum err e = migrate_run(db, mode, out, applied);
    fclose(out);
    db_free(db);
    return e;
}

static enum err check(char *text, size_t size)
{
    struct db *db = db_new(server.config);
    struct db_conn *c = NULL;
    ck_assert_int_eq(db_take(db, &c), ERR_OK);
    enum err e = migrate_check(c, text, size);
    db_give(db, c);
    db_free(db);
    return e;
}

START_TEST(a_new_database_gets_all_files_and_the_second_run_finds_nothing)
{
    int applied;
    char text[200] = "";
    mariadb_empty(&server);
    ck_assert_int_eq(check(text, sizeof(text)), ERR_CONFIG);
    ck_assert_ptr_nonnull(strstr(text, "aipassctl migrate"));
    ck_assert_int_eq(run(MIGRATE_APPLY, &applied), ERR_OK);
    ck_assert_int_eq(applied, files(true));
    ck_assert_ptr_nonnull(strstr(said, "0001 create_accounts: applied"));
    ck_assert_ptr_nonnull(strstr(said, "views: applied"));
    ck_assert_int_eq(
        mariadb_number(
            &server,
            "SELECT COUNT(*) FROM schema_migrations WHERE version > 0 AND LENGTH(checksum) = 64"),
        files(false));
    ck_assert_int_eq(check(text, sizeof(text)), ERR_OK);
    ck_assert_int_eq(run(MIGRATE_APPLY, &applied), ERR_OK);
    ck_assert_int_eq(applied, 0);
}
END_TEST

START_TEST(files_applied_by_hand_are_only_recorded)
{
    int applied;
    mariadb_fresh(&server);
    mariadb_exec(&server, "INSERT INTO accounts (name) VALUES ('keep')");
    const char *id =
        mariadb_value(&server, "SELECT value FROM settings WHERE name = 'installation_id'");
    char was[65];
    snprintf(was, sizeof(was), "%s", id);
    ck_assert_uint_eq(strlen(was), 32);
    ck_assert_int_eq(run(MIGRATE_APPLY, &applied), ERR_OK);
    ck_assert_int_eq(applied, files(true));
    ck_assert_int_eq(mariadb_number(&server, "SELECT COUNT(*) FROM accounts"), 1);
    ck_assert_str_eq(
        mariadb_value(&server, "SELECT value FROM settings WHERE name = 'installation_id'"), was);
}
END_TEST

START_TEST(every_file_can_be_run_twice_by_a_user_with_tables_only)
{
    mariadb_empty(&server);
    mariadb_use_limited(&server, TABLES_ONLY);
    struct db *db = db_new(server.config);
    struct db_conn *c = NULL;
    ck_assert_int_eq(db_take(db, &c), ERR_OK);
    for (int round = 0; round < 2; round++) {
        for (const struct migration *m = migrations; m->version; m++) {
            char *failed_at = NULL;
            ck_assert_msg(db_exec_script(c, m->sql, &failed_at) == ERR_OK, "%s: %s in %s", m->name,
                          db_last_text(c), failed_at);
        }
    }
    db_give(db, c);
    db_free(db);
}
END_TEST

/* The files of versions first to last. */
static void run_files(struct db_conn *c, int first, int last)
{
    for (const struct migration *m = migrations; m->version; m++) {
        char *failed_at = NULL;
        if (m->version >= first && m->version <= last)
            ck_assert_msg(db_exec_script(c, m->sql, &failed_at) == ERR_OK, "%s: %s in %s", m->name,
                          db_last_text(c), failed_at);
    }
}

START_TEST(spend_limits_of_keys_become_limits_with_what_was_spent)
{
    struct db_conn *c = NULL;
    mariadb_empty(&server);
    struct db *db = db_new(server.config);
    ck_assert_int_eq(db_take(db, &c), ERR_OK);
    run_files(c, 1, 42);
    mariadb_exec(&server,
                 "INSERT INTO accounts (id, name) VALUES (1, 'a');"
                 "INSERT INTO api_keys (id, account_id, key_hash, spend_limit, spend_limit_day) "
                 "VALUES (5, 1, REPEAT('a', 32), 9, 0.5), (6, 1, REPEAT('b', 32), NULL, NULL), (7, "
                 "1, REPEAT('c', 32), NULL, NULL);"
                 "UPDATE api_keys SET spend_limit_month = 3 WHERE id = 7;"
                 "INSERT INTO rate_limits (api_key_id, requests_per_minute) VALUES (7, 60);"
                 "INSERT INTO key_spend (api_key_id, period, starts, spent, n) VALUES (5, 'total', "
                 "'1970-01-01', 2, 8), (5, 'day', '2026-01-02', 1, 0);"
                 "INSERT INTO key_holds (request_id, api_key_id, process_id, amount, held_at) "
                 "VALUES ('r', 5, 'p', 0.25, '2026-01-02 03:04:05')");
    run_files(c, 43, 43);
    run_files(c, 43, 44); /* also after one that was cut off */
    run_files(c, 44, 44);
    db_give(db, c);
    db_free(db);
    ck_assert_str_eq(
        mariadb_value(&server, "SELECT GROUP_CONCAT(CONCAT_WS(' ', api_key_id, "
                               "COALESCE(requests_per_minute, '-'), COALESCE(spend_total, '-'), "
                               "COALESCE(spend_day, '-'), COALESCE(spend_month, '-')) ORDER BY "
                               "api_key_id SEPARATOR ', ') FROM rate_limits"),
        "5 - 9.000000000 0.500000000 -, 7 60 - - 3.000000000");
    ck_assert_str_eq(
        mariadb_value(&server,
                      "SELECT GROUP_CONCAT(CONCAT_WS(' ', s.period, s.starts, s.spent, s.n) ORDER "
                      "BY s.period SEPARATOR ', ') FROM limit_spend s JOIN rate_limits l ON l.id = "
                      "s.limit_id WHERE l.api_key_id = 5"),
        "total 1970-01-01 2.000000000 8, day 2026-01-02 1.000000000 0");
    ck_assert_int_eq(mariadb_number(&server, "SELECT COUNT(*) FROM limit_holds h JOIN rate_limits "
                                             "l ON l.id = h.limit_id WHERE l.api_key_id = 5 AND "
                                             "h.amount = 0.25 AND h.held_at = '2026-01-02 "
                                             "03:04:05'"),
                     1);
    ck_assert_uint_ne(mariadb_try(&server, "SELECT spend_limit FROM api_keys"), 0);
}
END_TEST

START_TEST(without_the_right_to_create_views_they_are_skipped)
{
    int applied;
    char text[200];
    mariadb_empty(&server);
    mariadb_use_limited(&server, TABLES_ONLY);
    ck_assert_int_eq(run(MIGRATE_APPLY, &applied), ERR_OK);
    ck_assert_int_eq(applied, files(false));
    ck_assert_ptr_nonnull(strstr(said, "views: skipped"));
    ck_assert_int_eq(check(text, sizeof(text)), ERR_OK);
    ck_assert_int_eq(
        mariadb_number(
            &server,
            "SELECT COUNT(*) FROM information_schema.views WHERE table_schema = DATABASE()"),
        0);
    mariadb_use_limited(&server, TABLES_ONLY ", CREATE VIEW");
    ck_assert_int_eq(run(MIGRATE_APPLY, &applied), ERR_OK);
    ck_assert_int_eq(applied, 1);
}
END_TEST

START_TEST(a_dry_run_tells_and_writes_nothing)
{
    int applied;
    mariadb_empty(&server);
    ck_assert_int_eq(run(MIGRATE_DRY_RUN, &applied), ERR_OK);
    ck_assert_int_eq(applied, files(true));
    ck_assert_ptr_nonnull(strstr(said, "0001 create_accounts: would be applied"));
    ck_assert_int_eq(
        mariadb_number(
            &server,
            "SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = DATABASE()"),
        0);
    ck_assert_int_eq(run(MIGRATE_APPLY, &applied), ERR_OK);
    mariadb_exec(&server, "DELETE FROM schema_migrations WHERE version = 3");
    ck_assert_int_eq(run(MIGRATE_DRY_RUN, &applied), ERR_OK);
    ck_assert_int_eq(applied, 1);
    ck_assert_int_eq(
        mariadb_number(&server, "SELECT COUNT(*) FROM schema_migrations WHERE version = 3"), 0);
}
END_TEST

START_TEST(a_wrong_checksum_is_refused)
{
    int applied;
    char text[200];
    mariadb_empty(&server);
    ck_assert_int_eq(run(MIGRATE_APPLY, &applied), ERR_OK);
    mariadb_exec(&server,
                 "UPDATE schema_migrations SET checksum = SHA2('x', 256) WHERE version = 2");
    ck_assert_int_eq(check(text, sizeof(text)), ERR_CONFIG);
    ck_assert_ptr_nonnull(strstr(text, "0002_create_models"));
    ck_assert_int_eq(run(MIGRATE_APPLY, &applied), ERR_FORMAT);
    ck_assert_ptr_nonnull(strstr(said, "0002 create_models: refused"));
    ck_assert_int_eq(run(MIGRATE_DRY_RUN, &applied), ERR_FORMAT);
    /* The lock is free again after the refusal. */
    ck_assert_int_eq(mariadb_number(&server, "SELECT COUNT(*) FROM schema_migrations WHERE name = "
                                             "'lock' AND applied_at < UTC_TIMESTAMP(3)"),
                     1);
}
END_TEST

START_TEST(changed_views_are_made_again)
{
    int applied;
    mariadb_empty(&server);
    ck_assert_int_eq(run(MIGRATE_APPLY, &applied), ERR_OK);
    mariadb_exec(&server, "UPDATE schema_migrations SET checksum = SHA2('x', 256) WHERE version = "
                          "0 AND name = 'views'; DROP VIEW v_problems");
    ck_assert_int_eq(run(MIGRATE_APPLY, &applied), ERR_OK);
    ck_assert_int_eq(applied, 1);
    ck_assert_int_eq(mariadb_number(&server, "SELECT COUNT(*) FROM v_problems"), 0);
}
END_TEST

static int newest_version(void)
{
    int newest = 0;
    for (const struct migration *m = migrations; m->sql; m++)
        newest = m->version > newest ? m->version : newest;
    return newest;
}

START_TEST(a_database_one_version_ahead_is_served_but_not_migrated)
{
    int applied;
    char text[200];
    int newest = newest_version();
    mariadb_empty(&server);
    ck_assert_int_eq(run(MIGRATE_APPLY, &applied), ERR_OK);
    mariadb_exec(&server,
                 "INSERT INTO schema_migrations (version, name, checksum) VALUES (%d, 'x', 'x')",
                 newest + 1);
    ck_assert_int_eq(check(text, sizeof(text)), ERR_OK);
    ck_assert_int_eq(run(MIGRATE_APPLY, &applied), ERR_FORMAT);
    mariadb_exec(&server,
                 "INSERT INTO schema_migrations (version, name, checksum) VALUES (%d, 'y', 'y')",
                 newest + 2);
    ck_assert_int_eq(check(text, sizeof(text)), ERR_CONFIG);
}
END_TEST

START_TEST(a_statement_that_fails_is_told_and_the_next_run_goes_on_there)
{
    int applied;
    mariadb_empty(&server);
    mariadb_exec(&server,
                 "CREATE TABLE models (id VARCHAR(9) PRIMARY KEY)"); /* prices cannot refer to it */
    ck_assert_int_eq(run(MIGRATE_APPLY, &applied), ERR_DB);
    ck_assert_ptr_nonnull(strstr(said, "0001 create_accounts: applied"));
    ck_assert_ptr_nonnull(strstr(said, "0002 create_models: FAILED"));
    ck_assert_ptr_nonnull(strstr(said, "in: CREATE TABLE IF NOT EXISTS prices"));
    mariadb_exec(&server, "DROP TABLE models");
    ck_assert_int_eq(run(MIGRATE_APPLY, &applied), ERR_OK);
    ck_assert_int_eq(applied, files(true) - 1);
}
END_TEST

struct racer {
    enum err result;
    int applied;
};

static void *race(void *arg)
{
    struct racer *r = arg;
    struct db *db = db_new(server.config);
    char *text = NULL;
    size_t n = 0;
    FILE *out = open_memstream(&text, &n);
    r->result = migrate_run(db, MIGRATE_APPLY, out, &r->applied);
    fclose(out);
    free(text);
    db_free(db);
    return NULL;
}

START_TEST(of_two_runs_at_once_each_file_is_applied_by_one)
{
    struct racer r[2];
    pthread_t threads[2];
    mariadb_empty(&server);
    for (int i = 0; i < 2; i++)
        pthread_create(&threads[i], NULL, race, &r[i]);
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    ck_assert_int_eq(r[0].result, ERR_OK);
    ck_assert_int_eq(r[1].result, ERR_OK);
    ck_assert_int_eq(r[0].applied + r[1].applied, files(true));
    ck_assert(r[0].applied == 0 || r[1].applied == 0);
}
END_TEST

START_TEST(the_lock_of_a_dead_run_ends_by_the_databases_clock)
{
    int applied;
    mariadb_empty(&server);
    ck_assert_int_eq(run(MIGRATE_APPLY, &applied), ERR_OK);
    mariadb_exec(&server, "UPDATE schema_migrations SET checksum = 'dead', applied_at = "
                          "UTC_TIMESTAMP(3) + INTERVAL 1 SECOND WHERE name = 'lock'");
    int64_t t = clock_mono_ms();
    ck_assert_int_eq(run(MIGRATE_APPLY, &applied), ERR_OK);
    ck_assert_int_ge(clock_mono_ms() - t, 800);
    ck_assert_int_le(clock_mono_ms() - t, 2500);
    ck_assert_ptr_nonnull(strstr(said, "waiting"));
}
END_TEST

/* ---- the schema itself ---- */

START_TEST(every_table_and_column_has_a_comment_and_every_table_a_primary_key)
{
    int applied;
    mariadb_empty(&server);
    ck_assert_int_eq(run(MIGRATE_APPLY, &applied), ERR_OK);
    ck_assert_str_eq(mariadb_value(&server,
                                   "SELECT GROUP_CONCAT(table_name, '.', column_name) FROM "
                                   "information_schema.columns JOIN information_schema.tables"
                                   " USING (table_schema, table_name) WHERE table_schema = "
                                   "DATABASE() AND table_type = 'BASE TABLE' AND"
                                   " (column_comment = '' OR table_comment = '')"),
                     "");
    ck_assert_str_eq(
        mariadb_value(&server,
                      "SELECT GROUP_CONCAT(table_name) FROM information_schema.tables t WHERE "
                      "table_schema = DATABASE() AND table_type = 'BASE TABLE'"
                      " AND NOT EXISTS (SELECT 1 FROM information_schema.table_constraints c WHERE "
                      "c.table_schema = DATABASE() AND"
                      " c.table_name = t.table_name AND constraint_type = 'PRIMARY KEY')"),
        "");
}
END_TEST

START_TEST(the_shortest_useful_inserts_work_and_typos_are_caught)
{
    mariadb_fresh(&server);
    mariadb_exec(
        &server,
        "INSERT INTO accounts (name) VALUES ('a');"
        "INSERT INTO api_keys (account_id, key_hash) VALUES (1, UNHEX(SHA2('sk-aip-x', 256)));"
        "INSERT INTO models (name) VALUES ('m');"
        "INSERT INTO prices (model_id, unit, amount) VALUES (1, 'input_token', 1.25), (1, "
        "'output_token', 10);"
        "INSERT INTO channels (name, base_url) VALUES ('c', 'https://api.example.com/v1');"
        "INSERT INTO channel_keys (channel_id, secret) VALUES (1, 's');"
        "INSERT INTO channel_models (channel_id, model_id) VALUES (1, 1);"
        "INSERT INTO ledger (account_id, kind, amount) VALUES (1, 'recharge', 10)");
    ck_assert_uint_eq(
        mariadb_try(&server,
                    "INSERT INTO ledger (account_id, kind, amount) VALUES (1, 'recharge', -10)"),
        4025);
    ck_assert_uint_eq(
        mariadb_try(&server,
                    "INSERT INTO ledger (account_id, kind, amount) VALUES (1, 'usage', 10)"),
        4025);
    ck_assert_uint_eq(
        mariadb_try(&server,
                    "INSERT INTO ledger (account_id, kind, amount) VALUES (99, 'recharge', 10)"),
        1452);
    ck_assert_uint_eq(
        mariadb_try(&server, "INSERT INTO prices (model_id, unit, amount) VALUES (1, 'input', 1)"),
        4025);
    ck_assert_uint_eq(
        mariadb_try(&server,
                    "INSERT INTO prices (model_id, unit, amount) VALUES (1, 'request', -1)"),
        4025);
    ck_assert_uint_eq(
        mariadb_try(&server,
                    "INSERT INTO channels (name, base_url) VALUES ('d', 'api.example.com')"),
        4025);
    ck_assert_uint_eq(
        mariadb_try(
            &server,
            "INSERT INTO parameter_overrides (channel_id, action, member) VALUES (1, 'set', 'x')"),
        4025);
    ck_assert_uint_eq(mariadb_try(&server, "INSERT INTO parameter_overrides (channel_id, action, "
                                           "member, value) VALUES (1, 'set', 'x', 'no json')"),
                      4025);
    ck_assert_uint_eq(mariadb_try(&server, "INSERT INTO parameter_overrides (channel_id, action, "
                                           "member) VALUES (1, 'rename', 'x')"),
                      4025);
    ck_assert_uint_eq(mariadb_try(&server, "INSERT INTO parameter_overrides (channel_id, action, "
                                           "member, value) VALUES (1, 'set', 'model', '1')"),
                      4025);
    ck_assert_uint_eq(mariadb_try(&server, "INSERT INTO parameter_overrides (channel_id, action, "
                                           "member) VALUES (1, 'remove', 'x')"),
                      0);
    ck_assert_uint_eq(
        mariadb_try(&server, "INSERT INTO channel_keys (channel_id, secret) VALUES (1, '')"), 4025);
}
END_TEST

START_TEST(the_views_tell_what_is_wrong)
{
    mariadb_fresh(&server);
    mariadb_exec(
        &server,
        "INSERT INTO accounts (id, name) VALUES (1, 'rich'), (2, 'poor'); INSERT INTO accounts "
        "(id, name, status) VALUES (3, 'off', 'disabled');"
        "INSERT INTO api_keys (account_id, key_hash, key_hint, expires_at) VALUES (1, REPEAT('a', "
        "32), 'old', '2020-01-01'), (2, REPEAT('b', 32), 'b', NULL), (3, REPEAT('c', 32), 'c', "
        "NULL);"
        "INSERT INTO models (id, name) VALUES (1, 'good'), (2, 'unpriced'), (3, 'homeless');"
        "INSERT INTO prices (model_id, unit, amount) VALUES (1, 'input_token', 1), (1, "
        "'output_token', 2), (3, 'request', 1), (2, 'input_token', 1);"
        "INSERT INTO prices (model_id, unit, amount, valid_from) VALUES (1, 'input_token', 9, "
        "'2020-01-01'), (1, 'input_token', 8, '2099-01-01'), (2, 'output_token', 1, '2099-01-01');"
        "INSERT INTO channels (id, name, base_url) VALUES (1, 'works', 'http://x'), (2, 'keyless', "
        "'http://x');"
        "INSERT INTO channel_keys (channel_id, secret) VALUES (1, 's');"
        "INSERT INTO channel_models (channel_id, model_id) VALUES (1, 1), (1, 2), (2, 3);"
        "INSERT INTO checkpoints (id, account_id, balance) VALUES (1, 1, 5), (2, 1, 7);"
        "INSERT INTO ledger (account_id, kind, amount, checkpoint_id) VALUES (1, 'recharge', 7, "
        "2), (1, 'recharge', 3, NULL), (1, 'usage', -1, NULL);"
        "INSERT INTO processes (id, host, seen_at) VALUES ('p', 'h', '2020-01-01'); INSERT INTO "
        "leases (process_id, account_id, amount) VALUES ('p', 1, 2.5)");
    ck_assert_str_eq(mariadb_value(&server, "SELECT CONCAT_WS(' ', balance, reserved, available) "
                                            "FROM v_account_balance WHERE name = 'rich'"),
                     "9.000000000 2.500000000 6.500000000");
    ck_assert_str_eq(mariadb_value(&server, "SELECT CONCAT_WS(' ', balance, reserved, available) "
                                            "FROM v_account_balance WHERE name = 'poor'"),
                     "0.000000000 0.000000000 0.000000000");
    ck_assert_str_eq(mariadb_value(&server, "SELECT GROUP_CONCAT(unit, '=', amount ORDER BY unit) "
                                            "FROM v_model_prices WHERE model = 'good'"),
                     "input_token=1.000000000,output_token=2.000000000");
    ck_assert_str_eq(mariadb_value(&server, "SELECT GROUP_CONCAT(problem, ':', subject ORDER BY "
                                            "problem SEPARATOR '\n') FROM v_problems"),
                     "account without money:poor\n"
                     "active key of a disabled account:api_keys 3 c\n"
                     "channel without key:keyless\n"
                     "expired key:api_keys 1 old\n"
                     "model without channel:homeless\n"
                     "model without price:unpriced\n"
                     "process not seen:h p");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("migrate");
    TCase *tc = tcase_create("migrate");
    tcase_set_timeout(tc, 60);
    suite_add_tcase(suite, tc);
    tcase_add_test(tc, a_new_database_gets_all_files_and_the_second_run_finds_nothing);
    tcase_add_test(tc, files_applied_by_hand_are_only_recorded);
    tcase_add_test(tc, every_file_can_be_run_twice_by_a_user_with_tables_only);
    tcase_add_test(tc, spend_limits_of_keys_become_limits_with_what_was_spent);
    tcase_add_test(tc, without_the_right_to_create_views_they_are_skipped);
    tcase_add_test(tc, a_dry_run_tells_and_writes_nothing);
    tcase_add_test(tc, a_wrong_checksum_is_refused);
    tcase_add_test(tc, changed_views_are_made_again);
    tcase_add_test(tc, a_database_one_version_ahead_is_served_but_not_migrated);
    tcase_add_test(tc, a_statement_that_fails_is_told_and_the_next_run_goes_on_there);
    tcase_add_test(tc, of_two_runs_at_once_each_file_is_applied_by_one);
    tcase_add_test(tc, the_lock_of_a_dead_run_ends_by_the_databases_clock);
    tcase_add_test(tc, every_table_and_column_has_a_comment_and_every_table_a_primary_key);
    tcase_add_test(tc, the_shortest_useful_inserts_work_and_typos_are_caught);
    tcase_add_test(tc, the_views_tell_what_is_wrong);
    SRunner *runner = srunner_create(suite);
    mariadb_start_own(&server); /* users are made on it */
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    mariadb_stop(&server);
    return failed ? 1 : 0;
}
