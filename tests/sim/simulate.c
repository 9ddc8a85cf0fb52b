/* simulate - runs seeds.
 *
 *   build/tests/sim/sim                    100,000 seeds from 1 on, the fixed set of `make test`
 *   build/tests/sim/sim --seeds A..B       these
 *   build/tests/sim/sim --seconds S        from --from (or the clock) on, for so long
 *   build/tests/sim/sim --seed N           one, with its last steps when it fails
 *   build/tests/sim/sim --seed N --verbose one, every step
 *
 * 20,000 seeds and more are followed by how often each kind of trouble happened: one that never did is a failure. The last line is 'N passed, N failed'. A failing seed ends the run: it is printed with what is broken, and run again for the last of what happened before. */
#include "base/log.h"
#include "tests/sim/actions.h"
#include "tests/sim/events.h"
#include "tests/sim/fiber.h"
#include "tests/sim/heap.h"
#include "tests/sim/model_db.h"
#include "tests/sim/model_disk.h"
#include "tests/sim/oracle.h"

#include <getopt.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define SEEDS_FIXED   100000
#define SEEDS_TELLING 20000 /* all kinds of trouble happen in so many */
#define STEPS_MIN     60
#define STEPS_MORE    200
#define WORKERS_MAX   16
#define SEEDS_AT_ONCE 64
#define SEED_SECONDS  20 /* no run of one seed takes so long */

void __wrap_log_write(enum log_level level, struct log_site *site, const char *event,
                      const char *fmt, ...) __attribute__((format(printf, 4, 5)));
const char *__asan_default_options(void);

/* What a killed process had allocated or opened is not a leak. */
const char *__asan_default_options(void)
{
    return "detect_leaks=0:detect_stack_use_after_return=0";
}

/* The core's log lines are part of the trace. */
void __wrap_log_write(enum log_level level, struct log_site *site, const char *event,
                      const char *fmt, ...)
{
    char text[200];
    (void)level;
    (void)site;
    if (trace_mode == TRACE_NONE)
        return;
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    trace("  log: %s %s", event, text);
}

/* ---- seeds ---- */

static void run_seed(uint64_t seed)
{
    heap_reset();
    fiber_drop_all();
    world_begin(seed);
    oracle_begin();
    model_disk_begin();
    model_db_begin();
    actions_begin();
    uint32_t steps = STEPS_MIN + dice(STEPS_MORE);
    while (world.steps < steps)
        actions_step();
    actions_drain();
}

struct shared {
    _Atomic uint64_t next; /* seed to be run */
    _Atomic uint64_t passed;
    uint64_t end; /* of the seeds; UINT64_MAX: none */
    int64_t until_ms;
    atomic_bool is_over;
    _Atomic uint64_t failed_seed;
    atomic_bool has_failed;
    uint64_t running[WORKERS_MAX];
    struct events events;
};

static struct shared *shared;

static int64_t now_ms(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void work(int worker)
{
    while (!shared->is_over && now_ms() < shared->until_ms) {
        uint64_t first = atomic_fetch_add(&shared->next, SEEDS_AT_ONCE);
        (void)alarm(SEED_SECONDS);
        for (uint64_t s = first; s < first + SEEDS_AT_ONCE && s < shared->end && !shared->is_over;
             s++) {
            shared->running[worker] = s;
            run_seed(s);
            events_add(&shared->events);
            atomic_fetch_add(&shared->passed, 1);
        }
        if (first + SEEDS_AT_ONCE >= shared->end)
            break;
    }
}

static pid_t start_worker(int worker)
{
    (void)fflush(stdout);
    pid_t pid = fork();
    if (pid < 0)
        abort();
    if (pid)
        return pid;
    fail_on_signals();
    work(worker);
    (void)fflush(stdout);
    _exit(0);
}

/* Again, for what happened before. */
static void run_again(uint64_t seed)
{
    (void)fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        trace_mode = TRACE_LAST;
        fail_on_signals();
        (void)alarm(SEED_SECONDS);
        run_seed(seed);
        printf("seed %llu: passes when it is run by itself\n", (unsigned long long)seed);
        (void)fflush(stdout);
        _exit(0);
    }
    (void)waitpid(pid, NULL, 0);
}

static int run_seeds(int workers)
{
    pid_t pids[WORKERS_MAX];
    int64_t began = now_ms();
    for (int i = 0; i < workers; i++)
        pids[i] = start_worker(i);
    for (int i = 0; i < workers; i++) {
        int status = 0;
        pid_t pid = wait(&status);
        if (!status)
            continue;
        for (int k = 0; k < workers; k++) {
            if (pids[k] == pid && !atomic_exchange(&shared->has_failed, true))
                shared->failed_seed = shared->running[k];
        }
        shared->is_over = true;
    }
    int64_t ms = now_ms() - began;
    unsigned long long passed = shared->passed;
    if (shared->has_failed)
        run_again(shared->failed_seed);
    printf("%llu seeds in %.1f s with %d workers: %.0f a minute\n", passed, (double)ms / 1000,
           workers, ms ? (double)passed * 60000 / (double)ms : 0);
    if (shared->has_failed)
        printf("again: build/tests/sim/sim --seed %llu --verbose\n",
               (unsigned long long)shared->failed_seed);
    int failed = shared->has_failed;
    if (!failed && passed >= SEEDS_TELLING) {
        events_print(&shared->events);
        failed += events_missing(&shared->events);
    }
    printf("%llu passed, %d failed\n", passed, failed);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

static int run_one(uint64_t seed, bool is_verbose)
{
    trace_mode = is_verbose ? TRACE_ALL : TRACE_LAST;
    fail_on_signals();
    run_seed(seed);
    printf("seed %llu: %llu steps, %d requests, %d processes\n", (unsigned long long)seed,
           (unsigned long long)world.steps, requests_n, world.processes_n);
    printf("1 passed, 0 failed\n");
    return EXIT_SUCCESS;
}

/* ---- the command line ---- */

static int usage(void)
{
    fprintf(
        stderr,
        "usage: sim [--seed N [--verbose]] [--seeds A..B] [--from N] [--seconds S] [--jobs N]\n");
    return 2;
}

static const struct option options[] = {
    {"seed",             required_argument, NULL, 's'},
    {"seeds",              required_argument, NULL, 'r'},
    {"from",                  required_argument, NULL, 'f'},
    {"seconds",required_argument, NULL, 't'},
    {"jobs",               required_argument, NULL, 'j'},
    {"verbose",             no_argument, NULL, 'v'},
    {0             },
};

struct arguments {
    const char *seed;
    unsigned long long from, to;
    long seconds, jobs;
    bool is_verbose, is_from;
};

static bool read_arguments(int argc, char **argv, struct arguments *a)
{
    int c;
    while ((c = getopt_long(argc, argv, "", options, NULL)) >= 0) {
        switch (c) {
        case 's':
            a->seed = optarg;
            break;
        case 'r':
            if (sscanf(optarg, "%llu..%llu", &a->from, &a->to) != 2)
                return false;
            break;
        case 'f':
            a->from = strtoull(optarg, NULL, 10);
            a->is_from = true;
            break;
        case 't':
            a->seconds = strtol(optarg, NULL, 10);
            break;
        case 'j':
            a->jobs = strtol(optarg, NULL, 10);
            break;
        case 'v':
            a->is_verbose = true;
            break;
        default:
            return false;
        }
    }
    return optind == argc && a->jobs >= 1 && a->jobs <= WORKERS_MAX;
}

int main(int argc, char **argv)
{
    struct arguments a = {.from = 1, .to = SEEDS_FIXED, .jobs = sysconf(_SC_NPROCESSORS_ONLN)};
    if (a.jobs > WORKERS_MAX)
        a.jobs = WORKERS_MAX;
    if (!read_arguments(argc, argv, &a))
        return usage();
    if (a.seed)
        return run_one(strtoull(a.seed, NULL, 10), a.is_verbose);
    shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED)
        return EXIT_FAILURE;
    if (a.seconds && !a.is_from)
        a.from = (unsigned long long)time(NULL) * 1000000;
    shared->next = a.from;
    shared->end = a.seconds ? UINT64_MAX : a.to + 1;
    shared->until_ms = a.seconds ? now_ms() + a.seconds * 1000 : INT64_MAX;
    printf("seeds from %llu on\n", a.from);
    return run_seeds((int)a.jobs);
}
