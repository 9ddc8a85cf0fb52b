#include "tests/provider/responses_object.h"

#include "tests/provider/seal.h"

#include <string.h>

struct span responses_model(const struct answer *a)
{
    return (struct span){a->model.data, a->model.len};
}

bool responses_is_shown(const struct block *b)
{
    return b->kind != BLOCK_IMAGE;
}

bool responses_is_custom(const struct answer *a, const struct block *b)
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

const char *responses_end_status(const struct answer *a)
{
    const char *word = end_word(a);
    if (is_incomplete(a))
        return "incomplete";
    return strcmp(word, "failed") == 0 || strcmp(word, "cancelled") == 0 ? word : "completed";
}

/* ---- items ------------------------------------------------------------------------------- */

void responses_put_item_id(const struct answer *a, const struct block *b, struct bytes *out)
{
    static const char *const prefixes[] = {
        [BLOCK_THINKING] = "rs_", [BLOCK_TEXT] = "msg_", [BLOCK_REFUSAL] = "msg_",
        [BLOCK_CALL] = "fc_",     [BLOCK_IMAGE] = "ig_",
    };
    answer_put_call_id(a, responses_is_custom(a, b) ? "ctc_" : prefixes[b->kind], b - a->blocks,
                       out);
}

void responses_put_part(const struct answer *a, const struct block *b, enum telling telling,
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

void responses_put_item(const struct answer *a, const struct block *b, enum telling telling,
                        struct bytes *out)
{
    bytes_puts(out, "{\"id\":\"");
    responses_put_item_id(a, b, out);
    bytes_puts(out, "\",\"type\":\"");
    if (b->kind == BLOCK_CALL) {
        bytes_puts(out, responses_is_custom(a, b) ? "custom_tool_call" : "function_call");
        put_call_item(a, b, telling, out);
    } else if (b->kind == BLOCK_THINKING) {
        bytes_puts(out, "reasoning\",\"summary\":[");
        if (telling == WHOLE && b->pieces > 0)
            responses_put_part(a, b, WHOLE, out);
        bytes_puts(out, "]");
        if (telling == WHOLE) {
            bytes_puts(out, ",\"encrypted_content\":\"");
            seal_put(SEAL_REASONING, responses_model(a), (struct span){"", 0}, out);
            bytes_puts(out, "\"");
        }
    } else {
        bytes_puts(out, "message\",\"role\":\"assistant\",\"status\":\"");
        bytes_puts(out, telling == OPENED                    ? "in_progress"
                        : is_incomplete(a) && !b->is_preface ? "incomplete"
                                                             : "completed");
        bytes_puts(out, "\",\"content\":[");
        if (telling == WHOLE)
            responses_put_part(a, b, WHOLE, out);
        bytes_puts(out, "]");
    }
    bytes_puts(out, "}");
}

static void put_output(const struct answer *a, struct bytes *out)
{
    const char *comma = "";
    for (int64_t i = 0; i < a->block_count; i++) {
        if (!responses_is_shown(&a->blocks[i]))
            continue;
        bytes_puts(out, comma);
        responses_put_item(a, &a->blocks[i], WHOLE, out);
        comma = ",";
    }
}

/* ---- the response ------------------------------------------------------------------------ */

void responses_put_usage(const struct answer *a, struct bytes *out)
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

void responses_put(const struct answer *a, const char *status, const struct fault *fault,
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
            responses_put_usage(a, out);
        else
            bytes_puts(out, "null");
    }
    bytes_puts(out, "}");
}

void responses_put_end(const struct answer *a, struct bytes *out)
{
    bool has_failed = strcmp(responses_end_status(a), "failed") == 0;
    struct fault fault = {
        .status = 500, .message = a->script.error_message, .code = a->script.error_code};
    responses_put(a, responses_end_status(a), has_failed ? &fault : NULL, false, out);
}
