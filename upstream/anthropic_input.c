#include "upstream/anthropic.h"

#include "upstream/prompt_size.h"

#define DEPTH_MAX 6 /* content inside results and documents; deeper is counted as text */

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

static void walk_content(struct walk *w, struct jvalue content, unsigned depth);

/* Told by the members that carry content and not by `type`: that is what may cost. Only a source of
 * type text has its data as text. */
static void add_source(struct walk *w, struct jvalue source, int64_t *counter, unsigned depth)
{
    struct jvalue type;
    struct jmember m;
    struct jscan s;
    bool is_text;

    if (jscan_object(&s, source))
        return;
    is_text = !jscan_find(source, "type", &type) && slice_eq_z(type.raw, "\"text\"");
    while (!jscan_next_member(&s, &m)) {
        if (jscan_key_is(&m, "data") && !is_text)
            prompt_size_bytes(&w->size, m.value, counter);
        else if (jscan_key_is(&m, "url"))
            prompt_size_url(&w->size, m.value, counter);
        else if (jscan_key_is(&m, "file_id") && m.value.kind == JSCAN_STRING)
            w->out->has_reference = true;
        else if (jscan_key_is(&m, "content"))
            walk_content(w, m.value, depth + 1);
    }
}

static void walk_block(struct walk *w, struct jvalue block, unsigned depth)
{
    int64_t *counter = &w->out->files;
    struct jvalue type;
    struct jmember m;
    struct jscan s;

    if (jscan_object(&s, block))
        return;
    if (!jscan_find(block, "type", &type) && slice_eq_z(type.raw, "\"image\""))
        counter = &w->out->images;
    while (!jscan_next_member(&s, &m)) {
        if (jscan_key_is(&m, "source"))
            add_source(w, m.value, counter, depth);
        else if (jscan_key_is(&m, "content"))
            walk_content(w, m.value, depth + 1);
        else if (jscan_key_is(&m, "file_id") && m.value.kind == JSCAN_STRING)
            w->out->has_reference = true; /* container_upload */
    }
}

static void walk_content(struct walk *w, struct jvalue content, unsigned depth)
{
    struct jvalue block;
    struct jscan s;

    if (depth > DEPTH_MAX || jscan_array(&s, content))
        return;
    while (!jscan_next_element(&s, &block))
        walk_block(w, block, depth);
}

static enum err read_message(struct walk *w, struct jvalue message)
{
    struct jvalue role = {0};
    struct jmember m;
    struct jscan s;

    if (jscan_object(&s, message))
        return fail(w, "", "expected object");
    while (!jscan_next_member(&s, &m)) {
        if (jscan_key_is(&m, "role")) {
            role = m.value;
        } else if (jscan_key_is(&m, "content")) {
            if (m.value.kind != JSCAN_STRING && m.value.kind != JSCAN_ARRAY)
                return fail(w, ".content", "expected string or array");
            walk_content(w, m.value, 0);
        }
    }
    if (!role.raw.p || role.kind != JSCAN_STRING)
        return fail(w, ".role", "expected string");
    prompt_size_head(&w->size, message.raw, slice_eq_z(role.raw, "\"system\""),
                     slice_eq_z(role.raw, "\"user\""));
    return ERR_OK;
}

/* Tools that the provider runs itself: what they find is input too. */
static bool has_hosted_tools(struct jvalue tools)
{
    static const char *const run_by_client[] = {
        "\"custom\"",  "\"bash_",        "\"text_editor_",    "\"memory_",
        "\"computer_", "\"tool_search_", "\"browser_toolset_"};
    struct jvalue tool, type;
    struct jscan s;
    size_t i;

    if (!tools.raw.p || jscan_array(&s, tools))
        return false;
    while (!jscan_next_element(&s, &tool)) {
        bool is_ours = false;

        if (jscan_find(tool, "type", &type) || type.kind != JSCAN_STRING)
            continue;
        for (i = 0; i < sizeof(run_by_client) / sizeof(run_by_client[0]); i++)
            is_ours |= slice_starts(type.raw, run_by_client[i]);
        if (!is_ours)
            return true;
    }
    return false;
}

enum err anthropic_read_input(const struct anthropic_input *in, struct arena *a,
                              struct format_request *out, struct fault *fault)
{
    struct walk w = {.out = out, .arena = a, .fault = fault};
    struct jvalue message;
    struct jscan s;
    enum err e;

    if (jscan_array(&s, in->messages))
        return canon_fault(a, fault, "messages", "expected array");
    prompt_size_begin(&w.size, a, out, in->messages.raw);
    if (in->system.raw.p)
        prompt_size_head(&w.size, in->system.raw, true, false);
    while (!jscan_next_element(&s, &message)) {
        e = read_message(&w, message);
        if (e)
            return e;
        w.index++;
    }
    if (w.index == 0)
        return canon_fault(a, fault, "messages", "expected at least one message");
    prompt_size_end(&w.size, in->messages.raw);
    prompt_size_more(&w.size, in->system.raw);
    prompt_size_more(&w.size, in->tools.raw);
    prompt_size_more(&w.size, in->output_config.raw);
    if (has_hosted_tools(in->tools))
        out->has_reference = true;
    return prompt_size_affinity(&w.size);
}
