#include "tests/e2e/dialect.h"

#include "tests/e2e/admin.h"
#include "tests/e2e/stack.h"

#include <check.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define SCHEMA                                                                                     \
    "{\"type\":\"object\",\"properties\":{\"city\":{\"type\":\"string\"}},\"required\":[\"city\"]" \
    "}"

static void append(char *dst, const char *text)
{
    size_t n = strlen(dst);
    if (text != NULL && strcmp(text, "null") != 0)
        snprintf(dst + n, DIALECT_TEXT_MAX - n, "%s", text);
}

static void set(char *dst, size_t size, const char *text)
{
    if (text != NULL && strcmp(text, "null") != 0)
        snprintf(dst, size, "%s", text);
}

static long number(const char *text, long otherwise)
{
    return text != NULL ? strtol(text, NULL, 10) : otherwise;
}

/* A text inside a JSON string of ours: quotes and backslashes escaped. */
static const char *quoted(const char *text)
{
    char out[2 * DIALECT_TEXT_MAX];
    size_t n = 0;
    for (; *text != 0 && n + 3 < sizeof(out); text++) {
        if (*text == '"' || *text == '\\')
            out[n++] = '\\';
        out[n++] = *text;
    }
    out[n] = 0;
    return http_printf("%s", out);
}

static const char *stream_member(bool is_stream)
{
    return is_stream ? ",\"stream\":true" : "";
}

/* ---- OpenAI Chat ---- */

static const char *chat_path(const char *model, bool is_stream)
{
    (void)model;
    (void)is_stream;
    return "/v1/chat/completions";
}

static const char *chat_stream(bool is_stream)
{
    return is_stream ? ",\"stream\":true,\"stream_options\":{\"include_usage\":true}" : "";
}

static const char *chat_body(const char *model, const char *prompt, bool is_stream,
                             const char *members)
{
    return http_printf(
        "{\"model\":\"%s\",\"messages\":[{\"role\":\"user\",\"content\":\"%s\"}]%s%s}", model,
        prompt, chat_stream(is_stream), members);
}

static const char *chat_tool_body(const char *model, const char *prompt, bool is_stream,
                                  const struct said *said, const char *result)
{
    const char *history = "";
    if (said != NULL)
        history = http_printf(
            ",{\"role\":\"assistant\",\"content\":null,\"tool_calls\":[{\"id\":\"%s\",\"type\":"
            "\"function\",\"function\":{\"name\":\"%s\",\"arguments\":\"%s\"}%s}]},"
            "{\"role\":\"tool\",\"tool_call_id\":\"%s\",\"content\":\"%s\"}",
            said->call_id, said->call_name, quoted(said->call_args),
            said->seal[0] != 0
                ? http_printf(",\"extra_content\":{\"google\":{\"thought_signature\":\"%s\"}}",
                              said->seal)
                : "",
            said->call_id, result);
    return http_printf(
        "{\"model\":\"%s\",\"messages\":[{\"role\":\"user\",\"content\":\"%s\"}%s]%s,"
        "\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"get_weather\",\"description\":"
        "\"The weather\",\"parameters\":" SCHEMA "}}]}",
        model, prompt, history, chat_stream(is_stream));
}

static void chat_usage(const char *json, struct said *out)
{
    out->input = number(http_field(json, "usage.prompt_tokens"), out->input);
    out->output = number(http_field(json, "usage.completion_tokens"), out->output);
}

static void chat_message(const char *json, const char *at, struct said *out)
{
    append(out->text, http_field(json, http_printf("%s.content", at)));
    append(out->thinking, http_field(json, http_printf("%s.reasoning_content", at)));
    set(out->call_id, sizeof(out->call_id),
        http_field(json, http_printf("%s.tool_calls.0.id", at)));
    set(out->call_name, sizeof(out->call_name),
        http_field(json, http_printf("%s.tool_calls.0.function.name", at)));
    append(out->call_args, http_field(json, http_printf("%s.tool_calls.0.function.arguments", at)));
    set(out->seal, sizeof(out->seal),
        http_field(json,
                   http_printf("%s.tool_calls.0.extra_content.google.thought_signature", at)));
    set(out->finish, sizeof(out->finish), http_field(json, "choices.0.finish_reason"));
    chat_usage(json, out);
}

static void chat_read(const struct http_reply *reply, bool is_stream, struct said *out)
{
    if (!is_stream) {
        chat_message(reply->body, "choices.0.message", out);
        return;
    }
    for (size_t i = 0; i < reply->events_n; i++) {
        const char *data = http_event_data(reply, i);
        out->is_ended = strcmp(data, "[DONE]") == 0;
        if (!out->is_ended)
            chat_message(data, "choices.0.delta", out);
    }
}

/* ---- the legacy Completions ---- */

static const char *legacy_path(const char *model, bool is_stream)
{
    (void)model;
    (void)is_stream;
    return "/v1/completions";
}

static const char *legacy_body(const char *model, const char *prompt, bool is_stream,
                               const char *members)
{
    return http_printf("{\"model\":\"%s\",\"prompt\":\"%s\",\"max_tokens\":400%s%s}", model, prompt,
                       chat_stream(is_stream), members);
}

static void legacy_read(const struct http_reply *reply, bool is_stream, struct said *out)
{
    for (size_t i = 0; i < (is_stream ? reply->events_n : 1); i++) {
        const char *data = is_stream ? http_event_data(reply, i) : reply->body;
        out->is_ended = strcmp(data, "[DONE]") == 0;
        if (out->is_ended)
            continue;
        append(out->text, http_field(data, "choices.0.text"));
        set(out->finish, sizeof(out->finish), http_field(data, "choices.0.finish_reason"));
        chat_usage(data, out);
    }
}

/* ---- OpenAI Responses ---- */

static const char *responses_path(const char *model, bool is_stream)
{
    (void)model;
    (void)is_stream;
    return "/v1/responses";
}

static const char *responses_body(const char *model, const char *prompt, bool is_stream,
                                  const char *members)
{
    return http_printf("{\"model\":\"%s\",\"input\":[{\"role\":\"user\",\"content\":[{\"type\":"
                       "\"input_text\",\"text\":\"%s\"}]}]%s%s}",
                       model, prompt, stream_member(is_stream), members);
}

static const char *responses_tool_body(const char *model, const char *prompt, bool is_stream,
                                       const struct said *said, const char *result)
{
    const char *history = "";
    if (said != NULL)
        history = http_printf(
            "%s,{\"type\":\"function_call\",\"call_id\":\"%s\",\"name\":\"%s\",\"arguments\":\"%"
            "s\"},"
            "{\"type\":\"function_call_output\",\"call_id\":\"%s\",\"output\":\"%s\"}",
            said->seal[0] != 0
                ? http_printf(",{\"type\":\"reasoning\",\"id\":\"rs_1\",\"summary\":[],"
                              "\"encrypted_content\":\"%s\"}",
                              said->seal)
                : "",
            said->call_id, said->call_name, quoted(said->call_args), said->call_id, result);
    return http_printf(
        "{\"model\":\"%s\",\"store\":false,\"include\":[\"reasoning.encrypted_content\"],"
        "\"input\":[{\"role\":\"user\",\"content\":\"%s\"}%s]%s,\"tools\":[{\"type\":"
        "\"function\",\"name\":\"get_weather\",\"description\":\"The weather\","
        "\"parameters\":" SCHEMA ",\"strict\":false}]}",
        model, prompt, history, stream_member(is_stream));
}

static void responses_item(const char *json, const char *at, struct said *out)
{
    const char *type = http_field(json, http_printf("%s.type", at));
    if (type == NULL)
        return;
    if (strcmp(type, "message") == 0) {
        append(out->text, http_field(json, http_printf("%s.content.0.text", at)));
    } else if (strcmp(type, "function_call") == 0) {
        set(out->call_id, sizeof(out->call_id), http_field(json, http_printf("%s.call_id", at)));
        set(out->call_name, sizeof(out->call_name), http_field(json, http_printf("%s.name", at)));
        append(out->call_args, http_field(json, http_printf("%s.arguments", at)));
    } else if (strcmp(type, "reasoning") == 0) {
        append(out->thinking, http_field(json, http_printf("%s.summary.0.text", at)));
        set(out->seal, sizeof(out->seal),
            http_field(json, http_printf("%s.encrypted_content", at)));
    }
}

static void responses_object(const char *json, const char *at, struct said *out)
{
    set(out->finish, sizeof(out->finish), http_field(json, http_printf("%sstatus", at)));
    out->input = number(http_field(json, http_printf("%susage.input_tokens", at)), out->input);
    out->output = number(http_field(json, http_printf("%susage.output_tokens", at)), out->output);
    for (int i = 0; i < 8; i++)
        responses_item(json, http_printf("%soutput.%d", at, i), out);
}

static void responses_read(const struct http_reply *reply, bool is_stream, struct said *out)
{
    char deltas[DIALECT_TEXT_MAX] = "";
    size_t number_next = 0; /* pings do not count */
    if (!is_stream) {
        responses_object(reply->body, "", out);
        return;
    }
    for (size_t i = 0; i < reply->events_n; i++) {
        const char *data = http_event_data(reply, i);
        const char *type = http_field(data, "type");
        const char *sequence = http_field(data, "sequence_number");
        ck_assert_msg(type != NULL, "an event without type: %s", data);
        if (strcmp(type, "keepalive") == 0)
            continue;
        ck_assert_msg(sequence != NULL && strtoul(sequence, NULL, 10) == number_next,
                      "event %zu has sequence_number %s", i, sequence);
        number_next++;
        if (strcmp(type, "response.output_text.delta") == 0)
            append(deltas, http_field(data, "delta"));
        out->is_ended = strcmp(type, "response.completed") == 0 ||
                        strcmp(type, "response.incomplete") == 0;
        if (out->is_ended)
            responses_object(data, "response.", out);
    }
    if (out->is_ended)
        ck_assert_str_eq(deltas, out->text);
}

/* ---- Anthropic ---- */

static const char *messages_path(const char *model, bool is_stream)
{
    (void)model;
    (void)is_stream;
    return "/v1/messages";
}

static const char *messages_body(const char *model, const char *prompt, bool is_stream,
                                 const char *members)
{
    return http_printf("{\"model\":\"%s\",\"max_tokens\":400,\"messages\":[{\"role\":\"user\","
                       "\"content\":\"%s\"}]%s%s}",
                       model, prompt, stream_member(is_stream), members);
}

static const char *messages_tool_body(const char *model, const char *prompt, bool is_stream,
                                      const struct said *said, const char *result)
{
    const char *history = "";
    if (said != NULL)
        history = http_printf(
            ",{\"role\":\"assistant\",\"content\":[%s{\"type\":\"tool_use\",\"id\":\"%s\",\"name\":"
            "\"%s\",\"input\":%s}]},{\"role\":\"user\",\"content\":[{\"type\":\"tool_result\","
            "\"tool_use_id\":\"%s\",\"content\":\"%s\"}]}",
            said->seal[0] != 0
                ? http_printf("{\"type\":\"thinking\",\"thinking\":\"%s\",\"signature\":\"%s\"},",
                              quoted(said->thinking), said->seal)
                : "",
            said->call_id, said->call_name, said->call_args, said->call_id, result);
    return http_printf(
        "{\"model\":\"%s\",\"max_tokens\":400,\"messages\":[{\"role\":\"user\","
        "\"content\":\"%s\"}%s]%s,\"tools\":[{\"name\":\"get_weather\",\"description\":"
        "\"The weather\",\"input_schema\":" SCHEMA "}]}",
        model, prompt, history, stream_member(is_stream));
}

static void messages_whole(const char *json, struct said *out)
{
    for (int i = 0; i < 8; i++) {
        const char *at = http_printf("content.%d", i);
        const char *type = http_field(json, http_printf("%s.type", at));
        if (type == NULL)
            break;
        if (strcmp(type, "text") == 0) {
            append(out->text, http_field(json, http_printf("%s.text", at)));
        } else if (strcmp(type, "thinking") == 0) {
            append(out->thinking, http_field(json, http_printf("%s.thinking", at)));
            set(out->seal, sizeof(out->seal), http_field(json, http_printf("%s.signature", at)));
        } else if (strcmp(type, "tool_use") == 0) {
            set(out->call_id, sizeof(out->call_id), http_field(json, http_printf("%s.id", at)));
            set(out->call_name, sizeof(out->call_name),
                http_field(json, http_printf("%s.name", at)));
            append(out->call_args, http_field(json, http_printf("%s.input", at)));
        }
    }
    set(out->finish, sizeof(out->finish), http_field(json, "stop_reason"));
    out->input = number(http_field(json, "usage.input_tokens"), out->input) +
                 number(http_field(json, "usage.cache_read_input_tokens"), 0) +
                 number(http_field(json, "usage.cache_creation_input_tokens"), 0);
    out->output = number(http_field(json, "usage.output_tokens"), out->output);
}

static void messages_read(const struct http_reply *reply, bool is_stream, struct said *out)
{
    if (!is_stream) {
        messages_whole(reply->body, out);
        return;
    }
    for (size_t i = 0; i < reply->events_n; i++) {
        const char *data = http_event_data(reply, i);
        const char *type = http_field(data, "type");
        ck_assert_msg(type != NULL, "an event without type: %s", data);
        append(out->text, http_field(data, "delta.text"));
        append(out->thinking, http_field(data, "delta.thinking"));
        set(out->seal, sizeof(out->seal), http_field(data, "delta.signature"));
        set(out->call_id, sizeof(out->call_id), http_field(data, "content_block.id"));
        set(out->call_name, sizeof(out->call_name), http_field(data, "content_block.name"));
        append(out->call_args, http_field(data, "delta.partial_json"));
        set(out->finish, sizeof(out->finish), http_field(data, "delta.stop_reason"));
        if (strcmp(type, "message_delta") == 0) {
            out->input = number(http_field(data, "usage.input_tokens"), out->input) +
                         number(http_field(data, "usage.cache_read_input_tokens"), 0) +
                         number(http_field(data, "usage.cache_creation_input_tokens"), 0);
            out->output = number(http_field(data, "usage.output_tokens"), out->output);
        }
        out->is_ended = strcmp(type, "message_stop") == 0;
    }
}

/* ---- Gemini ---- */

static const char *gemini_path(const char *model, bool is_stream)
{
    return http_printf("/v1beta/models/%s:%s", model,
                       is_stream ? "streamGenerateContent?alt=sse" : "generateContent");
}

static const char *gemini_body(const char *model, const char *prompt, bool is_stream,
                               const char *members)
{
    (void)model;
    (void)is_stream;
    return http_printf("{\"contents\":[{\"role\":\"user\",\"parts\":[{\"text\":\"%s\"}]}]%s}",
                       prompt, members);
}

static const char *gemini_tool_body(const char *model, const char *prompt, bool is_stream,
                                    const struct said *said, const char *result)
{
    const char *history = "";
    (void)model;
    (void)is_stream;
    if (said != NULL)
        history = http_printf(
            ",{\"role\":\"model\",\"parts\":[{\"functionCall\":{\"id\":\"%s\",\"name\":\"%s\","
            "\"args\":%s}"
            "%s}]},{\"role\":\"user\",\"parts\":[{\"functionResponse\":{\"id\":\"%s\",\"name\":\"%"
            "s\","
            "\"response\":{\"output\":\"%s\"}}}]}",
            said->call_id, said->call_name, said->call_args,
            said->seal[0] != 0 ? http_printf(",\"thoughtSignature\":\"%s\"", said->seal) : "",
            said->call_id, said->call_name, result);
    return http_printf(
        "{\"contents\":[{\"role\":\"user\",\"parts\":[{\"text\":\"%s\"}]}%s],\"tools\":[{"
        "\"functionDeclarations\":[{\"name\":\"get_weather\",\"description\":\"The weather\","
        "\"parametersJsonSchema\":" SCHEMA "}]}]}",
        prompt, history);
}

static void gemini_chunk(const char *json, struct said *out)
{
    for (int i = 0; i < 8; i++) {
        const char *at = http_printf("candidates.0.content.parts.%d", i);
        const char *thought = http_field(json, http_printf("%s.thought", at));
        const char *text = http_field(json, http_printf("%s.text", at));
        append(thought != NULL && strcmp(thought, "true") == 0 ? out->thinking : out->text, text);
        set(out->call_id, sizeof(out->call_id),
            http_field(json, http_printf("%s.functionCall.id", at)));
        set(out->call_name, sizeof(out->call_name),
            http_field(json, http_printf("%s.functionCall.name", at)));
        append(out->call_args, http_field(json, http_printf("%s.functionCall.args", at)));
        set(out->seal, sizeof(out->seal), http_field(json, http_printf("%s.thoughtSignature", at)));
    }
    set(out->finish, sizeof(out->finish), http_field(json, "candidates.0.finishReason"));
    out->input = number(http_field(json, "usageMetadata.promptTokenCount"), out->input);
    if (http_field(json, "usageMetadata.promptTokenCount") != NULL)
        out->output = number(http_field(json, "usageMetadata.candidatesTokenCount"), 0) +
                      number(http_field(json, "usageMetadata.thoughtsTokenCount"), 0);
}

static void gemini_read(const struct http_reply *reply, bool is_stream, struct said *out)
{
    if (!is_stream) {
        gemini_chunk(reply->body, out);
        return;
    }
    for (size_t i = 0; i < reply->events_n; i++) {
        const char *data = http_event_data(reply, i);
        gemini_chunk(data, out);
        out->is_ended = http_field(data, "candidates.0.finishReason") != NULL;
    }
}

const struct dialect dialects[] = {
    {"openai-chat",        true,  chat_path,      chat_body,      chat_tool_body,      chat_read     },
    {"openai-responses",   true,  responses_path, responses_body, responses_tool_body, responses_read},
    {"anthropic",          true,  messages_path,  messages_body,  messages_tool_body,  messages_read },
    {"gemini",             true,  gemini_path,    gemini_body,    gemini_tool_body,    gemini_read   },
    {"openai-completions", false, legacy_path,    legacy_body,    NULL,                legacy_read   },
};
const size_t dialects_n = sizeof(dialects) / sizeof(dialects[0]);

const char *const dialect_providers[] = {"openai-chat", "openai-responses", "anthropic", "gemini"};
const size_t dialect_providers_n = sizeof(dialect_providers) / sizeof(dialect_providers[0]);

void dialect_seed_providers(void)
{
    for (size_t i = 0; i < dialect_providers_n; i++) {
        const char *name = http_printf("by-%s", dialect_providers[i]);
        int64_t model = model_new(name, "1", "10");
        int64_t channel = channel_new(name, "demo", stack.sims[0].port, 0);
        sql_run("INSERT INTO prices (model_id, unit, amount) VALUES (%" PRId64
                ", 'cached_input_token', 0.1)",
                model);
        sql_run("UPDATE channels SET format = '%s' WHERE id = %" PRId64, dialect_providers[i],
                channel);
        channel_serves(channel, model, "upstream-model");
    }
}

const struct dialect *dialect_find(const char *name)
{
    for (size_t i = 0; i < dialects_n; i++)
        if (strcmp(dialects[i].name, name) == 0)
            return &dialects[i];
    ck_abort_msg("no format %s", name);
}

void dialect_ask_with(const struct dialect *d, const char *key, const char *model, const char *body,
                      bool is_stream, const char *header, struct http_reply *reply,
                      struct said *out)
{
    struct http_call call = {.port = stack.webs[0].port,
                             .path = d->path(model, is_stream),
                             .key = key,
                             .headers = {header},
                             .body = body};
    http_run(&call, reply);
    *out = (struct said){.input = -1, .output = -1};
    if (reply->status == 200)
        d->read(reply, is_stream, out);
}

void dialect_ask(const struct dialect *d, const char *key, const char *model, const char *body,
                 bool is_stream, struct http_reply *reply, struct said *out)
{
    dialect_ask_with(d, key, model, body, is_stream, NULL, reply, out);
}
