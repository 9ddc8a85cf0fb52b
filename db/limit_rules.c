#include "db/limit_core.h"

#include "base/clock.h"
#include "base/log.h"

#include <stdlib.h>

#define AFTER_FAILURE_MS 250  /* a reading that failed is not tried again before */
#define REFRESH_EVERY_MS 1000 /* limit_rules_refresh is called this often */

static int by_scope(const void *x, const void *y)
{
    const struct limit_rule *a = x, *b = y;
    if (a->api_key_id != b->api_key_id)
        return a->api_key_id < b->api_key_id ? -1 : 1;
    if (a->account_id != b->account_id)
        return a->account_id < b->account_id ? -1 : 1;
    if (a->group_id != b->group_id)
        return a->group_id < b->group_id ? -1 : 1;
    if (a->channel_id != b->channel_id)
        return a->channel_id < b->channel_id ? -1 : 1;
    return (a->model_id > b->model_id) - (a->model_id < b->model_id);
}

static const char sql_rules[] =
    "SELECT id, COALESCE(api_key_id, 0), COALESCE(account_id, 0), COALESCE(group_id, 0), "
    "COALESCE(channel_id, 0), COALESCE(model_id, 0), COALESCE(CAST(requests_per_minute AS SIGNED), "
    "-1), "
    "COALESCE(CAST(tokens_per_minute AS SIGNED), -1), "
    "COALESCE(CAST(concurrent_requests AS SIGNED), -1), COALESCE(spend_total, spend_day, "
    "spend_month) IS NOT NULL FROM rate_limits";

static struct limit_rule rule_of(const struct db_stmt *s)
{
    return (struct limit_rule){
        .id = db_col_i64(s, 0),
        .api_key_id = db_col_i64(s, 1),
        .account_id = db_col_i64(s, 2),
        .group_id = db_col_i64(s, 3),
        .channel_id = db_col_i64(s, 4),
        .model_id = db_col_i64(s, 5),
        .max = {db_col_i64(s, 6), db_col_i64(s, 7), db_col_i64(s, 8)},
        .has_spend = db_col_i64(s, 9) != 0,
    };
}

/* *rules: malloc'd and sorted, never NULL. */
static enum err read_rules(struct db *db, struct limit_rule **rules, size_t *n)
{
    struct db_conn *c = NULL;
    struct db_stmt *s = NULL;
    struct limit_rule *all = NULL;
    size_t used = 0, max = 0;
    enum err e = db_take(db, &c);
    if (e)
        return e;
    e = db_run(c, sql_rules, NULL, 0, &s);
    if (!e) {
        max = (size_t)db_changed(c);
        all = calloc(max + 1, sizeof(*all));
        e = all ? ERR_OK : ERR_MEMORY;
    }
    while (!e && !(e = db_next(s)) && used < max)
        all[used++] = rule_of(s);
    db_give(db, c);
    if (e != ERR_END || !all) {
        free(all);
        return e ? e : ERR_INTERNAL;
    }
    qsort(all, used, sizeof(*all), by_scope);
    *rules = all;
    *n = used;
    return ERR_OK;
}

/* Lock held at entry and exit, not while reading; is_reading was false. */
static void read_now(struct limits *l)
{
    struct limit_rule *fresh = NULL, *old = NULL;
    size_t n = 0;
    int64_t began_ms = clock_mono_ms();
    l->is_reading = true;
    l->is_used = false;
    pthread_mutex_unlock(&l->mu);
    enum err e = read_rules(l->db, &fresh, &n);
    if (e && e != ERR_DB_DOWN)
        log_error("limits_not_read", "error=%s", err_name(e));
    pthread_mutex_lock(&l->mu);
    l->is_reading = false;
    if (e) {
        l->failed_ms = clock_mono_ms();
    } else {
        old = l->rules;
        l->rules = fresh;
        l->rules_n = n;
        l->read_ms = began_ms;
        l->failed_ms = 0;
    }
    free(old); /* nobody reads it without the lock */
    pthread_cond_broadcast(&l->was_read);
}

/* Lock held. While one reads, others go on with a list that is at most a second too old. */
static void make_fresh(struct limits *l)
{
    for (;;) {
        int64_t now = clock_mono_ms();
        int64_t age_ms = l->rules ? now - l->read_ms : INT64_MAX;
        bool has_failed = l->failed_ms && now - l->failed_ms < AFTER_FAILURE_MS;
        if (age_ms <= l->config->catalog_ms || has_failed)
            return;
        if (!l->is_reading) {
            read_now(l);
            return;
        }
        if (l->rules && age_ms <= l->config->catalog_ms + REFRESH_EVERY_MS)
            return;
        pthread_cond_wait(&l->was_read, &l->mu);
    }
}

/* A rule that names what the request has of that scope. */
static struct limit_rule scope_of(const struct limit_ask *ask, enum limit_scope scope)
{
    struct limit_rule rule = {0};
    switch (scope) {
    case LIMIT_KEY:
    case LIMIT_KEY_MODEL:
        rule.api_key_id = ask->api_key_id;
        break;
    case LIMIT_ACCOUNT:
    case LIMIT_ACCOUNT_MODEL:
        rule.account_id = ask->account_id;
        break;
    case LIMIT_GROUP:
    case LIMIT_GROUP_MODEL:
        rule.group_id = ask->group_id;
        break;
    case LIMIT_CHANNEL:
    case LIMIT_CHANNEL_MODEL:
        rule.channel_id = ask->channel_id;
        break;
    case LIMIT_MODEL:
        break;
    }
    if (scope == LIMIT_KEY_MODEL || scope == LIMIT_ACCOUNT_MODEL || scope == LIMIT_GROUP_MODEL ||
        scope == LIMIT_CHANNEL_MODEL || scope == LIMIT_MODEL)
        rule.model_id = ask->model_id;
    return rule;
}

enum err limit_rules_match(struct limits *l, const struct limit_ask *ask, struct limit_rule *out,
                           size_t *n)
{
    size_t first = ask->channel_id ? LIMIT_CHANNEL : LIMIT_KEY;
    size_t end = ask->channel_id ? LIMIT_CHANNEL_MODEL : LIMIT_MODEL;
    *n = 0;
    pthread_mutex_lock(&l->mu);
    make_fresh(l);
    l->is_used = true;
    enum err e = l->rules ? ERR_OK : ERR_UNAVAILABLE;
    for (size_t i = first; !e && l->rules_n && i <= end; i++) {
        struct limit_rule scope = scope_of(ask, (enum limit_scope)i);
        const struct limit_rule *rule =
            bsearch(&scope, l->rules, l->rules_n, sizeof(*l->rules), by_scope);
        if (!rule)
            continue;
        out[*n] = *rule;
        out[(*n)++].scope = (enum limit_scope)i;
    }
    pthread_mutex_unlock(&l->mu);
    return e;
}

bool limit_rules_refresh(struct limits *l)
{
    pthread_mutex_lock(&l->mu);
    bool is_used = l->is_used;
    bool is_due = !l->rules ||
                  clock_mono_ms() - l->read_ms + REFRESH_EVERY_MS > l->config->catalog_ms;
    if (is_used && is_due && !l->is_reading)
        read_now(l);
    pthread_mutex_unlock(&l->mu);
    return is_used;
}
