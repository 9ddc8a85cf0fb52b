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

static const struct {
    const char *text;
    int shift;
    enum err e;
    int64_t nusd;
} scaled[] = {
    {"1.25e-06",               6,  ERR_OK,     1250000000     },
    {"0.00000125",             6,  ERR_OK,     1250000000     },
    {"1.25E-6",                6,  ERR_OK,     1250000000     },
    {"125e-8",                 6,  ERR_OK,     1250000000     },
    {"1e-15",                  6,  ERR_OK,     1              },
    {"1.5e-15",                6,  ERR_RANGE,  0              },
    {"2.9000000000000003e-07", 6,  ERR_RANGE,  0              },
    {"1e-16",                  6,  ERR_RANGE,  0              },
    {"10e-16",                 6,  ERR_OK,     1              },
    {"0",                      6,  ERR_OK,     0              },
    {"0.0e-400",               6,  ERR_OK,     0              },
    {"0e99999",                6,  ERR_OK,     0              },
    {"100",                    0,  ERR_OK,     100000000000   },
    {"1.50e+1",                0,  ERR_OK,     15000000000    },
    {"-2e0",                   0,  ERR_OK,     -2000000000    },
    {"20",                     -1, ERR_OK,     2000000000     },
    {"102030.4050",            0,  ERR_OK,     102030405000000},
    {"999999999.999999999",    0,  ERR_OK,     MONEY_MAX_NUSD },
    {"1e9",                    0,  ERR_RANGE,  0              },
    {"1e99999999999",          0,  ERR_RANGE,  0              },
    {"1e-99999999999",         6,  ERR_RANGE,  0              },
    {"12345678901234567890",   0,  ERR_RANGE,  0              },
    {"",                       0,  ERR_FORMAT, 0              },
    {"-",                      0,  ERR_FORMAT, 0              },
    {"e5",                     0,  ERR_FORMAT, 0              },
    {"1e",                     0,  ERR_FORMAT, 0              },
    {"1e+",                    0,  ERR_FORMAT, 0              },
    {"1e5e5",                  0,  ERR_FORMAT, 0              },
    {"1.",                     0,  ERR_FORMAT, 0              },
    {".5",                     0,  ERR_FORMAT, 0              },
    {"1.2.3",                  0,  ERR_FORMAT, 0              },
    {"1x",                     0,  ERR_FORMAT, 0              },
};

START_TEST(numbers_of_json_are_scaled_exactly_or_refused)
{
    int64_t nusd = 4711;

    ck_assert_int_eq(amount_parse_scaled(slice_of(scaled[_i].text), scaled[_i].shift, &nusd),
                     scaled[_i].e);
    ck_assert_int_eq(nusd, scaled[_i].e ? 4711 : scaled[_i].nusd);
}
END_TEST

START_TEST(a_product_is_rounded_up_to_what_there_is)
{
    int64_t nusd = 4711;

    ck_assert_int_eq(amount_multiply(1250000000, 1200000, &nusd), ERR_OK);
    ck_assert_int_eq(nusd, 1500000000);
    ck_assert_int_eq(amount_multiply(1, 1, &nusd), ERR_OK);
    ck_assert_int_eq(nusd, 1);
    ck_assert_int_eq(amount_multiply(0, 1200000, &nusd), ERR_OK);
    ck_assert_int_eq(nusd, 0);
    ck_assert_int_eq(amount_multiply(MONEY_MAX_NUSD, 1000000, &nusd), ERR_OK);
    ck_assert_int_eq(nusd, MONEY_MAX_NUSD);
    ck_assert_int_eq(amount_multiply(MONEY_MAX_NUSD, 1000001, &nusd), ERR_RANGE);
    ck_assert_int_eq(nusd, MONEY_MAX_NUSD);
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
    tcase_add_loop_test(cases, numbers_of_json_are_scaled_exactly_or_refused, 0,
                        (int)(sizeof(scaled) / sizeof(scaled[0])));
    tcase_add_test(cases, a_product_is_rounded_up_to_what_there_is);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
