/* Whole and streamed chat answers: what the provider gets, what the client gets, what is written
 * down. */
#include "tests/e2e/suites.h"

#include "tests/e2e/ask.h"
#include "tests/e2e/books.h"
#include "tests/e2e/seen.h"
#include "tests/e2e/stack.h"

#include <inttypes.h>
#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

enum { PACE_MS = 30, PACED_EVENTS = 10, LUMP_US = 10000, LATE_US = 150000 };

void seed_base(void)
{
    int64_t model = model_new("demo", "1.25", "10");
    sql_run("INSERT INTO prices (model_id, unit, amount) VALUES (%" PRId64
            ", 'cached_input_token', 0.125)",
            model);
    int64_t channel = channel_new("main", "demo", stack.sims[0].port, 0);
    channel_serves(channel, model, "demo-2026");
}

/* A body that no rewriting through a tree would leave as it is. */
#define ODD_BODY(model)                                                                            \
    " {\"unknown\":{\"z\":1,\"a\":[1.50,-0.0,1e5,true,null,12345678901234567890]},\r\n"            \
    "\t\"messages\" : [ {\"content\":\"[[sim echo]] h\\u00e9llo \\/ \\uD83D\\uDE00 "               \
    "\xe4\xbd\xa0\xe5\xa5\xbd\\n\",\"role\":\"user\",\"name\":\"x\",\"model\":\"demo\"}],\n"       \
    "  \"model\" :  \"" model "\",\"temperature\":0.70,\"metadata\":{\"model\":\"demo\"},"         \
    "\"max_tokens\":4000 , \"Model\":\"other\", \"seed\":9007199254740993}\n"

/* Text of a request body as the provider got it. */
static const char *body_at_provider(const char *needle)
{
    const char *seen = seen_request(0, needle);
    ck_assert_msg(seen != NULL, "the provider got no request with %s", needle);
    return http_field(seen, "body");
}

START_TEST(forwards_a_whole_request_byte_for_byte_but_for_the_model)
{
    struct customer c = customer_new("10");
    struct http_reply reply;
    ask_chat(c.key, ODD_BODY("demo"), &reply);
    ask_expect_status(&reply, 200);
    char *echoed = http_content(&reply);
    ck_assert_str_eq(echoed, ODD_BODY("demo-2026"));
    ck_assert_str_eq(body_at_provider("12345678901234567890"), ODD_BODY("demo-2026"));
    free(echoed);
    http_reply_clear(&reply);
}
END_TEST

/* Cut the gateway's stream_options out of a body, with the comma at one side of it. */
static char *without_stream_options(const char *body)
{
    static const char added[] = "\"stream_options\":{\"include_usage\":true}";
    char *copy = strdup(body);
    char *at = copy != NULL ? strstr(copy, added) : NULL;
    ck_assert_msg(at != NULL, "the provider was not asked for usage: %s", body);
    if (at != NULL) {
        char *end = at + sizeof(added) - 1;
        if (at > copy && at[-1] == ',')
            at--;
        else if (*end == ',')
            end++;
        memmove(at, end, strlen(end) + 1);
    }
    return copy;
}

START_TEST(forwards_a_streamed_request_byte_for_byte_but_for_model_and_usage)
{
    struct customer c = customer_new("10");
    struct http_reply reply;
    ask_chat(c.key,
             "{ \"messages\":[{\"role\":\"user\",\"content\":\"[[sim tokens=2]] odd-stream\"}] ,"
             "\"stream\" : true,\"x\":\"\\u0041\", \"model\":\"demo\" }",
             &reply);
    ask_expect_done(&reply);
    char *body = without_stream_options(body_at_provider("odd-stream"));
    ck_assert_str_eq(body, "{ \"messages\":[{\"role\":\"user\",\"content\":\"[[sim tokens=2]] "
                           "odd-stream\"}] ,\"stream\" : true,\"x\":\"\\u0041\", "
                           "\"model\":\"demo-2026\" }");
    free(body);
    http_reply_clear(&reply);
}
END_TEST

START_TEST(sends_the_providers_key_and_none_of_the_clients_headers)
{
    struct customer c = customer_new("10");
    struct http_reply reply;
    struct http_call call = {
        .port = stack.webs[0].port,
        .path = "/v1/chat/completions?key=sk-aip-not-this-one",
        .key = c.key,
        .headers = {"Cookie: a=b", "X-Forwarded-For: 192.0.2.1", "OpenAI-Organization: org",
                    "X-Stainless-Lang: c"},
        .body = ask_body("demo", "tokens=1", ",\"x\":\"header-test\"")
    };
    http_run(&call, &reply);
    ask_expect_status(&reply, 200);
    const char *seen = seen_request(0, "header-test");
    ck_assert(seen != NULL);
    ck_assert_str_eq(http_field(seen, "path"), "/v1/chat/completions");
    ck_assert_str_eq(seen_header(seen, "authorization"), "Bearer provider-key-main");
    ck_assert(seen_header(seen, "cookie") == NULL);
    ck_assert(seen_header(seen, "x-forwarded-for") == NULL);
    ck_assert(seen_header(seen, "openai-organization") == NULL);
    ck_assert_msg(strstr(seen, c.key) == NULL, "the client's key went to the provider");
    http_reply_clear(&reply);
}
END_TEST

START_TEST(writes_every_column_of_a_whole_answers_usage_row)
{
    struct customer c = customer_new("10");
    struct http_reply reply;
    ask_chat(
        c.key,
        ask_body("demo", "ms=60,tokens=5,prompt=1000,completion=50,cached=200,reasoning=30", ""),
        &reply);
    ask_expect_status(&reply, 200);
    ck_assert_str_eq(http_field(reply.body, "model"), "demo");
    ck_assert_str_eq(http_field(reply.body, "usage.prompt_tokens"), "1000");
    const char *id = ask_id(&reply);
    books_expect(id, "account_id", http_printf("%" PRId64, c.account_id));
    books_expect(id, "api_key_id", http_printf("%" PRId64, c.key_id));
    books_expect(id, "group_id", "1");
    books_expect(id, "endpoint", "chat.completions");
    books_expect(id, "model", "demo");
    books_expect(id, "upstream_model", "demo-2026");
    books_expect(id, "channel_id", sql_text("SELECT id FROM channels WHERE name = 'main'"));
    books_expect(id, "channel_key_id",
                 sql_text("SELECT k.id FROM channel_keys k JOIN channels c ON c.id = k.channel_id "
                          "WHERE c.name = 'main'"));
    books_expect(id, "client_format", "openai-chat");
    books_expect(id, "provider_format", "openai-chat");
    books_expect(id, "is_stream", "0");
    books_expect(id, "status", "ok");
    books_expect(id, "http_status", "200");
    books_expect(id, "error_code", "NULL");
    books_expect(id, "finish_reason", "stop");
    books_expect(id, "input_tokens", "800");
    books_expect(id, "cached_input_tokens", "200");
    books_expect(id, "cache_write_tokens", "0");
    books_expect(id, "cache_write_1h_tokens", "0");
    books_expect(id, "output_tokens", "50");
    books_expect(id, "reasoning_tokens", "30");
    books_expect(id, "is_estimated", "0");
    books_expect(id, "price_multiplier", "1.000000000000");
    books_expect(id, "cost", "0.001525000");
    books_expect(id, "shortfall", "0.000000000");
    books_expect(id, "attempts", "1");
    books_expect(id, "duration_ms BETWEEN 60 AND 5000", "1");
    books_expect(id, "upstream_request_id LIKE 'req_%'", "1");
    books_expect(id, "LENGTH(process_id)", "26");
    books_expect(id, "ABS(TIMESTAMPDIFF(SECOND, created_at, UTC_TIMESTAMP(3))) < 20", "1");
    books_check();
    ck_assert_str_eq(books_balance(c.account_id), "9.998475000");
    http_reply_clear(&reply);
}
END_TEST

START_TEST(multiplies_prices_by_group_and_account_and_rounds_up_once)
{
    struct customer c = customer_new("10");
    struct http_reply reply;
    sql_run(
        "INSERT IGNORE INTO account_groups (name, price_multiplier) VALUES ('third', 0.333333)");
    sql_run("UPDATE accounts SET price_multiplier = 1.1, "
            "group_id = (SELECT id FROM account_groups WHERE name = 'third') WHERE id = %" PRId64,
            c.account_id);
    ask_chat(c.key, ask_body("demo", "tokens=1,prompt=7,completion=1", ""), &reply);
    ask_expect_status(&reply, 200);
    const char *id = ask_id(&reply);
    /* (7 * 1.25 + 1 * 10) / 1e6 * 0.333333 * 1.1 = 0.000006874993125 */
    books_expect(id, "cost", "0.000006875");
    books_expect(id, "price_multiplier", "0.366666300000");
    books_check();
    http_reply_clear(&reply);
}
END_TEST

START_TEST(writes_the_usage_row_of_a_stream)
{
    struct customer c = customer_new("10");
    struct http_reply reply;
    ask_chat(c.key, ask_body("demo", "tokens=4,prompt=100,completion=20", ASK_STREAM), &reply);
    ask_expect_done(&reply);
    const char *id = ask_id(&reply);
    books_expect(id, "is_stream", "1");
    books_expect(id, "status", "ok");
    books_expect(id, "http_status", "200");
    books_expect(id, "finish_reason", "stop");
    books_expect(id, "input_tokens", "100");
    books_expect(id, "output_tokens", "20");
    books_expect(id, "is_estimated", "0");
    books_expect(id, "cost", "0.000325000");
    books_expect(id, "first_byte_ms IS NOT NULL AND first_byte_ms <= duration_ms", "1");
    books_check();
    http_reply_clear(&reply);
}
END_TEST

START_TEST(relays_each_event_of_a_stream_as_it_comes)
{
    struct customer c = customer_new("10");
    struct http_reply reply;
    const char *controls = http_printf("pace=%d,tokens=%d", PACE_MS, PACED_EVENTS);
    ask_chat(c.key, ask_body("demo", controls, ASK_STREAM), &reply);
    ask_expect_done(&reply);
    ck_assert_str_eq(http_header(&reply, "content-type"), "text/event-stream");
    ck_assert_uint_ge(reply.events_n, PACED_EVENTS + 3);
    int64_t begun_us = reply.events[1].at_us; /* the opening comes with the first content */
    int lumps = 0;
    for (int i = 1; i <= PACED_EVENTS; i++) {
        int64_t at_us = reply.events[i].at_us - begun_us;
        int64_t due_us = (int64_t)(i - 1) * PACE_MS * 1000;
        ck_assert_msg(at_us >= due_us - 25000 && at_us <= due_us + LATE_US,
                      "content event %d: expected about %" PRId64
                      " us after the first, seen %" PRId64,
                      i, due_us, at_us);
        lumps += reply.events[i].at_us - reply.events[i - 1].at_us < LUMP_US;
    }
    ck_assert_msg(lumps <= 2, "%d of %d events came together with the one before", lumps,
                  PACED_EVENTS);
    http_reply_clear(&reply);
}
END_TEST

/* Whether a chunk is the one that has usage and no choices. */
static bool is_usage_chunk(const char *data)
{
    const char *choices = http_field(data, "choices");
    return choices != NULL && strcmp(choices, "[]") == 0 &&
           http_field(data, "usage.prompt_tokens") != NULL;
}

static int count_usage_chunks(const struct http_reply *reply)
{
    int count = 0;
    for (size_t i = 0; i < reply->events_n; i++)
        count += is_usage_chunk(http_event_data(reply, i));
    return count;
}

START_TEST(withholds_the_usage_chunk_from_those_who_did_not_ask)
{
    struct customer c = customer_new("10");
    struct http_reply reply;
    ask_chat(c.key, ask_body("demo", "tokens=3", ASK_STREAM), &reply);
    ask_expect_done(&reply);
    ck_assert_int_eq(count_usage_chunks(&reply), 0);
    for (size_t i = 0; i + 1 < reply.events_n; i++)
        ck_assert_str_eq(http_field(http_event_data(&reply, i), "model"), "demo");
    http_reply_clear(&reply);
    ask_chat(c.key,
             ask_body("demo", "tokens=3",
                      ",\"stream\":true,\"stream_options\":{\"include_usage\":false}"),
             &reply);
    ask_expect_done(&reply);
    ck_assert_int_eq(count_usage_chunks(&reply), 0);
    books_expect(ask_id(&reply), "is_estimated", "0");
    http_reply_clear(&reply);
}
END_TEST

START_TEST(gives_the_usage_chunk_to_those_who_asked)
{
    struct customer c = customer_new("10");
    struct http_reply reply;
    ask_chat(c.key, ask_body("demo", "tokens=3,prompt=11", ASK_STREAM_USAGE), &reply);
    ask_expect_done(&reply);
    ck_assert_int_eq(count_usage_chunks(&reply), 1);
    const char *usage = http_event_data(&reply, reply.events_n - 2);
    ck_assert_str_eq(http_field(usage, "usage.prompt_tokens"), "11");
    ck_assert_str_eq(http_field(usage, "usage.completion_tokens"), "3");
    http_reply_clear(&reply);
}
END_TEST

START_TEST(passes_tool_calls_and_several_choices_through)
{
    struct customer c = customer_new("10");
    struct http_reply reply;
    ask_chat(c.key,
             ask_body("demo", "tool=2",
                      ",\"tools\":[{\"type\":\"function\",\"function\":"
                      "{\"name\":\"get_weather\"}}]"),
             &reply);
    ask_expect_status(&reply, 200);
    ck_assert_str_eq(http_field(reply.body, "choices.0.finish_reason"), "tool_calls");
    ck_assert_str_eq(http_field(reply.body, "choices.0.message.tool_calls.1.function.name"),
                     "get_weather");
    books_expect(ask_id(&reply), "finish_reason", "tool_calls");
    http_reply_clear(&reply);
    ask_chat(c.key, ask_body("demo", "tokens=3", ",\"n\":3" ASK_STREAM), &reply);
    ask_expect_done(&reply);
    books_expect(ask_id(&reply), "output_tokens", "9");
    http_reply_clear(&reply);
}
END_TEST

START_TEST(carries_a_long_answer_whole_and_streamed)
{
    enum { ANSWER_BYTES = 3000000 };
    struct customer c = customer_new("100");
    struct http_reply whole;
    struct http_reply stream;
    const char *controls = http_printf("huge=%d", ANSWER_BYTES);
    ask_chat(c.key, ask_body("demo", controls, ""), &whole);
    ask_expect_status(&whole, 200);
    ask_chat(c.key, ask_body("demo", controls, ASK_STREAM), &stream);
    ask_expect_done(&stream);
    char *a = http_content(&whole);
    char *b = http_content(&stream);
    ck_assert_uint_eq(strlen(a), ANSWER_BYTES);
    ck_assert_msg(strcmp(a, b) == 0, "the streamed answer differs from the whole one");
    free(a);
    free(b);
    http_reply_clear(&whole);
    http_reply_clear(&stream);
}
END_TEST

static void add(TCase *t)
{
    tcase_add_test(t, forwards_a_whole_request_byte_for_byte_but_for_the_model);
    tcase_add_test(t, forwards_a_streamed_request_byte_for_byte_but_for_model_and_usage);
    tcase_add_test(t, sends_the_providers_key_and_none_of_the_clients_headers);
    tcase_add_test(t, writes_every_column_of_a_whole_answers_usage_row);
    tcase_add_test(t, multiplies_prices_by_group_and_account_and_rounds_up_once);
    tcase_add_test(t, writes_the_usage_row_of_a_stream);
    tcase_add_test(t, relays_each_event_of_a_stream_as_it_comes);
    tcase_add_test(t, withholds_the_usage_chunk_from_those_who_did_not_ask);
    tcase_add_test(t, gives_the_usage_chunk_to_those_who_asked);
    tcase_add_test(t, passes_tool_calls_and_several_choices_through);
    tcase_add_test(t, carries_a_long_answer_whole_and_streamed);
}

const struct suite_part part_chat = {"chat", NULL, add};
