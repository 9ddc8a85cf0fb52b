#include "tests/provider/chat.h"

#include "tests/provider/scan.h"

#include <string.h>

/* The sequence of a stream's events. OPEN, TEXT and FINISH come once per choice, those of the
 * choices taking turns; with tool calls CALL and TEXT come once per call, one call after the
 * other. */
enum chat_step { STEP_OPEN, STEP_CALL, STEP_TEXT, STEP_FINISH, STEP_USAGE, STEP_DONE, STEP_OVER };

/* ---- reading ---------------------------------------------------------------------------- */

/* Note a text of a message; the part with a marker counts before the first part. */
static void read_text(struct span text, struct span *said, struct span *marker)
{
    struct span whole;
    if (said->at == NULL)
        *said = text;
    script_find_in_text(text, &whole, marker);
}

static void read_part(struct scan *s, struct span *said, struct span *marker)
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
                read_text(text, said, marker);
        } else {
            scan_skip(s);
        }
    }
}

static void read_content(struct scan *s, struct span *said, struct span *marker)
{
    bool is_first = true;
    struct span text;
    char kind = scan_peek(s);
    if (kind == '"') {
        if (scan_string(s, &text))
            read_text(text, said, marker);
    } else if (kind == '[') {
        scan_open(s, '[');
        while (scan_element(s, &is_first))
            read_part(s, said, marker);
    } else {
        scan_skip(s);
    }
}

static void read_message(struct ask *ask, struct scan *s)
{
    bool is_first = true;
    struct span key;
    struct span role = {"", 0};
    struct span said = {0};
    struct span marker = {0};
    scan_open(s, '{');
    while (scan_member(s, &is_first, &key)) {
        if (span_is(key, "role") && scan_peek(s) == '"')
            scan_string(s, &role);
        else if (span_is(key, "content"))
            read_content(s, &said, &marker);
        else
            scan_skip(s);
    }
    ask->is_after_tool = span_is(role, "tool");
    if (span_is(role, "user")) {
        ask->said = said;
        ask->marker = marker;
    }
    if (role.len == 0)
        ask->bad_param = "messages";
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
static void read_tool(struct ask *ask, struct scan *s, int level)
{
    bool is_first = true;
    struct span key;
    scan_open(s, '{');
    while (scan_member(s, &is_first, &key)) {
        if (level == 0 && span_is(key, "function") && scan_peek(s) == '{')
            read_tool(ask, s, 1);
        else if (level == 1 && span_is(key, "name") && ask->tool.len == 0 && scan_peek(s) == '"')
            scan_string(s, &ask->tool);
        else
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
        read_tool(ask, s, 0);
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
    else
        scan_skip(s);
}

static bool chat_read(struct ask *ask, const char *body, size_t len)
{
    struct scan s = scan_begin(body, len);
    bool is_first = true;
    struct span key;
    *ask = (struct ask){
        .choices = 1, .said = {"", 0},
             .tool = {"", 0}
    };
    ask->bad_param = "messages"; /* until they are seen */
    scan_open(&s, '{');
    while (scan_member(&s, &is_first, &key)) {
        if (span_is(key, "messages"))
            ask->bad_param = NULL;
        read_member(ask, &s, key);
    }
    if (!scan_end(&s)) {
        ask->bad_param = NULL;
        return false;
    }
    if (ask->model.len == 0)
        ask->bad_param = "model";
    else if (ask->choices < 1 || ask->choices > ANSWER_CHOICES_MAX)
        ask->bad_param = "n";
    return ask->bad_param == NULL;
}

/* ---- writing ---------------------------------------------------------------------------- */

static const char *finish_reason(const struct answer *a)
{
    if (a->script.is_endless)
        return "null";
    if (a->tool_calls > 0)
        return "\"tool_calls\"";
    return a->is_truncated ? "\"length\"" : "\"stop\"";
}

static void put_usage(const struct answer *a, int64_t completion, struct bytes *out)
{
    const struct script *s = &a->script;
    bool is_zero = s->usage == SCRIPT_USAGE_ZERO;
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
    bytes_puts(out, ",\"audio_tokens\":0");
    if (s->cache_write > 0 && !is_zero) {
        bytes_puts(out, ",\"cache_write_tokens\":");
        bytes_put_int(out, s->cache_write);
    }
    bytes_puts(out, "},\"completion_tokens_details\":{\"reasoning_tokens\":");
    bytes_put_int(out, is_zero ? 0 : s->reasoning);
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

/* The id of a tool call: the answer's own, with the call's number. */
static void put_call_id(const struct answer *a, int64_t call, struct bytes *out)
{
    bytes_puts(out, "\"id\":\"call_");
    bytes_puts(out, a->id);
    bytes_put_int(out, call);
    bytes_puts(out, "\",\"type\":\"function\",\"function\":{\"name\":\"");
    bytes_put(out, a->tool.data, a->tool.len);
    bytes_puts(out, "\",\"arguments\":\"");
}

static void put_tool_calls(const struct answer *a, struct bytes *out)
{
    for (int64_t call = 0; call < a->tool_calls; call++) {
        bytes_puts(out, call > 0 ? ",{" : "{");
        put_call_id(a, call, out);
        answer_put_content(a, out);
        bytes_puts(out, "\"}}");
    }
}

static void chat_whole(const struct answer *a, struct bytes *out)
{
    put_head(a, "chat.completion", out);
    for (int64_t i = 0; i < a->choices; i++) {
        bytes_puts(out, i > 0 ? ",{\"index\":" : "{\"index\":");
        bytes_put_int(out, i);
        bytes_puts(out, ",\"message\":{\"role\":\"assistant\",\"content\":");
        if (a->tool_calls > 0) {
            bytes_puts(out, "null,\"tool_calls\":[");
            put_tool_calls(a, out);
            bytes_puts(out, "]");
        } else {
            bytes_puts(out, "\"");
            answer_put_content(a, out);
            bytes_puts(out, "\"");
        }
        bytes_puts(out, ",\"refusal\":null,\"annotations\":[]},\"logprobs\":null,"
                        "\"finish_reason\":");
        bytes_puts(out, finish_reason(a));
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
    bool usage_is_apart = s->usage == SCRIPT_USAGE_NORMAL || s->usage == SCRIPT_USAGE_ZERO ||
                          s->usage == SCRIPT_USAGE_EVERY;
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
    a->step = (int)step_present(a, step + 1);
}

static void put_delta(const struct answer *a, struct bytes *out)
{
    switch ((enum chat_step)a->step) {
    case STEP_OPEN:
        bytes_puts(out, a->tool_calls > 0
                            ? "\"role\":\"assistant\",\"content\":null,\"refusal\":null"
                            : "\"role\":\"assistant\",\"content\":\"\",\"refusal\":null");
        return;
    case STEP_CALL:
        bytes_puts(out, "\"tool_calls\":[{\"index\":");
        bytes_put_int(out, a->track);
        bytes_puts(out, ",");
        put_call_id(a, a->track, out);
        bytes_puts(out, "\"}}]");
        return;
    case STEP_TEXT:
        if (a->tool_calls > 0) {
            bytes_puts(out, "\"tool_calls\":[{\"index\":");
            bytes_put_int(out, a->track);
            bytes_puts(out, ",\"function\":{\"arguments\":\"");
            answer_put_piece(a, a->piece, out);
            bytes_puts(out, "\"}}]");
            return;
        }
        bytes_puts(out, "\"content\":\"");
        answer_put_piece(a, a->piece, out);
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
    int64_t so_far = a->pieces_sent + (a->step == STEP_TEXT);
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
        bytes_puts(out, a->step == STEP_FINISH ? finish_reason(a) : "null");
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
