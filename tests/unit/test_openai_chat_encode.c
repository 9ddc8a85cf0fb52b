#include "tests/unit/codec_kit.h"
#include "tests/unit/format_suite.h"
#include "upstream/capability.h"

#include <check.h>
#include <string.h>

#define USER      "{\"role\":\"user\",\"content\":\"hi\"}"
#define ASK(more) "{\"model\":\"m\",\"messages\":[" more
#define WITH(m)   ASK(USER "]," m "}")
#define OUT(m)    "{\"model\":\"up\",\"messages\":[" m "]"

static const struct format *const chat = &format_openai_chat;
static struct capability capability;

static void setup(void)
{
    suite_arena_open();
    capability = capability_default;
}

/* What the target of a row can do. */
enum target { PLAIN, OPENAI, REASONING, DEEPSEEK, NO_SCHEMA, NO_FORCE, NO_THINK, IMAGES };

static void set_target(enum target t)
{
    capability.has_max_completion_tokens = t == OPENAI || t == REASONING;
    capability.has_custom_tools = t == OPENAI || t == REASONING;
    capability.has_sampling = t != REASONING;
    capability.wants_reasoning = t == DEEPSEEK;
    capability.has_schema = t != NO_SCHEMA;
    capability.has_forced_tools = t != NO_FORCE;
    if (t == NO_THINK)
        capability.think = THINK_STYLE_NONE;
    if (t == IMAGES)
        capability.output |= MODALITY_IMAGE;
}

#define TOOL_F "{\"type\":\"function\",\"function\":{\"name\":\"f\"}}"
#define TOOL_C                                                                                     \
    "{\"type\":\"custom\",\"custom\":{\"name\":\"c\",\"description\":\"d\",\"format\":{\"type\":"  \
    "\"grammar\",\"grammar\":{\"syntax\":\"lark\",\"definition\":\"x\\ny\"}}}}"
#define CALLS                                                                                      \
    USER ",{\"role\":\"assistant\",\"content\":\"so\",\"reasoning_content\":\"hm\","               \
         "\"tool_calls\":[{\"id\":\"a\",\"type\":\"function\",\"function\":{\"name\":\"f\","       \
         "\"arguments\":\"{}\"}},{\"id\":\"b\",\"type\":\"custom\",\"custom\":{\"name\":\"c\","    \
         "\"input\":\"say \\\"x\\\"\"}}]},{\"role\":\"tool\",\"tool_call_id\":\"a\",\"content\":[" \
         "{\"type\":\"text\",\"text\":\"1\"},{\"type\":\"image_url\",\"image_url\":{\"url\":"      \
         "\"data:image/png;base64,iVBO\"}},{\"type\":\"text\",\"text\":\"2\"}]},{\"role\":"        \
         "\"tool\",\"tool_call_id\":\"b\",\"content\":\"ok\"},{\"role\":\"user\",\"content\":"     \
         "\"on\"}"
#define CALL_A                                                                                     \
    "{\"id\":\"a\",\"type\":\"function\",\"function\":{\"name\":\"f\",\"arguments\":\"{}\"}}"
#define RESULTS                                                                                    \
    "{\"role\":\"tool\",\"tool_call_id\":\"a\",\"content\":\"1\\n\\n2\"},"                         \
    "{\"role\":\"tool\",\"tool_call_id\":\"b\",\"content\":\"ok\"},"                               \
    "{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"Result images of call a\"},"    \
    "{\"type\":\"image_url\",\"image_url\":{\"url\":\"data:image/png;base64,iVBO\"}}]},"           \
    "{\"role\":\"user\",\"content\":\"on\"}"

static const struct {
    enum target target;
    const char *body, *out, *drops;
} golden[] = {
    {PLAIN,     ASK(USER "]}"),                                                                       OUT(USER) "}", ""                                   },
    {PLAIN,
     ASK("{\"role\":\"system\",\"content\":\"a\"},{\"role\":\"developer\",\"content\":[{\"type\":"
         "\"text\",\"text\":\"b\",\"cache_control\":{\"type\":\"ephemeral\"}},{\"type\":\"text\","
         "\"text\":\"c\"}]},{\"role\":\"user\",\"name\":\"u\",\"content\":[{\"type\":\"text\","
         "\"text\":\"x\"},{\"type\":\"text\",\"text\":\"y\"}]},{\"role\":\"system\",\"content\":"
         "\"later\"}," USER "],\"stream\":true}"),
     OUT("{\"role\":\"system\",\"content\":\"a\\n\\nb\\n\\nc\"},"
         "{\"role\":\"user\",\"name\":\"u\",\"content\":\"x\\n\\ny\"},"
         "{\"role\":\"system\",\"content\":\"later\"}," USER) ",\"stream\":true,\"stream_options\":"
                                                              "{\"include_usage\":true}}",                           "prompt_cache_breakpoint "           },
    {PLAIN,     ASK(CALLS "]}"),
     OUT(USER ",{\"role\":\"assistant\",\"content\":\"so\",\"tool_calls\":[" CALL_A
              ",{\"id\":\"b\",\"type\":\"function\",\"function\":{\"name\":\"c\",\"arguments\":"
              "\"{\\\"input\\\":\\\"say \\\\\\\"x\\\\\\\"\\\"}\"}}]}," RESULTS) "}",
     ""                                                                                                                                                   },
    {OPENAI,    ASK(CALLS "]}"),
     OUT(USER ",{\"role\":\"assistant\",\"content\":\"so\",\"tool_calls\":[" CALL_A
              ",{\"id\":\"b\",\"type\":\"custom\",\"custom\":{\"name\":\"c\",\"input\":"
              "\"say \\\"x\\\"\"}}]}," RESULTS) "}",
     ""                                                                                                                                                   },
    {DEEPSEEK,
     ASK(USER ",{\"role\":\"assistant\",\"reasoning_content\":\"hm\",\"tool_calls\":[" CALL_A
              "]},{\"role\":\"tool\",\"tool_call_id\":\"a\",\"content\":\"\"},{\"role\":"
              "\"assistant\",\"tool_calls\":[" CALL_A
              "]},{\"role\":\"tool\",\"tool_call_id\":\"a\","
              "\"content\":\"r\"}],\"reasoning_effort\":\"low\"}"),
     "{\"model\":\"up\",\"thinking\":{\"type\":\"enabled\"},\"reasoning_effort\":\"low\","
     "\"messages\":[" USER ",{\"role\":\"assistant\",\"content\":null,\"reasoning_content\":\"hm\","
     "\"tool_calls\":[" CALL_A "]},{\"role\":\"tool\",\"tool_call_id\":\"a\",\"content\":\"\"},"
     "{\"role\":\"assistant\",\"content\":null,\"reasoning_content\":\"\",\"tool_calls\":[{"
     "\"id\":\"call_000000000000000000000001\",\"type\":\"function\",\"function\":{\"name\":\"f\","
     "\"arguments\":\"{}\"}}]},{\"role\":\"tool\",\"tool_call_id\":"
     "\"call_000000000000000000000001\",\"content\":\"r\"}]}",                                                       ""                                   },
    {DEEPSEEK,  WITH("\"reasoning_effort\":\"none\""),
     "{\"model\":\"up\",\"thinking\":{\"type\":\"disabled\"},\"messages\":[" USER "]}",                              ""                                   },
 /* refusals: their own member at OpenAI only */
    {OPENAI,
     ASK(USER ",{\"role\":\"assistant\",\"refusal\":\"no\"},{\"role\":\"assistant\",\"content\":"
              "\"a\",\"refusal\":\"b\"}," USER "]}"),
     OUT(USER ",{\"role\":\"assistant\",\"content\":null,\"refusal\":\"no\"},{\"role\":"
              "\"assistant\",\"content\":\"a\",\"refusal\":\"b\"}," USER) "}",
     ""                                                                                                                                                   },
    {PLAIN,     ASK(USER ",{\"role\":\"assistant\",\"content\":\"a\",\"refusal\":\"b\"}," USER "]}"),
     OUT(USER ",{\"role\":\"assistant\",\"content\":\"ab\"}," USER) "}",                                             ""                                   },
 /* media */
    {OPENAI,
     ASK("{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"t\"},{\"type\":"
         "\"image_url\",\"image_url\":{\"url\":\"https://h/i\",\"detail\":\"high\"}},{\"type\":"
         "\"input_audio\",\"input_audio\":{\"data\":\"AAAA\",\"format\":\"wav\"}},{\"type\":"
         "\"file\",\"file\":{\"file_data\":\"JVBERi0x\",\"filename\":\"a\"}},{\"type\":\"file\","
         "\"file\":{\"file_data\":\"SGkhCg==\",\"filename\":\"a.txt\"}},{\"type\":\"file\","
         "\"file\":{\"file_data\":\"data:text/plain;base64,/w==\"}}]}]}"),
     OUT("{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"t\"},{\"type\":"
         "\"image_url\",\"image_url\":{\"url\":\"https://h/i\",\"detail\":\"high\"}},{\"type\":"
         "\"input_audio\",\"input_audio\":{\"data\":\"AAAA\",\"format\":\"wav\"}},{\"type\":"
         "\"file\",\"file\":{\"filename\":\"a\",\"file_data\":\"data:application/pdf;base64,"
         "JVBERi0x\"}},{\"type\":\"text\",\"text\":\"a.txt:\\n\\nHi!\\n\"},{\"type\":\"file\","
         "\"file\":{\"filename\":\"document.pdf\",\"file_data\":\"data:text/plain;base64,/w==\"}}"
         "]}") "}",
     ""                                                                                                                                                   },
    {IMAGES,
     ASK(USER
         ",{\"role\":\"assistant\",\"images\":[{\"image_url\":{\"url\":\"data:;base64,/9j/\"}},"
         "{\"image_url\":{\"url\":\"data:;base64,R0lGOD\"}},{\"image_url\":{\"url\":"
         "\"data:;base64,UklGR\"}},{\"image_url\":{\"url\":\"data:;base64,AAAA\"}}]}," USER
         "],\"modalities\":[\"image\",\"text\"]}"),
     OUT(USER ",{\"role\":\"assistant\",\"content\":null,\"images\":["
              "{\"type\":\"image_url\",\"image_url\":{\"url\":\"data:image/jpeg;base64,/9j/\"}},"
              "{\"type\":\"image_url\",\"image_url\":{\"url\":\"data:image/gif;base64,R0lGOD\"}},"
              "{\"type\":\"image_url\",\"image_url\":{\"url\":\"data:image/webp;base64,UklGR\"}},"
              "{\"type\":\"image_url\",\"image_url\":{\"url\":\"data:image/"
              "png;base64,AAAA\"}}]}," USER) ",\"modalities\":[\"image\",\"text\"]}",
     ""                                                                                                                                                   },
 /* tools */
    {OPENAI,
     WITH("\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"f\",\"description\":\"d\","
          "\"parameters\":{\"b\":1, \"a\":2},\"strict\":true}}," TOOL_C "],\"tool_choice\":{"
          "\"type\":\"custom\",\"custom\":{\"name\":\"c\"}},\"parallel_tool_calls\":false"),
     "{\"model\":\"up\",\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"f\","
     "\"description\":\"d\",\"parameters\":{\"b\":1, \"a\":2},\"strict\":true}},{\"type\":"
     "\"custom\",\"custom\":{\"name\":\"c\",\"description\":\"d\",\"format\":{\"type\":"
     "\"grammar\",\"grammar\":{\"definition\":\"x\\ny\",\"syntax\":\"lark\"}}}}],\"tool_choice\":{"
     "\"type\":\"custom\",\"custom\":{\"name\":\"c\"}},\"parallel_tool_calls\":false,"
     "\"messages\":[" USER "]}",
     ""                                                                                                                                                   },
    {PLAIN,
     WITH("\"tools\":[" TOOL_C "],\"tool_choice\":{\"type\":\"custom\",\"custom\":{\"name\":"
          "\"c\"}}"),
     "{\"model\":\"up\",\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"c\","
     "\"description\":\"d\\n\\nThe input must match this lark grammar:\\nx\\ny\",\"parameters\":{"
     "\"type\":\"object\",\"properties\":{\"input\":{\"type\":\"string\"}},\"required\":["
     "\"input\"],\"additionalProperties\":false}}}],\"tool_choice\":{\"type\":\"function\","
     "\"function\":{\"name\":\"c\"}},\"messages\":[" USER "]}",
     ""                                                                                                                                                   },
    {OPENAI,
     WITH("\"tools\":[" TOOL_F "," TOOL_C "],\"tool_choice\":{\"type\":\"allowed_tools\","
          "\"allowed_tools\":{\"mode\":\"auto\",\"tools\":[" TOOL_F "]}}"),
     "{\"model\":\"up\",\"tools\":[" TOOL_F ",{\"type\":\"custom\",\"custom\":{\"name\":\"c\","
     "\"description\":\"d\",\"format\":{\"type\":\"grammar\",\"grammar\":{\"definition\":"
     "\"x\\ny\",\"syntax\":\"lark\"}}}}],\"tool_choice\":{\"type\":\"allowed_tools\","
     "\"allowed_tools\":{\"mode\":\"auto\",\"tools\":[" TOOL_F "]}},\"messages\":[" USER "]}",
     ""                                                                                                                                                   },
    {PLAIN,
     WITH("\"tools\":[" TOOL_F "," TOOL_C "],\"tool_choice\":{\"type\":\"allowed_tools\","
          "\"allowed_tools\":{\"mode\":\"required\",\"tools\":[" TOOL_F "]}}"),
     "{\"model\":\"up\",\"tools\":[" TOOL_F "],\"tool_choice\":\"required\",\"messages\":[" USER
     "]}",                                                                                                           ""                                   },
    {PLAIN,     WITH("\"tools\":[" TOOL_F "],\"tool_choice\":\"none\""),
     "{\"model\":\"up\",\"tools\":[" TOOL_F "],\"tool_choice\":\"none\",\"messages\":[" USER "]}",
     ""                                                                                                                                                   },
    {NO_FORCE,  WITH("\"tools\":[" TOOL_F "],\"tool_choice\":\"required\""),
     "{\"model\":\"up\",\"tools\":[" TOOL_F "],\"tool_choice\":\"auto\",\"messages\":[" USER
     ",{\"role\":\"system\",\"content\":\"You must call a tool.\"}]}",                                               ""                                   },
    {NO_FORCE,  WITH("\"tools\":[" TOOL_F "],\"tool_choice\":" TOOL_F),
     "{\"model\":\"up\",\"tools\":[" TOOL_F "],\"tool_choice\":\"auto\",\"messages\":[" USER
     ",{\"role\":\"system\",\"content\":\"You must call the tool f.\"}]}",                                           ""                                   },
 /* parameters */
    {OPENAI,
     WITH(
         "\"max_tokens\":99,\"temperature\":0.10,\"top_p\":1,\"top_k\":3,\"seed\":7,"
         "\"presence_penalty\":1,\"frequency_penalty\":2,\"logit_bias\":{\"1\":2},\"stop\":[\"a\","
         "\"b\",\"c\",\"d\",\"e\"],\"verbosity\":\"low\",\"prompt_cache_key\":\"k\",\"user\":\"u\","
         "\"service_tier\":\"flex\",\"reasoning_effort\":\"xhigh\""),
     "{\"model\":\"up\",\"max_completion_tokens\":99,\"temperature\":0.10,\"top_p\":1,"
     "\"presence_penalty\":1,\"frequency_penalty\":2,\"seed\":7,\"logit_bias\":{\"1\":2},\"stop\":["
     "\"a\",\"b\",\"c\",\"d\"],\"reasoning_effort\":\"xhigh\",\"messages\":[" USER
     "],\"verbosity\":\"low\",\"prompt_cache_key\":\"k\",\"safety_identifier\":\"u\","
     "\"service_tier\":\"flex\"}",                                                                                   "top_k "                             },
    {PLAIN,
     WITH("\"max_completion_tokens\":99,\"verbosity\":\"low\",\"prompt_cache_key\":\"k\",\"user\":"
          "\"u\",\"service_tier\":\"flex\",\"stop\":\"a\""),
     "{\"model\":\"up\",\"max_tokens\":99,\"stop\":[\"a\"],\"messages\":[" USER "],\"user\":\"u\"}",
     "verbosity prompt_cache_key service_tier "                                                                                                           },
    {REASONING, WITH("\"temperature\":0,\"top_p\":0,\"presence_penalty\":0,\"stop\":\"a\""),
     OUT(USER) "}",                                                                                                  "temperature top_p presence_penalty "},
    {NO_THINK,  WITH("\"reasoning_effort\":\"low\""),                                                 OUT(USER) "}", "reasoning_effort "                  },
    {PLAIN,     WITH("\"service_tier\":\"auto\""),                                                    OUT(USER) "}", ""                                   },
 /* structured output */
    {PLAIN,
     WITH("\"response_format\":{\"type\":\"json_schema\",\"json_schema\":{\"name\":\"a b\","
          "\"schema\":{\"x\":1},\"strict\":true}}"),
     "{\"model\":\"up\",\"response_format\":{\"type\":\"json_schema\",\"json_schema\":{\"name\":"
     "\"response\",\"schema\":{\"x\":1},\"strict\":true}},\"messages\":[" USER "]}",
     ""                                                                                                                                                   },
    {NO_SCHEMA,
     WITH("\"response_format\":{\"type\":\"json_schema\",\"json_schema\":{\"name\":\"n\","
          "\"schema\":{\"x\":1}}}"),
     "{\"model\":\"up\",\"response_format\":{\"type\":\"json_object\"},\"messages\":[{\"role\":"
     "\"system\",\"content\":\"Answer with JSON only, matching this JSON schema:\\n{\\\"x\\\":1}\"}"
     "," USER "]}",
     ""                                                                                                                                                   },
    {PLAIN,     WITH("\"response_format\":{\"type\":\"json_object\"}"),
     "{\"model\":\"up\",\"response_format\":{\"type\":\"json_object\"},\"messages\":[" USER "]}",
     ""                                                                                                                                                   },
};

static const char *drops_text(const struct drops *d)
{
    char *text = arena_printf(arena, "%s", "");
    size_t i;

    for (i = 0; i < d->n; i++)
        text = arena_printf(arena, "%s%s ", text, d->names[i]);
    return text;
}

START_TEST(a_request_is_written_for_its_target)
{
    struct plan p = kit_plan(arena, "up", &capability);
    struct canon c;
    const char *out;
    enum err e;

    set_target(golden[_i].target);
    ck_assert_msg(kit_decode(chat, arena, golden[_i].body, &c) == ERR_OK, "%s", kit_fault.text);
    out = kit_encode(chat, &c, &p, &e);
    ck_assert_msg(e == ERR_OK, "%s: %s", golden[_i].body, kit_fault.text);
    ck_assert_str_eq(out, golden[_i].out);
    ck_assert_str_eq(drops_text(&p.drops), golden[_i].drops);
    ck_assert(p.cuts_stops == (golden[_i].target == REASONING || c.stops_n > 4));
}
END_TEST

/* ---- what is refused ---- */

static const struct {
    enum target target;
    const char *body, *text;
} refused[] = {
    {PLAIN, WITH("\"n\":2"),                                                                      "n: more than one answer cannot be carried over from this model"},
    {PLAIN, WITH("\"logprobs\":true"),
     "logprobs: log probabilities cannot be carried over from this model"                                                                                         },
    {PLAIN, WITH("\"modalities\":[\"audio\"]"),
     "modalities: this model cannot answer in the modality that was asked for"                                                                                    },
    {PLAIN, WITH("\"modalities\":[\"image\"]"),
     "modalities: this model cannot answer in the modality that was asked for"                                                                                    },
    {PLAIN, WITH("\"web_search_options\":{}"),
     "web_search_options: the hosted tool `web_search_options` is not there for this model"                                                                       },
    {PLAIN, ASK(USER ",{\"role\":\"assistant\",\"content\":\"Once\"}]}"),
     "messages[1]: assistant prefill is not supported by this model"                                                                                              },
    {PLAIN, ASK("{\"role\":\"user\",\"content\":\"\"}]}"),                                        "messages: there is nothing to answer"                          },
    {PLAIN,
     ASK(USER ",{\"role\":\"assistant\",\"images\":[{\"image_url\":\"https://h\"}]}," USER "]}"),
     "messages[1].images[0]: media in an answer of the assistant cannot be carried to this model"                                                                 },
    {PLAIN,
     ASK("{\"role\":\"user\",\"content\":[{\"type\":\"file\",\"file\":{\"file_id\":\"f\"}}]}]}"),
     "messages[0].content[0]: a file by URL or by a vendor's id cannot be carried to this model; "
     "send its bytes"                                                                                                                                             },
    {PLAIN,
     ASK("{\"role\":\"user\",\"content\":[{\"type\":\"video_url\",\"video_url\":\"https://"
         "h\"}]}]}"),
     "messages[0].content[0]: this model takes no video"                                                                                                          },
    {PLAIN,
     ASK("{\"role\":\"user\",\"content\":[{\"type\":\"input_audio\",\"input_audio\":{\"data\":"
         "\"A\",\"format\":\"flac\"}}]}]}"),
     "messages[0].content[0]: this model takes audio as wav or mp3 bytes only"                                                                                    },
};

START_TEST(what_the_target_cannot_do_is_refused_with_its_path)
{
    struct plan p = kit_plan(arena, "up", &capability);
    struct canon c;
    enum err e;

    set_target(refused[_i].target);
    ck_assert_int_eq(kit_decode(chat, arena, refused[_i].body, &c), ERR_OK);
    ck_assert_ptr_null(kit_encode(chat, &c, &p, &e));
    ck_assert_int_eq(e, ERR_BAD_REQUEST);
    ck_assert_str_eq(kit_fault.text, refused[_i].text);
}
END_TEST

START_TEST(modalities_that_the_model_lacks_are_refused)
{
    static const struct {
        const char *part, *text;
    } rows[] = {
        {"{\"type\":\"image_url\",\"image_url\":\"https://h\"}",                           "images"},
        {"{\"type\":\"input_audio\",\"input_audio\":{\"data\":\"A\",\"format\":\"wav\"}}", "audio" },
        {"{\"type\":\"file\",\"file\":{\"file_data\":\"JVBERi\",\"filename\":\"a.pdf\"}}", "files" },
    };
    size_t i;

    capability.input = MODALITY_TEXT;
    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct plan p = kit_plan(arena, "up", &capability);
        struct canon c;
        enum err e;

        ck_assert_int_eq(
            kit_decode(
                chat, arena,
                arena_printf(arena, ASK("{\"role\":\"user\",\"content\":[%s]}]}"), rows[i].part),
                &c),
            ERR_OK);
        ck_assert_ptr_null(kit_encode(chat, &c, &p, &e));
        ck_assert_str_eq(kit_fault.text, arena_printf(arena,
                                                      "messages[0].content[0]: this model takes no "
                                                      "%s",
                                                      rows[i].text));
    }
}
END_TEST

START_TEST(tools_are_refused_by_a_model_without_them_unless_none_may_be_called)
{
    struct plan p = kit_plan(arena, "up", &capability);
    struct canon c;
    enum err e;

    capability.has_tools = false;
    ck_assert_int_eq(kit_decode(chat, arena, WITH("\"tools\":[" TOOL_F "]"), &c), ERR_OK);
    ck_assert_ptr_null(kit_encode(chat, &c, &p, &e));
    ck_assert_str_eq(kit_fault.text, "tools: this model cannot use tools");
    ck_assert_int_eq(
        kit_decode(chat, arena, WITH("\"tools\":[" TOOL_F "],\"tool_choice\":\"none\""), &c),
        ERR_OK);
    ck_assert_str_eq(kit_encode(chat, &c, &p, &e), OUT(USER) "}");
}
END_TEST

int main(void)
{
    Suite *s = suite_create("openai_chat_encode");
    TCase *t = tcase_create("all");

    tcase_add_checked_fixture(t, setup, suite_arena_close);
    tcase_add_loop_test(t, a_request_is_written_for_its_target, 0, ROWS(golden));
    tcase_add_loop_test(t, what_the_target_cannot_do_is_refused_with_its_path, 0, ROWS(refused));
    tcase_add_test(t, modalities_that_the_model_lacks_are_refused);
    tcase_add_test(t, tools_are_refused_by_a_model_without_them_unless_none_may_be_called);
    suite_add_tcase(s, t);
    return suite_run(s);
}
