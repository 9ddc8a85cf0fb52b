/* format_suite - what the suites of wire formats share: the arena of the test that runs, a stream
 * fed in pieces, what a reader makes of it, and main(). */
#ifndef AIPASS_TESTS_FORMAT_SUITE_H
#define AIPASS_TESTS_FORMAT_SUITE_H

#include "base/buf.h"
#include "upstream/format.h"
#include "upstream/sse.h"

#include <check.h>

#define ROWS(t) (int)(sizeof(t) / sizeof((t)[0]))

/* Of the test that runs: suite_arena_open and suite_arena_close are its fixture. */
extern struct arena *arena;
void suite_arena_open(void);
void suite_arena_close(void);

/* suite_feed - text as a stream of events to sink, in two parts, or byte by byte when cut is past its
 * end. Fails the test when the stream or sink does. */
void suite_feed(struct slice text, size_t cut,
                enum err (*sink)(void *ctx, const struct sse_event *e), void *ctx);

/* What a reader made of a stream. */
struct seen {
    struct reader *reader;
    enum event_verdict verdict; /* of the last event */
    struct buf out;             /* what the client gets */
    size_t events;
};

/* suite_see - text, fed so, as r's format overhears it, with all that is not withheld in s->out, which
 * the caller clears. */
void suite_see(struct seen *s, struct reader *r, struct slice text, size_t cut);

/* suite_run - runs s and frees it. The exit status. */
int suite_run(Suite *s);

#endif
