#include "base/buf.h"

#include <assert.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_BYTES 256

void buf_init(struct buf *b, size_t max)
{
    assert(max <= SIZE_MAX / 2);
    *b = (struct buf){.max = max};
}

void buf_clear(struct buf *b)
{
    free(b->p);
    *b = (struct buf){.max = b->max};
}

void buf_reset(struct buf *b)
{
    b->n = 0;
    if (b->p)
        b->p[0] = '\0';
}

struct slice buf_slice(const struct buf *b)
{
    return (struct slice){b->p, b->n};
}

enum err buf_reserve(struct buf *b, size_t n, char **p)
{
    size_t need, cap;
    char *grown;

    if (n > b->max - b->n)
        return ERR_FULL;
    need = b->n + n + 1;
    if (need > b->cap) {
        cap = b->cap ? b->cap : FIRST_BYTES;
        while (cap < need)
            cap *= 2;
        if (cap > b->max + 1)
            cap = b->max + 1;
        grown = realloc(b->p, cap);
        if (!grown)
            return ERR_MEMORY;
        grown[b->n] = '\0';
        b->p = grown;
        b->cap = cap;
    }
    *p = b->p + b->n;
    return ERR_OK;
}

void buf_commit(struct buf *b, size_t n)
{
    assert(n == 0 || b->n + n < b->cap);
    if (n == 0)
        return;
    b->n += n;
    b->p[b->n] = '\0';
}

enum err buf_append(struct buf *b, const void *p, size_t n)
{
    enum err e;
    char *at;

    e = buf_reserve(b, n, &at);
    if (e)
        return e;
    if (n) {
        memcpy(at, p, n);
        buf_commit(b, n);
    }
    return ERR_OK;
}

enum err buf_append_slice(struct buf *b, struct slice s)
{
    return buf_append(b, s.p, s.n);
}

enum err buf_append_z(struct buf *b, const char *z)
{
    return buf_append(b, z, strlen(z));
}

enum err buf_printf(struct buf *b, const char *fmt, ...)
{
    va_list args, again;
    enum err e;
    char *at;
    int n;

    e = buf_reserve(b, 0, &at);
    if (e)
        return e;
    va_start(args, fmt);
    va_copy(again, args);
    n = vsnprintf(at, b->cap - b->n, fmt, args);
    va_end(args);
    assert(n >= 0);
    if ((size_t)n >= b->cap - b->n) {
        *at = '\0';
        e = buf_reserve(b, (size_t)n, &at);
        if (!e)
            (void)vsnprintf(at, (size_t)n + 1, fmt, again);
    }
    va_end(again);
    if (!e)
        buf_commit(b, (size_t)n);
    return e;
}

void buf_consume(struct buf *b, size_t n)
{
    assert(n <= b->n);
    if (n == 0)
        return;
    memmove(b->p, b->p + n, b->n - n + 1);
    b->n -= n;
}
