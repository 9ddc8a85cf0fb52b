#include "db/redeem.h"

#include "base/amount.h"
#include "tests/unit/mariadb.h"

#include <check.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define USD     MONEY_NUSD_PER_USD
#define RACERS  50
#define POOLS   4
#define CODES_N 5

static struct mariadb server;
static struct db *db;
static struct redeemed out;

static void setup(void)
{
    mariadb_fresh(&server);
    mariadb_exec(&server, "INSERT INTO accounts (id, name) VALUES (1, 'a'), (2, 'b')");
    mariadb_exec(&server, "INSERT INTO redeem_codes (id, code_hash, amount, batch) VALUES"
                          " (10, UNHEX(SHA2('spring-10', 256)), 10, 'spring'),"
                          " (11, UNHEX(SHA2('tiny', 256)), 0.000000001, '')");
    mariadb_exec(&server,
                 "INSERT INTO redeem_codes (id, code_hash, amount, expires_at) VALUES"
                 " (12, UNHEX(SHA2('old', 256)), 1, UTC_TIMESTAMP(3) - INTERVAL 1 SECOND),"
                 " (13, UNHEX(SHA2('young', 256)), 1, UTC_TIMESTAMP(3) + INTERVAL 1 HOUR)");
    server.config->db_connections_max = 16;
    db = db_new(server.config);
    out = (struct redeemed){.amount_nusd = -1};
}

static void teardown(void)
{
    db_free(db);
}

START_TEST(a_code_is_credited_with_its_reference)
{
    ck_assert_int_eq(redeem_use(db, SLICE(" spring-10\n"), 1, 77, &out), ERR_OK);
    ck_assert_int_eq(out.amount_nusd, 10 * USD);
    ck_assert_str_eq(mariadb_value(&server, "SELECT CONCAT_WS(' ', account_id, kind, amount, "
                                            "reference, note) FROM ledger"),
                     "1 redeem 10.000000000 redeem:10 spring");
    ck_assert_int_eq(mariadb_number(&server, "SELECT COUNT(*) FROM redeem_codes WHERE id = 10 AND "
                                             "redeemed_by = 1 AND redeemed_key_id = 77 AND "
                                             "ABS(TIMESTAMPDIFF(SECOND, redeemed_at, "
                                             "UTC_TIMESTAMP(3))) < 20"),
                     1);
    ck_assert_int_eq(redeem_use(db, SLICE("tiny"), 2, 0, &out), ERR_OK);
    ck_assert_int_eq(out.amount_nusd, 1);
    ck_assert_int_eq(
        mariadb_number(&server, "SELECT redeemed_key_id IS NULL FROM redeem_codes WHERE id = 11"),
        1);
}
END_TEST

START_TEST(a_code_counts_once)
{
    ck_assert_int_eq(redeem_use(db, SLICE("spring-10"), 1, 1, &out), ERR_OK);
    out = (struct redeemed){0};
    ck_assert_int_eq(redeem_use(db, SLICE("spring-10"), 1, 1, &out), ERR_CODE_USED);
    ck_assert(out.is_own);
    ck_assert_int_eq(out.amount_nusd, 10 * USD);
    ck_assert_int_eq(redeem_use(db, SLICE("spring-10"), 2, 1, &out), ERR_CODE_USED);
    ck_assert(!out.is_own);
    ck_assert_int_eq(out.amount_nusd, 0);
    ck_assert_int_eq(mariadb_number(&server, "SELECT COUNT(*) FROM ledger"), 1);
}
END_TEST

START_TEST(unknown_expired_and_withdrawn_codes_are_told_apart)
{
    char longest[REDEEM_CODE_BYTES + 2];
    memset(longest, 'x', sizeof(longest));
    mariadb_exec(&server, "UPDATE redeem_codes SET redeemed_at = UTC_TIMESTAMP(3) WHERE id = 10");
    ck_assert_int_eq(redeem_use(db, SLICE("none"), 1, 1, &out), ERR_NOT_FOUND);
    ck_assert_int_eq(redeem_use(db, SLICE("Tiny"), 1, 1, &out), ERR_NOT_FOUND);
    ck_assert_int_eq(redeem_use(db, SLICE("  "), 1, 1, &out), ERR_NOT_FOUND);
    ck_assert_int_eq(redeem_use(db, (struct slice){longest, sizeof(longest)}, 1, 1, &out),
                     ERR_NOT_FOUND);
    ck_assert_int_eq(redeem_use(db, SLICE("old"), 1, 1, &out), ERR_CODE_EXPIRED);
    ck_assert_int_eq(out.amount_nusd, -1);
    ck_assert_int_eq(redeem_use(db, SLICE("young"), 1, 1, &out), ERR_OK);
    ck_assert_int_eq(redeem_use(db, SLICE("spring-10"), 1, 1, &out), ERR_CODE_USED);
    ck_assert_int_eq(mariadb_number(&server, "SELECT COUNT(*) FROM ledger"), 1);
}
END_TEST

START_TEST(a_ledger_row_of_the_same_reference_stops_it_as_a_whole)
{
    mariadb_exec(&server, "INSERT INTO ledger (account_id, kind, amount, reference) VALUES (2, "
                          "'redeem', 10, 'redeem:10')");
    ck_assert_int_eq(redeem_use(db, SLICE("spring-10"), 1, 1, &out), ERR_UNAVAILABLE);
    ck_assert_int_eq(
        mariadb_number(&server, "SELECT redeemed_at IS NULL FROM redeem_codes WHERE id = 10"), 1);
}
END_TEST

static struct db *pools[POOLS]; /* as many processes */
static pthread_barrier_t start;
static enum err results[RACERS];

static void *race(void *arg)
{
    size_t i = (size_t)((enum err *)arg - results);
    struct redeemed r;
    pthread_barrier_wait(&start);
    /* Too many at once for one pool's connections is no answer: asked again, as a client would. */
    do
        results[i] = redeem_use(pools[i % POOLS], SLICE("spring-10"), 1 + (int64_t)(i % 2), 1, &r);
    while (results[i] == ERR_UNAVAILABLE);
    return NULL;
}

START_TEST(of_50_tries_at_once_over_several_pools_exactly_one_is_credited)
{
    pthread_t threads[RACERS];
    int credited = 0, used = 0;
    for (size_t i = 0; i < POOLS; i++)
        pools[i] = db_new(server.config);
    pthread_barrier_init(&start, NULL, RACERS);
    for (size_t i = 0; i < RACERS; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, race, &results[i]), 0);
    for (size_t i = 0; i < RACERS; i++) {
        pthread_join(threads[i], NULL);
        credited += results[i] == ERR_OK;
        used += results[i] == ERR_CODE_USED;
    }
    for (size_t i = 0; i < POOLS; i++)
        db_free(pools[i]);
    pthread_barrier_destroy(&start);
    ck_assert_int_eq(credited, 1);
    ck_assert_int_eq(used, RACERS - 1);
    ck_assert_str_eq(mariadb_value(&server, "SELECT SUM(amount) FROM ledger"), "10.000000000");
    ck_assert_int_eq(mariadb_number(&server, "SELECT COUNT(*) FROM ledger l JOIN redeem_codes r ON "
                                             "r.redeemed_by = l.account_id AND r.id = 10"),
                     1);
}
END_TEST

START_TEST(a_batch_is_made_of_codes_that_differ_and_work)
{
    char codes[CODES_N][REDEEM_CODE_SIZE];
    struct redeem_batch batch = {
        .name = "june", .expires = "2999-06-01", .amount_nusd = USD / 4, .n = CODES_N};
    ck_assert_int_eq(redeem_create(db, &batch, codes), ERR_OK);
    ck_assert_int_eq(mariadb_number(&server, "SELECT COUNT(DISTINCT code_hash) FROM redeem_codes "
                                             "WHERE batch = 'june' AND amount = 0.25 AND "
                                             "expires_at = '2999-06-01' AND code_hint LIKE "
                                             "'AIP-_____...____'"),
                     CODES_N);
    for (size_t i = 0; i < CODES_N; i++) {
        ck_assert_uint_eq(strlen(codes[i]), REDEEM_CODE_SIZE - 1);
        ck_assert_int_eq(redeem_use(db, slice_of(codes[i]), 1, 1, &out), ERR_OK);
        ck_assert_int_eq(out.amount_nusd, USD / 4);
    }
    ck_assert_int_eq(mariadb_number(&server,
                                    "SELECT COUNT(*) FROM redeem_codes WHERE "
                                    "code_hint LIKE CONCAT('%%', '%s', '%%')",
                                    codes[0]),
                     0);
}
END_TEST

START_TEST(a_batch_with_a_bad_date_makes_nothing)
{
    char codes[CODES_N][REDEEM_CODE_SIZE];
    struct redeem_batch batch = {
        .name = "bad", .expires = "tomorrow", .amount_nusd = USD, .n = CODES_N};
    ck_assert_int_eq(redeem_create(db, &batch, codes), ERR_FORMAT);
    ck_assert_int_eq(
        mariadb_number(&server, "SELECT COUNT(*) FROM redeem_codes WHERE batch = 'bad'"), 0);
}
END_TEST

START_TEST(without_a_database_it_is_unavailable)
{
    char *was = server.config->db_hosts;
    char nowhere[] = "/nowhere/mysql.sock";
    char codes[1][REDEEM_CODE_SIZE];
    struct redeem_batch batch = {.name = "", .amount_nusd = USD, .n = 1};
    server.config->db_hosts = nowhere;
    struct db *none = db_new(server.config);
    ck_assert_int_eq(redeem_use(none, SLICE("spring-10"), 1, 1, &out), ERR_UNAVAILABLE);
    ck_assert_int_eq(redeem_create(none, &batch, codes), ERR_UNAVAILABLE);
    db_free(none);
    server.config->db_hosts = was;
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("redeem");
    TCase *tc = tcase_create("redeem");
    tcase_set_timeout(tc, 30);
    tcase_add_checked_fixture(tc, setup, teardown);
    suite_add_tcase(suite, tc);
    tcase_add_test(tc, a_code_is_credited_with_its_reference);
    tcase_add_test(tc, a_code_counts_once);
    tcase_add_test(tc, unknown_expired_and_withdrawn_codes_are_told_apart);
    tcase_add_test(tc, a_ledger_row_of_the_same_reference_stops_it_as_a_whole);
    tcase_add_test(tc, of_50_tries_at_once_over_several_pools_exactly_one_is_credited);
    tcase_add_test(tc, a_batch_is_made_of_codes_that_differ_and_work);
    tcase_add_test(tc, a_batch_with_a_bad_date_makes_nothing);
    tcase_add_test(tc, without_a_database_it_is_unavailable);
    SRunner *runner = srunner_create(suite);
    mariadb_start(&server);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    mariadb_stop(&server);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
