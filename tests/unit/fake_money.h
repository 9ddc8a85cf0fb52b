/* fake_money - one process of the money core whose database, disk and clock do what a test says: an
 * operation fails when it is told to, and something may happen while it runs, in the place of
 * other threads. The database is a few numbers that follow the rules of money_ops.h; the disk is
 * a real directory; time passes only when somebody waits or the test says so. */
#ifndef AIPASS_TESTS_FAKE_MONEY_H
#define AIPASS_TESTS_FAKE_MONEY_H

#include "db/money_core.h"
#include "db/slots.h"

#define FAKE_ACCOUNTS 10
#define FAKE_SLOTS    4
#define FAKE_DIR_SIZE 128

enum fake_op {
    FAKE_INSTALLATION,
    FAKE_TAKE,
    FAKE_GIVE,
    FAKE_WANT,
    FAKE_WANTED,
    FAKE_LEASES,
    FAKE_FLUSH,
    FAKE_OPEN,
    FAKE_READ,
    FAKE_WRITE,
    FAKE_ALLOCATE,
    FAKE_SYNC,
    FAKE_SYNC_DIR,
    FAKE_RENAME,
    FAKE_APPEND,
    FAKE_WAIT,
    FAKE_OPS,
};

struct fake_money {
    struct money *m;
    struct config config;
    char dir[FAKE_DIR_SIZE];

    /* the database's books */
    int64_t balance_nusd[FAKE_ACCOUNTS];
    struct lease_row rows[FAKE_ACCOUNTS];
    uint64_t position;
    uint64_t generation;
    int64_t wanted_id; /* what the operation wanted finds; 0: nothing */

    /* what happens next, for each operation */
    int pass[FAKE_OPS];                             /* so many calls succeed yet */
    int fail[FAKE_OPS];                             /* so many fail then */
    enum err error[FAKE_OPS];                       /* how; ERR_IO for the disk */
    bool is_applied[FAKE_OPS];                      /* though it is told that it failed */
    void (*during[FAKE_OPS])(struct fake_money *f); /* once, at the beginning of the next call */

    /* what was seen */
    atomic_int calls[FAKE_OPS];
    size_t needs_n;                /* of the last take */
    bool is_last;                  /* of the last give */
    struct lease_account *account; /* whatever `during` needs */
    struct hold *hold;
    struct fake_request *request;

    _Atomic int64_t now_ms;
    bool is_threaded;       /* FAKE_WAIT waits until it is woken; no time passes */
    atomic_int waiting;     /* how many do */
    _Atomic int64_t due_ms; /* for how long the last one would have */
    pthread_t late;
    enum err late_error;
    struct money_disk_ops disk;
};

/* fake_money_init - every account has balance_nusd. No thread runs. fake_money_clear - as a crash would. */
void fake_money_init(struct fake_money *f, int64_t balance_nusd);
void fake_money_clear(struct fake_money *f);

/* fake_fail - the next call of op fails. fake_fail_after - when `pass` calls have succeeded, `n` fail. */
void fake_fail(struct fake_money *f, enum fake_op op, enum err e);
void fake_fail_after(struct fake_money *f, enum fake_op op, int pass, int n, enum err e);
/* fake_thread_due_ms - runs the journal's thread until it finds nothing to do; how long it would
 * wait then. */
int64_t fake_thread_due_ms(struct fake_money *f);
/* fake_pump - the journal's work until nothing is due. */
void fake_pump(struct fake_money *f);

/* A request from its hold to its close line. */
struct fake_request {
    struct hold hold;
    struct journal_slot slot;
    struct usage_row row;
};
/* fake_admit - of account 1. fake_close - only the close line. fake_finish - and the settlement. */
enum err fake_admit(struct fake_money *f, int64_t need_nusd, struct fake_request *r);
void fake_close(struct fake_money *f, struct fake_request *r, int64_t cost_nusd);
void fake_finish(struct fake_money *f, struct fake_request *r, int64_t cost_nusd);
/* fake_close_late - fake_close at no cost by a thread of its own, which must be in a wait when this
 * returns; fake_join. fake_admit_late - the same with an admission that holds nothing. */
void fake_close_late(struct fake_money *f, struct fake_request *r);
void fake_admit_late(struct fake_money *f, struct fake_request *r);
void fake_join(struct fake_money *f);
/* fake_run - a whole request of account 1 that is admitted. */
void fake_run(struct fake_money *f, int64_t need_nusd, int64_t cost_nusd);
/* fake_run_segment - a request of cost 1 in a segment of its own, which is sealed, synced, and flushed
 * if it can. */
void fake_run_segment(struct fake_money *f);
/* fake_admitted - a request of account 1 that holds 10. */
struct fake_request fake_admitted(struct fake_money *f);
/* fake_is_writable - the spool takes requests. */
bool fake_is_writable(struct fake_money *f);
/* fake_assert_flushed - requests of cost 1 are all in the ledger, each once; account 1 had balance_nusd
 * before. */
void fake_assert_flushed(struct fake_money *f, int64_t balance_nusd, int64_t requests);

#endif
