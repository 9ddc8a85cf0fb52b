#include "db/catalog_read.h"

#include "base/arena.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/log.h"
#include "db/channel_list.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SNAPSHOT_BYTES_MAX ((size_t)64 << 20)
#define SECRET_SQL_MAX     2048 /* channel_keys.secret */
#define AAD_SIZE           40
#define HINTED_BYTES       16 /* of a shorter secret nothing is shown */

/* A plain secret that is to be sealed. */
struct unsealed {
    int64_t key_id;
    int64_t channel_id;
    const char *secret;
};

/* One reading; everything but the lists of the reading itself ends up in the snapshot. */
struct reader {
    struct db_conn *conn;
    struct arena *arena;
    struct snapshot *snapshot;
    const uint8_t *seal_key;
    struct catalog_channel *channels; /* by id */
    size_t channels_n;
    struct catalog_model *models; /* by name, unpriced ones included */
    struct catalog_model **by_id;
    size_t models_n;
    struct capability_list capabilities;
    struct unsealed *unsealed;
    size_t unsealed_n;
    bool has_enabled; /* an admin has enabled a key that the gateway had disabled */
};

static void *array_of(struct reader *r, size_t n, size_t size)
{
    return arena_alloc(r->arena, (n ? n : 1) * size);
}

static const char *copy_col(struct reader *r, const struct db_stmt *s, size_t col)
{
    return arena_copy(r->arena, db_col_text(s, col));
}

/* ---- keys of channels ---- */

static struct catalog_channel *channel_by_id(const struct reader *r, int64_t id)
{
    return channel_list_find(r->channels, r->channels_n, id);
}

/* The additional data that binds a sealed secret to its channel. */
static struct slice aad_of(char *buffer, int64_t channel_id)
{
    int n = snprintf(buffer, AAD_SIZE, "channel:%lld", (long long)channel_id);
    return (struct slice){buffer, (size_t)n};
}

/* The plain secret, in the arena. NULL: it cannot be opened, or memory is out. */
static const char *open_secret(struct reader *r, int64_t key_id, int64_t channel_id,
                               struct slice secret)
{
    char aad[AAD_SIZE], plain[SEAL_TEXT_MAX];
    if (!seal_is_sealed(secret)) {
        const char *p = arena_copy(r->arena, secret);
        r->unsealed[r->unsealed_n++] = (struct unsealed){key_id, channel_id, p};
        return p;
    }
    if (!r->seal_key ||
        seal_open(r->seal_key, aad_of(aad, channel_id), secret, plain, sizeof(plain))) {
        r->snapshot->skipped_n++;
        r->snapshot->skipped_id = key_id;
        return NULL;
    }
    const char *p = arena_copy(r->arena, slice_of(plain));
    hash_wipe(plain, sizeof(plain));
    return p;
}

/* With those that the gateway has disabled and means to try again. */
static const char sql_keys[] =
    "SELECT id, channel_id, secret, weight, status = 'disabled',"
    " GREATEST(COALESCE(TIMESTAMPDIFF(MICROSECOND, UTC_TIMESTAMP(3), cooldown_until), 0),"
    " IF(status = 'disabled', TIMESTAMPDIFF(MICROSECOND, UTC_TIMESTAMP(3), probe_at), 0)),"
    " status = 'enabled' AND probe_at IS NOT NULL"
    " FROM channel_keys WHERE status = 'enabled' OR probe_at IS NOT NULL ORDER BY channel_id, id";

/* The end of a secret that is long enough to give four characters away. */
static void print_hint(char hint[CATALOG_KEY_HINT_SIZE], const char *secret)
{
    size_t n = strlen(secret);
    if (n >= HINTED_BYTES) /* else it stays empty */
        (void)snprintf(hint, CATALOG_KEY_HINT_SIZE, "...%s", secret + n - 4);
}

static void take_key(struct reader *r, const struct db_stmt *s, struct catalog_channel_key *k)
{
    int64_t wait_us = db_col_i64(s, 5);
    k->id = db_col_i64(s, 0);
    k->weight = db_col_i64(s, 3);
    k->is_disabled = db_col_i64(s, 4);
    if (wait_us > 0)
        k->ready_ms = r->snapshot->catalog.read_mono_ms + wait_us / 1000 + 1;
    r->has_enabled = r->has_enabled || db_col_i64(s, 6);
    print_hint(k->hint, k->secret);
}

static enum err read_keys(struct reader *r)
{
    struct db_stmt *s = NULL;
    enum err e = db_run(r->conn, sql_keys, NULL, 0, &s);
    if (e)
        return e;
    struct catalog_channel_key *keys = array_of(r, db_changed(r->conn), sizeof(*keys));
    r->unsealed = array_of(r, db_changed(r->conn), sizeof(*r->unsealed));
    r->snapshot->keys = keys;
    if (!keys || !r->unsealed)
        return ERR_MEMORY;
    while (!(e = db_next(s))) {
        struct catalog_channel *c = channel_by_id(r, db_col_i64(s, 1));
        const char *secret = c ? open_secret(r, db_col_i64(s, 0), c->id, db_col_text(s, 2)) : NULL;
        if (!secret)
            continue;
        struct catalog_channel_key *k = &keys[r->snapshot->keys_n++];
        k->secret = secret;
        take_key(r, s, k);
        if (!c->keys_n++)
            c->keys = k;
    }
    return e == ERR_END ? ERR_OK : e;
}

/* ---- models and their prices ---- */

static int compare_model_id(const void *x, const void *y)
{
    int64_t a = (*(struct catalog_model *const *)x)->id,
            b = (*(struct catalog_model *const *)y)->id;
    return (a > b) - (a < b);
}

static const char sql_models[] =
    "SELECT id, name, kind, owned_by, FLOOR(UNIX_TIMESTAMP(created_at)), context_tokens, "
    "output_tokens_max, image_tokens,"
    " file_tokens, audio_tokens, COALESCE(display_name, name) FROM models WHERE status = 'enabled' "
    "ORDER BY name";

static enum err read_models(struct reader *r)
{
    struct db_stmt *s = NULL;
    enum err e = db_run(r->conn, sql_models, NULL, 0, &s);
    if (e)
        return e;
    r->models = array_of(r, db_changed(r->conn), sizeof(*r->models));
    r->by_id = array_of(r, db_changed(r->conn), sizeof(struct catalog_model *));
    if (!r->models || !r->by_id)
        return ERR_MEMORY;
    while (!(e = db_next(s))) {
        struct catalog_model *m = &r->models[r->models_n];
        r->by_id[r->models_n++] = m;
        m->id = db_col_i64(s, 0);
        m->name = copy_col(r, s, 1);
        m->kind = copy_col(r, s, 2);
        m->owned_by = copy_col(r, s, 3);
        m->created_s = db_col_i64(s, 4);
        m->context_tokens = db_col_i64(s, 5);
        m->output_tokens_max = db_col_i64(s, 6);
        m->image_tokens = db_col_i64(s, 7);
        m->file_tokens = db_col_i64(s, 8);
        m->audio_tokens = db_col_i64(s, 9);
        m->display_name = copy_col(r, s, 10);
        price_clear(&m->price);
        if (!m->name || !m->kind || !m->owned_by || !m->display_name)
            return ERR_MEMORY;
    }
    qsort(r->by_id, r->models_n, sizeof(struct catalog_model *), compare_model_id);
    return e == ERR_END ? ERR_OK : e;
}

static struct catalog_model *model_by_id(const struct reader *r, int64_t id)
{
    struct catalog_model key = {.id = id}, *at = &key;
    struct catalog_model **found =
        bsearch(&at, r->by_id, r->models_n, sizeof(struct catalog_model *), compare_model_id);
    return found ? *found : NULL;
}

/* In force: the newest that is not in the future. */
static const char sql_prices[] =
    "SELECT p.model_id, p.scope, p.scope_id, p.id, p.unit, p.qualifier, p.amount FROM prices p"
    " WHERE p.valid_from <= UTC_TIMESTAMP(3)"
    " AND NOT EXISTS (SELECT 1 FROM prices n WHERE n.model_id = p.model_id AND n.scope = p.scope "
    "AND n.scope_id = p.scope_id AND n.unit = p.unit AND n.qualifier = p.qualifier"
    " AND n.valid_from > p.valid_from AND n.valid_from <= UTC_TIMESTAMP(3))"
    " ORDER BY p.model_id, p.scope, p.scope_id, p.id";

/* Where the rows of sql_prices go. */
struct price_places {
    struct price_list *list; /* of the row before; starts one before the first */
    struct price_row *row;   /* the next free one */
    int64_t model_id;        /* of the row before */
};

static void word_of(char *dst, size_t size, const struct db_stmt *s, size_t col)
{
    slice_copy_z(dst, size, db_col_text(s, col));
}

/* The row that s stands on. False: its words are not known; the CHECKs of the table keep that
 * out. */
static bool take_price(const struct db_stmt *s, enum price_scope *scope, struct price_row *row)
{
    char name[33], unit[33], qualifier[33];
    word_of(name, sizeof(name), s, 1);
    word_of(unit, sizeof(unit), s, 4);
    word_of(qualifier, sizeof(qualifier), s, 5);
    if (price_scope_parse(name, scope) || price_unit_parse(unit, &row->unit) ||
        price_qualifier_parse(qualifier, &row->service, &row->above))
        return false;
    row->id = db_col_i64(s, 3);
    row->amount_nusd = db_col_nusd(s, 6);
    return true;
}

static void add_price(struct price_places *at, const struct db_stmt *s, struct catalog_model *m)
{
    enum price_scope scope;
    int64_t scope_id = db_col_i64(s, 2);
    if (!take_price(s, &scope, at->row))
        return;
    if (at->model_id != m->id || at->list->scope != scope || at->list->scope_id != scope_id) {
        *++at->list = (struct price_list){scope, scope_id, at->row, 0};
        if (at->model_id != m->id)
            m->prices.lists = at->list;
        m->prices.lists_n++;
        at->model_id = m->id;
    }
    at->list->rows_n++;
    at->row++;
}

static enum err read_prices(struct reader *r)
{
    struct db_stmt *s = NULL;
    enum err e = db_run(r->conn, sql_prices, NULL, 0, &s);
    if (e)
        return e;
    struct price_list *lists = array_of(r, db_changed(r->conn) + 1, sizeof(*lists));
    struct price_places at = {.list = lists,
                              .row = array_of(r, db_changed(r->conn), sizeof(*at.row))};
    if (!lists || !at.row)
        return ERR_MEMORY;
    while (!(e = db_next(s))) {
        struct catalog_model *m = model_by_id(r, db_col_i64(s, 0));
        if (m)
            add_price(&at, s, m);
    }
    for (size_t i = 0; i < r->models_n; i++) {
        struct price_choice everybody = price_choose(&r->models[i].prices, 0, 0);
        price_pick(&everybody, SERVICE_ORDINARY, 0, &r->models[i].price);
    }
    return e == ERR_END ? ERR_OK : e;
}

/* ---- routes and their overrides ---- */

#define FROM_ROUTES                                                                                \
    " FROM channel_models cm JOIN channels c ON c.id = cm.channel_id JOIN models m ON m.id = "     \
    "cm.model_id"
#define WHERE_ROUTES                                                                               \
    " WHERE cm.status = 'enabled' AND c.status = 'enabled' AND m.status = 'enabled'"
#define ORDER_ROUTES " ORDER BY m.id, c.priority DESC, c.id"

static const char sql_routes[] =
    "SELECT m.id, c.id, COALESCE(cm.upstream_name, m.name), COALESCE(cm.connect_ms, c.connect_ms),"
    " COALESCE(cm.first_byte_ms, c.first_byte_ms), COALESCE(cm.between_bytes_ms,"
    " c.between_bytes_ms), COALESCE(cm.total_ms, c.total_ms)" FROM_ROUTES WHERE_ROUTES ORDER_ROUTES;

static enum err read_routes(struct reader *r)
{
    struct db_stmt *s = NULL;
    enum err e = db_run(r->conn, sql_routes, NULL, 0, &s);
    if (e)
        return e;
    struct catalog_route *route = array_of(r, db_changed(r->conn), sizeof(*route));
    if (!route)
        return ERR_MEMORY;
    while (!(e = db_next(s))) {
        struct catalog_model *m = model_by_id(r, db_col_i64(s, 0));
        const struct catalog_channel *c = channel_by_id(r, db_col_i64(s, 1));
        if (!m || !c || !c->keys_n)
            continue;
        route->channel = c;
        route->upstream_name = copy_col(r, s, 2);
        if (!route->upstream_name)
            return ERR_MEMORY;
        route->timers = (struct catalog_timers){db_col_i64(s, 3), db_col_i64(s, 4),
                                                db_col_i64(s, 5), db_col_i64(s, 6)};
        route->capability = capability_find(&r->capabilities, route->upstream_name, m->name);
        if (!m->routes_n++)
            m->routes = route;
        route++;
    }
    return e == ERR_END ? ERR_OK : e;
}

static const char sql_overrides[] =
    "SELECT m.id, c.id, o.action, o.member, o.value" FROM_ROUTES
    " JOIN parameter_overrides o ON (o.channel_id = c.id OR o.provider = c.provider)"
    " AND (o.format IS NULL OR o.format = c.format)"
    " AND COALESCE(cm.upstream_name, m.name) LIKE o.model_pattern" WHERE_ROUTES ORDER_ROUTES
    ", o.id";

static enum override_action action_of(struct slice word)
{
    if (slice_eq_z(word, "default"))
        return OVERRIDE_DEFAULT;
    if (slice_eq_z(word, "remove"))
        return OVERRIDE_REMOVE;
    return slice_eq_z(word, "rename") ? OVERRIDE_RENAME : OVERRIDE_SET;
}

/* The routes are the reading's own until it ends: only here are they written through the model. */
static struct catalog_route *route_of(const struct catalog_model *m, int64_t channel_id)
{
    for (size_t i = 0; m && i < m->routes_n; i++) {
        union {
            const struct catalog_route *in;
            struct catalog_route *out;
        } route = {.in = &m->routes[i]};
        if (route.in->channel->id == channel_id)
            return route.out;
    }
    return NULL;
}

static enum err read_overrides(struct reader *r)
{
    struct db_stmt *s = NULL;
    enum err e = db_run(r->conn, sql_overrides, NULL, 0, &s);
    if (e)
        return e;
    struct catalog_override *o = array_of(r, db_changed(r->conn), sizeof(*o));
    if (!o)
        return ERR_MEMORY;
    while (!(e = db_next(s))) {
        struct catalog_route *route = route_of(model_by_id(r, db_col_i64(s, 0)), db_col_i64(s, 1));
        if (!route)
            continue;
        o->action = action_of(db_col_text(s, 2));
        o->member = copy_col(r, s, 3);
        o->value = db_col_is_null(s, 4) ? NULL : copy_col(r, s, 4);
        if (!o->member || (!o->value && !db_col_is_null(s, 4)))
            return ERR_MEMORY;
        if (!route->overrides_n++)
            route->overrides = o;
        o++;
    }
    return e == ERR_END ? ERR_OK : e;
}

/* ---- sealing ---- */

static const char sql_seal[] = "UPDATE channel_keys SET secret = ? WHERE id = ? AND secret = ?";

/* What fails is tried again at the next reading. */
static void seal_plain(struct reader *r)
{
    for (size_t i = 0; r->seal_key && i < r->unsealed_n; i++) {
        char aad[AAD_SIZE], sealed[SECRET_SQL_MAX + 1];
        const struct unsealed *u = &r->unsealed[i];
        enum err e = seal_text(r->seal_key, aad_of(aad, u->channel_id), slice_of(u->secret), sealed,
                               sizeof(sealed));
        if (!e) {
            struct db_value params[] = {DB_STRZ(sealed), DB_INT(u->key_id), DB_STRZ(u->secret)};
            e = db_run(r->conn, sql_seal, params, 3, NULL);
        }
        if (e)
            log_warn("channel_key_not_sealed", "channel_key=%lld error=%s", (long long)u->key_id,
                     err_name(e));
        else if (db_changed(r->conn))
            log_info("channel_key_sealed", "channel_key=%lld", (long long)u->key_id);
    }
}

static const char sql_forget[] = "UPDATE channel_keys SET probe_at = NULL, probes = 0, "
                                 "disabled_reason = NULL, disabled_at = NULL"
                                 " WHERE status = 'enabled' AND probe_at IS NOT NULL";

/* Else it would be tried again when the admin disables it for good. */
static void forget_probes(struct reader *r)
{
    enum err e = r->has_enabled ? db_run(r->conn, sql_forget, NULL, 0, NULL) : ERR_OK;
    if (e)
        log_warn("channel_key_probe_not_forgotten", "error=%s", err_name(e));
}

static enum err read_tables(struct reader *r)
{
    enum err e = db_begin_snapshot(r->conn);
    if (!e)
        e = channel_list_read(r->conn, r->arena, &r->channels, &r->channels_n);
    if (!e)
        e = read_keys(r);
    if (!e)
        e = read_models(r);
    if (!e)
        e = read_prices(r);
    if (!e)
        e = capability_read(r->conn, r->arena, &r->capabilities);
    if (!e)
        e = read_routes(r);
    if (!e)
        e = read_overrides(r);
    if (!e)
        e = alias_read(r->conn, r->arena, &r->snapshot->catalog.aliases);
    if (!e)
        e = site_read(r->conn, r->arena, &r->snapshot->catalog.site);
    db_rollback(r->conn);
    return e;
}

static enum err keep_priced(struct reader *r)
{
    struct catalog_model *kept = array_of(r, r->models_n, sizeof(*kept));
    if (!kept)
        return ERR_MEMORY;
    size_t n = 0;
    for (size_t i = 0; i < r->models_n; i++) {
        if (price_is_complete(&r->models[i].price))
            kept[n++] = r->models[i];
    }
    r->snapshot->catalog.models = kept;
    r->snapshot->catalog.models_n = n;
    return ERR_OK;
}

static int compare_model_name(const void *name, const void *model)
{
    return strcmp(name, ((const struct catalog_model *)model)->name);
}

/* What clients see of the model of that number; NULL when it is not sold. */
static const struct catalog_model *kept_model(const void *arg, int64_t id)
{
    const struct reader *r = arg;
    const struct catalog *c = &r->snapshot->catalog;
    const struct catalog_model *m = model_by_id(r, id);
    return m ? bsearch(m->name, c->models, c->models_n, sizeof(*m), compare_model_name) : NULL;
}

enum err snapshot_read(struct db *db, const uint8_t *seal_key, struct snapshot **out)
{
    struct snapshot *snapshot = calloc(1, sizeof(*snapshot));
    if (!snapshot)
        return ERR_MEMORY;
    snapshot->arena = arena_new(SNAPSHOT_BYTES_MAX);
    snapshot->catalog.read_mono_ms = clock_mono_ms();
    atomic_init(&snapshot->refs, 1);
    struct reader r = {.arena = snapshot->arena, .snapshot = snapshot, .seal_key = seal_key};
    enum err e = snapshot->arena ? db_take(db, &r.conn) : ERR_MEMORY;
    if (!e)
        e = read_tables(&r);
    if (!e)
        e = keep_priced(&r);
    if (!e) {
        alias_bind(&snapshot->catalog.aliases, kept_model, &r);
        seal_plain(&r);
        forget_probes(&r);
    }
    db_give(db, r.conn);
    if (e) {
        snapshot_free(snapshot);
        return e;
    }
    *out = snapshot;
    return ERR_OK;
}

void snapshot_free(struct snapshot *s)
{
    if (!s)
        return;
    for (size_t i = 0; i < s->keys_n; i++) {
        union {
            const char *in;
            char *out;
        } secret = {.in = s->keys[i].secret};
        hash_wipe(secret.out, strlen(secret.out));
    }
    arena_free(s->arena);
    free(s);
}
