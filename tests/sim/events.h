/* events - how often each kind of trouble happened in the seeds that were run: a simulator that has silently stopped to do something proves nothing about it.
 *
 * Each worker counts by itself and adds its sums to the shared ones between two seeds. */
#ifndef AIPASS_TESTS_EVENTS_H
#define AIPASS_TESTS_EVENTS_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

enum event {
    EVENT_TOGETHER, /* three processes and more live at once */
    EVENT_STOP,
    EVENT_KILL,
    EVENT_KILL_IN_WRITE,
    EVENT_KILL_IN_UPKEEP,
    EVENT_POWER_CUT,
    EVENT_FREEZE,
    EVENT_ADOPTED,
    EVENT_ADOPTED_SEGMENT,
    EVENT_INTERRUPTED,
    EVENT_ABANDONED,
    EVENT_AFTER_ABANDONMENT,
    EVENT_WANTED,
    EVENT_RESERVED,
    EVENT_NO_FUNDS,
    EVENT_LOCK_WAIT,
    EVENT_RETRY,
    EVENT_UNKNOWN_TAKE,
    EVENT_UNKNOWN_GIVE,
    EVENT_UNKNOWN_FLUSH,
    EVENT_UNKNOWN_END,
    EVENT_LATE_COMMIT,
    EVENT_LATE_ROLLBACK,
    EVENT_REPEATED_FLUSH,
    EVENT_LOST_CONNECTIONS,
    EVENT_OUTAGE,
    EVENT_SERVER_CRASH,
    EVENT_FAILOVER,
    EVENT_LOST_ROW,
    EVENT_LOST_ROW_AGAIN,
    EVENT_CLOCK_FORWARD,
    EVENT_CLOCK_BACK,
    EVENT_SHORT_WRITE,
    EVENT_NO_SPACE,
    EVENT_READ_ERROR,
    EVENT_FAILED_SYNC,
    EVENT_FAILED_DIR_SYNC,
    EVENT_TORN_SLOT,
    EVENT_REJECTED,
    EVENT_ADJUSTMENT,
    EVENT_COUNT
};

#define TORN_MAX 128 /* bytes of a close line that are looked at */

struct events {
    _Atomic uint64_t n[EVENT_COUNT];
    _Atomic uint64_t torn[TORN_MAX]; /* close lines of which so many bytes were written */
};

void happened(enum event e);
/* happened_torn - a close line of n bytes was cut after `at`. */
void happened_torn(size_t at, size_t n);

/* events_add - this worker's counts to all of them. events_print - a line for each. events_missing - how many never happened (each is printed). */
void events_add(struct events *all);
void events_print(const struct events *all);
int events_missing(const struct events *all);

#endif
