#include "tests/unit/exchange_kit.h"

#include "upstream/sse.h"

#define BODY_MAX   ((size_t)1 << 28)
#define EVENT_MAX  ((size_t)1 << 24)
#define REQUEST_ID "01REQUEST"
#define CREATED_S  1700000000

struct capability exchange_capability(const struct format *to)
{
    struct capability c = capability_default;

    c.think = to->vendor == VENDOR_ANTHROPIC ? THINK_STYLE_ADAPTIVE
              : to->vendor == VENDOR_GEMINI  ? THINK_STYLE_LEVEL
                                             : THINK_STYLE_EFFORT;
    c.has_custom_tools = to->vendor == VENDOR_OPENAI;
    c.has_max_completion_tokens = true;
    c.has_system_turns = to->vendor == VENDOR_OPENAI;
    return c;
}

enum err exchange_open(struct exchange *x, struct arena *a, const struct format *from,
                       const struct format *to, const struct format_call *call,
                       const struct capability *capability, bool translates)
{
    *x = (struct exchange){.arena = a,
                           .from = from,
                           .to = to,
                           .capability = capability,
                           .is_translated = translates || from != to};
    buf_init(&x->out, BODY_MAX);
    return from->read_request(call, a, &x->in, &x->fault);
}

void exchange_close(struct exchange *x)
{
    if (x->has_reader)
        reader_clear(&x->reader);
    buf_clear(&x->out);
}

static enum err translation_make(struct exchange *x)
{
    if (!x->translation)
        x->translation = translation_new(x->arena, x->from, x->to, &x->in, x->capability);
    return x->translation ? ERR_OK : ERR_MEMORY;
}

enum err exchange_request(struct exchange *x, struct buf *body)
{
    struct format_target target = {.upstream_model = EXCHANGE_UPSTREAM, .output_max_inject = -1};
    struct splice splice = {0};
    enum err e;
    size_t i;

    if (x->is_translated) {
        e = translation_make(x);
        if (!e)
            e = translate_request(x->translation, &target, &splice, &x->fault);
    } else {
        e = x->from->write_request(&x->in, &target, x->arena, &splice);
    }
    for (i = 0; i < splice.parts_n && !e; i++)
        e = buf_append_slice(body, splice.parts[i]);
    return e;
}

const struct drops *exchange_drops(const struct exchange *x)
{
    return x->translation ? translation_drops(x->translation) : NULL;
}

static enum err begin_answer(struct exchange *x)
{
    enum err e = reader_init(&x->reader, x->from, &x->in, x->arena);

    if (e)
        return e;
    x->has_reader = true;
    x->reader.public_model = EXCHANGE_PUBLIC;
    x->reader.upstream_model = EXCHANGE_UPSTREAM;
    if (!x->is_translated)
        return ERR_OK;
    e = translation_make(x);
    return e ? e : translation_attach(x->translation, &x->reader, REQUEST_ID, CREATED_S);
}

static enum err take(struct exchange *x, enum event_verdict verdict, struct slice raw)
{
    switch (verdict) {
    case EVENT_FORWARD:
    case EVENT_END:
        return buf_append_slice(&x->out, x->reader.replacement.p ? x->reader.replacement : raw);
    case EVENT_WITHHOLD:
        return ERR_OK;
    case EVENT_FAIL:
        return ERR_UP_FAILED;
    case EVENT_MALFORMED:
    default:
        return ERR_UP_MALFORMED;
    }
}

static enum err on_event(void *ctx, const struct sse_event *e)
{
    struct exchange *x = ctx;

    if (x->reader.is_ended || (!e->data.p && x->out.n == 0))
        return ERR_OK;
    return take(x, x->reader.ops->read_event(&x->reader, e), e->raw);
}

/* The bytes have ended. */
static enum err end_stream(struct exchange *x)
{
    struct slice nothing = {NULL, 0};

    if (x->reader.is_ended)
        return ERR_OK;
    x->reader.replacement = nothing;
    return take(x, x->reader.ops->read_end(&x->reader), nothing);
}

enum err exchange_stream(struct exchange *x, struct slice text, struct pieces pieces)
{
    size_t at = 0, n = pieces.first;
    enum err e = begin_answer(x);
    struct sse sse;

    if (e)
        return e;
    sse_init(&sse, EVENT_MAX);
    while (at < text.n && !e) {
        n = n > text.n - at ? text.n - at : n;
        e = sse_feed(&sse, (struct slice){text.p + at, n}, on_event, x);
        at += n;
        n = pieces.step ? pieces.step : text.n;
    }
    if (!e)
        e = sse_finish(&sse, on_event, x);
    sse_clear(&sse);
    return e ? e : end_stream(x);
}

enum err exchange_whole(struct exchange *x, struct slice body)
{
    struct slice out = {NULL, 0};
    enum err e = begin_answer(x);

    if (!e)
        e = x->reader.ops->read_whole(&x->reader, body, &out);
    return e ? e : buf_append_slice(&x->out, out);
}
