#include "tests/provider/responses.h"

#include "tests/provider/seal.h"

#include <string.h>

/* The sequence of a stream's events; ITEM to ITEM_DONE come once per block. A call has no part. */
enum responses_step {
    STEP_CREATED,
    STEP_IN_PROGRESS,
    STEP_ITEM,
    STEP_PART,
    STEP_DELTA,
    STEP_TEXT_DONE,
    STEP_PART_DONE,
    STEP_ITEM_DONE,
    STEP_LAST,
    STEP_OVER
};

enum { KEPT_CONTENT_MAX = 64 * 1024 };

/* How far an item is told. */
enum telling { OPENED, WHOLE };

static struct span model_of(const struct answer *a)
{
    return (struct span){a->model.data, a->model.len};
}

static bool is_shown(const struct block *b)
{
    return b->kind != BLOCK_IMAGE;
}

static bool is_custom(const struct answer *a, const struct block *b)
{
    return b->kind == BLOCK_CALL && answer_tool(a, b->call)->is_custom;
}

/* The word for the end: the script's, or what is true. */
static const char *end_word(const struct answer *a)
{
    if (a->script.finish[0] != 0)
        return a->script.finish;
    return a->is_truncated && a->tool_calls == 0 ? "max_output_tokens" : "completed";
}

static bool is_incomplete(const struct answer *a)
{
    const char *word = end_word(a);
    return strcmp(word, "max_output_tokens") == 0 || strcmp(word, "content_filter") == 0;
}

static const char *end_status(const struct answer *a)
{
    const char *word = end_word(a);
    if (is_incomplete(a))
        return "incomplete";
    return strcmp(word, "failed") == 0 || strcmp(word, "cancelled") == 0 ? word : "completed";
}

/* ---- items ------------------------------------------------------------------------------- */

static void put_item_id(const struct answer *a, const struct block *b, struct bytes *out)
{
    static const char *const prefixes[] = {
        [BLOCK_THINKING] = "rs_", [BLOCK_TEXT] = "msg_", [BLOCK_REFUSAL] = "msg_",
        [BLOCK_CALL] = "fc_",     [BLOCK_IMAGE] = "ig_",
    };
    answer_put_call_id(a, is_custom(a, b) ? "ctc_" : prefixes[b->kind], b - a->blocks, out);
}

/* The content part of a message or a summary, with its text or without. */
static void put_part(const struct answer *a, const struct block *b, enum telling telling,
                     struct bytes *out)
{
    bytes_puts(out, b->kind == BLOCK_THINKING  ? "{\"type\":\"summary_text\",\"text\":\""
                    : b->kind == BLOCK_REFUSAL ? "{\"type\":\"refusal\",\"refusal\":\""
                                               : "{\"type\":\"output_text\",\"text\":\"");
    if (telling == WHOLE)
        answer_put_block(a, b, out);
    bytes_puts(out, b->kind == BLOCK_TEXT ? "\",\"annotations\":[],\"logprobs\":[]}" : "\"}");
}

static void put_call_item(const struct answer *a, const struct block *b, enum telling telling,
                          struct bytes *out)
{
    const struct answer_tool *t = answer_tool(a, b->call);
    answer_put_call_id(a, "\",\"call_id\":\"call_", b->call, out);
    bytes_puts(out, "\",\"name\":\"");
    answer_put_tool_name(a, b->call, out);
    if (t->space_len > 0) {
        bytes_puts(out, "\",\"namespace\":\"");
        bytes_put(out, a->tools.data + t->space_at, t->space_len);
    }
    bytes_puts(out, t->is_custom ? "\",\"input\":\"" : "\",\"arguments\":\"");
    if (telling == WHOLE)
        answer_put_content(a, out);
    bytes_puts(out, "\"");
    if (!t->is_custom)
        bytes_puts(out,
                   telling == WHOLE ? ",\"status\":\"completed\"" : ",\"status\":\"in_progress\"");
}

static void put_item(const struct answer *a, const struct block *b, enum telling telling,
                     struct bytes *out)
{
    bytes_puts(out, "{\"id\":\"");
    put_item_id(a, b, out);
    bytes_puts(out, "\",\"type\":\"");
    if (b->kind == BLOCK_CALL) {
        bytes_puts(out, is_custom(a, b) ? "custom_tool_call" : "function_call");
        put_call_item(a, b, telling, out);
    } else if (b->kind == BLOCK_THINKING) {
        bytes_puts(out, "reasoning\",\"summary\":[");
        if (telling == WHOLE && b->pieces > 0)
            put_part(a, b, WHOLE, out);
        bytes_puts(out, "]");
        if (telling == WHOLE) {
            bytes_puts(out, ",\"encrypted_content\":\"");
            seal_put(SEAL_REASONING, model_of(a), (struct span){"", 0}, out);
            bytes_puts(out, "\"");
        }
    } else {
        bytes_puts(out, "message\",\"role\":\"assistant\",\"status\":\"");
        bytes_puts(out, telling == OPENED                    ? "in_progress"
                        : is_incomplete(a) && !b->is_preface ? "incomplete"
                                                             : "completed");
        bytes_puts(out, "\",\"content\":[");
        if (telling == WHOLE)
            put_part(a, b, WHOLE, out);
        bytes_puts(out, "]");
    }
    bytes_puts(out, "}");
}

static void put_output(const struct answer *a, struct bytes *out)
{
    const char *comma = "";
    for (int64_t i = 0; i < a->block_count; i++) {
        if (!is_shown(&a->blocks[i]))
            continue;
        bytes_puts(out, comma);
        put_item(a, &a->blocks[i], WHOLE, out);
        comma = ",";
    }
}

/* ---- the response ------------------------------------------------------------------------ */

static void put_usage(const struct answer *a, struct bytes *out)
{
    const struct script *s = &a->script;
    bool is_zero = s->usage == SCRIPT_USAGE_ZERO;
    int64_t input = is_zero ? 0 : a->prompt_tokens;
    int64_t output = is_zero ? 0 : a->completion_tokens;
    bytes_puts(out, "{");
    answer_put_member(out, "input_tokens", input);
    bytes_puts(out, ",\"input_tokens_details\":{");
    answer_put_member(out, "cached_tokens", is_zero ? 0 : s->cached);
    bytes_puts(out, ",");
    answer_put_member(out, "cache_write_tokens",
                      is_zero ? 0 : s->cache_write + s->cache_write_long);
    if (s->cache_write_long > 0 && !is_zero) {
        bytes_puts(out, ",\"cache_write_tokens_details\":{");
        answer_put_member(out, "ttl_30m_tokens", s->cache_write);
        bytes_puts(out, ",");
        answer_put_member(out, "ttl_12h_tokens", s->cache_write_long);
        bytes_puts(out, "}");
    }
    bytes_puts(out, "},");
    answer_put_member(out, "output_tokens", output);
    bytes_puts(out, ",\"output_tokens_details\":{");
    answer_put_member(out, "reasoning_tokens", is_zero ? 0 : a->reasoning_tokens);
    bytes_puts(out, "},");
    answer_put_member(out, "total_tokens", input + output);
    bytes_puts(out, "}");
}

/* The response object. fault: why it failed, or NULL. is_begun: only what is known at the start. */
static void put_response(const struct answer *a, const char *status, const struct fault *fault,
                         bool is_begun, struct bytes *out)
{
    bool is_last = !is_begun && fault == NULL;
    bytes_puts(out, "{\"id\":\"resp_");
    bytes_puts(out, a->id);
    bytes_puts(out, "\",\"object\":\"response\",\"created_at\":");
    bytes_put_int(out, a->created);
    if (strcmp(status, "completed") == 0) {
        bytes_puts(out, ",\"completed_at\":");
        bytes_put_int(out, a->created);
    }
    bytes_puts(out, ",\"status\":\"");
    bytes_puts(out, status);
    bytes_puts(out, "\",\"error\":");
    if (fault != NULL) {
        const char *code = fault_code(fault);
        bytes_puts(out, "{\"code\":\"");
        bytes_puts(out, code[0] != 0 ? code : "server_error");
        bytes_puts(out, "\",\"message\":");
        bytes_put_quoted(out, fault_message(fault), strlen(fault_message(fault)));
        bytes_puts(out, "}");
    } else {
        bytes_puts(out, "null");
    }
    bytes_puts(out, ",\"incomplete_details\":");
    if (is_last && is_incomplete(a)) {
        bytes_puts(out, "{\"reason\":\"");
        bytes_puts(out, end_word(a));
        bytes_puts(out, "\"}");
    } else {
        bytes_puts(out, "null");
    }
    bytes_puts(out, ",");
    bytes_put(out, a->echo.data, a->echo.len);
    bytes_puts(out, "\"model\":\"");
    bytes_put(out, a->model.data, a->model.len);
    bytes_puts(out, "\",\"service_tier\":\"");
    bytes_puts(out, a->script.tier[0] != 0 ? a->script.tier : "default");
    bytes_puts(out, "\",\"output\":[");
    if (is_last)
        put_output(a, out);
    bytes_puts(out, "]");
    if (is_last && a->script.searches > 0) {
        bytes_puts(out, ",\"tool_usage\":{\"web_search\":{");
        answer_put_member(out, "num_requests", a->script.searches);
        bytes_puts(out, "}}");
    }
    if (a->script.usage != SCRIPT_USAGE_NONE) {
        bytes_puts(out, ",\"usage\":");
        if (is_last)
            put_usage(a, out);
        else
            bytes_puts(out, "null");
    }
    bytes_puts(out, "}");
}

static void put_end(const struct answer *a, struct bytes *out)
{
    bool has_failed = strcmp(end_status(a), "failed") == 0;
    struct fault fault = {
        .status = 500, .message = a->script.error_message, .code = a->script.error_code};
    put_response(a, end_status(a), has_failed ? &fault : NULL, false, out);
}

static void responses_whole(const struct answer *a, struct bytes *out)
{
    put_end(a, out);
}

static void responses_keep(const struct answer *a)
{
    struct bytes body = {0};
    struct bytes id = {0};
    if (a->is_unkept || a->content_bytes > KEPT_CONTENT_MAX)
        return;
    responses_whole(a, &body);
    bytes_puts(&id, "resp_");
    bytes_puts(&id, a->id);
    responses_kept_add((struct span){id.data, id.len}, &body);
    bytes_clear(&id);
    bytes_clear(&body);
}

/* ---- streamed ---------------------------------------------------------------------------- */

static void enter_block(struct answer *a)
{
    while (a->track < a->block_count && !is_shown(&a->blocks[a->track]))
        a->track++;
    a->piece = 0;
    a->step = a->track < a->block_count ? STEP_ITEM : STEP_LAST;
    if (a->step == STEP_LAST && (a->script.is_doneless || a->script.is_endless))
        a->step = STEP_OVER;
}

static void advance(struct answer *a)
{
    const struct block *b = answer_block(a);
    switch ((enum responses_step)a->step) {
    case STEP_CREATED:
        a->step = STEP_IN_PROGRESS;
        return;
    case STEP_IN_PROGRESS:
        enter_block(a);
        return;
    case STEP_ITEM:
        if (b->kind == BLOCK_THINKING && b->pieces == 0)
            a->step = STEP_ITEM_DONE;
        else if (b->kind == BLOCK_CALL)
            a->step = b->pieces > 0 ? STEP_DELTA : STEP_TEXT_DONE;
        else
            a->step = STEP_PART;
        return;
    case STEP_PART:
        a->step = b->pieces > 0 ? STEP_DELTA : STEP_TEXT_DONE;
        return;
    case STEP_DELTA:
        if (++a->piece >= b->pieces)
            a->step = STEP_TEXT_DONE;
        return;
    case STEP_TEXT_DONE:
        a->step = b->kind == BLOCK_CALL ? STEP_ITEM_DONE : STEP_PART_DONE;
        return;
    case STEP_PART_DONE:
        a->step = STEP_ITEM_DONE;
        return;
    case STEP_ITEM_DONE:
        a->track++;
        enter_block(a);
        return;
    case STEP_LAST:
    case STEP_OVER:
        a->step = STEP_OVER;
        return;
    }
}

static enum event_kind responses_next_kind(const struct answer *a)
{
    if (a->step == STEP_OVER)
        return EVENT_NONE;
    return a->step == STEP_DELTA ? EVENT_PIECE : EVENT_FRAME;
}

/* The event's name at a step within a block. */
static const char *block_event(const struct answer *a, const struct block *b)
{
    static const char *const deltas[] = {
        [BLOCK_THINKING] = "response.reasoning_summary_text.delta",
        [BLOCK_TEXT] = "response.output_text.delta",
        [BLOCK_REFUSAL] = "response.refusal.delta",
        [BLOCK_CALL] = "response.function_call_arguments.delta",
    };
    static const char *const dones[] = {
        [BLOCK_THINKING] = "response.reasoning_summary_text.done",
        [BLOCK_TEXT] = "response.output_text.done",
        [BLOCK_REFUSAL] = "response.refusal.done",
        [BLOCK_CALL] = "response.function_call_arguments.done",
    };
    bool is_thinking = b->kind == BLOCK_THINKING;
    switch ((enum responses_step)a->step) {
    case STEP_ITEM:
        return "response.output_item.added";
    case STEP_PART:
        return is_thinking ? "response.reasoning_summary_part.added"
                           : "response.content_part.added";
    case STEP_DELTA:
        return is_custom(a, b) ? "response.custom_tool_call_input.delta" : deltas[b->kind];
    case STEP_TEXT_DONE:
        return is_custom(a, b) ? "response.custom_tool_call_input.done" : dones[b->kind];
    case STEP_PART_DONE:
        return is_thinking ? "response.reasoning_summary_part.done" : "response.content_part.done";
    default:
        return "response.output_item.done";
    }
}

/* The full text of a block, under the name that its kind has in the event. */
static void put_text_done(const struct answer *a, const struct block *b, struct bytes *out)
{
    const char *name = b->kind == BLOCK_REFUSAL ? "refusal"
                       : is_custom(a, b)        ? "input"
                       : b->kind == BLOCK_CALL  ? "arguments"
                                                : "text";
    bytes_puts(out, ",\"");
    bytes_puts(out, name);
    bytes_puts(out, "\":\"");
    answer_put_block(a, b, out);
    bytes_puts(out, "\"");
    if (b->kind == BLOCK_TEXT)
        bytes_puts(out, ",\"logprobs\":[]");
    if (b->kind == BLOCK_CALL && !is_custom(a, b)) {
        bytes_puts(out, ",\"name\":\"");
        answer_put_tool_name(a, b->call, out);
        bytes_puts(out, "\"");
    }
}

/* What the event at a step within a block carries besides its place. */
static void put_block_event(const struct answer *a, const struct block *b, struct bytes *out)
{
    switch ((enum responses_step)a->step) {
    case STEP_PART:
    case STEP_PART_DONE:
        bytes_puts(out, ",\"part\":");
        put_part(a, b, a->step == STEP_PART ? OPENED : WHOLE, out);
        return;
    case STEP_DELTA:
        bytes_puts(out, ",\"delta\":\"");
        answer_put_block_piece(a, b, a->piece, out);
        bytes_puts(out, b->kind == BLOCK_TEXT ? "\",\"logprobs\":[]" : "\"");
        return;
    case STEP_TEXT_DONE:
        put_text_done(a, b, out);
        return;
    default:
        bytes_puts(out, ",\"item\":");
        put_item(a, b, a->step == STEP_ITEM ? OPENED : WHOLE, out);
        return;
    }
}

static void open_event(const struct answer *a, const char *name, struct bytes *out)
{
    bytes_puts(out, "{\"type\":\"");
    bytes_puts(out, name);
    bytes_puts(out, "\",\"sequence_number\":");
    bytes_put_int(out, a->events);
}

/* The number of an item in the output. */
static int64_t output_index(const struct answer *a)
{
    int64_t index = 0;
    for (int64_t i = 0; i < a->track; i++)
        index += is_shown(&a->blocks[i]);
    return index;
}

static const char *write_block_event(const struct answer *a, struct bytes *out)
{
    const struct block *b = answer_block(a);
    const char *name = block_event(a, b);
    bool is_item = a->step == STEP_ITEM || a->step == STEP_ITEM_DONE;
    open_event(a, name, out);
    if (!is_item) {
        bytes_puts(out, ",\"item_id\":\"");
        put_item_id(a, b, out);
        bytes_puts(out, "\"");
    }
    bytes_puts(out, ",\"output_index\":");
    bytes_put_int(out, output_index(a));
    if (!is_item && b->kind != BLOCK_CALL)
        bytes_puts(out,
                   b->kind == BLOCK_THINKING ? ",\"summary_index\":0" : ",\"content_index\":0");
    put_block_event(a, b, out);
    bytes_puts(out, "}");
    return name;
}

static const char *last_event(const struct answer *a)
{
    const char *status = end_status(a);
    if (strcmp(status, "failed") == 0)
        return "response.failed";
    return strcmp(status, "incomplete") == 0 ? "response.incomplete" : "response.completed";
}

static const char *responses_write(struct answer *a, struct bytes *out)
{
    const char *name;
    switch ((enum responses_step)a->step) {
    case STEP_CREATED:
    case STEP_IN_PROGRESS:
        name = a->step == STEP_CREATED ? "response.created" : "response.in_progress";
        open_event(a, name, out);
        bytes_puts(out, ",\"response\":");
        put_response(a, "in_progress", NULL, true, out);
        bytes_puts(out, "}");
        break;
    case STEP_LAST:
    case STEP_OVER:
        name = last_event(a);
        open_event(a, name, out);
        bytes_puts(out, ",\"response\":");
        put_end(a, out);
        bytes_puts(out, "}");
        break;
    default:
        name = write_block_event(a, out);
        break;
    }
    advance(a);
    return name;
}

static const char *responses_fail(struct answer *a, const struct fault *f, struct bytes *out)
{
    const char *name = a->script.has_error_event ? "error" : "response.failed";
    const char *code = fault_code(f);
    open_event(a, name, out);
    if (a->script.has_error_event) {
        bytes_puts(out, ",\"code\":\"");
        bytes_puts(out, code[0] != 0 ? code : "server_error");
        bytes_puts(out, "\",\"message\":");
        bytes_put_quoted(out, fault_message(f), strlen(fault_message(f)));
        bytes_puts(out, ",\"param\":null}");
    } else {
        bytes_puts(out, ",\"response\":");
        put_response(a, "failed", f, false, out);
        bytes_puts(out, "}");
    }
    return name;
}

/* ---- the smaller calls ------------------------------------------------------------------- */

static void compact_whole(const struct answer *a, struct bytes *out)
{
    bytes_puts(out, "{\"id\":\"resp_");
    bytes_puts(out, a->id);
    bytes_puts(out, "\",\"object\":\"response.compaction\",\"created_at\":");
    bytes_put_int(out, a->created);
    answer_put_call_id(a, ",\"output\":[{\"id\":\"msg_", 0, out);
    bytes_puts(out,
               "\",\"type\":\"message\",\"status\":\"completed\",\"role\":\"user\",\"content\":["
               "{\"type\":\"input_text\",\"text\":");
    bytes_put(out, a->echo.data, a->echo.len);
    answer_put_call_id(a, "}]},{\"id\":\"cmp_", 1, out);
    bytes_puts(out, "\",\"type\":\"compaction\",\"encrypted_content\":\"");
    seal_put(SEAL_COMPACTION, model_of(a), (struct span){"", 0}, out);
    bytes_puts(out, "\"}],\"usage\":");
    put_usage(a, out);
    bytes_puts(out, "}");
}

static void count_whole(const struct answer *a, struct bytes *out)
{
    bytes_puts(out, "{\"object\":\"response.input_tokens\",");
    answer_put_member(out, "input_tokens", a->prompt_tokens);
    bytes_puts(out, "}");
}

const struct format format_responses = {
    .read = responses_read,
    .whole = responses_whole,
    .next_kind = responses_next_kind,
    .write = responses_write,
    .error = fault_put_openai,
    .fail = responses_fail,
    .keep = responses_keep,
};

const struct format format_compact = {
    .read = responses_read_compact,
    .whole = compact_whole,
    .error = fault_put_openai,
};

const struct format format_input_tokens = {
    .read = responses_read_count,
    .whole = count_whole,
    .error = fault_put_openai,
};
