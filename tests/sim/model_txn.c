#include "tests/sim/model_txn.h"

#include "tests/sim/fiber.h"
#include "tests/sim/model_disk.h"

#include <string.h>

#define USAGE_MAX       (REQUESTS_MAX * 2)
#define PAST_N          8
#define PAST_MS         3000 /* a failover loses what is younger */
#define LOCK_TRIES      5
#define LOCK_TRIES_CALM 1000

struct past {
    int64_t at_ms;
    struct model_tables tables;
};

struct logged {
    struct request *request;
    int64_t cost_nusd;
    int process;
    uint64_t segment;
};

struct model_tables tables;
static struct logged usage_log[USAGE_MAX];
static struct txn txns[TXNS_MAX];
static struct past past[PAST_N];
static unsigned past_n;

void txn_begin_all(void)
{
    memset(&tables, 0, sizeof(tables));
    for (int i = 0; i < TXNS_MAX; i++)
        txns[i].is_used = false;
    for (int a = 0; a < ACCOUNTS_N; a++)
        tables.accounts[a].wanted_ms = INT64_MIN / 2;
    past_n = 0;
}

static void keep_past(void)
{
    struct past *p = &past[past_n++ % PAST_N];
    p->at_ms = world.mono_ms;
    p->tables = tables;
}

/* ---- how far leases may exceed a balance ---- */

/* A take that has read the sums before this will not see it. */
static void warn_takes(int account)
{
    for (int i = 0; i < TXNS_MAX; i++) {
        if (txns[i].is_used && txns[i].kind == TXN_TAKE && txns[i].account == account)
            txns[i].may_overdraw = true;
    }
}

/* What is missing now is nobody's fault. */
static void raise_slack(int account, int64_t nusd)
{
    if (nusd <= 0)
        return;
    tables.accounts[account].slack_nusd += nusd;
    warn_takes(account);
}

static int64_t leased(int account)
{
    int64_t sum = 0;
    for (int p = 0; p < world.processes_n; p++)
        sum += tables.processes[p].leases[account].exists
                   ? tables.processes[p].leases[account].amount_nusd
                   : 0;
    return sum;
}

/* ---- what each does ---- */

struct lease_row txn_read_lease(int process, int account)
{
    const struct model_process *p = &tables.processes[process];
    const struct model_lease *l = &p->leases[account];
    if (!l->exists)
        return (struct lease_row){0};
    return (struct lease_row){.exists = true,
                              .amount_nusd = l->amount_nusd,
                              .n = l->n,
                              .position = p->has_position ? p->position : 0};
}

static void apply_begin(struct model_process *p)
{
    if (!p->has_position)
        p->position = 0;
    p->has_position = p->exists = true;
    p->seen_ms = world.mono_ms;
}

static void drop_leases(struct model_process *p)
{
    for (int a = 0; a < ACCOUNTS_N; a++)
        p->leases[a] = (struct model_lease){0};
}

static void apply_abandon(struct txn *t, struct model_process *p)
{
    for (int a = 0; a < ACCOUNTS_N; a++)
        oracle_excuse(&world.processes[t->locks.process], a);
    happened(EVENT_ABANDONED);
    trace("  p%d is abandoned", t->locks.process);
    p->exists = false;
    drop_leases(p);
}

static void apply_take(struct txn *t, struct model_process *p)
{
    struct model_lease *l = &p->leases[t->account];
    int64_t slack = leased(t->account) + t->amount_nusd - tables.accounts[t->account].balance_nusd;
    if (t->may_overdraw && slack > tables.accounts[t->account].slack_nusd)
        raise_slack(t->account, slack - tables.accounts[t->account].slack_nusd);
    p->taken_nusd[t->account] += t->amount_nusd;
    if (l->exists) {
        l->amount_nusd += t->amount_nusd;
        l->n++;
        if (l->n < t->n_floor + 1)
            l->n = t->n_floor + 1;
    } else {
        *l = (struct model_lease){
            .exists = true, .amount_nusd = t->amount_nusd, .n = t->n_floor + 1};
    }
    t->lease = txn_read_lease(t->locks.process, t->account);
}

static void bump_n(struct model_lease *l, uint64_t n_floor)
{
    l->n = (l->n > n_floor ? l->n : n_floor) + 1;
}

static void apply_give(struct txn *t, struct model_process *p)
{
    struct model_lease *l = &p->leases[t->account];
    if (l->exists) {
        l->amount_nusd -= l->amount_nusd >= t->amount_nusd ? t->amount_nusd : 0;
        bump_n(l, t->n_floor);
    }
    t->lease = txn_read_lease(t->locks.process, t->account);
    if (t->is_last && l->exists && !l->amount_nusd) {
        *l = (struct model_lease){0};
        t->lease.exists = false;
    }
}

static void charge(struct txn *t, struct model_process *p, struct flush_account *f)
{
    int account = (int)f->account_id - 1, number = t->locks.process;
    struct model_lease *l = &p->leases[account];
    int64_t have = l->exists ? l->amount_nusd : 0,
            missing = f->cost_nusd > have ? f->cost_nusd - have : 0;
    tables.accounts[account].balance_nusd -= f->cost_nusd;
    tables.accounts[account].charged_nusd += f->cost_nusd;
    if (missing && !world.processes[number].is_excused[account])
        fail("p%d charges account %d %lld and has leased %lld", number, account + 1,
             (long long)f->cost_nusd, (long long)have);
    if (missing)
        happened(EVENT_AFTER_ABANDONMENT);
    if (l->exists) {
        l->amount_nusd = have - f->cost_nusd + missing;
        bump_n(l, f->n_floor);
    }
    raise_slack(account, missing);
    f->row = txn_read_lease(number, account);
}

static void apply_flush(struct txn *t, struct model_process *p)
{
    p->has_position = true;
    p->position = t->segment;
    for (int i = 0; i < t->rows_n; i++) {
        const struct txn_row *r = &t->rows[i];
        if (tables.usage_n == USAGE_MAX)
            fail("too many usage rows");
        usage_log[tables.usage_n++] =
            (struct logged){r->request, r->cost_nusd, t->locks.process, t->segment};
        tables.accounts[r->request->account].used_nusd += r->cost_nusd;
        oracle_row(r->request, r->cost_nusd, r->status);
    }
    for (int i = 0; i < t->accounts_n; i++) {
        t->accounts[i].row = (struct lease_row){0};
        if (t->accounts[i].cost_nusd)
            charge(t, p, &t->accounts[i]);
    }
}

void txn_apply(struct txn *t)
{
    static struct model_process nobody;
    struct model_process *p = t->locks.process < 0 ? &nobody : &tables.processes[t->locks.process];
    keep_past();
    switch (t->kind) {
    case TXN_BEGIN:
        apply_begin(p);
        break;
    case TXN_SEEN:
        p->seen_ms = world.mono_ms;
        break;
    case TXN_END:
        if (t->owner->number != t->locks.process)
            happened(EVENT_ADOPTED);
        /* Commits that are lost now are repeated without it. */
        for (int a = 0; world.had_failover && a < ACCOUNTS_N; a++)
            oracle_excuse(&world.processes[t->locks.process], a);
        p->exists = false;
        drop_leases(p);
        break;
    case TXN_FORGET:
        p->has_position = false;
        break;
    case TXN_ABANDON:
        apply_abandon(t, p);
        break;
    case TXN_WANT:
        tables.accounts[t->account].wanted_ms = world.mono_ms;
        break;
    case TXN_TAKE:
        apply_take(t, p);
        break;
    case TXN_GIVE:
        apply_give(t, p);
        break;
    case TXN_FLUSH:
        if (t->owner->number != t->locks.process)
            happened(EVENT_ADOPTED_SEGMENT);
        apply_flush(t, p);
        break;
    }
    t->is_used = false;
}

void txn_insert(int account, int64_t nusd)
{
    struct model_account *a = &tables.accounts[account];
    keep_past();
    a->balance_nusd += nusd;
    if (nusd >= 0)
        return;
    warn_takes(account);
    raise_slack(account, leased(account) - a->balance_nusd - a->slack_nusd);
}

/* ---- locks ---- */

static bool conflict(const struct txn_locks *a, const struct txn_locks *b)
{
    if (a->accounts & b->accounts)
        return true;
    if (a->process < 0 || a->process != b->process)
        return false;
    bool is_row = (a->rows & LOCK_ROW && b->rows & (LOCK_ROW | LOCK_SHARED)) ||
                  (b->rows & LOCK_ROW && a->rows & LOCK_SHARED);
    return is_row || (a->rows & b->rows & (LOCK_POSITION | LOCK_LEASES));
}

static struct txn *find_conflict(const struct txn_locks *l)
{
    for (int i = 0; i < TXNS_MAX; i++) {
        if (txns[i].is_used && conflict(&txns[i].locks, l))
            return &txns[i];
    }
    return NULL;
}

static void decide(struct txn *t)
{
    bool is_applied = dice(2);
    happened(is_applied ? EVENT_LATE_COMMIT : EVENT_LATE_ROLLBACK);
    trace("  an unanswered transaction (%d) of p%d is %s", (int)t->kind, t->owner->number,
          is_applied ? "applied" : "rolled back");
    if (is_applied)
        txn_apply(t);
    t->is_used = false;
}

static enum err wait_for(const struct process *p, const struct txn_locks *locks)
{
    int tries = world.is_calm ? LOCK_TRIES_CALM : LOCK_TRIES;
    for (struct txn *t; (t = find_conflict(locks));) {
        if (!t->is_live && (world.is_calm || dice(2))) {
            decide(t);
            continue;
        }
        if (!tries--)
            return ERR_DB_RETRY;
        happened(EVENT_LOCK_WAIT);
        fiber_yield("lock");
        if (!model_db_is_connected(p))
            return ERR_DB_DOWN;
    }
    return ERR_OK;
}

enum err txn_open(const struct process *p, enum txn_kind kind, struct txn_locks locks,
                  struct txn **out)
{
    enum err e = wait_for(p, &locks);
    if (e)
        return e;
    struct txn *t = txns;
    while (t < txns + TXNS_MAX && t->is_used)
        t++;
    if (t == txns + TXNS_MAX)
        return ERR_DB_RETRY;
    t->is_used = t->is_live = true;
    t->is_aborted = t->may_overdraw = false;
    t->owner = p;
    t->locks = locks;
    t->kind = kind;
    t->rows_n = t->accounts_n = 0;
    *out = t;
    return ERR_OK;
}

void txn_rollback(struct txn *t)
{
    t->is_used = false;
}

void txn_leave_open(struct txn *t)
{
    t->is_live = false;
}

bool txn_decide(void)
{
    uint32_t n = 0, at;
    for (int i = 0; i < TXNS_MAX; i++)
        n += txns[i].is_used && !txns[i].is_live;
    if (!n)
        return false;
    at = dice(n);
    for (int i = 0; i < TXNS_MAX; i++) {
        if (txns[i].is_used && !txns[i].is_live && !at--) {
            decide(&txns[i]);
            break;
        }
    }
    return true;
}

void txn_crash(void)
{
    while (txn_decide())
        continue;
    for (int i = 0; i < TXNS_MAX; i++)
        txns[i].is_aborted = txns[i].is_used;
}

void txn_death(const struct process *p)
{
    for (int i = 0; i < TXNS_MAX; i++) {
        if (txns[i].is_used && txns[i].is_live && txns[i].owner == p)
            txns[i].is_used = false;
    }
}

/* ---- failover ---- */

/* What was taken is spent already, or promised. */
static void excuse(const struct model_tables *before)
{
    for (int p = 0; p < world.processes_n; p++) {
        for (int a = 0; a < ACCOUNTS_N; a++) {
            if (tables.processes[p].taken_nusd[a] < before->processes[p].taken_nusd[a])
                oracle_excuse_loss(&world.processes[p], a);
        }
    }
}

/* Whoever flushed it still has the file, and will ask the database once more. */
static bool is_kept(const struct logged *l, const struct model_tables *before)
{
    const struct process *p = &world.processes[l->process];
    bool asks = before->processes[l->process].exists || (p->is_alive && !p->is_stopping);
    return asks && model_disk_has_segment(l->process, l->segment);
}

bool txn_failover(void)
{
    static struct model_tables before;
    unsigned have = past_n < PAST_N ? past_n : PAST_N, back = 1 + dice(PAST_N);
    if (back > have)
        back = have;
    while (back && past[(past_n - back) % PAST_N].at_ms < world.mono_ms - PAST_MS)
        back--;
    if (!back)
        return false;
    happened(EVENT_FAILOVER);
    txn_crash();
    /* What that decided is part of the past as well. */
    before = tables;
    tables = past[(past_n - back) % PAST_N].tables;
    past_n = 0;
    trace("  %d usage rows are lost", before.usage_n - tables.usage_n);
    for (int i = tables.usage_n; i < before.usage_n; i++)
        oracle_row_lost(usage_log[i].request, is_kept(&usage_log[i], &before));
    excuse(&before);
    oracle_failover();
    return true;
}
