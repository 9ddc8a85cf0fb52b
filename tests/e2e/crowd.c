#include "tests/e2e/crowd.h"

#include "tests/e2e/spawn.h"
#include "tests/e2e/stack.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { THREADS_MAX = 64, THREAD_STACK_BYTES = 512 * 1024 };

struct crowd {
    struct http_call call;
    int pause_ms;
    int threads_n;
    pthread_t threads[THREADS_MAX];
    atomic_bool is_stopped;
    pthread_mutex_t lock;
    struct crowd_result *results; /* under lock */
    size_t count;                 /* under lock */
};

static void fill(struct crowd_result *r, const struct http_reply *reply)
{
    const char *id = http_header(reply, "x-request-id");
    const char *type = http_header(reply, "content-type");
    r->status = reply->status;
    r->is_whole = reply->is_whole;
    if (type != NULL && strncmp(type, "text/event-stream", 17) == 0)
        r->is_whole = reply->is_whole && reply->events_n > 0 &&
                      strcmp(http_event_data(reply, reply->events_n - 1), "[DONE]") == 0;
    r->has_retry_after = http_header(reply, "retry-after") != NULL;
    snprintf(r->request_id, sizeof(r->request_id), "%s", id != NULL ? id : "");
}

static void *run(void *arg)
{
    struct crowd *c = arg;
    struct http_reply reply;
    while (!atomic_load(&c->is_stopped)) {
        struct crowd_result r = {.begun_us = spawn_now_us()};
        http_run(&c->call, &reply);
        r.ended_us = spawn_now_us();
        fill(&r, &reply);
        http_reply_clear(&reply);
        pthread_mutex_lock(&c->lock);
        if (c->count < CROWD_RESULTS_MAX)
            c->results[c->count++] = r;
        pthread_mutex_unlock(&c->lock);
        spawn_sleep_ms(c->pause_ms);
    }
    http_ring_clear();
    return NULL;
}

struct crowd *crowd_start(const struct http_call *call, int threads, int pause_ms)
{
    pthread_attr_t attributes;
    struct crowd *c = calloc(1, sizeof(*c));
    struct crowd_result *results = calloc(CROWD_RESULTS_MAX, sizeof(*results));
    if (c == NULL || results == NULL || threads > THREADS_MAX)
        stack_fail("a crowd of %d: out of memory", threads);
    c->call = *call;
    c->pause_ms = pause_ms;
    c->results = results;
    pthread_mutex_init(&c->lock, NULL);
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, THREAD_STACK_BYTES);
    for (; c->threads_n < threads; c->threads_n++)
        if (pthread_create(&c->threads[c->threads_n], &attributes, run, c) != 0)
            stack_fail("thread %d does not start", c->threads_n);
    pthread_attr_destroy(&attributes);
    return c;
}

const struct crowd_result *crowd_stop(struct crowd *c, size_t *count)
{
    atomic_store(&c->is_stopped, true);
    for (int i = 0; i < c->threads_n; i++)
        pthread_join(c->threads[i], NULL);
    c->threads_n = 0;
    *count = c->count;
    if (c->count == CROWD_RESULTS_MAX)
        stack_fail("the crowd made more than %d calls", CROWD_RESULTS_MAX);
    return c->results;
}

void crowd_free(struct crowd *c)
{
    pthread_mutex_destroy(&c->lock);
    free(c->results);
    free(c);
}
