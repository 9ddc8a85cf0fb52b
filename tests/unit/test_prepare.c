#include "upstream/capability.h"
#include "base/hash.h"
#include "upstream/signature.h"
#include "upstream/translate.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ARENA_MAX ((size_t)64 << 20)

static struct arena *arena;
static struct canon c;
static struct plan plan;
static struct capability capability;

static void setup(void)
{
    arena = arena_new(ARENA_MAX);
    ck_assert_ptr_nonnull(arena);
    canon_init(&c, arena, VENDOR_OPENAI, NULL);
    capability = capability_default;
    plan = (struct plan){.arena = arena, .model = "claude-x", .capability = &capability};
    tool_names_init(&plan.names, arena);
}

static void teardown(void)
{
    arena_free(arena);
}

static struct part *add(enum canon_role role, enum part_kind kind, const char *text)
{
    struct turn *t = canon_add_turn(&c, role, "at");
    struct part *p = t ? turn_add_part(&c, t, kind, "at") : NULL;

    ck_assert_ptr_nonnull(p);
    p->text = slice_of(text);
    return p;
}

static struct part *add_call(const char *id, const char *name)
{
    struct part *p = add(CANON_ASSISTANT, PART_CALL, "{}");

    p->id = slice_of(id);
    p->name = slice_of(name);
    return p;
}

static void add_result(const char *id, const char *text)
{
    struct part *p = add(CANON_USER, PART_RESULT, "");
    struct part *inner;

    p->text = (struct slice){NULL, 0};
    p->id = slice_of(id);
    inner = part_add_part(&c, p, PART_TEXT, "at");
    ck_assert_ptr_nonnull(inner);
    inner->text = slice_of(text);
}

static void prepare(void)
{
    ck_assert_int_eq(canon_prepare(&c, &plan, VENDOR_ANTHROPIC), ERR_OK);
}

/* The conversation as text: "S:t(..) U:t(..) A:c(id,name)..." */
static const char *shape(void)
{
    static char s[4096];
    size_t i, k, n = 0;

    s[0] = '\0';
    for (i = 0; i < c.turns_n; i++) {
        n += (size_t)sprintf(s + n, "%s%c:", i ? " " : "", "SUA"[c.turns[i].role]);
        for (k = 0; k < c.turns[i].parts_n; k++) {
            const struct part *p = &c.turns[i].parts[k];

            if (p->kind == PART_CALL)
                n += (size_t)sprintf(s + n, "c(%.*s,%.*s)", SLICE_FMT(p->id), SLICE_FMT(p->name));
            else if (p->kind == PART_RESULT)
                n += (size_t)sprintf(s + n, "r(%.*s,%.*s,%.*s%s)", SLICE_FMT(p->id),
                                     SLICE_FMT(p->name), SLICE_FMT(p->parts[0].text),
                                     p->is_error ? ",error" : "");
            else
                n += (size_t)sprintf(s + n, "%s(%.*s)", p->kind == PART_TEXT ? "t" : "x",
                                     SLICE_FMT(p->text));
        }
    }
    return s;
}

START_TEST(empty_texts_and_turns_go)
{
    add(CANON_USER, PART_TEXT, "hello");
    add(CANON_ASSISTANT, PART_TEXT, "");
    add(CANON_USER, PART_TEXT, "again");
    prepare();
    ck_assert_str_eq(shape(), "U:t(hello) U:t(again)");
}
END_TEST

START_TEST(results_follow_their_calls_in_the_order_of_the_calls)
{
    add(CANON_USER, PART_TEXT, "go");
    add_call("call_1", "one");
    add_call("call_2", "two");
    add_result("call_2", "second");
    add(CANON_USER, PART_TEXT, "between");
    add_result("call_1", "first");
    prepare();
    ck_assert_str_eq(shape(), "U:t(go) A:c(call_1,one)c(call_2,two) "
                              "U:r(call_1,one,first)r(call_2,two,second) U:t(between)");
}
END_TEST

START_TEST(a_missing_result_is_inserted_and_a_lost_one_becomes_text)
{
    add(CANON_USER, PART_TEXT, "go");
    add_call("call_1", "one");
    add_result("call_9", "lost");
    add(CANON_ASSISTANT, PART_TEXT, "done");
    prepare();
    ck_assert_str_eq(shape(), "U:t(go) A:c(call_1,one) "
                              "U:r(call_1,one,No result was recorded.,error) U:t(lost) A:t(done)");
}
END_TEST

START_TEST(ids_become_legal_and_unique_and_results_find_the_nearest_call)
{
    add_call("0", "one");
    add_result("0", "first");
    add_call("0", "two");
    add_result("0", "second");
    add_call("a:b", "three");
    add_result("a:b", "third");
    prepare();
    ck_assert_str_eq(shape(), "A:c(0,one) U:r(0,one,first) "
                              "A:c(call_000000000000000000000001,two) "
                              "U:r(call_000000000000000000000001,two,second) "
                              "A:c(call_000000000000000000000002,three) "
                              "U:r(call_000000000000000000000002,three,third)");
}
END_TEST

START_TEST(results_of_one_id_go_to_its_calls_in_their_order)
{
    add(CANON_USER, PART_TEXT, "go");
    add_call("call_1", "a");
    add_call("call_2", "b");
    add_call("call_1", "c");
    add_call("call_1", "d");
    add_result("call_1", "first");
    add_result("call_2", "other");
    add_result("call_1", "second");
    add_result("call_3", "lost");
    prepare();
    ck_assert_str_eq(shape(), "U:t(go) A:c(call_1,a)c(call_2,b)c(call_000000000000000000000002,c)"
                              "c(call_000000000000000000000003,d) "
                              "U:r(call_1,a,first)r(call_2,b,other)"
                              "r(call_000000000000000000000002,c,second)"
                              "r(call_000000000000000000000003,d,No result was recorded.,error) "
                              "U:t(lost)");
}
END_TEST

START_TEST(results_without_ids_find_their_calls_by_name)
{
    struct part *p;
    size_t i;

    add(CANON_USER, PART_TEXT, "go");
    add_call("", "b");
    add_call("", "a");
    add_call("", "b");
    add_call("call_9", "b");
    add_result("", "a1");
    add_result("", "b1");
    add_result("", "b2");
    add_result("call_9", "b9");
    for (i = 0; i < 4; i++) {
        p = &c.turns[c.turns_n - 4 + i].parts[0];
        p->name = i ? SLICE("b") : SLICE("a");
    }
    prepare();
    ck_assert_str_eq(shape(), "U:t(go) A:c(call_000000000000000000000000,b)"
                              "c(call_000000000000000000000001,a)"
                              "c(call_000000000000000000000002,b)c(call_9,b) "
                              "U:r(call_000000000000000000000000,b,b1)"
                              "r(call_000000000000000000000001,a,a1)"
                              "r(call_000000000000000000000002,b,b2)r(call_9,b,b9)");
}
END_TEST

#define MANY 5000

START_TEST(many_results_in_the_opposite_order_find_their_calls)
{
    size_t i;

    add(CANON_USER, PART_TEXT, "go");
    for (i = 0; i < MANY; i++)
        add_call(arena_printf(arena, "call_%zu", i), "f");
    for (i = MANY; i-- > 0;)
        add_result(arena_printf(arena, "call_%zu", i), arena_printf(arena, "%zu", i));
    prepare();
    ck_assert_uint_eq(c.turns_n, 3);
    ck_assert_uint_eq(c.turns[2].parts_n, MANY);
    for (i = 0; i < MANY; i++)
        ck_assert(slice_eq_z(c.turns[2].parts[i].parts[0].text, arena_printf(arena, "%zu", i)));
}
END_TEST

START_TEST(new_ids_do_not_depend_on_what_follows)
{
    char before[4096];

    add_call("", "one");
    c.turns[0].parts[0].id = (struct slice){NULL, 0};
    add_result("", "first");
    c.turns[1].parts[0].id = (struct slice){NULL, 0};
    c.turns[1].parts[0].name = SLICE("one");
    prepare();
    ck_assert_str_eq(shape(), "A:c(call_000000000000000000000000,one) "
                              "U:r(call_000000000000000000000000,one,first)");
    strcpy(before, shape());
    add(CANON_USER, PART_TEXT, "more");
    prepare();
    ck_assert(strncmp(shape(), before, strlen(before)) == 0);
}
END_TEST

static struct slice sealed_for(enum vendor vendor, const char *model)
{
    return signature_wrap(
        arena,
        &(struct seal){.vendor = vendor, .model = slice_of(model), .payload = SLICE("c2ln.Zm9v=")});
}

START_TEST(a_seal_goes_back_to_its_own_model_only)
{
    const struct {
        struct slice seal;
        bool stays;
    } rows[] = {
        {sealed_for(VENDOR_ANTHROPIC,        "claude-x"), true},
        {sealed_for(VENDOR_ANTHROPIC,                                  "claude-y"),                   false},
        {sealed_for(VENDOR_GEMINI,                             "claude-x"),                      false},
        {SLICE("the client's own vendor's"),false},
        {SLICE("aip1.broken"), false            },
        {SLICE(""),               false                    },
    };
    size_t i;

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        canon_init(&c, arena, VENDOR_OPENAI, NULL);
        add(CANON_USER, PART_TEXT, "q");
        add(CANON_ASSISTANT, PART_THINKING, "hm")->seal_text = rows[i].seal;
        prepare();
        ck_assert_uint_eq(c.turns_n, rows[i].stays ? 2 : 1);
        if (rows[i].stays)
            ck_assert(slice_eq_z(c.turns[1].parts[0].seal.payload, "c2ln.Zm9v="));
    }
}
END_TEST

static struct slice sealed_over(const char *text)
{
    return signature_wrap(arena, &(struct seal){.vendor = VENDOR_ANTHROPIC,
                                                .model = SLICE("claude-x"),
                                                .payload = SLICE("c2ln"),
                                                .text_crc = hash_crc32c(0, text, strlen(text))});
}

START_TEST(thinking_that_lost_a_piece_is_left_out)
{
    add(CANON_USER, PART_TEXT, "q");
    add(CANON_ASSISTANT, PART_THINKING, "all of it")->seal_text = sealed_over("all of it");
    prepare();
    ck_assert_str_eq(shape(), "U:t(q) A:x(all of it)");
    canon_init(&c, arena, VENDOR_OPENAI, NULL);
    add(CANON_USER, PART_TEXT, "q");
    add(CANON_ASSISTANT, PART_THINKING, "of it")->seal_text = sealed_over("all of it");
    prepare();
    ck_assert_str_eq(shape(), "U:t(q)");
}
END_TEST

START_TEST(thoughts_of_a_gemini_client_are_joined_up_to_their_seal)
{
    static const char *const pieces[] = {"all", "", " of it", "and"};
    struct part *part;
    size_t i;

    canon_init(&c, arena, VENDOR_GEMINI, NULL);
    add(CANON_USER, PART_TEXT, "q");
    ck_assert_ptr_nonnull(canon_add_turn(&c, CANON_ASSISTANT, "at"));
    for (i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
        part = turn_add_part(&c, &c.turns[1], PART_THINKING, "at");
        ck_assert_ptr_nonnull(part);
        part->text = slice_of(pieces[i]);
        if (i >= 2)
            part->seal_text = sealed_over(i == 2 ? "all of it" : "and more");
    }
    prepare();
    ck_assert_str_eq(shape(), "U:t(q) A:x(all of it)");
}
END_TEST

START_TEST(thinking_text_stays_where_the_model_wants_it_back)
{
    capability.wants_reasoning = true;
    add(CANON_ASSISTANT, PART_THINKING, "hm");
    ck_assert_int_eq(canon_prepare(&c, &plan, VENDOR_OPENAI), ERR_OK);
    ck_assert_str_eq(shape(), "A:x(hm)");
}
END_TEST

START_TEST(a_gemini_seal_moves_to_the_part_that_follows)
{
    struct part *call;

    plan.model = "gemini-3";
    add(CANON_ASSISTANT, PART_THINKING, "")->seal_text = sealed_for(VENDOR_GEMINI, "gemini-3");
    call = turn_add_part(&c, &c.turns[0], PART_CALL, "at");
    ck_assert_ptr_nonnull(call);
    call->id = SLICE("a");
    call->name = SLICE("f");
    ck_assert_int_eq(canon_prepare(&c, &plan, VENDOR_GEMINI), ERR_OK);
    ck_assert_uint_eq(c.turns[0].parts_n, 1);
    ck_assert(slice_eq_z(c.turns[0].parts[0].seal.payload, "c2ln.Zm9v="));
}
END_TEST

static const struct {
    const char *turns; /* one letter each; the text is its index */
    bool keeps_system;
    const char *shape;
    size_t system_n;
} alternations[] = {
    {"SU",    false, "S:t(0) U:t(1)",                                        1},
    {"UUA",   false, "U:t(0)t(1) A:t(2)",                                    0},
    {"SAU",   false, "S:t(0) U:t(.) A:t(1) U:t(2)",                          1},
    {"SUSAU", false, "S:t(0) U:t(1)t(<system>\n2\n</system>) A:t(3) U:t(4)", 1},
    {"SUSAU", true,  "S:t(0) U:t(1) S:t(2) A:t(3) U:t(4)",                   1},
    {"SS",    false, "U:t(0)t(1)",                                           0},
};

START_TEST(turns_alternate)
{
    static const char *const texts[] = {"0", "1", "2", "3", "4"};
    const char *p = alternations[_i].turns;
    size_t i, system_n = 99;

    for (i = 0; p[i]; i++)
        add(p[i] == 'S'   ? CANON_SYSTEM
            : p[i] == 'U' ? CANON_USER
                          : CANON_ASSISTANT,
            PART_TEXT, texts[i]);
    ck_assert_int_eq(canon_alternate(&c, alternations[_i].keeps_system, &system_n), ERR_OK);
    ck_assert_str_eq(shape(), alternations[_i].shape);
    ck_assert_uint_eq(system_n, alternations[_i].system_n);
}
END_TEST

START_TEST(memory_that_runs_out_is_told)
{
    enum err e = ERR_MEMORY;
    size_t max, i;

    for (max = 4096; e == ERR_MEMORY; max += 512) {
        arena_free(arena);
        setup();
        struct arena *small = arena_new(max);

        ck_assert_ptr_nonnull(small);
        for (i = 0; i < 20; i++) {
            add_call("x", "f");
            add_result("x", "y");
        }
        c.arena = small;
        e = canon_prepare(&c, &plan, VENDOR_ANTHROPIC);
        arena_free(small);
    }
    ck_assert_int_eq(e, ERR_OK);
    ck_assert_uint_gt(max, 8192);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("prepare");
    TCase *cases = tcase_create("all");
    SRunner *runner = srunner_create(suite);
    int failed;

    suite_add_tcase(suite, cases);
    tcase_add_checked_fixture(cases, setup, teardown);
    tcase_add_test(cases, empty_texts_and_turns_go);
    tcase_add_test(cases, results_follow_their_calls_in_the_order_of_the_calls);
    tcase_add_test(cases, a_missing_result_is_inserted_and_a_lost_one_becomes_text);
    tcase_add_test(cases, ids_become_legal_and_unique_and_results_find_the_nearest_call);
    tcase_add_test(cases, results_of_one_id_go_to_its_calls_in_their_order);
    tcase_add_test(cases, results_without_ids_find_their_calls_by_name);
    tcase_add_test(cases, many_results_in_the_opposite_order_find_their_calls);
    tcase_add_test(cases, new_ids_do_not_depend_on_what_follows);
    tcase_add_test(cases, a_seal_goes_back_to_its_own_model_only);
    tcase_add_test(cases, thinking_that_lost_a_piece_is_left_out);
    tcase_add_test(cases, thoughts_of_a_gemini_client_are_joined_up_to_their_seal);
    tcase_add_test(cases, thinking_text_stays_where_the_model_wants_it_back);
    tcase_add_test(cases, a_gemini_seal_moves_to_the_part_that_follows);
    tcase_add_loop_test(cases, turns_alternate, 0,
                        (int)(sizeof(alternations) / sizeof(alternations[0])));
    tcase_add_test(cases, memory_that_runs_out_is_told);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
