/* The error table as clients see it: status, type, code, param, headers. */
#include "tests/e2e/suites.h"

#include "tests/e2e/ask.h"
#include "tests/e2e/books.h"
#include "tests/e2e/seen.h"
#include "tests/e2e/stack.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { MEGABYTE = 1 << 20, RAW_MAX = 8192 };

#define REQUEST_ERROR "invalid_request_error"
#define QUOTA         "insufficient_quota"

static void seed(void)
{
    int64_t orphan = model_new("no-channel", "1", "1");
    int64_t dear = model_new("dear", "1000", "5000");
    sql_run("INSERT INTO models (name) VALUES ('unpriced')");
    int64_t unpriced = sql_int("SELECT id FROM models WHERE name = 'unpriced'");
    int64_t closed = channel_new("nobody-there", "demo", spawn_free_port(), 0);
    int64_t down = model_new("down", "1", "1");
    int64_t main_channel = sql_int("SELECT id FROM channels WHERE name = 'main'");
    channel_serves(closed, down, NULL);
    channel_serves(main_channel, dear, NULL);
    channel_serves(main_channel, unpriced, NULL);
    sql_run("INSERT INTO channels (name, base_url, status) VALUES ('off', 'http://127.0.0.1:9/v1', "
            "'disabled')");
    int64_t off = sql_int("SELECT id FROM channels WHERE name = 'off'");
    sql_run("INSERT INTO channel_keys (channel_id, secret) VALUES (%" PRId64 ", 'k')", off);
    channel_serves(off, orphan, NULL);
}

/* What a body is answered with; nothing of it may reach the provider or be charged. */
static void expect_refusal(const char *key, const char *body, int status, const char *type,
                           const char *code, const char *param)
{
    struct http_reply reply;
    int64_t before = seen_count(0, "requests");
    ask_chat(key, body, &reply);
    ask_expect_error(&reply, status, type, code, param);
    ck_assert_msg(seen_count(0, "requests") == before, "a refused request went to the provider: %s",
                  body);
    ck_assert_int_eq(
        sql_int("SELECT COUNT(*) FROM usage_log WHERE request_id = '%s'", ask_id(&reply)), 0);
    http_reply_clear(&reply);
}

static void expect_bad(const char *key, const char *body, const char *param)
{
    expect_refusal(key, body, 400, REQUEST_ERROR, "bad_request", param);
}

#define HI "\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]"

START_TEST(a_malformed_request_is_400_with_the_parameter_at_fault)
{
    struct customer c = customer_new("10");
    expect_bad(c.key, "{\"model\":\"demo\"," HI, NULL);
    expect_bad(c.key, "[]", NULL);
    expect_bad(c.key, "{'model':'demo'}", NULL);
    expect_bad(c.key, "{\"model\":\"demo\"," HI "} trailing", NULL);
    expect_bad(c.key, "{\"model\":\"demo\",\"x\":\"\xff\"," HI "}", NULL);
    expect_bad(c.key, "{" HI "}", "model");
    expect_bad(c.key, "{\"model\":7," HI "}", "model");
    expect_bad(c.key, "{\"model\":\"demo\",\"model\":\"gpt-5\"," HI "}", "model");
    expect_bad(c.key, "{\"model\":\"demo\"}", "messages");
    expect_bad(c.key, "{\"model\":\"demo\",\"messages\":\"hi\"}", "messages");
    expect_bad(c.key, "{\"model\":\"demo\",\"messages\":[]}", "messages");
    expect_bad(c.key, "{\"model\":\"demo\"," HI ",\"stream\":\"yes\"}", "stream");
    expect_bad(c.key, "{\"model\":\"demo\"," HI ",\"stream\":1}", "stream");
    expect_bad(c.key, "{\"model\":\"demo\"," HI ",\"max_tokens\":\"many\"}", "max_tokens");
    expect_bad(c.key, "{\"model\":\"demo\"," HI ",\"max_tokens\":-1}", "max_tokens");
}
END_TEST

START_TEST(a_member_that_we_bill_by_may_not_stand_twice)
{
    struct customer c = customer_new("10");
    expect_bad(c.key, "{\"model\":\"demo\"," HI ",\"stream\":false,\"stream\":true}", "stream");
    expect_bad(c.key, "{\"model\":\"demo\"," HI ",\"max_tokens\":1,\"max_tokens\":9999}",
               "max_tokens");
    expect_bad(c.key, "{\"model\":\"demo\"," HI ",\"n\":1,\"n\":100}", "n");
}
END_TEST

START_TEST(an_unknown_revoked_expired_or_missing_key_is_401)
{
    struct customer c = customer_new("10");
    const char *body = ask_body("demo", "", "");
    expect_refusal(NULL, body, 401, REQUEST_ERROR, "invalid_api_key", NULL);
    expect_refusal("sk-aip-unknown", body, 401, REQUEST_ERROR, "invalid_api_key", NULL);
    expect_refusal("not-even-ours", body, 401, REQUEST_ERROR, "invalid_api_key", NULL);
    sql_run("UPDATE api_keys SET status = 'revoked' WHERE id = %" PRId64, c.key_id);
    expect_refusal(c.key, body, 401, REQUEST_ERROR, "invalid_api_key", NULL);
    c = customer_new("10");
    sql_run("UPDATE api_keys SET expires_at = UTC_TIMESTAMP(3) - INTERVAL 1 SECOND WHERE id = "
            "%" PRId64,
            c.key_id);
    expect_refusal(c.key, body, 401, REQUEST_ERROR, "invalid_api_key", NULL);
    c = customer_new("10");
    sql_run("UPDATE api_keys SET status = 'disabled' WHERE id = %" PRId64, c.key_id);
    expect_refusal(c.key, body, 401, REQUEST_ERROR, "invalid_api_key", NULL);
    c = customer_new("10");
    sql_run("UPDATE accounts SET status = 'disabled' WHERE id = %" PRId64, c.account_id);
    expect_refusal(c.key, body, 401, REQUEST_ERROR, "invalid_api_key", NULL);
}
END_TEST

START_TEST(a_key_that_expires_later_works)
{
    struct customer c = customer_new("10");
    struct http_reply reply;
    sql_run("UPDATE api_keys SET expires_at = UTC_TIMESTAMP(3) + INTERVAL 1 HOUR WHERE id = "
            "%" PRId64,
            c.key_id);
    ask_chat(c.key, ask_body("demo", "tokens=1", ""), &reply);
    ask_expect_status(&reply, 200);
    http_reply_clear(&reply);
}
END_TEST

START_TEST(a_model_outside_the_keys_list_is_403)
{
    struct customer c = customer_new("10");
    sql_run("INSERT INTO api_key_models (api_key_id, model_id) SELECT %" PRId64
            ", id FROM models WHERE name = 'dear'",
            c.key_id);
    expect_refusal(c.key, ask_body("demo", "", ""), 403, "permission_error", "permission_denied",
                   "model");
}
END_TEST

START_TEST(an_unknown_path_or_model_is_404)
{
    struct customer c = customer_new("10");
    struct http_reply reply;
    expect_refusal(c.key, ask_body("no-such-model", "", ""), 404, REQUEST_ERROR, "model_not_found",
                   "model");
    expect_refusal(c.key, ask_body("unpriced", "", ""), 404, REQUEST_ERROR, "model_not_found",
                   "model");
    ask_path("GET", "/v1/no/such/path", c.key, &reply);
    ask_expect_error(&reply, 404, REQUEST_ERROR, "not_found", NULL);
    http_reply_clear(&reply);
    struct http_call call = {.port = stack.webs[0].port, .path = "/v1/nothing", .body = "{}"};
    http_run(&call, &reply);
    ask_expect_error(&reply, 404, REQUEST_ERROR, "not_found", NULL);
    http_reply_clear(&reply);
}
END_TEST

START_TEST(a_wrong_method_is_405_with_the_right_ones)
{
    struct customer c = customer_new("10");
    struct http_reply reply;
    ask_path("GET", "/v1/chat/completions", c.key, &reply);
    ask_expect_error(&reply, 405, REQUEST_ERROR, "method_not_allowed", NULL);
    const char *allow = http_header(&reply, "allow");
    ck_assert_msg(allow != NULL && strstr(allow, "POST") != NULL, "Allow is %s",
                  allow != NULL ? allow : "absent");
    http_reply_clear(&reply);
    ask_path("DELETE", "/v1/models", c.key, &reply);
    ask_expect_error(&reply, 405, REQUEST_ERROR, "method_not_allowed", NULL);
    http_reply_clear(&reply);
}
END_TEST

/* A valid body of about that size. The caller frees. */
static char *big_body(size_t bytes)
{
    static const char head[] =
        "{\"model\":\"demo\",\"tag\":\"big-body\",\"messages\":[{\"role\":\"user\","
        "\"content\":\"[[sim tokens=1,prompt=1000]] ";
    char *body = malloc(bytes + sizeof(head) + 16);
    ck_assert(body != NULL);
    memcpy(body, head, sizeof(head) - 1);
    memset(body + sizeof(head) - 1, 'a', bytes);
    memcpy(body + sizeof(head) - 1 + bytes, "\"}]}", 5);
    return body;
}

START_TEST(a_body_of_ten_megabytes_passes_and_one_above_32_is_413)
{
    struct customer c = customer_new("1000");
    struct http_reply reply;
    char *body = big_body(10 * MEGABYTE);
    ask_chat(c.key, body, &reply);
    ask_expect_status(&reply, 200);
    const char *seen = seen_newest(0);
    ck_assert_str_eq(http_field(seen, "body_bytes"),
                     http_printf("%zu", strlen(body) + strlen("-2026")));
    free(body);
    http_reply_clear(&reply);
    body = big_body(32 * MEGABYTE + 1000);
    ask_chat(c.key, body, &reply);
    ask_expect_error(&reply, 413, REQUEST_ERROR, "request_too_large", NULL);
    free(body);
    http_reply_clear(&reply);
}
END_TEST

START_TEST(an_account_without_credit_is_429_insufficient_quota)
{
    struct customer poor = customer_new("0.001");
    struct customer none = customer_new("0");
    struct customer debtor = customer_new("1");
    sql_run("INSERT INTO ledger (account_id, kind, amount) VALUES (%" PRId64 ", 'adjustment', -2)",
            debtor.account_id);
    expect_refusal(poor.key, ask_body("dear", "", ""), 429, QUOTA, QUOTA, NULL);
    expect_refusal(none.key, ask_body("demo", "", ""), 429, QUOTA, QUOTA, NULL);
    expect_refusal(none.key, ask_body("demo", "", ASK_STREAM), 429, QUOTA, QUOTA, NULL);
    expect_refusal(debtor.key, ask_body("demo", "", ""), 429, QUOTA, QUOTA, NULL);
}
END_TEST

START_TEST(a_limit_that_the_balance_cannot_pay_is_refused_with_the_affordable_number)
{
    /* 10 USD per million output tokens: a cent pays for less than a thousand of them */
    struct customer c = customer_new("0.01");
    struct http_reply reply;
    ask_chat(c.key, ask_body("demo", "", ",\"max_tokens\":5000"), &reply);
    ask_expect_error(&reply, 429, QUOTA, QUOTA, "max_tokens");
    const char *message = http_field(reply.body, "error.message");
    ck_assert_msg(strpbrk(message, "0123456789") != NULL, "no affordable number in: %s", message);
    http_reply_clear(&reply);
    ask_chat(c.key, ask_body("demo", "tokens=1", ",\"max_tokens\":100"), &reply);
    ask_expect_status(&reply, 200);
    http_reply_clear(&reply);
}
END_TEST

START_TEST(without_a_limit_a_small_balance_injects_what_it_can_pay)
{
    struct customer c = customer_new("0.01");
    struct http_reply reply;
    ask_chat(c.key, ask_body("demo", "tokens=1", ",\"tag\":\"injected\""), &reply);
    ask_expect_status(&reply, 200);
    http_reply_clear(&reply);
    const char *seen = seen_request(0, "injected");
    ck_assert(seen != NULL);
    const char *body = http_field(seen, "body");
    const char *old_word = http_field(body, "max_tokens");
    const char *new_word = http_field(body, "max_completion_tokens");
    ck_assert_msg((old_word != NULL) != (new_word != NULL), "no limit was injected: %s", body);
    int limit = atoi(old_word != NULL ? old_word : new_word);
    ck_assert_msg(limit > 800 && limit < 1000,
                  "0.01 USD pays for less than 1000 tokens, injected: %d", limit);
}
END_TEST

START_TEST(the_providers_rate_limit_keeps_its_retry_after)
{
    struct customer c = customer_new("10");
    struct http_reply reply;
    ask_chat(c.key, ask_body("demo", "status=429,retry_after=7", ""), &reply);
    ask_expect_error(&reply, 429, "requests", "rate_limit_exceeded", NULL);
    ck_assert_str_eq(http_header(&reply, "retry-after"), "7");
    books_expect(ask_id(&reply), "error_code", "up_rate");
    http_reply_clear(&reply);
    ask_chat(c.key, ask_body("demo", "status=429,retry_after=86400", ASK_STREAM), &reply);
    ask_expect_error(&reply, 429, "requests", "rate_limit_exceeded", NULL);
    ck_assert_str_eq(http_header(&reply, "retry-after"), "60");
    http_reply_clear(&reply);
}
END_TEST

START_TEST(the_providers_401_is_never_the_clients)
{
    struct customer c = customer_new("10");
    struct http_reply reply;
    static const char *const statuses[] = {"status=401", "status=402", "status=403"};
    for (size_t i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++) {
        ask_chat(c.key, ask_body("demo", statuses[i], ""), &reply);
        ask_expect_error(&reply, 503, "server_error", "service_unavailable", NULL);
        ck_assert_msg(strstr(reply.body, "provider-key") == NULL, "the provider's key is shown");
        http_reply_clear(&reply);
    }
}
END_TEST

START_TEST(a_model_without_a_working_channel_is_503)
{
    struct customer c = customer_new("10");
    struct http_reply reply;
    ask_chat(c.key, ask_body("no-channel", "", ""), &reply);
    ask_expect_error(&reply, 503, "server_error", "service_unavailable", NULL);
    http_reply_clear(&reply);
    ask_chat(c.key, ask_body("down", "", ASK_STREAM), &reply);
    ask_expect_error(&reply, 503, "server_error", "service_unavailable", NULL);
    books_expect(ask_id(&reply), "error_code", "up_connect");
    http_reply_clear(&reply);
}
END_TEST

/* Raw bytes to the web server, its answer as text. */
static void raw(const char *request, char *answer)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)stack.webs[0].port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct timeval wait = {5, 0};
    size_t n = 0;
    ssize_t got;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert(fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait));
    ck_assert(send(fd, request, strlen(request), MSG_NOSIGNAL) == (ssize_t)strlen(request));
    while (n < RAW_MAX - 1 && (got = recv(fd, answer + n, RAW_MAX - 1 - n, 0)) > 0)
        n += (size_t)got;
    answer[n] = 0;
    close(fd);
}

static void expect_raw_error(const char *request, int status)
{
    static char answer[RAW_MAX];
    raw(request, answer);
    int seen = strlen(answer) > 12 ? atoi(answer + 9) : 0;
    ck_assert_msg(seen == status, "expected status %d, seen: %.300s", status, answer);
    ck_assert_msg(strcasestr(answer, "\r\ncontent-type: application/json") != NULL,
                  "lighttpd's own error is not JSON: %.300s", answer);
    const char *body = strstr(answer, "\r\n\r\n");
    ck_assert(body != NULL);
    ck_assert_msg(http_field(body + 4, "error.message") != NULL &&
                      http_field(body + 4, "error.type") != NULL &&
                      http_field(body + 4, "error.code") != NULL &&
                      http_field(body + 4, "error.param") != NULL,
                  "not in OpenAI's shape: %s", body + 4);
}

START_TEST(errors_of_the_web_server_itself_are_json)
{
    expect_raw_error("POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
                     "Content-Length: 104857600\r\n\r\n",
                     413);
}
END_TEST

static void add(TCase *t)
{
    tcase_add_test(t, a_malformed_request_is_400_with_the_parameter_at_fault);
    tcase_add_test(t, a_member_that_we_bill_by_may_not_stand_twice);
    tcase_add_test(t, an_unknown_revoked_expired_or_missing_key_is_401);
    tcase_add_test(t, a_key_that_expires_later_works);
    tcase_add_test(t, a_model_outside_the_keys_list_is_403);
    tcase_add_test(t, an_unknown_path_or_model_is_404);
    tcase_add_test(t, a_wrong_method_is_405_with_the_right_ones);
    tcase_add_test(t, a_body_of_ten_megabytes_passes_and_one_above_32_is_413);
    tcase_add_test(t, an_account_without_credit_is_429_insufficient_quota);
    tcase_add_test(t, a_limit_that_the_balance_cannot_pay_is_refused_with_the_affordable_number);
    tcase_add_test(t, without_a_limit_a_small_balance_injects_what_it_can_pay);
    tcase_add_test(t, the_providers_rate_limit_keeps_its_retry_after);
    tcase_add_test(t, the_providers_401_is_never_the_clients);
    tcase_add_test(t, a_model_without_a_working_channel_is_503);
    tcase_add_test(t, errors_of_the_web_server_itself_are_json);
}

const struct suite_part part_error = {"error", seed, add};
