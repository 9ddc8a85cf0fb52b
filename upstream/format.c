#include "upstream/format.h"

#include "base/buf.h"

#include <string.h>

#define SCRATCH_MAX ((size_t)1 << 30) /* what is copied was bounded when it was received */

static const struct format *const formats[] = {&format_openai_chat};

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
    *r = (struct reader){.format = f, .request = request, .arena = a, .scratch = scratch};
    return ERR_OK;
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
