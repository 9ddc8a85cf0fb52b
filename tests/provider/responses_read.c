#include "tests/provider/responses.h"

#include "tests/provider/seal.h"
#include "tests/provider/tree.h"

#include <ctype.h>
#include <string.h>

enum { CALLS_MAX = 256, OUTPUT_TOKENS_MIN = 16, NAME_BYTES_MAX = 64 };

static const char body_words[] =
    "background context_management conversation include input instructions max_output_tokens "
    "max_tool_calls metadata model moderation parallel_tool_calls previous_response_id prompt "
    "prompt_cache_key prompt_cache_options prompt_cache_retention reasoning safety_identifier "
    "service_tier store stream stream_options temperature text tool_choice tools top_logprobs "
    "top_p "
    "truncation user client_metadata image access_programs";
static const char include_words[] =
    "reasoning.encrypted_content message.output_text.logprobs message.input_image.image_url "
    "web_search_call.results web_search_call.action.sources file_search_call.results "
    "code_interpreter_call.outputs computer_call_output.output.image_url";
static const char hosted_tools[] =
    "web_search web_search_2025_08_26 web_search_preview web_search_preview_2025_03_11 file_search "
    "code_interpreter image_generation computer computer_use_preview mcp local_shell shell "
    "apply_patch tool_search programmatic_tool_calling";
static const char hosted_items[] =
    "web_search_call file_search_call code_interpreter_call image_generation_call computer_call "
    "computer_call_output local_shell_call local_shell_call_output shell_call shell_call_output "
    "apply_patch_call apply_patch_call_output mcp_list_tools mcp_call mcp_approval_request "
    "mcp_approval_response tool_search_call tool_search_output configuration_update program "
    "program_output compaction_trigger";

struct call {
    struct span id;
    bool is_custom;
    bool is_answered;
};

struct reading {
    struct ask *ask;
    struct call calls[CALLS_MAX];
    size_t call_count;
    struct span earlier; /* the answer that previous_response_id names */
    bool was_output;     /* the item before was a tool's output */
    bool was_reasoning;  /* the item before was reasoning */
};

static bool same(struct span a, struct span b)
{
    return a.len == b.len && memcmp(a.at, b.at, a.len) == 0;
}

static bool is_name(struct span s)
{
    for (size_t i = 0; i < s.len; i++)
        if (isalnum((unsigned char)s.at[i]) == 0 && s.at[i] != '_' && s.at[i] != '-')
            return false;
    return s.len > 0 && s.len <= NAME_BYTES_MAX;
}

/* Models that take no sampling parameters. */
static bool is_reasoning_model(struct span model)
{
    static const char *const starts[] = {"o1", "o3", "o4", "gpt-5", "gpt-6"};
    for (size_t i = 0; i < sizeof(starts) / sizeof(starts[0]); i++) {
        size_t len = strlen(starts[i]);
        if (model.len >= len && memcmp(model.at, starts[i], len) == 0)
            return true;
    }
    return false;
}

/* ---- input items ------------------------------------------------------------------------- */

static void read_part(struct reading *r, const struct node *part, struct span role,
                      struct span *said, struct span *marker)
{
    struct span type = node_text(node_get(part, "type"));
    bool is_assistant = span_is(role, "assistant");
    const char *allowed = is_assistant ? "output_text refusal"
                                       : "input_text input_image input_file input_audio";
    if (!node_in(type, allowed) || type.len == 0) {
        ask_refuse(r->ask, "Invalid value: '%.*s'. Supported values are: %s.", span_shown(type),
                   type.at,
                   is_assistant ? "'output_text' and 'refusal'"
                                : "'input_text', 'input_image', 'input_file' and 'input_audio'");
        return;
    }
    if (span_is(type, "input_text") || span_is(type, "output_text")) {
        const struct node *text = node_get(part, "text");
        if (node_kind(text) != '"')
            ask_refuse(r->ask, "Missing required parameter: 'input.content.text'.");
        else if (span_is(role, "user"))
            ask_hear(text->raw, said, marker);
    } else if (span_is(type, "input_image")) {
        const struct node *url = node_get(part, "image_url");
        if (url != NULL && url->kind != '"')
            ask_refuse(r->ask, "Invalid type for 'input.content.image_url': expected an image URL, "
                               "but got an object instead.");
        else if (url == NULL && node_get(part, "file_id") == NULL)
            ask_refuse(r->ask, "Missing required parameter: 'input.content.image_url'.");
    }
}

static void read_message(struct reading *r, const struct node *item)
{
    struct span role = node_text(node_get(item, "role"));
    const struct node *content = node_get(item, "content");
    struct span said = {0};
    struct span marker = {0};
    if (!node_in(role, "user assistant system developer") || role.len == 0) {
        ask_refuse(r->ask,
                   "Invalid value: '%.*s'. Supported values are: 'assistant', 'system', "
                   "'developer', and 'user'.",
                   span_shown(role), role.at);
        return;
    }
    if (node_kind(content) == '"' && span_is(role, "user"))
        ask_hear(content->raw, &said, &marker);
    else if (node_kind(content) != '"' && node_kind(content) != '[')
        ask_refuse(r->ask, "Missing required parameter: 'input.content'.");
    for (const struct node *p = node_first(content); p != NULL; p = p->next)
        read_part(r, p, role, &said, &marker);
    if (span_is(role, "assistant"))
        r->ask->result_count = 0;
    if (span_is(role, "user") && said.at != NULL) {
        r->ask->said = said;
        r->ask->marker = marker;
    }
}

static void read_call(struct reading *r, const struct node *item, bool is_custom)
{
    struct span id = node_text(node_get(item, "call_id"));
    const char *member = is_custom ? "input" : "arguments";
    if (id.len == 0)
        ask_refuse(r->ask, "Missing required parameter: 'input.call_id'.");
    else if (node_text(node_get(item, "name")).len == 0)
        ask_refuse(r->ask, "Missing required parameter: 'input.name'.");
    else if (node_kind(node_get(item, member)) != '"')
        ask_refuse(r->ask, "Invalid type for 'input.%s': expected a string.", member);
    if (r->was_output)
        r->ask->result_count = 0;
    if (r->call_count < CALLS_MAX)
        r->calls[r->call_count++] = (struct call){.id = id, .is_custom = is_custom};
}

static void read_output(struct reading *r, const struct node *item, bool is_custom)
{
    struct span id = node_text(node_get(item, "call_id"));
    const struct node *output = node_get(item, "output");
    bool is_kept = id.len > 0 && r->earlier.len > 0 &&
                   memmem(r->earlier.at, r->earlier.len, id.at, id.len) != NULL;
    bool goes_on = false;
    size_t i = 0;
    while (i < r->call_count && (!same(r->calls[i].id, id) || r->calls[i].is_answered ||
                                 r->calls[i].is_custom != is_custom))
        i++;
    if (i == r->call_count && !is_kept) {
        ask_refuse(r->ask, "No tool call found for %s call output with call_id %.*s.",
                   is_custom ? "custom tool" : "function", span_shown(id), id.at);
        return;
    }
    if (i < r->call_count)
        r->calls[i].is_answered = true;
    if (node_kind(output) == '"')
        ask_add_result(r->ask, output->raw, false, false);
    else if (node_kind(output) != '[')
        ask_refuse(r->ask, "Invalid type for 'input.output': expected a string or an array.");
    for (const struct node *p = node_first(output); p != NULL; p = p->next) {
        bool is_text = node_is(node_get(p, "type"), "input_text");
        if (!is_text && !node_is(node_get(p, "type"), "input_image") &&
            !node_is(node_get(p, "type"), "input_file"))
            ask_refuse(r->ask, "Invalid value for 'input.output.type'. Supported values are: "
                               "'input_text', 'input_image' and 'input_file'.");
        ask_add_result(r->ask, is_text ? node_text(node_get(p, "text")) : span_of("[image]"), false,
                       goes_on);
        goes_on = true;
    }
}

static void read_reasoning(struct reading *r, const struct node *item)
{
    const struct node *sealed = node_get(item, "encrypted_content");
    struct span id = node_text(node_get(item, "id"));
    if (node_kind(node_get(item, "summary")) != '[')
        ask_refuse(r->ask, "Missing required parameter: 'input.summary'.");
    if (sealed == NULL && r->earlier.len == 0 && responses_kept_find(id).len == 0)
        return; /* its text alone is harmless */
    if (sealed != NULL && seal_check(node_text(sealed), SEAL_REASONING, r->ask->model,
                                     (struct span){"", 0}) != SEAL_FITS) {
        r->ask->code = "invalid_encrypted_content";
        ask_refuse(r->ask,
                   "The encrypted content for item %.*s could not be verified. Reason: "
                   "Encrypted content could not be decrypted or parsed.",
                   span_shown(id), id.at);
    }
}

static void read_tools(struct reading *r, const struct node *tools, struct span space);

static void read_item(struct reading *r, const struct node *item)
{
    const struct node *named = node_get(item, "type");
    struct span type = named != NULL ? node_text(named) : span_of("message");
    bool is_output = span_is(type, "function_call_output") ||
                     span_is(type, "custom_tool_call_output");
    if (span_is(type, "message"))
        read_message(r, item);
    else if (span_is(type, "function_call") || span_is(type, "custom_tool_call"))
        read_call(r, item, span_is(type, "custom_tool_call"));
    else if (is_output)
        read_output(r, item, span_is(type, "custom_tool_call_output"));
    else if (span_is(type, "reasoning"))
        read_reasoning(r, item);
    else if (span_is(type, "item_reference"))
        ask_refuse(r->ask, "Item with id '%.*s' not found.",
                   span_shown(node_text(node_get(item, "id"))), node_text(node_get(item, "id")).at);
    else if (span_is(type, "additional_tools"))
        read_tools(r, node_get(item, "tools"), (struct span){"", 0});
    else if (span_is(type, "compaction")) {
        if (seal_check(node_text(node_get(item, "encrypted_content")), SEAL_COMPACTION,
                       r->ask->model, (struct span){"", 0}) != SEAL_FITS)
            ask_refuse(r->ask, "The encrypted content of the compaction could not be verified.");
    } else if (!node_in(type, hosted_items))
        ask_refuse(r->ask, "Invalid value: '%.*s'. Supported values are the item types of the API.",
                   span_shown(type), type.at);
    r->was_output = is_output;
    r->was_reasoning = span_is(type, "reasoning");
}

static void read_input(struct reading *r, const struct node *body)
{
    const struct node *input = node_get(body, "input");
    struct span whole;
    if (node_kind(input) == '"') {
        r->ask->said = input->raw;
        script_find_in_text(input->raw, &whole, &r->ask->marker);
        return;
    }
    if (node_first(input) == NULL) {
        if (r->earlier.len == 0 && node_get(body, "prompt") == NULL)
            ask_refuse(r->ask, "Missing required parameter: 'input'.");
        return;
    }
    for (const struct node *item = input->child; item != NULL; item = item->next)
        read_item(r, item);
    if (r->was_reasoning)
        ask_refuse(r->ask, "Item of type 'reasoning' was provided without its required following "
                           "item.");
    for (size_t i = 0; i < r->call_count; i++)
        if (!r->calls[i].is_answered)
            ask_refuse(r->ask, "No tool output found for %s call %.*s.",
                       r->calls[i].is_custom ? "custom tool" : "function",
                       span_shown(r->calls[i].id), r->calls[i].id.at);
}

/* ---- tools ------------------------------------------------------------------------------- */

static void read_tool(struct reading *r, const struct node *t, struct span space)
{
    struct span type = node_text(node_get(t, "type"));
    struct span name = node_text(node_get(t, "name"));
    bool is_custom = span_is(type, "custom");
    if (span_is(type, "namespace")) {
        read_tools(r, node_get(t, "tools"), name);
        return;
    }
    if (node_in(type, hosted_tools) && type.len > 0)
        return;
    if (!is_custom && !span_is(type, "function")) {
        ask_refuse(r->ask, "Invalid value: '%.*s'. Supported values are the tool types of the API.",
                   span_shown(type), type.at);
        return;
    }
    const struct node *stranger = node_stranger(
        t, is_custom ? "type name description format defer_loading allowed_callers"
                     : "type name description parameters strict defer_loading output_schema "
                       "allowed_callers async");
    if (stranger != NULL && !node_in(stranger->key, "function custom"))
        ask_refuse(r->ask, "Unknown parameter: 'tools[].%.*s'.", span_shown(stranger->key),
                   stranger->key.at);
    if (name.len == 0)
        ask_refuse(r->ask, "Missing required parameter: 'tools[].name'.");
    else if (!is_name(name))
        ask_refuse(r->ask,
                   "Invalid 'tools[].name': string does not match pattern. Expected a string "
                   "that matches the pattern '^[a-zA-Z0-9_-]+$'.");
    if (node_get(t, "parameters") != NULL && node_get(t, "parameters")->kind != '{')
        ask_refuse(r->ask, "Invalid type for 'tools[].parameters': expected an object.");
    ask_add_tool(r->ask, name, space, is_custom);
}

static void read_tools(struct reading *r, const struct node *tools, struct span space)
{
    if (tools != NULL && tools->kind != '[')
        ask_refuse(r->ask, "Invalid type for 'tools': expected an array of objects.");
    for (const struct node *t = node_first(tools); t != NULL; t = t->next)
        read_tool(r, t, space);
}

static void read_tool_choice(struct reading *r, const struct node *choice)
{
    struct span type = node_text(node_get(choice, "type"));
    struct span name = node_text(node_get(choice, "name"));
    size_t i = 0;
    if (choice == NULL)
        return;
    if (choice->kind == '"') {
        if (!node_in(choice->raw, "none auto required"))
            ask_refuse(r->ask,
                       "Invalid value: '%.*s'. Supported values are: 'none', 'auto', and "
                       "'required'.",
                       span_shown(choice->raw), choice->raw.at);
        r->ask->must_call = node_is(choice, "required") && r->ask->tool_count > 0;
        r->ask->must_not_call = node_is(choice, "none");
        return;
    }
    if (!span_is(type, "function") && !span_is(type, "custom")) {
        if (node_in(type, hosted_tools) || node_in(type, "allowed_tools mcp"))
            return;
        ask_refuse(r->ask, "Invalid value for 'tool_choice.type'.");
        return;
    }
    while (i < r->ask->tool_count && !same(r->ask->tools[i].name, name))
        i++;
    if (name.len == 0)
        ask_refuse(r->ask, "Missing required parameter: 'tool_choice.name'.");
    else if (i == r->ask->tool_count)
        ask_refuse(r->ask, "Tool choice '%.*s' not found in 'tools' parameter.", span_shown(name),
                   name.at);
    else {
        r->ask->must_call = true;
        r->ask->forced = r->ask->tools[i];
    }
}

/* ---- the other members ------------------------------------------------------------------- */

static void read_text_format(struct reading *r, const struct node *body)
{
    const struct node *text = node_get(body, "text");
    const struct node *format = node_get(text, "format");
    const struct node *schema = node_get(format, "schema");
    struct span type = node_text(node_get(format, "type"));
    const struct node *verbosity = node_get(text, "verbosity");
    if (verbosity != NULL && !node_in(node_text(verbosity), "low medium high"))
        ask_refuse(r->ask, "Invalid value for 'text.verbosity'.");
    if (format == NULL)
        return;
    if (span_is(type, "json_object"))
        bytes_puts(&r->ask->json, "{\"answer\":\"demo\"}");
    else if (span_is(type, "json_schema") && !is_name(node_text(node_get(format, "name"))))
        ask_refuse(r->ask, "Missing required parameter: 'text.format.name'.");
    else if (span_is(type, "json_schema") && node_kind(schema) != '{')
        ask_refuse(r->ask, "Missing required parameter: 'text.format.schema'.");
    else if (span_is(type, "json_schema"))
        node_put_example(schema, schema, span_of("demo"), &r->ask->json);
    else if (!span_is(type, "text"))
        ask_refuse(r->ask, "Invalid value for 'text.format.type'.");
}

static void read_reasoning_config(struct reading *r, const struct node *body)
{
    const struct node *config = node_get(body, "reasoning");
    const struct node *effort = node_get(config, "effort");
    const struct node *summary = node_get_either(config, "summary", "generate_summary");
    const struct node *stranger =
        node_stranger(config, "effort summary context mode generate_summary");
    if (stranger != NULL)
        ask_refuse(r->ask, "Unknown parameter: 'reasoning.%.*s'.", span_shown(stranger->key),
                   stranger->key.at);
    if (effort != NULL && !node_in(node_text(effort), "none minimal low medium high xhigh max"))
        ask_refuse(r->ask, "Invalid value for 'reasoning.effort'.");
    if (summary != NULL && !node_in(node_text(summary), "auto concise detailed"))
        ask_refuse(r->ask, "Invalid value for 'reasoning.summary'.");
    r->ask->wants_thinking = (effort != NULL && !node_is(effort, "none")) || summary != NULL;
    r->ask->hides_thinking = summary == NULL;
}

static void read_limits(struct reading *r, const struct node *body)
{
    const struct node *max = node_get(body, "max_output_tokens");
    double temperature = node_real(node_get(body, "temperature"), 1);
    double top_p = node_real(node_get(body, "top_p"), 1);
    if (max != NULL && (node_int(max, 0) < OUTPUT_TOKENS_MIN)) {
        r->ask->code = "integer_below_min_value";
        ask_refuse(r->ask,
                   "Invalid 'max_output_tokens': integer below minimum value. Expected a "
                   "value >= 16, but got %lld instead.",
                   (long long)node_int(max, 0));
    }
    r->ask->max_tokens = node_int(max, 0);
    if (temperature < 0 || temperature > 2)
        ask_refuse(r->ask, "Invalid 'temperature': decimal out of range. Expected 0 to 2.");
    if (top_p < 0 || top_p > 1)
        ask_refuse(r->ask, "Invalid 'top_p': decimal out of range. Expected 0 to 1.");
    if (is_reasoning_model(r->ask->model) && (temperature < 1 || temperature > 1 || top_p < 1)) {
        r->ask->code = "unsupported_parameter";
        ask_refuse(r->ask, "Unsupported parameter: '%s' is not supported with this model.",
                   top_p < 1 ? "top_p" : "temperature");
    }
    for (const struct node *i = node_first(node_get(body, "include")); i != NULL; i = i->next)
        if (!node_in(node_text(i), include_words))
            ask_refuse(r->ask,
                       "Invalid value: '%.*s'. Supported values of 'include' are those of "
                       "the API.",
                       span_shown(node_text(i)), node_text(i).at);
}

/* ---- whole requests ---------------------------------------------------------------------- */

static bool read_request(struct ask *ask, const struct node *body)
{
    struct reading r = {.ask = ask};
    const struct node *stranger = node_stranger(body, body_words);
    struct span previous = node_text(node_get(body, "previous_response_id"));
    if (stranger != NULL) {
        ask->code = "unknown_parameter";
        ask_refuse(ask, "Unknown parameter: '%.*s'.", span_shown(stranger->key), stranger->key.at);
    }
    ask->model = node_text(node_get(body, "model"));
    if (ask->model.len == 0)
        ask_refuse(ask, "Missing required parameter: 'model'.");
    if (previous.len > 0) {
        r.earlier = responses_kept_find(previous);
        if (r.earlier.len == 0) {
            ask->code = "previous_response_not_found";
            ask_refuse(ask, "Previous response with id '%.*s' not found.", span_shown(previous),
                       previous.at);
        }
    }
    ask->is_stream = node_kind(node_get(body, "stream")) == 't';
    ask->is_unkept = node_kind(node_get(body, "store")) == 'f';
    if (node_kind(node_get(body, "background")) == 't' && ask->is_unkept)
        ask_refuse(ask, "Background mode requires store to be true.");
    read_limits(&r, body);
    read_reasoning_config(&r, body);
    read_text_format(&r, body);
    read_tools(&r, node_get(body, "tools"), (struct span){"", 0});
    read_input(&r, body);
    read_tool_choice(&r, node_get(body, "tool_choice"));
    return ask->reason[0] == 0;
}

bool responses_read(struct ask *ask, const struct inquiry *in)
{
    const struct node *body = tree_parse(in->body, in->len);
    if (node_kind(body) != '{' || !read_request(ask, body))
        return false;
    responses_echo(&ask->echo, body);
    return true;
}

bool responses_read_compact(struct ask *ask, const struct inquiry *in)
{
    if (!responses_read_count(ask, in))
        return false;
    bytes_puts(&ask->echo, "\"");
    bytes_put_span(&ask->echo, ask->said);
    bytes_puts(&ask->echo, "\"");
    return true;
}

bool responses_read_count(struct ask *ask, const struct inquiry *in)
{
    const struct node *body = tree_parse(in->body, in->len);
    if (node_kind(body) != '{' || !read_request(ask, body))
        return false;
    ask->is_stream = false;
    return true;
}
