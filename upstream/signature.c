#include "upstream/signature.h"

#include <inttypes.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* "aip1.VENDOR.MODEL.FLAG.ID.PAYLOAD": dots in MODEL and ID are written as '~'; FLAG is r for
 * redacted thinking, else -, and behind it the text's CRC when it is told. A Gemini client's signatures are bytes in base64: the whole envelope is
 * wrapped once more for it, and taken apart here by its beginning. */
#define PREFIX        "aip1."
#define PREFIX_BASE64 "YWlwMS" /* what the base64 of every envelope begins with */
#define ENVELOPE_MAX  (4 << 20)
#define CRC_FLAG_SIZE 10

static const char *const words[] = {
    [VENDOR_NONE] = "none",
    [VENDOR_OPENAI] = "openai",
    [VENDOR_ANTHROPIC] = "anthropic",
    [VENDOR_GEMINI] = "gemini",
};

const char *vendor_word(enum vendor v)
{
    return words[v];
}

static void swap(char *p, size_t n, char from, char to)
{
    size_t i;

    for (i = 0; i < n; i++)
        if (p[i] == from)
            p[i] = to;
}

struct slice signature_wrap(struct arena *a, const struct seal *seal)
{
    size_t model_n = seal->model.n, id_n = seal->id.n, flag_n;
    char flag[CRC_FLAG_SIZE];
    char *text, *model;

    if (seal->text_crc)
        snprintf(flag, sizeof(flag), "%c%08" PRIx32, seal->is_redacted ? 'r' : '-', seal->text_crc);
    else
        snprintf(flag, sizeof(flag), "%c", seal->is_redacted ? 'r' : '-');
    flag_n = strlen(flag);
    text = arena_printf(a, PREFIX "%s.%.*s.%s.%.*s.%.*s", vendor_word(seal->vendor),
                        SLICE_FMT(seal->model), flag, SLICE_FMT(seal->id),
                        SLICE_FMT(seal->payload));
    if (!text)
        return (struct slice){NULL, 0};
    model = text + strlen(PREFIX) + strlen(vendor_word(seal->vendor)) + 1;
    swap(model, model_n, '.', '~');
    swap(model + model_n + flag_n + 2, id_n, '.', '~');
    return slice_of(text);
}

struct slice signature_base64(struct arena *a, struct slice envelope)
{
    unsigned char *text;

    if (envelope.n > ENVELOPE_MAX)
        return (struct slice){NULL, 0};
    text = arena_alloc(a, (envelope.n + 2) / 3 * 4 + 1);
    if (!text)
        return (struct slice){NULL, 0};
    (void)EVP_EncodeBlock(text, (const unsigned char *)envelope.p, (int)envelope.n);
    return slice_of((const char *)text);
}

/* *text: what a base64 text stands for. ERR_FORMAT. */
static enum err decode_base64(struct arena *a, struct slice *text)
{
    size_t pad = 0;
    unsigned char *bytes;
    int n;

    if (text->n % 4 != 0 || text->n > ENVELOPE_MAX)
        return ERR_FORMAT;
    while (pad < 2 && text->p[text->n - 1 - pad] == '=')
        pad++;
    bytes = arena_alloc(a, text->n / 4 * 3 + 1);
    if (!bytes)
        return ERR_MEMORY;
    n = EVP_DecodeBlock(bytes, (const unsigned char *)text->p, (int)text->n);
    if (n < 0)
        return ERR_FORMAT;
    *text = (struct slice){(const char *)bytes, (size_t)n - pad};
    return ERR_OK;
}

static enum vendor vendor_parse(struct slice word)
{
    size_t v;

    for (v = VENDOR_OPENAI; v < sizeof(words) / sizeof(words[0]); v++)
        if (slice_eq_z(word, words[v]))
            return (enum vendor)v;
    return VENDOR_NONE;
}

static enum err undot(struct arena *a, struct slice field, struct slice *out)
{
    char *copy = arena_copy(a, field);

    if (!copy)
        return ERR_MEMORY;
    swap(copy, field.n, '~', '.');
    *out = (struct slice){copy, field.n};
    return ERR_OK;
}

static uint32_t parse_crc(struct slice flag)
{
    char text[CRC_FLAG_SIZE];

    if (flag.n != CRC_FLAG_SIZE - 1 || !slice_copy_z(text, sizeof(text), flag))
        return 0;
    return (uint32_t)strtoul(text + 1, NULL, 16);
}

static enum err take_apart(struct arena *a, struct slice rest, struct seal *out)
{
    struct slice model, flag, id;
    struct seal seal = {.vendor = vendor_parse(slice_split(&rest, '.'))};
    enum err e;

    model = rest.p ? slice_split(&rest, '.') : rest;
    flag = rest.p ? slice_split(&rest, '.') : rest;
    id = rest.p ? slice_split(&rest, '.') : rest;
    if (!rest.p || seal.vendor == VENDOR_NONE) {
        *out = (struct seal){.vendor = VENDOR_NONE};
        return ERR_OK;
    }
    seal.is_redacted = slice_starts(flag, "r");
    seal.text_crc = parse_crc(flag);
    seal.payload = rest;
    e = undot(a, model, &seal.model);
    if (!e && id.n)
        e = undot(a, id, &seal.id);
    if (!e)
        *out = seal;
    return e;
}

enum err signature_open(struct arena *a, struct slice text, enum vendor client, struct seal *out)
{
    enum err e;

    if (text.n == 0) {
        *out = (struct seal){.vendor = VENDOR_NONE};
        return ERR_OK;
    }
    if (slice_starts(text, PREFIX_BASE64)) {
        struct slice inner = text;

        e = decode_base64(a, &inner);
        if (e == ERR_MEMORY)
            return e;
        if (!e && slice_starts(inner, PREFIX))
            text = inner;
    }
    if (!slice_starts(text, PREFIX)) {
        *out = (struct seal){.vendor = client, .payload = text};
        return ERR_OK;
    }
    text.p += strlen(PREFIX);
    text.n -= strlen(PREFIX);
    return take_apart(a, text, out);
}

bool signature_is_envelope(struct slice text)
{
    return slice_starts(text, PREFIX);
}
