#include "base/amount.h"

#include <inttypes.h>
#include <stdio.h>

#define NUSD_DECIMALS       9
#define MILLIONTHS_DECIMALS 6
#define MILLIONTHS_MAX      INT64_C(1000000000)

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* One more digit of *value; false past max. */
static bool push_digit(int64_t *value, char c, int64_t max)
{
    int64_t digit = c - '0';

    if (*value > (max - digit) / 10)
        return false;
    *value = *value * 10 + digit;
    return true;
}

/* text times 10^decimals, exactly; max at most INT64_MAX - 9. */
static enum err parse_fixed(struct slice text, int decimals, int64_t max, int64_t *out)
{
    bool negative = text.n && text.p[0] == '-';
    size_t at = negative ? 1 : 0, start = at;
    bool fits = true;
    int64_t value = 0;
    int seen = 0;

    for (; at < text.n && is_digit(text.p[at]); at++)
        fits = fits && push_digit(&value, text.p[at], max);
    if (at == start)
        return ERR_FORMAT;
    if (at < text.n && text.p[at] == '.') {
        start = ++at;
        for (; at < text.n && is_digit(text.p[at]); at++) {
            if (seen < decimals) {
                seen++;
                fits = fits && push_digit(&value, text.p[at], max);
            } else if (text.p[at] != '0') {
                fits = false;
            }
        }
        if (at == start)
            return ERR_FORMAT;
    }
    if (at != text.n)
        return ERR_FORMAT;
    for (; seen < decimals; seen++)
        fits = fits && push_digit(&value, '0', max);
    if (!fits)
        return ERR_RANGE;
    *out = negative ? -value : value;
    return ERR_OK;
}

enum err amount_parse(struct slice text, int64_t *nusd)
{
    return parse_fixed(text, NUSD_DECIMALS, MONEY_MAX_NUSD, nusd);
}

char *amount_print(char *dst, int64_t nusd)
{
    uint64_t size = nusd < 0 ? -(uint64_t)nusd : (uint64_t)nusd;
    uint64_t unit = (uint64_t)MONEY_NUSD_PER_USD;

    (void)snprintf(dst, MONEY_TEXT_SIZE, "%s%" PRIu64 ".%09" PRIu64, nusd < 0 ? "-" : "",
                   size / unit, size % unit);
    return dst;
}

enum err amount_parse_millionths(struct slice text, int64_t *ppm)
{
    int64_t value;
    enum err e;

    e = parse_fixed(text, MILLIONTHS_DECIMALS, MILLIONTHS_MAX, &value);
    if (e)
        return e;
    if (value < 0)
        return ERR_RANGE;
    *ppm = value;
    return ERR_OK;
}
