#include "db/litellm.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct arena *arena;
static struct litellm_table table;
static char told[4096];
static size_t at;

static void setup(void)
{
    arena = arena_new((size_t)16 << 20);
    told[0] = '\0';
}

static void teardown(void)
{
    arena_free(arena);
}

static void tell(void *arg, const char *path, const char *text)
{
    size_t n = strlen(told);
    (void)arg;
    snprintf(told + n, sizeof(told) - n, "%s %s\n", path, text);
}

static enum err read_only(const char *only, const char *text)
{
    struct litellm_options o = {.only = only, .tell = tell};
    return litellm_read(slice_of(text), arena, &o, &table, &at);
}

/* One chat model called m with these members besides its provider and mode. */
static void read_members(const char *members)
{
    char text[8192];
    snprintf(text, sizeof(text), "{\"m\":{\"mode\":\"chat\",\"litellm_provider\":\"p\"%s%s}}",
             members[0] ? "," : "", members);
    ck_assert_int_eq(read_only(NULL, text), ERR_OK);
}

/* Its prices as one line, in the order of the file. */
static const char *prices(void)
{
    static char line[2048];
    size_t n = 0;
    line[0] = '\0';
    for (size_t i = 0; table.models_n && i < table.models[0].prices_n; i++) {
        const struct litellm_price *p = &table.models[0].prices[i];
        n += (size_t)snprintf(line + n, sizeof(line) - n, "%s%s|%s|%lld", n ? " " : "",
                              price_unit_name(p->unit), p->qualifier, (long long)p->amount_nusd);
    }
    return line;
}

#define BASE "\"input_cost_per_token\":1e-06,\"output_cost_per_token\":4e-06"

START_TEST(prices_per_token_become_exact_ones_per_million)
{
    read_members("\"input_cost_per_token\":1.25e-06,\"output_cost_per_token\":0.00001,"
                 "\"cache_read_input_token_cost\":1.25e-7,\"cache_creation_input_token_cost\":"
                 "\"1.5625e-06\",\"cache_creation_input_token_cost_above_1hr\":2.5e-06,"
                 "\"output_cost_per_reasoning_token\":1E-5,\"input_cost_per_request\":0.005");
    ck_assert_str_eq(prices(), "input_token||1250000000 output_token||10000000000 "
                               "cached_input_token||125000000 cache_write_token||1562500000 "
                               "cache_write_1h_token||2500000000 reasoning_token||10000000000 "
                               "request||5000000");
    ck_assert_str_eq(told, "");
}
END_TEST

START_TEST(ends_of_members_become_tiers_and_unknown_ones_are_passed_over)
{
    read_members(BASE
                 ",\"input_cost_per_token_flex\":5e-7,\"input_cost_per_token_priority\":2e-6,"
                 "\"output_cost_per_token_batches\":2e-6,"
                 "\"input_cost_per_token_above_200k_tokens\":2e-6,"
                 "\"input_cost_per_token_above_272k_tokens_priority\":3e-6,"
                 "\"cache_creation_input_token_cost_above_1hr_above_200k_tokens\":4e-6,"
                 "\"input_cost_per_token_ultrafast\":9e-6,\"input_cost_per_token_above_xk_"
                 "tokens\":9e-6,\"input_cost_per_token_above_0k_tokens\":9e-6,"
                 "\"cache_creation_input_token_cost_above_12hr\":9e-6,"
                 "\"input_cost_per_token_cache_hit\":9e-6,\"cache_read_input_token_cost\":null,"
                 "\"output_cost_per_token_above_\":9e-6,\"input_cost_per_audio_token\":9e-6");
    ck_assert_str_eq(prices(), "input_token||1000000000 output_token||4000000000 "
                               "input_token|flex|500000000 input_token|priority|2000000000 "
                               "output_token|batch|2000000000 input_token|above_200000|2000000000 "
                               "input_token|priority_above_272000|3000000000 "
                               "cache_write_1h_token|above_200000|4000000000");
}
END_TEST

START_TEST(ranges_of_input_become_tiers)
{
    read_members("\"tiered_pricing\":[{\"range\":[0,32000],\"input_cost_per_token\":1e-6,"
                 "\"output_cost_per_token\":2e-6},{\"range\":[3.2e4,128000],"
                 "\"input_cost_per_token\":3e-6,\"input_cost_per_token_flex\":9e-6,"
                 "\"output_cost_per_token\":4e-6}]");
    ck_assert_str_eq(prices(), "input_token||1000000000 output_token||2000000000 "
                               "input_token|above_32000|3000000000 "
                               "output_token|above_32000|4000000000");
    read_members(BASE ",\"tiered_pricing\":7");
    ck_assert_uint_eq(table.models[0].prices_n, 2);
    read_members("\"tiered_pricing\":[{\"input_cost_per_token\":1e-6}]");
    ck_assert_uint_eq(table.refused_n, 1);
    read_members("\"tiered_pricing\":{}");
    ck_assert_uint_eq(table.refused_n, 1);
    read_members("\"tiered_pricing\":[{\"range\":[0,9],\"input_cost_per_token\":1e-6},"
                 "{\"range\":[9,19],\"input_cost_per_token\":1e-16}]");
    ck_assert_ptr_nonnull(strstr(told, "m.tiered_pricing[1].input_cost_per_token has more"));
    *strstr(told, "m.tiered_pricing[1]") = '\0';
    ck_assert_str_eq(told, "m.tiered_pricing.range does not begin with a number of tokens\n"
                           "m.tiered_pricing is no list\n");
}
END_TEST

START_TEST(a_price_that_is_no_amount_refuses_its_model_with_the_path)
{
    static const char *const bad[] = {"2.9000000000000003e-07",
                                      "1e-16",
                                      "-1e-06",
                                      "1e9",
                                      "\"cheap\"",
                                      "\"\"",
                                      "true",
                                      "[1]",
                                      "{\"a\":1}",
                                      "\"1e-6 \""};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        char members[256];
        snprintf(members, sizeof(members), BASE ",\"cache_read_input_token_cost\":%s", bad[i]);
        told[0] = '\0';
        read_members(members);
        ck_assert_msg(table.models_n == 0 && table.refused_n == 1, "%s", bad[i]);
        ck_assert_msg(!strncmp(told, "m.cache_read_input_token_cost ", 30), "%s: %s", bad[i], told);
    }
}
END_TEST

START_TEST(what_cannot_be_charged_by_tokens_is_left_out_and_counted)
{
    ck_assert_int_eq(
        read_only(NULL, "{\"sample_spec\":{\"mode\":\"chat\"," BASE "},\"a\":{\"mode\":\"chat\"},"
                        "\"b\":{\"mode\":\"image_generation\",\"output_cost_per_image\":1," BASE
                        "},\"c\":{" BASE "},\"d\":{\"mode\":\"chat\",\"input_cost_per_token\":1e-6"
                        "},\"e\":{\"mode\":\"embedding\",\"input_cost_per_token\":1e-6},\"f\":7,"
                        "\"g\":{\"mode\":\"responses\"," BASE "}}"),
        ERR_OK);
    ck_assert_uint_eq(table.models_n, 2);
    ck_assert_str_eq(table.models[0].name, "e");
    ck_assert_str_eq(table.models[0].kind, "embedding");
    ck_assert_str_eq(prices(), "input_token||1000000000 output_token||0");
    ck_assert_str_eq(table.models[1].kind, "chat");
    ck_assert_uint_eq(table.unpriced_n, 2);
    ck_assert_uint_eq(table.unfit_n, 2);
    ck_assert_uint_eq(table.refused_n, 0);
}
END_TEST

#define ENTRY(key, provider)                                                                       \
    "\"" key "\":{\"mode\":\"chat\",\"litellm_provider\":\"" provider "\"," BASE "}"

START_TEST(a_name_has_no_provider_before_it_and_stands_for_one_entry)
{
    static const char text[] = "{" ENTRY("gemini/g-1", "gemini") "," ENTRY("g-1", "vertex") "," ENTRY(
        "xai/x",
        "xai") "," ENTRY("one/two",
                         "one") "," ENTRY("zzz/two",
                                          "zzz") "," ENTRY("r/openai/o",
                                                           "r") "," ENTRY("b.c",
                                                                          "bed") "," ENTRY("caf\\u0"
                                                                                           "0e9",
                                                                                           "p") "}";
    ck_assert_int_eq(read_only(NULL, text), ERR_OK);
    ck_assert_uint_eq(table.models_n, 4);
    ck_assert_str_eq(table.models[0].name, "b.c");
    ck_assert_str_eq(table.models[1].name, "g-1");
    ck_assert_str_eq(table.models[1].key, "g-1");
    ck_assert_str_eq(table.models[2].name, "openai/o");
    ck_assert_str_eq(table.models[3].name, "x");
    ck_assert_str_eq(told, "caf\xc3\xa9 is no name of a model: 1 to 128 characters of ASCII\n"
                           "one/two is one of several of that name: choose one with --only\n");
    told[0] = '\0';
    ck_assert_int_eq(read_only("gemini/*, zzz/two ,r/*", text), ERR_OK);
    ck_assert_uint_eq(table.models_n, 3);
    ck_assert_str_eq(table.models[0].key, "gemini/g-1");
    ck_assert_str_eq(table.models[1].key, "r/openai/o");
    ck_assert_str_eq(table.models[2].key, "zzz/two");
}
END_TEST

START_TEST(limits_and_abilities_are_what_is_said_and_nothing_else)
{
    read_members(BASE ",\"max_input_tokens\":272000,\"max_output_tokens\":1.28e5,"
                      "\"supports_vision\":true,\"supports_sampling_params\":false,"
                      "\"supports_prompt_caching\":true,\"supports_reasoning\":null,"
                      "\"supports_xhigh_reasoning_effort\":true,"
                      "\"supports_none_reasoning_effort\":false,\"supports_pdf_input\":\"yes\"");
    const struct litellm_model *m = &table.models[0];
    ck_assert_int_eq(m->context_tokens, 272000);
    ck_assert_int_eq(m->output_tokens_max, 128000);
    ck_assert_str_eq(m->provider, "p");
    ck_assert_int_eq(m->flags[LITELLM_IMAGE_IN], LITELLM_YES);
    ck_assert_int_eq(m->flags[LITELLM_SAMPLING], LITELLM_NO);
    ck_assert_int_eq(m->flags[LITELLM_EFFORT_XHIGH], LITELLM_YES);
    ck_assert_int_eq(m->flags[LITELLM_EFFORT_NONE], LITELLM_NO);
    ck_assert_int_eq(m->flags[LITELLM_REASONING], LITELLM_NOT_SAID);
    ck_assert_int_eq(m->flags[LITELLM_FILE_IN], LITELLM_NOT_SAID);
    read_members(BASE ",\"max_input_tokens\":\"many\",\"max_output_tokens\":-5");
    ck_assert_int_eq(table.models[0].context_tokens, 0);
    ck_assert_int_eq(table.models[0].output_tokens_max, 0);
}
END_TEST

START_TEST(what_is_no_object_of_json_is_refused_as_a_whole)
{
    static const char *const bad[] = {"",
                                      "[]",
                                      "{",
                                      "{\"a\":{\"mode\":\"chat\"}",
                                      "{\"a\":1} x",
                                      "{\"a\":{\"input_cost_per_token\":01}}"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        ck_assert_msg(read_only(NULL, bad[i]) == ERR_FORMAT, "%s", bad[i]);
    ck_assert_int_eq(read_only(NULL, "{}"), ERR_OK);
    ck_assert_uint_eq(table.models_n, 0);
}
END_TEST

START_TEST(many_models_and_too_many_prices)
{
    size_t n = 0, size = (size_t)1 << 20;
    char *text = malloc(size);
    n += (size_t)snprintf(text + n, size - n, "{");
    for (int i = 0; i < 1000; i++)
        n += (size_t)snprintf(text + n, size - n, "%s\"m%03d\":{\"mode\":\"chat\"," BASE "}",
                              i ? "," : "", 999 - i);
    n += (size_t)snprintf(text + n, size - n, ",\"many\":{\"mode\":\"chat\"");
    for (int i = 1; i <= LITELLM_PRICES_MAX + 1; i++)
        n += (size_t)snprintf(text + n, size - n, ",\"input_cost_per_token_above_%dk_tokens\":1e-6",
                              i);
    snprintf(text + n, size - n, "}}");
    ck_assert_int_eq(read_only(NULL, text), ERR_OK);
    ck_assert_uint_eq(table.models_n, 1000);
    ck_assert_str_eq(table.models[0].name, "m000");
    ck_assert_str_eq(table.models[999].name, "m999");
    ck_assert_uint_eq(table.refused_n, 1);
    free(text);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("litellm");
    TCase *tc = tcase_create("litellm");
    tcase_add_checked_fixture(tc, setup, teardown);
    suite_add_tcase(suite, tc);
    tcase_add_test(tc, prices_per_token_become_exact_ones_per_million);
    tcase_add_test(tc, ends_of_members_become_tiers_and_unknown_ones_are_passed_over);
    tcase_add_test(tc, ranges_of_input_become_tiers);
    tcase_add_test(tc, a_price_that_is_no_amount_refuses_its_model_with_the_path);
    tcase_add_test(tc, what_cannot_be_charged_by_tokens_is_left_out_and_counted);
    tcase_add_test(tc, a_name_has_no_provider_before_it_and_stands_for_one_entry);
    tcase_add_test(tc, limits_and_abilities_are_what_is_said_and_nothing_else);
    tcase_add_test(tc, what_is_no_object_of_json_is_refused_as_a_whole);
    tcase_add_test(tc, many_models_and_too_many_prices);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? 1 : 0;
}
