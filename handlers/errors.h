/* errors - error answers in each client format's own shape. The router picks the writer by the route's row. */
#ifndef AIPASS_HANDLERS_ERRORS_H
#define AIPASS_HANDLERS_ERRORS_H

#include "fcgi/router.h"

/* error_openai - {"error":{"message","type","param","code"}} with the status and codes of err_info, and x-should-retry: false where a
 * repeat cannot help. Retry-After is request_fail's. */
void error_openai(struct request *req, enum err e, const char *param, const char *text);

/* error_retry_after - the Retry-After, in seconds, of the error that follows; bounded to 1..60 (one client honours any number without a cap). */
void error_retry_after(struct request *req, int64_t seconds);

#endif
