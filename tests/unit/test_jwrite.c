#include "base/jwrite.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

static struct buf b;
static struct jwrite w;

static void setup(void)
{
    buf_init(&b, 1 << 16);
    jwrite_init(&w, &b);
}

static void teardown(void)
{
    buf_clear(&b);
}

/* Every call once; expected stands in the test below. */
static void write_all(struct jwrite *to)
{
    jwrite_object(to);
    jwrite_key_string(to, "s", SLICE("a\"\\\n\x01 \xc3\xa9"));
    jwrite_key_string(to, "n", (struct slice){NULL, 0});
    jwrite_key_z(to, "z", "text");
    jwrite_key_z(to, "zn", NULL);
    jwrite_key_i64(to, "i", INT64_MIN);
    jwrite_key_bool(to, "t", true);
    jwrite_key_null(to, "u");
    jwrite_key_raw(to, "r", SLICE("{ \"k\" : 1.0 }"));
    jwrite_key_object(to, "o");
    jwrite_object_end(to);
    jwrite_key_array(to, "a");
    jwrite_i64(to, 1);
    jwrite_string(to, SLICE(""));
    jwrite_bool(to, false);
    jwrite_null(to);
    jwrite_array(to);
    jwrite_array_end(to);
    jwrite_object(to);
    jwrite_object_end(to);
    jwrite_array_end(to);
    jwrite_key(to, "p");
    jwrite_string_begin(to);
    jwrite_text(to, SLICE("a\""));
    jwrite_text(to, (struct slice){NULL, 0});
    jwrite_text(to, SLICE("b"));
    jwrite_string_end(to);
    jwrite_object_end(to);
}

static const char all[] =
    "{\"s\":\"a\\\"\\\\\\n\\u0001 \xc3\xa9\",\"n\":null,\"z\":\"text\",\"zn\":null,"
    "\"i\":-9223372036854775808,\"t\":true,\"u\":null,\"r\":{ \"k\" : 1.0 },\"o\":{},"
    "\"a\":[1,\"\",false,null,[],{}],\"p\":\"a\\\"b\"}";

START_TEST(commas_and_escapes_stand_where_they_must)
{
    write_all(&w);
    ck_assert_int_eq(jwrite_end(&w), ERR_OK);
    ck_assert_str_eq(b.p, all);
}
END_TEST

START_TEST(a_value_may_stand_alone_and_follow_other_bytes)
{
    ck_assert_int_eq(buf_append_z(&b, "data: "), ERR_OK);
    jwrite_i64(&w, -1);
    ck_assert_int_eq(jwrite_end(&w), ERR_OK);
    ck_assert_str_eq(b.p, "data: -1");
}
END_TEST

START_TEST(invalid_text_becomes_the_replacement_character)
{
    jwrite_string(&w, SLICE("a\xff"
                            "b"));
    ck_assert_int_eq(jwrite_end(&w), ERR_OK);
    ck_assert_str_eq(b.p, "\"a\xef\xbf\xbd"
                          "b\"");
}
END_TEST

START_TEST(the_first_error_stays_and_nothing_is_written_after_it)
{
    size_t max;

    for (max = 0; max < strlen(all); max++) {
        struct buf small;
        struct jwrite to;
        size_t n;

        buf_init(&small, max);
        jwrite_init(&to, &small);
        write_all(&to);
        n = small.n;
        ck_assert_uint_le(n, max);
        ck_assert_int_eq(jwrite_end(&to), ERR_FULL);
        jwrite_string(&to, SLICE(""));
        ck_assert_uint_eq(small.n, n);
        ck_assert(n == 0 || memcmp(small.p, all, n) == 0);
        buf_clear(&small);
    }
}
END_TEST

START_TEST(the_deepest_nesting_closes_again)
{
    int i;

    for (i = 0; i < JWRITE_DEPTH_MAX - 1; i++)
        jwrite_array(&w);
    for (i = 0; i < JWRITE_DEPTH_MAX - 1; i++)
        jwrite_array_end(&w);
    ck_assert_int_eq(jwrite_end(&w), ERR_OK);
    ck_assert_uint_eq(b.n, 2 * (JWRITE_DEPTH_MAX - 1));
}
END_TEST

int main(void)
{
    Suite *s = suite_create("jwrite");
    TCase *t = tcase_create("all");
    SRunner *r = srunner_create(s);
    int failed;

    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, commas_and_escapes_stand_where_they_must);
    tcase_add_test(t, a_value_may_stand_alone_and_follow_other_bytes);
    tcase_add_test(t, invalid_text_becomes_the_replacement_character);
    tcase_add_test(t, the_first_error_stays_and_nothing_is_written_after_it);
    tcase_add_test(t, the_deepest_nesting_closes_again);
    suite_add_tcase(s, t);
    srunner_run_all(r, CK_NORMAL);
    failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
