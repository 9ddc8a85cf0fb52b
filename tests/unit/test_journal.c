#include "tests/unit/money_suite.h"

#include "db/flush.h"
#include "db/segment.h"
#include "db/slots.h"
#include "tests/unit/temp_dir.h"

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define SLOTS 64

static struct mariadb server;

static void setup(void)
{
    kit_begin(&server);
}

static long long rows_in_db(void)
{
    return mariadb_number(&server, "SELECT COUNT(*) FROM usage_log");
}

/* ---- a database whose answers get lost, and which loses commits ---- */

static struct {
    enum err flush;
    bool is_applied;
    uint64_t generation;
    struct money_db_ops real;
} lie;

static enum err lying_flush(void *self, struct usage_flush *f)
{
    enum err told = lie.flush;
    lie.flush = ERR_OK;
    if (told && !lie.is_applied)
        return told;
    enum err e = lie.real.flush(self, f);
    return told ? told : e;
}

static uint64_t lying_generation(void *self)
{
    return lie.real.generation(self) + lie.generation;
}

static void change_lying(struct money_ops *ops)
{
    lie.real = ops->db;
    ops->db.flush = lying_flush;
    ops->db.generation = lying_generation;
}

/* ---- flushing ---- */

START_TEST(closed_request_becomes_a_row_with_all_its_columns)
{
    struct node n = node_new(&server, SLOTS);
    struct kit_request r;
    kit_recharge(&server, 1, USD);
    ck_assert_int_eq(kit_admit(&n, 1, 5000, &r), ERR_OK);
    ck_assert_int_eq(money_stats(&n).running, 1);
    strcpy(r.row.upstream_model, "up");
    strcpy(r.row.provider_format, "anthropic");
    strcpy(r.row.finish_reason, "st\xc3\xb6p\n");
    strcpy(r.row.upstream_request_id, "req_9");
    strcpy(r.row.price_lines,
           "[{\"unit\":\"output_token\",\"count\":3,\"per\":1000000,\"amount\":\"2.000000000\"}]");
    r.row.usage = (struct usage){1, 2, 3, 4, 500, 60, true, true};
    r.row.channel_id = 8;
    r.row.is_stream = true;
    r.row.group_multiplier_ppm = 900000;
    r.row.account_multiplier_ppm = 1500000;
    r.row.shortfall_nusd = 7;
    r.row.attempts = 2;
    r.row.first_byte_ms = 15;
    r.row.duration_ms = 99;
    r.row.created_wall_ms = INT64_C(1795361959123);
    kit_finish(&n, &r, 4321);
    ck_assert_int_eq(money_stats(&n).unflushed_rows, 1);
    node_drain(&n);
    ck_assert_int_eq(money_stats(&n).unflushed_rows, 0);
    ck_assert_uint_eq(money_stats(&n).commits, 1);
    ck_assert_str_eq(
        mariadb_value(
            &server,
            "SELECT CONCAT_WS('|', request_id, account_id, api_key_id, group_id, endpoint, model, "
            "upstream_model, channel_id, IFNULL(channel_key_id, 'null'),"
            " client_format, provider_format, is_stream, status, http_status, IFNULL(error_code, "
            "'null'), finish_reason, input_tokens, cached_input_tokens,"
            " cache_write_tokens, cache_write_1h_tokens, output_tokens, reasoning_tokens, "
            "is_estimated, price_lines, price_multiplier, cost, shortfall, attempts,"
            " first_byte_ms, duration_ms, upstream_request_id, process_id, created_at) LIKE"
            " '%s|1|1|1|chat.completions|model-a|up|8|null|openai-chat|anthropic|1|ok|200|null|st??"
            "p?|1|2|3|4|500|60|1|[{%%}]|1.350000000000|0.000004321|0.000000007|2|15|99|req_9|%s|"
            "2026-11-22 %%.123'"
            " FROM usage_log",
            r.row.request_id, money_process_id(n.m)),
        "1");
    ck_assert_str_eq(
        mariadb_value(&server, "SELECT CONCAT_WS('|', account_id, kind, amount, reference) FROM "
                               "ledger WHERE kind = 'usage'"),
        mariadb_value(&server,
                      "SELECT CONCAT('1|usage|-0.000004321|usage:', id, ':1:1') FROM processes"));
    node_stop(&n);
    money_assert_sound(&server, INVARIANTS_DRAINED);
}
END_TEST

START_TEST(rows_of_one_segment_make_one_ledger_row_per_account_and_none_for_nothing)
{
    struct node n = node_new(&server, SLOTS);
    for (int a = 1; a <= 3; a++)
        kit_recharge(&server, a, USD);
    for (int i = 0; i < 5; i++) {
        ck_assert_int_eq(kit_run(&n, 2, 100, 10 + i), ERR_OK);
        ck_assert_int_eq(kit_run(&n, 1, 100, 20), ERR_OK);
        ck_assert_int_eq(kit_run(&n, 3, 100, 0), ERR_OK);
    }
    node_drain(&n);
    ck_assert_int_eq(rows_in_db(), 15);
    ck_assert_str_eq(mariadb_value(&server, "SELECT GROUP_CONCAT(account_id, ':', amount ORDER BY "
                                            "id) FROM ledger WHERE kind = 'usage'"),
                     "1:-0.000000100,2:-0.000000060");
    ck_assert_int_eq(mariadb_number(&server, "SELECT last_segment FROM journal_positions"), 1);
    money_assert_sound(&server, 0);
    node_stop(&n);
    money_assert_sound(&server, INVARIANTS_DRAINED);
}
END_TEST

START_TEST(segment_flushed_again_changes_nothing)
{
    struct node n = node_new(&server, SLOTS);
    kit_recharge(&server, 1, USD);
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(kit_run(&n, 1, 100, 30), ERR_OK);
        node_drain(&n);
    }
    int64_t balance = kit_balance(&server, 1), leased = kit_leased(&server, 1);
    for (uint64_t s = 3; s; s--) {
        struct flush_source src = {.process = n.m->id,
                                   .dir = n.m->spool.dir,
                                   .is_own = true,
                                   .number = s,
                                   .previous = s - 1};
        ck_assert_int_eq(flush_segment(n.m, &src), ERR_END);
    }
    ck_assert_int_eq(kit_balance(&server, 1), balance);
    ck_assert_int_eq(kit_leased(&server, 1), leased);
    ck_assert_int_eq(rows_in_db(), 3);
    money_assert_sound(&server, 0);
    node_stop(&n);
    money_assert_sound(&server, INVARIANTS_DRAINED);
}
END_TEST

START_TEST(flush_without_an_answer_is_repeated_and_counts_once)
{
    for (int is_applied = 0; is_applied < 2; is_applied++) {
        kit_begin(&server);
        struct node n = node_new_with(&server, SLOTS, change_lying);
        struct hold h;
        kit_recharge(&server, 1, 1000);
        ck_assert_int_eq(kit_run(&n, 1, 1000, 300), ERR_OK);
        lie.flush = ERR_DB_UNKNOWN;
        lie.is_applied = is_applied;
        node_drain(&n);
        ck_assert_int_eq(rows_in_db(), 1);
        ck_assert_int_eq(kit_balance(&server, 1), 700);
        ck_assert_int_eq(kit_leased(&server, 1), 700);
        ck_assert_int_eq(hold_open(n.m, 1, 701, &h, NULL), ERR_NO_FUNDS);
        ck_assert_int_eq(hold_open(n.m, 1, 700, &h, NULL), ERR_OK);
        money_assert_sound(&server, 0);
        hold_cancel(n.m, &h);
        node_stop(&n);
        money_assert_sound(&server, INVARIANTS_DRAINED);
    }
}
END_TEST

START_TEST(take_between_an_unanswered_flush_and_its_repeat_counts_nothing_twice)
{
    struct node n = node_new_with(&server, SLOTS, change_lying);
    struct hold h, h2;
    kit_recharge(&server, 1, 1000);
    server.config->lease_max_nusd = 0;
    ck_assert_int_eq(kit_run(&n, 1, 500, 300), ERR_OK);
    lie.flush = ERR_DB_UNKNOWN;
    lie.is_applied = true;
    journal_hurry(n.m);
    node_pump(&n);
    ck_assert_int_eq(money_stats(&n).unflushed_segments, 1);
    /* 200 are free; this take sees a lease row without the 300, at a position that says so. */
    ck_assert_int_eq(hold_open(n.m, 1, 300, &h, NULL), ERR_OK);
    ck_assert_int_eq(kit_leased(&server, 1), 300);
    node_drain(&n);
    struct lease_account *a = lease_account_find(n.m, 1);
    ck_assert_int_eq(lease_free(a), 0);
    ck_assert_int_eq(a->granted_nusd, 300);
    lease_account_put(a);
    ck_assert_int_eq(hold_open(n.m, 1, 401, &h2, NULL), ERR_FUNDS_RESERVED);
    ck_assert_int_eq(hold_open(n.m, 1, 400, &h2, NULL), ERR_OK);
    money_assert_sound(&server, 0);
    hold_cancel(n.m, &h);
    hold_cancel(n.m, &h2);
    node_stop(&n);
    money_assert_sound(&server, INVARIANTS_DRAINED);
}
END_TEST

START_TEST(lost_commits_are_replayed_from_kept_segments)
{
    struct node n = node_new_with(&server, SLOTS, change_lying);
    struct hold h;
    kit_recharge(&server, 1, 1000);
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(kit_run(&n, 1, 1000 - i * 100, 100), ERR_OK);
        node_drain(&n);
    }
    ck_assert_int_eq(kit_balance(&server, 1), 700);
    /* A failover to a replica that had not got segments 2 and 3. */
    mariadb_exec(
        &server,
        "DELETE FROM ledger WHERE reference LIKE 'usage:%%:2:1' OR reference LIKE 'usage:%%:3:1';"
        "DELETE FROM usage_log ORDER BY request_id DESC LIMIT 2;"
        "UPDATE journal_positions SET last_segment = 1; UPDATE leases SET amount = amount + "
        "0.000000200, n = n - 2");
    lie.generation = 1;
    node_pump(&n);
    ck_assert_int_eq(rows_in_db(), 3);
    ck_assert_int_eq(kit_balance(&server, 1), 700);
    ck_assert_int_eq(kit_leased(&server, 1), 700);
    struct lease_account *a = lease_account_find(n.m, 1);
    ck_assert_int_eq(lease_free(a), 700);
    lease_account_put(a);
    ck_assert_int_eq(hold_open(n.m, 1, 700, &h, NULL), ERR_OK);
    money_assert_sound(&server, 0);
    hold_cancel(n.m, &h);
    node_stop(&n);
    money_assert_sound(&server, INVARIANTS_DRAINED);
}
END_TEST

START_TEST(lost_take_is_noticed_after_the_failover)
{
    struct node n = node_new_with(&server, SLOTS, change_lying);
    struct hold h, h2;
    kit_recharge(&server, 1, 1000);
    server.config->lease_max_nusd = 0;
    server.config->lease_wait_ms = 0;
    ck_assert_int_eq(hold_open(n.m, 1, 100, &h, NULL), ERR_OK);
    ck_assert_int_eq(hold_open(n.m, 1, 500, &h2, NULL), ERR_OK);
    hold_cancel(n.m, &h2);
    mariadb_exec(&server, "UPDATE leases SET amount = 0.000000100, n = n - 1");
    lie.generation = 1;
    node_pump(&n);
    struct lease_account *a = lease_account_find(n.m, 1);
    ck_assert_int_eq(lease_free(a), 0);
    lease_account_put(a);
    ck_assert_int_eq(hold_open(n.m, 1, 900, &h2, NULL), ERR_OK);
    ck_assert_int_eq(kit_leased(&server, 1), 1000);
    money_assert_sound(&server, 0);
    hold_cancel(n.m, &h);
    hold_cancel(n.m, &h2);
    node_stop(&n);
    money_assert_sound(&server, INVARIANTS_DRAINED);
}
END_TEST

START_TEST(gap_that_nothing_can_fill_is_passed_over)
{
    struct node n = node_new(&server, SLOTS);
    kit_recharge(&server, 1, USD);
    server.config->journal_keep_ms = 0;
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(kit_run(&n, 1, 100, 100), ERR_OK);
        node_drain(&n);
    }
    mariadb_exec(&server, "UPDATE journal_positions SET last_segment = 1");
    ck_assert_int_eq(kit_run(&n, 1, 100, 100), ERR_OK);
    node_drain(&n);
    ck_assert_int_eq(money_stats(&n).unflushed_segments, 0);
    ck_assert_int_eq(mariadb_number(&server, "SELECT last_segment FROM journal_positions"), 4);
    ck_assert_int_eq(rows_in_db(), 4);
    node_stop(&n);
    money_assert_sound(&server, INVARIANTS_DRAINED);
}
END_TEST

START_TEST(segment_files_are_kept_for_a_while_and_then_removed)
{
    struct node n = node_new(&server, SLOTS);
    char path[SPOOL_PATH_MAX];
    kit_recharge(&server, 1, USD);
    ck_assert_int_eq(kit_run(&n, 1, 100, 100), ERR_OK);
    node_drain(&n);
    segment_path(path, n.m->spool.dir, 1);
    ck_assert_int_eq(access(path, F_OK), 0);
    server.config->journal_keep_ms = 0;
    node_pump(&n);
    ck_assert_int_ne(access(path, F_OK), 0);
    node_stop(&n);
}
END_TEST

/* ---- what the database refuses ---- */

static int rejected_lines(void)
{
    char path[SPOOL_PATH_MAX];
    int64_t bytes = -1, rows = 0;
    struct money_ops ops = money_ops_real(NULL);
    ck_assert_int_eq(spool_path(path, server.config->spool_dir, "rejected"), ERR_OK);
    ck_assert_int_eq(spool_count_rejected(&ops, server.config->spool_dir, &bytes, &rows), ERR_OK);
    return (int)rows;
}

START_TEST(refused_rows_go_to_the_rejected_file_and_the_rest_is_flushed)
{
    struct node n = node_new(&server, SLOTS);
    struct kit_request r;
    int before = rejected_lines();
    for (int a = 1; a <= 3; a++)
        kit_recharge(&server, a, 1000);
    ck_assert_int_eq(kit_run(&n, 1, 500, 10), ERR_OK);
    /* One row of account 1 breaks a constraint; of account 3 no row is left. */
    ck_assert_int_eq(kit_admit(&n, 1, 100, &r), ERR_OK);
    r.row.usage.reasoning = 5;
    kit_finish(&n, &r, 100);
    ck_assert_int_eq(kit_admit(&n, 3, 1000, &r), ERR_OK);
    r.row.usage.reasoning = 5;
    kit_finish(&n, &r, 100);
    ck_assert_int_eq(kit_run(&n, 2, 500, 20), ERR_OK);
    /* This account does not exist: its ledger row is refused, so its usage rows are. */
    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq(kit_admit(&n, 2, 100, &r), ERR_OK);
        struct journal_slot slot;
        struct usage_row stranger = r.row;
        ulid_make(stranger.request_id);
        stranger.account_id = 77;
        ck_assert_int_eq(journal_admit(n.m, &stranger, &slot), ERR_OK);
        stranger.status = USAGE_OK;
        stranger.cost_nusd = 5;
        journal_close(n.m, &slot, &stranger);
        kit_finish(&n, &r, 1);
    }
    node_drain(&n);
    ck_assert_int_eq(money_stats(&n).unflushed_segments, 0);
    ck_assert_int_eq(rejected_lines() - before, 4);
    ck_assert_int_eq(money_stats(&n).rejected_rows, 4);
    ck_assert_int_eq(rows_in_db(), 4);
    ck_assert_int_eq(kit_balance(&server, 1), 990);
    ck_assert_int_eq(kit_balance(&server, 2), 978);
    ck_assert_int_eq(kit_balance(&server, 3), 1000);
    money_assert_sound(&server, 0);
    /* What was not charged is free again. */
    struct lease_account *a = lease_account_find(n.m, 1);
    ck_assert_int_eq(lease_free(a), kit_leased(&server, 1));
    lease_account_put(a);
    a = lease_account_find(n.m, 3);
    ck_assert_int_eq(lease_free(a), kit_leased(&server, 3));
    lease_account_put(a);
    (void)money_upkeep(n.m);
    ck_assert_int_eq(money_stats(&n).rejected_rows, before + 4);
    node_stop(&n);
    money_assert_sound(&server, INVARIANTS_DRAINED);
}
END_TEST

START_TEST(damaged_line_is_kept_in_the_rejected_file)
{
    struct node n = node_new(&server, SLOTS);
    char path[SPOOL_PATH_MAX];
    int before = rejected_lines(), fd = -1;
    kit_recharge(&server, 1, 1000);
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(kit_run(&n, 1, 100, 10), ERR_OK);
    segment_path(path, n.m->spool.dir, 1);
    ck_assert_int_eq(n.ops.disk.open(NULL, path, DISK_OPEN, &fd), ERR_OK);
    ck_assert_int_eq(n.ops.disk.write(NULL, fd, "#", 1, 40), ERR_OK);
    n.ops.disk.close(NULL, fd);
    node_drain(&n);
    ck_assert_int_eq(rows_in_db(), 2);
    ck_assert_int_eq(rejected_lines() - before, 1);
    money_assert_sound(&server, 0);
    node_stop(&n);
}
END_TEST

START_TEST(missing_table_is_no_reason_to_reject)
{
    struct node n = node_new(&server, SLOTS);
    int before = rejected_lines();
    kit_recharge(&server, 1, 1000);
    ck_assert_int_eq(kit_run(&n, 1, 100, 10), ERR_OK);
    mariadb_exec(&server, "RENAME TABLE usage_log TO usage_away");
    journal_hurry(n.m);
    node_pump(&n);
    ck_assert_int_eq(money_stats(&n).unflushed_segments, 1);
    ck_assert_int_eq(rejected_lines(), before);
    mariadb_exec(&server, "RENAME TABLE usage_away TO usage_log");
    node_drain(&n);
    ck_assert_int_eq(rows_in_db(), 1);
    money_assert_sound(&server, 0);
    node_stop(&n);
}
END_TEST

/* ---- the whole life ---- */

START_TEST(stop_leaves_nothing_behind)
{
    struct node n = node_start(&server, SLOTS);
    int before = temp_dir_count(server.config->spool_dir);
    kit_recharge(&server, 1, USD);
    for (int i = 0; i < 250; i++)
        ck_assert_int_eq(kit_run(&n, 1, 1000, 100), ERR_OK);
    node_stop(&n);
    ck_assert_int_eq(rows_in_db(), 250);
    ck_assert_int_eq(kit_balance(&server, 1), USD - 25000);
    /* Nothing but the file of rejected lines of earlier tests. */
    ck_assert_int_le(temp_dir_count(server.config->spool_dir), before < 0 ? 0 : before);
    money_assert_sound(&server, INVARIANTS_DRAINED);
}
END_TEST

START_TEST(nothing_is_admitted_after_stop)
{
    struct node n = node_start(&server, SLOTS);
    struct hold h;
    kit_recharge(&server, 1, USD);
    ck_assert_int_eq(kit_run(&n, 1, 1000, 100), ERR_OK);
    money_stop(n.m, 5000);
    ck_assert_int_eq(hold_open(n.m, 1, 1, &h, NULL), ERR_UNAVAILABLE);
    node_crash(&n);
}
END_TEST

START_TEST(many_requests_share_segments)
{
    struct node n = node_start(&server, SLOTS);
    kit_recharge(&server, 1, USD);
    server.config->journal_segment_ms = 60000;
    for (int i = 0; i < 250; i++)
        ck_assert_int_eq(kit_run(&n, 1, 1000, 1), ERR_OK);
    while (rows_in_db() < 200)
        usleep(5000);
    ck_assert_int_eq(mariadb_number(&server, "SELECT last_segment FROM journal_positions"), 2);
    journal_hurry(n.m);
    while (rows_in_db() < 250)
        usleep(5000);
    ck_assert_int_eq(mariadb_number(&server, "SELECT last_segment FROM journal_positions"), 3);
    node_stop(&n);
    money_assert_sound(&server, INVARIANTS_DRAINED);
}
END_TEST

START_TEST(wanted_account_is_flushed_at_once)
{
    struct node a = node_start(&server, SLOTS), b = node_start(&server, SLOTS);
    struct hold h;
    server.config->journal_segment_ms = 60000;
    kit_recharge(&server, 1, 1000);
    ck_assert_int_eq(kit_run(&a, 1, 1000, 400), ERR_OK);
    mariadb_exec(&server, "UPDATE account_state SET wanted_at = UTC_TIMESTAMP(3)");
    ck_assert(money_upkeep(a.m));
    while (!rows_in_db())
        usleep(2000);
    ck_assert_int_eq(hold_open(b.m, 1, 600, &h, NULL), ERR_OK);
    hold_cancel(b.m, &h);
    node_stop(&a);
    node_stop(&b);
    money_assert_sound(&server, INVARIANTS_DRAINED);
}
END_TEST

START_TEST(requests_go_on_while_the_database_is_away)
{
    struct mariadb own;
    mariadb_start_own(&own);
    kit_begin(&own);
    own.config->lease_wait_ms = 100;
    own.config->journal_segment_ms = 5;
    kit_recharge(&own, 1, 160 * USD);
    struct node n = node_start(&own, SLOTS);
    struct kit_request r;
    int served = 0;
    ck_assert_int_eq(kit_run(&n, 1, 1000, 1), ERR_OK);
    served++;
    mariadb_kill(&own);
    for (int i = 0; i < 300; i++) {
        ck_assert_int_eq(kit_run(&n, 1, 1000, 1), ERR_OK);
        served++;
        if (i % 100 == 0)
            usleep(20000);
    }
    ck_assert_int_eq(kit_admit(&n, 2, 1, &r), ERR_UNAVAILABLE);
    ck_assert_int_gt(money_stats(&n).unflushed_segments, 1);
    ck_assert_int_gt(money_stats(&n).oldest_ms, 0);
    mariadb_restart(&own);
    mariadb_exec(&own, "USE %s", own.database);
    for (int i = 0; i < 500 && money_stats(&n).unflushed_rows; i++)
        usleep(10000);
    ck_assert_int_eq(money_stats(&n).unflushed_rows, 0);
    node_stop(&n);
    ck_assert_int_eq(mariadb_number(&own, "SELECT COUNT(*) FROM usage_log"), served);
    ck_assert_int_eq(kit_balance(&own, 1), 160 * USD - served);
    const char *broken = invariants_broken(&own, INVARIANTS_DRAINED);
    ck_assert_msg(!broken, "%s", broken);
    mariadb_stop(&own);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("journal");
    TCase *t = tcase_create("journal");
    tcase_set_timeout(t, 60);
    tcase_add_checked_fixture(t, setup, NULL);
    tcase_add_test(t, closed_request_becomes_a_row_with_all_its_columns);
    tcase_add_test(t, rows_of_one_segment_make_one_ledger_row_per_account_and_none_for_nothing);
    tcase_add_test(t, segment_flushed_again_changes_nothing);
    tcase_add_test(t, flush_without_an_answer_is_repeated_and_counts_once);
    tcase_add_test(t, take_between_an_unanswered_flush_and_its_repeat_counts_nothing_twice);
    tcase_add_test(t, lost_commits_are_replayed_from_kept_segments);
    tcase_add_test(t, lost_take_is_noticed_after_the_failover);
    tcase_add_test(t, gap_that_nothing_can_fill_is_passed_over);
    tcase_add_test(t, segment_files_are_kept_for_a_while_and_then_removed);
    tcase_add_test(t, refused_rows_go_to_the_rejected_file_and_the_rest_is_flushed);
    tcase_add_test(t, damaged_line_is_kept_in_the_rejected_file);
    tcase_add_test(t, missing_table_is_no_reason_to_reject);
    tcase_add_test(t, stop_leaves_nothing_behind);
    tcase_add_test(t, nothing_is_admitted_after_stop);
    tcase_add_test(t, many_requests_share_segments);
    tcase_add_test(t, wanted_account_is_flushed_at_once);
    tcase_add_test(t, requests_go_on_while_the_database_is_away);
    suite_add_tcase(s, t);
    return money_run_suite(s, &server);
}
