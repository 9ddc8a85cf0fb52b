#include "ctl/ctl.h"

#include "db/db.h"
#include "db/migrate.h"

#include <stdio.h>

#define STATEMENT_MS    INT64_C(3600000) /* an ALTER of a large table takes its time */
#define CONNECTIONS_MIN 2                /* one runs the files, one keeps the lock */

const struct ctl_option ctl_migrate_options[] = {
    {"dry-run", NULL, "only tell what would be applied"},
    {NULL,      NULL, NULL                             },
};

enum ctl_exit ctl_migrate(const struct ctl_args *args)
{
    enum migrate_mode mode = ctl_value(args, "dry-run") ? MIGRATE_DRY_RUN : MIGRATE_APPLY;
    struct config *config = ctl_config(args);
    if (!config)
        return CTL_FAILED;
    if (config->db_connections_max < CONNECTIONS_MIN)
        config->db_connections_max = CONNECTIONS_MIN;
    struct db *db = db_new(config);
    enum err e = ERR_MEMORY;
    if (db) {
        int applied = 0;
        db_set_read_timeout(db, STATEMENT_MS);
        e = migrate_run(db, mode, stdout, &applied);
    }
    db_free(db);
    config_free(config);
    return e ? ctl_fail("migrate: %s", err_name(e)) : CTL_OK;
}
