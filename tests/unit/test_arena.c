#include "base/arena.h"

#include <check.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define CAP ((size_t)1 << 20)

static char order[32];

static void note(void *arg)
{
    size_t n = strlen(order);

    ck_assert_uint_lt(n, sizeof(order) - 1);
    order[n] = *(char *)arg;
    order[n + 1] = '\0';
}

START_TEST(memory_is_zeroed_and_aligned_also_after_a_reset)
{
    struct arena *a = arena_new(CAP);

    for (int round = 0; round < 3; round++) {
        for (size_t n = 0; n < 300; n++) {
            unsigned char *p = arena_alloc(a, n);

            ck_assert_ptr_nonnull(p);
            ck_assert_uint_eq((uintptr_t)p % 16, 0);
            for (size_t i = 0; i < n; i++)
                ck_assert_uint_eq(p[i], 0);
            memset(p, 0xaa, n);
        }
        arena_reset(a);
        ck_assert_uint_eq(arena_used(a), 0);
    }
    arena_free(a);
}
END_TEST

START_TEST(allocations_do_not_overlap)
{
    struct arena *a = arena_new(CAP);
    unsigned char *p[400];

    for (size_t i = 0; i < 400; i++) {
        /* Now and then a big one, which gets a chunk of its own. */
        size_t n = i % 50 == 0 ? 9000 : 40;

        p[i] = arena_alloc(a, n);
        ck_assert_ptr_nonnull(p[i]);
        memset(p[i], (int)(i & 0xff), n);
    }
    for (size_t i = 0; i < 400; i++)
        for (size_t j = 0; j < (i % 50 == 0 ? 9000 : 40); j++)
            ck_assert_uint_eq(p[i][j], i & 0xff);
    arena_free(a);
}
END_TEST

START_TEST(the_cap_holds_over_all_allocations)
{
    struct arena *a = arena_new(1000);
    size_t n = 0;

    ck_assert_ptr_null(arena_alloc(a, 1001));
    ck_assert_ptr_null(arena_alloc(a, SIZE_MAX));
    ck_assert_ptr_null(arena_alloc(a, SIZE_MAX - 15));
    ck_assert_uint_eq(arena_used(a), 0);
    while (arena_alloc(a, 16))
        n++;
    ck_assert_uint_eq(n, 62);
    ck_assert_uint_le(arena_used(a), 1000);
    ck_assert_ptr_null(arena_copy(a, SLICE("no room for this")));
    ck_assert_ptr_null(arena_printf(a, "%s", "no room for this"));
    arena_reset(a);
    ck_assert_ptr_nonnull(arena_alloc(a, 900));
    arena_free(a);
}
END_TEST

START_TEST(one_allocation_may_be_as_large_as_the_cap)
{
    struct arena *a = arena_new(CAP);
    char *p = arena_alloc(a, CAP);

    ck_assert_ptr_nonnull(p);
    p[CAP - 1] = 'x';
    ck_assert_uint_eq(arena_used(a), CAP);
    ck_assert_ptr_null(arena_alloc(a, 0));
    arena_free(a);
}
END_TEST

START_TEST(small_requests_use_the_kept_chunk_again)
{
    struct arena *a = arena_new(CAP);
    char *first = arena_alloc(a, 100);

    ck_assert_ptr_nonnull(arena_alloc(a, 100000));
    ck_assert_ptr_eq(arena_alloc(a, 16), first + 112);
    arena_reset(a);
    ck_assert_ptr_eq(arena_alloc(a, 100), first);
    arena_free(a);
}
END_TEST

START_TEST(copies_and_formatted_texts_are_c_strings)
{
    struct arena *a = arena_new(CAP);
    char *copy = arena_copy(a, (struct slice){"abcdef", 3});
    char *empty = arena_copy(a, (struct slice){NULL, 0});
    char *text = arena_printf(a, "%s/%d", "models", 7);
    char *longer = arena_printf(a, "%5000s", "x");

    ck_assert_str_eq(copy, "abc");
    ck_assert_str_eq(empty, "");
    ck_assert_str_eq(text, "models/7");
    ck_assert_uint_eq(strlen(longer), 5000);
    arena_free(a);
}
END_TEST

START_TEST(cleanups_run_last_first_at_reset_and_at_free)
{
    struct arena *a = arena_new(CAP);
    char one[] = "1", two[] = "2", three[] = "3";

    order[0] = '\0';
    ck_assert_int_eq(arena_defer(a, note, one), ERR_OK);
    ck_assert_int_eq(arena_defer(a, note, two), ERR_OK);
    arena_reset(a);
    ck_assert_str_eq(order, "21");
    arena_reset(a);
    ck_assert_str_eq(order, "21");
    ck_assert_int_eq(arena_defer(a, note, three), ERR_OK);
    arena_free(a);
    ck_assert_str_eq(order, "213");
}
END_TEST

START_TEST(a_cleanup_that_does_not_fit_is_not_registered)
{
    struct arena *a = arena_new(16);
    char one[] = "1";

    order[0] = '\0';
    ck_assert_int_eq(arena_defer(a, note, one), ERR_MEMORY);
    arena_free(a);
    ck_assert_str_eq(order, "");
}
END_TEST

static void defer_one_more(void *arg)
{
    static char done[] = "d", more[] = "m";

    note(done);
    ck_assert_int_eq(arena_defer(arg, note, more), ERR_OK);
}

START_TEST(a_cleanup_may_defer_another)
{
    struct arena *a = arena_new(CAP);

    order[0] = '\0';
    ck_assert_int_eq(arena_defer(a, defer_one_more, a), ERR_OK);
    arena_reset(a);
    ck_assert_str_eq(order, "dm");
    arena_free(a);
}
END_TEST

START_TEST(free_takes_null)
{
    arena_free(NULL);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("arena");
    TCase *cases = tcase_create("arena");
    SRunner *runner = srunner_create(suite);
    int failed;

    suite_add_tcase(suite, cases);
    tcase_add_test(cases, memory_is_zeroed_and_aligned_also_after_a_reset);
    tcase_add_test(cases, allocations_do_not_overlap);
    tcase_add_test(cases, the_cap_holds_over_all_allocations);
    tcase_add_test(cases, one_allocation_may_be_as_large_as_the_cap);
    tcase_add_test(cases, small_requests_use_the_kept_chunk_again);
    tcase_add_test(cases, copies_and_formatted_texts_are_c_strings);
    tcase_add_test(cases, cleanups_run_last_first_at_reset_and_at_free);
    tcase_add_test(cases, a_cleanup_that_does_not_fit_is_not_registered);
    tcase_add_test(cases, a_cleanup_may_defer_another);
    tcase_add_test(cases, free_takes_null);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
