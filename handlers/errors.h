/* errors - error answers in each client format's own shape. The router picks the writer by the route's row. */
#ifndef AIPASS_HANDLERS_ERRORS_H
#define AIPASS_HANDLERS_ERRORS_H

#include "fcgi/router.h"

/* error_openai - {"error":{"message","type","param","code"}} with the status and codes of err_info, Retry-After and x-should-retry: false where they
 * belong. A Retry-After set before with error_retry_after wins. */
void error_openai(struct request *req, enum err e, const char *param, const char *text);

/* error_retry_after - the Retry-After, in seconds, of the error that follows; bounded to 1..60 (one client honours any number without a cap). */
void error_retry_after(struct request *req, int64_t seconds);

#endif
