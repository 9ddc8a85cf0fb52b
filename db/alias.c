#include "db/alias.h"

#include "base/log.h"

#include <stdlib.h>
#include <string.h>

/* In the order in which they count; one more than there may be. */
static const char sql_aliases[] =
    "SELECT alias, model_id FROM model_aliases"
    " ORDER BY INSTR(alias, '*') > 0, priority DESC, CHAR_LENGTH(alias) DESC, id LIMIT 1001";

_Static_assert(ALIASES_MAX == 1000, "the LIMIT of sql_aliases is one more");

enum err alias_read(struct db_conn *c, struct arena *arena, struct alias_list *out)
{
    struct db_stmt *s = NULL;
    enum err e = db_run(c, sql_aliases, NULL, 0, &s);
    if (e)
        return e;
    struct catalog_alias *rows = arena_alloc(arena, (ALIASES_MAX + 1) * sizeof(*rows));
    if (!rows)
        return ERR_MEMORY;
    size_t n = 0;
    while (!(e = db_next(s))) {
        rows[n] =
            (struct catalog_alias){arena_copy(arena, db_col_text(s, 0)), db_col_i64(s, 1), n, NULL};
        if (!rows[n++].alias)
            return ERR_MEMORY;
    }
    if (e != ERR_END)
        return e;
    if (n > ALIASES_MAX)
        log_warn("model_aliases_too_many", "max=%d", ALIASES_MAX);
    *out = (struct alias_list){rows, 0, n > ALIASES_MAX ? ALIASES_MAX : n};
    return ERR_OK;
}

/* As memcmp, the shorter of two with the same beginning first. */
static int compare_text(struct slice a, struct slice b)
{
    size_t n = a.n < b.n ? a.n : b.n;
    int order = n ? memcmp(a.p, b.p, n) : 0;
    return order ? order : (a.n > b.n) - (a.n < b.n);
}

static int compare_rows(const void *x, const void *y)
{
    const struct catalog_alias *a = x, *b = y;
    int order = compare_text(slice_of(a->alias), slice_of(b->alias));
    return order ? order : (a->rank > b->rank) - (a->rank < b->rank);
}

void alias_bind(struct alias_list *list, alias_model_fn *model_of, const void *arg)
{
    size_t kept = 0, names = 0;
    for (size_t i = 0; i < list->n; i++) {
        struct catalog_alias row = list->rows[i];
        row.model = model_of(arg, row.model_id);
        if (!row.model)
            continue;
        names += !strchr(row.alias, '*');
        list->rows[kept++] = row;
    }
    qsort(list->rows, names, sizeof(*list->rows), compare_rows);
    list->n = kept;
    list->names_n = names;
}

bool alias_matches(const char *pattern, struct slice text)
{
    const char *star = NULL;  /* after the last *, */
    size_t at = 0, again = 0; /* and where its text ends so far */
    for (;;) {
        if (*pattern == '*') {
            star = ++pattern;
            again = at;
        } else if (at < text.n && *pattern == text.p[at]) {
            pattern++;
            at++;
        } else if (at == text.n && !*pattern) {
            return true;
        } else if (!star || again == text.n) {
            return false;
        } else {
            pattern = star;
            at = ++again;
        }
    }
}

const struct catalog_model *alias_find(const struct alias_list *list, struct slice name)
{
    size_t low = 0, high = list->names_n;
    while (low < high) { /* the first of those with that name */
        size_t middle = low + (high - low) / 2;
        if (compare_text(slice_of(list->rows[middle].alias), name) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    if (low < list->names_n && slice_eq_z(name, list->rows[low].alias))
        return list->rows[low].model;
    for (size_t i = list->names_n; i < list->n; i++) {
        if (alias_matches(list->rows[i].alias, name))
            return list->rows[i].model;
    }
    return NULL;
}
