#include "tests/e2e/ask.h"

#include "tests/e2e/stack.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

enum { RETRY_AFTER_MAX_S = 60, SHOWN = 400 };

const char *ask_body(const char *model, const char *controls, const char *members)
{
    bool has_controls = *controls != 0;
    return http_printf("{\"model\":\"%s\",\"messages\":[{\"role\":\"user\",\"content\":"
                       "\"%s%s%s " ASK_CANARY "\"}]%s}",
                       model, has_controls ? "[[sim " : "", controls, has_controls ? "]]" : "",
                       members);
}

void ask_chat(const char *key, const char *body, struct http_reply *reply)
{
    struct http_call call = {
        .port = stack.webs[0].port, .path = "/v1/chat/completions", .key = key, .body = body};
    http_run(&call, reply);
}

void ask_path(const char *method, const char *path, const char *key, struct http_reply *reply)
{
    struct http_call call = {
        .port = stack.webs[0].port, .method = method, .path = path, .key = key};
    http_run(&call, reply);
}

const char *ask_id(const struct http_reply *reply)
{
    const char *id = http_header(reply, "x-request-id");
    const char *same = http_header(reply, "request-id");
    ck_assert_msg(id != NULL && strlen(id) == 26, "x-request-id is no ULID: %s in\n%s",
                  id != NULL ? id : "(absent)", reply->head);
    ck_assert_msg(same != NULL && strcmp(id, same) == 0, "x-request-id is %s, request-id %s", id,
                  same != NULL ? same : "absent");
    return id;
}

void ask_expect_status(const struct http_reply *reply, int status)
{
    ck_assert_msg(reply->status == status && reply->is_whole,
                  "expected a whole answer with status %d, seen %d (%s): %.*s", status,
                  reply->status, reply->is_whole ? "whole" : reply->fault, SHOWN, reply->body);
}

/* null and absent are told apart: the shape demands the member. */
static void expect_member(const struct http_reply *reply, const char *name, const char *expected)
{
    const char *seen = http_field(reply->body, http_printf("error.%s", name));
    ck_assert_msg(seen != NULL && strcmp(seen, expected) == 0,
                  "error.%s: expected %s, seen %s in %.*s", name, expected,
                  seen != NULL ? seen : "nothing", SHOWN, reply->body);
}

static void expect_retry_after(const struct http_reply *reply)
{
    const char *value = http_header(reply, "retry-after");
    char *end = NULL;
    long seconds = value != NULL ? strtol(value, &end, 10) : 0;
    ck_assert_msg(value != NULL && *end == 0 && seconds >= 1 && seconds <= RETRY_AFTER_MAX_S,
                  "status %d needs Retry-After in 1 to %d seconds, seen %s", reply->status,
                  RETRY_AFTER_MAX_S, value != NULL ? value : "nothing");
}

void ask_expect_error(const struct http_reply *reply, int status, const char *type,
                      const char *code, const char *param)
{
    ask_expect_status(reply, status);
    const char *content_type = http_header(reply, "content-type");
    ck_assert_msg(content_type != NULL && strncmp(content_type, "application/json", 16) == 0,
                  "an error of content type %s", content_type != NULL ? content_type : "(none)");
    const char *message = http_field(reply->body, "error.message");
    ck_assert_msg(message != NULL && *message != 0, "no error.message in %.*s", SHOWN, reply->body);
    expect_member(reply, "type", type);
    expect_member(reply, "code", code);
    expect_member(reply, "param", param != NULL ? param : "null");
    ask_id(reply);
    if (status == 429 || status == 503)
        expect_retry_after(reply);
    bool is_final = status < 429 || strcmp(code, "insufficient_quota") == 0;
    const char *should_retry = http_header(reply, "x-should-retry");
    if (is_final)
        ck_assert_msg(should_retry != NULL && strcmp(should_retry, "false") == 0,
                      "status %d needs x-should-retry: false, seen %s", status,
                      should_retry != NULL ? should_retry : "nothing");
    else
        ck_assert_msg(should_retry == NULL || strcmp(should_retry, "true") == 0,
                      "status %d may be retried, but x-should-retry is %s", status, should_retry);
}

static size_t count_done(const struct http_reply *reply)
{
    size_t count = 0;
    for (size_t i = 0; i < reply->events_n; i++)
        count += strcmp(http_event_data(reply, i), "[DONE]") == 0;
    return count;
}

void ask_expect_stream_error(const struct http_reply *reply)
{
    ask_expect_status(reply, 200);
    ck_assert_msg(reply->events_n > 0, "no event in %.*s", SHOWN, reply->body);
    const char *last = http_event_data(reply, reply->events_n - 1);
    const char *message = http_field(last, "error.message");
    ck_assert_msg(message != NULL && *message != 0, "the last event is no error: %.*s", SHOWN,
                  last);
    ck_assert_msg(http_field(last, "error.type") != NULL, "an error without type: %s", last);
    ck_assert_msg(http_field(last, "error.code") != NULL, "an error without code: %s", last);
    ck_assert_msg(count_done(reply) == 0, "[DONE] in a stream that failed");
}

void ask_expect_done(const struct http_reply *reply)
{
    ask_expect_status(reply, 200);
    size_t count = count_done(reply);
    ck_assert_msg(count == 1, "expected one [DONE], seen %zu in %.*s", count, SHOWN, reply->body);
    ck_assert_str_eq(http_event_data(reply, reply->events_n - 1), "[DONE]");
}
