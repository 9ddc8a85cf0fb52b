/* pricing - what a request costs: pure integer arithmetic, products through 128 bits, rounded up
 * once at the end.
 *
 * Source: ARCHITECTURE.md "Money"; usage counters never overlap on the input side. Any thread. */
#ifndef AIPASS_DB_PRICING_H
#define AIPASS_DB_PRICING_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Order and names of prices.unit. */
enum price_unit {
    PRICE_INPUT,
    PRICE_CACHED_INPUT,
    PRICE_CACHE_WRITE,
    PRICE_CACHE_WRITE_1H,
    PRICE_OUTPUT,
    PRICE_REASONING,
    PRICE_REQUEST,
    PRICE_MINIMUM, /* the least that a request costs, in the place of all else */
    PRICE_UNITS
};

struct usage {
    int64_t input; /* fresh input tokens: neither read from nor written to a cache */
    int64_t cached_input;
    int64_t cache_write;
    int64_t cache_write_1h;
    int64_t output;    /* all output tokens, reasoning included */
    int64_t reasoning; /* the part of output that is reasoning */
    bool is_known;     /* the provider told it */
    bool is_estimated; /* counted by us */
};

/* The prices that one request is charged: nano-USD per million tokens, PRICE_REQUEST and
 * PRICE_MINIMUM: per request. -1: no row. */
struct price {
    int64_t amount_nusd[PRICE_UNITS];
    int64_t id[PRICE_UNITS]; /* prices.id of each amount; 0: not known */
};

#define PRICE_LINES_MAX 1408 /* bytes of the JSON that pricing_lines writes, NUL included */

/* price_unit_name, price_unit_parse - the words of prices.unit. parse: ERR_FORMAT. */
const char *price_unit_name(enum price_unit u);
ERR_CHECK enum err price_unit_parse(const char *name, enum price_unit *out);

/* price_clear - no row for any unit. */
void price_clear(struct price *p);

/* price_is_complete - what is needed to serve: input and output, or a price per request. Missing
 * cached, write and reasoning prices fall back to input, input and output. */
bool price_is_complete(const struct price *p);

/* pricing_cost - price one request's usage: the sum of its units or, when that is less, the
 * minimum; times both multipliers. usage: counts >= 0, reasoning <= output. multipliers:
 * millionths, >= 0. cost_nusd: out, rounded up once; set only on ERR_OK. ERR_RANGE above
 * DECIMAL(18,9). */
ERR_CHECK enum err pricing_cost(const struct price *p, const struct usage *usage, int64_t group_ppm,
                                int64_t account_ppm, int64_t *cost_nusd);

/* pricing_worst - the most that input_max tokens of input and output_max tokens of output can
 * cost: each at its dearest unit. ERR_RANGE. */
ERR_CHECK enum err pricing_worst(const struct price *p, int64_t input_max, int64_t output_max,
                                 int64_t group_ppm, int64_t account_ppm, int64_t *hold_nusd);

/* pricing_affordable_output - the most output tokens whose pricing_worst with input_max stays
 * within funds_nusd; -1 when not even the input does; INT64_MAX when output is free. */
int64_t pricing_affordable_output(const struct price *p, int64_t input_max, int64_t funds_nusd,
                                  int64_t group_ppm, int64_t account_ppm);

/* pricing_dearest - unit by unit the higher of a and b into *a; an unset price counts as its
 * fallback. */
void pricing_dearest(struct price *a, const struct price *b);

/* pricing_lines - the lines charged as JSON for usage_log.price_lines:
 * [{"unit":"input_token","count":12,"per":1000000,"amount":"1.250000000","price_id":7,
 * "channel":"0.600000000"},...]. p: what the customer pays: amount and price_id; channel: what the
 * owner pays the provider, NULL when it is not known. Lines of count 0 or without either are left
 * out; where the minimum is charged its line alone has an amount. So cost and channel cost are
 * sums over the lines. size: at least PRICE_LINES_MAX. */
void pricing_lines(const struct price *p, const struct price *channel, const struct usage *usage,
                   char *dst, size_t size);

#endif
