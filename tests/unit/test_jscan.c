#include "base/jscan.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* text in memory that ends with its last byte, so that a sanitizer sees a read past it. */
static struct slice exact(struct slice text)
{
    char *p = malloc(text.n ? text.n : 1);

    ck_assert_ptr_nonnull(p);
    memcpy(p, text.p, text.n);
    return (struct slice){p, text.n};
}

static void drop(struct slice text)
{
    free((void *)(uintptr_t)text.p);
}

/* ---- the grammar ---- */

static const struct {
    struct slice text;
    enum jkind kind;
} valid[] = {
    {SLICE("null"),                                               JSCAN_NULL  },
    {SLICE("true"),                                               JSCAN_TRUE  },
    {SLICE("false"),                                              JSCAN_FALSE },
    {SLICE(" \t\r\n null \t\r\n "),                               JSCAN_NULL  },
    {SLICE("0"),                                                  JSCAN_NUMBER},
    {SLICE("-0"),                                                 JSCAN_NUMBER},
    {SLICE("1"),                                                  JSCAN_NUMBER},
    {SLICE("-1"),                                                 JSCAN_NUMBER},
    {SLICE("10"),                                                 JSCAN_NUMBER},
    {SLICE("0.0"),                                                JSCAN_NUMBER},
    {SLICE("-0.0000000000000000000000000000001"),                 JSCAN_NUMBER},
    {SLICE("0e1"),                                                JSCAN_NUMBER},
    {SLICE("0e+1"),                                               JSCAN_NUMBER},
    {SLICE("1E22"),                                               JSCAN_NUMBER},
    {SLICE("1E-2"),                                               JSCAN_NUMBER},
    {SLICE("1.5e+0009"),                                          JSCAN_NUMBER},
    {SLICE("123.456e78"),                                         JSCAN_NUMBER},
    {SLICE("1e999999999999999999999999"),                         JSCAN_NUMBER},
    {SLICE("99999999999999999999999999999999999999999999999999"), JSCAN_NUMBER},
    {SLICE("\"\""),                                               JSCAN_STRING},
    {SLICE("\"a\""),                                              JSCAN_STRING},
    {SLICE("\" \""),                                              JSCAN_STRING},
    {SLICE("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\""),                     JSCAN_STRING},
    {SLICE("\"\\u0060\\u012a\\u12AB\\uabCD\""),                   JSCAN_STRING},
    {SLICE("\"\\u0000\""),                                        JSCAN_STRING},
    {SLICE("\"\\ud83d\\ude39\""),                                 JSCAN_STRING},
    {SLICE("\"\\ud800\""),                                        JSCAN_STRING}, /* the grammar allows it; jscan_string refuses it */
    {SLICE("\"\\udc00\\ud800\""),                                 JSCAN_STRING},
    {SLICE("\"\x7f\""),                                           JSCAN_STRING},
    {SLICE("\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\""),           JSCAN_STRING},
    {SLICE("\"\xf4\x8f\xbf\xbf\xef\xbf\xbf\""),                   JSCAN_STRING},
    {SLICE("\"\xe2\x80\xa8\xe2\x80\xa9\""),                       JSCAN_STRING},
    {SLICE("\"// not a comment /* nor this */\""),                JSCAN_STRING},
    {SLICE("\"\\\\\\\\\""),                                       JSCAN_STRING},
    {SLICE("[]"),                                                 JSCAN_ARRAY },
    {SLICE("[ ]"),                                                JSCAN_ARRAY },
    {SLICE("[1]"),                                                JSCAN_ARRAY },
    {SLICE("[ 1 , 2 ]"),                                          JSCAN_ARRAY },
    {SLICE("[[],[[]],{},\"\"]"),                                  JSCAN_ARRAY },
    {SLICE("[1\n,1\n,2]"),                                        JSCAN_ARRAY },
    {SLICE("[null,true,false,-1e1]"),                             JSCAN_ARRAY },
    {SLICE("{}"),                                                 JSCAN_OBJECT},
    {SLICE("{ }"),                                                JSCAN_OBJECT},
    {SLICE("{\"\":0}"),                                           JSCAN_OBJECT},
    {SLICE("{\"a\":1,\"a\":2}"),                                  JSCAN_OBJECT},
    {SLICE("{ \"a\" : [ { } ] , \"b\" : { \"c\" : \"d\" } }"),    JSCAN_OBJECT},
    {SLICE("{\"a\":{\"b\":{\"c\":[1,[2,[3,{\"d\":[]}]]]}}}"),     JSCAN_OBJECT},
    {SLICE("{\"\\u0000\":1}"),                                    JSCAN_OBJECT},
    {SLICE("{\"]\":\"}\",\"[\":\"{\"}"),                          JSCAN_OBJECT},
};

START_TEST(json_is_valid)
{
    struct slice text = exact(valid[_i].text);
    struct jvalue value;
    size_t at;

    ck_assert_int_eq(jscan_validate(text, &value, &at), ERR_OK);
    ck_assert_int_eq(value.kind, valid[_i].kind);
    ck_assert(slice_eq(value.raw, slice_trim(valid[_i].text)));
    drop(text);
}
END_TEST

static const struct {
    struct slice text;
    size_t at; /* where the fault is */
} invalid[] = {
    {SLICE(""),                     0},
    {SLICE("  "),                   2},
    {SLICE("nul"),                  3},
    {SLICE("nulL"),                 3},
    {SLICE("Null"),                 0},
    {SLICE("TRUE"),                 0},
    {SLICE("truee"),                4},
    {SLICE("true false"),           5},
    {SLICE("NaN"),                  0},
    {SLICE("Infinity"),             0},
    {SLICE("-Infinity"),            1},
    {SLICE("-"),                    1},
    {SLICE("+1"),                   0},
    {SLICE("--1"),                  1},
    {SLICE("01"),                   1},
    {SLICE("-01"),                  2},
    {SLICE("00"),                   1},
    {SLICE(".5"),                   0},
    {SLICE("5."),                   2},
    {SLICE("-.5"),                  1},
    {SLICE("1.e1"),                 2},
    {SLICE("1e"),                   2},
    {SLICE("1e+"),                  3},
    {SLICE("1e+-1"),                3},
    {SLICE("1e1.5"),                3},
    {SLICE("1.2.3"),                3},
    {SLICE("1 2"),                  2},
    {SLICE("0x10"),                 1},
    {SLICE("1_000"),                1},
    {SLICE("1a"),                   1},
    {SLICE("\xef\xbc\x91"),         0},
    {SLICE("\""),                   1},
    {SLICE("\"a"),                  2},
    {SLICE("\"\\"),                 2},
    {SLICE("\"\\\""),               3},
    {SLICE("\"\\x\""),              2},
    {SLICE("\"\\'\""),              2},
    {SLICE("\"\\U0041\""),          2},
    {SLICE("\"\\\0\""),             2},
    {SLICE("\"\\u\""),              3},
    {SLICE("\"\\u12\""),            5},
    {SLICE("\"\\u12G4\""),          5},
    {SLICE("\"\\u123\""),           6},
    {SLICE("\"\\u-123\""),          3},
    {SLICE("\"\\ud83d\\u\""),       9},
    {SLICE("\"\0\""),               1},
    {SLICE("\"a\nb\""),             2},
    {SLICE("\"\t\""),               1},
    {SLICE("\"\x1f\""),             1},
    {SLICE("'a'"),                  0},
    {SLICE("\"\x80\""),             1},
    {SLICE("\"\xc0\x80\""),         1},
    {SLICE("\"\xe0\x80\x80\""),     1},
    {SLICE("\"\xed\xa0\x80\""),     1},
    {SLICE("\"\xf4\x90\x80\x80\""), 1},
    {SLICE("\"\xff\""),             1},
    {SLICE("\"\xc3\""),             1},
    {SLICE("\"\xe2\x82\""),         1},
    {SLICE("\xef\xbb\xbf{}"),       0},
    {SLICE("["),                    1},
    {SLICE("]"),                    0},
    {SLICE("[,]"),                  1},
    {SLICE("[1,]"),                 3},
    {SLICE("[,1]"),                 1},
    {SLICE("[1,,2]"),               3},
    {SLICE("[1 2]"),                3},
    {SLICE("[1}"),                  2},
    {SLICE("[}"),                   1},
    {SLICE("[]]"),                  2},
    {SLICE("[1"),                   2},
    {SLICE("[1,"),                  3},
    {SLICE("[1:2]"),                2},
    {SLICE("[\"a\":1]"),            4},
    {SLICE("[a]"),                  1},
    {SLICE("[1]x"),                 3},
    {SLICE("[1],"),                 3},
    {SLICE("[\v1]"),                1},
    {SLICE("[\f1]"),                1},
    {SLICE("[\xc2\xa0]"),           1},
    {SLICE("[1]\0"),                3},
    {SLICE("{"),                    1},
    {SLICE("}"),                    0},
    {SLICE("{]"),                   1},
    {SLICE("{,}"),                  1},
    {SLICE("{\"a\"}"),              4},
    {SLICE("{\"a\":}"),             5},
    {SLICE("{\"a\" 1}"),            5},
    {SLICE("{\"a\"::1}"),           5},
    {SLICE("{\"a\":1,}"),           7},
    {SLICE("{\"a\":1]"),            6},
    {SLICE("{\"a\":1 \"b\":2}"),    7},
    {SLICE("{\"a\":1,,\"b\":2}"),   7},
    {SLICE("{a:1}"),                1},
    {SLICE("{'a':1}"),              1},
    {SLICE("{1:1}"),                1},
    {SLICE("{null:1}"),             1},
    {SLICE("{\"a\":1}}"),           7},
    {SLICE("{\"a\":1}{"),           7},
    {SLICE("{\"a\":1}#"),           7},
    {SLICE("{\"a\":/*x*/1}"),       5},
    {SLICE("{\"a\\x\":1}"),         4},
    {SLICE("{\"a\":[1}"),           7},
    {SLICE("{\"a\":[{]}"),          7},
};

START_TEST(other_text_is_a_format_error_at_its_fault)
{
    struct slice text = exact(invalid[_i].text);
    struct jvalue value;
    size_t at = 4711;

    ck_assert_int_eq(jscan_validate(text, &value, &at), ERR_FORMAT);
    ck_assert_uint_eq(at, invalid[_i].at);
    ck_assert_int_eq(jscan_validate(text, &value, NULL), ERR_FORMAT);
    drop(text);
}
END_TEST

static const char sample[] = " {\"model\" : \"gpt-\\u0034 \xe2\x82\xac and some more plain text "
                             "than a block\", \"n\":-12.5e+3,"
                             "\"stream\":true,\"stop\":null,\"x\":false,\"messages\":[{\"role\":"
                             "\"user\",\"content\":[{\"type\":"
                             "\"text\",\"text\":\"say \\\"hi\\\"\\n\"}]},{}, [ ] "
                             ",[[0]]],\"\":{\"deep\":{\"er\":[1,2,[3]]}}}";

/* Reads text with the one-pass iteration; ERR_END is what a whole object gives. */
static enum err iterate(struct slice text, size_t *members, size_t *at)
{
    struct jmember m;
    struct jscan s;
    enum err e;

    *members = 0;
    e = jscan_begin_object(&s, text);
    while (!e) {
        e = jscan_next_member(&s, &m);
        *members += !e;
    }
    *at = s.at;
    return e;
}

START_TEST(every_truncation_is_a_format_error)
{
    for (size_t n = 0; n <= sizeof(sample) - 1; n++) {
        struct slice text = exact((struct slice){sample, n});
        struct jvalue value;
        size_t members, at;
        bool is_whole = n == sizeof(sample) - 1;

        ck_assert_int_eq(jscan_validate(text, &value, &at), is_whole ? ERR_OK : ERR_FORMAT);
        ck_assert_int_eq(iterate(text, &members, &at), is_whole ? ERR_END : ERR_FORMAT);
        ck_assert_uint_le(at, n);
        if (is_whole)
            ck_assert_uint_eq(members, 7);
        drop(text);
    }
}
END_TEST

/* The two ways to validate are two pieces of code: they must judge alike. */
START_TEST(one_pass_and_validation_agree_on_every_changed_byte)
{
    static const char others[] = "\0\"\\{}[],:0e.-tn \n\x80\xc3x";

    for (size_t i = 0; i < sizeof(sample) - 1; i++) {
        for (size_t k = 0; k < sizeof(others) - 1; k++) {
            struct slice text = exact((struct slice){sample, sizeof(sample) - 1});
            size_t members, at_validate = 0, at_iterate;
            struct jvalue value;
            enum err e;

            ((char *)(uintptr_t)text.p)[i] = others[k];
            e = jscan_validate(text, &value, &at_validate);
            if (e || value.kind == JSCAN_OBJECT) {
                ck_assert_int_eq(iterate(text, &members, &at_iterate), e ? e : ERR_END);
                if (e && slice_starts(slice_trim(text), "{"))
                    ck_assert_uint_eq(at_iterate, at_validate);
            } else {
                ck_assert_int_eq(iterate(text, &members, &at_iterate), ERR_FORMAT);
            }
            drop(text);
        }
    }
}
END_TEST

START_TEST(a_fault_is_found_at_every_place_of_a_long_string)
{
    static const char *const faults[] = {"\x01", "\x1f", "\n", "\x80", "\xff", "\\x"};
    char text[80];

    for (size_t at = 1; at < 60; at++) {
        for (size_t k = 0; k < sizeof(faults) / sizeof(faults[0]); k++) {
            size_t n = strlen(faults[k]), found;
            struct jvalue value;
            struct slice s;

            memset(text, 'a', sizeof(text));
            text[0] = text[70] = '"';
            memcpy(text + at, faults[k], n);
            s = exact((struct slice){text, 71});
            ck_assert_int_eq(jscan_validate(s, &value, &found), ERR_FORMAT);
            ck_assert_uint_eq(found, at + n - 1);
            drop(s);
        }
    }
}
END_TEST

START_TEST(every_plain_byte_passes_at_every_place_of_a_long_string)
{
    char text[80];

    for (int c = 0x20; c < 0x80; c++) {
        if (c == '"' || c == '\\')
            continue;
        for (size_t at = 1; at < 40; at++) {
            struct jvalue value;

            memset(text, 'a', sizeof(text));
            text[0] = text[50] = '"';
            text[at] = (char)c;
            ck_assert_int_eq(jscan_validate((struct slice){text, 51}, &value, NULL), ERR_OK);
        }
    }
}
END_TEST

/* opens brackets of both kinds in turn, closes them */
static struct slice nested(char *text, size_t depth)
{
    size_t n = 0;

    for (size_t i = 0; i < depth; i++)
        n += (size_t)sprintf(text + n, "%s", i % 3 == 0 ? "{\"a\":" : "[");
    text[n++] = '1';
    for (size_t i = depth; i-- > 0;)
        text[n++] = i % 3 == 0 ? '}' : ']';
    return (struct slice){text, n};
}

START_TEST(depth_is_limited)
{
    static char text[8 * JSCAN_DEPTH_MAX + 64];
    struct jvalue value;
    size_t members, at;

    ck_assert_int_eq(jscan_validate(nested(text, JSCAN_DEPTH_MAX), &value, NULL), ERR_OK);
    ck_assert_int_eq(jscan_validate(nested(text, JSCAN_DEPTH_MAX + 1), &value, NULL), ERR_FORMAT);
    ck_assert_int_eq(iterate(nested(text, JSCAN_DEPTH_MAX), &members, &at), ERR_END);
    ck_assert_int_eq(iterate(nested(text, JSCAN_DEPTH_MAX + 1), &members, &at), ERR_FORMAT);
}
END_TEST

START_TEST(a_wall_of_brackets_is_refused)
{
    size_t n = 1000000;
    char *text = malloc(n);
    struct jvalue value;

    ck_assert_ptr_nonnull(text);
    memset(text, '[', n);
    ck_assert_int_eq(jscan_validate((struct slice){text, n}, &value, NULL), ERR_FORMAT);
    free(text);
}
END_TEST

START_TEST(closing_brackets_must_match_at_every_depth)
{
    static char text[8 * JSCAN_DEPTH_MAX + 64];
    struct jvalue value;

    for (size_t depth = 1; depth <= JSCAN_DEPTH_MAX; depth++) {
        struct slice s = nested(text, depth);

        for (size_t i = s.n - depth; i < s.n; i++) {
            text[i] ^= '}' ^ ']';
            ck_assert_int_eq(jscan_validate(s, &value, NULL), ERR_FORMAT);
            text[i] ^= '}' ^ ']';
        }
        ck_assert_int_eq(jscan_validate(s, &value, NULL), ERR_OK);
    }
}
END_TEST

/* ---- iteration ---- */

static void check_members(struct jscan *s)
{
    static const struct {
        const char *key, *value;
        enum jkind kind;
    } expected[] = {
        {"a",     "1",               JSCAN_NUMBER},
        {"b",     "\"x\\\"}\"",      JSCAN_STRING},
        {"c",     "[1,{}]",          JSCAN_ARRAY },
        {"d",     "{\"e\":[\"]\"]}", JSCAN_OBJECT},
        {"f",     "true",            JSCAN_TRUE  },
        {"",      "null",            JSCAN_NULL  },
        {"g\\\"", "false",           JSCAN_FALSE },
        {"h",     "-1.5e3",          JSCAN_NUMBER},
    };
    struct jmember m;

    for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++) {
        ck_assert_int_eq(jscan_next_member(s, &m), ERR_OK);
        ck_assert(slice_eq_z(m.key, expected[i].key));
        ck_assert(slice_eq_z(m.value.raw, expected[i].value));
        ck_assert_int_eq(m.value.kind, expected[i].kind);
        ck_assert_ptr_eq(m.whole.p, m.key.p - 1);
        ck_assert_ptr_eq(m.whole.p + m.whole.n, m.value.raw.p + m.value.raw.n);
    }
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(jscan_next_member(s, &m), ERR_END);
}

static const char members_text[] =
    " { \"a\" : 1 , \"b\":\"x\\\"}\",\"c\":[1,{}],\"d\":{\"e\":[\"]\"]}\n,\"f\":true "
    ",\"\":null,\"g\\\"\""
    ":false,\"h\":-1.5e3} ";

START_TEST(one_pass_gives_every_member_then_the_end)
{
    struct jscan s;

    ck_assert_int_eq(jscan_begin_object(&s, SLICE(members_text)), ERR_OK);
    check_members(&s);
}
END_TEST

START_TEST(a_validated_object_gives_the_same_members)
{
    struct jvalue value;
    struct jscan s;

    ck_assert_int_eq(jscan_validate(SLICE(members_text), &value, NULL), ERR_OK);
    ck_assert_int_eq(jscan_object(&s, value), ERR_OK);
    check_members(&s);
}
END_TEST

START_TEST(elements_come_in_order_then_the_end)
{
    static const char *const expected[] = {"1",          "\"a,]\"", "[ 2 , [3]]",
                                           "{\"k\":[]}", "null",    "\"\\\\\""};
    struct jvalue value, v;
    struct jscan s;

    ck_assert_int_eq(jscan_validate(SLICE("[ 1, \"a,]\" ,[ 2 , [3]],{\"k\":[]} , null,\"\\\\\" ]"),
                                    &value, NULL),
                     ERR_OK);
    ck_assert_int_eq(jscan_array(&s, value), ERR_OK);
    for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++) {
        ck_assert_int_eq(jscan_next_element(&s, &v), ERR_OK);
        ck_assert(slice_eq_z(v.raw, expected[i]));
    }
    ck_assert_int_eq(jscan_next_element(&s, &v), ERR_END);
    ck_assert_int_eq(jscan_next_element(&s, &v), ERR_END);
}
END_TEST

START_TEST(empty_ones_end_at_once)
{
    struct jvalue value, v;
    struct jmember m;
    struct jscan s;

    ck_assert_int_eq(jscan_begin_object(&s, SLICE(" { } ")), ERR_OK);
    ck_assert_int_eq(jscan_next_member(&s, &m), ERR_END);
    ck_assert_int_eq(jscan_validate(SLICE("[ ]"), &value, NULL), ERR_OK);
    ck_assert_int_eq(jscan_array(&s, value), ERR_OK);
    ck_assert_int_eq(jscan_next_element(&s, &v), ERR_END);
    ck_assert_int_eq(jscan_validate(SLICE("{}"), &value, NULL), ERR_OK);
    ck_assert_int_eq(jscan_object(&s, value), ERR_OK);
    ck_assert_int_eq(jscan_next_member(&s, &m), ERR_END);
}
END_TEST

START_TEST(iteration_over_another_kind_is_refused)
{
    struct jvalue value;
    struct jscan s;

    ck_assert_int_eq(jscan_validate(SLICE("[1]"), &value, NULL), ERR_OK);
    ck_assert_int_eq(jscan_object(&s, value), ERR_FORMAT);
    ck_assert_int_eq(jscan_validate(SLICE("{}"), &value, NULL), ERR_OK);
    ck_assert_int_eq(jscan_array(&s, value), ERR_FORMAT);
    ck_assert_int_eq(jscan_begin_object(&s, SLICE(" [1]")), ERR_FORMAT);
    ck_assert_uint_eq(s.at, 1);
    ck_assert_int_eq(jscan_begin_object(&s, SLICE("")), ERR_FORMAT);
}
END_TEST

START_TEST(a_fault_stays_one_however_often_it_is_asked)
{
    struct jmember m;
    struct jscan s;

    ck_assert_int_eq(jscan_begin_object(&s, SLICE("{\"a\":1,\"b\":x,\"c\":2}")), ERR_OK);
    ck_assert_int_eq(jscan_next_member(&s, &m), ERR_OK);
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(jscan_next_member(&s, &m), ERR_FORMAT);
        ck_assert_uint_eq(s.at, 11);
        ck_assert(slice_eq_z(m.key, "a"));
    }
}
END_TEST

START_TEST(text_after_the_object_is_a_fault)
{
    struct jmember m;
    struct jscan s;

    ck_assert_int_eq(jscan_begin_object(&s, SLICE("{} {}")), ERR_OK);
    ck_assert_int_eq(jscan_next_member(&s, &m), ERR_FORMAT);
    ck_assert_uint_eq(s.at, 3);
}
END_TEST

START_TEST(find_gives_the_first_of_that_name)
{
    struct jvalue object, value;

    ck_assert_int_eq(
        jscan_validate(SLICE("{\"x\":{\"a\":0},\"\\u0061\":1,\"a\":2}"), &object, NULL), ERR_OK);
    ck_assert_int_eq(jscan_find(object, "a", &value), ERR_OK);
    ck_assert(slice_eq_z(value.raw, "1"));
    ck_assert_int_eq(jscan_find(object, "b", &value), ERR_END);
    ck_assert_int_eq(jscan_find(value, "a", &value), ERR_END);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("jscan");
    TCase *cases = tcase_create("jscan");
    SRunner *runner = srunner_create(suite);
    int failed;

    suite_add_tcase(suite, cases);
    tcase_add_loop_test(cases, json_is_valid, 0, (int)(sizeof(valid) / sizeof(valid[0])));
    tcase_add_loop_test(cases, other_text_is_a_format_error_at_its_fault, 0,
                        (int)(sizeof(invalid) / sizeof(invalid[0])));
    tcase_add_test(cases, every_truncation_is_a_format_error);
    tcase_add_test(cases, one_pass_and_validation_agree_on_every_changed_byte);
    tcase_add_test(cases, a_fault_is_found_at_every_place_of_a_long_string);
    tcase_add_test(cases, every_plain_byte_passes_at_every_place_of_a_long_string);
    tcase_add_test(cases, depth_is_limited);
    tcase_add_test(cases, a_wall_of_brackets_is_refused);
    tcase_add_test(cases, closing_brackets_must_match_at_every_depth);
    tcase_add_test(cases, one_pass_gives_every_member_then_the_end);
    tcase_add_test(cases, a_validated_object_gives_the_same_members);
    tcase_add_test(cases, elements_come_in_order_then_the_end);
    tcase_add_test(cases, empty_ones_end_at_once);
    tcase_add_test(cases, iteration_over_another_kind_is_refused);
    tcase_add_test(cases, a_fault_stays_one_however_often_it_is_asked);
    tcase_add_test(cases, text_after_the_object_is_a_fault);
    tcase_add_test(cases, find_gives_the_first_of_that_name);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
