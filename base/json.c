#include "base/json.h"

#include "base/jscan.h"

#include <assert.h>
#include <limits.h>

/* json-c in strict mode still passes single quotes, NaN, raw control characters and saturates big
 * integers, so jscan decides what is JSON and json-c only builds the tree. */
enum err json_parse(struct slice text, struct json_object **out)
{
    struct json_tokener *tokener;
    struct json_object *o;
    enum json_tokener_error failed;
    struct jvalue value;
    enum err e;

    _Static_assert(JSON_BYTES_MAX < INT_MAX, "json-c counts in int");
    if (text.n > JSON_BYTES_MAX)
        return ERR_TOO_LARGE;
    e = jscan_validate(text, &value, NULL);
    if (e)
        return e;
    tokener = json_tokener_new_ex(JSON_DEPTH_MAX);
    if (!tokener)
        return ERR_MEMORY;
    json_tokener_set_flags(tokener, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
    o = json_tokener_parse_ex(tokener, value.raw.p, (int)value.raw.n);
    failed = json_tokener_get_error(tokener);
    /* A number at the very end could go on for all that json-c knows: a terminator ends it. */
    if (failed == json_tokener_continue) {
        o = json_tokener_parse_ex(tokener, "", 1);
        failed = json_tokener_get_error(tokener);
    }
    json_tokener_free(tokener);
    if (failed != json_tokener_success) {
        json_object_put(o);
        return ERR_FORMAT;
    }
    *out = o;
    return ERR_OK;
}

static enum err find(struct json_object *o, const char *name, enum json_type type,
                     struct json_object **member)
{
    struct json_object *found;

    if (!json_object_is_type(o, json_type_object))
        return ERR_FORMAT;
    if (!json_object_object_get_ex(o, name, &found) || !found)
        return ERR_END;
    if (!json_object_is_type(found, type))
        return ERR_FORMAT;
    *member = found;
    return ERR_OK;
}

enum err json_get_string(struct json_object *o, const char *name, struct slice *out)
{
    struct json_object *member;
    enum err e = find(o, name, json_type_string, &member);

    if (!e)
        *out = (struct slice){json_object_get_string(member),
                              (size_t)json_object_get_string_len(member)};
    return e;
}

enum err json_get_i64(struct json_object *o, const char *name, int64_t *out)
{
    struct json_object *member;
    enum err e = find(o, name, json_type_int, &member);

    if (e)
        return e;
    /* json-c saturates, silently: the ends of the range may stand for anything beyond. */
    if (json_object_get_int64(member) == INT64_MIN ||
        json_object_get_uint64(member) > (uint64_t)INT64_MAX)
        return ERR_RANGE;
    *out = json_object_get_int64(member);
    return ERR_OK;
}

enum err json_get_bool(struct json_object *o, const char *name, bool *out)
{
    struct json_object *member;
    enum err e = find(o, name, json_type_boolean, &member);

    if (!e)
        *out = json_object_get_boolean(member);
    return e;
}

enum err json_add_take(struct json_object *o, const char *name, struct json_object *value)
{
    assert(json_object_is_type(o, json_type_object));
    if (json_object_object_add(o, name, value) == 0)
        return ERR_OK;
    json_object_put(value);
    return ERR_MEMORY;
}

/* NULL means null to json_add_take, and out of memory here. */
static enum err add_new(struct json_object *o, const char *name, struct json_object *value)
{
    return value ? json_add_take(o, name, value) : ERR_MEMORY;
}

enum err json_add_string(struct json_object *o, const char *name, const char *value)
{
    return add_new(o, name, json_object_new_string(value));
}

enum err json_add_i64(struct json_object *o, const char *name, int64_t value)
{
    return add_new(o, name, json_object_new_int64(value));
}

enum err json_add_bool(struct json_object *o, const char *name, bool value)
{
    return add_new(o, name, json_object_new_boolean(value));
}

enum err json_print(struct json_object *o, struct buf *b)
{
    size_t n;
    const char *text = json_object_to_json_string_length(
        o, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE, &n);

    return text ? buf_append(b, text, n) : ERR_MEMORY;
}
