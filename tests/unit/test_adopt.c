#include "db/adopt.h"

#include "db/segment.h"
#include "db/slots.h"
#include "tests/unit/money_suite.h"
#include "tests/unit/temp_dir.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <unistd.h>

#define SLOTS 64

static struct mariadb server;

static void setup(void)
{
    kit_begin(&server);
    /* What a dead test left in the spool belongs to another database: its installation differs, but it would be counted. */
    temp_dir_remove(server.config->spool_dir);
}

static long long rows_of_status(const char *status)
{
    return mariadb_number(&server, "SELECT COUNT(*) FROM usage_log WHERE status = '%s'", status);
}

/* Directories of processes, and what is being made or removed. */
static int directories(void)
{
    char path[SPOOL_PATH_MAX];
    ck_assert_int_eq(spool_path(path, server.config->spool_dir, "rejected"), ERR_OK);
    int n = temp_dir_count(server.config->spool_dir);
    return n - (access(path, F_OK) == 0);
}

/* ---- what is adopted ---- */

START_TEST(running_requests_become_interrupted_and_cost_what_was_noted)
{
    struct node dead = node_new(&server, SLOTS), n = node_new(&server, SLOTS);
    struct kit_request r[4];
    for (int a = 1; a <= 2; a++)
        kit_recharge(&server, a, 1000);
    for (int i = 0; i < 4; i++)
        ck_assert_int_eq(kit_admit(&dead, 1 + i % 2, 200, &r[i]), ERR_OK);
    r[1].row.cost_nusd = 70;
    r[1].row.usage.output = 7;
    r[1].row.http_status = 200;
    journal_note(dead.m, &r[1].slot, &r[1].row);
    kit_finish(&dead, &r[2], 150);
    ck_assert_int_eq(kit_leased(&server, 1) + kit_leased(&server, 2), 800);
    node_crash(&dead);
    ck_assert_int_eq(adopt_dead(n.m, 1), 1);
    ck_assert_int_eq(rows_of_status("interrupted"), 3);
    ck_assert_int_eq(rows_of_status("ok"), 1);
    ck_assert_str_eq(mariadb_value(&server,
                                   "SELECT CONCAT(cost, '/', output_tokens, '/', http_status) FROM "
                                   "usage_log WHERE request_id = '%s'",
                                   r[1].row.request_id),
                     "0.000000070/7/0");
    ck_assert_int_eq(kit_balance(&server, 1), 850);
    ck_assert_int_eq(kit_balance(&server, 2), 930);
    money_assert_sound(&server, INVARIANTS_DRAINED);
    ck_assert_int_eq(directories(), 0);
    node_stop(&n);
}
END_TEST

START_TEST(lines_in_every_kind_of_segment_are_replayed)
{
    struct node dead = node_new(&server, SLOTS), n = node_new(&server, SLOTS);
    kit_recharge(&server, 1, USD);
    ck_assert_int_eq(kit_run(&dead, 1, 100, 1), ERR_OK); /* flushed and kept */
    node_drain(&dead);
    ck_assert_int_eq(kit_run(&dead, 1, 100, 10), ERR_OK); /* sealed */
    pthread_mutex_lock(&dead.m->journal.mu);
    journal_seal(&dead.m->journal);
    pthread_mutex_unlock(&dead.m->journal.mu);
    ck_assert_int_eq(kit_run(&dead, 1, 100, 100), ERR_OK); /* active */
    node_crash(&dead);
    ck_assert_int_eq(adopt_dead(n.m, 1), 1);
    ck_assert_int_eq(kit_balance(&server, 1), USD - 111);
    ck_assert_int_eq(rows_of_status("ok"), 3);
    money_assert_sound(&server, INVARIANTS_DRAINED);
    node_stop(&n);
}
END_TEST

START_TEST(process_without_requests_is_cleared_away)
{
    struct node dead = node_new(&server, SLOTS), n = node_new(&server, SLOTS);
    ck_assert_int_eq(money_open(dead.m), ERR_OK);
    node_crash(&dead);
    ck_assert_int_eq(directories(), 1);
    ck_assert_int_eq(adopt_dead(n.m, 1), 1);
    ck_assert_int_eq(directories(), 0);
    node_stop(&n);
}
END_TEST

/* ---- what is not ---- */

START_TEST(living_process_is_left_alone)
{
    struct node alive = node_new(&server, SLOTS), n = node_new(&server, SLOTS);
    struct kit_request r;
    kit_recharge(&server, 1, USD);
    ck_assert_int_eq(kit_admit(&alive, 1, 100, &r), ERR_OK);
    ck_assert_int_eq(adopt_dead(n.m, 9), 0);
    ck_assert_int_eq(adopt_dead(alive.m, 9), 0);
    kit_finish(&alive, &r, 5);
    node_stop(&alive);
    ck_assert_int_eq(kit_balance(&server, 1), USD - 5);
    money_assert_sound(&server, INVARIANTS_DRAINED);
    node_stop(&n);
}
END_TEST

START_TEST(journal_of_another_installation_is_never_replayed)
{
    struct node dead = node_new(&server, SLOTS), n = node_new(&server, SLOTS);
    kit_recharge(&server, 1, USD);
    ck_assert_int_eq(kit_run(&dead, 1, 100, 1), ERR_OK);
    node_crash(&dead);
    mariadb_exec(&server, "UPDATE settings SET value = 'another' WHERE name = 'installation_id'");
    ck_assert_int_eq(adopt_dead(n.m, 9), 0);
    ck_assert_int_eq(directories(), 1);
    ck_assert_int_eq(mariadb_number(&server, "SELECT COUNT(*) FROM usage_log"), 0);
    node_stop(&n);
}
END_TEST

static void other_host(void *self, char name[HOST_SIZE], char id[HOST_SIZE])
{
    (void)self;
    strcpy(name, "other");
    strcpy(id, "other-id");
}

static void change_host(struct money_ops *ops)
{
    ops->clock.host = other_host;
}

START_TEST(journal_of_another_host_is_adopted_only_when_it_was_not_seen_for_long)
{
    struct node dead = node_new_with(&server, SLOTS, change_host), n = node_new(&server, SLOTS);
    kit_recharge(&server, 1, USD);
    ck_assert_int_eq(kit_run(&dead, 1, 100, 1), ERR_OK);
    node_crash(&dead);
    ck_assert_int_eq(adopt_dead(n.m, 9), 0);
    mariadb_exec(&server, "UPDATE processes SET seen_at = seen_at - INTERVAL 61 SECOND");
    ck_assert_int_eq(adopt_dead(n.m, 9), 1);
    ck_assert_int_eq(kit_balance(&server, 1), USD - 1);
    money_assert_sound(&server, INVARIANTS_DRAINED);
    node_stop(&n);
}
END_TEST

START_TEST(one_request_process_adopts_at_most_one)
{
    struct node n = node_new(&server, 1);
    kit_recharge(&server, 1, USD);
    for (int i = 0; i < 3; i++) {
        struct node dead = node_new(&server, 1);
        ck_assert_int_eq(kit_run(&dead, 1, 100, 1), ERR_OK);
        node_crash(&dead);
    }
    ck_assert_int_eq(kit_run(&n, 1, 100, 1), ERR_OK);
    money_stop(n.m, 5000);
    (void)money_upkeep(n.m);
    ck_assert_int_eq(directories(), 2);
    ck_assert_int_eq(mariadb_number(&server, "SELECT COUNT(*) FROM usage_log"), 2);
    node_crash(&n);
    money_assert_sound(&server, 0);
}
END_TEST

/* ---- dying at any byte ---- */

/* A process that dies in the middle of a write: what follows never reaches the disk. */
static struct {
    int64_t bytes_left; /* -1: lives */
    struct money_disk_ops real;
} mortal;

static enum err mortal_write(void *self, int fd, const void *p, size_t n, int64_t at)
{
    size_t some = n;
    if (mortal.bytes_left >= 0 && (int64_t)n > mortal.bytes_left)
        some = (size_t)mortal.bytes_left;
    if (mortal.bytes_left >= 0)
        mortal.bytes_left -= (int64_t)some;
    return some ? mortal.real.write(self, fd, p, some, at) : ERR_OK;
}

static void change_mortal(struct money_ops *ops)
{
    mortal.real = ops->disk;
    mortal.bytes_left = -1;
    ops->disk.write = mortal_write;
}

START_TEST(close_line_torn_at_any_byte_leaves_exactly_one_row)
{
    struct node n = node_new(&server, SLOTS);
    int64_t spent = 0, cut = 0, length = 1;
    kit_recharge(&server, 1, USD);
    for (; cut <= length; cut++) {
        struct node dead = node_new_with(&server, SLOTS, change_mortal);
        struct kit_request r;
        char line[USAGE_ROW_LINE_MAX];
        ck_assert_int_eq(kit_run(&dead, 1, 100, 1), ERR_OK);
        ck_assert_int_eq(kit_admit(&dead, 1, 100, &r), ERR_OK);
        r.row.cost_nusd = 60;
        r.row.status = USAGE_OK;
        r.row.http_status = 200;
        length = (int64_t)usage_row_encode(&r.row, line);
        mortal.bytes_left = cut;
        kit_finish(&dead, &r, 60);
        node_crash(&dead);
        ck_assert_int_eq(adopt_dead(n.m, 1), 1);
        spent += 1 + (cut == length ? 60 : 0);
        ck_assert_str_eq(mariadb_value(&server,
                                       "SELECT status FROM usage_log WHERE request_id = '%s'",
                                       r.row.request_id),
                         cut == length ? "ok" : "interrupted");
        ck_assert_int_eq(kit_balance(&server, 1), USD - spent);
        money_assert_sound(&server, INVARIANTS_DRAINED);
    }
    node_stop(&n);
}
END_TEST

/* ---- adopters that die ---- */

/* A database that is lost at its n-th call, before or after that took effect. */
static struct {
    int calls_left;
    bool is_applied;
    struct money_db_ops real;
} lost;

static bool is_lost(bool *is_applied)
{
    *is_applied = lost.is_applied && lost.calls_left == 1;
    return --lost.calls_left <= 0;
}

#define LOSE_OR(call)                                                                              \
    do {                                                                                           \
        bool is_applied = false;                                                                   \
        if (!is_lost(&is_applied))                                                                 \
            return call;                                                                           \
        if (is_applied && (call))                                                                  \
            return ERR_DB_DOWN;                                                                    \
        return ERR_DB_UNKNOWN;                                                                     \
    } while (0)

static enum err lost_position(void *self, const char *process, uint64_t *position)
{
    LOSE_OR(lost.real.position(self, process, position));
}

static enum err lost_flush(void *self, struct usage_flush *f)
{
    LOSE_OR(lost.real.flush(self, f));
}

static enum err lost_known(void *self, const char *const *ids, size_t n, bool *known)
{
    LOSE_OR(lost.real.known(self, ids, n, known));
}

static enum err lost_end(void *self, const char *process)
{
    LOSE_OR(lost.real.end(self, process));
}

static enum err lost_forget(void *self, const char *process)
{
    LOSE_OR(lost.real.forget(self, process));
}

static void change_lost(struct money_ops *ops)
{
    lost.real = ops->db;
    ops->db.position = lost_position;
    ops->db.flush = lost_flush;
    ops->db.known = lost_known;
    ops->db.end = lost_end;
    ops->db.forget = lost_forget;
}

START_TEST(adopter_that_dies_at_any_call_is_followed_by_another)
{
    for (int at = 1; at <= 9; at++) {
        for (int is_applied = 0; is_applied < 2; is_applied++) {
            struct node dead = node_new(&server, SLOTS), last = node_new(&server, SLOTS);
            struct kit_request r[2];
            mariadb_exec(
                &server,
                "DELETE FROM ledger; DELETE FROM usage_log; DELETE FROM journal_positions");
            kit_recharge(&server, 1, 1000);
            ck_assert_int_eq(kit_run(&dead, 1, 100, 10), ERR_OK);
            pthread_mutex_lock(&dead.m->journal.mu);
            journal_seal(&dead.m->journal);
            pthread_mutex_unlock(&dead.m->journal.mu);
            ck_assert_int_eq(kit_run(&dead, 1, 100, 20), ERR_OK);
            for (int i = 0; i < 2; i++) {
                ck_assert_int_eq(kit_admit(&dead, 1, 100, &r[i]), ERR_OK);
                r[i].row.cost_nusd = 5;
                journal_note(dead.m, &r[i].slot, &r[i].row);
            }
            node_crash(&dead);
            struct node dying = node_new_with(&server, SLOTS, change_lost);
            lost.calls_left = at;
            lost.is_applied = is_applied;
            ck_assert_int_eq(adopt_dead(dying.m, 1), 1);
            node_crash(&dying);
            (void)adopt_dead(last.m, 9);
            ck_assert_int_eq(directories(), 0);
            ck_assert_int_eq(rows_of_status("ok"), 2);
            ck_assert_int_eq(rows_of_status("interrupted"), 2);
            ck_assert_int_eq(kit_balance(&server, 1), 1000 - 40);
            ck_assert_int_eq(mariadb_number(&server, "SELECT COUNT(*) FROM leases"), 0);
            ck_assert_int_eq(mariadb_number(&server, "SELECT COUNT(*) FROM processes"), 0);
            ck_assert_int_eq(mariadb_number(&server, "SELECT COUNT(*) FROM journal_positions"), 0);
            money_assert_sound(&server, 0);
            node_stop(&last);
        }
    }
}
END_TEST

struct adopter {
    pthread_t thread;
    struct node n;
    int adopted;
};

static void *adopt_many(void *arg)
{
    struct adopter *a = arg;
    for (int i = 0; i < 20; i++)
        a->adopted += adopt_dead(a->n.m, 3);
    return NULL;
}

START_TEST(adopters_at_the_same_time_do_everything_once)
{
    struct adopter a[3];
    kit_recharge(&server, 1, USD);
    for (int i = 0; i < 12; i++) {
        struct node dead = node_new(&server, SLOTS);
        struct kit_request r;
        ck_assert_int_eq(kit_run(&dead, 1, 100, 10), ERR_OK);
        ck_assert_int_eq(kit_admit(&dead, 1, 100, &r), ERR_OK);
        node_crash(&dead);
    }
    for (int i = 0; i < 3; i++) {
        a[i] = (struct adopter){.n = node_new(&server, SLOTS)};
        ck_assert_int_eq(pthread_create(&a[i].thread, NULL, adopt_many, &a[i]), 0);
    }
    int adopted = 0;
    for (int i = 0; i < 3; i++) {
        pthread_join(a[i].thread, NULL);
        adopted += a[i].adopted;
        node_stop(&a[i].n);
    }
    ck_assert_int_ge(adopted, 12);
    ck_assert_int_eq(rows_of_status("ok"), 12);
    ck_assert_int_eq(rows_of_status("interrupted"), 12);
    ck_assert_int_eq(kit_balance(&server, 1), USD - 120);
    ck_assert_int_eq(directories(), 0);
    money_assert_sound(&server, INVARIANTS_DRAINED);
}
END_TEST

/* ---- kill -9 under load ---- */

#define WORKERS 8

struct answer {
    char request_id[ULID_SIZE];
    int64_t cost;
};

struct worker {
    struct node *n;
    int fd;
    unsigned seed;
};

/* Serves until it is killed; tells each answer that went out whole. */
static void *serve(void *arg)
{
    struct worker *w = arg;
    for (;;) {
        struct kit_request r;
        struct answer a = {.cost = rand_r(&w->seed) % 1000};
        if (kit_admit(w->n, 1 + rand_r(&w->seed) % 3, 1000, &r))
            continue;
        memcpy(a.request_id, r.row.request_id, sizeof(a.request_id));
        if (rand_r(&w->seed) % 8 == 0)
            usleep(1000);
        kit_finish(w->n, &r, a.cost);
        if (write(w->fd, &a, sizeof(a)) != sizeof(a))
            return NULL;
    }
}

static void serve_in_child(int fd, unsigned seed)
{
    static struct worker w[WORKERS];
    struct node n = node_start(&server, SLOTS);
    pthread_t t;
    for (unsigned i = 0; i < WORKERS; i++) {
        w[i] = (struct worker){.n = &n, .fd = fd, .seed = seed * 100 + i};
        if (pthread_create(&t, NULL, serve, &w[i]))
            _exit(1);
    }
    for (;;) {
        (void)money_upkeep(n.m);
        usleep(10000);
    }
}

static int64_t check_answers(int fd, int *count)
{
    struct answer a;
    int64_t cost = 0;
    while (read(fd, &a, sizeof(a)) == sizeof(a)) {
        cost += a.cost;
        ++*count;
        ck_assert_int_eq(mariadb_number(&server,
                                        "SELECT COUNT(*) FROM usage_log WHERE request_id = '%s' "
                                        "AND status = 'ok' AND cost * 1000000000 = %lld",
                                        a.request_id, (long long)a.cost),
                         1);
    }
    return cost;
}

START_TEST(killed_process_loses_no_answer_and_charges_none_twice)
{
    struct node n = node_new(&server, SLOTS);
    for (int a = 1; a <= 3; a++)
        kit_recharge(&server, a, 100 * USD);
    for (unsigned round = 1; round <= 4; round++) {
        int pipe_fd[2], count = 0;
        ck_assert_int_eq(pipe2(pipe_fd, O_CLOEXEC), 0);
        ck_assert_int_ge(fcntl(pipe_fd[1], F_SETPIPE_SZ, 1 << 20), 1 << 19);
        pid_t pid = fork();
        if (!pid)
            serve_in_child(pipe_fd[1], round);
        close(pipe_fd[1]);
        usleep(100000 + 37000 * round);
        money_assert_sound(&server, 0);
        kill(pid, SIGKILL);
        ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
        while (adopt_dead(n.m, 9))
            continue;
        (void)check_answers(pipe_fd[0], &count);
        close(pipe_fd[0]);
        ck_assert_int_gt(count, 20);
        ck_assert_int_eq(directories(), 0);
        ck_assert_int_eq(mariadb_number(&server, "SELECT COUNT(*) FROM leases"), 0);
        money_assert_sound(&server, INVARIANTS_DRAINED);
    }
    node_stop(&n);
}
END_TEST

START_TEST(late_take_of_an_adopted_process_fails)
{
    struct node dead = node_new(&server, SLOTS), n = node_new(&server, SLOTS);
    struct hold h;
    char id[ULID_SIZE];
    kit_recharge(&server, 1, 1000);
    ck_assert_int_eq(hold_open(dead.m, 1, 100, &h, NULL), ERR_OK);
    memcpy(id, money_process_id(dead.m), sizeof(id));
    hold_cancel(dead.m, &h);
    spool_unlock(&dead.ops, &dead.m->spool); /* as if the lock did not reach over to the adopter */
    ck_assert_int_eq(adopt_dead(n.m, 1), 1);
    int64_t need = 1000;
    struct lease_take t = {
        .process = id, .account_id = 1, .needs_nusd = &need, .needs_n = 1, .lease_max_nusd = 1};
    ck_assert_int_eq(n.ops.db.take(n.ops.db.self, &t), ERR_END);
    money_assert_sound(&server, INVARIANTS_DRAINED);
    node_crash(&dead);
    node_stop(&n);
}
END_TEST

START_TEST(process_whose_directory_was_adopted_while_it_had_no_row_never_leases)
{
    struct node quiet = node_new(&server, SLOTS), n = node_new(&server, SLOTS);
    struct hold h;
    kit_recharge(&server, 1, 1000);
    ck_assert_int_eq(money_open(quiet.m), ERR_OK);
    int lock_fd = quiet.m->spool.lock_fd;
    int other_fd = dup(lock_fd);
    ck_assert_int_eq(flock(other_fd, LOCK_UN),
                     0); /* a lock that does not reach over to the adopter */
    ck_assert_int_eq(adopt_dead(n.m, 1), 1);
    ck_assert_int_eq(hold_open(quiet.m, 1, 100, &h, NULL), ERR_UNAVAILABLE);
    ck_assert(!money_may_admit(quiet.m));
    ck_assert_int_eq(mariadb_number(&server, "SELECT COUNT(*) FROM leases"), 0);
    close(other_fd);
    node_crash(&quiet);
    node_stop(&n);
}
END_TEST

/* ---- names that a power cut may undo ---- */

static struct {
    bool is_failing;
    enum err (*real)(void *self, const char *path);
} names;

static enum err moody_sync_dir(void *self, const char *path)
{
    return names.is_failing ? ERR_IO : names.real(self, path);
}

static void change_names(struct money_ops *ops)
{
    names.real = ops->disk.sync_dir;
    ops->disk.sync_dir = moody_sync_dir;
}

START_TEST(position_stays_until_the_name_of_the_removed_directory_is_durable)
{
    static const char id[] = "01ARZ3NDEKTSV4RRFFQ69G5FAV";
    static const char count[] = "SELECT COUNT(*) FROM journal_positions WHERE process_id = '%s'";
    char path[SPOOL_PATH_MAX];
    struct node n = node_new_with(&server, SLOTS, change_names);
    ck_assert_int_eq(
        spool_path(path, server.config->spool_dir, SPOOL_DONE "01ARZ3NDEKTSV4RRFFQ69G5FAV"),
        ERR_OK);
    ck_assert_int_eq(n.m->ops.disk.mkdir(NULL, server.config->spool_dir), ERR_OK);
    ck_assert_int_eq(n.m->ops.disk.mkdir(NULL, path), ERR_OK);
    mariadb_exec(&server, "INSERT INTO journal_positions (process_id) VALUES ('%s')", id);
    names.is_failing = true;
    (void)adopt_dead(n.m, 1);
    ck_assert_int_eq(mariadb_number(&server, count, id), 1);
    names.is_failing = false;
    (void)adopt_dead(n.m, 1);
    ck_assert_int_eq(mariadb_number(&server, count, id), 0);
    node_stop(&n);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("adopt");
    TCase *t = tcase_create("adopt");
    tcase_set_timeout(t, 90);
    tcase_add_checked_fixture(t, setup, NULL);
    tcase_add_test(t, running_requests_become_interrupted_and_cost_what_was_noted);
    tcase_add_test(t, lines_in_every_kind_of_segment_are_replayed);
    tcase_add_test(t, process_without_requests_is_cleared_away);
    tcase_add_test(t, living_process_is_left_alone);
    tcase_add_test(t, journal_of_another_installation_is_never_replayed);
    tcase_add_test(t, journal_of_another_host_is_adopted_only_when_it_was_not_seen_for_long);
    tcase_add_test(t, one_request_process_adopts_at_most_one);
    tcase_add_test(t, close_line_torn_at_any_byte_leaves_exactly_one_row);
    tcase_add_test(t, adopter_that_dies_at_any_call_is_followed_by_another);
    tcase_add_test(t, adopters_at_the_same_time_do_everything_once);
    tcase_add_test(t, killed_process_loses_no_answer_and_charges_none_twice);
    tcase_add_test(t, late_take_of_an_adopted_process_fails);
    tcase_add_test(t, process_whose_directory_was_adopted_while_it_had_no_row_never_leases);
    tcase_add_test(t, position_stays_until_the_name_of_the_removed_directory_is_durable);
    suite_add_tcase(s, t);
    return money_run_suite(s, &server);
}
