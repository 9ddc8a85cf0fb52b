/* chat - POST /v1/chat/completions. */
#ifndef AIPASS_HANDLERS_CHAT_H
#define AIPASS_HANDLERS_CHAT_H

#include "fcgi/router.h"

route_handler_fn chat_completions;

#endif
