#include "tests/unit/codec_kit.h"
#include "tests/unit/format_suite.h"
#include "upstream/gemini.h"

#include <check.h>
#include <string.h>

#define ASK(more) "{\"model\":\"m\",\"messages\":[" more
#define USER      "{\"role\":\"user\",\"content\":\"hi\"}"
#define SAID      "\"contents\":[{\"role\":\"user\",\"parts\":[{\"text\":\"hi\"}]}]"
#define NONE      ",\"generationConfig\":{}}"
#define WITH(c)   ASK(USER "]," c "}")
#define CONFIG(c) "{" SAID ",\"generationConfig\":{" c "}}"
#define FUNCTION  "{\"type\":\"function\",\"function\":{\"name\":\"f\"}}"
#define LOST      "\"thoughtSignature\":\"skip_thought_signature_validator\""

static const struct format *const gemini = &format_gemini;
static const struct format *const chat = &format_openai_chat;
static struct capability level, budget, plain;

static void setup(void)
{
    suite_arena_open();
    level = budget = plain = capability_default;
    level.think = THINK_STYLE_LEVEL;
    budget.think = THINK_STYLE_BUDGET;
    plain.think = THINK_STYLE_NONE;
    budget.has_json_schema_tools = plain.has_json_schema_tools = false;
}

static const char *drops_of(const struct plan *p)
{
    const char *text = "";
    size_t i;

    for (i = 0; i < p->drops.n; i++)
        text = arena_printf(arena, "%s%s%s", text, i ? "," : "", p->drops.names[i]);
    return text;
}

/* ---- what a Chat request becomes ---- */

static const struct {
    const char *body;
    const struct capability *capability;
    const char *out, *drops;
} golden[] = {
    {ASK(USER "]}"),                                                                           &plain,  "{" SAID NONE,                                   ""                                            },
 /* the system prompt is one text; later ones are the user's in tags */
    {ASK("{\"role\":\"system\",\"content\":\"a\"},{\"role\":\"developer\",\"content\":\"b\"}," USER
         ",{\"role\":\"assistant\",\"content\":\"x\"},{\"role\":\"system\",\"content\":\"c\"}," USER
         "]}"),
     &plain,
     "{\"systemInstruction\":{\"parts\":[{\"text\":\"a\\n\\nb\"}]},\"contents\":[{\"role\":"
     "\"user\","
     "\"parts\":[{\"text\":\"hi\"}]},{\"role\":\"model\",\"parts\":[{\"text\":\"x\"}]},{\"role\":"
     "\"user\",\"parts\":[{\"text\":\"<system>\\nc\\n</system>\"},{\"text\":\"hi\"}]}]" NONE,
     ""                                                                                                                                                                                                },
    {ASK("{\"role\":\"system\",\"content\":\"a\"}]}"),                                         &plain,
     "{\"contents\":[{\"role\":\"user\",\"parts\":[{\"text\":\"a\"}]}]" NONE,                                                                            ""                                            },
 /* media */
    {ASK("{\"role\":\"user\",\"content\":[{\"type\":\"image_url\",\"image_url\":{\"url\":"
         "\"data:image/"
         "png;base64,iVBO\",\"detail\":\"low\"}},{\"type\":\"image_url\",\"image_url\":"
         "{\"url\":\"https://youtu.be/"
         "a.jpg\"}},{\"type\":\"file\",\"file\":{\"filename\":\"a.pdf\","
         "\"file_data\":\"JVBERi0=\"}}]}]}"),
     &plain,
     "{\"contents\":[{\"role\":\"user\",\"parts\":[{\"inlineData\":{\"mimeType\":\"image/png\","
     "\"data\":\"iVBO\"}},{\"fileData\":{\"mimeType\":\"image/jpeg\",\"fileUri\":\"https://"
     "youtu.be/"
     "a.jpg\""
     "}},{\"inlineData\":{\"mimeType\":\"application/pdf\",\"data\":\"JVBERi0=\"}}]}],"
     "\"generationConfig\":{\"mediaResolution\":\"MEDIA_RESOLUTION_LOW\"}}",                                                                             ""                                            },
 /* calls of a model that wants signatures: the first of each step has one */
    {ASK(USER ",{\"role\":\"assistant\",\"content\":null,\"tool_calls\":[{\"id\":\"a\",\"type\":"
              "\"function\",\"function\":{\"name\":\"f\",\"arguments\":\"{\\\"x\\\":1}\"}},{\"id\":"
              "\"b\",\"type\":\"function\",\"function\":{\"name\":\"g\",\"arguments\":\"oops\"}}]},"
              "{\"role\":\"tool\",\"tool_call_id\":\"b\",\"content\":\"two\"},{\"role\":\"tool\","
              "\"tool_call_id\":\"a\",\"content\":\"one\"}]}"),
     &level,
     "{\"contents\":[{\"role\":\"user\",\"parts\":[{\"text\":\"hi\"}]},{\"role\":\"model\","
     "\"parts\":["
     "{\"functionCall\":{\"id\":\"a\",\"name\":\"f\",\"args\":{\"x\":1}}," LOST
     "},{\"functionCall\":"
     "{\"id\":\"b\",\"name\":\"g\",\"args\":{\"_raw\":\"oops\"}}}]},{\"role\":\"user\",\"parts\":[{"
     "\"functionResponse\":{\"id\":\"a\",\"name\":\"f\",\"response\":{\"output\":\"one\"}}},{"
     "\"functionResponse\":{\"id\":\"b\",\"name\":\"g\",\"response\":{\"output\":\"two\"}}}]}],"
     "\"generationConfig\":{\"thinkingConfig\":{\"includeThoughts\":true}}}",                                                                            ""                                            },
    {ASK(USER ",{\"role\":\"assistant\",\"content\":\"\",\"tool_calls\":[{\"id\":\"a\",\"type\":"
              "\"function\",\"function\":{\"name\":\"f\",\"arguments\":\"\"},\"extra_content\":{"
              "\"google\":{\"thought_signature\":\"aip1.gemini.m.-..sig\"}}}]}]}"),
     &level,
     "{\"contents\":[{\"role\":\"user\",\"parts\":[{\"text\":\"hi\"}]},{\"role\":\"model\","
     "\"parts\":["
     "{\"functionCall\":{\"id\":\"a\",\"name\":\"f\",\"args\":{}},\"thoughtSignature\":\"sig\"}]},{"
     "\"role\":\"user\",\"parts\":[{\"functionResponse\":{\"id\":\"a\",\"name\":\"f\",\"response\":"
     "{"
     "\"error\":\"No result was recorded.\"}}}]}],\"generationConfig\":{\"thinkingConfig\":{"
     "\"includeThoughts\":true}}}",                                                                                                                      ""                                            },
    {ASK(USER ",{\"role\":\"assistant\",\"tool_calls\":[{\"id\":\"a\",\"type\":\"function\","
              "\"function\":{\"name\":\"f\",\"arguments\":\"{}\"}}]},{\"role\":\"tool\","
              "\"tool_call_id\":\"a\",\"content\":\"r\"}]}"),
     &plain,
     "{\"contents\":[{\"role\":\"user\",\"parts\":[{\"text\":\"hi\"}]},{\"role\":\"model\","
     "\"parts\":["
     "{\"functionCall\":{\"id\":\"a\",\"name\":\"f\",\"args\":{}}}]},{\"role\":\"user\",\"parts\":["
     "{"
     "\"functionResponse\":{\"id\":\"a\",\"name\":\"f\",\"response\":{\"output\":\"r\"}}}]}]" NONE,
     ""                                                                                                                                                                                                },
 /* tools */
    {WITH("\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"f.x\",\"description\":\"d\","
          "\"strict\":true,\"parameters\":{\"type\":\"object\",\"properties\":{\"a\":{\"type\":["
          "\"string\",\"null\"],\"default\":\"z\"}},\"required\":[\"a\",\"b\"],"
          "\"additionalProperties\":false}}}," FUNCTION "],\"tool_choice\":{\"type\":\"function\","
          "\"function\":{\"name\":\"f.x\"}},\"parallel_tool_calls\":false"),
     &plain,
     "{\"tools\":[{\"functionDeclarations\":[{\"name\":\"f_x\",\"description\":\"d\","
     "\"parameters\":{"
     "\"type\":\"OBJECT\",\"properties\":{\"a\":{\"type\":\"STRING\",\"nullable\":true}},"
     "\"required\":[\"a\"]}},{\"name\":\"f\"}]}],\"toolConfig\":{\"functionCallingConfig\":{"
     "\"mode\":"
     "\"ANY\",\"allowedFunctionNames\":[\"f_x\"]}}," SAID NONE,
     "parallel_tool_calls,strict"                                                                                                                                                                      },
    {WITH("\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"f\",\"parameters\":{\"type\":"
          "\"object\",\"properties\":{\"a\":{\"$ref\":\"#/$defs/x\"}},\"$defs\":{\"x\":{}}}}}],"
          "\"tool_choice\":\"required\""),
     &level,
     "{\"tools\":[{\"functionDeclarations\":[{\"name\":\"f\",\"parametersJsonSchema\":{\"type\":"
     "\"object\",\"properties\":{\"a\":{\"$ref\":\"#/$defs/x\"}},\"$defs\":{\"x\":{}}}}]}],"
     "\"toolConfig\":{\"functionCallingConfig\":{\"mode\":\"ANY\"}}," SAID
     ",\"generationConfig\":{\"thinkingConfig\":{\"includeThoughts\":true}}}",                                                                           ""                                            },
    {WITH(
         "\"tools\":[{\"type\":\"custom\",\"custom\":{\"name\":\"sh\",\"description\":\"run\","
         "\"format\":{\"type\":\"grammar\",\"grammar\":{\"syntax\":\"regex\",\"definition\":\"x\"}}"
         "}}],\"tool_choice\":\"none\""),
     &plain,
     "{\"tools\":[{\"functionDeclarations\":[{\"name\":\"sh\",\"description\":\"run\\n\\nThe input "
     "must have this format: {\\\"type\\\":\\\"grammar\\\",\\\"grammar\\\":{\\\"syntax\\\":"
     "\\\"regex\\\",\\\"definition\\\":\\\"x\\\"}}\",\"parameters\":{\"type\":\"OBJECT\","
     "\"properties\":{\"input\":{\"type\":\"STRING\"}},\"required\":[\"input\"]}}]}],"
     "\"toolConfig\":{"
     "\"functionCallingConfig\":{\"mode\":\"NONE\"}}," SAID NONE,
     ""                                                                                                                                                                                                },
    {WITH("\"tools\":[" FUNCTION "],\"tool_choice\":{\"type\":\"allowed_tools\",\"allowed_tools\":{"
          "\"mode\":\"auto\",\"tools\":[" FUNCTION "]}}"),
     &plain,
     "{\"tools\":[{\"functionDeclarations\":[{\"name\":\"f\"}]}],\"toolConfig\":{"
     "\"functionCallingConfig\":{\"mode\":\"VALIDATED\",\"allowedFunctionNames\":[\"f\"]}}," SAID
         NONE,                                                                                                                                           ""                                            },
    {WITH("\"web_search_options\":{}"),                                                        &plain,  "{\"tools\":[{\"googleSearch\":{}}]," SAID NONE,
     ""                                                                                                                                                                                                },
 /* parameters */
    {WITH(
         "\"max_tokens\":9,\"temperature\":0.50,\"top_p\":1,\"seed\":7,\"presence_penalty\":1,"
         "\"frequency_penalty\":-1,\"stop\":[\"a\",\"b\"],\"user\":\"u\",\"service_tier\":\"flex\","
         "\"verbosity\":\"low\",\"prompt_cache_key\":\"k\",\"safety_identifier\":\"s\""),
     &plain,
     "{" SAID ",\"generationConfig\":{\"maxOutputTokens\":9,\"temperature\":0.50,\"topP\":1,"
     "\"presencePenalty\":1,\"frequencyPenalty\":-1,\"seed\":7,\"stopSequences\":[\"a\",\"b\"]},"
     "\"serviceTier\":\"flex\"}",                                                                                                                        "verbosity,safety_identifier,prompt_cache_key"},
    {WITH("\"seed\":9007199254740993"),                                                        &plain,  "{" SAID NONE,                                   "seed"                                        },
    {WITH("\"response_format\":{\"type\":\"json_object\"}"),                                   &plain,
     CONFIG("\"responseMimeType\":\"application/json\""),                                                                                                ""                                            },
    {WITH("\"response_format\":{\"type\":\"json_schema\",\"json_schema\":{\"name\":\"n\","
          "\"schema\":{"
          "\"type\":\"object\",\"properties\":{\"a\":{\"const\":\"x\"}}}}}"),
     &plain,
     CONFIG("\"responseMimeType\":\"application/json\",\"responseSchema\":{\"type\":\"OBJECT\","
            "\"properties\":{\"a\":{\"type\":\"STRING\",\"enum\":[\"x\"]}}}"),
     ""                                                                                                                                                                                                },
    {WITH("\"response_format\":{\"type\":\"json_schema\",\"json_schema\":{\"name\":\"n\","
          "\"schema\":{"
          "\"type\":\"object\"}}}"),
     &level,
     CONFIG(
         "\"responseMimeType\":\"application/json\",\"responseJsonSchema\":{\"type\":\"object\"},"
         "\"thinkingConfig\":{\"includeThoughts\":true}"),
     ""                                                                                                                                                                                                },
 /* older models refuse JSON beside functions: asked for in words */
    {WITH("\"tools\":[" FUNCTION "],\"response_format\":{\"type\":\"json_object\"}"),          &plain,
     "{\"systemInstruction\":{\"parts\":[{\"text\":\"Answer with a JSON object only, without any "
     "other text.\"}]},\"tools\":[{\"functionDeclarations\":[{\"name\":\"f\"}]}]," SAID NONE,
     ""                                                                                                                                                                                                },
    {WITH("\"tools\":[" FUNCTION "],\"response_format\":{\"type\":\"json_object\"}"),          &level,
     "{\"tools\":[{\"functionDeclarations\":[{\"name\":\"f\"}]}]," SAID
     ",\"generationConfig\":{\"responseMimeType\":\"application/json\",\"thinkingConfig\":{"
     "\"includeThoughts\":true}}}",                                                                                                                      ""                                            },
 /* thinking */
    {WITH("\"reasoning_effort\":\"medium\""),                                                  &level,
     CONFIG("\"thinkingConfig\":{\"includeThoughts\":true,\"thinkingLevel\":\"MEDIUM\"}"),                                                               ""                                            },
    {WITH("\"reasoning_effort\":\"none\""),                                                    &level,
     CONFIG("\"thinkingConfig\":{\"thinkingLevel\":\"MINIMAL\"}"),                                                                                       ""                                            },
    {WITH("\"reasoning_effort\":\"xhigh\""),                                                   &level,
     CONFIG("\"thinkingConfig\":{\"includeThoughts\":true,\"thinkingLevel\":\"HIGH\"}"),                                                                 ""                                            },
    {WITH("\"reasoning_effort\":\"medium\""),                                                  &budget,
     CONFIG("\"thinkingConfig\":{\"includeThoughts\":true,\"thinkingBudget\":8192}"),                                                                    ""                                            },
    {WITH("\"reasoning_effort\":\"none\""),                                                    &budget,
     CONFIG("\"thinkingConfig\":{\"thinkingBudget\":0}"),                                                                                                ""                                            },
    {WITH("\"reasoning_effort\":\"high\""),                                                    &plain,  "{" SAID NONE,                                   "reasoning_effort"                            },
};

START_TEST(a_chat_request_becomes_googles)
{
    struct canon c;
    struct plan p = kit_plan(arena, "m", golden[_i].capability);
    const char *out;
    enum err e;

    ck_assert_msg(kit_decode(chat, arena, golden[_i].body, &c) == ERR_OK, "%s", kit_fault.text);
    c.max_out = strstr(golden[_i].body, "max_tokens") ? 9 : -1;
    out = kit_encode(gemini, &c, &p, &e);
    ck_assert_msg(e == ERR_OK, "%s", kit_fault.text);
    ck_assert_str_eq(out, golden[_i].out);
    ck_assert_str_eq(drops_of(&p), golden[_i].drops);
    ck_assert_int_eq(jscan_validate(slice_of(out), &(struct jvalue){0}, NULL), ERR_OK);
}
END_TEST

/* ---- what is refused ---- */

static const struct {
    const char *body, *text;
} faults[] = {
    {WITH("\"n\":2"),                                                                            "n: this model gives one answer at a time" },
    {WITH("\"logprobs\":true"),                                                                  "logprobs: not available with this model"  },
    {WITH("\"logit_bias\":{\"1\":2}"),                                                           "logit_bias: not available with this model"},
    {WITH("\"modalities\":[\"text\",\"audio\"],\"audio\":{\"voice\":\"x\",\"format\":\"wav\"}"),
     "modalities: this model does not give answers of that kind"                                                                            },
    {ASK(USER ",{\"role\":\"assistant\",\"content\":\"pre\"}]}"),
     "messages[1]: assistant prefill is not supported by this model"                                                                        },
    {ASK("{\"role\":\"user\",\"content\":[{\"type\":\"image_url\",\"image_url\":{\"url\":"
         "\"http://h/a.png\"}}]}]}"),
     "messages[0].content[0]: media by URL cannot be carried to this model; send its bytes"                                                 },
    {ASK("{\"role\":\"user\",\"content\":[{\"type\":\"file\",\"file\":{\"file_id\":\"file-1\"}}]}]"
         "}"),
     "messages[0].content[0]: a file id of another provider is not known to this model"                                                     },
};

START_TEST(what_cannot_be_carried_is_refused)
{
    struct canon c;
    struct plan p = kit_plan(arena, "m", &plain);
    enum err e;

    ck_assert_msg(kit_decode(chat, arena, faults[_i].body, &c) == ERR_OK, "%s", kit_fault.text);
    ck_assert_ptr_null(kit_encode(gemini, &c, &p, &e));
    ck_assert_int_eq(e, ERR_BAD_REQUEST);
    ck_assert_str_eq(kit_fault.text, faults[_i].text);
}
END_TEST

START_TEST(a_model_without_pictures_or_tools_says_so)
{
    struct capability small = plain;
    struct plan p = kit_plan(arena, "m", &small);
    struct canon c;
    enum err e;

    small.input = MODALITY_TEXT;
    small.has_tools = false;
    ck_assert_int_eq(kit_decode(chat, arena,
                                ASK("{\"role\":\"user\",\"content\":[{\"type\":\"image_url\","
                                    "\"image_url\":{\"url\":\"data:image/png;base64,iVBO\"}}]}]}"),
                                &c),
                     ERR_OK);
    ck_assert_ptr_null(kit_encode(gemini, &c, &p, &e));
    ck_assert_str_eq(kit_fault.text,
                     "messages[0].content[0]: this model does not take media of the "
                     "type image/png");
    ck_assert_int_eq(kit_decode(chat, arena, WITH("\"tools\":[" FUNCTION "]"), &c), ERR_OK);
    ck_assert_ptr_null(kit_encode(gemini, &c, &p, &e));
    ck_assert_str_eq(kit_fault.text, "tools: this model takes no tools");
}
END_TEST

/* ---- by hand: what no Chat client says ---- */

static const char *encoded(struct canon *c, const struct capability *capability, const char *model)
{
    struct plan p = kit_plan(arena, model, capability);
    const char *out;
    enum err e;

    p.output_max_inject = 50;
    out = kit_encode(gemini, c, &p, &e);
    ck_assert_msg(e == ERR_OK, "%s", kit_fault.text);
    return out;
}

static struct part *add(struct canon *c, enum canon_role role, enum part_kind kind,
                        const char *text)
{
    struct turn *t = c->turns_n && c->turns[c->turns_n - 1].role == role
                         ? &c->turns[c->turns_n - 1]
                         : canon_add_turn(c, role, "t");
    struct part *p = turn_add_part(c, t, kind, "p");

    p->text = slice_of(text);
    return p;
}

static struct canon two_steps(void)
{
    struct canon c;
    struct part *p;

    canon_init(&c, arena, VENDOR_ANTHROPIC, NULL);
    (void)add(&c, CANON_USER, PART_TEXT, "hi");
    p = add(&c, CANON_ASSISTANT, PART_THINKING, "why");
    p->seal_text = SLICE("aip1.gemini.m.-..sig");
    p = add(&c, CANON_ASSISTANT, PART_CALL, "{}");
    p->id = SLICE("a");
    p->name = SLICE("f");
    p = add(&c, CANON_USER, PART_RESULT, NULL);
    p->id = SLICE("a");
    part_add_part(&c, p, PART_TEXT, "p")->text = SLICE("seen");
    p = part_add_part(&c, p, PART_IMAGE, "p");
    p->media = (struct media){.data = SLICE("iVBO"), .mime = SLICE("image/png")};
    (void)add(&c, CANON_USER, PART_TEXT, "go on");
    return c;
}

START_TEST(a_thoughts_signature_goes_to_the_call_behind_it)
{
    struct canon c = two_steps();
    const char *out = encoded(&c, &level, "m");

    ck_assert_str_eq(
        out, "{\"contents\":[{\"role\":\"user\",\"parts\":[{\"text\":\"hi\"}]},{\"role\":\"model\","
             "\"parts\":[{\"functionCall\":{\"id\":\"a\",\"name\":\"f\",\"args\":{}},"
             "\"thoughtSignature\":\"sig\"}]},{\"role\":\"user\",\"parts\":[{\"functionResponse\":{"
             "\"id\":"
             "\"a\",\"name\":\"f\",\"response\":{\"output\":\"seen\"},\"parts\":[{\"inlineData\":{"
             "\"mimeType\":\"image/png\",\"data\":\"iVBO\"}}]}},{\"text\":\"go on\"}]}],"
             "\"generationConfig\":{\"maxOutputTokens\":50}}");
}
END_TEST

START_TEST(older_models_get_a_results_pictures_behind_it)
{
    struct canon c = two_steps();
    const char *out = encoded(&c, &budget, "other");

    ck_assert_ptr_nonnull(strstr(
        out,
        "{\"functionResponse\":{\"id\":\"a\",\"name\":\"f\",\"response\":{\"output\":\"seen\"}}},"
        "{\"text\":\"Content of the result of call a:\"},{\"inlineData\":{\"mimeType\":"
        "\"image/png\",\"data\":\"iVBO\"}},{\"text\":\"go on\"}]}]"));
    ck_assert_ptr_null(strstr(out, "thoughtSignature")); /* another model's, and none is wanted */
}
END_TEST

START_TEST(another_models_signature_is_replaced)
{
    struct canon c = two_steps();

    ck_assert_ptr_nonnull(strstr(encoded(&c, &level, "other"), "\"args\":{}}," LOST "}"));
}
END_TEST

static const struct {
    const char *model;
    enum think_style style;
} styles[] = {
    {"gemini-2.5-pro",          THINK_STYLE_BUDGET},
    {"models/gemini-2.5-flash", THINK_STYLE_BUDGET},
    {"gemini-2.0-flash",        THINK_STYLE_NONE  },
    {"gemini-1.5-pro",          THINK_STYLE_NONE  },
    {"gemini-3.8-flash",        THINK_STYLE_LEVEL },
    {"new",                     THINK_STYLE_LEVEL },
};

START_TEST(a_model_of_no_table_is_known_by_its_name)
{
    struct plan p = kit_plan(arena, styles[_i].model, &capability_default);

    ck_assert_int_eq(gemini_think_style(&p), styles[_i].style);
}
END_TEST

START_TEST(nobody_is_asked_to_think_aloud_unasked)
{
    struct canon c;

    ck_assert_int_eq(kit_decode(chat, arena, ASK(USER "]}"), &c), ERR_OK);
    ck_assert_str_eq(encoded(&c, &capability_default, "new"), CONFIG("\"maxOutputTokens\":50"));
}
END_TEST

START_TEST(hosted_tools_have_a_twin_or_go)
{
    struct plan p = kit_plan(arena, "m", &plain);
    struct canon c;
    struct tool *t;
    enum err e;

    canon_init(&c, arena, VENDOR_OPENAI, NULL);
    (void)add(&c, CANON_USER, PART_TEXT, "hi");
    t = canon_add_tool(&c, TOOL_HOSTED, "tools[0]");
    t->hosted = t->name = SLICE("image_generation");
    t->is_optional = true;
    t = canon_add_tool(&c, TOOL_FUNCTION, "tools[1]");
    t->name = SLICE("f");
    t = canon_add_tool(&c, TOOL_HOSTED, "tools[2]");
    t->hosted = t->name = SLICE("web_search");
    t->is_web_search = t->is_optional = true;
    ck_assert_str_eq(kit_encode(gemini, &c, &p, &e),
                     "{\"tools\":[{\"functionDeclarations\":[{\"name\":\"f\"}]}]," SAID NONE);
    ck_assert_str_eq(drops_of(&p), "image_generation,web_search");
    c.tools[2].is_optional = false;
    p = kit_plan(arena, "m", &level);
    ck_assert_str_eq(
        kit_encode(gemini, &c, &p, &e),
        "{\"tools\":[{\"functionDeclarations\":[{\"name\":\"f\"}]},{\"googleSearch\":{}}],"
        "\"toolConfig\":{\"includeServerSideToolInvocations\":true}," SAID
        ",\"generationConfig\":{\"thinkingConfig\":{\"includeThoughts\":true}}}");
    p = kit_plan(arena, "m", &plain);
    ck_assert_ptr_null(kit_encode(gemini, &c, &p, &e));
    ck_assert_str_eq(kit_fault.text,
                     "tools[2]: the tool web_search is not available with this model "
                     "beside functions");
    c.choice = CHOICE_ONE;
    c.choice_name = SLICE("image_generation");
    p = kit_plan(arena, "m", &level);
    ck_assert_ptr_null(kit_encode(gemini, &c, &p, &e));
    ck_assert_str_eq(kit_fault.text,
                     "tools[0]: the tool image_generation is not available with this model");
}
END_TEST

START_TEST(limits_of_the_model_hold)
{
    struct capability small = plain;
    struct plan p = kit_plan(arena, "m", &small);
    struct canon c;
    enum err e;
    size_t i;

    small.output_max = 30;
    small.has_sampling = false;
    ck_assert_int_eq(kit_decode(chat, arena, WITH("\"temperature\":1,\"top_p\":0.5"), &c), ERR_OK);
    c.max_out = 100;
    c.modalities = MODALITY_TEXT;
    for (i = 0; i < 7; i++)
        c.stops[c.stops_n++] = SLICE("s");
    ck_assert_str_eq(
        kit_encode(gemini, &c, &p, &e),
        CONFIG("\"maxOutputTokens\":30,\"stopSequences\":[\"s\",\"s\",\"s\",\"s\",\"s\"]"));
    ck_assert_str_eq(drops_of(&p), "temperature,top_p,stop");
}
END_TEST

START_TEST(pictures_can_be_asked_for)
{
    struct capability painter = plain;
    struct plan p = kit_plan(arena, "m", &painter);
    struct canon c;
    enum err e;

    painter.output = MODALITY_TEXT | MODALITY_IMAGE;
    ck_assert_int_eq(kit_decode(chat, arena, ASK(USER "]}"), &c), ERR_OK);
    c.modalities = MODALITY_TEXT | MODALITY_IMAGE;
    ck_assert_str_eq(kit_encode(gemini, &c, &p, &e),
                     CONFIG("\"responseModalities\":[\"TEXT\",\"IMAGE\"]"));
}
END_TEST

START_TEST(encoding_without_memory_says_so)
{
    int row;

    for (row = 0; row < ROWS(golden); row++) {
        bool is_done = false;
        size_t max;

        for (max = 64; !is_done && max < 1 << 17; max += 64) {
            struct arena *small = arena_new(max);
            struct plan p = kit_plan(small, "m", golden[row].capability);
            struct canon c;
            enum err e = kit_decode(chat, small, golden[row].body, &c);

            if (!e)
                (void)kit_encode(gemini, &c, &p, &e);
            ck_assert_msg(e == ERR_OK || e == ERR_MEMORY, "row %d: %s", row, err_name(e));
            is_done = e == ERR_OK;
            arena_free(small);
        }
        ck_assert(is_done);
    }
}
END_TEST

int main(void)
{
    Suite *s = suite_create("gemini_encode");
    TCase *t = tcase_create("all");

    tcase_set_timeout(t, 60);
    tcase_add_checked_fixture(t, setup, suite_arena_close);
    tcase_add_loop_test(t, a_chat_request_becomes_googles, 0, ROWS(golden));
    tcase_add_loop_test(t, what_cannot_be_carried_is_refused, 0, ROWS(faults));
    tcase_add_test(t, a_model_without_pictures_or_tools_says_so);
    tcase_add_test(t, a_thoughts_signature_goes_to_the_call_behind_it);
    tcase_add_test(t, older_models_get_a_results_pictures_behind_it);
    tcase_add_test(t, another_models_signature_is_replaced);
    tcase_add_loop_test(t, a_model_of_no_table_is_known_by_its_name, 0, ROWS(styles));
    tcase_add_test(t, nobody_is_asked_to_think_aloud_unasked);
    tcase_add_test(t, hosted_tools_have_a_twin_or_go);
    tcase_add_test(t, limits_of_the_model_hold);
    tcase_add_test(t, pictures_can_be_asked_for);
    tcase_add_test(t, encoding_without_memory_says_so);
    suite_add_tcase(s, t);
    return suite_run(s);
}
