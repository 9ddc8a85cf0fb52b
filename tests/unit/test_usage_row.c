#include "db/usage_row.h"

#include "base/hash.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

static struct usage_row make_row(void)
{
    struct usage_row row = {
        .request_id = "01K0000000000000000000000A",
        .account_id = 7,
        .api_key_id = 11,
        .group_id = 1,
        .endpoint = "chat.completions",
        .model = "gpt-6-sol",
        .upstream_model = "gpt-6-sol-2026",
        .channel_id = 3,
        .client_format = "openai-chat",
        .provider_format = "anthropic",
        .is_stream = true,
        .status = USAGE_CLIENT_GONE,
        .http_status = 200,
        .error_code = "client_gone",
        .finish_reason = "stop",
        .usage = {.input = 12,
                  .cached_input = 3,
                  .cache_write = 4,
                  .cache_write_1h = 5,
                  .output = 600,
                  .reasoning = 20,
                  .is_known = true},
        .group_multiplier_ppm = 1000000,
        .account_multiplier_ppm = 900000,
        .hold_nusd = 123456789,
        .cost_nusd = 4321,
        .shortfall_nusd = 1,
        .attempts = 2,
        .first_byte_ms = -1,
        .duration_ms = 1500,
        .upstream_request_id = "req_1",
        .created_wall_ms = INT64_C(1795361959123),
        .price_lines =
            "[{\"unit\":\"input_token\",\"count\":12,\"per\":1000000,\"amount\":\"1.250000000\"}]",
        .channel_cost_nusd = 77,
        .usage_method = "provider",
        .service_tier = "default",
    };
    return row;
}

static void fill(char *dst, size_t size, char c)
{
    memset(dst, c, size - 1);
    dst[size - 1] = '\0';
}

#define LINES_REAL 1024 /* more than eight lines of prices below 100000 USD have */

/* Every field at its longest, every character of the kind that must be escaped. */
static struct usage_row make_worst(char c)
{
    struct usage_row row = make_row();
    fill(row.endpoint, sizeof(row.endpoint), c);
    fill(row.model, sizeof(row.model), c);
    fill(row.upstream_model, sizeof(row.upstream_model), c);
    fill(row.client_format, sizeof(row.client_format), c);
    fill(row.provider_format, sizeof(row.provider_format), c);
    fill(row.error_code, sizeof(row.error_code), c);
    fill(row.finish_reason, sizeof(row.finish_reason), c);
    fill(row.upstream_request_id, sizeof(row.upstream_request_id), c);
    fill(row.price_lines, c == 'x' ? LINES_REAL : sizeof(row.price_lines), c);
    fill(row.usage_method, sizeof(row.usage_method), c);
    fill(row.service_tier, sizeof(row.service_tier), c);
    row.account_id = row.api_key_id = row.group_id = row.channel_id = row.channel_key_id =
        INT64_MIN;
    row.usage = (struct usage){INT64_MIN, INT64_MIN, INT64_MIN, INT64_MIN,
                               INT64_MIN, INT64_MIN, true,      true};
    row.group_multiplier_ppm = row.account_multiplier_ppm = row.hold_nusd = row.cost_nusd =
        row.shortfall_nusd = INT64_MIN;
    row.first_byte_ms = row.duration_ms = row.created_wall_ms = INT64_MIN;
    row.http_status = row.attempts = INT32_MIN;
    return row;
}

static void assert_same(const struct usage_row *a, const struct usage_row *b)
{
    char x[USAGE_ROW_LINE_MAX], y[USAGE_ROW_LINE_MAX];
    size_t n = usage_row_encode(a, x);
    ck_assert_uint_eq(n, usage_row_encode(b, y));
    ck_assert_mem_eq(x, y, n);
}

START_TEST(row_comes_back_as_it_was)
{
    struct usage_row row = make_row(), back;
    char line[USAGE_ROW_LINE_MAX];
    size_t n = usage_row_encode(&row, line);
    ck_assert_int_eq(line[n - 1], '\n');
    ck_assert_ptr_eq(memchr(line, '\n', n), line + n - 1);
    ck_assert_int_eq(usage_row_decode((struct slice){line, n}, &back), ERR_OK);
    ck_assert_str_eq(back.request_id, row.request_id);
    ck_assert_int_eq(back.account_id, 7);
    ck_assert_int_eq(back.channel_key_id, 0);
    ck_assert_str_eq(back.model, row.model);
    ck_assert(back.is_stream);
    ck_assert_int_eq(back.status, USAGE_CLIENT_GONE);
    ck_assert_int_eq(back.usage.cache_write_1h, 5);
    ck_assert_int_eq(back.usage.reasoning, 20);
    ck_assert(back.usage.is_known);
    ck_assert(!back.usage.is_estimated);
    ck_assert_int_eq(back.cost_nusd, 4321);
    ck_assert_int_eq(back.hold_nusd, 123456789);
    ck_assert_int_eq(back.first_byte_ms, -1);
    ck_assert_int_eq(back.created_wall_ms, INT64_C(1795361959123));
    ck_assert_str_eq(back.price_lines, row.price_lines);
    ck_assert_int_eq(back.channel_cost_nusd, 77);
    ck_assert_str_eq(back.usage_method, "provider");
    ck_assert_str_eq(back.service_tier, "default");
    assert_same(&row, &back);
}
END_TEST

START_TEST(tabs_newlines_and_backslashes_survive)
{
    struct usage_row row = make_row(), back;
    char line[USAGE_ROW_LINE_MAX];
    strcpy(row.finish_reason, "a\tb\nc\\d\\n");
    size_t n = usage_row_encode(&row, line);
    ck_assert_ptr_eq(memchr(line, '\n', n), line + n - 1);
    ck_assert_int_eq(usage_row_decode((struct slice){line, n}, &back), ERR_OK);
    ck_assert_str_eq(back.finish_reason, row.finish_reason);
}
END_TEST

START_TEST(long_row_fits_with_all_that_it_charges)
{
    struct usage_row row = make_worst('x'), back;
    char line[USAGE_ROW_LINE_MAX];
    size_t n = usage_row_encode(&row, line);
    ck_assert_uint_le(n, USAGE_ROW_LINE_MAX);
    ck_assert_int_eq(usage_row_decode((struct slice){line, n}, &back), ERR_OK);
    ck_assert_str_eq(back.price_lines, row.price_lines);
    ck_assert_int_eq(back.cost_nusd, INT64_MIN);
}
END_TEST

/* A line without the last n fields, its checksum right. */
static size_t shorten(char *line, size_t length, int n)
{
    static const char hex[] = "0123456789abcdef";
    while (n-- > 0)
        while (line[--length] != '\t')
            ;
    uint32_t crc = hash_crc32c(0, line + 9, length - 9);
    for (int i = 0; i < 8; i++)
        line[i] = hex[crc >> (28 - 4 * i) & 15];
    line[length] = '\n';
    return length + 1;
}

START_TEST(line_of_an_older_version_decodes)
{
    struct usage_row row = make_row(), back;
    char line[USAGE_ROW_LINE_MAX] = {0};
    size_t n = shorten(line, usage_row_encode(&row, line), 4);
    ck_assert_int_eq(usage_row_decode((struct slice){line, n}, &back), ERR_OK);
    ck_assert_str_eq(back.price_lines, row.price_lines);
    ck_assert_int_eq(back.channel_cost_nusd, -1);
    ck_assert_str_eq(back.usage_method, "");
    ck_assert_str_eq(back.service_tier, "");
    n = shorten(line, n, 1);
    ck_assert_int_eq(usage_row_decode((struct slice){line, n}, &back), ERR_FORMAT);
}
END_TEST

START_TEST(row_full_of_escapes_fits_and_keeps_its_cost)
{
    struct usage_row row = make_worst('\t'), back;
    char line[USAGE_ROW_LINE_MAX];
    size_t n = usage_row_encode(&row, line);
    ck_assert_uint_le(n, USAGE_ROW_LINE_MAX);
    ck_assert_int_eq(usage_row_decode((struct slice){line, n}, &back), ERR_OK);
    ck_assert_str_eq(back.request_id, row.request_id);
    ck_assert_str_eq(back.model, row.model);
    ck_assert_int_eq(back.cost_nusd, INT64_MIN);
    ck_assert_str_eq(back.upstream_request_id, "");
}
END_TEST

START_TEST(every_cut_of_a_line_is_refused)
{
    struct usage_row row = make_row(), back = {.account_id = 99};
    char line[USAGE_ROW_LINE_MAX];
    size_t n = usage_row_encode(&row, line);
    for (size_t cut = 0; cut < n; cut++)
        ck_assert_int_eq(usage_row_decode((struct slice){line, cut}, &back), ERR_FORMAT);
    for (size_t skip = 1; skip < n; skip++)
        ck_assert_int_eq(usage_row_decode((struct slice){line + skip, n - skip}, &back),
                         ERR_FORMAT);
    ck_assert_int_eq(back.account_id, 99);
}
END_TEST

START_TEST(every_changed_byte_is_noticed)
{
    struct usage_row row = make_row(), back;
    char line[USAGE_ROW_LINE_MAX];
    size_t n = usage_row_encode(&row, line);
    for (size_t i = 0; i < n; i++) {
        char was = line[i];
        line[i] = (char)(was ^ 1);
        ck_assert_int_eq(usage_row_decode((struct slice){line, n}, &back), ERR_FORMAT);
        line[i] = was;
    }
    ck_assert_int_eq(usage_row_decode((struct slice){line, n}, &back), ERR_OK);
}
END_TEST

static struct usage_attempt an_attempt(int n)
{
    return (struct usage_attempt){.n = n,
                                  .channel_id = 4,
                                  .channel_key_id = 9,
                                  .key_hint = "...\"k\\9",
                                  .error = "up_status",
                                  .status = 503,
                                  .connect_ms = 1,
                                  .first_byte_ms = -1,
                                  .total_ms = 20,
                                  .bytes = 30,
                                  .created_wall_ms = INT64_C(1795361959123)};
}

START_TEST(attempts_are_a_json_array_as_far_as_there_is_room)
{
    static const char one[] = "[{\"n\":1,\"c\":4,\"k\":9,\"h\":\"...k9\",\"s\":503,\"e\":\"up_"
                              "status\",\"ct\":1,\"fb\":-1,"
                              "\"t\":20,\"b\":30,\"at\":1795361959123}]";
    struct usage_row row = make_row(), back;
    char line[USAGE_ROW_LINE_MAX];
    struct usage_attempt a = an_attempt(1);
    ck_assert(usage_row_add_attempt(&row, &a));
    ck_assert_str_eq(row.tried, one);
    int added = 1;
    for (int i = 2; i <= 16; i++) {
        a = an_attempt(i);
        added += usage_row_add_attempt(&row, &a);
    }
    ck_assert_int_ge(added, 4);
    ck_assert_int_lt(added, 16);
    ck_assert_str_eq(row.tried + strlen(row.tried) - 2, "}]");
    size_t n = usage_row_encode(&row, line);
    ck_assert_int_eq(usage_row_decode((struct slice){line, n}, &back), ERR_OK);
    ck_assert_str_eq(back.tried, row.tried);
}
END_TEST

START_TEST(attempts_give_way_to_what_is_charged)
{
    struct usage_row row = make_worst('x'), back;
    struct usage_attempt a = an_attempt(1);
    char line[USAGE_ROW_LINE_MAX];
    row.tried[0] = '\0';
    for (int i = 0; i < 4; i++)
        ck_assert(usage_row_add_attempt(&row, &a));
    size_t n = usage_row_encode(&row, line);
    ck_assert_int_eq(usage_row_decode((struct slice){line, n}, &back), ERR_OK);
    ck_assert_str_eq(back.price_lines, row.price_lines);
    ck_assert_str_eq(back.tried, "");
}
END_TEST

START_TEST(each_status_has_its_word)
{
    ck_assert_str_eq(usage_status_name(USAGE_OK), "ok");
    ck_assert_str_eq(usage_status_name(USAGE_ERROR), "error");
    ck_assert_str_eq(usage_status_name(USAGE_CUT), "cut");
    ck_assert_str_eq(usage_status_name(USAGE_CLIENT_GONE), "client_gone");
    ck_assert_str_eq(usage_status_name(USAGE_INTERRUPTED), "interrupted");
}
END_TEST

int main(void)
{
    Suite *s = suite_create("usage_row");
    TCase *t = tcase_create("usage_row");
    tcase_add_test(t, row_comes_back_as_it_was);
    tcase_add_test(t, tabs_newlines_and_backslashes_survive);
    tcase_add_test(t, long_row_fits_with_all_that_it_charges);
    tcase_add_test(t, line_of_an_older_version_decodes);
    tcase_add_test(t, row_full_of_escapes_fits_and_keeps_its_cost);
    tcase_add_test(t, every_cut_of_a_line_is_refused);
    tcase_add_test(t, every_changed_byte_is_noticed);
    tcase_add_test(t, attempts_are_a_json_array_as_far_as_there_is_room);
    tcase_add_test(t, attempts_give_way_to_what_is_charged);
    tcase_add_test(t, each_status_has_its_word);
    suite_add_tcase(s, t);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
