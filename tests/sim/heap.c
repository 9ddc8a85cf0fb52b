#include "tests/sim/heap.h"

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t n);
void __wrap_free(void *p);
void *__real_malloc(size_t n);
void __real_free(void *p);

#define HEADER_SIZE 32

#ifdef __SANITIZE_ADDRESS__

/* Under the address sanitizer each block is its own, so that it sees what it can see. */
struct block {
    struct block *next, *before;
    size_t n;
};
_Static_assert(sizeof(struct block) <= HEADER_SIZE, "fits");

static struct block all = {&all, &all, 0};

static struct block *block_of(void *p)
{
    return (struct block *)(void *)((char *)p - HEADER_SIZE);
}

void *__wrap_malloc(size_t n)
{
    struct block *b = __real_malloc(HEADER_SIZE + n);
    if (!b)
        abort();
    *b = (struct block){.next = all.next, .before = &all, .n = n};
    all.next->before = b;
    all.next = b;
    return (char *)b + HEADER_SIZE;
}

void __wrap_free(void *p)
{
    if (!p)
        return;
    struct block *b = block_of(p);
    b->next->before = b->before;
    b->before->next = b->next;
    __real_free(b);
}

void heap_reset(void)
{
    while (all.next != &all)
        __wrap_free((char *)all.next + HEADER_SIZE);
}

static size_t size_of(void *p)
{
    return block_of(p)->n;
}

#else

#define HEAP_BYTES ((size_t)512 << 20) /* of address space */
#define CLASSES_N  24
#define CLASS_MIN  5 /* 32 bytes */

/* Before each block: its class. After it was freed: the next of the class. */
struct block {
    size_t class;
    struct block *next;
};
_Static_assert(sizeof(struct block) <= HEADER_SIZE, "fits");

static char *heap;
static size_t used;
static struct block *free_blocks[CLASSES_N];

static struct block *block_of(void *p)
{
    return (struct block *)(void *)((char *)p - HEADER_SIZE);
}

static size_t size_of(void *p)
{
    return (size_t)1 << (block_of(p)->class + CLASS_MIN);
}

static void make_heap(void)
{
    heap = mmap(NULL, HEAP_BYTES, PROT_READ | PROT_WRITE,
                MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (heap == MAP_FAILED)
        abort();
}

void *__wrap_malloc(size_t n)
{
    size_t class = 0;
    while (((size_t)1 << (class + CLASS_MIN)) < n)
        class ++;
    if (class >= CLASSES_N)
        abort();
    struct block *b = free_blocks[class];
    if (b) {
        free_blocks[class] = b->next;
        return (char *)b + HEADER_SIZE;
    }
    if (!heap)
        make_heap();
    size_t bytes = HEADER_SIZE + ((size_t)1 << (class + CLASS_MIN));
    if (used + bytes > HEAP_BYTES)
        abort();
    b = (struct block *)(void *)(heap + used);
    used += bytes;
    b->class = class;
    return (char *)b + HEADER_SIZE;
}

void __wrap_free(void *p)
{
    if (!p)
        return;
    struct block *b = block_of(p);
    b->next = free_blocks[b->class];
    free_blocks[b->class] = b;
}

void heap_reset(void)
{
    used = 0;
    memset(free_blocks, 0, sizeof(free_blocks));
}

#endif

void *__wrap_calloc(size_t n, size_t size)
{
    return memset(__wrap_malloc(n * size), 0, n * size);
}

void *__wrap_realloc(void *p, size_t n)
{
    if (p && size_of(p) >= n)
        return p;
    void *grown = __wrap_malloc(n);
    if (p)
        memcpy(grown, p, size_of(p));
    __wrap_free(p);
    return grown;
}
