#include "ctl/ctl_sql.h"

#include "db/chores.h"

#include <stdio.h>
#include <unistd.h>

const struct ctl_option ctl_upkeep_options[] = {
    {"verbose",    NULL, "tell what was done"                                 },
    {"now",        NULL, "every task, due or not"                             },
    {"reorganize", NULL, "split a p_max with many rows; writes wait meanwhile"},
    {"dry-run",    NULL, "do nothing: tell the tasks, and when each is due"   },
    CTL_ROWS_OPTIONS,
    {NULL,         NULL, NULL                                                 },
};

static const struct ctl_column columns[] = {
    {"task",    CTL_TEXT},
    {"due_at",  CTL_TEXT},
    {"is_due",  CTL_TEXT},
    {"outcome", CTL_TEXT},
    {NULL,      CTL_TEXT},
};
static const char sql_tasks[] =
    "SELECT name, CAST(due_at AS CHAR), CASE WHEN until_at > UTC_TIMESTAMP(3) THEN 'is being done' "
    "WHEN due_at <= UTC_TIMESTAMP(3) THEN 'yes' ELSE 'no' END, outcome FROM upkeep ORDER BY due_at";

static enum ctl_exit tell_tasks(const struct ctl_args *args)
{
    struct ctl_sql s;
    enum ctl_exit result = ctl_sql_open(args, &s);
    if (result)
        return result;
    result = ctl_sql_print(&s, columns, sql_tasks, NULL, 0);
    ctl_sql_close(&s);
    return result;
}

static void show_progress(void *arg, const char *name, int done, int total)
{
    struct ctl_progress *p = arg;
    p->total = total;
    ctl_progress_now(p, done, name);
}

enum ctl_exit ctl_upkeep(const struct ctl_args *args)
{
    struct ctl_progress progress;
    bool is_watched = isatty(STDERR_FILENO) && !ctl_value(args, "verbose");
    struct chores_options options = {
        .even_early = ctl_value(args, "now") || ctl_value(args, "reorganize"),
        .may_reorganize = ctl_value(args, "reorganize"),
        .tell = ctl_value(args, "verbose") ? stdout : NULL,
        /* Cron would send a mail about it. */
        .on_task = is_watched ? show_progress : NULL,
        .arg = &progress,
    };
    if (ctl_value(args, "dry-run"))
        return tell_tasks(args);
    struct config *config = ctl_config(args);
    if (!config)
        return CTL_FAILED;
    struct chores *chores = chores_new(config);
    int failed = 0;
    ctl_progress_begin(&progress, "tasks", 0);
    enum err e = chores ? chores_run(chores, &options, &failed) : ERR_MEMORY;
    ctl_progress_end(&progress);
    chores_free(chores);
    config_free(config);
    if (e)
        return ctl_fail("upkeep: %s", err_name(e));
    return failed ? ctl_fail("upkeep: %d tasks failed; see upkeep.outcome", failed) : CTL_OK;
}
