#include "fcgi/request.h"

#include "tests/unit/fake_request.h"

#include <check.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct fake_request fake;
static char spool[128]; /* made by main, for all tests */
static const char *env[16];

static struct request *begin(const char *a, const char *b, const char *c)
{
    env[0] = a;
    env[1] = b;
    env[2] = c;
    env[3] = NULL;
    fake_request_init(&fake, env);
    fake.config.spool_dir = spool;
    fake_request_begin(&fake);
    return &fake.req;
}

static void tear_down(void)
{
    fake_request_clear(&fake);
}

#define ck_slice_eq(s, text)                                                                       \
    do {                                                                                           \
        struct slice ck_s = (s);                                                                   \
        ck_assert_ptr_nonnull(ck_s.p);                                                             \
        ck_assert_uint_eq(ck_s.n, strlen(text));                                                   \
        ck_assert_mem_eq(ck_s.p, text, ck_s.n);                                                    \
    } while (0)

START_TEST(headers_are_found_by_their_http_name)
{
    struct request *req = begin("HTTP_X_API_KEY=k1", "CONTENT_TYPE=a/b", "HTTP_X_EMPTY=");

    ck_slice_eq(request_header(req, "x-api-key"), "k1");
    ck_slice_eq(request_header(req, "X-Api-Key"), "k1");
    ck_slice_eq(request_header(req, "content-type"), "a/b");
    ck_slice_eq(request_header(req, "x-empty"), "");
    ck_assert_ptr_null(request_header(req, "x-api").p);
    ck_assert_ptr_null(request_header(req, "authorization").p);
}
END_TEST

START_TEST(a_header_name_too_long_for_us_is_absent)
{
    char name[400];
    struct request *req = begin("HTTP_A=1", NULL, NULL);

    memset(name, 'a', sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    ck_assert_ptr_null(request_header(req, name).p);
}
END_TEST

START_TEST(authorization_survives_apache_redirects)
{
    ck_slice_eq(
        request_header(begin("REDIRECT_HTTP_AUTHORIZATION=Bearer x", NULL, NULL), "authorization"),
        "Bearer x");
    fake_request_clear(&fake);
    ck_slice_eq(request_header(begin("REDIRECT_REDIRECT_HTTP_AUTHORIZATION=Bearer y", NULL, NULL),
                               "Authorization"),
                "Bearer y");
    fake_request_clear(&fake);
    ck_slice_eq(
        request_header(begin("REDIRECT_HTTP_AUTHORIZATION=old", "HTTP_AUTHORIZATION=new", NULL),
                       "authorization"),
        "new");
}
END_TEST

START_TEST(query_members_are_decoded)
{
    struct request *req = begin("REQUEST_URI=/v1/models?key=a%2Fb+c&empty=&flag&key=second&bad=%zz"
                                "&nul=%00&utf=%ff",
                                NULL, NULL);

    ck_slice_eq(request_query_param(req, "key"), "a/b c");
    ck_slice_eq(request_query_param(req, "empty"), "");
    ck_slice_eq(request_query_param(req, "flag"), "");
    ck_assert_ptr_null(request_query_param(req, "absent").p);
    ck_assert_ptr_null(request_query_param(req, "ke").p);
    ck_assert_ptr_null(request_query_param(req, "bad").p);
    ck_assert_ptr_null(request_query_param(req, "nul").p);
    ck_assert_ptr_null(request_query_param(req, "utf").p);
}
END_TEST

START_TEST(a_path_without_query_has_no_members)
{
    struct request *req = begin("REQUEST_URI=/v1/models", "REMOTE_ADDR=192.0.2.1", NULL);

    ck_assert_uint_eq(req->query.n, 0);
    ck_assert_ptr_null(request_query_param(req, "key").p);
    ck_slice_eq(request_remote_addr(req), "192.0.2.1");
}
END_TEST

START_TEST(methods_are_known_by_exact_words)
{
    static const struct {
        const char *variable;
        enum method method;
    } rows[] = {
        {"REQUEST_METHOD=GET",     METHOD_GET    },
        {"REQUEST_METHOD=HEAD",    METHOD_HEAD   },
        {"REQUEST_METHOD=POST",    METHOD_POST   },
        {"REQUEST_METHOD=DELETE",  METHOD_DELETE },
        {"REQUEST_METHOD=OPTIONS", METHOD_OPTIONS},
        {"REQUEST_METHOD=PUT",     METHOD_PUT    },
        {"REQUEST_METHOD=get",     METHOD_OTHER  },
        {"REQUEST_METHOD=TRACE",   METHOD_OTHER  },
        {"REQUEST_METHOD=",        METHOD_OTHER  },
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        ck_assert_int_eq(begin(rows[i].variable, NULL, NULL)->method, rows[i].method);
        fake_request_clear(&fake);
    }
    begin(NULL, NULL, NULL);
}
END_TEST

static char *make_text(size_t n)
{
    char *p = malloc(n);

    ck_assert_ptr_nonnull(p);
    for (size_t i = 0; i < n; i++)
        p[i] = (char)(i * 7 + i / 251);
    return p;
}

/* length: as announced; -1: not at all. */
static enum err read_body(int64_t length, struct slice input)
{
    fake.req.content_length = length;
    fake.input = input;
    fake.input_at = 0;
    return request_read_body(&fake.req);
}

START_TEST(bodies_of_all_sizes_arrive_whole)
{
    static const size_t sizes[] = {0, 1, 99999, 100000, 100001, 131072, 999999, 1000000};
    char *text = make_text(1000000);

    begin(NULL, NULL, NULL);
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        for (int known = 0; known <= 1; known++) {
            struct slice input = {text, sizes[i]};

            ck_assert_int_eq(read_body(known ? (int64_t)sizes[i] : -1, input), ERR_OK);
            ck_assert_uint_eq(fake.req.body.n, sizes[i]);
            ck_assert(memcmp(fake.req.body.p, text, sizes[i]) == 0);
            ck_assert(fake.body.is_mapped == (sizes[i] > 100000));
            request_drop_body(&fake.req);
            ck_assert_ptr_null(fake.req.body.p);
            ck_assert_uint_eq(fake.req.body.n, 0);
        }
    }
    free(text);
}
END_TEST

START_TEST(a_spooled_body_leaves_no_name)
{
    char *text = make_text(200000);
    DIR *dir;
    int entries = 0;

    begin(NULL, NULL, NULL);
    ck_assert_int_eq(read_body(200000, (struct slice){text, 200000}), ERR_OK);
    dir = opendir(spool);
    ck_assert_ptr_nonnull(dir);
    while (readdir(dir) != NULL)
        entries++;
    closedir(dir);
    ck_assert_int_eq(entries, 2); /* . and .. */
    free(text);
}
END_TEST

START_TEST(a_body_announced_above_the_cap_is_not_read)
{
    begin(NULL, NULL, NULL);
    ck_assert_int_eq(read_body(1000001, SLICE("some of it")), ERR_TOO_LARGE);
    ck_assert_uint_eq(fake.input_at, 0);
    ck_assert_ptr_null(fake.req.body.p);
}
END_TEST

START_TEST(a_body_of_unknown_length_is_cut_off_at_the_cap)
{
    char *text = make_text(3000000);

    begin(NULL, NULL, NULL);
    ck_assert_int_eq(read_body(-1, (struct slice){text, 3000000}), ERR_TOO_LARGE);
    ck_assert_uint_eq(fake.input_at, 1000001);
    ck_assert_ptr_null(fake.body.p);
    free(text);
}
END_TEST

START_TEST(the_cap_holds_also_when_all_would_fit_in_memory)
{
    char *text = make_text(5000);

    begin(NULL, NULL, NULL);
    fake.config.body_max_bytes = 4096;
    ck_assert_int_eq(read_body(-1, (struct slice){text, 5000}), ERR_TOO_LARGE);
    ck_assert_int_eq(read_body(-1, (struct slice){text, 4097}), ERR_TOO_LARGE);
    ck_assert_int_eq(read_body(-1, (struct slice){text, 4096}), ERR_OK);
    ck_assert_uint_eq(fake.req.body.n, 4096);
    free(text);
}
END_TEST

START_TEST(a_body_of_another_length_than_announced_is_cut)
{
    char *text = make_text(300000);

    begin(NULL, NULL, NULL);
    ck_assert_int_eq(read_body(5, SLICE("1234")), ERR_UPLOAD_CUT);
    ck_assert_int_eq(read_body(5, SLICE("123456")), ERR_UPLOAD_CUT);
    ck_assert_int_eq(read_body(0, SLICE("1")), ERR_UPLOAD_CUT);
    ck_assert_int_eq(read_body(200000, (struct slice){text, 199999}), ERR_UPLOAD_CUT);
    ck_assert_int_eq(read_body(200000, (struct slice){text, 200001}), ERR_UPLOAD_CUT);
    ck_assert_ptr_null(fake.body.p);
    free(text);
}
END_TEST

START_TEST(a_broken_connection_is_a_cut_body)
{
    char *text = make_text(200000);

    begin(NULL, NULL, NULL);
    fake.input_breaks = true;
    ck_assert_int_eq(read_body(10, SLICE("12345")), ERR_UPLOAD_CUT);
    ck_assert_int_eq(read_body(-1, SLICE("12345")), ERR_UPLOAD_CUT);
    ck_assert_int_eq(read_body(-1, (struct slice){text, 200000}), ERR_UPLOAD_CUT);
    ck_assert_int_eq(read_body(200000, (struct slice){text, 150000}), ERR_UPLOAD_CUT);
    ck_assert_ptr_null(fake.req.body.p);
    free(text);
}
END_TEST

START_TEST(a_length_that_is_no_number_is_refused)
{
    begin("CONTENT_LENGTH=12x", NULL, NULL);
    ck_assert_int_eq(request_read_body(&fake.req), ERR_BAD_REQUEST);
    fake_request_clear(&fake);
    begin("CONTENT_LENGTH=-1", NULL, NULL);
    ck_assert_int_eq(request_read_body(&fake.req), ERR_BAD_REQUEST);
    fake_request_clear(&fake);
    begin("CONTENT_LENGTH=99999999999999999999", NULL, NULL);
    ck_assert_int_eq(request_read_body(&fake.req), ERR_BAD_REQUEST);
    fake_request_clear(&fake);
    /* Some servers set the variable to nothing when there is no body. */
    begin("CONTENT_LENGTH=", NULL, NULL);
    ck_assert_int_eq(request_read_body(&fake.req), ERR_OK);
    ck_assert_uint_eq(fake.req.body.n, 0);
}
END_TEST

START_TEST(a_spool_that_takes_no_file_refuses_the_request)
{
    char nowhere[] = "/nonexistent/spool";
    char *text = make_text(200000);

    begin(NULL, NULL, NULL);
    fake.config.spool_dir = nowhere;
    ck_assert_int_eq(read_body(200000, (struct slice){text, 200000}), ERR_UNAVAILABLE);
    ck_assert_int_eq(read_body(-1, (struct slice){text, 200000}), ERR_UNAVAILABLE);
    ck_assert_int_eq(read_body(10, (struct slice){text, 10}), ERR_OK);
    free(text);
}
END_TEST

START_TEST(cgi_reads_the_announced_length_and_no_more)
{
    begin("CONTENT_LENGTH=3", NULL, NULL);
    fake.transport.is_cgi = true;
    fake.req.is_cgi = true;
    fake.input = SLICE("abcdef");
    ck_assert_int_eq(request_read_body(&fake.req), ERR_OK);
    ck_slice_eq(fake.req.body, "abc");
    ck_assert_uint_eq(fake.input_at, 3);
}
END_TEST

START_TEST(cgi_without_length_has_a_body_only_in_chunks)
{
    begin(NULL, NULL, NULL);
    fake.transport.is_cgi = true;
    fake.req.is_cgi = true;
    fake.input = SLICE("terminal input");
    ck_assert_int_eq(request_read_body(&fake.req), ERR_OK);
    ck_assert_uint_eq(fake.input_at, 0);
    fake_request_clear(&fake);

    begin("HTTP_TRANSFER_ENCODING=chunked", NULL, NULL);
    fake.transport.is_cgi = true;
    fake.req.is_cgi = true;
    fake.input = SLICE("chunks");
    ck_assert_int_eq(request_read_body(&fake.req), ERR_OK);
    ck_slice_eq(fake.req.body, "chunks");
}
END_TEST

START_TEST(only_identity_is_no_encoding)
{
    ck_assert(!request_has_encoded_body(begin(NULL, NULL, NULL)));
    fake_request_clear(&fake);
    ck_assert(!request_has_encoded_body(begin("HTTP_CONTENT_ENCODING= Identity", NULL, NULL)));
    fake_request_clear(&fake);
    ck_assert(!request_has_encoded_body(begin("HTTP_CONTENT_ENCODING=", NULL, NULL)));
    fake_request_clear(&fake);
    ck_assert(request_has_encoded_body(begin("HTTP_CONTENT_ENCODING=gzip", NULL, NULL)));
}
END_TEST

START_TEST(gone_is_what_the_transport_says)
{
    struct request *req = begin(NULL, NULL, NULL);

    ck_assert_int_eq(request_gone_fd(req), -1);
    ck_assert(!request_is_gone(req));
    fake.is_gone = true;
    ck_assert(request_is_gone(req));
    ck_assert(!request_is_draining(req));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("request");
    TCase *tc = tcase_create("all");
    SRunner *runner = srunner_create(suite);
    const char *base = getenv("TMPDIR");
    int failed;

    snprintf(spool, sizeof(spool), "%.80s/test_request.XXXXXX", base == NULL ? "/tmp" : base);
    if (mkdtemp(spool) == NULL) {
        perror(spool);
        return EXIT_FAILURE;
    }
    suite_add_tcase(suite, tc);
    tcase_add_checked_fixture(tc, NULL, tear_down);
    tcase_add_test(tc, headers_are_found_by_their_http_name);
    tcase_add_test(tc, a_header_name_too_long_for_us_is_absent);
    tcase_add_test(tc, authorization_survives_apache_redirects);
    tcase_add_test(tc, query_members_are_decoded);
    tcase_add_test(tc, a_path_without_query_has_no_members);
    tcase_add_test(tc, methods_are_known_by_exact_words);
    tcase_add_test(tc, bodies_of_all_sizes_arrive_whole);
    tcase_add_test(tc, a_spooled_body_leaves_no_name);
    tcase_add_test(tc, a_body_announced_above_the_cap_is_not_read);
    tcase_add_test(tc, a_body_of_unknown_length_is_cut_off_at_the_cap);
    tcase_add_test(tc, the_cap_holds_also_when_all_would_fit_in_memory);
    tcase_add_test(tc, a_body_of_another_length_than_announced_is_cut);
    tcase_add_test(tc, a_broken_connection_is_a_cut_body);
    tcase_add_test(tc, a_length_that_is_no_number_is_refused);
    tcase_add_test(tc, a_spool_that_takes_no_file_refuses_the_request);
    tcase_add_test(tc, cgi_reads_the_announced_length_and_no_more);
    tcase_add_test(tc, cgi_without_length_has_a_body_only_in_chunks);
    tcase_add_test(tc, only_identity_is_no_encoding);
    tcase_add_test(tc, gone_is_what_the_transport_says);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    rmdir(spool);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
