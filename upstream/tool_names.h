/* tool_names - tool names that every format allows, and the way back: [A-Za-z0-9_-], at most 64,
 * starting with a letter or _.
 *
 * The same names give the same table in every turn of a conversation. One request; one thread;
 * memory is the arena's. */
#ifndef AIPASS_UPSTREAM_TOOL_NAMES_H
#define AIPASS_UPSTREAM_TOOL_NAMES_H

#include "base/arena.h"
#include "base/slice_map.h"
#include "base/str.h"

#include <stdbool.h>

struct tool_name {
    struct slice own;  /* as the client calls it */
    struct slice safe; /* as the provider does */
    bool is_custom;    /* sent as a function {"input": string}: unwrapped on the way back */
};

struct tool_names {
    struct arena *arena;
    struct tool_name *items;
    size_t n, max;
    struct slice_map by_own, by_safe; /* their places in items */
};

/* tool_names_init - no names yet. */
void tool_names_init(struct tool_names *t, struct arena *a);
/* tool_names_safe - the safe name of own, which is entered when new. n 0 when memory is out. */
struct slice tool_names_safe(struct tool_names *t, struct slice own);
/* tool_names_mark_custom - the tool is emulated by a function. */
void tool_names_mark_custom(struct tool_names *t, struct slice own);
/* tool_names_find - the entry of a name that a provider used; NULL when it is none of ours. */
const struct tool_name *tool_names_find(const struct tool_names *t, struct slice safe);

#endif
