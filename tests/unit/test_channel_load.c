#include "upstream/channel_load.h"

#include <check.h>
#include <stdlib.h>

static struct load_table *table;

static void setup(void)
{
    table = load_new();
    ck_assert_ptr_nonnull(table);
}

static void teardown(void)
{
    load_free(table);
}

START_TEST(requests_that_run_are_counted_for_each_channel)
{
    load_enter(table, 5);
    load_enter(table, 5);
    load_enter(table, 6);
    ck_assert_int_eq(load_running(table, 5), 2);
    ck_assert_int_eq(load_running(table, 6), 1);
    ck_assert_int_eq(load_running(table, 7), 0);
    load_leave(table, 5);
    ck_assert_int_eq(load_running(table, 5), 1);
}
END_TEST

START_TEST(channels_beyond_the_table_are_not_counted)
{
    for (int64_t channel = 1; channel < 5000; channel++)
        load_enter(table, channel);
    ck_assert_int_eq(load_running(table, 1), 1);
    ck_assert_int_eq(load_running(table, 4999), 0);
    for (int64_t channel = 1; channel < 5000; channel++)
        load_leave(table, channel);
    ck_assert_int_eq(load_running(table, 1), 0);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("channel_load");
    TCase *t = tcase_create("channel_load");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, requests_that_run_are_counted_for_each_channel);
    tcase_add_test(t, channels_beyond_the_table_are_not_counted);
    suite_add_tcase(s, t);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
