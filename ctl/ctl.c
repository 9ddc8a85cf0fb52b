#include "ctl/ctl.h"

#include "base/err.h"
#include "ctl/ctl_help.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define CONNECTIONS_MIN 2

/* clang-format off */
const struct ctl_command ctl_commands[] = {
    /* noun        verb       words               min max  options                      help                                            run */
    {"account",    "list",    "",                  0,  0,  ctl_account_list_options,    "accounts with their balances",                 ctl_account_list   },
    {"account",    "show",    "ACCOUNT",           1,  1,  ctl_key_list_options,        "one of them",                                  ctl_account_show   },
    {"account",    "create",  "ACCOUNT",           1,  1,  ctl_account_options,         "make one",                                     ctl_account_create },
    {"account",    "set",     "ACCOUNT",           1,  1,  ctl_account_options,         "change what the options name",                 ctl_account_set    },
    {"account",    "enable",  "ACCOUNT",           1,  1,  ctl_account_status_options,  "its keys work again",                          ctl_account_enable },
    {"account",    "disable", "ACCOUNT",           1,  1,  ctl_account_status_options,  "every key of it is refused",                   ctl_account_disable},
    {"key",        "list",    "[ACCOUNT]",         0,  1,  ctl_key_list_options,        "keys, by their hints",                         ctl_key_list       },
    {"key",        "create",  "ACCOUNT",           1,  1,  ctl_key_options,             "make a key, shown once on stdout",             ctl_key_create     },
    {"key",        "set",     "KEY",               1,  1,  ctl_key_options,             "change what the options name; KEY: its number", ctl_key_set       },
    {"key",        "enable",  "KEY",               1,  1,  ctl_key_status_options,      "it works again",                               ctl_key_enable     },
    {"key",        "disable", "KEY",               1,  1,  ctl_key_status_options,      "it is refused",                                ctl_key_disable    },
    {"key",        "revoke",  "KEY",               1,  1,  ctl_key_status_options,      "it is refused for good",                       ctl_key_revoke     },
    {"key",        "rotate",  "KEY",               1,  1,  ctl_key_rotate_options,      "a new one with its limits; the old one ends",  ctl_key_rotate     },
    {"recharge",   "list",    "[ACCOUNT]",         0,  1,  ctl_recharge_list_options,   "payments and corrections, newest first",       ctl_recharge_list  },
    {"recharge",   "add",     "ACCOUNT USD",       2,  2,  ctl_recharge_options,        "put money on an account",                      ctl_recharge_add   },
    {"redeem",     "create",  "",                  0,  0,  ctl_redeem_options,          "make redeem codes, shown once",                ctl_redeem_create  },
    {"redeem",     "use",     "CODE ACCOUNT",      2,  2,  NULL,                        "credit a code to an account",                  ctl_redeem_use     },
    {"channel",    "list",    "",                  0,  0,  ctl_channel_list_options,    "provider endpoints",                           ctl_channel_list   },
    {"channel",    "add",     "CHANNEL URL",       2,  2,  ctl_channel_options,         "make one: https://api.openai.com/v1",          ctl_channel_add    },
    {"channel",    "key",     "CHANNEL",           1,  1,  ctl_channel_change_options,  "give it a provider's key, from stdin",         ctl_channel_key    },
    {"channel",    "serve",   "CHANNEL MODEL...",  2,  8,  ctl_channel_serve_options,   "let it serve models",                          ctl_channel_serve  },
    {"channel",    "enable",  "CHANNEL",           1,  1,  ctl_channel_change_options,  "it takes requests",                            ctl_channel_enable },
    {"channel",    "drain",   "CHANNEL",           1,  1,  ctl_channel_change_options,  "no new requests; running ones end",            ctl_channel_drain  },
    {"channel",    "disable", "CHANNEL",           1,  1,  ctl_channel_change_options,  "no new requests",                              ctl_channel_disable},
    {"model",      "list",    "[PATTERN]",         0,  1,  ctl_model_list_options,      "models, their prices and channels",            ctl_model_list     },
    {"model",      "add",     "MODEL",             1,  1,  ctl_model_options,           "make one",                                     ctl_model_add      },
    {"model",      "enable",  "MODEL",             1,  1,  ctl_model_status_options,    "sell it",                                      ctl_model_enable   },
    {"model",      "disable", "MODEL",             1,  1,  ctl_model_status_options,    "clients no longer see it",                     ctl_model_disable  },
    {"model",      "import",  "FILE",              1,  1,  ctl_model_import_options,    "propose models and prices of LiteLLM's table", ctl_model_import   },
    {"price",      "list",    "[PATTERN]",         0,  1,  ctl_price_list_options,      "prices in force",                              ctl_price_list     },
    {"price",      "set",     "MODEL UNIT USD",    3,  3,  ctl_price_options,           "price of a million tokens, or of one request", ctl_price_set      },
    {"log",        "list",    "",                  0,  0,  ctl_log_list_options,        "requests, newest first",                       ctl_log_list       },
    {"log",        "show",    "REQUEST_ID",        1,  1,  ctl_log_show_options,        "all that is known of one",                     ctl_log_show       },
    {"log",        "export",  "",                  0,  0,  ctl_log_export_options,      "all requests, oldest first",                   ctl_log_export     },
    {"ledger",     "check",   "",                  0,  0,  ctl_ledger_check_options,    "do the books agree? 0, 1 no, 2 not checked",   ctl_ledger_check   },
    {"migrate",    NULL,      "",                  0,  0,  ctl_migrate_options,         "update the schema",                            ctl_migrate        },
    {"upkeep",     NULL,      "",                  0,  0,  ctl_upkeep_options,          "do what is due; for cron",                     ctl_upkeep         },
    {"explain",    NULL,      "",                  0,  0,  ctl_explain_options,         "what would come of a request, and why",        ctl_explain        },
    {"doctor",     NULL,      "",                  0,  0,  ctl_doctor_options,          "check everything, and tell how to mend it",    ctl_doctor         },
    {"config",     "print",   "",                  0,  0,  NULL,                        "print all settings",                           ctl_config_print   },
    {"completion", NULL,      "SHELL",             1,  1,  NULL,                        "completion for bash, zsh or fish",             ctl_completion     },
    {"manual",     NULL,      "",                  0,  0,  NULL,                        "the commands of aipassctl(1), in Markdown",    ctl_manual         },
    {NULL,         NULL,      NULL,                0,  0,  NULL,                        NULL,                                           NULL               },
};
/* clang-format on */

const struct ctl_option ctl_common_options[] = {
    {"config",  "FILE", "read this aipass.conf"},
    {"help",    NULL,   "print a help text"    },
    {"version", NULL,   "print the version"    },
    {NULL,      NULL,   NULL                   },
};

/* ---- for the commands ---- */

const char *ctl_value(const struct ctl_args *args, const char *name)
{
    for (int i = 0; i < args->given_n; i++) {
        if (!strcmp(args->given[i].name, name))
            return args->given[i].value;
    }
    return NULL;
}

/* db_connections_max is for the gateway's many processes, 1 for CGI; a command is one process and may
 * keep a connection while another reads. */
struct config *ctl_config(const struct ctl_args *args)
{
    struct config *config = NULL;
    if (config_load(args->config_path, stderr, &config))
        return NULL;
    if (config->db_connections_max < CONNECTIONS_MIN)
        config->db_connections_max = CONNECTIONS_MIN;
    return config;
}

enum ctl_exit ctl_fail(const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    fputs("aipassctl: ", stderr);
    vfprintf(stderr, fmt, args);
    fputc('\n', stderr);
    va_end(args);
    return CTL_FAILED;
}

/* ---- what it was called with ---- */

static __attribute__((format(printf, 1, 2))) enum ctl_exit usage(const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    fputs("aipassctl: ", stderr);
    vfprintf(stderr, fmt, args);
    fputs("; see aipassctl --help\n", stderr);
    va_end(args);
    return CTL_USAGE;
}

static const struct ctl_option *option_find(const struct ctl_option *o, const char *name, size_t n)
{
    for (; o && o->name; o++) {
        if (strlen(o->name) == n && !memcmp(o->name, name, n))
            return o;
    }
    return NULL;
}

/* The option in argv[*at]: "--name", "--name value", "--name=value" or "-n value". *at moves past
 * its value. */
static enum ctl_exit take_option(const struct ctl_command *c, char **argv, int *at,
                                 struct ctl_args *args)
{
    const char *name = argv[*at] + (argv[*at][1] == '-' ? 2 : 1), *equals = strchr(name, '=');
    size_t n = equals ? (size_t)(equals - name) : strlen(name);
    const struct ctl_option *o = option_find(ctl_common_options, name, n);
    if (!o && c)
        o = option_find(c->options, name, n);
    if (!o)
        return usage("there is no option %s%s", argv[*at], c ? " here" : "");
    if (!o->value && equals)
        return usage("--%s takes no value", o->name);
    if (args->given_n == CTL_OPTIONS_MAX)
        return usage("too many options");
    const char *value = "";
    if (o->value) {
        value = equals ? equals + 1 : argv[*at + 1];
        if (!value)
            return usage("--%s wants a value", o->name);
        *at += !equals;
    }
    args->given[args->given_n].name = o->name;
    args->given[args->given_n++].value = value;
    return CTL_OK;
}

static enum ctl_exit take_args(const struct ctl_command *c, char **argv, struct ctl_args *args)
{
    for (int i = 0; argv[i]; i++) {
        bool is_long = argv[i][0] == '-' && argv[i][1] == '-' && argv[i][2];
        bool is_letter = argv[i][0] == '-' && argv[i][1] != '-' && argv[i][1] && !argv[i][2] &&
                         !(argv[i][1] >= '0' && argv[i][1] <= '9');
        if (is_long || is_letter) {
            enum ctl_exit e = take_option(c, argv, &i, args);
            if (e)
                return e;
            continue;
        }
        if (args->words_n == CTL_WORDS_MAX)
            return usage("too many words");
        args->words[args->words_n++] = argv[i];
    }
    args->config_path = ctl_value(args, "config");
    return CTL_OK;
}

/* The command that the first words of argv name; *used: how many words that were. */
static const struct ctl_command *find_command(char **argv, int *used)
{
    for (const struct ctl_command *c = ctl_commands; c->noun; c++) {
        if (!argv[0] || strcmp(argv[0], c->noun))
            continue;
        if (c->verb && (!argv[1] || strcmp(argv[1], c->verb)))
            continue;
        *used = c->verb ? 2 : 1;
        return c;
    }
    return NULL;
}

static enum ctl_exit help(const struct ctl_command *c, const struct ctl_args *args)
{
    if (c)
        ctl_help_command(c);
    else if (!ctl_help_noun(args->words[0]))
        ctl_help_all();
    return CTL_OK;
}

/* Neither noun nor verb is known, or one of them is missing. */
static enum ctl_exit refuse(const struct ctl_args *args)
{
    const char *noun = args->words[0], *verb = args->words[1];
    bool is_noun = false;
    if (!noun)
        return usage("which command?");
    for (const struct ctl_command *c = ctl_commands; c->noun; c++)
        is_noun |= !strcmp(c->noun, noun);
    const char *nearest =
        is_noun && !verb ? NULL : ctl_help_nearest(is_noun ? noun : NULL, is_noun ? verb : noun);
    if (is_noun && !verb)
        return usage("%s what?", noun);
    return usage("there is no command \"%s%s%s\"%s%s%s", noun, is_noun ? " " : "",
                 is_noun ? verb : "", nearest ? "; did you mean " : "", nearest ? nearest : "",
                 nearest ? "?" : "");
}

static enum ctl_exit run(char **argv)
{
    struct ctl_args args = {0};
    int used = 0;
    const struct ctl_command *c = find_command(argv, &used);
    enum ctl_exit e = take_args(c, argv + used, &args);
    if (e)
        return e;
    if (ctl_value(&args, "help"))
        return help(c, &args);
    if (ctl_value(&args, "version")) {
        puts("aipassctl " AIPASS_VERSION);
        return CTL_OK;
    }
    if (!c)
        return refuse(&args);
    if (args.words_n < c->words_min || args.words_n > c->words_max)
        return usage("%s%s%s takes: %s", c->noun, c->verb ? " " : "", c->verb ? c->verb : "",
                     c->words[0] ? c->words : "no words");
    return c->run(&args);
}

int main(int argc, char **argv)
{
    enum ctl_exit e = argc ? run(argv + 1) : CTL_USAGE;
    if (fflush(stdout) || ferror(stdout))
        e = ctl_fail("stdout: %s", strerror(errno));
    return e;
}
