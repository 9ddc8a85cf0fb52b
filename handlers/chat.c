#include "handlers/chat.h"

#include "handlers/relay.h"

void chat_completions(struct request *req)
{
    relay_run(req,
              &(struct relay_spec){.format = &format_openai_chat, .call = {.body = req->body}});
}

void chat_legacy(struct request *req)
{
    relay_run(req, &(struct relay_spec){.format = &format_openai_completions,
                                        .call = {.body = req->body}});
}
