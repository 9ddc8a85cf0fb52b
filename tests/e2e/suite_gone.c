/* Clients that leave: the provider is cut off, and what was used is charged. */
#include "tests/e2e/suites.h"

#include "tests/e2e/ask.h"
#include "tests/e2e/books.h"
#include "tests/e2e/seen.h"
#include "tests/e2e/stack.h"

#include <stdlib.h>
#include <string.h>

enum { LEFT_WAIT_MS = 1000 };

/* A streamed call that leaves by itself. The answer's events seen so far stay in the reply. */
static void leave(const char *key, const char *controls, const char *tag, int after_events,
                  int after_ms, struct http_reply *reply)
{
    struct http_call call = {
        .port = stack.webs[0].port,
        .path = "/v1/chat/completions",
        .key = key,
        .body = ask_body("demo", controls, http_printf(ASK_STREAM ",\"tag\":\"%s\"", tag)),
        .leave_after_events = after_events,
        .leave_after_ms = after_ms};
    http_run(&call, reply);
    ck_assert_msg(reply->has_left, "the answer ended before the client could leave: %d %s",
                  reply->status, reply->body);
}

static bool is_outcome(const char *tag, const char *outcome)
{
    const char *seen = seen_request(0, tag);
    const char *its = seen != NULL ? http_field(seen, "outcome") : NULL;
    return its != NULL && strcmp(its, outcome) == 0;
}

static const char *row_of(const struct customer *c, const char *column)
{
    return sql_text("SELECT %s FROM usage_log WHERE account_id = %lld", column,
                    (long long)c->account_id);
}

static bool has_row(const struct customer *c)
{
    return *row_of(c, "request_id") != 0;
}

START_TEST(the_provider_is_cut_off_within_a_second_of_the_clients_leaving)
{
    struct customer c = customer_new("10");
    struct http_reply reply;
    leave(c.key, "pace=50,tokens=300,prompt=100", "gone-mid", 5, 0, &reply);
    ck_assert_msg(WAIT_UNTIL(is_outcome("gone-mid", "cut_by_client"), LEFT_WAIT_MS),
                  "the provider still streams %d ms after the client left: %s", LEFT_WAIT_MS,
                  http_field(seen_request(0, "gone-mid"), "outcome"));
    ck_assert_msg(WAIT_UNTIL(has_row(&c), 3000), "no usage row of a client that left");
    ck_assert_str_eq(row_of(&c, "status"), "client_gone");
    ck_assert_str_eq(row_of(&c, "error_code"), "client_gone");
    ck_assert_str_eq(row_of(&c, "is_estimated"), "1");
    ck_assert_str_eq(row_of(&c, "cost > 0 AND input_tokens > 0 AND output_tokens > 0"), "1");
    ck_assert_msg(atoi(row_of(&c, "output_tokens")) < 150,
                  "charged for %s tokens although the client left after five chunks",
                  row_of(&c, "output_tokens"));
    books_check();
    http_reply_clear(&reply);
}
END_TEST

START_TEST(a_client_that_leaves_in_silence_is_seen_as_well)
{
    struct customer c = customer_new("10");
    struct http_reply reply;
    leave(c.key, "tokens=10,stall=3", "gone-silent", 4, 0, &reply);
    ck_assert_msg(WAIT_UNTIL(is_outcome("gone-silent", "cut_by_client"), LEFT_WAIT_MS),
                  "the provider is still held %d ms after the client left", LEFT_WAIT_MS);
    ck_assert_msg(WAIT_UNTIL(has_row(&c), 3000), "no usage row of a client that left");
    ck_assert_str_eq(row_of(&c, "status"), "client_gone");
    ck_assert_str_eq(row_of(&c, "cost > 0"), "1");
    http_reply_clear(&reply);
}
END_TEST

START_TEST(a_client_that_leaves_before_the_content_pays_for_what_the_model_does_unseen)
{
    struct customer c = customer_new("10");
    struct http_reply reply;
    leave(c.key, "pace=1600,tokens=2,prompt=100,completion=60,reasoning=50", "gone-before", 1, 0,
          &reply);
    ck_assert_msg(WAIT_UNTIL(has_row(&c), 5000), "no usage row of a client that left early");
    ck_assert_msg(is_outcome("gone-before", "whole"), "the answer was not read to its end: %s",
                  http_field(seen_request(0, "gone-before"), "outcome"));
    ck_assert_str_eq(row_of(&c, "status"), "client_gone");
    ck_assert_str_eq(row_of(&c, "is_estimated"), "0");
    ck_assert_str_eq(row_of(&c, "output_tokens"), "60");
    ck_assert_str_eq(row_of(&c, "cost"), "0.000725000");
    books_check();
    http_reply_clear(&reply);
}
END_TEST

/* Before the head of its answer lighttpd does not always tell that a client has left. Told, the
 * gateway reads on to the usage; not told, it finds out when it writes. */
START_TEST(a_client_that_leaves_before_the_head_is_not_let_off)
{
    struct customer c = customer_new("10");
    struct http_reply reply;
    leave(c.key, "ms=900,tokens=4,prompt=100,completion=60,reasoning=50", "gone-early", 0, 300,
          &reply);
    ck_assert_msg(WAIT_UNTIL(has_row(&c), 5000), "no usage row of a client that left early");
    ck_assert_msg(atoi(row_of(&c, "duration_ms")) >= 890,
                  "the provider was left after %s ms, before it had answered",
                  row_of(&c, "duration_ms"));
    ck_assert_str_eq(row_of(&c, "cost > 0"), "1");
    books_check();
    http_reply_clear(&reply);
}
END_TEST

START_TEST(a_client_that_leaves_a_whole_answer_pays_for_it)
{
    struct customer c = customer_new("10");
    struct http_reply reply;
    struct http_call call = {.port = stack.webs[0].port,
                             .path = "/v1/chat/completions",
                             .key = c.key,
                             .body = ask_body("demo", "ms=700,prompt=100,tokens=10", ""),
                             .leave_after_ms = 250};
    http_run(&call, &reply);
    ck_assert(reply.has_left);
    ck_assert_msg(WAIT_UNTIL(has_row(&c), 5000), "no usage row of a client that left");
    ck_assert_str_eq(row_of(&c, "is_estimated"), "0");
    ck_assert_str_eq(row_of(&c, "cost"), "0.000225000");
    books_check();
    http_reply_clear(&reply);
}
END_TEST

static void add(TCase *t)
{
    tcase_add_test(t, the_provider_is_cut_off_within_a_second_of_the_clients_leaving);
    tcase_add_test(t, a_client_that_leaves_in_silence_is_seen_as_well);
    tcase_add_test(t, a_client_that_leaves_before_the_content_pays_for_what_the_model_does_unseen);
    tcase_add_test(t, a_client_that_leaves_before_the_head_is_not_let_off);
    tcase_add_test(t, a_client_that_leaves_a_whole_answer_pays_for_it);
}

const struct suite_part part_gone = {"gone", NULL, add};
