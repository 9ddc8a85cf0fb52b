/* models - GET /v1/models and /v1/models/{id}: what this key may use now, in OpenAI's shape. Free, and outside all limits. */
#ifndef AIPASS_HANDLERS_MODELS_H
#define AIPASS_HANDLERS_MODELS_H

#include "fcgi/router.h"

route_handler_fn models_list;
route_handler_fn models_get;

#endif
