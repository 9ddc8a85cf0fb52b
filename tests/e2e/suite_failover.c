/* Several channels for a model: the next one is tried before the first byte, and never after it. */
#include "tests/e2e/suites.h"

#include "tests/e2e/ask.h"
#include "tests/e2e/books.h"
#include "tests/e2e/seen.h"
#include "tests/e2e/stack.h"

#include <inttypes.h>
#include <string.h>

enum { SILENCE_MS = 300 };

/* A model whose first channel fails in one way and whose second one works. The provider's own
 * name of the model orders the failure. */
static void pair(const char *model, const char *fault)
{
    int64_t id = model_new(model, "1.25", "10");
    int64_t bad = channel_new(http_printf("%s-bad", model), "demo", stack.sims[0].port, 10);
    int64_t good = channel_new(http_printf("%s-good", model), "demo", stack.sims[0].port, 0);
    sql_run("UPDATE channels SET first_byte_ms = %d WHERE id = %" PRId64, SILENCE_MS, bad);
    channel_serves(bad, id, http_printf("%s-up@%s", model, fault));
    channel_serves(good, id, NULL);
}

static void seed(void)
{
    pair("fo-500", "status=500");
    pair("fo-503", "status=503");
    pair("fo-429", "status=429");
    pair("fo-401", "status=401");
    pair("fo-reset", "reset=head");
    pair("fo-silent", "silence=1");
    pair("fo-cut", "cut=3");
    pair("fo-empty", "eof=0");
    int64_t id = model_new("fo-refused", "1.25", "10");
    int64_t bad = channel_new("fo-refused-bad", "demo", spawn_free_port(), 10);
    int64_t good = channel_new("fo-refused-good", "demo", stack.sims[0].port, 0);
    channel_serves(bad, id, NULL);
    channel_serves(good, id, NULL);
    id = model_new("fo-alone", "1.25", "10");
    bad = channel_new("fo-alone", "demo", stack.sims[0].port, 0);
    sql_run("UPDATE channels SET first_byte_ms = %d WHERE id = %" PRId64, SILENCE_MS, bad);
    channel_serves(bad, id, NULL);
}

static void expect_second_channel(const char *model, const char *members)
{
    struct customer c = customer_new("10");
    struct http_reply reply;
    ask_chat(c.key, ask_body(model, "tokens=3,prompt=100", members), &reply);
    if (*members != 0)
        ask_expect_done(&reply);
    else
        ask_expect_status(&reply, 200);
    const char *id = ask_id(&reply);
    books_expect(id, "status", "ok");
    books_expect(id, "attempts", "2");
    books_expect(id, "cost", "0.000155000");
    books_expect(id, "(SELECT name FROM channels c WHERE c.id = channel_id)",
                 http_printf("%s-good", model));
    http_reply_clear(&reply);
}

static void expect_failover(const char *model)
{
    expect_second_channel(model, "");
    expect_second_channel(model, ASK_STREAM);
    books_check();
}

START_TEST(a_status_of_500_moves_to_the_next_channel)
{
    expect_failover("fo-500");
    expect_failover("fo-503");
}
END_TEST

START_TEST(a_rate_limit_of_the_provider_moves_to_the_next_channel)
{
    expect_failover("fo-429");
}
END_TEST

START_TEST(a_refused_provider_key_moves_to_the_next_channel)
{
    expect_failover("fo-401");
}
END_TEST

START_TEST(a_reset_before_the_first_byte_moves_to_the_next_channel)
{
    expect_failover("fo-reset");
}
END_TEST

START_TEST(silence_moves_to_the_next_channel_after_first_byte_ms)
{
    int64_t begun_us = spawn_now_us();
    expect_second_channel("fo-silent", ASK_STREAM);
    int64_t took_ms = (spawn_now_us() - begun_us) / 1000;
    ck_assert_msg(took_ms >= SILENCE_MS && took_ms < SILENCE_MS + 3000,
                  "expected an answer about %d ms after the request, seen %" PRId64, SILENCE_MS,
                  took_ms);
    expect_second_channel("fo-silent", "");
}
END_TEST

START_TEST(a_refused_connection_moves_to_the_next_channel)
{
    expect_failover("fo-refused");
}
END_TEST

START_TEST(an_empty_stream_moves_to_the_next_channel)
{
    expect_second_channel("fo-empty", ASK_STREAM);
}
END_TEST

START_TEST(nothing_is_tried_again_after_the_first_byte)
{
    struct customer c = customer_new("10");
    struct http_reply reply;
    int64_t before = seen_count(0, "requests");
    ask_chat(c.key, ask_body("fo-cut", "tokens=10", ASK_STREAM), &reply);
    ask_expect_stream_error(&reply);
    ck_assert_uint_eq(reply.events_n, 5); /* the opening, three chunks, the error */
    const char *id = ask_id(&reply);
    books_expect(id, "status", "cut");
    books_expect(id, "attempts", "1");
    books_expect(id, "cost > 0 AND is_estimated", "1");
    ck_assert_int_eq(seen_count(0, "requests") - before, 1);
    books_check();
    http_reply_clear(&reply);
}
END_TEST

static void expect_passed_on(const char *controls, int status, const char *code)
{
    struct customer c = customer_new("10");
    struct http_reply reply;
    int64_t before = seen_count(0, "requests");
    ask_chat(c.key, ask_body("fo-refused", controls, ""), &reply);
    ask_expect_status(&reply, status);
    ck_assert_str_eq(http_field(reply.body, "error.code"), code);
    ck_assert_str_eq(http_field(reply.body, "error.message"), "the provider's words, exactly");
    ck_assert_str_eq(http_header(&reply, "x-should-retry"), "false");
    const char *id = ask_id(&reply);
    books_expect(id, "status", "error");
    books_expect(id, "error_code", "up_rejected");
    books_expect(id, "http_status", http_printf("%d", status));
    books_expect(id, "cost", "0.000000000");
    ck_assert_int_eq(seen_count(0, "requests") - before, 1);
    http_reply_clear(&reply);
}

START_TEST(a_refusal_of_the_request_itself_is_passed_on_at_once)
{
    expect_passed_on("status=400,code=context_length_exceeded,msg=the provider's words%2C exactly",
                     400, "context_length_exceeded");
    expect_passed_on("status=422,code=odd,msg=the provider's words%2C exactly", 422, "odd");
    expect_passed_on("status=404,code=model_not_found,msg=the provider's words%2C exactly", 404,
                     "model_not_found");
}
END_TEST

static void expect_unavailable(const char *controls, const char *members, int status,
                               const char *error_code)
{
    struct customer c = customer_new("10");
    struct http_reply reply;
    ask_chat(c.key, ask_body("fo-alone", controls, members), &reply);
    ask_expect_error(&reply, status, "server_error", "service_unavailable", NULL);
    const char *id = ask_id(&reply);
    books_expect(id, "status", "error");
    books_expect(id, "error_code", error_code);
    books_expect(id, "cost", "0.000000000");
    ck_assert_str_eq(books_balance(c.account_id), "10.000000000");
    http_reply_clear(&reply);
}

START_TEST(with_no_channel_left_the_client_is_told_so_and_pays_nothing)
{
    expect_unavailable("status=500", "", 503, "up_status");
    expect_unavailable("status=502", ASK_STREAM, 503, "up_status");
    expect_unavailable("status=401", "", 503, "up_auth");
    expect_unavailable("status=403", ASK_STREAM, 503, "up_auth");
    expect_unavailable("reset=head", "", 503, "up_reset");
    expect_unavailable("silence", ASK_STREAM, 504, "up_timeout");
    expect_unavailable("tokens=9,cut=4", "", 503, "up_cut");
    books_check();
}
END_TEST

static void add(TCase *t)
{
    tcase_add_test(t, a_status_of_500_moves_to_the_next_channel);
    tcase_add_test(t, a_rate_limit_of_the_provider_moves_to_the_next_channel);
    tcase_add_test(t, a_refused_provider_key_moves_to_the_next_channel);
    tcase_add_test(t, a_reset_before_the_first_byte_moves_to_the_next_channel);
    tcase_add_test(t, silence_moves_to_the_next_channel_after_first_byte_ms);
    tcase_add_test(t, a_refused_connection_moves_to_the_next_channel);
    tcase_add_test(t, an_empty_stream_moves_to_the_next_channel);
    tcase_add_test(t, nothing_is_tried_again_after_the_first_byte);
    tcase_add_test(t, a_refusal_of_the_request_itself_is_passed_on_at_once);
    tcase_add_test(t, with_no_channel_left_the_client_is_told_so_and_pays_nothing);
}

const struct suite_part part_failover = {"failover", seed, add};
