/* Any body of any client: it is passed through as JSON, and becomes JSON for each provider or is
 * refused in words. The first bytes choose the client, the provider and its model. */
#include "tests/fuzz/fuzz_kit.h"

static struct format_call call_of(const struct format *f, const uint8_t *head, struct slice body)
{
    struct format_call call = {.body = body};

    if (f == &format_gemini) {
        call.model = SLICE(EXCHANGE_PUBLIC);
        call.is_stream = head[3] & 1;
        call.is_array = call.is_stream && head[3] & 2;
        call.verb = head[3] & 4 ? "embedContent" : head[3] & 8 ? "batchEmbedContents" : NULL;
    }
    return call;
}

/* The client's body with a channel's edits. */
static void check_pass_through(struct exchange *x)
{
    static const struct member_edit edits[] = {
        {MEMBER_SET,     "temperature", "0.5"                  },
        {MEMBER_DEFAULT, "top_p",       "1"                    },
        {MEMBER_REMOVE,  "user",        NULL                   },
        {MEMBER_RENAME,  "max_tokens",  "max_completion_tokens"},
        {MEMBER_SET,     "new",         "{\"a\":[null]}"       }
    };
    struct format_target t = {.upstream_model = "up\"stream",
                              .edits = edits,
                              .edits_n = sizeof(edits) / sizeof(edits[0]),
                              .output_max_inject = 77};
    struct splice out;
    struct buf b;
    size_t i;

    FUZZ_CHECK(!x->from->write_request(&x->in, &t, x->arena, &out), "write_request");
    buf_init(&b, FUZZ_ARENA_MAX);
    for (i = 0; i < out.parts_n; i++)
        FUZZ_CHECK(!buf_append_slice(&b, out.parts[i]), "no memory");
    FUZZ_CHECK((int64_t)b.n == out.bytes, "%zu bytes, %lld told", b.n, (long long)out.bytes);
    fuzz_check_json(buf_slice(&b), "passed through");
    buf_clear(&b);
}

static void check_words(const struct exchange *x)
{
    FUZZ_CHECK(x->fault.text && x->fault.text[0], "refused without a word");
    FUZZ_CHECK(str_is_utf8(slice_of(x->fault.text)), "refused in no UTF-8");
}

static bool is_listable(const char *name)
{
    const char *p;

    for (p = name; *p > ' ' && *p <= '~' && *p != ','; p++)
        ;
    return p > name && *p == '\0';
}

static void check_translation(struct exchange *x)
{
    const struct drops *drops;
    struct buf body;
    enum err e;
    size_t i;

    buf_init(&body, FUZZ_ARENA_MAX);
    x->fault = (struct fault){0};
    e = exchange_request(x, &body);
    FUZZ_CHECK(!e || e == ERR_BAD_REQUEST, "%s to %s: %s", x->from->name, x->to->name, err_name(e));
    if (e) {
        check_words(x);
    } else {
        fuzz_check_json(buf_slice(&body), x->to->name);
        drops = exchange_drops(x);
        for (i = 0; i < drops->n; i++)
            FUZZ_CHECK(is_listable(drops->names[i]), "no name for a header: %s", drops->names[i]);
    }
    buf_clear(&body);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct format *from, *to;
    struct capability capability;
    struct format_call call;
    struct exchange x;
    enum err e;

    if (size < FUZZ_HEAD)
        return 0;
    from = fuzz_formats[data[0] % FUZZ_CLIENTS];
    to = fuzz_formats[data[1] % FUZZ_FORMATS];
    capability = fuzz_capability(to, data[2]);
    call = call_of(from, data, (struct slice){(const char *)data + FUZZ_HEAD, size - FUZZ_HEAD});
    e = exchange_open(&x, fuzz_arena(), from, to, &call, &capability, true);
    FUZZ_CHECK(!e || e == ERR_BAD_REQUEST, "%s", err_name(e));
    if (e) {
        check_words(&x);
    } else {
        check_pass_through(&x);
        if (!x.in.verb && to->encode_request && from->decode_request)
            check_translation(&x);
    }
    exchange_close(&x);
    return 0;
}
