/* Any bytes in any pieces: the same events, and nothing is lost on the way. */
#include "tests/fuzz/fuzz_kit.h"

#include "upstream/sse.h"

#include <string.h>

#define EVENT_MAX 4096

struct seen {
    struct buf events, raw;
};

static enum err on_event(void *ctx, const struct sse_event *e)
{
    struct seen *s = ctx;
    enum err err =
        buf_printf(&s->events, "<%zu|%.*s|%d ", e->raw.n, SLICE_FMT(e->type), !!e->data.p);

    if (!err)
        err = buf_append_slice(&s->events, e->data);
    return err ? err : buf_append_slice(&s->raw, e->raw);
}

static enum err feed(struct seen *s, struct slice text, struct pieces pieces)
{
    size_t at = 0, n = pieces.first;
    enum err e = ERR_OK;
    struct sse sse;

    buf_init(&s->events, FUZZ_ARENA_MAX);
    buf_init(&s->raw, FUZZ_ARENA_MAX);
    sse_init(&sse, EVENT_MAX);
    while (!e && at < text.n) {
        n = n > text.n - at ? text.n - at : n;
        e = sse_feed(&sse, (struct slice){text.p + at, n}, on_event, s);
        at += n;
        n = pieces.step ? pieces.step : text.n;
    }
    if (!e)
        FUZZ_CHECK(text.n < s->raw.n + EVENT_MAX + 1, "%zu bytes wait", text.n - s->raw.n);
    if (!e)
        e = sse_finish(&sse, on_event, s);
    sse_clear(&sse);
    return e;
}

static void clear(struct seen *s)
{
    buf_clear(&s->events);
    buf_clear(&s->raw);
}

static void compare(struct slice text, const struct seen *whole, enum err expected,
                    struct pieces pieces)
{
    struct seen s;
    enum err e = feed(&s, text, pieces);

    FUZZ_CHECK(e == expected, "%s, %s when split", err_name(expected), err_name(e));
    FUZZ_CHECK(slice_eq(buf_slice(&s.events), buf_slice(&whole->events)), "events differ");
    clear(&s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice text;
    struct seen whole;
    enum err e;

    if (size < 2)
        return 0;
    text = (struct slice){(const char *)data + 2, size - 2};
    e = feed(&whole, text, (struct pieces){text.n, 0});
    FUZZ_CHECK(!e || e == ERR_FULL, "%s", err_name(e));
    FUZZ_CHECK(whole.raw.n <= text.n &&
                   memcmp(whole.raw.p ? whole.raw.p : "", text.p, whole.raw.n) == 0,
               "raw bytes are not the input");
    compare(text, &whole, e, (struct pieces){1, 1});
    compare(text, &whole, e, (struct pieces){data[0] + 1U, data[1] + 1U});
    clear(&whole);
    return 0;
}
