/* What an answer costs: scopes, tiers, least prices, what the owner pays, usage that is missing,
 * and the cost in the answer. */
#include "tests/e2e/suites.h"

#include "tests/e2e/ask.h"
#include "tests/e2e/books.h"
#include "tests/e2e/stack.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PAD_BYTES = 4000 };

static int64_t tiered;
static int64_t main_channel;

static void price(const char *scope, int64_t scope_id, const char *unit, const char *qualifier,
                  const char *amount)
{
    sql_run("INSERT INTO prices (model_id, scope, scope_id, unit, qualifier, amount) "
            "VALUES (%" PRId64 ", '%s', %" PRId64 ", '%s', '%s', %s)",
            tiered, scope, scope_id, unit, qualifier, amount);
}

/* Accounts 901 and 902 and group 90 have prices of their own; the keys follow in the tests. */
static void seed(void)
{
    main_channel = sql_int("SELECT id FROM channels WHERE name = 'main'");
    tiered = model_new("tiered", "1", "10");
    channel_serves(main_channel, tiered, NULL);
    sql_run("INSERT INTO account_groups (id, name, price_multiplier) VALUES (90, 'resale', 0.5)");
    sql_run("INSERT INTO accounts (id, name, group_id) VALUES (901, 'own price', 90), "
            "(902, 'group price', 90)");
    sql_run("INSERT INTO ledger (account_id, kind, amount) VALUES (901, 'recharge', 10), "
            "(902, 'recharge', 10)");
    price("model", 0, "cached_input_token", "", "0.5");
    price("model", 0, "input_token", "above_1000", "2");
    price("model", 0, "output_token", "above_1000", "15");
    price("model", 0, "output_token", "priority", "20");
    price("model", 0, "input_token", "flex", "0.25");
    price("model", 0, "input_token", "priority_above_1000", "4");
    price("group", 90, "output_token", "", "8");
    price("account", 901, "output_token", "", "6");
    price("account", 901, "minimum", "", "0.01");
    price("channel", main_channel, "input_token", "", "0.6");
    price("channel", main_channel, "output_token", "", "5");
    price("channel", main_channel, "output_token", "priority", "9");
    channel_serves(main_channel, model_new("dear-tier", "0", "1"), NULL);
    sql_run("INSERT INTO prices (model_id, unit, qualifier, amount) SELECT id, 'output_token', "
            "'priority', 1000 FROM models WHERE name = 'dear-tier'");
}

/* Asks "tiered"; padded: the body may be more than the thousand tokens of the threshold. */
static const char *ask_tiered(const char *key, const char *controls, bool is_padded,
                              struct http_reply *reply)
{
    static char members[PAD_BYTES + 32];
    char *pad = members + snprintf(members, sizeof(members), "%s", is_padded ? ",\"pad\":\"" : "");
    if (is_padded) {
        memset(pad, 'x', PAD_BYTES);
        memcpy(pad + PAD_BYTES, "\"", 2);
    }
    ask_chat(key, ask_body("tiered", controls, members), reply);
    ask_expect_status(reply, 200);
    return ask_id(reply);
}

static void expect_costs(const char *controls, bool is_padded, const char *cost,
                         const char *channel_cost)
{
    struct customer c = customer_new("10");
    struct http_reply reply;
    const char *id = ask_tiered(c.key, controls, is_padded, &reply);
    books_expect(id, "cost", cost);
    books_expect(id, "channel_cost", channel_cost);
    books_expect(id, "shortfall", "0.000000000");
    ck_assert_int_eq(sql_int("SELECT cost = recomputed AND channel_cost = recomputed_channel FROM "
                             "v_usage_recomputed WHERE request_id = '%s'",
                             id),
                     1);
    books_check();
    http_reply_clear(&reply);
}

START_TEST(the_tier_that_the_answer_names_is_charged)
{
    expect_costs("prompt=100,completion=10", false, "0.000200000", "0.000110000");
    expect_costs("prompt=100,completion=10,tier=priority", false, "0.000300000", "0.000150000");
    expect_costs("prompt=100,completion=10,tier=flex", false, "0.000125000", "0.000110000");
    expect_costs("prompt=100,completion=10,tier=scale", false, "0.000200000", "0.000110000");
}
END_TEST

START_TEST(above_a_threshold_the_whole_request_is_dearer)
{
    expect_costs("prompt=1000,cached=400,completion=10", true, "0.000900000", "0.000650000");
    expect_costs("prompt=1001,cached=400,completion=10", true, "0.001552000", "0.000650600");
    expect_costs("prompt=1100,completion=10,tier=priority", true, "0.004550000", "0.000750000");
}
END_TEST

/* The key of an account of the seed. */
static void key_of(int64_t account_id, char *key)
{
    key_new(account_id, key);
}

START_TEST(a_group_and_an_account_have_prices_of_their_own_and_their_multiplier)
{
    char key[ADMIN_KEY_SIZE];
    struct http_reply reply;
    key_of(902, key);
    const char *id = ask_tiered(key, "prompt=100,completion=1000", false, &reply);
    /* (100 * 1 + 1000 * 8) / 1e6 * 0.5 */
    books_expect(id, "cost", "0.004050000");
    books_expect(id, "channel_cost", "0.005060000");
    http_reply_clear(&reply);
    key_of(901, key);
    id = ask_tiered(key, "prompt=100,completion=2000", false, &reply);
    books_expect(id, "cost", "0.006050000");
    books_check();
    http_reply_clear(&reply);
}
END_TEST

START_TEST(a_minimum_is_charged_in_the_place_of_less)
{
    char key[ADMIN_KEY_SIZE];
    struct http_reply reply;
    key_of(901, key);
    const char *id = ask_tiered(key, "prompt=100,completion=10", false, &reply);
    books_expect(id, "cost", "0.005000000"); /* half of it by the group's multiplier */
    books_expect(id, "JSON_VALUE(price_lines, '$[2].unit')", "minimum");
    books_expect(id, "JSON_VALUE(price_lines, '$[2].amount')", "0.010000000");
    books_expect(id, "JSON_VALUE(price_lines, '$[0].amount')", "NULL");
    ck_assert_int_eq(sql_int("SELECT cost = recomputed AND channel_cost = recomputed_channel FROM "
                             "v_usage_recomputed WHERE request_id = '%s'",
                             id),
                     1);
    books_check();
    http_reply_clear(&reply);
}
END_TEST

START_TEST(lines_name_the_row_of_each_price)
{
    struct customer c = customer_new("10");
    struct http_reply reply;
    const char *id = ask_tiered(c.key, "prompt=100,completion=10,tier=priority", false, &reply);
    books_expect(id, "service_tier", "priority");
    books_expect(id, "JSON_VALUE(price_lines, '$[1].price_id')",
                 sql_text("SELECT id FROM prices WHERE qualifier = 'priority' AND scope = 'model' "
                          "AND model_id = %" PRId64,
                          tiered));
    http_reply_clear(&reply);
}
END_TEST

START_TEST(the_margin_is_what_customers_paid_above_what_providers_cost)
{
    struct customer c = customer_new("10");
    struct http_reply reply;
    books_wait_row(ask_tiered(c.key, "prompt=100,completion=10", false, &reply));
    ck_assert_int_eq(
        sql_int("SELECT COUNT(*) FROM v_margin v WHERE model = 'tiered' AND channel = 'main' AND "
                "charged = (SELECT SUM(cost) FROM usage_log WHERE model = 'tiered') AND "
                "channel_cost = (SELECT SUM(channel_cost) FROM usage_log WHERE model = 'tiered') "
                "AND margin = charged - channel_cost AND unpriced = 0"),
        1);
    http_reply_clear(&reply);
}
END_TEST

START_TEST(the_hold_is_of_the_dearest_tier_that_the_answer_may_name)
{
    struct customer c = customer_new("0.0099"); /* pays 9900 ordinary tokens, 9 of the tier */
    struct http_reply reply;
    ask_chat(c.key, ask_body("dear-tier", "tokens=1", ",\"max_tokens\":10"), &reply);
    ask_expect_error(&reply, 429, "insufficient_quota", "insufficient_quota", NULL);
    http_reply_clear(&reply);
    sql_run("INSERT INTO ledger (account_id, kind, amount) VALUES (%" PRId64
            ", 'recharge', 0.0001)",
            c.account_id);
    ask_chat(c.key, ask_body("dear-tier", "tokens=10,tier=priority", ",\"max_tokens\":10"), &reply);
    ask_expect_status(&reply, 200);
    books_expect(ask_id(&reply), "cost", "0.010000000");
    books_expect(ask_id(&reply), "shortfall", "0.000000000");
    books_check();
    http_reply_clear(&reply);
}
END_TEST

/* ---- usage that is missing ---- */

START_TEST(an_answer_without_usage_is_estimated_and_says_so)
{
    struct customer c = customer_new("10");
    struct http_reply reply;
    const char *id = ask_tiered(c.key, "usage=none,huge=4000", false, &reply);
    books_expect(id, "is_estimated", "1");
    books_expect(id, "usage_method", "bytes4");
    books_expect(id, "output_tokens", "1000");
    books_expect(id, "input_tokens > 0 AND cost >= 0.01 AND cost < 0.011", "1");
    http_reply_clear(&reply);
    ask_chat(c.key, ask_body("tiered", "usage=none,huge=4000", ASK_STREAM), &reply);
    ask_expect_done(&reply);
    books_expect(ask_id(&reply), "usage_method", "bytes4");
    books_expect(ask_id(&reply), "output_tokens", "1000");
    books_check();
    http_reply_clear(&reply);
}
END_TEST

START_TEST(a_usage_of_zero_is_zero)
{
    struct customer c = customer_new("10");
    struct http_reply reply;
    const char *id = ask_tiered(c.key, "usage=zero,tokens=50", false, &reply);
    books_expect(id, "is_estimated", "0");
    books_expect(id, "usage_method", "provider");
    books_expect(id, "input_tokens + output_tokens", "0");
    books_expect(id, "cost", "0.000000000");
    http_reply_clear(&reply);
    ask_chat(c.key, ask_body("tiered", "usage=zero,tokens=50", ASK_STREAM), &reply);
    ask_expect_done(&reply);
    books_expect(ask_id(&reply), "usage_method", "provider");
    books_expect(ask_id(&reply), "cost", "0.000000000");
    books_check();
    http_reply_clear(&reply);
}
END_TEST

START_TEST(a_cut_stream_is_charged_for_what_was_seen)
{
    struct customer c = customer_new("10");
    struct http_reply reply;
    ask_chat(c.key, ask_body("tiered", "tokens=400,chunk=4,cut=100", ASK_STREAM), &reply);
    const char *id = ask_id(&reply);
    books_expect(id, "status", "cut");
    books_expect(id, "usage_method", "bytes4");
    books_expect(id, "output_tokens", "100");
    books_expect(id, "channel_cost > 0 AND cost > channel_cost", "1");
    http_reply_clear(&reply);
    /* Told with each chunk: the last that was seen counts, not an estimate. */
    ask_chat(c.key,
             ask_body("tiered", "prompt=70,tokens=400,chunk=40,usage=every,cut=100", ASK_STREAM),
             &reply);
    id = ask_id(&reply);
    books_expect(id, "usage_method", "provider");
    books_expect(id, "output_tokens BETWEEN 99 AND 100", "1");
    books_expect(id, "input_tokens", "70");
    books_check();
    http_reply_clear(&reply);
}
END_TEST

START_TEST(a_failure_before_the_first_byte_costs_nothing)
{
    struct customer c = customer_new("10");
    struct http_reply reply;
    ask_chat(c.key, ask_body("tiered", "status=500", ""), &reply);
    const char *id = ask_id(&reply);
    books_expect(id, "status", "error");
    books_expect(id, "cost", "0.000000000");
    books_expect(id, "usage_method", "NULL");
    books_expect(id, "channel_cost", "NULL");
    http_reply_clear(&reply);
}
END_TEST

/* ---- the cost in the answer ---- */

static void ask_with_cost(const char *key, const char *body, struct http_reply *reply)
{
    struct http_call call = {.port = stack.webs[0].port,
                             .path = "/v1/chat/completions",
                             .key = key,
                             .headers = {"X-AIPass-Cost: include"},
                             .body = body};
    http_run(&call, reply);
}

/* The number in the text of an answer, as it stands there. */
static const char *cost_in(const char *text)
{
    const char *at = strstr(text, "\"cost\":");
    return at != NULL ? http_printf("%.*s", (int)strspn(at + 7, "0123456789."), at + 7) : "none";
}

START_TEST(the_answer_tells_its_cost_to_those_who_ask)
{
    struct customer c = customer_new("10");
    struct http_reply reply;
    const char *controls = "prompt=123,completion=45,tier=priority";
    ask_with_cost(c.key, ask_body("tiered", controls, ""), &reply);
    ask_expect_status(&reply, 200);
    ck_assert_str_eq(cost_in(reply.body), "0.001023");
    ck_assert_str_eq(http_field(reply.body, "usage.prompt_tokens"), "123");
    books_expect(ask_id(&reply), "cost", "0.001023000");
    http_reply_clear(&reply);
    ask_with_cost(c.key, ask_body("tiered", controls, ASK_STREAM_USAGE), &reply);
    ask_expect_done(&reply);
    ck_assert_str_eq(cost_in(http_event_data(&reply, reply.events_n - 2)), "0.001023");
    books_expect(ask_id(&reply), "cost", "0.001023000");
    http_reply_clear(&reply);
    ask_with_cost(c.key, ask_body("tiered", "usage=zero", ""), &reply);
    ck_assert_str_eq(cost_in(reply.body), "0");
    http_reply_clear(&reply);
}
END_TEST

START_TEST(the_answer_keeps_its_cost_from_all_others)
{
    struct customer c = customer_new("10");
    struct http_reply reply;
    (void)ask_tiered(c.key, "prompt=123", false, &reply);
    ck_assert_str_eq(cost_in(reply.body), "none");
    http_reply_clear(&reply);
    ask_with_cost(c.key, ask_body("tiered", "prompt=123", ASK_STREAM), &reply);
    ask_expect_done(&reply);
    ck_assert_str_eq(cost_in(reply.body), "none");
    http_reply_clear(&reply);
}
END_TEST

static void add(TCase *t)
{
    tcase_add_test(t, the_tier_that_the_answer_names_is_charged);
    tcase_add_test(t, above_a_threshold_the_whole_request_is_dearer);
    tcase_add_test(t, a_group_and_an_account_have_prices_of_their_own_and_their_multiplier);
    tcase_add_test(t, a_minimum_is_charged_in_the_place_of_less);
    tcase_add_test(t, lines_name_the_row_of_each_price);
    tcase_add_test(t, the_margin_is_what_customers_paid_above_what_providers_cost);
    tcase_add_test(t, the_hold_is_of_the_dearest_tier_that_the_answer_may_name);
    tcase_add_test(t, an_answer_without_usage_is_estimated_and_says_so);
    tcase_add_test(t, a_usage_of_zero_is_zero);
    tcase_add_test(t, a_cut_stream_is_charged_for_what_was_seen);
    tcase_add_test(t, a_failure_before_the_first_byte_costs_nothing);
    tcase_add_test(t, the_answer_tells_its_cost_to_those_who_ask);
    tcase_add_test(t, the_answer_keeps_its_cost_from_all_others);
}

const struct suite_part part_price = {"price", seed, add};
