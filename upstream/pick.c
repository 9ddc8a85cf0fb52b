#include "upstream/pick.h"

static void place(const struct jmember *m, const char *const *names, size_t n,
                  struct jvalue *values)
{
    size_t i;

    for (i = 0; i < n; i++) {
        /* The first character tells nearly all apart; only an escape may hide it. */
        if (m->key.n && m->key.p[0] != names[i][0] && m->key.p[0] != '\\')
            continue;
        if (!jscan_key_is(m, names[i]))
            continue;
        values[i] = m->value.kind == JSCAN_NULL ? (struct jvalue){0} : m->value;
        return;
    }
}

static void forget(size_t n, struct jvalue *values)
{
    size_t i;

    for (i = 0; i < n; i++)
        values[i] = (struct jvalue){0};
}

bool pick_members(struct jvalue object, const char *const *names, size_t n, struct jvalue *values)
{
    struct jmember m;
    struct jscan s;

    forget(n, values);
    if (!object.raw.p || jscan_object(&s, object))
        return false;
    while (!jscan_next_member(&s, &m))
        place(&m, names, n, values);
    return true;
}

enum err pick_text(struct slice text, const char *const *names, size_t n, struct jvalue *values)
{
    struct jmember m;
    struct jscan s;
    enum err e;

    forget(n, values);
    e = jscan_begin_object(&s, text);
    while (!e && !(e = jscan_next_member(&s, &m)))
        place(&m, names, n, values);
    return e == ERR_END ? ERR_OK : e;
}

struct jvalue pick(struct jvalue object, const char *name)
{
    struct jvalue v;

    (void)pick_members(object, &name, 1, &v);
    return v;
}

struct slice pick_string(struct jvalue v)
{
    if (!v.raw.p || v.kind != JSCAN_STRING)
        return (struct slice){NULL, 0};
    return (struct slice){v.raw.p + 1, v.raw.n - 2};
}
