/* actions - what happens in a run: requests come and end, processes start, stop, are killed, frozen; hosts lose power; the database goes and comes back; admins insert rows; time passes. */
#ifndef AIPASS_TESTS_ACTIONS_H
#define AIPASS_TESTS_ACTIONS_H

#include "tests/sim/world.h"

/* actions_begin - balances and the first processes. */
void actions_begin(void);
/* actions_step - one of them, by the seed's weights; then what must hold is checked. */
void actions_step(void);
/* actions_drain - all becomes calm, everything ends, and the last processes clear up; then what must hold in the end is checked. */
void actions_drain(void);

/* request_start - a request of a process. */
void request_start(struct process *p);

#endif
