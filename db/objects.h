/* objects - what providers keep for our clients (responses that can be continued): on which channel
 * and with which key it was made, and whose it is. Rows of provider_objects, gone after 30 days.
 *
 * An object is its account's alone: for any other it does not exist. Blocks; any thread. */
#ifndef AIPASS_DB_OBJECTS_H
#define AIPASS_DB_OBJECTS_H

#include "base/err.h"
#include "base/str.h"
#include "db/chores.h"
#include "db/db.h"

#include <stdint.h>

#define OBJECT_ID_MAX 255 /* bytes of an object's name */

/* Order and names of provider_objects.kind. */
enum object_kind { OBJECT_RESPONSE };

/* Where an object lies. */
struct object_place {
    int64_t account_id;
    int64_t channel_id;
    int64_t channel_key_id;
};

/* object_put - notes an object that a provider has made. id: as the provider named it, 1 to
 * OBJECT_ID_MAX bytes of printable ASCII, else ERR_FORMAT. Noted before for the same place: ERR_OK;
 * for another: ERR_DB_DUPLICATE, the first one stays. ERR_DB_DOWN, ERR_BUSY, ERR_DB,
 * ERR_DB_UNKNOWN (it can be repeated). */
ERR_CHECK enum err object_put(struct db *db, enum object_kind kind, struct slice id,
                              const struct object_place *place);

/* object_find - ERR_NOT_FOUND: there is none, it has expired, or it is another account's. Errors of
 * the database. */
ERR_CHECK enum err object_find(struct db *db, enum object_kind kind, struct slice id,
                               int64_t account_id, struct object_place *out);

/* object_delete - forgets it. ERR_NOT_FOUND as object_find. */
ERR_CHECK enum err object_delete(struct db *db, enum object_kind kind, struct slice id,
                                 int64_t account_id);

/* objects_run - the task: expired rows go, a bounded number at a time. */
ERR_CHECK enum err objects_run(struct chore_run *r);

#endif
