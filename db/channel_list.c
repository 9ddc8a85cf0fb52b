#include "db/channel_list.h"

#include <stdlib.h>

/* One reading. */
struct reading {
    struct db_conn *conn;
    struct arena *arena;
    struct catalog_channel *channels;
    size_t n;
};

/* n zeroed elements; never NULL for n 0 and memory left. */
static void *array_of(struct reading *r, size_t n, size_t size)
{
    return arena_alloc(r->arena, (n ? n : 1) * size);
}

/* A copy of a column, NULL for NULL; *is_full when memory is out. */
static const char *copy_col(struct reading *r, const struct db_stmt *s, size_t col, bool *is_full)
{
    const char *p = db_col_is_null(s, col) ? NULL : arena_copy(r->arena, db_col_text(s, col));
    *is_full = *is_full || (!p && !db_col_is_null(s, col));
    return p;
}

static const char sql_channels[] =
    "SELECT id, name, provider, format, base_url, priority, weight, connect_ms, first_byte_ms,"
    " between_bytes_ms, total_ms, organization, project, allow_private, proxy_url, ca_pem"
    " FROM channels WHERE status = 'enabled' ORDER BY id";

static enum err take_channel(struct reading *r, const struct db_stmt *s)
{
    struct catalog_channel *c = &r->channels[r->n++];
    struct slice url = db_col_text(s, 4);
    bool is_full = false;
    while (url.n && url.p[url.n - 1] == '/')
        url.n--;
    *c = (struct catalog_channel){
        .id = db_col_i64(s, 0),
        .name = copy_col(r, s, 1, &is_full),
        .provider = copy_col(r, s, 2, &is_full),
        .format = copy_col(r, s, 3, &is_full),
        .base_url = arena_copy(r->arena, url),
        .priority = db_col_i64(s, 5),
        .weight = db_col_i64(s, 6),
        .timers = {db_col_i64(s, 7), db_col_i64(s, 8), db_col_i64(s, 9), db_col_i64(s, 10)},
        .organization = copy_col(r, s, 11, &is_full),
        .project = copy_col(r, s, 12, &is_full),
        .allow_private = db_col_i64(s, 13),
        .proxy_url = copy_col(r, s, 14, &is_full),
        .ca_pem = copy_col(r, s, 15, &is_full),
    };
    return is_full || !c->base_url ? ERR_MEMORY : ERR_OK;
}

static enum err read_channels(struct reading *r)
{
    struct db_stmt *s = NULL;
    enum err e = db_run(r->conn, sql_channels, NULL, 0, &s);
    if (e)
        return e;
    r->channels = array_of(r, db_changed(r->conn), sizeof(*r->channels));
    e = r->channels ? ERR_OK : ERR_MEMORY;
    while (!e && !(e = db_next(s)))
        e = take_channel(r, s);
    return e == ERR_END ? ERR_OK : e;
}

static const char sql_groups[] =
    "SELECT channel_id, group_id FROM channel_groups ORDER BY channel_id, group_id";

static enum err read_groups(struct reading *r)
{
    struct db_stmt *s = NULL;
    enum err e = db_run(r->conn, sql_groups, NULL, 0, &s);
    if (e)
        return e;
    int64_t *id = array_of(r, db_changed(r->conn), sizeof(*id));
    if (!id)
        return ERR_MEMORY;
    while (!(e = db_next(s))) {
        struct catalog_channel *c = channel_list_find(r->channels, r->n, db_col_i64(s, 0));
        if (!c)
            continue;
        *id = db_col_i64(s, 1);
        if (!c->group_ids_n++)
            c->group_ids = id;
        id++;
    }
    return e == ERR_END ? ERR_OK : e;
}

static const char sql_headers[] =
    "SELECT channel_id, name, value FROM channel_headers ORDER BY channel_id, name";

static enum err read_headers(struct reading *r)
{
    struct db_stmt *s = NULL;
    enum err e = db_run(r->conn, sql_headers, NULL, 0, &s);
    if (e)
        return e;
    struct catalog_header *h = array_of(r, db_changed(r->conn), sizeof(*h));
    if (!h)
        return ERR_MEMORY;
    while (!(e = db_next(s))) {
        struct catalog_channel *c = channel_list_find(r->channels, r->n, db_col_i64(s, 0));
        bool is_full = false;
        if (!c)
            continue;
        h->name = copy_col(r, s, 1, &is_full);
        h->value = copy_col(r, s, 2, &is_full);
        if (is_full)
            return ERR_MEMORY;
        if (!c->headers_n++)
            c->headers = h;
        h++;
    }
    return e == ERR_END ? ERR_OK : e;
}

static const char sql_statuses[] =
    "SELECT channel_id, status, meaning FROM channel_statuses ORDER BY channel_id, status";

static enum catalog_meaning meaning_of(struct slice word)
{
    if (slice_eq_z(word, "reject"))
        return MEANING_REJECT;
    if (slice_eq_z(word, "key"))
        return MEANING_KEY;
    return slice_eq_z(word, "limit") ? MEANING_LIMIT : MEANING_RETRY;
}

static enum err read_statuses(struct reading *r)
{
    struct db_stmt *s = NULL;
    enum err e = db_run(r->conn, sql_statuses, NULL, 0, &s);
    if (e)
        return e;
    struct catalog_status *row = array_of(r, db_changed(r->conn), sizeof(*row));
    if (!row)
        return ERR_MEMORY;
    while (!(e = db_next(s))) {
        struct catalog_channel *c = channel_list_find(r->channels, r->n, db_col_i64(s, 0));
        if (!c)
            continue;
        *row = (struct catalog_status){db_col_i64(s, 1), meaning_of(db_col_text(s, 2))};
        if (!c->statuses_n++)
            c->statuses = row;
        row++;
    }
    return e == ERR_END ? ERR_OK : e;
}

enum err channel_list_read(struct db_conn *c, struct arena *arena, struct catalog_channel **out,
                           size_t *out_n)
{
    struct reading r = {.conn = c, .arena = arena};
    enum err e = read_channels(&r);
    if (!e)
        e = read_groups(&r);
    if (!e)
        e = read_headers(&r);
    if (!e)
        e = read_statuses(&r);
    if (e)
        return e;
    *out = r.channels;
    *out_n = r.n;
    return ERR_OK;
}

static int compare_channel(const void *id, const void *channel)
{
    int64_t a = *(const int64_t *)id, b = ((const struct catalog_channel *)channel)->id;
    return (a > b) - (a < b);
}

struct catalog_channel *channel_list_find(struct catalog_channel *list, size_t n, int64_t id)
{
    return bsearch(&id, list, n, sizeof(*list), compare_channel);
}

bool channel_admits(const struct catalog_channel *c, int64_t group_id)
{
    for (size_t i = 0; i < c->group_ids_n; i++) {
        if (c->group_ids[i] == group_id)
            return true;
    }
    return !c->group_ids_n;
}

bool channel_meaning(const struct catalog_channel *c, int64_t status, enum catalog_meaning *out)
{
    for (size_t i = 0; i < c->statuses_n; i++) {
        if (c->statuses[i].status != status)
            continue;
        *out = c->statuses[i].meaning;
        return true;
    }
    return false;
}
