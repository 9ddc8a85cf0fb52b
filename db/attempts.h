/* attempts - the upkeep of request_attempts: rows go after 30 days, or with their months of
 * usage_log. Blocks. */
#ifndef AIPASS_DB_ATTEMPTS_H
#define AIPASS_DB_ATTEMPTS_H

#include "db/chores.h"

#define ATTEMPTS_KEEP_DAYS 30

/* The task. */
ERR_CHECK enum err attempts_run(struct chore_run *r);

#endif
