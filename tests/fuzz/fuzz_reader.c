/* Any bytes as an answer that is passed through: the client gets the same for every split, and
 * errors are told in words. The first bytes choose the format, whether it streams, and the
 * pieces. */
#include "tests/fuzz/fuzz_kit.h"

#include <string.h>

struct run {
    const struct format *format;
    struct format_call call;
    struct slice answer;
    struct capability capability;
};

static enum err run(const struct run *r, struct pieces pieces, struct buf *out,
                    struct counts *counts)
{
    const struct format *f = r->format;
    struct exchange x;
    enum err e = exchange_open(&x, fuzz_arena(), f, f, &r->call, &r->capability, false);

    FUZZ_CHECK(!e, "the question: %s", x.fault.text);
    buf_init(out, FUZZ_ARENA_MAX);
    e = pieces.first ? exchange_stream(&x, r->answer, pieces) : exchange_whole(&x, r->answer);
    FUZZ_CHECK(!e || e == ERR_UP_FAILED || e == ERR_UP_MALFORMED, "%s", err_name(e));
    FUZZ_CHECK(e != ERR_UP_FAILED || str_is_utf8(slice_of(x.reader.error_text)),
               "an error in no UTF-8");
    FUZZ_CHECK(buf_append_slice(out, buf_slice(&x.out)) == ERR_OK, "no memory");
    *counts = reader_counts(&x.reader);
    FUZZ_CHECK(counts->in_fresh >= 0 && counts->in_read >= 0 && counts->out_all >= 0 &&
                   counts->out_think >= 0,
               "negative counts");
    if (x.has_reader && e) { /* the error that the client gets for it */
        struct buf error;

        buf_init(&error, FUZZ_ARENA_MAX);
        FUZZ_CHECK(!f->write_stream_error(&x.reader, &error, e, x.reader.error_text, "01REQUEST"),
                   "write_stream_error");
        buf_clear(&error);
    }
    exchange_close(&x);
    return e;
}

static void check_error(const struct run *r)
{
    struct exchange x;
    enum err e =
        exchange_open(&x, fuzz_arena(), r->format, r->format, &r->call, &r->capability, false);

    FUZZ_CHECK(!e && !reader_init(&x.reader, r->format, &x.in, x.arena), "no memory");
    x.has_reader = true;
    x.reader.ops->read_error(&x.reader, r->answer);
    FUZZ_CHECK(str_is_utf8(slice_of(x.reader.error_text)), "an error in no UTF-8");
    FUZZ_CHECK(strlen(x.reader.error_text) < sizeof(x.reader.error_text), "a long error");
    exchange_close(&x);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct counts counts, again;
    struct buf whole, split;
    bool is_stream;
    struct run r;
    enum err e, other;

    if (size < FUZZ_HEAD)
        return 0;
    is_stream = data[2] & 1;
    r.format = fuzz_formats[data[0] % FUZZ_CLIENTS];
    r.call = fuzz_question(r.format, is_stream, data[2] & 2);
    r.capability = fuzz_capability(r.format, 0);
    r.answer = (struct slice){(const char *)data + FUZZ_HEAD, size - FUZZ_HEAD};
    check_error(&r);
    if (r.answer.n == 0)
        return 0;
    e = run(&r, (struct pieces){is_stream ? r.answer.n : 0, 0}, &whole, &counts);
    if (!e && !is_stream)
        fuzz_check_json(buf_slice(&whole), "whole");
    if (!e && r.call.is_array)
        fuzz_check_json(buf_slice(&whole), "array");
    if (is_stream) {
        other = run(&r, (struct pieces){data[3] + 1U, data[3] / 4 + 1U}, &split, &again);
        FUZZ_CHECK(e == other, "%s, %s when split", err_name(e), err_name(other));
        FUZZ_CHECK(slice_eq(buf_slice(&whole), buf_slice(&split)), "split:\n%.*s\nwhole:\n%.*s",
                   SLICE_FMT(buf_slice(&split)), SLICE_FMT(buf_slice(&whole)));
        FUZZ_CHECK(counts.out_all == again.out_all, "other counts when split");
        buf_clear(&split);
    }
    buf_clear(&whole);
    return 0;
}
