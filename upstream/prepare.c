#include "upstream/translate.h"

#include "base/hash.h"
#include "upstream/capability.h"
#include "upstream/signature.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

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

enum err canon_prepare(struct canon *c, const struct plan *plan, enum vendor target)
{
    struct sweep sweep = {c, plan, target};
    enum err e = sweep_turns(&sweep);

    return e ? e : canon_pair(c);
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
