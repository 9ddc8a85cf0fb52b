#include "tests/provider/timer.h"

#include <assert.h>
#include <stdlib.h>

enum { TIMERS_FIRST = 64, WAIT_MS_MAX = 60 * 1000 };

static void heap_place(struct timers *all, size_t slot, struct timer *t)
{
    all->heap[slot - 1] = t;
    t->slot = slot;
}

/* Move t, now in `slot`, up while it is earlier than its parent. */
static void heap_rise(struct timers *all, size_t slot, struct timer *t)
{
    while (slot > 1 && all->heap[slot / 2 - 1]->at_us > t->at_us) {
        heap_place(all, slot, all->heap[slot / 2 - 1]);
        slot /= 2;
    }
    heap_place(all, slot, t);
}

static void heap_sink(struct timers *all, size_t slot, struct timer *t)
{
    while (slot * 2 <= all->count) {
        size_t child = slot * 2;
        if (child < all->count && all->heap[child]->at_us < all->heap[child - 1]->at_us)
            child++;
        if (all->heap[child - 1]->at_us >= t->at_us)
            break;
        heap_place(all, slot, all->heap[child - 1]);
        slot = child;
    }
    heap_place(all, slot, t);
}

void timer_set(struct timers *all, struct timer *t, int64_t at_us)
{
    timer_cancel(all, t);
    if (all->count == all->cap) {
        all->cap = all->cap > 0 ? all->cap * 2 : TIMERS_FIRST;
        all->heap = realloc(all->heap, all->cap * sizeof(all->heap[0]));
        assert(all->heap != NULL);
    }
    t->at_us = at_us;
    all->count++;
    heap_rise(all, all->count, t);
}

void timer_cancel(struct timers *all, struct timer *t)
{
    size_t slot = t->slot;
    if (slot == 0)
        return;
    t->slot = 0;
    struct timer *last = all->heap[--all->count];
    if (last == t)
        return;
    heap_rise(all, slot, last);
    heap_sink(all, last->slot, last);
}

struct timer *timer_take_due(struct timers *all, int64_t now_us)
{
    if (all->count == 0 || all->heap[0]->at_us > now_us)
        return NULL;
    struct timer *t = all->heap[0];
    timer_cancel(all, t);
    return t;
}

int timer_wait_ms(const struct timers *all, int64_t now_us)
{
    if (all->count == 0)
        return -1;
    int64_t wait_ms = (all->heap[0]->at_us - now_us + 999) / 1000;
    if (wait_ms < 0)
        return 0;
    return wait_ms > WAIT_MS_MAX ? WAIT_MS_MAX : (int)wait_ms;
}

void timers_clear(struct timers *all)
{
    free(all->heap);
    *all = (struct timers){0};
}
