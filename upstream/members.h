/* members - the top level of a client's JSON body: validated in one pass, listed in order, and the
 * members that a format knows picked out.
 *
 * Slices borrow the body; memory is the arena's. One thread. */
#ifndef AIPASS_UPSTREAM_MEMBERS_H
#define AIPASS_UPSTREAM_MEMBERS_H

#include "upstream/format.h"

#define MEMBERS_KNOWN_MAX 64

struct known_member {
    const char *name;
    bool is_single; /* may not occur twice: the provider might take the other one */
};

struct members {
    struct arena *arena;
    struct fault *fault;
    const struct known_member *known;
    size_t known_n;
    struct jmember *items;
    size_t n, max;
    struct jvalue values[MEMBERS_KNOWN_MAX]; /* by index in known; raw.p NULL: absent */
};

/* members_read - reads body. known must outlive m; an index past a format's own enum is not looked
 * at. ERR_BAD_REQUEST with *fault (not an object, given twice, more than FORMAT_MEMBERS_MAX);
 * ERR_MEMORY. */
ERR_CHECK enum err members_read(struct members *m, struct slice body, struct arena *a,
                                const struct known_member *known, size_t known_n,
                                struct fault *fault);
/* members_has - the member is there and not null. */
bool members_has(const struct members *m, size_t k);
/* members_fail - "NAME: TEXT" as the fault. */
enum err members_fail(struct members *m, size_t k, const char *text);
/* The typed readers: absent and null leave *out as it was. ERR_BAD_REQUEST, ERR_MEMORY.
 * members_model - a required model's name, 1 to 128 characters. members_output_max - an integer of
 * at least 1; the smallest of several calls stays. */
ERR_CHECK enum err members_bool(struct members *m, size_t k, bool *out);
ERR_CHECK enum err members_model(struct members *m, size_t k, struct slice *out);
ERR_CHECK enum err members_output_max(struct members *m, size_t k, int64_t *out);
/* members_text - the text of a string member between its quotes; n 0 when it is none. */
struct slice members_text(const struct members *m, size_t k);

/* members_check_model - the rules of members_model for a name that came otherwise. path: for the
 * fault. */
ERR_CHECK enum err members_check_model(struct arena *a, struct slice model, const char *path,
                                       struct fault *fault);

#endif
