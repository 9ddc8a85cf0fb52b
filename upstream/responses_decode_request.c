#include "upstream/responses.h"

#include <string.h>

static const char *const fields[FIELD_COUNT] = {
    [FIELD_MAX_OUT] = "max_output_tokens",
    [FIELD_TEMPERATURE] = "temperature",
    [FIELD_TOP_P] = "top_p",
    [FIELD_LOGPROBS] = "include",
    [FIELD_TOP_LOGPROBS] = "top_logprobs",
    [FIELD_TOOLS] = "tools",
    [FIELD_TOOL_CHOICE] = "tool_choice",
    [FIELD_PARALLEL] = "parallel_tool_calls",
    [FIELD_STRICT] = "strict",
    [FIELD_THINK] = "reasoning.effort",
    [FIELD_THINK_SHOW] = "reasoning.summary",
    [FIELD_FORMAT] = "text.format",
    [FIELD_VERBOSITY] = "text.verbosity",
    [FIELD_USER] = "safety_identifier",
    [FIELD_CACHE_KEY] = "prompt_cache_key",
    [FIELD_CACHE] = "prompt_cache_breakpoint",
    [FIELD_TIER] = "service_tier",
    [FIELD_STORE] = "store",
    [FIELD_METADATA] = "metadata",
    [FIELD_DETAIL] = "detail",
    [FIELD_CITATIONS] = "annotations",
    [FIELD_SIGNATURE] = "encrypted_content",
};

/* The members that a canon can carry, and those it cannot. */
enum known {
    KNOWN_INPUT,
    KNOWN_INSTRUCTIONS,
    KNOWN_MAX_OUTPUT_TOKENS,
    KNOWN_TEMPERATURE,
    KNOWN_TOP_P,
    KNOWN_TOP_LOGPROBS,
    KNOWN_INCLUDE,
    KNOWN_TOOLS,
    KNOWN_TOOL_CHOICE,
    KNOWN_PARALLEL_TOOL_CALLS,
    KNOWN_REASONING,
    KNOWN_TEXT,
    KNOWN_SAFETY_IDENTIFIER,
    KNOWN_USER,
    KNOWN_PROMPT_CACHE_KEY,
    KNOWN_SERVICE_TIER,
    KNOWN_STORE,
    KNOWN_METADATA,
    KNOWN_TRUNCATION,
    KNOWN_CONTEXT_MANAGEMENT,
    KNOWN_PROMPT_CACHE_OPTIONS,
    KNOWN_PROMPT_CACHE_RETENTION,
    KNOWN_MAX_TOOL_CALLS,
    KNOWN_MODERATION,
    KNOWN_IMAGE,
    KNOWN_ACCESS_PROGRAMS,
    KNOWN_PREVIOUS_RESPONSE_ID,
    KNOWN_CONVERSATION,
    KNOWN_PROMPT,
    KNOWN_COUNT
};

static const char *const names[KNOWN_COUNT] = {
    [KNOWN_INPUT] = "input",
    [KNOWN_INSTRUCTIONS] = "instructions",
    [KNOWN_MAX_OUTPUT_TOKENS] = "max_output_tokens",
    [KNOWN_TEMPERATURE] = "temperature",
    [KNOWN_TOP_P] = "top_p",
    [KNOWN_TOP_LOGPROBS] = "top_logprobs",
    [KNOWN_INCLUDE] = "include",
    [KNOWN_TOOLS] = "tools",
    [KNOWN_TOOL_CHOICE] = "tool_choice",
    [KNOWN_PARALLEL_TOOL_CALLS] = "parallel_tool_calls",
    [KNOWN_REASONING] = "reasoning",
    [KNOWN_TEXT] = "text",
    [KNOWN_SAFETY_IDENTIFIER] = "safety_identifier",
    [KNOWN_USER] = "user",
    [KNOWN_PROMPT_CACHE_KEY] = "prompt_cache_key",
    [KNOWN_SERVICE_TIER] = "service_tier",
    [KNOWN_STORE] = "store",
    [KNOWN_METADATA] = "metadata",
    [KNOWN_TRUNCATION] = "truncation",
    [KNOWN_CONTEXT_MANAGEMENT] = "context_management",
    [KNOWN_PROMPT_CACHE_OPTIONS] = "prompt_cache_options",
    [KNOWN_PROMPT_CACHE_RETENTION] = "prompt_cache_retention",
    [KNOWN_MAX_TOOL_CALLS] = "max_tool_calls",
    [KNOWN_MODERATION] = "moderation",
    [KNOWN_IMAGE] = "image",
    [KNOWN_ACCESS_PROGRAMS] = "access_programs",
    [KNOWN_PREVIOUS_RESPONSE_ID] = "previous_response_id",
    [KNOWN_CONVERSATION] = "conversation",
    [KNOWN_PROMPT] = "prompt",
};

/* Hints that only OpenAI's own servers take: left out for every other. */
static const enum known hints[] = {
    KNOWN_METADATA,      KNOWN_TRUNCATION, KNOWN_CONTEXT_MANAGEMENT, KNOWN_PROMPT_CACHE_OPTIONS,
    KNOWN_MODERATION,    KNOWN_IMAGE,      KNOWN_ACCESS_PROGRAMS,    KNOWN_PROMPT_CACHE_RETENTION,
    KNOWN_MAX_TOOL_CALLS};

/* What is kept by the provider that made it. */
static const enum known state[] = {KNOWN_PREVIOUS_RESPONSE_ID, KNOWN_CONVERSATION, KNOWN_PROMPT};

struct request {
    struct responses_decode d;
    struct jvalue values[KNOWN_COUNT]; /* raw.p NULL: absent or null */
};

static enum err fail(struct request *r, const char *path, const char *text)
{
    return canon_fault(r->d.c->arena, r->d.fault, path, "%s", text);
}

static void list_values(struct request *r, const struct format_request *in)
{
    size_t i, k;

    for (i = 0; i < in->members_n; i++)
        for (k = 0; k < KNOWN_COUNT; k++)
            if (jscan_key_is(&in->members[i], names[k]))
                r->values[k] = in->members[i].value.kind == JSCAN_NULL ? (struct jvalue){0}
                                                                       : in->members[i].value;
}

static bool has(const struct request *r, enum known k)
{
    return r->values[k].raw.p != NULL;
}

/* A string member's text; absent: *out stays. */
static enum err take_text(struct request *r, enum known k, struct slice *out)
{
    enum err e;

    if (!has(r, k))
        return ERR_OK;
    e = jscan_string(r->values[k], r->d.c->arena, out);
    return e == ERR_FORMAT ? fail(r, names[k], "expected string") : e;
}

static enum err take_number(struct request *r, enum known k, struct slice *out)
{
    if (!has(r, k))
        return ERR_OK;
    if (r->values[k].kind != JSCAN_NUMBER)
        return fail(r, names[k], "expected number");
    *out = r->values[k].raw;
    return ERR_OK;
}

static enum err refuse_state(struct request *r)
{
    size_t i;

    for (i = 0; i < sizeof(state) / sizeof(state[0]); i++)
        if (has(r, state[i]))
            return fail(r, names[state[i]],
                        "what a server keeps between requests is not available for this model; "
                        "send the whole conversation as input");
    return ERR_OK;
}

static enum err take_limits(struct request *r, const struct format_request *in)
{
    struct canon *c = r->d.c;
    enum err e;

    if (in->output_max >= 0 && in->output_max < RESPONSES_OUTPUT_MIN)
        return fail(r, names[KNOWN_MAX_OUTPUT_TOKENS], "expected an integer of at least 16");
    c->max_out = in->output_max;
    e = take_number(r, KNOWN_TEMPERATURE, &c->temperature);
    if (!e)
        e = take_number(r, KNOWN_TOP_P, &c->top_p);
    if (e || !has(r, KNOWN_TOP_LOGPROBS))
        return e;
    if (jscan_i64(r->values[KNOWN_TOP_LOGPROBS], &c->top_logprobs) || c->top_logprobs < 0)
        return fail(r, names[KNOWN_TOP_LOGPROBS], "expected an integer from 0 to 20");
    return ERR_OK;
}

/* What an answer shall hold beside the usual; encrypted reasoning always comes. */
static enum err take_include(struct request *r)
{
    struct canon *c = r->d.c;
    struct jvalue word;
    struct jscan s;

    if (has(r, KNOWN_INCLUDE)) {
        if (jscan_array(&s, r->values[KNOWN_INCLUDE]))
            return fail(r, names[KNOWN_INCLUDE], "expected array");
        while (!jscan_next_element(&s, &word))
            c->wants_logprobs |= slice_eq_z(word.raw, "\"message.output_text.logprobs\"");
    }
    if (!c->wants_logprobs)
        c->top_logprobs = -1; /* of no effect */
    return ERR_OK;
}

static enum err take_effort(struct request *r, struct jvalue v)
{
    struct think *t = &r->d.c->think;
    struct slice word;
    enum err e;

    if (v.kind == JSCAN_NULL)
        return ERR_OK;
    e = jscan_string(v, r->d.c->arena, &word);
    if (e && e != ERR_FORMAT)
        return e;
    t->effort = e ? EFFORT_UNSET : effort_parse(word);
    if (t->effort == EFFORT_UNSET)
        return fail(r, "reasoning.effort",
                    "expected one of none, minimal, low, medium, high, xhigh, max");
    t->mode = t->effort == EFFORT_NONE ? THINK_OFF : THINK_ON;
    return ERR_OK;
}

static enum err take_reasoning(struct request *r)
{
    struct canon *c = r->d.c;
    struct jmember m;
    struct jscan s;
    enum err e = ERR_OK;

    if (!has(r, KNOWN_REASONING))
        return ERR_OK;
    if (jscan_object(&s, r->values[KNOWN_REASONING]))
        return fail(r, names[KNOWN_REASONING], "expected object or null");
    while (!e && !jscan_next_member(&s, &m)) {
        if (jscan_key_is(&m, "effort"))
            e = take_effort(r, m.value);
        else if (m.value.kind == JSCAN_NULL)
            continue;
        else if (jscan_key_is(&m, "summary") || jscan_key_is(&m, "generate_summary"))
            c->think.show = !slice_eq_z(m.value.raw, "\"none\"");
        else if (jscan_key_is(&m, "mode") && !slice_eq_z(m.value.raw, "\"standard\""))
            drop(&c->drops, "reasoning.mode");
        else if (jscan_key_is(&m, "context") && !slice_eq_z(m.value.raw, "\"auto\""))
            drop(&c->drops, "reasoning.context");
    }
    return e;
}

static enum err take_schema(struct request *r, struct jvalue format)
{
    struct output_format *f = &r->d.c->format;
    struct jmember m;
    struct jscan s;
    enum err e = jscan_object(&s, format);

    f->kind = OUTPUT_SCHEMA;
    while (!e && !jscan_next_member(&s, &m)) {
        if (jscan_key_is(&m, "schema") && m.value.kind == JSCAN_OBJECT)
            f->schema = m.value.raw;
        else if (jscan_key_is(&m, "strict") && m.value.kind != JSCAN_NULL)
            f->strict = m.value.kind == JSCAN_TRUE;
    }
    if (!e)
        e = responses_member_text(&r->d, format, "name", "text.format", true, &f->name);
    if (!e && !f->schema.p)
        return fail(r, "text.format.schema", "expected object");
    return e;
}

static enum err take_format(struct request *r, struct jvalue format)
{
    struct slice type = {NULL, 0};
    enum err e;

    if (format.kind == JSCAN_NULL)
        return ERR_OK;
    if (format.kind != JSCAN_OBJECT)
        return fail(r, "text.format", "expected object");
    e = responses_member_text(&r->d, format, "type", "text.format", false, &type);
    if (e || slice_eq_z(type, "text"))
        return e;
    if (slice_eq_z(type, "json_schema"))
        return take_schema(r, format);
    if (!slice_eq_z(type, "json_object"))
        return fail(r, "text.format.type", "expected one of text, json_object, json_schema");
    r->d.c->format.kind = OUTPUT_JSON;
    return ERR_OK;
}

static enum err take_text_options(struct request *r)
{
    struct jvalue text = r->values[KNOWN_TEXT], format;
    enum err e = ERR_OK;

    if (!has(r, KNOWN_TEXT))
        return ERR_OK;
    if (text.kind != JSCAN_OBJECT)
        return fail(r, names[KNOWN_TEXT], "expected object");
    if (!jscan_find(text, "format", &format))
        e = take_format(r, format);
    return e ? e
             : responses_member_text(&r->d, text, "verbosity", "text", true, &r->d.c->verbosity);
}

static enum err take_meta(struct request *r)
{
    struct canon *c = r->d.c;
    struct slice tier = {NULL, 0};
    size_t i;
    enum err e;

    e = take_text(r, KNOWN_USER, &c->user);
    if (!e)
        e = take_text(r, KNOWN_SAFETY_IDENTIFIER, &c->user);
    if (!e)
        e = take_text(r, KNOWN_PROMPT_CACHE_KEY, &c->cache_key);
    if (!e)
        e = take_text(r, KNOWN_SERVICE_TIER, &tier);
    if (e)
        return e;
    c->tier = tier.p ? tier_parse(tier) : TIER_UNSET;
    if (tier.p && c->tier == TIER_UNSET)
        canon_drop(c, &c->drops, FIELD_TIER);
    if (has(r, KNOWN_STORE) && r->values[KNOWN_STORE].kind == JSCAN_TRUE)
        canon_drop(c, &c->drops, FIELD_STORE);
    for (i = 0; i < sizeof(hints) / sizeof(hints[0]); i++)
        if (has(r, hints[i]) && r->values[hints[i]].raw.n > 2) /* more than {} */
            drop(&c->drops, names[hints[i]]);
    return ERR_OK;
}

static enum err take_parallel(struct request *r)
{
    struct jvalue v = r->values[KNOWN_PARALLEL_TOOL_CALLS];

    if (!v.raw.p)
        return ERR_OK;
    if (v.kind != JSCAN_TRUE && v.kind != JSCAN_FALSE)
        return fail(r, names[KNOWN_PARALLEL_TOOL_CALLS], "expected boolean");
    r->d.c->parallel = v.kind == JSCAN_TRUE;
    return ERR_OK;
}

static enum err take_instructions(struct request *r)
{
    struct canon *c = r->d.c;
    struct slice text = {NULL, 0};
    struct turn *turn;
    struct part *part;
    enum err e = take_text(r, KNOWN_INSTRUCTIONS, &text);

    if (e || text.n == 0)
        return e;
    turn = canon_add_turn(c, CANON_SYSTEM, names[KNOWN_INSTRUCTIONS]);
    part = turn ? turn_add_part(c, turn, PART_TEXT, names[KNOWN_INSTRUCTIONS]) : NULL;
    if (!part)
        return ERR_MEMORY;
    part->text = text;
    return ERR_OK;
}

/* Tools of the input's items come after the request's own, and the choice may name all of them. */
static enum err take_conversation(struct request *r)
{
    enum err e = take_instructions(r);

    if (!e && has(r, KNOWN_TOOLS))
        e = responses_decode_tools(&r->d, r->values[KNOWN_TOOLS], names[KNOWN_TOOLS]);
    if (!e && has(r, KNOWN_INPUT))
        e = responses_decode_items(&r->d, r->values[KNOWN_INPUT]);
    if (!e && has(r, KNOWN_TOOL_CHOICE))
        e = responses_decode_choice(&r->d, r->values[KNOWN_TOOL_CHOICE]);
    return e ? e : take_parallel(r);
}

enum err responses_decode_request(struct canon *c, const struct format_request *in,
                                  struct fault *fault)
{
    struct request r = {
        .d = {c, fault}
    };
    enum err e;

    canon_init(c, c->arena, VENDOR_OPENAI, fields);
    c->body = in->body;
    c->is_stream = in->is_stream;
    list_values(&r, in);
    e = refuse_state(&r);
    if (!e)
        e = take_limits(&r, in);
    if (!e)
        e = take_include(&r);
    if (!e)
        e = take_reasoning(&r);
    if (!e)
        e = take_text_options(&r);
    if (!e)
        e = take_meta(&r);
    return e ? e : take_conversation(&r);
}

enum err responses_member_text(struct responses_decode *d, struct jvalue object, const char *name,
                               const char *path, bool is_optional, struct slice *out)
{
    struct arena *a = d->c->arena;
    struct jvalue v;
    const char *at;
    enum err e;

    if (jscan_find(object, name, &v) || v.kind == JSCAN_NULL) {
        if (is_optional) {
            *out = (struct slice){NULL, 0};
            return ERR_OK;
        }
        at = arena_printf(a, "%s.%s", path, name);
        return at ? canon_fault(a, d->fault, at, "required") : ERR_MEMORY;
    }
    e = jscan_string(v, a, out);
    if (e != ERR_FORMAT)
        return e;
    at = arena_printf(a, "%s.%s", path, name);
    return at ? canon_fault(a, d->fault, at, "expected string") : ERR_MEMORY;
}
