#include "tests/unit/codec_kit.h"
#include "tests/unit/format_suite.h"
#include "upstream/gemini.h"

#include <check.h>
#include <string.h>

static const struct format *const gemini = &format_gemini;

/* ---- a provider's answer as events ---- */

#define CHUNK(parts, more) "{\"candidates\":[{\"content\":{\"parts\":[" parts "]}" more "}]"
#define HEAD               ",\"modelVersion\":\"up-1\",\"responseId\":\"r\"}"
#define DATA(json)         "data: " json "\n\n"
#define STOP               ",\"finishReason\":\"STOP\""

static const struct {
    const char *stream, *events;
    enum err e;
} streams[] = {
    {DATA(CHUNK("{\"text\":\"Let me\",\"thought\":true}",                               "") HEAD) ": note\n\n" DATA("{}")
         DATA(CHUNK("{\"text\":\" see\",\"thought\":true}",
     "") ",\"usageMetadata\":{\"promptTokenCount\":9}}")
             DATA(CHUNK("{\"text\":\"Hel\\\"lo\"}","") "}")
                 DATA(CHUNK("{\"text\":\" \\u4f60\"}","") "}") DATA(CHUNK(
                     "{\"functionCall\":{\"id\":\"c1\",\"name\":\"f\",\"args\":{\"a\": "
                     "1}},\"thoughtSignature\":\"s1\"},{\"functionCall\":{\"name\":\"g\"}}", STOP) ",\"usageMetadata\":{\"promptTokenCount\":9,\"candidatesTokenCount\":5,"
                           "\"thoughtsTokenCount\":2,\"serviceTier\":\"FLEX\"}}"),
     "start \"r\" \"up-1\"\nbegin 0 thinking\n  Let me see\nusage fresh=9 read=0 write=0 1h=0 "
     "out=0 "
     "think=0\nend 0\nbegin 1 text\n  Hel\\\"lo \xe4\xbd\xa0\nend 1\n"
     "begin 2 call id=\"c1\" name=\"f\" seal=\"s1\"\n  {\\\"a\\\": 1}\nend 2\n"
     "begin 3 call name=\"g\"\n  {}\nend 3\n"
     "usage fresh=9 read=0 write=0 1h=0 out=7 think=2 tier=\"flex\"\nfinish tool \"\"\n", ERR_OK},
    {DATA(CHUNK("{\"text\":\"a\"}", "") "}")
         DATA(CHUNK("{\"text\":\"\",\"thoughtSignature\":\"s\"}",                                                                                                  STOP) "}"),
     "start\nbegin 0 text\n  a\nseal \"s\"\nend 0\nfinish stop \"\"\n",ERR_OK},
    {DATA(CHUNK("{\"text\":\"\",\"thoughtSignature\":\"s\"}",                  STOP) "}"),
     "start\nbegin 0 thinking\nseal \"s\"\nend 0\nfinish stop \"\"\n",ERR_OK                    },
    {DATA(CHUNK("{\"functionCall\":{\"name\":\"f\"}}",                           "") "}")
         DATA(CHUNK("{\"text\":\"\",\"thoughtSignature\":\"s\"}",                                                                                                 STOP) "}"),
     "start\nbegin 0 call name=\"f\"\n  {}\nend 0\nbegin 1 thinking\nseal \"s\"\nend 1\n"
     "finish tool \"\"\n",ERR_OK},
    {DATA(CHUNK("{\"inlineData\":{\"mimeType\":\"image/png\",\"data\":\"iV\"}},{\"thought\":true,"
                "\"inlineData\":{\"mimeType\":\"image/png\",\"data\":\"no\"}},{\"inlineData\":{"
                "\"mimeType\":\"audio/L16\",\"data\":\"QQ\"}}",                                  ",\"finishReason\":\"MAX_TOKENS\"") "}"),
     "start\nbegin 0 image mime=\"image/png\"\n  iV\nend 0\nbegin 1 audio mime=\"audio/L16\"\n  "
     "QQ\n"
     "end 1\nfinish length \"\"\n",ERR_OK},
    {DATA(
         "{\"promptFeedback\":{\"blockReason\":\"SAFETY\"},\"usageMetadata\":{\"promptTokenCount\":"
         "3}}"),
     "start\nusage fresh=3 read=0 write=0 1h=0 out=0 think=0\nfinish filter \"SAFETY\"\n",                                                                                                                     ERR_OK},
    {DATA(CHUNK(
         "",                                                                                 ",\"finishReason\":\"MALFORMED_FUNCTION_CALL\",\"finishMessage\":\"bad \\u00e9\"") "}"),
     "start\nfinish bad_call \"bad \xc3\xa9\"\n",ERR_OK},
    {DATA(CHUNK("{\"executableCode\":{\"code\":\"x\"}}",
     ",\"finishReason\":\"NEW_ONE\"") "}") "data: [DONE]\n\n",
     "start\nfinish other \"\"\n",ERR_OK},
    {DATA(CHUNK("{\"text\":\"a\"}",                                STOP) "}") DATA(CHUNK("{\"text\":\"b\"}",                                                                                                                             STOP) "}"),
     "start\nbegin 0 text\n  ab\nend 0\nfinish stop \"\"\n",                           ERR_OK},
 /* errors */
    {DATA(CHUNK("{\"text\":\"a\"}",                                                     "") "}")
         DATA("{\"error\":{\"code\":503,\"message\":\"over\\nload\",\"status\":\"UNAVAILABLE\"}}"),
     "start\nbegin 0 text\n  a\nerror up_failed \"over\\nload\" code=\"UNAVAILABLE\"\n",ERR_OK},
    {DATA("{\"error\":{\"code\":429,\"message\":\"m\",\"status\":\"RESOURCE_EXHAUSTED\"}}")
         DATA("{}"),
     "error up_rate \"m\" code=\"RESOURCE_EXHAUSTED\"\n",                                                                                                                                                      ERR_OK},
    {DATA(CHUNK("{\"text\":\"a\"}",                                                                                 "") "}"),                                                                                                                                                                "start\nbegin 0 text\n  a\n",ERR_UP_CUT},
    {"",                                                     "",                                                              ERR_UP_CUT},
    {DATA("oops"),                                                                                "",                                                                                                                           ERR_UP_MALFORMED},
    {DATA(CHUNK("5","") "}"),"start\n",ERR_UP_MALFORMED},
    {DATA(CHUNK("{\"functionCall\":{}}",                                                                        "") "}"),                                                                                                                                                                                                   "start\n",                                                                                              ERR_UP_MALFORMED},
    {DATA(CHUNK("{\"text\":\"\\ud800\"}",                                                                        "") "}"),"start\n",ERR_UP_MALFORMED},
};

START_TEST(a_stream_becomes_events_alike_for_every_split)
{
    struct slice text = slice_of(streams[_i].stream);
    struct event_log log;
    size_t cut;

    for (cut = 0; cut <= text.n + 1; cut++) {
        event_log_init(&log);
        ck_assert_int_eq(kit_decode_stream(gemini, arena, text, cut, &log), streams[_i].e);
        ck_assert_str_eq(event_log_text(&log), streams[_i].events);
        event_log_clear(&log);
        arena_reset(arena);
    }
}
END_TEST

static const struct {
    const char *body, *events;
    enum err e;
} wholes[] = {
    {CHUNK("{\"text\":\"t\",\"thought\":true},{\"text\":\"a\"},{\"text\":\"b\"}",
     STOP) ",\"usageMetadata\":{\"promptTokenCount\":4,\"candidatesTokenCount\":2}" HEAD,
     "start \"r\" \"up-1\"\nbegin 0 thinking\n  t\nend 0\nbegin 1 text\n  ab\n"
     "usage fresh=4 read=0 write=0 1h=0 out=2 think=0\nend 1\nfinish stop \"\"\n",                                                                  ERR_OK},
    {CHUNK("{\"text\":\"a\"}",                                                                           "") "}",                                                          "start\nbegin 0 text\n  a\nend 0\nfinish stop \"\"\n",
     ERR_OK},
    {"{\"candidates\":[]}",                                                                      "start\n",                                                                            ERR_UP_MALFORMED                                                                                                               },
    {"{\"error\":{\"code\":500,\"message\":\"m\"}}",                                                           "error up_failed \"m\"\n",ERR_OK},
    {"[]",                                                                     "",                                                                                      ERR_UP_MALFORMED                                                                                                                                                                                                                                                         },
};

START_TEST(a_whole_answer_becomes_events)
{
    struct event_log log;

    event_log_init(&log);
    ck_assert_int_eq(kit_decode_whole(gemini, arena, wholes[_i].body, &log), wholes[_i].e);
    ck_assert_str_eq(event_log_text(&log), wholes[_i].events);
    event_log_clear(&log);
}
END_TEST

START_TEST(what_the_sink_returns_ends_the_decoding)
{
    struct event_log log;
    size_t at;

    for (at = 0; at < 17; at++) {
        event_log_init(&log);
        log.fail_with = ERR_FULL;
        log.fail_at = at;
        ck_assert_int_eq(kit_decode_stream(gemini, arena, slice_of(streams[0].stream), 0, &log),
                         ERR_FULL);
        event_log_clear(&log);
    }
}
END_TEST

START_TEST(decoding_takes_no_memory_of_the_request_per_event)
{
    struct event_log log;
    struct buf b;
    size_t used;
    int i;

    buf_init(&b, 1 << 20);
    for (i = 0; i < 500; i++)
        ck_assert_int_eq(buf_append_z(&b, DATA(CHUNK("{\"text\":\"a\\n\"}", STOP) "}")), ERR_OK);
    event_log_init(&log);
    used = arena_used(arena);
    ck_assert_int_eq(kit_decode_stream(gemini, arena, buf_slice(&b), 0, &log), ERR_OK);
    ck_assert_uint_lt(arena_used(arena) - used, 1024);
    event_log_clear(&log);
    buf_clear(&b);
}
END_TEST

/* ---- events as a client's answer ---- */

#define ANSWER(parts, more)                                                                        \
    "{\"candidates\":[{\"content\":{\"parts\":[" parts "],\"role\":\"model\"}" more ",\"index\":"  \
    "0}]"
#define OURS ",\"modelVersion\":\"pub\\\"m\",\"responseId\":\"01ID\"}"
#define USAGE                                                                                      \
    ",\"usageMetadata\":{\"promptTokenCount\":10,\"candidatesTokenCount\":5,\"totalTokenCount\":"  \
    "18,"                                                                                          \
    "\"cachedContentTokenCount\":4,\"thoughtsTokenCount\":3,\"serviceTier\":\"flex\",\"cost\":0."  \
    "5}"
#define BEGIN(i, k)                                                                                \
    {                                                                                              \
        .kind = EV_BEGIN, .part = (i), .part_kind = (k)                                            \
    }
#define DELTA(i, t)                                                                                \
    {                                                                                              \
        .kind = EV_DELTA, .part = (i), .text = { t, sizeof(t) - 1 }                                \
    }
#define END(i)                                                                                     \
    {                                                                                              \
        .kind = EV_END, .part = (i)                                                                \
    }

static const struct event talk[] = {
    {.kind = EV_START,       .id = {"x", 1},      .text = {"up", 2}     },
    BEGIN(0, PART_THINKING),
    DELTA(0, "hm"),
    {                .kind = EV_SEAL,             .part = 0, .text = {"c2Vh", 4}                      },
    END(0),
    BEGIN(1, PART_TEXT),
    DELTA(1, "Hel\"lo"),
    DELTA(1, " you"),
    END(1),
    { .kind = EV_BEGIN,
     .part = 2,
     .part_kind = PART_CALL,
     .id = {"c1", 2},
     .name = {"f", 1},
     .seal = {"czI=", 4}},
    DELTA(2, "{\"a\""),
    DELTA(2, ":1}"),
    END(2),
    {                                                                  .kind = EV_BEGIN,       .part = 3,           .part_kind = PART_CALL, .id = {"c2", 2}, .name = {"g", 1}},
    END(3),
    {.kind = EV_BEGIN,                      .part = 4,                          .part_kind = PART_IMAGE,                  .mime = {"image/jpeg", 10}},
    DELTA(4, "iV"),
    DELTA(4, "BO"),
    END(4),
    BEGIN(5, PART_REFUSAL),
    DELTA(5, "no"),
    END(5),
};

#define THOUGHT "{\"text\":\"hm\",\"thought\":true}"
#define CALL1                                                                                      \
    "{\"functionCall\":{\"id\":\"c1\",\"name\":\"f\",\"args\":{\"a\":1}},\"thoughtSignature\":"    \
    "\"czI=\"}"
#define CALL2   "{\"functionCall\":{\"id\":\"c2\",\"name\":\"g\",\"args\":{}}}"
#define PICTURE "{\"inlineData\":{\"mimeType\":\"image/jpeg\",\"data\":\"iVBO\"}}"
#define LAST    ANSWER("{\"text\":\"\"}", STOP) USAGE OURS

static struct encoder encoder_for(struct canon *request, bool is_stream, bool is_array, int show)
{
    canon_init(request, arena, VENDOR_GEMINI, NULL);
    request->think.show = show;
    return (struct encoder){
        .arena = arena,
        .is_stream = is_stream,
        .is_array = is_array,
        .request = request,
        .counts = {.in_fresh = 3,
                   .in_read = 4,
                   .in_write = 1,
                   .in_write_1h = 2,
                   .out_all = 8,
                   .out_think = 3,
                   .is_known = true},
        .service_tier = SLICE("flex"),
        .cost = "0.5",
        .finish = FINISH_TOOL,
    };
}

static void check_talk(bool is_stream, bool is_array, int show, const char *expected)
{
    struct canon request;
    struct encoder e = encoder_for(&request, is_stream, is_array, show);
    struct buf out;

    buf_init(&out, 1 << 16);
    ck_assert_int_eq(kit_write(gemini, &e, talk, sizeof(talk) / sizeof(talk[0]), &out), ERR_OK);
    ck_assert_str_eq(out.p, expected);
    buf_clear(&out);
}

#define SIGNED "{\"text\":\"Hel\\\"lo\",\"thoughtSignature\":\"c2Vh\"}"

START_TEST(a_streamed_answer_has_a_chunk_for_each_piece)
{
    check_talk(true, false, 1,
               DATA(ANSWER(THOUGHT, "") OURS) DATA(ANSWER(SIGNED, "") OURS)
                   DATA(ANSWER("{\"text\":\" you\"}", "") OURS) DATA(ANSWER(CALL1, "") OURS)
                       DATA(ANSWER(CALL2, "") OURS) DATA(ANSWER(PICTURE, "") OURS)
                           DATA(ANSWER("{\"text\":\"no\"}", "") OURS) DATA(LAST));
}
END_TEST

START_TEST(thoughts_are_for_those_who_asked)
{
    check_talk(true, false, -1,
               DATA(ANSWER(SIGNED, "") OURS) DATA(ANSWER("{\"text\":\" you\"}", "") OURS)
                   DATA(ANSWER(CALL1, "") OURS) DATA(ANSWER(CALL2, "") OURS)
                       DATA(ANSWER(PICTURE, "") OURS) DATA(ANSWER("{\"text\":\"no\"}", "") OURS)
                           DATA(LAST));
}
END_TEST

START_TEST(a_streamed_array_is_one_text)
{
    check_talk(true, true, 0,
               "[" ANSWER(SIGNED, "") OURS "\n,\n" ANSWER("{\"text\":\" you\"}", "") OURS
               "\n,\n" ANSWER(CALL1, "") OURS "\n,\n" ANSWER(CALL2, "") OURS
               "\n,\n" ANSWER(PICTURE, "") OURS "\n,\n" ANSWER("{\"text\":\"no\"}", "") OURS
               "\n,\n" LAST "\n]");
}
END_TEST

START_TEST(a_whole_answer_has_all_parts)
{
    check_talk(false, false, 1,
               ANSWER(THOUGHT ",{\"text\":\"Hel\\\"lo you\",\"thoughtSignature\":\"c2Vh\"}," CALL1
                              "," CALL2 "," PICTURE ",{\"text\":\"no\"}",
                      STOP) USAGE OURS);
}
END_TEST

static const struct {
    enum finish finish;
    const char *word;
} finishes[] = {
    {FINISH_STOP,      "STOP"                   },
    {FINISH_STOP_TEXT, "STOP"                   },
    {FINISH_LENGTH,    "MAX_TOKENS"             },
    {FINISH_CONTEXT,   "MAX_TOKENS"             },
    {FINISH_TOOL,      "STOP"                   },
    {FINISH_REFUSAL,   "SAFETY"                 },
    {FINISH_FILTER,    "SAFETY"                 },
    {FINISH_PAUSE,     "CONTINUATION"           },
    {FINISH_BAD_CALL,  "MALFORMED_FUNCTION_CALL"},
    {FINISH_OTHER,     "OTHER"                  },
};

START_TEST(each_finish_has_its_word)
{
    bool is_filtered = finishes[_i].finish == FINISH_FILTER ||
                       finishes[_i].finish == FINISH_REFUSAL;
    struct canon request;
    struct encoder e = encoder_for(&request, false, false, 0);
    const char *expected;
    struct buf out;

    e.finish = finishes[_i].finish;
    e.finish_text = SLICE("why");
    buf_init(&out, 1 << 16);
    ck_assert_int_eq(kit_write(gemini, &e, talk, 1, &out), ERR_OK);
    expected = arena_printf(arena, ANSWER("", ",\"finishReason\":\"%s\"%s") USAGE OURS,
                            finishes[_i].word, is_filtered ? ",\"finishMessage\":\"why\"" : "");
    ck_assert_str_eq(out.p, expected);
    buf_clear(&out);
}
END_TEST

static const struct event cut_call[] = {
    {.kind = EV_START },
    { .kind = EV_BEGIN, .part = 0, .part_kind = PART_CALL, .name = {"f", 1}},
    DELTA(0, "{\"a\":"),
    END(0),
    BEGIN(1, PART_TEXT),
    DELTA(1, "x"),
    END(1),
};

START_TEST(a_call_that_was_cut_off_is_left_out)
{
    static const char broken[] =
        "{\"functionCall\":{\"name\":\"f\",\"args\":{\"_raw\":\"{\\\"a\\\":\"}}}";
    struct canon request;
    struct encoder e = encoder_for(&request, false, false, 0);
    struct buf out;

    buf_init(&out, 1 << 16);
    e.finish = FINISH_LENGTH;
    ck_assert_int_eq(kit_write(gemini, &e, cut_call, 4, &out), ERR_OK);
    ck_assert_ptr_null(strstr(out.p, "functionCall"));
    buf_reset(&out);
    e = encoder_for(&request, false, false, 0);
    ck_assert_int_eq(kit_write(gemini, &e, cut_call, 4, &out), ERR_OK);
    ck_assert_ptr_nonnull(strstr(out.p, broken)); /* the model wrote it so */
    buf_reset(&out);
    e = encoder_for(&request, true, false, 0);
    e.finish = FINISH_LENGTH;
    ck_assert_int_eq(kit_write(gemini, &e, cut_call, 7, &out), ERR_OK);
    ck_assert_ptr_nonnull(strstr(out.p, broken)); /* it was not the last part */
    buf_clear(&out);
}
END_TEST

START_TEST(a_signature_that_no_part_follows_is_not_lost)
{
    static const struct event events[] = {
        {.kind = EV_START    },
        BEGIN(0, PART_TEXT),
        DELTA(0, "a"),
        { .kind = EV_SEAL, .part = 0, .text = {"c2Vh", 4}},
        END(0),
    };
    struct canon request;
    struct encoder e = encoder_for(&request, true, false, 0);
    struct buf out;

    buf_init(&out, 1 << 16);
    ck_assert_int_eq(kit_write(gemini, &e, events, 5, &out), ERR_OK);
    ck_assert_str_eq(out.p, DATA(ANSWER("{\"text\":\"a\"}", "") OURS) DATA(ANSWER(
                                "{\"text\":\"\",\"thoughtSignature\":\"c2Vh\"}", STOP) USAGE OURS));
    buf_clear(&out);
}
END_TEST

START_TEST(encoding_without_memory_says_so)
{
    bool is_done = false;
    size_t max;

    for (max = 0; !is_done && max < 1 << 16; max += 16) {
        struct arena *small = arena_new(max);
        struct canon request;
        struct encoder e = encoder_for(&request, true, false, 1);
        struct buf out;
        enum err err;

        e.arena = small;
        buf_init(&out, 1 << 16);
        err = kit_write(gemini, &e, talk, sizeof(talk) / sizeof(talk[0]), &out);
        ck_assert(err == ERR_OK || err == ERR_MEMORY);
        is_done = err == ERR_OK;
        buf_clear(&out);
        arena_free(small);
    }
    ck_assert(is_done);
    for (max = 1; max < 2000; max += 7) {
        struct canon request;
        struct encoder e = encoder_for(&request, max % 2, false, 1);
        struct buf out;
        enum err err;

        buf_init(&out, max);
        err = kit_write(gemini, &e, talk, sizeof(talk) / sizeof(talk[0]), &out);
        ck_assert(err == ERR_OK || err == ERR_FULL);
        buf_clear(&out);
        arena_reset(arena);
    }
}
END_TEST

/* ---- errors in a translated stream ---- */

static void check_error(bool is_sent, size_t reset_at, const char *before)
{
    struct canon request;
    struct encoder e = encoder_for(&request, true, true, 0);
    struct format_request in = {.is_array = true};
    struct reader r = {.request = &in, .encoder = &e};
    struct buf out, error;
    size_t i;

    buf_init(&out, 1 << 16);
    buf_init(&error, 1 << 16);
    e.format = gemini;
    e.out = &out;
    e.model = "m";
    e.request_id = "01ID";
    ck_assert_int_eq(gemini->encode_begin(&e), ERR_OK);
    for (i = 0; i < 8; i++) {
        if (i == reset_at)
            buf_reset(&out);
        ck_assert_int_eq(gemini->encode_event(&e, &talk[i]), ERR_OK);
    }
    r.replacement = is_sent ? buf_slice(&out) : (struct slice){NULL, 0};
    ck_assert_int_eq(gemini->write_stream_error(&r, &error, ERR_UP_CUT, "t", NULL), ERR_OK);
    ck_assert_str_eq(error.p,
                     arena_printf(arena,
                                  "%s{\"error\":{\"code\":503,\"message\":\"t\",\"status\":"
                                  "\"UNAVAILABLE\"}}\n]",
                                  before));
    buf_clear(&out);
    buf_clear(&error);
}

START_TEST(an_error_goes_on_from_what_the_client_has)
{
    check_error(true, 0, "\n,\n");  /* both chunks of one event went out */
    check_error(false, 0, "[");     /* neither did */
    check_error(false, 7, "\n,\n"); /* the first did, with an earlier event */
}
END_TEST

int main(void)
{
    Suite *s = suite_create("gemini_answer");
    TCase *t = tcase_create("all");

    tcase_set_timeout(t, 60);
    tcase_add_checked_fixture(t, suite_arena_open, suite_arena_close);
    tcase_add_loop_test(t, a_stream_becomes_events_alike_for_every_split, 0, ROWS(streams));
    tcase_add_loop_test(t, a_whole_answer_becomes_events, 0, ROWS(wholes));
    tcase_add_test(t, what_the_sink_returns_ends_the_decoding);
    tcase_add_test(t, decoding_takes_no_memory_of_the_request_per_event);
    tcase_add_test(t, a_streamed_answer_has_a_chunk_for_each_piece);
    tcase_add_test(t, thoughts_are_for_those_who_asked);
    tcase_add_test(t, a_streamed_array_is_one_text);
    tcase_add_test(t, a_whole_answer_has_all_parts);
    tcase_add_loop_test(t, each_finish_has_its_word, 0, ROWS(finishes));
    tcase_add_test(t, a_call_that_was_cut_off_is_left_out);
    tcase_add_test(t, a_signature_that_no_part_follows_is_not_lost);
    tcase_add_test(t, encoding_without_memory_says_so);
    tcase_add_test(t, an_error_goes_on_from_what_the_client_has);
    suite_add_tcase(s, t);
    return suite_run(s);
}
