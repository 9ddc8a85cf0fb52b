#include "upstream/anthropic_decode.h"

#include "base/buf.h"

#define TEXT_MAX ((size_t)1 << 30) /* of what is put together from a body that was bounded */

/* The members of a block that we read; raw.p NULL: absent. */
struct block {
    const char *at;
    struct jvalue raw;
    struct jvalue type, text, source, title, context, citations, cache, id, name, input, call_id,
        content, is_error, thinking, signature, data, tool_name, file_id;
};

/* Where parts go: into the turn that was added last, or into a result in it. */
struct place {
    struct anthropic_decode *d;
    struct turn *turn;
    struct part *result; /* NULL: the turn */
};

typedef enum err block_fn(const struct place *p, const struct block *b);

static enum err decode_blocks(const struct place *p, struct jvalue content, const char *at);

static struct part *add(const struct place *p, enum part_kind kind, const struct block *b)
{
    struct canon *c = p->d->c;
    struct part *part = p->result ? part_add_part(c, p->result, kind, b->at)
                                  : turn_add_part(c, p->turn, kind, b->at);

    if (part)
        part->cache = anthropic_decode_mark(b->cache);
    return part;
}

static enum err add_text(const struct place *p, const struct block *b, struct slice text)
{
    struct part *part = add(p, PART_TEXT, b);

    if (!part)
        return ERR_MEMORY;
    part->text = text;
    return ERR_OK;
}

/* A member that must be a string. */
static enum err text_of(const struct place *p, const struct block *b, struct jvalue v,
                        const char *member, struct slice *out)
{
    const char *at;

    *out = (struct slice){NULL, 0};
    if (v.raw.p && v.kind == JSCAN_STRING && !jscan_string(v, p->d->c->arena, out))
        return ERR_OK;
    at = decode_path(p->d, "%s.%s", b->at, member);
    return v.raw.p ? anthropic_decode_text(p->d, v, at, out)
                   : anthropic_decode_fail(p->d, at, "required");
}

/* A member that may be absent; p NULL then. */
static enum err maybe_text(const struct place *p, struct jvalue v, struct slice *out)
{
    enum err e;

    *out = (struct slice){NULL, 0};
    if (!v.raw.p || v.kind != JSCAN_STRING)
        return ERR_OK;
    e = jscan_string(v, p->d->c->arena, out);
    return e == ERR_MEMORY ? e : ERR_OK;
}

/* Citations say nothing to another vendor's model. */
static void drop_citations(const struct place *p, const struct block *b)
{
    struct jvalue v;

    if (!b->citations.raw.p || b->citations.kind == JSCAN_NULL ||
        slice_eq_z(b->citations.raw, "[]"))
        return;
    if (!jscan_find(b->citations, "enabled", &v) && v.kind == JSCAN_FALSE)
        return;
    canon_drop(p->d->c, &p->d->c->drops, FIELD_CITATIONS);
}

/* ---- text and what becomes text ---- */

static enum err decode_text(const struct place *p, const struct block *b)
{
    struct slice text;
    enum err e = text_of(p, b, b->text, "text", &text);

    drop_citations(p, b);
    return e ? e : add_text(p, b, text);
}

/* <NAME title="T" source="S"> BODY </NAME>. */
static enum err add_tagged(const struct place *p, const struct block *b, const char *name,
                           struct slice source, struct slice body)
{
    struct arena *a = p->d->c->arena;
    struct slice title, context;
    char *text;
    enum err e = maybe_text(p, b->title, &title);

    if (!e)
        e = maybe_text(p, b->context, &context);
    if (e)
        return e;
    text = arena_printf(a, "<%s%s%.*s%s%s%.*s%s>\n%.*s%s%.*s\n</%s>", name,
                        title.n ? " title=\"" : "", SLICE_FMT(title), title.n ? "\"" : "",
                        source.n ? " source=\"" : "", SLICE_FMT(source), source.n ? "\"" : "",
                        SLICE_FMT(context), context.n ? "\n\n" : "", SLICE_FMT(body), name);
    return text ? add_text(p, b, slice_of(text)) : ERR_MEMORY;
}

/* The texts of a list of text blocks, joined. */
static enum err join_texts(const struct place *p, struct jvalue list, struct slice *out)
{
    struct jvalue block, v;
    struct slice text;
    struct jscan s;
    struct buf b;
    enum err e = ERR_OK;

    *out = (struct slice){NULL, 0};
    if (!list.raw.p || jscan_array(&s, list))
        return ERR_OK;
    buf_init(&b, TEXT_MAX);
    while (!e && !jscan_next_element(&s, &block)) {
        if (jscan_find(block, "text", &v))
            continue;
        e = maybe_text(p, v, &text);
        if (!e && b.n)
            e = buf_append_z(&b, "\n");
        if (!e)
            e = buf_append_slice(&b, text);
    }
    if (!e) {
        out->n = b.n;
        out->p = arena_copy(p->d->c->arena, buf_slice(&b));
        e = out->p ? ERR_OK : ERR_MEMORY;
    }
    buf_clear(&b);
    return e;
}

static enum err decode_search_result(const struct place *p, const struct block *b)
{
    struct slice source, body = {NULL, 0};
    enum err e = maybe_text(p, b->source, &source);

    if (!e)
        e = join_texts(p, b->content, &body);
    drop_citations(p, b);
    return e ? e : add_tagged(p, b, "search_result", source, body);
}

/* A tool that a search for tools has found. It is declared with the others. */
static enum err decode_tool_reference(const struct place *p, const struct block *b)
{
    struct slice name;
    char *text;
    enum err e = text_of(p, b, b->tool_name, "tool_name", &name);

    if (e)
        return e;
    text = arena_printf(p->d->c->arena, "The tool %.*s is available now.", SLICE_FMT(name));
    return text ? add_text(p, b, slice_of(text)) : ERR_MEMORY;
}

/* The summary that stands for what came before it. */
static enum err decode_compaction(const struct place *p, const struct block *b)
{
    struct slice text;
    enum err e = maybe_text(p, b->content, &text);

    return e || text.n == 0 ? e : add_text(p, b, text);
}

/* ---- images and documents ---- */

static enum err add_media(const struct place *p, const struct block *b, enum part_kind kind,
                          struct media media)
{
    struct part *part = add(p, kind, b);

    if (!part)
        return ERR_MEMORY;
    part->media = media;
    return ERR_OK;
}

/* A source of base64, URL or file id. */
static enum err decode_source(const struct place *p, const struct block *b, enum part_kind kind,
                              struct slice type)
{
    static const struct {
        const char *type, *member;
        enum media_source source;
    } sources[] = {
        {"base64", "data",    MEDIA_BYTES},
        {"url",    "url",     MEDIA_URL  },
        {"file",   "file_id", MEDIA_ID   },
    };
    struct media media = {0};
    struct jvalue v;
    enum err e;
    size_t i;

    for (i = 0; i < sizeof(sources) / sizeof(sources[0]); i++) {
        if (!slice_eq_z(type, sources[i].type))
            continue;
        media.source = sources[i].source;
        if (jscan_find(b->source, sources[i].member, &v))
            v = (struct jvalue){0};
        e = text_of(p, b, v, sources[i].member, &media.data);
        if (!e && !jscan_find(b->source, "media_type", &v))
            e = maybe_text(p, v, &media.mime);
        if (!e)
            e = maybe_text(p, b->title, &media.name);
        if (!e && kind == PART_FILE && !media.mime.p && media.source == MEDIA_URL)
            media.mime = SLICE("application/pdf"); /* no other document is allowed there */
        return e ? e : add_media(p, b, kind, media);
    }
    return anthropic_decode_fail(p->d, b->at, "unsupported type of source");
}

static enum err source_type(const struct place *p, const struct block *b, struct slice *type)
{
    struct jvalue v;

    if (!b->source.raw.p || jscan_find(b->source, "type", &v))
        v = (struct jvalue){0};
    return text_of(p, b, v, "source.type", type);
}

static enum err decode_image(const struct place *p, const struct block *b)
{
    struct slice type;
    enum err e = source_type(p, b, &type);

    return e ? e : decode_source(p, b, PART_IMAGE, type);
}

static enum err decode_document(const struct place *p, const struct block *b)
{
    struct slice type, body;
    struct jvalue v;
    enum err e = source_type(p, b, &type);

    drop_citations(p, b);
    if (e)
        return e;
    if (slice_eq_z(type, "text")) {
        if (jscan_find(b->source, "data", &v))
            v = (struct jvalue){0};
        e = text_of(p, b, v, "source.data", &body);
        return e ? e : add_tagged(p, b, "document", (struct slice){NULL, 0}, body);
    }
    if (slice_eq_z(type, "content")) {
        if (jscan_find(b->source, "content", &v))
            v = (struct jvalue){0};
        return decode_blocks(p, v, b->at);
    }
    return decode_source(p, b, PART_FILE, type);
}

static enum err decode_upload(const struct place *p, const struct block *b)
{
    struct media media = {.source = MEDIA_ID};
    enum err e = text_of(p, b, b->file_id, "file_id", &media.data);

    return e ? e : add_media(p, b, PART_FILE, media);
}

/* ---- tools and thinking ---- */

static enum err decode_call(const struct place *p, const struct block *b)
{
    struct slice id, name;
    struct part *part;
    enum err e = text_of(p, b, b->id, "id", &id);

    if (!e)
        e = text_of(p, b, b->name, "name", &name);
    if (e)
        return e;
    part = add(p, PART_CALL, b);
    if (!part)
        return ERR_MEMORY;
    part->id = id;
    part->name = name;
    part->text = b->input.raw.p && b->input.kind == JSCAN_OBJECT ? b->input.raw : SLICE("{}");
    return ERR_OK;
}

static enum err decode_result(const struct place *p, const struct block *b)
{
    struct slice id;
    struct part *part;
    const char *at;
    enum err e = text_of(p, b, b->call_id, "tool_use_id", &id);

    if (e)
        return e;
    part = add(p, PART_RESULT, b);
    at = decode_path(p->d, "%s.content", b->at);
    if (!part || !at)
        return ERR_MEMORY;
    part->id = id;
    part->is_error = b->is_error.raw.p && b->is_error.kind == JSCAN_TRUE;
    if (!b->content.raw.p || b->content.kind == JSCAN_NULL)
        return ERR_OK;
    return decode_blocks(&(struct place){p->d, p->turn, part}, b->content, at);
}

static enum err decode_thinking(const struct place *p, const struct block *b)
{
    struct part *part = add(p, PART_THINKING, b);
    enum err e;

    if (!part)
        return ERR_MEMORY;
    part->cache = CACHE_NONE;
    e = maybe_text(p, b->thinking, &part->text);
    if (!e)
        e = maybe_text(p, b->signature, &part->seal_text);
    return e;
}

static enum err decode_redacted(const struct place *p, const struct block *b)
{
    struct part *part = add(p, PART_THINKING, b);

    if (!part)
        return ERR_MEMORY;
    part->cache = CACHE_NONE;
    part->seal.is_redacted = true;
    return maybe_text(p, b->data, &part->seal_text);
}

/* ---- the table of blocks ---- */

#define IN_USER      1U
#define IN_ASSISTANT 2U
#define IN_SYSTEM    4U
#define IN_RESULT    8U

static const struct {
    const char *type;
    unsigned where;
    block_fn *decode;
} blocks[] = {
    {"text",              IN_USER | IN_ASSISTANT | IN_SYSTEM | IN_RESULT, decode_text          },
    {"image",             IN_USER | IN_RESULT,                            decode_image         },
    {"document",          IN_USER | IN_ASSISTANT | IN_RESULT,             decode_document      },
    {"search_result",     IN_USER | IN_RESULT,                            decode_search_result },
    {"tool_reference",    IN_USER | IN_RESULT,                            decode_tool_reference},
    {"container_upload",  IN_USER,                                        decode_upload        },
    {"tool_use",          IN_ASSISTANT,                                   decode_call          },
    {"tool_result",       IN_USER,                                        decode_result        },
    {"thinking",          IN_ASSISTANT,                                   decode_thinking      },
    {"redacted_thinking", IN_ASSISTANT,                                   decode_redacted      },
    {"compaction",        IN_USER | IN_ASSISTANT,                         decode_compaction    },
};

static unsigned where_of(const struct place *p)
{
    if (p->result)
        return IN_RESULT;
    return p->turn->role == CANON_USER     ? IN_USER
           : p->turn->role == CANON_SYSTEM ? IN_SYSTEM
                                           : IN_ASSISTANT;
}

static enum err read_block(const struct place *p, struct jvalue raw, struct block *b)
{
    static const char *const names[] = {
        "type",     "text",        "source",    "title",   "context",       "citations",
        "name",     "id",          "input",     "content", "cache_control", "is_error",
        "thinking", "tool_use_id", "signature", "data",    "tool_name",     "file_id"};
    struct jvalue *places[] = {
        &b->type,     &b->text,    &b->source,    &b->title,   &b->context,   &b->citations,
        &b->name,     &b->id,      &b->input,     &b->content, &b->cache,     &b->is_error,
        &b->thinking, &b->call_id, &b->signature, &b->data,    &b->tool_name, &b->file_id};
    struct jmember m;
    struct jscan s;
    size_t i;

    b->raw = raw;
    if (jscan_object(&s, raw))
        return anthropic_decode_fail(p->d, b->at, "expected object");
    while (!jscan_next_member(&s, &m))
        for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
            if (jscan_key_is(&m, names[i]))
                *places[i] = m.value;
    return ERR_OK;
}

/* What a hosted tool did, and blocks that are newer than we are: only Anthropic can read them. */
static enum err keep_opaque(const struct place *p, const struct block *b, struct slice type)
{
    struct part *part = add(p, PART_OPAQUE, b);
    const char *name = arena_copy(p->d->c->arena, type);

    if (!part || !name)
        return ERR_MEMORY;
    part->vendor = VENDOR_ANTHROPIC;
    part->text = part->raw = b->raw.raw;
    drop(&p->d->c->drops, name);
    return ERR_OK;
}

static enum err decode_block(const struct place *p, struct jvalue raw, const char *at)
{
    struct block b = {.at = at};
    struct slice type;
    enum err e = read_block(p, raw, &b);
    size_t i;

    if (!e)
        e = text_of(p, &b, b.type, "type", &type);
    if (e)
        return e;
    for (i = 0; i < sizeof(blocks) / sizeof(blocks[0]); i++)
        if (slice_eq_z(type, blocks[i].type) && (blocks[i].where & where_of(p)))
            return blocks[i].decode(p, &b);
    if (where_of(p) == IN_ASSISTANT)
        return keep_opaque(p, &b, type);
    return canon_fault(p->d->c->arena, p->d->fault, at,
                       "content of type %.*s is not supported here", SLICE_FMT(type));
}

static enum err decode_blocks(const struct place *p, struct jvalue content, const char *at)
{
    struct block b = {.at = at};
    struct jvalue raw;
    struct slice text;
    struct jscan s;
    size_t i;
    enum err e;

    if (content.raw.p && content.kind == JSCAN_STRING) {
        e = anthropic_decode_text(p->d, content, at, &text);
        return e ? e : add_text(p, &b, text);
    }
    if (!content.raw.p || jscan_array(&s, content))
        return anthropic_decode_fail(p->d, at, "expected string or array");
    for (i = 0; !jscan_next_element(&s, &raw); i++) {
        const char *item = decode_path(p->d, "%s[%zu]", at, i);

        if (!item)
            return ERR_MEMORY;
        e = decode_block(p, raw, item);
        if (e)
            return e;
    }
    return ERR_OK;
}

enum err anthropic_decode_content(struct anthropic_decode *d, struct jvalue content, const char *at)
{
    return decode_blocks(&(struct place){d, &d->c->turns[d->c->turns_n - 1], NULL}, content, at);
}
