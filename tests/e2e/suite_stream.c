/* What a provider can do wrong, or oddly, within a stream: the client's end, the row and the
 * charge. */
#include "tests/e2e/suites.h"

#include "tests/e2e/ask.h"
#include "tests/e2e/books.h"
#include "tests/e2e/stack.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { SILENCE_MS = 400 };

static void seed(void)
{
    int64_t model = model_new("impatient", "1.25", "10");
    int64_t channel = channel_new("impatient", "demo", stack.sims[0].port, 0);
    sql_run("UPDATE channels SET between_bytes_ms = %d WHERE id = %" PRId64, SILENCE_MS, channel);
    channel_serves(channel, model, NULL);
}

static void run_stream(const char *model, const char *controls, struct http_reply *reply)
{
    struct customer c = customer_new("10");
    ask_chat(c.key, ask_body(model, controls, ASK_STREAM), reply);
}

/* The row of a stream that the provider broke off: charged by estimate for what was seen. */
static void expect_cut_row(const struct http_reply *reply, const char *error_code)
{
    const char *id = ask_id(reply);
    books_expect(id, "status", "cut");
    books_expect(id, "http_status", "200");
    books_expect(id, "error_code", error_code);
    books_expect(id, "is_estimated", "1");
    books_expect(id, "finish_reason", "NULL");
    books_expect(id, "cost > 0 AND input_tokens > 0 AND output_tokens > 0", "1");
    books_check();
}

static void expect_cut(const char *model, const char *controls, size_t chunks,
                       const char *error_code)
{
    struct http_reply reply;
    run_stream(model, controls, &reply);
    ask_expect_stream_error(&reply);
    /* the opening chunk, the content, the error */
    ck_assert_msg(reply.events_n == chunks + 2, "%s: expected %zu events, seen %zu in %s", controls,
                  chunks + 2, reply.events_n, reply.body);
    expect_cut_row(&reply, error_code);
    http_reply_clear(&reply);
}

START_TEST(a_cut_stream_ends_with_an_error_event_and_is_charged)
{
    expect_cut("demo", "tokens=10,cut=3", 3, "up_cut");
}
END_TEST

START_TEST(a_reset_stream_ends_with_an_error_event_and_is_charged)
{
    /* Time for the chunks to be read: a reset throws away what is still on the way. */
    expect_cut("demo", "tokens=10,reset=3,pace=50", 3, "up_cut");
}
END_TEST

START_TEST(a_stream_that_ends_without_a_finish_reason_is_cut)
{
    expect_cut("demo", "tokens=10,eof=2", 2, "up_cut");
}
END_TEST

START_TEST(a_malformed_chunk_ends_the_stream)
{
    expect_cut("demo", "tokens=10,malformed=3", 2, "up_malformed");
}
END_TEST

START_TEST(an_error_inside_a_stream_is_passed_on_as_its_end)
{
    struct http_reply reply;
    run_stream("demo", "tokens=10,error_in=3,msg=out of capacity", &reply);
    ask_expect_stream_error(&reply);
    const char *last = http_event_data(&reply, reply.events_n - 1);
    ck_assert_msg(strstr(http_field(last, "error.message"), "out of capacity") != NULL,
                  "the provider's words are lost: %s", last);
    expect_cut_row(&reply, "up_failed");
    http_reply_clear(&reply);
}
END_TEST

START_TEST(a_silent_stream_is_given_up_after_between_bytes_ms)
{
    struct http_reply reply;
    run_stream("impatient", "tokens=10,stall=2", &reply);
    ask_expect_stream_error(&reply);
    ck_assert_uint_eq(reply.events_n, 4);
    int64_t waited_ms = (reply.total_us - reply.events[2].at_us) / 1000;
    ck_assert_msg(waited_ms >= SILENCE_MS - 50 && waited_ms < SILENCE_MS + 1500,
                  "expected the end about %d ms after the last chunk, seen %" PRId64, SILENCE_MS,
                  waited_ms);
    expect_cut_row(&reply, "up_timeout");
    http_reply_clear(&reply);
}
END_TEST

START_TEST(a_slow_but_steady_stream_is_not_given_up)
{
    struct http_reply reply;
    run_stream("impatient", "tokens=4,pace=250", &reply);
    ask_expect_done(&reply);
    books_expect(ask_id(&reply), "status", "ok");
    http_reply_clear(&reply);
}
END_TEST

START_TEST(a_missing_end_mark_is_completed)
{
    struct http_reply reply;
    run_stream("demo", "tokens=3,nodone,prompt=10,completion=3", &reply);
    ask_expect_done(&reply);
    const char *id = ask_id(&reply);
    books_expect(id, "status", "ok");
    books_expect(id, "is_estimated", "0");
    books_expect(id, "output_tokens", "3");
    http_reply_clear(&reply);
}
END_TEST

static void expect_content(const char *controls, const char *expected)
{
    struct http_reply reply;
    run_stream("demo", controls, &reply);
    ask_expect_done(&reply);
    char *content = http_content(&reply);
    ck_assert_str_eq(content, expected);
    books_expect(ask_id(&reply), "status", "ok");
    free(content);
    http_reply_clear(&reply);
}

START_TEST(a_stream_in_crumbs_is_the_same_stream)
{
    expect_content("drip,text=in crumbs%2C slowly", "in crumbs, slowly");
}
END_TEST

START_TEST(crlf_and_a_byte_order_mark_are_understood)
{
    expect_content("split,text=other line ends", "other line ends");
    expect_content("split,drip,text=other line ends", "other line ends");
}
END_TEST

/* usage: as the simulator's control. Expects an ok row with these counts. */
static void expect_usage(const char *usage, const char *input, const char *output,
                         const char *estimated)
{
    struct http_reply reply;
    run_stream("demo", http_printf("tokens=4,prompt=40,usage=%s,text=12345678901234567890", usage),
               &reply);
    ask_expect_done(&reply);
    const char *id = ask_id(&reply);
    books_expect(id, "status", "ok");
    books_expect(id, "is_estimated", estimated);
    if (input != NULL)
        books_expect(id, "input_tokens", input);
    books_expect(id, "output_tokens", output);
    books_check();
    http_reply_clear(&reply);
}

START_TEST(usage_is_found_wherever_a_provider_puts_it)
{
    expect_usage("normal", "40", "4", "0");
    expect_usage("finish", "40", "4", "0");
    expect_usage("every", "40", "4", "0");
}
END_TEST

START_TEST(usage_of_zero_is_believed)
{
    expect_usage("zero", "0", "0", "0");
}
END_TEST

START_TEST(usage_that_is_missing_is_estimated_from_the_text)
{
    expect_usage("none", NULL, "5", "1"); /* 20 ASCII bytes, four to a token */
}
END_TEST

START_TEST(a_whole_answer_without_usage_is_estimated)
{
    struct customer c = customer_new("10");
    struct http_reply reply;
    ask_chat(c.key, ask_body("demo", "usage=none,text=12345678901234567890", ""), &reply);
    ask_expect_status(&reply, 200);
    const char *id = ask_id(&reply);
    books_expect(id, "is_estimated", "1");
    books_expect(id, "output_tokens", "5");
    books_expect(id, "input_tokens > 0 AND cost > 0", "1");
    books_check();
    http_reply_clear(&reply);
}
END_TEST

START_TEST(an_end_mark_without_a_finish_reason_is_an_end)
{
    struct http_reply reply;
    run_stream("demo", "tokens=2,nofinish,prompt=10", &reply);
    ask_expect_done(&reply);
    const char *id = ask_id(&reply);
    books_expect(id, "status", "ok");
    books_expect(id, "finish_reason", "NULL");
    books_expect(id, "output_tokens", "2");
    http_reply_clear(&reply);
}
END_TEST

static void add(TCase *t)
{
    tcase_add_test(t, a_cut_stream_ends_with_an_error_event_and_is_charged);
    tcase_add_test(t, a_reset_stream_ends_with_an_error_event_and_is_charged);
    tcase_add_test(t, a_stream_that_ends_without_a_finish_reason_is_cut);
    tcase_add_test(t, a_malformed_chunk_ends_the_stream);
    tcase_add_test(t, an_error_inside_a_stream_is_passed_on_as_its_end);
    tcase_add_test(t, a_silent_stream_is_given_up_after_between_bytes_ms);
    tcase_add_test(t, a_slow_but_steady_stream_is_not_given_up);
    tcase_add_test(t, a_missing_end_mark_is_completed);
    tcase_add_test(t, a_stream_in_crumbs_is_the_same_stream);
    tcase_add_test(t, crlf_and_a_byte_order_mark_are_understood);
    tcase_add_test(t, usage_is_found_wherever_a_provider_puts_it);
    tcase_add_test(t, usage_of_zero_is_believed);
    tcase_add_test(t, usage_that_is_missing_is_estimated_from_the_text);
    tcase_add_test(t, a_whole_answer_without_usage_is_estimated);
    tcase_add_test(t, an_end_mark_without_a_finish_reason_is_an_end);
}

const struct suite_part part_stream = {"stream", seed, add};
