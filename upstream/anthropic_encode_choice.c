#include "upstream/anthropic_encode.h"

#include "upstream/thinking.h"

#define BUDGET_MIN       1024 /* tokens; the provider's own */
#define BUDGET_UNSAID    8192 /* it should think, nobody said how much */
#define ANSWER_TOOL      "answer"
#define MUST_CALL        "You must call a tool."
#define MUST_CALL_PRINTF "You must call the tool %.*s."
#define MUST_ANSWER      "You must call the tool %.*s to answer."
#define PREFILL_TEXT     "assistant prefill is not supported by this model"

/* ---- structured output by a tool ---- */

static bool is_forced(const struct canon *c)
{
    return c->choice == CHOICE_ANY || c->choice == CHOICE_ONE ||
           (c->choice == CHOICE_SUBSET && c->choice_is_any);
}

static bool is_tool_name(const struct canon *c, struct slice name)
{
    size_t i;

    for (i = 0; i < c->tools_n; i++)
        if (slice_eq(c->tools[i].name, name))
            return true;
    return false;
}

/* For models without structured output: a tool whose arguments are the answer. */
static enum err choose_answer_tool(struct anthropic_encode *r)
{
    struct canon *c = r->c;
    struct slice name = c->format.name.n ? c->format.name : SLICE(ANSWER_TOOL);

    if (c->format.kind != OUTPUT_SCHEMA || r->cap->has_schema)
        return ERR_OK;
    if (!r->cap->has_tools)
        return plan_fault(r->p, canon_field(c, FIELD_FORMAT), "not supported by this model");
    if (is_forced(c))
        return ERR_OK; /* this turn makes a call and no answer */
    while (is_tool_name(c, name)) {
        name = slice_of(arena_printf(c->arena, ANSWER_TOOL "_%.*s", SLICE_FMT(name)));
        if (!name.p)
            return ERR_MEMORY;
    }
    r->p->answer_tool = tool_names_safe(&r->p->names, name);
    if (r->p->answer_tool.n == 0)
        return ERR_MEMORY;
    if (r->sent_n == 0 || c->choice == CHOICE_NONE) {
        r->choice = CHOICE_ONE;
        r->choice_name = r->p->answer_tool;
        r->is_serial = true;
    } else {
        r->choice = CHOICE_ANY;
    }
    return ERR_OK;
}

/* ---- the choice of tools ---- */

static bool is_sent_name(const struct anthropic_encode *r, struct slice name)
{
    size_t i;

    for (i = 0; i < r->c->tools_n; i++)
        if (r->is_sent[i] && slice_eq(r->c->tools[i].name, name))
            return true;
    return false;
}

static enum err choose_choice(struct anthropic_encode *r)
{
    struct canon *c = r->c;
    const char *field = canon_field(c, FIELD_TOOL_CHOICE);

    r->is_serial = c->parallel == 0;
    r->choice = c->choice;
    if (c->choice == CHOICE_SUBSET)
        r->choice = c->choice_is_any ? CHOICE_ANY : CHOICE_AUTO;
    if (is_forced(c) && r->sent_n == 0)
        return plan_fault(r->p, field, "there is no tool to call");
    if (c->choice == CHOICE_ONE) {
        if (!is_sent_name(r, c->choice_name))
            return plan_fault(r->p, field, "the tool %.*s is not among the tools",
                              SLICE_FMT(c->choice_name));
        r->choice_name = tool_names_safe(&r->p->names, c->choice_name);
        if (r->choice_name.n == 0)
            return ERR_MEMORY;
    }
    return choose_answer_tool(r);
}

/* ---- thinking ---- */

/* In an open loop of tools the assistant's last turn has to begin with its thinking. */
static bool lacks_thinking(const struct canon *c)
{
    const struct turn *last = &c->turns[c->turns_n - 1], *t;
    size_t i = c->turns_n;

    if (last->role != CANON_USER || last->parts[0].kind != PART_RESULT)
        return false;
    while (i > 0 && c->turns[i - 1].role != CANON_ASSISTANT)
        i--;
    if (i == 0)
        return false;
    t = &c->turns[i - 1];
    return t->parts[0].kind != PART_THINKING || t->parts[0].seal.vendor != VENDOR_ANTHROPIC;
}

static bool is_wanted(const struct think *t)
{
    return t->mode == THINK_ON || t->budget > 0 ||
           (t->effort != EFFORT_UNSET && t->effort != EFFORT_NONE);
}

/* The budget has to leave room for the answer. */
static void choose_budget(struct anthropic_encode *r)
{
    const struct think *t = &r->c->think;
    int64_t budget = thinking_budget(t, r->cap), max = r->max_out - 1;

    if (budget < 0 && t->mode == THINK_ON)
        budget = BUDGET_UNSAID;
    if (budget < 0)
        return;
    if (r->is_own_max)
        max = r->max_out / 4 * 3;
    else if (t->effort == EFFORT_MAX && r->max_out >= 2 * BUDGET_MIN)
        max = r->max_out - BUDGET_MIN;
    r->budget = budget < max ? budget : max;
    if (budget > 0 && r->budget >= BUDGET_MIN && !lacks_thinking(r->c)) {
        r->thinking = THINKING_BUDGET;
        return;
    }
    if (budget > 0)
        canon_drop(r->c, &r->p->drops, FIELD_THINK);
    r->thinking = THINKING_DISABLED;
}

static void choose_adaptive(struct anthropic_encode *r)
{
    const struct think *t = &r->c->think;

    if (thinking_is_off(t, r->cap)) {
        r->thinking = THINKING_DISABLED;
        return;
    }
    r->effort = thinking_effort(t, r->cap);
    if (r->effort == EFFORT_NONE || r->effort == EFFORT_MINIMAL)
        r->effort = EFFORT_LOW; /* the least that has a word */
    if (is_wanted(t) || r->cap->thinks_always)
        r->thinking = THINKING_ADAPTIVE;
}

static void choose_thinking(struct anthropic_encode *r)
{
    if (r->cap->think == THINK_STYLE_BUDGET)
        choose_budget(r);
    else if (r->cap->think != THINK_STYLE_NONE)
        choose_adaptive(r);
    else if (is_wanted(&r->c->think))
        canon_drop(r->c, &r->p->drops, FIELD_THINK);
}

/* Some requests and thinking exclude each other: then the model does not think. */
static void stop_thinking(struct anthropic_encode *r)
{
    if (r->thinking == THINKING_BUDGET || r->thinking == THINKING_ADAPTIVE) {
        if (is_wanted(&r->c->think))
            canon_drop(r->c, &r->p->drops, FIELD_THINK);
        r->thinking = THINKING_DISABLED;
    }
    if (r->cap->think == THINK_STYLE_ADAPTIVE) /* some think unless they are told not to */
        r->thinking = THINKING_DISABLED;
    r->effort = EFFORT_UNSET;
}

/* Where a call cannot be forced it is asked for, by a last line: an edit of the system prompt would
 * break the prefix that caches and thinking are bound to. */
static enum err ask_for_call(struct anthropic_encode *r)
{
    const char *line = MUST_CALL;

    if (r->choice == CHOICE_ONE)
        line = r->p->answer_tool.p
                   ? arena_printf(r->c->arena, MUST_ANSWER, SLICE_FMT(r->choice_name))
                   : arena_printf(r->c->arena, MUST_CALL_PRINTF, SLICE_FMT(r->choice_name));
    else if (r->p->answer_tool.p)
        line = arena_printf(r->c->arena,
                            "Call a tool, or " ANSWER_TOOL " by calling the tool %.*s.",
                            SLICE_FMT(r->p->answer_tool));
    if (!line)
        return ERR_MEMORY;
    r->must_call = slice_of(line);
    r->choice = CHOICE_AUTO;
    return ERR_OK;
}

enum err anthropic_choose(struct anthropic_encode *r)
{
    const struct turn *last = &r->c->turns[r->c->turns_n - 1];
    bool is_prefill = last->role == CANON_ASSISTANT;
    enum err e;

    if (is_prefill && !r->cap->has_prefill)
        return plan_fault(r->p, last->at, PREFILL_TEXT);
    e = choose_choice(r);
    if (e)
        return e;
    choose_thinking(r);
    if (is_prefill && !r->cap->thinks_always)
        stop_thinking(r);
    if (r->choice != CHOICE_ANY && r->choice != CHOICE_ONE)
        return ERR_OK;
    if (!r->cap->has_forced_tools || r->cap->thinks_always)
        return ask_for_call(r);
    stop_thinking(r);
    return ERR_OK;
}
