#include "tests/provider/fault.h"

#include <ctype.h>
#include <string.h>

struct usual {
    int status;
    const char *type;
    const char *code;
    const char *anthropic;
    const char *gemini;
    const char *message;
};

/* clang-format off */
static const struct usual usual_errors[] = {
    {400, "invalid_request_error", "",                    "invalid_request_error", "INVALID_ARGUMENT",    "Invalid request."},
    {401, "invalid_request_error", "invalid_api_key",     "authentication_error",  "UNAUTHENTICATED",     "Incorrect API key provided."},
    {402, "insufficient_quota",    "insufficient_quota",  "billing_error",         "FAILED_PRECONDITION", "You exceeded your current quota."},
    {403, "permission_error",      "",                    "permission_error",      "PERMISSION_DENIED",   "You have no access to this model."},
    {404, "invalid_request_error", "model_not_found",     "not_found_error",       "NOT_FOUND",           "The model does not exist."},
    {409, "invalid_request_error", "",                    "conflict_error",        "ABORTED",             "Conflict."},
    {413, "invalid_request_error", "",                    "request_too_large",     "INVALID_ARGUMENT",    "The request is too large."},
    {429, "requests",              "rate_limit_exceeded", "rate_limit_error",      "RESOURCE_EXHAUSTED",  "Rate limit reached."},
    {504, "server_error",          "",                    "timeout_error",         "DEADLINE_EXCEEDED",   "The request timed out."},
    {529, "server_error",          "",                    "overloaded_error",      "UNAVAILABLE",         "Overloaded."},
    {500, "server_error",          "",                    "api_error",             "INTERNAL",            "The server had an error."},
    {503, "server_error",          "",                    "overloaded_error",      "UNAVAILABLE",         "The engine is overloaded, try later."},
};
/* clang-format on */

/* A text of the error's own, else the usual one. */
static const char *chosen(const char *own, const char *usual)
{
    return own != NULL && own[0] != 0 ? own : usual;
}

static const struct usual *usual_of(int status)
{
    size_t i = 0;
    size_t last = sizeof(usual_errors) / sizeof(usual_errors[0]) - 1;
    while (i < last && usual_errors[i].status != status)
        i++;
    if (usual_errors[i].status != status)
        i = status >= 500 ? last - 1 : 0;
    return &usual_errors[i];
}

const char *fault_message(const struct fault *f)
{
    return chosen(f->message, usual_of(f->status)->message);
}

const char *fault_code(const struct fault *f)
{
    return chosen(f->code, usual_of(f->status)->code);
}

void fault_put_openai(const struct fault *f, struct bytes *out)
{
    const char *message = fault_message(f);
    const char *type = chosen(f->type, usual_of(f->status)->type);
    const char *code = fault_code(f);
    bytes_puts(out, "{\"error\":{\"message\":");
    bytes_put_quoted(out, message, strlen(message));
    bytes_puts(out, ",\"type\":");
    bytes_put_quoted(out, type, strlen(type));
    bytes_puts(out, ",\"param\":null,\"code\":");
    if (code[0] != 0)
        bytes_put_quoted(out, code, strlen(code));
    else
        bytes_puts(out, "null");
    bytes_puts(out, "}}");
}

void fault_put_anthropic(const struct fault *f, struct bytes *out)
{
    const char *message = fault_message(f);
    const char *type = chosen(f->type, usual_of(f->status)->anthropic);
    bytes_puts(out, "{\"type\":\"error\",\"error\":{\"type\":");
    bytes_put_quoted(out, type, strlen(type));
    bytes_puts(out, ",\"message\":");
    bytes_put_quoted(out, message, strlen(message));
    if (f->code != NULL && f->code[0] != 0) {
        bytes_puts(out, ",\"details\":{\"error_code\":");
        bytes_put_quoted(out, f->code, strlen(f->code));
        bytes_puts(out, "}");
    }
    bytes_puts(out, "},\"request_id\":\"req_demo\"}");
}

void fault_put_gemini(const struct fault *f, struct bytes *out)
{
    static const char info[] =
        "{\"@type\":\"type.googleapis.com/google.rpc.ErrorInfo\",\"reason\":";
    static const char retry[] =
        "{\"@type\":\"type.googleapis.com/google.rpc.RetryInfo\",\"retryDelay\":\"";
    const char *message = fault_message(f);
    const char *status = chosen(f->type, usual_of(f->status)->gemini);
    bool has_code = f->code != NULL && f->code[0] != 0;
    bool has_delay = f->retry_after != NULL && isdigit((unsigned char)f->retry_after[0]) != 0;
    bytes_puts(out, "{\"error\":{\"code\":");
    bytes_put_int(out, f->status);
    bytes_puts(out, ",\"message\":");
    bytes_put_quoted(out, message, strlen(message));
    bytes_puts(out, ",\"status\":");
    bytes_put_quoted(out, status, strlen(status));
    if (has_code || has_delay)
        bytes_puts(out, ",\"details\":[");
    if (has_code) {
        bytes_puts(out, info);
        bytes_put_quoted(out, f->code, strlen(f->code));
        bytes_puts(out, has_delay ? "}," : "}");
    }
    if (has_delay) {
        bytes_puts(out, retry);
        bytes_puts(out, f->retry_after);
        bytes_puts(out, "s\"}");
    }
    if (has_code || has_delay)
        bytes_puts(out, "]");
    bytes_puts(out, "}}");
}
