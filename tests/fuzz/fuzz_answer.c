/* Any bytes as a provider's answer, translated for any client: the same for every split, and what
 * ends well is an answer of the client's format. The first bytes choose the formats, whether the
 * provider and the client stream, and the pieces. */
#include "tests/fuzz/fuzz_kit.h"

struct run {
    const struct format *from, *to;
    struct format_call call;
    struct slice answer;
    bool is_sse;
};

/* What the client got, in out, which is the caller's. */
static enum err run(const struct run *r, unsigned model, struct pieces pieces, struct buf *out)
{
    struct capability capability = fuzz_capability(r->to, model);
    struct exchange x;
    enum err e = exchange_open(&x, fuzz_arena(), r->from, r->to, &r->call, &capability, true);

    FUZZ_CHECK(!e, "the question: %s", x.fault.text);
    buf_init(out, FUZZ_ARENA_MAX);
    e = exchange_request(&x, out);
    buf_clear(out);
    FUZZ_CHECK(!e, "the request: %s", x.fault.text);
    e = r->is_sse ? exchange_stream(&x, r->answer, pieces) : exchange_whole(&x, r->answer);
    FUZZ_CHECK(buf_append_slice(out, buf_slice(&x.out)) == ERR_OK, "no memory");
    FUZZ_CHECK(!e || e == ERR_UP_FAILED || e == ERR_UP_MALFORMED, "%s", err_name(e));
    FUZZ_CHECK(x.reader.counts.out_all >= 0 && x.reader.counts.in_fresh >= 0, "negative counts");
    exchange_close(&x);
    return e;
}

/* Responses tell the second in which they were completed. */
static void still_clock(struct buf *b)
{
    static const char member[] = "\"completed_at\":1";
    size_t i;

    for (i = 0; i + sizeof(member) < b->n; i++)
        if (slice_starts((struct slice){b->p + i, b->n - i}, member))
            for (i += sizeof(member) - 1; i < b->n && b->p[i] >= '0' && b->p[i] <= '9'; i++)
                b->p[i] = '0';
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    bool is_stream, is_array;
    struct buf whole, split;
    struct run r;
    enum err e, other;

    if (size < FUZZ_HEAD)
        return 0;
    is_stream = data[2] & 1;
    is_array = data[2] & 2;
    r.from = fuzz_formats[data[0] % FUZZ_CLIENTS];
    r.to = fuzz_formats[data[1] % FUZZ_FORMATS];
    r.is_sse = data[2] & 4;
    r.call = fuzz_question(r.from, is_stream, is_array);
    r.answer = (struct slice){(const char *)data + FUZZ_HEAD, size - FUZZ_HEAD};
    e = run(&r, data[2] >> 4, (struct pieces){r.answer.n, 0}, &whole);
    if (r.is_sse) {
        other = run(&r, data[2] >> 4, (struct pieces){data[3] + 1U, data[3] / 4 + 1U}, &split);
        still_clock(&whole);
        still_clock(&split);
        FUZZ_CHECK(e == other, "%s, %s when split", err_name(e), err_name(other));
        FUZZ_CHECK(slice_eq(buf_slice(&whole), buf_slice(&split)), "split:\n%.*s\nwhole:\n%.*s",
                   SLICE_FMT(buf_slice(&split)), SLICE_FMT(buf_slice(&whole)));
        buf_clear(&split);
    }
    if (!e && is_stream && r.call.is_array)
        fuzz_check_json(buf_slice(&whole), "array");
    else if (!e)
        fuzz_check_answer(r.from, buf_slice(&whole), is_stream, "translated");
    buf_clear(&whole);
    return 0;
}
