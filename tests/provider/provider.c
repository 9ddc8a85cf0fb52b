/* provider - a simulated AI provider: options, listening socket, event loop.
 *
 * One thread, one epoll. See script.h for what requests can ask of it.
 */
#include "tests/provider/conn.h"

#include "tests/provider/answer.h"
#include "tests/provider/responses.h"
#include "tests/provider/seal.h"

#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { EVENTS_MAX = 256, BACKLOG = 4096, ACCEPT_BATCH = 256, EXIT_USAGE = 2 };

struct options {
    const char *host;
    const char *port_file;
    const char *tls_cert;
    const char *tls_key;
    uint16_t port;
    bool dies_with_parent;
};

static volatile sig_atomic_t is_stopped;

static void on_stop(int signal_number)
{
    (void)signal_number;
    is_stopped = 1;
}

static int64_t clock_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static void print_help(FILE *out)
{
    fputs("usage: provider [options]\n"
          "  --host ADDRESS       listen on this IPv4 address (127.0.0.1)\n"
          "  --port N             listen on this port; 0: a free one (0)\n"
          "  --port-file PATH     write the port to this file once listening\n"
          "  --tls-cert FILE      serve TLS with this certificate chain (PEM)\n"
          "  --tls-key FILE       and this key\n"
          "  --key KEY            require this API key\n"
          "  --models A,B         names that GET /models lists\n"
          "  --default CONTROLS   controls of every request, overridden by its own\n"
          "  --organisation NAME  whose signatures and encrypted content these are (demo)\n"
          "  --keep-bodies        keep bodies above 64 kB for /_last too\n"
          "  --die-with-parent    end when the parent process ends\n"
          "  --help               print this\n"
          "\n"
          "Whatever stands before these paths:\n"
          "  OpenAI     POST /chat/completions; POST /responses, /responses/compact and\n"
          "             /responses/input_tokens, GET and DELETE /responses/ID\n"
          "  Anthropic  POST /messages, /messages/count_tokens\n"
          "  Gemini     POST /models/NAME:generateContent, :streamGenerateContent (?alt=sse),\n"
          "             :countTokens, :embedContent, :batchEmbedContents\n"
          "  all        GET /models\n"
          "GET /_tally, POST /_tally/reset, GET /_last?n=K tell what was received. Requests are\n"
          "checked as the real API checks them: 400 names what is wrong.\n"
          "\n"
          "Controls, key=value separated by commas, in the header x-sim, in the model's name\n"
          "behind '@', or in the last user message as [[sim key=value]]; N counts content\n"
          "chunks, %2C is a comma:\n",
          out);
    script_print_help(out);
}

static bool read_port(const char *text, uint16_t *port)
{
    char *end;
    long value = strtol(text, &end, 10);
    if (*text == 0 || *end != 0 || value < 0 || value > 65535)
        return false;
    *port = (uint16_t)value;
    return true;
}

/* One option; false when it is not valid. */
static bool read_option(int letter, struct options *o, struct sim *sim)
{
    char reason[SCRIPT_REASON_MAX];
    switch (letter) {
    case 'h':
        o->host = optarg;
        return true;
    case 'p':
        return read_port(optarg, &o->port);
    case 'f':
        o->port_file = optarg;
        return true;
    case 'c':
        o->tls_cert = optarg;
        return true;
    case 'y':
        o->tls_key = optarg;
        return true;
    case 'k':
        sim->key = optarg;
        return true;
    case 'o':
        seal_set_organisation(optarg);
        return true;
    case 'm':
        sim->models = optarg;
        return true;
    case 'b':
        sim->history.keep_bodies = true;
        return true;
    case 'P':
        o->dies_with_parent = true;
        return true;
    case 'd':
        if (script_apply(&sim->defaults, span_of(optarg), reason))
            return true;
        fprintf(stderr, "provider: --default: %s\n", reason);
        return false;
    default:
        return false;
    }
}

static bool read_options(int argc, char **argv, struct options *o, struct sim *sim)
{
    /* clang-format off */
    static const struct option known[] = {
        {"host",            required_argument, NULL, 'h'},
        {"port",            required_argument, NULL, 'p'},
        {"port-file",       required_argument, NULL, 'f'},
        {"tls-cert",        required_argument, NULL, 'c'},
        {"tls-key",         required_argument, NULL, 'y'},
        {"key",             required_argument, NULL, 'k'},
        {"models",          required_argument, NULL, 'm'},
        {"organisation",    required_argument, NULL, 'o'},
        {"default",         required_argument, NULL, 'd'},
        {"keep-bodies",     no_argument,       NULL, 'b'},
        {"die-with-parent", no_argument,       NULL, 'P'},
        {"help",            no_argument,       NULL, 'H'},
        {0},
    };
    /* clang-format on */
    int letter;
    while ((letter = getopt_long(argc, argv, "", known, NULL)) != -1) {
        if (letter == 'H') {
            print_help(stdout);
            exit(0);
        }
        if (!read_option(letter, o, sim))
            return false;
    }
    return optind == argc && (o->tls_cert == NULL) == (o->tls_key == NULL);
}

/* Returns the listening descriptor and writes its port, or -1. */
static int listen_on(const struct options *o, uint16_t *port)
{
    static const int on = 1;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(o->port)};
    socklen_t len = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (inet_pton(AF_INET, o->host, &address.sin_addr) != 1 ||
        bind(fd, (struct sockaddr *)&address, len) != 0 || listen(fd, BACKLOG) != 0 ||
        getsockname(fd, (struct sockaddr *)&address, &len) != 0) {
        close(fd);
        return -1;
    }
    *port = ntohs(address.sin_port);
    return fd;
}

/* Write the port under another name first: a reader sees all of it or no file. */
static bool write_port_file(const char *path, uint16_t port)
{
    char temporary[4096];
    int len = snprintf(temporary, sizeof(temporary), "%s.%ld", path, (long)getpid());
    if (len < 0 || (size_t)len >= sizeof(temporary))
        return false;
    FILE *file = fopen(temporary, "w");
    if (file == NULL)
        return false;
    bool is_written = fprintf(file, "%u\n", port) > 0;
    is_written = fclose(file) == 0 && is_written;
    if (is_written && rename(temporary, path) == 0)
        return true;
    unlink(temporary);
    return false;
}

static void accept_all(struct sim *sim, int listen_fd)
{
    for (int i = 0; i < ACCEPT_BATCH; i++) {
        int fd = accept4(listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0)
            return;
        conn_new(sim, fd);
    }
}

static void run(struct sim *sim, int listen_fd)
{
    struct epoll_event listening = {.events = EPOLLIN, .data.ptr = NULL};
    struct epoll_event events[EVENTS_MAX];
    struct timer *due;
    sigset_t none;
    sigemptyset(&none);
    epoll_ctl(sim->epoll_fd, EPOLL_CTL_ADD, listen_fd, &listening);
    while (!is_stopped) {
        int wait_ms = timer_wait_ms(&sim->timers, clock_us());
        int count = epoll_pwait(sim->epoll_fd, events, EVENTS_MAX, wait_ms, &none);
        sim->now_us = clock_us();
        for (int i = 0; i < count; i++) {
            if (events[i].data.ptr == NULL)
                accept_all(sim, listen_fd);
            else
                conn_ready(events[i].data.ptr, events[i].events);
        }
        /* A timer set for now while this runs is for the next round. */
        int64_t until_us = sim->now_us;
        sim->now_us = until_us + 1;
        while ((due = timer_take_due(&sim->timers, until_us)) != NULL)
            conn_due(due);
    }
}

/* Signals are blocked but while waiting, so that none is missed between a check and the wait. */
static void catch_signals(void)
{
    struct sigaction action = {.sa_handler = on_stop};
    sigset_t caught;
    sigemptyset(&caught);
    sigaddset(&caught, SIGTERM);
    sigaddset(&caught, SIGINT);
    sigaddset(&caught, SIGHUP);
    sigprocmask(SIG_BLOCK, &caught, NULL);
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGHUP, &action, NULL);
    signal(SIGPIPE, SIG_IGN);
}

static void allow_many_descriptors(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return;
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
}

static int fail(const char *what, const char *which)
{
    fprintf(stderr, "provider: %s %s: %s\n", what, which, strerror(errno));
    return 1;
}

int main(int argc, char **argv)
{
    static struct sim sim = {.models = "demo-small,demo-large"};
    struct options o = {.host = "127.0.0.1"};
    uint64_t seed = 0;
    pid_t parent = getppid();
    script_init(&sim.defaults);
    if (!read_options(argc, argv, &o, &sim)) {
        fputs("provider: invalid options, see --help\n", stderr);
        return EXIT_USAGE;
    }
    if (o.dies_with_parent) {
        prctl(PR_SET_PDEATHSIG, SIGTERM);
        if (getppid() != parent)
            return 0; /* it died before it could be told to tell */
    }
    catch_signals();
    allow_many_descriptors();
    if (getrandom(&seed, sizeof(seed), 0) == (ssize_t)sizeof(seed))
        answer_seed(seed);
    if (o.tls_cert != NULL && (sim.tls = sock_tls_new(o.tls_cert, o.tls_key)) == NULL)
        return 1;
    uint16_t port = 0;
    int listen_fd = listen_on(&o, &port);
    if (listen_fd < 0)
        return fail("cannot listen on", o.host);
    sim.epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (o.port_file != NULL && !write_port_file(o.port_file, port))
        return fail("cannot write", o.port_file);
    printf("listening on %s://%s:%u\n", sim.tls != NULL ? "https" : "http", o.host, port);
    fflush(stdout);
    run(&sim, listen_fd);
    if (o.port_file != NULL)
        unlink(o.port_file);
    close(listen_fd);
    conn_close_all(&sim);
    close(sim.epoll_fd);
    tally_clear(&sim.tally);
    history_clear(&sim.history);
    timers_clear(&sim.timers);
    responses_kept_clear();
    SSL_CTX_free(sim.tls);
    return 0;
}
