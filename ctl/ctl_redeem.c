#include "ctl/ctl_sql.h"

#include "base/amount.h"
#include "db/db.h"
#include "db/redeem.h"

#include <stdio.h>
#include <stdlib.h>

const struct ctl_option ctl_redeem_options[] = {
    {"n",       "COUNT", "how many (1)"                             },
    {"a",       "USD",   "what each is worth"                       },
    {"batch",   "NAME",  "name of the batch"                        },
    {"expires", "DATE",  "UTC, as '2030-12-31 23:59:59'; else never"},
    {"dry-run", NULL,    "make none"                                },
    {NULL,      NULL,    NULL                                       },
};

static enum ctl_exit read_batch(const struct ctl_args *args, struct redeem_batch *batch)
{
    const char *count = ctl_value(args, "n"), *amount = ctl_value(args, "a"),
               *name = ctl_value(args, "batch");
    int64_t n = 1;
    if (count && (slice_to_i64(slice_of(count), &n) || n < 1 || n > REDEEM_BATCH_MAX)) {
        (void)ctl_fail("-n: expected 1 to %d, got %s", REDEEM_BATCH_MAX, count);
        return CTL_USAGE;
    }
    if (!amount || amount_parse(slice_of(amount), &batch->amount_nusd) || batch->amount_nusd <= 0) {
        (void)ctl_fail("-a: expected an amount in USD above 0, got %s", amount ? amount : "none");
        return CTL_USAGE;
    }
    batch->n = (size_t)n;
    batch->name = name ? name : "";
    batch->expires = ctl_value(args, "expires");
    return CTL_OK;
}

static enum ctl_exit create(struct db *db, const struct redeem_batch *batch)
{
    char(*codes)[REDEEM_CODE_SIZE] = calloc(batch->n, sizeof(*codes));
    enum err e = codes ? redeem_create(db, batch, codes) : ERR_MEMORY;
    for (size_t i = 0; !e && i < batch->n; i++)
        puts(codes[i]);
    free(codes);
    if (e == ERR_FORMAT)
        return ctl_fail("--expires: expected a date, got %s", batch->expires);
    return e ? ctl_fail("redeem create: %s", err_name(e)) : CTL_OK;
}

enum ctl_exit ctl_redeem_create(const struct ctl_args *args)
{
    struct redeem_batch batch = {0};
    enum ctl_exit result = read_batch(args, &batch);
    if (result)
        return result;
    if (ctl_value(args, "dry-run")) {
        ctl_say("dry run: %lld codes would be made", (long long)batch.n);
        return CTL_OK;
    }
    struct config *config = ctl_config(args);
    if (!config)
        return CTL_FAILED;
    struct db *db = db_new(config);
    result = db ? create(db, &batch) : ctl_fail("redeem create: %s", err_name(ERR_MEMORY));
    db_free(db);
    config_free(config);
    return result;
}

static const char sql_find_account[] = "SELECT id FROM accounts WHERE name = ?";

/* ERR_END: there is none of that name. */
static enum err find_account(struct db *db, const char *name, int64_t *id)
{
    struct db_value param = DB_STRZ(name);
    struct db_conn *c = NULL;
    struct db_stmt *s = NULL;
    enum err e = db_take(db, &c);
    if (!e)
        e = db_run(c, sql_find_account, &param, 1, &s);
    if (!e)
        e = db_next(s);
    if (!e)
        *id = db_col_i64(s, 0);
    db_give(db, c);
    return e;
}

static enum ctl_exit use(struct db *db, const char *code, const char *name)
{
    char amount[MONEY_TEXT_SIZE];
    struct redeemed r = {0};
    int64_t account_id = 0;
    enum err e = find_account(db, name, &account_id);
    if (e == ERR_END)
        return ctl_fail("there is no account %s", name);
    if (!e)
        e = redeem_use(db, slice_of(code), account_id, 0, &r);
    if (e)
        return ctl_fail("redeem use: %s", err_info(e)->text);
    printf("%s USD credited to %s\n", amount_print(amount, r.amount_nusd), name);
    return CTL_OK;
}

enum ctl_exit ctl_redeem_use(const struct ctl_args *args)
{
    struct config *config = ctl_config(args);
    if (!config)
        return CTL_FAILED;
    struct db *db = db_new(config);
    enum ctl_exit result = db ? use(db, args->words[0], args->words[1])
                              : ctl_fail("redeem use: %s", err_name(ERR_MEMORY));
    db_free(db);
    config_free(config);
    return result;
}
