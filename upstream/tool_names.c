#include "upstream/tool_names.h"

#include "base/hash.h"
#include "upstream/canon.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define NAME_MAX_BYTES 64
#define TAIL_SIZE      10 /* "_" and 8 hexadecimal digits */

void tool_names_init(struct tool_names *t, struct arena *a)
{
    *t = (struct tool_names){.arena = a};
    slice_map_init(&t->by_own, a);
    slice_map_init(&t->by_safe, a);
}

const struct tool_name *tool_names_find(const struct tool_names *t, struct slice safe)
{
    size_t i;

    return slice_map_find(&t->by_safe, safe, &i) ? &t->items[i] : NULL;
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool is_legal(char c)
{
    return is_letter(c) || (c >= '0' && c <= '9') || c == '-';
}

/* n: how long name is without a tail. */
static void put_tail(char *name, size_t n, struct slice own, uint64_t attempt)
{
    if (n > NAME_MAX_BYTES - (TAIL_SIZE - 1))
        n = NAME_MAX_BYTES - (TAIL_SIZE - 1);
    (void)snprintf(name + n, TAIL_SIZE, "_%08" PRIx32, (uint32_t)hash_64(own, attempt));
}

/* A name that every format allows and that is not in the table. */
static struct slice make_safe(struct tool_names *t, struct slice own)
{
    char *name = arena_alloc(t->arena, NAME_MAX_BYTES + 1);
    size_t i, n = 0;
    uint64_t attempt = 0;
    bool is_taken;

    if (!name)
        return (struct slice){NULL, 0};
    if (own.n == 0 || !is_letter(own.p[0]))
        name[n++] = '_';
    for (i = 0; i < own.n && n < NAME_MAX_BYTES; i++)
        name[n++] = is_legal(own.p[i]) ? own.p[i] : '_';
    name[n] = '\0';
    is_taken = i < own.n || tool_names_find(t, slice_of(name));
    for (; is_taken; is_taken = tool_names_find(t, slice_of(name)) != NULL)
        put_tail(name, n, own, attempt++);
    return slice_of(name);
}

static struct tool_name *enter(struct tool_names *t, struct slice own)
{
    struct tool_name *grown;
    struct slice safe;
    size_t i;

    if (slice_map_find(&t->by_own, own, &i))
        return &t->items[i];
    safe = make_safe(t, own);
    grown = safe.p ? canon_grow(t->arena, t->items, t->n, &t->max, sizeof(*grown)) : NULL;
    if (!grown)
        return NULL;
    t->items = grown;
    t->items[t->n] = (struct tool_name){.own = own, .safe = safe};
    if (slice_map_put(&t->by_safe, safe, t->n) || slice_map_put(&t->by_own, own, t->n))
        return NULL;
    return &t->items[t->n++];
}

struct slice tool_names_safe(struct tool_names *t, struct slice own)
{
    const struct tool_name *entry = enter(t, own);

    return entry ? entry->safe : (struct slice){NULL, 0};
}

void tool_names_mark_custom(struct tool_names *t, struct slice own)
{
    struct tool_name *entry = enter(t, own);

    if (entry)
        entry->is_custom = true;
}
