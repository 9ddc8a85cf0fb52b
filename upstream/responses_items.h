/* responses_items - the items of a provider's answer as parts, from their deltas and from what they
 * are when they are done. For responses_decoder.c.
 *
 * The state is a decoder's; one thread. */
#ifndef AIPASS_UPSTREAM_RESPONSES_ITEMS_H
#define AIPASS_UPSTREAM_RESPONSES_ITEMS_H

#include "base/buf.h"
#include "upstream/event.h"
#include "upstream/format.h"

#define RESPONSES_SCRATCH_MAX ((size_t)1 << 30) /* texts of one event, bounded when received */

enum answer_item {
    ITEM_NONE, /* of no use to a client of another format */
    ITEM_MESSAGE,
    ITEM_REASONING,
    ITEM_CALL,
    ITEM_CUSTOM_CALL,
    ITEM_IMAGE
};

/* What a delta is a piece of. */
struct piece {
    enum answer_item item;
    enum part_kind part;
    bool is_summary; /* of reasoning; else its raw text */
};

struct responses_items {
    struct arena *scratch; /* decoded texts of one event */
    struct buf waiting;    /* items that were done while another was open, a NUL after each */
    int64_t open;          /* output_index of the open item; -1: none */
    enum answer_item kind;
    bool is_begun;   /* a part of it was begun */
    bool is_summary; /* reasoning: which of its texts came first and is passed on */
    int64_t part;    /* index of the part that was passed on last; -1: none */
    size_t sent;     /* bytes of that part */
    bool has_items;  /* any item was seen */
    bool has_call, has_refusal;
};

/* responses_items_init - no item was seen; scratch is set by the caller. */
void responses_items_init(struct responses_items *x);

/* responses_items_added, _delta, _done - one event about the item at output_index `index`; item: a
 * validated value. responses_items_finish - the answer is complete: what is open ends, and what only
 * stands in the whole output (raw.p NULL: there is none) is passed on. ERR_UP_MALFORMED,
 * ERR_MEMORY, ERR_FULL, or what the sink returned. */
ERR_CHECK enum err responses_items_added(struct decoder *d, int64_t index, struct jvalue item);
ERR_CHECK enum err responses_items_delta(struct decoder *d, int64_t index,
                                         const struct piece *piece, int64_t part,
                                         struct slice text);
ERR_CHECK enum err responses_items_done(struct decoder *d, int64_t index, struct jvalue item);
ERR_CHECK enum err responses_items_finish(struct decoder *d, struct jvalue output);

#endif
