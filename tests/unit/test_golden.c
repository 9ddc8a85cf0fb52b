/* Requests, answers and streams in each format, and what becomes of them in each other one, byte
 * for byte as tests/golden/ has them. GOLDEN_WRITE=1 writes that anew; what changed is for a
 * human to judge. */
#include "tests/unit/exchange_kit.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ARENA_MAX ((size_t)64 << 20)
#define TEXT_MAX  ((size_t)1 << 22)
#define SHOWN_MAX ((size_t)2000)
#define FOLDER    "tests/golden/"
#define FORMATS   4
#define PAIRS     (FORMATS * FORMATS)
#define ROWS(t)   (int)(sizeof(t) / sizeof((t)[0]))

static const struct format *const formats[FORMATS] = {&format_openai_chat, &format_openai_responses,
                                                      &format_anthropic, &format_gemini};

static struct arena *arena;

static void setup(void)
{
    arena = arena_new(ARENA_MAX);
    ck_assert_ptr_nonnull(arena);
}

static void teardown(void)
{
    arena_free(arena);
}

/* ---- files ---- */

static const char *path_of(const char *folder, const char *name, const char *to, const char *suffix)
{
    return arena_printf(arena, FOLDER "%s/%s%s%s%s", folder, name, to ? ".to-" : "", to ? to : "",
                        suffix);
}

/* The whole file; "" when there is none and it may be absent. */
static struct slice read_text(const char *path, bool may_be_absent)
{
    FILE *file = fopen(path, "rb");
    char *text = arena_alloc(arena, TEXT_MAX);
    size_t n;

    ck_assert_ptr_nonnull(text);
    ck_assert_msg(file || may_be_absent, "%s: cannot be opened; run this from the top folder",
                  path);
    if (!file)
        return (struct slice){"", 0};
    n = fread(text, 1, TEXT_MAX - 1, file);
    ck_assert_int_eq(fclose(file), 0);
    return (struct slice){text, n};
}

/* The one thing that is not the same each time: when a Responses answer was complete. */
static void still_clock(struct buf *out)
{
    static const char member[] = "\"completed_at\":";
    char *at = out->p;

    while (at && (at = strstr(at, member)) != NULL)
        for (at += sizeof(member) - 1; *at >= '0' && *at <= '9'; at++)
            *at = '7';
}

static void expect_file(const char *path, struct slice text)
{
    bool writes = getenv("GOLDEN_WRITE") != NULL;
    struct slice old = read_text(path, writes);
    FILE *file;

    if (slice_eq(old, text))
        return;
    ck_assert_msg(writes, "%s is not what came out:\n%.*s", path,
                  (int)(text.n < SHOWN_MAX ? text.n : SHOWN_MAX), text.p);
    file = fopen(path, "wb");
    ck_assert_ptr_nonnull(file);
    ck_assert_uint_eq(fwrite(text.p, 1, text.n, file), text.n);
    ck_assert_int_eq(fclose(file), 0);
}

/* ---- requests ---- */

static const char *const request_kinds[] = {"agent", "plain"};
#define REQUESTS (PAIRS * ROWS(request_kinds))

static struct format_call call_of(const struct format *f, struct slice body)
{
    struct format_call call = {.body = body};

    if (f == &format_gemini)
        call.model = SLICE(EXCHANGE_PUBLIC);
    return call;
}

/* What was left out, or why all of it was refused, as a second line. */
static void put_rest(struct buf *out, const struct exchange *x, enum err e)
{
    const struct drops *drops = exchange_drops(x);
    size_t i;

    if (e == ERR_BAD_REQUEST) {
        ck_assert_int_eq(buf_printf(out, "refused: %s\n", x->fault.text), ERR_OK);
        return;
    }
    ck_assert_int_eq(e, ERR_OK);
    ck_assert_int_eq(buf_append_z(out, "\ndropped:"), ERR_OK);
    for (i = 0; drops && i < drops->n; i++)
        ck_assert_int_eq(buf_printf(out, " %s", drops->names[i]), ERR_OK);
    ck_assert_int_eq(buf_append_z(out, "\n"), ERR_OK);
}

START_TEST(requests_arrive_as_the_provider_expects_them)
{
    const struct format *from = formats[_i / ROWS(request_kinds) / FORMATS];
    const struct format *to = formats[_i / ROWS(request_kinds) % FORMATS];
    const char *name =
        arena_printf(arena, "%s.%s", from->name, request_kinds[_i % ROWS(request_kinds)]);
    struct capability capability = exchange_capability(to);
    struct format_call call =
        call_of(from, read_text(path_of("requests", name, NULL, ".json"), false));
    struct exchange x;
    struct buf out;
    enum err e;

    buf_init(&out, TEXT_MAX);
    e = exchange_open(&x, arena, from, to, &call, &capability, false);
    ck_assert_msg(e == ERR_OK, "%s: %s", name, e ? x.fault.text : "");
    e = exchange_request(&x, &out);
    put_rest(&out, &x, e);
    expect_file(path_of("requests", name, to->name, ".txt"), buf_slice(&out));
    buf_clear(&out);
    exchange_close(&x);
}
END_TEST

/* Names of members and types are the client's, and go into a header. */
START_TEST(names_that_no_header_can_hold_are_not_listed_as_dropped)
{
    static const char body[] =
        "{\"model\":\"m\",\"max_tokens\":99,\"\":1,\"a,b\":2,\"known\":3,\"messages\":[{\"role\":"
        "\"user\",\"content\":\"hi\"},{\"role\":\"assistant\",\"content\":[{\"type\":\"new\\r\\nx: "
        "1\"}]},{\"role\":\"user\",\"content\":\"go on\"}]}";
    struct capability capability = exchange_capability(&format_gemini);
    struct format_call call = {.body = SLICE(body)};
    const struct drops *drops;
    struct exchange x;
    struct buf out;
    enum err e;
    size_t i;

    buf_init(&out, TEXT_MAX);
    e = exchange_open(&x, arena, &format_anthropic, &format_gemini, &call, &capability, false);
    ck_assert_int_eq(e, ERR_OK);
    e = exchange_request(&x, &out);
    ck_assert_msg(e == ERR_OK, "%s", e ? x.fault.text : "");
    drops = exchange_drops(&x);
    ck_assert_uint_ge(drops->n, 1);
    for (i = 0; i < drops->n; i++)
        ck_assert_str_eq(drops->names[i], "known");
    buf_clear(&out);
    exchange_close(&x);
}
END_TEST

/* ---- answers ---- */

#define TOOLS_OF(schema)                                                                           \
    "\"get_weather\",\"description\":\"d\",\"" schema "\":{\"type\":\"object\",\"properties\":{}}"

/* What each client asked: tools, thinking that is shown, and the usage. */
static const char *const questions[FORMATS][2] = {
    {"{\"model\":\"client-model\",\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}],"
     "\"tools\":[{\"type\":\"function\",\"function\":{\"name\":" TOOLS_OF("parameters") "}}]}",
     "{\"model\":\"client-model\",\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}],"
     "\"tools\":[{\"type\":\"function\",\"function\":{\"name\":" TOOLS_OF(
         "parameters") "}}],"
                       "\"stream\":true,\"stream_options\":{\"include_usage\":true}}"                                                                               },
    {"{\"model\":\"client-model\",\"input\":\"hi\",\"reasoning\":{\"summary\":\"auto\"},"
     "\"include\":[\"reasoning.encrypted_content\"],\"store\":false,\"tools\":[{\"type\":"
     "\"function\",\"name\":" TOOLS_OF("parameters") "}]}",
     "{\"model\":\"client-model\",\"input\":\"hi\",\"reasoning\":{\"summary\":\"auto\"},"
     "\"include\":[\"reasoning.encrypted_content\"],\"store\":false,\"tools\":[{\"type\":"
     "\"function\",\"name\":" TOOLS_OF("parameters") "}],\"stream\":true}"                                                                                          },
    {"{\"model\":\"client-model\",\"max_tokens\":100,\"messages\":[{\"role\":\"user\",\"content\":"
     "\"hi\"}],\"tools\":[{\"name\":" TOOLS_OF("input_schema") "}]}",
     "{\"model\":\"client-model\",\"max_tokens\":100,\"messages\":[{\"role\":\"user\",\"content\":"
     "\"hi\"}],\"tools\":[{\"name\":" TOOLS_OF("input_schema") "}],\"stream\":true}"                                                                                },
    {"{\"contents\":[{\"parts\":[{\"text\":\"hi\"}]}],\"tools\":[{\"functionDeclarations\":[{"
     "\"name\":" TOOLS_OF("parametersJsonSchema") "}]}],\"generationConfig\":{\"thinkingConfig\":{"
                                                  "\"includeThoughts\":true}}}",                "{\"contents\":[{\"parts\":[{\"text\":\"hi\"}]}],\"tools\":[{\"functionDeclarations\":[{"
     "\"name\":" TOOLS_OF("parametersJsonSchema") "}]}],\"generationConfig\":{\"thinkingConfig\":{"
                                                  "\"includeThoughts\":true}}}"},
};

struct asked {
    struct exchange x;
    struct capability capability;
};

static void ask(struct asked *q, struct arena *a, int pair, bool is_stream)
{
    const struct format *from = formats[pair % FORMATS], *to = formats[pair / FORMATS];
    struct format_call call = call_of(from, slice_of(questions[pair % FORMATS][is_stream]));
    struct buf body;

    call.is_stream = is_stream;
    q->capability = exchange_capability(to);
    ck_assert_int_eq(exchange_open(&q->x, a, from, to, &call, &q->capability, false), ERR_OK);
    buf_init(&body, TEXT_MAX);
    ck_assert_int_eq(exchange_request(&q->x, &body), ERR_OK);
    buf_clear(&body);
}

START_TEST(whole_answers_arrive_as_the_client_expects_them)
{
    const char *to = formats[_i % FORMATS]->name, *from = formats[_i / FORMATS]->name;
    struct slice answer = read_text(path_of("answers", from, NULL, ".json"), false);
    struct asked q;

    ask(&q, arena, _i, false);
    ck_assert_int_eq(exchange_whole(&q.x, answer), ERR_OK);
    still_clock(&q.x.out);
    expect_file(path_of("answers", from, to, ".json"), buf_slice(&q.x.out));
    exchange_close(&q.x);
}
END_TEST

START_TEST(streams_arrive_as_the_client_expects_them)
{
    const char *to = formats[_i % FORMATS]->name, *from = formats[_i / FORMATS]->name;
    struct slice answer = read_text(path_of("streams", from, NULL, ".sse"), false);
    struct asked q;

    ask(&q, arena, _i, true);
    ck_assert_int_eq(exchange_stream(&q.x, answer, (struct pieces){answer.n, 0}), ERR_OK);
    still_clock(&q.x.out);
    expect_file(path_of("streams", from, to, ".sse"), buf_slice(&q.x.out));
    exchange_close(&q.x);
}
END_TEST

START_TEST(streams_are_the_same_for_every_split)
{
    const char *from = formats[_i / FORMATS]->name;
    struct slice answer = read_text(path_of("streams", from, NULL, ".sse"), false), whole;
    struct arena *own = arena_new(ARENA_MAX);
    struct asked q;
    size_t cut;

    ck_assert_ptr_nonnull(own);
    ask(&q, arena, _i, true);
    ck_assert_int_eq(exchange_stream(&q.x, answer, (struct pieces){1, 1}), ERR_OK);
    still_clock(&q.x.out);
    whole = (struct slice){arena_copy(arena, buf_slice(&q.x.out)), q.x.out.n};
    exchange_close(&q.x);
    for (cut = 1; cut <= answer.n; cut++) {
        ask(&q, own, _i, true);
        ck_assert_int_eq(exchange_stream(&q.x, answer, (struct pieces){cut, 0}), ERR_OK);
        still_clock(&q.x.out);
        ck_assert_msg(slice_eq(buf_slice(&q.x.out), whole), "cut at %zu", cut);
        exchange_close(&q.x);
        arena_reset(own);
    }
    arena_free(own);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("golden");
    TCase *tcase = tcase_create("golden");
    SRunner *runner = srunner_create(suite);
    int failed;

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_set_timeout(tcase, 120);
    tcase_add_loop_test(tcase, requests_arrive_as_the_provider_expects_them, 0, REQUESTS);
    tcase_add_test(tcase, names_that_no_header_can_hold_are_not_listed_as_dropped);
    tcase_add_loop_test(tcase, whole_answers_arrive_as_the_client_expects_them, 0, PAIRS);
    tcase_add_loop_test(tcase, streams_arrive_as_the_client_expects_them, 0, PAIRS);
    tcase_add_loop_test(tcase, streams_are_the_same_for_every_split, 0, PAIRS);
    suite_add_tcase(suite, tcase);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed > 0;
}
