#include "upstream/transfer.h"

#include "base/buf.h"
#include "base/clock.h"
#include "tests/unit/raw_server.h"

#include <check.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define LONG_MS   10000
#define BIG_BYTES 300000
#define THREADS   8
#define ROUNDS    25
#define OK_HEAD(n)                                                                                 \
    "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: " n "\r\n\r\n"
#define CHUNKED_HEAD                                                                               \
    "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
#define EVENT       "data: 1\n\n"
#define EVENT_CHUNK "9\r\n" EVENT "\r\n"

static char no_file[] = "";
static struct config config = {.handles_idle_max = 8, .tls_ca_file = no_file};
static struct transfer_pool *pool;
static struct raw_server *server;
static char dir[256], ca_file[sizeof(dir) + 16];

static void sleep_ms(long ms)
{
    (void)nanosleep(&(struct timespec){ms / 1000, ms % 1000 * 1000000}, NULL);
}

/* ---- what the provider does, by path ---- */

static void send_events(struct raw_conn *c, int n, long gap_ms)
{
    raw_send_z(c, CHUNKED_HEAD);
    while (n--) {
        sleep_ms(gap_ms);
        if (!raw_send_z(c, EVENT_CHUNK))
            return;
    }
}

static void send_head_and_body(struct raw_conn *c, const char *body)
{
    char head[256];

    (void)snprintf(head, sizeof(head), OK_HEAD("%zu"), strlen(body));
    raw_send_z(c, head);
    raw_send_z(c, body);
}

static void echo(struct raw_conn *c, struct slice bytes)
{
    char head[256];

    (void)snprintf(head, sizeof(head), OK_HEAD("%zu"), bytes.n);
    raw_send_z(c, head);
    raw_send(c, bytes);
}

/* Answers that are as HTTP says. */
static bool serve_good(struct raw_conn *c, const struct raw_request *r, bool *is_done)
{
    *is_done = true;
    if (slice_eq_z(r->path, "/whole")) {
        send_head_and_body(c, "hello");
    } else if (slice_eq_z(r->path, "/echo")) {
        echo(c, r->body);
    } else if (slice_eq_z(r->path, "/head")) {
        echo(c, r->head);
    } else if (slice_eq_z(r->path, "/events")) {
        send_events(c, 3, 5);
        raw_send_z(c, "0\r\n\r\n");
    } else if (slice_eq_z(r->path, "/slow")) {
        send_events(c, 4, 200);
        raw_send_z(c, "0\r\n\r\n");
    } else if (slice_eq_z(r->path, "/trailers")) {
        send_events(c, 1, 0);
        raw_send_z(c, "0\r\nX-Request-Id: late\r\n\r\n");
    } else if (slice_eq_z(r->path, "/empty")) {
        send_head_and_body(c, "");
    } else if (slice_eq_z(r->path, "/continue")) {
        raw_send_z(c, "HTTP/1.1 100 Continue\r\nX-Request-Id: no\r\n\r\n");
        send_head_and_body(c, "hello");
    } else if (slice_eq_z(r->path, "/fields")) {
        raw_send_z(c, "HTTP/1.1 429 Slow Down\r\ncontent-type:  application/json; charset=utf-8 "
                      "\r\nRequest-Id: second\r\nX-Request-ID: first\r\n"
                      "Request-Id: third\r\nOpenAI-Processing-Ms: 42\r\nRetry-After: "
                      "7\r\nContent-Length: 2\r\n\r\n{}");
    } else if (slice_eq_z(r->path, "/redirect")) {
        raw_send_z(c, "HTTP/1.1 302 Found\r\nLocation: /whole\r\nContent-Length: 0\r\n\r\n");
    } else if (slice_eq_z(r->path, "/says-close")) {
        raw_send_z(c, "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello");
        return false;
    } else if (slice_eq_z(r->path, "/until-close")) {
        raw_send_z(c, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhello");
        return false;
    } else {
        *is_done = false;
    }
    return true;
}

/* Closes a kept connection: at once, or when the next request comes. */
static bool serve_kept(struct raw_conn *c, const struct raw_request *r, bool *is_done)
{
    *is_done = true;
    if (slice_eq_z(r->path, "/then-close")) {
        send_head_and_body(c, "hello");
        return false;
    }
    if (slice_eq_z(r->path, "/once")) {
        if (r->nth > 0)
            return false;
        echo(c, r->body);
        return true;
    }
    *is_done = false;
    return true;
}

static void send_huge_head(struct raw_conn *c)
{
    char line[1024];
    int i;

    memset(line, 'x', sizeof(line) - 1);
    line[sizeof(line) - 1] = '\0';
    raw_send_z(c, "HTTP/1.1 200 OK\r\n");
    for (i = 0; i < 80; i++) {
        raw_send_z(c, "X-Long: ");
        raw_send_z(c, line);
        raw_send_z(c, "\r\n");
    }
    raw_send_z(c, "Content-Length: 0\r\n\r\n");
}

static bool serve_bad(struct raw_conn *c, const struct raw_request *r)
{
    if (slice_eq_z(r->path, "/reset") || slice_eq_z(r->path, "/cut-by-reset")) {
        if (slice_eq_z(r->path, "/cut-by-reset")) {
            send_events(c, 1, 0);
            sleep_ms(50);
        }
        raw_reset(c);
    } else if (slice_eq_z(r->path, "/head-then-close")) {
        raw_send_z(c, OK_HEAD("100"));
    } else if (slice_eq_z(r->path, "/cut-length")) {
        raw_send_z(c, OK_HEAD("100") "ten bytes!");
    } else if (slice_eq_z(r->path, "/cut-chunks")) {
        send_events(c, 1, 0);
    } else if (slice_eq_z(r->path, "/bad-chunk")) {
        send_events(c, 1, 0);
        raw_send_z(c, "zz\r\n");
        raw_wait_close(c);
    } else if (slice_eq_z(r->path, "/silent")) {
        raw_wait_close(c);
    } else if (slice_eq_z(r->path, "/silent-body")) {
        raw_send_z(c, CHUNKED_HEAD);
        raw_wait_close(c);
    } else if (slice_eq_z(r->path, "/stall")) {
        send_events(c, 1, 0);
        raw_wait_close(c);
    } else if (slice_eq_z(r->path, "/endless")) {
        send_events(c, 60, 50);
    } else if (slice_eq_z(r->path, "/no-http")) {
        raw_send_z(c, "220 smtp.example.com ESMTP\r\n\r\n");
    } else if (slice_eq_z(r->path, "/huge-head")) {
        send_huge_head(c);
        raw_wait_close(c);
    } else if (slice_eq_z(r->path, "/early")) {
        send_head_and_body(c, "hello");
        sleep_ms(300);
    } else if (slice_eq_z(r->path, "/early-refusal")) {
        raw_send_z(c, "HTTP/1.1 413 Too Large\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}");
        sleep_ms(50);
    }
    return false; /* "/close" too */
}

static bool handle(struct raw_conn *c, const struct raw_request *r)
{
    bool is_done, keeps;

    keeps = serve_good(c, r, &is_done);
    if (!is_done)
        keeps = serve_kept(c, r, &is_done);
    return is_done ? keeps : serve_bad(c, r);
}

/* ---- the relay's side ---- */

struct side {
    struct buf body;
    struct buf fields; /* the head as text */
    int heads, bodies, pings, gone_asked, stop_asked;
    enum err head_err, body_err, ping_err;
    long body_sleep_ms, ping_sleep_ms;
    bool is_gone, is_stopping;
    int body_err_at; /* which piece */
};

static enum err on_head(void *ctx, const struct transfer_head *h)
{
    struct side *s = ctx;

    s->heads++;
    ck_assert_int_eq(buf_printf(&s->fields, "%d|%.*s|%.*s|%.*s|%lld", h->status,
                                SLICE_FMT(h->content_type), SLICE_FMT(h->request_id),
                                SLICE_FMT(h->processing_ms), (long long)h->retry_after_ms),
                     ERR_OK);
    return s->head_err;
}

static enum err on_body(void *ctx, struct slice bytes)
{
    struct side *s = ctx;

    s->bodies++;
    ck_assert_uint_gt(bytes.n, 0);
    ck_assert_int_eq(buf_append_slice(&s->body, bytes), ERR_OK);
    if (s->body_sleep_ms)
        sleep_ms(s->body_sleep_ms);
    return s->bodies >= s->body_err_at ? s->body_err : ERR_OK;
}

static enum err on_ping(void *ctx)
{
    struct side *s = ctx;

    s->pings++;
    if (s->ping_sleep_ms)
        sleep_ms(s->ping_sleep_ms);
    return s->ping_err;
}

static bool is_gone(void *ctx)
{
    struct side *s = ctx;

    s->gone_asked++;
    return s->is_gone;
}

static bool is_stopping(void *ctx)
{
    struct side *s = ctx;

    s->stop_asked++;
    return s->is_stopping;
}

static const struct transfer_ops ops = {on_head, on_body, on_ping};
static struct side side;
static struct transfer_spec spec;
static struct transfer_result result;
static char url[128];
static struct slice body_parts[3];
static struct splice body;

static void set_parts(struct slice a, struct slice b, struct slice c)
{
    struct slice all[3] = {a, b, c};
    size_t i;

    body = (struct splice){.parts = body_parts};
    for (i = 0; i < 3; i++) {
        if (all[i].n == 0)
            continue;
        body_parts[body.parts_n++] = all[i];
        body.bytes += (int64_t)all[i].n;
    }
}

static void side_clear(struct side *s)
{
    buf_clear(&s->body);
    buf_clear(&s->fields);
    *s = (struct side){0};
    buf_init(&s->body, 1 << 22);
    buf_init(&s->fields, 4096);
}

static void set_path(const char *path)
{
    (void)snprintf(url, sizeof(url), "http://127.0.0.1:%d%s", raw_server_port(server), path);
}

static void setup(void)
{
    (void)signal(SIGPIPE, SIG_IGN);
    pool = transfer_pool_new(&config);
    ck_assert_ptr_nonnull(pool);
    server = raw_server_start(handle, NULL);
    side_clear(&side);
    set_parts(SLICE("{\"a\":1}"), SLICE(""), SLICE(""));
    spec = (struct transfer_spec){
        .url = url,
        .headers = {"Authorization: Bearer k"},
        .headers_n = 1,
        .body = &body,
        .reuse_key = 1,
        .reach = {.allow_private = true},
        .connect_ms = LONG_MS,
        .first_byte_ms = LONG_MS,
        .between_bytes_ms = LONG_MS,
        .total_ms = LONG_MS,
        .gone_fd = -1,
        .is_gone = is_gone,
        .ops = &ops,
        .ctx = &side,
    };
}

static void teardown(void)
{
    transfer_pool_free(pool);
    raw_server_stop(server);
    buf_clear(&side.body);
    buf_clear(&side.fields);
}

/* One exchange; what the result must say of it whatever happened. */
static enum err run(const char *path)
{
    enum err e;

    side_clear(&side);
    set_path(path);
    e = transfer_run(pool, &spec, &result);
    ck_assert_int_ge(result.total_us, 0);
    ck_assert_int_eq(result.body_bytes, (int64_t)side.body.n);
    ck_assert_int_eq(result.first_byte_us < 0, side.body.n == 0);
    ck_assert(e == ERR_OK || result.detail[0]);
    ck_assert(!result.body_is_complete || e == ERR_OK || e == ERR_CLIENT_GONE);
    return e;
}

static void run_ok(const char *path, const char *expected)
{
    enum err e = run(path);

    ck_assert_msg(e == ERR_OK, "%s: %s, %s", path, err_name(e), result.detail);
    ck_assert_msg(slice_eq_z(buf_slice(&side.body), expected), "%s: %.*s", path,
                  SLICE_FMT(buf_slice(&side.body)));
}

static int connections(void)
{
    return raw_server_connections(server);
}

/* ---- good answers ---- */

START_TEST(a_whole_answer_comes_with_its_head_and_result)
{
    run_ok("/whole", "hello");
    ck_assert_str_eq(side.fields.p, "200|application/json|||-1");
    ck_assert_int_eq(result.status, 200);
    ck_assert(result.body_is_complete && !result.is_reused);
    ck_assert_int_gt(result.connect_us, 0);
    ck_assert_int_ge(result.first_byte_us, result.connect_us);
    ck_assert_int_ge(result.total_us, result.first_byte_us);
    ck_assert_str_eq(result.detail, "");
}
END_TEST

START_TEST(connections_are_kept_for_the_same_key)
{
    int i;

    for (i = 0; i < 5; i++) {
        run_ok("/whole", "hello");
        ck_assert_int_eq(result.is_reused, i > 0);
        ck_assert_int_eq(result.connect_us == 0, i > 0);
    }
    ck_assert_int_eq(connections(), 1);
    spec.reuse_key = 2;
    run_ok("/whole", "hello");
    ck_assert(!result.is_reused);
    spec.reuse_key = 1;
    run_ok("/events", EVENT EVENT EVENT);
    ck_assert(result.is_reused);
    ck_assert_int_eq(connections(), 2);
}
END_TEST

START_TEST(a_full_pool_gives_the_idlest_handle_to_another_key)
{
    uint64_t key;

    for (key = 1; key <= 10; key++) {
        spec.reuse_key = key;
        run_ok("/whole", "hello");
    }
    /* The 9th and the 10th took over the handles of the 1st and the 2nd, whose connections go to the same host. */
    ck_assert_int_eq(connections(), 8);
    ck_assert(result.is_reused);
    transfer_pool_upkeep(pool); /* nothing idled for a minute */
    spec.reuse_key = 10;
    run_ok("/whole", "hello");
    ck_assert(result.is_reused);
}
END_TEST

START_TEST(a_stream_comes_piece_by_piece)
{
    run_ok("/slow", EVENT EVENT EVENT EVENT);
    ck_assert_int_eq(side.bodies, 4);
    ck_assert(result.body_is_complete);
    ck_assert_int_ge(result.first_byte_us, 190000);
    ck_assert_int_lt(result.first_byte_us, 600000);
    ck_assert_str_eq(side.fields.p, "200|text/event-stream|||-1");
}
END_TEST

START_TEST(heads_of_every_kind_are_read)
{
    run_ok("/fields", "{}");
    ck_assert_str_eq(side.fields.p, "429|application/json; charset=utf-8|first|42|7000");
    run_ok("/continue", "hello");
    ck_assert_str_eq(side.fields.p, "200|application/json|||-1");
    run_ok("/trailers", EVENT);
    ck_assert_str_eq(side.fields.p, "200|text/event-stream|||-1");
    ck_assert_int_eq(side.heads, 1);
    run_ok("/empty", "");
    ck_assert_int_eq(side.heads, 1);
    ck_assert(result.body_is_complete);
    ck_assert_int_eq(connections(), 1);
}
END_TEST

START_TEST(redirects_are_not_followed)
{
    run_ok("/redirect", "");
    ck_assert_int_eq(result.status, 302);
}
END_TEST

START_TEST(an_answer_that_ends_with_its_connection_is_not_known_to_be_complete)
{
    run_ok("/until-close", "hello");
    ck_assert(!result.body_is_complete);
    run_ok("/says-close", "hello");
    ck_assert(result.body_is_complete);
    run_ok("/whole", "hello");
    ck_assert(!result.is_reused);
    ck_assert_int_eq(connections(), 3);
}
END_TEST

START_TEST(the_request_carries_our_headers_and_none_of_curls_surprises)
{
    const char *head;

    ck_assert_int_eq(run("/head"), ERR_OK);
    head = side.body.p;
    ck_assert(strncmp(head, "POST /head HTTP/1.1\r\n", 21) == 0);
    ck_assert_ptr_nonnull(strstr(head, "\r\nAuthorization: Bearer k\r\n"));
    ck_assert_ptr_nonnull(strstr(head, "\r\nContent-Type: application/json\r\n"));
    ck_assert_ptr_nonnull(strstr(head, "\r\nAccept-Encoding: identity\r\n"));
    ck_assert_ptr_nonnull(strstr(head, "\r\nContent-Length: 7\r\n"));
    ck_assert_ptr_null(strcasestr(head, "Expect"));
    ck_assert_ptr_null(strcasestr(head, "User-Agent"));
    spec.headers[1] = "content-type: multipart/form-data; boundary=x";
    spec.headers_n = 2;
    ck_assert_int_eq(run("/head"), ERR_OK);
    ck_assert_ptr_nonnull(
        strstr(side.body.p, "\r\ncontent-type: multipart/form-data; boundary=x\r\n"));
    ck_assert_ptr_null(strstr(side.body.p, "application/json"));
    spec.body = NULL;
    spec.headers_n = 1;
    ck_assert_int_eq(run("/head"), ERR_OK);
    ck_assert(strncmp(side.body.p, "GET /head HTTP/1.1\r\n", 20) == 0);
    ck_assert_ptr_null(strcasestr(side.body.p, "Content-"));
    spec.body = &body;
    run_ok("/echo", "{\"a\":1}");
    ck_assert_int_eq(connections(), 1);
}
END_TEST

START_TEST(a_header_with_a_line_break_is_not_sent)
{
    spec.headers[0] = "X-A: b\r\nX-Evil: 1";
    side_clear(&side);
    set_path("/head");
    ck_assert_int_eq(transfer_run(pool, &spec, &result), ERR_INTERNAL);
    spec.headers[0] = "X-A: b\x7f";
    ck_assert_int_eq(transfer_run(pool, &spec, &result), ERR_INTERNAL);
    ck_assert_int_eq(connections(), 0);
}
END_TEST

/* n bytes that differ by place. */
static char *pattern(size_t n)
{
    char *p = malloc(n + 1);
    size_t i;

    for (i = 0; i < n; i++)
        p[i] = (char)('a' + (i * 7 + i / 251) % 26);
    p[n] = '\0';
    return p;
}

static void check_echo(const char *path, size_t a, size_t b, size_t c)
{
    char *p = pattern(a + b + c);
    /* each part where nothing else lies next to it */
    char *parts[3] = {malloc(a + 1), malloc(b + 1), malloc(c + 1)};

    memcpy(parts[0], p, a);
    memcpy(parts[1], p + a, b);
    memcpy(parts[2], p + a + b, c);
    set_parts((struct slice){parts[0], a}, (struct slice){parts[1], b},
              (struct slice){parts[2], c});
    run_ok(path, p);
    free(parts[0]);
    free(parts[1]);
    free(parts[2]);
    free(p);
}

START_TEST(a_body_of_parts_arrives_whole_at_every_size)
{
    static const size_t sizes[][3] = {
        {1,         0,         0        },
        {1,         1,         1        },
        {100,       20,        3000     },
        {16384,     1,         0        },
        {65534,     1,         0        },
        {65535,     1,         0        },
        {65536,     1,         0        },
        {65536,     0,         0        },
        {10,        BIG_BYTES, 10       },
        {BIG_BYTES, 1,         BIG_BYTES},
        {BIG_BYTES, 0,         0        },
        {1500000,   7,         0        },
        {5,         5,         5        },
    };
    size_t i;

    for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        check_echo("/echo", sizes[i][0], sizes[i][1], sizes[i][2]);
        ck_assert_int_eq(result.is_reused, i > 0);
    }
    ck_assert_int_eq(connections(), 1);
}
END_TEST

/* ---- kept connections that the provider closed ---- */

START_TEST(a_kept_connection_that_was_closed_is_replaced)
{
    run_ok("/then-close", "hello");
    sleep_ms(50);
    run_ok("/then-close", "hello");
    ck_assert(!result.is_reused);
    ck_assert_int_eq(connections(), 2);
}
END_TEST

START_TEST(a_request_that_a_kept_connection_lost_is_repeated_with_its_body)
{
    check_echo("/once", 10, 5, 5);
    check_echo("/once", 10, 5, 5);
    ck_assert(!result.is_reused);
    check_echo("/once", 10, BIG_BYTES, 10);
    ck_assert_int_eq(connections(), 3);
    check_echo("/once", BIG_BYTES, 0, 0);
    ck_assert_int_eq(connections(), 4);
    ck_assert_int_eq(side.heads, 1);
}
END_TEST

/* ---- failures ---- */

static const struct {
    const char *path;
    enum err e;
    int status;
    const char *seen;
} failures[] = {
    {"/reset",           ERR_UP_RESET,     0,   ""          },
    {"/close",           ERR_UP_RESET,     0,   ""          },
    {"/head-then-close", ERR_UP_RESET,     200, ""          },
    {"/cut-length",      ERR_UP_CUT,       200, "ten bytes!"},
    {"/cut-chunks",      ERR_UP_CUT,       200, EVENT       },
    {"/cut-by-reset",    ERR_UP_CUT,       200, EVENT       },
    {"/bad-chunk",       ERR_UP_CUT,       200, EVENT       },
    {"/no-http",         ERR_UP_MALFORMED, 0,   ""          },
    {"/huge-head",       ERR_UP_MALFORMED, 0,   ""          },
};

START_TEST(a_broken_answer_is_told_apart_and_its_connection_never_used_again)
{
    ck_assert_int_eq(run(failures[_i].path), failures[_i].e);
    ck_assert_int_eq(result.status, failures[_i].status);
    ck_assert(slice_eq_z(buf_slice(&side.body), failures[_i].seen));
    ck_assert_int_eq(side.heads, failures[_i].status != 0);
    ck_assert(!result.body_is_complete);
    run_ok("/whole", "hello");
    ck_assert(!result.is_reused);
    ck_assert_int_eq(connections(), 2);
}
END_TEST

START_TEST(a_refused_connection_is_a_connect_error)
{
    struct raw_server *other = raw_server_start(handle, NULL);
    int port = raw_server_port(other);

    raw_server_stop(other);
    (void)snprintf(url, sizeof(url), "http://127.0.0.1:%d/", port);
    ck_assert_int_eq(transfer_run(pool, &spec, &result), ERR_UP_CONNECT);
    ck_assert_int_eq(result.status, 0);
    ck_assert_ptr_nonnull(strstr(result.detail, "127.0.0.1"));
}
END_TEST

START_TEST(urls_that_are_not_http_are_refused)
{
    static const char *const bad[] = {
        "file:///etc/passwd", "ftp://127.0.0.1/", "gopher://127.0.0.1/", "no url", "http://", ""};
    size_t i;

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        (void)snprintf(url, sizeof(url), "%s", bad[i]);
        ck_assert_int_eq(transfer_run(pool, &spec, &result), ERR_UP_CONNECT);
        ck_assert_int_eq(side.heads, 0);
    }
}
END_TEST

START_TEST(a_proxy_in_the_environment_is_ignored)
{
    ck_assert_int_eq(setenv("http_proxy", "http://127.0.0.1:1", 1), 0);
    ck_assert_int_eq(setenv("ALL_PROXY", "http://127.0.0.1:1", 1), 0);
    run_ok("/whole", "hello");
}
END_TEST

START_TEST(an_answer_to_a_request_that_was_not_read_is_malformed)
{
    char *p = pattern(3000000);

    set_parts((struct slice){p, 3000000}, SLICE(""), SLICE(""));
    side_clear(&side);
    set_path("/early");
    ck_assert_int_eq(transfer_run(pool, &spec, &result), ERR_UP_MALFORMED);
    ck_assert_int_eq(side.bodies, 0); /* the body may not be freed yet, and was not */
    free(p);
}
END_TEST

START_TEST(a_callbacks_error_ends_the_exchange_and_the_connection)
{
    side.head_err = ERR_UP_STATUS;
    set_path("/whole");
    ck_assert_int_eq(transfer_run(pool, &spec, &result), ERR_UP_STATUS);
    ck_assert_int_eq(result.status, 200);
    ck_assert_int_eq(side.bodies, 0);
    side_clear(&side);
    side.body_err = ERR_CLIENT_GONE;
    side.body_err_at = 2;
    set_path("/slow");
    ck_assert_int_eq(transfer_run(pool, &spec, &result), ERR_CLIENT_GONE);
    ck_assert_int_eq(side.bodies, 2);
    ck_assert_str_eq(result.detail, "ended by the receiver");
    ck_assert(!result.body_is_complete);
    run_ok("/whole", "hello");
    ck_assert(!result.is_reused);
    ck_assert_int_eq(connections(), 3);
}
END_TEST

/* ---- timers ---- */

/* Runs and checks that the timer of that name ended it between ms and ms + slack. */
static void check_timer(const char *path, const char *name, int64_t ms)
{
    ck_assert_int_eq(run(path), ERR_UP_TIMEOUT);
    ck_assert_msg(strstr(result.detail, name) == result.detail, "%s: %s", path, result.detail);
    ck_assert_int_ge(result.total_us, ms * 1000);
    ck_assert_int_lt(result.total_us, ms * 1000 + 1000000);
}

START_TEST(the_first_byte_timer_ends_a_silent_answer)
{
    spec.first_byte_ms = 150;
    check_timer("/silent", "first byte timer", 150);
    ck_assert_int_eq(side.heads, 0);
    check_timer("/silent-body", "first byte timer", 150);
    ck_assert_int_eq(side.heads, 1);
    run_ok("/whole", "hello");
    ck_assert(!result.is_reused);
}
END_TEST

START_TEST(the_timer_between_bytes_ends_a_stalled_stream)
{
    spec.between_bytes_ms = 150;
    check_timer("/stall", "between bytes timer", 150);
    ck_assert(slice_eq_z(buf_slice(&side.body), EVENT));
}
END_TEST

START_TEST(the_total_timer_ends_a_stream_that_flows)
{
    spec.total_ms = 500;
    spec.between_bytes_ms = 200;
    check_timer("/endless", "total timer", 500);
    ck_assert_int_gt(side.bodies, 3);
}
END_TEST

START_TEST(a_stream_that_flows_outlives_its_other_timers)
{
    spec.first_byte_ms = spec.between_bytes_ms = 500;
    run_ok("/slow", EVENT EVENT EVENT EVENT);
    ck_assert_int_gt(result.total_us, 700000);
}
END_TEST

START_TEST(time_in_callbacks_counts_for_no_timer)
{
    side_clear(&side);
    set_path("/slow");
    side.body_sleep_ms = 400;
    spec.between_bytes_ms = 300;
    spec.total_ms = 1500;
    ck_assert_int_eq(transfer_run(pool, &spec, &result), ERR_OK);
    ck_assert_int_ge(result.total_us, 1600000);
}
END_TEST

START_TEST(the_connect_timer_ends_a_handshake_that_never_comes)
{
    struct raw_server *plain = server;

    spec.connect_ms = 200;
    (void)snprintf(url, sizeof(url), "https://127.0.0.1:%d/", raw_server_port(plain));
    ck_assert_int_eq(transfer_run(pool, &spec, &result), ERR_UP_CONNECT);
    ck_assert_int_ge(result.total_us, 190000);
    ck_assert_int_lt(result.total_us, 1500000);
}
END_TEST

/* ---- pings, stopping, clients that leave ---- */

START_TEST(pings_come_while_the_provider_is_silent)
{
    spec.ping_ms = 100;
    spec.first_byte_ms = 450;
    check_timer("/silent", "first byte timer", 450);
    ck_assert_int_eq(side.pings, 4);
    spec.first_byte_ms = LONG_MS;
    run_ok("/slow", EVENT EVENT EVENT EVENT); /* a gap of 200 ms: one or two each */
    ck_assert_int_ge(side.pings, 4);
    ck_assert_int_le(side.pings, 8);
    spec.ping_ms = 0;
    run_ok("/slow", EVENT EVENT EVENT EVENT);
    ck_assert_int_eq(side.pings, 0);
}
END_TEST

START_TEST(bytes_put_the_ping_off_and_pings_put_no_timer_off)
{
    spec.ping_ms = 350;
    run_ok("/slow", EVENT EVENT EVENT EVENT);
    ck_assert_int_eq(side.pings, 0);
    spec.ping_ms = 20;
    spec.between_bytes_ms = 150;
    check_timer("/stall", "between bytes timer", 150);
    ck_assert_int_ge(side.pings, 4);
}
END_TEST

START_TEST(a_ping_that_fails_ends_the_exchange)
{
    side_clear(&side);
    set_path("/silent");
    spec.ping_ms = 50;
    side.ping_err = ERR_CLIENT_GONE;
    ck_assert_int_eq(transfer_run(pool, &spec, &result), ERR_CLIENT_GONE);
    ck_assert_int_eq(side.pings, 1);
    ck_assert_str_eq(result.detail, "ended by the receiver");
}
END_TEST

START_TEST(a_slow_ping_counts_for_no_timer)
{
    side_clear(&side);
    set_path("/slow");
    spec.ping_ms = 50;
    spec.between_bytes_ms = 350;
    side.ping_sleep_ms = 180;
    ck_assert_int_eq(transfer_run(pool, &spec, &result), ERR_OK);
    ck_assert_int_gt(side.pings, 2);
}
END_TEST

START_TEST(stopping_is_asked_each_second_and_ends_the_exchange)
{
    side_clear(&side);
    set_path("/silent");
    side.is_stopping = true;
    spec.is_stopping = is_stopping;
    ck_assert_int_eq(transfer_run(pool, &spec, &result), ERR_BUSY);
    ck_assert_int_eq(side.stop_asked, 1);
    ck_assert_int_ge(result.total_us, 990000);
    ck_assert_int_lt(result.total_us, 2000000);
}
END_TEST

struct pair {
    int ours, client;
};

static struct pair pair_open(void)
{
    int fds[2];

    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    return (struct pair){fds[0], fds[1]};
}

static void *close_soon(void *fd)
{
    sleep_ms(100);
    (void)close(*(int *)fd);
    return NULL;
}

START_TEST(a_client_that_leaves_ends_the_exchange_at_once)
{
    struct pair pair = pair_open();
    pthread_t thread;

    side_clear(&side);
    set_path("/silent");
    side.is_gone = true;
    spec.gone_fd = pair.ours;
    ck_assert_int_eq(pthread_create(&thread, NULL, close_soon, &pair.client), 0);
    ck_assert_int_eq(transfer_run(pool, &spec, &result), ERR_CLIENT_GONE);
    ck_assert_int_eq(pthread_join(thread, NULL), 0);
    ck_assert_int_ge(result.total_us, 90000);
    ck_assert_int_lt(result.total_us, 1000000);
    ck_assert_int_eq(side.gone_asked, 1);
    ck_assert_str_eq(result.detail, "client gone");
    (void)close(pair.ours);
}
END_TEST

START_TEST(an_abandoned_answer_is_drained_to_its_end)
{
    struct pair pair = pair_open();

    (void)close(pair.client);
    side_clear(&side);
    set_path("/slow");
    side.is_gone = true;
    spec.gone_fd = pair.ours;
    spec.gone_drain_ms = 5000;
    spec.ping_ms = 20;
    ck_assert_int_eq(transfer_run(pool, &spec, &result), ERR_CLIENT_GONE);
    ck_assert(slice_eq_z(buf_slice(&side.body), EVENT EVENT EVENT EVENT));
    ck_assert(result.body_is_complete);
    ck_assert_int_eq(side.gone_asked, 1);
    ck_assert_int_eq(side.pings, 0);
    (void)close(pair.ours);
}
END_TEST

START_TEST(a_drain_has_its_own_end)
{
    struct pair pair = pair_open();

    (void)close(pair.client);
    side_clear(&side);
    set_path("/endless");
    side.is_gone = true;
    spec.gone_fd = pair.ours;
    spec.gone_drain_ms = 300;
    ck_assert_int_eq(transfer_run(pool, &spec, &result), ERR_CLIENT_GONE);
    ck_assert_int_gt(side.bodies, 1);
    ck_assert(!result.body_is_complete);
    ck_assert_int_ge(result.total_us, 300000);
    ck_assert_int_lt(result.total_us, 1000000);
    (void)close(pair.ours);
}
END_TEST

START_TEST(bytes_from_the_client_do_not_make_the_loop_spin)
{
    struct pair pair = pair_open();

    ck_assert_int_eq(write(pair.client, "x", 1), 1);
    spec.gone_fd = pair.ours;
    spec.first_byte_ms = 1500;
    ck_assert_int_eq(run("/silent"), ERR_UP_TIMEOUT);
    ck_assert_int_eq(side.gone_asked, 2);
    (void)close(pair.ours);
    (void)close(pair.client);
}
END_TEST

/* ---- TLS ---- */

static void tls_setup(void)
{
    const char *tmp = getenv("TMPDIR");

    (void)snprintf(dir, sizeof(dir), "%s/test_transfer.XXXXXX", tmp && *tmp ? tmp : "/tmp");
    ck_assert_ptr_nonnull(mkdtemp(dir));
    (void)snprintf(ca_file, sizeof(ca_file), "%s/cert.pem", dir);
    setup();
    raw_server_stop(server);
    transfer_pool_free(pool);
    server = raw_server_start(handle, dir);
    config.tls_ca_file = ca_file;
    pool = transfer_pool_new(&config);
    ck_assert_ptr_nonnull(pool);
}

static void tls_teardown(void)
{
    config.tls_ca_file = no_file;
    teardown();
    (void)unlink(ca_file);
    (void)rmdir(dir);
}

static enum err run_tls(const char *host, const char *path)
{
    side_clear(&side);
    (void)snprintf(url, sizeof(url), "https://%s:%d%s", host, raw_server_port(server), path);
    return transfer_run(pool, &spec, &result);
}

START_TEST(tls_answers_come_from_a_provider_that_the_ca_file_names)
{
    ck_assert_int_eq(run_tls("127.0.0.1", "/events"), ERR_OK);
    ck_assert(slice_eq_z(buf_slice(&side.body), EVENT EVENT EVENT));
    ck_assert_int_gt(result.connect_us, 0);
    ck_assert_int_eq(run_tls("127.0.0.1", "/whole"), ERR_OK);
    ck_assert(result.is_reused);
    ck_assert_int_eq(connections(), 1);
}
END_TEST

START_TEST(tls_sessions_are_shared_between_handles)
{
    ck_assert_int_eq(run_tls("127.0.0.1", "/events"), ERR_OK);
    spec.reuse_key = 2;
    ck_assert_int_eq(run_tls("127.0.0.1", "/events"), ERR_OK);
    ck_assert(!result.is_reused);
    ck_assert_int_eq(connections(), 2);
    ck_assert_int_eq(raw_server_resumed(server), 1);
}
END_TEST

START_TEST(a_certificate_of_another_name_is_refused)
{
    ck_assert_int_eq(run_tls("localhost", "/whole"), ERR_UP_CONNECT);
    ck_assert_int_eq(side.heads, 0);
}
END_TEST

START_TEST(a_certificate_that_nobody_vouches_for_is_refused)
{
    transfer_pool_free(pool);
    config.tls_ca_file = no_file;
    pool = transfer_pool_new(&config);
    ck_assert_int_eq(run_tls("127.0.0.1", "/whole"), ERR_UP_CONNECT);
    ck_assert_ptr_nonnull(strstr(result.detail, "certificate"));
    ck_assert_int_eq(side.heads, 0);
}
END_TEST

START_TEST(a_tls_stream_that_is_cut_is_told)
{
    ck_assert_int_eq(run_tls("127.0.0.1", "/cut-chunks"), ERR_UP_CUT);
    ck_assert_int_eq(run_tls("127.0.0.1", "/cut-length"), ERR_UP_CUT);
    ck_assert_int_eq(run_tls("127.0.0.1", "/close"), ERR_UP_RESET);
}
END_TEST

START_TEST(a_large_body_goes_through_tls)
{
    char *p = pattern(BIG_BYTES);

    set_parts((struct slice){p, 1000}, (struct slice){p + 1000, BIG_BYTES - 1000}, SLICE(""));
    ck_assert_int_eq(run_tls("127.0.0.1", "/echo"), ERR_OK);
    ck_assert(slice_eq_z(buf_slice(&side.body), p));
    set_parts((struct slice){p, 1000}, (struct slice){p + 1000, 40000}, SLICE(""));
    ck_assert_int_eq(run_tls("127.0.0.1", "/echo"), ERR_OK);
    ck_assert(slice_eq(buf_slice(&side.body), (struct slice){p, 41000}));
    free(p);
}
END_TEST

START_TEST(a_ca_file_that_cannot_be_read_makes_no_pool)
{
    struct config bad = {.handles_idle_max = 1, .tls_ca_file = (char[]){"/nonexistent/ca.pem"}};

    ck_assert_ptr_null(transfer_pool_new(&bad));
}
END_TEST

/* ---- many threads ---- */

static void *exchange_often(void *number)
{
    struct slice part = SLICE("{}");
    struct splice own_body = {&part, 1, 2};
    struct transfer_spec own = spec;
    struct transfer_result own_result;
    struct side s = {0};
    size_t good = 0;
    int i;

    buf_init(&s.body, 1 << 20);
    buf_init(&s.fields, 1 << 20);
    own.body = &own_body;
    own.ctx = &s;
    own.reuse_key = (uintptr_t)number % 3;
    for (i = 0; i < ROUNDS; i++) {
        buf_reset(&s.body);
        good += transfer_run(pool, &own, &own_result) == ERR_OK &&
                slice_eq_z(buf_slice(&s.body), EVENT EVENT EVENT);
        if (i % 8 == 0)
            transfer_pool_upkeep(pool);
    }
    buf_clear(&s.body);
    buf_clear(&s.fields);
    return (void *)good;
}

static void run_threads(void)
{
    pthread_t threads[THREADS];
    size_t i;

    for (i = 0; i < THREADS; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, exchange_often, (void *)i), 0);
    for (i = 0; i < THREADS; i++) {
        void *good;

        ck_assert_int_eq(pthread_join(threads[i], &good), 0);
        ck_assert_uint_eq((size_t)good, ROUNDS);
    }
    ck_assert_int_le(connections(), THREADS * 2);
}

START_TEST(many_threads_share_the_pool)
{
    set_path("/events");
    run_threads();
}
END_TEST

START_TEST(many_threads_share_the_pool_over_tls)
{
    (void)snprintf(url, sizeof(url), "https://127.0.0.1:%d/events", raw_server_port(server));
    run_threads();
}
END_TEST

/* ---- addresses, proxies, certificates ---- */

START_TEST(an_address_that_is_not_public_is_not_connected_to_unless_allowed)
{
    spec.reach.allow_private = false;
    ck_assert_int_eq(run("/whole"), ERR_UP_CONNECT);
    ck_assert_msg(strstr(result.detail, "not public"), "detail: %s", result.detail);
    ck_assert_int_eq(connections(), 0);
    spec.reach.allow_private = true;
    run_ok("/whole", "hello");
    /* the connection that is kept now is not for those who may not make it */
    spec.reach.allow_private = false;
    ck_assert_int_eq(run("/whole"), ERR_UP_CONNECT);
    ck_assert_int_eq(connections(), 1);
}
END_TEST

START_TEST(a_proxy_is_asked_in_the_place_of_the_provider)
{
    char proxy[64];

    set_path("/whole");
    (void)snprintf(proxy, sizeof(proxy), "http://127.0.0.1:%d", raw_server_port(server));
    spec.reach.proxy_url = proxy;
    spec.url = "http://provider.invalid/whole";
    side_clear(&side);
    ck_assert_int_ne(transfer_run(pool, &spec, &result), ERR_UP_CONNECT);
    ck_assert_int_eq(connections(), 1);
    spec.reach.proxy_url = "http://127.0.0.1:1";
    ck_assert_int_eq(transfer_run(pool, &spec, &result), ERR_UP_CONNECT);
}
END_TEST

START_TEST(certificates_that_mean_nothing_fail_the_exchange)
{
    spec.reach.ca_pem = "no certificate";
    set_path("/whole");
    side_clear(&side);
    ck_assert_int_eq(transfer_run(pool, &spec, &result), ERR_UP_CONNECT);
    ck_assert_int_eq(connections(), 0);
}
END_TEST

static void add_failures(TCase *cases)
{
    tcase_add_loop_test(cases, a_broken_answer_is_told_apart_and_its_connection_never_used_again, 0,
                        (int)(sizeof(failures) / sizeof(failures[0])));
    tcase_add_test(cases, a_refused_connection_is_a_connect_error);
    tcase_add_test(cases, urls_that_are_not_http_are_refused);
    tcase_add_test(cases, a_proxy_in_the_environment_is_ignored);
    tcase_add_test(cases, an_answer_to_a_request_that_was_not_read_is_malformed);
    tcase_add_test(cases, a_callbacks_error_ends_the_exchange_and_the_connection);
    tcase_add_test(cases, the_first_byte_timer_ends_a_silent_answer);
    tcase_add_test(cases, the_timer_between_bytes_ends_a_stalled_stream);
    tcase_add_test(cases, the_total_timer_ends_a_stream_that_flows);
    tcase_add_test(cases, a_stream_that_flows_outlives_its_other_timers);
    tcase_add_test(cases, time_in_callbacks_counts_for_no_timer);
    tcase_add_test(cases, the_connect_timer_ends_a_handshake_that_never_comes);
    tcase_add_test(cases, pings_come_while_the_provider_is_silent);
    tcase_add_test(cases, bytes_put_the_ping_off_and_pings_put_no_timer_off);
    tcase_add_test(cases, a_ping_that_fails_ends_the_exchange);
    tcase_add_test(cases, a_slow_ping_counts_for_no_timer);
    tcase_add_test(cases, stopping_is_asked_each_second_and_ends_the_exchange);
    tcase_add_test(cases, a_client_that_leaves_ends_the_exchange_at_once);
    tcase_add_test(cases, an_abandoned_answer_is_drained_to_its_end);
    tcase_add_test(cases, a_drain_has_its_own_end);
    tcase_add_test(cases, bytes_from_the_client_do_not_make_the_loop_spin);
}

static TCase *plain_cases(void)
{
    TCase *cases = tcase_create("plain");

    tcase_add_checked_fixture(cases, setup, teardown);
    tcase_set_timeout(cases, 30);
    tcase_add_test(cases, a_whole_answer_comes_with_its_head_and_result);
    tcase_add_test(cases, connections_are_kept_for_the_same_key);
    tcase_add_test(cases, a_full_pool_gives_the_idlest_handle_to_another_key);
    tcase_add_test(cases, a_stream_comes_piece_by_piece);
    tcase_add_test(cases, heads_of_every_kind_are_read);
    tcase_add_test(cases, redirects_are_not_followed);
    tcase_add_test(cases, an_answer_that_ends_with_its_connection_is_not_known_to_be_complete);
    tcase_add_test(cases, the_request_carries_our_headers_and_none_of_curls_surprises);
    tcase_add_test(cases, a_header_with_a_line_break_is_not_sent);
    tcase_add_test(cases, a_body_of_parts_arrives_whole_at_every_size);
    tcase_add_test(cases, a_kept_connection_that_was_closed_is_replaced);
    tcase_add_test(cases, a_request_that_a_kept_connection_lost_is_repeated_with_its_body);
    add_failures(cases);
    tcase_add_test(cases, a_ca_file_that_cannot_be_read_makes_no_pool);
    tcase_add_test(cases, many_threads_share_the_pool);
    tcase_add_test(cases, an_address_that_is_not_public_is_not_connected_to_unless_allowed);
    tcase_add_test(cases, a_proxy_is_asked_in_the_place_of_the_provider);
    tcase_add_test(cases, certificates_that_mean_nothing_fail_the_exchange);
    return cases;
}

static TCase *tls_cases(void)
{
    TCase *cases = tcase_create("tls");

    tcase_add_checked_fixture(cases, tls_setup, tls_teardown);
    tcase_set_timeout(cases, 60);
    tcase_add_test(cases, tls_answers_come_from_a_provider_that_the_ca_file_names);
    tcase_add_test(cases, tls_sessions_are_shared_between_handles);
    tcase_add_test(cases, a_certificate_of_another_name_is_refused);
    tcase_add_test(cases, a_certificate_that_nobody_vouches_for_is_refused);
    tcase_add_test(cases, a_tls_stream_that_is_cut_is_told);
    tcase_add_test(cases, a_large_body_goes_through_tls);
    tcase_add_test(cases, many_threads_share_the_pool_over_tls);
    return cases;
}

int main(void)
{
    Suite *suite = suite_create("transfer");
    SRunner *runner = srunner_create(suite);
    int failed;

    suite_add_tcase(suite, plain_cases());
    suite_add_tcase(suite, tls_cases());
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
