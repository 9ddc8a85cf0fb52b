/* channel_list - the channels that take requests, with all that belongs to them but keys: groups,
 * headers, meanings of statuses.
 *
 * Part of a snapshot of the catalog: read once, in its arena, then immutable; any thread. */
#ifndef AIPASS_DB_CHANNEL_LIST_H
#define AIPASS_DB_CHANNEL_LIST_H

#include "base/arena.h"
#include "db/catalog.h"
#include "db/db.h"

/* channel_list_read - the enabled ones, by id, into the arena. Errors of db_run; ERR_MEMORY. Blocks. */
ERR_CHECK enum err channel_list_read(struct db_conn *c, struct arena *arena,
                                     struct catalog_channel **out, size_t *out_n);

/* channel_list_find - by its number; NULL. */
struct catalog_channel *channel_list_find(struct catalog_channel *list, size_t n, int64_t id);

#endif
