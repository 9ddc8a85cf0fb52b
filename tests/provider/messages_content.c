#include "tests/provider/messages_read.h"

#include "tests/provider/seal.h"

#include <ctype.h>
#include <string.h>

enum { CACHE_MARKS_MAX = 4 };

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

bool messages_expect_only(struct messages_reading *r, const struct node *n, const char *words,
                          const char *where)
{
    const struct node *stranger = node_stranger(n, words);
    if (stranger == NULL)
        return true;
    return ask_refuse(r->ask, "%s%.*s: Extra inputs are not permitted", where,
                      span_shown(stranger->key), stranger->key.at);
}

bool messages_is_name(struct span s, size_t max)
{
    for (size_t i = 0; i < s.len; i++)
        if (isalnum((unsigned char)s.at[i]) == 0 && s.at[i] != '_' && s.at[i] != '-')
            return false;
    return s.len > 0 && s.len <= max;
}

void messages_see_cache_mark(struct messages_reading *r, const struct node *n)
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

static void check_source(struct messages_reading *r, const struct node *block, const char *where)
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

static void check_thinking(struct messages_reading *r, const struct node *block, const char *where)
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

static void check_call(struct messages_reading *r, const struct node *block, const char *where)
{
    struct span id = node_text(node_get(block, "id"));
    if (!messages_is_name(id, 256))
        ask_refuse(r->ask, "%s.tool_use.id: String should match pattern '^[a-zA-Z0-9_-]+$'", where);
    else if (!messages_is_name(node_text(node_get(block, "name")), 200))
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

static void read_result(struct messages_reading *r, const struct node *block, const char *where)
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
                   where, span_shown(id), id.at);
        return;
    }
    r->calls[i] = r->calls[--r->call_count];
    if (node_kind(content) == '"')
        ask_add_result(r->ask, content->raw, false, false);
    for (const struct node *c = node_first(content); c != NULL; c = c->next) {
        messages_check_block(r, c, 'r', where);
        bool is_text = node_is(node_get(c, "type"), "text");
        ask_add_result(r->ask, is_text ? node_text(node_get(c, "text")) : span_of("[image]"), false,
                       goes_on);
        goes_on = true;
    }
}

void messages_check_block(struct messages_reading *r, const struct node *block, char role,
                          const char *where)
{
    struct span type = node_text(node_get(block, "type"));
    const struct block_rule *rule = rule_of(type);
    if (rule == NULL || strchr(rule->roles, role) == NULL) {
        ask_refuse(r->ask,
                   "%s: Input tag '%.*s' found using 'type' does not match any of the "
                   "expected tags",
                   where, span_shown(type), type.at);
        return;
    }
    if (!messages_expect_only(r, block, rule->fields, where))
        return;
    if (node_get(block, rule->required) == NULL) {
        ask_refuse(r->ask, "%s.%s.%s: Field required", where, rule->type, rule->required);
        return;
    }
    messages_see_cache_mark(r, block);
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

static void read_blocks(struct messages_reading *r, const struct node *content, char role,
                        size_t index)
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
                       index, span_shown(r->calls[0]), r->calls[0].at);
        messages_check_block(r, b, role, where);
        if (role == 'u' && node_is(node_get(b, "type"), "text"))
            ask_hear(node_text(node_get(b, "text")), &r->said, &r->marker);
    }
}

/* Whether a message leaves calls open that the one behind it does not answer. */
static void expect_no_open_call(struct messages_reading *r, size_t index)
{
    if (r->call_count > 0)
        ask_refuse(r->ask,
                   "messages.%zu: `tool_use` ids were found without `tool_result` blocks "
                   "immediately after: %.*s. Each `tool_use` block must have a corresponding "
                   "`tool_result` block in the next message.",
                   index, span_shown(r->calls[0]), r->calls[0].at);
}

static void begin_assistant(struct messages_reading *r, const struct node *content, size_t index)
{
    const struct node *first = node_first(content);
    struct span type = node_text(node_get(first, "type"));
    expect_no_open_call(r, index);
    r->ask->result_count = 0;
    r->begins_with_thinking = node_in(type, "thinking redacted_thinking");
}

static void read_message(struct messages_reading *r, const struct node *m, size_t index)
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
                   span_shown(node_text(role)), node_text(role).at);
        return;
    }
    if (index == 0 && letter != 'u')
        ask_refuse(r->ask, "messages: first message must use the \"user\" role");
    messages_expect_only(r, m, letter == 's' ? "role content output_config" : "role content",
                         where);
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
static void check_prefill(struct messages_reading *r, const struct node *last)
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

void messages_read_list(struct messages_reading *r, const struct node *messages)
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
