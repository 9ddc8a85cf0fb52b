#include "base/jscan_text.h"

#include "base/buf.h"
#include "base/jscan.h"

#include <stddef.h>
#include <stdint.h>
#include <string.h>
#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#define WORD_ONES      UINT64_C(0x0101010101010101)
#define WORD_HIGH_BITS UINT64_C(0x8080808080808080)
#define EXPONENT_MAX   INT64_C(1000000000000000) /* past any length of text; larger ones saturate */
#define I64_DIGITS     19
#define ESCAPE_MAX     6 /* "\u0000" */

/* Over whole blocks of ASCII that a string may hold as it is; maybe not all of it. */
static const char *skip_blocks(const char *p, const char *end)
{
#if defined(__SSE2__)
    const __m128i quote = _mm_set1_epi8('"'), backslash = _mm_set1_epi8('\\'),
                  last_control = _mm_set1_epi8(0x1f);

    while (end - p >= 16) {
        __m128i v = _mm_loadu_si128((const __m128i *)(const void *)p);
        __m128i bad = _mm_or_si128(_mm_cmpeq_epi8(v, quote), _mm_cmpeq_epi8(v, backslash));
        int mask;

        bad = _mm_or_si128(bad, _mm_cmpeq_epi8(_mm_min_epu8(v, last_control), v));
        mask = _mm_movemask_epi8(_mm_or_si128(bad, v)); /* v itself: its high bits are non-ASCII */
        if (mask)
            return p + __builtin_ctz((unsigned)mask);
        p += 16;
    }
#endif
    while (end - p >= (ptrdiff_t)sizeof(uint64_t)) {
        uint64_t w, quotes, backslashes;

        memcpy(&w, p, sizeof(w));
        quotes = w ^ WORD_ONES * '"';
        backslashes = w ^ WORD_ONES * '\\';
        /* A zero byte of x sets the high bit of (x - ones) & ~x; so does a byte below 0x20 less
         * 0x20. */
        if ((((quotes - WORD_ONES) & ~quotes) | ((backslashes - WORD_ONES) & ~backslashes) |
             ((w - WORD_ONES * 0x20) & ~w) | w) &
            WORD_HIGH_BITS)
            break;
        p += sizeof(w);
    }
    return p;
}

const char *jscan_skip_plain(const char *p, const char *end)
{
    p = skip_blocks(p, end);
    while (p < end && *p != '"' && *p != '\\' && (unsigned char)*p >= 0x20 &&
           (unsigned char)*p < 0x80)
        p++;
    return p;
}

/* ---- text of strings ---- */

static unsigned hex4(const char *p)
{
    unsigned code = 0;
    int i;

    for (i = 0; i < 4; i++)
        code = code << 4 | (unsigned)jscan_hex_value(p[i]);
    return code;
}

static size_t put_utf8(char *dst, unsigned code)
{
    if (code < 0x80) {
        dst[0] = (char)code;
        return 1;
    }
    if (code < 0x800) {
        dst[0] = (char)(0xc0 | code >> 6);
        dst[1] = (char)(0x80 | (code & 0x3f));
        return 2;
    }
    if (code < 0x10000) {
        dst[0] = (char)(0xe0 | code >> 12);
        dst[1] = (char)(0x80 | (code >> 6 & 0x3f));
        dst[2] = (char)(0x80 | (code & 0x3f));
        return 3;
    }
    dst[0] = (char)(0xf0 | code >> 18);
    dst[1] = (char)(0x80 | (code >> 12 & 0x3f));
    dst[2] = (char)(0x80 | (code >> 6 & 0x3f));
    dst[3] = (char)(0x80 | (code & 0x3f));
    return 4;
}

/* The escape at *p (valid, a backslash first) as UTF-8 in dst, *p moved behind it. 0 for a NUL or a
 * lone surrogate. */
static size_t decode_escape(const char **p, const char *end, char *dst)
{
    static const char from[] = "bfnrt", to[] = "\b\f\n\r\t";
    const char *at = *p + 1, *known;
    unsigned code;

    if (*at != 'u') {
        known = strchr(from, *at);
        dst[0] = known ? to[known - from] : *at;
        *p = at + 1;
        return 1;
    }
    code = hex4(at + 1);
    at += 5;
    if (code >= 0xd800 && code < 0xdc00 && end - at >= ESCAPE_MAX && at[0] == '\\' &&
        at[1] == 'u') {
        unsigned low = hex4(at + 2);

        if (low < 0xdc00 || low > 0xdfff)
            return 0;
        code = 0x10000 + ((code - 0xd800) << 10 | (low - 0xdc00));
        at += ESCAPE_MAX;
    } else if (code == 0 || (code >= 0xd800 && code < 0xe000)) {
        return 0;
    }
    *p = at;
    return put_utf8(dst, code);
}

bool jscan_key_is(const struct jmember *m, const char *name)
{
    const char *p = m->key.p, *end = p + m->key.n;
    struct slice left = slice_of(name);

    if (!memchr(p, '\\', m->key.n))
        return slice_eq(m->key, left);
    while (p < end) {
        char bytes[4];
        size_t n = 1;

        if (*p == '\\')
            n = decode_escape(&p, end, bytes);
        else
            bytes[0] = *p++;
        if (n == 0 || n > left.n || memcmp(bytes, left.p, n) != 0)
            return false;
        left.p += n;
        left.n -= n;
    }
    return left.n == 0;
}

enum err jscan_find(struct jvalue object, const char *name, struct jvalue *value)
{
    struct jmember m;
    struct jscan s;

    if (jscan_object(&s, object))
        return ERR_END;
    while (!jscan_next_member(&s, &m)) {
        if (jscan_key_is(&m, name)) {
            *value = m.value;
            return ERR_OK;
        }
    }
    return ERR_END;
}

enum err jscan_string(struct jvalue v, struct arena *a, struct slice *out)
{
    const char *p, *end, *escape;
    char *text, *to;

    if (v.kind != JSCAN_STRING)
        return ERR_FORMAT;
    p = v.raw.p + 1;
    end = v.raw.p + v.raw.n - 1;
    escape = memchr(p, '\\', (size_t)(end - p));
    if (!escape) {
        *out = (struct slice){p, (size_t)(end - p)};
        return ERR_OK;
    }
    /* Each escape is longer than what it stands for. */
    text = to = arena_alloc(a, (size_t)(end - p));
    if (!text)
        return ERR_MEMORY;
    while (escape) {
        size_t n;

        memcpy(to, p, (size_t)(escape - p));
        to += escape - p;
        p = escape;
        n = decode_escape(&p, end, to);
        if (n == 0)
            return ERR_FORMAT;
        to += n;
        escape = memchr(p, '\\', (size_t)(end - p));
    }
    memcpy(to, p, (size_t)(end - p));
    to += end - p;
    *out = (struct slice){text, (size_t)(to - text)};
    return ERR_OK;
}

/* ---- integers ---- */

static int64_t read_exponent(const char *p, const char *end)
{
    bool negative = *p == '-';
    int64_t value = 0;

    if (*p == '-' || *p == '+')
        p++;
    for (; p < end; p++)
        if (value < EXPONENT_MAX)
            value = value * 10 + (*p - '0');
    return negative ? -value : value;
}

/* first..last: the significant digits, maybe with the point among them; the value is they x
 * 10^exponent. */
enum err jscan_i64(struct jvalue v, int64_t *out)
{
    const char *first = v.raw.p, *end = first + v.raw.n, *last, *point, *p;
    int64_t exponent = 0;
    uint64_t value = 0;
    bool negative;
    int digits = 0;

    if (v.kind != JSCAN_NUMBER)
        return ERR_FORMAT;
    negative = *first == '-';
    first += negative;
    for (last = first; last < end && (jscan_is_digit(*last) || *last == '.'); last++)
        ;
    if (last < end)
        exponent = read_exponent(last + 1, end);
    point = memchr(first, '.', (size_t)(last - first));
    if (point)
        exponent -= last - point - 1;
    while (first < last && (*first == '0' || *first == '.'))
        first++;
    for (; last > first && (last[-1] == '0' || last[-1] == '.'); last--)
        exponent += last[-1] == '0';
    if (first == last) {
        *out = 0;
        return ERR_OK;
    }
    if (exponent < 0)
        return ERR_FORMAT;
    for (p = first; p < last; p++) {
        if (*p == '.')
            continue;
        if (++digits > I64_DIGITS)
            return ERR_RANGE;
        value = value * 10 + (uint64_t)(*p - '0');
    }
    if (exponent > I64_DIGITS - digits)
        return ERR_RANGE;
    while (exponent-- > 0)
        value *= 10;
    if (value > (uint64_t)INT64_MAX + negative)
        return ERR_RANGE;
    *out = negative ? (int64_t)(0 - value) : (int64_t)value;
    return ERR_OK;
}

/* ---- writing ---- */

/* One byte that a JSON string may not hold as it is. */
static size_t write_escape(char *dst, unsigned char c)
{
    static const char digits[] = "0123456789abcdef", from[] = "\"\\\b\f\n\r\t", to[] = "\"\\bfnrt";
    const char *known = c ? strchr(from, c) : NULL;

    dst[0] = '\\';
    if (known) {
        dst[1] = to[known - from];
        return 2;
    }
    memcpy(dst + 1, "u00", 3);
    dst[4] = digits[c >> 4];
    dst[5] = digits[c & 15];
    return ESCAPE_MAX;
}

enum err jscan_escape_inside(struct buf *b, struct slice text)
{
    const char *p = text.n ? text.p : "", *end = p + text.n;
    enum err e = ERR_OK;

    while (p < end && !e) {
        const char *stop_at = jscan_skip_plain(p, end);
        size_t n;

        if (stop_at > p) {
            e = buf_append(b, p, (size_t)(stop_at - p));
            p = stop_at;
            continue;
        }
        n = str_utf8_len(p, (size_t)(end - p));
        if (n > 1) {
            e = buf_append(b, p, n);
        } else if (n == 1) {
            char escape[ESCAPE_MAX];

            e = buf_append(b, escape, write_escape(escape, (unsigned char)*p));
        } else {
            e = buf_append(b, "\xef\xbf\xbd", 3);
            n = 1;
        }
        p += n;
    }
    return e;
}

enum err jscan_escape(struct buf *b, struct slice text)
{
    size_t mark = b->n;
    enum err e;

    e = buf_append(b, "\"", 1);
    if (!e)
        e = jscan_escape_inside(b, text);
    if (!e)
        e = buf_append(b, "\"", 1);
    if (e && b->n > mark) {
        /* All or nothing, like every append. */
        b->n = mark;
        b->p[mark] = '\0';
    }
    return e;
}
