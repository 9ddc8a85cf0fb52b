#include "upstream/canon.h"

#include "upstream/capability.h"
#include "upstream/format.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#define ARENA_MAX (1 << 24)
#define ROWS(t)   (int)(sizeof(t) / sizeof((t)[0]))

static struct arena *arena;
static struct canon c;

static void setup(void)
{
    arena = arena_new(ARENA_MAX);
    ck_assert_ptr_nonnull(arena);
    canon_init(&c, arena, VENDOR_GEMINI, NULL);
}

static void teardown(void)
{
    arena_free(arena);
}

START_TEST(an_empty_request_says_nothing)
{
    ck_assert_int_eq(c.vendor, VENDOR_GEMINI);
    ck_assert_int_eq(c.max_out, -1);
    ck_assert_int_eq(c.choices, 1);
    ck_assert_int_eq(c.top_logprobs, -1);
    ck_assert_int_eq(c.parallel, -1);
    ck_assert_int_eq(c.think.mode, THINK_UNSET);
    ck_assert_int_eq(c.think.budget, -1);
    ck_assert_int_eq(c.think.show, -1);
    ck_assert_int_eq(c.format.strict, -1);
    ck_assert_int_eq(c.choice, CHOICE_UNSET);
    ck_assert(!c.temperature.p && !c.user.p && !c.turns && !c.tools);
}
END_TEST

START_TEST(items_are_added_zeroed_and_in_order)
{
    struct turn *t;
    struct part *p;
    size_t i;

    for (i = 0; i < 100; i++) {
        t = canon_add_turn(&c, CANON_USER, "turn");
        ck_assert_ptr_nonnull(t);
        t->name = (struct slice){"x", i};
        p = turn_add_part(&c, t, PART_RESULT, "part");
        ck_assert_ptr_nonnull(p);
        ck_assert(!p->text.p && !p->parts && p->seal.vendor == VENDOR_NONE);
        ck_assert_ptr_nonnull(part_add_part(&c, p, PART_TEXT, "inner"));
        ck_assert_int_eq(canon_add_tool(&c, TOOL_CUSTOM, "tool")->strict, -1);
    }
    ck_assert_uint_eq(c.turns_n, 100);
    ck_assert_uint_eq(c.tools_n, 100);
    for (i = 0; i < 100; i++) {
        ck_assert_uint_eq(c.turns[i].name.n, i);
        ck_assert_uint_eq(c.turns[i].parts_n, 1);
        ck_assert_str_eq(c.turns[i].parts[0].parts[0].at, "inner");
        ck_assert_int_eq(c.tools[i].kind, TOOL_CUSTOM);
    }
}
END_TEST

START_TEST(a_list_has_its_bound_and_memory_its_end)
{
    struct arena *small = arena_new(256);
    size_t max = CANON_TURNS_MAX, items = 0;

    ck_assert_ptr_null(canon_grow(arena, &items, CANON_TURNS_MAX, &max, 1));
    ck_assert_ptr_eq(canon_grow(arena, &items, CANON_TURNS_MAX - 1, &max, 1), &items);
    max = 0;
    ck_assert_ptr_null(canon_grow(small, NULL, 0, &max, 1000));
    ck_assert_uint_eq(max, 0);
    canon_init(&c, small, VENDOR_OPENAI, NULL);
    while (canon_add_turn(&c, CANON_USER, "turn"))
        ck_assert_uint_lt(c.turns_n, 100);
    while (canon_add_tool(&c, TOOL_FUNCTION, "tool"))
        ck_assert_uint_lt(c.tools_n, 100);
    arena_free(small);
}
END_TEST

START_TEST(fields_have_the_clients_name_else_a_common_one)
{
    static const char *const fields[FIELD_COUNT] = {[FIELD_MAX_OUT] = "maxOutputTokens"};
    size_t i;

    for (i = 0; i < FIELD_COUNT; i++)
        ck_assert_ptr_nonnull(canon_field(&c, (enum canon_field)i));
    ck_assert_str_eq(canon_field(&c, FIELD_MAX_OUT), "max_tokens");
    c.fields = fields;
    ck_assert_str_eq(canon_field(&c, FIELD_MAX_OUT), "maxOutputTokens");
    ck_assert_str_eq(canon_field(&c, FIELD_SEED), "seed");
}
END_TEST

START_TEST(a_name_is_dropped_once_and_only_so_many)
{
    struct drops d = {0};
    int i;

    canon_drop(&c, &d, FIELD_TOP_K);
    drop(&d, "x");
    canon_drop(&c, &d, FIELD_TOP_K);
    drop(&d, "x");
    ck_assert_uint_eq(d.n, 2);
    ck_assert_str_eq(d.names[0], "top_k");
    ck_assert_str_eq(d.names[1], "x");
    for (i = 0; i < DROPS_MAX; i++)
        drop(&d, arena_printf(arena, "n%d", i));
    ck_assert_uint_eq(d.n, DROPS_MAX);
}
END_TEST

static const struct {
    const char *url, *mime, *data; /* mime NULL: not that form */
} urls[] = {
    {"data:image/png;base64,AAAA",          "image/png",            "AAAA"},
    {"DATA:image/png;BASE64,",              "image/png",            ""    },
    {"data:;base64,AA,A",                   "",                     "AA,A"},
    {"data:text/plain;charset=u;base64,AA", "text/plain;charset=u", "AA"  },
    {"data:text/plain,hello",               NULL,                   NULL  },
    {"data:,",                              NULL,                   NULL  },
    {"data:base64,AA",                      NULL,                   NULL  },
    {"data:image/png;base64",               NULL,                   NULL  },
    {"https://h/a;base64,AA",               NULL,                   NULL  },
    {"",                                    NULL,                   NULL  },
};

START_TEST(a_data_url_is_split)
{
    struct slice mime, data;

    ck_assert(data_url_split(slice_of(urls[_i].url), &mime, &data) == (urls[_i].mime != NULL));
    if (!urls[_i].mime)
        return;
    ck_assert(slice_eq_z(mime, urls[_i].mime));
    ck_assert(slice_eq_z(data, urls[_i].data));
}
END_TEST

START_TEST(an_id_is_legal_for_every_format)
{
    char text[65];

    memset(text, 'a', sizeof(text));
    ck_assert(canon_id_is_legal(SLICE("call_A-9")));
    ck_assert(canon_id_is_legal((struct slice){text, 64}));
    ck_assert(!canon_id_is_legal((struct slice){text, 65}));
    ck_assert(!canon_id_is_legal(SLICE("")));
    ck_assert(!canon_id_is_legal((struct slice){NULL, 0}));
    ck_assert(!canon_id_is_legal(SLICE("a.b")));
    ck_assert(!canon_id_is_legal(SLICE("a b")));
    ck_assert(!canon_id_is_legal(SLICE("\xc3\xa9")));
}
END_TEST

START_TEST(words_are_parsed_and_told)
{
    int e;

    for (e = EFFORT_NONE; e <= EFFORT_MAX; e++)
        ck_assert_int_eq(effort_parse(slice_of(effort_word((enum effort)e))), e);
    ck_assert_ptr_null(effort_word(EFFORT_UNSET));
    ck_assert_int_eq(effort_parse(SLICE("HIGH")), EFFORT_UNSET);
    ck_assert_int_eq(effort_parse((struct slice){NULL, 0}), EFFORT_UNSET);
    ck_assert_int_eq(tier_parse(SLICE("auto")), TIER_AUTO);
    ck_assert_int_eq(tier_parse(SLICE("default")), TIER_DEFAULT);
    ck_assert_int_eq(tier_parse(SLICE("standard")), TIER_DEFAULT);
    ck_assert_int_eq(tier_parse(SLICE("flex")), TIER_FLEX);
    ck_assert_int_eq(tier_parse(SLICE("priority")), TIER_PRIORITY);
    ck_assert_int_eq(tier_parse(SLICE("scale")), TIER_UNSET);
}
END_TEST

START_TEST(a_fault_has_its_path)
{
    struct arena *small = arena_new(16);
    struct fault fault = {0};
    char text[3000];

    ck_assert_int_eq(canon_fault(arena, &fault, "a[0]", "expected %d", 7), ERR_BAD_REQUEST);
    ck_assert_str_eq(fault.param, "a[0]");
    ck_assert_str_eq(fault.text, "a[0]: expected 7");
    ck_assert_int_eq(canon_fault(arena, &fault, NULL, "all"), ERR_BAD_REQUEST);
    ck_assert_ptr_null(fault.param);
    ck_assert_str_eq(fault.text, "all");
    memset(text, 'x', sizeof(text));
    text[sizeof(text) - 1] = '\0';
    ck_assert_int_eq(canon_fault(arena, &fault, NULL, "%s", text), ERR_BAD_REQUEST);
    ck_assert_uint_lt(strlen(fault.text), 1100);
    ck_assert_int_eq(canon_fault(small, &fault, "path", "a text that has no room"), ERR_MEMORY);
    arena_free(small);
}
END_TEST

START_TEST(an_unknown_model_is_taken_for_a_modern_one)
{
    ck_assert(capability_default.has_tools && capability_default.has_forced_tools);
    ck_assert(capability_default.has_sampling && capability_default.has_schema);
    ck_assert(!capability_default.has_prefill && !capability_default.wants_reasoning);
    ck_assert_int_eq(capability_default.output_max, -1);
    ck_assert_uint_eq(capability_default.output, MODALITY_TEXT);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("canon");
    TCase *t = tcase_create("all");
    SRunner *r = srunner_create(s);
    int failed;

    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, an_empty_request_says_nothing);
    tcase_add_test(t, items_are_added_zeroed_and_in_order);
    tcase_add_test(t, a_list_has_its_bound_and_memory_its_end);
    tcase_add_test(t, fields_have_the_clients_name_else_a_common_one);
    tcase_add_test(t, a_name_is_dropped_once_and_only_so_many);
    tcase_add_loop_test(t, a_data_url_is_split, 0, ROWS(urls));
    tcase_add_test(t, an_id_is_legal_for_every_format);
    tcase_add_test(t, words_are_parsed_and_told);
    tcase_add_test(t, a_fault_has_its_path);
    tcase_add_test(t, an_unknown_model_is_taken_for_a_modern_one);
    suite_add_tcase(s, t);
    srunner_run_all(r, CK_NORMAL);
    failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
