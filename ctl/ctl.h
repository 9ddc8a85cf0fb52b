/* ctl - aipassctl, the admin's command line: a table of commands (noun, verb), what they take,
 * and how they end.
 *
 * What was asked for goes to stdout, everything else to stderr. One thread. */
#ifndef AIPASS_CTL_CTL_H
#define AIPASS_CTL_CTL_H

#include "base/config.h"

#define CTL_WORDS_MAX   8
#define CTL_OPTIONS_MAX 16

/* How a command ends: the exit code of the program. */
enum ctl_exit {
    CTL_OK = 0,
    CTL_FAILED = 1,
    CTL_USAGE = 2, /* called wrongly; the text says how */
    /* ledger check, as diff does: */
    CTL_DIFFERENT = 1,
    CTL_NOT_CHECKED = 2,
    /* doctor: */
    CTL_WARNINGS = 1,
    CTL_ERRORS = 2,
};

/* One option of a command. */
struct ctl_option {
    const char *name;  /* "dry-run", without the dashes; "n" is given as -n */
    const char *value; /* what to write for its value in the help; NULL: takes none */
    const char *help;
};

/* What a command was called with. */
struct ctl_args {
    const char *config_path; /* --config; NULL: the usual places */
    int words_n;             /* after noun and verb */
    const char *words[CTL_WORDS_MAX];
    int given_n;
    struct {
        const char *name;
        const char *value; /* "" when it takes none */
    } given[CTL_OPTIONS_MAX];
};

struct ctl_command {
    const char *noun;
    const char *verb;  /* NULL: the noun says it all */
    const char *words; /* what follows, for the help: "NAME [EMAIL]"; "" */
    int words_min;
    int words_max;
    const struct ctl_option *options; /* ends with name NULL; NULL: none of its own */
    const char *help;
    enum ctl_exit (*run)(const struct ctl_args *args);
};

/* ctl_value - the value of an option, "" for one without value, NULL when it was not given. */
const char *ctl_value(const struct ctl_args *args, const char *name);

/* ctl_config - loads the configuration, tells on stderr what is wrong with it. NULL: CTL_FAILED
 * is the answer. Free with config_free. */
struct config *ctl_config(const struct ctl_args *args);

/* ctl_fail - "aipassctl: ..." on stderr; returns CTL_FAILED. */
enum ctl_exit ctl_fail(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* The commands. */
extern const struct ctl_option ctl_migrate_options[];
enum ctl_exit ctl_migrate(const struct ctl_args *args);
extern const struct ctl_option ctl_upkeep_options[];
enum ctl_exit ctl_upkeep(const struct ctl_args *args);
extern const struct ctl_option ctl_ledger_check_options[];
enum ctl_exit ctl_ledger_check(const struct ctl_args *args);
enum ctl_exit ctl_config_print(const struct ctl_args *args);
extern const struct ctl_option ctl_redeem_options[];
enum ctl_exit ctl_redeem_create(const struct ctl_args *args);
enum ctl_exit ctl_redeem_use(const struct ctl_args *args);
extern const struct ctl_option ctl_account_list_options[];
extern const struct ctl_option ctl_account_options[];
extern const struct ctl_option ctl_account_status_options[];
enum ctl_exit ctl_account_list(const struct ctl_args *args);
enum ctl_exit ctl_account_show(const struct ctl_args *args);
enum ctl_exit ctl_account_create(const struct ctl_args *args);
enum ctl_exit ctl_account_set(const struct ctl_args *args);
enum ctl_exit ctl_account_enable(const struct ctl_args *args);
enum ctl_exit ctl_account_disable(const struct ctl_args *args);
extern const struct ctl_option ctl_key_list_options[];
extern const struct ctl_option ctl_key_options[];
extern const struct ctl_option ctl_key_status_options[];
extern const struct ctl_option ctl_key_rotate_options[];
enum ctl_exit ctl_key_list(const struct ctl_args *args);
enum ctl_exit ctl_key_create(const struct ctl_args *args);
enum ctl_exit ctl_key_set(const struct ctl_args *args);
enum ctl_exit ctl_key_enable(const struct ctl_args *args);
enum ctl_exit ctl_key_disable(const struct ctl_args *args);
enum ctl_exit ctl_key_revoke(const struct ctl_args *args);
enum ctl_exit ctl_key_rotate(const struct ctl_args *args);
extern const struct ctl_option ctl_recharge_list_options[];
extern const struct ctl_option ctl_recharge_options[];
enum ctl_exit ctl_recharge_list(const struct ctl_args *args);
enum ctl_exit ctl_recharge_add(const struct ctl_args *args);
extern const struct ctl_option ctl_channel_list_options[];
extern const struct ctl_option ctl_channel_options[];
extern const struct ctl_option ctl_channel_change_options[];
extern const struct ctl_option ctl_channel_serve_options[];
enum ctl_exit ctl_channel_list(const struct ctl_args *args);
enum ctl_exit ctl_channel_add(const struct ctl_args *args);
enum ctl_exit ctl_channel_key(const struct ctl_args *args);
enum ctl_exit ctl_channel_serve(const struct ctl_args *args);
enum ctl_exit ctl_channel_enable(const struct ctl_args *args);
enum ctl_exit ctl_channel_drain(const struct ctl_args *args);
enum ctl_exit ctl_channel_disable(const struct ctl_args *args);
extern const struct ctl_option ctl_model_list_options[];
extern const struct ctl_option ctl_model_options[];
extern const struct ctl_option ctl_model_status_options[];
enum ctl_exit ctl_model_list(const struct ctl_args *args);
enum ctl_exit ctl_model_add(const struct ctl_args *args);
enum ctl_exit ctl_model_enable(const struct ctl_args *args);
enum ctl_exit ctl_model_disable(const struct ctl_args *args);
extern const struct ctl_option ctl_price_list_options[];
extern const struct ctl_option ctl_price_options[];
enum ctl_exit ctl_price_list(const struct ctl_args *args);
enum ctl_exit ctl_price_set(const struct ctl_args *args);
extern const struct ctl_option ctl_log_list_options[];
extern const struct ctl_option ctl_log_show_options[];
extern const struct ctl_option ctl_log_export_options[];
enum ctl_exit ctl_log_list(const struct ctl_args *args);
enum ctl_exit ctl_log_show(const struct ctl_args *args);
enum ctl_exit ctl_log_export(const struct ctl_args *args);
extern const struct ctl_option ctl_doctor_options[];
enum ctl_exit ctl_doctor(const struct ctl_args *args);
enum ctl_exit ctl_completion(const struct ctl_args *args);
enum ctl_exit ctl_manual(const struct ctl_args *args);
extern const struct ctl_option ctl_model_import_options[];
enum ctl_exit ctl_model_import(const struct ctl_args *args);
extern const struct ctl_option ctl_explain_options[];
enum ctl_exit ctl_explain(const struct ctl_args *args);

#endif
