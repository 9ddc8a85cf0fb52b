#include "base/log.h"

#include "base/clock.h"
#include "base/str.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define THREADS 4

static char dir[256], path[300], target[320], text[1 << 20];

/* A file of its own for each test; the suite forks, so none sees another's log. */
static void set_up(void)
{
    const char *tmp = getenv("TMPDIR");

    snprintf(dir, sizeof(dir), "%s/aipass-log-XXXXXX", tmp && tmp[0] ? tmp : "/tmp");
    ck_assert_ptr_nonnull(mkdtemp(dir));
    snprintf(path, sizeof(path), "%s/log", dir);
    snprintf(target, sizeof(target), "file:%s", path);
    ck_assert_int_eq(log_open(target, LOG_LEVEL_DEBUG), ERR_OK);
}

static void tear_down(void)
{
    char rotated[320];

    log_close();
    log_set_request(NULL);
    snprintf(rotated, sizeof(rotated), "%s.1", path);
    unlink(rotated);
    unlink(path);
    rmdir(dir);
}

/* The whole file in text. */
static char *content_of(const char *file)
{
    FILE *f = fopen(file, "r");
    size_t n;

    ck_assert_ptr_nonnull(f);
    n = fread(text, 1, sizeof(text) - 1, f);
    text[n] = '\0';
    fclose(f);
    return text;
}

/* What follows "event=x " in the only line. */
static char *pairs(void)
{
    char *at = strstr(content_of(path), " event=x ");

    ck_assert_ptr_nonnull(at);
    ck_assert_ptr_eq(strchr(text, '\n'), text + strlen(text) - 1);
    text[strlen(text) - 1] = '\0';
    return at + strlen(" event=x ");
}

static size_t count(const char *needle)
{
    size_t n = 0;

    for (const char *at = content_of(path); (at = strstr(at, needle)); at++)
        n++;
    return n;
}

START_TEST(a_line_has_time_level_event_and_pairs)
{
    int year, month, day, hour, minute, second, ms;

    log_warn("upstream_failed", "status=%d model=%s", 503, "gpt-x");
    content_of(path);
    ck_assert_int_eq(sscanf(text, "ts=%4d-%2d-%2dT%2d:%2d:%2d.%3dZ ", &year, &month, &day, &hour,
                            &minute, &second, &ms),
                     7);
    ck_assert_str_eq(strchr(text, ' '),
                     " level=warn event=upstream_failed status=503 model=gpt-x\n");
}
END_TEST

START_TEST(a_line_may_have_no_pairs)
{
    log_info("started", "%s", "");
    ck_assert_ptr_nonnull(strstr(content_of(path), " event=started \"\"\n"));
    log_write(LOG_LEVEL_ERROR, &(struct log_site){0}, "stopped", "%%");
    ck_assert_ptr_nonnull(strstr(content_of(path), " level=error event=stopped %\n"));
}
END_TEST

START_TEST(the_request_id_stands_in_the_lines_of_its_thread)
{
    log_set_request("01ARYZ6S41TSV4RRFFQ69G5FAV");
    log_info("x", "a=%d", 1);
    log_set_request(NULL);
    log_info("y", "a=%d", 2);
    ck_assert_ptr_nonnull(
        strstr(content_of(path), " event=x request=01ARYZ6S41TSV4RRFFQ69G5FAV a=1\n"));
    ck_assert_ptr_nonnull(strstr(text, " event=y a=2\n"));
}
END_TEST

START_TEST(every_conversion_prints_like_printf)
{
    char expected[512];
    const int int_min = -2147483647 - 1;

#define FORMAT                                                                                     \
    "%d %i %u %ld %lu %lld %llu %zu %zd %x %c %% %s %.*s %.3s %" PRId64 " %" PRIu64 " %jd %lx "    \
    "%05d %5d|%03d %08x"
#define ARGS                                                                                       \
    int_min, 7, 4294967295U, -5L, 18446744073709551615UL, -9223372036854775807LL,                  \
        18446744073709551615ULL, (size_t)77, (ssize_t)-77, 0xbeefU, 'c', "text", 2, "abc",         \
        "abcdef", INT64_MIN, UINT64_MAX, (intmax_t)-1, 0xdeadbeefUL, -42, -42, 7, 0xabU
    log_info("x", FORMAT, ARGS);
    snprintf(expected, sizeof(expected), FORMAT, ARGS);
    ck_assert_str_eq(pairs(), expected);
}
END_TEST

static const struct {
    const char *value, *written;
} values[] = {
    {"plain",                          "plain"                              },
    {"path/with-marks_1.2:3,4;[5]",    "path/with-marks_1.2:3,4;[5]"        },
    {"",                               "\"\""                               },
    {NULL,                             "\"\""                               },
    {"two words",                      "\"two words\""                      },
    {"a=b",                            "\"a=b\""                            },
    {"say \"hi\"",                     "\"say \\\"hi\\\"\""                 },
    {"back\\slash",                    "\"back\\\\slash\""                  },
    {"line\nlevel=error event=forged", "\"line\\nlevel=error event=forged\""},
    {"\r\t",                           "\"\\r\\t\""                         },
    {"\x1b[31m",                       "\"\\u001b[31m\""                    },
    {"\x7f",                           "\"\\u007f\""                        },
    {"\xc2\x9b"
     "31m",                       "\"\\u009b31m\""                     },
    {"\xc2\xa0",                       "\"\xc2\xa0\""                       },
    {"\xe2\x82\xac",                   "\"\xe2\x82\xac\""                   },
    {"\xff\xfe",                       "\"\xef\xbf\xbd\xef\xbf\xbd\""       },
    {"\xe2\x82",                       "\"\xef\xbf\xbd\xef\xbf\xbd\""       },
};

START_TEST(values_are_quoted_and_escaped_when_they_need_to_be)
{
    char expected[100];

    log_info("x", "v=%s w=%.*s", values[_i].value, 3, "abcdef");
    snprintf(expected, sizeof(expected), "v=%s w=abc", values[_i].written);
    ck_assert_str_eq(pairs(), expected);
}
END_TEST

START_TEST(a_value_within_quotes_of_the_format_is_only_escaped)
{
    log_info("x", "msg=\"model %s: %s\" next=%s", "a b", "\"c\"\n", "d e");
    ck_assert_str_eq(pairs(), "msg=\"model a b: \\\"c\\\"\\n\" next=\"d e\"");
}
END_TEST

START_TEST(long_values_are_cut_at_a_character)
{
    static char value[2000];
    char *line;

    memset(value, 'a', sizeof(value) - 1);
    memcpy(value + LOG_VALUE_MAX - 2, "\xe2\x82\xac", 3);
    log_info("x", "v=%s w=%d", value, 1);
    line = pairs();
    ck_assert_uint_eq(strlen(line), strlen("v=\"\" w=1") + LOG_VALUE_MAX - 2 + strlen("..."));
    ck_assert_str_eq(line + 3 + LOG_VALUE_MAX - 2, "...\" w=1");
}
END_TEST

START_TEST(a_value_of_just_the_maximum_is_whole)
{
    static char value[LOG_VALUE_MAX + 1];

    memset(value, 'a', sizeof(value) - 1);
    log_info("x", "v=%s", value);
    ck_assert_uint_eq(strlen(pairs()), 2 + LOG_VALUE_MAX);
    ck_assert_ptr_null(strstr(text, "..."));
}
END_TEST

START_TEST(a_value_without_nul_is_read_no_further_than_its_length)
{
    char *value = malloc(3);

    ck_assert_ptr_nonnull(value);
    memcpy(value, "abc", 3);
    log_info("x", "v=%.*s", 3, value);
    ck_assert_str_eq(pairs(), "v=abc");
    free(value);
}
END_TEST

START_TEST(a_long_line_ends_properly_at_every_length)
{
    static char value[LOG_VALUE_MAX + 1];

    memset(value, '\x01', LOG_VALUE_MAX); /* six characters each when escaped */
    for (size_t n = 0; n < 60; n++) {
        size_t length;

        value[n] = '\0';
        log_write(LOG_LEVEL_INFO, &(struct log_site){0}, "x",
                  "a=%s b=%s c=%.*s d=%s e=%s f=%s g=%s h=%s", "\"", value, (int)n,
                  "0123456789012345678901234567890123456789012345678901234567890", value, value,
                  value, value, value);
        value[n] = '\x01';
        content_of(path);
        length = strlen(text);
        ck_assert_uint_le(length, LOG_LINE_MAX);
        ck_assert_ptr_eq(strchr(text, '\n'), text + length - 1);
        ck_assert_int_eq(truncate(path, 0), 0);
    }
    value[LOG_VALUE_MAX] = '\0';
    log_info("x", "a=%s b=%s", value, value);
    content_of(path);
    ck_assert_uint_gt(strlen(text), LOG_LINE_MAX - 8);
    ck_assert_uint_le(strlen(text), LOG_LINE_MAX);
    ck_assert_str_eq(text + strlen(text) - 2, "\"\n");
}
END_TEST

START_TEST(lines_below_the_least_level_are_dropped)
{
    ck_assert_int_eq(log_open(target, LOG_LEVEL_WARN), ERR_OK);
    log_debug("a", "n=%d", 1);
    log_info("b", "n=%d", 1);
    log_warn("c", "n=%d", 1);
    log_error("d", "n=%d", 1);
    ck_assert_uint_eq(count("event="), 2);
    ck_assert_uint_eq(count("event=c"), 1);
    ck_assert_uint_eq(count("event=d"), 1);
}
END_TEST

static void wait_for_a_new_second(void)
{
    int64_t start = clock_mono_ms() / 1000;

    while (clock_mono_ms() / 1000 == start)
        usleep(1000);
}

START_TEST(a_call_site_is_limited_and_tells_what_it_dropped)
{
    for (int round = 0; round < 2; round++) {
        wait_for_a_new_second();
        /* One call site, reached again by the loop. */
        for (int i = 0; i < (round ? 1 : LOG_BURST + 25); i++)
            log_info("flood", "i=%d", i);
        if (round == 0)
            ck_assert_uint_eq(count("event=flood"), LOG_BURST);
        log_info("other", "i=%d", 0);
    }
    ck_assert_uint_eq(count("event=other"), 2);
    ck_assert_uint_eq(count("event=flood"), LOG_BURST + 1);
    ck_assert_uint_eq(count("event=flood suppressed=25 i=0"), 1);
    ck_assert_uint_eq(count("suppressed"), 1);
}
END_TEST

static void *write_lines(void *arg)
{
    char id[8];

    snprintf(id, sizeof(id), "T%d", *(int *)arg);
    log_set_request(id);
    for (int i = 0; i < 200; i++)
        log_write(LOG_LEVEL_INFO, &(struct log_site){0}, "x", "thread=%s i=%d", id, i);
    return NULL;
}

START_TEST(lines_of_many_threads_stay_whole)
{
    pthread_t threads[THREADS];
    int numbers[THREADS];
    char *line, *next;
    size_t lines = 0;

    for (int i = 0; i < THREADS; i++) {
        numbers[i] = i;
        ck_assert_int_eq(pthread_create(&threads[i], NULL, write_lines, &numbers[i]), 0);
    }
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    for (line = content_of(path); *line; line = next + 1) {
        char request[8], thread[8];
        int i;

        next = strchr(line, '\n');
        ck_assert_ptr_nonnull(next);
        ck_assert_int_eq(sscanf(line, "ts=%*s level=info event=x request=%7s thread=%7s i=%d\n",
                                request, thread, &i),
                         3);
        ck_assert_str_eq(request, thread);
        lines++;
    }
    ck_assert_uint_eq(lines, THREADS * 200);
}
END_TEST

static void *flood(void *arg)
{
    for (int i = 0; i < 500; i++)
        log_write(LOG_LEVEL_INFO, arg, "x", "i=%d", i);
    return NULL;
}

START_TEST(the_limit_is_exact_over_threads)
{
    struct log_site site;
    pthread_t threads[THREADS];
    int64_t second;

    /* Again when a slow machine came into the next second on the way. */
    do {
        ck_assert_int_eq(truncate(path, 0), 0);
        site = (struct log_site){0};
        wait_for_a_new_second();
        second = clock_mono_ms() / 1000;
        for (int i = 0; i < THREADS; i++)
            ck_assert_int_eq(pthread_create(&threads[i], NULL, flood, &site), 0);
        for (int i = 0; i < THREADS; i++)
            pthread_join(threads[i], NULL);
    } while (clock_mono_ms() / 1000 != second);
    ck_assert_uint_eq(count("event=x"), LOG_BURST);
}
END_TEST

START_TEST(a_rotated_file_is_opened_anew)
{
    char rotated[320];

    snprintf(rotated, sizeof(rotated), "%s.1", path);
    log_info("before", "n=%d", 1);
    ck_assert_int_eq(rename(path, rotated), 0);
    usleep(1100000);
    log_info("after", "n=%d", 2);
    ck_assert_ptr_nonnull(strstr(content_of(path), "event=after"));
    ck_assert_ptr_null(strstr(text, "event=before"));
    ck_assert_ptr_null(strstr(content_of(rotated), "event=after"));
}
END_TEST

START_TEST(a_file_that_cannot_be_opened_is_an_io_error_and_the_old_target_stays)
{
    char bad[400];

    snprintf(bad, sizeof(bad), "%s/none/log", target);
    ck_assert_int_eq(log_open(bad, LOG_LEVEL_DEBUG), ERR_IO);
    ck_assert_int_eq(errno, ENOTDIR);
    log_info("x", "n=%d", 1);
    ck_assert_str_eq(pairs(), "n=1");
}
END_TEST

START_TEST(without_a_file_lines_go_to_stderr)
{
    int saved = dup(STDERR_FILENO), fd = open(path, O_WRONLY | O_APPEND);

    ck_assert_int_eq(log_open("stderr", LOG_LEVEL_INFO), ERR_OK);
    ck_assert_int_ge(dup2(fd, STDERR_FILENO), 0);
    log_info("x", "n=%d", 1);
    ck_assert_int_ge(dup2(saved, STDERR_FILENO), 0);
    close(saved);
    close(fd);
    ck_assert_str_eq(pairs(), "n=1");
}
END_TEST

START_TEST(errno_survives_a_log_line)
{
    errno = EDOM;
    log_info("x", "n=%d", 1);
    ck_assert_int_eq(errno, EDOM);
}
END_TEST

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
START_TEST(an_unknown_conversion_ends_the_line_and_says_so)
{
    log_info("x", "a=%d f=%f b=%d", 1, 2.0, 3);
    ck_assert_str_eq(pairs(), "a=1 f=? log_error=unknown_conversion");
}
END_TEST
#endif

int main(void)
{
    Suite *suite = suite_create("log");
    TCase *cases = tcase_create("log");
    SRunner *runner = srunner_create(suite);
    int failed;

    suite_add_tcase(suite, cases);
    tcase_add_checked_fixture(cases, set_up, tear_down);
    tcase_set_timeout(cases, 20);
    tcase_add_test(cases, a_line_has_time_level_event_and_pairs);
    tcase_add_test(cases, a_line_may_have_no_pairs);
    tcase_add_test(cases, the_request_id_stands_in_the_lines_of_its_thread);
    tcase_add_test(cases, every_conversion_prints_like_printf);
    tcase_add_loop_test(cases, values_are_quoted_and_escaped_when_they_need_to_be, 0,
                        (int)(sizeof(values) / sizeof(values[0])));
    tcase_add_test(cases, a_value_within_quotes_of_the_format_is_only_escaped);
    tcase_add_test(cases, long_values_are_cut_at_a_character);
    tcase_add_test(cases, a_value_of_just_the_maximum_is_whole);
    tcase_add_test(cases, a_value_without_nul_is_read_no_further_than_its_length);
    tcase_add_test(cases, a_long_line_ends_properly_at_every_length);
    tcase_add_test(cases, lines_below_the_least_level_are_dropped);
    tcase_add_test(cases, a_call_site_is_limited_and_tells_what_it_dropped);
    tcase_add_test(cases, lines_of_many_threads_stay_whole);
    tcase_add_test(cases, the_limit_is_exact_over_threads);
    tcase_add_test(cases, a_rotated_file_is_opened_anew);
    tcase_add_test(cases, a_file_that_cannot_be_opened_is_an_io_error_and_the_old_target_stays);
    tcase_add_test(cases, without_a_file_lines_go_to_stderr);
    tcase_add_test(cases, errno_survives_a_log_line);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
    tcase_add_test(cases, an_unknown_conversion_ends_the_line_and_says_so);
#endif
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
