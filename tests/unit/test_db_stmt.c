#include "db/db.h"

#include "tests/unit/db_kit.h"

#include <check.h>
#include <stddef.h>

static struct mariadb shared;
static struct mariadb *server = &shared;

static const char sql_create[] = "CREATE TABLE t (id INT PRIMARY KEY, n BIGINT NULL, big BIGINT "
                                 "UNSIGNED NULL, txt TEXT NULL, bin VARBINARY(4000) NULL,"
                                 " money DECIMAL(18,9) NULL, at DATETIME(3) NULL) ENGINE=InnoDB";

static struct db_conn *take_with_table(struct db *db)
{
    return db_kit_take_with(server, db, sql_create);
}

START_TEST(every_type_comes_back_as_it_went)
{
    static const char sql_in[] = "INSERT INTO t (id, n, big, txt, bin, money, at) VALUES (?, ?, ?, "
                                 "?, ?, ?, '2026-11-22 01:02:03.004')";
    static const char sql_out[] = "SELECT id, n, big, txt, bin, money, at, (SELECT SUM(n) FROM t), "
                                  "(SELECT COUNT(*) FROM t) FROM t WHERE money = ? AND txt = ?";
    static const char bytes[] = {0, 1, '\'', '"', '\\', (char)0xff};
    struct db *db = db_kit_open(server);
    struct db_conn *c = take_with_table(db);
    struct slice bin = {bytes, sizeof(bytes)};
    struct db_value in[] = {DB_INT(7),         DB_INT(INT64_MIN),
                            DB_INT(INT64_MAX), DB_STRZ("it's \xc3\xa4"),
                            DB_BYTES(bin),     DB_NUSD(-123456789987654321)};
    ck_assert_int_eq(db_run(c, sql_in, in, 6, NULL), ERR_OK);
    ck_assert_uint_eq(db_changed(c), 1);
    struct db_stmt *s = NULL;
    struct db_value where[] = {DB_NUSD(-123456789987654321), DB_STRZ("it's \xc3\xa4")};
    ck_assert_int_eq(db_run(c, sql_out, where, 2, &s), ERR_OK);
    ck_assert_int_eq(db_next(s), ERR_OK);
    ck_assert_int_eq(db_col_i64(s, 0), 7);
    ck_assert_int_eq(db_col_i64(s, 1), INT64_MIN);
    ck_assert_int_eq(db_col_i64(s, 2), INT64_MAX);
    ck_assert(slice_eq_z(db_col_text(s, 3), "it's \xc3\xa4"));
    ck_assert(slice_eq(db_col_text(s, 4), bin));
    ck_assert_int_eq(db_col_nusd(s, 5), -123456789987654321);
    ck_assert(slice_eq_z(db_col_text(s, 6), "2026-11-22 01:02:03.004"));
    ck_assert_int_eq(db_col_i64(s, 7), INT64_MIN);
    ck_assert_int_eq(db_col_i64(s, 8), 1);
    ck_assert_int_eq(db_next(s), ERR_END);
    ck_assert_int_eq(db_next(s), ERR_END);
    db_give(db, c);
    db_free(db);
}
END_TEST

START_TEST(null_goes_in_and_comes_out)
{
    static const char sql_in[] = "INSERT INTO t (id, n, txt, money) VALUES (1, ?, ?, ?)";
    static const char sql_out[] = "SELECT n, txt, money FROM t";
    struct db *db = db_kit_open(server);
    struct db_conn *c = take_with_table(db);
    struct db_value in[] = {DB_NONE, DB_NONE, DB_NONE};
    ck_assert_int_eq(db_run(c, sql_in, in, 3, NULL), ERR_OK);
    struct db_stmt *s = NULL;
    ck_assert_int_eq(db_run(c, sql_out, NULL, 0, &s), ERR_OK);
    ck_assert_int_eq(db_next(s), ERR_OK);
    for (size_t i = 0; i < 3; i++)
        ck_assert(db_col_is_null(s, i));
    ck_assert_int_eq(db_col_i64(s, 0), 0);
    ck_assert_ptr_null(db_col_text(s, 1).p);
    ck_assert_int_eq(db_col_nusd(s, 2), 0);
    db_give(db, c);
    db_free(db);
}
END_TEST

START_TEST(an_empty_text_is_not_null)
{
    static const char sql[] = "SELECT ? IS NULL, ? = '', ?";
    struct db *db = db_kit_open(server);
    mariadb_empty(server);
    struct db_conn *c = db_kit_take(db);
    struct db_stmt *s = NULL;
    struct db_value in[] = {DB_STR(((struct slice){NULL, 0})), DB_STRZ(""), DB_STRZ("")};
    ck_assert_int_eq(db_run(c, sql, in, 3, &s), ERR_OK);
    ck_assert_int_eq(db_next(s), ERR_OK);
    ck_assert_int_eq(db_col_i64(s, 0), 0);
    ck_assert_int_eq(db_col_i64(s, 1), 1);
    ck_assert(!db_col_is_null(s, 2));
    ck_assert_uint_eq(db_col_text(s, 2).n, 0);
    db_give(db, c);
    db_free(db);
}
END_TEST

START_TEST(long_values_between_short_ones_are_whole)
{
    static const char sql_in[] = "INSERT INTO t (id, txt) VALUES (?, REPEAT(CHAR(65 + ?), ?))";
    static const char sql_out[] = "SELECT id, txt FROM t ORDER BY id";
    static const int sizes[] = {3, 5000, 0, 100000, 1024, 1025, 60000, 1};
    struct db *db = db_kit_open(server);
    struct db_conn *c = take_with_table(db);
    mariadb_exec(server, "ALTER TABLE t MODIFY txt LONGTEXT");
    for (int i = 0; i < 8; i++) {
        struct db_value in[] = {DB_INT(i), DB_INT(i), DB_INT(sizes[i])};
        ck_assert_int_eq(db_run(c, sql_in, in, 3, NULL), ERR_OK);
    }
    for (int round = 0; round < 2; round++) {
        struct db_stmt *s = NULL;
        ck_assert_int_eq(db_run(c, sql_out, NULL, 0, &s), ERR_OK);
        for (int i = 0; i < 8; i++) {
            ck_assert_int_eq(db_next(s), ERR_OK);
            struct slice v = db_col_text(s, 1);
            ck_assert_int_eq((int)v.n, sizes[i]);
            for (size_t k = 0; k < v.n; k++)
                ck_assert(v.p[k] == 'A' + i);
        }
        ck_assert_int_eq(db_next(s), ERR_END);
    }
    db_give(db, c);
    db_free(db);
}
END_TEST

START_TEST(a_result_left_half_read_disturbs_nothing)
{
    static const char sql[] = "SELECT seq FROM seq_1_to_100";
    static const char sql_other[] = "SELECT 5";
    struct db *db = db_kit_open(server);
    mariadb_empty(server);
    struct db_conn *c = db_kit_take(db);
    struct db_stmt *s = NULL, *other = NULL;
    for (int round = 0; round < 3; round++) {
        ck_assert_int_eq(db_run(c, sql, NULL, 0, &s), ERR_OK);
        ck_assert_int_eq(db_next(s), ERR_OK);
        ck_assert_int_eq(db_run(c, sql_other, NULL, 0, &other), ERR_OK);
        ck_assert_int_eq(db_next(other), ERR_OK);
        ck_assert_int_eq(db_next(s), ERR_OK);
        ck_assert_int_eq(db_col_i64(s, 0), 2);
        ck_assert_int_eq(db_col_i64(other, 0), 5);
    }
    ck_assert_int_eq(db_run(c, sql, NULL, 0, NULL), ERR_OK);
    db_give(db, c);
    db_free(db);
}
END_TEST

START_TEST(a_statement_goes_on_after_its_table_was_altered)
{
    static const char sql[] = "SELECT n FROM t WHERE id = ?";
    struct db *db = db_kit_open(server);
    struct db_conn *c = take_with_table(db);
    mariadb_exec(server, "INSERT INTO t (id, n) VALUES (1, 10)");
    struct db_value id = DB_INT(1);
    struct db_stmt *s = NULL;
    for (int round = 0; round < 4; round++) {
        ck_assert_int_eq(db_run(c, sql, &id, 1, &s), ERR_OK);
        ck_assert_int_eq(db_next(s), ERR_OK);
        ck_assert_int_eq(db_col_i64(s, 0), 10);
        mariadb_exec(server, "ALTER TABLE t ADD COLUMN extra%d INT FIRST", round);
    }
    db_give(db, c);
    db_free(db);
}
END_TEST

START_TEST(a_duplicate_is_told_apart_and_leaves_the_transaction_open)
{
    static const char sql[] = "INSERT INTO t (id) VALUES (?)";
    struct db *db = db_kit_open(server);
    struct db_conn *c = take_with_table(db);
    struct db_value id = DB_INT(1);
    ck_assert_int_eq(db_begin(c), ERR_OK);
    ck_assert_int_eq(db_run(c, sql, &id, 1, NULL), ERR_OK);
    ck_assert_int_eq(db_run(c, sql, &id, 1, NULL), ERR_DB_DUPLICATE);
    ck_assert_uint_eq(db_last_errno(c), 1062);
    ck_assert_int_eq(db_commit(c), ERR_OK);
    ck_assert_int_eq(mariadb_number(server, "SELECT COUNT(*) FROM t"), 1);
    db_give(db, c);
    db_free(db);
}
END_TEST

START_TEST(a_wrong_statement_is_an_error_and_the_connection_lives)
{
    static const char sql_bad[] = "SELECT nothing FROM nowhere";
    static const char sql_strict[] = "INSERT INTO t (id, bin) VALUES (1, REPEAT('x', 5000))";
    static const char sql_good[] = "SELECT 1";
    struct db *db = db_kit_open(server);
    struct db_conn *c = take_with_table(db);
    ck_assert_int_eq(db_run(c, sql_bad, NULL, 0, NULL), ERR_DB);
    ck_assert_uint_eq(db_last_errno(c), 1146);
    ck_assert_int_eq(db_run(c, sql_strict, NULL, 0, NULL), ERR_DB);
    ck_assert_int_eq(db_run(c, sql_good, NULL, 0, NULL), ERR_OK);
    ck_assert(!db_is_down(db));
    db_give(db, c);
    db_free(db);
}
END_TEST

START_TEST(the_session_is_set_up)
{
    static const char sql[] = "SELECT @@time_zone, @@sql_mode LIKE '%STRICT_TRANS_TABLES%', "
                              "@@tx_isolation, @@innodb_lock_wait_timeout, @@character_set_client";
    struct db *db = db_kit_open(server);
    mariadb_empty(server);
    struct db_conn *c = db_kit_take(db);
    struct db_stmt *s = NULL;
    ck_assert_int_eq(db_run(c, sql, NULL, 0, &s), ERR_OK);
    ck_assert_int_eq(db_next(s), ERR_OK);
    ck_assert(slice_eq_z(db_col_text(s, 0), "+00:00"));
    ck_assert_int_eq(db_col_i64(s, 1), 1);
    ck_assert(slice_eq_z(db_col_text(s, 2), "READ-COMMITTED"));
    ck_assert_int_eq(db_col_i64(s, 3), 1);
    ck_assert(slice_eq_z(db_col_text(s, 4), "utf8mb4"));
    db_give(db, c);
    db_free(db);
}
END_TEST

/* ---- bulk ---- */

static const char sql_bulk[] = "INSERT INTO t (id, n, txt, money) VALUES (?, ?, ?, ?)";

static void fill_rows(struct db_value *rows, int n)
{
    for (int i = 0; i < n; i++) {
        struct db_value *row = rows + (ptrdiff_t)i * 4;
        row[0] = DB_INT(i);
        row[1] = i % 3 ? DB_INT(-i) : DB_NONE;
        row[2] = i % 5 ? DB_STRZ("text") : DB_NONE;
        row[3] = i % 7 ? DB_NUSD(i * 1000000001LL) : DB_NONE;
    }
}

START_TEST(bulk_writes_every_row_in_one_round_trip)
{
    struct db_value rows[100 * 4];
    struct db *db = db_kit_open(server);
    struct db_conn *c = take_with_table(db);
    fill_rows(rows, 100);
    ck_assert_int_eq(db_run_bulk(c, "DELETE FROM t WHERE id = ? OR id = ?", rows, 2, 2),
                     ERR_OK); /* prepared before the count */
    long long before =
        mariadb_number(server, "SELECT VARIABLE_VALUE FROM information_schema.GLOBAL_STATUS WHERE "
                               "VARIABLE_NAME = 'COM_STMT_EXECUTE'");
    ck_assert_int_eq(db_run_bulk(c, sql_bulk, rows, 4, 100), ERR_OK);
    long long after =
        mariadb_number(server, "SELECT VARIABLE_VALUE FROM information_schema.GLOBAL_STATUS WHERE "
                               "VARIABLE_NAME = 'COM_STMT_EXECUTE'");
    ck_assert_int_le(after - before, 1);
    ck_assert_uint_eq(db_changed(c), 100);
    ck_assert_int_eq(
        mariadb_number(server, "SELECT COUNT(*) FROM t WHERE (n IS NULL) = (id %% 3 = 0) AND (txt "
                               "IS NULL) = (id %% 5 = 0) AND (money IS NULL) = (id %% 7 = 0)"
                               " AND (n IS NULL OR n = -id) AND (txt IS NULL OR txt = 'text') AND "
                               "(money IS NULL OR money = id * 1.000000001)"),
        100);
    db_give(db, c);
    db_free(db);
}
END_TEST

START_TEST(bulk_of_one_row_and_of_none_work_too)
{
    struct db_value rows[4];
    struct db *db = db_kit_open(server);
    struct db_conn *c = take_with_table(db);
    fill_rows(rows, 1);
    ck_assert_int_eq(db_run_bulk(c, sql_bulk, rows, 4, 0), ERR_OK);
    ck_assert_uint_eq(db_changed(c), 0);
    ck_assert_int_eq(db_run_bulk(c, sql_bulk, rows, 4, 1), ERR_OK);
    ck_assert_uint_eq(db_changed(c), 1);
    ck_assert_int_eq(mariadb_number(server, "SELECT COUNT(*) FROM t"), 1);
    db_give(db, c);
    db_free(db);
}
END_TEST

START_TEST(one_statement_runs_single_and_bulk_in_turn)
{
    static const char sql[] = "INSERT INTO t (id, n, txt, money) VALUES (?, ?, ?, ?)";
    struct db_value rows[20 * 4];
    struct db *db = db_kit_open(server);
    struct db_conn *c = take_with_table(db);
    fill_rows(rows, 20);
    ck_assert_int_eq(db_run(c, sql, rows, 4, NULL), ERR_OK);
    ck_assert_int_eq(db_run_bulk(c, sql, rows + 4, 4, 10), ERR_OK);
    ck_assert_int_eq(db_run(c, sql, rows + 44, 4, NULL), ERR_OK);
    ck_assert_int_eq(db_run_bulk(c, sql, rows + 48, 4, 8), ERR_OK);
    ck_assert_int_eq(
        mariadb_number(server, "SELECT COUNT(*) FROM t WHERE (n IS NULL) = (id %% 3 = 0)"), 20);
    db_give(db, c);
    db_free(db);
}
END_TEST

START_TEST(a_duplicate_in_bulk_can_be_rolled_back_whole)
{
    struct db_value rows[10 * 4];
    struct db *db = db_kit_open(server);
    struct db_conn *c = take_with_table(db);
    fill_rows(rows, 10);
    rows[36] = DB_INT(4);
    ck_assert_int_eq(db_begin(c), ERR_OK);
    ck_assert_int_eq(db_run_bulk(c, sql_bulk, rows, 4, 10), ERR_DB_DUPLICATE);
    db_rollback(c);
    ck_assert_int_eq(mariadb_number(server, "SELECT COUNT(*) FROM t"), 0);
    db_give(db, c);
    db_free(db);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("db_stmt");
    TCase *tc = tcase_create("db_stmt");
    tcase_set_timeout(tc, 30);
    suite_add_tcase(suite, tc);
    tcase_add_test(tc, every_type_comes_back_as_it_went);
    tcase_add_test(tc, null_goes_in_and_comes_out);
    tcase_add_test(tc, an_empty_text_is_not_null);
    tcase_add_test(tc, long_values_between_short_ones_are_whole);
    tcase_add_test(tc, a_result_left_half_read_disturbs_nothing);
    tcase_add_test(tc, a_statement_goes_on_after_its_table_was_altered);
    tcase_add_test(tc, a_duplicate_is_told_apart_and_leaves_the_transaction_open);
    tcase_add_test(tc, a_wrong_statement_is_an_error_and_the_connection_lives);
    tcase_add_test(tc, the_session_is_set_up);
    tcase_add_test(tc, bulk_writes_every_row_in_one_round_trip);
    tcase_add_test(tc, bulk_of_one_row_and_of_none_work_too);
    tcase_add_test(tc, one_statement_runs_single_and_bulk_in_turn);
    tcase_add_test(tc, a_duplicate_in_bulk_can_be_rolled_back_whole);
    SRunner *runner = srunner_create(suite);
    mariadb_start_own(&shared); /* its counters are global */
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    mariadb_stop(&shared);
    return failed ? 1 : 0;
}
