#include "upstream/responses.h"

/* Between the pieces of a summary, which are one thinking part in a canon. */
#define SUMMARY_GAP "\n\n"

struct items {
    struct responses_decode *d;
    struct canon *c;
    const char *at; /* the item's path */
};

static enum err fail(const struct items *w, const char *path, const char *text)
{
    return canon_fault(w->c->arena, w->d->fault, path, "%s", text);
}

static enum err read_text(const struct items *w, struct jvalue object, const char *name,
                          bool is_optional, struct slice *out)
{
    return responses_member_text(w->d, object, name, w->at, is_optional, out);
}

/* The turn that an item goes into. What the assistant made between two turns of others is one turn,
 * and so are results that follow each other; each message of others is one of its own. */
static struct turn *turn_for(const struct items *w, enum canon_role role, bool is_message)
{
    struct canon *c = w->c;
    struct turn *last = c->turns_n ? &c->turns[c->turns_n - 1] : NULL;
    bool joins = false;

    if (last && last->role == role)
        joins = role == CANON_ASSISTANT ||
                (!is_message && last->parts_n && last->parts[0].kind == PART_RESULT);
    return joins ? last : canon_add_turn(c, role, w->at);
}

/* ---- items ---- */

static enum err take_message(const struct items *w, struct jvalue item)
{
    struct jvalue content;
    enum canon_role role;
    struct turn *turn;
    struct slice word;
    enum err e = read_text(w, item, "role", false, &word);

    if (e)
        return e;
    if (slice_eq_z(word, "user"))
        role = CANON_USER;
    else if (slice_eq_z(word, "assistant"))
        role = CANON_ASSISTANT;
    else if (slice_eq_z(word, "system") || slice_eq_z(word, "developer"))
        role = CANON_SYSTEM;
    else
        return fail(w, w->at, "expected role user, assistant, system or developer");
    if (jscan_find(item, "content", &content))
        return fail(w, w->at, "expected content");
    turn = turn_for(w, role, true);
    return turn ? responses_decode_content(w->d, &(struct responses_place){w->at, turn, NULL},
                                           content, "content")
                : ERR_MEMORY;
}

static enum err take_call(const struct items *w, struct jvalue item, bool is_custom)
{
    struct slice id, name, space, text;
    struct turn *turn;
    struct part *part;
    enum err e;

    e = read_text(w, item, "call_id", false, &id);
    if (!e)
        e = read_text(w, item, "name", false, &name);
    if (!e)
        e = read_text(w, item, "namespace", true, &space);
    if (!e)
        e = read_text(w, item, is_custom ? "input" : "arguments", false, &text);
    if (e)
        return e;
    turn = turn_for(w, CANON_ASSISTANT, false);
    part = turn ? turn_add_part(w->c, turn, PART_CALL, w->at) : NULL;
    name = responses_join_name(w->c->arena, space, name);
    if (!part || !name.p)
        return ERR_MEMORY;
    part->id = id;
    part->name = name;
    part->text = text;
    part->is_custom = is_custom;
    return ERR_OK;
}

static enum err take_result(const struct items *w, struct jvalue item, bool is_custom)
{
    struct jvalue output;
    struct turn *turn;
    struct part *part;
    struct slice id;
    enum err e = read_text(w, item, "call_id", false, &id);

    if (e)
        return e;
    if (jscan_find(item, "output", &output))
        return fail(w, w->at, "expected output");
    turn = turn_for(w, CANON_USER, false);
    part = turn ? turn_add_part(w->c, turn, PART_RESULT, w->at) : NULL;
    if (!part)
        return ERR_MEMORY;
    part->id = id;
    part->is_custom = is_custom;
    return responses_decode_content(w->d, &(struct responses_place){w->at, NULL, part}, output,
                                    "output");
}

/* The texts of a list of {type, text}, joined. */
static enum err join_texts(const struct items *w, struct jvalue item, const char *member,
                           struct slice *out)
{
    struct jvalue list, v;
    struct slice text;
    struct jscan s;
    enum err e = ERR_OK;

    if (jscan_find(item, member, &list) || jscan_array(&s, list))
        return ERR_OK;
    while (!e && !jscan_next_element(&s, &v)) {
        char *joined;

        if (v.kind != JSCAN_OBJECT)
            return fail(w, w->at, "expected objects with a text");
        e = read_text(w, v, "text", true, &text);
        if (e || text.n == 0)
            continue;
        if (out->n == 0) {
            *out = text;
            continue;
        }
        joined =
            arena_printf(w->c->arena, "%.*s" SUMMARY_GAP "%.*s", SLICE_FMT(*out), SLICE_FMT(text));
        if (!joined)
            return ERR_MEMORY;
        *out = slice_of(joined);
    }
    return e;
}

static enum err take_reasoning(const struct items *w, struct jvalue item)
{
    struct slice text = {NULL, 0}, id, seal;
    struct turn *turn;
    struct part *part;
    enum err e = read_text(w, item, "encrypted_content", true, &seal);

    if (!e)
        e = read_text(w, item, "id", true, &id);
    if (!e)
        e = join_texts(w, item, "summary", &text);
    if (!e && text.n == 0)
        e = join_texts(w, item, "content", &text);
    if (e || (text.n == 0 && seal.n == 0))
        return e;
    turn = turn_for(w, CANON_ASSISTANT, false);
    part = turn ? turn_add_part(w->c, turn, PART_THINKING, w->at) : NULL;
    if (!part)
        return ERR_MEMORY;
    part->text = text;
    part->raw = item.raw;
    if (seal.n) {
        part->seal_text = seal;
        part->seal.id = id;
    }
    return ERR_OK;
}

/* An image that the assistant made. */
static enum err take_made_image(const struct items *w, struct jvalue item)
{
    struct slice data, format;
    struct turn *turn;
    struct part *part;
    char *mime;
    enum err e = read_text(w, item, "result", true, &data);

    if (!e)
        e = read_text(w, item, "output_format", true, &format);
    if (e || data.n == 0)
        return e;
    if (!format.n)
        format = slice_starts(data, "/9j/")    ? SLICE("jpeg")
                 : slice_starts(data, "UklGR") ? SLICE("webp")
                                               : SLICE("png");
    turn = turn_for(w, CANON_ASSISTANT, false);
    part = turn ? turn_add_part(w->c, turn, PART_IMAGE, w->at) : NULL;
    mime = arena_printf(w->c->arena, "image/%.*s", SLICE_FMT(format));
    if (!part || !mime)
        return ERR_MEMORY;
    part->media = (struct media){.source = MEDIA_BYTES, .data = data, .mime = slice_of(mime)};
    return ERR_OK;
}

static enum err take_more_tools(const struct items *w, struct jvalue item)
{
    const char *path = arena_printf(w->c->arena, "%s.tools", w->at);
    struct jvalue tools;

    if (!path)
        return ERR_MEMORY;
    if (jscan_find(item, "tools", &tools))
        return ERR_OK;
    return responses_decode_tools(w->d, tools, path);
}

/* What only OpenAI's servers can read is part of the conversation all the same: without it the answer
 * would be to another one. */
static enum err refuse_item(const struct items *w, struct slice type)
{
    return canon_fault(w->c->arena, w->d->fault, w->at,
                       "an item of type %.*s can only be read by its own provider, which does not "
                       "serve this model",
                       SLICE_FMT(type));
}

enum item_kind {
    ITEM_MESSAGE,
    ITEM_CALL,
    ITEM_CUSTOM_CALL,
    ITEM_RESULT,
    ITEM_CUSTOM_RESULT,
    ITEM_REASONING,
    ITEM_IMAGE,
    ITEM_TOOLS,
    ITEM_REFERENCE,
    ITEM_TRIGGER,
    ITEM_DROPPED /* a note of what a hosted tool did: its fruit stands in the messages */
};

static const struct {
    const char *type;
    enum item_kind kind;
} item_types[] = {
    {"message",                 ITEM_MESSAGE      },
    {"function_call",           ITEM_CALL         },
    {"custom_tool_call",        ITEM_CUSTOM_CALL  },
    {"function_call_output",    ITEM_RESULT       },
    {"custom_tool_call_output", ITEM_CUSTOM_RESULT},
    {"reasoning",               ITEM_REASONING    },
    {"image_generation_call",   ITEM_IMAGE        },
    {"additional_tools",        ITEM_TOOLS        },
    {"item_reference",          ITEM_REFERENCE    },
    {"compaction_trigger",      ITEM_TRIGGER      },
    {"web_search_call",         ITEM_DROPPED      },
    {"file_search_call",        ITEM_DROPPED      },
    {"code_interpreter_call",   ITEM_DROPPED      },
    {"tool_search_call",        ITEM_DROPPED      },
    {"tool_search_output",      ITEM_DROPPED      },
    {"mcp_list_tools",          ITEM_DROPPED      },
    {"configuration_update",    ITEM_DROPPED      },
};

#define ITEM_TYPES (sizeof(item_types) / sizeof(item_types[0]))

static enum err take_kind(const struct items *w, struct jvalue item, enum item_kind kind,
                          const char *type)
{
    switch (kind) {
    case ITEM_MESSAGE:
        return take_message(w, item);
    case ITEM_CALL:
    case ITEM_CUSTOM_CALL:
        return take_call(w, item, kind == ITEM_CUSTOM_CALL);
    case ITEM_RESULT:
    case ITEM_CUSTOM_RESULT:
        return take_result(w, item, kind == ITEM_CUSTOM_RESULT);
    case ITEM_REASONING:
        return take_reasoning(w, item);
    case ITEM_IMAGE:
        return take_made_image(w, item);
    case ITEM_TOOLS:
        return take_more_tools(w, item);
    case ITEM_REFERENCE:
        return fail(w, w->at,
                    "an item_reference needs what a server keeps, which is not available for this "
                    "model; send the item itself");
    case ITEM_TRIGGER:
        return fail(w, w->at, "this model's provider cannot compact a conversation");
    case ITEM_DROPPED:
        drop(&w->c->drops, type);
        return ERR_OK;
    default:
        return ERR_INTERNAL;
    }
}

static enum err take_item(const struct items *w, struct jvalue item)
{
    struct slice type;
    struct jvalue v;
    size_t i;
    enum err e;

    if (item.kind != JSCAN_OBJECT)
        return fail(w, w->at, "expected object");
    e = read_text(w, item, "type", true, &type);
    if (e)
        return e;
    if (!type.p)
        return take_kind(w, item,
                         jscan_find(item, "role", &v) && jscan_find(item, "content", &v)
                             ? ITEM_REFERENCE
                             : ITEM_MESSAGE,
                         "message");
    for (i = 0; i < ITEM_TYPES; i++)
        if (slice_eq_z(type, item_types[i].type))
            return take_kind(w, item, item_types[i].kind, item_types[i].type);
    return refuse_item(w, type);
}

enum err responses_decode_items(struct responses_decode *d, struct jvalue input)
{
    struct items w = {d, d->c, "input"};
    struct jvalue item;
    struct turn *turn;
    struct part *part;
    struct jscan s;
    size_t i;
    enum err e = ERR_OK;

    if (input.kind == JSCAN_STRING) {
        turn = canon_add_turn(d->c, CANON_USER, w.at);
        part = turn ? turn_add_part(d->c, turn, PART_TEXT, w.at) : NULL;
        if (!part)
            return ERR_MEMORY;
        e = jscan_string(input, d->c->arena, &part->text);
        return e == ERR_FORMAT ? fail(&w, w.at, "expected a text without NUL") : e;
    }
    if (jscan_array(&s, input))
        return fail(&w, w.at, "expected string or array");
    for (i = 0; !e && !jscan_next_element(&s, &item); i++) {
        w.at = arena_printf(d->c->arena, "input[%zu]", i);
        e = w.at ? take_item(&w, item) : ERR_MEMORY;
    }
    return e;
}
