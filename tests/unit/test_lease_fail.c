#include "base/log.h"
#include "tests/unit/fake_money.h"

#include <check.h>
#include <stdlib.h>

#define BALANCE INT64_C(1000)

static struct fake_money f;

static void setup(void)
{
    fake_money_init(&f, BALANCE);
}

static void teardown(void)
{
    fake_money_clear(&f);
}

static struct lease_account *account_1(void)
{
    struct lease_account *a = lease_account_get(f.m, 1);
    ck_assert_ptr_nonnull(a);
    lease_account_put(a);
    return a;
}

static struct hold opened(int64_t nusd)
{
    struct hold h;
    ck_assert_int_eq(hold_open(f.m, 1, nusd, &h, NULL), ERR_OK);
    return h;
}

static enum err open_error(int64_t nusd)
{
    struct hold h;
    enum err e = hold_open(f.m, 1, nusd, &h, NULL);
    ck_assert_ptr_null(h.account);
    hold_cancel(f.m, &h); /* nothing is held: nothing happens */
    return e;
}

/* A failover to a database that never heard of our lease. */
static void lose_lease(void)
{
    f.rows[1] = (struct lease_row){0};
    f.generation++;
    fake_pump(&f);
}

static void take_without_answer(void)
{
    fake_fail(&f, FAKE_TAKE, ERR_DB_UNKNOWN);
    ck_assert_int_eq(open_error(50), ERR_UNAVAILABLE);
    ck_assert(account_1()->has_doubt);
}

/* ---- the rule ---- */

START_TEST(plan_takes_nothing_when_what_is_free_suffices)
{
    const int64_t need[] = {50};
    struct lease_take t = {
        .needs_nusd = need, .needs_n = 1, .free_nusd = 60, .lease_max_nusd = 1000};
    ck_assert_int_eq(lease_plan(&t, 1000, 1, false), 0);
    t.free_nusd = 50;
    ck_assert_int_eq(lease_plan(&t, 1000, 1, false), 0);
    t.free_nusd = 49;
    ck_assert_int_eq(lease_plan(&t, 15, 1, false), 1);
}
END_TEST

/* ---- many who wait ---- */

#define MANY 128 /* what one take asks for */

static struct lease_waiter crowd[MANY];

static void add_crowd(struct lease_account *a)
{
    for (int i = 0; i < MANY; i++)
        crowd[i] = (struct lease_waiter){
            .next = i + 1 < MANY ? &crowd[i + 1] : NULL, .need_nusd = 1, .result = ERR_UNAVAILABLE};
    a->waiters = &crowd[0];
}

START_TEST(those_beyond_the_first_take_are_asked_for_by_the_next)
{
    add_crowd(account_1());
    f.config.lease_wait_ms = 1000;
    struct hold h = opened(5);
    ck_assert_int_eq(f.calls[FAKE_TAKE], 2);
    ck_assert_uint_eq(f.needs_n, 1);
    for (int i = 0; i < MANY; i++)
        ck_assert(crowd[i].is_done && crowd[i].result == ERR_OK);
    ck_assert_int_eq(account_1()->held_nusd, MANY + 5);
    ck_assert_int_eq(f.rows[1].amount_nusd, MANY + 5);
    hold_cancel(f.m, &h);
}
END_TEST

START_TEST(a_take_that_fails_ends_only_those_whom_it_asked_for)
{
    add_crowd(account_1());
    fake_fail(&f, FAKE_TAKE, ERR_DB_DOWN);
    struct hold h = opened(5);
    ck_assert_int_eq(f.calls[FAKE_TAKE], 2);
    for (int i = 0; i < MANY; i++)
        ck_assert(crowd[i].is_done && crowd[i].result == ERR_UNAVAILABLE);
    ck_assert_int_eq(account_1()->held_nusd, 5);
    hold_cancel(f.m, &h);
}
END_TEST

START_TEST(who_comes_during_a_take_is_not_judged_by_it)
{
    struct lease_account *a = account_1();
    add_crowd(a);
    f.balance_nusd[1] = 3;
    ck_assert_int_eq(open_error(5), ERR_NO_FUNDS);
    ck_assert_int_eq(f.calls[FAKE_TAKE], 2); /* the first one did not ask for it */
    ck_assert(crowd[2].is_done && crowd[2].result == ERR_OK);
    ck_assert(!crowd[3].is_done && crowd[3].result == ERR_FUNDS_RESERVED);
    a->waiters = NULL;
    a->held_nusd = 0;
}
END_TEST

/* ---- money that was lost ---- */

START_TEST(lost_money_is_made_up_for_by_the_next_take)
{
    struct hold h = opened(100);
    lose_lease();
    struct lease_account *a = account_1();
    ck_assert_int_eq(lease_free(a), -100);
    struct hold h2 = opened(50);
    ck_assert_int_eq(f.rows[1].amount_nusd, 150);
    ck_assert_int_eq(lease_free(a), 0);
    hold_cancel(f.m, &h);
    hold_cancel(f.m, &h2);
}
END_TEST

START_TEST(a_row_that_is_read_back_stays_while_money_is_held)
{
    struct hold h = opened(100);
    lose_lease();
    take_without_answer();
    struct hold h2 = opened(50);
    ck_assert_int_eq(f.calls[FAKE_GIVE], 1);
    ck_assert(!f.is_last);
    ck_assert(!account_1()->has_doubt);
    hold_cancel(f.m, &h);
    hold_cancel(f.m, &h2);
}
END_TEST

START_TEST(a_row_that_is_read_back_stays_while_money_is_spent)
{
    fake_run(&f, 100, 100);
    lose_lease();
    ck_assert_int_eq(account_1()->spent_nusd, 100);
    ck_assert_int_eq(account_1()->granted_nusd, 0);
    take_without_answer();
    lease_give_idle(f.m);
    ck_assert_int_eq(f.calls[FAKE_GIVE], 1);
    ck_assert(!f.is_last);
    ck_assert(!account_1()->has_doubt);
}
END_TEST

START_TEST(a_closed_request_is_held_until_it_is_settled)
{
    struct fake_request r;
    struct hold other = opened(500);
    ck_assert_int_eq(fake_admit(&f, 300, &r), ERR_OK);
    fake_close(&f, &r, 300);
    journal_hurry(f.m);
    fake_pump(&f);
    hold_cancel(f.m, &other);
    /* The row is down to what is free, but the request is still there: its row must not go. */
    f.now_ms += f.config.lease_idle_ms;
    f.wanted_id = 1;
    lease_give_wanted(f.m);
    ck_assert_int_eq(f.calls[FAKE_GIVE], 1);
    ck_assert(!f.is_last);
    ck_assert_int_eq(f.rows[1].amount_nusd, 0);
    hold_settle(f.m, &r.hold, 300);
    ck_assert_int_eq(lease_free(account_1()), 0);
}
END_TEST

START_TEST(a_doubt_that_cannot_be_settled_takes_nothing)
{
    fake_run(&f, 10, 0);
    take_without_answer();
    fake_fail(&f, FAKE_GIVE, ERR_DB_DOWN);
    ck_assert_int_eq(open_error(50), ERR_UNAVAILABLE);
    ck_assert_int_eq(f.calls[FAKE_TAKE], 2);
    ck_assert(account_1()->has_doubt);
    fake_fail(&f, FAKE_GIVE, ERR_DB_UNKNOWN);
    ck_assert_int_eq(open_error(50), ERR_UNAVAILABLE);
    ck_assert(account_1()->has_doubt);
    struct hold h = opened(50);
    ck_assert_int_eq(f.calls[FAKE_GIVE], 3);
    hold_cancel(f.m, &h);
}
END_TEST

START_TEST(a_doubt_that_turns_out_as_money_needs_no_take)
{
    f.is_applied[FAKE_TAKE] = true;
    take_without_answer();
    ck_assert_int_eq(f.rows[1].amount_nusd, 50);
    struct hold h = opened(50);
    ck_assert_int_eq(f.calls[FAKE_TAKE], 1);
    ck_assert_int_eq(lease_free(account_1()), 0);
    hold_cancel(f.m, &h);
}
END_TEST

static void resync_now(struct fake_money *fake)
{
    fake->rows[1] = (struct lease_row){0};
    fake->generation++;
    fake_pump(fake);
    ck_assert_int_eq(account_1()->granted_nusd, 100);
}

START_TEST(a_loss_during_a_take_is_told_by_the_take)
{
    struct hold h = opened(100);
    f.during[FAKE_TAKE] = resync_now;
    f.config.lease_wait_ms = 1000;
    struct hold h2 = opened(50);
    ck_assert_int_eq(f.calls[FAKE_TAKE],
                     3); /* that one believed in the lost 100; another made up */
    ck_assert_int_eq(account_1()->granted_nusd, 150);
    hold_cancel(f.m, &h);
    hold_cancel(f.m, &h2);
}
END_TEST

START_TEST(what_was_read_before_the_last_operation_is_no_loss)
{
    uint64_t began = lease_seq(f.m);
    struct hold h = opened(100);
    ck_assert(lease_resync(f.m, NULL, 0, 0, began, began));
    ck_assert_int_eq(account_1()->granted_nusd, 100);
    ck_assert(lease_resync(f.m, NULL, 0, 0, lease_seq(f.m), began));
    ck_assert_int_eq(account_1()->granted_nusd, 0);
    ck_assert(lease_resync(f.m, NULL, 0, 0, lease_seq(f.m), began));
    ck_assert_int_eq(account_1()->granted_nusd, 0); /* nothing is lost twice */
    hold_cancel(f.m, &h);
}
END_TEST

START_TEST(a_loss_is_told_by_the_row_of_the_account_itself)
{
    struct hold h = opened(100), h2;
    ck_assert_int_eq(hold_open(f.m, 2, 70, &h2, NULL), ERR_OK);
    f.rows[1].amount_nusd = 40; /* as of an older n */
    f.rows[1].n--;
    f.generation++;
    fake_pump(&f);
    ck_assert_int_eq(account_1()->granted_nusd, 40);
    ck_assert_int_eq(h2.account->granted_nusd, 70);
    hold_cancel(f.m, &h);
    hold_cancel(f.m, &h2);
}
END_TEST

START_TEST(a_row_that_is_newer_than_memory_is_no_loss)
{
    struct hold h = opened(100);
    f.rows[1].n++; /* a commit whose answer is still on its way */
    f.rows[1].amount_nusd = 150;
    f.generation++;
    fake_pump(&f);
    ck_assert_int_eq(h.account->granted_nusd, 100);
    hold_cancel(f.m, &h);
}
END_TEST

/* ---- waiting ---- */

START_TEST(a_process_that_cannot_write_its_row_takes_nothing)
{
    fake_fail(&f, FAKE_INSTALLATION, ERR_DB_DOWN);
    ck_assert_int_eq(open_error(10), ERR_UNAVAILABLE);
    ck_assert_int_eq(f.calls[FAKE_TAKE], 0);
    ck_assert(!account_1()->has_doubt);
    struct hold h = opened(10);
    hold_cancel(f.m, &h);
}
END_TEST

START_TEST(a_want_that_failed_is_told_again_at_the_next_refusal)
{
    struct hold h = opened(BALANCE);
    fake_fail(&f, FAKE_WANT, ERR_DB_DOWN);
    ck_assert_int_eq(open_error(1), ERR_FUNDS_RESERVED);
    ck_assert_int_eq(open_error(1), ERR_FUNDS_RESERVED);
    ck_assert_int_eq(f.calls[FAKE_WANT], 2);
    ck_assert_int_eq(open_error(1), ERR_FUNDS_RESERVED);
    ck_assert_int_eq(f.calls[FAKE_WANT], 2); /* not so often */
    f.now_ms += 1000;
    ck_assert_int_eq(open_error(1), ERR_FUNDS_RESERVED);
    ck_assert_int_eq(f.calls[FAKE_WANT], 3);
    hold_cancel(f.m, &h);
}
END_TEST

START_TEST(reserved_money_is_asked_for_ten_times_a_second_until_the_deadline)
{
    struct hold h = opened(BALANCE);
    int takes = f.calls[FAKE_TAKE];
    int64_t began = f.now_ms;
    f.config.lease_wait_ms = 450;
    ck_assert_int_eq(open_error(1), ERR_FUNDS_RESERVED);
    ck_assert_int_eq(f.calls[FAKE_TAKE] - takes, 5);
    ck_assert_int_eq(f.now_ms - began, 450);
    hold_cancel(f.m, &h);
}
END_TEST

START_TEST(who_comes_right_after_a_refusal_asks_a_little_later)
{
    struct hold h = opened(BALANCE);
    ck_assert_int_eq(open_error(1), ERR_FUNDS_RESERVED);
    int64_t began = f.now_ms;
    ck_assert_int_eq(open_error(1), ERR_FUNDS_RESERVED);
    ck_assert_int_eq(f.now_ms - began, 20);
    hold_cancel(f.m, &h);
}
END_TEST

/* Few takes for many requests of an account that is almost empty. */
START_TEST(who_comes_right_after_a_take_asks_a_little_later_also_when_it_served_all)
{
    int64_t began = f.now_ms;
    struct hold h = opened(10), h2 = opened(10);
    ck_assert_int_eq(f.calls[FAKE_TAKE], 2);
    ck_assert_int_eq(f.now_ms - began, 20);
    hold_cancel(f.m, &h);
    hold_cancel(f.m, &h2);
}
END_TEST

static void end_busy(struct fake_money *fake)
{
    fake->account->is_busy = false;
}

START_TEST(who_comes_during_a_take_waits_for_its_end)
{
    int64_t began = f.now_ms;
    f.account = account_1();
    f.account->is_busy = true;
    f.during[FAKE_WAIT] = end_busy;
    struct hold h = opened(7);
    ck_assert_int_eq(f.calls[FAKE_TAKE], 1);
    ck_assert_int_eq(f.now_ms - began, 100);
    hold_cancel(f.m, &h);
}
END_TEST

static void cancel_other(struct fake_money *fake)
{
    hold_cancel(fake->m, fake->hold);
}

START_TEST(what_another_request_leaves_goes_to_who_waits)
{
    struct hold h = opened(BALANCE);
    f.config.lease_wait_ms = 1000;
    f.now_ms += 1000;
    f.hold = &h;
    f.during[FAKE_WAIT] = cancel_other;
    struct hold h2 = opened(1);
    ck_assert_int_eq(f.calls[FAKE_TAKE], 2);
    ck_assert_int_eq(account_1()->held_nusd, 1);
    hold_cancel(f.m, &h2);
    /* Also when it comes during the take, which does not know of it. */
    h = opened(BALANCE);
    f.during[FAKE_TAKE] = cancel_other;
    h2 = opened(1);
    ck_assert_int_eq(account_1()->held_nusd, 1);
    ck_assert_int_eq(f.rows[1].amount_nusd, BALANCE);
    hold_cancel(f.m, &h2);
}
END_TEST

START_TEST(a_stopped_process_extends_no_hold)
{
    struct hold h = opened(100);
    money_expel(f.m);
    ck_assert_int_eq(hold_extend(f.m, &h, 1), ERR_UNAVAILABLE);
    ck_assert_int_eq(h.amount_nusd, 100);
    hold_settle(f.m, &h, 0);
}
END_TEST

/* ---- giving back ---- */

/* The row as it is when the give-back is done, read by a flush right after it. */
static void hear_flush_first(struct fake_money *fake)
{
    struct lease_account *a = account_1();
    struct lease_row row = {.exists = true, .amount_nusd = 40, .n = a->n + 2};
    pthread_mutex_lock(&a->mu);
    lease_apply(a, &row, lease_seq(fake->m), true);
    pthread_mutex_unlock(&a->mu);
}

START_TEST(a_flush_that_is_heard_before_the_give_back_has_the_last_word)
{
    struct hold h = opened(100), h2 = opened(40);
    struct lease_account *a = account_1();
    hold_cancel(f.m, &h);
    f.wanted_id = 1;
    f.during[FAKE_GIVE] = hear_flush_first;
    lease_give_wanted(f.m);
    ck_assert_int_eq(f.rows[1].amount_nusd, 40);
    ck_assert_int_eq(a->granted_nusd, 40);
    ck_assert_int_eq(a->giving_nusd, 0);
    ck_assert_int_eq(lease_free(a), 0);
    hold_cancel(f.m, &h2);
}
END_TEST

static void give_wanted_now(struct fake_money *fake)
{
    lease_give_wanted(fake->m);
}

START_TEST(wanted_accounts_that_are_not_ours_or_busy_or_unknown_are_left)
{
    struct hold h = opened(100);
    hold_cancel(f.m, &h);
    f.wanted_id = 1;
    fake_fail(&f, FAKE_WANTED, ERR_DB_DOWN);
    lease_give_wanted(f.m);
    f.wanted_id = 7;
    lease_give_wanted(f.m);
    ck_assert_int_eq(f.calls[FAKE_GIVE], 0);
    f.wanted_id = 1;
    f.during[FAKE_TAKE] = give_wanted_now;
    h = opened(200);
    ck_assert_int_eq(f.calls[FAKE_GIVE], 0);
    hold_cancel(f.m, &h);
    lease_give_wanted(f.m);
    ck_assert_int_eq(f.calls[FAKE_GIVE], 1);
    ck_assert(f.is_last);
    lease_give_wanted(f.m); /* nothing is left to be given */
    ck_assert_int_eq(f.calls[FAKE_GIVE], 1);
}
END_TEST

START_TEST(an_account_without_money_is_forgotten_when_it_is_idle)
{
    (void)account_1();
    lease_give_idle(f.m);
    ck_assert_int_eq(f.m->accounts_n, 1);
    f.now_ms += f.config.lease_idle_ms;
    lease_give_idle(f.m);
    ck_assert_int_eq(f.m->accounts_n, 0);
    ck_assert_int_eq(f.calls[FAKE_GIVE], 0);
}
END_TEST

START_TEST(an_account_that_is_used_or_waited_for_is_not_idle)
{
    struct hold h = opened(100);
    struct lease_account *a = account_1();
    a->granted_nusd += 10;
    f.now_ms += f.config.lease_idle_ms;
    lease_give_idle(f.m); /* held */
    hold_cancel(f.m, &h);
    lease_give_idle(f.m); /* used just now */
    f.now_ms += f.config.lease_idle_ms;
    add_crowd(a);
    lease_give_idle(f.m);
    a->waiters = NULL;
    ck_assert_int_eq(f.calls[FAKE_GIVE], 0);
    a->granted_nusd -= 10;
    lease_give_idle(f.m);
    ck_assert_int_eq(f.calls[FAKE_GIVE], 1);
    ck_assert_int_eq(f.m->accounts_n, 0);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("lease_fail");
    TCase *t = tcase_create("lease_fail");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, plan_takes_nothing_when_what_is_free_suffices);
    tcase_add_test(t, those_beyond_the_first_take_are_asked_for_by_the_next);
    tcase_add_test(t, a_take_that_fails_ends_only_those_whom_it_asked_for);
    tcase_add_test(t, who_comes_during_a_take_is_not_judged_by_it);
    tcase_add_test(t, lost_money_is_made_up_for_by_the_next_take);
    tcase_add_test(t, a_row_that_is_read_back_stays_while_money_is_held);
    tcase_add_test(t, a_row_that_is_read_back_stays_while_money_is_spent);
    tcase_add_test(t, a_closed_request_is_held_until_it_is_settled);
    tcase_add_test(t, a_doubt_that_cannot_be_settled_takes_nothing);
    tcase_add_test(t, a_doubt_that_turns_out_as_money_needs_no_take);
    tcase_add_test(t, a_loss_during_a_take_is_told_by_the_take);
    tcase_add_test(t, what_was_read_before_the_last_operation_is_no_loss);
    tcase_add_test(t, a_loss_is_told_by_the_row_of_the_account_itself);
    tcase_add_test(t, a_process_that_cannot_write_its_row_takes_nothing);
    tcase_add_test(t, a_want_that_failed_is_told_again_at_the_next_refusal);
    tcase_add_test(t, reserved_money_is_asked_for_ten_times_a_second_until_the_deadline);
    tcase_add_test(t, who_comes_right_after_a_refusal_asks_a_little_later);
    tcase_add_test(t, who_comes_right_after_a_take_asks_a_little_later_also_when_it_served_all);
    tcase_add_test(t, who_comes_during_a_take_waits_for_its_end);
    tcase_add_test(t, what_another_request_leaves_goes_to_who_waits);
    tcase_add_test(t, a_stopped_process_extends_no_hold);
    tcase_add_test(t, a_row_that_is_newer_than_memory_is_no_loss);
    tcase_add_test(t, a_flush_that_is_heard_before_the_give_back_has_the_last_word);
    tcase_add_test(t, wanted_accounts_that_are_not_ours_or_busy_or_unknown_are_left);
    tcase_add_test(t, an_account_without_money_is_forgotten_when_it_is_idle);
    tcase_add_test(t, an_account_that_is_used_or_waited_for_is_not_idle);
    suite_add_tcase(s, t);
    SRunner *r = srunner_create(s);
    (void)!log_open("stderr", LOG_LEVEL_ERROR);
    srunner_run_all(r, CK_ENV);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
