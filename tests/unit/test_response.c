#include "fcgi/response.h"

#include "base/json.h"
#include "tests/unit/fake_request.h"

#include <check.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define IDS                                                                                        \
    "x-request-id: 01HZY8Q6S3V9X2M4N5P7R8T0W1\r\nrequest-id: 01HZY8Q6S3V9X2M4N5P7R8T0W1\r\n\r\n"

static struct fake_request fake;
static const char *env[2] = {"REQUEST_METHOD=GET", NULL};
static struct request *req;

static void set_up(void)
{
    fake_request_init(&fake, env);
    fake_request_begin(&fake);
    req = &fake.req;
}

static void tear_down(void)
{
    fake_request_clear(&fake);
}

START_TEST(a_whole_answer_is_head_and_body)
{
    ck_assert_int_eq(response_bytes(req, 201, "text/plain", SLICE("hello")), ERR_OK);
    ck_assert_str_eq(fake_request_answer(&fake),
                     "Status: 201 Created\r\ncontent-type: text/plain\r\ncontent-length: 5\r\n" IDS
                     "hello");
    ck_assert(response_is_committed(req));
    ck_assert_int_eq(response_status_get(req), 201);
    ck_assert_int_eq(response_bytes_sent(req), 5);
    /* It leaves with the end of the request. */
    ck_assert_uint_eq(fake.flushes, 0);
}
END_TEST

START_TEST(an_unknown_status_has_a_reason_too)
{
    ck_assert_int_eq(response_bytes(req, 599, "text/plain", SLICE("")), ERR_OK);
    ck_assert_ptr_nonnull(strstr(fake_request_answer(&fake), "Status: 599 Unknown\r\n"));
}
END_TEST

START_TEST(a_header_set_again_is_replaced)
{
    response_header_z(req, "cache-control", "no-store");
    response_header_z(req, "x-a", "1");
    response_header_z(req, "Cache-Control", "max-age=5");
    response_header_z(req, "x-ab", "2");
    response_header_z(req, "x-a", "");
    ck_assert_int_eq(response_write(req, SLICE("b")), ERR_OK);
    ck_assert_str_eq(fake_request_answer(&fake), "Status: 200 OK\r\nCache-Control: max-age=5\r\n"
                                                 "x-ab: 2\r\nx-a: \r\n" IDS "b");
}
END_TEST

START_TEST(headers_past_the_maximum_are_dropped)
{
    static char value[RESPONSE_HEADERS_MAX];

    memset(value, 'v', sizeof(value));
    response_header_z(req, "x-first", "1");
    response_header(req, "x-huge", (struct slice){value, sizeof(value)});
    /* "x-first: 1" and "x-nearly: " take 12 bytes each with their line ends, "x-fits: " 10. */
    response_header(req, "x-nearly", (struct slice){value, sizeof(value) - 12 - 12 + 1});
    response_header(req, "x-fits", (struct slice){value, sizeof(value) - 12 - 10});
    response_header_z(req, "x", "3");
    ck_assert_int_eq(response_flush(req), ERR_OK);
    ck_assert_ptr_nonnull(strstr(fake_request_answer(&fake), "x-first: 1\r\n"));
    ck_assert_ptr_null(strstr(fake_request_answer(&fake), "x-huge"));
    ck_assert_ptr_null(strstr(fake_request_answer(&fake), "x-nearly"));
    ck_assert_ptr_nonnull(strstr(fake_request_answer(&fake), "\r\nx-fits: vvv"));
    ck_assert_ptr_null(strstr(fake_request_answer(&fake), "x: 3"));
}
END_TEST

START_TEST(a_header_value_with_a_line_end_is_our_bug)
{
    response_header_z(req, "x-a", "b\r\nset-cookie: c");
}
END_TEST

START_TEST(a_header_value_with_a_nul_is_our_bug)
{
    response_header(req, "x-a", SLICE("b\0c"));
}
END_TEST

START_TEST(a_stream_flushes_its_head_alone_and_then_each_piece)
{
    response_header_z(req, "content-type", "text/event-stream");
    ck_assert(!response_is_committed(req));
    ck_assert_int_eq(response_flush(req), ERR_OK);
    ck_assert(response_is_committed(req));
    ck_assert_str_eq(fake_request_answer(&fake),
                     "Status: 200 OK\r\ncontent-type: text/event-stream\r\n" IDS);
    ck_assert_uint_eq(fake.flushed_n, fake.output.n);
    ck_assert_int_eq(response_write(req, SLICE("data: 1\n\n")), ERR_OK);
    ck_assert_int_eq(response_write(req, SLICE("data: 2\n\n")), ERR_OK);
    ck_assert_int_eq(response_flush(req), ERR_OK);
    ck_assert_uint_eq(fake.flushes, 2);
    ck_assert_int_eq(response_bytes_sent(req), 18);
}
END_TEST

START_TEST(after_the_commit_status_and_headers_stay)
{
    ck_assert_int_eq(response_write(req, SLICE("x")), ERR_OK);
    response_status(req, 500);
    response_header_z(req, "x-late", "1");
    ck_assert_int_eq(response_bytes(req, 500, "text/plain", SLICE("late")), ERR_INTERNAL);
    ck_assert_int_eq(response_status_get(req), 200);
    ck_assert_str_eq(fake_request_answer(&fake), "Status: 200 OK\r\n" IDS "x");
}
END_TEST

START_TEST(head_counts_the_body_and_sends_none)
{
    response_begin(req, true);
    ck_assert_int_eq(response_bytes(req, 200, "text/plain", SLICE("hello")), ERR_OK);
    ck_assert_str_eq(fake_request_answer(&fake),
                     "Status: 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 5\r\n" IDS);
    ck_assert_int_eq(response_bytes_sent(req), 5);
}
END_TEST

START_TEST(json_is_printed_whole)
{
    struct json_object *o = json_object_new_object();

    ck_assert_int_eq(json_add_string(o, "path", "a/b"), ERR_OK);
    ck_assert_int_eq(response_json(req, 200, o), ERR_OK);
    ck_assert_ptr_nonnull(strstr(fake_request_answer(&fake), "content-type: application/json\r\n"));
    ck_assert_ptr_nonnull(strstr(fake_request_answer(&fake), "\r\n\r\n{\"path\":\"a/b\"}"));
}
END_TEST

START_TEST(a_client_that_is_gone_stays_gone)
{
    ck_assert_int_eq(response_flush(req), ERR_OK);
    fake.output_max = fake.output.n + 3;
    ck_assert_int_eq(response_write(req, SLICE("abc")), ERR_OK);
    ck_assert_int_eq(response_write(req, SLICE("d")), ERR_CLIENT_GONE);
    fake.output_max = SIZE_MAX;
    ck_assert_int_eq(response_write(req, SLICE("e")), ERR_CLIENT_GONE);
    ck_assert_int_eq(response_flush(req), ERR_CLIENT_GONE);
    ck_assert_int_eq(response_bytes_sent(req), 3);
}
END_TEST

START_TEST(a_head_that_cannot_be_sent_is_told)
{
    fake.output_max = 20;
    ck_assert_int_eq(response_bytes(req, 200, "text/plain", SLICE("hello")), ERR_CLIENT_GONE);
    ck_assert_int_eq(response_bytes_sent(req), 0);
    response_end(req);
}
END_TEST

START_TEST(no_answer_becomes_a_bare_500)
{
    response_header_z(req, "x-half-done", "1");
    response_end(req);
    ck_assert_str_eq(fake_request_answer(&fake),
                     "Status: 500 Internal Server Error\r\ncontent-type: text/plain\r\n"
                     "content-length: 15\r\n" IDS "internal error\n");
}
END_TEST

static struct {
    unsigned calls;
    enum err e;
    char param[64];
    char text[2 * REQUEST_FAIL_TEXT_MAX];
} failed;

static void note_failure(struct request *r, enum err e, const char *param, const char *text)
{
    failed.calls++;
    failed.e = e;
    snprintf(failed.param, sizeof(failed.param), "%s", param == NULL ? "(null)" : param);
    snprintf(failed.text, sizeof(failed.text), "%s", text);
    ck_assert_int_eq(response_bytes(r, err_info(e)->http_status, "text/plain", slice_of(text)),
                     ERR_OK);
}

static void note_wrongly(struct request *r, enum err e, const char *param, const char *text)
{
    (void)r;
    (void)e;
    (void)param;
    (void)text;
    ck_abort_msg("the fallback was asked though a route is set");
}

static const struct route route = {.error = note_failure};

START_TEST(failures_are_written_in_the_format_of_the_route)
{
    req->route = &route;
    fake.router.fallback_error = note_wrongly;
    ck_assert_int_eq(
        request_fail(req, ERR_BAD_REQUEST, "messages[3].content", "expected %s", "string or array"),
        ERR_BAD_REQUEST);
    ck_assert_uint_eq(failed.calls, 1);
    ck_assert_int_eq(failed.e, ERR_BAD_REQUEST);
    ck_assert_str_eq(failed.param, "messages[3].content");
    ck_assert_str_eq(failed.text, "expected string or array");
    ck_assert_int_eq(response_error(req), ERR_BAD_REQUEST);
    ck_assert_int_eq(response_status_get(req), 400);
}
END_TEST

START_TEST(failures_without_a_route_go_to_the_fallback)
{
    fake.router.fallback_error = note_failure;
    ck_assert_int_eq(request_fail(req, ERR_NOT_FOUND, NULL, NULL), ERR_NOT_FOUND);
    ck_assert_uint_eq(failed.calls, 1);
    ck_assert_str_eq(failed.param, "(null)");
    ck_assert_str_eq(failed.text, err_info(ERR_NOT_FOUND)->text);
}
END_TEST

START_TEST(a_failure_after_the_commit_writes_nothing)
{
    req->route = &route;
    ck_assert_int_eq(response_write(req, SLICE("x")), ERR_OK);
    ck_assert_int_eq(request_fail(req, ERR_UP_CUT, NULL, NULL), ERR_UP_CUT);
    ck_assert_uint_eq(failed.calls, 0);
    ck_assert_str_eq(fake_request_answer(&fake), "Status: 200 OK\r\n" IDS "x");
    ck_assert_int_eq(response_error(req), ERR_UP_CUT);
    /* The first one is what the log tells. */
    request_fail(req, ERR_INTERNAL, NULL, NULL);
    ck_assert_int_eq(response_error(req), ERR_UP_CUT);
}
END_TEST

START_TEST(a_long_text_is_cut_between_characters)
{
    char text[3 * REQUEST_FAIL_TEXT_MAX];

    req->route = &route;
    for (int shift = 0; shift < 4; shift++) {
        size_t n = 0;

        memset(text, 'a', (size_t)shift);
        n += (size_t)shift;
        while (n + 4 < sizeof(text)) {
            memcpy(text + n, "\xf0\x9f\x98\x80", 4);
            n += 4;
        }
        text[n] = '\0';
        response_begin(req, false);
        request_fail(req, ERR_BAD_REQUEST, NULL, "%s", text);
        ck_assert(str_is_utf8(slice_of(failed.text)));
        ck_assert_uint_lt(strlen(failed.text), REQUEST_FAIL_TEXT_MAX);
        ck_assert_uint_gt(strlen(failed.text), REQUEST_FAIL_TEXT_MAX - 8);
    }
}
END_TEST

START_TEST(retry_after_comes_from_the_table_unless_set)
{
    req->route = &route;
    request_fail(req, ERR_BUSY, NULL, NULL);
    ck_assert_ptr_nonnull(strstr(fake_request_answer(&fake), "Status: 503"));
    ck_assert_ptr_nonnull(strstr(fake_request_answer(&fake), "retry-after: "));

    buf_reset(&fake.output);
    response_begin(req, false);
    response_header_z(req, "Retry-After", "77");
    request_fail(req, ERR_BUSY, NULL, NULL);
    ck_assert_ptr_nonnull(strstr(fake_request_answer(&fake), "Retry-After: 77\r\n"));
    ck_assert_ptr_null(strstr(fake_request_answer(&fake), "retry-after: "));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("response");
    TCase *tc = tcase_create("all");
    SRunner *runner = srunner_create(suite);
    int failures;

    suite_add_tcase(suite, tc);
    tcase_add_checked_fixture(tc, set_up, tear_down);
    tcase_add_test(tc, a_whole_answer_is_head_and_body);
    tcase_add_test(tc, an_unknown_status_has_a_reason_too);
    tcase_add_test(tc, a_header_set_again_is_replaced);
    tcase_add_test(tc, headers_past_the_maximum_are_dropped);
    tcase_add_test_raise_signal(tc, a_header_value_with_a_line_end_is_our_bug, SIGABRT);
    tcase_add_test_raise_signal(tc, a_header_value_with_a_nul_is_our_bug, SIGABRT);
    tcase_add_test(tc, a_stream_flushes_its_head_alone_and_then_each_piece);
    tcase_add_test(tc, after_the_commit_status_and_headers_stay);
    tcase_add_test(tc, head_counts_the_body_and_sends_none);
    tcase_add_test(tc, json_is_printed_whole);
    tcase_add_test(tc, a_client_that_is_gone_stays_gone);
    tcase_add_test(tc, a_head_that_cannot_be_sent_is_told);
    tcase_add_test(tc, no_answer_becomes_a_bare_500);
    tcase_add_test(tc, failures_are_written_in_the_format_of_the_route);
    tcase_add_test(tc, failures_without_a_route_go_to_the_fallback);
    tcase_add_test(tc, a_failure_after_the_commit_writes_nothing);
    tcase_add_test(tc, a_long_text_is_cut_between_characters);
    tcase_add_test(tc, retry_after_comes_from_the_table_unless_set);
    srunner_run_all(runner, CK_NORMAL);
    failures = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failures == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
