/* The slots of one limit: 0 <= in_use <= owned <= row. The row is written as a whole number by one
 * thread at a time; a write without an answer leaves memory at the lower of the two. */
#include "db/limit_core.h"

#include "base/clock.h"
#include "base/log.h"

#include <assert.h>
#include <time.h>

#define QUEUE_MS 50   /* between tries of those who wait for other processes */
#define IDLE_MS  2000 /* unused slots of a large limit go back after this */

/* ---- with the pool's lock held ---- */

static void wait_until(struct limit_pool *p, int64_t now, int64_t until_ms)
{
    struct timespec at;
    int64_t ms = until_ms > now ? until_ms - now : 1;
    clock_gettime(CLOCK_MONOTONIC, &at);
    at.tv_sec += ms / 1000;
    at.tv_nsec += ms % 1000 * 1000000;
    if (at.tv_nsec >= 1000000000) {
        at.tv_sec++;
        at.tv_nsec -= 1000000000;
    }
    (void)pthread_cond_timedwait(&p->cond, &p->mu, &at); /* whoever waits looks again */
}

static void drop_row(struct limits *l, struct limit_slots *s)
{
    if (s->has_row)
        money_row_done(l->money);
    s->has_row = false;
}

/* Without the lock. Our row in processes has to be there, and to stay. */
static enum err ask(struct limits *l, struct limit_slots_take *t, bool has_row)
{
    if (!has_row && money_row_begin(l->money))
        return ERR_UNAVAILABLE;
    enum err e = limit_sql_take_slots(l->db, t);
    if (e == ERR_CONFIG)
        money_expel(l->money);
    if (e == ERR_UNAVAILABLE && !has_row)
        money_row_done(l->money);
    return e;
}

static enum err borrow(struct limits *l, struct limit_pool *p)
{
    struct limit_slots *s = &p->slots;
    struct limit_slots_take t = {.id = p->id,
                                 .process = money_process_id(l->money),
                                 .owned = s->owned,
                                 .wanted = s->waiting,
                                 .is_brief = l->is_brief};
    bool had_row = s->has_row;
    s->is_busy = true;
    pthread_mutex_unlock(&p->mu);
    enum err e = ask(l, &t, had_row);
    pthread_mutex_lock(&p->mu);
    s->is_busy = false;
    s->has_row = had_row || e != ERR_UNAVAILABLE;
    s->refused_ms = 0;
    if (e == ERR_OK || e == ERR_RATE) {
        s->max = t.max;
        s->block = t.block;
    }
    if (e == ERR_OK) {
        s->owned += t.granted;
        s->is_dirty = false;
    } else if (e == ERR_RATE) {
        s->refused_ms = clock_mono_ms();
    } else if (e == ERR_DB_UNKNOWN) {
        s->is_dirty = true;
    }
    if (!s->owned && !s->is_dirty)
        drop_row(l, s);
    pthread_cond_broadcast(&p->cond);
    return e == ERR_DB_UNKNOWN || e == ERR_CONFIG ? ERR_UNAVAILABLE : e;
}

/* The row becomes what is in use and `keep` more. The same locking. */
static enum err give(struct limits *l, struct limit_pool *p, int64_t keep)
{
    struct limit_slots *s = &p->slots;
    int64_t more = s->owned - s->in_use - keep;
    more = more > 0 ? more : 0;
    s->owned -= more; /* memory is lowered before the row is */
    int64_t slots = s->owned;
    s->is_busy = true;
    pthread_mutex_unlock(&p->mu);
    enum err e = limit_sql_set_slots(l->db, p->id, money_process_id(l->money), slots);
    pthread_mutex_lock(&p->mu);
    s->is_busy = false;
    if (e == ERR_OK)
        s->is_dirty = false;
    else if (e == ERR_DB_UNKNOWN)
        s->is_dirty = true;
    else
        s->owned += more; /* still ours, and of use while the database is down */
    if (!s->owned && !s->is_dirty)
        drop_row(l, s);
    pthread_cond_broadcast(&p->cond);
    return e;
}

/* After each change: a small limit's free slots are for whoever comes, wherever. Again after each
 * writing: what came free meanwhile was left to this thread. */
static void spill(struct limits *l, struct limit_pool *p)
{
    const struct limit_slots *s = &p->slots;
    enum err e = ERR_OK;
    while (!e && !s->is_busy && !s->waiting && s->owned - s->in_use > 2 * s->block &&
           !db_is_down(l->db))
        e = give(l, p, s->block);
}

/* ---- what others call ---- */

/* Until there is one, or no hope. */
static enum err wait_for_slot(struct limits *l, struct limit_pool *p, int64_t queue_ms)
{
    struct limit_slots *s = &p->slots;
    int64_t now = clock_mono_ms();
    int64_t deadline_ms = now + queue_ms;
    int64_t pause_ms = queue_ms > 0 ? QUEUE_MS : LIMIT_REFUSED_MS;
    for (;; now = clock_mono_ms()) {
        if (s->owned > s->in_use) {
            s->in_use++;
            s->used_ms = now;
            return ERR_OK;
        }
        if (s->is_busy) {
            pthread_cond_wait(&p->cond, &p->mu);
        } else if (!s->refused_ms || now - s->refused_ms >= pause_ms) {
            enum err e = borrow(l, p);
            if (e != ERR_OK && e != ERR_RATE)
                return e;
        } else if (now >= deadline_ms) {
            return ERR_RATE;
        } else {
            int64_t next_ms = s->refused_ms + pause_ms;
            wait_until(p, now, next_ms < deadline_ms ? next_ms : deadline_ms);
        }
    }
}

enum err limit_slots_take(struct limits *l, struct limit_pool *p, int64_t queue_ms)
{
    struct limit_slots *s = &p->slots;
    pthread_mutex_lock(&p->mu);
    s->waiting++;
    enum err e = wait_for_slot(l, p, queue_ms);
    s->waiting--;
    spill(l, p);
    pthread_mutex_unlock(&p->mu);
    return e;
}

void limit_slots_release(struct limits *l, struct limit_pool *p)
{
    struct limit_slots *s = &p->slots;
    pthread_mutex_lock(&p->mu);
    assert(s->in_use > 0);
    s->in_use--;
    s->refused_ms = 0;
    s->used_ms = clock_mono_ms();
    pthread_cond_broadcast(&p->cond);
    spill(l, p);
    pthread_mutex_unlock(&p->mu);
}

bool limit_slots_tidy(struct limits *l, struct limit_pool *p, bool is_last)
{
    struct limit_slots *s = &p->slots;
    pthread_mutex_lock(&p->mu);
    bool is_idle = is_last || !s->block || clock_mono_ms() - s->used_ms > IDLE_MS;
    bool has_free = s->owned > s->in_use && !s->waiting;
    if (!s->is_busy && (s->is_dirty || (has_free && is_idle)))
        (void)give(l, p, is_idle ? 0 : s->owned - s->in_use); /* the next time tries again */
    if (is_last && !s->in_use) {
        /* What could not be written goes with the process. */
        s->owned = 0;
        s->is_dirty = false;
        drop_row(l, s);
    }
    bool is_left = s->owned || s->is_dirty || s->is_busy;
    pthread_mutex_unlock(&p->mu);
    return is_left;
}
