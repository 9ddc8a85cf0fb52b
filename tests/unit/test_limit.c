#include "db/limit.h"

#include "base/clock.h"
#include "db/adopt.h"
#include "tests/unit/money_kit.h"

#include <check.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PROCS      8
#define THREADS    16
#define TRIES      64 /* of each thread: 1024 */
#define PER_MINUTE 60
#define AT_ONCE    5
#define ROUNDS     12
#define ROOM_S     15 /* a test of one minute needs so much of it */
#define LIMIT_ID   7

static struct mariadb shared;
static struct mariadb own; /* for tests that kill it */
static struct mariadb *server;

/* A process of the gateway. */
struct proc {
    struct node node;
    struct limits *l;
};

static struct proc procs[PROCS];

static struct proc proc_new(bool is_brief)
{
    struct proc p = {.node = node_new(server, THREADS)};
    p.l = limits_new(p.node.db, server->config, p.node.m, is_brief);
    ck_assert_ptr_nonnull(p.l);
    return p;
}

static void proc_crash(struct proc *p)
{
    limits_free(p->l);
    node_crash(&p->node);
}

static void proc_stop(struct proc *p)
{
    limits_stop(p->l);
    money_stop(p->node.m, 1000);
    proc_crash(p);
}

static void setup_on(struct mariadb *m)
{
    server = m;
    kit_begin(server);
    mariadb_exec(server,
                 "INSERT INTO models (id, name) VALUES (3, 'm3'), (4, 'm4');"
                 "INSERT INTO account_groups (id, name) VALUES (2, 'two');"
                 "INSERT INTO channels (id, name, base_url) VALUES (8, 'c8', 'http://h/v1'), (9, "
                 "'c9', 'http://h/v1');"
                 "INSERT INTO api_keys (id, account_id, key_hash) VALUES (5, 1, 'five'), (6, 1, "
                 "'six'), (8, 2, 'eight')");
    server->config->catalog_ms = 100;
    server->config->queue_ms = 0;
    for (int i = 0; i < PROCS; i++)
        procs[i] = proc_new(false);
}

static void setup(void)
{
    setup_on(&shared);
}

static void setup_own(void)
{
    mariadb_start_own(&own);
    own.config->db_timeout_ms = 500;
    setup_on(&own);
}

static void teardown(void)
{
    for (int i = 0; i < PROCS; i++)
        proc_crash(&procs[i]);
    if (server == &own)
        mariadb_stop(&own);
}

static void set_limit(int id, const char *scope, const char *limits)
{
    mariadb_exec(server, "REPLACE INTO rate_limits SET id = %d, %s, %s", id, scope, limits);
}

/* Not at the end of a minute. */
static void begin_minute(void)
{
    long long second = mariadb_number(server, "SELECT SECOND(UTC_TIMESTAMP())");
    if (second > 60 - ROOM_S)
        usleep((useconds_t)((61 - second) * 1000000));
}

static long long used(int id, const char *kind)
{
    return mariadb_number(
        server, "SELECT used FROM limit_windows WHERE limit_id = %d AND kind = '%s'", id, kind);
}

static long long slots(int id)
{
    return mariadb_number(
        server, "SELECT COALESCE(SUM(slots), 0) FROM limit_slots WHERE limit_id = %d", id);
}

/* By key 5 of account 1 in group 1, to model 3. */
static enum err take(const struct proc *p, int64_t tokens, struct limit_ticket *t)
{
    struct limit_ask ask = {5, 1, 1, 0, 3, tokens, server->config->queue_ms};
    return limit_take(p->l, &ask, t);
}

static enum err run(const struct proc *p, int64_t tokens, int64_t used_tokens)
{
    struct limit_ticket t;
    enum err e = take(p, tokens, &t);
    if (!e)
        limit_settle(p->l, &t, used_tokens);
    return e;
}

/* ---- requests ---- */

static atomic_int passed, refused, running, most;

static void start_threads(void *(*body)(void *), int n)
{
    pthread_t threads[THREADS];
    atomic_store(&passed, 0);
    atomic_store(&refused, 0);
    atomic_store(&running, 0);
    atomic_store(&most, 0);
    for (int i = 0; i < n; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, body, &procs[i % PROCS]), 0);
    for (int i = 0; i < n; i++)
        pthread_join(threads[i], NULL);
}

static void *try_often(void *arg)
{
    for (int i = 0; i < TRIES; i++) {
        enum err e = run(arg, 1, 1);
        atomic_fetch_add(e == ERR_OK ? &passed : &refused, e == ERR_OK || e == ERR_RATE);
    }
    return NULL;
}

START_TEST(of_1024_tries_in_8_processes_exactly_60_pass_in_a_minute)
{
    set_limit(LIMIT_ID, "account_id = 1", "requests_per_minute = 60");
    begin_minute();
    start_threads(try_often, THREADS);
    ck_assert_int_eq(atomic_load(&passed), PER_MINUTE);
    ck_assert_int_eq(atomic_load(&refused), THREADS * TRIES - PER_MINUTE);
    ck_assert_int_eq(used(LIMIT_ID, "requests"), PER_MINUTE);
}
END_TEST

START_TEST(a_large_limit_is_borrowed_in_blocks_and_never_exceeded)
{
    struct limit_ticket t;
    set_limit(LIMIT_ID, "model_id = 3", "requests_per_minute = 6400");
    begin_minute();
    for (int i = 0; i < 100; i++)
        ck_assert_int_eq(run(&procs[0], 1, 1), ERR_OK);
    ck_assert_int_eq(used(LIMIT_ID, "requests"), 100);
    ck_assert_int_eq(mariadb_number(server, "SELECT n FROM limit_windows"), 1);
    ck_assert_int_eq(take(&procs[0], 1, &t), ERR_OK);
    ck_assert_int_eq(t.views[LIMIT_REQUESTS].max, 6400);
    ck_assert_int_eq(t.views[LIMIT_REQUESTS].left, 6400 - 101);
    limit_settle(procs[0].l, &t, 0);
    int n = 0;
    while (run(&procs[n % 3], 1, 1) == ERR_OK)
        n++;
    ck_assert_int_le(n, 6400 - 101);
    ck_assert_int_ge(n, 6400 - 101 - 3 * 100);
    ck_assert_int_le(used(LIMIT_ID, "requests"), 6400);
}
END_TEST

START_TEST(a_process_of_one_request_borrows_one)
{
    struct proc brief = proc_new(true);
    set_limit(LIMIT_ID, "api_key_id = 5",
              "requests_per_minute = 64000, tokens_per_minute = 64000, concurrent_requests = 6400");
    begin_minute();
    ck_assert_int_eq(run(&brief, 10, 20), ERR_OK);
    ck_assert_int_eq(used(LIMIT_ID, "requests"), 1);
    ck_assert_int_eq(used(LIMIT_ID, "tokens"), 20);
    ck_assert_int_eq(slots(LIMIT_ID), 0);
    proc_stop(&brief);
}
END_TEST

START_TEST(the_next_minute_begins_anew)
{
    struct limit_ticket t;
    set_limit(LIMIT_ID, "group_id = 1", "requests_per_minute = 1");
    begin_minute();
    ck_assert_int_eq(run(&procs[0], 1, 1), ERR_OK);
    ck_assert_int_eq(take(&procs[1], 1, &t), ERR_RATE);
    ck_assert_int_eq(t.refused, LIMIT_REQUESTS);
    ck_assert_int_eq(t.refused_max, 1);
    ck_assert_int_gt(t.wait_ms, 0);
    ck_assert_int_le(t.wait_ms, 60000);
    ck_assert_int_eq(t.views[LIMIT_REQUESTS].left, 0);
    ck_assert_int_eq(t.views[LIMIT_REQUESTS].ends_s % 60, 0);
    mariadb_exec(server, "UPDATE limit_windows SET starts_at = starts_at - INTERVAL 1 MINUTE");
    ck_assert_int_eq(run(&procs[2], 1, 1), ERR_OK);
    ck_assert_int_eq(run(&procs[1], 1, 1), ERR_RATE); /* to the end of the minute that it knows */
    ck_assert_int_eq(run(&procs[3], 1, 1), ERR_RATE);
}
END_TEST

START_TEST(what_is_set_must_match)
{
    static const struct {
        const char *scope;
        bool hits
            [4]; /* key 5 to model 3, key 6 to model 4, key 8 (account 2, group 2) to model 3, channel 9 for model 3 */
    } cases[] = {
        {"api_key_id = 5",               {true, false, false}        },
        {"api_key_id = 5, model_id = 4", {false, false, false}       },
        {"api_key_id = 6, model_id = 4", {false, true, false}        },
        {"account_id = 1",               {true, true, false}         },
        {"account_id = 1, model_id = 3", {true, false, false}        },
        {"group_id = 2",                 {false, false, true}        },
        {"group_id = 1, model_id = 4",   {false, true, false}        },
        {"model_id = 3",                 {true, false, true}         },
        {"channel_id = 9",               {false, false, false, true} },
        {"channel_id = 9, model_id = 3", {false, false, false, true} },
        {"channel_id = 9, model_id = 4", {false, false, false, false}},
        {"channel_id = 8",               {false, false, false, false}},
    };
    const struct limit_ask asks[] = {
        {5, 1, 1, 0, 3, 1, 0},
        {6, 1, 1, 0, 4, 1, 0},
        {8, 2, 2, 0, 3, 1, 0},
        {0, 0, 0, 9, 3, 1, 0}
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        mariadb_exec(server, "DELETE FROM rate_limits");
        set_limit((int)i + 1, cases[i].scope, "requests_per_minute = 0");
        struct proc p = proc_new(false);
        for (size_t k = 0; k < 4; k++) {
            struct limit_ticket t;
            enum err e = limit_take(p.l, &asks[k], &t);
            ck_assert_msg((e == ERR_RATE) == cases[i].hits[k], "%s, ask %zu: %s", cases[i].scope, k,
                          err_name(e));
            if (!e)
                limit_settle(p.l, &t, 1);
        }
        proc_crash(&p);
    }
}
END_TEST

START_TEST(limits_of_spend_are_told_for_each_scope_and_take_nothing)
{
    static const struct {
        const char *scope;
        enum limit_scope expected;
    } cases[] = {
        {"api_key_id = 5",               LIMIT_KEY          },
        {"api_key_id = 5, model_id = 3", LIMIT_KEY_MODEL    },
        {"account_id = 1",               LIMIT_ACCOUNT      },
        {"account_id = 1, model_id = 3", LIMIT_ACCOUNT_MODEL},
        {"group_id = 1",                 LIMIT_GROUP        },
        {"group_id = 1, model_id = 3",   LIMIT_GROUP_MODEL  },
        {"model_id = 3",                 LIMIT_MODEL        },
    };
    static const char *const periods[] = {"spend_total", "spend_day", "spend_month"};
    const size_t n = sizeof(cases) / sizeof(cases[0]);
    struct limit_ticket t;
    set_limit(90, "account_id = 2", "spend_day = 0");
    set_limit(91, "api_key_id = 6, model_id = 3", "spend_day = 0");
    for (size_t i = 0; i < n; i++) {
        char limits[64];
        (void)snprintf(limits, sizeof(limits), "%s = 0%s", periods[i % 3],
                       i == 0 ? ", requests_per_minute = 1" : "");
        set_limit((int)i + 1, cases[i].scope, limits);
    }
    begin_minute();
    ck_assert_int_eq(take(&procs[0], 1, &t), ERR_OK);
    ck_assert_uint_eq(t.spends_n, n);
    for (size_t i = 0; i < n; i++) {
        ck_assert_int_eq(t.spends[i].id, (int)i + 1);
        ck_assert_int_eq(t.spends[i].scope, cases[i].expected);
    }
    ck_assert_uint_eq(t.parts_n, 1);
    limit_settle(procs[0].l, &t, 1);
    ck_assert_int_eq(take(&procs[0], 1, &t), ERR_RATE);
    ck_assert_int_eq(mariadb_number(server, "SELECT COUNT(*) FROM limit_spend"), 0);
    ck_assert_uint_ne(mariadb_try(server, "UPDATE rate_limits SET spend_day = -1 WHERE id = 1"), 0);
}
END_TEST

START_TEST(a_scope_has_one_limit_and_at_most_one_customer)
{
    set_limit(1, "api_key_id = 5, model_id = 3", "requests_per_minute = 1");
    ck_assert_uint_ne(mariadb_try(server, "INSERT INTO rate_limits (api_key_id, model_id) VALUES "
                                          "(5, 3)"),
                      0);
    ck_assert_uint_ne(mariadb_try(server, "INSERT INTO rate_limits (note) VALUES ('all')"), 0);
    ck_assert_uint_ne(mariadb_try(server, "INSERT INTO rate_limits (api_key_id, group_id) VALUES "
                                          "(5, 1)"),
                      0);
    mariadb_exec(server, "DELETE FROM api_keys WHERE id = 5");
    ck_assert_int_eq(mariadb_number(server, "SELECT COUNT(*) FROM rate_limits"), 0);
}
END_TEST

START_TEST(null_does_not_limit_and_a_change_counts_when_it_is_read)
{
    set_limit(LIMIT_ID, "api_key_id = 5", "requests_per_minute = NULL");
    begin_minute();
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(run(&procs[0], 1, 1), ERR_OK);
    ck_assert_int_eq(mariadb_number(server, "SELECT COUNT(*) FROM limit_windows"), 0);
    mariadb_exec(server, "UPDATE rate_limits SET requests_per_minute = 1, concurrent_requests = 0");
    usleep(150000);
    ck_assert_int_eq(run(&procs[0], 1, 1), ERR_RATE);
    mariadb_exec(server, "UPDATE rate_limits SET concurrent_requests = NULL");
    usleep(150000);
    ck_assert_int_eq(run(&procs[0], 1, 1), ERR_OK);
    ck_assert_int_eq(run(&procs[0], 1, 1), ERR_RATE);
    mariadb_exec(server, "UPDATE rate_limits SET requests_per_minute = 2");
    usleep(150000);
    ck_assert_int_eq(run(&procs[0], 1, 1), ERR_OK);
    ck_assert_int_eq(run(&procs[0], 1, 1), ERR_RATE);
    mariadb_exec(server, "DELETE FROM rate_limits");
    usleep(150000);
    ck_assert_int_eq(run(&procs[0], 1, 1), ERR_OK);
}
END_TEST

START_TEST(a_refused_request_uses_up_nothing)
{
    static const char *const others[] = {"requests_per_minute = 0", "tokens_per_minute = 5",
                                         "concurrent_requests = 0"};
    struct limit_ticket t;
    begin_minute();
    for (int i = 0; i < 3; i++) {
        mariadb_exec(server, "DELETE FROM rate_limits");
        /* The key's limit is taken from first, the model's last. */
        set_limit(10 + 2 * i, "api_key_id = 5", "requests_per_minute = 3, tokens_per_minute = 90");
        set_limit(11 + 2 * i, "model_id = 3", others[i]);
        usleep(150000);
        for (int k = 0; k < PROCS; k++)
            ck_assert_int_eq(take(&procs[k], 30, &t), ERR_RATE);
        ck_assert_int_eq(t.refused, i);
        ck_assert_int_eq(used(10 + 2 * i, "requests"), 0);
        ck_assert_int_eq(used(10 + 2 * i, "tokens"), 0);
        mariadb_exec(server, "DELETE FROM rate_limits WHERE model_id = 3");
        usleep(150000);
        for (int k = 0; k < 3; k++)
            ck_assert_int_eq(run(&procs[k], 30, 30), ERR_OK);
        ck_assert_int_eq(run(&procs[4], 1, 1), ERR_RATE);
    }
}
END_TEST

START_TEST(a_cancelled_request_uses_up_nothing)
{
    struct limit_ticket t;
    set_limit(LIMIT_ID, "api_key_id = 5",
              "requests_per_minute = 1, tokens_per_minute = 50, concurrent_requests = 1");
    begin_minute();
    ck_assert_int_eq(take(&procs[0], 50, &t), ERR_OK);
    ck_assert_int_eq(slots(LIMIT_ID), 1);
    limit_cancel(procs[0].l, &t);
    limit_cancel(procs[0].l, &t);
    limit_settle(procs[0].l, &t, 1000);
    ck_assert_int_eq(used(LIMIT_ID, "requests"), 0);
    ck_assert_int_eq(used(LIMIT_ID, "tokens"), 0);
    ck_assert_int_eq(slots(LIMIT_ID), 0);
    ck_assert_int_eq(run(&procs[1], 50, 1), ERR_OK);
}
END_TEST

/* ---- tokens ---- */

START_TEST(tokens_are_corrected_when_they_are_known)
{
    struct limit_ticket t;
    set_limit(LIMIT_ID, "api_key_id = 5", "tokens_per_minute = 1000");
    begin_minute();
    ck_assert_int_eq(take(&procs[0], 100, &t), ERR_OK);
    ck_assert_int_eq(used(LIMIT_ID, "tokens"), 100);
    ck_assert_int_eq(t.views[LIMIT_TOKENS].left, 900);
    limit_settle(procs[0].l, &t, 400);
    ck_assert_int_eq(used(LIMIT_ID, "tokens"), 400);
    ck_assert_int_eq(run(&procs[1], 100, 20), ERR_OK);
    ck_assert_int_eq(used(LIMIT_ID, "tokens"), 420);
    ck_assert_int_eq(take(&procs[2], 600, &t), ERR_RATE);
    ck_assert_int_eq(t.refused, LIMIT_TOKENS);
    ck_assert_int_eq(run(&procs[2], 580, 5000), ERR_OK);
    ck_assert_int_eq(used(LIMIT_ID, "tokens"), 5420);
    for (int i = 0; i < PROCS; i++)
        ck_assert_int_eq(take(&procs[i], 1, &t), ERR_RATE);
    ck_assert_int_eq(t.views[LIMIT_TOKENS].left, 0);
}
END_TEST

START_TEST(tokens_of_a_long_answer_count_in_the_minute_of_its_end)
{
    struct limit_ticket t;
    set_limit(LIMIT_ID, "api_key_id = 5", "tokens_per_minute = 1000");
    begin_minute();
    ck_assert_int_eq(take(&procs[0], 100, &t), ERR_OK);
    mariadb_exec(server, "UPDATE limit_windows SET starts_at = starts_at - INTERVAL 1 MINUTE");
    limit_settle(procs[0].l, &t, 400);
    ck_assert_int_eq(used(LIMIT_ID, "tokens"), 300);
    ck_assert_int_eq(run(&procs[1], 700, 700), ERR_OK);
    ck_assert_int_eq(run(&procs[2], 1, 1), ERR_RATE);
}
END_TEST

/* ---- slots ---- */

static void *run_often(void *arg)
{
    const struct proc *p = arg;
    struct limit_ticket t;
    for (int done = 0, tries = 0; done < ROUNDS && tries < 4000; tries++) {
        if (take(p, 1, &t)) {
            usleep(2000);
            continue;
        }
        int now = atomic_fetch_add(&running, 1) + 1;
        int seen = atomic_load(&most);
        while (now > seen && !atomic_compare_exchange_weak(&most, &seen, now))
            continue;
        usleep(3000);
        atomic_fetch_sub(&running, 1);
        limit_settle(p->l, &t, 1);
        atomic_fetch_add(&passed, 1);
        done++;
    }
    return NULL;
}

START_TEST(never_more_than_5_run_at_once_in_8_processes)
{
    set_limit(LIMIT_ID, "account_id = 1", "concurrent_requests = 5");
    start_threads(run_often, THREADS);
    ck_assert_int_eq(atomic_load(&most), AT_ONCE);
    ck_assert_int_eq(atomic_load(&passed), THREADS * ROUNDS);
    ck_assert_int_eq(slots(LIMIT_ID), 0);
}
END_TEST

START_TEST(who_may_wait_gets_a_slot_of_its_own_process_or_of_another)
{
    set_limit(LIMIT_ID, "account_id = 1", "concurrent_requests = 2");
    server->config->queue_ms = 20000;
    start_threads(run_often, THREADS);
    ck_assert_int_eq(atomic_load(&most), 2);
    ck_assert_int_eq(atomic_load(&passed), THREADS * ROUNDS);
}
END_TEST

START_TEST(waiting_ends_with_a_refusal)
{
    struct limit_ticket held, t;
    set_limit(LIMIT_ID, "account_id = 1", "concurrent_requests = 1, requests_per_minute = 2");
    begin_minute();
    server->config->queue_ms = 300;
    ck_assert_int_eq(take(&procs[0], 1, &held), ERR_OK);
    for (int i = 0; i < 2; i++) {
        int64_t began_ms = clock_mono_ms();
        ck_assert_int_eq(take(&procs[i], 1, &t), ERR_RATE);
        ck_assert_int_eq(t.refused, LIMIT_SLOTS);
        ck_assert_int_eq(t.refused_max, 1);
        ck_assert_int_ge(clock_mono_ms() - began_ms, 290);
    }
    limit_settle(procs[0].l, &held, 1);
    ck_assert_int_eq(run(&procs[1], 1, 1), ERR_OK);
}
END_TEST

START_TEST(the_slots_of_a_killed_process_are_free_when_it_is_adopted)
{
    struct limit_ticket t;
    struct proc dead = proc_new(false);
    set_limit(LIMIT_ID, "account_id = 1", "concurrent_requests = 2");
    ck_assert_int_eq(take(&dead, 1, &t), ERR_OK);
    ck_assert_int_eq(take(&dead, 1, &t), ERR_OK);
    ck_assert_int_eq(take(&procs[0], 1, &t), ERR_RATE);
    ck_assert_int_eq(slots(LIMIT_ID), 2);
    proc_crash(&dead);
    ck_assert_int_eq(adopt_dead(procs[1].node.m, 16), 1);
    ck_assert_int_eq(slots(LIMIT_ID), 0);
    ck_assert_int_eq(run(&procs[2], 1, 1), ERR_OK);
}
END_TEST

START_TEST(an_abandoned_process_loses_its_slots_and_takes_no_more)
{
    struct limit_ticket t;
    set_limit(LIMIT_ID, "account_id = 1", "concurrent_requests = 2");
    ck_assert_int_eq(take(&procs[0], 1, &t), ERR_OK);
    mariadb_exec(server, "DELETE FROM processes");
    ck_assert_int_eq(slots(LIMIT_ID), 0);
    ck_assert_int_eq(run(&procs[0], 1, 1), ERR_UNAVAILABLE);
    ck_assert(!money_may_admit(procs[0].node.m));
    ck_assert_int_eq(run(&procs[1], 1, 1), ERR_OK);
    limit_settle(procs[0].l, &t, 1);
}
END_TEST

START_TEST(a_large_limit_keeps_slots_until_they_idle)
{
    struct limit_ticket t;
    set_limit(LIMIT_ID, "model_id = 3", "concurrent_requests = 640");
    for (int i = 0; i < 20; i++)
        ck_assert_int_eq(run(&procs[0], 1, 1), ERR_OK);
    ck_assert_int_eq(slots(LIMIT_ID), 10);
    ck_assert_int_eq(mariadb_number(server, "SELECT n FROM limit_windows"), 1);
    ck_assert(limits_upkeep(procs[0].l));
    ck_assert_int_eq(slots(LIMIT_ID), 10);
    ck_assert_int_eq(take(&procs[0], 1, &t), ERR_OK);
    usleep(2100000);
    limits_upkeep(procs[0].l);
    ck_assert_int_eq(slots(LIMIT_ID), 1);
    limit_settle(procs[0].l, &t, 1);
    limits_stop(procs[0].l);
    ck_assert_int_eq(slots(LIMIT_ID), 0);
    money_stop(procs[0].node.m, 1000);
    ck_assert_int_eq(mariadb_number(server, "SELECT COUNT(*) FROM processes"), 0);
}
END_TEST

/* ---- without a database ---- */

START_TEST(while_the_database_is_down_what_is_borrowed_goes_on)
{
    struct limit_ticket t;
    set_limit(LIMIT_ID, "api_key_id = 5", "requests_per_minute = 6400, concurrent_requests = 640");
    begin_minute();
    ck_assert_int_eq(take(&procs[0], 1, &t), ERR_OK);
    ck_assert_int_eq(run(&procs[1], 1, 1), ERR_OK);
    mariadb_kill(&own);
    for (int i = 0; i < 50; i++)
        ck_assert_int_eq(run(&procs[0], 1, 1), ERR_OK);
    int n = 0;
    while (n < 100 && run(&procs[0], 1, 1) == ERR_OK)
        n++;
    ck_assert_int_eq(n, 49);
    ck_assert_int_eq(run(&procs[0], 1, 1), ERR_UNAVAILABLE);
    ck_assert_int_eq(run(&procs[2], 1, 1), ERR_UNAVAILABLE); /* it does not know any limit */
    /* Another model's are not limited, as far as is known. */
    struct limit_ask other = {6, 1, 1, 0, 4, 1, 0};
    struct limit_ticket free_one;
    ck_assert_int_eq(limit_take(procs[0].l, &other, &free_one), ERR_OK);
    limit_settle(procs[0].l, &free_one, 1);
    limit_settle(procs[0].l, &t, 1);
    mariadb_restart(&own);
    for (int i = 0; i < 100 && run(&procs[0], 1, 1) != ERR_OK; i++)
        usleep(50000);
    ck_assert_int_eq(run(&procs[0], 1, 1), ERR_OK);
}
END_TEST

START_TEST(tokens_used_in_an_outage_are_counted_after_it)
{
    struct limit_ticket t;
    set_limit(LIMIT_ID, "api_key_id = 5", "tokens_per_minute = 1000");
    begin_minute();
    ck_assert_int_eq(take(&procs[0], 100, &t), ERR_OK);
    mariadb_kill(&own);
    limit_settle(procs[0].l, &t, 700);
    mariadb_restart(&own);
    enum err e = ERR_UNAVAILABLE;
    for (int i = 0; i < 100 && e == ERR_UNAVAILABLE; i++, usleep(50000))
        e = take(&procs[0], 301, &t);
    ck_assert_int_eq(e, ERR_RATE);
    ck_assert_int_eq(used(LIMIT_ID, "tokens"), 700);
    ck_assert_int_eq(run(&procs[1], 300, 300), ERR_OK);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("limit");
    TCase *tc = tcase_create("limit");
    tcase_set_timeout(tc, 90);
    tcase_add_checked_fixture(tc, setup, teardown);
    suite_add_tcase(suite, tc);
    tcase_add_test(tc, of_1024_tries_in_8_processes_exactly_60_pass_in_a_minute);
    tcase_add_test(tc, a_large_limit_is_borrowed_in_blocks_and_never_exceeded);
    tcase_add_test(tc, a_process_of_one_request_borrows_one);
    tcase_add_test(tc, the_next_minute_begins_anew);
    tcase_add_test(tc, what_is_set_must_match);
    tcase_add_test(tc, limits_of_spend_are_told_for_each_scope_and_take_nothing);
    tcase_add_test(tc, a_scope_has_one_limit_and_at_most_one_customer);
    tcase_add_test(tc, null_does_not_limit_and_a_change_counts_when_it_is_read);
    tcase_add_test(tc, a_refused_request_uses_up_nothing);
    tcase_add_test(tc, a_cancelled_request_uses_up_nothing);
    tcase_add_test(tc, tokens_are_corrected_when_they_are_known);
    tcase_add_test(tc, tokens_of_a_long_answer_count_in_the_minute_of_its_end);
    tcase_add_test(tc, never_more_than_5_run_at_once_in_8_processes);
    tcase_add_test(tc, who_may_wait_gets_a_slot_of_its_own_process_or_of_another);
    tcase_add_test(tc, waiting_ends_with_a_refusal);
    tcase_add_test(tc, the_slots_of_a_killed_process_are_free_when_it_is_adopted);
    tcase_add_test(tc, an_abandoned_process_loses_its_slots_and_takes_no_more);
    tcase_add_test(tc, a_large_limit_keeps_slots_until_they_idle);
    TCase *outage = tcase_create("outage");
    tcase_set_timeout(outage, 90);
    tcase_add_checked_fixture(outage, setup_own, teardown);
    suite_add_tcase(suite, outage);
    tcase_add_test(outage, while_the_database_is_down_what_is_borrowed_goes_on);
    tcase_add_test(outage, tokens_used_in_an_outage_are_counted_after_it);
    SRunner *runner = srunner_create(suite);
    mariadb_start(&shared);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    mariadb_stop(&shared);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
