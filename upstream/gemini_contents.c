#include "upstream/gemini.h"

#include "upstream/prompt_size.h"

#define WALK_DEPTH_MAX 4 /* parts inside the result of a function */

struct walk {
    struct prompt_size size;
    struct format_request *out;
    struct gemini_request *own;
    struct arena *arena;
    struct fault *fault;
    const char *list; /* the member that is walked over */
    size_t content, part;
};

/* What is wrong with contents[content], or with its part. */
static enum err fail_content(struct walk *w, const char *member, const char *text)
{
    char *param = arena_printf(w->arena, "%s[%zu]%s", w->list, w->content, member);

    return param ? canon_fault(w->arena, w->fault, param, "%s", text) : ERR_MEMORY;
}

/* inlineData: its type may stand behind its payload. */
static void add_bytes(struct walk *w, struct jvalue blob)
{
    struct jvalue data = {0};
    struct slice mime = {NULL, 0};
    int64_t *counter = &w->out->files;
    struct jmember m;
    struct jscan s;

    if (jscan_object(&s, blob))
        return;
    while (!jscan_next_member(&s, &m)) {
        if (jscan_key_is(&m, "data"))
            data = m.value;
        else if (gemini_key_is(&m, "mimeType"))
            mime = gemini_word(m.value);
    }
    if (slice_starts_ci(mime, "image/"))
        counter = &w->out->images;
    else if (slice_starts_ci(mime, "audio/"))
        counter = &w->out->audios;
    if (data.raw.p)
        prompt_size_bytes(&w->size, data, counter);
}

static enum err note_cut(struct walk *w, struct slice old, bool is_model)
{
    struct gemini_request *own = w->own;
    struct gemini_cut *grown;

    if (!old.p || (!is_model && !gemini_is_envelope(old)))
        return ERR_OK;
    grown = canon_grow(w->arena, own->cuts, own->cuts_n, &own->cuts_max, sizeof(*grown));
    if (!grown)
        return ERR_MEMORY;
    own->cuts = grown;
    own->cuts[own->cuts_n++] = (struct gemini_cut){old, is_model};
    return ERR_OK;
}

/* Parts are told by the members that carry content: that is what may cost. */
static enum err read_part(struct walk *w, struct jvalue part, unsigned depth)
{
    struct jvalue parts, inner;
    struct gemini_list l;
    struct jmember m;
    struct jscan s;
    enum err e = ERR_OK;

    if (jscan_object(&s, part))
        return ERR_FORMAT;
    while (!e && !jscan_next_member(&s, &m)) {
        if (gemini_key_is(&m, "inlineData"))
            add_bytes(w, m.value);
        else if (gemini_key_is(&m, "fileData") && m.value.kind == JSCAN_OBJECT)
            w->out->has_reference = true;
        else if (gemini_key_is(&m, "thoughtSignature"))
            e = note_cut(w, gemini_word(m.value), false);
        else if (gemini_key_is(&m, "functionResponse") && depth < WALK_DEPTH_MAX &&
                 !gemini_find(m.value, "parts", &parts))
            for (gemini_list_begin(&l, parts); !e && gemini_list_next(&l, &inner);)
                e = read_part(w, inner, depth + 1);
    }
    return e;
}

static enum err read_parts(struct walk *w, struct jvalue parts)
{
    struct gemini_list l;
    struct jvalue part;
    char *at;
    enum err e;

    if (parts.kind != JSCAN_ARRAY && parts.kind != JSCAN_OBJECT && parts.kind != JSCAN_NULL)
        return fail_content(w, ".parts", "expected array");
    gemini_list_begin(&l, parts);
    for (w->part = 0; gemini_list_next(&l, &part); w->part++) {
        e = read_part(w, part, 0);
        if (e != ERR_FORMAT && e)
            return e;
        if (!e)
            continue;
        at = arena_printf(w->arena, ".parts[%zu]", w->part);
        return at ? fail_content(w, at, "expected object") : ERR_MEMORY;
    }
    return ERR_OK;
}

static enum err read_content(struct walk *w, struct jvalue content)
{
    struct slice role = {NULL, 0};
    struct jmember m;
    struct jscan s;
    enum err e;

    if (jscan_object(&s, content))
        return fail_content(w, "", "expected object");
    while (!jscan_next_member(&s, &m)) {
        if (jscan_key_is(&m, "role")) {
            role = gemini_word(m.value);
        } else if (jscan_key_is(&m, "parts")) {
            e = read_parts(w, m.value);
            if (e)
                return e;
        }
    }
    prompt_size_head(&w->size, content.raw, false, role.n == 0 || slice_eq_z(role, "user"));
    return ERR_OK;
}

/* Anything but functions: Google runs it and feeds its results to the model. */
static bool has_hosted_tools(struct jvalue tools)
{
    struct gemini_list l;
    struct jvalue tool;
    struct jmember m;
    struct jscan s;

    gemini_list_begin(&l, tools);
    while (gemini_list_next(&l, &tool)) {
        if (jscan_object(&s, tool))
            continue;
        while (!jscan_next_member(&s, &m))
            if (!gemini_key_is(&m, "functionDeclarations") && m.value.kind != JSCAN_NULL)
                return true;
    }
    return false;
}

enum err gemini_read_input(const struct gemini_input *in, struct arena *a,
                           struct format_request *out, struct gemini_request *own,
                           struct fault *fault)
{
    struct walk w = {.out = out, .own = own, .arena = a, .fault = fault, .list = "contents"};
    struct gemini_list l;
    struct jvalue content;
    enum err e;

    if (in->contents.kind != JSCAN_ARRAY && in->contents.kind != JSCAN_OBJECT)
        return canon_fault(a, fault, "contents", "expected array");
    prompt_size_begin(&w.size, a, out, in->contents.raw);
    if (in->system.raw.p)
        prompt_size_head(&w.size, in->system.raw, true, false);
    gemini_list_begin(&l, in->contents);
    for (; gemini_list_next(&l, &content); w.content++) {
        e = read_content(&w, content);
        if (e)
            return e;
    }
    if (w.content == 0)
        return canon_fault(a, fault, "contents", "expected at least one content");
    prompt_size_end(&w.size, in->contents.raw);
    prompt_size_more(&w.size, in->system.raw);
    prompt_size_more(&w.size, in->tools.raw);
    prompt_size_more(&w.size, in->config.raw);
    if (has_hosted_tools(in->tools))
        out->has_reference = true;
    own->input_name = w.list;
    own->input = in->contents.raw;
    return prompt_size_affinity(&w.size);
}

/* ---- embeddings ---- */

/* One of several: the names of the model stand in the order of the text, as cuts must. */
static enum err read_embed_request(struct walk *w, struct jvalue request)
{
    struct jmember m;
    struct jscan s;
    enum err e = ERR_OK;

    if (jscan_object(&s, request))
        return fail_content(w, "", "expected object");
    while (!e && !jscan_next_member(&s, &m)) {
        if (jscan_key_is(&m, "content"))
            e = read_content(w, m.value);
        else if (jscan_key_is(&m, "model"))
            e = note_cut(w, gemini_word(m.value), true);
    }
    return e;
}

enum err gemini_read_embed(const struct gemini_input *in, struct arena *a,
                           struct format_request *out, struct gemini_request *own,
                           struct fault *fault)
{
    bool is_many = in->requests.raw.p != NULL;
    struct jvalue whole = is_many ? in->requests : in->content, v;
    struct walk w = {.out = out, .own = own, .arena = a, .fault = fault};
    struct gemini_list l;
    enum err e = ERR_OK;

    w.list = is_many ? "requests" : "content";
    if (!whole.raw.p || whole.kind == JSCAN_NULL)
        return canon_fault(a, fault, "content", "required");
    prompt_size_begin(&w.size, a, out, whole.raw);
    gemini_list_begin(&l, whole);
    for (; !e && gemini_list_next(&l, &v); w.content++)
        e = is_many ? read_embed_request(&w, v) : read_content(&w, v);
    if (e)
        return e;
    if (w.content == 0)
        return canon_fault(a, fault, w.list, "expected at least one");
    prompt_size_end(&w.size, whole.raw);
    own->input_name = w.list;
    own->input = whole.raw;
    return prompt_size_affinity(&w.size);
}
