/* thinking - effort words against budgets of tokens, as one table for all formats. Pure; any
 * thread. */
#ifndef AIPASS_UPSTREAM_THINKING_H
#define AIPASS_UPSTREAM_THINKING_H

#include "upstream/canon.h"
#include "upstream/capability.h"

/* thinking_effort - the effort that was asked for, by word or by budget (0: none; up to 2048 low,
 * 16384 medium, 28672 high, more xhigh), clipped to what the model accepts: the nearest lower word,
 * else the nearest higher. EFFORT_UNSET when nothing was said, or only that it should think. */
enum effort thinking_effort(const struct think *t, const struct capability *c);

/* thinking_budget - tokens for a model that takes a budget: the client's own, or its word's
 * (minimal 512 or 1024 by vendor's minimum, low 1024, medium 8192, high 24576, xhigh 32768, max:
 * the model's), within the model's bounds. 0: thinking off. -1: nothing was said. */
int64_t thinking_budget(const struct think *t, const struct capability *c);

/* thinking_is_off - the client wants none, and the model can do without. */
bool thinking_is_off(const struct think *t, const struct capability *c);

#endif
