#include "base/str.h"

#include <assert.h>
#include <string.h>
#include <strings.h>

#define WORD_HIGH_BITS UINT64_C(0x8080808080808080)

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

struct slice slice_of(const char *z)
{
    return (struct slice){z, z ? strlen(z) : 0};
}

bool slice_eq(struct slice a, struct slice b)
{
    return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

bool slice_eq_z(struct slice a, const char *z)
{
    return slice_eq(a, slice_of(z));
}

bool slice_eq_ci(struct slice a, const char *z)
{
    struct slice b = slice_of(z);

    return a.n == b.n && slice_starts_ci(a, z);
}

bool slice_starts(struct slice s, const char *prefix)
{
    size_t n = strlen(prefix);

    return s.n >= n && (n == 0 || memcmp(s.p, prefix, n) == 0);
}

/* By hand and not by strncasecmp: that one follows the locale and stops at a NUL. */
bool slice_starts_ci(struct slice s, const char *prefix)
{
    size_t i;

    for (i = 0; prefix[i]; i++) {
        unsigned char a, b;

        if (i == s.n)
            return false;
        a = (unsigned char)s.p[i];
        b = (unsigned char)prefix[i];
        if (a >= 'A' && a <= 'Z')
            a = (unsigned char)(a | 0x20);
        if (b >= 'A' && b <= 'Z')
            b = (unsigned char)(b | 0x20);
        if (a != b)
            return false;
    }
    return true;
}

struct slice slice_trim(struct slice s)
{
    while (s.n && is_space(s.p[0])) {
        s.p++;
        s.n--;
    }
    while (s.n && is_space(s.p[s.n - 1]))
        s.n--;
    return s;
}

struct slice slice_split(struct slice *rest, char sep)
{
    struct slice part = *rest;
    const char *at = part.n ? memchr(part.p, sep, part.n) : NULL;

    if (!at) {
        *rest = (struct slice){NULL, 0};
        return part;
    }
    part.n = (size_t)(at - part.p);
    rest->p = at + 1;
    rest->n -= part.n + 1;
    return part;
}

enum err slice_to_i64(struct slice s, int64_t *out)
{
    bool negative = s.n && s.p[0] == '-';
    size_t i = negative ? 1 : 0;
    int64_t value = 0;
    bool too_big = false;

    if (i == s.n)
        return ERR_FORMAT;
    for (; i < s.n; i++) {
        int digit = s.p[i] - '0';

        if (digit < 0 || digit > 9)
            return ERR_FORMAT;
        /* Built downwards: the negative side holds one value more. */
        if (__builtin_mul_overflow(value, 10, &value) ||
            __builtin_sub_overflow(value, digit, &value))
            too_big = true;
    }
    if (too_big || (!negative && value == INT64_MIN))
        return ERR_RANGE;
    *out = negative ? value : -value;
    return ERR_OK;
}

bool slice_copy_z(char *dst, size_t size, struct slice s)
{
    bool is_whole;
    size_t n = s.n;

    assert(size > 0);
    is_whole = n < size;
    if (!is_whole) {
        n = size - 1;
        while (n > 0 && ((unsigned char)s.p[n] & 0xc0) == 0x80)
            n--;
    }
    if (n)
        memcpy(dst, s.p, n);
    dst[n] = '\0';
    return is_whole;
}

size_t str_percent_decode(char *dst, size_t size, struct slice src, bool plus)
{
    size_t in, out = 0;

    for (in = 0; in < src.n; in++) {
        char c = src.p[in];

        if (c == '%') {
            int high, low;

            if (src.n - in < 3)
                return SIZE_MAX;
            high = hex_value(src.p[in + 1]);
            low = hex_value(src.p[in + 2]);
            if (high < 0 || low < 0)
                return SIZE_MAX;
            c = (char)(high << 4 | low);
            in += 2;
        } else if (c == '+' && plus) {
            c = ' ';
        }
        if (c == '\0' || out == size)
            return SIZE_MAX;
        dst[out++] = c;
    }
    return out;
}

size_t str_utf8_len(const char *p, size_t n)
{
    const unsigned char *s = (const unsigned char *)p;
    unsigned char low = 0x80, high = 0xbf; /* what the second byte may be */
    size_t len, i;

    if (n == 0)
        return 0;
    if (s[0] < 0x80)
        return 1;
    if (s[0] < 0xc2 || s[0] > 0xf4)
        return 0;
    len = s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : 4;
    if (n < len)
        return 0;
    if (s[0] == 0xe0)
        low = 0xa0; /* overlong below */
    else if (s[0] == 0xed)
        high = 0x9f; /* surrogates above */
    else if (s[0] == 0xf0)
        low = 0x90; /* overlong below */
    else if (s[0] == 0xf4)
        high = 0x8f; /* past U+10FFFF above */
    if (s[1] < low || s[1] > high)
        return 0;
    for (i = 2; i < len; i++)
        if ((s[i] & 0xc0) != 0x80)
            return 0;
    return len;
}

bool str_is_utf8(struct slice s)
{
    size_t at = 0;

    while (at < s.n) {
        uint64_t word;
        size_t len;

        while (s.n - at >= sizeof(word)) {
            memcpy(&word, s.p + at, sizeof(word));
            if (word & WORD_HIGH_BITS)
                break;
            at += sizeof(word);
        }
        if (at == s.n)
            break;
        len = str_utf8_len(s.p + at, s.n - at);
        if (len == 0)
            return false;
        at += len;
    }
    return true;
}
