/* chores_thread - does chores while a process lives: a thread of its own, since a task may take
 * minutes. It looks often while the process is busy, and rarely while it is not. */
#ifndef AIPASS_DB_CHORES_THREAD_H
#define AIPASS_DB_CHORES_THREAD_H

#include "base/config.h"
#include "base/err.h"

struct chores_thread;

/* chores_thread_start - looks first after config->upkeep_ms; config outlives it. ERR_MEMORY. */
ERR_CHECK enum err chores_thread_start(const struct config *config, struct chores_thread **out);
/* chores_thread_poke - the process is busy. Nearly free; any thread; NULL is allowed. */
void chores_thread_poke(struct chores_thread *t);
/* chores_thread_stop - ends the task that runs at its next step, and joins. NULL is allowed. */
void chores_thread_stop(struct chores_thread *t);

#endif
