#include "upstream/tool_index.h"

#include "base/slice_map.h"

/* Names by their place in a list, of which the first n items are in it. */
struct listed {
    struct slice_map map;
    size_t n;
};

struct tool_index {
    struct listed tools[TOOLS_CLASSES];
    struct listed allowed;
};

struct tool_index *tool_index_new(struct arena *a)
{
    struct tool_index *index = arena_alloc(a, sizeof(*index));
    size_t i;

    if (!index)
        return NULL;
    for (i = 0; i < TOOLS_CLASSES; i++)
        slice_map_init(&index->tools[i].map, a);
    slice_map_init(&index->allowed.map, a);
    return index;
}

/* What a tool is called in a class. False: it is none of it. */
static bool is_of(const struct tool *t, enum tool_class of, struct slice *name)
{
    *name = of == TOOLS_HOSTED ? t->hosted : of == TOOLS_BARE ? t->bare : t->name;
    switch (of) {
    case TOOLS_CALLABLE:
        return t->kind != TOOL_HOSTED;
    case TOOLS_FREE:
        return t->kind == TOOL_CUSTOM;
    case TOOLS_SEARCH:
        return t->kind == TOOL_HOSTED && t->is_web_search;
    case TOOLS_HOSTED:
        return t->kind == TOOL_HOSTED;
    case TOOLS_BARE:
        return t->space.n > 0;
    default:
        return true;
    }
}

/* The first of a name counts. False: memory is out, and the item is not in it. */
static bool list(struct listed *l, struct slice name)
{
    if (!slice_map_find(&l->map, name, NULL) && slice_map_put(&l->map, name, l->n))
        return false;
    l->n++;
    return true;
}

struct tool *tool_index_find(const struct canon *c, enum tool_class of, struct slice name)
{
    struct listed *l = c->tool_index ? &c->tool_index->tools[of] : NULL;
    struct slice own;
    size_t i = 0;

    while (l && l->n < c->tools_n) {
        if (!is_of(&c->tools[l->n], of, &own))
            l->n++;
        else if (!list(l, own))
            break;
    }
    if (l && slice_map_find(&l->map, name, &i))
        return &c->tools[i];
    for (i = l ? l->n : 0; i < c->tools_n; i++)
        if (is_of(&c->tools[i], of, &own) && slice_eq(own, name))
            return &c->tools[i];
    return NULL;
}

bool tool_index_is_allowed(const struct canon *c, struct slice name)
{
    struct listed *l = c->tool_index ? &c->tool_index->allowed : NULL;
    size_t i;

    while (l && l->n < c->choice_names_n && list(l, c->choice_names[l->n]))
        continue;
    if (l && slice_map_find(&l->map, name, NULL))
        return true;
    for (i = l ? l->n : 0; i < c->choice_names_n; i++)
        if (slice_eq(c->choice_names[i], name))
            return true;
    return false;
}
