#include "tests/unit/money_suite.h"

#include "base/log.h"

#include <stdlib.h>

void money_assert_sound(struct mariadb *server, int also)
{
    const char *broken = invariants_broken(server, also);

    ck_assert_msg(!broken, "%s", broken);
}

struct journal_stats money_stats(struct node *n)
{
    struct journal_stats st;

    journal_stats(n->m, &st);
    return st;
}

int money_run_suite(Suite *s, struct mariadb *server)
{
    SRunner *r = srunner_create(s);
    int failed;

    (void)!log_open("stderr", LOG_LEVEL_ERROR);
    mariadb_start(server);
    srunner_run_all(r, CK_ENV);
    failed = srunner_ntests_failed(r);
    srunner_free(r);
    mariadb_stop(server);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
