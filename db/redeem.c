#include "db/redeem.h"

#include "base/hash.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define GROUPS         5
#define GROUP_CHARS    5
#define HINT_HEAD      9 /* the prefix and the first group */
#define HINT_TAIL      4
#define HINT_SIZE      33
#define REFERENCE_SIZE 40
#define INSERT_COLUMNS 5

/* Without the letters that are taken for digits (Crockford's base 32). */
static const char alphabet[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

struct use {
    uint8_t hash[SHA256_BYTES];
    int64_t account_id;
    int64_t api_key_id;
    struct redeemed out;
};

static struct db_value hash_value(const uint8_t *hash)
{
    union {
        const uint8_t *in;
        const char *out;
    } bytes = {.in = hash};
    return DB_BYTES(((struct slice){bytes.out, SHA256_BYTES}));
}

static const char sql_select_code[] =
    "SELECT id, amount, redeemed_at IS NOT NULL, redeemed_by, batch FROM redeem_codes WHERE "
    "code_hash = ?";

/* Why the code could not be marked. */
static enum err tell_why(struct use *u, const struct db_stmt *s)
{
    if (!db_col_i64(s, 2))
        return ERR_CODE_EXPIRED;
    u->out.is_own = !db_col_is_null(s, 3) && db_col_i64(s, 3) == u->account_id;
    if (u->out.is_own)
        u->out.amount_nusd = db_col_nusd(s, 1);
    return ERR_CODE_USED;
}

static const char sql_mark_code[] =
    "UPDATE redeem_codes SET redeemed_at = UTC_TIMESTAMP(3), redeemed_by = ?, redeemed_key_id = ?"
    " WHERE code_hash = ? AND redeemed_at IS NULL AND (expires_at IS NULL OR expires_at > "
    "UTC_TIMESTAMP(3))";
static const char sql_credit[] =
    "INSERT INTO ledger (account_id, kind, amount, reference, note) VALUES (?, 'redeem', ?, ?, ?)";

static enum err use_fn(struct db_conn *c, void *arg)
{
    struct use *u = arg;
    struct db_stmt *s = NULL;
    char reference[REFERENCE_SIZE], batch[65];
    struct db_value mark[] = {DB_INT(u->account_id),
                              u->api_key_id ? DB_INT(u->api_key_id) : DB_NONE, hash_value(u->hash)};
    u->out = (struct redeemed){0};
    enum err e = db_run(c, sql_mark_code, mark, 3, NULL);
    bool is_marked = !e && db_changed(c) == 1;
    if (!e)
        e = db_run(c, sql_select_code, &mark[2], 1, &s);
    if (!e)
        e = db_next(s);
    if (e)
        return e == ERR_END ? ERR_NOT_FOUND : e;
    if (!is_marked)
        return tell_why(u, s);
    u->out.amount_nusd = db_col_nusd(s, 1);
    slice_copy_z(batch, sizeof(batch), db_col_text(s, 4));
    (void)snprintf(reference, sizeof(reference), "redeem:%" PRId64, db_col_i64(s, 0));
    struct db_value credit[] = {DB_INT(u->account_id), DB_NUSD(u->out.amount_nusd),
                                DB_STRZ(reference), DB_STRZ(batch)};
    return db_run(c, sql_credit, credit, 4, NULL);
}

enum err redeem_use(struct db *db, struct slice code, int64_t account_id, int64_t api_key_id,
                    struct redeemed *out)
{
    struct use u = {.account_id = account_id, .api_key_id = api_key_id};
    code = slice_trim(code);
    if (code.n == 0 || code.n > REDEEM_CODE_BYTES)
        return ERR_NOT_FOUND;
    hash_sha256(code, u.hash);
    enum err e = db_transact(db, use_fn, &u);
    switch (e) {
    case ERR_OK:
    case ERR_CODE_USED:
        *out = u.out;
        return e;
    case ERR_NOT_FOUND:
    case ERR_CODE_EXPIRED:
        return e;
    default:
        return ERR_UNAVAILABLE;
    }
}

/* ---- making them ---- */

static void make_code(char dst[REDEEM_CODE_SIZE])
{
    uint8_t random[GROUPS * GROUP_CHARS];
    size_t n = 0;
    hash_random(random, sizeof(random));
    memcpy(dst, "AIP", 3);
    n += 3;
    for (size_t i = 0; i < sizeof(random); i++) {
        if (i % GROUP_CHARS == 0)
            dst[n++] = '-';
        dst[n++] = alphabet[random[i] % (sizeof(alphabet) - 1)];
    }
    dst[n] = '\0';
    assert(n == REDEEM_CODE_SIZE - 1);
    hash_wipe(random, sizeof(random));
}

/* What the rows of one batch borrow. */
struct create {
    struct db_value *values; /* n x INSERT_COLUMNS */
    uint8_t (*hashes)[SHA256_BYTES];
    char (*hints)[HINT_SIZE];
    size_t n;
    bool is_bad_date;
};

static const char sql_insert_code[] =
    "INSERT INTO redeem_codes (code_hash, code_hint, batch, amount, expires_at) VALUES (?, ?, ?, "
    "?, ?)";

#define ER_TRUNCATED_WRONG_VALUE 1292

static enum err create_fn(struct db_conn *c, void *arg)
{
    struct create *a = arg;
    enum err e = db_run_bulk(c, sql_insert_code, a->values, INSERT_COLUMNS, a->n);
    a->is_bad_date = e == ERR_DB && db_last_errno(c) == ER_TRUNCATED_WRONG_VALUE;
    return e;
}

static void fill_row(struct create *a, const struct redeem_batch *b, size_t i, const char *code)
{
    hash_sha256(slice_of(code), a->hashes[i]);
    (void)snprintf(a->hints[i], HINT_SIZE, "%.*s...%s", HINT_HEAD, code,
                   code + REDEEM_CODE_SIZE - 1 - HINT_TAIL);
    const struct db_value row[INSERT_COLUMNS] = {hash_value(a->hashes[i]), DB_STRZ(a->hints[i]),
                                                 DB_STRZ(b->name), DB_NUSD(b->amount_nusd),
                                                 b->expires ? DB_STRZ(b->expires) : DB_NONE};
    memcpy(a->values + i * INSERT_COLUMNS, row, sizeof(row));
}

enum err redeem_create(struct db *db, const struct redeem_batch *batch,
                       char (*codes)[REDEEM_CODE_SIZE])
{
    assert(batch->n > 0 && batch->n <= REDEEM_BATCH_MAX && batch->amount_nusd > 0);
    struct create a = {
        .values = calloc(batch->n * INSERT_COLUMNS, sizeof(*a.values)),
        .hashes = calloc(batch->n, sizeof(*a.hashes)),
        .hints = calloc(batch->n, sizeof(*a.hints)),
        .n = batch->n,
    };
    enum err e = ERR_MEMORY;
    if (a.values && a.hashes && a.hints) {
        for (size_t i = 0; i < batch->n; i++) {
            make_code(codes[i]);
            fill_row(&a, batch, i, codes[i]);
        }
        e = db_transact(db, create_fn, &a);
    }
    free(a.values);
    free(a.hashes);
    free(a.hints);
    if (a.is_bad_date)
        return ERR_FORMAT;
    return e == ERR_OK || e == ERR_MEMORY ? e : ERR_UNAVAILABLE;
}
