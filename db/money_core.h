/* money_core - what the modules of the money core share: struct money and the structs inside it. Nobody else includes it, but for tests.
 *
 * Locks, none held over database or disk work, never two at once but for those in this order: shard -> account. journal.mu, slots.mu and money.mu are leaves.
 *
 *   hold_open ----> lease_account (granted, held, spent...) ----> money_ops.db.take
 *   journal_admit -> slot file;  journal_close -> active segment, account.spent
 *   journal_step --> seal, sync, flush (money_ops.db.flush), read-backs into lease_account
 *   money_upkeep --> seen_at, wanted accounts, idle leases, adopt */
#ifndef AIPASS_DB_MONEY_CORE_H
#define AIPASS_DB_MONEY_CORE_H

#include "db/money.h"
#include "db/money_ops.h"
#include "db/spool.h"

#include <stdatomic.h>

#define SHARDS_N        64
#define SHARD_BUCKETS_N 64
#define SEGMENT_LINES                                                                              \
    128 /* lines of full length that a segment holds; fewer in a process that runs few requests */
#define SEGMENT_STUCK UINT64_MAX /* "segment" of costs whose close line could not be written */

/* ---- leases ---- */

struct lease_waiter {
    struct lease_waiter *next;
    int64_t need_nusd;
    int64_t deadline_ms;
    int64_t next_try_ms;
    int64_t available_nusd; /* what could have been held at the last refusal */
    int tries;
    bool in_take; /* the running take asks for it */
    bool is_done;
    enum err result; /* what a deadline would mean now; final when is_done */
};

/* Costs of one segment that are not known to be flushed. */
struct spent {
    uint64_t segment;
    int64_t cost_nusd;
};

/* One account as this process sees it. Lives while refs > 0 or anything in it is not 0; freed by upkeep. */
struct lease_account {
    struct lease_account *next; /* in its bucket, under the shard's lock */
    int64_t id;
    atomic_int refs; /* grows under the shard's lock only */

    pthread_mutex_t mu;
    pthread_cond_t cond;
    /* under mu; free = granted - held - spent - giving - doubtful + closing */
    int64_t granted_nusd; /* the lease row, as of n */
    int64_t held_nusd;    /* by running requests */
    int64_t spent_nusd;   /* sum of the array: closed, not known to be flushed */
    int64_t
        closing_nusd; /* in spent and still in held: journal_close was called, hold_settle not yet */
    int64_t giving_nusd;   /* a give-back is on its way */
    int64_t doubtful_nusd; /* give-backs whose COMMIT had no answer */
    bool
        has_doubt; /* a take or a give-back had no answer: the row is read back under its lock before anything else is done with it */
    uint64_t n;
    uint64_t
        position; /* our journal's position as of the last read-back: what was spent up to it is out of granted and of the array */
    uint64_t doubt_seq;   /* when that was; an operation begun after it settles the doubt */
    uint64_t applied_seq; /* when a read-back was taken over last */
    uint64_t
        told_seq; /* when the last operation began that committed a change of the row and read it back */
    struct spent *spent; /* by segment ascending; SEGMENT_STUCK last */
    size_t spent_n, spent_cap;
    bool is_busy;                 /* a take or a give-back runs: one at a time */
    struct lease_waiter *waiters; /* in order of arrival */
    int64_t used_ms;              /* the last hold or settlement */
    int64_t want_ms;              /* when wanted_at was written last */
    int64_t decided_ms;           /* the last take that came to a decision */
};

struct lease_shard {
    pthread_mutex_t mu;
    struct lease_account *buckets[SHARD_BUCKETS_N];
};

/* ---- journal ---- */

enum segment_state {
    SEGMENT_SPARE,
    SEGMENT_ACTIVE,
    SEGMENT_SEALED,  /* takes no more lines; not synced */
    SEGMENT_CLOSED,  /* as durable as it gets; not in the database */
    SEGMENT_FLUSHED, /* in the database; kept for a while */
};

struct segment {
    struct segment *next; /* by number */
    uint64_t number;
    enum segment_state state;
    int fd;       /* -1: closed */
    int64_t used; /* bytes given to lines */
    int64_t rows;
    int outstanding; /* lines being written, and threads waiting for a sync */
    int64_t written; /* lines written */
    int64_t synced;  /* of these, durable */
    bool is_syncing;
    bool
        is_suspect; /* a write or sync failed: its pages may be lost though a later sync succeeds */
    int64_t first_ms; /* when its first line came */
    int64_t flushed_ms;
};

struct journal {
    pthread_mutex_t mu;
    pthread_cond_t wake;    /* the thread */
    pthread_cond_t changed; /* a segment was added, synced, or its last writer left */
    /* under mu */
    struct segment *first;  /* flushed..., closed, sealed, active, spare... */
    struct segment *active; /* NULL: the next line makes a spare active */
    uint64_t next_number;
    int64_t segment_lines; /* lines of full length in one file */
    int64_t spare_lines;
    int64_t reserved; /* lines that running requests will write */
    bool is_adding;
    bool is_hurried; /* seal what there is */
    bool is_stopping;
    bool is_full;    /* no room for another segment, when it was last tried */
    bool is_failing; /* a write or a sync failed; nothing is admitted until a repair succeeded */
    uint64_t names;  /* changes of names in the spool directory */
    uint64_t names_synced; /* of these, durable */
    int64_t repair_at_ms;
    int64_t add_at_ms;      /* after a failure to add a segment */
    int64_t flush_at_ms;    /* after a failure to flush */
    int64_t unflushed_rows; /* all lines not in the database */
    uint64_t commits;
    enum err flush_error;       /* how the last flush ended, so that an outage is logged once */
    uint64_t generation;        /* of the database connections that the position was checked on */
    uint64_t resync_generation; /* the one that the leases are being read anew for */
    uint64_t resync_seq;        /* when that was done first */
    int64_t
        resync_at_ms; /* when it is done again: an answer from before the loss may be on its way */
    /* written by the thread, read by all */
    _Atomic uint64_t flushed; /* the last segment in the database */
    pthread_t thread;
    bool has_thread;
};

struct slots {
    int fd;
    pthread_mutex_t mu;
    /* under mu */
    int *free; /* stack of free indexes */
    int free_n;
    int used;
    int grown;                       /* slots that have blocks */
    struct lease_account **accounts; /* of each slot in use; written by its owner */
};

/* ---- the process ---- */

/* ROW_MAYBE: its insertion or deletion had no answer. */
enum row_state { ROW_NONE, ROW_MAYBE, ROW_CHANGING, ROW_THERE };

struct money {
    struct money_ops ops;
    const struct config *config;
    int slots_max;
    char id[ULID_SIZE];
    char host[HOST_SIZE], host_id[HOST_SIZE];

    struct lease_shard shards[SHARDS_N];
    _Atomic uint64_t seq; /* of lease operations */
    _Atomic uint64_t takes;
    atomic_int accounts_n; /* objects in the table */
    struct journal journal;
    struct slots slots;
    struct spool spool;

    pthread_mutex_t mu;
    pthread_cond_t changed;
    /* under mu */
    bool is_opening;
    enum row_state row; /* our row in processes */
    int row_users;      /* takes under way: the row stays */
    char installation[INSTALLATION_ID_SIZE];
    atomic_bool is_open; /* the spool directory is made */
    atomic_bool is_expelled;
    atomic_bool is_stopped;
    _Atomic int64_t seen_ms; /* when seen_at was written last; 0: no row */

    /* upkeep's own */
    int64_t next_seen_ms, next_wanted_ms, next_adopt_ms, next_abandon_ms;
    int64_t quiet_since_ms; /* nothing leased, held or unflushed since; 0: something is */
    size_t alive_n;         /* accounts in which something is not 0, when last counted */
    _Atomic int64_t rejected_rows;
    int64_t rejected_bytes; /* size of spool/rejected when it was counted */
};

static inline int64_t money_mono_ms(const struct money *m)
{
    return m->ops.clock.mono_ms(m->ops.clock.self);
}

/* money_installation - reads it once. ERR_UNAVAILABLE. */
ERR_CHECK enum err money_installation(struct money *m, char id[INSTALLATION_ID_SIZE]);

/* ---- lease_table: the accounts ---- */

/* lease_table_init, lease_table_clear - the part of m; no thread uses it yet, or any more. */
void lease_table_init(struct money *m);
void lease_table_clear(struct money *m);
/* lease_account_get - finds or makes; counts a reference. NULL: no memory. lease_account_find - NULL when there is none. lease_account_put - gives it back. */
struct lease_account *lease_account_get(struct money *m, int64_t id);
struct lease_account *lease_account_find(struct money *m, int64_t id);
void lease_account_put(struct lease_account *a);
/* lease_accounts_list - all of them, each referenced; *list malloc'd. */
ERR_CHECK enum err lease_accounts_list(struct money *m, struct lease_account ***list, size_t *n);
/* lease_accounts_sweep - frees those that nobody refers to and in which all is 0. */
void lease_accounts_sweep(struct money *m);

/* With a->mu held: */
int64_t lease_free(const struct lease_account *a);
bool lease_is_zero(const struct lease_account *a);
/* lease_apply - takes a read-back over. began: from lease_seq before the operation. has_lock: it committed a change of the row, so that all before it on that row have ended. */
void lease_apply(struct lease_account *a, const struct lease_row *row, uint64_t began,
                 bool has_lock);
/* lease_drop_spent - segments up to position are flushed. Returns what they had cost. */
int64_t lease_drop_spent(struct lease_account *a, uint64_t position);

/* lease_seq - a new number, greater than all before. */
uint64_t lease_seq(struct money *m);
/* lease_note_spent - a close line in the segment charges the account; lease_move_spent - it went elsewhere. Both lock a->mu. */
void lease_note_spent(struct lease_account *a, uint64_t segment, int64_t cost_nusd,
                      bool is_closing);
void lease_move_spent(struct lease_account *a, uint64_t from, uint64_t to, int64_t cost_nusd);

/* ---- lease: upkeep's side ---- */

/* lease_give_wanted - reads the wanted accounts and gives their free parts back. */
void lease_give_wanted(struct money *m);
/* lease_give_idle - gives back what was not used for lease_idle_ms, settles doubts, and frees what is not needed any more. */
void lease_give_idle(struct money *m);
/* lease_count_alive - how many accounts are not all 0. */
size_t lease_count_alive(struct money *m);
/* lease_resync - after a loss of connections: takes over what the database has, also when commits were lost. found, position: from money_ops.db.leases, begun at `began`; first: at the first try after
 * this loss. False: an operation from before may still tell what is not true any more; do it again later. */
bool lease_resync(struct money *m, const struct lease_found *found, size_t n, uint64_t position,
                  uint64_t began, uint64_t first);

/* ---- journal ---- */

/* journal_init, journal_clear - the part of m; no thread uses it yet, or any more. */
void journal_init(struct money *m);
void journal_clear(struct money *m);
/* journal_hurry - seal and flush now: somebody waits for the money. */
void journal_hurry(struct money *m);
/* journal_wake - look again whether something is due. */
void journal_wake(struct money *m);
/* journal_is_clean - nothing is unflushed, no request runs. */
bool journal_is_clean(struct money *m);
ERR_CHECK enum err journal_start(struct money *m);
void journal_join(struct money *m);

/* With journal.mu held: */
/* journal_add_segment - one more spare; the lock is not held while the disk works. ERR_OK: look again; ERR_UNAVAILABLE. */
ERR_CHECK enum err journal_add_segment(struct money *m);
/* journal_seal - the active segment takes no more lines. */
void journal_seal(struct journal *j);
/* journal_fail - a write or sync failed (errno): nothing is admitted before a repair. */
void journal_fail(struct money *m, const char *what);
int64_t journal_segment_bytes(const struct journal *j);
/* journal_sync_segment - directory and file; the lock is not held while the disk works. ERR_IO: the segment is suspect. */
ERR_CHECK enum err journal_sync_segment(struct money *m, struct segment *s);

#endif
