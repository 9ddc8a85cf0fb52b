/* chores - the tasks that one process does for all: checkpoints, roll-ups, partitions, retention,
 * expired objects.
 *
 * What is due is in the table upkeep; leader.h says who does it. chores_run does what is due now, in
 * the caller's thread, over a connection of its own that is open for the run only: its statements may
 * take minutes, which must not look like a database that is down. One thread at a time, but for chores_cancel. */
#ifndef AIPASS_DB_CHORES_H
#define AIPASS_DB_CHORES_H

#include "base/config.h"
#include "base/err.h"
#include "db/leader.h"

#include <stdio.h>

struct chores;

/* One run of one task. */
struct chore_run {
    struct chores *chores;
    struct db *db;
    struct leader leader;
    bool may_reorganize;            /* also a p_max with many rows, while writes wait */
    char outcome[LEADER_TEXT_SIZE]; /* what came of it, for admins */
};

/* chore_go_on - between two steps: the task is still ours and nobody wants us to stop. ERR_BUSY:
 * stop here, what was done stays done. */
ERR_CHECK enum err chore_go_on(struct chore_run *r);

/* chore_say - sets the outcome. */
void chore_say(struct chore_run *r, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

struct chores_options {
    bool even_early;     /* every task, due or not */
    bool may_reorganize; /* split a p_max with many rows; writes to usage_log wait meanwhile */
    FILE *tell;          /* what was done, a line each; NULL: nobody asks */
    /* Before each task, done of total are behind; NULL: nobody asks. */
    void (*on_task)(void *arg, const char *name, int done, int total);
    void *arg;
};

/* chores_new - connects to nothing yet; borrows config. NULL: no memory. */
struct chores *chores_new(const struct config *config);
void chores_free(struct chores *c);

/* chores_run - does what is due and not done by somebody else. *failed: how many tasks failed; why is
 * in the log and in upkeep.outcome. ERR_DB_DOWN and the like: the database could not be asked. */
ERR_CHECK enum err chores_run(struct chores *c, const struct chores_options *o, int *failed);

/* chores_cancel - a running chores_run ends at its next step, and every later one at once. Any
 * thread. */
void chores_cancel(struct chores *c);

#endif
