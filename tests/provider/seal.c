#include "tests/provider/seal.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

/* "sim1.K.MMMMMMMM.TTTTTTTT.SSSSSSSSSSSSSSSS", numbers in hexadecimal; 41 characters make 56 of base64. */
enum { PLAIN_BYTES = 41, SEAL_BYTES = 56 };

static const char *organisation = "demo";

void seal_set_organisation(const char *name)
{
    organisation = name;
}

/* FNV-1a, 64 bits. */
static uint64_t hash_on(uint64_t hash, struct span text)
{
    for (size_t i = 0; i < text.len; i++)
        hash = (hash ^ (unsigned char)text.at[i]) * 1099511628211U;
    return hash;
}

static uint32_t hash_of(struct span text)
{
    uint64_t hash = hash_on(14695981039346656037U, text);
    return (uint32_t)(hash ^ (hash >> 32));
}

static struct span bare(struct span model)
{
    const char *at = model.len > 0 ? memchr(model.at, '@', model.len) : NULL;
    return at != NULL ? (struct span){model.at, (size_t)(at - model.at)} : model;
}

static void write_plain(enum seal_kind kind, uint32_t model, uint32_t text,
                        char plain[PLAIN_BYTES + 1])
{
    int len = snprintf(plain, PLAIN_BYTES + 1, "sim1.%c.%08x.%08x", (char)kind, model, text);
    uint64_t sum = hash_on(hash_of(span_of(organisation)), (struct span){plain, (size_t)len});
    sum = (sum ^ (sum >> 29)) * 0xbf58476d1ce4e5b9U;
    snprintf(plain + len, (size_t)(PLAIN_BYTES + 1 - len), ".%016llx", (unsigned long long)sum);
}

void seal_put(enum seal_kind kind, struct span model, struct span text, struct bytes *out)
{
    char plain[PLAIN_BYTES + 1];
    write_plain(kind, hash_of(bare(model)), hash_of(text), plain);
    char *room = bytes_room(out, SEAL_BYTES + 1);
    out->len +=
        (size_t)EVP_EncodeBlock((unsigned char *)room, (unsigned char *)plain, (int)strlen(plain));
}

enum seal_verdict seal_check(struct span seal, enum seal_kind kind, struct span model,
                             struct span text)
{
    unsigned char plain[SEAL_BYTES + 1] = {0};
    char sealed[SEAL_BYTES] = {0};
    char expected[PLAIN_BYTES + 1];
    unsigned its_model = 0;
    unsigned its_text = 0;
    char its_kind = 0;
    if (seal.len != SEAL_BYTES)
        return SEAL_FOREIGN;
    memcpy(sealed, seal.at, SEAL_BYTES);
    if (EVP_DecodeBlock(plain, (unsigned char *)sealed, SEAL_BYTES) < 0 ||
        sscanf((char *)plain, "sim1.%c.%8x.%8x.", &its_kind, &its_model, &its_text) != 3)
        return SEAL_FOREIGN;
    write_plain((enum seal_kind)its_kind, its_model, its_text, expected);
    if (its_kind != (char)kind || memcmp(plain, expected, strlen(expected)) != 0)
        return SEAL_FOREIGN;
    if (its_text != hash_of(text))
        return SEAL_OTHER_TEXT;
    return its_model == hash_of(bare(model)) ? SEAL_FITS : SEAL_OTHER_MODEL;
}
