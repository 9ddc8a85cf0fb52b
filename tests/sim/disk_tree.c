#include "tests/sim/disk_tree.h"

#include "tests/sim/world.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define SECTOR_BYTES 512
#define CAP_FIRST    512

/* ---- files ---- */

struct inode *inode_new(bool is_dir)
{
    struct inode *f = calloc(1, sizeof(*f));
    f->locked_by = -1;
    if (is_dir) {
        f->dir = malloc(sizeof(*f->dir));
        f->dir->entries_n = f->dir->durable_n = f->dir->changes_n = 0;
    }
    return f;
}

static void grow(struct inode *f, int64_t bytes)
{
    if (bytes <= f->cap)
        return;
    int64_t cap = f->cap ? f->cap : CAP_FIRST;
    while (cap < bytes)
        cap *= 2;
    char *data = calloc(1, (size_t)cap), *durable = calloc(1, (size_t)cap);
    if (f->cap) {
        memcpy(data, f->data, (size_t)f->cap);
        memcpy(durable, f->durable, (size_t)f->cap);
    }
    free(f->data);
    free(f->durable);
    f->data = data;
    f->durable = durable;
    f->cap = cap;
}

static void mark_dirty(struct inode *f, int64_t from, int64_t to)
{
    bool is_clean = f->dirty_from >= f->dirty_to;
    if (is_clean || from < f->dirty_from)
        f->dirty_from = from;
    if (is_clean || to > f->dirty_to)
        f->dirty_to = to;
}

void inode_write(struct inode *f, const char *p, size_t n, int64_t at)
{
    if (!n)
        return;
    int64_t end = at + (int64_t)n;
    grow(f, end);
    memcpy(f->data + at, p, n);
    if (f->size < end)
        f->size = end;
    mark_dirty(f, at, end);
}

void inode_resize(struct inode *f, int64_t size)
{
    grow(f, size);
    if (size < f->size)
        memset(f->data + size, 0, (size_t)(f->size - size));
    f->size = size;
    if (f->dirty_to > size)
        f->dirty_to = size;
}

static void put_durable(struct inode *f, int64_t from, int64_t to)
{
    if (from < to)
        memcpy(f->durable + from, f->data + from, (size_t)(to - from));
}

static void set_durable_size(struct inode *f, int64_t size)
{
    if (size < f->durable_size)
        memset(f->durable + size, 0, (size_t)(f->durable_size - size));
    f->durable_size = size;
}

void inode_sync(struct inode *f)
{
    put_durable(f, f->dirty_from, f->dirty_to);
    set_durable_size(f, f->size);
    inode_forget_dirty(f);
}

void inode_forget_dirty(struct inode *f)
{
    f->dirty_from = f->dirty_to = 0;
}

void inode_power_cut(struct inode *f)
{
    int64_t from = f->dirty_from, to = f->dirty_to, size = f->size;
    switch (dice(4)) {
    case 0:
        size = dice(2) ? f->size : f->durable_size;
        break;
    case 1:
        put_durable(f, from, to);
        break;
    case 2:
        if (from < to)
            put_durable(f, from, from + dice((uint32_t)(to - from)));
        break;
    default:
        size = dice(2) ? f->size : f->durable_size;
        for (int64_t at = from; at < to; at = (at / SECTOR_BYTES + 1) * SECTOR_BYTES) {
            int64_t end = (at / SECTOR_BYTES + 1) * SECTOR_BYTES;
            if (dice(2))
                put_durable(f, at, end < to ? end : to);
        }
    }
    set_durable_size(f, size);
    inode_forget_dirty(f);
    f->size = f->durable_size;
    if (f->cap) {
        memset(f->durable + f->size, 0, (size_t)(f->cap - f->size));
        memcpy(f->data, f->durable, (size_t)f->cap);
    }
    f->locked_by = -1;
}

/* ---- names ---- */

static int find_in(const struct entry *all, int n, const char *name)
{
    for (int i = 0; i < n; i++) {
        if (strcmp(all[i].name, name) == 0)
            return i;
    }
    return -1;
}

struct inode *dir_find(const struct dir *d, const char *name)
{
    int i = find_in(d->entries, d->entries_n, name);
    return i < 0 ? NULL : d->entries[i].inode;
}

static void remove_from(struct entry *all, int *n, const char *name)
{
    int i = find_in(all, *n, name);
    if (i >= 0)
        all[i] = all[--*n];
}

static void change(struct entry *all, int *n, const struct change *c)
{
    if (c->from[0])
        remove_from(all, n, c->from);
    if (c->is_removal) {
        remove_from(all, n, c->entry.name);
        return;
    }
    int i = find_in(all, *n, c->entry.name);
    if (i < 0) {
        assert(*n < ENTRIES_MAX);
        i = (*n)++;
    }
    all[i] = c->entry;
}

static void make_durable(struct dir *d, int n)
{
    for (int i = 0; i < n; i++)
        change(d->durable, &d->durable_n, &d->changes[i]);
    d->changes_n -= n;
    memmove(d->changes, d->changes + n, (size_t)d->changes_n * sizeof(d->changes[0]));
}

static void note(struct dir *d, const struct change *c)
{
    change(d->entries, &d->entries_n, c);
    if (d->changes_n == CHANGES_MAX)
        make_durable(d, 1); /* the disk may do so at any time */
    d->changes[d->changes_n++] = *c;
}

static void copy_name(char dst[NAME_SIZE], const char *name)
{
    assert(strlen(name) < NAME_SIZE);
    memcpy(dst, name, strlen(name) + 1);
}

void dir_set(struct dir *d, const char *name, struct inode *inode)
{
    struct change c = {.entry.inode = inode};
    copy_name(c.entry.name, name);
    note(d, &c);
}

void dir_remove(struct dir *d, const char *name)
{
    struct change c = {.is_removal = true};
    copy_name(c.entry.name, name);
    note(d, &c);
}

void dir_rename(struct dir *d, const char *from, const char *to)
{
    struct change c = {.entry.inode = dir_find(d, from)};
    copy_name(c.from, from);
    copy_name(c.entry.name, to);
    note(d, &c);
}

void dir_sync(struct dir *d)
{
    make_durable(d, d->changes_n);
}

void dir_power_cut(struct dir *d)
{
    make_durable(d, (int)dice((uint32_t)d->changes_n + 1));
    d->changes_n = 0;
    d->entries_n = d->durable_n;
    memcpy(d->entries, d->durable, (size_t)d->durable_n * sizeof(d->entries[0]));
    for (int i = 0; i < d->entries_n; i++) {
        struct inode *f = d->entries[i].inode;
        f->locked_by = -1;
        if (f->dir)
            dir_power_cut(f->dir);
        else
            inode_power_cut(f);
    }
}
