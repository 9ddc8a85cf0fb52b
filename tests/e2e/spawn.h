/* spawn - the programs that a test starts: each dies with the process that started it, writes
 * what it says to a file, and is ended by its number. Also what Linux tells about processes:
 * children, threads, sockets in use.
 *
 * No state of its own; one thread. Paths are borrowed. */
#ifndef TESTS_E2E_SPAWN_H
#define TESTS_E2E_SPAWN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define SPAWN_PATH_MAX 512

/* spawn_start - run argv[0] (found by PATH) with /dev/null as input and its output appended to
 * log_path. When the calling thread's process ends, however, the program gets SIGTERM. Fails the
 * test when it cannot fork. Returns its number. */
pid_t spawn_start(const char *const argv[], const char *log_path);

/* spawn_end - send the signal (0: none), then wait up to wait_ms for the end, then SIGKILL.
 * Returns false when it had to be killed. pid 0 is ignored. Another process.s child is watched
 * in /proc and not reaped. */
bool spawn_end(pid_t pid, int signal_number, int wait_ms);

/* spawn_is_alive - the process exists and is no zombie. spawn_wait_gone - true when it has ended
 * within wait_ms. */
bool spawn_is_alive(pid_t pid);
bool spawn_wait_gone(pid_t pid, int wait_ms);

/* spawn_children - living processes of that parent whose command name begins with `name`, oldest
 * number first. Returns how many were put into out. */
size_t spawn_children(pid_t parent, const char *name, pid_t *out, size_t max);

/* spawn_free_port - a TCP port on 127.0.0.1 that nobody listens on, below the range of outgoing
 * connections. */
int spawn_free_port(void);
/* spawn_wait_port - somebody accepts connections on it within wait_ms. */
bool spawn_wait_port(int port, int wait_ms);

/* spawn_print_tail - the last lines of a file on stderr, under its name; a missing file is told
 * as such. */
void spawn_print_tail(const char *path, int lines);

/* spawn_remove_tree - rm -r. */
void spawn_remove_tree(const char *path);

/* spawn_sleep_ms, spawn_now_us - waiting and measuring (monotonic). */
void spawn_sleep_ms(int ms);
int64_t spawn_now_us(void);

/* WAIT_UNTIL - evaluates `condition` every 20 ms until it holds or ms have passed; its value at
 * last. */
#define WAIT_UNTIL(condition, ms)                                                                  \
    __extension__({                                                                                \
        int64_t wait_end = spawn_now_us() + (int64_t)(ms)*1000;                                    \
        bool wait_done = (condition);                                                              \
        while (!wait_done && spawn_now_us() < wait_end) {                                          \
            spawn_sleep_ms(20);                                                                    \
            wait_done = (condition);                                                               \
        }                                                                                          \
        wait_done;                                                                                 \
    })

#endif
