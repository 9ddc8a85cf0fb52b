#include "upstream/splice.h"

#include "base/buf.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

#define PARTS_PER_TOUCHED 5 /* the text before it, key, colon, value, and what it cuts off behind */
#define QUOTED_BYTES_MAX  4097 /* a key or a model's name, with its quotes and a comma */

struct splice_item {
    const struct jmember *old; /* NULL: added */
    const char *name;          /* NULL: the old one */
    struct slice value;        /* p NULL: the old one */
    bool is_removed;
};

/* The pieces written so far. */
struct writer {
    struct slice *parts;
    size_t n, max;
    int64_t bytes;
};

enum err splicer_init(struct splicer *s, struct arena *a, struct slice text,
                      const struct jmember *members, size_t members_n, size_t edits_max)
{
    struct splicer made = {.arena = a, .text = text, .old_n = members_n};
    size_t i;

    made.items_n = members_n;
    made.items_max = members_n + edits_max;
    made.items = arena_alloc(a, made.items_max * sizeof(*made.items));
    if (!made.items)
        return ERR_MEMORY;
    for (i = 0; i < members_n; i++)
        made.items[i].old = &members[i];
    *s = made;
    return ERR_OK;
}

static bool has_name(const struct splice_item *i, const char *name)
{
    if (i->is_removed)
        return false;
    return i->name ? strcmp(i->name, name) == 0 : jscan_key_is(i->old, name);
}

static struct splice_item *find(const struct splicer *s, const char *name)
{
    size_t i;

    for (i = s->items_n; i-- > 0;)
        if (has_name(&s->items[i], name))
            return &s->items[i];
    return NULL;
}

/* Removes every member of that name but one; keep may be NULL. */
static void remove_others(struct splicer *s, const char *name, const struct splice_item *keep)
{
    size_t i;

    for (i = 0; i < s->items_n; i++)
        if (&s->items[i] != keep && has_name(&s->items[i], name))
            s->items[i].is_removed = true;
}

enum err splicer_find(const struct splicer *s, const char *name, struct slice *value)
{
    const struct splice_item *i = find(s, name);

    if (!i)
        return ERR_END;
    *value = i->value.p ? i->value : i->old->value.raw;
    return ERR_OK;
}

void splicer_replace(struct splicer *s, const char *name, struct slice value)
{
    struct splice_item *i = find(s, name);

    if (!i)
        return;
    i->value = value;
    remove_others(s, name, i);
}

enum err splicer_set(struct splicer *s, const char *name, struct slice value)
{
    if (find(s, name)) {
        splicer_replace(s, name, value);
        return ERR_OK;
    }
    assert(s->items_n < s->items_max);
    s->items[s->items_n++] = (struct splice_item){.name = name, .value = value};
    return ERR_OK;
}

static void rename_member(struct splicer *s, const char *name, const char *new_name)
{
    struct splice_item *i = find(s, name);

    if (!i || strcmp(name, new_name) == 0)
        return;
    remove_others(s, name, i);
    remove_others(s, new_name, i);
    i->name = new_name;
}

enum err splicer_edit(struct splicer *s, const struct member_edit *e)
{
    struct jvalue value;

    switch (e->action) {
    case MEMBER_REMOVE:
        remove_others(s, e->member, NULL);
        return ERR_OK;
    case MEMBER_RENAME:
        rename_member(s, e->member, e->value);
        return ERR_OK;
    case MEMBER_DEFAULT:
        if (find(s, e->member))
            return ERR_OK;
        break;
    case MEMBER_SET:
        break;
    }
    if (jscan_validate(slice_of(e->value), &value, NULL))
        return ERR_FORMAT;
    return splicer_set(s, e->member, value.raw);
}

/* Pieces that follow each other in memory become one. */
static void put(struct writer *w, struct slice part)
{
    struct slice *last = w->n ? &w->parts[w->n - 1] : NULL;

    if (part.n == 0)
        return;
    w->bytes += (int64_t)part.n;
    if (last && last->p + last->n == part.p) {
        last->n += part.n;
        return;
    }
    assert(w->n < w->max);
    w->parts[w->n++] = part;
}

static void put_between(struct writer *w, const char *from, const char *to)
{
    put(w, (struct slice){from, (size_t)(to - from)});
}

/* `,"name"`, in the arena; p NULL when memory is out. */
static struct slice quote(struct arena *a, const char *name)
{
    struct slice quoted = {NULL, 0};
    struct buf b;

    buf_init(&b, QUOTED_BYTES_MAX);
    if (!buf_append(&b, ",", 1) && !jscan_escape(&b, slice_of(name))) {
        quoted.p = arena_copy(a, buf_slice(&b));
        quoted.n = quoted.p ? b.n : 0;
    }
    buf_clear(&b);
    return quoted;
}

static enum err put_item(struct splicer *s, struct writer *w, const struct splice_item *i,
                         const char *gap, bool is_first)
{
    struct slice key = {NULL, 0}; /* with a comma before it */
    const char *key_end;

    if (i->name) {
        key = quote(s->arena, i->name);
        if (!key.p)
            return ERR_MEMORY;
    }
    if (!i->old) {
        put(w, is_first ? (struct slice){key.p + 1, key.n - 1} : key);
        put(w, SLICE(":"));
        put(w, i->value);
        return ERR_OK;
    }
    key_end = i->old->key.p + i->old->key.n + 1;
    if (!is_first)
        put_between(w, gap, i->old->whole.p);
    if (i->name)
        put(w, (struct slice){key.p + 1, key.n - 1});
    else
        put_between(w, i->old->whole.p, key_end);
    put_between(w, key_end, i->old->value.raw.p);
    put(w, i->value.p ? i->value : i->old->value.raw);
    return ERR_OK;
}

static enum err put_all(struct splicer *s, struct writer *w)
{
    const char *brace = memchr(s->text.p, '{', s->text.n);
    const char *at; /* behind the member before, whether it is still there or not */
    bool is_first = true;
    enum err e;
    size_t i;

    assert(brace);
    at = s->old_n ? s->items[0].old->whole.p : brace + 1;
    put_between(w, s->text.p, at);
    for (i = 0; i < s->items_n; i++) {
        const struct splice_item *item = &s->items[i];

        if (!item->is_removed) {
            e = put_item(s, w, item, at, is_first);
            if (e)
                return e;
            is_first = false;
        }
        if (item->old)
            at = item->old->whole.p + item->old->whole.n;
    }
    put_between(w, at, s->text.p + s->text.n);
    return ERR_OK;
}

enum err splicer_finish(struct splicer *s, struct splice *out)
{
    struct writer w = {.max = 2};
    enum err e;
    size_t i;

    for (i = 0; i < s->items_n; i++)
        if (s->items[i].is_removed || s->items[i].name || s->items[i].value.p)
            w.max += PARTS_PER_TOUCHED;
    w.parts = arena_alloc(s->arena, w.max * sizeof(*w.parts));
    if (!w.parts)
        return ERR_MEMORY;
    e = put_all(s, &w);
    if (!e)
        *out = (struct splice){w.parts, w.n, w.bytes};
    return e;
}

enum err splicer_inject_output_max(struct splicer *s, const char *member,
                                   const struct format_request *r, const struct format_target *t)
{
    char *number;

    if (t->output_max_inject < 0 || r->output_max >= 0)
        return ERR_OK;
    number = arena_printf(s->arena, "%" PRId64, t->output_max_inject);
    return number ? splicer_set(s, member, slice_of(number)) : ERR_MEMORY;
}

enum err splicer_finish_target(struct splicer *s, const struct format_request *r,
                               const struct format_target *t, struct splice *out)
{
    enum err e = ERR_OK;
    size_t i;

    for (i = 0; i < t->edits_n && !e; i++)
        e = splicer_edit(s, &t->edits[i]);
    if (e)
        return e;
    if (!slice_eq_z(r->model, t->upstream_model)) {
        struct slice model = quote(s->arena, t->upstream_model);

        if (!model.p)
            return ERR_MEMORY;
        splicer_replace(s, "model", (struct slice){model.p + 1, model.n - 1});
    }
    return splicer_finish(s, out);
}

enum err splice_join(const struct splice *s, struct arena *a, struct slice *out)
{
    char *text, *to;
    size_t i;

    if (s->parts_n == 1) {
        *out = s->parts[0];
        return ERR_OK;
    }
    text = to = arena_alloc(a, (size_t)s->bytes);
    if (!text)
        return ERR_MEMORY;
    for (i = 0; i < s->parts_n; i++) {
        memcpy(to, s->parts[i].p, s->parts[i].n);
        to += s->parts[i].n;
    }
    *out = (struct slice){text, (size_t)s->bytes};
    return ERR_OK;
}
