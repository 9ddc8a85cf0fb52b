/* tool_index - finds the tools of a canonical request by name, and whether a name is among those that
 * the client allows: a client may declare and allow many thousands.
 *
 * It follows the lists as they grow; what was found once may change in all but its kind and its names.
 * Without memory it looks through the lists. One request; one thread. */
#ifndef AIPASS_UPSTREAM_TOOL_INDEX_H
#define AIPASS_UPSTREAM_TOOL_INDEX_H

#include "upstream/canon.h"

enum tool_class {
    TOOLS_ALL,      /* by name */
    TOOLS_CALLABLE, /* all but hosted ones, by name */
    TOOLS_FREE,     /* custom ones, by name */
    TOOLS_SEARCH,   /* hosted ones that search the web, by name */
    TOOLS_HOSTED,   /* by type */
    TOOLS_BARE,     /* those of a namespace, by their name in it */
    TOOLS_CLASSES
};

/* tool_index_new - empty, in the arena; NULL when memory is out. */
struct tool_index *tool_index_new(struct arena *a);

/* tool_index_find - the first tool of its class with that name; NULL: there is none. */
struct tool *tool_index_find(const struct canon *c, enum tool_class of, struct slice name);

/* tool_index_is_allowed - name is among c->choice_names. */
bool tool_index_is_allowed(const struct canon *c, struct slice name);

#endif
