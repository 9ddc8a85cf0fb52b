/* responses_open - the output item that is open in an answer to a Responses client: its events, and
 * its JSON when it ends. For responses_encoder.c.
 *
 * The state is an encoder's; one thread. */
#ifndef AIPASS_UPSTREAM_RESPONSES_OPEN_H
#define AIPASS_UPSTREAM_RESPONSES_OPEN_H

#include "base/buf.h"
#include "upstream/event.h"
#include "upstream/responses.h"

enum open_item { OPEN_NONE, OPEN_MESSAGE, OPEN_REASONING, OPEN_CALL, OPEN_CUSTOM_CALL, OPEN_IMAGE };

/* The growing texts of an answer. */
enum open_buf {
    BUF_ITEMS,     /* JSON of the items that ended, with commas */
    BUF_PARTS,     /* JSON of the parts of the open message that ended, with commas */
    BUF_TEXT,      /* the open part's text as the inside of a JSON string */
    BUF_CALL,      /* JSON members of the open call: call_id, namespace, name */
    BUF_SEAL,      /* of the open reasoning */
    BUF_LATE_SEAL, /* of a part that is not thinking */
    RESPONSES_OPEN_BUFS
};

struct responses_open {
    struct buf bufs[RESPONSES_OPEN_BUFS];
    struct responses_object object;
    char id[RESPONSES_ID_SIZE];
    char item_id[RESPONSES_ID_SIZE];
    enum open_item item;
    enum part_kind part; /* of the open part, while has_part */
    int64_t sequence;    /* number of the next event */
    int64_t index;       /* output_index of the open item, else of the next */
    int64_t content;     /* content_index of the open part, else of the next */
    size_t name_at;      /* where the name stands in BUF_CALL */
    bool is_started, has_part, has_refusal;
};

/* responses_event_begin - begins an event with its type and number; the object is open. False: the
 * answer is no stream, nothing is written. responses_event_end closes it. ERR_MEMORY, ERR_FULL. */
bool responses_event_begin(struct encoder *e, struct jwrite *w, const char *type);
ERR_CHECK enum err responses_event_end(struct jwrite *w);

/* responses_open_item, _open_call - no item is open. responses_close_item - nothing when none is.
 * responses_open_part - of an open message; ends the part before. responses_close_part,
 * responses_write_delta - of what is open; nothing when nothing is. ERR_MEMORY, ERR_FULL. */
ERR_CHECK enum err responses_open_item(struct encoder *e, enum open_item item);
ERR_CHECK enum err responses_open_call(struct encoder *e, struct slice id, struct slice name,
                                       bool is_custom);
ERR_CHECK enum err responses_close_item(struct encoder *e, bool is_complete);
ERR_CHECK enum err responses_open_part(struct encoder *e, enum part_kind part);
ERR_CHECK enum err responses_close_part(struct encoder *e);
ERR_CHECK enum err responses_write_delta(struct encoder *e, struct slice text);

#endif
