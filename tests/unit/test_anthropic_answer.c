/* Answers: a provider's stream or whole answer as events, events as a client's stream or whole
 * answer, and both joined. */
#include "upstream/anthropic.h"

#include "base/buf.h"
#include "upstream/event.h"
#include "upstream/sse.h"
#include "upstream/translate.h"
#include "tests/unit/format_suite.h"

#include <check.h>
#include <inttypes.h>
#include <string.h>

static const struct format *const format = &format_anthropic;

/* ---- events as lines of text ---- */

struct trace {
    struct buf b;
    bool has_usage; /* EV_USAGE is shown; the many before the end are not */
};

static const char *const kinds[] = {
    [PART_TEXT] = "text", [PART_CALL] = "call", [PART_THINKING] = "thinking"};

static enum err trace_event(void *ctx, const struct event *e)
{
    struct trace *t = ctx;
    const struct counts *c = &e->counts;

    switch (e->kind) {
    case EV_START:
        return buf_printf(&t->b, "start %.*s %.*s\n", SLICE_FMT(e->id), SLICE_FMT(e->text));
    case EV_BEGIN:
        return buf_printf(&t->b, "%zu %s %.*s %.*s\n", e->part, kinds[e->part_kind],
                          SLICE_FMT(e->id), SLICE_FMT(e->name));
    case EV_DELTA:
        return buf_printf(&t->b, "+%.*s\n", SLICE_FMT(e->text));
    case EV_SEAL:
        return buf_printf(&t->b, "seal%s %.*s\n", e->is_redacted ? "(redacted)" : "",
                          SLICE_FMT(e->text));
    case EV_END:
        return buf_append_z(&t->b, "end\n");
    case EV_FINISH:
        return buf_printf(&t->b, "finish %d %.*s\n", (int)e->finish, SLICE_FMT(e->text));
    case EV_ERROR:
        return buf_printf(&t->b, "error %s %.*s %.*s\n", err_name(e->error), SLICE_FMT(e->text),
                          SLICE_FMT(e->code));
    case EV_USAGE:
    default:
        return t->has_usage ? buf_printf(&t->b,
                                         "usage %" PRId64 " %" PRId64 " %" PRId64 " %" PRId64
                                         " %" PRId64 " %" PRId64 " %.*s\n",
                                         c->in_fresh, c->in_read, c->in_write, c->in_write_1h,
                                         c->out_all, c->out_think, SLICE_FMT(e->service_tier))
                            : ERR_OK;
    }
}

struct decoding {
    struct decoder d;
    struct trace t;
    enum err e;
};

static void begin(struct decoding *x, bool has_usage)
{
    *x = (struct decoding){.t.has_usage = has_usage};
    buf_init(&x->t.b, 1 << 16);
    x->d =
        (struct decoder){.format = format, .arena = arena, .sink = trace_event, .sink_ctx = &x->t};
    ck_assert_int_eq(format->decode_begin(&x->d), ERR_OK);
}

static enum err see(void *ctx, const struct sse_event *e)
{
    struct decoding *x = ctx;

    if (!x->e)
        x->e = format->decode_event(&x->d, e);
    return ERR_OK;
}

static void feed(struct decoding *x, struct slice text, size_t cut)
{
    suite_feed(text, cut, see, x);
}

#define EVENT(type, more) "event: " type "\ndata: {\"type\":\"" type "\"" more "}\n\n"
#define START                                                                                      \
    EVENT("message_start",                                                                         \
          ",\"message\":{\"id\":\"msg_1\",\"model\":\"claude\",\"content\":[],\"usage\":{"         \
          "\"input_tokens\":12,\"cache_read_input_tokens\":5,\"output_tokens\":1}}")
#define BLOCK(index, block)                                                                        \
    EVENT("content_block_start", ",\"index\":" #index ",\"content_block\":" block)
#define DELTA(index, delta) EVENT("content_block_delta", ",\"index\":" #index ",\"delta\":" delta)
#define END(index)          EVENT("content_block_stop", ",\"index\":" #index)
#define TEXT(index, text)   DELTA(index, "{\"type\":\"text_delta\",\"text\":\"" text "\"}")
#define ARGS(index, text)                                                                          \
    DELTA(index, "{\"type\":\"input_json_delta\",\"partial_json\":\"" text "\"}")
#define EMPTY_TEXT "{\"type\":\"text\",\"text\":\"\"}"
#define FINISH(reason)                                                                             \
    EVENT("message_delta",                                                                         \
          ",\"delta\":{\"stop_reason\":\"" reason "\",\"stop_sequence\":null},\"usage\":{"         \
          "\"output_tokens\":30,\"output_tokens_details\":{\"thinking_tokens\":11}}")
#define STOP EVENT("message_stop", "")

static const char stream[] = START EVENT("ping", "")
    BLOCK(0, "{\"type\":\"thinking\",\"thinking\":\"\",\"signature\":\"\"}")
        DELTA(0, "{\"type\":\"thinking_delta\",\"thinking\":\"Hm\\n\\u4f60\"}")
            DELTA(0, "{\"type\":\"signature_delta\",\"signature\":\"EqQB\"}") END(0)
                BLOCK(1, "{\"type\":\"redacted_thinking\",\"data\":\"Rd\"}") END(1)
                    BLOCK(2, EMPTY_TEXT) TEXT(2, "Let me") TEXT(2, " see.")
                        DELTA(2, "{\"type\":\"citations_delta\",\"citation\":{}}") END(2)
                            BLOCK(3, "{\"type\":\"server_tool_use\",\"id\":\"s\",\"name\":\"x\"}")
                                ARGS(3, "{}") END(3)
                                    BLOCK(4, "{\"type\":\"tool_use\",\"id\":\"toolu_1\",\"name\":"
                                             "\"get\",\"input\":{}}") ARGS(4, "")
                                        ARGS(4, "{\\\"a\\\":") ARGS(4, "1}") END(4)
                                            BLOCK(5, "{\"type\":\"tool_use\",\"id\":\"toolu_2\","
                                                     "\"name\":\"now\",\"input\":{}}") END(5)
                                                FINISH("tool_use") STOP;

#define TRACE                                                                                      \
    "start msg_1 claude\n"                                                                         \
    "0 thinking  \n+Hm\n\xe4\xbd\xa0\nseal EqQB\nend\n"                                            \
    "1 thinking  \nseal(redacted) Rd\nend\n"                                                       \
    "2 text  \n+Let me\n+ see.\nend\n"                                                             \
    "3 call toolu_1 get\n+{\"a\":\n+1}\nend\n"                                                     \
    "4 call toolu_2 now\n+{}\nend\n"                                                               \
    "finish 4 \n"

START_TEST(a_stream_becomes_the_same_events_for_every_split)
{
    size_t cut;

    ck_assert_int_eq(FINISH_TOOL, 4);
    for (cut = 0; cut <= sizeof(stream) + 1; cut++) {
        struct decoding x;

        begin(&x, false);
        feed(&x, slice_of(stream), cut);
        ck_assert_int_eq(x.e, ERR_OK);
        ck_assert(x.d.is_ended);
        ck_assert_str_eq(x.t.b.p, TRACE);
        ck_assert_int_eq(format->decode_end(&x.d), ERR_OK);
        ck_assert_str_eq(x.t.b.p, TRACE);
        buf_clear(&x.t.b);
        arena_reset(arena);
    }
}
END_TEST

START_TEST(usage_is_told_as_it_grows)
{
    struct decoding x;

    begin(&x, true);
    feed(&x, SLICE(START BLOCK(0, EMPTY_TEXT) TEXT(0, "12345678")), 0);
    ck_assert_str_eq(x.t.b.p, "start msg_1 claude\nusage 12 5 0 0 1 0 \n0 text  \n"
                              "+12345678\nusage 12 5 0 0 2 0 \n");
    feed(&x,
         SLICE(END(0) EVENT("message_delta", ",\"delta\":{\"stop_reason\":\"end_turn\"},\"usage\":{"
                                             "\"output_tokens\":9,\"service_tier\":\"priority\"}")
                   STOP),
         0);
    ck_assert_int_eq(x.e, ERR_OK);
    ck_assert_ptr_nonnull(strstr(x.t.b.p, "end\nusage 12 5 0 0 9 0 priority\nfinish 0 \n"));
    buf_clear(&x.t.b);
}
END_TEST

/* clang-format off */
static const struct {
    const char *reason, *more;
    enum finish finish;
    const char *detail;
} finishes[] = {
    {"end_turn", "", FINISH_STOP, ""},
    {"max_tokens", "", FINISH_LENGTH, ""},
    {"stop_sequence", ",\"stop_sequence\":\"##\"", FINISH_STOP_TEXT, "##"},
    {"tool_use", "", FINISH_TOOL, ""},
    {"pause_turn", "", FINISH_PAUSE, ""},
    {"model_context_window_exceeded", "", FINISH_CONTEXT, ""},
    {"refusal", ",\"stop_details\":{\"category\":\"cyber\",\"explanation\":\"No.\"}", FINISH_FILTER,
     "No."},
    {"refusal", ",\"stop_details\":{\"category\":\"bio\"}", FINISH_FILTER, "bio"},
    {"brand_new", "", FINISH_OTHER, ""},
};
/* clang-format on */

START_TEST(each_reason_to_stop_has_its_meaning)
{
    const char *expected =
        arena_printf(arena, "start  \nfinish %d %s\n", finishes[_i].finish, finishes[_i].detail);
    const char *text = arena_printf(
        arena,
        EVENT("message_start", ",\"message\":{}")
            EVENT("message_delta", ",\"delta\":{\"stop_reason\":\"%s\"%s},\"usage\":null") STOP,
        finishes[_i].reason, finishes[_i].more);
    struct decoding x;

    begin(&x, false);
    feed(&x, slice_of(text), 0);
    ck_assert_int_eq(x.e, ERR_OK);
    ck_assert_str_eq(x.t.b.p, expected);
    buf_clear(&x.t.b);
}
END_TEST

/* clang-format off */
static const struct {
    const char *text, *trace;
    enum err e, end;
} oddities[] = {
  /* cut */
    {START BLOCK(0, EMPTY_TEXT) TEXT(0, "a"), "start msg_1 claude\n0 text  \n+a\n",ERR_OK,
     ERR_UP_CUT},
    {"", "", ERR_OK, ERR_UP_CUT},
 /* ended without message_stop */
    {START BLOCK(0, EMPTY_TEXT) TEXT(0, "a") END(0) FINISH("end_turn") "data: [DONE]\n\n",
     "start msg_1 claude\n0 text  \n+a\nend\nfinish 0 \n",ERR_OK,ERR_OK},
 /* blocks that do not end */
    {START BLOCK(0, EMPTY_TEXT) TEXT(0, "a") BLOCK(1, "{\"type\":\"text\",\"text\":\"b\"}")
         FINISH("end_turn") STOP,
     "start msg_1 claude\n0 text  \n+a\nend\n1 text  \n+b\nend\nfinish 0 \n", ERR_OK, ERR_OK},
 /* arguments in the block's start, and new kinds of events */
    {START BLOCK(0, "{\"type\":\"tool_use\",\"id\":\"t\",\"name\":\"f\",\"input\":{\"a\":2}}")
         END(0) EVENT("brand_new", "") FINISH("tool_use") STOP,
     "start msg_1 claude\n0 call t f\n+{\"a\":2}\nend\nfinish 4 \n",ERR_OK,ERR_OK},
 /* nothing after the end, or after an error */
    {START FINISH("end_turn") STOP BLOCK(0, EMPTY_TEXT), "start msg_1 claude\nfinish 0 \n", ERR_OK,
     ERR_OK},
    {START EVENT("error", ",\"error\":{\"type\":\"overloaded_error\",\"message\":\"Full\"}")
         BLOCK(0, EMPTY_TEXT),
     "start msg_1 claude\nerror up_failed Full overloaded_error\n",ERR_OK, ERR_OK},
    {EVENT("error", ",\"error\":{\"type\":\"rate_limit_error\",\"message\":\"m\"}"),
     "error up_rate m rate_limit_error\n", ERR_OK,ERR_OK},
    {EVENT("error",",\"error\":{\"type\":\"invalid_request_error\",\"message\":\"prompt is too "
                    "long: 2 tokens > 1 maximum\"}"),
     "error up_context prompt is too long: 2 tokens > 1 maximum invalid_request_error\n", ERR_OK,
     ERR_OK},
 /* out of order, or no JSON */
    {BLOCK(0, EMPTY_TEXT), "", ERR_UP_MALFORMED,ERR_UP_CUT},
    {STOP, "", ERR_UP_MALFORMED, ERR_UP_CUT},
    {START START, "start msg_1 claude\n",ERR_UP_MALFORMED,ERR_UP_CUT},
    {START TEXT(0, "a"), "start msg_1 claude\n", ERR_UP_MALFORMED, ERR_UP_CUT},
    {START "data: {\n\n", "start msg_1 claude\n", ERR_UP_MALFORMED,ERR_UP_CUT},
    {START "data: [1]\n\n", "start msg_1 claude\n", ERR_UP_MALFORMED, ERR_UP_CUT},
    {START EVENT("content_block_start", ""), "start msg_1 claude\n", ERR_UP_MALFORMED,ERR_UP_CUT},
    {START EVENT("content_block_delta", ""), "start msg_1 claude\n", ERR_UP_MALFORMED,ERR_UP_CUT},
    {EVENT("message_start", ""), "", ERR_UP_MALFORMED,ERR_UP_CUT},
    {START BLOCK(0, "{\"type\":\"tool_use\",\"id\":\"t\"}"), "start msg_1 claude\n",
     ERR_UP_MALFORMED,ERR_UP_CUT},
};
/* clang-format on */

START_TEST(odd_streams_are_read_or_told)
{
    struct decoding x;

    begin(&x, false);
    feed(&x, slice_of(oddities[_i].text), 0);
    ck_assert_int_eq(x.e, oddities[_i].e);
    ck_assert_int_eq(format->decode_end(&x.d), oddities[_i].end);
    ck_assert_str_eq(x.t.b.n ? x.t.b.p : "", oddities[_i].trace);
    buf_clear(&x.t.b);
}
END_TEST

START_TEST(a_whole_answer_becomes_the_same_events)
{
    static const char body[] =
        "{\"id\":\"msg_1\",\"type\":\"message\",\"model\":\"claude\",\"content\":["
        "{\"type\":\"thinking\",\"thinking\":\"Hm\\n\\u4f60\",\"signature\":\"EqQB\"},"
        "{\"type\":\"redacted_thinking\",\"data\":\"Rd\"},"
        "{\"type\":\"text\",\"text\":\"Let me see.\",\"citations\":null},"
        "{\"type\":\"web_search_tool_result\",\"content\":[]},"
        "{\"type\":\"tool_use\",\"id\":\"toolu_1\",\"name\":\"get\",\"input\":{\"a\":1}},"
        "{\"type\":\"tool_use\",\"id\":\"toolu_2\",\"name\":\"now\",\"input\":{}}],"
        "\"stop_reason\":\"tool_use\",\"usage\":{\"input_tokens\":1,\"output_tokens\":30}}";
    struct decoding x;

    begin(&x, false);
    ck_assert_int_eq(format->decode_whole(&x.d, SLICE(body)), ERR_OK);
    ck_assert(x.d.is_ended);
    ck_assert_str_eq(x.t.b.p, "start msg_1 claude\n"
                              "0 thinking  \n+Hm\n\xe4\xbd\xa0\nseal EqQB\nend\n"
                              "1 thinking  \nseal(redacted) Rd\nend\n"
                              "2 text  \n+Let me see.\nend\n"
                              "3 call toolu_1 get\n+{\"a\":1}\nend\n"
                              "4 call toolu_2 now\n+{}\nend\n"
                              "finish 4 \n");
    buf_clear(&x.t.b);
}
END_TEST

START_TEST(what_is_no_whole_answer_is_told)
{
    /* clang-format off */
    static const struct {
        const char *body, *trace;
        enum err e;
    } bodies[] = {
        {"", "", ERR_UP_MALFORMED},
        {"[]", "", ERR_UP_MALFORMED},
        {"{}", "", ERR_UP_MALFORMED},
        {"{\"content\":7}", "start  \n", ERR_UP_MALFORMED},
        {"{\"type\":\"error\",\"error\":{\"type\":\"api_error\",\"message\":\"m\"}}",
         "error up_failed m api_error\n", ERR_OK},
    };
    /* clang-format on */
    size_t i;

    for (i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
        struct decoding x;

        begin(&x, false);
        ck_assert_int_eq(format->decode_whole(&x.d, slice_of(bodies[i].body)), bodies[i].e);
        ck_assert_str_eq(x.t.b.n ? x.t.b.p : "", bodies[i].trace);
        buf_clear(&x.t.b);
    }
}
END_TEST

START_TEST(a_long_answer_does_not_fill_the_arena)
{
    struct sse_event delta = {
        .data = SLICE("{\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":"
                      "\"text_delta\",\"text\":\"line\\n\"}}")};
    struct decoding x;
    size_t used;
    int i;

    begin(&x, false);
    feed(&x, SLICE(START BLOCK(0, EMPTY_TEXT)), 0);
    used = arena_used(arena);
    for (i = 0; i < 2000; i++)
        ck_assert_int_eq(format->decode_event(&x.d, &delta), ERR_OK);
    ck_assert_uint_eq(arena_used(arena), used);
    buf_clear(&x.t.b);
}
END_TEST

/* ---- events as a client's answer ---- */

struct encoding {
    struct encoder e;
    struct buf out;
};

static void begin_answer(struct encoding *x, bool is_stream)
{
    *x = (struct encoding){0};
    buf_init(&x->out, 1 << 16);
    x->e = (struct encoder){.format = format,
                            .arena = arena,
                            .out = &x->out,
                            .is_stream = is_stream,
                            .model = "pub",
                            .request_id = "01R",
                            .counts = {0}};
    ck_assert_int_eq(format->encode_begin(&x->e), ERR_OK);
}

static void emit(struct encoding *x, struct event ev)
{
    ck_assert_int_eq(format->encode_event(&x->e, &ev), ERR_OK);
}

#define EMIT(x, ...) emit((x), (struct event){__VA_ARGS__})

#define USAGE(in, created, read, m5, h1, out, think, tier)                                         \
    DELTA_USAGE(in, created, read, out, think)                                                     \
    ",\"cache_creation\":{\"ephemeral_5m_input_tokens\":" #m5                                      \
    ",\"ephemeral_1h_input_tokens\":" #h1 "},\"service_tier\":\"" tier "\""
#define DELTA_USAGE(in, created, read, out, think)                                                 \
    "{\"input_tokens\":" #in ",\"cache_creation_input_tokens\":" #created                          \
    ",\"cache_read_input_tokens\":" #read ",\"output_tokens\":" #out                               \
    ",\"output_tokens_details\":{\"thinking_tokens\":" #think "},\"server_tool_use\":null"
#define USAGE_0 USAGE(0, 0, 0, 0, 0, 0, 0, "standard") "}"
#define OPEN                                                                                       \
    EVENT("message_start",                                                                         \
          ",\"message\":{\"id\":\"msg_01R\",\"type\":\"message\",\"role\":\"assistant\","          \
          "\"model\":\"pub\",\"content\":[],\"stop_reason\":null,\"stop_sequence\":null,"          \
          "\"stop_details\":null,\"container\":null,\"usage\":" USAGE_0 "}")                       \
    EVENT("ping", "")
#define THINKING             "{\"type\":\"thinking\",\"thinking\":\"\",\"signature\":\"\"}"
#define THOUGHT(index, text) DELTA(index, "{\"type\":\"thinking_delta\",\"thinking\":\"" text "\"}")
#define SIGNED(index, text)                                                                        \
    DELTA(index, "{\"type\":\"signature_delta\",\"signature\":\"" text "\"}")
#define CALL(index, id, name)                                                                      \
    BLOCK(index, "{\"type\":\"tool_use\",\"id\":\"" id "\",\"name\":\"" name "\",\"input\":{}}")
#define CLOSE(reason, usage)                                                                       \
    EVENT("message_delta", ",\"delta\":{\"stop_reason\":\"" reason                                 \
                           "\",\"stop_sequence\":null,\"stop_details\":null,\"container\":null},"  \
                           "\"usage\":" usage)                                                     \
    STOP

/* Thinking with a seal, thinking without, text, a refusal, calls with and without arguments and
 * seal, an image. */
static void emit_all(struct encoding *x)
{
    EMIT(x, .kind = EV_START, .id = SLICE("up-1"));
    EMIT(x, .kind = EV_BEGIN, .part = 0, .part_kind = PART_THINKING);
    EMIT(x, .kind = EV_DELTA, .part = 0, .text = SLICE("Hm\n"));
    EMIT(x, .kind = EV_SEAL, .part = 0, .text = SLICE("aip1.x"));
    EMIT(x, .kind = EV_END, .part = 0);
    EMIT(x, .kind = EV_BEGIN, .part = 1, .part_kind = PART_THINKING);
    EMIT(x, .kind = EV_DELTA, .part = 1, .text = SLICE("late"));
    EMIT(x, .kind = EV_END, .part = 1);
    EMIT(x, .kind = EV_SEAL, .part = 1, .text = SLICE("aip1.y"));
    EMIT(x, .kind = EV_BEGIN, .part = 2, .part_kind = PART_THINKING);
    EMIT(x, .kind = EV_DELTA, .part = 2, .text = SLICE("none"));
    EMIT(x, .kind = EV_END, .part = 2);
    EMIT(x, .kind = EV_BEGIN, .part = 3, .part_kind = PART_TEXT);
    EMIT(x, .kind = EV_DELTA, .part = 3, .text = SLICE("a\"b"));
    EMIT(x, .kind = EV_DELTA, .part = 3, .text = SLICE("c"));
    EMIT(x, .kind = EV_END, .part = 3);
    EMIT(x, .kind = EV_SEAL, .part = 3, .text = SLICE("has no place"));
    EMIT(x, .kind = EV_BEGIN, .part = 4, .part_kind = PART_CALL, .id = SLICE("c1"),
         .name = SLICE("f"), .seal = SLICE("aip1.z"));
    EMIT(x, .kind = EV_DELTA, .part = 4, .text = SLICE("{\"a\":"));
    EMIT(x, .kind = EV_DELTA, .part = 4, .text = SLICE("1}"));
    EMIT(x, .kind = EV_END, .part = 4);
    EMIT(x, .kind = EV_BEGIN, .part = 5, .part_kind = PART_CALL, .id = SLICE("c2"),
         .name = SLICE("g"));
    EMIT(x, .kind = EV_END, .part = 5);
    EMIT(x, .kind = EV_BEGIN, .part = 6, .part_kind = PART_IMAGE, .mime = SLICE("image/png"));
    EMIT(x, .kind = EV_DELTA, .part = 6, .text = SLICE("AAAA"));
    EMIT(x, .kind = EV_END, .part = 6);
    EMIT(x, .kind = EV_BEGIN, .part = 7, .part_kind = PART_OPAQUE);
    EMIT(x, .kind = EV_END, .part = 7);
    x->e.counts = (struct counts){12, 100, 3, 4, 30, 11, true, false};
    x->e.finish = FINISH_TOOL;
    x->e.has_call = true;
    x->e.service_tier = SLICE("priority");
    x->e.cost = "0.5";
    ck_assert_int_eq(format->encode_end(&x->e), ERR_OK);
}

#define LEFT_OUT "[An image or a sound was left out: this format cannot carry it.]"

START_TEST(events_become_a_stream)
{
    struct encoding x;

    begin_answer(&x, true);
    emit_all(&x);
    ck_assert_str_eq(
        x.out.p,
        OPEN BLOCK(0, THINKING) THOUGHT(0, "Hm\\n") SIGNED(0, "aip1.x") END(0) BLOCK(1, THINKING)
            THOUGHT(1, "late") SIGNED(1, "aip1.y") END(1) BLOCK(2, THINKING) THOUGHT(2, "none")
                SIGNED(2, "aip1.none.") END(2) BLOCK(3, EMPTY_TEXT) TEXT(3, "a\\\"b") TEXT(3, "c")
                    END(3) BLOCK(4, THINKING) SIGNED(4, "aip1.z") END(4) CALL(5, "c1", "f")
                        ARGS(5, "{\\\"a\\\":") ARGS(5, "1}") END(5) CALL(6, "c2", "g") ARGS(6, "{}")
                            END(6) BLOCK(7, EMPTY_TEXT) TEXT(7, LEFT_OUT) END(7) CLOSE(
                                "tool_use", DELTA_USAGE(12, 7, 100, 30, 11) ",\"cost\":0.5}"));
    buf_clear(&x.out);
}
END_TEST

START_TEST(events_become_a_whole_answer)
{
    struct encoding x;

    begin_answer(&x, false);
    emit_all(&x);
    ck_assert_str_eq(
        x.out.p,
        "{\"id\":\"msg_01R\",\"type\":\"message\",\"role\":\"assistant\",\"model\":\"pub\","
        "\"content\":[{\"type\":\"thinking\",\"thinking\":\"Hm\\n\",\"signature\":\"aip1.x\"},"
        "{\"type\":\"thinking\",\"thinking\":\"late\",\"signature\":\"aip1.y\"},"
        "{\"type\":\"thinking\",\"thinking\":\"none\",\"signature\":\"aip1.none.\"},"
        "{\"type\":\"text\",\"text\":\"a\\\"bc\"},"
        "{\"type\":\"thinking\",\"thinking\":\"\",\"signature\":\"aip1.z\"},"
        "{\"type\":\"tool_use\",\"id\":\"c1\",\"name\":\"f\",\"input\":{\"a\":1}},"
        "{\"type\":\"tool_use\",\"id\":\"c2\",\"name\":\"g\",\"input\":{}},"
        "{\"type\":\"text\",\"text\":\"" LEFT_OUT "\"}],"
        "\"stop_reason\":\"tool_use\",\"stop_sequence\":null,\"stop_details\":null,"
        "\"container\":null,\"usage\":" USAGE(12, 7, 100, 3, 4, 30, 11,
                                              "priority") ",\"cost\":0.5}}");
    buf_clear(&x.out);
}
END_TEST

START_TEST(an_empty_answer_is_complete)
{
    struct encoding x;

    begin_answer(&x, true);
    ck_assert_int_eq(format->encode_end(&x.e), ERR_OK);
    ck_assert_str_eq(x.out.p, OPEN CLOSE("end_turn", DELTA_USAGE(0, 0, 0, 0, 0) "}"));
    buf_clear(&x.out);
    begin_answer(&x, false);
    ck_assert_int_eq(format->encode_end(&x.e), ERR_OK);
    ck_assert_ptr_nonnull(strstr(x.out.p, "\"content\":[],\"stop_reason\":\"end_turn\""));
    buf_clear(&x.out);
}
END_TEST

START_TEST(arguments_that_were_cut_stay_a_text)
{
    struct encoding x;

    begin_answer(&x, false);
    EMIT(&x, .kind = EV_START);
    EMIT(&x, .kind = EV_BEGIN, .part_kind = PART_CALL, .id = SLICE("c"), .name = SLICE("f"));
    EMIT(&x, .kind = EV_DELTA, .text = SLICE("{\"a\":"));
    EMIT(&x, .kind = EV_END);
    x.e.finish = FINISH_LENGTH;
    x.e.has_call = true;
    ck_assert_int_eq(format->encode_end(&x.e), ERR_OK);
    ck_assert_ptr_nonnull(strstr(x.out.p, "\"input\":{\"_raw\":\"{\\\"a\\\":\"}}],"
                                          "\"stop_reason\":\"max_tokens\""));
    buf_clear(&x.out);
}
END_TEST

/* clang-format off */
static const struct {
    enum finish finish;
    const char *text, *stop;
} stops[] = {
    {FINISH_STOP, "", "\"stop_reason\":\"end_turn\",\"stop_sequence\":null,\"stop_details\":null"},
    {FINISH_STOP_TEXT, "##",
     "\"stop_reason\":\"stop_sequence\",\"stop_sequence\":\"##\",\"stop_details\":null"},
    {FINISH_LENGTH, "",
     "\"stop_reason\":\"max_tokens\",\"stop_sequence\":null,\"stop_details\":null"},
    {FINISH_CONTEXT, "",
     "\"stop_reason\":\"model_context_window_exceeded\",\"stop_sequence\":null,\"stop_details\":"
     "null"},
    {FINISH_TOOL, "", "\"stop_reason\":\"tool_use\",\"stop_sequence\":null,\"stop_details\":null"},
    {FINISH_REFUSAL, "",
     "\"stop_reason\":\"refusal\",\"stop_sequence\":null,\"stop_details\":{\"type\":\"refusal\","
     "\"category\":null,\"explanation\":null}"},
    {FINISH_FILTER, "No.",
     "\"stop_reason\":\"refusal\",\"stop_sequence\":null,\"stop_details\":{\"type\":\"refusal\","
     "\"category\":null,\"explanation\":\"No.\"}"},
    {FINISH_PAUSE, "",
     "\"stop_reason\":\"pause_turn\",\"stop_sequence\":null,\"stop_details\":null"},
    {FINISH_BAD_CALL, "",
     "\"stop_reason\":\"end_turn\",\"stop_sequence\":null,\"stop_details\":null"},
    {FINISH_OTHER, "x",
     "\"stop_reason\":\"end_turn\",\"stop_sequence\":null,\"stop_details\":null"},
};
/* clang-format on */

START_TEST(each_finish_has_its_word)
{
    struct encoding x;

    begin_answer(&x, false);
    x.e.finish = stops[_i].finish;
    x.e.finish_text = slice_of(stops[_i].text);
    ck_assert_int_eq(format->encode_end(&x.e), ERR_OK);
    ck_assert_ptr_nonnull(strstr(x.out.p, stops[_i].stop));
    buf_clear(&x.out);
}
END_TEST

START_TEST(an_answer_that_does_not_fit_is_told)
{
    size_t max;
    bool is_stream = false;

    do {
        for (max = 0; max < 700; max += 7) {
            struct encoding x;
            enum err e;

            begin_answer(&x, is_stream);
            x.out.max = max;
            e = format->encode_event(&x.e, &(struct event){.kind = EV_START});
            if (!e)
                e = format->encode_end(&x.e);
            ck_assert(e == ERR_FULL || (!is_stream && !e && max > 400));
            buf_clear(&x.out);
        }
        is_stream = !is_stream;
    } while (is_stream);
}
END_TEST

START_TEST(memory_that_runs_out_is_told)
{
    size_t max;
    enum err e = ERR_MEMORY;

    for (max = 64; max < (1 << 16) && e; max += 32) {
        struct arena *small = arena_new(max);
        struct trace t = {0};
        struct decoder d = {.format = format, .arena = small, .sink = trace_event, .sink_ctx = &t};

        buf_init(&t.b, 1 << 16);
        e = small ? format->decode_begin(&d) : ERR_MEMORY;
        if (!e)
            e = format->decode_whole(
                &d, SLICE("{\"content\":[{\"type\":\"tool_use\",\"id\":\"t\",\"name\":\"f\","
                          "\"input\":{\"a\":1}}],\"stop_reason\":\"tool_use\"}"));
        ck_assert(e == ERR_OK || e == ERR_MEMORY);
        buf_clear(&t.b);
        arena_free(small);
    }
    ck_assert_int_eq(e, ERR_OK);
}
END_TEST

/* ---- both halves joined: a provider's answer through a translation ---- */

static enum err pass_on(void *ctx, const struct sse_event *e)
{
    void *const *both = ctx;
    struct reader *r = both[0];
    struct buf *out = both[1];
    enum event_verdict v = r->ops->read_event(r, e);

    ck_assert_int_ne(v, EVENT_MALFORMED);
    return r->replacement.p ? buf_append_slice(out, r->replacement) : ERR_OK;
}

START_TEST(a_translated_stream_is_complete_for_the_client)
{
    static const char body[] = "{\"model\":\"pub\",\"max_tokens\":9,\"stream\":true,\"messages\":[{"
                               "\"role\":\"user\",\"content\":\"hi\"}]}";
    struct format_target target = {.upstream_model = "claude", .output_max_inject = -1};
    struct capability cap = capability_default;
    struct format_request in;
    struct translation *x;
    struct splice pieces;
    struct fault fault;
    struct reader r;
    struct sse sse;
    struct buf out;
    void *both[] = {&r, &out};

    ck_assert_int_eq(
        format->read_request(&(struct format_call){.body = SLICE(body)}, arena, &in, &fault),
        ERR_OK);
    x = translation_new(arena, format, format, &in, &cap);
    ck_assert_ptr_nonnull(x);
    ck_assert_int_eq(translate_request(x, &target, &pieces, &fault), ERR_OK);
    ck_assert_int_eq(reader_init(&r, format, &in, arena), ERR_OK);
    r.public_model = "pub";
    r.upstream_model = "claude";
    ck_assert_int_eq(translation_attach(x, &r, "01R", 17), ERR_OK);
    buf_init(&out, 1 << 16);
    sse_init(&sse, 1 << 16);
    ck_assert_int_eq(sse_feed(&sse, slice_of(stream), pass_on, both), ERR_OK);
    ck_assert(r.is_ended);
    ck_assert_str_eq(out.p,
                     OPEN BLOCK(0, THINKING) THOUGHT(0, "Hm\\n\xe4\xbd\xa0")
                         SIGNED(0, "aip1.anthropic.claude.-abe3b536..EqQB") END(0)
                             BLOCK(1, THINKING) SIGNED(1, "aip1.anthropic.claude.r..Rd") END(1)
                                 BLOCK(2, EMPTY_TEXT) TEXT(2, "Let me") TEXT(2, " see.") END(2)
                                     CALL(3, "toolu_1", "get") ARGS(3, "{\\\"a\\\":") ARGS(3, "1}")
                                         END(3) CALL(4, "toolu_2", "now") ARGS(4, "{}") END(4)
                                             CLOSE("tool_use", DELTA_USAGE(12, 0, 5, 30, 11) "}"));
    sse_clear(&sse);
    buf_clear(&out);
    reader_clear(&r);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("anthropic_answer");
    TCase *cases = tcase_create("anthropic_answer");

    suite_add_tcase(suite, cases);
    tcase_add_checked_fixture(cases, suite_arena_open, suite_arena_close);
    tcase_set_timeout(cases, 60);
    tcase_add_test(cases, a_stream_becomes_the_same_events_for_every_split);
    tcase_add_test(cases, usage_is_told_as_it_grows);
    tcase_add_loop_test(cases, each_reason_to_stop_has_its_meaning, 0, ROWS(finishes));
    tcase_add_loop_test(cases, odd_streams_are_read_or_told, 0, ROWS(oddities));
    tcase_add_test(cases, a_whole_answer_becomes_the_same_events);
    tcase_add_test(cases, what_is_no_whole_answer_is_told);
    tcase_add_test(cases, a_long_answer_does_not_fill_the_arena);
    tcase_add_test(cases, events_become_a_stream);
    tcase_add_test(cases, events_become_a_whole_answer);
    tcase_add_test(cases, an_empty_answer_is_complete);
    tcase_add_test(cases, arguments_that_were_cut_stay_a_text);
    tcase_add_loop_test(cases, each_finish_has_its_word, 0, ROWS(stops));
    tcase_add_test(cases, an_answer_that_does_not_fit_is_told);
    tcase_add_test(cases, memory_that_runs_out_is_told);
    tcase_add_test(cases, a_translated_stream_is_complete_for_the_client);
    return suite_run(suite);
}
