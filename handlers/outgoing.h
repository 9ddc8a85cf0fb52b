/* outgoing - what every exchange with a channel has in common: URL, headers, timers, how it is
 * reached.
 *
 * Filled into a transfer_spec that belongs to the caller; texts lie in the request's arena. */
#ifndef AIPASS_HANDLERS_OUTGOING_H
#define AIPASS_HANDLERS_OUTGOING_H

#include "db/catalog.h"
#include "fcgi/request.h"
#include "upstream/format.h"
#include "upstream/transfer.h"

struct outgoing {
    struct request *req;
    const struct catalog_route *route;
    const struct catalog_channel_key *key;
    const struct format *format; /* the provider's */
    const char *path;            /* behind the base URL */
    bool is_stream;
    bool forwards; /* the client speaks the provider's format: its own headers for it go along */
};

/* outgoing_fill - *spec from nothing; what concerns the client and the body is the caller's.
 * ERR_MEMORY. */
ERR_CHECK enum err outgoing_fill(const struct outgoing *o, struct transfer_spec *spec);

#endif
