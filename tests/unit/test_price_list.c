#include "db/price_list.h"

#include <check.h>
#include <stdlib.h>

#define USD   INT64_C(1000000000)
#define INPUT 100

static const struct price_row model_rows[] = {
    {1,  PRICE_INPUT,        SERVICE_ORDINARY, 0,      2 * USD },
    {2,  PRICE_OUTPUT,       SERVICE_ORDINARY, 0,      10 * USD},
    {3,  PRICE_CACHED_INPUT, SERVICE_ORDINARY, 0,      USD / 10},
    {4,  PRICE_INPUT,        SERVICE_ORDINARY, 200000, 4 * USD },
    {5,  PRICE_INPUT,        SERVICE_ORDINARY, 272000, 5 * USD },
    {6,  PRICE_INPUT,        SERVICE_FLEX,     0,      1 * USD },
    {7,  PRICE_INPUT,        SERVICE_PRIORITY, 0,      3 * USD },
    {8,  PRICE_INPUT,        SERVICE_PRIORITY, 200000, 8 * USD },
    {9,  PRICE_OUTPUT,       SERVICE_ORDINARY, 200000, 15 * USD},
    {10, PRICE_OUTPUT,       SERVICE_BATCH,    0,      5 * USD },
};
static const struct price_row group_rows[] = {
    {20, PRICE_OUTPUT, SERVICE_ORDINARY, 0, 9 * USD},
};
static const struct price_row account_rows[] = {
    {30, PRICE_INPUT,   SERVICE_ORDINARY, 272000, 1 * USD},
    {31, PRICE_MINIMUM, SERVICE_ORDINARY, 0,      USD / 2},
};
static const struct price_row channel_rows[] = {
    {40, PRICE_INPUT, SERVICE_ORDINARY, 0, USD / 4},
};
#define ROWS(a) (a), sizeof(a) / sizeof((a)[0])
static const struct price_list lists[] = {
    {PRICE_FOR_MODEL,   0, ROWS(model_rows)  },
    {PRICE_FOR_GROUP,   5, ROWS(group_rows)  },
    {PRICE_FOR_ACCOUNT, 7, ROWS(account_rows)},
    {PRICE_FOR_CHANNEL, 5, ROWS(channel_rows)},
};
static const struct price_book book = {lists, sizeof(lists) / sizeof(lists[0])};

static struct price pick(int64_t group, int64_t account, enum price_service service, int64_t input)
{
    struct price p;
    struct price_choice c = price_choose(&book, group, account);
    price_pick(&c, service, input, &p);
    return p;
}

START_TEST(everybody_pays_the_models_ordinary_price)
{
    struct price p = pick(1, 1, SERVICE_ORDINARY, INPUT);
    ck_assert_int_eq(p.amount_nusd[PRICE_INPUT], 2 * USD);
    ck_assert_int_eq(p.id[PRICE_INPUT], 1);
    ck_assert_int_eq(p.amount_nusd[PRICE_OUTPUT], 10 * USD);
    ck_assert_int_eq(p.amount_nusd[PRICE_REASONING], -1);
    ck_assert_int_eq(p.amount_nusd[PRICE_MINIMUM], -1);
}
END_TEST

START_TEST(a_threshold_counts_when_it_is_exceeded_and_the_highest_one_wins)
{
    ck_assert_int_eq(pick(1, 1, SERVICE_ORDINARY, 200000).id[PRICE_INPUT], 1);
    ck_assert_int_eq(pick(1, 1, SERVICE_ORDINARY, 200001).id[PRICE_INPUT], 4);
    ck_assert_int_eq(pick(1, 1, SERVICE_ORDINARY, 272000).id[PRICE_INPUT], 4);
    ck_assert_int_eq(pick(1, 1, SERVICE_ORDINARY, 272001).id[PRICE_INPUT], 5);
    ck_assert_int_eq(pick(1, 1, SERVICE_ORDINARY, 272001).id[PRICE_OUTPUT], 9);
    ck_assert_int_eq(pick(1, 1, SERVICE_ORDINARY, 272001).id[PRICE_CACHED_INPUT], 3);
}
END_TEST

START_TEST(a_service_tier_has_its_own_rows_and_else_the_ordinary_ones)
{
    ck_assert_int_eq(pick(1, 1, SERVICE_FLEX, INPUT).id[PRICE_INPUT], 6);
    ck_assert_int_eq(pick(1, 1, SERVICE_FLEX, INPUT).id[PRICE_OUTPUT], 2);
    ck_assert_int_eq(pick(1, 1, SERVICE_PRIORITY, INPUT).id[PRICE_INPUT], 7);
    ck_assert_int_eq(pick(1, 1, SERVICE_PRIORITY, 200001).id[PRICE_INPUT], 8);
    ck_assert_int_eq(pick(1, 1, SERVICE_PRIORITY, 272001).id[PRICE_INPUT], 5);
    ck_assert_int_eq(pick(1, 1, SERVICE_FLEX, 200001).id[PRICE_INPUT], 4);
    ck_assert_int_eq(pick(1, 1, SERVICE_BATCH, 200001).id[PRICE_OUTPUT], 9);
}
END_TEST

START_TEST(the_most_specific_scope_with_a_row_that_applies_decides_unit_by_unit)
{
    struct price p = pick(5, 7, SERVICE_ORDINARY, INPUT);
    ck_assert_int_eq(p.id[PRICE_INPUT], 1); /* the account's own counts above a threshold only */
    ck_assert_int_eq(p.id[PRICE_OUTPUT], 20);
    ck_assert_int_eq(p.id[PRICE_MINIMUM], 31);
    p = pick(5, 7, SERVICE_PRIORITY, 300000);
    ck_assert_int_eq(p.id[PRICE_INPUT], 30);
    ck_assert_int_eq(p.id[PRICE_OUTPUT], 20); /* the group's price, whatever the model's tiers */
    ck_assert_int_eq(pick(7, 5, SERVICE_ORDINARY, INPUT).id[PRICE_OUTPUT], 2);
}
END_TEST

START_TEST(what_applies_does_not_depend_on_the_order_of_the_rows)
{
    static const struct price_row rows[] = {
        {1, PRICE_INPUT, SERVICE_FLEX,     0,  1 * USD},
        {2, PRICE_INPUT, SERVICE_ORDINARY, 0,  2 * USD},
        {3, PRICE_INPUT, SERVICE_ORDINARY, 50, 3 * USD},
        {4, PRICE_INPUT, SERVICE_FLEX,     0,  4 * USD}, /* twice: the first counts */
        {5, PRICE_INPUT, SERVICE_ORDINARY, 0,  5 * USD},
    };
    static const struct price_list list = {PRICE_FOR_MODEL, 0, ROWS(rows)};
    static const struct price_book one = {&list, 1};
    static const struct {
        enum price_service service;
        int64_t input, id;
    } cases[] = {
        {SERVICE_FLEX,     50, 1},
        {SERVICE_FLEX,     51, 3},
        {SERVICE_ORDINARY, 50, 2},
        {SERVICE_ORDINARY, 51, 3},
        {SERVICE_PRIORITY, 0,  2},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct price p;
        struct price_choice c = price_choose(&one, 1, 1);
        price_pick(&c, cases[i].service, cases[i].input, &p);
        ck_assert_int_eq(p.id[PRICE_INPUT], cases[i].id);
    }
}
END_TEST

START_TEST(a_channels_prices_are_its_own_alone)
{
    struct price p;
    struct price_choice c = price_choose_channel(&book, 5);
    price_pick(&c, SERVICE_ORDINARY, INPUT, &p);
    ck_assert_int_eq(p.amount_nusd[PRICE_INPUT], USD / 4);
    ck_assert(!price_is_complete(&p));
    c = price_choose_channel(&book, 6);
    price_pick(&c, SERVICE_ORDINARY, INPUT, &p);
    ck_assert_int_eq(p.amount_nusd[PRICE_INPUT], -1);
}
END_TEST

/* Whatever the tier and the input within the bound: never dearer. */
START_TEST(the_dearest_bounds_every_tier_within_the_input)
{
    static const int64_t inputs[] = {0, 1, 200000, 200001, 272000, 272001, 999999};
    for (int64_t account = 6; account <= 7; account++) {
        struct price_choice c = price_choose(&book, 5, account);
        for (size_t m = 0; m < sizeof(inputs) / sizeof(inputs[0]); m++) {
            struct price worst;
            price_pick_dearest(&c, inputs[m], &worst);
            for (size_t i = 0; i <= m; i++) {
                for (enum price_service s = SERVICE_ORDINARY; s < SERVICES; s++) {
                    struct price p;
                    struct usage u = {.input = inputs[i], .output = 1000, .reasoning = 500};
                    int64_t cost = 0, hold = 0;
                    price_pick(&c, s, inputs[i], &p);
                    ck_assert_int_eq(pricing_cost(&p, &u, 1000000, 1000000, &cost), ERR_OK);
                    ck_assert_int_eq(
                        pricing_worst(&worst, inputs[m], 1000, 1000000, 1000000, &hold), ERR_OK);
                    ck_assert_int_le(cost, hold);
                }
            }
        }
    }
}
END_TEST

START_TEST(the_dearest_leaves_out_what_cannot_apply)
{
    struct price p;
    struct price_choice c = price_choose(&book, 1, 1);
    price_pick_dearest(&c, 200000, &p);
    ck_assert_int_eq(p.amount_nusd[PRICE_INPUT], 3 * USD);
    ck_assert_int_eq(p.amount_nusd[PRICE_OUTPUT], 10 * USD);
    price_pick_dearest(&c, 200001, &p);
    ck_assert_int_eq(p.amount_nusd[PRICE_INPUT], 8 * USD);
    ck_assert_int_eq(p.amount_nusd[PRICE_OUTPUT], 15 * USD);
}
END_TEST

START_TEST(qualifiers_are_a_service_a_threshold_or_both)
{
    enum price_service s = SERVICES;
    int64_t above = -1;
    ck_assert_int_eq(price_qualifier_parse("", &s, &above), ERR_OK);
    ck_assert(s == SERVICE_ORDINARY && above == 0);
    ck_assert_int_eq(price_qualifier_parse("batch", &s, &above), ERR_OK);
    ck_assert(s == SERVICE_BATCH && above == 0);
    ck_assert_int_eq(price_qualifier_parse("above_200000", &s, &above), ERR_OK);
    ck_assert(s == SERVICE_ORDINARY && above == 200000);
    ck_assert_int_eq(price_qualifier_parse("priority_above_7", &s, &above), ERR_OK);
    ck_assert(s == SERVICE_PRIORITY && above == 7);
    static const char *const bad[] = {"flexible", "flex_",    "flex_priority", "above_",
                                      "above_0",  "above_-1", "above_1k",      "ABOVE_1"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        ck_assert_int_eq(price_qualifier_parse(bad[i], &s, &above), ERR_FORMAT);
    ck_assert(s == SERVICE_PRIORITY && above == 7);
}
END_TEST

START_TEST(words_that_are_no_tier_of_ours_are_the_ordinary_one)
{
    enum price_scope scope = PRICE_FOR_CHANNEL;
    ck_assert_int_eq(price_service_parse("flex"), SERVICE_FLEX);
    ck_assert_int_eq(price_service_parse("default"), SERVICE_ORDINARY);
    ck_assert_int_eq(price_service_parse(""), SERVICE_ORDINARY);
    ck_assert_int_eq(price_service_parse("scale"), SERVICE_ORDINARY);
    ck_assert_int_eq(price_scope_parse("group", &scope), ERR_OK);
    ck_assert_int_eq(scope, PRICE_FOR_GROUP);
    ck_assert_int_eq(price_scope_parse("planet", &scope), ERR_FORMAT);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("price_list");
    TCase *tc = tcase_create("price_list");
    suite_add_tcase(suite, tc);
    tcase_add_test(tc, everybody_pays_the_models_ordinary_price);
    tcase_add_test(tc, a_threshold_counts_when_it_is_exceeded_and_the_highest_one_wins);
    tcase_add_test(tc, a_service_tier_has_its_own_rows_and_else_the_ordinary_ones);
    tcase_add_test(tc, the_most_specific_scope_with_a_row_that_applies_decides_unit_by_unit);
    tcase_add_test(tc, what_applies_does_not_depend_on_the_order_of_the_rows);
    tcase_add_test(tc, a_channels_prices_are_its_own_alone);
    tcase_add_test(tc, the_dearest_bounds_every_tier_within_the_input);
    tcase_add_test(tc, the_dearest_leaves_out_what_cannot_apply);
    tcase_add_test(tc, qualifiers_are_a_service_a_threshold_or_both);
    tcase_add_test(tc, words_that_are_no_tier_of_ours_are_the_ordinary_one);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
