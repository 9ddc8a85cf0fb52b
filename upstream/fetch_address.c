#include "upstream/fetch.h"

#include <arpa/inet.h>
#include <string.h>

#define PORT_HTTPS 443

struct net4 {
    uint32_t address;
    int bits;
};

struct net6 {
    uint8_t address[16];
    int bits;
};

#define IP4(a, b, c, d) ((uint32_t)(a) << 24 | (uint32_t)(b) << 16 | (uint32_t)(c) << 8 | (d))

/* IANA's registry of special addresses, and multicast. */
static const struct net4 special4[] = {
    {IP4(0,   0,   0,   0), 8 }, /* this network */
    {IP4(10,  0,   0,   0), 8 },
    {IP4(100, 64,  0,   0), 10}, /* shared by carriers */
    {IP4(127, 0,   0,   0), 8 },
    {IP4(169, 254, 0,   0), 16}, /* link-local, and where clouds keep credentials */
    {IP4(172, 16,  0,   0), 12},
    {IP4(192, 0,   0,   0), 24},
    {IP4(192, 0,   2,   0), 24}, /* documentation */
    {IP4(192, 31,  196, 0), 24},
    {IP4(192, 52,  193, 0), 24},
    {IP4(192, 88,  99,  0), 24}, /* 6to4 relays */
    {IP4(192, 168, 0,   0), 16},
    {IP4(192, 175, 48,  0), 24},
    {IP4(198, 18,  0,   0), 15}, /* benchmarks */
    {IP4(198, 51,  100, 0), 24},
    {IP4(203, 0,   113, 0), 24},
    {IP4(224, 0,   0,   0), 4 }, /* multicast */
    {IP4(240, 0,   0,   0), 4 }, /* reserved, broadcast */
};

/* Of 2000::/3, the rest is no host's: */
static const struct net6 special6[] = {
    {{0x20, 0x01},             23}, /* protocols: Teredo, ORCHID... */
    {{0x20, 0x01, 0x0d, 0xb8}, 32}, /* documentation */
    {{0x20, 0x02},             16}, /* 6to4: embeds an IPv4 address */
    {{0x26, 0x20, 0x00, 0x4f}, 32}, /* AS112 */
    {{0x3f, 0xff},             20}, /* documentation */
};

bool fetch_is_public_ip4(struct in_addr a)
{
    uint32_t address = ntohl(a.s_addr);
    size_t i;

    for (i = 0; i < sizeof(special4) / sizeof(special4[0]); i++)
        if ((address ^ special4[i].address) >> (32 - special4[i].bits) == 0)
            return false;
    return true;
}

static bool is_in(const uint8_t *address, const struct net6 *net)
{
    int whole = net->bits / 8, rest = net->bits % 8;

    if (memcmp(address, net->address, (size_t)whole) != 0)
        return false;
    return rest == 0 || (address[whole] ^ net->address[whole]) >> (8 - rest) == 0;
}

bool fetch_is_public_ip6(const struct in6_addr *a)
{
    size_t i;

    if ((a->s6_addr[0] & 0xe0) != 0x20) /* all that is given to hosts is in 2000::/3 */
        return false;
    for (i = 0; i < sizeof(special6) / sizeof(special6[0]); i++)
        if (is_in(a->s6_addr, &special6[i]))
            return false;
    return true;
}

bool fetch_may_connect(const struct sockaddr *address, socklen_t n)
{
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;

    if (address->sa_family == AF_INET && n >= sizeof(v4)) {
        memcpy(&v4, address, sizeof(v4));
        return ntohs(v4.sin_port) == PORT_HTTPS && fetch_is_public_ip4(v4.sin_addr);
    }
    if (address->sa_family == AF_INET6 && n >= sizeof(v6)) {
        memcpy(&v6, address, sizeof(v6));
        return ntohs(v6.sin6_port) == PORT_HTTPS && fetch_is_public_ip6(&v6.sin6_addr);
    }
    return false;
}
