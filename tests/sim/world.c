#include "tests/sim/world.h"

#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define POISON_RARE    40
#define POISON_OFTEN   3
#define LOSSES_ONCE    6
#define FREE_RARE      8
#define FREE_OFTEN     2
#define LINES_KEPT     60
#define LINE_SIZE      240
#define SIGNAL_STACK   65536
#define FIRST_WALL_MS  INT64_C(1790000000000)
#define MONO_START_MS  1000000
#define ID_DIGITS      6
#define ID_PREFIX_SIZE (ULID_CHARS - ID_DIGITS)

struct world world;
enum trace_mode trace_mode;

static char lines[LINES_KEPT][LINE_SIZE];
static unsigned lines_n;

/* ---- dice ---- */

/* splitmix64 */
static uint64_t random_next(void)
{
    uint64_t z = world.random += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

uint32_t dice(uint32_t n)
{
    return (uint32_t)((random_next() >> 32) * n >> 32);
}

bool chance(uint32_t n)
{
    return n && dice(n) == 0;
}

/* ---- the seed's character ---- */

/* Off in most seeds; else 1 in low..high. */
static uint32_t draw_rate(uint32_t off_in_8, uint32_t low, uint32_t high)
{
    if (dice(8) < off_in_8)
        return 0;
    return low + dice(high - low + 1);
}

static void draw_rates(void)
{
    world.rates = (struct rates){
        .yield = 1 + dice(6),
        .db_down = draw_rate(5, 5, 40),
        .db_retry = draw_rate(5, 5, 40),
        .db_lost = draw_rate(3, 3, 30),
        .disk_io = draw_rate(6, 4, 60),
        .disk_full = draw_rate(6, 3, 20),
        .disk_sync = draw_rate(5, 2, 10),
        .disk_read = draw_rate(6, 5, 40),
        .disk_name = draw_rate(7, 5, 40),
        .torn_kill = draw_rate(6, 20, 100),
    };
}

static void draw_weights(void)
{
    world.free = dice(6) ? FREE_RARE : FREE_OFTEN;
    world.poison = dice(6) ? POISON_RARE : POISON_OFTEN;
    const uint32_t weights[ACT_COUNT] = {
        [ACT_RESUME] = 1100,
        [ACT_REQUEST] = 150 + dice(150),
        [ACT_UPKEEP] = 30 + dice(100),
        [ACT_START] = 60,
        [ACT_STOP] = draw_rate(4, 2, 12),
        [ACT_KILL] = draw_rate(3, 2, 20),
        [ACT_POWER] = draw_rate(5, 2, 12),
        [ACT_FREEZE] = draw_rate(6, 2, 10),
        [ACT_OUTAGE] = draw_rate(6, 2, 12),
        [ACT_FAILOVER] = draw_rate(6, 2, 12),
        [ACT_DROP] = draw_rate(6, 2, 15),
        [ACT_DECIDE] = dice(40),
        [ACT_RECHARGE] = 10,
        [ACT_ADJUST] = draw_rate(6, 2, 10),
        [ACT_PAUSE] = draw_rate(4, 2, 15),
        [ACT_WALL] = draw_rate(6, 2, 10),
    };
    memcpy(world.weights, weights, sizeof(weights));
    world.weights_sum = 0;
    for (int i = 0; i < ACT_COUNT; i++)
        world.weights_sum += weights[i];
}

static void draw_config(void)
{
    static char spool[] = SPOOL_ROOT;
    world.config = (struct config){
        .spool_dir = spool,
        .journal_sync_request = dice(3) == 0,
        .journal_segment_ms = 20 + dice(600),
        .journal_segment_rows = 1 + dice(8),
        /* Where commits get lost, long enough for the loss to be seen. */
        .journal_keep_ms = dice(2) && !world.weights[ACT_FAILOVER] ? dice(3000) : 600000,
        .lease_max_nusd = dice(2) ? 1 + dice(2000) : 1000000,
        .lease_wait_ms = dice(400),
        .lease_idle_ms = 300 + dice(3000),
        .abandon_after_s = 60,
    };
}

/* Some seeds are about a database that often loses commits, many small ones, while little else fails. */
static void draw_losses(void)
{
    const uint32_t loss = 10 + dice(50);
    world.weights_sum += loss - world.weights[ACT_FAILOVER];
    world.weights[ACT_FAILOVER] = loss;
    world.free = 1 + dice(FREE_RARE);
    world.rates.disk_read = dice(2) ? 2 + dice(8) : 0;
    world.config.journal_segment_rows = 1 + dice(2);
    world.config.journal_segment_ms = 20;
    world.config.journal_keep_ms = 600000;
}

void world_begin(uint64_t seed)
{
    memset(&world, 0, sizeof(world));
    world.seed = seed;
    world.random = seed * UINT64_C(0xd1342543de82ef95) + 1;
    world.mono_ms = MONO_START_MS;
    for (int h = 0; h < HOSTS_N; h++)
        world.wall_ahead_ms[h] = FIRST_WALL_MS;
    lines_n = 0;
    draw_rates();
    draw_weights();
    draw_config();
    if (!dice(LOSSES_ONCE))
        draw_losses();
}

int process_number(const char *id)
{
    int n = 0;
    for (int i = ID_PREFIX_SIZE; i < ULID_CHARS; i++)
        n = n * 10 + (id[i] - '0');
    return n >= 0 && n < world.processes_n && strcmp(world.processes[n].m->id, id) == 0 ? n : -1;
}

/* ---- reports ---- */

void trace_line(const char *fmt, ...)
{
    char *line = lines[lines_n++ % LINES_KEPT];
    int n = snprintf(line, LINE_SIZE, "%5llu %7lld ", (unsigned long long)world.steps,
                     (long long)(world.mono_ms - MONO_START_MS));
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(line + n, (size_t)(LINE_SIZE - n), fmt, args);
    va_end(args);
    if (trace_mode == TRACE_ALL)
        puts(line);
}

static void report(void)
{
    if (trace_mode == TRACE_LAST) {
        printf("the last of what happened (step, ms):\n");
        unsigned first = lines_n > LINES_KEPT ? lines_n - LINES_KEPT : 0;
        for (unsigned i = first; i < lines_n; i++)
            printf("  %s\n", lines[i % LINES_KEPT]);
    }
    (void)fflush(stdout);
}

void fail(const char *fmt, ...)
{
    va_list args;
    report();
    printf("seed %llu: step %llu: ", (unsigned long long)world.seed,
           (unsigned long long)world.steps);
    va_start(args, fmt);
    (void)vprintf(fmt, args);
    va_end(args);
    printf("\n");
    (void)fflush(stdout);
    _exit(EXIT_VIOLATION);
}

static void on_signal(int number)
{
    fail("%s", number == SIGALRM ? "does not end" : strsignal(number));
}

void fail_on_signals(void)
{
    static char stack[SIGNAL_STACK];
    static const int numbers[] = {SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGALRM};
    stack_t alternate = {.ss_sp = stack, .ss_size = sizeof(stack)};
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_ONSTACK};
    (void)sigaltstack(&alternate, NULL);
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
        (void)sigaction(numbers[i], &action, NULL);
}
