#include "upstream/channel_load.h"

#include <check.h>
#include <stdlib.h>

#define NOW INT64_C(600000) /* a minute begins */

static struct load_table *table;
static const struct load_limits none = {-1, -1, -1};

static void setup(void)
{
    table = load_new();
    ck_assert_ptr_nonnull(table);
}

static void teardown(void)
{
    load_free(table);
}

static int64_t wait_of(int64_t channel, const struct load_limits *limits, int64_t now_ms)
{
    int64_t running;
    return load_wait_ms(table, channel, limits, now_ms, &running);
}

static int64_t running_of(int64_t channel)
{
    int64_t running;
    (void)load_wait_ms(table, channel, &none, NOW, &running);
    return running;
}

START_TEST(requests_that_run_are_counted_and_bounded)
{
    static const struct load_limits two = {-1, -1, 2};
    ck_assert(load_enter(table, 5, &two, 10, NOW));
    ck_assert(load_enter(table, 5, &two, 10, NOW));
    ck_assert(!load_enter(table, 5, &two, 10, NOW));
    ck_assert_int_eq(running_of(5), 2);
    ck_assert_int_gt(wait_of(5, &two, NOW), 0);
    ck_assert_int_eq(wait_of(6, &two, NOW), 0);
    load_leave(table, 5, 0, NOW);
    ck_assert_int_eq(wait_of(5, &two, NOW), 0);
    ck_assert(load_enter(table, 5, &two, 10, NOW));
}
END_TEST

START_TEST(requests_of_a_minute_are_bounded_until_the_next)
{
    static const struct load_limits three = {3, -1, -1};
    for (int i = 0; i < 3; i++) {
        ck_assert(load_enter(table, 5, &three, 0, NOW + i));
        load_leave(table, 5, 0, NOW + i);
    }
    ck_assert(!load_enter(table, 5, &three, 0, NOW + 1000));
    ck_assert_int_eq(wait_of(5, &three, NOW + 1000), 59000);
    ck_assert(load_enter(table, 5, &three, 0, NOW + 60000));
}
END_TEST

START_TEST(tokens_count_before_and_after)
{
    static const struct load_limits hundred = {-1, 100, -1};
    ck_assert(load_enter(table, 5, &hundred, 60, NOW));
    ck_assert_int_eq(wait_of(5, &hundred, NOW), 0);
    load_leave(table, 5, 40, NOW);
    ck_assert_int_eq(wait_of(5, &hundred, NOW + 59999), 1);
    ck_assert(load_enter(table, 5, &hundred, 60, NOW + 60000));
}
END_TEST

START_TEST(a_limit_of_none_admits_nothing_and_no_limit_everything)
{
    static const struct load_limits zero = {-1, -1, 0};
    ck_assert(!load_enter(table, 5, &zero, 0, NOW));
    for (int i = 0; i < 10000; i++)
        ck_assert(load_enter(table, 6, &none, 1000000, NOW));
    for (int64_t channel = 1; channel < 5000; channel++)
        ck_assert(load_enter(table, channel, &none, 0, NOW));
}
END_TEST

int main(void)
{
    Suite *s = suite_create("channel_load");
    TCase *t = tcase_create("channel_load");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, requests_that_run_are_counted_and_bounded);
    tcase_add_test(t, requests_of_a_minute_are_bounded_until_the_next);
    tcase_add_test(t, tokens_count_before_and_after);
    tcase_add_test(t, a_limit_of_none_admits_nothing_and_no_limit_everything);
    suite_add_tcase(s, t);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
