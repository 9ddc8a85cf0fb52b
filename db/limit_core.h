/* limit_core - what the modules of limit share. Nobody else includes it.
 *
 * Locks, none held over database work: limits.mu (rules, table of pools) -> nothing; limit_pool.mu
 * -> nothing.
 *
 *   limit        take, settle, upkeep; the table of pools
 *   limit_rules  the limits as the admin has set them, read into a sorted list
 *   limit_window requests and tokens of one limit: free, what is borrowed and not used
 *   limit_slots  concurrent requests of one limit: owned by this process, in use
 *   limit_sql    the transactions */
#ifndef AIPASS_DB_LIMIT_CORE_H
#define AIPASS_DB_LIMIT_CORE_H

#include "db/limit.h"

#include <pthread.h>

#define HASH_NONFATAL_OOM 1 /* a pool that could not be added has hh.tbl NULL */
#include <uthash.h>

#define LIMIT_SHARE      64 /* beyond its need a take gets 1/(64 x live processes) of what is left */
#define LIMIT_REFUSED_MS 500 /* a refusal is remembered for so long */

/* One row of rate_limits; 0: any, -1: no limit. */
struct limit_rule {
    int64_t api_key_id, account_id, group_id, channel_id, model_id;
    int64_t id;
    int64_t max[LIMIT_WINDOWS_N + 1]; /* by enum limit_kind */
    bool has_spend;                   /* it limits spend */
    enum limit_scope scope;           /* of those that match */
};

struct limit_window {
    int64_t starts_s;  /* the minute, by the database's clock; -1: none yet */
    int64_t ends_ms;   /* when it ends, clock_mono_ms; a little early */
    int64_t free;      /* borrowed and not used */
    int64_t debt;      /* used without having been borrowed; added to the next borrowing */
    int64_t wanted;    /* sum of those who wait */
    int64_t max, left; /* as read last */
    int64_t refused_until_ms;
    int64_t refused_need; /* that much or more */
    bool is_busy;         /* one thread borrows, others wait */
    bool is_exact;        /* the limit gives no more than is needed */
};

struct limit_slots {
    int64_t owned;  /* at most what the row says */
    int64_t in_use; /* of these */
    int64_t waiting;
    int64_t max;
    int64_t block;      /* kept though nobody uses them; 0: the limit is small */
    int64_t refused_ms; /* the last refusal; 0: none that counts */
    int64_t used_ms;
    bool is_busy; /* one thread writes the row, others wait */
    bool
        is_dirty; /* a write had no answer: the row may say more than owned, and is written again */
    bool has_row; /* a money_row_begin is open, for as long as there may be a row */
};

/* One limit as this process uses it. */
struct limit_pool {
    int64_t id;
    int refs;        /* under limits.mu */
    int64_t used_ms; /* under limits.mu */
    UT_hash_handle hh;

    pthread_mutex_t mu;
    pthread_cond_t cond;
    /* under mu: */
    int64_t set_max[LIMIT_WINDOWS_N + 1]; /* as the rules said last: a change forgets refusals */
    struct limit_window windows[LIMIT_WINDOWS_N];
    struct limit_slots slots;
};

struct limits {
    struct db *db;
    const struct config *config;
    struct money *money;
    bool is_brief;

    pthread_mutex_t mu;
    pthread_cond_t was_read;
    /* under mu: */
    struct limit_rule *rules; /* sorted; NULL: never read */
    size_t rules_n;
    int64_t read_ms, failed_ms;
    bool is_reading, is_used;
    struct limit_pool *pools;
};

/* limit_rules_match - those that concern the request, at most LIMIT_MATCHES_MAX, from a list at most
 * catalog_ms and a second old, or the last one while the database is down. ERR_UNAVAILABLE: none
 * was ever read. */
ERR_CHECK enum err limit_rules_match(struct limits *l, const struct limit_ask *ask,
                                     struct limit_rule *out, size_t *n);
/* limit_rules_refresh - reads them again when used and due. Returns whether they are in use. */
bool limit_rules_refresh(struct limits *l);

/* limit_window_take - need of the kind. ERR_RATE, ERR_UNAVAILABLE; ERR_END: the limit is gone, nothing
 * was taken. view: out but for ERR_UNAVAILABLE and ERR_END. */
ERR_CHECK enum err limit_window_take(struct limits *l, struct limit_pool *p, enum limit_kind kind,
                                     int64_t need, struct limit_view *view, int64_t *starts_s);
/* limit_window_is_refused - it would be refused without asking; view: out when true. */
bool limit_window_is_refused(struct limit_pool *p, enum limit_kind kind, int64_t need,
                             struct limit_view *view);
/* limit_window_return - what was taken from that minute was not used. */
void limit_window_return(struct limits *l, struct limit_pool *p, enum limit_kind kind,
                         int64_t units, int64_t starts_s);
/* limit_window_charge - so much more was used, now. */
void limit_window_charge(struct limits *l, struct limit_pool *p, enum limit_kind kind,
                         int64_t units);

/* limit_slots_take - one slot, waiting for it up to queue_ms. ERR_RATE, ERR_UNAVAILABLE; ERR_END: the
 * limit is gone. */
ERR_CHECK enum err limit_slots_take(struct limits *l, struct limit_pool *p, int64_t queue_ms);
void limit_slots_release(struct limits *l, struct limit_pool *p);
/* limit_slots_tidy - gives back what has idled, and settles writes without an answer. is_last: all
 * that is not in use. Returns whether there is anything left. */
bool limit_slots_tidy(struct limits *l, struct limit_pool *p, bool is_last);

/* ---- limit_sql ---- */

struct limit_borrow {
    int64_t id;
    enum limit_kind kind; /* LIMIT_REQUESTS, LIMIT_TOKENS */
    int64_t need;         /* at least, or nothing */
    int64_t wanted;       /* >= need: for all who wait */
    int64_t debt;         /* counted on top, also when it is refused */
    bool is_brief;
    /* out, on ERR_OK and ERR_RATE */
    int64_t max, granted, left; /* left: after it */
    int64_t starts_s, rest_ms;
};

/* limit_sql_borrow - ERR_RATE: less is left; ERR_END: the limit is gone, or limits this no more;
 * ERR_UNAVAILABLE: at worst something was borrowed for nobody. */
ERR_CHECK enum err limit_sql_borrow(struct db *db, struct limit_borrow *b);
/* limit_sql_return - to that minute, if it still is. limit_sql_charge - to the present one. */
ERR_CHECK enum err limit_sql_return(struct db *db, int64_t id, enum limit_kind kind, int64_t units,
                                    int64_t starts_s);
ERR_CHECK enum err limit_sql_charge(struct db *db, int64_t id, enum limit_kind kind, int64_t units);

struct limit_slots_take {
    int64_t id;
    const char *process;
    int64_t owned;  /* by this process */
    int64_t wanted; /* >= 1 */
    bool is_brief;
    /* out, on ERR_OK and ERR_RATE */
    int64_t max, granted, block;
};

/* limit_sql_take_slots - the row becomes owned + granted. ERR_RATE: none is left; ERR_END: the limit is
 * gone; ERR_CONFIG: the process has no row; ERR_DB_UNKNOWN: it may have become so;
 * ERR_UNAVAILABLE: it has not. */
ERR_CHECK enum err limit_sql_take_slots(struct db *db, struct limit_slots_take *t);
/* limit_sql_set_slots - the row becomes so; 0: goes. ERR_UNAVAILABLE: it was not touched;
 * ERR_DB_UNKNOWN. */
ERR_CHECK enum err limit_sql_set_slots(struct db *db, int64_t id, const char *process,
                                       int64_t slots);

#endif
