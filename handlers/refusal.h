/* refusal - what a provider's refusal means: whose fault it is, and when to come back. Pure; any
 * thread. */
#ifndef AIPASS_HANDLERS_REFUSAL_H
#define AIPASS_HANDLERS_REFUSAL_H

#include "base/err.h"
#include "base/str.h"
#include "db/catalog.h"

/* refusal_error - of a status that is not 200, with its body. The channel's own rows count first.
 * ERR_UP_REJECTED: the request's fault, passed on. ERR_UP_AUTH: the credential's, also where the
 * provider says so by 400 or 429 and its words. ERR_UP_RATE; ERR_UP_STATUS: the provider's own. */
ERR_CHECK enum err refusal_error(const struct catalog_channel *channel, int status,
                                 struct slice body);

/* refusal_retry_ms - the RetryInfo of a google.rpc.Status in it; -1: none. */
int64_t refusal_retry_ms(struct slice body);

#endif
