/* Any text as a signature that a client sent back; and what we wrap comes back as it was. */
#include "tests/fuzz/fuzz_kit.h"

#include "upstream/signature.h"

#include <string.h>

static void check_round_trip(struct arena *a, struct slice text, unsigned cut)
{
    size_t at = cut % (text.n + 1);
    struct seal seal =
                    {
                        .vendor = VENDOR_OPENAI + cut % 3,
                        .model = {text.p,      at         },
                        .payload = {text.p + at, text.n - at},
                        .is_redacted = cut & 1
    },
                out = {0};
    struct slice wrapped = signature_wrap(a, &seal), in_base64;

    if (seal.payload.n == 0 || memchr(text.p, 0, text.n) || memchr(text.p, '~', at))
        return; /* no model's name, and no text that JSON brings */
    FUZZ_CHECK(wrapped.n > 0, "no memory");
    FUZZ_CHECK(!signature_open(a, wrapped, VENDOR_GEMINI, &out), "open");
    FUZZ_CHECK(out.vendor == seal.vendor && out.is_redacted == seal.is_redacted &&
                   slice_eq(out.payload, seal.payload) && slice_eq(out.model, seal.model),
               "another seal from %.*s", SLICE_FMT(wrapped));
    in_base64 = signature_base64(a, wrapped);
    FUZZ_CHECK(!signature_open(a, in_base64, VENDOR_GEMINI, &out), "open from base64");
    FUZZ_CHECK(out.vendor == seal.vendor && slice_eq(out.payload, seal.payload),
               "another seal from %.*s", SLICE_FMT(in_base64));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *a = fuzz_arena();
    struct slice text;
    struct seal seal = {0};
    int vendor;

    if (size < 1)
        return 0;
    text = (struct slice){(const char *)data + 1, size - 1};
    for (vendor = VENDOR_OPENAI; vendor <= VENDOR_GEMINI; vendor++) {
        FUZZ_CHECK(!signature_open(a, text, (enum vendor)vendor, &seal), "no memory");
        FUZZ_CHECK(seal.vendor == VENDOR_NONE || seal.payload.p, "a seal without payload");
    }
    check_round_trip(a, text, data[0]);
    return 0;
}
