#include "upstream/channel_load.h"

#include <pthread.h>
#include <stddef.h>
#include <stdlib.h>

#define CHANNELS_MAX 1024 /* a power of two; of more channels than half of it not all are limited */
#define MINUTE_MS    INT64_C(60000)
#define LOOK_MS      50 /* at a channel whose requests are all running */

struct load {
    int64_t channel_id; /* 0: unused */
    int64_t running;
    int64_t minute;
    int64_t requests, tokens; /* of that minute */
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
static struct load *find(struct load_table *t, int64_t channel_id, int64_t now_ms)
{
    size_t i = (size_t)((uint64_t)channel_id % CHANNELS_MAX);
    struct load *l;

    while (t->loads[i].channel_id != 0 && t->loads[i].channel_id != channel_id)
        i = (i + 1) % CHANNELS_MAX;
    l = &t->loads[i];
    if (l->channel_id == 0) {
        if (t->used_n >= CHANNELS_MAX / 2)
            return NULL;
        t->used_n++;
        l->channel_id = channel_id;
    }
    if (l->minute != now_ms / MINUTE_MS) {
        l->minute = now_ms / MINUTE_MS;
        l->requests = l->tokens = 0;
    }
    return l;
}

static int64_t wait_of(const struct load *l, const struct load_limits *limits, int64_t now_ms)
{
    bool is_spent =
        (limits->requests_per_minute >= 0 && l->requests >= limits->requests_per_minute) ||
        (limits->tokens_per_minute >= 0 && l->tokens >= limits->tokens_per_minute);

    if (is_spent)
        return MINUTE_MS - now_ms % MINUTE_MS;
    return limits->concurrent_requests >= 0 && l->running >= limits->concurrent_requests ? LOOK_MS
                                                                                         : 0;
}

int64_t load_wait_ms(struct load_table *t, int64_t channel_id, const struct load_limits *limits,
                     int64_t now_ms, int64_t *running)
{
    const struct load *l;
    int64_t wait;

    (void)pthread_mutex_lock(&t->lock);
    l = find(t, channel_id, now_ms);
    wait = l ? wait_of(l, limits, now_ms) : 0;
    *running = l ? l->running : 0;
    (void)pthread_mutex_unlock(&t->lock);
    return wait;
}

bool load_enter(struct load_table *t, int64_t channel_id, const struct load_limits *limits,
                int64_t tokens, int64_t now_ms)
{
    struct load *l;
    bool fits;

    (void)pthread_mutex_lock(&t->lock);
    l = find(t, channel_id, now_ms);
    fits = !l || wait_of(l, limits, now_ms) == 0;
    if (l && fits) {
        l->running++;
        l->requests++;
        l->tokens += tokens;
    }
    (void)pthread_mutex_unlock(&t->lock);
    return fits;
}

void load_leave(struct load_table *t, int64_t channel_id, int64_t tokens, int64_t now_ms)
{
    struct load *l;

    (void)pthread_mutex_lock(&t->lock);
    l = find(t, channel_id, now_ms);
    if (l) {
        l->running -= l->running > 0;
        l->tokens += tokens;
    }
    (void)pthread_mutex_unlock(&t->lock);
}
