#include "tests/provider/shell.h"

#include <string.h>

/* A tool runs code, and code runs the command. */
static const char code_before[] = "const r = await tools.exec_command({cmd: ";
static const char code_behind[] = "}); text(r);";

struct shell {
    const char *name;
    bool is_custom;
    bool is_code;
    const char *member; /* of the arguments, holds the command or the code */
};

/* clang-format off */
static const struct shell shells[] = {
    {"Bash",              false, false, "command"}, /* Claude Code */
    {"exec_command",      false, false, "cmd"},     /* Codex */
    {"exec",              true,  true,  NULL},      /* Codex, its own models */
    {"functions__exec",   true,  true,  NULL},      /* the same without its namespace */
    {"functions__exec",   false, true,  "input"},   /* the same as a function */
    {"run_shell_command", false, false, "command"}, /* Gemini CLI */
    {"exec",              false, false, "command"}, /* OpenClaw */
};
/* clang-format on */

enum { SHELLS = sizeof(shells) / sizeof(shells[0]) };

static void put_content(const struct shell *s, const char *command, struct bytes *out)
{
    struct bytes quoted = {0};
    if (s->is_code)
        bytes_puts(&quoted, code_before);
    bytes_put_quoted(&quoted, command, strlen(command));
    if (s->is_code)
        bytes_puts(&quoted, code_behind);
    if (s->is_custom) {
        bytes_put(out, quoted.data, quoted.len);
    } else {
        bytes_printf(out, "{\"%s\":", s->member);
        if (s->is_code)
            bytes_put_quoted(out, quoted.data, quoted.len);
        else
            bytes_put(out, quoted.data, quoted.len);
        bytes_puts(out, "}");
    }
    bytes_clear(&quoted);
}

const struct ask_tool *shell_find(const struct ask *ask, const char *command, struct bytes *content)
{
    if (command[0] == 0 || ask->result_count > 0 || ask->must_not_call)
        return NULL;
    for (size_t i = 0; i < ask->tool_count; i++) {
        const struct ask_tool *t = &ask->tools[i];
        for (size_t k = 0; k < SHELLS; k++) {
            if (shells[k].is_custom != t->is_custom || !span_is(t->name, shells[k].name))
                continue;
            put_content(&shells[k], command, content);
            return t;
        }
    }
    return NULL;
}
