/* dialect - how tests speak each client format: paths, bodies, and what an answer says. Texts lie in the ring of http.h. */
#ifndef TESTS_E2E_DIALECT_H
#define TESTS_E2E_DIALECT_H

#include "tests/e2e/http.h"

#include <stdbool.h>
#include <stddef.h>

enum { DIALECT_TEXT_MAX = 4096 };

/* What an answer says, whole or streamed, in any format. */
struct said {
    char text[DIALECT_TEXT_MAX];
    char thinking[DIALECT_TEXT_MAX];
    char call_id[128], call_name[128], call_args[DIALECT_TEXT_MAX];
    char seal[DIALECT_TEXT_MAX]; /* what the client has to send back with the call */
    char finish[64];
    long input, output; /* as the client counts them; -1: not told */
    bool is_ended;      /* a stream's proper end was there, and nothing behind it */
};

struct dialect {
    const char *name; /* the format */
    bool has_tools;
    /* path for a call to the model. */
    const char *(*path)(const char *model, bool is_stream);
    /* body - prompt as one user message; members: more of the top level with a leading comma. */
    const char *(*body)(const char *model, const char *prompt, bool is_stream, const char *members);
    /* tool_body - the same with the tool get_weather(city); said NULL: the first turn, else what the
     * first turn said, followed by the tool's result. */
    const char *(*tool_body)(const char *model, const char *prompt, bool is_stream,
                             const struct said *said, const char *result);
    void (*read)(const struct http_reply *reply, bool is_stream, struct said *out);
};

extern const struct dialect dialects[];
extern const size_t dialects_n;

/* dialect_seed_providers - one model for each provider format, "by-openai-chat" and so on, which
 * channels of the same name on simulator 0 serve as "upstream-model" for 1 USD input, 0.1 cached
 * input and 10 output per million tokens. */
extern const char *const dialect_providers[];
extern const size_t dialect_providers_n;
void dialect_seed_providers(void);

/* dialect_ask - sends a body with that key to web server 0, reads what is said when the status is 200. */
void dialect_ask(const struct dialect *d, const char *key, const char *model, const char *body,
                 bool is_stream, struct http_reply *reply, struct said *out);

/* dialect_find - by the format's name. dialect_ask_with - the same with one more header line. */
const struct dialect *dialect_find(const char *name);
void dialect_ask_with(const struct dialect *d, const char *key, const char *model, const char *body,
                      bool is_stream, const char *header, struct http_reply *reply,
                      struct said *out);

#endif
