#include "upstream/address.h"

#include <netinet/in.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct range4 {
    uint32_t first;
    int bits;
};

struct range6 {
    uint8_t first[16];
    int bits;
};

#define IP4(a, b, c, d) ((uint32_t)(a) << 24 | (uint32_t)(b) << 16 | (uint32_t)(c) << 8 | (d))

static const struct range4 not_public4[] = {
    {IP4(0,   0,   0,   0), 8 },
    {IP4(10,  0,   0,   0), 8 },
    {IP4(100, 64,  0,   0), 10},
    {IP4(127, 0,   0,   0), 8 },
    {IP4(169, 254, 0,   0), 16},
    {IP4(172, 16,  0,   0), 12},
    {IP4(192, 0,   0,   0), 24},
    {IP4(192, 0,   2,   0), 24},
    {IP4(192, 88,  99,  0), 24},
    {IP4(192, 168, 0,   0), 16},
    {IP4(198, 18,  0,   0), 15},
    {IP4(198, 51,  100, 0), 24},
    {IP4(203, 0,   113, 0), 24},
    {IP4(224, 0,   0,   0), 3 }, /* multicast, reserved, broadcast */
};

/* Inside 2000::/3, outside of which nothing is public. */
static const struct range6 not_public6[] = {
    {{0x20, 0x01},             23}, /* protocol assignments, Teredo among them */
    {{0x20, 0x01, 0x0d, 0xb8}, 32},
    {{0x3f, 0xff},             20},
};

/* What follows is an IPv4 address. */
static const struct range6 mapped = {
    {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff},
    96
};
static const struct range6 translated = {
    {0, 0x64, 0xff, 0x9b},
    96
};
static const struct range6 six_to_four = {
    {0x20, 0x02},
    16
};
static const struct range6 global = {{0x20}, 3};

static bool is_public4(uint32_t address)
{
    for (size_t i = 0; i < sizeof(not_public4) / sizeof(not_public4[0]); i++) {
        const struct range4 *r = &not_public4[i];
        if ((address ^ r->first) >> (32 - r->bits) == 0)
            return false;
    }
    return true;
}

static bool is_in(const uint8_t *address, const struct range6 *r)
{
    size_t whole = (size_t)r->bits / 8;
    int rest = r->bits % 8;

    if (memcmp(address, r->first, whole) != 0)
        return false;
    return rest == 0 || (address[whole] ^ r->first[whole]) >> (8 - rest) == 0;
}

static uint32_t ip4_at(const uint8_t *p)
{
    return IP4(p[0], p[1], p[2], p[3]);
}

static bool is_public6(const uint8_t *address)
{
    if (is_in(address, &mapped) || is_in(address, &translated))
        return is_public4(ip4_at(address + 12));
    if (is_in(address, &six_to_four))
        return is_public4(ip4_at(address + 2));
    if (!is_in(address, &global))
        return false;
    for (size_t i = 0; i < sizeof(not_public6) / sizeof(not_public6[0]); i++)
        if (is_in(address, &not_public6[i]))
            return false;
    return true;
}

bool address_is_public(const struct sockaddr *a, socklen_t n)
{
    struct sockaddr_in in;
    struct sockaddr_in6 in6;

    if (a->sa_family == AF_INET && (size_t)n >= sizeof(in)) {
        memcpy(&in, a, sizeof(in));
        return is_public4(ntohl(in.sin_addr.s_addr));
    }
    if (a->sa_family == AF_INET6 && (size_t)n >= sizeof(in6)) {
        memcpy(&in6, a, sizeof(in6));
        return is_public6(in6.sin6_addr.s6_addr);
    }
    return false;
}
