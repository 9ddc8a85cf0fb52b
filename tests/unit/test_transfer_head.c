#include "upstream/transfer_head.h"

#include "tests/unit/format_suite.h"

#include <string.h>

START_TEST(retry_after_is_read_as_seconds_or_as_a_date)
{
    const int64_t now_s = 1445412470; /* Wed, 21 Oct 2015 07:27:50 GMT */

    ck_assert_int_eq(head_retry_after_ms(SLICE("0"), now_s), 0);
    ck_assert_int_eq(head_retry_after_ms(SLICE("30"), now_s), 30000);
    ck_assert_int_eq(head_retry_after_ms(SLICE("1.5"), now_s), 1500);
    ck_assert_int_eq(head_retry_after_ms(SLICE("Wed, 21 Oct 2015 07:28:00 GMT"), now_s), 10000);
    ck_assert_int_eq(head_retry_after_ms(SLICE("Wed, 21 Oct 2015 07:27:00 GMT"), now_s), 0);
    ck_assert_int_eq(head_retry_after_ms(SLICE("99999999999999999999"), now_s), INT64_C(604800000));
    ck_assert_int_eq(head_retry_after_ms(SLICE("Wed, 21 Oct 2099 07:28:00 GMT"), now_s),
                     INT64_C(604800000));
    ck_assert_int_eq(head_retry_after_ms(SLICE(""), now_s), -1);
    ck_assert_int_eq(head_retry_after_ms(SLICE("-5"), now_s), -1);
    ck_assert_int_eq(head_retry_after_ms(SLICE("soon"), now_s), -1);
    ck_assert_int_eq(head_retry_after_ms(SLICE("1.5.1"), now_s), -1);
}
END_TEST

START_TEST(reset_times_of_limits_are_read)
{
    static const int64_t now_ms = INT64_C(1795361959000); /* 2026-11-22T15:39:19Z */

    ck_assert_int_eq(head_reset_ms(SLICE("1s"), now_ms), 1000);
    ck_assert_int_eq(head_reset_ms(SLICE("6m0s"), now_ms), 360000);
    ck_assert_int_eq(head_reset_ms(SLICE("1h2m3.5s"), now_ms), 3723500);
    ck_assert_int_eq(head_reset_ms(SLICE("20ms"), now_ms), 20);
    ck_assert_int_eq(head_reset_ms(SLICE("2.5"), now_ms), 2500);
    ck_assert_int_eq(head_reset_ms(SLICE("9000000d"), now_ms), INT64_C(604800000));
    ck_assert_int_eq(head_reset_ms(SLICE("2026-11-22T15:39:29Z"), now_ms), 10000);
    ck_assert_int_eq(head_reset_ms(SLICE("2026-11-22T15:39:29.123+00:00"), now_ms), 10000);
    ck_assert_int_eq(head_reset_ms(SLICE("2026-11-22T15:00:00Z"), now_ms), 0);
    ck_assert_int_eq(head_reset_ms(SLICE(""), now_ms), -1);
    ck_assert_int_eq(head_reset_ms(SLICE("soon"), now_ms), -1);
    ck_assert_int_eq(head_reset_ms(SLICE("5x"), now_ms), -1);
    ck_assert_int_eq(head_reset_ms(SLICE("s"), now_ms), -1);
    ck_assert_int_eq(head_reset_ms(SLICE("2026-11-22T15:39:29+02:00"), now_ms), -1);
}
END_TEST

static int64_t reset_of(const char *const *lines)
{
    struct transfer_head head;
    struct head_reader h;

    head_init(&h);
    ck_assert_int_eq(head_add(&h, SLICE("HTTP/1.1 429 No\r\n"), &head), ERR_OK);
    for (; *lines; lines++)
        ck_assert_int_eq(head_add(&h, slice_of(*lines), &head), ERR_OK);
    ck_assert_int_eq(head_add(&h, SLICE("\r\n"), &head), ERR_END);
    return head.reset_ms;
}

START_TEST(the_last_limit_that_is_used_up_counts)
{
    static const char *const one[] = {
        "x-ratelimit-reset-requests: 9s\r\n", "x-ratelimit-remaining-requests: 3\r\n",
        "X-RateLimit-Remaining-Tokens: 0\r\n", "x-ratelimit-reset-tokens: 2s\r\n", NULL};
    static const char *const both[] = {"anthropic-ratelimit-requests-remaining: 0\r\n",
                                       "anthropic-ratelimit-requests-reset: 3s\r\n",
                                       "anthropic-ratelimit-output-tokens-remaining: 0\r\n",
                                       "anthropic-ratelimit-output-tokens-reset: 7s\r\n", NULL};
    static const char *const none[] = {"x-ratelimit-reset-requests: 9s\r\n",
                                       "x-ratelimit-limit-requests: 0\r\n", NULL};

    ck_assert_int_eq(reset_of(one), 2000);
    ck_assert_int_eq(reset_of(both), 7000);
    ck_assert_int_eq(reset_of(none), -1);
}
END_TEST

START_TEST(head_values_are_cut_and_those_with_control_characters_left_out)
{
    char longest[400] = "X-Request-Id: ";
    struct transfer_head head;
    struct head_reader h;

    memset(longest + strlen(longest), 'y', 300);
    head_init(&h);
    ck_assert_int_eq(head_add(&h, SLICE("HTTP/1.1 503 No\r\n"), &head), ERR_OK);
    ck_assert_int_eq(head_add(&h,
                              SLICE("Content-Type: a\x01"
                                    "b\r\n"),
                              &head),
                     ERR_OK);
    ck_assert_int_eq(head_add(&h, slice_of(longest), &head), ERR_OK);
    ck_assert_int_eq(head_add(&h, SLICE("Retry-After: 9\r\n"), &head), ERR_OK);
    ck_assert_int_eq(head_add(&h, SLICE("retry-after-ms: 250.5\r\n"), &head), ERR_OK);
    ck_assert_int_eq(head_add(&h, SLICE("no colon\r\n"), &head), ERR_OK);
    ck_assert_int_eq(head_add(&h, SLICE("\r\n"), &head), ERR_END);
    ck_assert_int_eq(head.status, 503);
    ck_assert_uint_eq(head.content_type.n, 0);
    ck_assert_uint_eq(head.request_id.n, HEAD_VALUE_MAX - 1);
    ck_assert_int_eq(head.retry_after_ms, 250);
    ck_assert_int_eq(head_add(&h, SLICE("X-Request-Id: trailer\r\n"), &head), ERR_OK);
    ck_assert_int_eq(head_add(&h, SLICE("\r\n"), &head), ERR_OK);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("transfer_head");
    TCase *t = tcase_create("all");

    suite_add_tcase(s, t);
    tcase_add_test(t, retry_after_is_read_as_seconds_or_as_a_date);
    tcase_add_test(t, reset_times_of_limits_are_read);
    tcase_add_test(t, the_last_limit_that_is_used_up_counts);
    tcase_add_test(t, head_values_are_cut_and_those_with_control_characters_left_out);
    return suite_run(s);
}
