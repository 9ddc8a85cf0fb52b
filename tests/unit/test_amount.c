#include "base/amount.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    const char *text;
    enum err e;
    int64_t nusd;
} amounts[] = {
    {"3",                                 ERR_OK,     3000000000     },
    {"0",                                 ERR_OK,     0              },
    {"-0",                                ERR_OK,     0              },
    {"-0.000000000",                      ERR_OK,     0              },
    {"-12.5",                             ERR_OK,     -12500000000   },
    {"0.000000001",                       ERR_OK,     1              },
    {"-0.000000001",                      ERR_OK,     -1             },
    {"0.1",                               ERR_OK,     100000000      },
    {"007.10",                            ERR_OK,     7100000000     },
    {"0.1000000000000000000000000000000", ERR_OK,     100000000      },
    {"999999999.999999999",               ERR_OK,     MONEY_MAX_NUSD },
    {"-999999999.999999999",              ERR_OK,     -MONEY_MAX_NUSD},
    {"999999999.9999999990",              ERR_OK,     MONEY_MAX_NUSD },
    {"1000000000",                        ERR_RANGE,  0              },
    {"-1000000000.000000000",             ERR_RANGE,  0              },
    {"0.0000000001",                      ERR_RANGE,  0              },
    {"0.00000000000000000000000001",      ERR_RANGE,  0              },
    {"99999999999999999999999999999999",  ERR_RANGE,  0              },
    {"9223372036854775807",               ERR_RANGE,  0              },
    {"",                                  ERR_FORMAT, 0              },
    {"-",                                 ERR_FORMAT, 0              },
    {".",                                 ERR_FORMAT, 0              },
    {"-.",                                ERR_FORMAT, 0              },
    {".5",                                ERR_FORMAT, 0              },
    {"5.",                                ERR_FORMAT, 0              },
    {"+1",                                ERR_FORMAT, 0              },
    {"1e3",                               ERR_FORMAT, 0              },
    {"1,5",                               ERR_FORMAT, 0              },
    {"1.5.",                              ERR_FORMAT, 0              },
    {" 1",                                ERR_FORMAT, 0              },
    {"1 ",                                ERR_FORMAT, 0              },
    {"--1",                               ERR_FORMAT, 0              },
    {"NaN",                               ERR_FORMAT, 0              },
    {"1.0000000000x",                     ERR_FORMAT, 0              },
    {"10000000000x",                      ERR_FORMAT, 0              },
};

START_TEST(amounts_are_exact_or_refused)
{
    int64_t nusd = 4711;

    ck_assert_int_eq(amount_parse(slice_of(amounts[_i].text), &nusd), amounts[_i].e);
    ck_assert_int_eq(nusd, amounts[_i].e ? 4711 : amounts[_i].nusd);
}
END_TEST

START_TEST(printing_has_nine_decimals_always)
{
    char text[MONEY_TEXT_SIZE];

    ck_assert_str_eq(amount_print(text, 12500000000), "12.500000000");
    ck_assert_str_eq(amount_print(text, 0), "0.000000000");
    ck_assert_str_eq(amount_print(text, -1), "-0.000000001");
    ck_assert_str_eq(amount_print(text, -1000000000), "-1.000000000");
    ck_assert_str_eq(amount_print(text, MONEY_MAX_NUSD), "999999999.999999999");
    ck_assert_str_eq(amount_print(text, INT64_MAX), "9223372036.854775807");
    ck_assert_str_eq(amount_print(text, INT64_MIN), "-9223372036.854775808");
    ck_assert_ptr_eq(amount_print(text, 0), text);
}
END_TEST

START_TEST(what_is_printed_parses_to_the_same)
{
    uint64_t state = 1;

    for (int i = 0; i < 100000; i++) {
        char text[MONEY_TEXT_SIZE];
        int64_t nusd, again;

        state = state * 6364136223846793005u + 1442695040888963407u;
        nusd = (int64_t)(state >> 1) % (MONEY_MAX_NUSD + 1);
        if (state & 1)
            nusd = -nusd;
        ck_assert_int_eq(amount_parse(slice_of(amount_print(text, nusd)), &again), ERR_OK);
        ck_assert_int_eq(again, nusd);
    }
}
END_TEST

static const struct {
    const char *text;
    enum err e;
    int64_t ppm;
} multipliers[] = {
    {"0.9",                  ERR_OK,     900000    },
    {"1",                    ERR_OK,     1000000   },
    {"0",                    ERR_OK,     0         },
    {"-0",                   ERR_OK,     0         },
    {"1.250000000",          ERR_OK,     1250000   },
    {"0.000001",             ERR_OK,     1         },
    {"1000",                 ERR_OK,     1000000000},
    {"1000.000001",          ERR_RANGE,  0         },
    {"1001",                 ERR_RANGE,  0         },
    {"0.0000001",            ERR_RANGE,  0         },
    {"-0.1",                 ERR_RANGE,  0         },
    {"-1",                   ERR_RANGE,  0         },
    {"99999999999999999999", ERR_RANGE,  0         },
    {"",                     ERR_FORMAT, 0         },
    {"1.",                   ERR_FORMAT, 0         },
    {"x",                    ERR_FORMAT, 0         },
};

START_TEST(multipliers_are_exact_millionths_or_refused)
{
    int64_t ppm = 4711;

    ck_assert_int_eq(amount_parse_millionths(slice_of(multipliers[_i].text), &ppm),
                     multipliers[_i].e);
    ck_assert_int_eq(ppm, multipliers[_i].e ? 4711 : multipliers[_i].ppm);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("amount");
    TCase *cases = tcase_create("money");
    SRunner *runner = srunner_create(suite);
    int failed;

    suite_add_tcase(suite, cases);
    tcase_add_loop_test(cases, amounts_are_exact_or_refused, 0,
                        (int)(sizeof(amounts) / sizeof(amounts[0])));
    tcase_add_test(cases, printing_has_nine_decimals_always);
    tcase_add_test(cases, what_is_printed_parses_to_the_same);
    tcase_add_loop_test(cases, multipliers_are_exact_millionths_or_refused, 0,
                        (int)(sizeof(multipliers) / sizeof(multipliers[0])));
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
