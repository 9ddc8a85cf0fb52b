/* routes - the one table of endpoints. */
#ifndef AIPASS_HANDLERS_ROUTES_H
#define AIPASS_HANDLERS_ROUTES_H

#include "fcgi/router.h"

/* routes_router - the router over the table, with the application as context. */
struct app;
struct router routes_router(const struct app *app);

#endif
