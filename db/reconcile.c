#include "db/reconcile.h"

#include "db/migrate.h"

#include <ctype.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#define SQL_MAX   ((size_t)64 << 10)
#define DEPTH_MAX 4 /* views inside views */
#define NAME_SIZE 64

const struct reconcile_check reconcile_checks[] = {
    {"checkpoints", "v_reconcile_checkpoints",
     "each checkpoint is the one before plus the ledger rows that it marks"                              },
    {"usage",       "v_reconcile_usage",       "each account's requests cost what its ledger was charged"},
    {"leases",      "v_reconcile_leases",
     "leases belong to processes that live and do not exceed the balance"                                },
    {"costs",       "v_reconcile_costs",       "each request cost what its price lines say"              },
    {"daily",       "v_reconcile_daily",       "each day's roll-up is the sum of its requests"           },
    {NULL,          NULL,                      NULL                                                      },
};

#define CHECKS_N (sizeof(reconcile_checks) / sizeof(reconcile_checks[0]) - 1)

/* ---- the text of a view ---- */

static const char *views_text(void)
{
    for (const struct migration *m = migrations; m->sql; m++)
        if (!m->version && !strcmp(m->name, "views"))
            return m->sql;
    return "";
}

/* The SELECT of CREATE ... VIEW name AS SELECT ...; */
static struct slice find_view(const char *name)
{
    char head[NAME_SIZE + 16];
    (void)snprintf(head, sizeof(head), " VIEW %s AS\n", name);
    const char *at = strstr(views_text(), head);
    if (!at)
        return (struct slice){0};
    at += strlen(head);
    const char *end = strstr(at, ";\n");
    return (struct slice){at, end ? (size_t)(end - at) : strlen(at)};
}

static size_t word_length(struct slice s, size_t at)
{
    size_t n = 0;
    while (at + n < s.n && (isalnum((unsigned char)s.p[at + n]) || s.p[at + n] == '_'))
        n++;
    return n;
}

static enum err expand(struct slice text, int depth, struct buf *sql);

/* A word of the text: as it is, or the view that it names. */
static enum err expand_word(struct slice word, int depth, struct buf *sql)
{
    char name[NAME_SIZE];
    struct slice inner = {0};
    if (slice_starts(word, "v_") && slice_copy_z(name, sizeof(name), word))
        inner = find_view(name);
    if (!inner.p)
        return buf_append_slice(sql, word);
    enum err e = depth < DEPTH_MAX ? buf_append_z(sql, "(") : ERR_FULL;
    if (!e)
        e = expand(inner, depth + 1, sql);
    return e ? e : buf_append_z(sql, ")");
}

static enum err expand(struct slice text, int depth, struct buf *sql)
{
    enum err e = ERR_OK;
    for (size_t i = 0; !e && i < text.n;) {
        size_t n = word_length(text, i);
        struct slice part = {text.p + i, n ? n : 1};
        e = n ? expand_word(part, depth, sql) : buf_append_slice(sql, part);
        i += part.n;
    }
    return e;
}

enum err reconcile_view_sql(const char *view, struct buf *sql)
{
    struct slice text = find_view(view);
    return text.p ? expand(text, 0, sql) : ERR_NOT_FOUND;
}

/* ---- the statements, made once: they are found by their address ---- */

static pthread_once_t once = PTHREAD_ONCE_INIT;
static struct buf list_sql[CHECKS_N];
static struct buf count_sql[CHECKS_N];
static enum err made = ERR_OK;

static enum err make(struct buf *sql, const char *view, const char *head, const char *tail)
{
    buf_init(sql, SQL_MAX);
    enum err e = buf_append_z(sql, head);
    if (!e)
        e = reconcile_view_sql(view, sql);
    if (!e)
        e = buf_printf(sql, ") r LIMIT %d", RECONCILE_MAX);
    return e ? e : buf_append_z(sql, tail);
}

static void make_all(void)
{
    for (size_t i = 0; !made && i < CHECKS_N; i++) {
        made = make(&list_sql[i], reconcile_checks[i].view,
                    "SELECT CAST(r.account_id AS SIGNED), CAST(r.subject AS CHAR(255)),"
                    " CAST(r.expected AS CHAR(64)), CAST(r.found AS CHAR(64)) FROM (",
                    "");
        if (!made)
            made = make(&count_sql[i], reconcile_checks[i].view,
                        "SELECT COUNT(*) FROM (SELECT 1 FROM (", ") n");
    }
}

static enum err statement(const struct buf *all, const char *view, const char **sql)
{
    pthread_once(&once, make_all);
    for (size_t i = 0; i < CHECKS_N; i++) {
        if (!strcmp(reconcile_checks[i].view, view)) {
            *sql = all[i].p;
            return made;
        }
    }
    return ERR_NOT_FOUND;
}

/* ---- running them ---- */

static void tell(const struct db_stmt *s, const struct reconcile_check *check, reconcile_fn *fn,
                 void *arg)
{
    char text[3][256];
    for (size_t i = 0; i < 3; i++) {
        if (db_col_is_null(s, i + 1))
            (void)slice_copy_z(text[i], sizeof(text[i]), SLICE("NULL"));
        else
            (void)slice_copy_z(text[i], sizeof(text[i]), db_col_text(s, i + 1));
    }
    struct reconcile_difference d = {check, db_col_i64(s, 0), text[0], text[1], text[2]};
    fn(arg, &d);
}

enum err reconcile_run(struct db *db, const struct reconcile_check *check, reconcile_fn *fn,
                       void *arg, int *n)
{
    const char *sql = NULL;
    struct db_conn *c = NULL;
    struct db_stmt *s = NULL;
    *n = 0;
    enum err e = statement(list_sql, check->view, &sql);
    if (!e)
        e = db_take(db, &c);
    if (!e)
        e = db_run(c, sql, NULL, 0, &s);
    while (!e && !(e = db_next(s))) {
        tell(s, check, fn, arg);
        ++*n;
    }
    db_give(db, c);
    return e == ERR_END ? ERR_OK : e;
}

static enum err read_number(struct db *db, const char *sql, int64_t *out)
{
    struct db_conn *c = NULL;
    struct db_stmt *s = NULL;
    enum err e = db_take(db, &c);
    if (!e)
        e = db_run(c, sql, NULL, 0, &s);
    if (!e)
        e = db_next(s);
    if (!e)
        *out = db_col_i64(s, 0);
    db_give(db, c);
    return e;
}

enum err reconcile_count(struct db *db, const char *view, int64_t *n)
{
    const char *sql = NULL;
    enum err e = statement(count_sql, view, &sql);
    return e ? e : read_number(db, sql, n);
}

static const char sql_is_dropping[] =
    "SELECT COUNT(*) FROM information_schema.tables WHERE"
    " table_schema = DATABASE() AND table_name = 'usage_dropping'";

enum err reconcile_is_dropping(struct db *db, bool *is_dropping)
{
    int64_t n = 0;
    enum err e = read_number(db, sql_is_dropping, &n);
    if (!e)
        *is_dropping = n > 0;
    return e;
}
