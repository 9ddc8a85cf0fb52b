/* usage_read - what the usage objects of all formats share: counts kept within reason, and those of
 * OpenAI's two formats, whose numbers overlap, as counters that do not. Pure but for warnings in the
 * log; any thread. */
#ifndef AIPASS_UPSTREAM_USAGE_READ_H
#define AIPASS_UPSTREAM_USAGE_READ_H

#include "base/jscan.h"
#include "upstream/counts.h"

#include <stdint.h>

/* A usage object of OpenAI's formats as it was told, in tokens; -1: absent. */
struct usage_told {
    int64_t input, output, total;
    int64_t cached, written; /* inside input */
    int64_t written_long;    /* inside written: kept for an hour or longer */
    int64_t reasoning;       /* inside output */
};

/* usage_at_least_0 - n, or 0 for a count that is absent. */
int64_t usage_at_least_0(int64_t n);

/* usage_count - n as a count: a number that does not fit (e: ERR_RANGE), is below 0 or above COUNT_MAX
 * is logged and becomes 0 or COUNT_MAX. *out is left as it is when there was no number (another e). */
void usage_count(enum err e, int64_t n, struct jvalue v, int64_t *out);

/* usage_read_count - v as a count; null and what is no integer leave *out. usage_read_member - the
 * same of a member of object, when it is there. */
void usage_read_count(struct jvalue v, int64_t *out);
void usage_read_member(struct jvalue object, const char *name, int64_t *out);

/* usage_to_counts - what the total has beyond input and output is output that was not told apart;
 * parts that do not add up are logged. */
struct counts usage_to_counts(const struct usage_told *told);

#endif
