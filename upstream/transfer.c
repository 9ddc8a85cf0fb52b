#include "upstream/transfer.h"

#include "base/clock.h"
#include "upstream/transfer_exchange.h"

#include <string.h>

#define UPLOAD_SMALL_BYTES   16384L /* curl's least */
#define UPLOAD_LARGE_BYTES   65536L
#define RECEIVE_STREAM_BYTES 4096L /* events are small and streams are many */
#define RECEIVE_WHOLE_BYTES  16384L
#define STATUS_REFUSED       400

static const char header_expect[] =
    "Expect:"; /* without a value: none is sent, whatever the size */
static const char header_json[] = "Content-Type: application/json";

/* ---- the callbacks of curl ---- */

static struct exchange *exchange_of(void *handle)
{
    return ((struct handle *)handle)->exchange;
}

static size_t on_header(char *p, size_t size, size_t n, void *handle)
{
    struct exchange *x = exchange_of(handle);
    struct transfer_head head;
    int64_t before_us;
    enum err e;

    if (x->callback_err)
        return 0;
    e = head_add(&x->head, (struct slice){p, size * n}, &head);
    if (e == ERR_END) {
        x->result->status = head.status;
        before_us = clock_mono_us();
        e = x->spec->ops->on_head(x->spec->ctx, &head);
        x->blocked_us += clock_mono_us() - before_us;
    }
    x->callback_err = e;
    return e ? 0 : n;
}

static bool is_sent(const struct exchange *x)
{
    curl_off_t sent = 0;

    return !x->spec->body || (!curl_easy_getinfo(x->handle->easy, CURLINFO_SIZE_UPLOAD_T, &sent) &&
                              sent >= x->spec->body->bytes);
}

/* The owner of the body may free it once an answer flows: nothing of it may be left to send. */
static enum err note_first_byte(struct exchange *x, int64_t now_us)
{
    x->result->first_byte_us = now_us - x->start_us;
    if (x->result->status >= STATUS_REFUSED)
        return ERR_OK;
    if (!is_sent(x))
        return ERR_UP_MALFORMED;
    upload_clear(&x->upload);
    return ERR_OK;
}

static size_t on_body(char *p, size_t size, size_t n, void *handle)
{
    struct exchange *x = exchange_of(handle);
    int64_t before_us = clock_mono_us();
    enum err e = ERR_OK;

    if (n == 0 || x->callback_err)
        return 0;
    if (x->result->body_bytes == 0)
        e = note_first_byte(x, before_us);
    x->result->body_bytes += (int64_t)(size * n);
    if (!e)
        e = x->spec->ops->on_body(x->spec->ctx, (struct slice){p, size * n});
    x->last_sign_us = clock_mono_us();
    x->last_byte_us = before_us - x->blocked_us;
    x->blocked_us += x->last_sign_us - before_us;
    x->callback_err = e;
    return e ? 0 : n;
}

static size_t on_read(char *dst, size_t size, size_t n, void *handle)
{
    return upload_read(&exchange_of(handle)->upload, dst, size * n);
}

/* For the repetition on a new connection. */
static int on_seek(void *handle, curl_off_t offset, int origin)
{
    if (origin != SEEK_SET || offset != 0)
        return CURL_SEEKFUNC_CANTSEEK;
    upload_rewind(&exchange_of(handle)->upload);
    return CURL_SEEKFUNC_OK;
}

static bool set_callbacks(struct handle *h)
{
    CURL *c = h->easy;

    return !curl_easy_setopt(c, CURLOPT_HEADERFUNCTION, on_header) &&
           !curl_easy_setopt(c, CURLOPT_HEADERDATA, (void *)h) &&
           !curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, on_body) &&
           !curl_easy_setopt(c, CURLOPT_WRITEDATA, (void *)h) &&
           !curl_easy_setopt(c, CURLOPT_READFUNCTION, on_read) &&
           !curl_easy_setopt(c, CURLOPT_READDATA, (void *)h) &&
           !curl_easy_setopt(c, CURLOPT_SEEKFUNCTION, on_seek) &&
           !curl_easy_setopt(c, CURLOPT_SEEKDATA, (void *)h);
}

/* ---- what changes from exchange to exchange ---- */

static bool is_plain_text(const char *z)
{
    for (; *z; z++)
        if (((unsigned char)*z < ' ' && *z != '\t') || *z == 0x7f)
            return false;
    return true;
}

/* curl only reads the list: no copies on the heap. */
static void add_header(struct exchange *x, size_t *n, const char *text)
{
    union {
        const char *given;
        char *wanted;
    } data = {.given = text};

    x->headers[*n] = (struct curl_slist){.data = data.wanted};
    if (*n)
        x->headers[*n - 1].next = &x->headers[*n];
    ++*n;
}

static enum err set_headers(struct exchange *x)
{
    const struct transfer_spec *spec = x->spec;
    bool has_type = !spec->body;
    size_t i, n = 0;

    if (spec->headers_n > TRANSFER_HEADERS_MAX)
        return ERR_INTERNAL;
    for (i = 0; i < spec->headers_n; i++) {
        if (!is_plain_text(spec->headers[i]))
            return ERR_INTERNAL;
        has_type = has_type || slice_starts_ci(slice_of(spec->headers[i]), "content-type:");
        add_header(x, &n, spec->headers[i]);
    }
    add_header(x, &n, header_expect);
    if (!has_type)
        add_header(x, &n, header_json);
    return curl_easy_setopt(x->handle->easy, CURLOPT_HTTPHEADER, x->headers) ? ERR_MEMORY : ERR_OK;
}

static enum err set_body(struct exchange *x)
{
    const struct splice *body = x->spec->body;
    CURL *c = x->handle->easy;
    const char *text;
    long buffer;
    enum err e;

    if (curl_easy_setopt(c, CURLOPT_CUSTOMREQUEST, x->spec->method))
        return ERR_MEMORY;
    if (!body)
        return curl_easy_setopt(c, CURLOPT_HTTPGET, 1L) ? ERR_MEMORY : ERR_OK;
    e = upload_init(&x->upload, body, &text);
    if (e)
        return e;
    buffer = body->bytes > UPLOAD_SMALL_BYTES ? UPLOAD_LARGE_BYTES : UPLOAD_SMALL_BYTES;
    if (buffer != x->handle->upload_buffer_bytes) {
        if (curl_easy_setopt(c, CURLOPT_UPLOAD_BUFFERSIZE, buffer))
            return ERR_MEMORY;
        x->handle->upload_buffer_bytes = buffer;
    }
    if (curl_easy_setopt(c, CURLOPT_POST, 1L) ||
        curl_easy_setopt(c, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)body->bytes) ||
        curl_easy_setopt(c, CURLOPT_POSTFIELDS, text))
        return ERR_MEMORY;
    return ERR_OK;
}

/* Only what differs from the exchange before: each setting costs time. */
static bool set_sizes(struct exchange *x)
{
    struct handle *h = x->handle;
    long connect_ms = (long)x->spec->connect_ms;
    long receive = x->spec->ping_ms > 0 ? RECEIVE_STREAM_BYTES : RECEIVE_WHOLE_BYTES;

    if (connect_ms != h->connect_ms) {
        if (curl_easy_setopt(h->easy, CURLOPT_CONNECTTIMEOUT_MS, connect_ms))
            return false;
        h->connect_ms = connect_ms;
    }
    if (receive != h->receive_buffer_bytes) {
        if (curl_easy_setopt(h->easy, CURLOPT_BUFFERSIZE, receive))
            return false;
        h->receive_buffer_bytes = receive;
    }
    return true;
}

static enum err set_up(struct exchange *x)
{
    struct handle *h = x->handle;
    enum err e;

    if (h->is_new && !set_callbacks(h))
        return ERR_MEMORY;
    h->is_new = false;
    h->exchange = x;
    h->error[0] = '\0';
    if (!set_sizes(x))
        return ERR_MEMORY;
    if (curl_easy_setopt(h->easy, CURLOPT_URL, x->spec->url))
        return ERR_MEMORY;
    e = set_headers(x);
    if (!e)
        e = set_body(x);
    if (!e && curl_multi_add_handle(h->multi, h->easy))
        e = ERR_MEMORY;
    return e;
}

/* ---- the loop ---- */

/* gone_fd is readable. */
static enum err look_at_client(struct exchange *x)
{
    int64_t before_us = clock_mono_us(), now_us;
    bool is_gone = x->spec->is_gone(x->spec->ctx);

    now_us = clock_mono_us();
    x->blocked_us += now_us - before_us;
    if (!is_gone) {
        x->look_us = now_us + LOOK_AGAIN_US;
        return ERR_OK;
    }
    x->is_gone = true;
    x->drain_until_us = now_us + x->spec->gone_drain_ms * 1000;
    return x->spec->gone_drain_ms > 0 ? ERR_OK : ERR_CLIENT_GONE;
}

static enum err wait_for_more(struct exchange *x, int64_t now_us, int64_t wait_us)
{
    struct curl_waitfd client = {.fd = x->spec->gone_fd, .events = CURL_WAIT_POLLIN};
    bool looks = x->spec->gone_fd >= 0 && !x->is_gone;
    bool looks_now = looks && now_us >= x->look_us;
    bool was_sent = x->is_sent;

    x->is_sent = was_sent || is_sent(x);
    handle_shrink(x->handle, x->is_sent && !was_sent);
    if (looks && !looks_now && wait_us > x->look_us - now_us)
        wait_us = x->look_us - now_us;
    if (curl_multi_poll(x->handle->multi, &client, looks_now ? 1 : 0, (int)((wait_us + 999) / 1000),
                        NULL))
        return ERR_MEMORY;
    return looks_now && client.revents ? look_at_client(x) : ERR_OK;
}

/* What curl's end of the transfer means. */
static enum err judge(struct exchange *x, CURLcode code)
{
    curl_off_t connected_us = 0;

    if (x->callback_err) {
        exchange_set_detail(x, EXCHANGE_RECEIVER_ENDED);
        return x->callback_err;
    }
    if (code == CURLE_OK)
        return ERR_OK;
    if (x->handle->is_refused && x->result->status == 0) {
        exchange_set_detail(x, "the address is not public, and allow_private is not set");
        return ERR_UP_CONNECT;
    }
    exchange_set_detail(x, x->handle->error[0] ? x->handle->error : curl_easy_strerror(code));
    if (code == CURLE_OUT_OF_MEMORY)
        return ERR_MEMORY;
    if (x->result->body_bytes)
        return ERR_UP_CUT;
    switch (code) {
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
    case CURLE_PROXY:
    case CURLE_COULDNT_CONNECT:
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_OPERATION_TIMEDOUT: /* the connect timer; the others are ours */
        return ERR_UP_CONNECT;
    default:
        break;
    }
    (void)curl_easy_getinfo(x->handle->easy, CURLINFO_PRETRANSFER_TIME_T, &connected_us);
    if (connected_us == 0)
        return ERR_UP_CONNECT;
    switch (code) {
    case CURLE_UNSUPPORTED_PROTOCOL: /* HTTP/0.9, or no HTTP at all */
    case CURLE_WEIRD_SERVER_REPLY:
    case CURLE_BAD_CONTENT_ENCODING:
        return ERR_UP_MALFORMED;
    default:
        return ERR_UP_RESET;
    }
}

static enum err finish(struct exchange *x)
{
    const CURLMsg *m;
    int left;

    m = curl_multi_info_read(x->handle->multi, &left);
    return m && m->msg == CURLMSG_DONE ? judge(x, m->data.result) : ERR_INTERNAL;
}

static enum err run(struct exchange *x)
{
    for (;;) {
        int64_t now_us, wait_us;
        int running;
        enum err e;

        if (curl_multi_perform(x->handle->multi, &running))
            return ERR_MEMORY;
        if (!running)
            return finish(x);
        e = exchange_check_timers(x, &now_us, &wait_us);
        if (!e)
            e = wait_for_more(x, now_us, wait_us);
        if (e)
            return e;
    }
}

/* ---- the end ---- */

static bool has_known_end(const struct exchange *x)
{
    curl_off_t length = -1;

    if (x->head.is_chunked || x->result->status == 204 || x->result->status == 304)
        return true;
    return !curl_easy_getinfo(x->handle->easy, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &length) &&
           length >= 0;
}

static void fill_result(struct exchange *x, enum err e)
{
    CURL *c = x->handle->easy;
    curl_off_t tcp_us = 0, tls_us = 0;
    long connections = 0;

    (void)curl_easy_getinfo(c, CURLINFO_NUM_CONNECTS, &connections);
    if (connections > 0) {
        (void)curl_easy_getinfo(c, CURLINFO_CONNECT_TIME_T, &tcp_us);
        (void)curl_easy_getinfo(c, CURLINFO_APPCONNECT_TIME_T, &tls_us);
        x->result->connect_us = tls_us > 0 ? tls_us : tcp_us;
    }
    x->result->is_reused = connections == 0 && x->result->status != 0;
    x->result->body_is_complete = e == ERR_OK && has_known_end(x);
    x->result->total_us = clock_mono_us() - x->start_us;
}

enum err transfer_run(struct transfer_pool *p, const struct transfer_spec *spec,
                      struct transfer_result *result)
{
    struct exchange x = {.spec = spec, .result = result};
    bool is_clean;
    enum err e;

    *result = (struct transfer_result){.first_byte_us = -1};
    x.handle = handle_take(p, spec->reuse_key, &spec->reach);
    if (!x.handle)
        return spec->reach.proxy_url || spec->reach.ca_pem ? ERR_UP_CONNECT : ERR_MEMORY;
    head_init(&x.head);
    x.start_us = x.last_sign_us = clock_mono_us();
    x.next_stop_us = x.start_us + LOOK_AGAIN_US;
    e = set_up(&x);
    if (!e)
        e = run(&x);
    fill_result(&x, e);
    is_clean = e == ERR_OK;
    if (x.is_gone) {
        exchange_set_detail(&x,
                            x.result->body_is_complete ? "client gone, drained" : "client gone");
        e = ERR_CLIENT_GONE;
    }
    (void)curl_multi_remove_handle(x.handle->multi, x.handle->easy);
    x.handle->exchange = NULL;
    upload_clear(&x.upload);
    if (is_clean)
        handle_give(p, x.handle);
    else
        handle_free(x.handle);
    return e;
}
