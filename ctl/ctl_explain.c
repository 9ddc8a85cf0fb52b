#include "ctl/ctl.h"

#include "base/amount.h"
#include "base/hash.h"
#include "db/catalog.h"
#include "db/db.h"
#include "db/reconcile.h"
#include "upstream/format.h"
#include "upstream/select.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TEXT_SIZE   256
#define SQL_MAX     ((size_t)64 << 10)
#define FORMAT_USED "openai-chat"
#define COUNT(a)    (sizeof(a) / sizeof((a)[0]))

const struct ctl_option ctl_explain_options[] = {
    {"key",          "ID|HINT|KEY", "whose request"                                  },
    {"model",        "NAME",        "for which model"                                },
    {"format",       "FORMAT",      "that the client speaks (openai-chat)"           },
    {"conversation", "TEXT",        "what names it: the order of channels follows it"},
    {NULL,           NULL,          NULL                                             },
};

/* Who asks. */
struct asker_row {
    int64_t key_id, account_id, group_id;
    char hint[TEXT_SIZE], account[TEXT_SIZE], group[TEXT_SIZE];
    char fault[TEXT_SIZE]; /* why the key is refused; "": it is not */
};

/* One channel and key as the database has them. */
struct way {
    char channel[TEXT_SIZE], why[TEXT_SIZE]; /* "": it is considered */
    int64_t weight, key_weight;
    struct candidate candidate;
};

struct explain {
    struct db_conn *c;
    const struct catalog *catalog;
    const struct catalog_model *model;
    const struct format *format;
    const char *conversation;
    struct asker_row asker;
    struct way ways[SELECT_CANDIDATES_MAX];
    size_t ways_n;
    struct buf limits_sql; /* lives as long as the connection */
};

static void copy(char dst[TEXT_SIZE], struct slice s)
{
    if (!slice_copy_z(dst, TEXT_SIZE, s))
        dst[TEXT_SIZE - 1] = '\0';
}

/* ---- the key ---- */

static const char sql_key[] =
    "SELECT k.id, a.id, a.group_id, k.key_hint, a.name, g.name,"
    " CASE WHEN k.status <> 'active' THEN CONCAT('the key is ', k.status) WHEN a.status <> 'active'"
    " THEN 'the account is disabled' WHEN k.expires_at <= UTC_TIMESTAMP(3) THEN CONCAT('the key"
    " expired at ', k.expires_at) ELSE '' END"
    " FROM api_keys k JOIN accounts a ON a.id = k.account_id JOIN account_groups g ON g.id ="
    " a.group_id WHERE k.id = ? OR k.key_hint = ? OR k.key_hash = UNHEX(SHA2(?, 256)) LIMIT 2";

static enum ctl_exit find_key(struct explain *x, const char *name)
{
    struct db_stmt *s = NULL;
    int64_t id = 0;
    if (slice_to_i64(slice_of(name), &id))
        id = 0;
    struct db_value v[] = {DB_INT(id), DB_STRZ(name), DB_STRZ(name)};
    enum err e = db_run(x->c, sql_key, v, COUNT(v), &s);
    if (e)
        return ctl_fail("explain: %s", err_name(e));
    uint64_t n = db_changed(x->c);
    if (n != 1)
        return ctl_fail("explain: --key: %s", n ? "several keys have that hint; name one by its id"
                                                : "no key has that id, hint or text");
    if (db_next(s))
        return ctl_fail("explain: %s", err_name(ERR_DB));
    x->asker = (struct asker_row){
        .key_id = db_col_i64(s, 0), .account_id = db_col_i64(s, 1), .group_id = db_col_i64(s, 2)};
    copy(x->asker.hint, db_col_text(s, 3));
    copy(x->asker.account, db_col_text(s, 4));
    copy(x->asker.group, db_col_text(s, 5));
    copy(x->asker.fault, db_col_text(s, 6));
    return CTL_OK;
}

static const char sql_money[] =
    "SELECT b.balance, b.reserved, a.price_multiplier * g.price_multiplier,"
    " COALESCE((SELECT GROUP_CONCAT(r.address_range SEPARATOR ', ') FROM api_key_addresses r WHERE"
    " r.api_key_id = k.id), 'any address')"
    " FROM api_keys k JOIN accounts a ON a.id = k.account_id JOIN account_groups g ON g.id ="
    " a.group_id JOIN (SELECT x.id, COALESCE((SELECT c.balance FROM checkpoints c WHERE"
    " c.account_id = x.id ORDER BY c.id DESC LIMIT 1), 0) + COALESCE((SELECT SUM(l.amount) FROM"
    " ledger l WHERE l.account_id = x.id AND l.checkpoint_id IS NULL), 0) AS balance,"
    " COALESCE((SELECT SUM(s.amount) FROM leases s WHERE s.account_id = x.id), 0) AS reserved"
    " FROM accounts x) b ON b.id = a.id WHERE k.id = ?";

static enum ctl_exit print_money(const struct explain *x)
{
    struct db_stmt *s = NULL;
    struct db_value key = DB_INT(x->asker.key_id);
    enum err e = db_run(x->c, sql_money, &key, 1, &s);
    if (!e)
        e = db_next(s);
    if (e)
        return ctl_fail("explain: %s", err_name(e));
    printf("  balance: %.*s USD, of which running processes have reserved %.*s\n",
           SLICE_FMT(db_col_text(s, 0)), SLICE_FMT(db_col_text(s, 1)));
    printf("  prices are multiplied by %.*s\n", SLICE_FMT(db_col_text(s, 2)));
    printf("  allowed from %.*s\n", SLICE_FMT(db_col_text(s, 3)));
    return CTL_OK;
}

/* The lists that exist and do not have the model. */
static const char sql_lists[] =
    "SELECT t.what FROM (SELECT 'key' AS what, COUNT(*) AS n, COALESCE(SUM(model_id = ?), 0) AS"
    " hits FROM api_key_models WHERE api_key_id = ? UNION ALL SELECT 'account', COUNT(*),"
    " COALESCE(SUM(model_id = ?), 0) FROM account_models WHERE account_id = ? UNION ALL SELECT"
    " 'group', COUNT(*), COALESCE(SUM(model_id = ?), 0) FROM group_models WHERE group_id = ?) t"
    " WHERE t.n > 0 AND t.hits = 0";

static enum ctl_exit print_lists(const struct explain *x)
{
    struct db_stmt *s = NULL;
    struct db_value model = DB_INT(x->model ? x->model->id : 0);
    struct db_value v[] = {model, DB_INT(x->asker.key_id),  model, DB_INT(x->asker.account_id),
                           model, DB_INT(x->asker.group_id)};
    enum err e = db_run(x->c, sql_lists, v, COUNT(v), &s);
    while (!e && !(e = db_next(s)))
        printf("  REFUSED: the %.*s has a list of models, and this one is not in it\n",
               SLICE_FMT(db_col_text(s, 0)));
    return e == ERR_END ? CTL_OK : ctl_fail("explain: %s", err_name(e));
}

/* ---- limits ---- */

#define LIMIT_KINDS 6

static const char sql_limits_head[] =
    "SELECT CONCAT_WS(' and ', IF(v.api_key IS NULL, NULL, 'the key'), CONCAT('account ',"
    " v.account), CONCAT('group ', v.account_group), CONCAT('channel ', v.channel), CONCAT('model "
    "', v.model)),"
    " CAST(v.requests_per_minute AS CHAR), CAST(v.requests AS CHAR), CAST(v.tokens_per_minute AS"
    " CHAR), CAST(v.tokens AS CHAR), CAST(v.concurrent_requests AS CHAR), CAST(v.slots AS CHAR),"
    " v.spend_total, v.spent_total, v.spend_day, v.spent_day, v.spend_month,"
    " v.spent_month, v.held, v.spend_left FROM (";
static const char sql_limits_tail[] =
    ") v JOIN rate_limits l ON l.id = v.limit_id WHERE (l.model_id IS NULL OR l.model_id = ?) AND"
    " (l.api_key_id IS NULL OR l.api_key_id = ?) AND (l.account_id IS NULL OR l.account_id = ?)"
    " AND (l.group_id IS NULL OR l.group_id = ?) AND (l.channel_id IS NULL OR l.channel_id IN"
    " (SELECT cm.channel_id FROM channel_models cm WHERE cm.model_id = ?)) ORDER BY v.limit_id";

static void print_limit(const struct db_stmt *s)
{
    static const char *const kinds[LIMIT_KINDS] = {
        "requests a minute, borrowed", "tokens a minute, borrowed", "requests at once, taken",
        "USD in all, spent",           "USD a day, spent",          "USD a month, spent"};
    const char *between = "";
    printf("  limit of %.*s: ", SLICE_FMT(db_col_text(s, 0)));
    for (size_t i = 0; i < LIMIT_KINDS; i++) {
        size_t col = 1 + 2 * i;
        if (db_col_is_null(s, col))
            continue;
        printf("%s%.*s %s %.*s", between, SLICE_FMT(db_col_text(s, col)), kinds[i],
               SLICE_FMT(db_col_text(s, col + 1)));
        between = "; ";
    }
    if (!db_col_is_null(s, 2 + 2 * LIMIT_KINDS))
        printf("; running requests hold %.*s USD, %.*s left",
               SLICE_FMT(db_col_text(s, 1 + 2 * LIMIT_KINDS)),
               SLICE_FMT(db_col_text(s, 2 + 2 * LIMIT_KINDS)));
    putchar('\n');
}

/* sql: lives as long as the connection. */
static enum ctl_exit print_limits(const struct explain *x, struct buf *sql)
{
    struct db_stmt *s = NULL;
    struct db_value v[] = {DB_INT(x->model ? x->model->id : 0), DB_INT(x->asker.key_id),
                           DB_INT(x->asker.account_id), DB_INT(x->asker.group_id),
                           DB_INT(x->model ? x->model->id : 0)};
    enum err e = buf_append_z(sql, sql_limits_head);
    if (!e)
        e = reconcile_view_sql("v_rate_limits", sql);
    if (!e)
        e = buf_append_z(sql, sql_limits_tail);
    if (!e)
        e = db_run(x->c, sql->p, v, COUNT(v), &s);
    while (!e && !(e = db_next(s)))
        print_limit(s);
    return e == ERR_END ? CTL_OK : ctl_fail("explain: %s", err_name(e));
}

/* ---- the model ---- */

static void print_model(const struct explain *x, const char *name)
{
    struct price price;
    if (!x->model) {
        printf(
            "model %s\n  REFUSED: no enabled model of that name has prices, nor does an alias lead "
            "to one\n",
            name);
        return;
    }
    struct price_choice choice =
        price_choose(&x->model->prices, x->asker.group_id, x->asker.account_id);
    price_pick(&choice, SERVICE_ORDINARY, 0, &price);
    printf("model %s%s%s\n", x->model->name,
           strcmp(x->model->name, name) != 0 ? ", by the alias " : "",
           strcmp(x->model->name, name) != 0 ? name : "");
    for (int u = 0; u < PRICE_UNITS; u++) {
        char text[MONEY_TEXT_SIZE];
        if (price.amount_nusd[u] >= 0)
            printf("  price of %s: %s USD\n", price_unit_name((enum price_unit)u),
                   amount_print(text, price.amount_nusd[u]));
    }
}

/* ---- the channels ---- */

/* Why a channel or key is passed over; the first that holds. */
static const char sql_ways[] =
    "SELECT c.id, c.name, c.format, c.priority, c.weight, k.id, k.weight,"
    " CASE WHEN c.status <> 'enabled' THEN CONCAT('the channel is ', c.status)"
    " WHEN cm.status <> 'enabled' THEN 'the model is disabled there'"
    " WHEN EXISTS (SELECT 1 FROM channel_groups cg WHERE cg.channel_id = c.id) AND NOT EXISTS"
    " (SELECT 1 FROM channel_groups cg WHERE cg.channel_id = c.id AND cg.group_id = ?) THEN"
    " 'not for this group (channel_groups)'"
    " WHEN k.id IS NULL THEN 'it has no key'"
    " WHEN k.status = 'disabled' AND k.probe_at IS NULL THEN CONCAT('its key is disabled',"
    " COALESCE(CONCAT(': ', k.disabled_reason), ''))"
    " WHEN k.status = 'disabled' AND k.probe_at > UTC_TIMESTAMP(3) THEN CONCAT('its key was refused"
    " (', COALESCE(k.disabled_reason, ''), '), tried again at ', k.probe_at)"
    " WHEN k.cooldown_until > UTC_TIMESTAMP(3) THEN CONCAT('its key pauses until ',"
    " k.cooldown_until)"
    " WHEN EXISTS (SELECT 1 FROM rate_limits l WHERE l.channel_id = c.id AND (l.model_id IS NULL OR"
    " l.model_id = cm.model_id) AND 0 IN (l.requests_per_minute, l.tokens_per_minute,"
    " l.concurrent_requests)) THEN 'one of its limits is 0'"
    " ELSE '' END"
    " FROM channel_models cm JOIN channels c ON c.id = cm.channel_id LEFT JOIN channel_keys k ON"
    " k.channel_id = c.id WHERE cm.model_id = ? ORDER BY c.priority DESC, c.id, k.id";

static void take_way(struct explain *x, const struct db_stmt *s)
{
    struct way *w = &x->ways[x->ways_n++];
    char format_name[TEXT_SIZE / 4];
    *w = (struct way){
        .candidate = {.channel_id = db_col_i64(s, 0),
                      .key_id = db_col_i64(s, 5),
                      .priority = db_col_i64(s, 3),
                      .weight = db_col_i64(s, 4) * db_col_i64(s, 6),
                      .key_weight = db_col_i64(s, 6)}
    };
    w->weight = db_col_i64(s, 4);
    w->key_weight = db_col_i64(s, 6);
    copy(w->channel, db_col_text(s, 1));
    (void)slice_copy_z(format_name, sizeof(format_name), db_col_text(s, 2));
    copy(w->why, db_col_text(s, 7));
    const struct format *provider = format_find(format_name);
    bool can_carry = provider && (provider == x->format || provider->encode_request);
    if (!w->why[0] && !can_carry)
        (void)snprintf(w->why, sizeof(w->why), "requests cannot be carried to %s", format_name);
    w->candidate.is_tried = w->why[0] != '\0';
}

static enum ctl_exit read_ways(struct explain *x)
{
    struct db_stmt *s = NULL;
    struct db_value v[] = {DB_INT(x->asker.group_id), DB_INT(x->model->id)};
    enum err e = db_run(x->c, sql_ways, v, COUNT(v), &s);
    while (!e && !(e = db_next(s)) && x->ways_n < SELECT_CANDIDATES_MAX)
        take_way(x, s);
    return !e || e == ERR_END ? CTL_OK : ctl_fail("explain: %s", err_name(e));
}

static void print_ways(struct explain *x)
{
    struct candidate all[SELECT_CANDIDATES_MAX];
    uint64_t affinity = hash_64(slice_of(x->conversation), (uint64_t)x->asker.account_id);
    size_t i, n = 0;
    for (i = 0; i < x->ways_n; i++)
        all[i] = x->ways[i].candidate;
    puts("channels, in the order in which this conversation tries them:");
    while ((i = select_next(all, x->ways_n, affinity)) != SELECT_NONE) {
        const struct way *w = &x->ways[i];
        printf("  %zu. %s, key %lld: priority %lld, weight %lld x %lld\n", ++n, w->channel,
               (long long)w->candidate.key_id, (long long)w->candidate.priority,
               (long long)w->weight, (long long)w->key_weight);
        all[i].is_tried = true;
    }
    if (!n)
        puts("  none: requests are answered with 503");
    for (i = 0; i < x->ways_n; i++)
        if (x->ways[i].why[0])
            printf("  skipped: %s, key %lld: %s\n", x->ways[i].channel,
                   (long long)x->ways[i].candidate.key_id, x->ways[i].why);
    puts("What processes leave alone for a while (breakers) is not "
         "seen here; v_channel_health tells what came of it.");
}

/* ---- the command ---- */

static enum ctl_exit explain(struct explain *x, const struct ctl_args *args)
{
    const char *name = ctl_value(args, "model");
    enum ctl_exit result = find_key(x, ctl_value(args, "key"));
    if (result)
        return result;
    x->model = catalog_find_model(x->catalog, slice_of(name));
    printf("key %lld %s of account %s, group %s\n", (long long)x->asker.key_id, x->asker.hint,
           x->asker.account, x->asker.group);
    if (x->asker.fault[0])
        printf("  REFUSED: %s\n", x->asker.fault);
    result = print_money(x);
    if (!result)
        result = print_lists(x);
    if (!result)
        result = print_limits(x, &x->limits_sql);
    if (result)
        return result;
    print_model(x, name);
    if (!x->model)
        return CTL_OK;
    result = read_ways(x);
    if (!result)
        print_ways(x);
    return result;
}

static enum ctl_exit open_all(const struct ctl_args *args, struct db *db,
                              struct catalog_store *store, struct explain *x)
{
    enum err e = db && store ? catalog_acquire(store, &x->catalog) : ERR_MEMORY;
    if (e)
        return ctl_fail("explain: %s", err_name(e));
    e = db_take(db, &x->c);
    enum ctl_exit result = e ? ctl_fail("explain: %s", err_name(e)) : explain(x, args);
    db_give(db, x->c);
    catalog_release(store, x->catalog);
    return result;
}

enum ctl_exit ctl_explain(const struct ctl_args *args)
{
    const char *format = ctl_value(args, "format");
    struct explain *x = calloc(1, sizeof(*x));
    if (!x)
        return ctl_fail("explain: %s", err_name(ERR_MEMORY));
    x->conversation = ctl_value(args, "conversation") ? ctl_value(args, "conversation") : "";
    x->format = format_find(format ? format : FORMAT_USED);
    if (!ctl_value(args, "key") || !ctl_value(args, "model") || !x->format) {
        (void)ctl_fail("explain: %s", x->format ? "--key and --model are needed"
                                                : "--format: there is no such format");
        free(x);
        return CTL_USAGE;
    }
    struct config *config = ctl_config(args);
    enum ctl_exit result = CTL_FAILED;
    buf_init(&x->limits_sql, SQL_MAX);
    if (config) {
        struct db *db = db_new(config);
        struct catalog_store *store = db ? catalog_store_new(db, config) : NULL;
        result = open_all(args, db, store, x);
        catalog_store_free(store);
        db_free(db);
    }
    config_free(config);
    buf_clear(&x->limits_sql);
    free(x);
    return result;
}
