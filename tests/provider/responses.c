#include "tests/provider/responses.h"

#include "tests/provider/responses_object.h"
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

static void responses_whole(const struct answer *a, struct bytes *out)
{
    responses_put_end(a, out);
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
    while (a->track < a->block_count && !responses_is_shown(&a->blocks[a->track]))
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
        return responses_is_custom(a, b) ? "response.custom_tool_call_input.delta"
                                         : deltas[b->kind];
    case STEP_TEXT_DONE:
        return responses_is_custom(a, b) ? "response.custom_tool_call_input.done" : dones[b->kind];
    case STEP_PART_DONE:
        return is_thinking ? "response.reasoning_summary_part.done" : "response.content_part.done";
    default:
        return "response.output_item.done";
    }
}

/* The full text of a block, under the name that its kind has in the event. */
static void put_text_done(const struct answer *a, const struct block *b, struct bytes *out)
{
    const char *name = b->kind == BLOCK_REFUSAL    ? "refusal"
                       : responses_is_custom(a, b) ? "input"
                       : b->kind == BLOCK_CALL     ? "arguments"
                                                   : "text";
    bytes_puts(out, ",\"");
    bytes_puts(out, name);
    bytes_puts(out, "\":\"");
    answer_put_block(a, b, out);
    bytes_puts(out, "\"");
    if (b->kind == BLOCK_TEXT)
        bytes_puts(out, ",\"logprobs\":[]");
    if (b->kind == BLOCK_CALL && !responses_is_custom(a, b)) {
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
        responses_put_part(a, b, a->step == STEP_PART ? OPENED : WHOLE, out);
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
        responses_put_item(a, b, a->step == STEP_ITEM ? OPENED : WHOLE, out);
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
        index += responses_is_shown(&a->blocks[i]);
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
        responses_put_item_id(a, b, out);
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
    const char *status = responses_end_status(a);
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
        responses_put(a, "in_progress", NULL, true, out);
        bytes_puts(out, "}");
        break;
    case STEP_LAST:
    case STEP_OVER:
        name = last_event(a);
        open_event(a, name, out);
        bytes_puts(out, ",\"response\":");
        responses_put_end(a, out);
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
        responses_put(a, "failed", f, false, out);
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
    seal_put(SEAL_COMPACTION, responses_model(a), (struct span){"", 0}, out);
    bytes_puts(out, "\"}],\"usage\":");
    responses_put_usage(a, out);
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
