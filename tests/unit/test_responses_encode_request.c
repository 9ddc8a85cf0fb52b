#include "upstream/responses.h"

#include "base/buf.h"
#include "tests/unit/format_suite.h"
#include "upstream/sse.h"
#include "upstream/translate.h"

#include <check.h>
#include <stdarg.h>
#include <string.h>

#define ARENA_MAX  (1 << 24)
#define BODY(more) "{\"model\":\"m\",\"input\":\"hi\"" more "}"
#define ITEMS(i)   "{\"model\":\"m\",\"input\":[" i "]}"

static const struct format *const responses = &format_openai_responses;
static const struct format *client = &format_openai_responses;
static struct capability capability;
static struct translation *translation;

static void setup(void)
{
    suite_arena_open();
    capability = capability_default;
    translation = NULL;
    client = responses;
}

/* What Codex sends, in short. */
static const char codex[] =
    "{\"model\":\"m\",\"instructions\":\"You are Codex.\",\"input\":["
    "{\"type\":\"additional_tools\",\"role\":\"developer\",\"tools\":[{\"type\":\"namespace\","
    "\"name\":\"functions\",\"description\":\"d\",\"tools\":["
    "{\"type\":\"custom\",\"name\":\"exec\",\"description\":\"run\",\"format\":{\"type\":"
    "\"grammar\",\"syntax\":\"lark\",\"definition\":\"start: X\"}},"
    "{\"type\":\"function\",\"name\":\"plan\",\"parameters\":{\"type\":\"object\"}}]},"
    "{\"type\":\"web_search\"}]},"
    "{\"type\":\"message\",\"role\":\"developer\",\"content\":[{\"type\":\"input_text\",\"text\":"
    "\"dev\"}]},"
    "{\"type\":\"message\",\"role\":\"user\",\"content\":[{\"type\":\"input_text\",\"text\":"
    "\"look\"},{\"type\":\"input_image\",\"image_url\":\"data:image/png;base64,AAAA\",\"detail\":"
    "\"high\"}]},"
    "{\"type\":\"reasoning\",\"id\":\"rs_1\",\"summary\":[{\"type\":\"summary_text\",\"text\":"
    "\"a\"},{\"type\":\"summary_text\",\"text\":\"b\"}],\"encrypted_content\":\"gAAAblob\"},"
    "{\"type\":\"message\",\"role\":\"assistant\",\"id\":\"msg_1\",\"status\":\"completed\","
    "\"phase\":\"commentary\",\"content\":[{\"type\":\"output_text\",\"text\":\"doing\","
    "\"annotations\":[]}]},"
    "{\"type\":\"custom_tool_call\",\"call_id\":\"call_a\",\"namespace\":\"functions\",\"name\":"
    "\"exec\",\"input\":\"ls \\\"x\\\"\"},"
    "{\"type\":\"function_call\",\"call_id\":\"call_b\",\"namespace\":\"functions\",\"name\":"
    "\"plan\",\"arguments\":\"{\\\"a\\\":1}\"},"
    "{\"type\":\"web_search_call\",\"id\":\"ws_1\",\"status\":\"completed\"},"
    "{\"type\":\"custom_tool_call_output\",\"call_id\":\"call_a\",\"output\":[{\"type\":"
    "\"input_text\",\"text\":\"out\"},{\"type\":\"input_text\",\"text\":\"put\"}]},"
    "{\"type\":\"function_call_output\",\"call_id\":\"call_b\",\"output\":\"ok\"},"
    "{\"type\":\"message\",\"role\":\"user\",\"content\":\"next\"}],"
    "\"tools\":[],\"tool_choice\":\"auto\",\"parallel_tool_calls\":true,\"reasoning\":{\"effort\":"
    "\"high\",\"summary\":\"auto\"},\"store\":false,\"stream\":true,\"include\":["
    "\"reasoning.encrypted_content\"],\"prompt_cache_key\":\"key\",\"text\":{\"verbosity\":"
    "\"low\"},\"client_metadata\":{\"x\":\"y\"},\"service_tier\":\"priority\"}";

#define CODEX_HEAD                                                                                 \
    "{\"model\":\"up\",\"instructions\":\"You are Codex.\\n\\ndev\",\"input\":["                   \
    "{\"type\":\"message\",\"role\":\"user\",\"content\":[{\"type\":\"input_text\",\"text\":"      \
    "\"look\"},{\"type\":\"input_image\",\"image_url\":\"data:image/png;base64,AAAA\","            \
    "\"detail\":\"high\"}]},"                                                                      \
    "{\"type\":\"reasoning\",\"id\":\"rs_1\",\"summary\":[{\"type\":\"summary_text\",\"text\":"    \
    "\"a\\n\\nb\"}],\"encrypted_content\":\"gAAAblob\"},"                                          \
    "{\"type\":\"message\",\"role\":\"assistant\",\"content\":\"doing\"},"

#define CODEX_TAIL                                                                                 \
    "{\"type\":\"function\",\"name\":\"functions__plan\",\"parameters\":{\"type\":\"object\"},"    \
    "\"strict\":false},{\"type\":\"web_search\"}],\"tool_choice\":\"auto\","                       \
    "\"parallel_tool_calls\":true,\"reasoning\":{\"effort\":\"high\",\"summary\":\"auto\"},"       \
    "\"include\":[\"reasoning.encrypted_content\"],\"text\":{\"verbosity\":\"low\"},"              \
    "\"prompt_cache_key\":\"key\",\"service_tier\":\"priority\",\"store\":false,\"stream\":true}"

static const char codex_custom[] = CODEX_HEAD
    "{\"type\":\"custom_tool_call\",\"call_id\":\"call_a\",\"name\":\"functions__exec\",\"input\":"
    "\"ls \\\"x\\\"\"},"
    "{\"type\":\"function_call\",\"call_id\":\"call_b\",\"name\":\"functions__plan\","
    "\"arguments\":\"{\\\"a\\\":1}\"},"
    "{\"type\":\"custom_tool_call_output\",\"call_id\":\"call_a\",\"output\":[{\"type\":"
    "\"input_text\",\"text\":\"out\"},{\"type\":\"input_text\",\"text\":\"put\"}]},"
    "{\"type\":\"function_call_output\",\"call_id\":\"call_b\",\"output\":\"ok\"},"
    "{\"type\":\"message\",\"role\":\"user\",\"content\":[{\"type\":\"input_text\",\"text\":"
    "\"next\"}]}],\"tools\":["
    "{\"type\":\"custom\",\"name\":\"functions__exec\",\"description\":\"run\",\"format\":"
    "{\"type\":\"grammar\",\"syntax\":\"lark\",\"definition\":\"start: X\"}}," CODEX_TAIL;

static const char codex_emulated[] = CODEX_HEAD
    "{\"type\":\"function_call\",\"call_id\":\"call_a\",\"name\":\"functions__exec\","
    "\"arguments\":\"{\\\"input\\\":\\\"ls \\\\\\\"x\\\\\\\"\\\"}\"},"
    "{\"type\":\"function_call\",\"call_id\":\"call_b\",\"name\":\"functions__plan\","
    "\"arguments\":\"{\\\"a\\\":1}\"},"
    "{\"type\":\"function_call_output\",\"call_id\":\"call_a\",\"output\":[{\"type\":"
    "\"input_text\",\"text\":\"out\"},{\"type\":\"input_text\",\"text\":\"put\"}]},"
    "{\"type\":\"function_call_output\",\"call_id\":\"call_b\",\"output\":\"ok\"},"
    "{\"type\":\"message\",\"role\":\"user\",\"content\":[{\"type\":\"input_text\",\"text\":"
    "\"next\"}]}],\"tools\":["
    "{\"type\":\"function\",\"name\":\"functions__exec\",\"description\":\"run\\n\\nThe input must "
    "follow this grammar: {\\\"type\\\":\\\"grammar\\\",\\\"syntax\\\":\\\"lark\\\","
    "\\\"definition\\\":\\\"start: X\\\"}\",\"parameters\":{\"type\":\"object\",\"properties\":"
    "{\"input\":{\"type\":\"string\"}},\"required\":[\"input\"],\"additionalProperties\":false},"
    "\"strict\":false}," CODEX_TAIL;

static enum err encode_in(struct arena *a, const char *body, struct slice *out, struct fault *fault)
{
    struct format_request *in = arena_alloc(a, sizeof(*in));
    struct splice s = {0};
    enum err e;

    if (!in)
        return ERR_MEMORY;
    e = client->read_request(&(struct format_call){.body = slice_of(body)}, a, in, fault);
    translation = e ? NULL : translation_new(a, client, responses, in, &capability);
    if (e || !translation)
        return e ? e : ERR_MEMORY;
    e = translate_request(translation,
                          &(struct format_target){.upstream_model = "up", .output_max_inject = -1},
                          &s, fault);
    if (!e)
        *out = s.parts[0];
    return e;
}

static struct slice encoded(const char *body)
{
    struct slice out = {NULL, 0};
    struct fault fault = {0};
    enum err e = encode_in(arena, body, &out, &fault);

    ck_assert_msg(e == ERR_OK, "%s: %s", body, fault.text);
    return out;
}

static void assert_text(struct slice got, const char *wanted)
{
    ck_assert_msg(slice_eq_z(got, wanted), "got    %.*s\nwanted %s", SLICE_FMT(got), wanted);
}

START_TEST(a_conversation_of_codex_is_carried)
{
    capability.has_custom_tools = true;
    assert_text(encoded(codex), codex_custom);
    ck_assert_uint_eq(translation_drops(translation)->n, 1);
    ck_assert_str_eq(translation_drops(translation)->names[0], "web_search_call");
}
END_TEST

START_TEST(custom_tools_become_functions_where_there_are_none)
{
    assert_text(encoded(codex), codex_emulated);
}
END_TEST

#define PLAIN(more)                                                                                \
    "{\"model\":\"up\",\"input\":[{\"type\":\"message\",\"role\":\"user\",\"content\":[{"          \
    "\"type\":\"input_text\",\"text\":\"hi\"}]}]" more ",\"store\":false}"
#define TOOL_F "{\"type\":\"function\",\"name\":\"f\",\"parameters\":null,\"strict\":false}"

static const struct {
    const char *body, *wanted;
} goldens[] = {
    {BODY(""),                                                                               PLAIN("")                            },
    {BODY(",\"stream\":false,\"temperature\":0.50,\"top_p\":1,\"max_output_tokens\":16"),
     PLAIN(",\"max_output_tokens\":16,\"temperature\":0.50,\"top_p\":1")                                                          },
    {BODY(",\"reasoning\":{\"effort\":\"none\",\"summary\":null}"),
     PLAIN(",\"reasoning\":{\"effort\":\"none\"}")                                                                                },
    {BODY(",\"text\":{\"format\":{\"type\":\"json_object\"}}"),
     PLAIN(",\"text\":{\"format\":{\"type\":\"json_object\"}}")                                                                   },
    {BODY(",\"text\":{\"format\":{\"type\":\"json_schema\",\"name\":\"n\",\"schema\":{\"a\":1},"
          "\"strict\":true}}"),
     PLAIN(",\"text\":{\"format\":{\"type\":\"json_schema\",\"name\":\"n\",\"schema\":{\"a\":1},"
           "\"strict\":true}}")                                                                                                   },
    {BODY(",\"user\":\"u\",\"safety_identifier\":\"s\""),                                    PLAIN(",\"safety_identifier\":\"s\"")},
    {BODY(",\"tools\":[{\"type\":\"function\",\"name\":\"f\",\"strict\":null}],\"tool_choice\":"
          "{\"type\":\"function\",\"name\":\"f\"}"),
     PLAIN(",\"tools\":[" TOOL_F "],\"tool_choice\":{\"type\":\"function\",\"name\":\"f\"}")                                      },
    {BODY(",\"tools\":[{\"type\":\"function\",\"name\":\"f\"}],\"tool_choice\":{\"type\":"
          "\"allowed_tools\",\"mode\":\"required\",\"tools\":[{\"type\":\"function\",\"name\":"
          "\"f\"},{\"type\":\"web_search\"}]}"),
     PLAIN(",\"tools\":[" TOOL_F "],\"tool_choice\":{\"type\":\"allowed_tools\",\"mode\":"
           "\"required\",\"tools\":[{\"type\":\"function\",\"name\":\"f\"}]}")                                                    },
    {BODY(",\"tools\":[{\"type\":\"function\",\"name\":\"f\"}],\"tool_choice\":\"required\","
          "\"parallel_tool_calls\":false"),
     PLAIN(",\"tools\":[" TOOL_F "],\"tool_choice\":\"required\",\"parallel_tool_calls\":false")                                  },
    {BODY(",\"tools\":[{\"type\":\"namespace\",\"name\":\"n\",\"tools\":[{\"type\":\"function\","
          "\"name\":\"f\"}]}],\"tool_choice\":{\"type\":\"function\",\"name\":\"f\"}"),
     PLAIN(",\"tools\":[{\"type\":\"function\",\"name\":\"n__f\",\"parameters\":null,\"strict\":"
           "false}],\"tool_choice\":{\"type\":\"function\",\"name\":\"n__f\"}")                                                   },
 /* declared twice: the last one counts */
    {BODY(",\"tools\":[{\"type\":\"function\",\"name\":\"f\",\"strict\":true},{\"type\":"
          "\"function\",\"name\":\"f\"}]"),
     PLAIN(",\"tools\":[" TOOL_F "]")                                                                                             },
 /* a result without its call, a call without its result, an empty message */
    {ITEMS("{\"type\":\"function_call_output\",\"call_id\":\"x\",\"output\":\"lost\"},"
           "{\"role\":\"assistant\",\"content\":\"\"},"
           "{\"type\":\"function_call\",\"call_id\":\"bad id\",\"name\":\"a.b\",\"arguments\":"
           "\"\"}"),
     "{\"model\":\"up\",\"input\":[{\"type\":\"message\",\"role\":\"user\",\"content\":[{"
     "\"type\":\"input_text\",\"text\":\"lost\"}]},{\"type\":\"function_call\",\"call_id\":"
     "\"call_000000000000000000000000\",\"name\":\"a_b\",\"arguments\":\"{}\"},{\"type\":"
     "\"function_call_output\",\"call_id\":\"call_000000000000000000000000\",\"output\":"
     "\"Error: No result was recorded.\"}],\"store\":false}"                                                                      },
 /* all media; refusals are what the assistant said; system messages in the middle stay */
    {ITEMS("{\"role\":\"user\",\"content\":[{\"type\":\"input_file\",\"filename\":\"a.txt\","
           "\"file_data\":\"QQ==\"},{\"type\":\"input_file\",\"file_url\":\"https://x/a.pdf\"},"
           "{\"type\":\"input_audio\",\"input_audio\":{\"data\":\"QQ==\",\"format\":\"mp3\"}},"
           "{\"type\":\"input_image\",\"file_id\":\"file-1\"}]},"
           "{\"role\":\"assistant\",\"content\":[{\"type\":\"output_text\",\"text\":\"x\"},"
           "{\"type\":\"refusal\",\"refusal\":\"no\"}]},{\"role\":\"system\",\"content\":\"s\"},"
           "{\"role\":\"user\",\"content\":\"y\"}"),
     "{\"model\":\"up\",\"input\":[{\"type\":\"message\",\"role\":\"user\",\"content\":[{"
     "\"type\":\"input_file\",\"filename\":\"a.txt\",\"file_data\":\"data:text/plain;base64,"
     "QQ==\"},{\"type\":\"input_file\",\"file_url\":\"https://x/a.pdf\"},{\"type\":"
     "\"input_audio\",\"input_audio\":{\"data\":\"QQ==\",\"format\":\"mp3\"}},{\"type\":"
     "\"input_image\",\"file_id\":\"file-1\",\"detail\":\"auto\"}]},{\"type\":\"message\","
     "\"role\":\"assistant\",\"content\":\"xno\"},{\"type\":\"message\",\"role\":\"developer\","
     "\"content\":[{\"type\":\"input_text\",\"text\":\"s\"}]},{\"type\":\"message\",\"role\":"
     "\"user\",\"content\":[{\"type\":\"input_text\",\"text\":\"y\"}]}],\"store\":false}"                                         },
 /* an image that was made is shown by the user; nothing but a system prompt stays as it is */
    {ITEMS("{\"type\":\"image_generation_call\",\"id\":\"i\",\"result\":\"/9j/AA\"},{\"role\":"
           "\"user\",\"content\":\"y\"}"),
     "{\"model\":\"up\",\"input\":[{\"type\":\"message\",\"role\":\"user\",\"content\":[{"
     "\"type\":\"input_image\",\"image_url\":\"data:image/jpeg;base64,/9j/AA\",\"detail\":"
     "\"auto\"}]},{\"type\":\"message\",\"role\":\"user\",\"content\":[{\"type\":\"input_text\","
     "\"text\":\"y\"}]}],\"store\":false}"                                                                                        },
    {ITEMS("{\"role\":\"system\",\"content\":\"s\"}"),
     "{\"model\":\"up\",\"input\":[{\"type\":\"message\",\"role\":\"developer\",\"content\":[{"
     "\"type\":\"input_text\",\"text\":\"s\"}]}],\"store\":false}"                                                                },
 /* reasoning that led to nothing is refused by the provider */
    {ITEMS("{\"role\":\"user\",\"content\":\"y\"},{\"type\":\"reasoning\",\"summary\":[],"
           "\"encrypted_content\":\"e\"},{\"role\":\"user\",\"content\":\"z\"}"),
     "{\"model\":\"up\",\"input\":[{\"type\":\"message\",\"role\":\"user\",\"content\":[{"
     "\"type\":\"input_text\",\"text\":\"y\"}]},{\"type\":\"message\",\"role\":\"user\","
     "\"content\":[{\"type\":\"input_text\",\"text\":\"z\"}]}],\"store\":false}"                                                  },
};

START_TEST(requests_are_carried_as_they_should)
{
    assert_text(encoded(goldens[_i].body), goldens[_i].wanted);
}
END_TEST

static const struct {
    const char *body, *param, *text; /* text: a part of it */
} refusals[] = {
    {BODY(",\"previous_response_id\":\"resp_1\""),                                              "previous_response_id",
     "send the whole conversation"                                                                                                                          },
    {BODY(",\"conversation\":\"c\""),                                                           "conversation",             "send the whole conversation"   },
    {BODY(",\"prompt\":{\"id\":\"p\"}"),                                                        "prompt",                   "send the whole conversation"   },
    {BODY(",\"max_output_tokens\":15"),                                                         "max_output_tokens",        "at least 16"                   },
    {BODY(",\"temperature\":\"1\""),                                                            "temperature",              "expected number"               },
    {BODY(",\"top_logprobs\":-1"),                                                              "top_logprobs",             "from 0 to 20"                  },
    {BODY(",\"include\":[\"message.output_text.logprobs\"]"),                                   "include",                  "not available"                 },
    {BODY(",\"include\":5"),                                                                    "include",                  "expected array"                },
    {BODY(",\"reasoning\":5"),                                                                  "reasoning",                "expected object"               },
    {BODY(",\"reasoning\":{\"effort\":\"hard\"}"),                                              "reasoning.effort",         "expected one of"               },
    {BODY(",\"text\":5"),                                                                       "text",                     "expected object"               },
    {BODY(",\"text\":{\"format\":{\"type\":\"xml\"}}"),                                         "text.format.type",         "expected one of"               },
    {BODY(",\"text\":{\"format\":{}}"),                                                         "text.format.type",         "required"                      },
    {BODY(",\"text\":{\"format\":{\"type\":\"json_schema\",\"name\":\"n\"}}"),                  "text.format.schema",
     "expected object"                                                                                                                                      },
    {BODY(",\"parallel_tool_calls\":1"),                                                        "parallel_tool_calls",      "expected boolean"              },
    {BODY(",\"tools\":5"),                                                                      "tools",                    "expected array"                },
    {BODY(",\"tools\":[5]"),                                                                    "tools[0]",                 "expected object"               },
    {BODY(",\"tools\":[{\"type\":\"function\"}]"),                                              "tools[0].name",            "required"                      },
    {BODY(",\"tools\":[{\"type\":\"function\",\"name\":5}]"),                                   "tools[0].name",            "expected string"               },
    {BODY(",\"tools\":[{\"type\":\"function\",\"name\":\"\"}]"),                                "tools[0]",                 "expected a name"               },
    {BODY(",\"tools\":[{\"type\":\"function\",\"name\":\"f\",\"parameters\":[]}]"),             "tools[0]",
     "expected an object as parameters"                                                                                                                     },
    {BODY(",\"tools\":[{\"type\":\"namespace\",\"name\":\"n\"}]"),                              "tools[0]",
     "expected an array as tools"                                                                                                                           },
    {BODY(",\"tools\":[{\"type\":\"namespace\",\"name\":\"n\",\"tools\":[{\"type\":\"x\"}]}]"),
     "tools[0].tools[0]",                                                                                                   "expected a function"           },
    {BODY(",\"tools\":[{\"type\":\"function\",\"name\":\"n__f\"},{\"type\":\"namespace\",\"name\":"
          "\"n\",\"tools\":[{\"type\":\"function\",\"name\":\"f\"}]}]"),
     "tools[1].tools[0]",                                                                                                   "another tool has the same name"},
    {BODY(",\"tool_choice\":\"maybe\""),                                                        "tool_choice",              "expected none, auto"           },
    {BODY(",\"tool_choice\":{\"type\":\"function\",\"name\":\"f\"}"),                           "tool_choice",
     "no such tool"                                                                                                                                         },
    {BODY(",\"tool_choice\":{\"type\":\"web_search\"}"),                                        "tool_choice.type",         "cannot be forced"              },
    {BODY(",\"tool_choice\":{\"type\":\"allowed_tools\",\"mode\":\"auto\"}"),                   "tool_choice.tools",
     "expected array"                                                                                                                                       },
    {ITEMS("{\"role\":\"tool\",\"content\":\"\"}"),                                             "input[0]",                 "expected role"                 },
    {ITEMS("{\"role\":\"user\"}"),                                                              "input[0]",                 "expected content"              },
    {ITEMS("{\"role\":\"user\",\"content\":[{\"type\":\"video\"}]}"),                           "input[0].content[0]",
     "content of type video"                                                                                                                                },
    {ITEMS("{\"role\":\"user\",\"content\":[{\"text\":\"x\"}]}"),                               "input[0].content[0].type",
     "required"                                                                                                                                             },
    {ITEMS("{\"role\":\"user\",\"content\":[5]}"),                                              "input[0].content[0]",      "expected object"               },
    {ITEMS("{\"role\":\"user\",\"content\":[{\"type\":\"input_image\"}]}"),                     "input[0].content[0]",
     "expected image_url or file_id"                                                                                                                        },
    {ITEMS("{\"role\":\"user\",\"content\":[{\"type\":\"input_file\"}]}"),                      "input[0].content[0]",
     "expected file_data, file_url or file_id"                                                                                                              },
    {ITEMS("{\"role\":\"user\",\"content\":[{\"type\":\"input_audio\"}]}"),                     "input[0].content[0]",
     "input_audio"                                                                                                                                          },
    {ITEMS("{\"type\":\"function_call\",\"name\":\"f\",\"arguments\":\"\"}"),                   "input[0].call_id",
     "required"                                                                                                                                             },
    {ITEMS("{\"type\":\"function_call_output\",\"call_id\":\"c\"}"),                            "input[0]",                 "expected output"               },
    {ITEMS("{\"type\":\"item_reference\",\"id\":\"i\"}"),                                       "input[0]",                 "send the item itself"          },
    {ITEMS("{\"id\":\"i\"}"),                                                                   "input[0]",                 "send the item itself"          },
    {ITEMS("{\"type\":\"compaction\",\"encrypted_content\":\"x\"}"),                            "input[0]",
     "its own provider"                                                                                                                                     },
    {ITEMS("{\"type\":\"compaction_trigger\"}"),                                                "input[0]",                 "cannot compact"                },
    {ITEMS("{\"role\":\"user\",\"content\":\"x\"},{\"role\":\"assistant\",\"content\":\"y\"}"),
     "input[1]",                                                                                                            "prefill"                       },
};

START_TEST(what_cannot_be_carried_is_refused_by_its_path)
{
    struct fault fault = {0};
    struct slice out;

    ck_assert_int_eq(encode_in(arena, refusals[_i].body, &out, &fault), ERR_BAD_REQUEST);
    ck_assert_str_eq(fault.param, refusals[_i].param);
    ck_assert_msg(strstr(fault.text, refusals[_i].text), "%s", fault.text);
}
END_TEST

static const struct {
    const char *body, *drops; /* with commas */
} dropped[] = {
    {BODY(",\"store\":true,\"metadata\":{\"a\":\"b\"},\"truncation\":\"auto\","
          "\"context_management\":[{}],\"prompt_cache_options\":{\"mode\":\"auto\"},"
          "\"max_tool_calls\":300,\"service_tier\":\"scale\""),
     "service_tier,store,metadata,truncation,context_management,prompt_cache_options,"
     "max_tool_calls,"                                                                         },
    {BODY(",\"store\":false,\"metadata\":{},\"truncation\":null"),                           ""},
    {BODY(",\"reasoning\":{\"effort\":\"low\",\"mode\":\"pro\",\"context\":\"all_turns\"}"),
     "reasoning.mode,reasoning.context,"                                                       },
    {ITEMS("{\"role\":\"user\",\"content\":[{\"type\":\"input_text\",\"text\":\"x\","
           "\"prompt_cache_breakpoint\":{\"mode\":\"explicit\"}}]}"),
     "prompt_cache_breakpoint,"                                                                },
};

START_TEST(what_is_left_out_is_named)
{
    const struct drops *d;
    char text[512] = "";
    size_t i;

    (void)encoded(dropped[_i].body);
    d = translation_drops(translation);
    for (i = 0; i < d->n; i++) {
        strcat(text, d->names[i]);
        strcat(text, ",");
    }
    ck_assert_str_eq(text, dropped[_i].drops);
}
END_TEST

START_TEST(a_model_without_an_ability_is_told_or_spared)
{
    struct fault fault = {0};
    struct slice out;

    capability.has_tools = false;
    ck_assert_int_eq(encode_in(arena, codex, &out, &fault), ERR_BAD_REQUEST);
    ck_assert_str_eq(fault.param, "tools");
    capability = capability_default;
    capability.input = MODALITY_TEXT;
    ck_assert_int_eq(encode_in(arena, codex, &out, &fault), ERR_BAD_REQUEST);
    ck_assert_str_eq(fault.param, "input[2].content[1]");
    capability = capability_default;
    capability.has_sampling = capability.has_forced_tools = false;
    capability.think = THINK_STYLE_NONE;
    capability.output_max = 100;
    assert_text(encoded(BODY(",\"temperature\":1,\"max_output_tokens\":500,\"reasoning\":"
                             "{\"effort\":\"high\",\"summary\":\"auto\"},\"tools\":[{\"type\":"
                             "\"function\",\"name\":\"f\"}],\"tool_choice\":\"required\"")),
                PLAIN(",\"tools\":[" TOOL_F "],\"tool_choice\":\"auto\","
                      "\"max_output_tokens\":100"));
    ck_assert_uint_eq(translation_drops(translation)->n, 3);
}
END_TEST

START_TEST(a_seal_that_chat_carries_on_a_call_comes_before_it)
{
    client = &format_openai_chat;
    assert_text(
        encoded("{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"hi\"},"
                "{\"role\":\"assistant\",\"content\":null,\"tool_calls\":[{\"id\":"
                "\"call_9\",\"type\":\"function\",\"function\":{\"name\":\"f\","
                "\"arguments\":\"{}\"},\"extra_content\":{\"google\":{"
                "\"thought_signature\":\"aip1.openai.up.-.rs_9.gAAA\"}}}]},{\"role\":"
                "\"tool\",\"tool_call_id\":\"call_9\",\"content\":\"r\"}]}"),
        "{\"model\":\"up\",\"input\":[{\"type\":\"message\",\"role\":\"user\",\"content\":[{"
        "\"type\":\"input_text\",\"text\":\"hi\"}]},{\"type\":\"reasoning\",\"id\":\"rs_9\","
        "\"summary\":[],\"encrypted_content\":\"gAAA\"},{\"type\":\"function_call\","
        "\"call_id\":\"call_9\",\"name\":\"f\",\"arguments\":\"{}\"},{\"type\":"
        "\"function_call_output\",\"call_id\":\"call_9\",\"output\":\"r\"}],\"store\":"
        "false}");
}
END_TEST

START_TEST(long_names_of_users_are_hashed)
{
    struct slice out = encoded(
        BODY(",\"user\":\"0123456789012345678901234567890123456789012345678901234567890123x\""));

    ck_assert_ptr_null(memmem(out.p, out.n, "0123x", 5));
    ck_assert_ptr_nonnull(memmem(out.p, out.n, "\"safety_identifier\":\"", 21));
}
END_TEST

START_TEST(memory_that_runs_out_in_a_request_is_told)
{
    struct fault fault;
    struct slice out;
    size_t max, failed = 0;
    enum err e = ERR_MEMORY;

    for (max = 0; e == ERR_MEMORY && max < ARENA_MAX; max += 64, failed++) {
        struct arena *a = arena_new(max);

        e = encode_in(a, codex, &out, &fault);
        arena_free(a);
    }
    ck_assert_int_eq(e, ERR_OK);
    ck_assert_uint_gt(failed, 20);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("responses_encode_request");
    TCase *t = tcase_create("requests");

    tcase_add_checked_fixture(t, setup, suite_arena_close);
    tcase_set_timeout(t, 60);
    tcase_add_test(t, a_conversation_of_codex_is_carried);
    tcase_add_test(t, custom_tools_become_functions_where_there_are_none);
    tcase_add_loop_test(t, requests_are_carried_as_they_should, 0, ROWS(goldens));
    tcase_add_loop_test(t, what_cannot_be_carried_is_refused_by_its_path, 0, ROWS(refusals));
    tcase_add_loop_test(t, what_is_left_out_is_named, 0, ROWS(dropped));
    tcase_add_test(t, a_model_without_an_ability_is_told_or_spared);
    tcase_add_test(t, a_seal_that_chat_carries_on_a_call_comes_before_it);
    tcase_add_test(t, long_names_of_users_are_hashed);
    tcase_add_test(t, memory_that_runs_out_in_a_request_is_told);
    suite_add_tcase(s, t);
    return suite_run(s);
}
