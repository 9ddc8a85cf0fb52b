/* Gateway processes that are killed, or told to stop, under load. Each test has a stack of its
 * own. */
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
    STREAMS = 6,
    STREAM_EVENTS = 30,
    STREAM_PACE_MS = 100,
    CROWD_THREADS = 6,
    ADOPTED_WITHIN_MS = 10000,
    ENDED_WITHIN_MS = 15000
};

static void setup(void)
{
    static const struct stack_options options = {.seed = seed_base};
    stack_start(&options);
}

struct streams {
    struct http_call calls[STREAMS];
    struct http_reply replies[STREAMS];
    pthread_t thread;
};

static void *run_streams(void *arg)
{
    struct streams *s = arg;
    http_many(s->calls, s->replies, STREAMS);
    http_ring_clear();
    return NULL;
}

static void streams_start(struct streams *s, const struct customer *c)
{
    const char *body = ask_body(
        "demo", http_printf("pace=%d,tokens=%d", STREAM_PACE_MS, STREAM_EVENTS), ASK_STREAM);
    for (int i = 0; i < STREAMS; i++)
        s->calls[i] = (struct http_call){.port = stack.webs[0].port,
                                         .path = "/v1/chat/completions",
                                         .key = c->key,
                                         .body = body};
    ck_assert(pthread_create(&s->thread, NULL, run_streams, s) == 0);
}

static struct crowd *load_start(const struct customer *c)
{
    static struct http_call call;
    call = (struct http_call){.port = stack.webs[0].port,
                              .path = "/v1/chat/completions",
                              .key = c->key,
                              .body = ask_body("demo", "ms=5,tokens=2,prompt=100", "")};
    return crowd_start(&call, CROWD_THREADS, 10);
}

static bool ended_with_done(const struct http_reply *reply)
{
    return reply->status == 200 && reply->is_whole && reply->events_n > 0 &&
           strcmp(http_event_data(reply, reply->events_n - 1), "[DONE]") == 0;
}

static bool is_interrupted(const char *request_id)
{
    return sql_int("SELECT COUNT(*) FROM usage_log WHERE request_id = '%s' AND "
                   "status = 'interrupted' AND http_status = 0",
                   request_id) == 1;
}

/* The broken streams' rows; returns the ULID of the process that died. */
static const char *check_streams(const struct streams *s)
{
    const char *process = NULL;
    int broken = 0;
    for (int i = 0; i < STREAMS; i++) {
        const char *id = ask_id(&s->replies[i]);
        if (ended_with_done(&s->replies[i])) {
            books_expect(id, "status", "ok");
            continue;
        }
        broken++;
        ck_assert_msg(WAIT_UNTIL(is_interrupted(id), ADOPTED_WITHIN_MS),
                      "a stream whose process died has no row `interrupted` within %d ms: %s",
                      ADOPTED_WITHIN_MS,
                      sql_text("SELECT status FROM usage_log WHERE request_id = '%s'", id));
        process = books_row(id, "process_id");
    }
    ck_assert_msg(broken > 0 && broken < STREAMS,
                  "expected some of %d streams to break with their process, seen %d", STREAMS,
                  broken);
    return process;
}

START_TEST(a_killed_process_leaves_one_row_a_request_and_nothing_else)
{
    static struct streams streams;
    struct customer c = customer_new("100");
    pid_t pids[STACK_GATEWAYS_MAX];
    size_t count;
    struct crowd *crowd = load_start(&c);
    streams_start(&streams, &c);
    spawn_sleep_ms(1200);
    ck_assert_uint_ge(stack_gateways("chat", pids, STACK_GATEWAYS_MAX), 2);
    kill(pids[0], SIGKILL);
    pthread_join(streams.thread, NULL);
    const struct crowd_result *results = crowd_stop(crowd, &count);
    size_t answered = books_check_crowd(results, count, ADOPTED_WITHIN_MS);
    ck_assert_msg(answered > 50, "only %zu requests were answered", answered);
    const char *process = check_streams(&streams);
    ck_assert_msg(WAIT_UNTIL(books_process_is_forgotten(process), ADOPTED_WITHIN_MS),
                  "process row, leases or spool directory of the dead %s are still there", process);
    int64_t rows = sql_int("SELECT COUNT(*) FROM usage_log");
    int64_t served = seen_count(0, "requests");
    ck_assert_msg(rows >= served,
                  "%" PRId64 " requests reached the provider, but there are %" PRId64 " rows",
                  served, rows);
    books_check();
    ck_assert_msg(stack_drain(), "a gateway did not end in time");
    books_check_drained();
}
END_TEST

START_TEST(a_process_told_to_stop_loses_nothing)
{
    static struct streams streams;
    struct customer c = customer_new("100");
    pid_t pids[STACK_GATEWAYS_MAX];
    size_t count;
    struct crowd *crowd = load_start(&c);
    streams_start(&streams, &c);
    spawn_sleep_ms(1000);
    ck_assert_uint_ge(stack_gateways("chat", pids, STACK_GATEWAYS_MAX), 2);
    pid_t stopped = pids[0];
    kill(stopped, SIGTERM);
    pthread_join(streams.thread, NULL);
    for (int i = 0; i < STREAMS; i++)
        ck_assert_msg(ended_with_done(&streams.replies[i]),
                      "stream %d was cut by the restart after %zu events: %d %s", i,
                      streams.replies[i].events_n, streams.replies[i].status,
                      streams.replies[i].fault);
    ck_assert_msg(spawn_wait_gone(stopped, ENDED_WITHIN_MS), "the process did not end within %d ms",
                  ENDED_WITHIN_MS);
    ck_assert_msg(WAIT_UNTIL(stack_gateways("chat", pids, STACK_GATEWAYS_MAX) >= 2, 5000),
                  "no new process took its place");
    spawn_sleep_ms(300);
    const struct crowd_result *results = crowd_stop(crowd, &count);
    for (size_t i = 0; i < count; i++)
        ck_assert_msg(results[i].status == 200 && results[i].is_whole,
                      "request %zu of %zu was lost: status %d", i, count, results[i].status);
    books_check_crowd(results, count, 5000);
    ck_assert_int_eq(sql_int("SELECT COUNT(*) FROM usage_log WHERE status <> 'ok'"), 0);
    ck_assert_msg(stack_drain(), "a gateway did not end in time");
    books_check_drained();
}
END_TEST

static void add(TCase *t)
{
    tcase_add_checked_fixture(t, setup, stack_stop);
    tcase_add_test(t, a_killed_process_leaves_one_row_a_request_and_nothing_else);
    tcase_add_test(t, a_process_told_to_stop_loses_nothing);
}

const struct suite_part part_crash = {"crash", NULL, add};
