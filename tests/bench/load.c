/* load - a load generator: many connections, one request after another on each.
 *
 * One thread, one epoll. A closed loop: a connection sends its next request when its answer is
 * whole. With --stream the answers are event streams, and the time to the first event and the
 * largest gap between events are measured for each. Prints one JSON object.
 */
#include "tests/bench/load.h"
#include "tests/bench/load_options.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
    EVENTS_MAX = 256,
    READ_BYTES = 64 * 1024,
    STATUS_MAX = 600,
    EXIT_USAGE = 2,
};

/* Errors without an HTTP status, counted in its place. */
enum { ERROR_CONNECT, ERROR_BROKEN, ERROR_TIMEOUT, ERROR_KINDS };

struct client {
    int fd; /* -1: not connected */
    bool is_connecting;
    bool is_busy;
    size_t sent; /* bytes of the request */
    int64_t begun_us;
    int64_t last_event_us; /* 0: none yet */
    int64_t gap_us;        /* largest so far */
    struct reply reply;
    struct events events;
};

struct run {
    struct load_options options;
    char *request;
    size_t request_len;
    int epoll_fd;
    struct sockaddr_in address;
    struct client *clients;
    int64_t now_us;
    int64_t began_us; /* of what is measured: after the warm-up */
    int64_t ended_us; /* last answer */
    int64_t last_byte_us;
    long started;
    long finished;
    long busy;
    long busy_peak;
    long ok;
    long streams_complete;
    long streams_lost;
    uint64_t events;
    uint64_t body_bytes;
    long errors[STATUS_MAX];
    struct samples latency;
    struct samples first_event;
    struct samples gap;
};

static int64_t clock_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/* Whether another request is to be sent. */
static bool run_has_more(const struct run *r)
{
    const struct load_options *o = &r->options;
    if (o->requests > 0 && r->started >= o->requests + o->warmup)
        return false;
    return o->seconds <= 0 || r->finished < o->warmup ||
           (double)(r->now_us - r->began_us) < o->seconds * 1e6;
}

static void client_watch(struct run *r, struct client *c, int how)
{
    bool has_unsent = c->is_busy && (c->is_connecting || c->sent < r->request_len);
    struct epoll_event event = {.events = EPOLLIN | (has_unsent ? EPOLLOUT : 0U), .data.ptr = c};
    epoll_ctl(r->epoll_fd, how, c->fd, &event);
}

static void client_close(struct client *c)
{
    if (c->fd >= 0)
        close(c->fd);
    c->fd = -1;
}

static bool client_connect(struct run *r, struct client *c)
{
    static const int on = 1;
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (c->fd < 0)
        return false;
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    int rc = connect(c->fd, (const struct sockaddr *)&r->address, sizeof(r->address));
    if (rc != 0 && errno != EINPROGRESS) {
        client_close(c);
        return false;
    }
    c->is_connecting = rc != 0;
    client_watch(r, c, EPOLL_CTL_ADD);
    return true;
}

static void client_send(struct run *r, struct client *c)
{
    size_t before = c->sent;
    ssize_t n = send(c->fd, r->request + before, r->request_len - before, MSG_NOSIGNAL);
    if (n > 0)
        c->sent += (size_t)n;
    if (c->sent < r->request_len || before > 0 || c->is_connecting)
        client_watch(r, c, EPOLL_CTL_MOD);
}

/* Send the next request, on a new connection if need be. */
static void client_begin(struct run *r, struct client *c)
{
    if (!run_has_more(r)) {
        client_close(c);
        return;
    }
    r->started++;
    c->is_busy = true;
    c->begun_us = clock_us();
    c->sent = 0;
    c->last_event_us = 0;
    c->gap_us = 0;
    c->reply = (struct reply){0};
    c->events = (struct events){0};
    r->busy++;
    if (r->busy > r->busy_peak)
        r->busy_peak = r->busy;
    if (c->fd < 0 && !client_connect(r, c)) {
        /* This client stays out: trying again at once would only spin. */
        c->is_busy = false;
        r->busy--;
        r->finished++;
        r->errors[ERROR_CONNECT]++;
        return;
    }
    if (!c->is_connecting)
        client_send(r, c);
}

static void stream_measure(struct run *r, struct client *c, bool is_ok)
{
    r->events += c->events.count;
    if (c->last_event_us > 0)
        samples_add(&r->gap, c->gap_us);
    if (is_ok && c->events.is_done)
        r->streams_complete++;
    else
        r->streams_lost++;
}

/* The answer of this client is over: error is -1 for a whole answer, else what went wrong. */
static void client_end(struct run *r, struct client *c, int error)
{
    int status = c->reply.status;
    bool is_ok = error < 0 && status >= 200 && status < 300;
    bool is_measured = r->finished >= r->options.warmup;
    r->now_us = clock_us();
    c->is_busy = false;
    r->busy--;
    r->finished++;
    if (is_measured) {
        r->ended_us = r->now_us;
        r->ok += is_ok;
        if (!is_ok)
            r->errors[error >= 0 ? error : status]++;
        else
            samples_add(&r->latency, r->now_us - c->begun_us);
        if (r->options.is_stream)
            stream_measure(r, c, is_ok);
    } else if (r->finished == r->options.warmup) {
        r->began_us = r->now_us;
    }
    if (error >= 0 || !c->reply.is_keep_alive)
        client_close(c);
    if (error != ERROR_CONNECT && error != ERROR_TIMEOUT)
        client_begin(r, c);
}

static void client_take_body(struct run *r, struct client *c, const char *data, size_t len)
{
    r->body_bytes += len;
    if (!r->options.is_stream)
        return;
    uint64_t before = c->events.count;
    events_feed(&c->events, data, len);
    if (c->events.count == before)
        return;
    if (c->last_event_us == 0 && r->finished >= r->options.warmup)
        samples_add(&r->first_event, r->now_us - c->begun_us);
    else if (c->last_event_us > 0 && r->now_us - c->last_event_us > c->gap_us)
        c->gap_us = r->now_us - c->last_event_us;
    c->last_event_us = r->now_us;
}

/* The other side has closed: the end of the answer, a broken one, or an idle connection. */
static void client_closed(struct run *r, struct client *c)
{
    if (c->reply.state == REPLY_UNTIL_CLOSE)
        client_end(r, c, -1);
    else
        client_end(r, c, ERROR_BROKEN);
}

static void client_read(struct run *r, struct client *c)
{
    static char data[READ_BYTES];
    ssize_t n = recv(c->fd, data, sizeof(data), 0);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    r->now_us = clock_us();
    r->last_byte_us = r->now_us;
    if (n < 0)
        client_end(r, c, ERROR_BROKEN);
    else if (n == 0)
        client_closed(r, c);
    if (n <= 0)
        return;
    size_t at = 0;
    while (at < (size_t)n && c->reply.state != REPLY_WHOLE && c->reply.state != REPLY_BAD) {
        size_t body_len;
        size_t taken = reply_feed(&c->reply, data + at, (size_t)n - at, &body_len);
        if (body_len > 0)
            client_take_body(r, c, data + at, body_len);
        at += taken;
    }
    if (c->reply.state == REPLY_BAD || at < (size_t)n)
        client_end(r, c, ERROR_BROKEN); /* bytes behind the answer were not asked for */
    else if (c->reply.state == REPLY_WHOLE)
        client_end(r, c, -1);
}

static void client_ready(struct run *r, struct client *c, uint32_t events)
{
    int error = 0;
    socklen_t len = sizeof(error);
    if (c->fd < 0)
        return;
    if (!c->is_busy) { /* waiting for the end, and the server closed */
        client_close(c);
        return;
    }
    if (c->is_connecting) {
        getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &error, &len);
        if (error != 0) {
            c->is_connecting = false;
            client_end(r, c, ERROR_CONNECT);
            return;
        }
        client_send(r, c);
        c->is_connecting = false;
        client_watch(r, c, EPOLL_CTL_MOD);
        return;
    }
    if ((events & EPOLLOUT) != 0 && c->sent < r->request_len)
        client_send(r, c);
    if ((events & (EPOLLIN | EPOLLERR | EPOLLHUP)) != 0)
        client_read(r, c);
}

/* Start the clients whose time has come, spread over the ramp. Returns how many are started. */
static long run_ramp(struct run *r, long begun)
{
    const struct load_options *o = &r->options;
    while (begun < o->connections) {
        int64_t due_us = r->began_us + o->ramp_ms * 1000 * begun / o->connections;
        r->now_us = clock_us();
        if (r->now_us < due_us)
            break;
        client_begin(r, &r->clients[begun++]);
    }
    return begun;
}

static void run_loop(struct run *r)
{
    struct epoll_event events[EVENTS_MAX];
    const int64_t ramp_began_us = clock_us();
    long begun = 0;
    r->began_us = r->ended_us = r->last_byte_us = r->now_us = ramp_began_us;
    do {
        if (begun < r->options.connections)
            begun = run_ramp(r, begun);
        bool is_ramping = begun < r->options.connections;
        int count = epoll_wait(r->epoll_fd, events, EVENTS_MAX, is_ramping ? 1 : 100);
        r->now_us = clock_us();
        for (int i = 0; i < count; i++)
            client_ready(r, events[i].data.ptr, events[i].events);
        if (r->now_us - r->last_byte_us > r->options.timeout_s * 1000000)
            break;
    } while (r->busy > 0 || begun < r->options.connections);
    for (long i = 0; i < r->options.connections; i++)
        if (r->clients[i].is_busy)
            client_end(r, &r->clients[i], ERROR_TIMEOUT);
}

static void print_errors(const struct run *r)
{
    static const char *const kinds[ERROR_KINDS] = {"connect", "broken", "timeout"};
    const char *comma = "";
    printf("\"errors\":{");
    for (int i = 0; i < STATUS_MAX; i++) {
        if (r->errors[i] == 0)
            continue;
        if (i < ERROR_KINDS)
            printf("%s\"%s\":%ld", comma, kinds[i], r->errors[i]);
        else
            printf("%s\"%d\":%ld", comma, i, r->errors[i]);
        comma = ",";
    }
    printf("}");
}

static void print_json(struct run *r)
{
    double seconds = (double)(r->ended_us - r->began_us) / 1e6;
    long measured = r->finished > r->options.warmup ? r->finished - r->options.warmup : 0;
    double rate = seconds > 0 ? (double)r->ok / seconds : 0;
    printf("{\"requests\":%ld,\"ok\":%ld,", measured, r->ok);
    print_errors(r);
    printf(",\"connections\":%ld,\"seconds\":%.6f,\"requests_per_second\":%.1f,"
           "\"body_bytes\":%ju",
           r->options.connections, seconds, rate, (uintmax_t)r->body_bytes);
    samples_print(&r->latency, "latency_us");
    if (r->options.is_stream) {
        printf(",\"streams_complete\":%ld,\"streams_lost\":%ld,\"streams_open_peak\":%ld,"
               "\"events\":%ju",
               r->streams_complete, r->streams_lost, r->busy_peak, (uintmax_t)r->events);
        samples_print(&r->first_event, "first_event_us");
        samples_print(&r->gap, "gap_us");
    }
    printf("}\n");
}

/* Read a file whole; NULL when it cannot be read. */
static char *read_file(const char *path, size_t *len)
{
    char *data = NULL;
    FILE *file = fopen(path, "r");
    if (file == NULL)
        return NULL;
    long size = fseek(file, 0, SEEK_END) == 0 ? ftell(file) : -1;
    if (size >= 0)
        data = malloc((size_t)size + 1);
    rewind(file);
    if (data != NULL)
        *len = fread(data, 1, (size_t)size, file);
    fclose(file);
    return data;
}

/* The whole request as it goes over the wire; NULL when the body cannot be read. */
static char *make_request(const struct load_options *o, size_t *len)
{
    char *request = NULL;
    size_t body_len = 0;
    char *body = read_file(o->body_path, &body_len);
    FILE *out = body != NULL ? open_memstream(&request, len) : NULL;
    if (out != NULL) {
        fprintf(out, "POST %s HTTP/1.1\r\nHost: %s:%ld\r\nContent-Type: application/json\r\n",
                o->path, o->host, o->port);
        for (size_t i = 0; i < o->header_count; i++)
            fprintf(out, "%s\r\n", o->headers[i]);
        fprintf(out, "Content-Length: %zu\r\n\r\n", body_len);
        fwrite(body, 1, body_len, out);
        fclose(out);
    }
    free(body);
    return request;
}

static void allow_many_descriptors(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return;
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
}

int main(int argc, char **argv)
{
    static struct run r = {.options = LOAD_OPTIONS_DEFAULT};
    struct load_options *o = &r.options;
    if (!load_options_read(o, argc, argv)) {
        load_options_help(stderr);
        return EXIT_USAGE;
    }
    r.address.sin_family = AF_INET;
    r.address.sin_port = htons((uint16_t)o->port);
    r.request = make_request(o, &r.request_len);
    r.clients = calloc((size_t)o->connections, sizeof(r.clients[0]));
    r.epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (inet_pton(AF_INET, o->host, &r.address.sin_addr) != 1 || r.request == NULL ||
        r.clients == NULL || r.epoll_fd < 0) {
        fprintf(stderr, "load: cannot use %s or read %s\n", o->host, o->body_path);
        return 1;
    }
    allow_many_descriptors();
    for (long i = 0; i < o->connections; i++)
        r.clients[i].fd = -1;
    run_loop(&r);
    print_json(&r);
    samples_clear(&r.latency);
    samples_clear(&r.first_event);
    samples_clear(&r.gap);
    free(r.clients);
    free(r.request);
    close(r.epoll_fd);
    return 0;
}
