#include "db/catalog.h"

#include "base/clock.h"
#include "base/hash.h"
#include "base/log.h"
#include "db/catalog_read.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define AFTER_FAILURE_MS 250 /* a reading that failed is not tried again before */
#define REFRESH_EVERY_MS                                                                           \
    1000 /* how often catalog_refresh is called: what comes due before the next call is read now */

struct catalog_store {
    struct db *db;
    const struct config *config;
    bool has_seal_key;
    uint8_t seal_key[SEAL_KEY_BYTES];

    pthread_mutex_t lock;
    pthread_cond_t was_read;
    /* under lock: */
    struct snapshot *current; /* one reference is ours */
    bool is_reading;
    bool is_used;                  /* since the last reading began */
    int64_t failed_ms;             /* when the last reading failed; 0: it worked */
    int64_t skipped_n, skipped_id; /* as told last */
};

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static bool parse_seal_key(struct slice hex, uint8_t *key)
{
    if (hex.n != (size_t)2 * SEAL_KEY_BYTES)
        return false;
    for (size_t i = 0; i < SEAL_KEY_BYTES; i++) {
        int high = hex_digit(hex.p[2 * i]), low = hex_digit(hex.p[2 * i + 1]);
        if (high < 0 || low < 0)
            return false;
        key[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}

static bool read_seal_key(const char *path, uint8_t *key)
{
    char text[4 * SEAL_KEY_BYTES];
    FILE *f = fopen(path, "re");
    size_t n = f ? fread(text, 1, sizeof(text), f) : 0;
    if (f)
        fclose(f);
    bool is_good = parse_seal_key(slice_trim((struct slice){text, n}), key);
    hash_wipe(text, sizeof(text));
    if (!is_good)
        log_error("secret_key_file", "path=%s problem=\"not 64 hex digits, or not readable\"",
                  path);
    return is_good;
}

struct catalog_store *catalog_store_new(struct db *db, const struct config *config)
{
    struct catalog_store *s = calloc(1, sizeof(*s));
    if (!s)
        return NULL;
    s->db = db;
    s->config = config;
    s->has_seal_key = config->secret_key_file[0] &&
                      read_seal_key(config->secret_key_file, s->seal_key);
    pthread_mutex_init(&s->lock, NULL);
    pthread_cond_init(&s->was_read, NULL);
    return s;
}

static void snapshot_unref(struct snapshot *s)
{
    if (s && atomic_fetch_sub(&s->refs, 1) == 1)
        snapshot_free(s);
}

void catalog_store_free(struct catalog_store *s)
{
    if (!s)
        return;
    snapshot_unref(s->current);
    hash_wipe(s->seal_key, sizeof(s->seal_key));
    pthread_mutex_destroy(&s->lock);
    pthread_cond_destroy(&s->was_read);
    free(s);
}

/* Once for each change of what is skipped, not at every reading. Lock held. */
static bool skipped_is_news(struct catalog_store *s, const struct snapshot *snapshot)
{
    bool is_news = snapshot->skipped_n != s->skipped_n || snapshot->skipped_id != s->skipped_id;
    s->skipped_n = snapshot->skipped_n;
    s->skipped_id = snapshot->skipped_id;
    return is_news && snapshot->skipped_n;
}

/* Reads and swaps. Lock held at entry and exit, not while reading; is_reading was false. */
static void read_now(struct catalog_store *s)
{
    struct snapshot *fresh = NULL;
    s->is_reading = true;
    s->is_used = false;
    pthread_mutex_unlock(&s->lock);
    enum err e = snapshot_read(s->db, s->has_seal_key ? s->seal_key : NULL, &fresh);
    pthread_mutex_lock(&s->lock);
    bool tell_skipped = false;
    int64_t skipped_n = 0, skipped_id = 0;
    struct snapshot *old = NULL;
    if (e) {
        s->failed_ms = clock_mono_ms();
    } else {
        s->failed_ms = 0;
        old = s->current;
        s->current = fresh;
        tell_skipped = skipped_is_news(s, fresh);
        skipped_n = fresh->skipped_n;
        skipped_id = fresh->skipped_id;
    }
    s->is_reading = false;
    pthread_cond_broadcast(&s->was_read);
    pthread_mutex_unlock(&s->lock);
    snapshot_unref(old);
    if (tell_skipped)
        log_error("channel_keys_skipped",
                  "n=%lld channel_key=%lld problem=\"sealed with another secret_key_file, or moved "
                  "to another channel\"",
                  (long long)skipped_n, (long long)skipped_id);
    if (e && e != ERR_DB_DOWN)
        log_error("catalog_not_read", "error=%s", err_name(e));
    pthread_mutex_lock(&s->lock);
}

enum err catalog_acquire(struct catalog_store *s, const struct catalog **out)
{
    enum err e = ERR_UNAVAILABLE;
    pthread_mutex_lock(&s->lock);
    for (;;) {
        int64_t now = clock_mono_ms();
        int64_t age_ms = s->current ? now - s->current->catalog.read_mono_ms : INT64_MAX;
        bool has_failed = s->failed_ms && now - s->failed_ms < AFTER_FAILURE_MS;
        if (age_ms <= s->config->catalog_ms || has_failed)
            break;
        if (!s->is_reading) {
            read_now(s);
            break;
        }
        if (s->current && age_ms <= 2 * s->config->catalog_ms)
            break;
        pthread_cond_wait(&s->was_read, &s->lock);
        if (s->failed_ms)
            break;
    }
    s->is_used = true;
    if (s->current) {
        atomic_fetch_add(&s->current->refs, 1);
        *out = &s->current->catalog;
        e = ERR_OK;
    }
    pthread_mutex_unlock(&s->lock);
    return e;
}

void catalog_release(struct catalog_store *s, const struct catalog *c)
{
    (void)s;
    union {
        const struct catalog *in;
        struct snapshot *out; /* its first member */
    } u = {.in = c};
    snapshot_unref(u.out);
}

bool catalog_refresh(struct catalog_store *s)
{
    pthread_mutex_lock(&s->lock);
    bool is_used = s->is_used;
    bool is_due = !s->current ||
                  clock_mono_ms() - s->current->catalog.read_mono_ms + REFRESH_EVERY_MS >
                      s->config->catalog_ms;
    if (is_used && is_due && !s->is_reading)
        read_now(s);
    pthread_mutex_unlock(&s->lock);
    return is_used;
}

const struct catalog_model *catalog_find_model(const struct catalog *c, struct slice name)
{
    size_t low = 0, high = c->models_n;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        struct slice at = slice_of(c->models[middle].name);
        int order = memcmp(name.p ? name.p : "", at.p, name.n < at.n ? name.n : at.n);
        if (!order)
            order = (name.n > at.n) - (name.n < at.n);
        if (!order)
            return &c->models[middle];
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return alias_find(&c->aliases, name);
}
