/* errors - error answers in each client format's own shape. The router picks the writer by the route's row.
 *
 * All of them say x-should-retry: false where a repeat cannot help; Retry-After is request_fail's. */
#ifndef AIPASS_HANDLERS_ERRORS_H
#define AIPASS_HANDLERS_ERRORS_H

#include "fcgi/router.h"

/* error_openai - {"error":{"message","type","param","code"}} with the status and codes of err_info. */
void error_openai(struct request *req, enum err e, const char *param, const char *text);
/* error_anthropic - {"type":"error","error":{"type","message"},"request_id"}, with Anthropic's words and statuses. */
void error_anthropic(struct request *req, enum err e, const char *param, const char *text);
/* error_gemini - {"error":{"code","message","status","details"}}, google.rpc's words; RetryInfo where a repeat may help. */
void error_gemini(struct request *req, enum err e, const char *param, const char *text);
/* error_as_asked - the one of asker_of, for paths that formats share and those that do not exist. */
void error_as_asked(struct request *req, enum err e, const char *param, const char *text);

/* error_retry_after - the Retry-After, in seconds, of the error that follows; bounded to 1..60 (one client honours any number without a cap). */
void error_retry_after(struct request *req, int64_t seconds);

#endif
