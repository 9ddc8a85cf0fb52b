#include "ctl/ctl_sql.h"

#include <string.h>

/* ---- models ---- */

const struct ctl_option ctl_model_list_options[] = {
    CTL_ROWS_OPTIONS, {NULL, NULL, NULL}
};
const struct ctl_option ctl_model_options[] = {
    {"kind",         "KIND",   "chat, embedding, image, audio or video (chat)"},
    {"owned-by",     "NAME",   "shown in the model list (aipass)"             },
    {"display-name", "NAME",   "name for people"                              },
    {"context",      "TOKENS", "context window (128000)"                      },
    {"output-max",   "TOKENS", "largest output (16384)"                       },
    {"note",         "TEXT",   "for admins"                                   },
    CTL_CHANGE_OPTIONS,
    {NULL,           NULL,     NULL                                           },
};
const struct ctl_option ctl_model_status_options[] = {
    CTL_CHANGE_OPTIONS, {NULL, NULL, NULL}
};

static const struct ctl_column model_columns[] = {
    {"id",           CTL_NUMBER},
    {"name",         CTL_TEXT  },
    {"kind",         CTL_TEXT  },
    {"status",       CTL_TEXT  },
    {"owned_by",     CTL_TEXT  },
    {"context",      CTL_NUMBER},
    {"output",       CTL_NUMBER},
    {"input_token",  CTL_TEXT  },
    {"output_token", CTL_TEXT  },
    {"channels",     CTL_NUMBER},
    {"note",         CTL_TEXT  },
    {NULL,           CTL_TEXT  },
};

#define SQL_PRICE_NOW(unit)                                                                        \
    "(SELECT p.amount FROM prices p WHERE p.model_id = m.id AND p.scope = 'model' AND p.qualifier" \
    " = '' AND p.unit = '" unit "' AND p.valid_from <= UTC_TIMESTAMP(3) ORDER BY p.valid_from "    \
    "DESC LIMIT 1)"
#define SQL_MODELS                                                                                 \
    "SELECT m.id, m.name, m.kind, m.status, m.owned_by, m.context_tokens, "                        \
    "m.output_tokens_max, " SQL_PRICE_NOW("input_token") ", " SQL_PRICE_NOW(                       \
        "output_token") ","                                                                        \
                        " (SELECT COUNT(*) FROM channel_models cm JOIN channels c ON c.id = "      \
                        "cm.channel_id WHERE "                                                     \
                        "cm.model_id = m.id AND cm.status = 'enabled' AND c.status = 'enabled' "   \
                        "AND EXISTS (SELECT 1 "                                                    \
                        "FROM channel_keys k WHERE k.channel_id = c.id AND k.status = "            \
                        "'enabled')), m.note FROM models m"

static const char sql_models[] = SQL_MODELS " WHERE ? IS NULL OR m.name LIKE ? ORDER BY m.name";
static const char sql_model_add[] =
    "INSERT INTO models (name, kind, owned_by, display_name, context_tokens, output_tokens_max, "
    "note) VALUES (?, COALESCE(?, 'chat'), COALESCE(?, 'aipass'), ?, COALESCE(?, 128000), "
    "COALESCE(?, 16384), COALESCE(?, ''))";
static const char sql_model_id[] = "SELECT id FROM models WHERE name = ?";
static const char sql_model_status[] = "UPDATE models SET status = ? WHERE id = ?";

enum ctl_exit ctl_model_list(const struct ctl_args *args)
{
    struct db_value like = args->words_n ? DB_STRZ(args->words[0]) : DB_NONE;
    struct ctl_sql s;
    enum ctl_exit result = ctl_sql_open(args, &s);
    if (result)
        return result;
    result = ctl_sql_print(&s, model_columns, sql_models, (struct db_value[]){like, like}, 2);
    ctl_sql_close(&s);
    return result;
}

enum ctl_exit ctl_model_add(const struct ctl_args *args)
{
    struct db_value params[] = {DB_STRZ(args->words[0]),       ctl_db_text(args, "kind"),
                                ctl_db_text(args, "owned-by"), ctl_db_text(args, "display-name"),
                                ctl_db_text(args, "context"),  ctl_db_text(args, "output-max"),
                                ctl_db_text(args, "note")};
    struct ctl_sql s;
    enum ctl_exit result = ctl_sql_open(args, &s);
    if (result)
        return result;
    result = ctl_sql_begin(&s);
    if (!result)
        result = ctl_sql_end(&s, ctl_sql_run(&s, sql_model_add, params, 7, NULL));
    if (!result)
        ctl_say("model %s: sold once it has prices (aipassctl price set) and a channel (aipassctl "
                "channel serve)",
                args->words[0]);
    ctl_sql_close(&s);
    return result;
}

static const struct ctl_status model_status = {"model", sql_model_id, sql_model_status,
                                               "five seconds"};

enum ctl_exit ctl_model_enable(const struct ctl_args *args)
{
    return ctl_sql_set_status(args, &model_status, "enabled");
}

enum ctl_exit ctl_model_disable(const struct ctl_args *args)
{
    return ctl_sql_set_status(args, &model_status, "disabled");
}

/* ---- prices ---- */

const struct ctl_option ctl_price_list_options[] = {
    {"all", NULL, "those of the past and of the future, too"},
    CTL_ROWS_OPTIONS,
    {NULL,  NULL, NULL                                      },
};
const struct ctl_option ctl_price_options[] = {
    {"group",     "NAME", "for accounts of this group only"                 },
    {"account",   "NAME", "for this account only"                           },
    {"channel",   "NAME", "what this channel costs the owner"               },
    {"qualifier", "TIER", "flex, priority, batch, above_200000 and the like"},
    {"from",      "DATE", "UTC, as '2030-01-01 00:00:00' (now)"             },
    {"note",      "TEXT", "for admins"                                      },
    CTL_ROWS_OPTIONS,
    CTL_CHANGE_OPTIONS,
    {NULL,        NULL,   NULL                                              },
};

static const struct ctl_column price_columns[] = {
    {"id",         CTL_NUMBER},
    {"model",      CTL_TEXT  },
    {"scope",      CTL_TEXT  },
    {"of",         CTL_TEXT  },
    {"unit",       CTL_TEXT  },
    {"tier",       CTL_TEXT  },
    {"usd",        CTL_TEXT  },
    {"valid_from", CTL_TEXT  },
    {"is",         CTL_TEXT  },
    {"note",       CTL_TEXT  },
    {NULL,         CTL_TEXT  },
};

#define SQL_NEWER                                                                                  \
    "EXISTS (SELECT 1 FROM prices n WHERE n.model_id = p.model_id AND n.scope = p.scope AND "      \
    "n.scope_id = p.scope_id AND n.unit = p.unit AND n.qualifier = p.qualifier AND n.valid_from "  \
    "> p.valid_from AND n.valid_from <= UTC_TIMESTAMP(3))"

static const char sql_prices[] =
    "SELECT * FROM (SELECT p.id, m.name AS model, p.scope, CASE p.scope WHEN 'group' THEN (SELECT "
    "name FROM account_groups WHERE id = p.scope_id) WHEN 'account' THEN (SELECT name FROM "
    "accounts "
    "WHERE id = p.scope_id) WHEN 'channel' THEN (SELECT name FROM channels WHERE id = p.scope_id) "
    "END AS whose, p.unit, p.qualifier, p.amount, CAST(p.valid_from AS CHAR) AS since, CASE WHEN "
    "p.valid_from > UTC_TIMESTAMP(3) THEN 'future' WHEN " SQL_NEWER
    " THEN 'past' ELSE 'in force' END AS state, p.note FROM prices p JOIN models m ON m.id = "
    "p.model_id WHERE ? IS NULL OR m.name LIKE ?) x WHERE ? OR state = 'in force' ORDER BY model, "
    "scope, whose, unit, qualifier, since";
static const char sql_price_set[] =
    "INSERT INTO prices (model_id, scope, scope_id, unit, qualifier, amount, valid_from, note) "
    "VALUES (?, ?, ?, ?, COALESCE(?, ''), ?, COALESCE(?, UTC_TIMESTAMP(3)), COALESCE(?, ''))";
static const char sql_channel_id[] = "SELECT id FROM channels WHERE name = ?";

enum ctl_exit ctl_price_list(const struct ctl_args *args)
{
    struct db_value like = args->words_n ? DB_STRZ(args->words[0]) : DB_NONE;
    struct db_value params[] = {like, like, DB_INT(ctl_value(args, "all") != NULL)};
    struct ctl_sql s;
    enum ctl_exit result = ctl_sql_open(args, &s);
    if (result)
        return result;
    result = ctl_sql_print(&s, price_columns, sql_prices, params, 3);
    ctl_sql_close(&s);
    return result;
}

static enum ctl_exit find_scope(struct ctl_sql *s, const char **scope, int64_t *id)
{
    const char *group = ctl_value(s->args, "group"), *account = ctl_value(s->args, "account"),
               *channel = ctl_value(s->args, "channel");
    *scope = "model";
    *id = 0;
    if ((group != NULL) + (account != NULL) + (channel != NULL) > 1) {
        (void)ctl_fail("--group, --account and --channel: at most one of them");
        return CTL_USAGE;
    }
    if (group) {
        *scope = "group";
        return ctl_group_id(s, group, id);
    }
    if (account) {
        *scope = "account";
        return ctl_account_id(s, account, id);
    }
    if (!channel)
        return CTL_OK;
    *scope = "channel";
    return ctl_sql_id(s, sql_channel_id, DB_STRZ(channel), "channel", id);
}

static enum ctl_exit set_price(struct ctl_sql *s, struct db_value amount)
{
    const struct ctl_args *args = s->args;
    const char *scope = NULL;
    int64_t model = 0, scope_id = 0;
    struct db_value like = DB_STRZ(args->words[0]);
    enum ctl_exit result = ctl_sql_id(s, sql_model_id, like, "model", &model);
    if (!result)
        result = find_scope(s, &scope, &scope_id);
    if (!result)
        result = ctl_sql_begin(s);
    if (result)
        return result;
    struct db_value params[] = {DB_INT(model),
                                DB_STRZ(scope),
                                DB_INT(scope_id),
                                DB_STRZ(args->words[1]),
                                ctl_db_text(args, "qualifier"),
                                amount,
                                ctl_db_text(args, "from"),
                                ctl_db_text(args, "note")};
    result = ctl_sql_run(s, sql_price_set, params, 8, NULL);
    if (!result)
        result = ctl_sql_print(s, price_columns, sql_prices,
                               (struct db_value[]){like, like, DB_INT(1)}, 3);
    return ctl_sql_end(s, result);
}

enum ctl_exit ctl_price_set(const struct ctl_args *args)
{
    struct db_value amount;
    struct ctl_sql s;
    enum ctl_exit result = ctl_amount("USD", args->words[2], false, &amount);
    if (!result)
        result = ctl_sql_open(args, &s);
    if (result)
        return result;
    result = set_price(&s, amount);
    ctl_sql_close(&s);
    return result;
}
