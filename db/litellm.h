/* litellm - reads LiteLLM's public table of models (model_prices_and_context_window.json): prices and
 * what the models accept, as far as this gateway knows such prices and abilities.
 *
 * One object, a member for each model. Prices are USD per token; the numbers are taken as they are
 * written and must be amounts exactly. Plain data in the reader's arena; pure, any thread.
 * Source: github.com/BerriAI/litellm (MIT). */
#ifndef AIPASS_DB_LITELLM_H
#define AIPASS_DB_LITELLM_H

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"
#include "db/price_list.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LITELLM_PRICES_MAX     96 /* of one model; more are ERR_FULL */
#define LITELLM_QUALIFIER_SIZE 33

/* What a supports_* member says. */
enum litellm_answer { LITELLM_NOT_SAID, LITELLM_YES, LITELLM_NO };

/* The supports_* members that count here. Efforts in the order of enum capability_effort. */
enum litellm_flag {
    LITELLM_EFFORT_NONE,
    LITELLM_EFFORT_MINIMAL,
    LITELLM_EFFORT_LOW,
    LITELLM_EFFORT_MEDIUM,
    LITELLM_EFFORT_HIGH,
    LITELLM_EFFORT_XHIGH,
    LITELLM_EFFORT_MAX,
    LITELLM_REASONING,
    LITELLM_ADAPTIVE,
    LITELLM_SAMPLING,
    LITELLM_PREFILL,
    LITELLM_SCHEMA,
    LITELLM_TOOLS,
    LITELLM_FORCED,
    LITELLM_IMAGE_IN,
    LITELLM_AUDIO_IN,
    LITELLM_FILE_IN,
    LITELLM_VIDEO_IN,
    LITELLM_AUDIO_OUT,
    LITELLM_FLAGS
};

struct litellm_price {
    enum price_unit unit;
    char qualifier[LITELLM_QUALIFIER_SIZE]; /* as in prices.qualifier */
    int64_t amount_nusd;
};

struct litellm_model {
    const char *key;  /* as in the file: "gemini/gemini-2.5-pro" */
    const char *name; /* without the provider before it */
    const char *provider;
    const char *kind;                          /* as in models.kind */
    int64_t context_tokens, output_tokens_max; /* 0: not said */
    struct litellm_price *prices;
    size_t prices_n;
    enum litellm_answer flags[LITELLM_FLAGS];
};

struct litellm_table {
    struct litellm_model *models; /* by name */
    size_t models_n;
    size_t unpriced_n; /* were left out: no price that can be charged here */
    size_t unfit_n;    /* were left out: neither chat nor embedding */
    size_t refused_n;  /* were left out: tell said why */
};

struct litellm_options {
    const char *only; /* patterns of keys with *, by comma; NULL: all */
    /* What is wrong with one model, which is left out as a whole. path: "gpt-5.input_cost_per_token". */
    void (*tell)(void *arg, const char *path, const char *text);
    void *arg;
};

/* litellm_read - ERR_FORMAT: not JSON, or no object; *at: where. ERR_MEMORY. */
ERR_CHECK enum err litellm_read(struct slice text, struct arena *arena,
                                const struct litellm_options *options, struct litellm_table *out,
                                size_t *at);

#endif
