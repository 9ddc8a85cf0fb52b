#include "upstream/address.h"

#include <arpa/inet.h>
#include <check.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

static bool is_public(const char *text)
{
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6};
    struct sockaddr_in in = {.sin_family = AF_INET};
    if (inet_pton(AF_INET, text, &in.sin_addr) == 1)
        return address_is_public((const struct sockaddr *)&in, sizeof(in));
    ck_assert_int_eq(inet_pton(AF_INET6, text, &in6.sin6_addr), 1);
    return address_is_public((const struct sockaddr *)&in6, sizeof(in6));
}

START_TEST(addresses_of_the_internet_are_public)
{
    static const char *const texts[] = {"1.1.1.1",         "8.8.8.8",          "9.255.255.255",
                                        "11.0.0.0",        "100.63.255.255",   "100.128.0.0",
                                        "126.255.255.255", "128.0.0.1",        "172.15.255.255",
                                        "172.32.0.0",      "192.167.1.1",      "192.169.0.1",
                                        "198.17.255.255",  "198.20.0.0",       "223.255.255.255",
                                        "2606:4700::1",    "2a00:1450::200e",  "2001:4860::8888",
                                        "::ffff:8.8.8.8",  "64:ff9b::808:808", "2002:808:808::1"};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        ck_assert_msg(is_public(texts[i]), "%s is public", texts[i]);
}
END_TEST

START_TEST(all_others_are_not)
{
    static const char *const texts[] = {"0.0.0.0",
                                        "0.1.2.3",
                                        "10.0.0.1",
                                        "10.255.255.255",
                                        "100.64.0.1",
                                        "100.127.255.255",
                                        "127.0.0.1",
                                        "127.255.255.255",
                                        "169.254.169.254",
                                        "172.16.0.1",
                                        "172.31.255.255",
                                        "192.0.0.1",
                                        "192.0.2.1",
                                        "192.88.99.1",
                                        "192.168.1.1",
                                        "198.18.0.1",
                                        "198.19.255.255",
                                        "198.51.100.7",
                                        "203.0.113.9",
                                        "224.0.0.1",
                                        "240.0.0.1",
                                        "255.255.255.255",
                                        "::",
                                        "::1",
                                        "::127.0.0.1",
                                        "::ffff:10.0.0.1",
                                        "::ffff:127.0.0.1",
                                        "64:ff9b::a00:1",
                                        "64:ff9b:1::1",
                                        "100::1",
                                        "fc00::1",
                                        "fd12:3456::1",
                                        "fe80::1",
                                        "fec0::1",
                                        "ff02::1",
                                        "2001::1",
                                        "2001:db8::1",
                                        "2002:7f00:1::",
                                        "2002:c0a8:101::",
                                        "3fff::1",
                                        "4000::1"};
    struct sockaddr unix_socket = {.sa_family = AF_UNIX};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        ck_assert_msg(!is_public(texts[i]), "%s is not public", texts[i]);
    ck_assert(!address_is_public(&unix_socket, sizeof(unix_socket)));
}
END_TEST

START_TEST(an_address_that_is_cut_is_not_public)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(0x08080808)};
    ck_assert(address_is_public((const struct sockaddr *)&in, sizeof(in)));
    ck_assert(!address_is_public((const struct sockaddr *)&in, sizeof(in) - 1));
}
END_TEST

int main(void)
{
    Suite *s = suite_create("address");
    TCase *t = tcase_create("address");
    tcase_add_test(t, addresses_of_the_internet_are_public);
    tcase_add_test(t, all_others_are_not);
    tcase_add_test(t, an_address_that_is_cut_is_not_public);
    suite_add_tcase(s, t);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
