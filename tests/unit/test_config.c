#include "base/config.h"

#include "base/config_table.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define PRINT_PATH                                                                                 \
    "--print-path" /* how a copy of this program is asked where it reads its settings */

static char dir[256], path[300], told[8192];

static void set_up(void)
{
    const char *tmp = getenv("TMPDIR");

    snprintf(dir, sizeof(dir), "%s/aipass-config-XXXXXX", tmp && tmp[0] ? tmp : "/tmp");
    ck_assert_ptr_nonnull(mkdtemp(dir));
    snprintf(path, sizeof(path), "%s/aipass.conf", dir);
    unsetenv("AIPASS_CONFIG");
}

static void tear_down(void)
{
    unlink(path);
    rmdir(dir);
}

static void write_file(const char *file, const char *text)
{
    FILE *f = fopen(file, "w");

    ck_assert_ptr_nonnull(f);
    ck_assert_int_ge(fputs(text, f), 0);
    ck_assert_int_eq(fclose(f), 0);
}

/* config_load of the file, with what it tells in told. */
static enum err load_file(const char *file, struct config **c)
{
    FILE *out = fmemopen(told, sizeof(told), "w");
    enum err e;

    ck_assert_ptr_nonnull(out);
    memset(told, 0, sizeof(told));
    e = config_load(file, out, c);
    fclose(out);
    return e;
}

static enum err load_text(const char *text, struct config **c)
{
    write_file(path, text);
    return load_file(path, c);
}

/* text is refused, and "FILE:LINE: rest" with this rest is told. */
static void check_refused(const char *text, int line, const char *rest)
{
    struct config *c = NULL;
    char expected[1024];

    ck_assert_int_eq(load_text(text, &c), ERR_CONFIG);
    ck_assert_ptr_null(c);
    snprintf(expected, sizeof(expected), "%s:%d: %s", path, line, rest);
    ck_assert_msg(strstr(told, expected) != NULL, "told: %s", told);
}

static void check_defaults(const struct config *c)
{
    ck_assert_int_eq(c->workers_max, 2048);
    ck_assert_int_eq(c->worker_idle_ms, 5000);
    ck_assert_int_eq(c->keep_idle_ms, 15000);
    ck_assert_int_eq(c->drain_timeout_ms, 30000);
    ck_assert_int_eq(c->body_max_bytes, 33554432);
    ck_assert_int_eq(c->body_memory_bytes, 1048576);
    ck_assert_int_eq(c->request_memory_bytes, 8388608);
    ck_assert_int_eq(c->client_read_ms, 30000);
    ck_assert_int_eq(c->client_write_ms, 120000);
    ck_assert_str_eq(c->path_prefix, "");
    ck_assert_str_eq(c->db_option_file, "");
    ck_assert_str_eq(c->db_option_group, "aipass");
    ck_assert_str_eq(c->db_hosts, "");
    ck_assert_int_eq(c->db_connections_max, 4);
    ck_assert_int_eq(c->db_timeout_ms, 2000);
    ck_assert_int_eq(c->db_idle_ms, 10000);
    ck_assert_int_eq(c->catalog_ms, 4000);
    ck_assert_int_eq(c->key_fresh_ms, 900);
    ck_assert_int_eq(c->key_stale_ms, 60000);
    ck_assert_str_eq(c->spool_dir, "/var/spool/aipass");
    ck_assert(!c->journal_sync_request);
    ck_assert_int_eq(c->journal_segment_ms, 200);
    ck_assert_int_eq(c->journal_segment_rows, 100);
    ck_assert_int_eq(c->journal_keep_ms, 600000);
    ck_assert_int_eq(c->lease_max_nusd, 5000000000);
    ck_assert_int_eq(c->lease_wait_ms, 1500);
    ck_assert_int_eq(c->lease_idle_ms, 3000);
    ck_assert_int_eq(c->abandon_after_s, 86400);
    ck_assert_int_eq(c->hold_output_max, 8192);
    ck_assert_int_eq(c->hold_output_min, 16);
    ck_assert_int_eq(c->attempts_max, 3);
    ck_assert_int_eq(c->connect_ms, 5000);
    ck_assert_int_eq(c->first_byte_stream_ms, 600000);
    ck_assert_int_eq(c->first_byte_whole_ms, 600000);
    ck_assert_int_eq(c->between_bytes_ms, 300000);
    ck_assert_int_eq(c->total_ms, 3600000);
    ck_assert_int_eq(c->ping_ms, 10000);
    ck_assert_int_eq(c->gone_drain_ms, 20000);
    ck_assert_int_eq(c->answer_max_bytes, 67108864);
    ck_assert_int_eq(c->event_max_bytes, 1048576);
    ck_assert_int_eq(c->handles_idle_max, 128);
    ck_assert_str_eq(c->tls_ca_file, "");
    ck_assert_str_eq(c->log, "stderr");
    ck_assert_str_eq(c->log_level, "info");
    ck_assert_str_eq(c->secret_key_file, "");
}

START_TEST(an_empty_file_gives_the_defaults)
{
    struct config *c;

    ck_assert_int_eq(load_text("", &c), ERR_OK);
    check_defaults(c);
    ck_assert_str_eq(c->path, path);
    ck_assert_str_eq(told, "");
    config_free(c);
}
END_TEST

START_TEST(every_member_has_a_row_and_every_row_a_member_of_its_own)
{
    size_t size = sizeof(char *); /* path, which is no setting */

    for (size_t i = 0; i < settings_n; i++) {
        const struct setting *s = &settings[i];

        size += sizeof(int64_t); /* a char * is as wide, and a bool is padded to it */
        ck_assert_uint_lt(strlen(s->name), SETTING_NAME_SIZE);
        ck_assert_ptr_eq(setting_find(s->name), s);
        ck_assert_ptr_nonnull(s->help);
        for (size_t k = 0; k < i; k++)
            ck_assert_uint_ne(settings[k].at, s->at);
    }
    ck_assert_uint_eq(size, sizeof(struct config));
}
END_TEST

START_TEST(every_setting_can_be_changed)
{
    struct config *c;

    ck_assert_int_eq(load_text("\xef\xbb\xbf# comment\n; comment\n\nworkers_max = 7\n"
                               "  body_max_bytes=64k\r\n\tbody_memory_bytes : 2M ; note\n"
                               "answer_max_bytes = 1g\nspool_dir = /srv/aipass/spool\n"
                               "journal_sync = request\nlease_max = 0.000000001\n"
                               "log = file:/var/log/aipass.log\nlog_level = debug\n"
                               "path_prefix = /aipass\ndb_hosts = db1:3306,db2\n"
                               "db_option_group =\nkey_fresh_ms = 0",
                               &c),
                     ERR_OK);
    ck_assert_int_eq(c->workers_max, 7);
    ck_assert_int_eq(c->body_max_bytes, 65536);
    ck_assert_int_eq(c->body_memory_bytes, 2097152);
    ck_assert_int_eq(c->answer_max_bytes, 1073741824);
    ck_assert_str_eq(c->spool_dir, "/srv/aipass/spool");
    ck_assert(c->journal_sync_request);
    ck_assert_int_eq(c->lease_max_nusd, 1);
    ck_assert_str_eq(c->log, "file:/var/log/aipass.log");
    ck_assert_str_eq(c->log_level, "debug");
    ck_assert_str_eq(c->path_prefix, "/aipass");
    ck_assert_str_eq(c->db_hosts, "db1:3306,db2");
    ck_assert_str_eq(c->db_option_group, "");
    ck_assert_int_eq(c->key_fresh_ms, 0);
    ck_assert_int_eq(c->worker_idle_ms, 5000);
    config_free(c);
}
END_TEST

START_TEST(bounds_are_inclusive_and_told)
{
    for (size_t i = 0; i < settings_n; i++) {
        const struct setting *s = &settings[i];
        char text[100];
        struct config *c;

        if (s->type != TYPE_COUNT && s->type != TYPE_BYTES)
            continue;
        /* Together with its own bound, hold_output_min must stay under hold_output_max and so
         * on. */
        if (strncmp(s->name, "key_", 4) && strncmp(s->name, "hold_", 5)) {
            snprintf(text, sizeof(text), "%s = %lld\n", s->name, (long long)s->min);
            ck_assert_int_eq(load_text(text, &c), ERR_OK);
            config_free(c);
            snprintf(text, sizeof(text), "%s = %lld\n", s->name, (long long)s->max);
            ck_assert_int_eq(load_text(text, &c), ERR_OK);
            config_free(c);
        }
        snprintf(text, sizeof(text), "%s = %lld\n", s->name, (long long)s->min - 1);
        check_refused(text, 1, s->name);
        ck_assert_ptr_nonnull(strstr(told, "out of range"));
        snprintf(text, sizeof(text), "%s = %lld\n", s->name, (long long)s->max + 1);
        check_refused(text, 1, s->name);
        ck_assert_ptr_nonnull(strstr(told, "out of range"));
    }
}
END_TEST

static const struct {
    const char *text, *rest;
    int line;
} faults[] = {
    {"workers_max = many",
     "workers_max: \"many\" is not a value of this setting; allowed: 1 to 16384\n",                                       1},
    {"workers_max = 0",                           "workers_max: \"0\" is out of range; allowed: 1 to 16384\n",            1},
    {"workers_max =",                             "workers_max: \"\" is not a value",                                     1},
    {"workers_max = 2k",                          "workers_max: \"2k\" is not a value",                                   1},
    {"workers_max = 99999999999999999999",        "workers_max: \"99999999999999999999\" is out of range",
     1                                                                                                                     },
    {"workers_max = 1.5",                         "workers_max: \"1.5\" is not a value",                                  1},
    {"body_max_bytes = k",                        "body_max_bytes: \"k\" is not a value",                                 1},
    {"body_max_bytes = 1kb",                      "body_max_bytes: \"1kb\" is not a value",                               1},
    {"body_max_bytes = 99999999999g",             "body_max_bytes: \"99999999999g\" is out of range",                     1},
    {"lease_max = -1",                            "lease_max: \"-1\" is out of range; allowed: 0 to 1000000 USD",         1},
    {"lease_max = 1,5",                           "lease_max: \"1,5\" is not a value",                                    1},
    {"lease_max = 0.0000000001",                  "lease_max: \"0.0000000001\" is out of range",                          1},
    {"journal_sync = always",
     "journal_sync: \"always\" is not a value of this setting; allowed: "
     "segment or request\n",                                                                                              1},
    {"log_level = trace",
     "log_level: \"trace\" is not a value of this setting; allowed: "
     "debug, info, warn or error\n",                                                                                      1},
    {"log_level = debug info",                    "log_level: \"debug info\" is not a value",                             1},
    {"log_level =",                               "log_level: \"\" is not a value",                                       1},
    {"log = syslogd",                             "log: \"syslogd\" is not a value",                                      1},
    {"log = file:relative",                       "log: \"file:relative\" is not a value",                                1},
    {"path_prefix = aipass",                      "path_prefix: \"aipass\" is not a value",                               1},
    {"path_prefix = /aipass/",                    "path_prefix: \"/aipass/\" is not a value",                             1},
    {"\n\nworker_max = 5",                        "worker_max: there is no such setting; the nearest is workers_max\n",   3},
    {"Workers_max = 5",                           "Workers_max: there is no such setting; the nearest is workers_max\n",  1},
    {"lease_max_nusd = 5",                        "lease_max_nusd: there is no such setting; the nearest is lease_max\n",
     1                                                                                                                     },
    {"pingms = 5",                                "pingms: there is no such setting; the nearest is ping_ms\n",           1},
    {"path = /x",                                 "path: there is no such setting",                                       1},
    {"= 5",                                       ": there is no such setting",                                           1},
    {"ping_ms = 5000\nping_ms = 6000",            "ping_ms: given twice; allowed: once (it stands in line 1",
     2                                                                                                                     },
    {"[section]\nping_ms = 5000",                 "sections are not allowed",                                             1},
    {"ping_ms 5000",                              "neither \"name = value\" nor a comment",                               1},
    {"ping_ms ; = 5000",                          "neither \"name = value\" nor a comment",                               1},
    {"#\nkey_fresh_ms = 900\nkey_stale_ms = 800", "key_stale_ms: allowed: not below key_fresh_ms\n",
     3                                                                                                                     },
    {"hold_output_min = 9000",                    "hold_output_min: allowed: not above hold_output_max\n",                1},
};

START_TEST(a_wrong_line_is_told_with_its_number_and_what_is_allowed)
{
    check_refused(faults[_i].text, faults[_i].line, faults[_i].rest);
}
END_TEST

START_TEST(all_faults_are_told_at_once)
{
    check_refused("workers_max = 0\n[x]\nping_ms = 1\nnonsense\nlog_level = x\nworker_idle = 1\n",
                  1, "workers_max");
    for (int line = 2; line <= 6; line++) {
        char expected[400];

        snprintf(expected, sizeof(expected), "%s:%d: ", path, line);
        ck_assert_msg(strstr(told, expected) != NULL, "%d: %s", line, told);
    }
}
END_TEST

START_TEST(an_indented_line_is_a_line_of_its_own)
{
    struct config *c;

    ck_assert_int_eq(load_text("ping_ms = 5000\n    total_ms = 9000\n\n   # comment\n", &c),
                     ERR_OK);
    ck_assert_int_eq(c->ping_ms, 5000);
    ck_assert_int_eq(c->total_ms, 9000);
    config_free(c);
}
END_TEST

START_TEST(a_line_of_any_length_is_read_whole_or_refused)
{
    for (size_t n = 150; n < 700; n++) {
        char text[1000] = "ping_ms = 5000\ndb_hosts = ", host[800];
        size_t before = strlen(text);
        struct config *c = NULL;
        enum err e;

        memset(host, 'h', n);
        host[n] = '\0';
        snprintf(text + before, sizeof(text) - before, "%s\ntotal_ms = 9000\n", host);
        e = load_text(text, &c);
        if (e) {
            ck_assert_int_eq(e, ERR_CONFIG);
            ck_assert_ptr_nonnull(strstr(told, ":2: the line is too long"));
            ck_assert_ptr_null(strstr(told, ":3:"));
            ck_assert_ptr_null(c);
        } else {
            ck_assert_str_eq(c->db_hosts, host);
            ck_assert_int_eq(c->total_ms, 9000);
            config_free(c);
        }
    }
}
END_TEST

static const struct {
    const char *value;
    bool is_allowed;
} spools[] = {
    {"/var/spool/aipass", true },
    {"/spool",            true },
    {"/srv/a/b/c/",       true },
    {"/tmp/a/b",          true },
    {"/var/tmp/x",        true },
    {"/dev/shm/x/y",      true },
    {"/tmpfoo",           true },
    {"/home/u/tmp",       true },
    {"/tmp",              false},
    {"/tmp/",             false},
    {"//tmp//",           false},
    {"/./tmp",            false},
    {"/tmp/x",            false},
    {"/tmp/x/",           false},
    {"/tmp//x/.",         false},
    {"/var/tmp",          false},
    {"/var/./tmp/",       false},
    {"/dev/shm",          false},
    {"/dev//shm/",        false},
    {"/srv/../tmp",       false},
    {"/srv/a/b/c/..",     false},
    {"/..",               false},
    {"/",                 false},
    {"spool",             false},
    {"./spool",           false},
    {"",                  false},
};

START_TEST(the_spool_never_lies_where_a_restart_clears)
{
    struct config *c = NULL;
    char text[100];

    snprintf(text, sizeof(text), "spool_dir = %s\n", spools[_i].value);
    ck_assert_int_eq(load_text(text, &c), spools[_i].is_allowed ? ERR_OK : ERR_CONFIG);
    if (spools[_i].is_allowed)
        ck_assert_str_eq(c->spool_dir, spools[_i].value);
    else
        ck_assert_ptr_nonnull(strstr(told, "allowed: an absolute path without \"..\"; never /tmp"));
    config_free(c);
}
END_TEST

START_TEST(a_named_file_must_exist)
{
    struct config *c = NULL;

    ck_assert_int_eq(load_file("/nonexistent/aipass.conf", &c), ERR_CONFIG);
    ck_assert_str_eq(told,
                     "/nonexistent/aipass.conf: cannot be opened: No such file or directory\n");
    setenv("AIPASS_CONFIG", "/nonexistent/other.conf", 1);
    ck_assert_int_eq(load_file(NULL, &c), ERR_CONFIG);
    ck_assert_str_eq(told,
                     "/nonexistent/other.conf: cannot be opened: No such file or directory\n");
    ck_assert_int_eq(load_file(dir, &c), ERR_CONFIG);
    ck_assert_ptr_nonnull(strstr(told, "Is a directory"));
    ck_assert_ptr_null(c);
}
END_TEST

START_TEST(the_option_comes_before_the_environment)
{
    struct config *c;

    write_file(path, "ping_ms = 5000\n");
    setenv("AIPASS_CONFIG", "/nonexistent/other.conf", 1);
    ck_assert_int_eq(load_file(path, &c), ERR_OK);
    ck_assert_int_eq(c->ping_ms, 5000);
    config_free(c);
    setenv("AIPASS_CONFIG", path, 1);
    ck_assert_int_eq(load_file(NULL, &c), ERR_OK);
    ck_assert_int_eq(c->ping_ms, 5000);
    ck_assert_str_eq(c->path, path);
    config_free(c);
}
END_TEST

static void copy_program(const char *to)
{
    FILE *in = fopen("/proc/self/exe", "r"), *out = fopen(to, "w");
    char block[65536];
    size_t n;

    ck_assert_ptr_nonnull(in);
    ck_assert_ptr_nonnull(out);
    while ((n = fread(block, 1, sizeof(block), in)) > 0)
        ck_assert_uint_eq(fwrite(block, 1, n, out), n);
    fclose(in);
    ck_assert_int_eq(fclose(out), 0);
    ck_assert_int_eq(chmod(to, 0700), 0);
}

/* Where the copy of this program reads its settings: into told. */
static void run_copy(const char *program)
{
    int ends[2], status;
    size_t n = 0;
    ssize_t got;
    pid_t child;

    ck_assert_int_eq(pipe(ends), 0);
    child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0) {
        dup2(ends[1], STDOUT_FILENO);
        execl(program, program, PRINT_PATH, (char *)NULL);
        _exit(EXIT_FAILURE);
    }
    close(ends[1]);
    while ((got = read(ends[0], told + n, sizeof(told) - 1 - n)) > 0)
        n += (size_t)got;
    told[n] = '\0';
    close(ends[0]);
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_int_eq(status, 0);
}

START_TEST(the_file_beside_the_program_comes_before_the_one_in_the_home_directory)
{
    char program[300], home[300], in_home[400];

    snprintf(program, sizeof(program), "%s/program", dir);
    snprintf(home, sizeof(home), "%s/.config", dir);
    ck_assert_int_eq(mkdir(home, 0700), 0);
    snprintf(home, sizeof(home), "%s/.config/aipass", dir);
    ck_assert_int_eq(mkdir(home, 0700), 0);
    snprintf(in_home, sizeof(in_home), "%s/aipass.conf", home);
    setenv("HOME", dir, 1);
    copy_program(program);
    write_file(path, "");
    write_file(in_home, "");

    run_copy(program);
    ck_assert_str_eq(told, path);
    unlink(path);
    run_copy(program);
    ck_assert_str_eq(told, in_home);
    unlink(in_home);
    run_copy(program);
    ck_assert_str_eq(told,
                     access("/etc/aipass/aipass.conf", F_OK) ? "" : "/etc/aipass/aipass.conf");

    unlink(program);
    rmdir(home);
    snprintf(home, sizeof(home), "%s/.config", dir);
    rmdir(home);
}
END_TEST

START_TEST(the_annotated_file_loads_as_the_defaults_as_it_is_and_uncommented)
{
    char *text = NULL, *plain, *to;
    size_t n, settings_seen = 0;
    struct config *c;
    FILE *out = open_memstream(&text, &n);

    ck_assert_ptr_nonnull(out);
    config_print_annotated(out);
    fclose(out);
    ck_assert_int_eq(load_text(text, &c), ERR_OK);
    check_defaults(c);
    config_free(c);

    plain = to = malloc(n + 1);
    ck_assert_ptr_nonnull(plain);
    for (const char *line = text; *line;) {
        const char *end = strchr(line, '\n');
        bool is_setting = line[0] == '#' && line[1] >= 'a' && line[1] <= 'z';

        ck_assert_ptr_nonnull(end);
        ck_assert_msg(end - line <= 100, "%.*s", (int)(end - line), line);
        settings_seen += is_setting;
        line += is_setting;
        memcpy(to, line, (size_t)(end - line) + 1);
        to += end - line + 1;
        line = end + 1;
    }
    *to = '\0';
    ck_assert_uint_eq(settings_seen, settings_n);
    ck_assert_int_eq(load_text(plain, &c), ERR_OK);
    check_defaults(c);
    config_free(c);
    free(plain);
    free(text);
}
END_TEST

START_TEST(free_takes_null)
{
    config_free(NULL);
}
END_TEST

static int print_path(void)
{
    struct config *c;

    if (config_load(NULL, stderr, &c))
        return EXIT_FAILURE;
    fputs(c->path, stdout);
    config_free(c);
    return EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
    Suite *suite;
    TCase *cases;
    SRunner *runner;
    int failed;

    if (argc == 2 && !strcmp(argv[1], PRINT_PATH))
        return print_path();
    suite = suite_create("config");
    cases = tcase_create("config");
    runner = srunner_create(suite);
    suite_add_tcase(suite, cases);
    tcase_add_checked_fixture(cases, set_up, tear_down);
    tcase_add_test(cases, an_empty_file_gives_the_defaults);
    tcase_add_test(cases, every_member_has_a_row_and_every_row_a_member_of_its_own);
    tcase_add_test(cases, every_setting_can_be_changed);
    tcase_add_test(cases, bounds_are_inclusive_and_told);
    tcase_add_loop_test(cases, a_wrong_line_is_told_with_its_number_and_what_is_allowed, 0,
                        (int)(sizeof(faults) / sizeof(faults[0])));
    tcase_add_test(cases, all_faults_are_told_at_once);
    tcase_add_test(cases, an_indented_line_is_a_line_of_its_own);
    tcase_add_test(cases, a_line_of_any_length_is_read_whole_or_refused);
    tcase_add_loop_test(cases, the_spool_never_lies_where_a_restart_clears, 0,
                        (int)(sizeof(spools) / sizeof(spools[0])));
    tcase_add_test(cases, a_named_file_must_exist);
    tcase_add_test(cases, the_option_comes_before_the_environment);
    tcase_add_test(cases, the_file_beside_the_program_comes_before_the_one_in_the_home_directory);
    tcase_add_test(cases, the_annotated_file_loads_as_the_defaults_as_it_is_and_uncommented);
    tcase_add_test(cases, free_takes_null);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
