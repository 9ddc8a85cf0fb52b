#include "fcgi/cgi.h"

#include "base/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

static enum err cgi_read(struct transport *t, char *p, size_t n, size_t *got);
static enum err cgi_write(struct transport *t, const char *p, size_t n);
static enum err cgi_flush(struct transport *t);
static bool cgi_is_gone(const struct transport *t);

static const struct transport_ops cgi_ops = {cgi_read, cgi_write, cgi_flush, cgi_is_gone};

void cgi_init(struct cgi *c, const struct config *config, const char *const *env, int gone_fd)
{
    c->transport = (struct transport){
        .ops = &cgi_ops, .env = env, .gone_fd = gone_fd, .is_cgi = true, .is_broken = false};
    c->config = config;
    c->in_fd = STDIN_FILENO;
    c->out_fd = STDOUT_FILENO;
    c->buffered = 0;
}

void cgi_finish(struct cgi *c)
{
    int null = open("/dev/null", O_WRONLY | O_CLOEXEC);

    (void)cgi_flush(&c->transport); /* a client that is gone cannot be told */
    if (null >= 0) {
        /* The number stays taken: a socket opened later must not become stdout. */
        dup2(null, c->out_fd);
        close(null);
    }
}

/* Waits until fd is ready or the client leaves. False: neither within timeout_ms, or it left. */
static bool wait_ready(const struct cgi *c, int fd, short events, int64_t timeout_ms)
{
    struct pollfd pfds[2] = {
        {.fd = fd,                   .events = events},
        {.fd = c->transport.gone_fd, .events = POLLIN}
    };
    int64_t until_ms = clock_mono_ms() + timeout_ms;
    int n;

    do {
        int64_t left_ms = until_ms - clock_mono_ms();
        if (left_ms < 0)
            left_ms = 0;
        n = poll(pfds, 2, left_ms > INT_MAX ? INT_MAX : (int)left_ms);
    } while (n < 0 && errno == EINTR);
    return n > 0 && pfds[1].revents == 0 && pfds[0].revents != 0;
}

static enum err cgi_read(struct transport *t, char *p, size_t n, size_t *got)
{
    struct cgi *c = (struct cgi *)t;

    *got = 0;
    while (*got < n) {
        ssize_t count;

        if (!wait_ready(c, c->in_fd, POLLIN, c->config->client_read_ms))
            return ERR_UPLOAD_CUT;
        count = read(c->in_fd, p + *got, n - *got);
        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0)
            return ERR_UPLOAD_CUT;
        if (count == 0)
            return ERR_OK;
        *got += (size_t)count;
    }
    return ERR_OK;
}

/* Never more than PIPE_BUF at once: that much fits without blocking after poll said so, hence
 * SIGTERM and the timeout are seen between two writes. */
static enum err send_all(struct cgi *c, const char *p, size_t n)
{
    while (n > 0 && !c->transport.is_broken) {
        ssize_t wrote = -1;

        if (wait_ready(c, c->out_fd, POLLOUT, c->config->client_write_ms))
            wrote = write(c->out_fd, p, n < PIPE_BUF ? n : PIPE_BUF);
        else
            errno = EPIPE;
        if (wrote < 0 && errno == EINTR)
            continue;
        if (wrote < 0) {
            c->transport.is_broken = true;
            break;
        }
        p += wrote;
        n -= (size_t)wrote;
    }
    return c->transport.is_broken ? ERR_CLIENT_GONE : ERR_OK;
}

static enum err cgi_write(struct transport *t, const char *p, size_t n)
{
    struct cgi *c = (struct cgi *)t;

    if (t->is_broken)
        return ERR_CLIENT_GONE;
    if (n > sizeof(c->buffer) - c->buffered) {
        enum err e = cgi_flush(t);
        if (e != ERR_OK)
            return e;
    }
    if (n > sizeof(c->buffer))
        return send_all(c, p, n);
    memcpy(c->buffer + c->buffered, p, n);
    c->buffered += n;
    return ERR_OK;
}

static enum err cgi_flush(struct transport *t)
{
    struct cgi *c = (struct cgi *)t;
    size_t n = c->buffered;

    c->buffered = 0;
    return send_all(c, c->buffer, n);
}

static bool cgi_is_gone(const struct transport *t)
{
    const struct cgi *c = (const struct cgi *)t;
    /* Without asked events stdout reports only that nobody reads it any more. */
    struct pollfd pfds[2] = {
        {.fd = t->gone_fd, .events = POLLIN},
        {.fd = c->out_fd,  .events = 0     }
    };

    return t->is_broken || poll(pfds, 2, 0) > 0;
}
