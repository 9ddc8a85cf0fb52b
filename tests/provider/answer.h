/* answer - what is said in reply to one request, whatever the wire format.
 *
 * The content is a text of `content_bytes` bytes cut into `pieces` chunks; it is produced piece by
 * piece (a base text, then filler repeated), so an answer of many megabytes needs no memory. The
 * same request gives the same content streamed and whole. A format (see struct format) puts it
 * into JSON. An answer belongs to its connection and points to nothing outside itself. One thread.
 */
#ifndef TESTS_PROVIDER_ANSWER_H
#define TESTS_PROVIDER_ANSWER_H

#include "tests/provider/bytes.h"
#include "tests/provider/fault.h"
#include "tests/provider/script.h"

enum { ANSWER_ID_MAX = 40, ANSWER_CHOICES_MAX = 128 };

/* What a format found in a request. The spans point into the body; texts are still JSON-escaped. */
struct ask {
    struct span model;
    struct span said;   /* text of the last user message */
    struct span marker; /* [[sim ...]] in it, inside only */
    struct span tool;   /* name of the first tool offered */
    int64_t max_tokens; /* 0: not given */
    int64_t choices;
    bool is_stream;
    bool has_usage;        /* the stream is to end with a usage chunk */
    bool is_after_tool;    /* the last message is a tool's result */
    const char *bad_param; /* the parameter that makes the request invalid, or NULL */
};

struct answer {
    struct script script;
    struct bytes model; /* JSON-escaped, as are the next two */
    struct bytes base;
    struct bytes tool;
    char id[ANSWER_ID_MAX]; /* without the format's prefix */
    int64_t created;        /* Unix seconds */
    bool is_stream;
    bool has_usage;
    bool is_truncated; /* max_tokens was reached */
    int64_t choices;
    int64_t tool_calls; /* 0: text */
    int64_t tracks;     /* texts said: choices or tool calls */
    int64_t pieces;     /* chunks of each */
    size_t content_bytes;
    int64_t prompt_tokens;
    int64_t completion_tokens;
    int64_t pieces_sent; /* of all tracks */
    int step;            /* of the format's own sequence of events */
    int64_t track;       /* where the sequence stands */
    int64_t piece;
};

enum event_kind {
    EVENT_FRAME, /* JSON that is not content: the opening, a finish, usage */
    EVENT_PIECE, /* a content chunk */
    EVENT_MARK,  /* not JSON, such as [DONE] */
    EVENT_NONE,  /* the stream is over */
};

/* A wire format: how a request is read and an answer written. One constant each, in its own file;
 * routes.c names it beside the paths that it serves. */
struct format {
    /* read - what the body asks. False when it is not JSON of the right shape; ask->bad_param then
     * names what is wrong, NULL: it is not JSON at all. */
    bool (*read)(struct ask *ask, const char *body, size_t len);
    /* whole - append the answer that is not streamed. */
    void (*whole)(const struct answer *a, struct bytes *out);
    /* next_kind - what the stream's next event is. */
    enum event_kind (*next_kind)(const struct answer *a);
    /* write - append the next event's data and step on. Returns the event's name for an `event:`
     * line, or NULL. */
    const char *(*write)(struct answer *a, struct bytes *out);
    /* error - append an error body. */
    void (*error)(const struct fault *f, struct bytes *out);
};

/* answer_init - work out the answer. The script is in a->script already; all else is set here.
 * body: the request body, for echo and for the default count of prompt tokens. */
void answer_init(struct answer *a, const struct ask *ask, const char *body, size_t len);

/* answer_put_piece - append content piece `piece` of the track, JSON-escaped. */
void answer_put_piece(const struct answer *a, int64_t piece, struct bytes *out);

/* answer_put_content - append all pieces. */
void answer_put_content(const struct answer *a, struct bytes *out);

/* answer_clear - free the texts. */
void answer_clear(struct answer *a);

/* answer_seed - make ids differ from those of another run. */
void answer_seed(uint64_t seed);

/* answer_new_id - write 24 letters and digits and the end. */
void answer_new_id(char id[ANSWER_ID_MAX]);

#endif
