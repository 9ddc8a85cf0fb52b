#include "upstream/responses.h"

#include "base/buf.h"
#include "tests/unit/format_suite.h"
#include "upstream/event.h"
#include "upstream/sse.h"
#include "upstream/translate.h"

#include <check.h>
#include <ctype.h>
#include <string.h>

#define ARENA_MAX (1 << 24)
#define RID       "01HZX0000000000000000000AB"

static const struct format *const responses = &format_openai_responses;

/* ---- a provider's answers ---- */

#define EVENT(type, more) "event: " type "\ndata: {\"type\":\"" type "\"" more "}\n\n"
#define CREATED                                                                                    \
    EVENT("response.created", ",\"sequence_number\":0,\"response\":{\"id\":\"resp_up\","           \
                              "\"created_at\":1700000001,\"model\":\"up-1\",\"output\":[]}")
#define MESSAGE_ADDED(i)                                                                           \
    EVENT("response.output_item.added",                                                            \
          ",\"output_index\":" i ",\"item\":{\"type\":\"message\",\"id\":\"msg_9\",\"content\":"   \
          "[]}")
#define TEXT(i, c, text)                                                                           \
    EVENT("response.output_text.delta",                                                            \
          ",\"output_index\":" i ",\"content_index\":" c ",\"delta\":\"" text "\"")
#define ITEM_DONE(i, item)                                                                         \
    EVENT("response.output_item.done", ",\"output_index\":" i ",\"item\":" item)
#define MESSAGE(text)                                                                              \
    "{\"type\":\"message\",\"content\":[{\"type\":\"output_text\",\"text\":\"" text "\"}]}"
#define REASONING_ADDED                                                                            \
    EVENT("response.output_item.added",                                                            \
          ",\"output_index\":0,\"item\":{\"type\":\"reasoning\",\"id\":\"rs_9\",\"summary\":[]}")
#define SUMMARY(i, text)                                                                           \
    EVENT("response.reasoning_summary_text.delta",                                                 \
          ",\"output_index\":0,\"summary_index\":" i ",\"delta\":\"" text "\"")
#define CALL_ADDED(i)                                                                              \
    EVENT("response.output_item.added",                                                            \
          ",\"output_index\":" i ",\"item\":{\"type\":\"function_call\",\"call_id\":\"call_9\","   \
          "\"name\":\"n__f\",\"arguments\":\"\"}")
#define ARGS(i, text)                                                                              \
    EVENT("response.function_call_arguments.delta",                                                \
          ",\"output_index\":" i ",\"delta\":\"" text "\"")
#define CALL(args)                                                                                 \
    "{\"type\":\"function_call\",\"call_id\":\"call_9\",\"name\":\"n__f\",\"arguments\":\"" args   \
    "\"}"
#define CUSTOM                                                                                     \
    "{\"type\":\"custom_tool_call\",\"call_id\":\"call_10\",\"name\":\"n__c\",\"input\":\"ls\"}"
#define USAGE                                                                                      \
    "\"usage\":{\"input_tokens\":50,\"input_tokens_details\":{\"cached_tokens\":20,"               \
    "\"cache_write_tokens\":5},\"output_tokens\":30,\"output_tokens_details\":{"                   \
    "\"reasoning_tokens\":10},\"total_tokens\":80}"
#define COMPLETED EVENT("response.completed", ",\"response\":{\"status\":\"completed\"," USAGE "}")
#define INCOMPLETE(reason)                                                                         \
    EVENT("response.incomplete", ",\"response\":{\"status\":\"incomplete\","                       \
                                 "\"incomplete_details\":{\"reason\":\"" reason "\"}}")

/* ---- the decoder ---- */

static const char *const part_words[] = {
    [PART_TEXT] = "text",         [PART_IMAGE] = "image",     [PART_AUDIO] = "audio",
    [PART_FILE] = "file",         [PART_CALL] = "call",       [PART_RESULT] = "result",
    [PART_THINKING] = "thinking", [PART_REFUSAL] = "refusal", [PART_OPAQUE] = "opaque",
};

static enum err note_begin(struct buf *log, const struct event *e)
{
    if (e->part_kind == PART_IMAGE)
        return buf_printf(log, "image(%.*s)[", SLICE_FMT(e->mime));
    if (e->part_kind != PART_CALL)
        return buf_printf(log, "%s[", part_words[e->part_kind]);
    return buf_printf(log, "%s(%.*s %.*s)[", e->is_custom ? "custom" : "call", SLICE_FMT(e->id),
                      SLICE_FMT(e->name));
}

/* Writes events as text: "start(id) text[a|b|] usage(in,out) finish(0) ". */
static enum err note(void *ctx, const struct event *e)
{
    struct buf *log = ctx;

    switch (e->kind) {
    case EV_START:
        return buf_printf(log, "start(%.*s) ", SLICE_FMT(e->id));
    case EV_BEGIN:
        return note_begin(log, e);
    case EV_DELTA:
        return buf_printf(log, "%.*s|", SLICE_FMT(e->text));
    case EV_SEAL:
        return buf_printf(log, "seal(%.*s %.*s)", SLICE_FMT(e->text), SLICE_FMT(e->id));
    case EV_END:
        return buf_append_z(log, "] ");
    case EV_USAGE:
        return buf_printf(log, "usage(%d,%d) ", (int)e->counts.in_fresh, (int)e->counts.out_all);
    case EV_FINISH:
        return buf_printf(log, "finish(%d)", (int)e->finish);
    case EV_ERROR:
        return buf_printf(log, "error(%s %.*s %.*s)", err_name(e->error), SLICE_FMT(e->code),
                          SLICE_FMT(e->text));
    default:
        return ERR_INTERNAL;
    }
}

static enum err decode_one(void *ctx, const struct sse_event *e)
{
    return responses->decode_event(ctx, e);
}

/* The events of a stream, or of a whole answer when it begins with a bracket; *log is cleared by
 * the caller. cut: where the stream is split; past its end: everywhere. */
static enum err decoded(const char *text, size_t cut, struct buf *log)
{
    struct decoder d = {.format = responses, .arena = arena, .sink = note, .sink_ctx = log};
    size_t n = strlen(text), i;
    struct sse sse;
    enum err e;

    buf_init(log, 1 << 20);
    e = responses->decode_begin(&d);
    if (!e && text[0] == '{')
        return responses->decode_whole(&d, slice_of(text));
    sse_init(&sse, 1 << 20);
    for (i = 0; i < n && !e && cut > n; i++)
        e = sse_feed(&sse, (struct slice){text + i, 1}, decode_one, &d);
    if (!e && cut <= n)
        e = sse_feed(&sse, (struct slice){text, cut}, decode_one, &d);
    if (!e && cut <= n)
        e = sse_feed(&sse, (struct slice){text + cut, n - cut}, decode_one, &d);
    if (!e)
        e = sse_finish(&sse, decode_one, &d);
    sse_clear(&sse);
    return e ? e : responses->decode_end(&d);
}

static const struct {
    const char *text;
    enum err e;
    const char *events;
} answers[] = {
    {CREATED MESSAGE_ADDED("0") TEXT("0",                                             "0",                                                            "a\\n") TEXT("0",                                                                         "0", "\\\"b")
         ITEM_DONE("0", MESSAGE("a\\n\\\"b")) COMPLETED,
     ERR_OK, "start(resp_up) text[a\n|\"b|] usage(25,30) finish(0)"},
 /* the least that there can be */
    {ITEM_DONE("0",                                                          MESSAGE("whole")) EVENT("response.completed",                                                                                         ",\"response\":{}"),                                                                                                                                                                                                                                    ERR_OK,
     "start() text[whole|] finish(0)"},
 /* all of it only in the last event */
    {CREATED EVENT("response.completed",
     ",\"response\":{\"output\":[" MESSAGE("x") "," CALL("{}") "]}"),
     ERR_OK,                                                                                                                    "start(resp_up) text[x|] call(call_9 n__f)[{}|] finish(4)"},
 /* an item that was never done, its rest in the last event */
    {CREATED MESSAGE_ADDED("0") TEXT("0",                                                                         "0",                                                                                                                "ab")
         EVENT("response.completed",                                                                                                                                                                                                        ",\"response\":{\"output\":[" MESSAGE("abcd") "]}"),
     ERR_OK, "start(resp_up) text[ab|cd|] finish(0)"},
    {CREATED MESSAGE_ADDED("0") TEXT("0",                 "0",                                                                                                                                          "ab") COMPLETED,                                                     ERR_OK,
     "start(resp_up) text[ab|] usage(25,30) finish(0)"},
 /* summaries become one part; the rest and the seal come with the item */
    {CREATED REASONING_ADDED SUMMARY("0",                                             "one") SUMMARY("1",                                "two") ITEM_DONE(
         "0",                                                                                      "{\"type\":\"reasoning\",\"id\":\"rs_9\",\"summary\":[{\"type\":\"summary_text\","
              "\"text\":\"one\"},{\"type\":\"summary_text\",\"text\":\"two!\"}],"
              "\"encrypted_content\":\"blob\"}") COMPLETED,
     ERR_OK, "start(resp_up) thinking[one|\n\n|two|!|seal(blob rs_9)] usage(25,30) finish(0)"},
 /* raw thinking after a summary is the same thoughts */
    {CREATED REASONING_ADDED SUMMARY("0",                                                                          "s") EVENT(
         "response.reasoning_text.delta",                                                                                                 ",\"output_index\":0,\"content_index\":0,\"delta\":\"raw\"")
         ITEM_DONE("0",                                                                                                                                                                                         "{\"type\":\"reasoning\",\"summary\":[{\"type\":\"summary_text\",\"text\":"
                        "\"s\"}],\"content\":[{\"type\":\"reasoning_text\",\"text\":\"raw\"}]}")
             COMPLETED, ERR_OK, "start(resp_up) thinking[s|] usage(25,30) finish(0)"},
    {CREATED ITEM_DONE("0",                                                            "{\"type\":\"reasoning\",\"summary\":[],\"content\":[{\"type\":"
                            "\"reasoning_text\",\"text\":\"raw\"}]}") COMPLETED,
     ERR_OK,"start(resp_up) thinking[raw|] usage(25,30) finish(0)"},
 /* a seal without a word; nothing at all */
    {CREATED REASONING_ADDED ITEM_DONE("0",                                                                               "{\"type\":\"reasoning\",\"id\":\"rs_9\",\"summary\":"
                                            "[],\"encrypted_content\":\"e\"}") COMPLETED,
     ERR_OK,                                                                                                                                     "start(resp_up) thinking[seal(e rs_9)] usage(25,30) finish(0)"},
    {CREATED REASONING_ADDED ITEM_DONE("0",                      "{\"type\":\"reasoning\",\"summary\":[]}") COMPLETED,
     ERR_OK,                                                                                                                                                  "start(resp_up) usage(25,30) finish(0)"},
 /* two calls whose pieces interleave: the second waits */
    {CREATED CALL_ADDED("0") EVENT(
         "response.output_item.added",                                             ",\"output_index\":1,\"item\":{\"type\":\"custom_tool_call\",\"call_id\":\"call_10\","
         "\"name\":\"n__c\",\"input\":\"\"}") ARGS("0",                                                                    "{")
         EVENT("response.custom_tool_call_input.delta",                                                                                                                                       ",\"output_index\":1,\"delta\":\"l\"")
             ITEM_DONE("1", CUSTOM) ARGS("0", "}") ITEM_DONE("0", CALL("{}")) COMPLETED,
     ERR_OK, "start(resp_up) call(call_9 n__f)[{|}|] custom(call_10 n__c)[ls|] usage(25,30) finish(4)"},
 /* arguments only when they are done */
    {CREATED CALL_ADDED("0") ITEM_DONE("0",                                                                         CALL("{\\\"a\\\":1}")) COMPLETED,                                                                                   ERR_OK,
     "start(resp_up) call(call_9 n__f)[{\"a\":1}|] usage(25,30) finish(4)"},
 /* text and refusal of one message are two parts */
    {CREATED MESSAGE_ADDED("0") TEXT("0", "0",                                                                                                                                          "a")
         EVENT("response.refusal.delta",                                                                                                                                                                             ",\"output_index\":0,\"content_index\":1,\"delta\":\"no\"")
             ITEM_DONE("0", "{\"type\":\"message\",\"content\":[{\"type\":\"output_text\",\"text\":"
                            "\"a\"},{\"type\":\"refusal\",\"refusal\":\"no\"}]}") COMPLETED,
     ERR_OK, "start(resp_up) text[a|] refusal[no|] usage(25,30) finish(5)"},
 /* hosted tools' items are nothing; an image is */
    {CREATED EVENT("response.output_item.added",
     ",\"output_index\":0,\"item\":{\"type\":\"web_search_call\"}")
         EVENT("response.web_search_call.completed",                  ",\"output_index\":0")
             ITEM_DONE("0",                                                                                                                                                                                                                                    "{\"type\":\"web_search_call\",\"id\":\"w\"}")
                 ITEM_DONE("1", "{\"type\":\"image_generation_call\",\"result\":\"AAAA\","
                                "\"output_format\":\"webp\"}") COMPLETED,
     ERR_OK, "start(resp_up) image(image/webp)[AAAA|] usage(25,30) finish(0)"},
    {CREATED CALL_ADDED("0") ARGS("0",                                                                               "{") INCOMPLETE("max_output_tokens"),                                                                                                         ERR_OK,
     "start(resp_up) call(call_9 n__f)[{|] finish(2)"},
    {CREATED INCOMPLETE("content_filter"),                                        ERR_OK,                                                                                                      "start(resp_up) finish(6)"        },
    {CREATED INCOMPLETE("steered"),                          ERR_OK,                                                               "start(resp_up) finish(9)"                                                                                                                                      },
 /* failures */
    {CREATED TEXT("0",                                                          "0",                                                                                                                                          "x")
         EVENT("response.failed",                                                                                                                                         ",\"response\":{\"error\":{\"code\":\"server_error\",\"message\":"
                                  "\"boom\"}," USAGE "}"),
     ERR_OK, "start(resp_up) usage(25,30) error(up_failed server_error boom)"},
    {EVENT("error",                                           ",\"code\":\"rate_limit_exceeded\",\"message\":\"slow\""), ERR_OK,
     "error(up_rate rate_limit_exceeded slow)"},
    {CREATED EVENT("error",                                                                               ",\"error\":{\"code\":\"context_length_exceeded\",\"message\":\"m\"}"),
     ERR_OK,                                                                                                                                                                                                "start(resp_up) error(up_context context_length_exceeded m)"},
    {"data: {\"error\":{\"message\":\"plain\"}}\n\n",                                                      ERR_OK,                          "error(up_failed  plain)"                                                                                                                                                                                                                                   },
    {CREATED MESSAGE_ADDED("0") TEXT("0",                                                                               "0",                                                                                                    "x"),                                                                                                                                                                                            ERR_UP_CUT, "start(resp_up) text[x|"},
    {"",                                                  ERR_UP_CUT,                                         ""                                                                                                                                                                                                                                   },
    {": hi\n\ndata: [DONE]\n\n",                                                                               ERR_UP_CUT,                                                                                                              ""                                                                                   },
    {"data: oops\n\n",                                ERR_UP_MALFORMED,                                                                                              ""                                                                                                                                                  },
    {CREATED ITEM_DONE("0",                                                     "5") COMPLETED,              ERR_UP_MALFORMED,                                                                  "start(resp_up) "},
    {CREATED ITEM_DONE("0",                                                     "{\"type\":\"function_call\",\"name\":\"f\"}") COMPLETED,
     ERR_UP_MALFORMED,"start(resp_up) "},
 /* whole answers */
    {"{\"id\":\"r\",\"status\":\"completed\",\"error\":null,\"output\":[" MESSAGE("x") "," CALL(
         "{}") "]," USAGE "}",
     ERR_OK,                                                      "start(r) text[x|] call(call_9 n__f)[{}|] usage(25,30) finish(4)"                                                                                                                                                                                                                                   },
    {"{\"status\":\"failed\",\"error\":{\"code\":\"c\",\"message\":\"m\"}}",                                                                               ERR_OK,
     "error(up_failed c m)"                                                                                                                     },
    {"{\"status\":\"cancelled\",\"output\":[]}",                                       ERR_OK,                                                                                                     "error(up_failed  )"                                                                                                                                                                        },
    {"{\"status\":\"completed\"}",                                                                          ERR_UP_MALFORMED,                                                                            ""},
    {"{\"output\":[5]}",                    ERR_UP_MALFORMED,                                "start() "},
    {"{\"output\":",ERR_UP_MALFORMED,""},
};

START_TEST(an_answer_becomes_events_for_every_split)
{
    const char *text = answers[_i].text;
    size_t n = text[0] == '{' ? 0 : strlen(text) + 1, cut;

    for (cut = 0; cut <= n; cut++) {
        struct buf log;
        enum err e = decoded(text, cut, &log);

        ck_assert_msg(e == answers[_i].e, "%s: %s", err_name(e), text);
        ck_assert_str_eq(log.p ? log.p : "", answers[_i].events);
        buf_clear(&log);
        arena_reset(arena);
    }
}
END_TEST

/* ---- the encoder ---- */

static const char request[] =
    "{\"model\":\"pub\",\"input\":\"hi\",\"instructions\":\"be\",\"tools\":[{\"type\":"
    "\"namespace\",\"name\":\"n\",\"tools\":[{\"type\":\"function\",\"name\":\"f\"},{\"type\":"
    "\"custom\",\"name\":\"c\"}]},{\"type\":\"function\",\"name\":\"g\"}],\"metadata\":{\"a\":"
    "\"b\"}}";

struct encoding {
    struct encoder e;
    struct canon canon;
    struct buf out;
};

static void begin_encoding(struct encoding *x, bool is_stream)
{
    struct format_request in;
    struct fault fault;

    ck_assert_int_eq(
        responses->read_request(&(struct format_call){.body = SLICE(request)}, arena, &in, &fault),
        ERR_OK);
    x->canon = (struct canon){.arena = arena};
    ck_assert_int_eq(responses->decode_request(&x->canon, &in, &fault), ERR_OK);
    buf_init(&x->out, 1 << 20);
    x->e = (struct encoder){
        .format = responses,
        .arena = arena,
        .out = &x->out,
        .is_stream = is_stream,
        .model = "pub",
        .request_id = RID,
        .created_s = 1700000000,
        .request = &x->canon,
        .counts = {.in_fresh = 25,
                   .in_read = 20,
                   .in_write = 5,
                   .out_all = 30,
                   .out_think = 10,
                   .is_known = true},
        .service_tier = SLICE("standard"),
        .cost = "0.5"
    };
    ck_assert_int_eq(responses->encode_begin(&x->e), ERR_OK);
}

static void send(struct encoding *x, struct event ev)
{
    ck_assert_int_eq(responses->encode_event(&x->e, &ev), ERR_OK);
}

static void send_part(struct encoding *x, enum part_kind kind, const char *text)
{
    send(x, (struct event){.kind = EV_BEGIN, .part_kind = kind});
    send(x, (struct event){.kind = EV_DELTA, .text = slice_of(text)});
    send(x, (struct event){.kind = EV_END});
}

static void send_call(struct encoding *x, const char *name, const char *text, const char *seal,
                      bool is_custom)
{
    send(x, (struct event){.kind = EV_BEGIN,
                           .part_kind = PART_CALL,
                           .id = SLICE("call_1"),
                           .name = slice_of(name),
                           .seal = slice_of(seal),
                           .is_custom = is_custom});
    send(x, (struct event){.kind = EV_DELTA, .text = slice_of(text)});
    send(x, (struct event){.kind = EV_END});
}

static void end_encoding(struct encoding *x, enum finish finish)
{
    x->e.finish = finish;
    ck_assert_int_eq(responses->encode_end(&x->e), ERR_OK);
}

/* The types of a stream's events, with spaces, after a check that they are numbered, that each
 * `event:` line says its type, and that the last one repeats the done items. */
static char *types_of(struct encoding *x)
{
    char *types = arena_alloc(arena, x->out.n + 1), *done = arena_alloc(arena, x->out.n + 1);
    struct slice rest = buf_slice(&x->out);
    int64_t number = 0, got;

    while (rest.n) {
        const char *end = memmem(rest.p, rest.n, "\n\n", 2);
        struct slice event, type;
        struct jvalue v, member, output;

        ck_assert_ptr_nonnull(end);
        event = (struct slice){rest.p, (size_t)(end - rest.p)};
        rest = (struct slice){end + 2, rest.n - event.n - 2};
        ck_assert(slice_starts(event, "event: "));
        type = slice_split(&event, '\n');
        type = (struct slice){type.p + 7, type.n - 7};
        ck_assert(slice_starts(event, "data: "));
        ck_assert_int_eq(jscan_validate((struct slice){event.p + 6, event.n - 6}, &v, NULL),
                         ERR_OK);
        ck_assert_int_eq(jscan_find(v, "type", &member), ERR_OK);
        ck_assert(slice_eq((struct slice){member.raw.p + 1, member.raw.n - 2}, type));
        ck_assert_int_eq(jscan_find(v, "sequence_number", &member), ERR_OK);
        ck_assert_int_eq(jscan_i64(member, &got), ERR_OK);
        ck_assert_int_eq(got, number++);
        if (slice_eq_z(type, "response.output_item.done")) {
            ck_assert_int_eq(jscan_find(v, "item", &member), ERR_OK);
            strcat(done, done[0] ? "," : "");
            strncat(done, member.raw.p, member.raw.n);
        }
        if (!rest.n) {
            ck_assert_int_eq(jscan_find(v, "response", &member), ERR_OK);
            ck_assert_int_eq(jscan_find(member, "output", &output), ERR_OK);
            ck_assert(slice_eq_z((struct slice){output.raw.p + 1, output.raw.n - 2}, done));
        }
        strncat(types, type.p + strlen("response."), type.n - strlen("response."));
        strcat(types, " ");
    }
    return types;
}

START_TEST(every_event_that_clients_rely_on_is_written)
{
    struct encoding x;

    begin_encoding(&x, true);
    send(&x, (struct event){.kind = EV_START});
    send(&x, (struct event){.kind = EV_BEGIN, .part_kind = PART_THINKING});
    send(&x, (struct event){.kind = EV_DELTA, .text = SLICE("hm")});
    send(&x, (struct event){.kind = EV_SEAL, .text = SLICE("aip1.x")});
    send(&x, (struct event){.kind = EV_END});
    send_part(&x, PART_TEXT, "a\"b");
    send_part(&x, PART_REFUSAL, "no");
    send_call(&x, "n__f", "{}", NULL, false);
    send_call(&x, "n__c", "ls", NULL, true);
    send_part(&x, PART_IMAGE, "AAAA");
    end_encoding(&x, FINISH_TOOL);
    ck_assert_str_eq(
        types_of(&x),
        "created in_progress "
        "output_item.added reasoning_summary_part.added reasoning_summary_text.delta "
        "reasoning_summary_text.done reasoning_summary_part.done output_item.done "
        "output_item.added content_part.added output_text.delta output_text.done "
        "content_part.done content_part.added refusal.delta refusal.done content_part.done "
        "output_item.done "
        "output_item.added function_call_arguments.delta function_call_arguments.done "
        "output_item.done "
        "output_item.added custom_tool_call_input.delta custom_tool_call_input.done "
        "output_item.done "
        "output_item.added image_generation_call.in_progress image_generation_call.completed "
        "output_item.done completed ");
    buf_clear(&x.out);
}
END_TEST

/* The value of completed_at differs from run to run. */
static void mask_time(char *text)
{
    char *p = strstr(text, "\"completed_at\":");

    if (p)
        for (p += strlen("\"completed_at\":"); isdigit((unsigned char)*p); p++)
            *p = '0';
}

START_TEST(a_whole_answer_has_all_that_the_schema_asks_for)
{
    struct encoding x;

    begin_encoding(&x, false);
    send(&x, (struct event){.kind = EV_START});
    send_part(&x, PART_TEXT, "hi");
    send_call(&x, "n__f", "{}", NULL, false);
    send_call(&x, "g", "{}", NULL, false);
    ck_assert_uint_eq(x.out.n, 0);
    end_encoding(&x, FINISH_TOOL);
    mask_time(x.out.p);
    ck_assert_str_eq(
        x.out.p,
        "{\"id\":\"resp_" RID "\",\"object\":\"response\",\"created_at\":1700000000,"
        "\"completed_at\":0000000000,\"status\":\"completed\",\"background\":false,\"error\":null,"
        "\"incomplete_details\":null,\"instructions\":\"be\",\"max_output_tokens\":null,"
        "\"max_tool_calls\":null,\"model\":\"pub\",\"output\":["
        "{\"id\":\"msg_" RID "00\",\"type\":\"message\",\"status\":\"completed\",\"role\":"
        "\"assistant\",\"content\":[{\"type\":\"output_text\",\"text\":\"hi\",\"annotations\":[],"
        "\"logprobs\":[]}]},"
        "{\"id\":\"fc_" RID "01\",\"type\":\"function_call\",\"status\":\"completed\",\"call_id\":"
        "\"call_1\",\"namespace\":\"n\",\"name\":\"f\",\"arguments\":\"{}\"},"
        "{\"id\":\"fc_" RID "02\",\"type\":\"function_call\",\"status\":\"completed\",\"call_id\":"
        "\"call_1\",\"name\":\"g\",\"arguments\":\"{}\"}],"
        "\"parallel_tool_calls\":true,\"previous_response_id\":null,\"reasoning\":{\"effort\":null,"
        "\"summary\":null},\"service_tier\":\"default\",\"store\":false,\"temperature\":1.0,"
        "\"text\":{\"format\":{\"type\":\"text\"}},\"tool_choice\":\"auto\",\"tools\":[{\"type\":"
        "\"namespace\",\"name\":\"n\",\"tools\":[{\"type\":\"function\",\"name\":\"f\"},{\"type\":"
        "\"custom\",\"name\":\"c\"}]},{\"type\":\"function\",\"name\":\"g\",\"parameters\":null,"
        "\"strict\":null}],\"top_p\":1.0,\"truncation\":\"disabled\",\"usage\":{\"input_tokens\":"
        "50,\"input_tokens_details\":{\"cached_tokens\":20,\"cache_write_tokens\":5},"
        "\"output_tokens\":30,\"output_tokens_details\":{\"reasoning_tokens\":10},"
        "\"total_tokens\":80,\"cost\":0.5},\"user\":null,\"metadata\":{\"a\":\"b\"}}");
    buf_clear(&x.out);
}
END_TEST

static const struct {
    enum finish finish;
    enum part_kind part;
    const char *status; /* a part of the whole answer */
} finishes[] = {
    {FINISH_STOP,      PART_TEXT,    "\"status\":\"completed\",\"background\""                     },
    {FINISH_STOP_TEXT, PART_TEXT,    "\"status\":\"completed\",\"background\""                     },
    {FINISH_PAUSE,     PART_TEXT,    "\"status\":\"completed\",\"background\""                     },
    {FINISH_OTHER,     PART_TEXT,    "\"status\":\"completed\",\"background\""                     },
    {FINISH_LENGTH,    PART_TEXT,    "\"incomplete_details\":{\"reason\":\"max_output_tokens\"}"   },
    {FINISH_CONTEXT,   PART_TEXT,    "\"incomplete_details\":{\"reason\":\"max_output_tokens\"}"   },
    {FINISH_LENGTH,    PART_TEXT,    "\"type\":\"message\",\"status\":\"incomplete\""              },
    {FINISH_FILTER,    PART_TEXT,    "\"incomplete_details\":{\"reason\":\"content_filter\"}"      },
    {FINISH_REFUSAL,   PART_TEXT,    "\"incomplete_details\":{\"reason\":\"content_filter\"}"      },
    {FINISH_REFUSAL,   PART_REFUSAL, "\"status\":\"completed\",\"background\""                     },
    {FINISH_BAD_CALL,  PART_TEXT,    "\"error\":{\"code\":\"server_error\",\"message\":\"The model"},
};

START_TEST(each_finish_has_its_status)
{
    struct encoding x;

    begin_encoding(&x, false);
    send_part(&x, finishes[_i].part, "x");
    end_encoding(&x, finishes[_i].finish);
    ck_assert_msg(strstr(x.out.p, finishes[_i].status), "%s", x.out.p);
    buf_clear(&x.out);
}
END_TEST

START_TEST(a_seal_of_a_call_comes_in_reasoning_before_it)
{
    struct encoding x;

    begin_encoding(&x, false);
    send_call(&x, "g", "{}", "aip1.call", false);
    end_encoding(&x, FINISH_TOOL);
    ck_assert_ptr_nonnull(
        strstr(x.out.p, "\"output\":[{\"id\":\"rs_" RID "00\",\"type\":\"reasoning\",\"summary\":"
                        "[],\"encrypted_content\":\"aip1.call\"},{\"id\":\"fc_" RID "01\""));
    buf_clear(&x.out);
}
END_TEST

START_TEST(a_seal_of_a_text_comes_last_or_not_at_all)
{
    struct encoding x;

    begin_encoding(&x, false);
    send_part(&x, PART_TEXT, "x");
    send(&x, (struct event){.kind = EV_SEAL, .text = SLICE("aip1.text")});
    end_encoding(&x, FINISH_STOP);
    ck_assert_ptr_nonnull(strstr(x.out.p, "\"summary\":[],\"encrypted_content\":\"aip1.text\"}]"));
    buf_clear(&x.out);
    begin_encoding(&x, false);
    send_part(&x, PART_TEXT, "x");
    send(&x, (struct event){.kind = EV_SEAL, .text = SLICE("aip1.text")});
    send_call(&x, "g", "{}", NULL, false);
    end_encoding(&x, FINISH_TOOL);
    ck_assert_ptr_null(strstr(x.out.p, "aip1.text"));
    buf_clear(&x.out);
}
END_TEST

START_TEST(what_no_item_can_hold_is_left_out)
{
    struct encoding x;

    begin_encoding(&x, true);
    send_part(&x, PART_AUDIO, "AAAA");
    send_part(&x, PART_OPAQUE, "{}");
    end_encoding(&x, FINISH_STOP);
    ck_assert_str_eq(types_of(&x), "created in_progress completed ");
    buf_clear(&x.out);
}
END_TEST

/* ---- both, through a translation ---- */

static enum err see(void *ctx, const struct sse_event *e)
{
    struct reader *r = ctx;
    enum event_verdict v = r->ops->read_event(r, e);

    if (v == EVENT_MALFORMED || v == EVENT_FAIL)
        return v == EVENT_FAIL ? ERR_UP_FAILED : ERR_UP_MALFORMED;
    return ERR_OK;
}

/* A streamed answer through a translation of the format to itself, in an arena of its own. */
static enum err carry(size_t max, const char *answer, struct reader *r, struct buf *failure)
{
    struct arena *a = arena_new(max);
    struct format_request in;
    struct fault fault;
    struct splice body;
    struct translation *x;
    struct sse sse;
    enum err e;

    *r = (struct reader){0};
    sse_init(&sse, 1 << 20);
    e = responses->read_request(&(struct format_call){.body = SLICE(request)}, a, &in, &fault);
    if (e)
        goto out;
    in.is_stream = true;
    x = translation_new(a, responses, responses, &in, &capability_default);
    e = x ? translate_request(x, &(struct format_target){.upstream_model = "up"}, &body, &fault)
          : ERR_MEMORY;
    if (!e)
        e = reader_init(r, responses, &in, a);
    if (e)
        goto out;
    r->public_model = "pub";
    r->upstream_model = "up";
    e = translation_attach(x, r, RID, 1700000000);
    if (!e)
        e = sse_feed(&sse, slice_of(answer), see, r);
    if (!e && !r->is_ended)
        e = ERR_UP_CUT;
    if (e == ERR_UP_FAILED)
        ck_assert_int_eq(responses->write_stream_error(r, failure, e, r->error_text, RID), ERR_OK);
    reader_clear(r);
out:
    sse_clear(&sse);
    arena_free(a);
    return e;
}

START_TEST(a_failure_within_ends_what_was_translated)
{
    static const char answer[] = CREATED MESSAGE_ADDED("0") TEXT("0", "0", "x")
        EVENT("response.failed", ",\"response\":{\"error\":{\"message\":\"boom\"}}");
    struct reader r;
    struct buf b;

    buf_init(&b, 1 << 16);
    ck_assert_int_eq(carry(ARENA_MAX, answer, &r, &b), ERR_UP_FAILED);
    ck_assert(slice_starts(buf_slice(&b), "event: response.failed\ndata: {\"type\":"
                                          "\"response.failed\",\"sequence_number\":5,"
                                          "\"response\":{\"id\":\"resp_" RID "\""));
    ck_assert_ptr_nonnull(strstr(b.p, "\"message\":\"boom\""));
    buf_clear(&b);
}
END_TEST

START_TEST(memory_that_runs_out_in_an_answer_is_told)
{
    static const char answer[] = CREATED REASONING_ADDED SUMMARY("0", "h\\nm") ITEM_DONE(
        "0", "{\"type\":\"reasoning\",\"id\":\"rs_9\",\"summary\":[],\"encrypted_content\":\"e\"}")
        MESSAGE_ADDED("1") TEXT("1", "0", "a\\nb") ITEM_DONE("1", MESSAGE("a\\nb")) CALL_ADDED("2")
            ARGS("2", "{}") ITEM_DONE("2", CALL("{}")) COMPLETED;
    struct reader r;
    size_t max, failed = 0;
    enum err e = ERR_MEMORY;

    for (max = 0; e != ERR_OK && max < ARENA_MAX; max += 64, failed++)
        e = carry(max, answer, &r, NULL);
    ck_assert_int_eq(e, ERR_OK);
    ck_assert_uint_gt(failed, 20);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("responses_answer");
    TCase *t = tcase_create("all");

    tcase_add_checked_fixture(t, suite_arena_open, suite_arena_close);
    tcase_set_timeout(t, 60);
    tcase_add_loop_test(t, an_answer_becomes_events_for_every_split, 0, ROWS(answers));
    tcase_add_test(t, every_event_that_clients_rely_on_is_written);
    tcase_add_test(t, a_whole_answer_has_all_that_the_schema_asks_for);
    tcase_add_loop_test(t, each_finish_has_its_status, 0, ROWS(finishes));
    tcase_add_test(t, a_seal_of_a_call_comes_in_reasoning_before_it);
    tcase_add_test(t, a_seal_of_a_text_comes_last_or_not_at_all);
    tcase_add_test(t, what_no_item_can_hold_is_left_out);
    tcase_add_test(t, a_failure_within_ends_what_was_translated);
    tcase_add_test(t, memory_that_runs_out_in_an_answer_is_told);
    suite_add_tcase(s, t);
    return suite_run(s);
}
