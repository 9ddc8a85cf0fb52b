#include "tests/unit/codec_kit.h"
#include "tests/unit/format_suite.h"

#include <check.h>

#define ASK(more) "{\"model\":\"m\",\"messages\":[" more
#define USER      "{\"role\":\"user\",\"content\":\"hi\"}"
#define SAID      "user\n  text @messages[0].content \"hi\"\n"

static const struct format *const chat = &format_openai_chat;

/* ---- what becomes of a request ---- */

static const struct {
    const char *body, *canon;
} golden[] = {
    {ASK(USER "]}"),                                                                                      SAID "with\n"                        },
    {ASK("{\"role\":\"developer\",\"content\":\"a\"},{\"role\":\"system\",\"name\":\"s\","
         "\"content\":[{\"type\":\"text\",\"text\":\"b\\u00e9\",\"prompt_cache_breakpoint\":{"
         "\"mode\":\"explicit\"}},{\"type\":\"text\",\"text\":\"c\",\"cache_control\":{\"type\":"
         "\"ephemeral\"}}]}," USER "],\"max_tokens\":9,\"max_completion_tokens\":7,\"store\":"
         "true,\"metadata\":{\"a\":\"b\"},\"prediction\":null,\"x y\":1}"),
     "system\n  text @messages[0].content \"a\"\n"
     "system name=\"s\"\n  text @messages[1].content[0] \"b\xc3\xa9\" cache=2\n"
     "  text @messages[1].content[1] \"c\" cache=1\n"
     "user\n  text @messages[2].content \"hi\"\n"
     "with max=7 drop=\"store\" drop=\"metadata\"\n"                                                                                           },
    {ASK("{\"role\":\"user\",\"name\":\"u\",\"content\":["
         "{\"type\":\"text\",\"text\":\"look\"},"
         "{\"type\":\"image_url\",\"image_url\":{\"url\":\"data:image/png;x=1;base64,iVBO\","
         "\"detail\":\"low\"}},"
         "{\"type\":\"image_url\",\"image_url\":\"https://h/a.png\"},"
         "{\"type\":\"input_audio\",\"input_audio\":{\"data\":\"AAAA\",\"format\":\"mp3\"}},"
         "{\"type\":\"input_audio\",\"input_audio\":{\"data\":\"data:audio/wav;base64,BBBB\","
         "\"format\":\"wav\"}},"
         "{\"type\":\"file\",\"file\":{\"filename\":\"a.PDF\",\"file_data\":\"JVBE\"}},"
         "{\"type\":\"file\",\"file\":{\"file_data\":\"data:text/plain;base64,SGk=\"}},"
         "{\"type\":\"file\",\"file\":{\"file_id\":\"file-1\"}},"
         "{\"type\":\"file\",\"file\":{\"file_url\":\"https://h/b.pdf\"}},"
         "{\"type\":\"video_url\",\"video_url\":{\"url\":\"https://h/v\"}}"
         "]}]}"),
     "user name=\"u\"\n  text @messages[0].content[0] \"look\"\n"
     "  image @messages[0].content[1] bytes\"iVBO\" mime=\"image/png\" detail=1\n"
     "  image @messages[0].content[2] url\"https://h/a.png\"\n"
     "  audio @messages[0].content[3] bytes\"AAAA\" mime=\"audio/mpeg\"\n"
     "  audio @messages[0].content[4] bytes\"BBBB\" mime=\"audio/wav\"\n"
     "  file @messages[0].content[5] bytes\"JVBE\" mime=\"application/pdf\" file=\"a.PDF\"\n"
     "  file @messages[0].content[6] bytes\"SGk=\" mime=\"text/plain\"\n"
     "  file @messages[0].content[7] id\"file-1\"\n"
     "  file @messages[0].content[8] url\"https://h/b.pdf\" mime=\"application/pdf\"\n"
     "  file @messages[0].content[9] url\"https://h/v\" mime=\"video/mp4\"\n"
     "with\n"                                                                                                                                  },
    {ASK(USER ",{\"role\":\"assistant\",\"content\":[{\"type\":\"text\",\"text\":\"a\"},{\"type\":"
              "\"refusal\",\"refusal\":\"no\"}],\"reasoning_content\":\"hm\",\"tool_calls\":["
              "{\"id\":\"c1\",\"type\":\"function\",\"function\":{\"name\":\"f\",\"arguments\":\"{"
              "\\\"a\\\":1}\"}},"
              "{\"id\":\"c2\",\"type\":\"function\",\"function\":{\"name\":\"g\",\"arguments\":\" "
              "\"},\"extra_content\":{\"google\":{\"thought_signature\":\"c2ln\"}}},"
              "{\"id\":\"c3\",\"function\":{\"name\":\"h\",\"arguments\":{\"b\":2}}},"
              "{\"id\":\"c4\",\"type\":\"custom\",\"custom\":{\"name\":\"k\",\"input\":\"free\"}}"
              "]},{\"role\":\"tool\",\"tool_call_id\":\"c1\",\"content\":\"one\"},{\"role\":"
              "\"tool\",\"tool_call_id\":\"c2\",\"content\":[{\"type\":\"text\",\"text\":\"two\"},"
              "{\"type\":\"image_url\",\"image_url\":{\"url\":\"data:image/gif;base64,R0lG\"}}]},"
              "{\"role\":\"user\",\"content\":\"go on\"}]}"),
     SAID "assistant\n  thinking @messages[1] \"hm\"\n"
          "  text @messages[1].content[0] \"a\"\n"
          "  refusal @messages[1].content[1] \"no\"\n"
          "  call @messages[1].tool_calls[0] \"{\\\"a\\\":1}\" id=\"c1\" name=\"f\"\n"
          "  call @messages[1].tool_calls[1] \"{}\" id=\"c2\" name=\"g\" seal=\"c2ln\"\n"
          "  call @messages[1].tool_calls[2] \"{\\\"b\\\":2}\" id=\"c3\" name=\"h\"\n"
          "  call @messages[1].tool_calls[3] \"free\" id=\"c4\" name=\"k\" custom=1\n"
          "user\n  result @messages[2] id=\"c1\"\n    text @messages[2].content \"one\"\n"
          "  result @messages[3] id=\"c2\"\n    text @messages[3].content[0] \"two\"\n"
          "    image @messages[3].content[1] bytes\"R0lG\" mime=\"image/gif\"\n"
          "user\n  text @messages[4].content \"go on\"\n"
          "with\n"                                                                                                                             },
 /* legacy functions */
    {ASK(USER ",{\"role\":\"assistant\",\"content\":null,\"function_call\":{\"name\":\"f\","
              "\"arguments\":\"{}\"}},{\"role\":\"function\",\"name\":\"f\",\"content\":\"r\"}],"
              "\"functions\":[{\"name\":\"f\",\"description\":\"d\",\"parameters\":{\"type\":"
              "\"object\"}}],\"function_call\":{\"name\":\"f\"}}"),
     SAID "assistant\n  call @messages[1] \"{}\" name=\"f\"\n"
          "user\n  result @messages[2] name=\"f\"\n    text @messages[2].content \"r\"\n"
          "tool function @functions[0] \"f\" description=\"d\" "
          "schema=\"{\\\"type\\\":\\\"object\\\"}\"\n"
          "with choice=one \"f\" parallel=0\n"                                                                                                 },
 /* the signature of another vendor's thinking travels on the first call; Gemini's is the call's */
    {ASK(USER ",{\"role\":\"assistant\",\"reasoning\":\"r\",\"refusal\":\"never\",\"images\":[{"
              "\"type\":\"image_url\",\"image_url\":{\"url\":\"data:image/png;base64,iVBO\"}}],"
              "\"tool_calls\":[{\"id\":\"1\",\"type\":\"function\",\"function\":{\"name\":\"f\"},"
              "\"extra_content\":{\"google\":{\"thought_signature\":\"aip1.anthropic.m.-..S\"}}},"
              "{\"id\":\"2\",\"type\":\"function\",\"function\":{\"name\":\"f\"},"
              "\"extra_content\":{\"google\":{\"thought_signature\":\"aip1.gemini.m.-..T\"}}}]},"
              "{\"role\":\"assistant\",\"content\":[{\"type\":\"thinking\",\"thinking\":[{"
              "\"type\":\"text\",\"text\":\"t\"}]},{\"type\":\"thinking\",\"thinking\":\"v\"}]}]}"),
     SAID "assistant\n  thinking @messages[1] \"r\" seal=\"aip1.anthropic.m.-..S\"\n"
          "  refusal @messages[1] \"never\"\n"
          "  image @messages[1].images[0] bytes\"iVBO\" mime=\"image/png\"\n"
          "  call @messages[1].tool_calls[0] \"{}\" id=\"1\" name=\"f\"\n"
          "  call @messages[1].tool_calls[1] \"{}\" id=\"2\" name=\"f\" "
          "seal=\"aip1.gemini.m.-..T\"\n"
          "assistant\n  thinking @messages[2].content[0] \"t\"\n"
          "  thinking @messages[2].content[1] \"v\"\n"
          "with\n"                                                                                                                             },
 /* tools and the choice of one */
    {ASK(USER
         "],\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"f\",\"description\":"
         "\"d\",\"parameters\":{},\"strict\":true},\"cache_control\":{\"type\":\"ephemeral\","
         "\"ttl\":\"1h\"}},{\"type\":\"custom\",\"custom\":{\"name\":\"c\",\"format\":{\"type\":"
         "\"grammar\",\"grammar\":{\"syntax\":\"lark\",\"definition\":\"x\"}}}},{\"type\":"
         "\"custom\",\"custom\":{\"name\":\"t\",\"format\":{\"type\":\"text\"}}},{\"type\":"
         "\"web_search\"},{\"function\":{\"name\":\"g\",\"parameters\":null}}],"
         "\"tool_choice\":{\"type\":\"allowed_tools\",\"allowed_tools\":{\"mode\":\"required\","
         "\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"f\"}},{\"type\":\"custom\","
         "\"custom\":{\"name\":\"c\"}},{\"type\":\"web_search\"}]}},\"parallel_tool_calls\":"
         "false,\"web_search_options\":{\"search_context_size\":\"low\"}}"),
     SAID "tool function @tools[0] \"f\" description=\"d\" schema=\"{}\" strict=1 cache=3\n"
          "tool custom @tools[1] \"c\" grammar=\"{\\\"type\\\":\\\"grammar\\\",\\\"grammar\\\":{"
          "\\\"syntax\\\":\\\"lark\\\",\\\"definition\\\":\\\"x\\\"}}\"\n"
          "tool custom @tools[2] \"t\"\n"
          "tool hosted @tools[3] hosted=\"web_search\" raw=\"{\\\"type\\\":\\\"web_search\\\"}\" "
          "web=1\n"
          "tool function @tools[4] \"g\"\n"
          "tool hosted @web_search_options hosted=\"web_search_options\" "
          "raw=\"{\\\"search_context_size\\\":\\\"low\\\"}\" web=1\n"
          "with choice=subset \"f\" \"c\" \"web_search\" is_any=1 parallel=0\n"                                                                },
    {ASK(USER "],\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"f\"}}],\"tool_choice\":"
              "\"required\"}"),
     SAID "tool function @tools[0] \"f\"\nwith choice=any\n"                                                                                   },
    {ASK(USER "],\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"f\"}}],\"tool_choice\":"
              "{\"type\":\"function\",\"function\":{\"name\":\"f\"}}}"),
     SAID "tool function @tools[0] \"f\"\nwith choice=one \"f\"\n"                                                                             },
    {ASK(USER "],\"tool_choice\":\"auto\"}"),                                                             SAID "with\n"                        },
 /* parameters */
    {ASK(USER
         "],\"temperature\":0.50,\"top_p\":1e-1,\"top_k\":5,\"seed\":-3,\"presence_penalty\":1,"
         "\"frequency_penalty\":-2,\"stop\":[\"a\",\"\",\"b\"],\"n\":2,\"logprobs\":true,"
         "\"top_logprobs\":3,\"logit_bias\":{\"1\":-100},\"verbosity\":\"low\",\"user\":\"u\","
         "\"safety_identifier\":\"s\",\"prompt_cache_key\":\"k\",\"service_tier\":\"fast\","
         "\"modalities\":[\"text\",\"audio\",\"image\"],\"audio\":{\"voice\":\"v\"},"
         "\"max_tokens\":5}"),
     SAID "with max=5 temperature=\"0.50\" top_p=\"1e-1\" top_k=\"5\" seed=\"-3\" presence=\"1\" "
          "frequency=\"-2\" stop=\"a\" stop=\"b\" n=2 logprobs=1 top_logprobs=3 "
          "bias=\"{\\\"1\\\":-100}\" verbosity=\"low\" user=\"s\" cache_key=\"k\" tier=4 "
          "modalities=7 drop=\"audio\"\n"                                                                                                      },
    {ASK(USER "],\"stop\":\"x\",\"logit_bias\":{},\"user\":\"u\",\"service_tier\":\"scale\","
              "\"store\":false}"),
     SAID "with stop=\"x\" user=\"u\" drop=\"service_tier\"\n"                                                                                 },
    {ASK(USER "],\"reasoning_effort\":\"high\"}"),                                                        SAID "with think=2 effort=5 show=1\n"},
    {ASK(USER "],\"reasoning_effort\":\"none\"}"),                                                        SAID "with think=1 effort=1\n"       },
    {ASK(USER "],\"reasoning\":{\"max_tokens\":4000,\"exclude\":true}}"),
     SAID "with think=2 budget=4000 show=0\n"                                                                                                  },
    {ASK(USER "],\"thinking\":{\"type\":\"disabled\"}}"),                                                 SAID "with think=1\n"                },
    {ASK(USER "],\"thinking\":{\"type\":\"enabled\",\"budget_tokens\":10}}"),
     SAID "with think=2 budget=10 show=1\n"                                                                                                    },
    {ASK(USER "],\"enable_thinking\":false}"),                                                            SAID "with think=1\n"                },
    {ASK(USER "],\"extra_body\":{\"google\":{\"thinking_config\":{\"thinking_budget\":0,"
              "\"include_thoughts\":true}}}}"),
     SAID "with think=1 budget=0 show=1\n"                                                                                                     },
    {ASK(USER "],\"response_format\":{\"type\":\"json_object\"}}"),                                       SAID "with format=1\n"               },
    {ASK(USER "],\"response_format\":{\"type\":\"json_schema\",\"json_schema\":{\"name\":\"n\","
              "\"schema\":{\"type\":\"object\"},\"strict\":true,\"description\":\"d\"}}}"),
     SAID "with format=2 \"n\" \"{\\\"type\\\":\\\"object\\\"}\" strict=1 "
          "drop=\"response_format.json_schema.description\"\n"                                                                                 },
    {ASK(USER "],\"response_format\":{\"type\":\"text\"},\"stop\":null,\"tools\":null}"),
     SAID "with\n"                                                                                                                             },
};

START_TEST(a_request_is_decoded_to_its_canonical_form)
{
    struct canon c;
    enum err e = kit_decode(chat, arena, golden[_i].body, &c);

    ck_assert_msg(e == ERR_OK, "%s: %s", golden[_i].body, kit_fault.text);
    ck_assert_str_eq(kit_canon_text(arena, &c), golden[_i].canon);
}
END_TEST

/* ---- what is refused ---- */

#define PART(p)  ASK("{\"role\":\"user\",\"content\":[" p "]}]}")
#define CALL(c)  ASK(USER ",{\"role\":\"assistant\",\"tool_calls\":" c "}]}")
#define WITH(m)  ASK(USER "]," m "}")
#define TOOLS(t) WITH("\"tools\":[" t "]")
#define F        "{\"type\":\"function\",\"function\":{\"name\":\"f\"}}"

static const struct {
    const char *body, *text;
} refused[] = {
    {ASK("{\"role\":\"king\",\"content\":\"\"}]}"),
     "messages[0].role: expected system, developer, user, assistant, tool or function"                                                                         },
    {ASK("{\"role\":\"user\",\"content\":\"a\\u0000\"}]}"),
     "messages[0].content: expected text without NUL or lone surrogates"                                                                                       },
    {ASK("{\"role\":\"user\",\"name\":5,\"content\":\"a\"}]}"),
     "messages[0].name: expected string"                                                                                                                       },
    {PART("7"),                                                                                   "messages[0].content[0]: expected object"                    },
    {PART("{\"type\":\"poem\"}"),
     "messages[0].content[0].type: expected text, image_url, input_audio, file or refusal"                                                                     },
    {PART("{\"text\":\"x\"}"),
     "messages[0].content[0].type: expected text, image_url, input_audio, file or refusal"                                                                     },
    {PART("{\"type\":\"text\"}"),                                                                 "messages[0].content[0].text: expected string"               },
    {PART("{\"type\":\"text\",\"text\":1}"),                                                      "messages[0].content[0].text: expected string"               },
    {PART("{\"type\":\"refusal\",\"refusal\":\"n\"}"),
     "messages[0].content[0].type: this kind of part cannot stand in a message of this role"                                                                   },
    {PART("{\"type\":\"image_url\"}"),
     "messages[0].content[0].image_url: expected a string that is not empty"                                                                                   },
    {PART("{\"type\":\"image_url\",\"image_url\":{\"url\":\"ftp://h\"}}"),
     "messages[0].content[0].image_url: expected an http(s) URL, or a data URL with base64"                                                                    },
    {PART("{\"type\":\"image_url\",\"image_url\":{\"url\":\"data:image/png;base64,\"}}"),
     "messages[0].content[0].image_url: expected an http(s) URL, or a data URL with base64"                                                                    },
    {PART("{\"type\":\"input_audio\",\"input_audio\":{\"format\":\"wav\"}}"),
     "messages[0].content[0].input_audio.data: expected a string that is not empty"                                                                            },
    {PART("{\"type\":\"input_audio\",\"input_audio\":{\"data\":\"A\"}}"),
     "messages[0].content[0].input_audio.format: expected a string that is not empty"                                                                          },
    {PART("{\"type\":\"file\",\"file\":{}}"),
     "messages[0].content[0].file.file_url: expected a string that is not empty"                                                                               },
    {PART("{\"type\":\"file\",\"file\":{\"file_data\":\"data:x\"}}"),
     "messages[0].content[0].file.file_data: expected base64, or a data URL with base64"                                                                       },
    {ASK("{\"role\":\"system\",\"content\":[{\"type\":\"image_url\",\"image_url\":\"https://h\"}]"
         "}," USER "]}"),
     "messages[0].content[0].type: this kind of part cannot stand in a message of this role"                                                                   },
    {ASK(USER ",{\"role\":\"tool\",\"content\":\"x\"}]}"),
     "messages[1].tool_call_id: expected a string that is not empty"                                                                                           },
    {ASK(USER ",{\"role\":\"function\",\"content\":\"x\"}]}"),
     "messages[1].name: expected a string that is not empty"                                                                                                   },
    {ASK(USER ",{\"role\":\"assistant\",\"audio\":{\"id\":\"a\"}}]}"),
     "messages[1].audio: an earlier spoken answer cannot be carried to this model"                                                                             },
    {ASK(USER ",{\"role\":\"assistant\",\"reasoning_content\":{}}]}"),
     "messages[1].reasoning_content: expected string"                                                                                                          },
    {ASK(USER ",{\"role\":\"assistant\",\"content\":[{\"type\":\"thinking\"}]}]}"),
     "messages[1].content[0].thinking: expected string or array"                                                                                               },
    {ASK(USER ",{\"role\":\"assistant\",\"function_call\":\"f\"}]}"),
     "messages[1].function_call: expected object"                                                                                                              },
    {CALL("{}"),                                                                                  "messages[1].tool_calls: expected array"                     },
    {CALL("[1]"),                                                                                 "messages[1].tool_calls[0]: expected object"                 },
    {CALL("[{\"id\":1}]"),                                                                        "messages[1].tool_calls[0].id: expected string"              },
    {CALL("[{\"type\":\"function\"}]"),                                                           "messages[1].tool_calls[0].function: expected object"        },
    {CALL("[{\"type\":\"function\",\"function\":{}}]"),
     "messages[1].tool_calls[0].function.name: expected a string that is not empty"                                                                            },
    {CALL("[{\"type\":\"function\",\"function\":{\"name\":\"f\",\"arguments\":1}}]"),
     "messages[1].tool_calls[0].function.arguments: expected string"                                                                                           },
    {CALL("[{\"type\":\"dance\"}]"),                                                              "messages[1].tool_calls[0].type: expected function or custom"},
    {CALL("[{\"type\":\"custom\",\"custom\":{}}]"),
     "messages[1].tool_calls[0].custom.name: expected a string that is not empty"                                                                              },
    {WITH("\"tools\":{}"),                                                                        "tools: expected array"                                      },
    {TOOLS("1"),                                                                                  "tools[0]: expected object"                                  },
    {TOOLS("{}"),                                                                                 "tools[0].type: expected a string that is not empty"         },
    {TOOLS("{\"type\":\"function\"}"),                                                            "tools[0].function: expected object"                         },
    {TOOLS("{\"type\":\"function\",\"function\":{}}"),
     "tools[0].function.name: expected a string that is not empty"                                                                                             },
    {TOOLS("{\"type\":\"function\",\"function\":{\"name\":\"f\",\"parameters\":[]}}"),
     "tools[0].function.parameters: expected object"                                                                                                           },
    {TOOLS("{\"type\":\"function\",\"function\":{\"name\":\"f\",\"strict\":1}}"),
     "tools[0].function.strict: expected boolean"                                                                                                              },
    {TOOLS("{\"type\":\"custom\",\"custom\":{}}"),
     "tools[0].custom.name: expected a string that is not empty"                                                                                               },
    {WITH("\"functions\":[{}]"),                                                                  "functions[0].name: expected a string that is not empty"     },
    {WITH("\"tool_choice\":\"required\""),                                                        "tool_choice: a tool is required, but none is declared"      },
    {WITH("\"tool_choice\":\"perhaps\""),
     "tool_choice: expected none, auto, required or an object"                                                                                                 },
    {WITH("\"tool_choice\":5"),                                                                   "tool_choice: expected object"                               },
    {WITH("\"function_call\":{\"name\":\"g\"}"),                                                  "function_call: no tool of that name is declared"            },
    {WITH("\"tools\":[" F
          "],\"tool_choice\":{\"type\":\"function\",\"function\":{\"name\":\"g\"}}"),
     "tool_choice: no tool of that name is declared"                                                                                                           },
    {WITH("\"tools\":[" F "],\"tool_choice\":{\"type\":\"allowed_tools\",\"allowed_tools\":{}}"),
     "tool_choice.allowed_tools.tools: expected array"                                                                                                         },
    {WITH("\"tools\":[" F "],\"tool_choice\":{\"type\":\"allowed_tools\",\"tools\":[]}"),
     "tool_choice.allowed_tools.tools: expected at least one tool"                                                                                             },
    {WITH("\"parallel_tool_calls\":1"),                                                           "parallel_tool_calls: expected boolean"                      },
    {WITH("\"web_search_options\":true"),                                                         "web_search_options: expected object"                        },
    {WITH("\"temperature\":\"1\""),                                                               "temperature: expected number"                               },
    {WITH("\"seed\":1.5"),                                                                        "seed: expected integer"                                     },
    {WITH("\"stop\":5"),                                                                          "stop: expected string or array of strings"                  },
    {WITH("\"stop\":[5]"),                                                                        "stop: expected string"                                      },
    {WITH("\"stop\":[\"1\",\"2\",\"3\",\"4\",\"5\",\"6\",\"7\",\"8\",\"9\",\"a\",\"b\",\"c\","
          "\"d\",\"e\",\"f\",\"g\",\"h\"]"),
     "stop: expected at most 16 stop sequences"                                                                                                                },
    {WITH("\"logit_bias\":[]"),                                                                   "logit_bias: expected object"                                },
    {WITH("\"logprobs\":1"),                                                                      "logprobs: expected boolean"                                 },
    {WITH("\"top_logprobs\":21"),                                                                 "top_logprobs: expected an integer from 0 to 20"             },
    {WITH("\"user\":1"),                                                                          "user: expected string"                                      },
    {WITH("\"verbosity\":1"),                                                                     "verbosity: expected string"                                 },
    {WITH("\"modalities\":\"text\""),                                                             "modalities: expected array"                                 },
    {WITH("\"modalities\":[\"smell\"]"),                                                          "modalities: expected text, audio or image"                  },
    {WITH("\"reasoning_effort\":\"huge\""),
     "reasoning_effort: expected none, minimal, low, medium, high, xhigh or max"                                                                               },
    {WITH("\"reasoning\":{\"effort\":\"huge\"}"),
     "reasoning.effort: expected none, minimal, low, medium, high, xhigh or max"                                                                               },
    {WITH("\"response_format\":{\"type\":\"xml\"}"),
     "response_format.type: expected text, json_object or json_schema"                                                                                         },
    {WITH("\"response_format\":{\"type\":\"json_schema\"}"),
     "response_format.json_schema: expected object"                                                                                                            },
    {WITH("\"response_format\":{\"type\":\"json_schema\",\"json_schema\":{\"schema\":1}}"),
     "response_format.json_schema.schema: expected object"                                                                                                     },
};

START_TEST(what_cannot_be_carried_is_refused_with_its_path)
{
    struct canon c;

    ck_assert_msg(kit_decode(chat, arena, refused[_i].body, &c) == ERR_BAD_REQUEST, "%s",
                  refused[_i].body);
    ck_assert_str_eq(kit_fault.text, refused[_i].text);
    ck_assert(slice_starts(slice_of(kit_fault.text), kit_fault.param));
}
END_TEST

START_TEST(fields_are_named_as_the_client_spells_them)
{
    struct canon c;

    ck_assert_int_eq(kit_decode(chat, arena, WITH("\"max_completion_tokens\":1"), &c), ERR_OK);
    ck_assert_str_eq(canon_field(&c, FIELD_MAX_OUT), "max_completion_tokens");
    ck_assert_str_eq(canon_field(&c, FIELD_USER), "user");
    ck_assert_int_eq(
        kit_decode(chat, arena,
                   WITH("\"max_tokens\":1,\"safety_identifier\":\"s\",\"functions\":[]"), &c),
        ERR_OK);
    ck_assert_str_eq(canon_field(&c, FIELD_MAX_OUT), "max_tokens");
    ck_assert_str_eq(canon_field(&c, FIELD_USER), "safety_identifier");
    ck_assert_str_eq(canon_field(&c, FIELD_TOOLS), "functions");
    ck_assert_str_eq(canon_field(&c, FIELD_SEED), "seed");
}
END_TEST

START_TEST(memory_that_runs_out_anywhere_is_told)
{
    size_t max, ok = 0;

    for (max = 64; max < 32768; max += 48) {
        struct arena *small = arena_new(max);
        struct canon c;
        enum err e = kit_decode(chat, small, golden[_i].body, &c);

        ck_assert_msg(e == ERR_OK || e == ERR_MEMORY, "%s", err_name(e));
        ok += e == ERR_OK;
        arena_free(small);
    }
    ck_assert_uint_gt(ok, 0);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("openai_chat_decode");
    TCase *t = tcase_create("all");

    tcase_add_checked_fixture(t, suite_arena_open, suite_arena_close);
    tcase_add_loop_test(t, a_request_is_decoded_to_its_canonical_form, 0, ROWS(golden));
    tcase_add_loop_test(t, what_cannot_be_carried_is_refused_with_its_path, 0, ROWS(refused));
    tcase_add_test(t, fields_are_named_as_the_client_spells_them);
    tcase_add_loop_test(t, memory_that_runs_out_anywhere_is_told, 0, ROWS(golden));
    suite_add_tcase(s, t);
    return suite_run(s);
}
