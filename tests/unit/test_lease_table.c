#include "base/log.h"
#include "tests/unit/fake_money.h"

#include <check.h>
#include <stdlib.h>

static struct fake_money f;
static struct lease_account *a; /* number 1 */

static void setup(void)
{
    fake_money_init(&f, 1000);
    a = lease_account_get(f.m, 1);
}

static void teardown(void)
{
    fake_money_clear(&f);
}

/* ---- the table ---- */

/* Which bucket of which shard, as the table has it. */
static uint64_t place_of(int64_t id)
{
    return (uint64_t)id * UINT64_C(0x9e3779b97f4a7c15) >> 52;
}

START_TEST(accounts_of_one_bucket_are_told_apart)
{
    int64_t twin = 2;
    while (place_of(twin) != place_of(1))
        twin++;
    ck_assert_ptr_null(lease_account_find(f.m, twin));
    struct lease_account *b = lease_account_get(f.m, twin);
    ck_assert_ptr_ne(a, b);
    ck_assert_int_eq(b->id, twin);
    ck_assert_ptr_eq(lease_account_find(f.m, 1), a);
    ck_assert_ptr_eq(lease_account_find(f.m, twin), b);
    ck_assert_int_eq(a->refs, 2);
    ck_assert_int_eq(b->refs, 2);
    /* The one behind goes, the one in front stays. */
    lease_account_put(a);
    lease_account_put(a);
    f.now_ms += f.config.lease_idle_ms;
    lease_accounts_sweep(f.m);
    ck_assert_ptr_null(lease_account_find(f.m, 1));
    ck_assert_ptr_eq(lease_account_find(f.m, twin), b);
}
END_TEST

START_TEST(accounts_that_come_while_they_are_listed_wait_for_the_next_list)
{
    struct lease_account **list = NULL;
    size_t n = 0;
    for (int64_t id = 2; id <= 300; id++)
        (void)lease_account_get(f.m, id);
    atomic_store(&f.m->accounts_n, 1); /* so many there were when they were counted */
    ck_assert_int_eq(lease_accounts_list(f.m, &list, &n), ERR_OK);
    ck_assert_uint_eq(n, 1 + SHARDS_N);
    free(list);
    atomic_store(&f.m->accounts_n, 300);
    ck_assert_int_eq(lease_accounts_list(f.m, &list, &n), ERR_OK);
    ck_assert_uint_eq(n, 300);
    free(list);
}
END_TEST

START_TEST(an_account_with_anything_in_it_is_kept)
{
    struct lease_waiter w = {.need_nusd = 1};
    int64_t *const amounts[] = {&a->granted_nusd, &a->held_nusd,     &a->spent_nusd,
                                &a->giving_nusd,  &a->doubtful_nusd, &a->closing_nusd};
    bool *const flags[] = {&a->has_doubt, &a->is_busy};
    lease_account_put(a);
    f.now_ms += f.config.lease_idle_ms;
    for (size_t i = 0; i < 9; i++) {
        int64_t *amount = i < 6 ? amounts[i] : NULL;
        bool *flag = i == 6 || i == 7 ? flags[i - 6] : NULL;
        if (amount)
            *amount = 1;
        else if (flag)
            *flag = true;
        else
            a->waiters = &w;
        ck_assert_uint_eq(lease_count_alive(f.m), 1);
        lease_accounts_sweep(f.m);
        ck_assert_int_eq(f.m->accounts_n, 1);
        if (amount)
            *amount = 0;
        else if (flag)
            *flag = false;
        else
            a->waiters = NULL;
        ck_assert_uint_eq(lease_count_alive(f.m), 0);
    }
    a->used_ms++; /* a moment too young */
    lease_accounts_sweep(f.m);
    ck_assert_int_eq(f.m->accounts_n, 1);
    a->used_ms--;
    lease_accounts_sweep(f.m);
    ck_assert_int_eq(f.m->accounts_n, 0);
}
END_TEST

/* ---- read-backs ---- */

START_TEST(only_an_operation_begun_after_a_doubt_settles_it)
{
    struct lease_row row = {.exists = true, .amount_nusd = 10, .n = 1};
    uint64_t before = lease_seq(f.m);
    a->has_doubt = true;
    a->doubtful_nusd = 7;
    a->doubt_seq = lease_seq(f.m);
    lease_apply(a, &row, before, true);
    ck_assert(a->has_doubt);
    ck_assert_int_eq(lease_free(a), 3);
    row.n = 2;
    lease_apply(a, &row, lease_seq(f.m), false); /* without the row's lock */
    ck_assert(a->has_doubt);
    row.n = 3;
    lease_apply(a, &row, lease_seq(f.m), true);
    ck_assert(!a->has_doubt);
    ck_assert_int_eq(lease_free(a), 10);
    lease_account_put(a);
}
END_TEST

START_TEST(an_amount_from_before_a_known_flush_lowers_but_never_raises)
{
    struct lease_row row = {.exists = true, .amount_nusd = 100, .n = 1, .position = 5};
    lease_apply(a, &row, lease_seq(f.m), true);
    row = (struct lease_row){.exists = true, .amount_nusd = 130, .n = 2, .position = 4};
    lease_apply(a, &row, lease_seq(f.m), true);
    ck_assert_int_eq(a->granted_nusd, 100);
    row = (struct lease_row){.exists = true, .amount_nusd = 60, .n = 3, .position = 4};
    lease_apply(a, &row, lease_seq(f.m), true);
    ck_assert_int_eq(a->granted_nusd, 60);
    ck_assert_uint_eq(a->position, 5);
    row.n = 3;
    row.amount_nusd = 10; /* the same row again */
    lease_apply(a, &row, lease_seq(f.m), true);
    ck_assert_int_eq(a->granted_nusd, 60);
    row.exists = false;
    lease_apply(a, &row, lease_seq(f.m), true);
    ck_assert_int_eq(a->granted_nusd, 0);
    lease_account_put(a);
}
END_TEST

/* ---- what was spent ---- */

START_TEST(costs_of_one_segment_are_one_entry_and_nothing_is_none)
{
    lease_note_spent(a, 3, 0, true);
    ck_assert_uint_eq(a->spent_n, 0);
    lease_note_spent(a, 3, 10, true);
    lease_note_spent(a, 3, 5, false);
    ck_assert_uint_eq(a->spent_n, 1);
    ck_assert_int_eq(a->spent_nusd, 15);
    ck_assert_int_eq(a->closing_nusd, 10);
    lease_note_spent(a, 2, 1, false);
    ck_assert_uint_eq(a->spent_n, 2);
    ck_assert_uint_eq(a->spent[0].segment, 2);
    lease_move_spent(a, 3, 9, 0);
    ck_assert_uint_eq(a->spent_n, 2);
    lease_move_spent(a, 3, 9, 15);
    ck_assert_int_eq(lease_drop_spent(a, 8), 1);
    ck_assert_int_eq(a->spent_nusd, 15);
    ck_assert_int_eq(lease_drop_spent(a, 9), 15);
    ck_assert_int_eq(lease_drop_spent(a, 9), 0);
    ck_assert_uint_eq(a->position, 9);
    lease_account_put(a);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("lease_table");
    TCase *t = tcase_create("lease_table");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, accounts_of_one_bucket_are_told_apart);
    tcase_add_test(t, accounts_that_come_while_they_are_listed_wait_for_the_next_list);
    tcase_add_test(t, an_account_with_anything_in_it_is_kept);
    tcase_add_test(t, only_an_operation_begun_after_a_doubt_settles_it);
    tcase_add_test(t, an_amount_from_before_a_known_flush_lowers_but_never_raises);
    tcase_add_test(t, costs_of_one_segment_are_one_entry_and_nothing_is_none);
    suite_add_tcase(s, t);
    SRunner *r = srunner_create(s);
    (void)!log_open("stderr", LOG_LEVEL_ERROR);
    srunner_run_all(r, CK_ENV);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
