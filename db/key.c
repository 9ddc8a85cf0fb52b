#include "db/key.h"

#include "base/clock.h"
#include "base/hash.h"
#include "base/log.h"
#include "db/key_query.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define HASH_NONFATAL_OOM 1 /* an entry that could not be added has hh.tbl NULL */
#include <uthash.h>

#define KEYS_MAX     100000 /* in the cache; what comes on top is asked for each time */
#define UNKNOWNS_MAX 4096   /* power of two; a newer one takes the place of an older one */
#define IN_USE_MS    5000   /* keys used within this time are re-read by key_refresh */

/* A key that was valid when it was last asked for, or one that is being asked for. */
struct entry {
    uint8_t hash[SHA256_BYTES];
    struct key_object *object; /* NULL: asked for the first time */
    int64_t checked_ms;        /* the database said so, at the earliest then */
    int64_t used_ms;
    int64_t asking_ms; /* when the asking began */
    bool is_asking;    /* one thread asks, others wait; the entry stays until it has its answer */
    UT_hash_handle hh;
};

struct unknown {
    uint8_t hash[SHA256_BYTES];
    int64_t checked_ms; /* 0: empty */
};

struct key_cache {
    struct db *db;
    const struct config *config;

    pthread_mutex_t lock;
    pthread_cond_t was_asked;
    /* under lock: */
    struct entry *entries;
    struct unknown unknowns[UNKNOWNS_MAX];
};

struct key_cache *key_cache_new(struct db *db, const struct config *config)
{
    struct key_cache *k = calloc(1, sizeof(*k));
    if (!k)
        return NULL;
    k->db = db;
    k->config = config;
    pthread_mutex_init(&k->lock, NULL);
    pthread_cond_init(&k->was_asked, NULL);
    return k;
}

/* ---- the tables, lock held ---- */

static void entry_remove(struct key_cache *k, struct entry *e)
{
    /* The analyser loses track of uthash's list: an entry is on it once, and off it here. */
    HASH_DEL(k->entries, e); /* NOLINT(clang-analyzer-unix.Malloc) */
    key_object_unref(e->object);
    free(e);
}

void key_cache_free(struct key_cache *k)
{
    if (!k)
        return;
    struct entry *e, *next;
    HASH_ITER(hh, k->entries, e, next)
    entry_remove(k, e);
    pthread_mutex_destroy(&k->lock);
    pthread_cond_destroy(&k->was_asked);
    free(k);
}

static struct entry *entry_find(struct key_cache *k, const uint8_t *hash)
{
    struct entry *e = NULL;
    HASH_FIND(hh, k->entries, hash, SHA256_BYTES, e);
    return e;
}

static struct entry *entry_add(struct key_cache *k, const uint8_t *hash)
{
    struct entry *e = HASH_COUNT(k->entries) < KEYS_MAX ? calloc(1, sizeof(*e)) : NULL;
    if (!e)
        return NULL;
    memcpy(e->hash, hash, SHA256_BYTES);
    HASH_ADD(hh, k->entries, hash, SHA256_BYTES, e);
    if (!e->hh.tbl) {
        free(e);
        return NULL;
    }
    return e;
}

/* A hash is as good as random: its first bytes choose the place. */
static struct unknown *unknown_at(struct key_cache *k, const uint8_t *hash)
{
    return &k->unknowns[(hash[0] | (unsigned)hash[1] << 8) % UNKNOWNS_MAX];
}

static void unknown_add(struct key_cache *k, const uint8_t *hash, int64_t checked_ms)
{
    struct unknown *u = unknown_at(k, hash);
    memcpy(u->hash, hash, SHA256_BYTES);
    u->checked_ms = checked_ms;
}

static bool is_unknown(struct key_cache *k, const uint8_t *hash, int64_t now)
{
    const struct unknown *u = unknown_at(k, hash);
    return u->checked_ms && now - u->checked_ms <= k->config->key_fresh_ms &&
           hash_equal(u->hash, hash, SHA256_BYTES);
}

/* The database has said, at floor or later, that there is no such key. */
static bool is_unknown_since(struct key_cache *k, const uint8_t *hash, int64_t floor_ms)
{
    const struct unknown *u = unknown_at(k, hash);
    return u->checked_ms >= floor_ms && hash_equal(u->hash, hash, SHA256_BYTES);
}

static bool is_valid(const struct entry *e, int64_t now, int64_t age_max_ms)
{
    return e->object && now - e->checked_ms <= age_max_ms && now < e->object->expires_mono_ms;
}

static const struct key *grant(struct entry *e, int64_t now)
{
    e->used_ms = now;
    return &key_object_ref(e->object)->key;
}

/* ---- asking ---- */

/* What the database said about the entry's key: takes object. Lock held; the entry may be gone
 * afterwards. */
static void entry_answer(struct key_cache *k, struct entry *e, struct key_object *object,
                         int64_t asked_ms)
{
    if (e->checked_ms > asked_ms) { /* somebody has asked later */
        key_object_unref(object);
        return;
    }
    if (!object) {
        unknown_add(k, e->hash, asked_ms);
        entry_remove(k, e);
        return;
    }
    key_object_unref(e->object);
    e->object = object;
    e->checked_ms = asked_ms;
}

/* The database cannot say: what is cached counts for longer. Lock held. */
static enum err answer_without(struct key_cache *k, struct entry *e, int64_t now,
                               const struct key **out)
{
    if (!e || !is_valid(e, now, k->config->key_stale_ms))
        return ERR_UNAVAILABLE;
    *out = grant(e, now);
    return ERR_OK;
}

/* Asks for the entry's key. Lock held at entry and exit, not while asking. */
static enum err ask(struct key_cache *k, struct entry *e, int64_t asked_ms, const struct key **out)
{
    struct key_object *object = NULL;
    uint8_t hash[SHA256_BYTES];
    memcpy(hash, e->hash, sizeof(hash));
    e->is_asking = true;
    e->asking_ms = asked_ms;
    pthread_mutex_unlock(&k->lock);
    enum err asked = key_query_hash(k->db, hash, &object);
    pthread_mutex_lock(&k->lock);
    e->is_asking = false;
    pthread_cond_broadcast(&k->was_asked);
    if (asked) {
        enum err answer = answer_without(k, e, clock_mono_ms(), out);
        if (!e->object)
            entry_remove(k, e);
        return answer;
    }
    bool is_ours = object != NULL;
    if (is_ours)
        *out = &key_object_ref(object)->key; /* what we were told, whatever becomes of the entry */
    e->used_ms = asked_ms;
    entry_answer(k, e, object, asked_ms);
    return is_ours ? ERR_OK : ERR_BAD_KEY;
}

/* The cache is full. Lock held at entry and exit, not while asking. */
static enum err ask_uncached(struct key_cache *k, const uint8_t *hash, int64_t asked_ms,
                             const struct key **out)
{
    struct key_object *object = NULL;
    pthread_mutex_unlock(&k->lock);
    enum err e = key_query_hash(k->db, hash, &object);
    pthread_mutex_lock(&k->lock);
    if (e)
        return ERR_UNAVAILABLE;
    if (!object) {
        unknown_add(k, hash, asked_ms);
        return ERR_BAD_KEY;
    }
    *out = &object->key;
    return ERR_OK;
}

/* Lock held at entry and exit. */
static enum err acquire(struct key_cache *k, const uint8_t *hash, const struct key **out)
{
    int64_t now = clock_mono_ms(), floor_ms = now;
    bool has_waited = false;
    for (;; now = clock_mono_ms()) {
        /* An answer that was waited for counts, however long it took to get the lock again. */
        if (is_unknown(k, hash, now) || (has_waited && is_unknown_since(k, hash, floor_ms)))
            return ERR_BAD_KEY;
        struct entry *e = entry_find(k, hash);
        if (e && (is_valid(e, now, k->config->key_fresh_ms) ||
                  (has_waited && e->checked_ms >= floor_ms && is_valid(e, now, INT64_MAX)))) {
            *out = grant(e, now);
            return ERR_OK;
        }
        if (e && e->is_asking) {
            floor_ms = e->asking_ms;
            pthread_cond_wait(&k->was_asked, &k->lock);
            has_waited = true;
            continue;
        }
        if (has_waited) /* the one who asked got no answer: one wait is enough */
            return answer_without(k, e, now, out);
        if (!e)
            e = entry_add(k, hash);
        return e ? ask(k, e, now, out) : ask_uncached(k, hash, now, out);
    }
}

enum err key_acquire(struct key_cache *k, struct slice text, const struct key **out)
{
    uint8_t hash[SHA256_BYTES];
    if (text.n > KEY_TEXT_MAX || !slice_starts(text, KEY_PREFIX))
        return ERR_BAD_KEY;
    hash_sha256(text, hash);
    pthread_mutex_lock(&k->lock);
    enum err e = acquire(k, hash, out);
    pthread_mutex_unlock(&k->lock);
    return e;
}

void key_release(const struct key *key)
{
    union {
        const struct key *in;
        struct key_object *out; /* its first member */
    } u = {.in = key};
    key_object_unref(u.out);
}

bool key_may_use(const struct key *key, int64_t model_id)
{
    if (!key->model_ids)
        return true;
    size_t low = 0, high = key->model_ids_n;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (key->model_ids[middle] == model_id)
            return true;
        if (key->model_ids[middle] < model_id)
            low = middle + 1;
        else
            high = middle;
    }
    return false;
}

bool key_may_come_from(const struct key *key, struct slice address)
{
    bool may = !key->ranges;
    for (size_t i = 0; i < key->ranges_n && !may; i++)
        may = address_range_has(&key->ranges[i], address);
    return may;
}

/* ---- the batch ---- */

struct batch {
    int64_t *ids;
    uint8_t (*hashes)[SHA256_BYTES];
    size_t n;
};

static void batch_clear(struct batch *b)
{
    free(b->ids);
    free(b->hashes);
}

/* The keys in use; what is too old to be of use to anybody goes. False: no memory. */
static bool batch_collect(struct key_cache *k, int64_t now, struct batch *b)
{
    struct entry *e, *next;
    pthread_mutex_lock(&k->lock);
    size_t max = HASH_COUNT(k->entries);
    b->ids = calloc(max ? max : 1, sizeof(*b->ids));
    b->hashes = calloc(max ? max : 1, sizeof(*b->hashes));
    bool has_memory = b->ids && b->hashes;
    HASH_ITER(hh, k->entries, e, next)
    {
        if (!e->object || !has_memory)
            continue;
        if (now - e->used_ms <= IN_USE_MS) {
            b->ids[b->n] = e->object->key.id;
            memcpy(b->hashes[b->n++], e->hash, SHA256_BYTES);
        } else if (!e->is_asking && now - e->checked_ms > k->config->key_stale_ms) {
            entry_remove(k, e);
        }
    }
    pthread_mutex_unlock(&k->lock);
    return has_memory;
}

/* Each of n keys was found (under the hash that it had), or is no key any more. */
static void batch_answer(struct key_cache *k, uint8_t (*hashes)[SHA256_BYTES], size_t n,
                         struct key_object **found, size_t found_n, int64_t asked_ms)
{
    pthread_mutex_lock(&k->lock);
    for (size_t i = 0; i < n; i++) {
        struct key_object *object = NULL;
        for (size_t j = 0; j < found_n && !object; j++) {
            if (!memcmp(found[j]->hash, hashes[i], SHA256_BYTES))
                object = key_object_ref(found[j]);
        }
        struct entry *e = entry_find(k, hashes[i]);
        if (!e || (e->is_asking && !object)) /* who asks alone gets the newer answer */
            key_object_unref(object);
        else
            entry_answer(k, e, object, asked_ms);
    }
    pthread_mutex_unlock(&k->lock);
    for (size_t j = 0; j < found_n; j++)
        key_object_unref(found[j]);
}

bool key_refresh(struct key_cache *k)
{
    struct batch b = {0};
    struct db_conn *c = NULL;
    enum err e = batch_collect(k, clock_mono_ms(), &b) ? ERR_OK : ERR_MEMORY;
    if (!e && b.n)
        e = db_take(k->db, &c);
    for (size_t at = 0; at < b.n && !e; at += KEY_BATCH) {
        struct key_object *found[KEY_BATCH];
        size_t n = b.n - at < KEY_BATCH ? b.n - at : KEY_BATCH, found_n = 0;
        int64_t asked_ms = clock_mono_ms();
        e = key_query_ids(c, b.ids + at, n, found, &found_n);
        if (!e)
            batch_answer(k, b.hashes + at, n, found, found_n, asked_ms);
    }
    db_give(k->db, c);
    if (e && e != ERR_DB_DOWN)
        log_warn("keys_not_refreshed", "error=%s", err_name(e));
    bool is_used = b.n > 0;
    batch_clear(&b);
    return is_used;
}
