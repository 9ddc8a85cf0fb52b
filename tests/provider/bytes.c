#include "tests/provider/bytes.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BYTES_FIRST = 256, BYTES_KEEP_MAX = 16 * 1024 };

static void bytes_grow(struct bytes *b, size_t need)
{
    size_t cap = b->cap > 0 ? b->cap : BYTES_FIRST;
    while (cap < need)
        cap *= 2;
    char *data = realloc(b->data, cap);
    if (data == NULL) {
        fprintf(stderr, "provider: out of memory (%zu bytes)\n", cap);
        exit(1);
    }
    b->data = data;
    b->cap = cap;
}

void bytes_clear(struct bytes *b)
{
    free(b->data);
    *b = (struct bytes){0};
}

void bytes_reset(struct bytes *b)
{
    if (b->cap > BYTES_KEEP_MAX)
        bytes_clear(b);
    b->len = 0;
}

void bytes_swap(struct bytes *a, struct bytes *b)
{
    struct bytes old = *a;
    *a = *b;
    *b = old;
}

char *bytes_room(struct bytes *b, size_t len)
{
    if (b->cap - b->len < len || b->data == NULL)
        bytes_grow(b, b->len + len);
    return b->data + b->len;
}

void bytes_put(struct bytes *b, const void *data, size_t len)
{
    if (len == 0)
        return;
    memcpy(bytes_room(b, len), data, len);
    b->len += len;
}

void bytes_puts(struct bytes *b, const char *text)
{
    bytes_put(b, text, strlen(text));
}

void bytes_put_span(struct bytes *b, struct span s)
{
    bytes_put(b, s.at, s.len);
}

void bytes_put_int(struct bytes *b, int64_t value)
{
    char digits[24];
    size_t at = sizeof(digits);
    uint64_t left = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
    do {
        digits[--at] = (char)('0' + left % 10);
        left /= 10;
    } while (left > 0);
    if (value < 0)
        digits[--at] = '-';
    bytes_put(b, digits + at, sizeof(digits) - at);
}

void bytes_printf(struct bytes *b, const char *format, ...)
{
    va_list args;
    va_list again;
    va_start(args, format);
    va_copy(again, args);
    int len = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (len > 0) {
        vsnprintf(bytes_room(b, (size_t)len + 1), (size_t)len + 1, format, again);
        b->len += (size_t)len;
    }
    va_end(again);
}

static void bytes_put_escape(struct bytes *b, unsigned char c)
{
    static const char hex[] = "0123456789abcdef";
    char text[6] = {'\\', 'u', '0', '0', hex[c >> 4], hex[c & 15]};
    switch (c) {
    case '"':
    case '\\':
        text[1] = (char)c;
        break;
    case '\n':
        text[1] = 'n';
        break;
    case '\r':
        text[1] = 'r';
        break;
    case '\t':
        text[1] = 't';
        break;
    default:
        bytes_put(b, text, 6);
        return;
    }
    bytes_put(b, text, 2);
}

void bytes_put_json(struct bytes *b, const char *data, size_t len)
{
    size_t plain = 0; /* start of the run that needs no change */
    size_t at = 0;
    while (at < len) {
        unsigned char c = (unsigned char)data[at];
        size_t step = c < 0x80 ? 1 : utf8_length(data + at, len - at);
        if (step > 0 && c >= 0x20 && c != '"' && c != '\\') {
            at += step;
            continue;
        }
        bytes_put(b, data + plain, at - plain);
        if (step == 0)
            bytes_puts(b, "\xef\xbf\xbd");
        else
            bytes_put_escape(b, c);
        plain = ++at;
    }
    bytes_put(b, data + plain, len - plain);
}

void bytes_put_quoted(struct bytes *b, const char *data, size_t len)
{
    bytes_put(b, "\"", 1);
    bytes_put_json(b, data, len);
    bytes_put(b, "\"", 1);
}

size_t utf8_length(const char *data, size_t len)
{
    const unsigned char *p = (const unsigned char *)data;
    if (len == 0)
        return 0;
    if (p[0] < 0x80)
        return 1;
    size_t need = p[0] >= 0xf0 ? 4 : p[0] >= 0xe0 ? 3 : 2;
    if (p[0] < 0xc2 || p[0] > 0xf4 || len < need)
        return 0;
    for (size_t i = 1; i < need; i++)
        if ((p[i] & 0xc0) != 0x80)
            return 0;
    bool is_overlong = (p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xf0 && p[1] < 0x90);
    bool is_surrogate = p[0] == 0xed && p[1] > 0x9f;
    bool is_too_large = p[0] == 0xf4 && p[1] > 0x8f;
    return is_overlong || is_surrogate || is_too_large ? 0 : need;
}

bool utf8_is_valid(const char *data, size_t len)
{
    size_t at = 0;
    while (at < len) {
        size_t step = utf8_length(data + at, len - at);
        if (step == 0)
            return false;
        at += step;
    }
    return true;
}
