#include "tests/unit/fcgi_client.h"

#include "base/buf.h"
#include "base/clock.h"

#include <check.h>
#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define REQUEST_MAX ((size_t)16 << 20)
#define CONTENT_MAX 65528
#define ANSWER_MS   5000

enum record { BEGIN_REQUEST = 1, END_REQUEST = 3, PARAMS = 4, STDIN = 5, STDOUT = 6 };

int fcgi_client_connect(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    ck_assert_int_ge(fd, 0);
    ck_assert_uint_lt(strlen(path), sizeof(address.sun_path));
    memcpy(address.sun_path, path, strlen(path) + 1);
    if (connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0)
        return fd;
    close(fd);
    return -1;
}

static void add(struct buf *b, const void *p, size_t n)
{
    ck_assert_int_eq(buf_append(b, p, n), ERR_OK);
}

static void add_record(struct buf *b, enum record type, const void *p, size_t n)
{
    uint8_t head[8] = {1, (uint8_t)type, 0, 1, (uint8_t)(n >> 8), (uint8_t)n, 0, 0};

    add(b, head, sizeof(head));
    if (n > 0)
        add(b, p, n);
}

static void add_param(struct buf *b, const char *name, const char *value)
{
    size_t value_n = strlen(value);
    uint8_t lengths[5] = {(uint8_t)strlen(name), (uint8_t)(value_n >> 24 | 0x80),
                          (uint8_t)(value_n >> 16), (uint8_t)(value_n >> 8), (uint8_t)value_n};

    add(b, lengths, sizeof(lengths));
    add(b, name, strlen(name));
    add(b, value, value_n);
}

static bool send_all(int fd, const char *p, size_t n)
{
    while (n > 0) {
        ssize_t sent = send(fd, p, n, MSG_NOSIGNAL);
        if (sent <= 0)
            return false;
        p += sent;
        n -= (size_t)sent;
    }
    return true;
}

bool fcgi_client_send(int fd, const struct fcgi_client_request *r)
{
    uint8_t begin[8] = {0, 1, r->keep};
    char length[24];
    struct buf all;
    struct buf params;
    bool is_sent;

    buf_init(&all, REQUEST_MAX);
    buf_init(&params, CONTENT_MAX);
    snprintf(length, sizeof(length), "%ld",
             r->content_length < 0 ? (long)r->body.n : r->content_length);
    add_param(&params, "REQUEST_METHOD", r->method);
    add_param(&params, "REQUEST_URI", r->uri);
    add_param(&params, "CONTENT_LENGTH", length);
    add_param(&params, "REMOTE_ADDR", "192.0.2.7");
    add_record(&all, BEGIN_REQUEST, begin, sizeof(begin));
    add_record(&all, PARAMS, params.p, params.n);
    add_record(&all, PARAMS, NULL, 0);
    for (size_t at = 0; at < r->body.n; at += CONTENT_MAX) {
        size_t left = r->body.n - at;
        add_record(&all, STDIN, r->body.p + at, left < CONTENT_MAX ? left : CONTENT_MAX);
    }
    if (!r->is_unfinished)
        add_record(&all, STDIN, NULL, 0);
    is_sent = send_all(fd, all.p, all.n);
    buf_clear(&params);
    buf_clear(&all);
    return is_sent;
}

/* Reads exactly n bytes. False: the connection ended or the time is up. */
static bool read_all(int fd, void *dst, size_t n, int64_t until_ms)
{
    char *p = dst;

    while (n > 0) {
        struct pollfd pfd = {.fd = fd, .events = POLLIN};
        int64_t left_ms = until_ms - clock_mono_ms();
        ssize_t got;

        if (left_ms < 0 || poll(&pfd, 1, (int)left_ms) <= 0)
            return false;
        got = read(fd, p, n);
        if (got <= 0)
            return false;
        p += got;
        n -= (size_t)got;
    }
    return true;
}

void fcgi_client_read(int fd, struct fcgi_answer *a, int timeout_ms)
{
    int64_t until_ms = clock_mono_ms() + timeout_ms;
    uint8_t head[8];
    char *end;

    a->status = 0;
    a->is_ended = false;
    a->n = 0;
    while (!a->is_ended && read_all(fd, head, sizeof(head), until_ms)) {
        size_t n = (size_t)head[4] << 8 | head[5];
        char padding[256];

        ck_assert_int_eq(head[0], 1);
        ck_assert_uint_le(a->n + n, FCGI_CLIENT_ANSWER_MAX);
        if (!read_all(fd, a->text + a->n, n, until_ms) || !read_all(fd, padding, head[6], until_ms))
            break;
        if (head[1] == STDOUT)
            a->n += n;
        a->is_ended = head[1] == END_REQUEST;
    }
    a->text[a->n] = '\0';
    a->body = "";
    if (strncmp(a->text, "Status: ", 8) == 0)
        a->status = atoi(a->text + 8);
    end = strstr(a->text, "\r\n\r\n");
    if (end != NULL)
        a->body = end + 4;
}

int fcgi_client_get(const char *path, const char *uri, struct fcgi_answer *a)
{
    int fd = fcgi_client_connect(path);

    ck_assert_int_ge(fd, 0);
    ck_assert(fcgi_client_send(
        fd, &(struct fcgi_client_request){.method = "GET", .uri = uri, .content_length = -1}));
    fcgi_client_read(fd, a, ANSWER_MS);
    close(fd);
    return a->status;
}
