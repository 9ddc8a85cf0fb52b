#include "base/log.h"
#include "tests/unit/invariants.h"
#include "tests/unit/money_kit.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SLOTS 64

static struct mariadb server;

static void setup(void)
{
    kit_begin(&server);
}

static void assert_sound(int also)
{
    const char *broken = invariants_broken(&server, also);
    ck_assert_msg(!broken, "%s", broken);
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
    assert_sound(0);
    for (int i = 0; i < 10; i++)
        hold_cancel(n.m, &h[i]);
    node_stop(&n);
    ck_assert_int_eq(kit_leased(&server, 1), 0);
    assert_sound(INVARIANTS_DRAINED);
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
    assert_sound(0);
    node_stop(&a);
    node_stop(&b);
    assert_sound(INVARIANTS_DRAINED);
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
    assert_sound(0);
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
    assert_sound(INVARIANTS_DRAINED);
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
    assert_sound(0);
    hold_cancel(n.m, &h);
    int64_t available = -1;
    ck_assert_int_eq(hold_open(n.m, 1, 601, &h, &available), ERR_NO_FUNDS);
    ck_assert_int_eq(available, 600);
    node_stop(&n);
    assert_sound(INVARIANTS_DRAINED);
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
    assert_sound(INVARIANTS_DRAINED);
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
    assert_sound(0);
    ck_assert_int_eq(kit_balance(&server, 1), USD - 2);
    node_stop(&n);
    assert_sound(INVARIANTS_DRAINED);
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
    assert_sound(INVARIANTS_DRAINED);
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

/* ---- answers that do not come ---- */

static struct {
    enum err take, give; /* what the caller is told; ERR_OK: the truth */
    bool is_applied;     /* what happens then */
    struct money_db_ops real;
} lie;

static enum err lying_take(void *self, struct lease_take *t)
{
    enum err told = lie.take;
    lie.take = ERR_OK;
    if (told && !lie.is_applied)
        return told;
    enum err e = lie.real.take(self, t);
    return told ? told : e;
}

static enum err lying_give(void *self, struct lease_give *g)
{
    enum err told = lie.give;
    lie.give = ERR_OK;
    if (told && !lie.is_applied)
        return told;
    enum err e = lie.real.give(self, g);
    return told ? told : e;
}

static void change_lying(struct money_ops *ops)
{
    lie.real = ops->db;
    ops->db.take = lying_take;
    ops->db.give = lying_give;
}

static struct {
    struct money_db_ops real;
    int calls;
} begins;

/* Applied without an answer; then rolled back. */
static enum err lying_begin(void *self, const char *process, const char *host)
{
    if (begins.calls++)
        return ERR_DB_RETRY;
    ck_assert_int_eq(begins.real.begin(self, process, host), ERR_OK);
    return ERR_DB_UNKNOWN;
}

static void change_begin(struct money_ops *ops)
{
    begins.real = ops->db;
    begins.calls = 0;
    ops->db.begin = lying_begin;
}

START_TEST(row_that_may_be_there_goes_with_its_process)
{
    struct node n = node_new_with(&server, SLOTS, change_begin);
    struct hold h;
    kit_recharge(&server, 1, 1000);
    ck_assert_int_ne(hold_open(n.m, 1, 1000, &h, NULL), ERR_OK);
    ck_assert_int_ne(hold_open(n.m, 1, 1000, &h, NULL), ERR_OK);
    ck_assert_int_ge(begins.calls, 2);
    node_stop(&n);
    assert_sound(INVARIANTS_DRAINED);
    ck_assert_int_eq(mariadb_number(&server, "SELECT COUNT(*) FROM processes"), 0);
}
END_TEST

START_TEST(take_without_an_answer_raises_nothing_and_shows_later)
{
    for (int is_applied = 0; is_applied < 2; is_applied++) {
        kit_begin(&server);
        struct node n = node_new_with(&server, SLOTS, change_lying);
        struct hold h, h2;
        kit_recharge(&server, 1, 1000);
        lie.take = ERR_DB_UNKNOWN;
        lie.is_applied = is_applied;
        ck_assert_int_eq(hold_open(n.m, 1, 1000, &h, NULL), ERR_UNAVAILABLE);
        ck_assert_int_eq(kit_leased(&server, 1), is_applied ? 1000 : 0);
        struct lease_account *a = lease_account_find(n.m, 1);
        ck_assert_int_eq(a->granted_nusd, 0);
        ck_assert(a->has_doubt);
        lease_account_put(a);
        /* The whole balance is leased by ourselves already, or not: it can be held either way, once. */
        ck_assert_int_eq(hold_open(n.m, 1, 1000, &h, NULL), ERR_OK);
        server.config->lease_wait_ms = 0;
        ck_assert_int_ne(hold_open(n.m, 1, 1, &h2, NULL), ERR_OK);
        assert_sound(0);
        hold_cancel(n.m, &h);
        node_stop(&n);
        assert_sound(INVARIANTS_DRAINED);
    }
}
END_TEST

START_TEST(lease_of_an_unanswered_take_is_found_and_given_back)
{
    struct node n = node_new_with(&server, SLOTS, change_lying);
    struct hold h;
    server.config->lease_idle_ms = 0;
    kit_recharge(&server, 1, 1000);
    lie.take = ERR_DB_UNKNOWN;
    lie.is_applied = true;
    ck_assert_int_eq(hold_open(n.m, 1, 1000, &h, NULL), ERR_UNAVAILABLE);
    ck_assert_int_eq(kit_leased(&server, 1), 1000);
    lease_give_idle(n.m);
    lease_give_idle(n.m);
    ck_assert_int_eq(kit_leased(&server, 1), 0);
    ck_assert_int_eq(atomic_load(&n.m->accounts_n), 0);
    node_stop(&n);
    assert_sound(INVARIANTS_DRAINED);
}
END_TEST

START_TEST(give_back_without_an_answer_is_doubtful_until_the_row_tells)
{
    for (int is_applied = 0; is_applied < 2; is_applied++) {
        kit_begin(&server);
        server.config->lease_idle_ms = 0;
        server.config->lease_wait_ms = 0;
        struct node n = node_new_with(&server, SLOTS, change_lying);
        struct hold h, h2;
        kit_recharge(&server, 1, 1000);
        ck_assert_int_eq(hold_open(n.m, 1, 1000, &h, NULL), ERR_OK);
        hold_cancel(n.m, &h);
        lie.give = ERR_DB_UNKNOWN;
        lie.is_applied = is_applied;
        lease_give_idle(n.m);
        ck_assert_int_eq(kit_leased(&server, 1), is_applied ? 0 : 1000);
        struct lease_account *a = lease_account_find(n.m, 1);
        ck_assert_int_eq(lease_free(a), 0);
        ck_assert_int_eq(a->doubtful_nusd, 1000);
        lease_account_put(a);
        ck_assert_int_eq(hold_open(n.m, 1, 1000, &h, NULL), ERR_OK);
        ck_assert_int_ne(hold_open(n.m, 1, 1, &h2, NULL), ERR_OK);
        assert_sound(0);
        hold_cancel(n.m, &h);
        node_stop(&n);
        assert_sound(INVARIANTS_DRAINED);
    }
}
END_TEST

START_TEST(give_back_that_was_rolled_back_is_free_again)
{
    struct node n = node_new_with(&server, SLOTS, change_lying);
    struct hold h;
    server.config->lease_idle_ms = 0;
    kit_recharge(&server, 1, 1000);
    ck_assert_int_eq(hold_open(n.m, 1, 1000, &h, NULL), ERR_OK);
    hold_cancel(n.m, &h);
    lie.give = ERR_DB_RETRY;
    lease_give_idle(n.m);
    struct lease_account *a = lease_account_find(n.m, 1);
    ck_assert_int_eq(lease_free(a), 1000);
    lease_account_put(a);
    node_stop(&n);
}
END_TEST

START_TEST(take_that_lost_to_others_is_tried_again)
{
    struct node n = node_new_with(&server, SLOTS, change_lying);
    struct hold h;
    kit_recharge(&server, 1, 1000);
    lie.take = ERR_DB_RETRY;
    ck_assert_int_eq(hold_open(n.m, 1, 1000, &h, NULL), ERR_OK);
    hold_cancel(n.m, &h);
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
    assert_sound(0);
    node_crash(&other);
    node_crash(&n);
}
END_TEST

/* ---- read-backs ---- */

START_TEST(read_backs_are_taken_in_the_order_of_the_row_not_of_arrival)
{
    struct node n = node_new(&server, SLOTS);
    struct lease_account *a = lease_account_get(n.m, 1);
    /* A flush of segment 1 (n 2), then a take (n 3): the take's answer comes first. */
    struct lease_row first = {.exists = true, .amount_nusd = 10, .n = 1, .position = 0};
    lease_apply(a, &first, lease_seq(n.m), true);
    a->held_nusd = 10;
    lease_note_spent(a, 1, 10, true);
    a->held_nusd = 0;
    a->closing_nusd = 0;
    ck_assert_int_eq(lease_free(a), 0);
    struct lease_row flush = {.exists = true, .amount_nusd = 0, .n = 2, .position = 1};
    struct lease_row take = {.exists = true, .amount_nusd = 3, .n = 3, .position = 1};
    lease_apply(a, &take, lease_seq(n.m), true);
    ck_assert_int_eq(lease_free(a), 3);
    lease_apply(a, &flush, lease_seq(n.m), true);
    (void)lease_drop_spent(a, 1);
    ck_assert_int_eq(lease_free(a), 3);
    ck_assert_int_eq(a->spent_nusd, 0);
    lease_account_put(a);
    node_crash(&n);
}
END_TEST

START_TEST(doubt_is_settled_only_by_what_began_after_it)
{
    struct node n = node_new(&server, SLOTS);
    struct lease_account *a = lease_account_get(n.m, 1);
    struct lease_row row = {.exists = true, .amount_nusd = 10, .n = 1};
    uint64_t early = lease_seq(n.m);
    a->granted_nusd = 10;
    a->doubtful_nusd = 4;
    a->has_doubt = true;
    a->doubt_seq = lease_seq(n.m);
    lease_apply(a, &row, early, true);
    lease_apply(a, &row, lease_seq(n.m), false);
    ck_assert_int_eq(lease_free(a), 6);
    ck_assert(a->has_doubt);
    lease_apply(a, &row, lease_seq(n.m), true);
    ck_assert_int_eq(lease_free(a), 10);
    ck_assert(!a->has_doubt);
    lease_account_put(a);
    node_crash(&n);
}
END_TEST

START_TEST(read_back_from_before_a_flush_raises_nothing)
{
    struct node n = node_new(&server, SLOTS);
    struct lease_account *a = lease_account_get(n.m, 1);
    struct lease_row before = {.exists = true, .amount_nusd = 10, .n = 5, .position = 0};
    a->granted_nusd = 6; /* segment 1 cost 4, and its commit had no answer that tells the row */
    (void)lease_drop_spent(a, 1);
    lease_apply(a, &before, lease_seq(n.m), true);
    ck_assert_int_eq(lease_free(a), 6);
    lease_account_put(a);
    node_crash(&n);
}
END_TEST

static struct {
    struct node n;
    struct money_db_ops real;
} slow;

/* Before the answer of its COMMIT arrives, all that is free goes back, and the account is not needed any more. */
static enum err slow_flush(void *self, struct usage_flush *f)
{
    enum err e = slow.real.flush(self, f);
    server.config->lease_idle_ms = 0;
    lease_give_idle(slow.n.m);
    lease_give_idle(slow.n.m);
    lease_account_put(lease_account_get(slow.n.m, 1));
    return e;
}

static void change_slow(struct money_ops *ops)
{
    slow.real = ops->db;
    ops->db.flush = slow_flush;
}

START_TEST(flush_that_returns_after_all_was_given_back_raises_nothing)
{
    slow.n = node_new_with(&server, SLOTS, change_slow);
    kit_recharge(&server, 1, 1000);
    ck_assert_int_eq(kit_run(&slow.n, 1, 500, 100), ERR_OK);
    node_drain(&slow.n);
    ck_assert_int_eq(kit_balance(&server, 1), 900);
    ck_assert_int_eq(kit_leased(&server, 1), 0);
    struct lease_account *a = lease_account_get(slow.n.m, 1);
    ck_assert_int_eq(lease_free(a), 0);
    lease_account_put(a);
    node_stop(&slow.n);
    assert_sound(INVARIANTS_DRAINED);
}
END_TEST

START_TEST(flush_between_close_and_settlement_keeps_the_sums)
{
    struct node n = node_new(&server, SLOTS);
    struct kit_request r;
    kit_recharge(&server, 1, 1000);
    ck_assert_int_eq(kit_admit(&n, 1, 1000, &r), ERR_OK);
    struct lease_account *a = lease_account_find(n.m, 1);
    r.row.status = USAGE_OK;
    r.row.cost_nusd = 400;
    journal_close(n.m, &r.slot, &r.row);
    ck_assert_int_eq(lease_free(a), 0);
    node_drain(&n);
    ck_assert_int_eq(kit_leased(&server, 1), 600);
    ck_assert_int_eq(lease_free(a), 0);
    hold_settle(n.m, &r.hold, 400);
    ck_assert_int_eq(lease_free(a), 600);
    lease_account_put(a);
    node_stop(&n);
    assert_sound(INVARIANTS_DRAINED);
}
END_TEST

START_TEST(spent_costs_are_dropped_by_position_also_when_they_went_elsewhere)
{
    struct node n = node_new(&server, SLOTS);
    struct lease_account *a = lease_account_get(n.m, 1);
    for (uint64_t s = 1; s <= 40; s++)
        lease_note_spent(a, s, (int64_t)s, false);
    lease_move_spent(a, 7, SEGMENT_STUCK, 7);
    lease_move_spent(a, SEGMENT_STUCK, 12, 7);
    ck_assert_int_eq(lease_drop_spent(a, 10), 55 - 7);
    ck_assert_int_eq(lease_drop_spent(a, 12), 11 + 12 + 7);
    lease_note_spent(a, 3, 5, false); /* a segment that must be flushed again */
    ck_assert_int_eq(lease_drop_spent(a, 12), 5);
    ck_assert_int_eq(a->spent_nusd, (13 + 40) * 28 / 2);
    lease_account_put(a);
    node_crash(&n);
}
END_TEST

/* ---- many at once ---- */

#define NODES    4
#define PER_NODE 50

struct racer {
    pthread_t thread;
    struct node *n;
    pthread_barrier_t *start;
    int64_t need;
    struct kit_request r;
    enum err e;
};

static void *race(void *arg)
{
    struct racer *r = arg;
    pthread_barrier_wait(r->start);
    r->e = kit_admit(r->n, 1, r->need, &r->r);
    return NULL;
}

START_TEST(two_hundred_at_once_on_credit_for_one_admit_exactly_one)
{
    struct node n[NODES];
    struct racer r[NODES * PER_NODE];
    pthread_barrier_t start;
    int admitted = 0;
    server.config->lease_wait_ms = 200;
    kit_recharge(&server, 1, USD);
    for (int i = 0; i < NODES; i++)
        n[i] = node_start(&server, PER_NODE);
    pthread_barrier_init(&start, NULL, NODES * PER_NODE);
    for (int i = 0; i < NODES * PER_NODE; i++) {
        r[i] = (struct racer){.n = &n[i % NODES], .start = &start, .need = USD};
        ck_assert_int_eq(pthread_create(&r[i].thread, NULL, race, &r[i]), 0);
    }
    for (int i = 0; i < NODES * PER_NODE; i++) {
        pthread_join(r[i].thread, NULL);
        admitted += r[i].e == ERR_OK;
        ck_assert(r[i].e == ERR_OK || r[i].e == ERR_FUNDS_RESERVED);
    }
    ck_assert_int_eq(admitted, 1);
    assert_sound(0);
    for (int i = 0; i < NODES * PER_NODE; i++) {
        if (r[i].e == ERR_OK)
            kit_finish(r[i].n, &r[i].r, USD);
    }
    for (int i = 0; i < NODES; i++)
        node_stop(&n[i]);
    ck_assert_int_eq(kit_balance(&server, 1), 0);
    assert_sound(INVARIANTS_DRAINED);
    pthread_barrier_destroy(&start);
}
END_TEST

START_TEST(smaller_needs_behind_a_larger_one_are_served)
{
    struct node n = node_start(&server, PER_NODE);
    struct racer r[3];
    pthread_barrier_t start;
    const int64_t needs[] = {5000, 600, 400};
    server.config->lease_wait_ms = 200;
    kit_recharge(&server, 1, 1000);
    pthread_barrier_init(&start, NULL, 3);
    for (int i = 0; i < 3; i++) {
        r[i] = (struct racer){.n = &n, .start = &start, .need = needs[i]};
        ck_assert_int_eq(pthread_create(&r[i].thread, NULL, race, &r[i]), 0);
    }
    for (int i = 0; i < 3; i++)
        pthread_join(r[i].thread, NULL);
    ck_assert_int_eq(r[0].e, ERR_NO_FUNDS);
    ck_assert_int_eq(r[1].e, ERR_OK);
    ck_assert_int_eq(r[2].e, ERR_OK);
    kit_finish(&n, &r[1].r, 600);
    kit_finish(&n, &r[2].r, 1);
    node_stop(&n);
    ck_assert_int_eq(kit_balance(&server, 1), 399);
    assert_sound(INVARIANTS_DRAINED);
    pthread_barrier_destroy(&start);
}
END_TEST

struct spender {
    pthread_t thread;
    struct node *n;
    unsigned seed;
    int64_t spent;
    int served, refused;
};

static void *spend(void *arg)
{
    struct spender *s = arg;
    for (int i = 0; i < 60; i++) {
        int64_t need = 1 + rand_r(&s->seed) % 5000, cost = rand_r(&s->seed) % (int)(need + 1);
        enum err e = kit_run(s->n, 1 + rand_r(&s->seed) % 3, need, cost);
        s->served += !e;
        s->refused += e != ERR_OK;
        s->spent += e ? 0 : cost;
    }
    return NULL;
}

START_TEST(balances_end_exact_after_many_spenders_in_three_processes)
{
    struct node n[3];
    struct spender s[12];
    int64_t spent = 0, before = 0;
    server.config->lease_wait_ms = 300;
    for (int i = 1; i <= 3; i++) {
        kit_recharge(&server, i, 200000);
        before += 200000;
    }
    for (int i = 0; i < 3; i++)
        n[i] = node_start(&server, SLOTS);
    for (unsigned i = 0; i < 12; i++) {
        s[i] = (struct spender){.n = &n[i % 3], .seed = i + 1};
        ck_assert_int_eq(pthread_create(&s[i].thread, NULL, spend, &s[i]), 0);
    }
    for (int i = 0; i < 20; i++) {
        assert_sound(0);
        for (int k = 0; k < 3; k++) {
            n[k].m->next_wanted_ms = 0;
            (void)money_upkeep(n[k].m);
        }
        usleep(20000);
    }
    int served = 0;
    for (int i = 0; i < 12; i++) {
        pthread_join(s[i].thread, NULL);
        spent += s[i].spent;
        served += s[i].served;
    }
    ck_assert_int_gt(served, 100);
    for (int i = 0; i < 3; i++)
        node_stop(&n[i]);
    ck_assert_int_eq(kit_balance(&server, 1) + kit_balance(&server, 2) + kit_balance(&server, 3),
                     before - spent);
    ck_assert_int_eq(mariadb_number(&server, "SELECT COUNT(*) FROM usage_log"), served);
    assert_sound(INVARIANTS_DRAINED);
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
    tcase_add_test(t, row_that_may_be_there_goes_with_its_process);
    tcase_add_test(t, take_without_an_answer_raises_nothing_and_shows_later);
    tcase_add_test(t, lease_of_an_unanswered_take_is_found_and_given_back);
    tcase_add_test(t, give_back_without_an_answer_is_doubtful_until_the_row_tells);
    tcase_add_test(t, give_back_that_was_rolled_back_is_free_again);
    tcase_add_test(t, take_that_lost_to_others_is_tried_again);
    tcase_add_test(t, take_sees_what_was_leased_while_it_waited_for_the_account);
    tcase_add_test(t, read_backs_are_taken_in_the_order_of_the_row_not_of_arrival);
    tcase_add_test(t, doubt_is_settled_only_by_what_began_after_it);
    tcase_add_test(t, read_back_from_before_a_flush_raises_nothing);
    tcase_add_test(t, flush_that_returns_after_all_was_given_back_raises_nothing);
    tcase_add_test(t, flush_between_close_and_settlement_keeps_the_sums);
    tcase_add_test(t, spent_costs_are_dropped_by_position_also_when_they_went_elsewhere);
    tcase_add_test(t, two_hundred_at_once_on_credit_for_one_admit_exactly_one);
    tcase_add_test(t, smaller_needs_behind_a_larger_one_are_served);
    tcase_add_test(t, balances_end_exact_after_many_spenders_in_three_processes);
    suite_add_tcase(s, t);
    SRunner *r = srunner_create(s);
    (void)!log_open("stderr", LOG_LEVEL_ERROR);
    mariadb_start(&server);
    srunner_run_all(r, CK_ENV);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    mariadb_stop(&server);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
