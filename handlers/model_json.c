#include "handlers/model_json.h"

#include "base/amount.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#define DATE_SIZE sizeof("2026-11-22T00:00:00Z")
#define NAME_SIZE 192

/* Without the zeros at the end. */
static void key_amount(struct jwrite *w, const char *name, int64_t nusd)
{
    char text[MONEY_TEXT_SIZE];
    if (nusd < 0)
        return;
    size_t n = strlen(amount_print(text, nusd));
    while (text[n - 1] == '0')
        n--;
    n -= text[n - 1] == '.';
    jwrite_key_string(w, name, (struct slice){text, n});
}

static void write_pricing(struct jwrite *w, const struct catalog_model *m, const struct key *key)
{
    static const struct {
        enum price_unit unit;
        const char *name;
    } members[] = {
        {PRICE_INPUT,          "input"         },
        {PRICE_CACHED_INPUT,   "cached_input"  },
        {PRICE_CACHE_WRITE,    "cache_write"   },
        {PRICE_CACHE_WRITE_1H, "cache_write_1h"},
        {PRICE_OUTPUT,         "output"        },
        {PRICE_REASONING,      "reasoning"     },
        {PRICE_REQUEST,        "request"       },
        {PRICE_MINIMUM,        "minimum"       },
    };
    struct price_choice choice = price_choose(&m->prices, key->group_id, key->account_id);
    struct price price;
    int64_t multiplier_ppm = key->group_multiplier_ppm * key->account_multiplier_ppm /
                             MONEY_PPM_PER_ONE;
    price_pick(&choice, SERVICE_ORDINARY, 0, &price);
    jwrite_key_object(w, "pricing");
    jwrite_key_z(w, "currency", "USD");
    for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++)
        key_amount(w, members[i].name, price.amount_nusd[members[i].unit]);
    key_amount(w, "multiplier", multiplier_ppm * (MONEY_NUSD_PER_USD / MONEY_PPM_PER_ONE));
    jwrite_object_end(w);
}

/* Of the channel that is tried first. */
static const struct catalog_capability *capability(const struct catalog_model *m)
{
    return m->routes_n > 0 ? m->routes[0].capability : &capability_list_default;
}

static void write_words(struct jwrite *w, const char *name, char *words)
{
    jwrite_key_array(w, name);
    struct slice rest = slice_of(words);
    while (rest.p != NULL && rest.n > 0)
        jwrite_string(w, slice_split(&rest, ','));
    jwrite_array_end(w);
}

static void write_capabilities(struct jwrite *w, const struct catalog_model *m)
{
    const struct catalog_capability *c = capability(m);
    char words[CAPABILITY_SET_SIZE];
    jwrite_key_object(w, "capabilities");
    write_words(w, "input_modalities", capability_print_modalities(words, c->input_modalities));
    write_words(w, "output_modalities", capability_print_modalities(words, c->output_modalities));
    jwrite_key_bool(w, "tools", c->tools);
    jwrite_key_bool(w, "structured_output", c->structured_output);
    jwrite_key_z(w, "thinking", capability_thinking_name(c->thinking));
    jwrite_object_end(w);
}

static void write_sizes(struct jwrite *w, const struct catalog_model *m)
{
    jwrite_key_i64(w, "context_length", m->context_tokens);
    jwrite_key_i64(w, "max_output_tokens", m->output_tokens_max);
}

void model_json_openai(struct jwrite *w, const struct catalog_model *m, const struct key *key)
{
    jwrite_object(w);
    jwrite_key_z(w, "id", m->name);
    jwrite_key_z(w, "object", "model");
    jwrite_key_i64(w, "created", m->created_s);
    jwrite_key_z(w, "owned_by", m->owned_by);
    jwrite_key_z(w, "display_name", m->display_name);
    jwrite_key_z(w, "kind", m->kind);
    write_sizes(w, m);
    write_pricing(w, m, key);
    write_capabilities(w, m);
    jwrite_object_end(w);
}

void model_json_anthropic(struct jwrite *w, const struct catalog_model *m, const struct key *key)
{
    char date[DATE_SIZE] = "1970-01-01T00:00:00Z";
    time_t created = (time_t)m->created_s;
    struct tm tm;
    if (gmtime_r(&created, &tm) != NULL)
        (void)strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%SZ", &tm);
    jwrite_object(w);
    jwrite_key_z(w, "id", m->name);
    jwrite_key_z(w, "type", "model");
    jwrite_key_z(w, "display_name", m->display_name);
    jwrite_key_z(w, "created_at", date);
    jwrite_key_i64(w, "max_input_tokens", m->context_tokens);
    jwrite_key_i64(w, "max_tokens", m->output_tokens_max);
    write_capabilities(w, m);
    write_pricing(w, m, key);
    jwrite_object_end(w);
}

void model_json_gemini(struct jwrite *w, const struct catalog_model *m, const struct key *key)
{
    char name[NAME_SIZE];
    snprintf(name, sizeof(name), "models/%s", m->name);
    bool is_embedding = strcmp(m->kind, "embedding") == 0;
    jwrite_object(w);
    jwrite_key_z(w, "name", name);
    jwrite_key_z(w, "baseModelId", m->name);
    jwrite_key_z(w, "version", "1");
    jwrite_key_z(w, "displayName", m->display_name);
    jwrite_key_i64(w, "inputTokenLimit", m->context_tokens);
    jwrite_key_i64(w, "outputTokenLimit", m->output_tokens_max);
    jwrite_key_array(w, "supportedGenerationMethods");
    jwrite_string(w, is_embedding ? SLICE("embedContent") : SLICE("generateContent"));
    if (!is_embedding)
        jwrite_string(w, SLICE("streamGenerateContent"));
    jwrite_string(w, SLICE("countTokens"));
    jwrite_array_end(w);
    jwrite_key_bool(w, "thinking", capability(m)->thinking != CAPABILITY_THINKING_NONE);
    write_pricing(w, m, key);
    jwrite_object_end(w);
}
