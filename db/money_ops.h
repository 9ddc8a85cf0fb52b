/* money_ops - the operations behind which the money core runs: clock, database and disk. The core (money, lease, lease_table, journal, journal_step, segment, slots, spool, flush, adopt)
 * calls nothing else that can fail, wait or tell the time, so that a test can run several processes of it in one thread against simulated ones.
 *
 * The real ones are money_sql (db_*) and money_disk (disk_*, and the clock). All are called from any thread, but for a file handle: from whoever uses that file. A handle is any number >= 0.
 * What the database operations return:
 *   ERR_OK          committed
 *   ERR_DB_DOWN, ERR_BUSY, ERR_DB_RETRY, ERR_DB, ERR_MEMORY   nothing was applied
 *   ERR_DB_UNKNOWN  COMMIT was sent and its answer is missing
 * and what is said at each. */
#ifndef AIPASS_DB_MONEY_OPS_H
#define AIPASS_DB_MONEY_OPS_H

#include "base/clock.h"
#include "base/config.h"
#include "base/err.h"
#include "db/db.h"
#include "db/usage_row.h"

#include <pthread.h>

#define INSTALLATION_ID_SIZE 65
#define HOST_SIZE            65 /* processes.host and the host's id, with the NUL */
#define LIVE_SEEN_S          15 /* a process counts as live when it was seen within this */
#define WANTED_S                                                                                   \
    10 /* after an account was wanted, takes are exact for so long, and free parts go back */
#define LEASE_SHARE                                                                                \
    16 /* beyond its need a take gets 1/(16 x live processes) of what is available */

/* ---- database ---- */

/* A lease row as a transaction read it back after its own change of it. position: the last segment of this process whose costs the amount does not hold any more (read by the same statement). */
struct lease_row {
    bool exists;
    int64_t amount_nusd;
    uint64_t n;
    uint64_t position;
};

struct lease_take {
    const char *process;
    int64_t account_id;
    const int64_t *needs_nusd; /* of those who wait, in order of arrival; needs_n >= 1 */
    size_t needs_n;
    int64_t
        free_nusd; /* what the process has free of its lease already; below 0 when it lost money that it counts on */
    int64_t lease_max_nusd;
    uint64_t n_floor; /* the row's n becomes more than this */
    /* out, also on ERR_NO_FUNDS */
    int64_t balance_nusd;   /* by the ledger */
    int64_t available_nusd; /* balance less all leases; before this take */
    int64_t granted_nusd;
    struct lease_row row; /* on ERR_NO_FUNDS: as one statement saw it, without a lock */
};

struct lease_give {
    const char *process;
    int64_t account_id;
    int64_t amount_nusd; /* >= 0; 0: only reads the row back, under its lock */
    uint64_t n_floor;
    bool is_last;         /* nothing is held or spent: a row that comes down to 0 is deleted */
    struct lease_row row; /* out */
};

struct flush_account {
    int64_t account_id;
    int64_t cost_nusd; /* sum over its rows */
    uint64_t n_floor;
    struct lease_row row; /* out; exists false: no lease row, or its cost is 0 */
};

struct usage_flush {
    const char *process;
    uint64_t segment;
    uint64_t previous; /* position from which it moves to segment */
    const struct usage_row *rows;
    size_t rows_n;
    struct flush_account *accounts; /* ascending; each account of the rows once */
    size_t accounts_n;
    uint64_t position; /* out on ERR_END and ERR_RANGE: the position found */
};

struct lease_found {
    int64_t account_id;
    struct lease_row row;
};

struct money_db_ops {
    void *self;

    /* Installation of this database: NUL-terminated text. */
    enum err (*installation)(void *self, char id[INSTALLATION_ID_SIZE]);

    /* The rows of a process in processes and journal_positions. begin: idempotent. */
    enum err (*begin)(void *self, const char *process, const char *host);
    /* Writes seen_at. ERR_END: the row is gone. */
    enum err (*seen)(void *self, const char *process);
    /* Milliseconds since seen_at. ERR_END: no row. */
    enum err (*age)(void *self, const char *process, int64_t *age_ms);
    /* Deletes the leases and the row of a process in one transaction; idempotent. */
    enum err (*end)(void *self, const char *process);
    /* Deletes its position; its journal is gone for good. */
    enum err (*forget)(void *self, const char *process);
    /* Deletes processes unseen for after_s; *removed: how many. Each is logged. */
    enum err (*abandon)(void *self, int64_t after_s, int *removed);

    /* ERR_NO_FUNDS: none of the needs can be met, nothing changed. ERR_END: the process row is gone. */
    enum err (*take)(void *self, struct lease_take *take);
    enum err (*give)(void *self, struct lease_give *give);
    /* Sets wanted_at. */
    enum err (*want)(void *self, int64_t account_id);
    /* Accounts leased by the process and wanted within WANTED_S; at most max. */
    enum err (*wanted)(void *self, const char *process, int64_t *ids, size_t max, size_t *n);
    /* The lease rows of the process, and its position (0 when it has none). *found: malloc'd. */
    enum err (*leases)(void *self, const char *process, struct lease_found **found, size_t *n,
                       uint64_t *position);

    /* One segment, one transaction. ERR_END: the position was there or further on already. ERR_RANGE: the position is before previous. ERR_FORMAT: refused for its content. */
    enum err (*flush)(void *self, struct usage_flush *flush);
    /* The same row by row and rolled back: refused[i] tells which rows the database refuses. ERR_OK, ERR_END, ERR_RANGE as above. */
    enum err (*probe)(void *self, struct usage_flush *flush, bool *refused);
    enum err (*position)(void *self, const char *process, uint64_t *position);
    /* known[i]: the request has its row in usage_log. */
    enum err (*known)(void *self, const char *const *request_ids, size_t n, bool *known);

    /* Grows when a new connection was made after a loss: commits may be lost. */
    uint64_t (*generation)(void *self);
};

/* lease_plan - the rule of a take: what to lease now, given what is available and how many processes live; 0: refuse. Serves the needs in order of arrival as far as free and
 * available reach; one that does not fit is passed over. Exact (no more than what is needed) when is_wanted. Pure. */
int64_t lease_plan(const struct lease_take *take, int64_t available_nusd, int64_t live,
                   bool is_wanted);

/* ---- disk ---- */

enum disk_mode {
    DISK_READ,
    DISK_CREATE, /* read and write; must not exist */
    DISK_EDIT,   /* read and write; must exist */
    DISK_OPEN,   /* read and write; made when missing */
    DISK_APPEND, /* as DISK_OPEN, each disk_append goes to the end */
};

/* Errors: ERR_IO (errno), ERR_FULL for no space, ERR_END for no such file. Paths are absolute or relative as spool_dir is. */
struct money_disk_ops {
    void *self;
    enum err (*open)(void *self, const char *path, enum disk_mode mode, int *fd);
    void (*close)(void *self, int fd);
    enum err (*size)(void *self, int fd, int64_t *bytes);
    /* Reads up to n bytes; *got less than n at the end of the file only. */
    enum err (*read)(void *self, int fd, void *dst, size_t n, int64_t at, size_t *got);
    /* All n bytes, or an error with any part of them written. */
    enum err (*write)(void *self, int fd, const void *p, size_t n, int64_t at);
    enum err (*append)(void *self, int fd, const void *p, size_t n);
    /* Real blocks for the range, reading as zeros. */
    enum err (*allocate)(void *self, int fd, int64_t at, int64_t n);
    enum err (*truncate)(void *self, int fd, int64_t n);
    enum err (*sync)(void *self, int fd);
    enum err (*sync_dir)(void *self, const char *path);
    /* An exclusive lock that ends with the handle. ERR_BUSY: another has it. */
    enum err (*lock)(void *self, int fd);
    /* The handle's file is what path names now. */
    bool (*is_same)(void *self, int fd, const char *path);
    enum err (*rename)(void *self, const char *from, const char *to);
    enum err (*unlink)(void *self, const char *path);
    /* ERR_OK also when it exists. */
    enum err (*mkdir)(void *self, const char *path);
    enum err (*rmdir)(void *self, const char *path);
    /* each: called for every name but . and .. */
    enum err (*list)(void *self, const char *path, void (*each)(void *arg, const char *name),
                     void *arg);
};

/* ---- clock ---- */

struct money_clock_ops {
    void *self;
    int64_t (*mono_ms)(void *self);
    int64_t (*wall_ms)(void *self);
    void (*make_id)(void *self, char id[ULID_SIZE]);
    /* Waits on cond (made by money_cond_init) for at most ms; may return early. */
    void (*wait)(void *self, pthread_cond_t *cond, pthread_mutex_t *mutex, int64_t ms);
    /* Names of this host: the first for people, the second lasting and unique. */
    void (*host)(void *self, char name[HOST_SIZE], char id[HOST_SIZE]);
};

struct money_ops {
    struct money_clock_ops clock;
    struct money_db_ops db;
    struct money_disk_ops disk;
};

/* money_ops_real - the operations on this machine and db. */
struct money_ops money_ops_real(struct db *db);
/* money_sql_ops - money_ops_real's part for the database (money_sql.c, money_sql_flush.c). */
struct money_db_ops money_sql_ops(struct db *db);

/* The flush part of money_sql, in money_sql_flush.c. */
enum err money_sql_flush(void *self, struct usage_flush *flush);
enum err money_sql_probe(void *self, struct usage_flush *flush, bool *refused);

struct money;

/* money_new_with - money_new on the given operations (copied). */
struct money *money_new_with(const struct money_ops *ops, const struct config *config, int slots);

/* money_cond_init - a condition variable on the monotonic clock. */
void money_cond_init(pthread_cond_t *cond);

/* journal_step - one unit of the journal thread's work, if any is due: add a spare segment, seal, sync, flush one segment, drop an old one, repair. Returns false when there is none. One thread at a time. */
bool journal_step(struct money *m);

#endif
