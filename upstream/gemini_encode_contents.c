#include "upstream/gemini.h"

#include "base/log.h"

#include <string.h>

#define RESULT_MEDIA "Content of the result of call %.*s:"

struct writer {
    struct canon *c;
    struct plan *p;
    struct jwrite *w;
    bool is_level; /* a model that wants signatures and takes media in results */
};

/* ---- media ---- */

/* The type of a payload whose client did not tell it, by the first bytes in base64, or by the end
 * of its address. */
static struct slice guess_mime(const struct media *m)
{
    static const char *const heads[][2] = {
        {"iVBORw", "image/png"      },
        {"/9j/",   "image/jpeg"     },
        {"R0lGOD", "image/gif"      },
        {"UklGR",  "image/webp"     },
        {"JVBERi", "application/pdf"},
        {"SUQz",   "audio/mpeg"     },
    };
    static const char *const ends[][2] = {
        {".png",  "image/png"      },
        {".jpg",  "image/jpeg"     },
        {".jpeg", "image/jpeg"     },
        {".gif",  "image/gif"      },
        {".webp", "image/webp"     },
        {".pdf",  "application/pdf"},
        {".mp3",  "audio/mpeg"     },
        {".wav",  "audio/wav"      },
        {".mp4",  "video/mp4"      },
        {".txt",  "text/plain"     },
    };
    struct slice name = m->source == MEDIA_BYTES ? m->name : m->data;
    size_t i;

    for (i = 0; m->source == MEDIA_BYTES && i < sizeof(heads) / sizeof(heads[0]); i++)
        if (slice_starts(m->data, heads[i][0]))
            return slice_of(heads[i][1]);
    for (i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
        size_t n = strlen(ends[i][0]);

        if (name.n > n && slice_eq_ci((struct slice){name.p + name.n - n, n}, ends[i][0]))
            return slice_of(ends[i][1]);
    }
    return (struct slice){NULL, 0};
}

static unsigned modality_of(const struct part *part, struct slice mime)
{
    if (part->kind == PART_IMAGE || slice_starts_ci(mime, "image/"))
        return MODALITY_IMAGE;
    if (part->kind == PART_AUDIO || slice_starts_ci(mime, "audio/"))
        return MODALITY_AUDIO;
    return slice_starts_ci(mime, "video/") ? MODALITY_VIDEO : MODALITY_FILE;
}

bool gemini_needs_bytes(const struct part *part)
{
    static const char *const videos[] = {"https://www.youtube.com/", "https://youtube.com/",
                                         "https://m.youtube.com/", "https://youtu.be/"};
    size_t i;

    for (i = 0; i < sizeof(videos) / sizeof(videos[0]); i++)
        if (slice_starts_ci(part->media.data, videos[i]))
            return false;
    return true;
}

/* The members inlineData or fileData of an object that is open. */
static enum err write_media_members(struct writer *x, const struct part *part)
{
    const struct media *m = &part->media;
    struct slice mime = m->mime.n ? m->mime : guess_mime(m);
    bool is_bytes = m->source == MEDIA_BYTES;

    if (m->source == MEDIA_ID)
        return plan_fault(x->p, part->at,
                          "a file id of another provider is not known to this model");
    if (m->source == MEDIA_URL && gemini_needs_bytes(part))
        return plan_fault(x->p, part->at,
                          "media by URL cannot be carried to this model; send its bytes");
    if (!(x->p->capability->input & modality_of(part, mime)))
        return plan_fault(x->p, part->at, "this model does not take media of the type %.*s",
                          SLICE_FMT(mime));
    if (is_bytes && mime.n == 0)
        return plan_fault(x->p, part->at, "the media type must be given");
    jwrite_key_object(x->w, is_bytes ? "inlineData" : "fileData");
    if (mime.n)
        jwrite_key_string(x->w, "mimeType", mime);
    jwrite_key_string(x->w, is_bytes ? "data" : "fileUri", m->data);
    jwrite_object_end(x->w);
    return x->w->e;
}

static enum err write_media(struct writer *x, const struct part *part)
{
    enum err e;

    jwrite_object(x->w);
    e = write_media_members(x, part);
    if (!e)
        jwrite_object_end(x->w);
    return e;
}

static bool is_media(const struct part *part)
{
    return part->kind == PART_IMAGE || part->kind == PART_AUDIO || part->kind == PART_FILE;
}

/* ---- calls and results ---- */

/* Arguments as an object: text that is none goes along under a name of its own. */
static void write_args(struct writer *x, const struct part *call)
{
    struct jvalue v;

    if (call->is_custom) {
        jwrite_object(x->w);
        jwrite_key_string(x->w, "input", call->text.p ? call->text : SLICE(""));
        jwrite_object_end(x->w);
        return;
    }
    if (slice_trim(call->text).n == 0) {
        jwrite_raw(x->w, SLICE("{}"));
        return;
    }
    if (!jscan_validate(call->text, &v, NULL) && v.kind == JSCAN_OBJECT) {
        jwrite_raw(x->w, v.raw);
        return;
    }
    log_warn("call_args_no_object", "bytes=%zu", call->text.n);
    jwrite_object(x->w);
    jwrite_key_string(x->w, "_raw", call->text);
    jwrite_object_end(x->w);
}

static void write_signature(struct writer *x, const struct part *part, bool needs_one)
{
    if (part->seal.vendor == VENDOR_GEMINI && part->seal.payload.n)
        jwrite_key_string(x->w, "thoughtSignature", part->seal.payload);
    else if (needs_one)
        jwrite_key_z(x->w, "thoughtSignature", GEMINI_NO_SIGNATURE);
}

/* The first call of each step carries a signature. The word for a lost one goes to all steps and
 * not to those of the current turn only, where it is needed: so the history keeps its bytes from
 * turn to turn, and the prompt's cache holds. */
static enum err write_call(struct writer *x, const struct part *call, bool is_first)
{
    struct slice name = tool_names_safe(&x->p->names, call->name);

    if (name.n == 0)
        return ERR_MEMORY;
    jwrite_object(x->w);
    jwrite_key_object(x->w, "functionCall");
    if (call->id.n)
        jwrite_key_string(x->w, "id", call->id);
    jwrite_key_string(x->w, "name", name);
    jwrite_key(x->w, "args");
    write_args(x, call);
    jwrite_object_end(x->w);
    write_signature(x, call, is_first && x->is_level);
    jwrite_object_end(x->w);
    return x->w->e;
}

static void write_response(struct writer *x, const struct part *result)
{
    bool is_first = true;
    size_t i;

    jwrite_key_object(x->w, "response");
    jwrite_key(x->w, result->is_error ? "error" : "output");
    jwrite_string_begin(x->w);
    for (i = 0; i < result->parts_n; i++) {
        const struct part *part = &result->parts[i];

        if (part->kind != PART_TEXT && part->kind != PART_REFUSAL)
            continue;
        if (!is_first)
            jwrite_text(x->w, SLICE("\n"));
        is_first = false;
        jwrite_text(x->w, part->text);
    }
    jwrite_string_end(x->w);
    jwrite_object_end(x->w);
}

/* Media in the result itself; older models get them behind all results. */
static enum err write_response_parts(struct writer *x, const struct part *result)
{
    bool is_open = false;
    enum err e;
    size_t i;

    for (i = 0; i < result->parts_n; i++) {
        if (!is_media(&result->parts[i]))
            continue;
        if (!is_open)
            jwrite_key_array(x->w, "parts");
        is_open = true;
        e = write_media(x, &result->parts[i]);
        if (e)
            return e;
    }
    if (is_open)
        jwrite_array_end(x->w);
    return ERR_OK;
}

static enum err write_result(struct writer *x, const struct part *result)
{
    struct slice name = tool_names_safe(&x->p->names, result->name);
    enum err e = ERR_OK;

    if (name.n == 0)
        return ERR_MEMORY;
    jwrite_object(x->w);
    jwrite_key_object(x->w, "functionResponse");
    if (result->id.n)
        jwrite_key_string(x->w, "id", result->id);
    jwrite_key_string(x->w, "name", name);
    write_response(x, result);
    if (x->is_level)
        e = write_response_parts(x, result);
    if (e)
        return e;
    jwrite_object_end(x->w);
    jwrite_object_end(x->w);
    return x->w->e;
}

static enum err write_result_media(struct writer *x, const struct part *result)
{
    bool is_told = false;
    const char *text;
    enum err e = ERR_OK;
    size_t i;

    for (i = 0; i < result->parts_n && !e; i++) {
        if (!is_media(&result->parts[i]))
            continue;
        if (!is_told) {
            text = arena_printf(x->p->arena, RESULT_MEDIA, SLICE_FMT(result->id));
            if (!text)
                return ERR_MEMORY;
            jwrite_object(x->w);
            jwrite_key_z(x->w, "text", text);
            jwrite_object_end(x->w);
            is_told = true;
        }
        e = write_media(x, &result->parts[i]);
    }
    return e;
}

/* ---- turns ---- */

static void write_text(struct writer *x, const struct part *part)
{
    jwrite_object(x->w);
    jwrite_key_string(x->w, "text", part->text);
    write_signature(x, part, false);
    jwrite_object_end(x->w);
}

static enum err write_part(struct writer *x, const struct part *part, bool *has_call)
{
    enum err e;

    switch (part->kind) {
    case PART_TEXT:
    case PART_REFUSAL:
        write_text(x, part);
        return x->w->e;
    case PART_IMAGE:
    case PART_AUDIO:
    case PART_FILE:
        return write_media(x, part);
    case PART_CALL:
        e = write_call(x, part, !*has_call);
        *has_call = true;
        return e;
    case PART_RESULT:
        return write_result(x, part);
    case PART_OPAQUE:
        jwrite_raw(x->w, part->text);
        return x->w->e;
    case PART_THINKING: /* its text is never sent back, its signature is on the next part */
    default:
        return ERR_OK;
    }
}

/* Results stand first in their turn; what they show comes behind the last of them. */
static enum err write_parts(struct writer *x, const struct turn *t)
{
    bool has_call = false;
    size_t results = 0, i;
    enum err e = ERR_OK;

    while (results < t->parts_n && t->parts[results].kind == PART_RESULT)
        results++;
    for (i = 0; i < results && !e; i++)
        e = write_result(x, &t->parts[i]);
    for (i = 0; i < results && !e && !x->is_level; i++)
        e = write_result_media(x, &t->parts[i]);
    for (i = results; i < t->parts_n && !e; i++)
        e = write_part(x, &t->parts[i], &has_call);
    return e;
}

static bool has_content(const struct turn *t)
{
    size_t i;

    for (i = 0; i < t->parts_n; i++)
        if (t->parts[i].kind != PART_THINKING)
            return true;
    return false;
}

static enum err write_turn(struct writer *x, const struct turn *t)
{
    enum err e;

    jwrite_object(x->w);
    jwrite_key_z(x->w, "role", t->role == CANON_ASSISTANT ? "model" : "user");
    jwrite_key_array(x->w, "parts");
    e = write_parts(x, t);
    if (e)
        return e;
    jwrite_array_end(x->w);
    jwrite_object_end(x->w);
    return x->w->e;
}

enum err gemini_encode_contents(struct canon *c, struct plan *p, size_t system_n, struct jwrite *w)
{
    struct writer x = {c, p, w, gemini_think_style(p) == THINK_STYLE_LEVEL};
    size_t i, written = 0;
    enum err e = ERR_OK;

    jwrite_key_array(w, "contents");
    for (i = system_n; i < c->turns_n && !e; i++) {
        if (!has_content(&c->turns[i]))
            continue;
        e = write_turn(&x, &c->turns[i]);
        written++;
    }
    if (e)
        return e;
    if (written == 0) /* a question that nothing is left of: an empty list would be an error */
        jwrite_raw(w, SLICE("{\"role\":\"user\",\"parts\":[{\"text\":\".\"}]}"));
    jwrite_array_end(w);
    return w->e;
}
