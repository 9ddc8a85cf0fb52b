#include "upstream/gemini.h"

#include "base/buf.h"
#include "tests/unit/format_suite.h"
#include "upstream/sse.h"

#include <check.h>
#include <stdio.h>
#include <string.h>

#define BODY "{\"contents\":[{\"parts\":[{\"text\":\"Hello there\"}]}]}"

static const struct format *const gemini = &format_gemini;

static struct reader reader_with(struct format_call call, const char *public_model)
{
    struct format_request *r = arena_alloc(arena, sizeof(*r));
    struct fault fault;
    struct reader reader;

    call.body = call.body.p ? call.body : SLICE(BODY);
    call.model = SLICE("m");
    ck_assert_int_eq(gemini->read_request(&call, arena, r, &fault), ERR_OK);
    ck_assert_int_eq(reader_init(&reader, gemini, r, arena), ERR_OK);
    reader.public_model = public_model;
    reader.upstream_model = "up";
    return reader;
}

static struct reader stream_reader(bool is_array, const char *public_model)
{
    return reader_with((struct format_call){.is_stream = true, .is_array = is_array}, public_model);
}

static enum err see(void *ctx, const struct sse_event *e)
{
    struct seen *s = ctx;

    s->verdict = gemini->reader.read_event(s->reader, e);
    s->events++;
    if (s->verdict != EVENT_FORWARD)
        return ERR_OK;
    return buf_append_slice(&s->out, s->reader->replacement.p ? s->reader->replacement : e->raw);
}

static void feed(struct seen *s, struct reader *r, struct slice text, size_t cut)
{
    *s = (struct seen){.reader = r};
    buf_init(&s->out, 1 << 20);
    suite_feed(text, cut, see, s);
}

static void finish(struct seen *s)
{
    s->reader->replacement = (struct slice){NULL, 0};
    s->verdict = gemini->reader.read_end(s->reader);
    if (s->verdict == EVENT_END && s->reader->replacement.p)
        ck_assert_int_eq(buf_append_slice(&s->out, s->reader->replacement), ERR_OK);
}

static void done(struct seen *s)
{
    buf_clear(&s->out);
    reader_clear(s->reader);
}

#define PARTS(parts) "\"content\":{\"parts\":[" parts "],\"role\":\"model\"}"
#define TAIL(model)  "\"modelVersion\":\"" model "\",\"responseId\":\"r1\"}"
#define FIRST(model)                                                                               \
    "{\"candidates\":[{" PARTS(                                                                    \
        "{\"text\":\"Let \\u4f60\",\"thought\":true}") ",\"index\":0}],"                           \
                                                       "\"usageMetadata\":{\"promptTokenCount\":"  \
                                                       "19,\"totalTokenCount\":19}," TAIL(model)
#define SECOND(model)                                                                              \
    "{\"candidates\":[{" PARTS(                                                                    \
        "{\"functionCall\":{\"name\":\"f\",\"args\":{\"a\":1}},"                                   \
        "\"thoughtSignature\":\"c2ln\"}") "}],\"usageMetadata\":{"                                 \
                                          "\"promptTokenCount\":19,\"candidatesTokenCount\":2,"    \
                                          "\"totalTokenCount\":21}," TAIL(model)
#define LAST(model)                                                                                \
    "{\"candidates\":[{" PARTS(                                                                    \
        "{\"text\":\"\"}") ",\"finishReason\":\"STOP\",\"index\":0}],"                             \
                           "\"usageMetadata\":{\"promptTokenCount\":19,"                           \
                           "\"cachedContentTokenCount\":4,"                                        \
                           "\"candidatesTokenCount\":7,\"thoughtsTokenCount\":3,"                  \
                           "\"toolUsePromptTokenCount\":5,"                                        \
                           "\"totalTokenCount\":34,\"serviceTier\":\"PRIORITY\"}," TAIL(model)

static const char stream[] = "data: " FIRST("up-001") "\n\n: note\n\ndata: " SECOND(
    "up-001") "\r\n\r\ndata: " LAST("up-001") "\n\n";
static const char stream_for_client[] =
    "data: " FIRST("pub") "\n\ndata: " SECOND("pub") "\r\n\r\ndata: " LAST("pub") "\n\n";
static const char array_for_client[] =
    "[" FIRST("pub") "\n,\n" SECOND("pub") "\n,\n" LAST("pub") "\n]";

static void check_stream(bool is_array, const char *expected, size_t cut)
{
    struct reader r = stream_reader(is_array, "pub");
    struct counts c;
    struct seen s;

    feed(&s, &r, slice_of(stream), cut);
    ck_assert_int_eq(s.verdict, EVENT_WITHHOLD); /* the finish waits for the settlement */
    ck_assert(!r.is_ended && strstr(s.out.p, "STOP") == NULL);
    finish(&s);
    ck_assert_int_eq(s.verdict, EVENT_END);
    ck_assert_msg(slice_eq_z(buf_slice(&s.out), expected), "cut %zu: %.*s", cut,
                  SLICE_FMT(buf_slice(&s.out)));
    c = reader_counts(&r);
    ck_assert(c.is_known && r.is_ended && r.has_content);
    ck_assert_int_eq(c.in_fresh, 20);
    ck_assert_int_eq(c.in_read, 4);
    ck_assert_int_eq(c.out_all, 10);
    ck_assert_int_eq(c.out_think, 3);
    ck_assert_str_eq(r.finish_reason, "STOP");
    ck_assert_str_eq(r.service_tier, "priority");
    ck_assert_int_eq(r.chunks, 2);
    ck_assert_int_eq(r.output.ascii_bytes, 4 + 1 + 7);
    ck_assert_int_eq(r.output.other_chars, 1);
    done(&s);
}

START_TEST(a_stream_is_overheard_alike_for_every_split)
{
    size_t cut;

    for (cut = 0; cut <= strlen(stream) + 1; cut++) {
        check_stream(false, stream_for_client, cut);
        check_stream(true, array_for_client, cut);
        arena_reset(arena);
    }
}
END_TEST

#define CHUNK(text, more) "{\"candidates\":[{" PARTS("{\"text\":\"" text "\"}") more "}]}"
#define STOP              ",\"finishReason\":\"STOP\""

START_TEST(a_finish_in_every_chunk_does_not_hold_the_answer_up)
{
    static const char text[] = "data: " CHUNK("a", STOP) "\n\ndata: " CHUNK(
        "b", STOP) "\n\ndata: {\"usageMetadata\":{\"promptTokenCount\":1}}\n\n";
    struct reader r = stream_reader(false, "up");
    struct seen s;

    feed(&s, &r, SLICE(text), 0);
    ck_assert(slice_eq_z(buf_slice(&s.out), "data: " CHUNK("a", STOP) "\n\n"));
    finish(&s);
    ck_assert(slice_eq_z(buf_slice(&s.out), text));
    done(&s);
}
END_TEST

START_TEST(an_array_goes_on_behind_an_early_finish)
{
    static const char text[] =
        "data: " CHUNK("a", STOP) "\n\ndata: " CHUNK("b", STOP) "\n\n"
                                                                "data: {}\n\n";
    struct reader r = stream_reader(true, "up");
    struct seen s;

    feed(&s, &r, SLICE(text), 0);
    ck_assert(slice_eq_z(buf_slice(&s.out), "[" CHUNK("a", STOP)));
    finish(&s);
    ck_assert(
        slice_eq_z(buf_slice(&s.out), "[" CHUNK("a", STOP) "\n,\n" CHUNK("b", STOP) "\n,\n{}\n]"));
    done(&s);
}
END_TEST

START_TEST(a_last_line_without_its_end_gets_one)
{
    static const char text[] = "data: " CHUNK("a", STOP);
    struct reader r = stream_reader(false, "up");
    struct seen s;

    feed(&s, &r, SLICE(text), 0);
    finish(&s);
    ck_assert(slice_eq_z(buf_slice(&s.out), "data: " CHUNK("a", STOP) "\n\n"));
    done(&s);
}
END_TEST

START_TEST(a_stream_without_a_finish_was_cut)
{
    struct reader r = stream_reader(false, "up");
    struct counts c;
    struct seen s;

    feed(&s, &r,
         SLICE("data: {\"candidates\":[{" PARTS(
             "{\"text\":\"Hello you\"}") "}],"
                                         "\"usageMetadata\":{\"promptTokenCount\":19,"
                                         "\"totalTokenCount\":19}}\n\n"),
         0);
    ck_assert_int_eq(s.verdict, EVENT_FORWARD);
    finish(&s);
    ck_assert_int_eq(s.verdict, EVENT_MALFORMED);
    c = reader_counts(&r); /* what came is estimated: the usage told of the prompt only */
    ck_assert(!c.is_known && c.out_all == 3);
    done(&s);
}
END_TEST

START_TEST(a_blocked_prompt_is_an_answer)
{
    static const char text[] =
        "data: {\"promptFeedback\":{\"blockReason\":\"PROHIBITED_CONTENT\"},"
        "\"usageMetadata\":{\"promptTokenCount\":8,\"totalTokenCount\":8}}\n\n";
    struct reader r = stream_reader(false, "up");
    struct seen s;

    feed(&s, &r, SLICE(text), 0);
    finish(&s);
    ck_assert_int_eq(s.verdict, EVENT_END);
    ck_assert(slice_eq_z(buf_slice(&s.out), text));
    ck_assert_str_eq(r.finish_reason, "PROHIBITED_CONTENT");
    ck_assert(r.counts.is_known && r.counts.in_fresh == 8 && r.counts.out_all == 0);
    ck_assert(!r.has_content);
    done(&s);
}
END_TEST

static const struct {
    const char *event;
    enum event_verdict verdict;
    const char *out; /* NULL: nothing */
} events[] = {
    {": comment\n\n",                                          EVENT_WITHHOLD,  NULL                        },
    {"\n",                                                     EVENT_WITHHOLD,  NULL                        },
    {"data: [DONE]\n\n",                                       EVENT_WITHHOLD,  NULL                        },
    {"data: {}\n\n",                                           EVENT_FORWARD,   "data: {}\n\n"              },
    {"data: {\"a\":1\n\n",                                     EVENT_MALFORMED, NULL                        },
    {"data: <html>\n\n",                                       EVENT_MALFORMED, NULL                        },
    {"data: []\n\n",                                           EVENT_MALFORMED, NULL                        },
    {"data: {\"error\":{\"code\":503,\"message\":\"m\"}}\n\n", EVENT_FAIL,      NULL                        },
    {"data: {\"error\":null}\n\n",                             EVENT_FORWARD,   "data: {\"error\":null}\n\n"},
    {"data: {\"modelVersion\":\"x\",\"z\":1.0}\n\n",           EVENT_FORWARD,
     "data: {\"modelVersion\":\"pub\",\"z\":1.0}\n\n"                                                       },
    {"data: {\"candidates\":[{\"content\":{}}]}\n\n",          EVENT_FORWARD,
     "data: {\"candidates\":[{\"content\":{}}]}\n\n"                                                        },
};

START_TEST(each_event_has_its_verdict)
{
    struct reader r = stream_reader(false, "pub");
    struct seen s;

    feed(&s, &r, slice_of(events[_i].event), 0);
    ck_assert_uint_eq(s.events, 1);
    ck_assert_int_eq(s.verdict, events[_i].verdict);
    ck_assert(slice_eq_z(buf_slice(&s.out), events[_i].out ? events[_i].out : ""));
    done(&s);
}
END_TEST

/* ---- errors ---- */

static const struct {
    const char *body, *text, *code;
    enum err error_class;
} refusals[] = {
    {"{\"error\":{\"code\":400,\"message\":\"bad field\",\"status\":\"INVALID_ARGUMENT\"}}",
     "bad field",                                                                                                                                                           "INVALID_ARGUMENT", ERR_UP_REJECTED},
    {"[{\"error\":{\"code\":404,\"message\":\"none\",\"status\":\"NOT_FOUND\"}}]\n",         "none",
     "NOT_FOUND",                                                                                                                                                                               ERR_UP_REJECTED},
    {"{\"error\":{\"code\":400,\"message\":\"The input token count (9) exceeds the maximum number "
     "of tokens allowed (8).\",\"status\":\"INVALID_ARGUMENT\"}}",                      "The input token count (9) exceeds the maximum number of tokens allowed (8).",
     "INVALID_ARGUMENT",                                                                                                                                                                        ERR_UP_CONTEXT },
    {"{\"error\":{\"code\":400,\"message\":\"API key not valid.\",\"status\":\"INVALID_ARGUMENT\","
     "\"details\":[{\"@type\":\"x\",\"reason\":\"API_KEY_INVALID\"}]}}",                "API key not valid.",                                                          "INVALID_ARGUMENT", ERR_UP_AUTH    },
    {"{\"error\":{\"code\":429,\"message\":\"quota\",\"status\":\"RESOURCE_EXHAUSTED\"}}",   "quota",
     "RESOURCE_EXHAUSTED",                                                                                                                                                                      ERR_UP_RATE    },
    {"{\"error\":\"broken\"}",                                                               "broken",                                                                      "",                 ERR_UP_REJECTED},
    {"<html>",                                                                               "The provider of this model rejected the request.",                            "",                 ERR_UP_REJECTED},
    {"[]",                                                                                   "The provider of this model rejected the request.",                            "",                 ERR_UP_REJECTED},
};

START_TEST(an_error_body_is_understood)
{
    struct reader r = stream_reader(false, "up");

    gemini->reader.read_error(&r, slice_of(refusals[_i].body));
    ck_assert_str_eq(r.error_text, refusals[_i].text);
    ck_assert_str_eq(r.error_code, refusals[_i].code);
    ck_assert_int_eq(r.error_class, refusals[_i].error_class);
    reader_clear(&r);
}
END_TEST

static const char error_object[] =
    "{\"error\":{\"code\":503,\"message\":\"gone\",\"status\":\"UNAVAILABLE\",\"details\":[{"
    "\"@type\":\"type.googleapis.com/google.rpc.RequestInfo\",\"requestId\":\"01K\"}]}}";

static void check_error(bool is_array, const char *text, const char *before, const char *after)
{
    struct reader r = stream_reader(is_array, "up");
    struct seen s;
    char *expected;

    feed(&s, &r, slice_of(text), 0);
    ck_assert_int_eq(gemini->write_stream_error(&r, &s.out, ERR_UP_CUT, "gone", "01K"), ERR_OK);
    expected = arena_printf(arena, "%s%s%s", before, error_object, after);
    ck_assert_str_eq(s.out.p, expected);
    done(&s);
}

START_TEST(an_error_ends_a_stream_in_its_form)
{
    check_error(false, "data: {}\n\n", "data: {}\n\ndata: ", "\n\n");
    check_error(true, "", "[", "\n]");
    check_error(true, "data: {}\n\n", "[{}\n,\n", "\n]");
    check_error(true, "data: " CHUNK("a", STOP) "\n\n", "[", "\n]"); /* held, and lost */
    check_error(true, "data: {}\n\ndata: " CHUNK("a", STOP) "\n\n", "[{}\n,\n", "\n]");
}
END_TEST

START_TEST(an_error_that_does_not_fit_leaves_no_piece)
{
    struct reader r = stream_reader(false, "up");
    struct buf b;

    buf_init(&b, 40);
    ck_assert_int_eq(buf_append_z(&b, "x"), ERR_OK);
    ck_assert_int_eq(gemini->write_stream_error(&r, &b, ERR_UP_CUT, NULL, NULL), ERR_FULL);
    ck_assert_str_eq(b.p, "x");
    buf_clear(&b);
    reader_clear(&r);
}
END_TEST

/* ---- whole answers ---- */

static void tell_cost(void *ctx, const struct reader *r, char dst[READER_COST_SIZE])
{
    (void)ctx;
    (void)r;
    (void)snprintf(dst, READER_COST_SIZE, "0.25");
}

START_TEST(a_whole_answer_gets_its_public_name_and_its_cost)
{
    struct reader r = reader_with((struct format_call){0}, "pub");
    struct slice out;

    r.cost_text = tell_cost;
    ck_assert_int_eq(gemini->reader.read_whole(&r, SLICE(LAST("up-001")), &out), ERR_OK);
    ck_assert_msg(
        slice_eq_z(
            out, "{\"candidates\":[{" PARTS(
                     "{\"text\":\"\"}") ",\"finishReason\":\"STOP\",\"index\":0}],"
                                        "\"usageMetadata\":{\"promptTokenCount\":19,"
                                        "\"cachedContentTokenCount\":4,\"candidatesTokenCount\":7,"
                                        "\"thoughtsTokenCount\":3,\"toolUsePromptTokenCount\":5,"
                                        "\"totalTokenCount\":34,\"serviceTier\":\"PRIORITY\","
                                        "\"cost\":0.25}"
                                        "," TAIL("pub")),
        "%.*s", SLICE_FMT(out));
    ck_assert(r.is_ended && r.counts.out_all == 10);
    reader_clear(&r);
}
END_TEST

static const struct {
    const char *body;
    enum err e;
} wholes[] = {
    {"{\"candidates\":[{\"content\":{}}]}",               ERR_OK          },
    {"{\"promptFeedback\":{\"blockReason\":\"SAFETY\"}}", ERR_OK          },
    {"{\"candidates\":[]}",                               ERR_UP_MALFORMED},
    {"{\"usageMetadata\":{\"promptTokenCount\":1}}",      ERR_UP_MALFORMED},
    {"{\"embedding\":{\"values\":[1]}}",                  ERR_UP_MALFORMED},
    {"[]",                                                ERR_UP_MALFORMED},
    {"",                                                  ERR_UP_MALFORMED},
    {"{\"error\":{\"code\":500,\"message\":\"m\"}}",      ERR_UP_FAILED   },
};

START_TEST(a_whole_answer_is_checked)
{
    struct reader r = reader_with((struct format_call){0}, "up");
    struct slice out = {NULL, 0};

    ck_assert_int_eq(gemini->reader.read_whole(&r, slice_of(wholes[_i].body), &out), wholes[_i].e);
    if (!wholes[_i].e)
        ck_assert(slice_eq_z(out, wholes[_i].body));
    reader_clear(&r);
}
END_TEST

START_TEST(embeddings_are_answers_to_their_own_calls)
{
    struct format_call call = {.body = SLICE("{\"content\":{\"parts\":[{\"text\":\"abcd\"}]}}"),
                               .verb = "embedContent"};
    struct reader r = reader_with(call, "pub");
    struct counts c;
    struct slice out;

    ck_assert_int_eq(
        gemini->reader.read_whole(&r, SLICE("{\"embedding\":{\"values\":[0.5]}}"), &out), ERR_OK);
    ck_assert(slice_eq_z(out, "{\"embedding\":{\"values\":[0.5]}}"));
    c = reader_counts(&r);
    ck_assert(!c.is_known && c.in_fresh > 0 && c.out_all == 0);
    ck_assert_int_eq(gemini->reader.read_whole(&r, SLICE("{}"), &out), ERR_UP_MALFORMED);
    reader_clear(&r);
}
END_TEST

static const struct {
    const char *usage;
    bool is_usage;
    struct counts counts;
} usages[] = {
    {"{}",                                                                           false, {0}                                          },
    {"[]",                                                                           false, {0}                                          },
    {"{\"promptTokenCount\":\"12\",\"candidatesTokenCount\":3}",
     true,                                                                                  {.in_fresh = 12, .out_all = 3}               },
    {"{\"totalTokenCount\":10,\"candidatesTokenCount\":4,\"thoughtsTokenCount\":1}",
     true,                                                                                  {.in_fresh = 5, .out_all = 5, .out_think = 1}},
    {"{\"promptTokenCount\":4,\"candidatesTokenCount\":1,\"totalTokenCount\":9}",
     true,                                                                                  {.in_fresh = 4, .out_all = 5}                },
    {"{\"promptTokenCount\":4,\"cachedContentTokenCount\":9}",                       true,  {.in_read = 9}                               },
    {"{\"promptTokenCount\":-4,\"candidatesTokenCount\":1e30}",                      true,  {.out_all = COUNT_MAX}                       },
};

START_TEST(usage_becomes_counts)
{
    struct counts c = {.in_fresh = 77};
    struct jvalue v;
    bool has_output;

    ck_assert_int_eq(jscan_validate(slice_of(usages[_i].usage), &v, NULL), ERR_OK);
    ck_assert_int_eq(gemini_read_usage(v, &c, &has_output), usages[_i].is_usage);
    if (!usages[_i].is_usage) {
        ck_assert_int_eq(c.in_fresh, 77);
        return;
    }
    ck_assert(c.is_known);
    ck_assert_int_eq(c.in_fresh, usages[_i].counts.in_fresh);
    ck_assert_int_eq(c.in_read, usages[_i].counts.in_read);
    ck_assert_int_eq(c.out_all, usages[_i].counts.out_all);
    ck_assert_int_eq(c.out_think, usages[_i].counts.out_think);
}
END_TEST

START_TEST(a_reader_without_memory_calls_the_event_malformed)
{
    static const char text[] = "data: " CHUNK("a", STOP) "\n\n";
    struct arena *small = arena_new(0);
    struct reader r = stream_reader(false, "up");
    struct seen s;

    r.arena = small;
    feed(&s, &r, SLICE(text), 0);
    ck_assert_int_eq(s.verdict, EVENT_MALFORMED);
    done(&s);
    arena_free(small);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("gemini_reader");
    TCase *t = tcase_create("all");

    tcase_set_timeout(t, 60);
    tcase_add_checked_fixture(t, suite_arena_open, suite_arena_close);
    tcase_add_test(t, a_stream_is_overheard_alike_for_every_split);
    tcase_add_test(t, a_finish_in_every_chunk_does_not_hold_the_answer_up);
    tcase_add_test(t, an_array_goes_on_behind_an_early_finish);
    tcase_add_test(t, a_last_line_without_its_end_gets_one);
    tcase_add_test(t, a_stream_without_a_finish_was_cut);
    tcase_add_test(t, a_blocked_prompt_is_an_answer);
    tcase_add_loop_test(t, each_event_has_its_verdict, 0, ROWS(events));
    tcase_add_loop_test(t, an_error_body_is_understood, 0, ROWS(refusals));
    tcase_add_test(t, an_error_ends_a_stream_in_its_form);
    tcase_add_test(t, an_error_that_does_not_fit_leaves_no_piece);
    tcase_add_test(t, a_whole_answer_gets_its_public_name_and_its_cost);
    tcase_add_loop_test(t, a_whole_answer_is_checked, 0, ROWS(wholes));
    tcase_add_test(t, embeddings_are_answers_to_their_own_calls);
    tcase_add_loop_test(t, usage_becomes_counts, 0, ROWS(usages));
    tcase_add_test(t, a_reader_without_memory_calls_the_event_malformed);
    suite_add_tcase(s, t);
    return suite_run(s);
}
