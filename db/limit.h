/* limit - limits of rate, exact over all processes: requests and tokens in each minute, requests
 * that run at once; by key, account, group, channel, model, or one of the first four with a model. Which
 * limits of spend a request falls under is told here and held against by spend_hold.
 *
 * What a process lets through it has borrowed from MariaDB before (limit_windows, limit_slots): in
 * blocks of a large limit, one by one of a small one. Minutes are the database's, UTC; what is
 * borrowed and not used is lost with its minute. A refused request uses nothing. While the database
 * is down what is borrowed goes on, and a request under a limit that cannot be decided is not let
 * through. One object per process; any thread; may block for the database, and for the queue_ms of its caller.
 * Source: ARCHITECTURE.md "Limits". */
#ifndef AIPASS_DB_LIMIT_H
#define AIPASS_DB_LIMIT_H

#include "base/config.h"
#include "base/err.h"
#include "db/db.h"
#include "db/money.h"

#include <stdbool.h>
#include <stdint.h>

/* Key, account, group, model, and each of the first three with the model; or channel, and that with the model. */
#define LIMIT_MATCHES_MAX 7

/* What a limit names. */
enum limit_scope {
    LIMIT_KEY,
    LIMIT_KEY_MODEL,
    LIMIT_ACCOUNT,
    LIMIT_ACCOUNT_MODEL,
    LIMIT_GROUP,
    LIMIT_GROUP_MODEL,
    LIMIT_MODEL,
    LIMIT_CHANNEL,
    LIMIT_CHANNEL_MODEL
};

enum limit_kind { LIMIT_REQUESTS, LIMIT_TOKENS, LIMIT_SLOTS };
#define LIMIT_WINDOWS_N 2 /* the kinds that are counted by the minute */

struct limits;
struct limit_pool;

/* limits_new - borrows all three. is_brief: the process serves one request: it borrows only that.
 * NULL: no memory. */
struct limits *limits_new(struct db *db, const struct config *config, struct money *money,
                          bool is_brief);
void limits_free(struct limits *l);

/* Who asks for what; or, with a channel, what is asked of it: then only limits of channels match. tokens: of input, estimated. queue_ms: how long to wait for a slot. */
struct limit_ask {
    int64_t api_key_id, account_id, group_id, channel_id, model_id;
    int64_t tokens;
    int64_t queue_ms;
};

/* A limit as a client may know it. */
struct limit_view {
    int64_t max; /* -1: there is none */
    int64_t left;
    int64_t reset_ms; /* until its minute ends */
    int64_t ends_s;   /* when that is: Unix time by the database's clock */
};

struct limit_part {
    struct limit_pool *pool;
    bool has_window[LIMIT_WINDOWS_N];
    int64_t starts_s[LIMIT_WINDOWS_N]; /* of the minute that it was taken from */
    bool has_slot;
};

/* A limit of spend that the request falls under. */
struct limit_spend {
    int64_t id;
    enum limit_scope scope;
};

/* What one request has taken; a plain value. After limit_take exactly one of limit_settle and
 * limit_cancel, or nothing when it failed. */
struct limit_ticket {
    struct limit_part parts[LIMIT_MATCHES_MAX];
    size_t parts_n;
    int64_t tokens;
    struct limit_spend spends[LIMIT_MATCHES_MAX]; /* nothing is taken of them */
    size_t spends_n;
    struct limit_view views[LIMIT_WINDOWS_N]; /* the tightest of each kind */
    /* when it was refused: */
    enum limit_kind refused;
    int64_t refused_max;
    int64_t wait_ms; /* a repeat before is no use */
};

/* limit_take - takes one request, its tokens and a slot from every limit that matches. ERR_RATE: one
 * of them refuses, t says which; ERR_UNAVAILABLE: one cannot be decided; ERR_MEMORY. On an error
 * nothing is taken. */
ERR_CHECK enum err limit_take(struct limits *l, const struct limit_ask *ask,
                              struct limit_ticket *t);

/* limit_settle - the request has ended and has used so many tokens in all, more or fewer than
 * taken; its slots are free. limit_cancel - it did not run: as if it had never come. Later calls do
 * nothing. */
void limit_settle(struct limits *l, struct limit_ticket *t, int64_t tokens);
void limit_cancel(struct limits *l, struct limit_ticket *t);

/* limits_upkeep - idle slots go back, limits are read again when due. Called each second by upkeep;
 * false: none is in use. */
bool limits_upkeep(struct limits *l);

/* limits_stop - gives all slots back that no request uses; before money_stop. */
void limits_stop(struct limits *l);

#endif
