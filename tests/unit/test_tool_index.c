#include "upstream/tool_index.h"

#include "tests/unit/format_suite.h"

#define MANY 20000

static struct canon c;

static void setup(void)
{
    suite_arena_open();
    canon_init(&c, arena, VENDOR_OPENAI, NULL);
}

static struct tool *add(enum tool_kind kind, const char *name)
{
    struct tool *t = canon_add_tool(&c, kind, "at");

    ck_assert_ptr_nonnull(t);
    t->name = slice_of(name);
    return t;
}

/* Its place in the list; -1: there is none. */
static int find(enum tool_class of, const char *name)
{
    const struct tool *t = tool_index_find(&c, of, slice_of(name));

    return t ? (int)(t - c.tools) : -1;
}

static void add_all_kinds(void)
{
    struct tool *t;

    t = add(TOOL_HOSTED, "same");
    t->hosted = SLICE("type");
    t = add(TOOL_HOSTED, "same");
    t->hosted = SLICE("web_search_1");
    t->is_web_search = true;
    add(TOOL_FUNCTION, "same");
    add(TOOL_CUSTOM, "same");
    t = add(TOOL_FUNCTION, "space__bare");
    t->space = SLICE("space");
    t->bare = SLICE("bare");
}

static void check_all_kinds(void)
{
    ck_assert_int_eq(find(TOOLS_ALL, "same"), 0);
    ck_assert_int_eq(find(TOOLS_SEARCH, "same"), 1);
    ck_assert_int_eq(find(TOOLS_CALLABLE, "same"), 2);
    ck_assert_int_eq(find(TOOLS_FREE, "same"), 3);
    ck_assert_int_eq(find(TOOLS_HOSTED, "web_search_1"), 1);
    ck_assert_int_eq(find(TOOLS_HOSTED, "same"), -1);
    ck_assert_int_eq(find(TOOLS_BARE, "bare"), 4);
    ck_assert_int_eq(find(TOOLS_BARE, ""), -1);
    ck_assert_int_eq(find(TOOLS_ALL, "bare"), -1);
    ck_assert_int_eq(find(TOOLS_ALL, ""), -1);
}

START_TEST(the_first_tool_of_each_class_is_found)
{
    add_all_kinds();
    check_all_kinds();
    check_all_kinds();
}
END_TEST

START_TEST(without_memory_the_lists_are_looked_through)
{
    struct slice names[] = {SLICE("a"), SLICE("b")};

    add_all_kinds();
    c.choice_names = names;
    c.choice_names_n = 2;
    c.tool_index = NULL;
    check_all_kinds();
    ck_assert(tool_index_is_allowed(&c, SLICE("b")));
    ck_assert(!tool_index_is_allowed(&c, SLICE("c")));
    c.tool_index = tool_index_new(arena);
    ck_assert_ptr_nonnull(c.tool_index);
    while (arena_alloc(arena, 1024) || arena_alloc(arena, 16))
        continue;
    check_all_kinds();
    ck_assert(tool_index_is_allowed(&c, SLICE("b")));
    ck_assert(!tool_index_is_allowed(&c, SLICE("c")));
}
END_TEST

START_TEST(tools_that_come_later_are_found_too)
{
    add(TOOL_FUNCTION, "a");
    ck_assert_int_eq(find(TOOLS_CALLABLE, "b"), -1);
    add(TOOL_FUNCTION, "b");
    ck_assert_int_eq(find(TOOLS_CALLABLE, "b"), 1);
    add(TOOL_FUNCTION, "a");
    ck_assert_int_eq(find(TOOLS_CALLABLE, "a"), 0);
}
END_TEST

START_TEST(many_tools_and_names_are_found)
{
    size_t i;

    c.choice_names = arena_alloc(arena, MANY * sizeof(*c.choice_names));
    ck_assert_ptr_nonnull(c.choice_names);
    for (i = 0; i < MANY; i++) {
        const char *name = arena_printf(arena, "tool_%zu", i);

        add(TOOL_FUNCTION, name);
        if (i % 2)
            c.choice_names[c.choice_names_n++] = slice_of(name);
        ck_assert_int_eq(find(TOOLS_CALLABLE, name), (int)i);
        ck_assert_int_eq(tool_index_is_allowed(&c, slice_of(name)), i % 2);
    }
    for (i = 0; i < MANY; i++)
        ck_assert_int_eq(find(TOOLS_ALL, arena_printf(arena, "tool_%zu", i)), (int)i);
    ck_assert_int_eq(find(TOOLS_ALL, "tool_20000"), -1);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("tool_index");
    TCase *t = tcase_create("all");

    suite_add_tcase(s, t);
    tcase_set_timeout(t, 60);
    tcase_add_checked_fixture(t, setup, suite_arena_close);
    tcase_add_test(t, the_first_tool_of_each_class_is_found);
    tcase_add_test(t, without_memory_the_lists_are_looked_through);
    tcase_add_test(t, tools_that_come_later_are_found_too);
    tcase_add_test(t, many_tools_and_names_are_found);
    return suite_run(s);
}
