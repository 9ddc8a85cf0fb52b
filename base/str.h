/* str - slices of bytes and the few string helpers that all layers share.
 *
 * A slice borrows its bytes: who holds the memory is said where the slice is made. Not
 * NUL-terminated. Pure functions; any thread. */
#ifndef AIPASS_BASE_STR_H
#define AIPASS_BASE_STR_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct slice {
    const char *p;
    size_t n;
};

#define SLICE(literal) ((struct slice){(literal), sizeof(literal) - 1})
#define SLICE_FMT(s)   (int)(s).n, (s).p /* for "%.*s" */

/* slice_of - the bytes of a C string; z NULL gives the empty slice. */
struct slice slice_of(const char *z);

/* slice_eq, slice_eq_z - the same bytes. slice_starts - s begins with prefix; _ci: ASCII letters of
 * either case. */
bool slice_eq(struct slice a, struct slice b);
bool slice_eq_z(struct slice a, const char *z);
/* slice_eq_ci - ASCII case-insensitive comparison. */
bool slice_eq_ci(struct slice a, const char *z);
bool slice_starts(struct slice s, const char *prefix);
bool slice_starts_ci(struct slice s, const char *prefix);

/* slice_trim - without leading and trailing spaces, tabs, CR and LF. */
struct slice slice_trim(struct slice s);

/* slice_split - cuts the part before the first `sep` off *rest and returns it; *rest becomes what
 * follows the separator. When there is no separator the whole rest is returned and *rest gets p
 * NULL. */
struct slice slice_split(struct slice *rest, char sep);

/* slice_to_i64 - a decimal integer, optional '-', nothing else. ERR_FORMAT, or ERR_RANGE outside
 * int64. */
ERR_CHECK enum err slice_to_i64(struct slice s, int64_t *out);

/* slice_copy_z - copies at most size-1 bytes and ends with NUL; cuts at a UTF-8 boundary. Returns
 * false when cut. */
bool slice_copy_z(char *dst, size_t size, struct slice s);

/* str_percent_decode - decodes %XX (and '+' as space when plus is set) of src into dst, which may
 * be src.p. size: room in dst. Returns bytes written, or SIZE_MAX on a bad escape, a NUL or too
 * little room. */
size_t str_percent_decode(char *dst, size_t size, struct slice src, bool plus);

/* str_utf8_len - bytes (1..4) of the well-formed UTF-8 character that p begins with; 0 when there
 * is none in n bytes. */
size_t str_utf8_len(const char *p, size_t n);

/* str_is_utf8 - well-formed UTF-8 without surrogates and overlong forms (RFC 3629). */
bool str_is_utf8(struct slice s);

#endif
