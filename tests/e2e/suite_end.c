/* What is left of a run: no text of a prompt or a key anywhere, and after the end nothing at
 * all. */
#include "tests/e2e/suites.h"

#include "tests/e2e/ask.h"
#include "tests/e2e/books.h"
#include "tests/e2e/stack.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { TREE_FILES_OPEN = 16, STREAM_HEAD_START_MS = 700 };

/* Keys of customers; their hints end before the last dash of this. */
static const char *const canaries[] = {ASK_CANARY, ASK_CANARY_QUERY, "sk-aip-e2e-",
                                       "provider-key-"};
enum { CANARIES = sizeof(canaries) / sizeof(canaries[0]) };

static int canaries_searched;
static char found[512];

static void search_file(const char *path)
{
    FILE *f = fopen(path, "re");
    if (f == NULL)
        return; /* it has just gone */
    fseek(f, 0, SEEK_END);
    size_t size = (size_t)ftell(f);
    rewind(f);
    char *text = malloc(size + 1);
    ck_assert(text != NULL);
    size = fread(text, 1, size, f);
    fclose(f);
    for (int i = 0; i < canaries_searched; i++)
        if (memmem(text, size, canaries[i], strlen(canaries[i])) != NULL)
            snprintf(found, sizeof(found), "%s has %s", path, canaries[i]);
    free(text);
}

static int visit(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
    (void)ftw;
    /* The programs themselves and their sockets say nothing of a request. */
    if (kind == FTW_F && S_ISREG(st->st_mode) && (st->st_mode & S_IXUSR) == 0)
        search_file(path);
    return 0;
}

/* Fails the test when a canary lies in any file of the stack: logs, spool, request bodies. */
static void search_stack(void)
{
    canaries_searched = CANARIES;
    found[0] = 0;
    nftw(stack.dir, visit, TREE_FILES_OPEN, FTW_PHYS);
    ck_assert_msg(found[0] == 0, "%s", found);
}

static void dump_database(const char *path)
{
    char socket_option[SPAWN_PATH_MAX];
    snprintf(socket_option, sizeof(socket_option), "--socket=%s", stack.db.socket);
    const char *argv[] = {"mariadb-dump", "--no-defaults",   socket_option, "--user=root",
                          "--hex-blob",   stack.db.database, NULL};
    int status = 0;
    pid_t pid = spawn_start(argv, path);
    ck_assert(waitpid(pid, &status, 0) == pid);
    ck_assert_msg(status == 0, "mariadb-dump failed with %d", status);
}

static void *run_call(void *arg)
{
    struct http_reply reply;
    http_run(arg, &reply);
    http_reply_clear(&reply);
    http_ring_clear();
    return NULL;
}

START_TEST(no_prompt_answer_key_or_query_is_in_a_log_a_spool_file_or_a_table)
{
    struct customer c = customer_new("10");
    pthread_t thread;
    struct http_call call = {
        .port = stack.webs[0].port,
        .path = http_printf("/v1/chat/completions?" ASK_CANARY_QUERY "=1&key=%s", c.key),
        .body = ask_body("demo", "pace=50,tokens=40", ASK_STREAM)};
    ck_assert(pthread_create(&thread, NULL, run_call, &call) == 0);
    spawn_sleep_ms(STREAM_HEAD_START_MS); /* the request's slot is in the spool now */
    search_stack();
    pthread_join(thread, NULL);
    search_stack();
    ck_assert_msg(sql_int("SELECT COUNT(*) FROM usage_log") > 0, "nothing was served: no proof");
    canaries_searched = CANARIES - 1; /* providers' keys are an admin's own rows */
    found[0] = 0;
    dump_database(stack_path("dump.sql"));
    search_file(stack_path("dump.sql"));
    unlink(stack_path("dump.sql"));
    ck_assert_msg(found[0] == 0, "%s", found);
}
END_TEST

START_TEST(nothing_is_left_after_the_end)
{
    books_check();
    ck_assert_msg(stack_drain(), "a gateway did not end in time");
    books_check_drained();
}
END_TEST

static void add_canary(TCase *t)
{
    tcase_add_test(t, no_prompt_answer_key_or_query_is_in_a_log_a_spool_file_or_a_table);
}

static void add_drain(TCase *t)
{
    tcase_add_test(t, nothing_is_left_after_the_end);
}

const struct suite_part part_canary = {"canary", NULL, add_canary};
const struct suite_part part_drain = {"drain", NULL, add_drain};
