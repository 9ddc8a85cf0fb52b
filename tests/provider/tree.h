/* tree - a JSON text as nodes, for formats that check a request thoroughly.
 *
 * Nodes point into the text and live until the next tree_parse: there is one tree in the process,
 * whose memory is used again. Strings stay escaped. All getters take NULL and give NULL or false
 * for it, so that a path can be followed without a check at each step. One thread.
 */
#ifndef TESTS_PROVIDER_TREE_H
#define TESTS_PROVIDER_TREE_H

#include "tests/provider/bytes.h"

struct node {
    char kind;       /* { [ " 0 t f n */
    struct span key; /* of a member, escaped */
    struct span raw; /* of a string its inside, else the whole value */
    size_t count;    /* of members or elements */
    struct node *child;
    struct node *next;
};

/* tree_parse - the root of the text, or NULL when it is not JSON. */
struct node *tree_parse(const char *text, size_t len);

/* node_get - the member of that name; the last one when it stands there more than once, NULL when
 * there is none or it is null. */
struct node *node_get(const struct node *n, const char *key);

/* node_get_either - the member under the first name, else under the second. */
struct node *node_get_either(const struct node *n, const char *key, const char *other);

/* node_first - the first element of a list; NULL for anything else. */
struct node *node_first(const struct node *n);

/* node_kind - the kind, 0 for NULL. */
char node_kind(const struct node *n);

/* node_is - whether it is a string of exactly this text. */
bool node_is(const struct node *n, const char *text);

/* node_text - the inside of a string; empty for anything else. */
struct span node_text(const struct node *n);

/* node_int - the integer part of a number; `otherwise` for anything else. */
int64_t node_int(const struct node *n, int64_t otherwise);

/* node_real - a number; `otherwise` for anything else. */
double node_real(const struct node *n, double otherwise);

/* node_in - whether a word list, words separated by blanks, holds this text. */
bool node_in(struct span text, const char *words);

/* node_stranger - the first member whose name is not in the word list, or NULL. */
const struct node *node_stranger(const struct node *n, const char *words);

/* node_put - append the value as it stands; null for NULL. */
void node_put(const struct node *n, struct bytes *out);

/* node_put_example - append a value that fits the JSON Schema, or the Gemini schema, in n.
 * said: an escaped text for strings. root: what $ref begins at. */
void node_put_example(const struct node *n, const struct node *root, struct span said,
                      struct bytes *out);

#endif
