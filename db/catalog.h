/* catalog - what the admin has configured: models with their prices in force, channels with keys
 * and overrides, as one immutable snapshot.
 *
 * Re-read from MariaDB when older than catalog_ms and in use; swapped by pointer, freed by
 * reference count. While the database is down the last snapshot goes on. A snapshot is read-only
 * and may be shared by any threads. Plain data: this layer does not know what an exchange is. */
#ifndef AIPASS_DB_CATALOG_H
#define AIPASS_DB_CATALOG_H

#include "base/config.h"
#include "base/err.h"
#include "base/str.h"
#include "db/alias.h"
#include "db/capability_list.h"
#include "db/db.h"
#include "db/price_list.h"
#include "db/site.h"

enum override_action { OVERRIDE_SET, OVERRIDE_DEFAULT, OVERRIDE_REMOVE, OVERRIDE_RENAME };
struct catalog_override {
    enum override_action action;
    const char *member;
    const char *value; /* JSON, the new name for rename, NULL for remove */
};

#define CATALOG_KEY_HINT_SIZE 8

struct catalog_channel_key {
    int64_t id;
    const char *secret; /* opened, plain */
    int64_t weight;
    char hint[CATALOG_KEY_HINT_SIZE]; /* "...k3f9"; "" for a short secret */
    bool is_disabled;                 /* by the gateway: it may be tried once, from ready_ms on */
    int64_t ready_ms;                 /* not used before this clock_mono_ms; 0: at once */
};

/* A header of a channel's own. */
struct catalog_header {
    const char *name;
    const char *value; /* may hold {key}; NULL: the header is not sent */
};

/* What a provider's status is to mean. */
enum catalog_meaning { MEANING_RETRY, MEANING_REJECT, MEANING_KEY, MEANING_LIMIT };
struct catalog_status {
    int64_t status;
    enum catalog_meaning meaning;
};

/* The four timers of an exchange. 0: the setting. */
struct catalog_timers {
    int64_t connect_ms, first_byte_ms, between_bytes_ms, total_ms;
};

struct catalog_channel {
    int64_t id;
    const char *name;
    const char *provider;
    const char *format;   /* "openai-chat", "openai-responses", "anthropic", "gemini" */
    const char *base_url; /* without a trailing slash */
    int64_t priority;
    int64_t weight;
    struct catalog_timers timers;
    const char *organization, *project; /* NULL: none */
    bool allow_private;                 /* may have an address that is not public */
    const char *proxy_url, *ca_pem;     /* NULL: none */
    const int64_t *group_ids;           /* ascending: those that may use it; NULL: all */
    size_t group_ids_n;
    const struct catalog_header *headers;
    size_t headers_n;
    const struct catalog_status *statuses;
    size_t statuses_n;
    const struct catalog_channel_key *keys; /* not disabled by an admin, at least one, by id */
    size_t keys_n;
};

/* One way to serve a model. */
struct catalog_route {
    const struct catalog_channel *channel;
    const char *upstream_name;
    struct catalog_timers timers;                /* its own, else the channel's; 0: the setting */
    const struct catalog_capability *capability; /* never NULL */
    const struct catalog_override *overrides;
    size_t overrides_n;
};

struct catalog_model {
    int64_t id;
    const char *name;
    const char *display_name; /* for people; the name when none is set */
    const char *kind;
    const char *owned_by;
    int64_t created_s; /* Unix time */
    int64_t context_tokens, output_tokens_max;
    int64_t image_tokens, file_tokens, audio_tokens;
    struct price price; /* the ordinary one for everybody; complete, or the model is not here */
    struct price_book prices; /* all in force: other scopes, tiers, channels */
    const struct catalog_route
        *routes; /* enabled channels with a key; highest priority first, then by id */
    size_t routes_n;
};

struct catalog {
    const struct catalog_model *models; /* enabled and priced, by name */
    size_t models_n;
    struct alias_list aliases;
    struct site site;
    int64_t read_mono_ms;
};

struct catalog_store;
/* catalog_store_new - nothing is read yet; db and config must outlive it. NULL: no memory.
 * catalog_store_free - NULL allowed; no snapshot may be in use. */
struct catalog_store *catalog_store_new(struct db *db, const struct config *config);
void catalog_store_free(struct catalog_store *s);

/* catalog_acquire - a snapshot at most catalog_ms old, or the last one while the database is
 * down. ERR_UNAVAILABLE: none was ever read. Blocks for the first read; later reads are made by
 * one caller while others go on with the older one, unless it is above twice catalog_ms old. */
ERR_CHECK enum err catalog_acquire(struct catalog_store *s, const struct catalog **out);
void catalog_release(struct catalog_store *s, const struct catalog *c);

/* catalog_find_model - by public name, else by an alias without *, else by one with it; NULL when
 * unknown, disabled or unpriced. What the client asked for may differ from the model's name. */
const struct catalog_model *catalog_find_model(const struct catalog *c, struct slice name);

/* channel_admits - accounts of the group may use the channel. channel_meaning - what the channel's
 * rows say of a status; false: nothing. Pure. */
bool channel_admits(const struct catalog_channel *c, int64_t group_id);
bool channel_meaning(const struct catalog_channel *c, int64_t status, enum catalog_meaning *out);

/* catalog_refresh - re-read when due and used since the last read. Called each second by upkeep;
 * false: not in use. */
bool catalog_refresh(struct catalog_store *s);

#endif
