#include "handlers/passed_headers.h"

static enum err add(struct transfer_spec *spec, const char *line)
{
    if (line == NULL || spec->headers_n == TRANSFER_HEADERS_MAX)
        return ERR_MEMORY;
    spec->headers[spec->headers_n++] = line;
    return ERR_OK;
}

static enum err add_of_client(struct request *req, const struct format *format,
                              struct transfer_spec *spec)
{
    enum err e = ERR_OK;
    for (const char *const *name = format->forwarded_headers; *name != NULL && e == ERR_OK;
         name++) {
        struct slice value = slice_trim(request_header(req, *name));
        if (value.n > 0)
            e = add(spec, arena_printf(req->arena, "%s: %.*s", *name, SLICE_FMT(value)));
    }
    return e;
}

/* What the format must say and the client did not. */
static enum err add_defaults(struct request *req, const struct format *format, bool is_same,
                             struct transfer_spec *spec)
{
    enum err e = ERR_OK;
    for (const char *const *line = format->default_headers; *line != NULL && e == ERR_OK; line++) {
        struct slice rest = slice_of(*line);
        const char *name = arena_copy(req->arena, slice_split(&rest, ':'));
        if (name == NULL)
            return ERR_MEMORY;
        if (!is_same || slice_trim(request_header(req, name)).n == 0)
            e = add(spec, *line);
    }
    return e;
}

enum err passed_headers_add(struct request *req, const struct format *provider, const char *secret,
                            bool is_same, bool is_stream, struct transfer_spec *spec)
{
    enum err e = add(spec, provider->auth_header(req->arena, secret));
    if (e == ERR_OK)
        e = add(spec, "Content-Type: application/json");
    if (e == ERR_OK)
        e = add(spec, "User-Agent: aipass/" AIPASS_VERSION);
    if (e == ERR_OK)
        e = add(spec, is_stream ? "Accept: text/event-stream" : "Accept: application/json");
    if (e == ERR_OK && is_same)
        e = add_of_client(req, provider, spec);
    return e == ERR_OK ? add_defaults(req, provider, is_same, spec) : e;
}
