/* catalog_read - reads one snapshot of the catalog from MariaDB, in one consistent read.
 * Internal to catalog. */
#ifndef AIPASS_DB_CATALOG_READ_H
#define AIPASS_DB_CATALOG_READ_H

#include "db/catalog.h"

#include <stdatomic.h>
#include <stdint.h>

struct snapshot {
    struct catalog catalog; /* first: a catalog leads back to its snapshot */
    atomic_int refs;
    struct arena *arena; /* holds all that catalog points to */
    struct catalog_channel_key *keys;
    size_t keys_n;
    int64_t skipped_n;  /* provider keys that could not be opened... */
    int64_t skipped_id; /* ... and one of them */
};

/* snapshot_read - seal_key: SEAL_KEY_BYTES, NULL when there is none. Plain secrets are sealed in
 * the database when there is one. *out has one reference. ERR_DB_DOWN, ERR_BUSY, ERR_DB,
 * ERR_DB_RETRY, ERR_MEMORY. Blocks. */
ERR_CHECK enum err snapshot_read(struct db *db, const uint8_t *seal_key, struct snapshot **out);

/* snapshot_free - wipes the secrets. NULL is allowed. */
void snapshot_free(struct snapshot *s);

#endif
