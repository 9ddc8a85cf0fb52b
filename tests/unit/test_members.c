#include "upstream/members.h"

#include "base/buf.h"
#include "upstream/counts.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#define ARENA_MAX (1 << 22)
#define ROWS(t)   (int)(sizeof(t) / sizeof((t)[0]))

enum { MODEL, FLAG, MAX, OTHER_MAX, TEXT, LOOSE, KNOWN_N };
static const struct known_member known[KNOWN_N] = {
    [MODEL] = {"model",   true },
      [FLAG] = {"flag",    true },
      [MAX] = {"max",     true },
    [OTHER_MAX] = {"max_too", true },
      [TEXT] = {"text",    true },
      [LOOSE] = {"loose",   false},
};

static struct arena *arena;
static struct members m;
static struct fault fault;

static void setup(void)
{
    arena = arena_new(ARENA_MAX);
    ck_assert_ptr_nonnull(arena);
    fault = (struct fault){0};
}

static void teardown(void)
{
    arena_free(arena);
}

static enum err take(const char *body)
{
    return members_read(&m, slice_of(body), arena, known, KNOWN_N, &fault);
}

START_TEST(members_are_listed_in_order_and_known_ones_picked_out)
{
    ck_assert_int_eq(
        take(" {\"x\":[{\"model\":1}],\"\\u006dodel\":\"m\",\"loose\":1,\"loose\":\"2\",\"flag\":"
             "null}\n"),
        ERR_OK);
    ck_assert_uint_eq(m.n, 5);
    ck_assert(slice_eq_z(m.items[0].key, "x"));
    ck_assert(slice_eq_z(m.items[4].whole, "\"flag\":null"));
    ck_assert(slice_eq_z(m.values[MODEL].raw, "\"m\""));
    ck_assert(slice_eq_z(m.values[LOOSE].raw, "\"2\""));
    ck_assert(members_has(&m, MODEL));
    ck_assert(!members_has(&m, FLAG) && m.values[FLAG].raw.p);
    ck_assert(!members_has(&m, TEXT) && !m.values[TEXT].raw.p);
    ck_assert(slice_eq_z(members_text(&m, LOOSE), "2"));
    ck_assert_uint_eq(members_text(&m, TEXT).n, 0);
    ck_assert_uint_eq(members_text(&m, FLAG).n, 0);
}
END_TEST

static const struct {
    const char *body, *param, *text;
} bad[] = {
    {"",                              NULL,    "The request body is empty; expected a JSON object."       },
    {"[]",                            NULL,    "The request body is not a valid JSON object (at byte 0)." },
    {"{\"model\":\"m\"",              NULL,    "The request body is not a valid JSON object (at byte 12)."},
    {"{\"model\":1,\"model\":1}",     "model", "model: given twice"                                       },
    {"{\"model\":null,\"model\":1}",  "model", "model: given twice"                                       },
    {"{\"text\":1,\"te\\u0078t\":1}", "text",  "text: given twice"                                        },
};

START_TEST(a_body_that_is_no_object_or_says_things_twice_is_refused)
{
    ck_assert_int_eq(take(bad[_i].body), ERR_BAD_REQUEST);
    ck_assert_str_eq(fault.text, bad[_i].text);
    ck_assert_pstr_eq(fault.param, bad[_i].param);
}
END_TEST

START_TEST(the_number_of_members_is_bounded)
{
    struct buf b;
    int i;

    buf_init(&b, 1 << 16);
    ck_assert_int_eq(buf_append_z(&b, "{\"a0\":0"), ERR_OK);
    for (i = 1; i < FORMAT_MEMBERS_MAX; i++)
        ck_assert_int_eq(buf_printf(&b, ",\"a%d\":%d", i, i), ERR_OK);
    ck_assert_int_eq(buf_append_z(&b, "}"), ERR_OK);
    ck_assert_int_eq(take(b.p), ERR_OK);
    ck_assert_uint_eq(m.n, FORMAT_MEMBERS_MAX);
    b.n--;
    ck_assert_int_eq(buf_append_z(&b, ",\"b\":1}"), ERR_OK);
    ck_assert_int_eq(take(b.p), ERR_BAD_REQUEST);
    ck_assert_ptr_null(fault.param);
    buf_clear(&b);
}
END_TEST

START_TEST(a_flag_is_a_boolean)
{
    bool flag = true;

    ck_assert_int_eq(take("{\"flag\":false}"), ERR_OK);
    ck_assert_int_eq(members_bool(&m, FLAG, &flag), ERR_OK);
    ck_assert(!flag);
    ck_assert_int_eq(take("{\"flag\":null}"), ERR_OK);
    flag = true;
    ck_assert_int_eq(members_bool(&m, FLAG, &flag), ERR_OK);
    ck_assert(flag);
    ck_assert_int_eq(take("{\"flag\":0}"), ERR_OK);
    ck_assert_int_eq(members_bool(&m, FLAG, &flag), ERR_BAD_REQUEST);
    ck_assert_str_eq(fault.text, "flag: expected boolean");
}
END_TEST

START_TEST(a_model_has_a_name)
{
    struct slice model = {NULL, 0};
    char long_name[200];

    ck_assert_int_eq(take("{\"model\":\"a\\/b\"}"), ERR_OK);
    ck_assert_int_eq(members_model(&m, MODEL, &model), ERR_OK);
    ck_assert(slice_eq_z(model, "a/b"));
    ck_assert_int_eq(take("{}"), ERR_OK);
    ck_assert_int_eq(members_model(&m, MODEL, &model), ERR_BAD_REQUEST);
    ck_assert_str_eq(fault.text, "model: required");
    ck_assert_int_eq(take("{\"model\":[]}"), ERR_OK);
    ck_assert_int_eq(members_model(&m, MODEL, &model), ERR_BAD_REQUEST);
    ck_assert_str_eq(fault.text, "model: expected string");
    memset(long_name, 'x', sizeof(long_name));
    ck_assert_int_eq(members_check_model(arena, (struct slice){long_name, 128}, "models/", &fault),
                     ERR_OK);
    ck_assert_int_eq(members_check_model(arena, (struct slice){long_name, 129}, "models/", &fault),
                     ERR_BAD_REQUEST);
    ck_assert_str_eq(fault.text, "models/: expected at most 128 characters");
    ck_assert_int_eq(members_check_model(arena, SLICE(""), "models/", &fault), ERR_BAD_REQUEST);
}
END_TEST

START_TEST(the_smallest_output_limit_counts)
{
    int64_t max = -1;

    ck_assert_int_eq(take("{\"max\":30,\"max_too\":2e1}"), ERR_OK);
    ck_assert_int_eq(members_output_max(&m, MAX, &max), ERR_OK);
    ck_assert_int_eq(max, 30);
    ck_assert_int_eq(members_output_max(&m, OTHER_MAX, &max), ERR_OK);
    ck_assert_int_eq(max, 20);
    ck_assert_int_eq(members_output_max(&m, MAX, &max), ERR_OK);
    ck_assert_int_eq(max, 20);
    max = -1;
    ck_assert_int_eq(take("{\"max\":99999999999999999999,\"max_too\":2000000000}"), ERR_OK);
    ck_assert_int_eq(members_output_max(&m, MAX, &max), ERR_OK);
    ck_assert_int_eq(max, COUNT_MAX);
    max = -1;
    ck_assert_int_eq(members_output_max(&m, OTHER_MAX, &max), ERR_OK);
    ck_assert_int_eq(max, COUNT_MAX);
    ck_assert_int_eq(take("{\"max\":-99999999999999999999,\"max_too\":0}"), ERR_OK);
    ck_assert_int_eq(members_output_max(&m, MAX, &max), ERR_BAD_REQUEST);
    ck_assert_int_eq(members_output_max(&m, OTHER_MAX, &max), ERR_BAD_REQUEST);
    ck_assert_str_eq(fault.text, "max_too: expected an integer of at least 1");
    ck_assert_int_eq(max, COUNT_MAX);
}
END_TEST

START_TEST(memory_that_runs_out_is_told)
{
    size_t max, ok = 0;

    for (max = 16; max < 16384; max += 64) {
        struct arena *small = arena_new(max);
        struct slice model;
        enum err e =
            members_read(&m, SLICE("{\"model\":\"\\u0041\"}"), small, known, KNOWN_N, &fault);

        if (!e)
            e = members_model(&m, MODEL, &model);
        ck_assert(e == ERR_OK || e == ERR_MEMORY);
        ok += e == ERR_OK;
        arena_free(small);
    }
    ck_assert_uint_gt(ok, 0);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("members");
    TCase *t = tcase_create("all");
    SRunner *r = srunner_create(s);
    int failed;

    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, members_are_listed_in_order_and_known_ones_picked_out);
    tcase_add_loop_test(t, a_body_that_is_no_object_or_says_things_twice_is_refused, 0, ROWS(bad));
    tcase_add_test(t, the_number_of_members_is_bounded);
    tcase_add_test(t, a_flag_is_a_boolean);
    tcase_add_test(t, a_model_has_a_name);
    tcase_add_test(t, the_smallest_output_limit_counts);
    tcase_add_test(t, memory_that_runs_out_is_told);
    suite_add_tcase(s, t);
    srunner_run_all(r, CK_NORMAL);
    failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
