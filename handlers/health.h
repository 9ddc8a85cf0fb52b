/* health - /healthz: the process answers; /readyz: it can serve, proven by a real query and the state of its journal. For monitors; no key. /api/hello: what Claude Code asks at its start. */
#ifndef AIPASS_HANDLERS_HEALTH_H
#define AIPASS_HANDLERS_HEALTH_H

#include "fcgi/router.h"

route_handler_fn health_live;
route_handler_fn health_ready;
route_handler_fn health_hello;

#endif
