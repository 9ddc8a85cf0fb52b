#include "upstream/openai_chat_parts.h"

#include "base/log.h"

#include <string.h>

#define WAITING_MAX ((size_t)1 << 30) /* what waits was bounded when it was received */

static void clear(void *parts)
{
    struct chat_parts *p = parts;
    size_t i;

    for (i = 0; i < p->n; i++)
        buf_clear(&p->items[i].waiting);
    p->n = 0;
}

enum err chat_parts_init(struct chat_parts *p, struct decoder *d)
{
    *p = (struct chat_parts){.decoder = d};
    return arena_defer(d->arena, clear, p);
}

static enum err add(struct chat_parts *p, enum part_kind kind, struct chat_part **out)
{
    struct chat_part *grown;

    if (p->n == CHAT_PARTS_MAX)
        return ERR_UP_MALFORMED;
    grown = canon_grow(p->decoder->arena, p->items, p->n, &p->max, sizeof(*grown));
    if (!grown)
        return ERR_MEMORY;
    p->items = grown;
    grown[p->n] = (struct chat_part){.kind = kind, .index = CHAT_NO_INDEX};
    buf_init(&grown[p->n].waiting, WAITING_MAX);
    *out = &grown[p->n++];
    return ERR_OK;
}

/* ---- one part after the other ---- */

static enum err begin(struct chat_parts *p, struct chat_part *item)
{
    struct event e = {.kind = EV_BEGIN,
                      .part = p->decoder->gate.parts_n,
                      .part_kind = item->kind,
                      .id = item->id,
                      .name = item->name,
                      .mime = item->mime,
                      .seal = item->seal,
                      .is_custom = item->is_custom};
    enum err err = decoder_emit(p->decoder, &e);

    item->is_open = true;
    if (!err)
        err = decoder_delta(p->decoder, buf_slice(&item->waiting));
    buf_clear(&item->waiting);
    return err;
}

/* Ends the current part; the one behind it is the current one then. */
static enum err end(struct chat_parts *p)
{
    struct chat_part *item = &p->items[p->current];
    enum err e = ERR_OK;

    if (item->kind == PART_CALL && !item->is_custom && !item->has_text)
        e = decoder_delta(p->decoder, SLICE("{}"));
    if (!e)
        e = decoder_end_part(p->decoder);
    item->is_open = false;
    item->is_done = true;
    if (item->kind == PART_CALL) {
        p->current++;
        return e;
    }
    p->n--;
    memmove(item, item + 1, (p->n - p->current) * sizeof(*item));
    return e;
}

static bool may_end(const struct chat_parts *p)
{
    const struct chat_part *item = &p->items[p->current];

    return p->current + 1 < p->n && (item->kind != PART_CALL || item->json.is_closed);
}

static enum err advance(struct chat_parts *p, bool is_last)
{
    enum err e;

    while (p->current < p->n) {
        struct chat_part *item = &p->items[p->current];

        if (!item->is_open && item->kind == PART_CALL && item->name.n == 0) {
            if (!is_last)
                return ERR_OK; /* its name is still to come */
            log_warn("call_without_name", "index=%lld", (long long)item->index);
            buf_clear(&item->waiting);
            item->is_done = true;
            p->current++;
            continue;
        }
        if (!item->is_open) {
            e = begin(p, item);
            if (e)
                return e;
        }
        if (!is_last && !may_end(p))
            return ERR_OK;
        e = end(p);
        if (e)
            return e;
    }
    return ERR_OK;
}

static enum err give(struct chat_parts *p, struct chat_part *item, struct slice text)
{
    enum err e;

    if (text.n == 0)
        return ERR_OK;
    if (item->is_open)
        return decoder_delta(p->decoder, text);
    e = buf_append_slice(&item->waiting, text);
    return e == ERR_FULL ? ERR_UP_MALFORMED : e;
}

/* ---- texts and images ---- */

enum err chat_parts_text(struct chat_parts *p, enum part_kind kind, struct slice text)
{
    struct chat_part *item = p->n ? &p->items[p->n - 1] : NULL;
    enum err e = ERR_OK;

    if (text.n == 0)
        return ERR_OK;
    if (!item || item->kind != kind || item->is_done)
        e = add(p, kind, &item);
    if (!e)
        e = give(p, item, text);
    return e ? e : advance(p, false);
}

enum err chat_parts_image(struct chat_parts *p, struct slice mime, struct slice base64)
{
    struct chat_part *item;
    enum err e = add(p, PART_IMAGE, &item);

    if (e)
        return e;
    item->mime.p = arena_copy(p->decoder->arena, mime);
    item->mime.n = mime.n;
    if (!item->mime.p)
        return ERR_MEMORY;
    e = give(p, item, base64);
    return e ? e : advance(p, false);
}

/* ---- calls ---- */

static void follow(struct json_progress *j, struct slice text)
{
    size_t i;

    for (i = 0; i < text.n && !j->is_closed; i++) {
        char c = text.p[i];

        if (j->is_in_string) {
            if (j->is_escaped)
                j->is_escaped = false;
            else if (c == '\\')
                j->is_escaped = true;
            else if (c == '"')
                j->is_in_string = false;
        } else if (c == '"') {
            j->is_in_string = true;
        } else if (c == '{' || c == '[') {
            j->depth++;
        } else if ((c == '}' || c == ']') && --j->depth <= 0) {
            j->is_closed = true;
        }
    }
}

/* Some providers give each call of an answer the same index, told apart by the id or, without
 * ids, by a name that comes after complete arguments. */
static bool is_another(const struct chat_part *item, const struct chat_call *c)
{
    if (c->id.n && item->id.n)
        return !slice_eq(c->id, item->id);
    return c->name.n && item->name.n && item->json.is_closed;
}

/* The call that a delta goes on with; NULL: a new one. */
static struct chat_part *find(struct chat_parts *p, const struct chat_call *c)
{
    size_t i = p->n;

    while (!c->is_whole && i-- > 0) {
        struct chat_part *item = &p->items[i];

        if (item->kind != PART_CALL || (c->index != CHAT_NO_INDEX && item->index != c->index))
            continue;
        if (!is_another(item, c))
            return item;
        if (!c->id.n)
            return NULL;
    }
    return NULL;
}

/* The first value that is told stays: some providers repeat them in each delta. */
static enum err keep(struct chat_parts *p, struct slice *place, struct slice value)
{
    if (place->n || !value.n)
        return ERR_OK;
    *place = (struct slice){arena_copy(p->decoder->arena, value), value.n};
    if (place->p)
        return ERR_OK;
    place->n = 0;
    return ERR_MEMORY;
}

enum err chat_parts_call(struct chat_parts *p, const struct chat_call *call)
{
    struct chat_part *item = find(p, call);
    enum err e;

    if (!item) {
        e = add(p, PART_CALL, &item);
        if (e)
            return e;
        item->index = call->index;
        p->has_call = true;
    }
    if (item->is_done)
        return ERR_OK;
    item->is_custom |= call->is_custom;
    e = keep(p, &item->id, call->id);
    if (!e)
        e = keep(p, &item->name, call->name);
    if (!e)
        e = keep(p, &item->seal, call->seal);
    if (!e)
        e = give(p, item, call->text);
    item->has_text |= call->text.n > 0;
    follow(&item->json, item->is_custom ? (struct slice){NULL, 0} : call->text);
    return e ? e : advance(p, false);
}

enum err chat_parts_end(struct chat_parts *p)
{
    return advance(p, true);
}
