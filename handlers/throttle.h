/* throttle - how often each of many ids has failed in the last minute, in this process: a small
 * table that forgets.
 *
 * Any thread. Fixed memory: when more ids fail in one minute than it has room for, the oldest are
 * forgotten. */
#ifndef AIPASS_HANDLERS_THROTTLE_H
#define AIPASS_HANDLERS_THROTTLE_H

#include <stdbool.h>
#include <stdint.h>

#define THROTTLE_WINDOW_MS INT64_C(60000)

struct throttle;

/* throttle_new - an id is over when it has failed max times within its minute. NULL: no memory. */
struct throttle *throttle_new(int max);
/* throttle_free - NULL is allowed. */
void throttle_free(struct throttle *t);

/* throttle_wait_ms - 0: go on; else how long until the id may try again. */
int64_t throttle_wait_ms(struct throttle *t, int64_t id, int64_t now_ms);
/* throttle_fail - one failure of the id. */
void throttle_fail(struct throttle *t, int64_t id, int64_t now_ms);

#endif
