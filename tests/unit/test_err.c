#include "base/err.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

START_TEST(every_value_has_a_row)
{
    for (int e = 0; e < ERR_COUNT; e++) {
        const struct err_info *info = err_info((enum err)e);

        ck_assert_ptr_nonnull(info->name);
        ck_assert_ptr_nonnull(info->code);
        ck_assert_ptr_nonnull(info->type);
        ck_assert_ptr_nonnull(info->text);
        ck_assert_str_eq(err_name((enum err)e), info->name);
        if (e == ERR_OK)
            continue;
        ck_assert_msg(info->http_status >= 400 && info->http_status < 600, "%s", info->name);
        ck_assert_msg(info->code[0] && info->type[0] && info->text[0], "%s", info->name);
    }
}
END_TEST

START_TEST(names_are_distinct_lower_case_words)
{
    for (int e = 0; e < ERR_COUNT; e++) {
        const char *name = err_name((enum err)e);

        ck_assert_uint_eq(strspn(name, "abcdefghijklmnopqrstuvwxyz_"), strlen(name));
        for (int other = 0; other < e; other++)
            ck_assert_str_ne(name, err_name((enum err)other));
    }
}
END_TEST

static const struct {
    enum err e;
    int status;
    const char *type, *code;
    bool may_retry;
    int retry_after_s;
} published[] = {
    {ERR_BAD_REQUEST,    400, "invalid_request_error", "bad_request",         false, 0 },
    {ERR_TOO_LARGE,      413, "invalid_request_error", "request_too_large",   false, 0 },
    {ERR_BAD_KEY,        401, "invalid_request_error", "invalid_api_key",     false, 0 },
    {ERR_FORBIDDEN,      403, "permission_error",      "permission_denied",   false, 0 },
    {ERR_NOT_FOUND,      404, "invalid_request_error", "not_found",           false, 0 },
    {ERR_METHOD,         405, "invalid_request_error", "method_not_allowed",  false, 0 },
    {ERR_NO_MODEL,       404, "invalid_request_error", "model_not_found",     false, 0 },
    {ERR_NO_FUNDS,       429, "insufficient_quota",    "insufficient_quota",  false, 30},
    {ERR_FUNDS_RESERVED, 429, "insufficient_quota",    "insufficient_quota",  true,  2 },
    {ERR_RATE,           429, "requests",              "rate_limit_exceeded", true,  1 },
    {ERR_INTERNAL,       500, "server_error",          "server_error",        true,  0 },
    {ERR_UNAVAILABLE,    503, "server_error",          "service_unavailable", true,  5 },
    {ERR_BUSY,           503, "server_error",          "service_unavailable", true,  1 },
    {ERR_NO_CHANNEL,     503, "server_error",          "service_unavailable", true,  5 },
    {ERR_UP_CONNECT,     503, "server_error",          "service_unavailable", true,  5 },
    {ERR_UP_TIMEOUT,     504, "server_error",          "service_unavailable", true,  0 },
    {ERR_UP_RESET,       503, "server_error",          "service_unavailable", true,  5 },
    {ERR_UP_STATUS,      503, "server_error",          "service_unavailable", true,  5 },
    {ERR_UP_RATE,        429, "requests",              "rate_limit_exceeded", true,  5 },
    {ERR_UP_AUTH,        503, "server_error",          "service_unavailable", true,  5 },
    {ERR_UP_REJECTED,    400, "invalid_request_error", "bad_request",         false, 0 },
    {ERR_UP_MALFORMED,   503, "server_error",          "service_unavailable", true,  5 },
};

START_TEST(published_words_are_in_the_table)
{
    const struct err_info *info = err_info(published[_i].e);

    ck_assert_int_eq(info->http_status, published[_i].status);
    ck_assert_str_eq(info->type, published[_i].type);
    ck_assert_str_eq(info->code, published[_i].code);
    ck_assert_int_eq(info->may_retry, published[_i].may_retry);
    ck_assert_int_eq(info->retry_after_s, published[_i].retry_after_s);
}
END_TEST

START_TEST(only_a_failure_of_a_provider_goes_elsewhere)
{
    for (int e = 0; e < ERR_COUNT; e++) {
        bool expected = e == ERR_UP_CONNECT || e == ERR_UP_TIMEOUT || e == ERR_UP_RESET ||
                        e == ERR_UP_STATUS || e == ERR_UP_RATE || e == ERR_UP_AUTH ||
                        e == ERR_UP_MALFORMED || e == ERR_UP_CUT || e == ERR_UP_FAILED;

        ck_assert_msg(err_info((enum err)e)->try_elsewhere == expected, "%s",
                      err_name((enum err)e));
    }
}
END_TEST

START_TEST(the_breaker_counts_every_failure_of_a_channel_and_no_other)
{
    for (int e = 0; e < ERR_COUNT; e++) {
        bool expected = e >= ERR_UP_CONNECT && e <= ERR_UP_FAILED && e != ERR_UP_REJECTED &&
                        e != ERR_UP_CONTEXT;

        ck_assert_msg(err_info((enum err)e)->breaker_counts == expected, "%s",
                      err_name((enum err)e));
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("err");
    TCase *cases = tcase_create("err");
    SRunner *runner = srunner_create(suite);
    int failed;

    suite_add_tcase(suite, cases);
    tcase_add_test(cases, every_value_has_a_row);
    tcase_add_test(cases, names_are_distinct_lower_case_words);
    tcase_add_loop_test(cases, published_words_are_in_the_table, 0,
                        (int)(sizeof(published) / sizeof(published[0])));
    tcase_add_test(cases, only_a_failure_of_a_provider_goes_elsewhere);
    tcase_add_test(cases, the_breaker_counts_every_failure_of_a_channel_and_no_other);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
