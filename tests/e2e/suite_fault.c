/* Providers that misbehave in every way, alone and beside one that works: what the client saw, how
 * often was asked, how long it took, what was charged; and what becomes of conversations.
 *
 * Two parts: with short timers for every run, and with those of real life, which takes minutes. */
#include "tests/e2e/suites.h"

#include "tests/e2e/ask.h"
#include "tests/e2e/books.h"
#include "tests/e2e/dialect.h"
#include "tests/e2e/stack.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    QUARTERS = 4,
    CONVERSATIONS = 50,
    TURNS = 20,
    CHANNELS = 4,
    SQL_TAKES_MS = 1200,
    FLAP_SLOW_MS = 60000,
    PING_MS = 10000
};

/* The timers of a part; as its configuration in suites.h says. */
struct pace {
    int first_byte_ms;
    int between_bytes_ms;
    int late_ms; /* when the late provider begins; before first_byte_ms */
};

static const struct pace quick = {1500, 1500, 1000}, slow = {25000, 30000, 20000};
static const struct pace *pace = &quick;

/* How a request ends: what the client gets, how often was asked, the row's status, the time beyond the wait. */
struct end {
    int status;
    int attempts;
    const char *row;
    int ms_max;
};

/* What a request waits for before anything can happen. */
enum wait { NOTHING, FIRST_BYTE, BETWEEN_BYTES, LATE };

/* What one bad channel does, and how requests end when it is alone, and beside a good one of lower
 * priority. */
struct trouble {
    const char *name;
    const char *controls; /* behind the @ of the provider's model name */
    enum wait wait;
    struct end stream_alone, whole_alone, stream_beside, whole_beside;
};

#define MOVES                                                                                      \
    {200, 2, "ok", 1000},                                                                          \
    {                                                                                              \
        200, 2, "ok", 1000                                                                         \
    }

static const struct trouble troubles[] = {
  /* clang-format off */
    {"limit-2s",   "status=429,retry_after=2",         NOTHING, {429, 2, "error", 3500}, {429, 2, "error", 3500}, MOVES},
    {"limit-once", "status=429,retry_after=2,fails=1", NOTHING, {200, 2, "ok", 3500},    {200, 2, "ok", 3500},    MOVES},
    {"limit",      "status=429",                       NOTHING, {429, 1, "error", 1000}, {429, 1, "error", 1000}, MOVES},
    {"one-500",    "status=500,fails=1",               NOTHING, {503, 1, "error", 1000}, {503, 1, "error", 1000}, MOVES},
    {"down-503",   "status=503",                       NOTHING, {503, 1, "error", 1000}, {503, 1, "error", 1000}, MOVES},
    {"busy-2s",    "status=503,retry_after=1,fails=1", NOTHING, {200, 2, "ok", 2500},    {200, 2, "ok", 2500},    MOVES},
    {"reset",      "reset=head",                       NOTHING, {503, 1, "error", 1000}, {503, 1, "error", 1000}, MOVES},
    {"silence",    "silence=1",                        FIRST_BYTE, {504, 1, "error", 1000}, {504, 1, "error", 1000}, MOVES},
    {"late",       "",                                 LATE, {200, 1, "ok", 1500},    {200, 1, "ok", 1500},    {200, 1, "ok", 1500}, {200, 1, "ok", 1500}},
    {"cut",        "cut=40,tokens=60",                 NOTHING, {200, 1, "cut", 1000},   {503, 1, "error", 1000}, {200, 1, "cut", 1000}, {200, 2, "ok", 1000}},
    {"stall",      "stall=40,tokens=60",               BETWEEN_BYTES, {200, 1, "cut", 1500},   {504, 1, "error", 1500}, {200, 1, "cut", 1500}, {200, 2, "ok", 1500}},
    {"malformed",  "malformed=3",                      NOTHING, {200, 1, "cut", 1000},   {503, 1, "error", 1000}, {200, 1, "cut", 1000}, {200, 2, "ok", 1000}},
    {"no-end",     "nodone=1,nofinish=1",                NOTHING, {200, 1, "cut", 1000},   {200, 1, "ok", 1000},    {200, 1, "cut", 1000}, {200, 1, "ok", 1000}},
    {"context",    "status=400,code=context_length_exceeded", NOTHING, {400, 1, "error", 1000}, {400, 1, "error", 1000}, {400, 1, "error", 1000}, {400, 1, "error", 1000}},
    {"filter",     "status=400,code=content_filter",   NOTHING, {400, 1, "error", 1000}, {400, 1, "error", 1000}, {400, 1, "error", 1000}, {400, 1, "error", 1000}},
    {"unknown",    "status=404",                       NOTHING, {404, 1, "error", 1000}, {404, 1, "error", 1000}, MOVES},
    {"error-200",  "error_in=1",                       NOTHING, {503, 1, "error", 1000}, {503, 1, "error", 1000}, MOVES},
    {"bad-key",    "status=401",                       NOTHING, {503, 1, "error", 1000}, {503, 1, "error", 1000}, MOVES},
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
    const char *controls = t->wait == LATE ? http_printf("ms=%d,tokens=60", pace->late_ms)
                                           : t->controls;
    channel_serves(bad, model, http_printf("%s-up@%s", name, controls));
    if (has_other)
        channel_serves(channel_of(http_printf("%s-good", name), format, 0), model, NULL);
}

static bool is_tried(const struct dialect *d)
{
    return strcmp(d->name, "openai-completions") != 0;
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

static int wait_ms(enum wait wait)
{
    switch (wait) {
    case FIRST_BYTE:
        return pace->first_byte_ms;
    case BETWEEN_BYTES:
        return pace->between_bytes_ms;
    case LATE:
        return pace->late_ms;
    case NOTHING:
        break;
    }
    return 0;
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
    int waited_ms = wait_ms(t->wait);
    bool is_won = strcmp(row, "ok") == 0;
    bool is_pinged = is_stream && waited_ms > PING_MS; /* with a head of 200 */
    /* Anthropic's word for 503 is 529. */
    int status = is_pinged                                                 ? 200
                 : end->status == 503 && strcmp(d->name, "anthropic") == 0 ? 529
                                                                           : end->status;
    bool is_right = o.status == status && strcmp(row, end->row) == 0 && atoi(n) == end->attempts &&
                    o.ms >= waited_ms && o.ms <= waited_ms + end->ms_max &&
                    lost == end->attempts - is_won &&
                    (strtod(cost, NULL) > 0) == (strcmp(row, "error") != 0);
    printf("%-16s %-10s %-5s %-6s %3d %-6s %-12s %s %4" PRId64 " %5" PRId64 " %s%s\n", d->name,
           t->name, has_other ? "two" : "one", is_stream ? "stream" : "whole", o.status, row,
           books_row(id, "error_code"), n, lost, o.ms, cost, is_right ? "" : "  WRONG");
    fflush(stdout);
    wrong += !is_right;
}

/* The rows of one answer (streamed or whole) with one or two channels; how many are wrong. */
static int ask_quarter(const struct dialect *d, size_t first, size_t n, int quarter)
{
    for (size_t i = first; i < first + n; i++)
        expect_case(d, &troubles[i], quarter / 2, quarter % 2);
    return wrong;
}

/* The quarters at once, each in a process: most of the time is waiting. */
static void expect_troubles(const struct dialect *d, size_t first, size_t n)
{
    pid_t pids[QUARTERS];
    printf("%-16s %-10s %-5s %-6s %3s %-6s %-12s %s %s %5s %s\n", "format", "channel", "of",
           "answer", "got", "row", "error", "n", "lost", "ms", "cost");
    fflush(stdout);
    for (int q = 0; q < QUARTERS; q++) {
        pids[q] = fork();
        ck_assert_int_ge(pids[q], 0);
        if (pids[q] == 0)
            _exit(ask_quarter(d, first, n, q));
    }
    for (int q = 0; q < QUARTERS; q++) {
        int status = -1;
        ck_assert_int_eq(waitpid(pids[q], &status, 0), pids[q]);
        wrong += !WIFEXITED(status) || WEXITSTATUS(status) != 0;
    }
    ck_assert_msg(wrong == 0, "rows above are wrong");
    books_check();
}

START_TEST(each_trouble_of_a_channel_ends_as_it_should)
{
    expect_troubles(&dialects[_i], 0, TROUBLES_N);
}
END_TEST

START_TEST(it_ends_so_with_the_timers_of_real_life_too)
{
    pace = &slow;
    expect_troubles(dialect_find("openai-chat"), (size_t)_i, 1);
}
END_TEST

/* ---- providers that come and go ---- */

/* The provider of channel NAME does so from now on. */
static void misbehave(const char *name, const char *controls)
{
    sql_run("UPDATE channel_models SET upstream_name = '%s-up%s%s' WHERE channel_id = (SELECT id "
            "FROM channels WHERE name = '%s')",
            name, *controls != 0 ? "@" : "", controls, name);
    usleep(SQL_TAKES_MS * 1000);
}

/* One channel breaks and recovers again and again for that time, beside one that works. */
static void expect_flapping(int64_t for_ms, int asked_at_once)
{
    struct customer c = customer_new("10");
    int64_t n = 0, end_us = spawn_now_us() + for_ms * 1000, longest_us = 0;
    for (int i = 0; spawn_now_us() < end_us; i++) {
        misbehave("ft-flap-bad", i % 2 == 0 ? "reset=head" : "");
        for (int k = 0; k < asked_at_once; k++, n++) {
            struct http_reply reply;
            ask_chat(c.key, ask_body("ft-flap", "tokens=1", ""), &reply);
            ask_expect_status(&reply, 200);
            longest_us = reply.total_us > longest_us ? reply.total_us : longest_us;
            http_reply_clear(&reply);
        }
    }
    printf("flapping: %" PRId64 " requests, none failed, %" PRId64
           " attempts lost, longest %" PRId64 " ms\n",
           n,
           sql_int("SELECT COUNT(*) FROM request_attempts a JOIN channels c ON c.id = a.channel_id "
                   "WHERE c.name = 'ft-flap-bad'"),
           longest_us / 1000);
    fflush(stdout);
    ck_assert_int_eq(sql_int("SELECT COUNT(*) FROM usage_log WHERE account_id = %" PRId64
                             " AND status <> 'ok'",
                             c.account_id),
                     0);
    books_check();
}

START_TEST(a_flapping_channel_costs_no_request)
{
    expect_flapping(4000, 10);
}
END_TEST

START_TEST(nor_does_one_that_flaps_for_a_minute)
{
    expect_flapping(FLAP_SLOW_MS, 50);
}
END_TEST

/* ---- conversations ---- */

struct turns {
    char ids[CONVERSATIONS][TURNS][40];
    int64_t channels[CONVERSATIONS][TURNS];
};

/* Turns of all conversations, interleaved as they would come; and which channel took each. */
static void ask_turns(const struct customer *c, struct turns *out)
{
    for (int turn = 0; turn < TURNS; turn++)
        for (int i = 0; i < CONVERSATIONS; i++) {
            struct http_reply reply;
            struct http_call call = {.port = stack.webs[0].port,
                                     .path = "/v1/chat/completions",
                                     .key = c->key,
                                     .headers = {http_printf("session-id: conversation-%d", i)},
                                     .body = ask_body("ft-sticky", "tokens=1", "")};
            http_run(&call, &reply);
            ask_expect_status(&reply, 200);
            snprintf(out->ids[i][turn], sizeof(out->ids[i][turn]), "%s", ask_id(&reply));
            http_reply_clear(&reply);
        }
    books_wait_row(out->ids[CONVERSATIONS - 1][TURNS - 1]);
    for (int i = 0; i < CONVERSATIONS; i++)
        for (int turn = 0; turn < TURNS; turn++)
            out->channels[i][turn] = atoll(books_row(out->ids[i][turn], "channel_id"));
}

/* Where most turns of a conversation went, and how many of them. */
static int64_t most_of(const struct turns *t, int conversation, int *turns_n)
{
    const int64_t *channels = t->channels[conversation];
    int64_t most = 0;
    *turns_n = 0;
    for (int a = 0; a < TURNS; a++) {
        int n = 0;
        for (int b = 0; b < TURNS; b++)
            n += channels[a] == channels[b];
        if (n > *turns_n) {
            *turns_n = n;
            most = channels[a];
        }
    }
    return most;
}

/* The channel of each conversation. Fails the test unless at least 97 % of all turns were on it. */
static void expect_stays(const struct turns *t, int64_t homes[CONVERSATIONS], const char *when)
{
    int at_home = 0;
    for (int i = 0; i < CONVERSATIONS; i++) {
        int n = 0;
        homes[i] = most_of(t, i, &n);
        at_home += n;
    }
    printf("%s: %d of %d turns of %d conversations on one channel each\n", when, at_home,
           CONVERSATIONS * TURNS, CONVERSATIONS);
    fflush(stdout);
    ck_assert_int_ge(at_home * 100, CONVERSATIONS * TURNS * 97);
}

START_TEST(conversations_stay_on_their_channel_and_only_those_of_a_failed_one_move)
{
    static struct turns turns;
    int64_t before[CONVERSATIONS], after[CONVERSATIONS];
    struct customer c = customer_new("100");
    ask_turns(&c, &turns);
    expect_stays(&turns, before, "all work");
    int64_t failed = before[0];
    int homeless = 0, moved = 0;
    misbehave(sql_text("SELECT name FROM channels WHERE id = %" PRId64, failed), "status=500");
    ask_turns(&c, &turns);
    expect_stays(&turns, after, "one fails");
    for (int i = 0; i < CONVERSATIONS; i++) {
        homeless += before[i] == failed;
        moved += before[i] != failed && after[i] != before[i];
        ck_assert_int_ne(after[i], failed);
    }
    printf("%d conversations of the failed channel moved, %d of others\n", homeless, moved);
    fflush(stdout);
    ck_assert_int_eq(moved, 0);
    ck_assert_int_lt(homeless, CONVERSATIONS / 2);
}
END_TEST

/* ---- the parts ---- */

static void seed_common(void)
{
    int64_t flap = model_new("ft-flap", "1.25", "10"),
            sticky = model_new("ft-sticky", "1.25", "10");
    channel_serves(channel_new("ft-flap-bad", "demo", stack.sims[0].port, 10), flap,
                   "ft-flap-bad-up");
    channel_serves(channel_new("ft-flap-good", "demo", stack.sims[0].port, 0), flap, NULL);
    for (int i = 0; i < CHANNELS; i++) {
        const char *name = http_printf("ft-sticky-%d", i);
        channel_serves(channel_new(name, "demo", stack.sims[0].port, 0), sticky,
                       http_printf("%s-up", name));
    }
}

static void seed_troubles(const struct dialect *d)
{
    for (size_t i = 0; i < 4 * TROUBLES_N; i++)
        seed_trouble(&troubles[i / 4], d->name, i / 2 % 2, i % 2);
}

static void seed(void)
{
    for (size_t f = 0; f < dialects_n; f++)
        if (is_tried(&dialects[f]))
            seed_troubles(&dialects[f]);
    seed_common();
}

static void seed_slow(void)
{
    pace = &slow;
    seed_troubles(dialect_find("openai-chat"));
    seed_common();
}

static void add(TCase *t)
{
    tcase_add_loop_test(t, each_trouble_of_a_channel_ends_as_it_should, 0, 4);
    tcase_add_test(t, a_flapping_channel_costs_no_request);
    tcase_add_test(t, conversations_stay_on_their_channel_and_only_those_of_a_failed_one_move);
}

static void add_slow(TCase *t)
{
    tcase_add_loop_test(t, it_ends_so_with_the_timers_of_real_life_too, 0, TROUBLES_N);
    tcase_add_test(t, nor_does_one_that_flaps_for_a_minute);
}

const struct suite_part part_fault = {"fault", seed, add};
const struct suite_part part_slow_fault = {"slow", seed_slow, add_slow};
