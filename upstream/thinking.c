#include "upstream/thinking.h"

#define BUDGET_LOW_MAX    2048
#define BUDGET_MEDIUM_MAX 16384
#define BUDGET_HIGH_MAX   28672

static enum effort effort_of_budget(int64_t budget)
{
    if (budget < 0)
        return EFFORT_UNSET;
    if (budget == 0)
        return EFFORT_NONE;
    if (budget <= BUDGET_LOW_MAX)
        return EFFORT_LOW;
    if (budget <= BUDGET_MEDIUM_MAX)
        return EFFORT_MEDIUM;
    return budget <= BUDGET_HIGH_MAX ? EFFORT_HIGH : EFFORT_XHIGH;
}

static bool accepts(const struct capability *c, int e)
{
    return c->efforts == 0 || (c->efforts & (1U << e)) != 0;
}

/* The nearest word below, else the nearest above. */
static enum effort clip(enum effort wanted, const struct capability *c)
{
    int e;

    for (e = (int)wanted; e >= EFFORT_NONE; e--)
        if (accepts(c, e) && !(e == EFFORT_NONE && (c->thinks_always || wanted != EFFORT_NONE)))
            return (enum effort)e;
    for (e = (int)wanted + 1; e <= EFFORT_MAX; e++)
        if (accepts(c, e))
            return (enum effort)e;
    return EFFORT_UNSET;
}

enum effort thinking_effort(const struct think *t, const struct capability *c)
{
    enum effort wanted = t->effort;

    if (t->mode == THINK_OFF)
        wanted = EFFORT_NONE;
    else if (wanted == EFFORT_UNSET)
        wanted = effort_of_budget(t->budget);
    return wanted == EFFORT_UNSET ? EFFORT_UNSET : clip(wanted, c);
}

bool thinking_is_off(const struct think *t, const struct capability *c)
{
    if (c->thinks_always)
        return false;
    return t->mode == THINK_OFF || t->effort == EFFORT_NONE ||
           (t->effort == EFFORT_UNSET && t->budget == 0);
}

int64_t thinking_budget(const struct think *t, const struct capability *c)
{
    static const int64_t budgets[] = {
        [EFFORT_MINIMAL] = 512, [EFFORT_LOW] = 1024,    [EFFORT_MEDIUM] = 8192,
        [EFFORT_HIGH] = 24576,  [EFFORT_XHIGH] = 32768, [EFFORT_MAX] = INT64_MAX,
    };
    int64_t budget = t->budget;

    if (thinking_is_off(t, c))
        return 0;
    if (t->mode == THINK_OFF || t->effort == EFFORT_NONE)
        return c->budget_min;
    if (budget < 0 && t->effort != EFFORT_UNSET)
        budget = budgets[t->effort];
    if (budget < 0)
        return -1;
    if (budget < c->budget_min)
        budget = c->budget_min;
    return c->budget_max > 0 && budget > c->budget_max ? c->budget_max : budget;
}
