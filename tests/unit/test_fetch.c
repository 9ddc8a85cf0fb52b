#include "upstream/fetch.h"

#include "tests/unit/raw_server.h"
#include "tests/unit/temp_dir.h"

#include <arpa/inet.h>
#include <check.h>
#include <curl/curl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define ARENA_MAX ((size_t)1 << 22)
#define BYTES_MAX 1000
#define OK_HEAD   "HTTP/1.1 200 OK\r\n"

static struct arena *arena;
static struct raw_server *server;
static struct fetcher *fetcher;
static struct canon canon;
static struct plan plan;
static struct fault fault;
static char dir[256], ca_file[300];
static _Atomic int asked; /* requests that arrived */

/* ---- addresses ---- */

static bool is_public(const char *text)
{
    struct in_addr v4;
    struct in6_addr v6;

    if (inet_pton(AF_INET, text, &v4) == 1)
        return fetch_is_public_ip4(v4);
    ck_assert_msg(inet_pton(AF_INET6, text, &v6) == 1, "%s is no address", text);
    return fetch_is_public_ip6(&v6);
}

static const char *const inside[] = {
    "0.0.0.0",
    "0.255.255.255",
    "10.0.0.0",
    "10.255.255.255",
    "100.64.0.0",
    "100.127.255.255",
    "127.0.0.0",
    "127.0.0.1",
    "127.255.255.255",
    "169.254.0.0",
    "169.254.169.254",
    "169.254.255.255",
    "172.16.0.0",
    "172.31.255.255",
    "192.0.0.0",
    "192.0.0.170",
    "192.0.0.255",
    "192.0.2.1",
    "192.31.196.1",
    "192.52.193.1",
    "192.88.99.1",
    "192.168.0.0",
    "192.168.255.255",
    "192.175.48.1",
    "198.18.0.0",
    "198.19.255.255",
    "198.51.100.1",
    "203.0.113.255",
    "224.0.0.1",
    "239.255.255.255",
    "240.0.0.0",
    "255.255.255.255",
    "::",
    "::1",
    "::127.0.0.1",
    "::8.8.8.8",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "::ffff:8.8.8.8",
    "::ffff:0:8.8.8.8",
    "64:ff9b::a00:1",
    "64:ff9b::808:808",
    "64:ff9b:1::1",
    "100::1",
    "1fff:ffff::1",
    "2001::1",
    "2001:10::1",
    "2001:1ff:ffff::1",
    "2001:db8::1",
    "2001:db8:ffff:ffff::1",
    "2002::1",
    "2002:7f00:1::1",
    "2002:ffff::1",
    "2620:4f:8000::1",
    "3fff::1",
    "3fff:fff:ffff::1",
    "4000::1",
    "5f00::1",
    "fc00::1",
    "fdff:ffff::1",
    "fe80::1",
    "febf:ffff::1",
    "fec0::1",
    "ff02::1",
    "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
};

static const char *const outside[] = {
    "1.0.0.0",         "1.1.1.1",         "8.8.8.8",        "9.255.255.255",
    "11.0.0.0",        "100.63.255.255",  "100.128.0.0",    "126.255.255.255",
    "128.0.0.0",       "169.253.255.255", "169.255.0.0",    "172.15.255.255",
    "172.32.0.0",      "191.255.255.255", "192.0.1.0",      "192.0.3.0",
    "192.167.255.255", "192.169.0.0",     "198.17.255.255", "198.20.0.0",
    "198.51.99.255",   "198.51.101.0",    "203.0.112.255",  "203.0.114.0",
    "223.255.255.255", "2000::1",         "2001:200::1",    "2001:4860:4860::8888",
    "2001:db7::1",     "2001:db9::1",     "2003::1",        "2606:4700::1111",
    "2a00:1450::1",    "3ffe::1",         "3fff:1000::1",
};

START_TEST(special_addresses_are_not_public)
{
    ck_assert_msg(!is_public(inside[_i]), "%s", inside[_i]);
}
END_TEST

START_TEST(addresses_of_the_internet_are_public)
{
    ck_assert_msg(is_public(outside[_i]), "%s", outside[_i]);
}
END_TEST

START_TEST(only_port_443_of_known_families_is_connected_to)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(443)};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(443)};
    const void *p4 = &v4, *p6 = &v6;

    ck_assert_int_eq(inet_pton(AF_INET, "8.8.8.8", &v4.sin_addr), 1);
    ck_assert_int_eq(inet_pton(AF_INET6, "2606:4700::1111", &v6.sin6_addr), 1);
    ck_assert(fetch_may_connect(p4, sizeof(v4)));
    ck_assert(fetch_may_connect(p6, sizeof(v6)));
    ck_assert(!fetch_may_connect(p4, sizeof(v4) - 1));
    ck_assert(!fetch_may_connect(p6, sizeof(v6) - 1));
    v4.sin_port = htons(80);
    v6.sin6_port = htons(8443);
    ck_assert(!fetch_may_connect(p4, sizeof(v4)));
    ck_assert(!fetch_may_connect(p6, sizeof(v6)));
    v4.sin_port = htons(443);
    v4.sin_family = AF_UNIX;
    ck_assert(!fetch_may_connect(p4, sizeof(v4)));
}
END_TEST

/* ---- fetches ---- */

static void answer(struct raw_conn *c, const char *type, size_t n, const char *bytes)
{
    char head[256];

    (void)snprintf(head, sizeof(head), OK_HEAD "Content-Type: %s\r\nContent-Length: %zu\r\n\r\n",
                   type, n);
    raw_send_z(c, head);
    raw_send(c, (struct slice){bytes, n});
}

static bool serve(struct raw_conn *c, const struct raw_request *r)
{
    static const char many[2 * BYTES_MAX] = {1};

    asked++;
    if (slice_eq_z(r->path, "/picture"))
        answer(c, "Image/PNG; charset=binary", 3, "\x89PN");
    else if (slice_eq_z(r->path, "/page"))
        answer(c, "text/html", 6, "<html>");
    else if (slice_eq_z(r->path, "/untold"))
        answer(c, "application/octet-stream", 5, "%PDF-");
    else if (slice_eq_z(r->path, "/half"))
        answer(c, "image/png", BYTES_MAX * 6 / 10, many);
    else if (slice_eq_z(r->path, "/large"))
        answer(c, "image/png", sizeof(many), many);
    else if (slice_eq_z(r->path, "/empty"))
        answer(c, "image/png", 0, "");
    else if (slice_eq_z(r->path, "/odd"))
        answer(c, "image/png\"x", 1, "x");
    else if (slice_eq_z(r->path, "/endless")) {
        raw_send_z(c, OK_HEAD "Content-Type: image/png\r\nTransfer-Encoding: chunked\r\n\r\n");
        while (raw_send_z(c, "4\r\nabcd\r\n"))
            ;
    } else if (slice_eq_z(r->path, "/cut")) {
        raw_send_z(c, OK_HEAD "Content-Type: image/png\r\nContent-Length: 100\r\n\r\nabc");
        return false;
    } else if (slice_eq_z(r->path, "/moved"))
        raw_send_z(c, "HTTP/1.1 302 Found\r\nLocation: /picture\r\nContent-Length: 0\r\n\r\n");
    else if (slice_eq_z(r->path, "/silent"))
        raw_wait_close(c);
    else
        raw_send_z(c, "HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nno");
    return true;
}

static bool anywhere(const struct sockaddr *address, socklen_t n)
{
    (void)address;
    (void)n;
    return true;
}

static struct fetch_rules rules;

static void setup(void)
{
    temp_dir_make(dir, sizeof(dir));
    (void)snprintf(ca_file, sizeof(ca_file), "%s/cert.pem", dir);
    server = raw_server_start(serve, dir);
    arena = arena_new(ARENA_MAX);
    ck_assert_ptr_nonnull(arena);
    rules = (struct fetch_rules){.bytes_max = BYTES_MAX,
                                 .ms = 3000,
                                 .count_max = 4,
                                 .may_connect = anywhere,
                                 .ca_file = ca_file};
    fetcher = fetcher_new(arena, &rules);
    ck_assert_ptr_nonnull(fetcher);
    canon_init(&canon, arena, VENDOR_OPENAI, NULL);
    plan = (struct plan){.arena = arena, .fault = &fault};
    asked = 0;
}

static void teardown(void)
{
    raw_server_stop(server);
    arena_free(arena);
    temp_dir_remove(dir);
}

static void refit(void)
{
    fetcher = fetcher_new(arena, &rules);
    ck_assert_ptr_nonnull(fetcher);
}

static bool always(const struct part *part)
{
    (void)part;
    return true;
}

static bool never(const struct part *part)
{
    (void)part;
    return false;
}

static struct part *add_url(enum part_kind kind, const char *url)
{
    struct turn *t = canon_add_turn(&canon, CANON_USER, "messages[0]");
    struct part *p = turn_add_part(&canon, t, kind, "messages[0].content[0]");

    ck_assert_ptr_nonnull(p);
    p->media = (struct media){.source = MEDIA_URL, .data = slice_of(url)};
    return p;
}

static const char *at_server(const char *path)
{
    return arena_printf(arena, "https://127.0.0.1:%d%s", raw_server_port(server), path);
}

static enum err run(void)
{
    fault = (struct fault){NULL, NULL};
    return fetch_parts(fetcher, &canon, &plan, always);
}

static void expect_refusal(const char *words)
{
    ck_assert_int_eq(run(), ERR_BAD_REQUEST);
    ck_assert_str_eq(fault.param, "messages[0].content[0]");
    ck_assert_msg(strstr(fault.text, words) != NULL, "expected \"%s\", seen \"%s\"", words,
                  fault.text);
}

START_TEST(a_picture_arrives_as_base64_with_the_servers_type)
{
    struct part *p = add_url(PART_IMAGE, at_server("/picture"));

    ck_assert_int_eq(run(), ERR_OK);
    ck_assert_int_eq(p->media.source, MEDIA_BYTES);
    ck_assert(slice_eq_z(p->media.data, "iVBO"));
    ck_assert(slice_eq_z(p->media.mime, "image/png"));
}
END_TEST

START_TEST(what_the_format_can_carry_is_left_alone)
{
    struct part *url, *id;

    (void)add_url(PART_IMAGE, at_server("/picture"));
    id = add_url(PART_FILE, "file-1");
    url = &canon.turns[0].parts[0];
    id->media.source = MEDIA_ID;
    ck_assert_int_eq(fetch_parts(fetcher, &canon, &plan, never), ERR_OK);
    ck_assert_int_eq(url->media.source, MEDIA_URL);
    canon.turns[0].parts[0].media.source = MEDIA_BYTES;
    ck_assert_int_eq(run(), ERR_OK);
    ck_assert_int_eq(id->media.source, MEDIA_ID);
    ck_assert_int_eq(asked, 0);
}
END_TEST

START_TEST(parts_of_results_are_fetched)
{
    struct turn *t = canon_add_turn(&canon, CANON_USER, "messages[0]");
    struct part *result = turn_add_part(&canon, t, PART_RESULT, "messages[0].content[0]");
    struct part *p = part_add_part(&canon, result, PART_IMAGE, "messages[0].content[0]");

    p->media = (struct media){.source = MEDIA_URL, .data = slice_of(at_server("/picture"))};
    ck_assert_int_eq(run(), ERR_OK);
    ck_assert_int_eq(canon.turns[0].parts[0].parts[0].media.source, MEDIA_BYTES);
}
END_TEST

START_TEST(an_untold_type_leaves_what_the_client_said)
{
    struct part *p = add_url(PART_FILE, at_server("/untold"));

    p->media.mime = SLICE("application/pdf");
    ck_assert_int_eq(run(), ERR_OK);
    ck_assert(slice_eq_z(p->media.mime, "application/pdf"));
    ck_assert(slice_eq_z(p->media.data, "JVBERi0="));
}
END_TEST

START_TEST(a_type_with_odd_characters_is_not_believed)
{
    struct part *p = add_url(PART_IMAGE, at_server("/odd"));

    ck_assert_int_eq(run(), ERR_OK);
    ck_assert_ptr_null(p->media.mime.p);
}
END_TEST

START_TEST(a_url_is_fetched_once)
{
    struct part *p;
    int i;

    rules.count_max = 1;
    refit();
    for (i = 0; i < 3; i++)
        (void)add_url(PART_IMAGE, at_server("/picture"));
    ck_assert_int_eq(run(), ERR_OK);
    ck_assert_int_eq(asked, 1);
    p = add_url(PART_IMAGE, at_server("/picture")); /* of a later attempt */
    ck_assert_int_eq(run(), ERR_OK);
    ck_assert_int_eq(asked, 1);
    ck_assert(slice_eq_z(p->media.data, "iVBO"));
}
END_TEST

START_TEST(only_https_without_credentials_is_fetched)
{
    static const char *const urls[] = {
        "http://127.0.0.1/",
        "ftp://127.0.0.1/",
        "file:///etc/passwd",
        "gopher://127.0.0.1/",
        "//127.0.0.1/",
        "/etc/passwd",
        "",
        "https://",
        "https://user@127.0.0.1/",
        "https://user:pass@127.0.0.1/",
        "https://a b/",
        "https://127.0.0.1/\r\nx: y",
        "javascript:1",
    };
    size_t i;

    for (i = 0; i < sizeof(urls) / sizeof(urls[0]); i++) {
        canon.turns_n = 0;
        (void)add_url(PART_IMAGE, urls[i]);
        expect_refusal("only https URLs");
    }
}
END_TEST

START_TEST(addresses_inside_are_refused_in_every_spelling)
{
    static const char *const hosts[] = {
        "127.0.0.1",
        "localhost",
        "2130706433",
        "0x7f.1",
        "0x7f000001",
        "017700000001",
        "127.1",
        "0",
        "0.0.0.0",
        "[::1]",
        "[::]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[fe80::1]",
        "10.0.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "[64:ff9b::7f00:1]",
        "[2002:7f00:1::]",
        "100.64.0.1",
    };
    size_t i;

    rules.may_connect = NULL;
    rules.count_max = 100;
    refit();
    for (i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++) {
        canon.turns_n = 0;
        (void)add_url(PART_IMAGE, arena_printf(arena, "https://%s/x", hosts[i]));
        ck_assert_int_eq(run(), ERR_BAD_REQUEST);
        ck_assert_msg(strstr(fault.text, "not a public one") != NULL, "%s: %s", hosts[i],
                      fault.text);
        canon.turns_n = 0;
        (void)add_url(PART_IMAGE,
                      arena_printf(arena, "https://%s:%d/x", hosts[i], raw_server_port(server)));
        ck_assert_int_eq(run(), ERR_BAD_REQUEST);
    }
    ck_assert_int_eq(asked, 0);
    ck_assert_int_eq(raw_server_connections(server), 0);
}
END_TEST

START_TEST(redirects_are_not_followed)
{
    (void)add_url(PART_IMAGE, at_server("/moved"));
    expect_refusal("status 302");
    ck_assert_int_eq(asked, 1);
}
END_TEST

START_TEST(what_fails_is_refused_with_the_reason)
{
    static const char *const faults[][2] = {
        {"/none",  "status 404"                     },
        {"/empty", "sent nothing"                   },
        {"/cut",   "cannot be reached"              },
        {"/page",  "something of the type text/html"},
    };
    size_t i;

    for (i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
        canon.turns_n = 0;
        (void)add_url(PART_IMAGE, at_server(faults[i][0]));
        expect_refusal(faults[i][1]);
    }
}
END_TEST

START_TEST(a_certificate_that_nobody_trusts_is_refused)
{
    rules.ca_file = NULL;
    refit();
    (void)add_url(PART_IMAGE, at_server("/picture"));
    expect_refusal("cannot be reached");
    ck_assert_int_eq(asked, 0);
}
END_TEST

START_TEST(the_bytes_are_bounded_for_all_together)
{
    (void)add_url(PART_IMAGE, at_server("/large"));
    expect_refusal("1000 bytes together");
    canon.turns_n = 0;
    (void)add_url(PART_IMAGE, at_server("/endless"));
    expect_refusal("1000 bytes together");
    canon.turns_n = 0;
    (void)add_url(PART_IMAGE, at_server("/half"));
    ck_assert_int_eq(run(), ERR_OK);
    (void)add_url(PART_IMAGE, at_server("/half?2")); /* 404 */
    expect_refusal("status 404");
}
END_TEST

START_TEST(a_second_half_does_not_fit)
{
    (void)add_url(PART_IMAGE, at_server("/half"));
    (void)add_url(PART_IMAGE, at_server("/../half"));
    expect_refusal("1000 bytes together");
}
END_TEST

START_TEST(the_number_of_urls_is_bounded)
{
    int i;

    for (i = 0; i < 5; i++)
        (void)add_url(PART_IMAGE, arena_printf(arena, "%s#%d", at_server("/picture"), i));
    expect_refusal("more than 4 URLs");
    ck_assert_int_eq(asked, 4);
}
END_TEST

START_TEST(the_time_is_bounded_for_all_together)
{
    struct timespec before, after;

    rules.ms = 300;
    refit();
    (void)add_url(PART_IMAGE, at_server("/silent"));
    (void)clock_gettime(CLOCK_MONOTONIC, &before);
    expect_refusal("took too long");
    (void)clock_gettime(CLOCK_MONOTONIC, &after);
    ck_assert_int_lt(after.tv_sec - before.tv_sec, 3);
    canon.turns_n = 0;
    (void)add_url(PART_IMAGE, at_server("/picture"));
    expect_refusal("took all that one request may have");
}
END_TEST

int main(void)
{
    Suite *s = suite_create("fetch");
    TCase *a = tcase_create("addresses"), *t = tcase_create("fetches");
    SRunner *r = srunner_create(s);
    int failed;

    (void)signal(SIGPIPE, SIG_IGN);
    (void)curl_global_init(CURL_GLOBAL_DEFAULT);
    tcase_add_loop_test(a, special_addresses_are_not_public, 0,
                        (int)(sizeof(inside) / sizeof(inside[0])));
    tcase_add_loop_test(a, addresses_of_the_internet_are_public, 0,
                        (int)(sizeof(outside) / sizeof(outside[0])));
    tcase_add_test(a, only_port_443_of_known_families_is_connected_to);
    suite_add_tcase(s, a);
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_set_timeout(t, 30);
    tcase_add_test(t, a_picture_arrives_as_base64_with_the_servers_type);
    tcase_add_test(t, what_the_format_can_carry_is_left_alone);
    tcase_add_test(t, parts_of_results_are_fetched);
    tcase_add_test(t, an_untold_type_leaves_what_the_client_said);
    tcase_add_test(t, a_type_with_odd_characters_is_not_believed);
    tcase_add_test(t, a_url_is_fetched_once);
    tcase_add_test(t, only_https_without_credentials_is_fetched);
    tcase_add_test(t, addresses_inside_are_refused_in_every_spelling);
    tcase_add_test(t, redirects_are_not_followed);
    tcase_add_test(t, what_fails_is_refused_with_the_reason);
    tcase_add_test(t, a_certificate_that_nobody_trusts_is_refused);
    tcase_add_test(t, the_bytes_are_bounded_for_all_together);
    tcase_add_test(t, a_second_half_does_not_fit);
    tcase_add_test(t, the_number_of_urls_is_bounded);
    tcase_add_test(t, the_time_is_bounded_for_all_together);
    suite_add_tcase(s, t);
    srunner_run_all(r, CK_NORMAL);
    failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed > 0;
}
