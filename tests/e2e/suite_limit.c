/* Limits of spend by each scope: exact over all processes, in streams too, told in each client
 * format, and freed by processes that die. Limits are read again within 1.2 s here. */
#include "tests/e2e/suites.h"

#include "tests/e2e/ask.h"
#include "tests/e2e/books.h"
#include "tests/e2e/crowd.h"
#include "tests/e2e/seen.h"
#include "tests/e2e/stack.h"

#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>

enum {
    RACERS = 100,
    MANY = 200,
    FITTING = 10,
    CROWD_THREADS = 6,
    CROWD_MS = 4000,
    CENTS = 20,
    KILLS = 4,
    READ_MS = 1300,
    ADOPTED_MS = 10000
};

/* Only output costs: ten tokens are one cent. */
static void seed(void)
{
    channel_serves(sql_int("SELECT id FROM channels WHERE name = 'main'"),
                   model_new("limited", "0", "1000"), NULL);
}

#define TEN_TOKENS ",\"max_tokens\":10"

/* The limit of the customer's key, or of the account. */
static void set_limit(const struct customer *c, bool is_account, const char *limits)
{
    sql_run("INSERT INTO rate_limits SET %s = %" PRId64 ", %s",
            is_account ? "account_id" : "api_key_id", is_account ? c->account_id : c->key_id,
            limits);
    spawn_sleep_ms(READ_MS);
}

static struct customer limited_customer(const char *limits)
{
    struct customer c = customer_new("100");
    set_limit(&c, false, limits);
    return c;
}

/* Of the view's row for the customer's only limit. */
static const char *seen_of(const struct customer *c, const char *columns)
{
    return sql_text("SELECT CONCAT_WS(' ', %s) FROM v_rate_limits v JOIN rate_limits l ON l.id = "
                    "v.limit_id WHERE l.api_key_id = %" PRId64 " OR l.account_id = %" PRId64,
                    columns, c->key_id, c->account_id);
}

START_TEST(of_100_requests_on_a_limit_for_one_exactly_one_is_admitted)
{
    static struct http_call calls[RACERS];
    static struct http_reply replies[RACERS];
    struct customer c = limited_customer("spend_total = 0.01");
    int admitted = 0, refused = 0;
    const char *body = ask_body("limited", "ms=500,tokens=10", TEN_TOKENS);
    for (int i = 0; i < RACERS; i++)
        calls[i] = (struct http_call){.port = stack.webs[i % stack.webs_n].port,
                                      .path = "/v1/chat/completions",
                                      .key = c.key,
                                      .body = body};
    http_many(calls, replies, RACERS);
    for (int i = 0; i < RACERS; i++) {
        admitted += replies[i].status == 200;
        refused += replies[i].status == 429 || replies[i].status == 503;
    }
    ck_assert_msg(admitted == 1 && refused == RACERS - 1, "%d admitted, %d refused; one: %d %s",
                  admitted, refused, replies[0].status, replies[0].body);
    ck_assert_int_eq(sql_int("SELECT COUNT(*) FROM usage_log WHERE api_key_id = %" PRId64
                             " AND cost > 0",
                             c.key_id),
                     1);
    books_check();
}
END_TEST

/* Each costs its worst case, one cent. */
START_TEST(of_200_requests_of_an_account_exactly_the_10_that_a_day_allows_pass)
{
    static struct http_call calls[MANY];
    static struct http_reply replies[MANY];
    struct customer c = customer_new("100");
    char other[ADMIN_KEY_SIZE];
    int passed = 0, refused = 0;
    const char *body = ask_body("limited", "ms=50,tokens=10", TEN_TOKENS);
    key_new(c.account_id, other);
    set_limit(&c, true, "spend_day = 0.10");
    for (int i = 0; i < MANY; i++)
        calls[i] = (struct http_call){.port = stack.webs[i % stack.webs_n].port,
                                      .path = "/v1/chat/completions",
                                      .key = i / stack.webs_n % 2 ? other : c.key,
                                      .body = body};
    http_many(calls, replies, MANY);
    for (int i = 0; i < MANY; i++) {
        passed += replies[i].status == 200;
        refused += replies[i].status == 429 || replies[i].status == 503;
    }
    ck_assert_msg(passed == FITTING && refused == MANY - FITTING,
                  "%d passed, %d refused; one: %d %s", passed, refused, replies[0].status,
                  replies[0].body);
    ck_assert_msg(WAIT_UNTIL(strcmp(seen_of(&c, "spent_day, held, spend_left"),
                                    "0.100000000 0.000000000 0.000000000") == 0,
                             3000),
                  "spent: %s", seen_of(&c, "spent_day, held, spend_left"));
    ck_assert_str_eq(sql_text("SELECT CONCAT_WS(' ', COUNT(*), SUM(cost)) FROM usage_log WHERE "
                              "account_id = %" PRId64,
                              c.account_id),
                     "10 0.100000000");
    books_check();
}
END_TEST

START_TEST(every_scope_limits_spend_and_names_itself)
{
    static const struct {
        const char *scope, *words;
    } cases[] = {
        {"api_key_id = @key",                    "The spend limit per day of this API key is"},
        {"api_key_id = @key, model_id = @m",     "per day of this API key for this model is" },
        {"account_id = @account",                "per day of your account is"                },
        {"account_id = @account, model_id = @m", "per day of your account for this model is" },
        {"group_id = @group",                    "per day of your group is"                  },
        {"group_id = @group, model_id = @m",     "per day of your group for this model is"   },
        {"model_id = @m",                        "The spend limit per day of this model is"  },
    };
    struct customer c = customer_new("100");
    struct http_reply reply;
    sql_run("INSERT INTO account_groups (name) VALUES ('spend-%s')", c.name);
    sql_run("SET @group = LAST_INSERT_ID(), @key = %" PRId64 ", @account = %" PRId64
            ", @m = (SELECT id FROM models WHERE name = 'limited')",
            c.key_id, c.account_id);
    sql_run("UPDATE accounts SET group_id = @group WHERE id = @account");
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        sql_run("INSERT INTO rate_limits SET %s, spend_day = 0.01", cases[i].scope);
        spawn_sleep_ms(READ_MS);
        ask_chat(c.key, ask_body("limited", "tokens=10", TEN_TOKENS), &reply);
        ask_expect_status(&reply, 200);
        http_reply_clear(&reply);
        ask_chat(c.key, ask_body("limited", "tokens=10", TEN_TOKENS), &reply);
        ask_expect_error(&reply, 429, "insufficient_quota", "insufficient_quota", NULL);
        const char *said = http_field(reply.body, "error.message");
        ck_assert_msg(strstr(said, cases[i].words) != NULL, "not said: %s\nin: %s", cases[i].words,
                      said);
        http_reply_clear(&reply);
        sql_run("DELETE FROM rate_limits WHERE spend_day = 0.01");
    }
}
END_TEST

/* A minute is the most that a client is told to wait. */
static void expect_refusal(struct http_call *call, int status, const char *field,
                           const char *expected)
{
    struct http_reply reply;
    call->port = stack.webs[0].port;
    http_run(call, &reply);
    ask_expect_status(&reply, status);
    ck_assert_str_eq(http_field(reply.body, field), expected);
    ck_assert_ptr_nonnull(strstr(http_field(reply.body, "error.message"),
                                 "The spend limit per month of this API key"));
    const char *wait = http_header(&reply, "retry-after");
    const char *again = http_header(&reply, "x-should-retry");
    ck_assert_msg(wait != NULL && strcmp(wait, "60") == 0, "retry-after: %s", wait);
    ck_assert_msg(again != NULL && strcmp(again, "false") == 0, "x-should-retry: %s", again);
    http_reply_clear(&reply);
}

START_TEST(a_refusal_has_each_formats_shape_and_a_time)
{
    struct customer c = limited_customer("spend_month = 0.001");
    struct http_call chat = {.path = "/v1/chat/completions",
                             .key = c.key,
                             .body = ask_body("limited", "tokens=1", TEN_TOKENS)};
    struct http_call responses = {.path = "/v1/responses",
                                  .key = c.key,
                                  .body = "{\"model\":\"limited\",\"input\":\"hi\","
                                          "\"max_output_tokens\":16}"};
    struct http_call messages = chat;
    struct http_call gemini = {.path = "/v1beta/models/limited:generateContent",
                               .body = "{\"contents\":[{\"role\":\"user\",\"parts\":[{\"text\":"
                                       "\"hi\"}]}],\"generationConfig\":{\"maxOutputTokens\":9}}"};
    messages.path = "/v1/messages";
    messages.key = NULL;
    messages.headers[0] = http_printf("x-api-key: %s", c.key);
    messages.headers[1] = "anthropic-version: 2023-06-01";
    gemini.headers[0] = http_printf("x-goog-api-key: %s", c.key);
    expect_refusal(&chat, 429, "error.code", "insufficient_quota");
    expect_refusal(&responses, 429, "error.code", "insufficient_quota");
    expect_refusal(&messages, 402, "error.type", "billing_error");
    expect_refusal(&gemini, 402, "error.status", "FAILED_PRECONDITION");
    ck_assert_int_eq(sql_int("SELECT COUNT(*) FROM limit_holds h JOIN rate_limits l ON l.id = "
                             "h.limit_id WHERE l.api_key_id = %" PRId64,
                             c.key_id),
                     0);
}
END_TEST

START_TEST(a_limit_is_spent_to_the_last_cent_and_no_further)
{
    struct customer c = limited_customer("spend_day = 0.20, spend_month = 50");
    struct crowd *crowds[STACK_WEBS_MAX] = {NULL};
    struct http_call call = {.path = "/v1/chat/completions",
                             .key = c.key,
                             .body = ask_body("limited", "ms=5,tokens=10", TEN_TOKENS)};
    for (int i = 0; i < stack.webs_n; i++) {
        call.port = stack.webs[i].port;
        crowds[i] = crowd_start(&call, CROWD_THREADS, 0);
    }
    spawn_sleep_ms(CROWD_MS);
    size_t ok = 0;
    for (int i = 0; i < stack.webs_n; i++) {
        size_t count = 0;
        const struct crowd_result *results = crowd_stop(crowds[i], &count);
        for (size_t k = 0; k < count; k++)
            ok += results[k].status == 200;
    }
    ck_assert_uint_eq(ok, CENTS);
    ck_assert_msg(WAIT_UNTIL(strcmp(seen_of(&c, "spent_day, spent_month, spend_left"),
                                    "0.200000000 0.200000000 0.000000000") == 0,
                             3000),
                  "spent: %s", seen_of(&c, "spent_day, spent_month, spend_left"));
    books_check();
}
END_TEST

START_TEST(a_refusal_names_the_limit_and_other_keys_go_on)
{
    struct customer c = limited_customer("spend_total = 0.005");
    struct http_reply reply;
    char other[ADMIN_KEY_SIZE];
    key_new(c.account_id, other);
    ask_chat(c.key, ask_body("limited", "tokens=1", TEN_TOKENS), &reply);
    ask_expect_error(&reply, 429, "insufficient_quota", "insufficient_quota", NULL);
    ck_assert(strstr(http_field(reply.body, "error.message"), "spend limit") != NULL);
    http_reply_clear(&reply);
    ask_chat(other, ask_body("limited", "tokens=1", TEN_TOKENS), &reply);
    ask_expect_status(&reply, 200);
    http_reply_clear(&reply);
    sql_run("UPDATE rate_limits SET spend_total = 1 WHERE api_key_id = %" PRId64, c.key_id);
    ask_chat(c.key, ask_body("limited", "tokens=1", TEN_TOKENS), &reply);
    ask_expect_status(&reply, 200);
    http_reply_clear(&reply);
    sql_run("UPDATE rate_limits SET spend_total = 0 WHERE api_key_id = %" PRId64, c.key_id);
    spawn_sleep_ms(READ_MS);
    ask_chat(c.key, ask_body("limited", "tokens=1", TEN_TOKENS), &reply);
    ask_expect_status(&reply, 429);
    http_reply_clear(&reply);
}
END_TEST

START_TEST(without_max_tokens_an_answer_gets_what_the_limit_can_pay)
{
    struct customer c = limited_customer("spend_month = 0.05");
    struct http_reply reply;
    ask_chat(c.key, ask_body("limited", "tokens=50", ",\"tag\":\"limit-inject\""), &reply);
    ask_expect_status(&reply, 200);
    const char *seen = seen_request(0, "limit-inject");
    ck_assert(seen != NULL && strstr(http_field(seen, "body"), "\"max_tokens\":50}") != NULL);
    books_expect(ask_id(&reply), "cost", "0.050000000");
    http_reply_clear(&reply);
    ask_chat(c.key, ask_body("limited", "tokens=1", ""), &reply);
    ask_expect_status(&reply, 429);
    books_check();
    http_reply_clear(&reply);
}
END_TEST

START_TEST(a_stream_ends_with_an_error_where_the_limit_does)
{
    struct customer c = limited_customer("spend_total = 0.05");
    struct http_reply reply;
    ask_chat(c.key,
             ask_body("limited", "tokens=400,chunk=4,pace=3", ",\"max_tokens\":4000" ASK_STREAM),
             &reply);
    ask_expect_stream_error(&reply);
    const char *id = ask_id(&reply);
    books_expect(id, "status", "cut");
    books_expect(id, "error_code", "spend_limit");
    books_expect(id, "cost <= 0.05 AND cost >= 0.045", "1");
    books_check();
    http_reply_clear(&reply);
}
END_TEST

static void *run_stream(void *arg)
{
    struct http_reply reply;
    ask_chat(arg, ask_body("limited", "tokens=100,pace=100", TEN_TOKENS ASK_STREAM), &reply);
    http_reply_clear(&reply);
    http_ring_clear();
    return NULL;
}

static bool holds(const struct customer *c, const char *amount)
{
    return strcmp(seen_of(c, "held"), amount) == 0;
}

/* Interrupted before anything was noted: it costs nothing, and the limit is free again. */
START_TEST(a_process_that_dies_frees_what_it_held_of_a_limit)
{
    struct customer c = customer_new("100");
    struct http_reply reply;
    pthread_t thread;
    set_limit(&c, true, "spend_day = 0.01, spend_month = 1");
    pid_t pids[STACK_GATEWAYS_MAX];
    ck_assert_int_eq(pthread_create(&thread, NULL, run_stream, c.key), 0);
    ck_assert_msg(WAIT_UNTIL(holds(&c, "0.010000000"), 2000), "nothing is held");
    size_t n = stack_gateways("chat", pids, STACK_GATEWAYS_MAX);
    for (size_t i = 0; i < n; i++)
        kill(pids[i], SIGKILL);
    pthread_join(thread, NULL);
    ck_assert_msg(WAIT_UNTIL(holds(&c, "0.000000000"), ADOPTED_MS), "still held after %d ms",
                  ADOPTED_MS);
    ck_assert_msg(WAIT_UNTIL((ask_chat(c.key, ask_body("limited", "tokens=10", TEN_TOKENS), &reply),
                              reply.status == 200),
                             5000),
                  "expected 200, seen %d %s", reply.status, reply.body);
    ck_assert_msg(WAIT_UNTIL(strcmp(seen_of(&c, "spent_day"), "0.010000000") == 0, 3000),
                  "spent: %s", seen_of(&c, "spent_day"));
    books_check();
    http_reply_clear(&reply);
}
END_TEST

/* Those that died between are charged for what was noted, or for nothing: the limit is spent to the end, and no further. */
START_TEST(while_processes_are_killed_no_more_than_the_limit_is_spent)
{
    struct customer c = customer_new("100");
    struct crowd *crowds[STACK_WEBS_MAX] = {NULL};
    pid_t pids[STACK_GATEWAYS_MAX];
    struct http_call call = {.path = "/v1/chat/completions",
                             .key = c.key,
                             .body = ask_body("limited", "ms=150,tokens=10", TEN_TOKENS)};
    set_limit(&c, true, "spend_day = 0.60, spend_month = 50");
    for (int i = 0; i < stack.webs_n; i++) {
        call.port = stack.webs[i].port;
        crowds[i] = crowd_start(&call, 2, 0);
    }
    for (int k = 0; k < KILLS; k++) {
        spawn_sleep_ms(300);
        size_t n = stack_gateways("chat", pids, STACK_GATEWAYS_MAX);
        for (size_t i = (size_t)k % 2; i < n; i += 2)
            kill(pids[i], SIGKILL);
    }
    bool is_spent = WAIT_UNTIL(
        strcmp(seen_of(&c, "spent_day, held"), "0.600000000 0.000000000") == 0, 2 * ADOPTED_MS);
    for (int i = 0; i < stack.webs_n; i++) {
        size_t count = 0;
        (void)crowd_stop(crowds[i], &count);
    }
    ck_assert_msg(is_spent, "spent and held: %s", seen_of(&c, "spent_day, held"));
    ck_assert_str_eq(
        sql_text("SELECT SUM(cost) FROM usage_log WHERE account_id = %" PRId64, c.account_id),
        "0.600000000");
    ck_assert_int_gt(sql_int("SELECT COUNT(*) FROM usage_log WHERE account_id = %" PRId64
                             " AND status = 'interrupted'",
                             c.account_id),
                     0);
    books_check();
}
END_TEST

static void add(TCase *t)
{
    tcase_add_test(t, of_100_requests_on_a_limit_for_one_exactly_one_is_admitted);
    tcase_add_test(t, of_200_requests_of_an_account_exactly_the_10_that_a_day_allows_pass);
    tcase_add_test(t, every_scope_limits_spend_and_names_itself);
    tcase_add_test(t, a_refusal_has_each_formats_shape_and_a_time);
    tcase_add_test(t, a_limit_is_spent_to_the_last_cent_and_no_further);
    tcase_add_test(t, a_refusal_names_the_limit_and_other_keys_go_on);
    tcase_add_test(t, without_max_tokens_an_answer_gets_what_the_limit_can_pay);
    tcase_add_test(t, a_stream_ends_with_an_error_where_the_limit_does);
    tcase_add_test(t, a_process_that_dies_frees_what_it_held_of_a_limit);
    tcase_add_test(t, while_processes_are_killed_no_more_than_the_limit_is_spent);
}

const struct suite_part part_limit = {"limit", seed, add};
