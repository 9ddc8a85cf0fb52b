/* answer - what is said in reply to one request, whatever the wire format.
 *
 * An answer is a row of blocks: thinking, a text or a refusal, tool calls, pictures. The text, or a
 * call's arguments, is the content: `content_bytes` bytes cut into `pieces` chunks; it is produced
 * piece by piece (a base text, then filler repeated), so an answer of many megabytes needs no
 * memory. The same request gives the same content streamed and whole, in every format. A format (see
 * struct format) puts it into JSON. An answer belongs to its connection and points to nothing
 * outside itself. One thread.
 */
#ifndef TESTS_PROVIDER_ANSWER_H
#define TESTS_PROVIDER_ANSWER_H

#include "tests/provider/bytes.h"
#include "tests/provider/fault.h"
#include "tests/provider/script.h"

enum {
    ANSWER_ID_MAX = 40,
    ANSWER_CHOICES_MAX = 128,
    ANSWER_BLOCKS_MAX = 24,
    ASK_TOOLS_MAX = 64,
    ASK_STOPS_MAX = 8,
    ASK_RESULTS_MAX = 32,
    ASK_REASON_MAX = 320,
};

/* A request as received. */
struct inquiry {
    struct span path;  /* without the query */
    struct span query; /* behind the question mark */
    struct span head;  /* request line and header fields */
    const char *body;
    size_t len;
};

struct ask_tool {
    struct span name;
    struct span space; /* namespace (Responses) */
    bool is_custom;    /* takes free text instead of JSON */
};

struct ask_result {
    struct span text;
    bool is_plain; /* not JSON-escaped */
    bool goes_on;  /* belongs to the same result as the one before */
};

/* What a format found in a request. The spans point into the request; texts are still
 * JSON-escaped. ask_clear frees it. */
struct ask {
    struct span model;
    struct span said;   /* text of the last user message */
    struct span marker; /* [[sim ...]] in it, inside only */
    struct ask_tool tools[ASK_TOOLS_MAX];
    size_t tool_count;
    struct ask_tool forced; /* the one tool that must be called; name empty: none */
    struct span stops[ASK_STOPS_MAX];
    size_t stop_count;
    struct ask_result results[ASK_RESULTS_MAX]; /* tool results since the last answer */
    size_t result_count;
    int64_t max_tokens; /* 0: not given */
    int64_t choices;
    bool is_stream;
    bool has_usage;              /* the stream is to end with a usage chunk */
    bool must_call;              /* some tool must be called */
    bool must_not_call;          /* no tool may be called */
    bool wants_thinking;         /* thinking was asked for */
    bool hides_thinking;         /* it comes without its text */
    bool wants_image;            /* a picture was asked for */
    bool has_whole_calls;        /* the format does not cut a call's arguments */
    bool has_call_ids;           /* Gemini: calls have ids */
    bool is_array;               /* the stream is a JSON array */
    bool is_unkept;              /* Responses: store is false */
    struct bytes json;           /* not empty: the answer that fits the schema asked for */
    struct bytes echo;           /* members of the request that the answer repeats */
    const char *bad_param;       /* the parameter that makes the request invalid, or NULL */
    const char *code;            /* of the error, or NULL */
    char reason[ASK_REASON_MAX]; /* not empty: why it is invalid, whole */
};

enum block_kind { BLOCK_THINKING, BLOCK_TEXT, BLOCK_REFUSAL, BLOCK_CALL, BLOCK_IMAGE };

struct block {
    enum block_kind kind;
    bool is_preface; /* a TEXT that is not the content */
    int64_t call;    /* number of the CALL */
    int64_t pieces;
};

struct answer_tool {
    size_t at; /* of the name in answer.tools */
    size_t len;
    size_t space_at;
    size_t space_len;
    bool is_custom;
};

struct answer {
    struct script script;
    struct bytes model; /* JSON-escaped, as is tools */
    struct bytes base;
    struct bytes tools;
    struct bytes stop; /* the stop sequence that ended the content, JSON-escaped; empty: none */
    struct bytes echo;
    struct answer_tool offered[ASK_TOOLS_MAX];
    size_t offered_count;
    struct block blocks[ANSWER_BLOCKS_MAX];
    int64_t block_count;
    char id[ANSWER_ID_MAX]; /* without the format's prefix */
    int64_t created;        /* Unix seconds */
    bool is_stream;
    bool has_usage;
    bool is_truncated; /* max_tokens was reached */
    bool is_fixed;     /* the content is the base, never filled up */
    bool hides_thinking;
    bool has_call_ids;
    bool is_array;
    bool is_unkept;
    int64_t choices;
    int64_t tool_calls; /* 0: text */
    int64_t tracks;     /* texts said: choices or tool calls */
    int64_t pieces;     /* chunks of each */
    int64_t think_pieces;
    int64_t all_pieces; /* content chunks of the whole answer */
    size_t content_bytes;
    int64_t prompt_tokens;
    int64_t completion_tokens;
    int64_t reasoning_tokens;
    int64_t pieces_sent; /* of all tracks */
    int64_t events;      /* sent so far */
    int step;            /* of the format's own sequence of events */
    int64_t track;       /* where the sequence stands: the block, or Chat's choice or call */
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
    /* read - what the request asks; sets all of ask. False when it is not one; ask->reason or
     * ask->bad_param then says what is wrong, neither: the body is not JSON at all. */
    bool (*read)(struct ask *ask, const struct inquiry *in);
    /* whole - append the answer that is not streamed. */
    void (*whole)(const struct answer *a, struct bytes *out);
    /* next_kind - what the stream's next event is. NULL, as is write: never streamed. */
    enum event_kind (*next_kind)(const struct answer *a);
    /* write - append the next event's data and step on. Returns the event's name for an `event:`
     * line, or NULL. */
    const char *(*write)(struct answer *a, struct bytes *out);
    /* error - append an error body. */
    void (*error)(const struct fault *f, struct bytes *out);
    /* fail - append the data of an event that ends a stream with an error, and return its name.
     * NULL: the error body without a name. */
    const char *(*fail)(struct answer *a, const struct fault *f, struct bytes *out);
    /* keep - note an answer that later requests may ask for. NULL: none is. */
    void (*keep)(const struct answer *a);
    /* The header field that carries the request's id. NULL: x-request-id. */
    const char *id_header;
};

/* ask_init - nothing is asked. */
void ask_init(struct ask *ask);

/* ask_clear - free what it holds. */
void ask_clear(struct ask *ask);

/* ask_refuse - say why the request is invalid, the first time only. Returns false. */
bool ask_refuse(struct ask *ask, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* ask_hear - note a text of a user message: the first is what was said, and the last marker
 * counts. said, marker: of that message so far. */
void ask_hear(struct span text, struct span *said, struct span *marker);

/* ask_add_tool, ask_add_stop, ask_add_result - note one more, as long as there is room. */
void ask_add_tool(struct ask *ask, struct span name, struct span space, bool is_custom);
void ask_add_stop(struct ask *ask, struct span stop);
void ask_add_result(struct ask *ask, struct span text, bool is_plain, bool goes_on);

/* answer_init - work out the answer. The script is in a->script already; all else is set here.
 * body: the request body, for echo and for the default count of prompt tokens. Takes ask->echo. */
void answer_init(struct answer *a, struct ask *ask, const char *body, size_t len);

/* answer_put_piece - append content piece `piece`, JSON-escaped. */
void answer_put_piece(const struct answer *a, int64_t piece, struct bytes *out);

/* answer_put_content - append all pieces. */
void answer_put_content(const struct answer *a, struct bytes *out);

/* answer_put_plain - append all pieces, not escaped: a call's arguments as JSON. */
void answer_put_plain(const struct answer *a, struct bytes *out);

/* answer_put_block_piece, answer_put_block - the same for any block's text. */
void answer_put_block_piece(const struct answer *a, const struct block *b, int64_t piece,
                            struct bytes *out);
void answer_put_block(const struct answer *a, const struct block *b, struct bytes *out);

/* answer_put_tool_name - append the name of the tool that call number `call` calls, escaped. */
void answer_put_tool_name(const struct answer *a, int64_t call, struct bytes *out);

/* answer_tool - the tool that call number `call` calls. */
const struct answer_tool *answer_tool(const struct answer *a, int64_t call);

/* answer_tool_name - its name as a view, valid as long as the answer. */
struct span answer_tool_name(const struct answer *a, int64_t call);

/* answer_put_call_id - append prefix, the answer's id and the call's number. */
void answer_put_call_id(const struct answer *a, const char *prefix, int64_t call,
                        struct bytes *out);

/* answer_put_member - append the name and the number. */
void answer_put_member(struct bytes *out, const char *name, int64_t value);

/* answer_block - the block at which the stream stands, or NULL behind the last; for formats that go
 * through the blocks one by one. */
const struct block *answer_block(const struct answer *a);

/* answer_clear - free the texts. */
void answer_clear(struct answer *a);

/* answer_seed - make ids differ from those of another run. */
void answer_seed(uint64_t seed);

/* answer_new_id - write 24 letters and digits and the end. */
void answer_new_id(char id[ANSWER_ID_MAX]);

#endif
