#include "tests/unit/codec_kit.h"
#include "tests/unit/format_suite.h"
#include "upstream/capability.h"
#include "upstream/splice.h"
#include "upstream/sse.h"

#include <check.h>
#include <string.h>

#define ASK(more) "{\"model\":\"m\",\"prompt\":\"Once upon\"" more "}"

static const struct format *const completions = &format_openai_completions;

/* ---- requests ---- */

START_TEST(a_request_reads_with_the_limit_that_the_api_says)
{
    struct format_request r = kit_read(completions, arena, ASK(""));

    ck_assert_ptr_eq(format_find("openai-completions"), completions);
    ck_assert(slice_eq_z(r.model, "m"));
    ck_assert_int_eq(r.output_max, 16);
    ck_assert_int_eq(r.choices, 1);
    ck_assert_int_eq(r.text.ascii_bytes, (int64_t)strlen("\"Once upon\""));
    ck_assert_int_eq(r.text_bytes, (int64_t)strlen(ASK("")));
    ck_assert(!r.is_stream && !r.wants_usage && !r.has_reference);
    ck_assert(slice_eq_z(r.affinity, "\"Once upon\""));
    r = kit_read(completions, arena,
                 ASK(",\"max_tokens\":7,\"n\":2,\"stream\":true,\"user\":\"u\",\"stream_options\":{"
                     "\"include_usage\":true}"));
    ck_assert_int_eq(r.output_max, 7);
    ck_assert_int_eq(r.choices, 2);
    ck_assert(r.is_stream && r.wants_usage);
    ck_assert(slice_eq_z(r.affinity, "u"));
    r = kit_read(completions, arena, ASK(",\"stream_options\":{\"include_usage\":true}"));
    ck_assert(!r.wants_usage);
}
END_TEST

#define PROMPT_FAULT                                                                               \
    "prompt: expected a string, or an array of one string; token ids and several prompts cannot "  \
    "be carried to this model"

static const struct {
    const char *body, *text;
} refused[] = {
    {"{\"prompt\":\"x\"}",                         "model: required"                                                   },
    {"{\"model\":\"m\"}",                          "prompt: required"                                                  },
    {"{\"model\":\"m\",\"prompt\":null}",          "prompt: required"                                                  },
    {"{\"model\":\"m\",\"prompt\":[1,2]}",         PROMPT_FAULT                                                        },
    {"{\"model\":\"m\",\"prompt\":[[1,2]]}",       PROMPT_FAULT                                                        },
    {"{\"model\":\"m\",\"prompt\":[]}",            PROMPT_FAULT                                                        },
    {"{\"model\":\"m\",\"prompt\":[\"a\",\"b\"]}", PROMPT_FAULT                                                        },
    {"{\"model\":\"m\",\"prompt\":{}}",            PROMPT_FAULT                                                        },
    {"{\"model\":\"m\",\"prompt\":\"\"}",          "prompt: expected a string that is not empty"                       },
    {"{\"model\":\"m\",\"prompt\":\"\\u0000\"}",   "prompt: expected string"                                           },
    {ASK(",\"prompt\":\"y\""),                     "prompt: given twice"                                               },
    {ASK(",\"stream\":1"),                         "stream: expected boolean"                                          },
    {ASK(",\"stream_options\":1"),                 "stream_options: expected object or null"                           },
    {ASK(",\"n\":0"),                              "n: expected an integer from 1 to 128"                              },
    {ASK(",\"max_tokens\":0"),                     "max_tokens: expected an integer of at least 1"                     },
    {ASK(",\"suffix\":\"end\""),                   "suffix: text to fill in cannot be carried to this "
                                 "model"                                               },
    {ASK(",\"echo\":true"),                        "echo: the prompt cannot be repeated by this model"                 },
    {ASK(",\"echo\":1"),                           "echo: expected boolean"                                            },
    {ASK(",\"best_of\":2"),                        "best_of: only 1 can be carried to this model"                      },
    {ASK(",\"logprobs\":0"),                       "logprobs: log probabilities cannot be carried over from this model"},
    {ASK(",\"temperature\":\"hot\""),              "temperature: expected number"                                      },
};

START_TEST(what_cannot_be_carried_is_refused_with_its_path)
{
    struct canon c;

    ck_assert_msg(kit_decode(completions, arena, refused[_i].body, &c) == ERR_BAD_REQUEST, "%s",
                  refused[_i].body);
    ck_assert_str_eq(kit_fault.text, refused[_i].text);
}
END_TEST

START_TEST(the_prompt_becomes_a_users_turn)
{
    struct canon c;

    ck_assert_int_eq(
        kit_decode(completions, arena,
                   "{\"model\":\"m\",\"prompt\":[\"a\\nb\"],\"suffix\":\"\",\"echo\":false,"
                   "\"best_of\":1,\"logprobs\":null,\"n\":2,\"temperature\":0.2,\"top_p\":1,"
                   "\"seed\":4,\"presence_penalty\":1,\"frequency_penalty\":2,\"stop\":[\"x\"],"
                   "\"logit_bias\":{\"1\":2},\"user\":\"u\",\"max_tokens\":50,\"grammar\":\"g\"}",
                   &c),
        ERR_OK);
    ck_assert_str_eq(kit_canon_text(arena, &c),
                     "user\n  text @prompt \"a\\nb\"\n"
                     "with max=50 temperature=\"0.2\" top_p=\"1\" seed=\"4\" presence=\"1\" "
                     "frequency=\"2\" stop=\"x\" n=2 bias=\"{\\\"1\\\":2}\" user=\"u\" "
                     "drop=\"grammar\"\n");
}
END_TEST

START_TEST(no_provider_is_asked_by_this_format)
{
    struct format_request r = kit_read(completions, arena, ASK(""));
    struct splice out;

    ck_assert_ptr_null(completions->encode_request);
    ck_assert_str_eq(completions->path(arena, "m", false), "/completions");
    ck_assert_int_eq(
        completions->write_request(&r, &(struct format_target){.upstream_model = "m"}, arena, &out),
        ERR_FORMAT);
}
END_TEST

/* ---- answers, all the way from a Chat provider ---- */

struct run {
    struct reader reader;
    struct buf out;
    enum event_verdict verdict;
};

static enum err see(void *ctx, const struct sse_event *e)
{
    struct run *run = ctx;

    run->verdict = run->reader.ops->read_event(&run->reader, e);
    return run->reader.replacement.p ? buf_append_slice(&run->out, run->reader.replacement)
                                     : ERR_OK;
}

static void cost_text(void *ctx, const struct reader *r, char dst[READER_COST_SIZE])
{
    (void)ctx;
    (void)r;
    strcpy(dst, "0.25");
}

static struct translation *begin(struct run *run, const char *body, const char **request)
{
    struct format_request *in = arena_alloc(arena, sizeof(*in));
    struct translation *x;
    struct fault fault;
    struct splice splice;
    struct slice text;

    *in = kit_read(completions, arena, body);
    x = translation_new(arena, completions, &format_openai_chat, in, &capability_default);
    ck_assert_ptr_nonnull(x);
    ck_assert_int_eq(
        translate_request(x,
                          &(struct format_target){.upstream_model = "up", .output_max_inject = -1},
                          &splice, &fault),
        ERR_OK);
    ck_assert_int_eq(splice_join(&splice, arena, &text), ERR_OK);
    *request = arena_copy(arena, text);
    ck_assert_int_eq(reader_init(&run->reader, completions, in, arena), ERR_OK);
    run->reader.public_model = "pub";
    run->reader.upstream_model = "up";
    run->reader.cost_text = cost_text;
    buf_init(&run->out, 1 << 20);
    ck_assert_int_eq(translation_attach(x, &run->reader, "01ID", 1700000000), ERR_OK);
    return x;
}

static void end(struct run *run, struct translation *x)
{
    buf_clear(&run->out);
    reader_clear(&run->reader);
    translation_clear(x);
}

#define TOP                                                                                        \
    "\"id\":\"cmpl-01ID\",\"object\":\"text_completion\",\"created\":1700000000,\"model\":"        \
    "\"pub\",\"choices\":["
#define CHUNK(text, finish)                                                                        \
    "data: {" TOP "{\"text\":\"" text "\",\"index\":0,\"logprobs\":null,\"finish_reason\":" finish \
    "}],\"usage\":null}\n\n"
#define USAGE                                                                                      \
    "\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":4,\"total_tokens\":7,"                   \
    "\"prompt_tokens_details\":{\"cached_tokens\":0,\"cache_write_tokens\":0},"                    \
    "\"completion_tokens_details\":{\"reasoning_tokens\":0},\"cost\":0.25}}"

START_TEST(a_streamed_answer_of_a_chat_provider_becomes_text)
{
    static const char stream[] =
        "data: {\"choices\":[{\"delta\":{\"role\":\"assistant\",\"content\":\"\"}}]}\n\n"
        "data: {\"choices\":[{\"delta\":{\"reasoning_content\":\"hm\"}}]}\n\n"
        "data: {\"choices\":[{\"delta\":{\"content\":\" a \\\"time\\\"\"}}]}\n\n"
        "data: {\"choices\":[{\"delta\":{\"refusal\":\"!\"}}]}\n\n"
        "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"length\"}]}\n\n"
        "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":4}}\n\n"
        "data: [DONE]\n\n";
    struct translation *x;
    const char *request;
    struct run run;
    struct sse sse;

    x = begin(&run, ASK(",\"stream\":true,\"stream_options\":{\"include_usage\":true}"), &request);
    ck_assert_str_eq(request,
                     "{\"model\":\"up\",\"max_tokens\":16,\"messages\":[{\"role\":\"user\","
                     "\"content\":\"Once upon\"}],\"stream\":true,\"stream_options\":{"
                     "\"include_usage\":true}}");
    sse_init(&sse, 1 << 16);
    ck_assert_int_eq(sse_feed(&sse, SLICE(stream), see, &run), ERR_OK);
    sse_clear(&sse);
    ck_assert_int_eq(run.verdict, EVENT_END);
    ck_assert_str_eq(run.out.p,
                     CHUNK(" a \\\"time\\\"", "null") CHUNK("!", "null")
                         CHUNK("", "\"length\"") "data: {" TOP "]," USAGE "\n\ndata: [DONE]\n\n");
    ck_assert_int_eq(run.reader.counts.out_all, 4);
    end(&run, x);
}
END_TEST

START_TEST(a_whole_answer_of_a_chat_provider_becomes_text)
{
    struct translation *x;
    struct slice whole;
    const char *request;
    struct run run;

    x = begin(&run, ASK(",\"stop\":\"\\n\""), &request);
    ck_assert_str_eq(request, "{\"model\":\"up\",\"max_tokens\":16,\"stop\":[\"\\n\"],\"messages\":"
                              "[{\"role\":\"user\",\"content\":\"Once upon\"}]}");
    ck_assert_int_eq(
        run.reader.ops->read_whole(
            &run.reader,
            SLICE("{\"choices\":[{\"message\":{\"content\":\" a time\"},\"finish_reason\":"
                  "\"stop\"}],\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":4}}"),
            &whole),
        ERR_OK);
    ck_assert_msg(slice_eq_z(whole, "{" TOP "{\"text\":\" a time\",\"index\":0,\"logprobs\":null,"
                                    "\"finish_reason\":\"stop\"}]," USAGE),
                  "%.*s", SLICE_FMT(whole));
    end(&run, x);
}
END_TEST

START_TEST(an_answer_without_text_is_an_empty_one)
{
    struct encoder e = {.arena = arena, .finish = FINISH_TOOL};
    static const struct event events[] = {
        {.kind = EV_START },
        {.kind = EV_BEGIN,  .part_kind = PART_CALL, .id = SLICE("a"), .name = SLICE("f")},
        {.kind = EV_DELTA, .text = SLICE("{}")},
        {.kind = EV_END                },
    };
    struct buf out;

    buf_init(&out, 4096);
    ck_assert_int_eq(kit_write(completions, &e, events, 4, &out), ERR_OK);
    ck_assert_ptr_nonnull(strstr(out.p, "{\"text\":\"\",\"index\":0,\"logprobs\":null,"
                                        "\"finish_reason\":\"stop\"}"));
    buf_clear(&out);
}
END_TEST

START_TEST(an_error_inside_the_answer_ends_it_as_chat_does)
{
    struct translation *x;
    const char *request;
    struct run run;
    struct sse sse;

    x = begin(&run, ASK(",\"stream\":true"), &request);
    sse_init(&sse, 1 << 16);
    ck_assert_int_eq(sse_feed(&sse, SLICE("data: {\"error\":{\"message\":\"m\"}}\n\n"), see, &run),
                     ERR_OK);
    sse_clear(&sse);
    ck_assert_int_eq(run.verdict, EVENT_FAIL);
    ck_assert_str_eq(run.reader.error_text, "m");
    ck_assert_int_eq(
        completions->write_stream_error(&run.reader, &run.out, ERR_UP_FAILED, "m", "01ID"), ERR_OK);
    ck_assert(slice_starts(buf_slice(&run.out), "data: {\"error\":{\"message\":\"m\",\"type\":"));
    end(&run, x);
}
END_TEST

START_TEST(memory_that_runs_out_anywhere_is_told)
{
    static const struct event events[] = {
        {.kind = EV_BEGIN,      .part_kind = PART_TEXT},
        {.kind = EV_DELTA,                     .text = SLICE("abc")},
        {.kind = EV_END},
    };
    struct buf out;
    size_t max;

    for (max = 64; max < 8192; max += 16) {
        struct arena *small = arena_new(max);
        struct canon c;
        enum err e = kit_decode(completions, small, ASK(",\"user\":\"\\n\",\"other\":1"), &c);

        ck_assert(e == ERR_OK || e == ERR_MEMORY);
        arena_free(small);
    }
    for (max = 0; max < 200; max++) {
        struct encoder whole = {.arena = arena}, stream = {.arena = arena, .is_stream = true};

        buf_init(&out, max);
        ck_assert_int_eq(kit_write(completions, &whole, events, 3, &out), ERR_FULL);
        buf_reset(&out);
        ck_assert_int_eq(kit_write(completions, &stream, events, 3, &out), ERR_FULL);
        buf_clear(&out);
    }
}
END_TEST

int main(void)
{
    Suite *s = suite_create("completions");
    TCase *t = tcase_create("all");

    tcase_add_checked_fixture(t, suite_arena_open, suite_arena_close);
    tcase_add_test(t, a_request_reads_with_the_limit_that_the_api_says);
    tcase_add_loop_test(t, what_cannot_be_carried_is_refused_with_its_path, 0, ROWS(refused));
    tcase_add_test(t, the_prompt_becomes_a_users_turn);
    tcase_add_test(t, no_provider_is_asked_by_this_format);
    tcase_add_test(t, a_streamed_answer_of_a_chat_provider_becomes_text);
    tcase_add_test(t, a_whole_answer_of_a_chat_provider_becomes_text);
    tcase_add_test(t, an_answer_without_text_is_an_empty_one);
    tcase_add_test(t, an_error_inside_the_answer_ends_it_as_chat_does);
    tcase_add_test(t, memory_that_runs_out_anywhere_is_told);
    suite_add_tcase(s, t);
    return suite_run(s);
}
