#include "upstream/openai_chat_decode.h"

#include "upstream/pick.h"

#include <string.h>

/* Who may say a kind of part. */
#define IN_SYSTEM    (1U << CANON_SYSTEM)
#define IN_USER      (1U << CANON_USER)
#define IN_ASSISTANT (1U << CANON_ASSISTANT)
#define IN_RESULT    (1U << 3)
#define IN_ALL       (IN_SYSTEM | IN_USER | IN_ASSISTANT | IN_RESULT)

struct slot {
    struct chat_decode *decode;
    struct chat_place *place;
    struct jvalue part;
    const char *at; /* of the part */
};

static struct part *add_part(struct slot *s, enum part_kind kind)
{
    struct canon *c = s->decode->canon;
    struct part *p = s->place->result ? part_add_part(c, s->place->result, kind, s->at)
                                      : turn_add_part(c, s->place->turn, kind, s->at);

    if (p)
        p->cache = chat_cache_mark(s->part);
    return p;
}

static enum err add_text(struct slot *s, enum part_kind kind, const char *member)
{
    struct slice text = {NULL, 0};
    struct jvalue v = pick(s->part, member);
    struct part *p;
    enum err e;

    if (!v.raw.p)
        return chat_refuse(s->decode, s->at, member, "expected string");
    e = chat_read_text(s->decode, v, s->at, member, &text);
    if (e)
        return e;
    p = add_part(s, kind);
    if (!p)
        return ERR_MEMORY;
    p->text = text;
    return ERR_OK;
}

static enum err read_text(struct slot *s)
{
    return add_text(s, PART_TEXT, "text");
}

static enum err read_refusal(struct slot *s)
{
    return add_text(s, PART_REFUSAL, "refusal");
}

/* ---- media ---- */

/* Parameters of a data URL's type say nothing to anybody here. */
static struct slice bare_mime(struct slice mime)
{
    struct slice rest = mime;

    return slice_trim(slice_split(&rest, ';'));
}

/* url as bytes or as an address. False: neither. */
static bool set_url(struct media *m, struct slice url)
{
    if (data_url_split(url, &m->mime, &m->data)) {
        m->source = MEDIA_BYTES;
        m->mime = bare_mime(m->mime);
        if (m->mime.n == 0)
            m->mime.p = NULL;
        return m->data.n > 0;
    }
    m->source = MEDIA_URL;
    m->data = url;
    return slice_starts_ci(url, "https://") || slice_starts_ci(url, "http://");
}

static void set_detail(struct media *m, struct jvalue v)
{
    struct slice word = pick_string(v);

    if (slice_eq_z(word, "low"))
        m->detail = DETAIL_LOW;
    else if (slice_eq_z(word, "high") || slice_eq_z(word, "original"))
        m->detail = DETAIL_HIGH;
}

/* {member: {url, detail}} or {member: URL}. */
static enum err add_url(struct slot *s, enum part_kind kind, const char *member)
{
    static const char *const names[] = {"url", "detail"};
    struct jvalue v[2], holder = pick(s->part, member);
    struct slice url = {NULL, 0};
    struct part *p;
    enum err e;

    if (!pick_members(holder, names, 2, v))
        v[0] = holder; /* a bare string, as some clients send it */
    e = chat_read_name(s->decode, v[0], s->at, member, &url);
    if (e)
        return e;
    p = add_part(s, kind);
    if (!p)
        return ERR_MEMORY;
    if (!set_url(&p->media, url))
        return chat_refuse(s->decode, s->at, member,
                           "expected an http(s) URL, or a data URL with base64");
    set_detail(&p->media, v[1]);
    if (kind == PART_FILE && !p->media.mime.p)
        p->media.mime = SLICE("video/mp4");
    return ERR_OK;
}

static enum err read_image(struct slot *s)
{
    return add_url(s, PART_IMAGE, "image_url");
}

static enum err read_video(struct slot *s)
{
    return add_url(s, PART_FILE, "video_url");
}

static enum err read_audio(struct slot *s)
{
    static const char *const names[] = {"data", "format"};
    struct jvalue v[2];
    struct slice format = {NULL, 0}, data = {NULL, 0}, mime;
    const char *word;
    struct part *p;
    enum err e;

    (void)pick_members(pick(s->part, "input_audio"), names, 2, v);
    e = chat_read_name(s->decode, v[0], s->at, "input_audio.data", &data);
    if (!e)
        e = chat_read_name(s->decode, v[1], s->at, "input_audio.format", &format);
    if (e)
        return e;
    p = add_part(s, PART_AUDIO);
    word = slice_eq_z(format, "mp3")
               ? "audio/mpeg"
               : arena_printf(s->decode->canon->arena, "audio/%.*s", SLICE_FMT(format));
    if (!p || !word)
        return ERR_MEMORY;
    p->media = (struct media){.source = MEDIA_BYTES, .data = data, .mime = slice_of(word)};
    (void)data_url_split(data, &mime, &p->media.data);
    return ERR_OK;
}

/* What bare base64 is, by its file's name or its first bytes; p NULL: not known. */
static struct slice guess_mime(struct slice name, struct slice data)
{
    static const struct {
        const char *tail, *mime;
    } tails[] = {
        {".pdf",  "application/pdf" },
        {".txt",  "text/plain"      },
        {".md",   "text/markdown"   },
        {".csv",  "text/csv"        },
        {".html", "text/html"       },
        {".json", "application/json"},
    };
    size_t i;

    for (i = 0; i < sizeof(tails) / sizeof(tails[0]); i++) {
        size_t n = strlen(tails[i].tail);

        if (name.n > n && slice_eq_ci((struct slice){name.p + name.n - n, n}, tails[i].tail))
            return slice_of(tails[i].mime);
    }
    return slice_starts(data, "JVBERi") ? SLICE("application/pdf") : (struct slice){NULL, 0};
}

static enum err set_file_data(struct slot *s, struct media *m, struct slice data)
{
    m->source = MEDIA_BYTES;
    if (slice_starts_ci(data, "data:"))
        return set_url(m, data) ? ERR_OK
                                : chat_refuse(s->decode, s->at, "file.file_data",
                                              "expected base64, or a data URL with base64");
    m->data = data;
    m->mime = guess_mime(m->name, data);
    return ERR_OK;
}

static enum err read_file(struct slot *s)
{
    static const char *const names[] = {"file_data", "filename", "file_id", "file_url"};
    struct jvalue v[4];
    struct slice data = {NULL, 0};
    struct part *p;
    size_t k;
    enum err e;

    (void)pick_members(pick(s->part, "file"), names, 4, v);
    p = add_part(s, PART_FILE);
    if (!p)
        return ERR_MEMORY;
    e = chat_read_text(s->decode, v[1], s->at, "file.filename", &p->media.name);
    k = v[0].raw.p ? 0 : v[2].raw.p ? 2 : 3;
    if (!e)
        e = chat_read_name(s->decode, v[k], s->at,
                           k == 2   ? "file.file_id"
                           : k == 3 ? "file.file_url"
                                    : "file.file_data",
                           &data);
    if (e)
        return e;
    if (k == 0)
        return set_file_data(s, &p->media, data);
    p->media.data = data;
    p->media.source = k == 2 ? MEDIA_ID : MEDIA_URL;
    if (k == 3)
        p->media.mime = guess_mime(data, (struct slice){NULL, 0});
    return ERR_OK;
}

/* ---- thinking in content, as one vendor's models answer ---- */

static enum err read_thinking(struct slot *s)
{
    struct jvalue inner = pick(s->part, "thinking"), v;
    struct jscan scan;
    enum err e = ERR_OK;

    if (inner.raw.p && inner.kind == JSCAN_STRING)
        return add_text(s, PART_THINKING, "thinking");
    if (!inner.raw.p || jscan_array(&scan, inner))
        return chat_refuse(s->decode, s->at, "thinking", "expected string or array");
    while (!e && !jscan_next_element(&scan, &v)) {
        struct slot text = {s->decode, s->place, v, s->at};

        if (pick(v, "text").raw.p)
            e = add_text(&text, PART_THINKING, "text");
    }
    return e;
}

/* ---- content ---- */

static const struct {
    const char *type;
    enum err (*read)(struct slot *s);
    unsigned where;
} types[] = {
    {"text",        read_text,     IN_ALL             },
    {"image_url",   read_image,    IN_USER | IN_RESULT},
    {"input_audio", read_audio,    IN_USER            },
    {"file",        read_file,     IN_USER | IN_RESULT},
    {"video_url",   read_video,    IN_USER            },
    {"refusal",     read_refusal,  IN_ASSISTANT       },
    {"thinking",    read_thinking, IN_ASSISTANT       },
};

static enum err read_part(struct slot *s)
{
    unsigned where = s->place->result ? IN_RESULT : 1U << s->place->turn->role;
    struct slice type = pick_string(pick(s->part, "type"));
    size_t i;

    if (s->part.kind != JSCAN_OBJECT)
        return chat_refuse(s->decode, s->at, NULL, "expected object");
    for (i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        if (!slice_eq_z(type, types[i].type))
            continue;
        if (!(types[i].where & where))
            return chat_refuse(s->decode, s->at, "type",
                               "this kind of part cannot stand in a message of this role");
        return types[i].read(s);
    }
    return chat_refuse(s->decode, s->at, "type",
                       "expected text, image_url, input_audio, file or refusal");
}

static enum err add_string(struct chat_decode *d, struct chat_place *place, struct jvalue content)
{
    struct slot s = {d, place, {0}, arena_printf(d->canon->arena, "%s.content", place->at)};
    struct slice text;
    struct part *p;
    enum err e;

    if (!s.at)
        return ERR_MEMORY;
    e = jscan_string(content, d->canon->arena, &text);
    if (e)
        return e == ERR_FORMAT ? chat_refuse(d, s.at, NULL,
                                             "expected text without NUL or lone "
                                             "surrogates")
                               : e;
    if (text.n == 0)
        return ERR_OK;
    p = add_part(&s, PART_TEXT);
    if (!p)
        return ERR_MEMORY;
    p->text = text;
    return ERR_OK;
}

enum err chat_decode_content(struct chat_decode *d, struct chat_place *place, struct jvalue content)
{
    struct jvalue part;
    struct jscan scan;
    enum err e = ERR_OK;
    size_t i;

    if (!content.raw.p)
        return ERR_OK;
    if (content.kind == JSCAN_STRING)
        return add_string(d, place, content);
    if (jscan_array(&scan, content))
        return chat_refuse(d, place->at, "content", "expected string, array or null");
    for (i = 0; !e && !jscan_next_element(&scan, &part); i++) {
        struct slot s = {d, place, part,
                         arena_printf(d->canon->arena, "%s.content[%zu]", place->at, i)};

        e = s.at ? read_part(&s) : ERR_MEMORY;
    }
    return e;
}

enum err chat_decode_images(struct chat_decode *d, struct chat_place *place, struct jvalue images)
{
    struct jvalue image;
    struct jscan scan;
    enum err e = ERR_OK;
    size_t i;

    if (!images.raw.p || jscan_array(&scan, images))
        return ERR_OK;
    for (i = 0; !e && !jscan_next_element(&scan, &image); i++) {
        struct slot s = {d, place, image,
                         arena_printf(d->canon->arena, "%s.images[%zu]", place->at, i)};

        e = s.at ? read_image(&s) : ERR_MEMORY;
    }
    return e;
}
