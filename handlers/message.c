#include "handlers/message.h"

#include "handlers/relay.h"

void message_create(struct request *req)
{
    relay_run(req, &(struct relay_spec){.format = &format_anthropic, .call = {.body = req->body}});
}
