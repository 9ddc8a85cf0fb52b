#include "handlers/throttle.h"

#include <check.h>
#include <stdlib.h>

#define MAX 3
#define NOW INT64_C(1000000)

static struct throttle *t;

static void setup(void)
{
    t = throttle_new(MAX);
    ck_assert_ptr_nonnull(t);
}

static void teardown(void)
{
    throttle_free(t);
}

START_TEST(an_id_is_over_after_that_many_failures)
{
    for (int i = 0; i < MAX; i++) {
        ck_assert_int_eq(throttle_wait_ms(t, 7, NOW + i), 0);
        throttle_fail(t, 7, NOW + i);
    }
    ck_assert_int_eq(throttle_wait_ms(t, 7, NOW + 10), THROTTLE_WINDOW_MS - 10);
    ck_assert_int_eq(throttle_wait_ms(t, 8, NOW + 10), 0);
}
END_TEST

START_TEST(its_minute_ends_for_all_failures_at_once)
{
    for (int i = 0; i < MAX; i++)
        throttle_fail(t, 7, NOW + i * 1000);
    ck_assert_int_eq(throttle_wait_ms(t, 7, NOW + THROTTLE_WINDOW_MS - 1), 1);
    ck_assert_int_eq(throttle_wait_ms(t, 7, NOW + THROTTLE_WINDOW_MS), 0);
    throttle_fail(t, 7, NOW + THROTTLE_WINDOW_MS);
    ck_assert_int_eq(throttle_wait_ms(t, 7, NOW + THROTTLE_WINDOW_MS), 0);
}
END_TEST

START_TEST(ids_that_share_places_are_counted_apart)
{
    for (int64_t id = 5; id < 5 + 512 * 8; id += 512)
        for (int i = 0; i < MAX; i++)
            throttle_fail(t, id, NOW);
    for (int64_t id = 5; id < 5 + 512 * 8; id += 512)
        ck_assert_int_gt(throttle_wait_ms(t, id, NOW), 0);
}
END_TEST

START_TEST(when_it_is_full_the_oldest_is_forgotten)
{
    for (int64_t k = 0; k < 9; k++)
        for (int i = 0; i < MAX; i++)
            throttle_fail(t, 5 + 512 * k, NOW + k);
    ck_assert_int_eq(throttle_wait_ms(t, 5, NOW + 9), 0);
    for (int64_t k = 1; k < 9; k++)
        ck_assert_int_gt(throttle_wait_ms(t, 5 + 512 * k, NOW + 9), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("throttle");
    TCase *tc = tcase_create("throttle");
    tcase_add_checked_fixture(tc, setup, teardown);
    suite_add_tcase(suite, tc);
    tcase_add_test(tc, an_id_is_over_after_that_many_failures);
    tcase_add_test(tc, its_minute_ends_for_all_failures_at_once);
    tcase_add_test(tc, ids_that_share_places_are_counted_apart);
    tcase_add_test(tc, when_it_is_full_the_oldest_is_forgotten);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
