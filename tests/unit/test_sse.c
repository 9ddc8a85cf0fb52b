#include "upstream/sse.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#define EVENT_MAX 4096

/* What a stream gave, as text: "type|data" a line, "-" for no data; and the raw bytes of all events. */
struct record {
    struct buf events, raw;
    size_t n;
    size_t fail_at; /* the event at which the callback fails; 0: never */
};

static void record_init(struct record *r)
{
    *r = (struct record){0};
    buf_init(&r->events, 1 << 20);
    buf_init(&r->raw, 1 << 20);
}

static void record_clear(struct record *r)
{
    buf_clear(&r->events);
    buf_clear(&r->raw);
}

static enum err note(void *ctx, const struct sse_event *e)
{
    struct record *r = ctx;

    r->n++;
    ck_assert_int_eq(buf_printf(&r->events, "%.*s|", SLICE_FMT(e->type)), ERR_OK);
    if (e->data.p)
        ck_assert_int_eq(buf_append_slice(&r->events, e->data), ERR_OK);
    else
        ck_assert_int_eq(buf_append_z(&r->events, "-"), ERR_OK);
    ck_assert_int_eq(buf_append_z(&r->events, "\n"), ERR_OK);
    ck_assert_int_eq(buf_append_slice(&r->raw, e->raw), ERR_OK);
    return r->n == r->fail_at ? ERR_CLIENT_GONE : ERR_OK;
}

/* Feeds text in pieces: up to cut, then the rest in steps. */
static enum err feed_all(struct slice text, size_t cut, size_t step, size_t event_max,
                         struct record *r)
{
    struct sse s;
    enum err e;
    size_t at;

    sse_init(&s, event_max);
    e = sse_feed(&s, (struct slice){text.p, cut}, note, r);
    for (at = cut; at < text.n && !e; at += step) {
        size_t n = text.n - at < step ? text.n - at : step;
        char *own = malloc(n); /* so that a read past its end is seen */

        memcpy(own, text.p + at, n);
        e = sse_feed(&s, (struct slice){own, n}, note, r);
        free(own);
    }
    if (!e)
        e = sse_finish(&s, note, r);
    sse_clear(&s);
    return e;
}

static const struct {
    const char *text, *events;
    size_t lost; /* bytes at the end that are no event */
} streams[] = {
    {"",                                                        "",                            0 },
    {"data: a\n\n",                                             "|a\n",                        0 },
    {"data: a\r\n\r\n",                                         "|a\n",                        0 },
    {"data: a\r\r",                                             "|a\n",                        0 },
    {"data:a\n\ndata:  b\n\n",                                  "|a\n| b\n",                   0 },
    {"data: {\"x\":1}\n\ndata: [DONE]\n\n",                     "|{\"x\":1}\n|[DONE]\n",       0 },
    {"data: {\"x\":1}\r\n\r\ndata: [DONE]\r\n\r\n",             "|{\"x\":1}\n|[DONE]\n",       0 },
    {"data: a\rdata: b\r\rdata: c\r\r",                         "|a\nb\n|c\n",                 0 },
    {"data: a\n\r\ndata: b\r\n\ndata: c\r\n\r",                 "|a\n|b\n|c\n",                0 },
    {"\xef\xbb\xbf"
     "data: a\n\ndata: b\n\n",                             "|a\n|b\n",                    0 },
    {"data: a\n\n\xef\xbb\xbf"
     "data: b\n\n",                                        "|a\n|-\n",                    0 },
    {": a comment\n\n",                                         "|-\n",                        0 },
    {":\n\n\n\ndata: a\n\n",                                    "|-\n|-\n|-\n|a\n",            0 },
    {"event: error\ndata: {}\n\n",                              "error|{}\n",                  0 },
    {"data: 1\nevent:x\nid: 7\nretry: 9\n\n",                   "x|1\n",                       0 },
    {"event: a\nevent: b\ndata: 1\n\n",                         "b|1\n",                       0 },
    {"event: ping\n\n",                                         "ping|-\n",                    0 },
    {"data\n\ndata:\n\ndata: \n\n",                             "|\n|\n|\n",                   0 },
    {"data: a\ndata: b\ndata: c\n\n",                           "|a\nb\nc\n",                  0 },
    {"data:\ndata: a\ndata\n\n",                                "|\na\n\n",                    0 },
    {"data: a\n: between\ndata: b\n\ndata: c\n\n",              "|a\nb\n|c\n",                 0 },
    {"database: a\ndat: b\n data: c\neventual: d\nDATA: e\n\n", "|-\n",                        0 },
    {"data: a: b\n\n",                                          "|a: b\n",                     0 },
    {"data: last",                                              "|last\n",                     0 },
    {"data: last\n",                                            "|last\n",                     0 },
    {"data: last\r",                                            "|last\n",                     0 },
    {"data: a\n\n: no data at the end",                         "|a\n",                        20},
    {"data: a\n\nevent: x\n",                                   "|a\n",                        9 },
    {": c\r\r",                                                 "|-\n",                        0 },
    {"data: \xe4\xbd\xa0\xe5\xa5\xbd\n\n",                      "|\xe4\xbd\xa0\xe5\xa5\xbd\n", 0 },
};

static void check_stream(size_t i, size_t cut, size_t step)
{
    struct slice text = slice_of(streams[i].text);
    struct record r;

    record_init(&r);
    ck_assert_int_eq(feed_all(text, cut, step, EVENT_MAX, &r), ERR_OK);
    ck_assert_msg(slice_eq_z(buf_slice(&r.events), streams[i].events),
                  "stream %zu cut %zu step %zu: %.*s", i, cut, step,
                  SLICE_FMT(buf_slice(&r.events)));
    text.n -= streams[i].lost;
    ck_assert_msg(slice_eq(buf_slice(&r.raw), text),
                  "stream %zu cut %zu step %zu: raw bytes differ", i, cut, step);
    record_clear(&r);
}

START_TEST(events_and_raw_bytes_are_the_same_for_every_split)
{
    size_t i = (size_t)_i, n = strlen(streams[i].text), cut, step;

    for (cut = 0; cut <= n; cut++)
        check_stream(i, cut, n + 1);
    for (step = 1; step < 5; step++)
        check_stream(i, 0, step);
}
END_TEST

START_TEST(every_two_splits_of_a_crlf_stream_agree)
{
    struct slice text =
        SLICE("event: m\r\ndata: 1\r\ndata: 2\r\n\r\n:k\r\n\r\ndata: [DONE]\r\n\r\n");
    size_t a, b;

    for (a = 0; a <= text.n; a++) {
        for (b = 1; b <= text.n; b++) {
            struct record r;

            record_init(&r);
            ck_assert_int_eq(feed_all(text, a, b, EVENT_MAX, &r), ERR_OK);
            ck_assert(slice_eq_z(buf_slice(&r.events), "m|1\n2\n|-\n|[DONE]\n"));
            ck_assert(slice_eq(buf_slice(&r.raw), text));
            record_clear(&r);
        }
    }
}
END_TEST

START_TEST(an_event_that_lies_whole_in_the_input_is_not_copied)
{
    struct slice text = SLICE("data: a\n\ndata: b\n\n");
    struct record r;
    struct sse s;

    record_init(&r);
    sse_init(&s, EVENT_MAX);
    ck_assert_int_eq(sse_feed(&s, text, note, &r), ERR_OK);
    ck_assert_uint_eq(r.n, 2);
    ck_assert_ptr_null(s.pending.p);
    ck_assert_ptr_null(s.joined.p);
    sse_clear(&s);
    record_clear(&r);
}
END_TEST

START_TEST(an_event_of_exactly_the_maximum_passes_and_one_byte_more_is_full)
{
    struct slice text = SLICE("data: 1\n\ndata: 12345\r\n\r\n");
    size_t cut, step, longest = strlen("data: 12345\r\n\r\n");

    for (cut = 0; cut <= text.n; cut++) {
        for (step = 1; step <= text.n; step++) {
            struct record r;

            record_init(&r);
            ck_assert_int_eq(feed_all(text, cut, step, longest, &r), ERR_OK);
            ck_assert_uint_eq(r.n, 2);
            record_clear(&r);
            record_init(&r);
            ck_assert_int_eq(feed_all(text, cut, step, longest - 1, &r), ERR_FULL);
            ck_assert_uint_eq(r.n, 1);
            record_clear(&r);
        }
    }
}
END_TEST

START_TEST(an_endless_line_is_full_and_takes_no_more_memory_than_the_maximum)
{
    char block[64];
    struct record r;
    struct sse s;
    enum err e = ERR_OK;
    size_t fed = 0;

    memset(block, 'x', sizeof(block));
    record_init(&r);
    sse_init(&s, EVENT_MAX);
    for (; !e; fed += sizeof(block))
        e = sse_feed(&s, (struct slice){block, sizeof(block)}, note, &r);
    ck_assert_int_eq(e, ERR_FULL);
    ck_assert_uint_eq(fed, EVENT_MAX + sizeof(block));
    ck_assert_uint_le(s.pending.cap, EVENT_MAX + 1);
    ck_assert_uint_eq(r.n, 0);
    sse_clear(&s);
    record_clear(&r);
}
END_TEST

START_TEST(the_callbacks_error_stops_the_feed)
{
    struct slice text = SLICE("data: a\n\ndata: b\n\ndata: c\n\n");
    size_t step;

    for (step = 1; step <= text.n; step++) {
        struct record r;

        record_init(&r);
        r.fail_at = 2;
        ck_assert_int_eq(feed_all(text, 0, step, EVENT_MAX, &r), ERR_CLIENT_GONE);
        ck_assert_uint_eq(r.n, 2);
        record_clear(&r);
    }
}
END_TEST

START_TEST(the_callbacks_error_at_the_end_is_returned)
{
    struct record r;

    record_init(&r);
    r.fail_at = 1;
    ck_assert_int_eq(feed_all(SLICE("data: a"), 0, 3, EVENT_MAX, &r), ERR_CLIENT_GONE);
    record_clear(&r);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("sse");
    TCase *cases = tcase_create("sse");
    SRunner *runner = srunner_create(suite);
    int failed;

    suite_add_tcase(suite, cases);
    tcase_add_loop_test(cases, events_and_raw_bytes_are_the_same_for_every_split, 0,
                        (int)(sizeof(streams) / sizeof(streams[0])));
    tcase_add_test(cases, every_two_splits_of_a_crlf_stream_agree);
    tcase_add_test(cases, an_event_that_lies_whole_in_the_input_is_not_copied);
    tcase_add_test(cases, an_event_of_exactly_the_maximum_passes_and_one_byte_more_is_full);
    tcase_add_test(cases, an_endless_line_is_full_and_takes_no_more_memory_than_the_maximum);
    tcase_add_test(cases, the_callbacks_error_stops_the_feed);
    tcase_add_test(cases, the_callbacks_error_at_the_end_is_returned);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
