/* The money core without memory, and without threads: linked so that calloc, malloc, realloc and
 * pthread_create come here first. */
#include "base/log.h"
#include "tests/unit/fake_money.h"

#include <check.h>
#include <errno.h>
#include <stdlib.h>

void *__real_calloc(size_t n, size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__real_malloc(size_t size);
void *__wrap_malloc(size_t size);
void *__real_realloc(void *p, size_t size);
void *__wrap_realloc(void *p, size_t size);
int __real_pthread_create(pthread_t *t, const pthread_attr_t *attr, void *(*run)(void *),
                          void *arg);
int __wrap_pthread_create(pthread_t *t, const pthread_attr_t *attr, void *(*run)(void *),
                          void *arg);

/* -1: there is enough. 0: none for the next one. n: for n more. */
static int callocs = -1, mallocs = -1, reallocs = -1, threads = -1;

static bool is_over(int *left)
{
    if (*left < 0)
        return false;
    errno = ENOMEM;
    return !(*left)--;
}

void *__wrap_calloc(size_t n, size_t size)
{
    return is_over(&callocs) ? NULL : __real_calloc(n, size);
}

void *__wrap_malloc(size_t size)
{
    return is_over(&mallocs) ? NULL : __real_malloc(size);
}

void *__wrap_realloc(void *p, size_t size)
{
    return is_over(&reallocs) ? NULL : __real_realloc(p, size);
}

int __wrap_pthread_create(pthread_t *t, const pthread_attr_t *attr, void *(*run)(void *), void *arg)
{
    return is_over(&threads) ? EAGAIN : __real_pthread_create(t, attr, run, arg);
}

static struct fake_money f;

static void setup(void)
{
    fake_money_init(&f, 1000);
}

static void teardown(void)
{
    fake_money_clear(&f);
}

/* ---- accounts ---- */

START_TEST(a_hold_without_memory_is_unavailable)
{
    for (int n = 0; n < 2; n++) {
        struct hold h;
        int64_t available = -1;
        callocs = n;
        ck_assert_int_eq(hold_open(f.m, 1, 10, &h, &available), ERR_UNAVAILABLE);
        ck_assert_int_eq(callocs, -1);
        ck_assert_ptr_null(h.account);
        ck_assert_int_eq(available, 0);
        ck_assert_int_eq(f.m->accounts_n, 0);
    }
    struct hold h;
    ck_assert_int_eq(hold_open(f.m, 1, 10, &h, NULL), ERR_OK);
    hold_cancel(f.m, &h);
}
END_TEST

START_TEST(upkeep_without_memory_is_done_the_next_time)
{
    struct hold h;
    ck_assert_int_eq(hold_open(f.m, 1, 10, &h, NULL), ERR_OK);
    hold_cancel(f.m, &h);
    f.now_ms += f.config.lease_idle_ms;
    mallocs = 0;
    lease_give_idle(f.m);
    ck_assert_int_eq(f.calls[FAKE_GIVE], 0);
    mallocs = 0;
    ck_assert_uint_eq(lease_count_alive(f.m), 1); /* nobody may take it for quiet */
    lease_give_idle(f.m);
    ck_assert_int_eq(f.calls[FAKE_GIVE], 1);
    mallocs = 0;
    ck_assert_uint_eq(lease_count_alive(f.m), 1);
    ck_assert_uint_eq(lease_count_alive(f.m), 0);
}
END_TEST

START_TEST(a_loss_that_is_found_without_memory_is_found_again)
{
    struct hold h;
    ck_assert_int_eq(hold_open(f.m, 1, 10, &h, NULL), ERR_OK);
    f.rows[1] = (struct lease_row){0};
    f.generation++;
    mallocs = 0;
    fake_pump(&f);
    ck_assert_int_eq(mallocs, -1);
    ck_assert_int_eq(h.account->granted_nusd, 10);
    f.now_ms += 1000;
    fake_pump(&f);
    ck_assert_int_eq(h.account->granted_nusd, 0);
    hold_cancel(f.m, &h);
}
END_TEST

/* ---- costs ---- */

/* As many as an account has room for at first, with a gap in front of the last. */
static struct lease_account *full_account(void)
{
    struct lease_account *a = lease_account_get(f.m, 1);
    for (uint64_t s = 1; a->spent_n + 1 < a->spent_cap; s++)
        lease_note_spent(a, s, 1, false);
    lease_note_spent(a, 10, 1, false);
    ck_assert_uint_eq(a->spent_n, a->spent_cap);
    return a;
}

START_TEST(a_cost_without_memory_counts_as_spent_with_a_later_segment)
{
    struct lease_account *a = full_account();
    size_t n = a->spent_n;
    int64_t before = a->spent_nusd;
    reallocs = 0;
    lease_note_spent(a, 7, 50, false); /* in front of 10 */
    ck_assert_uint_eq(a->spent_n, n);
    ck_assert_int_eq(a->spent_nusd, before + 50);
    reallocs = 0;
    lease_note_spent(a, 12, 70, false); /* behind it: 10 becomes 12 */
    ck_assert_int_eq(reallocs, -1);
    ck_assert_uint_eq(a->spent_n, n);
    ck_assert_int_eq(lease_drop_spent(a, 10), before - 1);
    ck_assert_int_eq(a->spent_nusd, 121);
    ck_assert_int_eq(lease_drop_spent(a, 12), 121);
    lease_account_put(a);
}
END_TEST

START_TEST(a_cost_that_went_to_a_later_segment_is_moved_from_there)
{
    struct lease_account *a = full_account();
    int64_t before = a->spent_nusd;
    reallocs = 0;
    lease_note_spent(a, 7, 50, false);
    lease_note_spent(a, 7, 2, false); /* there is memory again: an entry of its own */
    ck_assert_uint_eq(a->spent[a->spent_n - 2].segment, 7);
    lease_move_spent(a, 7, SEGMENT_STUCK, 50);
    ck_assert_int_eq(a->spent_nusd, before + 52);
    ck_assert_int_eq(lease_drop_spent(a, 10), before + 2);
    ck_assert_int_eq(a->spent_nusd, 50);
    lease_account_put(a);
}
END_TEST

/* ---- the journal ---- */

START_TEST(a_request_without_memory_is_not_admitted)
{
    struct fake_request r;
    fake_run(&f, 10, 1);
    struct usage_row stranger = {.account_id = 2};
    struct journal_slot slot;
    callocs = 0; /* for its account */
    ck_assert_int_eq(journal_admit(f.m, &stranger, &slot), ERR_UNAVAILABLE);
    ck_assert_int_eq(callocs, -1);
    ck_assert_int_eq(slot.index, -1);
    ck_assert_ptr_null(lease_account_find(f.m, 2));
    f.m->journal.spare_lines = 0; /* for another segment */
    f.m->journal.active->used = journal_segment_bytes(&f.m->journal);
    callocs = 0;
    ck_assert_int_eq(fake_admit(&f, 10, &r), ERR_UNAVAILABLE);
    ck_assert_int_eq(callocs, -1);
    ck_assert_int_eq(f.m->journal.reserved, 0);
    ck_assert_int_eq(slots_used(f.m), 0);
}
END_TEST

START_TEST(the_journals_thread_starts_once_or_not_at_all)
{
    threads = 0;
    ck_assert_int_eq(journal_start(f.m), ERR_MEMORY);
    ck_assert(!f.m->journal.has_thread);
    f.is_threaded = true;
    ck_assert_int_eq(journal_start(f.m), ERR_OK);
    pthread_t first = f.m->journal.thread;
    threads = 0;
    ck_assert_int_eq(journal_start(f.m), ERR_OK);
    ck_assert_int_eq(threads, 0); /* it did not ask for another */
    ck_assert(pthread_equal(first, f.m->journal.thread));
    journal_join(f.m);
    ck_assert(!f.m->journal.has_thread);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("money_memory");
    TCase *t = tcase_create("money_memory");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, a_hold_without_memory_is_unavailable);
    tcase_add_test(t, upkeep_without_memory_is_done_the_next_time);
    tcase_add_test(t, a_loss_that_is_found_without_memory_is_found_again);
    tcase_add_test(t, a_cost_without_memory_counts_as_spent_with_a_later_segment);
    tcase_add_test(t, a_cost_that_went_to_a_later_segment_is_moved_from_there);
    tcase_add_test(t, a_request_without_memory_is_not_admitted);
    tcase_add_test(t, the_journals_thread_starts_once_or_not_at_all);
    suite_add_tcase(s, t);
    SRunner *r = srunner_create(s);
    (void)!log_open("stderr", LOG_LEVEL_ERROR);
    srunner_run_all(r, CK_ENV);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
