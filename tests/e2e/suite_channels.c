/* What breakers, refused keys, groups, limits, addresses and headers of channels do, and what an
 * admin sees of them. */
#include "tests/e2e/suites.h"

#include "tests/e2e/ask.h"
#include "tests/e2e/books.h"
#include "tests/e2e/dialect.h"
#include "tests/e2e/seen.h"
#include "tests/e2e/stack.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { CONVERSATIONS = 10, TURNS = 6, SQL_TAKES_MS = 1200, SAID_SIZE = 8192 };

static int64_t pair_of(const char *name, int64_t *second)
{
    int64_t model = model_new(name, "1.25", "10");
    int64_t first = channel_new(http_printf("%s-a", name), "demo", stack.sims[0].port, 10);
    *second = channel_new(http_printf("%s-b", name), "demo", stack.sims[0].port, 0);
    channel_serves(first, model, http_printf("%s-up", name));
    channel_serves(*second, model, NULL);
    return first;
}

static void seed(void)
{
    int64_t b;
    pair_of("ch-breaker", &b);
    pair_of("ch-key", &b);
    pair_of("ch-explain", &b);
    pair_of("ch-health", &b);
    sql_run(
        "UPDATE channel_models SET upstream_name = 'ch-health-up@status=503' WHERE channel_id = "
        "(SELECT id FROM channels WHERE name = 'ch-health-a')");
    pair_of("ch-admin", &b);
    pair_of("ch-group", &b);
    pair_of("ch-full", &b);
    pair_of("ch-private", &b);
    sql_run("INSERT INTO account_groups (id, name) VALUES (71, 'ch-vip')");
    int64_t model = model_new("ch-own", "1.25", "10");
    int64_t own = channel_new("ch-own", "demo", stack.sims[0].port, 0);
    channel_serves(own, model, NULL);
    sql_run("UPDATE channels SET organization = 'org-x', project = 'proj-y' WHERE id = %" PRId64,
            own);
    sql_run("INSERT INTO channel_headers (channel_id, name, value) VALUES (%" PRId64
            ", 'api-key', '{key}'), (%" PRId64 ", 'Authorization', NULL), (%" PRId64
            ", 'x-extra', 'a b')",
            own, own, own);
    sql_run("INSERT INTO channel_statuses (channel_id, status, meaning) VALUES (%" PRId64
            ", 418, 'retry')",
            own);
    model = model_new("ch-sticky", "1.25", "10");
    for (int i = 0; i < 4; i++)
        channel_serves(channel_new(http_printf("ch-sticky-%d", i), "demo", stack.sims[0].port, 0),
                       model, NULL);
}

/* What one request saw; its id stays in a static buffer. */
struct answer_seen {
    int status;
    int64_t ms;
    const char *channel; /* "ch-x-a" */
    char id[64];
};

static struct answer_seen ask_chat_of(const char *model, const char *key, const char *controls)
{
    struct http_reply reply;
    struct answer_seen seen;
    int64_t begun_us = spawn_now_us();
    ask_chat(key, ask_body(model, controls, ""), &reply);
    seen.status = reply.status;
    seen.ms = (spawn_now_us() - begun_us) / 1000;
    snprintf(seen.id, sizeof(seen.id), "%s", ask_id(&reply));
    http_reply_clear(&reply);
    seen.channel = books_row(seen.id, "(SELECT name FROM channels c WHERE c.id = channel_id)");
    return seen;
}

static void misbehave(const char *name, const char *controls)
{
    sql_run("UPDATE channel_models SET upstream_name = '%s-up%s%s' WHERE channel_id = (SELECT id "
            "FROM channels WHERE name = '%s-a')",
            name, *controls != 0 ? "@" : "", controls, name);
    usleep(SQL_TAKES_MS * 1000);
}

/* Until both processes have asked so often that they know; returns how often the first channel was
 * asked. */
static int64_t asked_of(const char *name, const char *controls, int requests, const char *key)
{
    const char *path = http_printf("models.%s-up%s%s", name, *controls != 0 ? "@" : "", controls);
    int64_t before = seen_count(0, path);
    for (int i = 0; i < requests; i++)
        ck_assert_int_eq(ask_chat_of(name, key, "tokens=1").status, 200);
    return seen_count(0, path) - before;
}

START_TEST(a_channel_that_fails_in_a_row_is_left_alone_and_taken_back_when_it_works)
{
    struct customer c = customer_new("10");
    misbehave("ch-breaker", "status=500");
    /* two processes, four failures each */
    int64_t asked = asked_of("ch-breaker", "status=500", 30, c.key);
    ck_assert_msg(asked >= 4 && asked <= 10, "asked %" PRId64 " times", asked);
    misbehave("ch-breaker", "");
    usleep(4000 * 1000);
    asked_of("ch-breaker", "", 6, c.key);
    asked = asked_of("ch-breaker", "", 10, c.key);
    ck_assert_msg(asked == 10, "asked %" PRId64 " times of 10 after it worked again", asked);
}
END_TEST

static const char *key_status(const char *channel)
{
    return sql_text(
        "SELECT CONCAT(status, ' ', COALESCE(disabled_reason, '-'), ' ', probe_at IS NOT "
        "NULL) FROM channel_keys WHERE channel_id = (SELECT id FROM channels WHERE name "
        "= '%s')",
        channel);
}

START_TEST(a_refused_key_is_disabled_for_all_and_comes_back_by_itself)
{
    struct customer c = customer_new("10");
    misbehave("ch-key", "status=401");
    struct answer_seen first = ask_chat_of("ch-key", c.key, "tokens=1");
    ck_assert_int_eq(first.status, 200);
    ck_assert_str_eq(first.channel, "ch-key-b");
    ck_assert_str_eq(key_status("ch-key-a"), "disabled the provider answers 401 1");
    ck_assert_int_eq(
        sql_int("SELECT COUNT(*) FROM audit_log WHERE action = 'channel_key.disable' "
                "AND subject = CONCAT('channel_keys ', (SELECT k.id FROM channel_keys k "
                "JOIN channels c ON c.id = k.channel_id WHERE c.name = 'ch-key-a'))"),
        1);
    ck_assert_int_eq(
        sql_int("SELECT status FROM request_attempts WHERE request_id = '%s'", first.id), 401);
    usleep(SQL_TAKES_MS *
           1000); /* 1500 ms are its first pause: one probe at most in what follows */
    int64_t asked = asked_of("ch-key", "status=401", 10, c.key);
    ck_assert_msg(asked <= 1, "a disabled key was used %" PRId64 " times", asked);
    misbehave("ch-key", "");
    for (int i = 0; i < 60 && strcmp(key_status("ch-key-a"), "enabled - 0") != 0; i++) {
        ck_assert_int_eq(ask_chat_of("ch-key", c.key, "tokens=1").status, 200);
        usleep(200 * 1000);
    }
    ck_assert_str_eq(key_status("ch-key-a"), "enabled - 0");
    ck_assert_int_ge(sql_int("SELECT COUNT(*) FROM audit_log WHERE action = 'channel_key.enable'"),
                     1);
}
END_TEST

START_TEST(a_key_that_an_admin_disables_is_never_tried)
{
    struct customer c = customer_new("10");
    sql_run(
        "UPDATE channel_keys SET status = 'disabled' WHERE channel_id = (SELECT id FROM channels "
        "WHERE name = 'ch-admin-a')");
    usleep(SQL_TAKES_MS * 1000);
    ck_assert_int_eq(asked_of("ch-admin", "", 6, c.key), 0);
    sql_run(
        "UPDATE channel_keys SET status = 'enabled', cooldown_until = UTC_TIMESTAMP(3) + INTERVAL "
        "1 HOUR WHERE channel_id = (SELECT id FROM channels WHERE name = 'ch-admin-a')");
    usleep(SQL_TAKES_MS * 1000);
    ck_assert_int_eq(asked_of("ch-admin", "", 6, c.key), 0);
    sql_run(
        "UPDATE channel_keys SET cooldown_until = NULL WHERE channel_id = (SELECT id FROM channels "
        "WHERE name = 'ch-admin-a')");
    usleep(SQL_TAKES_MS * 1000);
    ck_assert_int_eq(asked_of("ch-admin", "", 6, c.key), 6);
}
END_TEST

START_TEST(a_channel_with_groups_serves_no_other)
{
    struct customer vip = customer_new("10"), other = customer_new("10");
    sql_run("UPDATE accounts SET group_id = 71 WHERE id = %" PRId64, vip.account_id);
    sql_run(
        "INSERT INTO channel_groups (channel_id, group_id) SELECT id, 71 FROM channels WHERE name "
        "= 'ch-group-a'");
    usleep(SQL_TAKES_MS * 1000);
    ck_assert_str_eq(ask_chat_of("ch-group", vip.key, "tokens=1").channel, "ch-group-a");
    ck_assert_str_eq(ask_chat_of("ch-group", other.key, "tokens=1").channel, "ch-group-b");
}
END_TEST

START_TEST(a_full_channel_hands_on_and_a_limit_of_none_refuses)
{
    struct customer c = customer_new("10");
    sql_run("INSERT INTO rate_limits (channel_id, concurrent_requests) SELECT id, 0 FROM channels "
            "WHERE name = 'ch-full-a'");
    usleep(SQL_TAKES_MS * 1000);
    ck_assert_str_eq(ask_chat_of("ch-full", c.key, "tokens=1").channel, "ch-full-b");
    sql_run("INSERT INTO rate_limits (channel_id, requests_per_minute) SELECT id, 0 FROM channels "
            "WHERE name = 'ch-full-b'");
    usleep(SQL_TAKES_MS * 1000);
    struct answer_seen none = ask_chat_of("ch-full", c.key, "tokens=1");
    ck_assert_int_eq(none.status, 429);
    books_expect(none.id, "attempts", "0");
    books_expect(none.id, "cost", "0.000000000");
}
END_TEST

START_TEST(a_private_address_is_refused_unless_allowed)
{
    struct customer c = customer_new("10");
    sql_run("UPDATE channels SET allow_private = FALSE WHERE name = 'ch-private-a'");
    usleep(SQL_TAKES_MS * 1000);
    struct answer_seen seen = ask_chat_of("ch-private", c.key, "tokens=1");
    ck_assert_str_eq(seen.channel, "ch-private-b");
    ck_assert_str_eq(
        sql_text("SELECT error FROM request_attempts WHERE request_id = '%s'", seen.id),
        "up_connect");
}
END_TEST

START_TEST(a_channel_has_headers_statuses_and_an_account_of_its_own)
{
    struct customer c = customer_new("10");
    struct http_reply reply;
    ask_chat(c.key, ask_body("ch-own", "tokens=1", ",\"tag\":\"ch-own-tag\""), &reply);
    ask_expect_status(&reply, 200);
    http_reply_clear(&reply);
    const char *seen = seen_request(0, "ch-own-tag");
    ck_assert_ptr_nonnull(seen);
    ck_assert_ptr_null(seen_header(seen, "authorization"));
    ck_assert_str_eq(seen_header(seen, "api-key"), "provider-key-ch-own");
    ck_assert_str_eq(seen_header(seen, "x-extra"), "a b");
    ck_assert_str_eq(seen_header(seen, "openai-organization"), "org-x");
    ck_assert_str_eq(seen_header(seen, "openai-project"), "proj-y");
    ask_chat(c.key, ask_body("ch-own", "status=418", ""), &reply);
    ask_expect_error(&reply, 503, "server_error", "service_unavailable", NULL);
    http_reply_clear(&reply);
}
END_TEST

/* One conversation in one way to name it. */
static const char *ask_turn(const char *key, const char *header, const char *members, int turn)
{
    struct http_reply reply;
    struct http_call call = {
        .port = stack.webs[0].port,
        .path = "/v1/chat/completions",
        .key = key,
        .body = ask_body("ch-sticky", http_printf("tokens=1,text=turn %d", turn), members)};
    if (*header != 0)
        call.headers[0] = header;
    http_run(&call, &reply);
    ask_expect_status(&reply, 200);
    const char *id = http_printf("%s", ask_id(&reply));
    http_reply_clear(&reply);
    return books_row(id, "channel_id");
}

static void expect_sticky(const char *key, const char *header, const char *members, uint64_t *used)
{
    int64_t channel = atoll(ask_turn(key, header, members, 0));
    *used |= UINT64_C(1) << (channel % 64);
    for (int turn = 1; turn < TURNS; turn++)
        ck_assert_int_eq(atoll(ask_turn(key, header, members, turn)), channel);
}

START_TEST(a_conversation_stays_on_its_channel_however_it_is_named)
{
    struct customer c = customer_new("10");
    uint64_t used = 0;
    for (int i = 0; i < CONVERSATIONS; i++) {
        expect_sticky(c.key, http_printf("x-claude-code-session-id: s-%d", i), "", &used);
        expect_sticky(c.key, http_printf("session-id: t-%d", i), "", &used);
        expect_sticky(c.key, "", http_printf(",\"metadata\":{\"user_id\":\"u-%d\"}", i), &used);
    }
    ck_assert_int_ge(__builtin_popcountll(used), 3);
}
END_TEST

/* ---- what admins look at ---- */

static void explain(const char *key_id, const char *model, char *said, size_t size)
{
    const char *path = stack_path("explain.out");
    const char *const argv[] = {stack_built("aipassctl"),
                                "explain",
                                "--config",
                                stack_path("aipass.conf"),
                                "--key",
                                key_id,
                                "--model",
                                model,
                                NULL};
    int status = 0;
    pid_t pid = spawn_start(argv, path);
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    FILE *f = fopen(path, "re");
    ck_assert(f != NULL);
    said[fread(said, 1, size - 1, f)] = 0;
    fclose(f);
    ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0, "explain: %s", said);
}

static void expect_said(const char *said, const char *text)
{
    ck_assert_msg(strstr(said, text) != NULL, "not said: %s\nin: %s", text, said);
}

START_TEST(explain_tells_the_order_what_is_skipped_and_the_money)
{
    static char said[SAID_SIZE];
    struct customer c = customer_new("10");
    const char *key = http_printf("%" PRId64, c.key_id);
    sql_run("UPDATE channels SET status = 'draining' WHERE name = 'ch-explain-b'");
    sql_run("INSERT INTO rate_limits SET account_id = %" PRId64 ", requests_per_minute = 60, "
            "spend_day = 5",
            c.account_id);
    sql_run("INSERT INTO rate_limits SET api_key_id = %" PRId64 ", model_id = (SELECT id FROM "
            "models WHERE name = 'ch-explain'), concurrent_requests = 2",
            c.key_id);
    sql_run("INSERT INTO account_models SELECT %" PRId64 ", id FROM models WHERE name = 'demo'",
            c.account_id);
    sql_run("INSERT INTO api_key_addresses (api_key_id, address_range) VALUES (%" PRId64
            ", '127.0.0.0/8')",
            c.key_id);
    explain(key, "ch-explain", said, sizeof(said));
    expect_said(said, http_printf("limit of account %s: 60 requests a minute, borrowed 0; "
                                  "5.000000000 USD a day, spent 0.000000000; running requests hold "
                                  "0.000000000 USD, 5.000000000 left\n",
                                  c.name));
    expect_said(said, "limit of the key and model ch-explain: 2 requests at once, taken 0\n");
    expect_said(said, "REFUSED: the account has a list of models, and this one is not in it");
    expect_said(said, "allowed from 127.0.0.0/8");
    expect_said(said, "balance: 10.000000000 USD");
    expect_said(said, "price of input_token: 1.250000000 USD");
    expect_said(said, "1. ch-explain-a, key ");
    expect_said(said, "skipped: ch-explain-b, key ");
    expect_said(said, "the channel is draining");
    sql_run(
        "UPDATE channel_keys SET status = 'disabled' WHERE channel_id = (SELECT id FROM channels "
        "WHERE name = 'ch-explain-a')");
    sql_run("UPDATE api_keys SET status = 'revoked' WHERE id = %" PRId64, c.key_id);
    explain(c.key, "ch-explain", said, sizeof(said));
    expect_said(said, "none: requests are answered with 503");
    expect_said(said, "REFUSED: the key is revoked");
    expect_said(said, "its key is disabled");
    explain(key, "ch-none", said, sizeof(said));
    expect_said(said, "REFUSED: no enabled model");
}
END_TEST

START_TEST(the_view_of_health_tells_what_was_lost)
{
    struct customer c = customer_new("10");
    for (int i = 0; i < 2; i++)
        ck_assert_int_eq(ask_chat_of("ch-health", c.key, "tokens=1").status, 200);
    ck_assert_str_eq(sql_text("SELECT CONCAT_WS(' ', answered, lost, lost_percent, last_error, "
                              "keys_usable) FROM v_channel_health WHERE channel = 'ch-health-a'"),
                     "0 2 100.0 up_status 503 1");
    ck_assert_str_eq(sql_text("SELECT CONCAT_WS(' ', answered, lost, lost_percent) FROM "
                              "v_channel_health WHERE channel = 'ch-health-b'"),
                     "2 0 0.0");
    ck_assert_str_eq(
        sql_text(
            "SELECT CONCAT_WS(' ', n, a.status, error, key_hint, a.connect_ms IS NOT NULL, "
            "ABS(TIMESTAMPDIFF(SECOND, a.created_at, UTC_TIMESTAMP())) < 60) FROM request_attempts "
            "a JOIN channels c ON c.id = a.channel_id WHERE c.name = 'ch-health-a' LIMIT 1"),
        "1 503 up_status ...th-a 1 1");
}
END_TEST

static void add(TCase *t)
{
    tcase_add_test(t, a_channel_that_fails_in_a_row_is_left_alone_and_taken_back_when_it_works);
    tcase_add_test(t, a_refused_key_is_disabled_for_all_and_comes_back_by_itself);
    tcase_add_test(t, a_key_that_an_admin_disables_is_never_tried);
    tcase_add_test(t, a_channel_with_groups_serves_no_other);
    tcase_add_test(t, a_full_channel_hands_on_and_a_limit_of_none_refuses);
    tcase_add_test(t, a_private_address_is_refused_unless_allowed);
    tcase_add_test(t, a_channel_has_headers_statuses_and_an_account_of_its_own);
    tcase_add_test(t, a_conversation_stays_on_its_channel_however_it_is_named);
    tcase_add_test(t, explain_tells_the_order_what_is_skipped_and_the_money);
    tcase_add_test(t, the_view_of_health_tells_what_was_lost);
}

const struct suite_part part_channels = {"channels", seed, add};
