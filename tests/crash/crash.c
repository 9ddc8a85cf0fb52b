/* crash - a load of clients while the gateway is killed at each fault point (base/fault.h), and
 * while MariaDB, the web server and the disks fail; after each run the money must be right to the
 * last digit (audit.h). Needs a gateway built with FAULTS=1.
 *
 *   crash [--seed N] [--runs N] [--seconds N] [WORD]...
 *
 * All scenarios whose name contains one of the words (all without any), --runs of each. With
 * --seconds: one run of each in random order, as many as fit. Everything random follows from the
 * seed, but for what the scheduler does. $AIPASS_E2E_KEEP keeps the files. Ends with
 * "N passed, N failed"; returns 0 when none failed. */
#include "tests/crash/audit.h"
#include "tests/crash/load.h"
#include "tests/crash/strike.h"
#include "tests/e2e/ask.h"
#include "tests/e2e/stack.h"

#include <curl/curl.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <mysql.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum {
    RUNS = 5,       /* of each scenario with the shipped configuration */
    OTHER_RUNS = 3, /* as CGI, and with full disks */
    SETTLE_MS = 30000,
    ULID_LENGTH = 26,
    FASTCGI_SHARE = 65, /* percent of --seconds */
    SCENARIOS_MAX = 32
};

enum group { FASTCGI, CGI, SPOOL_DISK, DATABASE_DISK, GROUPS };

struct scenario {
    const char *name;
    const char *what;
    enum group group;
    strike_fn *strike;
    const char *point; /* NULL: none */
    int n_max;         /* the point's pass is 1 to this */
    int threads;
    bool has_race;
};

/* clang-format off */
static const struct scenario scenarios[] = {
    {"k1",  "lease committed, not in memory",      FASTCGI, strike_point,   "k1",  8,  8, true},
    {"k2",  "held and noted, provider not called", FASTCGI, strike_point,   "k2",  30, 8, true},
    {"k3",  "first byte sent",                     FASTCGI, strike_point,   "k3",  15, 8, false},
    {"k4",  "in mid stream",                       FASTCGI, strike_point,   "k4",  200, 8, false},
    {"k5",  "usage seen, not journaled",           FASTCGI, strike_point,   "k5",  30, 8, true},
    {"k6",  "journaled, last byte not sent",       FASTCGI, strike_point,   "k6",  30, 8, true},
    {"k7",  "last byte sent, not synced",          FASTCGI, strike_point,   "k7",  10, 8, true},
    {"k8",  "segment inserted, no COMMIT",         FASTCGI, strike_point,   "k8",  10, 8, true},
    {"k9",  "segment committed, file there",       FASTCGI, strike_point,   "k9",  10, 8, true},
    {"k10", "between two segments",                FASTCGI, strike_point,   "k10", 10, 8, false},
    {"k10-stream", "30 s stream killed at 10 s",   FASTCGI, strike_long_stream, NULL, 1, 3, false},
    {"k11", "while adopting",                      FASTCGI, strike_adopter, "k11", 5,  8, false},
    {"k12", "lease on its way back",               FASTCGI, strike_point,   "k12", 4,  5, false},
    {"gateway-kill",    "at random moments",       FASTCGI, strike_gateways,        NULL, 1, 8, false},
    {"database-kill",   "kill -9, restart",        FASTCGI, strike_database_kill,   NULL, 1, 8, false},
    {"database-freeze", "SIGSTOP 5 to 20 s",       FASTCGI, strike_database_freeze, NULL, 1, 8, false},
    {"web-kill",        "kill -9, restart",        FASTCGI, strike_web_kill,        NULL, 1, 8, false},
    {"web-freeze",      "SIGSTOP 5 to 20 s",       FASTCGI, strike_web_freeze,      NULL, 1, 8, false},
    {"cgi-k2",  "held and noted, provider not called", CGI, strike_point,   "k2",  1, 5, false},
    {"cgi-k4",  "in mid stream",                   CGI, strike_point,       "k4",  20, 5, false},
    {"cgi-k5",  "usage seen, not journaled",       CGI, strike_point,       "k5",  1, 5, false},
    {"cgi-k6",  "journaled, last byte not sent",   CGI, strike_point,       "k6",  1, 5, false},
    {"cgi-k8",  "segment inserted, no COMMIT",     CGI, strike_point,       "k8",  1, 5, false},
    {"cgi-k9",  "segment committed, file there",   CGI, strike_point,       "k9",  1, 5, false},
    {"cgi-k11", "while adopting",                  CGI, strike_adopter,     "k11", 5, 5, false},
    {"cgi-kill",          "at random moments",     CGI, strike_gateways,        NULL, 1, 5, true},
    {"cgi-database-kill", "kill -9, restart",      CGI, strike_database_kill,   NULL, 1, 5, false},
    {"cgi-database-freeze", "SIGSTOP 5 to 20 s",   CGI, strike_database_freeze, NULL, 1, 5, false},
    {"disk-spool",    "no room under the spool",   SPOOL_DISK,    strike_disk_full, NULL, 1, 8, false},
    {"disk-database", "no room under MariaDB",     DATABASE_DISK, strike_disk_full, NULL, 1, 8, false},
};
/* clang-format on */

enum { SCENARIOS = sizeof(scenarios) / sizeof(scenarios[0]) };

/* Small steps: leases, segments and holds change as often as they can. */
#define SMALL_STEPS                                                                                \
    "journal_segment_ms = 100\n"                                                                   \
    "journal_keep_ms = 1500\n"                                                                     \
    "lease_max = 0.05\n"                                                                           \
    "lease_idle_ms = 400\n"                                                                        \
    "hold_output_max = 32\n"                                                                       \
    "gone_drain_ms = 2000\n"                                                                       \
    "drain_timeout_ms = 8000\n"                                                                    \
    "worker_idle_ms = 400\n"

static const char config[] = SMALL_STEPS "workers_max = 512\n";
/* Short segments: a full disk is felt soon. */
static const char config_disk[] = SMALL_STEPS "workers_max = 10\n";

/* mod_cgi hands on what the server sets; a FastCGI process gets the server's own environment. */
static const char cgi_web[] = "server.modules += ( \"mod_setenv\" )\n"
                              "setenv.set-environment = ( \"AIPASS_FAULT\" => env.AIPASS_FAULT )\n";

struct total {
    struct audit sum;
    int runs;
    int deaths;
    int failed;
    int64_t back_min_ms; /* -1: none */
    int64_t back_max_ms;
};

static struct {
    uint64_t seed;
    int runs;    /* 0: as many as is usual */
    int seconds; /* 0: everything */
    int words_n;
    char **words;
    int passed;
    int failed;
    int skipped;
} options;

static const char *disk_dir; /* where the small disk of the group is; NULL: none */

/* ---- one run ---- */

/* A spool directory whose process is dead: somebody must adopt it. */
static bool is_dead(const char *dir, const char *name)
{
    char path[2 * SPAWN_PATH_MAX];
    if (strlen(name) != ULID_LENGTH)
        return false;
    snprintf(path, sizeof(path), "%s/%s/lock", dir, name);
    int fd = open(path, O_RDWR | O_CLOEXEC);
    bool is_free = fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0;
    if (fd >= 0)
        close(fd);
    return is_free;
}

static bool has_dead(const char *dir)
{
    bool found = false;
    struct dirent *entry;
    DIR *spool = opendir(dir);
    while (spool != NULL && !found && (entry = readdir(spool)) != NULL)
        found = is_dead(dir, entry->d_name) || strncmp(entry->d_name, ".done-", 6) == 0;
    if (spool != NULL)
        closedir(spool);
    return found;
}

/* A process of one request adopts one neighbour: there must be some. */
static void poke(void)
{
    struct http_reply reply;
    ask_path("GET", "/readyz", NULL, &reply);
    http_reply_clear(&reply);
}

/* All who died are adopted by those who live, and then these end as they should. */
static void settle(struct strike *s)
{
    const char *spool = stack_path("spool");
    int64_t end_us = spawn_now_us() + SETTLE_MS * INT64_C(1000);
    while (has_dead(spool) && spawn_now_us() < end_us) {
        if (stack.is_cgi)
            poke();
        spawn_sleep_ms(200);
    }
    bool all_gone = stack_drain();
    stack_reap_web(0);
    for (size_t i = 0; i < s->orphans_n; i++)
        all_gone = spawn_wait_gone(s->orphans[i], SETTLE_MS) && all_gone;
    if (!all_gone && s->broken[0] == 0)
        snprintf(s->broken, sizeof(s->broken), "a gateway did not end in time");
}

static void set_fault(const struct scenario *sc, struct strike *s)
{
    const char *wish = "none:1";
    if (sc->point != NULL)
        wish = http_printf("%s:%d:%s", sc->point,
                           1 + (int)load_random(&s->rng, (uint64_t)sc->n_max), s->token);
    setenv("AIPASS_FAULT", wish, 1);
}

/* On credit for one; who died meanwhile may have been the one. */
static void race(const struct scenario *sc, struct strike *s)
{
    int answered = load_race(s->load);
    bool may_die = sc->point != NULL || sc->group == CGI;
    if ((answered > 1 || (answered < 1 && !may_die)) && s->broken[0] == 0)
        snprintf(s->broken, sizeof(s->broken), "I10: %d answers on credit for one", answered);
}

/* A stream whose process died is charged for what its slot noted. */
static void check_long_stream(struct strike *s)
{
    size_t n;
    const struct load_note *notes = load_notes(s->load, &n);
    for (size_t i = 0; i < n; i++) {
        if (notes[i].cost_nusd <
            (s->is_brief ? INT64_C(1500000) : INT64_C(5000000))) /* only it is so long */
            continue;
        const char *row = sql_text("SELECT CONCAT(status, IF(cost > 0, ' charged', ' free')) FROM "
                                   "usage_log WHERE request_id = '%s'",
                                   notes[i].id);
        if (strcmp(row, "interrupted charged") != 0 && s->broken[0] == 0)
            snprintf(s->broken, sizeof(s->broken), "the long stream's row: %s", row);
    }
}

static void add_run(struct total *t, const struct strike *s, const struct audit *a)
{
    t->runs++;
    t->deaths += s->deaths;
    t->sum.requests += a->requests;
    t->sum.whole += a->whole;
    t->sum.calls += a->calls;
    t->sum.rows += a->rows;
    t->sum.interrupted += a->interrupted;
    t->sum.lost += a->lost;
    t->sum.doubled += a->doubled;
    t->sum.drift_nusd += a->drift_nusd;
    if (s->back_ms < 0)
        return;
    if (t->back_min_ms < 0 || s->back_ms < t->back_min_ms)
        t->back_min_ms = s->back_ms;
    if (s->back_ms > t->back_max_ms)
        t->back_max_ms = s->back_ms;
}

static void run_once(const struct scenario *sc, int run, struct total *t)
{
    static char token[SPAWN_PATH_MAX];
    struct audit a = {0};
    struct strike s = {.token = token,
                       .disk = disk_dir,
                       .is_brief = options.seconds > 0,
                       .must_refuse = sc->group == SPOOL_DISK,
                       .back_ms = -1};
    snprintf(token, sizeof(token), "%s", stack_path("token"));
    s.rng = options.seed + (uint64_t)(sc - scenarios) * 1000 + (uint64_t)run;
    set_fault(sc, &s);
    s.load = load_new(load_random(&s.rng, UINT64_MAX));
    audit_begin();
    stack_start_web(0);
    load_start(s.load, sc->threads);
    sc->strike(&s);
    load_stop(s.load);
    if (sc->has_race)
        race(sc, &s);
    settle(&s);
    audit_run(s.load, stack_path("spool"), &a);
    if (sc->strike == strike_long_stream)
        check_long_stream(&s);
    add_run(t, &s, &a);
    if (s.broken[0] != 0 || a.broken[0] != 0) {
        t->failed++;
        printf("FAIL %s, run %d, seed %" PRIu64 ": %s%s%s\n", sc->name, run, options.seed, s.broken,
               s.broken[0] != 0 && a.broken[0] != 0 ? "; " : "", a.broken);
    }
    load_free(s.load);
}

/* ---- the table ---- */

static void print_head(void)
{
    printf("%-19s %-36s %4s %6s %8s %6s %6s %5s %4s %7s %5s %12s\n", "", "", "runs", "deaths",
           "requests", "whole", "rows", "intr.", "lost", "doubled", "drift", "back after ms");
}

static void print_total(const struct scenario *sc, const struct total *t)
{
    char back[48] = "-";
    if (t->back_min_ms >= 0)
        snprintf(back, sizeof(back), "%" PRId64 " to %" PRId64, t->back_min_ms, t->back_max_ms);
    printf("%-19s %-36s %4d %6d %8" PRId64 " %6" PRId64 " %6" PRId64 " %5" PRId64 " %4" PRId64
           " %7" PRId64 " %5" PRId64 " %12s%s\n",
           sc->name, sc->what, t->runs, t->deaths, t->sum.requests, t->sum.whole, t->sum.rows,
           t->sum.interrupted, t->sum.lost, t->sum.doubled, t->sum.drift_nusd, back,
           t->failed > 0 ? "  FAILED" : "");
    fflush(stdout);
}

/* ---- groups ---- */

static void seed(void)
{
    load_seed();
    audit_seed();
}

static void make_dir(const char *path)
{
    if (mkdir(path, 0700) != 0 && errno != EEXIST)
        stack_fail("%s: %s", path, strerror(errno));
}

/* Starts the stack of a group, its web server down. False: it cannot be run here. */
static bool begin_group(enum group group)
{
    static char database_disk[SPAWN_PATH_MAX];
    struct stack_options so = {.seed = seed, .config = config, .is_cgi = group == CGI};
    so.web = so.is_cgi ? cgi_web : NULL;
    if (group == SPOOL_DISK)
        so.config = config_disk;
    disk_dir = NULL;
    setenv("AIPASS_FAULT", "none:1", 1);
    if (group == DATABASE_DISK) {
        snprintf(database_disk, sizeof(database_disk), "%s", stack_built("tmp/crash-disk"));
        make_dir(database_disk);
        if (!strike_mount(database_disk, "400m"))
            return false;
        setenv("AIPASS_TEST_DIR", database_disk, 1);
        disk_dir = database_disk;
    }
    stack_start(&so);
    stack_drain();
    stack_reap_web(0);
    if (group == SPOOL_DISK) {
        static char spool[SPAWN_PATH_MAX];
        snprintf(spool, sizeof(spool), "%s", stack_path("spool"));
        if (!strike_mount(spool, "8m"))
            return false;
        disk_dir = spool;
    }
    return true;
}

static void end_group(enum group group)
{
    const char *dir = disk_dir;
    if (group == SPOOL_DISK && dir != NULL)
        strike_unmount(dir);
    stack_stop();
    if (group == DATABASE_DISK) {
        unsetenv("AIPASS_TEST_DIR");
        if (dir != NULL)
            strike_unmount(dir);
        rmdir(stack_built("tmp/crash-disk"));
    }
}

static bool is_wanted(const struct scenario *sc)
{
    for (int i = 0; i < options.words_n; i++)
        if (strstr(sc->name, options.words[i]) != NULL)
            return true;
    return options.words_n == 0;
}

/* The wanted scenarios of a group; in random order when only some will run. */
static size_t choose(enum group group, const struct scenario *out[SCENARIOS_MAX])
{
    size_t n = 0;
    uint64_t rng = options.seed;
    for (size_t i = 0; i < SCENARIOS; i++)
        if (scenarios[i].group == group && is_wanted(&scenarios[i]))
            out[n++] = &scenarios[i];
    for (size_t i = n; options.seconds > 0 && i > 1; i--) {
        size_t k = (size_t)load_random(&rng, i);
        const struct scenario *last = out[i - 1];
        out[i - 1] = out[k];
        out[k] = last;
    }
    return n;
}

static void run_scenario(const struct scenario *sc)
{
    struct total t = {.back_min_ms = -1};
    int runs = options.runs;
    if (options.seconds > 0)
        runs = 1;
    else if (runs == 0)
        runs = sc->group == FASTCGI ? RUNS : OTHER_RUNS;
    for (int run = 0; run < runs; run++)
        run_once(sc, run, &t);
    print_total(sc, &t);
    options.passed += t.runs - t.failed;
    options.failed += t.failed;
    if (t.failed > 0)
        stack_print_logs();
}

static void run_group(enum group group)
{
    const struct scenario *list[SCENARIOS_MAX];
    int64_t begun_us = spawn_now_us();
    int share = group == FASTCGI ? FASTCGI_SHARE : group == CGI ? 100 - FASTCGI_SHARE : 0;
    int64_t end_us = begun_us + (int64_t)options.seconds * share * 10000;
    size_t n = choose(group, list);
    if (n == 0 || (options.seconds > 0 && share == 0))
        return;
    if (begin_group(group)) {
        for (size_t i = 0; i < n && (options.seconds == 0 || spawn_now_us() < end_us); i++)
            run_scenario(list[i]);
    } else {
        printf("%-19s not run: it takes the right to mount a small disk\n", list[0]->name);
    }
    end_group(group);
}

static void read_options(int argc, char **argv)
{
    options.seed = (uint64_t)time(NULL);
    int i = 1;
    for (; i + 1 < argc && argv[i][0] == '-'; i += 2) {
        if (strcmp(argv[i], "--seed") == 0)
            options.seed = strtoull(argv[i + 1], NULL, 10);
        else if (strcmp(argv[i], "--runs") == 0)
            options.runs = atoi(argv[i + 1]);
        else if (strcmp(argv[i], "--seconds") == 0)
            options.seconds = atoi(argv[i + 1]);
        else
            break;
    }
    if (i < argc && argv[i][0] == '-') {
        fprintf(stderr, "usage: crash [--seed N] [--runs N] [--seconds N] [WORD]...\n");
        exit(2);
    }
    options.words = argv + i;
    options.words_n = argc - i;
}

int main(int argc, char **argv)
{
    signal(SIGPIPE, SIG_IGN);
    read_options(argc, argv);
    /* Small disks of ours are seen by us only, and end with us. */
    if (unshare(CLONE_NEWNS) == 0)
        (void)!mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL);
    curl_global_init(CURL_GLOBAL_DEFAULT);
    mysql_library_init(0, NULL, NULL);
    stack_prepare();
    int64_t begun_us = spawn_now_us();
    printf("seed %" PRIu64 "\n", options.seed);
    print_head();
    for (int group = 0; group < GROUPS; group++)
        run_group((enum group)group);
    stack_finish();
    printf("crash: %.1f s, seed %" PRIu64 "\n", (double)(spawn_now_us() - begun_us) / 1e6,
           options.seed);
    printf("%d passed, %d failed\n", options.passed, options.failed);
    return options.failed > 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
