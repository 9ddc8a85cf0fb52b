#include "ctl/ctl.h"

#include "base/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static const struct ctl_command commands[] = {
    {"migrate", NULL,     "",             0, 0, ctl_migrate_options,      "update the schema",                 ctl_migrate     },
    {"config",  "print",  "",             0, 0, NULL,                     "print all settings",                ctl_config_print},
    {"redeem",  "create", "",             0, 0, ctl_redeem_options,       "make redeem codes, shown once",
     ctl_redeem_create                                                                                                         },
    {"redeem",  "use",    "CODE ACCOUNT", 2, 2, NULL,                     "credit a code to an account",       ctl_redeem_use  },
    {"model",   "import", "FILE",         1, 1, ctl_model_import_options, "propose prices of LiteLLM's table",
     ctl_model_import                                                                                                          },
    {"explain", NULL,     "",             0, 0, ctl_explain_options,      "what would come of a request",      ctl_explain     },
    {"upkeep",  NULL,     "",             0, 0, ctl_upkeep_options,       "do what is due; for cron",          ctl_upkeep      },
    {"ledger",  "check",  "",             0, 0, ctl_ledger_check_options,
     "do the books agree? 0, 1 no, 2 not checked",                                                             ctl_ledger_check},
};

#define COMMANDS_N (sizeof(commands) / sizeof(commands[0]))

static const struct ctl_option common_options[] = {
    {"config",  "FILE", "read this aipass.conf"},
    {"help",    NULL,   "print this text"      },
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

struct config *ctl_config(const struct ctl_args *args)
{
    struct config *config = NULL;
    return config_load(args->config_path, stderr, &config) ? NULL : config;
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

/* ---- help ---- */

static void print_option(FILE *out, const struct ctl_option *o)
{
    char left[64];
    snprintf(left, sizeof(left), "%s%s%s%s", o->name[1] ? "--" : "-", o->name, o->value ? " " : "",
             o->value ? o->value : "");
    fprintf(out, "      %-22s %s\n", left, o->help);
}

static void print_command(FILE *out, const struct ctl_command *c)
{
    char left[96];
    snprintf(left, sizeof(left), "%s%s%s%s%s", c->noun, c->verb ? " " : "", c->verb ? c->verb : "",
             c->words[0] ? " " : "", c->words);
    fprintf(out, "  %-26s %s\n", left, c->help);
    for (const struct ctl_option *o = c->options; o && o->name; o++)
        print_option(out, o);
}

static void print_help(FILE *out)
{
    fputs("aipassctl - administers AIPass Hub\n\nusage: aipassctl COMMAND [OPTIONS]\n\ncommands:\n",
          out);
    for (size_t i = 0; i < COMMANDS_N; i++)
        print_command(out, &commands[i]);
    fputs("\noptions of every command:\n", out);
    for (const struct ctl_option *o = common_options; o->name; o++)
        print_option(out, o);
    fputs("\nIt ends with 0 (done), 1 (failed) or 2 (called wrongly).\n", out);
}

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

/* ---- what it was called with ---- */

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
    const struct ctl_option *o = option_find(common_options, name, n);
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
        bool is_letter = argv[i][0] == '-' && argv[i][1] != '-' && argv[i][1] && !argv[i][2];
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
    for (size_t i = 0; i < COMMANDS_N; i++) {
        const struct ctl_command *c = &commands[i];
        if (!argv[0] || strcmp(argv[0], c->noun))
            continue;
        if (c->verb && (!argv[1] || strcmp(argv[1], c->verb)))
            continue;
        *used = c->verb ? 2 : 1;
        return c;
    }
    return NULL;
}

static enum ctl_exit run(char **argv)
{
    struct ctl_args args = {0};
    int used = 0;
    const struct ctl_command *c = find_command(argv, &used);
    enum ctl_exit e = take_args(c, argv + used, &args);
    if (e)
        return e;
    if (ctl_value(&args, "help")) {
        print_help(stdout);
        return CTL_OK;
    }
    if (ctl_value(&args, "version")) {
        puts("aipassctl " AIPASS_VERSION);
        return CTL_OK;
    }
    if (!c)
        return args.words_n ? usage("there is no command \"%s\"", args.words[0])
                            : usage("which command?");
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
