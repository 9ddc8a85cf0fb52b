#include "upstream/translate.h"

#include "base/slice_map.h"

#include <stdint.h>

#define NOWHERE   SIZE_MAX
#define NO_RESULT "No result was recorded."

/* A result that waits for its call. */
struct waiting {
    struct part *part;
    size_t next; /* the next one of the same id, or name; NOWHERE: none */
};

/* The list of turns that is being made, and the calls of the last assistant turn. */
struct pairing {
    struct canon *canon;
    struct turn *turns; /* the new list */
    size_t turns_n, turns_max;
    size_t calls_n;       /* all calls so far: numbers new ids */
    struct slice_map ids; /* in use */
    /* The results up to the next assistant turn, and the first that was not taken of each id; by
     * name those without an id (older Gemini clients). */
    struct waiting *waiting;
    size_t waiting_n, waiting_max;
    struct slice_map by_id, by_name;
};

static struct turn *push_turn(struct pairing *p, struct turn t)
{
    struct turn *grown =
        canon_grow(p->canon->arena, p->turns, p->turns_n, &p->turns_max, sizeof(*grown));

    if (!grown)
        return NULL;
    p->turns = grown;
    p->turns[p->turns_n] = t;
    return &p->turns[p->turns_n++];
}

static struct part *push_part(struct pairing *p, struct turn *t, struct part part)
{
    struct part *added = turn_add_part(p->canon, t, part.kind, part.at);

    if (added)
        *added = part;
    return added;
}

/* A legal id that no other call has: numbered, so that it is the same in every turn of the
 * conversation. */
static struct slice make_id(struct pairing *p)
{
    char *id;

    do {
        id = arena_printf(p->canon->arena, "call_%024zu", p->calls_n);
        p->calls_n++;
    } while (id && slice_map_find(&p->ids, slice_of(id), NULL));
    return slice_of(id);
}

static enum err add_waiting(struct pairing *p, struct part *result)
{
    struct waiting *grown =
        canon_grow(p->canon->arena, p->waiting, p->waiting_n, &p->waiting_max, sizeof(*grown));

    if (!grown)
        return ERR_MEMORY;
    p->waiting = grown;
    p->waiting[p->waiting_n++] = (struct waiting){result, NOWHERE};
    return ERR_OK;
}

/* The results in turns [from, to) become the waiting ones. */
static enum err list_results(struct pairing *p, size_t from, size_t to)
{
    enum err e = ERR_OK;
    size_t i, k;

    p->waiting_n = 0;
    slice_map_init(&p->by_id, p->canon->arena);
    slice_map_init(&p->by_name, p->canon->arena);
    for (i = from; i < to; i++)
        for (k = 0; k < p->canon->turns[i].parts_n && !e; k++)
            if (p->canon->turns[i].parts[k].kind == PART_RESULT)
                e = add_waiting(p, &p->canon->turns[i].parts[k]);
    /* From the end, so that the first one is what the maps lead to. */
    for (i = p->waiting_n; i-- > 0 && !e;) {
        const struct part *part = p->waiting[i].part;
        struct slice_map *map = part->id.n ? &p->by_id : &p->by_name;
        struct slice key = part->id.n ? part->id : part->name;

        (void)slice_map_find(map, key, &p->waiting[i].next);
        e = slice_map_put(map, key, i);
    }
    return e;
}

/* The first waiting result for the id that the client gave the call, or without one for its name;
 * *found tells whether there is one. Taken: its kind becomes PART_OPAQUE of nobody. */
static enum err take_result(struct pairing *p, struct slice id, struct slice name, bool *found,
                            struct part *out)
{
    struct slice_map *map = id.n ? &p->by_id : &p->by_name;
    struct slice key = id.n ? id : name;
    struct part *part;
    size_t i;
    enum err e;

    *found = slice_map_find(map, key, &i) && i != NOWHERE;
    if (!*found)
        return ERR_OK;
    e = slice_map_put(map, key, p->waiting[i].next);
    if (e)
        return e;
    part = p->waiting[i].part;
    *out = *part;
    part->kind = PART_OPAQUE;
    part->vendor = VENDOR_NONE;
    part->text = (struct slice){NULL, 0};
    return ERR_OK;
}

static enum err add_missing(struct pairing *p, struct part *result, const char *at)
{
    struct part *text;

    *result = (struct part){.kind = PART_RESULT, .at = at, .is_error = true};
    text = part_add_part(p->canon, result, PART_TEXT, at);
    if (!text)
        return ERR_MEMORY;
    text->text = SLICE(NO_RESULT);
    return ERR_OK;
}

/* One call of the turn that was pushed last: its id made fit, its result into *results. */
static enum err pair_call(struct pairing *p, struct part *call, struct turn *results)
{
    struct slice given = call->id;
    struct part result;
    bool found;
    enum err e;

    if (!canon_id_is_legal(call->id) || slice_map_find(&p->ids, call->id, NULL))
        call->id = make_id(p);
    else
        p->calls_n++;
    if (!call->id.p)
        return ERR_MEMORY;
    e = slice_map_put(&p->ids, call->id, 0);
    if (!e)
        e = take_result(p, given, call->name, &found, &result);
    if (!e && !found)
        e = add_missing(p, &result, call->at);
    if (e)
        return e;
    result.id = call->id;
    result.name = call->name;
    result.is_custom = call->is_custom;
    return push_part(p, results, result) ? ERR_OK : ERR_MEMORY;
}

static size_t next_assistant(const struct canon *c, size_t from)
{
    while (from < c->turns_n && c->turns[from].role != CANON_ASSISTANT)
        from++;
    return from;
}

/* Assistant turns in a row become one when the first made calls: their results follow all of
 * them. Returns how many were taken. */
static size_t join_assistant(struct pairing *p, size_t i, struct turn *joined)
{
    struct canon *c = p->canon;
    bool has_call = false;
    size_t n = 0, k;

    *joined =
        (struct turn){.role = CANON_ASSISTANT, .at = c->turns[i].at, .name = c->turns[i].name};
    do {
        for (k = 0; k < c->turns[i + n].parts_n; k++) {
            struct part *part = &c->turns[i + n].parts[k];

            has_call |= part->kind == PART_CALL;
            if (!push_part(p, joined, *part))
                return 0;
        }
        n++;
    } while (has_call && i + n < c->turns_n && c->turns[i + n].role == CANON_ASSISTANT);
    return n;
}

static enum err pair_assistant(struct pairing *p, size_t *i)
{
    struct turn joined, results = {.role = CANON_USER};
    size_t n = join_assistant(p, *i, &joined), k;
    enum err e;

    if (n == 0)
        return ERR_MEMORY;
    *i += n;
    e = list_results(p, *i, next_assistant(p->canon, *i));
    if (e)
        return e;
    results.at = joined.at;
    for (k = 0; k < joined.parts_n; k++) {
        if (joined.parts[k].kind != PART_CALL)
            continue;
        e = pair_call(p, &joined.parts[k], &results);
        if (e)
            return e;
    }
    if (!push_turn(p, joined))
        return ERR_MEMORY;
    if (results.parts_n && !push_turn(p, results))
        return ERR_MEMORY;
    return ERR_OK;
}

/* A result whose call is not there: its texts as the user's, other parts as they are. */
static enum err keep_orphan(struct pairing *p, struct turn *t, const struct part *result)
{
    size_t i;

    for (i = 0; i < result->parts_n; i++)
        if (!push_part(p, t, result->parts[i]))
            return ERR_MEMORY;
    return ERR_OK;
}

static enum err pair_other(struct pairing *p, const struct turn *old)
{
    struct turn t = {.role = old->role, .at = old->at, .name = old->name};
    enum err e = ERR_OK;
    size_t i;

    for (i = 0; i < old->parts_n && !e; i++) {
        const struct part *part = &old->parts[i];

        if (part->kind == PART_OPAQUE && part->vendor == VENDOR_NONE)
            continue; /* a result that went to its call */
        if (part->kind == PART_RESULT)
            e = keep_orphan(p, &t, part);
        else if (!push_part(p, &t, *part))
            e = ERR_MEMORY;
    }
    if (e || t.parts_n == 0)
        return e;
    return push_turn(p, t) ? ERR_OK : ERR_MEMORY;
}

enum err canon_pair(struct canon *c)
{
    struct pairing p = {.canon = c};
    size_t i = 0;
    enum err e = ERR_OK;

    slice_map_init(&p.ids, c->arena);
    while (!e && i < c->turns_n) {
        if (c->turns[i].role == CANON_ASSISTANT)
            e = pair_assistant(&p, &i);
        else
            e = pair_other(&p, &c->turns[i++]);
    }
    if (e)
        return e;
    c->turns = p.turns;
    c->turns_n = p.turns_n;
    c->turns_max = p.turns_max;
    return ERR_OK;
}
