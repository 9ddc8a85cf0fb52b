/* MariaDB killed or frozen under load, and back again, without a restart of the gateway. Each
 * test has a stack of its own. */
#include "tests/e2e/suites.h"

#include "tests/e2e/ask.h"
#include "tests/e2e/books.h"
#include "tests/e2e/crowd.h"
#include "tests/e2e/stack.h"

#include <inttypes.h>
#include <string.h>

enum {
    THREADS = 4,
    WARM_MS = 1500,
    DOWN_MS = 4000,
    ANSWER_WITHIN_MS =
        5000, /* 2 s for the first timeout, 2 s for whoever makes the first probe, and the way of the request itself */
    BACK_WITHIN_MS = 5000
};

static void setup(void)
{
    static const struct stack_options options = {.seed = seed_base};
    stack_start(&options);
}

static int ready_status(void)
{
    struct http_reply reply;
    struct http_call call = {.port = stack.webs[0].port, .path = "/readyz", .timeout_ms = 6000};
    http_run(&call, &reply);
    int status = reply.status;
    http_reply_clear(&reply);
    return status;
}

/* A customer whom no process knows: nothing can be decided about the key. */
static void expect_stranger_is_told_to_wait(const struct customer *stranger)
{
    struct http_reply reply;
    ask_chat(stranger->key, ask_body("demo", "tokens=1", ""), &reply);
    ask_expect_error(&reply, 503, "server_error", "service_unavailable", NULL);
    ck_assert_msg(reply.total_us < ANSWER_WITHIN_MS * INT64_C(1000),
                  "expected the refusal within %d ms, seen %" PRId64, ANSWER_WITHIN_MS,
                  reply.total_us / 1000);
    http_reply_clear(&reply);
}

static bool is_served(const struct customer *c)
{
    struct http_reply reply;
    ask_chat(c->key, ask_body("demo", "tokens=1", ""), &reply);
    bool is_ok = reply.status == 200;
    http_reply_clear(&reply);
    return is_ok;
}

/* Every answer of the crowd is 200, or 503 with Retry-After in bounded time; leased money goes
 * on. */
static void check_answers(const struct crowd_result *results, size_t count, int64_t down_us,
                          int64_t up_us)
{
    int during = 0;
    int64_t slowest_us = 0;
    for (size_t i = 0; i < count; i++) {
        const struct crowd_result *r = &results[i];
        int64_t took_us = r->ended_us - r->begun_us;
        ck_assert_msg(r->status == 200 || (r->status == 503 && r->has_retry_after),
                      "expected 200, or 503 with Retry-After, seen %d%s", r->status,
                      r->has_retry_after ? "" : " without");
        slowest_us = took_us > slowest_us ? took_us : slowest_us;
        during += r->status == 200 && r->begun_us > down_us + 200000 && r->ended_us < up_us;
    }
    ck_assert_msg(slowest_us < ANSWER_WITHIN_MS * INT64_C(1000),
                  "the slowest answer took %" PRId64 " ms, expected at most %d", slowest_us / 1000,
                  ANSWER_WITHIN_MS);
    ck_assert_msg(during > 0, "an account with leased money was not served while the database was "
                              "away");
}

/* take_away and bring_back: what happens to MariaDB. */
static void run_outage(void (*take_away)(void), void (*bring_back)(void))
{
    struct customer rich = customer_new("1000");
    struct customer stranger = customer_new("10");
    size_t count;
    struct http_call call = {.port = stack.webs[0].port,
                             .path = "/v1/chat/completions",
                             .key = rich.key,
                             .body = ask_body("demo", "ms=5,tokens=2,prompt=100", "")};
    struct crowd *crowd = crowd_start(&call, THREADS, 20);
    spawn_sleep_ms(WARM_MS);
    take_away();
    int64_t down_us = spawn_now_us();
    expect_stranger_is_told_to_wait(&stranger);
    expect_stranger_is_told_to_wait(&stranger);
    ck_assert_int_eq(ready_status(), 503);
    while (spawn_now_us() < down_us + DOWN_MS * INT64_C(1000))
        spawn_sleep_ms(20);
    int64_t up_us = spawn_now_us();
    bring_back();
    int64_t back_us = spawn_now_us();
    ck_assert_msg(WAIT_UNTIL(is_served(&stranger), BACK_WITHIN_MS) &&
                      WAIT_UNTIL(is_served(&rich), BACK_WITHIN_MS),
                  "requests are not served %d ms after the database's return", BACK_WITHIN_MS);
    ck_assert_msg(WAIT_UNTIL(ready_status() == 200, BACK_WITHIN_MS), "/readyz still fails");
    spawn_sleep_ms(300);
    const struct crowd_result *results = crowd_stop(crowd, &count);
    ck_assert(back_us >= up_us);
    check_answers(results, count, down_us, up_us);
    size_t answered = books_check_crowd(results, count, BACK_WITHIN_MS);
    int64_t rows = sql_int("SELECT COUNT(*) FROM usage_log WHERE account_id = %" PRId64
                           " AND status = 'ok'",
                           rich.account_id);
    ck_assert_msg(rows >= (int64_t)answered && rows <= (int64_t)answered + 2 * BACK_WITHIN_MS / 20,
                  "%zu answers, but %" PRId64 " rows", answered, rows);
    books_check();
    ck_assert_msg(stack_drain(), "a gateway did not end in time");
    books_check_drained();
}

static void take_by_kill(void)
{
    mariadb_kill(&stack.db);
}

static void bring_by_start(void)
{
    mariadb_restart(&stack.db);
}

static void take_by_freeze(void)
{
    mariadb_freeze(&stack.db);
}

static void bring_by_thaw(void)
{
    mariadb_thaw(&stack.db);
}

START_TEST(a_killed_database_costs_time_and_no_money)
{
    run_outage(take_by_kill, bring_by_start);
}
END_TEST

START_TEST(a_frozen_database_costs_time_and_no_money)
{
    run_outage(take_by_freeze, bring_by_thaw);
}
END_TEST

static void add(TCase *t)
{
    tcase_add_checked_fixture(t, setup, stack_stop);
    tcase_add_test(t, a_killed_database_costs_time_and_no_money);
    tcase_add_test(t, a_frozen_database_costs_time_and_no_money);
}

const struct suite_part part_outage = {"outage", NULL, add};
