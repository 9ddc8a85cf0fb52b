#include "upstream/format.h"

#include "base/buf.h"
#include "tests/unit/codec_kit.h"
#include "tests/unit/format_suite.h"

#include <check.h>
#include <stdio.h>
#include <string.h>

#define MESSAGE    "{\"role\":\"user\",\"content\":\"hi\"}"
#define BODY(more) "{\"model\":\"m\",\"messages\":[" MESSAGE "]" more "}"

static const struct format *const chat = &format_openai_chat;

static struct format_request request_of(const char *body)
{
    return kit_read(chat, arena, body);
}

/* ---- events ---- */

static struct reader reader_for(const char *body, const char *public_model,
                                const char *upstream_model)
{
    struct format_request *r = arena_alloc(arena, sizeof(*r));
    struct reader reader;

    *r = request_of(body);
    ck_assert_int_eq(reader_init(&reader, chat, r, arena), ERR_OK);
    reader.public_model = public_model;
    reader.upstream_model = upstream_model;
    return reader;
}

#define PLAIN  BODY(",\"stream\":true")
#define WANTED BODY(",\"stream\":true,\"stream_options\":{\"include_usage\":true}")

#define CHUNK_HEAD                                                                                 \
    "data: "                                                                                       \
    "{\"id\":\"c-1\",\"object\":\"chat.completion.chunk\",\"created\":17,\"model\":\"up-m\","      \
    "\"choices\":["
static const char stream[] = CHUNK_HEAD
    "{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\",\"refusal\":null},\"finish_"
    "reason\":null}],\"usage\":null}\n\n" CHUNK_HEAD
    "{\"index\":0,\"delta\":{\"content\":\"Hello\"},\"finish_reason\":null}],\"usage\":null}\n\n"
    ": ping\n\n" CHUNK_HEAD "{\"index\":0,\"delta\":{\"content\":\" "
    "\\u4f60\\n\"},\"finish_reason\":null}],\"usage\":null}\r\n\r\n" CHUNK_HEAD
    "{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}],\"usage\":null}\n\n" CHUNK_HEAD
    "],\"usage\":{\"prompt_tokens\":19,\"completion_tokens\":10,\"total_tokens\":29,\"prompt_"
    "tokens_details\":{\"cached_tokens\":4},"
    "\"completion_tokens_details\":{\"reasoning_tokens\":3}}}\n\n"
    "data: [DONE]\n\n";

#define PUBLIC_HEAD                                                                                \
    "data: "                                                                                       \
    "{\"id\":\"c-1\",\"object\":\"chat.completion.chunk\",\"created\":17,\"model\":\"pub\\\"m\","  \
    "\"choices\":["
static const char stream_for_client[] = PUBLIC_HEAD
    "{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\",\"refusal\":null},\"finish_"
    "reason\":null}]}\n\n" PUBLIC_HEAD
    "{\"index\":0,\"delta\":{\"content\":\"Hello\"},\"finish_reason\":null}]}\n\n"
    ": ping\n\n" PUBLIC_HEAD "{\"index\":0,\"delta\":{\"content\":\" "
    "\\u4f60\\n\"},\"finish_reason\":null}]}\r\n\r\n" PUBLIC_HEAD
    "{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n"
    "data: [DONE]\n\n";

static void check_stream(const char *body, const char *public_model, const char *expected,
                         size_t cut)
{
    struct reader r = reader_for(body, public_model, "up-m");
    struct counts c;
    struct seen s;

    suite_see(&s, &r, slice_of(stream), cut);
    ck_assert_msg(slice_eq_z(buf_slice(&s.out), expected), "cut %zu: %.*s", cut,
                  SLICE_FMT(buf_slice(&s.out)));
    ck_assert_int_eq(s.verdict, EVENT_END);
    ck_assert_uint_eq(s.events, 7);
    c = reader_counts(&r);
    ck_assert(c.is_known && r.is_ended && r.has_content);
    ck_assert_int_eq(c.in_fresh, 15);
    ck_assert_int_eq(c.in_read, 4);
    ck_assert_int_eq(c.in_write, 0);
    ck_assert_int_eq(c.out_all, 10);
    ck_assert_int_eq(c.out_think, 3);
    ck_assert_str_eq(r.finish_reason, "stop");
    ck_assert_int_eq(r.chunks, 2);
    ck_assert_int_eq(r.output.ascii_bytes, 7);
    ck_assert_int_eq(r.output.other_chars, 1);
    buf_clear(&s.out);
    reader_clear(&r);
}

START_TEST(a_stream_is_overheard_alike_for_every_split)
{
    size_t cut;

    for (cut = 0; cut <= strlen(stream) + 1; cut++) {
        check_stream(PLAIN, "pub\"m", stream_for_client, cut);
        check_stream(WANTED, "up-m", stream, cut);
        arena_reset(arena);
    }
}
END_TEST

#define CHOICE "\"choices\":[{\"index\":0,\"delta\":{\"content\":\"x\"}}]"

static const struct {
    const char *body, *event;
    enum event_verdict verdict;
    const char *replacement; /* NULL: none */
} events[] = {
    {PLAIN,  ": comment\n\n",                                                        EVENT_FORWARD,   NULL          },
    {PLAIN,  "\n",                                                                   EVENT_FORWARD,   NULL          },
    {PLAIN,  "data:\n\n",                                                            EVENT_FORWARD,   NULL          },
    {PLAIN,  "data:  [DONE] \n\n",                                                   EVENT_END,       NULL          },
    {PLAIN,  "data: [DONE\n\n",                                                      EVENT_MALFORMED, NULL          },
    {PLAIN,  "data: {\"a\":1\n\n",                                                   EVENT_MALFORMED, NULL          },
    {PLAIN,  "data: {\"a\":\"\xff\"}\n\n",                                           EVENT_MALFORMED, NULL          },
    {PLAIN,  "data: []\n\n",                                                         EVENT_MALFORMED, NULL          },
    {PLAIN,  "data: <html>\n\n",                                                     EVENT_MALFORMED, NULL          },
    {PLAIN,  "data: {" CHOICE "}\n\n",                                               EVENT_FORWARD,   NULL          },
    {PLAIN,  "data: {" CHOICE ",\"error\":null}\n\n",                                EVENT_FORWARD,   NULL          },
    {PLAIN,  "data: {" CHOICE ",\"error\":{\"message\":\"m\"}}\n\n",                 EVENT_FAIL,      NULL          },
    {PLAIN,  "data: {\"error\":\"m\"}\n\n",                                          EVENT_FAIL,      NULL          },
    {PLAIN,  "data: {\"object\":\"error\",\"message\":\"m\"}\n\n",                   EVENT_FAIL,      NULL          },
    {PLAIN,  "event: error\ndata: {\"message\":\"m\"}\n\n",                          EVENT_FAIL,      NULL          },
    {PLAIN,  "event: error\ndata: boom\n\n",                                         EVENT_FAIL,      NULL          },
    {PLAIN,  "event: error\n\n",                                                     EVENT_FAIL,      NULL          },
    {PLAIN,  "event: message\ndata: {" CHOICE "}\n\n",                               EVENT_FORWARD,   NULL          },
    {PLAIN,  "data: {\"choices\":[],\"prompt_filter_results\":[]}\n\n",              EVENT_FORWARD,   NULL          },
    {PLAIN,  "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":1}}\n\n",           EVENT_WITHHOLD,  NULL          },
    {PLAIN,  "data: {\"usage\":{\"prompt_tokens\":1}}\n\n",                          EVENT_WITHHOLD,  NULL          },
    {PLAIN,  "data: {\"choices\":null,\"usage\":{}}\n\n",                            EVENT_WITHHOLD,  NULL          },
    {WANTED, "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":1}}\n\n",           EVENT_FORWARD,   NULL          },
    {PLAIN,  "data: {\"choices\":[],\"usage\":null}\n\n",                            EVENT_FORWARD,
     "data: {\"choices\":[]}\n\n"                                                                                   },
    {PLAIN,  "data: {" CHOICE " , \"usage\" : {\"prompt_tokens\":1} , \"z\":1}\n\n", EVENT_FORWARD,
     "data: {" CHOICE " , \"z\":1}\n\n"                                                                             },
    {PLAIN,  "data: { \"usage\":null , \"a\":1, " CHOICE "}\n\n",                    EVENT_FORWARD,
     "data: { \"a\":1, " CHOICE "}\n\n"                                                                             },
    {PLAIN,  "data: {\"usage\":null}\n\n",                                           EVENT_FORWARD,   "data: {}\n\n"},
    {PLAIN,  "id: 1\ndata: {" CHOICE ",\"usage\":null}\n: c\n\n",                    EVENT_FORWARD,
     "id: 1\ndata: {" CHOICE "}\n: c\n\n"                                                                           },
    {PLAIN,  "data: {" CHOICE ",\ndata: \"usage\":null,\ndata: \"z\":1}\n\n",        EVENT_FORWARD,
     "data: {" CHOICE ",\ndata: \"z\":1}\n\n"                                                                       },
    {PLAIN,  "data: {\"model\":\"up\",\"usage\":null," CHOICE "}\n\n",               EVENT_FORWARD,
     "data: {\"model\":\"pub\"," CHOICE "}\n\n"                                                                     },
    {PLAIN,  "data: {\"usage\":null,\"model\":\"other\"," CHOICE "}\n\n",            EVENT_FORWARD,
     "data: {\"model\":\"pub\"," CHOICE "}\n\n"                                                                     },
    {WANTED, "data: {\"usage\":null,\"model\":\"up\"," CHOICE "}\n\n",               EVENT_FORWARD,
     "data: {\"usage\":null,\"model\":\"pub\"," CHOICE "}\n\n"                                                      },
};

START_TEST(each_event_has_its_verdict)
{
    struct reader r = reader_for(events[_i].body, "pub", "up");
    struct seen s;

    suite_see(&s, &r, slice_of(events[_i].event), 0);
    ck_assert_uint_eq(s.events, 1);
    ck_assert_int_eq(s.verdict, events[_i].verdict);
    if (events[_i].replacement)
        ck_assert_msg(slice_eq_z(r.replacement, events[_i].replacement), "got %.*s",
                      SLICE_FMT(r.replacement));
    else
        ck_assert_ptr_null(r.replacement.p);
    ck_assert_int_eq(r.error_text[0] != '\0', s.verdict == EVENT_FAIL);
    buf_clear(&s.out);
    reader_clear(&r);
}
END_TEST

START_TEST(an_error_inside_the_answer_is_kept_for_the_log)
{
    struct reader r = reader_for(PLAIN, "m", "m");
    struct seen s;

    suite_see(&s, &r,
              SLICE("data: {\"error\":{\"message\":\"over\\nloaded "
                    "\\u4f60\",\"type\":\"server_error\",\"code\":503}}\n\n"),
              0);
    ck_assert_str_eq(r.error_text, "over\nloaded \xe4\xbd\xa0");
    ck_assert_str_eq(r.error_code, "503");
    buf_clear(&s.out);
    suite_see(&s, &r, SLICE("data: {\"error\":{\"type\":\"server_error\",\"code\":null}}\n\n"), 0);
    ck_assert_str_eq(r.error_text, err_info(ERR_UP_FAILED)->text);
    ck_assert_str_eq(r.error_code, "server_error");
    buf_clear(&s.out);
    reader_clear(&r);
}
END_TEST

START_TEST(every_kind_of_output_is_seen)
{
    static const struct {
        const char *delta;
        int64_t ascii;
        bool has_content;
    } rows[] = {
        {"{\"role\":\"assistant\",\"content\":\"\"}",                               0,  false},
        {"{\"content\":null}",                                                      0,  false},
        {"{\"content\":\"abc\"}",                                                   3,  true },
        {"{\"refusal\":\"abcd\"}",                                                  4,  true },
        {"{\"reasoning_content\":\"ab\"}",                                          2,  true },
        {"{\"reasoning\":\"ab\",\"reasoning_content\":\"abc\"}",                    3,  true },
        {"{\"reasoning\":\"ab\"}",                                                  2,  true },
        {"{\"tool_calls\":[]}",                                                     0,  false},
        {"{\"tool_calls\":[{\"index\":0,\"id\":\"i\",\"function\":{\"name\":\"fn\",\"arguments\":"
         "\"{}\"}}]}",                                                     4,  true },
        {"{\"tool_calls\":[{\"index\":0,\"function\":{\"arguments\":{\"a\":1}}}]}", 7,  true },
        {"{\"tool_calls\":[{\"index\":0,\"custom\":{\"name\":\"c\",\"input\":\"in\"}},{"
         "\"function\":{\"arguments\":\"x\"}}]}",                          4,  true },
        {"{\"function_call\":{\"name\":\"f\",\"arguments\":\"ab\"}}",               3,  true },
        {"{\"audio\":{\"id\":\"a\",\"data\":\"QUJD\",\"transcript\":\"hey\"}}",     3,  true },
        {"{\"content\":[{\"text\":1}]}",                                            12, true },
        {"{\"images\":[{\"url\":\"data:\"}]}",                                      0,  true },
        {"7",                                                                       0,  false},
    };
    size_t i;

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct reader r = reader_for(PLAIN, "m", "m");
        struct seen s;

        suite_see(&s, &r,
                  slice_of(arena_printf(arena, "data: {\"choices\":[{\"delta\":%s}]}\n\n",
                                        rows[i].delta)),
                  0);
        ck_assert_int_eq(s.verdict, EVENT_FORWARD);
        ck_assert_msg(r.output.ascii_bytes == rows[i].ascii && r.has_content == rows[i].has_content,
                      "row %zu: %d", i, (int)r.output.ascii_bytes);
        buf_clear(&s.out);
        reader_clear(&r);
    }
}
END_TEST

/* ---- usage ---- */

static const struct {
    const char *usage;
    int64_t fresh, read, write, out, think;
} usages[] = {
    {"{\"prompt_tokens\":10,\"completion_tokens\":5,\"total_tokens\":15}",                           10,         0,  0,  5,          0  },
    {"{\"prompt_tokens\":0,\"completion_tokens\":0}",                                                0,          0,  0,  0,          0  },
    {"{\"prompt_tokens\":10,\"completion_tokens\":5,\"total_tokens\":115}",                          10,         0,  0,  105,        0  },
    {"{\"prompt_tokens\":10,\"completion_tokens\":5,\"total_tokens\":115,\"completion_tokens_"
     "details\":{\"reasoning_tokens\":100}}",                                                   10,         0,  0,  105,        100},
    {"{\"prompt_tokens\":10,\"completion_tokens\":5,\"total_tokens\":12}",                           10,         0,  0,  5,          0  },
    {"{\"prompt_tokens\":100,\"completion_tokens\":5,\"prompt_tokens_details\":{\"cached_tokens\":"
     "60,\"cache_write_tokens\":30}}",                                                          10,         60, 30, 5,          0  },
    {"{\"prompt_tokens\":10,\"completion_tokens\":5,\"prompt_tokens_details\":{\"cached_tokens\":"
     "60}}",                                                                                    0,          60, 0,  5,          0  },
    {"{\"prompt_tokens\":10,\"completion_tokens\":5,\"completion_tokens_details\":{\"reasoning_"
     "tokens\":9}}",                                                                            10,         0,  0,  5,          5  },
    {"{\"prompt_tokens\":10,\"completion_tokens\":5,\"prompt_cache_hit_tokens\":4,\"prompt_cache_"
     "miss_tokens\":6}",                                                                        6,          4,  0,  5,          0  },
    {"{\"prompt_tokens\":10,\"completion_tokens\":5,\"cached_tokens\":7}",                           3,          7,  0,  5,          0  },
    {"{\"cached_tokens\":7,\"prompt_tokens\":10,\"completion_tokens\":5,\"prompt_tokens_details\":{"
     "\"cached_tokens\":2}}",                                                                   8,          2,  0,  5,          0  },
    {"{\"prompt_tokens\":-10,\"completion_tokens\":-5,\"prompt_tokens_details\":{\"cached_tokens\":"
     "-1}}",                                                                                    0,          0,  0,  0,          0  },
    {"{\"prompt_tokens\":2e9,\"completion_tokens\":1e40}",                                           1000000000, 0,  0,  1000000000, 0  },
    {"{\"prompt_tokens\":1,\"completion_tokens\":-1e40,\"total_tokens\":1}",                         1,          0,  0,  0,          0  },
    {"{\"prompt_tokens\":10,\"completion_tokens\":null,\"total_tokens\":14}",                        10,         0,  0,  4,          0  },
    {"{\"completion_tokens\":4,\"total_tokens\":14}",                                                10,         0,  0,  4,          0  },
    {"{\"prompt_tokens\":10.0,\"completion_tokens\":5,\"prompt_tokens_details\":null,\"cost\":0.1}",
     10,                                                                                                         0,  0,  5,          0  },
};

static void check_usage(const struct reader *r, size_t i)
{
    struct counts c = reader_counts(r);

    ck_assert(c.is_known);
    ck_assert_int_eq(c.in_fresh, usages[i].fresh);
    ck_assert_int_eq(c.in_read, usages[i].read);
    ck_assert_int_eq(c.in_write, usages[i].write);
    ck_assert_int_eq(c.in_write_1h, 0);
    ck_assert_int_eq(c.out_all, usages[i].out);
    ck_assert_int_eq(c.out_think, usages[i].think);
}

START_TEST(usage_becomes_counts_that_do_not_overlap)
{
    static const char *const places[] = {
        "data: {\"choices\":[],\"usage\":%s}\n\n",
        "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}],\"usage\":%s}\n\n",
        "data: {\"choices\":[{\"delta\":{}}],\"x_groq\":{\"id\":\"r\",\"usage\":%s}}\n\n",
        "data: {\"choices\":[{\"delta\":{},\"usage\":%s}],\"usage\":null}\n\n",
    };
    size_t p;

    for (p = 0; p < sizeof(places) / sizeof(places[0]); p++) {
        struct reader r = reader_for(PLAIN, "m", "m");
        struct seen s;
        char event[512];

        (void)snprintf(event, sizeof(event), "%.*s%s%s", (int)(strstr(places[p], "%s") - places[p]),
                       places[p], usages[_i].usage, strstr(places[p], "%s") + 2);
        suite_see(&s, &r, slice_of(event), 0);
        check_usage(&r, (size_t)_i);
        buf_clear(&s.out);
        reader_clear(&r);
    }
}
END_TEST

START_TEST(the_last_usage_with_numbers_wins)
{
    struct reader r = reader_for(PLAIN, "m", "m");
    struct seen s;

    suite_see(
        &s, &r,
        SLICE("data: {\"choices\":[{}],\"usage\":{\"prompt_tokens\":9,\"completion_tokens\":1}}\n\n"
              "data: {\"choices\":[{}],\"usage\":{\"prompt_tokens\":9,\"completion_tokens\":2}}\n\n"
              "data: {\"choices\":[{}],\"usage\":{}}\n\n"
              "data: {\"choices\":[{}],\"usage\":{\"prompt_tokens\":\"x\"}}\n\n"
              "data: {\"choices\":[{}],\"usage\":null}\n\n"),
        0);
    ck_assert_int_eq(reader_counts(&r).out_all, 2);
    buf_clear(&s.out);
    reader_clear(&r);
}
END_TEST

START_TEST(without_usage_the_counts_are_estimated)
{
    struct reader r = reader_for(PLAIN, "m", "m");
    struct counts c;
    struct seen s;

    suite_see(&s, &r,
              SLICE("data: {\"choices\":[{\"delta\":{\"content\":\"abcde\"}}]}\n\n"
                    "data: {\"choices\":[{\"delta\":{\"content\":\"fgh\"}}]}\n\n"),
              0);
    c = reader_counts(&r);
    ck_assert(!c.is_known);
    ck_assert_int_eq(c.out_all, 2);
    ck_assert_int_eq(c.in_fresh, (int64_t)(strlen("[" MESSAGE "]") + 3) / 4);
    ck_assert_int_eq(c.in_read + c.in_write + c.in_write_1h + c.out_think, 0);
    buf_clear(&s.out);
    reader_clear(&r);
}
END_TEST

/* ---- whole answers ---- */

#define WHOLE(model, more)                                                                         \
    "{\"id\":\"c\",\"model\":\"" model                                                             \
    "\",\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\"Hi\"},"        \
    "\"finish_reason\":\"length\"}]" more "}"

START_TEST(a_whole_answer_is_overheard)
{
    struct reader r = reader_for(BODY(""), "m", "m");
    const char *body = WHOLE("m", ",\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":1}") "\n";
    struct slice out;

    ck_assert_int_eq(chat->reader.read_whole(&r, slice_of(body), &out), ERR_OK);
    ck_assert_ptr_eq(out.p, body);
    ck_assert_uint_eq(out.n, strlen(body));
    ck_assert(r.is_ended && r.has_content);
    ck_assert_str_eq(r.finish_reason, "length");
    ck_assert_int_eq(reader_counts(&r).in_fresh, 3);
    reader_clear(&r);
}
END_TEST

START_TEST(a_whole_answer_carries_the_public_model_name)
{
    struct reader r = reader_for(BODY(""), "pub", "up");
    struct slice out;

    ck_assert_int_eq(
        chat->reader.read_whole(&r, SLICE(WHOLE("up-2026", ",\"usage\":null") " "), &out), ERR_OK);
    ck_assert(slice_eq_z(out, WHOLE("pub", ",\"usage\":null") " "));
    ck_assert(!reader_counts(&r).is_known);
    ck_assert_int_eq(reader_counts(&r).out_all, 1);
    reader_clear(&r);
}
END_TEST

START_TEST(usage_of_whole_answers_is_read_like_that_of_streams)
{
    struct reader r = reader_for(BODY(""), "m", "m");
    struct slice out;
    char body[512];

    (void)snprintf(body, sizeof(body), "{\"choices\":[{\"message\":{}}],\"usage\":%s}",
                   usages[_i].usage);
    ck_assert_int_eq(chat->reader.read_whole(&r, slice_of(body), &out), ERR_OK);
    check_usage(&r, (size_t)_i);
    reader_clear(&r);
}
END_TEST

START_TEST(what_is_no_answer_is_refused)
{
    static const struct {
        const char *body;
        enum err e;
    } rows[] = {
        {"",                                         ERR_UP_MALFORMED},
        {"<html>",                                   ERR_UP_MALFORMED},
        {"[]",                                       ERR_UP_MALFORMED},
        {"{}",                                       ERR_UP_MALFORMED},
        {"{\"choices\":[]}",                         ERR_UP_MALFORMED},
        {"{\"choices\":{}}",                         ERR_UP_MALFORMED},
        {"{\"choices\":[{}]",                        ERR_UP_MALFORMED},
        {"{\"error\":{\"message\":\"m\"}}",          ERR_UP_FAILED   },
        {"{\"error\":\"m\",\"choices\":[{}]}",       ERR_UP_FAILED   },
        {"{\"object\":\"error\",\"message\":\"m\"}", ERR_UP_FAILED   },
        {"{\"error\":null,\"choices\":[{}]}",        ERR_OK          },
    };
    size_t i;

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct reader r = reader_for(BODY(""), "m", "m");
        struct slice out;

        ck_assert_int_eq(chat->reader.read_whole(&r, slice_of(rows[i].body), &out), rows[i].e);
        ck_assert_str_eq(r.error_text, rows[i].e == ERR_UP_FAILED ? "m" : "");
        ck_assert_int_eq(r.is_ended, rows[i].e == ERR_OK);
        reader_clear(&r);
    }
}
END_TEST

/* ---- errors ---- */

START_TEST(a_providers_error_is_read_in_every_shape)
{
    const char *standard = err_info(ERR_UP_REJECTED)->text;
    const struct {
        const char *body, *text, *code;
    } rows[] = {
        {"{\"error\":{\"message\":\"bad "
         "n\",\"type\":\"t\",\"param\":\"n\",\"code\":\"invalid_value\"}}",             "bad n",     "invalid_value"},
        {"{\"error\":{\"message\":\"bad\",\"type\":\"t\",\"code\":null}}",                       "bad",       "t"            },
        {"{\"error\":{\"message\":\"\",\"code\":400}}",                                          standard,    "400"          },
        {"{\"error\":\"plain\"}",                                                                "plain",     ""             },
        {"{\"message\":\"top\",\"code\":7}",                                                     "top",       "7"            },
        {"{\"object\":\"error\",\"message\":\"top\",\"type\":\"BadRequestError\"}",              "top",
         "BadRequestError"                                                                                                   },
        {"{\"detail\":\"not found\"}",                                                           "not found", ""             },
        {"[{\"error\":{\"code\":400,\"message\":\"wrapped\",\"status\":\"INVALID_ARGUMENT\"}}]",
         "wrapped",                                                                                           "400"          },
        {"[]",                                                                                   standard,    ""             },
        {"\"just text\"",                                                                        "just text", ""             },
        {"<html>502</html>",                                                                     standard,    ""             },
        {"",                                                                                     standard,    ""             },
    };
    size_t i;

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct reader r = reader_for(BODY(""), "m", "m");

        chat->reader.read_error(&r, slice_of(rows[i].body));
        ck_assert_str_eq(r.error_text, rows[i].text);
        ck_assert_str_eq(r.error_code, rows[i].code);
        reader_clear(&r);
    }
}
END_TEST

static const struct {
    const char *body;
    enum err class;
} classes[] = {
    {"{\"error\":{\"message\":\"x\",\"code\":\"context_length_exceeded\"}}",              ERR_UP_CONTEXT },
    {"{\"error\":{\"message\":\"This model's maximum context length is 8192 tokens.\"}}",
     ERR_UP_CONTEXT                                                                                      },
    {"{\"error\":{\"message\":\"The input token count (9) exceeds the maximum\"}}",       ERR_UP_CONTEXT },
    {"{\"error\":{\"message\":\"no such parameter\"}}",                                   ERR_UP_REJECTED},
    {"nonsense",                                                                          ERR_UP_REJECTED},
};

START_TEST(an_input_that_is_too_long_is_told_from_other_refusals)
{
    struct reader r = reader_for(PLAIN, "m", "m");

    chat->reader.read_error(&r, slice_of(classes[_i].body));
    ck_assert_int_eq(r.error_class, classes[_i].class);
    reader_clear(&r);
}
END_TEST

START_TEST(a_long_error_text_is_cut_at_a_character)
{
    struct reader r = reader_for(BODY(""), "m", "m");
    struct buf b;
    int i;

    buf_init(&b, 4096);
    ck_assert_int_eq(buf_append_z(&b, "{\"error\":{\"message\":\"x"), ERR_OK);
    for (i = 0; i < 200; i++)
        ck_assert_int_eq(buf_append_z(&b, "\xe4\xbd\xa0"), ERR_OK);
    ck_assert_int_eq(buf_append_z(&b, "\"}}"), ERR_OK);
    chat->reader.read_error(&r, buf_slice(&b));
    ck_assert_uint_eq(strlen(r.error_text), 256);
    ck_assert(str_is_utf8(slice_of(r.error_text)));
    buf_clear(&b);
    reader_clear(&r);
}
END_TEST

START_TEST(the_stream_error_is_the_published_one)
{
    struct reader r = reader_for(PLAIN, "m", "m");
    struct seen s;
    struct buf b;

    buf_init(&b, 4096);
    ck_assert_int_eq(chat->write_stream_error(NULL, &b, ERR_UP_CUT, "it \"broke\"\n", "01K"),
                     ERR_OK);
    ck_assert_str_eq(b.p, "data: {\"error\":{\"message\":\"it "
                          "\\\"broke\\\"\\n\",\"type\":\"server_error\",\"param\":null,"
                          "\"code\":\"service_unavailable\"}}\n\n");
    suite_see(&s, &r, buf_slice(&b), 0);
    ck_assert_int_eq(s.verdict, EVENT_FAIL);
    ck_assert_str_eq(r.error_text, "it \"broke\"\n");
    buf_reset(&b);
    ck_assert_int_eq(chat->write_stream_error(NULL, &b, ERR_UP_TIMEOUT, NULL, "01K"), ERR_OK);
    ck_assert_ptr_nonnull(strstr(b.p, err_info(ERR_UP_TIMEOUT)->text));
    buf_clear(&s.out);
    buf_clear(&b);
    reader_clear(&r);
}
END_TEST

START_TEST(a_stream_error_that_does_not_fit_leaves_no_part_of_itself)
{
    size_t max;
    enum err e = ERR_FULL;

    for (max = 5; e == ERR_FULL; max++) {
        struct buf b;

        buf_init(&b, max);
        ck_assert_int_eq(buf_append_z(&b, "head"), ERR_OK);
        e = chat->write_stream_error(NULL, &b, ERR_INTERNAL, "x", "01K");
        if (e)
            ck_assert_str_eq(b.p, "head");
        buf_clear(&b);
    }
    ck_assert_int_eq(e, ERR_OK);
}
END_TEST

START_TEST(ping_and_end_are_what_clients_expect)
{
    struct reader r = reader_for(PLAIN, "m", "m");
    struct seen s;

    suite_see(&s, &r, chat->ping, 0);
    ck_assert_int_eq(s.verdict, EVENT_FORWARD);
    buf_clear(&s.out);
    ck_assert(slice_eq_z(chat->ping, ": keep-alive\n\n"));
    ck_assert_int_eq(chat->reader.read_end(&r), EVENT_MALFORMED);
    ck_assert(slice_copy_z(r.finish_reason, sizeof(r.finish_reason), SLICE("stop")));
    ck_assert_int_eq(chat->reader.read_end(&r), EVENT_END);
    ck_assert(slice_eq_z(r.replacement, "data: [DONE]\n\n"));
    ck_assert(r.is_ended);
    reader_clear(&r);
}
END_TEST

/* ---- cost ---- */

static void write_cost(void *ctx, const struct reader *r, char dst[READER_COST_SIZE])
{
    (void)snprintf(dst, READER_COST_SIZE, "%s%lld", (const char *)ctx,
                   (long long)r->counts.out_all);
}

static char cost_prefix[] = "0.00";

#define COST_USAGE "\"usage\":{\"prompt_tokens\":19,\"completion_tokens\":10,\"total_tokens\":29"

START_TEST(cost_goes_into_the_usage_of_a_whole_answer)
{
    static const struct {
        const char *body, *want;
    } rows[] = {
        {"{\"choices\":[{}], " COST_USAGE "} , \"model\":\"up-m\",\"x\":1.50}",
         "{\"choices\":[{}], " COST_USAGE ",\"cost\":0.0010} , \"model\":\"pub\",\"x\":1.50}"                                   },
        {"{\"model\":\"up-m\",\"choices\":[{}]," COST_USAGE ",\"cost\" : 7.5e-3,\"y\":[]}}",
         "{\"model\":\"pub\",\"choices\":[{}]," COST_USAGE ",\"cost\" : 0.0010,\"y\":[]}}"                                      },
        {"{\"choices\":[{}],\"usage\":{}}",                                                  "{\"choices\":[{}],\"usage\":{}}"  },
        {"{\"choices\":[{}],\"usage\":null}",                                                "{\"choices\":[{}],\"usage\":null}"},
        {"{\"choices\":[{}]}",                                                               "{\"choices\":[{}]}"               },
    };
    for (int i = 0; i < ROWS(rows); i++) {
        struct reader r = reader_for(BODY(""), "pub", "up-m");
        struct slice out;

        r.cost_text = write_cost;
        r.cost_ctx = cost_prefix;
        ck_assert_int_eq(chat->reader.read_whole(&r, slice_of(rows[i].body), &out), ERR_OK);
        ck_assert_msg(slice_eq_z(out, rows[i].want), "row %d: %.*s", i, SLICE_FMT(out));
        reader_clear(&r);
    }
}
END_TEST

START_TEST(cost_goes_into_the_usage_chunk_of_those_who_get_it)
{
    struct slice text = slice_of(stream);
    const char *want =
        "\"completion_tokens_details\":{\"reasoning_tokens\":3},\"cost\":0.0010}}\n\n";
    for (size_t cut = 0; cut <= text.n + 1; cut++) {
        struct reader r = reader_for(WANTED, "pub\"m", "up-m");
        struct seen s;

        r.cost_text = write_cost;
        r.cost_ctx = cost_prefix;
        suite_see(&s, &r, text, cut);
        ck_assert_ptr_nonnull(strstr(s.out.p, want));
        ck_assert_ptr_eq(strstr(s.out.p, "cost"), strstr(s.out.p, want) + strlen(want) - 16);
        buf_clear(&s.out);
        reader_clear(&r);
    }
}
END_TEST

START_TEST(cost_is_nowhere_when_the_usage_chunk_is_withheld)
{
    struct reader r = reader_for(PLAIN, "pub\"m", "up-m");
    struct seen s;

    r.cost_text = write_cost;
    r.cost_ctx = cost_prefix;
    suite_see(&s, &r, slice_of(stream), 0);
    ck_assert_str_eq(s.out.p, stream_for_client);
    buf_clear(&s.out);
    reader_clear(&r);
}
END_TEST

START_TEST(the_tier_is_the_last_that_the_answer_names)
{
    struct reader r = reader_for(PLAIN, "m", "m");
    struct slice out;
    struct seen s;

    suite_see(&s, &r,
              SLICE("data: {\"choices\":[],\"service_tier\":\"auto\"}\n\n"
                    "data: {\"choices\":[],\"service_tier\":\"priority\"}\n\n"
                    "data: {\"choices\":[],\"service_tier\":null}\n\n"
                    "data: {\"choices\":[],\"service_tier\":7}\n\n"),
              0);
    ck_assert_str_eq(r.service_tier, "priority");
    buf_clear(&s.out);
    reader_clear(&r);
    r = reader_for(BODY(""), "m", "m");
    ck_assert_int_eq(chat->reader.read_whole(&r, SLICE("{\"choices\":[{}]}"), &out), ERR_OK);
    ck_assert_str_eq(r.service_tier, "");
    ck_assert_int_eq(
        chat->reader.read_whole(&r, SLICE("{\"service_tier\":\"flex\",\"choices\":[{}]}"), &out),
        ERR_OK);
    ck_assert_str_eq(r.service_tier, "flex");
    reader_clear(&r);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("openai_chat_reader");
    TCase *cases = tcase_create("openai_chat_reader");

    suite_add_tcase(suite, cases);
    tcase_add_checked_fixture(cases, suite_arena_open, suite_arena_close);
    tcase_set_timeout(cases, 60);
    tcase_add_test(cases, cost_goes_into_the_usage_of_a_whole_answer);
    tcase_add_test(cases, cost_goes_into_the_usage_chunk_of_those_who_get_it);
    tcase_add_test(cases, cost_is_nowhere_when_the_usage_chunk_is_withheld);
    tcase_add_test(cases, the_tier_is_the_last_that_the_answer_names);
    tcase_add_test(cases, a_stream_is_overheard_alike_for_every_split);
    tcase_add_loop_test(cases, each_event_has_its_verdict, 0, ROWS(events));
    tcase_add_test(cases, an_error_inside_the_answer_is_kept_for_the_log);
    tcase_add_test(cases, every_kind_of_output_is_seen);
    tcase_add_loop_test(cases, usage_becomes_counts_that_do_not_overlap, 0, ROWS(usages));
    tcase_add_test(cases, the_last_usage_with_numbers_wins);
    tcase_add_test(cases, without_usage_the_counts_are_estimated);
    tcase_add_test(cases, a_whole_answer_is_overheard);
    tcase_add_test(cases, a_whole_answer_carries_the_public_model_name);
    tcase_add_loop_test(cases, usage_of_whole_answers_is_read_like_that_of_streams, 0,
                        ROWS(usages));
    tcase_add_test(cases, what_is_no_answer_is_refused);
    tcase_add_test(cases, a_providers_error_is_read_in_every_shape);
    tcase_add_loop_test(cases, an_input_that_is_too_long_is_told_from_other_refusals, 0,
                        ROWS(classes));
    tcase_add_test(cases, a_long_error_text_is_cut_at_a_character);
    tcase_add_test(cases, the_stream_error_is_the_published_one);
    tcase_add_test(cases, a_stream_error_that_does_not_fit_leaves_no_part_of_itself);
    tcase_add_test(cases, ping_and_end_are_what_clients_expect);
    return suite_run(suite);
}
