#include "tests/provider/chat.h"

#include "tests/provider/scan.h"
#include "tests/provider/tree.h"

#include <string.h>

/* The sequence of a stream's events. OPEN, TEXT and FINISH come once per choice, those of the
 * choices taking turns; with tool calls CALL and TEXT come once per call, one call after the
 * other. THINK and PREFACE are there with one choice only. */
enum chat_step {
    STEP_OPEN,
    STEP_THINK,
    STEP_PREFACE,
    STEP_CALL,
    STEP_TEXT,
    STEP_FINISH,
    STEP_USAGE,
    STEP_DONE,
    STEP_OVER
};

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

/* ---- reading ---------------------------------------------------------------------------- */

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

static bool chat_read(struct ask *ask, const struct inquiry *in)
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

/* ---- writing ---------------------------------------------------------------------------- */

static void put_finish(const struct answer *a, struct bytes *out)
{
    if (a->script.is_endless) {
        bytes_puts(out, "null");
        return;
    }
    bytes_puts(out, "\"");
    if (a->script.finish[0] != 0)
        bytes_puts(out, a->script.finish);
    else if (a->tool_calls > 0)
        bytes_puts(out, "tool_calls");
    else
        bytes_puts(out, a->is_truncated ? "length" : "stop");
    bytes_puts(out, "\"");
}

static void put_usage(const struct answer *a, int64_t completion, struct bytes *out)
{
    const struct script *s = &a->script;
    bool is_zero = s->usage == SCRIPT_USAGE_ZERO;
    int64_t written = is_zero ? 0 : s->cache_write + s->cache_write_long;
    int64_t prompt = is_zero ? 0 : a->prompt_tokens;
    completion = is_zero ? 0 : completion;
    bytes_puts(out, "\"usage\":{\"prompt_tokens\":");
    bytes_put_int(out, prompt);
    bytes_puts(out, ",\"completion_tokens\":");
    bytes_put_int(out, completion);
    bytes_puts(out, ",\"total_tokens\":");
    bytes_put_int(out, prompt + completion);
    bytes_puts(out, ",\"prompt_tokens_details\":{\"cached_tokens\":");
    bytes_put_int(out, is_zero ? 0 : s->cached);
    bytes_puts(out, ",\"audio_tokens\":");
    bytes_put_int(out, is_zero ? 0 : s->audio);
    if (written > 0) {
        bytes_puts(out, ",\"cache_write_tokens\":");
        bytes_put_int(out, written);
    }
    bytes_puts(out, "},\"completion_tokens_details\":{\"reasoning_tokens\":");
    bytes_put_int(out, is_zero ? 0 : a->reasoning_tokens);
    bytes_puts(out, ",\"audio_tokens\":0,\"accepted_prediction_tokens\":0,"
                    "\"rejected_prediction_tokens\":0}}");
}

static void put_head(const struct answer *a, const char *object, struct bytes *out)
{
    bytes_puts(out, "{\"id\":\"chatcmpl-");
    bytes_puts(out, a->id);
    bytes_puts(out, "\",\"object\":\"");
    bytes_puts(out, object);
    bytes_puts(out, "\",\"created\":");
    bytes_put_int(out, a->created);
    bytes_puts(out, ",\"model\":\"");
    bytes_put(out, a->model.data, a->model.len);
    bytes_puts(out, "\",\"service_tier\":\"");
    bytes_puts(out, a->script.tier[0] != 0 ? a->script.tier : "default");
    bytes_puts(out, "\",\"system_fingerprint\":\"fp_demo\",\"choices\":[");
}

/* The opening of a tool call, up to where its arguments begin. */
static void open_call(const struct answer *a, int64_t call, struct bytes *out)
{
    bool is_custom = answer_tool(a, call)->is_custom;
    answer_put_call_id(a, "\"id\":\"call_", call, out);
    bytes_puts(out, is_custom ? "\",\"type\":\"custom\",\"custom\":{\"name\":\""
                              : "\",\"type\":\"function\",\"function\":{\"name\":\"");
    answer_put_tool_name(a, call, out);
    bytes_puts(out, is_custom ? "\",\"input\":\"" : "\",\"arguments\":\"");
}

static void put_tool_calls(const struct answer *a, struct bytes *out)
{
    for (int64_t call = 0; call < a->tool_calls; call++) {
        bytes_puts(out, call > 0 ? ",{" : "{");
        open_call(a, call, out);
        answer_put_content(a, out);
        bytes_puts(out, "\"}}");
    }
}

/* The blocks of one kind as a string: "name":"...", */
static void put_blocks(const struct answer *a, const char *name, enum block_kind kind,
                       struct bytes *out)
{
    bytes_puts(out, name);
    for (int64_t i = 0; i < a->block_count; i++)
        if (a->blocks[i].kind == kind)
            answer_put_block(a, &a->blocks[i], out);
    bytes_puts(out, "\",");
}

static void put_message(const struct answer *a, struct bytes *out)
{
    const struct script *s = &a->script;
    bool is_refusal = a->tool_calls == 0 && s->is_refusal;
    bool has_text = (a->tool_calls == 0 && !s->is_refusal) || s->has_preface;
    if (a->think_pieces > 0)
        put_blocks(a, "\"reasoning_content\":\"", BLOCK_THINKING, out);
    if (has_text)
        put_blocks(a, "\"content\":\"", BLOCK_TEXT, out);
    else
        bytes_puts(out, "\"content\":null,");
    if (a->tool_calls > 0) {
        bytes_puts(out, "\"tool_calls\":[");
        put_tool_calls(a, out);
        bytes_puts(out, "],");
    }
    if (is_refusal)
        put_blocks(a, "\"refusal\":\"", BLOCK_REFUSAL, out);
    else
        bytes_puts(out, "\"refusal\":null,");
    bytes_puts(out, "\"annotations\":[]");
}

static void chat_whole(const struct answer *a, struct bytes *out)
{
    put_head(a, "chat.completion", out);
    for (int64_t i = 0; i < a->choices; i++) {
        bytes_puts(out, i > 0 ? ",{\"index\":" : "{\"index\":");
        bytes_put_int(out, i);
        bytes_puts(out, ",\"message\":{\"role\":\"assistant\",");
        put_message(a, out);
        bytes_puts(out, "},\"logprobs\":null,\"finish_reason\":");
        put_finish(a, out);
        bytes_puts(out, "}");
    }
    bytes_puts(out, "]");
    if (a->script.usage != SCRIPT_USAGE_NONE) {
        bytes_puts(out, ",");
        put_usage(a, a->completion_tokens, out);
    }
    bytes_puts(out, "}");
}

/* The first step at or after `step` that this answer has. */
static enum chat_step step_present(const struct answer *a, enum chat_step step)
{
    const struct script *s = &a->script;
    bool usage_is_apart = s->usage != SCRIPT_USAGE_NONE && s->usage != SCRIPT_USAGE_FINISH;
    if (step == STEP_THINK && a->think_pieces == 0)
        step = STEP_PREFACE;
    if (step == STEP_PREFACE && (a->tool_calls == 0 || !s->has_preface))
        step = STEP_CALL;
    if (step == STEP_CALL && a->tool_calls == 0)
        step = STEP_TEXT;
    if (step == STEP_TEXT && a->pieces == 0)
        step = STEP_FINISH;
    if (step == STEP_FINISH && s->is_endless)
        step = STEP_USAGE;
    if (step == STEP_USAGE && (!a->has_usage || !usage_is_apart))
        step = STEP_DONE;
    if (step == STEP_DONE && s->is_doneless)
        step = STEP_OVER;
    return step;
}

static enum event_kind chat_next_kind(const struct answer *a)
{
    switch ((enum chat_step)a->step) {
    case STEP_TEXT:
    case STEP_THINK:
    case STEP_PREFACE:
        return EVENT_PIECE;
    case STEP_DONE:
        return EVENT_MARK;
    case STEP_OVER:
        return EVENT_NONE;
    default:
        return EVENT_FRAME;
    }
}

/* Go from one tool call's event to the next one's. */
static void advance_call(struct answer *a)
{
    if (a->step == STEP_TEXT)
        a->piece++;
    if (a->piece < a->pieces) {
        a->step = STEP_TEXT;
        return;
    }
    a->piece = 0;
    a->step = STEP_CALL;
    if (++a->track == a->tool_calls) {
        a->track = 0;
        a->step = (int)step_present(a, STEP_FINISH);
    }
}

static void advance(struct answer *a)
{
    enum chat_step step = (enum chat_step)a->step;
    if (a->tool_calls > 0 && (step == STEP_CALL || step == STEP_TEXT)) {
        advance_call(a);
        return;
    }
    bool is_per_choice = step == STEP_OPEN || step == STEP_TEXT || step == STEP_FINISH;
    if (is_per_choice && ++a->track < a->choices)
        return;
    a->track = 0;
    if (step == STEP_TEXT && ++a->piece < a->pieces)
        return;
    if (step == STEP_THINK && ++a->piece < a->think_pieces)
        return;
    a->piece = 0;
    a->step = (int)step_present(a, step + 1);
}

static void put_delta(const struct answer *a, struct bytes *out)
{
    bool is_thought;
    switch ((enum chat_step)a->step) {
    case STEP_OPEN:
        bytes_puts(out, a->tool_calls > 0 || a->script.is_refusal
                            ? "\"role\":\"assistant\",\"content\":null,\"refusal\":null"
                            : "\"role\":\"assistant\",\"content\":\"\",\"refusal\":null");
        return;
    case STEP_CALL:
        bytes_puts(out, "\"tool_calls\":[{\"index\":");
        bytes_put_int(out, a->track);
        bytes_puts(out, ",");
        open_call(a, a->track, out);
        bytes_puts(out, "\"}}]");
        return;
    case STEP_TEXT:
        if (a->tool_calls > 0) {
            bytes_puts(out, "\"tool_calls\":[{\"index\":");
            bytes_put_int(out, a->track);
            bytes_puts(out, answer_tool(a, a->track)->is_custom
                                ? ",\"custom\":{\"input\":\""
                                : ",\"function\":{\"arguments\":\"");
            answer_put_piece(a, a->piece, out);
            bytes_puts(out, "\"}}]");
            return;
        }
        bytes_puts(out, a->script.is_refusal ? "\"refusal\":\"" : "\"content\":\"");
        answer_put_piece(a, a->piece, out);
        bytes_puts(out, "\"");
        return;
    case STEP_THINK:
    case STEP_PREFACE:
        is_thought = a->step == STEP_THINK;
        bytes_puts(out, is_thought ? "\"reasoning_content\":\"" : "\"content\":\"");
        answer_put_block_piece(a, &a->blocks[!is_thought && a->think_pieces > 0], a->piece, out);
        bytes_puts(out, "\"");
        return;
    default:
        return;
    }
}

/* The usage member of a chunk that has choices. */
static void put_chunk_usage(const struct answer *a, struct bytes *out)
{
    bool is_finish = a->step == STEP_FINISH;
    int64_t so_far = a->pieces_sent + (chat_next_kind(a) == EVENT_PIECE);
    switch (a->script.usage) {
    case SCRIPT_USAGE_NONE:
        return;
    case SCRIPT_USAGE_EVERY:
        bytes_puts(out, ",");
        put_usage(a, is_finish ? a->completion_tokens : so_far, out);
        return;
    case SCRIPT_USAGE_FINISH:
        if (is_finish) {
            bytes_puts(out, ",");
            put_usage(a, a->completion_tokens, out);
            return;
        }
        break;
    default:
        break;
    }
    if (a->has_usage)
        bytes_puts(out, ",\"usage\":null");
}

static const char *chat_write(struct answer *a, struct bytes *out)
{
    if (a->step == STEP_DONE) {
        bytes_puts(out, "[DONE]");
        advance(a);
        return NULL;
    }
    put_head(a, "chat.completion.chunk", out);
    if (a->step == STEP_USAGE) {
        bytes_puts(out, "],");
        put_usage(a, a->completion_tokens, out);
    } else {
        bytes_puts(out, "{\"index\":");
        bytes_put_int(out, a->tool_calls > 0 ? 0 : a->track);
        bytes_puts(out, ",\"delta\":{");
        put_delta(a, out);
        bytes_puts(out, "},\"logprobs\":null,\"finish_reason\":");
        if (a->step == STEP_FINISH)
            put_finish(a, out);
        else
            bytes_puts(out, "null");
        bytes_puts(out, "}]");
        put_chunk_usage(a, out);
    }
    bytes_puts(out, "}");
    advance(a);
    return NULL;
}

const struct format format_chat = {
    .read = chat_read,
    .whole = chat_whole,
    .next_kind = chat_next_kind,
    .write = chat_write,
    .error = fault_put_openai,
};
