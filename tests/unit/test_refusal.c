#include "handlers/refusal.h"

#include <check.h>
#include <stdlib.h>

static const struct catalog_channel plain;

static enum err error_of(int status, const char *body)
{
    return refusal_error(&plain, status, slice_of(body));
}

START_TEST(statuses_say_whose_fault_it_is)
{
    static const int rejected[] = {400, 404, 405, 410, 413, 415, 422},
                     retried[] = {408, 409, 500, 502, 503, 504, 529, 301};
    for (size_t i = 0; i < sizeof(rejected) / sizeof(rejected[0]); i++)
        ck_assert_int_eq(error_of(rejected[i], "{}"), ERR_UP_REJECTED);
    for (size_t i = 0; i < sizeof(retried) / sizeof(retried[0]); i++)
        ck_assert_int_eq(error_of(retried[i], ""), ERR_UP_STATUS);
    for (int status = 401; status <= 403; status++)
        ck_assert_int_eq(error_of(status, ""), ERR_UP_AUTH);
    ck_assert_int_eq(error_of(429, "{}"), ERR_UP_RATE);
}
END_TEST

START_TEST(words_tell_a_credential_from_the_request)
{
    ck_assert_int_eq(error_of(400, "{\"error\":{\"details\":[{\"reason\":\"API_KEY_INVALID\"}]}}"),
                     ERR_UP_AUTH);
    ck_assert_int_eq(error_of(400, "{\"error\":{\"message\":\"Your credit balance is too low to "
                                   "access the API.\"}}"),
                     ERR_UP_AUTH);
    ck_assert_int_eq(error_of(429, "{\"error\":{\"code\":\"insufficient_quota\"}}"), ERR_UP_AUTH);
    ck_assert_int_eq(error_of(422, "API_KEY_INVALID"), ERR_UP_REJECTED);
}
END_TEST

START_TEST(rows_of_the_channel_count_first)
{
    static const struct catalog_status rows[] = {
        {400, MEANING_RETRY },
        {429, MEANING_KEY   },
        {498, MEANING_LIMIT },
        {503, MEANING_REJECT}
    };
    struct catalog_channel c = {.statuses = rows, .statuses_n = 4};
    ck_assert_int_eq(refusal_error(&c, 400, SLICE("")), ERR_UP_STATUS);
    ck_assert_int_eq(refusal_error(&c, 429, SLICE("")), ERR_UP_AUTH);
    ck_assert_int_eq(refusal_error(&c, 498, SLICE("")), ERR_UP_RATE);
    ck_assert_int_eq(refusal_error(&c, 503, SLICE("")), ERR_UP_REJECTED);
    ck_assert_int_eq(refusal_error(&c, 500, SLICE("")), ERR_UP_STATUS);
}
END_TEST

START_TEST(a_retry_info_says_when)
{
    ck_assert_int_eq(refusal_retry_ms(SLICE("{\"retryDelay\": \"12s\"}")), 12000);
    ck_assert_int_eq(refusal_retry_ms(SLICE("{\"retryDelay\":\"0.5s\"}")), 500);
    ck_assert_int_eq(refusal_retry_ms(SLICE("{\"retryDelay\":7}")), -1);
    ck_assert_int_eq(refusal_retry_ms(SLICE("{\"retryDelay\":\"")), -1);
    ck_assert_int_eq(refusal_retry_ms(SLICE("\"retryDelay\"")), -1);
    ck_assert_int_eq(refusal_retry_ms(SLICE("{}")), -1);
    ck_assert_int_eq(refusal_retry_ms((struct slice){NULL, 0}), -1);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("refusal");
    TCase *t = tcase_create("refusal");
    tcase_add_test(t, statuses_say_whose_fault_it_is);
    tcase_add_test(t, words_tell_a_credential_from_the_request);
    tcase_add_test(t, rows_of_the_channel_count_first);
    tcase_add_test(t, a_retry_info_says_when);
    suite_add_tcase(s, t);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
