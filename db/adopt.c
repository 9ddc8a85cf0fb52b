#include "db/adopt.h"

#include "base/fault.h"
#include "base/log.h"
#include "db/flush.h"
#include "db/money_core.h"
#include "db/segment.h"
#include "db/slots.h"

#include <stdlib.h>
#include <string.h>

#define FOREIGN_STALE_MS                                                                           \
    60000 /* another host's process is looked at when it was not seen for so long */
#define GAP_TRIES 2

/* ---- what lies in the spool ---- */

struct names {
    char (*p)[SPOOL_NAME_MAX];
    size_t n, cap;
};

static void names_add(void *arg, const char *name)
{
    struct names *all = arg;
    size_t n = strlen(name);
    if (n >= SPOOL_NAME_MAX)
        return;
    if (all->n == all->cap) {
        size_t cap = all->cap ? 2 * all->cap : 16;
        void *p = realloc(all->p, cap * sizeof(*all->p));
        if (!p)
            return; /* the next pass finds it */
        all->p = p;
        all->cap = cap;
    }
    memcpy(all->p[all->n++], name, n + 1);
}

struct numbers {
    uint64_t *p;
    size_t n, cap;
};

static void numbers_add(void *arg, const char *name)
{
    struct numbers *all = arg;
    uint64_t number = segment_number(name);
    if (!number)
        return;
    if (all->n == all->cap) {
        size_t cap = all->cap ? 2 * all->cap : 16;
        uint64_t *p = realloc(all->p, cap * sizeof(*p));
        if (!p) {
            all->cap = SIZE_MAX; /* seen by the caller: nothing may be left out */
            return;
        }
        all->p = p;
        all->cap = cap;
    }
    all->p[all->n++] = number;
}

static int by_number(const void *x, const void *y)
{
    const uint64_t *a = x, *b = y;
    return (*a > *b) - (*a < *b);
}

/* The segments of a directory, ascending. ERR_END: it is gone. */
static enum err list_segments(struct money *m, const char *dir, struct numbers *out)
{
    enum err e = m->ops.disk.list(m->ops.disk.self, dir, numbers_add, out);
    if (!e && out->cap == SIZE_MAX)
        e = ERR_MEMORY;
    if (!e && out->n)
        qsort(out->p, out->n, sizeof(*out->p), by_number);
    return e;
}

/* ---- segments ---- */

/* Rows or damaged lines stand in it; a spare has neither. */
static enum err has_content(struct money *m, const char *dir, uint64_t number, bool *out)
{
    char path[SPOOL_PATH_MAX];
    struct segment_rows r;
    segment_rows_init(&r);
    segment_path(path, dir, number);
    enum err e = segment_read(&m->ops, path, &r);
    if (!e)
        *out = r.n || r.bad.n;
    segment_rows_clear(&r);
    return e;
}

/* How many of the first n segments are more than spares. */
static enum err skip_spares(struct money *m, const char *dir, const struct numbers *all, size_t *n)
{
    size_t used = all->n;
    bool has = false;
    while (used) {
        enum err e = has_content(m, dir, all->p[used - 1], &has);
        if (e)
            return e;
        if (has)
            break;
        used--;
    }
    *n = used;
    return ERR_OK;
}

/* previous: the position from which it goes on; last: the position as we know it. */
static enum err replay_one(struct money *m, const char *id, const char *dir, uint64_t number,
                           uint64_t previous, uint64_t last)
{
    struct flush_source src = {.process = id, .dir = dir, .number = number, .previous = previous};
    enum err e = ERR_RANGE;
    /* All before it that is left was flushed already: a gap stays a gap. */
    for (int i = 0; i < GAP_TRIES && e == ERR_RANGE; i++) {
        if (i && src.position < last)
            return ERR_DB_RETRY; /* the database has lost what we flushed: all of it again, in the next pass */
        if (i) {
            log_error("journal_gap", "process=%s position=%llu segment=%llu", id,
                      (unsigned long long)src.position, (unsigned long long)number);
            src.previous = src.position;
        }
        e = flush_segment(m, &src);
    }
    return e == ERR_END ? ERR_OK : e;
}

/* Flushes what is above the position. *last: the number that the next segment would follow; *top: the highest that may be taken, also by an empty one whose COMMIT has no answer yet. */
static enum err replay(struct money *m, const char *id, const char *dir, uint64_t *last,
                       uint64_t *top)
{
    struct numbers all = {0};
    uint64_t position = 0;
    size_t n = 0;
    enum err e = m->ops.db.position(m->ops.db.self, id, &position);
    if (!e)
        e = list_segments(m, dir, &all);
    if (!e)
        e = skip_spares(m, dir, &all, &n);
    *last = position;
    for (size_t i = 0; !e && i < n; i++) {
        if (all.p[i] <= position)
            continue;
        e = replay_one(m, id, dir, all.p[i], all.p[i] - 1, *last);
        *last = all.p[i];
    }
    *top = all.n && all.p[all.n - 1] > *last ? all.p[all.n - 1] : *last;
    free(all.p);
    return e;
}

/* ---- slots ---- */

/* Leaves in r the rows whose requests are not in the database. */
static enum err drop_known(struct money *m, struct segment_rows *r)
{
    const char **ids = calloc(r->n + 1, sizeof(*ids));
    bool *known = calloc(r->n + 1, sizeof(*known));
    enum err e = ids && known ? ERR_OK : ERR_MEMORY;
    for (size_t i = 0; !e && i < r->n; i++)
        ids[i] = r->rows[i].request_id;
    if (!e && r->n)
        e = m->ops.db.known(m->ops.db.self, ids, r->n, known);
    size_t kept = 0;
    for (size_t i = 0; !e && i < r->n; i++) {
        if (!known[i])
            r->rows[kept++] = r->rows[i];
    }
    if (!e)
        r->n = kept;
    free(ids);
    free(known);
    return e;
}

/* A database that has lost commits meanwhile gets them again in the next pass. */
static enum err check_position(struct money *m, const char *id, uint64_t last)
{
    uint64_t position = 0;
    enum err e = m->ops.db.position(m->ops.db.self, id, &position);
    return !e && position < last ? ERR_DB_RETRY : e;
}

/* What was running becomes one more segment, and that is flushed like any other: whoever finds it after a crash of ours flushes it, and finds no slot without a row. */
static enum err close_slots(struct money *m, const char *id, const char *dir, uint64_t top,
                            uint64_t *last)
{
    char path[SPOOL_PATH_MAX];
    struct segment_rows r;
    int64_t added = 0;
    segment_rows_init(&r);
    enum err e = spool_path(path, dir, SLOTS_FILE);
    if (!e)
        e = slots_read(&m->ops, path, &r);
    if (e == ERR_END)
        e = ERR_OK; /* it died before it had any */
    if (!e && r.bad.n)
        e = spool_reject(&m->ops, m->config->spool_dir, buf_slice(&r.bad), &added);
    atomic_fetch_add(&m->rejected_rows, added);
    if (!e)
        e = drop_known(m, &r);
    if (!e && r.n)
        e = check_position(
            m, id,
            *last); /* of requests whose rows were lost meanwhile, the close lines come again */
    for (size_t i = 0; !e && i < r.n; i++) {
        if (r.rows[i].status == USAGE_INTERRUPTED)
            r.rows[i].http_status = 0;
    }
    if (!e && r.n) {
        e = segment_write(&m->ops, dir, top + 1, r.rows, r.n);
        if (!e)
            e = replay_one(m, id, dir, top + 1, *last, *last);
        *last = top + 1;
        if (!e)
            log_warn("adopt_interrupted", "process=%s requests=%zu", id, r.n);
    }
    segment_rows_clear(&r);
    return e;
}

/* ---- one process ---- */

static enum err adopt_locked(struct money *m, const char *id, struct spool *s)
{
    uint64_t last = 0, top = 0, generation = m->ops.db.generation(m->ops.db.self);
    FAULT("k11"); /* before, between and after the steps */
    enum err e = replay(m, id, s->dir, &last, &top);
    FAULT("k11");
    if (!e)
        e = close_slots(m, id, s->dir, top, &last);
    FAULT("k11");
    if (!e)
        e = check_position(m, id, last);
    if (!e)
        e = m->ops.db.end(m->ops.db.self, id);
    FAULT("k11");
    if (!e && m->ops.db.generation(m->ops.db.self) != generation)
        e = ERR_DB_RETRY;
    if (!e)
        e = spool_retire(&m->ops, m->config->spool_dir, id, s);
    FAULT("k11");
    /* While the directory is there, somebody comes back to forget the position. */
    if (!e)
        e = m->ops.db.forget(m->ops.db.self, id);
    FAULT("k11");
    if (!e)
        e = spool_remove(&m->ops, s);
    return e;
}

/* Another host's: only when it was not seen for a while, since a lock may not reach over a shared disk. */
static bool is_ours_to_look_at(struct money *m, const char *dir, const char *installation)
{
    struct spool_owner owner;
    int64_t age_ms = 0;
    if (spool_read_owner(&m->ops, dir, &owner) || strcmp(owner.installation, installation) != 0)
        return false;
    if (strcmp(owner.host_id, m->host_id) == 0)
        return true;
    enum err e = m->ops.db.age(m->ops.db.self, owner.process, &age_ms);
    if (e == ERR_END) {
        /* It never leased, or its row was deleted. One that begins just now has no row either. */
        age_ms = m->ops.clock.wall_ms(m->ops.clock.self) - ulid_wall_ms(owner.process);
        e = ERR_OK;
    }
    return !e && age_ms >= FOREIGN_STALE_MS;
}

/* What a dead process has begun to remove, or to make. */
static void sweep(struct money *m, const char *name)
{
    const struct money_disk_ops *d = &m->ops.disk;
    bool is_done = strncmp(name, SPOOL_DONE, strlen(SPOOL_DONE)) == 0;
    /* Whoever gave it this name may have died before that was durable: a power cut would bring the journal back, and its position would be gone. */
    if (is_done && d->sync_dir(d->self, m->config->spool_dir))
        return;
    if (!is_done || m->ops.db.forget(m->ops.db.self, name + strlen(SPOOL_DONE)) == ERR_OK)
        spool_sweep(&m->ops, m->config->spool_dir, name);
}

/* Returns whether there was something to adopt. */
static bool adopt_one(struct money *m, const char *id, const char *installation)
{
    char dir[SPOOL_PATH_MAX];
    struct spool s;
    if (ulid_wall_ms(id) < 0 || strcmp(id, m->id) == 0 ||
        spool_path(dir, m->config->spool_dir, id) || !is_ours_to_look_at(m, dir, installation) ||
        spool_lock(&m->ops, m->config->spool_dir, id, &s))
        return false;
    enum err e = adopt_locked(m, id, &s);
    if (e)
        log_warn("adopt", "process=%s error=%s", id, err_name(e));
    else
        log_info("adopt", "process=%s", id);
    spool_unlock(&m->ops, &s);
    return true;
}

int adopt_dead(struct money *m, int max)
{
    struct names all = {0};
    char installation[INSTALLATION_ID_SIZE];
    int n = 0;
    if (money_installation(m, installation) ||
        m->ops.disk.list(m->ops.disk.self, m->config->spool_dir, names_add, &all)) {
        free(all.p);
        return 0;
    }
    for (size_t i = 0; i < all.n && n < max; i++) {
        if (all.p[i][0] == '.')
            sweep(m, all.p[i]);
        else
            n += adopt_one(m, all.p[i], installation);
    }
    free(all.p);
    return n;
}
