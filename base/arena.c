#include "base/arena.h"

#include <assert.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ALIGN ((size_t)16)
#define CHUNK_BYTES_MIN                                                                            \
    ((size_t)6144) /* what an ordinary request needs: every open stream holds one */
#define CHUNK_BYTES_MAX ((size_t)65536)

struct chunk {
    struct chunk *next;
    size_t size; /* bytes in data */
    size_t used;
    _Alignas(ALIGN) unsigned char data[];
};

struct cleanup {
    struct cleanup *next; /* the one deferred before */
    void (*fn)(void *);
    void *arg;
};

struct arena {
    struct chunk *first;   /* kept over resets */
    struct chunk *current; /* small allocations come from it */
    struct chunk *others;  /* every chunk but the first */
    struct cleanup *cleanups;
    size_t used;
    size_t max;
};

_Static_assert(_Alignof(max_align_t) <= ALIGN, "chunks are aligned for every type");

static struct chunk *chunk_new(size_t size)
{
    struct chunk *c = malloc(sizeof(*c) + size);

    if (c) {
        c->next = NULL;
        c->size = size;
        c->used = 0;
    }
    return c;
}

static void run_cleanups(struct arena *a)
{
    /* The head is read anew each time: a cleanup may defer another one. */
    while (a->cleanups) {
        struct cleanup *c = a->cleanups;

        a->cleanups = c->next;
        c->fn(c->arg);
    }
}

static void free_others(struct arena *a)
{
    while (a->others) {
        struct chunk *c = a->others;

        a->others = c->next;
        free(c);
    }
}

struct arena *arena_new(size_t max_bytes)
{
    struct arena *a = calloc(1, sizeof(*a));

    if (!a)
        return NULL;
    a->first = chunk_new(CHUNK_BYTES_MIN - sizeof(struct chunk));
    if (!a->first) {
        free(a);
        return NULL;
    }
    a->current = a->first;
    a->max = max_bytes;
    return a;
}

void arena_free(struct arena *a)
{
    if (!a)
        return;
    run_cleanups(a);
    free_others(a);
    free(a->first);
    free(a);
}

void arena_reset(struct arena *a)
{
    run_cleanups(a);
    free_others(a);
    a->first->used = 0;
    a->current = a->first;
    a->used = 0;
}

/* A chunk that n bytes fit in. What would waste much of the current one gets a chunk of its own and
 * leaves the current one in use. */
static struct chunk *chunk_for(struct arena *a, size_t n)
{
    size_t size = (a->current->size + sizeof(struct chunk)) * 2;
    struct chunk *c;

    if (a->current->size - a->current->used >= n)
        return a->current;
    if (size > CHUNK_BYTES_MAX)
        size = CHUNK_BYTES_MAX;
    size -= sizeof(struct chunk);
    c = chunk_new(n > size / 4 ? n : size);
    if (!c)
        return NULL;
    c->next = a->others;
    a->others = c;
    if (n <= size / 4)
        a->current = c;
    return c;
}

void *arena_alloc(struct arena *a, size_t n)
{
    struct chunk *c;
    void *p;

    if (n > a->max - a->used)
        return NULL;
    n = n ? (n + ALIGN - 1) & ~(ALIGN - 1) : ALIGN;
    if (n > a->max - a->used)
        return NULL;
    c = chunk_for(a, n);
    if (!c)
        return NULL;
    p = c->data + c->used;
    c->used += n;
    a->used += n;
    return memset(p, 0, n);
}

char *arena_copy(struct arena *a, struct slice s)
{
    char *p = s.n < SIZE_MAX ? arena_alloc(a, s.n + 1) : NULL;

    if (p && s.n)
        memcpy(p, s.p, s.n);
    return p;
}

char *arena_printf(struct arena *a, const char *fmt, ...)
{
    va_list args;
    char *p;
    int n;

    va_start(args, fmt);
    n = vsnprintf(NULL, 0, fmt, args);
    va_end(args);
    assert(n >= 0);
    p = arena_alloc(a, (size_t)n + 1);
    if (!p)
        return NULL;
    va_start(args, fmt);
    (void)vsnprintf(p, (size_t)n + 1, fmt, args);
    va_end(args);
    return p;
}

enum err arena_defer(struct arena *a, void (*fn)(void *), void *arg)
{
    struct cleanup *c = arena_alloc(a, sizeof(*c));

    if (!c)
        return ERR_MEMORY;
    *c = (struct cleanup){a->cleanups, fn, arg};
    a->cleanups = c;
    return ERR_OK;
}

size_t arena_used(const struct arena *a)
{
    return a->used;
}
