/* Spend limits of keys: exact over all processes, in streams too, and freed by those that die. */
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
    CROWD_THREADS = 6,
    CROWD_MS = 4000,
    CENTS = 20,
    SEEN_MS = 1200,
    ADOPTED_MS = 10000
};

/* Only output costs: ten tokens are one cent. */
static void seed(void)
{
    channel_serves(sql_int("SELECT id FROM channels WHERE name = 'main'"),
                   model_new("limited", "0", "1000"), NULL);
}

#define TEN_TOKENS ",\"max_tokens\":10"

static struct customer limited_customer(const char *limits)
{
    struct customer c = customer_new("100");
    sql_run("UPDATE api_keys SET %s WHERE id = %" PRId64, limits, c.key_id);
    return c;
}

static const char *spent(const struct customer *c)
{
    return sql_text("SELECT spent FROM v_key_spend WHERE api_key_id = %" PRId64, c->key_id);
}

START_TEST(of_100_requests_on_a_limit_for_one_exactly_one_is_admitted)
{
    static struct http_call calls[RACERS];
    static struct http_reply replies[RACERS];
    struct customer c = limited_customer("spend_limit = 0.01");
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

START_TEST(a_limit_is_spent_to_the_last_cent_and_no_further)
{
    struct customer c = limited_customer("spend_limit_day = 0.20, spend_limit_month = 50");
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
    ck_assert_msg(WAIT_UNTIL(strcmp(spent(&c), "0.200000000") == 0, 3000), "spent: %s", spent(&c));
    books_check();
}
END_TEST

START_TEST(a_refusal_names_the_limit_and_other_keys_go_on)
{
    struct customer c = limited_customer("spend_limit = 0.005");
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
    sql_run("UPDATE api_keys SET spend_limit = 1 WHERE id = %" PRId64, c.key_id);
    ask_chat(c.key, ask_body("limited", "tokens=1", TEN_TOKENS), &reply);
    ask_expect_status(&reply, 200);
    http_reply_clear(&reply);
    sql_run("UPDATE api_keys SET spend_limit = 0 WHERE id = %" PRId64, c.key_id);
    spawn_sleep_ms(SEEN_MS);
    ask_chat(c.key, ask_body("limited", "tokens=1", TEN_TOKENS), &reply);
    ask_expect_status(&reply, 429);
    http_reply_clear(&reply);
}
END_TEST

START_TEST(without_max_tokens_an_answer_gets_what_the_limit_can_pay)
{
    struct customer c = limited_customer("spend_limit_month = 0.05");
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
    struct customer c = limited_customer("spend_limit = 0.05");
    struct http_reply reply;
    ask_chat(c.key,
             ask_body("limited", "tokens=400,chunk=4,pace=3", ",\"max_tokens\":4000" ASK_STREAM),
             &reply);
    ask_expect_stream_error(&reply);
    const char *id = ask_id(&reply);
    books_expect(id, "status", "cut");
    books_expect(id, "error_code", "key_limit");
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
    return strcmp(sql_text("SELECT held FROM v_key_spend WHERE api_key_id = %" PRId64, c->key_id),
                  amount) == 0;
}

/* Interrupted before anything was noted: it costs nothing, and the limit is free again. */
START_TEST(a_process_that_dies_frees_what_it_held_of_a_limit)
{
    struct customer c = limited_customer("spend_limit = 0.01");
    struct http_reply reply;
    pthread_t thread;
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
    ck_assert_msg(WAIT_UNTIL(strcmp(spent(&c), "0.010000000") == 0, 3000), "spent: %s", spent(&c));
    books_check();
    http_reply_clear(&reply);
}
END_TEST

static void add(TCase *t)
{
    tcase_add_test(t, of_100_requests_on_a_limit_for_one_exactly_one_is_admitted);
    tcase_add_test(t, a_limit_is_spent_to_the_last_cent_and_no_further);
    tcase_add_test(t, a_refusal_names_the_limit_and_other_keys_go_on);
    tcase_add_test(t, without_max_tokens_an_answer_gets_what_the_limit_can_pay);
    tcase_add_test(t, a_stream_ends_with_an_error_where_the_limit_does);
    tcase_add_test(t, a_process_that_dies_frees_what_it_held_of_a_limit);
}

const struct suite_part part_limit = {"limit", seed, add};
