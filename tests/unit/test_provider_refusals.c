#include "tests/provider/chat.h"
#include "tests/provider/gemini.h"
#include "tests/provider/messages.h"
#include "tests/provider/responses.h"
#include "tests/provider/seal.h"
#include "tests/provider/scan.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

/* A request and a part of what is said against it; NULL: nothing is. A %s in it is a seal. */
struct refusal {
    const char *body;
    const char *reason;
};

#define SIZE(list) (sizeof(list) / sizeof((list)[0]))

static const char old_head[] = "POST / HTTP/1.1\r\nanthropic-version: 2023-06-01\r\n\r\n";
static const char new_head[] = "POST / HTTP/1.1\r\nanthropic-version: 2026-10-21\r\n\r\n";

static struct ask ask;
static struct bytes body;

static void setup(void)
{
    seal_set_organisation("demo");
    ask_init(&ask);
}

static void teardown(void)
{
    ask_clear(&ask);
    bytes_clear(&body);
}

static bool reads(const struct format *format, const char *path, const char *head, const char *text)
{
    struct inquiry in = {span_of(path), span_of(""), span_of(head), text, strlen(text)};
    ask_clear(&ask);
    ask_init(&ask);
    return format->read(&ask, &in);
}

static void expect(const struct format *format, const char *path, const char *head,
                   const struct refusal *r)
{
    bool is_read = reads(format, path, head, r->body);
    if (r->reason == NULL) {
        ck_assert_msg(is_read, "refused %s: %s", r->body, ask.reason);
        return;
    }
    ck_assert_msg(!is_read, "took %s", r->body);
    const char *said = ask.reason[0] != 0 ? ask.reason : ask.bad_param != NULL ? ask.bad_param : "";
    ck_assert_msg(strstr(said, r->reason) != NULL, "%s: said %s", r->body, said);
}

/* ---- Chat -------------------------------------------------------------------------------- */

#define CHAT(messages) "{\"model\":\"m\",\"messages\":[" messages "]}"
#define ASK            "{\"role\":\"user\",\"content\":\"q\"}"
#define CALLS(ids)     "{\"role\":\"assistant\",\"content\":null,\"tool_calls\":[" ids "]}"
#define CALL(id)                                                                                   \
    "{\"id\":\"" id "\",\"type\":\"function\",\"function\":{\"name\":\"f\",\"arguments\":\"{}\"}}"
#define SAYS(id, text) "{\"role\":\"tool\",\"tool_call_id\":\"" id "\",\"content\":\"" text "\"}"

START_TEST(chat_tool_messages_follow_their_calls)
{
    /* clang-format off */
    static const struct refusal list[] = {
        {CHAT(ASK), NULL},
        {CHAT(ASK "," CALLS(CALL("a")) "," SAYS("a", "x")), NULL},
        {CHAT(ASK "," CALLS(CALL("a") "," CALL("b")) "," SAYS("b", "x") "," SAYS("a", "y")), NULL},
        {CHAT(ASK "," CALLS(CALL("a")) "," SAYS("a", "x") "," ASK), NULL},
        {CHAT(ASK "," SAYS("a", "x")), "must be a response to a preceding message"},
        {CHAT(ASK "," CALLS(CALL("a")) "," SAYS("b", "x")), "must be a response to a preceding"},
        {CHAT(ASK "," CALLS(CALL("a")) "," SAYS("a", "x") "," SAYS("a", "x")), "must be a response"},
        {CHAT(ASK "," CALLS(CALL("a")) "," ASK), "did not have response messages: a"},
        {CHAT(ASK "," CALLS(CALL("a") "," CALL("b")) "," SAYS("a", "x")), "messages: b"},
        {CHAT(ASK "," CALLS(CALL("a"))), "did not have response messages: a"},
        {"{\"model\":\"m\"}", "messages"},
        {"{" ASK "}", ""},
    };
    /* clang-format on */
    for (size_t i = 0; i < SIZE(list); i++)
        expect(&format_chat, "/v1/chat/completions", old_head, &list[i]);
}
END_TEST

START_TEST(chat_results_since_the_last_answer_are_kept_for_the_echo)
{
    ck_assert(reads(&format_chat, "/", old_head,
                    CHAT(ASK "," CALLS(CALL("a")) "," SAYS("a", "old") "," CALLS(
                        CALL("b")) "," SAYS("b", "new") "," ASK)));
    ck_assert_uint_eq(ask.result_count, 1);
    ck_assert(span_is(ask.results[0].text, "new"));
}
END_TEST

/* ---- Messages ---------------------------------------------------------------------------- */

#define MESSAGES(more, messages)                                                                   \
    "{\"model\":\"claude-sonnet-4-5\",\"max_tokens\":2000" more ",\"messages\":[" messages "]}"
#define USE(id)                                                                                    \
    "{\"role\":\"assistant\",\"content\":[{\"type\":\"tool_use\",\"id\":\"" id                     \
    "\",\"name\":\"f\",\"input\":{}}]}"
#define RESULT(id)                                                                                 \
    "{\"role\":\"user\",\"content\":[{\"type\":\"tool_result\",\"tool_use_id\":\"" id              \
    "\",\"content\":\"x\"}]}"
#define TOOLS ",\"tools\":[{\"name\":\"f\",\"input_schema\":{\"type\":\"object\"}}]"

START_TEST(messages_are_checked_as_the_api_does)
{
    /* clang-format off */
    static const struct refusal list[] = {
        {MESSAGES("", ASK), NULL},
        {MESSAGES("", ASK "," ASK), NULL},
        {MESSAGES("", ASK "," USE("a") "," RESULT("a")), NULL},
        {MESSAGES(TOOLS ",\"tool_choice\":{\"type\":\"tool\",\"name\":\"f\"}", ASK), NULL},
        {"{\"model\":\"m\",\"messages\":[" ASK "]}", "max_tokens: Field required"},
        {"{\"max_tokens\":5,\"messages\":[" ASK "]}", "model: Field required"},
        {MESSAGES("", ""), "at least one message is required"},
        {MESSAGES(",\"n\":1", ASK), "n: Extra inputs are not permitted"},
        {MESSAGES(",\"context_management\":{}", ASK), "context_management: Extra inputs"},
        {MESSAGES("", "{\"role\":\"assistant\",\"content\":\"x\"}," ASK), "first message must use"},
        {MESSAGES("", "{\"role\":\"tool\",\"content\":\"x\"}"), "Unexpected role \"tool\""},
        {MESSAGES("", "{\"role\":\"user\",\"content\":\"x\",\"name\":\"y\"}"), "messages.0.name: Extra"},
        {MESSAGES("", "{\"role\":\"user\",\"content\":\"\"}"), "must have non-empty content"},
        {MESSAGES("", "{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"\"}]}"), "must be non-empty"},
        {MESSAGES("", "{\"role\":\"user\",\"content\":[{\"type\":\"image_url\"}]}"), "'image_url' found using 'type'"},
        {MESSAGES("", "{\"role\":\"user\",\"content\":[{\"type\":\"image\",\"source\":{\"type\":\"base64\",\"media_type\":\"image/bmp\",\"data\":\"eA==\"}}]}"), "media_type"},
        {MESSAGES("", ASK "," USE("a") "," ASK), "`tool_use` ids were found without `tool_result`"},
        {MESSAGES("", ASK "," USE("a")), "`tool_use` ids were found without"},
        {MESSAGES("", ASK "," USE("a") "," RESULT("b")), "unexpected `tool_use_id`"},
        {MESSAGES("", ASK "," RESULT("a")), "unexpected `tool_use_id`"},
        {MESSAGES("", ASK "," USE("a b") "," RESULT("a b")), "String should match pattern"},
        {MESSAGES("", ASK ",{\"role\":\"assistant\",\"content\":[{\"type\":\"thinking\",\"thinking\":\"x\",\"signature\":\"eA==\"}]}," ASK), "Invalid `signature`"},
        {MESSAGES("", ASK ",{\"role\":\"assistant\",\"content\":\"so \"}"), "trailing whitespace"},
        {MESSAGES(",\"thinking\":{\"type\":\"enabled\",\"budget_tokens\":1024}", ASK "," USE("a") "," RESULT("a")), "Expected `thinking`"},
        {MESSAGES(",\"thinking\":{\"type\":\"enabled\",\"budget_tokens\":100}", ASK), "greater than or equal to 1024"},
        {MESSAGES(",\"thinking\":{\"type\":\"enabled\",\"budget_tokens\":2000}", ASK), "must be greater than `thinking.budget_tokens`"},
        {MESSAGES(TOOLS ",\"tool_choice\":\"auto\"", ASK), "tool_choice"},
        {MESSAGES(",\"tool_choice\":{\"type\":\"auto\"}", ASK), "while providing `tools`"},
        {MESSAGES(TOOLS ",\"tool_choice\":{\"type\":\"tool\",\"name\":\"g\"}", ASK), "Tool 'g' not found"},
        {MESSAGES(",\"tools\":[{\"name\":\"a.b\",\"input_schema\":{\"type\":\"object\"}}]", ASK), "String should match pattern"},
        {MESSAGES(",\"tools\":[{\"name\":\"f\",\"parameters\":{}}]", ASK), "parameters: Extra inputs"},
        {MESSAGES(",\"tools\":[{\"name\":\"f\"}]", ASK), "input_schema: Field required"},
        {MESSAGES(",\"tools\":[{\"name\":\"f\",\"input_schema\":{}}]", ASK), "Input should be 'object'"},
        {MESSAGES(",\"temperature\":1.5", ASK), "temperature"},
        {MESSAGES(",\"stop_sequences\":[\" \"]", ASK), "non-whitespace"},
        {MESSAGES(",\"system\":[{\"type\":\"text\",\"text\":\"a\",\"cache_control\":{\"type\":\"ephemeral\",\"ttl\":\"2h\"}}]", ASK), "'5m' or '1h'"},
        {MESSAGES(",\"output_config\":{\"effort\":\"minimal\"}", ASK), "output_config.effort"},
    };
    /* clang-format on */
    for (size_t i = 0; i < SIZE(list); i++)
        expect(&format_messages, "/v1/messages", old_head, &list[i]);
}
END_TEST

START_TEST(messages_need_their_version_and_obey_it)
{
    static const struct refusal missing = {MESSAGES("", ASK),
                                           "anthropic-version: header is required"};
    static const struct refusal warm = {MESSAGES(",\"temperature\":1", ASK),
                                        "temperature: Extra inputs"};
    static const struct refusal plain = {MESSAGES("", ASK), NULL};
    expect(&format_messages, "/v1/messages", "POST / HTTP/1.1\r\n\r\n", &missing);
    expect(&format_messages, "/v1/messages", new_head, &warm);
    expect(&format_messages, "/v1/messages", new_head, &plain);
}
END_TEST

START_TEST(messages_depend_on_the_generation_of_the_model)
{
#define FOR(model, more, messages)                                                                 \
    "{\"model\":\"" model "\",\"max_tokens\":2000" more ",\"messages\":[" messages "]}"
    /* clang-format off */
    static const struct refusal list[] = {
        {FOR("claude-opus-4-8", ",\"temperature\":0.5", ASK), "not supported for this model"},
        {FOR("claude-opus-4-8", ",\"thinking\":{\"type\":\"enabled\",\"budget_tokens\":1024}", ASK), "\"enabled\" is not supported"},
        {FOR("claude-opus-4-8", ",\"thinking\":{\"type\":\"adaptive\"}", ASK), NULL},
        {FOR("claude-haiku-4-5-20251001", ",\"thinking\":{\"type\":\"adaptive\"}", ASK), "adaptive thinking is not supported"},
        {FOR("claude-haiku-4-5-20251001", ",\"temperature\":0.5", ASK), NULL},
        {FOR("claude-opus-5-5", ",\"thinking\":{\"type\":\"disabled\"}", ASK), "\"disabled\" is not supported"},
        {FOR("claude-opus-5-5", TOOLS ",\"tool_choice\":{\"type\":\"any\"}", ASK), "forces tool use"},
        {FOR("claude-sonnet-5", "", ASK ",{\"role\":\"assistant\",\"content\":\"so\"}"), "does not support assistant message prefill"},
    };
    /* clang-format on */
    for (size_t i = 0; i < SIZE(list); i++)
        expect(&format_messages, "/v1/messages", old_head, &list[i]);
}
END_TEST

static void with_seal(const char *format, enum seal_kind kind, const char *model, const char *text)
{
    struct bytes seal = {0};
    seal_put(kind, span_of(model), span_of(text), &seal);
    bytes_put(&seal, "", 1);
    const char *at = strstr(format, "%s");
    body.len = 0;
    bytes_put(&body, format, (size_t)(at - format));
    bytes_puts(&body, seal.data);
    bytes_puts(&body, at + 2);
    bytes_put(&body, "", 1);
    bytes_clear(&seal);
}

START_TEST(messages_take_thinking_only_as_it_was)
{
    static const char thinking[] = MESSAGES(
        "", ASK ",{\"role\":\"assistant\",\"content\":[{\"type\":\"thinking\",\"thinking\":"
                "\"so\",\"signature\":\"%s\"},{\"type\":\"text\",\"text\":\"x\"}]}," ASK);
    struct refusal r = {NULL, NULL};
    with_seal(thinking, SEAL_THINKING, "claude-sonnet-4-5", "so");
    r.body = body.data;
    expect(&format_messages, "/v1/messages", old_head, &r);
    with_seal(thinking, SEAL_THINKING, "claude-opus-4-5", "so"); /* another model's is dropped */
    r.body = body.data;
    expect(&format_messages, "/v1/messages", old_head, &r);
    with_seal(thinking, SEAL_THINKING, "claude-sonnet-4-5", "other");
    r = (struct refusal){body.data, "cannot be modified"};
    expect(&format_messages, "/v1/messages", old_head, &r);
    seal_set_organisation("other");
    with_seal(thinking, SEAL_THINKING, "claude-sonnet-4-5", "so");
    seal_set_organisation("demo");
    r = (struct refusal){body.data, "Invalid `signature`"};
    expect(&format_messages, "/v1/messages", old_head, &r);
}
END_TEST

START_TEST(messages_take_thinking_without_its_text)
{
    static const char thinking[] = MESSAGES(
        "", ASK ",{\"role\":\"assistant\",\"content\":[{\"type\":\"thinking\",\"thinking\":"
                "\"\",\"signature\":\"%s\"},{\"type\":\"text\",\"text\":\"x\"}]}," ASK);
    struct refusal r = {NULL, NULL};
    with_seal(thinking, SEAL_THINKING, "claude-sonnet-4-5", "so");
    r.body = body.data;
    expect(&format_messages, "/v1/messages", old_head, &r);
    with_seal(thinking, SEAL_REASONING, "claude-sonnet-4-5", "so");
    r = (struct refusal){body.data, "Invalid `signature`"};
    expect(&format_messages, "/v1/messages", old_head, &r);
}
END_TEST

/* ---- Gemini ------------------------------------------------------------------------------ */

#define GEMINI(more, contents) "{\"contents\":[" contents "]" more "}"
#define SAY                    "{\"role\":\"user\",\"parts\":[{\"text\":\"q\"}]}"
#define FCALL                  "{\"role\":\"model\",\"parts\":[{\"functionCall\":{\"name\":\"f\",\"args\":{}}}]}"
#define FRESULT                                                                                    \
    "{\"role\":\"user\",\"parts\":[{\"functionResponse\":{\"name\":\"f\",\"response\":{"           \
    "\"output\":\"x\"}}}]}"
#define DECLARE(d)    ",\"tools\":[{\"functionDeclarations\":[" d "]}]"
#define PARAMETERS(p) DECLARE("{\"name\":\"f\",\"parameters\":" p "}")
#define CONFIG(c)     ",\"generationConfig\":{" c "}"

START_TEST(gemini_is_checked_as_the_api_does)
{
    /* clang-format off */
    static const struct refusal list[] = {
        {GEMINI("", SAY), NULL},
        {GEMINI("", SAY "," FCALL "," FRESULT), NULL},
        {GEMINI(PARAMETERS("{\"type\":\"OBJECT\",\"properties\":{\"a\":{\"type\":\"STRING\",\"enum\":[\"x\"]}},\"required\":[\"a\"]}"), SAY), NULL},
        {GEMINI(DECLARE("{\"name\":\"f\",\"parametersJsonSchema\":{\"type\":\"object\",\"additionalProperties\":false}}"), SAY), NULL},
        {GEMINI(",\"system_instruction\":{\"parts\":[{\"text\":\"s\"}]}", SAY), NULL},
        {GEMINI("", ""), "contents is not specified"},
        {GEMINI(",\"messages\":[]", SAY), "Unknown name \"messages\": Cannot find field."},
        {GEMINI(CONFIG("\"max_tokens\":5"), SAY), "Unknown name \"max_tokens\" at 'generation_config'"},
        {GEMINI("", "{\"role\":\"assistant\",\"parts\":[{\"text\":\"q\"}]}"), "valid role"},
        {GEMINI("", "{\"role\":\"user\",\"parts\":[]}"), "must not be empty"},
        {GEMINI("", "{\"role\":\"user\",\"parts\":[{}]}"), "must have one initialized field"},
        {GEMINI("", "{\"role\":\"user\",\"parts\":[{\"text\":\"a\",\"functionCall\":{\"name\":\"f\"}}]}"), "already set"},
        {GEMINI("", SAY "," FRESULT), "immediately after a function call turn"},
        {GEMINI("", SAY "," FCALL "," SAY), "the number of function response parts"},
        {GEMINI("", SAY "," FCALL), "the number of function response parts"},
        {GEMINI("", SAY "," FCALL ",{\"parts\":[{\"functionResponse\":{\"name\":\"g\",\"response\":{}}}]}"), "the number of function response parts"},
        {GEMINI("", FCALL "," FRESULT), "immediately after a user turn"},
        {GEMINI("", SAY "," FCALL ",{\"parts\":[{\"functionResponse\":{\"name\":\"f\",\"response\":\"x\"}}]}"), "function_response.response"},
        {GEMINI("", SAY ",{\"role\":\"model\",\"parts\":[{\"functionCall\":{\"name\":\"f\",\"args\":\"{}\"}}]}," FRESULT), "function_call.args"},
        {GEMINI(DECLARE("{\"name\":\"a b\"}"), SAY), "Invalid function name"},
        {GEMINI(DECLARE("{\"name\":\"1f\"}"), SAY), "Invalid function name"},
        {GEMINI(DECLARE("{\"name\":\"f\"},{\"name\":\"f\"}"), SAY), "Duplicate function declaration"},
        {GEMINI(DECLARE("{\"name\":\"f\",\"parameters\":{\"type\":\"STRING\"},\"parametersJsonSchema\":{}}"), SAY), "must not both be set"},
        {GEMINI(DECLARE("{\"name\":\"f\",\"strict\":true}"), SAY), "Unknown name \"strict\""},
        {GEMINI(PARAMETERS("{\"type\":\"OBJECT\",\"additionalProperties\":false,\"properties\":{\"a\":{\"type\":\"STRING\"}}}"), SAY), "additionalProperties"},
        {GEMINI(PARAMETERS("{\"type\":\"OBJECT\",\"properties\":{\"a\":{\"$ref\":\"#/x\"}}}"), SAY), "$ref"},
        {GEMINI(PARAMETERS("{\"type\":\"OBJECT\",\"properties\":{\"a\":{\"type\":[\"string\",\"null\"]}}}"), SAY), "not repeating"},
        {GEMINI(PARAMETERS("{\"type\":\"OBJECT\",\"properties\":{}}"), SAY), "should be non-empty for OBJECT type"},
        {GEMINI(PARAMETERS("{\"type\":\"OBJECT\",\"properties\":{\"a\":{\"type\":\"ARRAY\"}}}"), SAY), "items: missing field"},
        {GEMINI(PARAMETERS("{\"type\":\"OBJECT\",\"properties\":{\"a\":{\"type\":\"INTEGER\",\"enum\":[1]}}}"), SAY), "only allowed for STRING"},
        {GEMINI(PARAMETERS("{\"type\":\"OBJECT\",\"properties\":{\"a\":{\"type\":\"STRING\"}},\"required\":[\"b\"]}"), SAY), "property is not defined: b"},
        {GEMINI(",\"toolConfig\":{\"functionCallingConfig\":{\"mode\":\"AUTO\",\"allowedFunctionNames\":[\"f\"]}}" DECLARE("{\"name\":\"f\"}"), SAY), "ANY or VALIDATED"},
        {GEMINI(",\"toolConfig\":{\"functionCallingConfig\":{\"mode\":\"ANY\",\"allowedFunctionNames\":[\"g\"]}}" DECLARE("{\"name\":\"f\"}"), SAY), "g is not declared"},
        {GEMINI(",\"toolConfig\":{\"functionCallingConfig\":{\"mode\":\"auto\"}}", SAY), "function_calling_config.mode"},
        {GEMINI(CONFIG("\"candidateCount\":2"), SAY), "Multiple candidates"},
        {GEMINI(CONFIG("\"temperature\":3"), SAY), "temperature"},
        {GEMINI(CONFIG("\"maxOutputTokens\":0"), SAY), "max_output_tokens"},
        {GEMINI(CONFIG("\"stopSequences\":[\"a\",\"b\",\"c\",\"d\",\"e\",\"f\"]"), SAY), "at most 5"},
        {GEMINI(CONFIG("\"responseSchema\":{\"type\":\"STRING\"}"), SAY), "response_mime_type application/json"},
        {GEMINI(CONFIG("\"thinkingConfig\":{\"thinkingBudget\":1,\"thinkingLevel\":\"LOW\"}"), SAY), "only set one of"},
        {GEMINI(CONFIG("\"thinkingConfig\":{\"thinkingLevel\":\"xhigh\"}"), SAY), "thinking_level"},
        {GEMINI(",\"cachedContent\":\"cachedContents/x\"", SAY), "CachedContent not found"},
    };
    /* clang-format on */
    for (size_t i = 0; i < SIZE(list); i++)
        expect(&format_gemini, "/v1beta/models/gemini-x:generateContent", old_head, &list[i]);
}
END_TEST

START_TEST(gemini_from_3_on_wants_the_signature_of_the_first_call_of_each_step)
{
    static const char new_model[] = "/v1beta/models/gemini-3-pro:generateContent";
    static const char old_model[] = "/v1beta/models/gemini-2.5-pro:generateContent";
    static const char step[] = GEMINI(
        "", SAY ",{\"role\":\"model\",\"parts\":[{\"functionCall\":{\"name\":\"f\",\"args\":{}},"
                "\"thoughtSignature\":\"%s\"},{\"functionCall\":{\"name\":\"g\",\"args\":{}}}]},"
                "{\"parts\":[{\"functionResponse\":{\"name\":\"f\",\"response\":{}}},"
                "{\"functionResponse\":{\"name\":\"g\",\"response\":{}}}]}");
    static const struct refusal missing = {GEMINI("", SAY "," FCALL "," FRESULT),
                                           "missing a thought_signature"};
    static const struct refusal earlier = {GEMINI("", SAY "," FCALL "," FRESULT "," SAY), NULL};
    struct refusal r = {NULL, NULL};
    expect(&format_gemini, new_model, old_head, &missing);
    expect(&format_gemini, new_model, old_head, &earlier);
    ck_assert(reads(&format_gemini, old_model, old_head, missing.body));
    with_seal(step, SEAL_CALL, "gemini-3-pro", "f");
    r.body = body.data;
    expect(&format_gemini, new_model, old_head, &r);
    with_seal(step, SEAL_CALL, "gemini-3-flash", "f");
    r = (struct refusal){body.data, "signature is not valid"};
    expect(&format_gemini, new_model, old_head, &r);
    with_seal(step, SEAL_CALL, "gemini-3-pro", "g");
    r.body = body.data;
    expect(&format_gemini, new_model, old_head, &r);
}
END_TEST

START_TEST(gemini_takes_the_literal_in_place_of_a_signature)
{
    static const struct refusal literal = {
        GEMINI("",
               SAY ",{\"role\":\"model\",\"parts\":[{\"functionCall\":{\"name\":\"f\",\"args\":{}},"
                   "\"thoughtSignature\":\"skip_thought_signature_validator\"}]}," FRESULT),
        NULL};
    expect(&format_gemini, "/v1/models/gemini-3-pro:generateContent", old_head, &literal);
}
END_TEST

START_TEST(gemini_model_is_decoded_from_the_path)
{
    char text[64] = {0};
    ck_assert(reads(&format_gemini, "/v1beta/v1/models/a%2Fb%40tool%3D1:generateContent", old_head,
                    GEMINI("", SAY)));
    scan_decode(ask.model, text, sizeof(text) - 1);
    ck_assert_str_eq(text, "a/b@tool=1");
    ck_assert(!reads(&format_gemini, "/v1beta/models/:generateContent", old_head, GEMINI("", SAY)));
    ck_assert(
        !reads(&format_gemini, "/v1beta/models/a%22:generateContent", old_head, GEMINI("", SAY)));
}
END_TEST

/* ---- Responses --------------------------------------------------------------------------- */

#define RESPONSES(more) "{\"model\":\"m\"" more "}"
#define INPUT(items)    ",\"input\":[" items "]"
#define RCALL           "{\"type\":\"function_call\",\"call_id\":\"a\",\"name\":\"f\",\"arguments\":\"{}\"}"
#define ROUTPUT         "{\"type\":\"function_call_output\",\"call_id\":\"a\",\"output\":\"x\"}"

START_TEST(responses_are_checked_as_the_api_does)
{
    /* clang-format off */
    static const struct refusal list[] = {
        {RESPONSES(",\"input\":\"q\""), NULL},
        {RESPONSES(INPUT(ASK "," RCALL "," ROUTPUT)), NULL},
        {RESPONSES(",\"input\":\"q\",\"max_output_tokens\":16"), NULL},
        {RESPONSES(INPUT("{\"role\":\"assistant\",\"content\":[{\"type\":\"output_text\",\"text\":\"x\"}]}," ASK)), NULL},
        {"{\"input\":\"q\"}", "'model'"},
        {RESPONSES(""), "'input'"},
        {RESPONSES(",\"input\":[]"), "'input'"},
        {RESPONSES(",\"input\":\"q\",\"messages\":[]"), "Unknown parameter: 'messages'"},
        {RESPONSES(",\"input\":\"q\",\"max_tokens\":50"), "Unknown parameter: 'max_tokens'"},
        {RESPONSES(",\"input\":\"q\",\"stop\":[\"a\"]"), "Unknown parameter: 'stop'"},
        {RESPONSES(",\"input\":\"q\",\"max_output_tokens\":15"), "Expected a value >= 16"},
        {RESPONSES(INPUT(ROUTPUT)), "No tool call found for function call output with call_id a"},
        {RESPONSES(INPUT(ASK "," RCALL)), "No tool output found for function call a"},
        {RESPONSES(INPUT(ASK "," RCALL ",{\"type\":\"custom_tool_call_output\",\"call_id\":\"a\",\"output\":\"x\"}")), "No tool call found for custom tool"},
        {RESPONSES(INPUT("{\"role\":\"tool\",\"content\":\"x\"}")), "Invalid value: 'tool'"},
        {RESPONSES(INPUT("{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"x\"}]}")), "Invalid value: 'text'"},
        {RESPONSES(INPUT("{\"role\":\"assistant\",\"content\":[{\"type\":\"input_text\",\"text\":\"x\"}]}")), "'output_text' and 'refusal'"},
        {RESPONSES(INPUT("{\"role\":\"user\",\"content\":[{\"type\":\"input_image\",\"image_url\":{\"url\":\"x\"}}]}")), "got an object instead"},
        {RESPONSES(INPUT("{\"type\":\"tool_use\"}")), "Invalid value: 'tool_use'"},
        {RESPONSES(INPUT("{\"type\":\"item_reference\",\"id\":\"x\"}")), "Item with id 'x' not found"},
        {RESPONSES(INPUT("{\"type\":\"reasoning\",\"id\":\"rs_1\",\"summary\":[],\"encrypted_content\":\"eA==\"}," ASK)), "could not be verified"},
        {RESPONSES(INPUT("{\"type\":\"reasoning\",\"id\":\"rs_1\",\"summary\":[]}")), "required following item"},
        {RESPONSES(",\"input\":\"q\",\"previous_response_id\":\"resp_x\""), "'resp_x' not found"},
        {RESPONSES(",\"input\":\"q\",\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"f\"}}]"), "'tools[].name'"},
        {RESPONSES(",\"input\":\"q\",\"tools\":[{\"type\":\"function\",\"name\":\"f.g\"}]"), "does not match pattern"},
        {RESPONSES(",\"input\":\"q\",\"tools\":[{\"type\":\"bash_20250124\",\"name\":\"f\"}]"), "'bash_20250124'"},
        {RESPONSES(",\"input\":\"q\",\"tool_choice\":{\"type\":\"function\",\"name\":\"f\"}"), "'f' not found"},
        {RESPONSES(",\"input\":\"q\",\"text\":{\"format\":{\"type\":\"json_schema\",\"json_schema\":{}}}"), "'text.format.name'"},
        {RESPONSES(",\"input\":\"q\",\"reasoning\":{\"effort\":\"huge\"}"), "reasoning.effort"},
        {RESPONSES(",\"input\":\"q\",\"include\":[\"x\"]"), "'x'"},
        {"{\"model\":\"gpt-5\",\"input\":\"q\",\"temperature\":0.5}", "not supported with this model"},
    };
    /* clang-format on */
    for (size_t i = 0; i < SIZE(list); i++)
        expect(&format_responses, "/v1/responses", old_head, &list[i]);
}
END_TEST

START_TEST(responses_take_reasoning_only_from_the_same_model)
{
    static const char item[] =
        RESPONSES(INPUT(ASK ",{\"type\":\"reasoning\",\"id\":\"rs_1\",\"summary\":[],"
                            "\"encrypted_content\":\"%s\"}," RCALL "," ROUTPUT));
    struct refusal r = {NULL, NULL};
    with_seal(item, SEAL_REASONING, "m", "");
    r.body = body.data;
    expect(&format_responses, "/v1/responses", old_head, &r);
    with_seal(item, SEAL_REASONING, "n", "");
    r = (struct refusal){body.data, "could not be verified"};
    expect(&format_responses, "/v1/responses", old_head, &r);
    ck_assert_str_eq(ask.code, "invalid_encrypted_content");
}
END_TEST

START_TEST(what_is_not_json_is_refused_by_every_format)
{
    static const struct format *const formats[] = {&format_chat, &format_messages, &format_gemini,
                                                   &format_responses};
    static const char *const texts[] = {"", "[]", "{", "\"x\"", "{\"model\":\"m\",}"};
    for (size_t i = 0; i < SIZE(formats); i++)
        for (size_t k = 0; k < SIZE(texts); k++) {
            ck_assert(!reads(formats[i], "/v1/models/m:generateContent", old_head, texts[k]));
            ck_assert_str_eq(ask.reason, "");
        }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("provider_refusals");
    TCase *tests = tcase_create("refusals");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, chat_tool_messages_follow_their_calls);
    tcase_add_test(tests, chat_results_since_the_last_answer_are_kept_for_the_echo);
    tcase_add_test(tests, messages_are_checked_as_the_api_does);
    tcase_add_test(tests, messages_need_their_version_and_obey_it);
    tcase_add_test(tests, messages_depend_on_the_generation_of_the_model);
    tcase_add_test(tests, messages_take_thinking_only_as_it_was);
    tcase_add_test(tests, messages_take_thinking_without_its_text);
    tcase_add_test(tests, gemini_is_checked_as_the_api_does);
    tcase_add_test(tests, gemini_from_3_on_wants_the_signature_of_the_first_call_of_each_step);
    tcase_add_test(tests, gemini_takes_the_literal_in_place_of_a_signature);
    tcase_add_test(tests, gemini_model_is_decoded_from_the_path);
    tcase_add_test(tests, responses_are_checked_as_the_api_does);
    tcase_add_test(tests, responses_take_reasoning_only_from_the_same_model);
    tcase_add_test(tests, what_is_not_json_is_refused_by_every_format);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
