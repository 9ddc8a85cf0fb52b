#include "base/jwrite.h"

#include "base/jscan.h"

#include <assert.h>

void jwrite_init(struct jwrite *w, struct buf *b)
{
    *w = (struct jwrite){.b = b};
}

enum err jwrite_end(struct jwrite *w)
{
    assert(w->e != ERR_OK || (w->depth == 0 && !w->after_key));
    return w->e;
}

static void put(struct jwrite *w, struct slice text)
{
    if (w->e == ERR_OK)
        w->e = buf_append_slice(w->b, text);
}

/* What stands before a value or a key. */
static void separate(struct jwrite *w)
{
    if (w->after_key) {
        w->after_key = false;
        return;
    }
    if (w->has_item[w->depth])
        put(w, SLICE(","));
    w->has_item[w->depth] = w->depth > 0;
}

static void open(struct jwrite *w, struct slice bracket)
{
    separate(w);
    put(w, bracket);
    assert(w->depth + 1 < JWRITE_DEPTH_MAX);
    w->has_item[++w->depth] = false;
}

static void close(struct jwrite *w, struct slice bracket)
{
    assert(w->depth > 0 && !w->after_key);
    w->depth--;
    put(w, bracket);
}

void jwrite_object(struct jwrite *w)
{
    open(w, SLICE("{"));
}

void jwrite_object_end(struct jwrite *w)
{
    close(w, SLICE("}"));
}

void jwrite_array(struct jwrite *w)
{
    open(w, SLICE("["));
}

void jwrite_array_end(struct jwrite *w)
{
    close(w, SLICE("]"));
}

void jwrite_raw(struct jwrite *w, struct slice json)
{
    separate(w);
    put(w, json);
}

void jwrite_string(struct jwrite *w, struct slice text)
{
    if (!text.p) {
        jwrite_null(w);
        return;
    }
    separate(w);
    if (w->e == ERR_OK)
        w->e = jscan_escape(w->b, text);
}

void jwrite_string_begin(struct jwrite *w)
{
    separate(w);
    put(w, SLICE("\""));
}

void jwrite_text(struct jwrite *w, struct slice text)
{
    if (w->e == ERR_OK)
        w->e = jscan_escape_inside(w->b, text);
}

void jwrite_string_end(struct jwrite *w)
{
    put(w, SLICE("\""));
}

void jwrite_i64(struct jwrite *w, int64_t n)
{
    separate(w);
    if (w->e == ERR_OK)
        w->e = buf_printf(w->b, "%lld", (long long)n);
}

void jwrite_bool(struct jwrite *w, bool is_true)
{
    jwrite_raw(w, is_true ? SLICE("true") : SLICE("false"));
}

void jwrite_null(struct jwrite *w)
{
    jwrite_raw(w, SLICE("null"));
}

void jwrite_key(struct jwrite *w, const char *name)
{
    assert(w->depth > 0 && !w->after_key);
    separate(w);
    put(w, SLICE("\""));
    put(w, slice_of(name));
    put(w, SLICE("\":"));
    w->after_key = true;
}

void jwrite_key_string(struct jwrite *w, const char *name, struct slice text)
{
    jwrite_key(w, name);
    jwrite_string(w, text);
}

void jwrite_key_z(struct jwrite *w, const char *name, const char *text)
{
    jwrite_key(w, name);
    if (text)
        jwrite_string(w, slice_of(text));
    else
        jwrite_null(w);
}

void jwrite_key_i64(struct jwrite *w, const char *name, int64_t n)
{
    jwrite_key(w, name);
    jwrite_i64(w, n);
}

void jwrite_key_bool(struct jwrite *w, const char *name, bool is_true)
{
    jwrite_key(w, name);
    jwrite_bool(w, is_true);
}

void jwrite_key_null(struct jwrite *w, const char *name)
{
    jwrite_key(w, name);
    jwrite_null(w);
}

void jwrite_key_raw(struct jwrite *w, const char *name, struct slice json)
{
    jwrite_key(w, name);
    jwrite_raw(w, json);
}

void jwrite_key_object(struct jwrite *w, const char *name)
{
    jwrite_key(w, name);
    jwrite_object(w);
}

void jwrite_key_array(struct jwrite *w, const char *name)
{
    jwrite_key(w, name);
    jwrite_array(w);
}
