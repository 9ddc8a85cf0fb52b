/* http - the client of the tests, on libcurl: whole answers and streams with the time of each
 * event, and leaving early.
 *
 * A call is a plain value that borrows everything; a reply is owned by the caller, who clears it
 * (a test process that ends right after need not). http_run may be called by any number of
 * threads at once. */
#ifndef TESTS_E2E_HTTP_H
#define TESTS_E2E_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { HTTP_HEADERS_MAX = 8, HTTP_EVENTS_MAX = 4096 };

struct http_call {
    int port;                              /* on 127.0.0.1 */
    const char *method;                    /* NULL: POST with a body, GET without */
    const char *path;                      /* sent exactly so */
    const char *key;                       /* as Authorization: Bearer; NULL: none */
    const char *headers[HTTP_HEADERS_MAX]; /* "name: value" */
    const char *body;                      /* NULL: none */
    size_t body_n;                         /* 0: strlen(body) */
    int leave_after_events;                /* > 0: close the connection after so many events */
    int leave_after_ms;                    /* > 0: close it after that time */
    int timeout_ms;                        /* 0: HTTP_TIMEOUT_MS */
};

#define HTTP_TIMEOUT_MS 60000

/* One server-sent event: where its data lies in body, and when its last byte came. */
struct http_event {
    size_t data_at;
    size_t data_n;
    int64_t at_us; /* since the call began */
};

struct http_reply {
    int status;      /* 0: no answer came */
    bool is_whole;   /* the answer ended as HTTP says it must */
    bool has_left;   /* we closed, as asked */
    char fault[256]; /* curl's words when it is not whole */
    char *head;      /* status line and header lines of the final answer */
    size_t head_n;
    char *body;
    size_t body_n;
    struct http_event *events; /* of an answer with content type text/event-stream */
    size_t events_n;
    int64_t total_us;
};

/* http_run - make the call. reply: out, whatever happens; body and head are never NULL. */
void http_run(const struct http_call *call, struct http_reply *reply);

/* http_many - the same call from `count` threads at once, all released together. calls and
 * replies: `count` each. */
void http_many(const struct http_call *calls, struct http_reply *replies, size_t count);

/* http_reply_clear - frees what it holds. */
void http_reply_clear(struct http_reply *reply);

/* http_header - the value of a header of the reply, name in lower case; NULL when absent. From a
 * ring of static buffers per thread: good for the next 1024 calls of this header. */
const char *http_header(const struct http_reply *reply, const char *name);

/* http_event_data - data of event i as text; "" past the end. Same ring. */
const char *http_event_data(const struct http_reply *reply, size_t i);

/* http_field - a value inside a JSON text by path, "choices.0.delta.content": strings as they
 * are, null as "null", other values as JSON; NULL when the text is no JSON or has no such
 * member. Same ring. */
const char *http_field(const char *json, const char *path);

/* http_printf - a formatted text in the same ring. http_ring_clear - a thread that made calls
 * frees its ring at its end. */
const char *http_printf(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void http_ring_clear(void);

/* http_content - the joined choices.0.delta.content of a stream, or the content of a whole
 * answer. The caller frees. */
char *http_content(const struct http_reply *reply);

#endif
