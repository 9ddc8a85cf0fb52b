/* log - one logfmt line per event: time, level, event name, request id, then the caller's pairs.
 *
 *   ts=2026-11-22T15:19:00.123Z level=info event=request id=01K... status=200 cost=0.000123000
 *
 * fmt is logfmt itself ("status=%d model=%s"); a value from %s or %.*s is quoted and escaped when
 * it needs to be, control characters never get through, and a value is cut at LOG_VALUE_MAX. Never
 * log keys, prompts, answers or query strings. Any thread; one write(2) a line; lines of one call
 * site are limited to LOG_BURST a second (the rest is counted and told in the next line). Targets:
 * stderr, syslog, a file (reopened when its inode changes). */
#ifndef AIPASS_BASE_LOG_H
#define AIPASS_BASE_LOG_H

#include "base/err.h"

#include <stdint.h>

#define LOG_LINE_MAX  4096
#define LOG_VALUE_MAX 512
#define LOG_BURST     50

enum log_level { LOG_LEVEL_DEBUG, LOG_LEVEL_INFO, LOG_LEVEL_WARN, LOG_LEVEL_ERROR };

/* log_open - target: "stderr", "syslog" or "file:PATH". ERR_IO when the file cannot be opened
 * (errno). Before it, logs go to stderr. log_open and log_close: while no other thread logs. */
ERR_CHECK enum err log_open(const char *target, enum log_level min_level);
void log_close(void);

/* log_set_request - the calling thread's request id (copied; NULL clears). */
void log_set_request(const char *id);

/* log_site - the lines of one call site: second << 32 | lines in it. Changed atomically. */
struct log_site {
    uint64_t state;
};

/* log_write - use the macros below. fmt: %s %.*s %.Ns %c %%, and d i u x with l ll z j, width and
 * leading zeros; a value within quotes of the format is escaped and not quoted again. event: a
 * constant of plain characters. */
void log_write(enum log_level level, struct log_site *site, const char *event, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

/* log_request - the one line of a request, level info: not rate-limited. more: further logfmt pairs that are escaped already (control
 * characters are replaced); NULL: none. */
void log_request(const char *more, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#define LOG_AT(level, event, ...)                                                                  \
    do {                                                                                           \
        static struct log_site log_site_here;                                                      \
        log_write(level, &log_site_here, event, __VA_ARGS__);                                      \
    } while (0)
#define log_debug(event, ...) LOG_AT(LOG_LEVEL_DEBUG, event, __VA_ARGS__)
#define log_info(event, ...)  LOG_AT(LOG_LEVEL_INFO, event, __VA_ARGS__)
#define log_warn(event, ...)  LOG_AT(LOG_LEVEL_WARN, event, __VA_ARGS__)
#define log_error(event, ...) LOG_AT(LOG_LEVEL_ERROR, event, __VA_ARGS__)

#endif
