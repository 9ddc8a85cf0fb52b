#include "base/json.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

static struct json_object *parse(const char *text)
{
    struct json_object *o = NULL;

    ck_assert_int_eq(json_parse(slice_of(text), &o), ERR_OK);
    return o;
}

static const char *const values[] = {
    "{}", "[]",  "null",  "true", " {\"a\":[1,2.5,\"x\",null,false]} ",
    "1",  "-12", "1.5e3", "\"\"", "\"\xe2\x82\xac\"",
    "0",
};

START_TEST(any_json_value_parses)
{
    struct json_object *o = parse(values[_i]);

    json_object_put(o);
}
END_TEST

static const struct {
    struct slice text;
} refused[] = {
    {SLICE("")},         {SLICE("{")},          {SLICE("{'a':1}")},  {SLICE("{\"a\":NaN}")},
    {SLICE("[1,]")},     {SLICE("{\"a\":1,}")}, {SLICE("{} x")},     {SLICE("\"\n\"")},
    {SLICE("\"\xff\"")}, {SLICE("01")},         {SLICE("/* */ {}")}, {SLICE("{}\0")},
    {SLICE("Infinity")}, {SLICE("nul")},        {SLICE("True")},
};

START_TEST(what_is_not_strictly_json_is_refused)
{
    struct json_object *o = NULL;

    ck_assert_int_eq(json_parse(refused[_i].text, &o), ERR_FORMAT);
    ck_assert_ptr_null(o);
}
END_TEST

START_TEST(depth_and_size_are_limited)
{
    size_t n = JSON_BYTES_MAX + 1;
    struct json_object *o = NULL;
    char deep[2 * JSON_DEPTH_MAX + 3];
    char *big = malloc(n);

    for (size_t depth = 1; depth <= JSON_DEPTH_MAX + 1; depth++) {
        memset(deep, '[', depth);
        memset(deep + depth, ']', depth);
        if (depth < JSON_DEPTH_MAX) {
            ck_assert_int_eq(json_parse((struct slice){deep, 2 * depth}, &o), ERR_OK);
            json_object_put(o);
        } else if (depth > JSON_DEPTH_MAX) {
            ck_assert_int_eq(json_parse((struct slice){deep, 2 * depth}, &o), ERR_FORMAT);
        }
    }
    ck_assert_ptr_nonnull(big);
    memset(big, ' ', n);
    big[0] = '1';
    ck_assert_int_eq(json_parse((struct slice){big, n}, &o), ERR_TOO_LARGE);
    ck_assert_int_eq(json_parse((struct slice){big, n - 1}, &o), ERR_OK);
    json_object_put(o);
    free(big);
}
END_TEST

START_TEST(getters_are_typed)
{
    struct json_object *o =
        parse("{\"s\":\"te\\u0000xt\",\"i\":-7,\"b\":true,\"z\":null,\"d\":1.0,\"o\":{}}");
    struct slice s = {NULL, 4711};
    int64_t i = 4711;
    bool b = false;

    ck_assert_int_eq(json_get_string(o, "s", &s), ERR_OK);
    ck_assert(slice_eq(s, SLICE("te\0xt")));
    ck_assert_int_eq(json_get_i64(o, "i", &i), ERR_OK);
    ck_assert_int_eq(i, -7);
    ck_assert_int_eq(json_get_bool(o, "b", &b), ERR_OK);
    ck_assert(b);

    i = 4711;
    ck_assert_int_eq(json_get_string(o, "i", &s), ERR_FORMAT);
    ck_assert_int_eq(json_get_i64(o, "s", &i), ERR_FORMAT);
    ck_assert_int_eq(json_get_i64(o, "d", &i), ERR_FORMAT);
    ck_assert_int_eq(json_get_bool(o, "i", &b), ERR_FORMAT);
    ck_assert_int_eq(json_get_string(o, "z", &s), ERR_END);
    ck_assert_int_eq(json_get_i64(o, "absent", &i), ERR_END);
    ck_assert_int_eq(json_get_bool(o, "absent", &b), ERR_END);
    ck_assert_int_eq(i, 4711);
    json_object_put(o);
}
END_TEST

START_TEST(getters_of_what_is_no_object_are_a_format_error)
{
    struct json_object *o = parse("[1]");
    int64_t i;

    ck_assert_int_eq(json_get_i64(o, "a", &i), ERR_FORMAT);
    ck_assert_int_eq(json_get_i64(NULL, "a", &i), ERR_FORMAT);
    json_object_put(o);
}
END_TEST

static const struct {
    const char *text;
    enum err e;
    int64_t value;
} integers[] = {
    {"{\"i\":0}",                        ERR_OK,    0         },
    {"{\"i\":9223372036854775807}",      ERR_OK,    INT64_MAX },
    {"{\"i\":-9223372036854775807}",     ERR_OK,    -INT64_MAX},
    {"{\"i\":9223372036854775808}",      ERR_RANGE, 0         },
    {"{\"i\":18446744073709551615}",     ERR_RANGE, 0         },
    {"{\"i\":99999999999999999999999}",  ERR_RANGE, 0         },
    {"{\"i\":-99999999999999999999999}", ERR_RANGE, 0         },
};

START_TEST(integers_past_64_bits_do_not_saturate_silently)
{
    struct json_object *o = parse(integers[_i].text);
    int64_t value = 4711;

    ck_assert_int_eq(json_get_i64(o, "i", &value), integers[_i].e);
    ck_assert_int_eq(value, integers[_i].e ? 4711 : integers[_i].value);
    json_object_put(o);
}
END_TEST

START_TEST(a_built_object_prints_compactly)
{
    struct json_object *o = json_object_new_object();
    struct buf b;

    buf_init(&b, 1000);
    ck_assert_int_eq(json_add_string(o, "path", "/v1/\"x\"\n"), ERR_OK);
    ck_assert_int_eq(json_add_i64(o, "n", INT64_MIN), ERR_OK);
    ck_assert_int_eq(json_add_bool(o, "ok", true), ERR_OK);
    ck_assert_int_eq(json_add_take(o, "list", parse("[1, 2]")), ERR_OK);
    ck_assert_int_eq(json_add_take(o, "nothing", NULL), ERR_OK);
    ck_assert_int_eq(json_add_i64(o, "n", 5), ERR_OK);
    ck_assert_int_eq(json_print(o, &b), ERR_OK);
    ck_assert_str_eq(
        b.p, "{\"path\":\"/v1/\\\"x\\\"\\n\",\"n\":5,\"ok\":true,\"list\":[1,2],\"nothing\":null}");
    buf_clear(&b);
    json_object_put(o);
}
END_TEST

START_TEST(printing_past_max_is_full)
{
    struct json_object *o = parse("[1,2,3]");
    struct buf b;

    buf_init(&b, 6);
    ck_assert_int_eq(json_print(o, &b), ERR_FULL);
    ck_assert_uint_eq(b.n, 0);
    buf_clear(&b);
    buf_init(&b, 7);
    ck_assert_int_eq(json_print(o, &b), ERR_OK);
    buf_clear(&b);
    json_object_put(o);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("json");
    TCase *cases = tcase_create("json");
    SRunner *runner = srunner_create(suite);
    int failed;

    suite_add_tcase(suite, cases);
    tcase_add_loop_test(cases, any_json_value_parses, 0, (int)(sizeof(values) / sizeof(values[0])));
    tcase_add_loop_test(cases, what_is_not_strictly_json_is_refused, 0,
                        (int)(sizeof(refused) / sizeof(refused[0])));
    tcase_add_test(cases, depth_and_size_are_limited);
    tcase_add_test(cases, getters_are_typed);
    tcase_add_test(cases, getters_of_what_is_no_object_are_a_format_error);
    tcase_add_loop_test(cases, integers_past_64_bits_do_not_saturate_silently, 0,
                        (int)(sizeof(integers) / sizeof(integers[0])));
    tcase_add_test(cases, a_built_object_prints_compactly);
    tcase_add_test(cases, printing_past_max_is_full);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
