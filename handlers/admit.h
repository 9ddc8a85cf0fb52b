/* admit - who sends this request: the key from Authorization: Bearer, x-api-key, x-goog-api-key or ?key=, in this order; the next is tried when one
 * is not ours. Nothing of an unknown caller's body is parsed. */
#ifndef AIPASS_HANDLERS_ADMIT_H
#define AIPASS_HANDLERS_ADMIT_H

#include "base/err.h"
#include "db/key.h"
#include "fcgi/request.h"

/* What the router's authenticate step leaves in req->auth; lives in the arena, the key is released with it. */
struct admission {
    const struct key *key;
};

/* admit_authenticate - the router's hook. ERR_OK with req->auth set, or the request has been answered: 401, 403 for a key that may not be used from this address, or 503 while the database is down. */
ERR_CHECK enum err admit_authenticate(struct request *req);

/* admit_key - the key of an authenticated request. */
const struct key *admit_key(const struct request *req);

#endif
