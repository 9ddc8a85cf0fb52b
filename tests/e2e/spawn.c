#include "tests/e2e/spawn.h"

#include "tests/e2e/stack.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
    PORT_FIRST = 20000, /* outgoing connections begin at 32768 */
    PORT_COUNT = 12000,
    PORT_TRIES = 200,
    TAIL_BYTES = 16 * 1024,
    TREE_FILES_OPEN = 16
};

void spawn_sleep_ms(int ms)
{
    struct timespec left = {ms / 1000, (long)(ms % 1000) * 1000000L};
    while (nanosleep(&left, &left) != 0 && errno == EINTR)
        continue;
}

int64_t spawn_now_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/* The child's side of spawn_start. */
static void become(const char *const argv[], const char *log_path, pid_t parent)
{
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    signal(SIGPIPE, SIG_DFL);
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != parent)
        _exit(126);
    int in = open("/dev/null", O_RDONLY);
    int out = open(log_path, O_WRONLY | O_CREAT | O_APPEND, 0600);
    if (in < 0 || out < 0 || dup2(in, 0) < 0 || dup2(out, 1) < 0 || dup2(out, 2) < 0)
        _exit(126);
    /* Descriptors of the test are not the program's; a socket left open would keep its port
     * taken. */
    for (int fd = 3; fd < 1024; fd++)
        close(fd);
    execvp(argv[0], (char *const *)(uintptr_t)argv);
    dprintf(2, "%s: %s\n", argv[0], strerror(errno));
    _exit(127);
}

pid_t spawn_start(const char *const argv[], const char *log_path)
{
    pid_t parent = getpid();
    pid_t pid = fork();
    if (pid < 0)
        stack_fail("fork: %s", strerror(errno));
    if (pid == 0)
        become(argv, log_path, parent);
    return pid;
}

/* The state letter of /proc/PID/stat and the parent; false when there is no such process. */
static bool read_stat(pid_t pid, char *state, pid_t *parent, char *name, size_t name_size)
{
    char path[64];
    char text[512];
    snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    ssize_t n = read(fd, text, sizeof(text) - 1);
    close(fd);
    if (n <= 0)
        return false;
    text[n] = 0;
    char *open_paren = strchr(text, '(');
    char *close_paren = strrchr(text, ')');
    if (open_paren == NULL || close_paren == NULL || close_paren[1] != ' ')
        return false;
    *close_paren = 0;
    snprintf(name, name_size, "%s", open_paren + 1);
    *state = close_paren[2];
    *parent = (pid_t)strtol(close_paren + 3, NULL, 10);
    return true;
}

bool spawn_is_alive(pid_t pid)
{
    char state;
    char name[32];
    pid_t parent;
    return pid > 0 && read_stat(pid, &state, &parent, name, sizeof(name)) && state != 'Z' &&
           state != 'X';
}

bool spawn_wait_gone(pid_t pid, int wait_ms)
{
    return WAIT_UNTIL(!spawn_is_alive(pid), wait_ms);
}

bool spawn_end(pid_t pid, int signal_number, int wait_ms)
{
    if (pid <= 0)
        return true;
    if (signal_number != 0)
        kill(pid, signal_number);
    bool in_time = spawn_wait_gone(pid, wait_ms);
    if (!in_time)
        kill(pid, SIGKILL);
    /* Not our child when a forked test ends what its parent has started: then the parent reaps. */
    if (waitpid(pid, NULL, 0) < 0 && errno == ECHILD)
        spawn_wait_gone(pid, 5000);
    return in_time;
}

static int compare_pids(const void *a, const void *b)
{
    pid_t x = *(const pid_t *)a;
    pid_t y = *(const pid_t *)b;
    return (x > y) - (x < y);
}

size_t spawn_children(pid_t parent, const char *name, pid_t *out, size_t max)
{
    size_t n = 0;
    DIR *proc = opendir("/proc");
    STACK_NEED(proc != NULL, "/proc: %s", strerror(errno));
    struct dirent *entry;
    while ((entry = readdir(proc)) != NULL && n < max) {
        pid_t pid = (pid_t)strtol(entry->d_name, NULL, 10);
        pid_t its_parent;
        char its_name[32];
        char state;
        if (pid <= 0 || !read_stat(pid, &state, &its_parent, its_name, sizeof(its_name)))
            continue;
        if (its_parent == parent && state != 'Z' && strncmp(its_name, name, strlen(name)) == 0)
            out[n++] = pid;
    }
    closedir(proc);
    qsort(out, n, sizeof(out[0]), compare_pids);
    return n;
}

static int try_port(int port, bool to_connect)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int one = 1;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    STACK_NEED(fd >= 0, "socket: %s", strerror(errno));
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    int rc = to_connect ? connect(fd, (struct sockaddr *)&address, sizeof(address))
                        : bind(fd, (struct sockaddr *)&address, sizeof(address));
    close(fd);
    return rc;
}

int spawn_free_port(void)
{
    for (int i = 0; i < PORT_TRIES; i++) {
        uint32_t bits = 0;
        STACK_NEED(getrandom(&bits, sizeof(bits), 0) == (ssize_t)sizeof(bits), "getrandom");
        int port = PORT_FIRST + (int)(bits % PORT_COUNT);
        if (try_port(port, false) == 0)
            return port;
    }
    stack_fail("no free port on 127.0.0.1");
}

bool spawn_wait_port(int port, int wait_ms)
{
    return WAIT_UNTIL(try_port(port, true) == 0, wait_ms);
}

void spawn_print_tail(const char *path, int lines)
{
    static char text[TAIL_BYTES + 1];
    FILE *f = fopen(path, "re");
    if (f == NULL) {
        fprintf(stderr, "---- %s: %s\n", path, strerror(errno));
        return;
    }
    fseek(f, 0, SEEK_END);
    long size = ftell(f);
    fseek(f, size > TAIL_BYTES ? size - TAIL_BYTES : 0, SEEK_SET);
    size_t n = fread(text, 1, TAIL_BYTES, f);
    fclose(f);
    text[n] = 0;
    size_t from = n;
    for (int seen = 0; from > 0; from--)
        if (text[from - 1] == '\n' && from < n && ++seen >= lines)
            break;
    fprintf(stderr, "---- %s\n%s", path, text + from);
    if (n > 0 && text[n - 1] != '\n')
        fputc('\n', stderr);
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
    (void)st;
    (void)ftw;
    return kind == FTW_DP || kind == FTW_D ? rmdir(path) : unlink(path);
}

void spawn_remove_tree(const char *path)
{
    nftw(path, remove_one, TREE_FILES_OPEN, FTW_DEPTH | FTW_PHYS);
}
