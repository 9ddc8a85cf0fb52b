#include "ctl/ctl_sql.h"

#include "base/clock.h"
#include "base/hash.h"

#include <string.h>
#include <unistd.h>

#define SECRET_MAX 2048

const struct ctl_option ctl_channel_list_options[] = {
    CTL_ROWS_OPTIONS, {NULL, NULL, NULL}
};
const struct ctl_option ctl_channel_options[] = {
    {"provider", "NAME",   "whose API (openai)"                                },
    {"format",   "FORMAT", "openai-chat, openai-responses, anthropic or gemini"},
    {"priority", "NUMBER", "higher is tried first (0)"                         },
    {"weight",   "NUMBER", "share among channels of one priority (1)"          },
    {"note",     "TEXT",   "for admins"                                        },
    {"private",  NULL,     "it has a loopback or private address"              },
    {"key",      NULL,     "read the provider's key from stdin"                },
    CTL_ROWS_OPTIONS,
    CTL_CHANGE_OPTIONS,
    {NULL,       NULL,     NULL                                                },
};
const struct ctl_option ctl_channel_change_options[] = {
    CTL_CHANGE_OPTIONS, {NULL, NULL, NULL}
};
const struct ctl_option ctl_channel_serve_options[] = {
    {"as",   "NAME", "what the provider calls it, when it is another name"},
    {"stop", NULL,   "no longer"                                          },
    CTL_CHANGE_OPTIONS,
    {NULL,   NULL,   NULL                                                 },
};

static const struct ctl_column channel_columns[] = {
    {"id",        CTL_NUMBER},
    {"name",      CTL_TEXT  },
    {"provider",  CTL_TEXT  },
    {"format",    CTL_TEXT  },
    {"base_url",  CTL_TEXT  },
    {"priority",  CTL_NUMBER},
    {"weight",    CTL_NUMBER},
    {"status",    CTL_TEXT  },
    {"keys",      CTL_NUMBER},
    {"models",    CTL_NUMBER},
    {"errors_1h", CTL_NUMBER},
    {"note",      CTL_TEXT  },
    {NULL,        CTL_TEXT  },
};

#define SQL_CHANNELS                                                                               \
    "SELECT c.id, c.name, c.provider, c.format, c.base_url, c.priority, c.weight, c.status,"       \
    " (SELECT COUNT(*) FROM channel_keys k WHERE k.channel_id = c.id AND k.status = 'enabled'),"   \
    " (SELECT COUNT(*) FROM channel_models m WHERE m.channel_id = c.id AND m.status = 'enabled')," \
    " (SELECT COUNT(*) FROM usage_log u WHERE u.channel_id = c.id AND u.status IN ('error', "      \
    "'cut')"                                                                                       \
    " AND u.created_at > UTC_TIMESTAMP(3) - INTERVAL 1 HOUR AND u.request_id >= ?), c.note"        \
    " FROM channels c"

static const char sql_list[] = SQL_CHANNELS " ORDER BY c.priority DESC, c.id";
static const char sql_show[] = SQL_CHANNELS " WHERE c.name = ?";
static const char sql_add[] =
    "INSERT INTO channels (name, base_url, provider, format, priority, weight, note, "
    "allow_private) VALUES (?, ?, COALESCE(?, 'openai'), COALESCE(?, 'openai-chat'), COALESCE(?, "
    "0), COALESCE(?, 1), COALESCE(?, ''), ?)";
static const char sql_id[] = "SELECT id FROM channels WHERE name = ?";
static const char sql_key[] = "INSERT INTO channel_keys (channel_id, secret) VALUES (?, ?)";
static const char sql_status[] = "UPDATE channels SET status = ? WHERE id = ?";
static const char sql_serve[] =
    "INSERT INTO channel_models (channel_id, model_id, upstream_name) SELECT ?, id, ? FROM models "
    "WHERE name = ? ON DUPLICATE KEY UPDATE status = 'enabled', upstream_name = "
    "VALUES(upstream_name)";
static const char sql_stop[] = "UPDATE channel_models SET status = 'disabled' WHERE channel_id = ? "
                               "AND model_id = (SELECT id FROM models WHERE name = ?)";
static const char sql_model[] = "SELECT id FROM models WHERE name = ?";

/* The hour's first request id bounds what is read of the log. */
static struct db_value hour_floor(char *dst)
{
    ulid_floor(dst, clock_wall_ms() - INT64_C(3600000));
    return DB_STRZ(dst);
}

enum ctl_exit ctl_channel_list(const struct ctl_args *args)
{
    char floor[ULID_FLOOR_SIZE];
    struct db_value since = hour_floor(floor);
    struct ctl_sql s;
    enum ctl_exit result = ctl_sql_open(args, &s);
    if (result)
        return result;
    result = ctl_sql_print(&s, channel_columns, sql_list, &since, 1);
    ctl_sql_close(&s);
    return result;
}

/* One line of stdin, which no other user sees in the list of processes. */
static enum ctl_exit read_secret(char *secret, size_t size)
{
    if (isatty(STDIN_FILENO))
        ctl_say("The provider's key, then Enter:");
    if (!fgets(secret, (int)size, stdin))
        return ctl_fail("no key came on stdin");
    secret[strcspn(secret, "\r\n")] = '\0';
    return secret[0] ? CTL_OK : ctl_fail("the key on stdin is empty");
}

static enum ctl_exit add_key(struct ctl_sql *s, const char *channel, const char *secret)
{
    int64_t id = 0;
    enum ctl_exit result = ctl_sql_id(s, sql_id, DB_STRZ(channel), "channel", &id);
    if (!result)
        result = ctl_sql_run(s, sql_key, (struct db_value[]){DB_INT(id), DB_STRZ(secret)}, 2, NULL);
    return result;
}

static enum ctl_exit add(struct ctl_sql *s, const char *secret)
{
    const struct ctl_args *args = s->args;
    char floor[ULID_FLOOR_SIZE];
    struct db_value name = DB_STRZ(args->words[0]);
    struct db_value params[] = {name,
                                DB_STRZ(args->words[1]),
                                ctl_db_text(args, "provider"),
                                ctl_db_text(args, "format"),
                                ctl_db_text(args, "priority"),
                                ctl_db_text(args, "weight"),
                                ctl_db_text(args, "note"),
                                DB_INT(ctl_value(args, "private") != NULL)};
    enum ctl_exit result = ctl_sql_begin(s);
    if (result)
        return result;
    result = ctl_sql_run(s, sql_add, params, sizeof(params) / sizeof(params[0]), NULL);
    if (!result && secret[0])
        result = add_key(s, args->words[0], secret);
    if (!result) {
        struct db_value shown[] = {hour_floor(floor), name};
        result = ctl_sql_print(s, channel_columns, sql_show, shown, 2);
    }
    return ctl_sql_end(s, result);
}

enum ctl_exit ctl_channel_add(const struct ctl_args *args)
{
    char secret[SECRET_MAX + 2] = "";
    struct ctl_sql s;
    enum ctl_exit result = ctl_value(args, "key") ? read_secret(secret, sizeof(secret)) : CTL_OK;
    if (!result)
        result = ctl_sql_open(args, &s);
    if (result)
        return result;
    result = add(&s, secret);
    hash_wipe(secret, sizeof(secret));
    ctl_sql_close(&s);
    return result;
}

enum ctl_exit ctl_channel_key(const struct ctl_args *args)
{
    char secret[SECRET_MAX + 2] = "";
    struct ctl_sql s;
    enum ctl_exit result = read_secret(secret, sizeof(secret));
    if (!result)
        result = ctl_sql_open(args, &s);
    if (result)
        return result;
    result = ctl_sql_begin(&s);
    if (!result)
        result = ctl_sql_end(&s, add_key(&s, args->words[0], secret));
    if (!result)
        ctl_say("channel %s has one more key, within five seconds", args->words[0]);
    hash_wipe(secret, sizeof(secret));
    ctl_sql_close(&s);
    return result;
}

static const struct ctl_status channel_status = {"channel", sql_id, sql_status, "five seconds"};

enum ctl_exit ctl_channel_enable(const struct ctl_args *args)
{
    return ctl_sql_set_status(args, &channel_status, "enabled");
}

enum ctl_exit ctl_channel_disable(const struct ctl_args *args)
{
    return ctl_sql_set_status(args, &channel_status, "disabled");
}

enum ctl_exit ctl_channel_drain(const struct ctl_args *args)
{
    return ctl_sql_set_status(args, &channel_status, "draining");
}

static enum ctl_exit serve(struct ctl_sql *s, int64_t channel, const char *model)
{
    struct db_value id = DB_INT(channel), name = DB_STRZ(model);
    int64_t model_id = 0;
    enum ctl_exit result = ctl_sql_id(s, sql_model, name, "model", &model_id);
    if (result)
        return result;
    if (ctl_value(s->args, "stop"))
        return ctl_sql_run(s, sql_stop, (struct db_value[]){id, name}, 2, NULL);
    struct db_value params[] = {id, ctl_db_text(s->args, "as"), name};
    return ctl_sql_run(s, sql_serve, params, 3, NULL);
}

enum ctl_exit ctl_channel_serve(const struct ctl_args *args)
{
    struct ctl_sql s;
    int64_t id = 0;
    if (ctl_value(args, "as") && args->words_n > 2) {
        (void)ctl_fail("--as: goes with one model");
        return CTL_USAGE;
    }
    enum ctl_exit result = ctl_sql_open(args, &s);
    if (result)
        return result;
    result = ctl_sql_id(&s, sql_id, DB_STRZ(args->words[0]), "channel", &id);
    if (!result)
        result = ctl_sql_begin(&s);
    if (!result) {
        for (int i = 1; !result && i < args->words_n; i++)
            result = serve(&s, id, args->words[i]);
        result = ctl_sql_end(&s, result);
    }
    if (!result)
        ctl_say("channel %s: %d models, within five seconds", args->words[0], args->words_n - 1);
    ctl_sql_close(&s);
    return result;
}
