#include "handlers/chat.h"

#include "handlers/relay.h"
#include "upstream/format.h"

void chat_completions(struct request *req)
{
    relay_run(req, &format_openai_chat, &(struct format_call){.body = req->body});
}
