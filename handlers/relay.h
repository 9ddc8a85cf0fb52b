/* relay - the spine that every AI endpoint shares: read the request, hold the money, try channels until one answers, relay the answer, settle once.
 *
 * Before the provider's first byte a failure moves to the next channel; after it, it ends the stream with the format's error event. */
#ifndef AIPASS_HANDLERS_RELAY_H
#define AIPASS_HANDLERS_RELAY_H

#include "fcgi/request.h"
#include "upstream/format.h"

/* relay_read_catalog - the catalog snapshot for as long as the request lives; answers 503 itself when there is none. */
struct catalog;
ERR_CHECK enum err relay_read_catalog(struct request *req, const struct catalog **out);

/* relay_run - serves an authenticated request in the given client format, from body to usage row. call: what was sent, its body req->body. Blocks for the whole exchange. */
void relay_run(struct request *req, const struct format *format, const struct format_call *call);

#endif
