#include "tests/unit/fake_request.h"

#include <assert.h>
#include <string.h>

#define ARENA_BYTES  ((size_t)1 << 20)
#define OUTPUT_BYTES ((size_t)64 << 20)

static char empty[] = "";

static enum err fake_read(struct transport *t, char *p, size_t n, size_t *got)
{
    struct fake_request *f = (struct fake_request *)t;
    size_t left = f->input.n - f->input_at;

    *got = n < left ? n : left;
    if (*got > 0)
        memcpy(p, f->input.p + f->input_at, *got);
    f->input_at += *got;
    return f->input_breaks && *got < n ? ERR_UPLOAD_CUT : ERR_OK;
}

static enum err fake_write(struct transport *t, const char *p, size_t n)
{
    struct fake_request *f = (struct fake_request *)t;

    if (f->output.n + n > f->output_max)
        t->is_broken = true;
    if (t->is_broken)
        return ERR_CLIENT_GONE;
    return buf_append(&f->output, p, n);
}

static enum err fake_flush(struct transport *t)
{
    struct fake_request *f = (struct fake_request *)t;

    if (t->is_broken)
        return ERR_CLIENT_GONE;
    f->flushed_n = f->output.n;
    f->flushes++;
    return ERR_OK;
}

static bool fake_is_gone(const struct transport *t)
{
    const struct fake_request *f = (const struct fake_request *)t;

    return f->is_gone || t->is_broken;
}

static const struct transport_ops fake_ops = {fake_read, fake_write, fake_flush, fake_is_gone};

void fake_request_init(struct fake_request *f, const char *const *env)
{
    *f = (struct fake_request){
        .transport = {.ops = &fake_ops,            .env = env, .gone_fd = -1},
        .config = { .body_max_bytes = 1000000,
                      .body_memory_bytes = 100000,
                      .path_prefix = empty,
                      .spool_dir = empty},
        .output_max = SIZE_MAX,
    };
    buf_init(&f->output, OUTPUT_BYTES);
    f->req = (struct request){
        .id = "01HZY8Q6S3V9X2M4N5P7R8T0W1",
        .arena = arena_new(ARENA_BYTES),
        .res = response_new(),
        .config = &f->config,
        .env = env,
        .router = &f->router,
        .transport = &f->transport,
        .body_store = &f->body,
    };
    assert(f->req.arena != NULL && f->req.res != NULL);
}

void fake_request_begin(struct fake_request *f)
{
    f->req.is_cgi = f->transport.is_cgi;
    request_read_head(&f->req);
    response_begin(&f->req, f->req.method == METHOD_HEAD);
}

void fake_request_clear(struct fake_request *f)
{
    body_drop(&f->body);
    buf_clear(&f->output);
    response_free(f->req.res);
    arena_free(f->req.arena);
}

const char *fake_request_answer(const struct fake_request *f)
{
    return f->output.p == NULL ? "" : f->output.p;
}
