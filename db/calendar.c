#include "db/calendar.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#define MONTHS           12
#define DAYS_OF_ERA      INT64_C(146097) /* 400 years */
#define YEARS_OF_ERA     400
#define DAYS_TO_1970     INT64_C(719468) /* from 0000-03-01, where the years of the sums begin */
#define DAY_TEXT_CHARS   10
#define LEAP_YEAR_DAYS_4 1460

int64_t calendar_day_of_ms(int64_t wall_ms)
{
    assert(wall_ms >= 0);
    int64_t day = wall_ms / CALENDAR_DAY_MS;
    return day < CALENDAR_DAY_MAX ? day : CALENDAR_DAY_MAX;
}

void calendar_floor(char *dst, int64_t day)
{
    assert(day >= 0 && day <= CALENDAR_DAY_MAX + 1);
    ulid_floor(dst, day * CALENDAR_DAY_MS);
}

/* As SQL compares: what is shorter and else equal comes first. */
static bool is_floor_above(int64_t day, struct slice id)
{
    char floor[ULID_FLOOR_SIZE];
    size_t n = id.n < ULID_FLOOR_SIZE - 1 ? id.n : ULID_FLOOR_SIZE - 1;
    calendar_floor(floor, day);
    int order = n ? memcmp(floor, id.p, n) : 0;
    return order > 0 || (!order && id.n < ULID_FLOOR_SIZE - 1);
}

int64_t calendar_day_of_id(struct slice id)
{
    int64_t low = 0, high = CALENDAR_DAY_MAX + 1;
    while (high - low > 1) {
        int64_t middle = low + (high - low) / 2;
        if (is_floor_above(middle, id))
            high = middle;
        else
            low = middle;
    }
    return low;
}

/* Source: Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms": years that begin in March,
 * so that the leap day is a year's last. */
static void split_day(int64_t day, int64_t *year, int64_t *month, int64_t *of_month)
{
    int64_t z = day + DAYS_TO_1970;
    int64_t era = z / DAYS_OF_ERA, of_era = z % DAYS_OF_ERA;
    int64_t y = (of_era - of_era / LEAP_YEAR_DAYS_4 + of_era / 36524 - of_era / (DAYS_OF_ERA - 1)) /
                365;
    int64_t of_year = of_era - (365 * y + y / 4 - y / 100);
    int64_t m = (5 * of_year + 2) / 153;
    *of_month = of_year - (153 * m + 2) / 5 + 1;
    *month = m < 10 ? m + 3 : m - 9;
    *year = y + era * YEARS_OF_ERA + (*month <= 2);
}

int64_t calendar_month_of_day(int64_t day)
{
    int64_t year, month, of_month;
    split_day(day, &year, &month, &of_month);
    return year * MONTHS + month - 1;
}

int64_t calendar_first_day(int64_t month)
{
    int64_t year = month / MONTHS, m = month % MONTHS + 1;
    int64_t y = m <= 2 ? year - 1 : year;
    int64_t era = y / YEARS_OF_ERA, of_era = y % YEARS_OF_ERA;
    int64_t of_year = (153 * (m > 2 ? m - 3 : m + 9) + 2) / 5;
    return era * DAYS_OF_ERA + of_era * 365 + of_era / 4 - of_era / 100 + of_year - DAYS_TO_1970;
}

char *calendar_print_day(char *dst, int64_t day)
{
    int64_t year, month, of_month;
    split_day(day, &year, &month, &of_month);
    (void)snprintf(dst, CALENDAR_DAY_SIZE, "%04u-%02u-%02u", (unsigned)year % 10000,
                   (unsigned)month % 100, (unsigned)of_month % 100);
    return dst;
}

char *calendar_print_month(char *dst, int64_t month)
{
    (void)snprintf(dst, CALENDAR_NAME_SIZE, "p%04u%02u", (unsigned)(month / MONTHS) % 10000,
                   (unsigned)(month % MONTHS + 1) % 100);
    return dst;
}

enum err calendar_parse_day(struct slice text, int64_t *day)
{
    int64_t year = 0, month = 0, of_month = 0;
    char back[CALENDAR_DAY_SIZE];
    struct slice rest = text;
    if (text.n != DAY_TEXT_CHARS || slice_to_i64(slice_split(&rest, '-'), &year) ||
        slice_to_i64(slice_split(&rest, '-'), &month) || slice_to_i64(rest, &of_month))
        return ERR_FORMAT;
    if (year < 1970 || month < 1 || month > MONTHS || of_month < 1)
        return ERR_FORMAT;
    int64_t found = calendar_first_day(year * MONTHS + month - 1) + of_month - 1;
    if (!slice_eq_z(text, calendar_print_day(back, found)))
        return ERR_FORMAT;
    *day = found;
    return ERR_OK;
}
