#include "db/segment.h"

#include "db/money_core.h"
#include "db/slots.h"
#include "tests/unit/temp_dir.h"

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char dir[512];
static struct money_ops ops;

static void setup(void)
{
    temp_dir_make(dir, sizeof(dir));
    ops = money_ops_real(NULL);
}

static void teardown(void)
{
    temp_dir_remove(dir);
}

static struct usage_row row_of(int i)
{
    struct usage_row row = {
        .account_id = i, .cost_nusd = 1000 + i, .status = USAGE_OK, .model = "m"};
    (void)snprintf(row.request_id, sizeof(row.request_id), "01K%023d", i);
    return row;
}

/* n lines of rows 1..n; the length of the last one in *last. */
static size_t lines_of(int n, char *dst, size_t *last)
{
    size_t used = 0;
    for (int i = 1; i <= n; i++) {
        struct usage_row row = row_of(i);
        *last = usage_row_encode(&row, dst + used);
        used += *last;
    }
    return used;
}

START_TEST(last_line_torn_at_every_byte_leaves_the_others)
{
    char bytes[4 * USAGE_ROW_LINE_MAX] = {0};
    size_t last = 0, n = lines_of(3, bytes, &last);
    for (size_t cut = 0; cut < last; cut++) {
        /* The file ends there, and once zeros follow as in a preallocated file. */
        for (int is_padded = 0; is_padded < 2; is_padded++) {
            char torn[sizeof(bytes)] = {0};
            struct segment_rows r;
            segment_rows_init(&r);
            memcpy(torn, bytes, n - last + cut);
            ck_assert_int_eq(
                segment_parse((struct slice){torn, is_padded ? sizeof(torn) : n - last + cut}, &r),
                ERR_OK);
            ck_assert_uint_eq(r.n, 2);
            ck_assert_int_eq(r.torn, cut > 0);
            ck_assert_uint_eq(r.bad.n, 0);
            ck_assert_int_eq(r.rows[1].account_id, 2);
            segment_rows_clear(&r);
        }
    }
}
END_TEST

START_TEST(lines_after_a_torn_one_are_found)
{
    char bytes[4 * USAGE_ROW_LINE_MAX] = {0};
    size_t last = 0, first = lines_of(1, bytes, &last), n = lines_of(3, bytes, &last);
    for (size_t cut = 0; cut < first; cut++) {
        char torn[sizeof(bytes)];
        struct segment_rows r;
        segment_rows_init(&r);
        memcpy(torn, bytes, sizeof(bytes));
        memset(torn + cut, 0, first - cut);
        ck_assert_int_eq(segment_parse((struct slice){torn, n}, &r), ERR_OK);
        ck_assert_uint_eq(r.n, 2);
        ck_assert_int_eq(r.rows[0].account_id, 2);
        ck_assert_int_eq(r.rows[1].account_id, 3);
        segment_rows_clear(&r);
    }
}
END_TEST

START_TEST(whole_line_that_does_not_decode_is_kept_apart)
{
    char bytes[4 * USAGE_ROW_LINE_MAX] = {0};
    size_t last = 0, first = lines_of(1, bytes, &last), n = lines_of(2, bytes, &last);
    struct segment_rows r;
    segment_rows_init(&r);
    bytes[first / 2] ^= 1;
    ck_assert_int_eq(segment_parse((struct slice){bytes, n}, &r), ERR_OK);
    ck_assert_uint_eq(r.n, 1);
    ck_assert_uint_eq(r.bad.n, first);
    ck_assert_mem_eq(r.bad.p, bytes, first);
    ck_assert_int_eq(r.torn, 0);
    segment_rows_clear(&r);
}
END_TEST

START_TEST(written_segment_reads_back_and_replaces_the_old)
{
    struct usage_row rows[3];
    struct segment_rows r;
    char path[SPOOL_PATH_MAX];
    for (int i = 0; i < 3; i++)
        rows[i] = row_of(i + 1);
    ck_assert_int_eq(segment_write(&ops, dir, 7, rows, 3), ERR_OK);
    ck_assert_int_eq(segment_write(&ops, dir, 7, rows + 1, 2), ERR_OK);
    segment_path(path, dir, 7);
    segment_rows_init(&r);
    ck_assert_int_eq(segment_read(&ops, path, &r), ERR_OK);
    ck_assert_uint_eq(r.n, 2);
    ck_assert_int_eq(r.rows[0].account_id, 2);
    segment_rows_clear(&r);
    segment_path(path, dir, 8);
    segment_rows_init(&r);
    ck_assert_int_eq(segment_read(&ops, path, &r), ERR_END);
    segment_rows_clear(&r);
}
END_TEST

START_TEST(segment_names_are_recognised)
{
    ck_assert_uint_eq(segment_number("segment-0000000001"), 1);
    ck_assert_uint_eq(segment_number("segment-12345678901"), UINT64_C(12345678901));
    ck_assert_uint_eq(segment_number("segment-0000000001.new"), 0);
    ck_assert_uint_eq(segment_number("segment-1"), 0);
    ck_assert_uint_eq(segment_number("segment--000000001"), 0);
    ck_assert_uint_eq(segment_number("slots"), 0);
}
END_TEST

START_TEST(full_slots_are_read_and_wiped_ones_are_not)
{
    char path[SPOOL_PATH_MAX], places[3 * SLOT_BYTES + 100] = {0};
    struct segment_rows r;
    struct usage_row row;
    int fd = -1;
    for (int i = 0; i < 3; i++) {
        row = row_of(i + 1);
        (void)usage_row_encode(&row, places + i * SLOT_BYTES);
    }
    memset(places + SLOT_BYTES, 0, SLOT_CLEAR_BYTES);
    strcpy(places + 3 * SLOT_BYTES, "half a line");
    ck_assert_int_eq(spool_path(path, dir, SLOTS_FILE), ERR_OK);
    ck_assert_int_eq(ops.disk.open(NULL, path, DISK_CREATE, &fd), ERR_OK);
    ck_assert_int_eq(ops.disk.write(NULL, fd, places, sizeof(places), 0), ERR_OK);
    ops.disk.close(NULL, fd);
    segment_rows_init(&r);
    ck_assert_int_eq(slots_read(&ops, path, &r), ERR_OK);
    ck_assert_uint_eq(r.n, 2);
    ck_assert_int_eq(r.rows[0].account_id, 1);
    ck_assert_int_eq(r.rows[1].account_id, 3);
    ck_assert_str_eq(r.bad.p, "half a line\n");
    segment_rows_clear(&r);
}
END_TEST

START_TEST(rejected_lines_are_added_once_and_counted)
{
    int64_t added = -1, bytes = -1, rows = -1;
    ck_assert_int_eq(spool_count_rejected(&ops, dir, &bytes, &rows), ERR_OK);
    ck_assert_int_eq(rows, 0);
    ck_assert_int_eq(spool_reject(&ops, dir, SLICE("one\ntwo\n"), &added), ERR_OK);
    ck_assert_int_eq(added, 2);
    ck_assert_int_eq(spool_reject(&ops, dir, SLICE("two\nthree\n"), &added), ERR_OK);
    ck_assert_int_eq(added, 1);
    ck_assert_int_eq(spool_count_rejected(&ops, dir, &bytes, &rows), ERR_OK);
    ck_assert_int_eq(rows, 3);
    ck_assert_int_eq(bytes, 14);
}
END_TEST

START_TEST(rejected_line_that_lost_its_end_is_added_again)
{
    char line[USAGE_ROW_LINE_MAX], path[SPOOL_PATH_MAX];
    size_t n = 0;
    int64_t added = 0, bytes = -1, rows = 0;
    (void)lines_of(1, line, &n);
    struct slice lines = {line, n};
    ck_assert_int_eq(spool_path(path, dir, "rejected"), ERR_OK);
    FILE *f = fopen(path, "w");
    ck_assert_ptr_nonnull(f);
    ck_assert_uint_eq(fwrite(line, 1, n - 1, f), n - 1);
    ck_assert_int_eq(fputc('\0', f), 0);
    ck_assert_int_eq(fclose(f), 0);
    ck_assert_int_eq(spool_reject(&ops, dir, lines, &added), ERR_OK);
    ck_assert_int_eq(added, 1);
    ck_assert_int_eq(spool_reject(&ops, dir, lines, &added), ERR_OK);
    ck_assert_int_eq(added, 0);
    ck_assert_int_eq(spool_count_rejected(&ops, dir, &bytes, &rows), ERR_OK);
    ck_assert_int_eq(rows, 2);
    ck_assert_int_eq(bytes, 2 * (int64_t)n + 1);
}
END_TEST

START_TEST(lines_are_rejected_by_one_at_a_time)
{
    char line[USAGE_ROW_LINE_MAX], path[SPOOL_PATH_MAX];
    size_t n = 0;
    int64_t added = 0;
    int fd = -1;
    (void)lines_of(1, line, &n);
    ck_assert_int_eq(spool_path(path, dir, "rejected"), ERR_OK);
    ck_assert_int_eq(ops.disk.open(NULL, path, DISK_APPEND, &fd), ERR_OK);
    ck_assert_int_eq(ops.disk.lock(NULL, fd), ERR_OK);
    ck_assert_int_eq(spool_reject(&ops, dir, (struct slice){line, n}, &added), ERR_IO);
    ops.disk.close(NULL, fd);
    ck_assert_int_eq(spool_reject(&ops, dir, (struct slice){line, n}, &added), ERR_OK);
    ck_assert_int_eq(added, 1);
}
END_TEST

static const struct spool_owner maker = {
    .installation = "inst", .host_id = "host", .process = "01K0000000000000000000000A"};

static enum err failing_sync_dir(void *self, const char *path)
{
    (void)self;
    (void)path;
    errno = EIO;
    return ERR_IO;
}

START_TEST(directory_whose_name_is_not_durable_keeps_its_lock_until_it_is)
{
    struct spool mine = {.lock_fd = -1}, other;
    struct money_ops failing = ops;
    failing.disk.sync_dir = failing_sync_dir;
    ck_assert_int_eq(spool_make(&failing, dir, &maker, &mine), ERR_IO);
    ck_assert(!mine.is_ready);
    ck_assert_int_eq(spool_lock(&ops, dir, maker.process, &other), ERR_BUSY);
    ck_assert_int_eq(spool_make(&ops, dir, &maker, &mine), ERR_OK);
    ck_assert(mine.is_ready);
    ck_assert_int_eq(spool_lock(&ops, dir, maker.process, &other), ERR_BUSY);
    ck_assert_int_eq(temp_dir_count(dir), 1);
    spool_unlock(&ops, &mine);
}
END_TEST

/* Somebody takes it for an old one just before it gets its name. */
static enum err swept_rename(void *self, const char *from, const char *to)
{
    char path[SPOOL_PATH_MAX];
    ck_assert_int_eq(spool_path(path, from, SPOOL_LOCK), ERR_OK);
    ck_assert_int_eq(ops.disk.unlink(self, path), ERR_OK);
    return ops.disk.rename(self, from, to);
}

START_TEST(directory_that_was_swept_while_it_was_made_is_made_anew)
{
    struct spool mine = {.lock_fd = -1}, other;
    struct money_ops swept = ops;
    swept.disk.rename = swept_rename;
    ck_assert_int_eq(spool_make(&swept, dir, &maker, &mine), ERR_IO);
    ck_assert_int_lt(mine.lock_fd, 0);
    ck_assert_int_ne(spool_lock(&ops, dir, maker.process, &other), ERR_OK);
    ck_assert_int_eq(spool_make(&ops, dir, &maker, &mine), ERR_OK);
    ck_assert_int_eq(temp_dir_count(dir), 1);
    ck_assert_int_eq(spool_lock(&ops, dir, maker.process, &other), ERR_BUSY);
    spool_unlock(&ops, &mine);
}
END_TEST

START_TEST(spool_directory_is_locked_while_its_maker_lives)
{
    struct spool_owner owner = {.installation = "inst",
                                .host_id = "host",
                                .process = "01K0000000000000000000000A"},
                       read;
    struct spool mine = {.lock_fd = -1}, other;
    ck_assert_int_eq(spool_make(&ops, dir, &owner, &mine), ERR_OK);
    ck_assert_int_eq(spool_read_owner(&ops, mine.dir, &read), ERR_OK);
    ck_assert_str_eq(read.installation, "inst");
    ck_assert_str_eq(read.host_id, "host");
    ck_assert_str_eq(read.process, owner.process);
    ck_assert_int_eq(spool_lock(&ops, dir, owner.process, &other), ERR_BUSY);
    spool_unlock(&ops, &mine);
    ck_assert_int_eq(spool_lock(&ops, dir, owner.process, &other), ERR_OK);
    ck_assert_int_eq(spool_retire(&ops, dir, owner.process, &other), ERR_OK);
    ck_assert_int_eq(spool_remove(&ops, &other), ERR_OK);
    ck_assert_int_eq(spool_lock(&ops, dir, owner.process, &other), ERR_END);
}
END_TEST

START_TEST(sweep_removes_what_the_dead_left_half_made_or_half_removed)
{
    char id[ULID_SIZE], name[SPOOL_NAME_MAX], path[SPOOL_PATH_MAX];
    int64_t n = 0;
    ulid_make(id);
    static const char *const names[] = {SPOOL_NEW "01ARZ3NDEKTSV4RRFFQ69G5FAV",
                                        SPOOL_DONE "01ARZ3NDEKTSV4RRFFQ69G5FAV"};
    for (size_t i = 0; i < 2; i++) {
        ck_assert_int_eq(spool_path(path, dir, names[i]), ERR_OK);
        ck_assert_int_eq(ops.disk.mkdir(NULL, path), ERR_OK);
        spool_sweep(&ops, dir, names[i]);
    }
    ck_assert_int_eq(temp_dir_count(dir), 0);
    /* One that was made just now belongs to a process that is beginning. */
    (void)snprintf(name, sizeof(name), SPOOL_NEW "%s", id);
    ck_assert_int_eq(spool_path(path, dir, name), ERR_OK);
    ck_assert_int_eq(ops.disk.mkdir(NULL, path), ERR_OK);
    spool_sweep(&ops, dir, name);
    n = temp_dir_count(dir);
    ck_assert_int_eq(n, 1);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("segment");
    TCase *t = tcase_create("segment");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, last_line_torn_at_every_byte_leaves_the_others);
    tcase_add_test(t, lines_after_a_torn_one_are_found);
    tcase_add_test(t, whole_line_that_does_not_decode_is_kept_apart);
    tcase_add_test(t, written_segment_reads_back_and_replaces_the_old);
    tcase_add_test(t, segment_names_are_recognised);
    tcase_add_test(t, full_slots_are_read_and_wiped_ones_are_not);
    tcase_add_test(t, rejected_lines_are_added_once_and_counted);
    tcase_add_test(t, rejected_line_that_lost_its_end_is_added_again);
    tcase_add_test(t, lines_are_rejected_by_one_at_a_time);
    tcase_add_test(t, directory_whose_name_is_not_durable_keeps_its_lock_until_it_is);
    tcase_add_test(t, directory_that_was_swept_while_it_was_made_is_made_anew);
    tcase_add_test(t, spool_directory_is_locked_while_its_maker_lives);
    tcase_add_test(t, sweep_removes_what_the_dead_left_half_made_or_half_removed);
    suite_add_tcase(s, t);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
