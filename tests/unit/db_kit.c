#include "tests/unit/db_kit.h"

#include <check.h>

struct db *db_kit_open(struct mariadb *server)
{
    struct db *db = db_new(server->config);

    ck_assert_ptr_nonnull(db);
    return db;
}

struct db_conn *db_kit_take(struct db *db)
{
    struct db_conn *c = NULL;

    ck_assert_int_eq(db_take(db, &c), ERR_OK);
    return c;
}

struct db_conn *db_kit_take_with(struct mariadb *server, struct db *db, const char *sql_create)
{
    mariadb_empty(server);
    mariadb_exec(server, "%s", sql_create);
    return db_kit_take(db);
}
