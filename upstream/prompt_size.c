#include "upstream/prompt_size.h"

#include <string.h>

#define HEAD_BYTES 1024 /* of a message, when the head of the prompt names the conversation */

void prompt_size_begin(struct prompt_size *p, struct arena *a, struct format_request *out,
                       struct slice stretch)
{
    *p = (struct prompt_size){.arena = a, .out = out, .counted = stretch.p};
    out->text_bytes = (int64_t)out->body.n;
}

/* Leaves base64 out of what counts as text. */
static void leave_out(struct prompt_size *p, struct slice payload)
{
    text_size_add(&p->out->text, (struct slice){p->counted, (size_t)(payload.p - p->counted)});
    p->counted = payload.p + payload.n;
    p->out->text_bytes -= (int64_t)payload.n;
}

void prompt_size_bytes(struct prompt_size *p, struct jvalue v, int64_t *counter)
{
    struct slice text, mime;

    if (v.kind != JSCAN_STRING || v.raw.n <= 2)
        return;
    text = (struct slice){v.raw.p + 1, v.raw.n - 2};
    ++*counter;
    if (slice_starts_ci(text, "data:") && !data_url_split(text, &mime, &text))
        return;
    if (text.n)
        leave_out(p, text);
}

void prompt_size_url(struct prompt_size *p, struct jvalue v, int64_t *counter)
{
    if (v.kind != JSCAN_STRING || v.raw.n <= 2)
        return;
    if (slice_starts_ci((struct slice){v.raw.p + 1, v.raw.n - 2}, "data:"))
        prompt_size_bytes(p, v, counter);
    else
        p->out->has_reference = true;
}

void prompt_size_audio(struct prompt_size *p, struct jvalue v)
{
    struct jscan s;
    struct jmember m;

    if (jscan_object(&s, v))
        return;
    while (!jscan_next_member(&s, &m))
        if (jscan_key_is(&m, "data"))
            prompt_size_bytes(p, m.value, &p->out->audios);
}

void prompt_size_tools(struct prompt_size *p, struct jvalue tools, const char *const *plain,
                       size_t plain_n)
{
    struct jvalue tool, type;
    struct jscan s;
    size_t i;

    if (!tools.raw.p || jscan_array(&s, tools))
        return;
    while (!jscan_next_element(&s, &tool)) {
        bool is_plain = false;

        if (jscan_find(tool, "type", &type))
            continue;
        for (i = 0; i < plain_n; i++)
            is_plain |= slice_eq_z(type.raw, plain[i]);
        if (!is_plain) {
            p->out->has_reference = true;
            return;
        }
    }
}

void prompt_size_head(struct prompt_size *p, struct slice raw, bool is_system, bool is_user)
{
    if (is_system && !p->system.p)
        p->system = raw;
    if (is_user && !p->user.p)
        p->user = raw;
    if (!p->first.p)
        p->first = raw;
}

void prompt_size_end(struct prompt_size *p, struct slice stretch)
{
    text_size_add(&p->out->text,
                  (struct slice){p->counted, (size_t)(stretch.p + stretch.n - p->counted)});
}

void prompt_size_more(struct prompt_size *p, struct slice stretch)
{
    if (stretch.p)
        text_size_add(&p->out->text, stretch);
}

static struct slice head_of(struct slice s)
{
    return (struct slice){s.p, s.n < HEAD_BYTES ? s.n : HEAD_BYTES};
}

enum err prompt_size_affinity(struct prompt_size *p)
{
    struct slice a = head_of(p->system), b = head_of(p->user);
    char *text;

    if (p->out->affinity.n)
        return ERR_OK;
    if (a.n + b.n == 0)
        b = head_of(p->first);
    text = arena_alloc(p->arena, a.n + b.n + 1);
    if (!text)
        return ERR_MEMORY;
    if (a.n)
        memcpy(text, a.p, a.n);
    if (b.n)
        memcpy(text + a.n, b.p, b.n);
    p->out->affinity = (struct slice){text, a.n + b.n};
    return ERR_OK;
}
