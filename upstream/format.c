#include "upstream/format.h"

#include "base/buf.h"

#include <string.h>

#define SCRATCH_MAX ((size_t)1 << 30) /* what is copied was bounded when it was received */

static const struct format *const formats[] = {
    &format_openai_chat, &format_openai_completions, &format_openai_responses, &format_anthropic,
    &format_gemini,
};

const struct format *format_find(const char *name)
{
    size_t i;

    for (i = 0; i < sizeof(formats) / sizeof(formats[0]); i++)
        if (strcmp(formats[i]->name, name) == 0)
            return formats[i];
    return NULL;
}

enum err reader_init(struct reader *r, const struct format *f, const struct format_request *request,
                     struct arena *a)
{
    struct buf *scratch = arena_alloc(a, sizeof(*scratch));

    if (!scratch)
        return ERR_MEMORY;
    buf_init(scratch, SCRATCH_MAX);
    *r = (struct reader){.ops = &f->reader,
                         .format = f,
                         .request = request,
                         .arena = a,
                         .scratch = scratch,
                         .error_class = ERR_UP_REJECTED};
    return ERR_OK;
}

const char *format_stream_type(const struct format_request *in)
{
    return in->is_array ? "application/json" : "text/event-stream";
}

void reader_default_error(struct reader *r, enum err e)
{
    (void)slice_copy_z(r->error_text, sizeof(r->error_text), slice_of(err_info(e)->text));
    r->error_code[0] = '\0';
    r->error_class = ERR_UP_REJECTED;
}

bool reader_copy_member(struct reader *r, struct jvalue object, const char *name, char *dst,
                        size_t size)
{
    struct jvalue v;
    struct slice text;

    if (jscan_find(object, name, &v))
        return false;
    if (v.kind == JSCAN_NUMBER)
        text = v.raw;
    else if (jscan_string(v, r->arena, &text) || text.n == 0)
        return false;
    (void)slice_copy_z(dst, size, text);
    return true;
}

void reader_clear(struct reader *r)
{
    if (r->scratch)
        buf_clear(r->scratch);
    r->replacement = (struct slice){NULL, 0};
}

struct counts reader_counts(const struct reader *r)
{
    if (r->counts.is_known)
        return r->counts;
    return (struct counts){
        .in_fresh = text_size_tokens(&r->request->text),
        .out_all = text_size_tokens(&r->output),
    };
}
