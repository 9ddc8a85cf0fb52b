/* migrate - brings the schema up to date: numbered SQL files, forward only, one runner at a
 * time, checksums recorded.
 *
 * The files are embedded in the program (generated table `migrations`).
 * schema_migrations(version, name, checksum, applied_at) is the record; optional files have
 * version 0 there. One runner: a row (0, lock) of the same table, taken by a conditional UPDATE
 * on the database's clock and renewed while the runner lives; that of a dead one ends after 60
 * s. The files can be run again without harm, so that one which was cut off, or run by hand, is
 * simply run again. */
#ifndef AIPASS_DB_MIGRATE_H
#define AIPASS_DB_MIGRATE_H

#include "base/err.h"
#include "db/db.h"

#include <stdio.h>

struct migration {
    int version;      /* 0 for an optional file (views) */
    const char *name; /* "create_accounts" */
    const char *sql;
};
/* Ascending, optional ones last; ends with sql NULL. Made from db/migrations and db/views.sql. */
extern const struct migration migrations[];

enum migrate_mode { MIGRATE_APPLY, MIGRATE_DRY_RUN };

/* migrate_run - applies what is missing, tells each on out, and every failure too. *applied: how
 * many (would be, in a dry run, which writes nothing). ERR_FORMAT: refused, a recorded checksum
 * differs from the file or the database is newer than the program. ERR_BUSY: another runner went
 * on for 10 minutes. ERR_DB: a statement failed; what came before it stays. Optional files are
 * applied when the right to create views is there, else said to be skipped. Call
 * db_set_read_timeout before: an ALTER may take long. */
ERR_CHECK enum err migrate_run(struct db *db, enum migrate_mode mode, FILE *out, int *applied);

/* migrate_write - a file as it can be pasted into phpMyAdmin: its SQL, and what records it, so that
 * program and migrate_run know it as applied. No database is asked. ERR_IO: out takes no more. */
ERR_CHECK enum err migrate_write(const struct migration *m, FILE *out);

/* migrate_check - the schema is exactly what this program needs, or newer by one. ERR_CONFIG
 * with a text for the log otherwise, ERR_DB_DOWN. */
ERR_CHECK enum err migrate_check(struct db_conn *c, char *text, size_t size);

#endif
