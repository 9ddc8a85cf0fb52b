#include "db/pricing.h"

#include "base/amount.h"

#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define PER_MILLION    INT64_C(1000000)
#define MULTIPLIERS    UINT64_C(1000000000000) /* two multipliers in millionths */
#define MULTIPLIER_MAX INT64_C(1000000000)

typedef unsigned __int128 wide;

static const char *const unit_names[PRICE_UNITS] = {
    [PRICE_INPUT] = "input_token",
    [PRICE_CACHED_INPUT] = "cached_input_token",
    [PRICE_CACHE_WRITE] = "cache_write_token",
    [PRICE_CACHE_WRITE_1H] = "cache_write_1h_token",
    [PRICE_OUTPUT] = "output_token",
    [PRICE_REASONING] = "reasoning_token",
    [PRICE_REQUEST] = "request",
    [PRICE_MINIMUM] = "minimum",
};

const char *price_unit_name(enum price_unit u)
{
    assert(u < PRICE_UNITS);
    return unit_names[u];
}

enum err price_unit_parse(const char *name, enum price_unit *out)
{
    for (unsigned u = 0; u < PRICE_UNITS; u++) {
        if (!strcmp(name, unit_names[u])) {
            *out = u;
            return ERR_OK;
        }
    }
    return ERR_FORMAT;
}

void price_clear(struct price *p)
{
    for (unsigned u = 0; u < PRICE_UNITS; u++)
        p->amount_nusd[u] = -1;
    memset(p->id, 0, sizeof(p->id));
}

bool price_is_complete(const struct price *p)
{
    return p->amount_nusd[PRICE_REQUEST] >= 0 ||
           (p->amount_nusd[PRICE_INPUT] >= 0 && p->amount_nusd[PRICE_OUTPUT] >= 0);
}

/* The unit whose price u is charged at: u itself, or what it falls back to. */
static enum price_unit unit_of(const struct price *p, enum price_unit u)
{
    if (p->amount_nusd[u] >= 0)
        return u;
    switch (u) {
    case PRICE_CACHED_INPUT:
    case PRICE_CACHE_WRITE:
    case PRICE_CACHE_WRITE_1H:
        return PRICE_INPUT;
    case PRICE_REASONING:
        return PRICE_OUTPUT;
    default:
        return u;
    }
}

/* The amount of u or of what it falls back to; -1 when that is not set either. */
static int64_t amount_of(const struct price *p, enum price_unit u)
{
    return p->amount_nusd[unit_of(p, u)];
}

/* The units that are counted apart: output without its reasoning, one request, one minimum. */
static void counts_of(const struct usage *usage, int64_t *counts)
{
    assert(usage->input >= 0 && usage->cached_input >= 0 && usage->cache_write >= 0 &&
           usage->cache_write_1h >= 0);
    assert(usage->reasoning >= 0 && usage->reasoning <= usage->output);
    counts[PRICE_INPUT] = usage->input;
    counts[PRICE_CACHED_INPUT] = usage->cached_input;
    counts[PRICE_CACHE_WRITE] = usage->cache_write;
    counts[PRICE_CACHE_WRITE_1H] = usage->cache_write_1h;
    counts[PRICE_OUTPUT] = usage->output - usage->reasoning;
    counts[PRICE_REASONING] = usage->reasoning;
    counts[PRICE_REQUEST] = 1;
    counts[PRICE_MINIMUM] = 1;
}

static int64_t per_of(enum price_unit u)
{
    return u == PRICE_REQUEST || u == PRICE_MINIMUM ? 1 : PER_MILLION;
}

/* What count of u cost, in millionths of a nano-USD; 0 when u has no price (a model that is sold
 * by the request alone). At most 2^63 * 10^18 < 2^123, so that the sum over all units stays
 * below 2^126. */
static wide line_cost(const struct price *p, enum price_unit u, int64_t count)
{
    int64_t amount = amount_of(p, u);
    assert(amount <= MONEY_MAX_NUSD && count >= 0);
    return amount < 0 ? 0 : (wide)count * (wide)amount * (wide)(PER_MILLION / per_of(u));
}

/* sum (in millionths of a nano-USD) times both multipliers, rounded up: the only place where
 * money is rounded. */
static enum err round_up(wide sum, int64_t group_ppm, int64_t account_ppm, int64_t *nusd)
{
    assert(group_ppm >= 0 && group_ppm <= MULTIPLIER_MAX && account_ppm >= 0 &&
           account_ppm <= MULTIPLIER_MAX);
    uint64_t factor = (uint64_t)group_ppm * (uint64_t)account_ppm;
    uint64_t divisor = MULTIPLIERS * (uint64_t)PER_MILLION;
    /* 192 bits in three limbs, then divided limb by limb. */
    wide low = (wide)(uint64_t)sum * factor;
    wide high = (wide)(uint64_t)(sum >> 64) * factor + (low >> 64);
    uint64_t limbs[3] = {(uint64_t)(high >> 64), (uint64_t)high, (uint64_t)low};
    uint64_t quotient[3], rest = 0;
    for (int i = 0; i < 3; i++) {
        wide part = ((wide)rest << 64) | limbs[i];
        quotient[i] = (uint64_t)(part / divisor);
        rest = (uint64_t)(part % divisor);
    }
    assert(!quotient[0]); /* 2^126 x 10^18 over 10^18 */
    if (quotient[1] || quotient[2] > (uint64_t)MONEY_MAX_NUSD - (rest > 0))
        return ERR_RANGE;
    *nusd = (int64_t)quotient[2] + (rest > 0);
    return ERR_OK;
}

/* The sum over all units but the minimum, and whether the minimum is charged in its place. */
static wide sum_of(const struct price *p, const int64_t *counts, bool *is_minimum)
{
    wide sum = 0, minimum = line_cost(p, PRICE_MINIMUM, counts[PRICE_MINIMUM]);
    for (unsigned u = 0; u < PRICE_MINIMUM; u++)
        sum += line_cost(p, u, counts[u]);
    *is_minimum = minimum > sum;
    return *is_minimum ? minimum : sum;
}

enum err pricing_cost(const struct price *p, const struct usage *usage, int64_t group_ppm,
                      int64_t account_ppm, int64_t *cost_nusd)
{
    int64_t counts[PRICE_UNITS];
    bool is_minimum;
    counts_of(usage, counts);
    return round_up(sum_of(p, counts, &is_minimum), group_ppm, account_ppm, cost_nusd);
}

/* The line cost of count at the dearest of the units first..last. */
static wide dearest_cost(const struct price *p, enum price_unit first, enum price_unit last,
                         int64_t count)
{
    wide most = 0;
    for (unsigned u = first; u <= last; u++) {
        wide cost = line_cost(p, u, count);
        most = cost > most ? cost : most;
    }
    return most;
}

enum err pricing_worst(const struct price *p, int64_t input_max, int64_t output_max,
                       int64_t group_ppm, int64_t account_ppm, int64_t *hold_nusd)
{
    wide sum = dearest_cost(p, PRICE_INPUT, PRICE_CACHE_WRITE_1H, input_max) +
               dearest_cost(p, PRICE_OUTPUT, PRICE_REASONING, output_max) +
               line_cost(p, PRICE_REQUEST, 1);
    wide minimum = line_cost(p, PRICE_MINIMUM, 1);
    return round_up(sum > minimum ? sum : minimum, group_ppm, account_ppm, hold_nusd);
}

int64_t pricing_affordable_output(const struct price *p, int64_t input_max, int64_t funds_nusd,
                                  int64_t group_ppm, int64_t account_ppm)
{
    int64_t worst, low = 0, high = INT64_MAX;
    if (pricing_worst(p, input_max, 0, group_ppm, account_ppm, &worst) || worst > funds_nusd)
        return -1;
    while (low < high) {
        int64_t middle = high - (high - low) / 2;
        if (!pricing_worst(p, input_max, middle, group_ppm, account_ppm, &worst) &&
            worst <= funds_nusd)
            low = middle;
        else
            high = middle - 1;
    }
    return low;
}

void pricing_dearest(struct price *a, const struct price *b)
{
    struct price out;
    for (unsigned u = 0; u < PRICE_UNITS; u++) {
        const struct price *dearer = amount_of(b, u) > amount_of(a, u) ? b : a;
        out.amount_nusd[u] = amount_of(dearer, u);
        out.id[u] = dearer->id[unit_of(dearer, u)];
    }
    *a = out;
}

/* A text that grows; what does not fit is our bug. */
struct out {
    char *p;
    size_t n, size;
};

static __attribute__((format(printf, 2, 3))) void put(struct out *o, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(o->p + o->n, o->size - o->n, fmt, args);
    va_end(args);
    assert(n >= 0 && (size_t)n < o->size - o->n);
    o->n += (size_t)n;
}

/* The amount that a line of u tells: -1 when it is not charged. */
static int64_t line_amount(const struct price *p, enum price_unit u, bool is_minimum)
{
    return (u == PRICE_MINIMUM) == is_minimum ? amount_of(p, u) : -1;
}

void pricing_lines(const struct price *p, const struct price *channel, const struct usage *usage,
                   char *dst, size_t size)
{
    int64_t counts[PRICE_UNITS];
    char text[MONEY_TEXT_SIZE];
    bool is_minimum, is_channel_minimum = false;
    struct out o = {dst, 0, size};
    assert(size >= PRICE_LINES_MAX);
    counts_of(usage, counts);
    (void)sum_of(p, counts, &is_minimum);
    if (channel)
        (void)sum_of(channel, counts, &is_channel_minimum);
    put(&o, "[");
    for (unsigned u = 0; u < PRICE_UNITS; u++) {
        int64_t amount = line_amount(p, u, is_minimum);
        int64_t cost = channel ? line_amount(channel, u, is_channel_minimum) : -1;
        if (!counts[u] || (amount < 0 && cost < 0))
            continue;
        put(&o, "%s{\"unit\":\"%s\",\"count\":%" PRId64 ",\"per\":%" PRId64, o.n > 1 ? "," : "",
            unit_names[u], counts[u], per_of(u));
        if (amount >= 0)
            put(&o, ",\"amount\":\"%s\"", amount_print(text, amount));
        if (amount >= 0 && p->id[unit_of(p, u)])
            put(&o, ",\"price_id\":%" PRId64, p->id[unit_of(p, u)]);
        if (cost >= 0)
            put(&o, ",\"channel\":\"%s\"", amount_print(text, cost));
        put(&o, "}");
    }
    put(&o, "]");
}
