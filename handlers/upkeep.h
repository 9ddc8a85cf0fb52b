/* upkeep - the background thread of a process: keys in use re-read each second, the catalog and limits when due, leases, idle slots, adoption and idle provider
 * connections. It sleeps while nothing runs and nothing is held; a request wakes it. Beside it runs the thread of what one process does for all
 * (db/chores_thread.h). */
#ifndef AIPASS_HANDLERS_UPKEEP_H
#define AIPASS_HANDLERS_UPKEEP_H

#include "base/err.h"

struct app;
struct upkeep;

/* upkeep_start - starts the thread; app must outlive it. ERR_MEMORY. */
ERR_CHECK enum err upkeep_start(const struct app *app, struct upkeep **out);
/* upkeep_stop - stops and joins it. NULL is allowed. */
void upkeep_stop(struct upkeep *u);
/* upkeep_wake - a request has come; nearly free when the thread is awake. NULL (CGI mode) is allowed. Any thread. */
void upkeep_wake(struct upkeep *u);

#endif
