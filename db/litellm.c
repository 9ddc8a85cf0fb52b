#include "db/litellm.h"

#include "base/amount.h"
#include "base/jscan.h"
#include "db/alias.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(a)    (sizeof(a) / sizeof((a)[0]))
#define NAME_MAX_N  128 /* models.name */
#define PATH_SIZE   512
#define FIRST_N_MAX 64 /* models that room is made for at first */

/* Beginnings of members that are prices; what follows is the tier. The longer of two first. */
static const struct {
    const char *name;
    enum price_unit unit;
    int shift; /* of the amount: per million */
} price_members[] = {
    {"cache_creation_input_token_cost_above_1hr", PRICE_CACHE_WRITE_1H, 6},
    {"cache_creation_input_token_cost",           PRICE_CACHE_WRITE,    6},
    {"cache_read_input_token_cost",               PRICE_CACHED_INPUT,   6},
    {"output_cost_per_reasoning_token",           PRICE_REASONING,      6},
    {"output_cost_per_token",                     PRICE_OUTPUT,         6},
    {"input_cost_per_token",                      PRICE_INPUT,          6},
    {"input_cost_per_request",                    PRICE_REQUEST,        0},
};

/* The ends of members that name a service tier, and its word in prices.qualifier. */
static const struct {
    const char *end, *word;
} services[] = {
    {"_flex",     "flex"    },
    {"_priority", "priority"},
    {"_batches",  "batch"   },
};

static const char *const flag_members[LITELLM_FLAGS] = {
    [LITELLM_EFFORT_NONE] = "supports_none_reasoning_effort",
    [LITELLM_EFFORT_MINIMAL] = "supports_minimal_reasoning_effort",
    [LITELLM_EFFORT_LOW] = "supports_low_reasoning_effort",
    [LITELLM_EFFORT_MEDIUM] = "supports_medium_reasoning_effort",
    [LITELLM_EFFORT_HIGH] = "supports_high_reasoning_effort",
    [LITELLM_EFFORT_XHIGH] = "supports_xhigh_reasoning_effort",
    [LITELLM_EFFORT_MAX] = "supports_max_reasoning_effort",
    [LITELLM_REASONING] = "supports_reasoning",
    [LITELLM_ADAPTIVE] = "supports_adaptive_thinking",
    [LITELLM_SAMPLING] = "supports_sampling_params",
    [LITELLM_PREFILL] = "supports_assistant_prefill",
    [LITELLM_SCHEMA] = "supports_response_schema",
    [LITELLM_TOOLS] = "supports_function_calling",
    [LITELLM_FORCED] = "supports_forced_tool_use",
    [LITELLM_IMAGE_IN] = "supports_vision",
    [LITELLM_AUDIO_IN] = "supports_audio_input",
    [LITELLM_FILE_IN] = "supports_pdf_input",
    [LITELLM_VIDEO_IN] = "supports_video_input",
    [LITELLM_AUDIO_OUT] = "supports_audio_output",
};

/* The modes whose requests are charged by tokens alone. */
static const struct {
    const char *mode, *kind;
} modes[] = {
    {"chat",       "chat"     },
    {"completion", "chat"     },
    {"responses",  "chat"     },
    {"embedding",  "embedding"},
};

struct reading {
    struct arena *arena;
    const struct litellm_options *options;
    struct litellm_table *table;
    size_t room; /* for models */
    struct litellm_price prices[LITELLM_PRICES_MAX];
    size_t prices_n;
    size_t tier_n;   /* of tiered_pricing, while it is read, from 1; else 0 */
    bool is_refused; /* the model that is being read */
};

/* ---- helpers ---- */

static void refuse(struct reading *r, const char *key, const char *member, const char *text)
{
    char path[PATH_SIZE];
    (void)snprintf(path, sizeof(path), "%s%s%s", key, member[0] ? "." : "", member);
    r->is_refused = true;
    r->options->tell(r->options->arg, path, text);
}

/* The decoded key in the arena. */
static enum err copy_key(struct reading *r, const struct jmember *m, const char **out)
{
    struct jvalue v = {
        JSCAN_STRING, {m->key.p - 1, m->key.n + 2}
    };
    struct slice text;
    enum err e = jscan_string(v, r->arena, &text);
    if (e)
        return e;
    *out = arena_copy(r->arena, text);
    return *out ? ERR_OK : ERR_MEMORY;
}

/* "" when the member is missing or no string. */
static enum err copy_string(struct reading *r, struct jvalue object, const char *name,
                            const char **out)
{
    struct jvalue v;
    struct slice text = SLICE("");
    if (!jscan_find(object, name, &v) && v.kind == JSCAN_STRING &&
        jscan_string(v, r->arena, &text) == ERR_MEMORY)
        return ERR_MEMORY;
    *out = arena_copy(r->arena, text);
    return *out ? ERR_OK : ERR_MEMORY;
}

static int64_t find_tokens(struct jvalue object, const char *name)
{
    struct jvalue v;
    int64_t n = 0;
    if (jscan_find(object, name, &v) || jscan_i64(v, &n) || n < 0 || n > UINT32_MAX)
        return 0;
    return n;
}

/* ---- prices ---- */

/* The tier that a member's name ends with. false: one that is not known here. */
static bool parse_tier(struct slice rest, char *qualifier)
{
    static const struct slice above = {"_above_", sizeof("_above_") - 1};
    const char *service = "";
    int64_t thousands = 0;
    for (size_t i = 0; i < COUNT(services); i++) {
        size_t n = strlen(services[i].end);
        if (rest.n < n || memcmp(rest.p + rest.n - n, services[i].end, n) != 0)
            continue;
        service = services[i].word;
        rest.n -= n;
        break;
    }
    if (rest.n) {
        static const char end[] = "k_tokens";
        size_t end_n = sizeof(end) - 1;
        if (!slice_starts(rest, above.p) || rest.n < above.n + end_n ||
            memcmp(rest.p + rest.n - end_n, end, end_n) != 0)
            return false;
        struct slice number = {rest.p + above.n, rest.n - above.n - end_n};
        if (slice_to_i64(number, &thousands) || thousands < 1 || thousands > 99999)
            return false;
    }
    (void)snprintf(qualifier, LITELLM_QUALIFIER_SIZE, "%s", service);
    if (thousands)
        (void)snprintf(qualifier, LITELLM_QUALIFIER_SIZE, "%s%sabove_%lld000", service,
                       service[0] ? "_" : "", (long long)thousands);
    return true;
}

/* One price; tier: of the list it stands in, "" when its name says it. */
static enum err take_price(struct reading *r, const char *key, const struct jmember *m,
                           const char *tier)
{
    size_t i = 0;
    while (i < COUNT(price_members) && !slice_starts(m->key, price_members[i].name))
        i++;
    if (i == COUNT(price_members) || m->value.kind == JSCAN_NULL)
        return ERR_OK;
    struct litellm_price p = {.unit = price_members[i].unit};
    struct slice number = m->value.raw, rest = m->key;
    char member[PATH_SIZE / 2];
    size_t n = strlen(price_members[i].name);
    rest.p += n;
    rest.n -= n;
    if (!parse_tier(rest, p.qualifier))
        return ERR_OK;
    if (tier[0] && p.qualifier[0])
        return ERR_OK;
    if (tier[0])
        (void)snprintf(p.qualifier, sizeof(p.qualifier), "%s", tier);
    if (r->tier_n)
        (void)snprintf(member, sizeof(member), "tiered_pricing[%zu].%.*s", r->tier_n - 1,
                       SLICE_FMT(m->key));
    else
        slice_copy_z(member, sizeof(member), m->key);
    if (m->value.kind == JSCAN_STRING && jscan_string(m->value, r->arena, &number) == ERR_MEMORY)
        return ERR_MEMORY;
    enum err e = amount_parse_scaled(number, price_members[i].shift, &p.amount_nusd);
    if (e || p.amount_nusd < 0) {
        refuse(r, key, member,
               e == ERR_FORMAT ? "is no number"
               : e ? "has more digits than an amount, which has nine decimals in USD per "
                     "million tokens"
                   : "is below 0");
        return ERR_OK;
    }
    if (r->prices_n == LITELLM_PRICES_MAX) {
        refuse(r, key, member, "is one price too many");
        return ERR_OK;
    }
    r->prices[r->prices_n++] = p;
    return ERR_OK;
}

static bool has_price(const struct reading *r, enum price_unit unit)
{
    for (size_t i = 0; i < r->prices_n; i++) {
        if (r->prices[i].unit == unit && !r->prices[i].qualifier[0])
            return true;
    }
    return false;
}

/* "range": [from, to]: the tier above from. false: it is none. */
static bool range_tier(struct jvalue range, char *tier)
{
    struct jscan list;
    struct jvalue v;
    int64_t from;
    if (jscan_array(&list, range) || jscan_next_element(&list, &v) || jscan_i64(v, &from) ||
        from < 0 || from > 999999999)
        return false;
    tier[0] = '\0';
    if (from)
        (void)snprintf(tier, LITELLM_QUALIFIER_SIZE, "above_%lld", (long long)from);
    return true;
}

/* tiered_pricing: a list of objects with prices and the range of input that they count for. */
static enum err take_tiers(struct reading *r, const char *key, struct jvalue tiers)
{
    struct jscan list, members;
    struct jvalue one, range;
    struct jmember m;
    enum err e = jscan_array(&list, tiers);
    if (e) {
        refuse(r, key, "tiered_pricing", "is no list");
        return ERR_OK;
    }
    while (!(e = jscan_next_element(&list, &one))) {
        char tier[LITELLM_QUALIFIER_SIZE];
        if (jscan_find(one, "range", &range) || !range_tier(range, tier)) {
            refuse(r, key, "tiered_pricing.range", "does not begin with a number of tokens");
            return ERR_OK;
        }
        r->tier_n++;
        e = jscan_object(&members, one);
        while (!e && !(e = jscan_next_member(&members, &m)))
            e = take_price(r, key, &m, tier);
        if (e != ERR_END)
            return e;
    }
    return e == ERR_END ? ERR_OK : e;
}

static enum err take_prices(struct reading *r, const char *key, struct jvalue object)
{
    struct jscan members;
    struct jmember m;
    struct jvalue tiers;
    r->prices_n = 0;
    enum err e = jscan_object(&members, object);
    while (!e && !(e = jscan_next_member(&members, &m)))
        e = take_price(r, key, &m, "");
    if (e != ERR_END)
        return e;
    if (has_price(r, PRICE_INPUT) || jscan_find(object, "tiered_pricing", &tiers))
        return ERR_OK;
    e = take_tiers(r, key, tiers);
    r->tier_n = 0;
    return e;
}

/* ---- one model ---- */

static void take_flags(struct jvalue object, struct litellm_model *model)
{
    struct jvalue v;
    for (unsigned i = 0; i < LITELLM_FLAGS; i++) {
        model->flags[i] = LITELLM_NOT_SAID;
        if (!jscan_find(object, flag_members[i], &v))
            model->flags[i] = v.kind == JSCAN_TRUE    ? LITELLM_YES
                              : v.kind == JSCAN_FALSE ? LITELLM_NO
                                                      : LITELLM_NOT_SAID;
    }
}

static const char *kind_of(struct jvalue object)
{
    struct jvalue v;
    if (jscan_find(object, "mode", &v) || v.kind != JSCAN_STRING || v.raw.n < 2)
        return NULL;
    struct slice mode = {v.raw.p + 1, v.raw.n - 2};
    for (size_t i = 0; i < COUNT(modes); i++) {
        if (slice_eq_z(mode, modes[i].mode))
            return modes[i].kind;
    }
    return NULL;
}

static bool is_wanted(const struct reading *r, const struct litellm_model *model)
{
    struct slice patterns = slice_of(r->options->only ? r->options->only : "*");
    char pattern[PATH_SIZE];
    while (patterns.n) {
        slice_copy_z(pattern, sizeof(pattern), slice_trim(slice_split(&patterns, ',')));
        if (alias_matches(pattern, slice_of(model->key)))
            return true;
    }
    return false;
}

static bool is_name(const char *name)
{
    size_t n = 0;
    for (; name[n]; n++) {
        if (name[n] <= ' ' || name[n] > '~')
            return false;
    }
    return n && n <= NAME_MAX_N;
}

static const char *name_of(const char *key, const char *provider)
{
    size_t n = strlen(provider);
    return n && !strncmp(key, provider, n) && key[n] == '/' ? key + n + 1 : key;
}

static enum err add_model(struct reading *r, const struct litellm_model *model)
{
    struct litellm_table *t = r->table;
    if (t->models_n == r->room) {
        size_t room = r->room ? 2 * r->room : FIRST_N_MAX;
        struct litellm_model *more = arena_alloc(r->arena, room * sizeof(*more));
        if (!more)
            return ERR_MEMORY;
        if (t->models_n)
            memcpy(more, t->models, t->models_n * sizeof(*more));
        t->models = more;
        r->room = room;
    }
    struct litellm_model *m = &t->models[t->models_n];
    *m = *model;
    m->prices = arena_alloc(r->arena, r->prices_n * sizeof(*m->prices) + 1);
    if (!m->prices)
        return ERR_MEMORY;
    memcpy(m->prices, r->prices, r->prices_n * sizeof(*m->prices));
    m->prices_n = r->prices_n;
    t->models_n++;
    return ERR_OK;
}

/* Embeddings have no output, which may go unsaid. */
static bool is_priced(struct reading *r, const struct litellm_model *model)
{
    if (!strcmp(model->kind, "embedding") && has_price(r, PRICE_INPUT) &&
        !has_price(r, PRICE_OUTPUT) && r->prices_n < LITELLM_PRICES_MAX)
        r->prices[r->prices_n++] = (struct litellm_price){.unit = PRICE_OUTPUT};
    return (has_price(r, PRICE_INPUT) && has_price(r, PRICE_OUTPUT)) || has_price(r, PRICE_REQUEST);
}

static enum err take_model(struct reading *r, const struct jmember *m)
{
    struct litellm_model model = {.key = ""};
    enum err e = copy_key(r, m, &model.key);
    if (!e)
        e = copy_string(r, m->value, "litellm_provider", &model.provider);
    if (e)
        return e;
    model.name = name_of(model.key, model.provider);
    if (!strcmp(model.key, "sample_spec") || !is_wanted(r, &model))
        return ERR_OK;
    model.kind = kind_of(m->value);
    if (!model.kind) {
        r->table->unfit_n++;
        return ERR_OK;
    }
    r->is_refused = false;
    if (!is_name(model.name))
        refuse(r, model.key, "", "is no name of a model: 1 to 128 characters of ASCII");
    e = take_prices(r, model.key, m->value);
    if (e)
        return e;
    if (r->is_refused || !is_priced(r, &model)) {
        r->table->refused_n += r->is_refused;
        r->table->unpriced_n += !r->is_refused;
        return ERR_OK;
    }
    model.context_tokens = find_tokens(m->value, "max_input_tokens");
    model.output_tokens_max = find_tokens(m->value, "max_output_tokens");
    take_flags(m->value, &model);
    return add_model(r, &model);
}

/* ---- the whole ---- */

/* By name; the one that is called so in the file first. */
static int compare_models(const void *x, const void *y)
{
    const struct litellm_model *a = x, *b = y;
    int order = strcmp(a->name, b->name);
    if (order)
        return order;
    order = (a->key != a->name) - (b->key != b->name);
    return order ? order : strcmp(a->key, b->key);
}

/* Several entries of one name: what is called so without a provider counts; else none does. */
static void drop_doubles(struct reading *r)
{
    struct litellm_table *t = r->table;
    size_t kept = 0;
    for (size_t i = 0, next; i < t->models_n; i = next) {
        const struct litellm_model *m = &t->models[i];
        for (next = i + 1; next < t->models_n && !strcmp(m->name, t->models[next].name);)
            next++;
        if (next - i > 1 && m->key != m->name) {
            refuse(r, m->key, "", "is one of several of that name: choose one with --only");
            t->refused_n++;
        } else {
            t->models[kept++] = *m;
        }
    }
    t->models_n = kept;
}

enum err litellm_read(struct slice text, struct arena *arena, const struct litellm_options *options,
                      struct litellm_table *out, size_t *at)
{
    struct litellm_table table = {.models_n = 0};
    struct reading r = {.arena = arena, .options = options, .table = &table};
    struct jscan members;
    struct jmember m;
    enum err e = jscan_begin_object(&members, text);
    while (!e && !(e = jscan_next_member(&members, &m))) {
        if (m.value.kind == JSCAN_OBJECT)
            e = take_model(&r, &m);
    }
    if (e != ERR_END) {
        *at = members.at;
        return e;
    }
    if (table.models_n)
        qsort(table.models, table.models_n, sizeof(*table.models), compare_models);
    drop_doubles(&r);
    *out = table;
    return ERR_OK;
}
