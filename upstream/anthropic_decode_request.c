#include "upstream/anthropic_decode.h"

#include <string.h>

/* A block that Claude Code puts first: it differs from turn to turn, and says nothing to others. */
#define BILLING_HEADER "x-anthropic-billing-header:"

static const char *const fields[FIELD_COUNT] = {
    [FIELD_MAX_OUT] = "max_tokens",
    [FIELD_TEMPERATURE] = "temperature",
    [FIELD_TOP_P] = "top_p",
    [FIELD_TOP_K] = "top_k",
    [FIELD_STOP] = "stop_sequences",
    [FIELD_TOOLS] = "tools",
    [FIELD_TOOL_CHOICE] = "tool_choice",
    [FIELD_PARALLEL] = "tool_choice.disable_parallel_tool_use",
    [FIELD_STRICT] = "tools.strict",
    [FIELD_THINK] = "thinking",
    [FIELD_THINK_SHOW] = "thinking.display",
    [FIELD_FORMAT] = "output_config.format",
    [FIELD_USER] = "metadata.user_id",
    [FIELD_CACHE] = "cache_control",
    [FIELD_TIER] = "service_tier",
    [FIELD_METADATA] = "metadata",
    [FIELD_CITATIONS] = "citations",
    [FIELD_SIGNATURE] = "signature",
};

enum err anthropic_decode_fail(struct anthropic_decode *d, const char *at, const char *text)
{
    return at ? canon_fault(d->c->arena, d->fault, at, "%s", text) : ERR_MEMORY;
}

enum err anthropic_decode_text(struct anthropic_decode *d, struct jvalue v, const char *at,
                               struct slice *out)
{
    enum err e = jscan_string(v, d->c->arena, out);

    return e == ERR_FORMAT ? anthropic_decode_fail(d, at, "expected string") : e;
}

enum cache_mark anthropic_decode_mark(struct jvalue v)
{
    struct jvalue ttl;

    if (!v.raw.p || v.kind != JSCAN_OBJECT)
        return CACHE_NONE;
    return !jscan_find(v, "ttl", &ttl) && slice_eq_z(ttl.raw, "\"1h\"") ? CACHE_1H : CACHE_5M;
}

/* ---- parameters ---- */

static enum err read_number(struct anthropic_decode *d, struct jvalue v, const char *at,
                            struct slice *out)
{
    if (v.kind != JSCAN_NUMBER)
        return anthropic_decode_fail(d, at, "expected number");
    *out = v.raw;
    return ERR_OK;
}

static enum err read_temperature(struct anthropic_decode *d, struct jvalue v)
{
    return read_number(d, v, "temperature", &d->c->temperature);
}

static enum err read_top_p(struct anthropic_decode *d, struct jvalue v)
{
    return read_number(d, v, "top_p", &d->c->top_p);
}

static enum err read_top_k(struct anthropic_decode *d, struct jvalue v)
{
    return read_number(d, v, "top_k", &d->c->top_k);
}

static enum err read_stops(struct anthropic_decode *d, struct jvalue v)
{
    struct jvalue stop;
    struct jscan s;

    if (jscan_array(&s, v))
        return anthropic_decode_fail(d, "stop_sequences", "expected array");
    while (!jscan_next_element(&s, &stop)) {
        struct slice text;
        enum err e = anthropic_decode_text(d, stop, "stop_sequences", &text);

        if (e)
            return e;
        if (d->c->stops_n == CANON_STOPS_MAX)
            canon_drop(d->c, &d->c->drops, FIELD_STOP);
        else if (text.n)
            d->c->stops[d->c->stops_n++] = text;
    }
    return ERR_OK;
}

static enum err read_thinking(struct anthropic_decode *d, struct jvalue v)
{
    struct think *t = &d->c->think;
    struct slice type;
    struct jvalue m;
    enum err e;

    if (jscan_find(v, "type", &m))
        return anthropic_decode_fail(d, "thinking.type", "required");
    e = anthropic_decode_text(d, m, "thinking.type", &type);
    if (e)
        return e;
    if (slice_eq_z(type, "disabled") || slice_eq_z(type, "between_tools"))
        t->mode = THINK_OFF;
    else if (slice_eq_z(type, "enabled") || slice_eq_z(type, "adaptive"))
        t->mode = THINK_ON;
    else
        return anthropic_decode_fail(d, "thinking.type", "expected enabled, adaptive or disabled");
    if (!jscan_find(v, "display", &m) && m.kind == JSCAN_STRING)
        t->show = !slice_eq_z(m.raw, "\"omitted\"");
    if (!slice_eq_z(type, "enabled"))
        return ERR_OK;
    if (jscan_find(v, "budget_tokens", &m) || jscan_i64(m, &t->budget) || t->budget < 1)
        return anthropic_decode_fail(d, "thinking.budget_tokens", "expected a positive integer");
    return ERR_OK;
}

/* {type: "json_schema", schema}. */
static enum err read_format(struct anthropic_decode *d, struct jvalue v, const char *at)
{
    struct jvalue type, schema;

    if (v.kind == JSCAN_NULL)
        return ERR_OK;
    if (jscan_find(v, "type", &type) || !slice_eq_z(type.raw, "\"json_schema\"") ||
        jscan_find(v, "schema", &schema) || schema.kind != JSCAN_OBJECT)
        return anthropic_decode_fail(d, at, "expected type json_schema and a schema");
    d->c->format.kind = OUTPUT_SCHEMA;
    d->c->format.schema = schema.raw;
    return ERR_OK;
}

static enum err read_output_format(struct anthropic_decode *d, struct jvalue v)
{
    return read_format(d, v, "output_format");
}

/* At the top, and in messages from which on another one is in force: the last one counts. */
static enum err read_output_config(struct anthropic_decode *d, struct jvalue v)
{
    struct jmember m;
    struct jscan s;
    enum err e = ERR_OK;

    if (jscan_object(&s, v))
        return anthropic_decode_fail(d, "output_config", "expected object");
    while (!e && !jscan_next_member(&s, &m)) {
        struct slice word;

        if (m.value.kind == JSCAN_NULL)
            continue;
        if (jscan_key_is(&m, "format")) {
            e = read_format(d, m.value, "output_config.format");
        } else if (jscan_key_is(&m, "effort")) {
            e = anthropic_decode_text(d, m.value, "output_config.effort", &word);
            if (!e && effort_parse(word) != EFFORT_UNSET)
                d->c->think.effort = effort_parse(word);
            else
                drop(&d->c->drops, "output_config.effort");
        } else {
            const char *name = decode_path(d, "output_config.%.*s", SLICE_FMT(m.key));

            if (!name)
                return ERR_MEMORY;
            drop(&d->c->drops, name);
        }
    }
    return e;
}

static enum err read_metadata(struct anthropic_decode *d, struct jvalue v)
{
    struct jvalue id;

    if (jscan_find(v, "user_id", &id) || id.kind != JSCAN_STRING)
        return ERR_OK;
    return anthropic_decode_text(d, id, "metadata.user_id", &d->c->user);
}

static enum err read_tier(struct anthropic_decode *d, struct jvalue v)
{
    struct slice word;
    enum err e = anthropic_decode_text(d, v, "service_tier", &word);

    if (!e)
        d->c->tier = slice_eq_z(word, "standard_only") ? TIER_DEFAULT : tier_parse(word);
    return e;
}

static enum err refuse_state(struct anthropic_decode *d, const char *name)
{
    return anthropic_decode_fail(d, name, "not supported by this model");
}

static enum err refuse_container(struct anthropic_decode *d, struct jvalue v)
{
    (void)v;
    return refuse_state(d, "container");
}

static enum err refuse_thread(struct anthropic_decode *d, struct jvalue v)
{
    (void)v;
    return refuse_state(d, "thread");
}

static enum err refuse_servers(struct anthropic_decode *d, struct jvalue v)
{
    return slice_eq_z(v.raw, "[]") ? ERR_OK : refuse_state(d, "mcp_servers");
}

/* The members, apart from system, messages and cache_control, whose turn comes later. read NULL:
 * they were read by read_request, or mean nothing to others. */
static const struct {
    const char *name;
    enum err (*read)(struct anthropic_decode *d, struct jvalue v);
} members[] = {
    {"model",          NULL                   },
    {"stream",         NULL                   },
    {"max_tokens",     NULL                   },
    {"system",         NULL                   },
    {"messages",       NULL                   },
    {"cache_control",  NULL                   },
    {"tools",          anthropic_decode_tools },
    {"tool_choice",    anthropic_decode_choice},
    {"thinking",       read_thinking          },
    {"output_config",  read_output_config     },
    {"output_format",  read_output_format     },
    {"temperature",    read_temperature       },
    {"top_p",          read_top_p             },
    {"top_k",          read_top_k             },
    {"stop_sequences", read_stops             },
    {"metadata",       read_metadata          },
    {"service_tier",   read_tier              },
    {"container",      refuse_container       },
    {"thread",         refuse_thread          },
    {"mcp_servers",    refuse_servers         },
};

static enum err read_member(struct anthropic_decode *d, const struct jmember *m)
{
    const char *name;
    size_t i;

    if (m->value.kind == JSCAN_NULL)
        return ERR_OK;
    for (i = 0; i < sizeof(members) / sizeof(members[0]); i++)
        if (jscan_key_is(m, members[i].name))
            return members[i].read ? members[i].read(d, m->value) : ERR_OK;
    name = arena_copy(d->c->arena, m->key);
    if (!name)
        return ERR_MEMORY;
    drop(&d->c->drops, name);
    return ERR_OK;
}

/* ---- turns ---- */

static bool is_billing_header(const struct part *p)
{
    return p->kind == PART_TEXT && slice_starts(p->text, BILLING_HEADER);
}

static enum err read_system(struct anthropic_decode *d, struct jvalue system)
{
    struct turn *t = canon_add_turn(d->c, CANON_SYSTEM, "system");
    size_t i, n = 0;
    enum err e;

    if (!t)
        return ERR_MEMORY;
    e = anthropic_decode_content(d, system, "system");
    for (i = 0; i < t->parts_n; i++)
        if (is_billing_header(&t->parts[i]))
            drop(&d->c->drops, "x-anthropic-billing-header");
        else
            t->parts[n++] = t->parts[i];
    t->parts_n = n;
    return e;
}

static enum err read_message(struct anthropic_decode *d, struct jvalue message, const char *at)
{
    struct jvalue role, v;
    struct slice word;
    enum canon_role kind;
    const char *content = decode_path(d, "%s.content", at);
    enum err e;

    if (!content)
        return ERR_MEMORY;
    if (jscan_find(message, "role", &role) || jscan_string(role, d->c->arena, &word))
        return anthropic_decode_fail(d, at, "expected a role");
    if (slice_eq_z(word, "user"))
        kind = CANON_USER;
    else if (slice_eq_z(word, "assistant"))
        kind = CANON_ASSISTANT;
    else if (slice_eq_z(word, "system"))
        kind = CANON_SYSTEM;
    else
        return anthropic_decode_fail(d, decode_path(d, "%s.role", at),
                                     "expected user, assistant or system");
    if (!jscan_find(message, "output_config", &v) && v.kind == JSCAN_OBJECT) {
        e = read_output_config(d, v);
        if (e)
            return e;
    }
    if (!canon_add_turn(d->c, kind, at))
        return ERR_MEMORY;
    if (jscan_find(message, "content", &v) || v.kind == JSCAN_NULL)
        return kind == CANON_SYSTEM ? ERR_OK /* it only changes output_config */
                                    : anthropic_decode_fail(d, content, "required");
    return anthropic_decode_content(d, v, content);
}

static enum err read_messages(struct anthropic_decode *d, struct jvalue messages)
{
    struct jvalue message;
    struct jscan s;
    size_t i;

    if (jscan_array(&s, messages))
        return anthropic_decode_fail(d, "messages", "expected array");
    for (i = 0; !jscan_next_element(&s, &message); i++) {
        const char *at = decode_path(d, "messages[%zu]", i);
        enum err e = at ? read_message(d, message, at) : ERR_MEMORY;

        if (e)
            return e;
    }
    return ERR_OK;
}

/* cache_control at the top: the provider marks the last block that it can. */
static void mark_last(struct canon *c, struct jvalue v)
{
    size_t i, k;

    for (i = c->turns_n; i > 0; i--)
        for (k = c->turns[i - 1].parts_n; k > 0; k--) {
            struct part *p = &c->turns[i - 1].parts[k - 1];

            if (p->kind == PART_THINKING)
                continue;
            if (p->cache == CACHE_NONE)
                p->cache = anthropic_decode_mark(v);
            return;
        }
}

enum err anthropic_decode_request(struct canon *c, const struct format_request *in,
                                  struct fault *fault)
{
    struct anthropic_decode d = {c, fault};
    struct jvalue system = {0}, messages = {0}, cache = {0};
    enum err e = ERR_OK;
    size_t i;

    canon_init(c, c->arena, VENDOR_ANTHROPIC, fields);
    c->body = in->body;
    c->is_stream = in->is_stream;
    c->max_out = in->output_max;
    if (c->max_out == 0)
        return anthropic_decode_fail(&d, "max_tokens", "0 is not supported by this model");
    for (i = 0; i < in->members_n && !e; i++) {
        const struct jmember *m = &in->members[i];

        if (jscan_key_is(m, "system"))
            system = m->value;
        else if (jscan_key_is(m, "messages"))
            messages = m->value;
        else if (jscan_key_is(m, "cache_control"))
            cache = m->value;
        e = read_member(&d, m);
    }
    if (!e && system.raw.p && system.kind != JSCAN_NULL)
        e = read_system(&d, system);
    if (!e)
        e = read_messages(&d, messages);
    if (!e && cache.raw.p)
        mark_last(c, cache);
    return e;
}
