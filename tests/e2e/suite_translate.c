/* Every client format to every provider format, streamed and whole: what is said arrives, tools work in a loop, usage is counted once and alike, errors have the client's shape. */
#include "tests/e2e/suites.h"

#include "tests/e2e/ask.h"
#include "tests/e2e/books.h"
#include "tests/e2e/dialect.h"
#include "tests/e2e/stack.h"

#include <string.h>

enum { PROVIDERS = 4, FORMS = 2 };

struct pair {
    const struct dialect *client;
    const char *provider;
    const char *model;
    bool is_stream;
};

/* i: from 0 to dialects_n * PROVIDERS * FORMS. */
static struct pair pair_of(int i)
{
    struct pair p = {.is_stream = i % FORMS == 1};
    p.provider = dialect_providers[i / FORMS % PROVIDERS];
    p.client = &dialects[i / FORMS / PROVIDERS];
    p.model = http_printf("by-%s", p.provider);
    return p;
}

static void expect_answer(const struct pair *p, const struct http_reply *reply,
                          const struct said *said)
{
    ck_assert_msg(reply->status == 200 && reply->is_whole, "%s to %s, %s: %d %s %s",
                  p->client->name, p->provider, p->is_stream ? "stream" : "whole", reply->status,
                  reply->fault, reply->body);
    ck_assert_msg(!p->is_stream || said->is_ended, "%s to %s: no proper end: %s", p->client->name,
                  p->provider, reply->body);
}

START_TEST(what_the_provider_says_arrives_and_is_counted_alike)
{
    struct pair p = pair_of(_i);
    struct customer c = customer_new("10");
    struct http_reply reply;
    struct said said;
    dialect_ask(p.client, c.key, p.model,
                p.client->body(p.model, "[[sim tokens=7,prompt=100,cached=20,completion=30]] hello",
                               p.is_stream, ""),
                p.is_stream, &reply, &said);
    expect_answer(&p, &reply, &said);
    ck_assert_msg(strlen(said.text) > 10, "%s to %s: %s", p.client->name, p.provider, reply.body);
    ck_assert_msg(said.input == 100 && said.output == 30, "%s to %s: %ld and %ld tokens in %s",
                  p.client->name, p.provider, said.input, said.output, reply.body);
    const char *id = ask_id(&reply);
    books_expect(id, "input_tokens", "80");
    books_expect(id, "cached_input_tokens", "20");
    books_expect(id, "output_tokens", "30");
    books_expect(id, "cost", "0.000382000");
    books_expect(id, "usage_method", "provider");
    books_expect(id, "client_format", p.client->name);
    books_expect(id, "provider_format", p.provider);
    books_expect(id, "status", "ok");
    http_reply_clear(&reply);
}
END_TEST

START_TEST(whole_and_streamed_answers_say_the_same)
{
    struct pair p = pair_of(_i * FORMS);
    struct customer c = customer_new("10");
    struct http_reply reply;
    struct said said[FORMS];
    for (int form = 0; form < FORMS; form++) {
        p.is_stream = form == 1;
        dialect_ask(p.client, c.key, p.model,
                    p.client->body(p.model, "[[sim tokens=9]] the same", p.is_stream, ""),
                    p.is_stream, &reply, &said[form]);
        expect_answer(&p, &reply, &said[form]);
        http_reply_clear(&reply);
    }
    ck_assert_str_eq(said[0].text, said[1].text);
    ck_assert_str_eq(said[0].finish, said[1].finish);
}
END_TEST

START_TEST(a_tool_is_called_and_its_result_is_used)
{
    struct pair p = pair_of(_i);
    struct customer c = customer_new("10");
    struct http_reply reply;
    struct said said, answer;
    dialect_ask(p.client, c.key, p.model,
                p.client->tool_body(p.model, "[[sim tool=1]] weather?", p.is_stream, NULL, NULL),
                p.is_stream, &reply, &said);
    expect_answer(&p, &reply, &said);
    ck_assert_msg(strcmp(said.call_name, "get_weather") == 0, "%s to %s: %s", p.client->name,
                  p.provider, reply.body);
    ck_assert_msg(http_field(said.call_args, "city") != NULL, "arguments: %s", said.call_args);
    if (strcmp(p.client->name, p.provider) != 0) /* passed through: as the provider does it */
        ck_assert_msg(said.call_id[0] != 0, "no id: %s", reply.body);
    http_reply_clear(&reply);
    dialect_ask(p.client, c.key, p.model,
                p.client->tool_body(p.model, "weather?", p.is_stream, &said, "rain of 4711 frogs"),
                p.is_stream, &reply, &answer);
    expect_answer(&p, &reply, &answer);
    ck_assert_msg(strstr(answer.text, "4711 frogs") != NULL, "%s to %s: %s", p.client->name,
                  p.provider, reply.body);
    http_reply_clear(&reply);
}
END_TEST

/* Status and words by client format for errors of each class. */
static const struct {
    const char *controls;
    int status[5]; /* in the order of dialects */
    const char *word[5];
    const char *path[5];
} refusals[] = {
    {"status=400",
     {400, 400, 400, 400, 400},
     {"invalid_request_error", "invalid_request_error", "invalid_request_error", "INVALID_ARGUMENT",
      "invalid_request_error"},
     {"error.type", "error.type", "error.type", "error.status", "error.type"}},
    {"status=503",
     {503, 503, 529, 503, 503},
     {"server_error", "server_error", "overloaded_error", "UNAVAILABLE", "server_error"},
     {"error.type", "error.type", "error.type", "error.status", "error.type"}},
    {"status=429",
     {429, 429, 429, 429, 429},
     {"rate_limit_exceeded", "rate_limit_exceeded", "rate_limit_error", "RESOURCE_EXHAUSTED",
      "rate_limit_exceeded"},
     {"error.code", "error.code", "error.type", "error.status", "error.code"}},
    {"status=401",
     {503, 503, 529, 503, 503},
     {"server_error", "server_error", "overloaded_error", "UNAVAILABLE", "server_error"},
     {"error.type", "error.type", "error.type", "error.status", "error.type"}},
};

START_TEST(a_providers_refusal_has_the_clients_shape)
{
    struct pair p = pair_of(_i);
    size_t client = (size_t)(p.client - dialects);
    struct customer c = customer_new("10");
    for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
        struct http_reply reply;
        struct said said;
        dialect_ask(p.client, c.key, p.model,
                    p.client->body(p.model, http_printf("[[sim %s]] no", refusals[i].controls),
                                   p.is_stream, ""),
                    p.is_stream, &reply, &said);
        const char *word = http_field(reply.body, refusals[i].path[client]);
        ck_assert_msg(reply.status == refusals[i].status[client] && word != NULL &&
                          strcmp(word, refusals[i].word[client]) == 0,
                      "%s to %s, %s: %d %s", p.client->name, p.provider, refusals[i].controls,
                      reply.status, reply.body);
        books_expect(ask_id(&reply), "cost", "0.000000000");
        http_reply_clear(&reply);
    }
}
END_TEST

START_TEST(a_stream_that_is_cut_ends_with_an_error_and_is_charged)
{
    struct pair p = pair_of(_i * FORMS + 1);
    struct customer c = customer_new("10");
    struct http_reply reply;
    struct said said;
    dialect_ask(p.client, c.key, p.model,
                p.client->body(p.model, "[[sim tokens=20,cut=5]] cut", true, ""), true, &reply,
                &said);
    ck_assert_int_eq(reply.status, 200);
    ck_assert_msg(!said.is_ended, "%s to %s: %s", p.client->name, p.provider, reply.body);
    ck_assert_msg(strstr(reply.body, "error") != NULL, "%s to %s: %s", p.client->name, p.provider,
                  reply.body);
    const char *id = ask_id(&reply);
    books_expect(id, "status", "cut");
    /* Gemini tells what was used with each chunk; others only at the end. */
    books_expect(id, "usage_method", strcmp(p.provider, "gemini") == 0 ? "provider" : "bytes4");
    ck_assert_msg(strcmp(books_row(id, "cost"), "0.000000000") > 0, "not charged");
    http_reply_clear(&reply);
}
END_TEST

/* Parts by URL, and the provider format that takes bytes only. */
static const struct {
    const char *client, *provider, *body, *where;
} by_url[] = {
    {"openai-chat",      "gemini",
     "{\"model\":\"by-gemini\",\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"image_"
     "url\","
     "\"image_url\":{\"url\":\"https://127.0.0.1/a.png\"}}]}]}",                            "messages[0].content[0]"},
    {"openai-responses", "openai-chat",
     "{\"model\":\"by-openai-chat\",\"input\":[{\"role\":\"user\",\"content\":[{\"type\":\"input_"
     "file\","
     "\"file_url\":\"https://127.0.0.1/a.pdf\"}]}]}",                                       "input[0].content[0]"   },
    {"anthropic",        "gemini",
     "{\"model\":\"by-gemini\",\"max_tokens\":9,\"messages\":[{\"role\":\"user\",\"content\":[{"
     "\"type\":"
     "\"document\",\"source\":{\"type\":\"url\",\"url\":\"https://127.0.0.1/a.pdf\"}}]}]}", "messages[0].content[0]"},
    {"gemini",           "openai-chat",
     "{\"contents\":[{\"parts\":[{\"fileData\":{\"mimeType\":\"application/pdf\",\"fileUri\":"
     "\"https://127.0.0.1/a.pdf\"}}]}]}",                                                   "contents[0].parts[0]"  },
};

START_TEST(media_by_url_are_refused_where_bytes_are_needed)
{
    struct customer c = customer_new("10");
    const struct dialect *d = dialect_find(by_url[_i].client);
    const char *where = by_url[_i].where;
    struct http_reply reply;
    struct said said;
    dialect_ask(d, c.key, http_printf("by-%s", by_url[_i].provider), by_url[_i].body, false, &reply,
                &said);
    ck_assert_msg(reply.status == 400, "%d %s", reply.status, reply.body);
    const char *message = http_field(reply.body, "error.message");
    ck_assert_msg(message != NULL && strncmp(message, where, strlen(where)) == 0 &&
                      strstr(message, "bytes") != NULL,
                  "%s", reply.body);
    http_reply_clear(&reply);
}
END_TEST

static void add(TCase *t)
{
    int all = (int)dialects_n * PROVIDERS * FORMS;
    int with_tools = all - PROVIDERS * FORMS;
    tcase_add_loop_test(t, what_the_provider_says_arrives_and_is_counted_alike, 0, all);
    tcase_add_loop_test(t, whole_and_streamed_answers_say_the_same, 0, all / FORMS);
    tcase_add_loop_test(t, a_tool_is_called_and_its_result_is_used, 0, with_tools);
    tcase_add_loop_test(t, a_providers_refusal_has_the_clients_shape, 0, all);
    tcase_add_loop_test(t, media_by_url_are_refused_where_bytes_are_needed, 0,
                        (int)(sizeof(by_url) / sizeof(by_url[0])));
    tcase_add_loop_test(t, a_stream_that_is_cut_ends_with_an_error_and_is_charged, 0, all / FORMS);
}

const struct suite_part part_translate = {"translate", dialect_seed_providers, add};
