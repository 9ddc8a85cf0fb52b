#include "upstream/channel_load.h"

#include <pthread.h>
#include <stddef.h>
#include <stdlib.h>

#define CHANNELS_MAX 1024 /* a power of two; of more channels than half of it not all are counted */

struct load {
    int64_t channel_id; /* 0: unused */
    int64_t running;
};

struct load_table {
    pthread_mutex_t lock;
    /* under lock */
    struct load loads[CHANNELS_MAX];
    size_t used_n;
};

struct load_table *load_new(void)
{
    struct load_table *t = calloc(1, sizeof(*t));

    if (t)
        (void)pthread_mutex_init(&t->lock, NULL);
    return t;
}

void load_free(struct load_table *t)
{
    if (!t)
        return;
    (void)pthread_mutex_destroy(&t->lock);
    free(t);
}

/* NULL: the table is full. */
static struct load *find(struct load_table *t, int64_t channel_id)
{
    size_t i = (size_t)((uint64_t)channel_id % CHANNELS_MAX);

    while (t->loads[i].channel_id != 0 && t->loads[i].channel_id != channel_id)
        i = (i + 1) % CHANNELS_MAX;
    if (t->loads[i].channel_id == 0) {
        if (t->used_n >= CHANNELS_MAX / 2)
            return NULL;
        t->used_n++;
        t->loads[i].channel_id = channel_id;
    }
    return &t->loads[i];
}

/* Returns how many run then. */
static int64_t add(struct load_table *t, int64_t channel_id, int64_t n)
{
    struct load *l;
    int64_t running = 0;

    (void)pthread_mutex_lock(&t->lock);
    l = find(t, channel_id);
    if (l) {
        l->running += n;
        running = l->running;
    }
    (void)pthread_mutex_unlock(&t->lock);
    return running;
}

void load_enter(struct load_table *t, int64_t channel_id)
{
    (void)add(t, channel_id, 1);
}

void load_leave(struct load_table *t, int64_t channel_id)
{
    (void)add(t, channel_id, -1);
}

int64_t load_running(struct load_table *t, int64_t channel_id)
{
    return add(t, channel_id, 0);
}
