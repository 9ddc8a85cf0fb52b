/* parameter_overrides: what a provider gets instead of what the client sent. */
#include "tests/e2e/suites.h"

#include "tests/e2e/ask.h"
#include "tests/e2e/seen.h"
#include "tests/e2e/stack.h"

#include <inttypes.h>
#include <string.h>

static void seed(void)
{
    int64_t gpt = model_new("gpt-5", "1.25", "10");
    int64_t tuned = model_new("tuned", "1", "1");
    int64_t openai = channel_new("openai-like", "openai", stack.sims[0].port, 0);
    int64_t other = channel_new("tuned", "demo", stack.sims[0].port, 0);
    channel_serves(openai, gpt, NULL);
    channel_serves(other, tuned, "tuned-upstream");
    sql_run("INSERT INTO parameter_overrides (channel_id, model_pattern, action, member, value) "
            "VALUES (%" PRId64 ", 'tuned-%%', 'set', 'top_k', '{\"x\":[1,2]}'), "
            "(%" PRId64 ", 'tuned-%%', 'default', 'temperature', '0.5'), "
            "(%" PRId64 ", '%%', 'remove', 'user', NULL), "
            "(%" PRId64 ", '%%', 'rename', 'stop', 'stop_sequences'), "
            "(%" PRId64 ", 'another-model', 'set', 'never', '1')",
            other, other, other, other, other);
}

/* The body that the provider got for a body with this tag. */
static const char *sent_for(const char *model, const char *tag, const char *members)
{
    struct customer c = customer_new("10");
    struct http_reply reply;
    ask_chat(c.key, ask_body(model, "tokens=1", http_printf(",\"tag\":\"%s\"%s", tag, members)),
             &reply);
    ask_expect_status(&reply, 200);
    http_reply_clear(&reply);
    const char *seen = seen_request(0, tag);
    ck_assert_msg(seen != NULL, "the provider got no request tagged %s", tag);
    return http_field(seen, "body");
}

static void expect(const char *body, const char *path, const char *expected)
{
    const char *value = http_field(body, path);
    if (expected == NULL)
        ck_assert_msg(value == NULL, "%s was sent: %s", path, body);
    else
        ck_assert_msg(value != NULL && strcmp(value, expected) == 0,
                      "%s: expected %s, seen %s in %s", path, expected,
                      value != NULL ? value : "nothing", body);
}

START_TEST(reasoning_models_of_openai_get_max_completion_tokens_and_no_temperature)
{
    const char *body = sent_for("gpt-5", "override-gpt",
                                ",\"max_tokens\":77,\"temperature\":0.3,\"top_p\":0.9,"
                                "\"presence_penalty\":0");
    expect(body, "max_completion_tokens", "77");
    expect(body, "max_tokens", NULL);
    expect(body, "temperature", NULL);
    expect(body, "top_p", NULL);
    expect(body, "presence_penalty", "0");
    expect(body, "model", "gpt-5");
}
END_TEST

START_TEST(other_providers_get_what_the_client_sent)
{
    const char *body =
        sent_for("demo", "override-none", ",\"max_tokens\":77,\"temperature\":0.3,\"top_p\":0.9");
    expect(body, "max_tokens", "77");
    expect(body, "temperature", "0.3");
    expect(body, "top_p", "0.9");
}
END_TEST

START_TEST(rows_set_default_remove_and_rename_members)
{
    const char *body = sent_for("tuned", "override-rows-1",
                                ",\"top_k\":5,\"user\":\"u\",\"stop\":[\"a\"],\"keep\":\"k\"");
    expect(body, "model", "tuned-upstream");
    expect(body, "top_k", "{\"x\":[1,2]}");
    expect(body, "temperature", "0.5");
    expect(body, "user", NULL);
    expect(body, "stop", NULL);
    expect(body, "stop_sequences", "[\"a\"]");
    expect(body, "never", NULL);
    expect(body, "keep", "k");
    body = sent_for("tuned", "override-rows-2", ",\"temperature\":0.9");
    expect(body, "temperature", "0.9");
    expect(body, "top_k", "{\"x\":[1,2]}");
    expect(body, "stop_sequences", NULL);
}
END_TEST

static void add(TCase *t)
{
    tcase_add_test(t, reasoning_models_of_openai_get_max_completion_tokens_and_no_temperature);
    tcase_add_test(t, other_providers_get_what_the_client_sent);
    tcase_add_test(t, rows_set_default_remove_and_rename_members);
}

const struct suite_part part_override = {"override", seed, add};
