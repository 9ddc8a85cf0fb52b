#include "handlers/model_capability.h"

#include <string.h>

/* The two layers number their words alike; db counts efforts from none, upstream from unset. */
_Static_assert(CAPABILITY_EFFORT_NONE << 1 == 1 << EFFORT_NONE, "efforts are alike");
_Static_assert(CAPABILITY_EFFORT_MAX << 1 == 1 << EFFORT_MAX, "efforts are alike");
_Static_assert(CAPABILITY_TEXT == MODALITY_TEXT && CAPABILITY_IMAGE == MODALITY_IMAGE &&
                   CAPABILITY_AUDIO == MODALITY_AUDIO && CAPABILITY_FILE == MODALITY_FILE &&
                   CAPABILITY_VIDEO == MODALITY_VIDEO,
               "modalities are alike");

const struct capability *capability_of(struct arena *a, const struct catalog_capability *row)
{
    static const enum think_style styles[] = {
        [CAPABILITY_THINKING_NONE] = THINK_STYLE_NONE,
        [CAPABILITY_THINKING_EFFORT] = THINK_STYLE_EFFORT,
        [CAPABILITY_THINKING_ADAPTIVE] = THINK_STYLE_ADAPTIVE,
        [CAPABILITY_THINKING_BUDGET] = THINK_STYLE_BUDGET,
        [CAPABILITY_THINKING_LEVEL] = THINK_STYLE_LEVEL,
    };
    struct capability *c = arena_alloc(a, sizeof(*c));
    if (c == NULL)
        return NULL;
    *c = (struct capability){
        .output_max = row->output_tokens_max > 0 ? row->output_tokens_max : -1,
        .think = styles[row->thinking],
        .efforts = row->efforts << 1,
        .budget_min = row->thinking_budget_min,
        .budget_max = row->thinking_budget_max,
        .thinks_always = row->thinking_always,
        .thinks_between_tools = row->between_tools,
        .has_sampling = row->sampling,
        .has_tools = row->tools,
        .has_forced_tools = row->forced_tools,
        .has_custom_tools = row->custom_tools,
        .has_prefill = row->prefill,
        .has_schema = row->structured_output,
        .has_system_turns = row->system_turns,
        .wants_reasoning = row->reasoning_content,
        .has_max_completion_tokens = strcmp(row->max_tokens_name, "max_completion_tokens") == 0,
        .has_json_schema_tools = strcmp(row->schema_keyword, "parametersJsonSchema") == 0,
        .input = row->input_modalities,
        .output = row->output_modalities,
    };
    return c;
}
