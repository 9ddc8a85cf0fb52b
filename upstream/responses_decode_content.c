#include "upstream/responses.h"

#include <string.h>

struct items {
    struct responses_decode *d;
    struct canon *c;
    const char *at; /* the path of what is read */
};

static enum err fail(const struct items *w, const char *path, const char *text)
{
    return canon_fault(w->c->arena, w->d->fault, path, "%s", text);
}

static enum err read_text(const struct items *w, struct jvalue object, const char *name,
                          bool is_optional, struct slice *out)
{
    return responses_member_text(w->d, object, name, w->at, is_optional, out);
}

/* ---- media ---- */

static enum media_detail detail_of(struct jvalue part)
{
    struct jvalue v;

    if (jscan_find(part, "detail", &v))
        return DETAIL_UNSET;
    if (slice_eq_z(v.raw, "\"low\""))
        return DETAIL_LOW;
    return slice_eq_z(v.raw, "\"high\"") || slice_eq_z(v.raw, "\"original\"") ? DETAIL_HIGH
                                                                              : DETAIL_UNSET;
}

static void take_url(struct media *m, struct slice url)
{
    if (data_url_split(url, &m->mime, &m->data)) {
        m->source = MEDIA_BYTES;
    } else {
        m->source = MEDIA_URL;
        m->data = url;
    }
}

static enum err take_image(const struct items *w, struct jvalue v, struct part *part)
{
    struct slice url, id;
    enum err e = read_text(w, v, "image_url", true, &url);

    if (!e)
        e = read_text(w, v, "file_id", true, &id);
    if (e)
        return e;
    part->media.detail = detail_of(v);
    if (url.n) {
        take_url(&part->media, url);
        return ERR_OK;
    }
    part->media.source = MEDIA_ID;
    part->media.data = id;
    return id.n ? ERR_OK : fail(w, w->at, "expected image_url or file_id");
}

/* Bytes without a data URL's type are what the name says. */
static struct slice mime_of_name(struct slice name)
{
    static const struct {
        const char *end, *mime;
    } types[] = {
        {".pdf", "application/pdf"},
        {".txt", "text/plain"     },
        {".md",  "text/plain"     },
    };
    size_t i;

    for (i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        size_t n = strlen(types[i].end);

        if (name.n >= n && slice_eq_ci((struct slice){name.p + name.n - n, n}, types[i].end))
            return slice_of(types[i].mime);
    }
    return (struct slice){NULL, 0};
}

static enum err take_file(const struct items *w, struct jvalue v, struct part *part)
{
    struct slice data, url, id;
    enum err e = read_text(w, v, "file_data", true, &data);

    if (!e)
        e = read_text(w, v, "file_url", true, &url);
    if (!e)
        e = read_text(w, v, "file_id", true, &id);
    if (!e)
        e = read_text(w, v, "filename", true, &part->media.name);
    if (e)
        return e;
    if (data.n) {
        take_url(&part->media, data);
        if (part->media.source == MEDIA_URL) {
            part->media.source = MEDIA_BYTES;
            part->media.mime = mime_of_name(part->media.name);
        }
        return ERR_OK;
    }
    part->media.source = url.n ? MEDIA_URL : MEDIA_ID;
    part->media.data = url.n ? url : id;
    return part->media.data.n ? ERR_OK : fail(w, w->at, "expected file_data, file_url or file_id");
}

static enum err take_audio(const struct items *w, struct jvalue v, struct part *part)
{
    struct slice format;
    struct jvalue audio;
    char *mime;
    enum err e;

    if (jscan_find(v, "input_audio", &audio) || audio.kind != JSCAN_OBJECT)
        return fail(w, w->at, "expected an object input_audio");
    e = read_text(w, audio, "data", false, &part->media.data);
    if (!e)
        e = read_text(w, audio, "format", false, &format);
    if (e)
        return e;
    mime = arena_printf(w->c->arena, "audio/%.*s", SLICE_FMT(format));
    part->media.source = MEDIA_BYTES;
    part->media.mime = slice_of(mime);
    return mime ? ERR_OK : ERR_MEMORY;
}

/* ---- parts ---- */

static const struct {
    const char *type;
    enum part_kind kind;
    const char *text; /* the member with the text; NULL: media */
} part_types[] = {
    {"input_text",     PART_TEXT,    "text"   },
    {"output_text",    PART_TEXT,    "text"   },
    {"text",           PART_TEXT,    "text"   },
    {"summary_text",   PART_TEXT,    "text"   },
    {"reasoning_text", PART_TEXT,    "text"   },
    {"refusal",        PART_REFUSAL, "refusal"},
    {"input_image",    PART_IMAGE,   NULL     },
    {"input_file",     PART_FILE,    NULL     },
    {"input_audio",    PART_AUDIO,   NULL     },
};

#define PART_TYPES (sizeof(part_types) / sizeof(part_types[0]))

static void take_marks(const struct items *w, struct jvalue v, struct part *part)
{
    struct jvalue mark;

    if (!jscan_find(v, "prompt_cache_breakpoint", &mark) && mark.kind == JSCAN_OBJECT)
        part->cache = CACHE_30M;
    if (!jscan_find(v, "annotations", &mark) && mark.kind == JSCAN_ARRAY && mark.raw.n > 2)
        canon_drop(w->c, &w->c->drops, FIELD_CITATIONS);
}

/* One part, added to a turn or to a result. w->at: the part's path. */
static enum err take_part(const struct items *w, struct jvalue v, struct turn *turn,
                          struct part *result)
{
    struct part *part;
    struct slice type;
    size_t i;
    enum err e;

    if (v.kind != JSCAN_OBJECT)
        return fail(w, w->at, "expected object");
    e = read_text(w, v, "type", false, &type);
    if (e)
        return e;
    for (i = 0; i < PART_TYPES && !slice_eq_z(type, part_types[i].type);)
        i++;
    if (i == PART_TYPES)
        return canon_fault(w->c->arena, w->d->fault, w->at, "content of type %.*s is not supported",
                           SLICE_FMT(type));
    part = result ? part_add_part(w->c, result, part_types[i].kind, w->at)
                  : turn_add_part(w->c, turn, part_types[i].kind, w->at);
    if (!part)
        return ERR_MEMORY;
    take_marks(w, v, part);
    if (part_types[i].text)
        return read_text(w, v, part_types[i].text, false, &part->text);
    if (part->kind == PART_IMAGE)
        return take_image(w, v, part);
    return part->kind == PART_FILE ? take_file(w, v, part) : take_audio(w, v, part);
}

enum err responses_decode_content(struct responses_decode *d, const struct responses_place *place,
                                  struct jvalue content, const char *member)
{
    const struct items outer = {d, d->c, place->at}, *w = &outer;
    struct turn *turn = place->turn;
    struct part *result = place->result;
    struct arena *a = w->c->arena;
    struct items inner = outer;
    struct part *part;
    struct jvalue v;
    struct jscan s;
    size_t i;
    enum err e = ERR_OK;

    inner.at = arena_printf(a, "%s.%s", w->at, member);
    if (!inner.at)
        return ERR_MEMORY;
    if (content.kind == JSCAN_NULL)
        return ERR_OK;
    if (content.kind == JSCAN_STRING) {
        part = result ? part_add_part(w->c, result, PART_TEXT, inner.at)
                      : turn_add_part(w->c, turn, PART_TEXT, inner.at);
        e = part ? jscan_string(content, a, &part->text) : ERR_MEMORY;
        return e == ERR_FORMAT ? fail(&inner, inner.at, "expected a text without NUL") : e;
    }
    if (jscan_array(&s, content))
        return fail(&inner, inner.at, "expected string or array");
    for (i = 0; !e && !jscan_next_element(&s, &v); i++) {
        inner.at = arena_printf(a, "%s.%s[%zu]", w->at, member, i);
        e = inner.at ? take_part(&inner, v, turn, result) : ERR_MEMORY;
    }
    return e;
}
