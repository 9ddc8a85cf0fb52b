/* key_query - reads API keys from MariaDB: one by its hash, or many by their ids. Internal to
 * key. Blocks; any thread. */
#ifndef AIPASS_DB_KEY_QUERY_H
#define AIPASS_DB_KEY_QUERY_H

#include "base/hash.h"
#include "db/key.h"

#include <stdatomic.h>

#define KEY_BATCH 64 /* ids in one statement */

/* A valid key as it was read, shared by the cache and the requests that use it; immutable but
 * for refs. */
struct key_object {
    struct key key; /* first: a key leads back to its object */
    atomic_int refs;
    uint8_t hash[SHA256_BYTES];
    int64_t expires_mono_ms; /* INT64_MAX: never */
    int64_t *allowed;        /* what account and group leave; ascending. NULL: all */
    size_t allowed_n;
    struct address_range *ranges; /* NULL: from everywhere */
    int64_t model_ids[];
};

/* key_query_hash - *out: the valid key of that hash with one reference, NULL when there is none. */
ERR_CHECK enum err key_query_hash(struct db *db, const uint8_t *hash, struct key_object **out);

/* key_query_ids - those of ids (n at most KEY_BATCH) that are valid now: found gets up to n
 * objects, one reference each. On an error none. */
ERR_CHECK enum err key_query_ids(struct db_conn *c, const int64_t *ids, size_t n,
                                 struct key_object **found, size_t *found_n);

/* key_object_ref - o with one more reference. */
struct key_object *key_object_ref(struct key_object *o);
/* key_object_unref - frees with the last reference. NULL is allowed. */
void key_object_unref(struct key_object *o);

#endif
