#include "handlers/routes.h"

#include "handlers/admit.h"
#include "handlers/chat.h"
#include "handlers/errors.h"
#include "handlers/health.h"
#include "handlers/models.h"
#include "handlers/redeem.h"
#include "handlers/usage.h"

#define KEY    ROUTE_NEEDS_KEY
#define STREAM ROUTE_STREAMS
#define ROOT   ROUTE_ROOT

/* clang-format off */
static const struct route routes[] = {
    /* methods     pattern               handler           errors        flags         endpoint */
    { METHOD_POST, "/chat/completions",  chat_completions, error_openai, KEY | STREAM, "chat.completions" },
    { METHOD_GET,  "/models",            models_list,      error_openai, KEY,          "models"           },
    { METHOD_GET,  "/models/{id...}",    models_get,       error_openai, KEY,          "models"           },
    { METHOD_GET,  "/usage",             usage_get,        error_openai, KEY,          "usage"            },
    { METHOD_POST, "/redeem",            redeem_post,      error_openai, KEY,          "redeem"           },
    { METHOD_GET,  "/healthz",           health_live,      error_openai, ROOT,         "healthz"          },
    { METHOD_GET,  "/readyz",            health_ready,     error_openai, ROOT,         "readyz"           },
};
/* clang-format on */

struct router routes_router(const struct app *app)
{
    return (struct router){
        .routes = routes,
        .routes_n = sizeof(routes) / sizeof(routes[0]),
        .fallback_error = error_openai,
        .authenticate = admit_authenticate,
        .app = app,
    };
}
