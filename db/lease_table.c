/* The accounts of a process: a sharded table, and the arithmetic of one account. */
#include "db/money_core.h"

#include "base/hash.h"
#include "base/log.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define SPENT_FIRST 4 /* entries that an account starts with */

static struct lease_shard *shard_of(struct money *m, int64_t id, struct lease_account ***bucket)
{
    uint64_t h = (uint64_t)id * UINT64_C(0x9e3779b97f4a7c15);
    struct lease_shard *s = &m->shards[h >> 58];
    *bucket = &s->buckets[h >> 52 & (SHARD_BUCKETS_N - 1)];
    return s;
}

_Static_assert(SHARDS_N == 64 && SHARD_BUCKETS_N == 64, "six bits of the hash each");

void lease_table_init(struct money *m)
{
    for (size_t i = 0; i < SHARDS_N; i++)
        pthread_mutex_init(&m->shards[i].mu, NULL);
}

static struct lease_account *account_new(int64_t id)
{
    struct lease_account *a = calloc(1, sizeof(*a));
    struct spent *spent = calloc(SPENT_FIRST, sizeof(*spent));
    if (!a || !spent) {
        free(a);
        free(spent);
        return NULL;
    }
    a->id = id;
    a->spent = spent;
    a->spent_cap = SPENT_FIRST;
    pthread_mutex_init(&a->mu, NULL);
    money_cond_init(&a->cond);
    return a;
}

static void account_free(struct lease_account *a)
{
    pthread_mutex_destroy(&a->mu);
    pthread_cond_destroy(&a->cond);
    free(a->spent);
    free(a);
}

void lease_table_clear(struct money *m)
{
    for (size_t i = 0; i < SHARDS_N; i++) {
        struct lease_shard *s = &m->shards[i];
        for (size_t b = 0; b < SHARD_BUCKETS_N; b++) {
            while (s->buckets[b]) {
                struct lease_account *a = s->buckets[b];
                s->buckets[b] = a->next;
                account_free(a);
            }
        }
        pthread_mutex_destroy(&s->mu);
    }
}

static struct lease_account *find_in(struct lease_account *a, int64_t id)
{
    while (a && a->id != id)
        a = a->next;
    if (a)
        atomic_fetch_add_explicit(&a->refs, 1, memory_order_relaxed);
    return a;
}

struct lease_account *lease_account_find(struct money *m, int64_t id)
{
    struct lease_account **bucket;
    struct lease_shard *s = shard_of(m, id, &bucket);
    pthread_mutex_lock(&s->mu);
    struct lease_account *a = find_in(*bucket, id);
    pthread_mutex_unlock(&s->mu);
    return a;
}

struct lease_account *lease_account_get(struct money *m, int64_t id)
{
    struct lease_account **bucket;
    struct lease_shard *s = shard_of(m, id, &bucket);
    pthread_mutex_lock(&s->mu);
    struct lease_account *a = find_in(*bucket, id);
    if (!a) {
        a = account_new(id);
        if (a) {
            a->used_ms = money_mono_ms(m);
            a->refs = 1;
            a->next = *bucket;
            *bucket = a;
            atomic_fetch_add(&m->accounts_n, 1);
        }
    }
    pthread_mutex_unlock(&s->mu);
    return a;
}

void lease_account_put(struct lease_account *a)
{
    int before = atomic_fetch_sub_explicit(&a->refs, 1, memory_order_acq_rel);
    assert(before > 0);
}

enum err lease_accounts_list(struct money *m, struct lease_account ***list, size_t *n)
{
    size_t cap = (size_t)atomic_load(&m->accounts_n) + SHARDS_N, used = 0;
    struct lease_account **all = malloc(cap * sizeof(*all));
    for (size_t i = 0; all && i < SHARDS_N; i++) {
        struct lease_shard *s = &m->shards[i];
        pthread_mutex_lock(&s->mu);
        for (size_t b = 0; b < SHARD_BUCKETS_N; b++) {
            /* What came after the count waits for the next list. */
            for (struct lease_account *a = s->buckets[b]; a && used < cap; a = a->next) {
                atomic_fetch_add_explicit(&a->refs, 1, memory_order_relaxed);
                all[used++] = a;
            }
        }
        pthread_mutex_unlock(&s->mu);
    }
    if (!all)
        return ERR_MEMORY;
    *list = all;
    *n = used;
    return ERR_OK;
}

static bool is_idle_zero(struct lease_account *a, int64_t used_before_ms)
{
    if (atomic_load_explicit(&a->refs, memory_order_acquire))
        return false;
    pthread_mutex_lock(&a->mu);
    bool is_zero = lease_is_zero(a) && a->used_ms <= used_before_ms;
    pthread_mutex_unlock(&a->mu);
    return is_zero;
}

void lease_accounts_sweep(struct money *m)
{
    int64_t used_before_ms = money_mono_ms(m) - m->config->lease_idle_ms;
    for (size_t i = 0; i < SHARDS_N; i++) {
        struct lease_shard *s = &m->shards[i];
        pthread_mutex_lock(&s->mu);
        for (size_t b = 0; b < SHARD_BUCKETS_N; b++) {
            for (struct lease_account **at = &s->buckets[b]; *at;) {
                struct lease_account *a = *at;
                if (!is_idle_zero(a, used_before_ms)) {
                    at = &a->next;
                    continue;
                }
                *at = a->next;
                account_free(a);
                atomic_fetch_sub(&m->accounts_n, 1);
            }
        }
        pthread_mutex_unlock(&s->mu);
    }
}

/* ---- one account ---- */

int64_t lease_free(const struct lease_account *a)
{
    return a->granted_nusd - a->held_nusd - a->spent_nusd - a->giving_nusd - a->doubtful_nusd +
           a->closing_nusd;
}

bool lease_is_zero(const struct lease_account *a)
{
    return !a->granted_nusd && !a->held_nusd && !a->spent_nusd && !a->giving_nusd &&
           !a->doubtful_nusd && !a->closing_nusd && !a->has_doubt && !a->is_busy && !a->waiters;
}

uint64_t lease_seq(struct money *m)
{
    return atomic_fetch_add(&m->seq, 1) + 1;
}

int64_t lease_drop_spent(struct lease_account *a, uint64_t position)
{
    size_t n = 0;
    int64_t cost_nusd = 0;
    while (n < a->spent_n && a->spent[n].segment <= position)
        cost_nusd += a->spent[n++].cost_nusd;
    a->spent_n -= n;
    memmove(a->spent, a->spent + n, a->spent_n * sizeof(*a->spent));
    a->spent_nusd -= cost_nusd;
    assert(a->spent_nusd >= 0);
    if (position > a->position)
        a->position = position;
    return cost_nusd;
}

void lease_apply(struct lease_account *a, const struct lease_row *row, uint64_t began,
                 bool has_lock)
{
    if (has_lock && began > a->doubt_seq) {
        a->doubtful_nusd = 0;
        a->has_doubt = false;
    }
    if (has_lock && began > a->told_seq)
        a->told_seq = began;
    if (!row->exists) {
        /* Only our own last give-back deletes a row; whatever else did, its money is not ours any more. */
        a->granted_nusd = 0;
        return;
    }
    if (row->n <= a->n)
        return; /* what memory has is newer, and came with a position at least as high */
    /* Seen before a flush that memory knows of: the amount still holds costs that memory has dropped, so it raises nothing. */
    if (row->position >= a->position || row->amount_nusd < a->granted_nusd)
        a->granted_nusd = row->amount_nusd;
    a->n = row->n;
    (void)lease_drop_spent(a, row->position);
}

static bool spent_grow(struct lease_account *a)
{
    if (a->spent_n < a->spent_cap)
        return true;
    struct spent *p = realloc(a->spent, 2 * a->spent_cap * sizeof(*p));
    if (!p)
        return false;
    a->spent = p;
    a->spent_cap *= 2;
    return true;
}

static void spent_insert(struct lease_account *a, uint64_t segment, int64_t cost_nusd)
{
    size_t at = a->spent_n;
    while (at && a->spent[at - 1].segment > segment)
        at--;
    a->spent_nusd += cost_nusd;
    if (at && a->spent[at - 1].segment == segment) {
        a->spent[at - 1].cost_nusd += cost_nusd;
        return;
    }
    if (!spent_grow(a)) {
        /* Without memory the cost counts as spent until a later segment is flushed: too long, never too short. */
        if (at < a->spent_n) {
            a->spent[at].cost_nusd += cost_nusd;
        } else {
            a->spent[at - 1].cost_nusd += cost_nusd;
            a->spent[at - 1].segment = segment;
        }
        return;
    }
    memmove(a->spent + at + 1, a->spent + at, (a->spent_n - at) * sizeof(*a->spent));
    a->spent[at] = (struct spent){.segment = segment, .cost_nusd = cost_nusd};
    a->spent_n++;
}

void lease_note_spent(struct lease_account *a, uint64_t segment, int64_t cost_nusd, bool is_closing)
{
    if (!cost_nusd)
        return;
    pthread_mutex_lock(&a->mu);
    spent_insert(a, segment, cost_nusd);
    if (is_closing)
        a->closing_nusd += cost_nusd;
    pthread_mutex_unlock(&a->mu);
}

void lease_move_spent(struct lease_account *a, uint64_t from, uint64_t to, int64_t cost_nusd)
{
    if (!cost_nusd)
        return;
    pthread_mutex_lock(&a->mu);
    size_t i = 0;
    /* Without memory it may have been noted with a later segment. */
    while (i < a->spent_n && (a->spent[i].segment < from || a->spent[i].cost_nusd < cost_nusd))
        i++;
    assert(i < a->spent_n);
    a->spent[i].cost_nusd -= cost_nusd;
    a->spent_nusd -= cost_nusd;
    spent_insert(a, to, cost_nusd);
    pthread_mutex_unlock(&a->mu);
}
