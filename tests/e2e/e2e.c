/* e2e - the end-to-end tests: the real program behind the real web server, with a real MariaDB
 * and a simulated provider.
 *
 *   e2e [WORD]...   runs the parts whose name contains one of the words; without any all but the
 *                   slow ones
 *
 * $AIPASS_E2E_KEEP keeps the files of a run. Returns 0 when every test passed. */
#include "tests/e2e/stack.h"
#include "tests/e2e/suites.h"

#include <curl/curl.h>
#include <mysql.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#ifdef __SANITIZE_ADDRESS__
/* A test that ends leaves its memory to the kernel; the gateway's leaks are found in its stderr. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "detect_leaks=0";
}
#endif

enum { PARTS_MAX = 12, TEST_TIMEOUT_S = 60, SLOW_TIMEOUT_S = 240 };

/* Channels that fail in many tests are not left alone, so that each test sees what it asks for. */
#define NO_BREAKER "breaker_failures = 0\nkey_probe_ms = 0\nretry_after_max_ms = 0\n"

#define QUEUES_CONFIG NO_BREAKER "catalog_ms = 200\nqueue_ms = 1500\n"

/* Parts that share a stack, in order; none: each test starts its own. */
struct run {
    const char *name;
    bool has_stack;
    bool is_slow; /* only when asked for */
    struct stack_options stack;
    const struct suite_part *parts[PARTS_MAX];
};

/* clang-format off */
static const struct run runs[] = {
    {.name = "answers",
     .has_stack = true,
     .stack = {.config = NO_BREAKER},
     .parts = {&part_chat, &part_stream, &part_override, &part_gone, &part_failover, &part_error,
               &part_key, &part_path, &part_canary, &part_drain}},
    {.name = "money",
     .has_stack = true,
     .stack = {.webs = 2},
     .parts = {&part_race, &part_drain}},
    {.name = "sales",
     .has_stack = true,
     .stack = {.webs = 2},
     .parts = {&part_price, &part_redeem, &part_catalog, &part_drain}},
    {.name = "pairs",
     .has_stack = true,
     .stack = {.config = NO_BREAKER},
     .parts = {&part_translate, &part_drain}},
    {.name = "edge",
     .has_stack = true,
     .stack = {.sims = 2,
               .config = NO_BREAKER "ping_ms = 300\ncatalog_ms = 200\njournal_segment_ms = 20\n"
                                    "fetch_urls = on\n"},
     .parts = {&part_edge, &part_formats, &part_kept, &part_drain}},
    {.name = "limits",
     .has_stack = true,
     .stack = {.sims = 4, .webs = 4, .config = NO_BREAKER "catalog_ms = 200\n"},
     .parts = {&part_ratelimit, &part_limit, &part_drain}},
    {.name = "queues",
     .has_stack = true,
     .stack = {.sims = 3, .webs = 2, .config = QUEUES_CONFIG},
     .parts = {&part_queue, &part_drain}},
    {.name = "channels",
     .has_stack = true,
     .stack = {.config = CHANNELS_CONFIG, .sims = 2},
     .parts = {&part_channels, &part_fault, &part_drain}},
    {.name = "crash", .parts = {&part_crash}},
    {.name = "outage", .parts = {&part_outage}},
    {.name = "cgi", .has_stack = true, .stack = {.is_cgi = true}, .parts = {&part_cgi}},
    {.name = "faults",
     .has_stack = true,
     .is_slow = true,
     .stack = {.config = SLOW_CONFIG},
     .parts = {&part_slow_fault, &part_drain}},
};
/* clang-format on */

static const struct run *current;
static pid_t runner_pid;

static bool is_wanted(const struct suite_part *part, int words_n, char **words)
{
    for (int i = 0; i < words_n; i++)
        if (strstr(part->name, words[i]) != NULL)
            return true;
    return words_n == 0;
}

static void seed_run(void)
{
    seed_base();
    for (size_t i = 0; i < PARTS_MAX && current->parts[i] != NULL; i++)
        if (current->parts[i]->seed != NULL)
            current->parts[i]->seed();
}

/* Check forks each test: it, and what it has started, must not outlive this program. */
static void die_with_parent(void)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != runner_pid)
        _exit(EXIT_FAILURE);
}

/* The wanted parts of a run as a suite; NULL when there are none. */
static Suite *make_suite(const struct run *r, int words_n, char **words)
{
    Suite *suite = NULL;
    if (r->is_slow && words_n == 0)
        return NULL;
    for (size_t i = 0; i < PARTS_MAX && r->parts[i] != NULL; i++) {
        if (!is_wanted(r->parts[i], words_n, words))
            continue;
        TCase *t = tcase_create(r->parts[i]->name);
        tcase_set_timeout(t, r->is_slow ? SLOW_TIMEOUT_S : TEST_TIMEOUT_S);
        tcase_add_checked_fixture(t, die_with_parent, NULL);
        r->parts[i]->add(t);
        if (suite == NULL)
            suite = suite_create(r->name);
        suite_add_tcase(suite, t);
    }
    return suite;
}

static int execute(const struct run *r, int words_n, char **words)
{
    Suite *suite = make_suite(r, words_n, words);
    if (suite == NULL)
        return 0;
    current = r;
    if (r->has_stack) {
        struct stack_options options = r->stack;
        options.seed = seed_run;
        stack_start(&options);
    }
    int64_t begun_us = spawn_now_us();
    SRunner *runner = srunner_create(suite);
    srunner_set_fork_status(runner, CK_FORK);
    srunner_run_all(runner, getenv("CK_VERBOSITY") != NULL ? CK_ENV : CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    if (failed > 0)
        stack_print_logs();
    if (r->has_stack)
        stack_stop();
    printf("%s: %.1f s\n", r->name, (double)(spawn_now_us() - begun_us) / 1e6);
    fflush(stdout);
    return failed;
}

int main(int argc, char **argv)
{
    int failed = 0;
    runner_pid = getpid();
    signal(SIGPIPE, SIG_IGN);
    curl_global_init(CURL_GLOBAL_DEFAULT);
    mysql_library_init(0, NULL, NULL);
    stack_prepare();
    for (size_t i = 0; i < sizeof(runs) / sizeof(runs[0]); i++)
        failed += execute(&runs[i], argc - 1, argv + 1);
    stack_finish();
    return failed > 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
