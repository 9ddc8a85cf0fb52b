/* Channels that misbehave in every way, alone and beside one that works: what the client saw, how
 * often was asked, how long it took, what was charged. And what breakers, refused keys, limits and
 * headers do. */
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

/* How a request ends: what the client gets, how often was asked, the row's status, the time. */
struct end {
    int status;
    int attempts;
    const char *row;
    int ms_max;
};

/* What one bad channel does, and how requests end when it is alone, and beside a good one of lower
 * priority. */
struct trouble {
    const char *name;
    const char *controls; /* behind the @ of the provider's model name */
    struct end stream_alone, whole_alone, stream_beside, whole_beside;
};

#define MOVES                                                                                      \
    {200, 2, "ok", 1000},                                                                          \
    {                                                                                              \
        200, 2, "ok", 1000                                                                         \
    }

/* retry_after_max_ms is 2500, the timers 1500. */
static const struct trouble troubles[] = {
  /* clang-format off */
    {"limit-2s",   "status=429,retry_after=2",         {429, 2, "error", 3500}, {429, 2, "error", 3500}, MOVES},
    {"limit-once", "status=429,retry_after=2,fails=1", {200, 2, "ok", 3500},    {200, 2, "ok", 3500},    MOVES},
    {"limit",      "status=429",                       {429, 1, "error", 1000}, {429, 1, "error", 1000}, MOVES},
    {"one-500",    "status=500,fails=1",               {503, 1, "error", 1000}, {503, 1, "error", 1000}, MOVES},
    {"down-503",   "status=503",                       {503, 1, "error", 1000}, {503, 1, "error", 1000}, MOVES},
    {"busy-2s",    "status=503,retry_after=1,fails=1", {200, 2, "ok", 2500},    {200, 2, "ok", 2500},    MOVES},
    {"reset",      "reset=head",                       {503, 1, "error", 1000}, {503, 1, "error", 1000}, MOVES},
    {"silence",    "silence=1",                        {504, 1, "error", 2500}, {504, 1, "error", 2500}, {200, 2, "ok", 2500}, {200, 2, "ok", 2500}},
    {"late",       "ms=1000,tokens=60",                {200, 1, "ok", 2500},    {200, 1, "ok", 2500},    {200, 1, "ok", 2500}, {200, 1, "ok", 2500}},
    {"cut",        "cut=40,tokens=60",                 {200, 1, "cut", 1000},   {503, 1, "error", 1000}, {200, 1, "cut", 1000}, {200, 2, "ok", 1000}},
    {"stall",      "stall=40,tokens=60",               {200, 1, "cut", 3000},   {504, 1, "error", 3000}, {200, 1, "cut", 3000}, {200, 2, "ok", 3000}},
    {"malformed",  "malformed=3",                      {200, 1, "cut", 1000},   {503, 1, "error", 1000}, {200, 1, "cut", 1000}, {200, 2, "ok", 1000}},
    {"no-end",     "nodone=1,nofinish=1",                {200, 1, "cut", 1000},   {200, 1, "ok", 1000},    {200, 1, "cut", 1000}, {200, 1, "ok", 1000}},
    {"context",    "status=400,code=context_length_exceeded", {400, 1, "error", 1000}, {400, 1, "error", 1000}, {400, 1, "error", 1000}, {400, 1, "error", 1000}},
    {"filter",     "status=400,code=content_filter",   {400, 1, "error", 1000}, {400, 1, "error", 1000}, {400, 1, "error", 1000}, {400, 1, "error", 1000}},
    {"unknown",    "status=404",                       {404, 1, "error", 1000}, {404, 1, "error", 1000}, MOVES},
    {"error-200",  "error_in=1",                       {503, 1, "error", 1000}, {503, 1, "error", 1000}, MOVES},
    {"bad-key",    "status=401",                       {503, 1, "error", 1000}, {503, 1, "error", 1000}, MOVES},
  /* clang-format on */
};

enum { TROUBLES_N = sizeof(troubles) / sizeof(troubles[0]) };

static const char *name_of(const struct trouble *t, const char *format, bool has_other,
                           bool is_stream)
{
    return http_printf("ch-%s-%s-%s-%s", t->name, format, has_other ? "two" : "one",
                       is_stream ? "stream" : "whole");
}

static const struct end *end_of(const struct trouble *t, bool has_other, bool is_stream)
{
    if (has_other)
        return is_stream ? &t->stream_beside : &t->whole_beside;
    return is_stream ? &t->stream_alone : &t->whole_alone;
}

static int64_t channel_of(const char *name, const char *format, int priority)
{
    bool is_gemini = strcmp(format, "gemini") == 0;
    int64_t id = channel_new(name, "demo", stack.sims[0].port, priority);
    sql_run("UPDATE channels SET format = '%s', base_url = 'http://127.0.0.1:%d/%s' WHERE id = "
            "%" PRId64,
            format, stack.sims[0].port, is_gemini ? "v1beta" : "v1", id);
    return id;
}

static void seed_trouble(const struct trouble *t, const char *format, bool has_other,
                         bool is_stream)
{
    const char *name = name_of(t, format, has_other, is_stream);
    int64_t model = model_new(name, "1.25", "10");
    int64_t bad = channel_of(http_printf("%s-bad", name), format, 10);
    channel_serves(bad, model, http_printf("%s-up@%s", name, t->controls));
    if (has_other)
        channel_serves(channel_of(http_printf("%s-good", name), format, 0), model, NULL);
}

static bool is_tried(const struct dialect *d)
{
    return strcmp(d->name, "openai-completions") != 0;
}

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
    for (size_t f = 0; f < dialects_n; f++)
        for (size_t i = 0; is_tried(&dialects[f]) && i < 4 * TROUBLES_N; i++)
            seed_trouble(&troubles[i / 4], dialects[f].name, i / 2 % 2, i % 2);
    pair_of("ch-breaker", &b);
    pair_of("ch-key", &b);
    pair_of("ch-explain", &b);
    pair_of("ch-health", &b);
    sql_run(
        "UPDATE channel_models SET upstream_name = 'ch-health-up@status=503' WHERE channel_id = "
        "(SELECT id FROM channels WHERE name = 'ch-health-a')");
    pair_of("ch-admin", &b);
    pair_of("ch-flap", &b);
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

/* ---- the table ---- */

static int wrong;

struct outcome {
    int status;
    int64_t ms;
};

static struct outcome ask_one(const struct dialect *d, const char *model, const char *key,
                              bool is_stream, char *id, size_t id_size)
{
    struct http_reply reply;
    struct said said;
    int64_t begun_us = spawn_now_us();
    dialect_ask(d, key, model, d->body(model, "[[sim prompt=100]] hello", is_stream, ""), is_stream,
                &reply, &said);
    struct outcome o = {reply.status, (spawn_now_us() - begun_us) / 1000};
    snprintf(id, id_size, "%s", http_header(&reply, "x-request-id"));
    ck_assert_msg(strstr(reply.head, "-bad") == NULL, "a header names the channel: %s", reply.head);
    http_reply_clear(&reply);
    return o;
}

static void expect_case(const struct dialect *d, const struct trouble *t, bool has_other,
                        bool is_stream)
{
    char id[64];
    struct customer c = customer_new("10");
    const char *model = name_of(t, d->name, has_other, is_stream);
    const struct end *end = end_of(t, has_other, is_stream);
    struct outcome o = ask_one(d, model, c.key, is_stream, id, sizeof(id));
    const char *row = books_row(id, "status"), *n = books_row(id, "attempts");
    const char *cost = books_row(id, "cost");
    int64_t lost = sql_int("SELECT COUNT(*) FROM request_attempts WHERE request_id = '%s'", id);
    bool is_won = strcmp(row, "ok") == 0;
    /* Anthropic's word for it */
    int status = end->status == 503 && strcmp(d->name, "anthropic") == 0 ? 529 : end->status;
    bool is_right = o.status == status && strcmp(row, end->row) == 0 && atoi(n) == end->attempts &&
                    o.ms <= end->ms_max && lost == end->attempts - is_won &&
                    (strtod(cost, NULL) > 0) == (strcmp(row, "error") != 0);
    printf("%-16s %-10s %-5s %-6s %3d %-6s %-12s %s %4" PRId64 " %5" PRId64 " %s%s\n", d->name,
           t->name, has_other ? "two" : "one", is_stream ? "stream" : "whole", o.status, row,
           books_row(id, "error_code"), n, lost, o.ms, cost, is_right ? "" : "  WRONG");
    fflush(stdout);
    wrong += !is_right;
}

static void expect_table(const struct dialect *d)
{
    wrong = 0;
    printf("%-16s %-10s %-5s %-6s %3s %-6s %-12s %s %s %5s %s\n", "format", "channel", "of",
           "answer", "got", "row", "error", "n", "lost", "ms", "cost");
    for (size_t i = 0; i < TROUBLES_N; i++)
        for (int has_other = 0; has_other < 2; has_other++)
            for (int is_stream = 1; is_stream >= 0; is_stream--)
                expect_case(d, &troubles[i], has_other, is_stream);
    ck_assert_msg(wrong == 0, "%d of the rows above are wrong", wrong);
    books_check();
}

START_TEST(each_trouble_of_a_channel_ends_as_it_should)
{
    expect_table(&dialects[_i]);
}
END_TEST

/* ---- one thing at a time ---- */

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

START_TEST(a_flapping_channel_costs_no_request)
{
    struct customer c = customer_new("10");
    for (int i = 0; i < 3; i++) {
        misbehave("ch-flap", i % 2 == 0 ? "reset=head" : "");
        for (int n = 0; n < 10; n++)
            ck_assert_int_eq(ask_chat_of("ch-flap", c.key, "tokens=1").status, 200);
    }
    ck_assert_int_eq(sql_int("SELECT COUNT(*) FROM usage_log WHERE account_id = %" PRId64
                             " AND status <> 'ok'",
                             c.account_id),
                     0);
    books_check();
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
    sql_run("UPDATE channels SET concurrent_requests = 0 WHERE name = 'ch-full-a'");
    usleep(SQL_TAKES_MS * 1000);
    ck_assert_str_eq(ask_chat_of("ch-full", c.key, "tokens=1").channel, "ch-full-b");
    sql_run("UPDATE channels SET requests_per_minute = 0 WHERE name = 'ch-full-b'");
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
    tcase_add_test(t, a_flapping_channel_costs_no_request);
    tcase_add_test(t, a_refused_key_is_disabled_for_all_and_comes_back_by_itself);
    tcase_add_test(t, a_key_that_an_admin_disables_is_never_tried);
    tcase_add_test(t, a_channel_with_groups_serves_no_other);
    tcase_add_test(t, a_full_channel_hands_on_and_a_limit_of_none_refuses);
    tcase_add_test(t, a_private_address_is_refused_unless_allowed);
    tcase_add_test(t, a_channel_has_headers_statuses_and_an_account_of_its_own);
    tcase_add_test(t, a_conversation_stays_on_its_channel_however_it_is_named);
    tcase_add_test(t, explain_tells_the_order_what_is_skipped_and_the_money);
    tcase_add_test(t, the_view_of_health_tells_what_was_lost);
    tcase_add_loop_test(t, each_trouble_of_a_channel_ends_as_it_should, 0, 4);
}

const struct suite_part part_channels = {"channels", seed, add};
