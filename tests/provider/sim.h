/* sim - the state of the whole simulator, and its options.
 *
 * One in the process, made by main, used by its single thread.
 */
#ifndef TESTS_PROVIDER_SIM_H
#define TESTS_PROVIDER_SIM_H

#include "tests/provider/history.h"
#include "tests/provider/script.h"
#include "tests/provider/sock.h"
#include "tests/provider/tally.h"
#include "tests/provider/timer.h"

struct conn;

struct sim {
    const char *key;        /* the API key required; NULL: any or none */
    const char *models;     /* names for /models, separated by commas */
    struct script defaults; /* what --default asks */
    SSL_CTX *tls;           /* NULL: plain */
    int epoll_fd;
    int64_t now_us;       /* monotonic, read once a round of the loop */
    uint64_t connections; /* made so far; the next one's number is one more */
    struct conn *open;    /* all connections */
    struct timers timers;
    struct tally tally;
    struct history history;
};

#endif
