#include "upstream/canon.h"

#include "upstream/capability.h"
#include "upstream/format.h"
#include "upstream/tool_index.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define CALL_ID_MAX    64
#define FIRST_ITEMS    4
#define FAULT_TEXT_MAX 1024

const struct capability capability_default = {
    .output_max = -1,
    .think = THINK_STYLE_EFFORT,
    .budget_min = 1024,
    .budget_max = 32768,
    .has_sampling = true,
    .has_tools = true,
    .has_forced_tools = true,
    .has_schema = true,
    .has_json_schema_tools = true,
    .input = MODALITY_TEXT | MODALITY_IMAGE | MODALITY_AUDIO | MODALITY_FILE | MODALITY_VIDEO,
    .output = MODALITY_TEXT,
};

static const char *const effort_words[] = {
    [EFFORT_UNSET] = NULL,    [EFFORT_NONE] = "none",     [EFFORT_MINIMAL] = "minimal",
    [EFFORT_LOW] = "low",     [EFFORT_MEDIUM] = "medium", [EFFORT_HIGH] = "high",
    [EFFORT_XHIGH] = "xhigh", [EFFORT_MAX] = "max",
};

static const char *const field_words[FIELD_COUNT] = {
    [FIELD_MAX_OUT] = "max_tokens",
    [FIELD_TEMPERATURE] = "temperature",
    [FIELD_TOP_P] = "top_p",
    [FIELD_TOP_K] = "top_k",
    [FIELD_SEED] = "seed",
    [FIELD_PRESENCE] = "presence_penalty",
    [FIELD_FREQUENCY] = "frequency_penalty",
    [FIELD_STOP] = "stop",
    [FIELD_CHOICES] = "n",
    [FIELD_LOGPROBS] = "logprobs",
    [FIELD_TOP_LOGPROBS] = "top_logprobs",
    [FIELD_LOGIT_BIAS] = "logit_bias",
    [FIELD_TOOLS] = "tools",
    [FIELD_TOOL_CHOICE] = "tool_choice",
    [FIELD_PARALLEL] = "parallel_tool_calls",
    [FIELD_STRICT] = "strict",
    [FIELD_THINK] = "reasoning_effort",
    [FIELD_THINK_SHOW] = "reasoning.summary",
    [FIELD_FORMAT] = "response_format",
    [FIELD_VERBOSITY] = "verbosity",
    [FIELD_USER] = "user",
    [FIELD_CACHE_KEY] = "prompt_cache_key",
    [FIELD_CACHE] = "cache_control",
    [FIELD_TIER] = "service_tier",
    [FIELD_STORE] = "store",
    [FIELD_METADATA] = "metadata",
    [FIELD_DETAIL] = "detail",
    [FIELD_NAME] = "name",
    [FIELD_CITATIONS] = "citations",
    [FIELD_SAFETY] = "safetySettings",
    [FIELD_MODALITIES] = "modalities",
    [FIELD_SIGNATURE] = "signature",
};

void canon_init(struct canon *c, struct arena *a, enum vendor vendor, const char *const *fields)
{
    *c = (struct canon){
        .arena = a,
        .vendor = vendor,
        .fields = fields,
        .max_out = -1,
        .choices = 1,
        .top_logprobs = -1,
        .parallel = -1,
        .think = {.budget = -1, .show = -1},
        .format = {.strict = -1           },
        .tool_index = tool_index_new(a),
    };
}

void *canon_grow(struct arena *a, void *items, size_t n, size_t *max, size_t size)
{
    size_t wanted = *max ? *max * 2 : FIRST_ITEMS;
    void *grown;

    if (n < *max)
        return items;
    if (n >= CANON_TURNS_MAX)
        return NULL;
    grown = arena_alloc(a, wanted * size);
    if (!grown)
        return NULL;
    if (n)
        memcpy(grown, items, n * size);
    *max = wanted;
    return grown;
}

struct turn *canon_add_turn(struct canon *c, enum canon_role role, const char *at)
{
    struct turn *grown = canon_grow(c->arena, c->turns, c->turns_n, &c->turns_max, sizeof(*grown));

    if (!grown)
        return NULL;
    c->turns = grown;
    c->turns[c->turns_n] = (struct turn){.role = role, .at = at};
    return &c->turns[c->turns_n++];
}

static struct part *add_part(struct arena *a, struct part **parts, size_t *n, size_t *max,
                             struct part part)
{
    struct part *grown = canon_grow(a, *parts, *n, max, sizeof(*grown));

    if (!grown)
        return NULL;
    *parts = grown;
    grown[*n] = part;
    return &grown[(*n)++];
}

struct part *turn_add_part(struct canon *c, struct turn *t, enum part_kind kind, const char *at)
{
    return add_part(c->arena, &t->parts, &t->parts_n, &t->parts_max,
                    (struct part){.kind = kind, .at = at});
}

struct part *part_add_part(struct canon *c, struct part *result, enum part_kind kind,
                           const char *at)
{
    assert(result->kind == PART_RESULT);
    return add_part(c->arena, &result->parts, &result->parts_n, &result->parts_max,
                    (struct part){.kind = kind, .at = at});
}

struct tool *canon_add_tool(struct canon *c, enum tool_kind kind, const char *at)
{
    struct tool *grown = canon_grow(c->arena, c->tools, c->tools_n, &c->tools_max, sizeof(*grown));

    if (!grown)
        return NULL;
    c->tools = grown;
    c->tools[c->tools_n] = (struct tool){.kind = kind, .at = at, .strict = -1};
    return &c->tools[c->tools_n++];
}

const char *canon_field(const struct canon *c, enum canon_field f)
{
    const char *name = c->fields ? c->fields[f] : NULL;

    return name ? name : field_words[f];
}

/* Names may be a client's own: what a list in a header cannot hold is none. */
static bool is_listable(const char *name)
{
    const char *p;

    for (p = name; *p > ' ' && *p <= '~' && *p != ','; p++)
        ;
    return p > name && *p == '\0';
}

void drop(struct drops *d, const char *name)
{
    size_t i;

    if (!is_listable(name))
        return;
    for (i = 0; i < d->n; i++)
        if (strcmp(d->names[i], name) == 0)
            return;
    if (d->n < DROPS_MAX)
        d->names[d->n++] = name;
}

void canon_drop(const struct canon *c, struct drops *d, enum canon_field f)
{
    drop(d, canon_field(c, f));
}

bool data_url_split(struct slice url, struct slice *mime, struct slice *base64)
{
    static const char mark[] = ";base64";
    const char *comma = memchr(url.p, ',', url.n);
    size_t head, mark_n = sizeof(mark) - 1;

    if (!slice_starts_ci(url, "data:") || !comma)
        return false;
    head = (size_t)(comma - url.p);
    if (head < strlen("data:") + mark_n ||
        !slice_eq_ci((struct slice){comma - mark_n, mark_n}, mark))
        return false;
    *mime = (struct slice){url.p + strlen("data:"), head - strlen("data:") - mark_n};
    *base64 = (struct slice){comma + 1, url.n - head - 1};
    return true;
}

bool canon_id_is_legal(struct slice id)
{
    size_t i;

    if (id.n == 0 || id.n > CALL_ID_MAX)
        return false;
    for (i = 0; i < id.n; i++) {
        char c = id.p[i];

        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
              c == '_' || c == '-'))
            return false;
    }
    return true;
}

enum effort effort_parse(struct slice word)
{
    size_t e;

    for (e = EFFORT_NONE; e < sizeof(effort_words) / sizeof(effort_words[0]); e++)
        if (slice_eq_z(word, effort_words[e]))
            return (enum effort)e;
    return EFFORT_UNSET;
}

const char *effort_word(enum effort e)
{
    return effort_words[e];
}

enum service_tier tier_parse(struct slice word)
{
    if (slice_eq_z(word, "auto"))
        return TIER_AUTO;
    if (slice_eq_z(word, "default") || slice_eq_z(word, "standard"))
        return TIER_DEFAULT;
    if (slice_eq_z(word, "flex"))
        return TIER_FLEX;
    return slice_eq_z(word, "priority") ? TIER_PRIORITY : TIER_UNSET;
}

enum err canon_fault(struct arena *a, struct fault *fault, const char *path, const char *fmt, ...)
{
    char text[FAULT_TEXT_MAX];
    const char *whole;
    va_list args;

    va_start(args, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    whole = path ? arena_printf(a, "%s: %s", path, text) : arena_copy(a, slice_of(text));
    if (!whole)
        return ERR_MEMORY;
    *fault = (struct fault){path, whole};
    return ERR_BAD_REQUEST;
}

enum err turn_join_thoughts(struct arena *a, struct turn *t)
{
    size_t i, k, n = 0;

    for (i = 0; i < t->parts_n; i = k) {
        struct part *last;
        size_t bytes = 0, at = 0, first = i;
        char *text;

        for (k = i; k < t->parts_n && t->parts[k].kind == PART_THINKING; k++) {
            bytes += t->parts[k].text.n;
            if (t->parts[k].seal_text.n) {
                k++;
                break;
            }
        }
        k += k == i; /* no thinking */
        last = &t->parts[k - 1];
        if (k - i > 1) {
            text = arena_alloc(a, bytes + 1);
            if (!text)
                return ERR_MEMORY;
            for (; first < k; first++) {
                if (t->parts[first].text.n)
                    memcpy(text + at, t->parts[first].text.p, t->parts[first].text.n);
                at += t->parts[first].text.n;
            }
            last->text = (struct slice){text, bytes};
        }
        t->parts[n++] = *last;
    }
    t->parts_n = n;
    return ERR_OK;
}
