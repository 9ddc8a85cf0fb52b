#include "tests/unit/money_suite.h"

#include <check.h>
#include <stdlib.h>

#define SLOTS 64

static struct mariadb server;

static void setup(void)
{
    kit_begin(&server);
}

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
        money_assert_sound(&server, 0);
        hold_cancel(n.m, &h);
        node_stop(&n);
        money_assert_sound(&server, INVARIANTS_DRAINED);
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
    money_assert_sound(&server, INVARIANTS_DRAINED);
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
        money_assert_sound(&server, 0);
        hold_cancel(n.m, &h);
        node_stop(&n);
        money_assert_sound(&server, INVARIANTS_DRAINED);
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

/* ---- read-backs ---- */

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
    money_assert_sound(&server, INVARIANTS_DRAINED);
    ck_assert_int_eq(mariadb_number(&server, "SELECT COUNT(*) FROM processes"), 0);
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

START_TEST(amount_from_before_a_known_flush_raises_nothing)
{
    struct node n = node_new(&server, SLOTS);
    struct lease_account *a = lease_account_get(n.m, 1);
    struct lease_row first = {.exists = true, .amount_nusd = 10, .n = 1, .position = 0};
    lease_apply(a, &first, lease_seq(n.m), true);
    lease_note_spent(a, 1, 10, false);
    /* Segment 1 was committed without an answer, and its repeat found it done: nobody read the row back. */
    a->granted_nusd -= lease_drop_spent(a, 1);
    ck_assert_int_eq(lease_free(a), 0);
    /* A take that had read the row before that commit: its 13 still hold the 10. */
    struct lease_row take = {.exists = true, .amount_nusd = 13, .n = 2, .position = 0};
    lease_apply(a, &take, lease_seq(n.m), true);
    ck_assert_int_eq(lease_free(a), 0);
    struct lease_row next = {.exists = true, .amount_nusd = 4, .n = 4, .position = 1};
    lease_apply(a, &next, lease_seq(n.m), true);
    ck_assert_int_eq(lease_free(a), 4);
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
    money_assert_sound(&server, INVARIANTS_DRAINED);
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
    money_assert_sound(&server, INVARIANTS_DRAINED);
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

int main(void)
{
    Suite *s = suite_create("lease_answers");
    TCase *t = tcase_create("lease_answers");
    tcase_set_timeout(t, 60);
    tcase_add_checked_fixture(t, setup, NULL);
    tcase_add_test(t, take_without_an_answer_raises_nothing_and_shows_later);
    tcase_add_test(t, lease_of_an_unanswered_take_is_found_and_given_back);
    tcase_add_test(t, give_back_without_an_answer_is_doubtful_until_the_row_tells);
    tcase_add_test(t, give_back_that_was_rolled_back_is_free_again);
    tcase_add_test(t, take_that_lost_to_others_is_tried_again);
    tcase_add_test(t, row_that_may_be_there_goes_with_its_process);
    tcase_add_test(t, read_backs_are_taken_in_the_order_of_the_row_not_of_arrival);
    tcase_add_test(t, amount_from_before_a_known_flush_raises_nothing);
    tcase_add_test(t, doubt_is_settled_only_by_what_began_after_it);
    tcase_add_test(t, read_back_from_before_a_flush_raises_nothing);
    tcase_add_test(t, flush_that_returns_after_all_was_given_back_raises_nothing);
    tcase_add_test(t, flush_between_close_and_settlement_keeps_the_sums);
    tcase_add_test(t, spent_costs_are_dropped_by_position_also_when_they_went_elsewhere);
    suite_add_tcase(s, t);
    return money_run_suite(s, &server);
}
