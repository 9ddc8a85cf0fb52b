#include "base/log.h"

#include "base/clock.h"
#include "base/str.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#define REQUEST_ID_SIZE 64
#define NUMBER_MAX      32 /* characters of a printed integer, its width included */
#define TAIL_BYTES      2  /* kept free in a line: a closing quote and the newline */
#define CUT_MARK        "..."

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

/* ---- a line ---- */

struct line {
    char text[LOG_LINE_MAX];
    size_t n;
    bool is_full;   /* something did not fit: nothing more goes in, so that the end is clean */
    bool is_quoted; /* within quotes of the format itself */
};

static void put(struct line *l, const char *p, size_t n)
{
    if (l->is_full || n > sizeof(l->text) - TAIL_BYTES - l->n) {
        l->is_full = true;
        return;
    }
    memcpy(l->text + l->n, p, n);
    l->n += n;
}

static void put_z(struct line *l, const char *z)
{
    put(l, z, strlen(z));
}

/* A character that may not stand in a line as it is: \n, \", or \u00XX. */
static void put_escaped(struct line *l, unsigned char c)
{
    static const char digits[] = "0123456789abcdef", from[] = "\"\\\n\r\t", to[] = "\"\\nrt";
    const char *known = c ? strchr(from, c) : NULL;
    char text[6] = "\\u00";

    if (known) {
        text[1] = to[known - from];
        put(l, text, 2);
        return;
    }
    text[4] = digits[c >> 4];
    text[5] = digits[c & 15];
    put(l, text, sizeof(text));
}

static bool needs_quotes(struct slice value)
{
    size_t i;

    for (i = 0; i < value.n; i++) {
        unsigned char c = (unsigned char)value.p[i];

        if (c <= ' ' || c >= 0x7f || c == '"' || c == '=' || c == '\\')
            return true;
    }
    return value.n == 0;
}

/* Bytes of value to write: at most LOG_VALUE_MAX, no part of a character at the end. */
static size_t cut_length(struct slice value)
{
    size_t n = LOG_VALUE_MAX;

    if (value.n <= LOG_VALUE_MAX)
        return value.n;
    while (n > LOG_VALUE_MAX - 4 && ((unsigned char)value.p[n] & 0xc0) == 0x80)
        n--;
    return n;
}

static void put_value(struct line *l, struct slice value)
{
    bool quote = !l->is_quoted && needs_quotes(value), was_full;
    size_t at = 0, n = cut_length(value);

    if (quote)
        put(l, "\"", 1);
    was_full = l->is_full;
    while (at < n) {
        unsigned char c = (unsigned char)value.p[at];
        size_t len = str_utf8_len(value.p + at, n - at);

        if (len == 0) {
            put_z(l, "\xef\xbf\xbd");
            len = 1;
        } else if (c < ' ' || c == '"' || c == '\\' || c == 0x7f) {
            put_escaped(l, c);
        } else if (c == 0xc2 && (unsigned char)value.p[at + 1] < 0xa0) {
            put_escaped(l, (unsigned char)value.p[at + 1]); /* C1 controls drive terminals too */
        } else {
            put(l, value.p + at, len);
        }
        at += len;
    }
    if (n < value.n)
        put_z(l, CUT_MARK);
    /* An opened quote is closed even in a full line: TAIL_BYTES holds its place. */
    if (quote && !was_full) {
        bool full = l->is_full;

        l->text[l->n++] = '"';
        l->is_full = full || l->n > sizeof(l->text) - TAIL_BYTES;
    }
}

static void put_unsigned(struct line *l, uint64_t value, unsigned base)
{
    char text[NUMBER_MAX];
    size_t at = sizeof(text);

    do {
        text[--at] = "0123456789abcdef"[value % base];
        value /= base;
    } while (value);
    put(l, text + at, sizeof(text) - at);
}

/* ---- the format ---- */

/* One conversion: %[0][width][.precision|.*][l|ll|z|j]conversion */
struct spec {
    char pad;
    size_t width;
    bool has_precision;
    size_t precision; /* of %s: bytes at most */
    char length;      /* '\0', 'l', 'q' for ll, 'z', 'j' */
    char conversion;
};

static size_t read_count(const char **p)
{
    size_t n = 0;

    for (; **p >= '0' && **p <= '9'; ++*p)
        if (n < LOG_LINE_MAX)
            n = n * 10 + (size_t)(**p - '0');
    return n;
}

/* *p behind the '%'; moved behind the conversion. star: what ".*" stands for. */
static void read_spec(const char **p, struct spec *s, va_list *args)
{
    *s = (struct spec){.pad = ' '};
    if (**p == '0')
        s->pad = '0';
    s->width = read_count(p);
    if (**p == '.') {
        ++*p;
        s->has_precision = true;
        if (**p == '*') {
            int n = va_arg(*args, int);

            ++*p;
            s->has_precision = n >= 0;
            s->precision = n >= 0 ? (size_t)n : 0;
        } else {
            s->precision = read_count(p);
        }
    }
    if (**p == 'l' || **p == 'z' || **p == 'j') {
        s->length = *(*p)++;
        if (s->length == 'l' && **p == 'l') {
            s->length = 'q';
            ++*p;
        }
    }
    s->conversion = **p;
    if (**p)
        ++*p;
}

static int64_t take_signed(const struct spec *s, va_list *args)
{
    switch (s->length) {
    case 'l':
        return va_arg(*args, long);
    case 'q':
        return va_arg(*args, long long);
    case 'z':
        return va_arg(*args, ssize_t);
    case 'j':
        return va_arg(*args, intmax_t);
    default:
        return va_arg(*args, int);
    }
}

static uint64_t take_unsigned(const struct spec *s, va_list *args)
{
    switch (s->length) {
    case 'l':
        return va_arg(*args, unsigned long);
    case 'q':
        return va_arg(*args, unsigned long long);
    case 'z':
        return va_arg(*args, size_t);
    case 'j':
        return va_arg(*args, uintmax_t);
    default:
        return va_arg(*args, unsigned);
    }
}

static void put_number(struct line *l, const struct spec *s, va_list *args)
{
    bool is_signed = s->conversion == 'd' || s->conversion == 'i';
    int64_t value = is_signed ? take_signed(s, args) : 0;
    uint64_t size = is_signed ? (value < 0 ? 0 - (uint64_t)value : (uint64_t)value)
                              : take_unsigned(s, args);
    unsigned base = s->conversion == 'x' ? 16 : 10;
    size_t n = value < 0 ? 2 : 1;
    uint64_t left;

    for (left = size; left >= base; left /= base)
        n++;
    if (value < 0 && s->pad == '0')
        put(l, "-", 1);
    for (; n < s->width; n++)
        put(l, &s->pad, 1);
    if (value < 0 && s->pad != '0')
        put(l, "-", 1);
    put_unsigned(l, size, base);
}

static void put_text(struct line *l, const struct spec *s, va_list *args)
{
    const char *text = va_arg(*args, const char *);
    size_t max = LOG_VALUE_MAX + 1; /* one more tells that it is cut */

    if (s->has_precision && s->precision < max)
        max = s->precision;
    put_value(l, (struct slice){text ? text : "", text ? strnlen(text, max) : 0});
}

/* False when fmt has a conversion that is not known here: what follows cannot be read from args. */
static bool put_format(struct line *l, const char *fmt, va_list *args)
{
    while (*fmt) {
        const char *percent = strchrnul(fmt, '%');
        struct spec s;
        char c;

        for (; fmt < percent; fmt++) {
            l->is_quoted ^= *fmt == '"';
            put(l, fmt, 1);
        }
        if (!*fmt)
            break;
        fmt++;
        read_spec(&fmt, &s, args);
        switch (s.conversion) {
        case 's':
            put_text(l, &s, args);
            break;
        case 'c':
            c = (char)va_arg(*args, int);
            put_value(l, (struct slice){&c, 1});
            break;
        case 'd':
        case 'i':
        case 'u':
        case 'x':
            put_number(l, &s, args);
            break;
        case '%':
            put(l, "%", 1);
            break;
        default:
            put_z(l, "? log_error=unknown_conversion");
            return false;
        }
    }
    return true;
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

static void put_time(struct line *l)
{
    char sql[CLOCK_SQL_SIZE];

    clock_sql(sql, clock_wall_ms());
    sql[10] = 'T';
    put_z(l, "ts=");
    put(l, sql, CLOCK_SQL_SIZE - 1);
    put_z(l, "Z ");
}

static void send_line(struct line *l, enum log_level level)
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
static bool start_line(struct line *l, enum log_level level, const char *event, uint64_t lost,
                       const char *fmt, va_list *args)
{
    l->n = 0;
    l->is_full = l->is_quoted = false;
    if (state.target != TARGET_SYSLOG)
        put_time(l);
    put_z(l, "level=");
    put_z(l, level_names[level]);
    put_z(l, " event=");
    put_value(l, slice_of(event));
    if (request_id[0]) {
        put_z(l, " request=");
        put_value(l, slice_of(request_id));
    }
    if (lost) {
        put_z(l, " suppressed=");
        put_unsigned(l, lost, 10);
    }
    if (fmt[0])
        put(l, " ", 1);
    return put_format(l, fmt, args);
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
    struct line l;
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
    struct line l;
    va_list args;

    if (LOG_LEVEL_INFO < state.min_level)
        return;
    va_start(args, fmt);
    is_known = start_line(&l, LOG_LEVEL_INFO, "request", 0, fmt, &args);
    va_end(args);
    if (more)
        put(&l, " ", 1);
    for (; more && *more; more++)
        put(&l, (unsigned char)*more < ' ' ? "?" : more, 1);
    send_line(&l, LOG_LEVEL_INFO);
    errno = saved_errno;
    check_format(is_known);
}
