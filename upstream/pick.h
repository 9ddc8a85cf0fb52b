/* pick - the values of some members of a JSON object by name, in one pass.
 *
 * A member that is absent or null has raw.p NULL; of a name that occurs twice the last one counts,
 * as JSON parsers take it. Values borrow the text. Pure; any thread. */
#ifndef AIPASS_UPSTREAM_PICK_H
#define AIPASS_UPSTREAM_PICK_H

#include "base/jscan.h"

#include <stdbool.h>
#include <stddef.h>

/* pick_members - of a validated value. values: n of them, by index in names. False, and none of
 * them there, when it is no object. */
bool pick_members(struct jvalue object, const char *const *names, size_t n, struct jvalue *values);

/* pick_text - the same for text that was not validated yet, space around it allowed. ERR_FORMAT when
 * it is no JSON object. */
ERR_CHECK enum err pick_text(struct slice text, const char *const *names, size_t n,
                             struct jvalue *values);

/* pick - one member of a validated value; raw.p NULL: there is none. */
struct jvalue pick(struct jvalue object, const char *name);

/* pick_string - its text between the quotes when it is a string, escapes as they stand; n 0. For
 * words that are compared and never shown. */
struct slice pick_string(struct jvalue v);

#endif
