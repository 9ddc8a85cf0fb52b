/* site - what the settings tell everybody about who runs the installation.
 *
 * Part of a snapshot of the catalog: read once, in its arena, then immutable; any thread. */
#ifndef AIPASS_DB_SITE_H
#define AIPASS_DB_SITE_H

#include "base/arena.h"
#include "base/err.h"
#include "db/db.h"

struct site {
    const char *support_email; /* NULL: none */
    const char *support_url;   /* http or https; NULL: none */
};

/* site_read - the settings that are not empty, in the arena. Errors of db_run; ERR_MEMORY. Blocks. */
ERR_CHECK enum err site_read(struct db_conn *c, struct arena *arena, struct site *out);

#endif
