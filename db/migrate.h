/* migrate - brings the schema up to date: numbered SQL files, forward only, one runner at a time, checksums recorded.
 *
 * The files are embedded in the program (generated table `migrations`). schema_migrations(version, name, checksum, applied_at) is the record.
 * One runner: LOCK by a conditional UPDATE/INSERT row in schema_migrations itself (version 0), on the database's clock. */
#ifndef AIPASS_DB_MIGRATE_H
#define AIPASS_DB_MIGRATE_H

#include "base/err.h"
#include "db/db.h"

#include <stdio.h>

struct migration {
    int version;       /* 0 for an optional file (views) */
    const char *name;  /* "create_accounts" */
    const char *sql;
};
extern const struct migration migrations[]; /* ascending; ends with sql NULL; generated from db/migrations and db/views.sql */

enum migrate_mode { MIGRATE_APPLY, MIGRATE_DRY_RUN };

/* migrate_run - applies what is missing, tells each on out. *applied: how many. Refuses (ERR_FORMAT) when a recorded checksum differs from the file or
 * the database is newer than the program. Optional files are applied when the right to create views is there, else said to be skipped. */
ERR_CHECK enum err migrate_run(struct db *db, enum migrate_mode mode, FILE *out, int *applied);

/* migrate_check - the schema is exactly what this program needs, or newer by one. ERR_CONFIG with a text for the log otherwise. */
ERR_CHECK enum err migrate_check(struct db_conn *c, char *text, size_t size);

#endif
