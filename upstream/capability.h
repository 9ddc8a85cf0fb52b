/* capability - what one provider's model accepts, as plain data that request encoders consult.
 *
 * Filled by the caller from the model table; capability_default suits an unknown modern model.
 * Pure data; any thread. */
#ifndef AIPASS_UPSTREAM_CAPABILITY_H
#define AIPASS_UPSTREAM_CAPABILITY_H

#include "upstream/canon.h"

#include <stdbool.h>
#include <stdint.h>

/* How thinking is asked for. */
enum think_style {
    THINK_STYLE_NONE,     /* the model cannot think: drop the wish */
    THINK_STYLE_EFFORT,   /* a word: OpenAI formats */
    THINK_STYLE_ADAPTIVE, /* Anthropic: thinking adaptive, effort in output_config */
    THINK_STYLE_BUDGET,   /* Anthropic up to 4.6 and Gemini 2.5: a number of tokens */
    THINK_STYLE_LEVEL     /* Gemini 3 and later: thinkingLevel */
};

/* Sets of modalities. */
#define MODALITY_TEXT  (1u << 0)
#define MODALITY_IMAGE (1u << 1)
#define MODALITY_AUDIO (1u << 2)
#define MODALITY_FILE  (1u << 3)
#define MODALITY_VIDEO (1u << 4)

struct capability {
    int64_t output_max; /* tokens; -1: not known */
    enum think_style think;
    unsigned efforts; /* bit (1 << enum effort) for each word that it accepts; 0: all */
    int64_t budget_min, budget_max; /* THINK_STYLE_BUDGET */
    bool thinks_always;             /* thinking cannot be switched off */
    bool thinks_between_tools;      /* Anthropic: switched off by between_tools, not by disabled */
    bool has_sampling;              /* temperature, top_p, top_k */
    bool has_tools;
    bool has_forced_tools;          /* tool_choice any and one */
    bool has_custom_tools;          /* free-form tools in OpenAI formats */
    bool has_prefill;               /* a trailing assistant turn is continued */
    bool has_schema;                /* structured output by a JSON schema */
    bool has_system_turns;          /* system turns in the middle */
    bool wants_reasoning;           /* OpenAI Chat: the assistant's reasoning_content goes back */
    bool has_max_completion_tokens; /* OpenAI Chat: that member, not max_tokens */
    bool has_json_schema_tools;     /* Gemini: parametersJsonSchema; else cleaned `parameters` */
    unsigned input, output;         /* MODALITY_* */
};

extern const struct capability capability_default;

#endif
