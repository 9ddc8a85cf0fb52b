#include "tests/e2e/http.h"

#include "tests/e2e/spawn.h"
#include "tests/e2e/stack.h"

#include <curl/curl.h>
#include <errno.h>
#include <json-c/json.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    RING_TEXTS = 1024,
    TEXT_MAX = 1 << 16,
    CONNECT_MS = 5000,
    POLL_MS = 20,
    THREAD_STACK_BYTES = 512 * 1024
};

/* What the callbacks of one call share. */
struct running {
    const struct http_call *call;
    struct http_reply *reply;
    int64_t begun_us;
    size_t body_cap;
    size_t head_cap;
    size_t line_at; /* where the line being received begins in the body */
    size_t data_at; /* data of the event being received */
    size_t data_n;
    bool has_data;
    bool is_stream;
    bool is_last; /* no more events are wanted */
};

static void grow(char **p, size_t *cap, size_t need)
{
    if (need + 1 <= *cap)
        return;
    size_t size = *cap == 0 ? 4096 : *cap;
    while (size < need + 1)
        size *= 2;
    char *bigger = realloc(*p, size);
    if (bigger == NULL)
        stack_fail("out of memory at %zu bytes", size);
    *p = bigger;
    *cap = size;
}

static void event_ends(struct running *r)
{
    struct http_reply *reply = r->reply;
    if (!r->has_data)
        return;
    if (reply->events == NULL)
        reply->events = calloc(HTTP_EVENTS_MAX, sizeof(reply->events[0]));
    if (reply->events != NULL && reply->events_n < HTTP_EVENTS_MAX)
        reply->events[reply->events_n++] =
            (struct http_event){r->data_at, r->data_n, spawn_now_us() - r->begun_us};
    r->has_data = false;
    int leave = r->call->leave_after_events;
    if (leave > 0 && reply->events_n >= (size_t)leave)
        r->is_last = true;
}

/* Look at the lines that came with the last bytes. One data line an event is all that our
 * formats send. */
static void read_lines(struct running *r)
{
    struct http_reply *reply = r->reply;
    char *end;
    while (!r->is_last && r->line_at < reply->body_n &&
           (end = memchr(reply->body + r->line_at, '\n', reply->body_n - r->line_at)) != NULL) {
        const char *line = reply->body + r->line_at;
        size_t n = (size_t)(end - line);
        if (n > 0 && line[n - 1] == '\r')
            n--;
        if (n == 0)
            event_ends(r);
        if (n >= 5 && strncmp(line, "data:", 5) == 0) {
            size_t skip = n > 5 && line[5] == ' ' ? 6 : 5;
            r->data_at = r->line_at + skip;
            r->data_n = n - skip;
            r->has_data = true;
        }
        r->line_at = (size_t)(end - reply->body) + 1;
    }
}

static size_t on_body(char *data, size_t size, size_t n, void *arg)
{
    struct running *r = arg;
    struct http_reply *reply = r->reply;
    n *= size;
    grow(&reply->body, &r->body_cap, reply->body_n + n);
    memcpy(reply->body + reply->body_n, data, n);
    reply->body_n += n;
    reply->body[reply->body_n] = 0;
    if (r->is_stream)
        read_lines(r);
    return n;
}

static size_t on_head(char *data, size_t size, size_t n, void *arg)
{
    struct running *r = arg;
    struct http_reply *reply = r->reply;
    n *= size;
    if (n > 5 && strncmp(data, "HTTP/", 5) == 0)
        reply->head_n = 0;
    grow(&reply->head, &r->head_cap, reply->head_n + n);
    memcpy(reply->head + reply->head_n, data, n);
    reply->head_n += n;
    reply->head[reply->head_n] = 0;
    if (strncasecmp(data, "content-type:", 13) == 0)
        r->is_stream = memmem(data, n, "text/event-stream", 17) != NULL;
    return n;
}

static void set_options(CURL *easy, const struct http_call *call, struct curl_slist *headers)
{
    char url[TEXT_MAX / 8];
    snprintf(url, sizeof(url), "http://127.0.0.1:%d%s", call->port, call->path);
    curl_easy_setopt(easy, CURLOPT_URL, url);
    curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_PROXY, "");
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)CONNECT_MS);
    curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS,
                     call->timeout_ms > 0 ? (long)call->timeout_ms : (long)HTTP_TIMEOUT_MS);
    if (call->body != NULL) {
        size_t n = call->body_n > 0 ? call->body_n : strlen(call->body);
        curl_easy_setopt(easy, CURLOPT_POST, 1L);
        curl_easy_setopt(easy, CURLOPT_POSTFIELDS, call->body);
        curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)n);
    }
    if (call->method != NULL)
        curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, call->method);
    if (call->method != NULL && strcmp(call->method, "HEAD") == 0)
        curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
}

static struct curl_slist *make_headers(const struct http_call *call)
{
    char line[1024];
    struct curl_slist *list = curl_slist_append(NULL, "Expect:");
    if (call->body != NULL)
        list = curl_slist_append(list, "Content-Type: application/json");
    if (call->key != NULL) {
        snprintf(line, sizeof(line), "Authorization: Bearer %s", call->key);
        list = curl_slist_append(list, line);
    }
    for (size_t i = 0; i < HTTP_HEADERS_MAX && call->headers[i] != NULL; i++)
        list = curl_slist_append(list, call->headers[i]);
    return list;
}

/* Run the handle until its end or until we want to leave. */
static CURLcode perform(CURLM *multi, struct running *r)
{
    int left = 1;
    int queued;
    int64_t leave_us = (int64_t)r->call->leave_after_ms * 1000;
    while (left > 0) {
        if (curl_multi_perform(multi, &left) != CURLM_OK)
            return CURLE_FAILED_INIT;
        bool is_time = leave_us > 0 && spawn_now_us() - r->begun_us >= leave_us;
        if (left > 0 && (r->is_last || is_time)) {
            r->reply->has_left = true;
            return CURLE_ABORTED_BY_CALLBACK;
        }
        if (left > 0)
            curl_multi_poll(multi, NULL, 0, POLL_MS, NULL);
    }
    const struct CURLMsg *message = curl_multi_info_read(multi, &queued);
    return message != NULL ? message->data.result : CURLE_FAILED_INIT;
}

void http_run(const struct http_call *call, struct http_reply *reply)
{
    struct running r = {.call = call, .reply = reply, .begun_us = spawn_now_us()};
    char words[CURL_ERROR_SIZE] = "";
    long status = 0;
    *reply = (struct http_reply){0};
    grow(&reply->body, &r.body_cap, 0);
    grow(&reply->head, &r.head_cap, 0);
    reply->body[0] = 0;
    reply->head[0] = 0;
    CURLM *multi = curl_multi_init();
    CURL *easy = curl_easy_init();
    struct curl_slist *headers = make_headers(call);
    STACK_NEED(multi != NULL && easy != NULL && headers != NULL, "curl: out of memory");
    set_options(easy, call, headers);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, words);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, &r);
    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_head);
    curl_easy_setopt(easy, CURLOPT_HEADERDATA, &r);
    curl_multi_add_handle(multi, easy);
    CURLcode result = perform(multi, &r);
    curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
    reply->status = (int)status;
    reply->is_whole = result == CURLE_OK;
    reply->total_us = spawn_now_us() - r.begun_us;
    if (result != CURLE_OK)
        snprintf(reply->fault, sizeof(reply->fault), "%.100s (%.140s)", curl_easy_strerror(result),
                 words);
    curl_multi_remove_handle(multi, easy);
    curl_easy_cleanup(easy);
    curl_multi_cleanup(multi);
    curl_slist_free_all(headers);
}

struct one_of_many {
    const struct http_call *call;
    struct http_reply *reply;
    pthread_barrier_t *gate;
};

static void *run_one(void *arg)
{
    const struct one_of_many *one = arg;
    pthread_barrier_wait(one->gate);
    http_run(one->call, one->reply);
    http_ring_clear();
    return NULL;
}

void http_many(const struct http_call *calls, struct http_reply *replies, size_t count)
{
    pthread_barrier_t gate;
    pthread_attr_t attributes;
    pthread_t *threads = calloc(count, sizeof(*threads));
    struct one_of_many *all = calloc(count, sizeof(*all));
    STACK_NEED(count > 0 && threads != NULL && all != NULL, "out of memory");
    pthread_barrier_init(&gate, NULL, (unsigned)count);
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, THREAD_STACK_BYTES);
    for (size_t i = 0; i < count; i++) {
        all[i] = (struct one_of_many){&calls[i], &replies[i], &gate};
        int rc = pthread_create(&threads[i], &attributes, run_one, &all[i]);
        STACK_NEED(rc == 0, "thread %zu: %s", i, strerror(rc));
    }
    for (size_t i = 0; i < count; i++)
        pthread_join(threads[i], NULL);
    pthread_attr_destroy(&attributes);
    pthread_barrier_destroy(&gate);
    free(threads);
    free(all);
}

void http_reply_clear(struct http_reply *reply)
{
    free(reply->head);
    free(reply->body);
    free(reply->events);
    *reply = (struct http_reply){0};
}

/* Texts that callers borrow for a while: this thread's ring. They grow to what is asked. */
static _Thread_local char *ring[RING_TEXTS];
static _Thread_local size_t ring_sizes[RING_TEXTS];

static char *ring_text(size_t n)
{
    static _Thread_local unsigned next;
    unsigned i = next++ % RING_TEXTS;
    grow(&ring[i], &ring_sizes[i], n);
    return ring[i];
}

void http_ring_clear(void)
{
    for (size_t i = 0; i < RING_TEXTS; i++) {
        free(ring[i]);
        ring[i] = NULL;
        ring_sizes[i] = 0;
    }
}

static const char *ring_copy(const char *p, size_t n)
{
    char *text = ring_text(n);
    memcpy(text, p, n);
    text[n] = 0;
    return text;
}

const char *http_printf(const char *fmt, ...)
{
    va_list args;
    va_list again;
    va_start(args, fmt);
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, fmt, args);
    STACK_NEED(n >= 0, "bad format: %s", fmt);
    char *text = ring_text((size_t)n);
    vsnprintf(text, (size_t)n + 1, fmt, again);
    va_end(again);
    va_end(args);
    return text;
}

const char *http_header(const struct http_reply *reply, const char *name)
{
    size_t name_n = strlen(name);
    const char *line = reply->head;
    while (line != NULL && *line != 0) {
        const char *end = strchr(line, '\n');
        size_t n = end != NULL ? (size_t)(end - line) : strlen(line);
        if (n > name_n && line[name_n] == ':' && strncasecmp(line, name, name_n) == 0) {
            const char *value = line + name_n + 1;
            const char *stop = line + n;
            while (value < stop && *value == ' ')
                value++;
            while (stop > value && (stop[-1] == '\r' || stop[-1] == ' '))
                stop--;
            return ring_copy(value, (size_t)(stop - value));
        }
        line = end != NULL ? end + 1 : NULL;
    }
    return NULL;
}

const char *http_event_data(const struct http_reply *reply, size_t i)
{
    if (i >= reply->events_n)
        return "";
    return ring_copy(reply->body + reply->events[i].data_at, reply->events[i].data_n);
}

/* One step of a path; has: out, the member exists (its value may be JSON's null, which is NULL). */
static struct json_object *step_into(struct json_object *at, const char *name, bool *has)
{
    struct json_object *inner = NULL;
    *has = false;
    if (json_object_is_type(at, json_type_array)) {
        size_t index = (size_t)strtoul(name, NULL, 10);
        *has = index < json_object_array_length(at);
        return *has ? json_object_array_get_idx(at, index) : NULL;
    }
    if (json_object_is_type(at, json_type_object))
        *has = json_object_object_get_ex(at, name, &inner);
    return inner;
}

/* A value by its path, allocated; NULL when there is none. */
static char *field_copy(const char *json, const char *path)
{
    struct json_object *root = json_tokener_parse(json);
    struct json_object *at = root;
    char name[128];
    bool has = root != NULL;
    while (has && *path != 0) {
        size_t n = strcspn(path, ".");
        snprintf(name, sizeof(name), "%.*s", (int)n, path);
        path += n + (path[n] == '.');
        at = step_into(at, name, &has);
    }
    char *found = NULL;
    if (has)
        found = strdup(at == NULL ? "null"
                       : json_object_is_type(at, json_type_string)
                           ? json_object_get_string(at)
                           : json_object_to_json_string_ext(at, JSON_C_TO_STRING_PLAIN));
    json_object_put(root);
    return found;
}

const char *http_field(const char *json, const char *path)
{
    char *found = field_copy(json, path);
    const char *text = found != NULL ? ring_copy(found, strlen(found)) : NULL;
    free(found);
    return text;
}

char *http_content(const struct http_reply *reply)
{
    size_t n = 0;
    char *joined = calloc(1, reply->body_n + 1);
    STACK_NEED(joined != NULL, "out of memory");
    if (reply->events_n == 0) {
        char *text = field_copy(reply->body, "choices.0.message.content");
        snprintf(joined, reply->body_n + 1, "%s", text != NULL ? text : "");
        free(text);
        return joined;
    }
    for (size_t i = 0; i < reply->events_n; i++) {
        char *event = strndup(reply->body + reply->events[i].data_at, reply->events[i].data_n);
        char *piece = event != NULL ? field_copy(event, "choices.0.delta.content") : NULL;
        size_t piece_n = piece != NULL && strcmp(piece, "null") != 0 ? strlen(piece) : 0;
        if (piece_n > 0 && n + piece_n <= reply->body_n) {
            memcpy(joined + n, piece, piece_n + 1);
            n += piece_n;
        }
        free(piece);
        free(event);
    }
    return joined;
}
