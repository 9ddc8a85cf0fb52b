/* anthropic - the Anthropic Messages format: the parts that its files share, and its words for our
 * errors. Everybody else uses format_anthropic (format.h).
 *
 * anthropic.c reads and writes requests, anthropic_input.c walks over a request's messages,
 * anthropic_reader.c overhears answers, anthropic_usage.c converts their usage, anthropic_error.c
 * tells errors; anthropic_decode_*.c, anthropic_encode_*.c, anthropic_decoder.c and
 * anthropic_encoder.c are the halves of translations. Source: Anthropic's API reference, versions
 * 2023-06-01 and 2026-10-21. Stateless; any thread. */
#ifndef AIPASS_UPSTREAM_ANTHROPIC_H
#define AIPASS_UPSTREAM_ANTHROPIC_H

#include "base/jwrite.h"
#include "upstream/format.h"

/* ---- errors ---- */

/* anthropic_error_type - "rate_limit_error" and so on. anthropic_error_status - the HTTP status
 * that goes with it; its clients act on it: 402 stops them, 529 is repeated. */
const char *anthropic_error_type(enum err e);
int anthropic_error_status(enum err e);
/* anthropic_error_prefix - what has to stand before text for clients to know the error: they
 * compact a conversation when they read "prompt is too long". "" for most. text: NULL allowed. */
const char *anthropic_error_prefix(enum err e, const char *text);
/* anthropic_is_context_error - a provider's text says that the input is too long. */
bool anthropic_is_context_error(struct slice text);

/* anthropic_write_stream_error - as in struct format. */
enum err anthropic_write_stream_error(const struct reader *r, struct buf *b, enum err e,
                                      const char *text, const char *request_id);

/* ---- requests ---- */

/* The members of a request that input is counted in; raw.p NULL: absent. */
struct anthropic_input {
    struct jvalue messages; /* an array */
    struct jvalue system, tools, output_config;
};

/* anthropic_read_input - checks the messages' structure and sets text_bytes, text, images, files,
 * has_reference (never to false), and affinity unless it is set already. Values must be validated
 * JSON inside out->body. ERR_BAD_REQUEST with *fault; ERR_MEMORY. */
ERR_CHECK enum err anthropic_read_input(const struct anthropic_input *in, struct arena *a,
                                        struct format_request *out, struct fault *fault);

/* ---- usage ---- */

/* Usage as it was told so far; -1: not told. */
struct anthropic_usage {
    int64_t input, read, created, created_5m, created_1h, output, think;
    struct text_size seen; /* what was produced, for answers that are cut */
    bool is_final;         /* the output's number is the last one */
    char tier[25];
};

/* anthropic_usage_init - nothing was told. */
void anthropic_usage_init(struct anthropic_usage *u);
/* anthropic_usage_merge - takes the members of v that are told; v: any validated value, raw.p NULL
 * allowed. is_final: v stands at the end of the answer. */
void anthropic_usage_merge(struct anthropic_usage *u, struct jvalue v, bool is_final);
/* anthropic_usage_counts - false, and *out as it was, when too little was told. Before the end the
 * output is what was seen, since providers tell it only then. */
bool anthropic_usage_counts(const struct anthropic_usage *u, struct counts *out);
/* anthropic_write_usage - the usage object of a message; anthropic_write_delta_usage: the smaller one
 * of message_delta. tier p NULL: standard; cost: a JSON number, or NULL. */
void anthropic_write_usage(struct jwrite *w, const struct counts *c, struct slice tier,
                           const char *cost);
void anthropic_write_delta_usage(struct jwrite *w, const struct counts *c, const char *cost);

/* ---- as in struct format ---- */

enum event_verdict anthropic_read_event(struct reader *r, const struct sse_event *e);
enum event_verdict anthropic_read_end(struct reader *r);
enum err anthropic_read_whole(struct reader *r, struct slice body, struct slice *out);
void anthropic_read_error(struct reader *r, struct slice body);
enum err anthropic_decode_request(struct canon *c, const struct format_request *in,
                                  struct fault *fault);
enum err anthropic_encode_request(struct canon *c, struct plan *p, struct buf *out);
/* anthropic_needs_bytes - text files; images and PDF have URLs here. */
bool anthropic_needs_bytes(const struct part *part);
enum err anthropic_decode_begin(struct decoder *d);
enum err anthropic_decode_event(struct decoder *d, const struct sse_event *e);
enum err anthropic_decode_end(struct decoder *d);
enum err anthropic_decode_whole(struct decoder *d, struct slice body);
enum err anthropic_encode_begin(struct encoder *e);
enum err anthropic_encode_event(struct encoder *e, const struct event *ev);
enum err anthropic_encode_end(struct encoder *e);

#endif
