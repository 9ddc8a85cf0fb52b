#include "db/calendar.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* The C library's opinion. */
static int64_t day_of(int year, int month, int day)
{
    struct tm tm = {.tm_year = year - 1900, .tm_mon = month - 1, .tm_mday = day};
    return timegm(&tm) / 86400;
}

START_TEST(every_day_of_four_centuries_agrees_with_the_c_library)
{
    for (int64_t day = 0; day < 146097; day++) {
        time_t at = (time_t)day * 86400;
        struct tm tm;
        char want[CALENDAR_DAY_SIZE], have[CALENDAR_DAY_SIZE];
        int64_t back = -1;
        gmtime_r(&at, &tm);
        strftime(want, sizeof(want), "%Y-%m-%d", &tm);
        ck_assert_str_eq(calendar_print_day(have, day), want);
        ck_assert_int_eq(calendar_parse_day(slice_of(have), &back), ERR_OK);
        ck_assert_int_eq(back, day);
        int64_t month = calendar_month_of_day(day);
        ck_assert_int_eq(month, (tm.tm_year + 1900) * 12 + tm.tm_mon);
        ck_assert_int_eq(calendar_first_day(month), day - tm.tm_mday + 1);
    }
}
END_TEST

START_TEST(months_end_where_they_should_in_leap_years_too)
{
    ck_assert_int_eq(calendar_first_day(2024 * 12 + 2) - calendar_first_day(2024 * 12 + 1), 29);
    ck_assert_int_eq(calendar_first_day(2026 * 12 + 2) - calendar_first_day(2026 * 12 + 1), 28);
    ck_assert_int_eq(calendar_first_day(2100 * 12 + 2) - calendar_first_day(2100 * 12 + 1), 28);
    ck_assert_int_eq(calendar_first_day(2000 * 12 + 2) - calendar_first_day(2000 * 12 + 1), 29);
    ck_assert_int_eq(calendar_month_of_day(day_of(2024, 2, 29)), 2024 * 12 + 1);
    ck_assert_int_eq(calendar_month_of_day(day_of(2024, 3, 1)), 2024 * 12 + 2);
    ck_assert_int_eq(calendar_first_day(2026 * 12 + 12), day_of(2027, 1, 1));
    char name[CALENDAR_NAME_SIZE];
    ck_assert_str_eq(calendar_print_month(name, 2026 * 12 + 11), "p202612");
}
END_TEST

START_TEST(the_last_millisecond_of_a_day_is_below_the_next_days_floor)
{
    int64_t day = day_of(2024, 2, 29);
    char last[ULID_FLOOR_SIZE], floor[ULID_FLOOR_SIZE], id[ULID_SIZE];
    ulid_floor(last, (day + 1) * CALENDAR_DAY_MS - 1);
    calendar_floor(floor, day + 1);
    ck_assert_int_lt(strcmp(last, floor), 0);
    snprintf(id, sizeof(id), "%sZZZZZZZZZZZZZZZZ", last);
    ck_assert_int_lt(strcmp(id, floor), 0);
    ck_assert_int_eq(calendar_day_of_id(slice_of(id)), day);
    snprintf(id, sizeof(id), "%s0000000000000000", floor);
    ck_assert_int_ge(strcmp(id, floor), 0);
    ck_assert_int_eq(calendar_day_of_id(slice_of(id)), day + 1);
}
END_TEST

START_TEST(every_id_has_a_day_also_one_that_is_no_ulid)
{
    char id[ULID_SIZE];
    ulid_make(id);
    ck_assert_int_eq(calendar_day_of_id(slice_of(id)), calendar_day_of_ms(ulid_wall_ms(id)));
    ck_assert_int_eq(calendar_day_of_id(slice_of("")), 0);
    ck_assert_int_eq(calendar_day_of_id(slice_of("0")), 0);
    ck_assert_int_eq(calendar_day_of_id(slice_of("r1")), CALENDAR_DAY_MAX);
    ck_assert_int_eq(calendar_day_of_id(slice_of("7ZZZZZZZZZZZZZZZZZZZZZZZZZ")), CALENDAR_DAY_MAX);
    ck_assert_int_eq(calendar_day_of_ms(INT64_MAX), CALENDAR_DAY_MAX);
    ck_assert_int_eq(calendar_day_of_ms(0), 0);
}
END_TEST

static const char *const no_days[] = {"",           "2026",       "2026-13-01", "2026-02-29",
                                      "2026-00-10", "2026-1-001", "1969-12-31", "2026-04-31",
                                      "abcd-01-01", "2026-01-00", "2026-01-011"};

START_TEST(what_is_no_day_is_refused)
{
    int64_t day = 7;
    ck_assert_int_eq(calendar_parse_day(slice_of(no_days[_i]), &day), ERR_FORMAT);
    ck_assert_int_eq(day, 7);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("calendar");
    TCase *tc = tcase_create("calendar");
    suite_add_tcase(suite, tc);
    tcase_add_test(tc, every_day_of_four_centuries_agrees_with_the_c_library);
    tcase_add_test(tc, months_end_where_they_should_in_leap_years_too);
    tcase_add_test(tc, the_last_millisecond_of_a_day_is_below_the_next_days_floor);
    tcase_add_test(tc, every_id_has_a_day_also_one_that_is_no_ulid);
    tcase_add_loop_test(tc, what_is_no_day_is_refused, 0,
                        (int)(sizeof(no_days) / sizeof(no_days[0])));
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
