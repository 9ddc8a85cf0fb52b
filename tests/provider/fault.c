#include "tests/provider/fault.h"

#include <string.h>

/* clang-format off */
static const struct {
    int status;
    const char *type;
    const char *code;
    const char *message;
} usual_errors[] = {
    {400, "invalid_request_error", "",                    "Invalid request."},
    {401, "invalid_request_error", "invalid_api_key",     "Incorrect API key provided."},
    {402, "insufficient_quota",    "insufficient_quota",  "You exceeded your current quota."},
    {403, "permission_error",      "",                    "You have no access to this model."},
    {404, "invalid_request_error", "model_not_found",     "The model does not exist."},
    {413, "invalid_request_error", "",                    "The request is too large."},
    {429, "requests",              "rate_limit_exceeded", "Rate limit reached."},
    {500, "server_error",          "",                    "The server had an error."},
    {503, "server_error",          "",                    "The engine is overloaded, try later."},
};
/* clang-format on */

/* A text of the error's own, else the usual one. */
static const char *chosen(const char *own, const char *usual)
{
    return own != NULL && own[0] != 0 ? own : usual;
}

void fault_put_openai(const struct fault *f, struct bytes *out)
{
    size_t i = 0;
    size_t last = sizeof(usual_errors) / sizeof(usual_errors[0]) - 1;
    while (i < last && usual_errors[i].status != f->status)
        i++;
    if (usual_errors[i].status != f->status)
        i = f->status >= 500 ? last - 1 : 0;
    const char *message = chosen(f->message, usual_errors[i].message);
    const char *type = chosen(f->type, usual_errors[i].type);
    const char *code = chosen(f->code, usual_errors[i].code);
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
