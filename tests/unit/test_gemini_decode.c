#include "tests/unit/codec_kit.h"
#include "tests/unit/format_suite.h"
#include "upstream/gemini.h"

#include <check.h>

#define ASK(more) "{\"model\":\"m\",\"contents\":[" more
#define USER      "{\"parts\":[{\"text\":\"hi\"}]}"
#define SAID      "user\n  text @contents[0].parts[0] \"hi\"\n"
#define CONFIG(c) ASK(USER "],\"generationConfig\":{" c "}}")

static const struct format *const gemini = &format_gemini;

/* ---- what becomes of a request ---- */

static const struct {
    const char *body, *canon;
} golden[] = {
    {ASK(USER "]}"),                                                                               SAID "with\n"                 },
 /* one value in the place of a list, a role that older clients use, the order of members */
    {"{\"model\":\"m\",\"contents\":{\"role\":\"function\",\"parts\":{\"text\":\"a\\n\\u00e9\"}},"
     "\"systemInstruction\":\"be\"}",                                                         "system\n  text @systemInstruction \"be\"\nuser\n  text @contents[0].parts[0] "
     "\"a\\n\xc3\xa9\"\n"
     "with\n"                                                                          },
    {ASK(USER "],\"system_instruction\":{\"role\":\"x\",\"parts\":[{\"text\":\"a\"},{\"text\":"
              "\"b\"}]},\"safetySettings\":[{}],\"labels\":{\"a\":\"b\"},\"store\":true,"
              "\"serviceTier\":\"SERVICE_TIER_FLEX\",\"new\":1,\"cachedContent\":\"\"}"),
     "system\n  text @systemInstruction.parts[0] \"a\"\n  text @systemInstruction.parts[1] "
     "\"b\"\n" SAID
     "with tier=3 drop=\"new\" drop=\"safetySettings\" drop=\"labels\" drop=\"store\"\n"                                         },
 /* media */
    {ASK("{\"role\":\"user\",\"parts\":["
         "{\"inlineData\":{\"mimeType\":\"image\\/png\",\"data\":\"_-8\"},\"mediaResolution\":{"
         "\"level\":\"MEDIA_RESOLUTION_LOW\"}},"
         "{\"inline_data\":{\"mime_type\":\"audio/"
         "wav\",\"data\":\"UklG\",\"display_name\":\"a.wav\"}},"
         "{\"inlineData\":{\"mimeType\":\"application/pdf\",\"data\":\"JVBE\"},\"videoMetadata\":{"
         "\"fps\":1}},"
         "{\"fileData\":{\"mimeType\":\"image/png\",\"fileUri\":\"https://h/a.png\"}},"
         "{\"fileData\":{\"fileUri\":\"https://generativelanguage.googleapis.com/v1beta/files/"
         "x\"}},"
         "{\"file_data\":{\"file_uri\":\"files/x\",\"mime_type\":\"video/mp4\"}},"
         "{\"thought\":true,\"inlineData\":{\"mimeType\":\"image/png\",\"data\":\"AAAA\"}}]}"
         "],\"generationConfig\":{\"mediaResolution\":\"MEDIA_RESOLUTION_HIGH\"}}"),
     "user\n"
     "  image @contents[0].parts[0] bytes\"/+8=\" mime=\"image/png\" detail=1\n"
     "  audio @contents[0].parts[1] bytes\"UklG\" mime=\"audio/wav\" file=\"a.wav\"\n"
     "  file @contents[0].parts[2] bytes\"JVBE\" mime=\"application/pdf\"\n"
     "  image @contents[0].parts[3] url\"https://h/a.png\" mime=\"image/png\" detail=2\n"
     "  file @contents[0].parts[4] id\"https://generativelanguage.googleapis.com/v1beta/files/x\"\n"
     "  file @contents[0].parts[5] id\"files/x\" mime=\"video/mp4\"\n"
     "with drop=\"videoMetadata\"\n"                                                                                             },
 /* calls and results: joined by id, by name, and across the two */
    {ASK(USER
         ",{\"role\":\"model\",\"parts\":[{\"text\":\"t\",\"thought\":true},"
         "{\"functionCall\":{\"name\":\"f\",\"args\":{\"a\": 1}},\"thoughtSignature\":\"raw\"},"
         "{\"functionCall\":{\"name\":\"g\",\"id\":\"c1\"}},"
         "{\"functionCall\":{\"name\":\"f\",\"args\":{}}}]},"
         "{\"role\":\"user\",\"parts\":["
         "{\"functionResponse\":{\"name\":\"f\",\"response\":{\"output\":\"o\\n\"}}},"
         "{\"functionResponse\":{\"name\":\"f\",\"id\":\"other\",\"response\":{\"error\":\"bad\"}}}"
         ","
         "{\"functionResponse\":{\"name\":\"g\",\"response\":{\"result\":{\"x\":1}},\"parts\":[{"
         "\"inlineData\":{\"mimeType\":\"image/png\",\"data\":\"AAAA\"}}]}}]}]}"),
     SAID "assistant\n"
          "  thinking @contents[1].parts[0] \"t\"\n"
          "  call @contents[1].parts[1] \"{\\\"a\\\": 1}\" name=\"f\" seal=\"raw\"\n"
          "  call @contents[1].parts[2] \"{}\" id=\"c1\" name=\"g\"\n"
          "  call @contents[1].parts[3] \"{}\" name=\"f\"\n"
          "user\n"
          "  result @contents[2].parts[0] name=\"f\"\n"
          "    text @contents[2].parts[0] \"o\\n\"\n"
          "  result @contents[2].parts[1] name=\"f\" error=1\n"
          "    text @contents[2].parts[1] \"bad\"\n"
          "  result @contents[2].parts[2] id=\"c1\" name=\"g\"\n"
          "    text @contents[2].parts[2] \"{\\\"x\\\":1}\"\n"
          "    image @contents[2].parts[2] bytes\"AAAA\" mime=\"image/png\"\n"
          "with\n"                                                                                                               },
    {ASK("{\"role\":\"model\",\"parts\":[{\"functionCall\":{\"name\":\"f\"}}]},"
         "{\"role\":\"user\",\"parts\":[{\"functionResponse\":{\"name\":\"f\",\"response\":{\"a\":"
         "1,"
         "\"output\":\"x\"}}},{\"functionResponse\":{\"name\":\"f\"}}]}]}"),
     "assistant\n  call @contents[0].parts[0] \"{}\" name=\"f\"\nuser\n"
     "  result @contents[1].parts[0] name=\"f\"\n"
     "    text @contents[1].parts[0] \"{\\\"a\\\":1,\\\"output\\\":\\\"x\\\"}\"\n"
     "  result @contents[1].parts[1] name=\"f\"\nwith\n"                                                                         },
 /* signatures: lost ones are none, another vendor's go back to the thoughts before the part */
    {ASK("{\"role\":\"model\",\"parts\":[{\"text\":\"t\",\"thought\":true},{\"text\":\"a\","
         "\"thoughtSignature\":\"YWlwMS5hbnRocm9waWMubS4tLi5w\"},"
         "{\"functionCall\":{\"name\":\"f\"},\"thoughtSignature\":\"YWlwMS5vcGVuYWkubS4tLi5-\"},"
         "{\"functionCall\":{\"name\":\"g\"},\"thoughtSignature\":"
         "\"skip_thought_signature_validator\"},"
         "{\"functionCall\":{\"name\":\"h\"},\"thoughtSignature\":"
         "\"c2tpcF90aG91Z2h0X3NpZ25hdHVyZV92YWxpZGF0b3I=\"}]}]}"),
     "assistant\n"
     "  thinking @contents[0].parts[0] \"t\" seal=\"YWlwMS5hbnRocm9waWMubS4tLi5w\"\n"
     "  text @contents[0].parts[1] \"a\"\n"
     "  thinking @contents[0].parts[2] seal=\"YWlwMS5vcGVuYWkubS4tLi5+\"\n"
     "  call @contents[0].parts[2] \"{}\" name=\"f\"\n"
     "  call @contents[0].parts[3] \"{}\" name=\"g\"\n"
     "  call @contents[0].parts[4] \"{}\" name=\"h\"\n"
     "with\n"                                                                                                                    },
    {ASK("{\"role\":\"model\",\"parts\":[{\"executableCode\":{\"code\":\"x\"}},{\"partMetadata\":{}"
         "}]}]}"),
     "assistant\n  opaque @contents[0].parts[0] "
     "\"{\\\"executableCode\\\":{\\\"code\\\":\\\"x\\\"}}\"\n"
     "with\n"                                                                                                                    },
 /* tools */
    {ASK(USER
         "],\"tools\":[{\"functionDeclarations\":[{\"name\":\"f\",\"description\":\"d\","
         "\"parameters\":{\"type\":\"OBJECT\",\"properties\":{\"a\":{\"type\":\"STRING\","
         "\"nullable\":true}}}},{\"name\":\"g\",\"parametersJsonSchema\":{\"type\":\"object\"},"
         "\"behavior\":\"BLOCKING\"}]},{\"google_search\":{}},{\"codeExecution\":{}}],"
         "\"toolConfig\":{\"functionCallingConfig\":{\"mode\":\"ANY\",\"allowedFunctionNames\":["
         "\"f\"]},\"retrievalConfig\":{}}}"),
     SAID
     "tool function @tools[0].functionDeclarations[0] \"f\" description=\"d\" schema="
     "\"{\\\"type\\\":\\\"object\\\",\\\"properties\\\":{\\\"a\\\":{\\\"type\\\":["
     "\\\"string\\\",\\\"null\\\"]}}}\" raw=\"{\\\"name\\\":\\\"f\\\",\\\"description\\\":"
     "\\\"d\\\",\\\"parameters\\\":{\\\"type\\\":\\\"OBJECT\\\",\\\"properties\\\":{\\\"a\\\":{"
     "\\\"type\\\":\\\"STRING\\\",\\\"nullable\\\":true}}}}\"\n"
     "tool function @tools[0].functionDeclarations[1] \"g\" schema=\"{\\\"type\\\":"
     "\\\"object\\\"}\" raw=\"{\\\"name\\\":\\\"g\\\",\\\"parametersJsonSchema\\\":{\\\"type\\\":"
     "\\\"object\\\"},\\\"behavior\\\":\\\"BLOCKING\\\"}\"\n"
     "tool hosted @tools[1].google_search \"google_search\" hosted=\"google_search\" raw="
     "\"\\\"google_search\\\":{}\" web=1\n"
     "tool hosted @tools[2].codeExecution \"codeExecution\" hosted=\"codeExecution\" raw="
     "\"\\\"codeExecution\\\":{}\"\n"
     "with choice=one \"f\" \"f\" is_any=1 drop=\"tools.functionDeclarations.behavior\" "
     "drop=\"toolConfig.retrievalConfig\"\n"                                                                                     },
    {ASK(USER "],\"tool_config\":{\"function_calling_config\":{\"mode\":\"VALIDATED\","
              "\"allowed_function_names\":[\"f\",\"g\"]}}}"),
     SAID "with choice=subset \"f\" \"g\"\n"                                                                                     },
    {ASK(USER "],\"toolConfig\":{\"functionCallingConfig\":{\"mode\":\"NONE\"}}}"),
     SAID "with choice=none\n"                                                                                                   },
    {ASK(USER "],\"toolConfig\":{\"functionCallingConfig\":{\"mode\":\"any\"}}}"),
     SAID "with choice=any is_any=1\n"                                                                                           },
    {ASK(USER "],\"toolConfig\":{\"functionCallingConfig\":{\"mode\":\"AUTO\"}}}"),
     SAID "with choice=auto\n"                                                                                                   },
 /* the configuration */
    {CONFIG("\"maxOutputTokens\":9,\"temperature\":0.50,\"top_p\":1,\"topK\":40,\"seed\":7,"
            "\"presencePenalty\":-1,\"frequencyPenalty\":1e0,\"stopSequences\":[\"a\",\"\",\"b\"],"
            "\"candidateCount\":2,\"responseLogprobs\":true,\"logprobs\":3,\"imageConfig\":{},"
            "\"speechConfig\":null"),
     SAID "with max=9 temperature=\"0.50\" top_p=\"1\" top_k=\"40\" seed=\"7\" presence=\"-1\" "
          "frequency=\"1e0\" stop=\"a\" stop=\"b\" n=2 logprobs=1 top_logprobs=3 "
          "drop=\"generationConfig.imageConfig\"\n"                                                                              },
    {CONFIG("\"thinkingConfig\":{\"includeThoughts\":true,\"thinkingBudget\":2000}"),
     SAID "with think=2 budget=2000 show=1\n"                                                                                    },
    {CONFIG("\"thinkingConfig\":{\"thinkingBudget\":0}"),                                          SAID "with think=1\n"         },
    {CONFIG("\"thinkingConfig\":{\"thinkingBudget\":-1,\"includeThoughts\":false}"),
     SAID "with show=0\n"                                                                                                        },
    {CONFIG("\"thinking_config\":{\"thinking_level\":\"HIGH\"}"),                                  SAID "with think=2 effort=5\n"},
    {CONFIG("\"responseMimeType\":\"application/json\""),                                          SAID "with format=1\n"        },
    {CONFIG("\"responseMimeType\":\"text/plain\""),                                                SAID "with\n"                 },
    {CONFIG("\"responseSchema\":{\"type\":\"STRING\"},\"responseMimeType\":\"application/json\""),
     SAID "with format=2 \"response\" \"{\\\"type\\\":\\\"string\\\"}\"\n"                                                       },
    {CONFIG("\"responseJsonSchema\":{\"type\":\"object\"}"),
     SAID "with format=2 \"response\" \"{\\\"type\\\":\\\"object\\\"}\"\n"                                                       },
    {CONFIG("\"responseFormat\":[{\"text\":{\"mimeType\":\"application/json\",\"schema\":{}}},{"
            "\"image\":{}}],\"responseModalities\":[\"TEXT\",\"Image\"]"),
     SAID
     "with format=2 \"response\" \"{}\" modalities=3 drop=\"generationConfig.responseFormat\"\n"                                 },
};

START_TEST(a_request_becomes_canonical)
{
    struct canon c;

    ck_assert_msg(kit_decode(gemini, arena, golden[_i].body, &c) == ERR_OK, "%s", kit_fault.text);
    ck_assert_str_eq(kit_canon_text(arena, &c), golden[_i].canon);
}
END_TEST

/* ---- what is refused ---- */

static const struct {
    const char *body, *text;
} faults[] = {
    {ASK(USER "],\"cachedContent\":\"cachedContents/x\"}"),
     "cachedContent: this model's provider has no such thing; send the whole contents"                                                                          },
    {ASK(USER "],\"continuation_token\":\"x\"}"),
     "continuationToken: this model's provider has no such thing; send the whole contents"                                                                      },
    {ASK("{\"role\":\"robot\",\"parts\":[]}]}"),                                                  "contents[0]: expected the role user or model"                },
    {ASK("{\"parts\":[{\"hologram\":{}}]}]}"),                                                    "contents[0].parts[0]: hologram is not known"                 },
    {ASK("{\"parts\":[{\"text\":5}]}]}"),                                                         "contents[0].parts[0]: expected string"                       },
    {ASK("{\"parts\":[{\"text\":\"\\ud800\"}]}]}"),                                               "contents[0].parts[0]: expected string"                       },
    {ASK("{\"parts\":[{\"inlineData\":{\"mimeType\":\"image/png\"}}]}]}"),
     "contents[0].parts[0]: expected data"                                                                                                                      },
    {ASK("{\"parts\":[{\"fileData\":{}}]}]}"),                                                    "contents[0].parts[0]: expected fileUri"                      },
    {ASK("{\"parts\":[{\"inlineData\":\"x\"}]}]}"),                                               "contents[0].parts[0]: expected object"                       },
    {ASK("{\"parts\":[{\"functionCall\":{}}]}]}"),
     "contents[0].parts[0]: a function call needs a name"                                                                                                       },
    {ASK("{\"parts\":[{\"functionResponse\":{\"name\":\"f\",\"parts\":[{\"text\":\"x\"}]}}]}]}"),
     "contents[0].parts[0]: expected parts with inlineData or fileData"                                                                                         },
    {ASK(USER "],\"systemInstruction\":{\"parts\":[{\"inlineData\":{\"mimeType\":\"image/png\","
              "\"data\":\"AAAA\"}}]}}"),
     "systemInstruction.parts[0]: expected text"                                                                                                                },
    {ASK(USER "],\"systemInstruction\":5}"),                                                      "systemInstruction: expected object"                          },
    {ASK(USER "],\"tools\":[5]}"),                                                                "tools: expected objects"                                     },
    {ASK(USER "],\"tools\":[{\"functionDeclarations\":[{}]}]}"),
     "tools[0].functionDeclarations[0]: a function needs a name"                                                                                                },
    {ASK(USER "],\"toolConfig\":{\"functionCallingConfig\":{\"mode\":\"MAYBE\"}}}"),
     "toolConfig.functionCallingConfig.mode: expected AUTO, ANY, NONE or VALIDATED"                                                                             },
    {CONFIG("\"temperature\":\"1\""),                                                             "generationConfig.temperature: expected number"               },
    {CONFIG("\"stopSequences\":[5]"),                                                             "generationConfig.stopSequences: expected string"             },
    {CONFIG("\"responseMimeType\":\"text/x.enum\""),
     "generationConfig.responseMimeType: text/x.enum is not available with this model"                                                                          },
    {CONFIG("\"responseSchema\":5"),                                                              "generationConfig.responseSchema: expected object"            },
    {CONFIG("\"responseModalities\":[\"SMELL\"]"),
     "generationConfig.responseModalities: expected TEXT, IMAGE, AUDIO or VIDEO"                                                                                },
    {CONFIG("\"thinkingConfig\":{\"thinkingBudget\":-2}"),
     "generationConfig.thinkingConfig.thinkingBudget: expected an integer of at least -1"                                                                       },
    {CONFIG("\"thinkingConfig\":{\"thinkingLevel\":\"HUGE\"}"),
     "generationConfig.thinkingConfig.thinkingLevel: expected MINIMAL, LOW, MEDIUM or HIGH"                                                                     },
    {CONFIG("\"thinkingConfig\":5"),                                                              "generationConfig.thinkingConfig: expected object"            },
    {CONFIG("\"logprobs\":-1"),                                                                   "generationConfig.logprobs: expected an integer of at least 0"},
};

START_TEST(what_cannot_be_carried_is_refused_with_its_path)
{
    struct canon c;

    ck_assert_int_eq(kit_decode(gemini, arena, faults[_i].body, &c), ERR_BAD_REQUEST);
    ck_assert_str_eq(kit_fault.text, faults[_i].text);
}
END_TEST

START_TEST(seventeen_stop_sequences_are_too_many)
{
    struct canon c;

    ck_assert_int_eq(
        kit_decode(gemini, arena,
                   CONFIG("\"stopSequences\":[\"1\",\"2\",\"3\",\"4\",\"5\",\"6\",\"7\",\"8\","
                          "\"9\",\"10\",\"11\",\"12\",\"13\",\"14\",\"15\",\"16\",\"17\"]"),
                   &c),
        ERR_BAD_REQUEST);
    ck_assert_str_eq(kit_fault.text, "generationConfig.stopSequences: expected at most 16");
}
END_TEST

START_TEST(drops_are_named_as_the_client_spells_them)
{
    struct canon c;

    ck_assert_int_eq(kit_decode(gemini, arena, ASK(USER "]}"), &c), ERR_OK);
    ck_assert_str_eq(canon_field(&c, FIELD_TOP_K), "generationConfig.topK");
    ck_assert_str_eq(canon_field(&c, FIELD_THINK), "generationConfig.thinkingConfig");
    ck_assert_str_eq(canon_field(&c, FIELD_TOOLS), "tools");
}
END_TEST

START_TEST(decoding_without_memory_says_so)
{
    size_t max, row;

    for (row = 0; row < ROWS(golden); row++) {
        bool is_done = false;

        for (max = 0; !is_done && max < 1 << 17; max += 48) {
            struct arena *small = arena_new(max);
            struct canon c;
            enum err e = kit_decode(gemini, small, golden[row].body, &c);

            ck_assert_msg(e == ERR_OK || e == ERR_MEMORY, "row %zu: %s", row, err_name(e));
            is_done = e == ERR_OK;
            arena_free(small);
        }
        ck_assert(is_done);
    }
}
END_TEST

int main(void)
{
    Suite *s = suite_create("gemini_decode");
    TCase *t = tcase_create("all");

    tcase_set_timeout(t, 60);
    tcase_add_checked_fixture(t, suite_arena_open, suite_arena_close);
    tcase_add_loop_test(t, a_request_becomes_canonical, 0, ROWS(golden));
    tcase_add_loop_test(t, what_cannot_be_carried_is_refused_with_its_path, 0, ROWS(faults));
    tcase_add_test(t, seventeen_stop_sequences_are_too_many);
    tcase_add_test(t, drops_are_named_as_the_client_spells_them);
    tcase_add_test(t, decoding_without_memory_says_so);
    suite_add_tcase(s, t);
    return suite_run(s);
}
