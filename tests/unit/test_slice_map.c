#include "base/slice_map.h"

#include <check.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#define ARENA_MAX ((size_t)64 << 20)
#define MANY      20000

static struct arena *arena;
static struct slice_map map;

static void setup(void)
{
    arena = arena_new(ARENA_MAX);
    ck_assert_ptr_nonnull(arena);
    slice_map_init(&map, arena);
}

static void teardown(void)
{
    arena_free(arena);
}

static size_t number_of(const char *key)
{
    size_t number = SIZE_MAX;

    ck_assert_int_eq(slice_map_find(&map, slice_of(key), &number), number != SIZE_MAX);
    return number;
}

START_TEST(a_new_map_holds_nothing)
{
    ck_assert(!slice_map_find(&map, SLICE("a"), NULL));
    ck_assert(!slice_map_find(&map, (struct slice){NULL, 0}, NULL));
}
END_TEST

START_TEST(a_key_keeps_its_last_number)
{
    ck_assert_int_eq(slice_map_put(&map, SLICE("a"), 1), ERR_OK);
    ck_assert_int_eq(slice_map_put(&map, SLICE("b"), 2), ERR_OK);
    ck_assert_int_eq(slice_map_put(&map, SLICE("a"), 3), ERR_OK);
    ck_assert_uint_eq(number_of("a"), 3);
    ck_assert_uint_eq(number_of("b"), 2);
    ck_assert_uint_eq(number_of("ab"), SIZE_MAX);
    ck_assert_uint_eq(map.n, 2);
}
END_TEST

START_TEST(the_empty_key_is_a_key)
{
    ck_assert_int_eq(slice_map_put(&map, SLICE("a"), 1), ERR_OK);
    ck_assert(!slice_map_find(&map, SLICE(""), NULL));
    ck_assert_int_eq(slice_map_put(&map, (struct slice){NULL, 0}, 7), ERR_OK);
    ck_assert_uint_eq(number_of(""), 7);
}
END_TEST

START_TEST(many_keys_are_found_again)
{
    char *keys = arena_alloc(arena, (size_t)MANY * 16);
    size_t i;

    for (i = 0; i < MANY; i++) {
        ck_assert_int_gt(snprintf(keys + i * 16, 16, "key-%zu", i), 0);
        ck_assert_int_eq(slice_map_put(&map, slice_of(keys + i * 16), i), ERR_OK);
    }
    ck_assert_uint_eq(map.n, MANY);
    ck_assert_uint_le(map.n * 2, map.max + 2);
    for (i = 0; i < MANY; i++)
        ck_assert_uint_eq(number_of(keys + i * 16), i);
    ck_assert_uint_eq(number_of("key-20000"), SIZE_MAX);
}
END_TEST

START_TEST(without_memory_the_map_stays_as_it_was)
{
    static const char *const keys[] = {"a", "b", "c", "d", "e", "f", "g", "h", "i", "j"};
    struct arena *small = arena_new(2048);
    enum err e = ERR_OK;
    size_t i, n;

    ck_assert_ptr_nonnull(small);
    slice_map_init(&map, small);
    while (arena_alloc(small, 64)) /* leaves room for one table at most */
        if (slice_map_put(&map, SLICE("a"), 0) == ERR_MEMORY)
            break;
    for (n = 0; n < sizeof(keys) / sizeof(keys[0]) && !e; n++)
        e = slice_map_put(&map, slice_of(keys[n]), n);
    ck_assert_int_eq(e, ERR_MEMORY);
    for (i = 0; i + 1 < n; i++)
        ck_assert_uint_eq(number_of(keys[i]), i);
    ck_assert_uint_eq(number_of(keys[n - 1]), SIZE_MAX);
    arena_free(small);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("slice_map");
    TCase *t = tcase_create("all");
    SRunner *r = srunner_create(s);
    int failed;

    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, a_new_map_holds_nothing);
    tcase_add_test(t, a_key_keeps_its_last_number);
    tcase_add_test(t, the_empty_key_is_a_key);
    tcase_add_test(t, many_keys_are_found_again);
    tcase_add_test(t, without_memory_the_map_stays_as_it_was);
    suite_add_tcase(s, t);
    srunner_run_all(r, CK_ENV);
    failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
