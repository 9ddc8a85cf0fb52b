/* crowd - clients that make the same call again and again, each in its own thread, and note what
 * came of each.
 *
 * One owner; the threads end by crowd_stop. Fails the test when a thread cannot start. */
#ifndef TESTS_E2E_CROWD_H
#define TESTS_E2E_CROWD_H

#include "tests/e2e/http.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { CROWD_RESULTS_MAX = 40000, CROWD_ID_SIZE = 27 };

/* One call that has ended. */
struct crowd_result {
    int64_t begun_us; /* spawn_now_us */
    int64_t ended_us;
    int status;    /* 0: no answer */
    bool is_whole; /* the answer ended as HTTP says; for a stream, with [DONE] */
    bool has_retry_after;
    char request_id[CROWD_ID_SIZE]; /* "" when the answer had none */
};

struct crowd;

/* crowd_start - threads make `call` until crowd_stop, with a pause after each. call: copied,
 * what it points to is borrowed. */
struct crowd *crowd_start(const struct http_call *call, int threads, int pause_ms);

/* crowd_stop - lets running calls end, then gives all results in the order of their ends; valid
 * until crowd_free. */
const struct crowd_result *crowd_stop(struct crowd *c, size_t *count);
void crowd_free(struct crowd *c);

#endif
