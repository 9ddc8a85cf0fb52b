#include "base/log_line.h"

#include <string.h>
#include <sys/types.h>

#define NUMBER_MAX 32 /* characters of a printed integer, its width included */
#define CUT_MARK   "..."

void log_line_put(struct log_line *l, const char *p, size_t n)
{
    if (l->is_full || n > sizeof(l->text) - LOG_TAIL_BYTES - l->n) {
        l->is_full = true;
        return;
    }
    memcpy(l->text + l->n, p, n);
    l->n += n;
}

void log_line_put_z(struct log_line *l, const char *z)
{
    log_line_put(l, z, strlen(z));
}

/* A character that may not stand in a line as it is: \n, \", or \u00XX. */
static void put_escaped(struct log_line *l, unsigned char c)
{
    static const char digits[] = "0123456789abcdef", from[] = "\"\\\n\r\t", to[] = "\"\\nrt";
    const char *known = c ? strchr(from, c) : NULL;
    char text[6] = "\\u00";

    if (known) {
        text[1] = to[known - from];
        log_line_put(l, text, 2);
        return;
    }
    text[4] = digits[c >> 4];
    text[5] = digits[c & 15];
    log_line_put(l, text, sizeof(text));
}

static bool needs_quotes(struct slice value)
{
    size_t i;

    for (i = 0; i < value.n; i++) {
        unsigned char c = (unsigned char)value.p[i];

        if (c <= ' ' || c >= 0x7f || c == '"' || c == '=' || c == '\\')
            return true;
    }
    return value.n == 0;
}

/* Bytes of value to write: at most LOG_VALUE_MAX, no part of a character at the end. */
static size_t cut_length(struct slice value)
{
    size_t n = LOG_VALUE_MAX;

    if (value.n <= LOG_VALUE_MAX)
        return value.n;
    while (n > LOG_VALUE_MAX - 4 && ((unsigned char)value.p[n] & 0xc0) == 0x80)
        n--;
    return n;
}

void log_line_put_value(struct log_line *l, struct slice value)
{
    bool quote = !l->is_quoted && needs_quotes(value), was_full;
    size_t at = 0, n = cut_length(value);

    if (quote)
        log_line_put(l, "\"", 1);
    was_full = l->is_full;
    while (at < n) {
        unsigned char c = (unsigned char)value.p[at];
        size_t len = str_utf8_len(value.p + at, n - at);

        if (len == 0) {
            log_line_put_z(l, "\xef\xbf\xbd");
            len = 1;
        } else if (c < ' ' || c == '"' || c == '\\' || c == 0x7f) {
            put_escaped(l, c);
        } else if (c == 0xc2 && (unsigned char)value.p[at + 1] < 0xa0) {
            put_escaped(l, (unsigned char)value.p[at + 1]); /* C1 controls drive terminals too */
        } else {
            log_line_put(l, value.p + at, len);
        }
        at += len;
    }
    if (n < value.n)
        log_line_put_z(l, CUT_MARK);
    /* An opened quote is closed even in a full line: LOG_TAIL_BYTES holds its place. */
    if (quote && !was_full) {
        bool full = l->is_full;

        l->text[l->n++] = '"';
        l->is_full = full || l->n > sizeof(l->text) - LOG_TAIL_BYTES;
    }
}

void log_line_put_unsigned(struct log_line *l, uint64_t value, unsigned base)
{
    char text[NUMBER_MAX];
    size_t at = sizeof(text);

    do {
        text[--at] = "0123456789abcdef"[value % base];
        value /= base;
    } while (value);
    log_line_put(l, text + at, sizeof(text) - at);
}

/* ---- the format ---- */

/* One conversion: %[0][width][.precision|.*][l|ll|z|j]conversion */
struct spec {
    char pad;
    size_t width;
    bool has_precision;
    size_t precision; /* of %s: bytes at most */
    char length;      /* '\0', 'l', 'q' for ll, 'z', 'j' */
    char conversion;
};

static size_t read_count(const char **p)
{
    size_t n = 0;

    for (; **p >= '0' && **p <= '9'; ++*p)
        if (n < LOG_LINE_MAX)
            n = n * 10 + (size_t)(**p - '0');
    return n;
}

/* *p behind the '%'; moved behind the conversion. star: what ".*" stands for. */
static void read_spec(const char **p, struct spec *s, va_list *args)
{
    *s = (struct spec){.pad = ' '};
    if (**p == '0')
        s->pad = '0';
    s->width = read_count(p);
    if (**p == '.') {
        ++*p;
        s->has_precision = true;
        if (**p == '*') {
            int n = va_arg(*args, int);

            ++*p;
            s->has_precision = n >= 0;
            s->precision = n >= 0 ? (size_t)n : 0;
        } else {
            s->precision = read_count(p);
        }
    }
    if (**p == 'l' || **p == 'z' || **p == 'j') {
        s->length = *(*p)++;
        if (s->length == 'l' && **p == 'l') {
            s->length = 'q';
            ++*p;
        }
    }
    s->conversion = **p;
    if (**p)
        ++*p;
}

static int64_t take_signed(const struct spec *s, va_list *args)
{
    switch (s->length) {
    case 'l':
        return va_arg(*args, long);
    case 'q':
        return va_arg(*args, long long);
    case 'z':
        return va_arg(*args, ssize_t);
    case 'j':
        return va_arg(*args, intmax_t);
    default:
        return va_arg(*args, int);
    }
}

static uint64_t take_unsigned(const struct spec *s, va_list *args)
{
    switch (s->length) {
    case 'l':
        return va_arg(*args, unsigned long);
    case 'q':
        return va_arg(*args, unsigned long long);
    case 'z':
        return va_arg(*args, size_t);
    case 'j':
        return va_arg(*args, uintmax_t);
    default:
        return va_arg(*args, unsigned);
    }
}

static void put_number(struct log_line *l, const struct spec *s, va_list *args)
{
    bool is_signed = s->conversion == 'd' || s->conversion == 'i';
    int64_t value = is_signed ? take_signed(s, args) : 0;
    uint64_t size = is_signed ? (value < 0 ? 0 - (uint64_t)value : (uint64_t)value)
                              : take_unsigned(s, args);
    unsigned base = s->conversion == 'x' ? 16 : 10;
    size_t n = value < 0 ? 2 : 1;
    uint64_t left;

    for (left = size; left >= base; left /= base)
        n++;
    if (value < 0 && s->pad == '0')
        log_line_put(l, "-", 1);
    for (; n < s->width; n++)
        log_line_put(l, &s->pad, 1);
    if (value < 0 && s->pad != '0')
        log_line_put(l, "-", 1);
    log_line_put_unsigned(l, size, base);
}

static void put_text(struct log_line *l, const struct spec *s, va_list *args)
{
    const char *text = va_arg(*args, const char *);
    size_t max = LOG_VALUE_MAX + 1; /* one more tells that it is cut */

    if (s->has_precision && s->precision < max)
        max = s->precision;
    log_line_put_value(l, (struct slice){text ? text : "", text ? strnlen(text, max) : 0});
}

bool log_line_format(struct log_line *l, const char *fmt, va_list *args)
{
    while (*fmt) {
        const char *percent = strchrnul(fmt, '%');
        struct spec s;
        char c;

        for (; fmt < percent; fmt++) {
            l->is_quoted ^= *fmt == '"';
            log_line_put(l, fmt, 1);
        }
        if (!*fmt)
            break;
        fmt++;
        read_spec(&fmt, &s, args);
        switch (s.conversion) {
        case 's':
            put_text(l, &s, args);
            break;
        case 'c':
            c = (char)va_arg(*args, int);
            log_line_put_value(l, (struct slice){&c, 1});
            break;
        case 'd':
        case 'i':
        case 'u':
        case 'x':
            put_number(l, &s, args);
            break;
        case '%':
            log_line_put(l, "%", 1);
            break;
        default:
            log_line_put_z(l, "? log_error=unknown_conversion");
            return false;
        }
    }
    return true;
}
