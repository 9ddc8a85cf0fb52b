/* Any text: what passes is JSON in all its parts, and strings come back as they went. */
#include "tests/fuzz/fuzz_kit.h"

static void walk(struct jvalue v, struct arena *a, int depth);

static void check_string(struct jvalue v, struct arena *a)
{
    struct slice text, again;
    struct jvalue other;
    struct buf b;

    if (jscan_string(v, a, &text))
        return;
    FUZZ_CHECK(str_is_utf8(text), "a string that is no UTF-8");
    buf_init(&b, FUZZ_ARENA_MAX);
    FUZZ_CHECK(!jscan_escape(&b, text), "escape");
    FUZZ_CHECK(!jscan_validate(buf_slice(&b), &other, NULL), "escaped: %.*s",
               SLICE_FMT(buf_slice(&b)));
    FUZZ_CHECK(!jscan_string(other, a, &again) && slice_eq(text, again), "a string that changes");
    buf_clear(&b);
}

static void walk_object(struct jvalue v, struct arena *a, int depth)
{
    struct jmember m;
    struct jscan s;
    enum err e;

    FUZZ_CHECK(!jscan_object(&s, v), "object");
    while (!(e = jscan_next_member(&s, &m))) {
        (void)jscan_key_is(&m, "name");
        walk(m.value, a, depth + 1);
    }
    FUZZ_CHECK(e == ERR_END, "a member of a validated object: %s", err_name(e));
}

static void walk_array(struct jvalue v, struct arena *a, int depth)
{
    struct jvalue item;
    struct jscan s;
    enum err e;

    FUZZ_CHECK(!jscan_array(&s, v), "array");
    while (!(e = jscan_next_element(&s, &item)))
        walk(item, a, depth + 1);
    FUZZ_CHECK(e == ERR_END, "an element of a validated array: %s", err_name(e));
}

static void walk(struct jvalue v, struct arena *a, int depth)
{
    int64_t n;

    FUZZ_CHECK(depth <= JSCAN_DEPTH_MAX, "depth %d", depth);
    FUZZ_CHECK(v.raw.n > 0, "an empty value");
    if (v.kind == JSCAN_OBJECT)
        walk_object(v, a, depth);
    else if (v.kind == JSCAN_ARRAY)
        walk_array(v, a, depth);
    else if (v.kind == JSCAN_STRING)
        check_string(v, a);
    else if (jscan_i64(v, &n) == ERR_OK)
        FUZZ_CHECK(v.kind == JSCAN_NUMBER, "a number that is none");
}

/* One pass over the top level accepts what validation accepts. */
static void check_object(struct slice text, bool is_object)
{
    struct jmember m;
    struct jscan s;
    enum err e = jscan_begin_object(&s, text);

    while (!e)
        e = jscan_next_member(&s, &m);
    FUZZ_CHECK((e == ERR_END) == is_object, "one pass says %s", err_name(e));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice text = {(const char *)data, size};
    struct arena *a = fuzz_arena();
    struct buf b;
    struct jvalue v;
    size_t at = 0;
    enum err e = jscan_validate(text, &v, &at);

    FUZZ_CHECK(!e || (e == ERR_FORMAT && at <= size), "%s at %zu", err_name(e), at);
    check_object(text, !e && v.kind == JSCAN_OBJECT);
    if (!e)
        walk(v, a, 0);
    buf_init(&b, FUZZ_ARENA_MAX);
    FUZZ_CHECK(!jscan_escape(&b, text), "escape");
    fuzz_check_json(buf_slice(&b), "any bytes as a string");
    buf_clear(&b);
    return 0;
}
