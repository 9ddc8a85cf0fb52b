/* bytes - a growable byte buffer.
 *
 * Belongs to the struct it stands in; bytes_clear frees it. A zeroed one is empty and valid.
 * Running out of memory ends the program (this is a test tool). One thread.
 */
#ifndef TESTS_PROVIDER_BYTES_H
#define TESTS_PROVIDER_BYTES_H

#include "tests/provider/span.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct bytes {
    char *data;
    size_t len;
    size_t cap;
};

/* bytes_clear - free the memory; the buffer is empty and usable again. */
void bytes_clear(struct bytes *b);

/* bytes_reset - empty the buffer, keeping its memory unless that is large (above 16 kB). */
void bytes_reset(struct bytes *b);

/* bytes_swap - exchange the contents of two buffers without copying. */
void bytes_swap(struct bytes *a, struct bytes *b);

/* bytes_room - make room for len more bytes and return where they begin; the caller then adds to
 * b->len what it wrote. */
char *bytes_room(struct bytes *b, size_t len);

/* bytes_put, bytes_puts, bytes_put_span - append len bytes, a C string, a span. */
void bytes_put(struct bytes *b, const void *data, size_t len);
void bytes_puts(struct bytes *b, const char *text);
void bytes_put_span(struct bytes *b, struct span s);

/* bytes_put_int - append a number in decimal. */
void bytes_put_int(struct bytes *b, int64_t value);

/* bytes_printf - append formatted text; for places that need not be fast. */
void bytes_printf(struct bytes *b, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* bytes_put_json - append the inside of a JSON string: escaped, without the quotes. Bytes that are
 * not UTF-8 become U+FFFD each. */
void bytes_put_json(struct bytes *b, const char *data, size_t len);

/* bytes_put_quoted - append a whole JSON string, quotes included. */
void bytes_put_quoted(struct bytes *b, const char *data, size_t len);

/* utf8_length - length of the UTF-8 character at data: 1 to 4, or 0 when it is not valid within
 * len bytes. Source: RFC 3629. */
size_t utf8_length(const char *data, size_t len);

/* utf8_is_valid - whether all of data is UTF-8. */
bool utf8_is_valid(const char *data, size_t len);

#endif
