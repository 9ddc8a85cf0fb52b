#include "db/limit.h"

#include "base/clock.h"
#include "db/limit_core.h"

#include <assert.h>
#include <stdlib.h>

#define FORGET_MS    300000 /* a limit that was not used for so long is forgotten */
#define SLOT_WAIT_MS 1000   /* what a client is told */

/* ---- the table ---- */

struct limits *limits_new(struct db *db, const struct config *config, struct money *money,
                          bool is_brief)
{
    struct limits *l = calloc(1, sizeof(*l));
    if (!l)
        return NULL;
    l->db = db;
    l->config = config;
    l->money = money;
    l->is_brief = is_brief;
    pthread_mutex_init(&l->mu, NULL);
    pthread_cond_init(&l->was_read, NULL);
    return l;
}

static struct limit_pool *pool_new(int64_t id)
{
    struct limit_pool *p = calloc(1, sizeof(*p));
    pthread_condattr_t monotonic;
    if (!p)
        return NULL;
    p->id = id;
    for (int i = 0; i < LIMIT_WINDOWS_N; i++)
        p->windows[i] = (struct limit_window){.starts_s = -1, .max = -1};
    for (int i = 0; i <= LIMIT_WINDOWS_N; i++)
        p->set_max[i] = -1;
    pthread_mutex_init(&p->mu, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&p->cond, &monotonic);
    pthread_condattr_destroy(&monotonic);
    return p;
}

static void pool_free(struct limit_pool *p)
{
    pthread_mutex_destroy(&p->mu);
    pthread_cond_destroy(&p->cond);
    free(p);
}

void limits_free(struct limits *l)
{
    struct limit_pool *p, *next;
    if (!l)
        return;
    HASH_ITER(hh, l->pools, p, next)
    {
        HASH_DEL(l->pools, p); /* NOLINT(clang-analyzer-unix.Malloc) */
        pool_free(p);
    }
    free(l->rules);
    pthread_mutex_destroy(&l->mu);
    pthread_cond_destroy(&l->was_read);
    free(l);
}

/* A change of a limit forgets what was refused under the old one. */
static void note_rule(struct limit_pool *p, const struct limit_rule *rule)
{
    pthread_mutex_lock(&p->mu);
    for (int i = 0; i <= LIMIT_WINDOWS_N; i++) {
        if (p->set_max[i] == rule->max[i])
            continue;
        p->set_max[i] = rule->max[i];
        if (i < LIMIT_WINDOWS_N)
            p->windows[i].refused_until_ms = 0;
        else
            p->slots.refused_ms = 0;
    }
    pthread_mutex_unlock(&p->mu);
}

/* Referenced. NULL: no memory. */
static struct limit_pool *pool_get(struct limits *l, const struct limit_rule *rule)
{
    struct limit_pool *p = NULL;
    pthread_mutex_lock(&l->mu);
    HASH_FIND(hh, l->pools, &rule->id, sizeof(rule->id), p);
    if (!p && (p = pool_new(rule->id))) {
        HASH_ADD(hh, l->pools, id, sizeof(p->id), p);
        if (!p->hh.tbl) {
            pool_free(p);
            p = NULL;
        }
    }
    if (p) {
        p->refs++;
        p->used_ms = clock_mono_ms();
    }
    pthread_mutex_unlock(&l->mu);
    if (p)
        note_rule(p, rule);
    return p;
}

static void pool_put(struct limits *l, struct limit_pool *p)
{
    pthread_mutex_lock(&l->mu);
    p->refs--;
    assert(p->refs >= 0);
    pthread_mutex_unlock(&l->mu);
}

/* ---- one request ---- */

static int64_t need_of(const struct limit_ticket *t, enum limit_kind kind)
{
    return kind == LIMIT_REQUESTS || t->tokens < 1 ? 1 : t->tokens;
}

static enum err refuse(struct limit_ticket *t, enum limit_kind kind, const struct limit_view *view)
{
    t->refused = kind;
    t->refused_max = view->max;
    t->wait_ms = view->reset_ms;
    if (kind != LIMIT_SLOTS)
        t->views[kind] = *view;
    return ERR_RATE;
}

/* The view that leaves the least is the one for the client. */
static void keep_tightest(struct limit_view *kept, const struct limit_view *view)
{
    if (kept->max < 0 || view->left < kept->left)
        *kept = *view;
}

/* What is known to be refused is so before anything is taken. */
static enum err check_refused(struct limit_ticket *t, const struct limit_rule *rules)
{
    struct limit_view view;
    for (size_t i = 0; i < t->parts_n; i++)
        for (int k = 0; k < LIMIT_WINDOWS_N; k++)
            if (rules[i].max[k] >= 0 &&
                limit_window_is_refused(t->parts[i].pool, k, need_of(t, k), &view))
                return refuse(t, k, &view);
    return ERR_OK;
}

static enum err take_windows(struct limits *l, struct limit_ticket *t, struct limit_part *part,
                             const struct limit_rule *rule)
{
    struct limit_view view;
    for (int k = 0; k < LIMIT_WINDOWS_N; k++) {
        if (rule->max[k] < 0)
            continue;
        enum err e = limit_window_take(l, part->pool, k, need_of(t, k), &view, &part->starts_s[k]);
        if (e == ERR_RATE)
            return refuse(t, k, &view);
        if (e && e != ERR_END)
            return e;
        part->has_window[k] = !e;
        if (!e)
            keep_tightest(&t->views[k], &view);
    }
    return ERR_OK;
}

static enum err take_slot(struct limits *l, struct limit_ticket *t, struct limit_part *part,
                          const struct limit_rule *rule, int64_t queue_ms)
{
    if (rule->max[LIMIT_SLOTS] < 0)
        return ERR_OK;
    enum err e = limit_slots_take(l, part->pool, queue_ms);
    if (e == ERR_RATE)
        return refuse(t, LIMIT_SLOTS,
                      &(struct limit_view){rule->max[LIMIT_SLOTS], 0, SLOT_WAIT_MS, 0});
    part->has_slot = !e;
    return e == ERR_END ? ERR_OK : e;
}

/* One that limits spend only needs no pool. */
static bool is_rate(const struct limit_rule *rule)
{
    for (int k = 0; k <= LIMIT_WINDOWS_N; k++)
        if (rule->max[k] >= 0)
            return true;
    return false;
}

/* Notes the limits of spend; the others move up in rules. Returns how many these are. */
static size_t split_off_spends(struct limit_ticket *t, struct limit_rule *rules, size_t n)
{
    size_t kept = 0;
    for (size_t i = 0; i < n; i++) {
        if (rules[i].has_spend)
            t->spends[t->spends_n++] = (struct limit_spend){rules[i].id, rules[i].scope};
        if (is_rate(&rules[i]))
            rules[kept++] = rules[i];
    }
    return kept;
}

static enum err get_pools(struct limits *l, struct limit_ticket *t, const struct limit_rule *rules,
                          size_t n)
{
    for (; t->parts_n < n; t->parts_n++) {
        struct limit_pool *p = pool_get(l, &rules[t->parts_n]);
        if (!p)
            return ERR_MEMORY;
        t->parts[t->parts_n] = (struct limit_part){.pool = p};
    }
    return ERR_OK;
}

enum err limit_take(struct limits *l, const struct limit_ask *ask, struct limit_ticket *t)
{
    struct limit_rule rules[LIMIT_MATCHES_MAX];
    size_t n = 0;
    *t = (struct limit_ticket){
        .tokens = ask->tokens, .views = {{.max = -1}, {.max = -1}}
    };
    enum err e = limit_rules_match(l, ask, rules, &n);
    if (e)
        return e;
    n = split_off_spends(t, rules, n);
    e = get_pools(l, t, rules, n);
    if (!e)
        e = check_refused(t, rules);
    for (size_t i = 0; !e && i < n; i++)
        e = take_windows(l, t, &t->parts[i], &rules[i]);
    /* The slots last: they may be waited for. */
    for (size_t i = 0; !e && i < n; i++)
        e = take_slot(l, t, &t->parts[i], &rules[i], ask->queue_ms);
    if (e)
        limit_cancel(l, t);
    return e;
}

static void correct_tokens(struct limits *l, const struct limit_part *part, int64_t taken,
                           int64_t used)
{
    if (used > taken)
        limit_window_charge(l, part->pool, LIMIT_TOKENS, used - taken);
    else if (used < taken)
        limit_window_return(l, part->pool, LIMIT_TOKENS, taken - used,
                            part->starts_s[LIMIT_TOKENS]);
}

void limit_settle(struct limits *l, struct limit_ticket *t, int64_t tokens)
{
    for (size_t i = 0; i < t->parts_n; i++) {
        const struct limit_part *part = &t->parts[i];
        if (part->has_slot)
            limit_slots_release(l, part->pool);
        if (part->has_window[LIMIT_TOKENS])
            correct_tokens(l, part, need_of(t, LIMIT_TOKENS), tokens);
        pool_put(l, part->pool);
    }
    t->parts_n = 0;
}

void limit_cancel(struct limits *l, struct limit_ticket *t)
{
    for (size_t i = 0; i < t->parts_n; i++) {
        const struct limit_part *part = &t->parts[i];
        if (part->has_window[LIMIT_REQUESTS])
            limit_window_return(l, part->pool, LIMIT_REQUESTS, 1, part->starts_s[LIMIT_REQUESTS]);
    }
    limit_settle(l, t, 0);
}

/* ---- upkeep ---- */

/* All pools, each referenced; malloc'd. NULL: none, or no memory. */
static struct limit_pool **list_pools(struct limits *l, size_t *n)
{
    struct limit_pool *p, *next;
    *n = 0;
    pthread_mutex_lock(&l->mu);
    size_t max = HASH_COUNT(l->pools);
    struct limit_pool **list = max ? calloc(max, sizeof(struct limit_pool *)) : NULL;
    HASH_ITER(hh, l->pools, p, next)
    {
        if (list) {
            p->refs++;
            list[(*n)++] = p;
        }
    }
    pthread_mutex_unlock(&l->mu);
    return list;
}

/* Nothing of it is left that anybody would miss. */
static bool is_forgotten(const struct limit_pool *p, int64_t now)
{
    return p->refs == 1 && now - p->used_ms > FORGET_MS && !p->windows[LIMIT_REQUESTS].debt &&
           !p->windows[LIMIT_TOKENS].debt;
}

static bool tidy(struct limits *l, bool is_last)
{
    size_t n = 0;
    bool is_left = false;
    struct limit_pool **list = list_pools(l, &n);
    for (size_t i = 0; i < n; i++) {
        bool has_slots = limit_slots_tidy(l, list[i], is_last);
        is_left |= has_slots;
        pthread_mutex_lock(&l->mu);
        if (!has_slots && is_forgotten(list[i], clock_mono_ms())) {
            HASH_DEL(l->pools, list[i]); /* NOLINT(clang-analyzer-unix.Malloc) */
            pool_free(list[i]);
        } else {
            list[i]->refs--;
        }
        pthread_mutex_unlock(&l->mu);
    }
    free(list);
    return is_left;
}

bool limits_upkeep(struct limits *l)
{
    bool is_used = limit_rules_refresh(l);
    return tidy(l, false) || is_used;
}

void limits_stop(struct limits *l)
{
    (void)tidy(l, true);
}
