/* money_kit - several processes of the product inside one test: each a struct money with a database pool of its own; and requests that run through them. */
#ifndef AIPASS_TESTS_MONEY_KIT_H
#define AIPASS_TESTS_MONEY_KIT_H

#include "db/money_core.h"
#include "tests/unit/mariadb.h"

#define USD INT64_C(1000000000)

struct node {
    struct db *db;
    struct money *m;
    struct money_ops ops; /* the real ones, for tests that wrap them */
};

/* A request from its hold to its close line. */
struct kit_request {
    struct hold hold;
    struct journal_slot slot;
    struct usage_row row;
};

/* kit_begin - a fresh database, fast settings, accounts 1..9 without money. */
void kit_begin(struct mariadb *server);
/* kit_recharge - nusd onto an account's balance. kit_balance - by the ledger. kit_leased - the sum of its leases. */
void kit_recharge(struct mariadb *server, int64_t account, int64_t nusd);
int64_t kit_balance(struct mariadb *server, int64_t account);
int64_t kit_leased(struct mariadb *server, int64_t account);

/* node_new - no thread. node_start - with the journal thread. node_new_with - change: alters the operations first. */
struct node node_new(struct mariadb *server, int slots);
struct node node_start(struct mariadb *server, int slots);
struct node node_new_with(struct mariadb *server, int slots, void (*change)(struct money_ops *ops));
/* node_stop - as the product ends. node_crash - as SIGKILL would. */
void node_stop(struct node *n);
void node_crash(struct node *n);
/* node_pump - the journal's work until nothing is due; for nodes without the thread. */
void node_pump(struct node *n);
/* node_drain - seals and flushes all, without stopping. */
void node_drain(struct node *n);

/* kit_admit - hold and slot. kit_finish - close line and settlement. */
enum err kit_admit(struct node *n, int64_t account, int64_t need, struct kit_request *r);
void kit_finish(struct node *n, struct kit_request *r, int64_t cost);
/* kit_run - one whole request. */
enum err kit_run(struct node *n, int64_t account, int64_t need, int64_t cost);

#endif
