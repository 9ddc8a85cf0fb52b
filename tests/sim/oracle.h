/* oracle - what is known about each request from the outside, and what must hold after every step.
 *
 *   balance - sum(leases) >= 0 for each account          ledger = -sum(usage cost)
 *   each hold and each cost that is not in the database is backed by its process's lease
 *   free, granted, held, spent in memory are never below 0; held is what the running requests hold
 *   a row: of an admitted request, once, with its cost; never above its hold
 *   in the end each admitted request has its row, and no lease, hold, slot or segment is left
 *
 * Excepted, and only as far as it must be: an admin's own negative rows; a process whose lease was taken from it by abandonment or by a database that lost acknowledged commits; and what a
 * power cut took that nobody had promised. */
#ifndef AIPASS_TESTS_ORACLE_H
#define AIPASS_TESTS_ORACLE_H

#include "tests/sim/world.h"

#define REQUESTS_MAX 160
#define NOTES_MAX    6

enum request_state {
    REQUEST_ASKS,     /* hold_open */
    REQUEST_HELD,     /* hold_open was granted */
    REQUEST_ADMITTED, /* journal_admit was */
    REQUEST_CLOSING,  /* journal_close was called */
    REQUEST_CLOSED,   /* it returned */
    REQUEST_SETTLED,
    REQUEST_REFUSED, /* or cancelled */
};

struct request {
    struct process *process;
    int account; /* from 0 */
    enum request_state state;
    int64_t hold_nusd;
    int64_t asks_nusd; /* hold_open or hold_extend runs for it */
    int64_t cost_nusd;
    int64_t notes_nusd[NOTES_MAX]; /* what its slot may tell, by time */
    int notes_n;
    int notes_from;     /* the oldest that it may still tell */
    bool is_poison;     /* the database refuses its row */
    bool was_written;   /* its slot may stand on the disk though it was refused */
    bool may_interrupt; /* its close line may be lost: interrupted is right as well */
    bool may_vanish;    /* a power cut or a failover took it */
    bool is_in_slot;    /* its slot tells its end */
    bool is_promised;   /* survives a power cut */
    bool is_rejected;   /* stands in spool/rejected */
    uint64_t segment;   /* where its close line was written last; 0: nowhere */
    bool was_lost;      /* its row, by a failover */
    int rows;           /* in usage_log */
    int64_t row_cost_nusd;
};

extern struct request requests[REQUESTS_MAX];
extern int requests_n;

void oracle_begin(void);

/* oracle_request - a new one; NULL: the run has enough. Its id is made by oracle_id. oracle_find - by id; NULL: none of ours. */
struct request *oracle_request(struct process *p, int account);
void oracle_id(const struct request *r, char id[ULID_SIZE]);
struct request *oracle_find(const char *id);

/* oracle_note - its slot is about to tell this cost. oracle_noted - it does; is_sure: the older ones are gone. */
void oracle_note(struct request *r, int64_t cost_nusd);
void oracle_noted(struct request *r, bool is_sure);

/* ---- what the models tell ---- */

/* A line was written whole to a segment. */
void oracle_line(const char *p, size_t n, uint64_t segment);
/* A slot was written whole. */
void oracle_slot(const char *p, size_t n);
/* A slot was written in part: whoever adopts it cannot read it. */
void oracle_torn_slot(const char *p, size_t n);
/* Lines were appended to spool/rejected. */
void oracle_rejected(int host, const char *p, size_t n);
/* A usage row was committed. */
void oracle_row(struct request *r, int64_t cost_nusd, enum usage_status status);
/* It was lost again. is_kept: the segment that it came from still is there. */
void oracle_row_lost(struct request *r, bool is_kept);
/* The database went back to its past: leases that do not suffice any more are nobody's fault. */
void oracle_failover(void);
/* oracle_excuse - its lease was taken from it: it may spend what is not there. oracle_excuse_loss - only until it has read its leases anew. */
void oracle_excuse(struct process *p, int account);
void oracle_excuse_loss(struct process *p, int account);
/* The process is about to die: what is durable by its word is so from now on. */
void oracle_death(const struct process *p);
/* Power was cut: what was not promised may be gone. */
void oracle_power_cut(int host);

/* ---- checks ---- */

/* After every step. */
void oracle_check(void);
/* When all is drained. */
void oracle_check_end(void);

#endif
