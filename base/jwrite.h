/* jwrite - writes JSON text straight into a buffer, commas and escapes included, for answers and
 * requests that are too hot or too large for a tree.
 *
 * Errors stick: after the first one nothing is written, and jwrite_end tells it; so calls need no
 * check each. Owner and thread: those of the buffer. Nesting up to JWRITE_DEPTH_MAX (asserted). */
#ifndef AIPASS_BASE_JWRITE_H
#define AIPASS_BASE_JWRITE_H

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

#define JWRITE_DEPTH_MAX 64

struct jwrite {
    struct buf *b;
    enum err e;
    unsigned depth;
    bool has_item[JWRITE_DEPTH_MAX]; /* the next one of this level needs a comma */
    bool after_key;
};

/* jwrite_init - a value is appended to b, which stays the caller's. */
void jwrite_init(struct jwrite *w, struct buf *b);
/* jwrite_end - the first error, or ERR_OK. Every object and array must be closed (asserted). */
ERR_CHECK enum err jwrite_end(struct jwrite *w);

/* Values; inside an object each follows jwrite_key. */
void jwrite_object(struct jwrite *w);
void jwrite_object_end(struct jwrite *w);
void jwrite_array(struct jwrite *w);
void jwrite_array_end(struct jwrite *w);
void jwrite_string(struct jwrite *w, struct slice text); /* p NULL: null */
void jwrite_i64(struct jwrite *w, int64_t n);
void jwrite_bool(struct jwrite *w, bool is_true);
void jwrite_null(struct jwrite *w);
/* jwrite_raw - valid JSON text as it stands. */
void jwrite_raw(struct jwrite *w, struct slice json);

/* A string in pieces: begin, any number of jwrite_text, end. */
void jwrite_string_begin(struct jwrite *w);
void jwrite_text(struct jwrite *w, struct slice text);
void jwrite_string_end(struct jwrite *w);

/* A key of an object (a literal without characters to escape), and the shorthands for a member. */
void jwrite_key(struct jwrite *w, const char *name);
void jwrite_key_string(struct jwrite *w, const char *name, struct slice text);
void jwrite_key_z(struct jwrite *w, const char *name, const char *text); /* NULL: null */
void jwrite_key_i64(struct jwrite *w, const char *name, int64_t n);
void jwrite_key_bool(struct jwrite *w, const char *name, bool is_true);
void jwrite_key_null(struct jwrite *w, const char *name);
void jwrite_key_raw(struct jwrite *w, const char *name, struct slice json);
/* jwrite_key_object, jwrite_key_array - a key whose value begins. */
void jwrite_key_object(struct jwrite *w, const char *name);
void jwrite_key_array(struct jwrite *w, const char *name);

#endif
