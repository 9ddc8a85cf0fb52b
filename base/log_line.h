/* log_line - one line of the log while it is made: values quoted, escaped and cut, and the conversions
 * of log.h's formats. Of the log alone. Pure; a line belongs to one thread. */
#ifndef AIPASS_BASE_LOG_LINE_H
#define AIPASS_BASE_LOG_LINE_H

#include "base/log.h"
#include "base/str.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LOG_TAIL_BYTES 2 /* kept free in a line: a closing quote and the newline */

struct log_line {
    char text[LOG_LINE_MAX];
    size_t n;
    bool is_full;   /* something did not fit: nothing more goes in, so that the end is clean */
    bool is_quoted; /* within quotes of the format itself */
};

/* log_line_put - n bytes as they are, all or nothing. log_line_put_z - a C string. */
void log_line_put(struct log_line *l, const char *p, size_t n);
void log_line_put_z(struct log_line *l, const char *z);

/* log_line_put_value - quoted when it needs to be, escaped, cut at LOG_VALUE_MAX bytes; invalid UTF-8
 * becomes U+FFFD. */
void log_line_put_value(struct log_line *l, struct slice value);

/* log_line_put_unsigned - base: 10 or 16. */
void log_line_put_unsigned(struct log_line *l, uint64_t value, unsigned base);

/* log_line_format - fmt with its values. False when it has a conversion that is not known here: what
 * follows cannot be read from args. */
bool log_line_format(struct log_line *l, const char *fmt, va_list *args);

#endif
