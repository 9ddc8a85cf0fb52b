#include "base/clock.h"

#include <check.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

START_TEST(monotonic_time_passes_and_never_goes_back)
{
    int64_t start_us = clock_mono_us(), start_ms = clock_mono_ms(), last = start_us;

    for (int i = 0; i < 10000; i++) {
        int64_t now = clock_mono_us();

        ck_assert_int_ge(now, last);
        last = now;
    }
    ck_assert_int_ge(start_ms, start_us / 1000);
    usleep(20000);
    ck_assert_int_ge(clock_mono_ms() - start_ms, 19);
    ck_assert_int_ge(clock_mono_us() - start_us, 20000);
}
END_TEST

START_TEST(wall_time_is_unix_time)
{
    int64_t before = (int64_t)time(NULL), now = clock_wall_ms(), after;

    after = (int64_t)time(NULL);
    ck_assert_int_ge(now, before * 1000 - 100); /* time() may lag by a tick */
    ck_assert_int_lt(now, (after + 1) * 1000 + 100);
}
END_TEST

static const struct {
    int64_t wall_ms;
    const char *sql;
} moments[] = {
    {0,               "1970-01-01 00:00:00.000"},
    {1,               "1970-01-01 00:00:00.001"},
    {-1,              "1969-12-31 23:59:59.999"},
    {-1000,           "1969-12-31 23:59:59.000"},
    {951782400000,    "2000-02-29 00:00:00.000"},
    {1794150000123,   "2026-11-08 15:00:00.123"},
    {253402300799999, "9999-12-31 23:59:59.999"},
};

START_TEST(sql_time_is_utc_with_milliseconds)
{
    char text[CLOCK_SQL_SIZE];

    setenv("TZ", "Asia/Tokyo", 1);
    tzset();
    clock_sql(text, moments[_i].wall_ms);
    ck_assert_str_eq(text, moments[_i].sql);
}
END_TEST

START_TEST(a_ulid_holds_its_time_in_crockford_base_32)
{
    char ulid[ULID_SIZE];
    int64_t before = clock_wall_ms(), inside, after;

    ulid_make(ulid);
    after = clock_wall_ms();
    ck_assert_uint_eq(strlen(ulid), ULID_CHARS);
    ck_assert_uint_eq(strspn(ulid, "0123456789ABCDEFGHJKMNPQRSTVWXYZ"), ULID_CHARS);
    inside = ulid_wall_ms(ulid);
    ck_assert_int_ge(inside, before);
    ck_assert_int_le(inside, after);
}
END_TEST

START_TEST(ulids_differ_and_later_ones_sort_after)
{
    static char ulids[2000][ULID_SIZE];
    char later[ULID_SIZE];

    for (int i = 0; i < 2000; i++)
        ulid_make(ulids[i]);
    for (int i = 0; i < 2000; i++)
        for (int j = 0; j < i; j++)
            ck_assert_str_ne(ulids[i], ulids[j]);
    usleep(3000);
    ulid_make(later);
    for (int i = 0; i < 2000; i++)
        ck_assert(strcmp(ulids[i], later) < 0);
}
END_TEST

START_TEST(every_random_character_takes_every_value)
{
    bool seen[ULID_CHARS][128] = {{false}};

    for (int i = 0; i < 2000; i++) {
        char ulid[ULID_SIZE];

        ulid_make(ulid);
        for (int at = 10; at < ULID_CHARS; at++)
            seen[at][(unsigned char)ulid[at]] = true;
    }
    for (int at = 10; at < ULID_CHARS; at++) {
        int values = 0;

        for (int c = 0; c < 128; c++)
            values += seen[at][c];
        ck_assert_int_eq(values, 32);
    }
}
END_TEST

static const struct {
    const char *text;
    int64_t wall_ms;
} ulids_in[] = {
    {"01ARYZ6S41TSV4RRFFQ69G5FAV",  1469918176385  }, /* the example of the ULID specification */
    {"00000000000000000000000000",  0              },
    {"7ZZZZZZZZZZZZZZZZZZZZZZZZZ",  281474976710655},
    {"8ZZZZZZZZZZZZZZZZZZZZZZZZZ",  -1             },
    {"01ARYZ6S41TSV4RRFFQ69G5FA",   -1             },
    {"01ARYZ6S41TSV4RRFFQ69G5FAVV", -1             },
    {"01ARYZ6S41TSV4RRFFQ69G5FAU",  -1             },
    {"01ARYZ6S41TSV4RRFFQ69G5FAI",  -1             },
    {"01aryz6s41tsv4rrffq69g5fav",  -1             },
    {"01ARYZ6S41 SV4RRFFQ69G5FAV",  -1             },
    {"",                            -1             },
    {NULL,                          -1             },
};

START_TEST(what_is_no_ulid_has_no_time)
{
    ck_assert_int_eq(ulid_wall_ms(ulids_in[_i].text), ulids_in[_i].wall_ms);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("clock");
    TCase *cases = tcase_create("clock");
    SRunner *runner = srunner_create(suite);
    int failed;

    suite_add_tcase(suite, cases);
    tcase_add_test(cases, monotonic_time_passes_and_never_goes_back);
    tcase_add_test(cases, wall_time_is_unix_time);
    tcase_add_loop_test(cases, sql_time_is_utc_with_milliseconds, 0,
                        (int)(sizeof(moments) / sizeof(moments[0])));
    tcase_add_test(cases, a_ulid_holds_its_time_in_crockford_base_32);
    tcase_add_test(cases, ulids_differ_and_later_ones_sort_after);
    tcase_add_test(cases, every_random_character_takes_every_value);
    tcase_add_loop_test(cases, what_is_no_ulid_has_no_time, 0,
                        (int)(sizeof(ulids_in) / sizeof(ulids_in[0])));
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
