/* Many requests on little money, over the processes of two web servers: what the balance cannot
 * pay is refused, and nothing else. */
#include "tests/e2e/suites.h"

#include "tests/e2e/ask.h"
#include "tests/e2e/books.h"
#include "tests/e2e/crowd.h"
#include "tests/e2e/seen.h"
#include "tests/e2e/stack.h"

#include <inttypes.h>
#include <string.h>
#include <unistd.h>

enum {
    RACERS = 200,
    PROCESSES_MIN = 4,
    AFFORDABLE = 50,
    CROWD_THREADS = 8,
    CROWD_WAIT_MS = 20000,
    START_TRIES = 100,
    START_PAUSE_US = 100000
};

/* Only output costs: a request that may make 10 tokens is held at exactly one cent, and costs
 * it. */
static void seed(void)
{
    int64_t id = model_new("race", "0", "1000");
    channel_serves(sql_int("SELECT id FROM channels WHERE name = 'main'"), id, NULL);
}

static void expect_processes(void)
{
    pid_t pids[STACK_GATEWAYS_MAX];
    size_t n = 0;
    /* With sanitizers they take their time to start. */
    for (int i = 0; i < START_TRIES && n < PROCESSES_MIN; i++) {
        usleep(i > 0 ? START_PAUSE_US : 0);
        n = stack_gateways("chat", pids, STACK_GATEWAYS_MAX);
    }
    ck_assert_msg(n >= PROCESSES_MIN, "expected at least %d processes, seen %zu", PROCESSES_MIN, n);
}

START_TEST(of_200_requests_on_credit_for_one_exactly_one_is_admitted)
{
    static struct http_call calls[RACERS];
    static struct http_reply replies[RACERS];
    struct customer c = customer_new("0.01");
    int64_t before = seen_count(0, "requests");
    int admitted = 0;
    int refused = 0;
    expect_processes();
    const char *body = ask_body("race", "ms=500,tokens=10", ",\"max_tokens\":10");
    for (int i = 0; i < RACERS; i++)
        calls[i] = (struct http_call){.port = stack.webs[i % stack.webs_n].port,
                                      .path = "/v1/chat/completions",
                                      .key = c.key,
                                      .body = body};
    http_many(calls, replies, RACERS);
    for (int i = 0; i < RACERS; i++) {
        admitted += replies[i].status == 200;
        if (replies[i].status != 429)
            continue;
        refused++;
        ck_assert_str_eq(http_field(replies[i].body, "error.code"), "insufficient_quota");
        ck_assert_msg(http_header(&replies[i], "retry-after") != NULL, "429 without Retry-After");
    }
    ck_assert_msg(admitted == 1 && refused == RACERS - 1,
                  "expected 1 admitted and %d refused, seen %d and %d; another: %d %.200s",
                  RACERS - 1, admitted, refused, replies[0].status, replies[0].body);
    ck_assert_int_eq(seen_count(0, "requests") - before, 1);
    ck_assert_msg(WAIT_UNTIL(strcmp(books_balance(c.account_id), "0.000000000") == 0, 3000),
                  "expected a balance of 0, seen %s", books_balance(c.account_id));
    ck_assert_int_eq(
        sql_int("SELECT COUNT(*) FROM usage_log WHERE account_id = %" PRId64, c.account_id), 1);
    books_check();
}
END_TEST

START_TEST(a_small_balance_is_spent_to_the_last_cent_and_no_further)
{
    struct customer c = customer_new("0.50");
    struct crowd *crowds[STACK_WEBS_MAX] = {NULL};
    int64_t before = seen_count(0, "requests");
    struct http_call call = {.path = "/v1/chat/completions",
                             .key = c.key,
                             .body = ask_body("race", "ms=5,tokens=10", ",\"max_tokens\":10")};
    for (int i = 0; i < stack.webs_n; i++) {
        call.port = stack.webs[i].port;
        crowds[i] = crowd_start(&call, CROWD_THREADS, 0);
    }
    /* The books are right at every moment, not only at the end. */
    int64_t end_us = spawn_now_us() + CROWD_WAIT_MS * INT64_C(1000);
    while (strcmp(books_balance(c.account_id), "0.000000000") != 0 && spawn_now_us() < end_us)
        books_check();
    ck_assert_str_eq(books_balance(c.account_id), "0.000000000");
    size_t ok = 0;
    for (int i = 0; i < stack.webs_n; i++) {
        size_t count = 0;
        const struct crowd_result *results = crowd_stop(crowds[i], &count);
        for (size_t k = 0; k < count; k++) {
            ck_assert_msg(results[k].status == 200 || results[k].status == 429,
                          "expected 200 or 429, seen %d", results[k].status);
            ok += results[k].status == 200;
        }
    }
    ck_assert_uint_eq(ok, AFFORDABLE);
    ck_assert_int_eq(seen_count(0, "requests") - before, AFFORDABLE);
    ck_assert_int_eq(
        sql_int("SELECT COUNT(*) FROM usage_log WHERE account_id = %" PRId64, c.account_id),
        AFFORDABLE);
    books_check();
}
END_TEST

static void add(TCase *t)
{
    tcase_add_test(t, of_200_requests_on_credit_for_one_exactly_one_is_admitted);
    tcase_add_test(t, a_small_balance_is_spent_to_the_last_cent_and_no_further);
}

const struct suite_part part_race = {"race", seed, add};
