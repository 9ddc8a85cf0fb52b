#include "fcgi/router.h"

#include "tests/unit/fake_request.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct fake_request fake;
static const char *env[3];
static char method_line[64];
static char uri_line[512];
static const char *handled;    /* endpoint of the row whose handler ran */
static const char *refused_by; /* which error writer ran */
static enum err refused;
static enum err key_result;
static unsigned authenticated;

static void answer_ok(struct request *req)
{
    handled = req->route->endpoint;
    ck_assert_int_eq(response_bytes(req, 200, "text/plain", SLICE("body")), ERR_OK);
}

static void answer_nothing(struct request *req)
{
    handled = req->route->endpoint;
}

static void write_error(struct request *req, enum err e, const char *param, const char *text)
{
    (void)param;
    refused_by = "row";
    refused = e;
    ck_assert_int_eq(response_bytes(req, err_info(e)->http_status, "text/plain", slice_of(text)),
                     ERR_OK);
}

static void write_fallback(struct request *req, enum err e, const char *param, const char *text)
{
    write_error(req, e, param, text);
    refused_by = "fallback";
}

static enum err authenticate(struct request *req)
{
    authenticated++;
    if (key_result == ERR_BAD_KEY)
        request_fail(req, ERR_BAD_KEY, NULL, NULL);
    return key_result;
}

static const char app[] = "application";

static const struct route routes[] = {
    {METHOD_POST,                "/chat/completions",          answer_ok,      write_error, ROUTE_NEEDS_KEY, "chat"    },
    {METHOD_GET,                 "/models",                    answer_ok,      write_error, 0,               "models"  },
    {METHOD_GET,                 "/models/{id...}",            answer_ok,      write_error, ROUTE_NEEDS_KEY, "model"   },
    {METHOD_POST,                "/models/{action...}",        answer_ok,      write_error, ROUTE_NEEDS_KEY, "generate"},
    {METHOD_GET | METHOD_DELETE, "/files/{id}",                answer_ok,      write_error, 0,               "file"    },
    {METHOD_GET,                 "/files/{id}/parts/{number}", answer_ok,      write_error, 0,               "part"    },
    {METHOD_GET,                 "/healthz",                   answer_ok,      write_error, ROUTE_ROOT,      "healthz" },
    {METHOD_HEAD,                "/probe",                     answer_nothing, write_error, 0,               "probe"   },
    {METHOD_GET,                 "/silent",                    answer_nothing, write_error, 0,               "silent"  },
};

static void begin(const char *method, const char *uri)
{
    snprintf(method_line, sizeof(method_line), "REQUEST_METHOD=%s", method);
    snprintf(uri_line, sizeof(uri_line), "REQUEST_URI=%s", uri);
    env[0] = method_line;
    env[1] = uri_line;
    fake_request_init(&fake, env);
    fake.router = (struct router){.routes = routes,
                                  .routes_n = sizeof(routes) / sizeof(routes[0]),
                                  .fallback_error = write_fallback,
                                  .authenticate = authenticate,
                                  .app = app};
    fake_request_begin(&fake);
    handled = "";
    refused_by = "";
    refused = ERR_OK;
    authenticated = 0;
    key_result = ERR_OK;
}

static void dispatch(const char *method, const char *uri)
{
    begin(method, uri);
    router_dispatch(&fake.router, &fake.req);
}

static void end(void)
{
    fake_request_clear(&fake);
}

#define ck_slice_eq(s, text)                                                                       \
    do {                                                                                           \
        struct slice ck_s = (s);                                                                   \
        ck_assert_msg(slice_eq_z(ck_s, text), "\"%.*s\" is not \"%s\"", SLICE_FMT(ck_s), text);    \
    } while (0)

static const struct {
    const char *uri;
    const char *prefix;
    const char *path;
    const char *query;
    bool saw_version;
    bool saw_v1beta;
} uris[] = {
    {"/v1/models",                 "",                "/models",               "",         true,  false},
    {"/models",                    "",                "/models",               "",         false, false},
    {"/v1/v1/models",              "",                "/models",               "",         true,  false},
    {"/v1beta/models/x:y?alt=sse", "",                "/models/x:y",           "alt=sse",  true,  true },
    {"/v1/v1alpha/v1/a",           "",                "/a",                    "",         true,  true },
    {"//v1//models",               "",                "/models",               "",         true,  false},
    {"/v1/models/v1",              "",                "/models/v1",            "",         true,  false},
    {"/v1x/models",                "",                "/v1x/models",           "",         false, false},
    {"/v1",                        "",                "/",                     "",         true,  false},
    {"/v1/",                       "",                "/",                     "",         true,  false},
    {"/v1?key=a",                  "",                "/",                     "key=a",    true,  false},
    {"/",                          "",                "/",                     "",         false, false},
    {"",                           "",                "/",                     "",         false, false},
    {"*",                          "",                "*",                     "",         false, false},
    {"/v1/a%2Fb?x=/v1/?y",         "",                "/a%2Fb",                "x=/v1/?y", true,  false},
    {"http://host:80/v1/x?q",      "",                "/x",                    "q",        true,  false},
    {"HTTPS://host",               "",                "/",                     "",         false, false},
    {"http://host?q=1",            "",                "/",                     "q=1",      false, false},
    {"/aipass/v1/models",          "/aipass",         "/models",               "",         true,  false},
    {"/aipass",                    "/aipass",         "/",                     "",         false, false},
    {"//aipass//v1/models",        "/aipass",         "/models",               "",         true,  false},
    {"/aipassport/v1/models",      "/aipass",         "/aipassport/v1/models", "",         false, false},
    {"/v1/models",                 "/aipass",         "/models",               "",         true,  false},
    {"/cgi-bin/gw.cgi/v1/a",       "/cgi-bin/gw.cgi", "/a",                    "",         true,  false},
    {"/cgi-bin/v1/a",              "/cgi-bin/gw.cgi", "/cgi-bin/v1/a",         "",         false, false},
};

START_TEST(uris_are_normalised)
{
    struct request req = {0};

    router_normalize(&req, slice_of(uris[_i].uri), slice_of(uris[_i].prefix));
    ck_slice_eq(req.path, uris[_i].path);
    ck_slice_eq(req.query, uris[_i].query);
    ck_assert_int_eq(req.saw_version, uris[_i].saw_version);
    ck_assert_int_eq(req.saw_v1beta, uris[_i].saw_v1beta);
}
END_TEST

static const struct {
    const char *method;
    const char *uri;
    const char *endpoint; /* "": 404 */
    const char *first;    /* params[0], NULL: none */
    const char *second;
} matches[] = {
    {"POST",   "/v1/chat/completions",    "chat",     NULL,         NULL},
    {"POST",   "/chat/completions",       "chat",     NULL,         NULL},
    {"POST",   "/v1/chat/completions/",   "chat",     NULL,         NULL},
    {"POST",   "/v1//chat///completions", "chat",     NULL,         NULL},
    {"GET",    "/v1/models",              "models",   NULL,         NULL},
    {"GET",    "/v1/models/",             "models",   NULL,         NULL},
    {"GET",    "/v1/models/gpt",          "model",    "gpt",        NULL},
    {"GET",    "/v1/models/meta/llama",   "model",    "meta/llama", NULL},
    {"GET",    "/v1/models/meta/llama/",  "model",    "meta/llama", NULL},
    {"GET",    "/v1/models/meta%2Fllama", "model",    "meta/llama", NULL},
    {"GET",    "/v1/models/a+b%20c",      "model",    "a+b c",      NULL},
    {"POST",   "/v1beta/models/g:stream", "generate", "g:stream",   NULL},
    {"DELETE", "/v1/files/f1",            "file",     "f1",         NULL},
    {"GET",    "/v1/files/f%31/parts/2",  "part",     "f1",         "2" },
    {"GET",    "/v1/files/a%2Fb",         "file",     "a/b",        NULL},
    {"GET",    "/healthz",                "healthz",  NULL,         NULL},
    {"GET",    "/v1/healthz",             "",         NULL,         NULL},
    {"GET",    "/v1/files",               "",         NULL,         NULL},
    {"GET",    "/v1/files/a/b",           "",         NULL,         NULL},
    {"GET",    "/v1/models/%",            "",         NULL,         NULL},
    {"GET",    "/v1/models/%4",           "",         NULL,         NULL},
    {"GET",    "/v1/models/%zz",          "",         NULL,         NULL},
    {"GET",    "/v1/models/%00",          "",         NULL,         NULL},
    {"GET",    "/v1/models/%ff",          "",         NULL,         NULL},
    {"GET",    "/v1/models/\xff",         "",         NULL,         NULL},
    {"GET",    "/v1/%6Dodels",            "",         NULL,         NULL},
    {"GET",    "/v1/Models",              "",         NULL,         NULL},
    {"GET",    "/",                       "",         NULL,         NULL},
    {"GET",    "/v1",                     "",         NULL,         NULL},
};

START_TEST(paths_find_their_row)
{
    dispatch(matches[_i].method, matches[_i].uri);
    ck_assert_str_eq(handled, matches[_i].endpoint);
    if (matches[_i].endpoint[0] == '\0') {
        ck_assert_int_eq(refused, ERR_NOT_FOUND);
        ck_assert_str_eq(refused_by, "fallback");
        ck_assert_int_eq(response_status_get(&fake.req), 404);
    } else {
        ck_assert_ptr_eq(fake.req.app, app);
    }
    if (matches[_i].first != NULL)
        ck_slice_eq(fake.req.params[0], matches[_i].first);
    if (matches[_i].second != NULL)
        ck_slice_eq(fake.req.params[1], matches[_i].second);
    end();
}
END_TEST

START_TEST(another_method_is_405_in_the_format_of_the_row)
{
    dispatch("PUT", "/v1/models/x");
    ck_assert_int_eq(refused, ERR_METHOD);
    ck_assert_str_eq(refused_by, "row");
    ck_assert_str_eq(handled, "");
    ck_assert_ptr_nonnull(
        strstr(fake_request_answer(&fake), "\r\nallow: GET, HEAD, POST, OPTIONS\r\n"));
    end();
    dispatch("TRACE", "/v1/chat/completions");
    ck_assert_int_eq(refused, ERR_METHOD);
    ck_assert_ptr_nonnull(strstr(fake_request_answer(&fake), "\r\nallow: POST, OPTIONS\r\n"));
    end();
}
END_TEST

START_TEST(options_tells_what_is_allowed)
{
    dispatch("OPTIONS", "/v1/files/f1");
    ck_assert_int_eq(response_status_get(&fake.req), 204);
    ck_assert_ptr_nonnull(
        strstr(fake_request_answer(&fake), "\r\nallow: GET, HEAD, DELETE, OPTIONS\r\n"));
    ck_assert_int_eq(response_bytes_sent(&fake.req), 0);
    end();
    dispatch("OPTIONS", "/v1/nothing");
    ck_assert_int_eq(refused, ERR_NOT_FOUND);
    end();
}
END_TEST

static const struct {
    const char *uri;
    int status;
    const char *handled;
    const char *has; /* in the answer */
} heads[] = {
    {"/v1/models",           200, "models",  "content-length: 4\r\n"},
    {"/v1/models/x",         200, "",        "Status: 200 OK\r\n"   },
    {"/v1/chat/completions", 404, "",        "Status: 404"          },
    {"/v1/nothing",          404, "",        "Status: 404"          },
    {"/v1",                  200, "",        "Status: 200 OK\r\n"   },
    {"/v1beta/",             200, "",        "Status: 200 OK\r\n"   },
    {"/",                    404, "",        "Status: 404"          },
    {"/healthz",             200, "healthz", "Status: 200 OK\r\n"   },
};

START_TEST(head_is_cheap_and_has_no_body)
{
    const char *head_end;

    dispatch("HEAD", heads[_i].uri);
    ck_assert_int_eq(response_status_get(&fake.req), heads[_i].status);
    ck_assert_str_eq(handled, heads[_i].handled);
    ck_assert_uint_eq(authenticated, 0);
    ck_assert_ptr_nonnull(strstr(fake_request_answer(&fake), heads[_i].has));
    head_end = strstr(fake_request_answer(&fake), "\r\n\r\n");
    ck_assert_ptr_nonnull(head_end);
    ck_assert_str_eq(head_end, "\r\n\r\n");
    end();
}
END_TEST

START_TEST(a_row_for_head_runs_its_own_handler)
{
    dispatch("HEAD", "/v1/probe");
    ck_assert_str_eq(handled, "probe");
    end();
}
END_TEST

START_TEST(rows_that_need_a_key_are_guarded)
{
    dispatch("POST", "/v1/chat/completions");
    ck_assert_uint_eq(authenticated, 1);
    ck_assert_str_eq(handled, "chat");
    end();
    dispatch("GET", "/v1/models");
    ck_assert_uint_eq(authenticated, 0);
    end();

    begin("POST", "/v1/chat/completions");
    key_result = ERR_BAD_KEY;
    router_dispatch(&fake.router, &fake.req);
    ck_assert_str_eq(handled, "");
    ck_assert_int_eq(response_status_get(&fake.req), 401);
    end();

    /* A hook that refuses without a word still gives an answer. */
    begin("POST", "/v1/chat/completions");
    key_result = ERR_UNAVAILABLE;
    router_dispatch(&fake.router, &fake.req);
    ck_assert_str_eq(handled, "");
    ck_assert_int_eq(response_status_get(&fake.req), 503);
    end();
}
END_TEST

START_TEST(a_handler_that_says_nothing_is_a_500)
{
    dispatch("GET", "/v1/silent");
    ck_assert_int_eq(refused, ERR_INTERNAL);
    ck_assert_int_eq(response_status_get(&fake.req), 500);
    end();

    begin("GET", "/v1/silent");
    fake.is_gone = true;
    router_dispatch(&fake.router, &fake.req);
    ck_assert_int_eq(refused, ERR_CLIENT_GONE);
    end();
}
END_TEST

START_TEST(find_alone_answers_nothing)
{
    unsigned allowed = 0;

    begin("GET", "/v1/models/x");
    ck_assert_int_eq(router_find(&fake.router, &fake.req, &allowed), ERR_OK);
    ck_assert_str_eq(fake.req.route->endpoint, "model");
    ck_assert_uint_eq(fake.output.n, 0);
    end();
    begin("GET", "/v1/none");
    ck_assert_int_eq(router_find(&fake.router, &fake.req, &allowed), ERR_NOT_FOUND);
    ck_assert_ptr_null(fake.req.route);
    end();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("router");
    TCase *tc = tcase_create("all");
    SRunner *runner = srunner_create(suite);
    int failed;

    suite_add_tcase(suite, tc);
    tcase_add_loop_test(tc, uris_are_normalised, 0, (int)(sizeof(uris) / sizeof(uris[0])));
    tcase_add_loop_test(tc, paths_find_their_row, 0, (int)(sizeof(matches) / sizeof(matches[0])));
    tcase_add_test(tc, another_method_is_405_in_the_format_of_the_row);
    tcase_add_test(tc, options_tells_what_is_allowed);
    tcase_add_loop_test(tc, head_is_cheap_and_has_no_body, 0,
                        (int)(sizeof(heads) / sizeof(heads[0])));
    tcase_add_test(tc, a_row_for_head_runs_its_own_handler);
    tcase_add_test(tc, rows_that_need_a_key_are_guarded);
    tcase_add_test(tc, a_handler_that_says_nothing_is_a_500);
    tcase_add_test(tc, find_alone_answers_nothing);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
