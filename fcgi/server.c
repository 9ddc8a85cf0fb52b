#include "fcgi/server.h"

#include "base/log.h"
#include "fcgi/cgi.h"
#include "fcgi/pool.h"
#include "fcgi/serve.h"

#include <errno.h>
#include <fcgiapp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define WAKE_AT_ONCE  64
#define WAKE_PAUSE_MS 20
#define WAKE_ROUNDS   3
#define NS_PER_MS     1000000

static sigset_t signals; /* what tells us to stop; in CGI mode, that the client left */

static enum err run_fastcgi(const struct server_options *o);
static enum err run_cgi(const struct server_options *o);
static enum err set_signals(void);
static enum err follow_parent(void);
static void name_process(void);

bool server_is_fastcgi(void)
{
    struct sockaddr_storage peer;
    socklen_t size = sizeof(peer);

    return getpeername(SERVER_LISTEN_FD, (struct sockaddr *)&peer, &size) != 0 && errno == ENOTCONN;
}

bool server_is_draining(void)
{
    return pool_is_draining();
}

int server_active(void)
{
    return pool_active();
}

int server_workers(void)
{
    return pool_workers();
}

enum err server_prepare(const struct server_options *o)
{
    enum err e = set_signals();

    if (e == ERR_OK && o->own_socket)
        e = follow_parent();
    if (e == ERR_OK && server_is_fastcgi())
        name_process();
    return e;
}

enum err server_run(const struct server_options *o)
{
    return server_is_fastcgi() ? run_fastcgi(o) : run_cgi(o);
}

static void on_signal(int number)
{
    (void)number; /* never runs: blocked everywhere, taken by sigwait or the signalfd */
}

/* libfcgi takes SIGTERM, SIGUSR1 and SIGPIPE for itself where they are default or ignored, so
 * ours come first, and SIGPIPE is ignored again afterwards. An ignored signal would be dropped
 * before sigwait saw it: hence a handler. */
static enum err set_signals(void)
{
    struct sigaction taken = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
    struct sigaction ignored = {.sa_handler = SIG_IGN};

    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGUSR1);
    if (pthread_sigmask(SIG_BLOCK, &signals, NULL) != 0)
        return ERR_IO;
    if (sigaction(SIGTERM, &taken, NULL) != 0 || sigaction(SIGINT, &taken, NULL) != 0 ||
        sigaction(SIGUSR1, &taken, NULL) != 0)
        return ERR_IO;
    if (server_is_fastcgi() && FCGX_Init() != 0)
        return ERR_IO;
    return sigaction(SIGPIPE, &ignored, NULL) == 0 ? ERR_OK : ERR_IO;
}

/* A web server that is killed must not leave us behind: its successor would attach to us and
 * never respawn us. */
static enum err follow_parent(void)
{
    pid_t parent = getppid();

    if (prctl(PR_SET_PDEATHSIG, SIGTERM) != 0)
        return ERR_IO;
    /* It died before the kernel knew whom to tell. */
    if (getppid() != parent)
        kill(getpid(), SIGTERM);
    return ERR_OK;
}

/* "aipass.chat-0" for the socket .../chat-0: who looks at a process list sees which pool a process
 * belongs to. The name is cut at 15 bytes. */
static void name_process(void)
{
    struct sockaddr_un address;
    socklen_t size = sizeof(address);
    const char *base;
    char name[16];

    memset(&address, 0, sizeof(address));
    if (getsockname(SERVER_LISTEN_FD, (struct sockaddr *)&address, &size) != 0 ||
        address.sun_family != AF_UNIX || address.sun_path[0] == '\0')
        return;
    base = strrchr(address.sun_path, '/');
    snprintf(name, sizeof(name), "aipass.%.8s", base != NULL ? base + 1 : address.sun_path);
    prctl(PR_SET_NAME, name);
}

static enum err run_cgi(const struct server_options *o)
{
    struct serve serve;
    struct cgi *cgi = malloc(sizeof(*cgi));
    int gone_fd = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
    enum err e = cgi == NULL ? ERR_MEMORY : ERR_OK;

    if (e == ERR_OK)
        e = serve_init(&serve, o->config, o->router);
    if (e == ERR_OK) {
        cgi_init(cgi, o->config, (const char *const *)environ, gone_fd);
        serve_request(&serve, &cgi->transport);
        cgi_finish(cgi);
        serve_clear(&serve);
    }
    if (gone_fd >= 0)
        close(gone_fd);
    free(cgi);
    return e;
}

/* Connects to our own socket once for each worker that accepts, so that none waits out its old
 * timeout. The connections stay open for a moment: a worker that has one waits for its bytes,
 * and cannot take the next one's, too. Where it fails (permissions, a full queue) the workers
 * just wait. */
static void wake_acceptors(const struct sockaddr *address, socklen_t size, int count)
{
    int fds[WAKE_AT_ONCE];

    while (count > 0) {
        struct timespec pause = {.tv_nsec = WAKE_PAUSE_MS * NS_PER_MS};
        int n = 0;

        while (n < WAKE_AT_ONCE && n < count) {
            int fd = socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

            if (fd < 0)
                break;
            (void)!connect(fd, address, size);
            fds[n++] = fd;
        }
        if (n == 0)
            return;
        nanosleep(&pause, NULL);
        count -= n;
        while (n > 0)
            close(fds[--n]);
    }
}

static void start_drain(const struct server_options *o)
{
    union {
        struct sockaddr any;
        struct sockaddr_un un;
        struct sockaddr_storage room;
    } address = {0};
    socklen_t size = sizeof(address) - 1;

    log_info("drain_start", "workers=%d active=%d", pool_workers(), pool_active());
    pool_drain();
    if (getsockname(SERVER_LISTEN_FD, &address.any, &size) != 0)
        return;
    /* Not once: a worker that was about to accept may take the connection that was meant for
     * another. */
    for (int round = 0; round < WAKE_ROUNDS; round++)
        wake_acceptors(&address.any, size, pool_accepting());
    if (o->own_socket && address.any.sa_family == AF_UNIX && address.un.sun_path[0] != '\0')
        unlink(address.un.sun_path);
}

static enum err run_fastcgi(const struct server_options *o)
{
    int signal_number = 0;
    enum err e = pool_start(o);

    if (e != ERR_OK)
        return e;
    log_info("server_start", "workers_max=%lld own_socket=%d", (long long)o->config->workers_max,
             o->own_socket);
    while (sigwait(&signals, &signal_number) != 0)
        ;
    start_drain(o);
    /* A worker that ends its last stream at the very end still looks into the queue once. */
    e = pool_wait(o->config->drain_timeout_ms + SERVER_DRAIN_STEP_MS);
    log_info("drain_end", "result=%s active=%d", err_name(e), pool_active());
    return e;
}
