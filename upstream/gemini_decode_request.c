#include "upstream/gemini.h"

#include <ctype.h>

#define CONFIG "generationConfig."

static const char *const fields[FIELD_COUNT] = {
    [FIELD_MAX_OUT] = CONFIG "maxOutputTokens",
    [FIELD_TEMPERATURE] = CONFIG "temperature",
    [FIELD_TOP_P] = CONFIG "topP",
    [FIELD_TOP_K] = CONFIG "topK",
    [FIELD_SEED] = CONFIG "seed",
    [FIELD_PRESENCE] = CONFIG "presencePenalty",
    [FIELD_FREQUENCY] = CONFIG "frequencyPenalty",
    [FIELD_STOP] = CONFIG "stopSequences",
    [FIELD_CHOICES] = CONFIG "candidateCount",
    [FIELD_LOGPROBS] = CONFIG "responseLogprobs",
    [FIELD_TOP_LOGPROBS] = CONFIG "logprobs",
    [FIELD_TOOL_CHOICE] = "toolConfig",
    [FIELD_THINK] = CONFIG "thinkingConfig",
    [FIELD_THINK_SHOW] = CONFIG "thinkingConfig.includeThoughts",
    [FIELD_FORMAT] = CONFIG "responseMimeType",
    [FIELD_TIER] = "serviceTier",
    [FIELD_METADATA] = "labels",
    [FIELD_DETAIL] = CONFIG "mediaResolution",
    [FIELD_MODALITIES] = CONFIG "responseModalities",
    [FIELD_SIGNATURE] = "thoughtSignature",
};

/* What a member of the request is to a provider of another format. */
enum rule {
    RULE_CONTENTS,
    RULE_SYSTEM,
    RULE_TOOLS,
    RULE_TOOL_CONFIG,
    RULE_CONFIG,
    RULE_TIER,
    RULE_IGNORE, /* says nothing */
    RULE_DROP,   /* a hint */
    RULE_REFUSE
};

static const struct {
    const char *name;
    enum rule rule;
} rules[] = {
    {"contents",          RULE_CONTENTS   },
    {"systemInstruction", RULE_SYSTEM     },
    {"tools",             RULE_TOOLS      },
    {"toolConfig",        RULE_TOOL_CONFIG},
    {"generationConfig",  RULE_CONFIG     },
    {"serviceTier",       RULE_TIER       },
    {"model",             RULE_IGNORE     },
    {"safetySettings",    RULE_DROP       },
    {"labels",            RULE_DROP       },
    {"store",             RULE_DROP       },
    {"cachedContent",     RULE_REFUSE     },
    {"continuationToken", RULE_REFUSE     },
};
#define RULES_N (sizeof(rules) / sizeof(rules[0]))

enum err gemini_decode_string(struct canon *c, struct jvalue v, const char *path, struct slice *out,
                              struct fault *fault)
{
    enum err e = jscan_string(v, c->arena, out);

    return e == ERR_FORMAT ? canon_fault(c->arena, fault, path, "expected string") : e;
}

/* A member that no other format has, by its name. */
static enum err drop_unknown(struct canon *c, struct slice key)
{
    const char *name = arena_copy(c->arena, key);

    if (!name)
        return ERR_MEMORY;
    drop(&c->drops, name);
    return ERR_OK;
}

/* "flex", "FLEX", "SERVICE_TIER_FLEX". */
static void decode_tier(struct canon *c, struct jvalue v)
{
    struct slice word = gemini_word(v);
    char text[16];
    size_t i;

    if (slice_starts_ci(word, "service_tier_")) {
        word.p += sizeof("service_tier_") - 1;
        word.n -= sizeof("service_tier_") - 1;
    }
    (void)slice_copy_z(text, sizeof(text), word);
    for (i = 0; text[i]; i++)
        text[i] = (char)tolower((unsigned char)text[i]);
    c->tier = tier_parse(slice_of(text));
    if (c->tier == TIER_UNSET && word.n)
        canon_drop(c, &c->drops, FIELD_TIER);
}

/* An empty list or text asks for nothing. */
static bool is_nothing(struct jvalue v)
{
    return v.kind == JSCAN_NULL || v.kind == JSCAN_FALSE ||
           ((v.kind == JSCAN_ARRAY || v.kind == JSCAN_OBJECT || v.kind == JSCAN_STRING) &&
            v.raw.n == 2);
}

static enum err decode_member(struct canon *c, const struct jmember *m,
                              struct jvalue found[RULES_N])
{
    size_t i;

    if (is_nothing(m->value))
        return ERR_OK;
    for (i = 0; i < RULES_N; i++)
        if (gemini_key_is(m, rules[i].name)) {
            found[i] = m->value;
            return ERR_OK;
        }
    return drop_unknown(c, m->key);
}

static enum err decode_found(struct canon *c, size_t i, struct jvalue v, struct fault *fault)
{
    switch (rules[i].rule) {
    case RULE_CONTENTS:
        return gemini_decode_contents(c, v, fault);
    case RULE_SYSTEM:
        return gemini_decode_system(c, v, fault);
    case RULE_TOOLS:
        return gemini_decode_tools(c, v, fault);
    case RULE_TOOL_CONFIG:
        return gemini_decode_tool_config(c, v, fault);
    case RULE_CONFIG:
        return gemini_decode_config(c, v, fault);
    case RULE_TIER:
        decode_tier(c, v);
        return ERR_OK;
    case RULE_DROP:
        drop(&c->drops, rules[i].name);
        return ERR_OK;
    case RULE_REFUSE:
        return canon_fault(c->arena, fault, rules[i].name,
                           "this model's provider has no such thing; send the whole contents");
    case RULE_IGNORE:
    default:
        return ERR_OK;
    }
}

/* The system prompt is first, whatever the order of the members; what the configuration says of
 * media comes after the contents. */
static enum err decode_all(struct canon *c, const struct jvalue found[RULES_N], struct fault *fault)
{
    static const enum rule order[] = {RULE_REFUSE, RULE_SYSTEM, RULE_CONTENTS,    RULE_CONFIG,
                                      RULE_TOOLS,  RULE_TIER,   RULE_TOOL_CONFIG, RULE_DROP};
    enum err e = ERR_OK;
    size_t i, k;

    for (k = 0; k < sizeof(order) / sizeof(order[0]); k++)
        for (i = 0; i < RULES_N && !e; i++)
            if (rules[i].rule == order[k] && found[i].raw.p)
                e = decode_found(c, i, found[i], fault);
    return e;
}

enum err gemini_decode_request(struct canon *c, const struct format_request *in,
                               struct fault *fault)
{
    struct jvalue found[RULES_N] = {0};
    enum err e = ERR_OK;
    size_t i;

    c->fields = fields;
    c->max_out = in->output_max;
    c->choices = in->choices;
    c->is_stream = in->is_stream;
    for (i = 0; i < in->members_n && !e; i++)
        e = decode_member(c, &in->members[i], found);
    return e ? e : decode_all(c, found, fault);
}
