#include "handlers/throttle.h"

#include <pthread.h>
#include <stdlib.h>

#define PLACES 512
#define PROBES 8

struct place {
    int64_t id;
    int64_t since_ms; /* when its minute began */
    int failures;     /* 0: free */
};

struct throttle {
    int max;
    pthread_mutex_t lock;
    struct place places[PLACES]; /* under lock */
};

struct throttle *throttle_new(int max)
{
    struct throttle *t = calloc(1, sizeof(*t));
    if (!t)
        return NULL;
    t->max = max;
    pthread_mutex_init(&t->lock, NULL);
    return t;
}

void throttle_free(struct throttle *t)
{
    if (!t)
        return;
    pthread_mutex_destroy(&t->lock);
    free(t);
}

static bool is_over(const struct place *p, int64_t now_ms)
{
    return !p->failures || now_ms - p->since_ms >= THROTTLE_WINDOW_MS;
}

/* The place of id; NULL when it has none. *spare: where it may go, a free one or the oldest. Lock
 * held. */
static struct place *find(struct throttle *t, int64_t id, int64_t now_ms, struct place **spare)
{
    struct place *oldest = NULL;
    for (uint64_t i = 0; i < PROBES; i++) {
        struct place *p = &t->places[((uint64_t)id + i) % PLACES];
        if (p->failures && p->id == id && !is_over(p, now_ms))
            return p;
        bool is_better = !oldest || (is_over(p, now_ms) && !is_over(oldest, now_ms)) ||
                         (!is_over(oldest, now_ms) && p->since_ms < oldest->since_ms);
        if (is_better)
            oldest = p;
    }
    *spare = oldest;
    return NULL;
}

int64_t throttle_wait_ms(struct throttle *t, int64_t id, int64_t now_ms)
{
    struct place *spare;
    int64_t wait_ms = 0;
    pthread_mutex_lock(&t->lock);
    const struct place *p = find(t, id, now_ms, &spare);
    if (p && p->failures >= t->max)
        wait_ms = p->since_ms + THROTTLE_WINDOW_MS - now_ms;
    pthread_mutex_unlock(&t->lock);
    return wait_ms;
}

void throttle_fail(struct throttle *t, int64_t id, int64_t now_ms)
{
    struct place *spare = NULL;
    pthread_mutex_lock(&t->lock);
    struct place *p = find(t, id, now_ms, &spare);
    if (p)
        p->failures++;
    else
        *spare = (struct place){id, now_ms, 1};
    pthread_mutex_unlock(&t->lock);
}
