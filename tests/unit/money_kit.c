#include "tests/unit/money_kit.h"

#include "base/amount.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ACCOUNTS     9
#define STOP_MS      5000
#define DRAIN_ROUNDS 1000

void kit_begin(struct mariadb *server)
{
    struct config *c = server->config;
    mariadb_fresh(server);
    for (int i = 1; i <= ACCOUNTS; i++)
        mariadb_exec(server, "INSERT INTO accounts (id, name) VALUES (%d, 'account %d')", i, i);
    c->journal_segment_ms = 20;
    c->journal_segment_rows = 100;
    c->journal_keep_ms = 600000;
    c->journal_sync_request = false;
    c->lease_wait_ms = 1500;
    c->lease_idle_ms = 60000;
    c->lease_max_nusd = USD;
    c->db_connections_max = 4;
}

void kit_recharge(struct mariadb *server, int64_t account, int64_t nusd)
{
    char text[MONEY_TEXT_SIZE];
    mariadb_exec(server,
                 "INSERT INTO ledger (account_id, kind, amount) VALUES (%lld, 'recharge', %s)",
                 (long long)account, amount_print(text, nusd));
}

static int64_t nusd_of(const char *text)
{
    int64_t v = 0;
    if (*text && amount_parse(slice_of(text), &v)) {
        fprintf(stderr, "money_kit: not money: %s\n", text);
        exit(2);
    }
    return v;
}

int64_t kit_balance(struct mariadb *server, int64_t account)
{
    return nusd_of(mariadb_value(server, "SELECT SUM(amount) FROM ledger WHERE account_id = %lld",
                                 (long long)account));
}

int64_t kit_leased(struct mariadb *server, int64_t account)
{
    return nusd_of(mariadb_value(server, "SELECT SUM(amount) FROM leases WHERE account_id = %lld",
                                 (long long)account));
}

/* ---- nodes ---- */

struct node node_new_with(struct mariadb *server, int slots, void (*change)(struct money_ops *ops))
{
    struct node n = {.db = db_new(server->config)};
    n.ops = money_ops_real(n.db);
    struct money_ops ops = n.ops;
    if (change)
        change(&ops);
    n.m = money_new_with(&ops, server->config, slots);
    if (!n.m)
        exit(2);
    return n;
}

struct node node_new(struct mariadb *server, int slots)
{
    return node_new_with(server, slots, NULL);
}

struct node node_start(struct mariadb *server, int slots)
{
    struct node n = node_new(server, slots);
    if (money_start(n.m))
        exit(2);
    return n;
}

void node_crash(struct node *n)
{
    money_free(n->m);
    db_free(n->db);
    *n = (struct node){0};
}

void node_stop(struct node *n)
{
    money_stop(n->m, STOP_MS);
    node_crash(n);
}

void node_pump(struct node *n)
{
    while (journal_step(n->m))
        continue;
}

void node_drain(struct node *n)
{
    for (int i = 0; i < DRAIN_ROUNDS; i++) {
        journal_hurry(n->m);
        node_pump(n);
        struct journal_stats st;
        journal_stats(n->m, &st);
        if (!st.unflushed_segments)
            return;
    }
}

/* ---- requests ---- */

static struct usage_row row_of(int64_t account, int64_t need)
{
    struct usage_row row = {
        .account_id = account,
        .api_key_id = 1,
        .group_id = 1,
        .endpoint = "chat.completions",
        .model = "model-a",
        .client_format = "openai-chat",
        .status = USAGE_INTERRUPTED,
        .group_multiplier_ppm = 1000000,
        .account_multiplier_ppm = 1000000,
        .hold_nusd = need,
        .first_byte_ms = -1,
        .created_wall_ms = clock_wall_ms(),
        .price_lines = "[]",
    };
    ulid_make(row.request_id);
    return row;
}

enum err kit_admit(struct node *n, int64_t account, int64_t need, struct kit_request *r)
{
    int64_t available = 0;
    *r = (struct kit_request){.slot.index = -1};
    enum err e = hold_open(n->m, account, need, &r->hold, &available);
    if (e)
        return e;
    r->row = row_of(account, need);
    e = journal_admit(n->m, &r->row, &r->slot);
    if (e)
        hold_cancel(n->m, &r->hold);
    return e;
}

void kit_finish(struct node *n, struct kit_request *r, int64_t cost)
{
    r->row.status = USAGE_OK;
    r->row.http_status = 200;
    r->row.cost_nusd = cost;
    journal_close(n->m, &r->slot, &r->row);
    hold_settle(n->m, &r->hold, cost);
}

enum err kit_run(struct node *n, int64_t account, int64_t need, int64_t cost)
{
    struct kit_request r;
    enum err e = kit_admit(n, account, need, &r);
    if (!e)
        kit_finish(n, &r, cost);
    return e;
}
