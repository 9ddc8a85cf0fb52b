#include "tests/provider/shell.h"

#include <check.h>
#include <stdlib.h>

static struct ask ask;
static struct bytes content;

static void setup(void)
{
    ask_init(&ask);
    content.len = 0;
}

static void teardown(void)
{
    ask_clear(&ask);
    bytes_clear(&content);
}

static void offer(const char *name, bool is_custom)
{
    ask_add_tool(&ask, span_of(name), span_of(""), is_custom);
}

/* The shell found is the one of that name, and its call says this. */
static void expect(const char *name, const char *text)
{
    const struct ask_tool *t = shell_find(&ask, "cat \"a\"", &content);
    ck_assert_ptr_nonnull(t);
    ck_assert(span_is(t->name, name));
    bytes_put(&content, "", 1);
    ck_assert_str_eq(content.data, text);
}

static void expect_none(const char *command)
{
    ck_assert_ptr_null(shell_find(&ask, command, &content));
    ck_assert_uint_eq(content.len, 0);
}

START_TEST(shell_is_found_among_other_tools)
{
    offer("Agent", false);
    offer("Bash", false);
    offer("Read", false);
    expect("Bash", "{\"command\":\"cat \\\"a\\\"\"}");
}
END_TEST

START_TEST(each_shell_is_called_with_its_own_arguments)
{
    offer("exec_command", false);
    expect("exec_command", "{\"cmd\":\"cat \\\"a\\\"\"}");
}
END_TEST

START_TEST(tool_for_code_gets_code_that_runs_the_command)
{
    offer("exec", true);
    expect("exec", "const r = await tools.exec_command({cmd: \"cat \\\"a\\\"\"}); text(r);");
}
END_TEST

START_TEST(function_of_the_same_name_gets_the_command)
{
    offer("exec", false);
    expect("exec", "{\"command\":\"cat \\\"a\\\"\"}");
}
END_TEST

START_TEST(tool_for_code_made_a_function_gets_the_code_as_a_string)
{
    offer("functions__exec", false);
    expect("functions__exec", "{\"input\":\"const r = await tools.exec_command({cmd: \\\"cat "
                              "\\\\\\\"a\\\\\\\"\\\"}); text(r);\"}");
}
END_TEST

START_TEST(tool_for_code_without_its_namespace_gets_the_code)
{
    offer("functions__exec", true);
    expect("functions__exec",
           "const r = await tools.exec_command({cmd: \"cat \\\"a\\\"\"}); text(r);");
}
END_TEST

START_TEST(nothing_is_called_that_is_no_shell)
{
    expect_none("ls");
    offer("get_weather", false);
    offer("Bash", true);
    expect_none("ls");
}
END_TEST

START_TEST(nothing_is_called_without_a_command_or_when_no_call_is_wanted)
{
    offer("Bash", false);
    expect_none("");
    ask.must_not_call = true;
    expect_none("ls");
    ask.must_not_call = false;
    ask_add_result(&ask, span_of("done"), true, false);
    expect_none("ls");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("provider_shell");
    TCase *tests = tcase_create("shell");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, shell_is_found_among_other_tools);
    tcase_add_test(tests, each_shell_is_called_with_its_own_arguments);
    tcase_add_test(tests, tool_for_code_gets_code_that_runs_the_command);
    tcase_add_test(tests, function_of_the_same_name_gets_the_command);
    tcase_add_test(tests, tool_for_code_made_a_function_gets_the_code_as_a_string);
    tcase_add_test(tests, tool_for_code_without_its_namespace_gets_the_code);
    tcase_add_test(tests, nothing_is_called_that_is_no_shell);
    tcase_add_test(tests, nothing_is_called_without_a_command_or_when_no_call_is_wanted);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
