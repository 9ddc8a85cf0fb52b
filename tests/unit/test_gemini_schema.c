#include "upstream/gemini.h"

#include "base/buf.h"
#include "tests/unit/format_suite.h"

#include <check.h>

/* ---- cleaned schemas ---- */

static const struct {
    const char *json, *clean;
} schemas[] = {
    {"{}",                                                                             "{}"                                                                         },
    {"true",                                                                           "{}"                                                                         },
    {"{\"type\":\"object\",\"$schema\":\"x\",\"properties\":{\"a\":{\"type\":\"integer\","
     "\"format\":"
     "\"int32\",\"minimum\":1,\"exclusiveMaximum\":5},\"b\":{\"type\":\"string\",\"format\":"
     "\"email\","
     "\"minLength\":1,\"pattern\":\"x\"}},\"patternProperties\":{}}",             "{\"type\":\"OBJECT\",\"properties\":{\"a\":{\"type\":\"INTEGER\",\"format\":\"int32\","
     "\"minimum\""
     ":1},\"b\":{\"type\":\"STRING\",\"pattern\":\"x\",\"minLength\":1}}}"                },
    {"{\"properties\":{\"a\":{\"enum\":[\"x\",\"\",1,null]},\"b\":{\"type\":\"integer\",\"enum\":["
     "1]}}}",                                                                     "{\"type\":\"OBJECT\",\"properties\":{\"a\":{\"type\":\"STRING\",\"enum\":[\"x\"]},\"b\":{"
     "\"type\":"
     "\"INTEGER\"}}}"                                                                                                                             },
    {"{\"type\":\"array\"}",                                                           "{\"type\":\"ARRAY\",\"items\":{\"type\":\"STRING\"}}"                       },
    {"{\"type\":\"array\",\"prefixItems\":[{\"type\":\"number\"}]}",
     "{\"type\":\"ARRAY\",\"items\":{\"type\":\"NUMBER\"}}"                                                                                                         },
    {"{\"type\":[\"string\",\"number\",\"null\"],\"description\":\"d\"}",
     "{\"anyOf\":[{\"type\":\"STRING\"},{\"type\":\"NUMBER\"}],\"description\":\"d\",\"nullable\":"
     "true}"                                                                                                                                                        },
    {"{\"oneOf\":[{\"type\":\"string\"},{\"type\":\"object\",\"properties\":{}},{\"type\":\"null\"}"
     "]}",                                                                        "{\"anyOf\":[{\"type\":\"STRING\"},{\"type\":\"OBJECT\"}],\"nullable\":true}"},
    {"{\"anyOf\":[{\"type\":\"string\",\"description\":\"in\"},{\"type\":\"null\"}]}",
     "{\"type\":\"STRING\",\"description\":\"in\",\"nullable\":true}"                                                                                               },
    {"{\"allOf\":[{\"properties\":{\"a\":{\"type\":\"string\"}},\"required\":[\"a\"]},{"
     "\"properties\":{"
     "\"a\":{\"type\":\"number\"},\"b\":{\"type\":\"boolean\"}}}]}",              "{\"type\":\"OBJECT\",\"properties\":{\"a\":{\"type\":\"STRING\"},\"b\":{\"type\":\"BOOLEAN\"}"
     "},"
     "\"required\":[\"a\"]}"                                                               },
    {"{\"$ref\":\"#/$defs/x\",\"description\":\"own\",\"$defs\":{\"x\":{\"type\":\"string\","
     "\"description\":\"theirs\"}}}",                                             "{\"type\":\"STRING\",\"description\":\"own\"}"                              },
    {"{\"items\":{\"$ref\":\"#/list/1\"},\"list\":[0,{\"type\":\"null\"}]}",
     "{\"type\":\"ARRAY\",\"items\":{\"type\":\"NULL\"}}"                                                                                                           },
    {"{\"$ref\":\"http://x\"}",                                                        "{}"                                                                         },
    {"{\"type\":\"object\",\"properties\":{\"me\":{\"$ref\":\"#\"}}}",
     "{\"type\":\"OBJECT\",\"properties\":{\"me\":{\"type\":\"OBJECT\",\"properties\":{\"me\":{"
     "\"type\":\"OBJECT\",\"properties\":{\"me\":{\"type\":\"OBJECT\",\"properties\":{\"me\":{"
     "\"type\":\"OBJECT\",\"properties\":{\"me\":{\"type\":\"OBJECT\",\"properties\":{\"me\":{}}}}}"
     "}}}"
     "}}}}}"                                                                                                                                                        },
};

static const char *cleaned(const char *json, struct buf *b)
{
    struct jwrite w;

    jwrite_init(&w, b);
    ck_assert_int_eq(gemini_schema_clean(slice_of(json), arena, &w), ERR_OK);
    ck_assert_int_eq(jwrite_end(&w), ERR_OK);
    return b->p;
}

START_TEST(a_schema_is_cleaned)
{
    struct buf b;

    buf_init(&b, 1 << 16);
    ck_assert_str_eq(cleaned(schemas[_i].json, &b), schemas[_i].clean);
    buf_clear(&b);
}
END_TEST

START_TEST(a_schema_that_refers_to_itself_does_not_explode)
{
    struct buf text, b;
    int i;

    buf_init(&text, 1 << 20);
    buf_init(&b, 1 << 24);
    ck_assert_int_eq(buf_append_z(&text, "{\"properties\":{\"p\":{}"), ERR_OK);
    for (i = 0; i < 40; i++)
        ck_assert_int_eq(buf_printf(&text, ",\"p%d\":{\"$ref\":\"#\"}", i), ERR_OK);
    ck_assert_int_eq(buf_append_z(&text, "}}"), ERR_OK);
    (void)cleaned(text.p, &b);
    ck_assert_uint_lt(b.n, 1 << 20);
    buf_clear(&b);
    buf_clear(&text);
}
END_TEST

START_TEST(a_deep_schema_ends)
{
    struct buf text, b;
    int i;

    buf_init(&text, 1 << 20);
    buf_init(&b, 1 << 20);
    for (i = 0; i < 60; i++)
        ck_assert_int_eq(buf_append_z(&text, "{\"items\":{\"properties\":{\"p\":"), ERR_OK);
    ck_assert_int_eq(buf_append_z(&text, "{}"), ERR_OK);
    for (i = 0; i < 60; i++)
        ck_assert_int_eq(buf_append_z(&text, "}}}"), ERR_OK);
    (void)cleaned(text.p, &b); /* deeper than any JSON that is read: an object of anything */
    ck_assert_str_eq(b.p, "{\"type\":\"OBJECT\"}");
    buf_reset(&text);
    buf_reset(&b);
    for (i = 0; i < 35; i++)
        ck_assert_int_eq(buf_append_z(&text, "{\"items\":{\"properties\":{\"p\":"), ERR_OK);
    ck_assert_int_eq(buf_append_z(&text, "{}"), ERR_OK);
    for (i = 0; i < 35; i++)
        ck_assert_int_eq(buf_append_z(&text, "}}}"), ERR_OK);
    (void)cleaned(text.p, &b);
    ck_assert_uint_lt(b.n, 2000);
    buf_clear(&b);
    buf_clear(&text);
}
END_TEST

/* ---- OpenAPI's schemas ---- */

static const struct {
    const char *openapi, *json;
} openapi[] = {
    {"{\"type\":\"STRING\",\"format\":\"enum\",\"enum\":[\"a\",\"b\"]}",
     "{\"type\":\"string\",\"enum\":[\"a\",\"b\"]}"                                                                   },
    {"{\"type\":\"string\",\"enum\":[\"a\"],\"nullable\":true,\"example\":\"a\"}",
     "{\"type\":[\"string\",\"null\"],\"enum\":[\"a\",null]}"                                                         },
    {"{\"type\":\"ARRAY\",\"items\":{\"type\":\"INTEGER\",\"format\":\"int64\"},\"minItems\":\"1\","
     "\"max_items\":5}",                                                          "{\"type\":\"array\",\"items\":{\"type\":\"integer\",\"format\":\"int64\"},\"minItems\":1,"
     "\"maxItems\":5}"                                                                   },
    {"{\"type\":\"OBJECT\",\"properties\":{\"a "
     "b\":{\"any_of\":[{\"type\":\"STRING\"}],\"nullable\":"
     "true}},\"required\":[\"a b\"],\"property_ordering\":[\"a b\"]}",            "{\"type\":\"object\",\"properties\":{\"a b\":{\"anyOf\":[{\"type\":\"string\"},{\"type\":"
     "\"null\"}]}},\"required\":[\"a b\"]}"},
    {"{\"type\":\"TYPE_UNSPECIFIED\",\"title\":\"t\",\"additionalProperties\":false}",
     "{\"title\":\"t\",\"additionalProperties\":false}"                                                               },
    {"{\"type\":[\"string\",\"null\"],\"minLength\":\"x\"}",
     "{\"type\":[\"string\",\"null\"],\"minLength\":\"x\"}"                                                           },
};

START_TEST(googles_schemas_become_json_schemas)
{
    struct slice out;

    ck_assert_int_eq(gemini_schema_to_json(slice_of(openapi[_i].openapi), arena, &out), ERR_OK);
    ck_assert_msg(slice_eq_z(out, openapi[_i].json), "%.*s", SLICE_FMT(out));
}
END_TEST

int main(void)
{
    Suite *s = suite_create("gemini_schema");
    TCase *t = tcase_create("all");

    tcase_set_timeout(t, 60);
    tcase_add_checked_fixture(t, suite_arena_open, suite_arena_close);
    tcase_add_loop_test(t, a_schema_is_cleaned, 0, ROWS(schemas));
    tcase_add_test(t, a_schema_that_refers_to_itself_does_not_explode);
    tcase_add_test(t, a_deep_schema_ends);
    tcase_add_loop_test(t, googles_schemas_become_json_schemas, 0, ROWS(openapi));
    suite_add_tcase(s, t);
    return suite_run(s);
}
