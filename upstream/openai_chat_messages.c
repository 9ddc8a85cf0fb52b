#include "upstream/openai_chat.h"

#include <string.h>

#define HEAD_BYTES 1024 /* of a message, when the head of the prompt names the conversation */

struct walk {
    struct arena *arena;
    struct format_request *out;
    struct fault *fault;
    const char *counted;       /* the text up to here is in out->text, or was left out */
    struct slice system, user; /* the first message of each role, whole */
    struct slice first;
    size_t index;
};

/* What is wrong with messages[index], or with a member of it. */
static enum err fail(struct walk *w, const char *member, const char *text)
{
    char *param = arena_printf(w->arena, "messages[%zu]%s", w->index, member);

    return param ? chat_fault(w->arena, w->fault, param, text) : ERR_MEMORY;
}

static struct slice inside_quotes(struct jvalue string)
{
    return (struct slice){string.raw.p + 1, string.raw.n - 2};
}

/* Leaves base64 out of what counts as text. Payloads come in the order in which they stand. */
static void leave_out(struct walk *w, struct slice payload)
{
    text_size_add(&w->out->text, (struct slice){w->counted, (size_t)(payload.p - w->counted)});
    w->counted = payload.p + payload.n;
    w->out->text_bytes -= (int64_t)payload.n;
}

/* What follows ";base64," in a data URL; n 0 when that is not its form. */
static struct slice data_url_payload(struct slice url)
{
    const char *comma = memchr(url.p, ',', url.n);
    struct slice head = {url.p, comma ? (size_t)(comma - url.p) : 0};

    if (!comma || head.n < strlen(";base64") ||
        !slice_eq_ci((struct slice){comma - strlen(";base64"), strlen(";base64")}, ";base64"))
        return (struct slice){url.p, 0};
    return (struct slice){comma + 1, url.n - head.n - 1};
}

/* Inline bytes of a part: base64, or a data URL with base64 in it. */
static void add_bytes(struct walk *w, struct jvalue v, int64_t *counter)
{
    struct slice text;

    if (v.kind != JSCAN_STRING)
        return;
    text = inside_quotes(v);
    if (text.n == 0)
        return;
    ++*counter;
    if (slice_starts_ci(text, "data:"))
        text = data_url_payload(text);
    if (text.n)
        leave_out(w, text);
}

/* An image: a data URL, or one that the provider fetches. */
static void add_url(struct walk *w, struct jvalue v)
{
    if (v.kind != JSCAN_STRING || v.raw.n <= 2)
        return;
    if (slice_starts_ci(inside_quotes(v), "data:"))
        add_bytes(w, v, &w->out->images);
    else
        w->out->has_reference = true;
}

static void add_image(struct walk *w, struct jvalue v)
{
    struct jscan s;
    struct jmember m;

    if (jscan_object(&s, v)) {
        add_url(w, v); /* a bare string, as some clients send it */
        return;
    }
    while (!jscan_next_member(&s, &m))
        if (jscan_key_is(&m, "url"))
            add_url(w, m.value);
}

static void add_file(struct walk *w, struct jvalue v)
{
    struct jscan s;
    struct jmember m;

    if (jscan_object(&s, v))
        return;
    while (!jscan_next_member(&s, &m)) {
        if (jscan_key_is(&m, "file_data"))
            add_bytes(w, m.value, &w->out->files);
        else if ((jscan_key_is(&m, "file_id") || jscan_key_is(&m, "file_url")) &&
                 m.value.kind == JSCAN_STRING)
            w->out->has_reference = true;
    }
}

static void add_audio(struct walk *w, struct jvalue v)
{
    struct jscan s;
    struct jmember m;

    if (jscan_object(&s, v))
        return;
    while (!jscan_next_member(&s, &m))
        if (jscan_key_is(&m, "data"))
            add_bytes(w, m.value, &w->out->audios);
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
            add_audio(w, m.value);
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

static void note_head(struct walk *w, struct jvalue message, struct slice role)
{
    struct slice *head = NULL;

    if (slice_eq_z(role, "system") || slice_eq_z(role, "developer"))
        head = &w->system;
    else if (slice_eq_z(role, "user"))
        head = &w->user;
    if (head && !head->p)
        *head = message.raw;
    if (!w->first.p)
        w->first = message.raw;
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
    note_head(w, message, inside_quotes(role));
    return ERR_OK;
}

static bool has_hosted_tools(struct jvalue tools)
{
    struct jvalue tool, type;
    struct jscan s;

    if (!tools.raw.p || jscan_array(&s, tools))
        return false;
    while (!jscan_next_element(&s, &tool))
        if (!jscan_find(tool, "type", &type) && !slice_eq_z(type.raw, "\"function\"") &&
            !slice_eq_z(type.raw, "\"custom\""))
            return true;
    return false;
}

static struct slice head_of(struct slice s)
{
    return (struct slice){s.p, s.n < HEAD_BYTES ? s.n : HEAD_BYTES};
}

static enum err set_affinity(struct walk *w)
{
    struct slice a = head_of(w->system), b = head_of(w->user);
    char *text;

    if (a.n + b.n == 0)
        b = head_of(w->first);
    text = arena_alloc(w->arena, a.n + b.n);
    if (!text)
        return ERR_MEMORY;
    if (a.n)
        memcpy(text, a.p, a.n);
    if (b.n)
        memcpy(text + a.n, b.p, b.n);
    w->out->affinity = (struct slice){text, a.n + b.n};
    return ERR_OK;
}

enum err chat_read_input(const struct chat_input *in, struct arena *a, struct format_request *out,
                         struct fault *fault)
{
    struct walk w = {.arena = a, .out = out, .fault = fault, .counted = in->messages.raw.p};
    struct jvalue message;
    struct jscan s;
    enum err e;

    out->text_bytes = (int64_t)out->body.n;
    if (jscan_array(&s, in->messages))
        return chat_fault(a, fault, "messages", "expected array");
    while (!jscan_next_element(&s, &message)) {
        e = read_message(&w, message);
        if (e)
            return e;
        w.index++;
    }
    if (w.index == 0)
        return chat_fault(a, fault, "messages", "expected at least one message");
    text_size_add(&out->text, (struct slice){w.counted, (size_t)(in->messages.raw.p +
                                                                 in->messages.raw.n - w.counted)});
    text_size_add(&out->text, in->tools.raw);
    text_size_add(&out->text, in->functions.raw);
    text_size_add(&out->text, in->response_format.raw);
    if (has_hosted_tools(in->tools))
        out->has_reference = true;
    return out->affinity.n ? ERR_OK : set_affinity(&w);
}
