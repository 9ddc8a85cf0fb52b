/* usage - GET /v1/usage: what this key and its account used and have left. Money as decimal text in USD, exact. */
#ifndef AIPASS_HANDLERS_USAGE_H
#define AIPASS_HANDLERS_USAGE_H

#include "fcgi/router.h"

route_handler_fn usage_get;

#endif
