/* exchange_kit - one request to a provider and its answer back to the client, in memory, as the
 * relay does it. For tests and fuzzers: it does not need Check.
 *
 * The memory is the arena of whoever opens the exchange, which outlives it. One thread. */
#ifndef AIPASS_TESTS_EXCHANGE_KIT_H
#define AIPASS_TESTS_EXCHANGE_KIT_H

#include "base/buf.h"
#include "upstream/capability.h"
#include "upstream/format.h"
#include "upstream/translate.h"

#define EXCHANGE_PUBLIC   "client-model"
#define EXCHANGE_UPSTREAM "upstream-model"

struct exchange {
    struct arena *arena;
    const struct format *from, *to;
    const struct capability *capability;
    struct format_request in;
    struct fault fault; /* with ERR_BAD_REQUEST */
    struct translation *translation;
    struct reader reader;
    struct buf out; /* what the client got */
    bool is_translated;
    bool has_reader;
};

/* How bytes arrive: a first piece, then pieces of that many bytes; 0: the rest at once. */
struct pieces {
    size_t first, step;
};

/* exchange_capability - what a current model of a provider of that format accepts. */
struct capability exchange_capability(const struct format *to);

/* exchange_open - reads the client's request. translates: also when from == to. ERR_BAD_REQUEST
 * with x->fault, ERR_MEMORY. exchange_close, whatever it returned. */
ERR_CHECK enum err exchange_open(struct exchange *x, struct arena *a, const struct format *from,
                                 const struct format *to, const struct format_call *call,
                                 const struct capability *capability, bool translates);
void exchange_close(struct exchange *x);

/* exchange_request - the body for the provider, appended. ERR_BAD_REQUEST with x->fault. */
ERR_CHECK enum err exchange_request(struct exchange *x, struct buf *body);
/* exchange_drops - what was left out of it; NULL when it was passed through. */
const struct drops *exchange_drops(const struct exchange *x);

/* exchange_stream - the provider's stream; x->out has what the client got. ERR_OK: with its proper
 * end; ERR_UP_FAILED: an error in it; ERR_UP_MALFORMED. exchange_whole - a whole answer. One answer
 * an exchange. */
ERR_CHECK enum err exchange_stream(struct exchange *x, struct slice text, struct pieces pieces);
ERR_CHECK enum err exchange_whole(struct exchange *x, struct slice body);

#endif
