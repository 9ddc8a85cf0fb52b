/* address - whether an address is one of the public Internet. Pure; any thread.
 *
 * Source: the IANA special-purpose address registries for IPv4 and IPv6. */
#ifndef AIPASS_UPSTREAM_ADDRESS_H
#define AIPASS_UPSTREAM_ADDRESS_H

#include <stdbool.h>
#include <sys/socket.h>

/* address_is_public - false for loopback, private, link-local, shared, multicast, reserved and
 * documentation addresses, for those of IPv6 that stand for such an IPv4 address, and for whatever
 * is neither IPv4 nor IPv6. */
bool address_is_public(const struct sockaddr *a, socklen_t n);

#endif
