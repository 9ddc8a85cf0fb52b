#include "db/objects.h"

#define BATCH_ROWS  500 /* in one transaction: others wait no longer for their locks */
#define BATCHES_MAX 2000
#define COUNT(a)    (sizeof(a) / sizeof((a)[0]))

static const char *const kind_names[] = {[OBJECT_RESPONSE] = "response"};

static bool is_id(struct slice id)
{
    if (!id.n || id.n > OBJECT_ID_MAX)
        return false;
    for (size_t i = 0; i < id.n; i++) {
        if (id.p[i] <= ' ' || id.p[i] > '~')
            return false;
    }
    return true;
}

static const char sql_find[] =
    "SELECT account_id, channel_id, channel_key_id FROM provider_objects"
    " WHERE kind = ? AND id = ? AND account_id = ? AND expires_at > UTC_TIMESTAMP(3)";

static enum err find(struct db_conn *c, enum object_kind kind, struct slice id, int64_t account_id,
                     struct object_place *out)
{
    struct db_value v[] = {DB_STRZ(kind_names[kind]), DB_STR(id), DB_INT(account_id)};
    struct db_stmt *s = NULL;
    enum err e = db_run(c, sql_find, v, COUNT(v), &s);
    if (!e)
        e = db_next(s);
    if (!e)
        *out = (struct object_place){db_col_i64(s, 0), db_col_i64(s, 1), db_col_i64(s, 2)};
    return e == ERR_END ? ERR_NOT_FOUND : e;
}

struct put {
    enum object_kind kind;
    struct slice id;
    const struct object_place *place;
};

/* One that has expired but is still there makes room. */
static const char sql_delete_expired[] =
    "DELETE FROM provider_objects WHERE kind = ? AND id = ? AND expires_at <= UTC_TIMESTAMP(3)";
static const char sql_put[] =
    "INSERT INTO provider_objects (kind, id, account_id, channel_id, channel_key_id)"
    " VALUES (?, ?, ?, ?, ?)";

static enum err put_fn(struct db_conn *c, void *arg)
{
    const struct put *p = arg;
    struct db_value v[] = {DB_STRZ(kind_names[p->kind]), DB_STR(p->id),
                           DB_INT(p->place->account_id), DB_INT(p->place->channel_id),
                           DB_INT(p->place->channel_key_id)};
    struct object_place was;
    enum err e = db_run(c, sql_put, v, COUNT(v), NULL);
    if (e != ERR_DB_DUPLICATE)
        return e;
    e = find(c, p->kind, p->id, p->place->account_id, &was);
    if (!e)
        return was.channel_id == p->place->channel_id ? ERR_OK : ERR_DB_DUPLICATE;
    if (e == ERR_NOT_FOUND)
        e = db_run(c, sql_delete_expired, v, 2, NULL);
    if (!e && !db_changed(c))
        return ERR_DB_DUPLICATE;
    return e ? e : db_run(c, sql_put, v, COUNT(v), NULL);
}

enum err object_put(struct db *db, enum object_kind kind, struct slice id,
                    const struct object_place *place)
{
    struct put p = {kind, id, place};
    return is_id(id) ? db_transact(db, put_fn, &p) : ERR_FORMAT;
}

enum err object_find(struct db *db, enum object_kind kind, struct slice id, int64_t account_id,
                     struct object_place *out)
{
    struct db_conn *c = NULL;
    if (!is_id(id))
        return ERR_NOT_FOUND;
    enum err e = db_take(db, &c);
    if (!e)
        e = find(c, kind, id, account_id, out);
    db_give(db, c);
    return e;
}

struct removal {
    enum object_kind kind;
    struct slice id;
    int64_t account_id;
};

static const char sql_delete[] =
    "DELETE FROM provider_objects WHERE kind = ? AND id = ? AND account_id = ?"
    " AND expires_at > UTC_TIMESTAMP(3)";

static enum err delete_fn(struct db_conn *c, void *arg)
{
    const struct removal *r = arg;
    struct db_value v[] = {DB_STRZ(kind_names[r->kind]), DB_STR(r->id), DB_INT(r->account_id)};
    enum err e = db_run(c, sql_delete, v, COUNT(v), NULL);
    return !e && !db_changed(c) ? ERR_NOT_FOUND : e;
}

enum err object_delete(struct db *db, enum object_kind kind, struct slice id, int64_t account_id)
{
    struct removal r = {kind, id, account_id};
    return is_id(id) ? db_transact(db, delete_fn, &r) : ERR_NOT_FOUND;
}

/* ---- the task ---- */

static const char sql_sweep[] =
    "DELETE FROM provider_objects WHERE expires_at <= UTC_TIMESTAMP(3) ORDER BY expires_at LIMIT ?";

static enum err sweep_fn(struct db_conn *c, void *arg)
{
    int64_t *gone = arg;
    struct db_value v = DB_INT(BATCH_ROWS);
    enum err e = db_run(c, sql_sweep, &v, 1, NULL);
    *gone = (int64_t)db_changed(c);
    return e;
}

enum err objects_run(struct chore_run *r)
{
    int64_t gone = BATCH_ROWS, all = 0;
    enum err e = ERR_OK;
    for (int i = 0; !e && gone == BATCH_ROWS && i < BATCHES_MAX; i++) {
        e = i ? chore_go_on(r) : ERR_OK;
        if (!e)
            e = db_transact(r->db, sweep_fn, &gone);
        if (!e)
            all += gone;
    }
    if (all)
        chore_say(r, "%lld objects had expired", (long long)all);
    return e;
}
