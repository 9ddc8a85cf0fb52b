/* How long the journal's thread waits when it has found nothing to do. */
#include "base/log.h"
#include "tests/unit/fake_money.h"

#include <check.h>
#include <stdlib.h>

#define BALANCE INT64_C(100000)
#define IDLE_MS 60000 /* when nothing is due */

static struct fake_money f;
static struct journal *j;

static void setup(void)
{
    fake_money_init(&f, BALANCE);
    f.config.journal_segment_ms = 50;
    f.config.lease_max_nusd = BALANCE; /* one take for all */
    j = &f.m->journal;
}

static void teardown(void)
{
    fake_money_clear(&f);
}

START_TEST(the_thread_wakes_for_what_is_due_next)
{
    ck_assert_int_eq(fake_thread_due_ms(&f), IDLE_MS); /* there is no directory yet */
    struct fake_request r = fake_admitted(&f);
    ck_assert_int_eq(fake_thread_due_ms(&f), IDLE_MS);
    fake_finish(&f, &r, 1);
    f.now_ms += 20;
    ck_assert_int_eq(fake_thread_due_ms(&f), 30); /* the age of the active segment */
    fake_fail(&f, FAKE_FLUSH, ERR_DB_DOWN);
    f.now_ms += 30;
    ck_assert_int_eq(fake_thread_due_ms(&f), 250); /* the next try of its flush */
    f.now_ms += 250;
    ck_assert_int_eq(fake_thread_due_ms(&f), IDLE_MS);
    fake_assert_flushed(&f, BALANCE, 1);
    f.config.journal_keep_ms = 700;
    ck_assert_int_eq(fake_thread_due_ms(&f), 700); /* the end of what is kept */
    f.config.journal_keep_ms = 10 * IDLE_MS;
    ck_assert_int_eq(fake_thread_due_ms(&f), IDLE_MS);
}
END_TEST

START_TEST(the_thread_wakes_for_the_first_of_several)
{
    f.config.journal_keep_ms = 5000;
    fake_run_segment(&f);
    f.now_ms += 100;
    fake_run_segment(&f);
    ck_assert_int_eq(fake_thread_due_ms(&f), 4900); /* only the first is looked at */
    fake_fail_after(&f, FAKE_FLUSH, 0, 2, ERR_DB);
    fake_run_segment(&f);
    f.now_ms += 100;
    fake_run(&f, 10, 1);
    j->is_hurried = true;
    ck_assert_int_eq(fake_thread_due_ms(&f), 900); /* flushes go in order */
    f.now_ms += 900;
    ck_assert_int_eq(fake_thread_due_ms(&f), 1000);
    f.now_ms += 1000;
    ck_assert_int_eq(fake_thread_due_ms(&f), 2900);
    fake_assert_flushed(&f, BALANCE, 4);
}
END_TEST

START_TEST(the_thread_wakes_to_make_room_and_to_repair)
{
    struct fake_request r[2] = {fake_admitted(&f), fake_admitted(&f)};
    fake_finish(&f, &r[0], 1); /* no spare is left */
    fake_fail(&f, FAKE_ALLOCATE, ERR_FULL);
    ck_assert_int_eq(fake_thread_due_ms(&f), 50); /* the age; room comes after */
    ck_assert_int_eq(j->add_at_ms, f.now_ms + 1000);
    f.now_ms += 50; /* it is time to seal, and there is no room to do so */
    ck_assert_int_eq(fake_thread_due_ms(&f), 950);
    ck_assert_ptr_nonnull(j->active);
    f.now_ms += 950;
    ck_assert_int_eq(fake_thread_due_ms(&f), IDLE_MS);
    ck_assert_ptr_null(j->active);
    fake_finish(&f, &r[1], 1);
    f.now_ms += 50;
    fake_fail(&f, FAKE_SYNC, ERR_IO);
    fake_fail_after(&f, FAKE_OPEN, 2, 1, ERR_IO); /* the copy is read and made; the trial fails */
    ck_assert_int_eq(fake_thread_due_ms(&f), 1000);
    ck_assert(!fake_is_writable(&f));
    f.now_ms += 1000;
    ck_assert_int_eq(fake_thread_due_ms(&f), IDLE_MS);
    ck_assert(fake_is_writable(&f));
    fake_assert_flushed(&f, BALANCE, 2);
}
END_TEST

START_TEST(the_thread_wakes_to_look_again_for_a_loss)
{
    f.generation = 1; /* as of the first lease: nothing of ours is older */
    fake_run_segment(&f);
    ck_assert_int_eq(fake_thread_due_ms(&f), IDLE_MS);
    struct lease_account *a = lease_account_find(f.m, 1);
    f.generation = 2;
    a->is_busy = true; /* its answer may be from before */
    ck_assert_int_eq(fake_thread_due_ms(&f), 250);
    ck_assert_uint_eq(j->generation, 1);
    a->is_busy = false;
    f.now_ms += 250;
    ck_assert_int_eq(fake_thread_due_ms(&f), IDLE_MS);
    ck_assert_uint_eq(j->generation, 2);
    lease_account_put(a);
}
END_TEST

static void hurry_now(struct fake_money *fake)
{
    fake_run(fake, 10, 1);
    journal_hurry(fake->m);
}

static void fill_now(struct fake_money *fake)
{
    fake->config.journal_segment_rows = 1;
    fake_run(fake, 10, 1);
}

START_TEST(the_thread_soon_looks_again_at_what_came_while_it_worked)
{
    void (*const during[])(struct fake_money *) = {hurry_now, fill_now};
    for (size_t i = 0; i < 2; i++) {
        struct fake_request r = fake_admitted(&f);
        pthread_mutex_lock(&j->mu);
        ck_assert_int_eq(journal_add_segment(f.m), ERR_OK);
        pthread_mutex_unlock(&j->mu);
        fake_finish(&f, &r, 1);
        f.now_ms += 50;
        fake_fail(&f, FAKE_FLUSH, ERR_DB);
        f.during[FAKE_FLUSH] = during[i];
        ck_assert_int_eq(fake_thread_due_ms(&f), 10);
        f.now_ms += 1000;
        fake_pump(&f);
        fake_assert_flushed(&f, BALANCE, 2);
        teardown();
        setup();
    }
}
END_TEST

static int64_t due_ms;

static void look_now(struct fake_money *fake)
{
    journal_hurry(fake->m);
    due_ms = fake_thread_due_ms(fake);
    ck_assert_int_eq(fake->m->journal.first->state, SEGMENT_SEALED);
}

START_TEST(the_thread_does_not_look_for_who_still_writes)
{
    struct fake_request r = fake_admitted(&f);
    f.during[FAKE_WRITE] = look_now;
    fake_finish(&f, &r, 1);
    ck_assert_int_eq(due_ms, IDLE_MS); /* it is woken by the writer */
    fake_pump(&f);
    fake_assert_flushed(&f, BALANCE, 1);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("journal_due");
    TCase *t = tcase_create("journal_due");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_set_timeout(t, 20);
    tcase_add_test(t, the_thread_wakes_for_what_is_due_next);
    tcase_add_test(t, the_thread_wakes_for_the_first_of_several);
    tcase_add_test(t, the_thread_wakes_to_make_room_and_to_repair);
    tcase_add_test(t, the_thread_wakes_to_look_again_for_a_loss);
    tcase_add_test(t, the_thread_soon_looks_again_at_what_came_while_it_worked);
    tcase_add_test(t, the_thread_does_not_look_for_who_still_writes);
    suite_add_tcase(s, t);
    SRunner *r = srunner_create(s);
    (void)!log_open("stderr", LOG_LEVEL_ERROR);
    srunner_run_all(r, CK_ENV);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
