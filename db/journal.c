/* The requests' side of the journal. Segments are one list by number:
 *
 *   flushed ... closed ... sealed ... | active | spare ... spare
 *   in the DB   on disk    to sync      lines    zeros on real blocks
 *
 * Room: reserved <= lines that fit into the rest of the active segment + spare_lines, each counted at full length. A segment is sealed early only while the spares alone hold what is
 * reserved, so that a close line always finds room. Offsets are given out under the lock, the lines are written outside of it. */
#include "db/money_core.h"

#include "base/fault.h"
#include "base/log.h"
#include "db/segment.h"
#include "db/slots.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define SEGMENT_LINES_MIN 8
#define RETRY_ADD_MS      1000
#define WAIT_MS           1000 /* the longest wait for another thread's disk work, before looking again */

void journal_init(struct money *m)
{
    struct journal *j = &m->journal;
    pthread_mutex_init(&j->mu, NULL);
    money_cond_init(&j->wake);
    money_cond_init(&j->changed);
    j->next_number = 1;
    j->segment_lines = 2 * (int64_t)m->slots_max;
    if (j->segment_lines < SEGMENT_LINES_MIN)
        j->segment_lines = SEGMENT_LINES_MIN;
    if (j->segment_lines > SEGMENT_LINES)
        j->segment_lines = SEGMENT_LINES;
}

void journal_clear(struct money *m)
{
    struct journal *j = &m->journal;
    while (j->first) {
        struct segment *s = j->first;
        j->first = s->next;
        if (s->fd >= 0)
            m->ops.disk.close(m->ops.disk.self, s->fd);
        free(s);
    }
    pthread_mutex_destroy(&j->mu);
    pthread_cond_destroy(&j->wake);
    pthread_cond_destroy(&j->changed);
}

int64_t journal_segment_bytes(const struct journal *j)
{
    return j->segment_lines * USAGE_ROW_LINE_MAX;
}

void journal_wake(struct money *m)
{
    pthread_mutex_lock(&m->journal.mu);
    pthread_cond_signal(&m->journal.wake);
    pthread_mutex_unlock(&m->journal.mu);
}

void journal_hurry(struct money *m)
{
    struct journal *j = &m->journal;
    pthread_mutex_lock(&j->mu);
    j->is_hurried = true;
    j->flush_at_ms = 0;
    pthread_cond_signal(&j->wake);
    pthread_mutex_unlock(&j->mu);
}

/* ---- with mu held ---- */

static int64_t room_lines(const struct journal *j)
{
    int64_t rest = j->active ? (journal_segment_bytes(j) - j->active->used) / USAGE_ROW_LINE_MAX
                             : 0;
    return rest + j->spare_lines;
}

void journal_seal(struct journal *j)
{
    assert(j->active);
    j->active->state = SEGMENT_SEALED;
    j->active = NULL;
    pthread_cond_signal(&j->wake);
}

void journal_fail(struct money *m, const char *what)
{
    struct journal *j = &m->journal;
    log_error("journal_disk", "problem=%s path=%s error=%s", what, m->spool.dir, strerror(errno));
    j->is_failing = true;
    j->repair_at_ms = 0;
    pthread_cond_signal(&j->wake);
}

/* ---- segments ---- */

static enum err make_segment(struct money *m, uint64_t number, int *fd)
{
    const struct money_disk_ops *d = &m->ops.disk;
    char path[SPOOL_PATH_MAX];
    segment_path(path, m->spool.dir, number);
    enum err e = d->open(d->self, path, DISK_CREATE, fd);
    if (e)
        return e;
    e = d->allocate(d->self, *fd, 0, journal_segment_bytes(&m->journal));
    if (e) {
        d->close(d->self, *fd);
        (void)d->unlink(d->self, path);
    }
    return e;
}

static void list_append(struct journal *j, struct segment *s)
{
    struct segment **at = &j->first;
    while (*at)
        at = &(*at)->next;
    *at = s;
}

enum err journal_add_segment(struct money *m)
{
    struct journal *j = &m->journal;
    if (j->is_adding) {
        m->ops.clock.wait(m->ops.clock.self, &j->changed, &j->mu, WAIT_MS);
        return ERR_OK;
    }
    if (money_mono_ms(m) < j->add_at_ms)
        return ERR_UNAVAILABLE;
    struct segment *s = calloc(1, sizeof(*s));
    if (!s)
        return ERR_UNAVAILABLE;
    s->number = j->next_number;
    j->is_adding = true;
    pthread_mutex_unlock(&j->mu);
    enum err e = make_segment(m, s->number, &s->fd);
    pthread_mutex_lock(&j->mu);
    j->is_adding = false;
    j->is_full = e != ERR_OK;
    pthread_cond_broadcast(&j->changed);
    if (e) {
        log_error("journal_full", "path=%s error=%s", m->spool.dir, strerror(errno));
        j->add_at_ms = money_mono_ms(m) + RETRY_ADD_MS;
        free(s);
        return ERR_UNAVAILABLE;
    }
    j->next_number++;
    j->spare_lines += j->segment_lines;
    j->names++;
    list_append(j, s);
    return ERR_OK;
}

/* Offset and segment for a line of n bytes; there must be room. */
static struct segment *place_line(struct money *m, size_t n, int64_t now_ms, int64_t *at)
{
    struct journal *j = &m->journal;
    if (j->active && journal_segment_bytes(j) - j->active->used < (int64_t)n)
        journal_seal(j);
    if (!j->active) {
        FAULT("k10"); /* between two segments */
        struct segment *spare = j->first;
        assert(j->spare_lines > 0); /* our caller has seen to it that there is room */
        while (spare->state != SEGMENT_SPARE)
            spare = spare->next;
        spare->state = SEGMENT_ACTIVE;
        j->spare_lines -= j->segment_lines;
        j->active = spare;
    }
    struct segment *s = j->active;
    if (!s->rows) {
        s->first_ms = now_ms;
        pthread_cond_signal(&j->wake);
    }
    *at = s->used;
    s->used += (int64_t)n;
    s->rows++;
    s->outstanding++;
    j->unflushed_rows++;
    if (s->rows >= m->config->journal_segment_rows && j->spare_lines >= j->reserved)
        journal_seal(j);
    return s;
}

enum err journal_sync_segment(struct money *m, struct segment *s)
{
    const struct money_disk_ops *d = &m->ops.disk;
    struct journal *j = &m->journal;
    int64_t upto = s->written;
    uint64_t names = j->names;
    bool dir_dirty =
        j->names_synced <
        names; /* until it is done: two may do it at once, but none may rely on one that runs */
    s->is_syncing = true;
    pthread_mutex_unlock(&j->mu);
    enum err e = dir_dirty ? d->sync_dir(d->self, m->spool.dir) : ERR_OK;
    bool dir_failed = e != ERR_OK;
    if (!e)
        e = d->sync(d->self, s->fd);
    pthread_mutex_lock(&j->mu);
    if (!dir_failed && j->names_synced < names)
        j->names_synced = names;
    s->is_syncing = false;
    s->synced = upto; /* also after a failure: nobody waits for what will not come */
    if (e) {
        /* The kernel has marked the pages clean: another sync of this file would succeed and prove nothing. */
        s->is_suspect = true;
        journal_fail(m, "sync");
    }
    pthread_cond_broadcast(&j->changed);
    return e;
}

/* The writer of a line is done with its segment. With mu held. */
static void leave_segment(struct money *m, struct segment *s, bool is_written)
{
    struct journal *j = &m->journal;
    if (is_written) {
        int64_t mine = ++s->written;
        while (m->config->journal_sync_request && s->synced < mine) {
            if (s->is_syncing)
                m->ops.clock.wait(m->ops.clock.self, &j->changed, &j->mu, WAIT_MS);
            else if (journal_sync_segment(m, s))
                break;
        }
    } else {
        s->is_suspect = true;
        s->rows--;
        j->unflushed_rows--;
        journal_fail(m, "write");
        if (s == j->active && j->spare_lines >= j->reserved)
            journal_seal(j);
    }
    if (!--s->outstanding && s->state == SEGMENT_SEALED)
        pthread_cond_signal(&j->wake);
}

/* Appends a line that charges the account, in another segment if the first cannot be written. ERR_IO: it stands nowhere, its cost counts as spent for good. */
static enum err append_line(struct money *m, struct lease_account *a, int64_t cost_nusd,
                            struct slice line)
{
    struct journal *j = &m->journal;
    uint64_t noted = 0;
    for (int attempt = 0; attempt < 2; attempt++) {
        int64_t now = money_mono_ms(m), at = 0;
        pthread_mutex_lock(&j->mu);
        if (!attempt)
            j->reserved--;
        /* The first was reserved; a second must not take the room of others. */
        struct segment *s =
            attempt && room_lines(j) <= j->reserved ? NULL : place_line(m, line.n, now, &at);
        pthread_mutex_unlock(&j->mu);
        assert(s || attempt);
        if (!s)
            break;
        /* Noted while the segment waits for us, so that no flush of it comes first. */
        if (attempt)
            lease_move_spent(a, noted, s->number, cost_nusd);
        else
            lease_note_spent(a, s->number, cost_nusd, true);
        enum err e = m->ops.disk.write(m->ops.disk.self, s->fd, line.p, line.n, at);
        noted = SEGMENT_STUCK;
        if (e)
            lease_move_spent(a, s->number, noted, cost_nusd);
        pthread_mutex_lock(&j->mu);
        leave_segment(m, s, !e);
        pthread_mutex_unlock(&j->mu);
        if (!e)
            return ERR_OK;
    }
    return ERR_IO;
}

/* ---- one request ---- */

static enum err reserve_line(struct money *m)
{
    struct journal *j = &m->journal;
    enum err e = ERR_OK;
    pthread_mutex_lock(&j->mu);
    while (!e) {
        if (j->is_failing || j->is_stopping) {
            e = ERR_UNAVAILABLE;
        } else if (room_lines(j) > j->reserved) {
            j->reserved++;
            break;
        } else {
            e = journal_add_segment(m);
        }
    }
    if (!e && j->spare_lines < j->reserved)
        pthread_cond_signal(&j->wake); /* the next ones shall not have to make it themselves */
    pthread_mutex_unlock(&j->mu);
    return e;
}

static void unreserve_line(struct money *m, enum err why)
{
    struct journal *j = &m->journal;
    pthread_mutex_lock(&j->mu);
    j->reserved--;
    if (why != ERR_BUSY)
        journal_fail(m, "slot");
    pthread_mutex_unlock(&j->mu);
}

static enum err fill_slot(struct money *m, struct lease_account *a, const struct usage_row *row,
                          int *index)
{
    char line[USAGE_ROW_LINE_MAX];
    int i = -1;
    enum err e = slots_take(m, a, &i);
    if (e)
        return e;
    e = slots_write(m, i, line, usage_row_encode(row, line));
    if (e) {
        /* A part of it may stand there, but hardly all: then it is one whose request never began. */
        int saved = errno;
        if (slots_wipe(m, i))
            log_error("journal_slot", "slot=%d error=%s", i, strerror(errno));
        errno = saved;
        (void)slots_release(m, i);
        return e;
    }
    *index = i;
    return ERR_OK;
}

enum err journal_admit(struct money *m, const struct usage_row *row, struct journal_slot *slot)
{
    slot->index = -1;
    if (!money_may_admit(m) || money_open(m))
        return ERR_UNAVAILABLE;
    struct lease_account *a = lease_account_get(m, row->account_id);
    if (!a)
        return ERR_UNAVAILABLE;
    enum err e = reserve_line(m);
    if (!e) {
        e = fill_slot(m, a, row, &slot->index);
        if (e)
            unreserve_line(m, e);
    }
    if (e)
        lease_account_put(a);
    return e ? ERR_UNAVAILABLE : ERR_OK;
}

void journal_note(struct money *m, struct journal_slot *slot, const struct usage_row *row)
{
    char line[USAGE_ROW_LINE_MAX];
    if (slots_write(m, slot->index, line, usage_row_encode(row, line)))
        log_warn("journal_note", "error=%s", strerror(errno));
}

void journal_close(struct money *m, struct journal_slot *slot, const struct usage_row *row)
{
    struct journal *j = &m->journal;
    char line[USAGE_ROW_LINE_MAX];
    size_t n = usage_row_encode(row, line);
    struct lease_account *a = slots_account(m, slot->index);
    enum err e = append_line(m, a, row->cost_nusd, (struct slice){line, n});
    if (e) {
        /* The slot keeps what it can for whoever adopts us: the whole row, else the last note. */
        bool is_noted = slots_write(m, slot->index, line, n) == ERR_OK;
        log_error("journal_close", "id=%s account=%lld cost_nusd=%lld noted=%d", row->request_id,
                  (long long)row->account_id, (long long)row->cost_nusd, is_noted);
    } else {
        if (slots_wipe(m, slot->index)) {
            pthread_mutex_lock(&j->mu);
            journal_fail(m, "slot");
            pthread_mutex_unlock(&j->mu);
        }
        (void)slots_release(m, slot->index);
        lease_account_put(a);
    }
    slot->index = -1;
}

/* ---- for people and probes ---- */

static bool is_unflushed(const struct segment *s)
{
    return s->state == SEGMENT_SEALED || s->state == SEGMENT_CLOSED ||
           (s->state == SEGMENT_ACTIVE && s->rows > 0);
}

void journal_stats(struct money *m, struct journal_stats *out)
{
    struct journal *j = &m->journal;
    int64_t now = money_mono_ms(m);
    struct journal_stats st = {
        .running = slots_used(m),
        .rejected_rows = atomic_load(&m->rejected_rows),
        .takes = atomic_load(&m->takes),
    };
    pthread_mutex_lock(&j->mu);
    for (const struct segment *s = j->first; s; s = s->next) {
        if (!is_unflushed(s))
            continue;
        st.unflushed_segments++;
        if (s->rows > 0 && now - s->first_ms > st.oldest_ms)
            st.oldest_ms = now - s->first_ms;
    }
    st.unflushed_rows = j->unflushed_rows;
    st.is_writable = !j->is_failing && !j->is_full;
    st.commits = j->commits;
    pthread_mutex_unlock(&j->mu);
    *out = st;
}

bool journal_is_clean(struct money *m)
{
    struct journal *j = &m->journal;
    pthread_mutex_lock(&j->mu);
    /* A line leaves `reserved` in the moment in which it makes its segment unflushed. */
    bool is_clean = !j->reserved;
    for (const struct segment *s = j->first; s && is_clean; s = s->next)
        is_clean = !is_unflushed(s);
    pthread_mutex_unlock(&j->mu);
    return is_clean && !slots_used(m);
}
