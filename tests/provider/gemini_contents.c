#include "tests/provider/gemini.h"

#include "tests/provider/seal.h"

#include <ctype.h>
#include <string.h>

enum { CALLS_MAX = 128, NAME_MAX_OLD = 64, NAME_MAX_NEW = 128 };

static const char part_words[] =
    "text inlineData inline_data fileData file_data functionCall function_call functionResponse "
    "function_response executableCode executable_code codeExecutionResult code_execution_result "
    "toolCall tool_call toolResponse tool_response thought thoughtSignature thought_signature "
    "videoMetadata video_metadata mediaResolution media_resolution partMetadata part_metadata";
static const char data_words[] =
    "text inlineData inline_data fileData file_data functionCall function_call functionResponse "
    "function_response executableCode executable_code codeExecutionResult code_execution_result "
    "toolCall tool_call toolResponse tool_response";

struct reading {
    struct ask *ask;
    const struct node *calls[CALLS_MAX]; /* of the last model content, without a response */
    size_t call_count;
    size_t open_count; /* of them unanswered */
    char last_role;    /* of the content before: u, m; 0: none */
    int version;       /* of the model, times ten; 0: not known */
};

bool gemini_is_function_name(int version, struct span s)
{
    size_t max = version == 0 || version >= 30 ? NAME_MAX_NEW : NAME_MAX_OLD;
    for (size_t i = 0; i < s.len; i++)
        if (isalnum((unsigned char)s.at[i]) == 0 &&
            (s.at[i] == 0 || strchr(i == 0 ? "_" : "_.:-", s.at[i]) == NULL))
            return false;
    return s.len > 0 && s.len <= max && isdigit((unsigned char)s.at[0]) == 0;
}

static const struct node *part_call(const struct node *part)
{
    return node_get_either(part, "functionCall", "function_call");
}

static const struct node *part_response(const struct node *part)
{
    return node_get_either(part, "functionResponse", "function_response");
}

static void check_part(struct reading *r, const struct node *part, const char *where)
{
    const struct node *call = part_call(part);
    const struct node *data = node_get_either(part, "inlineData", "inline_data");
    size_t fields = 0;
    gemini_expect_only(r->ask, part, part_words, where);
    for (const struct node *c = node_kind(part) == '{' ? part->child : NULL; c != NULL; c = c->next)
        fields += node_in(c->key, data_words);
    if (fields > 1)
        ask_refuse(r->ask, "Invalid value at '%s' (oneof), oneof field 'data' is already set.",
                   where);
    if (fields == 0)
        ask_refuse(r->ask, "%s.data: required oneof field 'data' must have one initialized field",
                   where);
    if (node_get(part, "text") != NULL && node_get(part, "text")->kind != '"')
        ask_refuse(r->ask, "Invalid value at '%s.text' (TYPE_STRING)", where);
    if (call != NULL) {
        gemini_expect_only(r->ask, call, "id name args", where);
        if (!gemini_is_function_name(r->version, node_text(node_get(call, "name"))))
            ask_refuse(r->ask, "%s.function_call.name: Name cannot be empty or invalid.", where);
        if (node_get(call, "args") != NULL && node_get(call, "args")->kind != '{')
            ask_refuse(r->ask,
                       "Invalid value at '%s.function_call.args' "
                       "(type.googleapis.com/google.protobuf.Struct)",
                       where);
    }
    if (data != NULL && (node_text(node_get_either(data, "mimeType", "mime_type")).len == 0 ||
                         node_text(node_get(data, "data")).len == 0))
        ask_refuse(r->ask, "%s.inline_data: mimeType and data are required.", where);
}

static void check_contents(struct reading *r, const struct node *content, size_t index)
{
    char where[64];
    size_t k = 0;
    const struct node *parts = node_get(content, "parts");
    snprintf(where, sizeof(where), "contents[%zu]", index);
    gemini_expect_only(r->ask, content, "role parts", where);
    if (node_first(parts) == NULL)
        ask_refuse(r->ask,
                   "* GenerateContentRequest.contents[%zu].parts: contents.parts must not "
                   "be empty.",
                   index);
    for (const struct node *p = node_first(parts); p != NULL; p = p->next) {
        snprintf(where, sizeof(where), "contents[%zu].parts[%zu]", index, k++);
        check_part(r, p, where);
    }
}

/* What the tool said: the output, the error, or all of it. */
static void add_result(struct ask *ask, const struct node *response)
{
    const struct node *object = node_get(response, "response");
    const struct node *said = node_get_either(object, "output", "result");
    if (said == NULL)
        said = node_get(object, "error");
    if (said == NULL)
        said = object;
    ask_add_result(ask, said->raw, said->kind != '"', false);
    for (const struct node *p = node_first(node_get(response, "parts")); p != NULL; p = p->next)
        ask_add_result(ask, span_of("[image]"), false, true);
}

static bool same_name(const struct node *a, const struct node *b, const char *member)
{
    struct span x = node_text(node_get(a, member));
    struct span y = node_text(node_get(b, member));
    return x.len == y.len && memcmp(x.at, y.at, x.len) == 0;
}

/* A response: it answers the next call of its name, or the call of its id. */
static void read_response(struct reading *r, const struct node *response)
{
    bool has_id = node_get(response, "id") != NULL;
    size_t i = 0;
    gemini_expect_only(r->ask, response,
                       "id name response parts scheduling willContinue "
                       "will_continue",
                       "function_response");
    if (node_kind(node_get(response, "response")) != '{') {
        ask_refuse(r->ask, "Invalid value at 'function_response.response' "
                           "(type.googleapis.com/google.protobuf.Struct)");
        return;
    }
    if (!gemini_is_function_name(r->version, node_text(node_get(response, "name"))))
        ask_refuse(r->ask, "function_response.name: Name cannot be empty.");
    if (r->last_role != 'm' || r->call_count == 0) {
        ask_refuse(r->ask, "Please ensure that function response turn comes immediately after a "
                           "function call turn.");
        return;
    }
    while (i < r->call_count && (r->calls[i] == NULL || !same_name(r->calls[i], response, "name") ||
                                 (has_id && node_get(r->calls[i], "id") != NULL &&
                                  !same_name(r->calls[i], response, "id"))))
        i++;
    if (i == r->call_count) {
        ask_refuse(r->ask, "Please ensure that the number of function response parts is equal to "
                           "the number of function call parts of the function call turn.");
        return;
    }
    r->calls[i] = NULL;
    r->open_count--;
    add_result(r->ask, response);
}

static void expect_no_open_call(struct reading *r)
{
    if (r->open_count > 0)
        ask_refuse(r->ask, "Please ensure that the number of function response parts is equal to "
                           "the number of function call parts of the function call turn.");
}

static void read_model_turn(struct reading *r, const struct node *content)
{
    char before = r->last_role;
    expect_no_open_call(r);
    r->call_count = r->open_count = 0;
    r->ask->result_count = 0;
    for (const struct node *p = node_first(node_get(content, "parts")); p != NULL; p = p->next) {
        if (part_response(p) != NULL)
            ask_refuse(r->ask,
                       "Please ensure that function response turn comes immediately after a "
                       "function call turn.");
        if (part_call(p) != NULL && r->call_count < CALLS_MAX)
            r->calls[r->call_count++] = part_call(p);
    }
    r->open_count = r->call_count;
    if (r->call_count > 0 && before != 'u')
        ask_refuse(r->ask, "Please ensure that function call turn comes immediately after a user "
                           "turn or after a function response turn.");
    r->last_role = 'm';
}

static void read_user_turn(struct reading *r, const struct node *content)
{
    struct span said = {0};
    struct span marker = {0};
    for (const struct node *p = node_first(node_get(content, "parts")); p != NULL; p = p->next) {
        if (part_call(p) != NULL)
            ask_refuse(r->ask, "Function calls are only allowed in turns of role model.");
        if (part_response(p) != NULL) {
            read_response(r, part_response(p));
        } else if (node_get(p, "text") != NULL) {
            ask_hear(node_text(node_get(p, "text")), &said, &marker);
        }
    }
    expect_no_open_call(r);
    if (said.at != NULL) {
        r->ask->said = said;
        r->ask->marker = marker;
    }
    r->last_role = 'u';
}

static bool begins_turn(const struct node *content)
{
    if (node_is(node_get(content, "role"), "model"))
        return false;
    for (const struct node *p = node_first(node_get(content, "parts")); p != NULL; p = p->next)
        if (part_response(p) == NULL)
            return true;
    return false;
}

/* The first call of each step of the current turn needs the signature that it came with. */
static void check_signatures(struct reading *r, const struct node *contents)
{
    const struct node *turn = NULL;
    for (const struct node *c = node_first(contents); c != NULL; c = c->next)
        if (begins_turn(c))
            turn = c;
    for (const struct node *c = turn; c != NULL; c = c->next) {
        const struct node *p = node_first(node_get(c, "parts"));
        while (p != NULL && part_call(p) == NULL)
            p = p->next;
        if (p == NULL)
            continue;
        struct span name = node_text(node_get(part_call(p), "name"));
        struct span seal = node_text(node_get_either(p, "thoughtSignature", "thought_signature"));
        if (seal.len == 0)
            ask_refuse(
                r->ask,
                "Function call is missing a thought_signature in functionCall parts. This is "
                "required for tools to work correctly, and missing thought_signature may "
                "lead to degraded model performance. Additional data, function call "
                "`default_api:%.*s`.",
                span_shown(name), name.at);
        else if (!span_is(seal, "skip_thought_signature_validator") &&
                 seal_check(seal, SEAL_CALL, r->ask->model, name) != SEAL_FITS)
            ask_refuse(r->ask, "Thought signature is not valid. Function call `default_api:%.*s`.",
                       span_shown(name), name.at);
    }
}

void gemini_read_contents(struct ask *ask, const struct node *contents)
{
    struct reading reading = {.ask = ask, .version = gemini_version(ask->model)}, *r = &reading;
    size_t index = 0;
    if (node_first(contents) == NULL) {
        ask_refuse(r->ask, "* GenerateContentRequest.contents: contents is not specified");
        return;
    }
    for (const struct node *c = contents->child; c != NULL; c = c->next) {
        struct span role = node_text(node_get(c, "role"));
        check_contents(r, c, index++);
        if (role.len > 0 && !node_in(role, "user model function"))
            ask_refuse(r->ask, "Please use a valid role: user, model.");
        if (span_is(role, "model"))
            read_model_turn(r, c);
        else
            read_user_turn(r, c);
    }
    expect_no_open_call(r);
    if (r->version >= 30)
        check_signatures(r, contents);
}
