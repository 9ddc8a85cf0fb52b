#include "tests/e2e/books.h"

#include "tests/e2e/admin.h"
#include "tests/e2e/crowd.h"
#include "tests/e2e/stack.h"

#include <check.h>
#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { ROW_WAIT_MS = 5000, ID_BATCH = 200 };

static const char sql_unpaid[] =
    "SELECT COALESCE(GROUP_CONCAT(account_id, ': used ', cost, ', charged ', paid SEPARATOR '; '), "
    "'') FROM (SELECT a.id AS account_id, "
    "COALESCE((SELECT SUM(u.cost) FROM usage_log u WHERE u.account_id = a.id), 0) AS cost, "
    "COALESCE((SELECT -SUM(l.amount) FROM ledger l WHERE l.account_id = a.id AND "
    "l.kind = 'usage'), 0) AS paid FROM accounts a) t WHERE cost <> paid";

/* An admin may take a balance below zero by a row of his own. */
static const char sql_overdrawn[] =
    "SELECT COALESCE(GROUP_CONCAT(account_id, ': balance ', balance, ', leased ', leased "
    "SEPARATOR '; '), '') FROM (SELECT a.id AS account_id, "
    "COALESCE((SELECT SUM(l.amount) FROM ledger l WHERE l.account_id = a.id), 0) AS balance, "
    "COALESCE((SELECT SUM(s.amount) FROM leases s WHERE s.account_id = a.id), 0) AS leased "
    "FROM accounts a) t WHERE balance < leased AND account_id NOT IN "
    "(SELECT l.account_id FROM ledger l WHERE l.kind = 'adjustment' AND l.amount < 0)";

/* count * amount / per in millionths of a dollar, which is exact, then the multiplier, then
 * rounded up at the ninth decimal. */
static const char sql_miscounted[] =
    "SELECT COALESCE(GROUP_CONCAT(request_id, ': charged ', charged, ', recomputed ', due "
    "SEPARATOR '; '), '') FROM (SELECT u.request_id, u.cost + u.shortfall AS charged, "
    "CEILING(COALESCE(SUM(j.n * j.amount * (1000000 DIV j.per)), 0) * u.price_multiplier * 1000) "
    "* 0.000000001 AS due FROM usage_log u LEFT JOIN JSON_TABLE(u.price_lines, '$[*]' COLUMNS ("
    "n DECIMAL(20,0) PATH '$.count', per DECIMAL(20,0) PATH '$.per', "
    "amount DECIMAL(18,9) PATH '$.amount')) j ON TRUE GROUP BY u.request_id) t "
    "WHERE charged <> due";

static void expect_nothing(const char *what, const char *query)
{
    const char *found = sql_text("%s", query);
    ck_assert_msg(*found == 0, "%s: %s", what, found);
}

void books_check(void)
{
    expect_nothing("usage and ledger differ", sql_unpaid);
    expect_nothing("more is leased than there is", sql_overdrawn);
    expect_nothing("costs do not recompute", sql_miscounted);
}

static bool has_row(const char *request_id)
{
    return sql_int("SELECT COUNT(*) FROM usage_log WHERE request_id = '%s'", request_id) == 1;
}

void books_wait_row(const char *request_id)
{
    ck_assert_msg(request_id != NULL && strlen(request_id) == 26, "no request id: %s",
                  request_id != NULL ? request_id : "(none)");
    ck_assert_msg(WAIT_UNTIL(has_row(request_id), ROW_WAIT_MS),
                  "no usage row of request %s within %d ms", request_id, ROW_WAIT_MS);
}

const char *books_row(const char *request_id, const char *column)
{
    books_wait_row(request_id);
    return sql_text("SELECT %s FROM usage_log WHERE request_id = '%s'", column, request_id);
}

void books_expect(const char *request_id, const char *column, const char *expected)
{
    const char *seen = books_row(request_id, column);
    ck_assert_msg(strcmp(seen, expected) == 0, "usage_log.%s: expected %s, seen %s", column,
                  expected, seen);
}

const char *books_balance(int64_t account_id)
{
    return sql_text("SELECT COALESCE(SUM(amount), 0) FROM ledger WHERE account_id = %" PRId64,
                    account_id);
}

/* How many of results[from..] up to a batch have their row; *next: where the batch ends,
 * *wanted: how many should. */
static int64_t count_rows(const struct crowd_result *results, size_t count, size_t *next,
                          int64_t *wanted)
{
    static char list[ID_BATCH * (CROWD_ID_SIZE + 3) + 1];
    size_t n = 0;
    *wanted = 0;
    list[0] = 0;
    for (; *next < count && *wanted < ID_BATCH; (*next)++) {
        const struct crowd_result *r = &results[*next];
        if (r->status != 200 || !r->is_whole)
            continue;
        n += (size_t)snprintf(list + n, sizeof(list) - n, "%s'%s'", *wanted > 0 ? "," : "",
                              r->request_id);
        (*wanted)++;
    }
    if (*wanted == 0)
        return 0;
    return sql_int("SELECT COUNT(*) FROM usage_log WHERE status = 'ok' AND request_id IN (%s)",
                   list);
}

size_t books_check_crowd(const struct crowd_result *results, size_t count, int wait_ms)
{
    size_t total = 0;
    size_t at = 0;
    int64_t end_us = spawn_now_us() + (int64_t)wait_ms * 1000;
    while (at < count) {
        size_t next = at;
        int64_t wanted;
        int64_t found = count_rows(results, count, &next, &wanted);
        ck_assert_msg(found == wanted || spawn_now_us() < end_us,
                      "%" PRId64 " of %" PRId64 " answered requests have no usage row after %d ms",
                      wanted - found, wanted, wait_ms);
        if (found == wanted) {
            at = next;
            total += (size_t)wanted;
        } else {
            spawn_sleep_ms(50);
        }
    }
    return total;
}

bool books_process_is_forgotten(const char *process_id)
{
    return sql_int("SELECT COUNT(*) FROM processes WHERE id = '%s'", process_id) == 0 &&
           sql_int("SELECT COUNT(*) FROM leases WHERE process_id = '%s'", process_id) == 0 &&
           access(stack_path("spool/%s", process_id), F_OK) != 0;
}

/* What gateways say on their way out goes to the web server's stderr. */
static void check_stderr(int web)
{
    static const char *const alarms[] = {"Sanitizer", "runtime error", "Assertion", "smashing"};
    char line[1024];
    FILE *f = fopen(stack_path("stderr%d.log", web), "re");
    while (f != NULL && fgets(line, sizeof(line), f) != NULL)
        for (size_t i = 0; i < sizeof(alarms) / sizeof(alarms[0]); i++)
            ck_assert_msg(strstr(line, alarms[i]) == NULL, "a gateway said: %s", line);
    if (f != NULL)
        fclose(f);
}

const char *books_spool_entry(void)
{
    static char name[SPAWN_PATH_MAX];
    const char *path = stack_path("spool");
    DIR *spool = opendir(path);
    struct dirent *entry;
    STACK_NEED(spool != NULL, "no spool directory %s", path);
    name[0] = 0;
    while ((entry = readdir(spool)) != NULL)
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            snprintf(name, sizeof(name), "%s", entry->d_name);
    closedir(spool);
    return name[0] != 0 ? name : NULL;
}

void books_check_drained(void)
{
    const char *left = books_spool_entry();
    books_check();
    ck_assert_int_eq(sql_int("SELECT COUNT(*) FROM leases"), 0);
    ck_assert_int_eq(sql_int("SELECT COUNT(*) FROM processes"), 0);
    ck_assert_msg(left == NULL, "left in the spool: %s", left);
    for (int i = 0; i < stack.webs_n; i++)
        check_stderr(i);
}
