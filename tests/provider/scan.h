/* scan - a JSON reader that walks over the bytes without building a tree.
 *
 * A `struct scan` is a cursor on the caller's bytes; it allocates nothing and keeps nothing, so a
 * body of any size is read in one pass at the cost of looking at each byte once. The whole grammar
 * is checked: after a walk that ends with scan_end the text was valid JSON (numbers included; depth
 * at most 128). The first fault sets `bad`, and every later call fails. One thread.
 * Source: RFC 8259.
 */
#ifndef TESTS_PROVIDER_SCAN_H
#define TESTS_PROVIDER_SCAN_H

#include "tests/provider/bytes.h"

struct scan {
    const char *at;
    const char *end;
    bool bad;
    unsigned depth;
};

/* scan_begin - a cursor at the start of the text. */
struct scan scan_begin(const char *text, size_t len);

/* scan_peek - the first character of the next value after blanks: one of { [ " - 0..9 t f n, or
 * whatever else stands there; 0 at the end or after a fault. Consumes the blanks only. */
char scan_peek(struct scan *s);

/* scan_open - enter an object ('{') or an array ('['). False, with `bad` set, when there is
 * none. */
bool scan_open(struct scan *s, char kind);

/* scan_member - step to the next member of the object that was opened; *is_first starts true and
 * is the caller's. key: out, the raw name. The caller must then consume the value. False at the
 * closing brace (consumed) or on a fault. */
bool scan_member(struct scan *s, bool *is_first, struct span *key);

/* scan_element - the same for an array. */
bool scan_element(struct scan *s, bool *is_first);

/* scan_string - consume a string. raw: out, its inside, still escaped. */
bool scan_string(struct scan *s, struct span *raw);

/* scan_int - consume a number; value: out, its integer part, saturated. */
bool scan_int(struct scan *s, int64_t *value);

/* scan_bool - consume any value; value: out, whether it was the literal true. */
bool scan_bool(struct scan *s, bool *value);

/* scan_skip - consume any value. */
bool scan_skip(struct scan *s);

/* scan_end - whether the text was valid so far and only blanks are left. */
bool scan_end(struct scan *s);

/* scan_decode - write the text of a raw string, at most max bytes and only whole characters of
 * the input; returns its length. Half of a surrogate pair becomes U+FFFD. */
size_t scan_decode(struct span raw, char *out, size_t max);

#endif
