#include "db/catalog.h"

#include "base/clock.h"
#include "base/hash.h"
#include "tests/unit/mariadb.h"

#include <check.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define USD(n) (INT64_C(1000000000) * (n))

static struct mariadb shared;
static struct mariadb own; /* for tests that kill or freeze it */
static struct mariadb *server;
static struct db *db;
static struct catalog_store *store;
static const struct catalog *catalog;

static const char sql_world[] =
    "DELETE FROM parameter_overrides;"
    "INSERT INTO models (id, name, context_tokens, created_at) VALUES (1, 'zeta', 1000, "
    "'2026-01-02 03:04:05.678'), (2, 'alpha', 2000, '2026-01-02'), (3, 'unpriced', 1, "
    "'2026-01-02'),"
    " (4, 'alpha-2', 1, '2026-01-02'), (6, 'by-request', 1, '2026-01-02');"
    "INSERT INTO models (id, name, status) VALUES (5, 'off', 'disabled');"
    "UPDATE models SET display_name = 'Alpha, the first' WHERE id = 2;"
    "INSERT INTO prices (model_id, unit, amount) VALUES (1, 'input_token', 2), (1, 'output_token', "
    "8), (2, 'input_token', 1), (2, 'output_token', 4),"
    " (3, 'input_token', 1), (4, 'input_token', 1), (4, 'output_token', 1), (5, 'input_token', 1), "
    "(5, 'output_token', 1), (6, 'request', 0.5);"
    "INSERT INTO channels (id, name, provider, base_url, priority, weight, connect_ms) VALUES (1, "
    "'low', 'openai', 'https://low.example/v1', 0, 1, NULL),"
    " (2, 'high', 'other', 'https://high.example/v1//', 10, 3, 1500), (3, 'high too', 'openai', "
    "'https://too.example', 10, 1, NULL),"
    " (4, 'keyless', 'openai', 'https://x.example', 99, 1, NULL);"
    "INSERT INTO channels (id, name, base_url, status) VALUES (5, 'draining', 'https://x.example', "
    "'draining');"
    "INSERT INTO channel_keys (id, channel_id, secret, weight) VALUES (1, 1, 'secret one', 1), (2, "
    "2, 'secret two', 5), (3, 2, 'secret three', 1), (5, 3, 's', 1), (6, 5, 's', 1);"
    "INSERT INTO channel_keys (id, channel_id, secret, status) VALUES (4, 4, 'secret four', "
    "'disabled');"
    "INSERT INTO channel_models (channel_id, model_id, upstream_name) VALUES (1, 1, NULL), (2, 1, "
    "'zeta-upstream'), (3, 1, NULL), (4, 1, NULL), (5, 1, NULL), (2, 2, NULL);"
    "INSERT INTO channel_models (channel_id, model_id, status) VALUES (1, 2, 'disabled')";

static void setup_on(struct mariadb *m)
{
    server = m;
    mariadb_fresh(server);
    mariadb_exec(server, "%s", sql_world);
    db = db_new(server->config);
    store = catalog_store_new(db, server->config);
    ck_assert_ptr_nonnull(store);
}

static void setup(void)
{
    setup_on(&shared);
}

static void setup_own(void)
{
    mariadb_start_own(&own);
    setup_on(&own);
}

static void teardown(void)
{
    catalog_store_free(store);
    db_free(db);
    if (server == &own)
        mariadb_stop(&own);
}

static void acquire(void)
{
    ck_assert_int_eq(catalog_acquire(store, &catalog), ERR_OK);
}

static const struct catalog_model *model(const char *name)
{
    const struct catalog_model *m = catalog_find_model(catalog, slice_of(name));
    ck_assert_ptr_nonnull(m);
    return m;
}

/* A store that has never read, as after a restart or with another configuration. */
static void new_store(void)
{
    catalog_store_free(store);
    store = catalog_store_new(db, server->config);
    ck_assert_ptr_nonnull(store);
}

/* ---- content ---- */

START_TEST(enabled_and_priced_models_are_there_by_name)
{
    acquire();
    ck_assert_uint_eq(catalog->models_n, 4);
    ck_assert_str_eq(catalog->models[0].name, "alpha");
    ck_assert_str_eq(catalog->models[1].name, "alpha-2");
    ck_assert_str_eq(catalog->models[2].name, "by-request");
    ck_assert_str_eq(catalog->models[3].name, "zeta");
    ck_assert_int_eq(model("zeta")->id, 1);
    ck_assert_int_eq(model("zeta")->created_s, 1767323045);
    ck_assert_int_eq(model("zeta")->context_tokens, 1000);
    ck_assert_int_eq(model("zeta")->output_tokens_max, 16384);
    ck_assert_str_eq(model("zeta")->kind, "chat");
    ck_assert_str_eq(model("zeta")->owned_by, "aipass");
    ck_assert_str_eq(model("zeta")->display_name, "zeta");
    ck_assert_str_eq(model("alpha")->display_name, "Alpha, the first");
    ck_assert_ptr_null(catalog_find_model(catalog, SLICE("unpriced")));
    ck_assert_ptr_null(catalog_find_model(catalog, SLICE("off")));
    ck_assert_ptr_null(catalog_find_model(catalog, SLICE("alph")));
    ck_assert_ptr_null(catalog_find_model(catalog, SLICE("alpha-")));
    ck_assert_ptr_null(catalog_find_model(catalog, SLICE("")));
    ck_assert_ptr_null(catalog_find_model(catalog, SLICE("Zeta")));
    ck_assert_uint_eq(model("alpha-2")->routes_n, 0);
    catalog_release(store, catalog);
}
END_TEST

START_TEST(the_newest_price_that_is_not_in_the_future_is_in_force)
{
    mariadb_exec(server, "INSERT INTO prices (model_id, unit, amount, valid_from) VALUES (1, "
                         "'input_token', 3, UTC_TIMESTAMP(3) - INTERVAL 1 DAY),"
                         " (1, 'output_token', 9, UTC_TIMESTAMP(3) + INTERVAL 1 MINUTE), (1, "
                         "'cached_input_token', 0, UTC_TIMESTAMP(3) - INTERVAL 1 MINUTE);"
                         "INSERT INTO prices (model_id, unit, amount, qualifier) VALUES (1, "
                         "'input_token', 100, 'batch');"
                         "INSERT INTO prices (model_id, unit, amount, scope, scope_id) VALUES (1, "
                         "'input_token', 200, 'account', 7)");
    acquire();
    const int64_t *amount = model("zeta")->price.amount_nusd;
    ck_assert_int_eq(amount[PRICE_INPUT], USD(2));
    ck_assert_int_eq(amount[PRICE_OUTPUT], USD(8));
    ck_assert_int_eq(amount[PRICE_CACHED_INPUT], 0);
    ck_assert_int_eq(amount[PRICE_CACHE_WRITE], -1);
    ck_assert_int_eq(amount[PRICE_REQUEST], -1);
    ck_assert_int_eq(model("by-request")->price.amount_nusd[PRICE_REQUEST], USD(1) / 2);
    catalog_release(store, catalog);
}
END_TEST

START_TEST(prices_of_all_scopes_and_tiers_are_read_for_their_model)
{
    struct price p;
    mariadb_exec(
        server, "INSERT INTO prices (model_id, scope, scope_id, unit, qualifier, amount) VALUES"
                " (1, 'account', 7, 'input_token', '', 3), (1, 'account', 8, 'input_token', '', 4),"
                " (1, 'group', 7, 'output_token', '', 6), (2, 'account', 7, 'input_token', '', 99),"
                " (1, 'model', 0, 'output_token', 'priority_above_200000', 16),"
                " (1, 'channel', 2, 'input_token', '', 0.5), (1, 'channel', 2, 'output_token', "
                "'', 1)");
    acquire();
    const struct price_book *book = &model("zeta")->prices;
    ck_assert_uint_eq(book->lists_n, 5);
    struct price_choice c = price_choose(book, 7, 7);
    price_pick(&c, SERVICE_ORDINARY, 1000, &p);
    ck_assert_int_eq(p.amount_nusd[PRICE_INPUT], USD(3));
    ck_assert_int_eq(p.amount_nusd[PRICE_OUTPUT], USD(6));
    c = price_choose(book, 1, 8);
    price_pick(&c, SERVICE_PRIORITY, 200001, &p);
    ck_assert_int_eq(p.amount_nusd[PRICE_INPUT], USD(4));
    ck_assert_int_eq(p.amount_nusd[PRICE_OUTPUT], USD(16));
    ck_assert_int_eq(p.id[PRICE_OUTPUT],
                     mariadb_number(server, "SELECT id FROM prices WHERE amount = 16"));
    c = price_choose_channel(book, 2);
    price_pick(&c, SERVICE_FLEX, 1, &p);
    ck_assert_int_eq(p.amount_nusd[PRICE_INPUT], USD(1) / 2);
    ck_assert_int_eq(p.amount_nusd[PRICE_REQUEST], -1);
    c = price_choose_channel(book, 3);
    ck_assert_uint_eq(c.n, 0);
    ck_assert_uint_eq(model("alpha")->prices.lists_n, 2);
    ck_assert_uint_eq(model("by-request")->prices.lists_n, 1);
    catalog_release(store, catalog);
}
END_TEST

START_TEST(the_table_refuses_units_and_qualifiers_that_are_not_known)
{
    static const char *const bad[] = {"turbo", "above_",        "above_0",           "above_12k",
                                      "flex_", "flex_priority", "above_200000_flex", "aboveXL"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        ck_assert_uint_eq(mariadb_try(server,
                                      "INSERT INTO prices (model_id, unit, qualifier, amount) "
                                      "VALUES (1, 'input_token', '%s', 1)",
                                      bad[i]),
                          4025);
    ck_assert_uint_eq(mariadb_try(server, "INSERT INTO prices (model_id, unit, amount) VALUES (1, "
                                          "'token', 1)"),
                      4025);
    ck_assert_uint_eq(mariadb_try(server, "INSERT INTO prices (model_id, unit, amount) VALUES (1, "
                                          "'minimum', 1)"),
                      0);
}
END_TEST

START_TEST(routes_are_the_enabled_channels_with_a_key_highest_priority_first)
{
    acquire();
    const struct catalog_model *zeta = model("zeta");
    ck_assert_uint_eq(zeta->routes_n, 3);
    ck_assert_str_eq(zeta->routes[0].channel->name, "high");
    ck_assert_str_eq(zeta->routes[1].channel->name, "high too");
    ck_assert_str_eq(zeta->routes[2].channel->name, "low");
    ck_assert_str_eq(zeta->routes[0].upstream_name, "zeta-upstream");
    ck_assert_str_eq(zeta->routes[1].upstream_name, "zeta");
    const struct catalog_channel *high = zeta->routes[0].channel;
    ck_assert_str_eq(high->base_url, "https://high.example/v1");
    ck_assert_str_eq(high->format, "openai-chat");
    ck_assert_int_eq(high->weight, 3);
    ck_assert_int_eq(high->timers.connect_ms, 1500);
    ck_assert_int_eq(high->timers.total_ms, 0);
    ck_assert_uint_eq(high->keys_n, 2);
    ck_assert_int_eq(high->keys[0].id, 2);
    ck_assert_int_eq(high->keys[0].weight, 5);
    ck_assert_str_eq(high->keys[1].secret, "secret three");
    ck_assert_uint_eq(model("alpha")->routes_n, 1);
    ck_assert_ptr_eq(model("alpha")->routes[0].channel, high);
    catalog_release(store, catalog);
}
END_TEST

START_TEST(what_an_admin_sets_of_a_channel_is_there)
{
    enum catalog_meaning meaning = MEANING_RETRY;
    mariadb_exec(
        server, "%s",
        "UPDATE channels SET organization = 'org-1', project = 'proj-2', "
        "allow_private = TRUE, "
        "proxy_url = 'socks5://p.example:1080' WHERE id = 2;"
        "INSERT INTO account_groups (id, name) VALUES (7, 'vip'), (8, 'other');"
        "INSERT INTO channel_groups (channel_id, group_id) VALUES (2, 7), (5, 8);"
        "INSERT INTO channel_headers (channel_id, name, value) VALUES (2, 'X-Tier', 'a {key}"
        "'), (2, 'User-Agent', NULL);"
        "INSERT INTO channel_statuses (channel_id, status, meaning) VALUES (2, 418, 'limit');"
        "UPDATE channel_models SET first_byte_ms = 77 WHERE channel_id = 2 AND model_id = 1;"
        "UPDATE channel_keys SET secret = 'a secret of many characters k3f9', cooldown_until "
        "= UTC_TIMESTAMP(3) + INTERVAL 10 SECOND WHERE id = 2;"
        "UPDATE channel_keys SET status = 'disabled', probe_at = UTC_TIMESTAMP(3) - "
        "INTERVAL 1 SECOND WHERE id = 3");
    acquire();
    const struct catalog_route *route = &model("zeta")->routes[0];
    const struct catalog_channel *c = route->channel;
    ck_assert_int_eq(route->timers.first_byte_ms, 77);
    ck_assert_int_eq(route->timers.connect_ms, 1500);
    ck_assert_str_eq(c->organization, "org-1");
    ck_assert_str_eq(c->project, "proj-2");
    ck_assert(c->allow_private);
    ck_assert_str_eq(c->proxy_url, "socks5://p.example:1080");
    ck_assert_ptr_null(c->ca_pem);
    ck_assert(channel_admits(c, 7) && !channel_admits(c, 8));
    ck_assert(channel_admits(model("zeta")->routes[1].channel, 8));
    ck_assert(channel_meaning(c, 418, &meaning) && meaning == MEANING_LIMIT);
    ck_assert(!channel_meaning(c, 429, &meaning));
    ck_assert_uint_eq(c->headers_n, 2);
    ck_assert_str_eq(c->headers[0].name, "User-Agent");
    ck_assert_ptr_null(c->headers[0].value);
    ck_assert_str_eq(c->headers[1].value, "a {key}");
    ck_assert_uint_eq(c->keys_n, 2);
    ck_assert_str_eq(c->keys[0].hint, "...k3f9");
    ck_assert_str_eq(c->keys[1].hint, "");
    ck_assert(!c->keys[0].is_disabled && c->keys[1].is_disabled);
    int64_t wait_ms = c->keys[0].ready_ms - clock_mono_ms();
    ck_assert_msg(wait_ms > 5000 && wait_ms <= 10001, "%lld", (long long)wait_ms);
    ck_assert_int_eq(c->keys[1].ready_ms, 0);
    catalog_release(store, catalog);
}
END_TEST

static void expect_refused(const char *sql)
{
    struct db_conn *c = NULL;
    char *failed_at = NULL;
    ck_assert_int_eq(db_take(db, &c), ERR_OK);
    ck_assert_msg(db_exec_script(c, sql, &failed_at) == ERR_DB, "accepted: %s", sql);
    free(failed_at);
    db_give(db, c);
}

START_TEST(what_would_break_a_request_is_no_row)
{
    expect_refused("INSERT INTO channel_headers (channel_id, name, value) VALUES (2, 'host', 'x')");
    expect_refused("INSERT INTO channel_headers (channel_id, name, value) VALUES (2, "
                   "'Content-Length', '1')");
    expect_refused("INSERT INTO channel_headers (channel_id, name, value) VALUES (2, "
                   "'transfer-encoding', NULL)");
    expect_refused("INSERT INTO channel_headers (channel_id, name, value) VALUES (2, 'x y', 'a')");
    expect_refused("INSERT INTO channel_headers (channel_id, name, value) VALUES (2, 'x', "
                   "'a\nb: c')");
    expect_refused("INSERT INTO channel_statuses (channel_id, status, meaning) VALUES (2, 200, "
                   "'retry')");
    expect_refused("INSERT INTO channel_statuses (channel_id, status, meaning) VALUES (2, 400, "
                   "'again')");
    expect_refused("UPDATE channels SET proxy_url = 'ftp://x' WHERE id = 2");
    expect_refused("UPDATE channels SET organization = 'a b' WHERE id = 2");
    expect_refused("UPDATE channels SET ca_pem = 'x' WHERE id = 2");
}
END_TEST

START_TEST(routes_know_what_the_providers_model_accepts)
{
    mariadb_exec(server, "UPDATE channel_models SET upstream_name = 'claude-opus-5-5' WHERE "
                         "channel_id = 2 AND model_id = 1;"
                         "INSERT INTO model_capabilities (pattern, output_tokens_max) VALUES "
                         "('zet%%', 7)");
    acquire();
    const struct catalog_route *r = model("zeta")->routes;
    ck_assert_str_eq(r[0].capability->pattern, "%claude-opus-5_5%");
    ck_assert(!r[0].capability->forced_tools);
    ck_assert_int_eq(r[1].capability->output_tokens_max, 7);
    ck_assert_ptr_eq(model("alpha")->routes[0].capability, &capability_list_default);
    catalog_release(store, catalog);
}
END_TEST

START_TEST(overrides_go_to_the_routes_that_they_name_in_order)
{
    mariadb_exec(server, "INSERT INTO parameter_overrides (id, provider, channel_id, "
                         "model_pattern, action, member, value) VALUES"
                         " (50, 'openai', NULL, 'ze%%', 'remove', 'temperature', NULL), (40, "
                         "'openai', NULL, '%%', 'set', 'seed', '7'),"
                         " (60, NULL, 3, 'zeta', 'rename', 'max_tokens', 'max_completion_tokens'), "
                         "(70, 'openai', NULL, 'zet', 'remove', 'no', NULL),"
                         " (80, 'openai', NULL, 'ZE%%', 'remove', 'no', NULL), (90, NULL, 2, "
                         "'%%-upstream', 'default', 'n', '[1]')");
    acquire();
    const struct catalog_route *r = model("zeta")->routes;
    ck_assert_uint_eq(r[0].overrides_n, 1);
    ck_assert_int_eq(r[0].overrides[0].action, OVERRIDE_DEFAULT);
    ck_assert_str_eq(r[0].overrides[0].member, "n");
    ck_assert_str_eq(r[0].overrides[0].value, "[1]");
    ck_assert_uint_eq(r[1].overrides_n, 3);
    ck_assert_int_eq(r[1].overrides[0].action, OVERRIDE_SET);
    ck_assert_str_eq(r[1].overrides[0].value, "7");
    ck_assert_int_eq(r[1].overrides[1].action, OVERRIDE_REMOVE);
    ck_assert_ptr_null(r[1].overrides[1].value);
    ck_assert_int_eq(r[1].overrides[2].action, OVERRIDE_RENAME);
    ck_assert_str_eq(r[1].overrides[2].value, "max_completion_tokens");
    ck_assert_uint_eq(r[2].overrides_n, 2);
    ck_assert_uint_eq(model("alpha")->routes[0].overrides_n, 0);
    catalog_release(store, catalog);
}
END_TEST

START_TEST(the_shipped_overrides_rename_max_tokens_for_reasoning_models)
{
    mariadb_fresh(server);
    mariadb_exec(
        server,
        "INSERT INTO models (id, name) VALUES (1, 'gpt-5-mini'), (2, 'gpt-4o');"
        "INSERT INTO prices (model_id, unit, amount) VALUES (1, 'request', 1), (2, 'request', 1);"
        "INSERT INTO channels (id, name, base_url) VALUES (1, 'c', 'https://x'); INSERT INTO "
        "channel_keys (channel_id, secret) VALUES (1, 's');"
        "INSERT INTO channel_models (channel_id, model_id) VALUES (1, 1), (1, 2)");
    acquire();
    ck_assert_uint_eq(model("gpt-5-mini")->routes[0].overrides_n, 3);
    ck_assert_str_eq(model("gpt-5-mini")->routes[0].overrides[0].value, "max_completion_tokens");
    ck_assert_uint_eq(model("gpt-4o")->routes[0].overrides_n, 0);
    catalog_release(store, catalog);
}
END_TEST

START_TEST(overrides_of_a_format_go_to_channels_of_that_format)
{
    mariadb_fresh(server);
    mariadb_exec(
        server,
        "INSERT INTO models (id, name) VALUES (1, 'gpt-5');"
        "INSERT INTO prices (model_id, unit, amount) VALUES (1, 'request', 1);"
        "INSERT INTO channels (id, name, format, priority, base_url) VALUES (1, 'c', "
        "'openai-chat', 4, 'https://x'), (2, 'r', 'openai-responses', 3, 'https://x'), (3, 'a', "
        "'anthropic', 2, 'https://x'), (4, 'g', 'gemini', 1, 'https://x');"
        "INSERT INTO channel_keys (channel_id, secret) SELECT id, 's' FROM channels;"
        "INSERT INTO channel_models (channel_id, model_id) SELECT id, 1 FROM channels;"
        "INSERT INTO parameter_overrides (provider, format, action, member) VALUES"
        " ('openai', NULL, 'remove', 'metadata'), ('openai', 'gemini', 'remove', 'labels')");
    acquire();
    const struct catalog_route *r = model("gpt-5")->routes;
    ck_assert_uint_eq(r[0].overrides_n, 4);
    ck_assert_str_eq(r[1].channel->format, "openai-responses");
    ck_assert_uint_eq(r[1].overrides_n, 1);
    ck_assert_str_eq(r[1].overrides[0].member, "metadata");
    ck_assert_uint_eq(r[2].overrides_n, 1);
    ck_assert_str_eq(r[3].channel->format, "gemini");
    ck_assert_uint_eq(r[3].overrides_n, 2);
    ck_assert_str_eq(r[3].overrides[1].member, "labels");
    catalog_release(store, catalog);
}
END_TEST

START_TEST(what_carries_the_conversation_cannot_be_overridden)
{
    static const char *const bad[] = {"model", "stream", "messages", "input", "contents", ""};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        ck_assert_uint_eq(mariadb_try(server,
                                      "INSERT INTO parameter_overrides (provider, action, member) "
                                      "VALUES ('openai', 'remove', '%s')",
                                      bad[i]),
                          4025);
}
END_TEST

static void alias(const char *name, int model_id, int priority)
{
    mariadb_exec(server,
                 "INSERT INTO model_aliases (alias, model_id, priority) VALUES ('%s', %d, %d)",
                 name, model_id, priority);
}

/* The model that a name leads to; "" for none. */
static const char *leads_to(const char *name)
{
    const struct catalog_model *m = catalog_find_model(catalog, slice_of(name));
    return m ? m->name : "";
}

START_TEST(an_alias_leads_to_its_model_after_names_and_before_patterns)
{
    alias("zeta", 2, 9);
    alias("z-mini", 1, 0);
    alias("claude-*", 1, 0);
    alias("claude-haiku-*", 2, 0);
    alias("claude-haiku-4-5", 4, 0);
    acquire();
    ck_assert_str_eq(leads_to("zeta"), "zeta");
    ck_assert_str_eq(leads_to("z-mini"), "zeta");
    ck_assert_str_eq(leads_to("claude-sonnet-5"), "zeta");
    ck_assert_str_eq(leads_to("claude-"), "zeta");
    ck_assert_str_eq(leads_to("claude-haiku-4-5-20251001"), "alpha");
    ck_assert_str_eq(leads_to("claude-haiku-4-5"), "alpha-2");
    ck_assert_str_eq(leads_to("claude"), "");
    ck_assert_str_eq(leads_to("Z-mini"), "");
    ck_assert_str_eq(leads_to("z-min"), "");
    ck_assert_str_eq(leads_to("z-mini-2"), "");
    ck_assert_str_eq(leads_to(""), "");
    ck_assert_ptr_eq(catalog_find_model(catalog, SLICE("z-mini")), model("zeta"));
    catalog_release(store, catalog);
}
END_TEST

START_TEST(aliases_of_higher_priority_count_first_and_models_not_sold_are_passed_over)
{
    alias("a*", 1, 0);
    alias("a-long-one*", 2, 0);
    alias("*one", 4, 5);
    alias("two", 1, 0);
    alias("two", 2, 5);
    alias("three", 3, 9); /* unpriced */
    alias("three", 5, 8); /* disabled */
    alias("three", 2, 0);
    alias("four", 3, 0);
    alias("zeta2", 1, 0);
    alias("b*", 3, 9);
    alias("b*", 1, 0);
    acquire();
    ck_assert_str_eq(leads_to("a-long-one"), "alpha-2");
    ck_assert_str_eq(leads_to("a-long-one-2"), "alpha");
    ck_assert_str_eq(leads_to("a-short-1"), "zeta");
    ck_assert_str_eq(leads_to("two"), "alpha");
    ck_assert_str_eq(leads_to("three"), "alpha");
    ck_assert_str_eq(leads_to("four"), "");
    ck_assert_str_eq(leads_to("zeta2"), "zeta");
    ck_assert_str_eq(leads_to("b"), "zeta");
    catalog_release(store, catalog);
    ck_assert_uint_eq(mariadb_try(server, "INSERT INTO model_aliases (alias, model_id) VALUES "
                                          "('x', 77)"),
                      1452);
    ck_assert_uint_eq(mariadb_try(server, "INSERT INTO model_aliases (alias, model_id) VALUES "
                                          "('two', 1)"),
                      1062);
}
END_TEST

START_TEST(whom_to_ask_is_what_the_settings_say_if_they_say_it)
{
    acquire();
    ck_assert_ptr_null(catalog->site.support_email);
    ck_assert_ptr_null(catalog->site.support_url);
    catalog_release(store, catalog);
    mariadb_exec(server, "UPDATE settings SET value = 'help@example.com' WHERE name = "
                         "'support_email'");
    new_store();
    acquire();
    ck_assert_str_eq(catalog->site.support_email, "help@example.com");
    ck_assert_ptr_null(catalog->site.support_url);
    catalog_release(store, catalog);
    ck_assert_uint_eq(mariadb_try(server, "UPDATE settings SET value = 'javascript:x' WHERE name "
                                          "= 'support_url'"),
                      4025);
    ck_assert_uint_eq(mariadb_try(server, "UPDATE settings SET value = 'nobody' WHERE name = "
                                          "'support_email'"),
                      4025);
}
END_TEST

START_TEST(more_aliases_than_the_limit_leave_out_the_least_important)
{
    mariadb_exec(server, "INSERT INTO model_aliases (alias, model_id, priority) SELECT "
                         "CONCAT('n', seq), 1, -seq FROM seq_1_to_1200");
    acquire();
    ck_assert_uint_eq(catalog->aliases.n, ALIASES_MAX);
    ck_assert_str_eq(leads_to("n1"), "zeta");
    ck_assert_str_eq(leads_to("n1000"), "zeta");
    ck_assert_str_eq(leads_to("n1001"), "");
    catalog_release(store, catalog);
}
END_TEST

START_TEST(a_star_stands_for_any_text)
{
    static const struct {
        const char *pattern, *text;
        bool matches;
    } cases[] = {
        {"*",     "",     true },
        {"*",     "abc",  true },
        {"a*",    "a",    true },
        {"a*c",   "abc",  true },
        {"a*c",   "abcd", false},
        {"*b*",   "abc",  true },
        {"*b*",   "ac",   false},
        {"a**c",  "ac",   true },
        {"*ab",   "aab",  true },
        {"a_c",   "abc",  false},
        {"a%",    "ab",   false},
        {"*a*b*", "xbxa", false},
        {"",      "",     true },
        {"",      "a",    false},
        {"a.b*",  "axb",  false}
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        ck_assert_msg(alias_matches(cases[i].pattern, slice_of(cases[i].text)) == cases[i].matches,
                      "%s and %s", cases[i].pattern, cases[i].text);
}
END_TEST

START_TEST(an_empty_database_gives_an_empty_catalog)
{
    mariadb_fresh(server);
    acquire();
    ck_assert_uint_eq(catalog->models_n, 0);
    ck_assert_ptr_null(catalog_find_model(catalog, SLICE("zeta")));
    catalog_release(store, catalog);
}
END_TEST

/* ---- secrets ---- */

static char key_path[256];

static void use_key_file(const char *content)
{
    snprintf(key_path, sizeof(key_path), "%s/secret.key", server->dir);
    FILE *f = fopen(key_path, "w");
    ck_assert_ptr_nonnull(f);
    fputs(content, f);
    fclose(f);
    server->config->secret_key_file = key_path;
    new_store();
}

static const char key_one[] = "00112233445566778899aabbccddeeff00112233445566778899AABBCCDDEEFF\n";
static const char key_two[] = "ff112233445566778899aabbccddeeff00112233445566778899aabbccddeeff\n";

START_TEST(plain_secrets_are_sealed_at_first_use_and_opened_afterwards)
{
    char *was = server->config->secret_key_file;
    use_key_file(key_one);
    acquire();
    ck_assert_str_eq(model("zeta")->routes[2].channel->keys[0].secret, "secret one");
    catalog_release(store, catalog);
    ck_assert_int_eq(
        mariadb_number(server, "SELECT COUNT(*) FROM channel_keys WHERE secret LIKE 'sealed:1:%%'"),
        4); /* disabled and draining ones wait */
    ck_assert_int_eq(
        mariadb_number(server,
                       "SELECT COUNT(*) FROM channel_keys WHERE secret LIKE '%%secret one%%'"),
        0);
    new_store();
    acquire();
    ck_assert_str_eq(model("zeta")->routes[2].channel->keys[0].secret, "secret one");
    ck_assert_str_eq(model("zeta")->routes[0].channel->keys[1].secret, "secret three");
    catalog_release(store, catalog);
    server->config->secret_key_file = was;
}
END_TEST

START_TEST(a_secret_that_cannot_be_opened_is_skipped)
{
    char *was = server->config->secret_key_file;
    use_key_file(key_one);
    acquire();
    catalog_release(store, catalog);
    /* One key moves to another channel: it is bound to its own. The channels go on with what can
     * be opened. */
    mariadb_exec(server, "UPDATE channel_keys a JOIN channel_keys b ON b.id = 1 SET a.secret = "
                         "b.secret WHERE a.id = 2");
    new_store();
    acquire();
    ck_assert_uint_eq(model("zeta")->routes[0].channel->keys_n, 1);
    ck_assert_int_eq(model("zeta")->routes[0].channel->keys[0].id, 3);
    catalog_release(store, catalog);
    use_key_file(key_two);
    acquire();
    ck_assert_uint_eq(model("zeta")->routes_n, 0);
    catalog_release(store, catalog);
    use_key_file("not hex\n");
    mariadb_exec(server, "UPDATE channel_keys SET secret = 'plain' WHERE id = 1");
    acquire();
    ck_assert_uint_eq(model("zeta")->routes_n, 1);
    ck_assert_str_eq(model("zeta")->routes[0].channel->keys[0].secret, "plain");
    ck_assert_str_eq(mariadb_value(server, "SELECT secret FROM channel_keys WHERE id = 1"),
                     "plain");
    catalog_release(store, catalog);
    server->config->secret_key_file = was;
}
END_TEST

/* ---- freshness ---- */

START_TEST(a_change_is_seen_at_catalog_ms_and_a_snapshot_in_use_does_not_change)
{
    const struct catalog *old;
    server->config->catalog_ms = 150;
    acquire();
    old = catalog;
    mariadb_exec(server, "UPDATE models SET context_tokens = 5 WHERE id = 1");
    acquire();
    ck_assert_ptr_eq(catalog, old);
    catalog_release(store, catalog);
    usleep(160000);
    acquire();
    ck_assert_ptr_ne(catalog, old);
    ck_assert_int_eq(model("zeta")->context_tokens, 5);
    ck_assert_int_eq(catalog_find_model(old, SLICE("zeta"))->context_tokens, 1000);
    catalog_release(store, catalog);
    catalog_release(store, old);
    server->config->catalog_ms = 4000;
}
END_TEST

START_TEST(refresh_reads_before_requests_must_and_only_when_used)
{
    server->config->catalog_ms = 1100;
    ck_assert(!catalog_refresh(store));
    acquire();
    catalog_release(store, catalog);
    mariadb_exec(server, "UPDATE models SET context_tokens = 5 WHERE id = 1");
    usleep(110000);
    ck_assert(catalog_refresh(store));
    ck_assert(!catalog_refresh(store));
    acquire();
    ck_assert_int_eq(model("zeta")->context_tokens, 5);
    catalog_release(store, catalog);
    ck_assert(catalog_refresh(store));
    server->config->catalog_ms = 4000;
}
END_TEST

static void *swap_often(void *arg)
{
    (void)arg;
    for (int i = 0; i < 40; i++)
        mariadb_exec(server,
                     "START TRANSACTION; UPDATE models SET context_tokens = %d; UPDATE channels "
                     "SET weight = %d; UPDATE prices SET amount = %d; COMMIT",
                     1000 + i, 1000 + i, 1000 + i);
    return NULL;
}

START_TEST(a_half_applied_change_is_never_seen)
{
    pthread_t t;
    server->config->catalog_ms = 1;
    mariadb_exec(server, "UPDATE models SET context_tokens = 1; UPDATE channels SET weight = 1; "
                         "UPDATE prices SET amount = 1");
    pthread_create(&t, NULL, swap_often, NULL);
    int64_t last = 0, end = clock_mono_ms() + 5000;
    while (last < 1039) {
        acquire();
        const struct catalog_model *m = model("zeta");
        last = m->context_tokens;
        ck_assert_int_eq(m->routes[0].channel->weight, last);
        ck_assert_int_eq(m->price.amount_nusd[PRICE_INPUT], USD(last));
        catalog_release(store, catalog);
        ck_assert_int_lt(clock_mono_ms(), end);
        usleep(2000);
    }
    pthread_join(t, NULL);
    server->config->catalog_ms = 4000;
}
END_TEST

static void *acquire_often(void *arg)
{
    int64_t end = clock_mono_ms() + 400;
    (void)arg;
    while (clock_mono_ms() < end) {
        const struct catalog *c = NULL;
        if (catalog_acquire(store, &c) || !catalog_find_model(c, SLICE("zeta")))
            abort();
        catalog_refresh(store);
        catalog_release(store, c);
    }
    return NULL;
}

START_TEST(many_threads_share_snapshots_while_they_are_swapped)
{
    pthread_t threads[8];
    server->config->catalog_ms = 5;
    for (int i = 0; i < 8; i++)
        pthread_create(&threads[i], NULL, acquire_often, NULL);
    for (int i = 0; i < 8; i++)
        pthread_join(threads[i], NULL);
    server->config->catalog_ms = 4000;
}
END_TEST

/* ---- outages ---- */

START_TEST(without_a_first_reading_it_is_unavailable_and_later_the_last_snapshot_goes_on)
{
    server->config->catalog_ms = 50;
    acquire();
    catalog_release(store, catalog);
    mariadb_kill(server);
    usleep(200000);
    for (int i = 0; i < 20; i++) {
        acquire();
        ck_assert_int_eq(model("zeta")->context_tokens, 1000);
        catalog_release(store, catalog);
        catalog_refresh(store);
    }
    new_store();
    ck_assert_int_eq(catalog_acquire(store, &catalog), ERR_UNAVAILABLE);
    mariadb_restart(server);
    int64_t end = clock_mono_ms() + 2000;
    while (catalog_acquire(store, &catalog)) {
        ck_assert_int_lt(clock_mono_ms(), end);
        usleep(10000);
    }
    catalog_release(store, catalog);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("catalog");
    TCase *tc = tcase_create("catalog");
    tcase_set_timeout(tc, 60);
    tcase_add_checked_fixture(tc, setup, teardown);
    suite_add_tcase(suite, tc);
    tcase_add_test(tc, what_an_admin_sets_of_a_channel_is_there);
    tcase_add_test(tc, what_would_break_a_request_is_no_row);
    tcase_add_test(tc, enabled_and_priced_models_are_there_by_name);
    tcase_add_test(tc, the_newest_price_that_is_not_in_the_future_is_in_force);
    tcase_add_test(tc, prices_of_all_scopes_and_tiers_are_read_for_their_model);
    tcase_add_test(tc, the_table_refuses_units_and_qualifiers_that_are_not_known);
    tcase_add_test(tc, routes_are_the_enabled_channels_with_a_key_highest_priority_first);
    tcase_add_test(tc, routes_know_what_the_providers_model_accepts);
    tcase_add_test(tc, overrides_go_to_the_routes_that_they_name_in_order);
    tcase_add_test(tc, the_shipped_overrides_rename_max_tokens_for_reasoning_models);
    tcase_add_test(tc, overrides_of_a_format_go_to_channels_of_that_format);
    tcase_add_test(tc, what_carries_the_conversation_cannot_be_overridden);
    tcase_add_test(tc, an_alias_leads_to_its_model_after_names_and_before_patterns);
    tcase_add_test(tc, aliases_of_higher_priority_count_first_and_models_not_sold_are_passed_over);
    tcase_add_test(tc, whom_to_ask_is_what_the_settings_say_if_they_say_it);
    tcase_add_test(tc, more_aliases_than_the_limit_leave_out_the_least_important);
    tcase_add_test(tc, a_star_stands_for_any_text);
    tcase_add_test(tc, an_empty_database_gives_an_empty_catalog);
    tcase_add_test(tc, plain_secrets_are_sealed_at_first_use_and_opened_afterwards);
    tcase_add_test(tc, a_secret_that_cannot_be_opened_is_skipped);
    tcase_add_test(tc, a_change_is_seen_at_catalog_ms_and_a_snapshot_in_use_does_not_change);
    tcase_add_test(tc, refresh_reads_before_requests_must_and_only_when_used);
    tcase_add_test(tc, a_half_applied_change_is_never_seen);
    tcase_add_test(tc, many_threads_share_snapshots_while_they_are_swapped);
    tc = tcase_create("outages");
    tcase_set_timeout(tc, 60);
    tcase_add_checked_fixture(tc, setup_own, teardown);
    suite_add_tcase(suite, tc);
    tcase_add_test(tc,
                   without_a_first_reading_it_is_unavailable_and_later_the_last_snapshot_goes_on);
    SRunner *runner = srunner_create(suite);
    mariadb_start(&shared);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    mariadb_stop(&shared);
    return failed ? 1 : 0;
}
