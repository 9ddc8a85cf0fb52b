/* conn - one client connection: requests in, answers out, one at a time.
 *
 * Made when a connection is accepted; frees itself when it ends, at the end of the event or timer
 * that ended it. One thread.
 *
 *   HANDSHAKE -> READING <-> ANSWERING -> LINGERING (our end sent, waiting for theirs) -> gone
 */
#ifndef TESTS_PROVIDER_CONN_H
#define TESTS_PROVIDER_CONN_H

#include "tests/provider/sim.h"

struct conn;

/* conn_new - take over an accepted descriptor, which does not block, and watch it. */
void conn_new(struct sim *sim, int fd);

/* conn_ready - handle what epoll reported for the connection. */
void conn_ready(struct conn *c, uint32_t events);

/* conn_due - handle its timer; t is the one that timer_take_due gave. */
void conn_due(struct timer *t);

/* conn_close_all - end every connection at once. */
void conn_close_all(struct sim *sim);

#endif
