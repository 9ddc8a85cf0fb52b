/* message - POST /v1/messages, Anthropic's format. */
#ifndef AIPASS_HANDLERS_MESSAGE_H
#define AIPASS_HANDLERS_MESSAGE_H

#include "fcgi/router.h"

route_handler_fn message_create;

#endif
