/* choice - which channel and key a request goes to next: those that serve it, in the order of
 * select, without what has failed, is limited, disabled or left alone now.
 *
 * Owned by the relay of one request; one thread. */
#ifndef AIPASS_HANDLERS_CHOICE_H
#define AIPASS_HANDLERS_CHOICE_H

#include "db/limit.h"
#include "handlers/app.h"
#include "handlers/attempt.h"
#include "handlers/relay.h"
#include "upstream/breaker.h"
#include "upstream/select.h"

/* What a candidate of the same index stands for. */
struct target {
    const struct catalog_route *route;
    const struct catalog_channel_key *key;
    bool is_done;     /* it has failed in this request... */
    int64_t ready_ms; /* ... and may be tried again from then on; 0: not */
    int64_t full_ms;  /* a limit of its channel has refused: not before that time */
};

struct choice {
    struct request *req;
    const struct app *app;
    struct candidate *candidates;
    struct target *targets;
    size_t n;
    uint64_t affinity;
    int64_t tokens; /* of input, about */
    int64_t model_id;
    int64_t waited_ms; /* so far, in sum */
    int64_t retry_ms;  /* when choice_take found nothing: until something is ready; -1: not known */
    bool is_limited;   /* ... and by limits alone */
    size_t pick;       /* where the request is now; SELECT_NONE: nowhere */
    bool is_probe[BREAKER_SCOPES];
    struct limit_ticket ticket; /* of the limits of that channel */
};

/* choice_init - all channels that the request can be carried to, with each of their keys.
 * ERR_NO_CHANNEL, ERR_MEMORY. */
ERR_CHECK enum err choice_init(struct choice *c, struct request *req, const struct relay_read *read,
                               const struct format *client, const struct relay_pin *pin);

/* choice_take - the next one, which is entered: choice_give must follow. Waits up to
 * retry_after_max_ms when all that is left is ready soon. ERR_NO_CHANNEL: none; ERR_CLIENT_GONE,
 * ERR_BUSY: while it waited. */
ERR_CHECK enum err choice_take(struct choice *c, struct target **out);

/* choice_begun - the answer has begun: it works. choice_give - the attempt has ended with e. */
void choice_begun(struct choice *c);
void choice_give(struct choice *c, const struct attempt *a, enum err e);

#endif
