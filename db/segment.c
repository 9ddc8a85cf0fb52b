#include "db/segment.h"

#include "base/log.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NAME_PREFIX "segment-"
#define NAME_DIGITS 10
#define NEW_SUFFIX  ".new"
#define ROWS_FIRST  64

void segment_rows_init(struct segment_rows *r)
{
    *r = (struct segment_rows){0};
    buf_init(&r->bad, SEGMENT_FILE_MAX);
}

void segment_rows_clear(struct segment_rows *r)
{
    free(r->rows);
    buf_clear(&r->bad);
    *r = (struct segment_rows){0};
}

enum err segment_rows_add(struct segment_rows *r, const struct usage_row *row)
{
    if (r->n == r->cap) {
        size_t cap = r->cap ? 2 * r->cap : ROWS_FIRST;
        struct usage_row *p = realloc(r->rows, cap * sizeof(*p));
        if (!p)
            return ERR_MEMORY;
        r->rows = p;
        r->cap = cap;
    }
    r->rows[r->n++] = *row;
    return ERR_OK;
}

/* One piece up to its end; is_line: it ended at LF, which is part of it. */
static enum err take_piece(struct slice piece, bool is_line, struct segment_rows *r)
{
    struct usage_row row;
    if (!is_line) {
        r->torn++;
        return ERR_OK;
    }
    if (usage_row_decode(piece, &row) == ERR_OK)
        return segment_rows_add(r, &row);
    return buf_append_slice(&r->bad, piece);
}

enum err segment_parse(struct slice bytes, struct segment_rows *r)
{
    size_t at = 0;
    enum err e = ERR_OK;
    while (!e && at < bytes.n) {
        if (!bytes.p[at]) {
            at++;
            continue;
        }
        size_t start = at;
        while (at < bytes.n && bytes.p[at] && bytes.p[at] != '\n')
            at++;
        bool is_line = at < bytes.n && bytes.p[at] == '\n';
        at += is_line;
        e = take_piece((struct slice){bytes.p + start, at - start}, is_line, r);
    }
    return e;
}

void segment_path(char dst[SPOOL_PATH_MAX], const char *dir, uint64_t number)
{
    char name[SPOOL_NAME_MAX];
    (void)snprintf(name, sizeof(name), NAME_PREFIX "%0*" PRIu64, NAME_DIGITS, number);
    enum err e = spool_path(dst, dir, name);
    assert(!e);
    (void)e;
}

uint64_t segment_number(const char *name)
{
    int64_t n = 0;
    struct slice s = slice_of(name);
    if (!slice_starts(s, NAME_PREFIX))
        return 0;
    s.p += strlen(NAME_PREFIX);
    s.n -= strlen(NAME_PREFIX);
    if (s.n < NAME_DIGITS || slice_to_i64(s, &n) || n < 0)
        return 0;
    return (uint64_t)n;
}

enum err segment_read(const struct money_ops *ops, const char *path, struct segment_rows *r)
{
    struct buf b;
    buf_init(&b, SEGMENT_FILE_MAX);
    enum err e = spool_read_file(ops, path, &b);
    if (!e)
        e = segment_parse(buf_slice(&b), r);
    buf_clear(&b);
    if (e && e != ERR_END)
        log_error("segment_read", "path=%s error=%s", path, err_name(e));
    return e;
}

static enum err write_rows(const struct money_ops *ops, int fd, const struct usage_row *rows,
                           size_t n)
{
    const struct money_disk_ops *d = &ops->disk;
    char line[USAGE_ROW_LINE_MAX];
    int64_t at = 0;
    enum err e = ERR_OK;
    for (size_t i = 0; !e && i < n; i++) {
        size_t bytes = usage_row_encode(&rows[i], line);
        e = d->write(d->self, fd, line, bytes, at);
        at += (int64_t)bytes;
    }
    return e ? e : d->sync(d->self, fd);
}

enum err segment_write(const struct money_ops *ops, const char *dir, uint64_t number,
                       const struct usage_row *rows, size_t n)
{
    const struct money_disk_ops *d = &ops->disk;
    char path[SPOOL_PATH_MAX], making[SPOOL_PATH_MAX];
    int fd = -1;
    segment_path(path, dir, number);
    if (snprintf(making, sizeof(making), "%s" NEW_SUFFIX, path) >= (int)sizeof(making))
        return ERR_IO;
    enum err e = d->unlink(d->self, making); /* of one who died at it */
    if (!e || e == ERR_END)
        e = d->open(d->self, making, DISK_CREATE, &fd);
    if (!e) {
        e = write_rows(ops, fd, rows, n);
        d->close(d->self, fd);
    }
    if (!e)
        e = d->rename(d->self, making, path);
    if (!e)
        e = d->sync_dir(d->self, dir);
    if (e) {
        log_error("segment_write", "path=%s error=%s", path, strerror(errno));
        return ERR_IO;
    }
    return ERR_OK;
}
