/* site - GET /v1/site: which version this is, and whom to ask. For pages and programs; no key. */
#ifndef AIPASS_HANDLERS_SITE_H
#define AIPASS_HANDLERS_SITE_H

#include "fcgi/router.h"

route_handler_fn site_get;

#endif
