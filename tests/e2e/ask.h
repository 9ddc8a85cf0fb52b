/* ask - how tests speak to the gateway: chat bodies with orders for the provider simulator, and
 * what every answer must have.
 *
 * Prompts carry a canary text, which must show up in no log, spool file or table. Texts lie in
 * the ring of http.h. */
#ifndef TESTS_E2E_ASK_H
#define TESTS_E2E_ASK_H

#include "tests/e2e/admin.h"
#include "tests/e2e/http.h"

#define ASK_CANARY       "canary-prompt-5d1f07"
#define ASK_CANARY_QUERY "canary-query-83be22"

/* ask_body - a chat body. controls: for the simulator, "tokens=3,pace=20"; "" for none. members:
 * more top-level members with their leading comma, ",\"stream\":true"; or "". */
const char *ask_body(const char *model, const char *controls, const char *members);

#define ASK_STREAM       ",\"stream\":true"
#define ASK_STREAM_USAGE ",\"stream\":true,\"stream_options\":{\"include_usage\":true}"

/* ask_chat - POST /v1/chat/completions at web server 0 with that key and body. */
void ask_chat(const char *key, const char *body, struct http_reply *reply);

/* ask_path - GET (or another method) of a path at web server 0. key NULL: none. */
void ask_path(const char *method, const char *path, const char *key, struct http_reply *reply);

/* ask_id - the request id of an answer, which both headers must carry alike. */
const char *ask_id(const struct http_reply *reply);

/* ask_expect_status - the answer came whole with this status. */
void ask_expect_status(const struct http_reply *reply, int status);

/* ask_expect_error - the answer is an error in OpenAI's shape with these words; param NULL:
 * null. Checks content type, ids, Retry-After on 429 and 503, and x-should-retry: false where a
 * repeat is no use. */
void ask_expect_error(const struct http_reply *reply, int status, const char *type,
                      const char *code, const char *param);

/* ask_expect_stream_error - the last event is an error event, and nowhere is [DONE]. */
void ask_expect_stream_error(const struct http_reply *reply);

/* ask_expect_done - [DONE] is the last event and the only one. */
void ask_expect_done(const struct http_reply *reply);

#endif
