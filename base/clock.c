#include "base/clock.h"

#include "base/hash.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define ULID_TIME_CHARS   10
#define ULID_RANDOM_BYTES 10
#define ULID_MS_MAX       ((INT64_C(1) << 48) - 1)

static const char crockford[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

static int64_t read_us(clockid_t id)
{
    struct timespec t;
    int failed = clock_gettime(id, &t);

    assert(!failed);
    (void)failed;
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

int64_t clock_mono_us(void)
{
    return read_us(CLOCK_MONOTONIC);
}

int64_t clock_mono_ms(void)
{
    return clock_mono_us() / 1000;
}

int64_t clock_wall_ms(void)
{
    return read_us(CLOCK_REALTIME) / 1000;
}

void clock_sql(char *dst, int64_t wall_ms)
{
    int64_t ms = wall_ms % 1000;
    time_t seconds;
    struct tm tm;

    if (ms < 0)
        ms += 1000;
    seconds = (time_t)((wall_ms - ms) / 1000);
    if (!gmtime_r(&seconds, &tm) || tm.tm_year < -1900 || tm.tm_year > 9999 - 1900)
        assert(!"a time outside the years 0 to 9999");
    /* The remainders change nothing; they tell the compiler that it fits. */
    (void)snprintf(dst, CLOCK_SQL_SIZE, "%04u-%02u-%02u %02u:%02u:%02u.%03u",
                   (unsigned)(tm.tm_year + 1900) % 10000, (unsigned)(tm.tm_mon + 1) % 100,
                   (unsigned)tm.tm_mday % 100, (unsigned)tm.tm_hour % 100,
                   (unsigned)tm.tm_min % 100, (unsigned)tm.tm_sec % 100, (unsigned)ms % 1000);
}

/* The lowest 5 x n bits of value as n characters. */
static void put_base32(char *dst, uint64_t value, int n)
{
    while (n--) {
        dst[n] = crockford[value & 31];
        value >>= 5;
    }
}

void ulid_make(char *dst)
{
    uint8_t random[ULID_RANDOM_BYTES];
    uint64_t high = 0, low = 0;
    int i;

    hash_random(random, sizeof(random));
    for (i = 0; i < 5; i++) {
        high = high << 8 | random[i];
        low = low << 8 | random[i + 5];
    }
    put_base32(dst, (uint64_t)clock_wall_ms(), ULID_TIME_CHARS);
    put_base32(dst + ULID_TIME_CHARS, high, 8);
    put_base32(dst + ULID_TIME_CHARS + 8, low, 8);
    dst[ULID_CHARS] = '\0';
}

void ulid_floor(char *dst, int64_t wall_ms)
{
    assert(wall_ms >= 0 && wall_ms <= ULID_MS_MAX);
    put_base32(dst, (uint64_t)wall_ms, ULID_TIME_CHARS);
    dst[ULID_TIME_CHARS] = '\0';
}

int64_t ulid_wall_ms(const char *ulid)
{
    uint64_t ms = 0;
    int i;

    if (!ulid || strnlen(ulid, ULID_SIZE) != ULID_CHARS)
        return -1;
    for (i = 0; i < ULID_CHARS; i++) {
        const char *at = strchr(crockford, ulid[i]);

        if (!at)
            return -1;
        if (i < ULID_TIME_CHARS)
            ms = ms << 5 | (uint64_t)(at - crockford);
    }
    return ms > (uint64_t)ULID_MS_MAX ? -1 : (int64_t)ms;
}
