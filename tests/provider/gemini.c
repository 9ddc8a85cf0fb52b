#include "tests/provider/gemini.h"

#include "tests/provider/scan.h"
#include "tests/provider/seal.h"

#include <string.h>

/* The sequence of a stream's events: pieces, block by block, then the last chunk. */
enum gemini_step { STEP_PIECE, STEP_LAST, STEP_OVER };

/* A picture of one pixel. */
static const char picture[] =
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGA"
    "WjR9awAAAABJRU5ErkJggg==";

static struct span model_of(const struct answer *a)
{
    return (struct span){a->model.data, a->model.len};
}

/* Models from 3 on sign, others when they think. */
static bool signs(const struct answer *a)
{
    return gemini_version(model_of(a)) >= 30 || a->think_pieces > 0;
}

/* Whether the content is JSON that can be a call's arguments. */
static bool has_object(const struct answer *a)
{
    struct bytes text = {0};
    answer_put_plain(a, &text);
    struct scan s = scan_begin(text.data, text.len);
    bool is_object = scan_peek(&s) == '{' && scan_skip(&s) && scan_end(&s);
    bytes_clear(&text);
    return is_object;
}

static bool is_shown(const struct answer *a, const struct block *b)
{
    if (b->kind == BLOCK_CALL)
        return has_object(a);
    return b->kind != BLOCK_REFUSAL && b->pieces > 0;
}

static const char *finish_reason(const struct answer *a)
{
    const struct script *s = &a->script;
    if (s->finish[0] != 0)
        return s->finish;
    if (s->is_refusal && a->tool_calls == 0)
        return "SAFETY";
    if (a->tool_calls > 0 && !has_object(a))
        return "MALFORMED_FUNCTION_CALL";
    return a->is_truncated && a->tool_calls == 0 ? "MAX_TOKENS" : "STOP";
}

/* ---- usage ------------------------------------------------------------------------------- */

static void put_modality(const char *name, const char *modality, int64_t count, const char *more,
                         struct bytes *out)
{
    bytes_puts(out, name);
    bytes_puts(out, "{\"modality\":\"");
    bytes_puts(out, modality);
    bytes_puts(out, "\",");
    answer_put_member(out, "tokenCount", count);
    bytes_puts(out, "}");
    bytes_puts(out, more);
}

/* A member, left out when it is 0: protobuf does so. */
static void put_count(struct bytes *out, const char *name, int64_t value)
{
    if (value > 0) {
        bytes_puts(out, ",");
        answer_put_member(out, name, value);
    }
}

/* The counts so far: of `output` tokens the first are thoughts. */
static void put_counts(const struct answer *a, int64_t output, struct bytes *out)
{
    const struct script *s = &a->script;
    int64_t thoughts = a->reasoning_tokens < output ? a->reasoning_tokens : output;
    int64_t prompt = a->prompt_tokens;
    int64_t images = s->images > 0 ? s->images : 0;
    answer_put_member(out, "promptTokenCount", prompt);
    put_count(out, "candidatesTokenCount", output - thoughts);
    put_count(out, "thoughtsTokenCount", thoughts);
    put_count(out, "toolUsePromptTokenCount", s->tool_prompt);
    put_count(out, "cachedContentTokenCount", s->cached);
    put_count(out, "totalTokenCount", prompt + output + s->tool_prompt);
    bytes_puts(out, ",\"promptTokensDetails\":[");
    put_modality("", "TEXT", prompt - s->audio, s->audio > 0 ? "," : "]", out);
    if (s->audio > 0)
        put_modality("", "AUDIO", s->audio, "]", out);
    if (s->cached > 0)
        put_modality(",\"cacheTokensDetails\":[", "TEXT", s->cached, "]", out);
    if (images > 0 && output - thoughts >= images) {
        put_modality(",\"candidatesTokensDetails\":[", "TEXT", output - thoughts - images, ",",
                     out);
        put_modality("", "IMAGE", images, "]", out);
    }
    if (s->tool_prompt > 0)
        put_modality(",\"toolUsePromptTokensDetails\":[", "TEXT", s->tool_prompt, "]", out);
    if (s->tier[0] != 0) {
        bytes_puts(out, ",\"serviceTier\":\"");
        bytes_puts(out, s->tier);
        bytes_puts(out, "\"");
    }
}

static void put_usage(const struct answer *a, int64_t output, bool is_last, struct bytes *out)
{
    enum script_usage usage = a->script.usage;
    if (usage == SCRIPT_USAGE_NONE || (usage == SCRIPT_USAGE_FINISH && !is_last))
        return;
    bytes_puts(out, "\"usageMetadata\":{");
    if (usage == SCRIPT_USAGE_ZERO)
        bytes_puts(out, "\"promptTokenCount\":0,\"candidatesTokenCount\":0,\"totalTokenCount\":0");
    else
        put_counts(a, output, out);
    bytes_puts(out, "},");
}

/* What every answer ends with. */
static void put_tail(const struct answer *a, int64_t output, bool is_last, struct bytes *out)
{
    put_usage(a, output, is_last, out);
    bytes_puts(out, "\"modelVersion\":\"");
    bytes_put(out, a->model.data, a->model.len);
    bytes_puts(out, "\",\"responseId\":\"");
    bytes_puts(out, a->id);
    bytes_puts(out, "\"}");
}

/* ---- parts ------------------------------------------------------------------------------- */

static void put_signature(const struct answer *a, enum seal_kind kind, struct span text,
                          struct bytes *out)
{
    bytes_puts(out, ",\"thoughtSignature\":\"");
    seal_put(kind, model_of(a), text, out);
    bytes_puts(out, "\"");
}

static void put_call(const struct answer *a, const struct block *b, struct bytes *out)
{
    bytes_puts(out, "{\"functionCall\":{");
    if (a->has_call_ids) {
        answer_put_call_id(a, "\"id\":\"", b->call, out);
        bytes_puts(out, "\",");
    }
    bytes_puts(out, "\"name\":\"");
    answer_put_tool_name(a, b->call, out);
    bytes_puts(out, "\",\"args\":");
    answer_put_plain(a, out);
    bytes_puts(out, "}");
    if (b->call == 0 && signs(a))
        put_signature(a, SEAL_CALL, answer_tool_name(a, 0), out);
    bytes_puts(out, "}");
}

/* A block, or with piece >= 0 one piece of it, as a part. */
static void put_part(const struct answer *a, const struct block *b, int64_t piece,
                     struct bytes *out)
{
    if (b->kind == BLOCK_CALL) {
        put_call(a, b, out);
        return;
    }
    if (b->kind == BLOCK_IMAGE) {
        bytes_puts(out, "{\"inlineData\":{\"mimeType\":\"image/png\",\"data\":\"");
        bytes_puts(out, picture);
        bytes_puts(out, "\"}}");
        return;
    }
    bytes_puts(out, "{\"text\":\"");
    if (piece >= 0)
        answer_put_block_piece(a, b, piece, out);
    else
        answer_put_block(a, b, out);
    bytes_puts(out, "\"");
    if (b->kind == BLOCK_THINKING)
        bytes_puts(out, ",\"thought\":true");
    else if (piece < 0 && !b->is_preface && signs(a))
        put_signature(a, SEAL_TEXT, (struct span){"", 0}, out);
    bytes_puts(out, "}");
}

static void put_finish(const struct answer *a, struct bytes *out)
{
    const char *reason = finish_reason(a);
    if (a->script.is_endless)
        return;
    bytes_puts(out, "\"finishReason\":\"");
    bytes_puts(out, reason);
    bytes_puts(out, "\",");
    if (strcmp(reason, "SAFETY") == 0)
        bytes_puts(out, "\"safetyRatings\":[{\"category\":\"HARM_CATEGORY_DANGEROUS_CONTENT\","
                        "\"probability\":\"HIGH\",\"blocked\":true}],");
    if (strcmp(reason, "MALFORMED_FUNCTION_CALL") == 0)
        bytes_puts(out, "\"finishMessage\":\"Malformed function call\",");
}

/* The answer to a prompt that is refused as such: no candidate. */
static void put_blocked(const struct answer *a, struct bytes *out)
{
    bytes_puts(out, "{\"promptFeedback\":{\"blockReason\":\"SAFETY\",\"safetyRatings\":[{"
                    "\"category\":\"HARM_CATEGORY_DANGEROUS_CONTENT\",\"probability\":\"HIGH\","
                    "\"blocked\":true}]},");
    put_tail(a, 0, true, out);
}

static void gemini_whole(const struct answer *a, struct bytes *out)
{
    const char *comma = "";
    if (a->script.is_blocked) {
        put_blocked(a, out);
        return;
    }
    bytes_puts(out, "{\"candidates\":[{");
    for (int64_t i = 0; i < a->block_count; i++) {
        if (!is_shown(a, &a->blocks[i]))
            continue;
        bytes_puts(out, comma[0] == 0 ? "\"content\":{\"role\":\"model\",\"parts\":[" : comma);
        put_part(a, &a->blocks[i], -1, out);
        comma = ",";
    }
    bytes_puts(out, comma[0] == 0 ? "" : "]},");
    put_finish(a, out);
    bytes_puts(out, "\"index\":0}],");
    put_tail(a, a->completion_tokens, true, out);
}

/* ---- streamed ---------------------------------------------------------------------------- */

/* Be at a block that is shown, or at the last chunk. */
static enum gemini_step step_of(const struct answer *a, int64_t *track)
{
    *track = a->track;
    if (a->step != STEP_PIECE)
        return (enum gemini_step)a->step;
    while (*track < a->block_count && !a->script.is_blocked && !is_shown(a, &a->blocks[*track]))
        ++*track;
    return *track < a->block_count && !a->script.is_blocked ? STEP_PIECE : STEP_LAST;
}

static enum event_kind gemini_next_kind(const struct answer *a)
{
    int64_t track;
    switch (step_of(a, &track)) {
    case STEP_PIECE:
        return EVENT_PIECE;
    case STEP_LAST:
        return EVENT_FRAME;
    case STEP_OVER:
        break;
    }
    return EVENT_NONE;
}

static void write_last(struct answer *a, struct bytes *out)
{
    bool has_text = a->tool_calls == 0 && !a->script.is_refusal;
    if (a->script.is_blocked) {
        put_blocked(a, out);
        return;
    }
    bytes_puts(out, "{\"candidates\":[{");
    if (has_text) {
        bytes_puts(out, "\"content\":{\"role\":\"model\",\"parts\":[{\"text\":\"\"");
        if (signs(a))
            put_signature(a, SEAL_TEXT, (struct span){"", 0}, out);
        bytes_puts(out, "}]},");
    }
    put_finish(a, out);
    bytes_puts(out, "\"index\":0}],");
    put_tail(a, a->completion_tokens, true, out);
}

static const char *gemini_write(struct answer *a, struct bytes *out)
{
    int64_t track;
    enum gemini_step step = step_of(a, &track);
    if (step == STEP_LAST) {
        write_last(a, out);
        a->step = STEP_OVER;
        return NULL;
    }
    a->piece = track == a->track ? a->piece : 0;
    a->track = track;
    const struct block *b = &a->blocks[track];
    int64_t output = a->pieces_sent + 1 + (a->hides_thinking ? a->think_pieces : 0);
    bytes_puts(out, "{\"candidates\":[{\"content\":{\"role\":\"model\",\"parts\":[");
    put_part(a, b, a->piece, out);
    bytes_puts(out, "]},\"index\":0}],");
    put_tail(a, output < a->completion_tokens ? output : a->completion_tokens, false, out);
    if (++a->piece >= b->pieces) {
        a->piece = 0;
        a->track++;
    }
    return NULL;
}

/* ---- the smaller calls ------------------------------------------------------------------- */

static void count_whole(const struct answer *a, struct bytes *out)
{
    bytes_puts(out, "{");
    answer_put_member(out, "totalTokens", a->prompt_tokens);
    put_modality(",\"promptTokensDetails\":[", "TEXT", a->prompt_tokens, "]}", out);
}

static void embed_whole(const struct answer *a, struct bytes *out)
{
    bytes_puts(out, "{\"embedding\":");
    bytes_put(out, a->echo.data, a->echo.len);
    bytes_puts(out, "}");
}

static void embed_batch_whole(const struct answer *a, struct bytes *out)
{
    bytes_puts(out, "{\"embeddings\":[");
    bytes_put(out, a->echo.data, a->echo.len);
    bytes_puts(out, "]}");
}

const struct format format_gemini = {
    .read = gemini_read,
    .whole = gemini_whole,
    .next_kind = gemini_next_kind,
    .write = gemini_write,
    .error = fault_put_gemini,
};

const struct format format_gemini_stream = {
    .read = gemini_read_stream,
    .whole = gemini_whole,
    .next_kind = gemini_next_kind,
    .write = gemini_write,
    .error = fault_put_gemini,
};

const struct format format_gemini_count = {
    .read = gemini_read_count,
    .whole = count_whole,
    .error = fault_put_gemini,
};

const struct format format_gemini_embed = {
    .read = gemini_read_embed,
    .whole = embed_whole,
    .error = fault_put_gemini,
};

const struct format format_gemini_embed_batch = {
    .read = gemini_read_embed_batch,
    .whole = embed_batch_whole,
    .error = fault_put_gemini,
};
