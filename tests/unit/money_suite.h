/* money_suite - what the suites share whose money lies in a real database: the check of the
 * invariants, and how such a suite runs. The kits that other programs link stay free of Check. */
#ifndef AIPASS_TESTS_MONEY_SUITE_H
#define AIPASS_TESTS_MONEY_SUITE_H

#include "tests/unit/invariants.h"
#include "tests/unit/money_kit.h"

#include <check.h>

/* money_assert_sound - fails the test when an invariant does not hold. also: of enum
 * invariants_also. */
void money_assert_sound(struct mariadb *server, int also);

/* money_stats - of a node's journal, as it stands. */
struct journal_stats money_stats(struct node *n);

/* money_run_suite - main() of a suite: starts the server, runs s (and frees it), stops the server.
 * The exit status. */
int money_run_suite(Suite *s, struct mariadb *server);

#endif
