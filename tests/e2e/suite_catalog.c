/* What the catalog knows besides channels: other names of models, and a public table of prices that
 * an admin imports. */
#include "tests/e2e/suites.h"

#include "tests/e2e/ask.h"
#include "tests/e2e/books.h"
#include "tests/e2e/spawn.h"
#include "tests/e2e/stack.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SAID_SIZE = 4096, SEEN_TRIES = 100, SEEN_PAUSE_US = 100000 };

static void seed(void)
{
    sql_run("INSERT INTO model_aliases (alias, model_id) SELECT 'side-model-1', id FROM models "
            "WHERE name = 'demo'");
    sql_run("INSERT INTO model_aliases (alias, model_id) SELECT 'side-*', id FROM models WHERE "
            "name = 'demo'");
}

START_TEST(an_alias_is_answered_and_charged_as_its_model)
{
    static const char *const names[] = {"side-model-1", "side-other-2030"};
    struct customer c = customer_new("10");
    struct http_reply reply;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        ask_chat(c.key, ask_body(names[i], "tokens=1", ""), &reply);
        ask_expect_status(&reply, 200);
        ck_assert_str_eq(http_field(reply.body, "model"), "demo");
        books_expect(ask_id(&reply), "model", "demo");
        http_reply_clear(&reply);
    }
    ask_path("GET", "/v1/models/side-model-1", c.key, &reply);
    ask_expect_status(&reply, 200);
    ck_assert_str_eq(http_field(reply.body, "id"), "demo");
    http_reply_clear(&reply);
    ask_chat(c.key, ask_body("sid-model", "tokens=1", ""), &reply);
    ask_expect_status(&reply, 404);
    http_reply_clear(&reply);
}
END_TEST

/* What GET /v1/site says, without a key, asked again until it says that of a member. */
static bool site_says(const char *member, const char *value)
{
    struct http_reply reply;
    for (int i = 0; i < SEEN_TRIES; i++) {
        ask_path("GET", "/v1/site", NULL, &reply);
        ask_expect_status(&reply, 200);
        bool says = strcmp(http_field(reply.body, member), value) == 0;
        http_reply_clear(&reply);
        if (says)
            return true;
        usleep(SEEN_PAUSE_US);
    }
    return false;
}

START_TEST(whom_to_ask_is_told_without_a_key_as_the_settings_say)
{
    ck_assert(site_says("object", "site"));
    ck_assert(site_says("version", AIPASS_VERSION));
    sql_run("UPDATE settings SET value = 'help@example.com' WHERE name = 'support_email'");
    ck_assert(site_says("support.email", "help@example.com"));
    sql_run("UPDATE settings SET value = 'https://help.example/new' WHERE name = 'support_url'");
    ck_assert(site_says("support.url", "https://help.example/new"));
    sql_run("UPDATE settings SET value = '' WHERE name LIKE 'support%%'");
}
END_TEST

/* Runs aipassctl model import on the table of this folder; what it says goes to said. Returns its
 * exit code. */
static int import(const char *more, const char *value, char *said)
{
    const char *path = stack_path("import.out");
    const char *const argv[] = {stack_built("aipassctl"),
                                "model",
                                "import",
                                stack_root("tests/e2e/models.json"),
                                "--config",
                                stack_path("aipass.conf"),
                                more,
                                value,
                                NULL};
    int status = 0;
    pid_t pid = spawn_start(argv, path);
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    FILE *f = fopen(path, "re");
    ck_assert(f != NULL);
    said[fread(said, 1, SAID_SIZE - 1, f)] = 0;
    fclose(f);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void expect_said(const char *said, const char *line)
{
    ck_assert_msg(strstr(said, line) != NULL, "not said: %s\nin: %s", line, said);
}

/* The status of a request, asked again until the catalog knows the model. */
static int ask_until_known(const char *key, const char *model, struct http_reply *reply)
{
    for (int i = 0;; i++) {
        ask_chat(key, ask_body(model, "tokens=1", ""), reply);
        if (reply->status != 404 || i == SEEN_TRIES)
            return reply->status;
        http_reply_clear(reply);
        usleep(SEEN_PAUSE_US);
    }
}

START_TEST(an_imported_model_is_sold_at_the_prices_that_were_shown)
{
    static char said[SAID_SIZE];
    struct customer c = customer_new("10");
    struct http_reply reply;
    ck_assert_int_eq(import("--only", "imported*", said), 1);
    expect_said(said, "refused: imported-odd.input_cost_per_token: has more digits");
    expect_said(said, "+ model imported-1: chat, of maker, context_tokens 272000, "
                      "output_tokens_max 128000\n");
    expect_said(said, "+ price imported-1: input_token 1.25\n");
    expect_said(said, "+ price imported-1: output_token priority 20\n");
    expect_said(said, "1 models of the file: 1 new");
    expect_said(said, "nothing was changed");
    ck_assert_int_eq(sql_int("SELECT COUNT(*) FROM models WHERE name LIKE 'imported%%'"), 0);
    ck_assert_int_eq(import("--only=imported-1,maker/*", "--activate", said), 0);
    expect_said(said, "\nactivated\n");
    ck_assert_str_eq(sql_text("SELECT GROUP_CONCAT(name ORDER BY name) FROM models WHERE name LIKE "
                              "'imported%%'"),
                     "imported-1,imported-2");
    ck_assert_int_eq(sql_int("SELECT NOT sampling FROM model_capabilities WHERE pattern = "
                             "'imported-1'"),
                     1);
    sql_run("INSERT INTO channel_models (channel_id, model_id) SELECT c.id, m.id FROM channels c "
            "JOIN models m ON m.name = 'imported-1' WHERE c.name = 'main'");
    ck_assert_int_eq(ask_until_known(c.key, "imported-1", &reply), 200);
    const char *id = ask_id(&reply);
    books_expect(id, "model", "imported-1");
    ck_assert_int_eq(
        sql_int("SELECT price_lines LIKE '%%1.250000000%%' AND cost > 0 FROM usage_log "
                "WHERE request_id = '%s'",
                id),
        1);
    http_reply_clear(&reply);
    ck_assert_int_eq(import("--only=imported-1,maker/*", "--activate", said), 0);
    expect_said(said, "0 new, 0 with other limits; prices: 0 new, 0 changed; 0 capabilities");
}
END_TEST

START_TEST(an_import_that_is_called_wrongly_says_how)
{
    static char said[SAID_SIZE];
    ck_assert_int_eq(import("--margin", "cheap", said), 2);
    expect_said(said, "--margin: expected a multiplier");
    ck_assert_int_eq(import("--status", "on", said), 2);
    ck_assert_int_eq(import("another-word", NULL, said), 2);
    ck_assert_int_eq(import("--only", "nothing-of-this-name", said), 0);
    expect_said(said, "0 models of the file");
}
END_TEST

static void add(TCase *t)
{
    tcase_add_test(t, whom_to_ask_is_told_without_a_key_as_the_settings_say);
    tcase_add_test(t, an_alias_is_answered_and_charged_as_its_model);
    tcase_add_test(t, an_imported_model_is_sold_at_the_prices_that_were_shown);
    tcase_add_test(t, an_import_that_is_called_wrongly_says_how);
}

const struct suite_part part_catalog = {"catalog", seed, add};
