/* relay - the spine that every AI endpoint shares: read the request, take from its limits, hold the money, try channels until one answers, relay the answer, settle once.
 *
 * Before the provider's first byte a failure moves to the next channel; after it, it ends the stream with the format's error event. */
#ifndef AIPASS_HANDLERS_RELAY_H
#define AIPASS_HANDLERS_RELAY_H

#include "db/catalog.h"
#include "fcgi/request.h"
#include "upstream/format.h"

/* relay_read_catalog - the catalog snapshot for as long as the request lives; answers 503 itself when there is none. */
ERR_CHECK enum err relay_read_catalog(struct request *req, const struct catalog **out);

/* A request that was read, and the model that it names. */
struct relay_read {
    struct format_request in;
    const struct catalog *catalog;
    const struct catalog_model *model;
};

/* relay_read_request - reads the call and finds its model; on an error it has answered what is wrong with either. */
ERR_CHECK enum err relay_read_request(struct request *req, const struct format *format,
                                      const struct format_call *call, struct relay_read *out);

/* One channel and key that a request is bound to; channel_id 0: none. */
struct relay_pin {
    int64_t channel_id;
    int64_t key_id;
    const char *param; /* the member that binds it */
};

struct relay_spec {
    const struct format *format; /* the client's */
    struct format_call call;     /* its body is req->body */
    /* pin - binds the request to a channel, in *out. On an error it has answered. NULL: never. */
    enum err (*pin)(struct request *req, const struct format_request *in, struct relay_pin *out);
    /* note - the answer is complete and its last bytes have not left. NULL: nothing to note. */
    void (*note)(struct request *req, const struct reader *reader, const struct relay_pin *at);
};

/* relay_run - serves an authenticated request, from body to usage row. Blocks for the whole exchange. */
void relay_run(struct request *req, const struct relay_spec *spec);

#endif
