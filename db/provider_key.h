/* provider_key - provider keys that their provider refuses: disabled in the database for all
 * processes, tried again with growing pauses, enabled when they work. Each change has a row in
 * audit_log.
 *
 * Statements on a connection of the pool; any thread; block up to db_timeout_ms. */
#ifndef AIPASS_DB_PROVIDER_KEY_H
#define AIPASS_DB_PROVIDER_KEY_H

#include "db/db.h"

#define PROVIDER_KEY_PAUSE_MAX_S 86400

/* provider_key_disable - an enabled key is enabled no more; probe_ms: its first pause. A key that is
 * disabled already stays as it is. reason: without secrets. Errors of db_transact. */
ERR_CHECK enum err provider_key_disable(struct db *db, int64_t key_id, const char *reason,
                                        int64_t probe_ms);

/* provider_key_claim - one request may try the disabled key now, and it is the caller's: its next
 * try is set to the next pause, twice as long as the last. ERR_END: it is not due, another process
 * was faster, or it is not disabled any more. Errors of db_run. */
ERR_CHECK enum err provider_key_claim(struct db *db, int64_t key_id, int64_t probe_ms);

/* provider_key_enable - a key that the gateway has disabled works. */
ERR_CHECK enum err provider_key_enable(struct db *db, int64_t key_id);

#endif
