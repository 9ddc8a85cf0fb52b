/* inbound - an HTTP/1.1 request being received.
 *
 * Belongs to its connection. inbound_feed takes bytes as they come, in any split, and stops behind
 * the request, so that what follows (a pipelined request) stays with the caller. The head is kept
 * exactly as received. Bodies: Content-Length, chunked, or none. One thread. Source: RFC 9112.
 *
 *   HEAD --blank line--> BODY (Content-Length) ----------------------> WHOLE
 *                    \-> SIZE -> DATA -> DATA_END -> SIZE ... TRAILER -> WHOLE
 */
#ifndef TESTS_PROVIDER_INBOUND_H
#define TESTS_PROVIDER_INBOUND_H

#include "tests/provider/bytes.h"

enum inbound_state {
    INBOUND_HEAD,
    INBOUND_BODY,
    INBOUND_SIZE,
    INBOUND_DATA,
    INBOUND_DATA_END,
    INBOUND_TRAILER,
    INBOUND_WHOLE,
    INBOUND_BAD,
};

struct inbound {
    enum inbound_state state;
    struct bytes head; /* request line to blank line, inclusive */
    struct bytes body; /* decoded */
    struct span method;
    struct span target; /* path and query; with the method and the headers below it points into
                           head and is valid once the head is complete */
    struct span authorization;
    struct span api_key;  /* x-api-key */
    struct span goog_key; /* x-goog-api-key */
    struct span control;  /* x-sim */
    int minor_version;    /* HTTP/1.x */
    int fault_status;     /* in state BAD: the HTTP status that says so */
    bool is_keep_alive;
    bool wants_continue; /* Expect: 100-continue */
    bool is_chunked;
    bool has_length;
    uint64_t body_left; /* bytes still to come of the body or of the chunk */
    size_t line_len;    /* length so far of a chunk size line or of a trailer line */
};

/* inbound_feed - take bytes of the request.
 * used: out, how many of the len bytes belong to it. Returns the state after them; it returns
 * early, before the body, when the head has just been completed. In state WHOLE or BAD nothing is
 * taken. */
enum inbound_state inbound_feed(struct inbound *in, const char *data, size_t len, size_t *used);

/* inbound_reset - be ready for the next request on the connection. */
void inbound_reset(struct inbound *in);

/* inbound_clear - free everything. */
void inbound_clear(struct inbound *in);

/* inbound_next_header - walk the header fields of a head as received. at: the caller's position,
 * 0 to begin. name, value: out, trimmed. False at the end. */
bool inbound_next_header(struct span head, size_t *at, struct span *name, struct span *value);

/* inbound_header - the value of the first header field of that name; empty when there is none. */
struct span inbound_header(struct span head, const char *name);

/* inbound_key - the API key of the request: the Bearer token, else x-api-key, else x-goog-api-key,
 * else key= in the query; empty when none. */
struct span inbound_key(const struct inbound *in);

#endif
