/* doctor - the checks of aipassctl doctor: each finds something and names its fix.
 *
 * A finding is an ok, a warning or an error; the worst is the exit code. One thread. */
#ifndef AIPASS_CTL_DOCTOR_H
#define AIPASS_CTL_DOCTOR_H

#include "ctl/ctl.h"
#include "db/db.h"

#include <stdbool.h>
#include <stdint.h>

#define DOCTOR_TEXT_MAX 512

enum doctor_level { DOCTOR_OK, DOCTOR_WARNING, DOCTOR_ERROR };

struct ctl_rows;

struct doctor {
    const struct ctl_args *args;
    const struct config *config;
    struct db *db;
    struct db_conn *conn; /* NULL: no login */
    struct ctl_rows *rows;
    enum doctor_level worst;
    int counts[3];
    bool is_plain; /* findings go out as lines, as they come */
};

/* doctor_tell - a finding of the check `name`. fix: what mends it; NULL for what is ok. */
void doctor_tell(struct doctor *d, const char *name, enum doctor_level level, const char *fix,
                 const char *fmt, ...) __attribute__((format(printf, 5, 6)));

/* Files: rights of the configuration, the option file, the key file and the spool directory. */
void doctor_check_files(struct doctor *d);
/* The database: login, version, rights, schema, clock. False: there is no connection. */
bool doctor_check_database(struct doctor *d);
/* What is sold: prices, channels, upkeep, providers that answer. */
void doctor_check_catalog(struct doctor *d);
void doctor_check_channels(struct doctor *d);
/* What the world sees at --url. */
void doctor_check_web(struct doctor *d, const char *url);

#endif
