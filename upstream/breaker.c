#include "upstream/breaker.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define ENTRIES_MAX   4096 /* a power of two; half of them at most are in use */
#define FORBIDDEN_MAX 3
#define DOUBLINGS_MAX 16
#define WAIT_PROBE_MS 50 /* while the half-open request of another runs */
#define PERCENT       100

/* All zero: unused. */
struct entry {
    struct breaker_place place; /* 0 for what does not count in its scope */
    enum breaker_scope scope;
    bool is_used;
    bool is_open;   /* or half open, once open_until_ms is over */
    bool is_limit;  /* open for a time that the provider named: closed when it is over */
    bool is_probed; /* the one request of the half-open state runs */
    int64_t open_until_ms;
    int64_t probed_ms;                /* since when */
    int openings;                     /* in a row: how long the next one lasts */
    int64_t failed;                   /* in a row */
    int64_t window_ms;                /* when the window began */
    int64_t asked_n, failed_n;        /* in it */
    int64_t forbidden[FORBIDDEN_MAX]; /* models; only of a key */
    int forbidden_n;
};

struct breaker_set {
    struct breaker_settings settings;
    pthread_mutex_t lock;
    /* under lock */
    struct entry entries[ENTRIES_MAX];
    size_t used_n;
};

struct breaker_set *breaker_new(const struct breaker_settings *settings)
{
    struct breaker_set *s = calloc(1, sizeof(*s));

    if (!s)
        return NULL;
    s->settings = *settings;
    (void)pthread_mutex_init(&s->lock, NULL);
    return s;
}

void breaker_free(struct breaker_set *s)
{
    if (!s)
        return;
    (void)pthread_mutex_destroy(&s->lock);
    free(s);
}

/* ---- the entries ---- */

static struct breaker_place part_of(const struct breaker_place *p, enum breaker_scope scope)
{
    struct breaker_place part = {.channel_id = p->channel_id};

    if (scope == BREAKER_KEY || scope == BREAKER_KEY_MODEL)
        part.key_id = p->key_id;
    if (scope == BREAKER_MODEL || scope == BREAKER_KEY_MODEL)
        part.model_id = p->model_id;
    return part;
}

static bool is_at(const struct entry *e, const struct breaker_place *part, enum breaker_scope scope)
{
    return e->scope == scope && e->place.channel_id == part->channel_id &&
           e->place.key_id == part->key_id && e->place.model_id == part->model_id;
}

static size_t home_of(const struct breaker_place *part, enum breaker_scope scope)
{
    uint64_t h = (uint64_t)part->channel_id * UINT64_C(0x9e3779b97f4a7c15);

    h = (h ^ (uint64_t)part->key_id) * UINT64_C(0xbf58476d1ce4e5b9);
    h = (h ^ (uint64_t)part->model_id) * UINT64_C(0x94d049bb133111eb);
    h ^= (uint64_t)scope * UINT64_C(0xd6e8feb86659fd93);
    return (size_t)((h ^ h >> 29) % ENTRIES_MAX);
}

/* NULL: there is none; it is as good as closed. */
static struct entry *find(struct breaker_set *s, const struct breaker_place *p,
                          enum breaker_scope scope)
{
    struct breaker_place part = part_of(p, scope);
    size_t i = home_of(&part, scope);

    for (; s->entries[i].is_used; i = (i + 1) % ENTRIES_MAX)
        if (is_at(&s->entries[i], &part, scope))
            return &s->entries[i];
    return NULL;
}

/* Full is rare: who has so many channels loses what was learnt, once in a while. */
static void forget_all(struct breaker_set *s)
{
    memset(s->entries, 0, sizeof(s->entries));
    s->used_n = 0;
}

static struct entry *make(struct breaker_set *s, const struct breaker_place *p,
                          enum breaker_scope scope, int64_t now_ms)
{
    struct breaker_place part = part_of(p, scope);
    struct entry *e = find(s, p, scope);
    size_t i;

    if (e)
        return e;
    if (s->used_n >= ENTRIES_MAX / 2)
        forget_all(s);
    for (i = home_of(&part, scope); s->entries[i].is_used;)
        i = (i + 1) % ENTRIES_MAX;
    s->used_n++;
    s->entries[i] =
        (struct entry){.place = part, .scope = scope, .is_used = true, .window_ms = now_ms};
    return &s->entries[i];
}

/* ---- the states ---- */

/* A half-open request that takes so long keeps no other one from trying. */
static bool is_taken(const struct breaker_set *s, const struct entry *e, int64_t now_ms)
{
    return e->is_probed && now_ms - e->probed_ms < s->settings.open_ms;
}

static int64_t wait_of(const struct breaker_set *s, const struct entry *e, int64_t now_ms)
{
    if (!e || !e->is_open)
        return 0;
    if (now_ms < e->open_until_ms)
        return e->open_until_ms - now_ms;
    return is_taken(s, e, now_ms) ? WAIT_PROBE_MS : 0;
}

static int64_t wait_at(struct breaker_set *s, const struct breaker_place *p, int64_t now_ms)
{
    int64_t most = 0;
    int i;

    for (i = 0; i < BREAKER_SCOPES; i++) {
        int64_t wait = wait_of(s, find(s, p, (enum breaker_scope)i), now_ms);

        most = wait > most ? wait : most;
    }
    return most;
}

int64_t breaker_wait_ms(struct breaker_set *s, const struct breaker_place *p, int64_t now_ms)
{
    int64_t wait;

    (void)pthread_mutex_lock(&s->lock);
    wait = wait_at(s, p, now_ms);
    (void)pthread_mutex_unlock(&s->lock);
    return wait;
}

bool breaker_enter(struct breaker_set *s, const struct breaker_place *p, int64_t now_ms,
                   bool is_probe[BREAKER_SCOPES])
{
    bool may;
    int i;

    (void)pthread_mutex_lock(&s->lock);
    may = wait_at(s, p, now_ms) == 0;
    for (i = 0; may && i < BREAKER_SCOPES; i++) {
        struct entry *e = find(s, p, (enum breaker_scope)i);

        if (e && e->is_limit)
            e->is_open = e->is_limit = false;
        is_probe[i] = e && e->is_open;
        if (is_probe[i]) {
            e->is_probed = true;
            e->probed_ms = now_ms;
        }
    }
    (void)pthread_mutex_unlock(&s->lock);
    return may;
}

/* wait_ms: the provider's word, or -1. */
static void trip(const struct breaker_set *s, struct entry *e, int64_t now_ms, int64_t wait_ms)
{
    int64_t ms = s->settings.open_ms;
    int i;

    for (i = 0; i < e->openings && ms < s->settings.open_max_ms; i++)
        ms *= 2;
    if (wait_ms >= 0)
        ms = wait_ms;
    if (ms > s->settings.open_max_ms)
        ms = s->settings.open_max_ms;
    if (wait_ms < 0 && e->openings < DOUBLINGS_MAX)
        e->openings++;
    e->is_limit = wait_ms >= 0 && (!e->is_open || e->is_limit);
    e->is_open = true;
    if (now_ms + ms > e->open_until_ms)
        e->open_until_ms = now_ms + ms;
}

static void reset(struct entry *e, int64_t now_ms)
{
    e->is_open = e->is_limit = false;
    e->open_until_ms = 0;
    e->openings = 0;
    e->failed = 0;
    e->window_ms = now_ms;
    e->asked_n = e->failed_n = 0;
}

/* Half of what a window has counted goes on into the next one. */
static void count(const struct breaker_set *s, struct entry *e, int64_t now_ms, bool has_failed)
{
    if (now_ms - e->window_ms >= s->settings.window_ms) {
        bool is_next = now_ms - e->window_ms < 2 * s->settings.window_ms;

        e->asked_n = is_next ? e->asked_n / 2 : 0;
        e->failed_n = is_next ? e->failed_n / 2 : 0;
        e->window_ms = now_ms;
    }
    e->asked_n++;
    e->failed_n += has_failed;
    e->failed = has_failed ? e->failed + 1 : 0;
}

static bool is_too_much(const struct breaker_set *s, const struct entry *e)
{
    const struct breaker_settings *to = &s->settings;

    if (to->failures == 0)
        return false;
    return e->failed >= to->failures ||
           (e->asked_n >= to->rate_min && e->failed_n * PERCENT >= e->asked_n * to->rate_percent);
}

static void fail(const struct breaker_set *s, struct entry *e, int64_t now_ms,
                 const struct breaker_report *r)
{
    bool was_open = e->is_open;

    count(s, e, now_ms, true);
    if (s->settings.failures == 0)
        return;
    if (r->outcome == BREAKER_REFUSED || (r->outcome == BREAKER_LIMITED && r->wait_ms >= 0) ||
        was_open || is_too_much(s, e))
        trip(s, e, now_ms, r->outcome == BREAKER_LIMITED ? r->wait_ms : -1);
}

void breaker_leave(struct breaker_set *s, const struct breaker_place *p, int64_t now_ms,
                   const bool is_probe[BREAKER_SCOPES], const struct breaker_report *report)
{
    bool has_failed = report->outcome != BREAKER_ANSWERED && report->outcome != BREAKER_UNKNOWN;
    int i;

    (void)pthread_mutex_lock(&s->lock);
    for (i = 0; i < BREAKER_SCOPES; i++) {
        struct entry *e = find(s, p, (enum breaker_scope)i);

        if (e && is_probe[i])
            e->is_probed = false;
        if (report->outcome == BREAKER_UNKNOWN || (has_failed && i != (int)report->scope))
            continue;
        if (has_failed)
            e = make(s, p, (enum breaker_scope)i, now_ms);
        if (!e && i != BREAKER_MODEL)
            continue; /* has never failed: there is nothing to count against */
        if (!e)
            e = make(s, p, BREAKER_MODEL, now_ms);
        if (has_failed) {
            fail(s, e, now_ms, report);
            continue;
        }
        e->forbidden_n = 0;
        /* An answer to a request from before it opened says nothing of now. */
        if (e->is_open && is_probe[i])
            reset(e, now_ms);
        else if (!e->is_open)
            count(s, e, now_ms, false);
    }
    (void)pthread_mutex_unlock(&s->lock);
}

int breaker_forbidden(struct breaker_set *s, const struct breaker_place *p, int64_t now_ms)
{
    struct entry *e;
    int n = 0;

    (void)pthread_mutex_lock(&s->lock);
    e = make(s, p, BREAKER_KEY, now_ms);
    while (n < e->forbidden_n && e->forbidden[n] != p->model_id)
        n++;
    if (n == e->forbidden_n && n < FORBIDDEN_MAX)
        e->forbidden[e->forbidden_n++] = p->model_id;
    n = e->forbidden_n;
    (void)pthread_mutex_unlock(&s->lock);
    return n;
}
