/* shell - a call of the tool by which an agent program lets a model run commands.
 *
 * Each program has a tool of its own for that, with arguments of its own; here stands which of them
 * takes a command and how. Pure; any thread.
 */
#ifndef TESTS_PROVIDER_SHELL_H
#define TESTS_PROVIDER_SHELL_H

#include "tests/provider/answer.h"

/* shell_find - the tool among the offered ones that runs a command.
 * content: out, appended, what the call says: JSON arguments, or the free text of a custom tool.
 * Returns NULL, and appends nothing, when no such tool is offered, the command is empty, or the
 * request wants no call: it holds the results of one, or forbids it. */
const struct ask_tool *shell_find(const struct ask *ask, const char *command,
                                  struct bytes *content);

#endif
