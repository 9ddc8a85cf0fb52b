/* buf - a growing byte buffer with a hard maximum.
 *
 * Owner: whoever called buf_init; it frees with buf_clear. Not shared between threads. The bytes
 * are followed by a NUL that does not count, so a buf of text can be read as a C string. */
#ifndef AIPASS_BASE_BUF_H
#define AIPASS_BASE_BUF_H

#include "base/err.h"
#include "base/str.h"

#include <stddef.h>

struct buf {
    char *p;    /* NULL until the first append */
    size_t n;   /* bytes in use */
    size_t cap; /* bytes allocated, the NUL included */
    size_t max; /* n never exceeds it */
};

/* buf_init - empty, nothing allocated. max: bytes, at most SIZE_MAX/2. */
void buf_init(struct buf *b, size_t max);
/* buf_clear - frees; the buf can be used again. */
void buf_clear(struct buf *b);
/* buf_reset - forgets the content and keeps the memory. */
void buf_reset(struct buf *b);
struct slice buf_slice(const struct buf *b);

/* The appends: ERR_FULL past max (nothing appended), ERR_MEMORY. */
ERR_CHECK enum err buf_append(struct buf *b, const void *p, size_t n);
ERR_CHECK enum err buf_append_slice(struct buf *b, struct slice s);
ERR_CHECK enum err buf_append_z(struct buf *b, const char *z);
ERR_CHECK enum err buf_printf(struct buf *b, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* buf_reserve - room for n more bytes. *p points at it; buf_commit says how many were written. */
ERR_CHECK enum err buf_reserve(struct buf *b, size_t n, char **p);
void buf_commit(struct buf *b, size_t n);

/* buf_consume - drops the first n bytes. */
void buf_consume(struct buf *b, size_t n);

#endif
