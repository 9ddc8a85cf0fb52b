#include "tests/provider/scan.h"

#include <string.h>

enum { SCAN_DEPTH_MAX = 128 };

static bool scan_fail(struct scan *s)
{
    s->bad = true;
    return false;
}

struct scan scan_begin(const char *text, size_t len)
{
    return (struct scan){.at = text, .end = text + len};
}

char scan_peek(struct scan *s)
{
    if (s->bad)
        return 0;
    while (s->at < s->end && (*s->at == ' ' || *s->at == '\n' || *s->at == '\r' || *s->at == '\t'))
        s->at++;
    return s->at < s->end ? *s->at : 0;
}

bool scan_open(struct scan *s, char kind)
{
    if (scan_peek(s) != kind || s->depth >= SCAN_DEPTH_MAX)
        return scan_fail(s);
    s->depth++;
    s->at++;
    return true;
}

/* Step over the comma, or over the closing bracket: then false. */
static bool scan_next(struct scan *s, bool *is_first, char closing)
{
    char c = scan_peek(s);
    if (c == closing) {
        s->depth--;
        s->at++;
        return false;
    }
    if (!*is_first) {
        if (c != ',')
            return scan_fail(s);
        s->at++;
        scan_peek(s);
    }
    *is_first = false;
    return true;
}

bool scan_member(struct scan *s, bool *is_first, struct span *key)
{
    if (!scan_next(s, is_first, '}') || !scan_string(s, key))
        return false;
    if (scan_peek(s) != ':')
        return scan_fail(s);
    s->at++;
    return true;
}

bool scan_element(struct scan *s, bool *is_first)
{
    /* A comma before the closing bracket needs no check here: the value that is missing will fail
     * when the caller consumes it. */
    return scan_next(s, is_first, ']');
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    char low = (char)(c | 0x20);
    return low >= 'a' && low <= 'f' ? low - 'a' + 10 : -1;
}

/* The code unit of four hexadecimal digits, or -1. */
static int hex_unit(const char *at, const char *end)
{
    if (end - at < 4)
        return -1;
    int unit = 0;
    for (int i = 0; i < 4; i++) {
        int digit = hex_value(at[i]);
        if (digit < 0)
            return -1;
        unit = unit * 16 + digit;
    }
    return unit;
}

bool scan_string(struct scan *s, struct span *raw)
{
    if (scan_peek(s) != '"')
        return scan_fail(s);
    const char *at = s->at + 1;
    const char *begin = at;
    while (at < s->end && *at != '"') {
        if ((unsigned char)*at < 0x20)
            return scan_fail(s);
        if (*at != '\\') {
            at++;
            continue;
        }
        at++;
        if (at >= s->end || *at == 0 || strchr("\"\\/bfnrtu", *at) == NULL)
            return scan_fail(s);
        if (*at == 'u' && hex_unit(at + 1, s->end) < 0)
            return scan_fail(s);
        at += *at == 'u' ? 5 : 1;
    }
    if (at >= s->end)
        return scan_fail(s);
    *raw = (struct span){begin, (size_t)(at - begin)};
    s->at = at + 1;
    return true;
}

static size_t scan_digits(struct scan *s)
{
    const char *begin = s->at;
    while (s->at < s->end && *s->at >= '0' && *s->at <= '9')
        s->at++;
    return (size_t)(s->at - begin);
}

bool scan_int(struct scan *s, int64_t *value)
{
    scan_peek(s);
    bool is_negative = !s->bad && s->at < s->end && *s->at == '-';
    s->at += is_negative;
    const char *begin = s->at;
    size_t len = s->bad ? 0 : scan_digits(s);
    if (len == 0 || (len > 1 && *begin == '0'))
        return scan_fail(s);
    int64_t whole = 0;
    for (size_t i = 0; i < len; i++)
        whole = whole > INT64_MAX / 10 - 1 ? INT64_MAX / 10 : whole * 10 + (begin[i] - '0');
    if (s->at < s->end && *s->at == '.') {
        s->at++;
        if (scan_digits(s) == 0)
            return scan_fail(s);
    }
    if (s->at < s->end && (*s->at | 0x20) == 'e') {
        s->at++;
        if (s->at < s->end && (*s->at == '+' || *s->at == '-'))
            s->at++;
        if (scan_digits(s) == 0)
            return scan_fail(s);
    }
    *value = is_negative ? -whole : whole;
    return true;
}

static bool scan_literal(struct scan *s, const char *word)
{
    size_t len = strlen(word);
    if ((size_t)(s->end - s->at) < len || memcmp(s->at, word, len) != 0)
        return scan_fail(s);
    s->at += len;
    return true;
}

bool scan_bool(struct scan *s, bool *value)
{
    bool is_true = scan_peek(s) == 't';
    if (!scan_skip(s))
        return false;
    *value = is_true;
    return true;
}

static bool scan_skip_container(struct scan *s, char kind)
{
    bool is_first = true;
    struct span key;
    if (!scan_open(s, kind))
        return false;
    while (kind == '{' ? scan_member(s, &is_first, &key) : scan_element(s, &is_first))
        if (!scan_skip(s))
            return false;
    return !s->bad;
}

bool scan_skip(struct scan *s)
{
    struct span raw;
    int64_t number;
    char c = scan_peek(s);
    switch (c) {
    case '{':
    case '[':
        return scan_skip_container(s, c); /* recursion is bounded by SCAN_DEPTH_MAX */
    case '"':
        return scan_string(s, &raw);
    case 't':
        return scan_literal(s, "true");
    case 'f':
        return scan_literal(s, "false");
    case 'n':
        return scan_literal(s, "null");
    default:
        return scan_int(s, &number);
    }
}

bool scan_end(struct scan *s)
{
    return scan_peek(s) == 0 && !s->bad && s->at == s->end;
}

static size_t utf8_encode(unsigned code, char out[4])
{
    if (code < 0x80) {
        out[0] = (char)code;
        return 1;
    }
    size_t len = code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    static const unsigned char lead[5] = {0, 0, 0xc0, 0xe0, 0xf0};
    for (size_t i = len - 1; i > 0; i--) {
        out[i] = (char)(0x80 | (code & 0x3f));
        code >>= 6;
    }
    out[0] = (char)(lead[len] | code);
    return len;
}

/* The character of the \u escape whose digits begin at *at; steps over it (and over its low
 * half). */
static unsigned decode_unit(const char **at, const char *end)
{
    int unit = hex_unit(*at, end);
    *at += 4;
    if (unit < 0xd800 || unit > 0xdfff)
        return unit < 0 ? 0xfffd : (unsigned)unit;
    if (unit > 0xdbff || end - *at < 6 || (*at)[0] != '\\' || (*at)[1] != 'u')
        return 0xfffd;
    int low = hex_unit(*at + 2, end);
    if (low < 0xdc00 || low > 0xdfff)
        return 0xfffd;
    *at += 6;
    return 0x10000U + (((unsigned)unit - 0xd800U) << 10) + ((unsigned)low - 0xdc00U);
}

size_t scan_decode(struct span raw, char *out, size_t max)
{
    static const char letters[] = "bfnrt";
    static const char meanings[] = "\b\f\n\r\t";
    const char *at = raw.at;
    const char *end = raw.at + raw.len;
    size_t len = 0;
    while (at < end) {
        char piece[4];
        size_t size = 1;
        if (*at == '\\' && end - at >= 2 && at[1] == 'u' && end - at >= 6) {
            at += 2;
            size = utf8_encode(decode_unit(&at, end), piece);
        } else if (*at == '\\' && end - at >= 2) {
            const char *letter = strchr(letters, at[1]);
            piece[0] = letter != NULL ? meanings[letter - letters] : at[1];
            at += 2;
        } else {
            size = utf8_length(at, (size_t)(end - at));
            size = size > 0 ? size : 1;
            memcpy(piece, at, size);
            at += size;
        }
        if (len + size > max)
            break;
        memcpy(out + len, piece, size);
        len += size;
    }
    return len;
}
