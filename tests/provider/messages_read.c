#include "tests/provider/messages.h"

#include "tests/provider/inbound.h"
#include "tests/provider/seal.h"
#include "tests/provider/tree.h"

#include <ctype.h>
#include <string.h>

enum { CALLS_MAX = 128, CACHE_MARKS_MAX = 4, THINKING_BUDGET_MIN = 1024 };

static const char body_words[] =
    "model max_tokens messages system stream stop_sequences temperature top_p top_k tools "
    "tool_choice thinking output_config metadata service_tier speed cache_control container "
    "inference_geo diagnostics";
/* These need a value in anthropic-beta. */
static const char beta_words[] = "mcp_servers context_management compaction fallbacks "
                                 "fallback_credit_token thread billing_policy output_format";

/* What is known while the messages are walked. */
struct reading {
    struct ask *ask;
    struct span calls[CALLS_MAX]; /* tool_use ids of the last assistant message without a result */
    size_t call_count;
    size_t cache_marks;
    struct span said;
    struct span marker;
    bool has_thinking_config; /* thinking.type is enabled */
    bool begins_with_thinking;
    bool ends_with_assistant;
    int version; /* of the model, times ten; 0: not known */
};

struct block_rule {
    const char *type;
    const char *roles; /* u: user, a: assistant, r: inside a tool result, s: system */
    const char *fields;
    const char *required;
};

/* clang-format off */
static const struct block_rule block_rules[] = {
    {"text",               "uars", "type text citations cache_control",                        "text"},
    {"image",              "ur",   "type source transformations cache_control",                "source"},
    {"document",           "uar",  "type source title context citations cache_control",        "source"},
    {"search_result",      "ur",   "type source title content citations cache_control",        "content"},
    {"tool_use",           "a",    "type id name input caller toolset_name cache_control",     "input"},
    {"tool_result",        "u",    "type tool_use_id content is_error cache_control",          "tool_use_id"},
    {"thinking",           "a",    "type thinking signature",                                  "thinking"},
    {"redacted_thinking",  "a",    "type data",                                                "data"},
    {"server_tool_use",    "a",    "type id name input caller cache_control",                  "input"},
    {"web_search_tool_result", "a", "type tool_use_id content caller cache_control",           "content"},
    {"web_fetch_tool_result",  "a", "type tool_use_id content caller cache_control",           "content"},
    {"code_execution_tool_result", "a", "type tool_use_id content cache_control",              "content"},
    {"bash_code_execution_tool_result", "a", "type tool_use_id content cache_control",         "content"},
    {"text_editor_code_execution_tool_result", "a", "type tool_use_id content cache_control",  "content"},
    {"tool_search_tool_result", "a", "type tool_use_id content cache_control",                 "content"},
    {"tool_reference",     "r",    "type tool_name cache_control",                             "tool_name"},
    {"container_upload",   "u",    "type file_id cache_control",                               "file_id"},
};
/* clang-format on */

static const struct block_rule *rule_of(struct span type)
{
    for (size_t i = 0; i < sizeof(block_rules) / sizeof(block_rules[0]); i++)
        if (span_is(type, block_rules[i].type))
            return &block_rules[i];
    return NULL;
}

/* For messages: how much of a span to print. */
static int shown(struct span s)
{
    return s.len > 60 ? 60 : (int)s.len;
}

/* The version in a model's name, times ten: claude-opus-4-5-20251101 is 45, claude-sonnet-5 is 50,
 * others 0. */
static int version_of(struct span model)
{
    int numbers[2] = {0, 0};
    int count = 0;
    size_t at = 7;
    if (model.len < 8 || memcmp(model.at, "claude-", 7) != 0)
        return 0;
    while (at < model.len && count < 2) {
        size_t end = at;
        bool is_number = true;
        while (end < model.len && model.at[end] != '-' && model.at[end] != '@')
            is_number &= isdigit((unsigned char)model.at[end++]) != 0;
        if (is_number && end - at == 1)
            numbers[count++] = model.at[at] - '0';
        else if (count > 0)
            break;
        if (end < model.len && model.at[end] == '@')
            break;
        at = end + 1;
    }
    return numbers[0] * 10 + numbers[1];
}

static bool model_has(struct span model, const char *word)
{
    return memmem(model.at, model.len, word, strlen(word)) != NULL;
}

/* Models that think always. */
static bool thinks_always(const struct reading *r)
{
    struct span model = r->ask->model;
    return r->version >= 50 && (model_has(model, "fable") || (model_has(model, "opus-5-5")));
}

static bool refuses_forced_tools(const struct reading *r)
{
    struct span model = r->ask->model;
    return model_has(model, "opus-5-5") || model_has(model, "sonnet-5-5") ||
           model_has(model, "fable-5-1");
}

static bool expect_only(struct reading *r, const struct node *n, const char *words,
                        const char *where)
{
    const struct node *stranger = node_stranger(n, words);
    if (stranger == NULL)
        return true;
    return ask_refuse(r->ask, "%s%.*s: Extra inputs are not permitted", where, shown(stranger->key),
                      stranger->key.at);
}

static bool is_name(struct span s, size_t max)
{
    for (size_t i = 0; i < s.len; i++)
        if (isalnum((unsigned char)s.at[i]) == 0 && s.at[i] != '_' && s.at[i] != '-')
            return false;
    return s.len > 0 && s.len <= max;
}

static void see_cache_mark(struct reading *r, const struct node *n)
{
    const struct node *mark = node_get(n, "cache_control");
    const struct node *ttl = node_get(mark, "ttl");
    if (mark == NULL)
        return;
    if (!node_is(node_get(mark, "type"), "ephemeral"))
        ask_refuse(r->ask, "cache_control.type: Input should be 'ephemeral'");
    else if (ttl != NULL && !node_is(ttl, "5m") && !node_is(ttl, "1h"))
        ask_refuse(r->ask, "cache_control.ttl: Input should be '5m' or '1h'");
    else if (++r->cache_marks > CACHE_MARKS_MAX)
        ask_refuse(r->ask, "A maximum of 4 blocks with cache_control may be provided. Found %zu.",
                   r->cache_marks);
}

/* ---- blocks ------------------------------------------------------------------------------ */

static void check_source(struct reading *r, const struct node *block, const char *where)
{
    static const char images[] = "image/jpeg image/png image/gif image/webp";
    const struct node *source = node_get(block, "source");
    struct span type = node_text(node_get(source, "type"));
    struct span media = node_text(node_get(source, "media_type"));
    bool is_image = node_is(node_get(block, "type"), "image");
    if (node_kind(source) != '{' || !node_in(type, "base64 url file text content"))
        ask_refuse(r->ask, "%s.source: Input should be a valid source", where);
    else if (span_is(type, "base64") && node_text(node_get(source, "data")).len == 0)
        ask_refuse(r->ask, "%s.source.base64.data: Field required", where);
    else if (span_is(type, "base64") && is_image && !node_in(media, images))
        ask_refuse(r->ask,
                   "%s.source.base64.media_type: Input should be 'image/jpeg', 'image/png', "
                   "'image/gif' or 'image/webp'",
                   where);
    else if (span_is(type, "base64") && !is_image && !span_is(media, "application/pdf"))
        ask_refuse(r->ask, "%s.source.base64.media_type: Input should be 'application/pdf'", where);
    else if (span_is(type, "url") && node_text(node_get(source, "url")).len == 0)
        ask_refuse(r->ask, "%s.source.url.url: Field required", where);
}

static void check_thinking(struct reading *r, const struct node *block, const char *where)
{
    bool is_redacted = node_is(node_get(block, "type"), "redacted_thinking");
    struct span text = node_text(node_get(block, "thinking"));
    struct span seal = node_text(node_get(block, is_redacted ? "data" : "signature"));
    /* A signature is the same whether or not the text was shown: without one it fits, too. */
    enum seal_verdict verdict = seal_check(seal, is_redacted ? SEAL_REDACTED : SEAL_THINKING,
                                           r->ask->model, (struct span){"", 0});
    if (verdict == SEAL_OTHER_TEXT && text.len > 0)
        verdict = seal_check(seal, SEAL_THINKING, r->ask->model, text);
    else if (verdict == SEAL_OTHER_TEXT && !is_redacted)
        verdict = SEAL_FITS;
    if (verdict == SEAL_OTHER_TEXT)
        ask_refuse(r->ask,
                   "%s: `thinking` or `redacted_thinking` blocks in the latest assistant message "
                   "cannot be modified. These blocks must remain as they were in the original "
                   "response.",
                   where);
    else if (verdict == SEAL_FOREIGN)
        ask_refuse(r->ask, "%s: Invalid `%s` in `%s` block", where,
                   is_redacted ? "data" : "signature",
                   is_redacted ? "redacted_thinking" : "thinking");
}

static void check_call(struct reading *r, const struct node *block, const char *where)
{
    struct span id = node_text(node_get(block, "id"));
    if (!is_name(id, 256))
        ask_refuse(r->ask, "%s.tool_use.id: String should match pattern '^[a-zA-Z0-9_-]+$'", where);
    else if (!is_name(node_text(node_get(block, "name")), 200))
        ask_refuse(r->ask, "%s.tool_use.name: String should match pattern '^[a-zA-Z0-9_-]{1,200}$'",
                   where);
    else if (node_kind(node_get(block, "input")) != '{')
        ask_refuse(r->ask, "%s.tool_use.input: Input should be a valid dictionary", where);
    for (size_t i = 0; i < r->call_count; i++)
        if (r->calls[i].len == id.len && memcmp(r->calls[i].at, id.at, id.len) == 0)
            ask_refuse(r->ask, "messages: `tool_use` ids must be unique");
    if (r->call_count < CALLS_MAX)
        r->calls[r->call_count++] = id;
}

static void check_block(struct reading *r, const struct node *block, char role, const char *where);

static void read_result(struct reading *r, const struct node *block, const char *where)
{
    struct span id = node_text(node_get(block, "tool_use_id"));
    const struct node *content = node_get(block, "content");
    size_t i = 0;
    bool goes_on = false;
    while (i < r->call_count &&
           (r->calls[i].len != id.len || memcmp(r->calls[i].at, id.at, id.len) != 0))
        i++;
    if (i == r->call_count) {
        ask_refuse(r->ask,
                   "%s: unexpected `tool_use_id` found in `tool_result` blocks: %.*s. Each "
                   "`tool_result` block must have a corresponding `tool_use` block in the previous "
                   "message.",
                   where, shown(id), id.at);
        return;
    }
    r->calls[i] = r->calls[--r->call_count];
    if (node_kind(content) == '"')
        ask_add_result(r->ask, content->raw, false, false);
    for (const struct node *c = node_first(content); c != NULL; c = c->next) {
        check_block(r, c, 'r', where);
        bool is_text = node_is(node_get(c, "type"), "text");
        ask_add_result(r->ask, is_text ? node_text(node_get(c, "text")) : span_of("[image]"), false,
                       goes_on);
        goes_on = true;
    }
}

static void check_block(struct reading *r, const struct node *block, char role, const char *where)
{
    struct span type = node_text(node_get(block, "type"));
    const struct block_rule *rule = rule_of(type);
    if (rule == NULL || strchr(rule->roles, role) == NULL) {
        ask_refuse(r->ask,
                   "%s: Input tag '%.*s' found using 'type' does not match any of the "
                   "expected tags",
                   where, shown(type), type.at);
        return;
    }
    if (!expect_only(r, block, rule->fields, where))
        return;
    if (node_get(block, rule->required) == NULL) {
        ask_refuse(r->ask, "%s.%s.%s: Field required", where, rule->type, rule->required);
        return;
    }
    see_cache_mark(r, block);
    if (span_is(type, "text") && node_text(node_get(block, "text")).len == 0)
        ask_refuse(r->ask, "%s: text content blocks must be non-empty", where);
    else if (span_is(type, "image") || span_is(type, "document"))
        check_source(r, block, where);
    else if (span_is(type, "thinking") || span_is(type, "redacted_thinking"))
        check_thinking(r, block, where);
    else if (span_is(type, "tool_use"))
        check_call(r, block, where);
    else if (span_is(type, "tool_result"))
        read_result(r, block, where);
}

/* ---- messages ---------------------------------------------------------------------------- */

static void read_blocks(struct reading *r, const struct node *content, char role, size_t index)
{
    char where[64];
    size_t k = 0;
    for (const struct node *b = content->child; b != NULL; b = b->next, k++) {
        snprintf(where, sizeof(where), "messages.%zu.content.%zu", index, k);
        bool is_result = node_is(node_get(b, "type"), "tool_result");
        if (role == 'u' && !is_result && r->call_count > 0)
            ask_refuse(r->ask,
                       "messages.%zu: `tool_use` ids were found without `tool_result` blocks "
                       "immediately after: %.*s. Each `tool_use` block must have a corresponding "
                       "`tool_result` block in the next message.",
                       index, shown(r->calls[0]), r->calls[0].at);
        check_block(r, b, role, where);
        if (role == 'u' && node_is(node_get(b, "type"), "text"))
            ask_hear(node_text(node_get(b, "text")), &r->said, &r->marker);
    }
}

/* Whether a message leaves calls open that the one behind it does not answer. */
static void expect_no_open_call(struct reading *r, size_t index)
{
    if (r->call_count > 0)
        ask_refuse(r->ask,
                   "messages.%zu: `tool_use` ids were found without `tool_result` blocks "
                   "immediately after: %.*s. Each `tool_use` block must have a corresponding "
                   "`tool_result` block in the next message.",
                   index, shown(r->calls[0]), r->calls[0].at);
}

static void begin_assistant(struct reading *r, const struct node *content, size_t index)
{
    const struct node *first = node_first(content);
    struct span type = node_text(node_get(first, "type"));
    expect_no_open_call(r, index);
    r->ask->result_count = 0;
    r->begins_with_thinking = node_in(type, "thinking redacted_thinking");
}

static void read_message(struct reading *r, const struct node *m, size_t index)
{
    const struct node *content = node_get(m, "content");
    const struct node *role = node_get(m, "role");
    char letter = node_is(role, "user") ? 'u' : node_is(role, "assistant") ? 'a' : 's';
    char where[48];
    snprintf(where, sizeof(where), "messages.%zu.", index);
    r->said = r->marker = (struct span){0};
    if (letter == 's' && !node_is(role, "system")) {
        ask_refuse(r->ask,
                   "messages: Unexpected role \"%.*s\". Allowed roles are \"user\" or "
                   "\"assistant\".",
                   shown(node_text(role)), node_text(role).at);
        return;
    }
    if (index == 0 && letter != 'u')
        ask_refuse(r->ask, "messages: first message must use the \"user\" role");
    expect_only(r, m, letter == 's' ? "role content output_config" : "role content", where);
    if (letter == 'a')
        begin_assistant(r, content, index);
    if (node_kind(content) == '"') {
        if (content->raw.len == 0)
            ask_refuse(r->ask,
                       "messages.%zu: all messages must have non-empty content except for "
                       "the optional final assistant message",
                       index);
        if (letter == 'u') {
            expect_no_open_call(r, index);
            ask_hear(content->raw, &r->said, &r->marker);
        }
    } else if (node_kind(content) == '[' && content->child != NULL) {
        read_blocks(r, content, letter, index);
    } else {
        ask_refuse(r->ask, "messages.%zu.content: Input should be a valid string or non-empty list",
                   index);
    }
    if (letter == 'u') {
        expect_no_open_call(r, index); /* some of several calls were left out */
        if (r->said.at != NULL) {
            r->ask->said = r->said;
            r->ask->marker = r->marker;
        }
    }
    if (letter != 's')
        r->ends_with_assistant = letter == 'a';
}

/* An answer begun by the client may not end in blanks, and new models take none. */
static void check_prefill(struct reading *r, const struct node *last)
{
    const struct node *content = node_get(last, "content");
    while (node_kind(content) == '[' && content->child != NULL) {
        const struct node *block = content->child;
        while (block->next != NULL)
            block = block->next;
        content = node_get(block, "text");
    }
    struct span text = node_text(content);
    expect_no_open_call(r, 0);
    if (r->version >= 50)
        ask_refuse(r->ask,
                   "This model does not support assistant message prefill. The conversation "
                   "must end with a user message.");
    else if (text.len > 0 && (text.at[text.len - 1] == ' ' ||
                              (text.len > 1 && memcmp(text.at + text.len - 2, "\\n", 2) == 0)))
        ask_refuse(r->ask, "messages: final assistant content cannot end with trailing whitespace");
}

static void read_messages(struct reading *r, const struct node *messages)
{
    size_t index = 0;
    const struct node *last = NULL;
    if (node_kind(messages) != '[') {
        ask_refuse(r->ask, "messages: Field required");
        return;
    }
    if (messages->child == NULL)
        ask_refuse(r->ask, "messages: at least one message is required");
    for (const struct node *m = messages->child; m != NULL; m = m->next) {
        read_message(r, m, index++);
        last = m;
    }
    if (r->ends_with_assistant)
        check_prefill(r, last);
    if (r->has_thinking_config && r->ask->result_count > 0 && !r->begins_with_thinking)
        ask_refuse(r->ask,
                   "messages: Expected `thinking` or `redacted_thinking`, but found `tool_use`. "
                   "When `thinking` is enabled, a final `assistant` message must start with a "
                   "thinking block.");
}

/* ---- the other members ------------------------------------------------------------------- */

static void read_tool(struct reading *r, const struct node *t, size_t index)
{
    struct span type = node_text(node_get(t, "type"));
    struct span name = node_text(node_get(t, "name"));
    const struct node *schema = node_get(t, "input_schema");
    bool is_custom = type.len == 0 || span_is(type, "custom");
    char where[48];
    snprintf(where, sizeof(where), "tools.%zu.custom.", index);
    see_cache_mark(r, t);
    if (is_custom) {
        expect_only(r, t,
                    "type name description input_schema strict input_examples defer_loading "
                    "eager_input_streaming allowed_callers cache_control",
                    where);
        if (!is_name(name, 128))
            ask_refuse(r->ask, "%sname: String should match pattern '^[a-zA-Z0-9_-]{1,128}$'",
                       where);
        if (node_kind(schema) != '{')
            ask_refuse(r->ask, "%sinput_schema: Field required", where);
        else if (!node_is(node_get(schema, "type"), "object"))
            ask_refuse(r->ask, "%sinput_schema.type: Input should be 'object'", where);
    } else if (memchr(type.at, '2', type.len) == NULL ||
               !isdigit((unsigned char)type.at[type.len - 1])) {
        ask_refuse(r->ask,
                   "tools.%zu: Input tag '%.*s' found using 'type' does not match any of "
                   "the expected tags",
                   index, shown(type), type.at);
    }
    for (size_t i = 0; i < r->ask->tool_count; i++)
        if (r->ask->tools[i].name.len == name.len &&
            memcmp(r->ask->tools[i].name.at, name.at, name.len) == 0)
            ask_refuse(r->ask, "tools: Tool names must be unique.");
    ask_add_tool(r->ask, name, (struct span){"", 0}, false);
}

static bool has_tool(const struct node *tools, struct span name)
{
    for (const struct node *t = tools != NULL ? tools->child : NULL; t != NULL; t = t->next) {
        struct span its = node_text(node_get(t, "name"));
        if (its.len == name.len && memcmp(its.at, name.at, name.len) == 0)
            return true;
    }
    return false;
}

static void read_tools(struct reading *r, const struct node *body)
{
    const struct node *tools = node_get(body, "tools");
    const struct node *choice = node_get(body, "tool_choice");
    struct span type = node_text(node_get(choice, "type"));
    struct span name = node_text(node_get(choice, "name"));
    size_t index = 0;
    if (tools != NULL && tools->kind != '[')
        ask_refuse(r->ask, "tools: Input should be a valid list");
    for (const struct node *t = node_first(tools); t != NULL; t = t->next)
        read_tool(r, t, index++);
    if (choice == NULL)
        return;
    if (!node_in(type, "auto any tool none") || type.len == 0)
        ask_refuse(r->ask,
                   "tool_choice: Input tag '%.*s' found using 'type' does not match any of "
                   "the expected tags: 'auto', 'any', 'tool', 'none'",
                   shown(type), type.at);
    expect_only(r, choice,
                span_is(type, "tool")   ? "type name disable_parallel_tool_use"
                : span_is(type, "none") ? "type"
                                        : "type disable_parallel_tool_use",
                "tool_choice.");
    bool is_forced = span_is(type, "any") || span_is(type, "tool");
    if (index == 0)
        ask_refuse(r->ask, "tool_choice: may only be specified while providing `tools`");
    if (span_is(type, "tool") && !has_tool(tools, name))
        ask_refuse(r->ask, "tool_choice: Tool '%.*s' not found in provided tools", shown(name),
                   name.at);
    if (is_forced && (r->has_thinking_config || refuses_forced_tools(r)))
        ask_refuse(r->ask, "Thinking may not be enabled when tool_choice forces tool use.");
    r->ask->must_call = is_forced;
    r->ask->must_not_call = span_is(type, "none");
    if (span_is(type, "tool"))
        r->ask->forced.name = name;
}

static void read_thinking(struct reading *r, const struct node *body)
{
    const struct node *thinking = node_get(body, "thinking");
    const struct node *display = node_get(thinking, "display");
    struct span type = node_text(node_get(thinking, "type"));
    int64_t budget = node_int(node_get(thinking, "budget_tokens"), -1);
    bool is_enabled = span_is(type, "enabled");
    bool is_adaptive = span_is(type, "adaptive");
    r->ask->hides_thinking = display != NULL ? node_is(display, "omitted") : r->version >= 47;
    r->ask->wants_thinking = thinking != NULL ? is_enabled || is_adaptive : r->version >= 50;
    if (thinking == NULL)
        return;
    expect_only(r, thinking,
                is_enabled ? "type budget_tokens display" : "type display block_binding",
                "thinking.");
    if (!node_in(type, "enabled disabled adaptive between_tools") || type.len == 0)
        ask_refuse(r->ask,
                   "thinking: Input tag '%.*s' found using 'type' does not match any of the "
                   "expected tags: 'adaptive', 'disabled', 'enabled'",
                   shown(type), type.at);
    if (is_enabled && r->version >= 47)
        ask_refuse(r->ask, "thinking.type: \"enabled\" is not supported for this model. Use "
                           "\"adaptive\".");
    if (span_is(type, "disabled") && thinks_always(r))
        ask_refuse(r->ask, "thinking.type: \"disabled\" is not supported for this model.");
    if (is_adaptive && r->version > 0 && r->version < 46)
        ask_refuse(r->ask, "adaptive thinking is not supported on this model");
    if (is_enabled && budget < THINKING_BUDGET_MIN)
        ask_refuse(r->ask, "thinking.enabled.budget_tokens: Input should be greater than or equal "
                           "to 1024");
    if (is_enabled && r->ask->max_tokens > 0 && budget >= r->ask->max_tokens)
        ask_refuse(r->ask, "`max_tokens` must be greater than `thinking.budget_tokens`.");
    r->has_thinking_config = is_enabled;
}

static void check_sampling(struct reading *r, const struct node *body, struct span api)
{
    static const char *const names[] = {"temperature", "top_p", "top_k"};
    double temperature = node_real(node_get(body, "temperature"), 1);
    double top_p = node_real(node_get(body, "top_p"), 1);
    for (size_t i = 0; i < 3; i++)
        if (node_get(body, names[i]) != NULL && span_is(api, "2026-10-21"))
            ask_refuse(r->ask, "%s: Extra inputs are not permitted", names[i]);
    if (temperature < 0 || temperature > 1)
        ask_refuse(r->ask, "temperature: range: 0..1");
    if (top_p < 0 || top_p > 1)
        ask_refuse(r->ask, "top_p: range: 0..1");
    bool is_tuned = temperature < 1 || top_p < 0.99 || node_get(body, "top_k") != NULL;
    if (is_tuned && r->version > 46)
        ask_refuse(r->ask, "temperature, top_p and top_k are not supported for this model");
    if (is_tuned && r->has_thinking_config && (temperature < 1 || node_get(body, "top_k") != NULL))
        ask_refuse(r->ask, "`temperature` may only be set to 1 when thinking is enabled.");
}

static void read_output_config(struct reading *r, const struct node *body)
{
    const struct node *config = node_get(body, "output_config");
    const struct node *format = node_get(config, "format");
    const struct node *effort = node_get(config, "effort");
    const struct node *schema = node_get(format, "schema");
    expect_only(r, config, "effort format task_budget", "output_config.");
    if (effort != NULL && !node_in(node_text(effort), "low medium high xhigh max"))
        ask_refuse(r->ask, "output_config.effort: Input should be 'low', 'medium', 'high', 'xhigh' "
                           "or 'max'");
    if (effort != NULL && r->version > 0 && r->version < 45)
        ask_refuse(r->ask, "This model does not support the effort parameter.");
    if (format == NULL)
        return;
    expect_only(r, format, "type schema", "output_config.format.");
    if (!node_is(node_get(format, "type"), "json_schema") || node_kind(schema) != '{')
        ask_refuse(r->ask, "output_config.format: Input should be a json_schema with a schema");
    else
        node_put_example(schema, schema, span_of("demo"), &r->ask->json);
}

static void read_stops(struct reading *r, const struct node *stops)
{
    if (stops != NULL && stops->kind != '[')
        ask_refuse(r->ask, "stop_sequences: Input should be a valid list");
    for (const struct node *s = node_first(stops); s != NULL; s = s->next) {
        struct span text = node_text(s);
        size_t blanks = 0;
        while (blanks < text.len && text.at[blanks] == ' ')
            blanks++;
        if (blanks == text.len)
            ask_refuse(r->ask, "stop_sequences: each stop sequence must contain non-whitespace");
        ask_add_stop(r->ask, text);
    }
}

static void read_system(struct reading *r, const struct node *system)
{
    size_t k = 0;
    char where[32];
    if (system != NULL && system->kind != '"' && system->kind != '[')
        ask_refuse(r->ask, "system: Input should be a valid string or list");
    for (const struct node *b = node_first(system); b != NULL; b = b->next) {
        snprintf(where, sizeof(where), "system.%zu", k++);
        check_block(r, b, 's', where);
    }
}

static void check_members(struct reading *r, const struct node *body, bool has_beta)
{
    for (const struct node *c = body->child; c != NULL; c = c->next)
        if (!node_in(c->key, body_words) && !(has_beta && node_in(c->key, beta_words)))
            ask_refuse(r->ask, "%.*s: Extra inputs are not permitted", shown(c->key), c->key.at);
    expect_only(r, node_get(body, "metadata"), "user_id", "metadata.");
    if (node_get(body, "service_tier") != NULL &&
        !node_in(node_text(node_get(body, "service_tier")), "auto standard_only"))
        ask_refuse(r->ask, "service_tier: Input should be 'auto' or 'standard_only'");
}

static bool read_request(struct ask *ask, const struct inquiry *in, bool is_count)
{
    struct reading r = {.ask = ask};
    struct span version = inbound_header(in->head, "anthropic-version");
    bool has_beta = inbound_header(in->head, "anthropic-beta").len > 0;
    const struct node *body = tree_parse(in->body, in->len);
    const struct node *max = node_get(body, "max_tokens");
    if (node_kind(body) != '{')
        return false;
    if (version.len == 0)
        ask_refuse(ask, "anthropic-version: header is required");
    else if (!node_in(version, "2023-06-01 2026-10-21"))
        ask_refuse(ask, "anthropic-version: \"%.*s\" is not a valid version", shown(version),
                   version.at);
    ask->model = node_text(node_get(body, "model"));
    if (ask->model.len == 0)
        ask_refuse(ask, "model: Field required");
    r.version = version_of(ask->model);
    if (is_count && (max != NULL || node_get(body, "stream") != NULL))
        ask_refuse(ask, "max_tokens: Extra inputs are not permitted");
    if (!is_count && (node_kind(max) != '0' || node_int(max, -1) < 0))
        ask_refuse(ask, "max_tokens: Field required");
    ask->max_tokens = node_int(max, 0);
    ask->is_stream = node_kind(node_get(body, "stream")) == 't';
    check_members(&r, body, has_beta);
    read_thinking(&r, body);
    check_sampling(&r, body, version);
    read_system(&r, node_get(body, "system"));
    read_tools(&r, body);
    read_stops(&r, node_get(body, "stop_sequences"));
    read_output_config(&r, body);
    read_messages(&r, node_get(body, "messages"));
    if (ask->said.at == NULL)
        ask->said = (struct span){"", 0};
    if (ask->marker.at == NULL)
        ask->marker = (struct span){"", 0};
    return ask->reason[0] == 0;
}

bool messages_read(struct ask *ask, const struct inquiry *in)
{
    return read_request(ask, in, false);
}

bool messages_read_count(struct ask *ask, const struct inquiry *in)
{
    return read_request(ask, in, true);
}
