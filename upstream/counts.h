/* counts - tokens as canonical counters that never overlap on the input side, whatever format
 * they came from, and the estimator for answers without usage. Source: each format's usage
 * object converted once. Pure; any thread. */
#ifndef AIPASS_UPSTREAM_COUNTS_H
#define AIPASS_UPSTREAM_COUNTS_H

#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

#define COUNT_MAX                                                                                  \
    INT64_C(1000000000) /* tokens; what a provider reports above it is taken as this */

struct counts {
    int64_t in_fresh;    /* input neither read from nor written to a cache */
    int64_t in_read;     /* read from a cache */
    int64_t in_write;    /* written to a cache: 5 and 30 minutes */
    int64_t in_write_1h; /* written to a cache for an hour or longer */
    int64_t out_all;     /* output, thinking included */
    int64_t out_think;   /* thinking, inside out_all */
    bool is_known;       /* the provider told it; an explicit 0 is known */
    bool is_estimated;   /* with is_known: the output was cut and is what was seen of it */
};

#define COUNTS_ESTIMATE_METHOD "bytes4"

/* text_size - what the estimator counts, method "bytes4": one token for each four ASCII bytes (rounded up) and one for each other character. Streams may add up the
 * two parts: ascii bytes and other characters of each piece. */
struct text_size {
    int64_t ascii_bytes;
    int64_t other_chars;
};

/* text_size_add - text as it stands, about 10 GB/s of ASCII. A stray continuation byte counts as
 * nothing. */
void text_size_add(struct text_size *t, struct slice text);

/* text_size_add_escaped - what stands between the quotes of a validated JSON string: each escape
 * counts as the character that it stands for. */
void text_size_add_escaped(struct text_size *t, struct slice raw);

/* text_size_tokens - the estimate. */
int64_t text_size_tokens(const struct text_size *t);

#endif
