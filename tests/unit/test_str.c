#include "base/str.h"

#include <check.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

START_TEST(slice_of_null_is_empty)
{
    ck_assert_uint_eq(slice_of(NULL).n, 0);
    ck_assert_uint_eq(slice_of("").n, 0);
    ck_assert_uint_eq(slice_of("abc").n, 3);
}
END_TEST

START_TEST(slices_compare_by_bytes)
{
    ck_assert(slice_eq(SLICE("abc"), SLICE("abc")));
    ck_assert(!slice_eq(SLICE("abc"), SLICE("abd")));
    ck_assert(!slice_eq(SLICE("abc"), SLICE("ab")));
    ck_assert(slice_eq((struct slice){NULL, 0}, SLICE("")));
    ck_assert(slice_eq(SLICE("a\0b"), SLICE("a\0b")));
    ck_assert(!slice_eq(SLICE("a\0b"), SLICE("a\0c")));
    ck_assert(slice_eq_z(SLICE("abc"), "abc"));
    ck_assert(!slice_eq_z(SLICE("a\0b"), "a"));
    ck_assert(slice_eq_z(SLICE(""), NULL));
}
END_TEST

START_TEST(case_is_ignored_for_ascii_letters_only)
{
    ck_assert(slice_eq_ci(SLICE("Content-Type"), "content-TYPE"));
    ck_assert(!slice_eq_ci(SLICE("Content-Type"), "content-typ"));
    ck_assert(!slice_eq_ci(SLICE("Content-Typ"), "content-type"));
    ck_assert(!slice_eq_ci(SLICE("["), "{"));
    ck_assert(!slice_eq_ci(SLICE("@"), "`"));
    ck_assert(slice_starts_ci(SLICE("BEARER x"), "bearer "));
    ck_assert(!slice_starts_ci(SLICE("bear"), "bearer"));
    ck_assert(slice_starts(SLICE("sk-aip-1"), "sk-aip-"));
    ck_assert(slice_starts(SLICE(""), ""));
    ck_assert(!slice_starts(SLICE("SK-aip"), "sk-"));
    ck_assert(!slice_starts(SLICE("sk"), "sk-"));
}
END_TEST

START_TEST(trim_takes_white_space_off_both_ends)
{
    ck_assert(slice_eq_z(slice_trim(SLICE(" \t\r\n a b \n")), "a b"));
    ck_assert(slice_eq_z(slice_trim(SLICE(" \t\r\n ")), ""));
    ck_assert(slice_eq_z(slice_trim(SLICE("")), ""));
    ck_assert(slice_eq_z(slice_trim(SLICE("\va")), "\va"));
}
END_TEST

START_TEST(split_gives_every_part_also_the_empty_ones)
{
    struct slice rest = SLICE("a,,b,");

    ck_assert(slice_eq_z(slice_split(&rest, ','), "a"));
    ck_assert(slice_eq_z(slice_split(&rest, ','), ""));
    ck_assert(slice_eq_z(slice_split(&rest, ','), "b"));
    ck_assert_ptr_nonnull(rest.p);
    ck_assert(slice_eq_z(slice_split(&rest, ','), ""));
    ck_assert_ptr_null(rest.p);
    ck_assert_uint_eq(rest.n, 0);
    ck_assert(slice_eq_z(slice_split(&rest, ','), ""));
}
END_TEST

static const struct {
    const char *text;
    enum err e;
    int64_t value;
} integers[] = {
    {"0",                           ERR_OK,     0        },
    {"-0",                          ERR_OK,     0        },
    {"007",                         ERR_OK,     7        },
    {"-12",                         ERR_OK,     -12      },
    {"9223372036854775807",         ERR_OK,     INT64_MAX},
    {"-9223372036854775808",        ERR_OK,     INT64_MIN},
    {"9223372036854775808",         ERR_RANGE,  0        },
    {"-9223372036854775809",        ERR_RANGE,  0        },
    {"99999999999999999999999999",  ERR_RANGE,  0        },
    {"99999999999999999999999999x", ERR_FORMAT, 0        },
    {"",                            ERR_FORMAT, 0        },
    {"-",                           ERR_FORMAT, 0        },
    {"+1",                          ERR_FORMAT, 0        },
    {"--1",                         ERR_FORMAT, 0        },
    {" 1",                          ERR_FORMAT, 0        },
    {"1 ",                          ERR_FORMAT, 0        },
    {"1.0",                         ERR_FORMAT, 0        },
    {"0x10",                        ERR_FORMAT, 0        },
    {"1:",                          ERR_FORMAT, 0        },
    {"1/",                          ERR_FORMAT, 0        },
};

START_TEST(integers_are_exact_or_refused)
{
    int64_t value = 4711;

    ck_assert_int_eq(slice_to_i64(slice_of(integers[_i].text), &value), integers[_i].e);
    ck_assert_int_eq(value, integers[_i].e ? 4711 : integers[_i].value);
}
END_TEST

START_TEST(copy_cuts_at_a_character)
{
    char dst[6];

    ck_assert(slice_copy_z(dst, sizeof(dst), SLICE("abcde")));
    ck_assert_str_eq(dst, "abcde");
    ck_assert(!slice_copy_z(dst, sizeof(dst), SLICE("abcdef")));
    ck_assert_str_eq(dst, "abcde");
    ck_assert(!slice_copy_z(dst, sizeof(dst), SLICE("abc\xe2\x82\xac")));
    ck_assert_str_eq(dst, "abc");
    ck_assert(slice_copy_z(dst, sizeof(dst), SLICE("ab\xe2\x82\xac")));
    ck_assert_str_eq(dst, "ab\xe2\x82\xac");
    ck_assert(!slice_copy_z(dst, 1, SLICE("a")));
    ck_assert_str_eq(dst, "");
    ck_assert(slice_copy_z(dst, 1, SLICE("")));
}
END_TEST

static const struct {
    const char *from;
    bool plus;
    const char *to; /* NULL: refused */
} escapes[] = {
    {"abc",       false, "abc"     },
    {"a%20b",     false, "a b"     },
    {"a+b",       false, "a+b"     },
    {"a+b",       true,  "a b"     },
    {"%2B",       true,  "+"       },
    {"%c3%A4",    false, "\xc3\xa4"},
    {"%2525",     false, "%25"     },
    {"",          false, ""        },
    {"%",         false, NULL      },
    {"%2",        false, NULL      },
    {"a%2",       false, NULL      },
    {"%zz",       false, NULL      },
    {"%0g",       false, NULL      },
    {"%00",       false, NULL      },
    {"12345678",  false, "12345678"},
    {"123456789", false, NULL      },
};

START_TEST(percent_escapes_are_decoded_or_refused)
{
    char dst[8];
    struct slice from = slice_of(escapes[_i].from);
    size_t n = str_percent_decode(dst, sizeof(dst), from, escapes[_i].plus);

    if (!escapes[_i].to)
        ck_assert_uint_eq(n, SIZE_MAX);
    else
        ck_assert(slice_eq_z((struct slice){dst, n}, escapes[_i].to));
}
END_TEST

START_TEST(percent_decoding_works_in_place_and_refuses_a_raw_nul)
{
    char text[] = "%41%42c";
    size_t n = str_percent_decode(text, sizeof(text), slice_of(text), false);

    ck_assert(slice_eq_z((struct slice){text, n}, "ABc"));
    ck_assert_uint_eq(str_percent_decode(text, sizeof(text), SLICE("a\0b"), false), SIZE_MAX);
}
END_TEST

static const struct {
    const char *bytes;
    bool is_valid;
} utf8[] = {
    {"plain ascii that is longer than a word", true },
    {"\x7f",                                   true },
    {"\xc2\x80",                               true },
    {"\xdf\xbf",                               true },
    {"\xe0\xa0\x80",                           true },
    {"\xed\x9f\xbf",                           true },
    {"\xee\x80\x80",                           true },
    {"\xef\xbf\xbf",                           true },
    {"\xf0\x90\x80\x80",                       true },
    {"\xf4\x8f\xbf\xbf",                       true },
    {"\x80",                                   false},
    {"\xbf",                                   false},
    {"\xc0\x80",                               false},
    {"\xc1\xbf",                               false},
    {"\xc2",                                   false},
    {"\xc2\xc2",                               false},
    {"\xc2\x41",                               false},
    {"\xe0\x9f\xbf",                           false},
    {"\xe0\xa0",                               false},
    {"\xe0\xa0\x41",                           false},
    {"\xed\xa0\x80",                           false},
    {"\xed\xbf\xbf",                           false},
    {"\xf0\x8f\xbf\xbf",                       false},
    {"\xf0\x90\x80",                           false},
    {"\xf4\x90\x80\x80",                       false},
    {"\xf5\x80\x80\x80",                       false},
    {"\xfe",                                   false},
    {"\xff",                                   false},
};

START_TEST(utf8_is_told_from_other_bytes_at_every_alignment)
{
    for (size_t before = 0; before < 20; before++) {
        char text[96];
        size_t n = strlen(utf8[_i].bytes);

        memset(text, 'x', sizeof(text));
        memcpy(text + before, utf8[_i].bytes, n);
        ck_assert_int_eq(str_is_utf8((struct slice){text, before + n}), utf8[_i].is_valid);
        ck_assert_int_eq(str_is_utf8((struct slice){text, before + n + 20}), utf8[_i].is_valid);
    }
}
END_TEST

/* Against a decoder written from the definition: value ranges instead of byte ranges. */
static size_t reference_len(const unsigned char *s, size_t n)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    uint32_t code;
    size_t len;

    if (s[0] < 0x80)
        return 1;
    len = s[0] >> 5 == 6 ? 2 : s[0] >> 4 == 14 ? 3 : s[0] >> 3 == 30 ? 4 : 0;
    if (len == 0 || len > n)
        return 0;
    code = s[0] & (0x7fU >> len);
    for (size_t i = 1; i < len; i++) {
        if (s[i] >> 6 != 2)
            return 0;
        code = code << 6 | (s[i] & 0x3fU);
    }
    if (code < least[len] || code > 0x10ffff || (code >= 0xd800 && code < 0xe000))
        return 0;
    return len;
}

START_TEST(every_three_bytes_are_judged_as_by_the_definition)
{
    unsigned char s[4];

    for (uint32_t word = 0; word < 1U << 24; word++) {
        s[0] = (unsigned char)(word >> 16);
        s[1] = (unsigned char)(word >> 8);
        s[2] = (unsigned char)word;
        s[3] = 0x80;
        if (str_utf8_len((const char *)s, 4) != reference_len(s, 4))
            ck_abort_msg("%06" PRIx32, word);
    }
}
END_TEST

START_TEST(no_byte_is_no_character)
{
    ck_assert_uint_eq(str_utf8_len("x", 0), 0);
    ck_assert(str_is_utf8(SLICE("")));
    ck_assert(str_is_utf8(SLICE("a\0b")));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("str");
    TCase *cases = tcase_create("str");
    SRunner *runner = srunner_create(suite);
    int failed;

    suite_add_tcase(suite, cases);
    tcase_add_test(cases, slice_of_null_is_empty);
    tcase_add_test(cases, slices_compare_by_bytes);
    tcase_add_test(cases, case_is_ignored_for_ascii_letters_only);
    tcase_add_test(cases, trim_takes_white_space_off_both_ends);
    tcase_add_test(cases, split_gives_every_part_also_the_empty_ones);
    tcase_add_loop_test(cases, integers_are_exact_or_refused, 0,
                        (int)(sizeof(integers) / sizeof(integers[0])));
    tcase_add_test(cases, copy_cuts_at_a_character);
    tcase_add_loop_test(cases, percent_escapes_are_decoded_or_refused, 0,
                        (int)(sizeof(escapes) / sizeof(escapes[0])));
    tcase_add_test(cases, percent_decoding_works_in_place_and_refuses_a_raw_nul);
    tcase_add_loop_test(cases, utf8_is_told_from_other_bytes_at_every_alignment, 0,
                        (int)(sizeof(utf8) / sizeof(utf8[0])));
    tcase_add_test(cases, every_three_bytes_are_judged_as_by_the_definition);
    tcase_add_test(cases, no_byte_is_no_character);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
