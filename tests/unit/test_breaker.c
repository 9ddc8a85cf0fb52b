#include "upstream/breaker.h"

#include <check.h>
#include <stdlib.h>

#define OPEN_MS     10000
#define OPEN_MAX_MS 60000

static const struct breaker_settings usual = {.failures = 3,
                                              .rate_percent = 50,
                                              .rate_min = 10,
                                              .window_ms = 30000,
                                              .open_ms = OPEN_MS,
                                              .open_max_ms = OPEN_MAX_MS};
static struct breaker_set *set;
static int64_t now_ms;
static const struct breaker_place here = {1, 11, 111};
static const struct breaker_place other_model = {1, 11, 222};
static const struct breaker_place other_key = {1, 12, 111};
static const struct breaker_place other_channel = {2, 21, 111};

static void setup(void)
{
    now_ms = 1000000;
    set = breaker_new(&usual);
    ck_assert_ptr_nonnull(set);
}

static void teardown(void)
{
    breaker_free(set);
}

static int64_t wait_at(const struct breaker_place *p)
{
    return breaker_wait_ms(set, p, now_ms);
}

/* One request; it must be let in. */
static void ask_with(const struct breaker_place *p, enum breaker_outcome outcome,
                     enum breaker_scope scope, int64_t wait_ms)
{
    bool is_probe[BREAKER_SCOPES];
    struct breaker_report r = {outcome, scope, wait_ms};
    ck_assert_int_eq(wait_at(p), 0);
    ck_assert(breaker_enter(set, p, now_ms, is_probe));
    breaker_leave(set, p, now_ms, is_probe, &r);
}

static void ask(const struct breaker_place *p, enum breaker_outcome outcome)
{
    ask_with(p, outcome, BREAKER_MODEL, -1);
}

static void fail_until_open(const struct breaker_place *p, enum breaker_scope scope)
{
    for (int i = 0; i < usual.failures; i++)
        ask_with(p, BREAKER_FAILED, scope, -1);
    ck_assert_int_eq(wait_at(p), OPEN_MS);
}

START_TEST(failures_in_a_row_open_it_for_a_while)
{
    ask(&here, BREAKER_FAILED);
    ask(&here, BREAKER_FAILED);
    ask(&here, BREAKER_ANSWERED);
    fail_until_open(&here, BREAKER_MODEL);
    now_ms += OPEN_MS - 1;
    ck_assert_int_eq(wait_at(&here), 1);
    bool is_probe[BREAKER_SCOPES];
    ck_assert(!breaker_enter(set, &here, now_ms, is_probe));
    now_ms++;
    ck_assert_int_eq(wait_at(&here), 0);
}
END_TEST

START_TEST(a_failure_speaks_against_its_scope_only)
{
    fail_until_open(&here, BREAKER_MODEL);
    ck_assert_int_eq(wait_at(&other_model), 0);
    ck_assert_int_eq(wait_at(&other_key), OPEN_MS);
    ck_assert_int_eq(wait_at(&other_channel), 0);
    teardown();
    setup();
    fail_until_open(&here, BREAKER_CHANNEL);
    ck_assert_int_eq(wait_at(&other_model), OPEN_MS);
    ck_assert_int_eq(wait_at(&other_key), OPEN_MS);
    ck_assert_int_eq(wait_at(&other_channel), 0);
    teardown();
    setup();
    fail_until_open(&here, BREAKER_KEY);
    ck_assert_int_eq(wait_at(&other_model), OPEN_MS);
    ck_assert_int_eq(wait_at(&other_key), 0);
    teardown();
    setup();
    fail_until_open(&here, BREAKER_KEY_MODEL);
    ck_assert_int_eq(wait_at(&other_model), 0);
    ck_assert_int_eq(wait_at(&other_key), 0);
}
END_TEST

START_TEST(half_open_lets_one_request_through)
{
    bool is_probe[BREAKER_SCOPES], second[BREAKER_SCOPES];
    struct breaker_report good = {BREAKER_ANSWERED, BREAKER_MODEL, -1};
    fail_until_open(&here, BREAKER_MODEL);
    now_ms += OPEN_MS;
    ck_assert(breaker_enter(set, &here, now_ms, is_probe));
    ck_assert(is_probe[BREAKER_MODEL] && !is_probe[BREAKER_KEY]);
    ck_assert_int_gt(wait_at(&here), 0);
    ck_assert(!breaker_enter(set, &here, now_ms, second));
    breaker_leave(set, &here, now_ms, is_probe, &good);
    ck_assert_int_eq(wait_at(&here), 0);
    ck_assert(breaker_enter(set, &here, now_ms, second));
    ck_assert(!second[BREAKER_MODEL]);
}
END_TEST

START_TEST(a_half_open_request_that_takes_long_keeps_no_other_from_trying)
{
    bool is_probe[BREAKER_SCOPES];
    fail_until_open(&here, BREAKER_MODEL);
    now_ms += OPEN_MS;
    ck_assert(breaker_enter(set, &here, now_ms, is_probe));
    now_ms += OPEN_MS - 1;
    ck_assert_int_gt(wait_at(&here), 0);
    now_ms++;
    ck_assert_int_eq(wait_at(&here), 0);
}
END_TEST

START_TEST(pauses_double_up_to_the_largest_and_start_anew_when_it_works)
{
    static const int64_t pauses[] = {20000, 40000, OPEN_MAX_MS, OPEN_MAX_MS};
    fail_until_open(&here, BREAKER_MODEL);
    now_ms += OPEN_MS;
    for (size_t i = 0; i < sizeof(pauses) / sizeof(pauses[0]); i++) {
        ask(&here, BREAKER_FAILED);
        ck_assert_int_eq(wait_at(&here), pauses[i]);
        now_ms += pauses[i];
    }
    ask(&here, BREAKER_ANSWERED);
    fail_until_open(&here, BREAKER_MODEL);
}
END_TEST

START_TEST(nothing_learnt_leaves_it_half_open)
{
    fail_until_open(&here, BREAKER_MODEL);
    now_ms += OPEN_MS;
    ask(&here, BREAKER_UNKNOWN);
    bool is_probe[BREAKER_SCOPES];
    ck_assert(breaker_enter(set, &here, now_ms, is_probe));
    ck_assert(is_probe[BREAKER_MODEL]);
}
END_TEST

START_TEST(the_share_of_failures_opens_it_too)
{
    for (int i = 0; i < 5; i++) {
        ask(&here, BREAKER_ANSWERED);
        ck_assert_int_eq(wait_at(&here), 0);
        ask(&here, BREAKER_FAILED);
    }
    ck_assert_int_eq(wait_at(&here), OPEN_MS);
}
END_TEST

START_TEST(failures_of_long_ago_do_not_count)
{
    for (int i = 0; i < 4; i++) {
        ask(&here, BREAKER_ANSWERED);
        ask(&here, BREAKER_FAILED);
    }
    now_ms += 2 * usual.window_ms;
    for (int i = 0; i < 4; i++) {
        ask(&here, BREAKER_ANSWERED);
        ask(&here, BREAKER_FAILED);
    }
    ck_assert_int_eq(wait_at(&here), 0);
}
END_TEST

START_TEST(a_providers_own_time_is_kept_and_bounded)
{
    ask_with(&here, BREAKER_LIMITED, BREAKER_KEY_MODEL, 2000);
    ck_assert_int_eq(wait_at(&here), 2000);
    ck_assert_int_eq(wait_at(&other_key), 0);
    now_ms += 2000;
    /* over: nobody has to try first */
    bool one[BREAKER_SCOPES], two[BREAKER_SCOPES];
    ck_assert(breaker_enter(set, &here, now_ms, one));
    ck_assert(breaker_enter(set, &here, now_ms, two));
    ck_assert(!one[BREAKER_KEY_MODEL] && !two[BREAKER_KEY_MODEL]);
    struct breaker_report week = {BREAKER_LIMITED, BREAKER_KEY_MODEL, INT64_C(604800000)};
    breaker_leave(set, &here, now_ms, one, &week);
    ck_assert_int_eq(wait_at(&here), OPEN_MAX_MS);
}
END_TEST

START_TEST(a_limit_without_a_time_counts_as_a_failure)
{
    ask_with(&here, BREAKER_LIMITED, BREAKER_KEY_MODEL, -1);
    ask_with(&here, BREAKER_LIMITED, BREAKER_KEY_MODEL, -1);
    ck_assert_int_eq(wait_at(&here), 0);
    ask_with(&here, BREAKER_LIMITED, BREAKER_KEY_MODEL, -1);
    ck_assert_int_eq(wait_at(&here), OPEN_MS);
}
END_TEST

START_TEST(one_refusal_of_a_credential_opens_it)
{
    ask_with(&here, BREAKER_REFUSED, BREAKER_KEY, -1);
    ck_assert_int_eq(wait_at(&here), OPEN_MS);
    ck_assert_int_eq(wait_at(&other_model), OPEN_MS);
    ck_assert_int_eq(wait_at(&other_key), 0);
}
END_TEST

START_TEST(an_answer_to_an_earlier_request_does_not_close_it)
{
    bool early[BREAKER_SCOPES];
    struct breaker_report good = {BREAKER_ANSWERED, BREAKER_MODEL, -1};
    ck_assert(breaker_enter(set, &here, now_ms, early));
    fail_until_open(&here, BREAKER_MODEL);
    breaker_leave(set, &here, now_ms, early, &good);
    ck_assert_int_eq(wait_at(&here), OPEN_MS);
}
END_TEST

START_TEST(three_models_that_are_forbidden_speak_against_the_key)
{
    struct breaker_place p = here;
    ck_assert_int_eq(breaker_forbidden(set, &p, now_ms), 1);
    ck_assert_int_eq(breaker_forbidden(set, &p, now_ms), 1);
    p.model_id = 112;
    ck_assert_int_eq(breaker_forbidden(set, &p, now_ms), 2);
    p.model_id = 113;
    ck_assert_int_eq(breaker_forbidden(set, &p, now_ms), 3);
    p.model_id = 114;
    ck_assert_int_eq(breaker_forbidden(set, &p, now_ms), 3);
    ck_assert_int_eq(breaker_forbidden(set, &other_key, now_ms), 1);
    ask(&other_model, BREAKER_ANSWERED); /* with the same key */
    ck_assert_int_eq(breaker_forbidden(set, &here, now_ms), 1);
}
END_TEST

START_TEST(zero_failures_switch_it_off)
{
    struct breaker_settings off = usual;
    off.failures = 0;
    breaker_free(set);
    set = breaker_new(&off);
    for (int i = 0; i < 50; i++)
        ask(&here, BREAKER_FAILED);
    ask_with(&here, BREAKER_LIMITED, BREAKER_KEY_MODEL, 5000);
    ask_with(&here, BREAKER_REFUSED, BREAKER_KEY, -1);
    ck_assert_int_eq(wait_at(&here), 0);
}
END_TEST

START_TEST(more_places_than_it_holds_are_forgotten_and_work)
{
    struct breaker_place p = here;
    for (p.model_id = 1; p.model_id < 10000; p.model_id++)
        ask(&p, BREAKER_FAILED);
    fail_until_open(&other_channel, BREAKER_MODEL);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("breaker");
    TCase *t = tcase_create("breaker");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, failures_in_a_row_open_it_for_a_while);
    tcase_add_test(t, a_failure_speaks_against_its_scope_only);
    tcase_add_test(t, half_open_lets_one_request_through);
    tcase_add_test(t, a_half_open_request_that_takes_long_keeps_no_other_from_trying);
    tcase_add_test(t, pauses_double_up_to_the_largest_and_start_anew_when_it_works);
    tcase_add_test(t, nothing_learnt_leaves_it_half_open);
    tcase_add_test(t, the_share_of_failures_opens_it_too);
    tcase_add_test(t, failures_of_long_ago_do_not_count);
    tcase_add_test(t, a_providers_own_time_is_kept_and_bounded);
    tcase_add_test(t, a_limit_without_a_time_counts_as_a_failure);
    tcase_add_test(t, one_refusal_of_a_credential_opens_it);
    tcase_add_test(t, an_answer_to_an_earlier_request_does_not_close_it);
    tcase_add_test(t, three_models_that_are_forbidden_speak_against_the_key);
    tcase_add_test(t, zero_failures_switch_it_off);
    tcase_add_test(t, more_places_than_it_holds_are_forgotten_and_work);
    suite_add_tcase(s, t);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
