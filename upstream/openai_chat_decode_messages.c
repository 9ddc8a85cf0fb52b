#include "upstream/openai_chat_decode.h"

#include "upstream/pick.h"

#define ENVELOPE        "aip1."
#define ENVELOPE_GEMINI "aip1.gemini."

enum message_member {
    MSG_ROLE,
    MSG_CONTENT,
    MSG_NAME,
    MSG_CALLS,
    MSG_CALL_ID,
    MSG_FUNCTION_CALL,
    MSG_REFUSAL,
    MSG_REASONING_CONTENT,
    MSG_REASONING,
    MSG_AUDIO,
    MSG_IMAGES,
    MSG_COUNT
};

static const char *const message_names[MSG_COUNT] = {
    [MSG_ROLE] = "role",
    [MSG_CONTENT] = "content",
    [MSG_NAME] = "name",
    [MSG_CALLS] = "tool_calls",
    [MSG_CALL_ID] = "tool_call_id",
    [MSG_FUNCTION_CALL] = "function_call",
    [MSG_REFUSAL] = "refusal",
    [MSG_REASONING_CONTENT] = "reasoning_content",
    [MSG_REASONING] = "reasoning",
    [MSG_AUDIO] = "audio",
    [MSG_IMAGES] = "images",
};

struct message {
    struct jvalue v[MSG_COUNT];
    struct chat_place place;
};

/* ---- calls ---- */

/* Arguments are text; some clients send the object itself. */
static enum err read_arguments(struct chat_decode *d, struct jvalue v, const char *at,
                               const char *member, struct slice *out)
{
    struct slice text = SLICE("");
    enum err e = ERR_OK;

    if (v.raw.p && v.kind == JSCAN_OBJECT)
        text = v.raw;
    else
        e = chat_read_text(d, v, at, member, &text);
    *out = slice_trim(text).n ? text : SLICE("{}");
    return e;
}

static enum err add_function(struct chat_decode *d, struct turn *t, struct jvalue function,
                             const char *at, const char *prefix)
{
    static const char *const names[] = {"name", "arguments"};
    struct jvalue v[2];
    struct part *p;
    const char *path = arena_printf(d->canon->arena, "%s%s", at, prefix);
    enum err e;

    if (!path)
        return ERR_MEMORY;
    if (!pick_members(function, names, 2, v))
        return chat_refuse(d, path, NULL, "expected object");
    p = turn_add_part(d->canon, t, PART_CALL, at);
    if (!p)
        return ERR_MEMORY;
    e = chat_read_name(d, v[0], path, "name", &p->name);
    return e ? e : read_arguments(d, v[1], path, "arguments", &p->text);
}

static enum err add_custom(struct chat_decode *d, struct turn *t, struct jvalue custom,
                           const char *at)
{
    static const char *const names[] = {"name", "input"};
    struct jvalue v[2];
    struct part *p = turn_add_part(d->canon, t, PART_CALL, at);
    enum err e;

    if (!p)
        return ERR_MEMORY;
    (void)pick_members(custom, names, 2, v);
    p->is_custom = true;
    p->text = SLICE("");
    e = chat_read_name(d, v[0], at, "custom.name", &p->name);
    return e ? e : chat_read_text(d, v[1], at, "custom.input", &p->text);
}

static struct jvalue signature_of(struct jvalue call)
{
    return pick(pick(pick(call, "extra_content"), "google"), "thought_signature");
}

/* A signature of Gemini belongs to the call itself; another vendor's was put here only to travel
 * along, and goes to the thinking (see openai_chat_encoder.c). */
static bool belongs_to_thinking(struct slice signature)
{
    return slice_starts(signature, ENVELOPE) && !slice_starts(signature, ENVELOPE_GEMINI);
}

static enum err add_call(struct chat_decode *d, struct turn *t, struct jvalue call, const char *at)
{
    static const char *const names[] = {"id", "type", "function", "custom"};
    struct jvalue v[4];
    struct slice id = {NULL, 0}, signature = {NULL, 0};
    struct part *p;
    enum err e;

    if (!pick_members(call, names, 4, v))
        return chat_refuse(d, at, NULL, "expected object");
    e = chat_read_text(d, v[0], at, "id", &id);
    if (!e)
        e = chat_read_text(d, signature_of(call), at, "extra_content.google.thought_signature",
                           &signature);
    if (e)
        return e;
    if (v[3].raw.p && v[3].kind == JSCAN_OBJECT)
        e = add_custom(d, t, v[3], at);
    else if (!v[1].raw.p || slice_eq_z(pick_string(v[1]), "function"))
        e = add_function(d, t, v[2], at, ".function");
    else
        e = chat_refuse(d, at, "type", "expected function or custom");
    if (e)
        return e;
    p = &t->parts[t->parts_n - 1];
    p->id = id;
    if (!belongs_to_thinking(signature))
        p->seal_text = signature;
    return ERR_OK;
}

static enum err add_calls(struct chat_decode *d, struct turn *t, struct jvalue calls,
                          const char *at)
{
    struct jvalue call;
    struct jscan s;
    size_t i;
    enum err e = ERR_OK;

    if (!calls.raw.p)
        return ERR_OK;
    if (jscan_array(&s, calls))
        return chat_refuse(d, at, "tool_calls", "expected array");
    for (i = 0; !e && !jscan_next_element(&s, &call); i++) {
        const char *path = arena_printf(d->canon->arena, "%s.tool_calls[%zu]", at, i);

        e = path ? add_call(d, t, call, path) : ERR_MEMORY;
    }
    return e;
}

/* ---- thinking of an earlier answer ---- */

/* *out: the first signature among the calls that belongs to thinking. */
static enum err find_seal(struct chat_decode *d, struct jvalue calls, struct slice *out)
{
    struct jvalue call, v;
    struct slice text;
    struct jscan s;
    enum err e;

    if (!calls.raw.p || jscan_array(&s, calls))
        return ERR_OK;
    while (!jscan_next_element(&s, &call)) {
        v = signature_of(call);
        if (!v.raw.p)
            continue;
        e = jscan_string(v, d->canon->arena, &text);
        if (e == ERR_MEMORY)
            return e;
        if (!e && belongs_to_thinking(text)) {
            *out = text;
            return ERR_OK;
        }
    }
    return ERR_OK;
}

static enum err add_thinking(struct chat_decode *d, const struct message *m)
{
    struct slice text = SLICE(""), seal = {NULL, 0};
    struct part *p;
    enum err e = find_seal(d, m->v[MSG_CALLS], &seal);

    if (!e && m->v[MSG_REASONING_CONTENT].raw.p)
        e = chat_read_text(d, m->v[MSG_REASONING_CONTENT], m->place.at, "reasoning_content", &text);
    else if (!e && m->v[MSG_REASONING].kind == JSCAN_STRING)
        e = chat_read_text(d, m->v[MSG_REASONING], m->place.at, "reasoning", &text);
    if (e || (text.n == 0 && seal.n == 0))
        return e;
    p = turn_add_part(d->canon, m->place.turn, PART_THINKING, m->place.at);
    if (!p)
        return ERR_MEMORY;
    p->text = text;
    p->seal_text = seal;
    return ERR_OK;
}

/* ---- the roles ---- */

static enum err add_refusal(struct chat_decode *d, const struct message *m)
{
    struct slice text = {NULL, 0};
    struct part *p;
    enum err e = chat_read_text(d, m->v[MSG_REFUSAL], m->place.at, "refusal", &text);

    if (e || text.n == 0)
        return e;
    p = turn_add_part(d->canon, m->place.turn, PART_REFUSAL, m->place.at);
    if (!p)
        return ERR_MEMORY;
    p->text = text;
    return ERR_OK;
}

static enum err add_turn(struct chat_decode *d, struct message *m, enum canon_role role)
{
    m->place.turn = canon_add_turn(d->canon, role, m->place.at);
    return m->place.turn ? ERR_OK : ERR_MEMORY;
}

static enum err decode_assistant(struct chat_decode *d, struct message *m)
{
    enum err e = add_turn(d, m, CANON_ASSISTANT);

    if (!e && m->v[MSG_AUDIO].raw.p)
        e = chat_refuse(d, m->place.at, "audio",
                        "an earlier spoken answer cannot be carried to this model");
    if (!e)
        e = chat_read_text(d, m->v[MSG_NAME], m->place.at, "name", &m->place.turn->name);
    if (!e)
        e = add_thinking(d, m);
    if (!e)
        e = chat_decode_content(d, &m->place, m->v[MSG_CONTENT]);
    if (!e)
        e = add_refusal(d, m);
    if (!e)
        e = chat_decode_images(d, &m->place, m->v[MSG_IMAGES]);
    if (!e)
        e = add_calls(d, m->place.turn, m->v[MSG_CALLS], m->place.at);
    if (!e && m->v[MSG_FUNCTION_CALL].raw.p)
        e = add_function(d, m->place.turn, m->v[MSG_FUNCTION_CALL], m->place.at, ".function_call");
    return e;
}

/* The results of one step stand in one turn. */
static bool continues_results(const struct canon *c)
{
    const struct turn *last = c->turns_n ? &c->turns[c->turns_n - 1] : NULL;

    return last && last->role == CANON_USER && last->parts_n > 0 &&
           last->parts[last->parts_n - 1].kind == PART_RESULT;
}

static enum err decode_result(struct chat_decode *d, struct message *m, bool is_legacy)
{
    struct canon *c = d->canon;
    enum err e = ERR_OK;

    if (continues_results(c))
        m->place.turn = &c->turns[c->turns_n - 1];
    else
        e = add_turn(d, m, CANON_USER);
    if (e)
        return e;
    m->place.result = turn_add_part(c, m->place.turn, PART_RESULT, m->place.at);
    if (!m->place.result)
        return ERR_MEMORY;
    if (is_legacy) /* joined by name: this form has no ids */
        e = chat_read_name(d, m->v[MSG_NAME], m->place.at, "name", &m->place.result->name);
    else
        e = chat_read_name(d, m->v[MSG_CALL_ID], m->place.at, "tool_call_id", &m->place.result->id);
    return e ? e : chat_decode_content(d, &m->place, m->v[MSG_CONTENT]);
}

static enum err decode_plain(struct chat_decode *d, struct message *m, enum canon_role role)
{
    enum err e = add_turn(d, m, role);

    if (!e)
        e = chat_read_text(d, m->v[MSG_NAME], m->place.at, "name", &m->place.turn->name);
    return e ? e : chat_decode_content(d, &m->place, m->v[MSG_CONTENT]);
}

static enum err decode_message(struct chat_decode *d, struct jvalue message, size_t i)
{
    struct message m = {.place = {.at = arena_printf(d->canon->arena, "messages[%zu]", i)}};
    struct slice role;

    if (!m.place.at)
        return ERR_MEMORY;
    if (!pick_members(message, message_names, MSG_COUNT, m.v))
        return chat_refuse(d, m.place.at, NULL, "expected object");
    role = pick_string(m.v[MSG_ROLE]);
    if (slice_eq_z(role, "user"))
        return decode_plain(d, &m, CANON_USER);
    if (slice_eq_z(role, "assistant"))
        return decode_assistant(d, &m);
    if (slice_eq_z(role, "tool"))
        return decode_result(d, &m, false);
    if (slice_eq_z(role, "function"))
        return decode_result(d, &m, true);
    if (slice_eq_z(role, "system") || slice_eq_z(role, "developer"))
        return decode_plain(d, &m, CANON_SYSTEM);
    return chat_refuse(d, m.place.at, "role",
                       "expected system, developer, user, assistant, tool or function");
}

enum err chat_decode_messages(struct chat_decode *d, struct jvalue messages)
{
    struct jvalue message;
    struct jscan s;
    size_t i;
    enum err e = ERR_OK;

    if (!messages.raw.p || jscan_array(&s, messages))
        return chat_refuse(d, "messages", NULL, "expected array");
    for (i = 0; !e && !jscan_next_element(&s, &message); i++)
        e = decode_message(d, message, i);
    return e;
}
