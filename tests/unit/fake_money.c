#include "tests/unit/fake_money.h"

#include "tests/unit/temp_dir.h"

#include <check.h>
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define START_MS 1000000

/* ---- what happens next ---- */

/* Begins a call; what the caller is told. */
static enum err fate(struct fake_money *f, enum fake_op op)
{
    void (*during)(struct fake_money * f) = f->during[op];
    atomic_fetch_add(&f->calls[op], 1);
    if (during) {
        f->during[op] = NULL;
        during(f);
    }
    if (f->pass[op] > 0) {
        f->pass[op]--;
        return ERR_OK;
    }
    if (f->fail[op] <= 0)
        return ERR_OK;
    f->fail[op]--;
    errno = EIO;
    return f->error[op];
}

void fake_fail_after(struct fake_money *f, enum fake_op op, int pass, int n, enum err e)
{
    f->pass[op] = pass;
    f->fail[op] = n;
    f->error[op] = e;
}

void fake_fail(struct fake_money *f, enum fake_op op, enum err e)
{
    fake_fail_after(f, op, 0, 1, e);
}

/* ---- the database ---- */

static struct lease_row *row_of(struct fake_money *f, int64_t id)
{
    ck_assert(id >= 0 && id < FAKE_ACCOUNTS);
    return &f->rows[id];
}

static void change_row(struct fake_money *f, struct lease_row *row, int64_t nusd, uint64_t floor)
{
    row->amount_nusd += nusd;
    row->n = (row->n > floor ? row->n : floor) + 1;
    row->exists = true;
    row->position = f->position;
}

static enum err fake_installation(void *self, char id[INSTALLATION_ID_SIZE])
{
    enum err e = fate(self, FAKE_INSTALLATION);
    if (!e)
        memcpy(id, "fake", sizeof("fake"));
    return e;
}

static enum err fake_begin(void *self, const char *process, const char *host)
{
    (void)self;
    (void)process;
    (void)host;
    return ERR_OK;
}

static enum err fake_row(void *self, const char *process)
{
    (void)self;
    (void)process;
    return ERR_OK;
}

static enum err take(struct fake_money *f, struct lease_take *t)
{
    struct lease_row *row = row_of(f, t->account_id);
    t->balance_nusd = f->balance_nusd[t->account_id];
    t->available_nusd = t->balance_nusd - row->amount_nusd;
    t->granted_nusd = lease_plan(t, t->available_nusd, 1, false);
    if (t->granted_nusd > 0)
        change_row(f, row, t->granted_nusd, t->n_floor);
    t->row = *row;
    return t->granted_nusd > 0 ? ERR_OK : ERR_NO_FUNDS;
}

static enum err fake_take(void *self, struct lease_take *t)
{
    struct fake_money *f = self;
    f->needs_n = t->needs_n;
    enum err told = fate(f, FAKE_TAKE);
    if (told && !f->is_applied[FAKE_TAKE])
        return told;
    enum err e = take(f, t);
    return told ? told : e;
}

static enum err fake_give(void *self, struct lease_give *g)
{
    struct fake_money *f = self;
    f->is_last = g->is_last;
    enum err told = fate(f, FAKE_GIVE);
    if (told && !f->is_applied[FAKE_GIVE])
        return told;
    struct lease_row *row = row_of(f, g->account_id);
    if (row->exists)
        change_row(f, row, -g->amount_nusd, g->n_floor);
    if (g->is_last && !row->amount_nusd)
        *row = (struct lease_row){0};
    g->row = *row;
    return told;
}

static enum err fake_want(void *self, int64_t account)
{
    (void)account;
    return fate(self, FAKE_WANT);
}

static enum err fake_wanted(void *self, const char *process, int64_t *ids, size_t max, size_t *n)
{
    struct fake_money *f = self;
    (void)process;
    enum err e = fate(f, FAKE_WANTED);
    if (e)
        return e;
    ck_assert_uint_gt(max, 0);
    ids[0] = f->wanted_id;
    *n = f->wanted_id > 0;
    return ERR_OK;
}

static enum err fake_leases(void *self, const char *process, struct lease_found **found, size_t *n,
                            uint64_t *position)
{
    struct fake_money *f = self;
    (void)process;
    enum err e = fate(f, FAKE_LEASES);
    if (e)
        return e;
    *found = calloc(FAKE_ACCOUNTS, sizeof(**found));
    *n = 0;
    for (int64_t id = 0; id < FAKE_ACCOUNTS; id++) {
        if (f->rows[id].exists)
            (*found)[(*n)++] = (struct lease_found){id, f->rows[id]};
    }
    *position = f->position;
    return ERR_OK;
}

static enum err flush(struct fake_money *f, struct usage_flush *u)
{
    u->position = f->position;
    if (f->position >= u->segment)
        return ERR_END;
    if (f->position < u->previous)
        return ERR_RANGE;
    f->position = u->segment;
    for (size_t i = 0; i < u->accounts_n; i++) {
        struct flush_account *a = &u->accounts[i];
        struct lease_row *row = row_of(f, a->account_id);
        f->balance_nusd[a->account_id] -= a->cost_nusd;
        if (row->exists)
            change_row(f, row, -a->cost_nusd, a->n_floor);
        a->row = *row;
    }
    return ERR_OK;
}

static enum err fake_flush(void *self, struct usage_flush *u)
{
    struct fake_money *f = self;
    enum err told = fate(f, FAKE_FLUSH);
    if (told && !f->is_applied[FAKE_FLUSH])
        return told;
    enum err e = flush(f, u);
    return told ? told : e;
}

static uint64_t fake_generation(void *self)
{
    return ((struct fake_money *)self)->generation;
}

/* ---- the disk ---- */

static enum err fake_open(void *self, const char *path, enum disk_mode mode, int *fd)
{
    struct fake_money *f = self;
    enum err e = fate(f, FAKE_OPEN);
    return e ? e : f->disk.open(f->disk.self, path, mode, fd);
}

static void fake_close_fd(void *self, int fd)
{
    struct fake_money *f = self;
    f->disk.close(f->disk.self, fd);
}

static enum err fake_size(void *self, int fd, int64_t *bytes)
{
    struct fake_money *f = self;
    return f->disk.size(f->disk.self, fd, bytes);
}

static enum err fake_read(void *self, int fd, void *dst, size_t n, int64_t at, size_t *got)
{
    struct fake_money *f = self;
    enum err e = fate(f, FAKE_READ);
    return e ? e : f->disk.read(f->disk.self, fd, dst, n, at, got);
}

/* A failing write leaves half of its bytes. */
static enum err fake_write(void *self, int fd, const void *p, size_t n, int64_t at)
{
    struct fake_money *f = self;
    enum err e = fate(f, FAKE_WRITE);
    enum err real = f->disk.write(f->disk.self, fd, p, e ? n / 2 : n, at);
    errno = EIO;
    return e ? e : real;
}

static enum err fake_append(void *self, int fd, const void *p, size_t n)
{
    struct fake_money *f = self;
    enum err e = fate(f, FAKE_APPEND);
    return e ? e : f->disk.append(f->disk.self, fd, p, n);
}

static enum err fake_allocate(void *self, int fd, int64_t at, int64_t n)
{
    struct fake_money *f = self;
    enum err e = fate(f, FAKE_ALLOCATE);
    return e ? e : f->disk.allocate(f->disk.self, fd, at, n);
}

static enum err fake_truncate(void *self, int fd, int64_t n)
{
    struct fake_money *f = self;
    return f->disk.truncate(f->disk.self, fd, n);
}

/* Nobody cuts the power here. */
static enum err fake_sync(void *self, int fd)
{
    (void)fd;
    return fate(self, FAKE_SYNC);
}

static enum err fake_sync_dir(void *self, const char *path)
{
    (void)path;
    return fate(self, FAKE_SYNC_DIR);
}

static enum err fake_rename(void *self, const char *from, const char *to)
{
    struct fake_money *f = self;
    enum err e = fate(f, FAKE_RENAME);
    return e ? e : f->disk.rename(f->disk.self, from, to);
}

static struct money_disk_ops disk_ops(struct fake_money *f)
{
    struct money_disk_ops d = f->disk;
    d.self = f;
    d.open = fake_open;
    d.close = fake_close_fd;
    d.size = fake_size;
    d.read = fake_read;
    d.write = fake_write;
    d.append = fake_append;
    d.allocate = fake_allocate;
    d.truncate = fake_truncate;
    d.sync = fake_sync;
    d.sync_dir = fake_sync_dir;
    d.rename = fake_rename;
    return d; /* the rest uses no self */
}

/* ---- the clock ---- */

static int64_t fake_mono_ms(void *self)
{
    return atomic_load(&((struct fake_money *)self)->now_ms);
}

static void fake_wait(void *self, pthread_cond_t *cond, pthread_mutex_t *mutex, int64_t ms)
{
    struct fake_money *f = self;
    if (f->is_threaded) {
        atomic_store(&f->due_ms, ms);
        atomic_fetch_add(&f->waiting, 1);
        pthread_cond_wait(cond, mutex);
        atomic_fetch_sub(&f->waiting, 1);
        return;
    }
    pthread_mutex_unlock(mutex);
    (void)!fate(f, FAKE_WAIT);
    atomic_fetch_add(&f->now_ms, ms);
    pthread_mutex_lock(mutex);
}

/* ---- the process ---- */

void fake_money_init(struct fake_money *f, int64_t balance_nusd)
{
    struct money_ops ops = money_ops_real(NULL);
    memset(f, 0, sizeof(*f));
    temp_dir_make(f->dir, sizeof(f->dir));
    f->config = (struct config){
        .spool_dir = f->dir,
        .journal_segment_ms = 20,
        .journal_segment_rows = 100,
        .journal_keep_ms = 600000,
        .lease_wait_ms = 0,
        .lease_idle_ms = 60000,
        .abandon_after_s = 600,
    };
    for (int i = 0; i < FAKE_ACCOUNTS; i++)
        f->balance_nusd[i] = balance_nusd;
    atomic_store(&f->now_ms, START_MS);
    f->disk = ops.disk;
    ops.disk = disk_ops(f);
    ops.clock.self = f;
    ops.clock.mono_ms = fake_mono_ms;
    ops.clock.wait = fake_wait;
    ops.db = (struct money_db_ops){
        .self = f,
        .installation = fake_installation,
        .begin = fake_begin,
        .seen = fake_row,
        .end = fake_row,
        .forget = fake_row,
        .take = fake_take,
        .give = fake_give,
        .want = fake_want,
        .wanted = fake_wanted,
        .leases = fake_leases,
        .flush = fake_flush,
        .generation = fake_generation,
    };
    f->m = money_new_with(&ops, &f->config, FAKE_SLOTS);
    ck_assert_ptr_nonnull(f->m);
}

void fake_money_clear(struct fake_money *f)
{
    money_free(f->m);
    temp_dir_remove(f->dir);
}

void fake_pump(struct fake_money *f)
{
    while (journal_step(f->m))
        continue;
}

/* ---- requests ---- */

enum err fake_admit(struct fake_money *f, int64_t need_nusd, struct fake_request *r)
{
    *r = (struct fake_request){.slot.index = -1};
    r->row = (struct usage_row){
        .account_id = 1,
        .api_key_id = 1,
        .group_id = 1,
        .endpoint = "chat.completions",
        .model = "model-a",
        .client_format = "openai-chat",
        .status = USAGE_INTERRUPTED,
        .group_multiplier_ppm = 1000000,
        .account_multiplier_ppm = 1000000,
        .hold_nusd = need_nusd,
        .first_byte_ms = -1,
        .price_lines = "[]",
    };
    ulid_make(r->row.request_id);
    enum err e = hold_open(f->m, 1, need_nusd, &r->hold, NULL);
    if (e)
        return e;
    e = journal_admit(f->m, &r->row, &r->slot);
    if (e)
        hold_cancel(f->m, &r->hold);
    return e;
}

void fake_close(struct fake_money *f, struct fake_request *r, int64_t cost_nusd)
{
    r->row.status = USAGE_OK;
    r->row.http_status = 200;
    r->row.cost_nusd = cost_nusd;
    journal_close(f->m, &r->slot, &r->row);
}

void fake_finish(struct fake_money *f, struct fake_request *r, int64_t cost_nusd)
{
    fake_close(f, r, cost_nusd);
    hold_settle(f->m, &r->hold, cost_nusd);
}

void fake_run(struct fake_money *f, int64_t need_nusd, int64_t cost_nusd)
{
    struct fake_request r;
    ck_assert_int_eq(fake_admit(f, need_nusd, &r), ERR_OK);
    fake_finish(f, &r, cost_nusd);
}

/* ---- another thread ---- */

static void wait_for_waiter(struct fake_money *f, int n)
{
    while (atomic_load(&f->waiting) < n)
        sched_yield();
}

static void *close_late(void *arg)
{
    struct fake_money *f = arg;
    fake_close(f, f->request, 0);
    return NULL;
}

static void *admit_late(void *arg)
{
    struct fake_money *f = arg;
    f->late_error = fake_admit(f, 0, f->request);
    return NULL;
}

static void start_late(struct fake_money *f, struct fake_request *r, void *(*run)(void *))
{
    int n = atomic_load(&f->waiting);
    f->is_threaded = true;
    f->request = r;
    ck_assert_int_eq(pthread_create(&f->late, NULL, run, f), 0);
    wait_for_waiter(f, n + 1);
}

void fake_close_late(struct fake_money *f, struct fake_request *r)
{
    start_late(f, r, close_late);
}

void fake_admit_late(struct fake_money *f, struct fake_request *r)
{
    start_late(f, r, admit_late);
}

void fake_join(struct fake_money *f)
{
    pthread_join(f->late, NULL);
    f->is_threaded = false;
}

int64_t fake_thread_due_ms(struct fake_money *f)
{
    int n = atomic_load(&f->waiting);
    f->is_threaded = true;
    ck_assert_int_eq(journal_start(f->m), ERR_OK);
    wait_for_waiter(f, n + 1);
    int64_t ms = atomic_load(&f->due_ms);
    journal_join(f->m);
    f->m->journal.is_stopping = false;
    f->is_threaded = false;
    return ms;
}

struct fake_request fake_admitted(struct fake_money *f)
{
    struct fake_request r;
    ck_assert_int_eq(fake_admit(f, 10, &r), ERR_OK);
    return r;
}

void fake_run_segment(struct fake_money *f)
{
    fake_run(f, 10, 1);
    journal_hurry(f->m);
    fake_pump(f);
}

bool fake_is_writable(struct fake_money *f)
{
    struct journal_stats st;
    journal_stats(f->m, &st);
    return st.is_writable;
}

void fake_assert_flushed(struct fake_money *f, int64_t balance_nusd, int64_t requests)
{
    ck_assert_int_eq(f->m->journal.unflushed_rows, 0);
    ck_assert_int_eq(f->balance_nusd[1], balance_nusd - requests);
    struct lease_account *a = lease_account_find(f->m, 1);
    ck_assert_int_eq(a->spent_nusd, 0);
    ck_assert_int_eq(lease_free(a) + a->held_nusd, f->rows[1].amount_nusd);
    lease_account_put(a);
}
