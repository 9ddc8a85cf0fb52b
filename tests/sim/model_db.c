#include "tests/sim/model_db.h"

#include "tests/sim/fiber.h"
#include "tests/sim/model_txn.h"

#include <stdlib.h>
#include <string.h>

#define CALLS_MAX    50000 /* of one fiber without a switch: it does not end */
#define INSTALLATION "simulated"

static struct {
    bool is_down;
    uint64_t epoch; /* of connections */
} server;

void model_db_begin(void)
{
    server.is_down = false;
    server.epoch = 1;
    txn_begin_all();
}

/* ---- a call ---- */

static void lose_connection(struct process *p)
{
    p->epoch = 0;
}

/* Before anything is sent. */
static enum err enter(struct process *p, const char *name)
{
    static const enum err down[] = {ERR_DB_DOWN, ERR_DB_DOWN, ERR_BUSY, ERR_DB, ERR_MEMORY};
    if (++world.calls > CALLS_MAX)
        fail("p%d does not end: %s", p->number, name);
    if (chance(world.rates.yield))
        fiber_yield(name);
    if (server.is_down) {
        lose_connection(p);
        return dice(4) ? ERR_DB_DOWN : ERR_BUSY;
    }
    if (!world.is_calm && chance(world.rates.db_down)) {
        lose_connection(p);
        return down[dice(sizeof(down) / sizeof(down[0]))];
    }
    if (!world.is_calm && chance(world.rates.db_retry))
        return ERR_DB_RETRY;
    if (p->epoch != server.epoch) {
        p->epoch = server.epoch;
        p->generation++;
    }
    return ERR_OK;
}

static enum err leave(struct process *p, const char *name, enum err e)
{
    trace("  p%d %s: %s", p->number, name, e ? err_name(e) : "ok");
    if (e == ERR_DB_RETRY)
        happened(EVENT_RETRY);
    if (chance(world.rates.yield))
        fiber_yield(name);
    return e;
}

static void count_unknown(enum txn_kind kind)
{
    if (kind == TXN_TAKE)
        happened(EVENT_UNKNOWN_TAKE);
    else if (kind == TXN_GIVE)
        happened(EVENT_UNKNOWN_GIVE);
    else if (kind == TXN_FLUSH)
        happened(EVENT_UNKNOWN_FLUSH);
    else if (kind == TXN_END)
        happened(EVENT_UNKNOWN_END);
}

static enum err commit(struct process *p, struct txn *t)
{
    if (t->is_aborted || (!model_db_is_connected(p) && dice(2))) {
        txn_rollback(t);
        lose_connection(p);
        return ERR_DB_DOWN;
    }
    if (world.is_calm || (model_db_is_connected(p) && !chance(world.rates.db_lost))) {
        txn_apply(t);
        return ERR_OK;
    }
    count_unknown(t->kind);
    lose_connection(p);
    switch (dice(4)) {
    case 0:
        txn_apply(t);
        break;
    case 1:
        txn_rollback(t);
        break;
    default:
        txn_leave_open(t);
    }
    return ERR_DB_UNKNOWN;
}

/* One statement by itself, or a transaction that reads nothing back. */
static enum err run_simple(struct process *p, const char *name, enum txn_kind kind,
                           struct txn_locks locks, int account)
{
    struct txn *t = NULL;
    enum err e = enter(p, name);
    if (!e)
        e = txn_open(p, kind, locks, &t);
    if (!e) {
        t->account = account;
        e = commit(p, t);
    }
    return leave(p, name, e);
}

/* ---- processes ---- */

static enum err op_installation(void *self, char id[INSTALLATION_ID_SIZE])
{
    enum err e = enter(self, "installation");
    if (!e)
        memcpy(id, INSTALLATION, sizeof(INSTALLATION));
    return leave(self, "installation", e);
}

static int number_of(const char *process)
{
    int n = process_number(process);
    if (n < 0)
        fail("the database is asked for process %s", process);
    return n;
}

static enum err op_begin(void *self, const char *process, const char *host)
{
    (void)host;
    return run_simple(self, "begin", TXN_BEGIN,
                      (struct txn_locks){number_of(process), LOCK_POSITION | LOCK_ROW, 0}, 0);
}

static enum err op_seen(void *self, const char *process)
{
    int n = number_of(process);
    if (!tables.processes[n].exists)
        return leave(self, "seen", ERR_END);
    enum err e = run_simple(self, "seen", TXN_SEEN, (struct txn_locks){n, LOCK_ROW, 0}, 0);
    return e == ERR_DB_UNKNOWN ? ERR_DB_DOWN : e; /* a statement by itself has no COMMIT */
}

static enum err op_age(void *self, const char *process, int64_t *age_ms)
{
    const struct model_process *p = &tables.processes[number_of(process)];
    enum err e = enter(self, "age");
    if (!e && !p->exists)
        e = ERR_END;
    if (!e)
        *age_ms = world.mono_ms - p->seen_ms;
    return leave(self, "age", e);
}

static enum err op_end(void *self, const char *process)
{
    return run_simple(self, "end", TXN_END,
                      (struct txn_locks){number_of(process), LOCK_LEASES | LOCK_ROW, 0}, 0);
}

static enum err op_forget(void *self, const char *process)
{
    enum err e = run_simple(self, "forget", TXN_FORGET,
                            (struct txn_locks){number_of(process), LOCK_POSITION, 0}, 0);
    return e == ERR_DB_UNKNOWN ? ERR_DB_DOWN : e;
}

static enum err op_abandon(void *self, int64_t after_s, int *removed)
{
    enum err e = enter(self, "abandon");
    for (int n = 0; !e && n < world.processes_n; n++) {
        const struct model_process *p = &tables.processes[n];
        struct txn *t = NULL;
        if (!p->exists || p->seen_ms >= world.mono_ms - after_s * 1000)
            continue;
        e = txn_open(self, TXN_ABANDON, (struct txn_locks){n, LOCK_LEASES | LOCK_ROW, 0}, &t);
        if (e)
            break;
        /* Looked at again under the lock. */
        if (p->exists && p->seen_ms < world.mono_ms - after_s * 1000) {
            txn_apply(t);
            ++*removed;
        } else {
            txn_rollback(t);
        }
    }
    return leave(self, "abandon", e);
}

/* ---- leases ---- */

static int account_of(int64_t id)
{
    if (id < 1 || id > ACCOUNTS_N)
        fail("the database is asked for account %lld", (long long)id);
    return (int)id - 1;
}

static int64_t live_processes(void)
{
    int64_t n = 0;
    for (int p = 0; p < world.processes_n; p++)
        n += tables.processes[p].exists &&
             tables.processes[p].seen_ms > world.mono_ms - LIVE_SEEN_S * 1000;
    return n;
}

/* All of it as of one moment. */
static enum err plan_take(struct lease_take *t, int number, int account)
{
    const struct model_account *a = &tables.accounts[account];
    t->balance_nusd = t->available_nusd = a->balance_nusd;
    for (int p = 0; p < world.processes_n; p++)
        t->available_nusd -= tables.processes[p].leases[account].exists
                                 ? tables.processes[p].leases[account].amount_nusd
                                 : 0;
    t->row = txn_read_lease(number, account);
    t->granted_nusd = lease_plan(t, t->available_nusd, live_processes(),
                                 a->wanted_ms > world.mono_ms - WANTED_S * 1000);
    return t->granted_nusd ? ERR_OK : ERR_NO_FUNDS;
}

static enum err take_in(struct process *p, struct lease_take *take, struct txn *t, int number)
{
    t->account = account_of(take->account_id);
    t->n_floor = take->n_floor;
    enum err e = plan_take(take, number, t->account);
    t->amount_nusd = take->granted_nusd;
    if (!e && chance(world.rates.yield))
        fiber_yield("take"); /* between the sums and the COMMIT */
    if (!e && !t->is_aborted && !tables.processes[number].exists)
        e = ERR_END;
    if (e) {
        txn_rollback(t);
        return e;
    }
    return commit(p, t);
}

static enum err op_take(void *self, struct lease_take *take)
{
    struct txn *t = NULL;
    int number = number_of(take->process), account = account_of(take->account_id);
    enum err e = enter(self, "take");
    struct txn_locks locks = {number, LOCK_SHARED | LOCK_LEASE << account, 1u << account};
    if (!e)
        e = txn_open(self, TXN_TAKE, locks, &t);
    if (!e)
        e = take_in(self, take, t, number);
    if (!e)
        take->row = t->lease;
    trace("  p%d account %d: granted %lld of available %lld", number, account + 1,
          (long long)take->granted_nusd, (long long)take->available_nusd);
    return leave(self, "take", e);
}

static enum err op_give(void *self, struct lease_give *g)
{
    struct txn *t = NULL;
    int number = number_of(g->process), account = account_of(g->account_id);
    enum err e = enter(self, "give");
    if (!e)
        e = txn_open(self, TXN_GIVE, (struct txn_locks){number, LOCK_LEASE << account, 0}, &t);
    if (!e) {
        t->account = account;
        t->amount_nusd = g->amount_nusd;
        t->n_floor = g->n_floor;
        t->is_last = g->is_last;
        e = commit(self, t);
    }
    if (!e)
        g->row = t->lease;
    trace("  p%d account %d: gives %lld", number, account + 1, (long long)g->amount_nusd);
    return leave(self, "give", e);
}

static enum err op_want(void *self, int64_t account_id)
{
    int account = account_of(account_id);
    enum err e =
        run_simple(self, "want", TXN_WANT, (struct txn_locks){-1, 0, 1u << account}, account);
    return e == ERR_DB_UNKNOWN ? ERR_DB_DOWN : e;
}

static enum err op_wanted(void *self, const char *process, int64_t *ids, size_t max, size_t *n)
{
    enum err e = enter(self, "wanted");
    const struct model_process *p = &tables.processes[number_of(process)];
    *n = 0;
    for (int a = 0; !e && a < ACCOUNTS_N && *n < max; a++) {
        if (p->leases[a].exists && tables.accounts[a].wanted_ms > world.mono_ms - WANTED_S * 1000)
            ids[(*n)++] = a + 1;
    }
    if (*n)
        happened(EVENT_WANTED);
    return leave(self, "wanted", e);
}

static enum err op_leases(void *self, const char *process, struct lease_found **found, size_t *n,
                          uint64_t *position)
{
    int number = number_of(process);
    const struct model_process *p = &tables.processes[number];
    enum err e = enter(self, "leases");
    if (e)
        return leave(self, "leases", e);
    struct lease_found *all = malloc(ACCOUNTS_N * sizeof(*all));
    *n = 0;
    for (int a = 0; a < ACCOUNTS_N; a++) {
        if (p->leases[a].exists)
            all[(*n)++] = (struct lease_found){a + 1, txn_read_lease(number, a)};
    }
    *found = all;
    *position = p->has_position ? p->position : 0;
    return leave(self, "leases", ERR_OK);
}

/* ---- segments ---- */

static enum err fill_rows(struct txn *t, const struct usage_flush *f)
{
    if (f->rows_n > TXN_ROWS_MAX || f->accounts_n > ACCOUNTS_N)
        fail("a segment of %zu rows", f->rows_n);
    for (size_t i = 0; i < f->rows_n; i++) {
        struct request *r = oracle_find(f->rows[i].request_id);
        if (!r || r->account != f->rows[i].account_id - 1)
            fail("a usage row of no request: %s", f->rows[i].request_id);
        t->rows[i] = (struct txn_row){r, f->rows[i].cost_nusd, f->rows[i].status};
        if (r->rows || r->is_poison)
            return ERR_FORMAT;
        for (size_t k = 0; k < i; k++) {
            if (t->rows[k].request == r)
                return ERR_FORMAT;
        }
    }
    t->rows_n = (int)f->rows_n;
    return ERR_OK;
}

static enum err check_position(struct usage_flush *f, const struct model_process *p)
{
    uint64_t position = p->has_position ? p->position : 0;
    if (position == f->previous)
        return ERR_OK;
    f->position = position;
    if (position >= f->segment)
        happened(EVENT_REPEATED_FLUSH);
    return position >= f->segment ? ERR_END : ERR_RANGE;
}

static enum err flush_in(struct process *p, struct usage_flush *f, struct txn *t, int number)
{
    enum err e = check_position(f, &tables.processes[number]);
    if (!e)
        e = fill_rows(t, f);
    if (e) {
        txn_rollback(t);
        return e;
    }
    t->segment = f->segment;
    t->accounts_n = (int)f->accounts_n;
    memcpy(t->accounts, f->accounts, f->accounts_n * sizeof(*f->accounts));
    e = commit(p, t);
    for (size_t i = 0; !e && i < f->accounts_n; i++)
        f->accounts[i].row = t->accounts[i].row;
    return e;
}

static enum err op_flush(void *self, struct usage_flush *f)
{
    struct txn *t = NULL;
    int number = number_of(f->process);
    struct txn_locks locks = {number, LOCK_POSITION, 0};
    for (size_t i = 0; i < f->accounts_n; i++) {
        f->accounts[i].row = (struct lease_row){0};
        locks.rows |= f->accounts[i].cost_nusd ? LOCK_LEASE << account_of(f->accounts[i].account_id)
                                               : 0;
    }
    enum err e = enter(self, "flush");
    if (!e)
        e = txn_open(self, TXN_FLUSH, locks, &t);
    if (!e)
        e = flush_in(self, f, t, number);
    trace("  p%d segment %llu with %zu rows", number, (unsigned long long)f->segment, f->rows_n);
    return leave(self, "flush", e);
}

static enum err op_probe(void *self, struct usage_flush *f, bool *refused)
{
    enum err e = enter(self, "probe");
    if (!e)
        e = check_position(f, &tables.processes[number_of(f->process)]);
    for (size_t i = 0; !e && i < f->rows_n; i++) {
        const struct request *r = oracle_find(f->rows[i].request_id);
        refused[i] = !r || r->rows || r->is_poison;
    }
    return leave(self, "probe", e);
}

static enum err op_position(void *self, const char *process, uint64_t *position)
{
    enum err e = enter(self, "position");
    const struct model_process *p = &tables.processes[number_of(process)];
    if (!e)
        *position = p->has_position ? p->position : 0;
    return leave(self, "position", e);
}

static enum err op_known(void *self, const char *const *request_ids, size_t n, bool *known)
{
    enum err e = enter(self, "known");
    for (size_t i = 0; !e && i < n; i++) {
        const struct request *r = oracle_find(request_ids[i]);
        known[i] = r && r->rows;
    }
    return leave(self, "known", e);
}

static uint64_t op_generation(void *self)
{
    return ((const struct process *)self)->generation;
}

struct money_db_ops model_db_ops(struct process *p)
{
    return (struct money_db_ops){
        .self = p,
        .installation = op_installation,
        .begin = op_begin,
        .seen = op_seen,
        .age = op_age,
        .end = op_end,
        .forget = op_forget,
        .abandon = op_abandon,
        .take = op_take,
        .give = op_give,
        .want = op_want,
        .wanted = op_wanted,
        .leases = op_leases,
        .flush = op_flush,
        .probe = op_probe,
        .position = op_position,
        .known = op_known,
        .generation = op_generation,
    };
}

/* ---- what happens to it ---- */

bool model_db_is_down(void)
{
    return server.is_down;
}

bool model_db_is_connected(const struct process *p)
{
    return !server.is_down && p->epoch == server.epoch;
}

void model_db_outage(bool is_crash)
{
    server.is_down = true;
    if (is_crash)
        txn_crash();
}

void model_db_return(void)
{
    server.is_down = false;
    server.epoch++;
}

void model_db_failover(void)
{
    if (!txn_failover())
        return;
    world.had_failover = true;
    server.epoch++;
    server.is_down = false;
}

void model_db_drop(struct process *p)
{
    lose_connection(p);
}

bool model_db_decide(void)
{
    return txn_decide();
}

void model_db_death(const struct process *p)
{
    txn_death(p);
}

void model_db_insert(int account, int64_t nusd)
{
    txn_insert(account, nusd);
}
