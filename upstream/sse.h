/* sse - splits a stream of bytes into server-sent events (WHATWG HTML, "event stream"), keeping
 * the raw bytes of each.
 *
 * feed(bytes) gives the same events for every split of the input. LF, CRLF and CR line ends, a
 * BOM, data with and without the space, several data lines, comments. The raw slices of all
 * events, joined, are the input: nothing is lost on the way through. A CR that is the last byte
 * so far waits for the next one, which may be its LF. An event that lies whole inside the bytes
 * of one feed is not copied. One parser a stream; one thread. */
#ifndef AIPASS_UPSTREAM_SSE_H
#define AIPASS_UPSTREAM_SSE_H

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

#include <stdbool.h>
#include <stddef.h>

struct sse_event {
    struct slice raw; /* everything from the end of the event before to the blank line, inclusive */
    struct slice type; /* the `event:` field; n 0 when absent */
    struct slice data; /* data lines joined by LF; p NULL: only comments or other fields */
};

/* Where the byte that comes next stands. */
enum sse_place {
    SSE_LINE_START, /* begins a line; a line end here is the blank line */
    SSE_IN_LINE,
    SSE_AFTER_CR, /* the CR ended a line with text; an LF belongs to it */
    /* the CR ended the blank line; an LF belongs to it, anything else to the next event */
    SSE_AFTER_BLANK
};

struct sse {
    struct buf pending; /* the unfinished event */
    struct buf joined;  /* data of events with several data lines */
    size_t event_max;
    enum sse_place place;
    bool at_start; /* no event was delivered yet: a BOM may stand before the first */
};

/* sse_init - event_max: bytes of one event, its blank line included. sse_clear frees. */
void sse_init(struct sse *s, size_t event_max);
void sse_clear(struct sse *s);

/* sse_feed - fn is called for each complete event, in order; its slices are valid until it
 * returns. fn's error stops the feed and is returned. ERR_FULL: an event above event_max.
 * ERR_MEMORY. After an error only sse_clear may follow. */
typedef enum err sse_fn(void *ctx, const struct sse_event *e);
ERR_CHECK enum err sse_feed(struct sse *s, struct slice bytes, sse_fn *fn, void *ctx);

/* sse_finish - the stream has ended: a last event without its blank line is delivered if it has
 * data. Errors as sse_feed. */
ERR_CHECK enum err sse_finish(struct sse *s, sse_fn *fn, void *ctx);

#endif
