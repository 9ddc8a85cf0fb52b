/* fetch - what clients send by URL, for providers that take bytes only. Off unless the operator
 * allows it.
 *
 * Only https, port 443 and public addresses: the address of each socket is judged after the name was
 * resolved, so that no spelling and no name leads inside. No redirects, no proxy, no credentials, no
 * shared connections. One fetcher serves one request, over all its attempts; its limits are for all
 * fetches together. The bytes live as long as the arena. One thread; blocks. */
#ifndef AIPASS_UPSTREAM_FETCH_H
#define AIPASS_UPSTREAM_FETCH_H

#include "upstream/translate.h"

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

struct fetch_rules {
    int64_t bytes_max; /* of all */
    int64_t ms;        /* for all */
    int64_t count_max;
    /* NULL: fetch_may_connect */
    bool (*may_connect)(const struct sockaddr *address, socklen_t n);
    const char *ca_file; /* trusted authorities; NULL: the system's */
};

/* fetch_is_public_ip4, fetch_is_public_ip6 - the address is one of the internet's hosts: not
 * loopback, private, shared (CGNAT), link-local, unique local, multicast, reserved, of documentation,
 * nor one that embeds another (v4-mapped, NAT64, 6to4, Teredo). */
bool fetch_is_public_ip4(struct in_addr a);
bool fetch_is_public_ip6(const struct in6_addr *a);

/* fetch_may_connect - a public address at port 443. */
bool fetch_may_connect(const struct sockaddr *address, socklen_t n);

struct fetcher;

/* fetcher_new - NULL when memory is out. rules are copied, ca_file must outlive it. */
struct fetcher *fetcher_new(struct arena *a, const struct fetch_rules *rules);

/* fetch_parts - every media part of c with a URL that needs_bytes gets its bytes, and the type that
 * the server told. A URL that was fetched before is not asked again. ERR_BAD_REQUEST by plan_fault,
 * with the path of the part; ERR_MEMORY. */
ERR_CHECK enum err fetch_parts(struct fetcher *f, struct canon *c, struct plan *p,
                               bool (*needs_bytes)(const struct part *part));

#endif
