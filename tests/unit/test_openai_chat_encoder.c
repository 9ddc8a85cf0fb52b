#include "tests/unit/codec_kit.h"
#include "tests/unit/format_suite.h"

#include <check.h>
#include <string.h>

#define ARENA_MAX (1 << 22)
#define TEXT(t)                                                                                    \
    {                                                                                              \
        (t), sizeof(t) - 1                                                                         \
    }
#define BEGIN(n, k)                                                                                \
    {                                                                                              \
        .kind = EV_BEGIN, .part = (n), .part_kind = (k)                                            \
    }
#define DELTA(n, t)                                                                                \
    {                                                                                              \
        .kind = EV_DELTA, .part = (n), .text = TEXT(t)                                             \
    }
#define END(n)                                                                                     \
    {                                                                                              \
        .kind = EV_END, .part = (n)                                                                \
    }
#define SEAL(n, t)                                                                                 \
    {                                                                                              \
        .kind = EV_SEAL, .part = (n), .text = TEXT(t)                                              \
    }
#define CALL(n, i, f)                                                                              \
    {                                                                                              \
        .kind = EV_BEGIN, .part = (n), .part_kind = PART_CALL, .id = TEXT(i), .name = TEXT(f)      \
    }

static struct buf out;
static const struct format *const chat = &format_openai_chat;
static const struct counts counts = {.in_fresh = 10,
                                     .in_read = 4,
                                     .in_write = 3,
                                     .in_write_1h = 2,
                                     .out_all = 9,
                                     .out_think = 5,
                                     .is_known = true};

static void setup(void)
{
    suite_arena_open();
    buf_init(&out, 1 << 20);
}

static void teardown(void)
{
    buf_clear(&out);
    suite_arena_close();
}

#define USAGE                                                                                      \
    "{\"prompt_tokens\":19,\"completion_tokens\":9,\"total_tokens\":28,\"prompt_tokens_details\":" \
    "{\"cached_tokens\":4,\"cache_write_tokens\":5},\"completion_tokens_details\":{"               \
    "\"reasoning_tokens\":5}}"
#define TOP                                                                                        \
    "\"id\":\"chatcmpl-01ID\",\"object\":\"chat.completion.chunk\",\"created\":1700000000,"        \
    "\"model\":\"pub\\\"m\""
#define C(delta)                                                                                   \
    "data: {" TOP ",\"choices\":[{\"index\":0,\"delta\":" delta                                    \
    ",\"logprobs\":null,\"finish_reason\":null}]}\n\n"
#define F(word)                                                                                    \
    "data: {" TOP                                                                                  \
    ",\"choices\":[{\"index\":0,\"delta\":{},\"logprobs\":null,\"finish_reason\":\"" word          \
    "\"}]}\n\ndata: [DONE]\n\n"
#define ROLE    C("{\"role\":\"assistant\",\"content\":\"\",\"refusal\":null}")
#define T(call) C("{\"tool_calls\":[" call "]}")
#define W(message, word)                                                                           \
    "{\"id\":\"chatcmpl-01ID\",\"object\":\"chat.completion\",\"created\":1700000000,\"model\":"   \
    "\"pub\\\"m\",\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\"," message          \
    "},\"logprobs\":null,\"finish_reason\":\"" word "\"}],\"usage\":" USAGE "}"
#define NOTES     "\"annotations\":[]"
#define SIGNED(s) "\"extra_content\":{\"google\":{\"thought_signature\":\"" s "\"}}"

static const struct event start = {.kind = EV_START};

static const struct {
    struct event events[14];
    enum finish finish;
    const char *stream, *whole;
} rows[] = {
    {{BEGIN(0, PART_TEXT), DELTA(0, "a\"\n"), DELTA(0, "b"), END(0)},
     FINISH_STOP,    ROLE C("{\"content\":\"a\\\"\\n\"}") C("{\"content\":\"b\"}") F("stop"),
     W("\"content\":\"a\\\"\\nb\",\"refusal\":null," NOTES,                     "stop")          },
 /* nothing, and thinking alone */
    {{{0}},
     FINISH_LENGTH,  ROLE F("length"),
     W("\"content\":\"\",\"refusal\":null," NOTES,                              "length")        },
    {{BEGIN(0, PART_THINKING), DELTA(0, "hm"), SEAL(0, "lost"), END(0)},
     FINISH_CONTEXT, ROLE C("{\"reasoning_content\":\"hm\"}") F("length"),
     W("\"content\":\"\",\"refusal\":null,\"reasoning_content\":\"hm\"," NOTES, "length")        },
 /* a thinking signature travels on the first call after it; a call's own wins */
    {{BEGIN(0, PART_THINKING), DELTA(0, "hm"), SEAL(0, "S1"), END(0), CALL(1, "a", "f"),
      DELTA(1, "{\"x\""), DELTA(1, ":1}"), END(1), CALL(2, "b", "g"), DELTA(2, "{}"), END(2)},
     FINISH_TOOL,    ROLE C("{\"reasoning_content\":\"hm\"}")
         T("{\"index\":0,\"id\":\"a\",\"type\":\"function\",\"function\":{\"name\":\"f\","
           "\"arguments\":\"\"}," SIGNED("S1") "}")
             T("{\"index\":0,\"function\":{\"arguments\":\"{\\\"x\\\"\"}}")
                 T("{\"index\":0,\"function\":{\"arguments\":\":1}\"}}")
                     T("{\"index\":1,\"id\":\"b\",\"type\":\"function\",\"function\":{\"name\":"
                       "\"g\",\"arguments\":\"\"}}")
                         T("{\"index\":1,\"function\":{\"arguments\":\"{}\"}}") F("tool_calls"),
     W("\"content\":null,\"refusal\":null,\"reasoning_content\":\"hm\"," NOTES
       ",\"tool_calls\":[{\"id\":\"a\",\"type\":\"function\",\"function\":{\"name\":\"f\","
       "\"arguments\":\"{\\\"x\\\":1}\"}," SIGNED(
           "S1") "},{\"id\":\"b\",\"type\":\"function\","
                 "\"function\":{\"name\":\"g\",\"arguments\":\"{}\"}}]",        "tool_calls")    },
    {{BEGIN(0, PART_THINKING),
      SEAL(0, "S1"),
      END(0),
      {.kind = EV_BEGIN,
       .part = 1,
       .part_kind = PART_CALL,
       .id = SLICE("a"),
       .name = SLICE("f"),
       .seal = SLICE("S2")},
      DELTA(1, "{}"),
      END(1),
      CALL(2, "b", "g"),
      DELTA(2, "{}"),
      END(2),
      SEAL(2, "S3"),
      BEGIN(3, PART_THINKING),
      SEAL(3, "S4"),
      END(3)},
     FINISH_TOOL,    ROLE T("{\"index\":0,\"id\":\"a\",\"type\":\"function\",\"function\":{\"name\":\"f\","
            "\"arguments\":\"\"}," SIGNED("S2") "}")
         T("{\"index\":0,\"function\":{\"arguments\":\"{}\"}}")
             T("{\"index\":1,\"id\":\"b\",\"type\":\"function\",\"function\":{\"name\":\"g\","
               "\"arguments\":\"\"}}") T("{\"index\":1,\"function\":{\"arguments\":\"{}\"}}")
                 T("{\"index\":1," SIGNED("S3") "}") F("tool_calls"),
     W("\"content\":null,\"refusal\":null," NOTES
       ",\"tool_calls\":[{\"id\":\"a\",\"type\":\"function\",\"function\":{\"name\":\"f\","
       "\"arguments\":\"{}\"}," SIGNED("S2") "},{\"id\":\"b\",\"type\":\"function\",\"function\":{"
                                             "\"name\":\"g\",\"arguments\":\"{}\"}," SIGNED(
                                                 "S3") "}]",
     "tool_calls")                                                                               },
 /* custom tools, text before and after */
    {{BEGIN(0, PART_TEXT),
      DELTA(0, "x"),
      END(0),
      {.kind = EV_BEGIN,
       .part = 1,
       .part_kind = PART_CALL,
       .id = SLICE("a"),
       .name = SLICE("c"),
       .is_custom = true},
      DELTA(1, "free"),
      END(1),
      BEGIN(2, PART_TEXT),
      DELTA(2, "y"),
      END(2)},
     FINISH_TOOL,    ROLE C("{\"content\":\"x\"}")
         T("{\"index\":0,\"id\":\"a\",\"type\":\"custom\",\"custom\":{\"name\":\"c\",\"input\":"
           "\"\"}}") T("{\"index\":0,\"custom\":{\"input\":\"free\"}}") C("{\"content\":\"y\"}")
             F("tool_calls"),
     W("\"content\":\"xy\",\"refusal\":null," NOTES
       ",\"tool_calls\":[{\"id\":\"a\",\"type\":\"custom\",\"custom\":{\"name\":\"c\",\"input\":"
       "\"free\"}}]",                                                           "tool_calls")    },
 /* refusals */
    {{BEGIN(0, PART_REFUSAL), DELTA(0, "no"), END(0)},
     FINISH_REFUSAL, ROLE C("{\"refusal\":\"no\"}") F("stop"),
     W("\"content\":null,\"refusal\":\"no\"," NOTES,                            "stop")          },
    {{{0}},
     FINISH_REFUSAL, ROLE F("content_filter"),
     W("\"content\":\"\",\"refusal\":null," NOTES,                              "content_filter")},
    {{{0}},
     FINISH_FILTER,  ROLE F("content_filter"),
     W("\"content\":\"\",\"refusal\":null," NOTES,                              "content_filter")},
 /* images and audio; what cannot be shown is left out */
    {{{.kind = EV_BEGIN, .part = 0, .part_kind = PART_IMAGE, .mime = SLICE("image/webp")},
      DELTA(0, "AA"),
      DELTA(0, "BB"),
      END(0),
      BEGIN(1, PART_IMAGE),
      DELTA(1, "CC"),
      END(1),
      BEGIN(2, PART_AUDIO),
      DELTA(2, "DD"),
      DELTA(2, "EE"),
      END(2),
      BEGIN(3, PART_OPAQUE),
      END(3)},
     FINISH_OTHER,   ROLE C("{\"images\":[{\"type\":\"image_url\",\"image_url\":{\"url\":\"data:image/"
            "webp;base64,AABB\"}}]}")
         C("{\"images\":[{\"type\":\"image_url\",\"image_url\":{\"url\":\"data:image/"
           "png;base64,CC\"}}]}") C("{\"audio\":{\"id\":\"audio_01ID\",\"data\":\"DD\"}}")
             C("{\"audio\":{\"data\":\"EE\"}}") F("stop"),
     W("\"content\":null,\"refusal\":null,\"images\":[{\"type\":\"image_url\",\"image_url\":{"
       "\"url\":\"data:image/webp;base64,AABB\"}},{\"type\":\"image_url\",\"image_url\":{\"url\":"
       "\"data:image/png;base64,CC\"}}],\"audio\":{\"id\":\"audio_01ID\",\"data\":\"DDEE\","
       "\"expires_at\":1700003600,\"transcript\":\"\"}," NOTES,
     "stop")                                                                                     },
};

/* Up to the first empty one. */
static size_t count_events(int row)
{
    size_t n = 0;

    while (n < 14 && rows[row].events[n].kind != EV_START)
        n++;
    return n;
}

static enum err write_row(struct arena *a, int row, bool is_stream, struct buf *b)
{
    struct event events[15];
    size_t n = count_events(row);
    struct encoder e = {
        .arena = a, .is_stream = is_stream, .counts = counts, .finish = rows[row].finish};

    events[0] = start;
    memcpy(events + 1, rows[row].events, n * sizeof(events[0]));
    return kit_write(chat, &e, events, n + 1, b);
}

START_TEST(events_become_a_stream)
{
    ck_assert_int_eq(write_row(arena, _i, true, &out), ERR_OK);
    ck_assert_str_eq(out.p, rows[_i].stream);
}
END_TEST

START_TEST(events_become_a_whole_answer)
{
    struct jvalue v;

    ck_assert_int_eq(write_row(arena, _i, false, &out), ERR_OK);
    ck_assert_str_eq(out.p, rows[_i].whole);
    ck_assert_int_eq(jscan_validate(buf_slice(&out), &v, NULL), ERR_OK);
}
END_TEST

START_TEST(usage_cost_and_tier_are_told_to_who_asked)
{
    struct encoder e = {.arena = arena,
                        .is_stream = true,
                        .wants_usage = true,
                        .counts = counts,
                        .cost = "0.5",
                        .service_tier = SLICE("flex")};
    static const struct event events[] = {BEGIN(0, PART_TEXT), DELTA(0, "x"), END(0)};

    /* a stream that began without its start still has its role */
    ck_assert_int_eq(kit_write(chat, &e, events + 2, 1, &out), ERR_OK);
    ck_assert_str_eq(
        out.p,
        "data: {" TOP ",\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":"
        "\"\",\"refusal\":null},\"logprobs\":null,\"finish_reason\":null}],\"usage\":null}\n\n"
        "data: {" TOP ",\"service_tier\":\"flex\",\"choices\":[{\"index\":0,\"delta\":{},"
        "\"logprobs\":null,\"finish_reason\":\"stop\"}],\"usage\":null}\n\n"
        "data: {" TOP ",\"service_tier\":\"flex\",\"choices\":[],\"usage\":{\"prompt_tokens\":19,"
        "\"completion_tokens\":9,\"total_tokens\":28,\"prompt_tokens_details\":{\"cached_tokens\":"
        "4,\"cache_write_tokens\":5},\"completion_tokens_details\":{\"reasoning_tokens\":5},"
        "\"cost\":0.5}}\n\ndata: [DONE]\n\n");
    buf_reset(&out);
    e.is_stream = false;
    ck_assert_int_eq(kit_write(chat, &e, events, 3, &out), ERR_OK);
    ck_assert_ptr_nonnull(strstr(out.p, "\"cost\":0.5},\"service_tier\":\"flex\"}"));
}
END_TEST

START_TEST(a_client_of_functions_gets_one_function_call)
{
    static const struct event events[] = {
        {.kind = EV_START}, CALL(0, "a", "f"), DELTA(0, "{}"), SEAL(0, "S"), END(0),
        CALL(1, "b", "g"),  DELTA(1, "{}"),    END(1)};
    struct canon c;
    struct encoder e = {
        .arena = arena, .is_stream = true, .counts = counts, .request = &c, .finish = FINISH_TOOL};

    ck_assert_int_eq(kit_decode(chat, arena,
                                "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":"
                                "\"x\"}],\"functions\":[{\"name\":\"f\"}]}",
                                &c),
                     ERR_OK);
    ck_assert_int_eq(kit_write(chat, &e, events, 8, &out), ERR_OK);
    ck_assert_str_eq(out.p, ROLE C("{\"function_call\":{\"name\":\"f\",\"arguments\":\"\"}}")
                                C("{\"function_call\":{\"arguments\":\"{}\"}}") F("function_call"));
    buf_reset(&out);
    e.is_stream = false;
    ck_assert_int_eq(kit_write(chat, &e, events, 8, &out), ERR_OK);
    ck_assert_str_eq(out.p, W("\"content\":null,\"refusal\":null," NOTES
                              ",\"function_call\":{\"name\":\"f\",\"arguments\":\"{}\"}",
                              "function_call"));
}
END_TEST

START_TEST(memory_that_runs_out_anywhere_is_told)
{
    struct buf small_out;
    size_t max;
    int stream;

    for (stream = 0; stream < 2; stream++) {
        for (max = 64; max < 2048; max += 16) {
            struct arena *small = arena_new(max);
            enum err e;

            buf_reset(&out);
            e = write_row(small, _i, stream, &out);
            ck_assert(e == ERR_OK || e == ERR_MEMORY);
            arena_free(small);
        }
        for (max = 0; max < strlen(stream ? rows[_i].stream : rows[_i].whole); max++) {
            struct arena *a = arena_new(ARENA_MAX);

            buf_init(&small_out, max);
            ck_assert_int_eq(write_row(a, _i, stream, &small_out), ERR_FULL);
            buf_clear(&small_out);
            arena_free(a);
        }
    }
}
END_TEST

int main(void)
{
    Suite *s = suite_create("openai_chat_encoder");
    TCase *t = tcase_create("all");

    tcase_add_checked_fixture(t, setup, teardown);
    tcase_set_timeout(t, 60);
    tcase_add_loop_test(t, events_become_a_stream, 0, ROWS(rows));
    tcase_add_loop_test(t, events_become_a_whole_answer, 0, ROWS(rows));
    tcase_add_test(t, usage_cost_and_tier_are_told_to_who_asked);
    tcase_add_test(t, a_client_of_functions_gets_one_function_call);
    tcase_add_loop_test(t, memory_that_runs_out_anywhere_is_told, 0, ROWS(rows));
    suite_add_tcase(s, t);
    return suite_run(s);
}
