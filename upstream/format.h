/* format - what the gateway asks of a wire format: read a client's request, write it for a
 * provider, overhear the answer. One file per format.
 *
 * Pass-through only needs this much: the body is never modelled, its bytes go out with a few
 * members spliced, and the answer's bytes go back while a reader overhears usage, finish and
 * errors. All slices borrow the body or the arena. Stateless but for struct reader; any thread. */
#ifndef AIPASS_UPSTREAM_FORMAT_H
#define AIPASS_UPSTREAM_FORMAT_H

#include "base/arena.h"
#include "base/err.h"
#include "base/jscan.h"
#include "base/str.h"
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

/* What the gateway needs of a client's request. */
struct format_request {
    struct slice body;
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
    EVENT_FORWARD,  /* send event.raw as it is (or reader->replacement when that is set) */
    EVENT_WITHHOLD, /* not for this client: the usage chunk that it did not ask for */
    EVENT_END,      /* the format's proper end ([DONE]): forward it, nothing may follow */
    EVENT_FAIL,     /* an error inside the answer: reader->error_text; forward it as the end */
    EVENT_MALFORMED /* not what the format says */
};

struct sse_event;

#define READER_COST_SIZE 32

/* The side reader of one answer. Owned by the exchange; its memory is fixed but for arena text. */
struct reader {
    const struct format *format;
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
    struct slice
        replacement; /* with EVENT_FORWARD: send this instead; p NULL: event.raw. Valid until the next call */
    struct buf *scratch;  /* what replacement borrows */
    char error_text[257]; /* with EVENT_FAIL */
    char error_code[49];
};

struct format {
    const char *name;                /* "openai-chat" */
    const char *path;                /* appended to a channel's base URL */
    const char *stream_content_type; /* "text/event-stream" */

    /* read_request - validates and reads a client's body. ERR_BAD_REQUEST with *fault;
     * ERR_MEMORY. */
    enum err (*read_request)(struct slice body, struct arena *a, struct format_request *out,
                             struct fault *fault);
    /* write_request - the same request for one target. ERR_MEMORY; ERR_FORMAT: the value of one of
     * the target's edits is no JSON. */
    enum err (*write_request)(const struct format_request *r, const struct format_target *t,
                              struct arena *a, struct splice *out);
    /* auth_header - "Authorization: Bearer SECRET", in the arena; NULL when memory is out. */
    const char *(*auth_header)(struct arena *a, const char *secret);
    /* read_event - overhears one event. The usage member of a chunk is taken out for a client that
     * did not ask for usage. Memory that runs out counts as EVENT_MALFORMED. */
    enum event_verdict (*read_event)(struct reader *r, const struct sse_event *e);
    /* read_whole - overhears a whole answer with status 200; *out: the bytes for the client
     * (body, or a copy with the model's name spliced). ERR_UP_MALFORMED; ERR_UP_FAILED for an
     * error inside a 200. */
    enum err (*read_whole)(struct reader *r, struct slice body, struct slice *out);
    /* read_error - text and code of a provider's error body, into error_text and error_code;
     * defaults when it does not parse. */
    void (*read_error)(struct reader *r, struct slice body);
    /* write_stream_error - appends the format's error event. e with text; request_id for formats
     * that carry it. */
    enum err (*write_stream_error)(struct buf *b, enum err e, const char *text,
                                   const char *request_id);
    /* ping - bytes that keep a waiting stream alive and that every client of the format ignores;
     * end - what ends a stream properly when the provider left it out after a finish reason. */
    struct slice ping;
    struct slice end;
};

extern const struct format format_openai_chat;

/* format_find - by name; NULL. */
const struct format *format_find(const char *name);

/* reader_init, reader_clear - an empty reader for one answer; clear frees the scratch buffer. */
ERR_CHECK enum err reader_init(struct reader *r, const struct format *f,
                               const struct format_request *request, struct arena *a);
void reader_clear(struct reader *r);
/* reader_counts - the counts to bill: what the provider told, else an estimate of input (from
 * the request) and output (from what was seen), is_known false then. */
struct counts reader_counts(const struct reader *r);

#endif
