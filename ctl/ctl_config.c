#include "ctl/ctl.h"

#include <stdio.h>

enum ctl_exit ctl_config_print(const struct ctl_args *args)
{
    (void)args;
    config_print_annotated(stdout);
    return CTL_OK;
}
