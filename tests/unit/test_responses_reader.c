#include "upstream/responses.h"

#include "base/buf.h"
#include "tests/unit/format_suite.h"

#include <check.h>
#include <string.h>

#define ARENA_MAX (1 << 22)
#define STREAM    "{\"model\":\"pub\",\"input\":\"hi\",\"stream\":true,\"instructions\":\"be kind\"}"

#define USAGE                                                                                      \
    "{\"input_tokens\":50,\"input_tokens_details\":{\"cached_tokens\":20,\"cache_write_tokens\":"  \
    "5},\"output_tokens\":30,\"output_tokens_details\":{\"reasoning_tokens\":10},"                 \
    "\"total_tokens\":80}"
#define CREATED                                                                                    \
    "event: response.created\n"                                                                    \
    "data: {\"type\":\"response.created\",\"sequence_number\":0,\"response\":{\"id\":\"resp_7\","  \
    "\"object\":\"response\",\"created_at\":1741290958,\"model\":\"up\",\"status\":"               \
    "\"in_progress\",\"output\":[],\"usage\":null}}\n\n"
#define ADDED                                                                                      \
    "event: response.output_item.added\n"                                                          \
    "data: {\"type\":\"response.output_item.added\",\"sequence_number\":1,\"output_index\":0,"     \
    "\"item\":{\"type\":\"message\",\"id\":\"msg_1\",\"content\":[]}}\n\n"
#define DELTA                                                                                      \
    "event: response.output_text.delta\n"                                                          \
    "data: {\"type\":\"response.output_text.delta\",\"sequence_number\":2,\"item_id\":\"msg_1\","  \
    "\"output_index\":0,\"content_index\":0,\"delta\":\"a\\nb\xc3\xa9\"}\n\n"
#define DONE                                                                                       \
    "event: response.output_item.done\n"                                                           \
    "data: {\"type\":\"response.output_item.done\",\"sequence_number\":3,\"output_index\":0,"      \
    "\"item\":{\"type\":\"message\",\"content\":[{\"type\":\"output_text\",\"text\":"              \
    "\"a\\nb\xc3\xa9\"}]}}\n\n"
#define CALL_DONE                                                                                  \
    "event: response.output_item.done\n"                                                           \
    "data: {\"type\":\"response.output_item.done\",\"sequence_number\":4,\"output_index\":1,"      \
    "\"item\":{\"type\":\"function_call\",\"call_id\":\"call_1\",\"name\":\"f\",\"arguments\":"    \
    "\"{}\"}}\n\n"
#define COMPLETED(usage)                                                                           \
    "event: response.completed\n"                                                                  \
    "data: {\"type\":\"response.completed\",\"sequence_number\":5,\"response\":{\"id\":"           \
    "\"resp_7\",\"model\":\"up\",\"status\":\"completed\",\"service_tier\":\"flex\",\"output\":"   \
    "[{\"type\":\"message\",\"content\":[{\"type\":\"output_text\",\"text\":\"ab\"}]}],"           \
    "\"usage\":" usage "}}\n\n"

static const struct format *const responses = &format_openai_responses;

static struct reader reader_for(const char *public_model, const char *upstream_model)
{
    struct format_request *in = arena_alloc(arena, sizeof(*in));
    struct fault fault;
    struct reader r;

    ck_assert_int_eq(
        responses->read_request(&(struct format_call){.body = SLICE(STREAM)}, arena, in, &fault),
        ERR_OK);
    ck_assert_int_eq(reader_init(&r, responses, in, arena), ERR_OK);
    r.public_model = public_model;
    r.upstream_model = upstream_model;
    return r;
}

static void finish(struct seen *s)
{
    buf_clear(&s->out);
    reader_clear(s->reader);
}

START_TEST(a_stream_is_the_same_for_every_split)
{
    static const char text[] = CREATED ADDED DELTA DONE CALL_DONE COMPLETED(USAGE);
    size_t cut;

    for (cut = 0; cut <= strlen(text) + 1; cut++) {
        struct reader r = reader_for("up", "up");
        struct seen s;

        suite_see(&s, &r, slice_of(text), cut);
        ck_assert_int_eq(s.verdict, EVENT_END);
        ck_assert(slice_eq_z(buf_slice(&s.out), text));
        ck_assert(r.is_ended && r.has_content);
        ck_assert_str_eq(r.finish_reason, "completed");
        ck_assert_str_eq(r.service_tier, "flex");
        ck_assert_int_eq(r.sequence, 6);
        ck_assert(slice_eq_z(responses_answer_id(&r), "resp_7"));
        ck_assert_int_eq(r.counts.in_fresh, 25);
        ck_assert_int_eq(r.counts.in_read, 20);
        ck_assert_int_eq(r.counts.in_write, 5);
        ck_assert_int_eq(r.counts.out_all, 30);
        ck_assert_int_eq(r.counts.out_think, 10);
        /* the message by its delta, not again when it is done; the call, which had none, by it */
        ck_assert_int_eq(r.output.ascii_bytes, 3 + 1 + 2);
        ck_assert_int_eq(r.output.other_chars, 1);
        ck_assert_int_eq(r.chunks, 2);
        finish(&s);
        arena_reset(arena);
    }
}
END_TEST

static void cost_text(void *ctx, const struct reader *r, char dst[READER_COST_SIZE])
{
    (void)ctx;
    (void)r;
    strcpy(dst, "0.25");
}

START_TEST(the_model_is_renamed_and_the_cost_is_told)
{
    struct reader r = reader_for("pub", "up");
    struct seen s;

    r.cost_text = cost_text;
    suite_see(&s, &r, slice_of(CREATED DELTA COMPLETED(USAGE)), 0);
    ck_assert_ptr_null(strstr(s.out.p, "\"model\":\"up\""));
    ck_assert_ptr_nonnull(strstr(s.out.p, "\"model\":\"pub\""));
    ck_assert_ptr_nonnull(strstr(s.out.p, "\"total_tokens\":80,\"cost\":0.25}"));
    finish(&s);
}
END_TEST

START_TEST(an_answer_that_stands_only_in_its_last_event_is_counted)
{
    struct reader r = reader_for("up", "up");
    struct seen s;

    suite_see(&s, &r, slice_of(CREATED COMPLETED("null")), 0);
    ck_assert_int_eq(s.verdict, EVENT_END);
    ck_assert(!r.counts.is_known);
    ck_assert_int_eq(r.output.ascii_bytes, 2);
    ck_assert_int_eq(reader_counts(&r).out_all, 1);
    finish(&s);
}
END_TEST

START_TEST(an_incomplete_answer_ends_with_its_reason)
{
    struct reader r = reader_for("up", "up");
    struct seen s;

    suite_see(
        &s, &r,
        SLICE(DELTA
              "data: {\"type\":\"response.incomplete\",\"response\":{\"status\":\"incomplete\","
              "\"incomplete_details\":{\"reason\":\"max_output_tokens\"},\"usage\":" USAGE
              "}}\n\n"),
        0);
    ck_assert_int_eq(s.verdict, EVENT_END);
    ck_assert_str_eq(r.finish_reason, "max_output_tokens");
    ck_assert(r.counts.is_known);
    finish(&s);
}
END_TEST

static const struct {
    const char *text;
    enum event_verdict verdict;
    const char *error_text, *error_code;
} ends[] = {
    {CREATED "event: response.failed\ndata: {\"type\":\"response.failed\",\"response\":{\"error\":"
             "{\"code\":\"server_error\",\"message\":\"boom\"}}}\n\n",                       EVENT_FAIL,      "boom", "server_error"       },
    {"event: error\ndata: {\"type\":\"error\",\"code\":\"rate_limit_exceeded\",\"message\":"
     "\"slow\",\"param\":null}\n\n",                                                         EVENT_FAIL,      "slow", "rate_limit_exceeded"},
    {"event: error\ndata: {\"type\":\"error\",\"error\":{\"code\":\"c\",\"message\":\"m\"}}\n\n",
     EVENT_FAIL,                                                                                                   "m",    "c"                  },
    {"data: {\"error\":{\"message\":\"x\",\"type\":\"t\"}}\n\n",                                  EVENT_FAIL,      "x",    "t"                  },
    {"event: error\ndata: oops\n\n",                                                              EVENT_FAIL,      NULL,   ""                   },
    {"event: error\ndata:\n\n",                                                                   EVENT_FAIL,      NULL,   ""                   },
    {"data: oops\n\n",                                                                            EVENT_MALFORMED, NULL,   ""                   },
    {"data: [1]\n\n",                                                                             EVENT_MALFORMED, NULL,   ""                   },
    {": comment\n\n",                                                                             EVENT_FORWARD,   NULL,   ""                   },
    {"data: [DONE]\n\n",                                                                          EVENT_WITHHOLD,  NULL,   ""                   },
    {"data: {\"type\":\"response.new_thing\",\"x\":[]}\n\n",                                      EVENT_FORWARD,   NULL,   ""                   },
};

START_TEST(each_event_has_its_verdict)
{
    struct reader r = reader_for("up", "up");
    struct seen s;

    suite_see(&s, &r, slice_of(ends[_i].text), 0);
    ck_assert_int_eq(s.verdict, ends[_i].verdict);
    if (ends[_i].verdict == EVENT_FAIL) {
        ck_assert_str_eq(r.error_text,
                         ends[_i].error_text ? ends[_i].error_text : err_info(ERR_UP_FAILED)->text);
        ck_assert_str_eq(r.error_code, ends[_i].error_code);
    }
    ck_assert_int_eq(responses->reader.read_end(&r), EVENT_MALFORMED);
    finish(&s);
}
END_TEST

START_TEST(a_whole_answer_is_read)
{
    static const char body[] =
        "{\"id\":\"resp_9\",\"object\":\"response\",\"status\":\"completed\",\"error\":null,"
        "\"model\":\"up\",\"output\":[{\"type\":\"reasoning\",\"summary\":[{\"type\":"
        "\"summary_text\",\"text\":\"hm\"}]},{\"type\":\"custom_tool_call\",\"name\":\"f\","
        "\"input\":\"abc\"}],\"usage\":" USAGE "}";
    struct reader r = reader_for("pub", "up");
    struct slice out;

    ck_assert_int_eq(responses->reader.read_whole(&r, SLICE(body), &out), ERR_OK);
    ck_assert_ptr_nonnull(memmem(out.p, out.n, "\"model\":\"pub\"", 13));
    ck_assert_int_eq(r.output.ascii_bytes, 2 + 1 + 3);
    ck_assert_int_eq(r.counts.out_all, 30);
    ck_assert(r.is_ended && r.has_content);
    ck_assert(slice_eq_z(responses_answer_id(&r), "resp_9"));
    reader_clear(&r);
}
END_TEST

static const struct {
    const char *body;
    enum err e;
    const char *text;
} wholes[] = {
    {"{\"status\":\"failed\",\"error\":{\"code\":\"x\",\"message\":\"bad\"},\"output\":[]}",
     ERR_UP_FAILED,                                                                                            "bad"},
    {"{\"status\":\"cancelled\",\"error\":null,\"output\":[],\"message\":\"gone\"}",         ERR_UP_FAILED,
     "gone"                                                                                                         },
    {"{\"error\":{\"message\":\"e\"}}",                                                      ERR_UP_FAILED,    "e"  },
    {"{\"status\":\"queued\"}",                                                              ERR_UP_MALFORMED, NULL },
    {"[]",                                                                                   ERR_UP_MALFORMED, NULL },
    {"{",                                                                                    ERR_UP_MALFORMED, NULL },
};

START_TEST(a_whole_answer_that_is_none_is_told)
{
    struct reader r = reader_for("up", "up");
    struct slice out;

    ck_assert_int_eq(responses->reader.read_whole(&r, slice_of(wholes[_i].body), &out),
                     wholes[_i].e);
    if (wholes[_i].text)
        ck_assert_str_eq(r.error_text, wholes[_i].text);
    reader_clear(&r);
}
END_TEST

START_TEST(errors_before_the_answer_keep_text_code_and_class)
{
    struct reader r = reader_for("up", "up");

    responses->reader.read_error(
        &r, SLICE("{\"error\":{\"message\":\"Your input exceeds the context window of this "
                  "model.\",\"code\":\"context_length_exceeded\"}}"));
    ck_assert_int_eq(r.error_class, ERR_UP_CONTEXT);
    ck_assert_str_eq(r.error_code, "context_length_exceeded");
    responses->reader.read_error(&r, SLICE("{\"error\":{\"message\":\"no\",\"code\":null,"
                                           "\"type\":\"invalid_request_error\"}}"));
    ck_assert_int_eq(r.error_class, ERR_UP_REJECTED);
    ck_assert_str_eq(r.error_text, "no");
    ck_assert_str_eq(r.error_code, "invalid_request_error");
    responses->reader.read_error(&r, SLICE("<html>"));
    ck_assert_str_eq(r.error_text, err_info(ERR_UP_REJECTED)->text);
    reader_clear(&r);
}
END_TEST

START_TEST(a_failure_ends_the_response_that_was_begun)
{
    struct reader r = reader_for("pub", "up");
    struct jvalue v;
    struct seen s;
    struct buf b;

    suite_see(&s, &r, slice_of(CREATED ADDED), 0);
    buf_init(&b, 1 << 16);
    ck_assert_int_eq(responses->write_stream_error(&r, &b, ERR_UP_CUT, "it \"broke\"", "rid"),
                     ERR_OK);
    ck_assert(slice_starts(buf_slice(&b),
                           "event: response.failed\ndata: {\"type\":\"response.failed\","
                           "\"sequence_number\":2,\"response\":{\"id\":\"resp_7\",\"object\":"
                           "\"response\",\"created_at\":1741290958,"));
    ck_assert_ptr_nonnull(strstr(b.p, "\"status\":\"failed\",\"background\":false,\"error\":"
                                      "{\"code\":\"server_error\",\"message\":\"it "
                                      "\\\"broke\\\"\"}"));
    ck_assert_ptr_nonnull(strstr(b.p, "\"instructions\":\"be kind\""));
    ck_assert_ptr_nonnull(strstr(b.p, "\"model\":\"pub\""));
    ck_assert_str_eq(b.p + b.n - 2, "\n\n");
    ck_assert_int_eq(
        jscan_validate((struct slice){strchr(b.p, '{'), (size_t)(b.p + b.n - strchr(b.p, '{'))}, &v,
                       NULL),
        ERR_OK);
    buf_clear(&b);
    finish(&s);
}
END_TEST

START_TEST(a_failure_before_any_response_is_a_bare_event)
{
    struct reader r = reader_for("pub", "up");
    struct buf b;

    buf_init(&b, 1 << 16);
    ck_assert_int_eq(responses->write_stream_error(&r, &b, ERR_UP_RATE, NULL, "rid"), ERR_OK);
    ck_assert(slice_starts(buf_slice(&b), "event: error\ndata: {\"type\":\"error\","
                                          "\"sequence_number\":0,\"code\":"
                                          "\"rate_limit_exceeded\",\"message\":\""));
    buf_clear(&b);
    buf_init(&b, 40); /* nothing of it when it does not fit */
    ck_assert_int_eq(responses->write_stream_error(&r, &b, ERR_UP_RATE, NULL, "rid"), ERR_FULL);
    ck_assert_uint_eq(b.n, 0);
    buf_clear(&b);
    reader_clear(&r);
}
END_TEST

START_TEST(usage_is_split_into_counters_that_do_not_overlap)
{
    static const struct {
        const char *text;
        bool is_known;
        int64_t wanted[6]; /* in the order of struct counts */
    } rows[] = {
        {USAGE,                                                           true,  {25, 20, 5, 0, 30, 10}},
        {"{\"input_tokens\":10,\"output_tokens\":3}",                     true,  {10, 0, 0, 0, 3, 0}   },
        {"{\"input_tokens\":10,\"output_tokens\":3,\"total_tokens\":20}",
         true,                                                                   {10, 0, 0, 0, 10, 0}  },
        {"{\"input_tokens\":10,\"input_tokens_details\":{\"cache_write_tokens\":6,"
         "\"cache_write_tokens_details\":{\"ttl_30m_tokens\":2,\"ttl_12h_tokens\":4}},"
         "\"output_tokens\":-3}",                                true,
         {4, 0, 2, 4, 0, 0}                                                                            },
        {"{\"input_tokens\":1,\"input_tokens_details\":{\"cached_tokens\":9},\"output_tokens\":2,"
         "\"output_tokens_details\":{\"reasoning_tokens\":7}}",  true,
         {0, 9, 0, 0, 2, 2}                                                                            },
        {"{\"total_tokens\":7}",                                          true,  {7, 0, 0, 0, 0, 0}    },
        {"{}",                                                            false, {0}                   },
        {"null",                                                          false, {0}                   },
    };
    int64_t got[6];
    size_t i, k;

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct counts c = {0};
        struct jvalue v;

        ck_assert_int_eq(jscan_validate(slice_of(rows[i].text), &v, NULL), ERR_OK);
        ck_assert_int_eq(responses_read_usage(v, &c), rows[i].is_known);
        got[0] = c.in_fresh;
        got[1] = c.in_read;
        got[2] = c.in_write;
        got[3] = c.in_write_1h;
        got[4] = c.out_all;
        got[5] = c.out_think;
        for (k = 0; k < 6; k++)
            ck_assert_msg(got[k] == rows[i].wanted[k], "%s: %zu", rows[i].text, k);
    }
}
END_TEST

START_TEST(memory_that_runs_out_is_malformed_not_a_crash)
{
    struct format_request in;
    struct fault fault;
    size_t max, failed = 0;
    bool is_read = false;

    ck_assert_int_eq(
        responses->read_request(&(struct format_call){.body = SLICE(STREAM)}, arena, &in, &fault),
        ERR_OK);
    for (max = 0; !is_read && max < ARENA_MAX; max += 16) {
        struct arena *a = arena_new(max);
        struct reader r;
        struct seen s;

        if (!reader_init(&r, responses, &in, a)) {
            suite_see(&s, &r, slice_of(CREATED), 0);
            is_read = s.verdict == EVENT_FORWARD;
            failed += !is_read;
            finish(&s);
        }
        arena_free(a);
    }
    ck_assert(is_read);
    ck_assert_uint_gt(failed, 0);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("responses_reader");
    TCase *t = tcase_create("all");

    tcase_add_checked_fixture(t, suite_arena_open, suite_arena_close);
    tcase_set_timeout(t, 60);
    tcase_add_test(t, a_stream_is_the_same_for_every_split);
    tcase_add_test(t, the_model_is_renamed_and_the_cost_is_told);
    tcase_add_test(t, an_answer_that_stands_only_in_its_last_event_is_counted);
    tcase_add_test(t, an_incomplete_answer_ends_with_its_reason);
    tcase_add_loop_test(t, each_event_has_its_verdict, 0, ROWS(ends));
    tcase_add_test(t, a_whole_answer_is_read);
    tcase_add_loop_test(t, a_whole_answer_that_is_none_is_told, 0, ROWS(wholes));
    tcase_add_test(t, errors_before_the_answer_keep_text_code_and_class);
    tcase_add_test(t, a_failure_ends_the_response_that_was_begun);
    tcase_add_test(t, a_failure_before_any_response_is_a_bare_event);
    tcase_add_test(t, usage_is_split_into_counters_that_do_not_overlap);
    tcase_add_test(t, memory_that_runs_out_is_malformed_not_a_crash);
    suite_add_tcase(s, t);
    return suite_run(s);
}
