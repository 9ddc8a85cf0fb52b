#include "base/log.h"
#include "tests/unit/fake_money.h"

#include "db/segment.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#define BALANCE INT64_C(100000)
#define IDLE_MS 60000 /* how long the thread waits when nothing is due */

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

static void pump_later(int64_t ms)
{
    f.now_ms += ms;
    fake_pump(&f);
}

/* ---- repair ---- */

START_TEST(nothing_is_admitted_until_the_disk_takes_a_trial_write)
{
    static const enum fake_op ops[] = {FAKE_OPEN, FAKE_ALLOCATE, FAKE_WRITE, FAKE_SYNC};
    for (size_t i = 0; i < sizeof(ops) / sizeof(ops[0]); i++) {
        struct fake_request r;
        fake_run_segment(&f);
        j->is_failing = true;
        j->repair_at_ms = 0;
        fake_fail(&f, ops[i], ERR_IO);
        fake_pump(&f);
        ck_assert_int_eq(f.fail[ops[i]], 0);
        ck_assert(!fake_is_writable(&f));
        pump_later(999);
        ck_assert(!fake_is_writable(&f));
        ck_assert_int_eq(fake_admit(&f, 10, &r), ERR_UNAVAILABLE);
        pump_later(1);
        ck_assert(fake_is_writable(&f));
    }
}
END_TEST

START_TEST(a_segment_that_cannot_be_written_anew_is_tried_until_it_is)
{
    f.config.journal_segment_ms = 0;
    fake_fail_after(&f, FAKE_FLUSH, 0, 1000, ERR_DB_DOWN);
    fake_run_segment(&f); /* a sound one in front */
    fake_fail(&f, FAKE_SYNC, ERR_IO);
    fake_fail_after(&f, FAKE_RENAME, 0, 2, ERR_IO); /* its copy, and that of the first repair */
    fake_run_segment(&f);
    ck_assert(!fake_is_writable(&f));
    ck_assert(!j->first->is_suspect);
    ck_assert(j->first->next->is_suspect);
    int renames = f.calls[FAKE_RENAME];
    pump_later(1000);
    ck_assert_int_eq(f.calls[FAKE_RENAME], renames + 1);
    ck_assert(fake_is_writable(&f));
    ck_assert(!j->first->next->is_suspect);
    fake_fail_after(&f, FAKE_FLUSH, 0, 0, ERR_OK);
    pump_later(1000);
    fake_assert_flushed(&f, BALANCE, 2);
}
END_TEST

/* Changes a byte of the first line of the first segment, or cuts the file there. */
static void damage(bool is_cut)
{
    char path[SPOOL_PATH_MAX];
    int fd = -1;
    segment_path(path, f.m->spool.dir, j->first->number);
    ck_assert_int_eq(f.disk.open(NULL, path, DISK_EDIT, &fd), ERR_OK);
    if (is_cut)
        ck_assert_int_eq(f.disk.truncate(NULL, fd, 40), ERR_OK);
    else
        ck_assert_int_eq(f.disk.write(NULL, fd, "#", 1, 40), ERR_OK);
    f.disk.close(NULL, fd);
}

static void change_byte(struct fake_money *fake)
{
    (void)fake;
    damage(false);
}

static void cut_line(struct fake_money *fake)
{
    (void)fake;
    damage(true);
}

START_TEST(a_damaged_line_is_kept_when_its_segment_is_written_anew)
{
    for (int append_fails = 0; append_fails < 2; append_fails++) {
        for (int i = 0; i < 2; i++)
            fake_run(&f, 10, 1);
        fake_fail(&f, FAKE_SYNC, ERR_IO);
        f.during[FAKE_SYNC] = change_byte;
        f.fail[FAKE_APPEND] = append_fails;
        f.error[FAKE_APPEND] = ERR_IO;
        fake_fail(&f, FAKE_FLUSH, ERR_DB_DOWN);
        journal_hurry(f.m);
        ck_assert(journal_step(f.m)); /* seals */
        ck_assert(journal_step(f.m)); /* syncs, and writes anew */
        ck_assert_int_eq(f.fail[FAKE_APPEND], 0);
        ck_assert_int_eq(j->first->is_suspect, append_fails);
        ck_assert_int_eq(f.m->rejected_rows, !append_fails);
        fake_pump(&f);
        pump_later(2000);
        ck_assert_int_eq(f.m->rejected_rows, 1);
        ck_assert_int_eq(f.balance_nusd[1], BALANCE - 1);
        ck_assert(fake_is_writable(&f));
        teardown();
        setup();
    }
}
END_TEST

START_TEST(a_line_that_is_gone_is_told_when_its_segment_is_written_anew)
{
    fake_run(&f, 10, 1);
    fake_fail(&f, FAKE_SYNC, ERR_IO);
    f.during[FAKE_SYNC] = cut_line;
    journal_hurry(f.m);
    fake_pump(&f);
    ck_assert_uint_eq(f.position, 1);
    ck_assert_int_eq(f.balance_nusd[1], BALANCE);
    ck_assert_int_eq(f.m->rejected_rows, 0);
    ck_assert(fake_is_writable(&f));
}
END_TEST

START_TEST(a_segment_that_cannot_be_read_is_not_written_anew)
{
    fake_run(&f, 10, 1);
    fake_fail(&f, FAKE_SYNC, ERR_IO);
    fake_fail(&f, FAKE_READ, ERR_IO);
    int renames = f.calls[FAKE_RENAME];
    journal_hurry(f.m);
    ck_assert(journal_step(f.m));
    ck_assert(journal_step(f.m));
    ck_assert_int_eq(f.calls[FAKE_RENAME], renames);
    ck_assert(j->first->is_suspect);
    fake_pump(&f);
    ck_assert_int_eq(f.calls[FAKE_RENAME], renames + 1);
    fake_assert_flushed(&f, BALANCE, 1);
}
END_TEST

/* ---- after a loss of connections ---- */

START_TEST(a_loss_is_looked_after_when_the_database_is_back)
{
    fake_run_segment(&f);
    int looks = f.calls[FAKE_LEASES];
    f.generation++;
    fake_fail(&f, FAKE_LEASES, ERR_DB_DOWN);
    fake_pump(&f);
    ck_assert_int_eq(f.calls[FAKE_LEASES], looks + 1);
    ck_assert_uint_ne(j->generation, f.generation);
    pump_later(249);
    ck_assert_int_eq(f.calls[FAKE_LEASES], looks + 1);
    pump_later(1);
    ck_assert_int_eq(f.calls[FAKE_LEASES], looks + 2);
    ck_assert_uint_eq(j->generation, f.generation);
    pump_later(1000);
    ck_assert_int_eq(f.calls[FAKE_LEASES], looks + 2);
}
END_TEST

/* The database as it was after the first of n segments. */
static void lose_all_but_first(int64_t n)
{
    f.position = 1;
    f.balance_nusd[1] += n - 1;
    f.rows[1].amount_nusd += n - 1;
    f.rows[1].n -= (uint64_t)n - 1;
    f.generation++;
}

START_TEST(lost_segments_are_all_flushed_again_whatever_fails_in_between)
{
    for (int reads = 0; reads < 3; reads++) {
        for (int i = 0; i < 3; i++)
            fake_run_segment(&f);
        lose_all_but_first(3);
        fake_fail_after(&f, FAKE_READ, reads, 1, ERR_IO);
        fake_pump(&f);
        ck_assert_int_eq(f.fail[FAKE_READ], 0);
        ck_assert_int_eq(j->generation == f.generation, reads == 2);
        for (int i = 0; i < 3; i++)
            pump_later(1000);
        ck_assert_uint_eq(f.position, 3);
        fake_assert_flushed(&f, BALANCE, 3);
        teardown();
        setup();
    }
}
END_TEST

START_TEST(a_loss_of_what_is_not_kept_any_more_is_passed_over)
{
    f.config.journal_keep_ms = 0;
    for (int i = 0; i < 3; i++)
        fake_run_segment(&f);
    ck_assert_ptr_null(j->first);
    lose_all_but_first(3);
    fake_pump(&f);
    ck_assert_uint_eq(j->generation, f.generation);
    fake_run_segment(&f);
    ck_assert_uint_eq(f.position, 4);
    fake_assert_flushed(&f, BALANCE, 2); /* the second and the third are gone for good */
}
END_TEST

START_TEST(a_gap_found_by_a_flush_is_filled_by_what_is_kept)
{
    for (int reads = 1; reads < 3; reads++) {
        for (int i = 0; i < 3; i++)
            fake_run_segment(&f);
        lose_all_but_first(3);
        f.generation--; /* the same connection: nobody was told */
        fake_run(&f, 10, 1);
        if (reads == 1) /* the new segment can be read, the one before it not */
            fake_fail_after(&f, FAKE_READ, reads, 1, ERR_IO);
        journal_hurry(f.m);
        fake_pump(&f);
        ck_assert_int_eq(f.fail[FAKE_READ], 0);
        ck_assert_uint_eq(f.position, reads == 1 ? 1 : 4);
        pump_later(1000);
        ck_assert_uint_eq(f.position, 4);
        fake_assert_flushed(&f, BALANCE, 4);
        teardown();
        setup();
    }
}
END_TEST

/* ---- seal and add ---- */

START_TEST(a_full_segment_is_sealed_when_there_is_room_behind_it)
{
    f.config.journal_segment_rows = 1;
    f.config.journal_segment_ms = IDLE_MS;
    struct fake_request r[3] = {fake_admitted(&f), fake_admitted(&f), fake_admitted(&f)};
    fake_finish(&f, &r[0], 1);
    ck_assert_ptr_nonnull(j->active); /* the others may need it */
    fake_fail(&f, FAKE_ALLOCATE, ERR_FULL);
    fake_pump(&f);
    ck_assert_ptr_nonnull(j->active);
    ck_assert_int_eq(f.calls[FAKE_FLUSH], 0);
    pump_later(1000);
    ck_assert_ptr_null(j->active);
    fake_assert_flushed(&f, BALANCE, 1);
    fake_finish(&f, &r[1], 1);
    fake_finish(&f, &r[2], 1);
    fake_pump(&f);
    fake_assert_flushed(&f, BALANCE, 3);
}
END_TEST

START_TEST(a_segment_is_sealed_at_its_age)
{
    fake_run(&f, 10, 1);
    pump_later(49);
    ck_assert_ptr_nonnull(j->active);
    pump_later(1);
    ck_assert_ptr_null(j->active);
    fake_assert_flushed(&f, BALANCE, 1);
}
END_TEST

START_TEST(a_suspect_segment_and_one_of_a_process_that_ends_are_sealed_at_once)
{
    f.config.journal_segment_ms = IDLE_MS;
    struct fake_request r[2] = {fake_admitted(&f), fake_admitted(&f)};
    fake_fail(&f, FAKE_WRITE, ERR_IO);
    fake_finish(&f, &r[0], 1);
    ck_assert(j->active->is_suspect);
    fake_pump(&f);
    fake_assert_flushed(&f, BALANCE, 1);
    fake_finish(&f, &r[1], 1);
    fake_pump(&f);
    ck_assert_ptr_nonnull(j->active);
    j->is_stopping = true;
    fake_pump(&f);
    fake_assert_flushed(&f, BALANCE, 2);
}
END_TEST

START_TEST(an_empty_segment_is_not_sealed_and_hurries_nobody)
{
    struct fake_request r[2] = {fake_admitted(&f), fake_admitted(&f)};
    fake_fail_after(&f, FAKE_WRITE, 0, 2, ERR_IO); /* its line stays in the slot */
    fake_finish(&f, &r[0], 1);
    ck_assert_int_eq(j->active->rows, 0);
    journal_hurry(f.m);
    fake_pump(&f);
    ck_assert_ptr_nonnull(j->active);
    ck_assert(!j->is_hurried);
    pump_later(IDLE_MS);
    ck_assert_ptr_nonnull(j->active);
    ck_assert_int_eq(f.calls[FAKE_FLUSH], 0);
    ck_assert_int_eq(fake_thread_due_ms(&f), IDLE_MS);
}
END_TEST

START_TEST(a_thread_makes_room_before_it_is_needed)
{
    struct fake_request r = fake_admitted(&f);
    int made = f.calls[FAKE_ALLOCATE];
    fake_pump(&f);
    ck_assert_int_eq(f.calls[FAKE_ALLOCATE], made); /* a process of one request makes no more */
    j->has_thread = true;
    fake_pump(&f);
    ck_assert_int_eq(f.calls[FAKE_ALLOCATE], made); /* one spare is enough for one */
    j->spare_lines -= j->segment_lines;
    j->is_stopping = true;
    fake_pump(&f);
    ck_assert_int_eq(f.calls[FAKE_ALLOCATE], made);
    j->is_stopping = false;
    fake_pump(&f);
    ck_assert_int_eq(f.calls[FAKE_ALLOCATE], made + 1);
    j->spare_lines += j->segment_lines;
    fake_finish(&f, &r, 1);
    j->spare_lines -= j->segment_lines;
    fake_pump(&f);
    ck_assert_int_eq(f.calls[FAKE_ALLOCATE], made + 1); /* nobody runs */
    j->has_thread = false;
}
END_TEST

/* ---- flush ---- */

START_TEST(a_flush_that_failed_is_tried_again_as_soon_as_its_error_allows)
{
    static const struct {
        enum err e;
        int64_t ms;
    } cases[] = {
        {ERR_DB_UNKNOWN, 50  },
        {ERR_DB_RETRY,   50  },
        {ERR_DB_DOWN,    250 },
        {ERR_BUSY,       250 },
        {ERR_DB,         1000},
        {ERR_MEMORY,     1000}
    };
    int n = 0;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        fake_run(&f, 10, 1);
        fake_fail_after(&f, FAKE_FLUSH, 0, 2, cases[i].e);
        journal_hurry(f.m);
        fake_pump(&f);
        ck_assert_int_eq(f.calls[FAKE_FLUSH], ++n);
        pump_later(cases[i].ms - 1);
        ck_assert_int_eq(f.calls[FAKE_FLUSH], n);
        pump_later(1); /* the same once more */
        ck_assert_int_eq(f.calls[FAKE_FLUSH], ++n);
        pump_later(cases[i].ms);
        ck_assert_int_eq(f.calls[FAKE_FLUSH], ++n);
        fake_assert_flushed(&f, BALANCE, (int64_t)i + 1);
    }
}
END_TEST

START_TEST(a_flush_whose_answer_was_lost_is_found_done_and_is_no_commit_twice)
{
    fake_run(&f, 10, 1);
    fake_fail(&f, FAKE_FLUSH, ERR_DB_UNKNOWN);
    f.is_applied[FAKE_FLUSH] = true;
    journal_hurry(f.m);
    fake_pump(&f);
    ck_assert_int_eq(j->unflushed_rows, 1);
    ck_assert_uint_eq(f.position, 1);
    pump_later(50);
    fake_assert_flushed(&f, BALANCE, 1);
    ck_assert_uint_eq(j->commits, 0);
}
END_TEST

START_TEST(a_kept_segment_goes_when_its_time_is_over)
{
    f.config.journal_keep_ms = 500;
    fake_run_segment(&f);
    pump_later(499);
    ck_assert_ptr_nonnull(j->first);
    pump_later(1);
    ck_assert_ptr_null(j->first);
}
END_TEST

START_TEST(a_journal_without_a_directory_has_nothing_to_do)
{
    journal_hurry(f.m);
    ck_assert(!journal_step(f.m));
}
END_TEST

static void add_tests(TCase *t)
{
    tcase_add_test(t, nothing_is_admitted_until_the_disk_takes_a_trial_write);
    tcase_add_test(t, a_segment_that_cannot_be_written_anew_is_tried_until_it_is);
    tcase_add_test(t, a_damaged_line_is_kept_when_its_segment_is_written_anew);
    tcase_add_test(t, a_line_that_is_gone_is_told_when_its_segment_is_written_anew);
    tcase_add_test(t, a_segment_that_cannot_be_read_is_not_written_anew);
    tcase_add_test(t, a_loss_is_looked_after_when_the_database_is_back);
    tcase_add_test(t, lost_segments_are_all_flushed_again_whatever_fails_in_between);
    tcase_add_test(t, a_loss_of_what_is_not_kept_any_more_is_passed_over);
    tcase_add_test(t, a_gap_found_by_a_flush_is_filled_by_what_is_kept);
    tcase_add_test(t, a_full_segment_is_sealed_when_there_is_room_behind_it);
    tcase_add_test(t, a_segment_is_sealed_at_its_age);
    tcase_add_test(t, a_suspect_segment_and_one_of_a_process_that_ends_are_sealed_at_once);
    tcase_add_test(t, an_empty_segment_is_not_sealed_and_hurries_nobody);
    tcase_add_test(t, a_thread_makes_room_before_it_is_needed);
    tcase_add_test(t, a_flush_that_failed_is_tried_again_as_soon_as_its_error_allows);
    tcase_add_test(t, a_flush_whose_answer_was_lost_is_found_done_and_is_no_commit_twice);
    tcase_add_test(t, a_kept_segment_goes_when_its_time_is_over);
    tcase_add_test(t, a_journal_without_a_directory_has_nothing_to_do);
}

int main(void)
{
    Suite *s = suite_create("journal_step");
    TCase *t = tcase_create("journal_step");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_set_timeout(t, 20);
    add_tests(t);
    suite_add_tcase(s, t);
    SRunner *r = srunner_create(s);
    (void)!log_open("stderr", LOG_LEVEL_ERROR);
    srunner_run_all(r, CK_ENV);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
