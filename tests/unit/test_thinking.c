#include "upstream/signature.h"
#include "upstream/thinking.h"
#include "upstream/tool_names.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

static struct arena *arena;

static void setup(void)
{
    arena = arena_new(1 << 20);
    ck_assert_ptr_nonnull(arena);
}

static void teardown(void)
{
    arena_free(arena);
}

#define ALL_EFFORTS 0U
#define ONLY(a, b)  ((1U << (a)) | (1U << (b)))

/* Version 14 of the formatter breaks down at rows that begin with two braces. */
/* clang-format off */
static const struct {
    struct think think;
    unsigned efforts;
    bool always;
    enum effort effort;
} efforts[] = {
    {{.budget = -1, .show = -1},                                ALL_EFFORTS,                    false, EFFORT_UNSET  },
    {{.effort = EFFORT_LOW, .budget = -1},                      ALL_EFFORTS,                    false, EFFORT_LOW    },
    {{.mode = THINK_OFF, .budget = -1},                         ALL_EFFORTS,                    false, EFFORT_NONE   },
    {{.mode = THINK_OFF, .budget = -1},                         ONLY(EFFORT_LOW, EFFORT_HIGH),  true,  EFFORT_LOW    },
    {{.mode = THINK_OFF, .effort = EFFORT_HIGH, .budget = -1},  ALL_EFFORTS,                    false, EFFORT_NONE   },
    {{.mode = THINK_ON, .budget = -1},                          ALL_EFFORTS,                    false, EFFORT_UNSET  },
    {{.budget = 0},                                             ALL_EFFORTS,                    false, EFFORT_NONE   },
    {{.budget = 2048},                                          ALL_EFFORTS,                    false, EFFORT_LOW    },
    {{.budget = 2049},                                          ALL_EFFORTS,                    false, EFFORT_MEDIUM },
    {{.budget = 28672},                                         ALL_EFFORTS,                    false, EFFORT_HIGH   },
    {{.budget = 28673},                                         ALL_EFFORTS,                    false, EFFORT_XHIGH  },
    {{.effort = EFFORT_MAX, .budget = -1},                      ONLY(EFFORT_LOW, EFFORT_HIGH),  false, EFFORT_HIGH   },
    {{.effort = EFFORT_MEDIUM, .budget = -1},                   ONLY(EFFORT_LOW, EFFORT_HIGH),  false, EFFORT_LOW    },
    {{.effort = EFFORT_MINIMAL, .budget = -1},                  ONLY(EFFORT_LOW, EFFORT_HIGH),  false, EFFORT_LOW    },
};
/* clang-format on */

START_TEST(effort_is_the_nearest_that_the_model_takes)
{
    struct capability c = capability_default;

    c.efforts = efforts[_i].efforts;
    c.thinks_always = efforts[_i].always;
    ck_assert_int_eq(thinking_effort(&efforts[_i].think, &c), efforts[_i].effort);
}
END_TEST

START_TEST(budgets_stay_within_the_models_bounds)
{
    struct capability c = capability_default;

    c.budget_min = 1024;
    c.budget_max = 30000;
    ck_assert_int_eq(thinking_budget(&(struct think){.budget = -1}, &c), -1);
    ck_assert_int_eq(thinking_budget(&(struct think){.budget = 5000}, &c), 5000);
    ck_assert_int_eq(thinking_budget(&(struct think){.budget = 5}, &c), 1024);
    ck_assert_int_eq(thinking_budget(&(struct think){.budget = 99999}, &c), 30000);
    ck_assert_int_eq(thinking_budget(&(struct think){.effort = EFFORT_MINIMAL, .budget = -1}, &c),
                     1024);
    ck_assert_int_eq(thinking_budget(&(struct think){.effort = EFFORT_MEDIUM, .budget = -1}, &c),
                     8192);
    ck_assert_int_eq(thinking_budget(&(struct think){.effort = EFFORT_MAX, .budget = -1}, &c),
                     30000);
    ck_assert_int_eq(thinking_budget(&(struct think){.mode = THINK_OFF, .budget = -1}, &c), 0);
    c.thinks_always = true;
    ck_assert_int_eq(thinking_budget(&(struct think){.mode = THINK_OFF, .budget = -1}, &c), 1024);
}
END_TEST

START_TEST(a_signature_comes_back_as_it_went)
{
    struct seal seal = {.vendor = VENDOR_ANTHROPIC,
                        .model = SLICE("claude-4.5"),
                        .payload = SLICE("a.b+/=c"),
                        .id = SLICE("rs_1.2"),
                        .is_redacted = true};
    struct slice wrapped = signature_wrap(arena, &seal);
    struct slice texts[] = {wrapped, signature_base64(arena, wrapped)};
    struct seal back;
    size_t i;

    ck_assert(slice_starts(wrapped, "aip1.anthropic."));
    for (i = 0; i < 2; i++) {
        ck_assert_int_eq(signature_open(arena, texts[i], VENDOR_GEMINI, &back), ERR_OK);
        ck_assert_int_eq(back.vendor, VENDOR_ANTHROPIC);
        ck_assert(slice_eq_z(back.model, "claude-4.5"));
        ck_assert(slice_eq_z(back.payload, "a.b+/=c"));
        ck_assert(slice_eq_z(back.id, "rs_1.2"));
        ck_assert(back.is_redacted);
    }
    ck_assert_int_eq(signature_open(arena, SLICE("EqRk"), VENDOR_ANTHROPIC, &back), ERR_OK);
    ck_assert_int_eq(back.vendor, VENDOR_ANTHROPIC);
    ck_assert_uint_eq(back.model.n, 0);
    ck_assert_int_eq(signature_open(arena, SLICE("aip1.nobody.m.-..x"), VENDOR_OPENAI, &back),
                     ERR_OK);
    ck_assert_int_eq(back.vendor, VENDOR_NONE);
    ck_assert_int_eq(signature_open(arena, SLICE("YWlwMS4!"), VENDOR_GEMINI, &back), ERR_OK);
    ck_assert_int_eq(back.vendor, VENDOR_GEMINI);
}
END_TEST

START_TEST(tool_names_become_legal_and_come_back)
{
    static const char *const own[] = {
        "get_weather",
        "my tool",
        "my.tool",
        "my_tool",
        "9lives",
        "",
        "a-name-that-is-much-longer-than-the-sixty-four-characters-that-all-formats-allow",
        "a-name-that-is-much-longer-than-the-sixty-four-characters-that-all-formats-allow-2",
    };
    struct tool_names t;
    size_t i, k, n = sizeof(own) / sizeof(own[0]);

    tool_names_init(&t, arena);
    for (i = 0; i < n; i++) {
        struct slice safe = tool_names_safe(&t, slice_of(own[i]));

        ck_assert_uint_ge(safe.n, 1);
        ck_assert_uint_le(safe.n, 64);
        ck_assert(strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_", safe.p[0]));
        for (k = 0; k < safe.n; k++)
            ck_assert(canon_id_is_legal((struct slice){safe.p + k, 1}));
        ck_assert(slice_eq(safe, tool_names_safe(&t, slice_of(own[i]))));
        ck_assert(slice_eq_z(tool_names_find(&t, safe)->own, own[i]));
    }
    ck_assert_uint_eq(t.n, n);
    ck_assert(slice_eq_z(t.items[0].safe, "get_weather"));
    ck_assert(slice_eq_z(t.items[1].safe, "my_tool"));
    ck_assert_ptr_null(tool_names_find(&t, SLICE("unknown")));
    tool_names_mark_custom(&t, SLICE("my tool"));
    ck_assert(tool_names_find(&t, SLICE("my_tool"))->is_custom);
}
END_TEST

#define MANY 20000

START_TEST(many_tool_names_stay_apart_and_come_back)
{
    struct arena *a = arena_new((size_t)64 << 20);
    struct tool_names t;
    size_t i;

    ck_assert_ptr_nonnull(a);
    tool_names_init(&t, a);
    for (i = 0; i < MANY; i++) { /* each is told twice, and all want the same safe name */
        const char *own = arena_printf(a, "tool%c%c", (int)(1 + i / 26 % 26), (int)(1 + i % 26));
        size_t n = t.n;
        struct slice safe = tool_names_safe(&t, slice_of(own));

        ck_assert_uint_eq(t.n, i < 26 * 26 ? n + 1 : n);
        ck_assert(slice_starts(safe, "tool__"));
        ck_assert(slice_eq_z(tool_names_find(&t, safe)->own, own));
    }
    for (i = 0; i < MANY; i++) {
        const char *own = arena_printf(a, "tool_%zu", i);

        ck_assert(slice_eq_z(tool_names_safe(&t, slice_of(own)), own));
        ck_assert(slice_eq_z(tool_names_find(&t, slice_of(own))->own, own));
    }
    ck_assert_uint_eq(t.n, MANY + 26 * 26);
    arena_free(a);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("thinking");
    TCase *cases = tcase_create("all");
    SRunner *runner = srunner_create(suite);
    int failed;

    suite_add_tcase(suite, cases);
    tcase_add_checked_fixture(cases, setup, teardown);
    tcase_add_loop_test(cases, effort_is_the_nearest_that_the_model_takes, 0,
                        (int)(sizeof(efforts) / sizeof(efforts[0])));
    tcase_add_test(cases, budgets_stay_within_the_models_bounds);
    tcase_add_test(cases, a_signature_comes_back_as_it_went);
    tcase_add_test(cases, tool_names_become_legal_and_come_back);
    tcase_add_test(cases, many_tool_names_stay_apart_and_come_back);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
