#include "upstream/gemini.h"

#include <string.h>

#define CALLS_SEARCHED_MAX 256 /* calls of a turn that a result without its id is compared with */

/* The members of a part; raw.p NULL: absent. */
struct fields {
    struct jvalue text, thought, signature, data, file, call, response, resolution, hosted;
};

/* A call whose result is looked for. */
struct open_call {
    struct slice id, name;
    bool is_answered;
};

struct walk {
    struct canon *c;
    struct fault *fault;
    struct turn *turn;
    struct open_call *calls; /* of the last model turns in a row */
    size_t calls_n, calls_max;
    size_t calls_first; /* the first that is not answered */
};

static enum err fail(struct walk *w, const char *at, const char *text)
{
    return canon_fault(w->c->arena, w->fault, at, "%s", text);
}

/* ---- media ---- */

static enum part_kind kind_of(struct slice mime)
{
    if (slice_starts_ci(mime, "image/"))
        return PART_IMAGE;
    return slice_starts_ci(mime, "audio/") ? PART_AUDIO : PART_FILE;
}

static enum media_detail detail_of(struct jvalue resolution)
{
    struct jvalue level = resolution;

    if (resolution.raw.p && resolution.kind == JSCAN_OBJECT &&
        gemini_find(resolution, "level", &level))
        return DETAIL_UNSET;
    if (slice_eq_ci(gemini_word(level), "MEDIA_RESOLUTION_LOW"))
        return DETAIL_LOW;
    return slice_eq_ci(gemini_word(level), "MEDIA_RESOLUTION_HIGH") ? DETAIL_HIGH : DETAIL_UNSET;
}

/* A file that was uploaded to Google is known there only. */
static bool is_vendor_file(struct slice uri)
{
    return !slice_starts_ci(uri, "http") || slice_starts_ci(uri, "https://generativelanguage.");
}

static enum err decode_blob(struct walk *w, const struct fields *f, const char *at,
                            struct media *out)
{
    struct media media = {.source = f->data.raw.p ? MEDIA_BYTES : MEDIA_URL,
                          .detail = detail_of(f->resolution)};
    struct jmember m;
    struct jscan s;
    enum err e = ERR_OK;

    if (jscan_object(&s, f->data.raw.p ? f->data : f->file))
        return fail(w, at, "expected object");
    while (!e && !jscan_next_member(&s, &m)) {
        if (m.value.kind == JSCAN_NULL)
            continue;
        if (gemini_key_is(&m, "mimeType"))
            e = gemini_decode_string(w->c, m.value, at, &media.mime, w->fault);
        else if (gemini_key_is(&m, "displayName"))
            e = gemini_decode_string(w->c, m.value, at, &media.name, w->fault);
        else if (gemini_key_is(&m, f->data.raw.p ? "data" : "fileUri"))
            e = gemini_decode_string(w->c, m.value, at, &media.data, w->fault);
    }
    if (!e && media.data.n == 0)
        e = fail(w, at, f->data.raw.p ? "expected data" : "expected fileUri");
    if (e)
        return e;
    if (media.source == MEDIA_URL && is_vendor_file(media.data))
        media.source = MEDIA_ID;
    *out = media;
    return media.source == MEDIA_BYTES ? gemini_base64(w->c->arena, media.data, &out->data)
                                       : ERR_OK;
}

/* ---- calls and results ---- */

static enum err open_call(struct walk *w, const struct part *call)
{
    struct open_call *grown =
        canon_grow(w->c->arena, w->calls, w->calls_n, &w->calls_max, sizeof(*grown));

    if (!grown)
        return ERR_MEMORY;
    w->calls = grown;
    w->calls[w->calls_n++] = (struct open_call){.id = call->id, .name = call->name};
    return ERR_OK;
}

static enum err decode_call(struct walk *w, struct jvalue v, const char *at, struct part *p)
{
    struct jmember m;
    struct jscan s;
    enum err e = ERR_OK;

    if (jscan_object(&s, v))
        return fail(w, at, "expected object");
    p->text = SLICE("{}");
    while (!e && !jscan_next_member(&s, &m)) {
        if (m.value.kind == JSCAN_NULL)
            continue;
        if (jscan_key_is(&m, "id"))
            e = gemini_decode_string(w->c, m.value, at, &p->id, w->fault);
        else if (jscan_key_is(&m, "name"))
            e = gemini_decode_string(w->c, m.value, at, &p->name, w->fault);
        else if (jscan_key_is(&m, "args"))
            p->text = m.value.raw;
    }
    if (!e && p->name.n == 0)
        e = fail(w, at, "a function call needs a name");
    if (p->id.n == 0)
        p->id = (struct slice){NULL, 0};
    return e ? e : open_call(w, p);
}

/* Finds the result's call: by id, else the first of its name that has none yet; the result takes
 * that call's id, or has none when that has none. */
static void join_call(struct walk *w, struct part *result)
{
    struct open_call *found = NULL;
    size_t i, end = w->calls_first + CALLS_SEARCHED_MAX;

    for (i = w->calls_first; i < w->calls_n && i < end; i++) {
        struct open_call *call = &w->calls[i];

        if (call->is_answered)
            continue;
        if (result->id.n && slice_eq(call->id, result->id)) {
            found = call;
            break;
        }
        if (!found && (!result->id.n || !call->id.n) && slice_eq(call->name, result->name))
            found = call;
    }
    if (!found)
        return;
    found->is_answered = true;
    result->id = found->id;
    while (w->calls_first < w->calls_n && w->calls[w->calls_first].is_answered)
        w->calls_first++;
}

/* {"output": text}, {"result": text} and {"error": text} are that text; anything else is its
 * JSON. */
static enum err decode_output(struct walk *w, struct jvalue v, const char *at, struct part *result)
{
    struct part *text = part_add_part(w->c, result, PART_TEXT, at);
    struct jmember m, second;
    struct jvalue only = v;
    struct jscan s;

    if (!text)
        return ERR_MEMORY;
    if (!jscan_object(&s, v) && !jscan_next_member(&s, &m) && jscan_next_member(&s, &second)) {
        result->is_error = jscan_key_is(&m, "error");
        if (result->is_error || jscan_key_is(&m, "output") || jscan_key_is(&m, "result"))
            only = m.value;
    }
    if (only.kind == JSCAN_STRING)
        return gemini_decode_string(w->c, only, at, &text->text, w->fault);
    text->text = only.raw;
    return ERR_OK;
}

static enum err decode_result_parts(struct walk *w, struct jvalue parts, const char *at,
                                    struct part *result)
{
    struct gemini_list l;
    struct jvalue v;
    struct part *p;
    enum err e;

    gemini_list_begin(&l, parts);
    while (gemini_list_next(&l, &v)) {
        struct fields f = {0};
        struct media media = {0};

        if (gemini_find(v, "inlineData", &f.data) && gemini_find(v, "fileData", &f.file))
            return fail(w, at, "expected parts with inlineData or fileData");
        e = decode_blob(w, &f, at, &media);
        if (e)
            return e;
        p = part_add_part(w->c, result, kind_of(media.mime), at);
        if (!p)
            return ERR_MEMORY;
        p->media = media;
    }
    return ERR_OK;
}

static enum err decode_result(struct walk *w, struct jvalue v, const char *at, struct part *p)
{
    struct jvalue response = {0}, parts = {0};
    struct jmember m;
    struct jscan s;
    enum err e = ERR_OK;

    if (jscan_object(&s, v))
        return fail(w, at, "expected object");
    while (!e && !jscan_next_member(&s, &m)) {
        if (m.value.kind == JSCAN_NULL)
            continue;
        if (jscan_key_is(&m, "id"))
            e = gemini_decode_string(w->c, m.value, at, &p->id, w->fault);
        else if (jscan_key_is(&m, "name"))
            e = gemini_decode_string(w->c, m.value, at, &p->name, w->fault);
        else if (jscan_key_is(&m, "response"))
            response = m.value;
        else if (jscan_key_is(&m, "parts"))
            parts = m.value;
    }
    if (p->id.n == 0)
        p->id = (struct slice){NULL, 0};
    if (!e && response.raw.p)
        e = decode_output(w, response, at, p);
    if (!e && parts.raw.p)
        e = decode_result_parts(w, parts, at, p);
    if (!e)
        join_call(w, p);
    return e;
}

/* ---- parts ---- */

static enum err add(struct walk *w, enum part_kind kind, const char *at, struct part **out)
{
    *out = turn_add_part(w->c, w->turn, kind, at);
    return *out ? ERR_OK : ERR_MEMORY;
}

static enum err decode_text(struct walk *w, const struct fields *f, const char *at,
                            struct part **out)
{
    bool is_thought = f->thought.raw.p && f->thought.kind == JSCAN_TRUE;
    enum err e = add(w, is_thought ? PART_THINKING : PART_TEXT, at, out);

    return e ? e : gemini_decode_string(w->c, f->text, at, &(*out)->text, w->fault);
}

static enum err decode_media(struct walk *w, const struct fields *f, const char *at,
                             struct part **out)
{
    struct media media = {0};
    enum err e;

    if (f->thought.raw.p && f->thought.kind == JSCAN_TRUE) {
        *out = NULL; /* the draft of a picture */
        return ERR_OK;
    }
    e = decode_blob(w, f, at, &media);
    if (!e)
        e = add(w, kind_of(media.mime), at, out);
    if (!e)
        (*out)->media = media;
    return e;
}

/* The signature of another vendor's model was put on the part behind its thoughts, and goes back to
 * them. */
static enum err hand_back(struct walk *w, struct slice signature, const char *at)
{
    struct turn *t = w->turn;
    struct part *p = t->parts_n ? &t->parts[t->parts_n - 1] : NULL;
    enum err e = ERR_OK;

    if (!p || p->kind != PART_THINKING || p->seal_text.p)
        e = add(w, PART_THINKING, at, &p);
    if (!e)
        p->seal_text = signature;
    return e;
}

/* Before the part itself. *own: what stays on it. */
static enum err decode_signature(struct walk *w, const struct fields *f, const char *at,
                                 struct slice *own)
{
    static const char lost_base64[] = "c2tpcF90aG91Z2h0X3NpZ25hdHVyZV92YWxpZGF0b3I=";
    struct slice text;
    enum err e;

    *own = (struct slice){NULL, 0};
    if (!f->signature.raw.p)
        return ERR_OK;
    e = gemini_decode_string(w->c, f->signature, at, &text, w->fault);
    if (e || text.n == 0 || slice_eq_z(text, GEMINI_NO_SIGNATURE) || slice_eq_z(text, lost_base64))
        return e;
    if (!gemini_is_envelope(text)) {
        *own = text;
        return ERR_OK;
    }
    if (!slice_starts(text, "aip1."))
        e = gemini_base64(w->c->arena, text, &text);
    if (e)
        return e;
    if (f->text.raw.p && f->thought.raw.p && f->thought.kind == JSCAN_TRUE) {
        *own = text;
        return ERR_OK;
    }
    return hand_back(w, text, at);
}

static enum err decode_kind(struct walk *w, const struct fields *f, const char *at,
                            struct jvalue whole, struct part **out)
{
    enum err e;

    if (f->call.raw.p) {
        e = add(w, PART_CALL, at, out);
        return e ? e : decode_call(w, f->call, at, *out);
    }
    if (f->response.raw.p) {
        e = add(w, PART_RESULT, at, out);
        return e ? e : decode_result(w, f->response, at, *out);
    }
    if (f->data.raw.p || f->file.raw.p)
        return decode_media(w, f, at, out);
    if (f->text.raw.p)
        return decode_text(w, f, at, out);
    if (f->hosted.raw.p) {
        e = add(w, PART_OPAQUE, at, out);
        if (e)
            return e;
        (*out)->vendor = VENDOR_GEMINI;
        (*out)->text = whole.raw;
        return ERR_OK;
    }
    *out = NULL;
    return ERR_OK;
}

/* The place of a member; NULL: it says nothing about what the part is. *is_known: false for what no
 * reference names. */
static struct jvalue *place_of(struct fields *f, const struct jmember *m, bool *is_known)
{
    static const char *const names[] = {
        "text",           "thought",      "thoughtSignature", "inlineData",
        "fileData",       "functionCall", "functionResponse", "mediaResolution",
        "executableCode", "toolCall",     "toolResponse",     "codeExecutionResult"};
    struct jvalue *places[] = {&f->text,   &f->thought, &f->signature, &f->data,
                               &f->file,   &f->call,    &f->response,  &f->resolution,
                               &f->hosted, &f->hosted,  &f->hosted,    &f->hosted};
    static const char *const others[] = {"videoMetadata", "partMetadata", "audioTranscription"};
    size_t i;

    *is_known = true;
    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (gemini_key_is(m, names[i]))
            return places[i];
    for (i = 0; i < sizeof(others) / sizeof(others[0]); i++)
        if (gemini_key_is(m, others[i]))
            return NULL;
    *is_known = false;
    return NULL;
}

static enum err decode_part(struct walk *w, struct jvalue v, const char *at)
{
    struct fields f = {0};
    struct slice signature;
    struct part *p = NULL;
    bool is_known;
    struct jmember m;
    struct jscan s;
    enum err e;

    if (jscan_object(&s, v))
        return fail(w, at, "expected object");
    while (!jscan_next_member(&s, &m)) {
        struct jvalue *place = place_of(&f, &m, &is_known);

        if (!is_known && m.value.kind != JSCAN_NULL)
            return canon_fault(w->c->arena, w->fault, at, "%.*s is not known", SLICE_FMT(m.key));
        if (place && m.value.kind != JSCAN_NULL)
            *place = m.value;
        else if (!place && is_known && gemini_key_is(&m, "videoMetadata"))
            drop(&w->c->drops, "videoMetadata");
    }
    e = decode_signature(w, &f, at, &signature);
    if (!e)
        e = decode_kind(w, &f, at, v, &p);
    if (!e && p && signature.p)
        p->seal_text = signature;
    return e;
}

/* ---- contents ---- */

/* False: no such role. */
static bool read_role(struct jvalue v, enum canon_role *role)
{
    struct slice word = gemini_word(v);

    if (word.n == 0 || slice_eq_z(word, "user") || slice_eq_z(word, "function") ||
        slice_eq_z(word, "tool"))
        *role = CANON_USER;
    else if (slice_eq_z(word, "model") || slice_eq_z(word, "assistant"))
        *role = CANON_ASSISTANT;
    else if (slice_eq_z(word, "system"))
        *role = CANON_SYSTEM;
    else
        return false;
    return true;
}

static enum err decode_parts(struct walk *w, struct jvalue parts, const char *at)
{
    struct gemini_list l;
    struct jvalue v;
    const char *path;
    enum err e = ERR_OK;
    size_t i;

    gemini_list_begin(&l, parts);
    for (i = 0; !e && gemini_list_next(&l, &v); i++) {
        path = arena_printf(w->c->arena, "%s.parts[%zu]", at, i);
        e = path ? decode_part(w, v, path) : ERR_MEMORY;
    }
    return e;
}

static enum err decode_content(struct walk *w, struct jvalue v, const char *at)
{
    enum canon_role role = CANON_USER, before = CANON_USER;
    struct jvalue member = {0};

    if (v.kind != JSCAN_OBJECT)
        return fail(w, at, "expected object");
    if (!gemini_find(v, "role", &member) && !read_role(member, &role))
        return fail(w, at, "expected the role user or model");
    if (w->c->turns_n)
        before = w->c->turns[w->c->turns_n - 1].role;
    if (role == CANON_ASSISTANT && before != CANON_ASSISTANT)
        w->calls_n = w->calls_first = 0;
    w->turn = canon_add_turn(w->c, role, at);
    if (!w->turn)
        return ERR_MEMORY;
    return gemini_find(v, "parts", &member) ? ERR_OK : decode_parts(w, member, at);
}

enum err gemini_decode_contents(struct canon *c, struct jvalue contents, struct fault *fault)
{
    struct walk w = {.c = c, .fault = fault};
    struct gemini_list l;
    struct jvalue v;
    const char *at;
    enum err e = ERR_OK;
    size_t i;

    gemini_list_begin(&l, contents);
    for (i = 0; !e && gemini_list_next(&l, &v); i++) {
        at = arena_printf(c->arena, "contents[%zu]", i);
        e = at ? decode_content(&w, v, at) : ERR_MEMORY;
    }
    return e;
}

enum err gemini_decode_system(struct canon *c, struct jvalue system, struct fault *fault)
{
    static const char at[] = "systemInstruction";
    struct walk w = {.c = c, .fault = fault};
    struct jvalue parts;
    struct part *p;
    enum err e;
    size_t i;

    w.turn = canon_add_turn(c, CANON_SYSTEM, at);
    if (!w.turn)
        return ERR_MEMORY;
    if (system.kind == JSCAN_STRING) {
        e = add(&w, PART_TEXT, at, &p);
        return e ? e : gemini_decode_string(c, system, at, &p->text, fault);
    }
    if (system.kind != JSCAN_OBJECT)
        return fail(&w, at, "expected object");
    if (gemini_find(system, "parts", &parts))
        return ERR_OK;
    e = decode_parts(&w, parts, at);
    for (i = 0; !e && i < w.turn->parts_n; i++)
        if (w.turn->parts[i].kind != PART_TEXT)
            e = fail(&w, w.turn->parts[i].at, "expected text");
    return e;
}
