/* channel_load - how many requests each channel is running for this process.
 *
 * One table for a process. Any thread; never blocks. */
#ifndef AIPASS_UPSTREAM_CHANNEL_LOAD_H
#define AIPASS_UPSTREAM_CHANNEL_LOAD_H

#include <stdint.h>

struct load_table;
/* load_new - NULL: no memory. load_free takes NULL. */
struct load_table *load_new(void);
void load_free(struct load_table *t);

/* load_enter - one more; load_leave must follow. load_running - now; 0 for channels that the table has
 * no room for. */
void load_enter(struct load_table *t, int64_t channel_id);
void load_leave(struct load_table *t, int64_t channel_id);
int64_t load_running(struct load_table *t, int64_t channel_id);

#endif
