#include "ctl/ctl_sql.h"

#include "base/hash.h"

#include <string.h>

#define KEY_PREFIX       "sk-aip-"
#define KEY_RANDOM_BYTES 24
#define KEY_SIZE         (sizeof(KEY_PREFIX) + 2 * (size_t)KEY_RANDOM_BYTES)
#define HINT_SIZE        32
#define MODELS_MAX       4096 /* bytes of --models */

const struct ctl_option ctl_key_list_options[] = {
    CTL_ROWS_OPTIONS, {NULL, NULL, NULL}
};
const struct ctl_option ctl_key_options[] = {
    {"name",        "NAME",  "what its owner calls it"                    },
    {"expires",     "DATE",  "UTC, as '2030-12-31 23:59:59'; none: never" },
    {"limit",       "USD",   "what it may spend in all; none: no limit"   },
    {"limit-day",   "USD",   "... each day"                               },
    {"limit-month", "USD",   "... each calendar month"                    },
    {"models",      "NAMES", "what it may use, by comma; all: every model"},
    CTL_ROWS_OPTIONS,
    CTL_CHANGE_OPTIONS,
    {NULL,          NULL,    NULL                                         },
};
const struct ctl_option ctl_key_rotate_options[] = {
    {"grace", "HOURS", "how long the old one goes on (24)"},
    CTL_CHANGE_OPTIONS,
    {NULL,    NULL,    NULL                               },
};
const struct ctl_option ctl_key_status_options[] = {
    CTL_CHANGE_OPTIONS,
    CTL_YES_OPTION,
    {NULL, NULL, NULL},
};

static const struct ctl_column key_columns[] = {
    {"id",          CTL_NUMBER},
    {"account",     CTL_TEXT  },
    {"name",        CTL_TEXT  },
    {"key",         CTL_TEXT  },
    {"status",      CTL_TEXT  },
    {"expires_at",  CTL_TEXT  },
    {"limit",       CTL_TEXT  },
    {"limit_day",   CTL_TEXT  },
    {"limit_month", CTL_TEXT  },
    {"models",      CTL_NUMBER},
    {"created_at",  CTL_TEXT  },
    {NULL,          CTL_TEXT  },
};

#define SQL_KEYS                                                                                   \
    "SELECT k.id, a.name, k.name, k.key_hint, k.status, CAST(k.expires_at AS CHAR), "              \
    "r.spend_total, r.spend_day, r.spend_month,"                                                   \
    " (SELECT NULLIF(COUNT(*), 0) FROM api_key_models m WHERE m.api_key_id = k.id),"               \
    " CAST(k.created_at AS CHAR) FROM api_keys k JOIN accounts a ON a.id = k.account_id LEFT JOIN" \
    " rate_limits r ON r.api_key_id = k.id AND r.model_id IS NULL"

static const char sql_list[] = SQL_KEYS " WHERE ? IS NULL OR a.name = ? ORDER BY k.id";
static const char sql_show[] = SQL_KEYS " WHERE k.id = ?";
static const char sql_insert[] =
    "INSERT INTO api_keys (account_id, name, key_hash, key_hint, expires_at) VALUES (?,"
    " COALESCE(?, ''), ?, ?, ?)";
static const char sql_by_hash[] = "SELECT id FROM api_keys WHERE key_hash = ?";
static const char sql_by_id[] = "SELECT id FROM api_keys WHERE id = ?";
static const char sql_set[] = "UPDATE api_keys SET name = COALESCE(?, name), expires_at = IF(?, ?, "
                              "expires_at) WHERE id = ?";
static const char sql_set_limits[] =
    "INSERT INTO rate_limits (api_key_id, spend_total, spend_day, spend_month) VALUES (?, ?, ?, ?)"
    " ON DUPLICATE KEY UPDATE spend_total = IF(?, VALUES(spend_total), spend_total), spend_day ="
    " IF(?, VALUES(spend_day), spend_day), spend_month = IF(?, VALUES(spend_month), spend_month)";
static const char sql_models_clear[] = "DELETE FROM api_key_models WHERE api_key_id = ?";
static const char sql_model_add[] =
    "INSERT INTO api_key_models (api_key_id, model_id) SELECT ?, id FROM models WHERE name = ?";
static const char sql_status[] = "UPDATE api_keys SET status = ? WHERE id = ? AND status <> ?";
static const char sql_copy[] =
    "INSERT INTO api_keys (account_id, name, key_hash, key_hint, expires_at) SELECT account_id,"
    " name, ?, ?, expires_at FROM api_keys WHERE id = ? AND status = 'active'";
/* What goes with a key: the first parameter is the new one, the second the old one. */
static const char *const sql_copy_rights[] = {
    "INSERT INTO api_key_models (api_key_id, model_id) SELECT ?, model_id FROM api_key_models"
    " WHERE api_key_id = ?",
    "INSERT INTO api_key_addresses (api_key_id, address_range, note) SELECT ?, address_range, note"
    " FROM api_key_addresses WHERE api_key_id = ?",
    "INSERT INTO rate_limits (api_key_id, model_id, requests_per_minute, tokens_per_minute,"
    " concurrent_requests, spend_total, spend_day, spend_month, note) SELECT ?, model_id,"
    " requests_per_minute, tokens_per_minute, concurrent_requests, spend_total, spend_day,"
    " spend_month, note FROM rate_limits WHERE api_key_id = ?",
};
static const char sql_retire[] =
    "UPDATE api_keys SET expires_at = LEAST(COALESCE(expires_at, '9999-01-01'), UTC_TIMESTAMP(3) + "
    "INTERVAL ? HOUR) WHERE id = ?";

struct fresh_key {
    char text[KEY_SIZE];
    char hint[HINT_SIZE];
    uint8_t hash[SHA256_BYTES];
};

static void key_make(struct fresh_key *k)
{
    uint8_t random[KEY_RANDOM_BYTES];
    hash_random(random, sizeof(random));
    memcpy(k->text, KEY_PREFIX, sizeof(KEY_PREFIX) - 1);
    hash_hex(k->text + sizeof(KEY_PREFIX) - 1, random, sizeof(random));
    hash_wipe(random, sizeof(random));
    hash_sha256(slice_of(k->text), k->hash);
    (void)snprintf(k->hint, sizeof(k->hint), "%.10s...%s", k->text, k->text + KEY_SIZE - 5);
}

static struct db_value hash_value(const uint8_t *hash)
{
    return DB_BYTES(((struct slice){(const char *)hash, SHA256_BYTES}));
}

/* A key is named by its number or by itself; the latter lands in the shell's history. */
static enum ctl_exit find_key(struct ctl_sql *s, const char *word, int64_t *id)
{
    uint8_t hash[SHA256_BYTES];
    if (!slice_to_i64(slice_of(word), id))
        return ctl_sql_id(s, sql_by_id, DB_STRZ(word), "key", id);
    hash_sha256(slice_of(word), hash);
    struct db_stmt *stmt = NULL;
    struct db_value param = hash_value(hash);
    enum err e = db_run(s->conn, sql_by_hash, &param, 1, &stmt);
    if (!e)
        e = db_next(stmt);
    if (!e)
        *id = db_col_i64(stmt, 0);
    if (e == ERR_END)
        return ctl_fail("there is no such key; aipassctl key list tells their numbers");
    return e ? ctl_sql_fail(s, e) : CTL_OK;
}

/* ---- what it was called with ---- */

struct limits {
    struct db_value expires, all, day, month;
};

static enum ctl_exit read_limits(const struct ctl_args *args, struct limits *l)
{
    const char *expires = ctl_value(args, "expires");
    l->expires = expires && strcmp(expires, "none") != 0 ? DB_STRZ(expires) : DB_NONE;
    enum ctl_exit result = ctl_amount("--limit", ctl_value(args, "limit"), true, &l->all);
    if (!result)
        result = ctl_amount("--limit-day", ctl_value(args, "limit-day"), true, &l->day);
    if (!result)
        result = ctl_amount("--limit-month", ctl_value(args, "limit-month"), true, &l->month);
    return result;
}

/* What was given of the limits of spend goes into the key's row of rate_limits. */
static enum ctl_exit set_limits(struct ctl_sql *s, const struct limits *l, int64_t id)
{
    bool has_all = ctl_value(s->args, "limit") != NULL;
    bool has_day = ctl_value(s->args, "limit-day") != NULL;
    bool has_month = ctl_value(s->args, "limit-month") != NULL;
    struct db_value params[] = {DB_INT(id),      l->all,          l->day,           l->month,
                                DB_INT(has_all), DB_INT(has_day), DB_INT(has_month)};
    return has_all || has_day || has_month ? ctl_sql_run(s, sql_set_limits, params, 7, NULL)
                                           : CTL_OK;
}

/* Replaces what the key may use by --models, when that was given. */
static enum ctl_exit set_models(struct ctl_sql *s, int64_t id)
{
    const char *models = ctl_value(s->args, "models");
    char name[MODELS_MAX];
    struct db_value key = DB_INT(id);
    if (!models)
        return CTL_OK;
    enum ctl_exit result = ctl_sql_run(s, sql_models_clear, &key, 1, NULL);
    struct slice rest = slice_of(strcmp(models, "all") ? models : NULL);
    while (!result && rest.p) {
        struct slice one = slice_trim(slice_split(&rest, ','));
        uint64_t changed = 0;
        if (!one.n)
            continue;
        if (!slice_copy_z(name, sizeof(name), one))
            return ctl_fail("--models: a name is too long");
        result =
            ctl_sql_run(s, sql_model_add, (struct db_value[]){key, DB_STRZ(name)}, 2, &changed);
        if (!result && !changed)
            result = ctl_fail("there is no model %s", name);
    }
    return result;
}

/* The key itself is the data: alone on stdout. */
static void show_key(const struct ctl_args *args, const struct fresh_key *k)
{
    if (ctl_value(args, "dry-run"))
        return;
    puts(k->text);
    ctl_say("This key is shown once: only its hash is kept.");
}

/* ---- the commands ---- */

enum ctl_exit ctl_key_list(const struct ctl_args *args)
{
    struct db_value name = args->words_n ? DB_STRZ(args->words[0]) : DB_NONE;
    struct ctl_sql s;
    enum ctl_exit result = ctl_sql_open(args, &s);
    if (result)
        return result;
    result = ctl_sql_print(&s, key_columns, sql_list, (struct db_value[]){name, name}, 2);
    ctl_sql_close(&s);
    return result;
}

static enum ctl_exit create(struct ctl_sql *s, const struct limits *l, struct fresh_key *k)
{
    int64_t account = 0, id = 0;
    enum ctl_exit result = ctl_account_id(s, s->args->words[0], &account);
    if (!result)
        result = ctl_sql_begin(s);
    if (result)
        return result;
    struct db_value params[] = {DB_INT(account), ctl_db_text(s->args, "name"), hash_value(k->hash),
                                DB_STRZ(k->hint), l->expires};
    result = ctl_sql_run(s, sql_insert, params, 5, NULL);
    if (!result)
        result = find_key(s, k->text, &id);
    if (!result)
        result = set_limits(s, l, id);
    if (!result)
        result = set_models(s, id);
    return ctl_sql_end(s, result);
}

enum ctl_exit ctl_key_create(const struct ctl_args *args)
{
    struct limits limits;
    struct fresh_key key;
    struct ctl_sql s;
    enum ctl_exit result = read_limits(args, &limits);
    if (!result)
        result = ctl_sql_open(args, &s);
    if (result)
        return result;
    key_make(&key);
    result = create(&s, &limits, &key);
    if (!result)
        show_key(args, &key);
    hash_wipe(&key, sizeof(key));
    ctl_sql_close(&s);
    return result;
}

static enum ctl_exit set(struct ctl_sql *s, const struct limits *l)
{
    const struct ctl_args *args = s->args;
    int64_t id = 0;
    enum ctl_exit result = find_key(s, args->words[0], &id);
    if (!result)
        result = ctl_sql_begin(s);
    if (result)
        return result;
    struct db_value key = DB_INT(id);
    struct db_value params[] = {ctl_db_text(args, "name"),
                                DB_INT(ctl_value(args, "expires") != NULL), l->expires, key};
    result = ctl_sql_run(s, sql_set, params, 4, NULL);
    if (!result)
        result = set_limits(s, l, id);
    if (!result)
        result = set_models(s, id);
    if (!result)
        result = ctl_sql_print(s, key_columns, sql_show, &key, 1);
    return ctl_sql_end(s, result);
}

enum ctl_exit ctl_key_set(const struct ctl_args *args)
{
    struct limits limits;
    struct ctl_sql s;
    enum ctl_exit result = read_limits(args, &limits);
    if (!result)
        result = ctl_sql_open(args, &s);
    if (result)
        return result;
    result = set(&s, &limits);
    ctl_sql_close(&s);
    return result;
}

static enum ctl_exit set_status(const struct ctl_args *args, const char *status, bool asks)
{
    struct ctl_sql s;
    int64_t id = 0;
    enum ctl_exit result = ctl_sql_open(args, &s);
    if (result)
        return result;
    result = find_key(&s, args->words[0], &id);
    if (!result && asks)
        result = ctl_confirm(args, "Revoke key %lld for good?", (long long)id);
    if (!result)
        result = ctl_sql_begin(&s);
    if (!result) {
        struct db_value params[] = {DB_STRZ(status), DB_INT(id), DB_STRZ("revoked")};
        uint64_t changed = 0;
        result = ctl_sql_run(&s, sql_status, params, 3, &changed);
        if (!result && !changed)
            ctl_say("key %lld was %s before, or is revoked", (long long)id, status);
        else if (!result)
            ctl_say("key %lld: %s, within a second", (long long)id, status);
        result = ctl_sql_end(&s, result);
    }
    ctl_sql_close(&s);
    return result;
}

enum ctl_exit ctl_key_enable(const struct ctl_args *args)
{
    return set_status(args, "active", false);
}

enum ctl_exit ctl_key_disable(const struct ctl_args *args)
{
    return set_status(args, "disabled", false);
}

enum ctl_exit ctl_key_revoke(const struct ctl_args *args)
{
    return set_status(args, "revoked", true);
}

static enum ctl_exit rotate(struct ctl_sql *s, int64_t hours, struct fresh_key *k)
{
    int64_t old = 0, id = 0;
    uint64_t changed = 0;
    enum ctl_exit result = find_key(s, s->args->words[0], &old);
    if (!result)
        result = ctl_sql_begin(s);
    if (result)
        return result;
    struct db_value params[] = {hash_value(k->hash), DB_STRZ(k->hint), DB_INT(old)};
    result = ctl_sql_run(s, sql_copy, params, 3, &changed);
    if (!result && !changed)
        result = ctl_fail("key %lld is not active", (long long)old);
    if (!result)
        result = find_key(s, k->text, &id);
    for (size_t i = 0; !result && i < sizeof(sql_copy_rights) / sizeof(sql_copy_rights[0]); i++)
        result = ctl_sql_run(s, sql_copy_rights[i], (struct db_value[]){DB_INT(id), DB_INT(old)}, 2,
                             NULL);
    if (!result)
        result =
            ctl_sql_run(s, sql_retire, (struct db_value[]){DB_INT(hours), DB_INT(old)}, 2, NULL);
    return ctl_sql_end(s, result);
}

enum ctl_exit ctl_key_rotate(const struct ctl_args *args)
{
    const char *grace = ctl_value(args, "grace");
    int64_t hours = 24;
    struct fresh_key key;
    struct ctl_sql s;
    if (grace && (slice_to_i64(slice_of(grace), &hours) || hours < 0 || hours > 8760)) {
        (void)ctl_fail("--grace: expected 0 to 8760 hours, got %s", grace);
        return CTL_USAGE;
    }
    enum ctl_exit result = ctl_sql_open(args, &s);
    if (result)
        return result;
    key_make(&key);
    result = rotate(&s, hours, &key);
    if (!result)
        show_key(args, &key);
    hash_wipe(&key, sizeof(key));
    ctl_sql_close(&s);
    return result;
}
