/* audit - whether the money is right after a run: what the clients saw, what the database holds,
 * and what the provider's simulator counted, each against the others.
 *
 *   I1 to I4, I7   tests/unit/invariants.c
 *   I5, I6         each answer that began has its row, each provider call as well
 *   I8             no row above what its request costs; a whole answer's row is exactly that
 *   I9             a refused request has no row, an account without money no provider call
 *   I10            of many requests on credit for one, one is answered (load_race)
 *   I11            an outage is 503 with Retry-After; never 401, 402 or 500 of ours
 *
 * One thread. */
#ifndef TESTS_CRASH_AUDIT_H
#define TESTS_CRASH_AUDIT_H

#include "tests/crash/load.h"

enum { AUDIT_TEXT = 400 };

struct audit {
    int64_t requests; /* that clients made */
    int64_t whole;    /* answered to the end */
    int64_t calls;    /* that reached the provider */
    int64_t rows;
    int64_t interrupted;     /* of the rows */
    int64_t lost;            /* answers or provider calls without a row */
    int64_t doubled;         /* rows beyond the requests, and costs beyond what was asked for */
    int64_t drift_nusd;      /* between recharges, balances and usage */
    char broken[AUDIT_TEXT]; /* "": all is right; else the first rule that is not */
};

/* audit_seed - its own table; once a database. */
void audit_seed(void);

/* audit_begin - the simulator counts from 0. */
void audit_begin(void);

/* audit_moment - what must hold while everything runs. Returns NULL, or what does not. Needs the
 * database. */
const char *audit_moment(void);

/* audit_run - after the drain of a run; spool: the spool directory. */
void audit_run(const struct load *l, const char *spool, struct audit *out);

#endif
