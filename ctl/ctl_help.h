/* ctl_help - everything that is made from the table of commands: help, completion, the man page.
 *
 * The table is ctl.c's; it ends with a row without noun. One thread. */
#ifndef AIPASS_CTL_CTL_HELP_H
#define AIPASS_CTL_CTL_HELP_H

#include "ctl/ctl.h"

extern const struct ctl_command ctl_commands[];
extern const struct ctl_option ctl_common_options[];

/* ctl_help_all - the list of commands on stdout. ctl_help_command - one with its options.
 * ctl_help_noun - all commands of a noun; false: there is none. */
void ctl_help_all(void);
void ctl_help_command(const struct ctl_command *c);
bool ctl_help_noun(const char *noun);

/* ctl_help_nearest - the noun, or with noun its verb, that is most like `word`; NULL: none is. */
const char *ctl_help_nearest(const char *noun, const char *word);

#endif
