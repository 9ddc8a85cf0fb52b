#include "upstream/anthropic_encode.h"

#include "base/log.h"

#include <openssl/evp.h>
#include <string.h>

#define JSON_LINE       "Answer with one valid JSON object only, without any other text around it."
#define SYSTEM_OPEN     "<system>\n"
#define SYSTEM_SHUT     "\n</system>"
#define TEXT_BASE64_MAX ((size_t)64 << 20)

static bool is_blank(struct slice text)
{
    return slice_trim(text).n == 0;
}

void anthropic_write_mark(struct anthropic_encode *r, enum cache_mark mark)
{
    bool is_long = mark == CACHE_1H || mark == CACHE_12H;

    if (mark == CACHE_NONE)
        return;
    if (r->marks_left_out) {
        r->marks_left_out--;
        return;
    }
    jwrite_key_object(&r->w, "cache_control");
    jwrite_key_z(&r->w, "type", "ephemeral");
    if (is_long && !r->has_short_mark)
        jwrite_key_z(&r->w, "ttl", "1h");
    else
        r->has_short_mark = true;
    jwrite_object_end(&r->w);
}

static void write_text(struct anthropic_encode *r, struct slice text, enum cache_mark mark)
{
    jwrite_object(&r->w);
    jwrite_key_z(&r->w, "type", "text");
    jwrite_key_string(&r->w, "text", text);
    anthropic_write_mark(r, mark);
    jwrite_object_end(&r->w);
}

/* ---- images and documents ---- */

/* What the first characters of base64 say, for clients that do not tell. */
static const char *sniff(struct slice base64)
{
    static const struct {
        const char *head, *mime;
    } heads[] = {
        {"iVBORw0KGgo", "image/png"      },
        {"/9j/",        "image/jpeg"     },
        {"R0lGOD",      "image/gif"      },
        {"UklGR",       "image/webp"     },
        {"JVBERi0",     "application/pdf"},
    };
    size_t i;

    for (i = 0; i < sizeof(heads) / sizeof(heads[0]); i++)
        if (slice_starts(base64, heads[i].head))
            return heads[i].mime;
    return NULL;
}

/* The type without its parameters; p NULL when nobody knows. */
static struct slice mime_of(const struct media *m)
{
    struct slice mime = m->mime;

    if (mime.n == 0 && m->source == MEDIA_BYTES)
        return slice_of(sniff(m->data));
    mime = slice_trim(slice_split(&mime, ';'));
    return slice_eq_ci(mime, "image/jpg") ? SLICE("image/jpeg") : mime;
}

static bool is_image(struct slice mime)
{
    return slice_eq_ci(mime, "image/jpeg") || slice_eq_ci(mime, "image/png") ||
           slice_eq_ci(mime, "image/gif") || slice_eq_ci(mime, "image/webp");
}

static bool is_text(struct slice mime)
{
    return slice_starts_ci(mime, "text/") || slice_eq_ci(mime, "application/json") ||
           slice_eq_ci(mime, "application/xml") || slice_eq_ci(mime, "application/yaml");
}

bool anthropic_needs_bytes(const struct part *part)
{
    struct slice mime = mime_of(&part->media);

    return part->kind == PART_FILE && is_text(mime);
}

static void write_source(struct anthropic_encode *r, const struct media *m, struct slice mime)
{
    jwrite_key_object(&r->w, "source");
    if (m->source == MEDIA_URL) {
        jwrite_key_z(&r->w, "type", "url");
        jwrite_key_string(&r->w, "url", m->data);
    } else {
        jwrite_key_z(&r->w, "type", "base64");
        jwrite_key_string(&r->w, "media_type", mime);
        jwrite_key_string(&r->w, "data", m->data);
    }
    jwrite_object_end(&r->w);
}

static enum err write_image(struct anthropic_encode *r, const struct part *p)
{
    struct slice mime = mime_of(&p->media);

    if (!(r->cap->input & MODALITY_IMAGE))
        return plan_fault(r->p, p->at, "images are not supported by this model");
    if (p->media.source == MEDIA_BYTES && !is_image(mime))
        return plan_fault(r->p, p->at,
                          "images of type %.*s are not supported by this model: expected "
                          "image/jpeg, image/png, image/gif or image/webp",
                          SLICE_FMT(mime));
    if (p->media.detail != DETAIL_UNSET)
        canon_drop(r->c, &r->p->drops, FIELD_DETAIL);
    jwrite_object(&r->w);
    jwrite_key_z(&r->w, "type", "image");
    write_source(r, &p->media, mime);
    anthropic_write_mark(r, p->cache);
    jwrite_object_end(&r->w);
    return ERR_OK;
}

/* *text: what base64 stands for. ERR_FORMAT when it is none, or no UTF-8. */
static enum err decode_text(struct arena *a, struct slice base64, struct slice *text)
{
    unsigned char *bytes;
    size_t pad = 0;
    int n;

    if (base64.n == 0 || base64.n % 4 != 0 || base64.n > TEXT_BASE64_MAX)
        return ERR_FORMAT;
    while (pad < 2 && base64.p[base64.n - 1 - pad] == '=')
        pad++;
    bytes = arena_alloc(a, base64.n / 4 * 3 + 1);
    if (!bytes)
        return ERR_MEMORY;
    n = EVP_DecodeBlock(bytes, (const unsigned char *)base64.p, (int)base64.n);
    if (n < 0)
        return ERR_FORMAT;
    *text = (struct slice){(const char *)bytes, (size_t)n - pad};
    return str_is_utf8(*text) && !memchr(text->p, '\0', text->n) ? ERR_OK : ERR_FORMAT;
}

static enum err write_text_source(struct anthropic_encode *r, const struct part *p)
{
    struct slice text;
    enum err e = decode_text(r->c->arena, p->media.data, &text);

    if (e == ERR_FORMAT)
        return plan_fault(r->p, p->at, "expected base64 of UTF-8 text");
    if (e)
        return e;
    jwrite_key_object(&r->w, "source");
    jwrite_key_z(&r->w, "type", "text");
    jwrite_key_z(&r->w, "media_type", "text/plain");
    jwrite_key_string(&r->w, "data", text);
    jwrite_object_end(&r->w);
    return ERR_OK;
}

static enum err write_file(struct anthropic_encode *r, const struct part *p)
{
    struct slice mime = mime_of(&p->media);
    bool is_bytes = p->media.source == MEDIA_BYTES;
    enum err e = ERR_OK;

    if (p->media.source != MEDIA_ID && is_image(mime))
        return write_image(r, p);
    if (!(r->cap->input & MODALITY_FILE))
        return plan_fault(r->p, p->at, "files are not supported by this model");
    if (!slice_eq_ci(mime, "application/pdf") && !(is_bytes && is_text(mime)) &&
        !(!is_bytes && mime.n == 0))
        return plan_fault(r->p, p->at, "files of type %.*s are not supported by this model",
                          SLICE_FMT(mime));
    jwrite_object(&r->w);
    jwrite_key_z(&r->w, "type", "document");
    if (is_bytes && is_text(mime))
        e = write_text_source(r, p);
    else
        write_source(r, &p->media, SLICE("application/pdf"));
    if (p->media.name.n)
        jwrite_key_string(&r->w, "title", p->media.name);
    anthropic_write_mark(r, p->cache);
    jwrite_object_end(&r->w);
    return e;
}

static enum err write_media(struct anthropic_encode *r, const struct part *p)
{
    if (p->media.source == MEDIA_ID)
        return plan_fault(r->p, p->at, "a file id of another provider cannot be used here");
    if (p->kind == PART_AUDIO)
        return plan_fault(r->p, p->at, "audio is not supported by this model");
    return p->kind == PART_IMAGE ? write_image(r, p) : write_file(r, p);
}

/* ---- tools and thinking ---- */

/* Arguments are text everywhere else, and an object here. */
static void write_input(struct anthropic_encode *r, const struct part *p)
{
    struct slice args = slice_trim(p->text);
    struct jvalue v;

    if (!p->is_custom && args.n == 0) {
        jwrite_key_raw(&r->w, "input", SLICE("{}"));
        return;
    }
    if (!p->is_custom && !jscan_validate(args, &v, NULL) && v.kind == JSCAN_OBJECT) {
        jwrite_key_raw(&r->w, "input", v.raw);
        return;
    }
    if (!p->is_custom)
        log_warn("call_arguments_no_object", "bytes=%zu", args.n);
    jwrite_key_object(&r->w, "input");
    jwrite_key_string(&r->w, p->is_custom ? "input" : "_raw", p->text.p ? p->text : SLICE(""));
    jwrite_object_end(&r->w);
}

static enum err write_call(struct anthropic_encode *r, const struct part *p)
{
    struct slice name = tool_names_safe(&r->p->names, p->name);

    if (name.n == 0)
        return ERR_MEMORY;
    jwrite_object(&r->w);
    jwrite_key_z(&r->w, "type", "tool_use");
    jwrite_key_string(&r->w, "id", p->id);
    jwrite_key_string(&r->w, "name", name);
    write_input(r, p);
    anthropic_write_mark(r, p->cache);
    jwrite_object_end(&r->w);
    return ERR_OK;
}

/* Some text, or something else than text. */
static bool has_substance(const struct part *parts, size_t n)
{
    size_t i;

    for (i = 0; i < n; i++)
        if (parts[i].kind != PART_TEXT || !is_blank(parts[i].text))
            return true;
    return false;
}

static enum err write_result_content(struct anthropic_encode *r, const struct part *p)
{
    enum err e = ERR_OK;
    size_t i;

    jwrite_key_array(&r->w, "content");
    for (i = 0; i < p->parts_n && !e; i++) {
        struct part inner = p->parts[i];

        inner.cache = CACHE_NONE; /* the result has one of its own */
        if (inner.kind != PART_TEXT)
            e = write_media(r, &inner);
        else if (!is_blank(inner.text))
            write_text(r, inner.text, CACHE_NONE);
    }
    jwrite_array_end(&r->w);
    return e;
}

static enum err write_result(struct anthropic_encode *r, const struct part *p)
{
    enum err e = ERR_OK;

    jwrite_object(&r->w);
    jwrite_key_z(&r->w, "type", "tool_result");
    jwrite_key_string(&r->w, "tool_use_id", p->id);
    if (has_substance(p->parts, p->parts_n))
        e = write_result_content(r, p);
    if (p->is_error)
        jwrite_key_bool(&r->w, "is_error", true);
    anthropic_write_mark(r, p->cache);
    jwrite_object_end(&r->w);
    return e;
}

static void write_thinking(struct anthropic_encode *r, const struct part *p)
{
    jwrite_object(&r->w);
    if (p->seal.is_redacted) {
        jwrite_key_z(&r->w, "type", "redacted_thinking");
        jwrite_key_string(&r->w, "data", p->seal.payload);
    } else {
        jwrite_key_z(&r->w, "type", "thinking");
        jwrite_key_string(&r->w, "thinking", p->text.p ? p->text : SLICE(""));
        jwrite_key_string(&r->w, "signature", p->seal.payload);
    }
    jwrite_object_end(&r->w);
}

/* ---- turns ---- */

/* *n counts what was written. */
static enum err write_part(struct anthropic_encode *r, const struct part *p, size_t *n)
{
    ++*n;
    switch (p->kind) {
    case PART_CALL:
        return write_call(r, p);
    case PART_RESULT:
        return write_result(r, p);
    case PART_IMAGE:
    case PART_AUDIO:
    case PART_FILE:
        return write_media(r, p);
    case PART_OPAQUE:
        if (p->vendor == VENDOR_ANTHROPIC) {
            jwrite_raw(&r->w, p->text);
            return ERR_OK;
        }
        break;
    case PART_THINKING:
        if (p->seal.vendor == VENDOR_ANTHROPIC) {
            write_thinking(r, p);
            return ERR_OK;
        }
        break;
    case PART_TEXT:
    case PART_REFUSAL:
    default:
        if (!is_blank(p->text)) {
            write_text(r, p->text, p->cache);
            return ERR_OK;
        }
        break;
    }
    --*n;
    return ERR_OK;
}

static void trim_end(struct part *p)
{
    while (p->text.n && strchr(" \t\r\n", p->text.p[p->text.n - 1]))
        p->text.n--;
}

static void write_system_line(struct anthropic_encode *r, struct slice line)
{
    jwrite_object(&r->w);
    jwrite_key_z(&r->w, "type", "text");
    jwrite_key(&r->w, "text");
    jwrite_string_begin(&r->w);
    jwrite_text(&r->w, SLICE(SYSTEM_OPEN));
    jwrite_text(&r->w, line);
    jwrite_text(&r->w, SLICE(SYSTEM_SHUT));
    jwrite_string_end(&r->w);
    jwrite_object_end(&r->w);
}

static void begin_message(struct anthropic_encode *r, const char *role)
{
    jwrite_object(&r->w);
    jwrite_key_z(&r->w, "role", role);
    jwrite_key_array(&r->w, "content");
}

static void end_message(struct anthropic_encode *r)
{
    jwrite_array_end(&r->w);
    jwrite_object_end(&r->w);
}

static enum err write_turn(struct anthropic_encode *r, struct turn *t, bool is_last)
{
    static const char *const roles[] = {
        [CANON_SYSTEM] = "system", [CANON_USER] = "user", [CANON_ASSISTANT] = "assistant"};
    enum err e = ERR_OK;
    size_t i, n = 0;

    if (t->name.n)
        canon_drop(r->c, &r->p->drops, FIELD_NAME);
    if (is_last && t->role == CANON_ASSISTANT && t->parts[t->parts_n - 1].kind == PART_TEXT)
        trim_end(&t->parts[t->parts_n - 1]); /* a prefill must not end in white space */
    begin_message(r, roles[t->role]);
    for (i = 0; i < t->parts_n && !e; i++)
        e = write_part(r, &t->parts[i], &n);
    if (is_last && t->role == CANON_USER && r->must_call.p && !r->cap->has_system_turns)
        write_system_line(r, r->must_call);
    else if (n == 0)
        write_text(r, SLICE("."), CACHE_NONE); /* a turn must not be empty */
    end_message(r);
    return e;
}

enum err anthropic_write_messages(struct anthropic_encode *r)
{
    struct canon *c = r->c;
    bool is_user_last = c->turns[c->turns_n - 1].role == CANON_USER;
    enum err e = ERR_OK;
    size_t i;

    jwrite_key_array(&r->w, "messages");
    for (i = r->system_n; i < c->turns_n && !e; i++)
        e = write_turn(r, &c->turns[i], i + 1 == c->turns_n);
    if (r->must_call.p && r->cap->has_system_turns) {
        begin_message(r, "system");
        write_text(r, r->must_call, CACHE_NONE);
        end_message(r);
    } else if (r->must_call.p && !is_user_last) {
        begin_message(r, "user");
        write_system_line(r, r->must_call);
        end_message(r);
    }
    jwrite_array_end(&r->w);
    return e;
}

enum err anthropic_write_system(struct anthropic_encode *r)
{
    bool wants_json = r->c->format.kind == OUTPUT_JSON, has_text = wants_json;
    size_t i, k;

    for (i = 0; i < r->system_n; i++)
        has_text |= has_substance(r->c->turns[i].parts, r->c->turns[i].parts_n);
    if (!has_text)
        return ERR_OK;
    jwrite_key_array(&r->w, "system");
    for (i = 0; i < r->system_n; i++)
        for (k = 0; k < r->c->turns[i].parts_n; k++) {
            const struct part *p = &r->c->turns[i].parts[k];

            if (p->kind != PART_TEXT)
                return plan_fault(r->p, p->at, "only text is supported in a system prompt");
            if (!is_blank(p->text))
                write_text(r, p->text, p->cache);
        }
    if (wants_json)
        write_text(r, SLICE(JSON_LINE), CACHE_NONE);
    jwrite_array_end(&r->w);
    return ERR_OK;
}
