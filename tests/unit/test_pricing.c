#include "db/pricing.h"

#include "base/clock.h"
#include "base/amount.h"
#include "tests/unit/mariadb.h"

#include <check.h>
#include <openssl/bn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MILLION  INT64_C(1000000)
#define USD(n)   ((n)*MONEY_NUSD_PER_USD)
#define SEED     20261122
#define ROUNDS   20000
#define SQL_ROWS 1000

static const struct price no_price = {
    {-1,  -1, -1, -1, -1, -1, -1, -1},
    {0}
};
static struct mariadb server;

/* ---- an oracle that shares nothing with the code: big numbers, the formula as it is written
 * down ---- */

static uint64_t state = SEED;

static uint64_t next_random(void)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state;
}

/* Small, middling and huge numbers alike, up to max. */
static int64_t random_to(int64_t max)
{
    int64_t v = (int64_t)((next_random() >> 1) >> (next_random() % 63));
    return max == INT64_MAX ? v : v % (max + 1);
}

static BIGNUM *bn(int64_t v)
{
    BIGNUM *b = BN_new();
    BN_set_word(b, (BN_ULONG)v);
    return b;
}

static void bn_add_product(BIGNUM *sum, int64_t a, int64_t b, int64_t c)
{
    BN_CTX *ctx = BN_CTX_new();
    BIGNUM *x = bn(a), *y = bn(b), *z = bn(c);
    BN_mul(x, x, y, ctx);
    BN_mul(x, x, z, ctx);
    BN_add(sum, sum, x);
    BN_free(x);
    BN_free(y);
    BN_free(z);
    BN_CTX_free(ctx);
}

/* -1 above DECIMAL(18,9). */
static int64_t bn_round_up(BIGNUM *sum, int64_t group, int64_t account)
{
    BN_CTX *ctx = BN_CTX_new();
    BIGNUM *g = bn(group), *a = bn(account), *d = bn(MILLION), *rest = BN_new(),
           *max = bn(MONEY_MAX_NUSD);
    BN_mul(sum, sum, g, ctx);
    BN_mul(sum, sum, a, ctx);
    BN_sqr(rest, d, ctx);
    BN_mul(d, d, rest, ctx);
    BN_div(sum, rest, sum, d, ctx);
    if (!BN_is_zero(rest))
        BN_add_word(sum, 1);
    int64_t out = BN_cmp(sum, max) > 0 ? -1 : (int64_t)BN_get_word(sum);
    BN_free(g);
    BN_free(a);
    BN_free(d);
    BN_free(rest);
    BN_free(max);
    BN_CTX_free(ctx);
    return out;
}

static int64_t first_set(int64_t a, int64_t b)
{
    return a >= 0 ? a : b >= 0 ? b : 0;
}

static int64_t oracle_cost(const struct price *p, const struct usage *u, int64_t group,
                           int64_t account)
{
    const int64_t *a = p->amount_nusd;
    BIGNUM *sum = BN_new();
    BN_zero(sum);
    bn_add_product(sum, u->input, first_set(a[PRICE_INPUT], 0), 1);
    bn_add_product(sum, u->cached_input, first_set(a[PRICE_CACHED_INPUT], a[PRICE_INPUT]), 1);
    bn_add_product(sum, u->cache_write, first_set(a[PRICE_CACHE_WRITE], a[PRICE_INPUT]), 1);
    bn_add_product(sum, u->cache_write_1h, first_set(a[PRICE_CACHE_WRITE_1H], a[PRICE_INPUT]), 1);
    bn_add_product(sum, u->output - u->reasoning, first_set(a[PRICE_OUTPUT], 0), 1);
    bn_add_product(sum, u->reasoning, first_set(a[PRICE_REASONING], a[PRICE_OUTPUT]), 1);
    bn_add_product(sum, 1, first_set(a[PRICE_REQUEST], 0), MILLION);
    BIGNUM *minimum = BN_new();
    BN_zero(minimum);
    bn_add_product(minimum, 1, first_set(a[PRICE_MINIMUM], 0), MILLION);
    int64_t out = bn_round_up(BN_cmp(sum, minimum) < 0 ? minimum : sum, group, account);
    BN_free(minimum);
    BN_free(sum);
    return out;
}

/* amount_max: per million tokens; tokens_max: each counter. */
static void random_case(struct price *p, struct usage *u, int64_t amount_max, int64_t tokens_max)
{
    *p = no_price;
    for (unsigned i = 0; i < PRICE_UNITS; i++)
        p->amount_nusd[i] = next_random() % 4 ? random_to(amount_max) : -1;
    if (next_random() % 2)
        p->amount_nusd[PRICE_MINIMUM] = -1;
    *u = (struct usage){.input = random_to(tokens_max),
                        .cached_input = random_to(tokens_max),
                        .cache_write = random_to(tokens_max),
                        .cache_write_1h = next_random() % 2 ? random_to(tokens_max) : 0,
                        .output = random_to(tokens_max)};
    u->reasoning = next_random() % 2 ? random_to(u->output) : 0;
}

/* ---- pure ---- */

START_TEST(cost_of_a_plain_request_is_the_sum_of_its_parts)
{
    struct price p = no_price;
    struct usage u = {.input = 1000, .cached_input = 500, .output = 200, .reasoning = 50};
    int64_t cost = 0;
    p.amount_nusd[PRICE_INPUT] = USD(2);
    p.amount_nusd[PRICE_CACHED_INPUT] = USD(2) / 10;
    p.amount_nusd[PRICE_OUTPUT] = USD(10);
    ck_assert_int_eq(pricing_cost(&p, &u, MILLION, MILLION, &cost), ERR_OK);
    ck_assert_int_eq(cost, 2000000 + 100000 + 2000000);
    ck_assert_int_eq(pricing_cost(&p, &u, 900000, 500000, &cost), ERR_OK);
    ck_assert_int_eq(cost, 4100000 * 45 / 100);
}
END_TEST

START_TEST(cost_is_rounded_up_once_at_the_end)
{
    struct price p = no_price;
    struct usage u = {.input = 1, .output = 1};
    int64_t cost = 0;
    p.amount_nusd[PRICE_INPUT] = 400000;
    p.amount_nusd[PRICE_OUTPUT] = 600000;
    ck_assert_int_eq(pricing_cost(&p, &u, MILLION, MILLION, &cost), ERR_OK);
    ck_assert_int_eq(cost, 1); /* 0.4 + 0.6, not 1 + 1 */
    p.amount_nusd[PRICE_OUTPUT] = 600001;
    ck_assert_int_eq(pricing_cost(&p, &u, MILLION, MILLION, &cost), ERR_OK);
    ck_assert_int_eq(cost, 2);
    ck_assert_int_eq(pricing_cost(&p, &u, 0, MILLION, &cost), ERR_OK);
    ck_assert_int_eq(cost, 0);
}
END_TEST

START_TEST(missing_prices_fall_back_and_never_to_zero)
{
    struct price p = no_price;
    struct usage u = {.cached_input = MILLION,
                      .cache_write = MILLION,
                      .cache_write_1h = MILLION,
                      .output = MILLION,
                      .reasoning = MILLION};
    int64_t cost = 0;
    p.amount_nusd[PRICE_INPUT] = USD(1);
    p.amount_nusd[PRICE_OUTPUT] = USD(5);
    ck_assert_int_eq(pricing_cost(&p, &u, MILLION, MILLION, &cost), ERR_OK);
    ck_assert_int_eq(cost, USD(8));
    p.amount_nusd[PRICE_CACHED_INPUT] = 0; /* a price of 0 is a price */
    ck_assert_int_eq(pricing_cost(&p, &u, MILLION, MILLION, &cost), ERR_OK);
    ck_assert_int_eq(cost, USD(7));
}
END_TEST

START_TEST(a_price_is_complete_with_input_and_output_or_with_a_request)
{
    struct price p = no_price;
    ck_assert(!price_is_complete(&p));
    p.amount_nusd[PRICE_INPUT] = 0;
    ck_assert(!price_is_complete(&p));
    p.amount_nusd[PRICE_OUTPUT] = 0;
    ck_assert(price_is_complete(&p));
    p = no_price;
    p.amount_nusd[PRICE_OUTPUT] = 1;
    ck_assert(!price_is_complete(&p));
    p = no_price;
    p.amount_nusd[PRICE_REQUEST] = 1;
    ck_assert(price_is_complete(&p));
}
END_TEST

START_TEST(every_unit_has_a_name_that_parses_back)
{
    enum price_unit u = PRICE_UNITS;
    for (unsigned i = 0; i < PRICE_UNITS; i++) {
        ck_assert_int_eq(price_unit_parse(price_unit_name(i), &u), ERR_OK);
        ck_assert_uint_eq(u, i);
    }
    u = PRICE_OUTPUT;
    ck_assert_int_eq(price_unit_parse("token", &u), ERR_FORMAT);
    ck_assert_uint_eq(u, PRICE_OUTPUT);
}
END_TEST

START_TEST(cost_agrees_with_big_numbers_for_all_magnitudes)
{
    int in_range = 0, out_of_range = 0;
    for (int i = 0; i < ROUNDS; i++) {
        struct price p;
        struct usage u;
        int64_t cost = -7;
        random_case(&p, &u, MONEY_MAX_NUSD, INT64_MAX);
        int64_t group = random_to(1000 * MILLION), account = random_to(1000 * MILLION);
        int64_t want = oracle_cost(&p, &u, group, account);
        enum err e = pricing_cost(&p, &u, group, account, &cost);
        ck_assert_msg(want < 0 ? e == ERR_RANGE && cost == -7 : !e && cost == want,
                      "seed %d round %d: %lld, not %lld", SEED, i, (long long)cost,
                      (long long)want);
        in_range += want >= 0;
        out_of_range += want < 0;
    }
    ck_assert_int_gt(in_range, ROUNDS / 10);
    ck_assert_int_gt(out_of_range, ROUNDS / 10);
}
END_TEST

START_TEST(the_range_ends_exactly_at_decimal_18_9)
{
    struct price p = no_price;
    struct usage u = {.input = MILLION};
    int64_t cost = 0;
    p.amount_nusd[PRICE_INPUT] = MONEY_MAX_NUSD;
    ck_assert_int_eq(pricing_cost(&p, &u, MILLION, MILLION, &cost), ERR_OK);
    ck_assert_int_eq(cost, MONEY_MAX_NUSD);
    u.output = 1;
    p.amount_nusd[PRICE_OUTPUT] = 1; /* a millionth of a nano-USD more */
    ck_assert_int_eq(pricing_cost(&p, &u, MILLION, MILLION, &cost), ERR_RANGE);
}
END_TEST

START_TEST(the_largest_counts_prices_and_multipliers_are_out_of_range_not_wrong)
{
    struct price p;
    struct usage u = {INT64_MAX, INT64_MAX, INT64_MAX, INT64_MAX, INT64_MAX, 0, false, false};
    int64_t cost = -7;
    for (unsigned i = 0; i < PRICE_UNITS; i++)
        p.amount_nusd[i] = MONEY_MAX_NUSD;
    ck_assert_int_eq(pricing_cost(&p, &u, 1000 * MILLION, 1000 * MILLION, &cost), ERR_RANGE);
    ck_assert_int_eq(pricing_cost(&p, &u, 1, 1, &cost), ERR_RANGE);
    ck_assert_int_eq(pricing_worst(&p, INT64_MAX, INT64_MAX, 1000 * MILLION, 1000 * MILLION, &cost),
                     ERR_RANGE);
    ck_assert_int_eq(cost, -7);
    ck_assert_int_eq(pricing_cost(&p, &u, 0, 1000 * MILLION, &cost), ERR_OK);
    ck_assert_int_eq(cost, 0);
}
END_TEST

START_TEST(worst_is_never_below_the_cost_of_anything_within_its_bounds)
{
    for (int i = 0; i < ROUNDS; i++) {
        struct price p;
        struct usage u;
        int64_t cost = 0, worst = 0;
        random_case(&p, &u, USD(1000), 10 * MILLION);
        int64_t group = random_to(3 * MILLION), account = random_to(3 * MILLION);
        int64_t input = u.input + u.cached_input + u.cache_write + u.cache_write_1h;
        ck_assert_int_eq(pricing_cost(&p, &u, group, account, &cost), ERR_OK);
        ck_assert_int_eq(pricing_worst(&p, input, u.output, group, account, &worst), ERR_OK);
        ck_assert_int_ge(worst, cost);
    }
}
END_TEST

START_TEST(worst_is_reached_at_the_dearest_units)
{
    struct price p = {
        {USD(2),  USD(1), USD(3), USD(4), USD(10), USD(20), USD(1), -1},
        {0}
    };
    struct usage u = {.cache_write_1h = 1234, .output = 567, .reasoning = 567};
    int64_t cost = 0, worst = 0;
    ck_assert_int_eq(pricing_cost(&p, &u, MILLION, MILLION, &cost), ERR_OK);
    ck_assert_int_eq(pricing_worst(&p, 1234, 567, MILLION, MILLION, &worst), ERR_OK);
    ck_assert_int_eq(worst, cost);
    ck_assert_int_eq(pricing_worst(&p, INT64_MAX, INT64_MAX, MILLION, MILLION, &worst), ERR_RANGE);
}
END_TEST

START_TEST(affordable_output_is_the_last_that_fits)
{
    for (int i = 0; i < ROUNDS; i++) {
        struct price p;
        struct usage u;
        int64_t worst = 0, group = random_to(2 * MILLION), account = MILLION,
                funds = random_to(USD(100));
        random_case(&p, &u, USD(100), MILLION);
        int64_t n = pricing_affordable_output(&p, u.input, funds, group, account);
        if (n >= 0) {
            ck_assert_int_eq(pricing_worst(&p, u.input, n, group, account, &worst), ERR_OK);
            ck_assert_int_le(worst, funds);
        }
        if (n < INT64_MAX)
            ck_assert(pricing_worst(&p, u.input, n + 1, group, account, &worst) || worst > funds);
    }
}
END_TEST

START_TEST(affordable_output_knows_nothing_and_everything)
{
    struct price p = no_price;
    p.amount_nusd[PRICE_INPUT] = USD(1);
    p.amount_nusd[PRICE_OUTPUT] = USD(1);
    ck_assert_int_eq(pricing_affordable_output(&p, MILLION, USD(1) - 1, MILLION, MILLION), -1);
    ck_assert_int_eq(pricing_affordable_output(&p, MILLION, USD(1), MILLION, MILLION), 0);
    ck_assert_int_eq(pricing_affordable_output(&p, MILLION, USD(1) + 1000, MILLION, MILLION), 1);
    ck_assert_int_eq(pricing_affordable_output(&p, 0, -1, MILLION, MILLION), -1);
    ck_assert_int_eq(pricing_affordable_output(&p, INT64_MAX, MONEY_MAX_NUSD, MILLION, MILLION),
                     -1); /* the input alone is more than there is money */
    p.amount_nusd[PRICE_OUTPUT] = 0;
    ck_assert_int_eq(pricing_affordable_output(&p, 0, 0, MILLION, MILLION), INT64_MAX);
}
END_TEST

START_TEST(the_dearest_of_two_bounds_both)
{
    for (int i = 0; i < ROUNDS; i++) {
        struct price a, b, both;
        struct usage u;
        int64_t cost_a = 0, cost_b = 0, cost = 0;
        random_case(&b, &u, USD(100), MILLION);
        random_case(&a, &u, USD(100), MILLION);
        both = a;
        pricing_dearest(&both, &b);
        ck_assert_int_eq(pricing_cost(&a, &u, MILLION, MILLION, &cost_a), ERR_OK);
        ck_assert_int_eq(pricing_cost(&b, &u, MILLION, MILLION, &cost_b), ERR_OK);
        ck_assert_int_eq(pricing_cost(&both, &u, MILLION, MILLION, &cost), ERR_OK);
        ck_assert_int_ge(cost, cost_a);
        ck_assert_int_ge(cost, cost_b);
    }
}
END_TEST

START_TEST(lines_tell_what_was_charged)
{
    char lines[PRICE_LINES_MAX];
    struct price p = no_price;
    struct usage u = {.input = 12, .cached_input = 3, .output = 5};
    p.amount_nusd[PRICE_INPUT] = USD(5) / 4;
    p.amount_nusd[PRICE_OUTPUT] = USD(10);
    pricing_lines(&p, NULL, &u, lines, sizeof(lines));
    ck_assert_str_eq(
        lines,
        "[{\"unit\":\"input_token\",\"count\":12,\"per\":1000000,\"amount\":\"1.250000000\"},"
        "{\"unit\":\"cached_input_token\",\"count\":3,\"per\":1000000,\"amount\":\"1.250000000\"},"
        "{\"unit\":\"output_token\",\"count\":5,\"per\":1000000,\"amount\":\"10.000000000\"}]");
    p = no_price;
    p.amount_nusd[PRICE_REQUEST] = 1;
    pricing_lines(&p, NULL, &u, lines, sizeof(lines));
    ck_assert_str_eq(lines,
                     "[{\"unit\":\"request\",\"count\":1,\"per\":1,\"amount\":\"0.000000001\"}]");
    u = (struct usage){0};
    p = no_price;
    p.amount_nusd[PRICE_INPUT] = 1;
    p.amount_nusd[PRICE_OUTPUT] = 1;
    pricing_lines(&p, NULL, &u, lines, sizeof(lines));
    ck_assert_str_eq(lines, "[]");
}
END_TEST

START_TEST(a_minimum_is_charged_in_the_place_of_all_else)
{
    char lines[PRICE_LINES_MAX];
    struct price p = no_price;
    struct usage u = {.input = 1000, .output = 10};
    int64_t cost = 0, worst = 0;
    p.amount_nusd[PRICE_INPUT] = USD(1);
    p.amount_nusd[PRICE_OUTPUT] = USD(10);
    p.amount_nusd[PRICE_MINIMUM] = USD(1) / 100;
    p.id[PRICE_MINIMUM] = 9;
    ck_assert_int_eq(pricing_cost(&p, &u, MILLION, 2 * MILLION, &cost), ERR_OK);
    ck_assert_int_eq(cost, USD(2) / 100);
    ck_assert_int_eq(pricing_worst(&p, 10, 10, MILLION, MILLION, &worst), ERR_OK);
    ck_assert_int_eq(worst, USD(1) / 100);
    pricing_lines(&p, NULL, &u, lines, sizeof(lines));
    ck_assert_str_eq(lines,
                     "[{\"unit\":\"minimum\",\"count\":1,\"per\":1,\"amount\":\"0.010000000\","
                     "\"price_id\":9}]");
    u.output = 1000; /* 0.011 in all: above it */
    ck_assert_int_eq(pricing_cost(&p, &u, MILLION, MILLION, &cost), ERR_OK);
    ck_assert_int_eq(cost, USD(11) / 1000);
    p.amount_nusd[PRICE_INPUT] = p.amount_nusd[PRICE_OUTPUT] = 0;
    p.amount_nusd[PRICE_MINIMUM] = 0; /* nothing is nothing, not a minimum */
    pricing_lines(&p, NULL, &u, lines, sizeof(lines));
    ck_assert_ptr_null(strstr(lines, "minimum"));
}
END_TEST

START_TEST(lines_tell_what_the_channel_costs_beside_it)
{
    char lines[PRICE_LINES_MAX];
    struct price p = no_price, channel = no_price;
    struct usage u = {.input = 12, .cached_input = 3, .output = 5};
    p.amount_nusd[PRICE_REQUEST] = USD(1);
    p.id[PRICE_REQUEST] = 4;
    channel.amount_nusd[PRICE_INPUT] = USD(2);
    channel.amount_nusd[PRICE_OUTPUT] = USD(8);
    channel.id[PRICE_INPUT] = 5;
    pricing_lines(&p, &channel, &u, lines, sizeof(lines));
    ck_assert_str_eq(
        lines,
        "[{\"unit\":\"input_token\",\"count\":12,\"per\":1000000,\"channel\":\"2.000000000\"},"
        "{\"unit\":\"cached_input_token\",\"count\":3,\"per\":1000000,\"channel\":\"2.000000000\"},"
        "{\"unit\":\"output_token\",\"count\":5,\"per\":1000000,\"channel\":\"8.000000000\"},"
        "{\"unit\":\"request\",\"count\":1,\"per\":1,\"amount\":\"1.000000000\",\"price_id\":4}]");
}
END_TEST

START_TEST(the_longest_lines_fit)
{
    char lines[PRICE_LINES_MAX];
    struct price p;
    struct usage u = {INT64_MAX, INT64_MAX,     INT64_MAX, INT64_MAX,
                      INT64_MAX, INT64_MAX / 2, true,      false};
    for (unsigned i = 0; i < PRICE_UNITS; i++) {
        p.amount_nusd[i] = MONEY_MAX_NUSD;
        p.id[i] = INT64_MAX;
    }
    pricing_lines(&p, &p, &u, lines, sizeof(lines));
    ck_assert_int_eq(lines[strlen(lines) - 1], ']');
}
END_TEST

/* ---- against MariaDB ---- */

static void insert_row(int i, const struct price *p, const struct price *channel,
                       const struct usage *u, int64_t group, int64_t account)
{
    char lines[PRICE_LINES_MAX], id[ULID_SIZE], money[MONEY_TEXT_SIZE], paid[MONEY_TEXT_SIZE];
    int64_t cost = 0, channel_cost = 0;
    ck_assert_int_eq(pricing_cost(p, u, group, account, &cost), ERR_OK);
    ck_assert_int_eq(pricing_cost(channel, u, MILLION, MILLION, &channel_cost), ERR_OK);
    pricing_lines(p, channel, u, lines, sizeof(lines));
    snprintf(id, sizeof(id), "%026d", i);
    mariadb_exec(&server,
                 "INSERT INTO usage_log (request_id, account_id, api_key_id, group_id, endpoint, "
                 "model, client_format, status, price_lines, price_multiplier, cost, "
                 "channel_cost, process_id, created_at) VALUES ('%s', 1, 1, 1, 'x', 'x', 'x', "
                 "'ok', '%s', %lld "
                 "* 0.000001 * %lld * 0.000001, %s, %s, '%s', UTC_TIMESTAMP(3))",
                 id, lines, (long long)group, (long long)account, amount_print(money, cost),
                 amount_print(paid, channel_cost), id);
}

START_TEST(every_cost_recomputes_in_sql_to_the_last_digit)
{
    int rows = 0;
    mariadb_fresh(&server);
    mariadb_exec(&server, "BEGIN");
    while (rows < SQL_ROWS) {
        struct price p, channel;
        struct usage u;
        int64_t cost, group = random_to(1000 * MILLION), account = random_to(1000 * MILLION);
        bool huge = next_random() % 4 == 0;
        random_case(&channel, &u, USD(1000), MILLION);
        random_case(&p, &u, huge ? MONEY_MAX_NUSD : USD(1000), huge ? INT64_MAX : 10 * MILLION);
        if (next_random() % 3 == 0)
            group = account = MILLION;
        if (!pricing_cost(&p, &u, group, account, &cost) &&
            !pricing_cost(&channel, &u, MILLION, MILLION, &cost))
            insert_row(rows++, &p, &channel, &u, group, account);
    }
    mariadb_exec(&server, "COMMIT");
    ck_assert_int_eq(
        mariadb_number(&server, "SELECT COUNT(*) FROM v_usage_recomputed WHERE recomputed = cost "
                                "AND recomputed_channel = channel_cost"),
        SQL_ROWS);
    ck_assert_int_gt(
        mariadb_number(&server, "SELECT COUNT(*) FROM v_usage_recomputed WHERE cost > 0"),
        SQL_ROWS / 2);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("pricing");
    TCase *tc = tcase_create("pricing");
    tcase_set_timeout(tc, 60);
    suite_add_tcase(suite, tc);
    tcase_add_test(tc, cost_of_a_plain_request_is_the_sum_of_its_parts);
    tcase_add_test(tc, cost_is_rounded_up_once_at_the_end);
    tcase_add_test(tc, missing_prices_fall_back_and_never_to_zero);
    tcase_add_test(tc, a_price_is_complete_with_input_and_output_or_with_a_request);
    tcase_add_test(tc, every_unit_has_a_name_that_parses_back);
    tcase_add_test(tc, cost_agrees_with_big_numbers_for_all_magnitudes);
    tcase_add_test(tc, the_range_ends_exactly_at_decimal_18_9);
    tcase_add_test(tc, the_largest_counts_prices_and_multipliers_are_out_of_range_not_wrong);
    tcase_add_test(tc, worst_is_never_below_the_cost_of_anything_within_its_bounds);
    tcase_add_test(tc, worst_is_reached_at_the_dearest_units);
    tcase_add_test(tc, affordable_output_is_the_last_that_fits);
    tcase_add_test(tc, affordable_output_knows_nothing_and_everything);
    tcase_add_test(tc, the_dearest_of_two_bounds_both);
    tcase_add_test(tc, lines_tell_what_was_charged);
    tcase_add_test(tc, a_minimum_is_charged_in_the_place_of_all_else);
    tcase_add_test(tc, lines_tell_what_the_channel_costs_beside_it);
    tcase_add_test(tc, the_longest_lines_fit);
    tcase_add_test(tc, every_cost_recomputes_in_sql_to_the_last_digit);
    SRunner *runner = srunner_create(suite);
    mariadb_start(&server);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    mariadb_stop(&server);
    return failed ? 1 : 0;
}
