#include "fcgi/body.h"

#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define BODY_CHUNK_BYTES ((size_t)64 * 1024)
#define BODY_PATH_MAX    4096

static enum err read_memory(struct body_store *store, struct transport *t, size_t length);
static enum err read_growing(struct body_store *store, struct transport *t,
                             const struct config *config);
static enum err read_file(struct body_store *store, struct transport *t, size_t length,
                          const struct config *config);

enum err body_read(struct body_store *store, struct transport *t, int64_t length,
                   const struct config *config, struct slice *out)
{
    enum err e;

    body_drop(store);
    if (length > config->body_max_bytes)
        return ERR_TOO_LARGE;
    if (length < 0)
        e = read_growing(store, t, config);
    else if (length <= config->body_memory_bytes)
        e = read_memory(store, t, (size_t)length);
    else
        e = read_file(store, t, (size_t)length, config);
    if (e != ERR_OK) {
        body_drop(store);
        return e;
    }
    *out = (struct slice){store->p, store->n};
    return ERR_OK;
}

void body_drop(struct body_store *store)
{
    if (store->is_mapped)
        munmap(store->p, store->n);
    else
        free(store->p);
    *store = (struct body_store){0};
}

/* One byte more than announced is asked for: it reaches the end of the input, and tells a body
 * that is too long. Plain CGI promises no end of the input (RFC 3875 4.2), so there exactly
 * length bytes are read. */
static enum err read_memory(struct body_store *store, struct transport *t, size_t length)
{
    size_t want = t->is_cgi ? length : length + 1;
    size_t got = 0;
    enum err e;

    store->p = malloc(length + 1);
    if (store->p == NULL)
        return ERR_MEMORY;
    if (want == 0)
        return ERR_OK;
    e = t->ops->read(t, store->p, want, &got);
    if (e != ERR_OK)
        return e;
    store->n = got;
    return got == length ? ERR_OK : ERR_UPLOAD_CUT;
}

/* The spool file, already without a name. -1: errno. */
static int open_spool(const char *dir)
{
    char path[BODY_PATH_MAX];
    int fd = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, S_IRUSR | S_IWUSR);
    int n;

    if (fd >= 0 || (errno != EOPNOTSUPP && errno != EISDIR && errno != EINVAL))
        return fd;
    n = snprintf(path, sizeof(path), "%s/body-XXXXXX", dir);
    if (n < 0 || (size_t)n >= sizeof(path)) {
        errno = ENAMETOOLONG;
        return -1;
    }
    fd = mkostemp(path, O_CLOEXEC);
    if (fd >= 0)
        unlink(path);
    return fd;
}

static bool write_all(int fd, const char *p, size_t n)
{
    while (n > 0) {
        ssize_t wrote = write(fd, p, n);
        if (wrote < 0 && errno == EINTR)
            continue;
        if (wrote <= 0)
            return false;
        p += wrote;
        n -= (size_t)wrote;
    }
    return true;
}

/* Copies the input to fd, at most max bytes. *total counts also what fd holds already. */
static enum err copy_input(struct transport *t, int fd, size_t max, size_t *total)
{
    char *chunk = malloc(BODY_CHUNK_BYTES);
    enum err e = ERR_OK;

    if (chunk == NULL)
        return ERR_MEMORY;
    while (*total < max) {
        size_t left = max - *total;
        size_t want = left < BODY_CHUNK_BYTES ? left : BODY_CHUNK_BYTES;
        size_t got = 0;

        e = t->ops->read(t, chunk, want, &got);
        if (e != ERR_OK)
            break;
        if (!write_all(fd, chunk, got)) {
            log_error("body_spool_failed", "errno=%d text=%s", errno, strerror(errno));
            e = ERR_UNAVAILABLE;
            break;
        }
        *total += got;
        if (got < want)
            break;
    }
    free(chunk);
    return e;
}

static enum err map_file(struct body_store *store, int fd, size_t n)
{
    void *p = mmap(NULL, n, PROT_READ, MAP_PRIVATE, fd, 0);

    if (p == MAP_FAILED)
        return ERR_MEMORY;
    *store = (struct body_store){.p = p, .n = n, .cap = n, .is_mapped = true};
    return ERR_OK;
}

/* Moves what the store holds in memory into a new spool file, reads the rest of the input into
 * that and maps it. */
static enum err spill(struct body_store *store, struct transport *t, size_t max,
                      const struct config *config, size_t *total)
{
    int fd = open_spool(config->spool_dir);
    enum err e;

    if (fd < 0 || !write_all(fd, store->p, store->n)) {
        log_error("body_spool_failed", "errno=%d text=%s", errno, strerror(errno));
        if (fd >= 0)
            close(fd);
        return ERR_UNAVAILABLE;
    }
    *total = store->n;
    body_drop(store);
    e = copy_input(t, fd, max, total);
    if (e == ERR_OK && *total > 0)
        e = map_file(store, fd, *total);
    close(fd);
    return e;
}

static enum err read_file(struct body_store *store, struct transport *t, size_t length,
                          const struct config *config)
{
    size_t total = 0;
    enum err e = spill(store, t, t->is_cgi ? length : length + 1, config, &total);

    if (e != ERR_OK)
        return e;
    return total == length ? ERR_OK : ERR_UPLOAD_CUT;
}

static enum err grow(struct body_store *store, size_t max)
{
    size_t cap = store->cap == 0 ? BODY_CHUNK_BYTES : store->cap * 2;
    char *p;

    if (cap > max)
        cap = max;
    p = realloc(store->p, cap);
    if (p == NULL)
        return ERR_MEMORY;
    store->p = p;
    store->cap = cap;
    return ERR_OK;
}

/* Unknown length: memory doubles up to body_memory_bytes, then the file takes over. */
static enum err read_growing(struct body_store *store, struct transport *t,
                             const struct config *config)
{
    size_t max = (size_t)config->body_max_bytes + 1;
    size_t memory_max = (size_t)config->body_memory_bytes + 1;
    size_t total = 0;
    enum err e;

    if (memory_max > max)
        memory_max = max;
    while (store->n < memory_max) {
        size_t want;
        size_t got = 0;

        e = grow(store, memory_max);
        if (e != ERR_OK)
            return e;
        want = store->cap - store->n;
        e = t->ops->read(t, store->p + store->n, want, &got);
        if (e != ERR_OK)
            return e;
        store->n += got;
        if (got < want)
            return ERR_OK;
    }
    if (store->n == max)
        return ERR_TOO_LARGE;
    e = spill(store, t, max, config, &total);
    if (e != ERR_OK)
        return e;
    return total < max ? ERR_OK : ERR_TOO_LARGE;
}
