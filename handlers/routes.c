#include "handlers/routes.h"

#include "handlers/admit.h"
#include "handlers/chat.h"
#include "handlers/count.h"
#include "handlers/errors.h"
#include "handlers/generate.h"
#include "handlers/health.h"
#include "handlers/message.h"
#include "handlers/models.h"
#include "handlers/redeem.h"
#include "handlers/respond.h"
#include "handlers/selftest.h"
#include "handlers/site.h"
#include "handlers/usage.h"

#define KEY    ROUTE_NEEDS_KEY
#define STREAM ROUTE_STREAMS
#define ROOT   ROUTE_ROOT

#define MODEL "/models/{model...}"

/* clang-format off */
static const struct route routes[] = {
    /* methods       pattern                            handler              errors           flags         endpoint */
    { METHOD_POST,   "/chat/completions",               chat_completions,    error_openai,    KEY | STREAM, "chat.completions"      },
    { METHOD_POST,   "/completions",                    chat_legacy,         error_openai,    KEY | STREAM, "completions"           },
    { METHOD_POST,   "/responses",                      respond_create,      error_openai,    KEY | STREAM, "responses"             },
    { METHOD_GET,    "/responses",                      respond_upgrade,     error_openai,    0,            "responses.websocket"   },
    { METHOD_POST,   "/responses/compact",              respond_compact,     error_openai,    KEY,          "responses.compact"     },
    { METHOD_GET,    "/responses/{id}",                 respond_get,         error_openai,    KEY,          "responses.get"         },
    { METHOD_DELETE, "/responses/{id}",                 respond_delete,      error_openai,    KEY,          "responses.delete"      },
    { METHOD_POST,   "/messages",                       message_create,      error_anthropic, KEY | STREAM, "messages"              },
    { METHOD_POST,   "/messages/count_tokens",          count_messages,      error_anthropic, KEY,          "messages.count_tokens" },
    { METHOD_GET,    "/api/hello",                      health_hello,        error_anthropic, 0,            "hello"                 },
    { METHOD_POST,   MODEL ":generateContent",          generate_whole,      error_gemini,    KEY,          "generate"              },
    { METHOD_POST,   MODEL ":streamGenerateContent",    generate_stream,     error_gemini,    KEY | STREAM, "generate"              },
    { METHOD_POST,   MODEL ":countTokens",              count_contents,      error_gemini,    KEY,          "generate.count_tokens" },
    { METHOD_POST,   MODEL ":embedContent",             generate_embed,      error_gemini,    KEY,          "embed"                 },
    { METHOD_POST,   MODEL ":batchEmbedContents",       generate_embed_many, error_gemini,    KEY,          "embed"                 },
    { METHOD_GET,    "/models",                         models_list,         error_as_asked,  KEY,          "models"                },
    { METHOD_GET,    MODEL,                             models_get,          error_as_asked,  KEY,          "models"                },
    { METHOD_GET,    "/usage",                          usage_get,           error_openai,    KEY,          "usage"                 },
    { METHOD_POST,   "/redeem",                         redeem_post,         error_openai,    KEY,          "redeem"                },
    { METHOD_GET,    "/site",                           site_get,            error_openai,    0,            "site"                  },
    { METHOD_GET,    "/selftest",                       selftest_stream,     error_openai,    KEY | STREAM, "selftest"              },
    { METHOD_POST,   "/selftest",                       selftest_body,       error_openai,    KEY,          "selftest"              },
    { METHOD_GET,    "/healthz",                        health_live,         error_openai,    ROOT,         "healthz"               },
    { METHOD_GET,    "/readyz",                         health_ready,        error_openai,    ROOT,         "readyz"                },
};
/* clang-format on */

struct router routes_router(const struct app *app)
{
    return (struct router){
        .routes = routes,
        .routes_n = sizeof(routes) / sizeof(routes[0]),
        .fallback_error = error_as_asked,
        .authenticate = admit_authenticate,
        .app = app,
    };
}
