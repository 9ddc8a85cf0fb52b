/* What providers keep for a client: responses that are continued, read and deleted; and the calls
 * that one format has alone: compaction, embeddings. */
#include "tests/e2e/suites.h"

#include "tests/e2e/ask.h"
#include "tests/e2e/books.h"
#include "tests/e2e/dialect.h"
#include "tests/e2e/seen.h"
#include "tests/e2e/spawn.h"
#include "tests/e2e/stack.h"

#include <inttypes.h>
#include <string.h>

enum { FORMS = 2, CATALOG_WAIT_MS = 5000, POLL_MS = 50 };

/* A model that two channels serve, each at a provider of its own and with two keys. */
static void seed_pair(const char *model_name)
{
    int64_t model = model_new(model_name, "1", "10");
    for (int i = 0; i < 2; i++) {
        const char *name = http_printf("%s-%d", model_name, i);
        int64_t channel = channel_new(name, "demo", stack.sims[i].port, 10);
        sql_run("UPDATE channels SET format = 'openai-responses' WHERE id = %" PRId64, channel);
        sql_run("INSERT INTO channel_keys (channel_id, secret) VALUES (%" PRId64 ", 'second-%s')",
                channel, name);
        channel_serves(channel, model, NULL);
    }
}

static void seed(void)
{
    seed_pair("kept");
    seed_pair("moved");
}

static void expect_field(const struct http_reply *reply, const char *path, const char *expected)
{
    const char *seen = http_field(reply->body, path);
    ck_assert_msg(seen != NULL && strcmp(seen, expected) == 0, "%s: expected %s, seen %s in %d %s",
                  path, expected, seen != NULL ? seen : "nothing", reply->status, reply->body);
}

static const char *respond(const char *key, const char *model, const char *members, bool is_stream,
                           struct http_reply *reply)
{
    const struct dialect *d = dialect_find("openai-responses");
    struct said said;
    dialect_ask(d, key, model, d->body(model, "remember 4711", is_stream, members), is_stream,
                reply, &said);
    if (reply->status != 200)
        return "";
    if (!is_stream)
        return http_field(reply->body, "id");
    return http_field(http_event_data(reply, 0), "response.id");
}

static const char *after(const char *id)
{
    return http_printf(",\"previous_response_id\":\"%s\"", id);
}

/* The other of the two channels is preferred from now on, and the gateway knows it. */
static void prefer_other(const char *key, const char *model, const char *channel_id)
{
    struct http_reply reply;
    bool is_known = false;
    sql_run("UPDATE channels SET priority = 99 WHERE name LIKE '%s-_' AND id <> %s", model,
            channel_id);
    for (int64_t end_us = spawn_now_us() + CATALOG_WAIT_MS * 1000;
         !is_known && spawn_now_us() < end_us;) {
        spawn_sleep_ms(POLL_MS);
        respond(key, model, "", false, &reply);
        ask_expect_status(&reply, 200);
        is_known = strcmp(books_row(ask_id(&reply), "channel_id"), channel_id) != 0;
        http_reply_clear(&reply);
    }
    ck_assert_msg(is_known, "the other channel is not preferred");
}

static void expect_unknown_previous(const char *key, const char *model, const char *id)
{
    struct http_reply reply;
    respond(key, model, after(id), false, &reply);
    ask_expect_error(&reply, 400, "invalid_request_error", "bad_request", "previous_response_id");
    http_reply_clear(&reply);
}

START_TEST(a_response_is_continued_by_the_channel_and_key_that_made_it)
{
    struct customer c = customer_new("10"), other = customer_new("10");
    struct http_reply reply;
    bool is_stream = _i == 1;
    const char *model = is_stream ? "kept" : "moved";
    char id[128]; /* the ring of http.h turns round while we wait */
    snprintf(id, sizeof(id), "%s", respond(c.key, model, "", is_stream, &reply));
    const char *row = ask_id(&reply);
    ask_expect_status(&reply, 200);
    http_reply_clear(&reply);
    char channel[32], key[32];
    snprintf(channel, sizeof(channel), "%s", books_row(row, "channel_id"));
    snprintf(key, sizeof(key), "%s", books_row(row, "channel_key_id"));
    prefer_other(c.key, model, channel);
    for (int turn = 0; turn < 3; turn++) {
        snprintf(id, sizeof(id), "%s", respond(c.key, model, after(id), is_stream, &reply));
        ask_expect_status(&reply, 200);
        books_expect(ask_id(&reply), "channel_id", channel);
        books_expect(ask_id(&reply), "channel_key_id", key);
        http_reply_clear(&reply);
    }
    expect_unknown_previous(other.key, model, id);
    expect_unknown_previous(c.key, "by-openai-responses", id);
    expect_unknown_previous(c.key, model, "resp_nobody_made_this");
    sql_run("UPDATE channels SET format = 'openai-chat' WHERE id = %s", channel);
    bool is_refused = false;
    for (int64_t end_us = spawn_now_us() + CATALOG_WAIT_MS * 1000;
         !is_refused && spawn_now_us() < end_us;) {
        spawn_sleep_ms(POLL_MS); /* the simulator keeps the last 64 only */
        respond(c.key, model, after(id), is_stream, &reply);
        is_refused = reply.status != 200;
        if (is_refused)
            ask_expect_error(&reply, 400, "invalid_request_error", "bad_request",
                             "previous_response_id");
        http_reply_clear(&reply);
    }
    ck_assert_msg(is_refused, "continued by a channel of another format");
}
END_TEST

START_TEST(a_translated_response_is_not_kept)
{
    struct customer c = customer_new("10");
    struct http_reply reply;
    for (size_t i = 0; i < dialect_providers_n; i++) {
        if (strcmp(dialect_providers[i], "openai-responses") == 0)
            continue;
        const char *model = http_printf("by-%s", dialect_providers[i]);
        const char *id = respond(c.key, model, "", false, &reply);
        ask_expect_status(&reply, 200);
        expect_field(&reply, "store", "false");
        http_reply_clear(&reply);
        expect_unknown_previous(c.key, model, id);
    }
}
END_TEST

START_TEST(a_kept_response_is_read_and_deleted_by_its_account_only)
{
    struct customer c = customer_new("10"), other = customer_new("10");
    struct http_reply reply;
    const char *id = respond(c.key, "by-openai-responses", "", false, &reply);
    http_reply_clear(&reply);
    const char *path = http_printf("/v1/responses/%s", id);
    ask_path("GET", path, c.key, &reply);
    ask_expect_status(&reply, 200);
    expect_field(&reply, "id", id);
    ck_assert_int_eq(
        sql_int("SELECT COUNT(*) FROM usage_log WHERE request_id = '%s'", ask_id(&reply)), 0);
    http_reply_clear(&reply);
    static const char *const methods[] = {"GET", "DELETE"};
    for (size_t i = 0; i < 2; i++) {
        ask_path(methods[i], path, other.key, &reply);
        ask_expect_error(&reply, 404, "invalid_request_error", "not_found", NULL);
        http_reply_clear(&reply);
    }
    ask_path("DELETE", path, c.key, &reply);
    ask_expect_status(&reply, 200);
    expect_field(&reply, "deleted", "true");
    http_reply_clear(&reply);
    ask_path("GET", path, c.key, &reply);
    ask_expect_error(&reply, 404, "invalid_request_error", "not_found", NULL);
    http_reply_clear(&reply);
    respond(c.key, "by-openai-responses", ",\"store\":false", false, &reply);
    path = http_printf("/v1/responses/%s", http_field(reply.body, "id"));
    http_reply_clear(&reply);
    ask_path("GET", path, c.key, &reply);
    ask_expect_error(&reply, 404, "invalid_request_error", "not_found", NULL);
    http_reply_clear(&reply);
}
END_TEST

START_TEST(a_kept_response_names_the_public_model)
{
    struct customer c = customer_new("10");
    struct http_reply reply;
    const char *id = respond(c.key, "by-openai-responses", "", false, &reply);
    http_reply_clear(&reply);
    ask_path("GET", http_printf("/v1/responses/%s?include[]=x&key=%s", id, c.key), NULL, &reply);
    ask_expect_status(&reply, 200);
    expect_field(&reply, "model", "by-openai-responses");
    http_reply_clear(&reply);
    /* Our key stays here, wherever the client put it. */
    ck_assert_str_eq(http_field(seen_newest(0), "path"),
                     http_printf("/v1/responses/%s?include[]=x", id));
    ask_path("GET", http_printf("/v1/responses/%s?stream=true", id), c.key, &reply);
    ask_expect_error(&reply, 400, "invalid_request_error", "bad_request", "stream");
    http_reply_clear(&reply);
}
END_TEST

static void compact(const char *key, const char *model, struct http_reply *reply)
{
    struct http_call call = {.port = stack.webs[0].port,
                             .path = "/v1/responses/compact",
                             .key = key,
                             .body = http_printf("{\"model\":\"%s\",\"input\":[{\"role\":\"user\","
                                                 "\"content\":\"a long story\"}]}",
                                                 model)};
    http_run(&call, reply);
}

START_TEST(compaction_is_for_responses_channels_and_is_charged)
{
    struct customer c = customer_new("10");
    struct http_reply reply;
    compact(c.key, "by-openai-responses", &reply);
    ask_expect_status(&reply, 200);
    ck_assert(http_field(reply.body, "output.0.type") != NULL);
    books_expect(ask_id(&reply), "status", "ok");
    books_expect(ask_id(&reply), "cost > 0", "1");
    http_reply_clear(&reply);
    compact(c.key, "by-anthropic", &reply);
    ask_expect_error(&reply, 400, "invalid_request_error", "bad_request", "model");
    ck_assert(strstr(http_field(reply.body, "error.message"), "compact") != NULL);
    http_reply_clear(&reply);
}
END_TEST

START_TEST(background_is_refused)
{
    struct customer c = customer_new("10");
    for (size_t i = 0; i < dialect_providers_n; i++) {
        struct http_reply reply;
        respond(c.key, http_printf("by-%s", dialect_providers[i]), ",\"background\":true", false,
                &reply);
        ask_expect_error(&reply, 400, "invalid_request_error", "bad_request", "background");
        http_reply_clear(&reply);
    }
}
END_TEST

/* ---- embeddings ---- */

#define EMBED "{\"content\":{\"parts\":[{\"text\":\"embed me\"}]}}"
#define EMBED_BATCH                                                                                \
    "{\"requests\":[{\"model\":\"models/vectors\",\"content\":{\"parts\":[{\"text\":\"one\"}]}},"  \
    "{\"model\":\"models/vectors\",\"content\":{\"parts\":[{\"text\":\"two\"}]}}]}"

static void embed(const char *path, const char *key, const char *body, struct http_reply *reply)
{
    struct http_call call = {.port = stack.webs[0].port,
                             .path = path,
                             .headers = {http_printf("x-goog-api-key: %s", key)},
                             .body = body};
    http_run(&call, reply);
}

static void expect_billed_as(const struct http_reply *reply, const char *model)
{
    const char *id = ask_id(reply);
    books_expect(id, "model", model);
    books_expect(id, "status", "ok");
    books_expect(id, "cost > 0", "1");
}

START_TEST(embeddings_are_made_by_gemini_channels_and_charged)
{
    struct customer c = customer_new("10");
    struct http_reply reply;
    embed("/v1beta/models/vectors:embedContent", c.key, EMBED, &reply);
    ask_expect_status(&reply, 200);
    ck_assert(http_field(reply.body, "embedding.values.0") != NULL);
    expect_billed_as(&reply, "vectors");
    http_reply_clear(&reply);
    embed("/v1/models/vectors:batchEmbedContents", c.key, EMBED_BATCH, &reply);
    ask_expect_status(&reply, 200);
    ck_assert(http_field(reply.body, "embeddings.1.values.0") != NULL);
    expect_billed_as(&reply, "vectors");
    http_reply_clear(&reply);
}
END_TEST

START_TEST(embeddings_of_a_model_without_a_gemini_channel_are_refused)
{
    static const char *const paths[] = {"/v1beta/models/by-anthropic:embedContent",
                                        "/v1beta/models/by-openai-chat:batchEmbedContents"};
    static const char *const bodies[] = {EMBED, EMBED_BATCH};
    static const char *const verbs[] = {"embedContent", "batchEmbedContents"};
    struct customer c = customer_new("10");
    struct http_reply reply;
    for (size_t i = 0; i < 2; i++) {
        embed(paths[i], c.key, bodies[i], &reply);
        ask_expect_status(&reply, 400);
        expect_field(&reply, "error.status", "INVALID_ARGUMENT");
        ck_assert_msg(strstr(http_field(reply.body, "error.message"), verbs[i]) != NULL, "%s",
                      reply.body);
        http_reply_clear(&reply);
    }
}
END_TEST

static void add(TCase *t)
{
    tcase_add_loop_test(t, a_response_is_continued_by_the_channel_and_key_that_made_it, 0, FORMS);
    tcase_add_test(t, a_translated_response_is_not_kept);
    tcase_add_test(t, a_kept_response_is_read_and_deleted_by_its_account_only);
    tcase_add_test(t, a_kept_response_names_the_public_model);
    tcase_add_test(t, compaction_is_for_responses_channels_and_is_charged);
    tcase_add_test(t, background_is_refused);
    tcase_add_test(t, embeddings_are_made_by_gemini_channels_and_charged);
    tcase_add_test(t, embeddings_of_a_model_without_a_gemini_channel_are_refused);
}

const struct suite_part part_kept = {"kept", seed, add};
