/* The same program as plain CGI, one process a request, as on a shared host. */
#include "tests/e2e/suites.h"

#include "tests/e2e/ask.h"
#include "tests/e2e/books.h"
#include "tests/e2e/stack.h"

#include <inttypes.h>
#include <string.h>

enum { AT_ONCE = 6, LEFT_WITHIN_MS = 5000 };

static bool is_nothing_left(void)
{
    return sql_int("SELECT (SELECT COUNT(*) FROM leases) + (SELECT COUNT(*) FROM processes)") ==
               0 &&
           books_spool_entry() == NULL;
}

static void expect_nothing_left(void)
{
    ck_assert_msg(WAIT_UNTIL(is_nothing_left(), LEFT_WITHIN_MS),
                  "%" PRId64 " leases and %" PRId64 " processes are left after the last request, "
                  "and in the spool: %s",
                  sql_int("SELECT COUNT(*) FROM leases"), sql_int("SELECT COUNT(*) FROM processes"),
                  books_spool_entry() != NULL ? books_spool_entry() : "nothing");
    books_check_drained();
}

START_TEST(a_whole_request_is_served_and_billed)
{
    struct customer c = customer_new("10");
    struct http_reply reply;
    ask_chat(c.key, ask_body("demo", "tokens=5,prompt=100,completion=20", ""), &reply);
    ask_expect_status(&reply, 200);
    const char *id = ask_id(&reply);
    books_expect(id, "status", "ok");
    books_expect(id, "cost", "0.000325000");
    books_check();
    expect_nothing_left();
    http_reply_clear(&reply);
}
END_TEST

START_TEST(a_stream_is_relayed_event_by_event_and_billed)
{
    struct customer c = customer_new("10");
    struct http_reply reply;
    ask_chat(c.key, ask_body("demo", "tokens=8,pace=50,prompt=100,completion=20", ASK_STREAM),
             &reply);
    ask_expect_done(&reply);
    ck_assert_uint_ge(reply.events_n, 10);
    int64_t spread_us = reply.events[8].at_us - reply.events[0].at_us;
    ck_assert_msg(spread_us > 300000, "the events came in one lump, within %" PRId64 " us",
                  spread_us);
    const char *id = ask_id(&reply);
    books_expect(id, "status", "ok");
    books_expect(id, "is_stream", "1");
    books_expect(id, "cost", "0.000325000");
    expect_nothing_left();
    http_reply_clear(&reply);
}
END_TEST

START_TEST(several_at_once_on_credit_for_one_admit_one)
{
    struct customer c = customer_new("0.01");
    struct http_call calls[AT_ONCE];
    struct http_reply replies[AT_ONCE];
    int admitted = 0;
    const char *body =
        ask_body("demo", "ms=300,tokens=2,prompt=1,completion=500", ",\"max_tokens\":900");
    for (int i = 0; i < AT_ONCE; i++)
        calls[i] = (struct http_call){
            .port = stack.webs[0].port, .path = "/v1/chat/completions", .key = c.key, .body = body};
    http_many(calls, replies, AT_ONCE);
    for (int i = 0; i < AT_ONCE; i++) {
        admitted += replies[i].status == 200;
        if (replies[i].status != 200)
            ck_assert_int_eq(replies[i].status, 429);
        http_reply_clear(&replies[i]);
    }
    ck_assert_int_eq(admitted, 1);
    expect_nothing_left();
}
END_TEST

START_TEST(errors_and_lists_are_as_under_fastcgi)
{
    struct customer c = customer_new("10");
    struct http_reply reply;
    ask_chat("sk-aip-unknown", ask_body("demo", "", ""), &reply);
    ask_expect_error(&reply, 401, "invalid_request_error", "invalid_api_key", NULL);
    http_reply_clear(&reply);
    ask_path("GET", "/v1/models/demo", c.key, &reply);
    ask_expect_status(&reply, 200);
    ck_assert_str_eq(http_field(reply.body, "id"), "demo");
    http_reply_clear(&reply);
    expect_nothing_left();
}
END_TEST

static void add(TCase *t)
{
    tcase_add_test(t, a_whole_request_is_served_and_billed);
    tcase_add_test(t, a_stream_is_relayed_event_by_event_and_billed);
    tcase_add_test(t, several_at_once_on_credit_for_one_admit_one);
    tcase_add_test(t, errors_and_lists_are_as_under_fastcgi);
}

const struct suite_part part_cgi = {"cgi", NULL, add};
