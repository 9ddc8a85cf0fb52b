#include "tests/sim/actions.h"

#include "tests/sim/fiber.h"
#include "tests/sim/model_clock.h"
#include "tests/sim/model_db.h"
#include "tests/sim/model_disk.h"
#include "tests/sim/oracle.h"

#define STEP_MS          80  /* at most, between two steps */
#define SHORT_WAIT_MS    250 /* the driver may let so much time pass so that a wait ends */
#define STOP_MS          3000
#define PAUSE_MS         20000
#define FREEZE_MS        100000
#define BALANCE_SMALL    2000
#define BALANCE_LARGE    100000
#define HOUR_MS          3600000
#define MONTH_MS         INT64_C(2000000000) /* 23 days: twice as much is a dice */
#define DRAIN_TURNS_MAX  50
#define WALL_AHEAD_MS    INT64_C(100000000000)
#define DRAIN_STEP_MS    20
#define DRAIN_TURN_MS    5100 /* adoption is due in each turn */
#define DRAIN_PASSES_MAX 3000

/* ---- processes ---- */

static int alive_processes(void)
{
    int n = 0;
    for (int i = 0; i < world.processes_n; i++)
        n += world.processes[i].is_alive;
    return n;
}

static struct process *start(int host, bool has_thread)
{
    struct process *p = &world.processes[world.processes_n];
    *p = (struct process){
        .number = world.processes_n, .host = host, .is_alive = true, .has_thread = has_thread};
    struct money_ops ops = {
        .clock = model_clock_ops(p), .db = model_db_ops(p), .disk = model_disk_ops(p)};
    world.processes_n++;
    p->m = money_new_with(&ops, &world.config, SLOTS_N);
    if (alive_processes() > 2)
        happened(EVENT_TOGETHER);
    trace("p%d starts on host %d%s", p->number, host, p->has_thread ? "" : " without a thread");
    if (p->has_thread && money_start(p->m))
        fail("money_start");
    return p;
}

static void kill_process(struct process *p, const char *why)
{
    trace("p%d: %s", p->number, why);
    if (p->upkeep)
        happened(EVENT_KILL_IN_UPKEEP);
    oracle_death(p);
    p->is_alive = false;
    fiber_drop(p);
    model_db_death(p);
    model_disk_death(p);
}

static struct process *pick_process(void)
{
    struct process *all[PROCESSES_MAX];
    uint32_t n = 0;
    for (int i = 0; i < world.processes_n; i++) {
        if (world.processes[i].is_alive && !world.processes[i].is_frozen)
            all[n++] = &world.processes[i];
    }
    return n ? all[dice(n)] : NULL;
}

static void run_upkeep(void *arg)
{
    struct process *p = arg;
    (void)money_upkeep(p->m);
    p->upkeep = NULL;
}

static void start_upkeep(struct process *p)
{
    if (p->upkeep)
        return;
    p->upkeep = fiber_start(p, "upkeep", run_upkeep, p);
    fiber_resume(p->upkeep);
}

/* The end of main: what runs beside it when it returns is killed. */
static void run_stop(void *arg)
{
    struct process *p = arg;
    money_stop(p->m, world.is_calm ? STOP_MS : dice(STOP_MS));
    (void)money_upkeep(p->m);
    p->upkeep = NULL;
    p->is_doomed = true;
}

static void start_stop(struct process *p)
{
    if (p->upkeep)
        return;
    p->is_stopping = true;
    happened(EVENT_STOP);
    trace("p%d stops", p->number);
    p->upkeep = fiber_start(p, "stop", run_stop, p);
    fiber_resume(p->upkeep);
}

static void bury(void)
{
    for (int i = 0; i < world.processes_n; i++) {
        struct process *p = &world.processes[i];
        if (p->is_alive && p->is_doomed)
            kill_process(p, "ends");
        if (p->is_frozen && world.mono_ms >= p->thaw_ms)
            p->is_frozen = false;
    }
}

/* ---- single steps ---- */

static void resume(void)
{
    struct fiber *f = fiber_pick();
    if (!f)
        return;
    int64_t left = fiber_wake_ms(f) - world.mono_ms;
    /* A wait ends early, or time passes until it ends. */
    if (fiber_wake_ms(f) && left > 0 && left <= SHORT_WAIT_MS && dice(2))
        world.mono_ms += left;
    fiber_resume(f);
}

static void cut_power(int host)
{
    trace("host %d loses power", host);
    for (int i = 0; i < world.processes_n; i++) {
        if (world.processes[i].is_alive && world.processes[i].host == host)
            kill_process(&world.processes[i], "loses power");
    }
    happened(EVENT_POWER_CUT);
    oracle_power_cut(host);
    model_disk_power_cut(host);
}

static void freeze(struct process *p)
{
    p->is_frozen = true;
    happened(EVENT_FREEZE);
    p->thaw_ms = world.mono_ms + dice(FREEZE_MS);
    trace("p%d is frozen for %lld ms", p->number, (long long)(p->thaw_ms - world.mono_ms));
    if (dice(2))
        world.mono_ms = p->thaw_ms;
}

static void toggle_outage(void)
{
    if (model_db_is_down()) {
        model_db_return();
        trace("the database is back");
        return;
    }
    bool is_crash = dice(2);
    happened(is_crash ? EVENT_SERVER_CRASH : EVENT_OUTAGE);
    trace("the database is gone%s", is_crash ? " (crash)" : "");
    model_db_outage(is_crash);
}

static void insert(bool is_adjustment)
{
    int account = (int)dice(ACCOUNTS_N);
    int64_t nusd = 1 + (int64_t)dice(BALANCE_SMALL);
    trace("account %d: %s of %lld", account + 1, is_adjustment ? "adjustment" : "recharge",
          (long long)nusd);
    if (is_adjustment)
        happened(EVENT_ADJUSTMENT);
    model_db_insert(account, is_adjustment ? -nusd : nusd);
}

/* To an hour, or to a month, whose end may lie between. */
static void jump(int host)
{
    int64_t most = dice(4) ? HOUR_MS : MONTH_MS, ms = (int64_t)dice((uint32_t)(2 * most)) - most;
    trace("host %d: the clock jumps by %lld ms", host, (long long)ms);
    happened(ms < 0 ? EVENT_CLOCK_BACK : EVENT_CLOCK_FORWARD);
    world.wall_ahead_ms[host] += ms;
}

static void act_on(struct process *p, enum action what)
{
    switch (what) {
    case ACT_REQUEST:
        request_start(p);
        break;
    case ACT_UPKEEP:
        start_upkeep(p);
        break;
    case ACT_STOP:
        start_stop(p);
        break;
    case ACT_KILL:
        happened(EVENT_KILL);
        kill_process(p, "is killed");
        break;
    case ACT_FREEZE:
        freeze(p);
        break;
    case ACT_DROP:
        happened(EVENT_LOST_CONNECTIONS);
        model_db_drop(p);
        break;
    default:
        fail("an action %d", (int)what);
    }
}

static void act(enum action what)
{
    struct process *p;
    switch (what) {
    case ACT_RESUME:
        resume();
        break;
    case ACT_START:
        if (alive_processes() < ALIVE_MAX && world.processes_n < PROCESSES_MAX - HOSTS_N)
            (void)start((int)dice(HOSTS_N), dice(4) > 0);
        break;
    case ACT_POWER:
        cut_power((int)dice(HOSTS_N));
        break;
    case ACT_OUTAGE:
        toggle_outage();
        break;
    case ACT_FAILOVER:
        trace("failover");
        model_db_failover();
        break;
    case ACT_DECIDE:
        (void)model_db_decide();
        break;
    case ACT_RECHARGE:
    case ACT_ADJUST:
        insert(what == ACT_ADJUST);
        break;
    case ACT_PAUSE:
        world.mono_ms += dice(PAUSE_MS);
        break;
    case ACT_WALL:
        jump((int)dice(HOSTS_N));
        break;
    default:
        p = pick_process();
        if (p)
            act_on(p, what);
    }
}

static enum action draw(void)
{
    uint32_t at = dice(world.weights_sum);
    int what = 0;
    while (at >= world.weights[what])
        at -= world.weights[what++];
    return (enum action)what;
}

void actions_step(void)
{
    world.steps++;
    world.mono_ms += dice(STEP_MS);
    act(draw());
    bury();
    oracle_check();
}

void actions_begin(void)
{
    for (int a = 0; a < ACCOUNTS_N; a++)
        model_db_insert(a, 1 + (int64_t)dice(dice(2) ? BALANCE_SMALL : BALANCE_LARGE));
    (void)start(0, dice(4) > 0);
    (void)start((int)dice(HOSTS_N), dice(4) > 0);
}

/* ---- the end ---- */

/* All fibers in turn until none is left but journal threads. */
static void run_all(void)
{
    for (int pass = 0;; pass++) {
        bool any = false;
        int at = 0;
        if (pass == DRAIN_PASSES_MAX)
            fail("requests or stops do not end");
        for (struct fiber *f; (f = fiber_next(&at));) {
            bool is_journal = fiber_name(f)[0] == 'j';
            any = any || !is_journal;
            world.steps++;
            fiber_resume(f);
            bury();
        }
        oracle_check();
        if (!any)
            return;
        world.mono_ms += DRAIN_STEP_MS;
    }
}

static bool is_anything_left(void)
{
    for (int n = 0; n < world.processes_n; n++) {
        if (tables.processes[n].exists && !world.processes[n].is_alive)
            return true;
    }
    for (int h = 0; h < HOSTS_N; h++) {
        if (model_disk_directories(h))
            return true;
    }
    return false;
}

/* Nothing is reserved any more: all of a balance can be held. */
static void check_available(struct process *p)
{
    struct hold hold;
    for (int a = 0; a < ACCOUNTS_N; a++) {
        int64_t balance = tables.accounts[a].balance_nusd;
        if (balance <= 0)
            continue;
        if (hold_open(p->m, a + 1, balance, &hold, NULL))
            fail("account %d: its balance of %lld cannot be held", a + 1, (long long)balance);
        hold_cancel(p->m, &hold);
    }
}

static void run_available(void *arg)
{
    check_available(arg);
}

static void stop_all(void)
{
    for (int i = 0; i < world.processes_n; i++) {
        if (world.processes[i].is_alive && !world.processes[i].upkeep)
            start_stop(&world.processes[i]);
    }
    run_all();
}

void actions_drain(void)
{
    trace("calm");
    world.is_calm = true;
    world.rates = (struct rates){.yield = world.rates.yield};
    if (model_db_is_down())
        model_db_return();
    while (model_db_decide())
        continue;
    for (int i = 0; i < world.processes_n; i++)
        world.processes[i].is_frozen = false;
    for (int h = 0; h < HOSTS_N; h++)
        world.wall_ahead_ms[h] += WALL_AHEAD_MS; /* of all jumps */
    run_all();
    stop_all();
    struct process *last[HOSTS_N];
    for (int h = 0; h < HOSTS_N; h++)
        last[h] = start(h, true);
    for (int turn = 0; is_anything_left(); turn++) {
        if (turn == DRAIN_TURNS_MAX)
            break; /* the check tells what is left */
        world.mono_ms += DRAIN_TURN_MS;
        for (int h = 0; h < HOSTS_N; h++)
            start_upkeep(last[h]);
        run_all();
    }
    (void)fiber_start(last[0], "available", run_available, last[0]);
    run_all();
    stop_all();
    oracle_check();
    oracle_check_end();
}
