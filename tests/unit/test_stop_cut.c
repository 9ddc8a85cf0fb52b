#include "upstream/stop_cut.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

static const struct slice stops[] = {
    {"STOP",   4},
    {"</end>", 6},
    {"</en",   4},
};

/* Everything that is given for a text fed in pieces of n bytes; *cut: a stop was found. */
static char *run(const char *text, size_t n, bool *cut, struct slice *found)
{
    static char given[512];
    struct stop_cut s;
    size_t at = 0, len = strlen(text), used = 0;

    stop_cut_init(&s);
    stop_cut_set(&s, stops, 3);
    *cut = false;
    while (at < len && !*cut) {
        size_t piece = len - at < n ? len - at : n;
        struct slice out;

        ck_assert_int_eq(stop_cut_feed(&s, (struct slice){text + at, piece}, &out, cut), ERR_OK);
        memcpy(given + used, out.p ? out.p : "", out.n);
        used += out.n;
        at += piece;
    }
    if (!*cut) {
        struct slice rest = stop_cut_rest(&s);

        memcpy(given + used, rest.p ? rest.p : "", rest.n);
        used += rest.n;
        ck_assert_uint_eq(stop_cut_rest(&s).n, 0);
    }
    given[used] = '\0';
    *found = stop_cut_found(&s);
    stop_cut_clear(&s);
    return given;
}

static const struct {
    const char *text, *given, *found;
} rows[] = {
    {"plain text",        "plain text",    NULL    },
    {"one STOP two",      "one ",          "STOP"  },
    {"STOP",              "",              "STOP"  },
    {"SSTOSTOPx",         "SSTO",          "STOP"  },
    {"STO",               "STO",           NULL    },
    {"a </end> b",        "a ",            "</end>"},
    {"a </enough",        "a ",            "</en"  },
    {"almost </e",        "almost </e",    NULL    },
    {"\xe2\x82\xac </en", "\xe2\x82\xac ", "</en"  },
};

START_TEST(the_text_is_cut_at_the_first_stop_for_every_split)
{
    size_t n, len = strlen(rows[_i].text);

    /* What one feed sees may decide between stops at one place: whole input takes the longer. */
    for (n = 1; n <= len; n++) {
        struct slice found;
        bool cut;
        char *given = run(rows[_i].text, n, &cut, &found);

        ck_assert_str_eq(given, rows[_i].given);
        ck_assert_int_eq(cut, rows[_i].found != NULL);
        if (cut && n == len)
            ck_assert(slice_eq_z(found, rows[_i].found));
    }
}
END_TEST

START_TEST(nothing_is_set_at_first)
{
    struct stop_cut s;

    stop_cut_init(&s);
    ck_assert(!stop_cut_is_set(&s));
    stop_cut_set(&s, stops, 1);
    ck_assert(stop_cut_is_set(&s));
    stop_cut_clear(&s);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("stop_cut");
    TCase *cases = tcase_create("all");
    SRunner *runner;
    int failed;

    tcase_add_loop_test(cases, the_text_is_cut_at_the_first_stop_for_every_split, 0,
                        (int)(sizeof(rows) / sizeof(rows[0])));
    tcase_add_test(cases, nothing_is_set_at_first);
    suite_add_tcase(suite, cases);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
