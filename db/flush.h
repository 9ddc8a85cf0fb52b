/* flush - one segment file of a process, own or dead, as one transaction: its usage rows, one ledger row per account, its leases lowered, its position moved.
 *
 * A repeat is harmless: the position tells. What the database refuses for its content goes to spool/rejected first, then the rest is flushed. Blocks for disk and database; one thread
 * per process journal is usual, two are harmless. */
#ifndef AIPASS_DB_FLUSH_H
#define AIPASS_DB_FLUSH_H

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

struct money;

struct flush_source {
    const char *process; /* whose journal */
    const char *dir;     /* its spool directory */
    bool is_own;         /* leases in memory follow */
    uint64_t number;
    uint64_t
        previous; /* the position that it follows on: number - 1, unless there is a gap that nothing can fill */
    uint64_t position; /* out on ERR_RANGE: the position found */
};

/* flush_segment - ERR_OK: committed. ERR_END: it was in the database already. ERR_RANGE: earlier ones are missing there. Else it is to be tried again: ERR_DB_DOWN, ERR_BUSY, ERR_DB_UNKNOWN,
 * ERR_DB_RETRY soon; ERR_DB, ERR_IO, ERR_MEMORY (logged) later. */
ERR_CHECK enum err flush_segment(struct money *m, struct flush_source *src);

/* flush_note_again - the costs of an own segment count as spent again: its commit was lost. ERR_IO, ERR_MEMORY. */
ERR_CHECK enum err flush_note_again(struct money *m, uint64_t number);

#endif
