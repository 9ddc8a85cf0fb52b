/* stop_cut - finds stop sequences in a stream of text, for formats that have none of their own.
 *
 * Gives the same text for every split of the input: what may be the beginning of a stop sequence
 * waits for what follows. One answer; one thread. */
#ifndef AIPASS_UPSTREAM_STOP_CUT_H
#define AIPASS_UPSTREAM_STOP_CUT_H

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

#include <stdbool.h>

struct stop_cut {
    const struct slice *stops;
    size_t stops_n;
    struct buf waiting; /* text that is not given yet, and room for what is given */
    size_t given;       /* its first bytes were given by the last call */
    struct slice found;
};

/* stop_cut_init - looks for nothing. stop_cut_clear - frees. stop_cut_is_set - looks for something. */
void stop_cut_init(struct stop_cut *s);
void stop_cut_clear(struct stop_cut *s);
/* stop_cut_set - looks for these from now on; they must outlive s. */
void stop_cut_set(struct stop_cut *s, const struct slice *stops, size_t n);
bool stop_cut_is_set(const struct stop_cut *s);

/* stop_cut_feed - *out: what can be given now, valid until the next call. *is_cut: a stop sequence
 * follows it; the earliest one, of two at one place the longer. ERR_MEMORY, ERR_FULL. */
ERR_CHECK enum err stop_cut_feed(struct stop_cut *s, struct slice text, struct slice *out,
                                 bool *is_cut);
/* stop_cut_rest - the text ends here: what still waited. stop_cut_found - the stop sequence. */
struct slice stop_cut_rest(struct stop_cut *s);
struct slice stop_cut_found(const struct stop_cut *s);

#endif
