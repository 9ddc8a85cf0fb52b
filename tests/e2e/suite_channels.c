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
#include <unistd.h>

enum { CASES_MAX = 32, CONVERSATIONS = 10, TURNS = 6, SQL_TAKES_MS = 1200 };

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

#define MOVES \
    {200, 2, "ok", 1000}, {200, 2, "ok", 1000}

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
        channel_serves(
            channel_new(http_printf("ch-sticky-%d", i), "demo", stack.sims[0].port, 0), model,
            NULL);
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
    bool is_right = o.status == status && strcmp(row, end->row) == 0 &&
                    atoi(n) == end->attempts && o.ms <= end->ms_max &&
                    lost == end->attempts - is_won &&
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

static void add(TCase *t)
{
    tcase_add_loop_test(t, each_trouble_of_a_channel_ends_as_it_should, 0, 4);
}

const struct suite_part part_channels = {"channels", seed, add};
