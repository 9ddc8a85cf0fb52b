/* capability_list - what the providers' models accept: the rows of model_capabilities and which of them
 * counts for a model.
 *
 * Part of a snapshot of the catalog: read once, in its arena, then immutable; any thread. */
#ifndef AIPASS_DB_CAPABILITY_LIST_H
#define AIPASS_DB_CAPABILITY_LIST_H

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"
#include "db/db.h"

#include <stdbool.h>
#include <stdint.h>

#define CAPABILITY_PATTERN_SIZE 129
#define CAPABILITY_SET_SIZE     64 /* a set in words, NUL included */

/* Order and names of model_capabilities.thinking. */
enum capability_thinking {
    CAPABILITY_THINKING_NONE,
    CAPABILITY_THINKING_EFFORT,
    CAPABILITY_THINKING_ADAPTIVE,
    CAPABILITY_THINKING_BUDGET,
    CAPABILITY_THINKING_LEVEL
};

/* Bits of sets, in the order of their columns. */
enum capability_effort {
    CAPABILITY_EFFORT_NONE = 1,
    CAPABILITY_EFFORT_MINIMAL = 2,
    CAPABILITY_EFFORT_LOW = 4,
    CAPABILITY_EFFORT_MEDIUM = 8,
    CAPABILITY_EFFORT_HIGH = 16,
    CAPABILITY_EFFORT_XHIGH = 32,
    CAPABILITY_EFFORT_MAX = 64
};
enum capability_modality {
    CAPABILITY_TEXT = 1,
    CAPABILITY_IMAGE = 2,
    CAPABILITY_AUDIO = 4,
    CAPABILITY_FILE = 8,  /* input only */
    CAPABILITY_VIDEO = 16 /* input only */
};

struct catalog_capability {
    const char *pattern;       /* of its row; "" for capability_list_default */
    int64_t context_tokens;    /* most input; 0: not known */
    int64_t output_tokens_max; /* 0: not known */
    enum capability_thinking thinking;
    unsigned efforts;            /* enum capability_effort: those it takes by name */
    int64_t thinking_budget_min; /* 0: none */
    int64_t thinking_budget_max; /* 0: below the output limit */
    bool thinking_always;        /* cannot be switched off */
    bool between_tools;          /* Anthropic: switched off so instead of by disabled */
    bool sampling;               /* temperature, top_p, top_k are accepted */
    bool tools;
    bool forced_tools;
    bool custom_tools; /* OpenAI's, with free text as input */
    bool prefill;
    bool structured_output;
    bool system_turns;           /* Anthropic: role system inside messages */
    bool reasoning_content;      /* Chat: wants the assistant's back */
    const char *max_tokens_name; /* Chat: "max_tokens" or "max_completion_tokens" */
    const char *schema_keyword;  /* Gemini: "parametersJsonSchema" or "parameters" */
    unsigned input_modalities;   /* enum capability_modality */
    unsigned output_modalities;
};

/* What an unknown modern model is taken for: the defaults of the table. */
extern const struct catalog_capability capability_list_default;

struct capability_list {
    const struct catalog_capability *rows; /* names without wildcards by name, then patterns */
    size_t names_n;
    size_t n; /* names and patterns; these the longest first */
};

/* capability_read - all rows, into the arena. Errors of db_run; ERR_MEMORY. Blocks. */
ERR_CHECK enum err capability_read(struct db_conn *c, struct arena *arena,
                                   struct capability_list *out);

/* capability_find - for a model by the provider's name of it, else by its public name. Never NULL:
 * capability_list_default when no row matches. Pure. */
const struct catalog_capability *capability_find(const struct capability_list *list,
                                                 const char *upstream_name,
                                                 const char *public_name);

/* capability_like - SQL's LIKE, compared byte by byte: % for any text, _ for any one byte, a
 * backslash before one that is meant as such. */
bool capability_like(const char *pattern, const char *text);

/* The words of a value; dst: CAPABILITY_SET_SIZE. Return dst. */
const char *capability_thinking_name(enum capability_thinking thinking);
char *capability_print_efforts(char *dst, unsigned efforts);
char *capability_print_modalities(char *dst, unsigned modalities);

#endif
