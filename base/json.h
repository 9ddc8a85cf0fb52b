/* json - typed getters over json-c with caps, for the small trees that we do build (configuration
 * values from SQL, answers of our own). Bodies and streams are read by jscan. Objects: json-c's own
 * refcount; a tree belongs to one thread. */
#ifndef AIPASS_BASE_JSON_H
#define AIPASS_BASE_JSON_H

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

#include <json-c/json.h>

#define JSON_DEPTH_MAX 32
#define JSON_BYTES_MAX ((size_t)1 << 20)

/* json_parse - strict, UTF-8 checked, capped. *out: a new reference; the caller json_object_put()s
 * it. ERR_FORMAT, ERR_TOO_LARGE, ERR_MEMORY. */
ERR_CHECK enum err json_parse(struct slice text, struct json_object **out);

/* The getters: ERR_END when the member is absent or null, ERR_FORMAT when it is of another type,
 * ERR_RANGE for an integer that int64 cannot hold (or INT64_MIN: json-c saturates there). Borrowed
 * from the tree. */
ERR_CHECK enum err json_get_string(struct json_object *o, const char *name, struct slice *out);
ERR_CHECK enum err json_get_i64(struct json_object *o, const char *name, int64_t *out);
ERR_CHECK enum err json_get_bool(struct json_object *o, const char *name, bool *out);

/* json_add_* - add a member; o must be an object. Memory failure aborts the object: ERR_MEMORY. */
ERR_CHECK enum err json_add_string(struct json_object *o, const char *name, const char *value);
ERR_CHECK enum err json_add_i64(struct json_object *o, const char *name, int64_t value);
ERR_CHECK enum err json_add_bool(struct json_object *o, const char *name, bool value);
/* json_add_take - takes the reference of value, also on failure. */
ERR_CHECK enum err json_add_take(struct json_object *o, const char *name,
                                 struct json_object *value);

/* json_print - appends the compact text (slashes not escaped). */
ERR_CHECK enum err json_print(struct json_object *o, struct buf *b);

#endif
