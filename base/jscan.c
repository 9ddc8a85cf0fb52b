#include "base/jscan.h"

#include "base/jscan_text.h"

#include <assert.h>
#include <string.h>

struct cursor {
    const char *p; /* next byte; after a failure the fault */
    const char *end;
};

/* ---- grammar: each skip_ moves p over one thing, or to the fault and returns false ---- */

static void skip_space(struct cursor *c)
{
    while (c->p < c->end && (*c->p == ' ' || *c->p == '\n' || *c->p == '\r' || *c->p == '\t'))
        c->p++;
}

static bool skip_char(struct cursor *c, char expected)
{
    if (c->p == c->end || *c->p != expected)
        return false;
    c->p++;
    return true;
}

/* At a backslash. */
static bool skip_escape(struct cursor *c)
{
    int i;

    c->p++;
    if (c->p == c->end || !*c->p || !strchr("\"\\/bfnrtu", *c->p))
        return false;
    if (*c->p++ != 'u')
        return true;
    for (i = 0; i < 4; i++, c->p++)
        if (c->p == c->end || jscan_hex_value(*c->p) < 0)
            return false;
    return true;
}

/* Over a run of characters outside ASCII. */
static bool skip_high(struct cursor *c)
{
    do {
        size_t n = str_utf8_len(c->p, (size_t)(c->end - c->p));

        if (n == 0)
            return false;
        c->p += n;
    } while (c->p < c->end && (unsigned char)*c->p >= 0x80);
    return true;
}

static bool skip_string(struct cursor *c)
{
    if (!skip_char(c, '"'))
        return false;
    for (;;) {
        unsigned char stop_at;

        c->p = jscan_skip_plain(c->p, c->end);
        if (c->p == c->end)
            return false;
        stop_at = (unsigned char)*c->p;
        if (stop_at == '"') {
            c->p++;
            return true;
        }
        if (stop_at < 0x20 || !(stop_at == '\\' ? skip_escape(c) : skip_high(c)))
            return false;
    }
}

static bool skip_digits(struct cursor *c)
{
    if (c->p == c->end || !jscan_is_digit(*c->p))
        return false;
    while (c->p < c->end && jscan_is_digit(*c->p))
        c->p++;
    return true;
}

static bool skip_number(struct cursor *c)
{
    (void)skip_char(c, '-');
    if (!skip_char(c, '0') && !skip_digits(c))
        return false;
    if (skip_char(c, '.') && !skip_digits(c))
        return false;
    if (c->p < c->end && (*c->p == 'e' || *c->p == 'E')) {
        c->p++;
        if (!skip_char(c, '+'))
            (void)skip_char(c, '-');
        return skip_digits(c);
    }
    return true;
}

static bool skip_word(struct cursor *c, const char *word)
{
    for (; *word; word++)
        if (!skip_char(c, *word))
            return false;
    return true;
}

static bool skip_scalar(struct cursor *c)
{
    switch (c->p == c->end ? '\0' : *c->p) {
    case '"':
        return skip_string(c);
    case 't':
        return skip_word(c, "true");
    case 'f':
        return skip_word(c, "false");
    case 'n':
        return skip_word(c, "null");
    default:
        return skip_number(c);
    }
}

/* A member's name, its colon, and the space around them. */
static bool skip_key(struct cursor *c)
{
    skip_space(c);
    if (!skip_string(c))
        return false;
    skip_space(c);
    if (!skip_char(c, ':'))
        return false;
    skip_space(c);
    return true;
}

/* One whole value, validated. Not recursive: a bit for each open bracket tells an object from an
 * array. */
static bool skip_value(struct cursor *c, unsigned depth_max)
{
    uint64_t objects[JSCAN_DEPTH_MAX / 64] = {0};
    unsigned depth = 0;

    assert(depth_max <= JSCAN_DEPTH_MAX);
    for (;;) {
        char open = c->p < c->end ? *c->p : '\0';

        if (open == '{' || open == '[') {
            uint64_t bit = UINT64_C(1) << depth % 64;

            if (depth == depth_max)
                return false;
            objects[depth / 64] &= ~bit;
            objects[depth / 64] |= open == '{' ? bit : 0;
            depth++;
            c->p++;
            skip_space(c);
            if (!(c->p < c->end && *c->p == open + 2)) { /* '{' + 2 is '}', '[' + 2 is ']' */
                if (open == '{' && !skip_key(c))
                    return false;
                continue;
            }
        } else if (!skip_scalar(c)) {
            return false;
        }
        /* Behind a value, or at the closing bracket of an empty one. */
        for (;;) {
            bool is_object;

            if (depth == 0)
                return true;
            is_object = objects[(depth - 1) / 64] >> (depth - 1) % 64 & 1;
            skip_space(c);
            if (skip_char(c, ',')) {
                skip_space(c);
                if (is_object && !skip_key(c))
                    return false;
                break;
            }
            if (!skip_char(c, is_object ? '}' : ']'))
                return false;
            depth--;
        }
    }
}

/* ---- trusted text: structure only ---- */

/* Over the rest of a string whose opening quote was passed. */
static void pass_string(struct cursor *c)
{
    for (;;) {
        const char *quote = memchr(c->p, '"', (size_t)(c->end - c->p));
        const char *back = quote;

        assert(quote);
        while (back > c->p && back[-1] == '\\')
            back--;
        c->p = quote + 1;
        if ((quote - back) % 2 == 0)
            return;
    }
}

static void pass_value(struct cursor *c)
{
    size_t depth = 0;

    do {
        assert(c->p < c->end);
        switch (*c->p) {
        case '"':
            c->p++;
            pass_string(c);
            continue;
        case '{':
        case '[':
            depth++;
            break;
        case '}':
        case ']':
            depth--;
            break;
        default:
            if (depth > 0)
                break;
            while (c->p < c->end && !strchr(",]} \n\r\t", *c->p))
                c->p++;
            return;
        }
        c->p++;
    } while (depth > 0);
}

/* ---- public ---- */

static enum jkind kind_of(char first)
{
    switch (first) {
    case '{':
        return JSCAN_OBJECT;
    case '[':
        return JSCAN_ARRAY;
    case '"':
        return JSCAN_STRING;
    case 't':
        return JSCAN_TRUE;
    case 'f':
        return JSCAN_FALSE;
    case 'n':
        return JSCAN_NULL;
    default:
        return JSCAN_NUMBER;
    }
}

static struct jvalue value_between(const char *start, const char *end)
{
    return (struct jvalue){
        kind_of(*start), {start, (size_t)(end - start)}
    };
}

enum err jscan_validate(struct slice text, struct jvalue *value, size_t *at)
{
    struct cursor c = {text.p, text.p + text.n};
    const char *start, *end = NULL;

    skip_space(&c);
    start = c.p;
    if (skip_value(&c, JSCAN_DEPTH_MAX)) {
        end = c.p;
        skip_space(&c);
    }
    if (!end || c.p != c.end) {
        if (at)
            *at = (size_t)(c.p - text.p);
        return ERR_FORMAT;
    }
    *value = value_between(start, end);
    return ERR_OK;
}

enum err jscan_object(struct jscan *s, struct jvalue value)
{
    if (value.kind != JSCAN_OBJECT)
        return ERR_FORMAT;
    *s = (struct jscan){.text = value.raw, .at = 1, .first = true, .is_trusted = true};
    return ERR_OK;
}

enum err jscan_array(struct jscan *s, struct jvalue value)
{
    if (value.kind != JSCAN_ARRAY)
        return ERR_FORMAT;
    *s = (struct jscan){.text = value.raw, .at = 1, .first = true, .is_trusted = true};
    return ERR_OK;
}

enum err jscan_begin_object(struct jscan *s, struct slice text)
{
    struct cursor c = {text.p, text.p + text.n};

    skip_space(&c);
    *s = (struct jscan){.text = text, .first = true};
    s->at = (size_t)(c.p - text.p);
    if (!skip_char(&c, '{')) {
        s->end = ERR_FORMAT;
        return ERR_FORMAT;
    }
    s->at++;
    return ERR_OK;
}

static enum err stop(struct jscan *s, const struct cursor *c, enum err e)
{
    s->at = (size_t)(c->p - s->text.p);
    s->end = e;
    return e;
}

/* To the next member or element. ERR_END past the closing bracket; then nothing but space may
 * follow. */
static enum err step(struct jscan *s, struct cursor *c, char close)
{
    if (s->end)
        return s->end;
    c->p = s->text.p + s->at;
    c->end = s->text.p + s->text.n;
    skip_space(c);
    if (skip_char(c, close)) {
        skip_space(c);
        return stop(s, c, c->p == c->end ? ERR_END : ERR_FORMAT);
    }
    if (!s->first) {
        if (!skip_char(c, ','))
            return stop(s, c, ERR_FORMAT);
        skip_space(c);
    }
    s->first = false;
    return ERR_OK;
}

/* The value at c. The brackets around it count: one of the depth is used. */
static enum err read_value(struct jscan *s, struct cursor *c, struct jvalue *v)
{
    const char *start = c->p;

    if (s->is_trusted)
        pass_value(c);
    else if (!skip_value(c, JSCAN_DEPTH_MAX - 1))
        return stop(s, c, ERR_FORMAT);
    *v = value_between(start, c->p);
    s->at = (size_t)(c->p - s->text.p);
    return ERR_OK;
}

enum err jscan_next_member(struct jscan *s, struct jmember *m)
{
    struct jmember found;
    struct cursor c;
    const char *start;
    enum err e;

    e = step(s, &c, '}');
    if (e)
        return e;
    start = c.p;
    if (s->is_trusted) {
        c.p++;
        pass_string(&c);
    } else if (!skip_string(&c)) {
        return stop(s, &c, ERR_FORMAT);
    }
    found.key = (struct slice){start + 1, (size_t)(c.p - start) - 2};
    skip_space(&c);
    if (!skip_char(&c, ':'))
        return stop(s, &c, ERR_FORMAT);
    skip_space(&c);
    e = read_value(s, &c, &found.value);
    if (e)
        return e;
    found.whole = (struct slice){start, (size_t)(c.p - start)};
    *m = found;
    return ERR_OK;
}

enum err jscan_next_element(struct jscan *s, struct jvalue *v)
{
    struct cursor c;
    enum err e;

    e = step(s, &c, ']');
    return e ? e : read_value(s, &c, v);
}
