#include "upstream/members.h"

#include "upstream/counts.h"

#include <assert.h>
#include <string.h>

#define MODEL_CHARS_MAX 128
#define FIRST_MEMBERS   32 /* room for members at first */

enum err members_fail(struct members *m, size_t k, const char *text)
{
    return canon_fault(m->arena, m->fault, m->known[k].name, "%s", text);
}

bool members_has(const struct members *m, size_t k)
{
    return m->values[k].raw.p && m->values[k].kind != JSCAN_NULL;
}

static enum err keep_member(struct members *m, const struct jmember *member)
{
    struct jmember *items;

    if (m->n == FORMAT_MEMBERS_MAX)
        return canon_fault(m->arena, m->fault, NULL,
                           "The request body has more members than any known parameter list.");
    if (!m->items) {
        m->items = arena_alloc(m->arena, FIRST_MEMBERS * sizeof(*m->items));
        if (!m->items)
            return ERR_MEMORY;
        m->max = FIRST_MEMBERS;
    }
    items = canon_grow(m->arena, m->items, m->n, &m->max, sizeof(*items));
    if (!items)
        return ERR_MEMORY;
    m->items = items;
    m->items[m->n++] = *member;
    return ERR_OK;
}

static enum err note_known(struct members *m, const struct jmember *member)
{
    size_t k;

    for (k = 0; k < m->known_n; k++) {
        const char *name = m->known[k].name;

        /* The first character tells nearly all apart; only an escape may hide it. */
        if (member->key.n && member->key.p[0] != name[0] && member->key.p[0] != '\\')
            continue;
        if (!jscan_key_is(member, name))
            continue;
        if (m->values[k].raw.p && m->known[k].is_single)
            return members_fail(m, k, "given twice");
        m->values[k] = member->value;
        break;
    }
    return ERR_OK;
}

enum err members_read(struct members *m, struct slice body, struct arena *a,
                      const struct known_member *known, size_t known_n, struct fault *fault)
{
    struct jmember member;
    struct jscan s;
    enum err e;

    assert(known_n <= MEMBERS_KNOWN_MAX);
    *m = (struct members){.arena = a, .fault = fault, .known = known, .known_n = known_n};
    e = jscan_begin_object(&s, body);
    while (!e && !(e = jscan_next_member(&s, &member))) {
        e = keep_member(m, &member);
        if (!e)
            e = note_known(m, &member);
    }
    if (e != ERR_FORMAT)
        return e == ERR_END ? ERR_OK : e;
    if (slice_trim(body).n == 0)
        return canon_fault(a, fault, NULL, "The request body is empty; expected a JSON object.");
    return canon_fault(a, fault, NULL, "The request body is not a valid JSON object (at byte %zu).",
                       s.at);
}

enum err members_bool(struct members *m, size_t k, bool *out)
{
    enum jkind kind = m->values[k].kind;

    if (!members_has(m, k))
        return ERR_OK;
    if (kind != JSCAN_TRUE && kind != JSCAN_FALSE)
        return members_fail(m, k, "expected boolean");
    *out = kind == JSCAN_TRUE;
    return ERR_OK;
}

enum err members_check_model(struct arena *a, struct slice model, const char *path,
                             struct fault *fault)
{
    struct text_size size = {0};

    if (model.n == 0)
        return canon_fault(a, fault, path, "expected a model's name, got an empty string");
    text_size_add(&size, model);
    if (size.ascii_bytes + size.other_chars > MODEL_CHARS_MAX)
        return canon_fault(a, fault, path, "expected at most %d characters", MODEL_CHARS_MAX);
    return ERR_OK;
}

enum err members_model(struct members *m, size_t k, struct slice *out)
{
    struct slice model;
    enum err e;

    if (!members_has(m, k))
        return members_fail(m, k, "required");
    e = jscan_string(m->values[k], m->arena, &model);
    if (e == ERR_FORMAT)
        return members_fail(m, k, "expected string");
    if (!e)
        e = members_check_model(m->arena, model, m->known[k].name, m->fault);
    if (!e)
        *out = model;
    return e;
}

enum err members_output_max(struct members *m, size_t k, int64_t *out)
{
    int64_t value = 0;
    enum err e;

    if (!members_has(m, k))
        return ERR_OK;
    e = jscan_i64(m->values[k], &value);
    if (e == ERR_RANGE && m->values[k].raw.p[0] != '-')
        value = COUNT_MAX;
    else if (e || value < 1)
        return members_fail(m, k, "expected an integer of at least 1");
    if (value > COUNT_MAX)
        value = COUNT_MAX;
    if (*out < 0 || value < *out)
        *out = value;
    return ERR_OK;
}

struct slice members_text(const struct members *m, size_t k)
{
    const struct jvalue *v = &m->values[k];

    if (!v->raw.p || v->kind != JSCAN_STRING)
        return (struct slice){NULL, 0};
    return (struct slice){v->raw.p + 1, v->raw.n - 2};
}
