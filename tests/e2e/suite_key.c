/* Keys: where they may stand, how fast a change by SQL counts, and the same for models, prices
 * and channels. */
#include "tests/e2e/suites.h"

#include "tests/e2e/ask.h"
#include "tests/e2e/books.h"
#include "tests/e2e/crowd.h"
#include "tests/e2e/seen.h"
#include "tests/e2e/stack.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum {
    HAMMERS = 8,
    HAMMER_PAUSE_MS = 5,
    REVOKED_WITHIN_US = 1000000,
    CHANGED_WITHIN_MS = 5000,
    BUSY_MS = 1000, /* what a busy machine may add */
    ASKED_AT_ONCE = 8
};

static void seed(void)
{
    int64_t priced = model_new("late-price", "1", "1");
    int64_t moved = model_new("late-off", "1", "1");
    int64_t first = channel_new("late-off-first", "demo", stack.sims[0].port, 10);
    int64_t second = channel_new("late-off-second", "demo", stack.sims[0].port, 0);
    channel_serves(sql_int("SELECT id FROM channels WHERE name = 'main'"), priced, NULL);
    channel_serves(first, moved, NULL);
    channel_serves(second, moved, NULL);
}

static int status_with(const char *path, const char *bearer, const char *header, const char *more)
{
    struct http_reply reply;
    struct http_call call = {
        .port = stack.webs[0].port, .path = path, .key = bearer, .headers = {header, more}
    };
    http_run(&call, &reply);
    int status = reply.status;
    http_reply_clear(&reply);
    return status;
}

START_TEST(a_key_is_taken_from_each_place)
{
    struct customer c = customer_new("10");
    const char *x_api = http_printf("x-api-key: %s", c.key);
    const char *x_goog = http_printf("x-goog-api-key: %s", c.key);
    ck_assert_int_eq(status_with("/v1/models", c.key, NULL, NULL), 200);
    ck_assert_int_eq(status_with("/v1/models", NULL, x_api, NULL), 200);
    ck_assert_int_eq(status_with("/v1/models", NULL, x_goog, NULL), 200);
    ck_assert_int_eq(status_with(http_printf("/v1/models?a=b&key=%s", c.key), NULL, NULL, NULL),
                     200);
    ck_assert_int_eq(status_with("/v1/models", NULL, NULL, NULL), 401);
}
END_TEST

START_TEST(the_next_place_is_tried_when_a_key_is_not_ours)
{
    struct customer c = customer_new("10");
    const char *x_api = http_printf("x-api-key: %s", c.key);
    const char *x_goog = http_printf("x-goog-api-key: %s", c.key);
    const char *query = http_printf("/v1/models?key=%s", c.key);
    ck_assert_int_eq(status_with("/v1/models", "sk-other", x_api, NULL), 200);
    ck_assert_int_eq(status_with("/v1/models", c.key, "x-api-key: sk-ant-other", NULL), 200);
    ck_assert_int_eq(status_with("/v1/models", "sk-aip-not-there", "x-api-key: other", x_goog),
                     200);
    ck_assert_int_eq(status_with(query, "sk-aip-not-there", "x-goog-api-key: other", NULL), 200);
    ck_assert_int_eq(status_with("/v1/models", "one", "x-api-key: two", "x-goog-api-key: three"),
                     401);
}
END_TEST

START_TEST(of_two_good_keys_authorization_wins)
{
    struct customer first = customer_new("10");
    struct customer second = customer_new("10");
    struct http_reply reply;
    struct http_call call = {.port = stack.webs[0].port,
                             .path = "/v1/chat/completions",
                             .key = first.key,
                             .headers = {http_printf("x-api-key: %s", second.key)},
                             .body = ask_body("demo", "tokens=1", "")};
    http_run(&call, &reply);
    ask_expect_status(&reply, 200);
    books_expect(ask_id(&reply), "account_id", http_printf("%" PRId64, first.account_id));
    http_reply_clear(&reply);
}
END_TEST

/* Hammers a key, takes it away by SQL in the middle, and looks when the last request got
 * through. */
static void expect_gone_within_a_second(const char *statement, const struct customer *c)
{
    struct http_call call = {.port = stack.webs[0].port,
                             .path = "/v1/chat/completions",
                             .key = c->key,
                             .body = ask_body("demo", "tokens=1", "")};
    size_t count;
    int late = 0;
    int refused = 0;
    int64_t last_us = 0;
    struct crowd *crowd = crowd_start(&call, HAMMERS, HAMMER_PAUSE_MS);
    spawn_sleep_ms(1000);
    sql_run("%s", statement);
    int64_t revoked_us = spawn_now_us();
    spawn_sleep_ms(2200);
    const struct crowd_result *results = crowd_stop(crowd, &count);
    for (size_t i = 0; i < count; i++) {
        bool is_late = results[i].begun_us > revoked_us + REVOKED_WITHIN_US;
        late += is_late && results[i].status != 401;
        refused += is_late && results[i].status == 401;
        if (results[i].status == 200 && results[i].begun_us - revoked_us > last_us)
            last_us = results[i].begun_us - revoked_us;
    }
    crowd_free(crowd);
    ck_assert_msg(late == 0,
                  "%d requests were not refused more than a second after: %s (the last %" PRId64
                  " ms after it)",
                  late, statement, last_us / 1000);
    ck_assert_msg(refused > HAMMERS, "only %d refusals were seen", refused);
    int64_t processes =
        sql_int("SELECT COUNT(DISTINCT process_id) FROM usage_log WHERE api_key_id = "
                "%" PRId64,
                c->key_id);
    ck_assert_msg(processes >= 2, "%" PRId64 " processes served the key: too few to tell",
                  processes);
}

START_TEST(a_revoked_key_stops_within_a_second_in_every_process)
{
    struct customer c = customer_new("10");
    expect_gone_within_a_second(
        http_printf("UPDATE api_keys SET status = 'revoked' WHERE id = %" PRId64, c.key_id), &c);
    sql_run("UPDATE api_keys SET status = 'active' WHERE id = %" PRId64, c.key_id);
    ck_assert_msg(
        WAIT_UNTIL(status_with("/v1/models", c.key, NULL, NULL) == 200, CHANGED_WITHIN_MS),
        "an active key is still refused after %d ms", CHANGED_WITHIN_MS);
}
END_TEST

START_TEST(a_deleted_key_stops_within_a_second_in_every_process)
{
    struct customer c = customer_new("10");
    expect_gone_within_a_second(http_printf("DELETE FROM api_keys WHERE id = %" PRId64, c.key_id),
                                &c);
}
END_TEST

START_TEST(a_disabled_account_stops_within_a_second_in_every_process)
{
    struct customer c = customer_new("10");
    expect_gone_within_a_second(
        http_printf("UPDATE accounts SET status = 'disabled' WHERE id = %" PRId64, c.account_id),
        &c);
}
END_TEST

/* Eight requests at once, so that both processes of the pool answer; every answer must be
 * `status`, and every row have that value. */
static void expect_all(const struct customer *c, const char *model, const char *column,
                       const char *expected)
{
    struct http_call calls[ASKED_AT_ONCE];
    struct http_reply replies[ASKED_AT_ONCE];
    const char *body = ask_body(model, "tokens=1,prompt=50,completion=0", "");
    for (size_t i = 0; i < ASKED_AT_ONCE; i++)
        calls[i] = (struct http_call){.port = stack.webs[0].port,
                                      .path = "/v1/chat/completions",
                                      .key = c->key,
                                      .body = body};
    http_many(calls, replies, ASKED_AT_ONCE);
    for (size_t i = 0; i < ASKED_AT_ONCE; i++) {
        ask_expect_status(&replies[i], 200);
        books_expect(ask_id(&replies[i]), column, expected);
        http_reply_clear(&replies[i]);
    }
}

START_TEST(what_an_admin_inserts_counts_within_five_seconds)
{
    static const char served_by[] = "(SELECT name FROM channels c WHERE c.id = channel_id)";
    struct customer c = customer_new("1000");
    char new_key[ADMIN_KEY_SIZE];
    expect_all(&c, "late-price", "input_tokens", "50");
    expect_all(&c, "late-off", served_by, "late-off-first");
    int64_t model = model_new("late-model", "1", "1");
    channel_serves(sql_int("SELECT id FROM channels WHERE name = 'main'"), model, NULL);
    sql_run("INSERT INTO prices (model_id, unit, amount) SELECT id, 'input_token', 0.5 FROM models "
            "WHERE name = 'late-price'");
    sql_run("UPDATE channels SET status = 'disabled' WHERE name = 'late-off-first'");
    int64_t new_key_id = key_new(c.account_id, new_key);
    ck_assert(new_key_id > 0);
    ck_assert_int_eq(status_with("/v1/models", new_key, NULL, NULL), 200);
    spawn_sleep_ms(CHANGED_WITHIN_MS + BUSY_MS);
    expect_all(&c, "late-model", "status", "ok");
    expect_all(&c, "late-price", "cost", "0.000025000");
    expect_all(&c, "late-off", served_by, "late-off-second");
    books_check();
}
END_TEST

START_TEST(a_recharge_counts_at_once)
{
    struct customer c = customer_new("0");
    struct http_reply reply;
    ask_chat(c.key, ask_body("demo", "tokens=1", ""), &reply);
    ask_expect_error(&reply, 429, "insufficient_quota", "insufficient_quota", NULL);
    http_reply_clear(&reply);
    sql_run("INSERT INTO ledger (account_id, kind, amount) VALUES (%" PRId64 ", 'recharge', 5)",
            c.account_id);
    ask_chat(c.key, ask_body("demo", "tokens=1", ""), &reply);
    ask_expect_status(&reply, 200);
    http_reply_clear(&reply);
}
END_TEST

START_TEST(a_provider_key_pasted_in_plain_is_sealed_at_first_use)
{
    struct customer c = customer_new("10");
    struct http_reply reply;
    ask_chat(c.key, ask_body("demo", "tokens=1", ",\"tag\":\"sealed-key\""), &reply);
    ask_expect_status(&reply, 200);
    http_reply_clear(&reply);
    const char *seen = seen_request(0, "sealed-key");
    ck_assert(seen != NULL);
    ck_assert_str_eq(seen_header(seen, "authorization"), "Bearer provider-key-main");
    ck_assert_msg(
        WAIT_UNTIL(sql_int("SELECT COUNT(*) FROM channel_keys k JOIN channels c ON c.id = "
                           "k.channel_id WHERE c.name = 'main' AND "
                           "k.secret LIKE 'sealed:1:%%'") == 1,
                   CHANGED_WITHIN_MS),
        "the provider's key lies open in the database: %s",
        sql_text("SELECT secret FROM channel_keys LIMIT 1"));
}
END_TEST

static void add(TCase *t)
{
    tcase_add_test(t, a_key_is_taken_from_each_place);
    tcase_add_test(t, the_next_place_is_tried_when_a_key_is_not_ours);
    tcase_add_test(t, of_two_good_keys_authorization_wins);
    tcase_add_test(t, a_revoked_key_stops_within_a_second_in_every_process);
    tcase_add_test(t, a_deleted_key_stops_within_a_second_in_every_process);
    tcase_add_test(t, a_disabled_account_stops_within_a_second_in_every_process);
    tcase_add_test(t, what_an_admin_inserts_counts_within_five_seconds);
    tcase_add_test(t, a_recharge_counts_at_once);
    tcase_add_test(t, a_provider_key_pasted_in_plain_is_sealed_at_first_use);
}

const struct suite_part part_key = {"key", seed, add};
