#include "tests/provider/messages.h"

#include "tests/provider/inbound.h"
#include "tests/provider/messages_read.h"

#include <ctype.h>
#include <string.h>

enum { THINKING_BUDGET_MIN = 1024 };

static const char body_words[] =
    "model max_tokens messages system stream stop_sequences temperature top_p top_k tools "
    "tool_choice thinking output_config metadata service_tier speed cache_control container "
    "inference_geo diagnostics";
/* These need a value in anthropic-beta. */
static const char beta_words[] = "mcp_servers context_management compaction fallbacks "
                                 "fallback_credit_token thread billing_policy output_format";

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
static bool thinks_always(const struct messages_reading *r)
{
    struct span model = r->ask->model;
    return r->version >= 50 && (model_has(model, "fable") || (model_has(model, "opus-5-5")));
}

static bool refuses_forced_tools(const struct messages_reading *r)
{
    struct span model = r->ask->model;
    return model_has(model, "opus-5-5") || model_has(model, "sonnet-5-5") ||
           model_has(model, "fable-5-1");
}

static void read_tool(struct messages_reading *r, const struct node *t, size_t index)
{
    struct span type = node_text(node_get(t, "type"));
    struct span name = node_text(node_get(t, "name"));
    const struct node *schema = node_get(t, "input_schema");
    bool is_custom = type.len == 0 || span_is(type, "custom");
    char where[48];
    snprintf(where, sizeof(where), "tools.%zu.custom.", index);
    messages_see_cache_mark(r, t);
    if (is_custom) {
        messages_expect_only(
            r, t,
            "type name description input_schema strict input_examples defer_loading "
            "eager_input_streaming allowed_callers cache_control",
            where);
        if (!messages_is_name(name, 128))
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
                   index, span_shown(type), type.at);
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

static void read_tools(struct messages_reading *r, const struct node *body)
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
                   span_shown(type), type.at);
    messages_expect_only(r, choice,
                         span_is(type, "tool")   ? "type name disable_parallel_tool_use"
                         : span_is(type, "none") ? "type"
                                                 : "type disable_parallel_tool_use",
                         "tool_choice.");
    bool is_forced = span_is(type, "any") || span_is(type, "tool");
    if (index == 0)
        ask_refuse(r->ask, "tool_choice: may only be specified while providing `tools`");
    if (span_is(type, "tool") && !has_tool(tools, name))
        ask_refuse(r->ask, "tool_choice: Tool '%.*s' not found in provided tools", span_shown(name),
                   name.at);
    if (is_forced && (r->has_thinking_config || refuses_forced_tools(r)))
        ask_refuse(r->ask, "Thinking may not be enabled when tool_choice forces tool use.");
    r->ask->must_call = is_forced;
    r->ask->must_not_call = span_is(type, "none");
    if (span_is(type, "tool"))
        r->ask->forced.name = name;
}

static void read_thinking(struct messages_reading *r, const struct node *body)
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
    messages_expect_only(r, thinking,
                         is_enabled ? "type budget_tokens display" : "type display block_binding",
                         "thinking.");
    if (!node_in(type, "enabled disabled adaptive between_tools") || type.len == 0)
        ask_refuse(r->ask,
                   "thinking: Input tag '%.*s' found using 'type' does not match any of the "
                   "expected tags: 'adaptive', 'disabled', 'enabled'",
                   span_shown(type), type.at);
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

static void check_sampling(struct messages_reading *r, const struct node *body, struct span api)
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

static void read_output_config(struct messages_reading *r, const struct node *body)
{
    const struct node *config = node_get(body, "output_config");
    const struct node *format = node_get(config, "format");
    const struct node *effort = node_get(config, "effort");
    const struct node *schema = node_get(format, "schema");
    messages_expect_only(r, config, "effort format task_budget", "output_config.");
    if (effort != NULL && !node_in(node_text(effort), "low medium high xhigh max"))
        ask_refuse(r->ask, "output_config.effort: Input should be 'low', 'medium', 'high', 'xhigh' "
                           "or 'max'");
    if (effort != NULL && r->version > 0 && r->version < 45)
        ask_refuse(r->ask, "This model does not support the effort parameter.");
    if (format == NULL)
        return;
    messages_expect_only(r, format, "type schema", "output_config.format.");
    if (!node_is(node_get(format, "type"), "json_schema") || node_kind(schema) != '{')
        ask_refuse(r->ask, "output_config.format: Input should be a json_schema with a schema");
    else
        node_put_example(schema, schema, span_of("demo"), &r->ask->json);
}

static void read_stops(struct messages_reading *r, const struct node *stops)
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

static void read_system(struct messages_reading *r, const struct node *system)
{
    size_t k = 0;
    char where[32];
    if (system != NULL && system->kind != '"' && system->kind != '[')
        ask_refuse(r->ask, "system: Input should be a valid string or list");
    for (const struct node *b = node_first(system); b != NULL; b = b->next) {
        snprintf(where, sizeof(where), "system.%zu", k++);
        messages_check_block(r, b, 's', where);
    }
}

static void check_members(struct messages_reading *r, const struct node *body, bool has_beta)
{
    for (const struct node *c = body->child; c != NULL; c = c->next)
        if (!node_in(c->key, body_words) && !(has_beta && node_in(c->key, beta_words)))
            ask_refuse(r->ask, "%.*s: Extra inputs are not permitted", span_shown(c->key),
                       c->key.at);
    messages_expect_only(r, node_get(body, "metadata"), "user_id", "metadata.");
    if (node_get(body, "service_tier") != NULL &&
        !node_in(node_text(node_get(body, "service_tier")), "auto standard_only"))
        ask_refuse(r->ask, "service_tier: Input should be 'auto' or 'standard_only'");
}

static bool read_request(struct ask *ask, const struct inquiry *in, bool is_count)
{
    struct messages_reading r = {.ask = ask};
    struct span version = inbound_header(in->head, "anthropic-version");
    bool has_beta = inbound_header(in->head, "anthropic-beta").len > 0;
    const struct node *body = tree_parse(in->body, in->len);
    const struct node *max = node_get(body, "max_tokens");
    if (node_kind(body) != '{')
        return false;
    if (version.len == 0)
        ask_refuse(ask, "anthropic-version: header is required");
    else if (!node_in(version, "2023-06-01 2026-10-21"))
        ask_refuse(ask, "anthropic-version: \"%.*s\" is not a valid version", span_shown(version),
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
    messages_read_list(&r, node_get(body, "messages"));
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
