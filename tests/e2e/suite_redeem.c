/* Redeem codes: credited once, whoever tries how often, and the errors of those that are not. */
#include "tests/e2e/suites.h"

#include "tests/e2e/ask.h"
#include "tests/e2e/books.h"
#include "tests/e2e/stack.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

enum { RACERS = 50, FAILURES_MAX = 10, CODE_SIZE = 64 };

static void code_new(const char *code, const char *amount, const char *expires)
{
    sql_run("INSERT INTO redeem_codes (code_hash, amount, expires_at) VALUES "
            "(UNHEX(SHA2('%s', 256)), %s, %s)",
            code, amount, expires);
}

static struct http_call redeem_call(const char *key, const char *code, int web)
{
    return (struct http_call){.port = stack.webs[web % stack.webs_n].port,
                              .path = "/v1/redeem",
                              .key = key,
                              .body = http_printf("{\"code\":\"%s\"}", code)};
}

static void redeem(const char *key, const char *code, struct http_reply *reply)
{
    struct http_call call = redeem_call(key, code, 0);
    http_run(&call, reply);
}

START_TEST(a_code_becomes_money_at_once)
{
    struct customer c = customer_new("0");
    struct http_reply reply;
    code_new("e2e-at-once", "2.5", "NULL");
    ask_chat(c.key, ask_body("demo", "tokens=1", ""), &reply);
    ask_expect_status(&reply, 429);
    http_reply_clear(&reply);
    redeem(c.key, "e2e-at-once", &reply);
    ask_expect_status(&reply, 200);
    ck_assert_str_eq(http_field(reply.body, "object"), "redemption");
    ck_assert_str_eq(http_field(reply.body, "amount"), "2.500000000");
    ck_assert_str_eq(http_field(reply.body, "currency"), "USD");
    http_reply_clear(&reply);
    ck_assert_str_eq(books_balance(c.account_id), "2.500000000");
    ck_assert_int_eq(sql_int("SELECT redeemed_by = %" PRId64 " AND redeemed_key_id = %" PRId64
                             " FROM redeem_codes WHERE code_hash = UNHEX(SHA2('e2e-at-once', 256))",
                             c.account_id, c.key_id),
                     1);
    ask_chat(c.key, ask_body("demo", "tokens=1", ""), &reply);
    ask_expect_status(&reply, 200);
    http_reply_clear(&reply);
}
END_TEST

START_TEST(a_code_that_is_not_good_says_why)
{
    struct customer c = customer_new("0");
    struct customer other = customer_new("0");
    struct http_reply reply;
    code_new("e2e-used", "1", "NULL");
    code_new("e2e-old", "1", "UTC_TIMESTAMP(3) - INTERVAL 1 SECOND");
    redeem(c.key, "e2e-none", &reply);
    ask_expect_error(&reply, 404, "invalid_request_error", "not_found", "code");
    http_reply_clear(&reply);
    redeem(c.key, "e2e-old", &reply);
    ask_expect_error(&reply, 410, "invalid_request_error", "code_expired", "code");
    http_reply_clear(&reply);
    redeem(c.key, "e2e-used", &reply);
    ask_expect_status(&reply, 200);
    http_reply_clear(&reply);
    redeem(other.key, "e2e-used", &reply);
    ask_expect_error(&reply, 409, "invalid_request_error", "code_already_redeemed", "code");
    http_reply_clear(&reply);
    redeem(c.key, "e2e-used", &reply);
    ask_expect_error(&reply, 409, "invalid_request_error", "code_already_redeemed", "code");
    ck_assert(strstr(http_field(reply.body, "error.message"), "Your account") != NULL);
    http_reply_clear(&reply);
    ck_assert_str_eq(books_balance(c.account_id), "1.000000000");
    ck_assert_str_eq(books_balance(other.account_id), "0.000000000");
}
END_TEST

START_TEST(a_request_without_a_code_or_key_is_refused)
{
    struct customer c = customer_new("0");
    struct http_reply reply;
    static const char *const bodies[] = {"", "[]", "{", "{\"code\":7}", "{\"code\":\"\"}", "{}"};
    for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
        struct http_call call = redeem_call(c.key, "x", 0);
        call.body = bodies[i];
        http_run(&call, &reply);
        ck_assert_msg(reply.status == 400, "%s: %d", bodies[i], reply.status);
        http_reply_clear(&reply);
    }
    redeem(NULL, "e2e-none", &reply);
    ask_expect_status(&reply, 401);
    http_reply_clear(&reply);
}
END_TEST

START_TEST(of_50_tries_at_once_over_all_processes_one_is_credited)
{
    static struct http_call calls[RACERS];
    static struct http_reply replies[RACERS];
    struct customer c[10];
    int credited = 0, used = 0;
    code_new("e2e-race", "3", "NULL");
    for (int i = 0; i < 10; i++)
        c[i] = customer_new("0");
    for (int i = 0; i < RACERS; i++)
        calls[i] = redeem_call(c[i % 10].key, "e2e-race", i);
    http_many(calls, replies, RACERS);
    for (int i = 0; i < RACERS; i++) {
        credited += replies[i].status == 200;
        used += replies[i].status == 409;
    }
    ck_assert_msg(credited == 1 && used == RACERS - 1, "%d credited, %d used; the first: %d %s",
                  credited, used, replies[0].status, replies[0].body);
    ck_assert_int_eq(sql_int("SELECT COUNT(*) FROM ledger l JOIN redeem_codes r ON l.reference = "
                             "CONCAT('redeem:', r.id) AND l.account_id = r.redeemed_by AND "
                             "l.amount = 3 WHERE r.code_hash = UNHEX(SHA2('e2e-race', 256))"),
                     1);
    books_check();
}
END_TEST

START_TEST(an_account_that_guesses_has_to_wait)
{
    struct customer c = customer_new("0");
    struct http_reply reply;
    int refused = 0;
    code_new("e2e-late", "1", "NULL");
    /* Two processes serve this path, each counts for itself. */
    for (int i = 0; i < 2 * FAILURES_MAX + 1 && !refused; i++) {
        redeem(c.key, "e2e-guess", &reply);
        refused += reply.status == 429;
        if (!refused)
            ask_expect_status(&reply, 404);
        http_reply_clear(&reply);
    }
    ck_assert_int_eq(refused, 1);
}
END_TEST

/* Runs it to its end; what it says goes to the file. Returns its exit code. */
static int run(const char *const argv[], const char *said)
{
    int status = 0;
    pid_t pid = spawn_start(argv, said);
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static int use_code(const char *code, const char *account)
{
    const char *const argv[] = {stack_built("aipassctl"),  "redeem", "use",   "--config",
                                stack_path("aipass.conf"), code,     account, NULL};
    return run(argv, stack_path("use.out"));
}

START_TEST(aipassctl_makes_codes_and_credits_them)
{
    struct customer c = customer_new("0");
    struct http_reply reply;
    char codes[3][CODE_SIZE];
    const char *const argv[] = {stack_built("aipassctl"),
                                "redeem",
                                "create",
                                "--config",
                                stack_path("aipass.conf"),
                                "-n",
                                "3",
                                "-a",
                                "0.25",
                                "--batch",
                                "e2e",
                                "--expires=2999-01-01",
                                NULL};
    ck_assert_int_eq(run(argv, stack_path("codes.out")), 0);
    FILE *out = fopen(stack_path("codes.out"), "re");
    ck_assert(out != NULL);
    for (int i = 0; i < 3; i++) {
        ck_assert_ptr_nonnull(fgets(codes[i], CODE_SIZE, out));
        codes[i][strcspn(codes[i], "\n")] = 0;
    }
    fclose(out);
    ck_assert_int_eq(sql_int("SELECT COUNT(*) FROM redeem_codes WHERE batch = 'e2e' AND amount = "
                             "0.25 AND expires_at = '2999-01-01'"),
                     3);
    redeem(c.key, codes[0], &reply);
    ask_expect_status(&reply, 200);
    http_reply_clear(&reply);
    ck_assert_int_eq(use_code(codes[1], c.name), 0);
    ck_assert_int_eq(use_code(codes[1], c.name), 1);
    ck_assert_int_eq(use_code(codes[2], "nobody"), 1);
    ck_assert_str_eq(books_balance(c.account_id), "0.500000000");
}
END_TEST

static void add(TCase *t)
{
    tcase_add_test(t, a_code_becomes_money_at_once);
    tcase_add_test(t, a_code_that_is_not_good_says_why);
    tcase_add_test(t, a_request_without_a_code_or_key_is_refused);
    tcase_add_test(t, of_50_tries_at_once_over_all_processes_one_is_credited);
    tcase_add_test(t, an_account_that_guesses_has_to_wait);
    tcase_add_test(t, aipassctl_makes_codes_and_credits_them);
}

const struct suite_part part_redeem = {"redeem", NULL, add};
