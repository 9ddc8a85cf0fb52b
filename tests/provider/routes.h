/* routes - which path is answered by what.
 *
 * One table. A wire format is added by its own file and a row here. One thread.
 */
#ifndef TESTS_PROVIDER_ROUTES_H
#define TESTS_PROVIDER_ROUTES_H

#include "tests/provider/inbound.h"
#include "tests/provider/play.h"
#include "tests/provider/sim.h"

enum route_class {
    ROUTE_ANSWER,  /* a format answers; all counts apply */
    ROUTE_OTHER,   /* lists of models, unknown paths */
    ROUTE_CONTROL, /* the simulator's own paths: not counted, not in the history */
};

/* routes_classify - what kind of request this is; its head is complete. */
enum route_class routes_classify(const struct inbound *in);

/* routes_begin - read a whole request and prepare its answer. play: freshly reset; its version,
 * keep-alive and time are set already. */
void routes_begin(struct sim *sim, const struct inbound *in, struct play *play);

/* routes_refuse - prepare an error for a request that could not be read. */
void routes_refuse(int status, const char *message, struct play *play);

#endif
