#include "upstream/openai_chat.h"

#include "upstream/prompt_size.h"

static const char *const plain_tools[] = {"\"function\"", "\"custom\""};
#define PLAIN_TOOLS (sizeof(plain_tools) / sizeof(plain_tools[0]))

struct walk {
    struct prompt_size size;
    struct format_request *out;
    struct arena *arena;
    struct fault *fault;
    size_t index;
};

/* What is wrong with messages[index], or with a member of it. */
static enum err fail(struct walk *w, const char *member, const char *text)
{
    char *param = arena_printf(w->arena, "messages[%zu]%s", w->index, member);

    return param ? canon_fault(w->arena, w->fault, param, "%s", text) : ERR_MEMORY;
}

static void add_image(struct walk *w, struct jvalue v)
{
    struct jscan s;
    struct jmember m;

    if (jscan_object(&s, v)) {
        prompt_size_url(&w->size, v, &w->out->images); /* a bare string, as some clients send it */
        return;
    }
    while (!jscan_next_member(&s, &m))
        if (jscan_key_is(&m, "url"))
            prompt_size_url(&w->size, m.value, &w->out->images);
}

static void add_file(struct walk *w, struct jvalue v)
{
    struct jscan s;
    struct jmember m;

    if (jscan_object(&s, v))
        return;
    while (!jscan_next_member(&s, &m)) {
        if (jscan_key_is(&m, "file_data"))
            prompt_size_bytes(&w->size, m.value, &w->out->files);
        else if ((jscan_key_is(&m, "file_id") || jscan_key_is(&m, "file_url")) &&
                 m.value.kind == JSCAN_STRING)
            w->out->has_reference = true;
    }
}

/* Parts are told by the members that carry content and not by `type`: that is what may cost. */
static void read_part(struct walk *w, struct jvalue part)
{
    struct jscan s;
    struct jmember m;

    if (jscan_object(&s, part))
        return;
    while (!jscan_next_member(&s, &m)) {
        if (m.value.kind != JSCAN_OBJECT && m.value.kind != JSCAN_STRING)
            continue;
        if (jscan_key_is(&m, "image_url"))
            add_image(w, m.value);
        else if (jscan_key_is(&m, "file"))
            add_file(w, m.value);
        else if (jscan_key_is(&m, "input_audio"))
            prompt_size_audio(&w->size, m.value);
        else if (jscan_key_is(&m, "video_url"))
            w->out->has_reference = true;
    }
}

static enum err read_content(struct walk *w, struct jvalue content)
{
    struct jvalue part;
    struct jscan s;

    if (content.kind == JSCAN_STRING || content.kind == JSCAN_NULL)
        return ERR_OK;
    if (jscan_array(&s, content))
        return fail(w, ".content", "expected string, array or null");
    while (!jscan_next_element(&s, &part))
        read_part(w, part);
    return ERR_OK;
}

static enum err read_message(struct walk *w, struct jvalue message)
{
    struct jvalue role = {0};
    struct jmember m;
    struct jscan s;
    enum err e;

    if (jscan_object(&s, message))
        return fail(w, "", "expected object");
    while (!jscan_next_member(&s, &m)) {
        if (jscan_key_is(&m, "role")) {
            role = m.value;
        } else if (jscan_key_is(&m, "content")) {
            e = read_content(w, m.value);
            if (e)
                return e;
        } else if (jscan_key_is(&m, "audio") && m.value.kind == JSCAN_OBJECT) {
            w->out->has_reference = true; /* an earlier spoken answer, by its id */
        }
    }
    if (!role.raw.p || role.kind != JSCAN_STRING)
        return fail(w, ".role", "expected string");
    prompt_size_head(&w->size, message.raw,
                     slice_eq_z(role.raw, "\"system\"") || slice_eq_z(role.raw, "\"developer\""),
                     slice_eq_z(role.raw, "\"user\""));
    return ERR_OK;
}

enum err chat_read_input(const struct chat_input *in, struct arena *a, struct format_request *out,
                         struct fault *fault)
{
    struct walk w = {.out = out, .arena = a, .fault = fault};
    struct jvalue message;
    struct jscan s;
    enum err e;

    if (jscan_array(&s, in->messages))
        return canon_fault(a, fault, "messages", "expected array");
    prompt_size_begin(&w.size, a, out, in->messages.raw);
    while (!jscan_next_element(&s, &message)) {
        e = read_message(&w, message);
        if (e)
            return e;
        w.index++;
    }
    if (w.index == 0)
        return canon_fault(a, fault, "messages", "expected at least one message");
    prompt_size_end(&w.size, in->messages.raw);
    prompt_size_more(&w.size, in->tools.raw);
    prompt_size_more(&w.size, in->functions.raw);
    prompt_size_more(&w.size, in->response_format.raw);
    prompt_size_tools(&w.size, in->tools, plain_tools, PLAIN_TOOLS);
    return prompt_size_affinity(&w.size);
}
