/* db_kit - connections to the server of a test. Every function fails the test when it cannot. */
#ifndef AIPASS_TESTS_DB_KIT_H
#define AIPASS_TESTS_DB_KIT_H

#include "db/db.h"
#include "tests/unit/mariadb.h"

/* db_kit_open - a pool by the server's configuration; db_free it. */
struct db *db_kit_open(struct mariadb *server);

/* db_kit_take - a connection; db_give it. db_kit_take_with - after the database was emptied and
 * sql_create run in it. */
struct db_conn *db_kit_take(struct db *db);
struct db_conn *db_kit_take_with(struct mariadb *server, struct db *db, const char *sql_create);

#endif
