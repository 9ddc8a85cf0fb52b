#include "db/limit_core.h"

#include "base/clock.h"
#include "base/log.h"

#include <assert.h>

/* ---- with the pool's lock held ---- */

/* What was borrowed in a minute is lost with it. */
static void roll(struct limit_window *w, int64_t now)
{
    if (now >= w->ends_ms)
        w->free = 0;
}

static bool is_refused(const struct limit_window *w, int64_t need, int64_t now)
{
    return now < w->refused_until_ms && need >= w->refused_need;
}

static void fill_view(const struct limit_window *w, int64_t now, struct limit_view *view)
{
    int64_t left = w->left + w->free - w->debt;
    int64_t rest_ms = w->ends_ms - now;
    *view = (struct limit_view){
        .max = w->max,
        .left = left > 0 ? left : 0,
        .reset_ms = rest_ms > 0 ? rest_ms : 0,
        .ends_s = w->starts_s + 60,
    };
}

static void note_answer(struct limit_window *w, const struct limit_borrow *b, enum err e,
                        int64_t asked_ms)
{
    if (b->starts_s != w->starts_s)
        w->free = 0;
    w->starts_s = b->starts_s;
    w->ends_ms = asked_ms + b->rest_ms;
    w->max = b->max;
    w->left = b->left;
    w->debt -= b->debt;
    w->refused_until_ms = 0;
    if (e == ERR_OK) {
        w->free += b->granted;
        w->is_exact = b->granted <= b->wanted;
        return;
    }
    bool is_exhausted = b->left <= 0;
    int64_t until_ms = is_exhausted ? w->ends_ms : asked_ms + LIMIT_REFUSED_MS;
    w->is_exact = true;
    w->refused_need = is_exhausted ? 1 : b->need + w->free;
    w->refused_until_ms = until_ms < w->ends_ms ? until_ms : w->ends_ms;
}

/* One borrowing for all who wait. The lock is not held while the database works. */
static enum err borrow(struct limits *l, struct limit_pool *p, enum limit_kind kind, int64_t need)
{
    struct limit_window *w = &p->windows[kind];
    int64_t asked_ms = clock_mono_ms();
    struct limit_borrow b = {
        .id = p->id,
        .kind = kind,
        .need = need - w->free,
        .wanted = w->wanted - w->free,
        .debt = w->debt,
        .is_brief = l->is_brief,
    };
    w->is_busy = true;
    pthread_mutex_unlock(&p->mu);
    enum err e = limit_sql_borrow(l->db, &b);
    pthread_mutex_lock(&p->mu);
    w->is_busy = false;
    if (e == ERR_OK || e == ERR_RATE)
        note_answer(w, &b, e, asked_ms);
    pthread_cond_broadcast(&p->cond);
    return e;
}

/* ---- what others call ---- */

/* Parts of a small limit that nobody here can use are for other processes. Lock held at entry, not at
 * exit. */
static void unlock_and_spill(struct limits *l, struct limit_pool *p, enum limit_kind kind)
{
    struct limit_window *w = &p->windows[kind];
    bool has_spill = w->is_exact && w->free > 0 && !w->wanted && !w->is_busy && !db_is_down(l->db);
    int64_t units = has_spill ? w->free : 0, starts_s = w->starts_s;
    w->free -= units;
    w->left += units;
    pthread_mutex_unlock(&p->mu);
    if (!units)
        return;
    enum err e = limit_sql_return(l->db, p->id, kind, units, starts_s);
    if (e)
        log_info("limit_not_returned", "limit=%lld error=%s", (long long)p->id, err_name(e));
}

enum err limit_window_take(struct limits *l, struct limit_pool *p, enum limit_kind kind,
                           int64_t need, struct limit_view *view, int64_t *starts_s)
{
    struct limit_window *w = &p->windows[kind];
    enum err e = ERR_OK;
    assert(need > 0);
    pthread_mutex_lock(&p->mu);
    w->wanted += need;
    for (;;) {
        int64_t now = clock_mono_ms();
        roll(w, now);
        if (w->free >= need) {
            w->free -= need;
            break;
        }
        if (is_refused(w, need, now)) {
            e = ERR_RATE;
            break;
        }
        if (w->is_busy) {
            pthread_cond_wait(&p->cond, &p->mu);
            continue;
        }
        e = borrow(l, p, kind, need);
        if (e != ERR_OK && e != ERR_RATE)
            break;
        if (e == ERR_RATE && w->free < need)
            break;
        e = ERR_OK;
    }
    w->wanted -= need;
    fill_view(w, clock_mono_ms(), view);
    *starts_s = w->starts_s;
    unlock_and_spill(l, p, kind);
    return e;
}

bool limit_window_is_refused(struct limit_pool *p, enum limit_kind kind, int64_t need,
                             struct limit_view *view)
{
    struct limit_window *w = &p->windows[kind];
    pthread_mutex_lock(&p->mu);
    int64_t now = clock_mono_ms();
    roll(w, now);
    bool answer = w->free < need && is_refused(w, need, now);
    if (answer)
        fill_view(w, now, view);
    pthread_mutex_unlock(&p->mu);
    return answer;
}

void limit_window_return(struct limits *l, struct limit_pool *p, enum limit_kind kind,
                         int64_t units, int64_t starts_s)
{
    struct limit_window *w = &p->windows[kind];
    pthread_mutex_lock(&p->mu);
    roll(w, clock_mono_ms());
    if (w->starts_s == starts_s && clock_mono_ms() < w->ends_ms) {
        w->free += units;
        w->refused_until_ms = 0;
    }
    pthread_cond_broadcast(&p->cond);
    unlock_and_spill(l, p, kind);
}

void limit_window_charge(struct limits *l, struct limit_pool *p, enum limit_kind kind,
                         int64_t units)
{
    struct limit_window *w = &p->windows[kind];
    pthread_mutex_lock(&p->mu);
    roll(w, clock_mono_ms());
    int64_t own = w->free < units ? w->free : units;
    w->free -= own;
    units -= own;
    w->left -= units;
    pthread_mutex_unlock(&p->mu);
    if (!units || limit_sql_charge(l->db, p->id, kind, units) == ERR_OK)
        return;
    /* The database does not know yet: the next borrowing tells it. */
    pthread_mutex_lock(&p->mu);
    w->left += units;
    w->debt += units;
    pthread_mutex_unlock(&p->mu);
}
