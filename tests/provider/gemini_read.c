#include "tests/provider/gemini.h"

#include <ctype.h>
#include <string.h>

enum {
    MODEL_MAX = 512,
    STOPS_MAX = 5,
    DIMENSIONS_DEFAULT = 8,
    DIMENSIONS_MAX = 3072,
    EMBED_BATCH_MAX = 100,
};

static const char body_words[] =
    "contents systemInstruction system_instruction tools toolConfig tool_config safetySettings "
    "safety_settings generationConfig generation_config cachedContent cached_content serviceTier "
    "service_tier labels store continuationToken model";
static const char config_words[] =
    "temperature topP top_p topK top_k maxOutputTokens max_output_tokens candidateCount "
    "candidate_count stopSequences stop_sequences presencePenalty presence_penalty "
    "frequencyPenalty "
    "frequency_penalty seed responseMimeType response_mime_type responseSchema response_schema "
    "responseJsonSchema response_json_schema _responseJsonSchema responseFormat response_format "
    "responseModalities response_modalities imageConfig image_config speechConfig speech_config "
    "responseLogprobs response_logprobs logprobs mediaResolution media_resolution thinkingConfig "
    "thinking_config enableEnhancedCivicAnswers";
static const char tool_words[] =
    "functionDeclarations function_declarations googleSearch google_search codeExecution "
    "code_execution urlContext url_context googleMaps google_maps computerUse computer_use "
    "fileSearch file_search mcpServers mcp_servers googleSearchRetrieval google_search_retrieval";
static const char declaration_words[] =
    "name description parameters parametersJsonSchema parameters_json_schema response "
    "responseJsonSchema response_json_schema behavior";
struct reading {
    struct ask *ask;
    int version; /* of the model, times ten; 0: not known */
};

int gemini_version(struct span model)
{
    if (model.len < 8 || memcmp(model.at, "gemini-", 7) != 0 ||
        isdigit((unsigned char)model.at[7]) == 0)
        return 0;
    int version = (model.at[7] - '0') * 10;
    if (model.len > 9 && model.at[8] == '.' && isdigit((unsigned char)model.at[9]) != 0)
        version += model.at[9] - '0';
    return version;
}

void gemini_expect_only(struct ask *ask, const struct node *n, const char *words, const char *where)
{
    const struct node *stranger = node_stranger(n, words);
    if (stranger != NULL)
        ask_refuse(ask,
                   "Invalid JSON payload received. Unknown name \"%.*s\"%s%s%s: Cannot find "
                   "field.",
                   span_shown(stranger->key), stranger->key.at, where[0] != 0 ? " at '" : "", where,
                   where[0] != 0 ? "'" : "");
}

static int hex(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The model in .../models/NAME:verb, decoded into memory that the next request takes again. */
static void read_model(struct ask *ask, struct span path)
{
    static char model[MODEL_MAX];
    const char *colon = memrchr(path.at, ':', path.len);
    const char *begin = memmem(path.at, path.len, "odels/", 6);
    size_t len = 0;
    if (colon == NULL || begin == NULL || begin + 6 >= colon) {
        ask_refuse(ask, "Invalid resource name.");
        return;
    }
    for (const char *at = begin + 6; at < colon && len < sizeof(model); at++) {
        char c = *at;
        if (c == '%' && colon - at > 2 && hex(at[1]) >= 0 && hex(at[2]) >= 0) {
            c = (char)(hex(at[1]) * 16 + hex(at[2]));
            at += 2;
        }
        if ((unsigned char)c <= ' ' || c == '"' || c == '\\')
            ask_refuse(ask, "Invalid resource name.");
        model[len++] = c;
    }
    ask->model = (struct span){model, len};
}

/* ---- tools ------------------------------------------------------------------------------- */

static void read_declaration(struct reading *r, const struct node *d, const char *where)
{
    struct span name = node_text(node_get(d, "name"));
    const struct node *schema = node_get(d, "parameters");
    const struct node *json = node_get_either(d, "parametersJsonSchema", "parameters_json_schema");
    char inner[120];
    gemini_expect_only(r->ask, d, declaration_words, where);
    if (!gemini_is_function_name(r->version, name))
        ask_refuse(r->ask,
                   "Invalid function name at '%s'. Must start with a letter or an underscore. "
                   "Must be alphanumeric (a-z, A-Z, 0-9), underscores (_), dots (.), colons "
                   "(:), or dashes (-).",
                   where);
    if (schema != NULL && json != NULL)
        ask_refuse(r->ask, "%s: parameters and parameters_json_schema must not both be set.",
                   where);
    snprintf(inner, sizeof(inner), "%s.parameters", where);
    if (schema != NULL)
        gemini_check_schema(r->ask, schema, inner);
    if (json != NULL && json->kind != '{')
        ask_refuse(r->ask, "%s.parameters_json_schema: must be an object", where);
    for (size_t i = 0; i < r->ask->tool_count; i++)
        if (r->ask->tools[i].name.len == name.len &&
            memcmp(r->ask->tools[i].name.at, name.at, name.len) == 0)
            ask_refuse(r->ask, "Duplicate function declaration found: %.*s", span_shown(name),
                       name.at);
    ask_add_tool(r->ask, name, (struct span){"", 0}, false);
}

static bool has_declaration(const struct node *tools, struct span name)
{
    for (const struct node *t = node_first(tools); t != NULL; t = t->next)
        for (const struct node *d =
                 node_first(node_get_either(t, "functionDeclarations", "function_declarations"));
             d != NULL; d = d->next) {
            struct span its = node_text(node_get(d, "name"));
            if (its.len == name.len && memcmp(its.at, name.at, name.len) == 0)
                return true;
        }
    return false;
}

static void read_tool_config(struct reading *r, const struct node *body, const struct node *tools)
{
    const struct node *config = node_get_either(body, "toolConfig", "tool_config");
    const struct node *calling =
        node_get_either(config, "functionCallingConfig", "function_calling_config");
    const struct node *names =
        node_get_either(calling, "allowedFunctionNames", "allowed_function_names");
    struct span mode = node_text(node_get(calling, "mode"));
    gemini_expect_only(r->ask, config,
                       "functionCallingConfig function_calling_config "
                       "retrievalConfig retrieval_config "
                       "includeServerSideToolInvocations",
                       "tool_config");
    gemini_expect_only(r->ask, calling, "mode allowedFunctionNames allowed_function_names",
                       "tool_config.function_calling_config");
    if (mode.len > 0 && !node_in(mode, "MODE_UNSPECIFIED AUTO ANY NONE VALIDATED"))
        ask_refuse(r->ask, "Invalid value at 'tool_config.function_calling_config.mode', \"%.*s\"",
                   span_shown(mode), mode.at);
    if (node_first(names) != NULL && !node_in(mode, "ANY VALIDATED"))
        ask_refuse(r->ask,
                   "allowed_function_names should only be set when the function calling mode "
                   "is ANY or VALIDATED.");
    for (const struct node *n = node_first(names); n != NULL; n = n->next)
        if (!has_declaration(tools, node_text(n)))
            ask_refuse(r->ask, "allowed_function_names: %.*s is not declared.",
                       span_shown(node_text(n)), node_text(n).at);
    if (span_is(mode, "ANY") && r->ask->tool_count == 0)
        ask_refuse(r->ask, "Function calling mode is ANY, but no function declarations are given.");
    r->ask->must_call = span_is(mode, "ANY");
    r->ask->must_not_call = span_is(mode, "NONE");
    if (node_first(names) != NULL && r->ask->must_call)
        r->ask->forced.name = node_text(names->child);
}

static void read_tools(struct reading *r, const struct node *body)
{
    const struct node *tools = node_get(body, "tools");
    char where[80];
    size_t i = 0;
    if (tools != NULL && tools->kind != '[')
        ask_refuse(r->ask, "Invalid value at 'tools'");
    for (const struct node *t = node_first(tools); t != NULL; t = t->next, i++) {
        size_t k = 0;
        snprintf(where, sizeof(where), "tools[%zu]", i);
        gemini_expect_only(r->ask, t, tool_words, where);
        for (const struct node *d =
                 node_first(node_get_either(t, "functionDeclarations", "function_declarations"));
             d != NULL; d = d->next) {
            snprintf(where, sizeof(where), "tools[%zu].function_declarations[%zu]", i, k++);
            read_declaration(r, d, where);
        }
    }
    read_tool_config(r, body, tools);
}

/* ---- generationConfig -------------------------------------------------------------------- */

static void read_thinking(struct reading *r, const struct node *config)
{
    const struct node *thinking = node_get_either(config, "thinkingConfig", "thinking_config");
    const struct node *budget = node_get_either(thinking, "thinkingBudget", "thinking_budget");
    const struct node *level = node_get_either(thinking, "thinkingLevel", "thinking_level");
    const struct node *shows = node_get_either(thinking, "includeThoughts", "include_thoughts");
    int64_t tokens = node_int(budget, -1);
    bool is_pro = memmem(r->ask->model.at, r->ask->model.len, "pro", 3) != NULL;
    gemini_expect_only(r->ask, thinking,
                       "includeThoughts include_thoughts thinkingBudget "
                       "thinking_budget thinkingLevel thinking_level",
                       "generation_config.thinking_config");
    r->ask->wants_thinking = node_kind(shows) == 't' && tokens != 0;
    r->ask->hides_thinking = node_kind(shows) != 't';
    if (thinking == NULL)
        return;
    if (budget != NULL && level != NULL)
        ask_refuse(r->ask, "You can only set one of thinking budget and thinking level.");
    if (r->version > 0 && r->version < 25)
        ask_refuse(r->ask, "Thinking is not enabled for this model.");
    if (level != NULL &&
        !node_in(node_text(level), "MINIMAL LOW MEDIUM HIGH minimal low medium high "
                                   "THINKING_LEVEL_UNSPECIFIED"))
        ask_refuse(r->ask, "Invalid value at 'generation_config.thinking_config.thinking_level'");
    if (level != NULL && r->version > 0 && r->version < 30)
        ask_refuse(r->ask, "Thinking level is not supported for this model.");
    if (budget != NULL && tokens >= 0 && r->version == 25 &&
        (is_pro ? tokens < 128 || tokens > 32768 : tokens > 24576))
        ask_refuse(r->ask,
                   "The thinking budget %lld is invalid. Please choose a value between %d "
                   "and %d.",
                   (long long)tokens, is_pro ? 128 : 0, is_pro ? 32768 : 24576);
}

static void read_json_answer(struct reading *r, const struct node *config)
{
    const struct node *mime = node_get_either(config, "responseMimeType", "response_mime_type");
    const struct node *schema = node_get_either(config, "responseSchema", "response_schema");
    const struct node *json = node_get_either(config, "responseJsonSchema", "response_json_schema");
    const struct node *format =
        node_first(node_get_either(config, "responseFormat", "response_format"));
    bool is_json = node_is(mime, "application/json");
    if (mime != NULL && !is_json && !node_is(mime, "text/plain") && !node_is(mime, "text/x.enum"))
        ask_refuse(r->ask, "* GenerateContentRequest.generation_config.response_mime_type: allowed "
                           "mimetypes are `text/plain`, `application/json`, `application/xml`, "
                           "`application/yaml` and `text/x.enum`.");
    if (json == NULL)
        json = node_get(config, "_responseJsonSchema");
    if (schema != NULL && json != NULL)
        ask_refuse(r->ask, "response_schema and response_json_schema must not both be set.");
    if ((schema != NULL || json != NULL) && !is_json && !node_is(mime, "text/x.enum"))
        ask_refuse(r->ask, "* GenerateContentRequest.generation_config.response_schema: only "
                           "allowed with response_mime_type application/json.");
    if (schema != NULL)
        gemini_check_schema(r->ask, schema, "generation_config.response_schema");
    if (schema == NULL)
        schema = json;
    if (schema == NULL && format != NULL) {
        const struct node *text = node_get(format, "text");
        schema = node_get(text, "schema");
        is_json |= node_is(node_get_either(text, "mimeType", "mime_type"), "application/json");
    }
    if (schema != NULL)
        node_put_example(schema, schema, span_of("demo"), &r->ask->json);
    else if (is_json)
        bytes_puts(&r->ask->json, "{\"answer\":\"demo\"}");
}

static void read_stops(struct reading *r, const struct node *stops)
{
    if (stops != NULL && stops->kind != '[')
        ask_refuse(r->ask, "Invalid value at 'generation_config.stop_sequences'");
    if (stops != NULL && stops->count > STOPS_MAX)
        ask_refuse(r->ask, "* GenerateContentRequest.generation_config.stop_sequences: at most 5 "
                           "stop sequences are allowed.");
    for (const struct node *s = node_first(stops); s != NULL; s = s->next) {
        if (node_text(s).len == 0)
            ask_refuse(r->ask,
                       "* GenerateContentRequest.generation_config.stop_sequences: must not "
                       "be empty.");
        ask_add_stop(r->ask, node_text(s));
    }
}

static void read_config(struct reading *r, const struct node *body)
{
    const struct node *config = node_get_either(body, "generationConfig", "generation_config");
    const struct node *max = node_get_either(config, "maxOutputTokens", "max_output_tokens");
    double temperature = node_real(node_get(config, "temperature"), 1);
    double top_p = node_real(node_get_either(config, "topP", "top_p"), 1);
    gemini_expect_only(r->ask, config, config_words, "generation_config");
    if (temperature < 0 || temperature > 2)
        ask_refuse(r->ask, "* GenerateContentRequest.generation_config.temperature: must be in the "
                           "range [0.0, 2.0].");
    if (top_p < 0 || top_p > 1)
        ask_refuse(r->ask, "* GenerateContentRequest.generation_config.top_p: must be in the range "
                           "[0.0, 1.0].");
    if (node_int(node_get_either(config, "candidateCount", "candidate_count"), 1) != 1)
        ask_refuse(r->ask, "Multiple candidates is not enabled for this model");
    r->ask->max_tokens = node_int(max, 0);
    if (max != NULL && r->ask->max_tokens < 1)
        ask_refuse(r->ask, "max_output_tokens must be positive.");
    for (const struct node *m =
             node_first(node_get_either(config, "responseModalities", "response_modalities"));
         m != NULL; m = m->next)
        r->ask->wants_image |= node_is(m, "IMAGE") || node_is(m, "Image");
    read_stops(r, node_get_either(config, "stopSequences", "stop_sequences"));
    read_thinking(r, config);
    read_json_answer(r, config);
}

/* ---- whole requests ---------------------------------------------------------------------- */

static void read_generate(struct ask *ask, const struct node *body)
{
    struct reading r = {.ask = ask, .version = gemini_version(ask->model)};
    gemini_expect_only(ask, body, body_words, "");
    ask->has_whole_calls = true;
    ask->has_call_ids = r.version >= 30;
    if (node_get_either(body, "cachedContent", "cached_content") != NULL)
        ask_refuse(ask, "CachedContent not found (or permission denied)");
    read_tools(&r, body);
    read_config(&r, body);
    gemini_read_contents(ask, node_get(body, "contents"));
    if (ask->said.at == NULL)
        ask->said = (struct span){"", 0};
    if (ask->marker.at == NULL)
        ask->marker = (struct span){"", 0};
}

bool gemini_read(struct ask *ask, const struct inquiry *in)
{
    const struct node *body = tree_parse(in->body, in->len);
    if (node_kind(body) != '{')
        return false;
    read_model(ask, in->path);
    read_generate(ask, body);
    return ask->reason[0] == 0;
}

bool gemini_read_stream(struct ask *ask, const struct inquiry *in)
{
    ask->is_stream = true;
    ask->is_array = memmem(in->query.at, in->query.len, "alt=sse", 7) == NULL;
    return gemini_read(ask, in);
}

bool gemini_read_count(struct ask *ask, const struct inquiry *in)
{
    const struct node *body = tree_parse(in->body, in->len);
    const struct node *inner =
        node_get_either(body, "generateContentRequest", "generate_content_request");
    if (node_kind(body) != '{')
        return false;
    read_model(ask, in->path);
    if (inner == NULL)
        gemini_expect_only(ask, body, "contents model", "");
    else
        gemini_expect_only(ask, body, "generateContentRequest generate_content_request model", "");
    if (inner != NULL && node_text(node_get(inner, "model")).len == 0)
        ask_refuse(ask, "model is required in generate_content_request");
    read_generate(ask, inner != NULL ? inner : body);
    return ask->reason[0] == 0;
}

/* Append the values for a content: the same for the same text. */
static void put_embedding(struct ask *ask, const struct node *request)
{
    static const char request_words[] =
        "model content taskType task_type title outputDimensionality "
        "output_dimensionality autoTruncate";
    const struct node *size =
        node_get_either(request, "outputDimensionality", "output_dimensionality");
    const struct node *content = node_get(request, "content");
    int64_t dimensions = node_int(size, DIMENSIONS_DEFAULT);
    uint64_t hash = 14695981039346656037U;
    gemini_expect_only(ask, request, request_words, "");
    if (node_first(node_get(content, "parts")) == NULL) {
        ask_refuse(ask, "* EmbedContentRequest.content: content is empty");
        return;
    }
    if (dimensions < 1 || dimensions > DIMENSIONS_MAX)
        ask_refuse(ask, "output_dimensionality must be between 1 and 3072");
    for (size_t i = 0; i < content->raw.len; i++)
        hash = (hash ^ (unsigned char)content->raw.at[i]) * 1099511628211U;
    bytes_puts(&ask->echo, "{\"values\":[");
    for (int64_t i = 0; i < dimensions && ask->reason[0] == 0; i++) {
        hash = (hash ^ (hash >> 29)) * 0xbf58476d1ce4e5b9U;
        bytes_printf(&ask->echo, "%s0.%04u", i > 0 ? "," : "", (unsigned)(hash >> 40) % 10000);
    }
    bytes_puts(&ask->echo, "]}");
}

bool gemini_read_embed(struct ask *ask, const struct inquiry *in)
{
    const struct node *body = tree_parse(in->body, in->len);
    if (node_kind(body) != '{')
        return false;
    read_model(ask, in->path);
    put_embedding(ask, body);
    return ask->reason[0] == 0;
}

bool gemini_read_embed_batch(struct ask *ask, const struct inquiry *in)
{
    const struct node *body = tree_parse(in->body, in->len);
    const struct node *requests = node_get(body, "requests");
    if (node_kind(body) != '{')
        return false;
    read_model(ask, in->path);
    gemini_expect_only(ask, body, "requests model", "");
    if (node_first(requests) == NULL)
        ask_refuse(ask, "* BatchEmbedContentsRequest.requests: requests is empty");
    if (requests != NULL && requests->count > EMBED_BATCH_MAX)
        ask_refuse(ask, "at most 100 requests can be in one batch");
    for (const struct node *q = node_first(requests); q != NULL; q = q->next) {
        struct span model = node_text(node_get(q, "model"));
        if (model.len < 8 || memcmp(model.at, "models/", 7) != 0)
            ask_refuse(ask, "* BatchEmbedContentsRequest.requests: model must be models/NAME");
        put_embedding(ask, q);
        bytes_puts(&ask->echo, q->next != NULL ? "," : "");
    }
    return ask->reason[0] == 0;
}
