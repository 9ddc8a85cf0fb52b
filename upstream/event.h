/* event - the canonical events of an answer: what every provider format is decoded to and every
 * client format is encoded from, streamed or whole.
 *
 * Invariants, which event_gate checks: START first and once; parts numbered 0, 1, 2...; one part
 * open at a time; every BEGIN has its END; FINISH once with no part open, then only USAGE; after
 * FAIL nothing. A decoder buffers to keep them. Slices are valid until the sink returns. */
#ifndef AIPASS_UPSTREAM_EVENT_H
#define AIPASS_UPSTREAM_EVENT_H

#include "upstream/canon.h"
#include "upstream/counts.h"

enum event_kind {
    EV_START,  /* id, text: the provider's model name; created_s */
    EV_BEGIN,  /* part, part_kind; for a call: id, name, is_custom; image and audio: mime */
    EV_DELTA,  /* part; text: text, arguments, thinking, or base64 that can be joined */
    EV_SEAL,   /* part (open or the last one); text: signature or encrypted content; is_redacted */
    EV_END,    /* part */
    EV_USAGE,  /* counts: cumulative, the last one wins */
    EV_FINISH, /* finish; text: the stop text, or a detail of a refusal; p NULL */
    EV_ERROR   /* error, text, code: the answer failed within */
};

enum finish {
    FINISH_STOP,
    FINISH_STOP_TEXT, /* a stop sequence */
    FINISH_LENGTH,
    FINISH_CONTEXT,
    FINISH_TOOL,
    FINISH_REFUSAL, /* the model's own */
    FINISH_FILTER,  /* the provider's filter */
    FINISH_PAUSE,
    FINISH_BAD_CALL,
    FINISH_OTHER
};

struct event {
    enum event_kind kind;
    size_t part;
    enum part_kind
        part_kind; /* of BEGIN; PART_TEXT, THINKING, CALL, REFUSAL, IMAGE, AUDIO, OPAQUE */
    struct slice text;
    /* START: id; BEGIN of a call: both; SEAL: id of the item that it is bound to; p NULL: none */
    struct slice id, name;
    struct slice mime;
    struct slice seal; /* BEGIN of a call: a signature that belongs to it (Gemini); p NULL: none */
    struct slice code; /* ERROR: the provider's code or type */
    int64_t created_s; /* START; 0: not told */
    bool is_custom;
    bool is_redacted;
    struct counts counts;
    struct slice service_tier; /* USAGE; p NULL: not told */
    enum finish finish;
    enum err error; /* ERROR: ERR_UP_FAILED, ERR_UP_RATE, ERR_UP_CONTEXT... */
};

typedef enum err event_fn(void *ctx, const struct event *e);

/* The state of the invariants. Zeroed: before START. */
struct event_gate {
    bool is_started, is_open, is_finished, is_failed;
    size_t parts_n; /* begun so far; the open or last one is parts_n - 1 */
    enum part_kind kind;
};

/* event_gate_pass - checks e against the invariants and moves on. False: it breaks them (our bug in
 * a decoder; asserted when built with AIPASS_DEBUG). */
bool event_gate_pass(struct event_gate *g, const struct event *e);

/* A decoder: one provider format's answer as events. The functions of its format are in struct
 * format. The first four members are set and the rest is zero before its
 * decode_begin. One answer; one thread. */
struct decoder {
    const struct format *format;
    struct arena *arena;
    event_fn *sink;
    void *sink_ctx;
    struct event_gate gate;
    void *state;   /* the format's own, in the arena; set by its decode_begin */
    bool is_ended; /* the format's proper end, or a finish that needs no more, was seen */
};

/* decoder_emit - hands one event to the sink. What the sink returns, or ERR_UP_MALFORMED when e
 * breaks the invariants. The helpers number the parts: the part that is open, or was last. */
ERR_CHECK enum err decoder_emit(struct decoder *d, const struct event *e);
ERR_CHECK enum err decoder_begin_part(struct decoder *d, enum part_kind kind);
ERR_CHECK enum err decoder_begin_call(struct decoder *d, struct slice id, struct slice name,
                                      bool is_custom);
ERR_CHECK enum err decoder_delta(struct decoder *d, struct slice text); /* empty: nothing happens */
ERR_CHECK enum err decoder_seal(struct decoder *d, struct slice seal, bool is_redacted);
/* decoder_end_part - ends the open part; nothing when none is open. */
ERR_CHECK enum err decoder_end_part(struct decoder *d);
/* decoder_ensure_part - the open part is of that kind: else ends it and begins one (text, thinking,
 * refusal). */
ERR_CHECK enum err decoder_ensure_part(struct decoder *d, enum part_kind kind);
ERR_CHECK enum err decoder_usage(struct decoder *d, const struct counts *counts,
                                 struct slice service_tier);
ERR_CHECK enum err decoder_finish(struct decoder *d, enum finish finish, struct slice detail);
ERR_CHECK enum err decoder_error(struct decoder *d, enum err error, struct slice text,
                                 struct slice code);

/* An encoder: events as one client format's answer. Streamed: bytes are appended to out as events
 * come. Whole: all of it by encode_end. One answer; one thread. */
struct encoder {
    const struct format *format;
    struct arena *arena;
    struct buf *out;
    bool is_stream;
    bool wants_usage;       /* Chat: the usage chunk was asked for */
    bool is_array;          /* Gemini: a stream as a JSON array, not as events */
    const char *model;      /* the public name that the client asked for */
    const char *request_id; /* ours: makes ids of answers and items that are unique */
    int64_t created_s;
    const struct canon *request; /* echoes (Responses) */
    struct counts counts;        /* last usage; estimated when the provider told none */
    struct slice service_tier;   /* p NULL: not told */
    const char *cost;            /* JSON number for usage.cost; NULL: not asked for */
    enum finish finish; /* set by the caller before encode_end; a call was made: FINISH_TOOL */
    struct slice finish_text; /* the stop text */
    bool has_call;
    void *state; /* the format's own, in the arena; set by its encode_begin */
};

/* finish_log_word - as the usage log has it, in OpenAI's words where there are any. */
const char *finish_log_word(enum finish f);

#endif
