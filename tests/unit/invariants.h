/* invariants - what must hold about money in the database at any moment, checked by SQL. For unit and end-to-end tests. */
#ifndef AIPASS_TESTS_INVARIANTS_H
#define AIPASS_TESTS_INVARIANTS_H

#include "tests/unit/mariadb.h"

enum invariants_also {
    INVARIANTS_DRAINED = 1, /* no lease, no process, no position is left */
    INVARIANTS_PRICED = 2,  /* each cost recomputes from its price lines */
};

/* invariants_broken - NULL when all hold; else a text that names the rule and the first rows that break it, valid until the next call.
 *   I1 balance - sum(leases) >= 0 for each account          I2 balance = sum of all ledger rows
 *   I3 sum(usage cost) = -sum(ledger usage) for each account I4 cost recomputes (INVARIANTS_PRICED)
 *   I7 nothing is left (INVARIANTS_DRAINED)                  no lease without its process, none below 0
 * also: of enum invariants_also. */
const char *invariants_broken(struct mariadb *m, int also);

/* The queries, each giving a text for what breaks it or NULL; for other harnesses. Ends with sql NULL. */
struct invariant {
    const char *name;
    const char *sql;
    int only_with; /* of enum invariants_also; 0: always */
};
extern const struct invariant invariants[];

#endif
