/* What the four formats share at the gateway's edge: paths, keys, models, counts, names of models. */
#include "tests/e2e/suites.h"

#include "tests/e2e/ask.h"
#include "tests/e2e/books.h"
#include "tests/e2e/dialect.h"
#include "tests/e2e/seen.h"
#include "tests/e2e/stack.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { AT_ONCE_US = 2000000 };

#define GOOG     "x-goog-api-key: "
#define BAD_KEY  "sk-aip-nobody-has-this-key"
#define CONTENTS "{\"contents\":[{\"parts\":[{\"text\":\"how many are these?\"}]}]}"
#define MESSAGES(model)                                                                            \
    "{\"model\":\"" model "\",\"messages\":[{\"role\":\"user\",\"content\":\"how many?\"}]}"

static void seed(void)
{
    dialect_seed_providers();
    int64_t channel = sql_int("SELECT id FROM channels WHERE name = 'by-gemini'");
    int64_t model = model_new("vectors", "1", "0");
    sql_run("UPDATE models SET kind = 'embedding' WHERE id = %" PRId64, model);
    channel_serves(channel, model, "embedding-model");
    channel_serves(channel, model_new("odd-name", "1", "0"), "a/b%c?d:e");
    sql_run("INSERT INTO model_aliases (alias, model_id) SELECT CONCAT('exact-', name), id FROM "
            "models WHERE name LIKE 'by-%%'");
    sql_run("INSERT INTO model_aliases (alias, model_id) SELECT CONCAT('wild-', name, '-*'), id "
            "FROM models WHERE name LIKE 'by-%%'");
}

/* A call with up to two header lines. */
static void call(const char *method, const char *path, const char *one, const char *two,
                 const char *body, struct http_reply *reply)
{
    struct http_call c = {
        .port = stack.webs[0].port,
        .method = method,
        .path = path,
        .headers = {one, one != NULL ? two : NULL},
        .body = body
    };
    http_run(&c, reply);
}

static const char *bearer(const char *key)
{
    return http_printf("authorization: Bearer %s", key);
}

static void expect_field(const struct http_reply *reply, const char *path, const char *expected)
{
    const char *seen = http_field(reply->body, path);
    ck_assert_msg(seen != NULL && strcmp(seen, expected) == 0, "%s: expected %s, seen %s in %d %s",
                  path, expected, seen != NULL ? seen : "nothing", reply->status, reply->body);
}

/* ---- without a key ---- */

START_TEST(a_websocket_upgrade_is_told_426_at_once)
{
    static const char *const paths[] = {"/v1/responses", "/v1/v1/responses", "/responses"};
    struct http_reply reply;
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        struct http_call c = {
            .port = stack.webs[0].port,
            .path = paths[i],
            .headers = {"connection: Upgrade", "upgrade: websocket", "sec-websocket-version: 13",
                        "sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ=="}
        };
        http_run(&c, &reply);
        ask_expect_status(&reply, 426);
        expect_field(&reply, "error.code", "upgrade_required");
        ck_assert_msg(reply.total_us < AT_ONCE_US, "it took %" PRId64 " us", reply.total_us);
        ask_id(&reply);
        http_reply_clear(&reply);
    }
    ask_path("GET", "/v1/responses", NULL, &reply);
    ask_expect_status(&reply, 405);
    http_reply_clear(&reply);
}
END_TEST

START_TEST(head_and_hello_need_no_key_and_no_time)
{
    static const char *const paths[] = {"/v1",        "/v1/",          "/v1/api/hello",
                                        "/v1/models", "/v1/responses", "/v1beta/models"};
    struct http_reply reply;
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        ask_path("HEAD", paths[i], NULL, &reply);
        ck_assert_msg(reply.status < 500 && reply.status != 401 && reply.body_n == 0 &&
                          reply.total_us < AT_ONCE_US,
                      "HEAD %s: %d, %" PRId64 " us", paths[i], reply.status, reply.total_us);
        http_reply_clear(&reply);
    }
    ask_path("GET", "/v1/api/hello", NULL, &reply);
    ask_expect_status(&reply, 200);
    http_reply_clear(&reply);
}
END_TEST

/* ---- keys ---- */

START_TEST(of_several_keys_the_first_that_is_ours_counts)
{
    struct customer c = customer_new("10");
    struct http_reply reply;
    const char *good[] = {bearer(c.key), http_printf("x-api-key: %s", c.key),
                          http_printf(GOOG "%s", c.key)};
    static const char *const bad[] = {"authorization: Bearer " BAD_KEY, "x-api-key: " BAD_KEY,
                                      GOOG BAD_KEY};
    for (size_t i = 0; i < 3; i++)
        for (size_t k = 0; k < 3; k++) {
            if (i == k)
                continue;
            call("GET", "/v1/models", bad[i], good[k], NULL, &reply);
            ask_expect_status(&reply, 200);
            http_reply_clear(&reply);
        }
    for (size_t i = 0; i < 3; i++) {
        call("GET", http_printf("/v1/models?key=%s", c.key), bad[i], NULL, NULL, &reply);
        ask_expect_status(&reply, 200);
        http_reply_clear(&reply);
    }
    call("GET", "/v1/models", bad[0], bad[1], NULL, &reply);
    ask_expect_status(&reply, 401);
    http_reply_clear(&reply);
    call("GET", "/v1/models", "authorization: Basic Zm9vOmJhcg==", good[1], NULL, &reply);
    ask_expect_status(&reply, 200);
    http_reply_clear(&reply);
    call("POST", http_printf("/v1beta/models/by-gemini:generateContent?key=%s", c.key), NULL, NULL,
         CONTENTS, &reply);
    ask_expect_status(&reply, 200);
    http_reply_clear(&reply);
}
END_TEST

/* ---- models ---- */

START_TEST(models_have_the_shape_of_the_asker)
{
    struct customer c = customer_new("10");
    struct http_reply reply;
    const char *anthropic = http_printf("x-api-key: %s", c.key);
    const char *gemini = http_printf(GOOG "%s", c.key);
    call("GET", "/v1/models", bearer(c.key), NULL, NULL, &reply);
    expect_field(&reply, "object", "list");
    expect_field(&reply, "data.0.object", "model");
    ck_assert(http_field(reply.body, "data.0.context_length") != NULL);
    ck_assert(http_field(reply.body, "data.0.pricing.input") != NULL);
    ck_assert(http_field(reply.body, "data.0.capabilities.tools") != NULL);
    http_reply_clear(&reply);
    call("GET", "/v1/models/by-anthropic", bearer(c.key), NULL, NULL, &reply);
    expect_field(&reply, "id", "by-anthropic");
    expect_field(&reply, "object", "model");
    http_reply_clear(&reply);
    call("GET", "/v1/models/by-anthropic", anthropic, NULL, NULL, &reply);
    expect_field(&reply, "id", "by-anthropic");
    expect_field(&reply, "type", "model");
    ck_assert(http_field(reply.body, "created_at") != NULL);
    ck_assert(http_field(reply.body, "pricing.output") != NULL);
    http_reply_clear(&reply);
    call("GET", "/v1/models", bearer(c.key), "anthropic-version: 2023-06-01", NULL, &reply);
    expect_field(&reply, "data.0.type", "model");
    ck_assert(http_field(reply.body, "has_more") != NULL);
    http_reply_clear(&reply);
    call("GET", "/v1beta/models/by-gemini", gemini, NULL, NULL, &reply);
    expect_field(&reply, "name", "models/by-gemini");
    expect_field(&reply, "supportedGenerationMethods.0", "generateContent");
    ck_assert(http_field(reply.body, "inputTokenLimit") != NULL);
    http_reply_clear(&reply);
    call("GET", "/v1/models", gemini, NULL, NULL, &reply);
    ck_assert(http_field(reply.body, "models.0.displayName") != NULL);
    http_reply_clear(&reply);
    call("GET", "/v1beta/models/vectors", gemini, NULL, NULL, &reply);
    expect_field(&reply, "supportedGenerationMethods.0", "embedContent");
    http_reply_clear(&reply);
}
END_TEST

/* All names of the pages of a list, joined; more: the member that leads on. */
static const char *names_of(const struct http_reply *reply, const char *list, const char *member)
{
    const char *all = "";
    for (int i = 0;; i++) {
        const char *name = http_field(reply->body, http_printf("%s.%d.%s", list, i, member));
        if (name == NULL)
            return all;
        all = http_printf("%s%s,", all, name);
    }
}

START_TEST(models_come_in_pages)
{
    struct customer c = customer_new("10");
    struct http_reply reply;
    const char *header = http_printf("x-api-key: %s", c.key);
    const char *whole, *paged = "", *token = "";
    call("GET", "/v1/models?limit=1000", header, NULL, NULL, &reply);
    whole = names_of(&reply, "data", "id");
    expect_field(&reply, "has_more", "false");
    http_reply_clear(&reply);
    for (bool has_more = true; has_more;) {
        call("GET", http_printf("/v1/models?limit=2&after_id=%s", token), header, NULL, NULL,
             &reply);
        ask_expect_status(&reply, 200);
        paged = http_printf("%s%s", paged, names_of(&reply, "data", "id"));
        token = http_field(reply.body, "last_id");
        has_more = strcmp(http_field(reply.body, "has_more"), "true") == 0;
        http_reply_clear(&reply);
    }
    ck_assert_str_eq(paged, whole);
    call("GET", http_printf("/v1/models?limit=1&before_id=%s", token), header, NULL, NULL, &reply);
    const char *before = http_field(reply.body, "data.0.id");
    ck_assert_ptr_nonnull(before);
    ck_assert_msg(strstr(whole, http_printf("%s,%s,", before, token)) != NULL, "%s before %s in %s",
                  before, token, whole);
    ck_assert_ptr_null(http_field(reply.body, "data.1.id"));
    http_reply_clear(&reply);

    header = http_printf(GOOG "%s", c.key);
    call("GET", "/v1beta/models?pageSize=1000", header, NULL, NULL, &reply);
    whole = names_of(&reply, "models", "name");
    ck_assert_ptr_null(http_field(reply.body, "nextPageToken"));
    http_reply_clear(&reply);
    paged = token = "";
    while (token != NULL) {
        call("GET", http_printf("/v1beta/models?pageSize=2&pageToken=%s", token), header, NULL,
             NULL, &reply);
        ask_expect_status(&reply, 200);
        paged = http_printf("%s%s", paged, names_of(&reply, "models", "name"));
        token = http_field(reply.body, "nextPageToken");
        http_reply_clear(&reply);
    }
    ck_assert_str_eq(paged, whole);
}
END_TEST

START_TEST(a_key_sees_only_its_models_in_every_shape)
{
    struct customer c = customer_new("10");
    struct http_reply reply;
    const char *headers[] = {bearer(c.key), http_printf("x-api-key: %s", c.key),
                             http_printf(GOOG "%s", c.key)};
    static const char *const lists[][2] = {
        {"data",   "id"  },
        {"data",   "id"  },
        {"models", "name"}
    };
    static const char *const wanted[] = {"by-gemini,", "by-gemini,", "models/by-gemini,"};
    sql_run("INSERT INTO api_key_models (api_key_id, model_id) SELECT %" PRId64
            ", id FROM models WHERE name = 'by-gemini'",
            c.key_id);
    for (size_t i = 0; i < 3; i++) {
        call("GET", "/v1/models", headers[i], NULL, NULL, &reply);
        ask_expect_status(&reply, 200);
        ck_assert_str_eq(names_of(&reply, lists[i][0], lists[i][1]), wanted[i]);
        http_reply_clear(&reply);
        call("GET", "/v1/models/by-anthropic", headers[i], NULL, NULL, &reply);
        ask_expect_status(&reply, 404);
        http_reply_clear(&reply);
    }
}
END_TEST

/* ---- paths ---- */

START_TEST(errors_on_unknown_paths_have_the_shape_of_the_asker)
{
    struct http_reply reply;
    call("POST", "/v1/nothing/here", "authorization: Bearer x", NULL, "{}", &reply);
    ask_expect_error(&reply, 404, "invalid_request_error", "not_found", NULL);
    http_reply_clear(&reply);
    call("POST", "/v1/messages/batches", "x-api-key: x", NULL, "{}", &reply);
    ask_expect_status(&reply, 404);
    expect_field(&reply, "type", "error");
    expect_field(&reply, "error.type", "not_found_error");
    ck_assert_str_eq(http_field(reply.body, "request_id"), ask_id(&reply));
    http_reply_clear(&reply);
    static const char *const gemini[] = {"/v1beta/files", "/v1alpha/cachedContents",
                                         "/v1/files?key=x"};
    for (size_t i = 0; i < 3; i++) {
        call("POST", gemini[i], NULL, NULL, "{}", &reply);
        ask_expect_status(&reply, 404);
        expect_field(&reply, "error.status", "NOT_FOUND");
        expect_field(&reply, "error.code", "404");
        ask_id(&reply);
        http_reply_clear(&reply);
    }
    call("POST", "/v1beta/openai/files", NULL, NULL, "{}", &reply);
    ask_expect_error(&reply, 404, "invalid_request_error", "not_found", NULL);
    http_reply_clear(&reply);
}
END_TEST

START_TEST(the_openai_alias_below_v1beta_is_openai)
{
    struct customer c = customer_new("10");
    struct http_reply reply;
    call("POST", "/v1beta/openai/chat/completions", bearer(c.key), NULL,
         ask_body("by-gemini", "tokens=1", ""), &reply);
    ask_expect_status(&reply, 200);
    expect_field(&reply, "object", "chat.completion");
    http_reply_clear(&reply);
    call("GET", "/v1beta/openai/models", bearer(c.key), NULL, NULL, &reply);
    expect_field(&reply, "object", "list");
    http_reply_clear(&reply);
    call("GET", "/v1beta/openai/models/by-gemini", bearer(c.key), NULL, NULL, &reply);
    expect_field(&reply, "object", "model");
    http_reply_clear(&reply);
}
END_TEST

START_TEST(doubled_versions_lead_to_every_endpoint)
{
    static const char *const prefixes[] = {"",           "/v1",        "/v1/v1",
                                           "/v1/v1beta", "/v1beta/v1", "/v1beta/v1beta"};
    static const struct {
        const char *path, *body;
    } calls[] = {
        {"/chat/completions",                                  MESSAGES("by-openai-chat")                  },
        {"/completions",                                       "{\"model\":\"by-gemini\",\"prompt\":\"x\"}"},
        {"/responses",                                         "{\"model\":\"by-gemini\",\"input\":\"x\"}" },
        {"/messages",
         "{\"model\":\"by-gemini\",\"max_tokens\":9,\"messages\":[{\"role\":\"user\",\"content\":"
         "\"x\"}]}"                                                                                        },
        {"/messages/count_tokens",                             MESSAGES("by-gemini")                       },
        {"/models/by-anthropic:generateContent",               CONTENTS                                    },
        {"/models/by-anthropic:streamGenerateContent?alt=sse", CONTENTS                                    },
        {"/models/by-anthropic:countTokens",                   CONTENTS                                    },
        {"/models",                                            NULL                                        },
        {"/models/by-gemini",                                  NULL                                        },
        {"/usage",                                             NULL                                        },
    };
    struct customer c = customer_new("10");
    struct http_reply reply;
    size_t i = (size_t)_i;
    for (size_t k = 0; k < sizeof(prefixes) / sizeof(prefixes[0]); k++) {
        call(NULL, http_printf("%s%s", prefixes[k], calls[i].path), bearer(c.key), NULL,
             calls[i].body, &reply);
        ck_assert_msg(reply.status == 200, "%s%s: %d %s", prefixes[k], calls[i].path, reply.status,
                      reply.body);
        http_reply_clear(&reply);
    }
}
END_TEST

/* ---- counts ---- */

/* Nothing was charged and nothing was written for an answer. */
static void expect_free(const struct customer *c, const struct http_reply *reply)
{
    struct http_reply paid;
    struct said said;
    const struct dialect *d = dialect_find("openai-chat");
    /* Rows of a process arrive in order: once this one is there, an earlier one would be. */
    for (int i = 0; i < 4; i++) {
        dialect_ask(d, c->key, "by-openai-chat", d->body("by-openai-chat", "x", false, ""), false,
                    &paid, &said);
        books_wait_row(ask_id(&paid));
        http_reply_clear(&paid);
    }
    ck_assert_int_eq(
        sql_int("SELECT COUNT(*) FROM usage_log WHERE request_id = '%s'", ask_id(reply)), 0);
}

START_TEST(messages_are_counted_by_an_anthropic_channel_and_estimated_elsewhere)
{
    struct customer c = customer_new("10");
    struct http_reply reply;
    const char *key = http_printf("x-api-key: %s", c.key);
    call(NULL, "/v1/messages/count_tokens?beta=true", key,
         "anthropic-beta: token-counting-2024-11-01", MESSAGES("by-anthropic"), &reply);
    ask_expect_status(&reply, 200);
    ck_assert(atol(http_field(reply.body, "input_tokens")) > 0);
    ck_assert_ptr_null(http_header(&reply, "x-aipass-estimated"));
    const char *seen = seen_request(0, "how many?");
    ck_assert_str_eq(http_field(seen, "path"), "/v1/messages/count_tokens");
    ck_assert_str_eq(http_field(http_field(seen, "body"), "model"), "upstream-model");
    ck_assert_str_eq(seen_header(seen, "anthropic-beta"), "token-counting-2024-11-01");
    ck_assert_str_eq(seen_header(seen, "anthropic-version"), "2023-06-01");
    expect_free(&c, &reply);
    http_reply_clear(&reply);
    static const char *const bodies[] = {MESSAGES("by-openai-chat"), MESSAGES("by-gemini"),
                                         MESSAGES("by-openai-responses")};
    for (size_t i = 0; i < 3; i++) {
        call(NULL, "/v1/messages/count_tokens", key, NULL, bodies[i], &reply);
        ask_expect_status(&reply, 200);
        ck_assert(atol(http_field(reply.body, "input_tokens")) > 0);
        ck_assert_str_eq(http_header(&reply, "x-aipass-estimated"), "true");
        http_reply_clear(&reply);
    }
    call(NULL, "/v1/messages/count_tokens", key, NULL, MESSAGES("no-such-model"), &reply);
    ask_expect_status(&reply, 404);
    expect_field(&reply, "error.type", "not_found_error");
    http_reply_clear(&reply);
}
END_TEST

START_TEST(contents_are_counted_by_a_gemini_channel_and_estimated_elsewhere)
{
    struct customer c = customer_new("10");
    struct http_reply reply;
    const char *key = http_printf(GOOG "%s", c.key);
    call(NULL, "/v1beta/models/by-gemini:countTokens", key, NULL, CONTENTS, &reply);
    ask_expect_status(&reply, 200);
    ck_assert(atol(http_field(reply.body, "totalTokens")) > 0);
    ck_assert_ptr_null(http_header(&reply, "x-aipass-estimated"));
    expect_free(&c, &reply);
    http_reply_clear(&reply);
    call(NULL, "/v1beta/models/by-gemini:countTokens", key, NULL,
         "{\"generateContentRequest\":{\"model\":\"models/by-gemini\",\"systemInstruction\":{"
         "\"parts\":[{\"text\":\"be brief\"}]},\"contents\":[{\"parts\":[{\"text\":\"count "
         "this\"}]}]}}",
         &reply);
    ask_expect_status(&reply, 200);
    ck_assert(atol(http_field(reply.body, "totalTokens")) > 0);
    http_reply_clear(&reply);
    call(NULL, "/v1beta/models/by-anthropic:countTokens", key, NULL, CONTENTS, &reply);
    ask_expect_status(&reply, 200);
    ck_assert(atol(http_field(reply.body, "totalTokens")) > 0);
    ck_assert_str_eq(http_header(&reply, "x-aipass-estimated"), "true");
    http_reply_clear(&reply);
    call(NULL, "/v1beta/models/by-gemini:countTokens", key, NULL, "{\"contents\":7}", &reply);
    ask_expect_status(&reply, 400);
    expect_field(&reply, "error.status", "INVALID_ARGUMENT");
    http_reply_clear(&reply);
}
END_TEST

START_TEST(a_name_with_any_character_stands_in_the_path_of_a_count)
{
    struct customer c = customer_new("10");
    struct http_reply reply;
    call(NULL, "/v1beta/models/odd-name:countTokens", http_printf(GOOG "%s", c.key), NULL,
         "{\"contents\":[{\"parts\":[{\"text\":\"an odd name\"}]}]}", &reply);
    ask_expect_status(&reply, 200);
    ck_assert(atol(http_field(reply.body, "totalTokens")) > 0);
    ck_assert_ptr_null(http_header(&reply, "x-aipass-estimated"));
    ck_assert_str_eq(http_field(seen_request(0, "an odd name"), "path"),
                     "/v1/models/a/b%25c%3Fd%3Ae:countTokens");
    http_reply_clear(&reply);
}
END_TEST

/* ---- names of models ---- */

START_TEST(aliases_lead_to_a_model_in_every_format)
{
    const struct dialect *d = &dialects[_i];
    struct customer c = customer_new("10");
    for (size_t i = 0; i < dialect_providers_n; i++) {
        const char *model = http_printf("by-%s", dialect_providers[i]);
        const char *names[] = {http_printf("exact-%s", model),
                               http_printf("wild-%s-20260101", model)};
        for (size_t k = 0; k < 2; k++) {
            struct http_reply reply;
            struct said said;
            bool is_stream = k == 1;
            dialect_ask(d, c.key, names[k], d->body(names[k], "hello", is_stream, ""), is_stream,
                        &reply, &said);
            ck_assert_msg(reply.status == 200 && said.text[0] != 0, "%s, %s: %d %s", d->name,
                          names[k], reply.status, reply.body);
            books_expect(ask_id(&reply), "model", model);
            http_reply_clear(&reply);
        }
    }
}
END_TEST

static void add(TCase *t)
{
    tcase_add_test(t, a_websocket_upgrade_is_told_426_at_once);
    tcase_add_test(t, head_and_hello_need_no_key_and_no_time);
    tcase_add_test(t, of_several_keys_the_first_that_is_ours_counts);
    tcase_add_test(t, models_have_the_shape_of_the_asker);
    tcase_add_test(t, models_come_in_pages);
    tcase_add_test(t, a_key_sees_only_its_models_in_every_shape);
    tcase_add_test(t, errors_on_unknown_paths_have_the_shape_of_the_asker);
    tcase_add_test(t, the_openai_alias_below_v1beta_is_openai);
    tcase_add_loop_test(t, doubled_versions_lead_to_every_endpoint, 0, 11);
    tcase_add_test(t, messages_are_counted_by_an_anthropic_channel_and_estimated_elsewhere);
    tcase_add_test(t, contents_are_counted_by_a_gemini_channel_and_estimated_elsewhere);
    tcase_add_test(t, a_name_with_any_character_stands_in_the_path_of_a_count);
    tcase_add_loop_test(t, aliases_lead_to_a_model_in_every_format, 0, (int)dialects_n);
}

const struct suite_part part_edge = {"edge", seed, add};
