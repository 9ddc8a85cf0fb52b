#include "upstream/responses.h"

#include "base/buf.h"
#include "upstream/prompt_size.h"
#include "upstream/signature.h"

struct walk {
    struct prompt_size size;
    struct format_request *out;
    struct arena *arena;
    struct fault *fault;
    size_t index;
    bool has_envelopes;
};

static const char *const plain_tools[] = {"\"function\"", "\"custom\"", "\"namespace\""};
#define PLAIN_TOOLS (sizeof(plain_tools) / sizeof(plain_tools[0]))

/* What is wrong with input[index], or with a member of it. */
static enum err fail(struct walk *w, const char *member, const char *text)
{
    char *param = arena_printf(w->arena, "input[%zu]%s", w->index, member);

    return param ? canon_fault(w->arena, w->fault, param, "%s", text) : ERR_MEMORY;
}

/* Parts are told by the members that carry content and not by `type`: that is what may cost. Some
 * clients send Chat's {"url": ...} for an image. */
static void read_part(struct walk *w, struct jvalue part)
{
    struct jvalue url;
    struct jscan s;
    struct jmember m;

    if (jscan_object(&s, part))
        return;
    while (!jscan_next_member(&s, &m)) {
        if (m.value.kind != JSCAN_OBJECT && m.value.kind != JSCAN_STRING)
            continue;
        if (jscan_key_is(&m, "image_url"))
            prompt_size_url(&w->size, jscan_find(m.value, "url", &url) ? m.value : url,
                            &w->out->images);
        else if (jscan_key_is(&m, "file_data"))
            prompt_size_bytes(&w->size, m.value, &w->out->files);
        else if (jscan_key_is(&m, "file_url") || jscan_key_is(&m, "file_id"))
            w->out->has_reference = true;
        else if (jscan_key_is(&m, "input_audio"))
            prompt_size_audio(&w->size, m.value);
    }
}

/* The content of a message or the output of a call. */
static enum err read_content(struct walk *w, const char *member, struct jvalue content)
{
    struct jvalue part;
    struct jscan s;

    if (content.kind == JSCAN_STRING || content.kind == JSCAN_NULL)
        return ERR_OK;
    if (content.kind == JSCAN_OBJECT) { /* a computer's screenshot, an earlier patch's outcome */
        read_part(w, content);
        return ERR_OK;
    }
    if (jscan_array(&s, content))
        return fail(w, member, "expected string or array");
    while (!jscan_next_element(&s, &part))
        read_part(w, part);
    return ERR_OK;
}

static bool is_envelope(struct jvalue v)
{
    return v.kind == JSCAN_STRING &&
           signature_is_envelope((struct slice){v.raw.p + 1, v.raw.n - 2});
}

/* The members of an item that tell what it is. */
struct item {
    struct jvalue type, role, content, output;
};

static enum err read_members(struct walk *w, struct jvalue value, struct item *item)
{
    struct jmember m;
    struct jscan s;
    enum err e = ERR_OK;

    if (jscan_object(&s, value))
        return fail(w, "", "expected object");
    while (!e && !jscan_next_member(&s, &m)) {
        if (jscan_key_is(&m, "type")) {
            item->type = m.value;
        } else if (jscan_key_is(&m, "role")) {
            item->role = m.value;
        } else if (jscan_key_is(&m, "content")) {
            item->content = m.value;
            e = read_content(w, ".content", m.value);
        } else if (jscan_key_is(&m, "output")) {
            item->output = m.value;
            e = read_content(w, ".output", m.value);
        } else if (jscan_key_is(&m, "result") && m.value.kind == JSCAN_STRING) {
            prompt_size_bytes(&w->size, m.value, &w->out->images); /* an image that was made */
        } else if (jscan_key_is(&m, "encrypted_content")) {
            w->has_envelopes |= is_envelope(m.value);
        } else if (jscan_key_is(&m, "tools")) {
            prompt_size_tools(&w->size, m.value, plain_tools, PLAIN_TOOLS);
        }
    }
    return e;
}

static enum err read_item(struct walk *w, struct jvalue value)
{
    struct item item = {0};
    enum err e = read_members(w, value, &item);
    bool is_message;

    if (e)
        return e;
    is_message = !item.type.raw.p || item.type.kind == JSCAN_NULL ||
                 slice_eq_z(item.type.raw, "\"message\"");
    if (!is_message) {
        if (slice_eq_z(item.type.raw, "\"item_reference\""))
            w->out->has_reference = true;
        else if (item.type.kind != JSCAN_STRING)
            return fail(w, ".type", "expected string");
        prompt_size_head(&w->size, value.raw, false, false);
        return ERR_OK;
    }
    if (!item.role.raw.p && !item.content.raw.p && !item.type.raw.p) {
        w->out->has_reference = true; /* {"id": ...}: an item_reference without its type */
        return ERR_OK;
    }
    if (!item.role.raw.p || item.role.kind != JSCAN_STRING)
        return fail(w, ".role", "expected string");
    prompt_size_head(&w->size, value.raw,
                     slice_eq_z(item.role.raw, "\"system\"") ||
                         slice_eq_z(item.role.raw, "\"developer\""),
                     slice_eq_z(item.role.raw, "\"user\""));
    return ERR_OK;
}

static enum err read_items(struct walk *w, struct jvalue input)
{
    struct jvalue item;
    struct jscan s;
    enum err e;

    if (input.kind == JSCAN_STRING) {
        prompt_size_head(&w->size, input.raw, false, true);
        return ERR_OK;
    }
    if (jscan_array(&s, input))
        return canon_fault(w->arena, w->fault, "input", "expected string or array");
    for (; !jscan_next_element(&s, &item); w->index++) {
        e = read_item(w, item);
        if (e)
            return e;
    }
    return ERR_OK;
}

enum err responses_read_input(struct responses_input *in, struct arena *a,
                              struct format_request *out, struct fault *fault)
{
    struct walk w = {.out = out, .arena = a, .fault = fault};
    struct slice stretch = in->input.raw.p ? in->input.raw : (struct slice){out->body.p, 0};
    enum err e = ERR_OK;

    prompt_size_begin(&w.size, a, out, stretch);
    if (in->instructions.raw.p && in->instructions.kind == JSCAN_STRING)
        prompt_size_head(&w.size, in->instructions.raw, true, false);
    if (in->input.raw.p && in->input.kind != JSCAN_NULL)
        e = read_items(&w, in->input);
    if (e)
        return e;
    in->has_envelopes = w.has_envelopes;
    prompt_size_end(&w.size, stretch);
    prompt_size_more(&w.size, in->instructions.raw);
    prompt_size_more(&w.size, in->tools.raw);
    prompt_size_more(&w.size, in->text.raw);
    prompt_size_more(&w.size, in->prompt.raw);
    prompt_size_tools(&w.size, in->tools, plain_tools, PLAIN_TOOLS);
    return prompt_size_affinity(&w.size);
}

enum err responses_strip_input(struct slice input, struct buf *out)
{
    struct jvalue item, seal;
    struct jscan s;
    enum err e;

    e = jscan_array(&s, (struct jvalue){JSCAN_ARRAY, input});
    if (!e)
        e = buf_append_z(out, "[");
    while (!e && !jscan_next_element(&s, &item)) {
        if (!jscan_find(item, "encrypted_content", &seal) && is_envelope(seal))
            continue;
        if (out->n > 1)
            e = buf_append_z(out, ",");
        if (!e)
            e = buf_append_slice(out, item.raw);
    }
    return e ? e : buf_append_z(out, "]");
}
