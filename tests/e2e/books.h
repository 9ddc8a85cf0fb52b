/* books - whether the money adds up: usage rows, ledger and leases read by SQL.
 *
 * Each question is one statement, so that running flushes cannot fall between its parts. One
 * thread. */
#ifndef TESTS_E2E_BOOKS_H
#define TESTS_E2E_BOOKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* books_check - fails the test unless, for every account, the sum of its usage costs is what its
 * ledger says, no balance is below what is leased, and each row's cost recomputes from its price
 * lines. */
void books_check(void);

/* books_wait_row - the usage row of a request is there within 5 s; fails the test otherwise. */
void books_wait_row(const char *request_id);

/* books_row - a column of a usage row as text; the row is waited for. In the ring of admin.h. */
const char *books_row(const char *request_id, const char *column);

/* books_expect - fails the test unless the column has that text. */
void books_expect(const char *request_id, const char *column, const char *expected);

/* books_balance - an account's balance as text, nine decimals. */
const char *books_balance(int64_t account_id);

/* books_check_crowd - fails the test unless every whole answer of status 200 has one usage row
 * of status `ok`, within wait_ms. Returns how many there were. */
struct crowd_result;
size_t books_check_crowd(const struct crowd_result *results, size_t count, int wait_ms);

/* books_process_is_forgotten - the database has no process and no lease of that ULID, and the
 * spool no directory. */
bool books_process_is_forgotten(const char *process_id);

/* books_spool_entry - the name of something in the spool; NULL when it is empty. Static buffer. */
const char *books_spool_entry(void);

/* books_check_drained - fails the test unless no process, no lease and nothing in the spool is
 * left, and no gateway ended by an assertion or told a sanitizer's finding: after a drain. */
void books_check_drained(void);

#endif
