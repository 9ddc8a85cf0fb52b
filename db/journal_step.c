/* The journal thread's side: one unit of work at a time, none of it under a lock.
 *
 * A failed fdatasync: nothing more is admitted; the segment is written anew, as another file, since a second sync of the same file would prove nothing. It goes to the database meanwhile,
 * and once it is there the file does not matter. Admission begins again when the disk has taken a trial write and every unflushed segment whose sync failed has been rewritten. */
#include "db/money_core.h"

#include "base/fault.h"
#include "base/log.h"
#include "db/flush.h"
#include "db/segment.h"
#include "db/slots.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define RETRY_REPAIR_MS 1000
#define RETRY_DOWN_MS   250 /* the database is down: as often as it is probed */
#define RETRY_SOON_MS   50
#define RETRY_LATER_MS  1000
#define IDLE_WAIT_MS    60000
#define MIN_WAIT_MS     10 /* when something is due that another thread must end first */
#define TRIAL_FILE      "trial"
#define TRIAL_BYTES     4096

/* ---- after a loss of connections ---- */

/* Makes the kept segments above position unflushed again. Their costs count as spent before the leases are read. */
static enum err take_back_flushed(struct money *m, uint64_t position)
{
    struct journal *j = &m->journal;
    enum err e = ERR_OK;
    bool any = false;
    pthread_mutex_lock(&j->mu);
    /* Some may have been taken back before an error. */
    for (struct segment *s = j->first; s; s = s->next) {
        if (s->state != SEGMENT_FLUSHED || s->number <= position)
            continue;
        pthread_mutex_unlock(&j->mu); /* only this thread removes segments */
        e = flush_note_again(m, s->number);
        pthread_mutex_lock(&j->mu);
        if (e)
            break;
        s->state = SEGMENT_CLOSED;
        j->unflushed_rows += s->rows;
        any = true;
    }
    if (!e && any)
        atomic_store(&j->flushed, position);
    pthread_mutex_unlock(&j->mu);
    if (any)
        log_error("journal_replay", "position=%llu problem=\"the database has lost commits\"",
                  (unsigned long long)position);
    return e;
}

/* When the leases were first read for this generation. */
static uint64_t begin_resync(struct journal *j, uint64_t generation, uint64_t began)
{
    if (j->resync_generation != generation) {
        j->resync_generation = generation;
        j->resync_seq = began;
        j->resync_at_ms = 0;
    }
    return j->resync_seq;
}

static bool step_resync(struct money *m)
{
    struct journal *j = &m->journal;
    uint64_t generation = m->ops.db.generation(m->ops.db.self), began = lease_seq(m);
    pthread_mutex_lock(&j->mu);
    int64_t now = money_mono_ms(m);
    bool is_due = generation != j->generation && now >= j->flush_at_ms;
    uint64_t first = is_due ? begin_resync(j, generation, began) : 0;
    is_due = is_due && now >= j->resync_at_ms;
    pthread_mutex_unlock(&j->mu);
    if (!is_due)
        return false;
    struct lease_found *found = NULL;
    size_t n = 0;
    uint64_t position = 0;
    bool is_done = false;
    enum err e = m->ops.db.leases(m->ops.db.self, m->id, &found, &n, &position);
    if (!e && position < atomic_load(&j->flushed))
        e = take_back_flushed(m, position);
    if (!e)
        is_done = lease_resync(m, found, n, position, began, first);
    free(found);
    pthread_mutex_lock(&j->mu);
    if (e)
        j->flush_at_ms = money_mono_ms(m) + RETRY_DOWN_MS;
    else if (is_done)
        j->generation = generation;
    else
        j->resync_at_ms = money_mono_ms(m) + RETRY_DOWN_MS;
    pthread_mutex_unlock(&j->mu);
    return !e;
}

/* ---- repair ---- */

/* The rows of a segment in a new file of the same name. */
static enum err rewrite(struct money *m, struct segment *s)
{
    char path[SPOOL_PATH_MAX];
    struct segment_rows r;
    segment_rows_init(&r);
    segment_path(path, m->spool.dir, s->number);
    enum err e = segment_read(&m->ops, path, &r);
    if (!e && (int64_t)r.n != s->rows)
        log_error("journal_lost", "path=%s rows=%lld found=%zu", path, (long long)s->rows, r.n);
    /* What could not be decoded must not vanish with the old file. */
    int64_t added = 0;
    if (!e && r.bad.n)
        e = spool_reject(&m->ops, m->config->spool_dir, buf_slice(&r.bad), &added);
    if (!e)
        e = segment_write(&m->ops, m->spool.dir, s->number, r.rows, r.n);
    atomic_fetch_add(&m->rejected_rows, added);
    segment_rows_clear(&r);
    return e;
}

static enum err try_disk(struct money *m)
{
    const struct money_disk_ops *d = &m->ops.disk;
    char path[SPOOL_PATH_MAX], bytes[TRIAL_BYTES];
    int fd = -1;
    memset(bytes, 'x', sizeof(bytes));
    enum err e = spool_path(path, m->spool.dir, TRIAL_FILE);
    if (!e)
        e = d->open(d->self, path, DISK_OPEN, &fd);
    if (e)
        return e;
    e = d->allocate(d->self, fd, 0, TRIAL_BYTES);
    if (!e)
        e = d->write(d->self, fd, bytes, sizeof(bytes), 0);
    if (!e)
        e = d->sync(d->self, fd);
    d->close(d->self, fd);
    (void)d->unlink(d->self, path);
    return e;
}

/* The first unflushed segment that must be written anew. */
static struct segment *find_suspect(struct money *m)
{
    struct journal *j = &m->journal;
    pthread_mutex_lock(&j->mu);
    struct segment *s = j->first;
    while (s && !(s->state == SEGMENT_CLOSED && s->is_suspect))
        s = s->next;
    pthread_mutex_unlock(&j->mu);
    return s;
}

static bool step_repair(struct money *m)
{
    struct journal *j = &m->journal;
    pthread_mutex_lock(&j->mu);
    bool is_due = j->is_failing && money_mono_ms(m) >= j->repair_at_ms;
    pthread_mutex_unlock(&j->mu);
    if (!is_due)
        return false;
    enum err e = try_disk(m);
    for (struct segment *s; !e && (s = find_suspect(m));) {
        e = rewrite(m, s);
        if (!e)
            s->is_suspect = false; /* closed: nobody else looks at it */
    }
    pthread_mutex_lock(&j->mu);
    j->is_failing = e != ERR_OK;
    j->repair_at_ms = money_mono_ms(m) + RETRY_REPAIR_MS;
    pthread_mutex_unlock(&j->mu);
    if (!e)
        log_info("journal_repaired", "path=%s", m->spool.dir);
    return !e;
}

/* ---- seal, sync ---- */

/* Spares for what is reserved and for as much again, before the requests must make them themselves. */
static bool step_add(struct money *m)
{
    struct journal *j = &m->journal;
    bool did = false;
    pthread_mutex_lock(&j->mu);
    if (j->has_thread && !j->is_stopping && j->reserved > 0 && j->spare_lines < 2 * j->reserved)
        did = !journal_add_segment(m);
    pthread_mutex_unlock(&j->mu);
    return did;
}

static bool seal_is_due(const struct money *m, int64_t now_ms)
{
    const struct journal *j = &m->journal;
    const struct segment *s = j->active;
    return s && s->rows > 0 &&
           (j->is_hurried || j->is_stopping || s->is_suspect ||
            s->rows >= m->config->journal_segment_rows ||
            now_ms - s->first_ms >= m->config->journal_segment_ms);
}

static bool step_seal(struct money *m)
{
    struct journal *j = &m->journal;
    bool did = false;
    int64_t now = money_mono_ms(m);
    pthread_mutex_lock(&j->mu);
    if (seal_is_due(m, now)) {
        if (j->spare_lines >= j->reserved) {
            journal_seal(j);
            did = true;
        } else {
            did = !journal_add_segment(m);
        }
    }
    if (!j->active || !j->active->rows)
        j->is_hurried = false;
    pthread_mutex_unlock(&j->mu);
    return did;
}

static bool step_sync(struct money *m)
{
    struct journal *j = &m->journal;
    pthread_mutex_lock(&j->mu);
    struct segment *s = j->first;
    while (s && !(s->state == SEGMENT_SEALED && !s->outstanding))
        s = s->next;
    if (!s) {
        pthread_mutex_unlock(&j->mu);
        return false;
    }
    int64_t used = s->used;
    pthread_mutex_unlock(&j->mu);
    FAULT("k7");                                               /* answered, written, not synced */
    (void)m->ops.disk.truncate(m->ops.disk.self, s->fd, used); /* a longer one reads the same */
    pthread_mutex_lock(&j->mu);
    bool is_suspect = s->is_suspect || journal_sync_segment(m, s);
    pthread_mutex_unlock(&j->mu);
    m->ops.disk.close(m->ops.disk.self, s->fd);
    if (is_suspect && !rewrite(m, s))
        is_suspect = false;
    pthread_mutex_lock(&j->mu);
    s->fd = -1;
    s->is_suspect = is_suspect;
    s->state = SEGMENT_CLOSED;
    pthread_mutex_unlock(&j->mu);
    return true;
}

/* ---- flush, drop ---- */

static int64_t retry_after_ms(enum err e)
{
    if (e == ERR_DB_UNKNOWN || e == ERR_DB_RETRY)
        return RETRY_SOON_MS;
    return e == ERR_DB_DOWN || e == ERR_BUSY ? RETRY_DOWN_MS : RETRY_LATER_MS;
}

/* Earlier segments are missing in the database: kept ones come again, and what is not kept any more is passed over. */
static enum err fill_gap(struct money *m, struct flush_source *src)
{
    struct journal *j = &m->journal;
    pthread_mutex_lock(&j->mu);
    bool is_kept = false;
    for (const struct segment *s = j->first; s; s = s->next)
        is_kept = is_kept || (s->state == SEGMENT_FLUSHED && s->number > src->position);
    pthread_mutex_unlock(&j->mu);
    if (is_kept) {
        enum err e = take_back_flushed(m, src->position);
        return e ? e : ERR_RANGE;
    }
    log_error("journal_gap", "process=%s position=%llu segment=%llu", src->process,
              (unsigned long long)src->position, (unsigned long long)src->number);
    src->previous = src->position;
    return flush_segment(m, src);
}

static struct segment *next_unflushed(struct money *m)
{
    struct journal *j = &m->journal;
    pthread_mutex_lock(&j->mu);
    struct segment *s = j->first;
    while (s && s->state == SEGMENT_FLUSHED)
        s = s->next;
    if (s && (s->state != SEGMENT_CLOSED || money_mono_ms(m) < j->flush_at_ms))
        s = NULL;
    pthread_mutex_unlock(&j->mu);
    return s;
}

static bool step_flush(struct money *m)
{
    struct journal *j = &m->journal;
    struct segment *s = next_unflushed(m);
    if (!s)
        return false;
    struct flush_source src = {.process = m->id,
                               .dir = m->spool.dir,
                               .is_own = true,
                               .number = s->number,
                               .previous = s->number - 1};
    enum err e = flush_segment(m, &src);
    if (e == ERR_RANGE) {
        e = fill_gap(m, &src);
        if (e == ERR_RANGE)
            return true;
    }
    bool is_done = e == ERR_OK || e == ERR_END;
    pthread_mutex_lock(&j->mu);
    int64_t now = money_mono_ms(m);
    if (is_done) {
        s->state = SEGMENT_FLUSHED;
        s->flushed_ms = now;
        j->unflushed_rows -= s->rows;
        j->commits += e == ERR_OK;
        atomic_store(&j->flushed, s->number);
    } else {
        j->flush_at_ms = now + retry_after_ms(e);
    }
    bool is_news = e != j->flush_error;
    j->flush_error = e;
    pthread_mutex_unlock(&j->mu);
    if (!is_done && is_news)
        log_warn("journal_flush", "segment=%llu error=%s", (unsigned long long)src.number,
                 err_name(e));
    return is_done;
}

static bool step_drop(struct money *m)
{
    struct journal *j = &m->journal;
    char path[SPOOL_PATH_MAX];
    pthread_mutex_lock(&j->mu);
    struct segment *s = j->first;
    bool is_due = s && s->state == SEGMENT_FLUSHED &&
                  money_mono_ms(m) - s->flushed_ms >= m->config->journal_keep_ms;
    if (is_due)
        j->first = s->next;
    pthread_mutex_unlock(&j->mu);
    if (!is_due)
        return false;
    segment_path(path, m->spool.dir, s->number);
    (void)m->ops.disk.unlink(m->ops.disk.self,
                             path); /* one that stays is removed with the directory */
    free(s);
    return true;
}

bool journal_step(struct money *m)
{
    if (!atomic_load(&m->is_open))
        return false;
    return step_resync(m) || step_add(m) || step_seal(m) || step_sync(m) || step_repair(m) ||
           step_flush(m) || step_drop(m);
}

/* ---- the thread ---- */

static int64_t earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* When there is something to do next; with mu held. */
static int64_t next_due_ms(struct money *m, int64_t now_ms)
{
    struct journal *j = &m->journal;
    int64_t due = INT64_MAX;
    if (seal_is_due(m, now_ms))
        due = j->spare_lines >= j->reserved ? now_ms : j->add_at_ms;
    else if (j->active && j->active->rows)
        due = j->active->first_ms + m->config->journal_segment_ms;
    if (j->is_failing)
        due = earlier(due, j->repair_at_ms);
    if (j->reserved > 0 && j->spare_lines < 2 * j->reserved)
        due = earlier(due, j->add_at_ms);
    if (j->resync_generation != j->generation && j->resync_at_ms > now_ms)
        due = earlier(due, j->resync_at_ms);
    bool is_first = true;
    for (const struct segment *s = j->first; s; s = s->next) {
        if (s->state == SEGMENT_FLUSHED && s == j->first)
            due = earlier(due, s->flushed_ms + m->config->journal_keep_ms);
        if (s->state == SEGMENT_SEALED && !s->outstanding)
            due = now_ms;
        if (s->state == SEGMENT_CLOSED && is_first)
            due = earlier(due, j->flush_at_ms);
        is_first = is_first && s->state == SEGMENT_FLUSHED;
    }
    return due;
}

static void *run(void *arg)
{
    struct money *m = arg;
    struct journal *j = &m->journal;
    for (;;) {
        bool did = journal_step(m);
        pthread_mutex_lock(&j->mu);
        bool is_over = j->is_stopping;
        if (!did && !is_over) {
            int64_t now = money_mono_ms(m), due = next_due_ms(m, now);
            int64_t ms = due <= now ? MIN_WAIT_MS : earlier(due - now, IDLE_WAIT_MS);
            m->ops.clock.wait(m->ops.clock.self, &j->wake, &j->mu, ms);
        }
        pthread_mutex_unlock(&j->mu);
        if (is_over)
            return NULL;
    }
}

enum err journal_start(struct money *m)
{
    struct journal *j = &m->journal;
    pthread_mutex_lock(&j->mu);
    bool has_thread = j->has_thread;
    j->has_thread = true;
    pthread_mutex_unlock(&j->mu);
    if (has_thread)
        return ERR_OK;
    if (pthread_create(&j->thread, NULL, run, m)) {
        pthread_mutex_lock(&j->mu);
        j->has_thread = false;
        pthread_mutex_unlock(&j->mu);
        return ERR_MEMORY;
    }
    return ERR_OK;
}

void journal_join(struct money *m)
{
    struct journal *j = &m->journal;
    pthread_mutex_lock(&j->mu);
    bool has_thread = j->has_thread;
    j->is_stopping = true;
    pthread_cond_broadcast(&j->wake);
    pthread_cond_broadcast(&j->changed);
    pthread_mutex_unlock(&j->mu);
    if (has_thread)
        pthread_join(j->thread, NULL);
    pthread_mutex_lock(&j->mu);
    j->has_thread = false;
    pthread_mutex_unlock(&j->mu);
}
