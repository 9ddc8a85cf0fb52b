#include "upstream/responses_items.h"

#include <string.h>

#define SUMMARY_GAP "\n\n"              /* between the pieces of a summary */
#define WAITING_MAX ((size_t)256 << 20) /* more than any provider sends */

void responses_items_init(struct responses_items *x)
{
    *x = (struct responses_items){.open = -1, .part = -1};
    buf_init(&x->waiting, WAITING_MAX);
}

/* A string member's text; absent or no string: empty. */
static enum err text_of(struct responses_items *x, struct jvalue object, const char *name,
                        struct slice *out)
{
    struct jvalue v;
    enum err e;

    *out = (struct slice){NULL, 0};
    if (jscan_find(object, name, &v) || v.kind != JSCAN_STRING)
        return ERR_OK;
    e = jscan_string(v, x->scratch, out);
    return e == ERR_FORMAT ? ERR_UP_MALFORMED : e;
}

static enum answer_item kind_of(struct jvalue item)
{
    static const struct {
        const char *type;
        enum answer_item kind;
    } kinds[] = {
        {"\"message\"",               ITEM_MESSAGE    },
        {"\"reasoning\"",             ITEM_REASONING  },
        {"\"function_call\"",         ITEM_CALL       },
        {"\"custom_tool_call\"",      ITEM_CUSTOM_CALL},
        {"\"image_generation_call\"", ITEM_IMAGE      },
    };
    struct jvalue type;
    size_t i;

    if (jscan_find(item, "type", &type))
        return ITEM_NONE;
    for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
        if (slice_eq_z(type.raw, kinds[i].type))
            return kinds[i].kind;
    return ITEM_NONE;
}

static void open_item(struct responses_items *x, int64_t index, enum answer_item kind)
{
    x->open = index;
    x->kind = kind;
    x->is_begun = false;
    x->part = -1;
    x->sent = 0;
}

/* ---- parts ---- */

static enum err begin_call(struct decoder *d, struct jvalue item, bool must)
{
    struct responses_items *x = d->state;
    struct slice id, name;
    enum err e = text_of(x, item, "call_id", &id);

    if (!e)
        e = text_of(x, item, "name", &name);
    if (e)
        return e;
    if (id.n == 0 || name.n == 0)
        return must ? ERR_UP_MALFORMED : ERR_OK;
    x->is_begun = true;
    x->has_call = true;
    return decoder_begin_call(d, id, name, x->kind == ITEM_CUSTOM_CALL);
}

/* Makes the part with that index of the open item the one that deltas go to. All of a reasoning
 * item is one part. */
static enum err move_to(struct decoder *d, const struct piece *piece, int64_t part)
{
    struct responses_items *x = d->state;
    enum err e = ERR_OK;

    if (part == x->part)
        return ERR_OK;
    if (piece->item == ITEM_REASONING && x->is_begun) {
        e = decoder_delta(d, SLICE(SUMMARY_GAP));
    } else if (piece->item == ITEM_MESSAGE || piece->item == ITEM_REASONING) {
        e = decoder_end_part(d);
        if (!e)
            e = decoder_begin_part(d, piece->part);
    }
    x->is_begun = true;
    x->part = part;
    x->sent = 0;
    x->is_summary = piece->is_summary;
    x->has_refusal |= piece->part == PART_REFUSAL;
    return e;
}

static enum err pass_on(struct decoder *d, struct slice text)
{
    struct responses_items *x = d->state;

    x->sent += text.n;
    return decoder_delta(d, text);
}

enum err responses_items_delta(struct decoder *d, int64_t index, const struct piece *piece,
                               int64_t part, struct slice text)
{
    struct responses_items *x = d->state;
    bool is_call = piece->part == PART_CALL;
    enum err e;

    if (index != x->open || piece->item != x->kind || text.n == 0 || (is_call && !x->is_begun))
        return ERR_OK; /* the done item will bring it */
    if (x->kind == ITEM_REASONING && x->is_begun && piece->is_summary != x->is_summary)
        return ERR_OK; /* the same thoughts in other words */
    if (part < x->part)
        return ERR_OK;
    e = is_call ? ERR_OK : move_to(d, piece, part);
    return e ? e : pass_on(d, text);
}

/* The rest of a text of which x->sent bytes were passed on. */
static enum err pass_rest(struct decoder *d, struct slice text)
{
    const struct responses_items *x = d->state;

    if (text.n <= x->sent)
        return ERR_OK;
    return pass_on(d, (struct slice){text.p + x->sent, text.n - x->sent});
}

/* ---- items that are done ---- */

static const char *text_member(struct jvalue part, enum part_kind *kind)
{
    struct jvalue type;

    if (jscan_find(part, "type", &type))
        return NULL;
    *kind = PART_TEXT;
    if (slice_eq_z(type.raw, "\"refusal\"")) {
        *kind = PART_REFUSAL;
        return "refusal";
    }
    return slice_eq_z(type.raw, "\"output_text\"") || slice_eq_z(type.raw, "\"summary_text\"") ||
                   slice_eq_z(type.raw, "\"reasoning_text\"")
               ? "text"
               : NULL;
}

/* Parts of a list that no delta brought, or not all of. */
static enum err fill_parts(struct decoder *d, struct jvalue item, const char *member,
                           bool is_summary)
{
    struct responses_items *x = d->state;
    struct jvalue list, v;
    struct piece piece = {.item = x->kind, .is_summary = is_summary};
    struct slice text;
    struct jscan s;
    int64_t i;
    enum err e = ERR_OK;

    if (jscan_find(item, member, &list) || jscan_array(&s, list))
        return ERR_OK;
    for (i = 0; !e && !jscan_next_element(&s, &v); i++) {
        const char *name = text_member(v, &piece.part);

        if (i < x->part || !name)
            continue;
        e = text_of(x, v, name, &text);
        if (e || text.n == 0)
            continue;
        if (x->kind == ITEM_REASONING)
            piece.part = PART_THINKING;
        e = move_to(d, &piece, i);
        if (!e)
            e = pass_rest(d, text);
    }
    return e;
}

/* The seal goes with the item's id, which is bound into it. */
static enum err seal_item(struct decoder *d, struct jvalue item)
{
    struct responses_items *x = d->state;
    struct slice seal, id;
    enum err e = text_of(x, item, "encrypted_content", &seal);

    if (!e)
        e = text_of(x, item, "id", &id);
    if (e || seal.n == 0)
        return e;
    if (!x->is_begun)
        e = decoder_begin_part(d, PART_THINKING);
    return e ? e
             : decoder_emit(
                   d, &(struct event){
                          .kind = EV_SEAL, .part = d->gate.parts_n - 1, .text = seal, .id = id});
}

static enum err fill_reasoning(struct decoder *d, struct jvalue item)
{
    struct responses_items *x = d->state;
    enum err e = ERR_OK;

    if (!x->is_begun || x->is_summary)
        e = fill_parts(d, item, "summary", true);
    if (!e && (!x->is_begun || !x->is_summary))
        e = fill_parts(d, item, "content", false);
    return e ? e : seal_item(d, item);
}

static enum err fill_call(struct decoder *d, struct jvalue item)
{
    struct responses_items *x = d->state;
    struct slice text;
    enum err e = x->is_begun ? ERR_OK : begin_call(d, item, true);

    if (!e)
        e = text_of(x, item, x->kind == ITEM_CUSTOM_CALL ? "input" : "arguments", &text);
    return e ? e : pass_rest(d, text);
}

static enum err fill_image(struct decoder *d, struct jvalue item)
{
    struct responses_items *x = d->state;
    struct event ev = {.kind = EV_BEGIN, .part = d->gate.parts_n, .part_kind = PART_IMAGE};
    struct slice data, format;
    enum err e = text_of(x, item, "result", &data);

    if (!e)
        e = text_of(x, item, "output_format", &format);
    if (e || data.n == 0)
        return e;
    ev.mime = slice_eq_z(format, "jpeg")   ? SLICE("image/jpeg")
              : slice_eq_z(format, "webp") ? SLICE("image/webp")
                                           : SLICE("image/png");
    e = decoder_emit(d, &ev);
    return e ? e : decoder_delta(d, data);
}

/* The open item is complete. */
static enum err close_item(struct decoder *d, struct jvalue item)
{
    struct responses_items *x = d->state;
    enum err e = ERR_OK;

    switch (x->kind) {
    case ITEM_MESSAGE:
        e = fill_parts(d, item, "content", false);
        break;
    case ITEM_REASONING:
        e = fill_reasoning(d, item);
        break;
    case ITEM_CALL:
    case ITEM_CUSTOM_CALL:
        e = fill_call(d, item);
        break;
    case ITEM_IMAGE:
        e = fill_image(d, item);
        break;
    case ITEM_NONE:
    default:
        break;
    }
    x->open = -1;
    return e ? e : decoder_end_part(d);
}

static enum err whole_item(struct decoder *d, struct jvalue item)
{
    open_item(d->state, 0, kind_of(item));
    return close_item(d, item);
}

/* Items that were done while the one before was open. */
static enum err flush_waiting(struct decoder *d)
{
    struct responses_items *x = d->state;
    size_t at = 0;
    enum err e = ERR_OK;

    while (at < x->waiting.n && !e) {
        struct slice text = {x->waiting.p + at, strlen(x->waiting.p + at)};

        e = whole_item(d, (struct jvalue){JSCAN_OBJECT, text});
        at += text.n + 1;
    }
    buf_reset(&x->waiting);
    return e;
}

/* ---- events ---- */

enum err responses_items_added(struct decoder *d, int64_t index, struct jvalue item)
{
    struct responses_items *x = d->state;
    enum answer_item kind = kind_of(item);

    x->has_items = true;
    if (x->open >= 0 || kind == ITEM_NONE)
        return ERR_OK;
    open_item(x, index, kind);
    return kind == ITEM_CALL || kind == ITEM_CUSTOM_CALL ? begin_call(d, item, false) : ERR_OK;
}

enum err responses_items_done(struct decoder *d, int64_t index, struct jvalue item)
{
    struct responses_items *x = d->state;
    enum err e;

    x->has_items = true;
    if (item.kind != JSCAN_OBJECT)
        return ERR_UP_MALFORMED;
    if (x->open >= 0 && x->open != index) {
        if (kind_of(item) == ITEM_NONE)
            return ERR_OK;
        e = buf_append_slice(&x->waiting, item.raw);
        return e ? e : buf_append(&x->waiting, "", 1);
    }
    e = x->open == index ? close_item(d, item) : whole_item(d, item);
    return e ? e : flush_waiting(d);
}

enum err responses_items_finish(struct decoder *d, struct jvalue output)
{
    struct responses_items *x = d->state;
    struct jvalue item;
    struct jscan s;
    int64_t i;
    enum err e = ERR_OK;

    if (output.raw.p && !jscan_array(&s, output)) {
        for (i = 0; !e && !jscan_next_element(&s, &item); i++) {
            if (item.kind != JSCAN_OBJECT)
                return ERR_UP_MALFORMED;
            if (!x->has_items)
                e = whole_item(d, item);
            else if (i == x->open)
                e = close_item(d, item);
        }
    }
    if (!e)
        e = decoder_end_part(d);
    x->open = -1;
    return e ? e : flush_waiting(d);
}
