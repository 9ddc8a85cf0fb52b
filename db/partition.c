#include "db/partition.h"

#include "base/buf.h"
#include "base/log.h"

#include <stdlib.h>
#include <string.h>

#define SQL_MAX     ((size_t)256 << 10)
#define MONTHS_BACK 120 /* an id with a time before that has no month of its own */
#define COUNT(a)    (sizeof(a) / sizeof((a)[0]))

/* ---- what there is ---- */

static const char sql_list[] =
    "SELECT CAST(partition_name AS CHAR(64)), CAST(partition_description AS CHAR(64))"
    " FROM information_schema.partitions WHERE table_schema = DATABASE() AND table_name ="
    " 'usage_log' AND partition_name IS NOT NULL ORDER BY partition_ordinal_position";

/* The bound is an SQL literal, 'ID', or MAXVALUE. */
static enum err read_one(const struct db_stmt *s, struct partition *p)
{
    struct slice below = db_col_text(s, 1);
    if (!slice_copy_z(p->name, sizeof(p->name), db_col_text(s, 0)))
        return ERR_FORMAT;
    p->below[0] = '\0';
    if (slice_eq_z(below, "MAXVALUE"))
        return ERR_OK;
    if (below.n < 3 || below.p[0] != '\'')
        return ERR_FORMAT;
    below = (struct slice){below.p + 1, below.n - 2};
    return slice_copy_z(p->below, sizeof(p->below), below) ? ERR_OK : ERR_FORMAT;
}

enum err partition_list(struct db_conn *c, struct partition *list, size_t *n)
{
    struct db_stmt *s = NULL;
    *n = 0;
    enum err e = db_run(c, sql_list, NULL, 0, &s);
    while (!e && !(e = db_next(s))) {
        if (*n == PARTITIONS_MAX)
            return ERR_FULL;
        e = read_one(s, &list[(*n)++]);
    }
    return e == ERR_END ? ERR_OK : e;
}

static const char sql_first[] = "SELECT MIN(request_id) FROM usage_log PARTITION (p_max)";
static const char sql_rows[] =
    "SELECT COUNT(*) FROM (SELECT 1 FROM usage_log PARTITION (p_max) LIMIT ?) x";

/* Of p_max. *first_day: -1 when it is empty. *rows: up to one more than may be copied. */
static enum err read_rest(struct db_conn *c, int64_t *first_day, int64_t *rows)
{
    struct db_value v = DB_INT(PARTITION_ROWS_MAX + 1);
    struct db_stmt *s = NULL;
    enum err e = db_run(c, sql_first, NULL, 0, &s);
    if (!e)
        e = db_next(s);
    if (!e)
        *first_day = db_col_is_null(s, 0) ? -1 : calendar_day_of_id(db_col_text(s, 0));
    if (!e)
        e = db_run(c, sql_rows, &v, 1, &s);
    if (!e)
        e = db_next(s);
    if (!e)
        *rows = db_col_i64(s, 0);
    return e;
}

/* ---- changing it ---- */

static bool is_denied(unsigned no)
{
    return no == 1044 || no == 1142 || no == 1227;
}

enum err partition_exec(struct db_conn *c, const char *sql)
{
    char *failed_at = NULL;
    enum err e = db_exec_script(c, sql, &failed_at);
    unsigned no = db_last_errno(c);
    if (e == ERR_DB && is_denied(no))
        e = ERR_FORBIDDEN;
    else if (e == ERR_DB && (no == 1205 || no == 1213))
        e = ERR_DB_RETRY;
    else if (e == ERR_DB)
        log_warn("partition", "errno=%u error=%s sql=%s", no, db_last_text(c),
                 failed_at ? failed_at : "");
    free(failed_at);
    return e;
}

static enum err print_months(struct buf *sql, int64_t from, int64_t to)
{
    char name[CALENDAR_NAME_SIZE], below[ULID_FLOOR_SIZE];
    enum err e =
        buf_append_z(sql, "ALTER TABLE usage_log WAIT 1 REORGANIZE PARTITION p_max INTO (");
    for (int64_t month = from; !e && month <= to; month++) {
        calendar_floor(below, calendar_first_day(month + 1));
        e = buf_printf(sql, "PARTITION %s VALUES LESS THAN ('%s'), ",
                       calendar_print_month(name, month), below);
    }
    return e ? e : buf_append_z(sql, "PARTITION p_max VALUES LESS THAN (MAXVALUE))");
}

static enum err make_months(struct db_conn *c, int64_t from, int64_t to)
{
    struct buf sql;
    buf_init(&sql, SQL_MAX);
    enum err e = print_months(&sql, from, to);
    if (!e)
        e = partition_exec(c, sql.p);
    buf_clear(&sql);
    return e;
}

/* The month that the next partition is for: after the last one, or where the rows begin. */
static int64_t next_month(const struct partition *list, size_t n, int64_t this_month,
                          int64_t first_day)
{
    if (n > 1)
        return calendar_month_of_day(calendar_day_of_id(slice_of(list[n - 2].below)));
    int64_t month = first_day < 0 ? this_month : calendar_month_of_day(first_day);
    if (month > this_month)
        month = this_month;
    return month < this_month - MONTHS_BACK ? this_month - MONTHS_BACK : month;
}

static enum err ensure(struct db_conn *c, struct partition *list, int64_t now_ms,
                       bool may_reorganize, int *made)
{
    size_t n = 0;
    int64_t this_month = calendar_month_of_day(calendar_day_of_ms(now_ms));
    int64_t last = this_month + PARTITION_MONTHS_AHEAD, first_day = -1, rows = 0;
    enum err e = partition_list(c, list, &n);
    if (e)
        return e;
    if (!n || strcmp(list[n - 1].name, "p_max") || list[n - 1].below[0])
        return ERR_FORMAT;
    e = read_rest(c, &first_day, &rows);
    if (e)
        return e;
    int64_t from = next_month(list, n, this_month, first_day);
    if (from > last)
        return ERR_OK;
    if (rows > PARTITION_ROWS_MAX && !may_reorganize)
        return ERR_FULL;
    e = make_months(c, from, last);
    if (!e)
        *made = (int)(last - from + 1);
    return e;
}

enum err partition_ensure(struct db *db, int64_t now_ms, bool may_reorganize, int *made)
{
    struct partition *list = calloc(PARTITIONS_MAX, sizeof(*list));
    struct db_conn *c = NULL;
    *made = 0;
    enum err e = list ? db_take(db, &c) : ERR_MEMORY;
    if (!e)
        e = ensure(c, list, now_ms, may_reorganize, made);
    db_give(db, c);
    free(list);
    return e;
}

/* ---- the task ---- */

static enum err read_now(struct db *db, int64_t *now_ms)
{
    struct db_conn *c = NULL;
    enum err e = db_take(db, &c);
    if (!e)
        e = leader_now(c, now_ms);
    db_give(db, c);
    return e;
}

enum err partition_run(struct chore_run *r)
{
    int made = 0;
    int64_t now_ms = 0;
    enum err e = read_now(r->db, &now_ms);
    if (!e)
        e = partition_ensure(r->db, now_ms, r->may_reorganize, &made);
    if (!e && made)
        chore_say(r, "%d partitions made", made);
    else if (e == ERR_FORBIDDEN)
        chore_say(r, "this user may not ALTER usage_log");
    else if (e == ERR_FULL)
        chore_say(r,
                  "p_max holds more than %d rows: aipassctl upkeep --reorganize splits it, while"
                  " writes wait",
                  PARTITION_ROWS_MAX);
    else if (e == ERR_FORMAT)
        chore_say(r, "usage_log has partitions that are not ours, or no p_max");
    return e;
}
