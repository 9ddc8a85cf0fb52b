/* What is each format's own at the edge: what is left out or refused, headers, costs inside answers,
 * ends of streams. */
#include "tests/e2e/suites.h"

#include "tests/e2e/ask.h"
#include "tests/e2e/books.h"
#include "tests/e2e/dialect.h"
#include "tests/e2e/seen.h"
#include "tests/e2e/stack.h"

#include <stdlib.h>
#include <string.h>

enum { FORMS = 2, PROVIDERS = 4 };

static void expect_field(const struct http_reply *reply, const char *path, const char *expected)
{
    const char *seen = http_field(reply->body, path);
    ck_assert_msg(seen != NULL && strcmp(seen, expected) == 0, "%s: expected %s, seen %s in %d %s",
                  path, expected, seen != NULL ? seen : "nothing", reply->status, reply->body);
}

/* ---- what cannot be carried over ---- */

static const struct {
    const char *client, *provider, *members, *names;
} drops[] = {
    {"openai-chat",        "anthropic",        ",\"seed\":1,\"presence_penalty\":0.5", "seed,presence_penalty"},
    {"openai-chat",        "openai-responses", ",\"seed\":1",                          "seed"                 },
    {"openai-chat",        "gemini",
     ",\"parallel_tool_calls\":false,\"tools\":[{\"type\":\"function\","
     "\"function\":{\"name\":\"f\"}}]",                                                "parallel_tool_calls"  },
    {"openai-responses",   "anthropic",        ",\"prompt_cache_key\":\"k\"",          "prompt_cache_key"     },
    {"openai-responses",   "gemini",           ",\"text\":{\"verbosity\":\"low\"}",    "text.verbosity"       },
    {"anthropic",          "openai-chat",      ",\"top_k\":5",                         "top_k"                },
    {"anthropic",          "gemini",           ",\"metadata\":{\"user_id\":\"u\"}",    "metadata.user_id"     },
    {"gemini",             "openai-chat",      ",\"generationConfig\":{\"topK\":5}",   "generationConfig.topK"},
    {"gemini",             "anthropic",        ",\"generationConfig\":{\"seed\":5}",   "generationConfig.seed"},
    {"gemini",             "openai-responses",
     ",\"safetySettings\":[{\"category\":\"HARM_CATEGORY_HARASSMENT\","
     "\"threshold\":\"BLOCK_NONE\"}]",                                                 "safetySettings"       },
    {"openai-completions", "anthropic",        ",\"seed\":1",                          "seed"                 },
};

START_TEST(what_is_left_out_is_named_in_the_clients_words)
{
    const struct dialect *d = dialect_find(drops[_i].client);
    const char *model = http_printf("by-%s", drops[_i].provider);
    struct customer c = customer_new("10");
    for (int is_stream = 0; is_stream < FORMS; is_stream++) {
        struct http_reply reply;
        struct said said;
        dialect_ask(d, c.key, model, d->body(model, "hello", is_stream, drops[_i].members),
                    is_stream, &reply, &said);
        ck_assert_msg(reply.status == 200, "%s to %s: %d %s", d->name, model, reply.status,
                      reply.body);
        const char *seen = http_header(&reply, "x-aipass-dropped");
        ck_assert_msg(seen != NULL && strcmp(seen, drops[_i].names) == 0,
                      "%s to %s: expected %s, seen %s", d->name, model, drops[_i].names,
                      seen != NULL ? seen : "nothing");
        http_reply_clear(&reply);
    }
    if (strcmp(drops[_i].client, drops[_i].provider) != 0) {
        struct http_reply reply;
        struct said said;
        dialect_ask(d, c.key, model, d->body(model, "hello", false, ""), false, &reply, &said);
        ck_assert_ptr_null(http_header(&reply, "x-aipass-dropped"));
        http_reply_clear(&reply);
    }
}
END_TEST

#define CHAT_PARTS(parts)                                                                          \
    "{\"model\":\"%s\",\"messages\":[{\"role\":\"user\",\"content\":[" parts "]}]}"

/* body: printed with the model. where: the path that the refusal names. */
static const struct {
    const char *client, *provider, *body, *where;
} refusals[] = {
    {"openai-chat",      "anthropic",
     "{\"model\":\"%s\",\"n\":2,\"messages\":[{\"role\":\"user\",\"content\":\"x\"}]}",             "n"                                },
    {"openai-chat",      "openai-responses",
     "{\"model\":\"%s\",\"n\":2,\"messages\":[{\"role\":\"user\",\"content\":\"x\"}]}",             "n"                                },
    {"openai-chat",      "anthropic",
     "{\"model\":\"%s\",\"logprobs\":true,\"messages\":[{\"role\":\"user\",\"content\":\"x\"}]}",   "logprobs"                         },
    {"openai-chat",      "gemini",           CHAT_PARTS("{\"type\":\"mystery\",\"mystery\":1}"),
     "messages[0].content[0]"                                                                                                          },
    {"openai-responses", "anthropic",
     "{\"model\":\"%s\",\"input\":\"x\",\"top_logprobs\":3,\"include\":[\"message.output_text."
     "logprobs\"]}",                                                                                "include"                          },
    {"openai-responses", "gemini",
     "{\"model\":\"%s\",\"input\":[{\"role\":\"user\",\"content\":[{\"type\":\"mystery\"}]}]}",     "input[0].content[0]"              },
    {"anthropic",        "openai-chat",
     "{\"model\":\"%s\",\"max_tokens\":9,\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":"
     "\"mystery\"}]}]}",                                                                            "messages[0].content[0]"           },
    {"gemini",           "openai-responses",
     "{\"contents\":[{\"parts\":[{\"text\":\"x\"}]}],\"generationConfig\":{\"candidateCount\":2}}", "generationConfig.candidateCount"  },
    {"gemini",           "anthropic",
     "{\"contents\":[{\"parts\":[{\"text\":\"x\"}]}],\"generationConfig\":{\"responseLogprobs\":"
     "true}}",                                                                                      "generationConfig.responseLogprobs"},
    {"gemini",           "openai-chat",      "{\"contents\":[{\"parts\":[{\"mystery\":1}]}]}",
     "contents[0].parts[0]"                                                                                                            },
    {"gemini",           "openai-chat",
     "{\"contents\":[{\"parts\":[{\"text\":\"x\"}]}],\"cachedContent\":\"cachedContents/1\"}",      "cachedContent"                    },
};

START_TEST(what_would_change_the_answer_is_refused_with_its_path)
{
    const struct dialect *d = dialect_find(refusals[_i].client);
    const char *model = http_printf("by-%s", refusals[_i].provider);
    const char *where = refusals[_i].where;
    struct customer c = customer_new("10");
    struct http_reply reply;
    struct said said;
    char body[1024];
    const char *hole = strstr(refusals[_i].body, "%s");
    if (hole != NULL)
        snprintf(body, sizeof(body), "%.*s%s%s", (int)(hole - refusals[_i].body), refusals[_i].body,
                 model, hole + 2);
    else
        snprintf(body, sizeof(body), "%s", refusals[_i].body);
    int64_t before = seen_count(0, "requests");
    dialect_ask(d, c.key, model, body, false, &reply, &said);
    ck_assert_int_eq(seen_count(0, "requests"), before);
    ck_assert_msg(reply.status == 400, "%s to %s: %d %s", d->name, model, reply.status, reply.body);
    const char *message = http_field(reply.body, "error.message");
    ck_assert_msg(message != NULL && strncmp(message, where, strlen(where)) == 0,
                  "%s to %s: expected %s, seen %s", d->name, model, where, reply.body);
    if (strncmp(d->name, "openai", 6) == 0)
        ck_assert_msg(strncmp(http_field(reply.body, "error.param"), where, strlen(where)) == 0,
                      "%s", reply.body);
    ck_assert_str_eq(http_header(&reply, "x-should-retry"), "false");
    http_reply_clear(&reply);
}
END_TEST

START_TEST(urls_that_may_be_fetched_lead_to_public_addresses_only)
{
    static const char *const urls[] = {
        "https://127.0.0.1/a.png",    "https://localhost/a.png",
        "https://[::1]/a.png",        "https://169.254.169.254/latest",
        "https://127.0.0.1:%d/a.png", "http://127.0.0.1:%d/a.png"};
    struct customer c = customer_new("10");
    int64_t before = seen_count(0, "connections_accepted");
    for (size_t i = 0; i < sizeof(urls) / sizeof(urls[0]); i++) {
        char url[64];
        const char *hole = strstr(urls[i], "%d");
        snprintf(url, sizeof(url), "%s", urls[i]);
        if (hole != NULL)
            snprintf(url, sizeof(url), "%.*s%d%s", (int)(hole - urls[i]), urls[i],
                     stack.sims[0].port, hole + 2);
        struct http_reply reply;
        ask_chat(
            c.key,
            http_printf("{\"model\":\"by-gemini\",\"messages\":[{\"role\":\"user\",\"content\":"
                        "[{\"type\":\"image_url\",\"image_url\":{\"url\":\"%s\"}}]}]}",
                        url),
            &reply);
        ask_expect_error(&reply, 400, "invalid_request_error", "bad_request",
                         "messages[0].content[0]");
        const char *message = http_field(reply.body, "error.message");
        ck_assert_msg(strstr(message, "public") != NULL || strstr(message, "only https") != NULL,
                      "%s: %s", url, message);
        http_reply_clear(&reply);
    }
    /* One more connection: the question itself. */
    ck_assert_int_eq(seen_count(0, "connections_accepted"), before + 1);
}
END_TEST

/* ---- headers ---- */

START_TEST(headers_of_a_providers_own_do_not_reach_the_client)
{
    static const char *const never[] = {"anthropic-ratelimit", "x-codex",     "set-cookie",
                                        "openai-organization", "x-ratelimit", "openai-project"};
    const struct dialect *d = &dialects[_i];
    struct customer c = customer_new("10");
    for (size_t i = 0; i < dialect_providers_n * FORMS; i++) {
        const char *model = http_printf("by-%s", dialect_providers[i / FORMS]);
        bool is_stream = i % FORMS;
        struct http_reply reply;
        struct said said;
        dialect_ask(d, c.key, model, d->body(model, "[[sim secrets]] hi", is_stream, ""), is_stream,
                    &reply, &said);
        ask_expect_status(&reply, 200);
        for (size_t k = 0; k < sizeof(never) / sizeof(never[0]); k++)
            ck_assert_msg(strcasestr(reply.head, never[k]) == NULL, "%s to %s: %s", d->name, model,
                          reply.head);
        http_reply_clear(&reply);
        dialect_ask(d, c.key, model, d->body(model, "[[sim secrets,status=429]] hi", is_stream, ""),
                    is_stream, &reply, &said);
        for (size_t k = 0; k < sizeof(never) / sizeof(never[0]); k++)
            ck_assert_msg(strcasestr(reply.head, never[k]) == NULL, "%s to %s: %s", d->name, model,
                          reply.head);
        http_reply_clear(&reply);
    }
}
END_TEST

START_TEST(anthropics_version_and_betas_go_to_anthropic_only)
{
    struct customer c = customer_new("10");
    struct http_reply reply;
    static const char *const models[] = {"by-anthropic", "by-openai-chat"};
    for (size_t i = 0; i < 2; i++) {
        const char *prompt = http_printf("betas for %s", models[i]);
        const struct dialect *d = dialect_find("anthropic");
        struct http_call call = {
            .port = stack.webs[0].port,
            .path = "/v1/messages?beta=true",
            .key = c.key,
            .headers = {"anthropic-version: 2026-10-21", "anthropic-beta: one-2026,two-2026",
                        "cookie: secret=1", "x-forwarded-for: 10.0.0.1", "openai-organization: o"},
            .body = d->body(models[i], prompt, false, "")
        };
        http_run(&call, &reply);
        ask_expect_status(&reply, 200);
        const char *seen = seen_request(0, prompt);
        if (i == 0) {
            ck_assert_str_eq(seen_header(seen, "anthropic-version"), "2026-10-21");
            ck_assert_str_eq(seen_header(seen, "anthropic-beta"), "one-2026,two-2026");
            ck_assert_str_eq(seen_header(seen, "x-api-key"), "provider-key-by-anthropic");
            ck_assert_ptr_null(seen_header(seen, "authorization"));
        } else {
            ck_assert_ptr_null(seen_header(seen, "anthropic-version"));
            ck_assert_ptr_null(seen_header(seen, "anthropic-beta"));
        }
        ck_assert_ptr_null(seen_header(seen, "cookie"));
        ck_assert_ptr_null(seen_header(seen, "x-forwarded-for"));
        ck_assert_ptr_null(seen_header(seen, "openai-organization"));
        http_reply_clear(&reply);
    }
}
END_TEST

/* ---- costs ---- */

/* The cost that the last usage of an answer tells; NULL: none. */
static const char *cost_of(const struct http_reply *reply, bool is_stream)
{
    static const char *const places[] = {"usage.cost", "response.usage.cost", "usageMetadata.cost"};
    const char *cost = NULL;
    for (size_t i = 0; i < (is_stream ? reply->events_n : 1); i++)
        for (size_t k = 0; k < sizeof(places) / sizeof(places[0]); k++) {
            const char *seen =
                http_field(is_stream ? http_event_data(reply, i) : reply->body, places[k]);
            cost = seen != NULL ? seen : cost;
        }
    return cost;
}

START_TEST(the_cost_stands_in_the_usage_when_it_is_asked_for)
{
    const struct dialect *d = &dialects[_i];
    struct customer c = customer_new("10");
    for (size_t i = 0; i < dialect_providers_n * FORMS; i++) {
        const char *model = http_printf("by-%s", dialect_providers[i / FORMS]);
        bool is_stream = i % FORMS;
        const char *body =
            d->body(model, "[[sim prompt=100,tokens=3,completion=30]] hi", is_stream, "");
        struct http_reply reply;
        struct said said;
        dialect_ask_with(d, c.key, model, body, is_stream, "x-aipass-cost: include", &reply, &said);
        ask_expect_status(&reply, 200);
        const char *cost = cost_of(&reply, is_stream);
        ck_assert_msg(cost != NULL && strtod(cost, NULL) > 0.000399 &&
                          strtod(cost, NULL) < 0.000401,
                      "%s to %s, %s: cost %s in %s", d->name, model, is_stream ? "stream" : "whole",
                      cost != NULL ? cost : "nowhere", reply.body);
        books_expect(ask_id(&reply), "cost", "0.000400000");
        http_reply_clear(&reply);
        dialect_ask(d, c.key, model, body, is_stream, &reply, &said);
        ck_assert_msg(cost_of(&reply, is_stream) == NULL, "%s to %s: a cost unasked in %s", d->name,
                      model, reply.body);
        http_reply_clear(&reply);
    }
}
END_TEST

/* ---- ends ---- */

START_TEST(a_stop_sequence_is_cut_out_for_a_provider_that_knows_none)
{
    static const struct {
        const char *client, *members;
    } stops[] = {
        {"openai-chat",        ",\"stop\":[\"HALT\"]"                                },
        {"anthropic",          ",\"stop_sequences\":[\"HALT\"]"                      },
        {"gemini",             ",\"generationConfig\":{\"stopSequences\":[\"HALT\"]}"},
        {"openai-completions", ",\"stop\":\"HALT\""                                  },
    };
    const struct dialect *d = dialect_find(stops[_i / FORMS].client);
    bool is_stream = _i % FORMS;
    struct customer c = customer_new("10");
    struct http_reply reply;
    struct said said;
    dialect_ask(d, c.key, "by-openai-responses",
                d->body("by-openai-responses",
                        "[[sim text=one two HALT three four,tokens=20,chunk=2,prompt=50]] go",
                        is_stream, stops[_i / FORMS].members),
                is_stream, &reply, &said);
    ask_expect_status(&reply, 200);
    ck_assert_msg(strcmp(said.text, "one two ") == 0, "%s: seen '%s' in %s", d->name, said.text,
                  reply.body);
    ck_assert_msg(!is_stream || said.is_ended, "no proper end: %s", reply.body);
    ck_assert_msg(strcmp(said.finish, strcmp(d->name, "anthropic") == 0 ? "stop_sequence"
                                      : strcmp(d->name, "gemini") == 0  ? "STOP"
                                                                        : "stop") == 0,
                  "%s: %s", d->name, said.finish);
    books_expect(ask_id(&reply), "status", "ok");
    books_expect(ask_id(&reply), "cost > 0 AND output_tokens > 0", "1");
    http_reply_clear(&reply);
}
END_TEST

START_TEST(a_client_gets_the_form_it_asked_for_whatever_the_provider_does)
{
    const struct dialect *d = &dialects[_i];
    struct customer c = customer_new("10");
    for (size_t i = 0; i < dialect_providers_n * FORMS; i++) {
        const char *model = http_printf("by-%s", dialect_providers[i / FORMS]);
        bool is_stream = i % FORMS;
        struct http_reply reply;
        struct said said;
        dialect_ask(
            d, c.key, model,
            d->body(model, "[[sim flip,prompt=70,tokens=5,completion=20]] hi", is_stream, ""),
            is_stream, &reply, &said);
        ck_assert_msg(reply.status == 200 && (!is_stream || said.is_ended) && said.text[0] != 0,
                      "%s by %s: %d %s", d->name, model, reply.status, reply.body);
        const char *type = http_header(&reply, "content-type");
        ck_assert_msg(strstr(type, is_stream ? "text/event-stream" : "application/json") != NULL,
                      "%s by %s: %s", d->name, model, type);
        /* Chat tells no usage in a stream that was not to be one. */
        if (is_stream || i / FORMS > 0) {
            ck_assert_msg(said.input == 70 && said.output == 20, "%s by %s: %s", d->name, model,
                          reply.body);
            books_expect(ask_id(&reply), "output_tokens", "20");
        }
        http_reply_clear(&reply);
    }
}
END_TEST

START_TEST(an_exhausted_balance_has_the_status_that_the_formats_clients_stop_at)
{
    static const struct {
        int status;
        const char *path, *word;
    } expected[] = {
        {429, "error.code",   "insufficient_quota" },
        {429, "error.code",   "insufficient_quota" },
        {402, "error.type",   "billing_error"      },
        {402, "error.status", "FAILED_PRECONDITION"},
        {429, "error.code",   "insufficient_quota" },
    };
    const struct dialect *d = &dialects[_i];
    struct customer c = customer_new("0");
    for (size_t i = 0; i < dialect_providers_n * FORMS; i++) {
        const char *model = http_printf("by-%s", dialect_providers[i / FORMS]);
        bool is_stream = i % FORMS;
        struct http_reply reply;
        struct said said;
        dialect_ask(d, c.key, model, d->body(model, "hi", is_stream, ""), is_stream, &reply, &said);
        ask_expect_status(&reply, expected[_i].status);
        expect_field(&reply, expected[_i].path, expected[_i].word);
        ck_assert_str_eq(http_header(&reply, "x-should-retry"), "false");
        http_reply_clear(&reply);
    }
}
END_TEST

static size_t count_of(const char *text, const char *needle)
{
    size_t n = 0;
    for (text = strstr(text, needle); text != NULL; text = strstr(text + 1, needle))
        n++;
    return n;
}

START_TEST(a_silent_provider_is_bridged_by_the_formats_own_pings)
{
    static const char *const pings[] = {": keep-alive\n\n", "event: keepalive\n", "event: ping\n",
                                        "\n", ": keep-alive\n\n"};
    const struct dialect *d = &dialects[_i];
    struct customer c = customer_new("10");
    for (size_t i = 0; i < dialect_providers_n; i++) {
        const char *model = http_printf("by-%s", dialect_providers[i]);
        struct http_reply reply;
        struct said said;
        dialect_ask(d, c.key, model, d->body(model, "[[sim ms=1100,tokens=2]] hi", true, ""), true,
                    &reply, &said);
        ask_expect_status(&reply, 200);
        ck_assert_msg(said.is_ended && said.text[0] != 0, "%s to %s: %s", d->name, model,
                      reply.body);
        ck_assert_msg(count_of(reply.body, pings[_i]) >= 2, "%s to %s: %s", d->name, model,
                      reply.body);
        if (strcmp(d->name, "gemini") == 0) /* its older clients break on comments */
            ck_assert_msg(strstr(reply.body, "\n:") == NULL && reply.body[0] != ':', "%s",
                          reply.body);
        http_reply_clear(&reply);
    }
}
END_TEST

static void ask_array(const char *key, const char *model, const char *prompt,
                      struct http_reply *reply)
{
    const struct dialect *d = dialect_find("gemini");
    struct http_call call = {.port = stack.webs[0].port,
                             .path = http_printf("/v1beta/models/%s:streamGenerateContent", model),
                             .key = key,
                             .body = d->body(model, prompt, true, "")};
    http_run(&call, reply);
}

/* How many items the array has; fails the test when the body is none. */
static int array_size(const struct http_reply *reply)
{
    int n = 0;
    size_t end = reply->body_n;
    while (end > 0 && strchr(" \r\n", reply->body[end - 1]) != NULL)
        end--;
    while (http_field(reply->body, http_printf("%d", n)) != NULL)
        n++;
    ck_assert_msg(n > 0 && end > 0 && reply->body[end - 1] == ']', "no JSON array: %s",
                  reply->body);
    return n;
}

START_TEST(a_gemini_stream_without_sse_is_one_json_array)
{
    const char *model = http_printf("by-%s", dialect_providers[_i]);
    struct customer c = customer_new("10");
    struct http_reply reply;
    ask_array(c.key, model, "[[sim ms=700,tokens=6,prompt=40,completion=6]] hi", &reply);
    ask_expect_status(&reply, 200);
    ck_assert_msg(strstr(http_header(&reply, "content-type"), "application/json") != NULL, "%s",
                  reply.head);
    int n = array_size(&reply);
    ck_assert_str_eq(http_field(reply.body, http_printf("%d.candidates.0.finishReason", n - 1)),
                     "STOP");
    ck_assert_str_eq(
        http_field(reply.body, http_printf("%d.usageMetadata.promptTokenCount", n - 1)), "40");
    books_expect(ask_id(&reply), "output_tokens", "6");
    http_reply_clear(&reply);
    static const char *const faults[] = {"error_in=3", "cut=3", "malformed=3"};
    for (size_t i = 0; i < 3; i++) {
        ask_array(c.key, model, http_printf("[[sim tokens=9,%s]] hi", faults[i]), &reply);
        ask_expect_status(&reply, 200);
        n = array_size(&reply);
        ck_assert_msg(http_field(reply.body, http_printf("%d.error.status", n - 1)) != NULL,
                      "%s, %s: %s", model, faults[i], reply.body);
        books_expect(ask_id(&reply), "status", "cut");
        http_reply_clear(&reply);
    }
}
END_TEST

static void add(TCase *t)
{
    int all = (int)dialects_n;
    tcase_add_loop_test(t, what_is_left_out_is_named_in_the_clients_words, 0,
                        (int)(sizeof(drops) / sizeof(drops[0])));
    tcase_add_loop_test(t, what_would_change_the_answer_is_refused_with_its_path, 0,
                        (int)(sizeof(refusals) / sizeof(refusals[0])));
    tcase_add_test(t, urls_that_may_be_fetched_lead_to_public_addresses_only);
    tcase_add_loop_test(t, headers_of_a_providers_own_do_not_reach_the_client, 0, all);
    tcase_add_test(t, anthropics_version_and_betas_go_to_anthropic_only);
    tcase_add_loop_test(t, the_cost_stands_in_the_usage_when_it_is_asked_for, 0, all);
    tcase_add_loop_test(t, a_stop_sequence_is_cut_out_for_a_provider_that_knows_none, 0, 4 * FORMS);
    tcase_add_loop_test(t, a_client_gets_the_form_it_asked_for_whatever_the_provider_does, 0, all);
    tcase_add_loop_test(t, an_exhausted_balance_has_the_status_that_the_formats_clients_stop_at, 0,
                        all);
    tcase_add_loop_test(t, a_silent_provider_is_bridged_by_the_formats_own_pings, 0, all);
    tcase_add_loop_test(t, a_gemini_stream_without_sse_is_one_json_array, 0, PROVIDERS);
}

const struct suite_part part_formats = {"formats", NULL, add};
