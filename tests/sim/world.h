/* world - what one run of the simulator consists of: a seed, simulated time, hosts, processes, and the dice.
 *
 * A run is one seed in one thread. All of it is decided by the seed: the same seed gives the same run on every machine. Everything here is reset by world_begin. */
#ifndef AIPASS_TESTS_WORLD_H
#define AIPASS_TESTS_WORLD_H

#include "db/money_core.h"
#include "tests/sim/events.h"

#include <stdbool.h>
#include <stdint.h>

#define HOSTS_N       2
#define PROCESSES_MAX 24 /* in a whole run */
#define ALIVE_MAX     4  /* at a time */
#define ACCOUNTS_N    3
#define SLOTS_N       4
#define RUNNING_MAX   6 /* requests of one process: more than it has slots */
#define SPOOL_ROOT    "/spool"

struct fiber;

struct process {
    int number; /* from 0; its id tells it */
    int host;
    bool is_alive;
    bool has_thread;
    bool is_stopping; /* money_stop was called or is about to be */
    bool is_doomed;   /* dies at the next switch */
    bool is_frozen;
    int faults; /* of its disk operations */
    int64_t thaw_ms;
    struct money *m;
    struct fiber *upkeep;
    int running;         /* request fibers */
    uint64_t epoch;      /* of the database that its connections belong to */
    uint64_t generation; /* what the pool would tell */
    bool is_lagging;     /* the database lost commits, and it has not looked for them yet */
    bool is_by_loss
        [ACCOUNTS_N]; /* excused only by lost commits: once it knows of them it spends no more */
    int64_t excess_nusd[ACCOUNTS_N]; /* of what it needs over its lease, as it knew of them */
    bool is_excused[ACCOUNTS_N]; /* its lease was taken from it: it may spend what is not there */
};

/* 1 in n; 0: never. Each seed draws its own, so that most runs meet few kinds of trouble and some meet much of one. */
struct rates {
    uint32_t yield;     /* another fiber runs in the middle of an operation */
    uint32_t db_down;   /* an operation fails, nothing applied */
    uint32_t db_retry;  /* loses against others */
    uint32_t db_lost;   /* COMMIT without an answer */
    uint32_t disk_io;   /* a write fails, with a part written */
    uint32_t disk_full; /* no room */
    uint32_t disk_sync; /* a sync fails and its pages count as clean */
    uint32_t disk_read; /* a read fails */
    uint32_t disk_name; /* making, renaming or removing a name fails */
    uint32_t torn_kill; /* SIGKILL in the middle of a write */
};

/* Weights of what the driver does; see actions.c. */
enum action {
    ACT_RESUME,
    ACT_REQUEST,
    ACT_UPKEEP,
    ACT_START,
    ACT_STOP,
    ACT_KILL,
    ACT_POWER,
    ACT_FREEZE,
    ACT_OUTAGE,
    ACT_FAILOVER,
    ACT_DROP,
    ACT_DECIDE,
    ACT_RECHARGE,
    ACT_ADJUST,
    ACT_PAUSE,
    ACT_WALL,
    ACT_COUNT
};

struct world {
    uint64_t seed;
    uint64_t random;
    int64_t mono_ms;
    int64_t wall_ahead_ms[HOSTS_N];
    struct rates rates;
    uint32_t poison; /* 1 in n rows is refused by the database */
    uint32_t free;   /* 1 in n requests costs nothing */
    uint32_t weights[ACT_COUNT];
    uint32_t weights_sum;
    struct config config;
    struct process processes[PROCESSES_MAX];
    int processes_n;
    bool is_calm; /* nothing fails any more */
    bool had_failover;
    bool had_reject_unsynced
        [HOSTS_N];          /* a sync of spool/rejected failed: its next one proves nothing */
    bool had_torn[HOSTS_N]; /* a process was killed in a write, or one failed */
    bool had_power_cut[HOSTS_N];
    uint64_t ids;   /* request ids given out */
    uint32_t calls; /* operations since the last step of the driver */
    uint64_t steps;
};

extern struct world world;

/* world_begin - a new world for a seed. */
void world_begin(uint64_t seed);

/* dice - 0..n-1; n > 0. chance - 1 in n; 0: never. */
uint32_t dice(uint32_t n);
bool chance(uint32_t n);

/* A process's number by its id. -1: it is none of this run's. */
int process_number(const char *id);

/* ---- what happened ---- */

enum trace_mode { TRACE_NONE, TRACE_LAST, TRACE_ALL };
extern enum trace_mode trace_mode;

/* trace - a line of what happens; kept for a failure's report (TRACE_LAST) or printed (TRACE_ALL). */
void trace_line(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
#define trace(...)                                                                                 \
    do {                                                                                           \
        if (trace_mode != TRACE_NONE)                                                              \
            trace_line(__VA_ARGS__);                                                               \
    } while (0)

/* fail - an invariant is broken: reports it with the seed (and with TRACE_LAST the last lines) and ends the program. */
void fail(const char *fmt, ...) __attribute__((format(printf, 1, 2), noreturn));
/* On abort, a crash, or no end: the same report. */
void fail_on_signals(void);

#define EXIT_VIOLATION 3

#endif
