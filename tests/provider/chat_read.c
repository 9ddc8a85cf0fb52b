#include "tests/provider/chat.h"

#include "tests/provider/scan.h"
#include "tests/provider/tree.h"

#include <string.h>

enum { CALLS_MAX = 128, TEXTS_MAX = 8 };

/* What is known of one message. */
struct message {
    struct span role;
    struct span said;
    struct span marker;
    struct span texts[TEXTS_MAX];
    size_t text_count;
    struct span call_id; /* tool_call_id */
};

/* The calls of the last assistant message that have no result yet. Of the request being read: one
 * is read at a time. */
static struct {
    struct span ids[CALLS_MAX];
    size_t count;
    struct span made[CALLS_MAX]; /* of the message being read */
    size_t made_count;
} calls;

static void hear(struct message *m, struct span text)
{
    ask_hear(text, &m->said, &m->marker);
    if (m->text_count < TEXTS_MAX)
        m->texts[m->text_count++] = text;
}

static void read_part(struct scan *s, struct message *m)
{
    bool is_first = true;
    struct span key;
    struct span text;
    if (scan_peek(s) != '{') {
        scan_skip(s);
        return;
    }
    scan_open(s, '{');
    while (scan_member(s, &is_first, &key)) {
        if (span_is(key, "text") && scan_peek(s) == '"') {
            if (scan_string(s, &text))
                hear(m, text);
        } else {
            scan_skip(s);
        }
    }
}

static void read_content(struct scan *s, struct message *m)
{
    bool is_first = true;
    struct span text;
    char kind = scan_peek(s);
    if (kind == '"') {
        if (scan_string(s, &text))
            hear(m, text);
    } else if (kind == '[') {
        scan_open(s, '[');
        while (scan_element(s, &is_first))
            read_part(s, m);
    } else {
        scan_skip(s);
    }
}

static void read_call(struct scan *s)
{
    bool is_first = true;
    struct span key;
    struct span id = {"", 0};
    scan_open(s, '{');
    while (scan_member(s, &is_first, &key)) {
        if (span_is(key, "id") && scan_peek(s) == '"')
            scan_string(s, &id);
        else
            scan_skip(s);
    }
    if (calls.made_count < CALLS_MAX)
        calls.made[calls.made_count++] = id;
}

static void read_calls(struct scan *s)
{
    bool is_first = true;
    if (scan_peek(s) != '[') {
        scan_skip(s);
        return;
    }
    scan_open(s, '[');
    while (scan_element(s, &is_first))
        read_call(s);
}

/* A tool's message: it must answer a call that has no answer yet. */
static void end_call(struct ask *ask, const struct message *m)
{
    size_t i = 0;
    while (i < calls.count && (calls.ids[i].len != m->call_id.len ||
                               memcmp(calls.ids[i].at, m->call_id.at, m->call_id.len) != 0))
        i++;
    if (i == calls.count) {
        ask_refuse(ask, "Invalid parameter: messages with role 'tool' must be a response to a "
                        "preceding message with 'tool_calls'.");
        return;
    }
    calls.ids[i] = calls.ids[--calls.count];
    for (size_t k = 0; k < m->text_count; k++)
        ask_add_result(ask, m->texts[k], false, k > 0);
}

static void expect_no_open_call(struct ask *ask)
{
    if (calls.count > 0)
        ask_refuse(ask,
                   "An assistant message with 'tool_calls' must be followed by tool messages "
                   "responding to each 'tool_call_id'. The following tool_call_ids did not have "
                   "response messages: %.*s",
                   (int)(calls.ids[0].len > 80 ? 80 : calls.ids[0].len), calls.ids[0].at);
}

static void end_message(struct ask *ask, const struct message *m)
{
    if (span_is(m->role, "tool")) {
        end_call(ask, m);
        return;
    }
    expect_no_open_call(ask);
    if (span_is(m->role, "assistant")) {
        memcpy(calls.ids, calls.made, calls.made_count * sizeof(calls.made[0]));
        calls.count = calls.made_count;
        ask->result_count = 0;
    }
    if (span_is(m->role, "user")) {
        ask->said = m->said;
        ask->marker = m->marker;
    }
    if (m->role.len == 0)
        ask->bad_param = "messages";
}

static void read_message(struct ask *ask, struct scan *s)
{
    bool is_first = true;
    struct span key;
    struct message m;
    m.role = m.call_id = (struct span){"", 0};
    m.said = m.marker = (struct span){0};
    m.text_count = 0;
    calls.made_count = 0;
    scan_open(s, '{');
    while (scan_member(s, &is_first, &key)) {
        if (span_is(key, "role") && scan_peek(s) == '"')
            scan_string(s, &m.role);
        else if (span_is(key, "content"))
            read_content(s, &m);
        else if (span_is(key, "tool_calls"))
            read_calls(s);
        else if (span_is(key, "tool_call_id") && scan_peek(s) == '"')
            scan_string(s, &m.call_id);
        else
            scan_skip(s);
    }
    if (!s->bad)
        end_message(ask, &m);
}

static void read_messages(struct ask *ask, struct scan *s)
{
    bool is_first = true;
    size_t count = 0;
    scan_open(s, '[');
    while (scan_element(s, &is_first)) {
        read_message(ask, s);
        count++;
    }
    if (count == 0)
        ask->bad_param = "messages";
}

static void read_stream_options(struct ask *ask, struct scan *s)
{
    bool is_first = true;
    struct span key;
    if (scan_peek(s) != '{') {
        scan_skip(s);
        return;
    }
    scan_open(s, '{');
    while (scan_member(s, &is_first, &key)) {
        if (span_is(key, "include_usage"))
            scan_bool(s, &ask->has_usage);
        else
            scan_skip(s);
    }
}

/* The name in a tool: {"type":"function","function":{"name":...}}, one level of nesting. */
static void read_tool(struct ask *ask, struct scan *s, bool is_inner, bool is_custom)
{
    bool is_first = true;
    struct span key;
    struct span name;
    scan_open(s, '{');
    while (scan_member(s, &is_first, &key)) {
        bool opens_custom = span_is(key, "custom");
        if (!is_inner && (opens_custom || span_is(key, "function")) && scan_peek(s) == '{')
            read_tool(ask, s, true, opens_custom);
        else if (is_inner && span_is(key, "name") && scan_peek(s) == '"') {
            if (scan_string(s, &name))
                ask_add_tool(ask, name, (struct span){"", 0}, is_custom);
        } else
            scan_skip(s);
    }
}

static void read_tools(struct ask *ask, struct scan *s)
{
    bool is_first = true;
    if (scan_peek(s) != '[') {
        scan_skip(s);
        return;
    }
    scan_open(s, '[');
    while (scan_element(s, &is_first))
        read_tool(ask, s, false, false);
}

/* Consume a value and give its bytes. */
static struct span read_raw(struct scan *s)
{
    scan_peek(s);
    const char *begin = s->at;
    scan_skip(s);
    return (struct span){begin, s->bad ? 0 : (size_t)(s->at - begin)};
}

static void read_tool_choice(struct ask *ask, struct span raw)
{
    const struct node *n = tree_parse(raw.at, raw.len);
    const struct node *function = node_get_either(n, "function", "custom");
    ask->must_not_call = node_is(n, "none");
    ask->must_call = node_is(n, "required") || function != NULL;
    ask->forced = (struct ask_tool){.name = node_text(node_get(function, "name")),
                                    .is_custom = node_get(n, "custom") != NULL};
}

static void read_stop(struct ask *ask, struct span raw)
{
    const struct node *n = tree_parse(raw.at, raw.len);
    if (node_kind(n) == '"')
        ask_add_stop(ask, n->raw);
    else if (node_kind(n) == '[' && n->count > 4)
        ask_refuse(ask, "Invalid 'stop': array too long. Expected an array with maximum length 4.");
    else
        for (const struct node *c = n != NULL ? n->child : NULL; c != NULL; c = c->next)
            ask_add_stop(ask, node_text(c));
}

/* Make the answer that the response format asks for. */
static void read_format(struct ask *ask, struct span raw)
{
    const struct node *n = tree_parse(raw.at, raw.len);
    const struct node *spec = node_get(n, "json_schema");
    const struct node *schema = node_get(spec, "schema");
    if (node_is(node_get(n, "type"), "json_object")) {
        bytes_puts(&ask->json, "{\"answer\":\"demo\"}");
    } else if (node_is(node_get(n, "type"), "json_schema")) {
        if (node_get(spec, "name") == NULL)
            ask->bad_param = "response_format.json_schema.name";
        else if (schema == NULL)
            ask->bad_param = "response_format.json_schema.schema";
        else
            node_put_example(schema, schema, span_of("demo"), &ask->json);
    } else if (!node_is(node_get(n, "type"), "text") && node_kind(n) != 'n') {
        ask->bad_param = "response_format.type";
    }
}

static void read_number(struct scan *s, int64_t *value)
{
    char kind = scan_peek(s);
    if (kind == '-' || (kind >= '0' && kind <= '9'))
        scan_int(s, value);
    else
        scan_skip(s);
}

static void read_member(struct ask *ask, struct scan *s, struct span key)
{
    if (span_is(key, "messages"))
        read_messages(ask, s);
    else if (span_is(key, "model") && scan_peek(s) == '"')
        scan_string(s, &ask->model);
    else if (span_is(key, "stream"))
        scan_bool(s, &ask->is_stream);
    else if (span_is(key, "stream_options"))
        read_stream_options(ask, s);
    else if (span_is(key, "max_tokens") || span_is(key, "max_completion_tokens"))
        read_number(s, &ask->max_tokens);
    else if (span_is(key, "n"))
        read_number(s, &ask->choices);
    else if (span_is(key, "tools"))
        read_tools(ask, s);
    else if (span_is(key, "tool_choice"))
        read_tool_choice(ask, read_raw(s));
    else if (span_is(key, "stop"))
        read_stop(ask, read_raw(s));
    else if (span_is(key, "response_format"))
        read_format(ask, read_raw(s));
    else
        scan_skip(s);
}

bool chat_read(struct ask *ask, const struct inquiry *in)
{
    struct scan s = scan_begin(in->body, in->len);
    bool is_first = true;
    bool has_messages = false;
    struct span key;
    calls.count = 0;
    scan_open(&s, '{');
    while (scan_member(&s, &is_first, &key)) {
        has_messages |= span_is(key, "messages");
        read_member(ask, &s, key);
    }
    if (!scan_end(&s)) {
        ask->bad_param = NULL;
        ask->reason[0] = 0;
        return false;
    }
    expect_no_open_call(ask);
    if (!has_messages)
        ask->bad_param = "messages";
    else if (ask->model.len == 0)
        ask->bad_param = "model";
    else if (ask->choices < 1 || ask->choices > ANSWER_CHOICES_MAX)
        ask->bad_param = "n";
    return ask->bad_param == NULL && ask->reason[0] == 0;
}
