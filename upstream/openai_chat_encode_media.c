#include "upstream/openai_chat.h"
#include "upstream/openai_chat_encode.h"

#include <limits.h>
#include <openssl/evp.h>

bool chat_is_media(const struct part *p)
{
    return p->kind == PART_IMAGE || p->kind == PART_AUDIO || p->kind == PART_FILE;
}

static enum err require(struct chat_encode *x, const struct part *p, unsigned modality,
                        const char *what)
{
    if (x->capability->input & modality)
        return ERR_OK;
    return plan_fault(x->plan, p->at, "this model takes no %s", what);
}

static void write_data_url(struct jwrite *w, struct slice mime, struct slice data)
{
    jwrite_string_begin(w);
    jwrite_text(w, SLICE("data:"));
    jwrite_text(w, mime);
    jwrite_text(w, SLICE(";base64,"));
    jwrite_text(w, data);
    jwrite_string_end(w);
}

static bool is_web_url(struct slice url)
{
    return slice_starts_ci(url, "https://") || slice_starts_ci(url, "http://");
}

bool chat_needs_bytes(const struct part *p)
{
    return p->kind != PART_IMAGE;
}

/* ---- images ---- */

/* By the first bytes, for clients that do not tell. */
static struct slice image_mime(const struct media *m)
{
    if (m->mime.n)
        return m->mime;
    if (slice_starts(m->data, "/9j/"))
        return SLICE("image/jpeg");
    if (slice_starts(m->data, "R0lGOD"))
        return SLICE("image/gif");
    return slice_starts(m->data, "UklGR") ? SLICE("image/webp") : SLICE("image/png");
}

enum err chat_encode_image(struct chat_encode *x, const struct part *p)
{
    struct jwrite *w = &x->w;

    if (p->media.source == MEDIA_ID || (p->media.source == MEDIA_URL && !is_web_url(p->media.data)))
        return plan_fault(x->plan, p->at,
                          "an image by a vendor's file id or address cannot be carried to this "
                          "model; send its bytes or an http(s) URL");
    jwrite_object(w);
    jwrite_key_z(w, "type", "image_url");
    jwrite_key_object(w, "image_url");
    jwrite_key(w, "url");
    if (p->media.source == MEDIA_BYTES)
        write_data_url(w, image_mime(&p->media), p->media.data);
    else
        jwrite_string(w, p->media.data);
    if (p->media.detail != DETAIL_UNSET)
        jwrite_key_z(w, "detail", p->media.detail == DETAIL_LOW ? "low" : "high");
    jwrite_object_end(w);
    jwrite_object_end(w);
    return ERR_OK;
}

/* ---- audio ---- */

static const char *audio_format(struct slice mime)
{
    if (slice_eq_ci(mime, "audio/wav") || slice_eq_ci(mime, "audio/x-wav") ||
        slice_eq_ci(mime, "audio/wave"))
        return "wav";
    if (slice_eq_ci(mime, "audio/mpeg") || slice_eq_ci(mime, "audio/mp3"))
        return "mp3";
    return NULL;
}

static enum err write_audio(struct chat_encode *x, const struct part *p)
{
    const char *format = audio_format(p->media.mime);
    struct jwrite *w = &x->w;
    enum err e = require(x, p, MODALITY_AUDIO, "audio");

    if (e)
        return e;
    if (p->media.source != MEDIA_BYTES || !format)
        return plan_fault(x->plan, p->at, "this model takes audio as wav or mp3 bytes only");
    jwrite_object(w);
    jwrite_key_z(w, "type", "input_audio");
    jwrite_key_object(w, "input_audio");
    jwrite_key_string(w, "data", p->media.data);
    jwrite_key_z(w, "format", format);
    jwrite_object_end(w);
    jwrite_object_end(w);
    return ERR_OK;
}

/* ---- files ---- */

/* *out: what base64 stands for when that is text; n 0 when it is not. */
static enum err decode_text(struct chat_encode *x, struct slice base64, struct slice *out)
{
    unsigned char *bytes;
    size_t pad = 0;
    int n;

    *out = (struct slice){NULL, 0};
    if (base64.n == 0 || base64.n % 4 != 0 || base64.n > INT_MAX)
        return ERR_OK;
    while (pad < 2 && base64.p[base64.n - 1 - pad] == '=')
        pad++;
    bytes = arena_alloc(x->plan->arena, base64.n / 4 * 3 + 1);
    if (!bytes)
        return ERR_MEMORY;
    n = EVP_DecodeBlock(bytes, (const unsigned char *)base64.p, (int)base64.n);
    if (n > 0 && str_is_utf8((struct slice){(const char *)bytes, (size_t)n - pad}))
        *out = (struct slice){(const char *)bytes, (size_t)n - pad};
    return ERR_OK;
}

static void write_text_file(struct jwrite *w, struct slice name, struct slice text)
{
    jwrite_object(w);
    jwrite_key_z(w, "type", "text");
    jwrite_key(w, "text");
    jwrite_string_begin(w);
    if (name.n) {
        jwrite_text(w, name);
        jwrite_text(w, SLICE(":\n\n"));
    }
    jwrite_text(w, text);
    jwrite_string_end(w);
    jwrite_object_end(w);
}

static enum err write_file(struct chat_encode *x, const struct part *p)
{
    const struct media *m = &p->media;
    struct slice mime = m->mime.n ? m->mime : SLICE("application/pdf"), text = {NULL, 0};
    struct jwrite *w = &x->w;
    enum err e;

    if (slice_starts_ci(mime, "video/"))
        return plan_fault(x->plan, p->at, "this model takes no video");
    if (m->source != MEDIA_BYTES)
        return plan_fault(x->plan, p->at,
                          "a file by URL or by a vendor's id cannot be carried to this model; send "
                          "its bytes");
    if (slice_starts_ci(mime, "text/") || slice_eq_ci(mime, "application/json")) {
        e = decode_text(x, m->data, &text);
        if (e)
            return e;
    }
    if (text.n) { /* every model can read it so */
        write_text_file(w, m->name, text);
        return ERR_OK;
    }
    e = require(x, p, MODALITY_FILE, "files");
    if (e)
        return e;
    jwrite_object(w);
    jwrite_key_z(w, "type", "file");
    jwrite_key_object(w, "file");
    jwrite_key_string(w, "filename", m->name.n ? m->name : SLICE("document.pdf"));
    jwrite_key(w, "file_data");
    write_data_url(w, mime, m->data);
    jwrite_object_end(w);
    jwrite_object_end(w);
    return ERR_OK;
}

enum err chat_encode_media(struct chat_encode *x, const struct part *p)
{
    enum err e;

    if (p->kind == PART_AUDIO)
        return write_audio(x, p);
    if (p->kind == PART_FILE)
        return write_file(x, p);
    e = require(x, p, MODALITY_IMAGE, "images");
    return e ? e : chat_encode_image(x, p);
}
