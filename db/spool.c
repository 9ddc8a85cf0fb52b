#include "db/spool.h"

#include "base/log.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define FILE_OWNER    "owner"
#define FILE_REJECTED "rejected"
#define OWNER_MAX     512
#define REJECTED_MAX  ((size_t)64 << 20)
#define READ_BYTES    65536

static enum err fail(const char *what, const char *path)
{
    log_error("spool", "problem=%s path=%s error=%s", what, path, strerror(errno));
    return ERR_IO;
}

enum err spool_path(char dst[SPOOL_PATH_MAX], const char *dir, const char *name)
{
    int n = snprintf(dst, SPOOL_PATH_MAX, "%s/%s", dir, name);
    return n > 0 && n < SPOOL_PATH_MAX ? ERR_OK : ERR_FULL;
}

/* A process directory's file: dir was checked to leave room for it. */
static const char *file_in(char dst[SPOOL_PATH_MAX], const char *dir, const char *name)
{
    enum err e = spool_path(dst, dir, name);
    assert(!e);
    (void)e;
    return dst;
}

/* root/prefix id, short enough for any file in it. */
static enum err dir_in(char dst[SPOOL_PATH_MAX], const char *root, const char *prefix,
                       const char *id)
{
    int n = snprintf(dst, SPOOL_PATH_MAX, "%s/%s%s", root, prefix, id);
    return n > 0 && n < SPOOL_PATH_MAX - SPOOL_NAME_MAX ? ERR_OK : ERR_FULL;
}

enum err spool_read_file(const struct money_ops *ops, const char *path, struct buf *b)
{
    const struct money_disk_ops *d = &ops->disk;
    int fd = -1;
    enum err e = d->open(d->self, path, DISK_READ, &fd);
    if (e)
        return e;
    int64_t at = 0;
    size_t got = READ_BYTES;
    while (!e && got == READ_BYTES) {
        char *p = NULL;
        e = buf_reserve(b, READ_BYTES, &p);
        if (!e)
            e = d->read(d->self, fd, p, READ_BYTES, at, &got);
        if (!e) {
            buf_commit(b, got);
            at += (int64_t)got;
        }
    }
    d->close(d->self, fd);
    return e;
}

/* ---- making ---- */

static enum err write_owner(const struct money_ops *ops, const char *dir,
                            const struct spool_owner *owner)
{
    const struct money_disk_ops *d = &ops->disk;
    char path[SPOOL_PATH_MAX], text[OWNER_MAX];
    int fd = -1;
    int n = snprintf(text, sizeof(text), "installation=%s\nhost=%s\nprocess=%s\n",
                     owner->installation, owner->host_id, owner->process);
    assert(n > 0 && n < OWNER_MAX);
    enum err e = d->open(d->self, file_in(path, dir, FILE_OWNER), DISK_CREATE, &fd);
    if (e)
        return e;
    e = d->write(d->self, fd, text, (size_t)n, 0);
    if (!e)
        e = d->sync(d->self,
                    fd); /* a journal without its owner could not be adopted after a power cut */
    d->close(d->self, fd);
    return e;
}

static enum err make_in(const struct money_ops *ops, const char *dir,
                        const struct spool_owner *owner, int *lock_fd)
{
    const struct money_disk_ops *d = &ops->disk;
    char path[SPOOL_PATH_MAX];
    int fd = -1;
    enum err e = d->mkdir(d->self, dir);
    if (!e)
        e = d->open(d->self, file_in(path, dir, SPOOL_LOCK), DISK_CREATE, &fd);
    if (!e)
        e = d->lock(d->self, fd);
    if (!e)
        e = write_owner(ops, dir, owner);
    if (e && fd >= 0)
        d->close(d->self, fd);
    else if (!e)
        *lock_fd = fd;
    return e;
}

static enum err remove_dir(const struct money_ops *ops, const char *dir);

/* Under another name first: nobody may look at one that has no lock or no owner yet. */
static enum err make_named(const struct money_ops *ops, const char *root,
                           const struct spool_owner *owner, struct spool *out)
{
    const struct money_disk_ops *d = &ops->disk;
    struct spool s = {.lock_fd = -1};
    char making[SPOOL_PATH_MAX];
    errno = ENAMETOOLONG;
    if (!*root || dir_in(making, root, SPOOL_NEW, owner->process) ||
        dir_in(s.dir, root, "", owner->process))
        return fail("path", root);
    if (d->mkdir(d->self, root))
        return fail("mkdir", root);
    /* What an earlier try of ours has left would be in the way. */
    if (remove_dir(ops, making) || remove_dir(ops, s.dir) ||
        make_in(ops, making, owner, &s.lock_fd))
        return fail("make", making);
    if (d->rename(d->self, making, s.dir)) {
        d->close(d->self, s.lock_fd);
        return fail("rename", making);
    }
    *out = s;
    return ERR_OK;
}

/* Whoever sweeps may have taken it for an old one, as long as it had the other name. */
static enum err check_whole(const struct money_ops *ops, const struct spool *s)
{
    char path[SPOOL_PATH_MAX];
    struct spool_owner owner;
    if (!ops->disk.is_same(ops->disk.self, s->lock_fd, file_in(path, s->dir, SPOOL_LOCK)))
        return ERR_END;
    return spool_read_owner(ops, s->dir, &owner);
}

enum err spool_make(const struct money_ops *ops, const char *root, const struct spool_owner *owner,
                    struct spool *s)
{
    enum err e = s->lock_fd < 0 ? make_named(ops, root, owner, s) : ERR_OK;
    if (e)
        return e;
    e = check_whole(ops, s);
    if (e == ERR_END || e == ERR_FORMAT) {
        spool_unlock(ops, s); /* nobody adopts it; the next try removes it */
        return fail("swept", s->dir);
    }
    /* Or a power cut would take the journal, synced or not. */
    if (!e)
        e = ops->disk.sync_dir(ops->disk.self, root);
    s->is_ready = !e;
    return e ? fail("sync", s->dir) : ERR_OK;
}

/* ---- looking at others ---- */

/* The value of "name=" in text. */
static enum err owner_value(struct slice text, const char *name, char *dst, size_t size)
{
    while (text.p) {
        struct slice line = slice_split(&text, '\n');
        struct slice key = slice_split(&line, '=');
        if (slice_eq_z(key, name) && line.n && slice_copy_z(dst, size, line))
            return ERR_OK;
    }
    return ERR_FORMAT;
}

enum err spool_read_owner(const struct money_ops *ops, const char *dir, struct spool_owner *out)
{
    char path[SPOOL_PATH_MAX];
    struct buf b;
    struct spool_owner o = {0};
    buf_init(&b, 2 * READ_BYTES);
    enum err e = spool_path(path, dir, FILE_OWNER);
    if (!e)
        e = spool_read_file(ops, path, &b);
    if (!e && (owner_value(buf_slice(&b), "installation", o.installation, sizeof(o.installation)) ||
               owner_value(buf_slice(&b), "host", o.host_id, sizeof(o.host_id)) ||
               owner_value(buf_slice(&b), "process", o.process, sizeof(o.process))))
        e = ERR_FORMAT;
    buf_clear(&b);
    if (!e)
        *out = o;
    return e;
}

static enum err lock_dir(const struct money_ops *ops, const char *dir, int *out)
{
    const struct money_disk_ops *d = &ops->disk;
    char path[SPOOL_PATH_MAX];
    int fd = -1;
    enum err e = d->open(d->self, file_in(path, dir, SPOOL_LOCK), DISK_EDIT, &fd);
    if (e)
        return e;
    e = d->lock(d->self, fd);
    /* Whoever had it may have removed or renamed the directory meanwhile. */
    if (!e && !d->is_same(d->self, fd, path))
        e = ERR_END;
    if (e)
        d->close(d->self, fd);
    else
        *out = fd;
    return e;
}

enum err spool_lock(const struct money_ops *ops, const char *root, const char *id,
                    struct spool *out)
{
    struct spool s = {.lock_fd = -1};
    enum err e = dir_in(s.dir, root, "", id);
    if (!e)
        e = lock_dir(ops, s.dir, &s.lock_fd);
    if (!e)
        *out = s;
    return e;
}

void spool_unlock(const struct money_ops *ops, struct spool *s)
{
    if (s->lock_fd >= 0)
        ops->disk.close(ops->disk.self, s->lock_fd);
    s->lock_fd = -1;
}

/* ---- removing ---- */

struct remove_arg {
    const struct money_ops *ops;
    const char *dir;
    enum err e;
};

static void remove_file(void *arg, const char *name)
{
    struct remove_arg *r = arg;
    char path[SPOOL_PATH_MAX];
    if (spool_path(path, r->dir, name))
        return;
    enum err e = r->ops->disk.unlink(r->ops->disk.self, path);
    if (e && e != ERR_END) /* ERR_END: another removes it too */
        r->e = fail("unlink", path);
}

static enum err remove_dir(const struct money_ops *ops, const char *dir)
{
    const struct money_disk_ops *d = &ops->disk;
    struct remove_arg r = {.ops = ops, .dir = dir};
    enum err e = d->list(d->self, dir, remove_file, &r);
    if (e)
        return e == ERR_END ? ERR_OK : fail("list", dir);
    if (r.e)
        return r.e;
    e = d->rmdir(d->self, dir);
    return e && e != ERR_END ? fail("rmdir", dir) : ERR_OK;
}

enum err spool_retire(const struct money_ops *ops, const char *root, const char *id,
                      struct spool *s)
{
    char done[SPOOL_PATH_MAX];
    enum err e = dir_in(done, root, SPOOL_DONE, id);
    assert(!e);
    if (ops->disk.rename(ops->disk.self, s->dir, done))
        e = fail("rename", s->dir);
    /* Or a power cut brings it back, when its position is forgotten. */
    else if (ops->disk.sync_dir(ops->disk.self, root))
        e = fail("sync", root);
    if (e)
        spool_unlock(ops, s);
    else
        memcpy(s->dir, done, sizeof(done));
    return e;
}

enum err spool_remove(const struct money_ops *ops, struct spool *s)
{
    enum err e = remove_dir(ops, s->dir);
    spool_unlock(ops, s);
    return e;
}

void spool_sweep(const struct money_ops *ops, const char *root, const char *name)
{
    char dir[SPOOL_PATH_MAX];
    int fd = -1;
    bool is_new = strncmp(name, SPOOL_NEW, strlen(SPOOL_NEW)) == 0;
    if (strlen(name) > SPOOL_NAME_MAX / 2 || dir_in(dir, root, "", name))
        return;
    if (is_new) {
        int64_t made_ms = ulid_wall_ms(name + strlen(SPOOL_NEW));
        /* It has no lock in its first moment. */
        if (made_ms < 0 || ops->clock.wall_ms(ops->clock.self) - made_ms < SPOOL_STALE_MS)
            return;
    }
    /* ERR_END: whoever was at it has removed the lock already, or died before it had one. */
    enum err e = lock_dir(ops, dir, &fd);
    if (e && e != ERR_END)
        return;
    if (!remove_dir(ops, dir))
        log_info("spool_swept", "path=%s", dir);
    if (fd >= 0)
        ops->disk.close(ops->disk.self, fd);
}

/* ---- rejected lines ---- */

/* The LF may be missing at the end: it is added then. What a power cut has left before or in place of a LF spoils the line. */
static bool has_line(struct slice all, struct slice line)
{
    size_t n = line.n - 1;
    const char *end = all.p + all.n, *at = all.p;
    while (at && (size_t)(end - at) >= n && (at = memmem(at, (size_t)(end - at), line.p, n))) {
        if ((at == all.p || at[-1] == '\n') && (at + n == end || at[n] == '\n'))
            return true;
        at++;
    }
    return false;
}

/* Appends those of lines that are not in `old`. */
static enum err append_new(const struct money_ops *ops, int fd, struct slice old,
                           struct slice lines, int64_t *added)
{
    const struct money_disk_ops *d = &ops->disk;
    enum err e = ERR_OK;
    /* A write that failed may have left a part of a line. */
    if (old.n && old.p[old.n - 1] != '\n')
        e = d->append(d->self, fd, "\n", 1);
    while (!e && lines.n) {
        const char *end = memchr(lines.p, '\n', lines.n);
        assert(end);
        struct slice line = {lines.p, (size_t)(end - lines.p) + 1};
        lines.p += line.n;
        lines.n -= line.n;
        if (has_line(old, line))
            continue;
        e = d->append(d->self, fd, line.p, line.n);
        *added += !e;
    }
    return e ? e : d->sync(d->self, fd);
}

/* old: scratch. One at a time: what another appends meanwhile would be missing in old, or be half a line that ours is joined to. */
static enum err reject_into(const struct money_ops *ops, const char *path, struct slice lines,
                            struct buf *old, int64_t *added)
{
    const struct money_disk_ops *d = &ops->disk;
    int fd = -1;
    enum err e = d->open(d->self, path, DISK_APPEND, &fd);
    if (e)
        return e;
    e = d->lock(d->self, fd);
    if (!e)
        e = spool_read_file(ops, path, old);
    if (e == ERR_END || e == ERR_FULL)
        e = ERR_OK; /* moved away just now; or too much to look for repeats in */
    if (!e)
        e = append_new(ops, fd, buf_slice(old), lines, added);
    d->close(d->self, fd);
    return e;
}

enum err spool_reject(const struct money_ops *ops, const char *root, struct slice lines,
                      int64_t *added)
{
    const struct money_disk_ops *d = &ops->disk;
    char path[SPOOL_PATH_MAX];
    struct buf old;
    int64_t n = 0;
    buf_init(&old, REJECTED_MAX);
    enum err e = spool_path(path, root, FILE_REJECTED);
    if (!e)
        e = reject_into(ops, path, lines, &old, &n);
    if (!e)
        e = d->sync_dir(d->self, root); /* it may be new */
    buf_clear(&old);
    if (e)
        return fail("reject", path);
    *added = n;
    return ERR_OK;
}

enum err spool_count_rejected(const struct money_ops *ops, const char *root, int64_t *bytes,
                              int64_t *rows)
{
    const struct money_disk_ops *d = &ops->disk;
    char path[SPOOL_PATH_MAX];
    struct buf b;
    int fd = -1;
    int64_t size = 0, n = 0;
    enum err e = spool_path(path, root, FILE_REJECTED);
    if (!e)
        e = d->open(d->self, path, DISK_READ, &fd);
    if (!e) {
        e = d->size(d->self, fd, &size);
        d->close(d->self, fd);
    }
    if (e == ERR_END)
        e = ERR_OK;
    if (e || size == *bytes)
        return e;
    buf_init(&b, REJECTED_MAX);
    e = size ? spool_read_file(ops, path, &b) : ERR_OK;
    for (size_t i = 0; i < b.n; i++)
        n += b.p[i] == '\n';
    if (e == ERR_FULL)
        n += 1; /* more than can be counted */
    buf_clear(&b);
    if (e && e != ERR_FULL)
        return e;
    *bytes = size;
    *rows = n;
    return ERR_OK;
}
