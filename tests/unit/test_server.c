#include "fcgi/server.h"

#include "base/clock.h"
#include "base/log.h"
#include "fcgi/response.h"
#include "tests/unit/fcgi_client.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define BODY_MAX    200000
#define BODY_MEMORY 8192
#define LONG_MS     5000
#define EXIT_BUSY   3
#define MANY        40

static char dir[128]; /* made by main, for all tests */
static char socket_path[160];
static char empty[] = "";
static struct config config;
static pid_t server_pid;
static int note_read_fd = -1;
static int note_fd = -1; /* handlers tell the test what they saw */
static struct fcgi_answer answer;

/* ---- the program under test: a server with a few handlers ---- */

static void pause_ms(long ms)
{
    struct timespec t = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};

    nanosleep(&t, NULL);
}

static void note(const char *text)
{
    ssize_t n = write(note_fd, text, strlen(text));

    (void)n;
}

static void answer_text(struct request *req, const char *text)
{
    (void)!response_bytes(req, 200, "text/plain", slice_of(text));
}

static void handle_ok(struct request *req)
{
    answer_text(req, "ok");
}

static void handle_echo(struct request *req)
{
    note("echo ");
    (void)!response_bytes(req, 200, "application/octet-stream", req->body);
}

static void handle_sleep(struct request *req)
{
    int64_t ms = 0;

    if (slice_to_i64(req->params[0], &ms) == ERR_OK)
        pause_ms((long)ms);
    answer_text(req, "slept");
}

static void handle_stats(struct request *req)
{
    char text[64];

    snprintf(text, sizeof(text), "workers=%d active=%d", server_workers(), server_active());
    answer_text(req, text);
}

/* Waits for the client to leave and notes how it went. */
static void handle_wait(struct request *req)
{
    struct pollfd pfd = {.fd = request_gone_fd(req), .events = POLLIN};

    note("waiting ");
    if (poll(&pfd, 1, LONG_MS) > 0 && request_is_gone(req))
        note("gone ");
    else
        note("not gone ");
}

/* Ticks until told to stop, as a stream does. */
static void handle_stream(struct request *req)
{
    enum err e = response_flush(req);

    note("streaming ");
    for (int i = 0; e == ERR_OK && i < LONG_MS / 20 && !request_is_draining(req); i++) {
        pause_ms(20);
        e = response_write(req, SLICE("data: tick\n\n"));
        if (e == ERR_OK)
            e = response_flush(req);
    }
    if (e == ERR_OK)
        e = response_write(req, SLICE("data: last\n\n"));
    note(e == ERR_OK ? "ended " : err_name(e));
}

/* Writes more than any buffer between us holds. */
static void handle_flood(struct request *req)
{
    static const char block[65536];
    enum err e = ERR_OK;
    int64_t started_ms = clock_mono_ms();

    for (int i = 0; e == ERR_OK && i < 200; i++)
        e = response_write(req, (struct slice){block, sizeof(block)});
    note(e == ERR_CLIENT_GONE && clock_mono_ms() - started_ms < 2000 ? "stalled " : "no stall ");
}

static void write_error(struct request *req, enum err e, const char *param, const char *text)
{
    (void)param;
    (void)!response_bytes(req, err_info(e)->http_status, "text/plain", slice_of(text));
}

static const struct route routes[] = {
    {METHOD_GET,  "/ok",         handle_ok,     write_error, 0,             "ok"    },
    {METHOD_POST, "/echo",       handle_echo,   write_error, 0,             "echo"  },
    {METHOD_GET,  "/sleep/{ms}", handle_sleep,  write_error, 0,             "sleep" },
    {METHOD_GET,  "/stats",      handle_stats,  write_error, 0,             "stats" },
    {METHOD_GET,  "/wait",       handle_wait,   write_error, 0,             "wait"  },
    {METHOD_GET,  "/stream",     handle_stream, write_error, ROUTE_STREAMS, "stream"},
    {METHOD_GET,  "/flood",      handle_flood,  write_error, ROUTE_STREAMS, "flood" },
};
static const struct router router = {.routes = routes,
                                     .routes_n = sizeof(routes) / sizeof(routes[0]),
                                     .fallback_error = write_error};

/* Never returns. */
static void run_server(bool own_socket)
{
    struct server_options o = {.config = &config, .router = &router, .own_socket = own_socket};
    enum err e = server_prepare(&o);

    (void)!log_open("stderr", LOG_LEVEL_ERROR);
    if (e == ERR_OK)
        e = server_run(&o);
    if (e == ERR_BUSY)
        _exit(EXIT_BUSY); /* workers still run */
    exit(e == ERR_OK ? EXIT_SUCCESS : EXIT_FAILURE);
}

/* ---- the harness ---- */

static void set_up(void)
{
    int fds[2];

    unlink(socket_path); /* of a test that failed */
    ck_assert_int_eq(pipe2(fds, O_CLOEXEC), 0);
    note_read_fd = fds[0];
    note_fd = fds[1];
    config = (struct config){
        .workers_max = 64,
        .worker_idle_ms = 100,
        .keep_idle_ms = 300,
        .drain_timeout_ms = 1000,
        .body_max_bytes = BODY_MAX,
        .body_memory_bytes = BODY_MEMORY,
        .request_memory_bytes = 1 << 20,
        .client_read_ms = 200,
        .client_write_ms = 200,
        .path_prefix = empty,
        .spool_dir = dir,
    };
}

static void tear_down(void)
{
    if (server_pid > 0) {
        kill(server_pid, SIGKILL);
        waitpid(server_pid, NULL, 0);
    }
    unlink(socket_path);
}

/* A server on a bound socket, which it takes, with the configuration as it stands. */
static void start_server_on(int fd, bool own_socket)
{
    ck_assert_int_eq(listen(fd, 256), 0);
    server_pid = fork();
    ck_assert_int_ge(server_pid, 0);
    if (server_pid == 0) {
        dup2(fd, 0);
        close(fd);
        run_server(own_socket);
    }
    close(fd);
}

/* A server on socket_path. */
static void start_server(bool own_socket)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);

    ck_assert_int_ge(fd, 0);
    memcpy(address.sun_path, socket_path, strlen(socket_path) + 1);
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    start_server_on(fd, own_socket);
}

/* Waits for the server's end. Returns its exit status; -1: it did not end in time or died. */
static int wait_server(int timeout_ms)
{
    int64_t until_ms = clock_mono_ms() + timeout_ms;
    int status = 0;

    while (waitpid(server_pid, &status, WNOHANG) == 0) {
        if (clock_mono_ms() > until_ms)
            return -1;
        pause_ms(10);
    }
    server_pid = 0;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void stop_server(void)
{
    kill(server_pid, SIGTERM);
    ck_assert_int_eq(wait_server(LONG_MS), EXIT_SUCCESS);
}

static int get(const char *uri)
{
    return fcgi_client_get(socket_path, uri, &answer);
}

/* Sends a GET and leaves its connection open. */
static int start_get(const char *uri, bool keep)
{
    int fd = fcgi_client_connect(socket_path);

    ck_assert_int_ge(fd, 0);
    ck_assert(
        fcgi_client_send(fd, &(struct fcgi_client_request){
                                 .method = "GET", .uri = uri, .content_length = -1, .keep = keep}));
    return fd;
}

/* The answer that start_get began. */
static int end_get(int fd)
{
    fcgi_client_read(fd, &answer, LONG_MS);
    close(fd);
    return answer.status;
}

static int get_workers(void)
{
    int workers = 0;

    ck_assert_int_eq(get("/stats"), 200);
    ck_assert_int_eq(sscanf(answer.body, "workers=%d", &workers), 1);
    return workers;
}

/* What the handlers noted, as soon as it contains text. */
static void expect_note(const char *text, int timeout_ms)
{
    int64_t until_ms = clock_mono_ms() + timeout_ms;
    static char all[4096];
    static size_t n;

    while (strstr(all, text) == NULL) {
        struct pollfd pfd = {.fd = note_read_fd, .events = POLLIN};
        int64_t left_ms = until_ms - clock_mono_ms();
        ssize_t got;

        ck_assert_msg(left_ms > 0 && poll(&pfd, 1, (int)left_ms) > 0, "no \"%s\" in \"%s\"", text,
                      all);
        got = read(note_read_fd, all + n, sizeof(all) - 1 - n);
        ck_assert_int_gt(got, 0);
        n += (size_t)got;
        all[n] = '\0';
    }
}

static bool has_note(void)
{
    struct pollfd pfd = {.fd = note_read_fd, .events = POLLIN};

    return poll(&pfd, 1, 0) > 0;
}

/* True when the other side closes within the time, with nothing said. */
static bool is_closed_within(int fd, int timeout_ms)
{
    struct pollfd pfd = {.fd = fd, .events = POLLIN};
    char byte;

    return poll(&pfd, 1, timeout_ms) > 0 && read(fd, &byte, 1) <= 0;
}

/* ---- the tests ---- */

START_TEST(a_request_is_answered_with_its_ids)
{
    start_server(false);
    ck_assert_int_eq(get("/v1/ok?key=secret"), 200);
    ck_assert(answer.is_ended);
    ck_assert_str_eq(answer.body, "ok");
    ck_assert_ptr_nonnull(strstr(answer.text, "\r\nx-request-id: "));
    ck_assert_ptr_nonnull(strstr(answer.text, "\r\nrequest-id: "));
    ck_assert_int_eq(get("/v1/nothing"), 404);
    stop_server();
}
END_TEST

START_TEST(bodies_arrive_whole_from_memory_and_file)
{
    static const size_t sizes[] = {0, 1, BODY_MEMORY, BODY_MEMORY + 1, BODY_MAX};
    static char text[BODY_MAX];

    for (size_t i = 0; i < sizeof(text); i++)
        text[i] = (char)('a' + i % 23);
    start_server(false);
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        int fd = fcgi_client_connect(socket_path);

        ck_assert(fcgi_client_send(fd, &(struct fcgi_client_request){
                                           .method = "POST",
                                           .uri = "/v1/echo",
                                           .body = {text, sizes[i]},
                                           .content_length = -1
        }));
        ck_assert_int_eq(end_get(fd), 200);
        ck_assert_uint_eq(answer.n - (size_t)(answer.body - answer.text), sizes[i]);
        ck_assert(memcmp(answer.body, text, sizes[i]) == 0);
    }
    stop_server();
}
END_TEST

START_TEST(the_pool_grows_with_the_load_and_shrinks_again)
{
    int fds[MANY];
    int64_t started_ms;

    start_server(false);
    ck_assert_int_eq(get("/ok"), 200);
    started_ms = clock_mono_ms();
    for (int i = 0; i < MANY; i++)
        fds[i] = start_get("/sleep/500", false);
    pause_ms(250);
    ck_assert_int_ge(get_workers(), MANY + 1);
    for (int i = 0; i < MANY; i++)
        ck_assert_int_eq(end_get(fds[i]), 200);
    /* One after the other they would take 16 s. */
    ck_assert_int_lt(clock_mono_ms() - started_ms, 3000);
    pause_ms(300);
    ck_assert_int_le(get_workers(), 4);
    stop_server();
}
END_TEST

START_TEST(requests_one_after_the_other_do_not_grow_the_pool)
{
    start_server(false);
    for (int i = 0; i < 200; i++)
        ck_assert_int_eq(get("/ok"), 200);
    /* Two, and now and then one more: a worker that has answered needs a moment to be back. */
    ck_assert_int_le(get_workers(), 8);
    stop_server();
}
END_TEST

START_TEST(past_workers_max_the_answer_is_503_at_once)
{
    int fds[3];
    int64_t started_ms;

    config.workers_max = 3;
    start_server(false);
    for (int i = 0; i < 3; i++)
        fds[i] = start_get("/sleep/600", false);
    pause_ms(200);
    started_ms = clock_mono_ms();
    for (int i = 0; i < 10; i++) {
        ck_assert_int_eq(get("/ok"), 503);
        ck_assert_ptr_nonnull(strstr(answer.text, "\r\nretry-after: "));
    }
    ck_assert_int_lt(clock_mono_ms() - started_ms, 300);
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(end_get(fds[i]), 200);
    ck_assert_int_eq(get("/ok"), 200);
    ck_assert_int_le(get_workers(), 3 + SERVER_SHEDDERS);
    stop_server();
}
END_TEST

START_TEST(a_refused_upload_still_gets_its_503)
{
    static const char text[100000] = "x";
    int busy_fd;
    int fd;

    config.workers_max = 1;
    start_server(false);
    busy_fd = start_get("/sleep/300", false);
    pause_ms(200);
    fd = fcgi_client_connect(socket_path);
    fcgi_client_send(
        fd,
        &(struct fcgi_client_request){
            .method = "POST", .uri = "/echo", .body = {text, sizeof(text)},
                    .content_length = -1
    });
    ck_assert_int_eq(end_get(fd), 503);
    ck_assert_int_eq(end_get(busy_fd), 200);
    ck_assert(!has_note());
    stop_server();
}
END_TEST

static int post_short(const char *body, long length, bool is_unfinished, bool leave)
{
    int fd = fcgi_client_connect(socket_path);

    ck_assert(fcgi_client_send(fd, &(struct fcgi_client_request){.method = "POST",
                                                                 .uri = "/echo",
                                                                 .body = slice_of(body),
                                                                 .content_length = length,
                                                                 .is_unfinished = is_unfinished}));
    if (leave)
        shutdown(fd, SHUT_WR);
    return end_get(fd);
}

START_TEST(a_short_body_reaches_no_handler)
{
    start_server(false);
    ck_assert_int_eq(post_short("12345", 10, false, false), 400);  /* ended properly, but short */
    ck_assert_int_eq(post_short("1234567", 5, false, false), 400); /* too long */
    ck_assert_int_eq(post_short("12345", 10, true, true), 400);    /* the client left */
    ck_assert_int_eq(post_short("12345", 10, true, false), 400);   /* silent for client_read_ms */
    ck_assert_int_eq(post_short("12345", 5, true, true), 400);     /* whole, but not ended */
    ck_assert(!has_note());
    ck_assert_int_eq(post_short("12345", 5, false, false), 200);
    stop_server();
}
END_TEST

START_TEST(a_body_above_the_cap_is_413_before_it_is_sent)
{
    static const char text[2 * BODY_MAX] = "x";
    int fd;

    start_server(false);
    ck_assert_int_eq(post_short("", 100000000, true, false), 413);
    fd = fcgi_client_connect(socket_path);
    fcgi_client_send(
        fd,
        &(struct fcgi_client_request){
            .method = "POST", .uri = "/echo", .body = {text, sizeof(text)},
                    .content_length = -1
    });
    ck_assert_int_eq(end_get(fd), 413);
    ck_assert(!has_note());
    ck_assert_int_eq(get("/ok"), 200);
    stop_server();
}
END_TEST

START_TEST(a_client_that_leaves_is_seen_within_100_ms)
{
    int fd;

    start_server(false);
    fd = start_get("/wait", false);
    expect_note("waiting ", LONG_MS);
    pause_ms(50);
    ck_assert(!has_note());
    close(fd);
    expect_note("gone ", 100);

    /* Half-closed is what lighttpd does for a client's FIN. */
    fd = start_get("/stream", false);
    expect_note("streaming ", LONG_MS);
    close(fd);
    expect_note("client_gone", 500);
    stop_server();
}
END_TEST

START_TEST(a_half_close_is_leaving)
{
    int fd;

    start_server(false);
    fd = start_get("/wait", false);
    expect_note("waiting ", LONG_MS);
    shutdown(fd, SHUT_WR);
    expect_note("gone ", 100);
    ck_assert_int_eq(end_get(fd), 499);
    stop_server();
}
END_TEST

START_TEST(a_client_that_does_not_read_holds_a_worker_for_client_write_ms)
{
    int fd;

    start_server(false);
    fd = start_get("/flood", false);
    expect_note("stalled ", LONG_MS);
    pause_ms(100);
    ck_assert_int_le(get_workers(), 4);
    close(fd);
    stop_server();
}
END_TEST

START_TEST(silence_and_garbage_hurt_nobody)
{
    int silent = fcgi_client_connect(socket_path);
    int half;
    int garbage;

    ck_assert_int_eq(silent, -1);
    start_server(false);
    silent = fcgi_client_connect(socket_path);
    half = fcgi_client_connect(socket_path);
    garbage = fcgi_client_connect(socket_path);
    ck_assert_int_eq(write(half, "\1\1\0\1\0\10\0", 7), 7);
    ck_assert_int_eq(write(garbage, "GET / HTTP/1.1\r\n\r\n", 18), 18);
    ck_assert_int_eq(get("/ok"), 200);
    ck_assert(is_closed_within(garbage, 1000));
    /* Both are closed when client_read_ms is over. */
    ck_assert(is_closed_within(silent, 1000));
    ck_assert(is_closed_within(half, 1000));
    ck_assert_int_eq(get("/ok"), 200);
    close(silent);
    close(half);
    close(garbage);
    stop_server();
}
END_TEST

START_TEST(sigterm_loses_no_queued_request_of_an_own_socket)
{
    int fds[MANY];
    int status = 0;
    struct stat st;

    start_server(true);
    ck_assert_int_eq(get("/ok"), 200);
    /* While it is stopped all of them go into the queue. */
    kill(server_pid, SIGSTOP);
    ck_assert_int_eq(waitpid(server_pid, &status, WUNTRACED), server_pid);
    ck_assert(WIFSTOPPED(status));
    for (int i = 0; i < MANY; i++)
        fds[i] = start_get("/sleep/100", false);
    kill(server_pid, SIGTERM);
    kill(server_pid, SIGCONT);
    for (int i = 0; i < MANY; i++)
        ck_assert_int_eq(end_get(fds[i]), 200);
    ck_assert_int_ne(stat(socket_path, &st), 0);
    ck_assert_int_eq(wait_server(LONG_MS), EXIT_SUCCESS);
}
END_TEST

START_TEST(an_idle_server_stops_within_its_drain_step)
{
    int64_t started_ms;

    config.worker_idle_ms = 60000;
    start_server(true);
    ck_assert_int_eq(get("/ok"), 200);
    started_ms = clock_mono_ms();
    stop_server();
    ck_assert_int_lt(clock_mono_ms() - started_ms, 3 * SERVER_DRAIN_STEP_MS);
}
END_TEST

START_TEST(a_shared_socket_keeps_its_path)
{
    struct stat st;

    start_server(false);
    ck_assert_int_eq(get("/ok"), 200);
    stop_server();
    ck_assert_int_eq(stat(socket_path, &st), 0);
}
END_TEST

START_TEST(running_requests_finish_while_draining)
{
    int slow;
    int stream;

    start_server(true);
    slow = start_get("/sleep/300", false);
    stream = start_get("/stream", false);
    expect_note("streaming ", LONG_MS);
    kill(server_pid, SIGTERM);
    ck_assert_int_eq(end_get(stream), 200);
    ck_assert_ptr_nonnull(strstr(answer.body, "data: last\n\n"));
    ck_assert_int_eq(end_get(slow), 200);
    ck_assert_int_eq(wait_server(LONG_MS), EXIT_SUCCESS);
}
END_TEST

START_TEST(a_request_that_outlasts_the_drain_is_told)
{
    int fd;

    config.drain_timeout_ms = 100;
    start_server(true);
    fd = start_get("/sleep/4000", false);
    pause_ms(100);
    kill(server_pid, SIGTERM);
    ck_assert_int_eq(wait_server(2500), EXIT_BUSY);
    close(fd);
}
END_TEST

START_TEST(sigint_and_sigusr1_stop_it_too)
{
    static const int numbers[] = {SIGINT, SIGUSR1};

    config.worker_idle_ms = 100;
    start_server(true);
    ck_assert_int_eq(get("/ok"), 200);
    kill(server_pid, numbers[_i]);
    ck_assert_int_eq(wait_server(LONG_MS), EXIT_SUCCESS);
}
END_TEST

START_TEST(a_kept_connection_carries_many_requests)
{
    int fd;

    start_server(false);
    fd = start_get("/ok", true);
    for (int i = 0; i < 20; i++) {
        fcgi_client_read(fd, &answer, LONG_MS);
        ck_assert_int_eq(answer.status, 200);
        ck_assert(answer.is_ended);
        ck_assert(fcgi_client_send(fd, &(struct fcgi_client_request){
                                           .method = "GET",
                                           .uri = "/ok",
                                           .content_length = -1,
                                           .keep = true,
                                       }));
    }
    fcgi_client_read(fd, &answer, LONG_MS);
    ck_assert_int_eq(answer.status, 200);
    ck_assert(!is_closed_within(fd, 100));
    ck_assert_int_eq(get("/ok"), 200);
    /* keep_idle_ms is over. */
    ck_assert(is_closed_within(fd, 1000));
    close(fd);
    stop_server();
}
END_TEST

START_TEST(a_kept_connection_is_given_up_when_all_workers_are_busy)
{
    int first;
    int second;

    config.workers_max = 2;
    config.keep_idle_ms = LONG_MS;
    start_server(false);
    first = start_get("/ok", true);
    fcgi_client_read(first, &answer, LONG_MS);
    ck_assert(!is_closed_within(first, 100));
    second = start_get("/ok", true);
    fcgi_client_read(second, &answer, LONG_MS);
    ck_assert_int_eq(answer.status, 200);
    /* Which of the two lets go is a matter of who is faster. */
    ck_assert(is_closed_within(first, 300) || is_closed_within(second, 300));
    close(first);
    close(second);
    stop_server();
}
END_TEST

START_TEST(kept_connections_never_starve_the_others)
{
    int fds[8];

    config.workers_max = 2;
    config.keep_idle_ms = LONG_MS;
    start_server(false);
    for (int i = 0; i < 8; i++) {
        fds[i] = start_get("/ok", true);
        fcgi_client_read(fds[i], &answer, LONG_MS);
        ck_assert_int_eq(answer.status, 200);
    }
    ck_assert_int_eq(get("/ok"), 200);
    for (int i = 0; i < 8; i++)
        close(fds[i]);
    stop_server();
}
END_TEST

START_TEST(a_drain_closes_kept_connections)
{
    int fd;

    config.keep_idle_ms = 60000;
    start_server(false);
    fd = start_get("/ok", true);
    fcgi_client_read(fd, &answer, LONG_MS);
    kill(server_pid, SIGTERM);
    ck_assert(is_closed_within(fd, 500));
    ck_assert_int_eq(wait_server(LONG_MS), EXIT_SUCCESS);
    close(fd);
}
END_TEST

static const struct {
    const char *list;
    int status;
} welcomes[] = {
    {"192.0.2.1, 127.0.0.1", 200},
    {"",                     200},
    {"192.0.2.1,127.0.0.10", 0  },
};

START_TEST(a_tcp_socket_admits_the_listed_web_servers)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t size = sizeof(address);
    int listen_fd = socket(AF_INET, SOCK_STREAM, 0);
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    ck_assert(listen_fd >= 0 && fd >= 0);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    ck_assert_int_eq(bind(listen_fd, (struct sockaddr *)&address, size), 0);
    ck_assert_int_eq(getsockname(listen_fd, (struct sockaddr *)&address, &size), 0);
    setenv("FCGI_WEB_SERVER_ADDRS", welcomes[_i].list, 1);
    start_server_on(listen_fd, false);
    ck_assert_int_eq(connect(fd, (struct sockaddr *)&address, size), 0);
    (void)!fcgi_client_send(
        fd, &(struct fcgi_client_request){.method = "GET", .uri = "/ok", .content_length = -1});
    ck_assert_int_eq(end_get(fd), welcomes[_i].status);
    stop_server();
}
END_TEST

/* Plain CGI: the request in the environment, the body from *in, the answer to *out. */
static void start_cgi(const char *method, const char *uri, size_t length, int *in, int *out)
{
    int in_fds[2];
    int out_fds[2];
    char number[24];

    ck_assert_int_eq(pipe2(in_fds, O_CLOEXEC), 0);
    ck_assert_int_eq(pipe2(out_fds, O_CLOEXEC), 0);
    snprintf(number, sizeof(number), "%zu", length);
    server_pid = fork();
    ck_assert_int_ge(server_pid, 0);
    if (server_pid == 0) {
        dup2(in_fds[0], 0);
        dup2(out_fds[1], 1);
        close(in_fds[1]);
        close(out_fds[0]);
        close(out_fds[1]);
        setenv("REQUEST_METHOD", method, 1);
        setenv("REQUEST_URI", uri, 1);
        setenv("CONTENT_LENGTH", number, 1);
        run_server(false);
    }
    close(in_fds[0]);
    close(out_fds[1]);
    *in = in_fds[1];
    *out = out_fds[0];
}

/* Reads the answer to its end. */
static const char *read_cgi(int fd)
{
    ssize_t n;

    answer.n = 0;
    while ((n = read(fd, answer.text + answer.n, FCGI_CLIENT_ANSWER_MAX - answer.n)) > 0)
        answer.n += (size_t)n;
    close(fd);
    answer.text[answer.n] = '\0';
    answer.body = strstr(answer.text, "\r\n\r\n");
    ck_assert_ptr_nonnull(answer.body);
    answer.body += 4;
    return answer.text;
}

START_TEST(cgi_serves_one_request_and_ends)
{
    int in;
    int out;

    start_cgi("GET", "/v1/ok", 0, &in, &out);
    ck_assert_ptr_nonnull(strstr(read_cgi(out), "Status: 200 OK\r\n"));
    ck_assert_str_eq(answer.body, "ok");
    ck_assert_int_eq(wait_server(LONG_MS), EXIT_SUCCESS);
    close(in);
}
END_TEST

START_TEST(cgi_takes_a_body_without_waiting_for_the_end_of_stdin)
{
    static char text[3 * BODY_MEMORY];
    int in;
    int out;

    memset(text, 'b', sizeof(text));
    start_cgi("POST", "/v1/echo", sizeof(text), &in, &out);
    ck_assert_int_eq(write(in, text, sizeof(text)), (ssize_t)sizeof(text));
    ck_assert_ptr_nonnull(strstr(read_cgi(out), "Status: 200 OK\r\n"));
    ck_assert_uint_eq(answer.n - (size_t)(answer.body - answer.text), sizeof(text));
    ck_assert_int_eq(wait_server(LONG_MS), EXIT_SUCCESS);
    close(in);
}
END_TEST

START_TEST(cgi_refuses_a_short_body)
{
    int in;
    int out;

    start_cgi("POST", "/v1/echo", 10, &in, &out);
    ck_assert_int_eq(write(in, "123", 3), 3);
    close(in);
    ck_assert_ptr_nonnull(strstr(read_cgi(out), "Status: 400 "));
    ck_assert(!has_note());
    ck_assert_int_eq(wait_server(LONG_MS), EXIT_SUCCESS);
}
END_TEST

START_TEST(cgi_takes_sigterm_for_the_clients_leaving)
{
    int in;
    int out;

    start_cgi("GET", "/v1/wait", 0, &in, &out);
    expect_note("waiting ", LONG_MS);
    kill(server_pid, SIGTERM);
    expect_note("gone ", 100);
    ck_assert_int_eq(wait_server(LONG_MS), EXIT_SUCCESS);
    close(in);
    close(out);
}
END_TEST

START_TEST(cgi_sees_a_closed_stdout)
{
    int in;
    int out;

    start_cgi("GET", "/v1/stream", 0, &in, &out);
    expect_note("streaming ", LONG_MS);
    close(out);
    expect_note("client_gone", 1000);
    ck_assert_int_eq(wait_server(LONG_MS), EXIT_SUCCESS);
    close(in);
}
END_TEST

START_TEST(cgi_gives_up_on_a_client_that_does_not_read)
{
    int in;
    int out;

    start_cgi("GET", "/v1/flood", 0, &in, &out);
    expect_note("stalled ", LONG_MS);
    ck_assert_int_eq(wait_server(LONG_MS), EXIT_SUCCESS);
    close(in);
    close(out);
}
END_TEST

static void add_fastcgi_tests(TCase *tc)
{
    tcase_add_test(tc, a_request_is_answered_with_its_ids);
    tcase_add_test(tc, bodies_arrive_whole_from_memory_and_file);
    tcase_add_test(tc, the_pool_grows_with_the_load_and_shrinks_again);
    tcase_add_test(tc, requests_one_after_the_other_do_not_grow_the_pool);
    tcase_add_test(tc, past_workers_max_the_answer_is_503_at_once);
    tcase_add_test(tc, a_refused_upload_still_gets_its_503);
    tcase_add_test(tc, a_short_body_reaches_no_handler);
    tcase_add_test(tc, a_body_above_the_cap_is_413_before_it_is_sent);
    tcase_add_test(tc, a_client_that_leaves_is_seen_within_100_ms);
    tcase_add_test(tc, a_half_close_is_leaving);
    tcase_add_test(tc, a_client_that_does_not_read_holds_a_worker_for_client_write_ms);
    tcase_add_test(tc, silence_and_garbage_hurt_nobody);
    tcase_add_test(tc, sigterm_loses_no_queued_request_of_an_own_socket);
    tcase_add_test(tc, an_idle_server_stops_within_its_drain_step);
    tcase_add_test(tc, a_shared_socket_keeps_its_path);
    tcase_add_test(tc, running_requests_finish_while_draining);
    tcase_add_test(tc, a_request_that_outlasts_the_drain_is_told);
    tcase_add_loop_test(tc, sigint_and_sigusr1_stop_it_too, 0, 2);
    tcase_add_test(tc, a_kept_connection_carries_many_requests);
    tcase_add_test(tc, a_kept_connection_is_given_up_when_all_workers_are_busy);
    tcase_add_test(tc, kept_connections_never_starve_the_others);
    tcase_add_test(tc, a_drain_closes_kept_connections);
    tcase_add_loop_test(tc, a_tcp_socket_admits_the_listed_web_servers, 0,
                        (int)(sizeof(welcomes) / sizeof(welcomes[0])));
}

int main(void)
{
    Suite *suite = suite_create("server");
    TCase *fastcgi = tcase_create("fastcgi");
    TCase *cgi = tcase_create("cgi");
    SRunner *runner = srunner_create(suite);
    const char *base = getenv("TMPDIR");
    int failed;

    snprintf(dir, sizeof(dir), "%.80s/test_server.XXXXXX", base == NULL ? "/tmp" : base);
    if (mkdtemp(dir) == NULL) {
        perror(dir);
        return EXIT_FAILURE;
    }
    snprintf(socket_path, sizeof(socket_path), "%s/socket", dir);
    suite_add_tcase(suite, fastcgi);
    tcase_set_timeout(fastcgi, 20);
    tcase_add_checked_fixture(fastcgi, set_up, tear_down);
    add_fastcgi_tests(fastcgi);
    suite_add_tcase(suite, cgi);
    tcase_set_timeout(cgi, 20);
    tcase_add_checked_fixture(cgi, set_up, tear_down);
    tcase_add_test(cgi, cgi_serves_one_request_and_ends);
    tcase_add_test(cgi, cgi_takes_a_body_without_waiting_for_the_end_of_stdin);
    tcase_add_test(cgi, cgi_refuses_a_short_body);
    tcase_add_test(cgi, cgi_takes_sigterm_for_the_clients_leaving);
    tcase_add_test(cgi, cgi_sees_a_closed_stdout);
    tcase_add_test(cgi, cgi_gives_up_on_a_client_that_does_not_read);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    unlink(socket_path);
    rmdir(dir);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
