#include "tests/unit/money_suite.h"

#include <check.h>
#include <stdlib.h>
#include <unistd.h>

#define SLOTS 64

static struct mariadb server;

static void setup(void)
{
    kit_begin(&server);
}

/* ---- the rule ---- */

static int64_t plan(int64_t free, int64_t available, int64_t live, bool is_wanted,
                    const int64_t *needs, size_t n)
{
    struct lease_take t = {
        .needs_nusd = needs, .needs_n = n, .free_nusd = free, .lease_max_nusd = 1000};
    return lease_plan(&t, available, live, is_wanted);
}

START_TEST(plan_grants_need_or_a_share_and_never_more_than_available)
{
    const int64_t one[] = {100};
    ck_assert_int_eq(plan(0, 99, 1, false, one, 1), 0);
    ck_assert_int_eq(plan(0, 100, 1, false, one, 1), 100);
    ck_assert_int_eq(plan(0, 1600, 1, false, one, 1), 100);
    ck_assert_int_eq(plan(0, 3200, 1, false, one, 1), 200);
    ck_assert_int_eq(plan(0, 3200, 4, false, one, 1), 100);
    ck_assert_int_eq(plan(0, 1000000, 1, false, one, 1), 1000);
    ck_assert_int_eq(plan(0, 1000000, 1, true, one, 1), 100);
    ck_assert_int_eq(plan(0, -5, 1, false, one, 1), 0);
    ck_assert_int_eq(plan(0, 100, 0, false, one, 1), 100);
}
END_TEST

START_TEST(plan_counts_what_is_free_and_what_is_missing)
{
    const int64_t one[] = {100};
    ck_assert_int_eq(plan(60, 40, 1, true, one, 1), 40);
    ck_assert_int_eq(plan(60, 39, 1, true, one, 1), 0);
    ck_assert_int_eq(plan(-20, 120, 1, true, one, 1), 120);
    ck_assert_int_eq(plan(-20, 119, 1, true, one, 1), 0);
}
END_TEST

START_TEST(plan_serves_in_order_of_arrival_and_passes_over_what_does_not_fit)
{
    const int64_t needs[] = {50, 80, 30, 40};
    ck_assert_int_eq(plan(0, 90, 1, true, needs, 4), 80);
    ck_assert_int_eq(plan(0, 200, 1, true, needs, 4), 200);
    ck_assert_int_eq(plan(0, 29, 1, true, needs, 4), 0);
    const int64_t huge[] = {INT64_MAX / 2, INT64_MAX / 2, INT64_MAX / 2, 1};
    ck_assert_int_eq(plan(0, 10, 1, true, huge, 4), 1);
}
END_TEST

/* ---- one process ---- */

START_TEST(hold_takes_a_lease_and_the_next_ones_come_from_it)
{
    struct node n = node_new(&server, SLOTS);
    struct hold h[10];
    struct journal_stats st;
    kit_recharge(&server, 1, 16 * USD);
    for (int i = 0; i < 10; i++)
        ck_assert_int_eq(hold_open(n.m, 1, USD / 10, &h[i], NULL), ERR_OK);
    journal_stats(n.m, &st);
    ck_assert_uint_eq(st.takes, 1);
    ck_assert_int_eq(kit_leased(&server, 1), USD);
    money_assert_sound(&server, 0);
    for (int i = 0; i < 10; i++)
        hold_cancel(n.m, &h[i]);
    node_stop(&n);
    ck_assert_int_eq(kit_leased(&server, 1), 0);
    money_assert_sound(&server, INVARIANTS_DRAINED);
}
END_TEST

START_TEST(hold_above_the_balance_is_refused_at_once_and_tells_what_there_is)
{
    struct node n = node_new(&server, SLOTS);
    struct hold h;
    int64_t available = -1, began = clock_mono_ms();
    kit_recharge(&server, 1, 700);
    ck_assert_int_eq(hold_open(n.m, 1, 701, &h, &available), ERR_NO_FUNDS);
    ck_assert_int_eq(available, 700);
    ck_assert_ptr_null(h.account);
    ck_assert_int_lt(clock_mono_ms() - began, 1000);
    ck_assert_int_eq(hold_open(n.m, 1, 700, &h, &available), ERR_OK);
    ck_assert_int_eq(kit_leased(&server, 1), 700);
    hold_cancel(n.m, &h);
    ck_assert_int_eq(hold_open(n.m, 2, 1, &h, &available), ERR_NO_FUNDS);
    ck_assert_int_eq(available, 0);
    node_stop(&n);
}
END_TEST

START_TEST(hold_of_nothing_needs_no_lease)
{
    struct node n = node_new(&server, SLOTS);
    struct hold h;
    ck_assert_int_eq(hold_open(n.m, 1, 0, &h, NULL), ERR_OK);
    hold_settle(n.m, &h, 0);
    ck_assert_int_eq(mariadb_number(&server, "SELECT COUNT(*) FROM processes"), 0);
    node_stop(&n);
}
END_TEST

START_TEST(money_held_by_others_is_waited_for_and_then_refused_as_reserved)
{
    struct node a = node_new(&server, SLOTS), b = node_new(&server, SLOTS);
    struct hold ha, hb;
    int64_t available = -1;
    server.config->lease_wait_ms = 300;
    kit_recharge(&server, 1, 1000);
    ck_assert_int_eq(hold_open(a.m, 1, 900, &ha, NULL), ERR_OK);
    int64_t began = clock_mono_ms();
    ck_assert_int_eq(hold_open(b.m, 1, 200, &hb, &available), ERR_FUNDS_RESERVED);
    ck_assert_int_ge(clock_mono_ms() - began, 290);
    ck_assert_int_eq(available, 100);
    ck_assert_int_eq(
        mariadb_number(&server,
                       "SELECT wanted_at IS NOT NULL FROM account_state WHERE account_id = 1"),
        1);
    ck_assert_int_eq(hold_open(b.m, 1, 100, &hb, &available), ERR_OK);
    hold_cancel(a.m, &ha);
    hold_cancel(b.m, &hb);
    money_assert_sound(&server, 0);
    node_stop(&a);
    node_stop(&b);
    money_assert_sound(&server, INVARIANTS_DRAINED);
}
END_TEST

struct late_hold {
    struct node *n;
    int64_t need;
    struct hold hold;
    enum err e;
};

static void *open_late(void *arg)
{
    struct late_hold *l = arg;
    l->e = hold_open(l->n->m, 1, l->need, &l->hold, NULL);
    return NULL;
}

START_TEST(wanted_account_is_given_back_by_the_other_process)
{
    struct node a = node_new(&server, SLOTS), b = node_new(&server, SLOTS);
    struct hold h;
    pthread_t t;
    kit_recharge(&server, 1, 16 * USD);
    ck_assert_int_eq(hold_open(a.m, 1, 1, &h, NULL), ERR_OK);
    ck_assert_int_eq(kit_leased(&server, 1), USD);
    struct late_hold late = {.n = &b, .need = 16 * USD - 1};
    ck_assert_int_eq(pthread_create(&t, NULL, open_late, &late), 0);
    while (
        !mariadb_number(&server, "SELECT COUNT(*) FROM account_state WHERE wanted_at IS NOT NULL"))
        usleep(5000);
    ck_assert(money_upkeep(a.m));
    pthread_join(t, NULL);
    ck_assert_int_eq(late.e, ERR_OK);
    ck_assert_int_eq(kit_leased(&server, 1), 16 * USD);
    money_assert_sound(&server, 0);
    /* What comes back while it is wanted is leased exactly. */
    hold_cancel(b.m, &late.hold);
    ck_assert(money_upkeep(b.m));
    ck_assert_int_eq(kit_leased(&server, 1), 1);
    ck_assert_int_eq(hold_open(b.m, 1, 10, &late.hold, NULL), ERR_OK);
    ck_assert_int_eq(kit_leased(&server, 1), 11);
    hold_cancel(b.m, &late.hold);
    hold_cancel(a.m, &h);
    node_stop(&a);
    node_stop(&b);
    money_assert_sound(&server, INVARIANTS_DRAINED);
}
END_TEST

START_TEST(settled_hold_keeps_its_cost_leased_until_the_flush)
{
    struct node n = node_new(&server, SLOTS);
    struct hold h;
    kit_recharge(&server, 1, 1000);
    server.config->lease_wait_ms = 0;
    ck_assert_int_eq(kit_run(&n, 1, 1000, 400), ERR_OK);
    /* 600 are free here, the 400 are spent though the ledger does not know it yet. */
    ck_assert_int_eq(hold_open(n.m, 1, 601, &h, NULL), ERR_FUNDS_RESERVED);
    ck_assert_int_eq(hold_open(n.m, 1, 600, &h, NULL), ERR_OK);
    node_drain(&n);
    ck_assert_int_eq(kit_balance(&server, 1), 600);
    ck_assert_int_eq(kit_leased(&server, 1), 600);
    money_assert_sound(&server, 0);
    hold_cancel(n.m, &h);
    int64_t available = -1;
    ck_assert_int_eq(hold_open(n.m, 1, 601, &h, &available), ERR_NO_FUNDS);
    ck_assert_int_eq(available, 600);
    node_stop(&n);
    money_assert_sound(&server, INVARIANTS_DRAINED);
}
END_TEST

START_TEST(hold_extends_and_stays_as_it_was_when_it_cannot)
{
    struct node n = node_new(&server, SLOTS);
    struct hold h;
    kit_recharge(&server, 1, 1000);
    ck_assert_int_eq(hold_open(n.m, 1, 600, &h, NULL), ERR_OK);
    ck_assert_int_eq(hold_extend(n.m, &h, 400), ERR_OK);
    ck_assert_int_eq(h.amount_nusd, 1000);
    ck_assert_int_eq(hold_extend(n.m, &h, 2000), ERR_NO_FUNDS);
    ck_assert_int_eq(h.amount_nusd, 1000);
    hold_cancel(n.m, &h);
    node_stop(&n);
}
END_TEST

START_TEST(idle_lease_goes_back_and_its_row_is_deleted)
{
    struct node n = node_new(&server, SLOTS);
    struct hold h;
    server.config->lease_idle_ms = 0;
    kit_recharge(&server, 1, 16 * USD);
    ck_assert_int_eq(hold_open(n.m, 1, 100, &h, NULL), ERR_OK);
    ck_assert(money_upkeep(n.m));
    ck_assert_int_eq(kit_leased(&server, 1), USD);
    hold_cancel(n.m, &h);
    n.m->next_wanted_ms = 0;
    ck_assert(money_upkeep(n.m));
    ck_assert_int_eq(mariadb_number(&server, "SELECT COUNT(*) FROM leases"), 0);
    ck_assert_int_eq(atomic_load(&n.m->accounts_n), 0);
    /* And comes again. */
    ck_assert_int_eq(hold_open(n.m, 1, 100, &h, NULL), ERR_OK);
    ck_assert_int_eq(kit_leased(&server, 1), USD);
    hold_cancel(n.m, &h);
    node_stop(&n);
    money_assert_sound(&server, INVARIANTS_DRAINED);
}
END_TEST

START_TEST(quiet_process_takes_its_row_back_and_writes_it_again_when_needed)
{
    struct node n = node_new(&server, SLOTS);
    server.config->lease_idle_ms = 0;
    kit_recharge(&server, 1, USD);
    ck_assert_int_eq(kit_run(&n, 1, 100, 1), ERR_OK);
    node_drain(&n);
    ck_assert(money_upkeep(n.m));
    n.m->quiet_since_ms = clock_mono_ms() - 60000;
    n.m->next_wanted_ms = 0;
    ck_assert(!money_upkeep(n.m));
    ck_assert_int_eq(mariadb_number(&server, "SELECT COUNT(*) FROM processes"), 0);
    ck_assert_int_eq(kit_run(&n, 1, 100, 1), ERR_OK);
    ck_assert_int_eq(mariadb_number(&server, "SELECT COUNT(*) FROM processes"), 1);
    node_drain(&n);
    money_assert_sound(&server, 0);
    ck_assert_int_eq(kit_balance(&server, 1), USD - 2);
    node_stop(&n);
    money_assert_sound(&server, INVARIANTS_DRAINED);
}
END_TEST

START_TEST(expelled_process_admits_nothing_and_still_flushes)
{
    struct node n = node_new(&server, SLOTS);
    struct kit_request r;
    struct hold h;
    kit_recharge(&server, 1, 1000);
    ck_assert_int_eq(kit_admit(&n, 1, 300, &r), ERR_OK);
    mariadb_exec(&server, "DELETE FROM processes");
    ck_assert_int_eq(mariadb_number(&server, "SELECT COUNT(*) FROM leases"), 0);
    n.m->next_seen_ms = 0;
    (void)money_upkeep(n.m);
    ck_assert(!money_may_admit(n.m));
    ck_assert_int_eq(hold_open(n.m, 1, 1, &h, NULL), ERR_UNAVAILABLE);
    kit_finish(&n, &r, 200);
    node_stop(&n);
    ck_assert_int_eq(kit_balance(&server, 1), 800);
    money_assert_sound(&server, INVARIANTS_DRAINED);
}
END_TEST

START_TEST(take_of_a_process_whose_row_is_gone_expels_it)
{
    struct node n = node_new(&server, SLOTS);
    struct hold h;
    kit_recharge(&server, 1, 1000);
    kit_recharge(&server, 2, 1000);
    ck_assert_int_eq(hold_open(n.m, 1, 1, &h, NULL), ERR_OK);
    hold_cancel(n.m, &h);
    mariadb_exec(&server, "DELETE FROM processes");
    ck_assert_int_eq(hold_open(n.m, 2, 1, &h, NULL), ERR_UNAVAILABLE);
    ck_assert(!money_may_admit(n.m));
    ck_assert_int_eq(mariadb_number(&server, "SELECT COUNT(*) FROM leases"), 0);
    node_stop(&n);
}
END_TEST

START_TEST(process_that_cannot_write_seen_at_stops_admitting_before_it_is_abandoned)
{
    struct node n = node_new(&server, SLOTS);
    struct hold h;
    kit_recharge(&server, 1, 1000);
    ck_assert_int_eq(hold_open(n.m, 1, 1, &h, NULL), ERR_OK);
    ck_assert(money_may_admit(n.m));
    atomic_store(&n.m->seen_ms, clock_mono_ms() - server.config->abandon_after_s * 500 - 1);
    ck_assert(!money_may_admit(n.m));
    n.m->next_seen_ms = 0;
    (void)money_upkeep(n.m);
    ck_assert(money_may_admit(n.m));
    hold_cancel(n.m, &h);
    node_stop(&n);
}
END_TEST

START_TEST(process_unseen_for_long_is_abandoned_with_its_leases)
{
    struct node n = node_start(&server, SLOTS);
    mariadb_exec(
        &server,
        "INSERT INTO processes (id, host, seen_at) VALUES ('old', 'h', UTC_TIMESTAMP(3) - INTERVAL "
        "%lld SECOND), ('new', 'h', UTC_TIMESTAMP(3) - INTERVAL 60 SECOND);"
        "INSERT INTO leases (process_id, account_id, amount) VALUES ('old', 1, 0), ('new', 1, 0)",
        (long long)server.config->abandon_after_s + 1);
    (void)money_upkeep(n.m);
    ck_assert_str_eq(mariadb_value(&server, "SELECT GROUP_CONCAT(id) FROM processes"), "new");
    ck_assert_str_eq(mariadb_value(&server, "SELECT GROUP_CONCAT(process_id) FROM leases"), "new");
    node_stop(&n);
}
END_TEST

struct asker {
    pthread_t thread;
    struct node *n;
    enum err e;
};

static void *ask(void *arg)
{
    struct asker *a = arg;
    struct hold h;
    a->e = hold_open(a->n->m, 1, 900, &h, NULL);
    return NULL;
}

START_TEST(take_sees_what_was_leased_while_it_waited_for_the_account)
{
    struct node other = node_new(&server, SLOTS), n = node_new(&server, SLOTS);
    struct asker asker = {.n = &n};
    struct hold h;
    server.config->lease_wait_ms = 0;
    kit_recharge(&server, 1, 1000);
    ck_assert_int_eq(hold_open(other.m, 1, 1, &h, NULL), ERR_OK);
    mariadb_exec(&server, "BEGIN; UPDATE account_state SET n = n + 1 WHERE account_id = 1");
    ck_assert_int_eq(pthread_create(&asker.thread, NULL, ask, &asker), 0);
    usleep(300000);
    mariadb_exec(&server, "UPDATE leases SET amount = %s WHERE account_id = 1; COMMIT",
                 "0.000001000");
    pthread_join(asker.thread, NULL);
    ck_assert_int_eq(asker.e, ERR_FUNDS_RESERVED);
    money_assert_sound(&server, 0);
    node_crash(&other);
    node_crash(&n);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("lease");
    TCase *t = tcase_create("lease");
    tcase_set_timeout(t, 60);
    tcase_add_checked_fixture(t, setup, NULL);
    tcase_add_test(t, plan_grants_need_or_a_share_and_never_more_than_available);
    tcase_add_test(t, plan_counts_what_is_free_and_what_is_missing);
    tcase_add_test(t, plan_serves_in_order_of_arrival_and_passes_over_what_does_not_fit);
    tcase_add_test(t, hold_takes_a_lease_and_the_next_ones_come_from_it);
    tcase_add_test(t, hold_above_the_balance_is_refused_at_once_and_tells_what_there_is);
    tcase_add_test(t, hold_of_nothing_needs_no_lease);
    tcase_add_test(t, money_held_by_others_is_waited_for_and_then_refused_as_reserved);
    tcase_add_test(t, wanted_account_is_given_back_by_the_other_process);
    tcase_add_test(t, settled_hold_keeps_its_cost_leased_until_the_flush);
    tcase_add_test(t, hold_extends_and_stays_as_it_was_when_it_cannot);
    tcase_add_test(t, idle_lease_goes_back_and_its_row_is_deleted);
    tcase_add_test(t, quiet_process_takes_its_row_back_and_writes_it_again_when_needed);
    tcase_add_test(t, expelled_process_admits_nothing_and_still_flushes);
    tcase_add_test(t, take_of_a_process_whose_row_is_gone_expels_it);
    tcase_add_test(t, process_that_cannot_write_seen_at_stops_admitting_before_it_is_abandoned);
    tcase_add_test(t, process_unseen_for_long_is_abandoned_with_its_leases);
    tcase_add_test(t, take_sees_what_was_leased_while_it_waited_for_the_account);
    suite_add_tcase(s, t);
    return money_run_suite(s, &server);
}
