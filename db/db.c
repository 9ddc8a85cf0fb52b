#include "db/db.h"

#include "base/clock.h"
#include "base/hash.h"
#include "base/log.h"
#include "db/db_impl.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Others wait this long for the first probe of an outage: most losses are one connection only. */
#define PROBE_PATIENCE_MS 50
#define PROBE_EVERY_MS    250
#define GROW_PAUSE_MS     1000 /* after "too many connections" */
#define RETRIES_MAX       5
#define JITTER_MIN_MS     5
#define JITTER_MAX_MS     80
#define CONNECT_TEXT_SIZE 256

static pthread_once_t library_once = PTHREAD_ONCE_INIT;
static pthread_key_t thread_key;

static void thread_end(void *unused)
{
    (void)unused;
    mysql_thread_end();
}

static void library_begin(void)
{
    int failed = mysql_library_init(0, NULL, NULL);
    assert(!failed);
    failed = pthread_key_create(&thread_key, thread_end);
    assert(!failed);
}

/* The library keeps memory per thread: a thread that used it must say when it ends. */
static void thread_begin(void)
{
    if (!pthread_getspecific(thread_key))
        (void)pthread_setspecific(thread_key, &thread_key);
}

/* "name", "name:port", "[::1]:port" or "/path/of/socket". False: no memory, or no port. */
static bool host_parse(struct slice s, struct db_host *out)
{
    struct db_host h = {0};
    if (s.p[0] == '/') {
        h.name = strdup("localhost");
        h.socket = strndup(s.p, s.n);
        *out = h;
        return h.name && h.socket;
    }
    struct slice name, port = {0};
    if (s.p[0] == '[') {
        const char *end = memchr(s.p, ']', s.n);
        if (!end)
            return false;
        name = (struct slice){s.p + 1, (size_t)(end - s.p) - 1};
        port = (struct slice){end + 1, s.n - name.n - 2};
        if (port.n)
            port = (struct slice){port.p + 1, port.n - 1};
    } else {
        port = s;
        name = slice_split(&port, ':');
    }
    int64_t number = 0;
    if (port.p && port.n && (slice_to_i64(port, &number) || number < 1 || number > 65535))
        return false;
    h.port = (unsigned)number;
    h.name = strndup(name.p, name.n);
    *out = h;
    return h.name;
}

static bool hosts_parse(struct db *db)
{
    struct slice rest = slice_of(db->config->db_hosts);
    while (rest.p && rest.n) {
        struct slice one = slice_trim(slice_split(&rest, ','));
        if (!one.n)
            continue;
        if (db->hosts_n == DB_HOSTS_MAX || !host_parse(one, &db->hosts[db->hosts_n])) {
            log_error("db_hosts", "problem=\"not understood\" value=%.*s", SLICE_FMT(one));
            continue;
        }
        db->hosts_n++;
    }
    if (!db->hosts_n)
        db->hosts_n = 1; /* all NULL: as the option file says */
    return true;
}

struct db *db_new(const struct config *config)
{
    if (pthread_once(&library_once, library_begin))
        return NULL;
    struct db *db = calloc(1, sizeof(*db));
    if (!db)
        return NULL;
    db->config = config;
    db->read_timeout_ms = config->db_timeout_ms;
    db->epoch = 1;
    if (!hosts_parse(db)) {
        free(db);
        return NULL;
    }
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&db->changed, &attr);
    pthread_condattr_destroy(&attr);
    pthread_mutex_init(&db->lock, NULL);
    return db;
}

void db_set_read_timeout(struct db *db, int64_t ms)
{
    assert(!db->open_n);
    db->read_timeout_ms = ms;
}

static void close_list(struct db_conn *list)
{
    while (list) {
        struct db_conn *next = list->next_idle;
        conn_close(list);
        list = next;
    }
}

void db_free(struct db *db)
{
    if (!db)
        return;
    close_list(db->idle);
    for (size_t i = 0; i < db->hosts_n; i++) {
        free(db->hosts[i].name);
        free(db->hosts[i].socket);
    }
    pthread_mutex_destroy(&db->lock);
    pthread_cond_destroy(&db->changed);
    free(db);
}

bool db_is_down(const struct db *db)
{
    return atomic_load_explicit(&db->is_down, memory_order_relaxed);
}

uint64_t db_generation(const struct db *db)
{
    return atomic_load(&db->generation);
}

/* ---- under db->lock ---- */

/* Moves the idle connections that are older than the epoch or idle for too long to *stale; the
 * caller closes them without the lock. */
static void pick_stale(struct db *db, int64_t now, struct db_conn **stale)
{
    for (struct db_conn **at = &db->idle; *at;) {
        struct db_conn *c = *at;
        if (c->epoch == db->epoch && now - c->idle_since_ms < db->config->db_idle_ms) {
            at = &c->next_idle;
            continue;
        }
        *at = c->next_idle;
        c->next_idle = *stale;
        *stale = c;
        db->open_n--;
    }
}

static void wait_until(struct db *db, int64_t mono_ms)
{
    struct timespec until = {.tv_sec = mono_ms / 1000, .tv_nsec = (mono_ms % 1000) * 1000000};
    pthread_cond_timedwait(&db->changed, &db->lock, &until);
}

/* What was opened before is not trusted any more. */
static void begin_epoch(struct db *db)
{
    db->epoch++;
    pthread_cond_broadcast(&db->changed);
}

static void begin_outage(struct db *db)
{
    if (!db_is_down(db)) {
        atomic_store(&db->is_down, true);
        db->probes_failed = 0;
        db->probe_ms = 0;
    }
    begin_epoch(db);
}

/* ---- connecting ---- */

static bool is_full_errno(unsigned no)
{
    return no == 1040 || no == 1203 ||
           no == 1226; /* too many connections: of all, of this user, by quota */
}

/* Tries each host once, beginning with host_at. Called without the lock; the caller has counted
 * the connection in open_n. */
static struct db_conn *connect_any(struct db *db, unsigned *no)
{
    pthread_mutex_lock(&db->lock);
    size_t first = db->host_at;
    uint64_t epoch = db->epoch;
    pthread_mutex_unlock(&db->lock);
    char text[CONNECT_TEXT_SIZE];
    for (size_t i = 0; i < db->hosts_n; i++) {
        size_t host = (first + i) % db->hosts_n;
        struct db_conn *c = conn_open(db, host, no, text, sizeof(text));
        if (!c) {
            log_warn("db_connect", "host=%s errno=%u error=%s",
                     db->hosts[host].name ? db->hosts[host].name : "", *no, text);
            continue;
        }
        c->epoch = epoch;
        pthread_mutex_lock(&db->lock);
        db->host_at = host;
        if (db->epoch == epoch && db->connected_epoch != epoch) {
            db->connected_epoch = epoch;
            atomic_fetch_add(&db->generation, 1);
        }
        pthread_mutex_unlock(&db->lock);
        return c;
    }
    return NULL;
}

/* One more connection while the database counts as up. Called with the lock held, returns with
 * it held. ERR_BUSY: the server wants no more of them, others of ours live. */
static enum err take_new(struct db *db, struct db_conn **out)
{
    unsigned no = 0;
    db->open_n++;
    pthread_mutex_unlock(&db->lock);
    struct db_conn *c = connect_any(db, &no);
    pthread_mutex_lock(&db->lock);
    if (c) {
        *out = c;
        return ERR_OK;
    }
    db->open_n--;
    if (is_full_errno(no) && db->open_n > 0) {
        db->grow_after_ms = clock_mono_ms() + GROW_PAUSE_MS;
        return ERR_BUSY;
    }
    db->host_at = 0;
    begin_outage(db);
    db->probes_failed = 1;
    db->probe_ms = clock_mono_ms();
    return ERR_DB_DOWN;
}

/* The database counts as down. Lock held throughout, but for the probe. ERR_END: things have
 * changed, look again. */
static enum err take_probe(struct db *db, struct db_conn **out)
{
    int64_t now = clock_mono_ms();
    if (db->is_probing) {
        if (db->probes_failed || now - db->probe_ms >= PROBE_PATIENCE_MS)
            return ERR_DB_DOWN;
        wait_until(db, db->probe_ms + PROBE_PATIENCE_MS);
        return ERR_END;
    }
    if (db->probes_failed && now - db->probe_ms < PROBE_EVERY_MS)
        return ERR_DB_DOWN;
    db->is_probing = true;
    db->probe_ms = now;
    db->open_n++;
    pthread_mutex_unlock(&db->lock);
    unsigned no = 0;
    struct db_conn *c = connect_any(db, &no);
    pthread_mutex_lock(&db->lock);
    db->is_probing = false;
    db->probe_ms = clock_mono_ms();
    pthread_cond_broadcast(&db->changed);
    if (!c) {
        db->open_n--;
        db->probes_failed++;
        db->host_at = 0;
        return ERR_DB_DOWN;
    }
    atomic_store(&db->is_down, false);
    db->grow_after_ms = 0;
    *out = c;
    return ERR_OK;
}

/* An idle connection that still lives. Lock held. */
static struct db_conn *take_idle(struct db *db, struct db_conn **dead)
{
    struct db_conn *c = db->idle;
    if (!c)
        return NULL;
    db->idle = c->next_idle;
    if (!conn_is_dead(c))
        return c;
    /* The server closed it, perhaps by going away: the others may be dead as well, and what they
     * committed may be lost in a failover. */
    db->open_n--;
    c->next_idle = *dead;
    *dead = c;
    begin_epoch(db);
    return NULL;
}

enum err db_take(struct db *db, struct db_conn **out)
{
    thread_begin();
    int64_t deadline = clock_mono_ms() + db->config->db_timeout_ms;
    struct db_conn *c = NULL, *dead = NULL;
    enum err e = ERR_END;
    pthread_mutex_lock(&db->lock);
    while (e == ERR_END) {
        int64_t now = clock_mono_ms();
        pick_stale(db, now, &dead);
        if (db_is_down(db)) {
            e = take_probe(db, &c);
            continue;
        }
        if (db->idle) {
            c = take_idle(db, &dead);
            e = c ? ERR_OK : ERR_END;
            continue;
        }
        if (db->open_n < db->config->db_connections_max && now >= db->grow_after_ms) {
            e = take_new(db, &c);
            if (e == ERR_BUSY)
                e = ERR_END;
            continue;
        }
        if (now >= deadline)
            e = ERR_BUSY;
        else
            wait_until(db, deadline);
    }
    pthread_mutex_unlock(&db->lock);
    close_list(dead);
    if (!e)
        *out = c;
    return e;
}

void db_give(struct db *db, struct db_conn *c)
{
    if (!c)
        return;
    if (c->txn != TXN_NONE)
        db_rollback(c);
    int64_t now = clock_mono_ms();
    struct db_conn *stale = NULL;
    pthread_mutex_lock(&db->lock);
    pick_stale(db, now, &stale);
    if (c->is_broken || c->epoch != db->epoch) {
        c->next_idle = stale;
        stale = c;
        db->open_n--;
    } else {
        c->idle_since_ms = now;
        c->next_idle = db->idle;
        db->idle = c;
    }
    pthread_cond_signal(&db->changed);
    pthread_mutex_unlock(&db->lock);
    close_list(stale);
}

bool db_tidy(struct db *db)
{
    struct db_conn *stale = NULL;
    pthread_mutex_lock(&db->lock);
    pick_stale(db, clock_mono_ms(), &stale);
    bool any = db->open_n > 0;
    pthread_mutex_unlock(&db->lock);
    close_list(stale);
    return any;
}

void pool_lost(struct db *db, const struct db_conn *c, unsigned no)
{
    pthread_mutex_lock(&db->lock);
    bool is_news = c->epoch == db->epoch;
    if (is_news) {
        if (c->host == db->host_at)
            db->host_at = (db->host_at + 1) % db->hosts_n;
        begin_outage(db);
    }
    pthread_mutex_unlock(&db->lock);
    if (is_news)
        log_warn("db_lost", "host=%s errno=%u",
                 db->hosts[c->host].name ? db->hosts[c->host].name : "", no);
}

/* ---- transactions ---- */

static void sleep_jitter(int attempt)
{
    uint32_t r;
    hash_random(&r, sizeof(r));
    uint32_t top = JITTER_MIN_MS << (attempt + 1);
    if (top > JITTER_MAX_MS)
        top = JITTER_MAX_MS;
    long ms = (long)(JITTER_MIN_MS + r % (top - JITTER_MIN_MS + 1));
    struct timespec ts = {.tv_nsec = ms * 1000000};
    nanosleep(&ts, NULL);
}

static enum err transact_once(struct db *db, db_fn *fn, void *arg)
{
    struct db_conn *c = NULL;
    enum err e = db_take(db, &c);
    if (e)
        return e;
    e = db_begin(c);
    if (!e)
        e = fn(c, arg);
    if (e)
        db_rollback(c);
    else
        e = db_commit(c);
    db_give(db, c);
    return e;
}

enum err db_transact(struct db *db, db_fn *fn, void *arg)
{
    enum err e = ERR_OK;
    for (int attempt = 0; attempt < RETRIES_MAX; attempt++) {
        if (attempt)
            sleep_jitter(attempt);
        e = transact_once(db, fn, arg);
        if (e != ERR_DB_RETRY)
            break;
    }
    return e;
}
