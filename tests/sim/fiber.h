/* fiber - the threads of the simulated processes: one stack each, all in one thread, switched at operations of the core only.
 *
 * The linker wraps pthread_create and pthread_join, which make fibers, and the mutexes, which only count: a mutex that is locked when it is locked again, or held over an operation, is a
 * broken law of the core ("no locks over database or disk work") and fails the run. Condition variables do nothing; a wait returns when the driver resumes the fiber. */
#ifndef AIPASS_TESTS_FIBER_H
#define AIPASS_TESTS_FIBER_H

#include "tests/sim/world.h"

#define FIBERS_MAX 40

/* fiber_start - makes a fiber of a process; it runs when it is resumed. */
struct fiber *fiber_start(struct process *p, const char *name, void (*fn)(void *arg), void *arg);
/* fiber_resume - runs it until it yields or ends. Only from outside of fibers. */
void fiber_resume(struct fiber *f);
/* fiber_yield - back to the driver. at: for the trace. Outside of a fiber it does nothing. */
void fiber_yield(const char *at);
/* fiber_wait - the same, while waiting for at most ms: see fiber_wake_ms. */
void fiber_wait(pthread_mutex_t *mutex, int64_t ms);

/* fiber_drop - those of a process are no more: it was killed. fiber_drop_all - at the end of a run. */
void fiber_drop(const struct process *p);
void fiber_drop_all(void);

/* fiber_pick - one of those that may run (whose process is not frozen), by dice; NULL: none. fiber_next - the one after *at, which moves, for all in turn; NULL after the last. */
struct fiber *fiber_pick(void);
struct fiber *fiber_next(int *at);
struct process *fiber_process(const struct fiber *f);
const char *fiber_name(const struct fiber *f);
/* fiber_wake_ms - when its wait ends; 0: it does not wait. */
int64_t fiber_wake_ms(const struct fiber *f);
/* fiber_is_running - inside of a fiber. */
bool fiber_is_running(void);

#endif
