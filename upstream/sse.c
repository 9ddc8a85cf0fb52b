#include "upstream/sse.h"

#include <string.h>

#define BOM       "\xef\xbb\xbf"
#define BOM_BYTES (sizeof(BOM) - 1)

void sse_init(struct sse *s, size_t event_max)
{
    *s = (struct sse){.event_max = event_max, .place = SSE_LINE_START, .at_start = true};
    buf_init(&s->pending, event_max);
    buf_init(&s->joined, event_max);
}

void sse_clear(struct sse *s)
{
    buf_clear(&s->pending);
    buf_clear(&s->joined);
}

/* Offset of the first CR or LF in s; s.n when there is none. */
static size_t find_line_end(struct slice s)
{
    const char *lf = s.n ? memchr(s.p, '\n', s.n) : NULL;
    size_t n = lf ? (size_t)(lf - s.p) : s.n;
    const char *cr = n ? memchr(s.p, '\r', n) : NULL;

    return cr ? (size_t)(cr - s.p) : n;
}

/* Walks on to the end of the event. Returns true with *used = bytes that still belong to it; false
 * when all bytes do and it goes on. */
static bool find_event_end(struct sse *s, struct slice bytes, size_t *used)
{
    size_t at = 0;

    while (at < bytes.n) {
        char c = bytes.p[at];

        switch (s->place) {
        case SSE_AFTER_BLANK:
            s->place = SSE_LINE_START;
            *used = c == '\n' ? at + 1 : at;
            return true;
        case SSE_AFTER_CR:
            s->place = SSE_LINE_START;
            if (c == '\n')
                at++;
            break;
        case SSE_LINE_START:
            if (c == '\n') {
                *used = at + 1;
                return true;
            }
            if (c == '\r') {
                s->place = SSE_AFTER_BLANK;
                at++;
            } else {
                s->place = SSE_IN_LINE;
            }
            break;
        case SSE_IN_LINE:
            at += find_line_end((struct slice){bytes.p + at, bytes.n - at});
            if (at < bytes.n)
                s->place = bytes.p[at++] == '\r' ? SSE_AFTER_CR : SSE_LINE_START;
            break;
        }
    }
    return false;
}

/* Cuts the next line off *rest, without its end. */
static struct slice take_line(struct slice *rest)
{
    struct slice line = {rest->p, find_line_end(*rest)};
    size_t skip = line.n;

    if (skip < rest->n)
        skip += rest->p[skip] == '\r' && skip + 1 < rest->n && rest->p[skip + 1] == '\n' ? 2 : 1;
    rest->p += skip;
    rest->n -= skip;
    return line;
}

/* The value of a line "name", "name:value" or "name: value"; false when it is another field. */
static bool field_value(struct slice line, const char *name, struct slice *value)
{
    size_t n = strlen(name);

    if (!slice_starts(line, name))
        return false;
    if (line.n > n && line.p[n] != ':')
        return false;
    if (line.n > n)
        n++;
    if (line.n > n && line.p[n] == ' ')
        n++;
    *value = (struct slice){line.p + n, line.n - n};
    return true;
}

static enum err add_data(struct sse *s, struct sse_event *e, struct slice line)
{
    enum err err;

    if (!e->data.p) {
        e->data = line;
        return ERR_OK;
    }
    /* The second line: what was borrowed so far moves into the buffer, which holds it from now. */
    if (e->data.p != s->joined.p) {
        buf_reset(&s->joined);
        err = buf_append_slice(&s->joined, e->data);
        if (err)
            return err;
    }
    err = buf_append(&s->joined, "\n", 1);
    if (!err)
        err = buf_append_slice(&s->joined, line);
    e->data = buf_slice(&s->joined);
    return err;
}

static enum err parse(struct sse *s, struct slice raw, struct sse_event *e)
{
    struct slice rest = raw;

    *e = (struct sse_event){.raw = raw};
    if (s->at_start && slice_starts(rest, BOM)) {
        rest.p += BOM_BYTES;
        rest.n -= BOM_BYTES;
    }
    s->at_start = false;
    while (rest.n) {
        struct slice line = take_line(&rest);
        struct slice value;

        if (field_value(line, "data", &value)) {
            enum err err = add_data(s, e, value);

            if (err)
                return err;
        } else if (field_value(line, "event", &value)) {
            e->type = value;
        }
    }
    return ERR_OK;
}

static enum err deliver(struct sse *s, struct slice raw, sse_fn *fn, void *ctx)
{
    struct sse_event e;
    enum err err = parse(s, raw, &e);

    return err ? err : fn(ctx, &e);
}

enum err sse_feed(struct sse *s, struct slice bytes, sse_fn *fn, void *ctx)
{
    size_t used = 0;
    enum err err;

    while (find_event_end(s, bytes, &used)) {
        struct slice raw = {bytes.p, used};

        if (s->pending.n) {
            err = buf_append_slice(&s->pending, raw);
            if (err)
                return err;
            raw = buf_slice(&s->pending);
        }
        if (raw.n > s->event_max)
            return ERR_FULL;
        err = deliver(s, raw, fn, ctx);
        if (err)
            return err;
        buf_reset(&s->pending);
        bytes.p += used;
        bytes.n -= used;
    }
    return bytes.n ? buf_append_slice(&s->pending, bytes) : ERR_OK;
}

enum err sse_finish(struct sse *s, sse_fn *fn, void *ctx)
{
    bool is_complete = s->place == SSE_AFTER_BLANK;
    struct sse_event e;
    enum err err;

    s->place = SSE_LINE_START;
    if (!s->pending.n)
        return ERR_OK;
    err = parse(s, buf_slice(&s->pending), &e);
    if (!err && (e.data.p || is_complete))
        err = fn(ctx, &e);
    buf_reset(&s->pending);
    return err;
}
