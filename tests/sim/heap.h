/* heap - the memory of one run. malloc and its kin of the product and of the simulator end here (the linker wraps them): a process that is killed leaves its memory behind as a real one
 * does, and all of it goes at the end of the run. Also much faster than a general allocator. */
#ifndef AIPASS_TESTS_HEAP_H
#define AIPASS_TESTS_HEAP_H

/* heap_reset - frees everything. */
void heap_reset(void);

#endif
