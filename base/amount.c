#include "base/amount.h"

#include <inttypes.h>
#include <stdio.h>

#define NUSD_DECIMALS       9
#define MILLIONTHS_DECIMALS 6
#define MILLIONTHS_MAX      INT64_C(1000000000)
#define EXPONENT_MAX        9999 /* whatever is larger is out of range as well */

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

/* The digits after an e, with their sign. ERR_FORMAT. */
static enum err parse_exponent(struct slice text, int *exponent)
{
    bool negative = text.n && text.p[0] == '-';
    size_t at = text.n && (negative || text.p[0] == '+') ? 1 : 0;
    int value = 0;

    if (at == text.n)
        return ERR_FORMAT;
    for (; at < text.n; at++) {
        if (!is_digit(text.p[at]))
            return ERR_FORMAT;
        value = value > EXPONENT_MAX ? value : value * 10 + (text.p[at] - '0');
    }
    *exponent = negative ? -value : value;
    return ERR_OK;
}

/* The digits before an e as one integer without zeros at its end, which is the number times
 * 10^-*exponent. ERR_FORMAT; ERR_RANGE: more digits than any amount has. */
static enum err parse_digits(struct slice text, int64_t *value, int *exponent)
{
    bool has_point = false, has_digit = false;
    int zeros = 0; /* seen and not yet known to be within the number */

    *value = 0;
    *exponent = 0;
    for (size_t at = 0; at < text.n; at++) {
        if (text.p[at] == '.' && has_digit && !has_point && at + 1 < text.n) {
            has_point = true;
            continue;
        }
        if (!is_digit(text.p[at]))
            return ERR_FORMAT;
        has_digit = true;
        *exponent -= has_point;
        zeros++;
        if (text.p[at] == '0')
            continue;
        for (; *value && zeros > 1; zeros--) {
            if (!push_digit(value, '0', MONEY_MAX_NUSD))
                return ERR_RANGE;
        }
        zeros = 0;
        if (!push_digit(value, text.p[at], MONEY_MAX_NUSD))
            return ERR_RANGE;
    }
    *exponent += zeros;
    return has_digit ? ERR_OK : ERR_FORMAT;
}

enum err amount_parse_scaled(struct slice number, int shift, int64_t *nusd)
{
    bool negative = number.n && number.p[0] == '-';
    struct slice digits = {number.p + negative, number.n - negative};
    int exponent = 0, moved;
    int64_t value;
    enum err e;

    for (size_t at = 0; at < digits.n; at++) {
        if (digits.p[at] != 'e' && digits.p[at] != 'E')
            continue;
        e = parse_exponent((struct slice){digits.p + at + 1, digits.n - at - 1}, &exponent);
        if (e)
            return e;
        digits.n = at;
    }
    e = parse_digits(digits, &value, &moved);
    if (e)
        return e;
    exponent += moved + shift + NUSD_DECIMALS;
    if (value && exponent < 0)
        return ERR_RANGE;
    for (; value && exponent > 0; exponent--) {
        if (!push_digit(&value, '0', MONEY_MAX_NUSD))
            return ERR_RANGE;
    }
    *nusd = negative ? -value : value;
    return ERR_OK;
}

enum err amount_multiply(int64_t nusd, int64_t ppm, int64_t *product_nusd)
{
    __int128 product = (__int128)nusd * ppm + MONEY_PPM_PER_ONE - 1;

    product /= MONEY_PPM_PER_ONE;
    if (product > MONEY_MAX_NUSD)
        return ERR_RANGE;
    *product_nusd = (int64_t)product;
    return ERR_OK;
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
