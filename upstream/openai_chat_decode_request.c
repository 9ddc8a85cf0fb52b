#include "upstream/openai_chat.h"

#include "upstream/capability.h"
#include "upstream/openai_chat_decode.h"
#include "upstream/pick.h"

#define TOP_LOGPROBS_MAX 20
#define EFFORT_EXPECTED  "expected none, minimal, low, medium, high, xhigh or max"

enum own {
    OWN_MESSAGES,
    OWN_TOOLS,
    OWN_FUNCTIONS,
    OWN_TOOL_CHOICE,
    OWN_FUNCTION_CALL,
    OWN_PARALLEL,
    OWN_RESPONSE_FORMAT,
    OWN_EFFORT,
    OWN_REASONING,
    OWN_THINKING,
    OWN_ENABLE_THINKING,
    OWN_EXTRA_BODY,
    OWN_VERBOSITY,
    OWN_LOGPROBS,
    OWN_TOP_LOGPROBS,
    OWN_MODALITIES,
    OWN_WEB_SEARCH,
    OWN_MAX_COMPLETION_TOKENS,
    OWN_STORE,
    OWN_COUNT
};

static const char *const own_names[OWN_COUNT + 1] = {
    [OWN_MESSAGES] = "messages",
    [OWN_TOOLS] = "tools",
    [OWN_FUNCTIONS] = "functions",
    [OWN_TOOL_CHOICE] = "tool_choice",
    [OWN_FUNCTION_CALL] = "function_call",
    [OWN_PARALLEL] = "parallel_tool_calls",
    [OWN_RESPONSE_FORMAT] = "response_format",
    [OWN_EFFORT] = "reasoning_effort",
    [OWN_REASONING] = "reasoning",
    [OWN_THINKING] = "thinking",
    [OWN_ENABLE_THINKING] = "enable_thinking",
    [OWN_EXTRA_BODY] = "extra_body",
    [OWN_VERBOSITY] = "verbosity",
    [OWN_LOGPROBS] = "logprobs",
    [OWN_TOP_LOGPROBS] = "top_logprobs",
    [OWN_MODALITIES] = "modalities",
    [OWN_WEB_SEARCH] = "web_search_options",
    [OWN_MAX_COMPLETION_TOKENS] = "max_completion_tokens",
    [OWN_STORE] = "store",
};

/* Read by read_request already. */
static const char *const read_names[] = {"model", "stream",     "stream_options",
                                         "n",     "max_tokens", NULL};

/* ---- thinking ---- */

static enum err read_effort(struct chat_decode *d, struct jvalue v, const char *at)
{
    if (!v.raw.p)
        return ERR_OK;
    d->canon->think.effort = effort_parse(pick_string(v));
    if (d->canon->think.effort == EFFORT_UNSET)
        return chat_refuse(d, at, NULL, EFFORT_EXPECTED);
    return ERR_OK;
}

static void read_budget(struct chat_decode *d, struct jvalue v)
{
    int64_t n;

    if (v.raw.p && !jscan_i64(v, &n) && n >= 0)
        d->canon->think.budget = n;
}

static void read_switch(struct chat_decode *d, struct jvalue v)
{
    if (v.raw.p && (v.kind == JSCAN_TRUE || v.kind == JSCAN_FALSE))
        d->canon->think.mode = v.kind == JSCAN_TRUE ? THINK_ON : THINK_OFF;
}

/* reasoning: as one large aggregator spells it. */
static enum err read_reasoning(struct chat_decode *d, struct jvalue object)
{
    static const char *const names[] = {"effort", "max_tokens", "enabled", "exclude"};
    struct jvalue v[4];
    enum err e;

    (void)pick_members(object, names, 4, v);
    e = read_effort(d, v[0], "reasoning.effort");
    read_budget(d, v[1]);
    read_switch(d, v[2]);
    if (v[3].raw.p && v[3].kind == JSCAN_TRUE)
        d->canon->think.show = 0;
    return e;
}

/* thinking: {type, budget_tokens}, enable_thinking, extra_body.google.thinking_config: what clients
 * of compatible providers send. */
static void read_switches(struct chat_decode *d, const struct jvalue *own)
{
    static const char *const names[] = {"thinking_budget", "include_thoughts"};
    struct jvalue config = pick(pick(own[OWN_EXTRA_BODY], "google"), "thinking_config"), v[2];
    struct slice type = pick_string(pick(own[OWN_THINKING], "type"));

    if (slice_eq_z(type, "disabled"))
        d->canon->think.mode = THINK_OFF;
    else if (slice_eq_z(type, "enabled") || slice_eq_z(type, "adaptive"))
        d->canon->think.mode = THINK_ON;
    read_budget(d, pick(own[OWN_THINKING], "budget_tokens"));
    read_switch(d, own[OWN_ENABLE_THINKING]);
    (void)pick_members(config, names, 2, v);
    read_budget(d, v[0]);
    if (v[1].raw.p)
        d->canon->think.show = v[1].kind == JSCAN_TRUE;
}

static enum err read_think(struct chat_decode *d, const struct jvalue *own)
{
    struct think *t = &d->canon->think;
    enum err e = read_reasoning(d, own[OWN_REASONING]);

    read_switches(d, own);
    if (!e)
        e = read_effort(d, own[OWN_EFFORT], "reasoning_effort");
    if (e)
        return e;
    if (t->mode == THINK_UNSET && (t->effort == EFFORT_NONE || t->budget == 0))
        t->mode = THINK_OFF;
    else if (t->mode == THINK_UNSET && (t->effort != EFFORT_UNSET || t->budget > 0))
        t->mode = THINK_ON;
    if (t->mode == THINK_ON && t->show < 0)
        t->show = 1; /* who asks for thinking by this format is shown it where it costs nothing */
    return ERR_OK;
}

/* ---- the other parameters ---- */

static enum err read_schema(struct chat_decode *d, struct jvalue format)
{
    static const char *const names[] = {"name", "schema", "strict", "description"};
    struct output_format *f = &d->canon->format;
    struct jvalue v[4];
    enum err e;

    if (!pick_members(pick(format, "json_schema"), names, 4, v))
        return chat_refuse(d, "response_format.json_schema", NULL, "expected object");
    f->kind = OUTPUT_SCHEMA;
    e = chat_read_text(d, v[0], "response_format.json_schema", "name", &f->name);
    if (!e && v[1].raw.p && v[1].kind != JSCAN_OBJECT)
        e = chat_refuse(d, "response_format.json_schema", "schema", "expected object");
    if (!e)
        e = chat_read_flag(d, v[2], "response_format.json_schema", "strict", &f->strict);
    f->schema = v[1].raw.p ? v[1].raw : SLICE("{}");
    if (v[3].raw.p)
        drop(&d->canon->drops, "response_format.json_schema.description");
    return e;
}

static enum err read_format(struct chat_decode *d, struct jvalue format)
{
    struct slice type;

    if (!format.raw.p)
        return ERR_OK;
    type = pick_string(pick(format, "type"));
    if (slice_eq_z(type, "json_schema"))
        return read_schema(d, format);
    if (slice_eq_z(type, "json_object"))
        d->canon->format.kind = OUTPUT_JSON;
    else if (!slice_eq_z(type, "text"))
        return chat_refuse(d, "response_format", "type",
                           "expected text, json_object or json_schema");
    return ERR_OK;
}

static enum err read_modalities(struct chat_decode *d, struct jvalue list)
{
    struct jvalue v;
    struct jscan s;

    if (!list.raw.p)
        return ERR_OK;
    if (jscan_array(&s, list))
        return chat_refuse(d, "modalities", NULL, "expected array");
    while (!jscan_next_element(&s, &v)) {
        struct slice word = pick_string(v);

        if (slice_eq_z(word, "text"))
            d->canon->modalities |= MODALITY_TEXT;
        else if (slice_eq_z(word, "audio"))
            d->canon->modalities |= MODALITY_AUDIO;
        else if (slice_eq_z(word, "image"))
            d->canon->modalities |= MODALITY_IMAGE;
        else
            return chat_refuse(d, "modalities", NULL, "expected text, audio or image");
    }
    return ERR_OK;
}

static enum err read_logprobs(struct chat_decode *d, const struct jvalue *own)
{
    struct jvalue top = own[OWN_TOP_LOGPROBS];
    int wants = 0;
    enum err e = chat_read_flag(d, own[OWN_LOGPROBS], "logprobs", NULL, &wants);

    d->canon->wants_logprobs = wants == 1;
    if (e || !top.raw.p)
        return e;
    if (jscan_i64(top, &d->canon->top_logprobs) || d->canon->top_logprobs < 0 ||
        d->canon->top_logprobs > TOP_LOGPROBS_MAX)
        return chat_refuse(d, "top_logprobs", NULL, "expected an integer from 0 to 20");
    return ERR_OK;
}

static enum err read_options(struct chat_decode *d, const struct jvalue *own)
{
    enum err e = read_format(d, own[OWN_RESPONSE_FORMAT]);

    if (!e)
        e = read_think(d, own);
    if (!e)
        e = read_modalities(d, own[OWN_MODALITIES]);
    if (!e)
        e = read_logprobs(d, own);
    if (!e)
        e = chat_read_text(d, own[OWN_VERBOSITY], "verbosity", NULL, &d->canon->verbosity);
    if (!e)
        e = chat_read_flag(d, own[OWN_PARALLEL], "parallel_tool_calls", NULL, &d->canon->parallel);
    if (!e && own[OWN_STORE].raw.p && own[OWN_STORE].kind != JSCAN_FALSE)
        canon_drop(d->canon, &d->canon->drops, FIELD_STORE);
    return e;
}

/* ---- the whole request ---- */

/* The names of fields as this client spells them. */
static enum err name_fields(struct canon *c, const struct jvalue *own, const struct jvalue *common)
{
    const char **fields = arena_alloc(c->arena, FIELD_COUNT * sizeof(*fields));

    if (!fields)
        return ERR_MEMORY;
    fields[FIELD_MAX_OUT] = own[OWN_MAX_COMPLETION_TOKENS].raw.p ? "max_completion_tokens"
                                                                 : "max_tokens";
    fields[FIELD_USER] = pick_string(common[CHAT_SAFETY]).n ? "safety_identifier" : "user";
    fields[FIELD_TOOLS] = !own[OWN_TOOLS].raw.p && own[OWN_FUNCTIONS].raw.p ? "functions" : "tools";
    fields[FIELD_CACHE] = "prompt_cache_breakpoint";
    c->fields = fields;
    return ERR_OK;
}

enum err chat_decode_request(struct canon *c, const struct format_request *in, struct fault *fault)
{
    const char *const *const lists[] = {own_names, read_names, chat_common_names};
    struct chat_decode d = {c, fault};
    struct jvalue own[OWN_COUNT], common[CHAT_COMMON_COUNT];
    enum err e;

    chat_collect(in, own_names, OWN_COUNT, own);
    chat_collect(in, chat_common_names, CHAT_COMMON_COUNT, common);
    c->choices = in->choices;
    c->max_out = in->output_max;
    e = name_fields(c, own, common);
    if (!e)
        e = chat_read_common(&d, common);
    if (!e)
        e = read_options(&d, own);
    if (!e)
        e = chat_decode_messages(&d, own[OWN_MESSAGES]);
    if (!e)
        e = chat_decode_tools(&d, own[OWN_TOOLS], own[OWN_FUNCTIONS]);
    if (!e)
        e = chat_decode_web_search(&d, own[OWN_WEB_SEARCH]);
    if (!e)
        e = chat_decode_choice(&d, own[OWN_TOOL_CHOICE], own[OWN_FUNCTION_CALL]);
    return e ? e : chat_drop_unknown(&d, in, lists, 3);
}
