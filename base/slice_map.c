#include "base/slice_map.h"

#include "base/hash.h"

#include <pthread.h>
#include <stdint.h>

#define ENTRIES_FIRST 8

struct slice_map_entry {
    uint64_t hash; /* 0: free */
    struct slice key;
    size_t number;
};

static pthread_once_t seed_once = PTHREAD_ONCE_INIT;
static uint64_t seed;

static void make_seed(void)
{
    hash_random(&seed, sizeof(seed));
}

static uint64_t hash_of(struct slice key)
{
    return hash_64(key, seed) | 1;
}

/* Where key stands, or the free entry where it would. max: a power of two, one entry is free. */
static struct slice_map_entry *place(struct slice_map_entry *entries, size_t max, struct slice key,
                                     uint64_t hash)
{
    size_t i = (size_t)(hash >> 1) & (max - 1);

    while (entries[i].hash != 0 && (entries[i].hash != hash || !slice_eq(entries[i].key, key)))
        i = (i + 1) & (max - 1);
    return &entries[i];
}

void slice_map_init(struct slice_map *m, struct arena *a)
{
    (void)pthread_once(&seed_once, make_seed);
    *m = (struct slice_map){.arena = a};
}

static enum err grow(struct slice_map *m)
{
    size_t max = m->max ? m->max * 2 : ENTRIES_FIRST, i;
    struct slice_map_entry *entries = arena_alloc(m->arena, max * sizeof(*entries));

    if (!entries)
        return ERR_MEMORY;
    for (i = 0; i < m->max; i++)
        if (m->entries[i].hash != 0)
            *place(entries, max, m->entries[i].key, m->entries[i].hash) = m->entries[i];
    m->entries = entries;
    m->max = max;
    return ERR_OK;
}

enum err slice_map_put(struct slice_map *m, struct slice key, size_t number)
{
    uint64_t hash = hash_of(key);
    struct slice_map_entry *entry;

    if (m->n * 2 >= m->max) {
        enum err e = grow(m);

        if (e)
            return e;
    }
    entry = place(m->entries, m->max, key, hash);
    if (entry->hash == 0)
        m->n++;
    *entry = (struct slice_map_entry){hash, key, number};
    return ERR_OK;
}

bool slice_map_find(const struct slice_map *m, struct slice key, size_t *number)
{
    const struct slice_map_entry *entry;

    if (m->n == 0)
        return false;
    entry = place(m->entries, m->max, key, hash_of(key));
    if (entry->hash == 0)
        return false;
    if (number)
        *number = entry->number;
    return true;
}
