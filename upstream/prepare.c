#include "upstream/translate.h"

#include "base/hash.h"
#include "upstream/capability.h"
#include "upstream/signature.h"

#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define IDS_FIRST   64
#define NO_RESULT   "No result was recorded."
#define FAULT_MAX   1024
#define SYSTEM_OPEN "<system>\n"
#define SYSTEM_SHUT "\n</system>"

enum err plan_fault(struct plan *p, const char *path, const char *fmt, ...)
{
    char text[FAULT_MAX];
    va_list args;

    va_start(args, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    return canon_fault(p->arena, p->fault, path, "%s", text);
}

/* ---- seals and empty parts ---- */

struct sweep {
    struct canon *canon;
    const struct plan *plan;
    enum vendor target;
};

static bool is_for_target(const struct sweep *s, const struct seal *seal)
{
    if (seal->vendor != s->target || seal->payload.n == 0)
        return false;
    return seal->model.n == 0 || slice_eq_z(seal->model, s->plan->model);
}

/* Many clients keep only a piece of thinking that came in pieces; the provider would refuse it. */
static bool is_text_whole(const struct part *p)
{
    return p->kind != PART_THINKING || p->seal.text_crc == 0 ||
           p->seal.text_crc == hash_crc32c(0, p->text.p, p->text.n);
}

static enum err open_seal(const struct sweep *s, struct part *p)
{
    bool is_redacted = p->seal.is_redacted;
    struct slice id = p->seal.id;
    enum err e;

    if (p->seal_text.n == 0)
        return ERR_OK;
    e = signature_open(s->canon->arena, p->seal_text, s->canon->vendor, &p->seal);
    if (e)
        return e;
    if (p->seal.model.n == 0) { /* the client's own vendor's: what its decoder noted stays */
        p->seal.is_redacted = is_redacted;
        p->seal.id = id;
    }
    if (!is_for_target(s, &p->seal) || !is_text_whole(p))
        p->seal = (struct seal){.vendor = VENDOR_NONE};
    return ERR_OK;
}

static bool is_worth_keeping(const struct sweep *s, const struct part *p)
{
    switch (p->kind) {
    case PART_TEXT:
    case PART_REFUSAL:
        return p->text.n > 0;
    case PART_THINKING:
        if (s->target == VENDOR_GEMINI)
            return false; /* thought text is never sent back; its seal was handed on */
        return p->seal.vendor != VENDOR_NONE ||
               (s->plan->capability->wants_reasoning && p->text.n > 0);
    case PART_OPAQUE:
        return p->vendor == s->target;
    default:
        return true;
    }
}

/* Gemini keeps signatures on the part that follows the thought. */
static void hand_on(struct turn *t, size_t i)
{
    size_t k;

    for (k = i + 1; k < t->parts_n; k++) {
        struct part *next = &t->parts[k];

        if (next->kind != PART_CALL && next->kind != PART_TEXT)
            continue;
        if (next->seal.vendor == VENDOR_NONE)
            next->seal = t->parts[i].seal;
        return;
    }
}

static void sweep_result(struct part *result)
{
    size_t i, n = 0;

    for (i = 0; i < result->parts_n; i++)
        if (result->parts[i].kind != PART_TEXT || result->parts[i].text.n)
            result->parts[n++] = result->parts[i];
    result->parts_n = n;
}

static enum err sweep_turn(const struct sweep *s, struct turn *t)
{
    size_t i, n = 0;
    enum err e = s->canon->vendor == VENDOR_GEMINI ? turn_join_thoughts(s->canon->arena, t)
                                                   : ERR_OK;

    if (e)
        return e;
    for (i = 0; i < t->parts_n; i++) {
        e = open_seal(s, &t->parts[i]);
        if (e)
            return e;
    }
    for (i = 0; i < t->parts_n; i++) {
        struct part *p = &t->parts[i];

        if (p->kind == PART_THINKING && s->target == VENDOR_GEMINI && p->seal.vendor)
            hand_on(t, i);
        if (p->kind == PART_RESULT)
            sweep_result(p);
        if (is_worth_keeping(s, p))
            t->parts[n++] = *p;
    }
    t->parts_n = n;
    return ERR_OK;
}

static enum err sweep_turns(const struct sweep *s)
{
    struct canon *c = s->canon;
    size_t i, n = 0;
    enum err e;

    for (i = 0; i < c->turns_n; i++) {
        e = sweep_turn(s, &c->turns[i]);
        if (e)
            return e;
        if (c->turns[i].parts_n)
            c->turns[n++] = c->turns[i];
    }
    c->turns_n = n;
    return ERR_OK;
}

/* ---- calls and their results ---- */

/* The list of turns that is being made, and the calls of the last assistant turn. */
struct pairing {
    struct canon *canon;
    struct turn *turns; /* the new list */
    size_t turns_n, turns_max;
    size_t calls_n; /* all calls so far: numbers new ids */
    /* ids in use by their hash, an open table that is at most half full; 0: free. Two ids of one hash
     * only mean that the second gets a new id. */
    uint64_t *ids;
    size_t ids_n, ids_max;
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

static uint64_t *id_place(uint64_t *ids, size_t max, uint64_t hash)
{
    size_t i = hash & (max - 1);

    while (ids[i] != 0 && ids[i] != hash)
        i = (i + 1) & (max - 1);
    return &ids[i];
}

static uint64_t id_hash(struct slice id)
{
    return hash_64(id, 0) | 1;
}

static bool is_used(const struct pairing *p, struct slice id)
{
    return p->ids_n > 0 && *id_place(p->ids, p->ids_max, id_hash(id)) != 0;
}

static bool note_id(struct pairing *p, struct slice id)
{
    if (p->ids_n * 2 >= p->ids_max) {
        size_t max = p->ids_max ? p->ids_max * 2 : IDS_FIRST, i;
        uint64_t *ids = arena_alloc(p->canon->arena, max * sizeof(*ids));

        if (!ids)
            return false;
        for (i = 0; i < p->ids_max; i++)
            if (p->ids[i] != 0)
                *id_place(ids, max, p->ids[i]) = p->ids[i];
        p->ids = ids;
        p->ids_max = max;
    }
    *id_place(p->ids, p->ids_max, id_hash(id)) = id_hash(id);
    p->ids_n++;
    return true;
}

/* A legal id that no other call has: numbered, so that it is the same in every turn of the
 * conversation. */
static struct slice make_id(struct pairing *p)
{
    char *id;

    do {
        id = arena_printf(p->canon->arena, "call_%024zu", p->calls_n);
        p->calls_n++;
    } while (id && is_used(p, slice_of(id)));
    return slice_of(id);
}

/* The first result in turns [from, to) for the id that the client gave the call. Taken: its kind
 * becomes PART_OPAQUE of nobody. */
static bool take_result(struct canon *c, size_t from, size_t to, struct slice id, struct slice name,
                        struct part *out)
{
    size_t i, k;

    for (i = from; i < to; i++)
        for (k = 0; k < c->turns[i].parts_n; k++) {
            struct part *part = &c->turns[i].parts[k];

            if (part->kind != PART_RESULT)
                continue;
            /* Without ids (older Gemini clients) the name joins. */
            if (id.n ? !slice_eq(part->id, id) : part->id.n || !slice_eq(part->name, name))
                continue;
            *out = *part;
            part->kind = PART_OPAQUE;
            part->vendor = VENDOR_NONE;
            part->text = (struct slice){NULL, 0};
            return true;
        }
    return false;
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
static enum err pair_call(struct pairing *p, struct part *call, size_t from, size_t to,
                          struct turn *results)
{
    struct slice given = call->id;
    struct part result;

    if (!canon_id_is_legal(call->id) || is_used(p, call->id))
        call->id = make_id(p);
    else
        p->calls_n++;
    if (!call->id.p || !note_id(p, call->id))
        return ERR_MEMORY;
    if (!take_result(p->canon, from, to, given, call->name, &result)) {
        enum err e = add_missing(p, &result, call->at);

        if (e)
            return e;
    }
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
    size_t n = join_assistant(p, *i, &joined), to, k;
    enum err e;

    if (n == 0)
        return ERR_MEMORY;
    *i += n;
    to = next_assistant(p->canon, *i);
    results.at = joined.at;
    for (k = 0; k < joined.parts_n; k++) {
        if (joined.parts[k].kind != PART_CALL)
            continue;
        e = pair_call(p, &joined.parts[k], *i, to, &results);
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

enum err canon_prepare(struct canon *c, const struct plan *plan, enum vendor target)
{
    struct sweep sweep = {c, plan, target};
    struct pairing p = {.canon = c};
    size_t i = 0;
    enum err e = sweep_turns(&sweep);

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

/* ---- alternation ---- */

static enum err tag_system(struct canon *c, struct turn *t)
{
    size_t i;

    t->role = CANON_USER;
    for (i = 0; i < t->parts_n; i++) {
        struct part *p = &t->parts[i];
        const char *text;

        if (p->kind != PART_TEXT)
            continue;
        text = arena_printf(c->arena, SYSTEM_OPEN "%.*s" SYSTEM_SHUT, SLICE_FMT(p->text));
        if (!text)
            return ERR_MEMORY;
        p->text = slice_of(text);
    }
    return ERR_OK;
}

static enum err append_parts(struct canon *c, struct turn *to, const struct turn *from)
{
    size_t i;

    for (i = 0; i < from->parts_n; i++) {
        struct part *added = turn_add_part(c, to, from->parts[i].kind, from->parts[i].at);

        if (!added)
            return ERR_MEMORY;
        *added = from->parts[i];
    }
    return ERR_OK;
}

/* Merges turns [from, n) where neighbours have one role. */
static enum err merge_neighbours(struct canon *c, size_t from)
{
    size_t i, n = from;
    enum err e;

    for (i = from; i < c->turns_n; i++) {
        if (n > from && c->turns[n - 1].role == c->turns[i].role) {
            e = append_parts(c, &c->turns[n - 1], &c->turns[i]);
            if (e)
                return e;
            continue;
        }
        c->turns[n++] = c->turns[i];
    }
    c->turns_n = n;
    return ERR_OK;
}

static enum err insert_user(struct canon *c, size_t at)
{
    struct turn *t = canon_add_turn(c, CANON_USER, NULL), user;
    struct part *text;

    if (!t)
        return ERR_MEMORY;
    text = turn_add_part(c, t, PART_TEXT, NULL);
    if (!text)
        return ERR_MEMORY;
    text->text = SLICE(".");
    user = *t;
    memmove(&c->turns[at + 1], &c->turns[at], (c->turns_n - 1 - at) * sizeof(user));
    c->turns[at] = user;
    return ERR_OK;
}

enum err canon_alternate(struct canon *c, bool keeps_system, size_t *system_n)
{
    size_t n = 0, i;
    enum err e = ERR_OK;

    while (n < c->turns_n && c->turns[n].role == CANON_SYSTEM)
        n++;
    if (n == c->turns_n) { /* nothing but a system prompt: it is what the model is to answer */
        for (i = 0; i < n; i++)
            c->turns[i].role = CANON_USER;
        n = 0;
    }
    for (i = n; i < c->turns_n && !e && !keeps_system; i++)
        if (c->turns[i].role == CANON_SYSTEM)
            e = tag_system(c, &c->turns[i]);
    if (!e)
        e = merge_neighbours(c, n);
    if (!e && n < c->turns_n && c->turns[n].role == CANON_ASSISTANT)
        e = insert_user(c, n);
    if (!e)
        *system_n = n;
    return e;
}
