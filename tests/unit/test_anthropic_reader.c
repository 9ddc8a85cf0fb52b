#include "upstream/anthropic.h"

#include "base/buf.h"
#include "tests/unit/format_suite.h"
#include "upstream/sse.h"

#include <check.h>
#include <stdio.h>

#define REQUEST                                                                                    \
    "{\"model\":\"pub\",\"max_tokens\":9,\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]}"

static const struct format *const format = &format_anthropic;

static struct reader reader_for(const char *public_model)
{
    struct format_request *r = arena_alloc(arena, sizeof(*r));
    struct fault fault;
    struct reader reader;

    ck_assert_int_eq(
        format->read_request(&(struct format_call){.body = SLICE(REQUEST)}, arena, r, &fault),
        ERR_OK);
    ck_assert_int_eq(reader_init(&reader, format, r, arena), ERR_OK);
    reader.public_model = public_model;
    reader.upstream_model = "up-m";
    return reader;
}

#define EVENT(type, more) "event: " type "\ndata: {\"type\":\"" type "\"" more "}\n\n"
#define START_OF(model)                                                                            \
    EVENT("message_start",                                                                         \
          ",\"message\":{\"id\":\"msg_1\",\"type\":\"message\",\"role\":\"assistant\",\"model\":"  \
          "\"" model "\",\"content\":[],\"stop_reason\":null,\"usage\":{\"input_tokens\":12,"      \
          "\"cache_creation_input_tokens\":7,\"cache_read_input_tokens\":100,\"cache_creation\":"  \
          "{\"ephemeral_5m_input_tokens\":3,\"ephemeral_1h_input_tokens\":4},"                     \
          "\"output_tokens\":1,\"service_tier\":\"standard\"}}")
#define TEXT_BLOCK                                                                                 \
    EVENT("content_block_start",                                                                   \
          ",\"index\":0,\"content_block\":{\"type\":\"text\",\"text\":\"\"}")                      \
    EVENT("ping", "")                                                                              \
    EVENT("content_block_delta",                                                                   \
          ",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"Hello \\u4f60\"}")           \
    EVENT("content_block_stop", ",\"index\":0")
#define FINISH_WITH(usage)                                                                         \
    EVENT("message_delta",                                                                         \
          ",\"delta\":{\"stop_reason\":\"end_turn\",\"stop_sequence\":null},\"usage\":" usage)
#define USAGE "{\"output_tokens\":30,\"output_tokens_details\":{\"thinking_tokens\":11}}"
#define STOP  EVENT("message_stop", "")

static const char stream[] = START_OF("up-m") TEXT_BLOCK FINISH_WITH(USAGE) STOP;
static const char stream_for_client[] = START_OF("pub\\\"m") TEXT_BLOCK FINISH_WITH(USAGE) STOP;

static void check_stream(const char *public_model, const char *expected, size_t cut)
{
    struct reader r = reader_for(public_model);
    struct counts c;
    struct seen s;

    suite_see(&s, &r, slice_of(stream), cut);
    ck_assert_msg(slice_eq_z(buf_slice(&s.out), expected), "cut %zu: %.*s", cut,
                  SLICE_FMT(buf_slice(&s.out)));
    ck_assert_int_eq(s.verdict, EVENT_END);
    ck_assert(r.is_ended && r.has_content);
    ck_assert_int_eq(r.chunks, 1);
    ck_assert_str_eq(r.finish_reason, "end_turn");
    ck_assert_str_eq(r.service_tier, "standard");
    ck_assert_int_eq(r.output.ascii_bytes, 6);
    ck_assert_int_eq(r.output.other_chars, 1);
    c = reader_counts(&r);
    ck_assert(c.is_known && !c.is_estimated);
    ck_assert_int_eq(c.in_fresh, 12);
    ck_assert_int_eq(c.in_read, 100);
    ck_assert_int_eq(c.in_write, 3);
    ck_assert_int_eq(c.in_write_1h, 4);
    ck_assert_int_eq(c.out_all, 30);
    ck_assert_int_eq(c.out_think, 11);
    reader_clear(&r);
    buf_clear(&s.out);
}

START_TEST(a_stream_is_overheard_alike_for_every_split)
{
    size_t cut;

    for (cut = 0; cut <= sizeof(stream) + 1; cut++) {
        check_stream("up-m", stream, cut);
        check_stream("pub\"m", stream_for_client, cut);
    }
}
END_TEST

/* clang-format off */
static const struct {
    const char *type, *data;
    enum event_verdict verdict;
} events[] = {
    {"ping", "{\"type\":\"ping\"}", EVENT_FORWARD},
    {"", "{\"type\":\"ping\"}", EVENT_FORWARD},
    {"new_thing", "{\"type\":\"new_thing\",\"delta\":7}", EVENT_FORWARD},
    {"content_block_delta", "{\"type\":\"content_block_delta\",\"delta\":{\"type\":\"new\"}}",
     EVENT_FORWARD},
    {"message_stop", "{\"type\":\"message_stop\"}", EVENT_END},
    {"message_stop", "{}", EVENT_END},
    {"", "{\"type\":\"message_stop\"}", EVENT_END},
    {"content_block_delta", "{\"type\":", EVENT_MALFORMED},
    {"content_block_delta", "[]", EVENT_MALFORMED},
    {"", "[DONE]", EVENT_WITHHOLD},
    {"error", "{\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\"}}",
     EVENT_FAIL},
    {"error", "broken", EVENT_FAIL},
    {"error", "", EVENT_FAIL},
    {"", "{\"type\":\"error\",\"error\":{\"message\":\"m\"}}", EVENT_FAIL},
    {"", "", EVENT_FORWARD},
};
/* clang-format on */

START_TEST(each_event_has_its_verdict)
{
    struct reader r = reader_for("up-m");
    struct sse_event e = {.type = slice_of(events[_i].type), .data = slice_of(events[_i].data)};

    e.raw = e.data;
    ck_assert_int_eq(format->reader.read_event(&r, &e), events[_i].verdict);
    ck_assert_int_eq(r.is_ended, events[_i].verdict == EVENT_END);
    reader_clear(&r);
}
END_TEST

START_TEST(every_kind_of_output_is_seen)
{
    /* clang-format off */
    static const struct {
        const char *text;
        int64_t ascii;
        bool has_content;
    } kinds[] = {
        {EVENT("content_block_start", ",\"content_block\":{\"type\":\"text\",\"text\":\"\"}"), 0,
         false},
        {EVENT("content_block_start", ",\"content_block\":{\"type\":\"thinking\",\"thinking\":\"\","
                                      "\"signature\":\"\"}"), 0, false},
        {EVENT("content_block_delta", ",\"delta\":{\"type\":\"thinking_delta\",\"thinking\":\"ab\"}"),
         2, true},
        {EVENT("content_block_delta",
               ",\"delta\":{\"type\":\"signature_delta\",\"signature\":\"abcd\"}"), 0, false},
        {EVENT("content_block_start", ",\"content_block\":{\"type\":\"tool_use\",\"id\":\"t\","
                                      "\"name\":\"run\",\"input\":{}}"), 3, true},
        {EVENT("content_block_delta",
               ",\"delta\":{\"type\":\"input_json_delta\",\"partial_json\":\"{\\\"a\"}"), 3, true},
        {EVENT("content_block_start", ",\"content_block\":{\"type\":\"redacted_thinking\","
                                      "\"data\":\"abcde\"}"), 5, true},
        {EVENT("content_block_start", ",\"content_block\":{\"type\":\"web_search_tool_result\","
                                      "\"content\":[{\"title\":\"x\"}]}"), 0, true},
    };
    /* clang-format on */
    size_t i;

    for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        struct reader r = reader_for("up-m");
        struct seen s;

        suite_see(&s, &r, slice_of(kinds[i].text), 0);
        ck_assert_int_eq(r.output.ascii_bytes, kinds[i].ascii);
        ck_assert_int_eq(r.has_content, kinds[i].has_content);
        reader_clear(&r);
        buf_clear(&s.out);
    }
}
END_TEST

/* ---- usage ---- */

/* clang-format off */
static const struct {
    const char *usage;
    int64_t fresh, read, write, write_1h, out, think;
} usages[] = {
    {"{\"input_tokens\":5,\"output_tokens\":6}", 5, 0, 0, 0, 6, 0},
    {"{\"input_tokens\":5,\"cache_creation_input_tokens\":9,\"output_tokens\":6}", 5, 0, 9, 0, 6, 0},
    {"{\"input_tokens\":5,\"cache_creation_input_tokens\":9,\"cache_read_input_tokens\":null,"
     "\"cache_creation\":{\"ephemeral_1h_input_tokens\":4},\"output_tokens\":6}", 5, 0, 5, 4, 6, 0},
    {"{\"input_tokens\":0,\"cache_read_input_tokens\":8,\"output_tokens\":6,"
     "\"output_tokens_details\":{\"thinking_tokens\":99}}", 0, 8, 0, 0, 6, 6},
    {"{\"input_tokens\":-5,\"output_tokens\":1e30}", 0, 0, 0, 0, COUNT_MAX, 0},
    {"{\"input_tokens\":0,\"output_tokens\":0}", 0, 0, 0, 0, 0, 0},
    {"{\"input_tokens\":5,\"output_tokens\":6,\"iterations\":[{\"type\":\"compaction\","
     "\"input_tokens\":100,\"output_tokens\":50,\"cache_creation_input_tokens\":3},"
     "{\"type\":\"message\",\"input_tokens\":5,\"output_tokens\":6,\"cache_read_input_tokens\":2}]}",
     105, 2, 3, 0, 56, 0},
    {"{\"input_tokens\":5,\"output_tokens\":6,\"iterations\":[]}", 5, 0, 0, 0, 6, 0},
    {"{\"input_tokens\":5,\"output_tokens\":6,\"iterations\":[{\"type\":\"new\"}]}", 5, 0, 0, 0, 6, 0},
};
/* clang-format on */

static void check_counts(const struct reader *r, int i)
{
    struct counts c = reader_counts(r);

    ck_assert(c.is_known);
    ck_assert_int_eq(c.in_fresh, usages[i].fresh);
    ck_assert_int_eq(c.in_read, usages[i].read);
    ck_assert_int_eq(c.in_write, usages[i].write);
    ck_assert_int_eq(c.in_write_1h, usages[i].write_1h);
    ck_assert_int_eq(c.out_all, usages[i].out);
    ck_assert_int_eq(c.out_think, usages[i].think);
}

START_TEST(usage_becomes_counts_that_do_not_overlap)
{
    struct reader r = reader_for("up-m");
    struct slice out;
    struct seen s;
    char *text =
        arena_printf(arena, EVENT("message_delta", ",\"delta\":{},\"usage\":%s"), usages[_i].usage);

    suite_see(&s, &r, slice_of(text), 0);
    check_counts(&r, _i);
    reader_clear(&r);
    buf_clear(&s.out);
    r = reader_for("up-m");
    text =
        arena_printf(arena, "{\"type\":\"message\",\"content\":[],\"usage\":%s}", usages[_i].usage);
    ck_assert_int_eq(format->reader.read_whole(&r, slice_of(text), &out), ERR_OK);
    check_counts(&r, _i);
    reader_clear(&r);
}
END_TEST

START_TEST(a_stream_that_is_cut_pays_for_what_was_seen)
{
    struct reader r = reader_for("up-m");
    struct counts c;
    struct seen s;

    suite_see(&s, &r, SLICE(START_OF("up-m") TEXT_BLOCK), 0);
    c = reader_counts(&r);
    ck_assert(c.is_known && c.is_estimated);
    ck_assert_int_eq(c.in_fresh, 12);
    ck_assert_int_eq(c.out_all, text_size_tokens(&r.output));
    ck_assert_int_eq(c.out_all, 3);
    ck_assert_int_eq(format->reader.read_end(&r), EVENT_MALFORMED);
    reader_clear(&r);
    buf_clear(&s.out);
}
END_TEST

START_TEST(a_stream_that_told_no_input_yet_is_estimated_when_cut)
{
    struct reader r = reader_for("up-m");
    struct counts c;
    struct seen s;

    suite_see(&s, &r,
              SLICE(EVENT("message_start", ",\"message\":{\"usage\":{\"input_tokens\":0,"
                                           "\"output_tokens\":0}}") TEXT_BLOCK),
              0);
    c = reader_counts(&r);
    ck_assert(!c.is_known);
    ck_assert_int_gt(c.in_fresh, 0);
    ck_assert_int_eq(c.out_all, 3);
    reader_clear(&r);
    buf_clear(&s.out);
}
END_TEST

START_TEST(the_final_usage_overrides_the_first_member_by_member)
{
    struct reader r = reader_for("up-m");
    struct seen s;

    suite_see(&s, &r,
              SLICE(START_OF("up-m") FINISH_WITH(
                  "{\"input_tokens\":null,\"cache_read_input_tokens\":50,\"output_tokens\":4,"
                  "\"speed\":\"fast\"}")),
              0);
    ck_assert_int_eq(r.counts.in_fresh, 12);
    ck_assert_int_eq(r.counts.in_read, 50);
    ck_assert_int_eq(r.counts.out_all, 4);
    ck_assert_str_eq(r.service_tier, "fast");
    ck_assert_int_eq(format->reader.read_end(&r), EVENT_END);
    ck_assert(slice_eq_z(r.replacement, STOP));
    ck_assert(r.is_ended);
    reader_clear(&r);
    buf_clear(&s.out);
}
END_TEST

static void a_cost(void *ctx, const struct reader *r, char dst[READER_COST_SIZE])
{
    (void)ctx;
    (void)snprintf(dst, READER_COST_SIZE, "0.%06lld", (long long)r->counts.out_all);
}

START_TEST(cost_goes_into_the_last_usage)
{
    struct reader r = reader_for("up-m");
    struct slice out;
    struct seen s;

    r.cost_text = a_cost;
    suite_see(&s, &r, slice_of(stream), 0);
    ck_assert_str_eq(s.out.p,
                     START_OF("up-m") TEXT_BLOCK FINISH_WITH(
                         "{\"output_tokens\":30,\"output_tokens_details\":{\"thinking_tokens\":11},"
                         "\"cost\":0.000030}") STOP);
    reader_clear(&r);
    buf_clear(&s.out);
    r = reader_for("pub");
    r.cost_text = a_cost;
    ck_assert_int_eq(
        format->reader.read_whole(&r,
                                  SLICE("{\"model\":\"up-m\",\"content\":[],\"usage\":{"
                                        "\"input_tokens\":1,\"output_tokens\":2}}"),
                                  &out),
        ERR_OK);
    ck_assert(slice_eq_z(out, "{\"model\":\"pub\",\"content\":[],\"usage\":{\"input_tokens\":1,"
                              "\"output_tokens\":2,\"cost\":0.000002}}"));
    reader_clear(&r);
}
END_TEST

/* ---- whole answers ---- */

START_TEST(a_whole_answer_is_overheard)
{
    static const char body[] =
        "{\"id\":\"msg_1\",\"type\":\"message\",\"model\":\"up-m\",\"content\":[{\"type\":"
        "\"thinking\",\"thinking\":\"ab\",\"signature\":\"xxxx\"},{\"type\":\"text\",\"text\":"
        "\"cd\"},{\"type\":\"tool_use\",\"id\":\"t\",\"name\":\"f\",\"input\":{\"a\":1}}],"
        "\"stop_reason\":\"tool_use\",\"usage\":{\"input_tokens\":3,\"output_tokens\":4}}";
    struct reader r = reader_for("up-m");
    struct slice out;

    ck_assert_int_eq(format->reader.read_whole(&r, SLICE(body), &out), ERR_OK);
    ck_assert_ptr_eq(out.p, body);
    ck_assert(r.is_ended && r.has_content);
    ck_assert_str_eq(r.finish_reason, "tool_use");
    ck_assert_int_eq(r.output.ascii_bytes, 2 + 2 + 1 + 7);
    ck_assert_int_eq(r.counts.out_all, 4);
    reader_clear(&r);
}
END_TEST

START_TEST(what_is_no_answer_is_refused)
{
    /* clang-format off */
    static const struct {
        const char *body;
        enum err e;
    } bodies[] = {
        {"", ERR_UP_MALFORMED},
        {"[]", ERR_UP_MALFORMED},
        {"{\"type\":\"message\"}", ERR_UP_MALFORMED},
        {"{\"content\":\"x\"}", ERR_UP_MALFORMED},
        {"{\"type\":\"error\",\"error\":{\"type\":\"api_error\",\"message\":\"m\"}}", ERR_UP_FAILED},
        {"{\"error\":{\"message\":\"m\"}}", ERR_UP_FAILED},
    };
    /* clang-format on */
    struct slice out;
    size_t i;

    for (i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
        struct reader r = reader_for("up-m");

        ck_assert_int_eq(format->reader.read_whole(&r, slice_of(bodies[i].body), &out),
                         bodies[i].e);
        if (bodies[i].e == ERR_UP_FAILED)
            ck_assert_str_eq(r.error_text, "m");
        reader_clear(&r);
    }
}
END_TEST

START_TEST(a_providers_error_is_read_in_every_shape)
{
    /* clang-format off */
    static const struct {
        const char *body, *text, *code;
        enum err class;
    } bodies[] = {
        {"{\"type\":\"error\",\"error\":{\"type\":\"invalid_request_error\",\"message\":\"bad "
         "\\\"x\\\"\"},\"request_id\":\"req_1\"}", "bad \"x\"", "invalid_request_error",
         ERR_UP_REJECTED},
        {"{\"type\":\"error\",\"error\":{\"type\":\"invalid_request_error\",\"message\":\"prompt is "
         "too long: 9 tokens > 8 maximum\"}}", "prompt is too long: 9 tokens > 8 maximum",
         "invalid_request_error", ERR_UP_CONTEXT},
        {"{\"error\":{\"type\":\"invalid_request_error\",\"message\":\"m\",\"details\":"
         "{\"error_code\":\"image_dimensions_too_large\"}}}", "m", "image_dimensions_too_large",
         ERR_UP_REJECTED},
        {"{\"error\":\"plain\"}", "plain", "", ERR_UP_REJECTED},
        {"{\"message\":\"flat\",\"type\":\"t\"}", "flat", "t", ERR_UP_REJECTED},
        {"<html>", NULL, "", ERR_UP_REJECTED},
    };
    /* clang-format on */
    size_t i;

    for (i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
        struct reader r = reader_for("up-m");

        format->reader.read_error(&r, slice_of(bodies[i].body));
        ck_assert_str_eq(r.error_text,
                         bodies[i].text ? bodies[i].text : err_info(ERR_UP_REJECTED)->text);
        ck_assert_str_eq(r.error_code, bodies[i].code);
        ck_assert_int_eq(r.error_class, bodies[i].class);
        reader_clear(&r);
    }
}
END_TEST

START_TEST(an_error_inside_the_answer_is_kept_for_the_log)
{
    struct reader r = reader_for("up-m");
    struct seen s;

    suite_see(&s, &r,
              SLICE(START_OF("up-m") EVENT(
                  "error", ",\"error\":{\"type\":\"overloaded_error\",\"message\":\"Full\"}")),
              0);
    ck_assert_int_eq(s.verdict, EVENT_FAIL);
    ck_assert_str_eq(r.error_text, "Full");
    ck_assert_str_eq(r.error_code, "overloaded_error");
    reader_clear(&r);
    buf_clear(&s.out);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("anthropic_reader");
    TCase *cases = tcase_create("anthropic_reader");

    suite_add_tcase(suite, cases);
    tcase_add_checked_fixture(cases, suite_arena_open, suite_arena_close);
    tcase_set_timeout(cases, 60);
    tcase_add_test(cases, a_stream_is_overheard_alike_for_every_split);
    tcase_add_loop_test(cases, each_event_has_its_verdict, 0, ROWS(events));
    tcase_add_test(cases, every_kind_of_output_is_seen);
    tcase_add_loop_test(cases, usage_becomes_counts_that_do_not_overlap, 0, ROWS(usages));
    tcase_add_test(cases, a_stream_that_is_cut_pays_for_what_was_seen);
    tcase_add_test(cases, a_stream_that_told_no_input_yet_is_estimated_when_cut);
    tcase_add_test(cases, the_final_usage_overrides_the_first_member_by_member);
    tcase_add_test(cases, cost_goes_into_the_last_usage);
    tcase_add_test(cases, a_whole_answer_is_overheard);
    tcase_add_test(cases, what_is_no_answer_is_refused);
    tcase_add_test(cases, a_providers_error_is_read_in_every_shape);
    tcase_add_test(cases, an_error_inside_the_answer_is_kept_for_the_log);
    return suite_run(suite);
}
