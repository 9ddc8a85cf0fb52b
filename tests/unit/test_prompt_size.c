#include "upstream/prompt_size.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#define ARENA_MAX (1 << 16)
#define IMAGE     "\"data:image/png;base64,iVBORw0K\""

static struct arena *arena;
static struct prompt_size size;
static struct format_request out;

static void setup(void)
{
    arena = arena_new(ARENA_MAX);
    ck_assert_ptr_nonnull(arena);
    out = (struct format_request){0};
}

static void teardown(void)
{
    arena_free(arena);
}

/* Begins a walk over body as its own stretch. */
static struct slice begin(const char *body)
{
    out.body = slice_of(body);
    prompt_size_begin(&size, arena, &out, out.body);
    return out.body;
}

/* The first string value with that text in body. */
static struct jvalue value(struct slice body, const char *raw)
{
    const char *p = strstr(body.p, raw);

    ck_assert_ptr_nonnull(p);
    return (struct jvalue){
        JSCAN_STRING, {p, strlen(raw)}
    };
}

START_TEST(payloads_are_counted_and_are_no_text)
{
    struct slice body = begin("[" IMAGE ",\"QUJD\",\"abc\"]");

    prompt_size_bytes(&size, value(body, IMAGE), &out.images);
    prompt_size_bytes(&size, value(body, "\"QUJD\""), &out.files);
    prompt_size_end(&size, body);
    ck_assert_int_eq(out.images, 1);
    ck_assert_int_eq(out.files, 1);
    ck_assert_int_eq(out.text.ascii_bytes, (int64_t)(body.n - 8 - 4));
    ck_assert_int_eq(out.text_bytes, (int64_t)(body.n - 8 - 4));
    ck_assert(!out.has_reference);
}
END_TEST

START_TEST(an_url_is_a_reference_and_its_text_counts)
{
    struct slice body = begin("[\"https://h/a.png\"," IMAGE "]");

    prompt_size_url(&size, value(body, "\"https://h/a.png\""), &out.images);
    ck_assert(out.has_reference);
    ck_assert_int_eq(out.images, 0);
    prompt_size_url(&size, value(body, IMAGE), &out.images);
    prompt_size_end(&size, body);
    ck_assert_int_eq(out.images, 1);
    ck_assert_int_eq(out.text.ascii_bytes, (int64_t)body.n - 8);
}
END_TEST

START_TEST(what_is_no_payload_changes_nothing)
{
    struct slice body = begin("[\"\",7,\"data:text/plain,hello\",\"data:;base64,\"]");

    prompt_size_bytes(&size, value(body, "\"\""), &out.files);
    prompt_size_url(&size, value(body, "\"\""), &out.files);
    prompt_size_bytes(&size,
                      (struct jvalue){
                          JSCAN_NUMBER, {body.p + 4, 1}
    },
                      &out.files);
    prompt_size_url(&size,
                    (struct jvalue){
                        JSCAN_NUMBER, {body.p + 4, 1}
    },
                    &out.files);
    ck_assert_int_eq(out.files, 0);
    /* counted as a file, but as text it is what the model reads */
    prompt_size_bytes(&size, value(body, "\"data:text/plain,hello\""), &out.files);
    prompt_size_bytes(&size, value(body, "\"data:;base64,\""), &out.files);
    prompt_size_end(&size, body);
    ck_assert_int_eq(out.files, 2);
    ck_assert_int_eq(out.text.ascii_bytes, (int64_t)body.n);
    ck_assert(!out.has_reference);
}
END_TEST

START_TEST(other_stretches_add_up)
{
    struct slice body = begin("[]");

    prompt_size_end(&size, body);
    prompt_size_more(&size, SLICE("{\"tool\":1}"));
    prompt_size_more(&size, (struct slice){NULL, 0});
    ck_assert_int_eq(out.text.ascii_bytes, 2 + 10);
}
END_TEST

START_TEST(the_conversation_is_named_by_the_heads_of_its_prompt)
{
    begin("[]");
    prompt_size_head(&size, SLICE("first user"), false, true);
    prompt_size_head(&size, SLICE("system"), true, false);
    prompt_size_head(&size, SLICE("second system"), true, false);
    prompt_size_head(&size, SLICE("second user"), false, true);
    ck_assert_int_eq(prompt_size_affinity(&size), ERR_OK);
    ck_assert(slice_eq_z(out.affinity, "systemfirst user"));
    prompt_size_head(&size, SLICE("x"), true, false);
    out.affinity = SLICE("said");
    ck_assert_int_eq(prompt_size_affinity(&size), ERR_OK);
    ck_assert(slice_eq_z(out.affinity, "said"));
}
END_TEST

START_TEST(without_user_and_system_the_first_message_names_it)
{
    begin("[]");
    prompt_size_head(&size, SLICE("assistant"), false, false);
    prompt_size_head(&size, SLICE("tool"), false, false);
    ck_assert_int_eq(prompt_size_affinity(&size), ERR_OK);
    ck_assert(slice_eq_z(out.affinity, "assistant"));
    out.affinity = (struct slice){NULL, 0};
    begin("[]");
    ck_assert_int_eq(prompt_size_affinity(&size), ERR_OK);
    ck_assert_uint_eq(out.affinity.n, 0);
}
END_TEST

START_TEST(a_long_head_is_cut_and_memory_that_runs_out_is_told)
{
    struct arena *small = arena_new(512);
    char text[5000];

    memset(text, 'x', sizeof(text));
    begin("[]");
    prompt_size_head(&size, (struct slice){text, sizeof(text)}, true, false);
    prompt_size_head(&size, (struct slice){text, sizeof(text)}, false, true);
    ck_assert_int_eq(prompt_size_affinity(&size), ERR_OK);
    ck_assert_uint_eq(out.affinity.n, 2048);
    out.affinity = (struct slice){NULL, 0};
    size.arena = small;
    ck_assert_int_eq(prompt_size_affinity(&size), ERR_MEMORY);
    ck_assert_uint_eq(out.affinity.n, 0);
    arena_free(small);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("prompt_size");
    TCase *t = tcase_create("all");
    SRunner *r = srunner_create(s);
    int failed;

    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, payloads_are_counted_and_are_no_text);
    tcase_add_test(t, an_url_is_a_reference_and_its_text_counts);
    tcase_add_test(t, what_is_no_payload_changes_nothing);
    tcase_add_test(t, other_stretches_add_up);
    tcase_add_test(t, the_conversation_is_named_by_the_heads_of_its_prompt);
    tcase_add_test(t, without_user_and_system_the_first_message_names_it);
    tcase_add_test(t, a_long_head_is_cut_and_memory_that_runs_out_is_told);
    suite_add_tcase(s, t);
    srunner_run_all(r, CK_NORMAL);
    failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
