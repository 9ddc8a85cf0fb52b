/* leader - who does a task of upkeep now: its row in the table upkeep, taken by a conditional UPDATE
 * on the database's clock (GET_LOCK is local to a node of a cluster: two leaders).
 *
 * The row is the taker's for LEADER_TERM_S and renewed while the task goes on; that of a dead taker
 * ends by itself. A leader that stood still for longer may meet a second one: every task is safe if
 * two do it. A struct leader belongs to one thread. */
#ifndef AIPASS_DB_LEADER_H
#define AIPASS_DB_LEADER_H

#include "base/clock.h"
#include "base/err.h"
#include "db/db.h"

#include <stdbool.h>

#define LEADER_TERM_S    60
#define LEADER_NAME_SIZE 33
#define LEADER_TEXT_SIZE 200

struct leader {
    struct db *db;
    char name[LEADER_NAME_SIZE];
    char holder[ULID_SIZE];
    int64_t renewed_ms;
};

/* leader_take - the task is ours until leader_done. holder: ULID of the taker. even_early: also when
 * it is not due. ERR_BUSY: it is not due, somebody else has it, or there is no such task;
 * ERR_DB_DOWN and the like. */
ERR_CHECK enum err leader_take(struct leader *l, struct db *db, const char *name,
                               const char *holder, bool even_early);

/* leader_renew - still ours for another term; nearly free when called often. ERR_BUSY: no longer,
 * somebody else may do it. */
ERR_CHECK enum err leader_renew(struct leader *l);

/* leader_done - gives the task back. next_s: due again after this; below 0: it stays due. is_done:
 * it was done. outcome: for admins. ERR_BUSY: it was not ours any more, nothing is written. */
ERR_CHECK enum err leader_done(struct leader *l, int64_t next_s, bool is_done, const char *outcome);

/* leader_find_due - is any task due and free? One cheap query. */
ERR_CHECK enum err leader_find_due(struct db *db, bool *any);

/* leader_now - the database's clock, Unix time in ms. */
ERR_CHECK enum err leader_now(struct db_conn *c, int64_t *wall_ms);

#endif
