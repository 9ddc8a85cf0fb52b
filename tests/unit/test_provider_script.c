#include "tests/provider/script.h"

#include <check.h>
#include <stdlib.h>

static struct script script;
static char reason[SCRIPT_REASON_MAX];

static void setup(void)
{
    script_init(&script);
    reason[0] = 0;
}

static bool apply(const char *text)
{
    return script_apply(&script, span_of(text), reason);
}

static bool model_has(const char *model, const char *expected)
{
    struct span controls;
    return script_find_in_model(span_of(model), &controls) && span_is(controls, expected);
}

START_TEST(fresh_script_asks_for_nothing)
{
    ck_assert_int_eq(script.tokens, SCRIPT_UNSET);
    ck_assert_int_eq(script.cut_at, SCRIPT_UNSET);
    ck_assert_int_eq(script.reset_at, SCRIPT_UNSET);
    ck_assert_int_eq(script.delay_ms, 0);
    ck_assert(!script.is_silent);
    ck_assert_int_eq(script.usage, SCRIPT_USAGE_NORMAL);
}
END_TEST

START_TEST(empty_text_changes_nothing)
{
    struct script before = script;
    ck_assert(apply(""));
    ck_assert(apply(" , ,"));
    ck_assert_mem_eq(&before, &script, sizeof(script));
}
END_TEST

START_TEST(counts_are_read)
{
    ck_assert(apply("ms=5,pace=20,tokens=0,prompt=1000000000"));
    ck_assert_int_eq(script.delay_ms, 5);
    ck_assert_int_eq(script.pace_ms, 20);
    ck_assert_int_eq(script.tokens, 0);
    ck_assert_int_eq(script.prompt, 1000000000);
}
END_TEST

START_TEST(every_count_goes_to_its_own_field)
{
    ck_assert(apply("ms=1,pace=2,tokens=3,prompt=4,completion=5,chunk=6,huge=7,cached=8,"
                    "reasoning=9,cache_write=10,status=211,tool=12"));
    ck_assert_int_eq(script.delay_ms, 1);
    ck_assert_int_eq(script.pace_ms, 2);
    ck_assert_int_eq(script.tokens, 3);
    ck_assert_int_eq(script.prompt, 4);
    ck_assert_int_eq(script.completion, 5);
    ck_assert_int_eq(script.chunk_bytes, 6);
    ck_assert_int_eq(script.huge_bytes, 7);
    ck_assert_int_eq(script.cached, 8);
    ck_assert_int_eq(script.reasoning, 9);
    ck_assert_int_eq(script.cache_write, 10);
    ck_assert_int_eq(script.status, 211);
    ck_assert_int_eq(script.tool_calls, 12);
}
END_TEST

START_TEST(every_ending_goes_to_its_own_field)
{
    ck_assert(apply("reset=1,cut=2,eof=3,stall=4,malformed=5,error_in=6"));
    ck_assert_int_eq(script.reset_at, 1);
    ck_assert_int_eq(script.cut_at, 2);
    ck_assert_int_eq(script.eof_at, 3);
    ck_assert_int_eq(script.stall_at, 4);
    ck_assert_int_eq(script.malformed_at, 5);
    ck_assert_int_eq(script.error_at, 6);
}
END_TEST

START_TEST(blanks_around_keys_and_values_are_dropped)
{
    ck_assert(apply("  ms = 7 ,\tcut= 0  "));
    ck_assert_int_eq(script.delay_ms, 7);
    ck_assert_int_eq(script.cut_at, 0);
}
END_TEST

START_TEST(reset_at_the_head_differs_from_reset_after_no_chunk)
{
    ck_assert(apply("reset=head"));
    ck_assert_int_eq(script.reset_at, SCRIPT_HEAD);
    ck_assert(apply("reset=0"));
    ck_assert_int_eq(script.reset_at, 0);
}
END_TEST

START_TEST(only_reset_knows_the_head)
{
    ck_assert(!apply("cut=head"));
    ck_assert_int_eq(script.cut_at, SCRIPT_UNSET);
}
END_TEST

START_TEST(never_takes_back_an_ending)
{
    ck_assert(apply("cut=3,reset=head"));
    ck_assert(apply("cut=never,reset=never"));
    ck_assert_int_eq(script.cut_at, SCRIPT_UNSET);
    ck_assert_int_eq(script.reset_at, SCRIPT_UNSET);
}
END_TEST

START_TEST(flags_stand_alone_or_have_a_value)
{
    ck_assert(apply("silence,nodone=1,nofinish,drip,split,echo,close"));
    ck_assert(script.is_silent && script.is_doneless && script.is_endless && script.is_drip);
    ck_assert(script.is_split && script.is_echo && script.is_close);
    ck_assert(apply("silence=0,echo=0"));
    ck_assert(!script.is_silent && !script.is_echo && script.is_drip);
}
END_TEST

START_TEST(flag_of_two_is_refused)
{
    ck_assert(!apply("silence=2"));
    ck_assert(!script.is_silent);
}
END_TEST

START_TEST(count_without_a_value_is_refused)
{
    ck_assert(!apply("tokens"));
    ck_assert(!apply("tokens="));
    ck_assert_int_eq(script.tokens, SCRIPT_UNSET);
}
END_TEST

START_TEST(usage_is_one_of_six_words)
{
    static const struct {
        const char *text;
        enum script_usage usage;
    } words[] = {
        {"usage=none",   SCRIPT_USAGE_NONE  },
        {"usage=zero",   SCRIPT_USAGE_ZERO  },
        {"usage=finish", SCRIPT_USAGE_FINISH},
        {"usage=every",  SCRIPT_USAGE_EVERY },
        {"usage=start",  SCRIPT_USAGE_START },
        {"usage=normal", SCRIPT_USAGE_NORMAL},
    };
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        ck_assert(apply(words[i].text));
        ck_assert_int_eq(script.usage, words[i].usage);
    }
    ck_assert(!apply("usage=often"));
    ck_assert(!apply("usage"));
}
END_TEST

START_TEST(numbers_that_are_none_or_out_of_range_are_refused)
{
    static const char *const bad[] = {
        "ms=-1",
        "ms=1.5",
        "ms=5x",
        "ms=0x10",
        "ms=3600001",
        "status=199",
        "status=600",
        "chunk=0",
        "huge=0",
        "tokens=10000001",
        "tool=17",
        "tokens=99999999999999999999",
        "prompt=1000000001",
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        reason[0] = 0;
        ck_assert_msg(!apply(bad[i]), "%s was accepted", bad[i]);
        ck_assert_msg(strstr(reason, bad[i]) != NULL, "'%s' does not name %s", reason, bad[i]);
    }
    ck_assert_int_eq(script.delay_ms, 0);
    ck_assert_int_eq(script.status, SCRIPT_UNSET);
}
END_TEST

START_TEST(unknown_key_is_refused_and_named)
{
    ck_assert(!apply("ms=5,tokenz=3,pace=4"));
    ck_assert_ptr_nonnull(strstr(reason, "tokenz=3"));
    ck_assert_int_eq(script.delay_ms, 5);
    ck_assert_int_eq(script.pace_ms, 0);
}
END_TEST

START_TEST(text_values_are_percent_decoded)
{
    ck_assert(apply("text=a%2Cb %5b%5D %zz%,msg=50%25,code=c_1,type=t,name=gpt@x,retry_after=7"));
    ck_assert_str_eq(script.text, "a,b [] %zz%");
    ck_assert_str_eq(script.error_message, "50%");
    ck_assert_str_eq(script.error_code, "c_1");
    ck_assert_str_eq(script.error_type, "t");
    ck_assert_str_eq(script.model, "gpt@x");
    ck_assert_str_eq(script.retry_after, "7");
}
END_TEST

START_TEST(value_may_contain_an_equals_sign)
{
    ck_assert(apply("text=a=b=c"));
    ck_assert_str_eq(script.text, "a=b=c");
}
END_TEST

START_TEST(text_of_the_largest_size_fits_and_one_more_does_not)
{
    char text[SCRIPT_TEXT_MAX + 8] = "text=";
    memset(text + 5, 'x', SCRIPT_TEXT_MAX - 1);
    ck_assert(apply(text));
    ck_assert_uint_eq(strlen(script.text), SCRIPT_TEXT_MAX - 1);
    text[5 + SCRIPT_TEXT_MAX - 1] = 'x';
    ck_assert(!apply(text));
}
END_TEST

START_TEST(word_that_is_too_long_or_has_a_nul_is_refused)
{
    char text[SCRIPT_WORD_MAX + 8] = "code=";
    memset(text + 5, 'x', SCRIPT_WORD_MAX);
    ck_assert(!apply(text));
    ck_assert(!apply("code=a%00b"));
    ck_assert_str_eq(script.error_code, "");
}
END_TEST

START_TEST(later_controls_override_only_their_own_key)
{
    ck_assert(apply("tokens=3,ms=5,cut=1"));
    ck_assert(apply("tokens=9"));
    ck_assert_int_eq(script.tokens, 9);
    ck_assert_int_eq(script.delay_ms, 5);
    ck_assert_int_eq(script.cut_at, 1);
}
END_TEST

START_TEST(span_is_not_read_past_its_end)
{
    static const char text[] = "ms=51,tokens=3";
    ck_assert(script_apply(&script, (struct span){text, 4}, reason));
    ck_assert_int_eq(script.delay_ms, 5);
    ck_assert_int_eq(script.tokens, SCRIPT_UNSET);
}
END_TEST

START_TEST(model_name_carries_controls_behind_the_at_sign)
{
    ck_assert(model_has("gpt-x@ms=5,tokens=3", "ms=5,tokens=3"));
    ck_assert(model_has("@error_in=1", "error_in=1"));
    ck_assert(model_has("@cf/meta/llama@ms=1", "ms=1"));
    ck_assert(model_has("m@text=a@b", "text=a@b"));
}
END_TEST

START_TEST(model_name_with_a_mere_at_sign_has_no_controls)
{
    ck_assert(!model_has("gpt-x", ""));
    ck_assert(!model_has("", ""));
    ck_assert(!model_has("claude@20240229", "20240229"));
    ck_assert(!model_has("@cf/meta=x", "cf/meta=x"));
    ck_assert(!model_has("m@", ""));
    ck_assert(!model_has("m@=1", "=1"));
}
END_TEST

START_TEST(last_marker_in_a_text_counts)
{
    static const char text[] = "[[sim ms=1]] then [[sim tokens=2,pace=3]] end";
    struct span whole;
    struct span controls;
    ck_assert(script_find_in_text(span_of(text), &whole, &controls));
    ck_assert(span_is(controls, "tokens=2,pace=3"));
    ck_assert(span_is(whole, "[[sim tokens=2,pace=3]]"));
    ck_assert_ptr_eq(whole.at, strstr(text, "[[sim t"));
}
END_TEST

START_TEST(marker_that_is_not_closed_is_none)
{
    struct span whole = {0};
    struct span controls = {0};
    ck_assert(!script_find_in_text(span_of("[[sim ms=1"), &whole, &controls));
    ck_assert(!script_find_in_text(span_of("[[sim ms=1]"), &whole, &controls));
    ck_assert(!script_find_in_text(span_of("sim ms=1]]"), &whole, &controls));
    ck_assert(!script_find_in_text(span_of(""), &whole, &controls));
    ck_assert_ptr_null(whole.at);
    ck_assert(script_find_in_text(span_of("[[sim ms=1]] [[sim ms=2"), &whole, &controls));
    ck_assert(span_is(controls, "ms=1"));
}
END_TEST

START_TEST(marker_beyond_the_end_of_the_span_is_not_seen)
{
    static const char text[] = "x [[sim ms=1]]";
    struct span whole;
    struct span controls;
    for (size_t len = 0; len < sizeof(text) - 1; len++)
        ck_assert(!script_find_in_text((struct span){text, len}, &whole, &controls));
    ck_assert(script_find_in_text((struct span){text, sizeof(text) - 1}, &whole, &controls));
}
END_TEST

START_TEST(help_names_every_control_once)
{
    static const char *const keys[] = {"  pace ", "  retry_after ", "  cache_write ", "  name "};
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);
    ck_assert_ptr_nonnull(out);
    script_print_help(out);
    fclose(out);
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        char *found = strstr(text, keys[i]);
        ck_assert_msg(found != NULL, "no%s", keys[i]);
        ck_assert_ptr_null(strstr(found + 1, keys[i]));
    }
    free(text);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("provider_script");
    TCase *tests = tcase_create("script");
    tcase_add_checked_fixture(tests, setup, NULL);
    tcase_add_test(tests, fresh_script_asks_for_nothing);
    tcase_add_test(tests, empty_text_changes_nothing);
    tcase_add_test(tests, counts_are_read);
    tcase_add_test(tests, every_count_goes_to_its_own_field);
    tcase_add_test(tests, every_ending_goes_to_its_own_field);
    tcase_add_test(tests, blanks_around_keys_and_values_are_dropped);
    tcase_add_test(tests, reset_at_the_head_differs_from_reset_after_no_chunk);
    tcase_add_test(tests, only_reset_knows_the_head);
    tcase_add_test(tests, never_takes_back_an_ending);
    tcase_add_test(tests, flags_stand_alone_or_have_a_value);
    tcase_add_test(tests, flag_of_two_is_refused);
    tcase_add_test(tests, count_without_a_value_is_refused);
    tcase_add_test(tests, usage_is_one_of_six_words);
    tcase_add_test(tests, numbers_that_are_none_or_out_of_range_are_refused);
    tcase_add_test(tests, unknown_key_is_refused_and_named);
    tcase_add_test(tests, text_values_are_percent_decoded);
    tcase_add_test(tests, value_may_contain_an_equals_sign);
    tcase_add_test(tests, text_of_the_largest_size_fits_and_one_more_does_not);
    tcase_add_test(tests, word_that_is_too_long_or_has_a_nul_is_refused);
    tcase_add_test(tests, later_controls_override_only_their_own_key);
    tcase_add_test(tests, span_is_not_read_past_its_end);
    tcase_add_test(tests, model_name_carries_controls_behind_the_at_sign);
    tcase_add_test(tests, model_name_with_a_mere_at_sign_has_no_controls);
    tcase_add_test(tests, last_marker_in_a_text_counts);
    tcase_add_test(tests, marker_that_is_not_closed_is_none);
    tcase_add_test(tests, marker_beyond_the_end_of_the_span_is_not_seen);
    tcase_add_test(tests, help_names_every_control_once);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
