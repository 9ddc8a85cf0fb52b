#include "tests/unit/codec_kit.h"
#include "tests/unit/format_suite.h"

#include <check.h>

#define ARENA_MAX (1 << 22)

static const struct format *const chat = &format_openai_chat;

/* ---- streams ---- */

#define HEAD                                                                                       \
    "data: {\"id\":\"c-1\",\"created\":17,\"model\":\"up\",\"choices\":[{\"index\":0,\"delta\":"
#define D(delta)   HEAD delta ",\"finish_reason\":null}],\"usage\":null}\n\n"
#define F(word)    HEAD "{},\"finish_reason\":\"" word "\"}]}\n\n"
#define T(call)    D("{\"tool_calls\":[" call "]}")
#define ROLE       D("{\"role\":\"assistant\",\"content\":\"\",\"refusal\":null}")
#define DONE       "data: [DONE]\n\n"
#define START      "start \"c-1\" \"up\" at=17\n"
#define ARGS(i, a) T("{\"index\":" #i ",\"function\":{\"arguments\":\"" a "\"}}")
#define NEW(i, id)                                                                                 \
    T("{\"index\":" #i ",\"id\":\"" id                                                             \
      "\",\"type\":\"function\",\"function\":{\"name\":\"f\",\"arguments\":\"\"}}")

static const struct {
    const char *stream, *events;
} streams[] = {
    {ROLE D("{\"content\":\"Hel\"}") ": ping\n\n" D("{\"content\":\"lo \\u4f60\\n\"}")
         F("stop") "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":19,\"completion_tokens\":10,"
                   "\"total_tokens\":29,\"prompt_tokens_details\":{\"cached_tokens\":4},"
                   "\"completion_tokens_details\":{\"reasoning_tokens\":3}},\"service_tier\":"
                   "\"flex\"}\n\n" DONE,
     START "begin 0 text\n  Hello \xe4\xbd\xa0\\n\n"
           "usage fresh=15 read=4 write=0 1h=0 out=10 think=3 tier=\"flex\"\nend 0\nfinish stop\n"                                                                                                },
 /* thinking by both names at once, then text, a refusal, CRLF, no space, BOM, no [DONE] */
    {"\xef\xbb\xbf" D("{\"reasoning_content\":\"a\",\"reasoning\":\"a\"}") D(
         "{\"reasoning\":\"b\",\"content\":\"\"}")
         D("{\"content\":\"x\"}") "data:{\"choices\":[{\"delta\":{\"refusal\":\"no\"}}]}\r\n\r\n" F(
             "stop"),
     START "begin 0 thinking\n  ab\nend 0\nbegin 1 text\n  x\nend 1\nbegin 2 refusal\n  no\nend 2\n"
           "finish refusal\n"                                                                                                                                                                     },
 /* calls one after the other; the reason corrected */
    {ROLE D("{\"content\":\"so\"}") NEW(0,                                                               "a") ARGS(0,                                                                               "{\\\"x\\\"") ARGS(0, ":\\\"}\\\"}")
         NEW(1, "b") ARGS(1, "{}") F("stop") DONE,
     START "begin 0 text\n  so\nend 0\nbegin 1 call id=\"a\" name=\"f\"\n  {\\\"x\\\":\\\"}\\\"}\n"
           "end 1\nbegin 2 call id=\"b\" name=\"f\"\n  {}\nend 2\nfinish tool\n"},
 /* interleaved: the later one waits */
    {NEW(0,                                                                                     "a") NEW(1,                                                                                                                                                                   "b") ARGS(1, "[1") ARGS(0, "{") ARGS(1, "]") ARGS(0, "}")
         D("{\"content\":\"after\"}") F("tool_calls") DONE,
     START
     "begin 0 call id=\"a\" name=\"f\"\n  {}\nend 0\nbegin 1 call id=\"b\" name=\"f\"\n  [1]\n"
     "end 1\nbegin 2 text\n  after\nend 2\nfinish tool\n"},
 /* text that comes between waits too; an incomplete call ends with the answer */
    {NEW(0,                        "a") ARGS(0,                                                                                                                 "{\\\"x") D("{\"content\":\"mid\"}") D("{\"content\":\"dle\"}")
         ARGS(0, "\\\":1") F("length") DONE,
     START
     "begin 0 call id=\"a\" name=\"f\"\n  {\\\"x\\\":1\nend 0\nbegin 1 text\n  middle\nend 1\n"
     "finish length\n"},
 /* all calls with index 0, told apart by id; a late delta without one is the last one's */
    {NEW(0,    "a") ARGS(0,"{\\\"p\\\":1}") NEW(0, "b") ARGS(0, "{\\\"q\\\":2}") F("tool_calls") DONE,
     START "begin 0 call id=\"a\" name=\"f\"\n  {\\\"p\\\":1}\nend 0\n"
           "begin 1 call id=\"b\" name=\"f\"\n  {\\\"q\\\":2}\nend 1\nfinish tool\n"},
 /* no ids and one index: a name after complete arguments begins another */
    {T("{\"index\":0,\"id\":\"\",\"function\":{\"name\":\"f\",\"arguments\":\"{}\"}}") T(
         "{\"index\":0,\"function\":{\"name\":\"g\",\"arguments\":\"{\\\"a\\\":[]}\"}}") F("stop"),
     START
     "begin 0 call name=\"f\"\n  {}\nend 0\nbegin 1 call name=\"g\"\n  {\\\"a\\\":[]}\nend 1\n"
     "finish tool\n"                                                                                                                                                                    },
 /* name repeated in each delta, index and arguments as an object */
    {T("{\"id\":\"a\",\"function\":{\"name\":\"f\",\"arguments\":\"{\"}}")
         T("{\"id\":\"a\",\"function\":{\"name\":\"f\",\"arguments\":\"}\"}}")
             T("{\"id\":\"b\",\"function\":{\"name\":\"g\",\"arguments\":{\"k\": 1}}}") F(""),
     NULL                                                                                                                                       },
 /* a name that comes late, no arguments at all, a call that never gets a name */
    {T("{\"index\":0,\"id\":\"a\",\"function\":{\"arguments\":\"{\\\"k\"}}")
         T("{\"index\":0,\"function\":{\"name\":\"late\",\"arguments\":\"\\\":1}\"}}") NEW(1,                                                                "b")
             T("{\"index\":2,\"id\":\"c\",\"function\":{\"arguments\":\"{}\"}}") F("tool_calls"),
     START "begin 0 call id=\"a\" name=\"late\"\n  {\\\"k\\\":1}\nend 0\n"
           "begin 1 call id=\"b\" name=\"f\"\n  {}\nend 1\nfinish tool\n"},
 /* custom tools, and the legacy form */
    {T("{\"index\":0,\"id\":\"a\",\"type\":\"custom\",\"custom\":{\"name\":\"c\",\"input\":\"\"}}")
         T("{\"index\":0,\"custom\":{\"input\":\"free } text\"}}") F("tool_calls") DONE,
     START "begin 0 call id=\"a\" name=\"c\" custom=1\n  free } text\nend 0\nfinish tool\n"                                                                                                                                                                          },
    {D("{\"function_call\":{\"name\":\"f\",\"arguments\":\"\"}}")
         D("{\"function_call\":{\"arguments\":\"{\\\"a\\\":1}\"}}") F("function_call") DONE,
     START "begin 0 call name=\"f\"\n  {\\\"a\\\":1}\nend 0\nfinish tool\n"                                                                                                                                                                                                                                       },
 /* a signature of a compatible endpoint */
    {T("{\"index\":0,\"id\":\"a\",\"function\":{\"name\":\"f\",\"arguments\":\"{}\"},"
       "\"extra_content\":{\"google\":{\"thought_signature\":\"c2ln\"}}}") F("stop") DONE,
     START "begin 0 call id=\"a\" name=\"f\" seal=\"c2ln\"\n  {}\nend 0\nfinish tool\n"                                                                                                              },
 /* content in parts, images, audio */
    {D("{\"content\":[{\"type\":\"thinking\",\"thinking\":[{\"type\":\"text\",\"text\":\"t\"}]},{"
       "\"type\":\"text\",\"text\":\"x\"},{\"type\":\"refusal\",\"refusal\":\"r\"},{\"type\":"
       "\"image_url\",\"image_url\":{\"url\":\"data:image/png;base64,iVBO\"}}]}")
         D("{\"images\":[{\"image_url\":{\"url\":\"data:image/png;base64,AAAA\"}},{\"image_url\":"
           "\"https://h/i\"}],\"audio\":{\"id\":\"1\",\"data\":\"BBBB\",\"transcript\":\"!\"}}")
             F("content_filter") DONE,
     START "begin 0 thinking\n  t\nend 0\nbegin 1 text\n  x\nend 1\nbegin 2 refusal\n  r\nend 2\n"
           "begin 3 image mime=\"image/png\"\n  iVBO\nend 3\n"
           "begin 4 image mime=\"image/png\"\n  AAAA\nend 4\n"
           "begin 5 text\n  ![image](https://h/i)!\nend 5\nbegin 6 audio\n  BBBB\nend 6\n"
           "finish filter\n"                                                                                                                                                                              },
 /* usage in the choice, in x_groq, with each chunk; another choice; unknown reason */
    {D("{\"content\":\"x\"}") "data: "
                              "{\"choices\":[{\"index\":1,\"delta\":{\"content\":\"other\"}}],\"x_"
                              "groq\":{\"usage\":{"
                              "\"prompt_tokens\":1,\"completion_tokens\":1}},\"service_tier\":"
                              "\"default\"}\n\n"
                              "data: "
                              "{\"choices\":[{\"delta\":{},\"finish_reason\":\"weird\",\"usage\":{"
                              "\"prompt_tokens\":1,"
                              "\"completion_tokens\":2}}]}\n\n"
                              "data: "
                              "{\"choices\":[],\"usage\":{\"prompt_tokens\":1,\"completion_"
                              "tokens\":2}}\n\n" DONE,
     START
     "begin 0 text\n  x\nusage fresh=1 read=0 write=0 1h=0 out=1 think=0 tier=\"default\"\n"
     "usage fresh=1 read=0 write=0 1h=0 out=2 think=0 tier=\"default\"\nend 0\nfinish other\n"                                                                                                                                                                                         },
 /* half a character is not worth the answer */
    {D("{\"content\":\"\\ud83d\"}") F("length") DONE,
     START "begin 0 text\n  \xef\xbf\xbd\nend 0\nfinish length\n"},
 /* finished with nothing to say */
    {ROLE F("stop") DONE,                                                                                                  START "finish stop\n"                                                                                                    },
    {ROLE F("tool_calls") DONE,                                                                                                  START "finish stop\n"},
    {D("{\"content\":\"x\"}") DONE D("{\"content\":\"y\"}"),
     START "begin 0 text\n  x\nend 0\nfinish stop\n"},
    {D("{\"content\":\"x\"}") F("model_context_window_exceeded") DONE,
     START "begin 0 text\n  x\nend 0\nfinish context\n"                                        },
 /* errors inside */
    {D("{\"content\":\"x\"}") "data: {\"error\":{\"message\":\"too "
                              "much\",\"code\":\"rate_limit_exceeded\"}}\n\n" DONE,
     START "begin 0 text\n  x\nerror up_rate \"too much\" code=\"rate_limit_exceeded\"\n"},
    {"event: error\ndata: nothing\n\n",                                                                                                  "error up_failed\n"},
    {"data: {\"error\":\"broken\"}\n\n",                                                                                                  "error up_failed \"broken\"\n"                                                                                                                                                                        },
    {"data: {\"error\":{\"message\":\"m\",\"code\":500,\"type\":\"t\"}}\n\n",
     "error up_failed \"m\" code=\"500\"\n"                                                              },
    {"data: {\"object\":\"error\",\"message\":\"the context window is full\"}\n\n",
     "error up_context \"the context window is full\"\n"                                                                                                                                                                                                               },
    {D("{\"content\":\"x\"}") F("insufficient_system_resource") DONE,
     START "begin 0 text\n  x\nerror up_failed\n"                                                                                                                                                                                                                                                                },
};

/* The row that ends without a reason. */
#define CUT_ROW 7

START_TEST(a_stream_is_decoded_alike_for_every_split)
{
    struct slice text = slice_of(streams[_i].stream);
    const char *events = streams[_i].events;
    size_t cut;

    for (cut = 0; cut <= text.n + 1; cut++) {
        struct arena *a = arena_new(ARENA_MAX);
        struct event_log log;
        enum err e;

        event_log_init(&log);
        e = kit_decode_stream(chat, a, text, cut, &log);
        ck_assert_int_eq(e, events ? ERR_OK : ERR_UP_CUT);
        if (events)
            ck_assert_str_eq(event_log_text(&log), events);
        event_log_clear(&log);
        arena_free(a);
    }
}
END_TEST

START_TEST(an_answer_without_its_end_is_cut_with_what_came)
{
    struct event_log log;

    event_log_init(&log);
    ck_assert_int_eq(kit_decode_stream(chat, arena, slice_of(streams[CUT_ROW].stream), 1, &log),
                     ERR_UP_CUT);
    ck_assert_str_eq(event_log_text(&log), START "begin 0 call id=\"a\" name=\"f\"\n  {}\nend 0\n"
                                                 "begin 1 call id=\"b\" name=\"g\"\n  "
                                                 "{\\\"k\\\": 1}\n");
    event_log_clear(&log);
}
END_TEST

static const char *const malformed[] = {
    "data: nonsense\n\n",
    "data: {\"a\":1}x\n\n",
    "data: []\n\n",
    "data: [DONE]\n\n",
};

START_TEST(what_is_no_chunk_is_malformed)
{
    struct event_log log;

    event_log_init(&log);
    ck_assert_int_eq(kit_decode_stream(chat, arena, slice_of(malformed[_i]), 1, &log),
                     ERR_UP_MALFORMED);
    event_log_clear(&log);
}
END_TEST

START_TEST(more_calls_than_the_maximum_are_malformed)
{
    struct event_log log;
    struct buf b;
    int i;

    buf_init(&b, 1 << 20);
    for (i = 0; i < 257; i++)
        ck_assert_int_eq(buf_printf(&b,
                                    "data: {\"choices\":[{\"delta\":{\"tool_calls\":[{\"index\":%d,"
                                    "\"id\":\"i%d\",\"function\":{\"name\":\"f\"}}]}}]}\n\n",
                                    i, i),
                         ERR_OK);
    event_log_init(&log);
    ck_assert_int_eq(kit_decode_stream(chat, arena, buf_slice(&b), 1, &log), ERR_UP_MALFORMED);
    event_log_clear(&log);
    buf_clear(&b);
}
END_TEST

START_TEST(a_long_stream_takes_no_more_of_the_arena_with_each_event)
{
    struct event_log log;
    struct buf b;
    int i;

    buf_init(&b, 1 << 22);
    for (i = 0; i < 3000; i++)
        ck_assert_int_eq(buf_append_z(&b, i % 2 ? D("{\"content\":\"a\\n\\u00e9\"}")
                                                : D("{\"reasoning_content\":\"b\\n\"}")),
                         ERR_OK);
    ck_assert_int_eq(buf_append_z(&b, F("stop") DONE), ERR_OK);
    event_log_init(&log);
    ck_assert_int_eq(kit_decode_stream(chat, arena, buf_slice(&b), 1, &log), ERR_OK);
    ck_assert_uint_lt(arena_used(arena), 8192);
    event_log_clear(&log);
    buf_clear(&b);
}
END_TEST

/* ---- whole answers ---- */

static const struct {
    const char *body, *events;
    enum err error;
} wholes[] = {
    {" {\"id\":\"c-1\",\"created\":17,\"model\":\"up\",\"choices\":[{\"index\":0,\"message\":{"
     "\"role\":\"assistant\",\"tool_calls\":[{\"id\":\"\",\"type\":\"function\",\"function\":{"
     "\"name\":\"f\",\"arguments\":\"{}\"}},{\"function\":{\"name\":\"g\",\"arguments\":\"\"}}],"
     "\"content\":\"text\",\"reasoning_content\":\"why\"},\"finish_reason\":\"tool_calls\"},{"
     "\"index\":1,\"message\":{\"content\":\"second\"}}],\"usage\":{\"prompt_tokens\":3,"
     "\"completion_tokens\":4},\"service_tier\":\"priority\"}\n", START "begin 0 thinking\n  why\nend 0\nbegin 1 text\n  text\nend 1\n"
           "begin 2 call name=\"f\"\n  {}\nend 2\nbegin 3 call name=\"g\"\n"
           "usage fresh=3 read=0 write=0 1h=0 out=4 think=0 tier=\"priority\"\n"
           "  {}\nend 3\nfinish tool\n",                  ERR_OK          },
    {"{\"choices\":[{\"message\":{\"content\":null,\"refusal\":\"no\"},\"finish_reason\":\"stop\"}]"
     "}",                                                         "start\nbegin 0 refusal\n  no\nend 0\nfinish refusal\n", ERR_OK          },
    {"{\"error\":{\"message\":\"m\",\"type\":\"t\"}}",                 "error up_failed \"m\" code=\"t\"\n",
     ERR_OK                                                                                                                                     },
    {"{\"choices\":[]}",                                               NULL,                                                    ERR_UP_MALFORMED},
    {"{\"error\":null}",                                               NULL,                                                    ERR_UP_MALFORMED},
    {"nonsense",                                                       NULL,                                                    ERR_UP_MALFORMED},
};

START_TEST(a_whole_answer_is_decoded)
{
    struct event_log log;

    event_log_init(&log);
    ck_assert_int_eq(kit_decode_whole(chat, arena, wholes[_i].body, &log), wholes[_i].error);
    if (wholes[_i].events)
        ck_assert_str_eq(event_log_text(&log), wholes[_i].events);
    event_log_clear(&log);
}
END_TEST

START_TEST(what_the_sink_says_stops_the_decoder)
{
    size_t k;

    for (k = 0; k < 12; k++) {
        struct arena *a = arena_new(ARENA_MAX);
        struct event_log log;

        event_log_init(&log);
        log.fail_with = ERR_FULL;
        log.fail_at = k;
        ck_assert_int_eq(kit_decode_stream(chat, a, slice_of(streams[2].stream), 1, &log),
                         ERR_FULL);
        event_log_clear(&log);
        arena_free(a);
    }
}
END_TEST

START_TEST(memory_that_runs_out_anywhere_is_told)
{
    size_t max, ok = 0;

    if (!streams[_i].events)
        return;
    for (max = 64; max < 16384; max += 48) {
        struct arena *small = arena_new(max);
        struct event_log log;
        enum err e;

        event_log_init(&log);
        e = kit_decode_stream(chat, small, slice_of(streams[_i].stream), 1, &log);
        ck_assert_msg(e == ERR_OK || e == ERR_MEMORY, "%s", err_name(e));
        ok += e == ERR_OK;
        event_log_clear(&log);
        arena_free(small);
    }
    ck_assert_uint_gt(ok, 0);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("openai_chat_decoder");
    TCase *t = tcase_create("all");

    tcase_add_checked_fixture(t, suite_arena_open, suite_arena_close);
    tcase_set_timeout(t, 60);
    tcase_add_loop_test(t, a_stream_is_decoded_alike_for_every_split, 0, ROWS(streams));
    tcase_add_test(t, an_answer_without_its_end_is_cut_with_what_came);
    tcase_add_loop_test(t, what_is_no_chunk_is_malformed, 0, ROWS(malformed));
    tcase_add_test(t, more_calls_than_the_maximum_are_malformed);
    tcase_add_test(t, a_long_stream_takes_no_more_of_the_arena_with_each_event);
    tcase_add_loop_test(t, a_whole_answer_is_decoded, 0, ROWS(wholes));
    tcase_add_test(t, what_the_sink_says_stops_the_decoder);
    tcase_add_loop_test(t, memory_that_runs_out_anywhere_is_told, 0, ROWS(streams));
    suite_add_tcase(s, t);
    return suite_run(s);
}
