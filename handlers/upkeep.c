#include "handlers/upkeep.h"

#include "base/log.h"
#include "db/catalog.h"
#include "db/chores_thread.h"
#include "db/key.h"
#include "db/limit.h"
#include "db/money.h"
#include "handlers/app.h"
#include "upstream/transfer.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#define STACK_BYTES ((size_t)256 << 10)

struct upkeep {
    const struct app *app;
    pthread_t thread;
    struct chores_thread *chores; /* NULL: this process does none */
    atomic_bool is_asleep;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool is_woken;   /* under lock */
    bool is_stopped; /* under lock */
};

/* One round; false: nothing is in use, nothing is held. */
static bool run_once(const struct app *app, struct chores_thread *chores)
{
    bool is_busy = key_refresh(app->keys);
    is_busy |= catalog_refresh(app->catalogs);
    is_busy |= limits_upkeep(app->limits);
    is_busy |= money_upkeep(app->money);
    if (is_busy)
        chores_thread_poke(chores);
    transfer_pool_upkeep(app->transfers);
    is_busy |= db_tidy(app->db);
    return is_busy;
}

/* Waits a second, or without limit when idle. False: stop. */
static bool wait_for_next(struct upkeep *u, bool is_busy)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += 1;
    pthread_mutex_lock(&u->lock);
    atomic_store(&u->is_asleep, !is_busy);
    while (!u->is_stopped && !(u->is_woken && !is_busy)) {
        if (!is_busy)
            pthread_cond_wait(&u->changed, &u->lock);
        else if (pthread_cond_timedwait(&u->changed, &u->lock, &until) != 0)
            break;
    }
    atomic_store(&u->is_asleep, false);
    u->is_woken = false;
    bool go_on = !u->is_stopped;
    pthread_mutex_unlock(&u->lock);
    return go_on;
}

static void *run(void *arg)
{
    struct upkeep *u = arg;
    bool is_busy = true;
    while (wait_for_next(u, is_busy))
        is_busy = run_once(u->app, u->chores);
    return NULL;
}

enum err upkeep_start(const struct app *app, struct upkeep **out)
{
    struct upkeep *u = calloc(1, sizeof(*u));
    if (u == NULL)
        return ERR_MEMORY;
    u->app = app;
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_mutex_init(&u->lock, NULL);
    pthread_cond_init(&u->changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
    if (app->config->upkeep_ms && chores_thread_start(app->config, &u->chores) != ERR_OK)
        log_error("upkeep_not_started", "part=chores");
    pthread_attr_t attr;
    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, STACK_BYTES);
    int failed = pthread_create(&u->thread, &attr, run, u);
    pthread_attr_destroy(&attr);
    if (failed != 0) {
        log_error("upkeep_not_started", "errno=%d", failed);
        chores_thread_stop(u->chores);
        pthread_cond_destroy(&u->changed);
        pthread_mutex_destroy(&u->lock);
        free(u);
        return ERR_MEMORY;
    }
    *out = u;
    return ERR_OK;
}

void upkeep_wake(struct upkeep *u)
{
    if (u == NULL || !atomic_load_explicit(&u->is_asleep, memory_order_relaxed))
        return;
    pthread_mutex_lock(&u->lock);
    u->is_woken = true;
    pthread_cond_signal(&u->changed);
    pthread_mutex_unlock(&u->lock);
}

void upkeep_stop(struct upkeep *u)
{
    if (u == NULL)
        return;
    pthread_mutex_lock(&u->lock);
    u->is_stopped = true;
    pthread_cond_signal(&u->changed);
    pthread_mutex_unlock(&u->lock);
    pthread_join(u->thread, NULL);
    chores_thread_stop(u->chores);
    pthread_cond_destroy(&u->changed);
    pthread_mutex_destroy(&u->lock);
    free(u);
}
