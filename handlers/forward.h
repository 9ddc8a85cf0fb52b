/* forward - a free call that goes to one provider as it is and comes back as it is but for the model's name: token counts, stored responses. No hold, no usage row, no second channel. */
#ifndef AIPASS_HANDLERS_FORWARD_H
#define AIPASS_HANDLERS_FORWARD_H

#include "fcgi/request.h"
#include "handlers/relay.h"

struct forward_spec {
    const struct format *format;       /* only a channel of this format will do */
    const char *method;                /* "GET", "POST", "DELETE" */
    const char *path;                  /* behind the channel's base URL; no '?key=' in it */
    const struct catalog_model *model; /* its channels; NULL: the pin alone decides */
    struct relay_pin pin;              /* zeros: any */
    int64_t group_id;                  /* whose channels, without a pin */
    struct slice body;                 /* p NULL: none */
};

/* forward_find - the route and key that would be used; false when there is none. */
bool forward_find(const struct catalog *c, const struct forward_spec *spec,
                  const struct catalog_route **route, const struct catalog_channel_key **key);

/* forward_run - answers the request: the provider's status and JSON body, or an error in the route's format. Returns the status that the client got. Blocks. */
int forward_run(struct request *req, const struct forward_spec *spec);

#endif
