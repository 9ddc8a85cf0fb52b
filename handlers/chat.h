/* chat - POST /v1/chat/completions, and the legacy POST /v1/completions, which is always translated. */
#ifndef AIPASS_HANDLERS_CHAT_H
#define AIPASS_HANDLERS_CHAT_H

#include "fcgi/router.h"

route_handler_fn chat_completions;
route_handler_fn chat_legacy;

#endif
