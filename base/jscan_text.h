/* jscan_text - what a JSON string or number stands for: the character level under jscan.
 *
 * For jscan.c, which shares the helpers below; the rest of jscan_text.c implements jscan_key_is,
 * jscan_string, jscan_i64 and jscan_escape of jscan.h. Pure; any thread. */
#ifndef AIPASS_BASE_JSCAN_TEXT_H
#define AIPASS_BASE_JSCAN_TEXT_H

#include <stdbool.h>

/* jscan_skip_plain - over ASCII that a string may hold as it is. Returns where a quote, a
 * backslash, a control character, a byte above 0x7f or end stands. Fast: 16 or 8 bytes a step. */
const char *jscan_skip_plain(const char *p, const char *end);

/* jscan_hex_value - 0..15, or -1. */
static inline int jscan_hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static inline bool jscan_is_digit(char c)
{
    return c >= '0' && c <= '9';
}

#endif
