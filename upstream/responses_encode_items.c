#include "upstream/responses.h"

#include "base/buf.h"
#include "upstream/translate.h"

#include <string.h>

#define ERROR_MARK "Error: " /* before the text of a result that is one: there is no flag */

struct items {
    struct canon *c;
    struct plan *p;
    struct jwrite *w;
};

/* ---- parts of a user's message or of a result ---- */

static enum err check_input(struct items *x, const struct part *part, unsigned modality,
                            const char *what)
{
    if (part->media.source == MEDIA_ID && x->c->vendor != VENDOR_OPENAI)
        return plan_fault(x->p, part->at,
                          "a file of another provider cannot be read by this model");
    if (x->p->capability->input & modality)
        return ERR_OK;
    return plan_fault(x->p, part->at, "this model does not take %s", what);
}

static void write_data_url(struct jwrite *w, const char *member, const struct media *m,
                           const char *mime)
{
    jwrite_key(w, member);
    jwrite_string_begin(w);
    jwrite_text(w, SLICE("data:"));
    jwrite_text(w, m->mime.n ? m->mime : slice_of(mime));
    jwrite_text(w, SLICE(";base64,"));
    jwrite_text(w, m->data);
    jwrite_string_end(w);
}

static enum err write_image(struct items *x, const struct part *part)
{
    static const char *const details[] = {
        [DETAIL_UNSET] = "auto", [DETAIL_LOW] = "low", [DETAIL_HIGH] = "high"};
    const struct media *m = &part->media;
    enum err e = check_input(x, part, MODALITY_IMAGE, "images");

    if (e)
        return e;
    jwrite_object(x->w);
    jwrite_key_z(x->w, "type", "input_image");
    if (m->source == MEDIA_BYTES)
        write_data_url(x->w, "image_url", m, "image/png");
    else
        jwrite_key_string(x->w, m->source == MEDIA_ID ? "file_id" : "image_url", m->data);
    jwrite_key_z(x->w, "detail", details[m->detail]);
    jwrite_object_end(x->w);
    return ERR_OK;
}

static enum err write_file(struct items *x, const struct part *part)
{
    const struct media *m = &part->media;
    struct slice name = m->name;
    enum err e;

    if (slice_starts_ci(m->mime, "video/"))
        return plan_fault(x->p, part->at, "this model does not take videos");
    e = check_input(x, part, MODALITY_FILE, "files");
    if (e)
        return e;
    if (name.n == 0) /* bytes are refused without one */
        name = slice_starts_ci(m->mime, "text/") ? SLICE("document.txt") : SLICE("document.pdf");
    jwrite_object(x->w);
    jwrite_key_z(x->w, "type", "input_file");
    if (m->source == MEDIA_BYTES) {
        jwrite_key_string(x->w, "filename", name);
        write_data_url(x->w, "file_data", m, "application/pdf");
    } else {
        jwrite_key_string(x->w, m->source == MEDIA_ID ? "file_id" : "file_url", m->data);
    }
    jwrite_object_end(x->w);
    return ERR_OK;
}

bool responses_needs_bytes(const struct part *part)
{
    return part->kind == PART_AUDIO;
}

static enum err write_audio(struct items *x, const struct part *part)
{
    const struct media *m = &part->media;
    const char *format = NULL;
    enum err e = check_input(x, part, MODALITY_AUDIO, "audio");

    if (e)
        return e;
    if (slice_eq_ci(m->mime, "audio/wav") || slice_eq_ci(m->mime, "audio/x-wav"))
        format = "wav";
    else if (slice_eq_ci(m->mime, "audio/mp3") || slice_eq_ci(m->mime, "audio/mpeg"))
        format = "mp3";
    if (!format || m->source != MEDIA_BYTES)
        return plan_fault(x->p, part->at, "this model takes wav and mp3 audio only");
    jwrite_object(x->w);
    jwrite_key_z(x->w, "type", "input_audio");
    jwrite_key_object(x->w, "input_audio");
    jwrite_key_string(x->w, "data", m->data);
    jwrite_key_z(x->w, "format", format);
    jwrite_object_end(x->w);
    jwrite_object_end(x->w);
    return ERR_OK;
}

static void write_input_text(struct jwrite *w, const char *before, struct slice text)
{
    jwrite_object(w);
    jwrite_key_z(w, "type", "input_text");
    jwrite_key(w, "text");
    jwrite_string_begin(w);
    jwrite_text(w, slice_of(before));
    jwrite_text(w, text);
    jwrite_string_end(w);
    jwrite_object_end(w);
}

static enum err write_part(struct items *x, const struct part *part, const char *before)
{
    if (part->cache != CACHE_NONE) /* caching is automatic; not every model takes marks */
        canon_drop(x->c, &x->p->drops, FIELD_CACHE);
    switch (part->kind) {
    case PART_TEXT:
    case PART_REFUSAL:
        write_input_text(x->w, before, part->text);
        return ERR_OK;
    case PART_IMAGE:
        return write_image(x, part);
    case PART_FILE:
        return write_file(x, part);
    case PART_AUDIO:
        return write_audio(x, part);
    default:
        return plan_fault(x->p, part->at, "this content cannot be carried to this model");
    }
}

/* ---- calls and results ---- */

bool responses_sends_custom(const struct plan *p)
{
    return p->capability->has_custom_tools;
}

static enum err write_call(struct items *x, const struct part *part)
{
    bool is_custom = part->is_custom && responses_sends_custom(x->p);
    struct slice name = tool_names_safe(&x->p->names, part->name);
    struct jwrite *w = x->w;

    if (name.n == 0)
        return ERR_MEMORY;
    if (part->is_custom && !is_custom)
        tool_names_mark_custom(&x->p->names, part->name);
    jwrite_object(w);
    jwrite_key_z(w, "type", is_custom ? "custom_tool_call" : "function_call");
    jwrite_key_string(w, "call_id", part->id);
    jwrite_key_string(w, "name", name);
    if (is_custom) {
        jwrite_key_string(w, "input", part->text.p ? part->text : SLICE(""));
    } else if (part->is_custom) {
        jwrite_key(w, "arguments");
        jwrite_string_begin(w);
        jwrite_text(w, SLICE("{\"input\":"));
        if (w->e == ERR_OK) {
            struct buf quoted;

            buf_init(&quoted, part->text.n * 6 + 16); /* \u00XX at worst */
            w->e = jscan_escape(&quoted, part->text);
            jwrite_text(w, buf_slice(&quoted));
            buf_clear(&quoted);
        }
        jwrite_text(w, SLICE("}"));
        jwrite_string_end(w);
    } else {
        jwrite_key_string(w, "arguments", part->text.n ? part->text : SLICE("{}"));
    }
    jwrite_object_end(w);
    return ERR_OK;
}

static enum err write_result(struct items *x, const struct part *result)
{
    bool is_custom = responses_sends_custom(x->p) && result->is_custom;
    bool is_text = result->parts_n == 1 && result->parts[0].kind == PART_TEXT;
    const char *before = result->is_error ? ERROR_MARK : "";
    struct jwrite *w = x->w;
    enum err e = ERR_OK;
    size_t i;

    jwrite_object(w);
    jwrite_key_z(w, "type", is_custom ? "custom_tool_call_output" : "function_call_output");
    jwrite_key_string(w, "call_id", result->id);
    jwrite_key(w, "output");
    if (is_text || result->parts_n == 0) {
        jwrite_string_begin(w);
        jwrite_text(w, slice_of(before));
        if (is_text)
            jwrite_text(w, result->parts[0].text);
        jwrite_string_end(w);
    } else {
        jwrite_array(w);
        for (i = 0; i < result->parts_n && !e; i++) {
            e = write_part(x, &result->parts[i], before);
            if (result->parts[i].kind == PART_TEXT)
                before = "";
        }
        if (e)
            return e;
        jwrite_array_end(w);
    }
    jwrite_object_end(w);
    return ERR_OK;
}

/* ---- turns ---- */

static void open_message(struct jwrite *w, const char *role)
{
    jwrite_object(w);
    jwrite_key_z(w, "type", "message");
    jwrite_key_z(w, "role", role);
    jwrite_key(w, "content");
}

/* Texts and media of a user or of the system, from index i on, as one message. */
static enum err write_message(struct items *x, const struct turn *t, const char *role, size_t *i)
{
    enum err e = ERR_OK;

    open_message(x->w, role);
    jwrite_array(x->w);
    for (; *i < t->parts_n && t->parts[*i].kind != PART_RESULT && !e; ++*i)
        e = write_part(x, &t->parts[*i], "");
    if (e)
        return e;
    jwrite_array_end(x->w);
    jwrite_object_end(x->w);
    return ERR_OK;
}

static bool is_said(const struct part *part)
{
    return part->kind == PART_TEXT || part->kind == PART_REFUSAL;
}

/* What the assistant said, from index i on: as a mere text, since a list would need the id that the
 * message once had. */
static void write_said(struct items *x, const struct turn *t, size_t *i)
{
    open_message(x->w, "assistant");
    jwrite_string_begin(x->w);
    for (; *i < t->parts_n && is_said(&t->parts[*i]); ++*i) {
        if (t->parts[*i].cache != CACHE_NONE)
            canon_drop(x->c, &x->p->drops, FIELD_CACHE);
        jwrite_text(x->w, t->parts[*i].text);
    }
    jwrite_string_end(x->w);
    jwrite_object_end(x->w);
}

/* Thinking goes back to who sealed it only. */
static void write_reasoning(struct items *x, const struct seal *seal, struct slice text)
{
    struct jwrite *w = x->w;

    if (seal->vendor != VENDOR_OPENAI || seal->payload.n == 0)
        return;
    jwrite_object(w);
    jwrite_key_z(w, "type", "reasoning");
    if (seal->id.n) /* bound into the seal: never one of ours */
        jwrite_key_string(w, "id", seal->id);
    jwrite_key_array(w, "summary");
    if (text.n) {
        jwrite_object(w);
        jwrite_key_z(w, "type", "summary_text");
        jwrite_key_string(w, "text", text);
        jwrite_object_end(w);
    }
    jwrite_array_end(w);
    jwrite_key_string(w, "encrypted_content", seal->payload);
    jwrite_object_end(w);
}

/* Thinking goes back before what it led to only: alone it is refused. */
static void write_thinking(struct items *x, const struct turn *t, size_t i)
{
    size_t k;

    for (k = i + 1; k < t->parts_n; k++)
        if (is_said(&t->parts[k]) || t->parts[k].kind == PART_CALL)
            break;
    if (k < t->parts_n)
        write_reasoning(x, &t->parts[i].seal, t->parts[i].text);
}

/* An image that the assistant made can only be shown to it by the user. */
static enum err write_shown(struct items *x, const struct part *part)
{
    enum err e;

    open_message(x->w, "user");
    jwrite_array(x->w);
    e = write_part(x, part, "");
    if (e)
        return e;
    jwrite_array_end(x->w);
    jwrite_object_end(x->w);
    return ERR_OK;
}

static enum err write_assistant(struct items *x, const struct turn *t)
{
    enum err e = ERR_OK;
    size_t i = 0;

    while (i < t->parts_n && !e) {
        const struct part *part = &t->parts[i];

        if (is_said(part)) {
            write_said(x, t, &i);
            continue;
        }
        if (part->kind == PART_CALL) {
            write_reasoning(x, &part->seal, (struct slice){NULL, 0}); /* as Chat carries it */
            e = write_call(x, part);
        } else if (part->kind == PART_THINKING) {
            write_thinking(x, t, i);
        } else if (part->kind == PART_OPAQUE) { /* of no other vendor, after canon_prepare */
            jwrite_raw(x->w, part->raw.p ? part->raw : part->text);
        } else {
            e = write_shown(x, part);
        }
        i++;
    }
    return e;
}

static enum err write_turn(struct items *x, const struct turn *t)
{
    const char *role = t->role == CANON_SYSTEM ? "developer" : "user";
    enum err e = ERR_OK;
    size_t i = 0;

    if (t->name.n)
        canon_drop(x->c, &x->p->drops, FIELD_NAME);
    if (t->role == CANON_ASSISTANT)
        return write_assistant(x, t);
    while (i < t->parts_n && !e) {
        if (t->parts[i].kind == PART_RESULT)
            e = write_result(x, &t->parts[i++]);
        else
            e = write_message(x, t, role, &i);
    }
    return e;
}

enum err responses_encode_items(struct canon *c, struct plan *p, struct jwrite *w, size_t first)
{
    struct items x = {c, p, w};
    enum err e = ERR_OK;
    size_t i;

    for (i = first; i < c->turns_n && !e; i++)
        e = write_turn(&x, &c->turns[i]);
    return e;
}
