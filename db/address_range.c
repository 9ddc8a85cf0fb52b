#include "db/address_range.h"

#include <arpa/inet.h>
#include <string.h>

#define BITS_MAX    128
#define MAPPED_BITS 96 /* before an IPv4 address inside IPv6 */

static const uint8_t mapped[ADDRESS_BYTES] = {[10] = 0xff, [11] = 0xff};

/* *is_v4: it was written as IPv4, so that prefixes count from its own first bit. */
static bool parse_address(struct slice text, uint8_t bytes[ADDRESS_BYTES], bool *is_v4)
{
    char z[ADDRESS_TEXT_MAX];
    if (!text.n || !slice_copy_z(z, sizeof(z), text))
        return false;
    memcpy(bytes, mapped, ADDRESS_BYTES);
    *is_v4 = inet_pton(AF_INET, z, bytes + MAPPED_BITS / 8) == 1;
    return *is_v4 || inet_pton(AF_INET6, z, bytes) == 1;
}

enum err address_range_parse(struct slice text, struct address_range *out)
{
    struct address_range r;
    struct slice rest = text;
    struct slice address = slice_split(&rest, '/');
    int64_t bits = BITS_MAX;
    bool is_v4 = false;
    if (!parse_address(address, r.bytes, &is_v4))
        return ERR_FORMAT;
    if (rest.p) {
        if (slice_to_i64(rest, &bits) || bits < 0)
            return ERR_FORMAT;
        bits += is_v4 ? MAPPED_BITS : 0;
    }
    if (bits > BITS_MAX)
        return ERR_FORMAT;
    r.bits = (int)bits;
    *out = r;
    return ERR_OK;
}

bool address_range_has(const struct address_range *range, struct slice address)
{
    uint8_t bytes[ADDRESS_BYTES];
    bool is_v4 = false;
    if (!parse_address(address, bytes, &is_v4))
        return false;
    size_t whole = (size_t)range->bits / 8;
    unsigned rest = (unsigned)range->bits % 8;
    if (memcmp(bytes, range->bytes, whole) != 0)
        return false;
    return !rest || !((bytes[whole] ^ range->bytes[whole]) >> (8 - rest));
}
