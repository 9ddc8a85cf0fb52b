#include "ctl/ctl_sql.h"
#include "ctl/doctor.h"

#include <curl/curl.h>
#include <mysql.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define STATEMENT_MS INT64_C(30000)

const struct ctl_option ctl_doctor_options[] = {
    {"url",      "URL",     "check through the web server as well: https://ai.example.com"},
    {"key-file", "FILE",    "with an API key for that; else $AIPASS_KEY"                  },
    {"silence",  "SECONDS", "how long a silent stream must live there (45)"               },
    {"offline",  NULL,      "ask no provider"                                             },
    CTL_ROWS_OPTIONS,
    {NULL,       NULL,      NULL                                                          },
};

static const struct ctl_column columns[] = {
    {"check",   CTL_TEXT},
    {"status",  CTL_TEXT},
    {"finding", CTL_TEXT},
    {"fix",     CTL_TEXT},
    {NULL,      CTL_TEXT},
};
static const char *const level_names[] = {"ok", "warning", "error"};

static void print_plain(const char *name, enum doctor_level level, const char *text,
                        const char *fix)
{
    static const char *const colors[] = {"\033[32m", "\033[33m", "\033[31m"};
    bool has_color = ctl_has_color(stdout);
    printf("%s%-8s%s %-12s %s\n", has_color ? colors[level] : "", level_names[level],
           has_color ? "\033[0m" : "", name, text);
    if (fix)
        printf("%-22sfix: %s\n", "", fix);
    fflush(stdout);
}

void doctor_tell(struct doctor *d, const char *name, enum doctor_level level, const char *fix,
                 const char *fmt, ...)
{
    char text[DOCTOR_TEXT_MAX];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    d->counts[level]++;
    if (level > d->worst)
        d->worst = level;
    if (d->is_plain) {
        print_plain(name, level, text, fix);
        return;
    }
    ctl_rows_add_z(d->rows, name);
    ctl_rows_add_z(d->rows, level_names[level]);
    ctl_rows_add_z(d->rows, text);
    ctl_rows_add_z(d->rows, fix);
}

static void check_versions(struct doctor *d)
{
    const curl_version_info_data *curl = curl_version_info(CURLVERSION_NOW);
    bool is_old = curl->version_num < 0x074400; /* 7.68.0: curl_multi_poll wakes */
    doctor_tell(d, "versions", is_old ? DOCTOR_ERROR : DOCTOR_OK,
                is_old ? "install libcurl 7.68 or later" : NULL,
                "aipassctl " AIPASS_VERSION ", libcurl %s with %s, MariaDB client %s",
                curl->version, curl->ssl_version ? curl->ssl_version : "no TLS",
                mysql_get_client_info());
}

static void run_checks(struct doctor *d)
{
    const char *url = ctl_value(d->args, "url");
    check_versions(d);
    doctor_check_files(d);
    if (doctor_check_database(d)) {
        doctor_check_catalog(d);
        if (!ctl_value(d->args, "offline"))
            doctor_check_channels(d);
    }
    if (url)
        doctor_check_web(d, url);
    else
        ctl_say("Not checked: what the world sees. --url https://ai.example.com does it.");
}

static enum ctl_exit finish(struct doctor *d)
{
    enum ctl_exit result = d->rows ? ctl_rows_end(d->rows) : CTL_OK;
    ctl_say("%d ok, %d warnings, %d errors", d->counts[DOCTOR_OK], d->counts[DOCTOR_WARNING],
            d->counts[DOCTOR_ERROR]);
    if (result)
        return CTL_ERRORS;
    return d->worst == DOCTOR_ERROR     ? CTL_ERRORS
           : d->worst == DOCTOR_WARNING ? CTL_WARNINGS
                                        : CTL_OK;
}

enum ctl_exit ctl_doctor(const struct ctl_args *args)
{
    struct doctor d = {.args = args};
    struct config *config;
    d.is_plain = isatty(STDOUT_FILENO) && !ctl_value(args, "json") && !ctl_value(args, "output");
    if (!d.is_plain && !(d.rows = ctl_rows_new(args, columns)))
        return CTL_ERRORS;
    curl_global_init(CURL_GLOBAL_DEFAULT);
    config = ctl_config(args);
    if (!config) {
        doctor_tell(&d, "config", DOCTOR_ERROR,
                    "mend the lines told above; aipassctl config print lists all settings",
                    "the configuration cannot be read");
        return finish(&d);
    }
    d.config = config;
    doctor_tell(
        &d, "config", config->path[0] ? DOCTOR_OK : DOCTOR_WARNING,
        config->path[0] ? NULL
                        : "copy etc/aipass.conf to /etc/aipass/aipass.conf, or name it by --config",
        "%s",
        config->path[0] ? config->path : "no file was found: all settings have their defaults");
    d.db = db_new(config);
    if (d.db)
        db_set_read_timeout(d.db, STATEMENT_MS);
    run_checks(&d);
    if (d.db)
        db_give(d.db, d.conn);
    db_free(d.db);
    config_free(config);
    return finish(&d);
}
