#include "db/chores_thread.h"

#include "base/clock.h"
#include "base/log.h"
#include "db/chores.h"

#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#define STACK_BYTES ((size_t)256 << 10)
#define IDLE_MS                                                                                    \
    INT64_C(600000) /* partitions and roll-ups are due in a process without requests too */

struct chores_thread {
    int64_t every_ms;
    struct chores *chores;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool is_busy;    /* under lock: poked since the last look */
    bool is_stopped; /* under lock */
};

static void wait_until(struct chores_thread *t, int64_t mono_ms)
{
    struct timespec until = {.tv_sec = mono_ms / 1000, .tv_nsec = mono_ms % 1000 * 1000000};
    pthread_cond_timedwait(&t->changed, &t->lock, &until);
}

/* False: stop. */
static bool wait_for_next(struct chores_thread *t)
{
    int64_t since = clock_mono_ms(), due;
    pthread_mutex_lock(&t->lock);
    while (!t->is_stopped) {
        due = since + (t->is_busy ? t->every_ms : IDLE_MS);
        if (clock_mono_ms() >= due)
            break;
        wait_until(t, due);
    }
    t->is_busy = false;
    bool go_on = !t->is_stopped;
    pthread_mutex_unlock(&t->lock);
    return go_on;
}

static void *run(void *arg)
{
    struct chores_thread *t = arg;
    struct chores_options options = {0};
    while (wait_for_next(t)) {
        int failed = 0;
        enum err e = chores_run(t->chores, &options, &failed);
        if (e && e != ERR_DB_DOWN)
            log_warn("upkeep_not_asked", "error=%s", err_name(e));
    }
    return NULL;
}

static void thread_free(struct chores_thread *t)
{
    pthread_cond_destroy(&t->changed);
    pthread_mutex_destroy(&t->lock);
    chores_free(t->chores);
    free(t);
}

enum err chores_thread_start(const struct config *config, struct chores_thread **out)
{
    struct chores_thread *t = calloc(1, sizeof(*t));
    if (!t)
        return ERR_MEMORY;
    t->every_ms = config->upkeep_ms;
    t->is_busy = true;
    t->chores = chores_new(config);
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_mutex_init(&t->lock, NULL);
    pthread_cond_init(&t->changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
    pthread_attr_t attr;
    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, STACK_BYTES);
    int failed = !t->chores || pthread_create(&t->thread, &attr, run, t);
    pthread_attr_destroy(&attr);
    if (failed) {
        thread_free(t);
        return ERR_MEMORY;
    }
    *out = t;
    return ERR_OK;
}

void chores_thread_poke(struct chores_thread *t)
{
    if (!t)
        return;
    pthread_mutex_lock(&t->lock);
    if (!t->is_busy)
        pthread_cond_signal(&t->changed);
    t->is_busy = true;
    pthread_mutex_unlock(&t->lock);
}

void chores_thread_stop(struct chores_thread *t)
{
    if (!t)
        return;
    chores_cancel(t->chores);
    pthread_mutex_lock(&t->lock);
    t->is_stopped = true;
    pthread_cond_signal(&t->changed);
    pthread_mutex_unlock(&t->lock);
    pthread_join(t->thread, NULL);
    thread_free(t);
}
