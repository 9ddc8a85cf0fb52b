#include "tests/provider/chat.h"
#include "tests/provider/gemini.h"
#include "tests/provider/messages.h"
#include "tests/provider/play.h"
#include "tests/provider/responses.h"
#include "tests/provider/tree.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#define USER "\"messages\":[{\"role\":\"user\",\"content\":\"Hello\"}]"

static const char head[] = "POST / HTTP/1.1\r\nanthropic-version: 2023-06-01\r\n\r\n";

struct dialect {
    const char *name;
    const struct format *format;
    const char *path;
    const char *query;
    const char *body;
    const char *last; /* in the last event of a stream; NULL: it is not streamed */
};

enum {
    CHAT,
    CHAT_STREAM,
    RESPONSES,
    RESPONSES_STREAM,
    MESSAGES,
    MESSAGES_STREAM,
    GEMINI,
    GEMINI_STREAM,
    GEMINI_ARRAY,
    DIALECTS
};

#define CONTENTS "{\"contents\":[{\"role\":\"user\",\"parts\":[{\"text\":\"Hello\"}]}]}"

/* clang-format off */
static const struct dialect dialects[DIALECTS] = {
    [CHAT] = {"chat", &format_chat, "/v1/chat/completions", "", "{\"model\":\"m\"," USER "}", NULL},
    [CHAT_STREAM] = {"chat stream", &format_chat, "/v1/chat/completions", "", "{\"model\":\"m\",\"stream\":true,\"stream_options\":{\"include_usage\":true}," USER "}", "[DONE]"},
    [RESPONSES] = {"responses", &format_responses, "/v1/responses", "", "{\"model\":\"m\",\"input\":\"Hello\"}", NULL},
    [RESPONSES_STREAM] = {"responses stream", &format_responses, "/v1/responses", "", "{\"model\":\"m\",\"stream\":true,\"input\":\"Hello\"}", "\"response.completed\""},
    [MESSAGES] = {"messages", &format_messages, "/v1/messages", "", "{\"model\":\"m\",\"max_tokens\":100," USER "}", NULL},
    [MESSAGES_STREAM] = {"messages stream", &format_messages, "/v1/messages", "", "{\"model\":\"m\",\"stream\":true,\"max_tokens\":100," USER "}", "\"message_stop\""},
    [GEMINI] = {"gemini", &format_gemini, "/v1beta/models/m:generateContent", "", CONTENTS, NULL},
    [GEMINI_STREAM] = {"gemini stream", &format_gemini_stream, "/v1beta/models/m:streamGenerateContent", "alt=sse", CONTENTS, "\"finishReason\""},
    [GEMINI_ARRAY] = {"gemini array", &format_gemini_stream, "/v1beta/models/m:streamGenerateContent", "", CONTENTS, "\"finishReason\""},
};
/* clang-format on */

static struct play play;
static struct bytes reply; /* ends with a NUL behind its length */
static enum play_verdict verdict;

/* Play the answer to its end; the reply then holds its body. */
static const char *answer_as(const struct dialect *d, const char *controls)
{
    struct inquiry in = {span_of(d->path), span_of(d->query), span_of(head), d->body,
                         strlen(d->body)};
    char reason[SCRIPT_REASON_MAX] = "";
    struct ask ask;
    play_reset(&play);
    ask_init(&ask);
    ck_assert_msg(d->format->read(&ask, &in), "%s: %s", d->name, ask.reason);
    script_init(&play.answer.script);
    ck_assert_msg(script_apply(&play.answer.script, span_of(controls), reason), "%s", reason);
    answer_init(&play.answer, &ask, in.body, in.len);
    ask_clear(&ask);
    play_answer(&play, d->format);
    reply.len = 0;
    for (int64_t now_us = 0; (verdict = play_next(&play, now_us, &reply)) <= PLAY_WAIT; now_us++)
        continue;
    bytes_put(&reply, "", 1);
    const char *body = strstr(reply.data, "\r\n\r\n");
    ck_assert_ptr_nonnull(body);
    return body + 4;
}

static const char *answer(int dialect, const char *controls)
{
    return answer_as(&dialects[dialect], controls);
}

/* The next event's data of a stream, NULL at the end. at: where to go on, moved. */
static const char *next_data(const char **at)
{
    static struct bytes data;
    const char *begin = strstr(*at, "data: ");
    if (begin == NULL)
        return NULL;
    const char *end = strchr(begin, '\n');
    ck_assert_msg(end != NULL && end[1] == '\n', "no blank line behind %.200s", begin);
    data.len = 0;
    bytes_put(&data, begin + 6, (size_t)(end - begin - 6));
    bytes_put(&data, "", 1);
    *at = end;
    return data.data;
}

static void expect_json(const char *text)
{
    ck_assert_msg(tree_parse(text, strlen(text)) != NULL, "not JSON: %.2000s", text);
}

static void expect_in(const char *text, const char *part)
{
    ck_assert_msg(strstr(text, part) != NULL, "no %s in %.2000s", part, text);
}

static void expect_not_in(const char *text, const char *part)
{
    ck_assert_msg(strstr(text, part) == NULL, "%s in %.2000s", part, text);
}

/* Every event is JSON and the last one is the format's proper end. */
static void expect_stream(int dialect, const char *body)
{
    const char *data;
    const char *at = body;
    bool is_ended = false;
    if (dialect == GEMINI_ARRAY) {
        expect_json(body);
        expect_in(body, dialects[dialect].last);
        return;
    }
    while ((data = next_data(&at)) != NULL) {
        ck_assert_msg(!is_ended, "%s goes on behind its end", dialects[dialect].name);
        is_ended = strstr(data, dialects[dialect].last) != NULL;
        if (strcmp(data, "[DONE]") != 0)
            expect_json(data);
    }
    ck_assert_msg(is_ended, "%s has no end: %.2000s", dialects[dialect].name, body);
}

static void teardown(void)
{
    play_clear(&play);
    play = (struct play){0};
    bytes_clear(&reply);
}

START_TEST(every_answer_is_json_to_its_end)
{
    static const char *const ways[] = {"",         "tool=1",     "tool=3,preface,think=2",
                                       "think=3",  "refusal",    "tokens=0",
                                       "tokens=1", "usage=none", "usage=start"};
    for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
        const char *body = answer(_i, ways[i]);
        ck_assert_int_eq(verdict, PLAY_END);
        ck_assert(!play.is_cut_short);
        if (dialects[_i].last == NULL)
            expect_json(body);
        else
            expect_stream(_i, body);
    }
}
END_TEST

/* What the counters of the simulator rest on. */
START_TEST(chunks_sent_are_the_chunks_there_are)
{
    static const char *const ways[] = {
        "", "tokens=7", "think=2,tokens=3", "tool=2,preface,tokens=3", "tokens=0", "huge=20000"};
    for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
        answer(_i, ways[i]);
        ck_assert_int_eq(play.answer.pieces_sent, play.answer.all_pieces);
    }
}
END_TEST

START_TEST(text_is_the_same_in_every_format)
{
    const char *body = answer(_i, "tokens=1");
    expect_in(body, "\"Hello from the demo provider. You said: Hello\"");
}
END_TEST

START_TEST(arguments_are_the_same_in_every_format)
{
    const char *body = answer(_i, "tool=2,tokens=1");
    bool is_object = _i == MESSAGES || _i >= GEMINI;
    expect_in(body, "get_weather");
    expect_in(body, is_object ? "{\"city\":\"Paris\",\"unit\":\"celsius\"}"
                              : "{\\\"city\\\":\\\"Paris\\\",\\\"unit\\\":\\\"celsius\\\"}");
}
END_TEST

START_TEST(cut_stream_has_no_end_and_says_so)
{
    const char *body = answer(_i, "cut=3");
    ck_assert_int_eq(verdict, PLAY_CUT);
    ck_assert(play.is_cut_short);
    ck_assert_int_eq(play.answer.pieces_sent, 3);
    if (dialects[_i].last != NULL)
        expect_not_in(body, dialects[_i].last);
    if (_i == GEMINI_ARRAY)
        ck_assert_ptr_null(tree_parse(body, strlen(body)));
}
END_TEST

START_TEST(stall_and_reset_come_where_they_are_asked_for)
{
    answer(_i, "stall=2");
    ck_assert_int_eq(verdict, PLAY_HANG);
    ck_assert_int_eq(play.answer.pieces_sent, 2);
    answer(_i, "reset=1");
    ck_assert_int_eq(verdict, PLAY_RESET);
    ck_assert_int_eq(play.answer.pieces_sent, 1);
    answer(_i, "eof=0");
    ck_assert_int_eq(verdict, PLAY_END);
    ck_assert(play.is_cut_short);
}
END_TEST

START_TEST(malformed_chunk_is_not_json)
{
    const char *body = answer(_i, "malformed=2");
    const char *data;
    size_t bad = 0;
    if (dialects[_i].last == NULL || _i == GEMINI_ARRAY) {
        ck_assert_ptr_null(tree_parse(body, strlen(body)));
        return;
    }
    while ((data = next_data(&body)) != NULL)
        bad += strcmp(data, "[DONE]") != 0 && tree_parse(data, strlen(data)) == NULL;
    ck_assert_uint_eq(bad, 1);
}
END_TEST

START_TEST(error_inside_a_stream_ends_it_in_the_formats_own_words)
{
    static const char *const words[DIALECTS] = {
        [CHAT_STREAM] = "data: {\"error\":{\"message\":\"boom\",\"type\":\"server_error\"",
        [RESPONSES_STREAM] = "event: response.failed\n",
        [MESSAGES_STREAM] = ("event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":"
                             "\"overloaded_error\",\"message\":\"boom\"}"),
        [GEMINI_STREAM] = "data: {\"error\":{\"code\":529,\"message\":\"boom\"",
        [GEMINI_ARRAY] = ",\n{\"error\":{\"code\":529,\"message\":\"boom\"",
    };
    if (words[_i] == NULL)
        return;
    const char *body = answer(_i, "error_in=3,error_status=529,msg=boom");
    expect_in(body, words[_i]);
    expect_in(body, "boom");
    expect_not_in(body, _i == RESPONSES_STREAM ? "completed" : dialects[_i].last);
    if (_i == GEMINI_ARRAY)
        expect_json(body);
}
END_TEST

START_TEST(status_is_an_error_in_the_formats_own_shape)
{
    static const char *const words[DIALECTS] = {
        [CHAT] = "{\"error\":{\"message\":",
        [CHAT_STREAM] = "\"code\":\"rate_limit_exceeded\"",
        [RESPONSES] = "{\"error\":{\"message\":",
        [RESPONSES_STREAM] = "\"code\":\"rate_limit_exceeded\"",
        [MESSAGES] = "{\"type\":\"error\",\"error\":{\"type\":\"rate_limit_error\"",
        [MESSAGES_STREAM] = "{\"type\":\"error\",\"error\":{\"type\":\"rate_limit_error\"",
        [GEMINI] = "\"status\":\"RESOURCE_EXHAUSTED\"",
        [GEMINI_STREAM] = "\"retryDelay\":\"7s\"",
        [GEMINI_ARRAY] = "[{\"error\":{\"code\":429",
    };
    const char *body = answer(_i, "status=429,retry_after=7");
    expect_json(body);
    expect_in(body, words[_i]);
    expect_in(reply.data, "HTTP/1.1 429 ");
    expect_in(reply.data, "\r\nRetry-After: 7\r\n");
    expect_not_in(reply.data, "set-cookie");
}
END_TEST

START_TEST(usage_means_the_same_in_every_format)
{
    static const char *const words[DIALECTS] = {
        [CHAT] =
            ("\"prompt_tokens\":100,\"completion_tokens\":50,\"total_tokens\":150,"
             "\"prompt_tokens_details\":{\"cached_tokens\":60,\"audio_tokens\":0,"
             "\"cache_write_tokens\":15},\"completion_tokens_details\":{\"reasoning_tokens\":9"),
        [RESPONSES] = ("{\"input_tokens\":100,\"input_tokens_details\":{\"cached_tokens\":60,"
                       "\"cache_write_tokens\":15,\"cache_write_tokens_details\":{"
                       "\"ttl_30m_tokens\":10,\"ttl_12h_tokens\":5}},\"output_tokens\":50,"
                       "\"output_tokens_details\":{\"reasoning_tokens\":9},\"total_tokens\":150}"),
        [MESSAGES] = ("{\"input_tokens\":25,\"cache_creation_input_tokens\":15,"
                      "\"cache_read_input_tokens\":60,\"cache_creation\":{"
                      "\"ephemeral_5m_input_tokens\":10,\"ephemeral_1h_input_tokens\":5},"
                      "\"output_tokens\":50,\"output_tokens_details\":{\"thinking_tokens\":9}"),
        [MESSAGES_STREAM] = ("\"usage\":{\"input_tokens\":25,\"cache_creation_input_tokens\":15,"
                             "\"cache_read_input_tokens\":60,\"output_tokens\":50"),
        [GEMINI] =
            ("{\"promptTokenCount\":100,\"candidatesTokenCount\":41,\"thoughtsTokenCount\":9,"
             "\"cachedContentTokenCount\":60,\"totalTokenCount\":150,"),
    };
    static const int like[DIALECTS] = {
        CHAT, CHAT, RESPONSES, RESPONSES, MESSAGES, MESSAGES_STREAM, GEMINI, GEMINI, GEMINI};
    const char *body = answer(_i, "prompt=100,completion=50,cached=60,cache_write=10,"
                                  "cache_write_long=5,reasoning=9");
    expect_in(body, words[like[_i]]);
}
END_TEST

START_TEST(usage_can_be_missing)
{
    const char *body = answer(_i, "usage=none");
    expect_not_in(body, "\"prompt_tokens");
    expect_not_in(body, "\"input_tokens");
    expect_not_in(body, "\"output_tokens");
    expect_not_in(body, "TokenCount");
}
END_TEST

START_TEST(refusal_is_told_in_the_formats_own_words)
{
    static const char *const words[DIALECTS] = {
        [CHAT] = "\"content\":null,\"refusal\":\"I cannot help with that.\"",
        [CHAT_STREAM] = "\"delta\":{\"refusal\":\"",
        [RESPONSES] = "{\"type\":\"refusal\",\"refusal\":\"I cannot help with that.\"}",
        [RESPONSES_STREAM] = "response.refusal.delta",
        [MESSAGES] = ("\"content\":[],\"stop_reason\":\"refusal\",\"stop_sequence\":null,"
                      "\"stop_details\":{\"type\":\"refusal\""),
        [MESSAGES_STREAM] = "\"stop_reason\":\"refusal\"",
        [GEMINI] = "{\"candidates\":[{\"finishReason\":\"SAFETY\"",
        [GEMINI_STREAM] = "{\"candidates\":[{\"finishReason\":\"SAFETY\"",
        [GEMINI_ARRAY] = "{\"candidates\":[{\"finishReason\":\"SAFETY\"",
    };
    expect_in(answer(_i, "refusal"), words[_i]);
}
END_TEST

START_TEST(secret_headers_come_when_asked_for)
{
    answer(_i, "");
    expect_not_in(reply.data, "of-the-channel");
    answer(_i, "secrets");
    expect_in(reply.data, "\r\nopenai-organization: ");
    expect_in(reply.data, "\r\nanthropic-ratelimit-unified-status: ");
    expect_in(reply.data, "\r\nx-codex-plan-type: ");
    expect_in(reply.data, "\r\nSet-Cookie: ");
}
END_TEST

START_TEST(stream_without_its_end_is_whole_otherwise)
{
    const char *body = answer(_i, "nodone,nofinish");
    ck_assert_int_eq(verdict, PLAY_END);
    expect_in(body, "Hel");
    if (dialects[_i].last != NULL)
        expect_not_in(body, dialects[_i].last);
}
END_TEST

START_TEST(kept_answer_is_found_until_it_is_dropped)
{
    struct bytes body = {0};
    bytes_puts(&body, "{}");
    responses_kept_add(span_of("resp_a"), &body);
    ck_assert(span_is(responses_kept_find(span_of("resp_a")), "{}"));
    ck_assert_uint_eq(responses_kept_find(span_of("resp_b")).len, 0);
    ck_assert(responses_kept_drop(span_of("resp_a")));
    ck_assert(!responses_kept_drop(span_of("resp_a")));
    responses_kept_clear();
}
END_TEST

START_TEST(shell_tool_is_called_with_the_command)
{
    static const char offer[] =
        "{\"model\":\"m\",\"max_tokens\":100,\"tools\":[{\"name\":\"Read\",\"input_schema\":{"
        "\"type\":\"object\"}},{\"name\":\"Bash\",\"input_schema\":{\"type\":\"object\"}}]," USER
        "}";
    static const struct dialect with_shell = {
        "messages", &format_messages, "/v1/messages", "", offer, NULL};
    const char *body = answer_as(&with_shell, "shell=cat a.txt");
    expect_in(body, "\"name\":\"Bash\",\"input\":{\"command\":\"cat a.txt\"}");
    expect_in(body, "\"stop_reason\":\"tool_use\"");
    expect_not_in(answer(MESSAGES, "shell=cat a.txt"), "\"tool_use\"");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("provider_formats");
    TCase *tests = tcase_create("formats");
    tcase_add_checked_fixture(tests, NULL, teardown);
    tcase_add_loop_test(tests, every_answer_is_json_to_its_end, 0, DIALECTS);
    tcase_add_loop_test(tests, chunks_sent_are_the_chunks_there_are, 0, DIALECTS);
    tcase_add_loop_test(tests, text_is_the_same_in_every_format, 0, DIALECTS);
    tcase_add_loop_test(tests, arguments_are_the_same_in_every_format, 0, DIALECTS);
    tcase_add_loop_test(tests, cut_stream_has_no_end_and_says_so, 0, DIALECTS);
    tcase_add_loop_test(tests, stall_and_reset_come_where_they_are_asked_for, 0, DIALECTS);
    tcase_add_loop_test(tests, malformed_chunk_is_not_json, 0, DIALECTS);
    tcase_add_loop_test(tests, error_inside_a_stream_ends_it_in_the_formats_own_words, 0, DIALECTS);
    tcase_add_loop_test(tests, status_is_an_error_in_the_formats_own_shape, 0, DIALECTS);
    tcase_add_loop_test(tests, usage_means_the_same_in_every_format, 0, DIALECTS);
    tcase_add_loop_test(tests, usage_can_be_missing, 0, DIALECTS);
    tcase_add_loop_test(tests, refusal_is_told_in_the_formats_own_words, 0, DIALECTS);
    tcase_add_loop_test(tests, secret_headers_come_when_asked_for, 0, DIALECTS);
    tcase_add_loop_test(tests, stream_without_its_end_is_whole_otherwise, 0, DIALECTS);
    tcase_add_test(tests, shell_tool_is_called_with_the_command);
    tcase_add_test(tests, kept_answer_is_found_until_it_is_dropped);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
