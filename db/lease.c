/* How one account's money moves (free = granted - held - spent - giving - doubtful + closing):
 *
 *   take:  BEGIN .. COMMIT, then granted = what was read back        waiters: free -> held
 *   hold_open: free -> held       hold_settle: held -> spent (noted by journal_close), rest -> free
 *   flush: BEGIN .. COMMIT, then spent -= the segment's cost and granted = what was read back, under one lock
 *   give:  free -> giving, then BEGIN .. COMMIT; OK: giving = 0, granted = read back; rolled back: giving -> free;
 *          no answer: giving -> doubtful, until a later operation on the row has its lock and so proves that the old transaction has ended
 *
 * Takes and give-backs of one account do not overlap (is_busy); a flush may overlap both, therefore every read-back carries the journal's position: it says which
 * spent costs the amount does not hold any more, and memory drops just these. */
#include "db/money_core.h"

#include "base/fault.h"
#include "base/log.h"

#include <assert.h>
#include <stdlib.h>

#define TAKE_NEEDS_MAX    128 /* waiters that one take asks for */
#define RETRY_RESERVED_MS 100 /* between takes while others hold the money */
#define RETRY_CONFLICT_MS 30  /* after a take that lost against others five times */
#define TAKE_PAUSE_MS     20  /* who comes right after a take waits so long, then asks together */
#define WANT_EVERY_MS     1000
#define WANTED_MAX        1024 /* accounts looked at in one pass of upkeep */

int64_t lease_plan(const struct lease_take *take, int64_t available_nusd, int64_t live,
                   bool is_wanted)
{
    int64_t rest = take->free_nusd + available_nusd, total = 0;
    for (size_t i = 0; i < take->needs_n; i++) {
        if (take->needs_nusd[i] > rest)
            continue;
        rest -= take->needs_nusd[i];
        total += take->needs_nusd[i];
    }
    int64_t need = total - take->free_nusd;
    if (!total || need <= 0)
        return 0;
    int64_t share = available_nusd / (LEASE_SHARE * (live > 0 ? live : 1));
    if (share > take->lease_max_nusd)
        share = take->lease_max_nusd;
    return is_wanted || share < need ? need : share;
}

/* ---- waiting, with a->mu held ---- */

static void waiter_add(struct lease_account *a, struct lease_waiter *w)
{
    struct lease_waiter **at = &a->waiters;
    while (*at)
        at = &(*at)->next;
    *at = w;
}

static void waiter_remove(struct lease_account *a, struct lease_waiter *w)
{
    struct lease_waiter **at = &a->waiters;
    while (*at != w)
        at = &(*at)->next;
    *at = w->next;
}

static void waiter_end(struct lease_account *a, struct lease_waiter *w, enum err result)
{
    waiter_remove(a, w);
    w->is_done = true;
    w->result = result;
}

static void account_hold(struct lease_account *a, int64_t nusd)
{
    assert(nusd == 0 || lease_free(a) >= nusd);
    a->held_nusd += nusd;
}

/* Gives free money to those who wait, in order of arrival; one that does not fit is passed over. */
static void serve_waiters(struct lease_account *a)
{
    bool any = false;
    for (struct lease_waiter *w = a->waiters, *next; w; w = next) {
        next = w->next;
        if (lease_free(a) < w->need_nusd)
            continue;
        account_hold(a, w->need_nusd);
        waiter_end(a, w, ERR_OK);
        any = true;
    }
    if (any)
        pthread_cond_broadcast(&a->cond);
}

/* After a take that left some of its waiters without: who can still hope? Returns whether any does. */
static bool sort_refused(struct lease_account *a, const struct lease_take *t, int64_t now_ms)
{
    int64_t left = t->available_nusd - t->granted_nusd + lease_free(a);
    bool is_reserved = false;
    for (struct lease_waiter *w = a->waiters, *next; w; w = next) {
        next = w->next;
        if (!w->in_take)
            continue;
        w->available_nusd = left > 0 ? left : 0;
        if (t->balance_nusd < w->need_nusd) {
            waiter_end(a, w, ERR_NO_FUNDS);
            continue;
        }
        w->result = ERR_FUNDS_RESERVED;
        w->next_try_ms = now_ms + RETRY_RESERVED_MS;
        is_reserved = true;
    }
    a->decided_ms = now_ms;
    return is_reserved;
}

/* A take that did not come to a decision. */
static void sort_failed(struct lease_account *a, enum err e, int64_t now_ms)
{
    for (struct lease_waiter *w = a->waiters, *next; w; w = next) {
        next = w->next;
        if (!w->in_take)
            continue;
        if (e == ERR_DB_RETRY) {
            w->result = ERR_UNAVAILABLE;
            w->next_try_ms = now_ms + RETRY_CONFLICT_MS;
        } else {
            waiter_end(a, w, ERR_UNAVAILABLE);
        }
    }
}

static void begin_doubt(struct money *m, struct lease_account *a)
{
    a->has_doubt = true;
    a->doubt_seq = lease_seq(m);
}

/* ---- one give-back; a->mu held and is_busy set on entry and on return, not held during the operation ---- */

static enum err give_back(struct money *m, struct lease_account *a, int64_t nusd)
{
    struct lease_give g = {
        .process = m->id,
        .account_id = a->id,
        .amount_nusd = nusd,
        .n_floor = a->n,
        .is_last = nusd == a->granted_nusd && !a->held_nusd && !a->spent_nusd,
    };
    assert(nusd >= 0 && (nusd == 0 || nusd <= lease_free(a)));
    a->giving_nusd += nusd; /* memory is lowered before the row is */
    uint64_t began = lease_seq(m);
    pthread_mutex_unlock(&a->mu);
    FAULT("k12"); /* memory is lowered, the row not yet */
    enum err e = m->ops.db.give(m->ops.db.self, &g);
    pthread_mutex_lock(&a->mu);
    a->giving_nusd -= nusd;
    if (e == ERR_OK) {
        /* If the row still holds costs of a flush that got lost, they must not look free. */
        if (g.row.exists && g.row.n > a->n)
            a->granted_nusd -= nusd < a->granted_nusd ? nusd : a->granted_nusd;
        lease_apply(a, &g.row, began, true);
        a->applied_seq = lease_seq(m);
    } else if (e == ERR_DB_UNKNOWN) {
        a->doubtful_nusd += nusd;
        begin_doubt(m, a);
    }
    return e;
}

/* ---- one take ---- */

/* The same locking as give_back. */
static enum err take_once(struct money *m, struct lease_account *a, struct lease_take *t)
{
    uint64_t began = lease_seq(m);
    if (t->free_nusd < 0)
        log_error("lease_short", "account=%lld missing_nusd=%lld", (long long)a->id,
                  (long long)-t->free_nusd);
    pthread_mutex_unlock(&a->mu);
    enum err e = money_row_begin(m);
    if (!e) {
        e = m->ops.db.take(m->ops.db.self, t);
        if (!e)
            FAULT("k1"); /* leased, and nobody knows */
        money_row_done(m);
    }
    if (e == ERR_END)
        money_expel(m);
    pthread_mutex_lock(&a->mu);
    if (e == ERR_OK || e == ERR_NO_FUNDS) {
        lease_apply(a, &t->row, began, e == ERR_OK);
        a->applied_seq = lease_seq(m);
    }
    if (e == ERR_OK)
        atomic_fetch_add(&m->takes, 1);
    if (e == ERR_DB_UNKNOWN)
        begin_doubt(
            m,
            a); /* what it may have leased is found by reading the row, if not before by the next take */
    return e;
}

static size_t gather_needs(struct lease_account *a, int64_t *needs)
{
    size_t n = 0;
    for (struct lease_waiter *w = a->waiters; w; w = w->next) {
        w->in_take = n < TAKE_NEEDS_MAX;
        if (!w->in_take)
            continue;
        w->tries++;
        needs[n++] = w->need_nusd;
    }
    return n;
}

/* Tells the other processes, and our own journal, that the money is needed here. */
static void call_for_money(struct money *m, struct lease_account *a)
{
    int64_t now = money_mono_ms(m);
    bool is_due = !a->want_ms || now - a->want_ms >= WANT_EVERY_MS;
    bool is_spent = a->spent_nusd > 0;
    if (is_due)
        a->want_ms = now;
    pthread_mutex_unlock(&a->mu);
    if (is_spent)
        journal_hurry(m);
    if (is_due && m->ops.db.want(m->ops.db.self, a->id)) {
        /* The next refusal tries again; a database that is down fails the take itself. */
        pthread_mutex_lock(&a->mu);
        a->want_ms = 0;
        return;
    }
    pthread_mutex_lock(&a->mu);
}

/* Takes for all who wait. a->mu held on entry and return. */
static void take_for_waiters(struct money *m, struct lease_account *a)
{
    int64_t needs[TAKE_NEEDS_MAX];
    enum err e = ERR_OK;
    a->is_busy = true;
    if (a->has_doubt) {
        e = give_back(m, a, 0);
        serve_waiters(a);
    }
    struct lease_take t = {
        .process = m->id,
        .account_id = a->id,
        .needs_nusd = needs,
        .needs_n = gather_needs(a, needs),
        .free_nusd = lease_free(a),
        .lease_max_nusd = m->config->lease_max_nusd,
        .n_floor = a->n,
    };
    if (t.needs_n && !e)
        e = take_once(m, a, &t);
    int64_t now = money_mono_ms(m);
    if (t.needs_n && (e == ERR_OK || e == ERR_NO_FUNDS)) {
        serve_waiters(a);
        if (sort_refused(a, &t, now))
            call_for_money(m, a);
    } else if (t.needs_n) {
        sort_failed(a, e, now);
    }
    a->is_busy = false;
    serve_waiters(a);
    pthread_cond_broadcast(&a->cond);
}

/* Waits until w is served or refused. a->mu held. */
static void waiter_wait(struct money *m, struct lease_account *a, struct lease_waiter *w)
{
    for (;;) {
        if (!a->is_busy)
            serve_waiters(a);
        if (w->is_done)
            return;
        int64_t now = money_mono_ms(m);
        if (!a->is_busy && w->tries && now >= w->deadline_ms) {
            waiter_end(a, w, w->result);
            return;
        }
        if (!a->is_busy && now >= w->next_try_ms) {
            take_for_waiters(m, a);
            continue;
        }
        int64_t until = w->tries && w->deadline_ms < w->next_try_ms ? w->deadline_ms
                                                                    : w->next_try_ms;
        m->ops.clock.wait(m->ops.clock.self, &a->cond, &a->mu,
                          until > now ? until - now : RETRY_RESERVED_MS);
    }
}

static enum err reserve(struct money *m, struct lease_account *a, int64_t need_nusd,
                        int64_t *available_nusd)
{
    enum err e = ERR_OK;
    int64_t now = money_mono_ms(m);
    pthread_mutex_lock(&a->mu);
    a->used_ms = now;
    if (!need_nusd || (!a->waiters && lease_free(a) >= need_nusd)) {
        account_hold(a, need_nusd);
        pthread_mutex_unlock(&a->mu);
        return ERR_OK;
    }
    struct lease_waiter w = {
        .need_nusd = need_nusd,
        .deadline_ms = now + m->config->lease_wait_ms,
        .next_try_ms = a->decided_ms ? a->decided_ms + TAKE_PAUSE_MS : now,
        .result = ERR_UNAVAILABLE,
    };
    waiter_add(a, &w);
    waiter_wait(m, a, &w);
    e = w.result;
    pthread_mutex_unlock(&a->mu);
    if (e && available_nusd)
        *available_nusd = w.available_nusd;
    return e;
}

/* ---- holds ---- */

enum err hold_open(struct money *m, int64_t account_id, int64_t need_nusd, struct hold *hold,
                   int64_t *available_nusd)
{
    assert(need_nusd >= 0);
    *hold = (struct hold){0};
    if (available_nusd)
        *available_nusd = 0;
    if (!money_may_admit(m))
        return ERR_UNAVAILABLE;
    struct lease_account *a = lease_account_get(m, account_id);
    enum err e = a ? reserve(m, a, need_nusd, available_nusd) : ERR_UNAVAILABLE;
    if (!e)
        *hold = (struct hold){.account = a, .amount_nusd = need_nusd};
    else if (a)
        lease_account_put(a);
    return e;
}

enum err hold_extend(struct money *m, struct hold *hold, int64_t more_nusd)
{
    assert(hold->account && more_nusd >= 0);
    if (!money_may_admit(m))
        return ERR_UNAVAILABLE;
    enum err e = reserve(m, hold->account, more_nusd, NULL);
    if (!e)
        hold->amount_nusd += more_nusd;
    return e;
}

static void hold_end(struct money *m, struct hold *hold, int64_t cost_nusd)
{
    struct lease_account *a = hold->account;
    assert(a && cost_nusd >= 0 && cost_nusd <= hold->amount_nusd);
    int64_t now = money_mono_ms(m);
    pthread_mutex_lock(&a->mu);
    assert(a->held_nusd >= hold->amount_nusd && a->closing_nusd >= cost_nusd);
    a->held_nusd -= hold->amount_nusd;
    a->closing_nusd -= cost_nusd;
    a->used_ms = now;
    if (a->waiters && !a->is_busy)
        serve_waiters(a);
    pthread_mutex_unlock(&a->mu);
    *hold = (struct hold){0};
    lease_account_put(a);
}

void hold_settle(struct money *m, struct hold *hold, int64_t cost_nusd)
{
    hold_end(m, hold, cost_nusd);
}

void hold_cancel(struct money *m, struct hold *hold)
{
    if (hold->account)
        hold_end(m, hold, 0);
}

/* ---- upkeep ---- */

/* Gives the free part back if nothing else is going on in the account. Reads the row back when there is a doubt. */
static void give_free(struct money *m, struct lease_account *a)
{
    pthread_mutex_lock(&a->mu);
    int64_t nusd = lease_free(a);
    if (!a->is_busy && (nusd > 0 || a->has_doubt)) {
        a->is_busy = true;
        enum err e = give_back(m, a, nusd > 0 ? nusd : 0);
        if (e)
            log_debug("lease_give", "account=%lld error=%s", (long long)a->id, err_name(e));
        a->is_busy = false;
        serve_waiters(a);
        pthread_cond_broadcast(&a->cond);
    }
    pthread_mutex_unlock(&a->mu);
}

void lease_give_wanted(struct money *m)
{
    int64_t ids[WANTED_MAX];
    size_t n = 0;
    bool is_spent = false;
    if (m->ops.db.wanted(m->ops.db.self, m->id, ids, WANTED_MAX, &n))
        return;
    for (size_t i = 0; i < n; i++) {
        struct lease_account *a = lease_account_find(m, ids[i]);
        if (!a)
            continue;
        pthread_mutex_lock(&a->mu);
        is_spent = is_spent || a->spent_nusd > 0;
        pthread_mutex_unlock(&a->mu);
        give_free(m, a);
        lease_account_put(a);
    }
    if (is_spent)
        journal_hurry(m);
}

void lease_give_idle(struct money *m)
{
    struct lease_account **list = NULL;
    size_t n = 0;
    if (lease_accounts_list(m, &list, &n))
        return;
    int64_t now = money_mono_ms(m);
    for (size_t i = 0; i < n; i++) {
        struct lease_account *a = list[i];
        pthread_mutex_lock(&a->mu);
        bool is_idle = !a->held_nusd && !a->waiters && now - a->used_ms >= m->config->lease_idle_ms;
        bool is_due = a->has_doubt || (is_idle && lease_free(a) > 0);
        pthread_mutex_unlock(&a->mu);
        if (is_due)
            give_free(m, a);
        lease_account_put(a);
    }
    free(list);
    lease_accounts_sweep(m);
}

size_t lease_count_alive(struct money *m)
{
    struct lease_account **list = NULL;
    size_t n = 0, alive = 0;
    if (lease_accounts_list(m, &list, &n))
        return 1;
    for (size_t i = 0; i < n; i++) {
        pthread_mutex_lock(&list[i]->mu);
        alive += !lease_is_zero(list[i]);
        pthread_mutex_unlock(&list[i]->mu);
        lease_account_put(list[i]);
    }
    free(list);
    return alive;
}

/* ---- after a loss of connections ---- */

static const struct lease_row *row_of(const struct lease_found *found, size_t n, int64_t account_id)
{
    static const struct lease_row none;
    for (size_t i = 0; i < n; i++) {
        if (found[i].account_id == account_id)
            return &found[i].row;
    }
    return &none;
}

static bool resync_account(struct lease_account *a, const struct lease_row *row, uint64_t began,
                           uint64_t first)
{
    /* What ended after `began` may have told something newer, or what was committed before the loss. What began after it tells the truth. */
    if (a->is_busy || a->applied_seq > began)
        return a->told_seq > first;
    if (a->granted_nusd != row->amount_nusd && row->n <= a->n) {
        log_error("lease_lost", "account=%lld had_nusd=%lld has_nusd=%lld", (long long)a->id,
                  (long long)a->granted_nusd, (long long)row->amount_nusd);
        a->granted_nusd = row->amount_nusd;
    }
    return true;
}

bool lease_resync(struct money *m, const struct lease_found *found, size_t n, uint64_t position,
                  uint64_t began, uint64_t first)
{
    struct lease_account **list = NULL;
    size_t list_n = 0;
    bool is_done = true;
    if (lease_accounts_list(m, &list, &list_n))
        return false;
    for (size_t i = 0; i < list_n; i++) {
        struct lease_account *a = list[i];
        pthread_mutex_lock(&a->mu);
        if (a->position > position)
            a->position = position;
        is_done &= resync_account(a, row_of(found, n, a->id), began, first);
        pthread_mutex_unlock(&a->mu);
        lease_account_put(a);
    }
    free(list);
    return is_done;
}
