#include "base/log.h"

#include "base/clock.h"
#include "base/log_line.h"
#include "base/str.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#define REQUEST_ID_SIZE 64

enum target { TARGET_STDERR, TARGET_SYSLOG, TARGET_FILE };

/* Written by log_open and log_close only, but for checked_ms. */
static struct {
    enum target target;
    enum log_level min_level;
    int fd;
    char path[PATH_MAX];
    int64_t checked_ms; /* when the file's inode was looked at; atomic */
} state = {.min_level = LOG_LEVEL_INFO, .fd = STDERR_FILENO};

static _Thread_local char request_id[REQUEST_ID_SIZE];

static const char *const level_names[] = {"debug", "info", "warn", "error"};
static const int level_priorities[] = {LOG_DEBUG, LOG_INFO, LOG_WARNING, LOG_ERR};

/* ---- the target ---- */

static int open_file(const char *path)
{
    return open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY, 0640);
}

void log_close(void)
{
    if (state.target == TARGET_FILE)
        (void)close(state.fd);
    if (state.target == TARGET_SYSLOG)
        closelog();
    state.target = TARGET_STDERR;
    state.fd = STDERR_FILENO;
}

enum err log_open(const char *target, enum log_level min_level)
{
    struct slice text = slice_of(target);
    int fd = -1;

    if (slice_starts(text, "file:")) {
        const char *path = target + strlen("file:");

        if (strlen(path) >= sizeof(state.path)) {
            errno = ENAMETOOLONG;
            return ERR_IO;
        }
        fd = open_file(path);
        if (fd < 0)
            return ERR_IO;
        log_close();
        (void)slice_copy_z(state.path, sizeof(state.path), slice_of(path));
        state.fd = fd;
        state.target = TARGET_FILE;
        state.checked_ms = clock_mono_ms();
    } else {
        log_close();
        if (slice_eq_z(text, "syslog")) {
            openlog("aipass", LOG_PID, LOG_DAEMON);
            state.target = TARGET_SYSLOG;
        }
    }
    state.min_level = min_level;
    return ERR_OK;
}

/* After a rotation the path names another file, or none. Looked at once a second by one thread;
 * dup3 puts the new file under the old number in one step, so that the others write on without a
 * lock. */
static void follow_rotation(void)
{
    int64_t now = clock_mono_ms(), checked = __atomic_load_n(&state.checked_ms, __ATOMIC_RELAXED);
    struct stat of_path, of_fd;
    int fd;

    if (now - checked < 1000 ||
        !__atomic_compare_exchange_n(&state.checked_ms, &checked, now, false, __ATOMIC_RELAXED,
                                     __ATOMIC_RELAXED))
        return;
    if (stat(state.path, &of_path) == 0 && fstat(state.fd, &of_fd) == 0 &&
        of_path.st_ino == of_fd.st_ino && of_path.st_dev == of_fd.st_dev)
        return;
    fd = open_file(state.path);
    if (fd < 0)
        return; /* the old file goes on being written */
    (void)dup3(fd, state.fd, O_CLOEXEC);
    (void)close(fd);
}

/* ---- a line goes out ---- */

void log_set_request(const char *id)
{
    (void)slice_copy_z(request_id, sizeof(request_id), slice_of(id));
}

/* Counts a line of the site. False past LOG_BURST in this second; *lost: lines dropped in the
 * second before. */
static bool site_admits(struct log_site *site, uint64_t *lost)
{
    uint64_t now = (uint64_t)(clock_mono_ms() / 1000 + 1) & UINT32_MAX, old, next;

    old = __atomic_load_n(&site->state, __ATOMIC_RELAXED);
    do {
        bool is_same = old >> 32 == now;
        uint64_t count = old & UINT32_MAX;

        *lost = !is_same && count > LOG_BURST ? count - LOG_BURST : 0;
        if (is_same && count == UINT32_MAX)
            return false;
        next = is_same ? old + 1 : now << 32 | 1;
    } while (!__atomic_compare_exchange_n(&site->state, &old, next, true, __ATOMIC_RELAXED,
                                          __ATOMIC_RELAXED));
    return (next & UINT32_MAX) <= LOG_BURST;
}

static void put_time(struct log_line *l)
{
    char sql[CLOCK_SQL_SIZE];

    clock_sql(sql, clock_wall_ms());
    sql[10] = 'T';
    log_line_put_z(l, "ts=");
    log_line_put(l, sql, CLOCK_SQL_SIZE - 1);
    log_line_put_z(l, "Z ");
}

static void send_line(struct log_line *l, enum log_level level)
{
    ssize_t sent;

    if (state.target == TARGET_SYSLOG) {
        syslog(level_priorities[level], "%.*s", (int)l->n, l->text);
        return;
    }
    if (state.target == TARGET_FILE)
        follow_rotation();
    l->text[l->n++] = '\n';
    do
        sent = write(state.fd, l->text, l->n);
    while (sent < 0 && errno == EINTR);
}

/* A line without its end: what every event has, then the caller's pairs. */
static bool start_line(struct log_line *l, enum log_level level, const char *event, uint64_t lost,
                       const char *fmt, va_list *args)
{
    l->n = 0;
    l->is_full = l->is_quoted = false;
    if (state.target != TARGET_SYSLOG)
        put_time(l);
    log_line_put_z(l, "level=");
    log_line_put_z(l, level_names[level]);
    log_line_put_z(l, " event=");
    log_line_put_value(l, slice_of(event));
    if (request_id[0]) {
        log_line_put_z(l, " request=");
        log_line_put_value(l, slice_of(request_id));
    }
    if (lost) {
        log_line_put_z(l, " suppressed=");
        log_line_put_unsigned(l, lost, 10);
    }
    if (fmt[0])
        log_line_put(l, " ", 1);
    return log_line_format(l, fmt, args);
}

/* A wrong format must not take a server down; under a sanitizer or without optimisation it is a
 * test that fails. */
static void check_format(bool is_known)
{
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || !defined(__OPTIMIZE__)
    assert(is_known);
#else
    (void)is_known;
#endif
}

void log_write(enum log_level level, struct log_site *site, const char *event, const char *fmt, ...)
{
    int saved_errno = errno;
    bool is_known;
    struct log_line l;
    uint64_t lost;
    va_list args;

    if (level < state.min_level || !site_admits(site, &lost))
        return;
    va_start(args, fmt);
    is_known = start_line(&l, level, event, lost, fmt, &args);
    va_end(args);
    send_line(&l, level);
    errno = saved_errno;
    check_format(is_known);
}

void log_request(const char *more, const char *fmt, ...)
{
    int saved_errno = errno;
    bool is_known;
    struct log_line l;
    va_list args;

    if (LOG_LEVEL_INFO < state.min_level)
        return;
    va_start(args, fmt);
    is_known = start_line(&l, LOG_LEVEL_INFO, "request", 0, fmt, &args);
    va_end(args);
    if (more)
        log_line_put(&l, " ", 1);
    for (; more && *more; more++)
        log_line_put(&l, (unsigned char)*more < ' ' ? "?" : more, 1);
    send_line(&l, LOG_LEVEL_INFO);
    errno = saved_errno;
    check_format(is_known);
}
