/* arena - the memory of one request: zeroed, capped, freed at once, with deferred cleanups.
 *
 * Owner: the worker that serves the request. One thread at a time. The first chunk is kept over
 * arena_reset, so that a worker that serves small requests does not allocate. */
#ifndef AIPASS_BASE_ARENA_H
#define AIPASS_BASE_ARENA_H

#include "base/err.h"
#include "base/str.h"

#include <stddef.h>

struct arena;

/* arena_new - max_bytes: hard cap over all allocations. NULL when memory is out. */
struct arena *arena_new(size_t max_bytes);
/* arena_free - runs the cleanups, frees all. NULL is allowed. */
void arena_free(struct arena *a);
/* arena_reset - runs the cleanups (last deferred first), frees all but the first chunk. */
void arena_reset(struct arena *a);

/* arena_alloc - n zeroed bytes aligned for any type; NULL at the cap or when memory is out. */
void *arena_alloc(struct arena *a, size_t n);
/* arena_copy - a NUL-terminated copy of s; NULL like arena_alloc. */
char *arena_copy(struct arena *a, struct slice s);
/* arena_printf - formatted, NUL-terminated; NULL like arena_alloc. */
char *arena_printf(struct arena *a, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* arena_defer - fn(arg) runs at arena_reset or arena_free. ERR_MEMORY: not registered, fn not
 * run. */
ERR_CHECK enum err arena_defer(struct arena *a, void (*fn)(void *), void *arg);
/* arena_used - bytes given out since the last reset. */
size_t arena_used(const struct arena *a);

#endif
