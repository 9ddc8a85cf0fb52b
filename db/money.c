#include "db/money.h"

#include "base/log.h"
#include "db/adopt.h"
#include "db/money_core.h"
#include "db/slots.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define SEEN_EVERY_MS    5000
#define WANTED_EVERY_MS  1000
#define ADOPT_EVERY_MS   5000
#define ABANDON_EVERY_MS 60000
#define RETIRE_AFTER_MS                                                                            \
    30000 /* a process in which nothing happens takes its row back, so that it need not write seen_at */
#define ADOPT_MAX    16 /* directories in one pass: seen_at must go on */
#define STOP_WAIT_MS 20 /* between tries while stopping */

/* ---- making ---- */

void money_cond_init(pthread_cond_t *cond)
{
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(cond, &attr);
    pthread_condattr_destroy(&attr);
}

struct money *money_new_with(const struct money_ops *ops, const struct config *config, int slots)
{
    assert(slots > 0);
    struct money *m = calloc(1, sizeof(*m));
    if (!m)
        return NULL;
    m->ops = *ops;
    m->config = config;
    m->slots_max = slots;
    m->spool.lock_fd = -1;
    m->rejected_bytes = -1;
    m->ops.clock.make_id(m->ops.clock.self, m->id);
    m->ops.clock.host(m->ops.clock.self, m->host, m->host_id);
    pthread_mutex_init(&m->mu, NULL);
    money_cond_init(&m->changed);
    lease_table_init(m);
    journal_init(m);
    slots_init(m);
    if (!m->slots.free || !m->slots.accounts) {
        money_free(m);
        return NULL;
    }
    return m;
}

struct money *money_new(struct db *db, const struct config *config, int slots)
{
    struct money_ops ops = money_ops_real(db);
    return money_new_with(&ops, config, slots);
}

void money_free(struct money *m)
{
    if (!m)
        return;
    journal_join(m);
    journal_clear(m);
    slots_clear(m);
    lease_table_clear(m);
    spool_unlock(&m->ops, &m->spool);
    pthread_mutex_destroy(&m->mu);
    pthread_cond_destroy(&m->changed);
    free(m);
}

const char *money_process_id(const struct money *m)
{
    return m->id;
}

enum err money_start(struct money *m)
{
    return journal_start(m);
}

/* ---- the spool directory ---- */

enum err money_installation(struct money *m, char id[INSTALLATION_ID_SIZE])
{
    char read[INSTALLATION_ID_SIZE] = "";
    pthread_mutex_lock(&m->mu);
    memcpy(read, m->installation, sizeof(read));
    pthread_mutex_unlock(&m->mu);
    if (!*read) {
        if (m->ops.db.installation(m->ops.db.self, read) || !*read)
            return ERR_UNAVAILABLE;
        pthread_mutex_lock(&m->mu);
        memcpy(m->installation, read, sizeof(read));
        pthread_mutex_unlock(&m->mu);
    }
    memcpy(id, read, sizeof(read));
    return ERR_OK;
}

static enum err open_spool(struct money *m)
{
    struct spool_owner owner = {0};
    memcpy(owner.host_id, m->host_id, sizeof(owner.host_id));
    memcpy(owner.process, m->id, sizeof(owner.process));
    enum err e = money_installation(m, owner.installation);
    if (e)
        return e;
    if (!m->spool.is_ready)
        e = spool_make(&m->ops, m->config->spool_dir, &owner, &m->spool);
    if (!e)
        e = slots_open(m);
    if (e) {
        log_error("money_open", "path=%s error=%s", m->config->spool_dir, err_name(e));
        return ERR_IO;
    }
    pthread_mutex_lock(&m->journal.mu);
    m->journal.names++;
    pthread_mutex_unlock(&m->journal.mu);
    return ERR_OK;
}

enum err money_open(struct money *m)
{
    if (atomic_load(&m->is_open))
        return ERR_OK;
    pthread_mutex_lock(&m->mu);
    while (m->is_opening)
        m->ops.clock.wait(m->ops.clock.self, &m->changed, &m->mu, SEEN_EVERY_MS);
    bool is_mine = !atomic_load(&m->is_open);
    m->is_opening = is_mine;
    pthread_mutex_unlock(&m->mu);
    if (!is_mine)
        return ERR_OK;
    enum err e = open_spool(m);
    pthread_mutex_lock(&m->mu);
    m->is_opening = false;
    atomic_store(&m->is_open, e == ERR_OK);
    pthread_cond_broadcast(&m->changed);
    pthread_mutex_unlock(&m->mu);
    return e;
}

/* ---- our row in processes ---- */

/* Somebody on whose machine our lock does not count may have adopted us while we had no row. */
static bool has_directory(struct money *m)
{
    char path[SPOOL_PATH_MAX];
    return !spool_path(path, m->spool.dir, SPOOL_LOCK) &&
           m->ops.disk.is_same(m->ops.disk.self, m->spool.lock_fd, path);
}

/* is_maybe: an earlier try has had no answer, and what is told now does not undo it. */
static enum err insert_row(struct money *m, bool is_maybe)
{
    enum err e = m->ops.db.begin(m->ops.db.self, m->id, m->host);
    if (!e && !has_directory(m)) {
        money_expel(m);
        e = ERR_UNAVAILABLE;
    }
    if (!e) {
        atomic_store(&m->seen_ms, money_mono_ms(m));
        pthread_mutex_lock(&m->journal.mu);
        if (!atomic_load(&m->journal.flushed)) /* nothing of ours is older */
            m->journal.generation = m->ops.db.generation(m->ops.db.self);
        pthread_mutex_unlock(&m->journal.mu);
    }
    pthread_mutex_lock(&m->mu);
    is_maybe = is_maybe || e == ERR_DB_UNKNOWN || e == ERR_UNAVAILABLE;
    m->row = !e ? ROW_THERE : is_maybe ? ROW_MAYBE : ROW_NONE;
    m->row_users += !e;
    pthread_cond_broadcast(&m->changed);
    pthread_mutex_unlock(&m->mu);
    return e ? ERR_UNAVAILABLE : ERR_OK;
}

enum err money_row_begin(struct money *m)
{
    if (money_open(m))
        return ERR_UNAVAILABLE;
    pthread_mutex_lock(&m->mu);
    while (m->row == ROW_CHANGING)
        m->ops.clock.wait(m->ops.clock.self, &m->changed, &m->mu, SEEN_EVERY_MS);
    bool is_there = m->row == ROW_THERE, is_over = !is_there && atomic_load(&m->is_stopped);
    bool is_maybe = m->row == ROW_MAYBE;
    if (is_there)
        m->row_users++;
    else if (!is_over)
        m->row = ROW_CHANGING;
    pthread_mutex_unlock(&m->mu);
    if (is_over)
        return ERR_UNAVAILABLE; /* row and directory are gone, or about to go */
    return is_there ? ERR_OK : insert_row(m, is_maybe);
}

void money_row_done(struct money *m)
{
    pthread_mutex_lock(&m->mu);
    m->row_users--;
    assert(m->row_users >= 0);
    pthread_mutex_unlock(&m->mu);
}

void money_expel(struct money *m)
{
    if (!atomic_exchange(&m->is_expelled, true))
        log_error("money_expelled",
                  "process=%s problem=\"its row or its spool directory was removed; restart it\"",
                  m->id);
}

bool money_may_admit(const struct money *m)
{
    if (atomic_load(&m->is_expelled) || atomic_load(&m->is_stopped))
        return false;
    int64_t seen_ms = atomic_load(&m->seen_ms);
    return !seen_ms || money_mono_ms(m) - seen_ms < m->config->abandon_after_s * 1000 / 2;
}

/* Deletes our row, and what is left of our leases with it. must_be_empty: not when anything is leased. ERR_BUSY: not now. */
static enum err delete_row(struct money *m, bool must_be_empty)
{
    pthread_mutex_lock(&m->mu);
    enum row_state before = m->row;
    bool is_mine = (before == ROW_THERE || before == ROW_MAYBE) && !m->row_users;
    if (is_mine)
        m->row = ROW_CHANGING; /* no take begins now */
    pthread_mutex_unlock(&m->mu);
    if (!is_mine)
        return ERR_BUSY;
    enum err e = must_be_empty && lease_count_alive(m) ? ERR_BUSY
                                                       : m->ops.db.end(m->ops.db.self, m->id);
    pthread_mutex_lock(&m->mu);
    m->row = !e ? ROW_NONE : e == ERR_DB_UNKNOWN ? ROW_MAYBE : before;
    if (m->row != ROW_THERE)
        atomic_store(&m->seen_ms, 0);
    pthread_cond_broadcast(&m->changed);
    pthread_mutex_unlock(&m->mu);
    return e;
}

static bool has_row(struct money *m)
{
    pthread_mutex_lock(&m->mu);
    bool is_there = m->row == ROW_THERE;
    pthread_mutex_unlock(&m->mu);
    return is_there;
}

/* ---- upkeep ---- */

static bool is_due(int64_t now_ms, int64_t *next_ms, int64_t every_ms)
{
    if (now_ms < *next_ms)
        return false;
    *next_ms = now_ms + every_ms;
    return true;
}

static void write_seen(struct money *m)
{
    enum err e = m->ops.db.seen(m->ops.db.self, m->id);
    if (e == ERR_END && has_row(m))
        money_expel(m);
    else if (!e)
        atomic_store(&m->seen_ms, money_mono_ms(m));
}

/* Nothing is leased, held or unflushed: after a while the row goes. */
static void retire(struct money *m, int64_t now_ms)
{
    if (!m->quiet_since_ms)
        m->quiet_since_ms = now_ms;
    if (now_ms - m->quiet_since_ms < RETIRE_AFTER_MS)
        return;
    enum err e = delete_row(m, true);
    if (e && e != ERR_BUSY)
        log_warn("money_retire", "error=%s", err_name(e));
}

static void upkeep_all(struct money *m, int64_t now)
{
    int64_t rows = 0;
    pthread_mutex_lock(&m->journal.mu);
    bool has_thread = m->journal.has_thread;
    pthread_mutex_unlock(&m->journal.mu);
    if (is_due(now, &m->next_adopt_ms, ADOPT_EVERY_MS)) {
        (void)adopt_dead(m, has_thread ? ADOPT_MAX : 1);
        if (!spool_count_rejected(&m->ops, m->config->spool_dir, &m->rejected_bytes, &rows) &&
            m->rejected_bytes >= 0)
            atomic_store(&m->rejected_rows, rows);
    }
    /* Processes of one request leave this to those that stay. */
    if (has_thread && is_due(now, &m->next_abandon_ms, ABANDON_EVERY_MS)) {
        int removed = 0;
        if (m->ops.db.abandon(m->ops.db.self, m->config->abandon_after_s, &removed) == ERR_OK &&
            removed)
            log_warn("money_abandoned", "processes=%d", removed);
    }
}

static void upkeep_own(struct money *m, int64_t now)
{
    bool is_there = has_row(m);
    if (is_there && is_due(now, &m->next_seen_ms, SEEN_EVERY_MS))
        write_seen(m);
    if (is_due(now, &m->next_wanted_ms, WANTED_EVERY_MS)) {
        if (is_there && atomic_load(&m->accounts_n))
            lease_give_wanted(m);
        lease_give_idle(m);
    }
    journal_wake(m); /* connections may have been lost */
    m->alive_n = lease_count_alive(m);
    if (m->alive_n || !journal_is_clean(m))
        m->quiet_since_ms = 0;
    else if (is_there)
        retire(m, now);
}

bool money_upkeep(struct money *m)
{
    int64_t now = money_mono_ms(m);
    if (!atomic_load(&m->is_stopped))
        upkeep_own(m, now);
    upkeep_all(m, now);
    return m->alive_n || has_row(m) || !journal_is_clean(m);
}

/* ---- the end ---- */

/* Flushes until all is in the database or the time is over. */
static bool flush_all(struct money *m, int64_t deadline_ms)
{
    for (;;) {
        journal_hurry(m);
        while (journal_step(m))
            continue;
        struct journal_stats st;
        journal_stats(m, &st);
        if (!st.unflushed_segments)
            return true;
        if (money_mono_ms(m) >= deadline_ms)
            return false;
        pthread_mutex_lock(&m->mu);
        m->ops.clock.wait(m->ops.clock.self, &m->changed, &m->mu, STOP_WAIT_MS);
        pthread_mutex_unlock(&m->mu);
    }
}

/* Without a row nothing has asked the database for a while: would we know that it lost commits? */
static enum err check_flushed(struct money *m)
{
    uint64_t position = 0, flushed = atomic_load(&m->journal.flushed);
    enum err e = flushed ? m->ops.db.position(m->ops.db.self, m->id, &position) : ERR_OK;
    return !e && position < flushed ? ERR_DB_RETRY : e;
}

/* Leases back, row and directory gone. What fails is left for adoption. */
static void leave(struct money *m)
{
    pthread_mutex_lock(&m->mu);
    bool is_none = m->row == ROW_NONE;
    pthread_mutex_unlock(&m->mu);
    enum err e = is_none ? check_flushed(m) : delete_row(m, false);
    if (e) {
        log_warn("money_stop", "process=%s error=%s left=\"for adoption\"", m->id, err_name(e));
        return;
    }
    /* Commits may be lost: whoever adopts us repeats them. */
    if (m->ops.db.generation(m->ops.db.self) != m->journal.generation) {
        log_warn("money_stop",
                 "process=%s problem=\"the database was lost meanwhile\" left=\"for adoption\"",
                 m->id);
        return;
    }
    e = spool_retire(&m->ops, m->config->spool_dir, m->id, &m->spool);
    if (!e)
        e = m->ops.db.forget(m->ops.db.self, m->id);
    if (!e)
        e = spool_remove(&m->ops, &m->spool);
    if (e)
        log_info("money_forget", "process=%s error=%s left=\"for others\"", m->id, err_name(e));
}

void money_stop(struct money *m, int64_t timeout_ms)
{
    int64_t deadline_ms = money_mono_ms(m) + timeout_ms;
    if (atomic_exchange(&m->is_stopped, true))
        return;
    journal_join(m);
    if (!atomic_load(&m->is_open))
        return;
    bool is_flushed = flush_all(m, deadline_ms);
    if (is_flushed && journal_is_clean(m))
        leave(m);
    else
        log_warn("money_stop", "process=%s running=%d flushed=%d left=\"for adoption\"", m->id,
                 slots_used(m), is_flushed);
}
