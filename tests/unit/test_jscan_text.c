#include "base/jscan_text.h"

#include "base/buf.h"
#include "base/jscan.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#define ARENA_BYTES ((size_t)1 << 20)

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

/* ---- keys and strings ---- */

START_TEST(keys_are_compared_decoded)
{
    static const struct {
        const char *key, *name;
        bool is_same;
    } rows[] = {
        {"model",                               "model",            true },
        {"model",                               "mode",             false},
        {"mode",                                "model",            false},
        {"",                                    "",                 true },
        {"mod\\u0065l",                         "model",            true },
        {"\\u006d\\u006F\\u0064\\u0065\\u006c", "model",            true },
        {"mod\\u0065l",                         "modem",            false},
        {"mod\\u0065",                          "model",            false},
        {"mod\\u0065ls",                        "model",            false},
        {"a\\/b\\n\\\"\\\\",                    "a/b\n\"\\",        true },
        {"\\u00e9",                             "\xc3\xa9",         true },
        {"\\u20ac",                             "\xe2\x82\xac",     true },
        {"\\ud83d\\ude00",                      "\xf0\x9f\x98\x80", true },
        {"\\ud83d\\ude00",                      "\xf0\x9f\x98\x81", false},
        {"\\ud83d",                             "",                 false},
        {"a\\u0000b",                           "a",                false},
        {"\\u0000",                             "",                 false},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct jmember m = {.key = slice_of(rows[i].key)};

        ck_assert_msg(jscan_key_is(&m, rows[i].name) == rows[i].is_same, "%s", rows[i].key);
    }
}
END_TEST

static const struct {
    struct slice text;
    enum err e;
    struct slice decoded;
} strings[] = {
    {SLICE("\"\""),                                    ERR_OK,     SLICE("")                                },
    {SLICE("\"plain\""),                               ERR_OK,     SLICE("plain")                           },
    {SLICE("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\""),          ERR_OK,     SLICE("\"\\/\b\f\n\r\t")                 },
    {SLICE("\"x\\u0041y\\u00e9z\""),                   ERR_OK,     SLICE("xAy\xc3\xa9z")                    },
    {SLICE("\"\\u007f\\u0080\\u07ff\\u0800\\uffff\""), ERR_OK,
     SLICE("\x7f\xc2\x80\xdf\xbf\xe0\xa0\x80\xef\xbf\xbf")                                                  },
    {SLICE("\"\\ud800\\udc00\\uDBFF\\uDFFF\""),        ERR_OK,     SLICE("\xf0\x90\x80\x80\xf4\x8f\xbf\xbf")},
    {SLICE("\"\xe2\x82\xac\\n\xe2\x82\xac\""),         ERR_OK,     SLICE("\xe2\x82\xac\n\xe2\x82\xac")      },
    {SLICE("\"\\\\u0041\""),                           ERR_OK,     SLICE("\\u0041")                         },
    {SLICE("\"\\u0000\""),                             ERR_FORMAT, SLICE("")                                },
    {SLICE("\"a\\ud800\""),                            ERR_FORMAT, SLICE("")                                },
    {SLICE("\"\\ud800x\""),                            ERR_FORMAT, SLICE("")                                },
    {SLICE("\"\\ud800\\n12345\""),                     ERR_FORMAT, SLICE("")                                },
    {SLICE("\"\\ud800\\u0041\""),                      ERR_FORMAT, SLICE("")                                },
    {SLICE("\"\\ud800\\ud800\""),                      ERR_FORMAT, SLICE("")                                },
    {SLICE("\"\\udc00\""),                             ERR_FORMAT, SLICE("")                                },
    {SLICE("\"\\udc00\\ud800\""),                      ERR_FORMAT, SLICE("")                                },
    {SLICE("1"),                                       ERR_FORMAT, SLICE("")                                },
    {SLICE("null"),                                    ERR_FORMAT, SLICE("")                                },
};

START_TEST(strings_are_decoded_or_refused)
{
    struct slice text = exact(strings[_i].text), out = {NULL, 4711};
    struct arena *a = arena_new(ARENA_BYTES);
    struct jvalue value;

    ck_assert_int_eq(jscan_validate(text, &value, NULL), ERR_OK);
    ck_assert_int_eq(jscan_string(value, a, &out), strings[_i].e);
    if (strings[_i].e)
        ck_assert_uint_eq(out.n, 4711);
    else
        ck_assert(slice_eq(out, strings[_i].decoded));
    arena_free(a);
    drop(text);
}
END_TEST

START_TEST(a_string_without_escapes_is_borrowed_and_one_with_them_needs_memory)
{
    struct arena *a = arena_new(16);
    struct slice text = SLICE("\"plain\""), out;
    struct jvalue value;

    ck_assert_int_eq(jscan_validate(text, &value, NULL), ERR_OK);
    ck_assert_int_eq(jscan_string(value, a, &out), ERR_OK);
    ck_assert_ptr_eq(out.p, text.p + 1);
    ck_assert_uint_eq(arena_used(a), 0);
    ck_assert_int_eq(jscan_validate(SLICE("\"\\n more than sixteen bytes\""), &value, NULL),
                     ERR_OK);
    ck_assert_int_eq(jscan_string(value, a, &out), ERR_MEMORY);
    arena_free(a);
}
END_TEST

/* ---- integers ---- */

static const struct {
    const char *text;
    enum err e;
    int64_t value;
} integers[] = {
    {"0",                            ERR_OK,     0                           },
    {"-0",                           ERR_OK,     0                           },
    {"0.000",                        ERR_OK,     0                           },
    {"0e999999999999999999999",      ERR_OK,     0                           },
    {"1",                            ERR_OK,     1                           },
    {"-17",                          ERR_OK,     -17                         },
    {"1.0",                          ERR_OK,     1                           },
    {"1e3",                          ERR_OK,     1000                        },
    {"1E+3",                         ERR_OK,     1000                        },
    {"1.5e1",                        ERR_OK,     15                          },
    {"1200e-2",                      ERR_OK,     12                          },
    {"120.50e1",                     ERR_OK,     1205                        },
    {"0.001e3",                      ERR_OK,     1                           },
    {"100",                          ERR_OK,     100                         },
    {"10.0",                         ERR_OK,     10                          },
    {"9223372036854775807",          ERR_OK,     INT64_MAX                   },
    {"9223372036854775807.000",      ERR_OK,     INT64_MAX                   },
    {"-9223372036854775808",         ERR_OK,     INT64_MIN                   },
    {"-9223372036854775808e0",       ERR_OK,     INT64_MIN                   },
    {"9223372036854775.807e3",       ERR_OK,     INT64_MAX                   },
    {"1e18",                         ERR_OK,     INT64_C(1000000000000000000)},
    {"9223372036854775808",          ERR_RANGE,  0                           },
    {"-9223372036854775809",         ERR_RANGE,  0                           },
    {"1e19",                         ERR_RANGE,  0                           },
    {"18446744073709551616",         ERR_RANGE,  0                           },
    {"123456789012345678901",        ERR_RANGE,  0                           },
    {"1e99999999999999999999999",    ERR_RANGE,  0                           },
    {"-1e400",                       ERR_RANGE,  0                           },
    {"1.5",                          ERR_FORMAT, 0                           },
    {"1e-1",                         ERR_FORMAT, 0                           },
    {"15e-1",                        ERR_FORMAT, 0                           },
    {"0.00000000000000000000000001", ERR_FORMAT, 0                           },
    {"1e-99999999999999999999999",   ERR_FORMAT, 0                           },
    {"12345678901234567890.5",       ERR_FORMAT, 0                           },
    {"\"1\"",                        ERR_FORMAT, 0                           },
    {"true",                         ERR_FORMAT, 0                           },
    {"[1]",                          ERR_FORMAT, 0                           },
};

START_TEST(integers_are_exact_or_refused)
{
    struct slice text = exact(slice_of(integers[_i].text));
    struct jvalue value;
    int64_t out = 4711;

    ck_assert_int_eq(jscan_validate(text, &value, NULL), ERR_OK);
    ck_assert_int_eq(jscan_i64(value, &out), integers[_i].e);
    ck_assert_int_eq(out, integers[_i].e ? 4711 : integers[_i].value);
    drop(text);
}
END_TEST

/* ---- writing ---- */

static const struct {
    struct slice text;
    const char *json;
} written[] = {
    {SLICE(""),                                                    "\"\""                                    },
    {SLICE("plain text that is longer than one block of sixteen"),
     "\"plain text that is longer than one block of sixteen\""                                               },
    {SLICE("\"\\/"),                                               "\"\\\"\\\\/\""                           },
    {SLICE("\b\f\n\r\t"),                                          "\"\\b\\f\\n\\r\\t\""                     },
    {SLICE("\0\x01\x1f\x7f"),                                      "\"\\u0000\\u0001\\u001f\x7f\""           },
    {SLICE("a\xe2\x82\xac\xf0\x9f\x98\x80"),                       "\"a\xe2\x82\xac\xf0\x9f\x98\x80\""       },
    {SLICE("a\xffz"),                                              "\"a\xef\xbf\xbdz\""                      },
    {SLICE("\xc3"),                                                "\"\xef\xbf\xbd\""                        },
    {SLICE("\xed\xa0\x80"),                                        "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\""},
};

START_TEST(escaping_gives_json_of_any_bytes)
{
    struct slice text = exact(written[_i].text);
    struct buf b;

    buf_init(&b, 1000);
    ck_assert_int_eq(buf_append_z(&b, ">"), ERR_OK);
    ck_assert_int_eq(jscan_escape(&b, text), ERR_OK);
    ck_assert_str_eq(b.p + 1, written[_i].json);
    buf_clear(&b);
    drop(text);
}
END_TEST

START_TEST(every_byte_escaped_is_read_back)
{
    struct arena *a = arena_new(ARENA_BYTES);

    for (int c = 1; c < 0x80; c++) {
        char text[] = {'<', (char)c, '>', 0};
        struct jvalue value;
        struct slice out;
        struct buf b;

        buf_init(&b, 100);
        ck_assert_int_eq(jscan_escape(&b, slice_of(text)), ERR_OK);
        ck_assert_int_eq(jscan_validate(buf_slice(&b), &value, NULL), ERR_OK);
        ck_assert_int_eq(jscan_string(value, a, &out), ERR_OK);
        ck_assert(slice_eq_z(out, text));
        buf_clear(&b);
    }
    arena_free(a);
}
END_TEST

START_TEST(escaping_past_max_appends_nothing)
{
    for (size_t max = 1; max < 12; max++) {
        struct buf b;

        buf_init(&b, max);
        ck_assert_int_eq(buf_append_z(&b, "x"), ERR_OK);
        /* "ab\n\u0001c" is 13 bytes with its quotes. */
        ck_assert_int_eq(jscan_escape(&b, SLICE("ab\n\x01"
                                                "c")),
                         ERR_FULL);
        ck_assert_uint_eq(b.n, 1);
        ck_assert_str_eq(b.p, "x");
        buf_clear(&b);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("jscan_text");
    TCase *cases = tcase_create("jscan_text");
    SRunner *runner = srunner_create(suite);
    int failed;

    suite_add_tcase(suite, cases);
    tcase_add_test(cases, keys_are_compared_decoded);
    tcase_add_loop_test(cases, strings_are_decoded_or_refused, 0,
                        (int)(sizeof(strings) / sizeof(strings[0])));
    tcase_add_test(cases, a_string_without_escapes_is_borrowed_and_one_with_them_needs_memory);
    tcase_add_loop_test(cases, integers_are_exact_or_refused, 0,
                        (int)(sizeof(integers) / sizeof(integers[0])));
    tcase_add_loop_test(cases, escaping_gives_json_of_any_bytes, 0,
                        (int)(sizeof(written) / sizeof(written[0])));
    tcase_add_test(cases, every_byte_escaped_is_read_back);
    tcase_add_test(cases, escaping_past_max_appends_nothing);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
