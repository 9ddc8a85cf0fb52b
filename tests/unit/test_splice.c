#include "upstream/splice.h"

#include "base/buf.h"
#include "base/hash.h"

#include <check.h>
#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

#define ARENA_MAX   (1 << 20)
#define MEMBERS_MAX 64
#define FUZZ_ROUNDS 20000
#define EDITS_MAX   6

static struct arena *arena;

static void setup(void)
{
    arena = arena_new(ARENA_MAX);
    ck_assert_ptr_nonnull(arena);
}

static void teardown(void)
{
    arena_free(arena);
}

static size_t read_members(const char *text, struct jmember *members)
{
    struct jscan s;
    size_t n = 0;
    enum err e;

    ck_assert_int_eq(jscan_begin_object(&s, slice_of(text)), ERR_OK);
    while (!(e = jscan_next_member(&s, &members[n]))) {
        n++;
        ck_assert_uint_lt(n, MEMBERS_MAX);
    }
    ck_assert_msg(e == ERR_END, "no JSON: %s", text);
    return n;
}

/* text with the edits, joined; what must hold of every splice is checked on the way. */
static struct slice edited(const char *text, const struct member_edit *edits, size_t edits_n,
                           const struct jmember *members, size_t members_n)
{
    struct splicer s;
    struct splice pieces;
    struct slice joined;
    struct jvalue v;
    int64_t bytes = 0;
    size_t i;

    ck_assert_int_eq(splicer_init(&s, arena, slice_of(text), members, members_n, edits_n), ERR_OK);
    for (i = 0; i < edits_n; i++)
        ck_assert_int_eq(splicer_edit(&s, &edits[i]), ERR_OK);
    ck_assert_int_eq(splicer_finish(&s, &pieces), ERR_OK);
    for (i = 0; i < pieces.parts_n; i++) {
        ck_assert_uint_gt(pieces.parts[i].n, 0);
        bytes += (int64_t)pieces.parts[i].n;
    }
    ck_assert_int_eq(bytes, pieces.bytes);
    ck_assert_int_eq(splice_join(&pieces, arena, &joined), ERR_OK);
    ck_assert_int_eq((int64_t)joined.n, bytes);
    ck_assert_msg(!jscan_validate(joined, &v, NULL) && v.kind == JSCAN_OBJECT, "no JSON: %.*s",
                  SLICE_FMT(joined));
    return joined;
}

#define SET(m, v)                                                                                  \
    {                                                                                              \
        MEMBER_SET, (m), (v)                                                                       \
    }
#define DEF(m, v)                                                                                  \
    {                                                                                              \
        MEMBER_DEFAULT, (m), (v)                                                                   \
    }
#define REMOVE(m)                                                                                  \
    {                                                                                              \
        MEMBER_REMOVE, (m), NULL                                                                   \
    }
#define RENAME(m, v)                                                                               \
    {                                                                                              \
        MEMBER_RENAME, (m), (v)                                                                    \
    }

static const struct {
    const char *before;
    struct member_edit edits[4];
    size_t edits_n;
    const char *after;
} rows[] = {
    {"{}",                                    {SET("a", "1")},                                     1, "{\"a\":1}"                           },
    {" { } ",                                 {SET("a", "1"), SET("b", "[2]")},                    2, " {\"a\":1,\"b\":[2] } "              },
    {"{\"a\" : 1.50 , \"b\":2}",              {SET("a", "7")},                                     1, "{\"a\" : 7 , \"b\":2}"               },
    {"{\"a\":1, \"b\":2 }",                   {SET("c", "\"x\"")},                                 1, "{\"a\":1, \"b\":2,\"c\":\"x\" }"     },
    {"{\"a\":1, \"b\":2, \"c\":3}",           {REMOVE("a")},                                       1, "{\"b\":2, \"c\":3}"                  },
    {"{\"a\":1, \"b\":2, \"c\":3}",           {REMOVE("b")},                                       1, "{\"a\":1, \"c\":3}"                  },
    {"{\"a\":1, \"b\":2, \"c\":3}",           {REMOVE("c")},                                       1, "{\"a\":1, \"b\":2}"                  },
    {"{ \"a\":1 }",                           {REMOVE("a")},                                       1, "{  }"                                },
    {"{\"a\":1}",                             {REMOVE("a"), SET("a", "2")},                        2, "{\"a\":2}"                           },
    {"{\"a\":1,\"b\":2}",                     {REMOVE("a"), REMOVE("b"), SET("c", "3")},           3, "{\"c\":3}"                           },
    {"{\"a\":1}",                             {REMOVE("x"), RENAME("x", "y"), DEF("a", "9")},      3, "{\"a\":1}"                           },
    {"{\"a\":null}",                          {DEF("a", "9"), DEF("b", "true")},                   2, "{\"a\":null,\"b\":true}"             },
    {"{\"a\" :1e2,\"b\":2}",                  {RENAME("a", "z")},                                  1, "{\"z\" :1e2,\"b\":2}"                },
    {"{\"a\":1,\"b\":2,\"c\":3}",             {RENAME("a", "c")},                                  1, "{\"c\":1,\"b\":2}"                   },
    {"{\"a\":1,\"b\":2,\"c\":3}",             {RENAME("c", "a")},                                  1, "{\"b\":2,\"a\":3}"                   },
    {"{\"a\":1}",                             {RENAME("a", "b"), SET("b", "5"), RENAME("b", "c")}, 3, "{\"c\":5}"                           },
    {"{\"a\":1}",                             {SET("n", "5"), RENAME("n", "m"), RENAME("m", "a")}, 3, "{\"a\":5}"                           },
    {"{\"a\":1}",                             {RENAME("a", "a")},                                  1, "{\"a\":1}"                           },
    {"{\"a\":1}",                             {RENAME("a", "q\"uo\\te")},                          1, "{\"q\\\"uo\\\\te\":1}"               },
    {"{\"\\u0061\":1,\"b\":2}",               {SET("a", "3")},                                     1, "{\"\\u0061\":3,\"b\":2}"             },
    {"{\"a\":1,\"a\":2,\"b\":3}",             {SET("a", "4")},                                     1, "{\"a\":4,\"b\":3}"                   },
    {"{\"a\":1,\"b\":3,\"a\":2}",             {RENAME("a", "c")},                                  1, "{\"b\":3,\"c\":2}"                   },
    {"{\"a\":1,\"a\":2}",                     {REMOVE("a")},                                       1, "{}"                                  },
    {"{\"a\":\"}\\\"{,\",\"b\":[{\"a\":0}]}",
     {SET("b", " {\"k\": 1} ")},
     1,                                                                                               "{\"a\":\"}\\\"{,\",\"b\":{\"k\": 1}}"},
};

START_TEST(edits_change_their_member_and_keep_every_other_byte)
{
    struct jmember members[MEMBERS_MAX];
    size_t n = read_members(rows[_i].before, members);
    struct slice after = edited(rows[_i].before, rows[_i].edits, rows[_i].edits_n, members, n);

    ck_assert_msg(slice_eq_z(after, rows[_i].after), "got %.*s, expected %s", SLICE_FMT(after),
                  rows[_i].after);
}
END_TEST

START_TEST(without_an_edit_the_body_itself_is_the_only_piece)
{
    const char *text = " {\"a\":1, \"b\" : [2]}\n";
    struct jmember members[MEMBERS_MAX];
    size_t n = read_members(text, members);
    struct splicer s;
    struct splice pieces;

    ck_assert_int_eq(splicer_init(&s, arena, slice_of(text), members, n, 0), ERR_OK);
    ck_assert_int_eq(splicer_finish(&s, &pieces), ERR_OK);
    ck_assert_uint_eq(pieces.parts_n, 1);
    ck_assert_ptr_eq(pieces.parts[0].p, text);
    ck_assert_uint_eq(pieces.parts[0].n, strlen(text));
}
END_TEST

START_TEST(replace_acts_only_on_a_member_that_is_there)
{
    const char *text = "{\"a\":1}";
    struct jmember members[MEMBERS_MAX];
    size_t n = read_members(text, members);
    struct splicer s;
    struct splice pieces;
    struct slice joined, value;

    ck_assert_int_eq(splicer_init(&s, arena, slice_of(text), members, n, 0), ERR_OK);
    splicer_replace(&s, "b", SLICE("2"));
    ck_assert_int_eq(splicer_find(&s, "b", &value), ERR_END);
    ck_assert_int_eq(splicer_find(&s, "a", &value), ERR_OK);
    ck_assert(slice_eq_z(value, "1"));
    splicer_replace(&s, "a", SLICE("2"));
    ck_assert_int_eq(splicer_find(&s, "a", &value), ERR_OK);
    ck_assert(slice_eq_z(value, "2"));
    ck_assert_int_eq(splicer_finish(&s, &pieces), ERR_OK);
    ck_assert_int_eq(splice_join(&pieces, arena, &joined), ERR_OK);
    ck_assert(slice_eq_z(joined, "{\"a\":2}"));
}
END_TEST

START_TEST(a_value_that_is_no_json_is_refused)
{
    static const char *const bad[] = {"", "x", "1,2", "{\"a\":1", "\"", "1}"};
    const char *text = "{\"a\":1}";
    struct jmember members[MEMBERS_MAX];
    size_t n = read_members(text, members), i;
    struct splicer s;

    ck_assert_int_eq(splicer_init(&s, arena, slice_of(text), members, n, 1), ERR_OK);
    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        ck_assert_int_eq(splicer_edit(&s, &(struct member_edit)SET("a", bad[i])), ERR_FORMAT);
        ck_assert_int_eq(splicer_edit(&s, &(struct member_edit)DEF("b", bad[i])), ERR_FORMAT);
    }
}
END_TEST

START_TEST(memory_that_runs_out_is_told)
{
    const char *text = "{\"a\":1,\"b\":2}";
    struct jmember members[MEMBERS_MAX];
    size_t n = read_members(text, members), max;
    enum err e = ERR_MEMORY;

    for (max = 16; e == ERR_MEMORY; max += 16) {
        struct arena *small = arena_new(max);
        struct splice pieces;
        struct slice joined;
        struct splicer s;

        ck_assert_uint_lt(max, 4096);
        e = splicer_init(&s, small, slice_of(text), members, n, 1);
        if (!e)
            e = splicer_set(&s, "c", SLICE("3"));
        if (!e)
            e = splicer_finish(&s, &pieces);
        if (!e)
            e = splice_join(&pieces, small, &joined);
        if (!e)
            ck_assert(slice_eq_z(joined, "{\"a\":1,\"b\":2,\"c\":3}"));
        arena_free(small);
    }
    ck_assert_int_eq(e, ERR_OK);
    ck_assert_uint_gt(max, 64);
}
END_TEST

/* ---- random edits on random objects, against json-c doing the same ---- */

static uint64_t random_state;

static size_t pick(size_t n)
{
    random_state = hash_64((struct slice){(const char *)&random_state, sizeof(random_state)}, 1);
    return (size_t)(random_state % n);
}

static const char *const names[] = {"a",        "b",   "model", "max tokens",
                                    "\xc3\xa9", "q\"", "x\\y",  "z"};
static const char *const keys[] = {"a",        "b",     "model",  "max tokens",
                                   "\xc3\xa9", "q\\\"", "x\\\\y", "\\u007a",
                                   "\\u0061",  "other", ""};
static const char *const values[] = {"1",
                                     "-2.5e3",
                                     "null",
                                     "true",
                                     "\"s\"",
                                     "\"}{,:\\\"\"",
                                     "[]",
                                     "{}",
                                     "[1,{\"a\":2}]",
                                     "{\"a\":{\"b\":[\"\\\\\"]}}",
                                     "\"\\u4f60\""};

#define PICK(table) ((table)[pick(sizeof(table) / sizeof((table)[0]))])

static void put_space(struct buf *b)
{
    static const char *const spaces[] = {"", "", "", " ", "\n\t", "  \r\n"};

    ck_assert_int_eq(buf_append_z(b, PICK(spaces)), ERR_OK);
}

static void make_object(struct buf *b)
{
    size_t n = pick(8), i;

    buf_reset(b);
    put_space(b);
    ck_assert_int_eq(buf_append_z(b, "{"), ERR_OK);
    put_space(b);
    for (i = 0; i < n; i++) {
        ck_assert_int_eq(buf_printf(b, "%s", i ? "," : ""), ERR_OK);
        put_space(b);
        ck_assert_int_eq(buf_printf(b, "\"%s\"", PICK(keys)), ERR_OK);
        put_space(b);
        ck_assert_int_eq(buf_append_z(b, ":"), ERR_OK);
        put_space(b);
        ck_assert_int_eq(buf_append_z(b, PICK(values)), ERR_OK);
        put_space(b);
    }
    ck_assert_int_eq(buf_append_z(b, "}"), ERR_OK);
    put_space(b);
}

static void edit_tree(struct json_object *o, const struct member_edit *e)
{
    struct json_object *v = NULL;
    bool is_there = json_object_object_get_ex(o, e->member, &v);

    switch (e->action) {
    case MEMBER_REMOVE:
        json_object_object_del(o, e->member);
        break;
    case MEMBER_RENAME:
        if (!is_there || strcmp(e->member, e->value) == 0)
            break;
        json_object_get(v);
        json_object_object_del(o, e->member);
        json_object_object_add(o, e->value, v);
        break;
    case MEMBER_DEFAULT:
        if (is_there)
            break;
        json_object_object_add(o, e->member, json_tokener_parse(e->value));
        break;
    case MEMBER_SET:
        json_object_object_add(o, e->member, json_tokener_parse(e->value));
        break;
    }
}

START_TEST(random_edits_agree_with_a_tree)
{
    struct buf b;
    int round;

    buf_init(&b, 1 << 16);
    random_state = 12345;
    for (round = 0; round < FUZZ_ROUNDS; round++) {
        struct member_edit edits[EDITS_MAX];
        struct jmember members[MEMBERS_MAX];
        size_t edits_n = pick(EDITS_MAX + 1), members_n, i;
        struct json_object *tree, *got;
        struct slice after;

        make_object(&b);
        tree = json_tokener_parse(b.p);
        ck_assert_ptr_nonnull(tree);
        for (i = 0; i < edits_n; i++) {
            edits[i].action = (enum member_action)pick(4);
            edits[i].member = PICK(names);
            edits[i].value = edits[i].action == MEMBER_RENAME ? PICK(names) : PICK(values);
            edit_tree(tree, &edits[i]);
        }
        members_n = read_members(b.p, members);
        after = edited(b.p, edits, edits_n, members, members_n);
        got = json_tokener_parse(arena_copy(arena, after));
        ck_assert_msg(json_object_equal(tree, got), "round %d: %s became %.*s, not %s", round, b.p,
                      SLICE_FMT(after), json_object_to_json_string(tree));
        json_object_put(tree);
        json_object_put(got);
        arena_reset(arena);
    }
    buf_clear(&b);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("splice");
    TCase *cases = tcase_create("splice");
    SRunner *runner = srunner_create(suite);
    int failed;

    suite_add_tcase(suite, cases);
    tcase_add_checked_fixture(cases, setup, teardown);
    tcase_set_timeout(cases, 60);
    tcase_add_loop_test(cases, edits_change_their_member_and_keep_every_other_byte, 0,
                        (int)(sizeof(rows) / sizeof(rows[0])));
    tcase_add_test(cases, without_an_edit_the_body_itself_is_the_only_piece);
    tcase_add_test(cases, replace_acts_only_on_a_member_that_is_there);
    tcase_add_test(cases, a_value_that_is_no_json_is_refused);
    tcase_add_test(cases, memory_that_runs_out_is_told);
    tcase_add_test(cases, random_edits_agree_with_a_tree);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
