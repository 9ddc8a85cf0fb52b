/* clock - time and request ids.
 *
 * Monotonic milliseconds measure; wall milliseconds (Unix, UTC) name moments. Any thread. */
#ifndef AIPASS_BASE_CLOCK_H
#define AIPASS_BASE_CLOCK_H

#include <stddef.h>
#include <stdint.h>

#define ULID_CHARS      26
#define ULID_SIZE       (ULID_CHARS + 1) /* with its NUL */
#define ULID_FLOOR_SIZE 11
#define CLOCK_SQL_SIZE  24 /* "2026-11-22 15:19:00.123" with its NUL */

/* clock_mono_ms - since an unspecified start; never goes back. clock_mono_us - the same in
 * microseconds. */
int64_t clock_mono_ms(void);
int64_t clock_mono_us(void);
/* clock_wall_ms - Unix time in milliseconds. */
int64_t clock_wall_ms(void);
/* clock_sql - "YYYY-MM-DD HH:MM:SS.mmm" in UTC, as SQL's DATETIME(3). dst: CLOCK_SQL_SIZE bytes. */
void clock_sql(char *dst, int64_t wall_ms);

/* ulid_make - a new ULID of now (github.com/ulid/spec): 26 characters of Crockford base 32, 48 bits
 * of time, 80 bits of getrandom. Two calls in one millisecond are not ordered. dst: ULID_SIZE
 * bytes. Blocks never after boot. */
void ulid_make(char *dst);
/* ulid_floor - the first characters that ULIDs of wall_ms have: as text it is above every ULID of
 * before and not above any of then and later. wall_ms: 0 to 2^48-1. dst: ULID_FLOOR_SIZE bytes. */
void ulid_floor(char *dst, int64_t wall_ms);
/* ulid_wall_ms - the time inside a ULID; -1 when it is not one. */
int64_t ulid_wall_ms(const char *ulid);

#endif
