#include "db/address_range.h"

#include <check.h>
#include <stdlib.h>

static bool has(const char *range, const char *address)
{
    struct address_range r;
    ck_assert_msg(address_range_parse(slice_of(range), &r) == ERR_OK, "%s", range);
    return address_range_has(&r, slice_of(address));
}

START_TEST(one_address_is_a_range_of_itself)
{
    ck_assert(has("203.0.113.7", "203.0.113.7"));
    ck_assert(!has("203.0.113.7", "203.0.113.6"));
    ck_assert(has("2001:db8::1", "2001:DB8:0:0::1"));
    ck_assert(!has("2001:db8::1", "2001:db8::2"));
}
END_TEST

START_TEST(a_prefix_counts_bits)
{
    ck_assert(has("203.0.113.0/24", "203.0.113.255"));
    ck_assert(!has("203.0.113.0/24", "203.0.114.0"));
    ck_assert(has("203.0.113.9/24", "203.0.113.1"));
    ck_assert(has("10.64.0.0/10", "10.127.255.255"));
    ck_assert(!has("10.64.0.0/10", "10.128.0.0"));
    ck_assert(has("192.0.2.1/32", "192.0.2.1"));
    ck_assert(has("0.0.0.0/0", "8.8.8.8"));
    ck_assert(has("2001:db8::/33", "2001:db8:7fff::1"));
    ck_assert(!has("2001:db8::/33", "2001:db8:8000::1"));
    ck_assert(has("::/0", "2001:db8::1"));
}
END_TEST

START_TEST(ipv4_inside_ipv6_is_ipv4_and_no_other_ipv6_is)
{
    ck_assert(has("203.0.113.0/24", "::ffff:203.0.113.5"));
    ck_assert(has("::ffff:203.0.113.0/120", "203.0.113.5"));
    ck_assert(!has("0.0.0.0/0", "2001:db8::1"));
    ck_assert(!has("2001:db8::/32", "203.0.113.5"));
}
END_TEST

START_TEST(what_is_no_range_does_not_parse)
{
    static const char *const bad[] = {"",          "here",       "1.2.3",      "1.2.3.4/",
                                      "1.2.3.4/x", "1.2.3.4/33", "1.2.3.4/-1", "::/129",
                                      "/24",       "1.2.3.4:80", "1.2.3.4 ",   "fe80::1%eth0"};
    struct address_range r;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        ck_assert_msg(address_range_parse(slice_of(bad[i]), &r) == ERR_FORMAT, "%s", bad[i]);
}
END_TEST

START_TEST(what_is_no_address_is_in_no_range)
{
    ck_assert(!has("0.0.0.0/0", ""));
    ck_assert(!has("::/0", "localhost"));
    ck_assert(!has("::/0", "1.2.3.4:80"));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("address_range");
    TCase *tc = tcase_create("address_range");
    suite_add_tcase(suite, tc);
    tcase_add_test(tc, one_address_is_a_range_of_itself);
    tcase_add_test(tc, a_prefix_counts_bits);
    tcase_add_test(tc, ipv4_inside_ipv6_is_ipv4_and_no_other_ipv6_is);
    tcase_add_test(tc, what_is_no_range_does_not_parse);
    tcase_add_test(tc, what_is_no_address_is_in_no_range);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
