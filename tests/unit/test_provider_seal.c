#include "tests/provider/seal.h"

#include <check.h>

static struct bytes sealed;

static struct span made(enum seal_kind kind, const char *model, const char *text)
{
    sealed.len = 0;
    seal_put(kind, span_of(model), span_of(text), &sealed);
    return (struct span){sealed.data, sealed.len};
}

static enum seal_verdict judge(struct span seal, enum seal_kind kind, const char *model,
                               const char *text)
{
    return seal_check(seal, kind, span_of(model), span_of(text));
}

static void setup(void)
{
    seal_set_organisation("demo");
}

static void teardown(void)
{
    bytes_clear(&sealed);
}

START_TEST(own_seal_fits)
{
    ck_assert_int_eq(judge(made(SEAL_THINKING, "m", "a"), SEAL_THINKING, "m", "a"), SEAL_FITS);
}
END_TEST

START_TEST(controls_in_the_model_do_not_count)
{
    struct span seal = made(SEAL_REASONING, "m@think=2", "");
    ck_assert_int_eq(judge(seal, SEAL_REASONING, "m@tool=1", ""), SEAL_FITS);
}
END_TEST

START_TEST(changed_text_and_other_model_are_told_apart)
{
    struct span seal = made(SEAL_CALL, "m", "f");
    ck_assert_int_eq(judge(seal, SEAL_CALL, "m", "g"), SEAL_OTHER_TEXT);
    ck_assert_int_eq(judge(seal, SEAL_CALL, "n", "f"), SEAL_OTHER_MODEL);
}
END_TEST

START_TEST(seal_of_another_kind_or_organisation_is_foreign)
{
    struct span seal = made(SEAL_CALL, "m", "f");
    ck_assert_int_eq(judge(seal, SEAL_TEXT, "m", "f"), SEAL_FOREIGN);
    seal_set_organisation("other");
    ck_assert_int_eq(judge(seal, SEAL_CALL, "m", "f"), SEAL_FOREIGN);
}
END_TEST

START_TEST(any_changed_character_makes_a_seal_foreign_or_unfit)
{
    struct span seal = made(SEAL_THINKING, "m", "a");
    for (size_t i = 0; i + 1 < seal.len; i++) {
        char before = sealed.data[i];
        sealed.data[i] = before == 'A' ? 'B' : 'A';
        ck_assert_int_ne(judge(seal, SEAL_THINKING, "m", "a"), SEAL_FITS);
        sealed.data[i] = before;
    }
    ck_assert_int_eq(judge(seal, SEAL_THINKING, "m", "a"), SEAL_FITS);
}
END_TEST

START_TEST(what_is_no_seal_is_foreign)
{
    ck_assert_int_eq(judge(span_of(""), SEAL_TEXT, "m", ""), SEAL_FOREIGN);
    ck_assert_int_eq(judge(span_of("bWFkZSB1cA=="), SEAL_TEXT, "m", ""), SEAL_FOREIGN);
    ck_assert_int_eq(judge(span_of("!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!"),
                           SEAL_TEXT, "m", ""),
                     SEAL_FOREIGN);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("provider_seal");
    TCase *tests = tcase_create("seal");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, own_seal_fits);
    tcase_add_test(tests, controls_in_the_model_do_not_count);
    tcase_add_test(tests, changed_text_and_other_model_are_told_apart);
    tcase_add_test(tests, seal_of_another_kind_or_organisation_is_foreign);
    tcase_add_test(tests, any_changed_character_makes_a_seal_foreign_or_unfit);
    tcase_add_test(tests, what_is_no_seal_is_foreign);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
