#include "fcgi/response.h"

#include "base/buf.h"
#include "base/json.h"
#include "base/log.h"
#include "fcgi/request.h"
#include "fcgi/router.h"
#include "fcgi/transport.h"

#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define HEAD_SIZE         160 /* status line, or the two ids and the empty line */
#define RESPONSE_JSON_MAX ((size_t)64 << 20)
#define NUMBER_SIZE       24

struct response {
    int status;
    bool is_committed;
    bool is_head; /* body bytes are counted, not sent */
    enum err error;
    int64_t bytes;
    size_t headers_n;
    char headers[RESPONSE_HEADERS_MAX]; /* "name: value\r\n" each */
};

static const struct {
    int status;
    const char *reason;
} reasons[] = {
    {200, "OK"                    },
    {201, "Created"               },
    {202, "Accepted"              },
    {204, "No Content"            },
    {301, "Moved Permanently"     },
    {302, "Found"                 },
    {303, "See Other"             },
    {304, "Not Modified"          },
    {307, "Temporary Redirect"    },
    {308, "Permanent Redirect"    },
    {400, "Bad Request"           },
    {401, "Unauthorized"          },
    {402, "Payment Required"      },
    {403, "Forbidden"             },
    {404, "Not Found"             },
    {405, "Method Not Allowed"    },
    {408, "Request Timeout"       },
    {409, "Conflict"              },
    {410, "Gone"                  },
    {413, "Content Too Large"     },
    {415, "Unsupported Media Type"},
    {416, "Range Not Satisfiable" },
    {422, "Unprocessable Content" },
    {426, "Upgrade Required"      },
    {429, "Too Many Requests"     },
    {499, "Client Closed Request" },
    {500, "Internal Server Error" },
    {501, "Not Implemented"       },
    {502, "Bad Gateway"           },
    {503, "Service Unavailable"   },
    {504, "Gateway Timeout"       },
    {529, "Overloaded"            },
    {529, "Overloaded"            },
};

static enum err commit(struct request *req);
static void remove_header(struct response *res, const char *name);
static const char *find_header(const struct response *res, const char *name);
static bool has_header(const struct response *res, const char *name);
static enum err send_whole(struct request *req, int status, const char *content_type,
                           struct slice body);

struct response *response_new(void)
{
    return calloc(1, sizeof(struct response));
}

void response_free(struct response *res)
{
    free(res);
}

void response_begin(struct request *req, bool is_head)
{
    struct response *res = req->res;

    res->status = 200;
    res->is_committed = false;
    res->is_head = is_head;
    res->error = ERR_OK;
    res->bytes = 0;
    res->headers_n = 0;
}

void response_end(struct request *req)
{
    if (req->res->is_committed || req->transport->is_broken)
        return;
    log_error("response_missing", "error=%s", err_name(req->res->error));
    req->res->headers_n = 0;
    /* Whatever the result: there is nobody left to tell. */
    (void)!send_whole(req, 500, "text/plain", SLICE("internal error\n"));
}

enum err response_error(const struct request *req)
{
    return req->res->error;
}

void response_status(struct request *req, int status)
{
    assert(status >= 200 && status <= 599);
    if (req->res->is_committed) {
        log_error("response_late", "what=status status=%d", status);
        return;
    }
    req->res->status = status;
}

/* RFC 9110 5.1: a field name is a token. Ours are literals of letters, digits and hyphens. */
static bool is_name(const char *name)
{
    return name[0] != '\0' &&
           name[strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-")] ==
               '\0';
}

static bool is_value(struct slice value)
{
    return value.n == 0 ||
           (memchr(value.p, '\r', value.n) == NULL && memchr(value.p, '\n', value.n) == NULL &&
            memchr(value.p, '\0', value.n) == NULL);
}

void response_header(struct request *req, const char *name, struct slice value)
{
    struct response *res = req->res;
    size_t name_n = strlen(name);
    char *p;

    assert(is_name(name));
    assert(is_value(value));
    if (res->is_committed) {
        log_error("response_late", "what=header name=%s", name);
        return;
    }
    remove_header(res, name);
    if (value.n > RESPONSE_HEADERS_MAX ||
        name_n + value.n + 4 > RESPONSE_HEADERS_MAX - res->headers_n) {
        log_warn("response_header_dropped", "name=%s bytes=%zu", name, value.n);
        return;
    }
    p = res->headers + res->headers_n;
    memcpy(p, name, name_n);
    memcpy(p + name_n, ": ", 2);
    if (value.n > 0)
        memcpy(p + name_n + 2, value.p, value.n);
    memcpy(p + name_n + 2 + value.n, "\r\n", 2);
    res->headers_n += name_n + value.n + 4;
}

void response_header_z(struct request *req, const char *name, const char *value)
{
    response_header(req, name, slice_of(value));
}

bool response_is_committed(const struct request *req)
{
    return req->res->is_committed;
}

int response_status_get(const struct request *req)
{
    return req->res->status;
}

int64_t response_bytes_sent(const struct request *req)
{
    return req->res->bytes;
}

enum err response_write(struct request *req, struct slice bytes)
{
    struct response *res = req->res;
    enum err e = commit(req);

    if (e != ERR_OK)
        return e;
    if (!res->is_head && bytes.n > 0) {
        e = req->transport->ops->write(req->transport, bytes.p, bytes.n);
        if (e != ERR_OK)
            return e;
    }
    res->bytes += (int64_t)bytes.n;
    return ERR_OK;
}

enum err response_flush(struct request *req)
{
    enum err e = commit(req);

    return e != ERR_OK ? e : req->transport->ops->flush(req->transport);
}

enum err response_json(struct request *req, int status, struct json_object *body)
{
    struct buf text;
    enum err e;

    buf_init(&text, RESPONSE_JSON_MAX);
    e = json_print(body, &text);
    json_object_put(body);
    if (e == ERR_OK)
        e = response_bytes(req, status, "application/json", buf_slice(&text));
    buf_clear(&text);
    return e;
}

enum err response_bytes(struct request *req, int status, const char *content_type,
                        struct slice body)
{
    if (req->res->is_committed) {
        log_error("response_late", "what=body status=%d", status);
        return ERR_INTERNAL;
    }
    return send_whole(req, status, content_type, body);
}

/* Sets retry-after from the table, unless the caller knows better. */
static void set_retry_after(struct request *req, const struct err_info *info)
{
    char seconds[NUMBER_SIZE];

    if (info->retry_after_s <= 0 || has_header(req->res, "retry-after"))
        return;
    snprintf(seconds, sizeof(seconds), "%d", info->retry_after_s);
    response_header_z(req, "retry-after", seconds);
}

int64_t response_retry_after_s(const struct request *req)
{
    const char *line = find_header(req->res, "retry-after");
    int64_t seconds = 0;

    if (line == NULL)
        return 0;
    struct slice rest = {line, strcspn(line, "\r\n")};
    (void)slice_split(&rest, ':');
    return slice_to_i64(slice_trim(rest), &seconds) == ERR_OK ? seconds : 0;
}

enum err request_fail(struct request *req, enum err e, const char *param, const char *fmt, ...)
{
    const struct err_info *info = err_info(e);
    char text[REQUEST_FAIL_TEXT_MAX];
    route_error_fn *write_error = NULL;
    va_list ap;

    if (req->res->error == ERR_OK)
        req->res->error = e;
    if (req->res->is_committed) {
        log_warn("request_failed_late", "error=%s", info->name);
        return e;
    }
    if (fmt != NULL) {
        char whole[REQUEST_FAIL_TEXT_MAX];

        va_start(ap, fmt);
        vsnprintf(whole, sizeof(whole), fmt, ap);
        va_end(ap);
        /* Again, for a cut that spares UTF-8: vsnprintf may have cut a character. */
        slice_copy_z(text, sizeof(text) - 1, slice_of(whole));
    } else {
        slice_copy_z(text, sizeof(text), slice_of(info->text));
    }
    set_retry_after(req, info);
    if (req->route != NULL)
        write_error = req->route->error;
    else if (req->router != NULL)
        write_error = req->router->fallback_error;
    if (write_error != NULL)
        write_error(req, e, param, text);
    else
        (void)!send_whole(req, info->http_status, "text/plain", slice_of(text));
    return e;
}

static enum err send_whole(struct request *req, int status, const char *content_type,
                           struct slice body)
{
    char length[NUMBER_SIZE];

    response_status(req, status);
    response_header_z(req, "content-type", content_type);
    snprintf(length, sizeof(length), "%zu", body.n);
    response_header_z(req, "content-length", length);
    return response_write(req, body);
}

static const char *find_reason(int status)
{
    for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++) {
        if (reasons[i].status == status)
            return reasons[i].reason;
    }
    return "Unknown";
}

/* The head, as CGI wants it (RFC 3875 6.3): the Status line, our headers, the ids. The transport
 * gathers the pieces. */
static enum err commit(struct request *req)
{
    struct response *res = req->res;
    struct transport *t = req->transport;
    char line[HEAD_SIZE];
    int n;
    enum err e;

    if (t->is_broken)
        return ERR_CLIENT_GONE;
    if (res->is_committed)
        return ERR_OK;
    res->is_committed = true;
    n = snprintf(line, sizeof(line), "Status: %d %s\r\n", res->status, find_reason(res->status));
    assert(n > 0 && (size_t)n < sizeof(line));
    e = t->ops->write(t, line, (size_t)n);
    if (e == ERR_OK && res->headers_n > 0)
        e = t->ops->write(t, res->headers, res->headers_n);
    if (e != ERR_OK)
        return e;
    n = snprintf(line, sizeof(line), "x-request-id: %s\r\nrequest-id: %s\r\n\r\n", req->id,
                 req->id);
    assert(n > 0 && (size_t)n < sizeof(line));
    return t->ops->write(t, line, (size_t)n);
}

/* Where the line of name begins; NULL: there is none. */
static const char *find_header(const struct response *res, const char *name)
{
    const char *p = res->headers;
    const char *end = p + res->headers_n;
    size_t name_n = strlen(name);

    while (p < end) {
        const char *next = memchr(p, '\n', (size_t)(end - p));

        assert(next != NULL);
        if ((size_t)(next - p) > name_n && p[name_n] == ':' && strncasecmp(p, name, name_n) == 0)
            return p;
        p = next + 1;
    }
    return NULL;
}

static bool has_header(const struct response *res, const char *name)
{
    return find_header(res, name) != NULL;
}

static void remove_header(struct response *res, const char *name)
{
    const char *found = find_header(res, name);
    char *line;
    char *next;
    char *end = res->headers + res->headers_n;

    if (found == NULL)
        return;
    line = res->headers + (found - res->headers);
    next = memchr(line, '\n', (size_t)(end - line));
    assert(next != NULL);
    next++;
    memmove(line, next, (size_t)(end - next));
    res->headers_n -= (size_t)(next - line);
}
