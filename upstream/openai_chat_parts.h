/* openai_chat_parts - the parts of a Chat answer in order, one at a time: what a Chat provider
 * interleaves waits until what stands before it has ended.
 *
 * A text ends when another part comes. A call ends when its arguments are a whole JSON value and
 * another part comes, else at the end of the answer. Belongs to a decoder; one thread. */
#ifndef AIPASS_UPSTREAM_OPENAI_CHAT_PARTS_H
#define AIPASS_UPSTREAM_OPENAI_CHAT_PARTS_H

#include "base/buf.h"
#include "upstream/event.h"

#define CHAT_PARTS_MAX 256 /* calls of an answer, and parts that wait */
#define CHAT_NO_INDEX  (-1)

/* How far a JSON text that comes in pieces has got. */
struct json_progress {
    int64_t depth;
    bool is_in_string, is_escaped, is_closed;
};

struct chat_part {
    enum part_kind kind;
    int64_t index; /* of a call, as the provider counts it */
    struct slice id, name, mime, seal;
    bool is_custom;
    bool is_open, is_done;
    bool has_text; /* some was given */
    struct json_progress json;
    struct buf waiting; /* text that came before the part could begin */
};

struct chat_parts {
    struct decoder *decoder;
    struct chat_part *items; /* calls stay, other parts go when they have ended */
    size_t n, max;
    size_t current; /* the first that has not ended */
    bool has_call;
};

/* What one delta says of a call; slices p NULL: not said. */
struct chat_call {
    int64_t index;
    struct slice id, name, text, seal;
    bool is_custom;
    bool is_whole; /* not a delta: a call of its own in any case */
};

/* chat_parts_init - memory from d->arena, freed with it. ERR_MEMORY. */
ERR_CHECK enum err chat_parts_init(struct chat_parts *p, struct decoder *d);
/* chat_parts_text - text of a kind, thinking, refusal or audio: goes to the last part when it is of
 * that kind. Empty: nothing. */
ERR_CHECK enum err chat_parts_text(struct chat_parts *p, enum part_kind kind, struct slice text);
/* chat_parts_image - an image of its own. */
ERR_CHECK enum err chat_parts_image(struct chat_parts *p, struct slice mime, struct slice base64);
ERR_CHECK enum err chat_parts_call(struct chat_parts *p, const struct chat_call *call);
/* chat_parts_end - the answer is complete: whatever waits comes now. A call without a name is left
 * out. */
ERR_CHECK enum err chat_parts_end(struct chat_parts *p);
/* All return ERR_UP_MALFORMED past CHAT_PARTS_MAX, ERR_MEMORY, or what the sink returned. */

#endif
