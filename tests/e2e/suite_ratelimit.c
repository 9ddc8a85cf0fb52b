/* Limits of rate over the processes of four web servers, in several client formats; models of groups
 * and accounts; addresses of keys. Limits are read again within 1.2 s here. */
#include "tests/e2e/suites.h"

#include "tests/e2e/ask.h"
#include "tests/e2e/books.h"
#include "tests/e2e/crowd.h"
#include "tests/e2e/seen.h"
#include "tests/e2e/stack.h"

#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

enum {
    CALLS = 1000,
    AT_A_TIME = 125,
    PER_MINUTE = 60,
    AT_ONCE = 5,
    CROWD_THREADS = 4,
    PROCESSES = 8,
    WAITING = 24,
    WORDS_SIZE = 4001,
    CROWD_MS = 3000,
    READ_MS = 1300,
    KEYS_READ_MS = 1200,
    ADOPTED_MS = 10000,
    ROOM_S = 20,
    IN_A_ROW = 20
};

#define SMALL ",\"max_tokens\":20"

/* Asked of simulators that nobody else asks; the crowd has one for itself. */
static void seed(void)
{
    int64_t counted = model_new("counted", "0", "0");
    int64_t other = model_new("uncounted", "0", "0");
    int64_t channel = channel_new("counting", "demo", stack.sims[1].port, 0);
    channel_serves(channel, counted, NULL);
    channel_serves(channel, other, NULL);
    channel_serves(channel_new("crowd", "demo", stack.sims[2].port, 0),
                   model_new("crowded", "0", "0"), NULL);
    int64_t narrow = model_new("narrow", "0", "0");
    channel = channel_new("narrow", "demo", stack.sims[3].port, 10);
    channel_serves(channel, narrow, NULL);
    channel_serves(channel_new("wide", "demo", stack.sims[0].port, 0), narrow, NULL);
    sql_run("INSERT INTO rate_limits (channel_id, concurrent_requests) VALUES (%" PRId64 ", 3)",
            channel);
}

static void set_limit(const char *scope, int64_t id, const char *limits)
{
    sql_run("INSERT INTO rate_limits SET %s = %" PRId64 ", %s", scope, id, limits);
    spawn_sleep_ms(READ_MS);
}

/* Not at the end of a minute. */
static void begin_minute(void)
{
    int second = (int)sql_int("SELECT SECOND(UTC_TIMESTAMP())");
    if (second > 60 - ROOM_S)
        spawn_sleep_ms((61 - second) * 1000);
}

/* A call in one of three client formats. */
enum { CHAT, MESSAGES, GEMINI, FORMATS };

static struct http_call call_of(int format, const struct customer *c, const char *controls)
{
    struct http_call call = {.port = stack.webs[0].port,
                             .path = "/v1/chat/completions",
                             .key = c->key,
                             .body = ask_body("counted", controls, SMALL)};
    if (format == MESSAGES) {
        call.path = "/v1/messages";
        call.key = NULL;
        call.headers[0] = http_printf("x-api-key: %s", c->key);
        call.headers[1] = "anthropic-version: 2023-06-01";
    } else if (format == GEMINI) {
        call.path = "/v1beta/models/counted:generateContent";
        call.key = NULL;
        call.headers[0] = http_printf("x-goog-api-key: %s", c->key);
        call.body = http_printf("{\"contents\":[{\"role\":\"user\",\"parts\":[{\"text\":\"[[sim "
                                "%s]] hi\"}]}]}",
                                controls);
    }
    return call;
}

static int ask(int format, const struct customer *c, const char *controls, struct http_reply *reply)
{
    struct http_call call = call_of(format, c, controls);
    http_run(&call, reply);
    return reply->status;
}

static int status_of(int format, const struct customer *c, const char *controls)
{
    struct http_reply reply;
    int status = ask(format, c, controls, &reply);
    http_reply_clear(&reply);
    return status;
}

static void expect_header(const struct http_reply *reply, const char *name, const char *expected)
{
    const char *seen = http_header(reply, name);
    ck_assert_msg(seen != NULL && strcmp(seen, expected) == 0, "%s: expected %s, seen %s", name,
                  expected, seen != NULL ? seen : "nothing");
}

/* "12s": to the end of the minute. */
static void expect_reset(const struct http_reply *reply, const char *name)
{
    const char *text = http_header(reply, name);
    char *end = NULL;
    long seconds = text != NULL ? strtol(text, &end, 10) : 0;
    ck_assert_msg(text != NULL && strcmp(end, "s") == 0 && seconds >= 1 && seconds <= 60,
                  "%s: seen %s", name, text != NULL ? text : "nothing");
}

/* ---- rates ---- */

START_TEST(of_1000_requests_to_8_processes_exactly_60_pass)
{
    static struct http_call calls[CALLS];
    static struct http_reply replies[CALLS];
    struct customer c = customer_new("1");
    int64_t before = seen_count(1, "requests");
    int passed = 0, refused = 0;
    set_limit("account_id", c.account_id, "requests_per_minute = 60");
    pid_t pids[STACK_GATEWAYS_MAX];
    ck_assert_uint_eq(stack_gateways("chat", pids, STACK_GATEWAYS_MAX), PROCESSES);
    struct http_call chat = call_of(CHAT, &c, "ms=20,tokens=3");
    struct http_call messages = call_of(MESSAGES, &c, "ms=20,tokens=3");
    begin_minute();
    for (int i = 0; i < CALLS; i++) {
        calls[i] = i / stack.webs_n % 2 ? chat : messages;
        calls[i].port = stack.webs[i % stack.webs_n].port;
    }
    for (int i = 0; i < CALLS; i += AT_A_TIME)
        http_many(calls + i, replies + i, AT_A_TIME);
    for (int i = 0; i < CALLS; i++) {
        passed += replies[i].status == 200;
        refused += replies[i].status == 429;
    }
    ck_assert_msg(passed == PER_MINUTE && refused == CALLS - PER_MINUTE,
                  "%d passed, %d refused; one: %d %s", passed, refused, replies[0].status,
                  replies[0].body);
    ck_assert_int_eq(sql_int("SELECT w.starts_at = CAST(DATE_FORMAT(UTC_TIMESTAMP(), '%%Y-%%m-%%d "
                             "%%H:%%i:00') AS DATETIME) FROM limit_windows w JOIN rate_limits l ON "
                             "l.id = w.limit_id WHERE l.account_id = %" PRId64,
                             c.account_id),
                     1); /* all in one minute */
    ck_assert_int_eq(seen_count(1, "requests") - before, PER_MINUTE);
    ck_assert_msg(WAIT_UNTIL(sql_int("SELECT COUNT(*) FROM usage_log WHERE account_id = %" PRId64,
                                     c.account_id) == PER_MINUTE,
                             3000),
                  "a refused request has no usage row");
    books_check();
}
END_TEST

START_TEST(a_refusal_speaks_each_format)
{
    struct customer c = customer_new("1");
    struct http_reply reply;
    set_limit("api_key_id", c.key_id, "requests_per_minute = 1");
    begin_minute();
    ck_assert_int_eq(ask(CHAT, &c, "tokens=1", &reply), 200);
    expect_header(&reply, "x-ratelimit-limit-requests", "1");
    expect_header(&reply, "x-ratelimit-remaining-requests", "0");
    expect_reset(&reply, "x-ratelimit-reset-requests");
    ck_assert_ptr_null(http_header(&reply, "x-ratelimit-limit-tokens"));
    http_reply_clear(&reply);

    ask(CHAT, &c, "tokens=1", &reply);
    ask_expect_error(&reply, 429, "requests", "rate_limit_exceeded", NULL);
    ck_assert_ptr_nonnull(strstr(http_field(reply.body, "error.message"), "1 requests per minute"));
    expect_header(&reply, "x-ratelimit-remaining-requests", "0");
    expect_reset(&reply, "x-ratelimit-reset-requests");
    http_reply_clear(&reply);

    ck_assert_int_eq(ask(MESSAGES, &c, "tokens=1", &reply), 429);
    ck_assert_str_eq(http_field(reply.body, "error.type"), "rate_limit_error");
    expect_header(&reply, "anthropic-ratelimit-requests-limit", "1");
    expect_header(&reply, "anthropic-ratelimit-requests-remaining", "0");
    const char *reset = http_header(&reply, "anthropic-ratelimit-requests-reset");
    ck_assert_msg(reset != NULL && strlen(reset) == 20 && strcmp(reset + 16, ":00Z") == 0,
                  "reset: %s", reset != NULL ? reset : "nothing");
    ck_assert_ptr_nonnull(http_header(&reply, "retry-after"));
    http_reply_clear(&reply);

    ck_assert_int_eq(ask(GEMINI, &c, "tokens=1", &reply), 429);
    ck_assert_str_eq(http_field(reply.body, "error.status"), "RESOURCE_EXHAUSTED");
    ck_assert_ptr_nonnull(strstr(reply.body, "RetryInfo"));
    http_reply_clear(&reply);
}
END_TEST

START_TEST(every_scope_limits_requests_and_concerns_nobody_else)
{
    static const char *const scopes[] = {
        "api_key_id = @key",     "api_key_id = @key, model_id = @m",
        "account_id = @account", "account_id = @account, model_id = @m",
        "group_id = @group",     "group_id = @group, model_id = @m",
        "model_id = @m"};
    struct customer c = customer_new("1"), other = customer_new("1");
    sql_run("INSERT INTO account_groups (name) VALUES ('scope-%s')", c.name);
    sql_run("SET @group = LAST_INSERT_ID(), @key = %" PRId64 ", @account = %" PRId64
            ", @m = (SELECT id FROM models WHERE name = 'counted')",
            c.key_id, c.account_id);
    sql_run("UPDATE accounts SET group_id = @group WHERE id = @account");
    for (size_t i = 0; i < sizeof(scopes) / sizeof(scopes[0]); i++) {
        bool is_everybody = scopes[i][0] == 'm';
        bool is_any_model = strstr(scopes[i], "@m") == NULL;
        struct http_reply reply;
        sql_run("INSERT INTO rate_limits SET %s, requests_per_minute = 1, note = 'scopes'",
                scopes[i]);
        spawn_sleep_ms(READ_MS);
        begin_minute();
        ck_assert_int_eq(status_of(MESSAGES, &c, "tokens=1"), 200);
        ck_assert_msg(status_of(CHAT, &c, "tokens=1") == 429, "%s passed two", scopes[i]);
        ck_assert_int_eq(status_of(CHAT, &other, "tokens=1"), is_everybody ? 429 : 200);
        ask_chat(c.key, ask_body("uncounted", "tokens=1", SMALL), &reply);
        ask_expect_status(&reply, is_any_model ? 429 : 200);
        http_reply_clear(&reply);
        sql_run("DELETE FROM rate_limits WHERE note = 'scopes'");
    }
}
END_TEST

START_TEST(tokens_are_counted_as_they_were_used)
{
    struct customer c = customer_new("1");
    struct http_reply reply;
    set_limit("account_id", c.account_id, "tokens_per_minute = 100");
    begin_minute();
    ck_assert_int_eq(ask(MESSAGES, &c, "tokens=5,prompt=10,completion=60", &reply), 200);
    expect_header(&reply, "anthropic-ratelimit-tokens-limit", "100");
    http_reply_clear(&reply);
    ck_assert_int_eq(sql_int("SELECT used FROM limit_windows w JOIN rate_limits l ON l.id = "
                             "w.limit_id WHERE l.account_id = %" PRId64,
                             c.account_id),
                     70);
    ck_assert_int_eq(status_of(CHAT, &c, "tokens=5,prompt=20,completion=300"), 200);
    ck_assert_int_eq(ask(CHAT, &c, "tokens=1", &reply), 429);
    ck_assert_ptr_nonnull(strstr(http_field(reply.body, "error.message"), "100 tokens per minute"));
    expect_header(&reply, "x-ratelimit-remaining-tokens", "0");
    expect_reset(&reply, "x-ratelimit-reset-tokens");
    http_reply_clear(&reply);
}
END_TEST

START_TEST(input_counts_as_estimated_before_anything_runs)
{
    static char words[WORDS_SIZE];
    struct customer c = customer_new("1");
    struct http_reply reply;
    int64_t before = seen_count(1, "requests");
    for (size_t i = 0; i + 1 < sizeof(words); i++)
        words[i] = "word "[i % 5];
    set_limit("account_id", c.account_id, "tokens_per_minute = 300");
    begin_minute();
    ask_chat(c.key,
             http_printf("{\"model\":\"counted\",\"messages\":[{\"role\":\"user\",\"content\":"
                         "\"%s\"}]" SMALL "}",
                         words),
             &reply);
    ask_expect_error(&reply, 429, "requests", "rate_limit_exceeded", NULL);
    ck_assert_ptr_nonnull(
        strstr(http_field(reply.body, "error.message"), "this request has about"));
    http_reply_clear(&reply);
    ck_assert_int_eq(seen_count(1, "requests"), before);
    ck_assert_int_eq(status_of(CHAT, &c, "tokens=1,prompt=10,completion=1"), 200);
    ck_assert_int_eq(sql_int("SELECT SUM(used) FROM limit_windows w JOIN rate_limits l ON l.id = "
                             "w.limit_id WHERE l.account_id = %" PRId64,
                             c.account_id),
                     11);
}
END_TEST

START_TEST(what_money_or_a_provider_refuses_uses_no_tokens_and_no_slot)
{
    struct customer c = customer_new("1");
    sql_run("INSERT INTO prices (model_id, scope, scope_id, unit, amount) SELECT id, 'account', "
            "%" PRId64 ", 'output_token', 1000000 FROM models WHERE name = 'uncounted'",
            c.account_id);
    set_limit("api_key_id", c.key_id,
              "requests_per_minute = 2, tokens_per_minute = 60, "
              "concurrent_requests = 1");
    begin_minute();
    struct http_reply reply;
    for (int i = 0; i < 3; i++) {
        ask_chat(c.key, ask_body("uncounted", "tokens=1", SMALL), &reply);
        ask_expect_error(&reply, 429, "insufficient_quota", "insufficient_quota", NULL);
        http_reply_clear(&reply);
    }
    ck_assert_int_eq(status_of(CHAT, &c, "status=400"), 400);
    ck_assert_int_eq(status_of(CHAT, &c, "tokens=3,prompt=10,completion=10"), 200);
    ck_assert_int_eq(status_of(CHAT, &c, "tokens=1"), 429);
    ck_assert_int_eq(sql_int("SELECT SUM(w.used) FROM limit_windows w JOIN rate_limits l ON l.id = "
                             "w.limit_id WHERE l.api_key_id = %" PRId64,
                             c.key_id),
                     2 + 20);
    ck_assert_int_eq(sql_int("SELECT COUNT(*) FROM limit_slots s JOIN rate_limits l ON l.id = "
                             "s.limit_id WHERE l.api_key_id = %" PRId64,
                             c.key_id),
                     0);
}
END_TEST

START_TEST(counting_tokens_and_listing_models_is_not_limited)
{
    struct customer c = customer_new("1");
    struct http_reply reply;
    set_limit("api_key_id", c.key_id, "requests_per_minute = 0");
    ask_path("GET", "/v1/models", c.key, &reply);
    ask_expect_status(&reply, 200);
    http_reply_clear(&reply);
    struct http_call call = call_of(MESSAGES, &c, "");
    call.path = "/v1/messages/count_tokens";
    http_run(&call, &reply);
    ask_expect_status(&reply, 200);
    http_reply_clear(&reply);
    ck_assert_int_eq(status_of(MESSAGES, &c, ""), 429);
}
END_TEST

/* ---- at once ---- */

START_TEST(never_more_run_at_the_provider_than_the_limit_says)
{
    struct customer c = customer_new("1");
    struct crowd *crowds[2 * STACK_WEBS_MAX];
    size_t passed = 0;
    int n = 0;
    sql_run("INSERT INTO rate_limits SET account_id = %" PRId64 ", model_id = (SELECT id FROM "
            "models WHERE name = 'crowded'), concurrent_requests = 5",
            c.account_id);
    spawn_sleep_ms(READ_MS);
    for (int i = 0; i < stack.webs_n; i++)
        for (int format = CHAT; format <= MESSAGES; format++) {
            struct http_call call = call_of(format, &c, "ms=30,tokens=4");
            call.port = stack.webs[i].port;
            call.body = ask_body("crowded", "ms=30,tokens=4", SMALL);
            if (i == 0 && format == CHAT)
                call.body = ask_body("crowded", "tokens=6,pace=10", SMALL ASK_STREAM);
            crowds[n++] = crowd_start(&call, CROWD_THREADS, 0);
        }
    spawn_sleep_ms(CROWD_MS);
    for (int i = 0; i < n; i++) {
        size_t count = 0;
        const struct crowd_result *results = crowd_stop(crowds[i], &count);
        for (size_t k = 0; k < count; k++) {
            ck_assert_msg(results[k].status == 200 || results[k].status == 429,
                          "expected 200 or 429, seen %d", results[k].status);
            passed += results[k].status == 200;
        }
    }
    ck_assert_int_eq(seen_count(2, "in_flight_max"), AT_ONCE);
    ck_assert_uint_ge(passed, 20);
    ck_assert_int_eq(sql_int("SELECT COUNT(*) FROM limit_slots"), 0);
    books_check();
}
END_TEST

/* What does not fit goes to the other channel. */
START_TEST(a_channel_never_runs_more_than_its_limit_says_and_nobody_is_refused)
{
    struct customer c = customer_new("1");
    struct crowd *crowds[STACK_WEBS_MAX] = {0};
    for (int i = 0; i < stack.webs_n; i++) {
        struct http_call call = call_of(CHAT, &c, "");
        call.port = stack.webs[i].port;
        call.body = ask_body("narrow", "ms=30,tokens=4", SMALL);
        crowds[i] = crowd_start(&call, CROWD_THREADS, 0);
    }
    spawn_sleep_ms(CROWD_MS);
    for (int i = 0; i < stack.webs_n; i++) {
        size_t count = 0;
        const struct crowd_result *results = crowd_stop(crowds[i], &count);
        for (size_t k = 0; k < count; k++)
            ck_assert_int_eq(results[k].status, 200);
        ck_assert_uint_gt(count, 0);
    }
    ck_assert_int_eq(seen_count(3, "in_flight_max"), 3);
    ck_assert_int_gt(seen_count(0, "models.narrow"), 0);
}
END_TEST

START_TEST(one_after_the_other_is_never_refused)
{
    struct customer c = customer_new("1");
    struct http_reply reply;
    set_limit("api_key_id", c.key_id, "concurrent_requests = 1");
    for (int i = 0; i < IN_A_ROW; i++) {
        struct http_call call = call_of(i % FORMATS, &c, "tokens=2");
        call.port = stack.webs[i % stack.webs_n].port;
        if (i % FORMATS == CHAT)
            call.body = ask_body("counted", "tokens=2", SMALL ASK_STREAM);
        http_run(&call, &reply);
        ask_expect_status(&reply, 200);
        http_reply_clear(&reply);
    }
}
END_TEST

static void *run_stream(void *arg)
{
    struct http_reply reply;
    ask_chat(arg, ask_body("counted", "tokens=100,pace=100", ASK_STREAM), &reply);
    http_reply_clear(&reply);
    http_ring_clear();
    return NULL;
}

START_TEST(the_slot_of_a_killed_process_comes_back)
{
    struct customer c = customer_new("1");
    struct http_reply reply;
    pthread_t thread;
    pid_t pids[STACK_GATEWAYS_MAX];
    set_limit("account_id", c.account_id, "concurrent_requests = 1");
    ck_assert_int_eq(pthread_create(&thread, NULL, run_stream, c.key), 0);
    ck_assert_msg(WAIT_UNTIL(sql_int("SELECT COUNT(*) FROM limit_slots") == 1, 2000), "no slot");
    ask(CHAT, &c, "tokens=1", &reply);
    ask_expect_error(&reply, 429, "requests", "rate_limit_exceeded", NULL);
    ck_assert_ptr_nonnull(strstr(http_field(reply.body, "error.message"), "at once"));
    expect_header(&reply, "retry-after", "1");
    http_reply_clear(&reply);
    size_t n = stack_gateways("chat", pids, STACK_GATEWAYS_MAX);
    for (size_t i = 0; i < n; i++)
        kill(pids[i], SIGKILL);
    pthread_join(thread, NULL);
    ck_assert_msg(WAIT_UNTIL(status_of(CHAT, &c, "tokens=1") == 200, ADOPTED_MS),
                  "still refused after %d ms", ADOPTED_MS);
    books_check();
}
END_TEST

/* ---- who may use what from where ---- */

START_TEST(groups_and_accounts_have_models)
{
    struct customer c = customer_new("1");
    struct http_reply reply;
    sql_run("INSERT INTO account_groups (name) VALUES ('only-%s')", c.name);
    sql_run("INSERT INTO group_models SELECT g.id, m.id FROM account_groups g JOIN models m ON "
            "m.name IN ('counted', 'demo') WHERE g.name = 'only-%s'",
            c.name);
    sql_run("UPDATE accounts SET group_id = (SELECT id FROM account_groups WHERE name = "
            "'only-%s') WHERE id = %" PRId64,
            c.name, c.account_id);
    ck_assert_int_eq(status_of(CHAT, &c, "tokens=1"), 200);
    ask_chat(c.key, ask_body("uncounted", "tokens=1", SMALL), &reply);
    ask_expect_error(&reply, 403, "permission_error", "permission_denied", "model");
    http_reply_clear(&reply);
    sql_run("INSERT INTO account_models SELECT %" PRId64 ", id FROM models WHERE name IN ('demo', "
            "'uncounted')",
            c.account_id);
    spawn_sleep_ms(KEYS_READ_MS);
    ck_assert_int_eq(ask(MESSAGES, &c, "tokens=1", &reply), 403);
    ck_assert_str_eq(http_field(reply.body, "error.type"), "permission_error");
    http_reply_clear(&reply);
    ask_path("GET", "/v1/models", c.key, &reply);
    ck_assert_str_eq(http_field(reply.body, "data.0.id"), "demo");
    ck_assert_ptr_null(http_field(reply.body, "data.1.id"));
    http_reply_clear(&reply);
}
END_TEST

START_TEST(each_list_of_models_refuses_alone)
{
    static const struct {
        const char *table, *id;
    } lists[] = {
        {"api_key_models", "k.id"        },
        {"account_models", "k.account_id"},
        {"group_models",   "a.group_id"  },
    };
    struct http_reply reply;
    for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
        struct customer c = customer_new("1");
        sql_run("INSERT INTO account_groups (name) VALUES ('list-%s')", c.name);
        sql_run("UPDATE accounts SET group_id = LAST_INSERT_ID() WHERE id = %" PRId64,
                c.account_id);
        ck_assert_int_eq(status_of(CHAT, &c, "tokens=1"), 200);
        sql_run("INSERT INTO %s SELECT %s, m.id FROM api_keys k JOIN accounts a ON a.id = "
                "k.account_id JOIN models m ON m.name = 'demo' WHERE k.id = %" PRId64,
                lists[i].table, lists[i].id, c.key_id);
        spawn_sleep_ms(KEYS_READ_MS);
        for (int format = CHAT; format < FORMATS; format++)
            ck_assert_int_eq(status_of(format, &c, "tokens=1"), 403);
        ask_chat(c.key, ask_body("demo", "tokens=1", SMALL), &reply);
        ask_expect_status(&reply, 200);
        http_reply_clear(&reply);
    }
}
END_TEST

START_TEST(a_key_ends_when_it_expires)
{
    struct customer c = customer_new("1");
    struct http_reply reply;
    sql_run("UPDATE api_keys SET expires_at = UTC_TIMESTAMP(3) + INTERVAL 3 SECOND WHERE id = "
            "%" PRId64,
            c.key_id);
    ck_assert_int_eq(status_of(CHAT, &c, "tokens=1"), 200);
    spawn_sleep_ms(3100);
    ask(CHAT, &c, "tokens=1", &reply);
    ask_expect_error(&reply, 401, "invalid_request_error", "invalid_api_key", NULL);
    http_reply_clear(&reply);
    ck_assert_int_eq(status_of(MESSAGES, &c, "tokens=1"), 401);
    ck_assert_int_ge(status_of(GEMINI, &c, "tokens=1"), 400);
    sql_run("UPDATE api_keys SET expires_at = NULL WHERE id = %" PRId64, c.key_id);
    spawn_sleep_ms(KEYS_READ_MS);
    ck_assert_int_eq(status_of(CHAT, &c, "tokens=1"), 200);
}
END_TEST

START_TEST(a_key_works_from_its_addresses_only)
{
    struct customer c = customer_new("1");
    struct http_reply reply;
    sql_run("INSERT INTO api_key_addresses (api_key_id, address_range) VALUES (%" PRId64
            ", '198.51.100.0/24'), (%" PRId64 ", '2001:db8::/32')",
            c.key_id, c.key_id);
    ask(CHAT, &c, "tokens=1", &reply);
    ask_expect_error(&reply, 403, "permission_error", "permission_denied", NULL);
    http_reply_clear(&reply);
    ck_assert_int_eq(ask(MESSAGES, &c, "tokens=1", &reply), 403);
    ck_assert_str_eq(http_field(reply.body, "error.type"), "permission_error");
    http_reply_clear(&reply);
    ck_assert_int_eq(ask(GEMINI, &c, "tokens=1", &reply), 403);
    ck_assert_str_eq(http_field(reply.body, "error.status"), "PERMISSION_DENIED");
    http_reply_clear(&reply);
    ask_path("GET", "/v1/models", c.key, &reply);
    ask_expect_status(&reply, 403);
    http_reply_clear(&reply);
    sql_run("INSERT INTO api_key_addresses (api_key_id, address_range) VALUES (%" PRId64
            ", '127.0.0.0/8')",
            c.key_id);
    spawn_sleep_ms(KEYS_READ_MS);
    ck_assert_int_eq(status_of(CHAT, &c, "tokens=1"), 200);
}
END_TEST

static void add(TCase *t)
{
    tcase_add_test(t, of_1000_requests_to_8_processes_exactly_60_pass);
    tcase_add_test(t, a_refusal_speaks_each_format);
    tcase_add_test(t, every_scope_limits_requests_and_concerns_nobody_else);
    tcase_add_test(t, tokens_are_counted_as_they_were_used);
    tcase_add_test(t, input_counts_as_estimated_before_anything_runs);
    tcase_add_test(t, what_money_or_a_provider_refuses_uses_no_tokens_and_no_slot);
    tcase_add_test(t, counting_tokens_and_listing_models_is_not_limited);
    tcase_add_test(t, never_more_run_at_the_provider_than_the_limit_says);
    tcase_add_test(t, a_channel_never_runs_more_than_its_limit_says_and_nobody_is_refused);
    tcase_add_test(t, one_after_the_other_is_never_refused);
    tcase_add_test(t, the_slot_of_a_killed_process_comes_back);
    tcase_add_test(t, groups_and_accounts_have_models);
    tcase_add_test(t, each_list_of_models_refuses_alone);
    tcase_add_test(t, a_key_ends_when_it_expires);
    tcase_add_test(t, a_key_works_from_its_addresses_only);
}

const struct suite_part part_ratelimit = {"ratelimit", seed, add};

/* ---- waiting for a slot: queue_ms is 1500 here ---- */

START_TEST(who_waits_for_a_slot_gets_one)
{
    static struct http_call calls[WAITING];
    static struct http_reply replies[WAITING];
    struct customer c = customer_new("1");
    struct http_call call = call_of(CHAT, &c, "ms=60,tokens=3");
    set_limit("account_id", c.account_id, "concurrent_requests = 2, requests_per_minute = 1000");
    call.body = ask_body("crowded", "ms=60,tokens=3", SMALL);
    for (int i = 0; i < WAITING; i++) {
        calls[i] = call;
        calls[i].port = stack.webs[i % stack.webs_n].port;
    }
    http_many(calls, replies, WAITING);
    for (int i = 0; i < WAITING; i++)
        ask_expect_status(&replies[i], 200);
    ck_assert_int_eq(seen_count(2, "in_flight_max"), 2);
    ck_assert_int_eq(sql_int("SELECT COUNT(*) FROM limit_slots"), 0);
    books_check();
}
END_TEST

START_TEST(who_waits_in_vain_is_refused_after_queue_ms_and_uses_up_nothing)
{
    struct customer c = customer_new("1");
    struct http_reply reply;
    pthread_t thread;
    set_limit("account_id", c.account_id, "concurrent_requests = 1, requests_per_minute = 100");
    begin_minute();
    ck_assert_int_eq(pthread_create(&thread, NULL, run_stream, c.key), 0);
    ck_assert_msg(WAIT_UNTIL(sql_int("SELECT COUNT(*) FROM limit_slots") == 1, 2000), "no slot");
    int64_t began_us = spawn_now_us();
    for (int i = 0; i < 2; i++) {
        ask(CHAT, &c, "tokens=1", &reply);
        ask_expect_error(&reply, 429, "requests", "rate_limit_exceeded", NULL);
        http_reply_clear(&reply);
    }
    ck_assert_int_ge(spawn_now_us() - began_us, 2 * 1450000);
    ck_assert_int_eq(sql_int("SELECT w.used FROM limit_windows w JOIN rate_limits l ON l.id = "
                             "w.limit_id WHERE w.kind = 'requests' AND l.account_id = %" PRId64,
                             c.account_id),
                     1);
    pthread_join(thread, NULL);
    ck_assert_int_eq(status_of(CHAT, &c, "tokens=1"), 200);
}
END_TEST

static void add_queue(TCase *t)
{
    tcase_add_test(t, who_waits_for_a_slot_gets_one);
    tcase_add_test(t, who_waits_in_vain_is_refused_after_queue_ms_and_uses_up_nothing);
}

const struct suite_part part_queue = {"queue", seed, add_queue};
