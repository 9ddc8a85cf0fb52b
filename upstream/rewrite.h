/* rewrite - an event or a whole answer with some stretches of its JSON text replaced: the model's
 * name, the cost. The rest keeps its bytes. One thread. */
#ifndef AIPASS_UPSTREAM_REWRITE_H
#define AIPASS_UPSTREAM_REWRITE_H

#include "upstream/format.h"

/* A stretch of the answer's text, which may be empty, and what stands there instead. */
struct cut {
    struct slice old;
    const char *text; /* NULL: the public model name as a JSON string */
};

#define COST_MEMBER_SIZE (READER_COST_SIZE + 16)

/* rewrite_renames_model - the model's value in an answer is the provider's name for it, and the
 * client knows it by another. */
bool rewrite_renames_model(const struct reader *r, struct jvalue model);
/* rewrite_cost - where usage.cost goes: over a cost of the provider's own, else as the last member
 * of usage. dst: COST_MEMBER_SIZE, must live as long as the cut. False: nothing is added. */
bool rewrite_cost(struct reader *r, struct jvalue usage, char *dst, struct cut *cut);

/* rewrite_event - sets r->replacement when there are cuts. data: e's trimmed data that the cuts
 * (in any order, not overlapping, at most 4) are in. ERR_MEMORY. */
ERR_CHECK enum err rewrite_event(struct reader *r, const struct sse_event *e, struct slice data,
                                 struct cut *cuts, size_t n);
/* rewrite_whole - *out: body, or a copy with the cuts in r->scratch. ERR_MEMORY. */
ERR_CHECK enum err rewrite_whole(struct reader *r, struct slice body, struct cut *cuts, size_t n,
                                 struct slice *out);

#endif
