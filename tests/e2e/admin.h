/* admin - what an administrator does with a SQL prompt: plain INSERTs and UPDATEs, and questions
 * about what the gateway wrote.
 *
 * One connection per process, opened at the first use and again after a failure; forked tests
 * get their own. A statement that fails fails the test. One thread at a time. */
#ifndef TESTS_E2E_ADMIN_H
#define TESTS_E2E_ADMIN_H

#include <stdbool.h>
#include <stdint.h>

/* admin_connect_to - where the database is; nothing is opened yet. */
void admin_connect_to(const char *socket, const char *user, const char *database);

/* sql_run - one statement. */
void sql_run(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* sql_int, sql_text - the first column of the first row: 0 and "" when there is none, "NULL" for
 * NULL. Texts lie in a ring: good for the next 16 calls. */
int64_t sql_int(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
const char *sql_text(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

enum { ADMIN_KEY_SIZE = 64, ADMIN_NAME_SIZE = 32 };

/* A customer made for one test. */
struct customer {
    int64_t account_id;
    int64_t key_id;
    char name[ADMIN_NAME_SIZE];
    char key[ADMIN_KEY_SIZE];
};

/* customer_new - an account of its own with one key and one recharge; usd: DECIMAL text, "0" or
 * NULL: no recharge. */
struct customer customer_new(const char *usd);

/* key_new - one more key of an account. key: out, ADMIN_KEY_SIZE bytes. Returns its number. */
int64_t key_new(int64_t account_id, char *key);

/* model_new - a chat model with a price for input and output, in USD per million tokens. Returns
 * its number. */
int64_t model_new(const char *name, const char *input_usd, const char *output_usd);

/* channel_new - a channel of that name at http://127.0.0.1:port/v1 with one key
 * "provider-key-NAME". provider: the column; "demo" has no overrides. Returns its number. */
int64_t channel_new(const char *name, const char *provider, int port, int priority);

/* channel_serves - the channel serves the model; upstream_name NULL: under the same name. */
void channel_serves(int64_t channel_id, int64_t model_id, const char *upstream_name);

#endif
