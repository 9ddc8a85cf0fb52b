/* format - what the gateway asks of a wire format: read a client's request, write it for a
 * provider, overhear the answer; and the two halves of a translation. One family of files each.
 *
 * Pass-through: the body is never modelled, its bytes go out with a few members spliced, and the
 * answer's bytes go back while a reader overhears usage, finish and errors. Translation
 * (translate.h): requests by way of struct canon, answers by way of struct event. All slices borrow
 * the body or the arena. Stateless but for reader, decoder and encoder; any thread. */
#ifndef AIPASS_UPSTREAM_FORMAT_H
#define AIPASS_UPSTREAM_FORMAT_H

#include "base/arena.h"
#include "base/err.h"
#include "base/jscan.h"
#include "base/str.h"
#include "upstream/canon.h"
#include "upstream/counts.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FORMAT_MEMBERS_MAX 256 /* top-level members of a request body */

/* What is wrong with a request, for the client. Both in the arena or literals. */
struct fault {
    const char *param; /* "messages[3].content", or NULL */
    const char *text;
};

/* What a client sent. */
struct format_call {
    struct slice body;
    struct slice model; /* from the path (Gemini), decoded; p NULL: it stands in the body */
    bool is_stream;     /* from the path (Gemini); else the body says it */
    bool is_array;      /* Gemini: the stream is wanted as one JSON array, not as events */
    /* another call with a body of this format, that only a provider of the same format can serve:
     * "compact" (Responses), "embedContent", "batchEmbedContents" (Gemini); NULL: the ordinary one */
    const char *verb;
};

/* What the gateway needs of a client's request. */
struct format_request {
    struct slice body;
    bool is_array;    /* of the call */
    const char *verb; /* of the call */
    /* for the format itself: what its read_request keeps for write_request; NULL: nothing */
    void *own;
    const struct jmember *members; /* top level, in order */
    size_t members_n;
    struct slice model; /* decoded */
    bool is_stream;
    bool wants_usage;   /* the client asked for the usage chunk */
    int64_t output_max; /* tokens; -1: not said */
    int64_t choices;    /* how many answers, >= 1 */
    int64_t text_bytes; /* upper bound of input tokens: bytes of the body without base64 payloads */
    struct text_size text;         /* of the prompt, for the estimator */
    int64_t images, files, audios; /* inline parts with payloads */
    /* content by URL or id, or server state: the input may be as large as the context window */
    bool has_reference;
    /* what names the conversation: prompt_cache_key, user, or the head of the prompt */
    struct slice affinity;
};

/* Changes to top-level members on the way to a provider, applied in order. */
enum member_action { MEMBER_SET, MEMBER_DEFAULT, MEMBER_REMOVE, MEMBER_RENAME };
struct member_edit {
    enum member_action action;
    const char *member;
    const char *value; /* JSON text; the new name for rename */
};

struct format_target {
    const char *upstream_model;
    const struct member_edit *edits;
    size_t edits_n;
    /* >= 0: the output limit to inject, because the client named none; -1: none */
    int64_t output_max_inject;
};

/* A request body as pieces of the client's bytes and of replaced text, in order. */
struct splice {
    const struct slice *parts;
    size_t parts_n;
    int64_t bytes;
};

/* What one event of a streamed answer is to the relay. */
enum event_verdict {
    EVENT_FORWARD,  /* send event.raw as it is, or reader->replacement when that is set */
    EVENT_WITHHOLD, /* not for this client: the usage chunk that it did not ask for */
    EVENT_END,      /* the proper end ([DONE]): forward it likewise, nothing may follow */
    EVENT_FAIL,     /* an error inside the answer: reader->error_text; forward it as the end */
    EVENT_MALFORMED /* not what the format says */
};

struct sse_event;
struct decoder;
struct encoder;
struct event;
struct plan;
struct reader;
struct translation;

#define READER_COST_SIZE 32

/* How an answer is read: by the format's own functions, or through a translation. */
struct reader_ops {
    /* read_event - overhears one event. Memory that runs out counts as EVENT_MALFORMED. */
    enum event_verdict (*read_event)(struct reader *r, const struct sse_event *e);
    /* read_end - the bytes of a stream have ended without the format's end. EVENT_END: it is
     * complete all the same, replacement is what the client still gets (p NULL: nothing);
     * EVENT_MALFORMED: it was cut; EVENT_FAIL. */
    enum event_verdict (*read_end)(struct reader *r);
    /* read_whole - overhears a whole answer with status 200; *out: the bytes for the client
     * (body, or a copy with the model's name spliced). ERR_UP_MALFORMED; ERR_UP_FAILED for an
     * error inside a 200. */
    enum err (*read_whole)(struct reader *r, struct slice body, struct slice *out);
    /* read_error - text, code and class of a provider's error body, into error_text, error_code
     * and error_class; defaults when it does not parse. */
    void (*read_error)(struct reader *r, struct slice body);
};

/* The side reader of one answer. Owned by the exchange; its memory is fixed but for arena text. */
struct reader {
    const struct reader_ops *ops;
    const struct format *format; /* the client's */
    const struct format_request *request;
    const char *public_model; /* put in the place of the provider's model name when they differ */
    const char *upstream_model;
    struct arena *arena;
    struct counts counts;    /* last non-null usage wins */
    struct text_size output; /* text seen, for the estimator and for holds that follow the stream */
    int64_t chunks;          /* events with content */
    char finish_reason[33];  /* "" until seen */
    char service_tier[25];   /* as the provider served it; "" until seen */
    bool is_ended;           /* the format's proper end was seen */
    bool has_content;        /* anything was produced */
    /* what this usage costs the client, as the text of a JSON number: goes into the usage that the client gets, as its member "cost". NULL: nothing is added */
    void (*cost_text)(void *ctx, const struct reader *r, char dst[READER_COST_SIZE]);
    void *cost_ctx;
    struct translation *translation; /* NULL: pass-through */
    struct encoder *encoder;         /* of the translation, for write_stream_error */
    int64_t sequence;                /* Responses: the number of the next event */
    void *own;                       /* the format's; NULL until it sets it */
    struct slice
        replacement; /* with EVENT_FORWARD: send this instead; p NULL: event.raw. Valid until the next call */
    struct buf *scratch;  /* what replacement borrows */
    char error_text[257]; /* with EVENT_FAIL */
    char error_code[49];
    /* of a refusal: ERR_UP_REJECTED, ERR_UP_CONTEXT (the input is too long) */
    enum err error_class;
};

struct format {
    const char *name; /* "openai-chat" */
    enum vendor vendor;
    bool
        echoes_request; /* what ends an answer repeats members of the request: its body must stay */
    struct reader_ops reader;
    /* headers of the client's request that go to a provider of this format; NULL at the end */
    const char *const *forwarded_headers;
    /* "name: value" headers sent unless one of that name was forwarded; NULL at the end */
    const char *const *default_headers;

    /* read_request - validates and reads a client's body. ERR_BAD_REQUEST with *fault;
     * ERR_MEMORY. */
    enum err (*read_request)(const struct format_call *call, struct arena *a,
                             struct format_request *out, struct fault *fault);
    /* path - what is appended to a channel's base URL, in the arena or a literal; NULL when memory
     * is out. */
    const char *(*path)(struct arena *a, const char *upstream_model,
                        const struct format_request *in);
    /* write_request - the same request for one target. ERR_MEMORY; ERR_FORMAT: the value of one of
     * the target's edits is no JSON. */
    enum err (*write_request)(const struct format_request *r, const struct format_target *t,
                              struct arena *a, struct splice *out);
    /* auth_header - "Authorization: Bearer SECRET", in the arena; NULL when memory is out. */
    const char *(*auth_header)(struct arena *a, const char *secret);
    /* write_stream_error - appends the format's error event, as the end of what r has read so far.
     * e with text; request_id for formats that carry it. */
    enum err (*write_stream_error)(const struct reader *r, struct buf *b, enum err e,
                                   const char *text, const char *request_id);
    /* ping - bytes that keep a waiting stream alive and that every client of the format ignores. */
    struct slice ping;

    /* ---- translation; event.h and translate.h tell the types ---- */

    /* decode_request - the whole request. c is empty, c->arena set. ERR_BAD_REQUEST with *fault for
     * what is wrong, and for what no other format can carry (server state, n in some...);
     * ERR_MEMORY. */
    enum err (*decode_request)(struct canon *c, const struct format_request *in,
                               struct fault *fault);
    /* encode_request - the body for a provider. c went through canon_prepare; it may be changed
     * further. What is left out is noted in p->drops, what cannot be is refused by plan_fault.
     * ERR_BAD_REQUEST, ERR_MEMORY, ERR_FULL. NULL: the format is a client's only. */
    enum err (*encode_request)(struct canon *c, struct plan *p, struct buf *out);
    /* needs_bytes - the format has no way to carry this media part by its URL. NULL: it always has. */
    bool (*needs_bytes)(const struct part *part);

    /* decode_begin - sets d->state. decode_event - one event of a stream; decode_end - its bytes
     * have ended: emits what is left, ERR_UP_CUT when the answer was not complete. decode_whole - a
     * whole answer with status 200. All emit to d; an error inside the answer is emitted as EV_ERROR
     * and is ERR_OK. ERR_UP_MALFORMED, ERR_MEMORY, or what the sink returned. */
    enum err (*decode_begin)(struct decoder *d);
    enum err (*decode_event)(struct decoder *d, const struct sse_event *e);
    enum err (*decode_end)(struct decoder *d);
    enum err (*decode_whole)(struct decoder *d, struct slice body);

    /* encode_begin - sets e->state. encode_event - streamed: appends to e->out what the client gets
     * for it; whole: keeps it. FINISH and USAGE only arrive as members of e. encode_end - the last
     * events, or the whole answer. ERR_MEMORY, ERR_FULL. */
    enum err (*encode_begin)(struct encoder *e);
    enum err (*encode_event)(struct encoder *e, const struct event *ev);
    enum err (*encode_end)(struct encoder *e);
};

extern const struct format format_openai_chat;
extern const struct format format_openai_completions;
extern const struct format format_openai_responses;
extern const struct format format_anthropic;
extern const struct format format_gemini;

/* format_stream_type - the content type of a streamed answer. */
const char *format_stream_type(const struct format_request *in);

/* format_find - by name; NULL. */
const struct format *format_find(const char *name);

/* reader_init, reader_clear - an empty reader for one answer; clear frees the scratch buffer. */
ERR_CHECK enum err reader_init(struct reader *r, const struct format *f,
                               const struct format_request *request, struct arena *a);
void reader_clear(struct reader *r);
/* reader_counts - the counts to bill: what the provider told, else an estimate of input (from
 * the request) and output (from what was seen), is_known false then. */
struct counts reader_counts(const struct reader *r);

/* reader_default_error - e's own text, no code, ERR_UP_REJECTED as class. reader_copy_member - a
 * string member decoded, a number as it stands; false when there is none, or an empty one. For
 * formats' read_error. */
void reader_default_error(struct reader *r, enum err e);
bool reader_copy_member(struct reader *r, struct jvalue object, const char *name, char *dst,
                        size_t size);

#endif
