#include "upstream/counts.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

static struct text_size size_of(struct slice s)
{
    struct text_size t = {0};

    text_size_add(&t, s);
    return t;
}

static struct text_size escaped_size_of(struct slice s)
{
    struct text_size t = {0};

    text_size_add_escaped(&t, s);
    return t;
}

START_TEST(text_is_counted_alike_at_every_length_and_alignment)
{
    static const char *const pieces[] = {"a",    "\xc3\xa9", "\xe4\xbd\xa0", "\xf0\x9f\x98\x80",
                                         "\x7f", " ~"};
    char text[256];
    size_t n = 0, from, to, seed;

    for (seed = 0; n < sizeof(text) - 4; seed = seed * 5 + 3) {
        const char *piece = pieces[seed / 7 % 6];

        memcpy(text + n, piece, strlen(piece));
        n += strlen(piece);
    }
    for (from = 0; from < n; from++) {
        struct text_size want = {0}, got;

        for (to = from; to <= n; to++) {
            char *own = malloc(to - from + 1);

            memcpy(own, text + from, to - from);
            got = size_of((struct slice){own, to - from});
            free(own);
            ck_assert_int_eq(got.ascii_bytes, want.ascii_bytes);
            ck_assert_int_eq(got.other_chars, want.other_chars);
            want.ascii_bytes += to < n && (unsigned char)text[to] < 0x80;
            want.other_chars += to < n && (unsigned char)text[to] >= 0xc0;
        }
    }
}
END_TEST

START_TEST(nothing_counts_as_nothing)
{
    struct text_size t = size_of((struct slice){NULL, 0});

    ck_assert_int_eq(text_size_tokens(&t), 0);
    t = escaped_size_of((struct slice){NULL, 0});
    ck_assert_int_eq(text_size_tokens(&t), 0);
}
END_TEST

START_TEST(four_ascii_bytes_are_a_token_rounded_up_and_each_other_character_one)
{
    static const struct {
        const char *text;
        int64_t tokens;
    } rows[] = {
        {"a",                        1},
        {"abcd",                     1},
        {"abcde",                    2},
        {"\xe4\xbd\xa0\xe5\xa5\xbd", 2},
        {"a\xc3\xa9",                2},
        {"\xf0\x9f\x98\x80!",        2}
    };
    size_t i;

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct text_size t = size_of(slice_of(rows[i].text));

        ck_assert_int_eq(text_size_tokens(&t), rows[i].tokens);
    }
}
END_TEST

START_TEST(pieces_add_up_before_they_are_rounded)
{
    struct text_size t = {0};
    int i;

    for (i = 0; i < 8; i++)
        text_size_add(&t, SLICE("a"));
    ck_assert_int_eq(text_size_tokens(&t), 2);
}
END_TEST

START_TEST(escapes_count_as_what_they_stand_for)
{
    static const struct {
        const char *raw;
        int64_t ascii, other;
    } rows[] = {
        {"",                   0, 0},
        {"plain",              5, 0},
        {"a\\nb\\\"c\\\\",     6, 0},
        {"\\u0041\\u007F",     2, 0},
        {"\\u4f60\\u597D",     0, 2},
        {"\\u0080",            0, 1},
        {"\\ud83d\\ude00",     0, 1},
        {"x\\u00e9y\xc3\xa9z", 3, 2},
        {"\\\\u4f60",          6, 0},
    };
    size_t i;

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct text_size t = escaped_size_of(slice_of(rows[i].raw));

        ck_assert_msg(t.ascii_bytes == rows[i].ascii && t.other_chars == rows[i].other, "row %zu",
                      i);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("counts");
    TCase *cases = tcase_create("counts");
    SRunner *runner = srunner_create(suite);
    int failed;

    suite_add_tcase(suite, cases);
    tcase_add_test(cases, text_is_counted_alike_at_every_length_and_alignment);
    tcase_add_test(cases, nothing_counts_as_nothing);
    tcase_add_test(cases, four_ascii_bytes_are_a_token_rounded_up_and_each_other_character_one);
    tcase_add_test(cases, pieces_add_up_before_they_are_rounded);
    tcase_add_test(cases, escapes_count_as_what_they_stand_for);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
