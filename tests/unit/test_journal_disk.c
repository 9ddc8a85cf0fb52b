#include "db/slots.h"
#include "tests/unit/money_suite.h"

#include <check.h>
#include <errno.h>
#include <string.h>

#define SLOTS 64

static struct mariadb server;

static void setup(void)
{
    kit_begin(&server);
}

static long long rows_in_db(void)
{
    return mariadb_number(&server, "SELECT COUNT(*) FROM usage_log");
}

/* ---- a disk that fails ---- */

static struct {
    atomic_int fail_allocate, fail_sync, fail_write; /* how many of the next calls fail */
    atomic_int syncs, allocates;
    struct money_disk_ops real;
} disk;

static bool is_next(atomic_int *n)
{
    if (atomic_load(n) <= 0)
        return false;
    atomic_fetch_sub(n, 1);
    return true;
}

static enum err bad_allocate(void *self, int fd, int64_t at, int64_t n)
{
    atomic_fetch_add(&disk.allocates, 1);
    errno = ENOSPC;
    return is_next(&disk.fail_allocate) ? ERR_FULL : disk.real.allocate(self, fd, at, n);
}

static enum err bad_sync(void *self, int fd)
{
    atomic_fetch_add(&disk.syncs, 1);
    errno = EIO;
    return is_next(&disk.fail_sync) ? ERR_IO : disk.real.sync(self, fd);
}

/* A failing write leaves half of its bytes. */
static enum err bad_write(void *self, int fd, const void *p, size_t n, int64_t at)
{
    if (!is_next(&disk.fail_write))
        return disk.real.write(self, fd, p, n, at);
    (void)!disk.real.write(self, fd, p, n / 2, at);
    errno = EIO;
    return ERR_IO;
}

static void change_disk(struct money_ops *ops)
{
    disk.real = ops->disk;
    ops->disk.allocate = bad_allocate;
    ops->disk.sync = bad_sync;
    ops->disk.write = bad_write;
}

/* ---- the disk ---- */

START_TEST(full_disk_refuses_admission_and_recovers)
{
    struct node n = node_new_with(&server, SLOTS, change_disk);
    struct kit_request r;
    kit_recharge(&server, 1, USD);
    disk.fail_allocate = 1;
    ck_assert_int_eq(kit_admit(&n, 1, 100, &r), ERR_UNAVAILABLE);
    ck_assert(!money_stats(&n).is_writable);
    ck_assert_int_eq(kit_admit(&n, 1, 100, &r), ERR_UNAVAILABLE); /* not tried again at once */
    n.m->journal.add_at_ms = 0;
    ck_assert_int_eq(kit_admit(&n, 1, 100, &r), ERR_OK);
    ck_assert(money_stats(&n).is_writable);
    kit_finish(&n, &r, 100);
    node_stop(&n);
    money_assert_sound(&server, INVARIANTS_DRAINED);
    ck_assert_int_eq(kit_balance(&server, 1), USD - 100);
}
END_TEST

START_TEST(admitted_requests_find_room_on_a_disk_that_became_full)
{
    enum { MANY = 400 };
    static struct kit_request r[MANY];
    struct node n = node_new_with(&server, MANY, change_disk);
    int admitted = 0;
    kit_recharge(&server, 1, USD);
    while (admitted < 300) {
        ck_assert_int_eq(kit_admit(&n, 1, 1, &r[admitted]), ERR_OK);
        admitted++;
    }
    disk.fail_allocate = 1000000;
    while (admitted < MANY && !kit_admit(&n, 1, 1, &r[admitted]))
        admitted++;
    ck_assert_int_lt(admitted, MANY);
    for (int i = 0; i < admitted; i++) {
        /* The longest lines there are, and the journal trying to seal in between. */
        memset(r[i].row.price_lines, ' ', sizeof(r[i].row.price_lines) - 1);
        r[i].row.price_lines[0] = '[';
        r[i].row.price_lines[1] = ']';
        kit_finish(&n, &r[i], 1);
        if (i % 7 == 0) {
            journal_hurry(n.m);
            node_pump(&n);
        }
    }
    ck_assert_int_eq(money_stats(&n).running, 0);
    node_drain(&n);
    ck_assert_int_eq(rows_in_db(), admitted);
    money_assert_sound(&server, 0);
    node_stop(&n);
    money_assert_sound(&server, INVARIANTS_DRAINED);
}
END_TEST

START_TEST(line_that_cannot_be_written_goes_to_another_segment)
{
    struct node n = node_new_with(&server, SLOTS, change_disk);
    struct kit_request r[3];
    kit_recharge(&server, 1, USD);
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(kit_admit(&n, 1, 100, &r[i]), ERR_OK);
    kit_finish(&n, &r[0], 10);
    pthread_mutex_lock(&n.m->journal.mu);
    ck_assert_int_eq(journal_add_segment(n.m), ERR_OK);
    pthread_mutex_unlock(&n.m->journal.mu);
    disk.fail_write = 1;
    kit_finish(&n, &r[1], 20);
    ck_assert(!money_stats(&n).is_writable);
    struct hold h;
    struct journal_slot slot;
    ck_assert_int_eq(hold_open(n.m, 1, 1, &h, NULL), ERR_OK);
    ck_assert_int_eq(journal_admit(n.m, &r[2].row, &slot), ERR_UNAVAILABLE);
    hold_cancel(n.m, &h);
    kit_finish(&n, &r[2], 30);
    ck_assert_int_eq(money_stats(&n).running, 0);
    node_drain(&n);
    ck_assert(money_stats(&n).is_writable);
    ck_assert_int_eq(rows_in_db(), 3);
    ck_assert_int_eq(kit_balance(&server, 1), USD - 60);
    money_assert_sound(&server, 0);
    node_stop(&n);
    money_assert_sound(&server, INVARIANTS_DRAINED);
}
END_TEST

START_TEST(line_that_can_be_written_nowhere_stays_in_its_slot_for_adoption)
{
    struct node n = node_new_with(&server, SLOTS, change_disk), other = node_new(&server, SLOTS);
    struct kit_request r;
    server.config->lease_wait_ms = 0;
    kit_recharge(&server, 1, 1000);
    ck_assert_int_eq(kit_admit(&n, 1, 1000, &r), ERR_OK);
    disk.fail_write = 2;
    kit_finish(&n, &r, 300);
    node_drain(&n);
    ck_assert_int_eq(rows_in_db(), 0);
    /* The cost stays leased: it is owed. */
    struct lease_account *a = lease_account_find(n.m, 1);
    ck_assert_int_eq(lease_free(a), 700);
    lease_account_put(a);
    node_stop(&n);
    ck_assert_int_eq(kit_leased(&server, 1), 1000);
    (void)money_upkeep(other.m);
    ck_assert_str_eq(
        mariadb_value(&server, "SELECT CONCAT(request_id, status, cost) FROM usage_log"),
        mariadb_value(&server, "SELECT '%sok0.000000300'", r.row.request_id));
    ck_assert_int_eq(kit_balance(&server, 1), 700);
    node_stop(&other);
    money_assert_sound(&server, INVARIANTS_DRAINED);
}
END_TEST

START_TEST(failed_sync_stops_admission_until_the_segment_is_rewritten)
{
    struct node n = node_new_with(&server, SLOTS, change_disk);
    struct kit_request r;
    kit_recharge(&server, 1, USD);
    ck_assert_int_eq(kit_run(&n, 1, 100, 10), ERR_OK);
    ck_assert_int_eq(kit_admit(&n, 1, 100, &r), ERR_OK);
    disk.fail_sync = 3; /* the file, its copy, and the trial of the disk */
    journal_hurry(n.m);
    node_pump(&n);
    /* In the database all the same: there it is durable. */
    ck_assert_int_eq(rows_in_db(), 1);
    ck_assert(!money_stats(&n).is_writable);
    struct kit_request late;
    ck_assert_int_eq(kit_admit(&n, 1, 100, &late), ERR_UNAVAILABLE);
    kit_finish(&n, &r, 20);
    n.m->journal.repair_at_ms = 0;
    node_drain(&n);
    ck_assert(money_stats(&n).is_writable);
    ck_assert_int_eq(kit_run(&n, 1, 100, 30), ERR_OK);
    node_stop(&n);
    ck_assert_int_eq(rows_in_db(), 3);
    ck_assert_int_eq(kit_balance(&server, 1), USD - 60);
    money_assert_sound(&server, INVARIANTS_DRAINED);
}
END_TEST

#define SYNCERS 8

static void *finish_many(void *arg)
{
    struct node *n = arg;
    for (int i = 0; i < 20; i++)
        ck_assert_int_eq(kit_run(n, 1, 100, 1), ERR_OK);
    return NULL;
}

START_TEST(sync_per_request_syncs_before_close_returns_and_shares_syncs)
{
    struct node n = node_new_with(&server, SLOTS, change_disk);
    struct kit_request r;
    pthread_t t[SYNCERS];
    server.config->journal_sync_request = true;
    server.config->journal_segment_ms = 60000;
    server.config->journal_segment_rows = 1000;
    kit_recharge(&server, 1, USD);
    ck_assert_int_eq(kit_admit(&n, 1, 100, &r), ERR_OK);
    int before = disk.syncs;
    kit_finish(&n, &r, 1);
    ck_assert_int_eq(disk.syncs, before + 1);
    for (int i = 0; i < SYNCERS; i++)
        ck_assert_int_eq(pthread_create(&t[i], NULL, finish_many, &n), 0);
    for (int i = 0; i < SYNCERS; i++)
        pthread_join(t[i], NULL);
    ck_assert_int_le(disk.syncs - before - 1, SYNCERS * 20 + 1);
    node_stop(&n);
    ck_assert_int_eq(kit_balance(&server, 1), USD - 1 - SYNCERS * 20);
    money_assert_sound(&server, INVARIANTS_DRAINED);
}
END_TEST

START_TEST(one_request_process_uses_little_disk)
{
    struct node n = node_new_with(&server, 1, change_disk);
    struct kit_request r;
    kit_recharge(&server, 1, USD);
    ck_assert_int_eq(kit_admit(&n, 1, 100, &r), ERR_OK);
    ck_assert_int_le(journal_segment_bytes(&n.m->journal), 16384);
    ck_assert_int_eq(disk.allocates, 2); /* one segment, the slots */
    kit_finish(&n, &r, 5);
    node_stop(&n);
    ck_assert_int_eq(kit_balance(&server, 1), USD - 5);
    money_assert_sound(&server, INVARIANTS_DRAINED);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("journal_disk");
    TCase *t = tcase_create("journal_disk");
    tcase_set_timeout(t, 60);
    tcase_add_checked_fixture(t, setup, NULL);
    tcase_add_test(t, full_disk_refuses_admission_and_recovers);
    tcase_add_test(t, admitted_requests_find_room_on_a_disk_that_became_full);
    tcase_add_test(t, line_that_cannot_be_written_goes_to_another_segment);
    tcase_add_test(t, line_that_can_be_written_nowhere_stays_in_its_slot_for_adoption);
    tcase_add_test(t, failed_sync_stops_admission_until_the_segment_is_rewritten);
    tcase_add_test(t, sync_per_request_syncs_before_close_returns_and_shares_syncs);
    tcase_add_test(t, one_request_process_uses_little_disk);
    suite_add_tcase(s, t);
    return money_run_suite(s, &server);
}
