/* The real disk and clock. */
#include "db/money_ops.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define DIR_MODE        0700
#define FILE_MODE       0600
#define MACHINE_ID_FILE "/etc/machine-id"

static enum err from_errno(void)
{
    if (errno == ENOENT)
        return ERR_END;
    return errno == ENOSPC || errno == EDQUOT ? ERR_FULL : ERR_IO;
}

static enum err disk_open(void *self, const char *path, enum disk_mode mode, int *fd)
{
    static const int flags[] = {
        [DISK_READ] = O_RDONLY,
        [DISK_CREATE] = O_RDWR | O_CREAT | O_EXCL,
        [DISK_EDIT] = O_RDWR,
        [DISK_OPEN] = O_RDWR | O_CREAT,
        [DISK_APPEND] = O_WRONLY | O_CREAT | O_APPEND,
    };
    (void)self;
    int opened = open(path, flags[mode] | O_CLOEXEC | O_NOFOLLOW, FILE_MODE);
    if (opened < 0)
        return from_errno();
    *fd = opened;
    return ERR_OK;
}

static void disk_close(void *self, int fd)
{
    (void)self;
    (void)close(fd);
}

static enum err disk_size(void *self, int fd, int64_t *bytes)
{
    struct stat st;
    (void)self;
    if (fstat(fd, &st))
        return from_errno();
    *bytes = st.st_size;
    return ERR_OK;
}

static enum err disk_read(void *self, int fd, void *dst, size_t n, int64_t at, size_t *got)
{
    size_t done = 0;
    (void)self;
    while (done < n) {
        ssize_t r = pread(fd, (char *)dst + done, n - done, at + (int64_t)done);
        if (r < 0 && errno == EINTR)
            continue;
        if (r < 0)
            return from_errno();
        if (!r)
            break;
        done += (size_t)r;
    }
    *got = done;
    return ERR_OK;
}

/* One write unless it comes back short; at < 0: append. */
static enum err write_all(int fd, const char *p, size_t n, int64_t at)
{
    while (n) {
        ssize_t w = at < 0 ? write(fd, p, n) : pwrite(fd, p, n, at);
        if (w < 0 && errno == EINTR)
            continue;
        if (w < 0)
            return from_errno();
        p += w;
        n -= (size_t)w;
        at += at < 0 ? 0 : w;
    }
    return ERR_OK;
}

static enum err disk_write(void *self, int fd, const void *p, size_t n, int64_t at)
{
    (void)self;
    assert(at >= 0);
    return write_all(fd, p, n, at);
}

static enum err disk_append(void *self, int fd, const void *p, size_t n)
{
    (void)self;
    return write_all(fd, p, n, -1);
}

static enum err disk_allocate(void *self, int fd, int64_t at, int64_t n)
{
    (void)self;
    if (n <= 0)
        return ERR_OK;
    do {
        errno = posix_fallocate(fd, at, n);
    } while (errno == EINTR);
    return errno ? from_errno() : ERR_OK;
}

static enum err disk_truncate(void *self, int fd, int64_t n)
{
    (void)self;
    return ftruncate(fd, n) ? from_errno() : ERR_OK;
}

static enum err disk_sync(void *self, int fd)
{
    (void)self;
    return fdatasync(fd) ? from_errno() : ERR_OK;
}

static enum err disk_sync_dir(void *self, const char *path)
{
    (void)self;
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return from_errno();
    /* EINVAL: a file system that does not sync directories. */
    enum err e = fsync(fd) && errno != EINVAL ? from_errno() : ERR_OK;
    (void)close(fd);
    return e;
}

static enum err disk_lock(void *self, int fd)
{
    (void)self;
    if (!flock(fd, LOCK_EX | LOCK_NB))
        return ERR_OK;
    return errno == EWOULDBLOCK ? ERR_BUSY : from_errno();
}

static bool disk_is_same(void *self, int fd, const char *path)
{
    struct stat a, b;
    (void)self;
    return !fstat(fd, &a) && !stat(path, &b) && a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

static enum err disk_rename(void *self, const char *from, const char *to)
{
    (void)self;
    return rename(from, to) ? from_errno() : ERR_OK;
}

static enum err disk_unlink(void *self, const char *path)
{
    (void)self;
    return unlink(path) ? from_errno() : ERR_OK;
}

static enum err disk_mkdir(void *self, const char *path)
{
    (void)self;
    return mkdir(path, DIR_MODE) && errno != EEXIST ? from_errno() : ERR_OK;
}

static enum err disk_rmdir(void *self, const char *path)
{
    (void)self;
    return rmdir(path) ? from_errno() : ERR_OK;
}

static enum err disk_list(void *self, const char *path, void (*each)(void *arg, const char *name),
                          void *arg)
{
    (void)self;
    DIR *d = opendir(path);
    if (!d)
        return from_errno();
    errno = 0;
    for (struct dirent *e; (e = readdir(d));) {
        if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
            each(arg, e->d_name);
        errno = 0;
    }
    enum err e = errno ? ERR_IO : ERR_OK;
    (void)closedir(d);
    return e;
}

/* ---- clock ---- */

static int64_t now_mono_ms(void *self)
{
    (void)self;
    return clock_mono_ms();
}

static int64_t now_wall_ms(void *self)
{
    (void)self;
    return clock_wall_ms();
}

static void make_id(void *self, char id[ULID_SIZE])
{
    (void)self;
    ulid_make(id);
}

static void wait_on(void *self, pthread_cond_t *cond, pthread_mutex_t *mutex, int64_t ms)
{
    (void)self;
    int64_t until_us = clock_mono_us() + ms * 1000;
    struct timespec t = {.tv_sec = until_us / 1000000, .tv_nsec = until_us % 1000000 * 1000};
    (void)pthread_cond_timedwait(cond, mutex, &t);
}

static void read_host(void *self, char name[HOST_SIZE], char id[HOST_SIZE])
{
    (void)self;
    if (gethostname(name, HOST_SIZE))
        memcpy(name, "unknown", sizeof("unknown"));
    name[HOST_SIZE - 1] = '\0';
    memcpy(id, name, HOST_SIZE);
    int fd = open(MACHINE_ID_FILE, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return;
    char text[HOST_SIZE] = "";
    ssize_t n = read(fd, text, sizeof(text) - 1);
    (void)close(fd);
    text[n > 0 ? n : 0] = '\0';
    text[strcspn(text, "\r\n")] = '\0';
    if (*text)
        memcpy(id, text, HOST_SIZE);
}

static const struct money_clock_ops clock_ops = {
    .mono_ms = now_mono_ms,
    .wall_ms = now_wall_ms,
    .make_id = make_id,
    .wait = wait_on,
    .host = read_host,
};

static const struct money_disk_ops disk_ops = {
    .open = disk_open,
    .close = disk_close,
    .size = disk_size,
    .read = disk_read,
    .write = disk_write,
    .append = disk_append,
    .allocate = disk_allocate,
    .truncate = disk_truncate,
    .sync = disk_sync,
    .sync_dir = disk_sync_dir,
    .lock = disk_lock,
    .is_same = disk_is_same,
    .rename = disk_rename,
    .unlink = disk_unlink,
    .mkdir = disk_mkdir,
    .rmdir = disk_rmdir,
    .list = disk_list,
};

struct money_ops money_ops_real(struct db *db)
{
    return (struct money_ops){.clock = clock_ops, .db = money_sql_ops(db), .disk = disk_ops};
}
