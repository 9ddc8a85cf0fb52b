#include "db/proposal.h"

#include "db/capability_list.h"
#include "tests/unit/mariadb.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

static struct mariadb server;
static struct db *db;
static struct arena *arena;
static struct litellm_table table;
static struct proposal proposal;
static struct proposal_options options;

static void setup(void)
{
    mariadb_fresh(&server);
    db = db_new(server.config);
    arena = arena_new((size_t)16 << 20);
    options =
        (struct proposal_options){.margin_ppm = 1000000, .status = "enabled", .note = "imported"};
    proposal = (struct proposal){.table = NULL};
}

static void teardown(void)
{
    proposal_clear(&proposal);
    arena_free(arena);
    db_free(db);
}

static void tell(void *arg, const char *path, const char *text)
{
    (void)arg;
    ck_abort_msg("%s %s", path, text);
}

static void read_table(const char *text)
{
    struct litellm_options o = {.tell = tell};
    size_t at;
    ck_assert_int_eq(litellm_read(slice_of(text), arena, &o, &table, &at), ERR_OK);
}

static enum err make(const char *text)
{
    read_table(text);
    proposal_clear(&proposal);
    return proposal_make(&proposal, db, &table, &options);
}

static const char *said(void)
{
    return arena_printf(arena, "%.*s", (int)proposal.text.n,
                        proposal.text.n ? proposal.text.p : "");
}

/* The prices in force for everybody, as one line. */
static const char *prices(const char *model)
{
    return mariadb_value(
        &server,
        "SELECT COALESCE(GROUP_CONCAT(CONCAT_WS('|', p.unit, p.qualifier, p.amount) ORDER BY "
        "p.unit, p.qualifier SEPARATOR ' '), '') FROM prices p JOIN models m ON m.id = p.model_id "
        "WHERE m.name = '%s' AND p.scope = 'model' AND p.valid_from <= UTC_TIMESTAMP(3) AND NOT "
        "EXISTS (SELECT 1 FROM prices n WHERE n.model_id = p.model_id AND n.scope = 'model' AND "
        "n.unit = p.unit AND n.qualifier = p.qualifier AND n.valid_from > p.valid_from AND "
        "n.valid_from <= UTC_TIMESTAMP(3))",
        model);
}

#define NEW                                                                                        \
    "{\"new-1\":{\"mode\":\"chat\",\"litellm_provider\":\"maker\",\"input_cost_per_token\":"       \
    "1.25e-06,\"output_cost_per_token\":1e-05,\"input_cost_per_token_above_200k_tokens\":2.5e-06," \
    "\"max_input_tokens\":300000,\"max_output_tokens\":64000,\"supports_vision\":false,"           \
    "\"supports_assistant_prefill\":true}}"

START_TEST(a_new_model_is_shown_and_added_with_its_prices)
{
    ck_assert_int_eq(make(NEW), ERR_OK);
    ck_assert_str_eq(said(), "+ model new-1: chat, of maker, context_tokens 300000, "
                             "output_tokens_max 64000\n"
                             "+ price new-1: input_token 1.25\n"
                             "+ price new-1: output_token 10\n"
                             "+ price new-1: input_token above_200000 2.5\n"
                             "+ capability new-1: context_tokens 0 -> 300000, output_tokens_max 0 "
                             "-> 64000, prefill false -> true, input_modalities text,image,file -> "
                             "text,file\n");
    ck_assert_int_eq(mariadb_number(&server, "SELECT COUNT(*) FROM models"), 0);
    ck_assert_int_eq(proposal_activate(&proposal, db), ERR_OK);
    ck_assert_str_eq(prices("new-1"), "input_token||1.250000000 "
                                      "input_token|above_200000|2.500000000 "
                                      "output_token||10.000000000");
    ck_assert_str_eq(mariadb_value(&server, "SELECT CONCAT_WS(' ', kind, owned_by, status, "
                                            "context_tokens, output_tokens_max, note) FROM models "
                                            "WHERE name = 'new-1'"),
                     "chat maker enabled 300000 64000 imported");
    ck_assert_str_eq(mariadb_value(&server, "SELECT CONCAT_WS(' ', context_tokens, prefill, "
                                            "input_modalities, thinking, efforts, sampling, note) "
                                            "FROM model_capabilities WHERE pattern = 'new-1'"),
                     "300000 1 text,file effort low,medium,high 1 imported");
    ck_assert_int_eq(make(NEW), ERR_OK);
    ck_assert(proposal_is_empty(&proposal));
}
END_TEST

START_TEST(only_what_differs_from_what_is_in_force_is_proposed)
{
    mariadb_exec(&server,
                 "INSERT INTO models (id, name, context_tokens, output_tokens_max) VALUES (1, "
                 "'m', 1000, 500);"
                 "INSERT INTO prices (model_id, unit, qualifier, amount, valid_from) VALUES "
                 "(1, 'input_token', '', 1, '2020-01-01'), (1, 'input_token', '', 2, '2021-01-01'),"
                 " (1, 'input_token', '', 7, '2099-01-01'), (1, 'output_token', '', 4, "
                 "'2020-01-01'), (1, 'input_token', 'flex', 0.5, '2020-01-01'), (1, "
                 "'cached_input_token', '', 0.1, '2020-01-01');"
                 "INSERT INTO prices (model_id, scope, scope_id, unit, amount) VALUES (1, "
                 "'account', 5, 'output_token', 99);"
                 "INSERT INTO model_capabilities (pattern, context_tokens, output_tokens_max) "
                 "VALUES ('m', 1000, 500)");
    ck_assert_int_eq(make("{\"m\":{\"mode\":\"chat\",\"input_cost_per_token\":2e-6,"
                          "\"output_cost_per_token\":5e-6,\"cache_read_input_token_cost\":3e-7,"
                          "\"input_cost_per_token_priority\":0,\"max_output_tokens\":600}}"),
                     ERR_OK);
    ck_assert_str_eq(said(), "~ model m: output_tokens_max 500 -> 600\n"
                             "~ price m: output_token 4 -> 5\n"
                             "~ price m: cached_input_token 0.1 -> 0.3  (!) more than twice or "
                             "less than half\n"
                             "+ price m: input_token priority 0  (!) free\n"
                             "~ capability m: output_tokens_max 500 -> 600\n");
    ck_assert_uint_eq(proposal.steep, 2);
    ck_assert_uint_eq(proposal.models_changed, 1);
    ck_assert_uint_eq(proposal.models_added, 0);
    ck_assert_uint_eq(proposal.prices_changed, 2);
    ck_assert_uint_eq(proposal.prices_added, 1);
    ck_assert_uint_eq(proposal.capabilities_changed, 1);
    ck_assert_int_eq(proposal_activate(&proposal, db), ERR_OK);
    ck_assert_str_eq(prices("m"), "cached_input_token||0.300000000 input_token||2.000000000 "
                                  "input_token|flex|0.500000000 input_token|priority|0.000000000 "
                                  "output_token||5.000000000");
    ck_assert_int_eq(mariadb_number(&server, "SELECT COUNT(*) FROM prices"), 10);
    ck_assert_int_eq(mariadb_number(&server, "SELECT context_tokens FROM models"), 1000);
}
END_TEST

START_TEST(a_margin_is_on_all_prices_and_rounded_up)
{
    options.margin_ppm = 1200000;
    options.status = "disabled";
    ck_assert_int_eq(make("{\"m\":{\"mode\":\"chat\",\"input_cost_per_token\":1e-15,"
                          "\"output_cost_per_token\":1.25e-6}}"),
                     ERR_OK);
    ck_assert_int_eq(proposal_activate(&proposal, db), ERR_OK);
    ck_assert_str_eq(prices("m"), "input_token||0.000000002 output_token||1.500000000");
    ck_assert_str_eq(mariadb_value(&server, "SELECT CONCAT_WS(' ', status, owned_by, "
                                            "context_tokens, output_tokens_max) FROM models"),
                     "disabled aipass 128000 16384");
    ck_assert_int_eq(make("{\"m\":{\"mode\":\"chat\",\"input_cost_per_token\":900,"
                          "\"output_cost_per_token\":1.25e-6}}"),
                     ERR_RANGE);
}
END_TEST

START_TEST(what_changes_between_look_and_activation_stops_it_as_a_whole)
{
    ck_assert_int_eq(make(NEW), ERR_OK);
    mariadb_exec(&server, "INSERT INTO models (name) VALUES ('new-1')");
    ck_assert_int_eq(proposal_activate(&proposal, db), ERR_BUSY);
    ck_assert_int_eq(mariadb_number(&server, "SELECT COUNT(*) FROM prices"), 0);
    ck_assert_int_eq(
        mariadb_number(&server, "SELECT COUNT(*) FROM model_capabilities WHERE pattern = 'new-1'"),
        0);
    ck_assert_int_eq(make(NEW), ERR_OK);
    ck_assert_int_eq(proposal_activate(&proposal, db), ERR_OK);
    ck_assert_int_eq(proposal_activate(&proposal, db), ERR_BUSY);
    ck_assert_int_eq(mariadb_number(&server, "SELECT COUNT(*) FROM prices"), 3);
}
END_TEST

/* What the abilities of a model become, as a line; "" when nothing changes. */
static const char *fitted(const char *model, const char *members)
{
    const char *text = arena_printf(arena,
                                    "{\"%s\":{\"mode\":\"chat\",\"input_cost_per_token\":1e-6,"
                                    "\"output_cost_per_token\":1e-6,%s}}",
                                    model, members);
    ck_assert_int_eq(make(text), ERR_OK);
    const char *line = strstr(said(), "capability ");
    return line ? strchr(line, ':') + 2 : "";
}

START_TEST(abilities_build_on_the_row_that_counts_so_far)
{
    ck_assert_str_eq(fitted("gpt-6.1-sol", "\"supports_reasoning\":true,"
                                           "\"supports_none_reasoning_effort\":false,"
                                           "\"supports_max_reasoning_effort\":true"),
                     "");
    ck_assert_str_eq(fitted("gpt-6.1-sol", "\"supports_max_reasoning_effort\":false"),
                     "efforts low,medium,high,xhigh,max -> low,medium,high,xhigh\n");
    ck_assert_str_eq(fitted("gpt-6.1-sol", "\"supports_reasoning\":false"),
                     "thinking effort -> none, efforts low,medium,high,xhigh,max -> none, "
                     "thinking_always true -> false\n");
    ck_assert_str_eq(fitted("gpt-4o", "\"supports_reasoning\":true"),
                     "thinking none -> effort, efforts none -> low,medium,high\n");
    ck_assert_str_eq(fitted("claude-opus-5-5", "\"supports_adaptive_thinking\":true,"
                                               "\"supports_forced_tool_use\":false,"
                                               "\"supports_none_reasoning_effort\":true,"
                                               "\"supports_sampling_params\":false"),
                     "");
    ck_assert_str_eq(fitted("claude-haiku-4-5", "\"supports_reasoning\":true,"
                                                "\"supports_assistant_prefill\":true"),
                     "");
    ck_assert_str_eq(fitted("gemini-3.8-flash", "\"supports_minimal_reasoning_effort\":true,"
                                                "\"supports_xhigh_reasoning_effort\":true,"
                                                "\"supports_audio_output\":true,"
                                                "\"supports_video_input\":false"),
                     "efforts low,medium,high -> minimal,low,medium,high, input_modalities "
                     "text,image,audio,file,video -> text,image,audio,file, output_modalities text "
                     "-> text,audio\n");
    ck_assert_str_eq(fitted("never-heard-of", "\"supports_function_calling\":false,"
                                              "\"supports_response_schema\":false"),
                     "tools true -> false, structured_output true -> false\n");
    ck_assert_int_eq(proposal_activate(&proposal, db), ERR_OK);
    ck_assert_str_eq(fitted("never-heard-of", "\"supports_function_calling\":true"),
                     "tools false -> true\n");
    ck_assert_int_eq(proposal_activate(&proposal, db), ERR_OK);
    ck_assert_str_eq(mariadb_value(&server, "SELECT CONCAT(tools, structured_output) FROM "
                                            "model_capabilities WHERE pattern = 'never-heard-of'"),
                     "10");
}
END_TEST

START_TEST(the_row_that_is_added_keeps_all_that_was_not_said)
{
    ck_assert_str_eq(fitted("claude-sonnet-5-5", "\"max_output_tokens\":100"),
                     "output_tokens_max 128000 -> 100\n");
    ck_assert_int_eq(proposal_activate(&proposal, db), ERR_OK);
    ck_assert_int_eq(
        mariadb_number(&server,
                       "SELECT COUNT(*) FROM model_capabilities a JOIN model_capabilities b ON "
                       "b.pattern = '%%claude-sonnet-5_5%%' AND a.output_tokens_max = 100 AND "
                       "CONCAT_WS('|', a.context_tokens, a.thinking, a.efforts, a.thinking_always, "
                       "a.between_tools, a.sampling, a.tools, a.forced_tools, a.custom_tools, "
                       "a.prefill, a.structured_output, a.system_turns, a.reasoning_content, "
                       "a.max_tokens_name, a.schema_keyword, a.input_modalities, "
                       "a.output_modalities) = CONCAT_WS('|', b.context_tokens, b.thinking, "
                       "b.efforts, b.thinking_always, b.between_tools, b.sampling, b.tools, "
                       "b.forced_tools, b.custom_tools, b.prefill, b.structured_output, "
                       "b.system_turns, b.reasoning_content, b.max_tokens_name, b.schema_keyword, "
                       "b.input_modalities, b.output_modalities) WHERE a.pattern = "
                       "'claude-sonnet-5-5'"),
        1);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("proposal");
    TCase *tc = tcase_create("proposal");
    tcase_set_timeout(tc, 60);
    tcase_add_checked_fixture(tc, setup, teardown);
    suite_add_tcase(suite, tc);
    tcase_add_test(tc, a_new_model_is_shown_and_added_with_its_prices);
    tcase_add_test(tc, only_what_differs_from_what_is_in_force_is_proposed);
    tcase_add_test(tc, a_margin_is_on_all_prices_and_rounded_up);
    tcase_add_test(tc, what_changes_between_look_and_activation_stops_it_as_a_whole);
    tcase_add_test(tc, abilities_build_on_the_row_that_counts_so_far);
    tcase_add_test(tc, the_row_that_is_added_keeps_all_that_was_not_said);
    SRunner *runner = srunner_create(suite);
    mariadb_start(&server);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    mariadb_stop(&server);
    return failed ? 1 : 0;
}
