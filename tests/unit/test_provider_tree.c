#include "tests/provider/tree.h"

#include <check.h>
#include <string.h>

static struct bytes out;

static struct node *parse(const char *text)
{
    return tree_parse(text, strlen(text));
}

/* The example that the schema gives. */
static const char *example(const char *schema)
{
    const struct node *n = parse(schema);
    ck_assert_ptr_nonnull(n);
    out.len = 0;
    node_put_example(n, n, span_of("demo"), &out);
    bytes_put(&out, "", 1);
    return out.data;
}

static void teardown(void)
{
    bytes_clear(&out);
}

START_TEST(members_are_found_by_name_and_path)
{
    const struct node *n = parse("{\"a\":{\"b\":[1,\"x\",true]},\"c\":null,\"d\":\"y\"}");
    const struct node *list = node_get(node_get(n, "a"), "b");
    ck_assert_int_eq(node_kind(list), '[');
    ck_assert_uint_eq(list->count, 3);
    ck_assert_int_eq(node_int(list->child, 0), 1);
    ck_assert(node_is(list->child->next, "x"));
    ck_assert_ptr_null(node_get(n, "c"));
    ck_assert_ptr_null(node_get(node_get(n, "none"), "b"));
    ck_assert(node_is(node_get_either(n, "e", "d"), "y"));
}
END_TEST

START_TEST(what_is_not_json_has_no_tree)
{
    static const char *const texts[] = {"", "{", "{\"a\":}", "[1,]", "{}x", "nul", "\"a"};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        ck_assert_ptr_null(parse(texts[i]));
}
END_TEST

START_TEST(tree_may_have_more_nodes_than_a_block)
{
    struct bytes text = {0};
    bytes_puts(&text, "[0");
    for (int i = 1; i < 2000; i++)
        bytes_printf(&text, ",%d", i);
    bytes_puts(&text, "]");
    for (int round = 0; round < 2; round++) { /* the memory is used again */
        const struct node *n = tree_parse(text.data, text.len);
        int64_t i = 0;
        for (const struct node *c = n->child; c != NULL; c = c->next)
            ck_assert_int_eq(node_int(c, -1), i++);
        ck_assert_int_eq(i, 2000);
    }
    bytes_clear(&text);
}
END_TEST

START_TEST(stranger_is_the_first_member_not_listed)
{
    const struct node *n = parse("{\"a\":1,\"ab\":2,\"b\":3}");
    ck_assert(span_is(node_stranger(n, "a b c")->key, "ab"));
    ck_assert_ptr_null(node_stranger(n, "b ab a"));
    ck_assert_ptr_null(node_stranger(NULL, "a"));
}
END_TEST

START_TEST(example_fits_its_schema)
{
    ck_assert_str_eq(
        example("{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"string\"},"
                "\"b\":{\"type\":\"ARRAY\",\"items\":{\"type\":\"INTEGER\"}},"
                "\"c\":{\"enum\":[\"x\",\"y\"]},\"d\":{\"type\":[\"boolean\",\"null\"]}}}"),
        "{\"a\":\"demo\",\"b\":[1],\"c\":\"x\",\"d\":true}");
    ck_assert_str_eq(example("{\"const\":7}"), "7");
    ck_assert_str_eq(example("{\"anyOf\":[{\"type\":\"null\"},{\"type\":\"string\"}]}"), "null");
    ck_assert_str_eq(example("{\"type\":\"number\",\"minimum\":5}"), "5");
}
END_TEST

START_TEST(example_follows_references_and_ends_in_a_circle)
{
    ck_assert_str_eq(example("{\"$defs\":{\"x\":{\"type\":\"boolean\"}},\"$ref\":\"#/$defs/x\"}"),
                     "true");
    ck_assert_ptr_nonnull(
        strstr(example("{\"type\":\"object\",\"properties\":{\"a\":{\"$ref\":\"#\"}}}"),
               "{\"a\":{\"a\":"));
    ck_assert_ptr_nonnull(parse(out.data));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("provider_tree");
    TCase *tests = tcase_create("tree");
    tcase_add_checked_fixture(tests, NULL, teardown);
    tcase_add_test(tests, members_are_found_by_name_and_path);
    tcase_add_test(tests, what_is_not_json_has_no_tree);
    tcase_add_test(tests, tree_may_have_more_nodes_than_a_block);
    tcase_add_test(tests, stranger_is_the_first_member_not_listed);
    tcase_add_test(tests, example_fits_its_schema);
    tcase_add_test(tests, example_follows_references_and_ends_in_a_circle);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
