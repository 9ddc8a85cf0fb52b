#include "ctl/ctl_sql.h"

#include "base/clock.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#define PAGE_ROWS  1000
#define LIST_USUAL 50
#define LIST_MAX   1000000

#define FILTER_OPTIONS                                                                             \
    {"account", "NAME", "only of this account"}, {"model", "NAME", "only of this model"},          \
        {"status", "STATUS", "only ok, error, cut, client_gone or interrupted"},                   \
        {"since", "DATE", "UTC, from then on"},                                                    \
    {                                                                                              \
        "until", "DATE", "UTC, before then"                                                        \
    }

const struct ctl_option ctl_log_list_options[] = {
    FILTER_OPTIONS,
    {"n",  "COUNT", "at most so many (50)"},
    CTL_ROWS_OPTIONS,
    {NULL, NULL,    NULL                  },
};
const struct ctl_option ctl_log_export_options[] = {
    FILTER_OPTIONS,
    CTL_ROWS_OPTIONS,
    {NULL, NULL, NULL},
};
const struct ctl_option ctl_log_show_options[] = {
    CTL_ROWS_OPTIONS, {NULL, NULL, NULL}
};

static const struct ctl_column list_columns[] = {
    {"request_id",    CTL_TEXT  },
    {"created_at",    CTL_TEXT  },
    {"account",       CTL_TEXT  },
    {"model",         CTL_TEXT  },
    {"channel",       CTL_TEXT  },
    {"status",        CTL_TEXT  },
    {"http",          CTL_NUMBER},
    {"input",         CTL_NUMBER},
    {"cached",        CTL_NUMBER},
    {"output",        CTL_NUMBER},
    {"cost",          CTL_TEXT  },
    {"first_byte_ms", CTL_NUMBER},
    {"duration_ms",   CTL_NUMBER},
    {"error",         CTL_TEXT  },
    {NULL,            CTL_TEXT  },
};

/* Ids are ULIDs: they bound the time and the partitions that are read. NULL parameters: any. */
#define SQL_LOG                                                                                    \
    "SELECT u.request_id, CAST(u.created_at AS CHAR), a.name, u.model, c.name, u.status, "         \
    "u.http_status, u.input_tokens, u.cached_input_tokens, u.output_tokens, u.cost, "              \
    "u.first_byte_ms, u.duration_ms, u.error_code FROM usage_log u LEFT JOIN accounts a ON a.id "  \
    "= "                                                                                           \
    "u.account_id LEFT JOIN channels c ON c.id = u.channel_id WHERE u.request_id > ? AND "         \
    "u.request_id < ? AND (? IS NULL OR a.name = ?) AND (? IS NULL OR u.model = ?) AND (? IS "     \
    "NULL OR u.status = ?)"
static const char sql_list[] = SQL_LOG " ORDER BY u.request_id DESC LIMIT ?";
static const char sql_page[] = SQL_LOG " ORDER BY u.request_id LIMIT ?";
static const char sql_count[] =
    "SELECT COUNT(*) FROM usage_log WHERE request_id > ? AND request_id < ?";
static const char sql_show[] =
    "SELECT * FROM (SELECT request_id, CAST(created_at AS CHAR), (SELECT "
    "name FROM accounts WHERE id = account_id) AS account, (SELECT CONCAT(name, ' ', key_hint) "
    "FROM "
    "api_keys WHERE id = api_key_id) AS api_key, endpoint, model, upstream_model, (SELECT name "
    "FROM "
    "channels WHERE id = channel_id) AS channel, client_format, provider_format, CAST(is_stream AS "
    "CHAR), status, CAST(http_status AS CHAR), error_code, finish_reason, CAST(input_tokens AS "
    "CHAR), CAST(cached_input_tokens AS CHAR), CAST(output_tokens AS CHAR), CAST(reasoning_tokens "
    "AS CHAR), COALESCE(usage_method, ''), price_lines, CAST(cost AS CHAR), CAST(shortfall AS "
    "CHAR), CAST(channel_cost AS CHAR), CAST(attempts AS CHAR), CAST(first_byte_ms AS CHAR), "
    "CAST(duration_ms AS CHAR), upstream_request_id, process_id FROM usage_log WHERE request_id = "
    "?) x";
static const char *const show_names[] = {
    "request_id",
    "created_at",
    "account",
    "api_key",
    "endpoint",
    "model",
    "upstream_model",
    "channel",
    "client_format",
    "provider_format",
    "is_stream",
    "status",
    "http_status",
    "error_code",
    "finish_reason",
    "input_tokens",
    "cached_input_tokens",
    "output_tokens",
    "reasoning_tokens",
    "usage_method",
    "price_lines",
    "cost",
    "shortfall",
    "channel_cost",
    "attempts",
    "first_byte_ms",
    "duration_ms",
    "upstream_request_id",
    "process_id",
};
#define SHOW_N (sizeof(show_names) / sizeof(show_names[0]))
static const struct ctl_column show_columns[] = {
    {"field", CTL_TEXT},
    {"value", CTL_TEXT},
    {NULL,    CTL_TEXT}
};

/* "2030-12-31", with or without a time, as the beginning of a request id. */
static enum ctl_exit read_bound(const struct ctl_args *args, const char *option, const char *usual,
                                char *bound)
{
    const char *text = ctl_value(args, option);
    struct tm tm = {0};
    (void)snprintf(bound, ULID_SIZE, "%s", usual);
    if (!text)
        return CTL_OK;
    const char *rest = strptime(text, "%Y-%m-%d", &tm);
    if (rest && (*rest == ' ' || *rest == 'T'))
        rest = strptime(rest + 1, "%H:%M:%S", &tm);
    if (!rest || *rest) {
        (void)ctl_fail("--%s: expected a date as '2030-12-31' or '2030-12-31 23:59:59', got %s",
                       option, text);
        return CTL_USAGE;
    }
    time_t seconds = timegm(&tm);
    if (seconds < 0) {
        (void)ctl_fail("--%s: before 1970", option);
        return CTL_USAGE;
    }
    ulid_floor(bound, (int64_t)seconds * 1000);
    return CTL_OK;
}

struct filter {
    char since[ULID_SIZE], until[ULID_SIZE];
    struct db_value account, model, status;
};

static enum ctl_exit read_filter(const struct ctl_args *args, struct filter *f)
{
    f->account = ctl_db_text(args, "account");
    f->model = ctl_db_text(args, "model");
    f->status = ctl_db_text(args, "status");
    enum ctl_exit result = read_bound(args, "since", "", f->since);
    return result ? result : read_bound(args, "until", "ZZZZZZZZZZZZZZZZZZZZZZZZZZ", f->until);
}

#define PARAMS(f, n)                                                                               \
    ((struct db_value[]){DB_STRZ((f)->since), DB_STRZ((f)->until), (f)->account, (f)->account,     \
                         (f)->model, (f)->model, (f)->status, (f)->status, DB_INT(n)})

enum ctl_exit ctl_log_list(const struct ctl_args *args)
{
    struct filter filter;
    struct ctl_sql s;
    int64_t n = 0;
    enum ctl_exit result = ctl_count(args, LIST_USUAL, LIST_MAX, &n);
    if (!result)
        result = read_filter(args, &filter);
    if (!result)
        result = ctl_sql_open(args, &s);
    if (result)
        return result;
    result = ctl_sql_print(&s, list_columns, sql_list, PARAMS(&filter, n), 9);
    ctl_sql_close(&s);
    return result;
}

/* ---- one request ---- */

static enum ctl_exit show(struct ctl_sql *s, const char *id)
{
    struct db_value param = DB_STRZ(id);
    struct db_stmt *stmt = NULL;
    enum err e = db_run(s->conn, sql_show, &param, 1, &stmt);
    if (!e)
        e = db_next(stmt);
    if (e)
        return e == ERR_END ? ctl_fail("there is no request %s", id) : ctl_sql_fail(s, e);
    struct ctl_rows *rows = ctl_rows_new(s->args, show_columns);
    if (!rows)
        return CTL_USAGE;
    for (size_t i = 0; i < SHOW_N; i++) {
        ctl_rows_add_z(rows, show_names[i]);
        ctl_rows_add(rows, db_col_text(stmt, i));
    }
    return ctl_rows_end(rows);
}

enum ctl_exit ctl_log_show(const struct ctl_args *args)
{
    struct ctl_sql s;
    enum ctl_exit result = ctl_sql_open(args, &s);
    if (result)
        return result;
    result = show(&s, args->words[0]);
    ctl_sql_close(&s);
    return result;
}

/* ---- all of them ---- */

static void add_row(struct ctl_rows *rows, const struct db_stmt *stmt, struct filter *f)
{
    char number[24];
    for (size_t i = 0; list_columns[i].name; i++) {
        if (list_columns[i].kind == CTL_TEXT) {
            ctl_rows_add(rows, db_col_text(stmt, i));
        } else if (db_col_is_null(stmt, i)) {
            ctl_rows_add_z(rows, NULL);
        } else {
            (void)snprintf(number, sizeof(number), "%lld", (long long)db_col_i64(stmt, i));
            ctl_rows_add_z(rows, number);
        }
    }
    (void)slice_copy_z(f->since, sizeof(f->since), db_col_text(stmt, 0));
}

/* Page by page, each from the last id on: no statement is long, whatever the number of rows. */
static enum ctl_exit export_all(struct ctl_sql *s, struct filter *f)
{
    struct ctl_progress progress;
    struct db_stmt *stmt = NULL;
    long long done = 0, page = PAGE_ROWS;
    enum err e = db_run(s->conn, sql_count,
                        (struct db_value[]){DB_STRZ(f->since), DB_STRZ(f->until)}, 2, &stmt);
    if (!e)
        e = db_next(stmt);
    if (e)
        return ctl_sql_fail(s, e);
    long long total = db_col_i64(stmt, 0);
    struct ctl_rows *rows = ctl_rows_new(s->args, list_columns);
    if (!rows)
        return CTL_USAGE;
    bool is_filtered = f->account.type != DB_NULL || f->model.type != DB_NULL ||
                       f->status.type != DB_NULL;
    ctl_progress_begin(&progress, "requests", is_filtered ? 0 : total);
    while (!e && page == PAGE_ROWS) {
        e = db_run(s->conn, sql_page, PARAMS(f, PAGE_ROWS), 9, &stmt);
        page = 0;
        while (!e && !(e = db_next(stmt))) {
            add_row(rows, stmt, f);
            page++;
        }
        if (e == ERR_END)
            e = ERR_OK;
        done += page;
        ctl_progress_step(&progress, done);
    }
    ctl_progress_end(&progress);
    enum ctl_exit result = ctl_rows_end(rows);
    return e ? ctl_sql_fail(s, e) : result;
}

enum ctl_exit ctl_log_export(const struct ctl_args *args)
{
    struct filter filter;
    struct ctl_sql s;
    enum ctl_exit result = read_filter(args, &filter);
    if (!result)
        result = ctl_sql_open(args, &s);
    if (result)
        return result;
    result = export_all(&s, &filter);
    ctl_sql_close(&s);
    return result;
}
