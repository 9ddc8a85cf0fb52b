#include "db/key_query.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/amount.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define MODELS_FIRST 16 /* room for the model list of a key; doubled when it is full */

/* One row for each model in the key's own list, or one with NULL. The other lists come as texts in
 * which each item ends with a comma: of one that is cut, for it is too long, the last is no item.
 * What is not valid now is not read: disabled, revoked and expired keys, keys of disabled accounts. */
#define LIST_OF(item, from)                                                                        \
    "(SELECT GROUP_CONCAT(CONCAT(" item ", ',') SEPARATOR '') FROM " from ")"
#define ACCOUNT_MODELS LIST_OF("l.model_id", "account_models l WHERE l.account_id = a.id")
#define GROUP_MODELS   LIST_OF("l.model_id", "group_models l WHERE l.group_id = a.group_id")
#define ADDRESSES      LIST_OF("r.address_range", "api_key_addresses r WHERE r.api_key_id = k.id")
#define SELECT_KEYS                                                                                \
    "SELECT k.id, k.key_hash, k.account_id, a.group_id, g.price_multiplier, a.price_multiplier, "  \
    "k.name, k.key_hint, TIMESTAMPDIFF(MICROSECOND, UTC_TIMESTAMP(3), k.expires_at) DIV "          \
    "1000, " ACCOUNT_MODELS ", " GROUP_MODELS ", " ADDRESSES                                       \
    ", m.model_id FROM api_keys k JOIN accounts a ON a.id = k.account_id JOIN "                    \
    "account_groups g ON g.id = a.group_id LEFT JOIN api_key_models m ON m.api_key_id = "          \
    "k.id WHERE k.status = 'active' AND a.status = 'active' AND (k.expires_at IS NULL OR "         \
    "k.expires_at > UTC_TIMESTAMP(3))"
#define ORDER_KEYS " ORDER BY k.id, m.model_id"

enum {
    COL_ID,
    COL_HASH,
    COL_ACCOUNT,
    COL_GROUP,
    COL_GROUP_MULTIPLIER,
    COL_ACCOUNT_MULTIPLIER,
    COL_NAME,
    COL_HINT,
    COL_LEFT_MS,
    COL_ACCOUNT_MODELS,
    COL_GROUP_MODELS,
    COL_ADDRESSES,
    COL_MODEL
};

struct key_object *key_object_ref(struct key_object *o)
{
    atomic_fetch_add_explicit(&o->refs, 1, memory_order_relaxed);
    return o;
}

void key_object_unref(struct key_object *o)
{
    if (!o || atomic_fetch_sub(&o->refs, 1) != 1)
        return;
    free(o->allowed);
    free(o->ranges);
    free(o);
}

/* Multipliers are DECIMAL(9,6): always in range. */
static int64_t multiplier_of(const struct db_stmt *s, size_t col)
{
    int64_t ppm = 0;
    enum err e = amount_parse_millionths(db_col_text(s, col), &ppm);
    assert(!e);
    return ppm;
}

/* ---- lists ---- */

static size_t count_commas(struct slice text)
{
    size_t n = 0;
    for (size_t i = 0; i < text.n; i++)
        n += text.p[i] == ',';
    return n;
}

static int by_id(const void *x, const void *y)
{
    const int64_t *a = x, *b = y;
    return (*a > *b) - (*a < *b);
}

/* Keeps of ids those that are in list as well; both ascending. Returns how many. */
static size_t intersect(int64_t *ids, size_t n, const int64_t *list, size_t list_n)
{
    size_t kept = 0;
    for (size_t i = 0; i < n; i++)
        if (bsearch(&ids[i], list, list_n, sizeof(*list), by_id))
            ids[kept++] = ids[i];
    return kept;
}

/* Narrows what the object allows by one list of models. text.p NULL: there is none. False: no memory. */
static bool read_models(struct key_object *o, struct slice text)
{
    size_t max = count_commas(text), n = 0;
    if (!text.p)
        return true;
    int64_t *list = calloc(max + 1, sizeof(*list));
    if (!list)
        return false;
    for (struct slice rest = text; n < max; n++) {
        enum err e = slice_to_i64(slice_split(&rest, ','), &list[n]);
        assert(!e);
    }
    qsort(list, n, sizeof(*list), by_id);
    if (o->allowed) {
        o->allowed_n = intersect(o->allowed, o->allowed_n, list, n);
        free(list);
    } else {
        o->allowed = list;
        o->allowed_n = n;
    }
    return true;
}

/* What is no range allows nothing. False: no memory. */
static bool read_ranges(struct key_object *o, struct slice text)
{
    size_t max = count_commas(text);
    if (!text.p)
        return true;
    o->ranges = calloc(max + 1, sizeof(*o->ranges));
    if (!o->ranges)
        return false;
    struct slice rest = text;
    for (size_t i = 0; i < max; i++) {
        struct slice item = slice_split(&rest, ',');
        if (address_range_parse(item, &o->ranges[o->key.ranges_n]) == ERR_OK)
            o->key.ranges_n++;
        else
            log_error("address_range", "key=%lld range=%.*s problem=\"matches nothing\"",
                      (long long)o->key.id, SLICE_FMT(item));
    }
    o->key.ranges = o->ranges;
    return true;
}

/* All rows were read: the key's own list and the others become one. */
static void finish_lists(struct key_object *o)
{
    struct key *key = &o->key;
    if (!key->model_ids_n) {
        key->model_ids = o->allowed; /* NULL: no list at all */
        key->model_ids_n = o->allowed_n;
        return;
    }
    key->model_ids = o->model_ids;
    if (o->allowed)
        key->model_ids_n = intersect(o->model_ids, key->model_ids_n, o->allowed, o->allowed_n);
}

/* The key of the row that s stands on, with room for models_max models. */
static struct key_object *object_of_row(const struct db_stmt *s, int64_t now, size_t models_max)
{
    struct key_object *o = calloc(1, sizeof(*o) + models_max * sizeof(o->model_ids[0]));
    if (!o)
        return NULL;
    atomic_init(&o->refs, 1);
    o->key.id = db_col_i64(s, COL_ID);
    o->key.account_id = db_col_i64(s, COL_ACCOUNT);
    o->key.group_id = db_col_i64(s, COL_GROUP);
    o->key.group_multiplier_ppm = multiplier_of(s, COL_GROUP_MULTIPLIER);
    o->key.account_multiplier_ppm = multiplier_of(s, COL_ACCOUNT_MULTIPLIER);
    slice_copy_z(o->key.name, sizeof(o->key.name), db_col_text(s, COL_NAME));
    slice_copy_z(o->key.hint, sizeof(o->key.hint), db_col_text(s, COL_HINT));
    assert(db_col_text(s, COL_HASH).n == SHA256_BYTES);
    memcpy(o->hash, db_col_text(s, COL_HASH).p, SHA256_BYTES);
    o->expires_mono_ms = db_col_is_null(s, COL_LEFT_MS) ? INT64_MAX
                                                        : now + db_col_i64(s, COL_LEFT_MS);
    if (!read_models(o, db_col_text(s, COL_ACCOUNT_MODELS)) ||
        !read_models(o, db_col_text(s, COL_GROUP_MODELS)) ||
        !read_ranges(o, db_col_text(s, COL_ADDRESSES))) {
        key_object_unref(o);
        return NULL;
    }
    return o;
}

/* One more model at the end; the object may move. False: no memory, the object is gone. */
static bool add_model(struct key_object **o, int64_t model_id)
{
    size_t n = (*o)->key.model_ids_n;
    if (n >= MODELS_FIRST && !(n & (n - 1))) { /* full: n is MODELS_FIRST times a power of two */
        struct key_object *larger = realloc(*o, sizeof(**o) + 2 * n * sizeof((*o)->model_ids[0]));
        if (!larger) {
            key_object_unref(*o);
            *o = NULL;
            return false;
        }
        *o = larger;
    }
    (*o)->model_ids[n] = model_id;
    (*o)->key.model_ids_n = n + 1;
    return true;
}

static void unref_all(struct key_object **found, size_t n)
{
    for (size_t i = 0; i < n; i++)
        key_object_unref(found[i]);
}

/* All keys of a result, at most max. */
static enum err read_keys(struct db_stmt *s, size_t max, struct key_object **found, size_t *found_n)
{
    int64_t now = clock_mono_ms();
    size_t n = 0;
    enum err e;
    while (!(e = db_next(s))) {
        if (!n || found[n - 1]->key.id != db_col_i64(s, COL_ID)) {
            assert(n < max);
            found[n] = object_of_row(s, now, MODELS_FIRST);
            if (!found[n]) {
                e = ERR_MEMORY;
                break;
            }
            n++;
        }
        if (!db_col_is_null(s, COL_MODEL) && !add_model(&found[n - 1], db_col_i64(s, COL_MODEL))) {
            n--;
            e = ERR_MEMORY;
            break;
        }
    }
    if (e != ERR_END) {
        unref_all(found, n);
        return e;
    }
    for (size_t i = 0; i < n; i++)
        finish_lists(found[i]);
    *found_n = n;
    return ERR_OK;
}

static const char sql_by_hash[] = SELECT_KEYS " AND k.key_hash = ?" ORDER_KEYS;

enum err key_query_hash(struct db *db, const uint8_t *hash, struct key_object **out)
{
    union {
        const uint8_t *in;
        const char *out;
    } bytes = {.in = hash};
    struct db_value param = DB_BYTES(((struct slice){bytes.out, SHA256_BYTES}));
    struct db_conn *c = NULL;
    struct db_stmt *s = NULL;
    struct key_object *found = NULL;
    size_t n = 0;
    enum err e = db_take(db, &c);
    if (!e)
        e = db_run(c, sql_by_hash, &param, 1, &s);
    if (!e)
        e = read_keys(s, 1, &found, &n);
    db_give(db, c);
    if (!e)
        *out = n ? found : NULL;
    return e;
}

#define MARKS_8 "?,?,?,?,?,?,?,?"
#define MARKS_64                                                                                   \
    MARKS_8 "," MARKS_8 "," MARKS_8 "," MARKS_8 "," MARKS_8 "," MARKS_8 "," MARKS_8 "," MARKS_8

static const char sql_by_ids[] = SELECT_KEYS " AND k.id IN (" MARKS_64 ")" ORDER_KEYS;

enum err key_query_ids(struct db_conn *c, const int64_t *ids, size_t n, struct key_object **found,
                       size_t *found_n)
{
    struct db_value params[KEY_BATCH];
    struct db_stmt *s = NULL;
    assert(n <= KEY_BATCH);
    for (size_t i = 0; i < KEY_BATCH; i++)
        params[i] = DB_INT(i < n ? ids[i] : 0); /* no key has the id 0 */
    enum err e = db_run(c, sql_by_ids, params, KEY_BATCH, &s);
    return e ? e : read_keys(s, KEY_BATCH, found, found_n);
}
