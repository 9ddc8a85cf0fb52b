/* address_range - one IP address or a range of them as an admin writes it: 203.0.113.7,
 * 203.0.113.0/24, 2001:db8::/32. An IPv4 address inside IPv6 (::ffff:203.0.113.7) is the IPv4
 * address. Pure; any thread. */
#ifndef AIPASS_DB_ADDRESS_RANGE_H
#define AIPASS_DB_ADDRESS_RANGE_H

#include "base/err.h"
#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

#define ADDRESS_BYTES    16
#define ADDRESS_TEXT_MAX 64

struct address_range {
    uint8_t bytes[ADDRESS_BYTES]; /* IPv4 as ::ffff:a.b.c.d */
    int bits;                     /* of the prefix, 0..128 */
};

/* address_range_parse - ERR_FORMAT: neither an address nor a range. */
ERR_CHECK enum err address_range_parse(struct slice text, struct address_range *out);

/* address_range_has - address: as text, without a port; false when it is none. */
bool address_range_has(const struct address_range *range, struct slice address);

#endif
