/* slice_map - from texts to numbers: a hash table in an arena, for what a client's request names many
 * times (tools, ids of calls).
 *
 * One request; one thread. The memory is the arena's, the keys are borrowed and must outlive the map.
 * Keys are hashed with a number that only this process knows, so that nobody can choose texts that
 * meet in one place. */
#ifndef AIPASS_BASE_SLICE_MAP_H
#define AIPASS_BASE_SLICE_MAP_H

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

#include <stdbool.h>
#include <stddef.h>

struct slice_map_entry;

struct slice_map {
    struct arena *arena;
    struct slice_map_entry *entries; /* open addressing, at most half full; NULL: none yet */
    size_t n, max;
};

/* slice_map_init - empty, nothing allocated. */
void slice_map_init(struct slice_map *m, struct arena *a);

/* slice_map_put - the number of key, which may be empty; one that it had before is replaced.
 * ERR_MEMORY. */
ERR_CHECK enum err slice_map_put(struct slice_map *m, struct slice key, size_t number);

/* slice_map_find - false: no such key, and *number is as it was. number may be NULL. */
bool slice_map_find(const struct slice_map *m, struct slice key, size_t *number);

#endif
