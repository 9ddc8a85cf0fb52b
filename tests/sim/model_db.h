/* model_db - the database: account_state, leases, processes, journal_positions, usage_log and ledger as the SQL of db/money_sql*.c leaves them, with what can happen to a transaction.
 *
 * A transaction takes its row locks, waits for those of others (or gives up with ERR_DB_RETRY), and commits; or it is rolled back; or its COMMIT has no answer, and it is applied now, never, or
 * later: until then it keeps its locks. A take reads what there is in one moment and commits in a later one. Plain reads see what is committed and wait for nobody. A failover puts the tables
 * back to how they were a few commits ago. Processes see the generation grow when they have a new connection after a loss. */
#ifndef AIPASS_TESTS_MODEL_DB_H
#define AIPASS_TESTS_MODEL_DB_H

#include "tests/sim/oracle.h"

struct model_lease {
    bool exists;
    int64_t amount_nusd;
    uint64_t n;
};

struct model_process {
    bool exists;
    int64_t seen_ms;
    bool has_position;
    uint64_t position;
    struct model_lease leases[ACCOUNTS_N];
    int64_t taken_nusd[ACCOUNTS_N]; /* all that it ever took */
};

struct model_account {
    int64_t balance_nusd;
    int64_t used_nusd;    /* sum of usage_log.cost */
    int64_t charged_nusd; /* sum of the ledger's usage rows, negated */
    int64_t slack_nusd;   /* how far the leases may exceed the balance, by no fault of the core */
    int64_t wanted_ms;
};

struct model_tables {
    struct model_account accounts[ACCOUNTS_N];
    struct model_process processes[PROCESSES_MAX];
    int usage_n;
};

extern struct model_tables tables;

void model_db_begin(void);
struct money_db_ops model_db_ops(struct process *p);

/* What the driver does to it. */
void model_db_outage(bool is_crash);
void model_db_return(void);
bool model_db_is_down(void);
/* The connections of a process are to what the database is now. */
bool model_db_is_connected(const struct process *p);
/* Puts the tables back by a few commits. */
void model_db_failover(void);
/* All connections of a process break. */
void model_db_drop(struct process *p);
/* A transaction without an answer is applied or rolled back, if there is one. */
bool model_db_decide(void);
/* A process died: what it had not committed is rolled back. */
void model_db_death(const struct process *p);
/* An admin's row in the ledger. */
void model_db_insert(int account, int64_t nusd);

#endif
