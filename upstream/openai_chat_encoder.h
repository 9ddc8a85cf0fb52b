/* openai_chat_encoder - a Chat answer as it is written for a client: what the two files of the
 * encoder share.
 *
 * openai_chat_encoder.c takes the events, openai_chat_encoder_end.c ends the stream or writes the
 * whole answer. One answer; one thread. */
#ifndef AIPASS_UPSTREAM_OPENAI_CHAT_ENCODER_H
#define AIPASS_UPSTREAM_OPENAI_CHAT_ENCODER_H

#include "base/buf.h"
#include "base/jwrite.h"
#include "upstream/event.h"

/* A signature that belongs to thinking travels on the call that follows: the only place of opaque
 * data that clients of this format send back. openai_chat_decode_messages.c takes it off again. */
struct chat_encoder {
    struct slice head;           /* of a chunk, up to its delta */
    const char *tail;            /* of a chunk, from behind its delta */
    bool is_started;             /* the chunk with the role was sent */
    bool is_legacy;              /* function_call in the place of tool_calls */
    enum part_kind kind;         /* of the open part, or the last one */
    struct slice mime;           /* of an image */
    bool is_custom;              /* the call */
    bool is_skipped;             /* legacy: there is room for one call */
    bool has_open_call;          /* whole: its object is not closed yet */
    bool has_refusal, has_audio; /* so far */
    size_t calls_n;
    struct buf seal;  /* waits for the next call */
    struct buf media; /* base64 of the open image; of all audio when whole */
    /* whole: JSON strings without their last quote */
    struct buf text, thinking, refusal;
    struct buf calls, images; /* whole: elements of JSON arrays */
};

/* chat_write_top - id, object, created and model, into the open object. */
void chat_write_top(struct jwrite *w, const struct encoder *e, const char *object);
/* chat_send_role - the first chunk, unless it was sent. */
ERR_CHECK enum err chat_send_role(struct encoder *e);
/* chat_shut_call - whole: closes the object of the last call, which a signature may have been added
 * to. */
ERR_CHECK enum err chat_shut_call(struct chat_encoder *s);

#endif
