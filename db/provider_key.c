#include "db/provider_key.h"

#include <stdio.h>

#define SUBJECT_SIZE  48
#define DOUBLINGS_MAX 16
#define COUNT(a)      (sizeof(a) / sizeof((a)[0]))

struct change {
    int64_t key_id;
    const char *reason;
    int64_t probe_ms;
};

static const char sql_audit[] = "INSERT INTO audit_log (action, subject, detail) VALUES (?, ?, ?)";

static enum err audit(struct db_conn *c, const char *action, const struct change *change)
{
    char subject[SUBJECT_SIZE];
    (void)snprintf(subject, sizeof(subject), "channel_keys %lld", (long long)change->key_id);
    struct db_value v[] = {DB_STRZ(action), DB_STRZ(subject), DB_STRZ(change->reason)};
    return db_run(c, sql_audit, v, COUNT(v), NULL);
}

static const char sql_disable[] =
    "UPDATE channel_keys SET status = 'disabled', disabled_reason = ?, disabled_at ="
    " UTC_TIMESTAMP(3), probes = 0, probe_at = UTC_TIMESTAMP(3) + INTERVAL ? MICROSECOND"
    " WHERE id = ? AND status = 'enabled'";

static enum err disable_fn(struct db_conn *c, void *arg)
{
    const struct change *change = arg;
    struct db_value v[] = {DB_STRZ(change->reason), DB_INT(change->probe_ms * 1000),
                           DB_INT(change->key_id)};
    enum err e = db_run(c, sql_disable, v, COUNT(v), NULL);
    return e || !db_changed(c) ? e : audit(c, "channel_key.disable", change);
}

enum err provider_key_disable(struct db *db, int64_t key_id, const char *reason, int64_t probe_ms)
{
    struct change change = {key_id, reason, probe_ms};
    return db_transact(db, disable_fn, &change);
}

static const char sql_claim[] =
    "UPDATE channel_keys SET probes = probes + 1, probe_at = UTC_TIMESTAMP(3) + INTERVAL"
    " LEAST(? * POW(2, LEAST(probes, ?)), ?) MICROSECOND"
    " WHERE id = ? AND status = 'disabled' AND probe_at <= UTC_TIMESTAMP(3)";

enum err provider_key_claim(struct db *db, int64_t key_id, int64_t probe_ms)
{
    struct db_conn *c = NULL;
    struct db_value v[] = {DB_INT(probe_ms * 1000), DB_INT(DOUBLINGS_MAX),
                           DB_INT((int64_t)PROVIDER_KEY_PAUSE_MAX_S * 1000000), DB_INT(key_id)};
    enum err e = db_take(db, &c);
    if (!e)
        e = db_run(c, sql_claim, v, COUNT(v), NULL);
    if (!e && !db_changed(c))
        e = ERR_END;
    db_give(db, c);
    return e;
}

static const char sql_enable[] =
    "UPDATE channel_keys SET status = 'enabled', disabled_reason = NULL, disabled_at = NULL,"
    " probe_at = NULL, probes = 0 WHERE id = ? AND status = 'disabled' AND probe_at IS NOT NULL";

static enum err enable_fn(struct db_conn *c, void *arg)
{
    const struct change *change = arg;
    struct db_value v = DB_INT(change->key_id);
    enum err e = db_run(c, sql_enable, &v, 1, NULL);
    return e || !db_changed(c) ? e : audit(c, "channel_key.enable", change);
}

enum err provider_key_enable(struct db *db, int64_t key_id)
{
    struct change change = {key_id, "it works again", 0};
    return db_transact(db, enable_fn, &change);
}
