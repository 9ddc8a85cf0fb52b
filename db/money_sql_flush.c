/* One segment as one transaction, and its rehearsal row by row when the database refuses its content. */
#include "db/money_ops.h"

#include "base/buf.h"
#include "base/fault.h"
#include "base/jscan.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define USAGE_COLUMNS   36
#define LEDGER_COLUMNS  3
#define LEASE_COLUMNS   4
#define REFERENCE_SIZE  81 /* ledger.reference, with the NUL */
#define MULTIPLIER_SIZE 32
#define PPM_PER_ONE     INT64_C(1000000000000) /* two multipliers in millionths */
#define JSON_ID_MAX     24
#define TRIED_FRAME     64                       /* around the attempts of one row */
#define WALL_MS_MAX     INT64_C(253402300799999) /* the end of year 9999, where DATETIME ends */

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static const char sql_move_position[] =
    "UPDATE journal_positions SET last_segment = ?, updated_at = UTC_TIMESTAMP(3)\n"
    "WHERE process_id = ? AND last_segment = ?";
static const char sql_select_position[] =
    "SELECT last_segment FROM journal_positions WHERE process_id = ?";
static const char sql_insert_position[] =
    "INSERT IGNORE INTO journal_positions (process_id) VALUES (?)";

static const char sql_insert_usage[] =
    "INSERT INTO usage_log (request_id, account_id, api_key_id, group_id, endpoint, model, "
    "upstream_model, channel_id, channel_key_id,\n"
    "  client_format, provider_format, is_stream, status, http_status, error_code, finish_reason, "
    "input_tokens, cached_input_tokens,\n"
    "  cache_write_tokens, cache_write_1h_tokens, output_tokens, reasoning_tokens, is_estimated, "
    "price_lines, price_multiplier, cost,\n"
    "  shortfall, attempts, first_byte_ms, duration_ms, upstream_request_id, process_id, "
    "created_at, channel_cost, usage_method, service_tier)\n"
    "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, "
    "?, ?, ?, ?, ?, ?, ?, ?)";
static const char sql_insert_ledger[] =
    "INSERT INTO ledger (account_id, kind, amount, reference) VALUES (?, 'usage', ?, ?)";

/* [{"r": request id, "a": usage_row.tried}]. Whatever is wrong with it must not cost the money. */
static const char sql_insert_attempts[] =
    "INSERT IGNORE INTO request_attempts (request_id, n, channel_id, channel_key_id, key_hint,"
    " status, error, connect_ms, first_byte_ms, total_ms, bytes, created_at)\n"
    "SELECT t.r, t.n, t.c, NULLIF(t.k, 0), t.h, NULLIF(t.s, 0), t.e, t.ct, IF(t.fb < 0, NULL,"
    " t.fb), t.t, t.b, '1970-01-01' + INTERVAL t.ms * 1000 MICROSECOND\n"
    "FROM JSON_TABLE(?, '$[*]' COLUMNS (r CHAR(26) CHARACTER SET ascii PATH '$.r', NESTED PATH"
    " '$.a[*]' COLUMNS (n INT PATH '$.n', c BIGINT PATH '$.c', k BIGINT PATH '$.k', h VARCHAR(16)"
    " PATH '$.h', s INT PATH '$.s', e VARCHAR(48) PATH '$.e', ct BIGINT PATH '$.ct', fb BIGINT"
    " PATH '$.fb', t BIGINT PATH '$.t', b BIGINT PATH '$.b', ms BIGINT PATH '$.at'))) AS t\n"
    "WHERE t.n > 0";

/* To no less than 0: a lease that was lost must not stop the journal. */
static const char sql_lower_lease[] =
    "UPDATE leases SET amount = GREATEST(amount - ?, 0), n = GREATEST(n, ?) + 1\n"
    "WHERE process_id = ? AND account_id = ?";
static const char sql_select_leases[] = "SELECT l.account_id, l.amount, l.n FROM JSON_TABLE(?, "
                                        "'$[*]' COLUMNS (id BIGINT UNSIGNED PATH '$')) AS a\n"
                                        "JOIN leases l ON l.process_id = ? AND l.account_id = a.id";

static const char sql_save_account[] = "SAVEPOINT of_account";
static const char sql_undo_account[] = "ROLLBACK TO SAVEPOINT of_account";
static const char sql_save_row[] = "SAVEPOINT of_row";
static const char sql_undo_row[] = "ROLLBACK TO SAVEPOINT of_row";

/* ---- what the statements are given ---- */

/* A row with the texts that are made for SQL. */
struct usage_params {
    struct usage_row row;
    char created[CLOCK_SQL_SIZE];
    char multiplier[MULTIPLIER_SIZE];
};

/* These columns are ASCII, and some of their values come from providers: a strange byte must not cost the row. */
static void make_ascii(char *z)
{
    for (; *z; z++) {
        if (*z < ' ' || *z > '~')
            *z = '?';
    }
}

static void print_multiplier(char dst[MULTIPLIER_SIZE], const struct usage_row *row)
{
    __int128 product = (__int128)row->group_multiplier_ppm * row->account_multiplier_ppm;
    int64_t whole = (int64_t)(product / PPM_PER_ONE), rest = (int64_t)(product % PPM_PER_ONE);
    (void)snprintf(dst, MULTIPLIER_SIZE, "%" PRId64 ".%012" PRId64, whole, rest < 0 ? -rest : rest);
}

static void prepare_params(struct usage_params *p, const struct usage_row *row)
{
    p->row = *row;
    char *texts[] = {p->row.endpoint,        p->row.model,
                     p->row.upstream_model,  p->row.client_format,
                     p->row.provider_format, p->row.error_code,
                     p->row.finish_reason,   p->row.upstream_request_id,
                     p->row.usage_method,    p->row.service_tier};
    for (size_t i = 0; i < COUNT(texts); i++)
        make_ascii(texts[i]);
    bool is_time = row->created_wall_ms >= 0 && row->created_wall_ms <= WALL_MS_MAX;
    clock_sql(p->created, is_time ? row->created_wall_ms : 0);
    print_multiplier(p->multiplier, row);
}

static struct db_value id_or_null(int64_t id)
{
    return id ? DB_INT(id) : DB_NONE;
}

static struct db_value text_or_null(const char *z)
{
    return *z ? DB_STRZ(z) : DB_NONE;
}

static void usage_values(struct db_value *v, const struct usage_params *p, const char *process)
{
    const struct usage_row *r = &p->row;
    const struct db_value all[USAGE_COLUMNS] = {
        DB_STRZ(r->request_id),
        DB_INT(r->account_id),
        DB_INT(r->api_key_id),
        DB_INT(r->group_id),
        DB_STRZ(r->endpoint),
        DB_STRZ(r->model),
        DB_STRZ(r->upstream_model),
        id_or_null(r->channel_id),
        id_or_null(r->channel_key_id),
        DB_STRZ(r->client_format),
        DB_STRZ(r->provider_format),
        DB_INT(r->is_stream),
        DB_STRZ(usage_status_name(r->status)),
        DB_INT(r->http_status),
        text_or_null(r->error_code),
        text_or_null(r->finish_reason),
        DB_INT(r->usage.input),
        DB_INT(r->usage.cached_input),
        DB_INT(r->usage.cache_write),
        DB_INT(r->usage.cache_write_1h),
        DB_INT(r->usage.output),
        DB_INT(r->usage.reasoning),
        DB_INT(r->usage.is_estimated),
        *r->price_lines ? DB_STRZ(r->price_lines) : DB_STRZ("[]"),
        DB_STRZ(p->multiplier),
        DB_NUSD(r->cost_nusd),
        DB_NUSD(r->shortfall_nusd),
        DB_INT(r->attempts),
        r->first_byte_ms < 0 ? DB_NONE : DB_INT(r->first_byte_ms),
        DB_INT(r->duration_ms),
        DB_STRZ(r->upstream_request_id),
        DB_STRZ(process),
        DB_STRZ(p->created),
        r->channel_cost_nusd < 0 ? DB_NONE : DB_NUSD(r->channel_cost_nusd),
        text_or_null(r->usage_method),
        text_or_null(r->service_tier),
    };
    memcpy(v, all, sizeof(all));
}

/* Everything that one segment's statements borrow. */
struct flush_params {
    struct usage_params *rows;
    struct db_value *usage;  /* rows_n x USAGE_COLUMNS */
    struct db_value *ledger; /* charged_n x LEDGER_COLUMNS */
    struct db_value *leases; /* charged_n x LEASE_COLUMNS */
    char (*references)[REFERENCE_SIZE];
    size_t charged_n; /* accounts whose cost is not 0 */
    struct buf ids;   /* of these, as a JSON array */
    struct buf tried; /* the attempts of all rows, for sql_insert_attempts; empty: none */
};

static void params_clear(struct flush_params *p)
{
    free(p->rows);
    free(p->usage);
    free(p->ledger);
    free(p->leases);
    free(p->references);
    buf_clear(&p->ids);
    buf_clear(&p->tried);
}

static void print_reference(char dst[REFERENCE_SIZE], const struct usage_flush *f,
                            int64_t account_id)
{
    int n = snprintf(dst, REFERENCE_SIZE, "usage:%s:%" PRIu64 ":%" PRId64, f->process, f->segment,
                     account_id);
    assert(n > 0 && n < REFERENCE_SIZE);
}

static enum err charge_account(struct flush_params *p, const struct usage_flush *f,
                               const struct flush_account *a)
{
    size_t i = p->charged_n++;
    print_reference(p->references[i], f, a->account_id);
    struct db_value ledger[LEDGER_COLUMNS] = {DB_INT(a->account_id), DB_NUSD(-a->cost_nusd),
                                              DB_STRZ(p->references[i])};
    struct db_value lease[LEASE_COLUMNS] = {DB_NUSD(a->cost_nusd), DB_INT(a->n_floor),
                                            DB_STRZ(f->process), DB_INT(a->account_id)};
    memcpy(p->ledger + i * LEDGER_COLUMNS, ledger, sizeof(ledger));
    memcpy(p->leases + i * LEASE_COLUMNS, lease, sizeof(lease));
    return buf_printf(&p->ids, "%c%" PRId64, i ? ',' : '[', a->account_id);
}

static enum err add_tried(struct buf *b, const struct usage_row *row)
{
    struct jvalue v;
    if (!row->tried[0] || jscan_validate(slice_of(row->tried), &v, NULL))
        return ERR_OK;
    return buf_printf(b, "%s{\"r\":\"%s\",\"a\":%s}", b->n ? "," : "[", row->request_id,
                      row->tried);
}

static enum err params_init(struct flush_params *p, const struct usage_flush *f)
{
    *p = (struct flush_params){
        .rows = calloc(f->rows_n + 1, sizeof(*p->rows)),
        .usage = calloc(f->rows_n * USAGE_COLUMNS + 1, sizeof(*p->usage)),
        .ledger = calloc(f->accounts_n * LEDGER_COLUMNS + 1, sizeof(*p->ledger)),
        .leases = calloc(f->accounts_n * LEASE_COLUMNS + 1, sizeof(*p->leases)),
        .references = calloc(f->accounts_n + 1, sizeof(*p->references)),
    };
    buf_init(&p->ids, JSON_ID_MAX * (f->accounts_n + 1));
    buf_init(&p->tried, (USAGE_TRIED_MAX + TRIED_FRAME) * (f->rows_n + 1));
    if (!p->rows || !p->usage || !p->ledger || !p->leases || !p->references)
        return ERR_MEMORY;
    for (size_t i = 0; i < f->rows_n; i++) {
        prepare_params(&p->rows[i], &f->rows[i]);
        usage_values(p->usage + i * USAGE_COLUMNS, &p->rows[i], f->process);
    }
    enum err e = ERR_OK;
    for (size_t i = 0; !e && i < f->rows_n; i++)
        e = add_tried(&p->tried, &f->rows[i]);
    if (!e && p->tried.n)
        e = buf_append_z(&p->tried, "]");
    for (size_t i = 0; !e && i < f->accounts_n; i++) {
        if (f->accounts[i].cost_nusd)
            e = charge_account(p, f, &f->accounts[i]);
    }
    return e ? e : buf_append_z(&p->ids, p->charged_n ? "]" : "[]");
}

/* ---- the transaction ---- */

struct flush_arg {
    struct usage_flush *flush;
    struct flush_params params;
    bool *refused; /* probe only */
};

/* The database will refuse it however often it is asked: a value, a reference, a constraint, a repeat. */
static bool is_content_error(struct db_conn *c, enum err e)
{
    static const unsigned numbers[] = {1048, 1062, 1264, 1265, 1292, 1366, 1367,
                                       1406, 1452, 1586, 1690, 4025, 4038};
    if (e != ERR_DB && e != ERR_DB_DUPLICATE)
        return false;
    for (size_t i = 0; i < COUNT(numbers); i++) {
        if (db_last_errno(c) == numbers[i])
            return true;
    }
    return false;
}

static enum err find_position(struct db_conn *c, const struct usage_flush *f, bool *is_there,
                              uint64_t *position)
{
    struct db_stmt *s = NULL;
    struct db_value v[] = {DB_STRZ(f->process)};
    enum err e = db_run(c, sql_select_position, v, COUNT(v), &s);
    if (!e)
        e = db_next(s);
    *is_there = e == ERR_OK;
    *position = e ? 0 : (uint64_t)db_col_i64(s, 0);
    return e == ERR_END ? ERR_OK : e;
}

/* Moves the position, which also locks it against another flusher of this journal. ERR_END, ERR_RANGE as in money_ops. */
static enum err move_position(struct db_conn *c, struct usage_flush *f)
{
    struct db_value v[] = {DB_INT(f->segment), DB_STRZ(f->process), DB_INT(f->previous)};
    enum err e = db_run(c, sql_move_position, v, COUNT(v), NULL);
    if (e || db_changed(c))
        return e;
    bool is_there = false;
    e = find_position(c, f, &is_there, &f->position);
    if (!e && !is_there) {
        /* A process that never leased has none yet. */
        e = db_run(c, sql_insert_position, &v[1], 1, NULL);
        if (!e)
            e = db_run(c, sql_move_position, v, COUNT(v), NULL);
        if (e || db_changed(c))
            return e;
    }
    if (e)
        return e;
    return f->position >= f->segment ? ERR_END : ERR_RANGE;
}

static enum err read_back(struct db_conn *c, struct usage_flush *f, const struct flush_params *p)
{
    struct db_stmt *s = NULL;
    struct db_value v[] = {DB_STR(buf_slice(&p->ids)), DB_STRZ(f->process)};
    enum err e = db_run(c, sql_select_leases, v, COUNT(v), &s);
    while (!e && !(e = db_next(s))) {
        for (size_t i = 0; i < f->accounts_n; i++) {
            if (f->accounts[i].account_id != db_col_i64(s, 0))
                continue;
            f->accounts[i].row = (struct lease_row){.exists = true,
                                                    .amount_nusd = db_col_nusd(s, 1),
                                                    .n = (uint64_t)db_col_i64(s, 2),
                                                    .position = f->segment};
            break;
        }
    }
    return e == ERR_END ? ERR_OK : e;
}

static enum err flush_fn(struct db_conn *c, void *arg)
{
    struct flush_arg *a = arg;
    struct usage_flush *f = a->flush;
    const struct flush_params *p = &a->params;
    enum err e = move_position(c, f);
    if (e)
        return e;
    if (f->rows_n)
        e = db_run_bulk(c, sql_insert_usage, p->usage, USAGE_COLUMNS, f->rows_n);
    if (!e && p->tried.n) {
        struct db_value tried = DB_STR(buf_slice(&p->tried));
        e = db_run(c, sql_insert_attempts, &tried, 1, NULL);
    }
    if (!e && p->charged_n)
        e = db_run_bulk(c, sql_insert_ledger, p->ledger, LEDGER_COLUMNS, p->charged_n);
    if (!e && p->charged_n)
        e = db_run_bulk(c, sql_lower_lease, p->leases, LEASE_COLUMNS, p->charged_n);
    if (!e && p->charged_n)
        e = read_back(c, f, p);
    if (!e)
        FAULT("k8"); /* all is said but COMMIT */
    return is_content_error(c, e) ? ERR_FORMAT : e;
}

static enum err run_flush(struct db *db, struct usage_flush *f, bool *refused, db_fn *fn)
{
    struct flush_arg a = {.flush = f, .refused = refused};
    for (size_t i = 0; i < f->accounts_n; i++)
        f->accounts[i].row = (struct lease_row){0};
    enum err e = params_init(&a.params, f);
    if (!e)
        e = db_transact(db, fn, &a);
    params_clear(&a.params);
    return e;
}

enum err money_sql_flush(void *self, struct usage_flush *flush)
{
    enum err e = run_flush(self, flush, NULL, flush_fn);
    if (!e)
        FAULT("k9"); /* committed, the segment file is there, memory has not followed */
    return e;
}

/* ---- the rehearsal ---- */

/* Runs a statement whose content may be refused; then *refused is set and all since the savepoint is undone. */
static enum err try_insert(struct db_conn *c, const char *sql, const struct db_value *v, size_t n,
                           const char *undo, bool *refused)
{
    enum err e = db_run(c, sql, v, n, NULL);
    if (!is_content_error(c, e))
        return e;
    *refused = true;
    return db_run(c, undo, NULL, 0, NULL);
}

/* The rows of one account, and the ledger row for those that are accepted. */
static enum err probe_account(struct db_conn *c, struct flush_arg *a, int64_t account_id)
{
    const struct usage_flush *f = a->flush;
    bool is_refused = false;
    int64_t cost_nusd = 0;
    enum err e = db_run(c, sql_save_account, NULL, 0, NULL);
    for (size_t i = 0; !e && i < f->rows_n; i++) {
        if (f->rows[i].account_id != account_id)
            continue;
        e = db_run(c, sql_save_row, NULL, 0, NULL);
        if (!e)
            e = try_insert(c, sql_insert_usage, a->params.usage + i * USAGE_COLUMNS, USAGE_COLUMNS,
                           sql_undo_row, &a->refused[i]);
        cost_nusd += a->refused[i] ? 0 : f->rows[i].cost_nusd;
    }
    if (e || !cost_nusd)
        return e;
    char reference[REFERENCE_SIZE];
    print_reference(reference, f, account_id);
    struct db_value v[LEDGER_COLUMNS] = {DB_INT(account_id), DB_NUSD(-cost_nusd),
                                         DB_STRZ(reference)};
    e = try_insert(c, sql_insert_ledger, v, COUNT(v), sql_undo_account, &is_refused);
    for (size_t i = 0; !e && is_refused && i < f->rows_n; i++)
        a->refused[i] = a->refused[i] || f->rows[i].account_id == account_id;
    return e;
}

/* Never commits: ERR_FULL stands for "tried all". */
static enum err probe_fn(struct db_conn *c, void *arg)
{
    struct flush_arg *a = arg;
    memset(a->refused, 0, a->flush->rows_n * sizeof(*a->refused));
    enum err e = move_position(c, a->flush);
    for (size_t i = 0; !e && i < a->flush->accounts_n; i++)
        e = probe_account(c, a, a->flush->accounts[i].account_id);
    return e ? e : ERR_FULL;
}

enum err money_sql_probe(void *self, struct usage_flush *flush, bool *refused)
{
    enum err e = run_flush(self, flush, refused, probe_fn);
    return e == ERR_FULL ? ERR_OK : e;
}
