#include "tests/crash/load.h"

#include "tests/e2e/ask.h"
#include "tests/e2e/spawn.h"
#include "tests/e2e/stack.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum {
    NOTES_MAX = 100000,
    THREADS_MAX = 32,
    THREAD_STACK_BYTES = 512 * 1024,
    PROMPT_TOKENS = 100, /* more than the text of a request can be estimated at */
    EVENT_BYTES = 8,     /* two tokens by the estimate, and by the report as well */
    EVENT_TOKENS = 2,
    INPUT_NUSD = 1250, /* a token */
    OUTPUT_NUSD = 10000,
    RACE_TOKENS = 10, /* of a cent all in all */
    WHOLE_PERCENT = 45,
    LEAVE_PERCENT = 20,
    TIMEOUT_MS = 40000
};

#define RACE_NUSD INT64_C(10000000)

struct role {
    const char *model;
    const char *usd;
    int64_t nusd;
    int weight; /* of 100 */
    int events_max;
};

/* clang-format off */
static const struct role roles[WHO_N] = {
    [WHO_RICH]   = {"crash-rich",   "100",  100000000000, 30, 60},
    [WHO_OTHER]  = {"crash-other",  "100",  100000000000, 25, 60},
    [WHO_MIDDLE] = {"crash-middle", "2",    2000000000,   20, 40},
    [WHO_TIGHT]  = {"crash-tight",  "0.02", 20000000,     17, 15},
    [WHO_POOR]   = {"crash-poor",   "0",    0,            8,  15},
    [WHO_PROBE]  = {"crash-probe",  "10",   10000000000,  0,  5},
    [WHO_RACER]  = {"crash-race",   "0.01", 10000000,     0,  5},
};
/* clang-format on */

struct load {
    struct customer customers[WHO_N];
    uint64_t seed;
    int threads_n;
    pthread_t threads[THREADS_MAX];
    atomic_bool is_stopped;
    atomic_int started;
    pthread_mutex_t lock;
    struct load_note *notes; /* under lock */
    size_t notes_n;          /* under lock */
};

/* One request before it is made. */
struct order {
    enum load_who who;
    bool is_stream;
    int events;
    int pace_ms;
    int leave_events;
    int leave_ms;
};

uint64_t load_random(uint64_t *state, uint64_t n)
{
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15); /* splitmix64 */
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return (z ^ (z >> 31)) % n;
}

const char *load_model(enum load_who who)
{
    return roles[who].model;
}

int64_t load_recharged(enum load_who who)
{
    return roles[who].nusd;
}

const struct customer *load_customer(const struct load *l, enum load_who who)
{
    return &l->customers[who];
}

void load_seed(void)
{
    int64_t channel = channel_new("main", "demo", stack.sims[0].port, 0);
    for (int who = 0; who < WHO_N; who++) {
        bool is_race = who == WHO_RACER;
        int64_t model =
            model_new(roles[who].model, is_race ? "0" : "1.25", is_race ? "1000" : "10");
        channel_serves(channel, model, NULL);
    }
}

struct load *load_new(uint64_t seed)
{
    struct load *l = calloc(1, sizeof(*l));
    struct load_note *notes = calloc(NOTES_MAX, sizeof(*notes));
    if (l == NULL || notes == NULL)
        stack_fail("a load: out of memory");
    l->seed = seed;
    l->notes = notes;
    pthread_mutex_init(&l->lock, NULL);
    for (int who = 0; who < WHO_N; who++)
        l->customers[who] = customer_new(roles[who].usd);
    return l;
}

void load_free(struct load *l)
{
    pthread_mutex_destroy(&l->lock);
    free(l->notes);
    free(l);
}

/* ---- one request ---- */

static const char *body_of(const struct order *o)
{
    if (o->who == WHO_RACER)
        return ask_body(roles[o->who].model, http_printf("ms=300,tokens=%d", RACE_TOKENS),
                        http_printf(",\"max_tokens\":%d", RACE_TOKENS));
    return ask_body(roles[o->who].model,
                    http_printf("ms=%d,pace=%d,tokens=%d,chunk=%d,prompt=%d,completion=%d",
                                o->is_stream ? 0 : o->pace_ms, o->is_stream ? o->pace_ms : 0,
                                o->events, EVENT_BYTES, PROMPT_TOKENS, EVENT_TOKENS * o->events),
                    http_printf(",\"max_tokens\":%d%s", EVENT_TOKENS * o->events + 10,
                                o->is_stream ? ASK_STREAM : ""));
}

static void fill_note(struct load_note *n, const struct http_reply *reply)
{
    const char *id = http_header(reply, "x-request-id");
    const char *type = http_header(reply, "content-type");
    const char *message = reply->status >= 400 ? http_field(reply->body, "error.message") : NULL;
    n->status = reply->status;
    n->has_left = reply->has_left;
    n->is_whole = reply->is_whole;
    if (type != NULL && strncmp(type, "text/event-stream", 17) == 0)
        n->is_whole = reply->events_n > 0 &&
                      strcmp(http_event_data(reply, reply->events_n - 1), "[DONE]") == 0;
    n->is_ours = id != NULL && strlen(id) == LOAD_ID_SIZE - 1;
    if (n->is_ours)
        memcpy(n->id, id, LOAD_ID_SIZE);
    n->is_shaped = message != NULL && *message != 0;
    n->has_retry_after = http_header(reply, "retry-after") != NULL;
    n->ended_us = spawn_now_us();
}

static void add_note(struct load *l, const struct load_note *n)
{
    pthread_mutex_lock(&l->lock);
    bool has_room = l->notes_n < NOTES_MAX;
    if (has_room)
        l->notes[l->notes_n++] = *n;
    pthread_mutex_unlock(&l->lock);
    if (!has_room)
        stack_fail("more than %d requests in one run", NOTES_MAX);
}

static struct http_call call_of(const struct load *l, const struct order *o)
{
    return (struct http_call){.port = stack.webs[0].port,
                              .path = "/v1/chat/completions",
                              .key = l->customers[o->who].key,
                              .body = body_of(o),
                              .leave_after_events = o->leave_events,
                              .leave_after_ms = o->leave_ms,
                              .timeout_ms = TIMEOUT_MS};
}

static struct load_note note_of(const struct order *o)
{
    int64_t cost_nusd = PROMPT_TOKENS * INPUT_NUSD + EVENT_TOKENS * o->events * OUTPUT_NUSD;
    return (struct load_note){.who = o->who,
                              .is_stream = o->is_stream,
                              .cost_nusd = o->who == WHO_RACER ? RACE_NUSD : cost_nusd};
}

static int run_order(struct load *l, const struct order *o)
{
    struct http_reply reply;
    struct http_call call = call_of(l, o);
    struct load_note note = note_of(o);
    http_run(&call, &reply);
    fill_note(&note, &reply);
    http_reply_clear(&reply);
    add_note(l, &note);
    return note.status;
}

int load_ask(struct load *l, enum load_who who)
{
    struct order o = {.who = who, .events = 2};
    return run_order(l, &o);
}

void load_stream(struct load *l, int events, int pace_ms)
{
    struct order o = {.is_stream = true, .who = WHO_RICH, .events = events, .pace_ms = pace_ms};
    run_order(l, &o);
}

int load_race(struct load *l)
{
    static struct http_call calls[LOAD_RACERS];
    static struct http_reply replies[LOAD_RACERS];
    struct order o = {.who = WHO_RACER, .events = RACE_TOKENS};
    int answered = 0;
    struct http_call call = call_of(l, &o);
    for (int i = 0; i < LOAD_RACERS; i++)
        calls[i] = call;
    http_many(calls, replies, LOAD_RACERS);
    for (int i = 0; i < LOAD_RACERS; i++) {
        struct load_note note = note_of(&o);
        fill_note(&note, &replies[i]);
        http_reply_clear(&replies[i]);
        add_note(l, &note);
        answered += note.status == 200 && note.is_whole;
    }
    return answered;
}

/* ---- many ---- */

static enum load_who choose_who(uint64_t *rng)
{
    int at = (int)load_random(rng, 100);
    for (int who = 0; who < WHO_N; who++) {
        at -= roles[who].weight;
        if (at < 0)
            return (enum load_who)who;
    }
    return WHO_RICH;
}

static struct order choose_order(uint64_t *rng)
{
    struct order o = {.who = choose_who(rng)};
    o.is_stream = load_random(rng, 100) >= WHOLE_PERCENT;
    o.events = 2 + (int)load_random(rng, (uint64_t)roles[o.who].events_max - 1);
    o.pace_ms = (int)load_random(rng, o.is_stream ? 25 : 60);
    if (load_random(rng, 100) >= LEAVE_PERCENT)
        return o;
    if (o.is_stream)
        o.leave_events = 1 + (int)load_random(rng, (uint64_t)o.events);
    else
        o.leave_ms = 1 + (int)load_random(rng, 60);
    return o;
}

static void *run(void *arg)
{
    struct load *l = arg;
    uint64_t rng = l->seed + (uint64_t)atomic_fetch_add(&l->started, 1) * UINT64_C(0x51ed27f7);
    while (!atomic_load(&l->is_stopped)) {
        struct order o = choose_order(&rng);
        /* A refusal costs nothing: without a pause it would be all that is asked. */
        if (run_order(l, &o) != 200)
            spawn_sleep_ms(20);
        spawn_sleep_ms((int)load_random(&rng, 30));
    }
    http_ring_clear();
    return NULL;
}

void load_start(struct load *l, int threads)
{
    pthread_attr_t attributes;
    if (threads > THREADS_MAX)
        stack_fail("a load of %d threads", threads);
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, THREAD_STACK_BYTES);
    for (; l->threads_n < threads; l->threads_n++)
        if (pthread_create(&l->threads[l->threads_n], &attributes, run, l) != 0)
            stack_fail("thread %d does not start", l->threads_n);
    pthread_attr_destroy(&attributes);
}

void load_stop(struct load *l)
{
    atomic_store(&l->is_stopped, true);
    for (int i = 0; i < l->threads_n; i++)
        pthread_join(l->threads[i], NULL);
    l->threads_n = 0;
}

const struct load_note *load_notes(const struct load *l, size_t *n)
{
    *n = l->notes_n;
    return l->notes;
}
