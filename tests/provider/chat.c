#include "tests/provider/chat.h"

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
