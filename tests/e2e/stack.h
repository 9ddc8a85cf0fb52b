/* stack - everything that a test runs against: a private MariaDB, provider simulators, and the
 * real lighttpd with the shipped etc/lighttpd.conf and the gateway behind it. All of it lies in
 * one directory, dies with the process that started it, and is one object per process.
 *
 * A suite starts one before Check forks its tests; a test that breaks things starts its own.
 * Functions fail the test, or end the program where no test runs, when something does not start.
 * One thread. */
#ifndef TESTS_E2E_STACK_H
#define TESTS_E2E_STACK_H

#include "tests/e2e/spawn.h"
#include "tests/unit/mariadb.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

enum { STACK_SIMS_MAX = 4, STACK_WEBS_MAX = 4, STACK_GATEWAYS_MAX = 32 };

struct stack_options {
    int sims; /* provider simulators; 0: one */
    int webs; /* lighttpds, each with its own pools, two processes for chat in each; 0: one */
    const char *config; /* more lines for aipass.conf */
    const char *web;    /* more lines for lighttpd's configuration */
    bool is_cgi;        /* plain CGI by mod_cgi instead of etc/lighttpd.conf */
    void (*seed)(void); /* fills the database before any gateway runs */
};

struct stack_server {
    int port;
    pid_t pid;
};

struct stack {
    char dir[SPAWN_PATH_MAX];
    struct mariadb db;
    struct stack_server sims[STACK_SIMS_MAX];
    struct stack_server webs[STACK_WEBS_MAX];
    int sims_n;
    int webs_n;
    const char *web; /* of the options */
    bool is_cgi;     /* of the options */
    bool is_up;
};

extern struct stack stack;

/* stack_prepare - once, first thing in main: where all stacks lie, and who is the main process.
 * stack_finish - removes it all; with $AIPASS_E2E_KEEP set it is kept and its path is told. */
void stack_prepare(void);
void stack_finish(void);

/* stack_start - brings everything up and waits until /readyz says ok. */
void stack_start(const struct stack_options *options);

/* stack_drain - ends the web servers in order and waits until their gateways have ended too.
 * Returns false when some did not in time. Works from a forked test as well: it is then that
 * suite's last. */
bool stack_drain(void);

/* stack_start_web - a web server that has ended starts anew, on the same port once it has one, and
 * /readyz says ok. stack_reap_web - waits for the end of one that was told to; after stack_drain. */
void stack_start_web(int i);
void stack_reap_web(int i);

/* stack_stop - drains, then ends the rest and removes the directory. */
void stack_stop(void);

/* stack_fail - ends the running test with this text; outside of a test: prints the logs and ends
 * the program. */
_Noreturn void stack_fail(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#define STACK_NEED(condition, ...)                                                                 \
    do {                                                                                           \
        if (!(condition))                                                                          \
            stack_fail(__VA_ARGS__);                                                               \
    } while (0)

/* stack_print_logs - the last lines of every log of every stack of this run that was not
 * removed, on stderr. */
void stack_print_logs(void);

/* stack_gateways - the processes of one pool ("chat", "account"; "" for all) over all web
 * servers. Returns how many. */
size_t stack_gateways(const char *pool, pid_t *out, size_t max);

/* stack_path - a path inside the stack's directory. Static buffers: good for the next 16 calls. */
const char *stack_path(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* stack_root - a path inside the repository; stack_built - inside the build directory. Same
 * buffers. */
const char *stack_root(const char *name);
const char *stack_built(const char *name);

#endif
