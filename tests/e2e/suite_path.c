/* Paths: doubled versions, models, usage, health, and what needs no key. */
#include "tests/e2e/suites.h"

#include "tests/e2e/ask.h"
#include "tests/e2e/books.h"
#include "tests/e2e/stack.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define SLASHED "vendor/family/model-1"

static void seed(void)
{
    channel_serves(sql_int("SELECT id FROM channels WHERE name = 'main'"),
                   model_new(SLASHED, "1", "1"), NULL);
    sql_run("INSERT INTO models (name, status) VALUES ('switched-off', 'disabled')");
}

static void expect_chat_at(const char *path, const char *key)
{
    struct http_reply reply;
    struct http_call call = {.port = stack.webs[0].port,
                             .path = path,
                             .key = key,
                             .body = ask_body("demo", "tokens=1", "")};
    http_run(&call, &reply);
    ck_assert_msg(reply.status == 200, "POST %s: expected 200, seen %d %.200s", path, reply.status,
                  reply.body);
    ask_id(&reply);
    http_reply_clear(&reply);
}

START_TEST(doubled_and_missing_versions_lead_to_the_same_endpoint)
{
    struct customer c = customer_new("10");
    expect_chat_at("/v1/chat/completions", c.key);
    expect_chat_at("/v1/v1/chat/completions", c.key);
    expect_chat_at("/v1beta/v1/chat/completions", c.key);
    expect_chat_at("/v1/v1beta/chat/completions", c.key);
    expect_chat_at("/chat/completions", c.key);
    expect_chat_at("/v1/chat/completions?beta=true&unknown=1&" ASK_CANARY_QUERY "=1", c.key);
}
END_TEST

static void expect_status_of(const char *method, const char *path, const char *key, int status)
{
    struct http_reply reply;
    ask_path(method, path, key, &reply);
    ck_assert_msg(reply.status == status, "%s %s: expected %d, seen %d %.200s", method, path,
                  status, reply.status, reply.body);
    ask_id(&reply);
    if (strcmp(method, "HEAD") == 0)
        ck_assert_msg(reply.body_n == 0, "HEAD %s has a body", path);
    http_reply_clear(&reply);
}

START_TEST(head_requests_are_answered_without_a_key)
{
    expect_status_of("HEAD", "/v1", NULL, 200);
    expect_status_of("HEAD", "/v1/", NULL, 200);
    expect_status_of("HEAD", "/v1/models", NULL, 200);
    expect_status_of("HEAD", "/v1/api/hello", NULL, 200);
    expect_status_of("HEAD", "/healthz", NULL, 200);
    expect_status_of("OPTIONS", "/v1/chat/completions", NULL, 204);
}
END_TEST

/* Whether GET /v1/models names that model. */
static bool lists(const char *key, const char *model)
{
    struct http_reply reply;
    bool is_listed = false;
    ask_path("GET", "/v1/models?limit=1000", key, &reply);
    ask_expect_status(&reply, 200);
    ck_assert_str_eq(http_field(reply.body, "object"), "list");
    for (int i = 0; !is_listed; i++) {
        const char *id = http_field(reply.body, http_printf("data.%d.id", i));
        if (id == NULL)
            break;
        ck_assert_str_eq(http_field(reply.body, http_printf("data.%d.object", i)), "model");
        ck_assert(atoll(http_field(reply.body, http_printf("data.%d.created", i))) > 1700000000);
        ck_assert(http_field(reply.body, http_printf("data.%d.owned_by", i)) != NULL);
        is_listed = strcmp(id, model) == 0;
    }
    http_reply_clear(&reply);
    return is_listed;
}

START_TEST(models_lists_what_the_key_may_use)
{
    struct customer all = customer_new("10");
    struct customer few = customer_new("10");
    sql_run("INSERT INTO api_key_models (api_key_id, model_id) SELECT %" PRId64
            ", id FROM models WHERE name = '" SLASHED "'",
            few.key_id);
    ck_assert(lists(all.key, "demo"));
    ck_assert(lists(all.key, SLASHED));
    ck_assert_msg(!lists(all.key, "switched-off"), "a disabled model is listed");
    ck_assert(lists(few.key, SLASHED));
    ck_assert_msg(!lists(few.key, "demo"), "a model outside the key's list is listed");
    expect_status_of("GET", "/v1/models", NULL, 401);
    expect_status_of("GET", "/v1/models/demo", few.key, 404);
    expect_status_of("GET", "/v1/v1/models", all.key, 200);
    expect_status_of("GET", "/models", all.key, 200);
}
END_TEST

START_TEST(a_models_name_may_hold_slashes_plain_or_encoded)
{
    struct customer c = customer_new("10");
    struct http_reply reply;
    static const char *const paths[] = {"/v1/models/" SLASHED,
                                        "/v1/models/vendor%2Ffamily%2Fmodel-1",
                                        "/v1/models/vendor%2ffamily/model-1"};
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        ask_path("GET", paths[i], c.key, &reply);
        ask_expect_status(&reply, 200);
        ck_assert_str_eq(http_field(reply.body, "id"), SLASHED);
        http_reply_clear(&reply);
    }
    ask_path("GET", "/v1/models/no-such", c.key, &reply);
    ask_expect_error(&reply, 404, "invalid_request_error", "model_not_found", "model");
    http_reply_clear(&reply);
    ask_chat(c.key, ask_body(SLASHED, "tokens=1", ""), &reply);
    ask_expect_status(&reply, 200);
    http_reply_clear(&reply);
}
END_TEST

static void expect_usage(const struct http_reply *reply, const char *path, const char *sum,
                         const char *where)
{
    const char *seen = http_field(reply->body, path);
    const char *expected = sql_text("SELECT COALESCE(%s, 0) FROM usage_log WHERE %s", sum, where);
    ck_assert_msg(seen != NULL && strcmp(seen, expected) == 0, "%s: expected %s, seen %s in %s",
                  path, expected, seen != NULL ? seen : "nothing", reply->body);
}

static void expect_spend(const struct http_reply *reply, const char *prefix, const char *where)
{
    expect_usage(reply, http_printf("%s.requests", prefix), "COUNT(*)", where);
    expect_usage(reply, http_printf("%s.input_tokens", prefix),
                 "SUM(input_tokens + cached_input_tokens + cache_write_tokens + "
                 "cache_write_1h_tokens)",
                 where);
    expect_usage(reply, http_printf("%s.output_tokens", prefix), "SUM(output_tokens)", where);
    expect_usage(reply, http_printf("%s.cost", prefix), "SUM(cost)", where);
}

START_TEST(usage_tells_what_the_database_knows)
{
    struct customer c = customer_new("10");
    struct http_reply reply;
    char second[ADMIN_KEY_SIZE];
    int64_t second_id = key_new(c.account_id, second);
    ask_chat(c.key, ask_body("demo", "tokens=1,prompt=100,cached=30", ""), &reply);
    ask_expect_status(&reply, 200);
    books_wait_row(ask_id(&reply));
    http_reply_clear(&reply);
    ask_chat(second, ask_body("demo", "tokens=7,prompt=1", ""), &reply);
    ask_expect_status(&reply, 200);
    books_wait_row(ask_id(&reply));
    http_reply_clear(&reply);
    ask_path("GET", "/v1/usage", second, &reply);
    ask_expect_status(&reply, 200);
    ck_assert_str_eq(http_field(reply.body, "object"), "usage");
    ck_assert_str_eq(http_field(reply.body, "currency"), "USD");
    ck_assert_str_eq(http_field(reply.body, "balance"), books_balance(c.account_id));
    ck_assert(http_field(reply.body, "reserved") != NULL);
    ck_assert_str_eq(http_field(reply.body, "key.name"), "e2e");
    ck_assert(http_field(reply.body, "key.hint") != NULL);
    const char *account = http_printf("account_id = %" PRId64, c.account_id);
    const char *key = http_printf("api_key_id = %" PRId64, second_id);
    expect_spend(&reply, "account.today", account);
    expect_spend(&reply, "account.month", account);
    expect_spend(&reply, "key.today", key);
    expect_spend(&reply, "key.month", key);
    http_reply_clear(&reply);
}
END_TEST

START_TEST(health_tells_version_process_and_state)
{
    struct http_reply reply;
    ask_path("GET", "/healthz", NULL, &reply);
    ask_expect_status(&reply, 200);
    ck_assert_str_eq(http_field(reply.body, "status"), "ok");
    ck_assert_uint_eq(strlen(http_field(reply.body, "process")), 26);
    ck_assert(http_field(reply.body, "version") != NULL);
    http_reply_clear(&reply);
    ask_path("GET", "/readyz", NULL, &reply);
    ask_expect_status(&reply, 200);
    ck_assert_str_eq(http_field(reply.body, "status"), "ok");
    ck_assert_str_eq(http_field(reply.body, "database.ok"), "true");
    ck_assert_str_eq(http_field(reply.body, "journal.writable"), "true");
    ck_assert_str_eq(http_field(reply.body, "journal.rejected_rows"), "0");
    ck_assert(atoi(http_field(reply.body, "catalog.models")) >= 2);
    http_reply_clear(&reply);
}
END_TEST

static void add(TCase *t)
{
    tcase_add_test(t, doubled_and_missing_versions_lead_to_the_same_endpoint);
    tcase_add_test(t, head_requests_are_answered_without_a_key);
    tcase_add_test(t, models_lists_what_the_key_may_use);
    tcase_add_test(t, a_models_name_may_hold_slashes_plain_or_encoded);
    tcase_add_test(t, usage_tells_what_the_database_knows);
    tcase_add_test(t, health_tells_version_process_and_state);
}

const struct suite_part part_path = {"path", seed, add};
