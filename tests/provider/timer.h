/* timer - points in time to wake up at, earliest first.
 *
 * A binary heap of pointers to timers that live in their owners; setting, moving and cancelling
 * cost log(n). One thread. An owner cancels its timer before it goes.
 */
#ifndef TESTS_PROVIDER_TIMER_H
#define TESTS_PROVIDER_TIMER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct timer {
    int64_t at_us;
    size_t slot; /* place in the heap, counted from 1; 0: not set */
};

struct timers {
    struct timer **heap;
    size_t count;
    size_t cap;
};

/* timer_set - wake at this time, replacing an earlier setting. */
void timer_set(struct timers *all, struct timer *t, int64_t at_us);

/* timer_cancel - do not wake; harmless when not set. */
void timer_cancel(struct timers *all, struct timer *t);

/* timer_take_due - take the earliest timer at or before now_us out of the heap; NULL when none. */
struct timer *timer_take_due(struct timers *all, int64_t now_us);

/* timer_wait_ms - milliseconds until the earliest timer, rounded up; -1 when there is none. */
int timer_wait_ms(const struct timers *all, int64_t now_us);

/* timers_clear - free the heap; the timers are their owners'. */
void timers_clear(struct timers *all);

#endif
