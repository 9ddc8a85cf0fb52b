/* calendar - days and months as numbers, and where they begin among request ids.
 *
 * A day is counted from 1970-01-01, a month from the year 0, both in UTC. The day of a request is
 * that of its id (a ULID), compared as text, so that every id has a day, also one that is not a
 * ULID. Pure; any thread. */
#ifndef AIPASS_DB_CALENDAR_H
#define AIPASS_DB_CALENDAR_H

#include "base/clock.h"
#include "base/err.h"
#include "base/str.h"

#include <stdint.h>

#define CALENDAR_DAY_SIZE  16 /* "2026-11-22" with its NUL */
#define CALENDAR_DAY_MS    INT64_C(86400000)
#define CALENDAR_DAY_MAX   INT64_C(2932896) /* 9999-12-31, the last that SQL knows */
#define CALENDAR_NAME_SIZE 16               /* "p202611" with its NUL */

/* calendar_day_of_ms - the day of a moment, ms from 0 on; no later than CALENDAR_DAY_MAX. */
int64_t calendar_day_of_ms(int64_t wall_ms);
/* calendar_day_of_id - the last day whose floor is not above id. */
int64_t calendar_day_of_id(struct slice id);
/* calendar_floor - where the ids of a day begin. day: 0 to CALENDAR_DAY_MAX + 1. dst:
 * ULID_FLOOR_SIZE. */
void calendar_floor(char *dst, int64_t day);

/* calendar_month_of_day, calendar_first_day - a day's month, a month's first day. */
int64_t calendar_month_of_day(int64_t day);
int64_t calendar_first_day(int64_t month);

/* calendar_print_day - "2026-11-22" as SQL's DATE. calendar_print_month - "p202611", the name of the
 * month's partition. Both return dst. */
char *calendar_print_day(char *dst, int64_t day);
char *calendar_print_month(char *dst, int64_t month);
/* calendar_parse_day - "2026-11-22". ERR_FORMAT. */
ERR_CHECK enum err calendar_parse_day(struct slice text, int64_t *day);

#endif
