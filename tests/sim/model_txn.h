/* model_txn - the transactions of model_db: their locks, what they change, and the tables' past. */
#ifndef AIPASS_TESTS_MODEL_TXN_H
#define AIPASS_TESTS_MODEL_TXN_H

#include "tests/sim/model_db.h"

#define TXN_ROWS_MAX 192
#define TXNS_MAX     24

/* Row locks. Of one process: */
#define LOCK_POSITION 1u
#define LOCK_SHARED   2u /* the row in processes, as a foreign key does */
#define LOCK_ROW      4u
#define LOCK_LEASE    8u /* << account */
#define LOCK_LEASES   (7u * LOCK_LEASE)

struct txn_locks {
    int process; /* number; -1: none */
    unsigned rows;
    unsigned accounts; /* account_state, 1 << account */
};

enum txn_kind {
    TXN_BEGIN,
    TXN_SEEN,
    TXN_END,
    TXN_FORGET,
    TXN_ABANDON,
    TXN_WANT,
    TXN_TAKE,
    TXN_GIVE,
    TXN_FLUSH
};

struct txn_row {
    struct request *request;
    int64_t cost_nusd;
    enum usage_status status;
};

struct txn {
    bool is_used;
    bool is_live;    /* its process waits for it; else its COMMIT has no answer */
    bool is_aborted; /* the server went away under it */
    bool may_overdraw;
    const struct process *owner;
    struct txn_locks locks;
    enum txn_kind kind;
    int account;
    int64_t amount_nusd;
    uint64_t n_floor;
    bool is_last;
    uint64_t segment;
    int accounts_n;
    struct flush_account accounts[ACCOUNTS_N];
    int rows_n;
    struct txn_row rows[TXN_ROWS_MAX];
    struct lease_row lease; /* read back, of take and give */
};

void txn_begin_all(void);

/* txn_open - a live transaction that has its locks. ERR_DB_RETRY: another kept them too long; ERR_DB_DOWN: the server went away meanwhile. */
ERR_CHECK enum err txn_open(const struct process *p, enum txn_kind kind, struct txn_locks locks,
                            struct txn **out);
void txn_rollback(struct txn *t);
/* txn_apply - commits it and ends it; t stays readable until the next txn_open. */
void txn_apply(struct txn *t);
/* txn_leave_open - its answer is lost; it is decided later. */
void txn_leave_open(struct txn *t);

/* txn_decide - one that was left open; false: there is none. txn_crash - the server died: open ones are decided, live ones aborted. */
bool txn_decide(void);
void txn_crash(void);
void txn_death(const struct process *p);
/* txn_failover - the tables as they were some commits ago. false: there is no such past. */
bool txn_failover(void);

struct lease_row txn_read_lease(int process, int account);
void txn_insert(int account, int64_t nusd);

#endif
