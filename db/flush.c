#include "db/flush.h"

#include "base/log.h"
#include "db/money_core.h"
#include "db/segment.h"

#include <assert.h>
#include <stdlib.h>

/* ---- what a segment costs each account ---- */

static int by_account(const void *x, const void *y)
{
    const struct flush_account *a = x, *b = y;
    return (a->account_id > b->account_id) - (a->account_id < b->account_id);
}

/* One entry per account, ascending; *out malloc'd (also when empty). */
static enum err sum_accounts(const struct usage_row *rows, size_t n, struct flush_account **out,
                             size_t *out_n)
{
    struct flush_account *all = calloc(n + 1, sizeof(*all));
    size_t used = 0;
    if (!all)
        return ERR_MEMORY;
    for (size_t i = 0; i < n; i++)
        all[i] = (struct flush_account){.account_id = rows[i].account_id,
                                        .cost_nusd = rows[i].cost_nusd};
    qsort(all, n, sizeof(*all), by_account);
    for (size_t i = 0; i < n; i++) {
        if (used && all[used - 1].account_id == all[i].account_id)
            all[used - 1].cost_nusd += all[i].cost_nusd;
        else
            all[used++] = all[i];
    }
    *out = all;
    *out_n = used;
    return ERR_OK;
}

static void read_floors(struct money *m, struct flush_account *accounts, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct lease_account *a = lease_account_find(m, accounts[i].account_id);
        if (!a)
            continue;
        pthread_mutex_lock(&a->mu);
        accounts[i].n_floor = a->n;
        pthread_mutex_unlock(&a->mu);
        lease_account_put(a);
    }
}

/* ---- memory follows ---- */

/* One account after the commit of a segment. row NULL: all of its rows were refused, the lease was not lowered; one that does not exist: nobody read it back. */
static void follow_account(struct lease_account *a, const struct lease_row *row, uint64_t segment,
                           uint64_t began)
{
    if (row && row->exists)
        lease_apply(a, row, began, true);
    int64_t cost_nusd = lease_drop_spent(a, segment);
    if (row && !row->exists)
        a->granted_nusd -= cost_nusd < a->granted_nusd ? cost_nusd : a->granted_nusd;
}

/* What the flush read back of an account; NULL: it was not part of it. */
static const struct lease_row *row_of(const struct usage_flush *f, int64_t account_id)
{
    struct flush_account key = {.account_id = account_id};
    const struct flush_account *found = NULL;
    if (f->accounts)
        found = bsearch(&key, f->accounts, f->accounts_n, sizeof(key), by_account);
    return found ? &found->row : NULL;
}

/* The accounts of all rows of the segment, also of refused ones, each referenced: one that is freed and made again meanwhile knows of nothing that is older, and would believe the read-back. */
struct followers {
    struct flush_account *sums;
    struct lease_account **accounts; /* NULL: not ours, or not in memory */
    size_t n;
};

static enum err followers_init(struct money *m, struct followers *all, const struct segment_rows *r,
                               bool is_own)
{
    enum err e = sum_accounts(r->rows, r->n, &all->sums, &all->n);
    if (e)
        return e;
    all->accounts = calloc(all->n + 1, sizeof(struct lease_account *));
    if (!all->accounts)
        return ERR_MEMORY;
    for (size_t i = 0; is_own && i < all->n; i++)
        all->accounts[i] = lease_account_find(m, all->sums[i].account_id);
    return ERR_OK;
}

static void followers_clear(struct followers *all)
{
    for (size_t i = 0; all->accounts && i < all->n; i++) {
        if (all->accounts[i])
            lease_account_put(all->accounts[i]);
    }
    free(all->accounts);
    free(all->sums);
}

/* is_new: this flush committed it; else an earlier one did, whose answer did not come. */
static void follow(struct money *m, const struct usage_flush *f, bool is_new,
                   const struct followers *all, uint64_t began)
{
    static const struct lease_row unread;
    for (size_t i = 0; i < all->n; i++) {
        struct lease_account *a = all->accounts[i];
        if (!a)
            continue;
        const struct lease_row *row = is_new ? row_of(f, a->id) : &unread;
        pthread_mutex_lock(&a->mu);
        follow_account(a, row, f->segment, began);
        a->applied_seq = lease_seq(m);
        pthread_mutex_unlock(&a->mu);
    }
}

/* ---- what is refused ---- */

static enum err reject(struct money *m, const char *process, struct slice lines)
{
    int64_t added = 0;
    if (!lines.n)
        return ERR_OK;
    enum err e = spool_reject(&m->ops, m->config->spool_dir, lines, &added);
    if (e)
        return e;
    if (added)
        log_error("journal_rejected", "process=%s rows=%lld", process, (long long)added);
    atomic_fetch_add(&m->rejected_rows, added);
    return ERR_OK;
}

/* Moves the refused rows to spool/rejected and out of r. */
static enum err drop_refused(struct money *m, const char *process, struct segment_rows *r,
                             const bool *refused)
{
    char line[USAGE_ROW_LINE_MAX];
    struct buf lines;
    size_t kept = 0;
    enum err e = ERR_OK;
    buf_init(&lines, SEGMENT_FILE_MAX);
    for (size_t i = 0; !e && i < r->n; i++) {
        if (refused[i])
            e = buf_append(&lines, line, usage_row_encode(&r->rows[i], line));
    }
    if (!e && !lines.n)
        e = ERR_DB; /* together they are refused, one by one they are not */
    if (!e)
        e = reject(m, process, buf_slice(&lines));
    buf_clear(&lines);
    if (e)
        return e;
    for (size_t i = 0; i < r->n; i++) {
        if (!refused[i])
            r->rows[kept++] = r->rows[i];
    }
    r->n = kept;
    return ERR_OK;
}

static enum err sort_out(struct money *m, struct usage_flush *f, struct segment_rows *r)
{
    bool *refused = calloc(r->n + 1, sizeof(*refused));
    if (!refused)
        return ERR_MEMORY;
    enum err e = m->ops.db.probe(m->ops.db.self, f, refused);
    if (!e)
        e = drop_refused(m, f->process, r, refused);
    free(refused);
    return e;
}

/* ---- the flush ---- */

static enum err flush_rows(struct money *m, struct flush_source *src, struct segment_rows *r)
{
    struct usage_flush f = {
        .process = src->process, .segment = src->number, .previous = src->previous};
    struct followers all = {0};
    enum err e = followers_init(m, &all, r, src->is_own);
    uint64_t began = 0;
    /* The second round is without the refused rows. */
    for (int round = 0; !e && round < 2; round++) {
        f.rows = r->rows;
        f.rows_n = r->n;
        e = sum_accounts(r->rows, r->n, &f.accounts, &f.accounts_n);
        if (e)
            break;
        if (src->is_own)
            read_floors(m, f.accounts, f.accounts_n);
        began = lease_seq(m);
        e = m->ops.db.flush(m->ops.db.self, &f);
        if (e != ERR_FORMAT || round)
            break;
        e = sort_out(m, &f, r);
        free(f.accounts);
        f.accounts = NULL;
    }
    if (src->is_own && (e == ERR_OK || e == ERR_END))
        follow(m, &f, e == ERR_OK, &all, began);
    src->position = f.position;
    free(f.accounts);
    followers_clear(&all);
    return e == ERR_FORMAT ? ERR_DB : e;
}

static enum err load(struct money *m, const struct flush_source *src, struct segment_rows *r)
{
    char path[SPOOL_PATH_MAX];
    segment_path(path, src->dir, src->number);
    enum err e = segment_read(&m->ops, path, r);
    if (e == ERR_END) {
        /* Somebody removed it; the ones behind it must not wait for ever. */
        log_error("journal_missing", "path=%s", path);
        return ERR_OK;
    }
    if (!e && r->torn)
        log_warn("journal_torn", "path=%s pieces=%d", path, r->torn);
    return e;
}

enum err flush_segment(struct money *m, struct flush_source *src)
{
    struct segment_rows r;
    segment_rows_init(&r);
    enum err e = load(m, src, &r);
    if (!e)
        e = reject(m, src->process, buf_slice(&r.bad));
    if (!e)
        e = flush_rows(m, src, &r);
    segment_rows_clear(&r);
    return e;
}

enum err flush_note_again(struct money *m, uint64_t number)
{
    struct flush_source src = {.process = m->id, .dir = m->spool.dir, .number = number};
    struct segment_rows r;
    segment_rows_init(&r);
    enum err e = load(m, &src, &r);
    for (size_t i = 0; !e && i < r.n; i++) {
        struct lease_account *a = lease_account_get(m, r.rows[i].account_id);
        if (!a) {
            e = ERR_MEMORY;
            break;
        }
        lease_note_spent(a, number, r.rows[i].cost_nusd, false);
        lease_account_put(a);
    }
    segment_rows_clear(&r);
    return e;
}
