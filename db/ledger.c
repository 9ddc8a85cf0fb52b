#include "db/ledger.h"

#include <stdbool.h>

/* One statement: between two a flush could move money from leases to the ledger, and it would be
 * missing or count twice. */
static const char sql_balance[] =
    "SELECT COALESCE((SELECT c.balance FROM checkpoints c WHERE c.account_id = ? ORDER BY c.id "
    "DESC LIMIT 1), 0)"
    " + COALESCE((SELECT SUM(l.amount) FROM ledger l WHERE l.account_id = ? AND l.checkpoint_id IS "
    "NULL), 0),"
    " COALESCE((SELECT SUM(s.amount) FROM leases s WHERE s.account_id = ?), 0)";

static enum err read_balance(struct db_conn *c, int64_t account_id, struct ledger_summary *out)
{
    struct db_value params[] = {DB_INT(account_id), DB_INT(account_id), DB_INT(account_id)};
    struct db_stmt *s = NULL;
    enum err e = db_run(c, sql_balance, params, 3, &s);
    if (!e)
        e = db_next(s);
    if (e)
        return e;
    out->balance_nusd = db_col_nusd(s, 0);
    out->reserved_nusd = db_col_nusd(s, 1);
    return ERR_OK;
}

#define ULID_TIME_CHARS 10
#define DAY_MS          INT64_C(86400000)

/* The beginning that all ULIDs of wall_ms and later are not below (github.com/ulid/spec: 48 bits
 * of time first, Crockford's base 32). */
static void ulid_floor(char *dst, int64_t wall_ms)
{
    static const char digits[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    dst[ULID_TIME_CHARS] = '\0';
    for (int i = ULID_TIME_CHARS - 1; i >= 0; i--) {
        dst[i] = digits[wall_ms & 31];
        wall_ms >>= 5;
    }
}

static const char sql_month[] =
    "SELECT CAST(UNIX_TIMESTAMP(DATE_FORMAT(UTC_TIMESTAMP(), '%Y-%m-01')) AS SIGNED)";

/* The rows of this month, by the database's clock, in up to four parts: of today or before, of
 * the key or of others. A request counts when it was accepted: created_at. request_id only leads
 * the index there. The time is limited here, so that an account with very many rows does not
 * look like a database that is down. */
static const char sql_spend[] =
    "SET STATEMENT max_statement_time = 1 FOR"
    " SELECT created_at >= UTC_DATE() AS is_today, api_key_id = ? AS is_key, COUNT(*),"
    " SUM(input_tokens + cached_input_tokens + cache_write_tokens + cache_write_1h_tokens), "
    "SUM(output_tokens), SUM(cost)"
    " FROM usage_log WHERE account_id = ? AND request_id >= ? AND created_at >= "
    "DATE_FORMAT(UTC_TIMESTAMP(), '%Y-%m-01')"
    " GROUP BY is_today, is_key";

static void add(struct ledger_spend *to, const struct ledger_spend *part)
{
    to->requests += part->requests;
    to->input_tokens += part->input_tokens;
    to->output_tokens += part->output_tokens;
    to->cost_nusd += part->cost_nusd;
}

static enum err read_month(struct db_conn *c, int64_t *start_s)
{
    struct db_stmt *s = NULL;
    enum err e = db_run(c, sql_month, NULL, 0, &s);
    if (!e)
        e = db_next(s);
    if (!e)
        *start_s = db_col_i64(s, 0);
    return e;
}

static enum err read_spend(struct db_conn *c, int64_t account_id, int64_t api_key_id,
                           struct ledger_summary *out)
{
    char first_id[ULID_TIME_CHARS + 1];
    int64_t start_s = 0;
    struct db_stmt *s = NULL;
    enum err e = read_month(c, &start_s);
    if (e)
        return e;
    /* Ids come from the gateways' clocks: a day covers any that are worth serving with. */
    ulid_floor(first_id, start_s * 1000 - DAY_MS);
    struct db_value params[] = {DB_INT(api_key_id), DB_INT(account_id), DB_STRZ(first_id)};
    e = db_run(c, sql_spend, params, 3, &s);
    while (!e && !(e = db_next(s))) {
        struct ledger_spend part = {db_col_i64(s, 2), db_col_i64(s, 3), db_col_i64(s, 4),
                                    db_col_nusd(s, 5)};
        bool is_today = db_col_i64(s, 0), is_key = db_col_i64(s, 1);
        add(&out->account_month, &part);
        if (is_today)
            add(&out->account_today, &part);
        if (is_key)
            add(&out->key_month, &part);
        if (is_today && is_key)
            add(&out->key_today, &part);
    }
    return e == ERR_END ? ERR_OK : e;
}

enum err ledger_read_summary(struct db *db, int64_t account_id, int64_t api_key_id,
                             struct ledger_summary *out)
{
    struct ledger_summary summary = {0};
    struct db_conn *c = NULL;
    enum err e = db_take(db, &c);
    if (!e)
        e = read_balance(c, account_id, &summary);
    if (!e)
        e = read_spend(c, account_id, api_key_id, &summary);
    db_give(db, c);
    if (e)
        return ERR_UNAVAILABLE;
    *out = summary;
    return ERR_OK;
}
