#include "db/db_impl.h"

#include "base/log.h"
#include "base/amount.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define COLUMN_BYTES_FIRST                                                                         \
    1024 /* a column's buffer at first is no larger; it grows when a value does not fit */
#define CELL_ALIGN 16

/* ---- the statements of a connection ---- */

static size_t bucket_of(const char *sql)
{
    uintptr_t v = (uintptr_t)sql;
    return (size_t)((v ^ (v >> 6) ^ (v >> 12)) % DB_BUCKETS);
}

void stmt_close(struct db_stmt *s)
{
    if (s->has_result)
        mysql_stmt_free_result(s->st);
    if (s->st)
        mysql_stmt_close(s->st);
    for (unsigned i = 0; i < s->columns_n; i++)
        free(s->columns[i].p);
    free(s->columns);
    free(s->binds);
    free(s);
}

static void stmt_forget(struct db_conn *c, struct db_stmt *s)
{
    for (struct db_stmt **at = &c->buckets[bucket_of(s->sql)]; *at; at = &(*at)->next) {
        if (*at == s) {
            *at = s->next;
            break;
        }
    }
    stmt_close(s);
}

static bool is_integer_type(enum enum_field_types t)
{
    switch (t) {
    case MYSQL_TYPE_TINY:
    case MYSQL_TYPE_SHORT:
    case MYSQL_TYPE_INT24:
    case MYSQL_TYPE_LONG:
    case MYSQL_TYPE_LONGLONG:
    case MYSQL_TYPE_YEAR:
        return true;
    default:
        return false;
    }
}

static enum err columns_bind(struct db_stmt *s)
{
    MYSQL_FIELD *fields = mariadb_stmt_fetch_fields(s->st);
    s->columns = calloc(s->columns_n, sizeof(*s->columns));
    s->binds = calloc(s->columns_n, sizeof(*s->binds));
    if (!fields || !s->columns || !s->binds)
        return ERR_MEMORY;
    for (unsigned i = 0; i < s->columns_n; i++) {
        struct db_column *col = &s->columns[i];
        MYSQL_BIND *b = &s->binds[i];
        col->bind = b;
        col->is_integer = is_integer_type(fields[i].type);
        b->length = &col->n;
        b->is_null = &col->is_null;
        b->error = &col->is_cut;
        if (col->is_integer) {
            b->buffer_type = MYSQL_TYPE_LONGLONG;
            b->buffer = &col->i64;
            b->buffer_length = sizeof(col->i64);
            b->is_unsigned = (fields[i].flags & UNSIGNED_FLAG) != 0;
            continue;
        }
        col->cap = fields[i].length < COLUMN_BYTES_FIRST ? fields[i].length + 1
                                                         : COLUMN_BYTES_FIRST;
        col->p = malloc(col->cap);
        if (!col->p)
            return ERR_MEMORY;
        b->buffer_type = MYSQL_TYPE_STRING;
        b->buffer = col->p;
        b->buffer_length = col->cap;
    }
    return mysql_stmt_bind_result(s->st, s->binds) ? ERR_DB : ERR_OK;
}

static enum err stmt_prepare(struct db_conn *c, const char *sql, struct db_stmt **out)
{
    struct db_stmt *s = calloc(1, sizeof(*s));
    if (!s)
        return ERR_MEMORY;
    s->conn = c;
    s->sql = sql;
    s->st = mysql_stmt_init(c->my);
    enum err e = s->st ? ERR_OK : ERR_MEMORY;
    if (!e && mysql_stmt_prepare(s->st, sql, strlen(sql)))
        e = conn_fail(c, mysql_stmt_errno(s->st), mysql_stmt_error(s->st), sql);
    if (!e) {
        s->params_n = (unsigned)mysql_stmt_param_count(s->st);
        unsigned columns_n = mysql_stmt_field_count(s->st);
        if (columns_n) {
            s->columns_n = columns_n;
            e = columns_bind(s);
        }
    }
    if (e) {
        if (!s->columns)
            s->columns_n = 0;
        stmt_close(s);
        return e;
    }
    struct db_stmt **bucket = &c->buckets[bucket_of(sql)];
    s->next = *bucket;
    *bucket = s;
    *out = s;
    return ERR_OK;
}

static enum err stmt_get(struct db_conn *c, const char *sql, struct db_stmt **out)
{
    for (struct db_stmt *s = c->buckets[bucket_of(sql)]; s; s = s->next) {
        if (s->sql == sql) {
            if (s->has_result) {
                mysql_stmt_free_result(s->st);
                s->has_result = false;
            }
            *out = s;
            return ERR_OK;
        }
    }
    return stmt_prepare(c, sql, out);
}

/* The prepared statement is not valid any more (a table was altered, or a proxy changed
 * servers): prepared again it will do. */
static bool is_stale_errno(unsigned no)
{
    return no == 1615 || no == 1243;
}

/* ---- running ---- */

/* The library only reads parameters, but its struct does not say so. */
static void *unconst(const void *p)
{
    union {
        const void *in;
        void *out;
    } u = {.in = p};
    return u.out;
}

static void param_bind(struct db_conn *c, size_t i, const struct db_value *v)
{
    MYSQL_BIND *b = &c->params[i];
    memset(b, 0, sizeof(*b));
    switch (v->type) {
    case DB_NULL:
        b->buffer_type = MYSQL_TYPE_NULL;
        break;
    case DB_I64:
        b->buffer_type = MYSQL_TYPE_LONGLONG;
        b->buffer = unconst(&v->i64);
        break;
    case DB_TEXT:
    case DB_BLOB:
        b->buffer_type = v->type == DB_TEXT ? MYSQL_TYPE_STRING : MYSQL_TYPE_BLOB;
        b->buffer = unconst(v->bytes.p ? v->bytes.p : "");
        b->buffer_length = v->bytes.n;
        break;
    case DB_MONEY:
        b->buffer_type = MYSQL_TYPE_NEWDECIMAL; /* a string would be compared as a double */
        b->buffer = amount_print(c->money[i], v->i64);
        b->buffer_length = strlen(c->money[i]);
        break;
    }
}

static enum err stmt_execute(struct db_stmt *s, bool keep_rows)
{
    struct db_conn *c = s->conn;
    if (mysql_stmt_execute(s->st))
        return conn_fail(c, mysql_stmt_errno(s->st), mysql_stmt_error(s->st), s->sql);
    if (!s->columns_n) {
        c->changed = mysql_stmt_affected_rows(s->st);
        return ERR_OK;
    }
    if (mysql_stmt_store_result(s->st))
        return conn_fail(c, mysql_stmt_errno(s->st), mysql_stmt_error(s->st), s->sql);
    c->changed = mysql_stmt_num_rows(s->st); /* rows returned: what INSERT ... RETURNING wrote */
    s->has_result = true;
    if (!keep_rows) {
        mysql_stmt_free_result(s->st);
        s->has_result = false;
    }
    return ERR_OK;
}

static enum err run_once(struct db_conn *c, const char *sql, const struct db_value *params,
                         size_t n, struct db_stmt **out)
{
    struct db_stmt *s = NULL;
    enum err e = stmt_get(c, sql, &s);
    if (e)
        return e;
    assert(n == s->params_n);
    for (size_t i = 0; i < n; i++)
        param_bind(c, i, &params[i]);
    unsigned one = 0;
    mysql_stmt_attr_set(s->st, STMT_ATTR_ARRAY_SIZE, &one);
    if (n && mysql_stmt_bind_param(s->st, c->params))
        return conn_fail(c, mysql_stmt_errno(s->st), mysql_stmt_error(s->st), sql);
    e = stmt_execute(s, out != NULL);
    if (e == ERR_DB && is_stale_errno(c->last_errno))
        stmt_forget(c, s);
    else if (!e && out)
        *out = s;
    return e;
}

static enum err may_run(const struct db_conn *c)
{
    if (c->is_broken)
        return ERR_DB_DOWN;
    return c->txn == TXN_DEAD ? ERR_DB_RETRY : ERR_OK;
}

enum err db_run(struct db_conn *c, const char *sql, const struct db_value *params, size_t n,
                struct db_stmt **stmt)
{
    assert(n <= DB_PARAMS_MAX);
    enum err e = may_run(c);
    if (e)
        return e;
    e = run_once(c, sql, params, n, stmt);
    if (e == ERR_DB && is_stale_errno(c->last_errno))
        e = run_once(c, sql, params, n, stmt);
    return e;
}

/* ---- many rows at once ---- */

/* One column of parameters as the library wants it: an array of values, one of lengths, one of
 * indicators. */
struct bulk_column {
    void *values; /* int64_t[rows], or const char *[rows] */
    unsigned long *lengths;
    char *indicators;
    char *money; /* DB_MONEY_SIZE each */
};

static size_t aligned(size_t n)
{
    return (n + CELL_ALIGN - 1) & ~(size_t)(CELL_ALIGN - 1);
}

static size_t bulk_column_bytes(size_t rows)
{
    return aligned(rows * sizeof(int64_t)) + aligned(rows * sizeof(unsigned long)) + aligned(rows) +
           aligned(rows * DB_MONEY_SIZE);
}

static struct bulk_column bulk_column_at(char *p, size_t rows)
{
    struct bulk_column b = {.values = p};
    p += aligned(rows * sizeof(int64_t));
    b.lengths = (unsigned long *)(void *)p;
    p += aligned(rows * sizeof(unsigned long));
    b.indicators = p;
    b.money = p + aligned(rows);
    return b;
}

/* All rows have one type in a column, but for NULLs. */
static enum db_type column_type(const struct db_value *params, size_t n, size_t rows, size_t column)
{
    enum db_type type = DB_NULL;
    for (size_t r = 0; r < rows; r++) {
        enum db_type t = params[r * n + column].type;
        assert(type == DB_NULL || t == DB_NULL || t == type);
        if (t != DB_NULL)
            type = t;
    }
    return type;
}

static void bulk_cell(const struct bulk_column *b, size_t row, const struct db_value *v)
{
    b->indicators[row] = v->type == DB_NULL ? STMT_INDICATOR_NULL : STMT_INDICATOR_NONE;
    b->lengths[row] = 0;
    if (v->type == DB_I64) {
        ((int64_t *)b->values)[row] = v->i64;
        return;
    }
    const char *p = "";
    if (v->type == DB_MONEY) {
        p = amount_print(b->money + row * DB_MONEY_SIZE, v->i64);
        b->lengths[row] = strlen(p);
    } else if (v->type != DB_NULL) {
        p = v->bytes.p ? v->bytes.p : "";
        b->lengths[row] = v->bytes.n;
    }
    ((const char **)b->values)[row] = p;
}

static void bulk_bind(struct db_conn *c, const struct db_value *params, size_t n, size_t rows)
{
    for (size_t i = 0; i < n; i++) {
        struct bulk_column b = bulk_column_at(c->bulk + i * bulk_column_bytes(rows), rows);
        enum db_type type = column_type(params, n, rows, i);
        MYSQL_BIND *bind = &c->params[i];
        memset(bind, 0, sizeof(*bind));
        bind->buffer = b.values;
        bind->length = b.lengths;
        bind->u.indicator = b.indicators;
        bind->buffer_type = type == DB_I64     ? MYSQL_TYPE_LONGLONG
                            : type == DB_MONEY ? MYSQL_TYPE_NEWDECIMAL
                            : type == DB_BLOB  ? MYSQL_TYPE_BLOB
                                               : MYSQL_TYPE_STRING;
        for (size_t r = 0; r < rows; r++)
            bulk_cell(&b, r, &params[r * n + i]);
    }
}

static enum err bulk_once(struct db_conn *c, const char *sql, const struct db_value *params,
                          size_t n, size_t rows)
{
    struct db_stmt *s = NULL;
    enum err e = stmt_get(c, sql, &s);
    if (e)
        return e;
    assert(n == s->params_n);
    bulk_bind(c, params, n, rows);
    unsigned array = (unsigned)rows;
    mysql_stmt_attr_set(s->st, STMT_ATTR_ARRAY_SIZE, &array);
    if (mysql_stmt_bind_param(s->st, c->params))
        return conn_fail(c, mysql_stmt_errno(s->st), mysql_stmt_error(s->st), sql);
    e = stmt_execute(s, false);
    if (e == ERR_DB && is_stale_errno(c->last_errno))
        stmt_forget(c, s);
    return e;
}

/* For a server or proxy that does not know the array form. */
static enum err bulk_by_rows(struct db_conn *c, const char *sql, const struct db_value *params,
                             size_t n, size_t rows)
{
    uint64_t changed = 0;
    enum err e = ERR_OK;
    for (size_t r = 0; r < rows && !e; r++) {
        e = db_run(c, sql, params + r * n, n, NULL);
        changed += e ? 0 : c->changed;
    }
    c->changed = changed;
    return e;
}

enum err db_run_bulk(struct db_conn *c, const char *sql, const struct db_value *params, size_t n,
                     size_t rows)
{
    assert(n && n <= DB_PARAMS_MAX);
    enum err e = may_run(c);
    c->changed = 0;
    if (e || !rows)
        return e;
    unsigned long capabilities = 0;
    mariadb_get_infov(c->my, MARIADB_CONNECTION_EXTENDED_SERVER_CAPABILITIES, &capabilities);
    if (rows == 1 || !(capabilities & (MARIADB_CLIENT_STMT_BULK_OPERATIONS >> 32)))
        return bulk_by_rows(c, sql, params, n, rows);
    size_t need = n * bulk_column_bytes(rows);
    if (need > c->bulk_cap) {
        char *p = realloc(c->bulk, need);
        if (!p)
            return ERR_MEMORY;
        c->bulk = p;
        c->bulk_cap = need;
    }
    e = bulk_once(c, sql, params, n, rows);
    if (e == ERR_DB && is_stale_errno(c->last_errno))
        e = bulk_once(c, sql, params, n, rows);
    return e;
}

/* ---- rows ---- */

/* A value did not fit: its buffer grows, for this row and the next ones. */
static enum err column_grow(struct db_stmt *s, unsigned i)
{
    struct db_column *col = &s->columns[i];
    size_t cap = col->n + 1;
    char *p = realloc(col->p, cap);
    if (!p)
        return ERR_MEMORY;
    col->p = p;
    col->cap = cap;
    col->bind->buffer = p;
    col->bind->buffer_length = cap;
    if (mysql_stmt_fetch_column(s->st, col->bind, i, 0))
        return ERR_DB;
    return ERR_OK;
}

enum err db_next(struct db_stmt *s)
{
    if (!s->has_result)
        return ERR_END;
    int rc = mysql_stmt_fetch(s->st);
    if (rc == MYSQL_NO_DATA) {
        mysql_stmt_free_result(s->st);
        s->has_result = false;
        return ERR_END;
    }
    if (rc == 1)
        return conn_fail(s->conn, mysql_stmt_errno(s->st), mysql_stmt_error(s->st), s->sql);
    bool grew = false;
    for (unsigned i = 0; i < s->columns_n; i++) {
        struct db_column *col = &s->columns[i];
        if (col->is_integer || col->is_null || col->n <= col->cap)
            continue;
        enum err e = column_grow(s, i);
        if (e)
            return e;
        grew = true;
    }
    if (grew && mysql_stmt_bind_result(s->st, s->binds))
        return ERR_DB;
    return ERR_OK;
}

bool db_col_is_null(const struct db_stmt *s, size_t col)
{
    assert(col < s->columns_n);
    return s->columns[col].is_null;
}

struct slice db_col_text(const struct db_stmt *s, size_t col)
{
    assert(col < s->columns_n);
    const struct db_column *c = &s->columns[col];
    assert(!c->is_integer);
    return c->is_null ? (struct slice){0} : (struct slice){c->p, c->n};
}

int64_t db_col_i64(const struct db_stmt *s, size_t col)
{
    assert(col < s->columns_n);
    const struct db_column *c = &s->columns[col];
    if (c->is_null)
        return 0;
    if (c->is_integer)
        return c->i64;
    int64_t v = 0; /* SUM and COUNT arithmetic come as DECIMAL */
    enum err e = slice_to_i64((struct slice){c->p, c->n}, &v);
    assert(!e);
    return v;
}

int64_t db_col_nusd(const struct db_stmt *s, size_t col)
{
    int64_t v = 0;
    if (db_col_is_null(s, col))
        return 0;
    enum err e = amount_parse(db_col_text(s, col), &v);
    assert(!e);
    return v;
}
