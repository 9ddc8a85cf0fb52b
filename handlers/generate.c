#include "handlers/generate.h"

#include "handlers/relay.h"

void generate_whole(struct request *req)
{
    relay_run(req,
              &(struct relay_spec){
                  .format = &format_gemini, .call = {.body = req->body, .model = req->params[0]}
    });
}

void generate_stream(struct request *req)
{
    bool is_sse = slice_eq_z(request_query_param(req, "alt"), "sse");
    relay_run(req, &(struct relay_spec){
                       .format = &format_gemini,
                       .call = {.body = req->body,
                                .model = req->params[0],
                                .is_stream = true,
                                .is_array = !is_sse}
    });
}

static void embed(struct request *req, const char *verb)
{
    relay_run(req, &(struct relay_spec){
                       .format = &format_gemini,
                       .call = {.body = req->body, .model = req->params[0], .verb = verb}
    });
}

void generate_embed(struct request *req)
{
    embed(req, "embedContent");
}

void generate_embed_many(struct request *req)
{
    embed(req, "batchEmbedContents");
}
