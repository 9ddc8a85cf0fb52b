/* ctl_sql - what the commands over tables share: a connection, rows of a SELECT, and changes in one
 * transaction that --dry-run rolls back.
 *
 * Every function tells on stderr what went wrong. One thread. */
#ifndef AIPASS_CTL_CTL_SQL_H
#define AIPASS_CTL_CTL_SQL_H

#include "ctl/ctl_output.h"
#include "db/db.h"

/* The options of commands that change rows, for their tables. */
#define CTL_CHANGE_OPTIONS                                                                         \
    {                                                                                              \
        "dry-run", NULL, "do it, tell what came of it, and take it back"                           \
    }
#define CTL_YES_OPTION                                                                             \
    {                                                                                              \
        "yes", NULL, "without asking"                                                              \
    }

struct ctl_sql {
    const struct ctl_args *args;
    struct config *config;
    struct db *db;
    struct db_conn *conn;
};

/* ctl_sql_open - reads the configuration and connects. s: out on CTL_OK; ctl_sql_close it. */
enum ctl_exit ctl_sql_open(const struct ctl_args *args, struct ctl_sql *s);
/* ctl_sql_close - an open transaction is rolled back. */
void ctl_sql_close(struct ctl_sql *s);

/* ctl_sql_print - the rows of a SELECT, as many columns as `columns` has. */
enum ctl_exit ctl_sql_print(struct ctl_sql *s, const struct ctl_column *columns, const char *sql,
                            const struct db_value *params, size_t n);

/* ctl_sql_id - the number in the first column of the first row. No row: "there is no WHAT". */
enum ctl_exit ctl_sql_id(struct ctl_sql *s, const char *sql, struct db_value param,
                         const char *what, int64_t *id);

/* ctl_sql_begin, ctl_sql_run, ctl_sql_end - a change: begin, statements (changed: out, may be NULL),
 * and the end: result CTL_OK commits, or with --dry-run rolls back and says so; anything else rolls
 * back. Returns the result. */
enum ctl_exit ctl_sql_begin(struct ctl_sql *s);
enum ctl_exit ctl_sql_run(struct ctl_sql *s, const char *sql, const struct db_value *params,
                          size_t n, uint64_t *changed);
enum ctl_exit ctl_sql_end(struct ctl_sql *s, enum ctl_exit result);

/* A row whose status commands change. */
struct ctl_status {
    const char *what;   /* "channel" */
    const char *sql_id; /* its number by its name */
    const char *sql;    /* changes it: the status, the number */
    const char *within; /* how soon it counts: "five seconds" */
};

/* ctl_sql_set_status - the row that the first word names gets the status, and it is told. */
enum ctl_exit ctl_sql_set_status(const struct ctl_args *args, const struct ctl_status *of,
                                 const char *status);

/* ctl_sql_fail - tells what the database answered. */
enum ctl_exit ctl_sql_fail(const struct ctl_sql *s, enum err e);

/* ctl_db_text - an option as a parameter: NULL when it was not given. */
struct db_value ctl_db_text(const struct ctl_args *args, const char *option);

/* ctl_amount - an amount in USD not below 0; "none" is NULL when may_be_none. what: for the text. */
enum ctl_exit ctl_amount(const char *what, const char *text, bool may_be_none,
                         struct db_value *out);

/* ctl_account_id, ctl_group_id - their numbers by name. ctl_count - the option -n, 1 to max. */
enum ctl_exit ctl_account_id(struct ctl_sql *s, const char *name, int64_t *id);
enum ctl_exit ctl_group_id(struct ctl_sql *s, const char *name, int64_t *id);
enum ctl_exit ctl_count(const struct ctl_args *args, int64_t usual, int64_t max, int64_t *n);

/* ctl_confirm - asks on a terminal; --yes is a yes; elsewhere CTL_USAGE: "--yes does it". CTL_FAILED:
 * the answer was no. A dry run needs no answer. */
enum ctl_exit ctl_confirm(const struct ctl_args *args, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* ctl_say - talk: a line on stderr. */
void ctl_say(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif
