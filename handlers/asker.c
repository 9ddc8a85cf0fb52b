#include "handlers/asker.h"

static bool has_header(const struct request *req, const char *name)
{
    return slice_trim(request_header(req, name)).n > 0;
}

enum asker asker_of(const struct request *req)
{
    if (req->saw_v1beta || has_header(req, "x-goog-api-key") ||
        request_query_param(req, "key").n > 0)
        return ASKER_GEMINI;
    if (has_header(req, "anthropic-version") || has_header(req, "x-api-key"))
        return ASKER_ANTHROPIC;
    return ASKER_OPENAI;
}
