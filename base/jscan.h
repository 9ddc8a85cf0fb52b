/* jscan - reads JSON text in place: members and elements as slices of the text, no tree.
 *
 * For bodies and stream events, where a tree would cost more than the whole relay. Every byte that
 * is stepped over is validated (RFC 8259 grammar, UTF-8, depth), so what passes is JSON. All
 * results borrow the text. Pure; any thread. Fast path: whole words of plain ASCII inside
 * strings. */
#ifndef AIPASS_BASE_JSCAN_H
#define AIPASS_BASE_JSCAN_H

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

#define JSCAN_DEPTH_MAX 128 /* nesting of arrays and objects; deeper text is ERR_FORMAT */

enum jkind {
    JSCAN_NULL,
    JSCAN_FALSE,
    JSCAN_TRUE,
    JSCAN_NUMBER,
    JSCAN_STRING,
    JSCAN_ARRAY,
    JSCAN_OBJECT
};

struct jvalue {
    enum jkind kind;
    struct slice raw; /* the whole value as it stands: quotes, brackets and all */
};

struct jmember {
    struct slice key; /* between the quotes, escapes not decoded */
    struct jvalue value;
    struct slice whole; /* from the key's opening quote to the end of the value */
};

struct jscan {
    struct slice text;
    size_t at;       /* next byte; on ERR_FORMAT the offset of the fault */
    bool first;      /* no member or element was read yet */
    bool is_trusted; /* text was validated before: only structure is followed */
    enum err end;    /* ERR_OK while there may be more, then what every further call returns */
};

/* jscan_validate - the whole text is one JSON value. *value: that value without the space around
 * it. ERR_FORMAT with *at set to the offset of the fault (at may be NULL). */
ERR_CHECK enum err jscan_validate(struct slice text, struct jvalue *value, size_t *at);

/* jscan_object, jscan_array - begin to iterate; value must be validated (jscan_validate or a value
 * that jscan_next_* returned). ERR_FORMAT when it is of another kind. */
ERR_CHECK enum err jscan_object(struct jscan *s, struct jvalue value);
ERR_CHECK enum err jscan_array(struct jscan *s, struct jvalue value);

/* jscan_begin_object - iterate over the members of text and validate on the way: ONE pass does
 * both. The caller must iterate until ERR_END before it trusts anything; text after the object is
 * ERR_FORMAT. */
ERR_CHECK enum err jscan_begin_object(struct jscan *s, struct slice text);

/* jscan_next_member, jscan_next_element - ERR_END after the last; ERR_FORMAT. */
ERR_CHECK enum err jscan_next_member(struct jscan *s, struct jmember *m);
ERR_CHECK enum err jscan_next_element(struct jscan *s, struct jvalue *v);

/* jscan_key_is - compares a key, whose escapes are decoded for it, with a C string. */
bool jscan_key_is(const struct jmember *m, const char *name);

/* jscan_find - the first member of that name in a validated object. ERR_END when there is none or
 * the value is no object. */
ERR_CHECK enum err jscan_find(struct jvalue object, const char *name, struct jvalue *value);

/* jscan_string - the decoded text of a string value. Borrowed from the text when it has no escapes,
 * else from the arena. ERR_FORMAT when it is no string or holds a NUL or a lone surrogate;
 * ERR_MEMORY. */
ERR_CHECK enum err jscan_string(struct jvalue v, struct arena *a, struct slice *out);

/* jscan_i64 - an integer value; 1.0 and 1e3 count as integers. ERR_FORMAT; ERR_RANGE outside
 * int64. */
ERR_CHECK enum err jscan_i64(struct jvalue v, int64_t *out);

/* jscan_escape - appends text as a JSON string, quotes included; invalid UTF-8 becomes U+FFFD. */
struct buf;
ERR_CHECK enum err jscan_escape(struct buf *b, struct slice text);
/* jscan_escape_inside - the same without the quotes; on an error part of it may be there. */
ERR_CHECK enum err jscan_escape_inside(struct buf *b, struct slice text);

#endif
