/* key - who sends: API keys looked up by their SHA-256 through a cache at most key_fresh_ms old.
 *
 * All keys in use are re-read in one batch each second while requests come (key_refresh, called
 * by the upkeep thread), so a revocation, expiry or DELETE by SQL counts within 1 s in every
 * process. While the database is down a cached key stays valid up to key_stale_ms. Unknown keys
 * are not cached as valid, but remembered as unknown for key_fresh_ms (bounded table), so that a
 * flood of them costs little. Any thread. */
#ifndef AIPASS_DB_KEY_H
#define AIPASS_DB_KEY_H

#include "base/config.h"
#include "base/err.h"
#include "base/str.h"
#include "db/address_range.h"
#include "db/db.h"

#include <stdbool.h>

#define KEY_PREFIX   "sk-aip-"
#define KEY_TEXT_MAX 256

/* An immutable copy for one request. */
struct key {
    int64_t id;
    int64_t account_id;
    int64_t group_id;
    int64_t group_multiplier_ppm; /* millionths */
    int64_t account_multiplier_ppm;
    char name[101];
    char hint[33];
    const int64_t *model_ids; /* ascending; NULL: all models */
    size_t model_ids_n;
    const struct address_range *ranges; /* NULL: from everywhere */
    size_t ranges_n;
};

struct key_cache;
/* key_cache_new - empty; db and config must outlive it. NULL: no memory. key_cache_free - NULL
 * allowed; no key may be in use. */
struct key_cache *key_cache_new(struct db *db, const struct config *config);
void key_cache_free(struct key_cache *k);

/* key_acquire - text: the key as sent. *out stays valid until key_release. ERR_BAD_KEY: not one
 * of ours, revoked, disabled, expired, or its account disabled; ERR_UNAVAILABLE: the database is
 * down and the cache cannot answer. May block for one query. */
ERR_CHECK enum err key_acquire(struct key_cache *k, struct slice text, const struct key **out);
void key_release(const struct key *key);

/* key_may_use - the lists of models of the key, its account and its group allow it. */
bool key_may_use(const struct key *key, int64_t model_id);

/* key_may_come_from - address: REMOTE_ADDR. */
bool key_may_come_from(const struct key *key, struct slice address);

/* key_refresh - re-reads all keys used within the last seconds in one batch. Called each second
 * by upkeep; false: nothing was in use. */
bool key_refresh(struct key_cache *k);

#endif
