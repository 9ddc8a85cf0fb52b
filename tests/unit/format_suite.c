#include "tests/unit/format_suite.h"

#include <stdlib.h>

#define ARENA_MAX ((size_t)64 << 20)
#define OUT_MAX   (1 << 20)
#define EVENT_MAX (1 << 16)

struct arena *arena;

void suite_arena_open(void)
{
    arena = arena_new(ARENA_MAX);
    ck_assert_ptr_nonnull(arena);
}

void suite_arena_close(void)
{
    arena_free(arena);
}

void suite_feed(struct slice text, size_t cut,
                enum err (*sink)(void *ctx, const struct sse_event *e), void *ctx)
{
    struct sse sse;
    size_t at, step = cut > text.n ? 1 : text.n + 1;

    sse_init(&sse, EVENT_MAX);
    cut = cut > text.n ? 0 : cut;
    ck_assert_int_eq(sse_feed(&sse, (struct slice){text.p, cut}, sink, ctx), ERR_OK);
    for (at = cut; at < text.n; at += step)
        ck_assert_int_eq(
            sse_feed(&sse, (struct slice){text.p + at, text.n - at < step ? text.n - at : step},
                     sink, ctx),
            ERR_OK);
    ck_assert_int_eq(sse_finish(&sse, sink, ctx), ERR_OK);
    sse_clear(&sse);
}

static enum err see(void *ctx, const struct sse_event *e)
{
    struct seen *s = ctx;

    s->verdict = s->reader->format->reader.read_event(s->reader, e);
    s->events++;
    if (s->verdict == EVENT_WITHHOLD)
        return ERR_OK;
    return buf_append_slice(&s->out, s->reader->replacement.p ? s->reader->replacement : e->raw);
}

void suite_see(struct seen *s, struct reader *r, struct slice text, size_t cut)
{
    *s = (struct seen){.reader = r};
    buf_init(&s->out, OUT_MAX);
    suite_feed(text, cut, see, s);
}

int suite_run(Suite *s)
{
    SRunner *runner = srunner_create(s);
    int failed;

    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
