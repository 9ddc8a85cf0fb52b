#include "base/buf.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

/* A refused allocation returns NULL under the sanitizers too, as malloc does. */
const char *__asan_default_options(void);
const char *__tsan_default_options(void);

const char *__asan_default_options(void)
{
    return "allocator_may_return_null=1";
}

const char *__tsan_default_options(void)
{
    return "allocator_may_return_null=1";
}

START_TEST(a_new_buf_is_empty_and_owns_nothing)
{
    struct buf b;

    buf_init(&b, 100);
    ck_assert_ptr_null(b.p);
    ck_assert_uint_eq(buf_slice(&b).n, 0);
    buf_clear(&b);
}
END_TEST

START_TEST(appends_follow_each_other_and_end_with_nul)
{
    struct buf b;

    buf_init(&b, 100);
    ck_assert_int_eq(buf_append(&b, "ab", 2), ERR_OK);
    ck_assert_int_eq(buf_append_z(&b, "cd"), ERR_OK);
    ck_assert_int_eq(buf_append_slice(&b, SLICE("ef")), ERR_OK);
    ck_assert_int_eq(buf_printf(&b, "-%d-%s", 7, "x"), ERR_OK);
    ck_assert_str_eq(b.p, "abcdef-7-x");
    ck_assert_uint_eq(b.n, 10);
    buf_clear(&b);
    ck_assert_ptr_null(b.p);
    ck_assert_uint_eq(b.max, 100);
    ck_assert_int_eq(buf_append_z(&b, "again"), ERR_OK);
    ck_assert_str_eq(b.p, "again");
    buf_clear(&b);
}
END_TEST

START_TEST(empty_appends_are_ok_also_from_null)
{
    struct buf b;

    buf_init(&b, 0);
    ck_assert_int_eq(buf_append(&b, NULL, 0), ERR_OK);
    ck_assert_int_eq(buf_append_slice(&b, (struct slice){NULL, 0}), ERR_OK);
    ck_assert_int_eq(buf_printf(&b, "%s", ""), ERR_OK);
    ck_assert_str_eq(b.p, "");
    ck_assert_uint_eq(b.n, 0);
    ck_assert_int_eq(buf_append(&b, "x", 1), ERR_FULL);
    buf_clear(&b);
}
END_TEST

START_TEST(append_past_max_is_full_and_appends_nothing)
{
    struct buf b;

    buf_init(&b, 5);
    ck_assert_int_eq(buf_append_z(&b, "abc"), ERR_OK);
    ck_assert_int_eq(buf_append_z(&b, "def"), ERR_FULL);
    ck_assert_int_eq(buf_printf(&b, "%d", 123), ERR_FULL);
    ck_assert_str_eq(b.p, "abc");
    ck_assert_uint_eq(b.n, 3);
    ck_assert_int_eq(buf_append_z(&b, "de"), ERR_OK);
    ck_assert_str_eq(b.p, "abcde");
    ck_assert_int_eq(buf_append_z(&b, "f"), ERR_FULL);
    ck_assert_int_eq(buf_append(&b, "x", (size_t)-1), ERR_FULL);
    ck_assert_uint_le(b.cap, 6);
    buf_clear(&b);
}
END_TEST

START_TEST(printf_grows_by_what_it_needs)
{
    struct buf b;
    char *text = malloc(5001);

    ck_assert_ptr_nonnull(text);
    memset(text, 'y', 5000);
    text[5000] = '\0';
    buf_init(&b, 10000);
    ck_assert_int_eq(buf_append_z(&b, "<"), ERR_OK);
    ck_assert_int_eq(buf_printf(&b, "%s>", text), ERR_OK);
    ck_assert_uint_eq(b.n, 5002);
    ck_assert_int_eq(b.p[5001], '>');
    ck_assert_uint_eq(strlen(b.p), 5002);
    ck_assert_int_eq(buf_printf(&b, "%s", text), ERR_FULL);
    ck_assert_uint_eq(strlen(b.p), 5002);
    buf_clear(&b);
    free(text);
}
END_TEST

START_TEST(printf_of_every_length_around_the_first_block_is_whole)
{
    for (int n = 0; n < 600; n++) {
        struct buf b;

        buf_init(&b, 600);
        ck_assert_int_eq(buf_printf(&b, "%*s", n, ""), ERR_OK);
        ck_assert_uint_eq(b.n, (size_t)n);
        ck_assert_uint_eq(strlen(b.p), (size_t)n);
        buf_clear(&b);
    }
}
END_TEST

START_TEST(reserve_and_commit_write_in_place)
{
    struct buf b;
    char *p;

    buf_init(&b, 1000);
    ck_assert_int_eq(buf_reserve(&b, 0, &p), ERR_OK);
    ck_assert_ptr_nonnull(p);
    ck_assert_int_eq(buf_reserve(&b, 1000, &p), ERR_OK);
    memset(p, 'z', 1000);
    buf_commit(&b, 3);
    ck_assert_str_eq(b.p, "zzz");
    ck_assert_int_eq(buf_reserve(&b, 998, &p), ERR_FULL);
    ck_assert_int_eq(buf_reserve(&b, 997, &p), ERR_OK);
    ck_assert_ptr_eq(p, b.p + 3);
    buf_commit(&b, 0);
    ck_assert_uint_eq(b.n, 3);
    buf_clear(&b);
}
END_TEST

START_TEST(reset_keeps_the_memory_and_consume_keeps_the_rest)
{
    struct buf b;
    char *before;

    buf_init(&b, 100);
    buf_reset(&b);
    buf_consume(&b, 0);
    ck_assert_int_eq(buf_append_z(&b, "abcdef"), ERR_OK);
    before = b.p;
    buf_consume(&b, 2);
    ck_assert_str_eq(b.p, "cdef");
    ck_assert_uint_eq(b.n, 4);
    buf_consume(&b, 4);
    ck_assert_str_eq(b.p, "");
    ck_assert_int_eq(buf_append_z(&b, "x"), ERR_OK);
    buf_reset(&b);
    ck_assert_str_eq(b.p, "");
    ck_assert_uint_eq(b.n, 0);
    ck_assert_ptr_eq(b.p, before);
    buf_clear(&b);
}
END_TEST

START_TEST(memory_that_is_out_leaves_the_content)
{
    struct buf b;
    char *p;

    buf_init(&b, SIZE_MAX / 2);
    ck_assert_int_eq(buf_append_z(&b, "abc"), ERR_OK);
    ck_assert_int_eq(buf_reserve(&b, SIZE_MAX / 4, &p), ERR_MEMORY);
    ck_assert_str_eq(b.p, "abc");
    ck_assert_int_eq(buf_append_z(&b, "d"), ERR_OK);
    ck_assert_str_eq(b.p, "abcd");
    buf_clear(&b);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("buf");
    TCase *cases = tcase_create("buf");
    SRunner *runner = srunner_create(suite);
    int failed;

    suite_add_tcase(suite, cases);
    tcase_add_test(cases, a_new_buf_is_empty_and_owns_nothing);
    tcase_add_test(cases, appends_follow_each_other_and_end_with_nul);
    tcase_add_test(cases, empty_appends_are_ok_also_from_null);
    tcase_add_test(cases, append_past_max_is_full_and_appends_nothing);
    tcase_add_test(cases, printf_grows_by_what_it_needs);
    tcase_add_test(cases, printf_of_every_length_around_the_first_block_is_whole);
    tcase_add_test(cases, reserve_and_commit_write_in_place);
    tcase_add_test(cases, reset_keeps_the_memory_and_consume_keeps_the_rest);
    tcase_add_test(cases, memory_that_is_out_leaves_the_content);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
