/* ctl_output - rows for stdout: a table on a terminal, tab-separated values in a pipe, JSON by
 * --json, or what --output says.
 *
 * A table is kept in memory until its end, the others go out row by row. NULL is "-" in a table,
 * nothing in tab-separated values (where tab, line end and backslash become \t, \n and \\), null
 * in JSON. One thread. */
#ifndef AIPASS_CTL_CTL_OUTPUT_H
#define AIPASS_CTL_CTL_OUTPUT_H

#include "base/str.h"
#include "ctl/ctl.h"

#include <stdbool.h>
#include <stddef.h>

#define CTL_COLUMNS_MAX 24

enum ctl_kind {
    CTL_TEXT,
    CTL_NUMBER, /* an integer: right-aligned, no quotes in JSON. Money is text: it must stay exact */
};

struct ctl_column {
    const char *name;
    enum ctl_kind kind;
};

/* The options of commands that print rows, for their tables. */
#define CTL_ROWS_OPTIONS                                                                           \
    {"json", NULL, "print a JSON array"},                                                          \
    {                                                                                              \
        "output", "FORMAT", "table, tsv or json"                                                   \
    }

struct ctl_rows;

/* ctl_rows_new - columns: ends with name NULL, borrowed. Prints the head of what has one. NULL: told
 * on stderr why. */
struct ctl_rows *ctl_rows_new(const struct ctl_args *args, const struct ctl_column *columns);
/* ctl_rows_add - the next cell; the last column's ends the row. p NULL: NULL. */
void ctl_rows_add(struct ctl_rows *r, struct slice value);
/* ctl_rows_add_z - the same of a C string, NULL for NULL. */
void ctl_rows_add_z(struct ctl_rows *r, const char *value);
/* ctl_rows_end - prints what is left; frees. CTL_FAILED, told: no memory. */
enum ctl_exit ctl_rows_end(struct ctl_rows *r);

/* ctl_has_color - the stream is a terminal that wants colour: NO_COLOR and TERM=dumb say no. */
bool ctl_has_color(FILE *stream);

/* A line on stderr that says how far something has come: a bar on a terminal, else a line each ten
 * seconds. */
struct ctl_progress {
    const char *what;
    long long done, total; /* total 0: not known */
    long long started_ms, told_ms;
};
void ctl_progress_begin(struct ctl_progress *p, const char *what, long long total);
void ctl_progress_step(struct ctl_progress *p, long long done);
void ctl_progress_end(struct ctl_progress *p);
/* ctl_progress_now - for long steps, before each: tells on a terminal at once which one it is. */
void ctl_progress_now(struct ctl_progress *p, long long done, const char *step);

#endif
