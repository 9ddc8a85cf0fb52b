#include "handlers/count.h"

#include "base/jscan.h"
#include "fcgi/response.h"
#include "handlers/admit.h"
#include "handlers/forward.h"
#include "handlers/relay.h"
#include "upstream/splice.h"

#include <inttypes.h>
#include <stdio.h>

#define COUNT_BODY_SIZE 64

int64_t count_estimate(const struct catalog_model *m, const struct format_request *in)
{
    return text_size_tokens(&in->text) + in->images * m->image_tokens + in->files * m->file_tokens +
           in->audios * m->audio_tokens;
}

static void answer_estimate(struct request *req, const struct catalog_model *m,
                            const struct format_request *in, const char *member)
{
    char body[COUNT_BODY_SIZE];
    snprintf(body, sizeof(body), "{\"%s\":%" PRId64 "}", member, count_estimate(m, in));
    response_header_z(req, "x-aipass-estimated", "true");
    enum err e = response_bytes(req, 200, "application/json", slice_of(body));
    (void)e; /* a client that is gone does not get it */
}

/* The request with the provider's own name of the model. */
static enum err write_body(struct request *req, const struct format *format,
                           const struct format_request *in, const char *upstream_name,
                           struct slice *out)
{
    struct format_target target = {.upstream_model = upstream_name, .output_max_inject = -1};
    struct splice pieces;
    enum err e = format->write_request(in, &target, req->arena, &pieces);
    return e == ERR_OK ? splice_join(&pieces, req->arena, out) : e;
}

void count_messages(struct request *req)
{
    struct relay_read read;
    const struct catalog_route *route;
    const struct catalog_channel_key *key;
    struct format_call call = {.body = req->body};
    if (relay_read_request(req, &format_anthropic, &call, &read) != ERR_OK)
        return;
    struct forward_spec spec = {.format = &format_anthropic,
                                .method = "POST",
                                .path = "/messages/count_tokens",
                                .model = read.model,
                                .group_id = admit_key(req)->group_id};
    if (!forward_find(read.catalog, &spec, &route, &key)) {
        answer_estimate(req, read.model, &read.in, "input_tokens");
        return;
    }
    enum err e = write_body(req, &format_anthropic, &read.in, route->upstream_name, &spec.body);
    if (e != ERR_OK)
        request_fail(req, e, NULL, NULL);
    else
        forward_run(req, &spec);
}

/* {"generateContentRequest": {...}}: what is counted is inside. *is_whole: it is not. */
static struct slice contents_of(struct slice body, bool *is_whole)
{
    struct jvalue v, inner;
    *is_whole = jscan_validate(body, &v, NULL) != ERR_OK ||
                (jscan_find(v, "generateContentRequest", &inner) != ERR_OK &&
                 jscan_find(v, "generate_content_request", &inner) != ERR_OK);
    return *is_whole ? body : inner.raw;
}

void count_contents(struct request *req)
{
    struct relay_read read;
    const struct catalog_route *route;
    const struct catalog_channel_key *key;
    bool is_whole;
    struct format_call call = {.model = req->params[0]};
    call.body = contents_of(req->body, &is_whole);
    if (relay_read_request(req, &format_gemini, &call, &read) != ERR_OK)
        return;
    struct forward_spec spec = {.format = &format_gemini,
                                .method = "POST",
                                .model = read.model,
                                .group_id = admit_key(req)->group_id,
                                .body = req->body};
    /* The inner request names its model once more, as the provider knows it: estimated. */
    if (!is_whole || !forward_find(read.catalog, &spec, &route, &key)) {
        answer_estimate(req, read.model, &read.in, "totalTokens");
        return;
    }
    read.in.verb = "countTokens";
    spec.path = format_gemini.path(req->arena, route->upstream_name, &read.in);
    if (spec.path == NULL)
        request_fail(req, ERR_MEMORY, NULL, NULL);
    else
        forward_run(req, &spec);
}
