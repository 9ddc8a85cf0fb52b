/* respond - the OpenAI Responses endpoints: POST /v1/responses and /v1/responses/compact, GET and DELETE of a stored one, and the answer to clients that try a WebSocket.
 *
 * A provider that stores a response is the only one that can continue it: its channel and key are noted (db/objects.h), and a request with previous_response_id goes there and nowhere else. */
#ifndef AIPASS_HANDLERS_RESPOND_H
#define AIPASS_HANDLERS_RESPOND_H

#include "fcgi/router.h"

route_handler_fn respond_create;
route_handler_fn respond_compact;
route_handler_fn respond_upgrade;
route_handler_fn respond_get;
route_handler_fn respond_delete;

#endif
