#include "ctl/ctl.h"

#include "db/chores.h"

#include <stdio.h>

const struct ctl_option ctl_upkeep_options[] = {
    {"verbose",    NULL, "tell what was done"                                 },
    {"now",        NULL, "every task, due or not"                             },
    {"reorganize", NULL, "split a p_max with many rows; writes wait meanwhile"},
    {NULL,         NULL, NULL                                                 },
};

enum ctl_exit ctl_upkeep(const struct ctl_args *args)
{
    struct chores_options options = {
        .even_early = ctl_value(args, "now") || ctl_value(args, "reorganize"),
        .may_reorganize = ctl_value(args, "reorganize"),
        .tell = ctl_value(args, "verbose") ? stdout : NULL,
    };
    struct config *config = ctl_config(args);
    if (!config)
        return CTL_FAILED;
    struct chores *chores = chores_new(config);
    int failed = 0;
    enum err e = chores ? chores_run(chores, &options, &failed) : ERR_MEMORY;
    chores_free(chores);
    config_free(config);
    if (e)
        return ctl_fail("upkeep: %s", err_name(e));
    return failed ? ctl_fail("upkeep: %d tasks failed; see upkeep.outcome", failed) : CTL_OK;
}
