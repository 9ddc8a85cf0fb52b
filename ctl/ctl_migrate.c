#include "ctl/ctl.h"

#include "db/db.h"
#include "db/leader.h"
#include "db/migrate.h"
#include "db/partition.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define STATEMENT_MS INT64_C(3600000) /* an ALTER of a large table takes its time */
#define PATH_SIZE    4096

const struct ctl_option ctl_migrate_options[] = {
    {"dry-run", NULL,  "only tell what would be applied"                               },
    {"sql",     "DIR", "apply nothing: write the files there, to paste into phpMyAdmin"},
    {NULL,      NULL,  NULL                                                            },
};

/* The user of the gateway may not change tables, this one may: months ahead are made here. */
static void make_partitions(struct db *db)
{
    struct db_conn *c = NULL;
    int64_t now_ms = 0;
    int made = 0;
    enum err e = db_take(db, &c);
    if (!e)
        e = leader_now(c, &now_ms);
    db_give(db, c);
    if (!e)
        e = partition_ensure(db, now_ms, false, &made);
    if (e == ERR_FULL)
        puts("usage_log: p_max holds many rows; aipassctl upkeep --reorganize splits it");
    else if (e)
        printf("usage_log: no partitions were made: %s\n", err_name(e));
    else if (made)
        printf("usage_log: %d monthly partitions made\n", made);
}

/* Needs neither configuration nor database. */
static enum ctl_exit write_files(const char *dir)
{
    char path[PATH_SIZE];
    for (const struct migration *m = migrations; m->sql; m++) {
        int n = m->version
                    ? snprintf(path, sizeof(path), "%s/%04d_%s.sql", dir, m->version, m->name)
                    : snprintf(path, sizeof(path), "%s/%s.sql", dir, m->name);
        if (n < 0 || (size_t)n >= sizeof(path))
            return ctl_fail("%s: the path is too long", dir);
        FILE *out = fopen(path, "we");
        bool is_written = out && !migrate_write(m, out);
        if (out && fclose(out))
            is_written = false;
        if (!is_written)
            return ctl_fail("%s: %s", path, strerror(errno));
    }
    return CTL_OK;
}

enum ctl_exit ctl_migrate(const struct ctl_args *args)
{
    const char *dir = ctl_value(args, "sql");
    if (dir)
        return write_files(dir);
    enum migrate_mode mode = ctl_value(args, "dry-run") ? MIGRATE_DRY_RUN : MIGRATE_APPLY;
    struct config *config = ctl_config(args);
    if (!config)
        return CTL_FAILED;
    struct db *db = db_new(config);
    enum err e = ERR_MEMORY;
    if (db) {
        int applied = 0;
        db_set_read_timeout(db, STATEMENT_MS);
        e = migrate_run(db, mode, stdout, &applied);
        if (!e && mode == MIGRATE_APPLY)
            make_partitions(db);
    }
    db_free(db);
    config_free(config);
    return e ? ctl_fail("migrate: %s", err_name(e)) : CTL_OK;
}
