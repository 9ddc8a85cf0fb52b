#include "upstream/anthropic.h"

#include "base/buf.h"
#include "tests/unit/codec_kit.h"
#include "tests/unit/format_suite.h"
#include "upstream/splice.h"

#include <check.h>
#include <string.h>

#define MESSAGE    "{\"role\":\"user\",\"content\":\"hi\"}"
#define BODY(more) "{\"model\":\"m\",\"max_tokens\":9,\"messages\":[" MESSAGE "]" more "}"
#define TALK(list) "{\"model\":\"m\",\"max_tokens\":9,\"messages\":[" list "]}"

static const struct format *const format = &format_anthropic;

static struct format_request request_of(const char *body)
{
    return kit_read(format, arena, body);
}

START_TEST(the_format_is_found_and_tells_its_headers)
{
    ck_assert_ptr_eq(format_find("anthropic"), format);
    ck_assert_int_eq(format->vendor, VENDOR_ANTHROPIC);
    ck_assert_str_eq(format->path(arena, "m", NULL), "/messages");
    ck_assert_str_eq(format->auth_header(arena, "s3cret"), "x-api-key: s3cret");
    ck_assert_str_eq(format->default_headers[0], "anthropic-version: 2023-06-01");
    ck_assert_ptr_null(format->default_headers[1]);
    ck_assert_str_eq(format->forwarded_headers[0], "anthropic-version");
    ck_assert_str_eq(format->forwarded_headers[1], "anthropic-beta");
    ck_assert_ptr_null(format->forwarded_headers[2]);
    ck_assert(slice_eq_z(format->ping, "event: ping\ndata: {\"type\":\"ping\"}\n\n"));
}
END_TEST

START_TEST(a_minimal_request_reads_with_its_defaults)
{
    struct format_request r = request_of("{\"model\":\"claude\",\"messages\":[" MESSAGE "]}");

    ck_assert(slice_eq_z(r.model, "claude"));
    ck_assert(!r.is_stream && r.wants_usage && !r.has_reference);
    ck_assert_int_eq(r.output_max, -1);
    ck_assert_int_eq(r.choices, 1);
    ck_assert_int_eq(r.images + r.files + r.audios, 0);
    ck_assert_int_eq(r.text.ascii_bytes, (int64_t)strlen("[" MESSAGE "]"));
    ck_assert(slice_eq_z(r.affinity, MESSAGE));
}
END_TEST

START_TEST(every_option_that_matters_is_read)
{
    struct format_request r = request_of(
        BODY(",\"stream\":true,\"system\":\"Be brief.\",\"tools\":[{\"name\":\"t\"}],\"unknown\":1,"
             "\"metadata\":{\"user_id\":\"u-1\"},\"output_config\":{\"effort\":\"low\"}"));

    ck_assert(r.is_stream && !r.has_reference);
    ck_assert_int_eq(r.output_max, 9);
    ck_assert(slice_eq_z(r.affinity, "u-1"));
    ck_assert_int_eq(r.text.ascii_bytes,
                     (int64_t)strlen("[" MESSAGE "]\"Be brief.\"[{\"name\":\"t\"}]"
                                     "{\"effort\":\"low\"}"));
    ck_assert_int_eq(
        request_of("{\"model\":\"m\",\"max_tokens\":0,\"messages\":[" MESSAGE "]}").output_max, 0);
    r = request_of(BODY(",\"system\":\"S\""));
    ck_assert(slice_eq_z(r.affinity, "\"S\"" MESSAGE));
}
END_TEST

/* clang-format off */
static const struct {
    const char *body, *param, *text;
} faults[] = {
    {"", NULL, "The request body is empty; expected a JSON object."},
    {"{\"messages\":[" MESSAGE "]}", "model", "model: required"},
    {"{\"model\":\"m\"}", "messages", "messages: required"},
    {"{\"model\":\"m\",\"messages\":{}}", "messages", "messages: expected array"},
    {TALK(""), "messages", "messages: expected at least one message"},
    {TALK(MESSAGE ",7"), "messages[1]", "messages[1]: expected object"},
    {TALK("{\"content\":\"\"}"), "messages[0].role", "messages[0].role: expected string"},
    {TALK("{\"role\":\"user\",\"content\":5}"), "messages[0].content",
     "messages[0].content: expected string or array"},
    {BODY(",\"stream\":1"), "stream", "stream: expected boolean"},
    {BODY(",\"model\":\"x\""), "model", "model: given twice"},
    {BODY(",\"max_tokens\":8"), "max_tokens", "max_tokens: given twice"},
    {BODY(",\"messages\":[]"), "messages", "messages: given twice"},
    {"{\"model\":\"m\",\"max_tokens\":-1,\"messages\":[" MESSAGE "]}",
     "max_tokens", "max_tokens: expected an integer of at least 1"},
    {"{\"model\":\"m\",\"max_tokens\":\"9\",\"messages\":[" MESSAGE "]}",
     "max_tokens", "max_tokens: expected an integer of at least 1"},
};
/* clang-format on */

START_TEST(a_bad_request_is_refused_with_its_path)
{
    struct format_request r;
    struct fault fault = {0};

    ck_assert_int_eq(format->read_request(&(struct format_call){.body = slice_of(faults[_i].body)},
                                          arena, &r, &fault),
                     ERR_BAD_REQUEST);
    ck_assert_str_eq(fault.text, faults[_i].text);
    ck_assert_pstr_eq(fault.param, faults[_i].param);
}
END_TEST

#define USER(blocks) TALK("{\"role\":\"user\",\"content\":[" blocks "]}")

/* clang-format off */
static const struct {
    const char *body;
    int64_t images, files;
    bool has_reference;
    size_t payload; /* bytes of base64 */
} inputs[] = {
    {USER("{\"type\":\"image\",\"source\":{\"type\":\"base64\",\"media_type\":\"image/png\","
          "\"data\":\"AAAA\"}}"), 1, 0, false, 4},
    {USER("{\"type\":\"document\",\"source\":{\"data\":\"AAAABBBB\",\"type\":\"base64\"}}"),
     0, 1, false, 8},
    {USER("{\"type\":\"document\",\"source\":{\"data\":\"just text\",\"type\":\"text\"}}"),
     0, 0, false, 0},
    {USER("{\"type\":\"image\",\"source\":{\"type\":\"url\",\"url\":\"https://x.test/a.png\"}}"),
     0, 0, true, 0},
    {USER("{\"type\":\"document\",\"source\":{\"type\":\"file\",\"file_id\":\"file_1\"}}"),
     0, 0, true, 0},
    {USER("{\"type\":\"container_upload\",\"file_id\":\"file_1\"}"), 0, 0, true, 0},
    {USER("{\"type\":\"tool_result\",\"tool_use_id\":\"t\",\"content\":[{\"type\":\"image\","
          "\"source\":{\"type\":\"base64\",\"data\":\"AAAA\"}},{\"type\":\"text\",\"text\":\"x\"}]}"),
     1, 0, false, 4},
    {USER("{\"type\":\"document\",\"source\":{\"type\":\"content\",\"content\":[{\"type\":"
          "\"image\",\"source\":{\"type\":\"base64\",\"data\":\"AAAAAA\"}}]}}"), 1, 0, false, 6},
    {BODY(",\"container\":\"c-1\""), 0, 0, true, 0},
    {BODY(",\"container\":null,\"mcp_servers\":[]"), 0, 0, false, 0},
    {BODY(",\"mcp_servers\":[{\"url\":\"x\"}]"), 0, 0, true, 0},
    {BODY(",\"tools\":[{\"type\":\"web_search_20250305\",\"name\":\"web_search\"}]"), 0, 0, true, 0},
    {BODY(",\"tools\":[{\"type\":\"bash_20250124\",\"name\":\"bash\"},{\"type\":\"custom\"},{}]"),
     0, 0, false, 0},
};
/* clang-format on */

START_TEST(what_input_may_cost_is_counted)
{
    struct format_request r = request_of(inputs[_i].body);

    ck_assert_int_eq(r.images, inputs[_i].images);
    ck_assert_int_eq(r.files, inputs[_i].files);
    ck_assert_int_eq(r.has_reference, inputs[_i].has_reference);
    ck_assert_int_eq(r.text_bytes, (int64_t)(strlen(inputs[_i].body) - inputs[_i].payload));
}
END_TEST

/* ---- requests for a provider of the same format ---- */

static const char *sent(const char *body, const struct format_target *t)
{
    struct format_request r = request_of(body);
    struct splice pieces;
    struct slice text;

    ck_assert_int_eq(format->write_request(&r, t, arena, &pieces), ERR_OK);
    ck_assert_int_eq(splice_join(&pieces, arena, &text), ERR_OK);
    return arena_copy(arena, text);
}

/* clang-format off */
static const struct {
    const char *body, *expected;
    int64_t inject;
} rewrites[] = {
    {"{ \"model\" : \"m\", \"messages\":[" MESSAGE "],\"max_tokens\":1e1,\"x\":\"\\u0041\"}",
     "{ \"model\" : \"up-m\", \"messages\":[" MESSAGE "],\"max_tokens\":1e1,\"x\":\"\\u0041\"}", 77},
    {"{\"model\":\"m\",\"messages\":[" MESSAGE "]}",
     "{\"model\":\"up-m\",\"messages\":[" MESSAGE "],\"max_tokens\":77}", 77},
    {"{\"model\":\"m\",\"messages\":[" MESSAGE "]}",
     "{\"model\":\"up-m\",\"messages\":[" MESSAGE "]}", -1},
    {TALK(MESSAGE ",{\"role\":\"assistant\",\"content\":[{\"type\":\"thinking\",\"thinking\":\"a\","
                  "\"signature\":\"EqQB\"},{\"type\":\"text\",\"text\":\"aip1.\"}]}," MESSAGE),
     "{\"model\":\"up-m\",\"max_tokens\":9,\"messages\":[" MESSAGE
     ",{\"role\":\"assistant\",\"content\":[{\"type\":\"thinking\",\"thinking\":\"a\","
     "\"signature\":\"EqQB\"},{\"type\":\"text\",\"text\":\"aip1.\"}]}," MESSAGE "]}", -1},
    {TALK(MESSAGE ",{\"role\":\"assistant\", \"content\" : [ {\"type\":\"thinking\",\"thinking\":"
                  "\"a\",\"signature\":\"aip1.gemini.g.-..AA\"} , {\"type\":\"text\",\"text\":\"b\"}, "
                  "{\"type\":\"redacted_thinking\",\"data\":\"aip1.x\"}],\"k\":1}," MESSAGE),
     "{\"model\":\"up-m\",\"max_tokens\":9,\"messages\":[" MESSAGE
     ",{\"role\":\"assistant\", \"content\" : [{\"type\":\"text\",\"text\":\"b\"}],\"k\":1}," MESSAGE
     "]}", -1},
    {TALK(MESSAGE ",{\"role\":\"assistant\",\"content\":[{\"type\":\"thinking\",\"thinking\":\"a\","
                  "\"signature\":\"aip1.none.\"}]}," MESSAGE),
     "{\"model\":\"up-m\",\"max_tokens\":9,\"messages\":[" MESSAGE "," MESSAGE "]}", -1},
};
/* clang-format on */

START_TEST(a_request_keeps_its_bytes_but_for_what_must_change)
{
    struct format_target t = {.upstream_model = "up-m", .output_max_inject = rewrites[_i].inject};

    ck_assert_str_eq(sent(rewrites[_i].body, &t), rewrites[_i].expected);
}
END_TEST

START_TEST(edits_of_the_target_are_applied)
{
    const struct member_edit edits[] = {
        {MEMBER_REMOVE,  "speed",        NULL      },
        {MEMBER_DEFAULT, "service_tier", "\"auto\""},
    };
    struct format_target t = {
        .upstream_model = "m", .edits = edits, .edits_n = 2, .output_max_inject = -1};

    ck_assert_str_eq(sent(BODY(",\"speed\":\"fast\""), &t), BODY(",\"service_tier\":\"auto\""));
}
END_TEST

/* ---- errors ---- */

/* clang-format off */
static const struct {
    enum err e;
    int status;
    const char *type;
} errors[] = {
    {ERR_BAD_REQUEST, 400, "invalid_request_error"},
    {ERR_TOO_LARGE, 413, "request_too_large"},
    {ERR_BAD_KEY, 401, "authentication_error"},
    {ERR_FORBIDDEN, 403, "permission_error"},
    {ERR_NOT_FOUND, 404, "not_found_error"},
    {ERR_NO_MODEL, 404, "not_found_error"},
    {ERR_METHOD, 405, "invalid_request_error"},
    {ERR_NO_FUNDS, 402, "billing_error"},
    {ERR_SPEND_LIMIT, 402, "billing_error"},
    {ERR_FUNDS_RESERVED, 429, "rate_limit_error"},
    {ERR_RATE, 429, "rate_limit_error"},
    {ERR_UP_RATE, 429, "rate_limit_error"},
    {ERR_UNAVAILABLE, 503, "overloaded_error"},
    {ERR_NO_CHANNEL, 503, "overloaded_error"},
    {ERR_UP_STATUS, 529, "overloaded_error"},
    {ERR_UP_AUTH, 529, "overloaded_error"},
    {ERR_UP_TIMEOUT, 504, "timeout_error"},
    {ERR_UP_CONTEXT, 400, "invalid_request_error"},
    {ERR_UP_REJECTED, 400, "invalid_request_error"},
    {ERR_INTERNAL, 500, "api_error"},
    {ERR_DB_DOWN, 503, "overloaded_error"},
};
/* clang-format on */

START_TEST(each_error_has_the_vendors_word_and_status)
{
    ck_assert_str_eq(anthropic_error_type(errors[_i].e), errors[_i].type);
    ck_assert_int_eq(anthropic_error_status(errors[_i].e), errors[_i].status);
}
END_TEST

START_TEST(every_error_has_some_word)
{
    int e;

    for (e = ERR_OK + 1; e < ERR_COUNT; e++) {
        ck_assert_int_ge(anthropic_error_status((enum err)e), 400);
        ck_assert_uint_gt(strlen(anthropic_error_type((enum err)e)), 0);
    }
}
END_TEST

START_TEST(a_context_error_says_so_in_the_vendors_words)
{
    ck_assert_str_eq(anthropic_error_prefix(ERR_UP_CONTEXT, "too much"), "prompt is too long: ");
    ck_assert_str_eq(
        anthropic_error_prefix(ERR_UP_CONTEXT, "Prompt is too long: 9 tokens > 8 maximum"), "");
    ck_assert_str_eq(anthropic_error_prefix(ERR_UP_REJECTED, "too much"), "");
    ck_assert(
        anthropic_is_context_error(SLICE("Input length and `max_tokens` exceed context limit")));
    ck_assert(
        anthropic_is_context_error(SLICE("This model's maximum context length is 8192 tokens.")));
    ck_assert(!anthropic_is_context_error(SLICE("messages: required")));
    ck_assert(!anthropic_is_context_error(SLICE("")));
}
END_TEST

START_TEST(a_stream_error_is_an_event_of_its_own)
{
    struct buf b;

    buf_init(&b, 4096);
    ck_assert_int_eq(format->write_stream_error(NULL, &b, ERR_UP_STATUS, "a \"b\"", "req_1"),
                     ERR_OK);
    ck_assert_str_eq(b.p, "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":"
                          "\"overloaded_error\",\"message\":\"a \\\"b\\\"\"},\"request_id\":"
                          "\"req_1\"}\n\n");
    buf_reset(&b);
    ck_assert_int_eq(format->write_stream_error(NULL, &b, ERR_UP_CONTEXT, "9 > 8", NULL), ERR_OK);
    ck_assert_str_eq(b.p, "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":"
                          "\"invalid_request_error\",\"message\":\"prompt is too long: 9 > 8\"},"
                          "\"request_id\":null}\n\n");
    buf_reset(&b);
    ck_assert_int_eq(format->write_stream_error(NULL, &b, ERR_RATE, NULL, NULL), ERR_OK);
    ck_assert_ptr_nonnull(strstr(b.p, err_info(ERR_RATE)->text));
    buf_clear(&b);
}
END_TEST

START_TEST(a_stream_error_that_does_not_fit_leaves_no_part_of_itself)
{
    size_t max;

    for (max = 0; max < 130; max++) {
        struct buf b;

        buf_init(&b, max);
        if (max >= 3)
            ck_assert_int_eq(buf_append_z(&b, "abc"), ERR_OK);
        ck_assert_int_eq(
            format->write_stream_error(NULL, &b, ERR_UP_STATUS, "a long enough text", "request"),
            ERR_FULL);
        ck_assert_uint_eq(b.n, max >= 3 ? 3 : 0);
        buf_clear(&b);
    }
}
END_TEST

START_TEST(memory_that_runs_out_is_told)
{
    const char *body = rewrites[4].body;
    struct format_target t = {.upstream_model = "up-m", .output_max_inject = 7};
    size_t max;
    bool has_failed = false;

    for (max = 64; max < (1 << 16); max += 64) {
        struct arena *small = arena_new(max);
        struct format_request r;
        struct fault fault;
        struct splice pieces;
        enum err e = small ? format->read_request(&(struct format_call){.body = slice_of(body)},
                                                  small, &r, &fault)
                           : ERR_MEMORY;

        if (!e)
            e = format->write_request(&r, &t, small, &pieces);
        ck_assert(e == ERR_OK || e == ERR_MEMORY);
        has_failed |= e == ERR_MEMORY;
        arena_free(small);
        if (!e)
            break;
    }
    ck_assert(has_failed);
    ck_assert_uint_lt(max, 1 << 16);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("anthropic_request");
    TCase *cases = tcase_create("anthropic_request");

    suite_add_tcase(suite, cases);
    tcase_add_checked_fixture(cases, suite_arena_open, suite_arena_close);
    tcase_add_test(cases, the_format_is_found_and_tells_its_headers);
    tcase_add_test(cases, a_minimal_request_reads_with_its_defaults);
    tcase_add_test(cases, every_option_that_matters_is_read);
    tcase_add_loop_test(cases, a_bad_request_is_refused_with_its_path, 0, ROWS(faults));
    tcase_add_loop_test(cases, what_input_may_cost_is_counted, 0, ROWS(inputs));
    tcase_add_loop_test(cases, a_request_keeps_its_bytes_but_for_what_must_change, 0,
                        ROWS(rewrites));
    tcase_add_test(cases, edits_of_the_target_are_applied);
    tcase_add_loop_test(cases, each_error_has_the_vendors_word_and_status, 0, ROWS(errors));
    tcase_add_test(cases, every_error_has_some_word);
    tcase_add_test(cases, a_context_error_says_so_in_the_vendors_words);
    tcase_add_test(cases, a_stream_error_is_an_event_of_its_own);
    tcase_add_test(cases, a_stream_error_that_does_not_fit_leaves_no_part_of_itself);
    tcase_add_test(cases, memory_that_runs_out_is_told);
    return suite_run(suite);
}
