#include "upstream/rewrite.h"

#include "base/buf.h"
#include "upstream/sse.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ARENA_MAX (1 << 16)
#define ROWS(t)   (int)(sizeof(t) / sizeof((t)[0]))

static struct arena *arena;
static struct reader reader;
static struct format_request request;

static void setup(void)
{
    arena = arena_new(ARENA_MAX);
    ck_assert_ptr_nonnull(arena);
    ck_assert_int_eq(reader_init(&reader, &format_openai_chat, &request, arena), ERR_OK);
    reader.public_model = "pub\"m";
    reader.upstream_model = "up";
}

static void teardown(void)
{
    reader_clear(&reader);
    arena_free(arena);
}

static struct slice within(struct slice text, const char *what)
{
    const char *p = memmem(text.p, text.n, what, strlen(what));

    ck_assert_ptr_nonnull(p);
    return (struct slice){p, strlen(what)};
}

static void cost_text(void *ctx, const struct reader *r, char dst[READER_COST_SIZE])
{
    (void)ctx;
    (void)r;
    (void)snprintf(dst, READER_COST_SIZE, "0.001");
}

START_TEST(a_model_is_renamed_when_the_names_differ)
{
    struct jvalue model = {JSCAN_STRING, SLICE("\"up\"")};

    ck_assert(rewrite_renames_model(&reader, model));
    ck_assert(!rewrite_renames_model(&reader, (struct jvalue){0}));
    reader.public_model = "up";
    ck_assert(!rewrite_renames_model(&reader, model));
    reader.public_model = NULL;
    ck_assert(!rewrite_renames_model(&reader, model));
}
END_TEST

static const struct {
    const char *usage, *rewritten; /* NULL: no cost is added */
} costs[] = {
    {"{\"total_tokens\":1}",          "{\"total_tokens\":1,\"cost\":0.001}" },
    {"{}",                            "{\"cost\":0.001}"                    },
    {"{\"cost\":9,\"a\":1}",          "{\"cost\":0.001,\"a\":1}"            },
    {"{\"a\":1,\"co\\u0073t\":null}", "{\"a\":1,\"co\\u0073t\":0.001}"      },
    {"{\"a\":{\"cost\":1} }",         "{\"a\":{\"cost\":1} ,\"cost\":0.001}"},
    {"null",                          NULL                                  },
    {"7",                             NULL                                  },
};

START_TEST(cost_stands_in_the_usage)
{
    struct slice body = slice_of(costs[_i].usage), out;
    struct jvalue usage;
    char dst[COST_MEMBER_SIZE];
    struct cut cut;

    reader.cost_text = cost_text;
    reader.counts.is_known = true;
    ck_assert_int_eq(jscan_validate(body, &usage, NULL), ERR_OK);
    ck_assert(rewrite_cost(&reader, usage, dst, &cut) == (costs[_i].rewritten != NULL));
    if (!costs[_i].rewritten)
        return;
    ck_assert_int_eq(rewrite_whole(&reader, body, &cut, 1, &out), ERR_OK);
    ck_assert_msg(slice_eq_z(out, costs[_i].rewritten), "%.*s", SLICE_FMT(out));
}
END_TEST

START_TEST(cost_is_told_only_of_known_usage_and_to_who_wants_it)
{
    struct jvalue usage = {JSCAN_OBJECT, SLICE("{}")};
    char dst[COST_MEMBER_SIZE];
    struct cut cut;

    reader.counts.is_known = true;
    ck_assert(!rewrite_cost(&reader, usage, dst, &cut));
    reader.cost_text = cost_text;
    ck_assert(rewrite_cost(&reader, usage, dst, &cut));
    ck_assert(!rewrite_cost(&reader, (struct jvalue){0}, dst, &cut));
    reader.counts.is_known = false;
    ck_assert(!rewrite_cost(&reader, usage, dst, &cut));
}
END_TEST

START_TEST(cuts_in_any_order_leave_the_other_bytes)
{
    struct slice body = SLICE("{\"a\": 1, \"model\":\"up\" , \"b\":2,\"c\":3}"), out;
    struct cut cuts[] = {
        {within(body, ",\"c\":3"), ""  },
        {within(body, "\"up\""),   NULL},
        {within(body, "1"),        "[]"},
        {within(body, "2"),        "22"},
    };

    ck_assert_int_eq(rewrite_whole(&reader, body, cuts, 4, &out), ERR_OK);
    ck_assert(slice_eq_z(out, "{\"a\": [], \"model\":\"pub\\\"m\" , \"b\":22}"));
    ck_assert_int_eq(rewrite_whole(&reader, body, cuts, 0, &out), ERR_OK);
    ck_assert_ptr_eq(out.p, body.p);
    ck_assert_uint_eq(out.n, body.n);
}
END_TEST

static enum err cut_model(void *ctx, const struct sse_event *e)
{
    struct slice data = slice_trim(e->data);
    struct cut cut = {within(data, "\"up\""), NULL};

    (void)ctx;
    return rewrite_event(&reader, e, data, &cut, 1);
}

static const char *rewritten(const char *event)
{
    struct sse sse;

    sse_init(&sse, 4096);
    ck_assert_int_eq(sse_feed(&sse, slice_of(event), cut_model, NULL), ERR_OK);
    sse_clear(&sse);
    return arena_copy(arena, reader.replacement);
}

START_TEST(an_event_keeps_its_frame)
{
    ck_assert_str_eq(rewritten(": hi\nevent: x\r\ndata: {\"model\":\"up\"}\r\n\r\n"),
                     ": hi\nevent: x\r\ndata: {\"model\":\"pub\\\"m\"}\r\n\r\n");
}
END_TEST

START_TEST(an_event_of_several_data_lines_is_framed_anew)
{
    ck_assert_str_eq(
        rewritten("event: x\ndata: {\"a\":1,\ndata: \"model\":\"up\",\ndata: \"b\":2}\n\n"),
        "event: x\ndata: {\"a\":1,\ndata: \"model\":\"pub\\\"m\",\ndata: \"b\":2}\n\n");
    ck_assert_str_eq(rewritten("data: {\ndata: \"model\":\"up\"}\n\n"),
                     "data: {\ndata: \"model\":\"pub\\\"m\"}\n\n");
}
END_TEST

START_TEST(nothing_to_cut_leaves_no_replacement)
{
    struct sse_event e = {.raw = SLICE("data: {}\n\n")};

    e.data = (struct slice){e.raw.p + 6, 2};
    ck_assert_int_eq(rewrite_event(&reader, &e, e.data, NULL, 0), ERR_OK);
    ck_assert_ptr_null(reader.replacement.p);
}
END_TEST

START_TEST(a_buffer_that_is_full_is_told)
{
    struct slice body = SLICE("{\"model\":\"up\"}"), out;
    size_t max;

    for (max = 0; max < strlen("{\"model\":\"pub\\\"m\"}"); max++) {
        struct cut cut = {within(body, "\"up\""), NULL};

        buf_clear(reader.scratch);
        buf_init(reader.scratch, max);
        ck_assert_int_eq(rewrite_whole(&reader, body, &cut, 1, &out), ERR_FULL);
    }
}
END_TEST

int main(void)
{
    Suite *s = suite_create("rewrite");
    TCase *t = tcase_create("all");
    SRunner *r = srunner_create(s);
    int failed;

    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, a_model_is_renamed_when_the_names_differ);
    tcase_add_loop_test(t, cost_stands_in_the_usage, 0, ROWS(costs));
    tcase_add_test(t, cost_is_told_only_of_known_usage_and_to_who_wants_it);
    tcase_add_test(t, cuts_in_any_order_leave_the_other_bytes);
    tcase_add_test(t, an_event_keeps_its_frame);
    tcase_add_test(t, an_event_of_several_data_lines_is_framed_anew);
    tcase_add_test(t, nothing_to_cut_leaves_no_replacement);
    tcase_add_test(t, a_buffer_that_is_full_is_told);
    suite_add_tcase(s, t);
    srunner_run_all(r, CK_NORMAL);
    failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
