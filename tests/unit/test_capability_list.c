#include "db/capability_list.h"

#include "tests/unit/mariadb.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

static struct mariadb server;
static struct db *db;
static struct arena *arena;
static struct capability_list list;

static void setup(void)
{
    mariadb_fresh(&server);
    db = db_new(server.config);
    arena = arena_new((size_t)1 << 20);
}

static void teardown(void)
{
    arena_free(arena);
    db_free(db);
}

static void read_all(void)
{
    struct db_conn *c = NULL;
    ck_assert_int_eq(db_take(db, &c), ERR_OK);
    ck_assert_int_eq(capability_read(c, arena, &list), ERR_OK);
    db_give(db, c);
}

static const struct catalog_capability *find(const char *name)
{
    return capability_find(&list, name, "");
}

START_TEST(like_is_that_of_sql)
{
    static const struct {
        const char *pattern, *text;
    } cases[] = {
        {"",       ""       },
        {"",       "a"      },
        {"a",      ""       },
        {"a",      "a"      },
        {"a",      "b"      },
        {"%",      ""       },
        {"%",      "abc"    },
        {"a%",     "abc"    },
        {"%c",     "abc"    },
        {"%b%",    "abc"    },
        {"%x%",    "abc"    },
        {"a_c",    "abc"    },
        {"a_c",    "ac"     },
        {"_",      ""       },
        {"__",     "ab"     },
        {"a%_",    "a"      },
        {"a%_",    "ab"     },
        {"%ab%ab", "aabab"  },
        {"%a%b%c", "xaybzc" },
        {"a\\_b",  "a_b"    },
        {"a\\_b",  "axb"    },
        {"a\\%",   "a%"     },
        {"a\\%",   "abc"    },
        {"%aab",   "aaaab"  },
        {"A",      "a"      },
        {"%.5%",   "gpt-5.5"},
        {"%%%",    "a"      },
        {"a%b_%",  "aXbY"   }
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        ck_assert_msg(capability_like(cases[i].pattern, cases[i].text) ==
                          (mariadb_number(&server, "SELECT BINARY '%s' LIKE BINARY '%s'",
                                          cases[i].text, cases[i].pattern) == 1),
                      "%s LIKE %s", cases[i].text, cases[i].pattern);
}
END_TEST

static void expect_same(const struct catalog_capability *a, const struct catalog_capability *b)
{
    struct catalog_capability x = *a, y = *b;
    ck_assert_str_eq(x.max_tokens_name, y.max_tokens_name);
    ck_assert_str_eq(x.schema_keyword, y.schema_keyword);
    ck_assert_int_eq(x.context_tokens, y.context_tokens);
    ck_assert_int_eq(x.output_tokens_max, y.output_tokens_max);
    ck_assert_int_eq(x.thinking, y.thinking);
    ck_assert_uint_eq(x.efforts, y.efforts);
    ck_assert_int_eq(x.thinking_budget_min, y.thinking_budget_min);
    ck_assert_int_eq(x.thinking_budget_max, y.thinking_budget_max);
    ck_assert_uint_eq(x.input_modalities, y.input_modalities);
    ck_assert_uint_eq(x.output_modalities, y.output_modalities);
    ck_assert(x.thinking_always == y.thinking_always && x.between_tools == y.between_tools);
    ck_assert(x.sampling == y.sampling && x.tools == y.tools && x.prefill == y.prefill);
    ck_assert(x.forced_tools == y.forced_tools && x.custom_tools == y.custom_tools);
    ck_assert(x.structured_output == y.structured_output && x.system_turns == y.system_turns);
    ck_assert(x.reasoning_content == y.reasoning_content);
}

START_TEST(a_row_of_a_name_alone_is_what_an_unknown_model_is_taken_for)
{
    mariadb_exec(&server, "INSERT INTO model_capabilities (pattern) VALUES ('brand-new')");
    read_all();
    ck_assert_ptr_eq(find("never-heard-of"), &capability_list_default);
    ck_assert_str_eq(find("brand-new")->pattern, "brand-new");
    expect_same(find("brand-new"), &capability_list_default);
}
END_TEST

START_TEST(every_column_is_read)
{
    mariadb_exec(&server, "INSERT INTO model_capabilities VALUES ('all', 1, 2, 'level', "
                          "'none,max', TRUE, FALSE, 3, 4, FALSE, TRUE, FALSE, TRUE, FALSE, TRUE, "
                          "FALSE, TRUE, 'max_completion_tokens', 'parameters', 'text,video', "
                          "'image,audio', ''), ('inverse', NULL, NULL, 'none', '', FALSE, TRUE, "
                          "NULL, NULL, TRUE, FALSE, TRUE, FALSE, TRUE, FALSE, TRUE, FALSE, "
                          "'max_tokens', 'parametersJsonSchema', 'audio,file', 'text', '')");
    read_all();
    expect_same(find("all"), &(struct catalog_capability){
                                 .context_tokens = 1,
                                 .output_tokens_max = 2,
                                 .thinking = CAPABILITY_THINKING_LEVEL,
                                 .efforts = CAPABILITY_EFFORT_NONE | CAPABILITY_EFFORT_MAX,
                                 .thinking_always = true,
                                 .thinking_budget_min = 3,
                                 .thinking_budget_max = 4,
                                 .tools = true,
                                 .custom_tools = true,
                                 .structured_output = true,
                                 .reasoning_content = true,
                                 .max_tokens_name = "max_completion_tokens",
                                 .schema_keyword = "parameters",
                                 .input_modalities = CAPABILITY_TEXT | CAPABILITY_VIDEO,
                                 .output_modalities = CAPABILITY_IMAGE | CAPABILITY_AUDIO});
    expect_same(find("inverse"),
                &(struct catalog_capability){.thinking = CAPABILITY_THINKING_NONE,
                                             .between_tools = true,
                                             .sampling = true,
                                             .forced_tools = true,
                                             .prefill = true,
                                             .system_turns = true,
                                             .max_tokens_name = "max_tokens",
                                             .schema_keyword = "parametersJsonSchema",
                                             .input_modalities = CAPABILITY_AUDIO | CAPABILITY_FILE,
                                             .output_modalities = CAPABILITY_TEXT});
}
END_TEST

START_TEST(the_name_counts_before_patterns_and_the_longest_of_these)
{
    mariadb_exec(&server, "DELETE FROM model_capabilities;"
                          "INSERT INTO model_capabilities (pattern) VALUES ('m%%'), ('m-1%%'), "
                          "('m-1-x'), ('%%m-1-%%%%'), ('n_1'), ('n_1%%'), ('b'), ('a')");
    read_all();
    ck_assert_str_eq(find("m-1-x")->pattern, "m-1-x");
    ck_assert_str_eq(find("m-1-y")->pattern, "%m-1-%%");
    ck_assert_str_eq(find("m-1")->pattern, "m-1%");
    ck_assert_str_eq(find("m-2")->pattern, "m%");
    ck_assert_str_eq(find("n_1")->pattern, "n_1");
    ck_assert_str_eq(find("n-1")->pattern, "n_1%");
    ck_assert_str_eq(find("a")->pattern, "a");
    ck_assert_str_eq(find("b")->pattern, "b");
    ck_assert_ptr_eq(find("x"), &capability_list_default);
    ck_assert_str_eq(capability_find(&list, "x", "m-2")->pattern, "m%");
    ck_assert_str_eq(capability_find(&list, "a", "m-2")->pattern, "a");
}
END_TEST

START_TEST(the_shipped_rows_know_the_models_of_today)
{
    static const struct {
        const char *name, *pattern;
    } cases[] = {
        {"claude-opus-5-5",                    "%claude-opus-5_5%"         },
        {"claude-opus-5",                      "%claude-opus-5%"           },
        {"claude-opus-5-20260801",             "%claude-opus-5%"           },
        {"claude-opus-4-20250514",             "%claude-opus-4%"           },
        {"claude-opus-4-8",                    "%claude-opus-4_8%"         },
        {"claude-haiku-4-5-20251001",          "%claude-haiku-4_5%"        },
        {"claude-sonnet-4-6",                  "%claude-sonnet-4_6%"       },
        {"anthropic/claude-sonnet-5.5",        "%claude-sonnet-5_5%"       },
        {"us.anthropic.claude-fable-5-1-v1:0", "%claude-fable-5_1%"        },
        {"claude-next-7",                      "%claude-%"                 },
        {"claude-3-7-sonnet-20250219",         "%claude-3_7%"              },
        {"gpt-5",                              "%gpt-5%"                   },
        {"gpt-5-mini-2025-08-07",              "%gpt-5%"                   },
        {"gpt-5-codex",                        "%gpt-5-codex%"             },
        {"gpt-5-pro",                          "%gpt-5-pro%"               },
        {"gpt-5-chat-latest",                  "%gpt-5%-chat%"             },
        {"gpt-5.3-chat-latest",                "%gpt-5%-chat%"             },
        {"gpt-5.1-chat-latest",                "%gpt-5%-chat%"             },
        {"gpt-5.1-codex-mini",                 "%gpt-5.1-codex%"           },
        {"gpt-5.2",                            "%gpt-5._%"                 },
        {"gpt-5.5-pro",                        "%gpt-5._-pro%"             },
        {"gpt-5.3-codex",                      "%gpt-5._%"                 },
        {"gpt-5.4-nano",                       "%gpt-5.4-nano%"            },
        {"gpt-5.6-luna",                       "%gpt-5.6%"                 },
        {"gpt-6-astra",                        "%gpt-6-astra%"             },
        {"gpt-6.1-sol",                        "%gpt-6.1-sol%"             },
        {"gpt-6.1-terra",                      "%gpt-6%"                   },
        {"openai/gpt-6-luna",                  "%gpt-6%"                   },
        {"o3-mini",                            "o3%"                       },
        {"gpt-4o-mini",                        "%gpt-4o%"                  },
        {"gpt-4o-audio-preview",               "%gpt-4o%-audio%"           },
        {"gpt-4.1-nano",                       "%gpt-4.1%"                 },
        {"gemini-2.5-pro",                     "%gemini-2.5-pro%"          },
        {"gemini-2.5-flash-lite",              "%gemini-2.5-flash-lite%"   },
        {"gemini-2.5-flash-image",             "%gemini-2.5-flash-image%"  },
        {"gemini-2.5-flash-preview-tts",       "%gemini-2.5-%-preview-tts%"},
        {"gemini-3-pro-preview",               "%gemini-3%pro%"            },
        {"gemini-3-pro-image-preview",         "%gemini-3%image%"          },
        {"gemini-3.5-flash-lite",              "%gemini-%"                 },
        {"gemini-3.8-flash",                   "%gemini-3.8-flash%"        },
        {"models/gemini-flash-latest",         "%gemini-%"                 },
        {"deepseek-chat",                      "%deepseek-chat%"           },
        {"deepseek/deepseek-v4-pro",           "%deepseek%"                },
        {"kimi-k2.7-code",                     "%kimi-%"                   }
    };
    read_all();
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        ck_assert_msg(!strcmp(find(cases[i].name)->pattern, cases[i].pattern),
                      "%s: expected %s, is %s", cases[i].name, cases[i].pattern,
                      find(cases[i].name)->pattern);
    const struct catalog_capability *c = find("claude-opus-5-5");
    ck_assert_int_eq(c->thinking, CAPABILITY_THINKING_ADAPTIVE);
    ck_assert(c->thinking_always && !c->forced_tools && !c->sampling && !c->prefill);
    ck_assert(find("claude-sonnet-5-5")->between_tools);
    ck_assert(find("claude-haiku-4-5")->prefill && find("claude-opus-4-6")->sampling);
    ck_assert_int_eq(find("claude-sonnet-4-5")->thinking_budget_min, 1024);
    ck_assert_str_eq(find("gpt-5")->max_tokens_name, "max_completion_tokens");
    ck_assert(find("gpt-6-astra")->custom_tools && !find("gpt-6-astra")->sampling);
    ck_assert(find("deepseek-v4-pro")->reasoning_content);
    ck_assert_int_eq(find("gemini-2.5-pro")->thinking_budget_max, 32768);
    ck_assert_str_eq(find("gemini-2.0-flash")->schema_keyword, "parameters");
}
END_TEST

START_TEST(the_table_refuses_rows_without_sense)
{
    ck_assert_uint_eq(mariadb_try(&server, "INSERT INTO model_capabilities (pattern) VALUES ('')"),
                      4025);
    ck_assert_uint_eq(mariadb_try(&server, "INSERT INTO model_capabilities (pattern, "
                                           "thinking_budget_min, thinking_budget_max) VALUES "
                                           "('x', 2, 1)"),
                      4025);
    ck_assert_uint_eq(
        mariadb_try(&server,
                    "INSERT INTO model_capabilities (pattern, efforts) VALUES ('x', 'lots')"),
        1265);
}
END_TEST

START_TEST(sets_are_printed_in_words)
{
    char text[CAPABILITY_SET_SIZE];
    ck_assert_str_eq(capability_print_efforts(text, 0), "");
    ck_assert_str_eq(capability_print_efforts(text, 127), "none,minimal,low,medium,high,xhigh,max");
    ck_assert_str_eq(capability_print_modalities(text, CAPABILITY_TEXT | CAPABILITY_VIDEO),
                     "text,video");
    ck_assert_str_eq(capability_thinking_name(CAPABILITY_THINKING_BUDGET), "budget");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("capability");
    TCase *tc = tcase_create("capability");
    tcase_set_timeout(tc, 60);
    tcase_add_checked_fixture(tc, setup, teardown);
    suite_add_tcase(suite, tc);
    tcase_add_test(tc, like_is_that_of_sql);
    tcase_add_test(tc, a_row_of_a_name_alone_is_what_an_unknown_model_is_taken_for);
    tcase_add_test(tc, every_column_is_read);
    tcase_add_test(tc, the_name_counts_before_patterns_and_the_longest_of_these);
    tcase_add_test(tc, the_shipped_rows_know_the_models_of_today);
    tcase_add_test(tc, the_table_refuses_rows_without_sense);
    tcase_add_test(tc, sets_are_printed_in_words);
    SRunner *runner = srunner_create(suite);
    mariadb_start(&server);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    mariadb_stop(&server);
    return failed ? 1 : 0;
}
