/* splice - a JSON object with some of its top-level members changed, as pieces of the old text
 * and of new text in between.
 *
 * What is not edited keeps its bytes: order, spacing, number spelling, escapes, unknown members.
 * A member that occurs twice counts as its last one (as JSON parsers take it); an edit of it
 * drops the others. All memory is the arena's; the pieces borrow the old text, which must
 * outlive them. One thread. */
#ifndef AIPASS_UPSTREAM_SPLICE_H
#define AIPASS_UPSTREAM_SPLICE_H

#include "base/arena.h"
#include "base/err.h"
#include "base/jscan.h"
#include "base/str.h"
#include "upstream/format.h"

#include <stdbool.h>
#include <stddef.h>

struct splice_item;

struct splicer {
    struct arena *arena;
    struct slice text; /* the object, space around it allowed */
    /* the members as they stand now: the old ones in order, then the added ones */
    struct splice_item *items;
    size_t items_n, items_max;
    size_t old_n;
};

/* splicer_init - text: a validated object; members: all of it at its top level, in order, must
 * outlive the splicer. edits_max: how many of the calls below will follow. ERR_MEMORY. */
ERR_CHECK enum err splicer_init(struct splicer *s, struct arena *a, struct slice text,
                                const struct jmember *members, size_t members_n, size_t edits_max);

/* splicer_find - the value of a member as it stands now. ERR_END when there is none. */
ERR_CHECK enum err splicer_find(const struct splicer *s, const char *name, struct slice *value);

/* splicer_set - gives a member a value (valid JSON, must outlive the splicer), at its place or
 * as the last member. splicer_replace - the same when the member is there, else nothing.
 * ERR_MEMORY. */
ERR_CHECK enum err splicer_set(struct splicer *s, const char *name, struct slice value);
void splicer_replace(struct splicer *s, const char *name, struct slice value);

/* splicer_edit - one edit. MEMBER_DEFAULT acts only when the member is absent (null counts as
 * there). MEMBER_RENAME keeps the value's bytes and drops a member that had the new name; it
 * does nothing when there is no such member. ERR_MEMORY; ERR_FORMAT when the value of a set or
 * default is no JSON. */
ERR_CHECK enum err splicer_edit(struct splicer *s, const struct member_edit *e);

/* splicer_inject_output_max - the member becomes the output limit of the target when the client
 * named none and the target has one. ERR_MEMORY. */
ERR_CHECK enum err splicer_inject_output_max(struct splicer *s, const char *member,
                                             const struct format_request *r,
                                             const struct format_target *t);

/* splicer_finish - the pieces, in the arena. splicer_finish_target - the same after the target's
 * edits, in order, and with its model in the member "model" where that is another one than the
 * client's. ERR_MEMORY; ERR_FORMAT as for splicer_edit. */
ERR_CHECK enum err splicer_finish(struct splicer *s, struct splice *out);
ERR_CHECK enum err splicer_finish_target(struct splicer *s, const struct format_request *r,
                                         const struct format_target *t, struct splice *out);

/* splice_join - the pieces as one text: the old one when it is the only piece, else a copy in
 * the arena. ERR_MEMORY. */
ERR_CHECK enum err splice_join(const struct splice *s, struct arena *a, struct slice *out);

#endif
