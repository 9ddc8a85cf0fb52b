#include "tests/provider/messages.h"

#include "tests/provider/scan.h"
#include "tests/provider/seal.h"

#include <string.h>

/* The sequence of a stream's events; BEGIN to END come once per block. */
enum messages_step {
    STEP_START,
    STEP_PING,
    STEP_BEGIN,
    STEP_DELTA,
    STEP_SIGNATURE,
    STEP_END,
    STEP_FINISH,
    STEP_STOP,
    STEP_OVER
};

/* Thinking that comes as a closed blob. */
static bool is_redacted(const struct answer *a, const struct block *b)
{
    return b->kind == BLOCK_THINKING && a->script.is_redacted;
}

/* Blocks that this format does not have: refusals are a stop reason, pictures do not exist. */
static bool is_shown(const struct block *b)
{
    return b->kind != BLOCK_REFUSAL && b->kind != BLOCK_IMAGE &&
           (b->kind != BLOCK_TEXT || b->pieces > 0);
}

static struct span model_of(const struct answer *a)
{
    return (struct span){a->model.data, a->model.len};
}

static void put_signature(const struct answer *a, const struct block *b, struct bytes *out)
{
    struct bytes text = {0};
    answer_put_block(a, b, &text);
    seal_put(SEAL_THINKING, model_of(a), (struct span){text.data, text.len}, out);
    bytes_clear(&text);
}

static const char *stop_reason(const struct answer *a)
{
    const struct script *s = &a->script;
    if (s->finish[0] != 0)
        return s->finish;
    if (a->tool_calls > 0)
        return "tool_use";
    if (s->is_refusal)
        return "refusal";
    if (a->stop.len > 0)
        return "stop_sequence";
    return a->is_truncated ? "max_tokens" : "end_turn";
}

/* stop_reason and its companions. */
static void put_stop(const struct answer *a, struct bytes *out)
{
    const char *reason = stop_reason(a);
    if (a->script.is_endless) {
        bytes_puts(out, "\"stop_reason\":null,\"stop_sequence\":null");
        return;
    }
    bytes_puts(out, "\"stop_reason\":\"");
    bytes_puts(out, reason);
    bytes_puts(out, "\",\"stop_sequence\":");
    if (a->stop.len > 0 && strcmp(reason, "stop_sequence") == 0) {
        bytes_puts(out, "\"");
        bytes_put(out, a->stop.data, a->stop.len);
        bytes_puts(out, "\"");
    } else {
        bytes_puts(out, "null");
    }
    bytes_puts(out, ",\"stop_details\":");
    if (strcmp(reason, "refusal") == 0) {
        bytes_puts(out, "{\"type\":\"refusal\",\"category\":\"cyber\",\"explanation\":\"");
        if (a->script.is_refusal)
            answer_put_content(a, out);
        bytes_puts(out, "\"}");
    } else {
        bytes_puts(out, "null");
    }
}

/* The counts of the input. Anthropic leaves what the cache held or took out of input_tokens. */
static void put_input(const struct answer *a, bool is_known, struct bytes *out)
{
    const struct script *s = &a->script;
    int64_t read = is_known ? s->cached : 0;
    int64_t written = is_known ? s->cache_write + s->cache_write_long : 0;
    int64_t fresh = is_known ? a->prompt_tokens - read - written : 0;
    answer_put_member(out, "input_tokens", fresh > 0 ? fresh : 0);
    bytes_puts(out, ",");
    answer_put_member(out, "cache_creation_input_tokens", written);
    bytes_puts(out, ",");
    answer_put_member(out, "cache_read_input_tokens", read);
}

static void put_output(const struct answer *a, int64_t output, struct bytes *out)
{
    bool is_zero = a->script.usage == SCRIPT_USAGE_ZERO;
    answer_put_member(out, "output_tokens", is_zero ? 0 : output);
    bytes_puts(out, ",\"output_tokens_details\":{");
    int64_t thinking = is_zero || output < a->reasoning_tokens ? 0 : a->reasoning_tokens;
    answer_put_member(out, "thinking_tokens", thinking);
    bytes_puts(out, "},\"server_tool_use\":");
    if (a->script.searches > 0 && !is_zero) {
        bytes_puts(out, "{");
        answer_put_member(out, "web_search_requests", a->script.searches);
        bytes_puts(out, "}");
    } else {
        bytes_puts(out, "null");
    }
}

/* The usage of a whole message, or of the one that a stream begins with. */
static void put_usage(const struct answer *a, int64_t output, struct bytes *out)
{
    const struct script *s = &a->script;
    bool is_late = s->usage == SCRIPT_USAGE_FINISH && a->is_stream;
    bool is_known = s->usage != SCRIPT_USAGE_ZERO && !is_late;
    if (s->usage == SCRIPT_USAGE_NONE)
        return;
    bytes_puts(out, ",\"usage\":{");
    put_input(a, is_known, out);
    bytes_puts(out, ",\"cache_creation\":{");
    answer_put_member(out, "ephemeral_5m_input_tokens", is_known ? s->cache_write : 0);
    bytes_puts(out, ",");
    answer_put_member(out, "ephemeral_1h_input_tokens", is_known ? s->cache_write_long : 0);
    bytes_puts(out, "},");
    put_output(a, output, out);
    bytes_puts(out, ",\"service_tier\":\"");
    bytes_puts(out, s->tier[0] != 0 ? s->tier : "standard");
    bytes_puts(out, "\"");
    if (s->speed[0] != 0) {
        bytes_puts(out, ",\"speed\":\"");
        bytes_puts(out, s->speed);
        bytes_puts(out, "\"");
    }
    bytes_puts(out, "}");
}

static void put_head(const struct answer *a, struct bytes *out)
{
    bytes_puts(out, "{\"id\":\"msg_");
    bytes_puts(out, a->id);
    bytes_puts(out, "\",\"type\":\"message\",\"role\":\"assistant\",\"model\":\"");
    bytes_put(out, a->model.data, a->model.len);
    bytes_puts(out, "\",\"content\":[");
}

/* The arguments as an object; {} when they are not one. */
static void put_input_object(const struct answer *a, struct bytes *out)
{
    size_t begin = out->len;
    answer_put_plain(a, out);
    struct scan s = scan_begin(out->data + begin, out->len - begin);
    if (scan_peek(&s) != '{' || !scan_skip(&s) || !scan_end(&s)) {
        out->len = begin;
        bytes_puts(out, "{}");
    }
}

/* A block as it stands in a whole message, or without its content as a stream opens it. */
static void put_block(const struct answer *a, const struct block *b, bool is_opening,
                      struct bytes *out)
{
    if (is_redacted(a, b)) {
        bytes_puts(out, "{\"type\":\"redacted_thinking\",\"data\":\"");
        seal_put(SEAL_REDACTED, model_of(a), (struct span){"", 0}, out);
        bytes_puts(out, "\"}");
        return;
    }
    if (b->kind == BLOCK_CALL) {
        answer_put_call_id(a, "{\"type\":\"tool_use\",\"id\":\"toolu_", b->call, out);
        bytes_puts(out, "\",\"name\":\"");
        answer_put_tool_name(a, b->call, out);
        bytes_puts(out, "\",\"input\":");
        if (is_opening)
            bytes_puts(out, "{}");
        else
            put_input_object(a, out);
        bytes_puts(out, "}");
        return;
    }
    bool is_thinking = b->kind == BLOCK_THINKING;
    bytes_puts(out, is_thinking ? "{\"type\":\"thinking\",\"thinking\":\""
                                : "{\"type\":\"text\",\"text\":\"");
    if (!is_opening)
        answer_put_block(a, b, out);
    if (is_thinking)
        bytes_puts(out, "\",\"signature\":\"");
    if (is_thinking && !is_opening)
        put_signature(a, b, out);
    bytes_puts(out, "\"}");
}

static void messages_whole(const struct answer *a, struct bytes *out)
{
    const char *comma = "";
    put_head(a, out);
    for (int64_t i = 0; i < a->block_count; i++) {
        if (!is_shown(&a->blocks[i]))
            continue;
        bytes_puts(out, comma);
        put_block(a, &a->blocks[i], false, out);
        comma = ",";
    }
    bytes_puts(out, "],");
    put_stop(a, out);
    bytes_puts(out, ",\"container\":null");
    put_usage(a, a->completion_tokens, out);
    bytes_puts(out, "}");
}

/* ---- streamed ---------------------------------------------------------------------------- */

/* Step on to the next block that is shown, or to the end. */
static void enter_block(struct answer *a)
{
    while (a->track < a->block_count && !is_shown(&a->blocks[a->track]))
        a->track++;
    a->piece = 0;
    if (a->track < a->block_count)
        a->step = STEP_BEGIN;
    else
        a->step = a->script.is_endless ? STEP_STOP : STEP_FINISH;
    if (a->step == STEP_STOP && a->script.is_doneless)
        a->step = STEP_OVER;
}

static void advance(struct answer *a)
{
    const struct block *b = answer_block(a);
    switch ((enum messages_step)a->step) {
    case STEP_START:
        a->step = STEP_PING;
        return;
    case STEP_PING:
        enter_block(a);
        return;
    case STEP_BEGIN:
        a->step = is_redacted(a, b)           ? STEP_END
                  : b->pieces > 0             ? STEP_DELTA
                  : b->kind == BLOCK_THINKING ? STEP_SIGNATURE
                                              : STEP_END;
        return;
    case STEP_DELTA:
        if (++a->piece < b->pieces)
            return;
        a->step = b->kind == BLOCK_THINKING ? STEP_SIGNATURE : STEP_END;
        return;
    case STEP_SIGNATURE:
        a->step = STEP_END;
        return;
    case STEP_END:
        a->track++;
        enter_block(a);
        return;
    case STEP_FINISH:
        a->step = a->script.is_doneless ? STEP_OVER : STEP_STOP;
        return;
    case STEP_STOP:
    case STEP_OVER:
        a->step = STEP_OVER;
        return;
    }
}

static enum event_kind messages_next_kind(const struct answer *a)
{
    if (a->step == STEP_OVER)
        return EVENT_NONE;
    return a->step == STEP_DELTA ? EVENT_PIECE : EVENT_FRAME;
}

/* The number of the block in the stream: blocks that are not shown have none. */
static int64_t block_index(const struct answer *a)
{
    int64_t index = 0;
    for (int64_t i = 0; i < a->track; i++)
        index += is_shown(&a->blocks[i]);
    return index;
}

static void put_delta(const struct answer *a, struct bytes *out)
{
    const struct block *b = answer_block(a);
    if (a->step == STEP_SIGNATURE) {
        bytes_puts(out, "{\"type\":\"signature_delta\",\"signature\":\"");
        put_signature(a, b, out);
    } else {
        bytes_puts(out, b->kind == BLOCK_THINKING ? "{\"type\":\"thinking_delta\",\"thinking\":\""
                        : b->kind == BLOCK_CALL
                            ? "{\"type\":\"input_json_delta\",\"partial_json\":\""
                            : "{\"type\":\"text_delta\",\"text\":\"");
        answer_put_block_piece(a, b, a->piece, out);
    }
    bytes_puts(out, "\"}");
}

static void put_finish(const struct answer *a, struct bytes *out)
{
    bytes_puts(out, "{\"type\":\"message_delta\",\"delta\":{");
    put_stop(a, out);
    bytes_puts(out, ",\"container\":null}");
    if (a->script.usage != SCRIPT_USAGE_NONE) {
        bytes_puts(out, ",\"usage\":{");
        if (a->script.usage != SCRIPT_USAGE_START) {
            put_input(a, a->script.usage != SCRIPT_USAGE_ZERO, out);
            bytes_puts(out, ",");
        }
        put_output(a, a->completion_tokens, out);
        bytes_puts(out, "}");
    }
    bytes_puts(out, "}");
}

static const char *write_block_event(const struct answer *a, struct bytes *out)
{
    static const char *const names[] = {
        [STEP_BEGIN] = "content_block_start",
        [STEP_DELTA] = "content_block_delta",
        [STEP_SIGNATURE] = "content_block_delta",
        [STEP_END] = "content_block_stop",
    };
    bytes_puts(out, "{\"type\":\"");
    bytes_puts(out, names[a->step]);
    bytes_puts(out, "\",\"index\":");
    bytes_put_int(out, block_index(a));
    if (a->step == STEP_BEGIN) {
        bytes_puts(out, ",\"content_block\":");
        put_block(a, answer_block(a), true, out);
    } else if (a->step != STEP_END) {
        bytes_puts(out, ",\"delta\":");
        put_delta(a, out);
    }
    bytes_puts(out, "}");
    return names[a->step];
}

static const char *messages_write(struct answer *a, struct bytes *out)
{
    const char *name;
    switch ((enum messages_step)a->step) {
    case STEP_START:
        bytes_puts(out, "{\"type\":\"message_start\",\"message\":");
        put_head(a, out);
        bytes_puts(out, "],\"stop_reason\":null,\"stop_sequence\":null,\"stop_details\":null,"
                        "\"container\":null");
        put_usage(a, a->completion_tokens > 0, out);
        bytes_puts(out, "}}");
        name = "message_start";
        break;
    case STEP_PING:
        bytes_puts(out, "{\"type\":\"ping\"}");
        name = "ping";
        break;
    case STEP_FINISH:
        put_finish(a, out);
        name = "message_delta";
        break;
    case STEP_STOP:
    case STEP_OVER:
        bytes_puts(out, "{\"type\":\"message_stop\"}");
        name = "message_stop";
        break;
    default:
        name = write_block_event(a, out);
        break;
    }
    advance(a);
    return name;
}

static const char *messages_fail(struct answer *a, const struct fault *f, struct bytes *out)
{
    (void)a;
    fault_put_anthropic(f, out);
    return "error";
}

static void count_whole(const struct answer *a, struct bytes *out)
{
    bytes_puts(out, "{");
    answer_put_member(out, "input_tokens", a->prompt_tokens);
    bytes_puts(out, "}");
}

const struct format format_messages = {
    .read = messages_read,
    .whole = messages_whole,
    .next_kind = messages_next_kind,
    .write = messages_write,
    .error = fault_put_anthropic,
    .fail = messages_fail,
    .id_header = "request-id",
};

const struct format format_count_tokens = {
    .read = messages_read_count,
    .whole = count_whole,
    .error = fault_put_anthropic,
    .id_header = "request-id",
};
