/* models - GET /v1/models and /v1/models/{id}: what this key may use now, in the shape of the asker (asker.h). Free, and outside all limits.
 *
 * Beside the members of each format: context length, largest output, what this customer pays (USD per million tokens, as text, before the multiplier), and capabilities. */
#ifndef AIPASS_HANDLERS_MODELS_H
#define AIPASS_HANDLERS_MODELS_H

#include "fcgi/router.h"

route_handler_fn models_list;
route_handler_fn models_get;

#endif
