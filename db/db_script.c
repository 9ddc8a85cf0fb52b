/* db_script - cuts a SQL file into its statements and runs one after the other. */
#include "db/db_impl.h"

#include <stdlib.h>
#include <string.h>

static const char *skip_line(const char *p, const char *end)
{
    while (p < end && *p != '\n')
        p++;
    return p;
}

/* p stands on the opening quote; returns what follows the closing one. Doubled quotes read as
 * two strings, which is as good. */
static const char *skip_quoted(const char *p, const char *end)
{
    char quote = *p++;
    while (p < end && *p != quote) {
        if (*p == '\\' && quote != '`' && p + 1 < end)
            p++;
        p++;
    }
    return p < end ? p + 1 : end;
}

static const char *skip_comment(const char *p, const char *end)
{
    const char *close = memmem(p + 2, (size_t)(end - p) - 2, "*/", 2);
    return close ? close + 2 : end;
}

/* Where the space or the comment that p stands on ends; p itself when it stands on something
 * else. */
static const char *skip_blank(const char *p, const char *end)
{
    if (*p == ' ' || *p == '\t' || *p == '\n' || *p == '\r')
        return p + 1;
    if (*p == '#')
        return skip_line(p, end);
    if (end - p >= 2 && p[0] == '-' && p[1] == '-' && (end - p == 2 || (unsigned char)p[2] <= ' '))
        return skip_line(p, end);
    if (end - p >= 4 && p[0] == '/' && p[1] == '*' && p[2] != '!')
        return skip_comment(p, end);
    return p;
}

/* The end of the statement that p begins: its semicolon, or the end of the text. */
static const char *statement_end(const char *p, const char *end)
{
    while (p < end && *p != ';') {
        const char *next = skip_blank(p, end);
        if (next == p)
            next = *p == '\'' || *p == '"' || *p == '`' ? skip_quoted(p, end) : p + 1;
        p = next;
    }
    return p;
}

static enum err run_text(struct db_conn *c, const char *p, size_t n)
{
    if (mysql_real_query(c->my, p, n)) {
        c->is_quiet = true;
        enum err e = conn_fail(c, mysql_errno(c->my), mysql_error(c->my), "script");
        c->is_quiet = false;
        return e;
    }
    MYSQL_RES *r = mysql_store_result(c->my);
    if (r)
        mysql_free_result(r);
    return ERR_OK;
}

enum err db_exec_script(struct db_conn *c, const char *sql, char **failed_at)
{
    const char *p = sql, *end = sql + strlen(sql);
    *failed_at = NULL;
    while (p < end) {
        const char *next = skip_blank(p, end);
        if (next != p) {
            p = next;
            continue;
        }
        const char *stop = statement_end(p, end);
        enum err e = c->is_broken ? ERR_DB_DOWN : ERR_OK;
        if (!e && stop > p)
            e = run_text(c, p, (size_t)(stop - p));
        if (e) {
            *failed_at = strndup(p, (size_t)(stop - p));
            return e == ERR_DB_DOWN ? e : ERR_DB;
        }
        p = stop + 1;
    }
    return ERR_OK;
}
