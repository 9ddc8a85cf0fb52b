/* alias - other names of models: the rows of model_aliases, and which model a name leads to.
 *
 * Part of a snapshot of the catalog: read once, in its arena, then immutable; any thread. */
#ifndef AIPASS_DB_ALIAS_H
#define AIPASS_DB_ALIAS_H

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"
#include "db/db.h"

#include <stdint.h>

#define ALIASES_MAX 1000 /* further ones are not read, those with the lowest priority */

struct catalog_model;

struct catalog_alias {
    const char *alias;
    int64_t model_id;
    size_t rank; /* in the order in which they count */
    const struct catalog_model *model;
};

struct alias_list {
    struct catalog_alias *rows; /* those without * by name, then by rank; then patterns by rank */
    size_t names_n;
    size_t n; /* names and patterns */
};

/* alias_read - all rows, into the arena; their models are not known yet. Errors of db_run;
 * ERR_MEMORY. Blocks. */
ERR_CHECK enum err alias_read(struct db_conn *c, struct arena *arena, struct alias_list *out);

/* alias_bind - drops rows whose model model_of does not know (NULL) and puts the others in order.
 * Once, before alias_find. */
typedef const struct catalog_model *alias_model_fn(const void *arg, int64_t model_id);
void alias_bind(struct alias_list *list, alias_model_fn *model_of, const void *arg);

/* alias_find - NULL when no row matches. Pure; nothing is allocated. */
const struct catalog_model *alias_find(const struct alias_list *list, struct slice name);

/* alias_matches - * stands for any text, all else for itself. */
bool alias_matches(const char *pattern, struct slice text);

#endif
