/* load.h - what the load generator reads and measures: an HTTP/1.1 response and a stream of events
 * being received, and samples with their percentiles.
 *
 * The first two are fed bytes as they come, in any split, and own no memory. Samples are freed by
 * samples_clear. One thread. In a header because the load generator is built from one object.
 * Source: RFC 9112; WHATWG HTML, "Server-sent events".
 *
 *   HEAD -> LENGTH | SIZE -> DATA -> DATA_END -> SIZE ... TRAILER | UNTIL_CLOSE -> WHOLE
 */
#ifndef TESTS_BENCH_LOAD_H
#define TESTS_BENCH_LOAD_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { REPLY_LINE_MAX = 256, EVENTS_LINE_MAX = 16 };

enum reply_state {
    REPLY_HEAD,
    REPLY_LENGTH,
    REPLY_SIZE,
    REPLY_DATA,
    REPLY_DATA_END,
    REPLY_TRAILER,
    REPLY_UNTIL_CLOSE,
    REPLY_WHOLE,
    REPLY_BAD,
};

struct reply {
    enum reply_state state;
    int status;
    bool is_keep_alive;
    bool is_chunked;
    bool has_length;
    uint64_t left; /* of the body or of the chunk */
    char line[REPLY_LINE_MAX];
    size_t line_len; /* may go past the buffer: the rest of a long line is dropped */
};

/* One event stream: how many events, and whether it came to its [DONE]. */
struct events {
    uint64_t count;
    bool has_data; /* in the event being received */
    bool is_done;
    char line[EVENTS_LINE_MAX]; /* the current line's beginning */
    size_t line_len;
};

/* reply_line - a whole line of the head, or the blank one. */
static inline void reply_line(struct reply *r)
{
    char *line = r->line;
    if (r->line_len == 0) {
        bool has_body = r->status != 204 && r->status != 304;
        if (r->status / 100 == 1) {
            *r = (struct reply){0}; /* 100 Continue: the response comes after it */
            return;
        }
        if (r->is_chunked)
            r->state = REPLY_SIZE;
        else if (!has_body || (r->has_length && r->left == 0))
            r->state = REPLY_WHOLE;
        else
            r->state = r->has_length ? REPLY_LENGTH : REPLY_UNTIL_CLOSE;
        if (r->state == REPLY_UNTIL_CLOSE)
            r->is_keep_alive = false;
    } else if (r->status == 0) {
        r->status = strncmp(line, "HTTP/1.", 7) == 0 ? atoi(line + 9) : 0;
        r->is_keep_alive = line[7] == '1';
        if (r->status < 100 || r->status > 599)
            r->state = REPLY_BAD;
    } else if (strncasecmp(line, "content-length:", 15) == 0) {
        r->has_length = true;
        r->left = strtoull(line + 15, NULL, 10);
    } else if (strncasecmp(line, "transfer-encoding:", 18) == 0) {
        r->is_chunked = strcasestr(line, "chunked") != NULL;
    } else if (strncasecmp(line, "connection:", 11) == 0) {
        r->is_keep_alive = strcasestr(line, "close") == NULL;
    }
}

/* reply_line_end - the end of any line outside the body's data. */
static inline void reply_line_end(struct reply *r)
{
    char *end;
    r->line[r->line_len < REPLY_LINE_MAX ? r->line_len : REPLY_LINE_MAX - 1] = 0;
    if (r->state == REPLY_HEAD) {
        reply_line(r);
    } else if (r->state == REPLY_SIZE) {
        r->left = strtoull(r->line, &end, 16);
        if (end == r->line)
            r->state = REPLY_BAD;
        else
            r->state = r->left > 0 ? REPLY_DATA : REPLY_TRAILER;
    } else if (r->state == REPLY_DATA_END) {
        r->state = r->line_len == 0 ? REPLY_SIZE : REPLY_BAD;
    } else if (r->line_len == 0) {
        r->state = REPLY_WHOLE;
    }
    r->line_len = 0;
}

/* reply_feed - take a part of the len bytes (at least 1) and return how many.
 * body_len: out, how many of the bytes taken are body; they are at the beginning. The caller goes
 * on until the bytes are used up or the state is WHOLE or BAD. */
static inline size_t reply_feed(struct reply *r, const char *data, size_t len, size_t *body_len)
{
    *body_len = 0;
    if (r->state == REPLY_UNTIL_CLOSE) {
        *body_len = len;
        return len;
    }
    if (r->state == REPLY_LENGTH || r->state == REPLY_DATA) {
        size_t take = r->left < len ? (size_t)r->left : len;
        r->left -= take;
        if (r->left == 0)
            r->state = r->state == REPLY_LENGTH ? REPLY_WHOLE : REPLY_DATA_END;
        *body_len = take;
        return take;
    }
    const char *nl = memchr(data, '\n', len);
    size_t take = nl != NULL ? (size_t)(nl - data) : len;
    size_t room = r->line_len < REPLY_LINE_MAX ? REPLY_LINE_MAX - r->line_len : 0;
    if (room > 0)
        memcpy(r->line + r->line_len, data, take < room ? take : room);
    r->line_len += take;
    if (nl == NULL)
        return take;
    if (r->line_len > 0 && (r->line_len > REPLY_LINE_MAX || r->line[r->line_len - 1] == '\r'))
        r->line_len--;
    reply_line_end(r);
    return take + 1;
}

/* events_line_end - a whole line of the stream; a blank one ends an event. */
static inline void events_line_end(struct events *e)
{
    const char *line = e->line;
    size_t len = e->line_len;
    if (len > 0 && len <= EVENTS_LINE_MAX && line[len - 1] == '\r')
        len--;
    e->line_len = 0;
    if (len == 0) {
        e->count += e->has_data;
        e->has_data = false;
        return;
    }
    if (len > 3 && memcmp(line, "\xef\xbb\xbf", 3) == 0) {
        line += 3;
        len -= 3;
    }
    if (len < 5 || memcmp(line, "data:", 5) != 0)
        return;
    e->has_data = true;
    line += 5;
    len -= 5;
    if (len > 0 && *line == ' ') {
        line++;
        len--;
    }
    e->is_done = len == 6 && memcmp(line, "[DONE]", 6) == 0;
}

/* events_feed - take bytes of the stream. */
static inline void events_feed(struct events *e, const char *data, size_t len)
{
    while (len > 0) {
        const char *nl = memchr(data, '\n', len);
        size_t take = nl != NULL ? (size_t)(nl - data) : len;
        if (e->line_len < EVENTS_LINE_MAX) {
            size_t room = EVENTS_LINE_MAX - e->line_len;
            memcpy(e->line + e->line_len, data, take < room ? take : room);
        }
        e->line_len += take;
        if (nl != NULL) {
            events_line_end(e);
            take++;
        }
        data += take;
        len -= take;
    }
}

struct samples {
    uint32_t *values;
    size_t count;
    size_t cap;
};

/* samples_add - note a value; above 2^32 - 1 it is noted as that. */
static inline void samples_add(struct samples *s, int64_t value)
{
    if (s->count == s->cap) {
        s->cap = s->cap > 0 ? s->cap * 2 : 4096;
        s->values = realloc(s->values, s->cap * sizeof(s->values[0]));
        if (s->values == NULL)
            abort();
    }
    s->values[s->count++] = value > UINT32_MAX ? UINT32_MAX : (uint32_t)value;
}

static inline int samples_compare(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a;
    uint32_t y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

/* samples_at - the smallest value that the given share of the sorted samples does not exceed; 0
 * without samples. */
static inline uint32_t samples_at(const struct samples *s, double share)
{
    if (s->count == 0)
        return 0;
    size_t rank = (size_t)((double)s->count * share + 0.999999);
    return s->values[rank > 0 ? rank - 1 : 0];
}

/* samples_print - sort, and print `,"label":{...}` to standard output. */
static inline void samples_print(struct samples *s, const char *label)
{
    if (s->count > 0)
        qsort(s->values, s->count, sizeof(s->values[0]), samples_compare);
    printf(",\"%s\":{\"p50\":%u,\"p90\":%u,\"p99\":%u,\"max\":%u}", label, samples_at(s, 0.5),
           samples_at(s, 0.9), samples_at(s, 0.99), samples_at(s, 1.0));
}

static inline void samples_clear(struct samples *s)
{
    free(s->values);
    *s = (struct samples){0};
}

#endif
