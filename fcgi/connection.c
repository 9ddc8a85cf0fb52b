#include "fcgi/connection.h"

#include "base/str.h"

#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

union address {
    struct sockaddr any;
    struct sockaddr_in in;
    struct sockaddr_in6 in6;
    struct sockaddr_un un;
};

static enum err fcgi_read(struct transport *t, char *p, size_t n, size_t *got);
static enum err fcgi_write(struct transport *t, const char *p, size_t n);
static enum err fcgi_flush(struct transport *t);
static bool fcgi_is_gone(const struct transport *t);
static void set_timeout(int fd, int option, int64_t ms);
static bool is_welcome(int fd, const union address *peer);

static const struct transport_ops fcgi_ops = {fcgi_read, fcgi_write, fcgi_flush, fcgi_is_gone};

void connection_init(struct connection *c, int listen_fd, const struct config *config)
{
    *c = (struct connection){.listen_fd = listen_fd, .config = config};
    c->transport.ops = &fcgi_ops;
    c->transport.gone_fd = -1;
    FCGX_InitRequest(&c->fcgx, -1, 0);
}

enum err connection_accept(struct connection *c)
{
    union address peer = {0};
    socklen_t size = sizeof(peer);
    int fd = accept4(c->listen_fd, &peer.any, &size, SOCK_CLOEXEC);

    if (fd < 0)
        return errno == EAGAIN ? ERR_END : ERR_IO;
    if (peer.any.sa_family != AF_UNIX && !is_welcome(fd, &peer)) {
        close(fd);
        errno = ECONNABORTED;
        return ERR_IO;
    }
    set_timeout(fd, SO_RCVTIMEO, c->config->client_read_ms);
    set_timeout(fd, SO_SNDTIMEO, c->config->client_write_ms);
    c->fcgx.ipcFd = fd;
    /* Else FCGX_Accept_r, which begins by finishing the last request, would close what it was
     * just given. */
    c->fcgx.keepConnection = 1;
    return ERR_OK;
}

enum err connection_begin(struct connection *c)
{
    /* Detached: closing does not linger. connection_finish takes it back when the body lies
     * unread. */
    FCGX_Detach(&c->fcgx);
    if (FCGX_Accept_r(&c->fcgx) != 0)
        return ERR_END;
    c->transport.env = (const char *const *)c->fcgx.envp;
    c->transport.gone_fd = c->fcgx.ipcFd;
    c->transport.is_broken = false;
    return ERR_OK;
}

/* FCGX_Finish_r for a request whose input stream was freed at its end: it would leave the output
 * open. */
static void finish_without_input(struct connection *c)
{
    int is_closing = !c->fcgx.keepConnection;

    is_closing |= FCGX_FClose(c->fcgx.err);
    is_closing |= FCGX_FClose(c->fcgx.out);
    FCGX_Free(&c->fcgx, is_closing);
}

bool connection_finish(struct connection *c)
{
    if (c->transport.is_broken) {
        /* libfcgi would write again and wait for the peer, each up to its timeout. */
        shutdown(c->fcgx.ipcFd, SHUT_RDWR);
        c->fcgx.keepConnection = 0;
    } else if (c->fcgx.in != NULL && !FCGX_HasSeenEOF(c->fcgx.in)) {
        /* Closing over unread bytes makes a reset that can overtake the answer: let libfcgi
         * half-close and wait. */
        FCGX_Attach(&c->fcgx);
        c->fcgx.keepConnection = 0;
    }
    if (c->fcgx.in == NULL)
        finish_without_input(c);
    else
        FCGX_Finish_r(&c->fcgx);
    c->transport.env = NULL;
    c->transport.gone_fd = -1;
    return c->fcgx.ipcFd >= 0;
}

int connection_fd(const struct connection *c)
{
    return c->fcgx.ipcFd;
}

void connection_close(struct connection *c)
{
    if (c->fcgx.ipcFd < 0)
        return;
    FCGX_Free(&c->fcgx, 1);
}

static enum err fcgi_read(struct transport *t, char *p, size_t n, size_t *got)
{
    struct connection *c = (struct connection *)t;
    size_t total = 0;

    *got = 0;
    if (c->fcgx.in == NULL)
        return ERR_OK;
    while (total < n) {
        size_t left = n - total;
        int want = left > INT_MAX ? INT_MAX : (int)left;
        int count = FCGX_GetStr(p + total, want, c->fcgx.in);

        if (count > 0)
            total += (size_t)count;
        if (count < want)
            break;
    }
    *got = total;
    if (FCGX_GetError(c->fcgx.in) != 0)
        return ERR_UPLOAD_CUT;
    /* At the end its buffer goes, since a stream may wait for minutes from here on. */
    if (total < n)
        FCGX_FreeStream(&c->fcgx.in);
    return ERR_OK;
}

static enum err fcgi_write(struct transport *t, const char *p, size_t n)
{
    struct connection *c = (struct connection *)t;

    while (n > 0 && !t->is_broken) {
        int part = n > INT_MAX ? INT_MAX : (int)n;

        /* The return value alone does not tell: after a failed write it can be a success. */
        if (FCGX_PutStr(p, part, c->fcgx.out) < 0 || FCGX_GetError(c->fcgx.out) != 0)
            t->is_broken = true;
        p += part;
        n -= (size_t)part;
    }
    return t->is_broken ? ERR_CLIENT_GONE : ERR_OK;
}

static enum err fcgi_flush(struct transport *t)
{
    struct connection *c = (struct connection *)t;

    if (t->is_broken)
        return ERR_CLIENT_GONE;
    if (FCGX_FFlush(c->fcgx.out) < 0 || FCGX_GetError(c->fcgx.out) != 0) {
        t->is_broken = true;
        return ERR_CLIENT_GONE;
    }
    return ERR_OK;
}

/* The body was read to its end, so the web server has nothing left to say but that it closes its
 * side. */
static bool fcgi_is_gone(const struct transport *t)
{
    char byte;
    ssize_t n;

    if (t->is_broken)
        return true;
    n = recv(t->gone_fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    if (n < 0)
        return errno != EAGAIN && errno != EINTR;
    return n == 0;
}

static void set_timeout(int fd, int option, int64_t ms)
{
    struct timeval tv = {.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000};

    setsockopt(fd, SOL_SOCKET, option, &tv, sizeof(tv));
}

/* FCGI_WEB_SERVER_ADDRS (FastCGI 1.0, section 3.2): the addresses that may connect, with commas
 * between; unset: all. */
static bool is_listed(const union address *peer)
{
    const char *list = getenv("FCGI_WEB_SERVER_ADDRS");
    char text[INET6_ADDRSTRLEN];
    struct slice rest = slice_of(list);
    const void *raw = peer->any.sa_family == AF_INET ? (const void *)&peer->in.sin_addr
                                                     : (const void *)&peer->in6.sin6_addr;

    if (rest.n == 0)
        return true;
    if (inet_ntop(peer->any.sa_family, raw, text, sizeof(text)) == NULL)
        return false;
    while (rest.p != NULL) {
        if (slice_eq_z(slice_trim(slice_split(&rest, ',')), text))
            return true;
    }
    return false;
}

static bool is_welcome(int fd, const union address *peer)
{
    int on = 1;

    if (peer->any.sa_family != AF_INET && peer->any.sa_family != AF_INET6)
        return true;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    return is_listed(peer);
}
