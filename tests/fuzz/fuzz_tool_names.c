/* Any names, one a line: each gets a legal name of its own and is found by it. */
#include "tests/fuzz/fuzz_kit.h"

#include "upstream/tool_names.h"

#include <ctype.h>

#define NAMES_MAX 64

static void check_legal(struct slice name)
{
    size_t i;

    FUZZ_CHECK(name.n >= 1 && name.n <= 64, "%zu bytes", name.n);
    FUZZ_CHECK(isalpha((unsigned char)name.p[0]) || name.p[0] == '_', "%.*s", SLICE_FMT(name));
    for (i = 0; i < name.n; i++)
        FUZZ_CHECK(isalnum((unsigned char)name.p[i]) || name.p[i] == '_' || name.p[i] == '-',
                   "%.*s", SLICE_FMT(name));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice rest = {(const char *)data, size}, own[NAMES_MAX], safe[NAMES_MAX];
    struct tool_names names;
    size_t n = 0, i, k;

    tool_names_init(&names, fuzz_arena());
    while (rest.p && n < NAMES_MAX) {
        own[n] = slice_split(&rest, '\n');
        safe[n] = tool_names_safe(&names, own[n]);
        check_legal(safe[n]);
        n++;
    }
    for (i = 0; i < n; i++) {
        const struct tool_name *found = tool_names_find(&names, safe[i]);

        FUZZ_CHECK(found && slice_eq(found->own, own[i]), "%.*s is not found", SLICE_FMT(own[i]));
        FUZZ_CHECK(slice_eq(tool_names_safe(&names, own[i]), safe[i]), "two names for one");
        for (k = 0; k < i; k++)
            FUZZ_CHECK(slice_eq(own[i], own[k]) == slice_eq(safe[i], safe[k]),
                       "one name for two: %.*s", SLICE_FMT(safe[i]));
    }
    return 0;
}
