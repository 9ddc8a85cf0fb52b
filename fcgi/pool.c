#include "fcgi/pool.h"

#include "base/clock.h"
#include "base/log.h"
#include "fcgi/connection.h"
#include "fcgi/serve.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define STACK_BYTES     ((size_t)256 * 1024)
#define BACK_OFF_MS     20
#define IDLE_SLACK_MS   100  /* a timeout may end a little before its time by our clock */
#define DRAIN_ACCEPT_MS 3000 /* a shared socket may never run empty: its other users serve it */
#define MS_PER_S        1000
#define NS_PER_MS       1000000

struct worker {
    struct serve serve;
    struct connection connection;
};

/* accepting = threads - busy. */
static struct {
    const struct server_options *options;
    int workers_max;
    atomic_int threads; /* workers that will accept again */
    atomic_int busy;    /* of them: not accepting now */
    atomic_int serving; /* of them: inside a request, until its handler is through */
    atomic_int holding; /* of them: on a kept connection, waiting for its next request */
    atomic_bool is_draining;
    _Atomic int64_t drain_started_ms;
    int drain_fd; /* eventfd, readable once draining: wakes those who hold */
    int yield_fd; /* eventfd, one token for each holder that should let go */

    pthread_mutex_t lock;
    pthread_cond_t ended;
    int alive; /* workers whose memory is not freed yet */
} pool = {
    .drain_fd = -1,
    .yield_fd = -1,
    .lock = PTHREAD_MUTEX_INITIALIZER,
};

static void *worker_main(void *arg);
static enum err start_worker(void);
static bool reserve_worker(int spare);
static enum err open_pool(const struct server_options *o);
static void set_accept_timeout(int64_t ms);

enum err pool_start(const struct server_options *o)
{
    enum err e = open_pool(o);

    if (e != ERR_OK)
        return e;
    set_accept_timeout(o->config->worker_idle_ms);
    return reserve_worker(1) ? start_worker() : ERR_INTERNAL;
}

void pool_drain(void)
{
    int64_t step_ms = pool.options->config->worker_idle_ms;
    uint64_t one = 1;

    atomic_store(&pool.drain_started_ms, clock_mono_ms());
    atomic_store(&pool.is_draining, true);
    set_accept_timeout(step_ms < SERVER_DRAIN_STEP_MS ? step_ms : SERVER_DRAIN_STEP_MS);
    (void)!write(pool.drain_fd, &one, sizeof(one));
}

int pool_accepting(void)
{
    return pool.threads - pool.busy;
}

bool pool_is_draining(void)
{
    return atomic_load(&pool.is_draining);
}

int pool_active(void)
{
    int n = atomic_load(&pool.busy) - atomic_load(&pool.holding);

    return n > 0 ? n : 0;
}

int pool_workers(void)
{
    return atomic_load(&pool.threads);
}

enum err pool_wait(int64_t timeout_ms)
{
    struct timespec until;
    int rc = 0;
    int left;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += timeout_ms / MS_PER_S;
    until.tv_nsec += timeout_ms % MS_PER_S * NS_PER_MS;
    if (until.tv_nsec >= MS_PER_S * NS_PER_MS) {
        until.tv_sec++;
        until.tv_nsec -= MS_PER_S * NS_PER_MS;
    }
    pthread_mutex_lock(&pool.lock);
    while (pool.alive > 0 && rc == 0)
        rc = pthread_cond_timedwait(&pool.ended, &pool.lock, &until);
    left = pool.alive;
    pthread_mutex_unlock(&pool.lock);
    if (left == 0)
        return ERR_OK;
    return ERR_BUSY;
}

static enum err open_pool(const struct server_options *o)
{
    pthread_condattr_t attr;

    pool.options = o;
    pool.workers_max = (int)o->config->workers_max;
    assert(pool.workers_max > 0);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&pool.ended, &attr);
    pthread_condattr_destroy(&attr);
    pool.drain_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    pool.yield_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK | EFD_SEMAPHORE);
    return pool.drain_fd >= 0 && pool.yield_fd >= 0 ? ERR_OK : ERR_IO;
}

static void set_accept_timeout(int64_t ms)
{
    struct timeval tv = {.tv_sec = ms / MS_PER_S, .tv_usec = ms % MS_PER_S * 1000};

    setsockopt(SERVER_LISTEN_FD, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
}

/* Counts the worker that the caller is about to start. */
static bool reserve_worker(int spare)
{
    int limit = pool.workers_max + SERVER_SHEDDERS;
    bool is_wanted;

    pthread_mutex_lock(&pool.lock);
    is_wanted = pool.threads < limit && pool.threads - pool.busy < spare;
    if (is_wanted) {
        pool.threads++;
        pool.alive++;
    }
    pthread_mutex_unlock(&pool.lock);
    return is_wanted;
}

/* The last act of a worker: server_run may return, and main free everything, right after. */
static void bury_worker(void)
{
    pthread_mutex_lock(&pool.lock);
    pool.alive--;
    pthread_cond_signal(&pool.ended);
    pthread_mutex_unlock(&pool.lock);
}

/* True when the worker is no longer counted and must end: at least `stay` others accept. */
static bool discharge_worker(int stay)
{
    bool may_leave;

    pthread_mutex_lock(&pool.lock);
    pool.threads--;
    /* Counted off before looking: a worker that becomes busy meanwhile sees either our leaving
     * or, if we see it and stay, one acceptor too few, and makes another. */
    may_leave = pool.threads - pool.busy >= stay;
    if (!may_leave)
        pool.threads++;
    pthread_mutex_unlock(&pool.lock);
    return may_leave;
}

static enum err start_worker(void)
{
    pthread_attr_t attr;
    pthread_t thread;
    int rc;

    pthread_attr_init(&attr);
    pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    pthread_attr_setstacksize(&attr, STACK_BYTES);
    rc = pthread_create(&thread, &attr, worker_main, NULL);
    pthread_attr_destroy(&attr);
    if (rc == 0)
        return ERR_OK;
    log_warn("worker_not_started", "errno=%d text=%s workers=%d", rc, strerror(rc), pool.threads);
    atomic_fetch_sub(&pool.threads, 1);
    bury_worker();
    return ERR_MEMORY;
}

/* The caller stopped accepting. Sees to it that somebody does: one spare, or with all workers
 * busy those who shed. */
static void become_busy(void)
{
    int busy = atomic_fetch_add(&pool.busy, 1) + 1;
    int spare = busy >= pool.workers_max ? SERVER_SHEDDERS : 1;

    while (pool.threads - pool.busy < spare && reserve_worker(spare)) {
        if (start_worker() != ERR_OK)
            break;
    }
    if (busy >= pool.workers_max && pool.holding > 0) {
        uint64_t one = 1;
        (void)!write(pool.yield_fd, &one, sizeof(one));
    }
}

/* False: the request is one too many. */
static bool enter_request(void)
{
    if (atomic_fetch_add(&pool.serving, 1) < pool.workers_max)
        return true;
    atomic_fetch_sub(&pool.serving, 1);
    return false;
}

/* After an accept that timed out. had_drained: draining when it began, so that the queue is
 * known to be empty. */
static bool may_leave(int64_t idle_since_ms, bool had_drained)
{
    int64_t idle_ms = clock_mono_ms() - idle_since_ms;

    if (had_drained)
        return discharge_worker(0);
    if (pool_is_draining())
        return discharge_worker(1);
    /* Measured, since a draining sibling may have shortened the timeout of a shared socket. */
    return idle_ms + IDLE_SLACK_MS >= pool.options->config->worker_idle_ms && discharge_worker(1);
}

/* What accept says of a socket that will bring no connection any more: a sibling shut it down. */
static bool is_dead_socket(int error)
{
    return error == EINVAL || error == EBADF || error == ENOTSOCK;
}

/* Out of descriptors or memory: others will free some, so nobody leaves. A socket that is none
 * any more ends the process. */
static void back_off(int error)
{
    struct timespec pause = {.tv_nsec = BACK_OFF_MS * NS_PER_MS};

    if (error == EINTR || error == ECONNABORTED)
        return;
    log_warn("accept_failed", "errno=%d text=%s", error, strerror(error));
    if (is_dead_socket(error) && !pool_is_draining())
        kill(getpid(), SIGTERM);
    nanosleep(&pause, NULL);
}

/* The next connection. False: the worker has been discharged. */
static bool accept_next(struct connection *c)
{
    int64_t idle_since_ms = clock_mono_ms();

    for (;;) {
        bool had_drained = pool_is_draining();
        enum err e;

        if (had_drained && clock_mono_ms() - pool.drain_started_ms > DRAIN_ACCEPT_MS &&
            !pool.options->own_socket && discharge_worker(0))
            return false;
        e = connection_accept(c);
        if (e == ERR_OK)
            return true;
        if (e == ERR_IO) {
            int error = errno;

            if (had_drained && is_dead_socket(error) && discharge_worker(0))
                return false;
            back_off(error);
        } else if (may_leave(idle_since_ms, had_drained)) {
            return false;
        }
    }
}

/* Waits on a connection that the web server keeps. False: it is closed. */
static bool hold(struct connection *c)
{
    struct pollfd pfds[3] = {
        {.fd = connection_fd(c), .events = POLLIN},
        {.fd = pool.drain_fd,    .events = POLLIN},
        {.fd = pool.yield_fd,    .events = POLLIN}
    };
    bool is_full = pool.busy >= pool.workers_max;
    int64_t until_ms = clock_mono_ms() + (is_full ? 0 : pool.options->config->keep_idle_ms);
    uint64_t token;
    int n;

    atomic_fetch_add(&pool.holding, 1);
    do {
        int64_t left_ms = until_ms - clock_mono_ms();

        if (left_ms < 0)
            left_ms = 0;
        n = poll(pfds, 3, left_ms > INT_MAX ? INT_MAX : (int)left_ms);
        /* Asked to yield, but another holder took the token: go on. */
    } while (n > 0 && pfds[0].revents == 0 && pfds[1].revents == 0 &&
             read(pool.yield_fd, &token, sizeof(token)) < 0);
    atomic_fetch_sub(&pool.holding, 1);
    if (n > 0 && pfds[0].revents != 0)
        return true;
    connection_close(c);
    return false;
}

/* All requests of one connection. */
static void serve_connection(struct worker *w)
{
    bool is_kept;

    do {
        if (connection_begin(&w->connection) != ERR_OK)
            return;
        if (enter_request()) {
            serve_request(&w->serve, &w->connection.transport);
            /* Before the answer leaves: whoever has it may send the next request at once, and
             * must find room. */
            atomic_fetch_sub(&pool.serving, 1);
        } else {
            serve_busy(&w->serve, &w->connection.transport);
        }
        is_kept = connection_finish(&w->connection);
    } while (is_kept && hold(&w->connection));
}

static void block_signals(void)
{
    sigset_t all;

    sigfillset(&all);
    sigdelset(&all, SIGSEGV);
    sigdelset(&all, SIGBUS);
    sigdelset(&all, SIGFPE);
    sigdelset(&all, SIGILL);
    sigdelset(&all, SIGABRT);
    sigdelset(&all, SIGTRAP);
    sigdelset(&all, SIGSYS);
    pthread_sigmask(SIG_SETMASK, &all, NULL);
}

static void *worker_main(void *arg)
{
    struct worker *w = calloc(1, sizeof(*w));
    const struct server_options *o = pool.options;

    (void)arg;
    block_signals();
    if (w == NULL || serve_init(&w->serve, o->config, o->router) != ERR_OK) {
        log_error("worker_not_started", "text=memory");
        atomic_fetch_sub(&pool.threads, 1);
    } else {
        connection_init(&w->connection, SERVER_LISTEN_FD, o->config);
        while (accept_next(&w->connection)) {
            become_busy();
            serve_connection(w);
            atomic_fetch_sub(&pool.busy, 1);
        }
        serve_clear(&w->serve);
    }
    free(w);
    bury_worker();
    return NULL;
}
