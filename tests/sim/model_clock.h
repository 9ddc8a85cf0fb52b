/* model_clock - time as a process sees it: one monotonic clock, a wall clock per host that may jump, ids, and waits that end when the driver says so. */
#ifndef AIPASS_TESTS_MODEL_CLOCK_H
#define AIPASS_TESTS_MODEL_CLOCK_H

#include "tests/sim/world.h"

struct money_clock_ops model_clock_ops(struct process *p);

#endif
