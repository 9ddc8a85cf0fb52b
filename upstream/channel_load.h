/* channel_load - how much of each channel this process uses now: requests that run, requests and
 * tokens of the current minute.
 *
 * One table for a process; each process counts for itself. The clock is the caller's, its minutes
 * begin anywhere. Any thread; never blocks. */
#ifndef AIPASS_UPSTREAM_CHANNEL_LOAD_H
#define AIPASS_UPSTREAM_CHANNEL_LOAD_H

#include <stdbool.h>
#include <stdint.h>

/* -1: no limit. */
struct load_limits {
    int64_t requests_per_minute, tokens_per_minute, concurrent_requests;
};

struct load_table;
/* load_new - NULL: no memory. load_free takes NULL. */
struct load_table *load_new(void);
void load_free(struct load_table *t);

/* load_wait_ms - 0: one more request fits now; else when to look again. *running: requests that run. */
int64_t load_wait_ms(struct load_table *t, int64_t channel_id, const struct load_limits *limits,
                     int64_t now_ms, int64_t *running);

/* load_enter - one more request, with so many tokens of input. False: it does not fit; nothing has
 * changed. After true load_leave must follow, with the tokens that came. */
bool load_enter(struct load_table *t, int64_t channel_id, const struct load_limits *limits,
                int64_t tokens, int64_t now_ms);
void load_leave(struct load_table *t, int64_t channel_id, int64_t tokens, int64_t now_ms);

#endif
