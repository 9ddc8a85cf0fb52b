#include "ctl/ctl_sql.h"

#include "base/amount.h"

#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#define STATEMENT_MS INT64_C(60000)

enum ctl_exit ctl_sql_open(const struct ctl_args *args, struct ctl_sql *s)
{
    *s = (struct ctl_sql){.args = args, .config = ctl_config(args)};
    if (!s->config)
        return CTL_FAILED;
    s->db = db_new(s->config);
    if (s->db)
        db_set_read_timeout(s->db, STATEMENT_MS);
    enum err e = s->db ? db_take(s->db, &s->conn) : ERR_MEMORY;
    if (!e)
        return CTL_OK;
    ctl_sql_close(s);
    return ctl_fail("the database cannot be reached (%s); aipassctl doctor tells more",
                    err_name(e));
}

void ctl_sql_close(struct ctl_sql *s)
{
    if (s->db)
        db_give(s->db, s->conn);
    db_free(s->db);
    config_free(s->config);
    *s = (struct ctl_sql){0};
}

enum ctl_exit ctl_sql_fail(const struct ctl_sql *s, enum err e)
{
    unsigned number = s->conn ? db_last_errno(s->conn) : 0;
    const char *text = number ? db_last_text(s->conn) : "";
    if (e == ERR_DB_DUPLICATE)
        return ctl_fail("there is one already: %s", text);
    if (e == ERR_DB_UNKNOWN)
        return ctl_fail("the connection broke while it was written: look whether it was");
    return ctl_fail("database: %s%s%s", err_name(e), text[0] ? ": " : "", text);
}

static void add_column(struct ctl_rows *rows, const struct db_stmt *stmt, size_t i,
                       enum ctl_kind kind)
{
    char number[24];
    if (kind == CTL_TEXT || db_col_is_null(stmt, i)) {
        ctl_rows_add(rows, kind == CTL_TEXT ? db_col_text(stmt, i) : (struct slice){NULL, 0});
        return;
    }
    (void)snprintf(number, sizeof(number), "%lld", (long long)db_col_i64(stmt, i));
    ctl_rows_add_z(rows, number);
}

enum ctl_exit ctl_sql_print(struct ctl_sql *s, const struct ctl_column *columns, const char *sql,
                            const struct db_value *params, size_t n)
{
    struct db_stmt *stmt = NULL;
    enum err e = db_run(s->conn, sql, params, n, &stmt);
    if (e)
        return ctl_sql_fail(s, e);
    struct ctl_rows *rows = ctl_rows_new(s->args, columns);
    if (!rows)
        return CTL_USAGE;
    while (!(e = db_next(stmt))) {
        for (size_t i = 0; columns[i].name; i++)
            add_column(rows, stmt, i, columns[i].kind);
    }
    enum ctl_exit result = ctl_rows_end(rows);
    return e == ERR_END ? result : ctl_sql_fail(s, e);
}

enum ctl_exit ctl_sql_id(struct ctl_sql *s, const char *sql, struct db_value param,
                         const char *what, int64_t *id)
{
    struct db_stmt *stmt = NULL;
    enum err e = db_run(s->conn, sql, &param, 1, &stmt);
    if (!e)
        e = db_next(stmt);
    if (!e)
        *id = db_col_i64(stmt, 0);
    if (e == ERR_END)
        return ctl_fail("there is no %s %.*s", what, SLICE_FMT(param.bytes));
    return e ? ctl_sql_fail(s, e) : CTL_OK;
}

enum ctl_exit ctl_sql_begin(struct ctl_sql *s)
{
    enum err e = db_begin(s->conn);
    return e ? ctl_sql_fail(s, e) : CTL_OK;
}

enum ctl_exit ctl_sql_run(struct ctl_sql *s, const char *sql, const struct db_value *params,
                          size_t n, uint64_t *changed)
{
    enum err e = db_run(s->conn, sql, params, n, NULL);
    if (e)
        return ctl_sql_fail(s, e);
    if (changed)
        *changed = db_changed(s->conn);
    return CTL_OK;
}

enum ctl_exit ctl_sql_end(struct ctl_sql *s, enum ctl_exit result)
{
    bool is_dry = ctl_value(s->args, "dry-run") != NULL;
    if (result || is_dry) {
        db_rollback(s->conn);
        if (!result)
            ctl_say("dry run: nothing was changed");
        return result;
    }
    enum err e = db_commit(s->conn);
    return e ? ctl_sql_fail(s, e) : CTL_OK;
}

enum ctl_exit ctl_sql_set_status(const struct ctl_args *args, const struct ctl_status *of,
                                 const char *status)
{
    struct ctl_sql s;
    int64_t id = 0;
    enum ctl_exit result = ctl_sql_open(args, &s);
    if (result)
        return result;
    result = ctl_sql_id(&s, of->sql_id, DB_STRZ(args->words[0]), of->what, &id);
    if (!result)
        result = ctl_sql_begin(&s);
    if (!result) {
        struct db_value params[] = {DB_STRZ(status), DB_INT(id)};
        result = ctl_sql_end(&s, ctl_sql_run(&s, of->sql, params, 2, NULL));
    }
    if (!result)
        ctl_say("%s %s: %s, within %s", of->what, args->words[0], status, of->within);
    ctl_sql_close(&s);
    return result;
}

struct db_value ctl_db_text(const struct ctl_args *args, const char *option)
{
    const char *value = ctl_value(args, option);
    return value ? DB_STRZ(value) : DB_NONE;
}

enum ctl_exit ctl_amount(const char *what, const char *text, bool may_be_none, struct db_value *out)
{
    int64_t nusd = 0;
    *out = DB_NONE;
    if (!text || (may_be_none && !strcmp(text, "none")))
        return CTL_OK;
    if (amount_parse(slice_of(text), &nusd) || nusd < 0) {
        (void)ctl_fail("%s: expected an amount in USD%s, got %s", what,
                       may_be_none ? " or none" : "", text);
        return CTL_USAGE;
    }
    *out = DB_NUSD(nusd);
    return CTL_OK;
}

enum ctl_exit ctl_confirm(const struct ctl_args *args, const char *fmt, ...)
{
    char answer[8] = "";
    if (ctl_value(args, "yes") || ctl_value(args, "dry-run"))
        return CTL_OK;
    va_list values;
    va_start(values, fmt);
    vfprintf(stderr, fmt, values);
    va_end(values);
    if (!isatty(STDIN_FILENO)) {
        fputs("\naipassctl: nothing was changed; --yes does it\n", stderr);
        return CTL_USAGE;
    }
    fputs(" [y/N] ", stderr);
    if (fgets(answer, sizeof(answer), stdin) && (answer[0] == 'y' || answer[0] == 'Y'))
        return CTL_OK;
    return ctl_fail("nothing was changed");
}

void ctl_say(const char *fmt, ...)
{
    va_list values;
    va_start(values, fmt);
    vfprintf(stderr, fmt, values);
    va_end(values);
    fputc('\n', stderr);
}
