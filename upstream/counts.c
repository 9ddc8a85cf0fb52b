#include "upstream/counts.h"

#include <string.h>

#define ASCII_BYTES_PER_TOKEN 4
#define WORD_ONES             UINT64_C(0x0101010101010101)
#define WORD_HIGH_BITS        UINT64_C(0x8080808080808080)
#define BLOCK_WORDS           4

/* How many bytes of w have their high bit set; w has no other bits. */
static int64_t count_high(uint64_t w)
{
    return (int64_t)((w >> 7) * WORD_ONES >> 56);
}

/* A character that is not ASCII has one leading byte (11xxxxxx) and 1 to 3 of 10xxxxxx. */
static void add_word(struct text_size *t, uint64_t w)
{
    uint64_t high = w & WORD_HIGH_BITS;

    t->ascii_bytes += (int64_t)sizeof(w) - count_high(high);
    t->other_chars += count_high(high & w << 1);
}

void text_size_add(struct text_size *t, struct slice text)
{
    const char *p = text.p;
    size_t left = text.n;
    uint64_t w[BLOCK_WORDS];

    for (; left >= sizeof(w); p += sizeof(w), left -= sizeof(w)) {
        memcpy(w, p, sizeof(w));
        if (!((w[0] | w[1] | w[2] | w[3]) & WORD_HIGH_BITS)) {
            t->ascii_bytes += (int64_t)sizeof(w);
            continue;
        }
        for (size_t i = 0; i < BLOCK_WORDS; i++)
            add_word(t, w[i]);
    }
    for (; left; p++, left--) {
        unsigned char c = (unsigned char)*p;

        t->ascii_bytes += c < 0x80;
        t->other_chars += c >= 0xc0;
    }
}

static unsigned hex_value(char c)
{
    return (unsigned)(c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
}

void text_size_add_escaped(struct text_size *t, struct slice raw)
{
    const char *escape;

    while ((escape = raw.n ? memchr(raw.p, '\\', raw.n) : NULL)) {
        size_t n = 2; /* bytes of the escape */

        text_size_add(t, (struct slice){raw.p, (size_t)(escape - raw.p)});
        if (escape[1] == 'u') {
            unsigned code = hex_value(escape[2]) << 12 | hex_value(escape[3]) << 8 |
                            hex_value(escape[4]) << 4 | hex_value(escape[5]);

            n = 6;
            t->ascii_bytes += code < 0x80;
            /* The low half of a surrogate pair was counted with the high one. */
            t->other_chars += code >= 0x80 && (code < 0xdc00 || code > 0xdfff);
        } else {
            t->ascii_bytes++;
        }
        raw.n -= (size_t)(escape - raw.p) + n;
        raw.p = escape + n;
    }
    text_size_add(t, raw);
}

int64_t text_size_tokens(const struct text_size *t)
{
    return (t->ascii_bytes + ASCII_BYTES_PER_TOKEN - 1) / ASCII_BYTES_PER_TOKEN + t->other_chars;
}
