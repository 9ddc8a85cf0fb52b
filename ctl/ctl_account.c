#include "ctl/ctl_sql.h"

#include <string.h>

const struct ctl_option ctl_account_list_options[] = {
    {"group", "NAME", "only of this group"},
    CTL_ROWS_OPTIONS,
    {NULL,    NULL,   NULL                },
};
const struct ctl_option ctl_account_options[] = {
    {"email",      "ADDRESS",    "contact address"                         },
    {"group",      "NAME",       "its group (default)"                     },
    {"multiplier", "MULTIPLIER", "of its prices, on top of the group's (1)"},
    {"note",       "TEXT",       "for admins"                              },
    CTL_ROWS_OPTIONS,
    CTL_CHANGE_OPTIONS,
    {NULL,         NULL,         NULL                                      },
};
const struct ctl_option ctl_account_status_options[] = {
    CTL_CHANGE_OPTIONS, {NULL, NULL, NULL}
};

static const struct ctl_column account_columns[] = {
    {"id",         CTL_NUMBER},
    {"name",       CTL_TEXT  },
    {"email",      CTL_TEXT  },
    {"group",      CTL_TEXT  },
    {"status",     CTL_TEXT  },
    {"balance",    CTL_TEXT  },
    {"reserved",   CTL_TEXT  },
    {"multiplier", CTL_TEXT  },
    {"keys",       CTL_NUMBER},
    {"created_at", CTL_TEXT  },
    {"note",       CTL_TEXT  },
    {NULL,         CTL_TEXT  },
};

/* As v_account_balance, which need not exist. */
#define SQL_ACCOUNTS                                                                               \
    "SELECT a.id, a.name, a.email, g.name, a.status,"                                              \
    " COALESCE((SELECT c.balance FROM checkpoints c WHERE c.account_id = a.id ORDER BY c.id DESC"  \
    " LIMIT 1), 0) + COALESCE((SELECT SUM(l.amount) FROM ledger l WHERE l.account_id = a.id AND"   \
    " l.checkpoint_id IS NULL), 0),"                                                               \
    " COALESCE((SELECT SUM(s.amount) FROM leases s WHERE s.account_id = a.id), CAST(0 AS"          \
    " DECIMAL(18,9))), a.price_multiplier,"                                                        \
    " (SELECT COUNT(*) FROM api_keys k WHERE k.account_id = a.id AND k.status = 'active'),"        \
    " CAST(a.created_at AS CHAR), a.note"                                                          \
    " FROM accounts a JOIN account_groups g ON g.id = a.group_id"

static const char sql_list[] = SQL_ACCOUNTS " WHERE ? IS NULL OR g.name = ? ORDER BY a.id";
static const char sql_show[] = SQL_ACCOUNTS " WHERE a.name = ?";
static const char sql_create[] =
    "INSERT INTO accounts (name, email, group_id, price_multiplier, note)"
    " SELECT ?, ?, g.id, COALESCE(?, 1), COALESCE(?, '') FROM account_groups g"
    " WHERE g.name = COALESCE(?, 'default')";
static const char sql_set[] =
    "UPDATE accounts SET email = COALESCE(?, email), price_multiplier = COALESCE(?, "
    "price_multiplier), note = COALESCE(?, note), group_id = COALESCE((SELECT id FROM "
    "account_groups WHERE name = ?), group_id) WHERE name = ?";
static const char sql_status[] = "UPDATE accounts SET status = ? WHERE id = ?";
static const char sql_account_id[] = "SELECT id FROM accounts WHERE name = ?";
static const char sql_group_id[] = "SELECT id FROM account_groups WHERE name = ?";

enum ctl_exit ctl_account_id(struct ctl_sql *s, const char *name, int64_t *id)
{
    return ctl_sql_id(s, sql_account_id, DB_STRZ(name), "account", id);
}

enum ctl_exit ctl_group_id(struct ctl_sql *s, const char *name, int64_t *id)
{
    return ctl_sql_id(s, sql_group_id, DB_STRZ(name), "group", id);
}

enum ctl_exit ctl_account_list(const struct ctl_args *args)
{
    struct db_value group = ctl_db_text(args, "group"), params[] = {group, group};
    struct ctl_sql s;
    enum ctl_exit result = ctl_sql_open(args, &s);
    if (result)
        return result;
    result = ctl_sql_print(&s, account_columns, sql_list, params, 2);
    ctl_sql_close(&s);
    return result;
}

enum ctl_exit ctl_account_show(const struct ctl_args *args)
{
    struct db_value name = DB_STRZ(args->words[0]);
    struct ctl_sql s;
    int64_t id = 0;
    enum ctl_exit result = ctl_sql_open(args, &s);
    if (result)
        return result;
    result = ctl_account_id(&s, args->words[0], &id);
    if (!result)
        result = ctl_sql_print(&s, account_columns, sql_show, &name, 1);
    ctl_sql_close(&s);
    return result;
}

/* The group that was asked for exists. */
static enum ctl_exit check_group(struct ctl_sql *s)
{
    const char *group = ctl_value(s->args, "group");
    int64_t id = 0;
    return group ? ctl_group_id(s, group, &id) : CTL_OK;
}

enum ctl_exit ctl_account_create(const struct ctl_args *args)
{
    struct db_value name = DB_STRZ(args->words[0]);
    struct db_value params[] = {name, ctl_db_text(args, "email"), ctl_db_text(args, "multiplier"),
                                ctl_db_text(args, "note"), ctl_db_text(args, "group")};
    struct ctl_sql s;
    enum ctl_exit result = ctl_sql_open(args, &s);
    if (result)
        return result;
    result = check_group(&s);
    if (!result)
        result = ctl_sql_begin(&s);
    if (!result) {
        result = ctl_sql_run(&s, sql_create, params, 5, NULL);
        if (!result)
            result = ctl_sql_print(&s, account_columns, sql_show, &name, 1);
        result = ctl_sql_end(&s, result);
    }
    ctl_sql_close(&s);
    return result;
}

enum ctl_exit ctl_account_set(const struct ctl_args *args)
{
    struct db_value name = DB_STRZ(args->words[0]);
    struct db_value params[] = {ctl_db_text(args, "email"), ctl_db_text(args, "multiplier"),
                                ctl_db_text(args, "note"), ctl_db_text(args, "group"), name};
    struct ctl_sql s;
    int64_t id = 0;
    enum ctl_exit result = ctl_sql_open(args, &s);
    if (result)
        return result;
    result = ctl_account_id(&s, args->words[0], &id);
    if (!result)
        result = check_group(&s);
    if (!result)
        result = ctl_sql_begin(&s);
    if (!result) {
        result = ctl_sql_run(&s, sql_set, params, 5, NULL);
        if (!result)
            result = ctl_sql_print(&s, account_columns, sql_show, &name, 1);
        result = ctl_sql_end(&s, result);
    }
    ctl_sql_close(&s);
    return result;
}

static const struct ctl_status account_status = {"account", sql_account_id, sql_status, "a second"};

enum ctl_exit ctl_account_enable(const struct ctl_args *args)
{
    return ctl_sql_set_status(args, &account_status, "active");
}

enum ctl_exit ctl_account_disable(const struct ctl_args *args)
{
    return ctl_sql_set_status(args, &account_status, "disabled");
}

/* ---- money ---- */

const struct ctl_option ctl_recharge_options[] = {
    {"reference", "TEXT", "unique: the same payment cannot be entered twice"},
    {"kind",      "KIND", "recharge (the default), refund or adjustment"    },
    {"note",      "TEXT", "for statements"                                  },
    CTL_ROWS_OPTIONS,
    CTL_CHANGE_OPTIONS,
    CTL_YES_OPTION,
    {NULL,        NULL,   NULL                                              },
};
const struct ctl_option ctl_recharge_list_options[] = {
    {"n",  "COUNT", "at most so many, newest first (50)"},
    CTL_ROWS_OPTIONS,
    {NULL, NULL,    NULL                                },
};

static const struct ctl_column ledger_columns[] = {
    {"id",         CTL_NUMBER},
    {"account",    CTL_TEXT  },
    {"kind",       CTL_TEXT  },
    {"amount",     CTL_TEXT  },
    {"reference",  CTL_TEXT  },
    {"created_at", CTL_TEXT  },
    {"note",       CTL_TEXT  },
    {NULL,         CTL_TEXT  },
};
static const char sql_recharge[] = "INSERT INTO ledger (account_id, kind, amount, reference, note)"
                                   " VALUES (?, ?, ?, ?, COALESCE(?, ''))";
static const char sql_recharges[] =
    "SELECT l.id, a.name, l.kind, l.amount, l.reference, CAST(l.created_at AS CHAR), l.note"
    " FROM ledger l JOIN accounts a ON a.id = l.account_id"
    " WHERE l.kind <> 'usage' AND (? IS NULL OR a.name = ?) ORDER BY l.id DESC LIMIT ?";

enum ctl_exit ctl_count(const struct ctl_args *args, int64_t usual, int64_t max, int64_t *n)
{
    const char *text = ctl_value(args, "n");
    *n = usual;
    if (!text || (!slice_to_i64(slice_of(text), n) && *n >= 1 && *n <= max))
        return CTL_OK;
    (void)ctl_fail("-n: expected 1 to %lld, got %s", (long long)max, text);
    return CTL_USAGE;
}

enum ctl_exit ctl_recharge_list(const struct ctl_args *args)
{
    struct db_value name = args->words_n ? DB_STRZ(args->words[0]) : DB_NONE;
    struct ctl_sql s;
    int64_t n = 0;
    enum ctl_exit result = ctl_count(args, 50, 1000000, &n);
    if (!result)
        result = ctl_sql_open(args, &s);
    if (result)
        return result;
    result = ctl_sql_print(&s, ledger_columns, sql_recharges,
                           (struct db_value[]){name, name, DB_INT(n)}, 3);
    ctl_sql_close(&s);
    return result;
}

static enum ctl_exit recharge(struct ctl_sql *s, const char *kind, struct db_value amount)
{
    const struct ctl_args *args = s->args;
    const char *name = args->words[0];
    int64_t id = 0;
    enum ctl_exit result = ctl_account_id(s, name, &id);
    if (!result)
        result = ctl_confirm(args, "%s of %s USD to %s?", kind, args->words[1], name);
    if (!result)
        result = ctl_sql_begin(s);
    if (result)
        return result;
    struct db_value params[] = {DB_INT(id), DB_STRZ(kind), amount, ctl_db_text(args, "reference"),
                                ctl_db_text(args, "note")};
    result = ctl_sql_run(s, sql_recharge, params, 5, NULL);
    if (!result) {
        struct db_value shown = DB_STRZ(name);
        result = ctl_sql_print(s, account_columns, sql_show, &shown, 1);
    }
    return ctl_sql_end(s, result);
}

enum ctl_exit ctl_recharge_add(const struct ctl_args *args)
{
    const char *kind = ctl_value(args, "kind"), *amount = args->words[1];
    bool is_adjustment = kind && !strcmp(kind, "adjustment");
    struct db_value value;
    struct ctl_sql s;
    if (kind && !is_adjustment && strcmp(kind, "recharge") != 0 && strcmp(kind, "refund") != 0) {
        (void)ctl_fail("--kind: expected recharge, refund or adjustment, got %s", kind);
        return CTL_USAGE;
    }
    enum ctl_exit result =
        ctl_amount("AMOUNT", amount + (is_adjustment && amount[0] == '-'), false, &value);
    if (result)
        return result;
    if (!value.i64) {
        (void)ctl_fail("AMOUNT: expected an amount other than 0");
        return CTL_USAGE;
    }
    if (is_adjustment && amount[0] == '-')
        value.i64 = -value.i64;
    result = ctl_sql_open(args, &s);
    if (result)
        return result;
    result = recharge(&s, kind ? kind : "recharge", value);
    ctl_sql_close(&s);
    return result;
}
