/* codec_kit - canonical requests and events as text, for golden comparisons, and the ways to run the
 * halves of a translation by themselves. */
#ifndef AIPASS_TESTS_CODEC_KIT_H
#define AIPASS_TESTS_CODEC_KIT_H

#include "base/buf.h"
#include "upstream/event.h"
#include "upstream/format.h"
#include "upstream/translate.h"

/* What a bad request was refused with; text NULL: nothing. */
extern struct fault kit_fault;

/* kit_read - body as f's client sent it. Fails the test when read_request refuses it. */
struct format_request kit_read(const struct format *f, struct arena *a, const char *body);
/* kit_decode - the canonical request; kit_fault tells why when it is refused. */
enum err kit_decode(const struct format *f, struct arena *a, const char *body, struct canon *out);
/* kit_canon_text - turns, tools and parameters, a line each, in the arena. */
const char *kit_canon_text(struct arena *a, const struct canon *c);

/* A plan for a target, all zero but for these. */
struct plan kit_plan(struct arena *a, const char *model, const struct capability *capability);
/* kit_encode - canon_prepare and f->encode_request; the body in the arena. NULL: *e tells. */
const char *kit_encode(const struct format *f, struct canon *c, struct plan *p, enum err *e);

/* Events as text, a line each; deltas in a row are one line. */
struct event_log {
    struct buf out;
    bool is_in_delta;
    enum err fail_with; /* what the sink returns from event number fail_at on; 0: never */
    size_t fail_at, n;
};
void event_log_init(struct event_log *log);
const char *event_log_text(struct event_log *log);
void event_log_clear(struct event_log *log);
enum err event_log_sink(void *ctx, const struct event *e);

/* kit_decode_stream - text by f's decoder into log, in two pieces, or byte by byte when cut is past
 * its end; decode_end at the end. The first error. kit_decode_whole - an answer with status 200. */
enum err kit_decode_stream(const struct format *f, struct arena *a, struct slice text, size_t cut,
                           struct event_log *log);
enum err kit_decode_whole(const struct format *f, struct arena *a, const char *body,
                          struct event_log *log);

/* kit_write - events by f's encoder, then its end. e: is_stream and the like; id, model, created_s
 * and out are set here. The first error. */
enum err kit_write(const struct format *f, struct encoder *e, const struct event *events, size_t n,
                   struct buf *out);

#endif
