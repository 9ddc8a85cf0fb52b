/* mariadb - a MariaDB for tests: a private server on a unix socket in a directory of its own, or
 * a database of its own on a running server.
 *
 * mariadb_start uses the server that $AIPASS_TEST_MYSQL (an option file, group [aipass] or
 * [client]) leads to, if it is set; tests that stop, kill or freeze the server call
 * mariadb_start_own. A private server dies with the process that started it. Every function ends
 * the program with a text when it fails: a test without its database has nothing to say. Not for
 * threads, but for mariadb_freeze and mariadb_thaw. */
#ifndef AIPASS_TESTS_MARIADB_H
#define AIPASS_TESTS_MARIADB_H

#include "base/config.h"

#include <stdbool.h>
#include <sys/types.h>

struct mariadb {
    char *dir;         /* everything lies in it; removed by mariadb_stop */
    char *socket_dir;  /* where the socket is: dir, or a short path in /tmp */
    char *socket;      /* NULL: a shared server */
    char *option_file; /* group [aipass], names the database */
    char database[64]; /* "" before the first mariadb_fresh */
    struct config
        *config; /* defaults with option_file, spool_dir in dir; may be changed before db_new */
    pid_t pid;   /* 0: not running, or shared */
    pid_t owner; /* the process that called mariadb_start */
    void *root;  /* a connection of the harness itself, MYSQL * */
};

/* mariadb_start - a server to use; mariadb_fresh comes next. Its work directory:
 * $AIPASS_TEST_DIR or build/tmp. */
void mariadb_start(struct mariadb *m);
void mariadb_start_own(struct mariadb *m);
/* mariadb_stop - ends it and removes all it had. */
void mariadb_stop(struct mariadb *m);

/* mariadb_fresh - drops the last database and makes a new one with the whole schema.
 * mariadb_empty - without any table. */
void mariadb_fresh(struct mariadb *m);
void mariadb_empty(struct mariadb *m);

/* mariadb_exec - runs SQL (several statements are allowed) as root in the database. mariadb_try
 * - the error number instead of the end; 0: worked.
 * mariadb_value - the first column of the first row as text, valid until the next call; "" when
 * there is none. mariadb_number - the same as a number. */
void mariadb_exec(struct mariadb *m, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
unsigned mariadb_try(struct mariadb *m, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
const char *mariadb_value(struct mariadb *m, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
long long mariadb_number(struct mariadb *m, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* For private servers, in the process that started it (not in a fork of it). mariadb_kill -
 * SIGKILL, and waits for its end; mariadb_restart - starts it again on the same files. */
void mariadb_kill(struct mariadb *m);
void mariadb_restart(struct mariadb *m);
void mariadb_freeze(const struct mariadb *m);
void mariadb_thaw(const struct mariadb *m);

/* mariadb_use_limited - config becomes that of a user who has only these privileges on the
 * database, as in "SELECT, INSERT". */
void mariadb_use_limited(struct mariadb *m, const char *privileges);

#endif
