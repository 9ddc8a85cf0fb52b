#include "tests/unit/money_suite.h"

#include <check.h>
#include <stdlib.h>
#include <unistd.h>

#define SLOTS 64

static struct mariadb server;

static void setup(void)
{
    kit_begin(&server);
}

#define NODES    4
#define PER_NODE 50

struct racer {
    pthread_t thread;
    struct node *n;
    pthread_barrier_t *start;
    int64_t need;
    struct kit_request r;
    enum err e;
};

static void *race(void *arg)
{
    struct racer *r = arg;
    pthread_barrier_wait(r->start);
    r->e = kit_admit(r->n, 1, r->need, &r->r);
    return NULL;
}

START_TEST(two_hundred_at_once_on_credit_for_one_admit_exactly_one)
{
    struct node n[NODES];
    struct racer r[NODES * PER_NODE];
    pthread_barrier_t start;
    int admitted = 0;
    server.config->lease_wait_ms = 200;
    kit_recharge(&server, 1, USD);
    for (int i = 0; i < NODES; i++)
        n[i] = node_start(&server, PER_NODE);
    pthread_barrier_init(&start, NULL, NODES * PER_NODE);
    for (int i = 0; i < NODES * PER_NODE; i++) {
        r[i] = (struct racer){.n = &n[i % NODES], .start = &start, .need = USD};
        ck_assert_int_eq(pthread_create(&r[i].thread, NULL, race, &r[i]), 0);
    }
    for (int i = 0; i < NODES * PER_NODE; i++) {
        pthread_join(r[i].thread, NULL);
        admitted += r[i].e == ERR_OK;
        ck_assert(r[i].e == ERR_OK || r[i].e == ERR_FUNDS_RESERVED);
    }
    ck_assert_int_eq(admitted, 1);
    money_assert_sound(&server, 0);
    for (int i = 0; i < NODES * PER_NODE; i++) {
        if (r[i].e == ERR_OK)
            kit_finish(r[i].n, &r[i].r, USD);
    }
    for (int i = 0; i < NODES; i++)
        node_stop(&n[i]);
    ck_assert_int_eq(kit_balance(&server, 1), 0);
    money_assert_sound(&server, INVARIANTS_DRAINED);
    pthread_barrier_destroy(&start);
}
END_TEST

START_TEST(smaller_needs_behind_a_larger_one_are_served)
{
    struct node n = node_start(&server, PER_NODE);
    struct racer r[3];
    pthread_barrier_t start;
    const int64_t needs[] = {5000, 600, 400};
    server.config->lease_wait_ms = 200;
    kit_recharge(&server, 1, 1000);
    pthread_barrier_init(&start, NULL, 3);
    for (int i = 0; i < 3; i++) {
        r[i] = (struct racer){.n = &n, .start = &start, .need = needs[i]};
        ck_assert_int_eq(pthread_create(&r[i].thread, NULL, race, &r[i]), 0);
    }
    for (int i = 0; i < 3; i++)
        pthread_join(r[i].thread, NULL);
    ck_assert_int_eq(r[0].e, ERR_NO_FUNDS);
    ck_assert_int_eq(r[1].e, ERR_OK);
    ck_assert_int_eq(r[2].e, ERR_OK);
    kit_finish(&n, &r[1].r, 600);
    kit_finish(&n, &r[2].r, 1);
    node_stop(&n);
    ck_assert_int_eq(kit_balance(&server, 1), 399);
    money_assert_sound(&server, INVARIANTS_DRAINED);
    pthread_barrier_destroy(&start);
}
END_TEST

struct spender {
    pthread_t thread;
    struct node *n;
    unsigned seed;
    int64_t spent;
    int served, refused;
};

static void *spend(void *arg)
{
    struct spender *s = arg;
    for (int i = 0; i < 60; i++) {
        int64_t need = 1 + rand_r(&s->seed) % 5000, cost = rand_r(&s->seed) % (int)(need + 1);
        enum err e = kit_run(s->n, 1 + rand_r(&s->seed) % 3, need, cost);
        s->served += !e;
        s->refused += e != ERR_OK;
        s->spent += e ? 0 : cost;
    }
    return NULL;
}

START_TEST(balances_end_exact_after_many_spenders_in_three_processes)
{
    struct node n[3];
    struct spender s[12];
    int64_t spent = 0, before = 0;
    server.config->lease_wait_ms = 300;
    for (int i = 1; i <= 3; i++) {
        kit_recharge(&server, i, 200000);
        before += 200000;
    }
    for (int i = 0; i < 3; i++)
        n[i] = node_start(&server, SLOTS);
    for (unsigned i = 0; i < 12; i++) {
        s[i] = (struct spender){.n = &n[i % 3], .seed = i + 1};
        ck_assert_int_eq(pthread_create(&s[i].thread, NULL, spend, &s[i]), 0);
    }
    for (int i = 0; i < 20; i++) {
        money_assert_sound(&server, 0);
        for (int k = 0; k < 3; k++) {
            n[k].m->next_wanted_ms = 0;
            (void)money_upkeep(n[k].m);
        }
        usleep(20000);
    }
    int served = 0;
    for (int i = 0; i < 12; i++) {
        pthread_join(s[i].thread, NULL);
        spent += s[i].spent;
        served += s[i].served;
    }
    ck_assert_int_gt(served, 100);
    for (int i = 0; i < 3; i++)
        node_stop(&n[i]);
    ck_assert_int_eq(kit_balance(&server, 1) + kit_balance(&server, 2) + kit_balance(&server, 3),
                     before - spent);
    ck_assert_int_eq(mariadb_number(&server, "SELECT COUNT(*) FROM usage_log"), served);
    money_assert_sound(&server, INVARIANTS_DRAINED);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("lease_crowd");
    TCase *t = tcase_create("lease_crowd");
    tcase_set_timeout(t, 60);
    tcase_add_checked_fixture(t, setup, NULL);
    tcase_add_test(t, two_hundred_at_once_on_credit_for_one_admit_exactly_one);
    tcase_add_test(t, smaller_needs_behind_a_larger_one_are_served);
    tcase_add_test(t, balances_end_exact_after_many_spenders_in_three_processes);
    suite_add_tcase(s, t);
    return money_run_suite(s, &server);
}
