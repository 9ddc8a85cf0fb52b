/* money - what the money core costs: eight processes of it, each with its threads, on one MariaDB,
 * without web server and provider. Prints lease takes per 1,000 requests for a rich, a small and
 * an almost empty account, commits and rows a second of eight busy processes, and the rate of all
 * eight on one account against the rate on eight accounts. Rates are until everything is in the
 * database. Returns 0 whatever they are, 1 when the money is wrong. */
#include "base/clock.h"
#include "tests/unit/invariants.h"
#include "tests/unit/money_kit.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    PROCESSES = 8,
    SLOTS = 64,
    THREADS_MAX = 16,
    ROUNDS = 5,
    RAMP_MS = 300,
    POLL_MS = 5,
    UPKEEP_MS = 1000
};

#define NEED_NUSD  (USD / 100) /* what a request holds: a cent */
#define RUN_MAX_US INT64_C(120000000)

/* What all processes do at once. */
struct work {
    int64_t recharge_nusd; /* of each account */
    int64_t cost_nusd;
    bool is_hot; /* all on account 1; else each on its own */
    int threads;
    int requests; /* of each thread */
    int request_ms;
};

/* What comes of it; shared by the processes. */
struct result {
    atomic_int ready;
    atomic_bool is_open; /* the gate */
    _Atomic int64_t served;
    _Atomic int64_t refused;
    _Atomic uint64_t takes;
    _Atomic uint64_t commits;
    int64_t elapsed_us;
};

struct process {
    const struct work *work;
    struct result *result;
    struct node node;
    int64_t account;
    atomic_bool is_over;
};

static struct mariadb server;

static void pause_ms(int ms)
{
    if (ms > 0)
        usleep((unsigned)ms * 1000);
}

/* ---- one process ---- */

static void *spend(void *arg)
{
    struct process *p = arg;
    for (int i = 0; i < p->work->requests; i++) {
        struct kit_request r;
        if (kit_admit(&p->node, p->account, NEED_NUSD, &r) != ERR_OK) {
            atomic_fetch_add(&p->result->refused, 1);
            continue;
        }
        pause_ms(p->work->request_ms);
        kit_finish(&p->node, &r, p->work->cost_nusd);
        atomic_fetch_add(&p->result->served, 1);
    }
    return NULL;
}

static void *keep_up(void *arg)
{
    struct process *p = arg;
    for (int64_t next_ms = clock_mono_ms(); !atomic_load(&p->is_over); pause_ms(POLL_MS)) {
        if (clock_mono_ms() < next_ms)
            continue;
        (void)money_upkeep(p->node.m);
        next_ms += UPKEEP_MS;
    }
    return NULL;
}

/* Returns what was counted, with all of it in the database. */
static struct journal_stats wait_flushed(struct process *p)
{
    struct journal_stats st;
    for (;;) {
        journal_stats(p->node.m, &st);
        if (st.unflushed_segments == 0)
            return st;
        pause_ms(POLL_MS);
    }
}

static _Noreturn void run_process(const struct work *work, struct result *result, int index)
{
    pthread_t threads[THREADS_MAX];
    pthread_t upkeep;
    struct process p = {.work = work,
                        .result = result,
                        .node = node_start(&server, SLOTS),
                        .account = work->is_hot ? 1 : 1 + index};
    if (pthread_create(&upkeep, NULL, keep_up, &p) != 0)
        _exit(2);
    atomic_fetch_add(&result->ready, 1);
    while (!atomic_load(&result->is_open))
        pause_ms(1);
    for (int i = 0; i < work->threads; i++)
        if (pthread_create(&threads[i], NULL, spend, &p) != 0)
            _exit(2);
    for (int i = 0; i < work->threads; i++)
        pthread_join(threads[i], NULL);
    struct journal_stats st = wait_flushed(&p);
    atomic_fetch_add(&result->takes, st.takes);
    atomic_fetch_add(&result->commits, st.commits);
    atomic_fetch_sub(&result->ready, 1);
    atomic_store(&p.is_over, true);
    pthread_join(upkeep, NULL);
    node_stop(&p.node);
    _exit(0);
}

/* ---- all of them ---- */

static void set_config(void)
{
    struct config *c = server.config; /* as the product has them */
    c->journal_segment_ms = 200;
    c->journal_segment_rows = 100;
    c->lease_idle_ms = 3000;
    c->lease_max_nusd = 5 * USD;
}

static void check_money(void)
{
    const char *broken = invariants_broken(&server, INVARIANTS_DRAINED);
    if (broken == NULL)
        return;
    printf("the money is wrong: %s\n", broken);
    mariadb_stop(&server);
    exit(1);
}

static void wait_children(void)
{
    int status = 0;
    for (int i = 0; i < PROCESSES; i++) {
        if (wait(&status) > 0 && status == 0)
            continue;
        printf("a process ended with status %d\n", status);
        mariadb_stop(&server);
        exit(1);
    }
}

static struct result run_work(const struct work *work)
{
    struct result *shared =
        mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED)
        exit(2);
    kit_begin(&server);
    set_config();
    for (int account = 1; account <= PROCESSES; account++)
        kit_recharge(&server, account, work->recharge_nusd);
    fflush(stdout);
    for (int i = 0; i < PROCESSES; i++) {
        pid_t pid = fork();
        if (pid < 0)
            exit(2);
        if (pid == 0)
            run_process(work, shared, i);
    }
    while (atomic_load(&shared->ready) < PROCESSES)
        pause_ms(POLL_MS);
    pause_ms(RAMP_MS);
    int64_t begun_us = clock_mono_us();
    atomic_store(&shared->is_open, true);
    while (atomic_load(&shared->ready) > 0 && clock_mono_us() < begun_us + RUN_MAX_US)
        pause_ms(1);
    shared->elapsed_us = clock_mono_us() - begun_us;
    wait_children();
    check_money();
    struct result r = *shared;
    munmap(shared, sizeof(*shared));
    return r;
}

static double per_second(int64_t n, const struct result *r)
{
    return (double)n * 1e6 / (double)r->elapsed_us;
}

static void show_leases(const char *name, int64_t balance_nusd)
{
    struct work work = {.recharge_nusd = balance_nusd,
                        .cost_nusd = 1000,
                        .is_hot = true,
                        .threads = 2,
                        .requests = 500,
                        .request_ms = 5};
    struct result r = run_work(&work);
    printf("lease takes per 1,000 requests, %-32s %8.1f   (%" PRId64 " served, %" PRId64
           " refused)\n",
           name, (double)r.takes * 1000 / (double)r.served, r.served, r.refused);
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *values)
{
    qsort(values, ROUNDS, sizeof(values[0]), compare);
    return values[ROUNDS / 2];
}

/* The two take turns, so that the ratio holds where the rates do not. */
static void show_rates(void)
{
    double rows[2][ROUNDS];
    double commits[ROUNDS] = {0};
    struct work work = {
        .recharge_nusd = 10000 * USD, .cost_nusd = USD / 200, .threads = 4, .requests = 1000};
    for (int round = 0; round < ROUNDS; round++) {
        for (int is_hot = 0; is_hot < 2; is_hot++) {
            work.is_hot = is_hot;
            struct result r = run_work(&work);
            rows[is_hot][round] = per_second(r.served, &r);
            if (!is_hot)
                commits[round] = per_second((int64_t)r.commits, &r);
        }
    }
    double spread = median(rows[0]);
    double hot = median(rows[1]);
    printf("8 busy processes, 8 accounts: segment commits a second %27.0f\n", median(commits));
    printf("8 busy processes, 8 accounts: requests a second %34.0f\n", spread);
    printf("8 busy processes, 1 account: requests a second %35.0f\n", hot);
    printf("1 account against 8 accounts, goal at least 80 %% %33.0f %% %s\n", 100 * hot / spread,
           hot >= 0.8 * spread ? "ok" : "MISSED");
}

int main(void)
{
    mariadb_start_own(&server);
    show_leases("rich (1,000 USD)", 1000 * USD);
    show_leases("small (100 holds)", USD);
    show_leases("almost empty (8 holds)", USD / 100 * 8);
    show_rates();
    mariadb_stop(&server);
    return 0;
}
