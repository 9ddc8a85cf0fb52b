#include "base/log.h"
#include "db/segment.h"
#include "tests/unit/fake_money.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#define BALANCE INT64_C(100000)

static struct fake_money f;
static struct journal *j;

static void setup(void)
{
    fake_money_init(&f, BALANCE);
    f.config.journal_segment_ms = 60000;
    j = &f.m->journal;
}

static void teardown(void)
{
    fake_money_clear(&f);
}

static struct journal_stats stats(void)
{
    struct journal_stats st;
    journal_stats(f.m, &st);
    return st;
}

static struct fake_request admitted(int64_t need)
{
    struct fake_request r;
    ck_assert_int_eq(fake_admit(&f, need, &r), ERR_OK);
    return r;
}

static void add_spare(void)
{
    pthread_mutex_lock(&j->mu);
    ck_assert_int_eq(journal_add_segment(f.m), ERR_OK);
    pthread_mutex_unlock(&j->mu);
}

static void drain(void)
{
    for (int i = 0; i < 3; i++) {
        f.now_ms += 2000; /* whatever is tried again later */
        journal_hurry(f.m);
        fake_pump(&f);
    }
    ck_assert_int_eq(stats().unflushed_rows, 0);
}

/* The running requests that somebody who adopts us would find. */
static size_t slots_found(struct usage_row *first)
{
    char path[SPOOL_PATH_MAX];
    struct segment_rows rows;
    segment_rows_init(&rows);
    ck_assert_int_eq(spool_path(path, f.m->spool.dir, "slots"), ERR_OK);
    ck_assert_int_eq(slots_read(&f.m->ops, path, &rows), ERR_OK);
    size_t n = rows.n;
    if (n && first)
        *first = rows.rows[0];
    segment_rows_clear(&rows);
    return n;
}

/* ---- admission ---- */

START_TEST(nothing_is_admitted_without_a_spool_directory)
{
    struct fake_request r;
    fake_fail(&f, FAKE_INSTALLATION, ERR_DB_DOWN);
    ck_assert_int_eq(fake_admit(&f, 0, &r), ERR_UNAVAILABLE);
    ck_assert_int_eq(r.slot.index, -1);
    ck_assert_int_eq(fake_admit(&f, 0, &r), ERR_OK);
    ck_assert_int_ge(r.slot.index, 0);
}
END_TEST

START_TEST(nothing_is_admitted_by_an_expelled_process)
{
    struct fake_request r = admitted(10);
    struct journal_slot slot;
    money_expel(f.m);
    ck_assert_int_eq(journal_admit(f.m, &r.row, &slot), ERR_UNAVAILABLE);
    ck_assert_int_eq(slot.index, -1);
    ck_assert_int_eq(j->reserved, 1);
    fake_finish(&f, &r, 10); /* what runs ends as ever */
    drain();
    ck_assert_int_eq(f.balance_nusd[1], BALANCE - 10);
}
END_TEST

static void stop_now(struct fake_money *fake)
{
    money_stop(fake->m, 0);
}

START_TEST(nothing_is_admitted_while_the_process_stops)
{
    struct fake_request r;
    f.during[FAKE_INSTALLATION] = stop_now; /* it was not stopped when the admission began */
    ck_assert_int_eq(fake_admit(&f, 0, &r), ERR_UNAVAILABLE);
    ck_assert_int_eq(j->reserved, 0);
    ck_assert(journal_is_clean(f.m));
}
END_TEST

START_TEST(no_more_are_admitted_than_there_are_slots)
{
    struct fake_request r[FAKE_SLOTS], late;
    for (int i = 0; i < FAKE_SLOTS; i++)
        r[i] = admitted(1);
    ck_assert_int_eq(fake_admit(&f, 1, &late), ERR_UNAVAILABLE);
    ck_assert_int_eq(j->reserved, FAKE_SLOTS);
    ck_assert(stats().is_writable); /* full, not failing */
    fake_finish(&f, &r[0], 1);
    late = admitted(1);
    ck_assert_uint_eq(slots_found(NULL), FAKE_SLOTS);
}
END_TEST

START_TEST(a_slot_without_blocks_admits_nothing)
{
    struct fake_request r;
    fake_fail_after(&f, FAKE_ALLOCATE, 1, 1, ERR_FULL); /* the segment has some */
    ck_assert_int_eq(fake_admit(&f, 10, &r), ERR_UNAVAILABLE);
    ck_assert_int_eq(j->reserved, 0);
    ck_assert_int_eq(slots_used(f.m), 0);
    ck_assert(!stats().is_writable);
    fake_pump(&f); /* the disk takes a trial write */
    ck_assert(stats().is_writable);
    r = admitted(10);
}
END_TEST

START_TEST(a_slot_that_cannot_be_written_admits_nothing)
{
    for (int wipe_fails = 0; wipe_fails < 2; wipe_fails++) {
        struct fake_request r;
        fake_run(&f, 10, 1);
        fake_fail_after(&f, FAKE_WRITE, 0, 1 + wipe_fails, ERR_IO);
        ck_assert_int_eq(fake_admit(&f, 10, &r), ERR_UNAVAILABLE);
        ck_assert_int_eq(slots_used(f.m), 0);
        ck_assert_uint_eq(slots_found(NULL), 0); /* half a row is none */
        ck_assert(!stats().is_writable);
        ck_assert_int_eq(fake_admit(&f, 10, &r), ERR_UNAVAILABLE); /* before it is repaired */
        drain();
        ck_assert(stats().is_writable);
    }
}
END_TEST

START_TEST(a_segment_that_cannot_be_made_is_tried_again_later)
{
    struct fake_request r;
    ck_assert_int_eq(money_open(f.m), ERR_OK);
    int tries = f.calls[FAKE_OPEN];
    fake_fail(&f, FAKE_OPEN, ERR_IO);
    ck_assert_int_eq(fake_admit(&f, 0, &r), ERR_UNAVAILABLE);
    ck_assert(!stats().is_writable);
    f.now_ms += 999;
    ck_assert_int_eq(fake_admit(&f, 0, &r), ERR_UNAVAILABLE);
    ck_assert_int_eq(f.calls[FAKE_OPEN] - tries, 1);
    f.now_ms += 1;
    ck_assert_int_eq(fake_admit(&f, 0, &r), ERR_OK);
    ck_assert(stats().is_writable);
    ck_assert_int_eq(f.calls[FAKE_OPEN] - tries, 2);
}
END_TEST

static struct fake_request late;

static void admit_late(struct fake_money *fake)
{
    fake_admit_late(fake, &late);
}

START_TEST(who_comes_while_a_segment_is_made_waits_for_it)
{
    struct fake_request r;
    ck_assert_int_eq(money_open(f.m), ERR_OK);
    f.during[FAKE_ALLOCATE] = admit_late;
    ck_assert_int_eq(fake_admit(&f, 0, &r), ERR_OK);
    fake_join(&f);
    ck_assert_int_eq(f.late_error, ERR_OK);
    ck_assert_uint_eq(j->next_number, 2);
    ck_assert_int_eq(j->reserved, 2);
}
END_TEST

/* ---- notes ---- */

START_TEST(a_note_changes_what_an_interruption_costs)
{
    struct usage_row found;
    struct fake_request r = admitted(10);
    r.row.cost_nusd = 7;
    journal_note(f.m, &r.slot, &r.row);
    ck_assert_uint_eq(slots_found(&found), 1);
    ck_assert_int_eq(found.cost_nusd, 7);
    r.row.cost_nusd = 9;
    fake_fail(&f, FAKE_WRITE, ERR_IO);
    journal_note(f.m, &r.slot, &r.row);
    ck_assert_int_eq(f.fail[FAKE_WRITE], 0);
    ck_assert(stats().is_writable); /* the request goes on */
    fake_finish(&f, &r, 9);
    drain();
    ck_assert_int_eq(f.balance_nusd[1], BALANCE - 9);
}
END_TEST

/* ---- lines ---- */

START_TEST(long_lines_fill_segments_one_after_the_other)
{
    enum { RUNS = 50 };
    f.config.journal_segment_rows = 1000;
    for (int i = 0; i < RUNS; i++) {
        struct fake_request r = admitted(10);
        memset(r.row.price_lines, ' ', sizeof(r.row.price_lines) - 1);
        memcpy(r.row.price_lines, "[]", 2);
        if (i % 3)
            strcpy(r.row.price_lines, "[]");
        fake_finish(&f, &r, 1);
    }
    ck_assert_int_gt(stats().unflushed_segments, 2);
    ck_assert_int_eq(stats().unflushed_rows, RUNS);
    drain();
    ck_assert_int_eq(f.balance_nusd[1], BALANCE - RUNS);
}
END_TEST

START_TEST(a_line_that_fails_on_the_last_segment_is_written_behind_it)
{
    struct fake_request r[2] = {admitted(10), admitted(10)};
    fake_fail(&f, FAKE_WRITE, ERR_IO);
    fake_finish(&f, &r[0], 3);
    /* There is no spare for who still runs: it stays the active one. */
    ck_assert_ptr_eq(j->active, j->first);
    ck_assert_int_eq(stats().unflushed_rows, 1);
    ck_assert(j->active->is_suspect);
    fake_finish(&f, &r[1], 4);
    drain();
    ck_assert_int_eq(f.balance_nusd[1], BALANCE - 7);
    ck_assert_int_eq(lease_free(lease_account_find(f.m, 1)), f.rows[1].amount_nusd);
}
END_TEST

START_TEST(a_line_that_fails_twice_stays_in_its_slot)
{
    for (int slot_fails = 0; slot_fails < 2; slot_fails++) {
        struct usage_row found;
        struct fake_request r[2] = {admitted(10), admitted(10)};
        fake_fail_after(&f, FAKE_WRITE, 0, 2 + slot_fails, ERR_IO);
        fake_finish(&f, &r[0], 3);
        ck_assert_int_eq(f.fail[FAKE_WRITE], 0);
        /* The active segment is there and holds nothing. */
        ck_assert_int_eq(stats().unflushed_rows, 0);
        ck_assert_int_eq(stats().unflushed_segments, 0);
        ck_assert_int_eq(stats().running, 2);
        ck_assert_uint_eq(slots_found(&found), 2);
        ck_assert_int_eq(found.cost_nusd, 3); /* half of a place holds so short a row */
        fake_finish(&f, &r[1], 0);
        drain();
        ck_assert_int_eq(f.balance_nusd[1], BALANCE);
        /* Nothing is under way, but there is a slot: others must find it. */
        ck_assert_int_eq(j->reserved, 0);
        ck_assert(!journal_is_clean(f.m));
        ck_assert_int_eq(lease_account_find(f.m, 1)->spent_nusd, 3);
        teardown();
        setup();
    }
}
END_TEST

static void seal_now(struct fake_money *fake)
{
    journal_hurry(fake->m);
    fake_pump(fake);
    ck_assert_int_eq(fake->m->journal.first->state, SEGMENT_SEALED);
    ck_assert_int_eq(fake->calls[FAKE_FLUSH], 0); /* it waits for who writes */
}

START_TEST(a_segment_sealed_meanwhile_waits_for_its_writers)
{
    for (int write_fails = 0; write_fails < 2; write_fails++) {
        struct fake_request r = admitted(10);
        f.during[FAKE_WRITE] = seal_now;
        f.fail[FAKE_WRITE] = write_fails;
        f.error[FAKE_WRITE] = ERR_IO;
        add_spare();
        fake_finish(&f, &r, 3);
        drain();
        ck_assert_int_eq(f.balance_nusd[1], BALANCE - 3);
        ck_assert(stats().is_writable);
        teardown();
        setup();
    }
}
END_TEST

START_TEST(a_slot_that_cannot_be_wiped_stops_admission_not_the_request)
{
    struct fake_request r = admitted(10);
    fake_fail_after(&f, FAKE_WRITE, 1, 1, ERR_IO); /* the line stands */
    fake_finish(&f, &r, 3);
    ck_assert_int_eq(stats().running, 0);
    ck_assert_int_eq(stats().unflushed_rows, 1);
    ck_assert(!stats().is_writable);
    drain();
    ck_assert(stats().is_writable);
    ck_assert_int_eq(f.balance_nusd[1], BALANCE - 3);
}
END_TEST

/* ---- syncs ---- */

START_TEST(a_request_whose_sync_fails_ends_and_its_segment_is_written_anew)
{
    f.config.journal_sync_request = true;
    fake_run(&f, 10, 1);
    struct fake_request r = admitted(10);
    fake_fail(&f, FAKE_SYNC, ERR_IO);
    int renames = f.calls[FAKE_RENAME];
    fake_finish(&f, &r, 2);
    ck_assert(j->active->is_suspect);
    ck_assert(!stats().is_writable);
    drain();
    ck_assert_int_eq(f.calls[FAKE_RENAME], renames + 1);
    ck_assert(stats().is_writable);
    ck_assert_int_eq(f.balance_nusd[1], BALANCE - 3);
}
END_TEST

START_TEST(names_that_could_not_be_synced_are_synced_the_next_time)
{
    f.config.journal_sync_request = true;
    struct fake_request r[3] = {admitted(10), admitted(10), admitted(10)};
    int dirs = f.calls[FAKE_SYNC_DIR], syncs = f.calls[FAKE_SYNC];
    fake_fail(&f, FAKE_SYNC_DIR, ERR_IO);
    fake_finish(&f, &r[0], 1);
    ck_assert_int_eq(f.calls[FAKE_SYNC_DIR], dirs + 1);
    ck_assert_int_eq(f.calls[FAKE_SYNC], syncs); /* of a file that may not be found */
    ck_assert(!stats().is_writable);
    fake_finish(&f, &r[1], 1);
    ck_assert_int_eq(f.calls[FAKE_SYNC_DIR], dirs + 2);
    ck_assert_int_eq(f.calls[FAKE_SYNC], syncs + 1);
    fake_finish(&f, &r[2], 1);
    ck_assert_int_eq(f.calls[FAKE_SYNC_DIR], dirs + 2);
    drain();
    ck_assert_int_eq(f.balance_nusd[1], BALANCE - 3);
}
END_TEST

static void close_late(struct fake_money *fake)
{
    fake_close_late(fake, &late);
}

START_TEST(who_writes_during_a_sync_waits_and_syncs_again)
{
    f.config.journal_sync_request = true;
    struct fake_request r = admitted(10);
    late = admitted(0);
    int syncs = f.calls[FAKE_SYNC];
    f.during[FAKE_SYNC] = close_late;
    fake_finish(&f, &r, 1);
    fake_join(&f);
    ck_assert_int_eq(f.calls[FAKE_SYNC], syncs + 2);
    ck_assert_int_eq(j->active->synced, 2);
    hold_settle(f.m, &late.hold, 0);
    drain();
}
END_TEST

static void add_name(struct fake_money *fake)
{
    (void)fake;
    add_spare();
}

START_TEST(a_name_that_came_during_the_sync_of_the_directory_is_synced_by_the_next)
{
    f.config.journal_sync_request = true;
    struct fake_request r[2] = {admitted(10), admitted(10)};
    int dirs = f.calls[FAKE_SYNC_DIR];
    f.during[FAKE_SYNC_DIR] = add_name;
    fake_finish(&f, &r[0], 1);
    fake_finish(&f, &r[1], 1);
    ck_assert_int_eq(f.calls[FAKE_SYNC_DIR], dirs + 2);
    ck_assert_uint_eq(j->names, j->names_synced);
}
END_TEST

static void sync_other(struct fake_money *fake)
{
    pthread_mutex_lock(&fake->m->journal.mu);
    ck_assert_int_eq(journal_sync_segment(fake->m, fake->m->journal.first), ERR_OK);
    pthread_mutex_unlock(&fake->m->journal.mu);
    add_spare();
}

START_TEST(two_syncs_of_the_directory_at_once_forget_no_name)
{
    fake_run(&f, 10, 1);
    add_spare();
    uint64_t names = j->names;
    f.during[FAKE_SYNC] = sync_other; /* and behind it, another name and its sync */
    pthread_mutex_lock(&j->mu);
    ck_assert_int_eq(journal_sync_segment(f.m, j->first), ERR_OK);
    ck_assert_uint_eq(j->names_synced, names);
    ck_assert_uint_eq(j->names, names + 1);
    ck_assert_int_eq(journal_sync_segment(f.m, j->first), ERR_OK);
    ck_assert_uint_eq(j->names_synced, names + 1);
    pthread_mutex_unlock(&j->mu);
}
END_TEST

/* ---- what it tells ---- */

START_TEST(the_oldest_line_is_told_and_an_empty_segment_is_no_line)
{
    struct fake_request r = admitted(10);
    add_spare();
    fake_fail(&f, FAKE_WRITE, ERR_IO); /* the first segment is sealed, and empty */
    int64_t began = f.now_ms;
    fake_finish(&f, &r, 1);
    j->is_failing = false;
    ck_assert_int_eq(j->first->state, SEGMENT_SEALED);
    ck_assert_int_eq(j->first->rows, 0);
    f.now_ms += 500;
    ck_assert_int_eq(stats().oldest_ms, f.now_ms - began);
    f.config.journal_segment_rows = 1;
    fake_run(&f, 10, 1);
    fake_run(&f, 10, 1);
    f.now_ms += 30;
    ck_assert_int_eq(stats().oldest_ms, f.now_ms - began);
    ck_assert_int_eq(stats().unflushed_rows, 3);
    ck_assert_int_ge(stats().unflushed_segments, 3);
    ck_assert(!journal_is_clean(f.m));
    drain();
    ck_assert_int_eq(stats().oldest_ms, 0);
    ck_assert(journal_is_clean(f.m));
}
END_TEST

int main(void)
{
    Suite *s = suite_create("journal_fail");
    TCase *t = tcase_create("journal_fail");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, nothing_is_admitted_without_a_spool_directory);
    tcase_add_test(t, nothing_is_admitted_by_an_expelled_process);
    tcase_add_test(t, nothing_is_admitted_while_the_process_stops);
    tcase_add_test(t, no_more_are_admitted_than_there_are_slots);
    tcase_add_test(t, a_slot_without_blocks_admits_nothing);
    tcase_add_test(t, a_slot_that_cannot_be_written_admits_nothing);
    tcase_add_test(t, a_segment_that_cannot_be_made_is_tried_again_later);
    tcase_add_test(t, who_comes_while_a_segment_is_made_waits_for_it);
    tcase_add_test(t, a_note_changes_what_an_interruption_costs);
    tcase_add_test(t, long_lines_fill_segments_one_after_the_other);
    tcase_add_test(t, a_line_that_fails_on_the_last_segment_is_written_behind_it);
    tcase_add_test(t, a_line_that_fails_twice_stays_in_its_slot);
    tcase_add_test(t, a_segment_sealed_meanwhile_waits_for_its_writers);
    tcase_add_test(t, a_slot_that_cannot_be_wiped_stops_admission_not_the_request);
    tcase_add_test(t, a_request_whose_sync_fails_ends_and_its_segment_is_written_anew);
    tcase_add_test(t, names_that_could_not_be_synced_are_synced_the_next_time);
    tcase_add_test(t, who_writes_during_a_sync_waits_and_syncs_again);
    tcase_add_test(t, a_name_that_came_during_the_sync_of_the_directory_is_synced_by_the_next);
    tcase_add_test(t, two_syncs_of_the_directory_at_once_forget_no_name);
    tcase_add_test(t, the_oldest_line_is_told_and_an_empty_segment_is_no_line);
    suite_add_tcase(s, t);
    SRunner *r = srunner_create(s);
    (void)!log_open("stderr", LOG_LEVEL_ERROR);
    srunner_run_all(r, CK_ENV);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
